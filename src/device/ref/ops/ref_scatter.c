/* ScatterElements, ScatterND, TensorScatter. In: data, where to write, what. Out: a copy of the
 * data with that written, or added, multiplied, or the larger or smaller kept. */
#include <inttypes.h>
#include <string.h>

#include "device/host_box.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_move.h"
#include "device/ref/ops/ref_number.h"

typedef enum reduction { REDUCE_NONE, REDUCE_ADD, REDUCE_MUL, REDUCE_MAX, REDUCE_MIN } reduction;

static ondol_status read_reduction(const plan_call *c, tensor_element e, reduction *out,
                                   ondol_error *err) {
    static const char *const names[] = {"none", "add", "mul", "max", "min"};
    const char *name = graph_get_string(c->g, c->node, "reduction");
    const ref_class class = ref_class_of(e);
    for (uint32_t i = 0; i < 5; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *out = (reduction)i;
        const bool ordered = *out == REDUCE_MAX || *out == REDUCE_MIN;
        if (*out == REDUCE_NONE || class & (REF_CLASS_NUMBER | REF_CLASS_BOOL) ||
            (class == REF_CLASS_COMPLEX && !ordered)) {
            return ONDOL_OK;
        }
        return plan_call_fail(c, err, "reduction '%s' of elements of type %s", name,
                              tensor_element_onnx_name(e));
    }
    return plan_call_fail(c, err, "reduction '%s', expected none, add, mul, max or min", name);
}

static void combine_complex(tensor_value *y, uint64_t i, const tensor_value *by, uint64_t k,
                            reduction how) {
    const tensor_element part =
        y->element == TENSOR_ELEMENT_C64 ? TENSOR_ELEMENT_F32 : TENSOR_ELEMENT_F64;
    const double a = tensor_get_number(part, y->data, 2 * i);
    const double b = tensor_get_number(part, y->data, 2 * i + 1);
    const double p = tensor_get_number(part, by->data, 2 * k);
    const double q = tensor_get_number(part, by->data, 2 * k + 1);
    tensor_set_number(part, y->data, 2 * i, how == REDUCE_ADD ? a + p : a * p - b * q);
    tensor_set_number(part, y->data, 2 * i + 1, how == REDUCE_ADD ? b + q : a * q + b * p);
}

/* Element i of y and element k of `by`, in y. A NaN of either is what max and min keep. */
static ondol_status combine(tensor_value *y, uint64_t i, const tensor_value *by, uint64_t k,
                            reduction how, ondol_error *err) {
    const tensor_element e = y->element;
    const ref_class class = ref_class_of(e);
    if (how == REDUCE_NONE) return host_move_element(y, i, by, k, err);
    if (how == REDUCE_MAX || how == REDUCE_MIN) {
        const uint64_t a = ref_order_key(e, y->data, i), b = ref_order_key(e, by->data, k);
        const bool nan = class == REF_CLASS_FLOAT && (a == REF_ORDER_NAN || b == REF_ORDER_NAN);
        const bool take = nan ? b == REF_ORDER_NAN : how == REDUCE_MAX ? b > a : b < a;
        return take ? host_move_element(y, i, by, k, err) : ONDOL_OK;
    }
    if (class == REF_CLASS_COMPLEX) {
        combine_complex(y, i, by, k, how);
    } else if (class == REF_CLASS_FLOAT) {
        const double a = tensor_get_number(e, y->data, i), b = tensor_get_number(e, by->data, k);
        tensor_set_number(e, y->data, i, how == REDUCE_ADD ? a + b : a * b);
    } else {
        const uint64_t a = (uint64_t)tensor_get_integer(e, y->data, i);
        const uint64_t b = (uint64_t)tensor_get_integer(e, by->data, k);
        tensor_set_integer(e, y->data, i, (int64_t)(how == REDUCE_ADD ? a + b : a * b));
    }
    return ONDOL_OK;
}

