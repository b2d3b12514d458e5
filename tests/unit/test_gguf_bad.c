/* formats/gguf: files that are cut short, damaged or hostile get a status and a sentence. */
#include <stdio.h>
#include <stdlib.h>

#include "base/os.h"
#include "fail_alloc.h"
#include "formats/gguf/gguf_file.h"
#include "gguf_bytes.h"
#include "gguf_touch.h"

/* Opens and reads everything; memory is bounded by the file's own size, and nothing leaks. */
static ondol_status try_bytes(const void *bytes, size_t n, ondol_error *err) {
    fail_alloc memory;
    gguf_file *file = NULL;
    fail_alloc_init(&memory, FAIL_ALLOC_NEVER);
    /* A copy of exactly n bytes, so that a sanitizer sees the first byte too far. */
    unsigned char *copy = malloc(n ? n : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, n);
    memset(err, 0, sizeof *err);
    ondol_status status = gguf_file_open_memory(&memory.api, copy, n, NULL, &file, err);
    assert_int_equal(file == NULL, status != ONDOL_OK);
    if (memory.peak_bytes > 16 * n + 4096) {
        fail_msg("%zu bytes of memory for a file of %zu", (size_t)memory.peak_bytes, n);
    }
    if (file) {
        gguf_touch_file(file);
    } else {
        assert_true(strlen(err->text) > 10);
    }
    gguf_file_close(file);
    free(copy);
    fail_alloc_check_empty(&memory);
    return status;
}

#define EXPECT(b, want, part)                                                                      \
    do {                                                                                           \
        ondol_error err = {0};                                                                     \
        ASSERT_STATUS(try_bytes((b).data, (b).n, &err), want);                                     \
        ASSERT_CONTAINS(err.text, (part));                                                         \
    } while (0)

#define EXPECT_FORMAT(b, part) EXPECT(b, ONDOL_E_FORMAT, part)

static void every_truncation_is_a_status(void **state) {
    (void)state;
    for (uint32_t version = 1; version <= 3; version++) {
        gguf_bytes b;
        ondol_error err = {0};
        put_tiny_file(&b, version, version == 2);
        for (size_t n = 0; n < b.n; n++) {
            ASSERT_STATUS(try_bytes(b.data, n, &err), ONDOL_E_FORMAT);
            ASSERT_CONTAINS(err.text, n == 0 ? "empty file" : "missing (half a download");
        }
        ASSERT_STATUS(try_bytes(b.data, b.n, &err), ONDOL_OK);
    }
}

static void every_damaged_byte_opens_or_fails(void **state) {
    (void)state;
    static const unsigned char masks[] = {0x01, 0x02, 0x08, 0x80, 0xff};
    gguf_bytes b;
    ondol_error err = {0};
    size_t refused = 0;
    for (uint32_t version = 1; version <= 3; version += 2) {
        put_tiny_file(&b, version, version == 1);
        for (size_t i = 0; i < b.n; i++) {
            const unsigned char good = b.data[i];
            for (size_t k = 0; k < sizeof masks; k++) {
                b.data[i] = good ^ masks[k];
                refused += try_bytes(b.data, b.n, &err) != ONDOL_OK;
            }
            b.data[i] = 0;
            refused += try_bytes(b.data, b.n, &err) != ONDOL_OK;
            b.data[i] = good;
        }
    }
    assert_true(refused > 1000);
}

/* ---- the head ---- */

