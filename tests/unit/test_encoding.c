/* Element types, encodings: every decoder and encoder against the vectors of tests/data, the group
 * view against the decoder, the 16-bit floats against arithmetic, the look-ups and their faults. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/reader.h"
#include "tensor/codebooks.h"
#include "tensor/encoding.h"
#include "tensor/half.h"
#include "unit.h"

typedef struct record {
    tensor_encoding encoding;
    const tensor_encoding_info *info;
    bool encode; /* blocks are what values must encode to */
    size_t n_elems, n_blocks;
    const uint8_t *blocks;
    float *values; /* [n_elems] */
} record;

typedef struct vectors {
    base_file file;
    ondol_allocator allocator;
    record records[96];
    size_t count;
} vectors;

static uint32_t bits_of(float value) {
    return tensor_f32_bits(value);
}

static bool same(float a, float b) {
    return bits_of(a) == bits_of(b) || (isnan(a) && isnan(b));
}

/* Appends the records of one file. with_direction: as tools/make_encode_vectors.py writes. */
static void read_vectors(vectors *v, const char *name, const char *magic, bool with_direction) {
    ondol_error err = {0};
    char path[512];
    snprintf(path, sizeof path, "%s/%s", ONDOL_TEST_DATA, name);
    v->allocator = base_default_allocator();
    ASSERT_OK(base_file_open(&v->allocator, path, true, &v->file, &err));
    base_reader r;
    base_reader_init(&r, v->file.data, v->file.size);
    const unsigned char *start = base_read_view(&r, 8);
    assert_non_null(start);
    assert_memory_equal(start, magic, 8);
    while (base_reader_left(&r) > 0) {
        assert_true(v->count < sizeof v->records / sizeof v->records[0]);
        record *rec = &v->records[v->count++];
        ASSERT_OK(tensor_encoding_from_ggml(base_read_u32(&r), &rec->encoding, &err));
        rec->info = tensor_encoding_info_of(rec->encoding);
        rec->encode = with_direction && base_read_u32(&r) == 1;
        rec->n_blocks = base_read_u32(&r);
        const uint32_t elems = base_read_u32(&r), bytes = base_read_u32(&r);
        if (elems != rec->info->block_elems || bytes != rec->info->block_bytes) {
            fail_msg("%s: block of %u elements, %u bytes", rec->info->name, elems, bytes);
        }
        rec->n_elems = rec->n_blocks * elems;
        rec->blocks = base_read_view(&r, rec->n_blocks * bytes);
        const unsigned char *values = base_read_view(&r, rec->n_elems * 4);
        assert_false(r.failed);
        rec->values = base_alloc(&v->allocator, rec->n_elems, sizeof(float));
        assert_non_null(rec->values);
        tensor_decode(TENSOR_ENCODING_F32, values, rec->n_elems, rec->values);
    }
}

static void free_vectors(vectors *v) {
    for (size_t i = 0; i < v->count; i++)
        base_free(&v->allocator, v->records[i].values);
    base_file_close(&v->file);
}

static void check_values(const record *rec, const float *got, const char *what) {
    for (size_t i = 0; i < rec->n_elems; i++) {
        if (!same(got[i], rec->values[i])) {
            fail_msg("%s: %s: block %zu element %zu: %a (%08x), expected %a (%08x)",
                     rec->info->name, what, i / rec->info->block_elems, i % rec->info->block_elems,
                     (double)got[i], bits_of(got[i]), (double)rec->values[i],
                     bits_of(rec->values[i]));
        }
    }
}

/* Decodes with guards around, from an odd address. */
static void check_decode(const record *rec, const ondol_allocator *a) {
    const size_t bytes = rec->n_blocks * rec->info->block_bytes;
    uint8_t *blocks = base_alloc(a, bytes + 1, 1);
    float *got = base_alloc(a, rec->n_elems + 2, sizeof *got);
    assert_non_null(blocks);
    assert_non_null(got);
    memcpy(blocks + 1, rec->blocks, bytes);
    got[0] = got[rec->n_elems + 1] = 1234.5f;
    tensor_decode(rec->encoding, blocks + 1, rec->n_elems, got + 1);
    assert_true(got[0] == 1234.5f && got[rec->n_elems + 1] == 1234.5f);
    check_values(rec, got + 1, "decode");
    base_free(a, got);
    base_free(a, blocks);
}

