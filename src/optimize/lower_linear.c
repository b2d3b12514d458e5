/* Embeddings and projections. In: Gather, GatherBlockQuantized, MatMul, Gemm, MatMulNBits. Out:
 * Embed and MatMul of the lowered dialect, biases joined. */
#include <string.h>

#include "graph/graph_nbits.h"
#include "optimize/lowering.h"

/* ------------------------------------------------------------ embeddings */

/* The ids as the graph gives them, whatever shape or integer type they are brought to. */
static bool are_ids(const lowering *l, graph_value_id v) {
    const graph *g = l->r.from;
    for (int i = 0; v != GRAPH_NONE && i < 8; i++) {
        if (v == l->input_ids) return true;
        const graph_node_id n = g->values[v].producer;
        if (n == GRAPH_NONE) return false;
        switch (g->nodes[n].op) {
        case GRAPH_OP_CAST:
        case GRAPH_OP_IDENTITY:
        case GRAPH_OP_RESHAPE:
        case GRAPH_OP_UNSQUEEZE:
        case GRAPH_OP_SQUEEZE: v = g->nodes[n].inputs[0]; break;
        default: return false;
        }
    }
    return false;
}

/* The new graph's rows of indices for old value v: ids or positions. GRAPH_NONE: neither. */
static graph_value_id indices_of(lowering *l, graph_value_id v) {
    if (are_ids(l, v)) return l->ids;
    const lower_answer *a = lower_ask(l, v);
    return a->meaning == LOWER_POSITIONS && !a->threshold ? l->position_rows : GRAPH_NONE;
}

static ondol_status add_embed(lowering *l, graph_node_id id, graph_value_id indices,
                              const char *name, const tensor_matrix *m) {
    graph_value_id inputs[2] = {indices, GRAPH_NONE};
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    if (indices == l->position_rows) {
        uint64_t *most = &l->decoder->max_positions;
        if (!*most || m->rows < *most) *most = m->rows;
    }
    TRY(lower_bring_matrix(l, name, m, inputs + 1));
    TRY(lower_begin(l, id, GRAPH_OP_O_EMBED, inputs, 2, &node));
    TRY(lower_finish(l, node, lower_out(l, id, 0), (lower_state){LOWER_ROWS, 0}));
done:
    return status;
}

static bool is_integer_constant(const lowering *l, graph_value_id v, int64_t wanted) {
    int64_t number = 0;
    uint64_t count = 0;
    return lower_constant(l, v) && lower_probe((lowering *)l, v, 0, 1, &number, 1, &count) &&
           number == wanted;
}

/* x[:, -1] of rows: the file keeps the last token alone; which rows are wanted is said later. */
static ondol_status lower_last(lowering *l, graph_node_id id) {
    const graph_value_id x = lower_in(l, id, 0);
    if (l->states[x].form != LOWER_ROWS || graph_get_int(l->r.from, id, "axis") != 1 ||
        !is_integer_constant(l, lower_in(l, id, 1), -1)) {
        return lower_unrecognised(l, id, "it takes other rows than the last");
    }
    lower_alias(l, lower_out(l, id, 0), l->r.map[x], (lower_state){LOWER_LAST, 0});
    return ONDOL_OK;
}

ondol_status lower_gather(lowering *l, graph_node_id id) {
    tensor_matrix m;
    tensor_nbits nbits;
    bool found = false;
    const graph_value_id table = lower_in(l, id, 0);
    if (lower_is_rows(l, table)) return lower_last(l, id);
    ondol_status status = lower_find_matrix(l, table, false, &m, &nbits, &found);
    const int64_t axis = graph_get_int(l->r.from, id, "axis");
    if (status != ONDOL_OK || !found || (axis != 0 && axis != -2)) return status;
    const graph_value_id indices = indices_of(l, lower_in(l, id, 1));
    if (indices == GRAPH_NONE) return ONDOL_OK; /* shape arithmetic, or a table of cosines */
    return add_embed(l, id, indices, l->r.from->values[table].name, &m);
}

/* Through a Reshape of packed bytes, as tied embeddings have it. */
static const graph_value *packed_table(const lowering *l, graph_value_id v, graph_value *turned) {
    const graph *g = l->r.from;
    const graph_node_id reshape = match_producer(g, v, GRAPH_OP_RESHAPE);
    if (reshape == GRAPH_NONE) return lower_constant(l, v);
    const graph_value *data = lower_constant(l, lower_in(l, reshape, 0));
    int64_t dims[2];
    uint64_t count = 0;
    if (!data || !lower_probe((lowering *)l, lower_in(l, reshape, 1), 0, 1, dims, 2, &count) ||
        count != 2 || dims[0] < 1 || dims[1] < 1 ||
        (uint64_t)dims[0] > data->data_bytes / (uint64_t)dims[1]) {
        return NULL;
    }
    *turned = *data;
    turned->shape = graph_shape_2(dims[0], dims[1]);
    return turned;
}

ondol_status lower_gather_quantized(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    graph_value turned;
    const graph_value *data = packed_table(l, lower_in(l, id, 0), &turned);
    const graph_value *scales = lower_constant(l, lower_in(l, id, 2));
    const graph_value_id zero_id = lower_in(l, id, 3);
    const graph_value *zeros = zero_id == GRAPH_NONE ? NULL : lower_constant(l, zero_id);
    const graph_value_id indices = indices_of(l, lower_in(l, id, 1));
    tensor_nbits n = {0};
    if (!data || !scales || indices == GRAPH_NONE || (zero_id != GRAPH_NONE && !zeros))
        return lower_unrecognised(l, id, "expected rows of a quantised table, by token");
    const char *fault = graph_nbits_of_table(g, id, &(graph_nbits_parts){data, scales, zeros}, &n);
    if (fault) return lower_unrecognised(l, id, fault);
    const tensor_matrix m = {.rows = n.rows, .columns = n.columns, .nbits = &n};
    ondol_status status = tensor_nbits_check(&n, l->err);
    if (status != ONDOL_OK) return base_prefix(l->err, status, "node '%s'", g->nodes[id].name);
    return add_embed(l, id, indices, g->values[lower_in(l, id, 0)].name, &m);
}

