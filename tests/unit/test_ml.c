/* Operators of ai.onnx.ml: attributes that do not fit one another are told by name, and without
 * memory they say so; what cases by ONNX Runtime (tests/onnx_cases) do not show. */
#include "fail_alloc.h"
#include "op_call.h"

#define F32 TENSOR_ELEMENT_F32
#define F64 TENSOR_ELEMENT_F64
#define I64 TENSOR_ELEMENT_I64

static void set_ints(op_call *c, const char *name, const int64_t *list, uint32_t count) {
    ondol_error err = {0};
    ASSERT_OK(graph_set_ints(c->g, c->node, name, list, count, &err));
}
#define INTS(c, name, ...)                                                                         \
    set_ints(c, name, (int64_t[]){__VA_ARGS__},                                                    \
             (uint32_t)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))

static void set_floats(op_call *c, const char *name, const double *list, uint32_t count) {
    ondol_error err = {0};
    ASSERT_OK(graph_set_floats(c->g, c->node, name, list, count, &err));
}
#define FLOATS(c, name, ...)                                                                       \
    set_floats(c, name, (double[]){__VA_ARGS__},                                                   \
               (uint32_t)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)))

static void set_tensor(op_call *c, const char *name, tensor_element e, uint32_t rank,
                       const int64_t *dims, const void *data, uint64_t bytes) {
    graph_tensor *t = base_arena_alloc(&c->g->arena, 1, sizeof *t);
    void *copy = base_arena_alloc(&c->g->arena, bytes + 1, 1);
    ondol_error err = {0};
    assert_non_null(t);
    assert_non_null(copy);
    memcpy(copy, data, bytes);
    *t = (graph_tensor){.element = e, .shape.rank = rank, .data = copy, .data_bytes = bytes};
    for (uint32_t i = 0; i < rank; i++)
        t->shape.dims[i] = dims[i];
    const graph_attribute a = {
        .name = name, .type = GRAPH_ATTRIBUTE_TENSOR, .tensors = t, .int_count = 1};
    ASSERT_OK(graph_set_attribute(c->g, c->node, &a, &err));
}
#define BYTES(c, name, ...)                                                                        \
    set_tensor(c, name, TENSOR_ELEMENT_U8, 1, (int64_t[]){sizeof((uint8_t[]){__VA_ARGS__})},       \
               (uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}))
#define NUMBERS(c, name, ...)                                                                      \
    set_tensor(c, name, F32, 1, (int64_t[]){sizeof((float[]){__VA_ARGS__}) / sizeof(float)},       \
               (float[]){__VA_ARGS__}, sizeof((float[]){__VA_ARGS__}))

static void set_strings(op_call *c, const char *name, const char *const *list, uint32_t count) {
    tensor_string *s = base_arena_alloc(&c->g->arena, count + 1u, sizeof *s);
    ondol_error err = {0};
    assert_non_null(s);
    for (uint32_t i = 0; i < count; i++)
        s[i] = (tensor_string){list[i], strlen(list[i])};
    const graph_attribute a = {
        .name = name, .type = GRAPH_ATTRIBUTE_STRINGS, .strings = s, .int_count = count};
    ASSERT_OK(graph_set_attribute(c->g, c->node, &a, &err));
}
#define STRINGS(c, name, ...)                                                                      \
    set_strings(c, name, (const char *[]){__VA_ARGS__},                                            \
                (uint32_t)(sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)))

/* ------------------------------------------------------------------------- trees by ids */

/* One tree: x[0] <= 0.5 ? 1 : 2. */
typedef struct tree_case {
    int64_t yes[3], no[3], trees[3], ids[3], features[3];
    int64_t vote_nodes[2], targets[2], n_targets;
    int64_t splits, base_count, is_good_mode;
} tree_case;

static const tree_case good = {.yes = {1, 0, 0},
                               .no = {2, 0, 0},
                               .ids = {0, 1, 2},
                               .vote_nodes = {1, 2},
                               .n_targets = 1,
                               .splits = 3,
                               .is_good_mode = 1};

