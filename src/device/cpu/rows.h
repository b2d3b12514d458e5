/* The CPU's kernels of rows, for graphs that run as they are written: elementwise operators, sums,
 * softmax, and the inner loops of convolution and pooling with channels last.
 *
 * On f32 where they do not say otherwise. The same bits at every ISA level: elementwise operators
 * round once; sums run in 16 lanes (element i to lane i % 16), added as a tree. dst may be an
 * operand exactly, or not overlap it. Thread class: shared. Errors: none. */
#ifndef DEVICE_CPU_ROWS_H
#define DEVICE_CPU_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "tensor/element.h"

typedef enum cpu_unary {
    CPU_UNARY_COPY,
    CPU_UNARY_ABS,
    CPU_UNARY_NEG,
    CPU_UNARY_SQRT,
    CPU_UNARY_RECIPROCAL,
    CPU_UNARY_FLOOR,
    CPU_UNARY_CEIL,
    CPU_UNARY_ROUND, /* to nearest even */
    CPU_UNARY_SQUARE,
    CPU_UNARY_RELU,
    CPU_UNARY_CLIP,         /* to [alpha, beta]; NaN stays */
    CPU_UNARY_LEAKY_RELU,   /* x < 0 ? alpha * x : x */
    CPU_UNARY_HARD_SIGMOID, /* max(0, min(1, alpha * x + beta)) */
    CPU_UNARY_HARD_SWISH,   /* x * hard sigmoid(x; 1/6, 1/2) */
    CPU_UNARY_EXP,
    CPU_UNARY_TANH,
    CPU_UNARY_SIGMOID,
    CPU_UNARY_SWISH, /* x * sigmoid(alpha * x) */
    CPU_UNARY_ERF,
    CPU_UNARY_GELU,
    CPU_UNARY_GELU_TANH,
    CPU_UNARY_LOG,
    CPU_UNARY_SOFTPLUS,
    CPU_UNARY_ELU, /* x < 0 ? alpha * (e^x - 1) : x */
    CPU_UNARY_SIN,
    CPU_UNARY_COS,
    CPU_UNARY_COUNT
} cpu_unary;

typedef enum cpu_binary {
    CPU_BINARY_ADD,
    CPU_BINARY_SUB,
    CPU_BINARY_MUL,
    CPU_BINARY_DIV,
    CPU_BINARY_MAX, /* NaN where either is */
    CPU_BINARY_MIN,
    CPU_BINARY_PRELU, /* a < 0 ? a * b : a */
    CPU_BINARY_POW,
    CPU_BINARY_COUNT
} cpu_binary;

typedef enum cpu_reduction {
    CPU_REDUCTION_SUM,
    CPU_REDUCTION_SQUARES,
    CPU_REDUCTION_ABS,
    CPU_REDUCTION_MAX, /* NaN where one is */
    CPU_REDUCTION_MIN
} cpu_reduction;

typedef enum cpu_compare {
    CPU_COMPARE_EQUAL,
    CPU_COMPARE_GREATER,
    CPU_COMPARE_GREATER_OR_EQUAL,
    CPU_COMPARE_LESS,
    CPU_COMPARE_LESS_OR_EQUAL,
    CPU_COMPARE_AND,
    CPU_COMPARE_OR,
    CPU_COMPARE_XOR
} cpu_compare;

typedef struct cpu_rows {
    base_isa isa;
    void (*unary)(cpu_unary op, float *dst, const float *x, size_t n, float alpha, float beta);
    /* a_step, b_step: 1, or 0 for one value for all. */
    void (*binary)(cpu_binary op, float *dst, const float *a, size_t a_step, const float *b,
                   size_t b_step, size_t n);
    /* Over x[0..n), n > 0. */
    float (*reduce)(cpu_reduction op, const float *x, size_t n);
    /* total[i] = total[i] joined with x[i]. */
    void (*accumulate)(cpu_reduction op, float *total, const float *x, size_t n);
    /* e^(x - most) / sum; log: x - most - log of the sum. */
    void (*softmax)(float *dst, const float *x, size_t n, int log);
    /* total[i] += x[i] * w[i], rounded once. */
    void (*multiply_add)(float *total, const float *x, const float *w, size_t n);
    /* Convolution of each channel by itself, channels last: dst [pixels][channels] = bias (NULL: 0)
     * plus, tap by tap, x[p * x_stride + offsets[t] + c] * weights[t][c], rounded once each. */
    void (*depthwise)(float *dst, const float *x, size_t x_stride, const float *bias,
                      const ptrdiff_t *offsets, const float *const *weights, size_t taps,
                      size_t channels, size_t pixels);
    /* (x - mean) * scale[i] + bias[i], with scale = weight / sqrt(variance + epsilon). */
    void (*layer_norm)(float *dst, const float *x, const float *weight, const float *bias, size_t n,
                       float epsilon);
    /* dst [columns][rows] = transposed x [rows][columns]; strides in elements. */
    void (*transpose)(float *dst, size_t dst_stride, const float *x, size_t x_stride, size_t rows,
                      size_t columns);
    /* dst[i] = 1 or 0. Elements f32, i32, i64 or bool (a byte); steps as of binary. */
    void (*compare)(cpu_compare op, tensor_element element, uint8_t *dst, const void *a,
                    size_t a_step, const void *b, size_t b_step, size_t n);
    /* dst[i] = condition[i] ? a[i] : b[i]; elements of 8, 16, 32 or 64 bits. */
    void (*choose)(unsigned bits, void *dst, const uint8_t *condition, size_t condition_step,
                   const void *a, size_t a_step, const void *b, size_t b_step, size_t n);
    /* Between f16, as its bits, and f32; rounded to nearest even. */
    void (*from_f16)(float *dst, const uint16_t *x, size_t n);
    void (*to_f16)(uint16_t *dst, const float *x, size_t n);
    void (*find_nan)(uint8_t *dst, const float *x, size_t n);
} cpu_rows;

/* The best of that level; lives for ever. */
const cpu_rows *cpu_rows_select(base_isa isa);

extern const cpu_rows cpu_rows_scalar;
#if defined(__x86_64__)
extern const cpu_rows cpu_rows_avx2, cpu_rows_avx512;
#elif defined(__aarch64__)
extern const cpu_rows cpu_rows_neon;
#endif

#endif
