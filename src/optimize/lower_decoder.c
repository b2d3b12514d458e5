/* Recognises a decoder. In: a portable graph with explicit past and present. Out: the lowered graph
 * on flat rows, with a paged cache in the place of past and present.
 *
 * [batch, sequence, c] becomes [rows, c]: every operator but attention works on each row alone. */
#include <string.h>

#include "graph/ops.h"
#include "optimize/lower_match.h"
#include "optimize/optimize.h"
#include "optimize/rewrite.h"

#define MAX_TABLES 8

typedef struct table {
    match_rotary key;
    graph_value_id value;
} table;

typedef struct lowering {
    rewrite r;
    optimize_decoder *decoder;
    uint32_t *uses;
    uint32_t *groups; /* [value_count]: how many heads the last axis was split into; 0: not split */
    table tables[MAX_TABLES];
    uint32_t table_count;
    graph_value_id ids, positions, regimes; /* of the new graph */
    graph_value_id input_ids;               /* of the old graph */
    ondol_error *err;
} lowering;

static ondol_status unrecognised(const lowering *l, graph_node_id id, const char *why) {
    const graph_node *n = l->r.from->nodes + id;
    return base_fail(l->err, ONDOL_E_UNSUPPORTED, "node '%s' (%s) is no part of a decoder: %s",
                     n->name, graph_op_info_of(n->op)->name, why);
}

/* Adds a node of one output; *node is for attributes. finish() infers it and maps the old value. */
static ondol_status begin(lowering *l, graph_node_id id, graph_op op, const graph_value_id *inputs,
                          uint32_t input_count, graph_node_id *node) {
    return rewrite_add(&l->r, op, l->r.from->nodes[id].name, inputs, input_count, node, l->err);
}

static ondol_status finish(lowering *l, graph_node_id node, graph_value_id old) {
    ondol_status status = graph_infer_node(l->r.to, node, l->err);
    if (status == ONDOL_OK) l->r.map[old] = graph_output_of(l->r.to, node, 0);
    return status;
}

static graph_value_id in(const lowering *l, graph_node_id id, uint32_t i) {
    const graph_node *n = l->r.from->nodes + id;
    return i < n->input_count ? n->inputs[i] : GRAPH_NONE;
}

static graph_value_id out(const lowering *l, graph_node_id id) {
    return l->r.from->nodes[id].outputs[0];
}

/* The new value for input i; an error when the old one was left to a pattern that did not come. */
static ondol_status mapped(lowering *l, graph_node_id id, uint32_t i, graph_value_id *v) {
    graph_value_id old = in(l, id, i);
    if (old != GRAPH_NONE && l->r.from->values[old].kind == GRAPH_VALUE_INTERMEDIATE &&
        l->r.map[old] == GRAPH_NONE) {
        return unrecognised(l, id, "its input belongs to another pattern");
    }
    return rewrite_value(&l->r, old, v, l->err);
}

static ondol_status lower_gather(lowering *l, graph_node_id id) {
    graph_value_id inputs[2] = {l->ids, GRAPH_NONE};
    graph_node_id node = 0;
    if (in(l, id, 1) != l->input_ids) return unrecognised(l, id, "its indices are not the ids");
    ondol_status status = ONDOL_OK;
    TRY(mapped(l, id, 0, inputs + 1));
    TRY(begin(l, id, GRAPH_OP_O_EMBED, inputs, 2, &node));
    TRY(finish(l, node, out(l, id)));
done:
    return status;
}

static ondol_status lower_matmul(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    if (graph_get_int(g, id, "transB") != 1 || graph_get_float(g, id, "alpha") != 1 ||
        g->values[in(l, id, 1)].kind != GRAPH_VALUE_INITIALIZER) {
        return unrecognised(l, id, "expected a weight [outputs, inputs], transposed");
    }
    graph_value_id inputs[3] = {GRAPH_NONE, GRAPH_NONE, GRAPH_NONE};
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    TRY(mapped(l, id, 0, inputs));
    TRY(mapped(l, id, 1, inputs + 1));
    TRY(begin(l, id, GRAPH_OP_O_MATMUL, inputs, 3, &node));
    TRY(finish(l, node, out(l, id)));
done:
    return status;
}