static void head_is_checked(void **state) {
    (void)state;
    gguf_bytes b;
    put_head(&b, 0, false, 0, 0);
    EXPECT(b, ONDOL_E_UNSUPPORTED, "GGUF version 0 at byte 4, expected 1, 2 or 3");
    put_head(&b, 4, false, 0, 0);
    EXPECT(b, ONDOL_E_UNSUPPORTED, "GGUF version 4");
    put_head(&b, 4, true, 0, 0);
    EXPECT(b, ONDOL_E_UNSUPPORTED, "GGUF version 4");
    put_head(&b, 0x12345678, false, 0, 0);
    EXPECT(b, ONDOL_E_UNSUPPORTED, "GGUF version 305419896");
    put_head(&b, 3, false, 0, 0);
    EXPECT(b, ONDOL_OK, "");
    b.data[0] = 'X';
    EXPECT_FORMAT(b, "no GGUF file: it begins with bytes 58 47 55 46");
    /* ggml, 2024: n_kv and n_tensors multiplied by the size of a record wrapped to a small one. */
    static const uint64_t counts[] = {1u << 20,
                                      UINT32_MAX,
                                      UINT64_MAX / 48 + 2,
                                      (uint64_t)INT64_MAX / 8,
                                      INT64_MAX,
                                      (uint64_t)INT64_MAX + 1,
                                      UINT64_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        put_head(&b, 3, false, 0, counts[i]);
        put_key_u32(&b, "a", 1);
        EXPECT_FORMAT(b, "number of keys at byte 16 is ");
        put_head(&b, 3, false, counts[i], 0);
        put_tensor(&b, "t", 1, (const uint64_t[]){1}, 0, 0);
        EXPECT_FORMAT(b, "number of tensors at byte 8 is ");
        EXPECT_FORMAT(b, "are missing");
    }
}

/* ---- keys ---- */

/* ggml, 2024: a string's length + 1 wrapped to 0, and the copy ran over the heap. */
static void string_lengths_are_checked(void **state) {
    (void)state;
    static const uint64_t lengths[] = {9,         1u << 30,       UINT32_MAX,     INT64_MAX - 1,
                                       INT64_MAX, UINT64_MAX - 8, UINT64_MAX - 1, UINT64_MAX};
    gguf_bytes b;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        put_head(&b, 3, false, 0, 1);
        put_count(&b, lengths[i]);
        put_raw(&b, "\0\0\0\0\0\0\0\0", 8);
        EXPECT_FORMAT(b, "key 0: its name at byte 32 needs ");
        put_head(&b, 3, false, 0, 1);
        put_key(&b, "k", GGUF_TYPE_STRING);
        put_count(&b, lengths[i]);
        put_raw(&b, "12345678", 8);
        EXPECT_FORMAT(b, "key 'k': string at byte 45 needs ");
        put_head(&b, 3, false, 0, 1);
        put_key(&b, "k", GGUF_TYPE_ARRAY);
        put_array(&b, GGUF_TYPE_STRING, 1);
        put_count(&b, lengths[i]);
        put_raw(&b, "12345678", 8);
        EXPECT_FORMAT(b, "key 'k': string of an array at byte 57 needs ");
    }
}

static void key_names_are_checked(void **state) {
    (void)state;
    gguf_bytes b;
    put_head(&b, 3, false, 0, 1);
    put_key_u32(&b, "", 1);
    put_u32(&b, 0);
    EXPECT_FORMAT(b, "key 0: its name at byte 24 has 0 bytes, expected 1 to 65535");
    put_head(&b, 3, false, 0, 2);
    put_key_u32(&b, "a", 1);
    put_key_u32(&b, "\xc3(", 1);
    EXPECT_FORMAT(b, "key 1: its name at byte 41 is not UTF-8 text");
    put_head(&b, 3, false, 0, 1);
    put_count(&b, 3);
    put_raw(&b, "a\0b", 3);
    put_u32(&b, GGUF_TYPE_U32);
    put_u32(&b, 1);
    EXPECT_FORMAT(b, "is not UTF-8 text");
    put_head(&b, 3, false, 0, 3);
    put_key_u32(&b, "twice", 1);
    put_key_u32(&b, "once", 1);
    put_key_u32(&b, "twice", 2);
    EXPECT_FORMAT(b, "key 'twice': there are two of that name");
}

