/* FusedMatMul, SparseToDenseMatMul. In: matrices of floats or integers, perhaps transposed. Out:
 * alpha times their product, summed in double (integers modulo 2^64), rounded once. A sparse
 * operand is dense here: import makes it so. */
#include <inttypes.h>

#include "device/ref/ops/ref_gemm.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms.h"

/* Input i as numpy.matmul wants it. Batch transposed: dimension 0 moves behind the other batch
 * dimensions, in front of the rows; transposed: the last two swap after that. */
static ondol_status turn(const plan_call *c, uint32_t i, const char *transposed,
                         const char *batch_transposed, tensor_value **out, ondol_error *err) {
    uint32_t order[TENSOR_MAX_RANK] = {0};
    tensor_value *v = NULL;
    ondol_status status = ref_input(c, i, REF_CLASS_NUMBER, &v, err);
    if (status != ONDOL_OK) return status;
    const uint32_t rank = v->rank;
    const bool by_batch = rank >= 3 && graph_get_int(c->g, c->node, batch_transposed) != 0;
    const bool is_turned = rank >= 2 && graph_get_int(c->g, c->node, transposed) != 0;
    for (uint32_t k = 0; k < rank; k++)
        order[k] = by_batch && k + 2 < rank ? k + 1 : by_batch && k + 2 == rank ? 0 : k;
    if (is_turned) {
        const uint32_t last = order[rank - 1];
        order[rank - 1] = order[rank - 2];
        order[rank - 2] = last;
    }
    if (by_batch || is_turned) return ref_ms_transposed(c, v, order, out, err);
    *out = tensor_value_retain(v);
    return ONDOL_OK;
}

typedef struct scaled {
    tensor_value *y;
    double alpha;
} scaled;

static void take_numbers(void *user, uint64_t first, uint64_t count, const double *sums) {
    const scaled *s = user;
    double v[REF_CHUNK];
    for (uint64_t i = 0; i < count; i++)
        v[i] = s->alpha * sums[i];
    ref_store_numbers(s->y, first, count, v);
}

static void take_integers(void *user, uint64_t first, uint64_t count, const uint64_t *sums) {
    const scaled *s = user;
    const bool is_signed = tensor_element_kind_of(s->y->element) == TENSOR_KIND_SIGNED;
    if (s->alpha == 1) {
        ref_store_integers(s->y, first, count, sums);
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        const double sum = is_signed ? (double)(int64_t)sums[i] : (double)sums[i];
        tensor_set_number(s->y->element, s->y->data, first + i, s->alpha * sum);
    }
}

ondol_status ref_ms_fused_matmul(plan_call *c, ondol_error *err) {
    tensor_value *a = NULL, *b = NULL;
    double *a_numbers = NULL, *b_numbers = NULL;
    uint64_t *a_integers = NULL, *b_integers = NULL;
    scaled s = {.alpha = graph_get_float(c->g, c->node, "alpha")};
    ref_gemm p;
    ondol_status status = ONDOL_OK;
    TRY(turn(c, 0, "transA", "transBatchA", &a, err));
    TRY(turn(c, 1, "transB", "transBatchB", &b, err));
    if (a->element != b->element) {
        status = plan_call_fail(c, err, "its operands differ in type");
        goto done;
    }
    TRY(ref_gemm_begin(c, a, b, &p, err));
    TRY(plan_call_output(c, 0, a->element, p.rank, p.dims, &s.y, err));
    if (tensor_element_kind_of(a->element) == TENSOR_KIND_FLOAT) {
        TRY(ref_all_numbers(c, a, &a_numbers, err));
        TRY(ref_all_numbers(c, b, &b_numbers, err));
        ref_gemm_numbers(c, &p, a_numbers, b_numbers, take_numbers, &s);
    } else {
        TRY(ref_all_integers(c, a, &a_integers, err));
        TRY(ref_all_integers(c, b, &b_integers, err));
        ref_gemm_integers(c, &p, a_integers, b_integers, take_integers, &s);
    }
done:
    tensor_heap_free(c->heap, a_numbers);
    tensor_heap_free(c->heap, b_numbers);
    tensor_heap_free(c->heap, a_integers);
    tensor_heap_free(c->heap, b_integers);
    tensor_value_release(a);
    tensor_value_release(b);
    return status;
}
