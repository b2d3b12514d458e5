/* network/: graphs that run as they are written: control flow and what it sees of the graph around,
 * caps and cancelling, inputs with defaults, profiles, memory that fails. */
#include <pthread.h>
#include <stdio.h>
#include <time.h>

#include "device/registry.h"
#include "graph/ops.h"
#include "fail_alloc.h"
#include "models/onnx_import.h"
#include "network/network.h"
#include "onnx_build.h"

typedef struct fixture {
    onnx_build build;
    onnx_file *file;
    graph *g;
    plan_device *device;
    network *n;
    tensor_value *inputs[8], *outputs[8];
    ondol_error err;
} fixture;

static int begin(void **state) {
    static fixture f;
    memset(&f, 0, sizeof f);
    build_begin(&f.build);
    *state = &f;
    const device_settings settings = {.allocator = &f.build.heap, .isa = BASE_ISA_SCALAR};
    return device_create("ref", &settings, &f.device, &f.err) == ONDOL_OK ? 0 : 1;
}

static void release_all(fixture *f) {
    for (int i = 0; i < 8; i++) {
        tensor_value_release(f->inputs[i]);
        tensor_value_release(f->outputs[i]);
        f->inputs[i] = f->outputs[i] = NULL;
    }
}

static int end(void **state) {
    fixture *f = *state;
    release_all(f);
    const bool fine = !f->n || tensor_heap_used(network_heap(f->n)) < 1 << 16;
    network_destroy(f->n);
    device_destroy(f->device);
    graph_destroy(f->g);
    onnx_file_close(f->file);
    build_end(&f->build);
    return fine ? 0 : 1;
}

static void open_graph(fixture *f, const onnx_graph *g, const network_options *options) {
    const onnx_model_proto m = model_of(&f->build, g, 18);
    ondol_error err;
    build_bytes(&f->build, &m);
    ASSERT_OK(onnx_file_open_memory(&f->build.heap, f->build.bytes.data, f->build.bytes.size,
                                    &f->file, &err));
    ASSERT_OK(models_graph_from_onnx(&f->build.heap, f->file, &f->g, &err));
    ASSERT_OK(network_create(&f->build.heap, f->g, &f->device, 1, NULL, options, &f->n, &err));
}

static void give(fixture *f, int i, tensor_element e, uint32_t rank, int64_t size,
                 const void *data) {
    ondol_error err;
    tensor_value_release(f->inputs[i]);
    ASSERT_OK(tensor_value_create(network_heap(f->n), e, rank, &size, f->inputs + i, &err));
    memcpy(f->inputs[i]->data, data, (size_t)tensor_value_bytes(f->inputs[i]));
}

static void give_floats(fixture *f, int i, float a, float b) {
    const float x[] = {a, b};
    give(f, i, TENSOR_ELEMENT_F32, 1, 2, x);
}

static void expect_run(fixture *f, ondol_status wanted) {
    for (int i = 0; i < 8; i++) {
        tensor_value_release(f->outputs[i]);
        f->outputs[i] = NULL;
    }
    ondol_error err = {0};
    ASSERT_STATUS(network_run(f->n, f->inputs, f->outputs, &err), wanted);
    f->err = err;
}

static void expect_floats(fixture *f, int i, uint64_t n, const float *wanted) {
    const tensor_value *y = f->outputs[i];
    assert_non_null(y);
    assert_int_equal(y->elems, n);
    assert_memory_equal(y->data, wanted, n * sizeof *wanted);
}

/* A list whose first letters tell the element types: "n" int64, "c" and "k" bool. */
static onnx_value_info_list typed(onnx_build *b, const char *names) {
    const onnx_strings list = names_of(b, names);
    onnx_value_info infos[16];
    for (size_t i = 0; i < list.count; i++) {
        const char first = list.items[i].text[0];
        const int32_t e = first == 'n'                   ? TENSOR_ELEMENT_I64
                          : first == 'c' || first == 'k' ? TENSOR_ELEMENT_BOOL
                                                         : TENSOR_ELEMENT_F32;
        infos[i] = info_of("", tensor_type_of(b, e, NULL));
        infos[i].name = list.items[i];
    }
    return (onnx_value_info_list){build_copy(b, infos, list.count, sizeof *infos), list.count};
}

/* ---- control flow ---- */

static onnx_graph branch(onnx_build *b, const char *op, const char *inputs) {
    const onnx_node node = node_of(b, op, inputs, "r");
    return graph_of(b, &node, 1, "", "r");
}

