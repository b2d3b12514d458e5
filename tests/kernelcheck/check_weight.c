/* Weights. In: how they are stored. Out: random bytes of that kind, and rows of them in the open.
 */
#include "check_weight.h"

#include <math.h>
#include <string.h>

#include "tensor/number.h"

static const weight_kind STORED_APART[] = {
#define FLOATS_TRANSPOSED(symbol)                                                                  \
    {.name = #symbol "_T", .encoding = TENSOR_ENCODING_##symbol, .transposed = true},
#define HAS_NONE             false
#define HAS_CODES            true
#define HAS_F16              true
#define HAS_F32              true
#define TENSOR_ELEMENT_NONE  TENSOR_ELEMENT_UNDEFINED
#define TENSOR_ELEMENT_CODES TENSOR_ELEMENT_UNDEFINED
#define NBITS(name_, bits_, block, signed_, turned, scales_, zeros_, narrow_)                      \
    {.name = name_,                                                                                \
     .encoding = TENSOR_ENCODING_COUNT,                                                            \
     .transposed = turned,                                                                         \
     .bits = bits_,                                                                                \
     .block_elems = block,                                                                         \
     .is_signed = signed_,                                                                         \
     .scales = TENSOR_ELEMENT_##scales_,                                                           \
     .has_zeros = HAS_##zeros_,                                                                    \
     .zeros = TENSOR_ELEMENT_##zeros_,                                                             \
     .narrow = narrow_},
#include "check_weights.def"
#undef FLOATS_TRANSPOSED
#undef NBITS
};

enum { APART_COUNT = sizeof STORED_APART / sizeof *STORED_APART };

size_t weight_kind_count(void) {
    return TENSOR_ENCODING_COUNT + APART_COUNT;
}

weight_kind weight_kind_at(size_t i) {
    if (i >= TENSOR_ENCODING_COUNT) return STORED_APART[i - TENSOR_ENCODING_COUNT];
    const tensor_encoding e = (tensor_encoding)i;
    return (weight_kind){.name = tensor_encoding_info_of(e)->name, .encoding = e};
}

uint64_t weight_kind_columns(const weight_kind *k, bool many) {
    if (k->encoding == TENSOR_ENCODING_COUNT) return many ? 1280 : 144; /* 4.5 blocks of 32 */
    const tensor_encoding_info *info = tensor_encoding_info_of(k->encoding);
    if (info->encoding_class == TENSOR_CLASS_QUANTISED) return many ? 1280 : info->block_elems;
    return many ? 301 : 37;
}

/* ------------------------------------------------------------ blocks of encodings */

static bool block_is_moderate(tensor_encoding e, const uint8_t *block) {
    const tensor_encoding_info *info = tensor_encoding_info_of(e);
    float values[TENSOR_BLOCK_ELEMS_MAX], most = 0;
    tensor_decode(e, block, info->block_elems, values);
    for (uint32_t i = 0; i < info->block_elems; i++) {
        if (!isfinite(values[i])) return false;
        most = fmaxf(most, fabsf(values[i]));
    }
    return most > 0x1p-4f && most < 0x1p6f;
}

static void fill_block(check *c, tensor_encoding e, data_kind data, uint8_t *block) {
    const tensor_encoding_info *info = tensor_encoding_info_of(e);
    for (int tries = 0; tries < 4000; tries++) {
        for (uint32_t i = 0; i < info->block_bytes; i++)
            block[i] = (uint8_t)check_random(c);
        if (data == DATA_EXTREME || block_is_moderate(e, block)) break;
    }
    if (data != DATA_EXTREME) return;
    static const uint8_t FILLS[] = {0x00, 0x80, 0x7f, 0xff};
    const uint32_t fill = check_random_below(c, 8);
    if (fill < 4) memset(block + 2, FILLS[fill], info->block_bytes - 2u);
}

static void fill_element(check *c, tensor_encoding e, data_kind data, uint8_t *element) {
    const tensor_encoding_info *info = tensor_encoding_info_of(e);
    if (data == DATA_EXTREME) {
        for (uint32_t i = 0; i < info->block_bytes; i++)
            element[i] = (uint8_t)check_random(c);
    } else if (info->encoding_class == TENSOR_CLASS_FLOAT) {
        const float value = check_random_normal(c, 1);
        tensor_encode(e, &value, 1, NULL, element, NULL);
    } else {
        memset(element, 0, info->block_bytes);
        element[0] = (uint8_t)check_random_below(c, 100);
    }
}

static void make_blocks(check *c, const weight_kind *k, data_kind data, check_weight *w) {
    const tensor_encoding_info *info = tensor_encoding_info_of(k->encoding);
    const uint64_t rows = w->matrix.rows,
                   row_bytes = w->matrix.columns / info->block_elems * info->block_bytes;
    w->parts[0] = check_alloc(rows * row_bytes, 1);
    for (uint64_t r = 0; r < rows; r++) {
        for (uint64_t at = 0; at < row_bytes; at += info->block_bytes) {
            uint8_t *block = w->parts[0] + r * row_bytes + at;
            if (info->block_bytes > 8)
                fill_block(c, k->encoding, data, block);
            else
                fill_element(c, k->encoding, data, block);
        }
        if (data == DATA_EXTREME && r % 17 == 5) memset(w->parts[0] + r * row_bytes, 0, row_bytes);
    }
    w->matrix.encoding = k->encoding;
    w->matrix.data = w->parts[0];
    w->matrix.transposed = k->transposed;
    w->group = info->group_elems;
    w->has_minimum = info->has_minimum;
}

/* ------------------------------------------------------------ codes with scales apart */

static tensor_strides strides_of(const weight_kind *k, uint64_t rows, uint64_t columns,
                                 uint64_t size) {
    return k->transposed ? (tensor_strides){size, rows * size}
                         : (tensor_strides){columns * size, size};
}

static float random_scale(check *c, const weight_kind *k, data_kind data) {
    if (data == DATA_EXTREME && check_random_below(c, 8) == 0) {
        static const float SPECIAL[] = {0, -0.0f, 0x1p-24f, 65504, INFINITY, NAN, -1, 0x1p-14f};
        return SPECIAL[check_random_below(c, k->narrow || k->scales == TENSOR_ELEMENT_F16 ? 4 : 8)];
    }
    const float any = check_random_float(c, 0.01f, 0.3f);
    return k->narrow ? floorf(any * 128) / 128 + 0x1p-7f : any;
}

static float random_zero(check *c, const weight_kind *k) {
    const float any = check_random_float(c, 0, (float)(1u << k->bits));
    return k->narrow ? floorf(any * 2) / 2 : any;
}

static void make_floats(check *c, const weight_kind *k, data_kind data, tensor_element e,
                        bool zeros, uint64_t count, uint8_t *to) {
    for (uint64_t i = 0; i < count; i++)
        tensor_set_number(e, to, i, (double)(zeros ? random_zero(c, k) : random_scale(c, k, data)));
}

static uint64_t float_bytes(tensor_element e) {
    return e == TENSOR_ELEMENT_F32 ? 4 : 2;
}

static void make_nbits(check *c, const weight_kind *k, data_kind data, check_weight *w) {
    const uint64_t rows = w->matrix.rows, columns = w->matrix.columns;
    const uint64_t block = k->block_elems ? k->block_elems : columns;
    const uint64_t blocks = (columns + block - 1) / block;
    tensor_nbits *n = &w->nbits;
    *n = (tensor_nbits){.bits = k->bits, .is_signed = k->is_signed};
    n->rows = rows;
    n->columns = columns;
    n->block_elems = block;
    n->scale_element = k->scales;
    n->codes_bytes = (rows * columns * k->bits + 7) / 8;
    n->code_bits = strides_of(k, rows, columns, k->bits);
    n->scales_bytes = rows * blocks * float_bytes(k->scales);
    n->scale_elems = strides_of(k, rows, blocks, 1);
    n->zero_element = k->zeros;
    const bool codes = k->zeros == TENSOR_ELEMENT_UNDEFINED;
    n->zero_bits = strides_of(k, rows, blocks, codes ? k->bits : 1);
    n->zeros_bytes =
        codes ? (rows * blocks * k->bits + 7) / 8 : rows * blocks * float_bytes(k->zeros);
    n->default_zero = k->is_signed ? 0 : 1 << (k->bits - 1);
    w->parts[0] = check_alloc(n->codes_bytes, 1);
    w->parts[1] = check_alloc(n->scales_bytes, 1);
    w->parts[2] = check_alloc(n->zeros_bytes, 1);
    for (uint64_t i = 0; i < n->codes_bytes; i++)
        w->parts[0][i] = data == DATA_EXTREME && i / 64 % 3 == 0 ? 0xff : (uint8_t)check_random(c);
    make_floats(c, k, data, k->scales, false, rows * blocks, w->parts[1]);
    for (uint64_t i = 0; codes && i < n->zeros_bytes; i++)
        w->parts[2][i] = (uint8_t)check_random(c);
    if (!codes) make_floats(c, k, data, k->zeros, true, rows * blocks, w->parts[2]);
    n->codes = w->parts[0];
    n->scales = w->parts[1];
    n->zeros = k->has_zeros ? w->parts[2] : NULL;
    check_that(c, tensor_nbits_check(n, NULL) == ONDOL_OK, "parts do not fit");
    w->matrix.nbits = n;
    w->group = tensor_nbits_group(n);
    w->has_minimum = n->has_zeros;
}

void check_weight_make(check *c, const weight_kind *k, data_kind data, uint64_t rows,
                       uint64_t columns, check_weight *w) {
    *w = (check_weight){.matrix = {.rows = rows, .columns = columns}};
    if (k->encoding == TENSOR_ENCODING_COUNT)
        make_nbits(c, k, data, w);
    else
        make_blocks(c, k, data, w);
}

void check_weight_free(check_weight *w) {
    for (int i = 0; i < 3; i++)
        if (w->parts[i]) check_free(w->parts[i]);
}

void check_weight_unpack(const check_weight *w, uint64_t row, int8_t *codes, float *scales,
                         float *minimums) {
    const tensor_matrix *m = &w->matrix;
    if (!m->nbits) {
        const tensor_encoding_info *info = tensor_encoding_info_of(m->encoding);
        const uint64_t row_bytes = m->columns / info->block_elems * info->block_bytes;
        tensor_unpack(m->encoding, w->parts[0] + row * row_bytes, m->columns, codes, scales,
                      minimums);
        return;
    }
    tensor_nbits_unpack(m->nbits, row, 0, m->columns, codes, scales, minimums);
    for (uint64_t g = 0; g * w->group < m->columns; g++)
        minimums[g] = scales[g] * minimums[g];
}