/* Data, indices, updates of one type with the data. */
static ondol_status take_inputs(const plan_call *c, tensor_value **data, tensor_value **indices,
                                tensor_value **updates, reduction *how, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, data, err));
    TRY(ref_input(c, 1, REF_CLASS_SIGNED, indices, err));
    TRY(plan_call_typed(c, 2, (*data)->element, updates, err));
    TRY(read_reduction(c, (*data)->element, how, err));
done:
    return status;
}

ondol_status ref_scatter_elements(plan_call *c, ondol_error *err) {
    tensor_value *data = NULL, *indices = NULL, *updates = NULL, *y = NULL;
    char text[REF_SHAPE_TEXT_BYTES], other[REF_SHAPE_TEXT_BYTES];
    int64_t steps[TENSOR_MAX_RANK];
    reduction how = REDUCE_NONE;
    uint32_t axis = 0;
    ref_walk w;
    ondol_status status = ONDOL_OK;
    TRY(take_inputs(c, &data, &indices, &updates, &how, err));
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), data->rank, &axis, err));
    bool fits = ref_same_dims(indices, updates) && indices->rank == data->rank;
    for (uint32_t d = 0; d < data->rank && fits; d++)
        fits = d == axis || indices->dims[d] <= data->dims[d];
    if (!fits) {
        return plan_call_fail(c, err, "indices of shape %s for data of shape %s",
                              ref_shape_text(indices->rank, indices->dims, text),
                              ref_shape_text(data->rank, data->dims, other));
    }
    TRY(ref_copy_out(c, 0, data, &y, err));
    ref_strides(data->rank, data->dims, steps);
    const int64_t axis_step = steps[axis];
    steps[axis] = 0;
    ref_walk_begin(&w, indices->rank, indices->dims);
    ref_walk_add_strided(&w, steps, 0);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        uint64_t at = 0;
        TRY(ref_index(c, indices, i, axis, data->dims[axis], &at, err));
        TRY(combine(y, (uint64_t)(w.at[0] + (int64_t)at * axis_step), updates, i, how, err));
    }
done:
    return status;
}

/* True when updates have the shape indices[: q - 1] ++ data[depth :]. */
static bool updates_fit(const tensor_value *data, const tensor_value *indices,
                        const tensor_value *updates, uint32_t depth) {
    const uint32_t outer = indices->rank - 1;
    if (updates->rank != outer + data->rank - depth) return false;
    for (uint32_t d = 0; d < updates->rank; d++) {
        const int64_t want = d < outer ? indices->dims[d] : data->dims[d - outer + depth];
        if (updates->dims[d] != want) return false;
    }
    return true;
}

ondol_status ref_scatter_nd(plan_call *c, ondol_error *err) {
    tensor_value *data = NULL, *indices = NULL, *updates = NULL, *y = NULL;
    char text[REF_SHAPE_TEXT_BYTES], other[REF_SHAPE_TEXT_BYTES];
    int64_t steps[TENSOR_MAX_RANK];
    reduction how = REDUCE_NONE;
    ondol_status status = ONDOL_OK;
    TRY(take_inputs(c, &data, &indices, &updates, &how, err));
    const int64_t depth = indices->rank ? indices->dims[indices->rank - 1] : -1;
    if (depth < 0 || depth > data->rank || !updates_fit(data, indices, updates, (uint32_t)depth)) {
        return plan_call_fail(c, err, "indices of shape %s and updates of shape %s do not fit",
                              ref_shape_text(indices->rank, indices->dims, text),
                              ref_shape_text(updates->rank, updates->dims, other));
    }
    TRY(ref_copy_out(c, 0, data, &y, err));
    ref_strides(data->rank, data->dims, steps);
    uint64_t count = 0, run = 0;
    ref_product(indices->rank - 1, indices->dims, &count);
    ref_product(data->rank - (uint32_t)depth, data->dims + depth, &run);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t to = 0;
        for (uint32_t d = 0; d < depth; d++) {
            uint64_t at = 0;
            TRY(ref_index(c, indices, i * (uint64_t)depth + d, d, data->dims[d], &at, err));
            to += at * (uint64_t)steps[d];
        }
        if (!updates->elems) continue;
        if (how == REDUCE_NONE) TRY(ref_move_run(y, to, updates, i * run, run, err));
        for (uint64_t k = 0; how != REDUCE_NONE && k < run; k++)
            TRY(combine(y, to + k, updates, i * run + k, how, err));
    }