static void types_are_checked(void **state) {
    (void)state;
    static const uint32_t types[] = {13, 14, 255, 0x7fffffff, 0x80000000, UINT32_MAX};
    gguf_bytes b;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        put_head(&b, 3, false, 0, 1);
        put_key(&b, "k", (gguf_type)types[i]);
        put_u32(&b, 0);
        EXPECT_FORMAT(b, "key 'k': type of the value at byte 33 is ");
        EXPECT_FORMAT(b, "expected 0 to 12");
        put_head(&b, 3, false, 0, 1);
        put_key(&b, "k", GGUF_TYPE_ARRAY);
        put_array(&b, (gguf_type)types[i], 0);
        EXPECT_FORMAT(b, "key 'k': type of an array's elements at byte 37 is ");
        put_head(&b, 3, false, 1, 0);
        put_tensor(&b, "t", 1, (const uint64_t[]){1},
                   types[i] == 13 || types[i] == 14 ? 99 : types[i], 0);
        EXPECT_FORMAT(b, "tensor 't': type at byte 45: ");
    }
    put_head(&b, 3, false, 1, 0);
    put_tensor(&b, "t", 1, (const uint64_t[]){32}, 4, 0);
    EXPECT(b, ONDOL_E_UNSUPPORTED, "tensor 't': type at byte 45: ");
    put_head(&b, 3, false, 0, 1);
    put_key(&b, "k", GGUF_TYPE_BOOL);
    put_integer(&b, 2, 1);
    EXPECT_FORMAT(b, "key 'k': bool at byte 37 is 2, expected 0 or 1");
    put_head(&b, 3, false, 0, 1);
    put_key(&b, "k", GGUF_TYPE_ARRAY);
    put_array(&b, GGUF_TYPE_BOOL, 2);
    put_raw(&b, "\1\377", 2);
    EXPECT_FORMAT(b, "key 'k': bool at byte 50 is 255, expected 0 or 1");
}

static void array_counts_are_checked(void **state) {
    (void)state;
    static const uint64_t counts[] = {5,
                                      UINT32_MAX,
                                      (uint64_t)1 << 61,
                                      ((uint64_t)1 << 61) + 1,
                                      INT64_MAX,
                                      (uint64_t)INT64_MAX + 1,
                                      UINT64_MAX - 1,
                                      UINT64_MAX};
    static const gguf_type kinds[] = {GGUF_TYPE_U32, GGUF_TYPE_F64, GGUF_TYPE_STRING,
                                      GGUF_TYPE_ARRAY};
    gguf_bytes b;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            put_head(&b, 3, false, 0, 1);
            put_key(&b, "k", GGUF_TYPE_ARRAY);
            put_array(&b, kinds[k], counts[i]);
            put_raw(&b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
            EXPECT_FORMAT(b, "key 'k': array");
            EXPECT_FORMAT(b, "are missing");
        }
    }
}

static void nesting_is_capped(void **state) {
    (void)state;
    gguf_bytes b;
    for (unsigned depth = 1; depth < 40; depth++) {
        put_head(&b, 3, false, 0, 1);
        put_key(&b, "k", GGUF_TYPE_ARRAY);
        for (unsigned i = 1; i < depth; i++)
            put_array(&b, GGUF_TYPE_ARRAY, 1);
        put_array(&b, GGUF_TYPE_U8, 0);
        if (depth <= GGUF_ARRAY_DEPTH_MAX) {
            EXPECT(b, ONDOL_OK, "");
        } else {
            EXPECT(b, ONDOL_E_LIMIT, "key 'k': arrays within arrays at byte ");
        }
    }
}

static void alignment_is_checked(void **state) {
    (void)state;
    static const struct {
        uint32_t alignment;
        ondol_status status;
        const char *part;
    } cases[] = {
        {0, ONDOL_E_FORMAT, "key 'general.alignment' is 0, expected a power of two"},
        {3, ONDOL_E_FORMAT, "is 3, expected a power of two"},
        {UINT32_MAX, ONDOL_E_FORMAT, "is 4294967295, expected a power of two"},
        {1u << 31, ONDOL_E_LIMIT, "is 2147483648, expected at most 16777216"},
        {1u << 24, ONDOL_OK, ""},
        {1, ONDOL_OK, ""},
    };
    gguf_bytes b;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_head(&b, 3, false, 0, 1);
        put_key_u32(&b, "general.alignment", cases[i].alignment);
        EXPECT(b, cases[i].status, cases[i].part);
    }
    put_head(&b, 3, false, 0, 1);
    put_key(&b, "general.alignment", GGUF_TYPE_U64);
    put_integer(&b, 32, 8);
    EXPECT_FORMAT(b, "key 'general.alignment': expected u32, got u64 32");
    put_head(&b, 3, false, 0, 1);
    put_key(&b, "general.alignment", GGUF_TYPE_STRING);
    put_string(&b, "32");
    EXPECT_FORMAT(b, "got string '32'");
}

