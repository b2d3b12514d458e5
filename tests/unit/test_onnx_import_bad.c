/* ONNX models with one fault each: the status, and a sentence that names the node and the rule. */
#include "models/onnx_import.h"
#include "onnx_build.h"

typedef struct bad_case {
    const char *name;
    void (*make)(onnx_build *b, onnx_model_proto *m);
    ondol_status status;
    const char *phrases[3];
} bad_case;

static void set_nodes(onnx_build *b, onnx_model_proto *m, const onnx_node *nodes, size_t count,
                      int64_t opset) {
    const onnx_graph g = graph_of(b, nodes, count, "x", "y");
    *m = model_of(b, &g, opset);
}

static void set_node(onnx_build *b, onnx_model_proto *m, onnx_node n, int64_t opset) {
    n.head.has |= HAS(node, name);
    n.name = text_of("here");
    set_nodes(b, m, &n, 1, opset);
}

static void unknown_operator(onnx_build *b, onnx_model_proto *m) {
    set_node(b, m, node_of(b, "Gellu", "x", "y"), 18);
}

static void operator_of_tomorrow(onnx_build *b, onnx_model_proto *m) {
    set_node(b, m, node_of(b, "Gelu", "x", "y"), 18);
}

static void opset_of_tomorrow(onnx_build *b, onnx_model_proto *m) {
    set_node(b, m, node_of(b, "Relu", "x", "y"), 1000);
}

static void opset_below_one(onnx_build *b, onnx_model_proto *m) {
    set_node(b, m, node_of(b, "Relu", "x", "y"), 0);
}

static void unknown_domain(onnx_build *b, onnx_model_proto *m) {
    set_node(b, m, domain_node(b, "local", "Relu", "x", "y"), 18);
}

static void domain_not_imported(onnx_build *b, onnx_model_proto *m) {
    set_node(b, m, domain_node(b, "ai.onnx.ml", "Binarizer", "x", "y"), 18);
}

static void operator_that_is_gone(onnx_build *b, onnx_model_proto *m) {
    set_node(b, m, node_of(b, "Upsample", "x,x", "y"), 12);
}

static void unknown_attribute(onnx_build *b, onnx_model_proto *m) {
    onnx_node n = node_of(b, "LeakyRelu", "x", "y");
    add_attribute(b, &n, float_attribute("alfa", 1));
    set_node(b, m, n, 18);
}

static void attribute_of_another_type(onnx_build *b, onnx_model_proto *m) {
    onnx_node n = node_of(b, "LeakyRelu", "x", "y");
    add_attribute(b, &n, int_attribute("alpha", 1));
    set_node(b, m, n, 18);
}

static void attribute_without_type(onnx_build *b, onnx_model_proto *m) {
    onnx_node n = node_of(b, "LeakyRelu", "x", "y");
    add_attribute(b, &n, attribute_of("alpha", 99));
    set_node(b, m, n, 18);
}

static void attribute_twice(onnx_build *b, onnx_model_proto *m) {
    onnx_node n = node_of(b, "LeakyRelu", "x", "y");
    add_attribute(b, &n, float_attribute("alpha", 1));
    add_attribute(b, &n, float_attribute("alpha", 2));
    set_node(b, m, n, 18);
}

static void attribute_missing(onnx_build *b, onnx_model_proto *m) {
    set_node(b, m, node_of(b, "Cast", "x", "y"), 18);
}

static void graph_without_value(onnx_build *b, onnx_model_proto *m) {
    onnx_node n = node_of(b, "Scan", "x", "y");
    add_attribute(b, &n, attribute_of("body", ONNX_ATTRIBUTE_GRAPH));
    set_node(b, m, n, 18);
}

static void reference_outside(onnx_build *b, onnx_model_proto *m) {
    onnx_node n = node_of(b, "LeakyRelu", "x", "y");
    add_attribute(b, &n, reference_attribute("alpha", ONNX_ATTRIBUTE_FLOAT, "beta"));
    set_node(b, m, n, 18);
}

static void undefined_value(onnx_build *b, onnx_model_proto *m) {
    set_node(b, m, node_of(b, "Add", "x,z", "y"), 18);
}

static void cycle(onnx_build *b, onnx_model_proto *m) {
    const onnx_node nodes[] = {node_of(b, "Add", "x,y", "z"), node_of(b, "Neg", "z", "y")};
    set_nodes(b, m, nodes, 2, 18);
}

static void defined_twice(onnx_build *b, onnx_model_proto *m) {
    const onnx_node nodes[] = {node_of(b, "Neg", "x", "y"), node_of(b, "Abs", "x", "y")};
    set_nodes(b, m, nodes, 2, 18);
}

