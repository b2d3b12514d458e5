/* What kernels of operators share. In: a call. Out: its inputs checked, its outputs made. */
#include "plan/kernel.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "graph/ops.h"
#include "tensor/number.h"

ondol_status plan_call_fail(const plan_call *c, ondol_error *err, const char *format, ...) {
    char text[ONDOL_ERROR_TEXT_BYTES];
    const graph_node *n = c->g->nodes + c->node;
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return base_fail(err, ONDOL_E_FORMAT, "node '%s' (%s): %s", n->name,
                     graph_op_info_of(n->op)->name, text);
}

static ondol_status with_node(const plan_call *c, ondol_status status, ondol_error *err) {
    const graph_node *n = c->g->nodes + c->node;
    if (status == ONDOL_OK) return status;
    return base_prefix(err, status, "node '%s' (%s)", n->name, graph_op_info_of(n->op)->name);
}

ondol_status plan_call_output(plan_call *c, uint32_t i, tensor_element element, uint32_t rank,
                              const int64_t *dims, tensor_value **out, ondol_error *err) {
    tensor_value *v = NULL;
    if (i >= c->output_count) return plan_call_fail(c, err, "it has no output %" PRIu32, i);
    ondol_status status = tensor_value_create(c->heap, element, rank, dims, &v, err);
    if (status != ONDOL_OK) return with_node(c, status, err);
    tensor_value_release(c->outputs[i]);
    c->outputs[i] = v;
    if (out) *out = v;
    return ONDOL_OK;
}

ondol_status plan_call_view(plan_call *c, uint32_t i, uint32_t j, uint32_t rank,
                            const int64_t *dims, ondol_error *err) {
    tensor_value *v = NULL, *from = NULL;
    ondol_status status = plan_call_tensor(c, j, &from, err);
    if (status != ONDOL_OK) return status;
    status = tensor_value_view(from, rank, dims, 0, &v, err);
    if (status != ONDOL_OK) return with_node(c, status, err);
    tensor_value_release(c->outputs[i]);
    c->outputs[i] = v;
    return ONDOL_OK;
}

void plan_call_give(plan_call *c, uint32_t i, tensor_value *v) {
    tensor_value_retain(v);
    tensor_value_release(c->outputs[i]);
    c->outputs[i] = v;
}

bool plan_call_wants(const plan_call *c, uint32_t i) {
    return i < c->output_count && c->g->nodes[c->node].outputs[i] != GRAPH_NONE;
}

ondol_status plan_call_tensor(const plan_call *c, uint32_t i, tensor_value **out,
                              ondol_error *err) {
    tensor_value *v = plan_call_input(c, i);
    if (!v) return plan_call_fail(c, err, "input %" PRIu32 " is missing", i);
    if (v->kind != TENSOR_VALUE_TENSOR) {
        return plan_call_fail(c, err, "input %" PRIu32 " is no tensor", i);
    }
    *out = v;
    return ONDOL_OK;
}

ondol_status plan_call_typed(const plan_call *c, uint32_t i, tensor_element element,
                             tensor_value **out, ondol_error *err) {
    ondol_status status = plan_call_tensor(c, i, out, err);
    if (status != ONDOL_OK) return status;
    if ((*out)->element == element) return ONDOL_OK;
    return plan_call_fail(c, err, "input %" PRIu32 " has elements of type %s, expected %s", i,
                          tensor_element_onnx_name((*out)->element),
                          tensor_element_onnx_name(element));
}

ondol_status plan_call_integers(const plan_call *c, uint32_t i, uint32_t max, int64_t *out,
                                uint32_t *count, ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = plan_call_tensor(c, i, &v, err);
    if (status != ONDOL_OK) return status;
    if (v->element != TENSOR_ELEMENT_I64 && v->element != TENSOR_ELEMENT_I32) {
        return plan_call_fail(c, err, "input %" PRIu32 " has elements of type %s, expected int64",
                              i, tensor_element_onnx_name(v->element));
    }
    if (v->rank > 1 || v->elems > max) {
        return plan_call_fail(c, err,
                              "input %" PRIu32 " has rank %" PRIu32 " and %" PRIu64
                              " elements, expected a list of at most %" PRIu32,
                              i, v->rank, v->elems, max);
    }
    for (uint32_t k = 0; k < v->elems; k++)
        out[k] = tensor_get_integer(v->element, v->data, k);
    *count = (uint32_t)v->elems;
    return ONDOL_OK;
}

ondol_status plan_call_axis(const plan_call *c, int64_t axis, uint32_t rank, uint32_t *out,
                            ondol_error *err) {
    const int64_t from_front = axis < 0 ? axis + rank : axis;
    if (from_front < 0 || from_front >= rank) {
        return plan_call_fail(c, err, "axis %" PRId64 " of a tensor of rank %" PRIu32, axis, rank);
    }
    *out = (uint32_t)from_front;
    return ONDOL_OK;
}

void plan_call_parallel(const plan_call *c, uint32_t count, base_unit run, void *argument) {
    if (c->pool) {
        base_pool_run(c->pool, count, run, argument);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        run(i, 0, argument);
}
