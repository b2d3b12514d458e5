/* Half precision. In: a graph with values of float16 or bfloat16. Out: the same graph, whose nodes
 * compute in float32 wherever the first device has kernels for that; Cast stands at the borders.
 * Values of float16 stay float32 from node to node, which is the more exact. Those of bfloat16 are
 * rounded behind each node: their steps are so wide that a graph may count on them. */
#include <string.h>

#include "graph/ops.h"
#include "network/network.h"
#include "tensor/half.h"

/* What becomes of a value that the file has in half precision. */
typedef struct half_value {
    tensor_element element; /* in the file; UNDEFINED: it is no tensor of halves */
    bool wide;              /* made as float32 */
    graph_value_id other;   /* in the other precision, once somebody asked; or GRAPH_NONE */
    bool captured;          /* read by a subgraph, as the file has it */
} half_value;

typedef struct widening {
    graph *g;
    const plan_device *device;
    half_value *values;    /* [value_count], of the values that were there */
    bool *wide;            /* [nodes]: computes in float32 */
    uint32_t *half_inputs; /* [nodes]: constant inputs that stay as they are, a bit for each */
    graph_node_id *order;  /* nodes in their new order, order_count of them */
    uint32_t value_count, node_count, order_count;
} widening;

static bool is_half(tensor_element e) {
    return e == TENSOR_ELEMENT_F16 || e == TENSOR_ELEMENT_BF16;
}

static bool was_half(const widening *w, graph_value_id v) {
    return v != GRAPH_NONE && v < w->value_count && w->values[v].element;
}

static bool is_constant(const graph *g, graph_value_id v) {
    return g->values[v].kind == GRAPH_VALUE_INITIALIZER;
}

/* ------------------------------------------------------------ which nodes */

/* How the values of a node are while a device is asked whether it takes it. */
typedef enum half_form { AS_STORED, WIDE_VALUES, ALL_WIDE, AS_DECIDED } half_form;

static void set_element(const widening *w, graph_value_id v, half_form form) {
    if (!was_half(w, v)) return;
    const half_value *h = w->values + v;
    const bool wide = form == ALL_WIDE || (form == WIDE_VALUES && !is_constant(w->g, v)) ||
                      (form == AS_DECIDED && h->wide);
    w->g->values[v].element = wide ? TENSOR_ELEMENT_F32 : h->element;
}

static void set_elements(const widening *w, const graph_node *n, half_form form) {
    for (uint32_t i = 0; i < n->input_count; i++)
        set_element(w, n->inputs[i], form);
    for (uint32_t i = 0; i < n->output_count; i++)
        set_element(w, n->outputs[i], form);
}

static const plan_kernel *kernel_for(const widening *w, graph_node_id id, half_form form) {
    const plan_device_ops *ops = w->device->ops;
    set_elements(w, w->g->nodes + id, form);
    return ops->kernel ? ops->kernel(w->device, w->g, id, NULL) : NULL;
}

static bool has_subgraph(const graph_node *n) {
    for (uint32_t i = 0; i < n->attribute_count; i++) {
        const graph_attribute_type type = n->attributes[i].type;
        if (type == GRAPH_ATTRIBUTE_GRAPH || type == GRAPH_ATTRIBUTE_GRAPHS) return true;
    }
    return false;
}

/* Softmax and Attention of bfloat16 round between their steps too (device/ref/ops/ref_softmax.h).
 */
static bool rounds_inside(const widening *w, const graph_node *n) {
    const bool steps =
        n->op == GRAPH_OP_SOFTMAX || n->op == GRAPH_OP_LOG_SOFTMAX || n->op == GRAPH_OP_ATTENTION;
    return steps && was_half(w, n->inputs[0]) &&
           w->values[n->inputs[0]].element == TENSOR_ELEMENT_BF16;
}

/* Nodes that take halves as they are stay so until a wide value comes along. */
static void decide(widening *w, graph_node_id id) {
    const graph_node *n = w->g->nodes + id;
    bool any = false, comes_wide = false;
    for (uint32_t i = 0; i < n->input_count; i++) {
        any = any || was_half(w, n->inputs[i]);
        comes_wide = comes_wide || (was_half(w, n->inputs[i]) && w->values[n->inputs[i]].wide);
    }
    for (uint32_t i = 0; i < n->output_count; i++)
        any = any || was_half(w, n->outputs[i]);
    if (!any || has_subgraph(n) || rounds_inside(w, n)) return;
    const bool rounds = n->op == GRAPH_OP_CAST && was_half(w, n->outputs[0]);
    const bool stays = !comes_wide && !rounds && kernel_for(w, id, AS_STORED);
    if (!stays) {
        const plan_kernel *k = kernel_for(w, id, WIDE_VALUES);
        w->half_inputs[id] = k ? k->half_inputs : 0;
        w->wide[id] = w->half_inputs[id] || kernel_for(w, id, ALL_WIDE);
    }
    for (uint32_t i = 0; i < n->output_count && w->wide[id]; i++)
        if (was_half(w, n->outputs[i]))
            w->values[n->outputs[i]].wide = w->values[n->outputs[i]].element == TENSOR_ELEMENT_F16;
    set_elements(w, n, AS_DECIDED);
}

