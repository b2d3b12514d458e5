/* ComplexMul, ComplexMulConj, BiasSoftmax, CDist, Inverse, IsAllFinite. In: numbers. Out: numbers,
 * computed in double and rounded once. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms.h"

/* Pairs [..., 2] of real and imaginary parts; both broadcast in front of the last dimension. */
ondol_status ref_ms_complex_mul(plan_call *c, ondol_error *err) {
    const bool conjugates = c->g->nodes[c->node].op == GRAPH_OP_MS_COMPLEX_MUL_CONJ;
    tensor_value *in[2] = {NULL}, *y = NULL;
    int64_t dims[TENSOR_MAX_RANK];
    uint32_t rank = 0;
    ref_walk w;
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < 2; i++) {
        TRY(ref_float_input(c, i, in + i, err));
        if (in[i]->rank < 1 || in[i]->dims[in[i]->rank - 1] != 2) {
            return plan_call_fail(c, err, "input %" PRIu32 " has no pairs last", i);
        }
    }
    TRY(ref_broadcast(c, in, 2, &rank, dims, err));
    TRY(plan_call_output(c, 0, in[0]->element, rank, dims, &y, err));
    ref_walk_begin(&w, rank - 1, dims);
    for (int i = 0; i < 2; i++)
        ref_walk_add(&w, in[i]->rank - 1, in[i]->dims);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        double a[2], b[2], v[2];
        ref_load_numbers(in[0], 2 * (uint64_t)w.at[0], 2, a);
        ref_load_numbers(in[1], 2 * (uint64_t)w.at[1], 2, b);
        if (conjugates) b[1] = -b[1];
        v[0] = a[0] * b[0] - a[1] * b[1];
        v[1] = a[0] * b[1] + a[1] * b[0];
        ref_store_numbers(y, 2 * i, 2, v);
    }
done:
    return status;
}

/* ------------------------------------------------------------------------------- BiasSoftmax */

static void softmax(double *x, uint64_t n) {
    double most = -INFINITY, sum = 0;
    for (uint64_t i = 0; i < n; i++)
        if (x[i] > most) most = x[i];
    for (uint64_t i = 0; i < n; i++)
        sum += x[i] = exp(x[i] - most);
    for (uint64_t i = 0; i < n; i++)
        x[i] /= sum;
}

/* Softmax of data + bias over all dimensions from the axis on. The bias has those dimensions; in
 * front of them it lacks some (1), at the end or at the beginning as the attribute says. */
ondol_status ref_ms_bias_softmax(plan_call *c, ondol_error *err) {
    const bool is_inner = graph_get_int(c->g, c->node, "is_inner_broadcast") != 0;
    tensor_value *x = NULL, *bias = NULL, *y = NULL;
    double *row = NULL, *added = NULL;
    uint32_t axis = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, &x, err));
    TRY(ref_float_input(c, 1, &bias, err));
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), x->rank, &axis, err));
    const ref_split s = ref_split_at(x, axis);
    const uint64_t width = s.axis * s.inner;
    if (width &&
        (bias->elems % width != 0 || bias->elems == 0 || s.outer % (bias->elems / width) != 0)) {
        char a[REF_SHAPE_TEXT_BYTES], b[REF_SHAPE_TEXT_BYTES];
        return plan_call_fail(c, err, "a bias of shape %s for data of shape %s",
                              ref_shape_text(bias->rank, bias->dims, b),
                              ref_shape_text(x->rank, x->dims, a));
    }
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err));
    TRY(ref_ms_doubles(c, width, "a row", &row, err));
    TRY(ref_ms_doubles(c, width, "a row", &added, err));
    const uint64_t lines = width ? bias->elems / width : 1;
    for (uint64_t i = 0; i < s.outer && width; i++) {
        const uint64_t line = is_inner ? i / (s.outer / lines) : i % lines;
        ref_load_numbers(x, i * width, width, row);
        ref_load_numbers(bias, line * width, width, added);
        for (uint64_t k = 0; k < width; k++)
            row[k] += added[k];
        softmax(row, width);
        ref_store_numbers(y, i * width, width, row);
    }
done:
    tensor_heap_free(c->heap, row);
    tensor_heap_free(c->heap, added);
    return status;
}

