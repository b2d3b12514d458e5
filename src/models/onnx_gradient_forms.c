/* Derivatives of operators that others can say. In: a node. Out: nodes of other operators that
 * compute the same, which are differentiated in its stead. */
#include "models/onnx_gradient.h"

static graph_value_id unary(onnx_gradient *d, graph_op op, graph_value_id a) {
    return upgrade_unary(d->u, op, a);
}

static graph_value_id scaled(onnx_gradient *d, graph_value_id a, double factor) {
    return gradient_mul(d, a, gradient_number(d, factor, a));
}

static graph_value_id shifted(onnx_gradient *d, graph_value_id a, double by) {
    return gradient_plus(d, a, gradient_number(d, by, a));
}

static graph_value_id clipped(onnx_gradient *d, graph_value_id a, double low, double high) {
    const graph_value_id inputs[] = {a, gradient_number(d, low, a), gradient_number(d, high, a)};
    return upgrade_finish(d->u, upgrade_node(d->u, GRAPH_OP_CLIP, inputs, 3, 1));
}

/* a where x > 0, else b. */
static graph_value_id by_sign(onnx_gradient *d, graph_value_id x, graph_value_id a,
                              graph_value_id b) {
    return gradient_where(d, upgrade_binary(d->u, GRAPH_OP_GREATER, x, gradient_number(d, 0, x)), a,
                          b);
}

/* exp(x) - 1 where x is at most 0, and elsewhere what has no derivative and is not taken. */
static graph_value_id exp_below(onnx_gradient *d, graph_value_id x) {
    const graph_value_id low = upgrade_binary(d->u, GRAPH_OP_MIN, x, gradient_filled(d, 0, x));
    return shifted(d, unary(d, GRAPH_OP_EXP, low), -1);
}

static graph_value_id gelu(onnx_gradient *d, graph_value_id x, bool by_tanh) {
    graph_value_id inner = GRAPH_NONE;
    if (by_tanh) { /* sqrt(2 / pi) * (x + 0.044715 * x^3) */
        const graph_value_id cube = gradient_mul(d, gradient_mul(d, x, x), x);
        const graph_value_id sum = gradient_plus(d, x, scaled(d, cube, 0.044715));
        inner = unary(d, GRAPH_OP_TANH, scaled(d, sum, 0.7978845608028654));
    } else {
        inner = unary(d, GRAPH_OP_ERF, scaled(d, x, 0.7071067811865476));
    }
    return scaled(d, gradient_mul(d, x, shifted(d, inner, 1)), 0.5);
}

static graph_value_id selu(onnx_gradient *d, graph_node_id n, graph_value_id x) {
    const double alpha = graph_get_float(d->g, n, "alpha"),
                 gamma = graph_get_float(d->g, n, "gamma");
    return scaled(d, by_sign(d, x, x, scaled(d, exp_below(d, x), alpha)), gamma);
}

/* alpha * (exp(x / alpha) - 1) */
static graph_value_id celu(onnx_gradient *d, graph_value_id x, double alpha) {
    const graph_value_id part = exp_below(d, scaled(d, x, 1 / alpha));
    return by_sign(d, x, x, scaled(d, part, alpha));
}

static graph_value_id softsign(onnx_gradient *d, graph_value_id x) {
    return gradient_div(d, x, shifted(d, unary(d, GRAPH_OP_ABS, x), 1));
}

static graph_value_id thresholded(onnx_gradient *d, graph_value_id x, double alpha) {
    const graph_value_id is_above =
        upgrade_binary(d->u, GRAPH_OP_GREATER, x, gradient_number(d, alpha, x));
    return gradient_where(d, is_above, x, gradient_number(d, 0, x));
}

