/* ONNX models to graphs: values and their types, defaults, captures, functions, and that every
 * failing allocation is a status without a leak. */
#include <dirent.h>
#include <stdio.h>

#include "base/file.h"
#include "fail_alloc.h"
#include "graph/ops.h"
#include "models/onnx_import.h"
#include "onnx_build.h"

/* A model and its graph. */
typedef struct fixture {
    onnx_build build;
    onnx_file *file;
    graph *g;
    ondol_error err;
} fixture;

static int begin(void **state) {
    static fixture f;
    memset(&f, 0, sizeof f);
    build_begin(&f.build);
    *state = &f;
    return 0;
}

static int end(void **state) {
    fixture *f = *state;
    graph_destroy(f->g);
    onnx_file_close(f->file);
    build_end(&f->build);
    return 0;
}

static void import(fixture *f, const onnx_model_proto *m) {
    ondol_error err;
    build_bytes(&f->build, m);
    ASSERT_OK(onnx_file_open_memory(&f->build.heap, f->build.bytes.data, f->build.bytes.size,
                                    &f->file, &err));
    ASSERT_OK(models_graph_from_onnx(&f->build.heap, f->file, &f->g, &err));
}

static void import_graph(fixture *f, const onnx_graph *g, int64_t opset) {
    const onnx_model_proto m = model_of(&f->build, g, opset);
    import(f, &m);
}

static graph_op op_of(const graph *g, uint32_t n) {
    assert_true(n < g->node_count);
    return g->nodes[n].op;
}

static graph_value_id value_of(const graph *g, const char *name) {
    for (uint32_t v = 0; v < g->value_count; v++)
        if (strcmp(g->values[v].name, name) == 0) return v;
    fail_msg("no value '%s'", name);
    return GRAPH_NONE;
}

static void types_of_inputs(void **state) {
    fixture *f = *state;
    onnx_build *b = &f->build;
    const onnx_node n = node_of(b, "Identity", "x", "y");
    onnx_graph g = graph_of(b, &n, 1, "", "y");
    const onnx_type *item = tensor_type_of(b, TENSOR_ELEMENT_F64, "2");
    const onnx_sequence_type sequence = {.head.has = HAS(sequence_type, elem_type),
                                         .elem_type = item};
    const onnx_type sequence_type = {.head.has = HAS(type, sequence_type),
                                     .sequence_type = &sequence};
    const onnx_optional_type optional = {.head.has = HAS(optional_type, elem_type),
                                         .elem_type = &sequence_type};
    const onnx_type optional_type = {.head.has = HAS(type, optional_type),
                                     .optional_type = &optional};
    const onnx_map_type map = {.head.has = HAS(map_type, key_type) | HAS(map_type, value_type),
                               .key_type = TENSOR_ELEMENT_STRING,
                               .value_type = item};
    const onnx_type map_type = {.head.has = HAS(type, map_type), .map_type = &map};
    onnx_value_info inputs[] = {info_of("x", tensor_type_of(b, TENSOR_ELEMENT_F32, "2,N,?,N")),
                                info_of("scalar", tensor_type_of(b, TENSOR_ELEMENT_I64, "")),
                                info_of("any", tensor_type_of(b, TENSOR_ELEMENT_BOOL, NULL)),
                                info_of("optional", &optional_type),
                                info_of("map", &map_type),
                                info_of("nothing", NULL)};
    g.input = (onnx_value_info_list){inputs, 6};
    import_graph(f, &g, 18);
    assert_int_equal(f->g->input_count, 6);
    const graph_value *v = f->g->values + f->g->inputs[0];
    assert_int_equal(v->kind, GRAPH_VALUE_INPUT);
    assert_int_equal(v->element, TENSOR_ELEMENT_F32);
    assert_int_equal(v->shape.rank, 4);
    assert_int_equal(v->shape.dims[0], 2);
    assert_string_equal(f->g->symbols[GRAPH_SYMBOL_INDEX(v->shape.dims[1])], "N");
    assert_true(v->shape.dims[2] == GRAPH_DIM_UNKNOWN);
    assert_int_equal(v->shape.dims[3], v->shape.dims[1]);
    assert_int_equal(f->g->values[f->g->inputs[1]].shape.rank, 0);
    assert_int_equal(f->g->values[f->g->inputs[2]].shape.rank, GRAPH_RANK_UNKNOWN);
    v = f->g->values + f->g->inputs[3];
    assert_int_equal(v->type_kind, GRAPH_TYPE_OPTIONAL);
    assert_int_equal(v->item->kind, GRAPH_TYPE_SEQUENCE);
    assert_int_equal(v->item->item->element, TENSOR_ELEMENT_F64);
    assert_int_equal(v->item->item->shape.dims[0], 2);
    v = f->g->values + f->g->inputs[4];
    assert_int_equal(v->type_kind, GRAPH_TYPE_MAP);
    assert_int_equal(v->element, TENSOR_ELEMENT_STRING);
    assert_int_equal(v->item->element, TENSOR_ELEMENT_F64);
    assert_int_equal(f->g->values[f->g->inputs[5]].element, TENSOR_ELEMENT_UNDEFINED);
}