/* x + y, or a matmul's bias, which joins its matmul. */
static ondol_status lower_add(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    graph_value_id inputs[2] = {GRAPH_NONE, GRAPH_NONE};
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    TRY(mapped(l, id, 0, inputs));
    TRY(mapped(l, id, 1, inputs + 1));
    graph_node_id product = match_producer(g, in(l, id, 0), GRAPH_OP_MS_FUSED_MATMUL);
    if (g->values[in(l, id, 1)].kind == GRAPH_VALUE_INITIALIZER) {
        if (product == GRAPH_NONE || l->uses[in(l, id, 0)] != 1) {
            return unrecognised(l, id, "a bias behind something else than a matmul");
        }
        node = l->r.to->values[inputs[0]].producer;
        l->r.to->nodes[node].inputs[2] = inputs[1];
    } else {
        TRY(begin(l, id, GRAPH_OP_O_ADD, inputs, 2, &node));
    }
    TRY(finish(l, node, out(l, id)));
done:
    return status;
}

static const char *activation_kind(const graph *g, graph_node_id id) {
    if (g->nodes[id].op == GRAPH_OP_SWISH)
        return graph_get_float(g, id, "alpha") == 1 ? "silu" : NULL;
    return strcmp(graph_get_string(g, id, "approximate"), "tanh") == 0 ? "gelu_tanh" : "gelu";
}

static bool is_activation(const graph *g, graph_value_id v) {
    return match_producer(g, v, GRAPH_OP_SWISH) != GRAPH_NONE ||
           match_producer(g, v, GRAPH_OP_GELU) != GRAPH_NONE;
}

static ondol_status add_float_node(lowering *l, graph_node_id id, graph_op op, graph_value_id x,
                                   const char *attribute, double value) {
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    TRY(begin(l, id, op, &x, 1, &node));
    TRY(graph_set_float(l->r.to, node, attribute, value, l->err));
    TRY(finish(l, node, out(l, id)));
done:
    return status;
}

/* x * constant: a softcap's end, an embedding's scale, or a scale of its own. */
static ondol_status lower_scale(lowering *l, graph_node_id id, double factor) {
    const graph *g = l->r.from;
    graph_value_id x = GRAPH_NONE;
    ondol_status status = ONDOL_OK;
    graph_node_id tanh_node = match_producer(g, in(l, id, 0), GRAPH_OP_TANH);
    graph_node_id div = tanh_node == GRAPH_NONE
                            ? GRAPH_NONE
                            : match_producer(g, g->nodes[tanh_node].inputs[0], GRAPH_OP_DIV);
    double cap = 0;
    if (div != GRAPH_NONE && match_scalar(g, in(l, div, 1), &cap) && cap == factor) {
        TRY(mapped(l, div, 0, &x));
        return add_float_node(l, id, GRAPH_OP_O_SOFTCAP, x, "cap", cap);
    }
    TRY(mapped(l, id, 0, &x));
    graph_node_id made = l->r.to->values[x].producer;
    if (made != GRAPH_NONE && l->r.to->nodes[made].op == GRAPH_OP_O_EMBED &&
        l->uses[in(l, id, 0)] == 1 && l->r.to->nodes[made].attribute_count == 0) {
        TRY(graph_set_float(l->r.to, made, "scale", factor, l->err));
        l->r.map[out(l, id)] = x;
        return ONDOL_OK;
    }
    return add_float_node(l, id, GRAPH_OP_O_SCALE, x, "factor", factor);
done:
    return status;
}

