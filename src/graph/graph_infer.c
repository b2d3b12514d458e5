/* Shape and element rules, one for each row of ops.def. In: a node whose inputs are known. Out:
 * element type and shape of its outputs. */
#include <string.h>

#include "graph/ops.h"

static graph_value *input(graph *g, graph_node_id n, uint32_t i) {
    const graph_node *node = g->nodes + n;
    if (i >= node->input_count || node->inputs[i] == GRAPH_NONE) return NULL;
    return g->values + node->inputs[i];
}

static void set_output(graph *g, graph_node_id n, uint32_t i, tensor_element element,
                       graph_shape shape) {
    graph_value *v = g->values + g->nodes[n].outputs[i];
    v->element = element;
    v->shape = shape;
}

static ondol_status misfit(const graph *g, graph_node_id n, const char *rule, ondol_error *err) {
    return base_fail(err, ONDOL_E_FORMAT, "node '%s' (%s): %s", g->nodes[n].name,
                     graph_op_info_of(g->nodes[n].op)->name, rule);
}

ondol_status infer_same(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = input(g, n, 0);
    set_output(g, n, 0, x->element, x->shape);
    return ONDOL_OK;
}

/* Multidirectional broadcasting (ONNX Broadcasting.md); a symbol equals only itself. */
static bool broadcast(const graph_shape *a, const graph_shape *b, graph_shape *out) {
    out->rank = a->rank > b->rank ? a->rank : b->rank;
    for (uint32_t i = 0; i < out->rank; i++) {
        graph_dim p = i + a->rank < out->rank ? 1 : a->dims[i + a->rank - out->rank];
        graph_dim q = i + b->rank < out->rank ? 1 : b->dims[i + b->rank - out->rank];
        if (p != q && p != 1 && q != 1) return false;
        out->dims[i] = p == 1 ? q : p;
    }
    return true;
}

ondol_status infer_broadcast(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *a = input(g, n, 0), *b = input(g, n, 1);
    graph_shape shape;
    if (a->element != b->element) return misfit(g, n, "element types of its inputs differ", err);
    if (!broadcast(&a->shape, &b->shape, &shape))
        return misfit(g, n, "shapes do not broadcast", err);
    set_output(g, n, 0, a->element, shape);
    return ONDOL_OK;
}

ondol_status infer_compare(graph *g, graph_node_id n, ondol_error *err) {
    ondol_status status = infer_broadcast(g, n, err);
    if (status == ONDOL_OK) g->values[g->nodes[n].outputs[0]].element = TENSOR_ELEMENT_BOOL;
    return status;
}

ondol_status infer_where(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *c = input(g, n, 0), *a = input(g, n, 1), *b = input(g, n, 2);
    graph_shape ab, all;
    if (c->element != TENSOR_ELEMENT_BOOL) return misfit(g, n, "the condition is no bool", err);
    if (!broadcast(&a->shape, &b->shape, &ab) || !broadcast(&ab, &c->shape, &all)) {
        return misfit(g, n, "shapes do not broadcast", err);
    }
    set_output(g, n, 0, a->element, all);
    return ONDOL_OK;
}

ondol_status infer_cast(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    set_output(g, n, 0, (tensor_element)graph_get_int(g, n, "to"), input(g, n, 0)->shape);
    return ONDOL_OK;
}

ondol_status infer_gather(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *data = input(g, n, 0), *indices = input(g, n, 1);
    int64_t axis = graph_get_int(g, n, "axis");
    if (axis < 0) axis += data->shape.rank;
    if (axis < 0 || axis >= data->shape.rank) return misfit(g, n, "axis out of range", err);
    graph_shape out = {0};
    if (data->shape.rank + indices->shape.rank - 1 > GRAPH_MAX_RANK) {
        return misfit(g, n, "rank over 8", err);
    }
    for (int64_t i = 0; i < axis; i++)
        out.dims[out.rank++] = data->shape.dims[i];
    for (uint32_t i = 0; i < indices->shape.rank; i++)
        out.dims[out.rank++] = indices->shape.dims[i];
    for (uint32_t i = (uint32_t)axis + 1; i < data->shape.rank; i++)
        out.dims[out.rank++] = data->shape.dims[i];
    set_output(g, n, 0, data->element, out);
    return ONDOL_OK;
}

/* The values of an int64 initializer; NULL when input i is none. */
static const int64_t *constant_ints(graph *g, graph_node_id n, uint32_t i, uint64_t *count) {
    const graph_value *v = input(g, n, i);
    if (!v || !v->data || v->element != TENSOR_ELEMENT_I64 || v->shape.rank > 1) return NULL;
    *count = v->data_bytes / 8;
    return v->data;
}

ondol_status infer_reshape(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = input(g, n, 0);
    uint64_t count = 0;
    const int64_t *dims = constant_ints(g, n, 1, &count);
    if (!dims || count > GRAPH_MAX_RANK) return misfit(g, n, "its shape is no constant", err);
    graph_shape out = {.rank = (uint32_t)count};
    int64_t known_in = 1, known_out = 1, hole = -1;
    for (uint32_t i = 0; i < out.rank; i++) {
        if (dims[i] == 0 && i >= x->shape.rank) return misfit(g, n, "0 past the input's rank", err);
        if (dims[i] == -1 && hole >= 0) return misfit(g, n, "two dimensions of -1", err);
        out.dims[i] = dims[i] == 0 ? x->shape.dims[i] : dims[i];
        if (dims[i] == -1)
            hole = i;
        else if (dims[i] != 0)
            known_out *= dims[i];
    }
    for (uint32_t i = 0; i < x->shape.rank; i++) {
        bool copied = i < out.rank && dims[i] == 0;
        if (!copied && x->shape.dims[i] < 0) return misfit(g, n, "it would fold a symbol", err);
        if (!copied) known_in *= x->shape.dims[i];
    }
    if (hole >= 0) {
        if (known_out == 0 || known_in % known_out) return misfit(g, n, "sizes differ", err);
        out.dims[hole] = known_in / known_out;
    } else if (known_in != known_out) {
        return misfit(g, n, "sizes differ", err);
    }
    set_output(g, n, 0, x->element, out);
    return ONDOL_OK;
}