/* One initializer that is an input as well, one that is not. */
static onnx_graph with_initializers(onnx_build *b) {
    static const int64_t three[] = {3, 1, 2}, one[] = {5};
    const onnx_node n = node_of(b, "Reshape", "x,s", "y");
    onnx_graph g = graph_of(b, &n, 1, "x", "y");
    const onnx_tensor tensors[] = {i64_tensor(b, "s", three, 3), i64_tensor(b, "t", one, 1)};
    const onnx_value_info inputs[] = {g.input.items[0],
                                      info_of("s", tensor_type_of(b, TENSOR_ELEMENT_I64, "3"))};
    g.initializer = (onnx_tensor_list){build_copy(b, tensors, 2, sizeof *tensors), 2};
    g.input = (onnx_value_info_list){build_copy(b, inputs, 2, sizeof *inputs), 2};
    return g;
}

static void initializers_are_defaults(void **state) {
    fixture *f = *state;
    const onnx_graph g = with_initializers(&f->build);
    import_graph(f, &g, 18);
    assert_int_equal(f->g->input_count, 2);
    const graph_value *s = f->g->values + f->g->inputs[1];
    assert_int_equal(s->kind, GRAPH_VALUE_INPUT);
    assert_non_null(s->initial);
    assert_int_equal(s->initial->data_bytes, 24);
    assert_int_equal(((const int64_t *)s->initial->data)[0], 3);
    const graph_value *t = f->g->values + value_of(f->g, "t");
    assert_int_equal(t->kind, GRAPH_VALUE_INITIALIZER);
    assert_int_equal(((const int64_t *)t->data)[0], 5);
}

static void initializers_were_inputs(void **state) {
    fixture *f = *state;
    const onnx_graph g = with_initializers(&f->build);
    onnx_model_proto m = model_of(&f->build, &g, 8);
    m.ir_version = 3;
    import(f, &m);
    assert_int_equal(f->g->input_count, 1);
    assert_int_equal(f->g->values[value_of(f->g, "s")].kind, GRAPH_VALUE_INITIALIZER);
}

static void absent_inputs_and_outputs(void **state) {
    fixture *f = *state;
    onnx_build *b = &f->build;
    const onnx_node nodes[] = {node_of(b, "Clip", "x,,x", "c"), node_of(b, "TopK", "c,k", ",i"),
                               node_of(b, "Clip", "c,,", "y")};
    onnx_graph g = graph_of(b, nodes, 3, "x", "y");
    const int64_t k[] = {1};
    const onnx_tensor tensor = i64_tensor(b, "k", k, 1);
    g.initializer = (onnx_tensor_list){&tensor, 1};
    import_graph(f, &g, 18);
    assert_int_equal(f->g->nodes[0].input_count, 3);
    assert_int_equal(f->g->nodes[0].inputs[1], GRAPH_NONE);
    assert_int_equal(f->g->nodes[1].outputs[0], GRAPH_NONE);
    const graph_value *i = f->g->values + f->g->nodes[1].outputs[1];
    assert_string_equal(i->name, "i");
    assert_int_equal(i->element, TENSOR_ELEMENT_I64);
    assert_int_equal(f->g->nodes[2].input_count, 1); /* trailing ones are not counted */
}

static onnx_graph branch_of(onnx_build *b, const onnx_node *nodes, size_t count,
                            const char *output) {
    return graph_of(b, nodes, count, "", output);
}

