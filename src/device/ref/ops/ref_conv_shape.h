/* The geometry of a convolution: attributes and shapes to sizes, steps and padding. */
#ifndef DEVICE_REF_CONV_SHAPE_H
#define DEVICE_REF_CONV_SHAPE_H

#include "device/ref/ops/ref_util.h"

/* x [batch, channels, in...], w [filters, channels / groups, kernel...] -> [batch, filters,
 * out...]; each list is [rank]: of the spatial dimensions alone. */
typedef struct ref_conv_shape {
    uint32_t rank;
    int64_t batch, channels, filters, groups;
    int64_t in[TENSOR_MAX_RANK], kernel[TENSOR_MAX_RANK], out[TENSOR_MAX_RANK];
    int64_t stride[TENSOR_MAX_RANK], dilation[TENSOR_MAX_RANK];
    int64_t pad_begin[TENSOR_MAX_RANK];
} ref_conv_shape;

/* From x and w and the attributes auto_pad, dilations, group, kernel_shape, pads, strides.
 * Errors: FORMAT. */
ondol_status ref_conv_shape_begin(const plan_call *c, const tensor_value *x, const tensor_value *w,
                                  ref_conv_shape *out, ondol_error *err);

#endif