static void an_input_again(onnx_build *b, onnx_model_proto *m) {
    set_node(b, m, node_of(b, "Neg", "x", "x"), 18);
}

static void inputs_of_one_name(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n = node_of(b, "Neg", "x", "y");
    const onnx_graph g = graph_of(b, &n, 1, "x,x", "y");
    *m = model_of(b, &g, 18);
}

static void output_of_nothing(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n = node_of(b, "Neg", "x", "y");
    const onnx_graph g = graph_of(b, &n, 1, "x", "y,z");
    *m = model_of(b, &g, 18);
}

static void too_few_inputs(onnx_build *b, onnx_model_proto *m) {
    set_node(b, m, node_of(b, "Add", "x", "y"), 18);
}

static void too_many_outputs(onnx_build *b, onnx_model_proto *m) {
    set_node(b, m, node_of(b, "Neg", "x", "y,z"), 18);
}

static void required_input_absent(onnx_build *b, onnx_model_proto *m) {
    set_node(b, m, node_of(b, "Add", ",x", "y"), 18);
}

static void type_not_allowed(onnx_build *b, onnx_model_proto *m) {
    set_node(b, m, node_of(b, "And", "x,x", "y"), 18);
}

static void types_differ(onnx_build *b, onnx_model_proto *m) {
    const onnx_node nodes[] = {node_of(b, "NonZero", "x", "z"), node_of(b, "Add", "x,z", "y")};
    set_nodes(b, m, nodes, 2, 18);
}

static void stated_type_differs(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n = node_of(b, "NonZero", "x", "y"); /* int64, stated as float */
    set_nodes(b, m, &n, 1, 18);
}

static void initializer_of_another_type(onnx_build *b, onnx_model_proto *m) {
    static const int64_t one[] = {1};
    const onnx_node n = node_of(b, "Neg", "x", "y");
    onnx_graph g = graph_of(b, &n, 1, "x", "y");
    const onnx_tensor t = i64_tensor(b, "x", one, 1);
    g.initializer = (onnx_tensor_list){build_copy(b, &t, 1, sizeof t), 1};
    *m = model_of(b, &g, 18);
}

static void initializer_too_short(onnx_build *b, onnx_model_proto *m) {
    static const int64_t one[] = {1};
    static const int64_t dims[] = {1000};
    const onnx_node n = node_of(b, "Neg", "x", "y");
    onnx_graph g = graph_of(b, &n, 1, "x", "y");
    onnx_tensor t = i64_tensor(b, "short", one, 1);
    t.dims = (onnx_int64s){dims, 1};
    g.initializer = (onnx_tensor_list){build_copy(b, &t, 1, sizeof t), 1};
    *m = model_of(b, &g, 18);
}

static void initializer_twice(onnx_build *b, onnx_model_proto *m) {
    static const int64_t one[] = {1};
    const onnx_node n = node_of(b, "Neg", "x", "y");
    onnx_graph g = graph_of(b, &n, 1, "x", "y");
    const onnx_tensor t[] = {i64_tensor(b, "s", one, 1), i64_tensor(b, "s", one, 1)};
    g.initializer = (onnx_tensor_list){build_copy(b, t, 2, sizeof *t), 2};
    *m = model_of(b, &g, 18);
}

static void rank_past_limit(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n = node_of(b, "Neg", "x", "y");
    onnx_graph g = graph_of(b, &n, 1, "x", "y");
    onnx_type *type = build_copy(b, g.input.items[0].type, 1, sizeof *type);
    onnx_tensor_type *tensor = build_copy(b, type->tensor_type, 1, sizeof *tensor);
    onnx_dimension dims[17] = {{.head.has = 0}};
    const onnx_shape shape = {.dim = {build_copy(b, dims, 17, sizeof *dims), 17}};
    tensor->shape = build_copy(b, &shape, 1, sizeof shape);
    tensor->head.has |= HAS(tensor_type, shape);
    type->tensor_type = tensor;
    const onnx_value_info input = info_of("x", type);
    g.input = (onnx_value_info_list){build_copy(b, &input, 1, sizeof input), 1};
    *m = model_of(b, &g, 18);
}

static void element_type_unknown(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n = node_of(b, "Neg", "x", "y");
    onnx_graph g = graph_of(b, &n, 1, "x", "y");
    const onnx_value_info input = info_of("x", tensor_type_of(b, 77, NULL));
    g.input = (onnx_value_info_list){build_copy(b, &input, 1, sizeof input), 1};
    *m = model_of(b, &g, 18);
}

static void set_functions(onnx_build *b, onnx_model_proto *m, const onnx_function *f,
                          size_t count) {
    m->functions = (onnx_function_list){build_copy(b, f, count, sizeof *f), count};
}

