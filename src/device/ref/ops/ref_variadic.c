/* Elementwise operators of any number of inputs, broadcast: Max, Min, Sum, Mean. In: tensors of one
 * type. Out: one of that type; sums in double, rounded once. */
#include <inttypes.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

typedef struct variadic {
    uint32_t rank;
    int64_t dims[TENSOR_MAX_RANK];
    tensor_value *out;
} variadic;

/* Checks all inputs and makes the output. */
static ondol_status begin(plan_call *c, unsigned classes, variadic *v, ondol_error *err) {
    tensor_value *x = NULL, *first = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, classes, &first, err));
    for (uint32_t i = 1; i < c->input_count; i++) {
        TRY(plan_call_typed(c, i, first->element, &x, err));
    }
    TRY(ref_broadcast(c, c->inputs, c->input_count, &v->rank, v->dims, err));
    TRY(plan_call_output(c, 0, first->element, v->rank, v->dims, &v->out, err));
done:
    return status;
}

/* y = element `at` of x where that is more (less) than y; NaN is both. */
static void keep_best(tensor_value *y, const tensor_value *x, const ref_walk *w, uint64_t i,
                      bool is_max) {
    const tensor_element e = y->element;
    const bool is_float = tensor_element_kind_of(e) == TENSOR_KIND_FLOAT;
    const uint64_t have = ref_order_key(e, y->data, i);
    const uint64_t key = ref_order_key(e, x->data, (uint64_t)w->at[0]);
    const bool has_nan = is_float && have == REF_ORDER_NAN;
    const bool is_nan = is_float && key == REF_ORDER_NAN;
    if (has_nan || (!is_nan && (is_max ? key <= have : key >= have))) return;
    ref_copy_element(y, i, x, (uint64_t)w->at[0], NULL);
}

/* Max, Min. */
ondol_status ref_best_of(plan_call *c, ondol_error *err) {
    variadic v = {0};
    const bool is_max = c->g->nodes[c->node].op == GRAPH_OP_MAX;
    ondol_status status = begin(c, REF_CLASS_NUMBER, &v, err);
    if (status != ONDOL_OK) return status;
    for (uint32_t k = 0; k < c->input_count; k++) {
        const tensor_value *x = c->inputs[k];
        ref_walk w;
        ref_walk_begin(&w, v.rank, v.dims);
        ref_walk_add(&w, x->rank, x->dims);
        for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
            if (k == 0)
                ref_copy_element(v.out, i, x, (uint64_t)w.at[0], NULL);
            else
                keep_best(v.out, x, &w, i, is_max);
        }
    }
    return ONDOL_OK;
}

/* Sum, Mean: floats. */
ondol_status ref_sum_of(plan_call *c, ondol_error *err) {
    variadic v = {0};
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    const double count = c->g->nodes[c->node].op == GRAPH_OP_MEAN ? c->input_count : 1;
    TRY(begin(c, REF_CLASS_FLOAT, &v, err));
    TRY(ref_alloc(c, v.out->elems, sizeof(double), "sums", &memory, err));
    double *sums = memory;
    for (uint64_t i = 0; i < v.out->elems; i++)
        sums[i] = 0;
    for (uint32_t k = 0; k < c->input_count; k++) {
        const tensor_value *x = c->inputs[k];
        ref_walk w;
        ref_walk_begin(&w, v.rank, v.dims);
        ref_walk_add(&w, x->rank, x->dims);
        for (uint64_t i = 0; w.left; ref_walk_next(&w), i++)
            sums[i] += tensor_get_number(x->element, x->data, (uint64_t)w.at[0]);
    }
    for (uint64_t i = 0; i < v.out->elems; i++)
        tensor_set_number(v.out->element, v.out->data, i, sums[i] / count);
done:
    tensor_heap_free(c->heap, memory);
    return status;
}