static void split_keys_are_checked(void **state) {
    (void)state;
    gguf_bytes b;
    put_head(&b, 3, false, 0, 1);
    put_key_u32(&b, "split.count", 3);
    EXPECT(b, ONDOL_E_UNSUPPORTED, "part 1 of 3 of a model: open it by its path");
    put_head(&b, 3, false, 0, 1);
    put_key_u32(&b, "split.count", 100000);
    EXPECT_FORMAT(b, "key 'split.count': expected an integer from 0 to 99999, got u32 100000");
    put_head(&b, 3, false, 0, 1);
    put_key(&b, "split.count", GGUF_TYPE_STRING);
    put_string(&b, "x");
    EXPECT_FORMAT(b, "got string 'x'");
    put_head(&b, 3, false, 0, 1);
    put_key(&b, "split.tensors.count", GGUF_TYPE_I32);
    put_u32(&b, UINT32_MAX);
    EXPECT_FORMAT(b, "key 'split.tensors.count': expected an integer from 0 to 4294967295, got i32 "
                     "-1");
}

/* ---- tensors ---- */

static void put_one_tensor(gguf_bytes *b, uint32_t n_dims, const uint64_t *dims, uint32_t ggml_type,
                           uint64_t offset) {
    put_head(b, 3, false, 1, 0);
    put_tensor(b, "t", n_dims, dims, ggml_type, offset);
    put_padding(b, 32);
    for (int i = 0; i < 64; i++)
        put_u32(b, 0);
}

/* ggml, 2024: n_dims was an index into an array of 4. */
static void n_dims_is_checked(void **state) {
    (void)state;
    static const uint64_t dims[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    gguf_bytes b;
    put_one_tensor(&b, 4, dims, 0, 0);
    EXPECT(b, ONDOL_OK, "");
    put_one_tensor(&b, 0, dims, 0, 0);
    EXPECT(b, ONDOL_OK, "");
    put_one_tensor(&b, 5, dims, 0, 0);
    EXPECT_FORMAT(b, "tensor 't': number of dims at byte 33 is 5, expected at most 4");
    put_one_tensor(&b, 16, dims, 0, 0);
    EXPECT_FORMAT(b, "is 16, expected at most 4");
    static const uint32_t counts[] = {0x7fffffff, 0x80000000, 0x80000001, UINT32_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        put_head(&b, 3, false, 1, 0);
        put_string(&b, "t");
        put_u32(&b, counts[i]);
        put_integer(&b, 1, 8), put_u32(&b, 0), put_integer(&b, 0, 8);
        EXPECT_FORMAT(b, "expected at most 4");
    }
}

/* ggml, 2024 and after: the product of the dims, or its bytes with padding, wrapped past 2^64. */
static void dims_are_checked(void **state) {
    (void)state;
    static const struct {
        uint32_t n_dims;
        uint64_t dims[4];
        uint32_t ggml_type;
        const char *part;
    } cases[] = {
        {1, {0}, 0, "tensor 't': dim 0 at byte 37 is 0, expected at least 1"},
        {3, {1, 1, 0}, 0, "dim 2 at byte 53 is 0"},
        {1, {UINT64_MAX}, 0, "dim 0 at byte 37 is 18446744073709551615: the product of the dims"},
        {1, {(uint64_t)1 << 63}, 0, "the product of the dims is 2^63 or more"},
        {2, {(uint64_t)1 << 32, (uint64_t)1 << 31}, 0, "is 2^63 or more"},
        {2, {(uint64_t)1 << 32, (uint64_t)1 << 32}, 0, "is 2^63 or more"},
        {4, {1u << 16, 1u << 16, 1u << 16, 1u << 16}, 2, "is 2^63 or more"},
        {3, {UINT64_MAX, UINT64_MAX, UINT64_MAX}, 0, "is 2^63 or more"},
        {1, {INT64_MAX}, 0, "elements of F32 have 2^64 bytes or more"},
        {2, {(uint64_t)1 << 31, (uint64_t)1 << 31}, 0, "elements of F32 have 2^64 bytes or more"},
        {1, {((uint64_t)1 << 61) - 1}, 28, "offset 64 and size 18446744073709551608 together"},
        {1, {((uint64_t)1 << 62) - 32}, 0, "are missing"},
        {1, {33}, 2, "a row has 33 elements, expected a multiple of 32, the block of Q4_0"},
        {2, {16, 2}, 2, "a row has 16 elements, expected a multiple of 32"},
        {1, {32}, 12, "a row has 32 elements, expected a multiple of 256, the block of Q4_K"},
        {0, {0}, 2, "a row has 1 elements, expected a multiple of 32"},
    };
    gguf_bytes b;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        put_one_tensor(&b, cases[i].n_dims, cases[i].dims, cases[i].ggml_type, 0);
        EXPECT_FORMAT(b, cases[i].part);
    }
}

