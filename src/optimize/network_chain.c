/* Chains of operators on single elements. In: nodes that each have one reader, the next. Out: one
 * Chain, which takes the elements through all of them while they are in registers or the first
 * cache. Each step rounds as its node did. */
#include <math.h>
#include <string.h>

#include "optimize/network_pass.h"

#define STEPS_MAX 16

/* One step: an operator with one operand, or with a number on either side of it. */
typedef struct chain_step {
    graph_node_id node;
    graph_value_id x;
    bool number_first;
    double a, b; /* attributes, or the number */
} chain_step;

static bool read_number(const graph *g, graph_value_id v, double *out) {
    const graph_value *value = v == GRAPH_NONE ? NULL : g->values + v;
    float number = 0;
    if (!network_is_constant(value) || value->data_bytes != 4) return false;
    memcpy(&number, value->data, 4);
    *out = number;
    return true;
}

static bool read_clip(const graph *g, const graph_node *n, chain_step *s) {
    s->a = -INFINITY;
    s->b = INFINITY;
    if (n->input_count > 1 && n->inputs[1] != GRAPH_NONE && !read_number(g, n->inputs[1], &s->a))
        return false;
    return n->input_count < 3 || n->inputs[2] == GRAPH_NONE || read_number(g, n->inputs[2], &s->b);
}

static bool read_pair(const graph *g, const graph_node *n, chain_step *s) {
    for (uint32_t i = 0; i < 2 && n->input_count == 2; i++) {
        const graph_value *v = network_input(g, n, i), *x = network_input(g, n, 1 - i);
        if (!read_number(g, n->inputs[i], &s->a) || !x || v->shape.rank > x->shape.rank) continue;
        s->x = n->inputs[1 - i];
        s->number_first = i == 0;
        return true;
    }
    return false;
}

/* Node id as a step; false when it is none. */
static bool read_step(const network_pass *p, graph_node_id id, chain_step *s) {
    const graph *g = p->g;
    const graph_node *n = g->nodes + id;
    if (p->gone[id] || n->input_count < 1 || n->output_count != 1) return false;
    *s = (chain_step){.node = id, .x = n->inputs[0]};
    switch (n->op) {
    case GRAPH_OP_ADD:
    case GRAPH_OP_SUB:
    case GRAPH_OP_MUL:
    case GRAPH_OP_DIV:
    case GRAPH_OP_MAX:
    case GRAPH_OP_MIN:
    case GRAPH_OP_POW:
        if (!read_pair(g, n, s)) return false;
        break;
    case GRAPH_OP_CLIP:
        if (!read_clip(g, n, s)) return false;
        break;
    case GRAPH_OP_GELU: s->a = strcmp(graph_get_string(g, id, "approximate"), "tanh") == 0; break;
    case GRAPH_OP_HARD_SIGMOID: s->b = graph_get_float(g, id, "beta"); /* fall through */
    case GRAPH_OP_LEAKY_RELU:
    case GRAPH_OP_SWISH:
    case GRAPH_OP_ELU: s->a = graph_get_float(g, id, "alpha"); break;
    case GRAPH_OP_ABS:
    case GRAPH_OP_NEG:
    case GRAPH_OP_SQRT:
    case GRAPH_OP_RECIPROCAL:
    case GRAPH_OP_FLOOR:
    case GRAPH_OP_CEIL:
    case GRAPH_OP_ROUND:
    case GRAPH_OP_RELU:
    case GRAPH_OP_HARD_SWISH:
    case GRAPH_OP_EXP:
    case GRAPH_OP_TANH:
    case GRAPH_OP_SIGMOID:
    case GRAPH_OP_ERF:
    case GRAPH_OP_LOG:
    case GRAPH_OP_SOFTPLUS: break;
    default: return false;
    }
    return s->x != GRAPH_NONE && g->values[s->x].element == TENSOR_ELEMENT_F32 &&
           g->values[n->outputs[0]].element == TENSOR_ELEMENT_F32;
}

static ondol_status write_chain(network_pass *p, const chain_step *steps, uint32_t count,
                                ondol_error *err) {
    graph *g = p->g;
    const graph_node_id end = steps[0].node; /* steps are back to front */
    int64_t codes[2 * STEPS_MAX];
    double numbers[2 * STEPS_MAX];
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < count; i++) {
        const chain_step *s = steps + count - 1 - i;
        codes[2 * i] = g->nodes[s->node].op;
        codes[2 * i + 1] = s->number_first;
        numbers[2 * i] = s->a;
        numbers[2 * i + 1] = s->b;
    }
    for (uint32_t i = 1; i < count; i++)
        p->gone[steps[i].node] = true;
    g->nodes[end].op = GRAPH_OP_O_CHAIN;
    g->nodes[end].inputs[0] = steps[count - 1].x;
    g->nodes[end].input_count = 1;
    g->nodes[end].attribute_count = 0;
    TRY(graph_set_ints(g, end, "operators", codes, 2 * count, err));
    TRY(graph_set_floats(g, end, "numbers", numbers, 2 * count, err));
done:
    return status;
}

/* True when the only reader of node id's output is a step too. */
static bool goes_on(const network_pass *p, graph_node_id id) {
    const graph *g = p->g;
    const graph_value_id v = g->nodes[id].outputs[0];
    chain_step s;
    if (v >= p->value_count || p->uses[v] != 1) return false;
    for (graph_node_id n = id + 1; n < g->node_count; n++) {
        for (uint32_t i = 0; i < g->nodes[n].input_count && !p->gone[n]; i++) {
            if (g->nodes[n].inputs[i] == v) return read_step(p, n, &s) && s.x == v;
        }
    }
    return false;
}

ondol_status network_fuse_chain(network_pass *p, graph_node_id id, ondol_error *err) {
    chain_step steps[STEPS_MAX];
    uint32_t count = 0;
    if (!read_step(p, id, steps) || goes_on(p, id)) return ONDOL_OK;
    for (count = 1; count < STEPS_MAX; count++) {
        const graph_node *before = network_producer(p, steps[count - 1].x);
        if (!before || !read_step(p, (graph_node_id)(before - p->g->nodes), steps + count)) break;
    }
    return count > 1 ? write_chain(p, steps, count, err) : ONDOL_OK;
}