/* An If in an If: the inner branch reads a value two levels out. */
static onnx_graph nested_ifs(onnx_build *b) {
    const onnx_node inner = node_of(b, "Add", "x,z", "inner");
    const onnx_graph inner_branch = branch_of(b, &inner, 1, "inner");
    onnx_node middle = node_of(b, "If", "c", "middle");
    add_attribute(b, &middle, graph_attribute_of(b, "then_branch", &inner_branch));
    add_attribute(b, &middle, graph_attribute_of(b, "else_branch", &inner_branch));
    const onnx_node nodes[] = {node_of(b, "Neg", "x", "z"), middle};
    const onnx_graph branch = branch_of(b, nodes, 2, "middle");
    onnx_node top = node_of(b, "If", "c", "y");
    add_attribute(b, &top, graph_attribute_of(b, "then_branch", &branch));
    add_attribute(b, &top, graph_attribute_of(b, "else_branch", &branch));
    onnx_graph g = graph_of(b, &top, 1, "x,c", "y");
    onnx_value_info inputs[] = {g.input.items[0],
                                info_of("c", tensor_type_of(b, TENSOR_ELEMENT_BOOL, ""))};
    g.input = (onnx_value_info_list){build_copy(b, inputs, 2, sizeof *inputs), 2};
    return g;
}

static void captures_go_through_every_level(void **state) {
    fixture *f = *state;
    const onnx_graph g = nested_ifs(&f->build);
    import_graph(f, &g, 18);
    const graph *branch = graph_get_attribute(f->g, 0, "else_branch")->graphs[0];
    assert_ptr_equal(branch->parent, f->g);
    const graph *inner = graph_get_attribute(branch, 1, "then_branch")->graphs[0];
    assert_ptr_equal(inner->parent, branch);
    const graph_node *add = inner->nodes;
    const graph_value *x = inner->values + add->inputs[0], *z = inner->values + add->inputs[1];
    assert_int_equal(x->kind, GRAPH_VALUE_CAPTURE);
    assert_int_equal(z->kind, GRAPH_VALUE_CAPTURE);
    assert_int_equal(branch->values[z->outer].kind, GRAPH_VALUE_INTERMEDIATE);
    assert_int_equal(branch->values[x->outer].kind, GRAPH_VALUE_CAPTURE);
    assert_int_equal(branch->values[x->outer].outer, f->g->inputs[0]);
    assert_int_equal(x->element, TENSOR_ELEMENT_F32);
}

/* scale(a, b?) <alpha, beta = 2>: LeakyRelu(a) by alpha, then Elu by beta, and Identity of b. */
static onnx_function activation_function(onnx_build *b) {
    static onnx_attribute beta;
    static onnx_string alpha;
    onnx_node leaky = node_of(b, "LeakyRelu", "a", "t"), elu = node_of(b, "Elu", "t", "u");
    add_attribute(b, &leaky, reference_attribute("alpha", ONNX_ATTRIBUTE_FLOAT, "alpha"));
    add_attribute(b, &elu, reference_attribute("alpha", ONNX_ATTRIBUTE_FLOAT, "beta"));
    const onnx_node nodes[] = {leaky, elu, node_of(b, "Clip", "u,b", "out")};
    onnx_function f = function_of(b, "Act", nodes, 3, "a,b", "out");
    beta = float_attribute("beta", 2);
    alpha = text_of("alpha");
    f.attribute = (onnx_strings){&alpha, 1};
    f.attribute_proto = (onnx_attribute_list){&beta, 1};
    return f;
}

static void functions_stand_in_place(void **state) {
    fixture *f = *state;
    onnx_build *b = &f->build;
    const onnx_function function = activation_function(b);
    onnx_node first = domain_node(b, "local", "Act", "x", "m");
    onnx_node second = domain_node(b, "local", "Act", "m,x", "y");
    first.head.has |= HAS(node, name);
    first.name = text_of("call");
    add_attribute(b, &first, float_attribute("alpha", 0.5f));
    add_attribute(b, &second, float_attribute("beta", 3));
    const onnx_node nodes[] = {first, second};
    const onnx_graph g = graph_of(b, nodes, 2, "x", "y");
    onnx_model_proto m = model_of(b, &g, 18);
    m.functions = (onnx_function_list){&function, 1};
    import(f, &m);
    assert_int_equal(f->g->node_count, 6);
    assert_int_equal(op_of(f->g, 0), GRAPH_OP_LEAKY_RELU);
    assert_string_equal(f->g->nodes[0].name, "call/t");
    assert_true(graph_get_float(f->g, 0, "alpha") == 0.5);
    assert_true(graph_get_float(f->g, 1, "alpha") == 2);             /* the function's default */
    assert_null(graph_get_attribute(f->g, 3, "alpha"));              /* neither given nor default */
    assert_true(graph_get_float(f->g, 3, "alpha") == (double)0.01f); /* so the operator's own */
    assert_true(graph_get_float(f->g, 4, "alpha") == 3);
    assert_int_equal(f->g->nodes[2].input_count, 1); /* b is absent */
    assert_int_equal(f->g->nodes[5].inputs[1], f->g->inputs[0]);
    assert_int_equal(f->g->nodes[3].inputs[0], f->g->nodes[2].outputs[0]);
}

