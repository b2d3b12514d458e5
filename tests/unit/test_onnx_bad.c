/* formats/onnx, bad input: each damage is a status with a sentence that says what and where, and
 * takes no more time or memory than the file's size justifies. */
#include <sys/stat.h>

#include "base/os.h"
#include "fail_alloc.h"
#include "formats/onnx/onnx_check.h"
#include "formats/onnx/onnx_print.h"
#include "onnx_bytes.h"

/* Opens a copy of exactly n bytes, so that a sanitizer sees the first byte too far, and reads and
 * checks all that is in it. */
static ondol_status try_bytes(const void *bytes, size_t n, ondol_error *err) {
    const ondol_allocator a = base_default_allocator();
    unsigned char *copy = malloc(n ? n : 1);
    onnx_file *file = NULL;
    base_arena arena;
    base_buffer text;
    assert_non_null(copy);
    if (n) memcpy(copy, bytes, n);
    base_arena_init(&arena, &a, 1 << 20);
    base_buffer_init(&text, &a, 1 << 20);
    ondol_status status = onnx_file_open_memory(&a, copy, n, &file, err);
    if (status == ONDOL_OK) {
        const onnx_graph *g = onnx_file_model(file)->graph;
        onnx_print_text(onnx_file_model(file), NULL, &text, NULL);
        onnx_check_model(&a, onnx_file_model(file), file, NULL);
        for (size_t i = 0; i < g->initializer.count && status == ONDOL_OK; i++) {
            onnx_tensor_view view;
            status = onnx_tensor_read(file, &arena, g->initializer.items + i, &view, err);
        }
    }
    base_buffer_destroy(&text);
    base_arena_destroy(&arena);
    onnx_file_close(file);
    free(copy);
    return status;
}

static void expect(const onnx_bytes *b, ondol_status status, const char *part) {
    ondol_error err = {0};
    ASSERT_STATUS(try_bytes(b->data, b->n, &err), status);
    if (status != ONDOL_OK) {
        assert_int_equal(err.status, status);
        ASSERT_CONTAINS(err.text, part);
    }
}

static void expect_tensor(const onnx_bytes *tensor, ondol_status status, const char *part) {
    const onnx_bytes m = bytes_of_model(tensor);
    expect(&m, status, part);
}

static onnx_bytes good_model(void) {
    onnx_bytes t = bytes_of_tensor(2);
    put_bytes(&t, 4, "12345678", 8);
    put_text(&t, 12, "words");
    return bytes_of_model(&t);
}

static void every_truncation_is_a_status(void **state) {
    (void)state;
    const onnx_bytes b = good_model();
    for (size_t n = 0; n < b.n; n++) {
        ondol_error err = {0};
        const ondol_status status = try_bytes(b.data, n, &err);
        if (status == ONDOL_OK) continue; /* cut between two fields, behind the graph */
        assert_true(status == ONDOL_E_FORMAT || status == ONDOL_E_LIMIT);
        assert_true(err.text[0] != 0);
    }
    expect(&b, ONDOL_OK, "");
}

static void every_damaged_byte_opens_or_fails(void **state) {
    (void)state;
    onnx_bytes b = good_model();
    for (size_t i = 0; i < b.n; i++) {
        const unsigned char was = b.data[i];
        for (int v = 0; v < 256; v++) {
            ondol_error err = {0};
            b.data[i] = (unsigned char)v;
            const ondol_status status = try_bytes(b.data, b.n, &err);
            assert_true(status == ONDOL_OK || err.text[0] != 0);
        }
        b.data[i] = was;
    }
}

/* ---- the wire format ---- */

