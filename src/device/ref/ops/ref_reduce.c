/* Reductions over axes: Reduce*. In: a tensor, axes. Out: one of the same type. Floats in double,
 * rounded once; integers modulo 2^64, cut to the type. */
#include "device/ref/ops/ref_reduce.h"

#include <inttypes.h>
#include <math.h>

#include "device/ref/ops/ref_kernels.h"

/* Empty axes mean all of them, or none where noop_with_empty_axes is set. */
static ondol_status read_axes(const plan_call *c, uint32_t rank, bool *is_reduced,
                              ondol_error *err) {
    uint32_t count = 0;
    ondol_status status = ref_listed_axes(c, 1, rank, is_reduced, &count, err);
    if (status != ONDOL_OK || count != 0) return status;
    const bool all = graph_get_int(c->g, c->node, "noop_with_empty_axes") == 0;
    for (uint32_t i = 0; i < rank; i++)
        is_reduced[i] = all;
    return ONDOL_OK;
}

void ref_reduction_begin(const tensor_value *x, const bool *is_reduced, bool keep_dims,
                         ref_reduction *r) {
    int64_t strides[TENSOR_MAX_RANK];
    *r = (ref_reduction){0};
    ref_strides(x->rank, x->dims, strides);
    for (uint32_t i = 0; i < x->rank; i++) {
        if (is_reduced[i]) {
            r->reduced_dims[r->reduced_rank] = x->dims[i];
            r->reduced_strides[r->reduced_rank++] = strides[i];
        } else {
            r->kept_dims[r->kept_rank] = x->dims[i];
            r->kept_strides[r->kept_rank++] = strides[i];
        }
        if (is_reduced[i] && !keep_dims) continue;
        r->dims[r->rank++] = is_reduced[i] ? 1 : x->dims[i];
    }
}

void ref_reduction_outer(const ref_reduction *r, ref_walk *w) {
    ref_walk_begin(w, r->kept_rank, r->kept_dims);
    ref_walk_add_strided(w, r->kept_strides, 0);
}

void ref_reduction_inner(const ref_reduction *r, const ref_walk *outer, ref_walk *w) {
    ref_walk_begin(w, r->reduced_rank, r->reduced_dims);
    ref_walk_add_strided(w, r->reduced_strides, outer->at[0]);
}

/* Of floats. Each takes the elements of x at w.at[0]. */
typedef double (*float_reduction)(const tensor_value *x, ref_walk w);

static double number(const tensor_value *x, const ref_walk *w) {
    return tensor_get_number(x->element, x->data, (uint64_t)w->at[0]);
}

static double float_sum(const tensor_value *x, ref_walk w) {
    double sum = 0;
    for (; w.left; ref_walk_next(&w))
        sum += number(x, &w);
    return sum;
}
static double float_mean(const tensor_value *x, ref_walk w) {
    return float_sum(x, w) / (double)w.left;
}
static double float_prod(const tensor_value *x, ref_walk w) {
    double product = 1;
    for (; w.left; ref_walk_next(&w))
        product *= number(x, &w);
    return product;
}
static double float_l1(const tensor_value *x, ref_walk w) {
    double sum = 0;
    for (; w.left; ref_walk_next(&w))
        sum += fabs(number(x, &w));
    return sum;
}
static double float_sum_square(const tensor_value *x, ref_walk w) {
    double sum = 0;
    for (; w.left; ref_walk_next(&w))
        sum += number(x, &w) * number(x, &w);
    return sum;
}
static double float_l2(const tensor_value *x, ref_walk w) {
    return sqrt(float_sum_square(x, w));
}
static double float_log_sum(const tensor_value *x, ref_walk w) {
    return log(float_sum(x, w));
}

