/* Inside of the CPU's matmul: what quantised activations look like, and what a kernel is given.
 * Packed weights: device/panel_layout.h. Nothing here is shared inline code: files compiled for one
 * instruction set include it. Thread class of all: shared. Errors: none. */
#ifndef DEVICE_CPU_MATMUL_LAYOUT_H
#define DEVICE_CPU_MATMUL_LAYOUT_H

#include "device/cpu/matmul.h"

/* The isum * scale of matmul.h. Layouts with scales of 22 bits or fewer compute it as a register
 * that holds 1.5 * 2^23 + isum does; that rounds likewise for every finite scale, and gives the
 * same NaN for others. */
float cpu_scaled_sum(panel_layout_kind kind, int32_t isum, float scale);

/* Quantised activations: rows in tiles of 8 (the last may have fewer), a tile is [groups][rows] of
 * lines. */
#define CPU_TILE_TOKENS 8u

/* The bits of 1.5 * 2^23: an int32 of magnitude < 2^22 added to them is, read as a float, that sum
 * exactly. */
#define CPU_MAGIC_BITS 0x4b400000
#define CPU_MAGIC      12582912.0f

/* A group of 32 columns of one row. 64 bytes. */
typedef struct cpu_activation_line {
    int8_t codes[32];
    float scale;
    float scaled_sum;                          /* scale * (float)(sum of the codes) */
    int32_t start0, start8, start16, start128; /* CPU_MAGIC_BITS - offset * sum */
    int32_t sums[2];                           /* of the halves */
} cpu_activation_line;

/* Line of row `row`, group 0; the next group is *step lines further. */
const cpu_activation_line *cpu_activation_row(const void *quantised, uint32_t rows, uint64_t k,
                                              uint32_t row, size_t *step);
cpu_activation_line *cpu_activation_row_of(void *quantised, uint32_t rows, uint64_t k, uint32_t row,
                                           size_t *step);

/* All but the codes, from the scale and the sums of the two halves. */
void cpu_activation_finish(cpu_activation_line *line, float scale, int32_t low_sum,
                           int32_t high_sum);

/* Parameters of a matmul kernel; those of cpu_matmul_config. */
#define CPU_MATMUL_PARAMETERS                                                                      \
    panel_form f, const void *packed, uint64_t n, uint64_t k, uint64_t first_panel,                \
        uint64_t end_panel, const void *x, size_t x_stride, uint32_t rows, float *y,               \
        size_t y_stride, const float *bias, void *work

#endif
