/* Derivatives of elementwise operators. In: a node, its outputs' adjoints. Out: its inputs'. */
#include "models/onnx_gradient.h"

static graph_value_id unary(onnx_gradient *d, graph_op op, graph_value_id a) {
    return upgrade_unary(d->u, op, a);
}

/* number - a, number + a, a * number */
static graph_value_id from_number(onnx_gradient *d, double number, graph_value_id a) {
    return gradient_minus(d, gradient_number(d, number, a), a);
}
static graph_value_id plus_number(onnx_gradient *d, double number, graph_value_id a) {
    return gradient_plus(d, a, gradient_number(d, number, a));
}
static graph_value_id times_number(onnx_gradient *d, graph_value_id a, double number) {
    return gradient_mul(d, a, gradient_number(d, number, a));
}

static graph_value_id square(onnx_gradient *d, graph_value_id a) {
    return gradient_mul(d, a, a);
}

static graph_value_id is_above(onnx_gradient *d, graph_value_id a, double number) {
    return upgrade_binary(d->u, GRAPH_OP_GREATER, a, gradient_number(d, number, a));
}

void gradient_none(onnx_gradient *d, graph_node_id n) {
    (void)d, (void)n;
}

/* dy/dx of y = op(x), as what g is divided by, where that is shorter. */
static graph_value_id divisor_of(onnx_gradient *d, graph_op op, graph_value_id x,
                                 graph_value_id y) {
    switch (op) {
    case GRAPH_OP_LOG: return x;
    case GRAPH_OP_SQRT: return times_number(d, y, 2);
    case GRAPH_OP_ASIN: return unary(d, GRAPH_OP_SQRT, from_number(d, 1, square(d, x)));
    case GRAPH_OP_ACOS:
        return unary(d, GRAPH_OP_NEG, unary(d, GRAPH_OP_SQRT, from_number(d, 1, square(d, x))));
    case GRAPH_OP_ATAN: return plus_number(d, 1, square(d, x));
    case GRAPH_OP_ASINH: return unary(d, GRAPH_OP_SQRT, plus_number(d, 1, square(d, x)));
    case GRAPH_OP_ACOSH: return unary(d, GRAPH_OP_SQRT, plus_number(d, -1, square(d, x)));
    case GRAPH_OP_ATANH: return from_number(d, 1, square(d, x));
    default: return GRAPH_NONE;
    }
}

/* The same as what it is multiplied by. */
static graph_value_id factor_of(onnx_gradient *d, graph_op op, graph_value_id x, graph_value_id y) {
    switch (op) {
    case GRAPH_OP_ABS: return unary(d, GRAPH_OP_SIGN, x);
    case GRAPH_OP_EXP: return y;
    case GRAPH_OP_SIN: return unary(d, GRAPH_OP_COS, x);
    case GRAPH_OP_COS: return unary(d, GRAPH_OP_NEG, unary(d, GRAPH_OP_SIN, x));
    case GRAPH_OP_TAN: return plus_number(d, 1, square(d, y));
    case GRAPH_OP_SINH: return unary(d, GRAPH_OP_COSH, x);
    case GRAPH_OP_COSH: return unary(d, GRAPH_OP_SINH, x);
    case GRAPH_OP_TANH: return from_number(d, 1, square(d, y));
    case GRAPH_OP_SIGMOID: return gradient_mul(d, y, from_number(d, 1, y));
    case GRAPH_OP_SOFTPLUS: return unary(d, GRAPH_OP_SIGMOID, x);
    case GRAPH_OP_RECIPROCAL: return unary(d, GRAPH_OP_NEG, square(d, y));
    default: /* Erf: 2 / sqrt(pi) * exp(-x * x) */
        return times_number(d, unary(d, GRAPH_OP_EXP, unary(d, GRAPH_OP_NEG, square(d, x))),
                            1.1283791670955126);
    }
}