static void branches_see_what_is_around(void **state) {
    fixture *f = *state;
    onnx_build *b = &f->build;
    const onnx_graph yes = branch(b, "Add", "x,t"), no = branch(b, "Sub", "x,t");
    onnx_node nodes[] = {node_of(b, "Mul", "x,x", "t"), node_of(b, "If", "c", "y")};
    add_attribute(b, nodes + 1, graph_attribute_of(b, "then_branch", &yes));
    add_attribute(b, nodes + 1, graph_attribute_of(b, "else_branch", &no));
    onnx_graph g = graph_of(b, nodes, 2, "", "y");
    g.input = typed(b, "x,c");
    open_graph(f, &g, NULL);
    assert_int_equal(network_node_count(f->n), 4);
    assert_int_equal(network_nodes_on(f->n, 0), 4);
    for (int round = 0; round < 3; round++) {
        const bool c = round != 1;
        const float sum[] = {2, 6}, difference[] = {0, -2};
        give_floats(f, 0, 1, 2);
        give(f, 1, TENSOR_ELEMENT_BOOL, 0, 1, &c);
        expect_run(f, ONDOL_OK);
        expect_floats(f, 0, 2, c ? sum : difference);
    }
}

/* last, all = Loop(n, c, x) { t = s + x; u = t } with x from the graph around. */
static onnx_graph loop_graph(onnx_build *b, const char *inputs, const char *loop_inputs) {
    const onnx_node body[] = {node_of(b, "Identity", "d", "k"), node_of(b, "Add", "s,x", "t"),
                              node_of(b, "Identity", "t", "u")};
    onnx_graph inner = graph_of(b, body, 3, "", "k,t,u");
    inner.input = typed(b, "n1,c1,s");
    inner.output = typed(b, "k,t,u");
    ((onnx_value_info *)(uintptr_t)inner.input.items)[1].name = text_of("d");
    onnx_node loop = node_of(b, "Loop", loop_inputs, "last,all");
    add_attribute(b, &loop, graph_attribute_of(b, "body", &inner));
    onnx_graph g = graph_of(b, &loop, 1, "", "last,all");
    g.input = typed(b, inputs);
    return g;
}

static void loops_carry_and_stack(void **state) {
    fixture *f = *state;
    const onnx_graph g = loop_graph(&f->build, "x,n", "n,,x");
    open_graph(f, &g, NULL);
    static const int64_t trips[] = {3, 0, 1, -4};
    for (size_t i = 0; i < 4; i++) {
        const int64_t n = trips[i], count = n > 0 ? n : 0;
        give_floats(f, 0, 1, 2);
        give(f, 1, TENSOR_ELEMENT_I64, 0, 1, &n);
        expect_run(f, ONDOL_OK);
        const float last[] = {(float)(count + 1), (float)(2 * (count + 1))};
        expect_floats(f, 0, 2, last);
        if (count) assert_int_equal(f->outputs[1]->rank, 2); /* nothing tells that of none */
        assert_int_equal(f->outputs[1]->dims[0], count);
        assert_int_equal(f->outputs[1]->elems, 2 * count);
        if (count == 3) {
            const float all[] = {2, 4, 3, 6, 4, 8};
            expect_floats(f, 1, 6, all);
        }
    }
}

static void loops_end(void **state) {
    fixture *f = *state;
    const onnx_graph g = loop_graph(&f->build, "x,n", "n,,x");
    const network_options options = {.max_iterations = 10, .max_bytes = 1 << 16};
    const int64_t eleven = 11, ten = 10;
    open_graph(f, &g, &options);
    give_floats(f, 0, 1, 2);
    give(f, 1, TENSOR_ELEMENT_I64, 0, 1, &ten);
    expect_run(f, ONDOL_OK);
    give(f, 1, TENSOR_ELEMENT_I64, 0, 1, &eleven);
    expect_run(f, ONDOL_E_LIMIT);
    ASSERT_CONTAINS(f->err.text, "(Loop): it did not end after 10 iterations");
    assert_null(f->outputs[0]);
    give(f, 1, TENSOR_ELEMENT_I64, 0, 1, &ten);
    expect_run(f, ONDOL_OK); /* the network is as it was */
}

static void loops_stop_at_the_cap_of_memory(void **state) {
    fixture *f = *state;
    const onnx_graph g = loop_graph(&f->build, "x,n", "n,,x");
    const network_options options = {.max_bytes = 1 << 16};
    const int64_t many = (int64_t)1 << 40;
    open_graph(f, &g, &options);
    give_floats(f, 0, 1, 2);
    give(f, 1, TENSOR_ELEMENT_I64, 0, 1, &many);
    expect_run(f, ONDOL_E_LIMIT);
    ASSERT_CONTAINS(f->err.text, "node '");
    ASSERT_CONTAINS(f->err.text, "65536");
}

