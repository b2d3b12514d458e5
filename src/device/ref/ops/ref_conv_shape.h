/* The geometry of convolutions and pooling: attributes and shapes to sizes, steps and padding. */
#ifndef DEVICE_REF_CONV_SHAPE_H
#define DEVICE_REF_CONV_SHAPE_H

#include "device/ref/ops/ref_util.h"

#define REF_CONV_LARGEST ((int64_t)1 << 40) /* of each number: sums and products of two fit */

/* x [batch, channels, in...], w [filters, channels / groups, kernel...] -> [batch, filters,
 * out...]; each list is [rank]: of the spatial dimensions alone. */
typedef struct ref_conv_shape {
    uint32_t rank;
    int64_t batch, channels, filters, groups;
    int64_t in[TENSOR_MAX_RANK], kernel[TENSOR_MAX_RANK], out[TENSOR_MAX_RANK];
    int64_t stride[TENSOR_MAX_RANK], dilation[TENSOR_MAX_RANK];
    int64_t pad_begin[TENSOR_MAX_RANK], pad_end[TENSOR_MAX_RANK];
} ref_conv_shape;

/* From x and w and the attributes auto_pad, dilations, group, kernel_shape, pads, strides.
 * Errors: FORMAT. */
ondol_status ref_conv_shape_begin(const plan_call *c, const tensor_value *x, const tensor_value *w,
                                  ref_conv_shape *out, ondol_error *err);

/* The same of a pool over x [batch, channels, in...], with kernel_shape of the node and ceil_mode,
 * without group; filters = channels. Errors: FORMAT. */
ondol_status ref_pool_shape_begin(const plan_call *c, const tensor_value *x, ref_conv_shape *out,
                                  ondol_error *err);

/* Attribute `name`: count integers, each in [least, REF_CONV_LARGEST]; `otherwise` without it.
 * Errors: FORMAT. */
ondol_status ref_conv_list(const plan_call *c, const char *name, uint32_t count, int64_t least,
                           int64_t otherwise, int64_t *out, ondol_error *err);

#endif
