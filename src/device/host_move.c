/* Operators that move elements in boxes. In: tensors of any type. Out: their elements elsewhere. */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "device/host_box.h"
#include "device/host_ops.h"

/* Whether axes that lie at these places in memory, in this order, stay as they lie: dimensions of 1
 * may go anywhere. */
static bool in_order(const int64_t *dims, const uint32_t *places, const uint32_t *axes,
                     uint32_t rank) {
    uint32_t next = 0;
    for (uint32_t i = 0; i < rank; i++) {
        if (dims[axes[i]] == 1) continue;
        if (places[axes[i]] < next) return false;
        next = places[axes[i]];
    }
    return true;
}

/* Gives a view where the permuted axes of x lie in memory as those of a dense tensor do, or of an
 * image with channels last. */
static ondol_status turn_in_place(plan_call *c, const tensor_value *x, const uint32_t *axes,
                                  bool *done, ondol_error *err) {
    const uint32_t rank = x->rank;
    uint32_t places[TENSOR_MAX_RANK], last[TENSOR_MAX_RANK];
    int64_t dims[TENSOR_MAX_RANK];
    for (uint32_t i = 0; i < rank; i++) {
        places[i] = x->channels_last && i > 0 ? (i == 1 ? rank - 1 : i - 1) : i;
        dims[i] = x->dims[axes[i]];
        last[i] = axes[i == 0 ? 0 : i == rank - 1 ? 1 : i + 1];
    }
    const bool dense = in_order(x->dims, places, axes, rank);
    const bool turned = !dense && tensor_value_can_turn(x) && in_order(x->dims, places, last, rank);
    *done = dense || turned;
    if (!*done) return ONDOL_OK;
    ondol_status status = plan_call_view(c, 0, 0, rank, dims, err);
    if (status == ONDOL_OK) c->outputs[0]->channels_last = turned;
    return status;
}

ondol_status host_transpose(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    host_box box = {0};
    int64_t steps[TENSOR_MAX_RANK];
    uint32_t axes[TENSOR_MAX_RANK];
    bool seen[TENSOR_MAX_RANK] = {false}, done = false;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    const graph_attribute *perm = graph_get_attribute(c->g, c->node, "perm");
    if (perm && perm->int_count != x->rank) {
        return plan_call_fail(c, err, "perm has %" PRIu32 " axes, the input %" PRIu32,
                              perm->int_count, x->rank);
    }
    box.rank = x->rank;
    host_value_steps(x, steps);
    for (uint32_t i = 0; i < x->rank; i++) {
        uint32_t from = x->rank - 1 - i;
        if (perm) TRY(plan_call_axis(c, perm->ints[i], x->rank, &from, err));
        if (seen[from]) return plan_call_fail(c, err, "axis %" PRIu32 " twice in perm", from);
        seen[from] = true;
        axes[i] = from;
        box.dims[i] = x->dims[from];
        box.src_step[i] = steps[from];
    }
    TRY(turn_in_place(c, x, axes, &done, err));
    if (done) return ONDOL_OK;
    TRY(plan_call_output(c, 0, x->element, x->rank, box.dims, &y, err));
    host_dense_steps(y->rank, y->dims, box.dst_step);
    TRY(host_box_move(c, &box, y, x, err));
done:
    return status;
}

ondol_status host_expand(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    host_box box = {0};
    int64_t shape[TENSOR_MAX_RANK], steps[TENSOR_MAX_RANK];
    uint32_t count = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(plan_call_integers(c, 1, TENSOR_MAX_RANK, shape, &count, err));
    box.rank = count > x->rank ? count : x->rank;
    host_dense_steps(x->rank, x->dims, steps);
    for (uint32_t i = 0; i < box.rank; i++) {
        const int64_t want = i + count < box.rank ? 1 : shape[i + count - box.rank];
        const int64_t have = i + x->rank < box.rank ? 1 : x->dims[i + x->rank - box.rank];
        if (want != have && want != 1 && have != 1) {
            return plan_call_fail(
                c, err, "dimension %" PRIu32 " of %" PRId64 " does not expand to %" PRId64, i, have,
                want);
        }
        box.dims[i] = have == 1 ? want : have;
        box.src_step[i] = have == 1 ? 0 : steps[i + x->rank - box.rank];
    }
    TRY(plan_call_output(c, 0, x->element, box.rank, box.dims, &y, err));
    host_dense_steps(y->rank, y->dims, box.dst_step);
    TRY(host_box_move(c, &box, y, x, err));
done:
    return status;
}