static void make_tree(op_call *c, const tree_case *t) {
    op_numbers(c, F32, DIMS(2, 1), 0.5, 0.75);
    op_node(c, "ai.onnx.ml", "TreeEnsembleRegressor", 1);
    set_ints(c, "nodes_truenodeids", t->yes, 3);
    set_ints(c, "nodes_falsenodeids", t->no, 3);
    set_ints(c, "nodes_treeids", t->trees, 3);
    set_ints(c, "nodes_nodeids", t->ids, 3);
    set_ints(c, "nodes_featureids", t->features, 3);
    STRINGS(c, "nodes_modes", t->is_good_mode ? "BRANCH_LEQ" : "BRANCH_LE", "LEAF", "LEAF");
    set_floats(c, "nodes_values", (double[]){0.5, 0, 0, 0}, (uint32_t)t->splits);
    INTS(c, "target_treeids", 0, 0);
    set_ints(c, "target_nodeids", t->vote_nodes, 2);
    set_ints(c, "target_ids", t->targets, 2);
    FLOATS(c, "target_weights", 1, 2);
    op_set_int(c, "n_targets", t->n_targets);
    if (t->base_count) set_floats(c, "base_values", (double[]){1, 2}, (uint32_t)t->base_count);
}

/* The good tree with one number of it another. */
static const struct {
    size_t at;
    int64_t value;
    const char *phrase;
} tree_faults[] = {
    {offsetof(tree_case, no), 7, "tree 0 has no node 7"},
    {offsetof(tree_case, trees) + 2 * sizeof(int64_t), 1, "tree 0 has no node 2"},
    {offsetof(tree_case, no), 0, "below itself"},
    {offsetof(tree_case, ids) + 2 * sizeof(int64_t), 1, "node 1 of tree 0 is there twice"},
    {offsetof(tree_case, is_good_mode), 0, "'BRANCH_LE'"},
    {offsetof(tree_case, splits), 2, "3 nodes_nodeids, 2 nodes_values"},
    {offsetof(tree_case, vote_nodes), 9, "has no node 9"},
    {offsetof(tree_case, targets), 1, "target 1 of 1"},
    {offsetof(tree_case, targets), -1, "target -1 of 1"},
    {offsetof(tree_case, n_targets), 0, "n_targets: 0"},
    {offsetof(tree_case, features), 1, "1 features, the trees look at 2"},
    {offsetof(tree_case, features), -1, "feature -1"},
    {offsetof(tree_case, base_count), 2, "2 base_values for 1 targets"},
};

static void trees_are_checked(void **state) {
    op_call c;
    (void)state;
    op_begin(&c);
    make_tree(&c, &good);
    op_run_ok(&c);
    op_expect(&c, 0, F32, DIMS(2, 1), 1, 2);
    op_end(&c);
    for (size_t i = 0; i < sizeof tree_faults / sizeof *tree_faults; i++) {
        tree_case t = good;
        memcpy((char *)&t + tree_faults[i].at, &tree_faults[i].value, sizeof(int64_t));
        op_begin(&c);
        make_tree(&c, &t);
        op_run_fails(&c, ONDOL_E_FORMAT, tree_faults[i].phrase);
        ASSERT_CONTAINS(c.err.text, "node 'node' (TreeEnsembleRegressor)");
        op_end(&c);
    }
}

/* A chain of 200000 nodes, deeper than any stack of calls; and the same closed to a ring. */
static void trees_may_be_deep(void **state) {
    enum { COUNT = 200000 };
    static int64_t next[COUNT], zeros[COUNT], ones[COUNT];
    static uint8_t modes[COUNT];
    static float splits[COUNT];
    (void)state;
    for (int ring = 0; ring < 2; ring++) {
        op_call c;
        op_begin(&c);
        op_numbers(&c, F32, DIMS(1, 1), 0);
        op_node(&c, "ai.onnx.ml", "TreeEnsemble", 1);
        for (int i = 0; i < COUNT; i++) {
            next[i] = i + 1 < COUNT ? i + 1 : 0;
            zeros[i] = 0;
            ones[i] = i + 1 == COUNT && !ring;
        }
        set_ints(&c, "nodes_truenodeids", next, COUNT);
        set_ints(&c, "nodes_trueleafs", ones, COUNT);
        set_ints(&c, "nodes_featureids", zeros, COUNT);
        set_ints(&c, "nodes_falsenodeids", zeros, COUNT);
        for (int i = 0; i < COUNT; i++)
            ones[i] = 1;
        set_ints(&c, "nodes_falseleafs", ones, COUNT);
        INTS(&c, "tree_roots", 0);
        INTS(&c, "leaf_targetids", 0);
        NUMBERS(&c, "leaf_weights", 3);
        set_tensor(&c, "nodes_modes", TENSOR_ELEMENT_U8, 1, (int64_t[]){COUNT}, modes,
                   sizeof modes);
        set_tensor(&c, "nodes_splits", F32, 1, (int64_t[]){COUNT}, splits, sizeof splits);
        op_set_int(&c, "n_targets", 1);
        if (ring) {
            op_run_fails(&c, ONDOL_E_FORMAT, "tree 0 has a node that is below itself");
        } else {
            op_run_ok(&c);
            op_expect(&c, 0, F32, DIMS(1, 1), 3);
        }
        op_end(&c);
    }
}

