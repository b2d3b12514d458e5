/* Operators that choose between elements, broadcast: Where, Clip, PRelu, SwiGLU. In: tensors.
 * Out: one of the type of the first that is chosen from. */
#include <inttypes.h>
#include <math.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

static ondol_status same_element(const plan_call *c, const tensor_value *a, const tensor_value *b,
                                 ondol_error *err) {
    if (a->element == b->element) return ONDOL_OK;
    return plan_call_fail(c, err, "its inputs have elements of type %s and %s, expected one type",
                          tensor_element_onnx_name(a->element),
                          tensor_element_onnx_name(b->element));
}

/* Where: any type, strings and complex too. */
ondol_status ref_where(plan_call *c, ondol_error *err) {
    tensor_value *condition = NULL, *x = NULL, *y = NULL, *out = NULL;
    uint32_t rank = 0;
    int64_t dims[TENSOR_MAX_RANK];
    ref_walk w;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_BOOL, &condition, err));
    TRY(plan_call_tensor(c, 1, &x, err));
    TRY(plan_call_tensor(c, 2, &y, err));
    TRY(same_element(c, x, y, err));
    TRY(ref_broadcast(c, (tensor_value *[]){condition, x, y}, 3, &rank, dims, err));
    TRY(plan_call_output(c, 0, x->element, rank, dims, &out, err));
    ref_walk_begin(&w, rank, dims);
    ref_walk_add(&w, condition->rank, condition->dims);
    ref_walk_add(&w, x->rank, x->dims);
    ref_walk_add(&w, y->rank, y->dims);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        const bool first = ((const uint8_t *)condition->data)[w.at[0]] != 0;
        TRY(ref_copy_element(out, i, first ? x : y, (uint64_t)w.at[first ? 1 : 2], err));
    }
done:
    return status;
}

/* A bound of Clip; NULL where it is absent. */
static ondol_status bound(const plan_call *c, uint32_t i, const tensor_value *x, tensor_value **out,
                          ondol_error *err) {
    ondol_status status = ONDOL_OK;
    if (!plan_call_input(c, i)) return ONDOL_OK;
    TRY(plan_call_tensor(c, i, out, err));
    TRY(same_element(c, x, *out, err));
    if ((*out)->elems != 1) {
        status = plan_call_fail(c, err, "input %" PRIu32 " has %" PRIu64 " elements, expected 1", i,
                                (*out)->elems);
    }
done:
    return status;
}

/* Clip: min(max, max(x, min)); a NaN among them is the result. Exact for every type. */
ondol_status ref_clip(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *low = NULL, *high = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_NUMBER, &x, err));
    TRY(bound(c, 1, x, &low, err));
    TRY(bound(c, 2, x, &high, err));
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err));
    const tensor_element e = x->element;
    const bool is_float = tensor_element_kind_of(e) == TENSOR_KIND_FLOAT;
    const uint64_t low_key = low ? ref_order_key(e, low->data, 0) : 0;
    const uint64_t high_key = high ? ref_order_key(e, high->data, 0) : UINT64_MAX;
    const bool high_is_nan = is_float && high && high_key == REF_ORDER_NAN;
    for (uint64_t i = 0; i < x->elems; i++) {
        const uint64_t key = ref_order_key(e, x->data, i);
        const tensor_value *from = low && low_key > key ? low : x;
        const uint64_t from_key = from == low ? low_key : key;
        const bool is_nan = is_float && from_key == REF_ORDER_NAN;
        if (high_is_nan || (!is_nan && high && from_key > high_key)) from = high;
        TRY(ref_copy_element(y, i, from, from == x ? i : 0, err));
    }
done:
    return status;
}

/* PRelu: slope * x below 0; slope broadcasts to x. */
ondol_status ref_prelu(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *slope = NULL, *y = NULL;
    char text[REF_SHAPE_TEXT_BYTES], slope_text[REF_SHAPE_TEXT_BYTES];
    ref_walk w;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_NUMBER, &x, err));
    TRY(ref_input(c, 1, REF_CLASS_NUMBER, &slope, err));
    TRY(same_element(c, x, slope, err));
    if (!ref_broadcasts_to(slope->rank, slope->dims, x->rank, x->dims)) {
        return plan_call_fail(c, err, "the slope's shape %s does not broadcast to %s",
                              ref_shape_text(slope->rank, slope->dims, slope_text),
                              ref_shape_text(x->rank, x->dims, text));
    }
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err));
    const tensor_element e = x->element;
    const bool is_float = tensor_element_kind_of(e) == TENSOR_KIND_FLOAT;
    const bool is_signed = tensor_element_kind_of(e) == TENSOR_KIND_SIGNED;
    ref_walk_begin(&w, x->rank, x->dims);
    ref_walk_add(&w, slope->rank, slope->dims);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        const uint64_t at = (uint64_t)w.at[0];
        if (is_float) {
            const double v = tensor_get_number(e, x->data, i);
            const double scaled = v * tensor_get_number(e, slope->data, at);
            tensor_set_number(e, y->data, i, v < 0 ? scaled : v);
        } else {
            const int64_t v = tensor_get_integer(e, x->data, i);
            const int64_t by = tensor_get_integer(e, slope->data, at);
            const uint64_t scaled = (uint64_t)v * (uint64_t)by;
            tensor_set_integer(e, y->data, i, is_signed && v < 0 ? (int64_t)scaled : v);
        }
    }
done:
    return status;
}

/* SwiGLU: a * sigmoid(alpha * a) * b, no broadcasting. */
ondol_status ref_swiglu(plan_call *c, ondol_error *err) {
    tensor_value *a = NULL, *b = NULL, *y = NULL;
    char text[REF_SHAPE_TEXT_BYTES], other[REF_SHAPE_TEXT_BYTES];
    ondol_status status = ONDOL_OK;
    const double alpha = graph_get_float(c->g, c->node, "alpha");
    TRY(ref_input(c, 0, REF_CLASS_FLOAT, &a, err));
    TRY(ref_input(c, 1, REF_CLASS_FLOAT, &b, err));
    TRY(same_element(c, a, b, err));
    if (!ref_same_dims(a, b)) {
        return plan_call_fail(c, err, "its inputs have the shapes %s and %s, expected the same",
                              ref_shape_text(a->rank, a->dims, text),
                              ref_shape_text(b->rank, b->dims, other));
    }
    TRY(plan_call_output(c, 0, a->element, a->rank, a->dims, &y, err));
    for (uint64_t i = 0; i < a->elems; i++) {
        const double gate = tensor_get_number(a->element, a->data, i);
        const double value = tensor_get_number(b->element, b->data, i);
        tensor_set_number(y->element, y->data, i, gate / (1 + exp(-alpha * gate)) * value);
    }
done:
    return status;
}