ondol_status host_tile(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    host_box box = {0};
    int64_t repeats[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK], steps[TENSOR_MAX_RANK];
    int64_t out_steps[TENSOR_MAX_RANK];
    uint32_t count = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(plan_call_integers(c, 1, TENSOR_MAX_RANK, repeats, &count, err));
    if (count != x->rank) {
        return plan_call_fail(c, err, "%" PRIu32 " repeats for rank %" PRIu32, count, x->rank);
    }
    for (uint32_t i = 0; i < x->rank; i++) {
        uint64_t size = 0;
        if (repeats[i] < 0 || !base_mul((uint64_t)repeats[i], (uint64_t)x->dims[i], &size) ||
            size > INT64_MAX) {
            return plan_call_fail(c, err, "%" PRId64 " repeats of %" PRId64, repeats[i],
                                  x->dims[i]);
        }
        dims[i] = (int64_t)size;
    }
    TRY(plan_call_output(c, 0, x->element, x->rank, dims, &y, err));
    host_dense_steps(x->rank, x->dims, steps);
    host_dense_steps(y->rank, y->dims, out_steps);
    box.rank = 2 * x->rank;
    for (uint32_t i = 0; i < x->rank; i++) {
        box.dims[2 * i] = repeats[i];
        box.dst_step[2 * i] = out_steps[i] * x->dims[i];
        box.dims[2 * i + 1] = x->dims[i];
        box.dst_step[2 * i + 1] = out_steps[i];
        box.src_step[2 * i + 1] = steps[i];
    }
    if (y->elems) TRY(host_box_move(c, &box, y, x, err));
done:
    return status;
}

ondol_status host_concat(plan_call *c, ondol_error *err) {
    tensor_value *first = NULL, *x = NULL, *y = NULL;
    int64_t dims[TENSOR_MAX_RANK], at = 0;
    uint32_t axis = 0;
    uint64_t total = 0;
    bool last = false;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &first, err));
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), first->rank, &axis, err));
    memcpy(dims, first->dims, sizeof dims);
    for (uint32_t i = 0; i < c->input_count; i++) {
        TRY(plan_call_typed(c, i, first->element, &x, err));
        bool fits = x->rank == first->rank;
        for (uint32_t d = 0; d < first->rank && fits; d++)
            fits = d == axis || x->dims[d] == first->dims[d];
        if (!fits || !base_add(total, (uint64_t)x->dims[axis], &total) || total > INT64_MAX) {
            return plan_call_fail(c, err,
                                  "input %" PRIu32 " differs from the first in more than "
                                  "axis %" PRIu32,
                                  i, axis);
        }
        last = last || x->channels_last;
    }
    dims[axis] = (int64_t)total;
    TRY(plan_call_output(c, 0, first->element, first->rank, dims, &y, err));
    y->channels_last = last;
    for (uint32_t i = 0; i < c->input_count && y->elems; i++) {
        host_box box = {.rank = first->rank};
        x = c->inputs[i];
        memcpy(box.dims, x->dims, x->rank * sizeof *box.dims);
        host_value_steps(y, box.dst_step);
        host_value_steps(x, box.src_step);
        box.dst_start = at * box.dst_step[axis];
        if (last) host_box_channels_last(&box);
        TRY(host_box_move(c, &box, y, x, err));
        at += x->dims[axis];
    }
done:
    return status;
}

/* Sizes of the parts: input 1, or as even as can be, the last one smaller. */
static ondol_status split_sizes(const plan_call *c, int64_t whole, int64_t *sizes,
                                ondol_error *err) {
    const int64_t parts = c->output_count;
    tensor_value *given = plan_call_input(c, 1);
    int64_t left = whole;
    if (given) {
        uint32_t count = 0;
        ondol_status status = plan_call_integers(c, 1, c->output_count, sizes, &count, err);
        if (status != ONDOL_OK) return status;
        if (count != c->output_count) {
            return plan_call_fail(c, err, "%" PRIu32 " sizes for %" PRId64 " outputs", count,
                                  parts);
        }
    }
    const int64_t even = whole / parts + (whole % parts != 0);
    for (int64_t i = 0; i < parts; i++) {
        if (!given) sizes[i] = left < even ? left : even;
        if (sizes[i] < 0 || sizes[i] > left) {
            return plan_call_fail(c, err,
                                  "part %" PRId64 " of %" PRId64 ", but %" PRId64 " are left", i,
                                  sizes[i], left);
        }
        left -= sizes[i];
    }
    if (!left) return ONDOL_OK;
    return plan_call_fail(c, err, "the parts leave %" PRId64 " of %" PRId64, left, whole);
}

