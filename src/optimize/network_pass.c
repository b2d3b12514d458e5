/* What passes over networks share. In: a graph. Out: who makes and reads what. */
#include "optimize/network_pass.h"

#include <math.h>
#include <string.h>

ondol_status network_pass_begin(network_pass *p, ondol_error *err) {
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

void network_pass_drop(network_pass *p) {
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

void network_pass_end(network_pass *p) {
    base_free(p->g->allocator, p->uses);
    base_free(p->g->allocator, p->gone);
}

const graph_value *network_input(const graph *g, const graph_node *n, uint32_t i) {
    return i < n->input_count && n->inputs[i] != GRAPH_NONE ? g->values + n->inputs[i] : NULL;
}

bool network_is_constant(const graph_value *v) {
    return v && v->kind == GRAPH_VALUE_INITIALIZER && v->data && v->encoding == GRAPH_PLAIN &&
           v->element == TENSOR_ELEMENT_F32;
}

/* The node that makes v, when v is made for one reader alone. */
graph_node *network_producer(const network_pass *p, graph_value_id v) {
    if (v == GRAPH_NONE || v >= p->value_count || p->uses[v] != 1) return NULL;
    const graph_node_id id = p->g->values[v].producer;
    return id == GRAPH_NONE || p->gone[id] ? NULL : p->g->nodes + id;
}

bool network_is_number(const graph_value *v, float number) {
    float have = 0;
    if (!network_is_constant(v) || v->data_bytes != sizeof have) return false;
    memcpy(&have, v->data, sizeof have);
    return have == number;
}

/* The other input of a commutative node, when one of both is that number. */
bool network_other(const graph *g, const graph_node *n, float number, graph_value_id *out) {
    for (uint32_t i = 0; i < 2; i++) {
        if (!network_is_number(network_input(g, n, i), number)) continue;
        *out = n->inputs[1 - i];
        return *out != GRAPH_NONE;
    }
    return false;
}

bool network_is_near(const graph_value *v, double number) {
    float have = 0;
    if (!network_is_constant(v) || v->data_bytes != sizeof have) return false;
    memcpy(&have, v->data, sizeof have);
    return fabs(have - number) <= 1e-6 * number;
}

/* The input of a Mul beside a constant near that number. */
bool network_scaled(const network_pass *p, const graph_node *n, double number,
                    graph_value_id *out) {
    for (uint32_t i = 0; n && n->op == GRAPH_OP_MUL && i < 2; i++) {
        if (!network_is_near(network_input(p->g, n, i), number)) continue;
        *out = n->inputs[1 - i];
        return true;
    }
    return false;
}

/* The output of `from` is from now on made by `to`, whose own one nobody reads. */
void network_take_over(network_pass *p, graph_node *to, graph_node_id from) {
    graph *g = p->g;
    to->outputs[0] = g->nodes[from].outputs[0];
    g->values[to->outputs[0]].producer = (graph_node_id)(to - g->nodes);
    p->gone[from] = true;
}

bool network_keeps_rank(const graph *g, graph_node_id id, graph_value_id x) {
    const uint32_t rank = g->values[x].shape.rank;
    return rank != GRAPH_RANK_UNKNOWN && g->values[g->nodes[id].outputs[0]].shape.rank == rank;
}
