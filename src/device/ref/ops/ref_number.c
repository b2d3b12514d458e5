/* Runs of numbers. In: elements of any type. Out: doubles, 64-bit integers, keys; and back. */
#include "device/ref/ops/ref_number.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "tensor/half.h"

/* Borrowed data may lie at any address: bytes are copied, not pointed to. */
void ref_load_numbers(const tensor_value *v, uint64_t first, uint64_t count, double *dst) {
    const char *p = v->data;
    switch (v->element) {
    case TENSOR_ELEMENT_F32:
        for (uint64_t i = 0; i < count; i++) {
            float x;
            memcpy(&x, p + (first + i) * sizeof x, sizeof x);
            dst[i] = x;
        }
        break;
    case TENSOR_ELEMENT_F64:
        memcpy(dst, p + first * sizeof *dst, (size_t)count * sizeof *dst);
        break;
    case TENSOR_ELEMENT_F16:
        for (uint64_t i = 0; i < count; i++) {
            uint16_t x;
            memcpy(&x, p + (first + i) * sizeof x, sizeof x);
            dst[i] = tensor_f16_to_f32(x);
        }
        break;
    default:
        for (uint64_t i = 0; i < count; i++)
            dst[i] = tensor_get_number(v->element, v->data, first + i);
        break;
    }
}

void ref_store_numbers(tensor_value *v, uint64_t first, uint64_t count, const double *src) {
    switch (v->element) {
    case TENSOR_ELEMENT_F32: {
        float *p = (float *)v->data + first;
        for (uint64_t i = 0; i < count; i++)
            p[i] = (float)src[i];
        break;
    }
    case TENSOR_ELEMENT_F64:
        memcpy((double *)v->data + first, src, (size_t)count * sizeof *src);
        break;
    default:
        for (uint64_t i = 0; i < count; i++)
            tensor_set_number(v->element, v->data, first + i, src[i]);
        break;
    }
}

void ref_load_integers(const tensor_value *v, uint64_t first, uint64_t count, uint64_t *dst) {
    for (uint64_t i = 0; i < count; i++)
        dst[i] = (uint64_t)tensor_get_integer(v->element, v->data, first + i);
}

void ref_store_integers(tensor_value *v, uint64_t first, uint64_t count, const uint64_t *src) {
    for (uint64_t i = 0; i < count; i++)
        tensor_set_integer(v->element, v->data, first + i, (int64_t)src[i]);
}

uint64_t ref_order_key(tensor_element e, const void *data, uint64_t i) {
    const uint64_t top = (uint64_t)1 << 63;
    if (tensor_element_kind_of(e) != TENSOR_KIND_FLOAT) {
        const uint64_t v = (uint64_t)tensor_get_integer(e, data, i);
        return tensor_element_kind_of(e) == TENSOR_KIND_SIGNED ? v ^ top : v;
    }
    const double v = tensor_get_number(e, data, i);
    uint64_t bits = 0;
    if (isnan(v)) return REF_ORDER_NAN;
    if (v == 0) return top;
    memcpy(&bits, &v, sizeof bits);
    return bits & top ? ~bits : bits | top;
}

double ref_round_to(tensor_element e, double v) {
    uint64_t bits = 0;
    tensor_set_number(e, &bits, 0, v);
    return tensor_get_number(e, &bits, 0);
}

ref_class ref_class_of(tensor_element e) {
    switch (tensor_element_kind_of(e)) {
    case TENSOR_KIND_FLOAT: return REF_CLASS_FLOAT;
    case TENSOR_KIND_SIGNED: return REF_CLASS_SIGNED;
    case TENSOR_KIND_UNSIGNED: return REF_CLASS_UNSIGNED;
    case TENSOR_KIND_BOOL: return REF_CLASS_BOOL;
    case TENSOR_KIND_COMPLEX: return REF_CLASS_COMPLEX;
    case TENSOR_KIND_STRING: return REF_CLASS_STRING;
    default: return (ref_class)0;
    }
}

ondol_status ref_input(const plan_call *c, uint32_t i, unsigned classes, tensor_value **out,
                       ondol_error *err) {
    ondol_status status = plan_call_tensor(c, i, out, err);
    if (status != ONDOL_OK) return status;
    if (ref_class_of((*out)->element) & classes) return ONDOL_OK;
    return plan_call_fail(c, err,
                          "input %" PRIu32 " has elements of type %s, which it does not take", i,
                          tensor_element_onnx_name((*out)->element));
}

ondol_status ref_all_numbers(const plan_call *c, const tensor_value *v, double **out,
                             ondol_error *err) {
    void *p = NULL;
    ondol_status status = ref_alloc(c, v->elems, sizeof **out, "numbers of an operand", &p, err);
    if (status != ONDOL_OK) return status;
    ref_load_numbers(v, 0, v->elems, p);
    *out = p;
    return ONDOL_OK;
}

ondol_status ref_all_integers(const plan_call *c, const tensor_value *v, uint64_t **out,
                              ondol_error *err) {
    void *p = NULL;
    ondol_status status = ref_alloc(c, v->elems, sizeof **out, "integers of an operand", &p, err);
    if (status != ONDOL_OK) return status;
    ref_load_integers(v, 0, v->elems, p);
    *out = p;
    return ONDOL_OK;
}
