/* formats/onnx, reading: fields and their presence, numbers packed or not, data of tensors in each
 * of its forms, external files, and each allocation failing in turn. */
#include <sys/stat.h>

#include "base/buffer.h"
#include "fail_alloc.h"
#include "formats/onnx/onnx_check.h"
#include "formats/onnx/onnx_print.h"
#include "formats/onnx/onnx_writer.h"
#include "onnx_bytes.h"
#include "tensor/number.h"

static const ondol_allocator *heap(void) {
    static ondol_allocator a;
    a = base_default_allocator();
    return &a;
}

/* Opens bytes that outlive the file. */
static onnx_file *open_bytes(const onnx_bytes *b) {
    onnx_file *file = NULL;
    ondol_error err = {0};
    ASSERT_OK(onnx_file_open_memory(heap(), b->data, b->n, &file, &err));
    return file;
}

static const onnx_tensor *first_tensor(const onnx_file *file) {
    const onnx_graph *g = onnx_file_model(file)->graph;
    assert_true(g->initializer.count > 0);
    return g->initializer.items;
}

static bool lies_in(const onnx_bytes *b, const void *p) {
    return (const unsigned char *)p >= b->data && (const unsigned char *)p < b->data + b->n;
}

/* ---- fields ---- */

static void fields_and_their_presence_are_kept(void **state) {
    (void)state;
    onnx_bytes t = bytes_of_tensor(2);
    put_bytes(&t, 9, "\0\0\0\x3f\0\0\x80\x3f", 8);
    put_integer(&t, 14, 0);
    const onnx_bytes b = bytes_of_model(&t);
    onnx_file *file = open_bytes(&b);
    const onnx_model_proto *m = onnx_file_model(file);
    assert_int_equal(m->ir_version, 10);
    assert_true(onnx_has(&m->head, ONNX_HAS_model_proto_ir_version));
    assert_false(onnx_has(&m->head, ONNX_HAS_model_proto_producer_name));
    assert_int_equal(m->opset_import.count, 1);
    assert_true(onnx_has(&m->opset_import.items[0].head, ONNX_HAS_operator_set_domain));
    assert_int_equal(m->opset_import.items[0].domain.size_bytes, 0);
    assert_true(onnx_is(m->graph->name, "g"));
    const onnx_tensor *w = first_tensor(file);
    assert_true(onnx_has(&w->head, ONNX_HAS_tensor_data_location));
    assert_false(onnx_has(&w->head, ONNX_HAS_tensor_doc_string));
    assert_true(lies_in(&b, w->raw_data.text));
    assert_int_equal(onnx_file_size_bytes(file), b.n);
    onnx_file_close(file);
}

static void unknown_fields_are_kept(void **state) {
    (void)state;
    onnx_bytes sub = {.n = 0};
    put_text(&sub, 2, "g");
    put_integer(&sub, 900, -1);
    onnx_bytes m = {.n = 0};
    put_integer(&m, 1, 10);
    put_text(&m, 1000, "later");
    put_message(&m, 7, &sub);
    put_tag(&m, 1001, 5);
    put_raw(&m, "abcd", 4);
    put_tag(&m, 1002, 1);
    put_raw(&m, "abcdefgh", 8);
    onnx_file *file = open_bytes(&m);
    assert_int_equal(onnx_file_model(file)->head.unknown.count, 3);
    assert_int_equal(onnx_file_model(file)->graph->head.unknown.count, 1);
    base_buffer out;
    base_buffer_init(&out, heap(), SIZE_MAX / 2);
    ondol_error err = {0};
    ASSERT_OK(onnx_write(heap(), ONNX_MESSAGE_model_proto, onnx_file_model(file), &out, &err));
    assert_int_equal(out.size, m.n); /* the same fields, unknown ones behind the known */
    assert_memory_equal(out.data + out.size - 10,
                        "\xd1\x3e"
                        "abcdefgh",
                        10);
    base_buffer_destroy(&out);
    onnx_file_close(file);
}

static void the_last_of_a_scalar_counts(void **state) {
    (void)state;
    onnx_bytes b = bytes_of_model(NULL);
    put_integer(&b, 1, 7);
    put_text(&b, 2, "first");
    put_text(&b, 2, "second");
    onnx_file *file = open_bytes(&b);
    assert_int_equal(onnx_file_model(file)->ir_version, 7);
    assert_true(onnx_is(onnx_file_model(file)->producer_name, "second"));
    onnx_file_close(file);
}