static bool in_codebook(const tensor_encoding_info *info, int code) {
    if (!info->codebook) return true;
    for (unsigned i = 0; i < info->codebook_elems; i++) {
        if (info->codebook[i] == code) return true;
    }
    return false;
}

/* The group view says what the info says and gives the decoder's bits. */
static void check_view(const record *rec, const ondol_allocator *a) {
    const tensor_encoding_info *info = rec->info;
    const size_t groups = rec->n_elems / info->group_elems;
    int8_t *codes = base_alloc(a, rec->n_elems, 1);
    float *scales = base_alloc(a, groups, sizeof *scales);
    float *minimums = base_alloc(a, groups, sizeof *minimums);
    float *got = base_alloc(a, rec->n_elems, sizeof *got);
    assert_true(codes && scales && minimums && got);
    tensor_unpack(rec->encoding, rec->blocks, rec->n_elems, codes, scales, minimums);
    const size_t n = info->group_elems, shared = info->scale_elems / n;
    for (size_t g = 0; g < groups; g++) {
        if (!same(scales[g], scales[g / shared * shared])) fail_msg("%s: scales", info->name);
        if (!info->has_minimum) assert_int_equal(bits_of(minimums[g]), 0);
        for (size_t i = g * n; i < (g + 1) * n; i++) {
            if (codes[i] < info->code_min || codes[i] > info->code_max ||
                !in_codebook(info, codes[i])) {
                fail_msg("%s: code %d", info->name, codes[i]);
            }
            got[i] = scales[g] * (float)codes[i];
            if (info->has_minimum) got[i] = got[i] - minimums[g];
        }
    }
    check_values(rec, got, "group view");
    tensor_unpack(rec->encoding, rec->blocks, rec->n_elems, codes, scales, NULL);
    base_free(a, got);
    base_free(a, minimums);
    base_free(a, scales);
    base_free(a, codes);
}

static void check_encode(const record *rec, const ondol_allocator *a) {
    ondol_error err = {0};
    const size_t size = rec->info->block_bytes;
    uint8_t *got = base_alloc(a, rec->n_blocks * size + 1, 1);
    assert_non_null(got);
    got[rec->n_blocks * size] = 0x5a;
    ASSERT_OK(tensor_encode(rec->encoding, rec->values, rec->n_elems, NULL, got, &err));
    assert_int_equal(got[rec->n_blocks * size], 0x5a);
    for (size_t i = 0; i < rec->n_blocks * size; i++) {
        if (got[i] != rec->blocks[i]) {
            fail_msg("%s: encode: block %zu byte %zu: %02x, expected %02x", rec->info->name,
                     i / size, i % size, got[i], rec->blocks[i]);
        }
    }
    base_free(a, got);
}

/* Swapping twice changes nothing; once, something, where a block is more than single bytes. */
static void check_byteswap(const record *rec, const ondol_allocator *a) {
    const size_t bytes = rec->n_blocks * rec->info->block_bytes;
    uint8_t *blocks = base_alloc(a, bytes, 1);
    assert_non_null(blocks);
    memcpy(blocks, rec->blocks, bytes);
    tensor_encoding_byteswap(rec->encoding, blocks, rec->n_elems);
    const bool bytewise = rec->encoding == TENSOR_ENCODING_I8 ||
                          rec->encoding == TENSOR_ENCODING_MXFP4 ||
                          rec->encoding == TENSOR_ENCODING_NVFP4;
    if ((memcmp(blocks, rec->blocks, bytes) == 0) != bytewise) fail_msg("%s", rec->info->name);
    tensor_encoding_byteswap(rec->encoding, blocks, rec->n_elems);
    assert_memory_equal(blocks, rec->blocks, bytes);
    base_free(a, blocks);
}