static ondol_status lower_mul(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    double factor = 0;
    if (g->values[out(l, id)].element == TENSOR_ELEMENT_F64)
        return ONDOL_OK; /* of a rotary table */
    if (match_scalar(g, in(l, id, 1), &factor)) return lower_scale(l, id, factor);
    if (!is_activation(g, in(l, id, 0)))
        return unrecognised(l, id, "expected an activation times x");
    graph_node_id activation = g->values[in(l, id, 0)].producer, node = 0;
    const char *kind = activation_kind(g, activation);
    if (!kind) return unrecognised(l, id, "an activation with alpha");
    graph_value_id inputs[2] = {GRAPH_NONE, GRAPH_NONE};
    ondol_status status = ONDOL_OK;
    TRY(mapped(l, activation, 0, inputs));
    TRY(mapped(l, id, 1, inputs + 1));
    TRY(begin(l, id, GRAPH_OP_O_GATED_ACTIVATION, inputs, 2, &node));
    TRY(graph_set_string(l->r.to, node, "kind", kind, l->err));
    TRY(finish(l, node, out(l, id)));
done:
    return status;
}

/* The node that uses v when there is just one use. */
static graph_node_id only_user(const lowering *l, graph_value_id v) {
    if (l->uses[v] != 1) return GRAPH_NONE;
    const graph *g = l->r.from;
    for (graph_node_id n = g->values[v].producer + 1; n < g->node_count; n++) {
        for (uint32_t i = 0; i < g->nodes[n].input_count; i++) {
            if (g->nodes[n].inputs[i] == v) return n;
        }
    }
    return GRAPH_NONE;
}

/* An activation that is multiplied by something waits for that Mul. */
static ondol_status lower_activation(lowering *l, graph_node_id id) {
    graph_node_id user = only_user(l, out(l, id));
    if (user != GRAPH_NONE && l->r.from->nodes[user].op == GRAPH_OP_MUL &&
        in(l, user, 0) == out(l, id)) {
        return ONDOL_OK;
    }
    const char *kind = activation_kind(l->r.from, id);
    if (!kind) return unrecognised(l, id, "an activation with alpha");
    graph_value_id x = GRAPH_NONE;
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    TRY(mapped(l, id, 0, &x));
    TRY(begin(l, id, GRAPH_OP_O_ACTIVATION, &x, 1, &node));
    TRY(graph_set_string(l->r.to, node, "kind", kind, l->err));
    TRY(finish(l, node, out(l, id)));
done:
    return status;
}

static ondol_status lower_norm(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    bool rms = g->nodes[id].op == GRAPH_OP_RMS_NORMALIZATION;
    graph_value_id inputs[3] = {GRAPH_NONE, GRAPH_NONE, GRAPH_NONE};
    graph_node_id node = 0;
    uint32_t groups = l->groups[in(l, id, 0)];
    int64_t axis = graph_get_int(g, id, "axis");
    if (axis != -1 && axis != g->values[in(l, id, 0)].shape.rank - 1) {
        return unrecognised(l, id, "a norm over more than the last axis");
    }
    if (!rms && groups) return unrecognised(l, id, "a LayerNormalization over heads");
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < g->nodes[id].input_count; i++)
        TRY(mapped(l, id, i, inputs + i));
    TRY(begin(l, id, rms ? GRAPH_OP_O_RMS_NORM : GRAPH_OP_O_LAYER_NORM, inputs,
              g->nodes[id].input_count, &node));
    TRY(graph_set_float(l->r.to, node, "epsilon", graph_get_float(g, id, "epsilon"), l->err));
    if (rms && groups) TRY(graph_set_int(l->r.to, node, "groups", groups, l->err));
    TRY(finish(l, node, out(l, id)));
    l->groups[out(l, id)] = groups;
done:
    return status;
}

/* [b,s,h*e] to [b,s,h,e] or back: rows stay as they are. */
static ondol_status lower_reshape(lowering *l, graph_node_id id) {
    const graph_shape *from = &l->r.from->values[in(l, id, 0)].shape;
    const graph_shape *to = &l->r.from->values[out(l, id)].shape;
    bool splits = from->rank == 3 && to->rank == 4, joins = from->rank == 4 && to->rank == 3;
    if ((!splits && !joins) || from->dims[0] != to->dims[0] || from->dims[1] != to->dims[1]) {
        return unrecognised(l, id, "expected heads to be split or joined");
    }
    ondol_status status = mapped(l, id, 0, l->r.map + out(l, id));
    l->groups[out(l, id)] = splits ? (uint32_t)to->dims[2] : 0;
    return status;
}

