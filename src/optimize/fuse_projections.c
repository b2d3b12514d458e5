/* Projection fusion. In: a lowered graph. Out: MatMuls of the same rows (q, k, v; gate, up) made
 * one operator: the activations are quantised once and one barrier stands behind all. */
#include "optimize/optimize.h"
#include "optimize/rewrite.h"

#define MAX_PARTS 8

typedef struct group {
    graph_node_id nodes[MAX_PARTS];
    uint32_t count;
} group;

/* All single MatMuls of the same input as node `first`, which is the earliest of them. */
static group collect(const graph *g, graph_node_id first) {
    group found = {.nodes = {first}, .count = 1};
    for (graph_node_id n = first + 1; n < g->node_count && found.count < MAX_PARTS; n++) {
        const graph_node *node = g->nodes + n;
        if (node->op == GRAPH_OP_O_MATMUL && node->input_count == 3 &&
            node->inputs[0] == g->nodes[first].inputs[0]) {
            found.nodes[found.count++] = n;
        }
    }
    return found;
}

static ondol_status add_columns(rewrite *r, const graph_node *part, graph_value_id whole,
                                int64_t first, int64_t count, ondol_error *err) {
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    TRY(rewrite_add(r, GRAPH_OP_O_COLUMNS, part->name, &whole, 1, &node, err));
    TRY(graph_set_int(r->to, node, "first", first, err));
    TRY(graph_set_int(r->to, node, "count", count, err));
    TRY(graph_infer_node(r->to, node, err));
    r->map[part->outputs[0]] = graph_output_of(r->to, node, 0);
done:
    return status;
}

static ondol_status fuse(rewrite *r, const group *parts, ondol_error *err) {
    const graph *g = r->from;
    graph_value_id inputs[1 + 2 * MAX_PARTS];
    graph_node_id node = 0;
    ondol_status status = ONDOL_OK;
    TRY(rewrite_value(r, g->nodes[parts->nodes[0]].inputs[0], inputs, err));
    for (uint32_t i = 0; i < parts->count; i++) {
        TRY(rewrite_value(r, g->nodes[parts->nodes[i]].inputs[1], inputs + 1 + 2 * i, err));
        TRY(rewrite_value(r, g->nodes[parts->nodes[i]].inputs[2], inputs + 2 + 2 * i, err));
    }
    TRY(rewrite_add(r, GRAPH_OP_O_MATMUL, g->nodes[parts->nodes[0]].name, inputs,
                    1 + 2 * parts->count, &node, err));
    TRY(graph_infer_node(r->to, node, err));
    graph_value_id whole = graph_output_of(r->to, node, 0);
    int64_t first = 0;
    for (uint32_t i = 0; i < parts->count; i++) {
        const graph_node *part = g->nodes + parts->nodes[i];
        int64_t count = g->values[part->outputs[0]].shape.dims[1];
        TRY(add_columns(r, part, whole, first, count, err));
        first += count;
    }
done:
    return status;
}

static ondol_status fuse_node(rewrite *r, graph_node_id n, ondol_error *err) {
    const graph *g = r->from;
    if (r->map[g->nodes[n].outputs[0]] != GRAPH_NONE)
        return ONDOL_OK; /* fused with an earlier one */
    if (g->nodes[n].op == GRAPH_OP_O_MATMUL && g->nodes[n].input_count == 3) {
        group parts = collect(g, n);
        if (parts.count > 1) return fuse(r, &parts, err);
    }
    return rewrite_node(r, n, err);
}

ondol_status optimize_fuse_projections(const graph *from, graph **out, ondol_error *err) {
    rewrite r;
    ondol_status status = rewrite_begin(from, &r, err);
    if (status != ONDOL_OK) return status;
    for (uint32_t i = 0; i < from->input_count; i++) {
        graph_value_id unused;
        TRY(rewrite_value(&r, from->inputs[i], &unused, err));
    }
    for (graph_node_id n = 0; n < from->node_count; n++)
        TRY(fuse_node(&r, n, err));
    for (uint32_t i = 0; i < from->output_count; i++) {
        TRY(graph_add_output(r.to, from->output_names[i], r.map[from->outputs[i]], err));
    }
    TRY(graph_verify(r.to, err));
    *out = r.to;
done:
    rewrite_end(&r, status == ONDOL_OK);
    return status;
}