/* ------------------------------------------------------------------------ trees by place */

typedef struct place_case {
    int64_t yes, no, yes_is_leaf, no_is_leaf, root, target, feature, aggregate;
    uint8_t mode;
    float member;
    const char *phrase;
} place_case;

static void make_places(op_call *c, const place_case *p) {
    op_numbers(c, F32, DIMS(3, 1), 1, 2, 3);
    op_node(c, "ai.onnx.ml", "TreeEnsemble", 1);
    INTS(c, "nodes_truenodeids", p->yes);
    INTS(c, "nodes_falsenodeids", p->no);
    INTS(c, "nodes_trueleafs", p->yes_is_leaf);
    INTS(c, "nodes_falseleafs", p->no_is_leaf);
    INTS(c, "nodes_featureids", p->feature);
    BYTES(c, "nodes_modes", p->mode);
    NUMBERS(c, "nodes_splits", 0);
    NUMBERS(c, "leaf_weights", 10, 20);
    INTS(c, "leaf_targetids", 0, p->target);
    INTS(c, "tree_roots", p->root);
    op_set_int(c, "n_targets", 1);
    op_set_int(c, "aggregate_function", p->aggregate);
    if (p->member != 0) NUMBERS(c, "membership_values", 7, p->member, -1, NAN);
}

