/* formats/onnx, writing: bytes as protobuf has them, data within the model or beside it; and text.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "fail_alloc.h"
#include "formats/onnx/onnx_check.h"
#include "formats/onnx/onnx_print.h"
#include "onnx_build.h"

/* ---- bytes ---- */

static void bytes_are_those_of_protobuf(void **state) {
    (void)state;
    static const int64_t dims[] = {2, -1}, wide[] = {1, 300};
    static const int32_t narrow[] = {-1, 7};
    onnx_build b;
    ondol_error err = {0};
    build_begin(&b);
    onnx_tensor t = {.head.has = HAS(tensor, data_type) | HAS(tensor, name) | HAS(tensor, raw_data),
                     .data_type = 6,
                     .name = text_of("t"),
                     .dims = {dims, 2},
                     .int32_data = {narrow, 2},
                     .int64_data = {wide, 2},
                     .float_data = {(const unsigned char *)"abcdefgh", 2}};
    ASSERT_OK(onnx_write(&b.heap, ONNX_MESSAGE_tensor, &t, &b.bytes, &err));
    static const char expected[] =
        "\x08\x02"                                     /* dims are not packed */
        "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" /* -1 has ten bytes */
        "\x10\x06"                                     /* data_type */
        "\x22\x08"
        "abcdefgh"                                         /* float_data is packed */
        "\x2a\x0b\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" /* int32_data as well */
        "\x07"
        "\x3a\x03\x01\xac\x02" /* and int64_data */
        "\x42\x01t"            /* name */
        "\x4a";                /* raw_data is there, but empty; ends with a length of 0 */
    assert_int_equal(b.bytes.size, sizeof expected);
    assert_memory_equal(b.bytes.data, expected, sizeof expected);
    /* What has no bit is absent. */
    t = (onnx_tensor){.data_type = 6, .name = text_of("t")};
    b.bytes.size = 0;
    ASSERT_OK(onnx_write(&b.heap, ONNX_MESSAGE_tensor, &t, &b.bytes, &err));
    assert_int_equal(b.bytes.size, 0);
    build_end(&b);
}

static void depth_and_size_are_capped(void **state) {
    (void)state;
    onnx_build b;
    ondol_error err = {0};
    build_begin(&b);
    onnx_type *types = build_copy(&b, NULL, 0, 64 * sizeof *types);
    onnx_optional_type *within = build_copy(&b, NULL, 0, 64 * sizeof *within);
    for (int i = 0; i < 63; i++) {
        types[i].optional_type = within + i;
        within[i].elem_type = types + i + 1;
    }
    ASSERT_STATUS(onnx_write(&b.heap, ONNX_MESSAGE_type, types, &b.bytes, &err), ONDOL_E_LIMIT);
    ASSERT_CONTAINS(err.text, "nest deeper than 100");
    ASSERT_OK(onnx_write(&b.heap, ONNX_MESSAGE_type, types + 14, &b.bytes, &err));
    base_buffer text;
    base_buffer_init(&text, &b.heap, 1 << 20);
    ASSERT_OK(onnx_print_type(types, &text, &err));
    base_buffer_destroy(&text);
    /* 2 GiB that are counted, but never touched. */
    onnx_tensor t = {.head.has = HAS(tensor, raw_data), .raw_data = {"x", (size_t)1 << 31}};
    ASSERT_STATUS(onnx_write(&b.heap, ONNX_MESSAGE_tensor, &t, &b.bytes, &err), ONDOL_E_LIMIT);
    ASSERT_CONTAINS(err.text, "TensorProto of 2147483654 bytes");
    /* A buffer with a maximum of its own. */
    base_buffer_init(&text, &b.heap, 4);
    t.raw_data = text_of("12345");
    ASSERT_STATUS(onnx_write(&b.heap, ONNX_MESSAGE_tensor, &t, &text, &err), ONDOL_E_LIMIT);
    base_buffer_destroy(&text);
    build_end(&b);
}

/* ---- files ---- */

