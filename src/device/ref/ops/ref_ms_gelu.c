/* BiasGelu, FastGelu, GemmFastGelu, BiasSplitGelu, BiasAdd. In: numbers and a bias for each column.
 * Out: the activation of their sums. */
#include <inttypes.h>

#include "device/ref/ops/ref_gemm.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms.h"
#include "device/ref/ops/ref_unary.h"

/* x and a bias of its last dimension; bias: zeros where input i is absent. */
static ondol_status read_biased(const plan_call *c, uint32_t i, tensor_value **x, double **bias,
                                ondol_error *err) {
    ondol_status status = ref_float_input(c, 0, x, err);
    if (status != ONDOL_OK) return status;
    if ((*x)->rank < 1) return ref_ms_expect_rank(c, "the input", *x, 1, err);
    return ref_float_list(c, i, "the bias", (*x)->dims[(*x)->rank - 1], 0, bias, err);
}

/* BiasGelu (exact), FastGelu (by tanh). */
ondol_status ref_ms_bias_gelu(plan_call *c, ondol_error *err) {
    const bool is_exact = c->g->nodes[c->node].op == GRAPH_OP_MS_BIAS_GELU;
    tensor_value *x = NULL, *y = NULL;
    double *bias = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_biased(c, 1, &x, &bias, err));
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err));
    for (uint64_t i = 0; i < x->elems; i++) {
        const uint64_t column = i % (uint64_t)x->dims[x->rank - 1];
        const double v = tensor_get_number(x->element, x->data, i) + bias[column];
        tensor_set_number(y->element, y->data, i, is_exact ? ref_gelu_of(v) : ref_gelu_tanh_of(v));
    }
done:
    tensor_heap_free(c->heap, bias);
    return status;
}

typedef struct gemm_gelu {
    const double *bias;
    uint64_t columns;
    tensor_value *y;
} gemm_gelu;

static void take_gelu(void *user, uint64_t first, uint64_t count, const double *sums) {
    const gemm_gelu *g = user;
    for (uint64_t i = first; i < first + count; i++) {
        const double v = ref_gelu_tanh_of(sums[i - first] + g->bias[i % g->columns]);
        ref_store_numbers(g->y, i, 1, &v);
    }
}

ondol_status ref_ms_gemm_fast_gelu(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *w = NULL;
    double *x_numbers = NULL, *w_numbers = NULL, *bias = NULL;
    gemm_gelu g = {0};
    ref_gemm p;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, &x, err));
    TRY(ref_float_input(c, 1, &w, err));
    TRY(ref_gemm_begin(c, x, w, &p, err));
    g.columns = p.n;
    TRY(ref_float_list(c, 2, "the bias", (int64_t)p.n, 0, &bias, err));
    g.bias = bias;
    TRY(plan_call_output(c, 0, x->element, p.rank, p.dims, &g.y, err));
    TRY(ref_all_numbers(c, x, &x_numbers, err));
    TRY(ref_all_numbers(c, w, &w_numbers, err));
    ref_gemm_numbers(c, &p, x_numbers, w_numbers, take_gelu, &g);
done:
    tensor_heap_free(c->heap, x_numbers);
    tensor_heap_free(c->heap, w_numbers);
    tensor_heap_free(c->heap, bias);
    return status;
}

/* The left half of each row times Gelu of the right one. */
ondol_status ref_ms_bias_split_gelu(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    double *bias = NULL;
    int64_t dims[TENSOR_MAX_RANK];
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 1, &x, err));
    TRY(read_biased(c, 1, &x, &bias, err));
    for (uint32_t i = 0; i < x->rank; i++)
        dims[i] = x->dims[i];
    const uint64_t width = (uint64_t)x->dims[x->rank - 1];
    if (width % 2) {
        status = plan_call_fail(c, err, "rows of %" PRIu64 " numbers have no halves", width);
        goto done;
    }
    dims[x->rank - 1] = (int64_t)(width / 2);
    TRY(plan_call_output(c, 0, x->element, x->rank, dims, &y, err));
    for (uint64_t i = 0; i < y->elems; i++) {
        const uint64_t column = i % (width / 2), left = i / (width / 2) * width + column;
        const uint64_t right = left + width / 2;
        const double a = tensor_get_number(x->element, x->data, left) + bias[column];
        const double b = tensor_get_number(x->element, x->data, right) + bias[column + width / 2];
        tensor_set_number(y->element, y->data, i, a * ref_gelu_of(b));
    }
done:
    tensor_heap_free(c->heap, bias);
    return status;
}

/* X + bias + skip. */
ondol_status ref_ms_bias_add(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *skip = NULL, *y = NULL;
    double *bias = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_biased(c, 1, &x, &bias, err));
    TRY(ref_float_input(c, 2, &skip, err));
    TRY(ref_expect_dims(c, "skip", skip, x->rank, x->dims, err));
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err));
    for (uint64_t i = 0; i < x->elems; i++) {
        const double v =
            tensor_get_number(x->element, x->data, i) + bias[i % (uint64_t)x->dims[x->rank - 1]];
        tensor_set_number(y->element, y->data, i,
                          v + tensor_get_number(skip->element, skip->data, i));
    }
done:
    tensor_heap_free(c->heap, bias);
    return status;
}
