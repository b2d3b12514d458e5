/* Runs of elements of any type: moved, cleared. */
#ifndef DEVICE_REF_MOVE_H
#define DEVICE_REF_MOVE_H

#include "plan/kernel.h"

/* dst elements [to, to + count) = src elements from `from` on, both of one type; packed and strings
 * too. dst and src may be one tensor only where the runs do not overlap. Errors: LIMIT, MEMORY (of
 * strings alone). */
ondol_status ref_move_run(tensor_value *dst, uint64_t to, const tensor_value *src, uint64_t from,
                          uint64_t count, ondol_error *err);

/* All elements of v: 0, false, "". */
void ref_clear(tensor_value *v);

/* Makes output i a tensor of zeros (false, ""). Errors: as plan_call_output. */
ondol_status ref_zeros(plan_call *c, uint32_t i, tensor_element element, uint32_t rank,
                       const int64_t *dims, tensor_value **out, ondol_error *err);

/* Makes output i a copy of v. Errors: as plan_call_output. */
ondol_status ref_copy_out(plan_call *c, uint32_t i, const tensor_value *v, tensor_value **out,
                          ondol_error *err);

/* Element i of an integer tensor, an index into an axis of that size, made non-negative. Errors:
 * FORMAT with the index, the axis and its size. */
ondol_status ref_index(const plan_call *c, const tensor_value *indices, uint64_t i, uint32_t axis,
                       int64_t size, uint64_t *out, ondol_error *err);

#endif
