/* Shape rules of ai.onnx.ml. In: a node with rows of features. Out: rows of scores, labels. */
#include <string.h>

#include "graph/infer/infer.h"

/* Rows of input 0: [C] is one, [N, C] are N. */
static graph_dim rows_of(const graph *g, graph_node_id n) {
    const graph_value *x = infer_ranked(g, n, 0);
    if (!x) return GRAPH_DIM_UNKNOWN;
    return x->shape.rank == 1 ? 1 : x->shape.rank == 2 ? x->shape.dims[0] : GRAPH_DIM_UNKNOWN;
}

/* How many items a list has; 0: it is not there. */
static uint32_t count_of(const graph *g, graph_node_id n, const char *name) {
    const graph_attribute *a = graph_get_attribute(g, n, name);
    return a ? a->int_count : 0;
}

static graph_dim dim_of(int64_t v) {
    return v < 0 ? GRAPH_DIM_UNKNOWN : v;
}

/* Output 0 is a label for each row, output 1 `columns` scores. */
static void set_classes(graph *g, graph_node_id n, const char *ints, const char *strings,
                        graph_dim columns) {
    const bool of_strings = count_of(g, n, strings) != 0;
    const graph_dim rows = rows_of(g, n);
    if (of_strings != (count_of(g, n, ints) != 0))
        infer_set_element(g, n, 0, of_strings ? TENSOR_ELEMENT_STRING : TENSOR_ELEMENT_I64);
    infer_set_shape(g, n, 0, graph_shape_1(rows));
    infer_set_shape(g, n, 1, graph_shape_2(rows, columns));
}

ondol_status infer_ml_array_feature_extractor(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0), *places = infer_ranked(g, n, 1);
    uint64_t count = 0;
    if (!x) return ONDOL_OK;
    if (!x->shape.rank) return infer_fail(g, n, err, "an input of rank 0");
    const bool is_known =
        places && graph_shape_elements(&places->shape, &count) && count <= INT64_MAX;
    const graph_dim last = is_known ? (graph_dim)count : GRAPH_DIM_UNKNOWN;
    graph_shape shape = x->shape;
    shape.dims[shape.rank - 1] = last;
    infer_set_shape(g, n, 0, shape.rank == 1 ? graph_shape_2(1, last) : shape);
    return ONDOL_OK;
}

ondol_status infer_ml_cast_map(graph *g, graph_node_id n, ondol_error *err) {
    const char *to = graph_get_string(g, n, "cast_to");
    const bool is_sparse = strcmp(graph_get_string(g, n, "map_form"), "SPARSE") == 0;
    (void)err;
    infer_set_element(g, n, 0,
                      strcmp(to, "TO_FLOAT") == 0    ? TENSOR_ELEMENT_F32
                      : strcmp(to, "TO_INT64") == 0  ? TENSOR_ELEMENT_I64
                      : strcmp(to, "TO_STRING") == 0 ? TENSOR_ELEMENT_STRING
                                                     : TENSOR_ELEMENT_UNDEFINED);
    const graph_dim size = is_sparse ? dim_of(graph_get_int(g, n, "max_map")) : GRAPH_DIM_UNKNOWN;
    infer_set_shape(g, n, 0, graph_shape_2(1, size));
    return ONDOL_OK;
}

/* Strings become integers, integers strings. */
ondol_status infer_ml_category_mapper(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_input(g, n, 0);
    if (x && x->element == TENSOR_ELEMENT_STRING) infer_set_element(g, n, 0, TENSOR_ELEMENT_I64);
    if (x && x->element == TENSOR_ELEMENT_I64) infer_set_element(g, n, 0, TENSOR_ELEMENT_STRING);
    return infer_shape_of_first(g, n, err);
}

ondol_status infer_ml_dict_vectorizer(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_input(g, n, 0);
    const uint32_t words = count_of(g, n, "string_vocabulary") + count_of(g, n, "int64_vocabulary");
    (void)err;
    infer_set_element(g, n, 0, x && x->item ? x->item->element : TENSOR_ELEMENT_UNDEFINED);
    infer_set_shape(g, n, 0, graph_shape_2(1, words));
    return ONDOL_OK;
}

/* Columns of one input of FeatureVectorizer: what is not its first of two dimensions. */
static graph_dim columns_of(const graph *g, graph_node_id n, uint32_t i) {
    const graph_value *x = infer_ranked(g, n, i);
    const graph_attribute *given = graph_get_attribute(g, n, "inputdimensions");
    if (given && i < given->int_count) return dim_of(given->ints[i]);
    if (!x || x->shape.rank < 1 || x->shape.rank > 2) return GRAPH_DIM_UNKNOWN;
    return dim_of(x->shape.dims[x->shape.rank - 1]);
}