static void activation_form(onnx_gradient *d, graph_node_id n, graph_value_id *outputs) {
    const graph_value_id x = gradient_in(d, n, 0);
    const graph_op op = d->g->nodes[n].op;
    char type = 0;
    const bool has_alpha = graph_op_attribute(graph_op_info_of(op), "alpha", &type) != NULL;
    const double alpha = has_alpha ? graph_get_float(d->g, n, "alpha") : 0;
    switch (op) {
    case GRAPH_OP_CELU: outputs[0] = celu(d, x, alpha); break;
    case GRAPH_OP_ELU: outputs[0] = by_sign(d, x, x, scaled(d, exp_below(d, x), alpha)); break;
    case GRAPH_OP_GELU:
        outputs[0] = gelu(d, x, graph_get_string(d->g, n, "approximate")[0] == 't');
        break;
    case GRAPH_OP_HARD_SIGMOID:
        outputs[0] =
            clipped(d, shifted(d, scaled(d, x, alpha), graph_get_float(d->g, n, "beta")), 0, 1);
        break;
    case GRAPH_OP_HARD_SWISH:
        outputs[0] = gradient_mul(d, x, clipped(d, shifted(d, scaled(d, x, 1.0 / 6), 0.5), 0, 1));
        break;
    case GRAPH_OP_LEAKY_RELU: outputs[0] = by_sign(d, x, x, scaled(d, x, alpha)); break;
    case GRAPH_OP_MISH:
        outputs[0] = gradient_mul(d, x, unary(d, GRAPH_OP_TANH, unary(d, GRAPH_OP_SOFTPLUS, x)));
        break;
    case GRAPH_OP_SELU: outputs[0] = selu(d, n, x); break;
    case GRAPH_OP_SOFTSIGN: outputs[0] = softsign(d, x); break;
    case GRAPH_OP_SWISH:
        outputs[0] = gradient_mul(d, x, unary(d, GRAPH_OP_SIGMOID, scaled(d, x, alpha)));
        break;
    default: outputs[0] = thresholded(d, x, alpha); break;
    }
}

void gradient_of_activation(onnx_gradient *d, graph_node_id n) {
    gradient_by_form(d, n, activation_form);
}

/* ReduceSum with the node's axes and attributes. */
static graph_value_id summed(onnx_gradient *d, graph_node_id n, graph_value_id a) {
    const graph_value_id axes = gradient_in(d, n, 1);
    const graph_value_id inputs[] = {a, axes};
    return gradient_like_node(d, n, GRAPH_OP_REDUCE_SUM, inputs, axes == GRAPH_NONE ? 1 : 2);
}

static void reduction_form(onnx_gradient *d, graph_node_id n, graph_value_id *outputs) {
    const graph_value_id x = gradient_in(d, n, 0);
    switch (d->g->nodes[n].op) {
    case GRAPH_OP_REDUCE_L1: outputs[0] = summed(d, n, unary(d, GRAPH_OP_ABS, x)); break;
    case GRAPH_OP_REDUCE_L2:
        outputs[0] = unary(d, GRAPH_OP_SQRT, summed(d, n, gradient_mul(d, x, x)));
        break;
    case GRAPH_OP_REDUCE_LOG_SUM: outputs[0] = unary(d, GRAPH_OP_LOG, summed(d, n, x)); break;
    case GRAPH_OP_REDUCE_SUM_SQUARE: outputs[0] = summed(d, n, gradient_mul(d, x, x)); break;
    default: { /* the largest of all is taken off, so that no power is infinite */
        const graph_value_id most = unary(d, GRAPH_OP_REDUCE_MAX, x);
        const graph_value_id flat = gradient_reshaped(d, most, gradient_number(d, 0, x));
        const graph_value_id powers = unary(d, GRAPH_OP_EXP, gradient_minus(d, x, flat));
        const graph_value_id sum = unary(d, GRAPH_OP_LOG, summed(d, n, powers));
        outputs[0] = gradient_plus(d, sum, flat);
        break;
    }
    }
}

void gradient_of_reduction(onnx_gradient *d, graph_node_id n) {
    gradient_by_form(d, n, reduction_form);
}

/* ------------------------------------------------------------------------- normalization */

static graph_value_id mean_over(onnx_gradient *d, graph_value_id a, const int64_t *axes,
                                uint32_t count) {
    return upgrade_binary(d->u, GRAPH_OP_REDUCE_MEAN, a, upgrade_ints(d->u, axes, count));
}

