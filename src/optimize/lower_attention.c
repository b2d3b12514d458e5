/* Attention. In: GroupQueryAttention with explicit past and present. Out: PagedAttention, with the
 * norms and rotations that the operator does itself in front of it. */
#include <math.h>

#include "optimize/lowering.h"

enum {
    QUERY,
    KEY,
    VALUE,
    PAST_KEY,
    PAST_VALUE,
    SEQLENS_K,
    TOTAL,
    COSINES,
    SINES,
    POSITIONS,
    BIAS,
    SINK,
    K_SCALE,
    V_SCALE,
    Q_NORM,
    K_NORM,
    QUERY_SEQLENS
};

/* The attention of one layer. */
typedef struct layer {
    graph_value_id q, k, v; /* of the new graph */
    uint32_t heads, kv_heads, head_size, window;
} layer;

static ondol_status check_cache_values(const lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    for (uint32_t i = PAST_KEY; i <= PAST_VALUE; i++) {
        const graph_value_id v = lower_in(l, id, i);
        if (v == GRAPH_NONE || g->values[v].kind != GRAPH_VALUE_INPUT) {
            return lower_unrecognised(l, id, "its past is no input of the graph");
        }
        if (l->uses[v] != 1) return lower_unrecognised(l, id, "its past is used by others too");
    }
    for (uint32_t i = 1; i <= 2; i++) {
        const graph_value_id v = lower_out(l, id, i);
        bool given = false;
        for (uint32_t k = 0; k < g->output_count; k++)
            given = given || (v != GRAPH_NONE && g->outputs[k] == v);
        if (!given) return lower_unrecognised(l, id, "its present is no output of the graph");
        if (l->uses[v] != 1) return lower_unrecognised(l, id, "its present is used in the graph");
    }
    return ONDOL_OK;
}

/* What the lowered operator cannot say. */
static ondol_status check_attributes(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    const graph_value_id last = lower_out(l, id, 3);
    if (lower_in(l, id, BIAS) != GRAPH_NONE) {
        return lower_unrecognised(l, id, "a bias on the scores");
    }
    if (lower_in(l, id, SINK) != GRAPH_NONE || graph_get_int(g, id, "smooth_softmax") > 0) {
        return lower_unrecognised(l, id, "a softmax with sinks");
    }
    if (lower_in(l, id, K_SCALE) != GRAPH_NONE || lower_in(l, id, V_SCALE) != GRAPH_NONE ||
        graph_get_int(g, id, "kv_cache_bit_width")) {
        return lower_unrecognised(l, id, "a quantised cache");
    }
    if (lower_in(l, id, QUERY_SEQLENS) != GRAPH_NONE || !graph_get_int(g, id, "causal")) {
        return lower_unrecognised(l, id, "it is not causal, or pads its rows");
    }
    if (last != GRAPH_NONE && l->uses[last]) {
        return lower_unrecognised(l, id, "its scores are used");
    }
    if (lower_ask(l, lower_in(l, id, SEQLENS_K))->meaning != LOWER_LENGTHS ||
        lower_ask(l, lower_in(l, id, TOTAL))->meaning != LOWER_TOTAL) {
        return lower_unrecognised(l, id, "its lengths are not those of the sequence");
    }
    return ONDOL_OK;
}

static bool takes(int64_t number, uint32_t *out) {
    *out = number > 0 && number <= INT32_MAX ? (uint32_t)number : 0;
    return *out > 0;
}

/* Queries, keys and values apart: side by side in one value, or three. */
static ondol_status find_rows(lowering *l, graph_node_id id, layer *a) {
    const graph *g = l->r.from;
    ondol_status status = ONDOL_OK;
    if (!takes(graph_get_int(g, id, "num_heads"), &a->heads) ||
        !takes(graph_get_int(g, id, "kv_num_heads"), &a->kv_heads) || a->heads % a->kv_heads) {
        return lower_unrecognised(l, id, "its heads do not go together");
    }
    TRY(lower_rows(l, id, QUERY, &a->q));
    const uint64_t columns = lower_columns(l, lower_in(l, id, QUERY));
    if (lower_in(l, id, KEY) == GRAPH_NONE) {
        const uint64_t all = (uint64_t)a->heads + 2 * (uint64_t)a->kv_heads;
        const graph_value_id packed = a->q;
        a->head_size = (uint32_t)(columns / all);
        const uint64_t q = (uint64_t)a->heads * a->head_size, k = columns / all * a->kv_heads;
        if (columns % all) return lower_unrecognised(l, id, "its heads do not fill its rows");
        TRY(lower_add_columns(l, id, packed, 0, q, &a->q));
        TRY(lower_add_columns(l, id, packed, q, k, &a->k));
        TRY(lower_add_columns(l, id, packed, q + k, k, &a->v));
    } else {
        TRY(lower_rows(l, id, KEY, &a->k));
        TRY(lower_rows(l, id, VALUE, &a->v));
        a->head_size = (uint32_t)(columns / a->heads);
        const uint64_t k = (uint64_t)a->kv_heads * a->head_size;
        if (columns % a->heads || lower_columns(l, lower_in(l, id, KEY)) != k ||
            lower_columns(l, lower_in(l, id, VALUE)) != k) {
            return lower_unrecognised(l, id, "its heads do not fill its rows");
        }
    }
    const int64_t size = g->values[lower_in(l, id, PAST_KEY)].shape.dims[3];
    if (a->head_size < 1 || (size >= 0 && size != a->head_size)) {
        return lower_unrecognised(l, id, "its past has heads of another size");
    }
done:
    return status;
}