ondol_status host_split(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    int64_t *sizes = NULL, at = 0;
    void *memory = NULL;
    uint32_t axis = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), x->rank, &axis, err));
    TRY(tensor_heap_alloc(c->heap, c->output_count * sizeof *sizes, "sizes", &memory, err));
    sizes = memory;
    TRY(split_sizes(c, x->dims[axis], sizes, err));
    for (uint32_t i = 0; i < c->output_count; i++) {
        host_box box = {.rank = x->rank};
        memcpy(box.dims, x->dims, x->rank * sizeof *box.dims);
        box.dims[axis] = sizes[i];
        TRY(plan_call_output(c, i, x->element, x->rank, box.dims, &y, err));
        y->channels_last = x->channels_last;
        host_value_steps(y, box.dst_step);
        host_value_steps(x, box.src_step);
        box.src_start = at * box.src_step[axis];
        if (x->channels_last) host_box_channels_last(&box);
        if (y->elems) TRY(host_box_move(c, &box, y, x, err));
        at += sizes[i];
    }
done:
    tensor_heap_free(c->heap, memory);
    return status;
}

/* One axis of a slice: where it begins, how many places, how far from one to the next. */
static int64_t slice_axis(int64_t size, int64_t *start, int64_t end, int64_t step) {
    const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    int64_t from = *start;
    if (from < 0) from = from < -size ? (step > 0 ? 0 : -1) : from + size;
    if (end < 0) end = end < -size ? low : end + size;
    from = from > high ? high : from;
    end = end > size ? size : end;
    *start = from;
    if (step > 0) return end > from ? (end - from - 1) / step + 1 : 0;
    return from > end ? (int64_t)(((uint64_t)from - (uint64_t)end - 1) / (0 - (uint64_t)step)) + 1
                      : 0;
}

/* A slice of everything, in its order. */
static bool is_whole(const host_box *box, const tensor_value *x) {
    int64_t steps[TENSOR_MAX_RANK];
    host_value_steps(x, steps);
    bool whole = box->src_start == 0;
    for (uint32_t i = 0; i < x->rank && whole; i++)
        whole = box->dims[i] == x->dims[i] && box->src_step[i] == steps[i];
    return whole;
}

ondol_status host_slice(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    int64_t starts[TENSOR_MAX_RANK], ends[TENSOR_MAX_RANK], axes[TENSOR_MAX_RANK];
    int64_t strides[TENSOR_MAX_RANK];
    uint32_t count = 0, end_count = 0, axis_count = 0, step_count = 0;
    bool seen[TENSOR_MAX_RANK] = {false};
    host_box box = {0};
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(plan_call_integers(c, 1, TENSOR_MAX_RANK, starts, &count, err));
    TRY(plan_call_integers(c, 2, TENSOR_MAX_RANK, ends, &end_count, err));
    if (plan_call_input(c, 3)) {
        TRY(plan_call_integers(c, 3, TENSOR_MAX_RANK, axes, &axis_count, err));
    }
    if (plan_call_input(c, 4)) {
        TRY(plan_call_integers(c, 4, TENSOR_MAX_RANK, strides, &step_count, err));
    }
    if (end_count != count || (plan_call_input(c, 3) && axis_count != count) ||
        (plan_call_input(c, 4) && step_count != count) || count > x->rank) {
        return plan_call_fail(
            c, err, "%" PRIu32 " starts, %" PRIu32 " ends, %" PRIu32 " axes, %" PRIu32 " steps",
            count, end_count, axis_count, step_count);
    }
    box.rank = x->rank;
    memcpy(box.dims, x->dims, x->rank * sizeof *box.dims);
    host_value_steps(x, box.src_step);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t axis = i;
        const int64_t step = plan_call_input(c, 4) ? strides[i] : 1;
        if (plan_call_input(c, 3)) TRY(plan_call_axis(c, axes[i], x->rank, &axis, err));
        if (step == 0 || seen[axis]) {
            return plan_call_fail(c, err, "axis %" PRIu32 ": %s", axis,
                                  step ? "listed twice" : "a step of 0");
        }
        seen[axis] = true;
        const int64_t places = slice_axis(x->dims[axis], starts + i, ends[i], step);
        box.dims[axis] = places;
        if (places > 0) box.src_start += starts[i] * box.src_step[axis];
        if (places > 1) box.src_step[axis] *= step;
    }
    if (is_whole(&box, x)) {
        plan_call_give(c, 0, x);
        return ONDOL_OK;
    }
    TRY(plan_call_output(c, 0, x->element, x->rank, box.dims, &y, err));
    y->channels_last = x->channels_last;
    host_value_steps(y, box.dst_step);
    if (y->channels_last) host_box_channels_last(&box);
    if (y->elems) TRY(host_box_move(c, &box, y, x, err));
