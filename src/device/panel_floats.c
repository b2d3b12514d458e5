/* Packed weights of floats. In: a file's rows. Out: [k][32 rows] of f32, f16 or bf16, and single
 * rows of them. */
#include "device/panel_layout.h"

#include <string.h>

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
static void pack_transposed(panel_form f, const tensor_matrix *w, uint64_t panel, uint8_t *dst) {
    const size_t bytes = tensor_encoding_info_of(w->encoding)->block_bytes;
    const uint64_t left = w->rows - panel * ROWS;
    const size_t count = left < ROWS ? (size_t)left : ROWS;
    const uint8_t *src = (const uint8_t *)w->data + panel * ROWS * bytes;
    for (uint64_t c = 0; c < w->columns; c++, src += w->rows * bytes) {
        if (f.layout == PANEL_LAYOUT_F32)
            tensor_decode(w->encoding, src, count, (float *)(void *)(dst + c * 4 * ROWS));
        else
            memcpy(dst + c * 2 * ROWS, src, 2 * count);
    }
}

void panel_floats_pack(panel_form f, const tensor_matrix *w, uint64_t panel, void *dst) {
    const uint64_t k = w->columns;
    const uint64_t row_bytes = k * tensor_encoding_info_of(w->encoding)->block_bytes;
    memset(dst, 0, (size_t)panel_bytes_of(f, k));
    if (w->transposed) {
        pack_transposed(f, w, panel, dst);
        return;
    }
    for (unsigned r = 0; r < ROWS && panel * ROWS + r < w->rows; r++) {
        const uint8_t *src = (const uint8_t *)w->data + (panel * ROWS + r) * row_bytes;
        if (f.layout == PANEL_LAYOUT_F32) {
            pack_f32(w->encoding, src, k, r, dst);
            continue;
        }
        uint8_t *out = (uint8_t *)dst + 2 * r;
        for (uint64_t c = 0; c < k; c++)
            memcpy(out + c * 2 * ROWS, src + 2 * c, 2);
    }
}

float panel_read_float(panel_layout_kind kind, const void *panel, uint64_t c, unsigned row) {
    const uint64_t i = c * ROWS + row;
    if (kind == PANEL_LAYOUT_F32) {
        float value;
        memcpy(&value, (const uint8_t *)panel + 4 * i, 4);
        return value;
    }
    const uint8_t *p = (const uint8_t *)panel + 2 * i; /* as in the file: little-endian */
    const uint16_t half = (uint16_t)(p[0] | p[1] << 8);
    return kind == PANEL_LAYOUT_F16 ? tensor_f16_to_f32(half) : tensor_bf16_to_f32(half);
}

void panel_floats_decode_row(panel_form f, const void *packed, uint64_t n, uint64_t k,
                             uint64_t n_index, float *dst) {
    (void)n;
    const uint8_t *panel = (const uint8_t *)packed + n_index / ROWS * panel_bytes_of(f, k);
    for (uint64_t c = 0; c < k; c++)
        dst[c] =
            panel_read_float((panel_layout_kind)f.layout, panel, c, (unsigned)(n_index % ROWS));
}
