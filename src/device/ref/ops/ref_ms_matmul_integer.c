/* MatMulIntegerToFloat, DynamicQuantizeMatMul, QGemm, MatMulInteger16. In: codes (or numbers to be
 * made codes), scales, zero points. Out: scaled sums. The sums are exact; a sum is scaled in float,
 * step by step as it stands in the code, so that other devices can do the same. */
#include <inttypes.h>

#include "device/ref/ops/ref_gemm.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms_codes.h"

/* Numbers for the columns of a result, or one for all. */
typedef struct column_list {
    float *numbers;
    uint64_t count;
} column_list;

static float column_at(const column_list *l, uint64_t column) {
    return l->numbers[l->count == 1 ? 0 : column];
}

/* Input i: one float, or one for each of the columns. */
static ondol_status read_columns(const plan_call *c, uint32_t i, const char *what, uint64_t columns,
                                 column_list *out, ondol_error *err) {
    tensor_value *v = NULL;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, i, &v, err));
    if (v->elems != 1 &&
        (v->elems != columns || v->rank < 1 || v->dims[v->rank - 1] != (int64_t)columns)) {
        char text[REF_SHAPE_TEXT_BYTES];
        return plan_call_fail(c, err, "%s of shape %s for %" PRIu64 " columns", what,
                              ref_shape_text(v->rank, v->dims, text), columns);
    }
    TRY(ref_alloc(c, v->elems, sizeof *out->numbers, what, &memory, err));
    out->numbers = memory;
    out->count = v->elems;
    for (uint64_t k = 0; k < v->elems; k++)
        out->numbers[k] = (float)tensor_get_number(v->element, v->data, k);
done:
    return status;
}

/* Y = sums * (a_scale * b_scale) + bias, of type e. bias_at: its input. */
static ondol_status to_float(plan_call *c, const tensor_value *sums, uint64_t columns,
                             float a_scale, uint32_t b_scale_at, uint32_t bias_at, tensor_element e,
                             ondol_error *err) {
    column_list scales = {0};
    tensor_value *y = NULL;
    double *bias = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_columns(c, b_scale_at, "b_scale", columns, &scales, err));
    TRY(ref_float_list(c, bias_at, "bias", (int64_t)columns, 0, &bias, err));
    TRY(plan_call_output(c, 0, e, sums->rank, sums->dims, &y, err));
    for (uint64_t i = 0; i < y->elems; i++) {
        const float scale = a_scale * column_at(&scales, i % columns);
        float v = (float)((const int32_t *)sums->data)[i] * scale;
        if (plan_call_input(c, bias_at)) v += (float)bias[i % columns];
        tensor_set_number(e, y->data, i, v);
    }
done:
    tensor_heap_free(c->heap, scales.numbers);
    tensor_heap_free(c->heap, bias);
    return status;
}

static uint64_t columns_of(const tensor_value *b) {
    return b->rank > 1 ? (uint64_t)b->dims[b->rank - 1] : 1;
}

ondol_status ref_ms_matmul_integer_to_float(plan_call *c, ondol_error *err) {
    tensor_value *a = NULL, *b = NULL, *scale = NULL, *sums = NULL;
    double a_scale = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_codes(c, 0, &a, err));
    TRY(ref_ms_codes(c, 1, &b, err));
    TRY(ref_float_input(c, 2, &scale, err));
    TRY(ref_scalar_number(c, 2, 1, &a_scale, err));
    tensor_value *inputs[] = {a, b, plan_call_input(c, 4), plan_call_input(c, 5)};
    TRY(ref_ms_run(c, ref_matmul_integer, inputs, 4, &sums, err));
    TRY(to_float(c, sums, columns_of(b), (float)a_scale, 3, 6, scale->element, err));
done:
    tensor_value_release(sums);
    return status;
}

/* Codes of a, their scale and zero point, by DynamicQuantizeLinear. */
static ondol_status quantize(const plan_call *c, tensor_value *a, tensor_value **codes,
                             ondol_error *err) {
    plan_call inner = *c;
    inner.inputs = &a;
    inner.input_count = 1;
    inner.outputs = codes;
    inner.output_count = 3;
    inner.disposable = NULL;
    inner.state = NULL;
    return ref_dynamic_quantize_linear(&inner, err);
}

ondol_status ref_ms_dynamic_quantize_matmul(plan_call *c, ondol_error *err) {
    tensor_value *a = NULL, *b = NULL, *sums = NULL, *codes[3] = {NULL};
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &a, err));
    TRY(ref_ms_codes(c, 1, &b, err));
    TRY(quantize(c, a, codes, err));
    tensor_value *inputs[] = {codes[0], b, codes[2], plan_call_input(c, 3)};
    TRY(ref_ms_run(c, ref_matmul_integer, inputs, 4, &sums, err));
    const float a_scale = (float)tensor_get_number(TENSOR_ELEMENT_F32, codes[1]->data, 0);
    TRY(to_float(c, sums, columns_of(b), a_scale, 2, 4, TENSOR_ELEMENT_F32, err));
done:
    tensor_value_release(sums);
    for (int i = 0; i < 3; i++)
        tensor_value_release(codes[i]);
    return status;
}