static ondol_status lower_split(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    const graph_node *n = g->nodes + id;
    int64_t axis = graph_get_int(g, id, "axis"), first = 0;
    uint32_t rank = g->values[in(l, id, 0)].shape.rank;
    if (axis != -1 && axis != (int64_t)rank - 1) return unrecognised(l, id, "not the last axis");
    graph_value_id x = GRAPH_NONE;
    ondol_status status = ONDOL_OK;
    TRY(mapped(l, id, 0, &x));
    for (uint32_t i = 0; i < n->output_count; i++) {
        int64_t count = g->values[n->outputs[i]].shape.dims[rank - 1];
        graph_node_id node = 0;
        TRY(begin(l, id, GRAPH_OP_O_COLUMNS, &x, 1, &node));
        TRY(graph_set_int(l->r.to, node, "first", first, l->err));
        TRY(graph_set_int(l->r.to, node, "count", count, l->err));
        TRY(finish(l, node, n->outputs[i]));
        first += count;
    }
done:
    return status;
}

static bool same_rotary(const match_rotary *a, const match_rotary *b) {
    return a->positions == b->positions && a->regimes == b->regimes &&
           a->threshold == b->threshold && a->frequencies[0] == b->frequencies[0] &&
           (a->regimes == 1 || a->frequencies[1] == b->frequencies[1]) &&
           a->magnitude == b->magnitude;
}

static ondol_status add_table(lowering *l, graph_node_id id, const match_rotary *m,
                              graph_value_id *value) {
    const graph *g = l->r.from;
    const graph_value *first = g->values + m->frequencies[0];
    size_t bytes = (size_t)first->data_bytes;
    unsigned char *both = base_alloc(g->allocator, m->regimes, bytes);
    if (!both) return base_no_memory(l->err, "rotary frequencies", m->regimes * bytes);
    for (uint32_t i = 0; i < m->regimes; i++)
        memcpy(both + i * bytes, g->values[m->frequencies[i]].data, bytes);
    graph_value_id inputs[3] = {l->positions, l->regimes, GRAPH_NONE};
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    TRY(graph_add_constant(l->r.to, first->name, TENSOR_ELEMENT_F64,
                           graph_shape_2(m->regimes, first->shape.dims[0]), both, inputs + 2,
                           l->err));
    TRY(rewrite_add(&l->r, GRAPH_OP_O_ROTARY_TABLE, first->name, inputs, 3, &node, l->err));
    TRY(graph_set_float(l->r.to, node, "magnitude", m->magnitude, l->err));
    TRY(graph_infer_node(l->r.to, node, l->err));
    *value = graph_output_of(l->r.to, node, 0);
    if (l->table_count == MAX_TABLES) return unrecognised(l, id, "more than 8 rotary tables");
    l->tables[l->table_count++] = (table){*m, *value};
done:
    base_free(g->allocator, both);
    return status;
}

/* The RotaryTable for these cosines and sines, one for all nodes that share them. */
static ondol_status find_table(lowering *l, graph_node_id id, graph_value_id *value) {
    const graph *g = l->r.from;
    match_rotary cosines, sines;
    if (!match_rotary_table(g, in(l, id, 1), GRAPH_OP_COS, &cosines) ||
        !match_rotary_table(g, in(l, id, 2), GRAPH_OP_SIN, &sines) ||
        !same_rotary(&cosines, &sines)) {
        return unrecognised(l, id, "its cosines and sines are not of position times frequency");
    }
    if (cosines.regimes == 2) {
        const graph_value *a = g->values + cosines.frequencies[0];
        const graph_value *b = g->values + cosines.frequencies[1];
        uint64_t known = l->decoder->regime_threshold;
        if (a->data_bytes != b->data_bytes || (known && known != cosines.threshold)) {
            return unrecognised(l, id, "its two sets of frequencies do not go together");
        }
        l->decoder->regime_threshold = cosines.threshold;
    }
    for (uint32_t i = 0; i < l->table_count; i++) {
        if (same_rotary(&l->tables[i].key, &cosines)) {
            *value = l->tables[i].value;
            return ONDOL_OK;
        }
    }
    return add_table(l, id, &cosines, value);
}

