/* MatMulInteger, QLinearMatMul. In: codes, zero points, scales. Out: int32 sums, or codes of the
 * scaled sums. Sums of integers are exact. */
#include <inttypes.h>

#include "device/ref/ops/ref_gemm.h"
#include "device/ref/ops/ref_granularity.h"
#include "device/ref/ops/ref_kernels.h"

/* A zero point or scale of an operand, or of the result: one, or one for each row or column. */
typedef struct per_line {
    const tensor_value *v; /* NULL: none */
    uint32_t rank;
    int64_t dims[TENSOR_MAX_RANK]; /* broadcast to those of the operand */
} per_line;

/* A list belongs to the rows (one column of them) or to the columns of an operand of that rank. */
static void as_lines(const tensor_value *v, uint32_t rank, bool of_rows, per_line *out) {
    *out = (per_line){.v = v};
    if (v->elems == 1) return;
    out->rank = v->rank;
    for (uint32_t i = 0; i < v->rank; i++)
        out->dims[i] = v->dims[i];
    if (of_rows && v->rank == 1 && rank >= 2) {
        out->dims[1] = 1;
        out->rank = 2;
    }
}

static ondol_status refuse(const plan_call *c, const char *what, const tensor_value *v,
                           ondol_error *err) {
    char text[REF_SHAPE_TEXT_BYTES];
    return plan_call_fail(c, err, "%s of shape %s does not fit its matrix", what,
                          ref_shape_text(v->rank, v->dims, text));
}

/* v for the rows (columns) of an operand, constant along what is summed. */
static ondol_status operand_lines(const plan_call *c, const tensor_value *v,
                                  const tensor_value *operand, bool of_rows, per_line *out,
                                  ondol_error *err) {
    as_lines(v, operand->rank, of_rows, out);
    if (!ref_broadcasts_to(out->rank, out->dims, operand->rank, operand->dims)) {
        return refuse(c, "a zero point or scale", v, err);
    }
    if (out->rank == 0) return ONDOL_OK;
    const uint32_t summed = of_rows ? 1 : 2; /* from behind */
    if (operand->rank < 2 || (out->rank >= summed && out->dims[out->rank - summed] != 1)) {
        return refuse(c, "a zero point or scale", v, err);
    }
    return ONDOL_OK;
}

/* Numbers of x less their zero point; integers in out, floats in numbers. */
static ondol_status shifted(const plan_call *c, const tensor_value *x, const per_line *zero,
                            bool is_float, double **numbers, uint64_t **integers,
                            ondol_error *err) {
    ref_walk w;
    ondol_status status =
        is_float ? ref_all_numbers(c, x, numbers, err) : ref_all_integers(c, x, integers, err);
    if (status != ONDOL_OK || !zero->v) return status;
    ref_walk_begin(&w, x->rank, x->dims);
    ref_walk_add(&w, zero->rank, zero->dims);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        const uint64_t at = (uint64_t)w.at[0];
        if (is_float)
            (*numbers)[i] -= tensor_get_number(zero->v->element, zero->v->data, at);
        else
            (*integers)[i] -= (uint64_t)tensor_get_integer(zero->v->element, zero->v->data, at);
    }
    return ONDOL_OK;
}

/* The zero point at input i of operand x, where there is one. */
static ondol_status zero_lines(const plan_call *c, uint32_t i, const tensor_value *x, bool of_rows,
                               per_line *out, ondol_error *err) {
    tensor_value *v = NULL;
    *out = (per_line){0};
    if (!plan_call_input(c, i)) return ONDOL_OK;
    ondol_status status = plan_call_typed(c, i, x->element, &v, err);
    return status == ONDOL_OK ? operand_lines(c, v, x, of_rows, out, err) : status;
}

ondol_status ref_matmul_integer(plan_call *c, ondol_error *err) {
    tensor_value *a = NULL, *b = NULL, *y = NULL;
    uint64_t *a_integers = NULL, *b_integers = NULL;
    per_line a_zero, b_zero;
    ref_gemm p;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_INTEGER, &a, err));
    TRY(ref_input(c, 1, REF_CLASS_INTEGER, &b, err));
    TRY(zero_lines(c, 2, a, true, &a_zero, err));
    TRY(zero_lines(c, 3, b, false, &b_zero, err));
    TRY(ref_gemm_begin(c, a, b, &p, err));
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_I32, p.rank, p.dims, &y, err));
    TRY(shifted(c, a, &a_zero, false, NULL, &a_integers, err));
    TRY(shifted(c, b, &b_zero, false, NULL, &b_integers, err));
    ref_gemm_integers(c, &p, a_integers, b_integers, ref_take_integers_into, y);
done:
    tensor_heap_free(c->heap, a_integers);
    tensor_heap_free(c->heap, b_integers);
    return status;
}

/* QLinearMatMul. Its inputs: */
enum { A, A_SCALE, A_ZERO, B, B_SCALE, B_ZERO, Y_SCALE, Y_ZERO, QLINEAR_INPUTS };

typedef struct qlinear {
    tensor_value *in[QLINEAR_INPUTS], *y;
    per_line a_scale, b_scale, y_scale, a_zero, b_zero, y_zero;
    ref_gemm p;
    uint32_t rank; /* of the result with its rows and columns, [..., m, n] */
    int64_t dims[TENSOR_MAX_RANK];
    double *sums; /* [p.elems] */
} qlinear;

static void take_numbers(void *user, uint64_t first, uint64_t count, const double *sums) {
    qlinear *q = user;
    for (uint64_t i = 0; i < count; i++)
        q->sums[first + i] = sums[i];
}

