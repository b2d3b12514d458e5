/* Passes for graphs that run as they are written, in place. In: a graph whose constants are folded.
 * Out: the same function in fewer nodes. */
#include "optimize/network_pass.h"
#include "optimize/optimize.h"

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
    TRY(network_pass_begin(&p, err));
    for (graph_node_id id = 0; id < g->node_count; id++) {
        if (p.gone[id]) continue;
        TRY(pass_node(&p, id, err));
    }
    for (graph_node_id id = 0; id < g->node_count; id++)
        if (!p.gone[id]) TRY(network_fuse_chain(&p, id, err));
    network_pass_drop(&p);
    for (graph *sub = g->first_subgraph; sub; sub = sub->next_sibling)
        TRY(optimize_network(sub, err));
done:
    network_pass_end(&p);
    return status;
}