done:
    return status;
}

ondol_status host_constant_of_shape(plan_call *c, ondol_error *err) {
    static const float zero = 0;
    const graph_attribute *a = graph_get_attribute(c->g, c->node, "value");
    tensor_value *y = NULL, *value = NULL;
    int64_t dims[TENSOR_MAX_RANK];
    const int64_t one = 1;
    uint32_t rank = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_integers(c, 0, TENSOR_MAX_RANK, dims, &rank, err));
    uint64_t elems = 1;
    if (a && (!graph_shape_elements(&a->tensors->shape, &elems) || elems != 1)) {
        return plan_call_fail(c, err, "value has %" PRIu64 " elements, expected one", elems);
    }
    TRY(tensor_value_borrow(c->heap, a ? a->tensors->element : TENSOR_ELEMENT_F32, 1, &one,
                            a ? a->tensors->data : &zero, &value, err));
    TRY(plan_call_output(c, 0, value->element, rank, dims, &y, err));
    TRY(host_fill(y, 0, y->elems, value, 0, err));
done:
    tensor_value_release(value);
    return status;
}

/* Both ways between [N, C, H, W] and [N, C / b^2, H b, W b] are a box of six dimensions. */
static ondol_status move_blocks(plan_call *c, bool to_space, bool depth_first, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    const int64_t b = graph_get_int(c->g, c->node, "blocksize");
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    const bool fits =
        x->rank == 4 && b > 0 && b < 1 << 15 &&
        (to_space ? x->dims[1] % (b * b) == 0 : x->dims[2] % b == 0 && x->dims[3] % b == 0);
    if (!fits) return plan_call_fail(c, err, "a block of %" PRId64 " does not fit the input", b);
    const int64_t depth = to_space ? x->dims[1] / (b * b) : x->dims[1];
    const int64_t height = to_space ? x->dims[2] : x->dims[2] / b;
    const int64_t width = to_space ? x->dims[3] : x->dims[3] / b;
    const int64_t dims[4] = {x->dims[0], to_space ? depth : depth * b * b,
                             to_space ? height * b : height, to_space ? width * b : width};
    TRY(plan_call_output(c, 0, x->element, 4, dims, &y, err));
    /* n, block row, block column, depth, row, column; deep: where channels are many. */
    const int64_t plane = height * width, block = depth_first ? 1 : depth;
    const int64_t deep[6] = {depth * b * b * plane,
                             b * block * plane,
                             block * plane,
                             (depth_first ? b * b : 1) * plane,
                             width,
                             1};
    const int64_t wide[6] = {depth * b * b * plane, width * b, 1, plane * b * b, width * b * b, b};
    host_box box = {.rank = 6, .dims = {x->dims[0], b, b, depth, height, width}};
    memcpy(box.src_step, to_space ? deep : wide, sizeof deep);
    memcpy(box.dst_step, to_space ? wide : deep, sizeof deep);
    if (y->elems) TRY(host_box_move(c, &box, y, x, err));
done:
    return status;
}

ondol_status host_depth_to_space(plan_call *c, ondol_error *err) {
    return move_blocks(c, true, strcmp(graph_get_string(c->g, c->node, "mode"), "CRD") == 0, err);
}

ondol_status host_space_to_depth(plan_call *c, ondol_error *err) {
    return move_blocks(c, false, strcmp(graph_get_string(c->g, c->node, "mode"), "CRD") == 0, err);
}