typedef struct fixture {
    onnx_build build;
    char folder[64], path[128], other[128];
    onnx_node node;
    onnx_graph graph;
    onnx_tensor weights[3];
    onnx_attribute value;
    onnx_model_proto model;
} fixture;

static const float NUMBERS[] = {1, 2, 3, 4};
static const int64_t FOUR[] = {4};

static void open_fixture(fixture *f) {
    *f = (fixture){0};
    onnx_build *b = &f->build;
    build_begin(b);
    snprintf(f->folder, sizeof f->folder, "/tmp/ondol-onnx-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/model.onnx", f->folder);
    snprintf(f->other, sizeof f->other, "%s/other.onnx", f->folder);
    const onnx_tensor floats = {.head.has = HAS(tensor, data_type) | HAS(tensor, name),
                                .data_type = TENSOR_ELEMENT_F32,
                                .dims = {FOUR, 1}};
    f->weights[0] = f->weights[1] = f->weights[2] = floats;
    f->weights[0].name = text_of("raw");
    f->weights[0].head.has |= HAS(tensor, raw_data);
    f->weights[0].raw_data = (onnx_string){(const char *)NUMBERS, sizeof NUMBERS};
    f->weights[1].name = text_of("typed");
    f->weights[1].float_data = (onnx_packed){(const unsigned char *)NUMBERS, 4};
    f->weights[2] = f->weights[0];
    f->weights[2].name = text_of("constant");
    f->value = attribute_of("value", ONNX_ATTRIBUTE_TENSOR);
    f->value.head.has |= HAS(attribute, t);
    f->value.t = f->weights + 2;
    f->node = node_of(b, "Constant", "", "y");
    f->node.attribute = (onnx_attribute_list){&f->value, 1};
    f->graph = graph_of(b, &f->node, 1, "", "");
    f->graph.initializer = (onnx_tensor_list){f->weights, 2};
    f->model = model_of(b, &f->graph, 20);
}

static const char *inside(const fixture *f, const char *name) {
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", f->folder, name);
    return path;
}