static void numbers_come_packed_or_not(void **state) {
    (void)state;
    static const unsigned char floats[12] = {0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40};
    for (int form = 0; form < 4; form++) { /* packed, not packed, both, packed in two */
        onnx_bytes t = bytes_of_tensor(3);
        onnx_bytes dims = {.n = 0};
        if (form == 0) put_bytes(&t, 4, floats, 12);
        if (form == 3) put_bytes(&t, 4, floats, 4), put_bytes(&t, 4, floats + 4, 8);
        for (int i = 0; (form == 1 || form == 2) && i < 3; i++) {
            if (form == 2 && i == 0) {
                put_bytes(&t, 4, floats, 4);
            } else {
                put_tag(&t, 4, 5);
                put_raw(&t, floats + 4 * i, 4);
            }
        }
        put_varint(&dims, 1);
        put_varint(&dims, 1);
        put_bytes(&t, 1, dims.data, dims.n); /* [3,1,1] */
        const onnx_bytes b = bytes_of_model(&t);
        onnx_file *file = open_bytes(&b);
        const onnx_tensor *w = first_tensor(file);
        assert_int_equal(w->dims.count, 3);
        assert_int_equal(w->dims.items[0], 3);
        assert_int_equal(w->float_data.count, 3);
        for (size_t i = 0; i < 3; i++)
            assert_true(onnx_packed_float(&w->float_data, i) == (float)i);
        assert_true(lies_in(&b, w->float_data.items) == (form == 0)); /* else gathered */
        onnx_file_close(file);
    }
}

static void negative_numbers_have_ten_bytes(void **state) {
    (void)state;
    onnx_bytes t = bytes_of_tensor(2), list = {.n = 0};
    put_integer(&t, 2, TENSOR_ELEMENT_I32);
    put_varint(&list, (uint64_t)(int64_t)-5);
    put_varint(&list, (uint32_t)-6); /* in five bytes, as some writers have it */
    put_bytes(&t, 5, list.data, list.n);
    const onnx_bytes b = bytes_of_model(&t);
    onnx_file *file = open_bytes(&b);
    assert_int_equal(first_tensor(file)->int32_data.items[0], -5);
    assert_int_equal(first_tensor(file)->int32_data.items[1], -6);
    onnx_file_close(file);
}

/* ---- data of tensors ---- */

/* Field of the list that elements of a type are kept in. */
static uint32_t list_of(int e) {
    switch (e) {
    case TENSOR_ELEMENT_F32:
    case TENSOR_ELEMENT_C64: return 4;
    case TENSOR_ELEMENT_I64: return 7;
    case TENSOR_ELEMENT_F64:
    case TENSOR_ELEMENT_C128: return 10;
    case TENSOR_ELEMENT_U32:
    case TENSOR_ELEMENT_U64: return 11;
    default: return 5;
    }
}

