/* Graphs of QuantizeLinear and DequantizeLinear (QDQ). In: an operator on dequantised codes whose
 * result is quantised. Out: the operator that computes on the codes. */
#include <math.h>

#include "optimize/network_pass.h"
#include "optimize/optimize.h"

/* Codes with their scale and zero point, as inputs of a node have them. */
typedef struct quantized {
    graph_value_id codes, scale, zero; /* zero: GRAPH_NONE when it is absent */
    graph_node_id node;
} quantized;

static bool is_initializer(const graph *g, graph_value_id v) {
    return v != GRAPH_NONE && g->values[v].kind == GRAPH_VALUE_INITIALIZER && g->values[v].data;
}

static uint64_t elements_of(const graph *g, graph_value_id v) {
    uint64_t n = 0;
    return graph_shape_elements(&g->values[v].shape, &n) ? n : 0;
}

static bool is_code(tensor_element e) {
    return e == TENSOR_ELEMENT_I8 || e == TENSOR_ELEMENT_U8;
}

/* v as codes of that DequantizeLinear; scale and zero point constant. */
static bool dequantized(const network_pass *p, graph_value_id v, quantized *out) {
    const graph *g = p->g;
    const graph_node_id id = v == GRAPH_NONE ? GRAPH_NONE : g->values[v].producer;
    if (id == GRAPH_NONE || g->nodes[id].op != GRAPH_OP_DEQUANTIZE_LINEAR) return false;
    const graph_node *n = g->nodes + id;
    out->node = id;
    out->codes = n->inputs[0];
    out->scale = n->inputs[1];
    out->zero = n->input_count > 2 ? n->inputs[2] : GRAPH_NONE;
    return graph_get_int(g, id, "block_size") == 0 && is_initializer(g, out->scale) &&
           g->values[out->scale].element == TENSOR_ELEMENT_F32 &&
           (out->zero == GRAPH_NONE || is_initializer(g, out->zero));
}

/* Activations: codes of 8 bits with one scale. */
static bool is_activation(const graph *g, const quantized *q) {
    return is_code(g->values[q->codes].element) && elements_of(g, q->scale) == 1;
}

/* Weights: constant codes of 8 bits, a scale for all or for each of `axis`. */
static bool is_weight(const graph *g, const quantized *q, int64_t axis) {
    const graph_value *v = g->values + q->codes;
    if (!is_initializer(g, q->codes) || !is_code(v->element)) return false;
    if (elements_of(g, q->scale) == 1) return true;
    int64_t along = graph_get_int(g, q->node, "axis");
    if (along < 0) along += v->shape.rank;
    return along == axis && g->values[q->scale].shape.rank == 1;
}

/* The zero point of that type, also when it is not written. Errors: MEMORY. */
static ondol_status zero_of(graph *g, quantized *q, ondol_error *err) {
    static const unsigned char zero = 0;
    if (q->zero != GRAPH_NONE) return ONDOL_OK;
    const graph_value *scale = g->values + q->scale;
    if (elements_of(g, q->scale) != 1) {
        const uint64_t n = elements_of(g, q->scale);
        unsigned char *zeros = base_calloc(g->allocator, (size_t)n, 1);
        if (!zeros) return base_no_memory(err, "zero points", n);
        ondol_status status = graph_add_constant(g, "zero", g->values[q->codes].element,
                                                 scale->shape, zeros, &q->zero, err);
        base_free(g->allocator, zeros);
        return status;
    }
    return graph_add_constant(g, "zero", g->values[q->codes].element, scale->shape, &zero, &q->zero,
                              err);
}

/* A bias of int32 whose scale is the product of both scales, as it must be. */
static bool is_bias(const graph *g, const quantized *q, const quantized *x, const quantized *w) {
    const float *have = g->values[q->scale].data, *xs = g->values[x->scale].data,
                *ws = g->values[w->scale].data;
    const uint64_t n = elements_of(g, q->scale), weights = elements_of(g, w->scale);
    if (!is_initializer(g, q->codes) || g->values[q->codes].element != TENSOR_ELEMENT_I32)
        return false;
    if (n != weights && n != 1) return false;
    for (uint64_t i = 0; i < weights; i++) {
        const double wanted = (double)xs[0] * ws[i];
        if (fabs(have[n == 1 ? 0 : i] - wanted) > 1e-5 * fabs(wanted)) return false;
    }
    return true;
}

/* One reader less; what nobody reads goes. */
static void leave(network_pass *p, graph_value_id v) {
    if (--p->uses[v] == 0) p->gone[p->g->values[v].producer] = true;
}

/* Node id, of those inputs, gives what node `quantize` gave. */
static ondol_status replace(network_pass *p, graph_node_id id, graph_op op,
                            const graph_value_id *inputs, uint32_t count, graph_node_id quantize,
                            ondol_error *err) {
    graph *g = p->g;
    graph_node *n = g->nodes + id;
    graph_value_id *list = base_arena_alloc(&g->arena, count, sizeof *list);
    if (!list) return base_no_memory(err, "graph", count * sizeof *list);
    for (uint32_t i = 0; i < count; i++) {
        list[i] = inputs[i];
        if (inputs[i] != GRAPH_NONE && inputs[i] < p->value_count) p->uses[inputs[i]]++;
    }
    for (uint32_t i = 0; i < n->input_count; i++)
        if (n->inputs[i] != GRAPH_NONE) leave(p, n->inputs[i]);
    n->op = op;
    n->inputs = list;
    n->input_count = count;
    network_take_over(p, n, quantize);
    return ONDOL_OK;
}