static void close_fixture(fixture *f) {
    static const char *const names[] = {"model.onnx", "model.onnx.data", "other.onnx", "w.bin",
                                        "other.onnx.data"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        remove(inside(f, names[i]));
    assert_int_equal(rmdir(f->folder), 0); /* and no temporary file was left behind */
    build_end(&f->build);
}

/* All tensors of the file hold NUMBERS; external: those that lie outside. */
static void expect_numbers(const char *path, size_t external) {
    const ondol_allocator a = base_default_allocator();
    onnx_file *file = NULL;
    base_arena arena;
    ondol_error err = {0};
    base_arena_init(&arena, &a, 0);
    ASSERT_OK(onnx_file_open(&a, path, NULL, &file, &err));
    ASSERT_OK(onnx_check_model(&a, onnx_file_model(file), file, &err));
    const onnx_graph *g = onnx_file_model(file)->graph;
    const onnx_tensor *all[] = {g->initializer.items, g->initializer.items + 1,
                                g->node.items[0].attribute.items[0].t};
    size_t outside = 0;
    for (int i = 0; i < 3; i++) {
        onnx_tensor_view view;
        ASSERT_OK(onnx_tensor_read(file, &arena, all[i], &view, &err));
        assert_memory_equal(view.data, NUMBERS, sizeof NUMBERS);
        outside += all[i]->data_location == ONNX_DATA_LOCATION_EXTERNAL;
    }
    assert_int_equal(outside, external);
    base_arena_destroy(&arena);
    onnx_file_close(file);
}

static void data_moves_out_and_in_again(void **state) {
    (void)state;
    fixture f;
    ondol_error err = {0};
    base_file data = {0};
    onnx_file *file = NULL;
    open_fixture(&f);
    const ondol_allocator *a = &f.build.heap;
    ASSERT_OK(onnx_write_file(a, &f.model, f.path, NULL, &err));
    expect_numbers(f.path, 0);
    onnx_write_options options = {
        .placement = ONNX_DATA_EXTERNAL, .threshold_bytes = 16, .alignment_bytes = 4096};
    ASSERT_OK(onnx_write_file(a, &f.model, f.path, &options, &err));
    expect_numbers(f.path, 2);
    ASSERT_OK(base_file_open(a, inside(&f, "model.onnx.data"), true, &data, &err));
    assert_int_equal(data.size, 4096 + 16);
    assert_memory_equal(data.data + 4096, NUMBERS, 16);
    base_file_close(&data);
    /* From that file: to another place, and inline. */
    ASSERT_OK(onnx_file_open(a, f.path, NULL, &file, &err));
    options = (onnx_write_options){.placement = ONNX_DATA_EXTERNAL,
                                   .threshold_bytes = 1,
                                   .source = file,
                                   .external_name = "w.bin"};
    ASSERT_OK(onnx_write_file(a, onnx_file_model(file), f.other, &options, &err));
    expect_numbers(f.other, 2);
    options = (onnx_write_options){.placement = ONNX_DATA_INLINE, .source = file};
    ASSERT_OK(onnx_write_file(a, onnx_file_model(file), f.other, &options, &err));
    expect_numbers(f.other, 0);
    /* Below the threshold it comes back. */
    options = (onnx_write_options){.placement = ONNX_DATA_EXTERNAL, .source = file};
    ASSERT_OK(onnx_write_file(a, onnx_file_model(file), f.other, &options, &err));
    expect_numbers(f.other, 0);
    /* Over itself, while it is mapped. */
    options.threshold_bytes = 2;
    ASSERT_OK(onnx_write_file(a, onnx_file_model(file), f.path, &options, &err));
    expect_numbers(f.path, 2);
    onnx_file_close(file);
    close_fixture(&f);
}

static void what_cannot_be_written_is_refused(void **state) {
    (void)state;
    static const char *const names[] = {"", "a/b", "/w", "..", ".", "c:w", "*w", "model.onnx"};
    fixture f;
    open_fixture(&f);
    const ondol_allocator *a = &f.build.heap;
    ondol_error err = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const onnx_write_options options = {.placement = ONNX_DATA_EXTERNAL,
                                            .external_name = names[i]};
        ASSERT_STATUS(onnx_write_file(a, &f.model, f.path, &options, &err), ONDOL_E_ARGUMENT);
        ASSERT_CONTAINS(err.text, "external data: '");
    }
    static const uint64_t alignments[] = {3, (uint64_t)1 << 25, UINT64_MAX};
    for (size_t i = 0; i < sizeof alignments / sizeof *alignments; i++) {
        const onnx_write_options options = {.placement = ONNX_DATA_EXTERNAL,
                                            .alignment_bytes = alignments[i]};
        ASSERT_STATUS(onnx_write_file(a, &f.model, f.path, &options, &err), ONDOL_E_ARGUMENT);
        ASSERT_CONTAINS(err.text, "expected a power of two up to 16777216");
    }
    const onnx_write_options inline_data = {.placement = ONNX_DATA_INLINE};
    f.weights[0].data_location = ONNX_DATA_LOCATION_EXTERNAL; /* and nobody knows where */
    ASSERT_STATUS(onnx_write_file(a, &f.model, f.path, &inline_data, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "tensor 'raw': external data");
    ASSERT_STATUS(onnx_write_file(a, &f.model, "/nowhere/at/all.onnx", NULL, &err),
                  ONDOL_E_NOT_FOUND);
    ASSERT_STATUS(onnx_write_file(a, &f.model, f.folder, NULL, &err), ONDOL_E_ARGUMENT);
    assert_int_equal(base_path_kind_of(f.path), BASE_PATH_MISSING);
    close_fixture(&f);
}

/* More than is gathered before it goes to the file, in small pieces and large. */
static void large_files_are_whole(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    ondol_error err = {0};
    const size_t n = 20000, large = 300000;
    onnx_node *nodes = build_copy(&f.build, NULL, 0, n * sizeof *nodes);
    char *bytes = build_copy(&f.build, NULL, 0, large);
    for (size_t i = 0; i < n; i++)
        nodes[i] = f.node;
    memset(bytes, 7, large);
    f.graph.node = (onnx_node_list){nodes, n};
    f.model.graph = &f.graph;
    f.weights[0].raw_data = (onnx_string){bytes, large};
    const ondol_allocator *a = &f.build.heap;
    onnx_file *file = NULL;
    base_file written = {0};
    ASSERT_OK(onnx_write(a, ONNX_MESSAGE_model_proto, &f.model, &f.build.bytes, &err));
    ASSERT_OK(onnx_write_file(a, &f.model, f.path, NULL, &err));
    ASSERT_OK(base_file_open(a, f.path, true, &written, &err));
    assert_int_equal(written.size, f.build.bytes.size);
    assert_memory_equal(written.data, f.build.bytes.data, f.build.bytes.size);
    base_file_close(&written);
    ASSERT_OK(onnx_file_open(a, f.path, NULL, &file, &err));
    assert_int_equal(onnx_file_model(file)->graph->node.count, n);
    onnx_file_close(file);
    close_fixture(&f);
}

/* ---- text ---- */

static void expect_text(onnx_build *b, const onnx_model_proto *m, uint64_t max_elems,
                        const char *expected) {
    base_buffer text;
    ondol_error err = {0};
    const onnx_print_options options = {.max_elems = max_elems};
    base_buffer_init(&text, &b->heap, 1 << 20);
    ASSERT_OK(onnx_print_text(m, &options, &text, &err));
    assert_string_equal(text.data, expected);
    base_buffer_destroy(&text);
}

static void models_have_a_text(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    onnx_build *b = &f.build;
    const onnx_node nodes[] = {node_of(b, "Constant", "", "y"), node_of(b, "If", "x,,a b", "z,")};
    onnx_node list[2] = {nodes[0], nodes[1]};
    onnx_graph then = graph_of(b, &f.node, 1, "", "float");
    then.name = text_of("then-branch");
    list[0].attribute = f.node.attribute;
    add_attribute(b, list, int_attribute("i", -3));
    add_attribute(b, list, float_attribute("f", 0.1f));
    add_attribute(b, list, string_attribute("s", "a \"b\" \\"));
    add_attribute(b, list, attribute_of("ints", ONNX_ATTRIBUTE_INTS));
    add_attribute(b, list + 1, graph_attribute_of(b, "then_branch", &then));
    list[1].head.has |= HAS(node, name);
    list[1].name = text_of("the if");
    f.graph.node = (onnx_node_list){list, 2};
    f.graph.input = floats_of(b, "x,a b");
    ((onnx_value_info *)(uintptr_t)f.graph.input.items)[0].type =
        tensor_type_of(b, TENSOR_ELEMENT_F32, "2,N,?");
    ((onnx_value_info *)(uintptr_t)then.output.items)[0].type = NULL;
    f.model.graph = &f.graph;
    onnx_node body = node_of(b, "Abs", "p", "q");
    add_attribute(b, &body, reference_attribute("k", ONNX_ATTRIBUTE_INT, "alpha"));
    onnx_function function = function_of(b, "F", &body, 1, "p", "q");
    const onnx_attribute beta = float_attribute("beta", 2);
    function.attribute = names_of(b, "alpha");
    function.attribute_proto = (onnx_attribute_list){&beta, 1};
    f.model.functions = (onnx_function_list){&function, 1};
    f.model.head.has |= HAS(model_proto, producer_name);
    f.model.producer_name = text_of("ondol");
    f.model.ir_version = 10;
    expect_text(b, &f.model, 2,
                "<\n"
                "   ir_version: 10,\n"
                "   opset_import: [\"\" : 20, \"local\" : 1],\n"
                "   producer_name: \"ondol\"\n"
                ">\n"
                "test (float[2,N,?] x, float[] \"a b\") => () \n"
                "   <float[4] raw =  {1,2,...}, float[4] typed =  {1,2,...}>\n"
                "{\n"
                "   y = Constant <value: tensor = float[4] constant {1,2,...}, i: int = -3, "
                "f: float = 0.1, s: string = \"a \\\"b\\\" \\\\\", ints: ints = []> ()\n"
                "   [\"the if\"] z, \"\" = If (x, \"\", \"a b\") <then_branch: graph = "
                "_then_branch () => ( \"float\") {\n"
                "      y = Constant <value: tensor = float[4] constant {1,2,...}> ()\n"
                "   }>\n"
                "}\n"
                "<\n"
                "  domain: \"local\",\n"
                "  opset_import: [\"\" : 18,\"local\" : 1]\n"
                ">\n"
                "F <alpha,beta: float = 2>(p) => (q)\n"
                "{\n"
                "   q = Abs <k: int = @alpha> (p)\n"
                "}");
    close_fixture(&f);
}

static void types_have_a_text(void **state) {
    (void)state;
    onnx_build b;
    build_begin(&b);
    const onnx_type *element = tensor_type_of(&b, TENSOR_ELEMENT_I4, "3,\"q");
    const onnx_sequence_type sequence = {.elem_type = element};
    const onnx_type sequences = {.sequence_type = &sequence};
    const onnx_map_type map = {.key_type = TENSOR_ELEMENT_STRING, .value_type = &sequences};
    const onnx_type maps = {.map_type = &map};
    const onnx_optional_type optional = {.elem_type = &maps};
    const onnx_opaque_type opaque = {.domain = text_of("a.b"), .name = text_of("c")};
    const onnx_tensor_type sparse = {.elem_type = TENSOR_ELEMENT_F32};
    const struct {
        onnx_type type;
        const char *text;
    } cases[] = {{{.optional_type = &optional}, "optional(map(string, seq(int4[3,\"\\\"q\"])))"},
                 {{.opaque_type = &opaque}, "opaque(a.b,c)"},
                 {{.sparse_tensor_type = &sparse}, "sparse_tensor(float[])"},
                 {{.denotation = text_of("x")}, "undefined"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        base_buffer text;
        ondol_error err = {0};
        base_buffer_init(&text, &b.heap, 1 << 10);
        ASSERT_OK(onnx_print_type(&cases[i].type, &text, &err));
        assert_string_equal(text.data, cases[i].text);
        base_buffer_destroy(&text);
    }
    build_end(&b);
}

static void text_that_does_not_fit_is_a_status(void **state) {
    (void)state;
    fixture f;
    open_fixture(&f);
    for (size_t most = 0; most < 200; most += 7) {
        base_buffer text;
        ondol_error err = {0};
        base_buffer_init(&text, &f.build.heap, most);
        ASSERT_STATUS(onnx_print_text(&f.model, NULL, &text, &err), ONDOL_E_LIMIT);
        assert_true(text.size <= most);
        base_buffer_destroy(&text);
    }
    for (size_t k = 0;; k++) {
        fail_alloc memory;
        base_buffer text;
        ondol_error err = {0};
        fail_alloc_init(&memory, k);
        base_buffer_init(&text, &memory.api, 1 << 20);
        const ondol_status status = onnx_print_text(&f.model, NULL, &text, &err);
        base_buffer_destroy(&text);
        fail_alloc_check_empty(&memory);
        if (!memory.failed) break;
        ASSERT_STATUS(status, ONDOL_E_MEMORY);
    }
    close_fixture(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_those_of_protobuf),
        cmocka_unit_test(depth_and_size_are_capped),
        cmocka_unit_test(data_moves_out_and_in_again),
        cmocka_unit_test(what_cannot_be_written_is_refused),
        cmocka_unit_test(large_files_are_whole),
        cmocka_unit_test(models_have_a_text),
        cmocka_unit_test(types_have_a_text),
        cmocka_unit_test(text_that_does_not_fit_is_a_status),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