/* LayerNormalization, RMSNormalization: from `axis` on. */
static void layer_form(onnx_gradient *d, graph_node_id n, graph_value_id *outputs) {
    const bool centred = d->g->nodes[n].op == GRAPH_OP_LAYER_NORMALIZATION;
    const graph_value_id x = gradient_in(d, n, 0), bias = gradient_in(d, n, 2);
    const uint32_t rank = upgrade_rank(d->u, x);
    const int64_t axis = graph_get_int(d->g, n, "axis");
    int64_t axes[GRAPH_MAX_RANK];
    uint32_t count = 0;
    if (axis >= 0 && rank == GRAPH_RANK_UNKNOWN) {
        gradient_fail(d, n, "its input is of a rank that is not known");
        return;
    }
    for (int64_t i = axis < 0 ? axis : axis - (int64_t)rank; i < 0 && count < GRAPH_MAX_RANK; i++)
        axes[count++] = i;
    const graph_value_id mean = centred ? mean_over(d, x, axes, count) : GRAPH_NONE;
    const graph_value_id off = centred ? gradient_minus(d, x, mean) : x;
    const graph_value_id spread = mean_over(d, gradient_mul(d, off, off), axes, count);
    const graph_value_id root =
        unary(d, GRAPH_OP_SQRT, shifted(d, spread, graph_get_float(d->g, n, "epsilon")));
    outputs[0] = gradient_mul(d, gradient_div(d, off, root), gradient_in(d, n, 1));
    if (centred && bias != GRAPH_NONE) outputs[0] = gradient_plus(d, outputs[0], bias);
    outputs[1] = mean;
    if (gradient_out(d, n, 2) != GRAPH_NONE) outputs[2] = unary(d, GRAPH_OP_RECIPROCAL, root);
}

/* [C] as [C, 1, ...]: to stand beside [N, C, D...]. */
static graph_value_id by_channel(onnx_gradient *d, graph_value_id v, uint32_t rank) {
    int64_t axes[GRAPH_MAX_RANK];
    for (uint32_t i = 2; i < rank; i++)
        axes[i - 2] = i - 1;
    if (rank <= 2) return v;
    return upgrade_binary(d->u, GRAPH_OP_UNSQUEEZE, v, upgrade_ints(d->u, axes, rank - 2));
}

/* BatchNormalization: with the given mean and variance, or (training) those of the batch. */
static void batch_form(onnx_gradient *d, graph_node_id n, graph_value_id *outputs) {
    const graph_value_id x = gradient_in(d, n, 0);
    const uint32_t rank = upgrade_rank(d->u, x);
    int64_t axes[GRAPH_MAX_RANK] = {0};
    if (rank == GRAPH_RANK_UNKNOWN || rank < 2) {
        gradient_fail(d, n, "its input is of a rank that is not known");
        return;
    }
    for (uint32_t i = 1; i + 1 < rank; i++)
        axes[i] = i + 1;
    graph_value_id mean = by_channel(d, gradient_in(d, n, 3), rank);
    graph_value_id spread = by_channel(d, gradient_in(d, n, 4), rank);
    if (graph_get_int(d->g, n, "training_mode")) {
        if (gradient_of(d, n, 1) != GRAPH_NONE || gradient_of(d, n, 2) != GRAPH_NONE) {
            gradient_fail(d, n, "the derivative of its running mean is not known");
            return;
        }
        mean = mean_over(d, x, axes, rank - 1);
        const graph_value_id off = gradient_minus(d, x, mean);
        spread = mean_over(d, gradient_mul(d, off, off), axes, rank - 1);
    }
    const graph_value_id root =
        unary(d, GRAPH_OP_SQRT, shifted(d, spread, graph_get_float(d->g, n, "epsilon")));
    const graph_value_id unit = gradient_div(d, gradient_minus(d, x, mean), root);
    outputs[0] = gradient_plus(d, gradient_mul(d, unit, by_channel(d, gradient_in(d, n, 1), rank)),
                               by_channel(d, gradient_in(d, n, 2), rank));
}

void gradient_of_norm(onnx_gradient *d, graph_node_id n) {
    gradient_by_form(d, n,
                     d->g->nodes[n].op == GRAPH_OP_BATCH_NORMALIZATION ? batch_form : layer_form);
}