/* ------------------------------------------------------------------------------------- CDist */

typedef double (*distance_function)(const double *a, const double *b, uint64_t n);

static double squared(const double *a, const double *b, uint64_t n) {
    double sum = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

static double euclidean(const double *a, const double *b, uint64_t n) {
    return sqrt(squared(a, b, n));
}

static double cityblock(const double *a, const double *b, uint64_t n) {
    double sum = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += fabs(a[i] - b[i]);
    return sum;
}

static double chebyshev(const double *a, const double *b, uint64_t n) {
    double most = 0;
    for (uint64_t i = 0; i < n; i++)
        most = fmax(most, fabs(a[i] - b[i]));
    return most;
}

static double canberra(const double *a, const double *b, uint64_t n) {
    double sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        const double size = fabs(a[i]) + fabs(b[i]);
        if (size > 0) sum += fabs(a[i] - b[i]) / size;
    }
    return sum;
}

static double braycurtis(const double *a, const double *b, uint64_t n) {
    double sum = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += fabs(a[i] + b[i]);
    return cityblock(a, b, n) / sum;
}

/* 1 - cos of the angle between a and b, each less its middle. */
static double angle(const double *a, const double *b, uint64_t n, double a_middle,
                    double b_middle) {
    double both = 0, aa = 0, bb = 0;
    for (uint64_t i = 0; i < n; i++) {
        both += (a[i] - a_middle) * (b[i] - b_middle);
        aa += (a[i] - a_middle) * (a[i] - a_middle);
        bb += (b[i] - b_middle) * (b[i] - b_middle);
    }
    return 1 - both / sqrt(aa * bb);
}

static double cosine(const double *a, const double *b, uint64_t n) {
    return angle(a, b, n, 0, 0);
}

static double correlation(const double *a, const double *b, uint64_t n) {
    double a_sum = 0, b_sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        a_sum += a[i];
        b_sum += b[i];
    }
    return angle(a, b, n, a_sum / (double)n, b_sum / (double)n);
}

static double hamming(const double *a, const double *b, uint64_t n) {
    uint64_t differ = 0;
    for (uint64_t i = 0; i < n; i++)
        differ += a[i] != b[i];
    return (double)differ / (double)n;
}

static distance_function find_metric(const char *name) {
    static const struct {
        const char *name;
        distance_function function;
    } metrics[] = {
        {"sqeuclidean", squared}, {"euclidean", euclidean},     {"cityblock", cityblock},
        {"chebyshev", chebyshev}, {"canberra", canberra},       {"braycurtis", braycurtis},
        {"cosine", cosine},       {"correlation", correlation}, {"hamming", hamming}};
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        if (strcmp(metrics[i].name, name) == 0) return metrics[i].function;
    return NULL;
}

/* Distances of the rows of A [m, n] to those of B [k, n]. */
ondol_status ref_ms_cdist(plan_call *c, ondol_error *err) {
    const char *metric = graph_get_string(c->g, c->node, "metric");
    const distance_function distance = find_metric(metric);
    tensor_value *a = NULL, *b = NULL, *y = NULL;
    double *a_numbers = NULL, *b_numbers = NULL;
    ondol_status status = ONDOL_OK;
    if (!distance) return plan_call_fail(c, err, "there is no metric '%.64s'", metric);
    TRY(ref_float_input(c, 0, &a, err));
    TRY(ref_float_input(c, 1, &b, err));
    TRY(ref_ms_expect_rank(c, "A", a, 2, err));
    const int64_t fitting[2] = {b->rank ? b->dims[0] : 0, a->dims[1]};
    TRY(ref_expect_dims(c, "B", b, 2, fitting, err));
    const int64_t dims[2] = {a->dims[0], b->dims[0]};
    TRY(plan_call_output(c, 0, a->element, 2, dims, &y, err));
    TRY(ref_all_numbers(c, a, &a_numbers, err));
    TRY(ref_all_numbers(c, b, &b_numbers, err));
    const uint64_t n = (uint64_t)a->dims[1];
    for (uint64_t i = 0; i < y->elems; i++) {
        const double *row = a_numbers + i / (uint64_t)dims[1] * n;
        const double *other = b_numbers + i % (uint64_t)dims[1] * n;
        tensor_set_number(y->element, y->data, i, distance(row, other, n));
    }
done:
    tensor_heap_free(c->heap, a_numbers);
    tensor_heap_free(c->heap, b_numbers);
    return status;
}

