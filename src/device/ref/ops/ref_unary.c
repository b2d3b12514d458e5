/* Elementwise operators of one input. In: a tensor of floats. Out: one of the same type and shape,
 * computed in double and rounded once. Of integers: ref_unary_integer.c. */
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"
#include "device/ref/ops/ref_unary.h"

/* a, b: the operator's attributes. */
typedef double (*unary_function)(double x, double a, double b);

typedef struct unary_row {
    graph_op op;
    unary_function function;
    const char *a, *b; /* names of float attributes; NULL: none */
} unary_row;

/* max and min that keep NaN. */
static double at_least(double x, double least) {
    return x < least ? least : x;
}
static double at_most(double x, double most) {
    return x > most ? most : x;
}

double ref_gelu_of(double x) {
    return 0.5 * x * (1 + erf(x * 0.70710678118654752440));
}
double ref_gelu_tanh_of(double x) {
    return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
}
static double sigmoid(double x) {
    return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x));
}
static double swish(double x, double alpha) {
    return x * sigmoid(alpha * x);
}
static double softplus(double x) {
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

#define UNARY(name, value)                                                                         \
    static double name(double x, double a, double b) {                                             \
        (void)a;                                                                                   \
        (void)b;                                                                                   \
        return value;                                                                              \
    }
UNARY(unary_abs, fabs(x))
UNARY(unary_acos, acos(x))
UNARY(unary_acosh, acosh(x))
UNARY(unary_asin, asin(x))
UNARY(unary_asinh, asinh(x))
UNARY(unary_atan, atan(x))
UNARY(unary_atanh, atanh(x))
UNARY(unary_ceil, ceil(x))
UNARY(unary_celu, at_least(x, 0) + at_most(a * expm1(x / a), 0))
UNARY(unary_cos, cos(x))
UNARY(unary_cosh, cosh(x))
UNARY(unary_elu, x < 0 ? a * expm1(x) : x)
UNARY(unary_erf, erf(x))
UNARY(unary_exp, exp(x))
UNARY(unary_floor, floor(x))
UNARY(unary_gelu, ref_gelu_of(x))
UNARY(unary_gelu_tanh, ref_gelu_tanh_of(x))
UNARY(unary_hard_sigmoid, at_least(at_most(a *x + b, 1), 0))
UNARY(unary_hard_swish, x *at_least(at_most(x / 6 + 0.5, 1), 0))
UNARY(unary_leaky_relu, x < 0 ? a * x : x)
UNARY(unary_log, log(x))
UNARY(unary_mish, tanh(softplus(x)) * x)
UNARY(unary_neg, -x)
UNARY(unary_reciprocal, 1 / x)
UNARY(unary_relu, at_least(x, 0))
UNARY(unary_round, rint(x))
UNARY(unary_selu, x > 0 ? b * x : b * a * expm1(x))
UNARY(unary_shrink, x<-b ? x + a : x> b ? x - a : 0)
UNARY(unary_sigmoid, sigmoid(x))
UNARY(unary_sign, x > 0 ? 1 : x < 0 ? -1 : x)
UNARY(unary_sin, sin(x))
UNARY(unary_sinh, sinh(x))
UNARY(unary_softplus, softplus(x))
UNARY(unary_softsign, isinf(x) ? copysign(1, x) : x / (1 + fabs(x)))
UNARY(unary_sqrt, sqrt(x))
UNARY(unary_swish, swish(x, a))
UNARY(unary_tan, tan(x))
UNARY(unary_tanh, tanh(x))
UNARY(unary_thresholded_relu, x > a ? x : 0)

static const unary_row ROWS[] = {
    {GRAPH_OP_ABS, unary_abs, NULL, NULL},
    {GRAPH_OP_ACOS, unary_acos, NULL, NULL},
    {GRAPH_OP_ACOSH, unary_acosh, NULL, NULL},
    {GRAPH_OP_ASIN, unary_asin, NULL, NULL},
    {GRAPH_OP_ASINH, unary_asinh, NULL, NULL},
    {GRAPH_OP_ATAN, unary_atan, NULL, NULL},
    {GRAPH_OP_ATANH, unary_atanh, NULL, NULL},
    {GRAPH_OP_CEIL, unary_ceil, NULL, NULL},
    {GRAPH_OP_CELU, unary_celu, "alpha", NULL},
    {GRAPH_OP_COS, unary_cos, NULL, NULL},
    {GRAPH_OP_COSH, unary_cosh, NULL, NULL},
    {GRAPH_OP_ELU, unary_elu, "alpha", NULL},
    {GRAPH_OP_ERF, unary_erf, NULL, NULL},
    {GRAPH_OP_EXP, unary_exp, NULL, NULL},
    {GRAPH_OP_FLOOR, unary_floor, NULL, NULL},
    {GRAPH_OP_HARD_SIGMOID, unary_hard_sigmoid, "alpha", "beta"},
    {GRAPH_OP_HARD_SWISH, unary_hard_swish, NULL, NULL},
    {GRAPH_OP_LEAKY_RELU, unary_leaky_relu, "alpha", NULL},
    {GRAPH_OP_LOG, unary_log, NULL, NULL},
    {GRAPH_OP_MISH, unary_mish, NULL, NULL},
    {GRAPH_OP_MS_GELU, unary_gelu, NULL, NULL},
    {GRAPH_OP_MS_QUICK_GELU, unary_swish, "alpha", NULL},
    {GRAPH_OP_NEG, unary_neg, NULL, NULL},
    {GRAPH_OP_RECIPROCAL, unary_reciprocal, NULL, NULL},
    {GRAPH_OP_RELU, unary_relu, NULL, NULL},
    {GRAPH_OP_ROUND, unary_round, NULL, NULL},
    {GRAPH_OP_SELU, unary_selu, "alpha", "gamma"},
    {GRAPH_OP_SHRINK, unary_shrink, "bias", "lambd"},
    {GRAPH_OP_SIGMOID, unary_sigmoid, NULL, NULL},
    {GRAPH_OP_SIGN, unary_sign, NULL, NULL},
    {GRAPH_OP_SIN, unary_sin, NULL, NULL},
    {GRAPH_OP_SINH, unary_sinh, NULL, NULL},
    {GRAPH_OP_SOFTPLUS, unary_softplus, NULL, NULL},
    {GRAPH_OP_SOFTSIGN, unary_softsign, NULL, NULL},
    {GRAPH_OP_SQRT, unary_sqrt, NULL, NULL},
    {GRAPH_OP_SWISH, unary_swish, "alpha", NULL},
    {GRAPH_OP_TAN, unary_tan, NULL, NULL},
    {GRAPH_OP_TANH, unary_tanh, NULL, NULL},
    {GRAPH_OP_THRESHOLDED_RELU, unary_thresholded_relu, "alpha", NULL},
};

static ondol_status of_floats(plan_call *c, const tensor_value *x, unary_function function,
                              double a, double b, ondol_error *err) {
    tensor_value *y = NULL;
    double numbers[REF_CHUNK];
    ondol_status status = plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err);
    if (status != ONDOL_OK) return status;
    for (uint64_t first = 0; first < x->elems; first += REF_CHUNK) {
        const uint64_t left = x->elems - first, count = left < REF_CHUNK ? left : REF_CHUNK;
        ref_load_numbers(x, first, count, numbers);
        for (uint64_t i = 0; i < count; i++)
            numbers[i] = function(numbers[i], a, b);
        ref_store_numbers(y, first, count, numbers);
    }
    return ONDOL_OK;
}

