/* MatMul, Gemm. In: matrices of floats or integers. Out: their product, of the same type; floats
 * summed in double and rounded once, integers modulo 2^64 and cut to the type. */
#include <inttypes.h>
#include <math.h>

#include "device/ref/ops/ref_gemm.h"
#include "device/ref/ops/ref_kernels.h"

static ondol_status two_inputs(const plan_call *c, tensor_value **a, tensor_value **b,
                               ondol_error *err) {
    ondol_status status = ref_input(c, 0, REF_CLASS_NUMBER, a, err);
    return status == ONDOL_OK ? plan_call_typed(c, 1, (*a)->element, b, err) : status;
}

ondol_status ref_mat_mul(plan_call *c, ondol_error *err) {
    tensor_value *a = NULL, *b = NULL, *y = NULL;
    double *a_numbers = NULL, *b_numbers = NULL;
    uint64_t *a_integers = NULL, *b_integers = NULL;
    ref_gemm p;
    ondol_status status = ONDOL_OK;
    TRY(two_inputs(c, &a, &b, err));
    TRY(ref_gemm_begin(c, a, b, &p, err));
    TRY(plan_call_output(c, 0, a->element, p.rank, p.dims, &y, err));
    if (tensor_element_kind_of(a->element) == TENSOR_KIND_FLOAT) {
        TRY(ref_all_numbers(c, a, &a_numbers, err));
        TRY(ref_all_numbers(c, b, &b_numbers, err));
        ref_gemm_numbers(c, &p, a_numbers, b_numbers, ref_take_numbers_into, y);
    } else {
        TRY(ref_all_integers(c, a, &a_integers, err));
        TRY(ref_all_integers(c, b, &b_integers, err));
        ref_gemm_integers(c, &p, a_integers, b_integers, ref_take_integers_into, y);
    }
done:
    tensor_heap_free(c->heap, a_numbers);
    tensor_heap_free(c->heap, b_numbers);
    tensor_heap_free(c->heap, a_integers);
    tensor_heap_free(c->heap, b_integers);
    return status;
}

/* Y = alpha * A * B + beta * C. */
typedef struct gemm_call {
    const tensor_value *a, *b, *c; /* c: NULL where there is none or beta is 0 */
    tensor_value *y;
    bool a_is_transposed, b_is_transposed;
    double alpha, beta;
    int64_t c_strides[2];
    uint64_t n;
} gemm_call;

static uint64_t c_position(const gemm_call *g, uint64_t i) {
    return i / g->n * (uint64_t)g->c_strides[0] + i % g->n * (uint64_t)g->c_strides[1];
}

static void take_numbers(void *user, uint64_t first, uint64_t count, const double *sums) {
    const gemm_call *g = user;
    for (uint64_t i = 0; i < count; i++) {
        double v = g->alpha * sums[i];
        if (g->c) {
            v += g->beta * tensor_get_number(g->c->element, g->c->data, c_position(g, first + i));
        }
        tensor_set_number(g->y->element, g->y->data, first + i, v);
    }
}

/* Exact where alpha and beta are whole; in double where they are not. */
static void take_integers(void *user, uint64_t first, uint64_t count, const uint64_t *sums) {
    const gemm_call *g = user;
    const bool is_signed = tensor_element_kind_of(g->y->element) == TENSOR_KIND_SIGNED;
    const bool whole = g->alpha == rint(g->alpha) && g->beta == rint(g->beta) &&
                       fabs(g->alpha) < 0x1p63 && fabs(g->beta) < 0x1p63;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t other = 0;
        if (g->c) {
            const uint64_t at = c_position(g, first + i);
            other = (uint64_t)tensor_get_integer(g->c->element, g->c->data, at);
        }
        if (whole) {
            const uint64_t alpha = (uint64_t)(int64_t)g->alpha, beta = (uint64_t)(int64_t)g->beta;
            const uint64_t v = alpha * sums[i] + beta * other;
            tensor_set_integer(g->y->element, g->y->data, first + i, (int64_t)v);
        } else {
            const double sum = is_signed ? (double)(int64_t)sums[i] : (double)sums[i];
            const double added = is_signed ? (double)(int64_t)other : (double)other;
            tensor_set_number(g->y->element, g->y->data, first + i,
                              g->alpha * sum + g->beta * added);
        }
    }
}

/* Element (i, j) of the matrix, transposed or not, as rows x columns. */
static uint64_t matrix_at(uint64_t i, uint64_t j, uint64_t rows, uint64_t columns,
                          bool is_transposed) {
    return is_transposed ? j * rows + i : i * columns + j;
}

