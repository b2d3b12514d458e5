/* Derivatives of products, reductions and softmax. In: a node, its outputs' adjoints. Out: its
 * inputs'. */
#include "models/onnx_gradient.h"

/* a with its last two dimensions exchanged; rank >= 2. */
static graph_value_id exchanged(onnx_gradient *d, graph_value_id a, uint32_t rank) {
    int64_t order[GRAPH_MAX_RANK];
    const graph_node_id n = upgrade_node(d->u, GRAPH_OP_TRANSPOSE, &a, 1, 1);
    for (uint32_t i = 0; i < rank; i++)
        order[i] = i;
    order[rank - 1] = rank - 2;
    order[rank - 2] = rank - 1;
    if (d->u->status == ONDOL_OK)
        d->u->status = graph_set_ints(d->g, n, "perm", order, rank, d->u->err);
    return upgrade_finish(d->u, n);
}

static graph_value_id with_axis(onnx_gradient *d, graph_op op, graph_value_id a, int64_t axis) {
    return upgrade_binary(d->u, op, a, upgrade_ints(d->u, &axis, 1));
}

/* Vectors become matrices of one row (the first) or column (the second). */
void gradient_matmul(onnx_gradient *d, graph_node_id n) {
    onnx_upgrade *u = d->u;
    graph_value_id a = gradient_in(d, n, 0), b = gradient_in(d, n, 1), g = gradient_of(d, n, 0);
    uint32_t rank_a = upgrade_rank(u, a), rank_b = upgrade_rank(u, b);
    if (rank_a == GRAPH_RANK_UNKNOWN || rank_b == GRAPH_RANK_UNKNOWN || !rank_a || !rank_b) {
        gradient_fail(d, n, "its inputs are of a rank that is not known");
        return;
    }
    const bool row = rank_a == 1, column = rank_b == 1;
    if (row) a = with_axis(d, GRAPH_OP_UNSQUEEZE, a, 0);
    if (column) b = with_axis(d, GRAPH_OP_UNSQUEEZE, b, 1);
    if (column) g = with_axis(d, GRAPH_OP_UNSQUEEZE, g, -1);
    if (row) g = with_axis(d, GRAPH_OP_UNSQUEEZE, g, -2);
    if (row) rank_a = 2;
    if (column) rank_b = 2;
    if (gradient_wants(d, n, 0)) {
        graph_value_id v = upgrade_binary(u, GRAPH_OP_MATMUL, g, exchanged(d, b, rank_b));
        if (row) v = with_axis(d, GRAPH_OP_SQUEEZE, v, -2);
        gradient_add_summed(d, n, 0, v);
    }
    if (gradient_wants(d, n, 1)) {
        graph_value_id v = upgrade_binary(u, GRAPH_OP_MATMUL, exchanged(d, a, rank_a), g);
        if (column) v = with_axis(d, GRAPH_OP_SQUEEZE, v, -1);
        gradient_add_summed(d, n, 1, v);
    }
}

/* alpha * a' * b', each transposed where asked for. */
static graph_value_id product(onnx_gradient *d, graph_value_id a, graph_value_id b, bool trans_a,
                              bool trans_b, double alpha) {
    const graph_value_id inputs[] = {a, b};
    const graph_node_id n = upgrade_node(d->u, GRAPH_OP_GEMM, inputs, 2, 1);
    upgrade_set_int(d->u, n, "transA", trans_a);
    upgrade_set_int(d->u, n, "transB", trans_b);
    upgrade_set_float(d->u, n, "alpha", alpha);
    return upgrade_finish(d->u, n);
}

void gradient_gemm(onnx_gradient *d, graph_node_id n) {
    const graph_value_id a = gradient_in(d, n, 0), b = gradient_in(d, n, 1);
    const graph_value_id g = gradient_of(d, n, 0);
    const double alpha = graph_get_float(d->g, n, "alpha"), beta = graph_get_float(d->g, n, "beta");
    const bool trans_a = graph_get_int(d->g, n, "transA") != 0;
    const bool trans_b = graph_get_int(d->g, n, "transB") != 0;
    if (gradient_wants(d, n, 0))
        gradient_add(d, n, 0,
                     trans_a ? product(d, b, g, trans_b, true, alpha)
                             : product(d, g, b, false, !trans_b, alpha));
    if (gradient_wants(d, n, 1))
        gradient_add(d, n, 1,
                     trans_b ? product(d, g, a, true, trans_a, alpha)
                             : product(d, a, g, !trans_a, false, alpha));
    if (gradient_wants(d, n, 2))
        gradient_add_summed(d, n, 2, gradient_mul(d, g, gradient_number(d, beta, g)));
}

