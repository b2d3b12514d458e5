/* Operators along one axis: ArgMax, ArgMin, CumSum, CumProd, Softmax, LogSoftmax, Hardmax,
 * LpNormalization. In: a tensor. Out: along the axis, each line by itself. */
#include <inttypes.h>
#include <math.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_reduce.h"
#include "device/ref/ops/ref_softmax.h"

/* Input 0 and its attribute `axis`. */
static ondol_status begin(plan_call *c, unsigned classes, tensor_value **x, uint32_t *axis,
                          ondol_error *err) {
    ondol_status status = ref_input(c, 0, classes, x, err);
    if (status != ONDOL_OK) return status;
    return plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), (*x)->rank, axis, err);
}

/* Position of element k of line (o, i). */
static uint64_t position(const ref_split *s, uint64_t o, uint64_t k, uint64_t i) {
    return (o * s->axis + k) * s->inner + i;
}

/* ArgMax, ArgMin. */
ondol_status ref_arg_best(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    uint32_t axis = 0;
    bool is_reduced[TENSOR_MAX_RANK] = {false};
    ref_reduction r;
    ondol_status status = ONDOL_OK;
    const bool is_max = c->g->nodes[c->node].op == GRAPH_OP_ARG_MAX;
    const bool is_last = graph_get_int(c->g, c->node, "select_last_index") != 0;
    TRY(begin(c, REF_CLASS_NUMBER, &x, &axis, err));
    is_reduced[axis] = true;
    ref_reduction_begin(x, is_reduced, graph_get_int(c->g, c->node, "keepdims") != 0, &r);
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_I64, r.rank, r.dims, &y, err));
    if (x->dims[axis] == 0 && y->elems != 0) {
        return plan_call_fail(c, err, "axis %" PRIu32 " has no elements to choose from", axis);
    }
    const ref_split s = ref_split_at(x, axis);
    for (uint64_t line = 0; line < y->elems; line++) {
        const uint64_t o = line / s.inner, i = line % s.inner;
        ref_best best = {0};
        for (uint64_t k = 0; k < s.axis; k++)
            ref_best_take(&best, x, position(&s, o, k, i), is_max, is_last);
        ((int64_t *)y->data)[line] = (int64_t)(best.at / s.inner % s.axis);
    }
done:
    return status;
}

typedef struct cumulation {
    const tensor_value *x;
    tensor_value *y;
    ref_split s;
    bool is_product, is_exclusive, is_reverse;
} cumulation;

static void cumulate_numbers(const cumulation *u, uint64_t o, uint64_t i) {
    const tensor_element e = u->x->element;
    double total = u->is_product ? 1 : 0;
    for (uint64_t k = 0; k < u->s.axis; k++) {
        const uint64_t at = position(&u->s, o, u->is_reverse ? u->s.axis - 1 - k : k, i);
        const double v = tensor_get_number(e, u->x->data, at), before = total;
        total = u->is_product ? total * v : total + v;
        tensor_set_number(e, u->y->data, at, u->is_exclusive ? before : total);
    }
}

static void cumulate_integers(const cumulation *u, uint64_t o, uint64_t i) {
    const tensor_element e = u->x->element;
    uint64_t total = u->is_product ? 1 : 0;
    for (uint64_t k = 0; k < u->s.axis; k++) {
        const uint64_t at = position(&u->s, o, u->is_reverse ? u->s.axis - 1 - k : k, i);
        const uint64_t v = (uint64_t)tensor_get_integer(e, u->x->data, at), before = total;
        total = u->is_product ? total * v : total + v;
        tensor_set_integer(e, u->y->data, at, (int64_t)(u->is_exclusive ? before : total));
    }
}