ondol_status ref_unary(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL;
    const graph_op op = c->g->nodes[c->node].op;
    ondol_status status = ref_input(c, 0, REF_CLASS_NUMBER, &x, err);
    if (status != ONDOL_OK) return status;
    if (tensor_element_kind_of(x->element) != TENSOR_KIND_FLOAT)
        return ref_unary_integer(c, x, err);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        const unary_row *row = ROWS + i;
        if (row->op != op) continue;
        const double a = row->a ? graph_get_float(c->g, c->node, row->a) : 0;
        const double b = row->b ? graph_get_float(c->g, c->node, row->b) : 0;
        return of_floats(c, x, row->function, a, b, err);
    }
    return base_fail(err, ONDOL_E_INTERNAL, "ref_unary has no row for this operator");
}

ondol_status ref_gelu(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL;
    const char *approximate = graph_get_string(c->g, c->node, "approximate");
    ondol_status status = ref_input(c, 0, REF_CLASS_FLOAT, &x, err);
    if (status != ONDOL_OK) return status;
    if (strcmp(approximate, "tanh") == 0) return of_floats(c, x, unary_gelu_tanh, 0, 0, err);
    if (strcmp(approximate, "none") == 0) return of_floats(c, x, unary_gelu, 0, 0, err);
    return plan_call_fail(c, err, "approximate is '%s', expected none or tanh", approximate);
}

/* IsNaN, IsInf. Y: bool. */
ondol_status ref_is_special(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    const bool is_nan = c->g->nodes[c->node].op == GRAPH_OP_IS_NAN;
    const bool negative = !is_nan && graph_get_int(c->g, c->node, "detect_negative") != 0;
    const bool positive = !is_nan && graph_get_int(c->g, c->node, "detect_positive") != 0;
    TRY(ref_input(c, 0, REF_CLASS_FLOAT, &x, err));
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_BOOL, x->rank, x->dims, &y, err));
    for (uint64_t i = 0; i < x->elems; i++) {
        const double v = tensor_get_number(x->element, x->data, i);
        const bool is_wanted = v < 0 ? negative : positive;
        const bool holds = is_nan ? isnan(v) : isinf(v) && is_wanted;
        ((uint8_t *)y->data)[i] = holds;
    }
done:
    return status;
}
