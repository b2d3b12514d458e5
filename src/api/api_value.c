/* Values of networks. In: data, or ONNX's messages. Out: counted values; and what they hold. */
#include "api/api_value.h"

#include <inttypes.h>
#include <string.h>

#include "api/api_internal.h"
#include "models/onnx_value.h"

const char *ondol_element_name(ondol_element element) {
    return tensor_element_onnx_name((tensor_element)element);
}

unsigned ondol_element_bits(ondol_element element) {
    return tensor_element_bits((tensor_element)element);
}

static ondol_status check_element(ondol_element element, size_t rank, ondol_error *err) {
    if (!tensor_element_valid((int64_t)element)) {
        return base_fail(err, ONDOL_E_ARGUMENT, "element type %d is none", (int)element);
    }
    if (rank <= TENSOR_MAX_RANK) return ONDOL_OK;
    return base_fail(err, ONDOL_E_LIMIT, "rank %zu, expected at most %d", rank, TENSOR_MAX_RANK);
}

ondol_status ondol_value_create(ondol_network *owner, ondol_element element, size_t rank,
                                const int64_t *dims, const void *data, ondol_value **out,
                                ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = check_element(element, rank, err);
    if (status != ONDOL_OK) return status;
    status = tensor_value_create(api_network_heap(owner), (tensor_element)element, (uint32_t)rank,
                                 dims, &v, err);
    if (status != ONDOL_OK) return status;
    const size_t size = (size_t)tensor_value_bytes(v);
    if (element != ONDOL_ELEMENT_STRING && data)
        memcpy(v->data, data, size);
    else if (element != ONDOL_ELEMENT_STRING)
        memset(v->data, 0, size);
    *out = api_value_from(v);
    return ONDOL_OK;
}

ondol_status ondol_value_borrow(ondol_network *owner, ondol_element element, size_t rank,
                                const int64_t *dims, const void *data, ondol_value **out,
                                ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = check_element(element, rank, err);
    if (status != ONDOL_OK) return status;
    if (element == ONDOL_ELEMENT_STRING) {
        return base_fail(err, ONDOL_E_ARGUMENT, "strings cannot be borrowed");
    }
    status = tensor_value_borrow(api_network_heap(owner), (tensor_element)element, (uint32_t)rank,
                                 dims, data, &v, err);
    if (status == ONDOL_OK) *out = api_value_from(v);
    return status;
}

ondol_status ondol_value_create_list(ondol_network *owner, ondol_value_kind kind, ondol_value **out,
                                     ondol_error *err) {
    tensor_value *v = NULL;
    if (kind != ONDOL_VALUE_SEQUENCE && kind != ONDOL_VALUE_OPTIONAL && kind != ONDOL_VALUE_MAP) {
        return base_fail(err, ONDOL_E_ARGUMENT, "kind %d is no list", (int)kind);
    }
    ondol_status status =
        tensor_value_create_list(api_network_heap(owner), (tensor_value_kind)kind, &v, err);
    if (status == ONDOL_OK) *out = api_value_from(v);
    return status;
}

ondol_status ondol_value_append(ondol_value *list, ondol_value *item, ondol_error *err) {
    tensor_value *to = api_value_of(list), *v = api_value_of(item);
    const bool full = (to->kind == TENSOR_VALUE_OPTIONAL && to->item_count == 1) ||
                      (to->kind == TENSOR_VALUE_MAP && to->item_count == 2);
    if (to->kind == TENSOR_VALUE_TENSOR || full || to->heap != v->heap || to == v) {
        return base_fail(err, ONDOL_E_ARGUMENT, "the item cannot be appended to this value");
    }
    return tensor_value_append(to, v, err);
}

ondol_status ondol_value_from_protobuf(ondol_network *owner, size_t input, const void *bytes,
                                       size_t size, ondol_value **out, ondol_error *err) {
    tensor_value *v = NULL;
    const graph_value *port = api_network_input_value(owner, input);
    if (!port) return base_fail(err, ONDOL_E_ARGUMENT, "there is no input %zu", input);
    ondol_status status =
        models_value_from_onnx(api_network_heap(owner), port->type_kind, bytes, size, &v, err);
    if (status == ONDOL_OK) *out = api_value_from(v);
    return status;
}

ondol_value *ondol_value_retain(ondol_value *value) {
    tensor_value_retain(api_value_of(value));
    return value;
}

void ondol_value_release(ondol_value *value) {
    tensor_value_release(api_value_of(value));
}

ondol_status ondol_value_get_info(const ondol_value *value, ondol_value_info *out,
                                  ondol_error *err) {
    const tensor_value *v = api_value_view(value);
    ondol_value_info info = {.kind = (ondol_value_kind)v->kind, .items = (size_t)v->item_count};
    if (v->kind == TENSOR_VALUE_TENSOR) {
        info.element = (ondol_element)v->element;
        info.rank = v->rank;
        memcpy(info.dims, v->dims, v->rank * sizeof *info.dims);
        info.elements = v->elems;
        if (v->element != TENSOR_ELEMENT_STRING) {
            info.data = v->data;
            info.size_bytes = tensor_value_bytes(v);
        }
    }
    return api_info_give(&info, sizeof info, out, err);
}

ondol_value *ondol_value_item(const ondol_value *value, size_t index) {
    const tensor_value *v = api_value_view(value);
    return index < v->item_count ? api_value_from(v->items[index]) : NULL;
}

static ondol_status check_string(const tensor_value *v, uint64_t index, ondol_error *err) {
    if (v->kind != TENSOR_VALUE_TENSOR || v->element != TENSOR_ELEMENT_STRING) {
        return base_fail(err, ONDOL_E_ARGUMENT, "the value is no tensor of strings");
    }
    if (index < v->elems) return ONDOL_OK;
    return base_fail(err, ONDOL_E_ARGUMENT, "element %" PRIu64 ": there are %" PRIu64, index,
                     v->elems);
}

ondol_status ondol_value_string(const ondol_value *value, uint64_t index, const char **text,
                                size_t *text_bytes, ondol_error *err) {
    const tensor_value *v = api_value_view(value);
    ondol_status status = check_string(v, index, err);
    if (status != ONDOL_OK) return status;
    const tensor_string *s = (const tensor_string *)v->data + index;
    *text = s->text;
    *text_bytes = s->size_bytes;
    return ONDOL_OK;
}

ondol_status ondol_value_set_string(ondol_value *value, uint64_t index, const char *text,
                                    size_t text_bytes, ondol_error *err) {
    tensor_value *v = api_value_of(value);
    ondol_status status = check_string(v, index, err);
    if (status != ONDOL_OK) return status;
    return tensor_value_set_string(v, index, text, text_bytes, err);
}