static void test_vectors(void **state) {
    (void)state;
    bool decoded[TENSOR_ENCODING_COUNT] = {false}, encoded[TENSOR_ENCODING_COUNT] = {false};
    vectors decode_vectors = {0}, encode_vectors = {0};
    read_vectors(&decode_vectors, "encodings.bin", "ONDOLVEC", false);
    read_vectors(&encode_vectors, "encode.bin", "ONDOLENC", true);
    vectors *all[2] = {&decode_vectors, &encode_vectors};
    for (size_t f = 0; f < 2; f++) {
        for (size_t i = 0; i < all[f]->count; i++) {
            const record *rec = &all[f]->records[i];
            if (rec->encode) {
                check_encode(rec, &all[f]->allocator);
                encoded[rec->encoding] = true;
                continue;
            }
            check_decode(rec, &all[f]->allocator);
            check_byteswap(rec, &all[f]->allocator);
            if (rec->info->encoding_class == TENSOR_CLASS_QUANTISED) {
                check_view(rec, &all[f]->allocator);
            }
            decoded[rec->encoding] = true;
        }
    }
    encoded[TENSOR_ENCODING_F32] = encoded[TENSOR_ENCODING_F64] = true; /* test_plain_encoders */
    for (int e = 0; e < TENSOR_ENCODING_COUNT; e++) {
        const tensor_encoding_info *info = tensor_encoding_info_of((tensor_encoding)e);
        if (!decoded[e]) fail_msg("%s has no decode vectors", info->name);
        if (encoded[e] != tensor_encoding_can_encode(info->encoding))
            fail_msg("%s: encode vectors", info->name);
    }
    free_vectors(&encode_vectors);
    free_vectors(&decode_vectors);
}

static void test_plain_encoders(void **state) {
    (void)state;
    ondol_error err = {0};
    const float src[5] = {0.0f, -1.5f, INFINITY, 0x1p-149f, 3.0e38f};
    uint8_t bytes[40];
    float back[5];
    ASSERT_OK(tensor_encode(TENSOR_ENCODING_F32, src, 5, NULL, bytes, &err));
    tensor_decode(TENSOR_ENCODING_F32, bytes, 5, back);
    assert_memory_equal(src, back, sizeof src);
    ASSERT_OK(tensor_encode(TENSOR_ENCODING_F64, src, 5, NULL, bytes, &err));
    tensor_decode(TENSOR_ENCODING_F64, bytes, 5, back);
    assert_memory_equal(src, back, sizeof src);
    const uint8_t minus_one_and_half[8] = {0, 0, 0, 0, 0, 0, 0xf8, 0xbf};
    assert_memory_equal(bytes + 8, minus_one_and_half, 8);
}

/* Each finite f16 is (-1)^s * m * 2^e, computed here with ldexp; each must come back, and halfway
 * to its neighbour must go to the even one. */
static void test_f16_exhaustive(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        const uint16_t half = (uint16_t)h;
        const int exponent = (int)(h >> 10 & 31), mantissa = (int)(h & 1023);
        const float got = tensor_f16_to_f32(half);
        if (exponent == 31 && mantissa != 0) {
            assert_true(isnan(got));
            assert_int_equal(tensor_f32_to_f16(got), half | 0x200);
            assert_int_equal(bits_of(got) & 0x00400000, 0x00400000);
            continue;
        }
        float want = exponent == 31  ? INFINITY
                     : exponent == 0 ? ldexpf((float)mantissa, -24)
                                     : ldexpf((float)(mantissa + 1024), exponent - 25);
        if (h & 0x8000) want = -want;
        assert_int_equal(bits_of(got), bits_of(want));
        assert_int_equal(tensor_f32_to_f16(got), half);
        if (exponent == 31) continue;
        const float unit = exponent == 0 ? 0x1p-24f : ldexpf(1, exponent - 25);
        const float middle = want + (h & 0x8000 ? -unit : unit) / 2;
        const uint16_t even = (uint16_t)(h & 1 ? h + 1 : h);
        assert_int_equal(tensor_f32_to_f16(middle), even);
        assert_int_equal(tensor_f32_to_f16(tensor_f32_from_bits(bits_of(middle) + 1)), h + 1);
        assert_int_equal(tensor_f32_to_f16(tensor_f32_from_bits(bits_of(middle) - 1)), h);
    }
    assert_int_equal(tensor_f32_to_f16(tensor_f32_from_bits(0x7f800001)), 0x7e00);
    assert_int_equal(tensor_f32_to_f16(3.0e38f), 0x7c00);
    assert_int_equal(tensor_f32_to_f16(-1e-30f), 0x8000);
}