static void take_integers(void *user, uint64_t first, uint64_t count, const uint64_t *sums) {
    qlinear *q = user;
    for (uint64_t i = 0; i < count; i++)
        q->sums[first + i] = (double)(int64_t)sums[i];
}

/* The scale or the zero point of the result. */
static ondol_status result_lines(const plan_call *c, const qlinear *q, const tensor_value *v,
                                 per_line *out, ondol_error *err) {
    as_lines(v, 2, true, out);
    if (out->rank != 0 && (q->in[A]->rank < 2 || q->in[B]->rank < 2)) {
        return refuse(c, "the result's scale or zero point", v, err);
    }
    if (ref_broadcasts_to(out->rank, out->dims, q->rank, q->dims)) return ONDOL_OK;
    return refuse(c, "the result's scale or zero point", v, err);
}

static ondol_status read_inputs(plan_call *c, qlinear *q, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < QLINEAR_INPUTS; i++) {
        const bool is_scale = i == A_SCALE || i == B_SCALE || i == Y_SCALE;
        TRY(ref_input(c, i, is_scale ? REF_CLASS_FLOAT : REF_CLASS_NUMBER, q->in + i, err));
    }
    TRY(plan_call_typed(c, A_ZERO, q->in[A]->element, q->in + A_ZERO, err));
    TRY(plan_call_typed(c, B_ZERO, q->in[B]->element, q->in + B_ZERO, err));
    if (!ref_is_quantized(q->in[A]->element) || !ref_is_quantized(q->in[B]->element) ||
        !ref_is_quantized(q->in[Y_ZERO]->element)) {
        return plan_call_fail(c, err, "its operands are no codes of 16 bits or fewer");
    }
    TRY(ref_gemm_begin(c, q->in[A], q->in[B], &q->p, err));
    TRY(operand_lines(c, q->in[A_ZERO], q->in[A], true, &q->a_zero, err));
    TRY(operand_lines(c, q->in[B_ZERO], q->in[B], false, &q->b_zero, err));
    TRY(operand_lines(c, q->in[A_SCALE], q->in[A], true, &q->a_scale, err));
    TRY(operand_lines(c, q->in[B_SCALE], q->in[B], false, &q->b_scale, err));
    q->rank = q->p.batch_rank + 2;
    for (uint32_t i = 0; i < q->p.batch_rank; i++)
        q->dims[i] = q->p.batch_dims[i];
    q->dims[q->rank - 2] = (int64_t)q->p.m;
    q->dims[q->rank - 1] = (int64_t)q->p.n;
    TRY(result_lines(c, q, q->in[Y_SCALE], &q->y_scale, err));
    TRY(result_lines(c, q, q->in[Y_ZERO], &q->y_zero, err));
done:
    return status;
}

static double number_at(const per_line *l, int64_t at) {
    return tensor_get_number(l->v->element, l->v->data, (uint64_t)at);
}

/* Codes of the sums. The factor of a sum, a's scale * b's / y's, is rounded to the scales' type at
 * each step, as runtimes make it in front of the loop. */
static ondol_status requantize(plan_call *c, const qlinear *q, ondol_error *err) {
    const per_line *lines[4] = {&q->a_scale, &q->b_scale, &q->y_scale, &q->y_zero};
    const tensor_element scale_type = q->in[A_SCALE]->element;
    ref_walk w;
    if (q->in[B_SCALE]->element != scale_type || q->in[Y_SCALE]->element != scale_type) {
        return plan_call_fail(c, err, "its scales are not of one type");
    }
    ref_walk_begin(&w, q->rank, q->dims);
    for (uint32_t i = 0; i < 4; i++)
        ref_walk_add(&w, lines[i]->rank, lines[i]->dims);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        const double product = number_at(lines[0], w.at[0]) * number_at(lines[1], w.at[1]);
        const double factor = ref_round_to(scale_type, product) / number_at(lines[2], w.at[2]);
        ref_set_quantized(q->y, i, q->sums[i] * ref_round_to(scale_type, factor),
                          number_at(lines[3], w.at[3]), true);
    }
    return ONDOL_OK;
}

ondol_status ref_qlinear_matmul(plan_call *c, ondol_error *err) {
    qlinear q = {0};
    double *a = NULL, *b = NULL;
    uint64_t *a_integers = NULL, *b_integers = NULL;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_inputs(c, &q, err));
    TRY(plan_call_output(c, 0, q.in[Y_ZERO]->element, q.p.rank, q.p.dims, &q.y, err));
    TRY(ref_alloc(c, q.p.elems, sizeof(double), "sums of a product", &memory, err));
    q.sums = memory;
    const bool is_float = tensor_element_kind_of(q.in[A]->element) == TENSOR_KIND_FLOAT ||
                          tensor_element_kind_of(q.in[B]->element) == TENSOR_KIND_FLOAT;
    TRY(shifted(c, q.in[A], &q.a_zero, is_float, &a, &a_integers, err));
    TRY(shifted(c, q.in[B], &q.b_zero, is_float, &b, &b_integers, err));
    if (is_float)
        ref_gemm_numbers(c, &q.p, a, b, take_numbers, &q);
    else
        ref_gemm_integers(c, &q.p, a_integers, b_integers, take_integers, &q);
    TRY(requantize(c, &q, err));
done:
    tensor_heap_free(c->heap, a);
    tensor_heap_free(c->heap, b);
    tensor_heap_free(c->heap, a_integers);
    tensor_heap_free(c->heap, b_integers);
    tensor_heap_free(c->heap, memory);
    return status;
}