/* ------------------------------------------------------------ the new graph */

/* v in the other precision, by a Cast that stands here. */
static ondol_status add_cast(widening *w, graph_value_id v, tensor_element to, ondol_error *err) {
    graph *g = w->g;
    graph_node_id id = 0;
    ondol_status status = graph_add_node(g, GRAPH_OP_CAST, g->values[v].name, &v, 1, 1, &id, err);
    if (status != ONDOL_OK) return status;
    status = graph_set_int(g, id, "to", to, err);
    if (status != ONDOL_OK) return status;
    const graph_value_id y = g->nodes[id].outputs[0];
    g->values[y].element = to;
    g->values[y].shape = g->values[v].shape;
    w->values[v].other = y;
    w->order[w->order_count++] = id;
    return ONDOL_OK;
}

static ondol_status widen_constant(widening *w, graph_value_id v, ondol_error *err) {
    graph *g = w->g;
    const graph_value from = g->values[v];
    const uint64_t count = from.data_bytes / 2;
    const unsigned char *halves = from.data;
    if (count > SIZE_MAX / sizeof(float)) return base_no_memory(err, "constant", count);
    float *floats = base_arena_alloc(&g->arena, count ? (size_t)count : 1, sizeof *floats);
    if (!floats) return base_no_memory(err, "constant", count * sizeof *floats);
    for (uint64_t i = 0; i < count; i++) {
        uint16_t half = 0; /* the file may have it at any address */
        memcpy(&half, halves + 2 * i, sizeof half);
        floats[i] =
            from.element == TENSOR_ELEMENT_F16 ? tensor_f16_to_f32(half) : tensor_bf16_to_f32(half);
    }
    const graph_tensor t = {TENSOR_ELEMENT_F32, from.shape, floats, count * sizeof *floats};
    return graph_add_borrowed(g, from.name, &t, &w->values[v].other, err);
}

/* Input v of a node, as the node wants it. */
static ondol_status find_input(widening *w, graph_value_id v, bool wide, graph_value_id *out,
                               ondol_error *err) {
    ondol_status status = ONDOL_OK;
    *out = v;
    if (!was_half(w, v) || w->values[v].wide == wide) return ONDOL_OK;
    if (w->values[v].other == GRAPH_NONE) {
        if (wide && is_constant(w->g, v))
            status = widen_constant(w, v, err);
        else
            status = add_cast(w, v, wide ? TENSOR_ELEMENT_F32 : w->values[v].element, err);
    }
    if (status == ONDOL_OK) *out = w->values[v].other;
    return status;
}

/* Output i of a node is made as float32, and rounded by a Cast behind it. */
static ondol_status round_output(widening *w, graph_node_id id, uint32_t i, ondol_error *err) {
    graph *g = w->g;
    const graph_value_id v = g->nodes[id].outputs[i];
    graph_node_id cast = 0;
    ondol_status status = graph_add_node(g, GRAPH_OP_CAST, g->values[v].name, &v, 1, 1, &cast, err);
    if (status != ONDOL_OK) return status;
    status = graph_set_int(g, cast, "to", w->values[v].element, err);
    if (status != ONDOL_OK) return status;
    const graph_value_id y = g->nodes[cast].outputs[0];
    g->values[y].element = TENSOR_ELEMENT_F32;
    g->values[y].shape = g->values[v].shape;
    g->nodes[id].outputs[i] = g->nodes[cast].inputs[0] = y;
    g->nodes[cast].outputs[0] = v;
    w->order[w->order_count++] = cast;
    return ONDOL_OK;
}

static ondol_status write_node(widening *w, graph_node_id id, ondol_error *err) {
    graph *g = w->g;
    const uint32_t input_count = g->nodes[id].input_count;
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < input_count; i++) {
        const graph_value_id v = g->nodes[id].inputs[i];
        const bool may_stay = i < 32 && (w->half_inputs[id] >> i & 1) != 0;
        const bool stays = may_stay && v != GRAPH_NONE && is_constant(g, v);
        graph_value_id now = v;
        if (!stays) TRY(find_input(w, v, w->wide[id], &now, err));
        g->nodes[id].inputs[i] = now;
    }
    const bool to_half = g->nodes[id].op == GRAPH_OP_CAST && was_half(w, g->nodes[id].outputs[0]);
    if (w->wide[id] && to_half) {
        g->nodes[id].attribute_count = 0;
        TRY(graph_set_int(g, id, "to", TENSOR_ELEMENT_F32, err));
    }
    w->order[w->order_count++] = id;
    for (uint32_t i = 0; i < g->nodes[id].output_count; i++) {
        const graph_value_id v = g->nodes[id].outputs[i];
        graph_value_id half = v;
        if (w->wide[id] && was_half(w, v) && !w->values[v].wide) TRY(round_output(w, id, i, err));
        if (v != GRAPH_NONE && v < w->value_count && w->values[v].captured)
            TRY(find_input(w, v, false, &half, err));
    }