static ondol_status lower_rotary(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    graph_value_id inputs[2] = {GRAPH_NONE, GRAPH_NONE};
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    TRY(mapped(l, id, 0, inputs));
    TRY(find_table(l, id, inputs + 1));
    TRY(begin(l, id, GRAPH_OP_O_ROPE, inputs, 2, &node));
    TRY(graph_set_int(l->r.to, node, "heads", graph_get_int(g, id, "num_heads"), l->err));
    TRY(graph_set_int(l->r.to, node, "interleaved", graph_get_int(g, id, "interleaved"), l->err));
    TRY(finish(l, node, out(l, id)));
done:
    return status;
}

static ondol_status check_cache_values(const lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    for (uint32_t i = 3; i <= 4; i++) {
        if (g->values[in(l, id, i)].kind != GRAPH_VALUE_INPUT) {
            return unrecognised(l, id, "its past is no input of the graph");
        }
    }
    for (uint32_t i = 1; i <= 2; i++) {
        bool given = false;
        for (uint32_t k = 0; k < g->output_count; k++)
            given = given || g->outputs[k] == g->nodes[id].outputs[i];
        if (!given) return unrecognised(l, id, "its present is no output of the graph");
    }
    return ONDOL_OK;
}

static ondol_status lower_attention(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    optimize_decoder *d = l->decoder;
    graph_value_id inputs[3];
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    TRY(check_cache_values(l, id));
    for (uint32_t i = 0; i < 3; i++)
        TRY(mapped(l, id, i, inputs + i));
    int64_t heads = graph_get_int(g, id, "num_heads"), kv = graph_get_int(g, id, "kv_num_heads");
    int64_t size = g->values[in(l, id, 3)].shape.dims[3];
    int64_t window = graph_get_int(g, id, "local_window_size");
    double scale = graph_get_float(g, id, "scale");
    TRY(begin(l, id, GRAPH_OP_O_PAGED_ATTENTION, inputs, 3, &node));
    TRY(graph_set_int(l->r.to, node, "layer", d->layer_count, l->err));
    TRY(graph_set_int(l->r.to, node, "heads", heads, l->err));
    TRY(graph_set_int(l->r.to, node, "kv_heads", kv, l->err));
    TRY(graph_set_float(l->r.to, node, "scale", scale, l->err));
    TRY(graph_set_float(l->r.to, node, "softcap", graph_get_float(g, id, "softcap"), l->err));
    TRY(graph_set_int(l->r.to, node, "window", window > 0 ? window : 0, l->err));
    TRY(finish(l, node, out(l, id)));
    d->layers[d->layer_count++] =
        (optimize_attention_layer){(uint32_t)kv, (uint32_t)size, window > 0 ? (uint32_t)window : 0};
done:
    return status;
}

