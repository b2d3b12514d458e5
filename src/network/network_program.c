/* Making a graph ready. In: a graph, devices. Out: for each node its kernel and what may be
 * released behind it. */
#include <string.h>

#include "graph/ops.h"
#include "network/program.h"

static ondol_status choose_kernel(network *n, const graph *g, graph_node_id id, network_node *out,
                                  ondol_error *err) {
    ondol_status status = ONDOL_OK;
    base_buffer why;
    base_buffer_init(&why, n->allocator, 4096);
    for (uint32_t d = 0; d < n->device_count && !out->kernel; d++) {
        const plan_device_ops *ops = n->devices[d]->ops;
        if (why.size) base_buffer_append_text(&why, "; ");
        base_buffer_append_format(&why, "%s: ", ops->name);
        out->kernel = ops->kernel ? ops->kernel(n->devices[d], g, id, &why) : NULL;
        out->device = d;
    }
    if (!out->kernel) {
        const graph_op_info *info = graph_op_info_of(g->nodes[id].op);
        status = base_fail(err, ONDOL_E_UNSUPPORTED, "node '%s' (%s%s%s): no device takes it (%s)",
                           g->nodes[id].name, info->domain, *info->domain ? "." : "", info->name,
                           why.data ? why.data : "there is none");
    }
    base_buffer_destroy(&why);
    return status;
}

static ondol_status create_children(network *n, const graph_node *node, network_node *out,
                                    ondol_error *err) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < node->attribute_count; i++) {
        const graph_attribute *a = node->attributes + i;
        if (a->type == GRAPH_ATTRIBUTE_GRAPH) count++;
        if (a->type == GRAPH_ATTRIBUTE_GRAPHS) count += a->int_count;
    }
    if (!count) return ONDOL_OK;
    out->children = base_calloc(n->allocator, count, sizeof *out->children);
    if (!out->children) return base_no_memory(err, "network", count * sizeof *out->children);
    for (uint32_t i = 0; i < node->attribute_count; i++) {
        const graph_attribute *a = node->attributes + i;
        if (a->type != GRAPH_ATTRIBUTE_GRAPH && a->type != GRAPH_ATTRIBUTE_GRAPHS) continue;
        const uint32_t graphs = a->type == GRAPH_ATTRIBUTE_GRAPH ? 1 : a->int_count;
        for (uint32_t k = 0; k < graphs; k++) {
            ondol_status status =
                network_program_create(n, a->graphs[k], out->children + out->child_count, err);
            if (status != ONDOL_OK) return status;
            out->child_count++;
        }
    }
    return ONDOL_OK;
}

static ondol_status prepare_node(network *n, const graph *g, graph_node_id id, network_node *out,
                                 ondol_error *err) {
    const graph_node *node = g->nodes + id;
    ondol_status status = ONDOL_OK;
    TRY(choose_kernel(n, g, id, out, err));
    out->disposable = base_calloc(n->allocator, node->input_count ? node->input_count : 1,
                                  sizeof *out->disposable);
    if (!out->disposable) return base_no_memory(err, "network", node->input_count);
    TRY(create_children(n, node, out, err));
    if (out->kernel->prepare) {
        TRY(out->kernel->prepare(n->devices[out->device], n->allocator, g, id, n->pool, &out->state,
                                 err));
    }
    n->device_nodes[out->device]++;
    n->node_count++;
done:
    return status;
}

/* Notes that node `id` uses value v. */
static void use(uint32_t *last, graph_value_id v, graph_node_id id) {
    if (v != GRAPH_NONE) last[v] = id;
}

/* Fills last[v]: the last node that uses v, itself or in a subgraph; GRAPH_NONE: to be kept. */
static void find_last_uses(const graph *g, const network_program *p, uint32_t *last) {
    for (uint32_t v = 0; v < g->value_count; v++) {
        const bool made = g->values[v].kind == GRAPH_VALUE_INTERMEDIATE;
        last[v] = made ? g->values[v].producer : GRAPH_NONE;
    }
    for (graph_node_id id = 0; id < g->node_count; id++) {
        const graph_node *node = g->nodes + id;
        for (uint32_t i = 0; i < node->input_count; i++)
            use(last, node->inputs[i], id);
        for (uint32_t c = 0; c < p->nodes[id].child_count; c++) {
            const graph *sub = p->nodes[id].children[c]->g;
            for (uint32_t v = 0; v < sub->value_count; v++) {
                if (sub->values[v].kind == GRAPH_VALUE_CAPTURE) use(last, sub->values[v].outer, id);
            }
        }
    }
    for (uint32_t i = 0; i < g->output_count; i++)
        if (g->outputs[i] != GRAPH_NONE) last[g->outputs[i]] = GRAPH_NONE;
}