void gradient_unary(onnx_gradient *d, graph_node_id n) {
    const graph_op op = d->g->nodes[n].op;
    const graph_value_id x = gradient_in(d, n, 0), y = gradient_out(d, n, 0);
    const graph_value_id g = gradient_of(d, n, 0);
    if (!gradient_wants(d, n, 0)) return;
    if (op == GRAPH_OP_IDENTITY) {
        gradient_add(d, n, 0, g);
    } else if (op == GRAPH_OP_NEG) {
        gradient_add(d, n, 0, unary(d, GRAPH_OP_NEG, g));
    } else if (op == GRAPH_OP_RELU) {
        gradient_add(d, n, 0, gradient_where(d, is_above(d, x, 0), g, gradient_number(d, 0, g)));
    } else {
        const graph_value_id divisor = divisor_of(d, op, x, y);
        gradient_add(d, n, 0,
                     divisor != GRAPH_NONE ? gradient_div(d, g, divisor)
                                           : gradient_mul(d, g, factor_of(d, op, x, y)));
    }
}

void gradient_add_op(onnx_gradient *d, graph_node_id n) {
    const graph_value_id g = gradient_of(d, n, 0);
    gradient_add_summed(d, n, 0, g);
    gradient_add_summed(d, n, 1, g);
}

void gradient_sub_op(onnx_gradient *d, graph_node_id n) {
    const graph_value_id g = gradient_of(d, n, 0);
    gradient_add_summed(d, n, 0, g);
    if (gradient_wants(d, n, 1)) gradient_add_summed(d, n, 1, unary(d, GRAPH_OP_NEG, g));
}

void gradient_mul_op(onnx_gradient *d, graph_node_id n) {
    const graph_value_id g = gradient_of(d, n, 0);
    for (uint32_t i = 0; i < 2; i++)
        if (gradient_wants(d, n, i))
            gradient_add_summed(d, n, i, gradient_mul(d, g, gradient_in(d, n, 1 - i)));
}

/* y = a / b: g / b, -g * y / b. */
void gradient_div_op(onnx_gradient *d, graph_node_id n) {
    const graph_value_id share = gradient_div(d, gradient_of(d, n, 0), gradient_in(d, n, 1));
    gradient_add_summed(d, n, 0, share);
    if (!gradient_wants(d, n, 1)) return;
    const graph_value_id product = gradient_mul(d, share, gradient_out(d, n, 0));
    gradient_add_summed(d, n, 1, unary(d, GRAPH_OP_NEG, product));
}

/* y = a ^ b: g * b * a ^ (b - 1), 0 where b is; g * y * log(a), 0 where a is. */
void gradient_pow(onnx_gradient *d, graph_node_id n) {
    const graph_value_id a = gradient_in(d, n, 0), given = gradient_in(d, n, 1);
    const graph_value_id g = gradient_of(d, n, 0);
    const graph_value_id b = upgrade_element(d->u, a) == upgrade_element(d->u, given)
                                 ? given
                                 : upgrade_binary(d->u, GRAPH_OP_CAST_LIKE, given, a);
    const graph_value_id zero = gradient_number(d, 0, a);
    if (gradient_wants(d, n, 0)) {
        const graph_value_id less = plus_number(d, -1, b);
        const graph_value_id slope =
            gradient_mul(d, b, upgrade_binary(d->u, GRAPH_OP_POW, a, less));
        const graph_value_id is_flat = upgrade_binary(d->u, GRAPH_OP_EQUAL, b, zero);
        gradient_add_summed(d, n, 0, gradient_mul(d, g, gradient_where(d, is_flat, zero, slope)));
    }
    if (gradient_wants(d, n, 1)) {
        const graph_value_id slope =
            gradient_mul(d, gradient_out(d, n, 0), unary(d, GRAPH_OP_LOG, a));
        const graph_value_id is_zero = upgrade_binary(d->u, GRAPH_OP_EQUAL, a, zero);
        gradient_add_summed(d, n, 1, gradient_mul(d, g, gradient_where(d, is_zero, zero, slope)));
    }
}

void gradient_sum(onnx_gradient *d, graph_node_id n) {
    const graph_value_id g = gradient_of(d, n, 0);
    for (uint32_t i = 0; i < d->g->nodes[n].input_count; i++)
        gradient_add_summed(d, n, i, g);
}

