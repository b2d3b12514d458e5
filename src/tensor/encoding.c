/* Encodings: the table of encodings.def and what is looked up in it, the work on whole rows. */
#include "tensor/encoding.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "tensor/block_codecs.h"
#include "tensor/codebooks.h"

typedef struct encoding_row {
    tensor_encoding_info info;
    tensor_decode_elements *decode;
    tensor_unpack_block *unpack;
    tensor_encode_blocks *encode;
} encoding_row;

static const encoding_row ROWS[TENSOR_ENCODING_COUNT] = {
#define ENCODING(symbol, name_, type, n, bytes, class_, element_, group, scale, minimum, least,    \
                 most, bits, codebook_, size, decode_, unpack_, encode_)                           \
    [TENSOR_ENCODING_##symbol] = {.info = {.encoding = TENSOR_ENCODING_##symbol,                   \
                                           .name = name_,                                          \
                                           .ggml_type = type,                                      \
                                           .encoding_class = TENSOR_CLASS_##class_,                \
                                           .element = TENSOR_ELEMENT_##element_,                   \
                                           .block_elems = n,                                       \
                                           .block_bytes = bytes,                                   \
                                           .group_elems = group,                                   \
                                           .scale_elems = scale,                                   \
                                           .has_minimum = minimum,                                 \
                                           .code_min = least,                                      \
                                           .code_max = most,                                       \
                                           .code_bits = bits,                                      \
                                           .codebook = codebook_,                                  \
                                           .codebook_elems = size},                                \
                                  .decode = decode_,                                               \
                                  .unpack = unpack_,                                               \
                                  .encode = encode_},
#define REMOVED(name_, type, replacement)
#include "tensor/encodings.def"
#undef ENCODING
#undef REMOVED
};

typedef struct removed_row {
    const char *name;
    uint32_t ggml_type;
    const char *replacement;
} removed_row;

static const removed_row REMOVED_ROWS[] = {
#define ENCODING(...)
#define REMOVED(name_, type, replacement_) {name_, type, replacement_},
#include "tensor/encodings.def"
#undef ENCODING
#undef REMOVED
};
static const size_t REMOVED_COUNT = sizeof REMOVED_ROWS / sizeof REMOVED_ROWS[0];

static const encoding_row *row_of(tensor_encoding e) {
    return (unsigned)e < TENSOR_ENCODING_COUNT ? &ROWS[e] : NULL;
}

const tensor_encoding_info *tensor_encoding_info_of(tensor_encoding e) {
    const encoding_row *row = row_of(e);
    return row ? &row->info : NULL;
}

bool tensor_encoding_can_encode(tensor_encoding e) {
    const encoding_row *row = row_of(e);
    return row && row->encode;
}

ondol_status tensor_encoding_from_ggml(uint32_t ggml_type, tensor_encoding *out, ondol_error *err) {
    for (size_t i = 0; i < TENSOR_ENCODING_COUNT; i++) {
        if (ROWS[i].info.ggml_type == ggml_type) {
            *out = ROWS[i].info.encoding;
            return ONDOL_OK;
        }
    }
    for (size_t i = 0; i < REMOVED_COUNT; i++) {
        if (REMOVED_ROWS[i].ggml_type == ggml_type) {
            return base_fail(err, ONDOL_E_UNSUPPORTED,
                             "tensor type %s (%" PRIu32
                             ") was removed from the format; convert the "
                             "model again, to %s",
                             REMOVED_ROWS[i].name, ggml_type, REMOVED_ROWS[i].replacement);
        }
    }
    return base_fail(err, ONDOL_E_FORMAT,
                     "tensor type %" PRIu32 " is unknown (the newest known is %" PRIu32 ", %s)",
                     ggml_type, ROWS[TENSOR_ENCODING_COUNT - 1].info.ggml_type,
                     ROWS[TENSOR_ENCODING_COUNT - 1].info.name);
}

