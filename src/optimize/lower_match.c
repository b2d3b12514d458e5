/* Patterns. In: a value of a portable graph. Out: whether it is made in the way that is asked. */
#include "optimize/lower_match.h"

#include <string.h>

graph_node_id match_producer(const graph *g, graph_value_id v, graph_op op) {
    if (v == GRAPH_NONE) return GRAPH_NONE;
    graph_node_id n = g->values[v].producer;
    return n != GRAPH_NONE && g->nodes[n].op == op ? n : GRAPH_NONE;
}

bool match_scalar(const graph *g, graph_value_id v, double *out) {
    if (v == GRAPH_NONE) return false;
    const graph_value *value = g->values + v;
    uint64_t elements = 0;
    if (!value->data || !graph_shape_elements(&value->shape, &elements) || elements != 1) {
        return false;
    }
    if (value->element == TENSOR_ELEMENT_F32 && value->data_bytes == 4) {
        float f;
        memcpy(&f, value->data, 4);
        *out = (double)f;
        return true;
    }
    if (value->element == TENSOR_ELEMENT_F64 && value->data_bytes == 8) {
        memcpy(out, value->data, 8);
        return true;
    }
    return false;
}

/* The one input of the node of that operator that makes v, or GRAPH_NONE. */
static graph_value_id through(const graph *g, graph_value_id v, graph_op op) {
    graph_node_id n = match_producer(g, v, op);
    return n == GRAPH_NONE ? GRAPH_NONE : g->nodes[n].inputs[0];
}

static bool is_frequencies(const graph *g, graph_value_id v) {
    const graph_value *value = g->values + v;
    return value->data && value->element == TENSOR_ELEMENT_F64 && value->shape.rank == 1;
}

static bool match_frequencies(const graph *g, graph_value_id v, match_rotary *out) {
    if (is_frequencies(g, v)) {
        out->frequencies[0] = v;
        out->regimes = 1;
        return true;
    }
    graph_node_id where = match_producer(g, v, GRAPH_OP_WHERE);
    if (where == GRAPH_NONE) return false;
    const graph_value_id *in = g->nodes[where].inputs;
    graph_node_id greater = match_producer(g, in[0], GRAPH_OP_GREATER);
    if (greater == GRAPH_NONE || !is_frequencies(g, in[1]) || !is_frequencies(g, in[2])) {
        return false;
    }
    const graph_value *length = g->values + g->nodes[greater].inputs[0];
    const graph_value *limit = g->values + g->nodes[greater].inputs[1];
    if (length->kind != GRAPH_VALUE_INPUT || !limit->data || limit->data_bytes < 4 ||
        limit->element != TENSOR_ELEMENT_I32) {
        return false;
    }
    int32_t threshold;
    memcpy(&threshold, limit->data, 4);
    if (threshold < 1) return false;
    out->threshold = (uint64_t)threshold;
    out->frequencies[0] = in[2];
    out->frequencies[1] = in[1];
    out->regimes = 2;
    return true;
}

bool match_rotary_table(const graph *g, graph_value_id v, graph_op trig, match_rotary *out) {
    *out = (match_rotary){.magnitude = 1};
    v = through(g, v, GRAPH_OP_CAST);
    graph_node_id scaled = match_producer(g, v, GRAPH_OP_MUL);
    if (scaled != GRAPH_NONE) {
        if (!match_scalar(g, g->nodes[scaled].inputs[1], &out->magnitude)) return false;
        v = g->nodes[scaled].inputs[0];
    }
    graph_node_id angle = match_producer(g, through(g, v, trig), GRAPH_OP_MUL);
    if (angle == GRAPH_NONE) return false;
    graph_value_id positions = through(g, g->nodes[angle].inputs[0], GRAPH_OP_UNSQUEEZE);
    out->positions = through(g, positions, GRAPH_OP_CAST);
    if (out->positions == GRAPH_NONE) return false;
    if (g->values[out->positions].kind != GRAPH_VALUE_INPUT) return false;
    return match_frequencies(g, g->nodes[angle].inputs[1], out);
}

void match_count_uses(const graph *g, uint32_t *uses) {
    memset(uses, 0, g->value_count * sizeof *uses);
    for (uint32_t n = 0; n < g->node_count; n++) {
        for (uint32_t i = 0; i < g->nodes[n].input_count; i++) {
            if (g->nodes[n].inputs[i] != GRAPH_NONE) uses[g->nodes[n].inputs[i]]++;
        }
    }
    for (uint32_t i = 0; i < g->output_count; i++)
        uses[g->outputs[i]]++;
}