static ondol_status fuse_conv(network_pass *p, graph_node_id id, graph_node_id end,
                              ondol_error *err) {
    graph *g = p->g;
    const graph_node *n = g->nodes + id, *out = g->nodes + end;
    const graph_value_id bias = n->input_count > 2 ? n->inputs[2] : GRAPH_NONE;
    quantized x, w, b = {.codes = GRAPH_NONE};
    ondol_status status = ONDOL_OK;
    if (!dequantized(p, n->inputs[0], &x) || !dequantized(p, n->inputs[1], &w) ||
        !is_activation(g, &x) || !is_weight(g, &w, 0)) {
        return ONDOL_OK;
    }
    if (bias != GRAPH_NONE && (!dequantized(p, bias, &b) || !is_bias(g, &b, &x, &w)))
        return ONDOL_OK;
    const graph_value_id ys = out->inputs[1], yz = out->inputs[2];
    TRY(zero_of(g, &x, err));
    TRY(zero_of(g, &w, err));
    const graph_value_id inputs[] = {x.codes, x.scale, x.zero, w.codes, w.scale,
                                     w.zero,  ys,      yz,     b.codes};
    TRY(replace(p, id, GRAPH_OP_QLINEAR_CONV, inputs, bias == GRAPH_NONE ? 8 : 9, end, err));
done:
    return status;
}

static ondol_status fuse_pair(network_pass *p, graph_node_id id, graph_node_id end,
                              ondol_error *err) {
    graph *g = p->g;
    const graph_node *n = g->nodes + id, *out = g->nodes + end;
    const bool product = n->op == GRAPH_OP_MATMUL;
    quantized a, b;
    ondol_status status = ONDOL_OK;
    if (!dequantized(p, n->inputs[0], &a) || !dequantized(p, n->inputs[1], &b) ||
        !is_activation(g, &a)) {
        return ONDOL_OK;
    }
    const tensor_element result = g->values[out->inputs[2]].element;
    const bool columns = product && g->values[b.codes].shape.rank == 2 && is_weight(g, &b, 1);
    if (!is_activation(g, &b) && !columns) return ONDOL_OK;
    if (!product && (g->values[a.codes].element != result || g->values[b.codes].element != result))
        return ONDOL_OK;
    const graph_value_id ys = out->inputs[1], yz = out->inputs[2];
    const graph_op op = product                 ? GRAPH_OP_QLINEAR_MATMUL
                        : n->op == GRAPH_OP_ADD ? GRAPH_OP_MS_QLINEAR_ADD
                                                : GRAPH_OP_MS_QLINEAR_MUL;
    TRY(zero_of(g, &a, err));
    TRY(zero_of(g, &b, err));
    const graph_value_id inputs[] = {a.codes, a.scale, a.zero, b.codes, b.scale, b.zero, ys, yz};
    TRY(replace(p, id, op, inputs, 8, end, err));
done:
    return status;
}

/* The zero point is the least code: what is below zero becomes zero in any case. */
static bool cuts_at_zero(const graph *g, const graph_node *quantize) {
    const graph_value *zero = g->values + quantize->inputs[2];
    const unsigned char code = *(const unsigned char *)zero->data;
    return code == (zero->element == TENSOR_ELEMENT_U8 ? 0 : 0x80);
}

/* QuantizeLinear `end`, with one constant scale and a zero point. */
static ondol_status fuse(network_pass *p, graph_node_id end, ondol_error *err) {
    const graph *g = p->g;
    const graph_node *out = g->nodes + end;
    if (out->op != GRAPH_OP_QUANTIZE_LINEAR || out->input_count < 3 ||
        !is_initializer(g, out->inputs[1]) || !is_initializer(g, out->inputs[2]) ||
        elements_of(g, out->inputs[1]) != 1 || !is_code(g->values[out->inputs[2]].element) ||
        g->values[out->inputs[1]].element != TENSOR_ELEMENT_F32) {
        return ONDOL_OK;
    }
    const graph_node *n = network_producer(p, out->inputs[0]), *relu = NULL;
    if (n && n->op == GRAPH_OP_RELU && cuts_at_zero(g, out)) {
        relu = n;
        n = network_producer(p, relu->inputs[0]);
    }
    if (!n) return ONDOL_OK;
    const graph_node_id id = (graph_node_id)(n - g->nodes);
    const bool pair = n->op == GRAPH_OP_MATMUL || n->op == GRAPH_OP_ADD || n->op == GRAPH_OP_MUL;
    ondol_status status = ONDOL_OK;
    if (n->op == GRAPH_OP_CONV) status = fuse_conv(p, id, end, err);
    if (pair) status = fuse_pair(p, id, end, err);
    if (relu && p->gone[end]) p->gone[relu - g->nodes] = true;
    return status;
}

/* As deep as GRAPH_MAX_DEPTH. */
ondol_status optimize_quantized(graph *g, ondol_error *err) {
    network_pass p = {.g = g};
    ondol_status status = ONDOL_OK;
    TRY(network_pass_begin(&p, err));
    for (graph_node_id id = 0; id < g->node_count; id++)
        if (!p.gone[id]) TRY(fuse(&p, id, err));
    network_pass_drop(&p);
    for (graph *sub = g->first_subgraph; sub; sub = sub->next_sibling)
        TRY(optimize_quantized(sub, err));
done:
    network_pass_end(&p);
    return status;
}