static void function_calls_itself(onnx_build *b, onnx_model_proto *m) {
    const onnx_node again = domain_node(b, "local", "F", "a", "r");
    const onnx_function f = function_of(b, "F", &again, 1, "a", "r");
    set_node(b, m, domain_node(b, "local", "F", "x", "y"), 18);
    set_functions(b, m, &f, 1);
}

/* Each of 20 functions calls the next three times. */
static void functions_explode(onnx_build *b, onnx_model_proto *m) {
    static const char *const names[] = {"A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K",
                                        "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U"};
    onnx_function functions[20];
    for (size_t i = 0; i < 20; i++) {
        const onnx_node nodes[] = {domain_node(b, "local", names[i + 1], "a", "p"),
                                   domain_node(b, "local", names[i + 1], "p", "q"),
                                   domain_node(b, "local", names[i + 1], "q", "r")};
        functions[i] = function_of(b, names[i], nodes, 3, "a", "r");
    }
    set_node(b, m, domain_node(b, "local", "A", "x", "y"), 18);
    set_functions(b, m, functions, 20);
    const onnx_node last = node_of(b, "Neg", "a", "r");
    functions[19] = function_of(b, "T", &last, 1, "a", "r");
    set_functions(b, m, functions, 20);
}

static void function_with_more_inputs(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n = node_of(b, "Neg", "a", "r");
    const onnx_function f = function_of(b, "F", &n, 1, "a", "r");
    set_node(b, m, domain_node(b, "local", "F", "x,x", "y"), 18);
    set_functions(b, m, &f, 1);
}

static void function_attribute_unknown(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n = node_of(b, "Neg", "a", "r");
    const onnx_function f = function_of(b, "F", &n, 1, "a", "r");
    onnx_node call = domain_node(b, "local", "F", "x", "y");
    add_attribute(b, &call, int_attribute("k", 1));
    set_node(b, m, call, 18);
    set_functions(b, m, &f, 1);
}

static void function_without_output(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n = node_of(b, "Neg", "a", "s");
    const onnx_function f = function_of(b, "F", &n, 1, "a", "r");
    set_node(b, m, domain_node(b, "local", "F", "x", "y"), 18);
    set_functions(b, m, &f, 1);
}

/* A body sees its own arguments, not the names around the call. */
static void function_sees_no_names(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n = node_of(b, "Add", "a,x", "r");
    const onnx_function f = function_of(b, "F", &n, 1, "a", "r");
    set_node(b, m, domain_node(b, "local", "F", "x", "y"), 18);
    set_functions(b, m, &f, 1);
}

static void functions_of_one_name(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n = node_of(b, "Neg", "a", "r");
    const onnx_function f[] = {function_of(b, "F", &n, 1, "a", "r"),
                               function_of(b, "F", &n, 1, "a", "r")};
    set_node(b, m, domain_node(b, "local", "F", "x", "y"), 18);
    set_functions(b, m, f, 2);
}

static void fault_in_a_subgraph(onnx_build *b, onnx_model_proto *m) {
    const onnx_node inner = node_of(b, "Relu", "nowhere", "r");
    const onnx_graph branch = graph_of(b, &inner, 1, "", "r");
    onnx_node n = node_of(b, "If", "x", "y");
    add_attribute(b, &n, graph_attribute_of(b, "then_branch", &branch));
    add_attribute(b, &n, graph_attribute_of(b, "else_branch", &branch));
    const onnx_graph g = graph_of(b, &n, 1, "", "y");
    *m = model_of(b, &g, 18);
    onnx_graph *own = build_copy(b, &g, 1, sizeof g);
    const onnx_value_info input = info_of("x", tensor_type_of(b, TENSOR_ELEMENT_BOOL, ""));
    own->input = (onnx_value_info_list){build_copy(b, &input, 1, sizeof input), 1};
    m->graph = own;
}