/* A function that calls another, whose subgraph reads a value of the function. */
static void functions_call_functions(void **state) {
    fixture *f = *state;
    onnx_build *b = &f->build;
    const onnx_node add = node_of(b, "Add", "a,doubled", "sum");
    const onnx_graph branch = branch_of(b, &add, 1, "sum");
    onnx_node choose = node_of(b, "If", "c", "out");
    add_attribute(b, &choose, graph_attribute_of(b, "then_branch", &branch));
    add_attribute(b, &choose, graph_attribute_of(b, "else_branch", &branch));
    const onnx_node inner[] = {node_of(b, "Add", "a,a", "doubled"), choose};
    const onnx_node outer = domain_node(b, "local", "Inner", "p,q", "r");
    const onnx_function functions[] = {function_of(b, "Inner", inner, 2, "a,c", "out"),
                                       function_of(b, "Outer", &outer, 1, "p,q", "r")};
    const onnx_node call = domain_node(b, "local", "Outer", "x,c", "y");
    onnx_graph g = nested_ifs(b); /* for its inputs */
    g.node = (onnx_node_list){&call, 1};
    onnx_model_proto m = model_of(b, &g, 18);
    m.functions = (onnx_function_list){functions, 2};
    import(f, &m);
    assert_int_equal(f->g->node_count, 2);
    const graph *sub = graph_get_attribute(f->g, 1, "then_branch")->graphs[0];
    const graph_value *a = sub->values + sub->nodes[0].inputs[0];
    const graph_value *doubled = sub->values + sub->nodes[0].inputs[1];
    assert_int_equal(a->outer, f->g->inputs[0]);
    assert_int_equal(doubled->outer, f->g->nodes[0].outputs[0]);
    assert_string_equal(f->g->output_names[0], "y");
    assert_int_equal(f->g->outputs[0], f->g->nodes[1].outputs[0]);
}

/* What a graph around the call gives as an attribute sees the names around the call. */
static void graphs_are_attributes_of_functions(void **state) {
    fixture *f = *state;
    onnx_build *b = &f->build;
    static onnx_string parameter;
    parameter = text_of("branch");
    const onnx_node add = node_of(b, "Add", "x,x", "sum");
    const onnx_graph branch = branch_of(b, &add, 1, "sum");
    onnx_node choose = node_of(b, "If", "c", "out");
    add_attribute(b, &choose, reference_attribute("then_branch", ONNX_ATTRIBUTE_GRAPH, "branch"));
    add_attribute(b, &choose, reference_attribute("else_branch", ONNX_ATTRIBUTE_GRAPH, "branch"));
    onnx_function function = function_of(b, "Choose", &choose, 1, "c", "out");
    function.attribute = (onnx_strings){&parameter, 1};
    onnx_node call = domain_node(b, "local", "Choose", "c", "y");
    add_attribute(b, &call, graph_attribute_of(b, "branch", &branch));
    onnx_graph g = nested_ifs(b);
    g.node = (onnx_node_list){&call, 1};
    onnx_model_proto m = model_of(b, &g, 18);
    m.functions = (onnx_function_list){&function, 1};
    import(f, &m);
    const graph *sub = graph_get_attribute(f->g, 0, "else_branch")->graphs[0];
    assert_int_equal(sub->values[sub->nodes[0].inputs[0]].outer, f->g->inputs[0]);
}

static void constants_become_initializers(void **state) {
    fixture *f = *state;
    onnx_build *b = &f->build;
    onnx_node constant = node_of(b, "Constant", "", "c");
    add_attribute(b, &constant, string_attribute("value_string", "text"));
    const onnx_node nodes[] = {constant, node_of(b, "Identity", "c", "y")};
    onnx_graph g = graph_of(b, nodes, 2, "", "");
    const onnx_value_info output = info_of("y", tensor_type_of(b, TENSOR_ELEMENT_STRING, ""));
    g.output = (onnx_value_info_list){&output, 1};
    import_graph(f, &g, 13);
    assert_int_equal(f->g->node_count, 1);
    const graph_value *c = f->g->values + f->g->nodes[0].inputs[0];
    assert_string_equal(c->name, "c");
    assert_int_equal(c->kind, GRAPH_VALUE_INITIALIZER);
    const tensor_string *s = c->data;
    assert_int_equal(s->size_bytes, 4);
    assert_memory_equal(s->text, "text", 4);
}

