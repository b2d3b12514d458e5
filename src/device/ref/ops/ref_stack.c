/* Stacks. In: a tensor of each iteration. Out: one tensor with a dimension more. */
#include "device/ref/ops/ref_stack.h"

#include <inttypes.h>
#include <string.h>

#include "device/host_box.h"

ondol_status ref_stack_add(const plan_call *c, ref_stack *s, tensor_value *v, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    if (v->kind != TENSOR_VALUE_TENSOR) return plan_call_fail(c, err, "a scan output is no tensor");
    if (!s->list) {
        status = tensor_value_create_list(c->heap, TENSOR_VALUE_SEQUENCE, &s->list, err);
        if (status != ONDOL_OK) return status;
    }
    const tensor_value *first = s->list->item_count ? s->list->items[0] : v;
    if (first->element != v->element || first->rank != v->rank ||
        memcmp(first->dims, v->dims, v->rank * sizeof *v->dims) != 0) {
        return plan_call_fail(c, err, "iteration %" PRIu64 " gives a scan output of another shape",
                              s->list->item_count);
    }
    return tensor_value_append(s->list, v, err);
}

/* No iteration: dimensions that the body leaves open are 0. */
static ondol_status give_none(plan_call *c, uint32_t i, const graph_value *like, ondol_error *err) {
    int64_t dims[TENSOR_MAX_RANK] = {0};
    const uint32_t rank = like->shape.rank == GRAPH_RANK_UNKNOWN ? 0 : like->shape.rank;
    if (rank + 1 > TENSOR_MAX_RANK) return plan_call_fail(c, err, "a scan output of rank %u", rank);
    for (uint32_t d = 0; d < rank; d++)
        dims[d + 1] = like->shape.dims[d] < 0 ? 0 : like->shape.dims[d];
    const tensor_element e =
        like->element == TENSOR_ELEMENT_UNDEFINED ? TENSOR_ELEMENT_F32 : like->element;
    return plan_call_output(c, i, e, rank + 1, dims, NULL, err);
}

ondol_status ref_stack_give(plan_call *c, ref_stack *s, uint32_t i, int64_t axis, bool reversed,
                            const graph_value *like, ondol_error *err) {
    if (!s->list || !s->list->item_count) return give_none(c, i, like, err);
    const tensor_value *first = s->list->items[0];
    const int64_t count = (int64_t)s->list->item_count;
    int64_t dims[TENSOR_MAX_RANK], steps[TENSOR_MAX_RANK];
    uint32_t at = 0;
    tensor_value *y = NULL;
    if (first->rank + 1 > TENSOR_MAX_RANK)
        return plan_call_fail(c, err, "a scan output of rank %u", first->rank);
    ondol_status status = plan_call_axis(c, axis, first->rank + 1, &at, err);
    if (status != ONDOL_OK) return status;
    for (uint32_t d = 0; d <= first->rank; d++)
        dims[d] = d == at ? count : first->dims[d - (d > at)];
    status = plan_call_output(c, i, first->element, first->rank + 1, dims, &y, err);
    if (status != ONDOL_OK) return status;
    host_dense_steps(y->rank, y->dims, steps);
    for (int64_t k = 0; k < count && status == ONDOL_OK && y->elems; k++) {
        host_box box = {.rank = first->rank,
                        .dst_start = (reversed ? count - 1 - k : k) * steps[at]};
        memcpy(box.dims, first->dims, first->rank * sizeof *box.dims);
        for (uint32_t d = 0; d < first->rank; d++)
            box.dst_step[d] = steps[d + (d >= at)];
        host_dense_steps(first->rank, first->dims, box.src_step);
        status = host_box_move(c, &box, y, s->list->items[k], err);
    }
    return status;
}

void ref_stack_drop(ref_stack *s) {
    tensor_value_release(s->list);
    s->list = NULL;
}
