/* The portable kernel of all layouts of codes. In: packed weights, quantised rows. Out: y = x W^T.
 * It defines the bits that every other instruction set's kernels give. */
#include "device/cpu/matmul_kernels.h"

#include <math.h>

enum { ROWS = 32, BLOCK = 32 };

/* A row's block in the open. */
typedef struct open_block {
    panel_layout_kind kind;
    int8_t codes[BLOCK];
    float scales[2], minimums[2];
} open_block;

float cpu_scaled_sum(panel_layout_kind kind, int32_t isum, float scale) {
    const panel_scales scales = PANEL_LAYOUTS[kind].scales;
    const bool wide = scales == PANEL_SCALES_F32 || scales == PANEL_SCALES_F32_MINIMUM ||
                      scales == PANEL_SCALES_F32_ZERO;
    if (wide) return (float)isum * scale;
    return fmaf(CPU_MAGIC + (float)isum, scale, -(CPU_MAGIC * scale));
}

static int32_t dot(const int8_t *a, const int8_t *b, unsigned count) {
    int32_t sum = 0;
    for (unsigned i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

static float add_whole(const open_block *w, const cpu_activation_line *x, bool minimum, float acc) {
    const int32_t isum = dot(w->codes, x->codes, BLOCK);
    acc = fmaf(cpu_scaled_sum(w->kind, isum, w->scales[0]), x->scale, acc);
    return minimum ? fmaf(-w->minimums[0], x->scaled_sum, acc) : acc;
}

static float add_halves(const open_block *w, const cpu_activation_line *x, bool minimum,
                        float acc) {
    for (unsigned h = 0; h < 2; h++) {
        const int32_t isum = dot(w->codes + 16 * h, x->codes + 16 * h, 16);
        acc = fmaf(cpu_scaled_sum(w->kind, isum, w->scales[h]), x->scale, acc);
        if (minimum) acc = fmaf(-w->minimums[h], x->scale * (float)x->sums[h], acc);
    }
    return acc;
}

/* One row of a panel times all rows of x. */
static void multiply_row(panel_form f, const void *panel, unsigned row, uint64_t k, const void *x,
                         uint32_t rows, float *y, size_t y_stride, const float *bias) {
    const panel_layout_kind kind = (panel_layout_kind)f.layout;
    const bool minimum = panel_scales_have_minimum(PANEL_LAYOUTS[kind].scales);
    const bool halves = PANEL_LAYOUTS[kind].group_elems == 16;
    open_block w = {.kind = kind};
    for (uint32_t t = 0; t < rows; t++)
        y[t * y_stride] = 0;
    for (uint64_t b = 0; b * BLOCK < k; b++) {
        panel_read_block(f, panel, b, row, w.codes, w.scales, w.minimums);
        for (uint32_t t = 0; t < rows; t++) {
            size_t step = 0;
            const cpu_activation_line *line = cpu_activation_row(x, rows, k, t, &step) + b * step;
            float *acc = y + t * y_stride;
            *acc =
                halves ? add_halves(&w, line, minimum, *acc) : add_whole(&w, line, minimum, *acc);
        }
    }
    for (uint32_t t = 0; bias && t < rows; t++)
        y[t * y_stride] += *bias;
}

void cpu_matmul_codes_scalar(CPU_MATMUL_PARAMETERS) {
    (void)x_stride;
    (void)work;
    const uint64_t panel_bytes = panel_bytes_of(f, k);
    for (uint64_t p = first_panel; p < end_panel; p++) {
        const uint8_t *panel = (const uint8_t *)packed + p * panel_bytes;
        for (unsigned r = 0; r < ROWS && p * ROWS + r < n; r++) {
            const uint64_t row = p * ROWS + r;
            multiply_row(f, panel, r, k, x, rows, y + row, y_stride, bias ? bias + row : NULL);
        }
    }
}
