/* Gradient on import: what it cannot do it says by name, and without memory nothing is left behind.
 * What derivatives are is shown next to differences by tests/onnx_cases/make_gradient_cases.py. */
#include <stdio.h>

#include "fail_alloc.h"
#include "models/onnx_import.h"
#include "onnx_build.h"

#define TRAINING "ai.onnx.preview.training"

static onnx_attribute strings_attribute(onnx_build *b, const char *name, const char *list) {
    onnx_attribute a = attribute_of(name, ONNX_ATTRIBUTE_STRINGS);
    a.head.has |= HAS(attribute, strings);
    a.strings = names_of(b, list);
    return a;
}

/* A model of nodes and a Gradient of y by xs and zs, with those inputs and outputs. */
static void make(onnx_build *b, onnx_model_proto *m, const onnx_node *nodes, size_t count,
                 const char *xs, const char *zs, const char *y, const char *inputs,
                 const char *outputs) {
    onnx_node all[8];
    onnx_node n = domain_node(b, TRAINING, "Gradient", inputs, outputs);
    n.head.has |= HAS(node, name);
    n.name = text_of("here");
    add_attribute(b, &n, strings_attribute(b, "xs", xs));
    if (*zs) add_attribute(b, &n, strings_attribute(b, "zs", zs));
    add_attribute(b, &n, string_attribute("y", y));
    memcpy(all, nodes, count * sizeof *nodes);
    all[count] = n;
    const onnx_graph g = graph_of(b, all, count + 1, "x,w", outputs);
    *m = model_of(b, &g, 18);
    const onnx_operator_set sets[] = {
        {.head.has = HAS(operator_set, domain) | HAS(operator_set, version), .version = 18},
        {.head.has = HAS(operator_set, domain) | HAS(operator_set, version),
         .domain = text_of(TRAINING),
         .version = 1}};
    m->opset_import = (onnx_operator_set_list){build_copy(b, sets, 2, sizeof *sets), 2};
}

static void no_rule(onnx_build *b, onnx_model_proto *m) {
    onnx_node n = node_of(b, "Det", "x", "y");
    n.head.has |= HAS(node, name);
    n.name = text_of("there");
    make(b, m, &n, 1, "x", "", "y", "x", "d");
}
static void no_rule_but_not_asked(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n[] = {node_of(b, "Det", "w", "e"), node_of(b, "Mul", "x,e", "y")};
    make(b, m, n, 2, "x", "w", "y", "x,w", "d");
}
static void unknown_name(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n = node_of(b, "Exp", "x", "y");
    make(b, m, &n, 1, "q", "", "y", "x", "d");
}
static void unknown_y(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n = node_of(b, "Exp", "x", "y");
    make(b, m, &n, 1, "x", "", "q", "x", "d");
}
static void counts_differ(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n = node_of(b, "Exp", "x", "y");
    make(b, m, &n, 1, "x,w", "", "y", "x", "d");
}
static void too_many_outputs(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n = node_of(b, "Exp", "x", "y");
    make(b, m, &n, 1, "x", "w", "y", "x,w", "d,e");
}
static void integers(onnx_build *b, onnx_model_proto *m) {
    onnx_node n = node_of(b, "Cast", "x", "i");
    add_attribute(b, &n, int_attribute("to", TENSOR_ELEMENT_I64));
    const onnx_node nodes[] = {n, node_of(b, "Exp", "x", "y")};
    make(b, m, nodes, 2, "i", "", "y", "i", "d");
}
static void rank_unknown(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n = node_of(b, "MatMul", "x,w", "y");
    make(b, m, &n, 1, "x,w", "", "y", "x,w", "d,e");
}
/* A branch reads x: there is no rule for If, and that is said. */
static void in_a_branch(onnx_build *b, onnx_model_proto *m) {
    const onnx_node inner = node_of(b, "Exp", "x", "r");
    const onnx_graph branch = graph_of(b, &inner, 1, "", "r");
    const onnx_node equal = node_of(b, "IsNaN", "w", "c");
    onnx_node n = node_of(b, "If", "c", "y");
    add_attribute(b, &n, graph_attribute_of(b, "then_branch", &branch));
    add_attribute(b, &n, graph_attribute_of(b, "else_branch", &branch));
    const onnx_node nodes[] = {equal, n};
    make(b, m, nodes, 2, "x", "", "y", "x", "d");
}
static void plain(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n[] = {node_of(b, "Mul", "x,w", "s"), node_of(b, "Gelu", "s", "t"),
                           node_of(b, "Div", "t,w", "y")};
    make(b, m, n, 3, "x,w", "", "y", "x,w", "d,e");
    ((onnx_operator_set *)m->opset_import.items)[0].version = 20;
}
static void elsewhere(onnx_build *b, onnx_model_proto *m) {
    const onnx_node n[] = {node_of(b, "Mul", "x,w", "s"), node_of(b, "Max", "s,x,w", "y")};
    make(b, m, n, 2, "x", "w", "y", "w,x", "d");
}