ondol_status infer_ml_feature_vectorizer(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    graph_dim rows = GRAPH_DIM_UNKNOWN, columns = 0;
    (void)err;
    if (x) rows = x->shape.rank < 2 ? 1 : x->shape.dims[0];
    for (uint32_t i = 0; i < g->nodes[n].input_count && columns >= 0; i++) {
        const graph_dim more = columns_of(g, n, i);
        columns = more < 0 || more > INT64_MAX - columns ? GRAPH_DIM_UNKNOWN : columns + more;
    }
    infer_set_shape(g, n, 0, graph_shape_2(rows, columns));
    return ONDOL_OK;
}

/* Of the type of its values. */
ondol_status infer_ml_label_encoder(graph *g, graph_node_id n, ondol_error *err) {
    const graph_attribute *tensor = graph_get_attribute(g, n, "values_tensor");
    tensor_element element = TENSOR_ELEMENT_UNDEFINED;
    if (count_of(g, n, "values_floats")) element = TENSOR_ELEMENT_F32;
    if (count_of(g, n, "values_int64s")) element = TENSOR_ELEMENT_I64;
    if (count_of(g, n, "values_strings")) element = TENSOR_ELEMENT_STRING;
    if (element == TENSOR_ELEMENT_UNDEFINED && tensor) element = tensor->tensors->element;
    infer_set_element(g, n, 0, element);
    return infer_shape_of_first(g, n, err);
}

ondol_status infer_ml_linear_classifier(graph *g, graph_node_id n, ondol_error *err) {
    const uint32_t labels =
        count_of(g, n, "classlabels_ints") + count_of(g, n, "classlabels_strings");
    (void)err;
    set_classes(g, n, "classlabels_ints", "classlabels_strings", labels);
    return ONDOL_OK;
}

ondol_status infer_ml_linear_regressor(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    infer_set_shape(g, n, 0, graph_shape_2(rows_of(g, n), dim_of(graph_get_int(g, n, "targets"))));
    return ONDOL_OK;
}

ondol_status infer_ml_one_hot_encoder(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    if (!x) return ONDOL_OK;
    if (x->shape.rank >= GRAPH_MAX_RANK)
        return infer_fail(g, n, err, "an input of too high a rank");
    graph_shape shape = x->shape;
    shape.dims[shape.rank++] =
        (graph_dim)count_of(g, n, "cats_int64s") + count_of(g, n, "cats_strings");
    infer_set_shape(g, n, 0, shape);
    return ONDOL_OK;
}

/* Scores are of pairs where support vectors vote among more than two classes. */
ondol_status infer_ml_svm_classifier(graph *g, graph_node_id n, ondol_error *err) {
    const graph_attribute *vectors = graph_get_attribute(g, n, "vectors_per_class");
    const graph_dim classes =
        (graph_dim)count_of(g, n, "classlabels_ints") + count_of(g, n, "classlabels_strings");
    bool votes = false;
    (void)err;
    for (uint32_t i = 0; vectors && i < vectors->int_count; i++)
        votes = votes || vectors->ints[i] != 0;
    const bool pairs = votes && !count_of(g, n, "prob_a") && classes > 2;
    set_classes(g, n, "classlabels_ints", "classlabels_strings",
                pairs ? classes * (classes - 1) / 2 : classes);
    return ONDOL_OK;
}

ondol_status infer_ml_svm_regressor(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    infer_set_shape(g, n, 0, graph_shape_2(rows_of(g, n), 1));
    return ONDOL_OK;
}

ondol_status infer_ml_tree_classifier(graph *g, graph_node_id n, ondol_error *err) {
    const uint32_t labels =
        count_of(g, n, "classlabels_int64s") + count_of(g, n, "classlabels_strings");
    (void)err;
    set_classes(g, n, "classlabels_int64s", "classlabels_strings", labels);
    return ONDOL_OK;
}

/* TreeEnsemble, TreeEnsembleRegressor. */
ondol_status infer_ml_trees(graph *g, graph_node_id n, ondol_error *err) {
    const graph_dim targets = dim_of(graph_get_int(g, n, "n_targets"));
    (void)err;
    infer_set_shape(g, n, 0, graph_shape_2(rows_of(g, n), targets));
    return ONDOL_OK;
}

/* A sequence of maps from labels to floats. */
ondol_status infer_ml_zip_map(graph *g, graph_node_id n, ondol_error *err) {
    const graph_type number = {GRAPH_TYPE_TENSOR, TENSOR_ELEMENT_F32, graph_shape_unknown(), NULL};
    const bool of_strings = count_of(g, n, "classlabels_strings") != 0;
    const graph_type map = {GRAPH_TYPE_MAP, of_strings ? TENSOR_ELEMENT_STRING : TENSOR_ELEMENT_I64,
                            graph_shape_unknown(), &number};
    const graph_value_id v = g->nodes[n].outputs[0];
    const graph_type *item = graph_type_copy(g, &map);
    if (!item) return base_no_memory(err, "graph", sizeof map);
    if (v == GRAPH_NONE) return ONDOL_OK;
    g->values[v].type_kind = GRAPH_TYPE_SEQUENCE;
    g->values[v].element = TENSOR_ELEMENT_UNDEFINED;
    g->values[v].shape = graph_shape_unknown();
    g->values[v].item = item;
    return ONDOL_OK;
}