static char upper(char c) {
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool same_name(const char *a, const char *b) {
    while (*a && upper(*a) == upper(*b))
        a++, b++;
    return !*a && !*b;
}

ondol_status tensor_encoding_from_name(const char *name, tensor_encoding *out, ondol_error *err) {
    for (size_t i = 0; i < TENSOR_ENCODING_COUNT; i++) {
        if (same_name(name, ROWS[i].info.name)) {
            *out = ROWS[i].info.encoding;
            return ONDOL_OK;
        }
    }
    return base_fail(err, ONDOL_E_NOT_FOUND, "no encoding is named '%s'", name);
}

bool tensor_encoding_of_element(tensor_element element, tensor_encoding *out) {
    if (element == TENSOR_ELEMENT_UNDEFINED) return false;
    for (size_t i = 0; i < TENSOR_ENCODING_COUNT; i++) {
        if (ROWS[i].info.element == element) {
            *out = ROWS[i].info.encoding;
            return true;
        }
    }
    return false;
}

ondol_status tensor_encoding_row_bytes(tensor_encoding e, uint64_t n_elems, uint64_t *bytes,
                                       ondol_error *err) {
    const tensor_encoding_info *info = tensor_encoding_info_of(e);
    if (!info) return base_fail(err, ONDOL_E_ARGUMENT, "%d is no encoding", (int)e);
    if (n_elems % info->block_elems != 0) {
        return base_fail(err, ONDOL_E_FORMAT,
                         "%s comes in blocks of %" PRIu32 " elements, got %" PRIu64 " elements",
                         info->name, info->block_elems, n_elems);
    }
    if (!base_mul(n_elems / info->block_elems, info->block_bytes, bytes)) {
        return base_fail(err, ONDOL_E_LIMIT, "%" PRIu64 " elements of %s exceed 2^64 bytes",
                         n_elems, info->name);
    }
    return ONDOL_OK;
}

/* dst[0..n) = scale * codes - minimum, one rounding after each operation. */
static void decode_group(size_t n, const int8_t *codes, float scale, float *dst) {
    for (size_t i = 0; i < n; i++)
        dst[i] = scale * (float)codes[i];
}

static void decode_group_minimum(size_t n, const int8_t *codes, float scale, float minimum,
                                 float *dst) {
    for (size_t i = 0; i < n; i++)
        dst[i] = scale * (float)codes[i] - minimum;
}

static void decode_block(const encoding_row *row, const uint8_t *block, float *dst) {
    int8_t codes[TENSOR_BLOCK_ELEMS_MAX];
    float scales[TENSOR_BLOCK_GROUPS_MAX], minimums[TENSOR_BLOCK_GROUPS_MAX];
    const size_t n = row->info.group_elems, groups = row->info.block_elems / n;
    row->unpack(block, codes, scales, minimums);
    for (size_t g = 0; g < groups; g++) {
        if (row->info.has_minimum) {
            decode_group_minimum(n, codes + g * n, scales[g], minimums[g], dst + g * n);
        } else {
            decode_group(n, codes + g * n, scales[g], dst + g * n);
        }
    }
}

void tensor_decode(tensor_encoding e, const void *blocks, size_t n_elems, float *dst) {
    const encoding_row *row = row_of(e);
    if (!row) return;
    if (row->decode) {
        row->decode(blocks, n_elems, dst);
        return;
    }
    const uint8_t *src = blocks;
    const size_t n_blocks = n_elems / row->info.block_elems;
    for (size_t b = 0; b < n_blocks; b++) {
        decode_block(row, src + b * row->info.block_bytes, dst + b * row->info.block_elems);
    }
}

void tensor_unpack(tensor_encoding e, const void *blocks, size_t n_elems, int8_t *codes,
                   float *scales, float *minimums) {
    const encoding_row *row = row_of(e);
    if (!row || !row->unpack) return;
    const uint8_t *src = blocks;
    const size_t n = row->info.block_elems, groups = n / row->info.group_elems;
    const size_t n_blocks = n_elems / n;
    float unused[TENSOR_BLOCK_GROUPS_MAX];
    for (size_t b = 0; b < n_blocks; b++) {
        row->unpack(src + b * row->info.block_bytes, codes + b * n, scales + b * groups,
                    minimums ? minimums + b * groups : unused);
    }
    if (minimums && !row->info.has_minimum) {
        for (size_t g = 0; g < n_blocks * groups; g++)
            minimums[g] = 0;
    }
}

ondol_status tensor_encode(tensor_encoding e, const float *src, size_t n_elems,
                           const float *importance, void *blocks, ondol_error *err) {
    (void)importance; /* for encoders that search; those of encodings.def do not */
    const encoding_row *row = row_of(e);
    if (!row) return base_fail(err, ONDOL_E_ARGUMENT, "%d is no encoding", (int)e);
    const char *name = row->info.name;
    const size_t n = row->info.block_elems, n_blocks = n_elems / n;
    if (!row->encode) {
        return base_fail(err, ONDOL_E_UNSUPPORTED, "there is no encoder for %s", name);
    }
    if (n_elems % n != 0) {
        return base_fail(err, ONDOL_E_ARGUMENT,
                         "%s comes in blocks of %zu elements, got %zu elements", name, n, n_elems);
    }
    if (row->info.encoding_class == TENSOR_CLASS_QUANTISED) {
        for (size_t i = 0; i < n_elems; i++) {
            if (!isfinite(src[i])) {
                return base_fail(err, ONDOL_E_ARGUMENT,
                                 "%s holds finite numbers only; element %zu is %g", name, i,
                                 (double)src[i]);
            }
        }
    }
    const size_t done = row->encode(src, n_blocks, blocks);
    if (done < n_blocks) {
        return base_fail(err, ONDOL_E_LIMIT,
                         "elements %zu to %zu are too large for the scale of %s", done * n,
                         done * n + n - 1, name);
    }
    return ONDOL_OK;
}