/* The largest is taken out of the exponents; -infinity of nothing, infinity and NaN as they are. */
static double float_log_sum_exp(const tensor_value *x, ref_walk w) {
    double largest = -INFINITY, sum = 0;
    for (ref_walk v = w; v.left; ref_walk_next(&v)) {
        const double e = number(x, &v);
        if (e > largest || isnan(e)) largest = e;
        if (isnan(e)) break;
    }
    if (isinf(largest) || isnan(largest)) return largest;
    for (; w.left; ref_walk_next(&w))
        sum += exp(number(x, &w) - largest);
    return largest + log(sum);
}

/* Of integers. */
typedef uint64_t (*integer_reduction)(const tensor_value *x, ref_walk w);

static uint64_t integer(const tensor_value *x, const ref_walk *w) {
    return (uint64_t)tensor_get_integer(x->element, x->data, (uint64_t)w->at[0]);
}

static uint64_t integer_sum(const tensor_value *x, ref_walk w) {
    uint64_t sum = 0;
    for (; w.left; ref_walk_next(&w))
        sum += integer(x, &w);
    return sum;
}
/* Cut towards zero; there is at least one element. */
static uint64_t integer_mean(const tensor_value *x, ref_walk w) {
    const uint64_t sum = integer_sum(x, w);
    if (tensor_element_kind_of(x->element) != TENSOR_KIND_SIGNED) return sum / w.left;
    return (uint64_t)((int64_t)sum / (int64_t)w.left);
}
static uint64_t integer_prod(const tensor_value *x, ref_walk w) {
    uint64_t product = 1;
    for (; w.left; ref_walk_next(&w))
        product *= integer(x, &w);
    return product;
}
static uint64_t integer_l1(const tensor_value *x, ref_walk w) {
    const bool is_signed = tensor_element_kind_of(x->element) == TENSOR_KIND_SIGNED;
    uint64_t sum = 0;
    for (; w.left; ref_walk_next(&w)) {
        const uint64_t v = integer(x, &w);
        sum += is_signed && (int64_t)v < 0 ? 0 - v : v;
    }
    return sum;
}
static uint64_t integer_sum_square(const tensor_value *x, ref_walk w) {
    uint64_t sum = 0;
    for (; w.left; ref_walk_next(&w))
        sum += integer(x, &w) * integer(x, &w);
    return sum;
}
/* The whole part of the root: bit by bit. */
static uint64_t integer_l2(const tensor_value *x, ref_walk w) {
    const uint64_t square = integer_sum_square(x, w);
    uint64_t root = 0;
    for (uint64_t bit = (uint64_t)1 << 31; bit; bit >>= 1) {
        const uint64_t tried = root | bit;
        if (tried * tried <= square) root = tried;
    }
    return root;
}

typedef struct reduce_row {
    graph_op op;
    float_reduction of_floats;
    integer_reduction of_integers; /* NULL: floats alone */
} reduce_row;

static const reduce_row ROWS[] = {
    {GRAPH_OP_REDUCE_SUM, float_sum, integer_sum},
    {GRAPH_OP_REDUCE_MEAN, float_mean, integer_mean},
    {GRAPH_OP_REDUCE_PROD, float_prod, integer_prod},
    {GRAPH_OP_REDUCE_L1, float_l1, integer_l1},
    {GRAPH_OP_REDUCE_L2, float_l2, integer_l2},
    {GRAPH_OP_REDUCE_SUM_SQUARE, float_sum_square, integer_sum_square},
    {GRAPH_OP_REDUCE_LOG_SUM, float_log_sum, NULL},
    {GRAPH_OP_REDUCE_LOG_SUM_EXP, float_log_sum_exp, NULL},
};

static ondol_status begin(plan_call *c, unsigned classes, tensor_value **x, ref_reduction *r,
                          tensor_value **y, ondol_error *err) {
    bool is_reduced[TENSOR_MAX_RANK];
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, classes, x, err));
    TRY(read_axes(c, (*x)->rank, is_reduced, err));
    ref_reduction_begin(*x, is_reduced, graph_get_int(c->g, c->node, "keepdims") != 0, r);
    TRY(plan_call_output(c, 0, (*x)->element, r->rank, r->dims, y, err));