/* CumSum, CumProd: axis is input 1, a scalar. */
ondol_status ref_cumulate(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL;
    int64_t given = 0;
    uint32_t axis = 0;
    cumulation u = {0};
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_NUMBER, &x, err));
    TRY(ref_input(c, 1, REF_CLASS_INTEGER, &u.y, err));
    TRY(ref_scalar_integer(c, 1, 0, &given, err));
    TRY(plan_call_axis(c, given, x->rank, &axis, err));
    u.x = x;
    u.s = ref_split_at(x, axis);
    u.is_product = c->g->nodes[c->node].op == GRAPH_OP_CUM_PROD;
    u.is_exclusive = graph_get_int(c->g, c->node, "exclusive") != 0;
    u.is_reverse = graph_get_int(c->g, c->node, "reverse") != 0;
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &u.y, err));
    for (uint64_t line = 0; x->elems && line < u.s.outer * u.s.inner; line++) {
        if (tensor_element_kind_of(x->element) == TENSOR_KIND_FLOAT)
            cumulate_numbers(&u, line / u.s.inner, line % u.s.inner);
        else
            cumulate_integers(&u, line / u.s.inner, line % u.s.inner);
    }
done:
    return status;
}

/* A line of floats of x and of y. Element k is at first + k * step. */
typedef struct line {
    const tensor_value *x;
    tensor_value *y;
    uint64_t first, step, count;
    double *work; /* [count] */
} line;

static double get(const line *l, uint64_t k) {
    return tensor_get_number(l->x->element, l->x->data, l->first + k * l->step);
}
static void set(const line *l, uint64_t k, double v) {
    tensor_set_number(l->y->element, l->y->data, l->first + k * l->step, v);
}

static void log_softmax(const line *l) {
    double largest = -INFINITY, sum = 0;
    for (uint64_t k = 0; k < l->count; k++) {
        const double v = get(l, k);
        if (v > largest || isnan(v)) largest = v;
    }
    for (uint64_t k = 0; k < l->count; k++)
        sum += exp(get(l, k) - largest);
    for (uint64_t k = 0; k < l->count; k++)
        set(l, k, get(l, k) - largest - log(sum));
}

static void softmax(const line *l) {
    for (uint64_t k = 0; k < l->count; k++)
        l->work[k] = get(l, k);
    ref_softmax_line(l->x->element, l->work, l->count);
    for (uint64_t k = 0; k < l->count; k++)
        set(l, k, l->work[k]);
}

/* 1 at the first of the greatest. */
static void hardmax(const line *l) {
    ref_best best = {0};
    for (uint64_t k = 0; k < l->count; k++)
        ref_best_take(&best, l->x, l->first + k * l->step, true, false);
    for (uint64_t k = 0; k < l->count; k++)
        set(l, k, l->first + k * l->step == best.at ? 1 : 0);
}

/* x / norm; a norm of 0 gives 0. */
static void normalize(const line *l, int64_t p) {
    double sum = 0;
    for (uint64_t k = 0; k < l->count; k++) {
        const double v = get(l, k);
        sum += p == 1 ? fabs(v) : v * v;
    }
    const double norm = p == 1 ? sum : sqrt(sum);
    for (uint64_t k = 0; k < l->count; k++)
        set(l, k, norm == 0 ? 0 : get(l, k) / norm);
}

/* Softmax, LogSoftmax, Hardmax, LpNormalization: floats. */
ondol_status ref_along_axis(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    uint32_t axis = 0;
    void *work = NULL;
    ondol_status status = ONDOL_OK;
    const graph_op op = c->g->nodes[c->node].op;
    const int64_t p = op == GRAPH_OP_LP_NORMALIZATION ? graph_get_int(c->g, c->node, "p") : 1;
    if (p != 1 && p != 2) return plan_call_fail(c, err, "p is %" PRId64 ", expected 1 or 2", p);
    TRY(begin(c, REF_CLASS_FLOAT, &x, &axis, err));
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err));
    const ref_split s = ref_split_at(x, axis);
    TRY(ref_alloc(c, x->elems ? s.axis : 0, sizeof(double), "a line of numbers", &work, err));
    for (uint64_t n = 0; x->elems && n < s.outer * s.inner; n++) {
        const line l = {x, y, position(&s, n / s.inner, 0, n % s.inner), s.inner, s.axis, work};
        switch (op) {
        case GRAPH_OP_SOFTMAX: softmax(&l); break;
        case GRAPH_OP_LOG_SOFTMAX: log_softmax(&l); break;
        case GRAPH_OP_HARDMAX: hardmax(&l); break;
        default: normalize(&l, p); break;
        }
    }
done:
    tensor_heap_free(c->heap, work);
    return status;
}