/* v, of the shape of a reduction's output, with the dimensions that it reduced as ones. */
static graph_value_id with_reduced(onnx_gradient *d, graph_node_id n, graph_value_id v) {
    const graph_value_id axes = gradient_in(d, n, 1);
    if (graph_get_int(d->g, n, "keepdims") || axes == GRAPH_NONE) return v;
    return upgrade_binary(d->u, GRAPH_OP_UNSQUEEZE, v, axes);
}

/* That repeated to the shape of the reduction's input. */
static graph_value_id repeated(onnx_gradient *d, graph_node_id n, graph_value_id v) {
    return upgrade_binary(d->u, GRAPH_OP_EXPAND, with_reduced(d, n, v),
                          upgrade_shape(d->u, gradient_in(d, n, 0)));
}

/* How many elements became one: of the input over those of the output, 1 where there are none. */
static graph_value_id reduced_count(onnx_gradient *d, graph_node_id n) {
    onnx_upgrade *u = d->u;
    const graph_value_id y = gradient_out(d, n, 0), one = upgrade_integer(u, 1);
    const graph_value_id of_x = upgrade_unary(u, GRAPH_OP_SIZE, gradient_in(d, n, 0));
    const graph_value_id of_y =
        upgrade_binary(u, GRAPH_OP_MAX, upgrade_unary(u, GRAPH_OP_SIZE, y), one);
    const graph_value_id count = upgrade_binary(u, GRAPH_OP_MAX, gradient_div(d, of_x, of_y), one);
    return upgrade_binary(u, GRAPH_OP_CAST_LIKE, count, y);
}

/* ReduceSum, ReduceMean. */
void gradient_reduce(onnx_gradient *d, graph_node_id n) {
    graph_value_id g = gradient_of(d, n, 0);
    if (!gradient_wants(d, n, 0)) return;
    if (d->g->nodes[n].op == GRAPH_OP_REDUCE_MEAN) g = gradient_div(d, g, reduced_count(d, n));
    gradient_add(d, n, 0, repeated(d, n, g));
}

/* ReduceMax, ReduceMin: to those elements that are the output, in equal parts. */
void gradient_reduce_extreme(onnx_gradient *d, graph_node_id n) {
    const graph_value_id x = gradient_in(d, n, 0), axes = gradient_in(d, n, 1);
    if (!gradient_wants(d, n, 0)) return;
    const graph_value_id y = repeated(d, n, gradient_out(d, n, 0));
    const graph_value_id is_it = upgrade_binary(d->u, GRAPH_OP_EQUAL, x, y);
    const graph_value_id part =
        gradient_where(d, is_it, gradient_number(d, 1, x), gradient_number(d, 0, x));
    const graph_value_id inputs[] = {part, axes};
    const graph_value_id all =
        gradient_like_node(d, n, GRAPH_OP_REDUCE_SUM, inputs, axes == GRAPH_NONE ? 1 : 2);
    const graph_value_id share = gradient_div(d, gradient_of(d, n, 0), all);
    gradient_add(d, n, 0, gradient_mul(d, repeated(d, n, share), part));
}

/* Softmax: y * (g - sum(g * y)). LogSoftmax: g - exp(y) * sum(g). */
void gradient_softmax(onnx_gradient *d, graph_node_id n) {
    const graph_value_id y = gradient_out(d, n, 0), g = gradient_of(d, n, 0);
    const int64_t axis = graph_get_int(d->g, n, "axis");
    if (!gradient_wants(d, n, 0)) return;
    if (d->g->nodes[n].op == GRAPH_OP_SOFTMAX) {
        const graph_value_id sum = gradient_sum_over(d, gradient_mul(d, g, y), &axis, 1);
        gradient_add(d, n, 0, gradient_mul(d, y, gradient_minus(d, g, sum)));
        return;
    }
    const graph_value_id shares = upgrade_unary(d->u, GRAPH_OP_EXP, y);
    const graph_value_id sum = gradient_sum_over(d, g, &axis, 1);
    gradient_add(d, n, 0, gradient_minus(d, g, gradient_mul(d, shares, sum)));
}