static void test_bf16_exhaustive(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        const uint16_t half = (uint16_t)h;
        const float value = tensor_bf16_to_f32(half);
        assert_int_equal(bits_of(value), h << 16);
        if (isnan(value)) {
            assert_int_equal(tensor_f32_to_bf16(value), half | 0x40);
            continue;
        }
        assert_int_equal(tensor_f32_to_bf16(value), half);
        if (isinf(value)) continue;
        const uint32_t middle = (h << 16) + 0x8000;
        assert_int_equal(tensor_f32_to_bf16(tensor_f32_from_bits(middle)), h & 1 ? h + 1 : h);
        assert_int_equal(tensor_f32_to_bf16(tensor_f32_from_bits(middle + 1)), h + 1);
        assert_int_equal(tensor_f32_to_bf16(tensor_f32_from_bits(middle - 1)), h);
    }
    assert_int_equal(tensor_f32_to_bf16(tensor_f32_from_bits(0x7f800001)), 0x7fc0);
    assert_int_equal(tensor_f32_to_bf16(tensor_f32_from_bits(0xffffffff)), 0xffff);
}

/* What the table says must hold together. */
static void test_table(void **state) {
    (void)state;
    for (int e = 0; e < TENSOR_ENCODING_COUNT; e++) {
        const tensor_encoding_info *info = tensor_encoding_info_of((tensor_encoding)e);
        assert_non_null(info);
        assert_int_equal(info->encoding, e);
        assert_true(info->block_bytes <= TENSOR_BLOCK_BYTES_MAX);
        if (info->encoding_class != TENSOR_CLASS_QUANTISED) {
            assert_int_equal(tensor_element_bits(info->element), info->block_bytes * 8);
            assert_int_equal(info->block_elems, 1);
            tensor_encoding found = TENSOR_ENCODING_COUNT;
            assert_true(tensor_encoding_of_element(info->element, &found));
            assert_int_equal(found, e);
            continue;
        }
        assert_int_equal(info->element, TENSOR_ELEMENT_UNDEFINED);
        assert_true(info->group_elems == 16 || info->group_elems == 32);
        assert_int_equal(info->scale_elems % info->group_elems, 0);
        assert_int_equal(info->block_elems % info->scale_elems, 0);
        assert_true(info->block_elems <= TENSOR_BLOCK_ELEMS_MAX);
        assert_true(info->block_elems / info->group_elems <= TENSOR_BLOCK_GROUPS_MAX);
        assert_true(!info->has_minimum || info->code_min == 0);
        const int values =
            info->codebook ? (int)info->codebook_elems : info->code_max - info->code_min + 1;
        assert_true(values <= 1 << info->code_bits && values > 1 << (info->code_bits - 1));
        for (unsigned i = 0; i < info->codebook_elems; i++) {
            assert_in_range(info->codebook[i] - info->code_min, 0, info->code_max - info->code_min);
        }
    }
    assert_null(tensor_encoding_info_of(TENSOR_ENCODING_COUNT));
    assert_null(tensor_encoding_info_of((tensor_encoding)-1));
    tensor_encoding found = TENSOR_ENCODING_F32;
    assert_false(tensor_encoding_of_element(TENSOR_ELEMENT_UNDEFINED, &found));
    assert_false(tensor_encoding_of_element(TENSOR_ELEMENT_STRING, &found));
}