done:
    return status;
}

static ondol_status write_outputs(widening *w, ondol_error *err) {
    graph *g = w->g;
    for (uint32_t i = 0; i < g->output_count; i++) {
        ondol_status status = find_input(w, g->outputs[i], false, g->outputs + i, err);
        if (status != ONDOL_OK) return status;
    }
    for (graph *sub = g->first_subgraph; sub; sub = sub->next_sibling) {
        for (uint32_t v = 0; v < sub->value_count; v++) {
            graph_value *to = sub->values + v;
            if (to->kind != GRAPH_VALUE_CAPTURE || !was_half(w, to->outer)) continue;
            if (w->values[to->outer].wide) to->outer = w->values[to->outer].other;
        }
    }
    return ONDOL_OK;
}

static ondol_status put_in_order(widening *w, ondol_error *err) {
    graph *g = w->g;
    graph_node *nodes = base_alloc(g->allocator, g->node_count + 1u, sizeof *nodes);
    if (!nodes) return base_no_memory(err, "graph", g->node_count * sizeof *nodes);
    for (uint32_t i = 0; i < w->order_count; i++)
        nodes[i] = g->nodes[w->order[i]];
    memcpy(g->nodes, nodes, w->order_count * sizeof *nodes);
    base_free(g->allocator, nodes);
    for (graph_node_id id = 0; id < g->node_count; id++) {
        for (uint32_t i = 0; i < g->nodes[id].output_count; i++)
            if (g->nodes[id].outputs[i] != GRAPH_NONE)
                g->values[g->nodes[id].outputs[i]].producer = id;
    }
    return ONDOL_OK;
}

/* ------------------------------------------------------------ all of it */

static bool note_halves(widening *w) {
    bool any = false;
    for (uint32_t v = 0; v < w->value_count; v++) {
        const graph_value *value = w->g->values + v;
        w->values[v].other = GRAPH_NONE;
        if (value->type_kind != GRAPH_TYPE_TENSOR || !is_half(value->element) ||
            value->encoding != GRAPH_PLAIN) {
            continue;
        }
        w->values[v].element = value->element;
        any = true;
    }
    for (const graph *sub = w->g->first_subgraph; sub; sub = sub->next_sibling) {
        for (uint32_t v = 0; v < sub->value_count; v++)
            if (sub->values[v].kind == GRAPH_VALUE_CAPTURE)
                w->values[sub->values[v].outer].captured = true;
    }
    return any;
}

static ondol_status widen(widening *w, ondol_error *err) {
    const ondol_allocator *a = w->g->allocator;
    ondol_status status = ONDOL_OK;
    /* A value is rounded once, and cast once. */
    const size_t most = w->node_count + (size_t)2 * w->value_count;
    w->values = base_calloc(a, w->value_count + 1u, sizeof *w->values);
    w->wide = base_calloc(a, w->node_count + 1u, sizeof *w->wide);
    w->half_inputs = base_calloc(a, w->node_count + 1u, sizeof *w->half_inputs);
    w->order = base_alloc(a, most + 1, sizeof *w->order);
    if (!w->values || !w->wide || !w->half_inputs || !w->order)
        return base_no_memory(err, "graph", w->value_count * sizeof *w->values);
    if (!note_halves(w)) return ONDOL_OK;
    for (graph_node_id id = 0; id < w->node_count; id++)
        decide(w, id);
    for (graph_node_id id = 0; id < w->node_count; id++)
        TRY(write_node(w, id, err));
    TRY(write_outputs(w, err));
    TRY(put_in_order(w, err));
done:
    return status;
}

/* As deep as GRAPH_MAX_DEPTH. */
ondol_status network_widen_halves(graph *g, const plan_device *device, ondol_error *err) {
    widening w = {
        .g = g, .device = device, .value_count = g->value_count, .node_count = g->node_count};
    ondol_status status = widen(&w, err);
    base_free(g->allocator, w.values);
    base_free(g->allocator, w.wide);
    base_free(g->allocator, w.half_inputs);
    base_free(g->allocator, w.order);
    for (graph *sub = g->first_subgraph; sub && status == ONDOL_OK; sub = sub->next_sibling)
        status = network_widen_halves(sub, device, err);
    return status;
}