/* ggml, 2024 and after: offset + size wrapped and passed the check against the file's size. */
static void offsets_are_checked(void **state) {
    (void)state;
    static const uint64_t dims[] = {64};
    gguf_bytes b;
    put_one_tensor(&b, 1, dims, 0, 0);
    EXPECT(b, ONDOL_OK, "");
    put_one_tensor(&b, 1, dims, 0, 4);
    EXPECT_FORMAT(b, "tensor 't': offset at byte 49 is 4, expected a multiple of the alignment 32");
    put_one_tensor(&b, 1, dims, 0, 32);
    EXPECT_FORMAT(b, "tensor 't': its 256 bytes from byte 96 pass the end of the file (320 bytes); "
                     "the tensors need 352 bytes: 32 are missing");
    put_one_tensor(&b, 1, dims, 0, (uint64_t)1 << 62);
    EXPECT_FORMAT(b, "pass the end of the file");
    static const uint64_t offsets[] = {(uint64_t)0 - 32, (uint64_t)0 - 64, (uint64_t)0 - 256,
                                       (uint64_t)0 - 320};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        put_one_tensor(&b, 1, dims, 0, offsets[i]);
        EXPECT_FORMAT(b, "together pass 2^64");
    }
    put_one_tensor(&b, 1, (const uint64_t[]){(uint64_t)1 << 60}, 28, (uint64_t)1 << 63);
    EXPECT_FORMAT(b, "together pass 2^64");
}

static void put_tensors(gguf_bytes *b, size_t n, const uint64_t *offsets,
                        const char *const *names) {
    put_head(b, 3, false, n, 0);
    for (size_t i = 0; i < n; i++)
        put_tensor(b, names[i], 1, (const uint64_t[]){16}, 0, offsets[i]);
    put_padding(b, 32);
    for (int i = 0; i < 256; i++)
        put_u32(b, 0);
}

static void tensors_lie_apart(void **state) {
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    gguf_bytes b;
    put_tensors(&b, 8, (const uint64_t[]){64, 0, 448, 320, 128, 256, 192, 384}, names);
    EXPECT(b, ONDOL_OK, "");
    put_tensors(&b, 2, (const uint64_t[]){0, 32}, names);
    EXPECT_FORMAT(b, "tensor 'b' at byte 128 overlaps tensor 'a', which has 64 bytes from byte 96");
    put_tensors(&b, 2, (const uint64_t[]){32, 0}, names);
    EXPECT_FORMAT(b, "tensor 'a' at byte 128 overlaps tensor 'b'");
    put_tensors(&b, 8, (const uint64_t[]){64, 0, 448, 320, 128, 256, 192, 320}, names);
    EXPECT_FORMAT(b, " overlaps tensor ");
    put_tensors(&b, 3, (const uint64_t[]){0, 64, 128}, (const char *const[]){"a", "b", "a"});
    EXPECT_FORMAT(b, "tensor 'a': there are two of that name");
    put_tensors(&b, 2, (const uint64_t[]){0, 64}, (const char *const[]){"a", "\x80"});
    EXPECT_FORMAT(b, "tensor 1: its name at byte ");
    put_tensors(&b, 1, (const uint64_t[]){0}, (const char *const[]){""});
    EXPECT_FORMAT(b, "tensor 0: its name at byte 24 has 0 bytes");
}

