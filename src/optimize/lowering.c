/* What the parts of lowering share. In: nodes of a portable graph. Out: stand-ins on rows. */
#include "optimize/lowering.h"

#include "graph/ops.h"

ondol_status lower_unrecognised(const lowering *l, graph_node_id id, const char *why) {
    const graph_node *n = l->r.from->nodes + id;
    return base_fail(l->err, ONDOL_E_UNSUPPORTED, "node '%s' (%s) is no part of a decoder: %s",
                     n->name, graph_op_info_of(n->op)->name, why);
}

graph_value_id lower_in(const lowering *l, graph_node_id id, uint32_t i) {
    const graph_node *n = l->r.from->nodes + id;
    return i < n->input_count ? n->inputs[i] : GRAPH_NONE;
}

graph_value_id lower_out(const lowering *l, graph_node_id id, uint32_t i) {
    const graph_node *n = l->r.from->nodes + id;
    return i < n->output_count ? n->outputs[i] : GRAPH_NONE;
}

bool lower_is_rows(const lowering *l, graph_value_id v) {
    return v != GRAPH_NONE && l->states[v].form != LOWER_NONE;
}

uint32_t lower_columns(const lowering *l, graph_value_id v) {
    return (uint32_t)l->r.to->values[l->r.map[v]].shape.dims[1];
}

ondol_status lower_rows(lowering *l, graph_node_id id, uint32_t i, graph_value_id *out) {
    const graph *g = l->r.from;
    const graph_value_id v = lower_in(l, id, i);
    if (lower_is_rows(l, v)) {
        *out = l->r.map[v];
        return ONDOL_OK;
    }
    const graph_node_id maker = v == GRAPH_NONE ? GRAPH_NONE : g->values[v].producer;
    if (maker == GRAPH_NONE)
        return lower_unrecognised(l, id, "an input is not on the tokens' rows");
    return base_fail(l->err, ONDOL_E_UNSUPPORTED,
                     "node '%s' (%s) is no part of a decoder: '%s' (%s) needs what it makes",
                     g->nodes[maker].name, graph_op_info_of(g->nodes[maker].op)->name,
                     g->nodes[id].name, graph_op_info_of(g->nodes[id].op)->name);
}

ondol_status lower_begin(lowering *l, graph_node_id id, graph_op op, const graph_value_id *inputs,
                         uint32_t input_count, graph_node_id *node) {
    return rewrite_add(&l->r, op, l->r.from->nodes[id].name, inputs, input_count, node, l->err);
}

ondol_status lower_finish_value(lowering *l, graph_node_id node, graph_value_id *out) {
    ondol_status status = graph_infer_node(l->r.to, node, l->err);
    if (status == ONDOL_OK) *out = graph_output_of(l->r.to, node, 0);
    return status;
}

void lower_alias(lowering *l, graph_value_id v, graph_value_id value, lower_state state) {
    if (v == GRAPH_NONE) return;
    l->r.map[v] = value;
    l->states[v] = state;
}

ondol_status lower_finish(lowering *l, graph_node_id node, graph_value_id v, lower_state state) {
    graph_value_id value = GRAPH_NONE;
    ondol_status status = lower_finish_value(l, node, &value);
    if (status == ONDOL_OK) lower_alias(l, v, value, state);
    return status;
}

ondol_status lower_add_columns(lowering *l, graph_node_id id, graph_value_id x, uint64_t first,
                               uint64_t count, graph_value_id *out) {
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    TRY(lower_begin(l, id, GRAPH_OP_O_COLUMNS, &x, 1, &node));
    TRY(graph_set_int(l->r.to, node, "first", (int64_t)first, l->err));
    TRY(graph_set_int(l->r.to, node, "count", (int64_t)count, l->err));
    TRY(lower_finish_value(l, node, out));
done:
    return status;
}

graph_node_id lower_only_user(const lowering *l, graph_value_id v) {
    if (l->uses[v] != 1) return GRAPH_NONE;
    const graph *g = l->r.from;
    for (graph_node_id n = g->values[v].producer + 1; n < g->node_count; n++) {
        for (uint32_t i = 0; i < g->nodes[n].input_count; i++) {
            if (g->nodes[n].inputs[i] == v) return n;
        }
    }
    return GRAPH_NONE;
}
