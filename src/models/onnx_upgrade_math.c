/* Upgrade rules: arithmetic whose meaning changed: broadcasting before version 7, softmax of a
 * matrix before 13, norms with a fractional p. In: a node of an old version. Out: newest nodes. */
#include <math.h>

#include "models/onnx_upgrade.h"

static graph_op newest(onnx_upgrade *u) {
    graph_op op = GRAPH_OP_IDENTITY;
    if (!graph_op_find(u->row->domain, u->row->name, &op)) {
        upgrade_fail(u, ONDOL_E_INTERNAL, "there is no newest version");
    }
    return op;
}

/* i64 [1]: how many dimensions of 1 bring the dimensions of b, which begin at `axis` of a, in line
 * with the last of a. */
static graph_value_id missing_ones(onnx_upgrade *u, graph_value_id a, graph_value_id b,
                                   int64_t axis) {
    const uint32_t rank_a = upgrade_rank(u, a), rank_b = upgrade_rank(u, b);
    if (rank_a != GRAPH_RANK_UNKNOWN && rank_b != GRAPH_RANK_UNKNOWN) {
        const int64_t first = axis < 0 ? axis + (int64_t)rank_a : axis;
        const int64_t count = (int64_t)rank_a - first - (int64_t)rank_b;
        return upgrade_ints(u, &count, 1);
    }
    graph_value_id left = upgrade_ints(u, &(int64_t){-axis}, 1); /* axis from behind */
    if (axis >= 0) {
        left = upgrade_binary(u, GRAPH_OP_SUB, upgrade_rank_value(u, a), upgrade_ints(u, &axis, 1));
    }
    return upgrade_binary(u, GRAPH_OP_SUB, left, upgrade_rank_value(u, b));
}

/* b's dimensions are a run of a's from `axis` on; without it the last, as they are today. */
void upgrade_broadcast(onnx_upgrade *u) {
    const graph_attribute *axis = upgrade_attribute(u, "axis");
    const graph_value_id a = upgrade_input(u, 0);
    graph_value_id b = upgrade_input(u, 1);
    /* -1 is how the first exporters wrote "the last ones". */
    if (upgrade_int(u, "broadcast") && axis && axis->i != -1) {
        b = upgrade_append_ones(u, b, missing_ones(u, a, b, axis->i));
    }
    upgrade_give(u, 0, upgrade_binary(u, newest(u), a, b));
}

/* The attribute broadcast allowed what is always so today. */
void upgrade_gemm(onnx_upgrade *u) {
    upgrade_as(u, GRAPH_OP_GEMM);
}

/* One slope for each channel, which is the second dimension. */
void upgrade_prelu(onnx_upgrade *u) {
    const graph_value_id x = upgrade_input(u, 0);
    const uint32_t rank = upgrade_rank(u, x);
    const int64_t flat = -1, zero = 0, two = 2;
    graph_value_id slope = upgrade_input(u, 1), count;
    if (upgrade_rank(u, slope) != 1) slope = upgrade_reshape(u, slope, upgrade_ints(u, &flat, 1));
    if (rank != GRAPH_RANK_UNKNOWN) {
        count = upgrade_ints(u, &(int64_t){rank > 2 ? (int64_t)rank - 2 : 0}, 1);
    } else {
        count = upgrade_binary(u, GRAPH_OP_SUB, upgrade_rank_value(u, x), upgrade_ints(u, &two, 1));
        count = upgrade_binary(u, GRAPH_OP_MAX, count, upgrade_ints(u, &zero, 1));
    }
    slope = upgrade_append_ones(u, slope, count);
    upgrade_give(u, 0, upgrade_binary(u, GRAPH_OP_PRELU, x, slope));
}

/* Softmax, LogSoftmax, Hardmax of the matrix whose rows are all dimensions from axis on. */
void upgrade_coerced(onnx_upgrade *u) {
    const graph_value_id x = upgrade_input(u, 0);
    const uint32_t rank = upgrade_rank(u, x);
    const int64_t axis = upgrade_int(u, "axis");
    const bool last = axis == -1 || (rank != GRAPH_RANK_UNKNOWN && axis == (int64_t)rank - 1);
    graph_value_id y = x;
    if (!last) {
        const graph_node_id n = upgrade_node(u, GRAPH_OP_FLATTEN, &x, 1, 1);
        upgrade_set_int(u, n, "axis", axis);
        y = upgrade_finish(u, n);
    }
    const graph_node_id n = upgrade_node(u, newest(u), &y, 1, 1);
    upgrade_set_int(u, n, "axis", -1);
    y = upgrade_finish(u, n);
    if (!last) y = upgrade_reshape(u, y, upgrade_shape(u, x));
    upgrade_give(u, 0, y);
}