static const bad_case cases[] = {
    {"unknown operator", unknown_operator, ONDOL_E_UNSUPPORTED, {"'here' (Gellu)", "not known"}},
    {"newer operator",
     operator_of_tomorrow,
     ONDOL_E_UNSUPPORTED,
     {"'here' (Gelu)", "opset 18", "newest version known is 20"}},
    {"newer opset", opset_of_tomorrow, ONDOL_E_UNSUPPORTED, {"opset 1000", "newest"}},
    {"opset 0", opset_below_one, ONDOL_E_FORMAT, {"opset version 0"}},
    {"unknown domain", unknown_domain, ONDOL_E_UNSUPPORTED, {"local.Relu", "not known"}},
    {"domain not imported", domain_not_imported, ONDOL_E_FORMAT, {"'ai.onnx.ml'", "not among"}},
    {"gone", operator_that_is_gone, ONDOL_E_UNSUPPORTED, {"Upsample", "from opset 10 on"}},
    {"unknown attribute", unknown_attribute, ONDOL_E_FORMAT, {"no attribute 'alfa'"}},
    {"attribute type", attribute_of_another_type, ONDOL_E_FORMAT, {"'alpha'", "int", "float"}},
    {"attribute without type", attribute_without_type, ONDOL_E_FORMAT, {"'alpha'", "undefined"}},
    {"attribute twice", attribute_twice, ONDOL_E_FORMAT, {"'alpha' is there twice"}},
    {"attribute missing", attribute_missing, ONDOL_E_FORMAT, {"'to' is missing"}},
    {"graph without value", graph_without_value, ONDOL_E_FORMAT, {"'body' has no value"}},
    {"reference", reference_outside, ONDOL_E_FORMAT, {"'alpha' refers to 'beta'"}},
    {"undefined", undefined_value, ONDOL_E_FORMAT, {"'here' (Add)", "'z' is not defined"}},
    {"cycle", cycle, ONDOL_E_FORMAT, {"'y' is not defined", "earlier node"}},
    {"defined twice", defined_twice, ONDOL_E_FORMAT, {"'y' is defined twice"}},
    {"input again", an_input_again, ONDOL_E_FORMAT, {"'x' is defined twice"}},
    {"inputs of one name", inputs_of_one_name, ONDOL_E_FORMAT, {"input 'x'", "defined twice"}},
    {"output of nothing", output_of_nothing, ONDOL_E_FORMAT, {"output 'z'", "not defined"}},
    {"too few inputs", too_few_inputs, ONDOL_E_FORMAT, {"1 inputs", "expected 2 to 2"}},
    {"too many outputs", too_many_outputs, ONDOL_E_FORMAT, {"2 outputs", "and 1 to 1"}},
    {"input absent", required_input_absent, ONDOL_E_FORMAT, {"input 0 (A) is missing"}},
    {"type not allowed", type_not_allowed, ONDOL_E_FORMAT, {"input 0 (A)", "f32", "bool"}},
    {"types differ", types_differ, ONDOL_E_FORMAT, {"f32 and i64", "expected the same (T)"}},
    {"stated type", stated_type_differs, ONDOL_E_FORMAT, {"output 'y'", "int64", "float"}},
    {"default's type", initializer_of_another_type, ONDOL_E_FORMAT, {"'x'", "another type"}},
    {"initializer too short", initializer_too_short, ONDOL_E_FORMAT, {"'short'", "1000"}},
    {"initializer twice", initializer_twice, ONDOL_E_FORMAT, {"'s'", "twice"}},
    {"rank", rank_past_limit, ONDOL_E_LIMIT, {"input 'x'", "rank 17"}},
    {"element type", element_type_unknown, ONDOL_E_FORMAT, {"input 'x'", "77"}},
    {"recursion", function_calls_itself, ONDOL_E_LIMIT, {"deeper than 64"}},
    {"explosion", functions_explode, ONDOL_E_LIMIT, {"more than 262144 nodes"}},
    {"function inputs", function_with_more_inputs, ONDOL_E_FORMAT, {"local.F", "2 inputs"}},
    {"function attribute", function_attribute_unknown, ONDOL_E_FORMAT, {"no attribute 'k'"}},
    {"function output", function_without_output, ONDOL_E_FORMAT, {"'r' is not defined"}},
    {"function's scope", function_sees_no_names, ONDOL_E_FORMAT, {"'x' is not defined"}},
    {"functions of one name", functions_of_one_name, ONDOL_E_FORMAT, {"local.F", "twice"}},
    {"in a subgraph", fault_in_a_subgraph, ONDOL_E_FORMAT, {"(Relu)", "'nowhere'"}},
};

static void each_fault_is_named(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const bad_case *c = cases + i;
        onnx_build b;
        onnx_model_proto m;
        onnx_file *file = NULL;
        graph *g = NULL;
        ondol_error err = {0};
        build_begin(&b);
        c->make(&b, &m);
        build_bytes(&b, &m);
        ASSERT_OK(onnx_file_open_memory(&b.heap, b.bytes.data, b.bytes.size, &file, &err));
        const ondol_status status = models_graph_from_onnx(&b.heap, file, &g, &err);
        if (status != c->status) {
            fail_msg("%s: %s, expected %s (%s)", c->name, base_status_name(status),
                     base_status_name(c->status), err.text);
        }
        for (int k = 0; k < 3 && c->phrases[k]; k++)
            if (!strstr(err.text, c->phrases[k])) {
                fail_msg("%s: '%s' lacks '%s'", c->name, err.text, c->phrases[k]);
            }
        assert_null(g);
        onnx_file_close(file);
        build_end(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_fault_is_named)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
