/* SplitToSequence, ConcatFromSequence. In: a tensor, or a sequence of tensors. Out: a sequence of
 * its parts along an axis, or one tensor of them. */
#include <inttypes.h>
#include <string.h>

#include "device/host_box.h"
#include "device/host_ops.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_list.h"
#include "device/ref/ops/ref_number.h"

typedef struct splitting {
    tensor_value *x, *out;
    uint32_t axis;
    bool drop_axis; /* parts of 1 lose their dimension */
} splitting;

/* Appends places [first, first + size) of the axis. */
static ondol_status append_part(plan_call *c, const splitting *s, int64_t first, int64_t size,
                                ondol_error *err) {
    tensor_value *x = s->x, *part = NULL;
    int64_t dims[TENSOR_MAX_RANK];
    ondol_status status = ONDOL_OK;
    memcpy(dims, x->dims, sizeof dims);
    dims[s->axis] = size;
    const ref_split shape = ref_split_at(x, s->axis);
    if (shape.outer == 1) {
        TRY(tensor_value_view(x, x->rank, dims, (uint64_t)first * shape.inner, &part, err));
    } else {
        host_box box = {.rank = x->rank};
        TRY(tensor_value_create(c->heap, x->element, x->rank, dims, &part, err));
        memcpy(box.dims, dims, sizeof dims);
        host_dense_steps(x->rank, dims, box.dst_step);
        host_dense_steps(x->rank, x->dims, box.src_step);
        box.src_start = first * box.src_step[s->axis];
        if (part->elems) TRY(host_box_move(c, &box, part, x, err));
    }
    if (s->drop_axis) {
        tensor_value *flat = NULL;
        memmove(dims + s->axis, dims + s->axis + 1, (x->rank - s->axis - 1) * sizeof *dims);
        TRY(tensor_value_view(part, x->rank - 1, dims, 0, &flat, err));
        tensor_value_release(part);
        part = flat;
    }
    status = tensor_value_append(s->out, part, err);
done:
    tensor_value_release(part);
    return status;
}

/* Parts of one size, the last one of what is left. */
static ondol_status split_evenly(plan_call *c, const splitting *s, int64_t size, ondol_error *err) {
    const int64_t whole = s->x->dims[s->axis];
    if (size < 1) return plan_call_fail(c, err, "parts of %" PRId64, size);
    /* Every part is a value of its own, also one without elements. */
    const uint64_t parts = (uint64_t)(whole / size) + (whole % size != 0);
    if (parts > s->x->elems && parts > (uint64_t)1 << 20) {
        return base_fail(err, ONDOL_E_LIMIT,
                         "node '%s' (SplitToSequence): %" PRIu64 " parts of a tensor of %" PRIu64
                         " elements",
                         c->g->nodes[c->node].name, parts, s->x->elems);
    }
    for (int64_t at = 0; at < whole;) {
        const int64_t take = whole - at < size ? whole - at : size;
        ondol_status status = append_part(c, s, at, take, err);
        if (status != ONDOL_OK) return status;
        at += take;
    }
    return ONDOL_OK;
}

static ondol_status split_by_list(plan_call *c, const splitting *s, const tensor_value *sizes,
                                  ondol_error *err) {
    const int64_t whole = s->x->dims[s->axis];
    int64_t at = 0;
    for (uint64_t i = 0; i < sizes->elems; i++) {
        const int64_t size = tensor_get_integer(sizes->element, sizes->data, i);
        if (size < 0 || size > whole - at) {
            return plan_call_fail(
                c, err, "part %" PRIu64 " of %" PRId64 ", but %" PRId64 " of %" PRId64 " are left",
                i, size, whole - at, whole);
        }
        ondol_status status = append_part(c, s, at, size, err);
        if (status != ONDOL_OK) return status;
        at += size;
    }
    if (at == whole) return ONDOL_OK;
    return plan_call_fail(c, err, "the parts leave %" PRId64 " of %" PRId64, whole - at, whole);
}

ondol_status ref_split_to_sequence(plan_call *c, ondol_error *err) {
    tensor_value *sizes = plan_call_input(c, 1);
    splitting s = {0};
    int64_t size = 1;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &s.x, err));
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), s.x->rank, &s.axis, err));
    s.drop_axis = !sizes && !graph_get_int(c->g, c->node, "keepdims");
    if (sizes) TRY(ref_input(c, 1, REF_CLASS_SIGNED, &sizes, err));
    TRY(ref_list_output(c, 0, TENSOR_VALUE_SEQUENCE, &s.out, err));
    s.out->element = s.x->element;
    if (sizes && sizes->rank == 1) {
        TRY(split_by_list(c, &s, sizes, err));
    } else {
        TRY(ref_scalar_integer(c, 1, 1, &size, err));
        TRY(split_evenly(c, &s, size, err));
    }
done:
    return status;
}

/* Views of all items with a dimension of 1 at the axis. */
static ondol_status add_axis(const plan_call *c, const tensor_value *list, tensor_value **views,
                             ondol_error *err) {
    for (uint64_t i = 0; i < list->item_count; i++) {
        tensor_value *x = list->items[i];
        int64_t dims[TENSOR_MAX_RANK + 1] = {0};
        uint32_t axis = 0;
        ondol_status status =
            plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), x->rank + 1, &axis, err);
        if (status != ONDOL_OK) return status;
        for (uint32_t d = 0; d <= x->rank; d++)
            dims[d] = d == axis ? 1 : x->dims[d - (d > axis)];
        status = tensor_value_view(x, x->rank + 1, dims, 0, views + i, err);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

/* The items become the inputs of a Concat, whose axis has the same name. */
ondol_status ref_concat_from_sequence(plan_call *c, ondol_error *err) {
    tensor_value *list = NULL, **views = NULL;
    plan_call concat = *c;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_list_input(c, 0, &list, err));
    if (!list->item_count || list->item_count > UINT32_MAX) {
        return plan_call_fail(c, err, "a sequence of %" PRIu64 " tensors", list->item_count);
    }
    for (uint64_t i = 0; i < list->item_count; i++) {
        if (list->items[i]->kind != TENSOR_VALUE_TENSOR) {
            return plan_call_fail(c, err, "item %" PRIu64 " is no tensor", i);
        }
    }
    concat.inputs = list->items;
    concat.input_count = (uint32_t)list->item_count;
    if (graph_get_int(c->g, c->node, "new_axis")) {
        TRY(ref_alloc(c, list->item_count, sizeof *views, "views", &memory, err));
        views = memory;
        memset(views, 0, list->item_count * sizeof *views);
        TRY(add_axis(c, list, views, err));
        concat.inputs = views;
    }
    TRY(host_concat(&concat, err));
done:
    for (uint64_t i = 0; views && i < list->item_count; i++)
        tensor_value_release(views[i]);
    tensor_heap_free(c->heap, memory);
    return status;
}
