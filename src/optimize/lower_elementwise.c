/* Operators on single elements. In: Add, Mul, Div, activations in all their spellings. Out: Add,
 * Scale, Softcap, Activation, GatedActivation; biases joined to their matmuls. */
#include <math.h>
#include <string.h>

#include "optimize/lowering.h"

/* ------------------------------------------------------------ activations */

static graph_value_id through(const graph *g, graph_value_id v, graph_op op) {
    const graph_node_id n = match_producer(g, v, op);
    return n == GRAPH_NONE ? GRAPH_NONE : g->nodes[n].inputs[0];
}

/* x * Sigmoid(x), either way round. */
static bool is_silu(const graph *g, graph_node_id n, graph_value_id *of) {
    for (int side = 0; side < 2; side++) {
        *of = g->nodes[n].inputs[1 - side];
        if (through(g, g->nodes[n].inputs[side], GRAPH_OP_SIGMOID) == *of) return true;
    }
    return false;
}

/* The activation that makes old value v: its kind ("silu" ...) and what it is of. NULL: none. */
static const char *activation_of(const graph *g, graph_value_id v, graph_value_id *of) {
    const graph_node_id n = v == GRAPH_NONE ? GRAPH_NONE : g->values[v].producer;
    if (n == GRAPH_NONE) return NULL;
    *of = g->nodes[n].inputs[0];
    switch (g->nodes[n].op) {
    case GRAPH_OP_SWISH: return graph_get_float(g, n, "alpha") == 1 ? "silu" : NULL;
    case GRAPH_OP_GELU:
        return strcmp(graph_get_string(g, n, "approximate"), "tanh") == 0 ? "gelu_tanh" : "gelu";
    case GRAPH_OP_MS_GELU:
    case GRAPH_OP_MS_BIAS_GELU: return "gelu";
    case GRAPH_OP_MS_FAST_GELU: return "gelu_tanh";
    case GRAPH_OP_MUL: return is_silu(g, n, of) ? "silu" : NULL;
    default: return NULL;
    }
}

/* A bias that the activation itself adds. */
static graph_value_id activation_bias(const lowering *l, graph_node_id id) {
    const graph_op op = l->r.from->nodes[id].op;
    const bool has = op == GRAPH_OP_MS_BIAS_GELU || op == GRAPH_OP_MS_FAST_GELU;
    return has ? lower_in(l, id, 1) : GRAPH_NONE;
}

/* An activation that is multiplied by something else waits for that Mul. */
ondol_status lower_activation(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    const graph_value_id y = lower_out(l, id, 0), bias = activation_bias(l, id);
    graph_value_id of = GRAPH_NONE, unused = GRAPH_NONE, x = GRAPH_NONE;
    const char *kind = activation_of(g, y, &of);
    if (!lower_is_rows(l, of)) return ONDOL_OK;
    if (!kind) return lower_unrecognised(l, id, "an activation with alpha");
    if (bias != GRAPH_NONE) {
        if (l->uses[of] != 1) return lower_unrecognised(l, id, "its bias is of more than itself");
        ondol_status status = lower_join_bias(l, id, l->r.map[of], bias);
        if (status != ONDOL_OK) return status;
    }
    const graph_node_id user = lower_only_user(l, y);
    const bool multiplied = user != GRAPH_NONE && g->nodes[user].op == GRAPH_OP_MUL;
    double factor = 0;
    if (multiplied && !activation_of(g, lower_out(l, user, 0), &unused) &&
        !match_scalar(g, lower_in(l, user, 0), &factor) &&
        !match_scalar(g, lower_in(l, user, 1), &factor)) {
        return ONDOL_OK;
    }
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    x = l->r.map[of];
    TRY(lower_begin(l, id, GRAPH_OP_O_ACTIVATION, &x, 1, &node));
    TRY(graph_set_string(l->r.to, node, "kind", kind, l->err));
    TRY(lower_finish(l, node, y, l->states[of]));
done:
    return status;
}

/* activation(gate) * up. *done: it is one. */
static ondol_status lower_gated(lowering *l, graph_node_id id, bool *done) {
    const graph *g = l->r.from;
    for (uint32_t side = 0; side < 2; side++) {
        const graph_value_id a = lower_in(l, id, side), up = lower_in(l, id, 1 - side);
        graph_value_id of = GRAPH_NONE;
        const char *kind = activation_of(g, a, &of);
        if (!kind || lower_is_rows(l, a) || !lower_is_rows(l, of) || !lower_is_rows(l, up))
            continue;
        const graph_value_id inputs[2] = {l->r.map[of], l->r.map[up]};
        graph_node_id node = 0;
        ondol_status status = lower_begin(l, id, GRAPH_OP_O_GATED_ACTIVATION, inputs, 2, &node);
        if (status == ONDOL_OK) status = graph_set_string(l->r.to, node, "kind", kind, l->err);
        if (status == ONDOL_OK) status = lower_finish(l, node, lower_out(l, id, 0), l->states[up]);
        *done = true;
        return status;
    }
    return ONDOL_OK;
}

/* ------------------------------------------------------------ products */

static ondol_status add_float_node(lowering *l, graph_node_id id, graph_op op, graph_value_id x,
                                   const char *attribute, double value, lower_state state) {
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    TRY(lower_begin(l, id, op, &x, 1, &node));
    TRY(graph_set_float(l->r.to, node, attribute, value, l->err));
    TRY(lower_finish(l, node, lower_out(l, id, 0), state));
done:
    return status;
}

