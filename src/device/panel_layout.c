/* Packed weights of codes. In: a file's blocks. Out: panels of 32 rows, and single rows of them. */
#include "device/panel_layout.h"

#include <string.h>

#include "tensor/half.h"

enum { ROWS = 32, BLOCK = 32 };

static panel_layout_kind layout_of(tensor_encoding e) {
    switch (e) {
    case TENSOR_ENCODING_Q4_0: return PANEL_LAYOUT_Q4_0;
    case TENSOR_ENCODING_Q4_1: return PANEL_LAYOUT_Q4_1;
    case TENSOR_ENCODING_Q5_0: return PANEL_LAYOUT_Q5_0;
    case TENSOR_ENCODING_Q5_1: return PANEL_LAYOUT_Q5_1;
    case TENSOR_ENCODING_Q8_0:
    case TENSOR_ENCODING_Q8_1: return PANEL_LAYOUT_Q8_0;
    case TENSOR_ENCODING_Q4_K: return PANEL_LAYOUT_Q4_K;
    case TENSOR_ENCODING_Q5_K: return PANEL_LAYOUT_Q5_K;
    case TENSOR_ENCODING_Q6_K: return PANEL_LAYOUT_Q6_K;
    case TENSOR_ENCODING_F16: return PANEL_LAYOUT_F16;
    case TENSOR_ENCODING_BF16: return PANEL_LAYOUT_BF16;
    default: break;
    }
    const tensor_encoding_info *info = tensor_encoding_info_of(e);
    if (info->encoding_class != TENSOR_CLASS_QUANTISED) return PANEL_LAYOUT_F32;
    if (info->group_elems == 32) return PANEL_LAYOUT_GROUP32;
    return info->has_minimum ? PANEL_LAYOUT_GROUP16M : PANEL_LAYOUT_GROUP16;
}

/* Codes with scales apart: few layouts for all bits, blocks and types of scales. */
static bool nbits_layout(const tensor_nbits *n, panel_layout_kind *out) {
    const bool narrow = n->bits <= 4, f16 = n->scales_fit_f16;
    if (tensor_nbits_group(n) == 16) {
        *out = n->has_zeros ? PANEL_LAYOUT_GROUP16M : PANEL_LAYOUT_GROUP16;
        return !n->has_zeros || n->bits < 8; /* GROUP16M's codes are 0 to 127 */
    }
    if (n->has_zeros && !n->zeros_fit_f16)
        *out = PANEL_LAYOUT_GROUP32M;
    else if (n->has_zeros)
        *out = f16      ? narrow ? PANEL_LAYOUT_N4Z : PANEL_LAYOUT_N8Z
               : narrow ? PANEL_LAYOUT_N4FZ
                        : PANEL_LAYOUT_N8FZ;
    else
        *out = f16      ? narrow ? PANEL_LAYOUT_N4 : PANEL_LAYOUT_N8
               : narrow ? PANEL_LAYOUT_N4F
                        : PANEL_LAYOUT_N8F;
    return true;
}

/* The most blocks of 32 columns, 1 to 8, that have one scale and divide the row. */
static unsigned shared_shift(const tensor_nbits *n) {
    const uint64_t blocks = (n->columns + BLOCK - 1) / BLOCK;
    unsigned shift = 0;
    while (shift < 3) {
        const uint64_t more = (uint64_t)2 << shift;
        const bool one_scale = n->block_elems % (more * BLOCK) == 0 || n->block_elems >= n->columns;
        if (!one_scale || blocks % more) break;
        shift++;
    }
    return shift;
}

bool panel_form_of(const tensor_matrix *w, panel_form *out) {
    panel_layout_kind kind = PANEL_LAYOUT_F32;
    *out = (panel_form){0};
    if (!w->nbits) {
        kind = layout_of(w->encoding);
        for (unsigned elems = PANEL_LAYOUTS[kind].record_elems; elems > BLOCK; elems /= 2)
            out->record_shift++;
    } else {
        if (!nbits_layout(w->nbits, &kind)) return false;
        if (!PANEL_LAYOUTS[kind].record_elems) out->record_shift = (uint8_t)shared_shift(w->nbits);
        /* What a GGUF file could hold as well has the layout made for it. */
        if (kind == PANEL_LAYOUT_N4 && !out->record_shift) kind = PANEL_LAYOUT_Q4_0;
        if (kind == PANEL_LAYOUT_N8 && !out->record_shift) kind = PANEL_LAYOUT_Q8_0;
        if (kind == PANEL_LAYOUT_N8F && !out->record_shift) kind = PANEL_LAYOUT_GROUP32;
    }
    out->layout = (uint8_t)kind;
    return true;
}