static void old_versions_become_new(void **state) {
    fixture *f = *state;
    onnx_build *b = &f->build;
    onnx_node softmax = node_of(b, "Softmax", "x", "y");
    const onnx_graph g = graph_of(b, &softmax, 1, "x", "y");
    import_graph(f, &g, 11);
    /* Of a shape that is not known: a matrix and back. */
    assert_int_equal(f->g->node_count, 4);
    assert_int_equal(op_of(f->g, 0), GRAPH_OP_FLATTEN);
    assert_int_equal(op_of(f->g, 1), GRAPH_OP_SOFTMAX);
    assert_int_equal(op_of(f->g, 3), GRAPH_OP_RESHAPE);
    assert_string_equal(f->g->values[f->g->outputs[0]].name, "y");
}

/* What value_info says of shapes is taken where nothing better is known. */
static void stated_types_fill_in(void **state) {
    fixture *f = *state;
    onnx_build *b = &f->build;
    const onnx_node nodes[] = {node_of(b, "NonZero", "x", "z"), node_of(b, "Cast", "z", "y")};
    onnx_node list[] = {nodes[0], nodes[1]};
    add_attribute(b, list + 1, int_attribute("to", TENSOR_ELEMENT_F32));
    onnx_graph g = graph_of(b, list, 2, "x", "y");
    const onnx_value_info info = info_of("z", tensor_type_of(b, TENSOR_ELEMENT_I64, "4,found"));
    g.value_info = (onnx_value_info_list){&info, 1};
    import_graph(f, &g, 18);
    const graph_value *z = f->g->values + value_of(f->g, "z");
    assert_int_equal(z->element, TENSOR_ELEMENT_I64);
    assert_int_equal(z->shape.rank, 2);
    assert_string_equal(f->g->symbols[GRAPH_SYMBOL_INDEX(z->shape.dims[1])], "found");
}

/* Imports bytes with each allocation failing in turn. */
static void fail_each(const void *bytes, size_t size) {
    for (size_t n = 0;; n++) {
        fail_alloc memory;
        onnx_file *file = NULL;
        graph *made = NULL;
        ondol_error err = {0};
        fail_alloc_init(&memory, n);
        ondol_status status = onnx_file_open_memory(&memory.api, bytes, size, &file, &err);
        if (status == ONDOL_OK) status = models_graph_from_onnx(&memory.api, file, &made, &err);
        graph_destroy(made);
        onnx_file_close(file);
        fail_alloc_check_empty(&memory);
        if (!memory.failed) {
            ASSERT_STATUS(status, ONDOL_OK);
            break;
        }
        ASSERT_STATUS(status, ONDOL_E_MEMORY);
    }
}

static void every_allocation_may_fail(void **state) {
    fixture *f = *state;
    onnx_build *b = &f->build;
    const onnx_function function = activation_function(b);
    onnx_graph g = nested_ifs(b);
    onnx_node call = domain_node(b, "local", "Act", "y", "z");
    onnx_node softmax = node_of(b, "Softmax", "z", "s");
    const onnx_node nodes[] = {g.node.items[0], call, softmax};
    g.node = (onnx_node_list){nodes, 3};
    onnx_model_proto m = model_of(b, &g, 11);
    m.functions = (onnx_function_list){&function, 1};
    build_bytes(b, &m);
    fail_each(b->bytes.data, b->bytes.size);
}

/* The fuzzer's seeds: functions, control flow, most rules of upgrade. */
static void every_allocation_of_a_seed_may_fail(void **state) {
    fixture *f = *state;
    const char *folder = ONDOL_TEST_DATA "/../../fuzz/seeds/onnx_load";
    DIR *d = opendir(folder);
    size_t count = 0;
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        char path[1024];
        base_file file;
        ondol_error err;
        if (e->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        ASSERT_OK(base_file_open(&f->build.heap, path, false, &file, &err));
        fail_each(file.data, file.size);
        base_file_close(&file);
        count++;
    }
    closedir(d);
    assert_true(count > 30);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(types_of_inputs),
        TEST(initializers_are_defaults),
        TEST(initializers_were_inputs),
        TEST(absent_inputs_and_outputs),
        TEST(captures_go_through_every_level),
        TEST(functions_stand_in_place),
        TEST(functions_call_functions),
        TEST(graphs_are_attributes_of_functions),
        TEST(constants_become_initializers),
        TEST(old_versions_become_new),
        TEST(stated_types_fill_in),
        TEST(every_allocation_may_fail),
        TEST(every_allocation_of_a_seed_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
