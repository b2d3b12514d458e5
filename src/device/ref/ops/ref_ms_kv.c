/* Caches of keys and values. In: rows of doubles. Out: numbers or codes, and back. */
#include "device/ref/ops/ref_ms_kv.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* A scale for the whole cache, or one for each channel of each head. */
static ondol_status read_scale(const plan_call *c, const char *quant, uint32_t i, uint64_t channels,
                               ref_ms_kv *out, ondol_error *err) {
    tensor_value *scale = NULL;
    char text[REF_SHAPE_TEXT_BYTES];
    const char *kind = graph_get_string(c->g, c->node, quant);
    const bool is_none = strcmp(kind, "NONE") == 0 || !*kind;
    out->is_per_channel = strcmp(kind, "PER_CHANNEL") == 0;
    if (is_none) return ONDOL_OK;
    if (!out->is_per_channel && strcmp(kind, "PER_TENSOR") != 0) {
        return plan_call_fail(c, err, "%s is '%s', expected NONE, PER_TENSOR or PER_CHANNEL", quant,
                              kind);
    }
    ondol_status status = ref_float_input(c, i, &scale, err);
    if (status != ONDOL_OK) return status;
    const uint64_t count = out->is_per_channel ? channels : 1;
    if (scale->elems != count) {
        return plan_call_fail(c, err, "input %" PRIu32 ": scales of shape %s, expected %" PRIu64, i,
                              ref_shape_text(scale->rank, scale->dims, text), count);
    }
    out->scale = scale;
    return ONDOL_OK;
}

ondol_status ref_ms_kv_begin(const plan_call *c, tensor_element element, tensor_element packed,
                             const char *quant, uint32_t scale_input, uint64_t heads, uint64_t size,
                             ref_ms_kv *out, ondol_error *err) {
    *out = (ref_ms_kv){.element = element,
                       .packed = packed,
                       .size = size,
                       .row_elems = packed == TENSOR_ELEMENT_UNDEFINED ? size : (size + 1) / 2};
    ondol_status status = read_scale(c, quant, scale_input, heads * size, out, err);
    if (status != ONDOL_OK) return status;
    const bool is_number =
        tensor_element_kind_of(element) == TENSOR_KIND_FLOAT && tensor_element_bits(element) >= 16;
    const bool is_code = element == TENSOR_ELEMENT_I8 || element == TENSOR_ELEMENT_F8E4M3FN ||
                         (element == TENSOR_ELEMENT_U8 && packed != TENSOR_ELEMENT_UNDEFINED);
    if (out->scale ? is_code : is_number) return ONDOL_OK;
    return plan_call_fail(c, err, "a cache of %s with %s '%s'", tensor_element_onnx_name(element),
                          quant, graph_get_string(c->g, c->node, quant));
}

static double scale_of(const ref_ms_kv *kv, uint64_t head, uint64_t i) {
    if (!kv->scale) return 1;
    return tensor_get_number(kv->scale->element, kv->scale->data,
                             kv->is_per_channel ? head * kv->size + i : 0);
}

static double decode(const ref_ms_kv *kv, const tensor_value *v, uint64_t first, uint64_t i) {
    const uint8_t *bytes = v->data;
    if (kv->packed == TENSOR_ELEMENT_UNDEFINED)
        return tensor_get_number(kv->element, v->data, first + i);
    const unsigned code = bytes[first + i / 2] >> (i % 2 * 4) & 15;
    if (kv->packed == TENSOR_ELEMENT_I4) return (double)code - 8;
    return tensor_float_decode(kv->packed, code);
}

static double saturated(double v, double low, double high) {
    const double whole = isnan(v) ? 0 : rint(v);
    return whole < low ? low : whole > high ? high : whole;
}

static void encode(const ref_ms_kv *kv, tensor_value *v, uint64_t first, uint64_t i, double x) {
    uint8_t *bytes = v->data;
    if (kv->packed != TENSOR_ELEMENT_UNDEFINED) {
        const unsigned code = kv->packed == TENSOR_ELEMENT_I4
                                  ? (unsigned)(saturated(x, -8, 7) + 8)
                                  : tensor_float_encode(kv->packed, x, TENSOR_OVERFLOW_SATURATE);
        uint8_t *byte = bytes + first + i / 2;
        *byte = (uint8_t)(i % 2 ? (*byte & 15) | code << 4 : code);
    } else if (kv->element == TENSOR_ELEMENT_I8) {
        tensor_set_number(kv->element, v->data, first + i, saturated(x, -128, 127));
    } else if (kv->element == TENSOR_ELEMENT_F8E4M3FN) {
        bytes[first + i] = (uint8_t)tensor_float_encode(kv->element, x, TENSOR_OVERFLOW_SATURATE);
    } else {
        tensor_set_number(kv->element, v->data, first + i, x);
    }
}

void ref_ms_kv_load(const ref_ms_kv *kv, const tensor_value *v, uint64_t row, uint64_t head,
                    double *dst) {
    for (uint64_t i = 0; i < kv->size; i++)
        dst[i] = decode(kv, v, row * kv->row_elems, i) * scale_of(kv, head, i);
}

void ref_ms_kv_store(const ref_ms_kv *kv, tensor_value *v, uint64_t row, uint64_t head,
                     const double *src) {
    for (uint64_t i = 0; i < kv->size; i++) {
        const double scale = scale_of(kv, head, i);
        encode(kv, v, row * kv->row_elems, i, scale == 0 ? 0 : src[i] / scale);
    }
}

void ref_ms_kv_copy(const ref_ms_kv *kv, tensor_value *dst, uint64_t to, const tensor_value *src,
                    uint64_t from, uint64_t count) {
    const uint64_t row_bytes = kv->row_elems * (tensor_element_bits(kv->element) / 8);
    if (count == 0) return;
    memcpy((char *)dst->data + to * row_bytes, (const char *)src->data + from * row_bytes,
           (size_t)(count * row_bytes));
}
