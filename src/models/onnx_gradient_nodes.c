/* What the rules of derivatives are written with. In: values. Out: nodes. */
#include "models/onnx_gradient.h"

graph_value_id gradient_mul(onnx_gradient *d, graph_value_id a, graph_value_id b) {
    return upgrade_binary(d->u, GRAPH_OP_MUL, a, b);
}

graph_value_id gradient_div(onnx_gradient *d, graph_value_id a, graph_value_id b) {
    return upgrade_binary(d->u, GRAPH_OP_DIV, a, b);
}

graph_value_id gradient_plus(onnx_gradient *d, graph_value_id a, graph_value_id b) {
    return upgrade_binary(d->u, GRAPH_OP_ADD, a, b);
}

graph_value_id gradient_minus(onnx_gradient *d, graph_value_id a, graph_value_id b) {
    return upgrade_binary(d->u, GRAPH_OP_SUB, a, b);
}

graph_value_id gradient_where(onnx_gradient *d, graph_value_id condition, graph_value_id a,
                              graph_value_id b) {
    const graph_value_id inputs[] = {condition, a, b};
    return upgrade_finish(d->u, upgrade_node(d->u, GRAPH_OP_WHERE, inputs, 3, 1));
}

graph_value_id gradient_number(onnx_gradient *d, double v, graph_value_id like) {
    if (d->u->status != ONDOL_OK) return GRAPH_NONE;
    return upgrade_number_like(d->u, v, like);
}

graph_value_id gradient_filled(onnx_gradient *d, double v, graph_value_id like) {
    return upgrade_binary(d->u, GRAPH_OP_EXPAND, gradient_number(d, v, like),
                          upgrade_shape(d->u, like));
}

graph_value_id gradient_reshaped(onnx_gradient *d, graph_value_id a, graph_value_id like) {
    return upgrade_reshape(d->u, a, upgrade_shape(d->u, like));
}

graph_value_id gradient_sum_over(onnx_gradient *d, graph_value_id a, const int64_t *axes,
                                 uint32_t count) {
    return upgrade_binary(d->u, GRAPH_OP_REDUCE_SUM, a, upgrade_ints(d->u, axes, count));
}

graph_value_id gradient_like_node(onnx_gradient *d, graph_node_id n, graph_op op,
                                  const graph_value_id *inputs, uint32_t count) {
    onnx_upgrade *u = d->u;
    const graph_node_id made = upgrade_node(u, op, inputs, count, 1);
    for (uint32_t i = 0; u->status == ONDOL_OK && i < d->g->nodes[n].attribute_count; i++) {
        const graph_attribute *a = d->g->nodes[n].attributes + i;
        char type = 0;
        if (!graph_op_attribute(graph_op_info_of(op), a->name, &type)) continue;
        u->status = graph_set_attribute(d->g, made, a, u->err);
    }
    return upgrade_finish(u, made);
}