/* ----------------------------------------------------------------------------------- Inverse */

static void add_row(double *to, const double *from, double factor, uint64_t n) {
    for (uint64_t i = 0; i < n; i++)
        to[i] += factor * from[i];
}

/* a[n][n] is used up, b[n][n] becomes its inverse, by elimination with row pivots. False: a is
 * singular. */
static bool invert(double *a, double *b, uint64_t n) {
    for (uint64_t i = 0; i < n * n; i++)
        b[i] = i % (n + 1) == 0;
    for (uint64_t k = 0; k < n; k++) {
        uint64_t best = k;
        for (uint64_t i = k + 1; i < n; i++)
            if (fabs(a[i * n + k]) > fabs(a[best * n + k])) best = i;
        for (uint64_t j = 0; j < n && best != k; j++) {
            const double u = a[k * n + j], v = b[k * n + j];
            a[k * n + j] = a[best * n + j];
            b[k * n + j] = b[best * n + j];
            a[best * n + j] = u;
            b[best * n + j] = v;
        }
        const double pivot = a[k * n + k];
        if (!(fabs(pivot) > 0)) return false;
        for (uint64_t i = 0; i < n; i++) {
            const double factor = -a[i * n + k] / pivot;
            if (i == k || factor == 0) continue;
            add_row(a + i * n, a + k * n, factor, n);
            add_row(b + i * n, b + k * n, factor, n);
        }
        for (uint64_t j = 0; j < n; j++) {
            a[k * n + j] /= pivot;
            b[k * n + j] /= pivot;
        }
    }
    return true;
}

ondol_status ref_ms_inverse(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    double *a = NULL, *b = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, &x, err));
    if (x->rank < 2 || x->dims[x->rank - 1] != x->dims[x->rank - 2]) {
        char text[REF_SHAPE_TEXT_BYTES];
        return plan_call_fail(c, err, "shape %s, expected square matrices",
                              ref_shape_text(x->rank, x->dims, text));
    }
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err));
    if (x->elems == 0) return ONDOL_OK;
    const uint64_t n = (uint64_t)x->dims[x->rank - 1];
    TRY(ref_ms_doubles(c, n * n, "a matrix", &a, err));
    TRY(ref_ms_doubles(c, n * n, "a matrix", &b, err));
    for (uint64_t at = 0; at < x->elems; at += n * n) {
        ref_load_numbers(x, at, n * n, a);
        if (!invert(a, b, n)) {
            status = plan_call_fail(c, err, "matrix %" PRIu64 " has no inverse", at / (n * n));
            goto done;
        }
        ref_store_numbers(y, at, n * n, b);
    }
done:
    tensor_heap_free(c->heap, a);
    tensor_heap_free(c->heap, b);
    return status;
}

/* One bool: no number of any input is infinite or NaN (or of one of both alone). */
ondol_status ref_ms_is_all_finite(plan_call *c, ondol_error *err) {
    const bool inf_only = graph_get_int(c->g, c->node, "isinf_only") != 0;
    const bool nan_only = graph_get_int(c->g, c->node, "isnan_only") != 0;
    tensor_value *x = NULL, *y = NULL;
    bool is_fine = true;
    ondol_status status = ONDOL_OK;
    if (inf_only && nan_only) return plan_call_fail(c, err, "isinf_only and isnan_only are set");
    for (uint32_t i = 0; i < c->input_count; i++) {
        if (!plan_call_input(c, i)) continue;
        TRY(ref_input(c, i, REF_CLASS_FLOAT, &x, err));
        for (uint64_t k = 0; k < x->elems && is_fine; k++) {
            const double v = tensor_get_number(x->element, x->data, k);
            is_fine = !((isinf(v) && !nan_only) || (isnan(v) && !inf_only));
        }
    }
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_BOOL, 0, NULL, &y, err));
    *(uint8_t *)y->data = is_fine;
done:
    return status;
}
