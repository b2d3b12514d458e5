/* Operators on single elements. In: rows. Out: rows of the same shape. */
#include "device/ref/ref_ops.h"

#include <math.h>

#define SQRT_HALF       0.70710678118654752440
#define SQRT_2_OVER_PI  0.79788456080286535588
#define GELU_TANH_CUBIC 0.044715

/* Source: Hendrycks & Gimpel 2016, sections 2 and 3 (gelu), 4 (silu). */
static double activate(double x, plan_activation_function f) {
    switch (f) {
    case PLAN_FUNCTION_SILU: return x / (1 + exp(-x));
    case PLAN_FUNCTION_GELU_TANH: /* 1 + tanh(u) == 2 / (1 + e^-2u), without cancellation */
        return x / (1 + exp(-2 * SQRT_2_OVER_PI * (x + GELU_TANH_CUBIC * x * x * x)));
    default: return 0.5 * x * erfc(-x * SQRT_HALF);
    }
}

void ref_gated_activation(float *dst, size_t dst_stride, const float *gate, size_t gate_stride,
                          const float *up, size_t up_stride, uint32_t rows, uint32_t n,
                          plan_activation_function f) {
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t i = 0; i < n; i++) {
            const double y = activate(gate[r * gate_stride + i], f) * up[r * up_stride + i];
            dst[r * dst_stride + i] = (float)y;
        }
    }
}

void ref_activation(float *dst, size_t dst_stride, const float *x, size_t x_stride, uint32_t rows,
                    uint32_t n, plan_activation_function f) {
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t i = 0; i < n; i++)
            dst[r * dst_stride + i] = (float)activate(x[r * x_stride + i], f);
    }
}

void ref_add(float *dst, size_t dst_stride, const float *a, size_t a_stride, const float *b,
             size_t b_stride, uint32_t rows, uint32_t n) {
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t i = 0; i < n; i++)
            dst[r * dst_stride + i] = a[r * a_stride + i] + b[r * b_stride + i];
    }
}

void ref_scale(float *dst, size_t dst_stride, const float *x, size_t x_stride, uint32_t rows,
               uint32_t n, float factor) {
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t i = 0; i < n; i++)
            dst[r * dst_stride + i] = x[r * x_stride + i] * factor;
    }
}

void ref_softcap(float *dst, size_t dst_stride, const float *x, size_t x_stride, uint32_t rows,
                 uint32_t n, float cap) {
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t i = 0; i < n; i++) {
            const double y = cap * tanh((double)x[r * x_stride + i] / cap);
            dst[r * dst_stride + i] = (float)y;
        }
    }
}