static ondol_status import(const ondol_allocator *a, const base_buffer *bytes, ondol_error *err) {
    onnx_file *file = NULL;
    graph *g = NULL;
    ondol_status status = onnx_file_open_memory(a, bytes->data, bytes->size, &file, err);
    if (status == ONDOL_OK) status = models_graph_from_onnx(a, file, &g, err);
    for (graph_node_id n = 0; g && n < g->node_count; n++)
        assert_int_not_equal(g->nodes[n].op, GRAPH_OP_TRAINING_GRADIENT);
    graph_destroy(g);
    onnx_file_close(file);
    return status;
}

static void each_fault_is_named(void **state) {
    static const struct {
        void (*make)(onnx_build *b, onnx_model_proto *m);
        ondol_status status;
        const char *phrase;
    } cases[] = {
        {no_rule, ONDOL_E_UNSUPPORTED, "node 'there' (Det): the derivative"},
        {no_rule_but_not_asked, ONDOL_OK, ""},
        {unknown_name, ONDOL_E_FORMAT, "'q' is not defined"},
        {unknown_y, ONDOL_E_FORMAT, "'q' is not defined"},
        {counts_differ, ONDOL_E_FORMAT, "1 inputs and 1 outputs for 2 xs and zs"},
        {too_many_outputs, ONDOL_E_FORMAT, "2 outputs for 2 xs and zs, of which 1"},
        {integers, ONDOL_E_FORMAT, "input 0 is no tensor of floats"},
        {rank_unknown, ONDOL_E_UNSUPPORTED, "(MatMul): its inputs are of a rank"},
        {in_a_branch, ONDOL_E_UNSUPPORTED, "(If): the derivative"},
        {plain, ONDOL_OK, ""},
        {elsewhere, ONDOL_OK, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        onnx_build b;
        onnx_model_proto m;
        ondol_error err = {0};
        build_begin(&b);
        cases[i].make(&b, &m);
        build_bytes(&b, &m);
        const ondol_status status = import(&b.heap, &b.bytes, &err);
        if (status != cases[i].status) fail_msg("%zu: %d (%s)", i, status, err.text);
        if (*cases[i].phrase) {
            ASSERT_CONTAINS(err.text, cases[i].phrase);
            ASSERT_CONTAINS(err.text, "node 'here'");
        }
        build_end(&b);
    }
}

static void without_memory(void **state) {
    static void (*const makes[])(onnx_build *, onnx_model_proto *) = {plain, elsewhere};
    (void)state;
    for (size_t i = 0; i < sizeof makes / sizeof *makes; i++) {
        onnx_build b;
        onnx_model_proto m;
        build_begin(&b);
        makes[i](&b, &m);
        build_bytes(&b, &m);
        for (size_t n = 0;; n++) {
            fail_alloc memory;
            ondol_error err = {0};
            fail_alloc_init(&memory, n);
            const ondol_status status = import(&memory.api, &b.bytes, &err);
            const bool failed = atomic_load(&memory.failed);
            fail_alloc_check_empty(&memory);
            assert_int_equal(status, failed ? ONDOL_E_MEMORY : ONDOL_OK);
            if (!failed) break;
            assert_true(n < 10000);
        }
        build_end(&b);
    }
}

/* Each Gradient doubles the nodes and more: the number of nodes has an end. */
static void derivatives_of_derivatives_end(void **state) {
    onnx_build b;
    onnx_model_proto m;
    onnx_node nodes[32];
    ondol_error err = {0};
    char names[32][8];
    (void)state;
    build_begin(&b);
    nodes[0] = node_of(&b, "Tanh", "x", "y");
    strcpy(names[0], "y");
    for (int i = 1; i < 32; i++) {
        snprintf(names[i], sizeof names[i], "d%d", i);
        nodes[i] = domain_node(&b, TRAINING, "Gradient", "x", names[i]);
        add_attribute(&b, nodes + i, strings_attribute(&b, "xs", "x"));
        add_attribute(&b, nodes + i, string_attribute("y", names[i - 1]));
    }
    make(&b, &m, nodes, 1, "x", "", "y", "x", "d");
    const onnx_graph g = graph_of(&b, nodes, 32, "x", names[31]);
    m.graph = build_copy(&b, &g, 1, sizeof g);
    build_bytes(&b, &m);
    ASSERT_STATUS(import(&b.heap, &b.bytes, &err), ONDOL_E_LIMIT);
    ASSERT_CONTAINS(err.text, "more than");
    build_end(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_fault_is_named),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(derivatives_of_derivatives_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
