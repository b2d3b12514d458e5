/* The portable kernel of floats. In: packed weights, rows of f32. Out: y = x W^T. */
#include "device/cpu/matmul_layout.h"

#include <math.h>
#include <string.h>

#include "device/cpu/matmul_kernels.h"

enum { ROWS = 32 };

/* One column of a panel, times x[t][column], for `count` rows. */
static void multiply_column(const float w[ROWS], const float *x, size_t x_stride, uint32_t tokens,
                            float *y, size_t y_stride, unsigned count) {
    for (uint32_t t = 0; t < tokens; t++) {
        const float value = x[t * x_stride];
        for (unsigned r = 0; r < count; r++)
            y[t * y_stride + r] = fmaf(w[r], value, y[t * y_stride + r]);
    }
}

void cpu_matmul_floats_scalar(CPU_MATMUL_PARAMETERS) {
    (void)work;
    const panel_layout_kind kind = (panel_layout_kind)f.layout;
    const uint64_t panel_bytes = panel_bytes_of(f, k);
    for (uint64_t p = first_panel; p < end_panel; p++) {
        const uint8_t *panel = (const uint8_t *)packed + p * panel_bytes;
        const unsigned count = n - p * ROWS < ROWS ? (unsigned)(n - p * ROWS) : ROWS;
        float *out = y + p * ROWS;
        for (uint32_t t = 0; t < rows; t++)
            memset(out + t * y_stride, 0, count * sizeof *out);
        for (uint64_t c = 0; c < k; c++) {
            float w[ROWS];
            for (unsigned r = 0; r < ROWS; r++)
                w[r] = panel_read_float(kind, panel, c, r);
            multiply_column(w, (const float *)x + c, x_stride, rows, out, y_stride, count);
        }
        for (uint32_t t = 0; bias && t < rows; t++) {
            for (unsigned r = 0; r < count; r++)
                out[t * y_stride + r] += bias[p * ROWS + r];
        }
    }
}

void cpu_matmul_segments_scalar(CPU_SEGMENTS_PARAMETERS) {
    const panel_form f = {.layout = PANEL_LAYOUT_F32};
    const uint64_t panel_bytes = panel_bytes_of(f, k);
    for (uint64_t p = first_panel; p < end_panel; p++) {
        const float *panel =
            (const float *)(const void *)((const uint8_t *)packed + p * panel_bytes);
        const unsigned count = n - p * ROWS < ROWS ? (unsigned)(n - p * ROWS) : ROWS;
        float *out = y + p * ROWS;
        for (uint32_t t = 0; t < rows; t++)
            memset(out + t * y_stride, 0, count * sizeof *out);
        for (uint32_t s = 0; s < x->count; s++) {
            for (uint64_t c = 0; x->at[s] && c < x->columns; c++) {
                multiply_column(panel + (s * x->columns + c) * ROWS, x->at[s] + c, x_stride, rows,
                                out, y_stride, count);
            }
        }
        for (uint32_t t = 0; bias && t < rows; t++) {
            for (unsigned r = 0; r < count; r++)
                out[t * y_stride + r] += bias[p * ROWS + r];
        }
    }
}
