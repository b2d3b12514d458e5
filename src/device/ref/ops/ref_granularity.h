/* Which scale and zero point belong to an element of a quantised tensor. */
#ifndef DEVICE_REF_GRANULARITY_H
#define DEVICE_REF_GRANULARITY_H

#include "device/ref/ops/ref_number.h"

/* One for all, one for each index of an axis, or one for each block of block_size along it. */
typedef struct ref_granularity {
    ref_split x;         /* of the quantised tensor, at the axis */
    uint64_t axis_count; /* scales along the axis; 0: one for all */
    uint64_t block_size; /* elements along the axis that share one */
    bool is_blocked;     /* there are scales for each outer and inner index too */
} ref_granularity;

/* scale: one element; or of rank 1 with the dimension of the axis; or with a block_size of x's
 * rank, the dimension of the axis divided by it and rounded up. Errors: FORMAT. */
ondol_status ref_granularity_begin(const plan_call *c, const tensor_value *x,
                                   const tensor_value *scale, int64_t axis, int64_t block_size,
                                   ref_granularity *out, ondol_error *err);
/* Position of the scale of element i of x. */
uint64_t ref_granularity_at(const ref_granularity *g, uint64_t i);

/* A zero point goes with its scale: the same shape, or both one element. Errors: FORMAT. */
ondol_status ref_granularity_check_zero(const plan_call *c, const tensor_value *scale,
                                        const tensor_value *zero_point, ondol_error *err);

/* Writes element i of y, an integer type of 16 bits or fewer or a float type of 8 or fewer: v,
 * which has been divided by the scale, rounded to nearest even, plus zero_point, saturated. NaN
 * counts as 0 for integers. to_limit false: of float8, what is too large becomes infinity or NaN.
 */
void ref_set_quantized(tensor_value *y, uint64_t i, double v, double zero_point, bool to_limit);
/* True for the types that ref_set_quantized takes. */
bool ref_is_quantized(tensor_element e);

#endif