/* A file full of the smallest records asks most of memory for each of its bytes. */
static void memory_and_time_follow_the_size(void **state) {
    (void)state;
    const size_t n = 60000, bytes_each = 8 + 5 + 4 + 1;
    unsigned char *data = malloc(24 + n * bytes_each);
    assert_non_null(data);
    memcpy(data, "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\x60\xea\0\0\0\0\0\0", 24);
    for (size_t i = 0; i < n; i++) {
        char name[8];
        unsigned char *p = data + 24 + i * bytes_each;
        snprintf(name, sizeof name, "%05zu", i);
        memcpy(p, "\5\0\0\0\0\0\0\0", 8);
        memcpy(p + 8, name, 5);
        memset(p + 13, 0, 5);
    }
    ondol_error err = {0};
    const uint64_t start = base_now_ns();
    ASSERT_STATUS(try_bytes(data, 24 + n * bytes_each, &err), ONDOL_OK);
    assert_true(base_now_ns() - start < 2000000000u);
    /* Nothing is taken for keys that a count claims but that are not there. */
    data[17] = 0xff;
    ASSERT_STATUS(try_bytes(data, 24 + n * bytes_each, &err), ONDOL_E_FORMAT);
    free(data);
}

static void arrays_of_nothing_stay_small(void **state) {
    (void)state;
    const size_t n = 20000; /* arrays of 12 bytes and strings of 8: the smallest elements */
    unsigned char *data = calloc(n * 12 + 64, 1);
    assert_non_null(data);
    gguf_bytes b;
    put_head(&b, 3, false, 0, 1);
    put_key(&b, "k", GGUF_TYPE_ARRAY);
    put_array(&b, GGUF_TYPE_ARRAY, n);
    memcpy(data, b.data, b.n);
    ondol_error err = {0};
    ASSERT_STATUS(try_bytes(data, b.n + n * 12, &err), ONDOL_OK);
    ASSERT_STATUS(try_bytes(data, b.n + n * 12 - 1, &err), ONDOL_E_FORMAT);
    put_head(&b, 3, false, 0, 1);
    put_key(&b, "k", GGUF_TYPE_ARRAY);
    put_array(&b, GGUF_TYPE_STRING, n);
    memcpy(data, b.data, b.n);
    memset(data + b.n, 0, n * 12);
    ASSERT_STATUS(try_bytes(data, b.n + n * 8, &err), ONDOL_OK);
    ASSERT_STATUS(try_bytes(data, b.n + n * 8 - 1, &err), ONDOL_E_FORMAT);
    free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation_is_a_status),
        cmocka_unit_test(every_damaged_byte_opens_or_fails),
        cmocka_unit_test(head_is_checked),
        cmocka_unit_test(string_lengths_are_checked),
        cmocka_unit_test(key_names_are_checked),
        cmocka_unit_test(types_are_checked),
        cmocka_unit_test(array_counts_are_checked),
        cmocka_unit_test(nesting_is_capped),
        cmocka_unit_test(alignment_is_checked),
        cmocka_unit_test(split_keys_are_checked),
        cmocka_unit_test(n_dims_is_checked),
        cmocka_unit_test(dims_are_checked),
        cmocka_unit_test(offsets_are_checked),
        cmocka_unit_test(tensors_lie_apart),
        cmocka_unit_test(memory_and_time_follow_the_size),
        cmocka_unit_test(arrays_of_nothing_stay_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
