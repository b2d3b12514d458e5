/* Derivatives at other values than those that a graph computes. In: what is named, values that
 * stand for it. Out: the nodes between again, of these values. */
#include "models/onnx_gradient.h"

typedef struct cloning {
    const graph *g;
    bool *needed;        /* by value: y is computed of it */
    bool *replaced;      /* by value: it is another now */
    graph_value_id *now; /* by value: which */
} cloning;

static bool see_needed(void *user, graph_value_id v) {
    ((cloning *)user)->needed[v] = true;
    return false;
}

static bool see_replaced(void *user, graph_value_id v) {
    return ((cloning *)user)->replaced[v];
}

/* The same node with inputs that were replaced. */
static void clone_node(onnx_gradient *d, cloning *k, graph_node_id n) {
    onnx_upgrade *u = d->u;
    const uint32_t inputs = d->g->nodes[n].input_count, outputs = d->g->nodes[n].output_count;
    graph_value_id *list = base_arena_alloc(&d->g->arena, inputs + 1u, sizeof *list);
    if (!list) {
        upgrade_fail(u, ONDOL_E_MEMORY, "no memory for its nodes");
        return;
    }
    for (uint32_t i = 0; i < inputs; i++) {
        const graph_value_id v = d->g->nodes[n].inputs[i];
        list[i] = v == GRAPH_NONE ? v : k->now[v];
    }
    for (uint32_t i = 0; i < d->g->nodes[n].attribute_count; i++) {
        const graph_attribute_type type = d->g->nodes[n].attributes[i].type;
        if (type != GRAPH_ATTRIBUTE_GRAPH && type != GRAPH_ATTRIBUTE_GRAPHS) continue;
        gradient_fail(d, n, "it holds a graph, and the derivative is asked for at other values");
        return;
    }
    const graph_node_id made = upgrade_node(u, d->g->nodes[n].op, list, inputs, outputs);
    for (uint32_t i = 0; u->status == ONDOL_OK && i < d->g->nodes[n].attribute_count; i++)
        u->status = graph_set_attribute(d->g, made, d->g->nodes[n].attributes + i, u->err);
    upgrade_finish(u, made);
    for (uint32_t i = 0; u->status == ONDOL_OK && i < outputs; i++) {
        const graph_value_id v = d->g->nodes[n].outputs[i];
        if (v == GRAPH_NONE) {
            d->g->nodes[made].outputs[i] = GRAPH_NONE;
            continue;
        }
        k->now[v] = d->g->nodes[made].outputs[i];
        k->replaced[v] = true;
    }
}

static void clone_path(onnx_gradient *d, cloning *k, const graph_value_id *named, uint32_t count,
                       graph_value_id *xs, graph_value_id *y) {
    const uint32_t values = d->g->value_count;
    const graph_node_id end = d->g->node_count;
    for (graph_value_id v = 0; v < values; v++)
        k->now[v] = v;
    k->needed[*y] = true;
    for (graph_node_id n = end; n-- > 0;) {
        const graph_node *node = d->g->nodes + n;
        for (uint32_t i = 0; i < node->output_count; i++) {
            const graph_value_id v = node->outputs[i];
            if (v == GRAPH_NONE || !k->needed[v]) continue;
            gradient_reads(d->g, n, see_needed, k);
            break;
        }
    }
    for (uint32_t i = 0; i < count; i++) { /* apart, also where one value is given twice */
        xs[i] = upgrade_unary(d->u, GRAPH_OP_IDENTITY, xs[i]);
        k->now[named[i]] = xs[i];
        k->replaced[named[i]] = true;
    }
    for (graph_node_id n = 0; n < end && d->u->status == ONDOL_OK; n++) {
        bool is_needed = false;
        for (uint32_t i = 0; i < d->g->nodes[n].output_count; i++) {
            const graph_value_id v = d->g->nodes[n].outputs[i];
            is_needed = is_needed || (v != GRAPH_NONE && k->needed[v] && !k->replaced[v]);
        }
        if (is_needed && gradient_reads(d->g, n, see_replaced, k)) clone_node(d, k, n);
    }
    *y = k->now[*y];
}

void gradient_evaluate_at(onnx_gradient *d, const graph_value_id *named, uint32_t count,
                          graph_value_id *xs, graph_value_id *y) {
    const uint32_t values = d->g->value_count;
    cloning k = {.g = d->g};
    k.needed = base_calloc(d->allocator, values, sizeof *k.needed);
    k.replaced = base_calloc(d->allocator, values, sizeof *k.replaced);
    k.now = base_alloc(d->allocator, values, sizeof *k.now);
    if (k.needed && k.replaced && k.now)
        clone_path(d, &k, named, count, xs, y);
    else
        upgrade_fail(d->u, ONDOL_E_MEMORY, "no memory for %u values", values);
    base_free(d->allocator, k.needed);
    base_free(d->allocator, k.replaced);
    base_free(d->allocator, k.now);
}
