/* Rules of operators whose outputs have the shape of an input, or the broadcast one. */
#include <inttypes.h>

#include "graph/infer/infer.h"

/* Output 0 is like input 0, sequences and all. */
ondol_status infer_same(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_input(g, n, 0);
    if (x) infer_set(g, n, 0, x->element, x->shape);
    return ONDOL_OK;
}

/* The shape of input 0; the type is that of the lists. */
ondol_status infer_shape_of_first(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_ranked(g, n, 0);
    if (x) infer_set_shape(g, n, 0, x->shape);
    return ONDOL_OK;
}

/* All outputs have the shape of input 0. */
ondol_status infer_shape_of_first_all(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_ranked(g, n, 0);
    for (uint32_t i = 0; x && i < g->nodes[n].output_count; i++)
        infer_set_shape(g, n, i, g->values[g->nodes[n].inputs[0]].shape);
    return ONDOL_OK;
}

/* All inputs broadcast. */
ondol_status infer_broadcast(graph *g, graph_node_id n, ondol_error *err) {
    const graph_node *node = g->nodes + n;
    graph_shape shape = {0};
    for (uint32_t i = 0; i < node->input_count; i++) {
        const graph_value *x = infer_input(g, n, i);
        if (!x || x->type_kind != GRAPH_TYPE_TENSOR) return ONDOL_OK;
        const graph_shape before = shape;
        if (!infer_broadcast_shapes(&before, &x->shape, &shape)) {
            return infer_fail(
                g, n, err, "the shape of input %" PRIu32 " does not broadcast with those before it",
                i);
        }
    }
    infer_set_shape(g, n, 0, shape);
    /* Operators of domain ondol have no lists that would tell. */
    const graph_value *first = infer_input(g, n, 0);
    if (first && !*graph_op_info_of(node->op)->inputs) {
        if (first->element != infer_input(g, n, 1)->element) {
            return infer_fail(g, n, err, "element types of its inputs differ");
        }
        infer_set_element(g, n, 0, first->element);
    }
    return ONDOL_OK;
}

/* An attribute names the element type: Cast, EyeLike, the random ones. */
static ondol_status typed_by(graph *g, graph_node_id n, const char *name, ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(g, n, name);
    const graph_value *x = infer_ranked(g, n, 0);
    if (x) infer_set_shape(g, n, 0, x->shape);
    if (!a) return ONDOL_OK;
    if (!tensor_element_valid(a->i)) {
        return infer_fail(g, n, err, "%s is %" PRId64 ", which is no element type", name, a->i);
    }
    infer_set_element(g, n, 0, (tensor_element)a->i);
    return ONDOL_OK;
}

ondol_status infer_cast(graph *g, graph_node_id n, ondol_error *err) {
    return typed_by(g, n, "to", err);
}

ondol_status infer_like(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_input(g, n, 0);
    if (x) infer_set_element(g, n, 0, x->element);
    return typed_by(g, n, "dtype", err);
}

/* RandomNormal, RandomUniform: the shape is an attribute. */
ondol_status infer_random(graph *g, graph_node_id n, ondol_error *err) {
    const graph_attribute *shape = graph_get_attribute(g, n, "shape");
    const graph_attribute *type = graph_get_attribute(g, n, "dtype");
    infer_set_element(g, n, 0, type ? (tensor_element)type->i : TENSOR_ELEMENT_F32);
    if (!shape || shape->int_count > GRAPH_MAX_RANK) return ONDOL_OK;
    graph_shape s = {.rank = shape->int_count};
    for (uint32_t i = 0; i < s.rank; i++) {
        if (shape->ints[i] < 0) return infer_fail(g, n, err, "dimension %" PRId64, shape->ints[i]);
        s.dims[i] = shape->ints[i];
    }
    infer_set_shape(g, n, 0, s);
    return ONDOL_OK;
}

ondol_status infer_multinomial(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_ranked(g, n, 0);
    const graph_attribute *type = graph_get_attribute(g, n, "dtype");
    infer_set_element(g, n, 0, type ? (tensor_element)type->i : TENSOR_ELEMENT_I32);
    if (x && x->shape.rank == 2) {
        infer_set_shape(g, n, 0,
                        graph_shape_2(x->shape.dims[0], graph_get_int(g, n, "sample_size")));
    }
    return ONDOL_OK;
}

/* An attribute or the zero point's type names that of the codes. */
ondol_status infer_quantize(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_ranked(g, n, 0), *zero = infer_input(g, n, 2);
    const int64_t given = graph_get_int(g, n, "output_dtype");
    const tensor_element e = zero    ? zero->element
                             : given ? (tensor_element)given
                                     : TENSOR_ELEMENT_U8;
    infer_set_element(g, n, 0, e);
    if (x) infer_set_shape(g, n, 0, x->shape);
    return ONDOL_OK;
}

ondol_status infer_dequantize(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_ranked(g, n, 0), *scale = infer_input(g, n, 1);
    const int64_t given = graph_get_int(g, n, "output_dtype");
    if (given || scale) infer_set_element(g, n, 0, given ? (tensor_element)given : scale->element);
    if (x) infer_set_shape(g, n, 0, x->shape);
    return ONDOL_OK;
}

ondol_status infer_dynamic_quantize(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_ranked(g, n, 0);
    if (x) infer_set_shape(g, n, 0, x->shape);
    infer_set_shape(g, n, 1, (graph_shape){0});
    infer_set_shape(g, n, 2, (graph_shape){0});
    return ONDOL_OK;
}
