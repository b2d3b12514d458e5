/* MatMul and Add of a bias. In: an Add. Out: Linear. */
#include "optimize/network_pass.h"

static bool is_weight(const graph_value *v) {
    return v && v->kind == GRAPH_VALUE_INITIALIZER && v->data && v->encoding == GRAPH_PLAIN &&
           (v->element == TENSOR_ELEMENT_F32 || v->element == TENSOR_ELEMENT_F16 ||
            v->element == TENSOR_ELEMENT_BF16);
}

/* MatMul(x, W) + bias, W [K, N] and bias [N] constant. */
ondol_status network_fuse_linear(network_pass *p, graph_node_id id, ondol_error *err) {
    graph *g = p->g;
    for (uint32_t i = 0; i < 2 && g->nodes[id].input_count == 2; i++) {
        graph_node *matmul = network_producer(p, g->nodes[id].inputs[i]);
        const graph_value *bias = network_input(g, g->nodes + id, 1 - i);
        if (!matmul || matmul->op != GRAPH_OP_MATMUL || !network_is_constant(bias)) continue;
        const graph_value *x = network_input(g, matmul, 0), *w = network_input(g, matmul, 1);
        if (!is_weight(w) || w->shape.rank != 2 || bias->shape.rank != 1 ||
            bias->shape.dims[0] != w->shape.dims[1] || w->shape.dims[0] < 1 ||
            w->shape.dims[1] < 1 || x->element != TENSOR_ELEMENT_F32) {
            continue;
        }
        graph_value_id *inputs = base_arena_alloc(&g->arena, 3, sizeof *inputs);
        if (!inputs) return base_no_memory(err, "graph", 3 * sizeof *inputs);
        inputs[0] = matmul->inputs[0];
        inputs[1] = matmul->inputs[1];
        inputs[2] = g->nodes[id].inputs[1 - i];
        matmul->op = GRAPH_OP_O_LINEAR;
        matmul->inputs = inputs;
        matmul->input_count = 3;
        network_take_over(p, matmul, id);
        return ONDOL_OK;
    }
    return ONDOL_OK;
}
