/* formats/gguf: what good files of every version and byte order give, split sets, the writer. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/os.h"
#include "fail_alloc.h"
#include "formats/gguf/gguf_file.h"
#include "formats/gguf/gguf_writer.h"
#include "gguf_bytes.h"
#include "gguf_touch.h"

static bool string_is(gguf_string s, const char *text) {
    return s.size_bytes == strlen(text) && memcmp(s.text, text, s.size_bytes) == 0;
}

#define FOLDER_BYTES 64
#define PATH_BYTES   128

static void make_folder(char folder[FOLDER_BYTES]) {
    snprintf(folder, FOLDER_BYTES, "/tmp/ondol-gguf-XXXXXX");
    assert_non_null(mkdtemp(folder));
}

static void write_file(const char *path, const void *data, size_t n) {
    ondol_error err = {0};
    ASSERT_OK(base_file_write(path, data, n, &err));
}

/* ---- values ---- */

static void check_tiny_scalars(const gguf_file *file) {
    ondol_error err = {0};
    uint32_t u32 = 0;
    int32_t i32 = 0;
    uint64_t u64 = 0;
    int64_t i64 = 0;
    float f32 = 0;
    double f64 = 0;
    bool truth = false;
    gguf_string text = {0};
    ASSERT_OK(gguf_get_string(file, "general.architecture", &text, &err));
    assert_true(string_is(text, "tiny"));
    ASSERT_OK(gguf_get_u32(file, "u8", &u32, &err));
    assert_int_equal(u32, 200);
    ASSERT_OK(gguf_get_i32(file, "i8", &i32, &err));
    assert_int_equal(i32, -100);
    ASSERT_OK(gguf_get_u32(file, "u16", &u32, &err));
    assert_int_equal(u32, 60000);
    ASSERT_OK(gguf_get_i32(file, "i16", &i32, &err));
    assert_int_equal(i32, -30000);
    ASSERT_OK(gguf_get_u32(file, "u32", &u32, &err));
    assert_int_equal(u32, 4000000000u);
    ASSERT_OK(gguf_get_i32(file, "i32", &i32, &err));
    assert_int_equal(i32, -2000000000);
    ASSERT_OK(gguf_get_u64(file, "u64", &u64, &err));
    assert_true(u64 == UINT64_MAX);
    assert_false(gguf_value_i64(gguf_find_key(file, "u64"), &i64));
    assert_true(gguf_value_i64(gguf_find_key(file, "i64"), &i64));
    assert_true(i64 == INT64_MIN);
    ASSERT_OK(gguf_get_f32(file, "f32", &f32, &err));
    assert_true(f32 == 1.5f);
    ASSERT_OK(gguf_get_f32(file, "f64", &f32, &err));
    assert_true(f32 == 2.0f);
    assert_true(gguf_value_f64(gguf_find_key(file, "f64"), &f64) && f64 == 2.0);
    ASSERT_OK(gguf_get_bool(file, "bool", &truth, &err));
    assert_true(truth);
}

static void check_tiny_arrays(const gguf_file *file) {
    ondol_error err = {0};
    const gguf_value *array = NULL;
    gguf_value row, inner, element;
    uint64_t number = 0;
    int32_t ints[3] = {0};
    float floats[2] = {0};
    ASSERT_OK(gguf_get_array(file, "ints", GGUF_TYPE_I32, &array, &err));
    assert_int_equal(array->count, 3);
    assert_true(gguf_array_to_i32(array, ints));
    assert_int_equal(ints[1], -8);
    assert_false(gguf_array_to_f32(array, floats));
    ASSERT_OK(gguf_get_array(file, "floats", GGUF_TYPE_F32, &array, &err));
    assert_true(gguf_array_to_f32(array, floats));
    assert_true(floats[0] == 0.25f && floats[1] == -1);
    assert_false(gguf_array_to_i32(array, ints));
    ASSERT_OK(gguf_get_array(file, "strings", GGUF_TYPE_STRING, &array, &err));
    assert_true(string_is(gguf_array_string(array, 0), "one"));
    assert_true(string_is(gguf_array_string(array, 1), ""));
    assert_true(string_is(gguf_array_string(array, 2), "\xff!"));
    assert_int_equal(gguf_array_string(array, 3).size_bytes, 0);
    assert_false(gguf_array_at(array, 3, &element));

    ASSERT_OK(gguf_get_array(file, "nested", GGUF_TYPE_ARRAY, &array, &err));
    assert_int_equal(array->count, 3);
    assert_true(gguf_array_at(array, 0, &row));
    assert_true(gguf_array_at(&row, 0, &element) && gguf_value_u64(&element, &number));
    assert_int_equal(number, 513);
    assert_true(gguf_array_at(array, 1, &row) && gguf_array_at(&row, 0, &inner));
    assert_true(string_is(gguf_array_string(&inner, 1), "er"));
    assert_true(gguf_array_at(array, 2, &row));
    assert_int_equal(row.count, 0);
    assert_int_equal(row.element_type, GGUF_TYPE_BOOL);
    ASSERT_OK(gguf_get_array(file, "empty", GGUF_TYPE_ARRAY, &array, &err));
    assert_int_equal(array->count, 0);
}