/* Every number up to 42 is an encoding or was one. */
static void test_ggml_types(void **state) {
    (void)state;
    ondol_error err = {0};
    const uint32_t removed[] = {4, 5, 31, 32, 33, 36, 37, 38};
    size_t next = 0;
    for (uint32_t type = 0; type <= 42; type++) {
        tensor_encoding e = TENSOR_ENCODING_COUNT;
        if (next < 8 && removed[next] == type) {
            next++;
            ASSERT_STATUS(tensor_encoding_from_ggml(type, &e, &err), ONDOL_E_UNSUPPORTED);
            ASSERT_CONTAINS(err.text, type == 5 ? "Q4_1" : type > 34 ? "IQ4_NL" : "Q4_0");
            assert_int_equal(e, TENSOR_ENCODING_COUNT);
            continue;
        }
        ASSERT_OK(tensor_encoding_from_ggml(type, &e, &err));
        assert_int_equal(tensor_encoding_info_of(e)->ggml_type, type);
        tensor_encoding by_name = TENSOR_ENCODING_COUNT;
        ASSERT_OK(tensor_encoding_from_name(tensor_encoding_info_of(e)->name, &by_name, &err));
        assert_int_equal(by_name, e);
    }
    tensor_encoding e = TENSOR_ENCODING_COUNT;
    ASSERT_STATUS(tensor_encoding_from_ggml(43, &e, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "43");
    ASSERT_STATUS(tensor_encoding_from_ggml(UINT32_MAX, &e, NULL), ONDOL_E_FORMAT);
    ASSERT_OK(tensor_encoding_from_name("q4_k", &e, &err));
    assert_int_equal(e, TENSOR_ENCODING_Q4_K);
    ASSERT_STATUS(tensor_encoding_from_name("q4_", &e, &err), ONDOL_E_NOT_FOUND);
    ASSERT_STATUS(tensor_encoding_from_name("Q4_KX", &e, &err), ONDOL_E_NOT_FOUND);
}

static void test_row_bytes(void **state) {
    (void)state;
    ondol_error err = {0};
    uint64_t bytes = 7;
    ASSERT_OK(tensor_encoding_row_bytes(TENSOR_ENCODING_Q4_K, 512, &bytes, &err));
    assert_int_equal(bytes, 288);
    ASSERT_OK(tensor_encoding_row_bytes(TENSOR_ENCODING_Q4_K, 0, &bytes, &err));
    assert_int_equal(bytes, 0);
    bytes = 7;
    ASSERT_STATUS(tensor_encoding_row_bytes(TENSOR_ENCODING_Q4_K, 300, &bytes, &err),
                  ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "Q4_K comes in blocks of 256 elements, got 300");
    ASSERT_STATUS(tensor_encoding_row_bytes(TENSOR_ENCODING_F64, UINT64_MAX / 8 + 1, &bytes, &err),
                  ONDOL_E_LIMIT);
    ASSERT_STATUS(tensor_encoding_row_bytes(TENSOR_ENCODING_Q8_K, UINT64_MAX - 255, &bytes, &err),
                  ONDOL_E_LIMIT);
    ASSERT_STATUS(tensor_encoding_row_bytes(TENSOR_ENCODING_COUNT, 1, &bytes, &err),
                  ONDOL_E_ARGUMENT);
    assert_int_equal(bytes, 7);
    ASSERT_OK(tensor_encoding_row_bytes(TENSOR_ENCODING_F64, UINT64_MAX / 8, &bytes, &err));
    assert_true(bytes == UINT64_MAX - 7);
}

static void test_encode_faults(void **state) {
    (void)state;
    ondol_error err = {0};
    float src[256];
    uint8_t blocks[TENSOR_BLOCK_BYTES_MAX * 8];
    for (int i = 0; i < 256; i++)
        src[i] = 1;
    ASSERT_STATUS(tensor_encode(TENSOR_ENCODING_Q4_0, src, 31, NULL, blocks, &err),
                  ONDOL_E_ARGUMENT);
    ASSERT_STATUS(tensor_encode(TENSOR_ENCODING_IQ1_S, src, 256, NULL, blocks, &err),
                  ONDOL_E_UNSUPPORTED);
    ASSERT_CONTAINS(err.text, "IQ1_S");
    ASSERT_STATUS(tensor_encode(TENSOR_ENCODING_COUNT, src, 256, NULL, blocks, &err),
                  ONDOL_E_ARGUMENT);
    src[200] = NAN;
    ASSERT_STATUS(tensor_encode(TENSOR_ENCODING_Q8_0, src, 256, NULL, blocks, &err),
                  ONDOL_E_ARGUMENT);
    ASSERT_CONTAINS(err.text, "element 200");
    for (int e = 0; e < TENSOR_ENCODING_COUNT; e++) { /* a scale that is too large */
        const tensor_encoding_info *info = tensor_encoding_info_of((tensor_encoding)e);
        if (!tensor_encoding_can_encode(info->encoding) ||
            info->encoding_class != TENSOR_CLASS_QUANTISED)
            continue;
        src[200] = 3e38f;
        if (e == TENSOR_ENCODING_MXFP4) {
            ASSERT_OK(tensor_encode(info->encoding, src, 256, NULL, blocks, &err));
            continue;
        }
        ASSERT_STATUS(tensor_encode(info->encoding, src, 256, NULL, blocks, &err), ONDOL_E_LIMIT);
        ASSERT_CONTAINS(err.text, info->name);
        src[200] = 0x1p-140f; /* and one whose inverse is infinite */
        ASSERT_OK(tensor_encode(info->encoding, src, 256, NULL, blocks, &err));
        float tiny[256], back[256];
        for (int i = 0; i < 256; i++)
            tiny[i] = i % 3 ? 0x1p-140f : -0x1p-141f;
        ASSERT_OK(tensor_encode(info->encoding, tiny, 256, NULL, blocks, &err));
        tensor_decode(info->encoding, blocks, 256, back);
        for (int i = 0; i < 256; i++)
            assert_true(back[i] == 0);
    }
}

/* Random bytes decode without a fault (for the sanitizers), and the view has the same bits. */
static void test_any_bytes(void **state) {
    (void)state;
    uint32_t seed = 1;
    uint8_t blocks[4 * TENSOR_BLOCK_BYTES_MAX];
    float values[4 * TENSOR_BLOCK_ELEMS_MAX];
    const ondol_allocator allocator = base_default_allocator();
    for (int e = 0; e < TENSOR_ENCODING_COUNT; e++) {
        const tensor_encoding_info *info = tensor_encoding_info_of((tensor_encoding)e);
        for (int round = 0; round < 20; round++) {
            for (size_t i = 0; i < sizeof blocks; i++) {
                seed = seed * 1664525u + 1013904223u;
                blocks[i] = (uint8_t)(seed >> 24);
            }
            tensor_decode(info->encoding, blocks, 4 * (size_t)info->block_elems, values);
            const record rec = {info->encoding, info,  false, 4 * (size_t)info->block_elems, 4,
                                blocks,         values};
            if (info->encoding_class == TENSOR_CLASS_QUANTISED) check_view(&rec, &allocator);
        }
    }
}

static void test_byteswap_fields(void **state) {
    (void)state;
    uint8_t block[TENSOR_BLOCK_BYTES_MAX];
    for (int i = 0; i < TENSOR_BLOCK_BYTES_MAX; i++)
        block[i] = (uint8_t)i;
    tensor_encoding_byteswap(TENSOR_ENCODING_Q5_1, block, 32);
    const uint8_t q5_1[10] = {1, 0, 3, 2, 7, 6, 5, 4, 8, 9};
    assert_memory_equal(block, q5_1, sizeof q5_1);
    for (int i = 0; i < TENSOR_BLOCK_BYTES_MAX; i++)
        block[i] = (uint8_t)i;
    tensor_encoding_byteswap(TENSOR_ENCODING_Q8_K, block, 256);
    const uint8_t start[6] = {3, 2, 1, 0, 4, 5};
    const uint8_t end[4] = {33, 32, 35, 34}; /* bytes 288 to 291, modulo 256 */
    assert_memory_equal(block, start, sizeof start);
    assert_memory_equal(block + 288, end, sizeof end);
}

/* The vectors of tests/data do not name each entry of the grids: their FNV-1a, from the bytes of
 * gguf's grid_hex. */
static void test_grids(void **state) {
    (void)state;
    const struct {
        const uint16_t *grid;
        size_t bytes;
        uint64_t want;
    } grids[] = {
        {tensor_grid_iq1, sizeof tensor_grid_iq1, UINT64_C(0x03f1880817eeffa4)},
        {tensor_grid_iq2_xxs, sizeof tensor_grid_iq2_xxs, UINT64_C(0x6fca17f5c451905d)},
        {tensor_grid_iq2_xs, sizeof tensor_grid_iq2_xs, UINT64_C(0x29d6ac8e0e6b14e3)},
        {tensor_grid_iq2_s, sizeof tensor_grid_iq2_s, UINT64_C(0x641f9aa3fbd98694)},
        {tensor_grid_iq3_xxs, sizeof tensor_grid_iq3_xxs, UINT64_C(0xa3a695908a710942)},
        {tensor_grid_iq3_s, sizeof tensor_grid_iq3_s, UINT64_C(0xde38cc0714d23202)},
    };
    for (size_t g = 0; g < sizeof grids / sizeof grids[0]; g++) {
        uint64_t hash = UINT64_C(0xcbf29ce484222325);
        for (size_t i = 0; i < grids[g].bytes; i++) {
            const unsigned byte = (unsigned)grids[g].grid[i / 2] >> (i % 2 * 8) & 255u;
            hash = (hash ^ byte) * UINT64_C(0x100000001b3);
        }
        if (hash != grids[g].want) fail_msg("grid %zu", g);
    }
}

static void test_elements(void **state) {
    (void)state;
    tensor_element e = TENSOR_ELEMENT_UNDEFINED;
    for (int i = 1; i < TENSOR_ELEMENT_COUNT; i++) {
        const tensor_element element = (tensor_element)i;
        assert_true(tensor_element_valid(i));
        assert_true(tensor_element_from_name(tensor_element_name(element), &e));
        assert_int_equal(e, i);
        assert_true(tensor_element_from_name(tensor_element_onnx_name(element), &e));
        assert_int_equal(e, i);
        assert_int_not_equal(tensor_element_kind_of(element), TENSOR_KIND_NONE);
        assert_int_equal(tensor_element_bits(element) == 0, element == TENSOR_ELEMENT_STRING);
    }
    assert_string_equal(tensor_element_name(TENSOR_ELEMENT_F32), "f32");
    assert_string_equal(tensor_element_onnx_name(TENSOR_ELEMENT_F32), "float");
    assert_string_equal(tensor_element_name((tensor_element)99), "undefined");
    assert_false(tensor_element_valid(0));
    assert_false(tensor_element_valid(-1));
    assert_false(tensor_element_valid(29));
    assert_false(tensor_element_valid(INT64_C(1) << 32 | 1));
    assert_false(tensor_element_from_name("undefined", &e));
    assert_false(tensor_element_from_name("float33", &e));
    uint64_t bytes = 0;
    assert_true(tensor_element_bytes(TENSOR_ELEMENT_U4, 5, &bytes) && bytes == 3);
    assert_true(tensor_element_bytes(TENSOR_ELEMENT_I2, 9, &bytes) && bytes == 3);
    assert_true(tensor_element_bytes(TENSOR_ELEMENT_C128, 2, &bytes) && bytes == 32);
    assert_true(tensor_element_bytes(TENSOR_ELEMENT_U2, UINT64_MAX, &bytes));
    assert_true(bytes == UINT64_C(1) << 62);
    assert_false(tensor_element_bytes(TENSOR_ELEMENT_F32, UINT64_MAX / 2, &bytes));
    assert_false(tensor_element_bytes(TENSOR_ELEMENT_STRING, 1, &bytes));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),        cmocka_unit_test(test_plain_encoders),
        cmocka_unit_test(test_f16_exhaustive), cmocka_unit_test(test_bf16_exhaustive),
        cmocka_unit_test(test_table),          cmocka_unit_test(test_ggml_types),
        cmocka_unit_test(test_row_bytes),      cmocka_unit_test(test_encode_faults),
        cmocka_unit_test(test_any_bytes),      cmocka_unit_test(test_byteswap_fields),
        cmocka_unit_test(test_grids),          cmocka_unit_test(test_elements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
