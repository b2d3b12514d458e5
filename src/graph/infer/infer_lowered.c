/* Shape rules of domain ondol, whose graphs have no unknown types or ranks. In: a node. Out:
 * element type and shape of its outputs. */
#include <string.h>

#include "graph/infer/infer.h"

static const graph_value *input(const graph *g, graph_node_id n, uint32_t i) {
    return infer_input(g, n, i);
}

static void set_output(graph *g, graph_node_id n, uint32_t i, tensor_element element,
                       graph_shape shape) {
    infer_set(g, n, i, element, shape);
}

static ondol_status misfit(const graph *g, graph_node_id n, const char *rule, ondol_error *err) {
    return infer_fail(g, n, err, "%s", rule);
}

ondol_status infer_o_embed(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *ids = input(g, n, 0), *table = input(g, n, 1);
    if (ids->shape.rank != 1 || table->shape.rank != 2) return misfit(g, n, "bad ranks", err);
    set_output(g, n, 0, TENSOR_ELEMENT_F32,
               graph_shape_2(ids->shape.dims[0], table->shape.dims[1]));
    return ONDOL_OK;
}

ondol_status infer_o_rotary_table(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *positions = input(g, n, 0), *frequencies = input(g, n, 2);
    if (frequencies->shape.rank != 2 || frequencies->element != TENSOR_ELEMENT_F64) {
        return misfit(g, n, "frequencies are no double [regimes, r/2]", err);
    }
    set_output(g, n, 0, TENSOR_ELEMENT_F32,
               graph_shape_2(positions->shape.dims[0], 2 * frequencies->shape.dims[1]));
    return ONDOL_OK;
}

ondol_status infer_o_rotary_rows(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *positions = input(g, n, 0), *cosines = input(g, n, 2);
    for (uint32_t i = 2; i < g->nodes[n].input_count; i++) {
        const graph_value *v = input(g, n, i);
        if (!v || v->shape.rank != 2 || v->shape.dims[1] != cosines->shape.dims[1] ||
            v->element != cosines->element) {
            return misfit(g, n, "cosines and sines are no [positions, r/2] of one type", err);
        }
    }
    set_output(g, n, 0, TENSOR_ELEMENT_F32,
               graph_shape_2(positions->shape.dims[0], 2 * cosines->shape.dims[1]));
    return ONDOL_OK;
}

ondol_status infer_o_matmul(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = input(g, n, 0);
    graph_dim columns = 0;
    for (uint32_t i = 1; i < g->nodes[n].input_count; i += 2) {
        const graph_value *w = input(g, n, i), *bias = input(g, n, i + 1);
        if (!w || w->shape.rank != 2 || w->shape.dims[1] != x->shape.dims[1]) {
            return misfit(g, n, "a weight is no [outputs, inputs]", err);
        }
        if (bias && (bias->shape.rank != 1 || bias->shape.dims[0] != w->shape.dims[0])) {
            return misfit(g, n, "a bias is no [outputs]", err);
        }
        columns += w->shape.dims[0];
    }
    set_output(g, n, 0, TENSOR_ELEMENT_F32, graph_shape_2(x->shape.dims[0], columns));
    return ONDOL_OK;
}

ondol_status infer_o_columns(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = input(g, n, 0);
    int64_t first = graph_get_int(g, n, "first"), count = graph_get_int(g, n, "count");
    if (first < 0 || count < 1 || first > x->shape.dims[1] - count) {
        return misfit(g, n, "columns past the end", err);
    }
    set_output(g, n, 0, x->element, graph_shape_2(x->shape.dims[0], count));
    return ONDOL_OK;
}

static ondol_status rows_of_symbol(graph *g, graph_node_id n, const char *symbol,
                                   ondol_error *err) {
    const graph_value *x = input(g, n, 0);
    graph_shape shape = x->shape;
    tensor_element element = x->element;
    ondol_status status = graph_symbol(g, symbol, shape.dims, err);
    if (status == ONDOL_OK) set_output(g, n, 0, element, shape);
    return status;
}

ondol_status infer_o_select_rows(graph *g, graph_node_id n, ondol_error *err) {
    return rows_of_symbol(g, n, "outputs", err);
}

ondol_status infer_o_first_rows(graph *g, graph_node_id n, ondol_error *err) {
    return rows_of_symbol(g, n, "logits", err);
}
