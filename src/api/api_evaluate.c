/* Small graphs on behalf of the optimizer. In: a graph with one output, its inputs. Out: what the
 * devices' own kernels compute. */
#include "api/api_internal.h"

#include <string.h>

/* What such a graph may hold at once: masks of the longest sequence, a few times. */
#define MAX_BYTES ((uint64_t)1 << 30)

static ondol_status take(const ondol_engine *e, const tensor_value *v, optimize_tensor *out,
                         ondol_error *err) {
    const uint64_t bytes = v->kind == TENSOR_VALUE_TENSOR ? tensor_value_bytes(v) : 0;
    if (v->kind != TENSOR_VALUE_TENSOR || v->element == TENSOR_ELEMENT_STRING) {
        return base_fail(err, ONDOL_E_UNSUPPORTED, "a result that is no tensor of numbers");
    }
    *out = (optimize_tensor){.element = v->element, .rank = v->rank, .elems = v->elems};
    memcpy(out->dims, v->dims, sizeof out->dims);
    out->data = base_alloc(&e->allocator, (size_t)bytes + 1, 1);
    if (!out->data) return base_no_memory(err, "a result", bytes);
    memcpy(out->data, v->data, (size_t)bytes);
    return ONDOL_OK;
}

static ondol_status run(const ondol_engine *e, network *n, const graph *g,
                        const optimize_tensor *inputs, optimize_tensor *out, ondol_error *err) {
    tensor_value **values = base_calloc(&e->allocator, (size_t)g->input_count + 1, sizeof *values);
    tensor_value *result = NULL;
    ondol_status status = ONDOL_OK;
    if (!values) return base_no_memory(err, "inputs", g->input_count * sizeof *values);
    for (uint32_t i = 0; i < g->input_count; i++) {
        const optimize_tensor *t = inputs + i;
        TRY(tensor_value_borrow(network_heap(n), t->element, t->rank, t->dims, t->data, values + i,
                                err));
    }
    TRY(network_run(n, values, &result, err));
    TRY(take(e, result, out, err));
done:
    tensor_value_release(result);
    for (uint32_t i = 0; i < g->input_count; i++)
        tensor_value_release(values[i]);
    base_free(&e->allocator, values);
    return status;
}

ondol_status api_evaluate(void *engine, const graph *g, const optimize_tensor *inputs,
                          optimize_tensor *out, ondol_error *err) {
    const ondol_engine *e = engine;
    const network_options options = {.max_bytes = MAX_BYTES, .max_iterations = 1 << 20};
    network *n = NULL;
    ondol_status status =
        network_create(&e->allocator, g, e->devices, e->device_count, NULL, &options, &n, err);
    if (status == ONDOL_OK) status = run(e, n, g, inputs, out, err);
    network_destroy(n);
    return status;
}