static uint64_t bits_at(const unsigned char *p, unsigned n_bytes) {
    uint64_t v = 0;
    for (unsigned i = 0; i < n_bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

/* The same 13 elements as raw bytes and in the type's list. */
static void put_both(int e, onnx_bytes *raw, onnx_bytes *typed) {
    enum { ELEMS = 13 };
    unsigned char bytes[16 * ELEMS] = {0};
    onnx_bytes list = {.n = 0};
    uint64_t size = 0;
    const unsigned bits = tensor_element_bits((tensor_element)e);
    assert_true(tensor_element_bytes((tensor_element)e, ELEMS, &size));
    for (uint64_t i = 0; i < size; i++)
        bytes[i] = (unsigned char)(i * 37 + 11);
    const unsigned spare = (unsigned)(size * 8 - (uint64_t)bits * ELEMS);
    bytes[size - 1] &= (unsigned char)(0xff >> spare);
    const uint32_t field = list_of(e);
    if (field == 4 || field == 10) {
        put_raw(&list, bytes, size);
    } else if (bits == 6) {
        for (uint64_t i = 0; i < ELEMS; i++)
            put_varint(&list, tensor_get_code((tensor_element)e, bytes, i));
    } else {
        const unsigned each = bits < 8 ? 1 : bits / 8;
        for (uint64_t i = 0; i < size / each; i++)
            put_varint(&list, bits_at(bytes + each * i, each));
    }
    *raw = bytes_of_tensor(ELEMS);
    *typed = bytes_of_tensor(ELEMS);
    put_integer(raw, 2, e);
    put_integer(typed, 2, e);
    put_bytes(raw, 9, bytes, size);
    put_bytes(typed, field, list.data, list.n);
}

static void every_element_type_reads_alike_raw_and_typed(void **state) {
    (void)state;
    for (int e = 1; e < TENSOR_ELEMENT_COUNT; e++) {
        if (e == TENSOR_ELEMENT_STRING) continue;
        onnx_bytes raw, typed;
        put_both(e, &raw, &typed);
        const onnx_bytes a = bytes_of_model(&raw), b = bytes_of_model(&typed);
        onnx_file *one = open_bytes(&a), *two = open_bytes(&b);
        base_arena arena;
        base_arena_init(&arena, heap(), 0);
        onnx_tensor_view x, y;
        ondol_error err = {0};
        ASSERT_OK(onnx_tensor_read(one, &arena, first_tensor(one), &x, &err));
        ASSERT_OK(onnx_tensor_read(two, &arena, first_tensor(two), &y, &err));
        assert_true(x.borrowed && lies_in(&a, x.data) && !y.borrowed);
        assert_int_equal(x.element, e);
        assert_int_equal(x.elems, 13);
        assert_int_equal(x.size_bytes, y.size_bytes);
        if (memcmp(x.data, y.data, x.size_bytes) != 0)
            fail_msg("%s differs", tensor_element_name((tensor_element)e));
        ASSERT_OK(onnx_check_tensor(heap(), first_tensor(one), &err));
        ASSERT_OK(onnx_check_tensor(heap(), first_tensor(two), &err));
        base_arena_destroy(&arena);
        onnx_file_close(one);
        onnx_file_close(two);
    }
}

static void strings_are_views(void **state) {
    (void)state;
    onnx_bytes t = bytes_of_tensor(3);
    put_integer(&t, 2, TENSOR_ELEMENT_STRING);
    put_bytes(&t, 6, "a\0b", 3);
    put_text(&t, 6, "");
    put_text(&t, 6, "c");
    const onnx_bytes b = bytes_of_model(&t);
    onnx_file *file = open_bytes(&b);
    base_arena arena;
    base_arena_init(&arena, heap(), 0);
    onnx_tensor_view view;
    ondol_error err = {0};
    ASSERT_OK(onnx_tensor_read(file, &arena, first_tensor(file), &view, &err));
    const tensor_string *s = view.data;
    assert_int_equal(s[0].size_bytes, 3);
    assert_memory_equal(s[0].text, "a\0b", 3);
    assert_int_equal(s[1].size_bytes, 0);
    assert_true(lies_in(&b, s[2].text));
    base_arena_destroy(&arena);
    onnx_file_close(file);
}

static void empty_and_rank_0_tensors(void **state) {
    (void)state;
    onnx_bytes none = bytes_of_tensor(0), scalar = {.n = 0};
    put_integer(&none, 1, INT64_MAX);
    put_integer(&none, 1, INT64_MAX); /* [0, 2^63 - 1, 2^63 - 1] has no elements all the same */
    put_integer(&scalar, 2, TENSOR_ELEMENT_I64);
    put_integer(&scalar, 7, -9);
    const onnx_bytes a = bytes_of_model(&none), b = bytes_of_model(&scalar);
    onnx_file *one = open_bytes(&a), *two = open_bytes(&b);
    base_arena arena;
    base_arena_init(&arena, heap(), 0);
    onnx_tensor_view view;
    ondol_error err = {0};
    ASSERT_OK(onnx_tensor_read(one, &arena, first_tensor(one), &view, &err));
    assert_int_equal(view.elems, 0);
    assert_int_equal(view.rank, 3);
    assert_non_null(view.data);
    ASSERT_OK(onnx_tensor_read(two, &arena, first_tensor(two), &view, &err));
    assert_int_equal(view.elems, 1);
    assert_int_equal(view.rank, 0);
    assert_int_equal(tensor_get_integer(view.element, view.data, 0), -9);
    base_arena_destroy(&arena);
    onnx_file_close(one);
    onnx_file_close(two);
}

/* values 1, 2 at the places that indices say, in [2,3] */
static ondol_status read_sparse(const int64_t *indices, const int64_t *index_dims,
                                size_t index_rank, size_t index_count, float out[6],
                                ondol_error *err) {
    static const int64_t two[] = {2}, dims[] = {2, 3};
    static const unsigned char data[8] = {0, 0, 0x80, 0x3f, 0, 0, 0, 0x40};
    const onnx_tensor values = {
        .data_type = TENSOR_ELEMENT_F32, .dims = {two, 1}, .float_data = {data, 2}};
    const onnx_tensor places = {.data_type = TENSOR_ELEMENT_I64,
                                .dims = {index_dims, index_rank},
                                .int64_data = {indices, index_count}};
    const onnx_sparse_tensor t = {.values = &values, .indices = &places, .dims = {dims, 2}};
    onnx_tensor_view view;
    base_arena arena;
    base_arena_init(&arena, heap(), 0);
    ondol_status status = onnx_sparse_tensor_read(NULL, &arena, &t, &view, err);
    if (status == ONDOL_OK) {
        assert_int_equal(view.rank, 2);
        memcpy(out, view.data, 6 * sizeof *out);
    }
    base_arena_destroy(&arena);
    return status;
}

static void sparse_tensors_become_dense(void **state) {
    (void)state;
    float out[6];
    ondol_error err = {0};
    static const float expected[6] = {0, 0, 1, 0, 2, 0};
    ASSERT_OK(read_sparse((const int64_t[]){2, 4}, (const int64_t[]){2}, 1, 2, out, &err));
    assert_memory_equal(out, expected, sizeof out);
    ASSERT_OK(read_sparse((const int64_t[]){0, 2, 1, 1}, (const int64_t[]){2, 2}, 2, 4, out, &err));
    assert_memory_equal(out, expected, sizeof out);
    ASSERT_STATUS(read_sparse((const int64_t[]){2, 6}, (const int64_t[]){2}, 1, 2, out, &err),
                  ONDOL_E_FORMAT);
    ASSERT_STATUS(read_sparse((const int64_t[]){2, -1}, (const int64_t[]){2}, 1, 2, out, &err),
                  ONDOL_E_FORMAT);
    ASSERT_STATUS(
        read_sparse((const int64_t[]){0, 3, 1, 1}, (const int64_t[]){2, 2}, 2, 4, out, &err),
        ONDOL_E_FORMAT);
    ASSERT_STATUS(read_sparse((const int64_t[]){2}, (const int64_t[]){1}, 1, 1, out, &err),
                  ONDOL_E_FORMAT);
    ASSERT_STATUS(read_sparse((const int64_t[]){2, 4}, (const int64_t[]){2, 1}, 2, 2, out, &err),
                  ONDOL_E_FORMAT);
}

/* ---- files ---- */

typedef struct files {
    char folder[64], path[128];
} files;

static void make_folder(files *f) {
    snprintf(f->folder, sizeof f->folder, "/tmp/ondol-onnx-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/model.onnx", f->folder);
}

static void remove_file(const files *f, const char *name) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    remove(path);
}

static void remove_folder(const files *f) {
    static const char *const names[] = {"model.onnx", "w.bin", "sub/w.bin", "sub", "empty.bin"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove_file(f, names[i]);
    assert_int_equal(rmdir(f->folder), 0);
}

static void read_floats(onnx_file *file, const float *expected, size_t n, const void **where) {
    onnx_tensor_view view;
    ondol_error err = {0};
    ASSERT_OK(onnx_tensor_read(file, NULL, first_tensor(file), &view, &err));
    assert_true(view.borrowed);
    assert_int_equal(view.elems, n);
    assert_memory_equal(view.data, expected, n * sizeof *expected);
    if (where) *where = view.data;
}

static void external_data_is_mapped(void **state) {
    (void)state;
    static const float numbers[] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const struct {
        const char *location, *offset, *length;
    } forms[] = {{"w.bin", "8", "8"},
                 {"w.bin", "8", NULL},
                 {"./w.bin", "8", "8"},
                 {"sub/w.bin", "8", "8"},
                 {"sub//./w.bin", "8", "8"}};
    files f;
    make_folder(&f);
    char sub[128];
    snprintf(sub, sizeof sub, "%s/sub", f.folder);
    assert_int_equal(mkdir(sub, 0755), 0);
    put_file(f.folder, "w.bin", numbers, sizeof numbers);
    put_file(f.folder, "sub/w.bin", numbers, sizeof numbers);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        for (int no_map = 0; no_map < 2; no_map++) {
            const onnx_bytes t =
                bytes_of_external(2, forms[i].location, forms[i].offset, forms[i].length);
            const onnx_bytes m = bytes_of_model(&t);
            const onnx_open_options options = {.no_map = no_map};
            onnx_file *file = NULL;
            ondol_error err = {0};
            const void *first = NULL, *second = NULL;
            put_model_file(f.folder, &m);
            ASSERT_OK(onnx_file_open(heap(), f.path, &options, &file, &err));
            read_floats(file, numbers + 2, 2, &first);
            read_floats(file, numbers + 2, 2, &second);
            assert_ptr_equal(first, second); /* the file is opened once */
            ASSERT_OK(onnx_check_model(heap(), onnx_file_model(file), file, &err));
            onnx_file_close(file);
        }
    }
    remove_folder(&f);
}

static void an_empty_external_file_serves_empty_tensors(void **state) {
    (void)state;
    files f;
    make_folder(&f);
    put_file(f.folder, "empty.bin", "", 0);
    const onnx_bytes t = bytes_of_external(0, "empty.bin", NULL, NULL), m = bytes_of_model(&t);
    put_model_file(f.folder, &m);
    onnx_file *file = NULL;
    ondol_error err = {0};
    ASSERT_OK(onnx_file_open(heap(), f.path, NULL, &file, &err));
    read_floats(file, NULL, 0, NULL);
    onnx_file_close(file);
    remove_folder(&f);
}

/* ---- allocations that fail ---- */

/* Everything that a model goes through. */
static ondol_status use_all(const ondol_allocator *a, const char *path, const char *copy,
                            ondol_error *err) {
    onnx_file *file = NULL;
    base_arena arena;
    base_buffer text;
    ondol_status status = ONDOL_OK;
    base_arena_init(&arena, a, 0);
    base_buffer_init(&text, a, SIZE_MAX / 2);
    TRY(onnx_file_open(a, path, NULL, &file, err));
    const onnx_graph *g = onnx_file_model(file)->graph;
    for (size_t i = 0; i < g->initializer.count; i++) {
        onnx_tensor_view view;
        TRY(onnx_tensor_read(file, &arena, g->initializer.items + i, &view, err));
    }
    TRY(onnx_check_model(a, onnx_file_model(file), file, err));
    TRY(onnx_print_text(onnx_file_model(file), NULL, &text, err));
    const onnx_write_options options = {.placement = ONNX_DATA_EXTERNAL,
                                        .source = file,
                                        .threshold_bytes = 4,
                                        .external_name = "w2.bin"};
    TRY(onnx_write_file(a, onnx_file_model(file), copy, &options, err));
done:
    base_buffer_destroy(&text);
    base_arena_destroy(&arena);
    onnx_file_close(file);
    return status;
}

static void each_allocation_may_fail(void **state) {
    (void)state;
    files f;
    char copy[128];
    make_folder(&f);
    snprintf(copy, sizeof copy, "%s/copy.onnx", f.folder);
    put_file(f.folder, "w.bin", "12345678", 8);
    onnx_bytes m = {.n = 0}, g = {.n = 0}, imports = {.n = 0}, raw, typed, n = {.n = 0};
    const onnx_bytes outside = bytes_of_external(2, "w.bin", NULL, NULL);
    put_both(TENSOR_ELEMENT_F16, &raw, &typed);
    put_text(&typed, 8, "v");
    put_text(&n, 1, "w");
    put_text(&n, 2, "y");
    put_text(&n, 4, "Op");
    put_text(&g, 2, "g");
    put_message(&g, 1, &n);
    put_message(&g, 5, &outside);
    put_message(&g, 5, &typed);
    put_integer(&imports, 2, 20);
    put_integer(&m, 1, 10);
    put_message(&m, 7, &g);
    put_message(&m, 8, &imports);
    put_text(&m, 99, "unknown");
    put_model_file(f.folder, &m);
    for (size_t k = 0;; k++) {
        fail_alloc memory;
        ondol_error err = {0};
        fail_alloc_init(&memory, k);
        const ondol_status status = use_all(&memory.api, f.path, copy, &err);
        fail_alloc_check_empty(&memory);
        if (!memory.failed) {
            ASSERT_OK(status);
            assert_true(k > 20);
            break;
        }
        ASSERT_STATUS(status, ONDOL_E_MEMORY);
        assert_int_equal(err.status, ONDOL_E_MEMORY);
    }
    remove_file(&f, "copy.onnx");
    remove_file(&f, "w2.bin");
    remove_folder(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_and_their_presence_are_kept),
        cmocka_unit_test(unknown_fields_are_kept),
        cmocka_unit_test(the_last_of_a_scalar_counts),
        cmocka_unit_test(numbers_come_packed_or_not),
        cmocka_unit_test(negative_numbers_have_ten_bytes),
        cmocka_unit_test(every_element_type_reads_alike_raw_and_typed),
        cmocka_unit_test(strings_are_views),
        cmocka_unit_test(empty_and_rank_0_tensors),
        cmocka_unit_test(sparse_tensors_become_dense),
        cmocka_unit_test(external_data_is_mapped),
        cmocka_unit_test(an_empty_external_file_serves_empty_tensors),
        cmocka_unit_test(each_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
