/* Norms. In: RMS and layer norms, with or without the sum in front of them. Out: RmsNorm, LayerNorm
 * and Add of the lowered dialect. */
#include "optimize/lowering.h"

static bool last_axis(const lowering *l, graph_node_id id, lower_form form) {
    const int64_t axis = graph_get_int(l->r.from, id, "axis");
    const int64_t rank = form == LOWER_HEADS || form == LOWER_HEADS_FIRST ? 4
                         : form == LOWER_FLAT || form == LOWER_LAST       ? 2
                                                                          : 3;
    return axis == -1 || axis == rank - 1;
}

/* y = norm of x, where x is in the new graph. */
static ondol_status add_norm(lowering *l, graph_node_id id, bool rms, graph_value_id x,
                             uint32_t first_weight, lower_state state) {
    const uint64_t columns = (uint64_t)l->r.to->values[x].shape.dims[1];
    const uint64_t run = state.heads ? columns / state.heads : columns;
    graph_value_id inputs[3] = {x, GRAPH_NONE, GRAPH_NONE};
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    if (!rms && state.heads) return lower_unrecognised(l, id, "a layer norm over heads");
    TRY(lower_vector(l, id, lower_in(l, id, first_weight), run, inputs + 1));
    const graph_value_id bias = rms ? GRAPH_NONE : lower_in(l, id, first_weight + 1);
    if (bias != GRAPH_NONE) TRY(lower_vector(l, id, bias, run, inputs + 2));
    TRY(lower_begin(l, id, rms ? GRAPH_OP_O_RMS_NORM : GRAPH_OP_O_LAYER_NORM, inputs,
                    bias == GRAPH_NONE ? 2 : 3, &node));
    TRY(graph_set_float(l->r.to, node, "epsilon", graph_get_float(l->r.from, id, "epsilon"),
                        l->err));
    if (rms && state.heads) TRY(graph_set_int(l->r.to, node, "groups", state.heads, l->err));
    TRY(lower_finish(l, node, lower_out(l, id, 0), state));
done:
    return status;
}

static ondol_status no_other_outputs(const lowering *l, graph_node_id id, uint32_t end) {
    for (uint32_t i = 1; i < end; i++) {
        const graph_value_id v = lower_out(l, id, i);
        if (v != GRAPH_NONE && l->uses[v]) {
            return lower_unrecognised(l, id, "its mean or deviation is used");
        }
    }
    return ONDOL_OK;
}

ondol_status lower_norm(lowering *l, graph_node_id id) {
    const graph *g = l->r.from;
    const graph_value_id x = lower_in(l, id, 0);
    if (!lower_is_rows(l, x)) return ONDOL_OK;
    if (!last_axis(l, id, l->states[x].form)) {
        return lower_unrecognised(l, id, "a norm over more than the last axis");
    }
    ondol_status status = no_other_outputs(l, id, g->nodes[id].output_count);
    if (status != ONDOL_OK) return status;
    const bool rms = g->nodes[id].op != GRAPH_OP_LAYER_NORMALIZATION;
    return add_norm(l, id, rms, l->r.map[x], 1, l->states[x]);
}

/* input, skip, gamma, (beta,) bias -> norm of the sum, and as output 3 the sum. */
ondol_status lower_skip_norm(lowering *l, graph_node_id id) {
    const bool rms = l->r.from->nodes[id].op == GRAPH_OP_MS_SKIP_SIMPLIFIED_LAYER_NORMALIZATION;
    const graph_value_id x = lower_in(l, id, 0), skip = lower_in(l, id, 1);
    const graph_value_id bias = lower_in(l, id, rms ? 3 : 4);
    graph_value_id inputs[2] = {GRAPH_NONE, GRAPH_NONE}, sum = GRAPH_NONE;
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    if (!lower_is_rows(l, x) && !lower_is_rows(l, skip)) return ONDOL_OK;
    TRY(lower_rows(l, id, 0, inputs));
    TRY(lower_rows(l, id, 1, inputs + 1));
    TRY(no_other_outputs(l, id, 3));
    if (lower_columns(l, x) != lower_columns(l, skip)) {
        return lower_unrecognised(l, id, "rows of different length");
    }
    if (bias != GRAPH_NONE) {
        const graph_value_id host = l->uses[skip] == 1 ? skip : x;
        if (l->uses[host] != 1) {
            return lower_unrecognised(l, id, "a bias behind what is used without it too");
        }
        TRY(lower_join_bias(l, id, l->r.map[host], bias));
    }
    TRY(lower_begin(l, id, GRAPH_OP_O_ADD, inputs, 2, &node));
    TRY(lower_finish_value(l, node, &sum));
    lower_alias(l, lower_out(l, id, 3), sum, l->states[x]);
    TRY(add_norm(l, id, rms, sum, 2, l->states[x]));
done:
    return status;
}