/* ---- cancelling ---- */

static void *cancel(void *n) {
    const struct timespec pause = {0, 50000000};
    nanosleep(&pause, NULL);
    network_cancel(n);
    return NULL;
}

static void runs_are_cancelled(void **state) {
    fixture *f = *state;
    const onnx_node loop_body[] = {node_of(&f->build, "Identity", "d", "k"),
                                   node_of(&f->build, "Neg", "s", "t")};
    onnx_graph inner = graph_of(&f->build, loop_body, 2, "", "k,t");
    inner.input = typed(&f->build, "n1,c1,s");
    inner.output = typed(&f->build, "k,t");
    ((onnx_value_info *)(uintptr_t)inner.input.items)[1].name = text_of("d");
    onnx_node loop = node_of(&f->build, "Loop", ",,x", "y");
    add_attribute(&f->build, &loop, graph_attribute_of(&f->build, "body", &inner));
    onnx_graph g = graph_of(&f->build, &loop, 1, "x", "y");
    open_graph(f, &g, NULL); /* it would go on 2^31 times */
    give_floats(f, 0, 1, 2);
    network_cancel(f->n); /* the next run */
    expect_run(f, ONDOL_E_CANCELLED);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel, f->n), 0);
    expect_run(f, ONDOL_E_CANCELLED);
    pthread_join(thread, NULL);
    assert_null(f->outputs[0]);
}

/* ---- inputs ---- */

static void inputs_have_defaults(void **state) {
    fixture *f = *state;
    onnx_build *b = &f->build;
    const onnx_node add = node_of(b, "Add", "x,w", "y");
    onnx_graph g = graph_of(b, &add, 1, "", "y");
    onnx_tensor w = i64_tensor(b, "w", NULL, 0);
    const float values[] = {10, 20};
    const int64_t dims[] = {2};
    w.data_type = TENSOR_ELEMENT_F32;
    w.dims = (onnx_int64s){build_copy(b, dims, 1, sizeof *dims), 1};
    w.int64_data = (onnx_int64s){NULL, 0};
    w.head.has |= HAS(tensor, raw_data);
    w.raw_data = (onnx_string){build_copy(b, values, 2, sizeof *values), sizeof values};
    g.initializer = (onnx_tensor_list){build_copy(b, &w, 1, sizeof w), 1};
    const onnx_value_info infos[] = {
        info_of("x", tensor_type_of(b, TENSOR_ELEMENT_F32, "N")),
        info_of("w", tensor_type_of(b, TENSOR_ELEMENT_F32, "M"))}; /* says less than the default */
    g.input = (onnx_value_info_list){build_copy(b, infos, 2, sizeof *infos), 2};
    open_graph(f, &g, NULL);
    const float usual[] = {11, 22}, other[] = {4, 6};
    give_floats(f, 0, 1, 2);
    expect_run(f, ONDOL_OK);
    expect_floats(f, 0, 2, usual);
    give_floats(f, 1, 3, 4);
    expect_run(f, ONDOL_OK);
    expect_floats(f, 0, 2, other);
    tensor_value_release(f->inputs[1]);
    f->inputs[1] = NULL;
    expect_run(f, ONDOL_OK); /* it is there again */
    expect_floats(f, 0, 2, usual);
    tensor_value_release(f->inputs[0]);
    f->inputs[0] = NULL;
    expect_run(f, ONDOL_E_ARGUMENT);
    ASSERT_CONTAINS(f->err.text, "input 'x' of 'test' is missing");
}

static void defaults_fit_their_inputs(void **state) {
    fixture *f = *state;
    onnx_build *b = &f->build;
    const int64_t values[] = {1, 2};
    static const char *const declared[] = {"3", "2,1", "", NULL};
    for (size_t i = 0; i < 4; i++) {
        const onnx_node add = node_of(b, "Neg", "w", "n");
        onnx_graph g = graph_of(b, &add, 1, "", "n");
        g.output = typed(b, "n");
        const onnx_tensor w = i64_tensor(b, "w", values, 2);
        const onnx_value_info info =
            info_of("w", tensor_type_of(b, TENSOR_ELEMENT_I64, declared[i]));
        g.initializer = (onnx_tensor_list){build_copy(b, &w, 1, sizeof w), 1};
        g.input = (onnx_value_info_list){build_copy(b, &info, 1, sizeof info), 1};
        const onnx_model_proto m = model_of(b, &g, 18);
        onnx_file *file = NULL;
        graph *out = NULL;
        ondol_error err = {0};
        build_bytes(b, &m);
        ASSERT_OK(onnx_file_open_memory(&b->heap, b->bytes.data, b->bytes.size, &file, &err));
        ASSERT_STATUS(models_graph_from_onnx(&b->heap, file, &out, &err),
                      declared[i] ? ONDOL_E_FORMAT : ONDOL_OK);
        if (declared[i]) ASSERT_CONTAINS(err.text, "it is of another shape than the input 'w'");
        graph_destroy(out);
        onnx_file_close(file);
    }
}

