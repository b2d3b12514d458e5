/* The CPU's kernels of int8: products of codes, summed exactly in int32, and what is done with the
 * sums.
 *
 * Left operands are uint8, right ones int8, packed: panels of CPU_INT8_COLUMNS columns, each with
 * groups of CPU_INT8_DEPTH rows, [panel][group][column][depth]; what is missing in the last ones
 * is 0. Other types are moved by 128 together with their zero points. The same bits at every ISA
 * level and as the oracle's: sums are integers modulo 2^32, and each float or double operation
 * rounds once, in the order that is written here. Thread class: shared. Errors: none. */
#ifndef DEVICE_CPU_INT8_H
#define DEVICE_CPU_INT8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"

#define CPU_INT8_COLUMNS 16u
#define CPU_INT8_DEPTH   4u
#define CPU_INT8_PANELS  4u /* that one call takes at most */

/* Of one row of sums: what turns raw sums into those of the codes less their zero points. */
typedef struct cpu_int8_shift {
    const int32_t *centred;     /* by column: its sum less k times its zero point */
    const int32_t *column_zero; /* by column; NULL: all 0 */
    int32_t row_zero, row_sum;  /* zero point of the row; sum of its codes */
} cpu_int8_shift;

/* low: the least code of the type, 0 or -128. */
typedef struct cpu_int8_binary {
    int32_t a_zero, b_zero, y_zero, low;
    float a_by, b_by;
} cpu_int8_binary;

typedef struct cpu_int8 {
    base_isa isa;

    /* sums[row * sums_stride + column] for `rows` rows of a, a_stride bytes apart, and `panels`
     * panels of b, panel_bytes apart. Reads up to 3 bytes behind each row of a. */
    void (*sums)(const uint8_t *a, size_t a_stride, size_t rows, const int8_t *b,
                 size_t panel_bytes, size_t groups, size_t panels, int32_t *sums,
                 size_t sums_stride);
    /* sums[i] -= column_zero[i] * row_sum + row_zero * centred[i]. */
    void (*shift)(int32_t *sums, const cpu_int8_shift *s, size_t n);
    /* dst[i] = (float)sums[i] * (a_scale * scales[i * step]), + bias[i] where there is one. */
    void (*to_float)(float *dst, const int32_t *sums, float a_scale, const float *scales,
                     size_t step, const float *bias, size_t n);
    /* dst[i] = (sums[i] + offset[i]) * factors[i * step] in double, to nearest even, + zero, cut to
     * [low, low + 255] and to 8 bits; NaN counts as 0. offset: NULL for none. */
    void (*to_codes)(uint8_t *dst, const int32_t *sums, const int32_t *offset, const float *factors,
                     size_t step, int32_t zero, int32_t low, size_t n);
    /* Sum of n codes. */
    int32_t (*add_up)(const uint8_t *a, size_t n);
    /* dst[i] = a[i] ^ 128. */
    void (*flip)(uint8_t *dst, const uint8_t *a, size_t n);
    /* sums[i] = sum over t < count of (x[t][i] - x_zero) * w[t][i]. */
    void (*add_taps)(int32_t *sums, const uint8_t *const *x, size_t count, int32_t x_zero,
                     const int16_t *const *w, size_t n);

    /* Widens [*least, *greatest] to x[0..n); NaN is passed over. */
    void (*range)(const float *x, size_t n, float *least, float *greatest);
    /* dst[i] = x[i] / scale to nearest even, + zero, cut to [low, low + 255]; NaN counts as 0. */
    void (*quantize)(uint8_t *dst, const float *x, float scale, int32_t zero, int32_t low,
                     size_t n);
    /* dst[i] = (x[i] - zero) * scale; x: int8 where low is -128. */
    void (*dequantize)(float *dst, const uint8_t *x, float scale, int32_t zero, int32_t low,
                       size_t n);
    /* Codes of (a - a_zero) * a_by + (b - b_zero) * b_by, and of (a - a_zero) * (b - b_zero) *
     * a_by; a_step, b_step: 1, or 0 for one code for all. */
    void (*add)(uint8_t *dst, const uint8_t *a, size_t a_step, const uint8_t *b, size_t b_step,
                const cpu_int8_binary *p, size_t n);
    void (*multiply)(uint8_t *dst, const uint8_t *a, size_t a_step, const uint8_t *b, size_t b_step,
                     const cpu_int8_binary *p, size_t n);
} cpu_int8;

/* The best of that level; lives for ever. */
const cpu_int8 *cpu_int8_select(base_isa isa);

extern const cpu_int8 cpu_int8_scalar;
#if defined(__x86_64__)
extern const cpu_int8 cpu_int8_avx2, cpu_int8_avx2vnni, cpu_int8_avx512vnni;
#endif

#endif