/* Each head normed by itself. */
static ondol_status norm_heads(lowering *l, graph_node_id id, uint32_t weight, uint32_t heads,
                               const layer *a, graph_value_id *x) {
    const graph *g = l->r.from;
    const char *const own = weight == Q_NORM ? "q_norm_epsilon" : "k_norm_epsilon";
    graph_value_id inputs[2] = {*x, GRAPH_NONE};
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    if (lower_in(l, id, weight) == GRAPH_NONE) return ONDOL_OK;
    const char *const name = graph_get_attribute(g, id, own) ? own : "qk_norm_epsilon";
    TRY(lower_vector(l, id, lower_in(l, id, weight), a->head_size, inputs + 1));
    TRY(lower_begin(l, id, GRAPH_OP_O_RMS_NORM, inputs, 2, &node));
    TRY(graph_set_float(l->r.to, node, "epsilon", graph_get_float(g, id, name), l->err));
    TRY(graph_set_int(l->r.to, node, "groups", heads, l->err));
    TRY(lower_finish_value(l, node, x));
done:
    return status;
}

static ondol_status rotate(lowering *l, graph_node_id id, layer *a) {
    const bool interleaved = graph_get_int(l->r.from, id, "rotary_interleaved") != 0;
    graph_value_id table = GRAPH_NONE;
    uint32_t r = 0;
    ondol_status status = ONDOL_OK;
    if (!graph_get_int(l->r.from, id, "do_rotary")) return ONDOL_OK;
    TRY(lower_cached_table(l, id, lower_in(l, id, COSINES), lower_in(l, id, SINES),
                           lower_in(l, id, POSITIONS), &table, &r));
    TRY(lower_add_rope(l, id, a->q, table, a->heads, interleaved, &a->q));
    TRY(lower_add_rope(l, id, a->k, table, a->kv_heads, interleaved, &a->k));
done:
    return status;
}

ondol_status lower_group_query(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    optimize_decoder *d = l->decoder;
    layer a = {.q = GRAPH_NONE, .k = GRAPH_NONE, .v = GRAPH_NONE};
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    TRY(check_cache_values(l, id));
    TRY(check_attributes(l, id));
    TRY(find_rows(l, id, &a));
    TRY(norm_heads(l, id, Q_NORM, a.heads, &a, &a.q));
    TRY(norm_heads(l, id, K_NORM, a.kv_heads, &a, &a.k));
    TRY(rotate(l, id, &a));
    takes(graph_get_int(g, id, "local_window_size"), &a.window);
    const double scale = graph_get_float(g, id, "scale");
    const graph_value_id inputs[3] = {a.q, a.k, a.v};
    TRY(lower_begin(l, id, GRAPH_OP_O_PAGED_ATTENTION, inputs, 3, &node));
    TRY(graph_set_int(l->r.to, node, "layer", d->layer_count, l->err));
    TRY(graph_set_int(l->r.to, node, "heads", a.heads, l->err));
    TRY(graph_set_int(l->r.to, node, "kv_heads", a.kv_heads, l->err));
    TRY(graph_set_float(l->r.to, node, "scale", scale != 0 ? scale : 1 / sqrt(a.head_size),
                        l->err));
    TRY(graph_set_float(l->r.to, node, "softcap", graph_get_float(g, id, "softcap"), l->err));
    TRY(graph_set_int(l->r.to, node, "window", a.window, l->err));
    TRY(lower_finish(l, node, lower_out(l, id, 0), (lower_state){LOWER_ROWS, 0}));
    d->layers[d->layer_count++] = (optimize_attention_layer){a.kv_heads, a.head_size, a.window};
done:
    return status;
}