static void places_are_checked(void **state) {
    static const place_case list[] = {
        {0, 1, 1, 1, 0, 0, 0, 1, 6, 2, NULL},
        {0, 2, 1, 1, 0, 0, 0, 1, 0, 0, "the false branch of node 0 leads to leaf 2 of 2"},
        {1, 1, 0, 1, 0, 0, 0, 1, 0, 0, "the true branch of node 0 leads to node 1 of 1"},
        {-1, 1, 1, 1, 0, 0, 0, 1, 0, 0, "leads to leaf -1"},
        {0, 1, 0, 1, 0, 0, 0, 1, 0, 0, "below itself"},
        {0, 1, 1, 1, 1, 0, 0, 1, 0, 0, "tree_roots: node 1 of 1"},
        {0, 1, 1, 1, 0, 1, 0, 1, 0, 0, "leaf 1 is for target 1 of 1"},
        {0, 1, 1, 1, 0, 0, 1, 1, 0, 0, "rows of 1 features, the trees look at 2"},
        {0, 1, 1, 1, 0, 0, 0, 4, 0, 0, "aggregate_function 4"},
        {0, 1, 1, 1, 0, 0, 0, 1, 7, 0, "mode 7"},
        {0, 1, 1, 1, 0, 0, 0, 1, 6, 0, "fewer sets"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        op_call c;
        op_begin(&c);
        make_places(&c, list + i);
        if (list[i].phrase) {
            op_run_fails(&c, ONDOL_E_FORMAT, list[i].phrase);
        } else {
            op_run_ok(&c);
            op_expect(&c, 0, F32, DIMS(3, 1), 20, 10, 20);
        }
        op_end(&c);
    }
}

/* -------------------------------------------------------------------------- other faults */

static void linear_faults(op_call *c) {
    op_numbers(c, F32, DIMS(2, 3), 1, 2, 3, 4, 5, 6);
    op_node(c, "ai.onnx.ml", "LinearClassifier", 2);
    INTS(c, "classlabels_ints", 1, 2);
    FLOATS(c, "coefficients", 1, 2, 3, 4, 5);
    FLOATS(c, "intercepts", 0, 0);
}
static void label_faults(op_call *c) {
    op_numbers(c, I64, DIMS(2), 1, 2);
    op_node(c, "ai.onnx.ml", "LabelEncoder", 1);
    INTS(c, "keys_int64s", 1, 2);
    STRINGS(c, "values_strings", "a");
}
static void label_types(op_call *c) {
    op_numbers(c, F32, DIMS(2), 1, 2);
    op_node(c, "ai.onnx.ml", "LabelEncoder", 1);
    INTS(c, "keys_int64s", 1);
    STRINGS(c, "values_strings", "a");
}
static void two_kinds_of_keys(op_call *c) {
    op_numbers(c, I64, DIMS(2), 1, 2);
    op_node(c, "ai.onnx.ml", "LabelEncoder", 1);
    INTS(c, "keys_int64s", 1);
    STRINGS(c, "keys_strings", "a");
    STRINGS(c, "values_strings", "a");
}
static void unknown_category(op_call *c) {
    op_numbers(c, F32, DIMS(2), 1, NAN);
    op_node(c, "ai.onnx.ml", "OneHotEncoder", 1);
    INTS(c, "cats_int64s", 0, 1);
    op_set_int(c, "zeros", 0);
}
static void index_out_of_range(op_call *c) {
    op_numbers(c, F32, DIMS(1, 2), 1, 2);
    op_numbers(c, I64, DIMS(1), 2);
    op_node(c, "ai.onnx.ml", "ArrayFeatureExtractor", 1);
}
static void dimensions_past_memory(op_call *c) {
    op_numbers(c, F32, DIMS(1, 1), 1);
    op_numbers(c, F32, DIMS(1, 1), 1);
    op_node(c, "ai.onnx.ml", "FeatureVectorizer", 1);
    INTS(c, "inputdimensions", INT64_MAX, INT64_MAX);
}
static void rows_differ(op_call *c) {
    op_numbers(c, F32, DIMS(1, 1), 1);
    op_numbers(c, F32, DIMS(2, 1), 1, 2);
    op_node(c, "ai.onnx.ml", "FeatureVectorizer", 1);
}
static void scaler_lengths(op_call *c) {
    op_numbers(c, F32, DIMS(1, 3), 1, 2, 3);
    op_node(c, "ai.onnx.ml", "Scaler", 1);
    FLOATS(c, "scale", 1, 2);
}
static void imputer_lengths(op_call *c) {
    op_numbers(c, F64, DIMS(1, 3), 1, 2, 3);
    op_node(c, "ai.onnx.ml", "Imputer", 1);
    FLOATS(c, "imputed_value_floats", 1, 2);
}
static void zip_map_labels(op_call *c) {
    op_numbers(c, F32, DIMS(1, 3), 1, 2, 3);
    op_node(c, "ai.onnx.ml", "ZipMap", 1);
    INTS(c, "classlabels_int64s", 1, 2);
}
static void no_map(op_call *c) {
    op_numbers(c, F32, DIMS(1, 3), 1, 2, 3);
    op_node(c, "ai.onnx.ml", "CastMap", 1);
}
static void make_svm(op_call *c) {
    op_numbers(c, F32, DIMS(1, 2), 1, 2);
    op_node(c, "ai.onnx.ml", "SVMClassifier", 2);
    INTS(c, "classlabels_ints", 1, 2);
    FLOATS(c, "coefficients", 1, -1, 2);
    FLOATS(c, "support_vectors", 1, 0, 0, 1, 1, 1);
    FLOATS(c, "rho", 0.5);
}
static void vectors_of_classes(op_call *c) {
    make_svm(c);
    INTS(c, "vectors_per_class", 1, 2, 0);
}
static void vectors_below_none(op_call *c) {
    make_svm(c);
    INTS(c, "vectors_per_class", 4, -1);
}
static void vectors_and_coefficients(op_call *c) {
    make_svm(c);
    INTS(c, "vectors_per_class", 1, 1);
}

static void faults_are_told(void **state) {
    static const struct {
        void (*make)(op_call *c);
        ondol_status status;
        const char *phrase;
    } list[] = {
        {linear_faults, ONDOL_E_FORMAT, "5 coefficients and 2 intercepts"},
        {label_faults, ONDOL_E_FORMAT, "2 keys and 1 values"},
        {label_types, ONDOL_E_FORMAT, "expected int64"},
        {two_kinds_of_keys, ONDOL_E_FORMAT, "two kinds"},
        {unknown_category, ONDOL_E_FORMAT, "element 1 is of no category"},
        {index_out_of_range, ONDOL_E_FORMAT, "index 2 of 2 features"},
        {dimensions_past_memory, ONDOL_E_FORMAT, "past memory"},
        {rows_differ, ONDOL_E_FORMAT, "input 1 has 2 rows, the first 1"},
        {scaler_lengths, ONDOL_E_FORMAT, "2 scales for 3 features"},
        {imputer_lengths, ONDOL_E_FORMAT, "2 imputed_value_floats for 3 features"},
        {zip_map_labels, ONDOL_E_FORMAT, "3 columns for 2 labels"},
        {no_map, ONDOL_E_FORMAT, "no map"},
        {vectors_of_classes, ONDOL_E_FORMAT, "2 classes, 3 vectors_per_class"},
        {vectors_below_none, ONDOL_E_FORMAT, "vectors_per_class: -1"},
        {vectors_and_coefficients, ONDOL_E_FORMAT, "expected 2 coefficients"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        op_call c;
        op_begin(&c);
        list[i].make(&c);
        op_run_fails(&c, list[i].status, list[i].phrase);
        ASSERT_CONTAINS(c.err.text, "node 'node'");
        op_end(&c);
    }
}

/* --------------------------------------------------------------------------- no memory */

static void good_tree(op_call *c) {
    make_tree(c, &good);
}
static void good_places(op_call *c) {
    make_places(c, &(place_case){0, 1, 1, 1, 0, 0, 0, 1, 6, 2, NULL});
}
static void good_svm(op_call *c) {
    make_svm(c);
    INTS(c, "vectors_per_class", 1, 2);
    FLOATS(c, "prob_a", -1);
    FLOATS(c, "prob_b", 0);
}
static void good_linear(op_call *c) {
    op_numbers(c, F32, DIMS(2, 2), 1, 2, 3, 4);
    op_node(c, "ai.onnx.ml", "LinearClassifier", 2);
    STRINGS(c, "classlabels_strings", "a", "b");
    FLOATS(c, "coefficients", 1, 2, 3, 4);
}
static void good_labels(op_call *c) {
    op_numbers(c, I64, DIMS(2), 1, 2);
    op_node(c, "ai.onnx.ml", "LabelEncoder", 1);
    INTS(c, "keys_int64s", 1, 5);
    STRINGS(c, "values_strings", "a", "b");
}
static void good_mapper(op_call *c) {
    op_numbers(c, I64, DIMS(2), 1, 2);
    op_node(c, "ai.onnx.ml", "CategoryMapper", 1);
    INTS(c, "cats_int64s", 1, 5);
    STRINGS(c, "cats_strings", "a", "b");
}
static void good_one_hot(op_call *c) {
    op_numbers(c, I64, DIMS(2), 1, 2);
    op_node(c, "ai.onnx.ml", "OneHotEncoder", 1);
    INTS(c, "cats_int64s", 1, 5);
}
static void good_zip_map(op_call *c) {
    op_numbers(c, F32, DIMS(2, 2), 1, 2, 3, 4);
    op_node(c, "ai.onnx.ml", "ZipMap", 1);
    STRINGS(c, "classlabels_strings", "a", "b");
}
static void take_map(op_call *c) {
    const int64_t dims[] = {2};
    tensor_value *map = NULL, *keys = op_tensor(c, I64, 1, dims), *v = op_tensor(c, F32, 1, dims);
    ondol_error err = {0};
    memcpy(keys->data, (int64_t[]){4, 1}, 16);
    memcpy(v->data, (float[]){0.5f, 2}, 8);
    ASSERT_OK(tensor_value_create_list(c->heap, TENSOR_VALUE_MAP, &map, &err));
    ASSERT_OK(tensor_value_append(map, keys, &err));
    ASSERT_OK(tensor_value_append(map, v, &err));
    tensor_value_release(keys);
    tensor_value_release(v);
    op_take(c, map);
}
static void good_cast_map(op_call *c) {
    take_map(c);
    op_node(c, "ai.onnx.ml", "CastMap", 1);
    op_set_string(c, "cast_to", "TO_STRING");
}
static void good_dict(op_call *c) {
    take_map(c);
    op_node(c, "ai.onnx.ml", "DictVectorizer", 1);
    INTS(c, "int64_vocabulary", 1, 2, 4);
}

static void without_memory(void **state) {
    static void (*const list[])(op_call * c) = {
        good_tree,   good_places,  good_svm,     good_linear,   good_labels,
        good_mapper, good_one_hot, good_zip_map, good_cast_map, good_dict,
    };
    (void)state;
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        for (size_t n = 0;; n++) {
            fail_alloc memory;
            op_call c;
            fail_alloc_init(&memory, FAIL_ALLOC_NEVER);
            op_begin_with(&c, &memory.api, (uint64_t)1 << 30);
            list[i](&c);
            memory.fail_at = atomic_load(&memory.calls) + n;
            const ondol_status status = op_run(&c);
            const bool failed = atomic_load(&memory.failed);
            assert_int_equal(status, failed ? ONDOL_E_MEMORY : ONDOL_OK);
            op_end(&c);
            fail_alloc_check_empty(&memory);
            if (!failed) break;
            assert_true(n < 1000);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trees_are_checked),  cmocka_unit_test(trees_may_be_deep),
        cmocka_unit_test(places_are_checked), cmocka_unit_test(faults_are_told),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