done:
    return status;
}

/* Where the update of batch entry b begins. */
static ondol_status write_index(const plan_call *c, uint64_t b, int64_t *out, ondol_error *err) {
    const tensor_value *v = plan_call_input(c, 2);
    *out = v ? tensor_get_integer(v->element, v->data, b) : 0;
    if (*out >= 0) return ONDOL_OK;
    return plan_call_fail(c, err, "write index %" PRId64 " of batch entry %" PRIu64, *out, b);
}

static ondol_status check_caches(const plan_call *c, const tensor_value *past,
                                 const tensor_value *update, uint32_t axis, ondol_error *err) {
    char text[REF_SHAPE_TEXT_BYTES], other[REF_SHAPE_TEXT_BYTES];
    bool fits = axis > 0 && past->rank == update->rank && update->dims[axis] <= past->dims[axis];
    for (uint32_t d = 0; d < past->rank && fits; d++)
        fits = d == axis || past->dims[d] == update->dims[d];
    if (fits) return ONDOL_OK;
    return plan_call_fail(c, err, "an update of shape %s on axis %" PRIu32 " of %s",
                          ref_shape_text(update->rank, update->dims, text), axis,
                          ref_shape_text(past->rank, past->dims, other));
}

ondol_status ref_tensor_scatter(plan_call *c, ondol_error *err) {
    const char *mode = graph_get_string(c->g, c->node, "mode");
    const bool circular = strcmp(mode, "circular") == 0;
    tensor_value *past = NULL, *update = NULL, *indices = NULL, *y = NULL;
    uint32_t axis = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &past, err));
    TRY(plan_call_typed(c, 1, past->element, &update, err));
    if (!circular && strcmp(mode, "linear") != 0) {
        return plan_call_fail(c, err, "mode '%s', expected linear or circular", mode);
    }
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), past->rank, &axis, err));
    TRY(check_caches(c, past, update, axis, err));
    if (plan_call_input(c, 2)) {
        TRY(plan_call_typed(c, 2, TENSOR_ELEMENT_I64, &indices, err));
        if (indices->rank != 1 || indices->dims[0] != past->dims[0]) {
            return plan_call_fail(c, err, "%" PRIu64 " write indices for a batch of %" PRId64,
                                  indices->elems, past->dims[0]);
        }
    }
    TRY(ref_copy_out(c, 0, past, &y, err));
    const ref_split to = ref_split_at(past, axis), from = ref_split_at(update, axis);
    for (uint64_t o = 0; update->elems && o < to.outer; o++) {
        int64_t first = 0;
        const uint64_t batch = o / (to.outer / (uint64_t)past->dims[0]);
        TRY(write_index(c, batch, &first, err));
        if (!circular && (uint64_t)first > to.axis - from.axis) {
            return plan_call_fail(c, err,
                                  "%" PRIu64 " places from %" PRId64 " on of axis %" PRIu32
                                  ", which has %" PRIu64,
                                  from.axis, first, axis, to.axis);
        }
        for (uint64_t i = 0; i < from.axis; i++) {
            const uint64_t at = ((uint64_t)first % to.axis + i) % to.axis;
            TRY(ref_move_run(y, (o * to.axis + (circular ? at : (uint64_t)first + i)) * to.inner,
                             update, (o * from.axis + i) * to.inner, to.inner, err));
        }
    }
done:
    return status;
}
