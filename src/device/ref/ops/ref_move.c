/* Runs of elements. In: tensors of any type. Out: elements moved or cleared; indices checked. */
#include "device/ref/ops/ref_move.h"

#include <inttypes.h>
#include <string.h>

#include "device/host_box.h"
#include "tensor/number.h"

ondol_status ref_move_run(tensor_value *dst, uint64_t to, const tensor_value *src, uint64_t from,
                          uint64_t count, ondol_error *err) {
    const unsigned bits = tensor_element_bits(dst->element);
    ondol_status status = ONDOL_OK;
    if (!count) return ONDOL_OK;
    if (bits >= 8) {
        const uint64_t size = bits / 8;
        memcpy((char *)dst->data + to * size, (const char *)src->data + from * size,
               (size_t)(count * size));
        return ONDOL_OK;
    }
    for (uint64_t i = 0; i < count && status == ONDOL_OK; i++)
        status = host_move_element(dst, to + i, src, from + i, err);
    return status;
}

void ref_clear(tensor_value *v) {
    tensor_string *s = v->data;
    if (v->element != TENSOR_ELEMENT_STRING) {
        memset(v->data, 0, (size_t)tensor_value_bytes(v));
        return;
    }
    for (uint64_t i = 0; i < v->elems; i++)
        s[i] = (tensor_string){"", 0};
}

ondol_status ref_zeros(plan_call *c, uint32_t i, tensor_element element, uint32_t rank,
                       const int64_t *dims, tensor_value **out, ondol_error *err) {
    ondol_status status = plan_call_output(c, i, element, rank, dims, out, err);
    if (status == ONDOL_OK) ref_clear(*out);
    return status;
}

ondol_status ref_copy_out(plan_call *c, uint32_t i, const tensor_value *v, tensor_value **out,
                          ondol_error *err) {
    ondol_status status = plan_call_output(c, i, v->element, v->rank, v->dims, out, err);
    if (status != ONDOL_OK) return status;
    if (v->element == TENSOR_ELEMENT_STRING) return ref_move_run(*out, 0, v, 0, v->elems, err);
    memcpy((*out)->data, v->data, (size_t)tensor_value_bytes(v));
    return ONDOL_OK;
}

ondol_status ref_index(const plan_call *c, const tensor_value *indices, uint64_t i, uint32_t axis,
                       int64_t size, uint64_t *out, ondol_error *err) {
    const int64_t given = tensor_get_integer(indices->element, indices->data, i);
    const int64_t at = given < 0 ? given + size : given;
    if (at < 0 || at >= size) {
        return plan_call_fail(c, err,
                              "index %" PRId64 " (at %" PRIu64 ") is out of range: axis %" PRIu32
                              " has %" PRId64,
                              given, i, axis, size);
    }
    *out = (uint64_t)at;
    return ONDOL_OK;
}
