/* Inside of the operators of two broadcast inputs. */
#ifndef DEVICE_REF_BINARY_H
#define DEVICE_REF_BINARY_H

#include "device/ref/ops/ref_util.h"

/* Inputs 0 and 1 and the shape that they broadcast to. */
typedef struct ref_binary_call {
    tensor_value *a, *b;
    uint32_t rank;
    int64_t dims[TENSOR_MAX_RANK];
} ref_binary_call;

/* Both inputs, of one element type of one of `classes` (ref_class, or-ed). Errors: FORMAT. */
ondol_status ref_binary_begin(plan_call *c, unsigned classes, ref_binary_call *b, ondol_error *err);

/* A walk over the output; operand 0 is a, 1 is b. */
void ref_binary_walk(const ref_binary_call *b, ref_walk *w);

#endif