/* x of cap * tanh(x / cap); GRAPH_NONE: it is something else. */
static graph_value_id capped(const graph *g, graph_value_id v, double cap) {
    const graph_node_id quotient = match_producer(g, through(g, v, GRAPH_OP_TANH), GRAPH_OP_DIV);
    double divisor = 0;
    if (quotient == GRAPH_NONE) return GRAPH_NONE;
    if (!match_scalar(g, g->nodes[quotient].inputs[1], &divisor) || divisor != cap)
        return GRAPH_NONE;
    return g->nodes[quotient].inputs[0];
}

/* Rows times a number: an embedding's scale, or one of its own. */
static ondol_status lower_scale(lowering *l, graph_node_id id, graph_value_id x, double factor) {
    const graph_node_id made = l->r.to->values[l->r.map[x]].producer;
    graph *to = l->r.to;
    if (made != GRAPH_NONE && to->nodes[made].op == GRAPH_OP_O_EMBED && l->uses[x] == 1 &&
        to->nodes[made].attribute_count == 0) {
        ondol_status status = graph_set_float(to, made, "scale", factor, l->err);
        lower_alias(l, lower_out(l, id, 0), l->r.map[x], l->states[x]);
        return status;
    }
    return add_float_node(l, id, GRAPH_OP_O_SCALE, l->r.map[x], "factor", factor, l->states[x]);
}

ondol_status lower_mul(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    const bool divides = g->nodes[id].op == GRAPH_OP_DIV;
    graph_value_id of = GRAPH_NONE;
    bool gated = false;
    if (!divides && activation_of(g, lower_out(l, id, 0), &of)) return lower_activation(l, id);
    for (uint32_t side = divides ? 1 : 0; side < 2; side++) {
        const graph_value_id x = lower_in(l, id, 1 - side);
        double factor = 0;
        if (!match_scalar(g, lower_in(l, id, side), &factor)) continue;
        const graph_value_id inner = divides ? GRAPH_NONE : capped(g, x, factor);
        if (lower_is_rows(l, inner)) {
            return add_float_node(l, id, GRAPH_OP_O_SOFTCAP, l->r.map[inner], "cap", factor,
                                  l->states[inner]);
        }
        if (!lower_is_rows(l, x)) return ONDOL_OK;
        const graph_node_id user = lower_only_user(l, lower_out(l, id, 0));
        if (divides && user != GRAPH_NONE && g->nodes[user].op == GRAPH_OP_TANH) return ONDOL_OK;
        return lower_scale(l, id, x, divides ? 1 / factor : factor);
    }
    ondol_status status = divides ? ONDOL_OK : lower_gated(l, id, &gated);
    if (status != ONDOL_OK || gated) return status;
    if (!lower_is_rows(l, lower_in(l, id, 0)) || !lower_is_rows(l, lower_in(l, id, 1)))
        return ONDOL_OK;
    return lower_unrecognised(l, id, "expected an activation times x");
}

/* ------------------------------------------------------------ sums */

static ondol_status lower_bias(lowering *l, graph_node_id id, graph_value_id x,
                               graph_value_id bias) {
    if (l->uses[x] != 1) {
        return lower_unrecognised(l, id, "a bias behind what is used without it too");
    }
    ondol_status status = lower_join_bias(l, id, l->r.map[x], bias);
    if (status == ONDOL_OK) lower_alias(l, lower_out(l, id, 0), l->r.map[x], l->states[x]);
    return status;
}

ondol_status lower_add(lowering *l, graph_node_id id) {
    const graph_value_id a = lower_in(l, id, 0), b = lower_in(l, id, 1);
    const bool rows_a = lower_is_rows(l, a), rows_b = lower_is_rows(l, b);
    if (!rows_a && !rows_b) return ONDOL_OK;
    if (!rows_a && lower_constant(l, a)) return lower_bias(l, id, b, a);
    if (!rows_b && lower_constant(l, b)) return lower_bias(l, id, a, b);
    graph_value_id inputs[2] = {GRAPH_NONE, GRAPH_NONE};
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    TRY(lower_rows(l, id, 0, inputs));
    TRY(lower_rows(l, id, 1, inputs + 1));
    if (lower_columns(l, a) != lower_columns(l, b)) {
        return lower_unrecognised(l, id, "rows of different length");
    }
    TRY(lower_begin(l, id, GRAPH_OP_O_ADD, inputs, 2, &node));
    TRY(lower_finish(l, node, lower_out(l, id, 0), l->states[a]));
done:
    return status;
}

/* ------------------------------------------------------------ nothing to do */

/* Casts between floats: all is computed in f32. */
ondol_status lower_same(lowering *l, graph_node_id id) {
    const graph_value_id x = lower_in(l, id, 0);
    if (!lower_is_rows(l, x)) return ONDOL_OK;
    if (l->r.from->nodes[id].op == GRAPH_OP_CAST) {
        const tensor_element to = (tensor_element)graph_get_int(l->r.from, id, "to");
        if (to != TENSOR_ELEMENT_F32 && to != TENSOR_ELEMENT_F16 && to != TENSOR_ELEMENT_BF16 &&
            to != TENSOR_ELEMENT_F64) {
            return ONDOL_OK;
        }
    }
    lower_alias(l, lower_out(l, id, 0), l->r.map[x], l->states[x]);
    return ONDOL_OK;
}