static ondol_status matrix_numbers(const plan_call *c, const tensor_value *v, uint64_t rows,
                                   uint64_t columns, bool is_transposed, double **out,
                                   ondol_error *err) {
    void *p = NULL;
    ondol_status status = ref_alloc(c, v->elems, sizeof **out, "a matrix", &p, err);
    if (status != ONDOL_OK) return status;
    *out = p;
    for (uint64_t i = 0; i < v->elems; i++) {
        const uint64_t at = matrix_at(i / columns, i % columns, rows, columns, is_transposed);
        (*out)[i] = tensor_get_number(v->element, v->data, at);
    }
    return ONDOL_OK;
}

static ondol_status matrix_integers(const plan_call *c, const tensor_value *v, uint64_t rows,
                                    uint64_t columns, bool is_transposed, uint64_t **out,
                                    ondol_error *err) {
    void *p = NULL;
    ondol_status status = ref_alloc(c, v->elems, sizeof **out, "a matrix", &p, err);
    if (status != ONDOL_OK) return status;
    *out = p;
    for (uint64_t i = 0; i < v->elems; i++) {
        const uint64_t at = matrix_at(i / columns, i % columns, rows, columns, is_transposed);
        (*out)[i] = (uint64_t)tensor_get_integer(v->element, v->data, at);
    }
    return ONDOL_OK;
}

/* Shapes, strides of C, the output. */
static ondol_status gemm_begin(plan_call *c, gemm_call *g, ref_gemm *p, ondol_error *err) {
    tensor_value *a = NULL, *b = NULL, *added = NULL;
    char a_text[REF_SHAPE_TEXT_BYTES], b_text[REF_SHAPE_TEXT_BYTES];
    ref_walk w;
    ondol_status status = ONDOL_OK;
    TRY(two_inputs(c, &a, &b, err));
    if (plan_call_input(c, 2)) TRY(plan_call_typed(c, 2, a->element, &added, err));
    g->a = a;
    g->b = b;
    g->a_is_transposed = graph_get_int(c->g, c->node, "transA") != 0;
    g->b_is_transposed = graph_get_int(c->g, c->node, "transB") != 0;
    g->alpha = graph_get_float(c->g, c->node, "alpha");
    g->beta = graph_get_float(c->g, c->node, "beta");
    const int64_t k = a->rank == 2 ? a->dims[g->a_is_transposed ? 0 : 1] : -1;
    if (b->rank != 2 || k != b->dims[g->b_is_transposed ? 1 : 0]) {
        return plan_call_fail(c, err, "A has the shape %s and B %s",
                              ref_shape_text(a->rank, a->dims, a_text),
                              ref_shape_text(b->rank, b->dims, b_text));
    }
    const int64_t dims[2] = {a->dims[g->a_is_transposed ? 1 : 0],
                             b->dims[g->b_is_transposed ? 0 : 1]};
    if (added && !ref_broadcasts_to(added->rank, added->dims, 2, dims)) {
        return plan_call_fail(c, err, "C has the shape %s, which does not broadcast to %s",
                              ref_shape_text(added->rank, added->dims, a_text),
                              ref_shape_text(2, dims, b_text));
    }
    TRY(plan_call_output(c, 0, a->element, 2, dims, &g->y, err));
    ref_gemm_of_matrices((uint64_t)dims[0], (uint64_t)k, (uint64_t)dims[1], p);
    g->n = p->n;
    g->c = g->beta != 0 ? added : NULL;
    if (g->c) {
        ref_walk_begin(&w, 2, dims);
        ref_walk_add(&w, added->rank, added->dims);
        g->c_strides[0] = w.strides[0][0];
        g->c_strides[1] = w.strides[0][1];
    }
done:
    return status;
}

ondol_status ref_gemm_op(plan_call *c, ondol_error *err) {
    double *a = NULL, *b = NULL;
    uint64_t *a_integers = NULL, *b_integers = NULL;
    gemm_call g = {0};
    ref_gemm p;
    ondol_status status = ONDOL_OK;
    TRY(gemm_begin(c, &g, &p, err));
    if (tensor_element_kind_of(g.a->element) == TENSOR_KIND_FLOAT) {
        TRY(matrix_numbers(c, g.a, p.m, p.k, g.a_is_transposed, &a, err));
        TRY(matrix_numbers(c, g.b, p.k, p.n, g.b_is_transposed, &b, err));
        ref_gemm_numbers(c, &p, a, b, take_numbers, &g);
    } else {
        TRY(matrix_integers(c, g.a, p.m, p.k, g.a_is_transposed, &a_integers, err));
        TRY(matrix_integers(c, g.b, p.k, p.n, g.b_is_transposed, &b_integers, err));
        ref_gemm_integers(c, &p, a_integers, b_integers, take_integers, &g);
    }
done:
    tensor_heap_free(c->heap, a);
    tensor_heap_free(c->heap, b);
    tensor_heap_free(c->heap, a_integers);
    tensor_heap_free(c->heap, b_integers);
    return status;
}
