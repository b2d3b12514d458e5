/* Values of the iterations of a Loop or Scan, stacked along an axis. */
#ifndef DEVICE_REF_STACK_H
#define DEVICE_REF_STACK_H

#include "plan/kernel.h"

/* The tensors of one output so far; they grow to one tensor at the end. */
typedef struct ref_stack {
    tensor_value *list; /* a sequence */
} ref_stack;

/* Appends v, which is retained; its shape and type must be those of the ones before. */
ondol_status ref_stack_add(const plan_call *c, ref_stack *s, tensor_value *v, ondol_error *err);
/* Makes output i of all of them: axis, counted from the front of the result (negative from its
 * end), has one place for each, in order or reversed. like: the type and shape of one, for none. */
ondol_status ref_stack_give(plan_call *c, ref_stack *s, uint32_t i, int64_t axis, bool reversed,
                            const graph_value *like, ondol_error *err);
void ref_stack_drop(ref_stack *s);

#endif