static void mark_disposable(const graph_node *node, network_node *out, const uint32_t *last,
                            graph_node_id id) {
    for (uint32_t i = 0; i < node->input_count; i++) {
        const graph_value_id v = node->inputs[i];
        bool once = v != GRAPH_NONE && last[v] == id;
        for (uint32_t k = 0; k < node->input_count && once; k++)
            once = k == i || node->inputs[k] != v;
        out->disposable[i] = once;
    }
}

/* Sorts values by the node of their last use. */
static ondol_status plan_releases(network *n, network_program *p, ondol_error *err) {
    const graph *g = p->g;
    uint32_t *last = base_alloc(n->allocator, g->value_count ? g->value_count : 1, sizeof *last);
    p->releases =
        base_calloc(n->allocator, g->value_count ? g->value_count : 1, sizeof *p->releases);
    if (!last || !p->releases) {
        base_free(n->allocator, last);
        return base_no_memory(err, "network", g->value_count * sizeof *last);
    }
    find_last_uses(g, p, last);
    for (uint32_t v = 0; v < g->value_count; v++)
        if (last[v] != GRAPH_NONE) p->nodes[last[v]].release_count++;
    uint32_t at = 0;
    for (graph_node_id id = 0; id < g->node_count; id++) {
        p->nodes[id].first_release = at;
        at += p->nodes[id].release_count;
        p->nodes[id].release_count = 0;
        mark_disposable(g->nodes + id, p->nodes + id, last, id);
    }
    for (uint32_t v = 0; v < g->value_count; v++) {
        if (last[v] == GRAPH_NONE) continue;
        network_node *node = p->nodes + last[v];
        p->releases[node->first_release + node->release_count++] = v;
    }
    base_free(n->allocator, last);
    return ONDOL_OK;
}

/* Initializers, and what inputs are where none is given. */
static ondol_status wrap_constants(network *n, network_program *p, ondol_error *err) {
    const graph *g = p->g;
    for (uint32_t v = 0; v < g->value_count; v++) {
        const graph_value *value = g->values + v;
        if (value->kind != GRAPH_VALUE_INITIALIZER && !value->initial) continue;
        if (value->encoding != GRAPH_PLAIN) {
            return base_fail(err, ONDOL_E_UNSUPPORTED, "value '%s' holds codes of a file",
                             value->name);
        }
        const graph_shape *shape = value->initial ? &value->initial->shape : &value->shape;
        const void *data = value->initial ? value->initial->data : value->data;
        ondol_status status = tensor_value_borrow(n->heap, value->element, shape->rank, shape->dims,
                                                  data, p->constants + v, err);
        if (status != ONDOL_OK) return base_prefix(err, status, "value '%s'", value->name);
    }
    return ONDOL_OK;
}

ondol_status network_program_create(network *n, const graph *g, network_program **out,
                                    ondol_error *err) {
    const ondol_allocator *a = n->allocator;
    ondol_status status = ONDOL_OK;
    network_program *p = base_calloc(a, 1, sizeof *p);
    if (!p) return base_no_memory(err, "network", sizeof *p);
    p->g = g;
    p->nodes = base_calloc(a, g->node_count ? g->node_count : 1, sizeof *p->nodes);
    p->constants = base_calloc(a, g->value_count ? g->value_count : 1, sizeof *p->constants);
    if (!p->nodes || !p->constants) {
        status = base_no_memory(err, "network", g->node_count * sizeof *p->nodes);
        goto done;
    }
    TRY(wrap_constants(n, p, err));
    for (graph_node_id id = 0; id < g->node_count; id++)
        TRY(prepare_node(n, g, id, p->nodes + id, err));
    TRY(plan_releases(n, p, err));
    *out = p;
    return ONDOL_OK;
done:
    network_program_destroy(n, p);
    return status;
}

void network_program_destroy(network *n, network_program *p) {
    if (!p) return;
    const ondol_allocator *a = n->allocator;
    for (uint32_t i = 0; p->nodes && i < p->g->node_count; i++) {
        network_node *node = p->nodes + i;
        if (node->kernel && node->kernel->release) node->kernel->release(a, node->state);
        for (uint32_t c = 0; c < node->child_count; c++)
            network_program_destroy(n, node->children[c]);
        base_free(a, node->children);
        base_free(a, node->disposable);
    }
    for (uint32_t v = 0; p->constants && v < p->g->value_count; v++)
        tensor_value_release(p->constants[v]);
    base_free(a, p->constants);
    base_free(a, p->slots);
    base_free(a, p->releases);
    base_free(a, p->nodes);
    base_free(a, p);
}