/* ------------------------------------------------------------ projections */

/* x of input 0 times a matrix, with an optional bias of the old graph. */
static ondol_status add_matmul(lowering *l, graph_node_id id, const char *name,
                               const tensor_matrix *m, graph_value_id bias) {
    graph_value_id inputs[3] = {GRAPH_NONE, GRAPH_NONE, GRAPH_NONE};
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    TRY(lower_rows(l, id, 0, inputs));
    const lower_form form = l->states[lower_in(l, id, 0)].form;
    if (form != LOWER_ROWS && form != LOWER_FLAT && form != LOWER_LAST) {
        return lower_unrecognised(l, id, "it multiplies heads");
    }
    if (lower_columns(l, lower_in(l, id, 0)) != m->columns) {
        return lower_unrecognised(l, id, "its weight has other columns than its input");
    }
    TRY(lower_bring_matrix(l, name, m, inputs + 1));
    if (bias != GRAPH_NONE) TRY(lower_vector(l, id, bias, m->rows, inputs + 2));
    TRY(lower_begin(l, id, GRAPH_OP_O_MATMUL, inputs, 3, &node));
    TRY(lower_finish(l, node, lower_out(l, id, 0), (lower_state){form, 0}));
done:
    return status;
}

ondol_status lower_matmul(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    const bool fused = g->nodes[id].op == GRAPH_OP_MS_FUSED_MATMUL;
    const graph_value_id w = lower_in(l, id, 1);
    tensor_matrix m;
    tensor_nbits nbits;
    bool found = false, as_columns = true;
    if (!lower_is_rows(l, lower_in(l, id, 0))) return ONDOL_OK; /* of a rotary table */
    if (fused) {
        as_columns = graph_get_int(g, id, "transB") == 0;
        if (graph_get_float(g, id, "alpha") != 1 || graph_get_int(g, id, "transA") ||
            graph_get_int(g, id, "transBatchA") || graph_get_int(g, id, "transBatchB")) {
            return lower_unrecognised(l, id, "it scales or turns its input");
        }
    }
    ondol_status status = lower_find_matrix(l, w, as_columns, &m, &nbits, &found);
    if (status != ONDOL_OK) return status;
    if (!found) return lower_unrecognised(l, id, "its right operand is no weight");
    return add_matmul(l, id, g->values[w].name, &m, GRAPH_NONE);
}

ondol_status lower_gemm(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    const graph_value_id w = lower_in(l, id, 1), bias = lower_in(l, id, 2);
    tensor_matrix m;
    tensor_nbits nbits;
    bool found = false;
    if (!lower_is_rows(l, lower_in(l, id, 0))) return ONDOL_OK;
    if (graph_get_float(g, id, "alpha") != 1 || graph_get_int(g, id, "transA") ||
        (bias != GRAPH_NONE && graph_get_float(g, id, "beta") != 1)) {
        return lower_unrecognised(l, id, "it scales or turns its input");
    }
    ondol_status status =
        lower_find_matrix(l, w, graph_get_int(g, id, "transB") == 0, &m, &nbits, &found);
    if (status != ONDOL_OK) return status;
    if (!found) return lower_unrecognised(l, id, "its right operand is no weight");
    return add_matmul(l, id, g->values[w].name, &m, bias);
}

ondol_status lower_matmul_nbits(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    const graph_value *codes = lower_constant(l, lower_in(l, id, 1));
    const graph_value *scales = lower_constant(l, lower_in(l, id, 2));
    const graph_value_id zero_id = lower_in(l, id, 3);
    const graph_value *zeros = zero_id == GRAPH_NONE ? NULL : lower_constant(l, zero_id);
    if (!lower_is_rows(l, lower_in(l, id, 0))) return ONDOL_OK;
    if (!codes || !scales || (zero_id != GRAPH_NONE && !zeros)) {
        return lower_unrecognised(l, id, "its weight is no initializer");
    }
    tensor_nbits n = {0};
    const char *fault =
        graph_nbits_of_matmul(g, id, &(graph_nbits_parts){codes, scales, zeros}, &n);
    if (fault) return lower_unrecognised(l, id, fault);
    const tensor_matrix m = {.rows = n.rows, .columns = n.columns, .nbits = &n};
    ondol_status status = tensor_nbits_check(&n, l->err);
    if (status != ONDOL_OK) return base_prefix(l->err, status, "node '%s'", g->nodes[id].name);
    return add_matmul(l, id, g->values[lower_in(l, id, 1)].name, &m, lower_in(l, id, 5));
}

ondol_status lower_join_bias(lowering *l, graph_node_id id, graph_value_id x, graph_value_id bias) {
    graph *to = l->r.to;
    const graph_node_id n = to->values[x].producer;
    graph_value_id vector = GRAPH_NONE;
    if (n == GRAPH_NONE || to->nodes[n].op != GRAPH_OP_O_MATMUL ||
        to->nodes[n].inputs[2] != GRAPH_NONE) {
        return lower_unrecognised(l, id, "a bias behind something else than a matmul");
    }
    ondol_status status = lower_vector(l, id, bias, (uint64_t)to->values[x].shape.dims[1], &vector);
    if (status == ONDOL_OK) to->nodes[n].inputs[2] = vector;
    return status;
}
