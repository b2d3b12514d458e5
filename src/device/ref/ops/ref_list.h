/* Sequences and optionals as inputs and outputs of the oracle's kernels. */
#ifndef DEVICE_REF_LIST_H
#define DEVICE_REF_LIST_H

#include "plan/kernel.h"

/* Input i as a sequence. Errors: FORMAT when it is absent or none. */
ondol_status ref_list_input(const plan_call *c, uint32_t i, tensor_value **out, ondol_error *err);

/* Makes output i an empty list, which the output holds. Errors: LIMIT, MEMORY. */
ondol_status ref_list_output(plan_call *c, uint32_t i, tensor_value_kind kind, tensor_value **out,
                             ondol_error *err);

/* Appends item (retained), a tensor of the list's element type where it has one. Errors: FORMAT
 * (item is NULL, or of another type), LIMIT, MEMORY. */
ondol_status ref_list_append(const plan_call *c, tensor_value *list, tensor_value *item,
                             ondol_error *err);

#endif