static ondol_status lower_node(lowering *l, graph_node_id id) {
    switch (l->r.from->nodes[id].op) {
    case GRAPH_OP_GATHER: return lower_gather(l, id);
    case GRAPH_OP_MS_FUSED_MATMUL: return lower_matmul(l, id);
    case GRAPH_OP_ADD: return lower_add(l, id);
    case GRAPH_OP_MUL: return lower_mul(l, id);
    case GRAPH_OP_SWISH:
    case GRAPH_OP_GELU: return lower_activation(l, id);
    case GRAPH_OP_RMS_NORMALIZATION:
    case GRAPH_OP_LAYER_NORMALIZATION: return lower_norm(l, id);
    case GRAPH_OP_RESHAPE: return lower_reshape(l, id);
    case GRAPH_OP_SPLIT: return lower_split(l, id);
    case GRAPH_OP_ROTARY_EMBEDDING: return lower_rotary(l, id);
    case GRAPH_OP_MS_GROUP_QUERY_ATTENTION: return lower_attention(l, id);
    /* Left to the patterns that end in RotaryEmbedding or in a softcap. */
    case GRAPH_OP_CAST:
    case GRAPH_OP_UNSQUEEZE:
    case GRAPH_OP_COS:
    case GRAPH_OP_SIN:
    case GRAPH_OP_GREATER:
    case GRAPH_OP_WHERE:
    case GRAPH_OP_DIV:
    case GRAPH_OP_TANH: return ONDOL_OK;
    default: return unrecognised(l, id, "no such operator stands in one");
    }
}

static ondol_status add_inputs(lowering *l) {
    graph *to = l->r.to;
    graph_dim rows = 0;
    ondol_status status = ONDOL_OK;
    TRY(graph_symbol(to, "rows", &rows, l->err));
    TRY(graph_add_input(to, "ids", TENSOR_ELEMENT_I32, graph_shape_1(rows), &l->ids, l->err));
    TRY(graph_add_input(to, "positions", TENSOR_ELEMENT_I32, graph_shape_1(rows), &l->positions,
                        l->err));
    TRY(graph_add_input(to, "regimes", TENSOR_ELEMENT_I32, graph_shape_1(rows), &l->regimes,
                        l->err));
done:
    return status;
}

static ondol_status add_outputs(lowering *l) {
    const graph *g = l->r.from;
    const char *const names[2] = {"hidden_states", "logits"};
    const char *const new_names[2] = {"hidden", "logits"};
    uint32_t *const widths[2] = {&l->decoder->hidden, &l->decoder->vocabulary};
    for (int k = 0; k < 2; k++) {
        graph_value_id v = GRAPH_NONE;
        for (uint32_t i = 0; i < g->output_count; i++) {
            if (strcmp(g->output_names[i], names[k]) == 0) v = l->r.map[g->outputs[i]];
        }
        if (v == GRAPH_NONE) {
            return base_fail(l->err, ONDOL_E_UNSUPPORTED, "the graph has no output '%s'", names[k]);
        }
        *widths[k] = (uint32_t)l->r.to->values[v].shape.dims[1];
        ondol_status status = graph_add_output(l->r.to, new_names[k], v, l->err);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

ondol_status optimize_lower_decoder(const graph *portable, optimize_decoder *d, ondol_error *err) {
    const ondol_allocator *a = portable->allocator;
    lowering l = {.decoder = d, .err = err, .input_ids = GRAPH_NONE};
    ondol_status status = rewrite_begin(portable, &l.r, err);
    if (status != ONDOL_OK) return status;
    l.uses = base_calloc(a, portable->value_count, sizeof *l.uses);
    l.groups = base_calloc(a, portable->value_count, sizeof *l.groups);
    d->layers = base_calloc(a, portable->node_count, sizeof *d->layers);
    if (!l.uses || !l.groups || !d->layers) {
        status = base_no_memory(err, "graph pass", portable->value_count * 8);
        goto done;
    }
    match_count_uses(portable, l.uses);
    for (uint32_t i = 0; i < portable->input_count; i++) {
        if (strcmp(portable->values[portable->inputs[i]].name, "input_ids") == 0) {
            l.input_ids = portable->inputs[i];
        }
    }
    TRY(add_inputs(&l));
    for (graph_node_id n = 0; n < portable->node_count; n++)
        TRY(lower_node(&l, n));
    TRY(add_outputs(&l));
    TRY(graph_verify(l.r.to, err));
    d->lowered = l.r.to;
done:
    base_free(a, l.uses);
    base_free(a, l.groups);
    rewrite_end(&l.r, status == ONDOL_OK);
    return status;
}
