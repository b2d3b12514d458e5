/* Resize: what a node asks for, and of which places of the input a place of the output is made.
 * Devices that compute in host memory share it. */
#ifndef DEVICE_HOST_RESIZE_H
#define DEVICE_HOST_RESIZE_H

#include "plan/kernel.h"

typedef enum resize_mode { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC } resize_mode;

typedef enum resize_coordinates {
    RESIZE_HALF_PIXEL,
    RESIZE_HALF_PIXEL_SYMMETRIC,
    RESIZE_PYTORCH_HALF_PIXEL,
    RESIZE_ALIGN_CORNERS,
    RESIZE_ASYMMETRIC,
    RESIZE_TF_CROP
} resize_coordinates;

typedef enum resize_rounding {
    RESIZE_PREFER_FLOOR,
    RESIZE_PREFER_CEIL,
    RESIZE_FLOOR,
    RESIZE_CEIL
} resize_rounding;

typedef struct resize_rules {
    resize_mode mode;
    resize_coordinates coordinates;
    resize_rounding rounding; /* of RESIZE_NEAREST */
    bool antialias, exclude_outside;
    double cubic_a, extrapolation;
} resize_rules;

typedef struct resize_axis {
    int64_t in, out;
    double scale;
    double start, end; /* of the region of interest, in parts of the axis */
} resize_axis;

/* True when every place of the output is that of the input. */
bool resize_axis_is_same(const resize_rules *r, const resize_axis *a);

/* The place of the input that place `at` of the output is at; NaN: outside, to be extrapolated. */
double resize_axis_source(const resize_rules *r, const resize_axis *a, int64_t at);

/* RESIZE_NEAREST: the place, within [0, in). */
int64_t resize_axis_nearest(const resize_rules *r, const resize_axis *a, double source);

/* How many places resize_axis_weights fills; 0: more than it is fit for. */
uint64_t resize_axis_taps(const resize_rules *r, const resize_axis *a);

/* Weights of the places *first, *first + 1, ... (a place outside stands for the nearest inside);
 * taps: as above. */
void resize_axis_weights(const resize_rules *r, const resize_axis *a, double source, uint64_t taps,
                         int64_t *first, double *weights);

/* A Resize under way. */
typedef struct host_resizing {
    resize_rules rules;
    resize_axis axes[TENSOR_MAX_RANK]; /* of input 0, each checked */
    tensor_value *x;
} host_resizing;

/* Reads inputs and attributes of a Resize node. Errors: FORMAT with what does not fit. */
ondol_status host_resize_read(const plan_call *c, host_resizing *out, ondol_error *err);

/* RESIZE_NEAREST: fills y, dense, of any type. Errors: LIMIT, MEMORY. */
ondol_status host_resize_nearest(const plan_call *c, const host_resizing *r, tensor_value *y,
                                 ondol_error *err);

#endif