void gradient_mean(onnx_gradient *d, graph_node_id n) {
    const uint32_t count = d->g->nodes[n].input_count;
    const graph_value_id g = times_number(d, gradient_of(d, n, 0), 1.0 / count);
    for (uint32_t i = 0; i < count; i++)
        gradient_add_summed(d, n, i, g);
}

/* Max, Min: to those inputs that are the output, in equal parts. */
void gradient_extreme(onnx_gradient *d, graph_node_id n) {
    const uint32_t count = d->g->nodes[n].input_count;
    const graph_value_id g = gradient_of(d, n, 0), y = gradient_out(d, n, 0);
    const graph_value_id one = gradient_number(d, 1, y), zero = gradient_number(d, 0, y);
    graph_value_id *parts = base_arena_alloc(&d->g->arena, count + 1u, sizeof *parts), all = y;
    if (!parts) {
        upgrade_fail(d->u, ONDOL_E_MEMORY, "no memory for its nodes");
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        const graph_value_id is_it = upgrade_binary(d->u, GRAPH_OP_EQUAL, gradient_in(d, n, i), y);
        parts[i] = gradient_where(d, is_it, one, zero);
        all = i ? gradient_plus(d, all, parts[i]) : parts[i];
    }
    const graph_value_id share = gradient_div(d, g, all);
    for (uint32_t i = 0; i < count; i++)
        if (gradient_wants(d, n, i)) gradient_add_summed(d, n, i, gradient_mul(d, share, parts[i]));
}

/* Within the bounds, them included, x passes; beyond one, that bound does. */
void gradient_clip(onnx_gradient *d, graph_node_id n) {
    const graph_value_id x = gradient_in(d, n, 0), g = gradient_of(d, n, 0);
    const graph_value_id zero = gradient_number(d, 0, g);
    graph_value_id passes = g, above_low = x;
    const graph_value_id low = gradient_in(d, n, 1), high = gradient_in(d, n, 2);
    if (low != GRAPH_NONE) {
        const graph_value_id is_below = upgrade_binary(d->u, GRAPH_OP_LESS, x, low);
        passes = gradient_where(d, is_below, zero, passes);
        if (gradient_wants(d, n, 1))
            gradient_add_summed(d, n, 1, gradient_where(d, is_below, g, zero));
        above_low = upgrade_binary(d->u, GRAPH_OP_MAX, x, low);
    }
    if (high != GRAPH_NONE) { /* the upper bound is applied last */
        const graph_value_id is_above = upgrade_binary(d->u, GRAPH_OP_GREATER, above_low, high);
        passes = gradient_where(d, is_above, zero, passes);
        if (gradient_wants(d, n, 2))
            gradient_add_summed(d, n, 2, gradient_where(d, is_above, g, zero));
    }
    gradient_add(d, n, 0, passes);
}

void gradient_prelu(onnx_gradient *d, graph_node_id n) {
    const graph_value_id x = gradient_in(d, n, 0), slope = gradient_in(d, n, 1);
    const graph_value_id g = gradient_of(d, n, 0);
    const graph_value_id is_low = upgrade_binary(d->u, GRAPH_OP_LESS, x, gradient_number(d, 0, x));
    if (gradient_wants(d, n, 0))
        gradient_add(d, n, 0, gradient_where(d, is_low, gradient_mul(d, g, slope), g));
    if (gradient_wants(d, n, 1))
        gradient_add_summed(
            d, n, 1, gradient_where(d, is_low, gradient_mul(d, g, x), gradient_number(d, 0, g)));
}

void gradient_where_op(onnx_gradient *d, graph_node_id n) {
    const graph_value_id condition = gradient_in(d, n, 0), g = gradient_of(d, n, 0);
    const graph_value_id zero = gradient_number(d, 0, g);
    if (gradient_wants(d, n, 1))
        gradient_add_summed(d, n, 1, gradient_where(d, condition, g, zero));
    if (gradient_wants(d, n, 2))
        gradient_add_summed(d, n, 2, gradient_where(d, condition, zero, g));
}