static graph_value_id power(onnx_upgrade *u, graph_value_id x, double p) {
    return upgrade_binary(u, GRAPH_OP_POW, x, upgrade_number_like(u, p, x));
}

static bool is_whole(double p) {
    return p >= 1 && p <= 1 << 20 && floor(p) == p;
}

/* p could be a fraction: (sum |x|^p)^(1/p) over the dimensions behind the second. */
void upgrade_global_lp_pool(onnx_upgrade *u) {
    const double p = upgrade_float(u, "p");
    const graph_value_id x = upgrade_input(u, 0);
    if (is_whole(p)) {
        const graph_node_id n = upgrade_node(u, GRAPH_OP_GLOBAL_LP_POOL, &x, 1, 1);
        upgrade_set_int(u, n, "p", (int64_t)p);
        upgrade_give(u, 0, upgrade_finish(u, n));
        return;
    }
    const graph_value_id scalar = upgrade_ints(u, NULL, 0);
    const graph_value_id range[] = {upgrade_integer(u, 2),
                                    upgrade_reshape(u, upgrade_rank_value(u, x), scalar),
                                    upgrade_integer(u, 1)};
    const graph_value_id axes = upgrade_finish(u, upgrade_node(u, GRAPH_OP_RANGE, range, 3, 1));
    const graph_value_id raised = power(u, upgrade_unary(u, GRAPH_OP_ABS, x), p);
    const graph_value_id sum = upgrade_binary(u, GRAPH_OP_REDUCE_SUM, raised, axes);
    upgrade_give(u, 0, power(u, sum, 1 / p));
}

static void copy_window(onnx_upgrade *u, graph_node_id n) {
    static const char *const kept[] = {"auto_pad", "kernel_shape", "pads", "strides"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        upgrade_move_attribute(u, n, kept[i], kept[i]);
}

/* p could be a fraction: the mean over whole windows, padding counted, times their size is the sum.
 */
void upgrade_lp_pool(onnx_upgrade *u) {
    const double p = upgrade_float(u, "p");
    const graph_value_id x = upgrade_input(u, 0);
    const graph_attribute *kernel = upgrade_attribute(u, "kernel_shape");
    if (!kernel) {
        upgrade_fail(u, ONDOL_E_FORMAT, "attribute 'kernel_shape' is missing");
        return;
    }
    if (is_whole(p)) {
        const graph_node_id n = upgrade_node(u, GRAPH_OP_LP_POOL, &x, 1, 1);
        copy_window(u, n);
        upgrade_set_int(u, n, "p", (int64_t)p);
        upgrade_give(u, 0, upgrade_finish(u, n));
        return;
    }
    double size = 1;
    for (uint32_t i = 0; i < kernel->int_count; i++)
        size *= (double)kernel->ints[i];
    const graph_value_id raised = power(u, upgrade_unary(u, GRAPH_OP_ABS, x), p);
    const graph_node_id n = upgrade_node(u, GRAPH_OP_AVERAGE_POOL, &raised, 1, 1);
    copy_window(u, n);
    upgrade_set_int(u, n, "count_include_pad", 1);
    const graph_value_id mean = upgrade_finish(u, n);
    const graph_value_id sum =
        upgrade_binary(u, GRAPH_OP_MUL, mean, upgrade_number_like(u, size, x));
    upgrade_give(u, 0, power(u, sum, 1 / p));
}

/* Negative indices were out of range, as those from depth on are. */
void upgrade_one_hot(onnx_upgrade *u) {
    const graph_value_id indices = upgrade_cast(u, upgrade_input(u, 0), TENSOR_ELEMENT_I64);
    const graph_value_id scalar = upgrade_ints(u, NULL, 0);
    const graph_value_id depth =
        upgrade_cast(u, upgrade_reshape(u, upgrade_input(u, 1), scalar), TENSOR_ELEMENT_I64);
    const graph_value_id negative =
        upgrade_binary(u, GRAPH_OP_LESS, indices, upgrade_integer(u, 0));
    const graph_value_id choice[] = {negative, depth, indices};
    const graph_value_id inputs[] = {
        upgrade_finish(u, upgrade_node(u, GRAPH_OP_WHERE, choice, 3, 1)), depth,
        upgrade_input(u, 2)};
    const graph_node_id n = upgrade_node(u, GRAPH_OP_ONE_HOT, inputs, 3, 1);
    upgrade_copy_attributes(u, n);
    upgrade_give(u, 0, upgrade_finish(u, n));
}
