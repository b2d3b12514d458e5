/* Packed weights of floats, and their portable kernel. In: a file's rows. Out: [k][32 rows] of f32,
 * f16 or bf16, and y = x W^T. */
#include "device/cpu/matmul_layout.h"

#include <math.h>
#include <string.h>

#include "device/cpu/matmul_kernels.h"
#include "tensor/half.h"

enum { ROWS = 32, RUN = 64 };

/* A row of the file into its lane, as f32. */
static void pack_f32(tensor_encoding e, const uint8_t *src, uint64_t k, unsigned row, float *dst) {
    const tensor_encoding_info *info = tensor_encoding_info_of(e);
    float values[RUN];
    for (uint64_t c = 0; c < k; c += RUN) {
        const size_t count = k - c < RUN ? (size_t)(k - c) : RUN;
        tensor_decode(e, src + c * info->block_bytes, count, values);
        for (size_t i = 0; i < count; i++)
            dst[(c + i) * ROWS + row] = values[i];
    }
}

/* [k][n] in the file: 32 rows lie side by side there too. */
static void pack_transposed(cpu_form f, const tensor_matrix *w, uint64_t panel, uint8_t *dst) {
    const size_t bytes = tensor_encoding_info_of(w->encoding)->block_bytes;
    const uint64_t left = w->rows - panel * ROWS;
    const size_t count = left < ROWS ? (size_t)left : ROWS;
    const uint8_t *src = (const uint8_t *)w->data + panel * ROWS * bytes;
    for (uint64_t c = 0; c < w->columns; c++, src += w->rows * bytes) {
        if (f.layout == CPU_LAYOUT_F32)
            tensor_decode(w->encoding, src, count, (float *)(void *)(dst + c * 4 * ROWS));
        else
            memcpy(dst + c * 2 * ROWS, src, 2 * count);
    }
}

void cpu_floats_pack(cpu_form f, const tensor_matrix *w, uint64_t panel, void *dst) {
    const uint64_t k = w->columns;
    const uint64_t row_bytes = k * tensor_encoding_info_of(w->encoding)->block_bytes;
    memset(dst, 0, (size_t)cpu_layout_panel_bytes(f, k));
    if (w->transposed) {
        pack_transposed(f, w, panel, dst);
        return;
    }
    for (unsigned r = 0; r < ROWS && panel * ROWS + r < w->rows; r++) {
        const uint8_t *src = (const uint8_t *)w->data + (panel * ROWS + r) * row_bytes;
        if (f.layout == CPU_LAYOUT_F32) {
            pack_f32(w->encoding, src, k, r, dst);
            continue;
        }
        uint8_t *out = (uint8_t *)dst + 2 * r;
        for (uint64_t c = 0; c < k; c++)
            memcpy(out + c * 2 * ROWS, src + 2 * c, 2);
    }
}

static float read_element(cpu_layout_kind kind, const uint8_t *panel, uint64_t i) {
    if (kind == CPU_LAYOUT_F32) {
        float value;
        memcpy(&value, panel + 4 * i, 4);
        return value;
    }
    const uint8_t *p = panel + 2 * i; /* as in the file: little-endian */
    const uint16_t half = (uint16_t)(p[0] | p[1] << 8);
    return kind == CPU_LAYOUT_F16 ? tensor_f16_to_f32(half) : tensor_bf16_to_f32(half);
}

void cpu_floats_decode_row(cpu_form f, const void *packed, uint64_t n, uint64_t k, uint64_t n_index,
                           float *dst) {
    (void)n;
    const uint8_t *panel = (const uint8_t *)packed + n_index / ROWS * cpu_layout_panel_bytes(f, k);
    for (uint64_t c = 0; c < k; c++)
        dst[c] = read_element((cpu_layout_kind)f.layout, panel, c * ROWS + n_index % ROWS);
}

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
    const cpu_layout_kind kind = (cpu_layout_kind)f.layout;
    const uint64_t panel_bytes = cpu_layout_panel_bytes(f, k);
    for (uint64_t p = first_panel; p < end_panel; p++) {
        const uint8_t *panel = (const uint8_t *)packed + p * panel_bytes;
        const unsigned count = n - p * ROWS < ROWS ? (unsigned)(n - p * ROWS) : ROWS;
        float *out = y + p * ROWS;
        for (uint32_t t = 0; t < rows; t++)
            memset(out + t * y_stride, 0, count * sizeof *out);
        for (uint64_t c = 0; c < k; c++) {
            float w[ROWS];
            for (unsigned r = 0; r < ROWS; r++)
                w[r] = read_element(kind, panel, c * ROWS + r);
            multiply_column(w, (const float *)x + c, x_stride, rows, out, y_stride, count);
        }
        for (uint32_t t = 0; bias && t < rows; t++) {
            for (unsigned r = 0; r < count; r++)
                out[t * y_stride + r] += bias[p * ROWS + r];
        }
    }
}

void cpu_matmul_segments_scalar(CPU_SEGMENTS_PARAMETERS) {
    const cpu_form f = {.layout = CPU_LAYOUT_F32};
    const uint64_t panel_bytes = cpu_layout_panel_bytes(f, k);
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