static void global_pool_form(onnx_gradient *d, graph_node_id n, graph_value_id *outputs) {
    const uint32_t rank = upgrade_rank(d->u, gradient_in(d, n, 0));
    int64_t axes[GRAPH_MAX_RANK];
    if (rank == GRAPH_RANK_UNKNOWN || rank < 3) {
        gradient_fail(d, n, "its input is of a rank that is not known");
        return;
    }
    for (uint32_t i = 2; i < rank; i++)
        axes[i - 2] = i;
    outputs[0] = mean_over(d, gradient_in(d, n, 0), axes, rank - 2);
}

void gradient_of_pool(onnx_gradient *d, graph_node_id n) {
    gradient_by_form(d, n, global_pool_form);
}

/* -------------------------------------------------------------------------------- losses */

/* The loss of log_prob [N, C, D...] and the node's labels [N, D...]: minus what stands at the
 * label, times the label's weight. */
static graph_value_id likelihood(onnx_gradient *d, graph_node_id n, graph_value_id log_prob) {
    onnx_upgrade *u = d->u;
    const graph_value_id labels = gradient_in(d, n, 1), weights = gradient_in(d, n, 2);
    const graph_attribute *ignore = graph_get_attribute(d->g, n, "ignore_index");
    const char how = graph_get_string(d->g, n, "reduction")[0];
    const int64_t one = 1;
    const graph_value_id axis = upgrade_ints(u, &one, 1);
    const graph_value_id none = gradient_number(d, 0, labels),
                         zero = gradient_number(d, 0, log_prob);
    const graph_value_id is_ignored =
        ignore ? upgrade_binary(
                     u, GRAPH_OP_EQUAL, labels,
                     upgrade_binary(u, GRAPH_OP_CAST_LIKE, upgrade_integer(u, ignore->i), labels))
               : GRAPH_NONE;
    const graph_value_id at = ignore ? gradient_where(d, is_ignored, none, labels) : labels;
    const graph_value_id inputs[] = {log_prob, upgrade_binary(u, GRAPH_OP_UNSQUEEZE, at, axis)};
    const graph_node_id pick = upgrade_node(u, GRAPH_OP_GATHER_ELEMENTS, inputs, 2, 1);
    upgrade_set_int(u, pick, "axis", 1);
    graph_value_id loss = upgrade_binary(u, GRAPH_OP_SQUEEZE, upgrade_finish(u, pick), axis);
    loss = unary(d, GRAPH_OP_NEG, loss);
    graph_value_id share = weights != GRAPH_NONE ? upgrade_binary(u, GRAPH_OP_GATHER, weights, at)
                                                 : gradient_filled(d, 1, loss);
    if (ignore) share = gradient_where(d, is_ignored, zero, share);
    loss = gradient_mul(d, loss, share);
    if (how == 'n') return loss;
    const int64_t keep = 0;
    const graph_node_id sum = upgrade_node(u, GRAPH_OP_REDUCE_SUM, &loss, 1, 1);
    upgrade_set_int(u, sum, "keepdims", keep);
    loss = upgrade_finish(u, sum);
    if (how == 's') return loss;
    const graph_node_id all = upgrade_node(u, GRAPH_OP_REDUCE_SUM, &share, 1, 1);
    upgrade_set_int(u, all, "keepdims", keep);
    return gradient_div(d, loss, upgrade_finish(u, all));
}

static void loss_form(onnx_gradient *d, graph_node_id n, graph_value_id *outputs) {
    graph_value_id log_prob = gradient_in(d, n, 0);
    if (d->g->nodes[n].op == GRAPH_OP_SOFTMAX_CROSS_ENTROPY_LOSS) {
        const graph_node_id soft = upgrade_node(d->u, GRAPH_OP_LOG_SOFTMAX, &log_prob, 1, 1);
        upgrade_set_int(d->u, soft, "axis", 1);
        log_prob = upgrade_finish(d->u, soft);
        outputs[1] = log_prob;
    }
    if (d->u->status == ONDOL_OK) outputs[0] = likelihood(d, n, log_prob);
}

void gradient_of_loss(onnx_gradient *d, graph_node_id n) {
    gradient_by_form(d, n, loss_form);
}