ondol_status infer_unsqueeze(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = input(g, n, 0);
    uint64_t count = 0;
    const int64_t *axes = constant_ints(g, n, 1, &count);
    if (!axes || count + x->shape.rank > GRAPH_MAX_RANK) return misfit(g, n, "bad axes", err);
    graph_shape out = {.rank = x->shape.rank + (uint32_t)count};
    bool added[GRAPH_MAX_RANK] = {false};
    for (uint64_t i = 0; i < count; i++) {
        int64_t axis = axes[i] < 0 ? axes[i] + out.rank : axes[i];
        if (axis < 0 || axis >= out.rank || added[axis]) return misfit(g, n, "bad axes", err);
        added[axis] = true;
    }
    uint32_t from = 0;
    for (uint32_t i = 0; i < out.rank; i++)
        out.dims[i] = added[i] ? 1 : x->shape.dims[from++];
    set_output(g, n, 0, x->element, out);
    return ONDOL_OK;
}

ondol_status infer_split(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = input(g, n, 0);
    const graph_node *node = g->nodes + n;
    int64_t axis = graph_get_int(g, n, "axis");
    if (axis < 0) axis += x->shape.rank;
    if (axis < 0 || axis >= x->shape.rank || x->shape.dims[axis] < 0) {
        return misfit(g, n, "axis out of range or of unknown size", err);
    }
    uint64_t count = 0;
    const int64_t *sizes = constant_ints(g, n, 1, &count);
    if (node->input_count > 1 && (!sizes || count != node->output_count)) {
        return misfit(g, n, "its sizes are no constant for each output", err);
    }
    graph_dim total = 0, whole = x->shape.dims[axis];
    graph_dim part = (whole + node->output_count - 1) / node->output_count;
    graph_shape shape = x->shape;
    tensor_element element = x->element;
    for (uint32_t i = 0; i < node->output_count; i++) {
        shape.dims[axis] = sizes ? sizes[i] : part < whole - total ? part : whole - total;
        if (shape.dims[axis] < 0 || shape.dims[axis] > whole - total) {
            return misfit(g, n, "its sizes do not add up", err);
        }
        total += shape.dims[axis];
        set_output(g, n, i, element, shape);
    }
    return total == whole ? ONDOL_OK : misfit(g, n, "its sizes do not add up", err);
}

ondol_status infer_matmul(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *a = input(g, n, 0), *b = input(g, n, 1);
    bool trans_b = graph_get_int(g, n, "transB") != 0;
    if (a->shape.rank < 2 || b->shape.rank != 2 || graph_get_int(g, n, "transA") != 0) {
        return misfit(g, n, "expected [..., m, k] times [k, n] or its transpose", err);
    }
    graph_dim k = a->shape.dims[a->shape.rank - 1];
    if (b->shape.dims[trans_b ? 1 : 0] != k) return misfit(g, n, "inner sizes differ", err);
    graph_shape out = a->shape;
    out.dims[out.rank - 1] = b->shape.dims[trans_b ? 0 : 1];
    set_output(g, n, 0, a->element, out);
    return ONDOL_OK;
}

/* q [B,S,H*e], k and v [B,S,K*e], past [B,K,P,e] twice, seqlens_k [B], total_sequence_length []. */
ondol_status infer_group_query_attention(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *q = input(g, n, 0), *k = input(g, n, 1), *past = input(g, n, 3);
    int64_t heads = graph_get_int(g, n, "num_heads"), kv = graph_get_int(g, n, "kv_num_heads");
    if (heads < 1 || kv < 1 || heads % kv) return misfit(g, n, "heads are no multiple of kv", err);
    if (q->shape.rank != 3 || k->shape.rank != 3 || !past || past->shape.rank != 4) {
        return misfit(g, n, "expected q, k, v of rank 3 and a past of rank 4", err);
    }
    graph_dim size = past->shape.dims[3];
    if (q->shape.dims[2] != heads * size || k->shape.dims[2] != kv * size) {
        return misfit(g, n, "hidden sizes are not heads times head size", err);
    }
    graph_dim total = 0;
    ondol_status status = graph_symbol(g, "total_sequence_length", &total, err);
    if (status != ONDOL_OK) return status;
    graph_shape present = past->shape;
    present.dims[2] = total;
    tensor_element element = q->element, cache = past->element;
    set_output(g, n, 0, element, q->shape);
    set_output(g, n, 1, cache, present);
    set_output(g, n, 2, cache, present);
    return ONDOL_OK;
}

/* ------------------------------------------------------------------------------- domain ondol */

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

ondol_status graph_infer_node(graph *g, graph_node_id n, ondol_error *err) {
    const graph_op_info *info = graph_op_info_of(g->nodes[n].op);
    for (uint32_t i = 0; i < info->min_inputs; i++) {
        bool optional_bias = g->nodes[n].op == GRAPH_OP_O_MATMUL && i >= 2 && i % 2 == 0;
        if (!input(g, n, i) && !optional_bias)
            return misfit(g, n, "a required input is absent", err);
    }
    return info->infer(g, n, err);
}