/* MatMulInteger16: sums of products of 16 bits, cut to 32. */
ondol_status ref_ms_matmul_integer16(plan_call *c, ondol_error *err) {
    tensor_value *a = NULL, *b = NULL, *y = NULL;
    uint64_t *a_integers = NULL, *b_integers = NULL;
    ref_gemm p;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_INTEGER, &a, err));
    TRY(ref_input(c, 1, REF_CLASS_INTEGER, &b, err));
    const bool is_unsigned = a->element == TENSOR_ELEMENT_U16 && b->element == TENSOR_ELEMENT_U16;
    TRY(ref_gemm_begin(c, a, b, &p, err));
    TRY(plan_call_output(c, 0, is_unsigned ? TENSOR_ELEMENT_U32 : TENSOR_ELEMENT_I32, p.rank,
                         p.dims, &y, err));
    TRY(ref_all_integers(c, a, &a_integers, err));
    TRY(ref_all_integers(c, b, &b_integers, err));
    ref_gemm_integers(c, &p, a_integers, b_integers, ref_take_integers_into, y);
done:
    tensor_heap_free(c->heap, a_integers);
    tensor_heap_free(c->heap, b_integers);
    return status;
}

/* ------------------------------------------------------------------------------------- QGemm */

enum { A, A_SCALE, A_ZERO, B, B_SCALE, B_ZERO, C, Y_SCALE, Y_ZERO };

/* Input i, a matrix of codes, turned where the attribute says so. */
static ondol_status read_matrix(const plan_call *c, uint32_t i, const char *attribute,
                                tensor_value **out, ondol_error *err) {
    static const uint32_t order[2] = {1, 0};
    tensor_value *v = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_codes(c, i, &v, err));
    TRY(ref_ms_expect_rank(c, i == A ? "A" : "B", v, 2, err));
    if (graph_get_int(c->g, c->node, attribute) != 0) {
        return ref_ms_transposed(c, v, order, out, err);
    }
    *out = tensor_value_retain(v);
done:
    return status;
}

/* Adds C, broadcast, modulo 2^32. */
static ondol_status add_c(plan_call *c, tensor_value *sums, ondol_error *err) {
    tensor_value *v = NULL;
    ref_walk w;
    ondol_status status = plan_call_typed(c, C, TENSOR_ELEMENT_I32, &v, err);
    if (status != ONDOL_OK) return status;
    if (!ref_broadcasts_to(v->rank, v->dims, sums->rank, sums->dims)) {
        char text[REF_SHAPE_TEXT_BYTES];
        return plan_call_fail(c, err, "C of shape %s does not broadcast",
                              ref_shape_text(v->rank, v->dims, text));
    }
    ref_walk_begin(&w, sums->rank, sums->dims);
    ref_walk_add(&w, v->rank, v->dims);
    uint32_t *to = sums->data;
    const uint32_t *from = v->data;
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++)
        to[i] += from[w.at[0]];
    return ONDOL_OK;
}

/* The sums scaled by alpha * a_scale * b_scale; to codes where there is a y_scale. */
static ondol_status scale_gemm(plan_call *c, const tensor_value *sums, tensor_element a,
                               ondol_error *err) {
    const float alpha = (float)graph_get_float(c->g, c->node, "alpha");
    const bool to_codes = plan_call_input(c, Y_SCALE) != NULL;
    const tensor_value *zero = plan_call_input(c, Y_ZERO);
    ref_ms_meaning y_means = {.element = TENSOR_ELEMENT_F32, .scale = 1};
    column_list scales = {0};
    const uint64_t columns = (uint64_t)sums->dims[1];
    double a_scale = 0;
    tensor_value *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_scalar_number(c, A_SCALE, 1, &a_scale, err));
    TRY(read_columns(c, B_SCALE, "b_scale", columns, &scales, err));
    if (to_codes) {
        const tensor_element e = zero ? zero->element : a;
        if (e != TENSOR_ELEMENT_I8 && e != TENSOR_ELEMENT_U8) {
            status = plan_call_fail(c, err, "y_zero_point is %s", tensor_element_onnx_name(e));
            goto done;
        }
        TRY(ref_ms_meaning_read(c, Y_SCALE, Y_ZERO, e, &y_means, err));
    }
    TRY(plan_call_output(c, 0, y_means.element, 2, sums->dims, &y, err));
    for (uint64_t i = 0; i < y->elems; i++) {
        float factor = alpha * (float)a_scale;
        factor *= column_at(&scales, i % columns);
        if (to_codes) factor /= y_means.scale;
        const float v = (float)((const int32_t *)sums->data)[i] * factor;
        if (to_codes) {
            tensor_set_integer(y->element, y->data, i, ref_ms_code_of(&y_means, v));
        } else {
            tensor_set_number(y->element, y->data, i, v);
        }
    }
done:
    tensor_heap_free(c->heap, scales.numbers);
    return status;
}

ondol_status ref_ms_qgemm(plan_call *c, ondol_error *err) {
    tensor_value *a = NULL, *b = NULL, *sums = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_matrix(c, A, "transA", &a, err));
    TRY(read_matrix(c, B, "transB", &b, err));
    tensor_value *inputs[] = {a, b, plan_call_input(c, A_ZERO), plan_call_input(c, B_ZERO)};
    TRY(ref_ms_run(c, ref_matmul_integer, inputs, 4, &sums, err));
    if (plan_call_input(c, C)) TRY(add_c(c, sums, err));
    TRY(scale_gemm(c, sums, a->element, err));
done:
    tensor_value_release(a);
    tensor_value_release(b);
    tensor_value_release(sums);
    return status;
}