static uint64_t record_bytes(panel_form f) {
    const panel_layout *layout = PANEL_LAYOUTS + f.layout;
    return layout->header_bytes + ((uint64_t)layout->block_bytes << f.record_shift);
}

uint64_t panel_bytes_of(panel_form f, uint64_t k) {
    const panel_layout *layout = PANEL_LAYOUTS + f.layout;
    if (!layout->code_bits) return k * layout->block_bytes;
    return ((k + BLOCK - 1) / BLOCK >> f.record_shift) * record_bytes(f);
}

uint64_t panel_packed_bytes(panel_form f, uint64_t n, uint64_t k) {
    return (n + ROWS - 1) / ROWS * panel_bytes_of(f, k);
}

/* ------------------------------------------------------------ pack */

enum { HALF_ROWS = 16, WORDS = 8 }; /* words of a row in a block */

static uint32_t load_dword(const int8_t *p) {
    uint32_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

/* Lines of 16 lanes: dst[i][r] = u[r][i] for i < count. */
static void put_lines(uint8_t *dst, uint32_t u[HALF_ROWS][WORDS], unsigned count) {
    for (unsigned i = 0; i < count; i++, dst += 64) {
        uint32_t line[HALF_ROWS];
        for (unsigned r = 0; r < HALF_ROWS; r++)
            line[r] = u[r][i];
        memcpy(dst, line, sizeof line);
    }
}

static void put_narrow(const panel_layout *layout, uint8_t *block, unsigned half,
                       uint32_t u[HALF_ROWS][WORDS]) {
    const uint32_t ones = 0x01010101u, nibbles = 15 * ones;
    uint32_t low[HALF_ROWS][WORDS], high[HALF_ROWS][WORDS];
    for (unsigned r = 0; r < HALF_ROWS; r++) {
        for (unsigned j = 0; j < 4; j++)
            low[r][j] = (u[r][j] & nibbles) | (u[r][j + 4] & nibbles) << 4;
    }
    put_lines(block + half * 256, low, 4);
    if (layout->code_bits == 5) {
        for (unsigned r = 0; r < HALF_ROWS; r++) {
            high[r][0] = 0;
            for (unsigned j = 0; j < WORDS; j++)
                high[r][0] |= (u[r][j] >> 4 & ones) << j;
        }
        put_lines(block + 512 + 64 * half, high, 1);
    } else if (layout->code_bits == 6) {
        for (unsigned r = 0; r < HALF_ROWS; r++) {
            high[r][0] = high[r][1] = 0;
            for (unsigned j = 0; j < WORDS; j++)
                high[r][j / 4] |= (u[r][j] >> 4 & 3 * ones) << (2 * (j % 4));
        }
        put_lines(block + 512 + 128 * half, high, 2);
    }
}

void panel_put_words(panel_form f, unsigned elems, unsigned half, uint32_t u[][16][8],
                     uint8_t *dst) {
    const panel_layout *layout = PANEL_LAYOUTS + f.layout;
    for (unsigned b = 0; b < elems / BLOCK; b++) {
        uint8_t *block = dst + (b >> f.record_shift) * record_bytes(f) + layout->header_bytes;
        block += (b & ((1u << f.record_shift) - 1)) * (size_t)layout->block_bytes;
        if (layout->code_bits == 8)
            put_lines(block + half * 512, u[b], WORDS);
        else
            put_narrow(layout, block, half, u[b]);
    }
}

/* An offset is 0 or the code's sign bit, so that adding it is an exclusive or: no operation leaves
 * its byte. */
void panel_take_codes(const panel_layout *layout, const int8_t *codes, unsigned elems, unsigned row,
                      uint32_t u[][16][8]) {
    const uint32_t ones = 0x01010101u, offset = (uint32_t)layout->offset * ones;
    const uint32_t mask =
        layout->code_bits == 8 ? UINT32_MAX : ((1u << layout->code_bits) - 1) * ones;
    for (unsigned b = 0; b < elems / BLOCK; b++) {
        for (unsigned j = 0; j < WORDS; j++)
            u[b][row][j] = (load_dword(codes + b * BLOCK + 4 * j) ^ offset) & mask;
    }
}

/* The header's part of one row; src is its block in the file. */
static void put_scales(const panel_layout *layout, uint8_t *header, unsigned row,
                       const uint8_t *src, const float *scales, const float *minimums) {
    const unsigned groups = BLOCK / (layout->group_elems ? layout->group_elems : BLOCK);
    switch (layout->scales) {
    case PANEL_SCALES_F16: memcpy(header + 2 * row, src, 2); break;
    case PANEL_SCALES_F16_MINIMUM:
        memcpy(header + 2 * row, src, 2);
        memcpy(header + 64 + 2 * row, src + 2, 2);
        break;
    case PANEL_SCALES_SIX_BITS:
        memcpy(header + 2 * row, src, 2);
        memcpy(header + 64 + 2 * row, src + 2, 2);
        for (unsigned i = 0; i < 12; i++)
            header[128 + i * ROWS + row] = src[4 + i];
        break;
    case PANEL_SCALES_EIGHT_BITS:
        memcpy(header + 2 * row, src + 208, 2);
        for (unsigned i = 0; i < 16; i++)
            header[64 + i * ROWS + row] = src[192 + i];
        break;
    case PANEL_SCALES_F32_MINIMUM:
        for (unsigned g = 0; g < groups; g++)
            memcpy(header + (groups + g) * 4 * ROWS + 4 * row, minimums + g, 4);
        /* fall through */
    case PANEL_SCALES_F32:
        for (unsigned g = 0; g < groups; g++)
            memcpy(header + g * 4 * ROWS + 4 * row, scales + g, 4);
        break;
    case PANEL_SCALES_F16_ZERO:
    case PANEL_SCALES_F32_ZERO: break; /* of no encoding */
    }
}

/* A run of columns that is whole blocks of the file and whole records. */
enum { RUN_MAX = 256 };

typedef uint32_t run_words[RUN_MAX / BLOCK][HALF_ROWS][WORDS];

static void pack_codes(panel_form f, const tensor_encoding_info *info, const uint8_t *src,
                       unsigned elems, unsigned row, run_words u, uint8_t *dst) {
    const panel_layout *layout = PANEL_LAYOUTS + f.layout;
    int8_t codes[RUN_MAX];
    float scales[RUN_MAX / 16], minimums[RUN_MAX / 16];
    tensor_unpack(info->encoding, src, elems, codes, scales, minimums);
    panel_take_codes(layout, codes, elems, row % HALF_ROWS, u);
    for (unsigned c = 0; c < elems; c += layout->record_elems, dst += record_bytes(f)) {
        const unsigned group = c / info->group_elems;
        put_scales(layout, dst, row, src + c / info->block_elems * info->block_bytes,
                   scales + group, minimums + group);
    }
}

/* The same for encodings that have a layout of their own: a block of the file is a record. */
static bool pack_words(panel_form f, const tensor_encoding_info *info, const uint8_t *src,
                       size_t row_bytes, unsigned elems, unsigned half, unsigned rows, run_words u,
                       uint8_t *dst) {
    const panel_layout *layout = PANEL_LAYOUTS + f.layout;
    const unsigned blocks = info->block_elems / BLOCK;
    for (unsigned c = 0; c < elems; c += info->block_elems, src += info->block_bytes) {
        for (unsigned s = 0; s < blocks; s++) {
            if (!panel_take_words(info->encoding, src, row_bytes, rows, s, u[c / BLOCK + s]))
                return false;
        }
        for (unsigned r = 0; r < rows; r++)
            put_scales(layout, dst, half * HALF_ROWS + r, src + r * row_bytes, NULL, NULL);
        dst += record_bytes(f);
    }
    return true;
}

static void pack_run(panel_form f, const tensor_encoding_info *info, const uint8_t *src,
                     size_t row_bytes, unsigned elems, unsigned half, unsigned rows, uint8_t *dst) {
    run_words u;
    if (rows < HALF_ROWS) memset(u, 0, sizeof u);
    if (!pack_words(f, info, src, row_bytes, elems, half, rows, u, dst)) {
        for (unsigned r = 0; r < rows; r++)
            pack_codes(f, info, src + r * row_bytes, elems, half * HALF_ROWS + r, u, dst);
    }
    panel_put_words(f, elems, half, u, dst);
}

void panel_codes_pack(panel_form f, const tensor_matrix *w, uint64_t panel, void *dst) {
    if (w->nbits) {
        panel_nbits_pack(f, w, panel, dst);
        return;
    }
    const tensor_encoding_info *info = tensor_encoding_info_of(w->encoding);
    const uint64_t n = w->rows, k = w->columns;
    const size_t row_bytes = (size_t)(k / info->block_elems * info->block_bytes);
    const uint8_t *src = (const uint8_t *)w->data + panel * ROWS * row_bytes;
    const unsigned rows = n - panel * ROWS < ROWS ? (unsigned)(n - panel * ROWS) : ROWS;
    uint8_t *out = dst;
    if (rows < ROWS) memset(dst, 0, (size_t)panel_bytes_of(f, k));
    for (uint64_t c = 0; c < k; c += RUN_MAX) {
        const unsigned run = k - c < RUN_MAX ? (unsigned)(k - c) : RUN_MAX;
        for (unsigned half = 0; half * HALF_ROWS < rows; half++) {
            const unsigned first = half * HALF_ROWS, left = rows - first;
            pack_run(f, info, src + first * row_bytes, row_bytes, run, half,
                     left < HALF_ROWS ? left : HALF_ROWS, out);
        }
        src += run / info->block_elems * info->block_bytes;
        out += panel_bytes_of(f, run);
    }
}

/* ------------------------------------------------------------ read */

/* As in the file: little-endian. */
static float read_f16(const uint8_t *p) {
    return tensor_f16_to_f32((uint16_t)(p[0] | p[1] << 8));
}

static float read_f32(const uint8_t *p) {
    float value;
    memcpy(&value, p, 4);
    return value;
}

/* Group g of a record with Q4_K's scales: tensor/decode_k.c has the packing. */
static void read_six_bits(const uint8_t *header, unsigned row, unsigned g, float *scale,
                          float *minimum) {
    const uint8_t *q = header + 128 + row;
    unsigned s, m;
    if (g < 4) {
        s = q[g * ROWS] & 63u;
        m = q[(g + 4) * ROWS] & 63u;
    } else {
        const unsigned both = q[(g + 4) * ROWS];
        s = (both & 15u) | (q[(g - 4) * ROWS] >> 2 & 48u);
        m = both >> 4 | (q[g * ROWS] >> 2 & 48u);
    }
    *scale = read_f16(header + 2 * row) * (float)s;
    *minimum = read_f16(header + 64 + 2 * row) * (float)m;
}

static void read_scales(const panel_layout *layout, const uint8_t *header, unsigned row, unsigned s,
                        float scales[2], float minimums[2]) {
    minimums[0] = minimums[1] = 0;
    const unsigned second = layout->group_elems == 16 ? 4 * ROWS : 0, behind = second + 4 * ROWS;
    switch (layout->scales) {
    case PANEL_SCALES_F16: scales[0] = scales[1] = read_f16(header + 2 * row); break;
    case PANEL_SCALES_F16_MINIMUM:
        scales[0] = scales[1] = read_f16(header + 2 * row);
        minimums[0] = minimums[1] = -read_f16(header + 64 + 2 * row);
        break;
    case PANEL_SCALES_SIX_BITS:
        read_six_bits(header, row, s, scales, minimums);
        scales[1] = scales[0];
        minimums[1] = minimums[0];
        break;
    case PANEL_SCALES_EIGHT_BITS:
        for (unsigned g = 0; g < 2; g++) {
            const int8_t code = (int8_t)header[64 + (2 * s + g) * ROWS + row];
            scales[g] = read_f16(header + 2 * row) * (float)code;
        }
        break;
    case PANEL_SCALES_F32_MINIMUM:
        minimums[0] = read_f32(header + behind + 4 * row);
        minimums[1] = read_f32(header + behind + second + 4 * row);
        /* fall through */
    case PANEL_SCALES_F32:
        scales[0] = read_f32(header + 4 * row);
        scales[1] = read_f32(header + second + 4 * row);
        break;
    case PANEL_SCALES_F16_ZERO:
        scales[0] = scales[1] = read_f16(header + 2 * row);
        minimums[0] = minimums[1] = scales[0] * read_f16(header + 2 * ROWS + 2 * row);
        break;
    case PANEL_SCALES_F32_ZERO:
        scales[0] = scales[1] = read_f32(header + 4 * row);
        minimums[0] = minimums[1] = scales[0] * read_f16(header + 4 * ROWS + 2 * row);
        break;
    }
}

static void read_codes(const panel_layout *layout, const uint8_t *block, unsigned row,
                       int8_t codes[32]) {
    const unsigned h = row / 16, l = row % 16;
    for (unsigned c = 0; c < BLOCK; c++) {
        const unsigned j = c / 4, at = 4 * l + c % 4;
        unsigned u;
        if (layout->code_bits == 8) {
            u = block[(8 * h + j) * 64 + at];
        } else {
            u = block[(4 * h + j % 4) * 64 + at] >> (j / 4 * 4) & 15u;
        }
        if (layout->code_bits == 5) u |= (block[512 + 64 * h + at] >> j & 1u) << 4;
        if (layout->code_bits == 6) {
            u |= (block[512 + (2 * h + j / 4) * 64 + at] >> (2 * (j % 4)) & 3u) << 4;
        }
        codes[c] = (int8_t)((int)u - layout->offset);
    }
}

void panel_read_block(panel_form f, const void *panel, uint64_t block, unsigned row,
                      int8_t codes[32], float scales[2], float minimums[2]) {
    const panel_layout *layout = PANEL_LAYOUTS + f.layout;
    const unsigned s = (unsigned)(block & ((1u << f.record_shift) - 1));
    const uint8_t *record = (const uint8_t *)panel + (block >> f.record_shift) * record_bytes(f);
    read_scales(layout, record, row, s, scales, minimums);
    read_codes(layout, record + layout->header_bytes + s * (size_t)layout->block_bytes, row, codes);
}

void panel_codes_decode_row(panel_form f, const void *packed, uint64_t n, uint64_t k,
                            uint64_t n_index, float *dst) {
    (void)n;
    const bool has_minimum = panel_scales_have_minimum(PANEL_LAYOUTS[f.layout].scales);
    const uint8_t *panel = (const uint8_t *)packed + n_index / ROWS * panel_bytes_of(f, k);
    for (uint64_t b = 0; b * BLOCK < k; b++, dst += BLOCK) {
        int8_t codes[32];
        float scales[2], minimums[2];
        const unsigned count = k - b * BLOCK < BLOCK ? (unsigned)(k - b * BLOCK) : BLOCK;
        panel_read_block(f, panel, b, (unsigned)(n_index % ROWS), codes, scales, minimums);
        for (unsigned c = 0; c < count; c++) {
            const float product = scales[c / 16] * (float)codes[c];
            dst[c] = has_minimum ? product - minimums[c / 16] : product;
        }
    }
}

/* ------------------------------------------------------------ either */

void panel_pack(panel_form f, const tensor_matrix *w, uint64_t panel, void *dst) {
    if (PANEL_LAYOUTS[f.layout].code_bits)
        panel_codes_pack(f, w, panel, dst);
    else
        panel_floats_pack(f, w, panel, dst);
}

void panel_decode_row(panel_form f, const void *packed, uint64_t n, uint64_t k, uint64_t n_index,
                      float *dst) {
    if (PANEL_LAYOUTS[f.layout].code_bits)
        panel_codes_decode_row(f, packed, n, k, n_index, dst);
    else
        panel_floats_decode_row(f, packed, n, k, n_index, dst);
}