static void check_tiny_tensors(gguf_file *file) {
    ondol_error err = {0};
    assert_int_equal(gguf_tensor_count(file), 2);
    const gguf_tensor *w = gguf_find_tensor(file, "w"), *q = gguf_find_tensor(file, "q");
    assert_ptr_equal(w, gguf_tensor_at(file, 0));
    assert_ptr_equal(q, gguf_tensor_at(file, 1));
    assert_null(gguf_find_tensor(file, "v"));
    assert_int_equal(w->n_dims, 2);
    assert_true(w->dims[0] == 3 && w->dims[1] == 2 && w->dims[2] == 1 && w->dims[3] == 1);
    assert_int_equal(w->encoding, TENSOR_ENCODING_F32);
    assert_int_equal(w->size_bytes, 24);
    assert_int_equal(q->encoding, TENSOR_ENCODING_Q4_0);
    assert_int_equal(q->size_bytes, 18);
    assert_int_equal(q->offset, w->offset + 32);
    for (int round = 0; round < 2; round++) {
        const unsigned char *data = NULL;
        float numbers[32];
        ASSERT_OK(gguf_tensor_data(file, w, &data, &err));
        tensor_decode(w->encoding, data, 6, numbers);
        for (int i = 0; i < 6; i++)
            assert_true(numbers[i] == (float)i);
        ASSERT_OK(gguf_tensor_data(file, q, &data, &err));
        tensor_decode(q->encoding, data, 32, numbers);
        for (int i = 0; i < 32; i++)
            assert_true(numbers[i] == (float)(i % 16 - 8));
        gguf_tensor_release(file, w);
        gguf_tensor_release(file, q);
    }
}

static void every_version_and_byte_order_reads_the_same(void **state) {
    (void)state;
    ondol_allocator heap = base_default_allocator();
    for (uint32_t version = 1; version <= 3; version++) {
        for (int big_endian = 0; big_endian < 2; big_endian++) {
            gguf_bytes b;
            gguf_file *file = NULL;
            ondol_error err = {0};
            put_tiny_file(&b, version, big_endian);
            ASSERT_OK(gguf_file_open_memory(&heap, b.data, b.n, NULL, &file, &err));
            const gguf_part *part = gguf_part_at(file, 0);
            assert_int_equal(part->version, version);
            assert_int_equal(part->big_endian, big_endian);
            assert_int_equal(part->alignment, 32);
            assert_int_equal(part->data_offset % 32, 0);
            assert_true(part->data_offset - part->header_bytes < 32);
            assert_int_equal(gguf_key_count(file), 17);
            assert_true(string_is(gguf_key_at(file, 16)->name, "empty"));
            check_tiny_scalars(file);
            check_tiny_arrays(file);
            check_tiny_tensors(file);
            gguf_file_close(file);
        }
    }
}

