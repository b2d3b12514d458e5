/* Byte order: blocks of a big-endian file <-> little-endian blocks, in place.
 * A field is as wide as the number that ggml's encoder stores there; all else is single bytes. */
#include "tensor/encoding.h"

typedef struct field {
    tensor_encoding encoding;
    uint16_t width_bytes, offset, count;
} field;

static const field FIELDS[] = {
    {TENSOR_ENCODING_F32, 4, 0, 1},     {TENSOR_ENCODING_F16, 2, 0, 1},
    {TENSOR_ENCODING_BF16, 2, 0, 1},    {TENSOR_ENCODING_F64, 8, 0, 1},
    {TENSOR_ENCODING_I16, 2, 0, 1},     {TENSOR_ENCODING_I32, 4, 0, 1},
    {TENSOR_ENCODING_I64, 8, 0, 1},     {TENSOR_ENCODING_Q1_0, 2, 0, 1},
    {TENSOR_ENCODING_Q2_0, 2, 0, 1},    {TENSOR_ENCODING_Q4_0, 2, 0, 1},
    {TENSOR_ENCODING_Q4_1, 2, 0, 2},    {TENSOR_ENCODING_Q5_0, 2, 0, 1},
    {TENSOR_ENCODING_Q5_0, 4, 2, 1},                                     /* fifth bits */
    {TENSOR_ENCODING_Q5_1, 2, 0, 2},    {TENSOR_ENCODING_Q5_1, 4, 4, 1}, /* fifth bits */
    {TENSOR_ENCODING_Q8_0, 2, 0, 1},    {TENSOR_ENCODING_Q8_1, 2, 0, 2},
    {TENSOR_ENCODING_Q2_K, 2, 80, 2},   {TENSOR_ENCODING_Q3_K, 2, 108, 1},
    {TENSOR_ENCODING_Q4_K, 2, 0, 2},    {TENSOR_ENCODING_Q5_K, 2, 0, 2},
    {TENSOR_ENCODING_Q6_K, 2, 208, 1},  {TENSOR_ENCODING_Q8_K, 4, 0, 1},
    {TENSOR_ENCODING_Q8_K, 2, 260, 16}, {TENSOR_ENCODING_TQ1_0, 2, 52, 1},
    {TENSOR_ENCODING_TQ2_0, 2, 64, 1},  {TENSOR_ENCODING_IQ1_S, 2, 0, 1},
    {TENSOR_ENCODING_IQ1_S, 2, 34, 8},  {TENSOR_ENCODING_IQ1_M, 2, 48, 4},
    {TENSOR_ENCODING_IQ2_XXS, 2, 0, 1}, {TENSOR_ENCODING_IQ2_XXS, 4, 2, 16},
    {TENSOR_ENCODING_IQ2_XS, 2, 0, 33}, {TENSOR_ENCODING_IQ2_S, 2, 0, 1},
    {TENSOR_ENCODING_IQ3_XXS, 2, 0, 1}, {TENSOR_ENCODING_IQ3_XXS, 4, 66, 8},
    {TENSOR_ENCODING_IQ3_S, 2, 0, 1},   {TENSOR_ENCODING_IQ4_NL, 2, 0, 1},
    {TENSOR_ENCODING_IQ4_XS, 2, 0, 2},
};

static void reverse(uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n / 2; i++) {
        const uint8_t kept = bytes[i];
        bytes[i] = bytes[n - 1 - i];
        bytes[n - 1 - i] = kept;
    }
}

static void swap_field(const field *f, uint8_t *block) {
    for (size_t i = 0; i < f->count; i++) {
        reverse(block + f->offset + i * f->width_bytes, f->width_bytes);
    }
}

void tensor_encoding_byteswap(tensor_encoding e, void *blocks, size_t n_elems) {
    const tensor_encoding_info *info = tensor_encoding_info_of(e);
    if (!info) return;
    const size_t n_blocks = n_elems / info->block_elems;
    for (size_t f = 0; f < sizeof FIELDS / sizeof FIELDS[0]; f++) {
        if (FIELDS[f].encoding != e) continue;
        for (size_t b = 0; b < n_blocks; b++) {
            swap_field(&FIELDS[f], (uint8_t *)blocks + b * info->block_bytes);
        }
    }
}
