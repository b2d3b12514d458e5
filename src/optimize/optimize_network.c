/* Passes for graphs that run as they are written, in place. In: a graph whose constants are folded.
 * Out: the same function in fewer nodes. */
#include "optimize/network_pass.h"
#include "optimize/optimize.h"

static ondol_status count_uses(network_pass *p, ondol_error *err) {
    const graph *g = p->g;
    p->value_count = g->value_count;
    p->uses = base_calloc(g->allocator, g->value_count + 1u, sizeof *p->uses);
    p->gone = base_calloc(g->allocator, g->node_count + 1u, sizeof *p->gone);
    if (!p->uses || !p->gone) return base_no_memory(err, "graph", g->value_count);
    for (graph_node_id id = 0; id < g->node_count; id++) {
        for (uint32_t i = 0; i < g->nodes[id].input_count; i++) {
            const graph_value_id v = g->nodes[id].inputs[i];
            if (v == GRAPH_NONE) continue;
            p->uses[v]++;
        }
    }
    for (uint32_t i = 0; i < g->output_count; i++)
        if (g->outputs[i] != GRAPH_NONE) p->uses[g->outputs[i]] += 2; /* it must stay */
    for (const graph *sub = g->first_subgraph; sub; sub = sub->next_sibling) {
        for (uint32_t v = 0; v < sub->value_count; v++)
            if (sub->values[v].kind == GRAPH_VALUE_CAPTURE) p->uses[sub->values[v].outer] += 2;
    }
    return ONDOL_OK;
}

static void drop_gone(network_pass *p) {
    graph *g = p->g;
    uint32_t kept = 0;
    /* What the nodes that are gone made is made by nobody. */
    for (uint32_t v = 0; v < g->value_count; v++)
        g->values[v].producer = GRAPH_NONE;
    for (graph_node_id id = 0; id < g->node_count; id++) {
        if (p->gone[id]) continue;
        g->nodes[kept] = g->nodes[id];
        for (uint32_t i = 0; i < g->nodes[kept].output_count; i++)
            if (g->nodes[kept].outputs[i] != GRAPH_NONE) {
                g->values[g->nodes[kept].outputs[i]].producer = kept;
            }
        kept++;
    }
    g->node_count = kept;
}

static bool is_scale(graph_op op) {
    return op == GRAPH_OP_BATCH_NORMALIZATION || op == GRAPH_OP_MUL || op == GRAPH_OP_ADD;
}

/* What ends with this node becomes it; then it goes into what makes its input. */
static ondol_status pass_node(network_pass *p, graph_node_id id, ondol_error *err) {
    graph *g = p->g;
    bool done = false;
    ondol_status status = ONDOL_OK;
    if (g->nodes[id].op == GRAPH_OP_DIV) network_fuse_hard_swish(p, id);
    if (g->nodes[id].op == GRAPH_OP_MUL) network_fuse_gelu(p, id);
    if (g->nodes[id].op == GRAPH_OP_MUL) network_fuse_gelu_tanh(p, id, err);
    if (g->nodes[id].op == GRAPH_OP_ADD) TRY(network_fuse_linear(p, id, err));
    if (!p->gone[id] && is_scale(g->nodes[id].op)) TRY(network_fold_scale(p, id, &done, err));
    if (!p->gone[id] && !done) TRY(network_fuse_after(p, id, err));
done:
    return status;
}

/* As deep as GRAPH_MAX_DEPTH. */
ondol_status optimize_network(graph *g, ondol_error *err) {
    network_pass p = {.g = g};
    ondol_status status = ONDOL_OK;
    TRY(count_uses(&p, err));
    for (graph_node_id id = 0; id < g->node_count; id++) {
        if (p.gone[id]) continue;
        TRY(pass_node(&p, id, err));
    }
    drop_gone(&p);
    for (graph *sub = g->first_subgraph; sub; sub = sub->next_sibling)
        TRY(optimize_network(sub, err));
done:
    base_free(g->allocator, p.uses);
    base_free(g->allocator, p.gone);
    return status;
}