static void varints_end_within_ten_bytes(void **state) {
    (void)state;
    onnx_bytes b = {.n = 0};
    put_tag(&b, 1, 0);
    put_raw(&b, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
    expect(&b, ONDOL_E_FORMAT, "ModelProto at offset 0: a field that passes its end, or a varint");
    b.n = 0;
    put_tag(&b, 1, 0);
    put_raw(&b, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10); /* 65 bits */
    expect(&b, ONDOL_E_FORMAT, "a varint over 10 bytes");
    b.n = 0;
    put_raw(&b, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12);
    expect(&b, ONDOL_E_FORMAT, "ModelProto at offset 0: no field's tag");
    onnx_bytes t = bytes_of_tensor(1), list = {.n = 0};
    put_raw(&list, "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12);
    put_bytes(&t, 5, list.data, list.n);
    expect_tensor(&t, ONDOL_E_FORMAT, "TensorProto at offset");
    t = bytes_of_tensor(1);
    put_bytes(&t, 5, "\x01\x81", 2); /* a packed number that does not end */
    expect_tensor(&t, ONDOL_E_FORMAT, "TensorProto at offset");
}

static void tags_are_checked(void **state) {
    (void)state;
    static const struct {
        unsigned char byte;
        const char *part;
    } cases[] = {{0x00, "no field's tag"},
                 {0x02, "no field's tag"},
                 {0x0b, "a wire type that is none of 0, 1, 2, 5"},
                 {0x0c, "a wire type that is none of 0, 1, 2, 5"},
                 {0x0e, "a wire type"},
                 {0x0f, "a wire type"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        onnx_bytes b = good_model();
        put_raw(&b, &cases[i].byte, 1);
        put_raw(&b, "\0\0\0\0", 4);
        expect(&b, ONDOL_E_FORMAT, cases[i].part);
    }
    onnx_bytes b = good_model();
    put_varint(&b, (uint64_t)0x20000000 << 3); /* numbers end at 2^29 - 1 */
    put_varint(&b, 0);
    expect(&b, ONDOL_E_FORMAT, "no field's tag");
}

/* Each field in each wire type: those that it does not have name it. */
static void wire_types_are_checked(void **state) {
    (void)state;
    static const struct {
        uint32_t field;
        unsigned wire;
        const char *part;
    } cases[] = {
        {1, 2, "ModelProto.ir_version at offset 0: wire type 2, expected 0"},
        {1, 5, "ModelProto.ir_version at offset 0: wire type 5, expected 0"},
        {2, 0, "ModelProto.producer_name at offset 0: wire type 0, expected 2"},
        {7, 0, "ModelProto.graph at offset 0: wire type 0, expected 2"},
        {7, 1, "ModelProto.graph at offset 0: wire type 1, expected 2"},
        {8, 5, "ModelProto.opset_import at offset 0: wire type 5, expected 2"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        onnx_bytes b = {.n = 0};
        put_tag(&b, cases[i].field, cases[i].wire);
        put_raw(&b, "\0\0\0\0\0\0\0\0", 8);
        expect(&b, ONDOL_E_FORMAT, cases[i].part);
    }
    onnx_bytes t = bytes_of_tensor(1);
    put_tag(&t, 4, 0);
    put_varint(&t, 1);
    expect_tensor(&t, ONDOL_E_FORMAT,
                  "TensorProto.float_data at offset 16: wire type 0, expected 5");
    t = bytes_of_tensor(1);
    put_tag(&t, 7, 1);
    put_raw(&t, "12345678", 8);
    expect_tensor(&t, ONDOL_E_FORMAT,
                  "TensorProto.int64_data at offset 16: wire type 1, expected 0");
    t = bytes_of_tensor(1);
    put_bytes(&t, 4, "12345", 5);
    expect_tensor(&t, ONDOL_E_FORMAT, "packed numbers that end in the midst of one");
    t = bytes_of_tensor(1);
    put_bytes(&t, 10, "1234567", 7);
    expect_tensor(&t, ONDOL_E_FORMAT, "packed numbers that end in the midst of one");
}

static void lengths_are_checked(void **state) {
    (void)state;
    static const uint64_t lengths[] = {9, 1 << 20, INT64_MAX, UINT64_MAX - 8, UINT64_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        onnx_bytes b = {.n = 0};
        put_tag(&b, 2, 2);
        put_varint(&b, lengths[i]);
        put_raw(&b, "12345678", 8);
        expect(&b, ONDOL_E_FORMAT, "8 are left: the file is damaged or cut short");
    }
}

static void nesting_is_capped(void **state) {
    (void)state;
    for (unsigned depth = 1; depth < 130; depth++) {
        onnx_bytes inner = {.n = 0};
        for (unsigned i = 2; i < depth; i++) { /* types within types */
            onnx_bytes outer = {.n = 0};
            put_message(&outer, i % 2 ? 1 : 4, &inner);
            inner = outer;
        }
        const void *message = NULL;
        const ondol_allocator a = base_default_allocator();
        base_arena arena;
        ondol_error err = {0};
        base_arena_init(&arena, &a, 0);
        /* An even number of levels begins with a type's list of optionals. */
        onnx_bytes top = {.n = 0};
        put_message(&top, depth % 2 ? 1 : 4, &inner);
        const ondol_status status =
            onnx_parse(&arena, depth % 2 ? ONNX_MESSAGE_sequence_type : ONNX_MESSAGE_type, top.data,
                       top.n, &message, &err);
        ASSERT_STATUS(status, depth <= 100 ? ONDOL_OK : ONDOL_E_LIMIT);
        if (depth > 100) ASSERT_CONTAINS(err.text, "messages nest deeper than 100");
        base_arena_destroy(&arena);
    }
}

static void messages_are_given_once(void **state) {
    (void)state;
    onnx_bytes b = good_model(), graph = {.n = 0};
    put_text(&graph, 2, "other");
    put_message(&b, 7, &graph);
    expect(&b, ONDOL_E_FORMAT, "a message that is given twice");
}

static void what_is_no_model_is_named(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t n;
        const char *part;
    } cases[] = {
        {"", 0, "this is an empty file, expected ONNX"},
        {"GGUF\3\0\0\0\0\0\0\0", 12, "this is GGUF, expected ONNX"},
        {"<!DOCTYPE html><html></html>", 28, "an HTML page, not the file"},
        {"version https://git-lfs.github.com/spec/v1\noid", 46, "a Git-LFS pointer"},
        {"PK\3\4\x14\0\0\0\0\0hello.txt", 19, "a zip archive"},
        {"\x08\x0a\x12\x02hi", 6, "this is no ONNX model: it has no graph"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ondol_error err = {0};
        const ondol_status status = try_bytes(cases[i].bytes, cases[i].n, &err);
        assert_true(status == ONDOL_E_FORMAT || status == ONDOL_E_UNSUPPORTED);
        ASSERT_CONTAINS(err.text, cases[i].part);
    }
}

/* ---- data of tensors ---- */

static void data_fits_its_dimensions(void **state) {
    (void)state;
    static const struct {
        int64_t n;
        size_t bytes;
        const char *part;
    } cases[] = {{2, 7, "tensor 'w': bytes of data: 7, expected 8"},
                 {2, 9, "tensor 'w': bytes of data: 9, expected 8"},
                 {0, 1, "tensor 'w': bytes of data: 1, expected 0"},
                 {-1, 8, "tensor 'w': dimension 0 is -1, expected 0 or more"},
                 {INT64_MIN, 8, "dimension 0 is -9223372036854775808"},
                 {INT64_MAX, 8, "tensor 'w': elements past memory"},
                 {(int64_t)1 << 62, 0, "tensor 'w': elements past memory"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        onnx_bytes t = bytes_of_tensor(cases[i].n);
        put_bytes(&t, 9, "123456789", cases[i].bytes);
        expect_tensor(&t, ONDOL_E_FORMAT, cases[i].part);
    }
    onnx_bytes t = bytes_of_tensor((int64_t)1 << 32);
    put_integer(&t, 1, (int64_t)1 << 32);
    expect_tensor(&t, ONDOL_E_FORMAT, "elements past memory");
    t = bytes_of_tensor(1 << 30); /* refused before a byte is taken */
    expect_tensor(&t, ONDOL_E_FORMAT, "numbers of data: 0, expected 1073741824");
    t = bytes_of_tensor(3);
    put_bytes(&t, 4, "12345678", 8);
    expect_tensor(&t, ONDOL_E_FORMAT, "tensor 'w': numbers in float_data: 2, expected 3");
    t = bytes_of_tensor(1);
    for (int i = 0; i < 16; i++)
        put_integer(&t, 1, 1);
    put_bytes(&t, 9, "1234", 4);
    expect_tensor(&t, ONDOL_E_FORMAT, "tensor 'w': rank: 17, expected 16");
}

static void types_and_places_are_checked(void **state) {
    (void)state;
    static const int64_t types[] = {0, 29, -1, INT32_MAX};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        onnx_bytes t = bytes_of_tensor(1);
        put_integer(&t, 2, types[i]);
        put_bytes(&t, 9, "1234", 4);
        expect_tensor(&t, ONDOL_E_FORMAT, "tensor 'w': data_type");
    }
    onnx_bytes t = bytes_of_tensor(1), segment = {.n = 0};
    put_integer(&t, 14, 2);
    put_bytes(&t, 9, "1234", 4);
    expect_tensor(&t, ONDOL_E_FORMAT, "tensor 'w': data_location");
    t = bytes_of_tensor(1);
    put_message(&t, 3, &segment);
    expect_tensor(&t, ONDOL_E_FORMAT, "tensor 'w': segments are not known");
    t = bytes_of_tensor(1);
    put_integer(&t, 2, TENSOR_ELEMENT_STRING);
    put_bytes(&t, 9, "1234", 4);
    expect_tensor(&t, ONDOL_E_FORMAT, "for strings");
    t = bytes_of_tensor(1);
    put_bytes(&t, 5, "\1", 1); /* int32_data of floats */
    expect_tensor(&t, ONDOL_E_FORMAT, "numbers in float_data: 0, expected 1");
}

/* ---- external data ---- */

typedef struct outside {
    char folder[64], path[128];
} outside;

static void open_outside(outside *o) {
    snprintf(o->folder, sizeof o->folder, "/tmp/ondol-onnx-XXXXXX");
    assert_non_null(mkdtemp(o->folder));
    snprintf(o->path, sizeof o->path, "%s/model.onnx", o->folder);
    put_file(o->folder, "w.bin", "0123456789abcdef", 16);
}

static const char *inside(const outside *o, const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", o->folder, name);
    return path;
}

static void close_outside(const outside *o) {
    static const char *const names[] = {"model.onnx", "w.bin",  "link", "folder/w.bin",
                                        "hard",       "linked", "fifo", "folder"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove(inside(o, names[i]));
    assert_int_equal(rmdir(o->folder), 0);
}

/* What reading the tensor, and checking the model, say of external data of two floats. */
static void expect_outside(const outside *o, const char *location, const char *offset,
                           const char *length, ondol_status wanted, const char *part) {
    const ondol_allocator a = base_default_allocator();
    const onnx_bytes t = bytes_of_external(2, location, offset, length), m = bytes_of_model(&t);
    onnx_file *file = NULL;
    onnx_tensor_view view;
    ondol_error err = {0};
    put_model_file(o->folder, &m);
    ASSERT_OK(onnx_file_open(&a, o->path, NULL, &file, &err));
    const onnx_model_proto *model = onnx_file_model(file);
    ASSERT_STATUS(onnx_tensor_read(file, NULL, model->graph->initializer.items, &view, &err),
                  wanted);
    if (wanted != ONDOL_OK) {
        ASSERT_CONTAINS(err.text, "tensor 'w': external data");
        ASSERT_CONTAINS(err.text, part);
        ASSERT_STATUS(onnx_check_model(&a, model, file, &err), wanted);
        ASSERT_CONTAINS(err.text, part);
    }
    onnx_file_close(file);
}

static void locations_stay_inside(void **state) {
    (void)state;
    static const struct {
        const char *location, *part;
    } cases[] = {
        {"/etc/hostname", "its location is absolute"},
        {"\\\\server\\share", "its location is absolute"},
        {"../w.bin", "its location leaves the folder"},
        {"folder/../w.bin", "its location leaves the folder"},
        {"folder/..", "its location leaves the folder"},
        {"..", "its location leaves the folder"},
        {"..\\w.bin", "its location leaves the folder"},
        {"C:w.bin", "names a drive or stream"},
        {"w.bin:stream", "names a drive or stream"},
        {"", "it has no location"},
        {NULL, "it has no location"},
        {".", "its location is the folder itself"},
        {".//.", "its location is the folder itself"},
        {"*/_ORT_MEM_ADDR_/*", "memory of another process"},
    };
    outside o;
    open_outside(&o);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        expect_outside(&o, cases[i].location, NULL, NULL, ONDOL_E_FORMAT, cases[i].part);
    expect_outside(&o, "w.bin", NULL, NULL, ONDOL_OK, "");
    expect_outside(&o, "absent.bin", NULL, NULL, ONDOL_E_NOT_FOUND, "absent.bin");
    expect_outside(&o, "w.bin/w.bin", NULL, NULL, ONDOL_E_NOT_FOUND, "w.bin");
    close_outside(&o);
}

static void links_and_devices_are_not_opened(void **state) {
    (void)state;
    outside o;
    open_outside(&o);
    char target[256];
    assert_int_equal(mkdir(inside(&o, "folder"), 0755), 0);
    put_file(o.folder, "folder/w.bin", "0123456789abcdef", 16);
    assert_int_equal(symlink("w.bin", inside(&o, "link")), 0);
    assert_int_equal(symlink("folder", inside(&o, "linked")), 0);
    assert_int_equal(mkfifo(inside(&o, "fifo"), 0644), 0);
    expect_outside(&o, "link", NULL, NULL, ONDOL_E_FORMAT, "symbolic link, which is not followed");
    expect_outside(&o, "linked/w.bin", NULL, NULL, ONDOL_E_FORMAT, "symbolic link");
    expect_outside(&o, "folder", NULL, NULL, ONDOL_E_ARGUMENT, "is a folder, expected a file");
    expect_outside(&o, "fifo", NULL, NULL, ONDOL_E_ARGUMENT, "is no regular file");
    expect_outside(&o, "folder/w.bin", NULL, NULL, ONDOL_OK, "");
    snprintf(target, sizeof target, "%s", inside(&o, "w.bin"));
    assert_int_equal(link(target, inside(&o, "hard")), 0);
    expect_outside(&o, "hard", NULL, NULL, ONDOL_E_FORMAT, "is a hard link (it has 2 names)");
    expect_outside(&o, "w.bin", NULL, NULL, ONDOL_E_FORMAT, "is a hard link (it has 2 names)");
    close_outside(&o);
}

static void offsets_and_lengths_are_checked(void **state) {
    (void)state;
    static const struct {
        const char *offset, *length, *part;
    } cases[] = {
        {"9", "8", "its offset and length pass the file's end"},
        {"16", "8", "its offset and length pass the file's end"},
        {"17", NULL, "its offset is past the file's end"},
        {"12", NULL, "bytes of data: 4, expected 8"},
        {"0", "7", "bytes of data: 7, expected 8"},
        {"0", "16", "bytes of data: 16, expected 8"},
        {"18446744073709551608", "8", "pass any file's end"},
        {"8", "18446744073709551615", "pass any file's end"},
        {"9223372036854775807", "9", "pass any file's end"},
        {"18446744073709551616", "8", "offset or length is no number"},
        {"-8", "8", "offset or length is no number"},
        {"0x8", "8", "offset or length is no number"},
        {" 8", "8", "offset or length is no number"},
        {"", "8", "offset or length is no number"},
        {"0", "8.0", "offset or length is no number"},
    };
    outside o;
    open_outside(&o);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ondol_allocator a = base_default_allocator();
        const onnx_bytes t = bytes_of_external(2, "w.bin", cases[i].offset, cases[i].length);
        const onnx_bytes m = bytes_of_model(&t);
        onnx_file *file = NULL;
        onnx_tensor_view view;
        ondol_error err = {0};
        put_model_file(o.folder, &m);
        ASSERT_OK(onnx_file_open(&a, o.path, NULL, &file, &err));
        const onnx_tensor *w = onnx_file_model(file)->graph->initializer.items;
        ASSERT_STATUS(onnx_tensor_read(file, NULL, w, &view, &err), ONDOL_E_FORMAT);
        ASSERT_CONTAINS(err.text, cases[i].part);
        onnx_file_close(file);
    }
    expect_outside(&o, "w.bin", "8", "8", ONDOL_OK, "");
    expect_outside(&o, "w.bin", "8", NULL, ONDOL_OK, "");
    close_outside(&o);
}

static void bytes_have_no_folder(void **state) {
    (void)state;
    const onnx_bytes t = bytes_of_external(2, "w.bin", NULL, NULL);
    expect_tensor(&t, ONDOL_E_FORMAT, "the model was given as bytes and has no folder");
}

/* ---- time and memory ---- */

/* A file full of the smallest messages asks most of memory for each of its bytes. */
static void memory_and_time_follow_the_size(void **state) {
    (void)state;
    static const struct {
        uint32_t of_graph;
        const char *what;
    } cases[] = {
        {1, "nodes"}, {5, "initializers"}, {11, "inputs"}, {15, "sparse"}, {99, "unknown"}};
    const size_t n = 200000;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        onnx_bytes head = {.n = 0}, tag = {.n = 0};
        put_tag(&tag, cases[i].of_graph, 2);
        put_varint(&tag, 0);
        put_integer(&head, 1, 10);
        put_tag(&head, 7, 2);
        put_varint(&head, n * tag.n);
        unsigned char *data = malloc(head.n + n * tag.n);
        assert_non_null(data);
        memcpy(data, head.data, head.n);
        for (size_t k = 0; k < n; k++)
            memcpy(data + head.n + k * tag.n, tag.data, tag.n);
        fail_alloc memory;
        onnx_file *file = NULL;
        ondol_error err = {0};
        fail_alloc_init(&memory, FAIL_ALLOC_NEVER);
        const uint64_t start = base_now_ns();
        ASSERT_OK(onnx_file_open_memory(&memory.api, data, head.n + n * tag.n, &file, &err));
        onnx_check_model(&memory.api, onnx_file_model(file), file, &err);
        assert_true(base_now_ns() - start < 4000000000u);
        assert_true(memory.peak_bytes < (head.n + n * tag.n) * 512 + (4u << 20));
        onnx_file_close(file);
        fail_alloc_check_empty(&memory);
        free(data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation_is_a_status),
        cmocka_unit_test(every_damaged_byte_opens_or_fails),
        cmocka_unit_test(varints_end_within_ten_bytes),
        cmocka_unit_test(tags_are_checked),
        cmocka_unit_test(wire_types_are_checked),
        cmocka_unit_test(lengths_are_checked),
        cmocka_unit_test(nesting_is_capped),
        cmocka_unit_test(messages_are_given_once),
        cmocka_unit_test(what_is_no_model_is_named),
        cmocka_unit_test(data_fits_its_dimensions),
        cmocka_unit_test(types_and_places_are_checked),
        cmocka_unit_test(locations_stay_inside),
        cmocka_unit_test(links_and_devices_are_not_opened),
        cmocka_unit_test(offsets_and_lengths_are_checked),
        cmocka_unit_test(bytes_have_no_folder),
        cmocka_unit_test(memory_and_time_follow_the_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
