/* Matrix multiplication of the CPU: weights packed for the vector unit, times rows of activations.
 *
 * A config ties layout, packing and kernels together, so that they cannot disagree. It is chosen by
 * how the weight is stored and by instruction set (cpu_matmul_select).
 *
 * Letters: T rows of x, N rows of W (outputs), K columns, P rows of W to a panel.
 *
 * THE SUM, the same bits for every T, every split over threads and every ISA level: each output has
 * its own lane. CODES layouts, over groups of 32 along K, k ascending:
 *     isum = exact int32 sum of code * x_code
 *     g    = (float)isum * scale           one rounding
 *     acc  = fmaf(g, x_scale, acc)         one rounding
 *     acc  = fmaf(-minimum, x_scale * (float)x_sum, acc)   layouts with a minimum
 * (groups of 16 in the encoding: two such runs in order, each with its own isum and x_sum). FLOAT
 * layouts: acc = fmaf(w, x, acc), k ascending. Then y = acc, or acc + bias. */
#ifndef DEVICE_CPU_MATMUL_H
#define DEVICE_CPU_MATMUL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/cpu.h"
#include "device/panel_layout.h"
#include "plan/device.h"

/* Columns to a scale of the quantised activations. */
#define CPU_ACTIVATION_GROUP 32u

/* Bytes behind a packed weight and behind activations that kernels may read (never use). */
#define CPU_MATMUL_SLACK_BYTES 4096u

/* Everything is 64-byte aligned where it begins; rows, panels and groups keep what they need. */
typedef struct cpu_matmul_config {
    const char *name; /* "q4_0_p32_avx512vnni" */
    base_isa isa;
    plan_activation activation;
    uint32_t panel_rows; /* P; N is padded to it with zeros */

    /* Bytes of W [n, k] packed, of which each panel takes an equal share. */
    uint64_t (*packed_bytes)(panel_form f, uint64_t n, uint64_t k);

    /* Packs panel `panel` of W to dst, the panel's place. Any thread; panels are independent. */
    void (*pack)(panel_form f, const tensor_matrix *w, uint64_t panel, void *dst);

    /* y[t][first_panel*P ..) = x W^T + bias for t < rows and panels [first_panel, end_panel).
     * x: f32 [rows][x_stride] or what cpu_quantize_rows made of all rows (x_stride unused).
     * y: f32, y_stride elements from row to row, y[0] being output 0; outputs >= n are not
     * written. bias: f32[n] or NULL. work: cpu_matmul_work_bytes, one for each thread. */
    void (*matmul)(panel_form f, const void *packed, uint64_t n, uint64_t k, uint64_t first_panel,
                   uint64_t end_panel, const void *x, size_t x_stride, uint32_t rows, float *y,
                   size_t y_stride, const float *bias, void *work);

    /* dst f32[k] = row n_index of W, the bits of tensor_matrix_decode_row. */
    void (*decode_row)(panel_form f, const void *packed, uint64_t n, uint64_t k, uint64_t n_index,
                       float *dst);

    uint64_t work_bytes; /* scratch of one thread; 0: none */
} cpu_matmul_config;

/* Rows of x in pieces: columns [i * columns, (i + 1) * columns) of row t are at[i] + t * x_stride,
 * and zeros that nobody multiplies where at[i] is NULL. */
typedef struct cpu_segments {
    const float *const *at; /* [count] */
    uint32_t count, last;   /* last: the last one that is there; one is, at least */
    uint64_t columns;       /* of each; k = count * columns */
} cpu_segments;

#define CPU_SEGMENTS_PARAMETERS                                                                    \
    const void *packed, uint64_t n, uint64_t k, uint64_t first_panel, uint64_t end_panel,          \
        const cpu_segments *x, size_t x_stride, uint32_t rows, float *y, size_t y_stride,          \
        const float *bias

/* As matmul of a config, for W in the layout of f32. The same bits as with x in one piece, but for
 * the sign of zero. */
typedef void (*cpu_matmul_segments)(CPU_SEGMENTS_PARAMETERS);
cpu_matmul_segments cpu_matmul_segments_select(base_isa isa);

/* The best config for W on a processor of that level (base_isa_runs), and *form (may be NULL), in
 * which it packs; NULL when there is none. Names of those that declined, and why, are appended to
 * why (may be NULL). */
const cpu_matmul_config *cpu_matmul_select(base_isa isa, const tensor_matrix *w, panel_form *form,
                                           base_buffer *why);

/* Bytes of `rows` rows of k elements quantised: any k; the last group may be short. */
uint64_t cpu_activation_bytes(uint64_t rows, uint64_t k);

/* Quantises groups of rows [first_row, end_row) of x f32 [rows][x_stride] to dst, whose layout is
 * that of cpu_activation_bytes(rows, k): int8 codes, f32 scale, int32 sums for every 32 columns.
 * scale = largest magnitude / 127; codes are x * (127 / largest magnitude), rounded to nearest
 * even. The same codes at every ISA level. Any thread. */
typedef void (*cpu_quantize_rows)(void *dst, const float *x, size_t x_stride, uint32_t rows,
                                  uint32_t first_row, uint32_t end_row, uint64_t k);
cpu_quantize_rows cpu_quantize_rows_select(base_isa isa);

/* Reads one row back: codes i8[k], scales f32[ceil(k/32)], for ref and tests. */
void cpu_activation_read(const void *quantised, uint32_t rows, uint64_t k, uint32_t row,
                         int8_t *codes, float *scales);

#endif