static void getters_say_key_expected_and_got(void **state) {
    (void)state;
    ondol_allocator heap = base_default_allocator();
    gguf_bytes b;
    gguf_file *file = NULL;
    ondol_error err = {0};
    put_tiny_file(&b, 3, false);
    ASSERT_OK(gguf_file_open_memory(&heap, b.data, b.n, NULL, &file, &err));
    uint32_t u32 = 77;
    int32_t i32 = 77;
    uint64_t u64 = 77;
    float f32 = 77;
    bool truth = true;
    gguf_string text = {"x", 1};
    const gguf_value *array = NULL;
    ASSERT_STATUS(gguf_get_u32(file, "none", &u32, &err), ONDOL_E_NOT_FOUND);
    assert_string_equal(err.text, "key 'none' is missing");
    ASSERT_STATUS(gguf_get_u32(file, "i8", &u32, &err), ONDOL_E_FORMAT);
    assert_string_equal(err.text,
                        "key 'i8': expected an integer from 0 to 4294967295, got i8 -100");
    ASSERT_STATUS(gguf_get_u32(file, "u64", &u32, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "got u64 18446744073709551615");
    ASSERT_STATUS(gguf_get_i32(file, "u32", &i32, &err), ONDOL_E_FORMAT);
    ASSERT_STATUS(gguf_get_i32(file, "i64", &i32, &err), ONDOL_E_FORMAT);
    ASSERT_STATUS(gguf_get_u64(file, "i64", &u64, &err), ONDOL_E_FORMAT);
    ASSERT_STATUS(gguf_get_u32(file, "f32", &u32, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "got f32 1.5");
    ASSERT_STATUS(gguf_get_f32(file, "u8", &f32, &err), ONDOL_E_FORMAT);
    ASSERT_STATUS(gguf_get_bool(file, "u8", &truth, &err), ONDOL_E_FORMAT);
    ASSERT_STATUS(gguf_get_string(file, "ints", &text, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "got array of 3 i32");
    ASSERT_STATUS(gguf_get_array(file, "ints", GGUF_TYPE_F32, &array, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "expected an array of f32");
    ASSERT_STATUS(gguf_get_u32_or(file, "general.architecture", 5, &u32, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "got string 'tiny'");
    assert_true(u32 == 77 && i32 == 77 && u64 == 77 && f32 == 77 && truth && text.size_bytes == 1);

    ASSERT_OK(gguf_get_u32_or(file, "none", 5, &u32, &err));
    ASSERT_OK(gguf_get_i32_or(file, "none", -5, &i32, &err));
    ASSERT_OK(gguf_get_u64_or(file, "none", 6, &u64, &err));
    ASSERT_OK(gguf_get_f32_or(file, "none", 0.5f, &f32, &err));
    ASSERT_OK(gguf_get_bool_or(file, "none", false, &truth, &err));
    ASSERT_OK(gguf_get_string_or(file, "none", "other", &text, &err));
    assert_true(u32 == 5 && i32 == -5 && u64 == 6 && f32 == 0.5f && !truth);
    assert_true(string_is(text, "other"));
    ASSERT_OK(gguf_get_string_or(file, "none", NULL, &text, &err));
    assert_null(text.text);
    ASSERT_OK(gguf_get_array_or_none(file, "none", GGUF_TYPE_F32, &array, &err));
    assert_null(array);
    ASSERT_OK(gguf_get_u32_or(file, "u8", 5, &u32, &err));
    assert_int_equal(u32, 200);
    gguf_file_close(file);
}

/* ---- writer ---- */

/* Writes all keys and tensors of `file` again. */
static void write_again(gguf_file *file, base_buffer *out) {
    ondol_allocator heap = base_default_allocator();
    ondol_error err = {0};
    gguf_writer *w = NULL;
    ASSERT_OK(gguf_writer_create(&heap, gguf_part_at(file, 0)->alignment, &w, &err));
    for (size_t i = 0; i < gguf_key_count(file); i++) {
        const gguf_key *key = gguf_key_at(file, i);
        if (string_is(key->name, "general.alignment")) continue;
        ASSERT_OK(gguf_writer_add_value(w, key->name, &key->value, &err));
    }
    for (size_t i = 0; i < gguf_tensor_count(file); i++) {
        const gguf_tensor *t = gguf_tensor_at(file, i);
        char name[64] = {0};
        memcpy(name, t->name.text, t->name.size_bytes);
        ASSERT_OK(gguf_writer_add_tensor(w, name, t->encoding, t->n_dims, t->dims, &err));
    }
    ASSERT_OK(gguf_writer_begin(w, gguf_sink_of_buffer(out), &err));
    for (size_t i = 0; i < gguf_tensor_count(file); i++) {
        const gguf_tensor *t = gguf_tensor_at(file, i);
        const unsigned char *data = NULL;
        ASSERT_OK(gguf_tensor_data(file, t, &data, &err));
        ASSERT_OK(gguf_writer_put(w, data, 5, &err)); /* pieces may be of any size */
        ASSERT_OK(gguf_writer_put(w, data + 5, t->size_bytes - 5, &err));
    }
    ASSERT_OK(gguf_writer_finish(w, &err));
    gguf_writer_destroy(w);
}

static void what_is_read_is_written_again_the_same(void **state) {
    (void)state;
    ondol_allocator heap = base_default_allocator();
    gguf_bytes expected;
    put_tiny_file(&expected, 3, false);
    put_padding(&expected, 32);
    for (uint32_t version = 1; version <= 3; version++) {
        for (int big_endian = 0; big_endian < 2; big_endian++) {
            gguf_bytes b;
            gguf_file *file = NULL;
            ondol_error err = {0};
            base_buffer out;
            base_buffer_init(&out, &heap, 1 << 20);
            put_tiny_file(&b, version, big_endian);
            ASSERT_OK(gguf_file_open_memory(&heap, b.data, b.n, NULL, &file, &err));
            write_again(file, &out);
            assert_int_equal(out.size, expected.n);
            assert_memory_equal(out.data, expected.data, out.size);
            gguf_file_close(file);
            base_buffer_destroy(&out);
        }
    }
}

static void add_all_kinds(gguf_writer *w) {
    ondol_error err = {0};
    const gguf_string strings[] = {{"a", 1}, {"bc", 2}};
    const float floats[] = {1, -2.5f};
    const int64_t longs[] = {INT64_MIN, 5};
    const bool truths[] = {true, false, true};
    ASSERT_OK(gguf_writer_add_unsigned(w, "u8", GGUF_TYPE_U8, 255, &err));
    ASSERT_OK(gguf_writer_add_unsigned(w, "u64", GGUF_TYPE_U64, UINT64_MAX, &err));
    ASSERT_OK(gguf_writer_add_signed(w, "i8", GGUF_TYPE_I8, -128, &err));
    ASSERT_OK(gguf_writer_add_signed(w, "i64", GGUF_TYPE_I64, INT64_MIN, &err));
    ASSERT_OK(gguf_writer_add_float(w, "f32", GGUF_TYPE_F32, 0.1, &err));
    ASSERT_OK(gguf_writer_add_float(w, "f64", GGUF_TYPE_F64, 0.1, &err));
    ASSERT_OK(gguf_writer_add_bool(w, "bool", true, &err));
    ASSERT_OK(gguf_writer_add_string(w, "string", strings[1], &err));
    ASSERT_OK(gguf_writer_add_strings(w, "strings", strings, 2, &err));
    ASSERT_OK(gguf_writer_add_array(w, "floats", GGUF_TYPE_F32, floats, 2, &err));
    ASSERT_OK(gguf_writer_add_array(w, "longs", GGUF_TYPE_I64, longs, 2, &err));
    ASSERT_OK(gguf_writer_add_array(w, "bools", GGUF_TYPE_BOOL, truths, 3, &err));
}

static void writer_makes_files_that_read_back(void **state) {
    (void)state;
    ondol_allocator heap = base_default_allocator();
    ondol_error err = {0};
    gguf_writer *w = NULL;
    gguf_file *file = NULL;
    base_buffer out;
    base_buffer_init(&out, &heap, 1 << 20);
    const uint64_t dims[] = {32, 3, 1, 2};
    unsigned char block[6 * 34];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (unsigned char)(i * 7);
    ASSERT_OK(gguf_writer_create(&heap, 128, &w, &err));
    add_all_kinds(w);
    ASSERT_OK(gguf_writer_add_tensor(w, "scalar", TENSOR_ENCODING_F64, 0, NULL, &err));
    ASSERT_OK(gguf_writer_add_tensor(w, "quantised", TENSOR_ENCODING_Q8_0, 4, dims, &err));
    ASSERT_OK(gguf_writer_begin(w, gguf_sink_of_buffer(&out), &err));
    ASSERT_STATUS(gguf_writer_add_bool(w, "late", true, &err), ONDOL_E_ARGUMENT);
    ASSERT_OK(gguf_writer_put(w, "\0\0\0\0\0\0\xf0?", 8, &err));
    ASSERT_OK(gguf_writer_put(w, block, sizeof block - 1, &err));
    ASSERT_STATUS(gguf_writer_finish(w, &err), ONDOL_E_ARGUMENT);
    assert_string_equal(err.text, "tensor 'quantised': 203 of its 204 bytes are written");
    ASSERT_STATUS(gguf_writer_put(w, block, 2, &err), ONDOL_E_ARGUMENT);
    ASSERT_OK(gguf_writer_put(w, block + sizeof block - 1, 1, &err));
    ASSERT_OK(gguf_writer_finish(w, &err));
    gguf_writer_destroy(w);

    ASSERT_OK(gguf_file_open_memory(&heap, out.data, out.size, NULL, &file, &err));
    assert_int_equal(gguf_part_at(file, 0)->alignment, 128);
    assert_int_equal(gguf_key_count(file), 13);
    const gguf_tensor *t = gguf_find_tensor(file, "quantised");
    const unsigned char *data = NULL;
    assert_int_equal(t->offset % 128, 0);
    assert_int_equal(t->size_bytes, sizeof block);
    assert_true(t->n_dims == 4 && t->dims[1] == 3 && t->dims[3] == 2);
    ASSERT_OK(gguf_tensor_data(file, t, &data, &err));
    assert_memory_equal(data, block, sizeof block);
    const gguf_tensor *scalar = gguf_find_tensor(file, "scalar");
    assert_true(scalar->n_dims == 0 && scalar->n_elems == 1 && scalar->dims[0] == 1);
    double f64 = 0;
    assert_true(gguf_value_f64(gguf_find_key(file, "f64"), &f64) && f64 == 0.1);
    assert_true(string_is(gguf_array_string(gguf_find_key(file, "strings"), 1), "bc"));
    const gguf_value *longs = gguf_find_key(file, "longs");
    gguf_value element;
    int64_t i64 = 0;
    assert_true(gguf_array_at(longs, 0, &element) && gguf_value_i64(&element, &i64));
    assert_true(i64 == INT64_MIN);
    gguf_file_close(file);
    base_buffer_destroy(&out);
}

static void writer_refuses_what_no_reader_would_take(void **state) {
    (void)state;
    ondol_allocator heap = base_default_allocator();
    ondol_error err = {0};
    gguf_writer *w = NULL;
    ASSERT_STATUS(gguf_writer_create(&heap, 3, &w, &err), ONDOL_E_ARGUMENT);
    ASSERT_OK(gguf_writer_create(&heap, 0, &w, &err));
    const uint64_t dims[] = {33, 0, 1u << 31, UINT64_MAX};
    ASSERT_OK(gguf_writer_add_bool(w, "k", true, &err));
    ASSERT_STATUS(gguf_writer_add_bool(w, "k", true, &err), ONDOL_E_ARGUMENT);
    ASSERT_STATUS(gguf_writer_add_bool(w, "", true, &err), ONDOL_E_ARGUMENT);
    ASSERT_STATUS(gguf_writer_add_bool(w, "\xff", true, &err), ONDOL_E_ARGUMENT);
    ASSERT_STATUS(gguf_writer_add_unsigned(w, "general.alignment", GGUF_TYPE_U32, 1, &err),
                  ONDOL_E_ARGUMENT);
    ASSERT_STATUS(gguf_writer_add_unsigned(w, "a", GGUF_TYPE_U8, 256, &err), ONDOL_E_ARGUMENT);
    ASSERT_STATUS(gguf_writer_add_unsigned(w, "a", GGUF_TYPE_F32, 2, &err), ONDOL_E_ARGUMENT);
    ASSERT_STATUS(gguf_writer_add_signed(w, "a", GGUF_TYPE_I16, -32769, &err), ONDOL_E_ARGUMENT);
    ASSERT_STATUS(gguf_writer_add_float(w, "a", GGUF_TYPE_F32, 1e39, &err), ONDOL_E_ARGUMENT);
    ASSERT_STATUS(gguf_writer_add_tensor(w, "t", TENSOR_ENCODING_Q4_0, 1, dims, &err),
                  ONDOL_E_ARGUMENT);
    ASSERT_CONTAINS(err.text, "multiple of 32");
    ASSERT_STATUS(gguf_writer_add_tensor(w, "t", TENSOR_ENCODING_F32, 2, dims, &err),
                  ONDOL_E_ARGUMENT);
    ASSERT_STATUS(gguf_writer_add_tensor(w, "t", TENSOR_ENCODING_F32, 2, dims + 2, &err),
                  ONDOL_E_ARGUMENT);
    ASSERT_STATUS(gguf_writer_add_tensor(w, "t", TENSOR_ENCODING_F32, 5, dims, &err),
                  ONDOL_E_ARGUMENT);
    char long_name[65] = {0};
    memset(long_name, 'n', 64);
    ASSERT_STATUS(gguf_writer_add_tensor(w, long_name, TENSOR_ENCODING_F32, 1, dims, &err),
                  ONDOL_E_ARGUMENT);
    ASSERT_OK(gguf_writer_add_tensor(w, "t", TENSOR_ENCODING_F32, 1, dims, &err));
    ASSERT_STATUS(gguf_writer_add_tensor(w, "t", TENSOR_ENCODING_F32, 1, dims, &err),
                  ONDOL_E_ARGUMENT);
    ASSERT_STATUS(gguf_writer_put(w, "x", 1, &err), ONDOL_E_ARGUMENT);
    gguf_writer_destroy(w);
}

/* ---- files ---- */

static void file_is_mapped_or_read(void **state) {
    (void)state;
    ondol_allocator heap = base_default_allocator();
    ondol_error err = {0};
    char folder[FOLDER_BYTES], path[PATH_BYTES];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/tiny.gguf", folder);
    gguf_bytes b;
    put_tiny_file(&b, 3, false);
    write_file(path, b.data, b.n);
    for (int no_map = 0; no_map < 2; no_map++) {
        gguf_file *file = NULL;
        const gguf_open_options options = {.no_map = no_map};
        ASSERT_OK(gguf_file_open(&heap, path, &options, &file, &err));
        assert_int_equal(gguf_part_count(file), 1);
        assert_string_equal(gguf_part_at(file, 0)->path, path);
        assert_int_equal(gguf_part_at(file, 0)->mapped, !no_map);
        check_tiny_tensors(file);
        gguf_file_close(file);
    }
    gguf_file *file = NULL;
    const gguf_open_options options = {.max_header_bytes = 100};
    ASSERT_STATUS(gguf_file_open(&heap, path, &options, &file, &err), ONDOL_E_LIMIT);
    assert_null(file);
    assert_int_equal(truncate(path, (off_t)b.n - 20), 0);
    ASSERT_STATUS(gguf_file_open(&heap, path, NULL, &file, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "tiny.gguf': tensor 'q'");
    ASSERT_CONTAINS(err.text, "20 are missing (half a download, or damaged)");
    char part[PATH_BYTES];
    snprintf(part, sizeof part, "%s/tiny.gguf.part", folder);
    assert_int_equal(rename(path, part), 0);
    ASSERT_STATUS(gguf_file_open(&heap, part, NULL, &file, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "its name says that a download is not finished");
    ASSERT_STATUS(gguf_file_open(&heap, path, NULL, &file, &err), ONDOL_E_NOT_FOUND);
    ASSERT_STATUS(gguf_file_open(&heap, folder, NULL, &file, &err), ONDOL_E_ARGUMENT);
    unlink(part);
    rmdir(folder);
}

/* Part `number` of a set of `count`; its tensor is "t<number>", of one f32. */
static void write_part(const char *path, uint32_t number, uint32_t count, uint32_t n_tensors,
                       const char *tensor) {
    gguf_bytes b;
    put_head(&b, 3, number == 1, 1, 4);
    put_key(&b, "split.no", GGUF_TYPE_U16), put_integer(&b, number, 2);
    put_key(&b, "split.count", GGUF_TYPE_U16), put_integer(&b, count, 2);
    put_key(&b, "split.tensors.count", GGUF_TYPE_I32), put_u32(&b, n_tensors);
    put_key_u32(&b, "number", number);
    put_tensor(&b, tensor, 1, (const uint64_t[]){1}, 0, 0);
    put_padding(&b, 32);
    put_f32(&b, (float)number + 0.5f);
    write_file(path, b.data, b.n);
}

typedef struct split_set {
    char folder[FOLDER_BYTES], paths[3][PATH_BYTES], other[PATH_BYTES];
} split_set;

static const char *const split_names[] = {"t0", "t1", "t2"};

static void make_split_set(split_set *set) {
    make_folder(set->folder);
    snprintf(set->other, PATH_BYTES, "%s/other.gguf", set->folder);
    for (uint32_t i = 0; i < 3; i++) {
        snprintf(set->paths[i], PATH_BYTES, "%s/m-%05u-of-00003.gguf", set->folder, i + 1);
        write_part(set->paths[i], i, 3, 3, split_names[i]);
    }
}

static void remove_split_set(const split_set *set) {
    for (int i = 0; i < 3; i++)
        unlink(set->paths[i]);
    unlink(set->other);
    rmdir(set->folder);
}

static void check_split_tensors(gguf_file *file, const split_set *set) {
    ondol_error err = {0};
    for (uint32_t i = 0; i < 3; i++) {
        const unsigned char *data = NULL;
        float value = 0;
        const gguf_tensor *t = gguf_find_tensor(file, split_names[i]);
        assert_ptr_equal(t, gguf_tensor_at(file, i));
        assert_int_equal(t->part, i);
        assert_string_equal(gguf_part_at(file, i)->path, set->paths[i]);
        ASSERT_OK(gguf_tensor_data(file, t, &data, &err));
        tensor_decode(t->encoding, data, 1, &value);
        assert_true(value == (float)i + 0.5f);
    }
}

static void split_sets_open_from_any_part(void **state) {
    (void)state;
    ondol_allocator heap = base_default_allocator();
    ondol_error err = {0};
    split_set set;
    gguf_file *file = NULL;
    make_split_set(&set);
    for (uint32_t from = 0; from < 3; from++) {
        uint32_t number = 9;
        ASSERT_OK(gguf_file_open(&heap, set.paths[from], NULL, &file, &err));
        assert_int_equal(gguf_part_count(file), 3);
        assert_int_equal(gguf_tensor_count(file), 3);
        ASSERT_OK(gguf_get_u32(file, "number", &number, &err));
        assert_int_equal(number, 0);
        check_split_tensors(file, &set);
        gguf_file_close(file);
    }
    for (size_t n = 0;; n++) { /* each allocation fails in turn */
        fail_alloc memory;
        fail_alloc_init(&memory, n);
        ondol_status status = gguf_file_open(&memory.api, set.paths[2], NULL, &file, &err);
        gguf_file_close(file);
        fail_alloc_check_empty(&memory);
        if (!memory.failed) break;
        assert_int_equal(status, ONDOL_E_MEMORY);
        assert_true(n < 200);
    }
    write_part(set.other, 0, 1, 1, "t0"); /* a set of one needs no such name */
    ASSERT_OK(gguf_file_open(&heap, set.other, NULL, &file, &err));
    gguf_file_close(file);
    remove_split_set(&set);
}

static void split_sets_that_do_not_fit_are_refused(void **state) {
    (void)state;
    ondol_allocator heap = base_default_allocator();
    ondol_error err = {0};
    split_set set;
    gguf_file *file = NULL;
    make_split_set(&set);
    write_part(set.paths[0], 0, 3, 4, "t0");
    ASSERT_STATUS(gguf_file_open(&heap, set.paths[1], NULL, &file, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "'split.tensors.count' is 4, but the 3 parts have 3 tensors");
    write_part(set.paths[0], 0, 3, 3, "t0");
    write_part(set.paths[1], 2, 3, 3, "t1");
    ASSERT_STATUS(gguf_file_open(&heap, set.paths[0], NULL, &file, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "its keys say part 3 of 3, expected part 2 of 3");
    write_part(set.paths[1], 1, 3, 3, "t0");
    ASSERT_STATUS(gguf_file_open(&heap, set.paths[0], NULL, &file, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "tensor 't0': there are two of that name");
    write_file(set.paths[1], "GGUF\3", 5);
    ASSERT_STATUS(gguf_file_open(&heap, set.paths[0], NULL, &file, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "m-00002-of-00003.gguf': version at byte 4 needs 4 bytes");
    unlink(set.paths[1]);
    ASSERT_STATUS(gguf_file_open(&heap, set.paths[2], NULL, &file, &err), ONDOL_E_NOT_FOUND);
    ASSERT_CONTAINS(err.text, "part 2 of 3 of the model is missing: there is no");
    ASSERT_CONTAINS(err.text, "m-00002-of-00003.gguf'");
    assert_int_equal(rename(set.paths[0], set.other), 0);
    ASSERT_STATUS(gguf_file_open(&heap, set.other, NULL, &file, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "expected to end in '-00001-of-00003.gguf'");
    write_part(set.other, 3, 3, 3, "t0");
    ASSERT_STATUS(gguf_file_open(&heap, set.other, NULL, &file, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "'split.no' is 3, expected below split.count 3");
    remove_split_set(&set);
}

static void writer_streams_into_a_file(void **state) {
    (void)state;
    ondol_allocator heap = base_default_allocator();
    ondol_error err = {0};
    char folder[FOLDER_BYTES], path[PATH_BYTES];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/out.gguf", folder);
    for (int commit = 0; commit < 2; commit++) {
        gguf_writer *w = NULL;
        gguf_file *file = NULL;
        base_file_writer *out = NULL;
        ASSERT_OK(gguf_writer_create(&heap, 0, &w, &err));
        ASSERT_OK(gguf_writer_add_tensor(w, "t", TENSOR_ENCODING_I8, 1, (uint64_t[]){4}, &err));
        ASSERT_OK(base_file_writer_open(&heap, path, &out, &err));
        ASSERT_OK(gguf_writer_begin(w, gguf_sink_of_file(out), &err));
        ASSERT_OK(gguf_writer_put(w, "abcd", 4, &err));
        ASSERT_OK(gguf_writer_finish(w, &err));
        if (commit) ASSERT_OK(base_file_writer_commit(out, &err));
        base_file_writer_close(out);
        gguf_writer_destroy(w);
        ASSERT_STATUS(gguf_file_open(&heap, path, NULL, &file, &err),
                      commit ? ONDOL_OK : ONDOL_E_NOT_FOUND);
        gguf_file_close(file);
    }
    unlink(path);
    assert_int_equal(rmdir(folder), 0); /* no temporary file is left */
}

/* The header says 40 GB of tensor; only the header's pages exist. */
static void big_file_opens_at_once(void **state) {
    (void)state;
    ondol_error err = {0};
    char folder[FOLDER_BYTES], path[PATH_BYTES];
    make_folder(folder);
    snprintf(path, sizeof path, "%s/big.gguf", folder);
    gguf_bytes b;
    put_head(&b, 3, false, 2, 1);
    put_key_u32(&b, "answer", 42);
    put_tensor(&b, "big", 2, (const uint64_t[]){4096, 2500000}, 0, 0);
    put_tensor(&b, "last", 1, (const uint64_t[]){1}, 0, 40960000000);
    put_padding(&b, 32);
    write_file(path, b.data, b.n);
    if (truncate(path, (off_t)(b.n + 40960000004)) != 0) {
        unlink(path);
        rmdir(folder);
        print_message("big_file_opens_at_once: no sparse file of 40 GB here\n");
        skip();
    }
    fail_alloc memory;
    fail_alloc_init(&memory, FAIL_ALLOC_NEVER);
    gguf_file *file = NULL;
    uint64_t peak_before = base_memory_peak_bytes(), start = base_now_ns();
    ASSERT_OK(gguf_file_open(&memory.api, path, NULL, &file, &err));
    uint64_t took_ns = base_now_ns() - start;
    const gguf_tensor *last = gguf_find_tensor(file, "last");
    const unsigned char *data = NULL;
    float value = 1;
    ASSERT_OK(gguf_tensor_data(file, last, &data, &err));
    tensor_decode(last->encoding, data, 1, &value);
    assert_true(value == 0);
    gguf_file_close(file);
    fail_alloc_check_empty(&memory);
    assert_true(took_ns < 50 * 1000000u);
    assert_true(memory.peak_bytes < 65536);
    assert_true(base_memory_peak_bytes() - peak_before < 5000000);
    unlink(path);
    rmdir(folder);
}

/* Every vocabulary of the llama.cpp archive opens and says its tokens. */
static void real_vocabularies_open(void **state) {
    (void)state;
    ondol_allocator heap = base_default_allocator();
    const char *archive = getenv("ONDOL_TEST_ARCHIVE");
    char folder[PATH_BYTES * 2];
    struct dirent **entries = NULL;
    snprintf(folder, sizeof folder, "%s/models", archive ? archive : "");
    const int n = archive ? scandir(folder, &entries, NULL, alphasort) : -1;
    size_t opened = 0;
    for (int i = 0; i < n; i++) {
        const char *name = entries[i]->d_name, *end = strrchr(name, '.');
        char path[PATH_BYTES * 4];
        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (strncmp(name, "ggml-vocab-", 11) == 0 && end && strcmp(end, ".gguf") == 0) {
            gguf_file *file = NULL;
            ondol_error err = {0};
            const gguf_value *tokens = NULL;
            ASSERT_OK(gguf_file_open(&heap, path, NULL, &file, &err));
            ASSERT_OK(
                gguf_get_array(file, "tokenizer.ggml.tokens", GGUF_TYPE_STRING, &tokens, &err));
            assert_true(tokens->count > 1000);
            assert_true(gguf_array_string(tokens, tokens->count - 1).size_bytes > 0);
            gguf_touch_file(file);
            gguf_file_close(file);
            opened++;
        }
        free(entries[i]);
    }
    free(entries);
    if (opened == 0) {
        print_message("real_vocabularies_open: set ONDOL_TEST_ARCHIVE to the llama.cpp folder\n");
        skip();
    }
}

/* ---- memory ---- */

static void each_allocation_may_fail(void **state) {
    (void)state;
    ondol_error err = {0};
    for (int big_endian = 0; big_endian < 2; big_endian++) {
        gguf_bytes b;
        put_tiny_file(&b, 3, big_endian);
        for (size_t n = 0;; n++) {
            fail_alloc memory;
            gguf_file *file = NULL;
            fail_alloc_init(&memory, n);
            ondol_status status =
                gguf_file_open_memory(&memory.api, b.data, b.n, NULL, &file, &err);
            assert_int_equal(file == NULL, status != ONDOL_OK);
            for (size_t i = 0; status == ONDOL_OK && i < 2; i++) {
                const unsigned char *data = NULL;
                status = gguf_tensor_data(file, gguf_tensor_at(file, i), &data, &err);
            }
            gguf_file_close(file);
            fail_alloc_check_empty(&memory);
            if (!memory.failed) break;
            assert_int_equal(status, ONDOL_E_MEMORY);
            assert_true(n < 100);
        }
    }
}

static ondol_status write_small(const ondol_allocator *allocator, base_buffer *out,
                                ondol_error *err) {
    ondol_status status = ONDOL_OK;
    gguf_writer *w = NULL;
    TRY(gguf_writer_create(allocator, 64, &w, err));
    for (int i = 0; i < 40; i++) {
        char name[8];
        snprintf(name, sizeof name, "k%d", i);
        TRY(gguf_writer_add_string(w, name, (gguf_string){"value", 5}, err));
        TRY(gguf_writer_add_tensor(w, name, TENSOR_ENCODING_I8, 1, (uint64_t[]){4}, err));
    }
    TRY(gguf_writer_begin(w, gguf_sink_of_buffer(out), err));
    for (int i = 0; i < 40; i++)
        TRY(gguf_writer_put(w, "abcd", 4, err));
    TRY(gguf_writer_finish(w, err));
done:
    gguf_writer_destroy(w);
    return status;
}

static void each_allocation_of_the_writer_may_fail(void **state) {
    (void)state;
    ondol_error err = {0};
    for (size_t n = 0;; n++) {
        fail_alloc memory;
        fail_alloc_init(&memory, n);
        base_buffer out;
        base_buffer_init(&out, &memory.api, 1 << 20);
        ondol_status status = write_small(&memory.api, &out, &err);
        base_buffer_destroy(&out);
        fail_alloc_check_empty(&memory);
        if (!memory.failed) break;
        assert_int_equal(status, ONDOL_E_MEMORY);
        assert_true(n < 200);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_version_and_byte_order_reads_the_same),
        cmocka_unit_test(getters_say_key_expected_and_got),
        cmocka_unit_test(what_is_read_is_written_again_the_same),
        cmocka_unit_test(writer_makes_files_that_read_back),
        cmocka_unit_test(writer_refuses_what_no_reader_would_take),
        cmocka_unit_test(file_is_mapped_or_read),
        cmocka_unit_test(split_sets_open_from_any_part),
        cmocka_unit_test(split_sets_that_do_not_fit_are_refused),
        cmocka_unit_test(writer_streams_into_a_file),
        cmocka_unit_test(big_file_opens_at_once),
        cmocka_unit_test(real_vocabularies_open),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(each_allocation_of_the_writer_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
