/* Operators on sequences. In: sequences, tensors, positions. Out: sequences that share their items
 * with what they were made of, or an item. */
#include <inttypes.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_list.h"
#include "device/ref/ops/ref_util.h"

ondol_status ref_list_input(const plan_call *c, uint32_t i, tensor_value **out, ondol_error *err) {
    tensor_value *v = plan_call_input(c, i);
    if (!v) return plan_call_fail(c, err, "input %" PRIu32 " is missing", i);
    if (v->kind != TENSOR_VALUE_SEQUENCE) {
        return plan_call_fail(c, err, "input %" PRIu32 " is no sequence", i);
    }
    *out = v;
    return ONDOL_OK;
}

ondol_status ref_list_output(plan_call *c, uint32_t i, tensor_value_kind kind, tensor_value **out,
                             ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = tensor_value_create_list(c->heap, kind, &v, err);
    if (status != ONDOL_OK) return status;
    plan_call_give(c, i, v);
    tensor_value_release(v); /* the output holds it */
    *out = v;
    return ONDOL_OK;
}

ondol_status ref_list_append(const plan_call *c, tensor_value *list, tensor_value *item,
                             ondol_error *err) {
    if (!item) return plan_call_fail(c, err, "item %" PRIu64 " is missing", list->item_count);
    if (item->kind == TENSOR_VALUE_TENSOR && list->element != TENSOR_ELEMENT_UNDEFINED &&
        list->element != item->element) {
        return plan_call_fail(c, err, "a tensor of type %s for a sequence of type %s",
                              tensor_element_onnx_name(item->element),
                              tensor_element_onnx_name(list->element));
    }
    return tensor_value_append(list, item, err);
}

/* Input i, a position among `places`: from the back where it is negative. */
static ondol_status take_position(const plan_call *c, uint32_t i, uint64_t items, uint64_t places,
                                  uint64_t *out, ondol_error *err) {
    int64_t given = 0;
    ondol_status status = ref_scalar_integer(c, i, 0, &given, err);
    if (status != ONDOL_OK) return status;
    const int64_t at = given < 0 ? given + (int64_t)items : given;
    if (at < 0 || (uint64_t)at >= places) {
        return plan_call_fail(
            c, err, "position %" PRId64 " is out of range: the sequence has %" PRIu64 " items",
            given, items);
    }
    *out = (uint64_t)at;
    return ONDOL_OK;
}

ondol_status ref_sequence_at(plan_call *c, ondol_error *err) {
    tensor_value *list = NULL;
    uint64_t at = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_list_input(c, 0, &list, err));
    TRY(take_position(c, 1, list->item_count, list->item_count, &at, err));
    plan_call_give(c, 0, list->items[at]);
done:
    return status;
}

ondol_status ref_sequence_construct(plan_call *c, ondol_error *err) {
    tensor_value *out = NULL;
    ondol_status status = ref_list_output(c, 0, TENSOR_VALUE_SEQUENCE, &out, err);
    for (uint32_t i = 0; i < c->input_count && status == ONDOL_OK; i++)
        status = ref_list_append(c, out, c->inputs[i], err);
    return status;
}

ondol_status ref_sequence_empty(plan_call *c, ondol_error *err) {
    const graph_attribute *dtype = graph_get_attribute(c->g, c->node, "dtype");
    const int64_t element = dtype ? dtype->i : TENSOR_ELEMENT_F32;
    tensor_value *out = NULL;
    if (!tensor_element_valid(element)) {
        return plan_call_fail(c, err, "element type %" PRId64 " is none", element);
    }
    ondol_status status = ref_list_output(c, 0, TENSOR_VALUE_SEQUENCE, &out, err);
    if (status == ONDOL_OK) out->element = (tensor_element)element;
    return status;
}

ondol_status ref_sequence_erase(plan_call *c, ondol_error *err) {
    tensor_value *list = NULL, *out = NULL;
    uint64_t at = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_list_input(c, 0, &list, err));
    if (!list->item_count) return plan_call_fail(c, err, "the sequence is empty");
    at = list->item_count - 1;
    if (plan_call_input(c, 1)) {
        TRY(take_position(c, 1, list->item_count, list->item_count, &at, err));
    }
    TRY(ref_list_output(c, 0, TENSOR_VALUE_SEQUENCE, &out, err));
    out->element = list->element;
    for (uint64_t i = 0; i < list->item_count; i++)
        if (i != at) TRY(tensor_value_append(out, list->items[i], err));
done:
    return status;
}

ondol_status ref_sequence_insert(plan_call *c, ondol_error *err) {
    tensor_value *list = NULL, *item = NULL, *out = NULL;
    uint64_t at = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_list_input(c, 0, &list, err));
    TRY(plan_call_tensor(c, 1, &item, err));
    at = list->item_count;
    if (plan_call_input(c, 2)) {
        TRY(take_position(c, 2, list->item_count, list->item_count + 1, &at, err));
    }
    TRY(ref_list_output(c, 0, TENSOR_VALUE_SEQUENCE, &out, err));
    out->element = list->element;
    for (uint64_t i = 0; i <= list->item_count; i++) {
        if (i == at) TRY(ref_list_append(c, out, item, err));
        if (i < list->item_count) TRY(tensor_value_append(out, list->items[i], err));
    }
done:
    return status;
}

ondol_status ref_sequence_length(plan_call *c, ondol_error *err) {
    tensor_value *list = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_list_input(c, 0, &list, err));
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_I64, 0, NULL, &y, err));
    *(int64_t *)y->data = (int64_t)list->item_count;
done:
    return status;
}
