/* Packed weights: the few layouts that kernels compute with, made from any encoding. One image
 * serves every device: a lane is a row, on the CPU of a vector, on a GPU of a wave.
 *
 * A panel is 32 rows. Within a block of 32 columns, row r and column c = 4j + i (j < 8), half h =
 * r / 16, lane l = r % 16; codes are unsigned (offset added):
 *   4 bits  byte (4h + j % 4) * 64 + 4l + i; low nibble for j < 4, high for j >= 4
 *   5 bits  as above, then bit j of byte 512 + 64h + 4l + i is the fifth
 *   6 bits  as 4 bits, then bits 2(j % 4).. of byte 512 + (2h + j / 4) * 64 + 4l + i
 *   8 bits  byte (8h + j) * 64 + 4l + i
 * so that a dword of 16 lanes is 4 columns of 16 rows. Floats lie [k][32 rows]. Thread class of
 * all: shared. Errors: none. */
#ifndef DEVICE_PANEL_LAYOUT_H
#define DEVICE_PANEL_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/matrix.h"

#define PANEL_ROWS 32u

/* The layout of a packed weight (a panel_layout_kind), and how many blocks of 32 columns share its
 * scales: 1 << record_shift. */
typedef struct panel_form {
    uint8_t layout, record_shift;
} panel_form;

typedef enum panel_layout_kind {
#define CODES(symbol, ...)  PANEL_LAYOUT_##symbol,
#define FLOATS(symbol, ...) PANEL_LAYOUT_##symbol,
#include "device/panel_layouts.def"
#undef CODES
#undef FLOATS
    PANEL_LAYOUT_COUNT
} panel_layout_kind;

/* A record's header, for its 32 rows: lane = row. A zero is counted in codes: the minimum is scale
 * * zero. */
typedef enum panel_scales {
    PANEL_SCALES_F16,         /* f16 scale */
    PANEL_SCALES_F16_MINIMUM, /* f16 scale, f16 that is added */
    PANEL_SCALES_SIX_BITS,    /* f16 scale, f16 minimum, 12 lines of u8: Q4_K's packed 6 bits */
    PANEL_SCALES_EIGHT_BITS,  /* f16 scale, 16 lines of i8 */
    PANEL_SCALES_F32,         /* f32 scale of each group */
    PANEL_SCALES_F32_MINIMUM, /* f32 scale of each group, f32 minimum of each group */
    PANEL_SCALES_F16_ZERO,    /* f16 scale, f16 zero */
    PANEL_SCALES_F32_ZERO     /* f32 scale, f16 zero */
} panel_scales;

typedef struct panel_layout {
    const char *name;
    unsigned code_bits; /* 0: floats */
    int offset;
    unsigned group_elems;
    panel_scales scales;
    unsigned record_elems; /* 0: one scale to a record, of as many blocks as the form says */
    unsigned header_bytes, block_bytes;
} panel_layout;

static const panel_layout PANEL_LAYOUTS[PANEL_LAYOUT_COUNT] = {
#define CODES(symbol, name, bits, offset, group, scales, elems, header, block)                     \
    {name, bits, offset, group, PANEL_SCALES_##scales, elems, header, block},
#define FLOATS(symbol, name, bytes) {name, 0, 0, 0, PANEL_SCALES_F32, 1, 0, bytes * PANEL_ROWS},
#include "device/panel_layouts.def"
#undef CODES
#undef FLOATS
};

/* The form of a weight: that of its encoding, or one for all alike. False when there is none. */
bool panel_form_of(const tensor_matrix *w, panel_form *out);

static inline bool panel_scales_have_minimum(panel_scales s) {
    return s == PANEL_SCALES_F16_MINIMUM || s == PANEL_SCALES_SIX_BITS ||
           s >= PANEL_SCALES_F32_MINIMUM;
}

/* Bytes of one panel of k columns. */
uint64_t panel_bytes_of(panel_form f, uint64_t k);

/* Block `block` (32 columns) of one row of a panel: codes i8[32], scales and minimums for its two
 * halves of 16 columns. */
void panel_read_block(panel_form f, const void *panel, uint64_t block, unsigned row,
                      int8_t codes[32], float scales[2], float minimums[2]);

/* Inside of packing. A run of up to 256 columns of 16 rows, half `half` of a panel, is words
 * [block][row][8]: word j of a block holds columns [4j, 4j + 4), offset added. */

/* The words of one row, from its codes. */
void panel_take_codes(const panel_layout *layout, const int8_t *codes, unsigned elems, unsigned row,
                      uint32_t u[][16][8]);
/* Those of group `s` (32 columns) of a block of the file in each of `rows` rows. False, and nothing
 * written, for encodings that have no layout of their own. */
bool panel_take_words(tensor_encoding e, const uint8_t *block, size_t row_bytes, unsigned rows,
                      unsigned s, uint32_t u[][8]);
/* To the records from dst on. */
void panel_put_words(panel_form f, unsigned elems, unsigned half, uint32_t u[][16][8],
                     uint8_t *dst);
/* panel_codes_pack of codes with scales apart. */
void panel_nbits_pack(panel_form f, const tensor_matrix *w, uint64_t panel, void *dst);

/* All panels of W [n, k], of which each takes an equal share. */
uint64_t panel_packed_bytes(panel_form f, uint64_t n, uint64_t k);

/* Packs panel `panel` of W to dst, the panel's place. Panels are independent. */
void panel_codes_pack(panel_form f, const tensor_matrix *w, uint64_t panel, void *dst);
void panel_floats_pack(panel_form f, const tensor_matrix *w, uint64_t panel, void *dst);

/* dst f32[k] = row n_index of W, the bits of tensor_matrix_decode_row. */
void panel_codes_decode_row(panel_form f, const void *packed, uint64_t n, uint64_t k,
                            uint64_t n_index, float *dst);
void panel_floats_decode_row(panel_form f, const void *packed, uint64_t n, uint64_t k,
                             uint64_t n_index, float *dst);

/* Column c of row `row` of a panel of floats. */
float panel_read_float(panel_layout_kind kind, const void *panel, uint64_t c, unsigned row);

/* The functions that fit the layout. */
void panel_pack(panel_form f, const tensor_matrix *w, uint64_t panel, void *dst);
void panel_decode_row(panel_form f, const void *packed, uint64_t n, uint64_t k, uint64_t n_index,
                      float *dst);

#endif