done:
    return status;
}

/* All of ROWS. */
ondol_status ref_reduce(plan_call *c, ondol_error *err) {
    const reduce_row *row = ROWS;
    tensor_value *x = NULL, *y = NULL;
    ref_reduction r;
    ref_walk outer, inner;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        if (ROWS[i].op == c->g->nodes[c->node].op) row = ROWS + i;
    }
    const unsigned classes = row->of_integers ? REF_CLASS_NUMBER : REF_CLASS_FLOAT;
    ondol_status status = begin(c, classes, &x, &r, &y, err);
    if (status != ONDOL_OK) return status;
    const bool is_float = tensor_element_kind_of(x->element) == TENSOR_KIND_FLOAT;
    ref_reduction_outer(&r, &outer);
    for (uint64_t i = 0; outer.left; ref_walk_next(&outer), i++) {
        ref_reduction_inner(&r, &outer, &inner);
        if (is_float) {
            tensor_set_number(y->element, y->data, i, row->of_floats(x, inner));
        } else if (row->of_integers == integer_mean && inner.left == 0) {
            return plan_call_fail(c, err, "the mean of no integers");
        } else {
            tensor_set_integer(y->element, y->data, i, (int64_t)row->of_integers(x, inner));
        }
    }
    return ONDOL_OK;
}

/* What is least (greatest) of a type: the result over nothing. */
static void set_limit(tensor_value *y, uint64_t i, bool is_least) {
    const unsigned bits = tensor_element_bits(y->element);
    const uint64_t top = bits ? (uint64_t)1 << (bits - 1) : 0;
    switch (ref_class_of(y->element)) {
    case REF_CLASS_FLOAT:
        tensor_set_number(y->element, y->data, i, is_least ? -INFINITY : INFINITY);
        break;
    case REF_CLASS_SIGNED:
        tensor_set_integer(y->element, y->data, i, (int64_t)(is_least ? 0 - top : top - 1));
        break;
    default: tensor_set_integer(y->element, y->data, i, is_least ? 0 : -1); break;
    }
}

/* ReduceMax, ReduceMin: exact for every type, bool too; NaN wins. */
ondol_status ref_reduce_best(plan_call *c, ondol_error *err) {
    const bool is_max = c->g->nodes[c->node].op == GRAPH_OP_REDUCE_MAX;
    tensor_value *x = NULL, *y = NULL;
    ref_reduction r;
    ref_walk outer, inner;
    ondol_status status = begin(c, REF_CLASS_NUMBER | REF_CLASS_BOOL, &x, &r, &y, err);
    if (status != ONDOL_OK) return status;
    ref_reduction_outer(&r, &outer);
    for (uint64_t i = 0; outer.left; ref_walk_next(&outer), i++) {
        ref_best best = {0};
        ref_reduction_inner(&r, &outer, &inner);
        if (inner.left == 0) set_limit(y, i, is_max);
        for (; inner.left; ref_walk_next(&inner))
            ref_best_take(&best, x, (uint64_t)inner.at[0], is_max, false);
        if (best.is_set) ref_copy_element(y, i, x, best.at, NULL);
    }
    return ONDOL_OK;
}

void ref_best_take(ref_best *b, const tensor_value *x, uint64_t at, bool is_max, bool is_last) {
    const uint64_t key = ref_order_key(x->element, x->data, at);
    const bool is_float = tensor_element_kind_of(x->element) == TENSOR_KIND_FLOAT;
    /* NaN comes before all others, of the greatest and of the least. */
    const uint64_t rank = is_max ? key : is_float && key == REF_ORDER_NAN ? key : ~key;
    if (b->is_set && (is_last ? rank < b->rank : rank <= b->rank)) return;
    *b = (ref_best){true, rank, at};
}