/* ---- profile ---- */

typedef struct rows {
    char names[8][32];
    uint64_t runs[8], time_ns[8];
    uint32_t count;
} rows;

static void take_row(void *user, const graph *g, graph_node_id node, const char *device,
                     const char *kernel, uint64_t runs, uint64_t time_ns) {
    rows *r = user;
    assert_string_equal(device, "ref");
    assert_non_null(kernel);
    snprintf(r->names[r->count], sizeof r->names[0], "%s",
             graph_op_info_of(g->nodes[node].op)->name);
    r->runs[r->count] = runs;
    r->time_ns[r->count++] = time_ns;
}

static void nodes_are_timed(void **state) {
    fixture *f = *state;
    const onnx_graph g = loop_graph(&f->build, "x,n", "n,,x");
    const network_options options = {.profile = true};
    const int64_t five = 5;
    open_graph(f, &g, &options);
    give_floats(f, 0, 1, 2);
    give(f, 1, TENSOR_ELEMENT_I64, 0, 1, &five);
    expect_run(f, ONDOL_OK);
    expect_run(f, ONDOL_OK);
    rows r = {.count = 0};
    network_profile(f->n, take_row, &r);
    assert_int_equal(r.count, 4);
    assert_string_equal(r.names[0], "Loop"); /* its body behind it */
    assert_string_equal(r.names[2], "Add");
    assert_int_equal(r.runs[0], 2);
    assert_int_equal(r.runs[2], 10);
    assert_true(r.time_ns[0] >= r.time_ns[1] + r.time_ns[2] + r.time_ns[3]);
}

/* ---- memory ---- */

static void memory_that_fails(void **state) {
    fixture *f = *state;
    const onnx_graph g = loop_graph(&f->build, "x,n", "n,,x");
    const int64_t two = 2;
    open_graph(f, &g, NULL);
    for (size_t at = 0;; at++) {
        fail_alloc memory;
        network *n = NULL;
        tensor_value *in[2] = {NULL}, *out[2] = {NULL};
        const float x[] = {1, 2};
        const int64_t size = 2;
        fail_alloc_init(&memory, at);
        ondol_error err = {0};
        ondol_status status = ONDOL_OK;
        TRY(network_create(&memory.api, f->g, &f->device, 1, NULL, NULL, &n, &err));
        TRY(tensor_value_create(network_heap(n), TENSOR_ELEMENT_F32, 1, &size, in, &err));
        memcpy(in[0]->data, x, sizeof x);
        TRY(tensor_value_create(network_heap(n), TENSOR_ELEMENT_I64, 0, NULL, in + 1, &err));
        memcpy(in[1]->data, &two, sizeof two);
        TRY(network_run(n, in, out, &err));
        assert_true(((float *)out[0]->data)[1] == 6);
    done:
        for (int i = 0; i < 2; i++) {
            tensor_value_release(in[i]);
            tensor_value_release(out[i]);
        }
        network_destroy(n);
        fail_alloc_check_empty(&memory);
        if (!memory.failed) break;
        assert_int_equal(status, ONDOL_E_MEMORY);
        assert_true(at < 1000);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(branches_see_what_is_around, begin, end),
        cmocka_unit_test_setup_teardown(loops_carry_and_stack, begin, end),
        cmocka_unit_test_setup_teardown(loops_end, begin, end),
        cmocka_unit_test_setup_teardown(loops_stop_at_the_cap_of_memory, begin, end),
        cmocka_unit_test_setup_teardown(runs_are_cancelled, begin, end),
        cmocka_unit_test_setup_teardown(inputs_have_defaults, begin, end),
        cmocka_unit_test_setup_teardown(defaults_fit_their_inputs, begin, end),
        cmocka_unit_test_setup_teardown(nodes_are_timed, begin, end),
        cmocka_unit_test_setup_teardown(memory_that_fails, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
