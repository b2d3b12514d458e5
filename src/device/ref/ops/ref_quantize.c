/* QuantizeLinear, DequantizeLinear, DynamicQuantizeLinear. In: numbers or codes, scales, zero
 * points. Out: codes or numbers. */
#include <inttypes.h>
#include <math.h>

#include "device/ref/ops/ref_granularity.h"
#include "device/ref/ops/ref_kernels.h"

/* The element type that attribute `name` gives; UNDEFINED without. */
static ondol_status named_type(const plan_call *c, const char *name, tensor_element *out,
                               ondol_error *err) {
    const int64_t number = graph_get_int(c->g, c->node, name);
    *out = TENSOR_ELEMENT_UNDEFINED;
    if (number == 0) return ONDOL_OK;
    if (!tensor_element_valid(number)) {
        return plan_call_fail(c, err, "%s is %" PRId64 ", which is no type", name, number);
    }
    *out = (tensor_element)number;
    return ONDOL_OK;
}

/* The type of the codes: that of the zero point, output_dtype, or uint8. */
static ondol_status code_type(const plan_call *c, const tensor_value *zero_point,
                              tensor_element *out, ondol_error *err) {
    ondol_status status = named_type(c, "output_dtype", out, err);
    if (status != ONDOL_OK) return status;
    if (zero_point && *out != TENSOR_ELEMENT_UNDEFINED && *out != zero_point->element) {
        return plan_call_fail(c, err, "output_dtype is %s, the zero point's type %s",
                              tensor_element_onnx_name(*out),
                              tensor_element_onnx_name(zero_point->element));
    }
    if (zero_point) *out = zero_point->element;
    if (*out == TENSOR_ELEMENT_UNDEFINED) *out = TENSOR_ELEMENT_U8;
    if (ref_is_quantized(*out)) return ONDOL_OK;
    return plan_call_fail(c, err, "it does not quantise to %s", tensor_element_onnx_name(*out));
}

/* The type that the division is rounded to: `precision`, or the scale's. A power of two
 * (float8e8m0) divides exactly, an integer has no type of its own for it. */
static ondol_status division_type(const plan_call *c, const tensor_value *x,
                                  const tensor_value *scale, tensor_element *out,
                                  ondol_error *err) {
    ondol_status status = named_type(c, "precision", out, err);
    if (status != ONDOL_OK) return status;
    if (*out == TENSOR_ELEMENT_UNDEFINED) *out = scale->element;
    if (*out == TENSOR_ELEMENT_F8E8M0) *out = x->element;
    if (tensor_element_kind_of(*out) == TENSOR_KIND_SIGNED) *out = TENSOR_ELEMENT_F64;
    if (tensor_element_kind_of(*out) == TENSOR_KIND_FLOAT && tensor_element_bits(*out) >= 16) {
        return ONDOL_OK;
    }
    return plan_call_fail(c, err, "it does not divide in the precision of %s",
                          tensor_element_onnx_name(*out));
}

ondol_status ref_quantize_linear(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *scale = NULL, *zero_point = NULL, *y = NULL;
    tensor_element type = TENSOR_ELEMENT_U8, precision = TENSOR_ELEMENT_F32;
    ref_granularity g;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_FLOAT | REF_CLASS_SIGNED, &x, err));
    TRY(ref_input(c, 1, REF_CLASS_FLOAT | REF_CLASS_SIGNED, &scale, err));
    if (plan_call_input(c, 2)) {
        TRY(plan_call_tensor(c, 2, &zero_point, err));
        TRY(ref_granularity_check_zero(c, scale, zero_point, err));
    }
    TRY(code_type(c, zero_point, &type, err));
    TRY(division_type(c, x, scale, &precision, err));
    TRY(ref_granularity_begin(c, x, scale, graph_get_int(c->g, c->node, "axis"),
                              graph_get_int(c->g, c->node, "block_size"), &g, err));
    TRY(plan_call_output(c, 0, type, x->rank, x->dims, &y, err));
    const bool to_limit = graph_get_int(c->g, c->node, "saturate") != 0;
    for (uint64_t i = 0; i < x->elems; i++) {
        const uint64_t at = ref_granularity_at(&g, i);
        const double v = ref_round_to(precision, tensor_get_number(x->element, x->data, i));
        const double by =
            ref_round_to(precision, tensor_get_number(scale->element, scale->data, at));
        const double zero = zero_point ? tensor_get_number(type, zero_point->data, at) : 0;
        ref_set_quantized(y, i, ref_round_to(precision, v / by), zero, to_limit);
    }
done:
    return status;
}

/* (x - zero_point) * scale; exact but for the last rounding. */
ondol_status ref_dequantize_linear(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *scale = NULL, *zero_point = NULL, *y = NULL;
    tensor_element type = TENSOR_ELEMENT_UNDEFINED;
    ref_granularity g;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_NUMBER, &x, err));
    TRY(ref_input(c, 1, REF_CLASS_FLOAT, &scale, err));
    if (plan_call_input(c, 2)) {
        TRY(plan_call_typed(c, 2, x->element, &zero_point, err));
        TRY(ref_granularity_check_zero(c, scale, zero_point, err));
    }
    TRY(named_type(c, "output_dtype", &type, err));
    if (type == TENSOR_ELEMENT_UNDEFINED) type = scale->element;
    if (tensor_element_kind_of(type) != TENSOR_KIND_FLOAT || tensor_element_bits(type) < 16) {
        return plan_call_fail(c, err, "it does not dequantise to %s",
                              tensor_element_onnx_name(type));
    }
    TRY(ref_granularity_begin(c, x, scale, graph_get_int(c->g, c->node, "axis"),
                              graph_get_int(c->g, c->node, "block_size"), &g, err));
    TRY(plan_call_output(c, 0, type, x->rank, x->dims, &y, err));
    for (uint64_t i = 0; i < x->elems; i++) {
        const uint64_t at = ref_granularity_at(&g, i);
        const double by = tensor_get_number(scale->element, scale->data, at);
        const double zero = zero_point ? tensor_get_number(x->element, zero_point->data, at) : 0;
        const double code = tensor_get_number(x->element, x->data, i);
        tensor_set_number(type, y->data, i, (code - zero) * by);
    }
done:
    return status;
}

/* Scale and zero point so that uint8 holds all of x, and 0 exactly; each step in float, as the
 * operator is defined. Where all is 0 the scale is 1: ONNX Runtime's choice, the formula has 0. */
ondol_status ref_dynamic_quantize_linear(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL, *scale = NULL, *zero_point = NULL;
    ondol_status status = ONDOL_OK;
    double least = 0, greatest = 0;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err));
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_U8, x->rank, x->dims, &y, err));
    TRY(plan_call_output(c, 1, TENSOR_ELEMENT_F32, 0, NULL, &scale, err));
    TRY(plan_call_output(c, 2, TENSOR_ELEMENT_U8, 0, NULL, &zero_point, err));
    for (uint64_t i = 0; i < x->elems; i++) {
        const double v = tensor_get_number(x->element, x->data, i);
        if (v < least) least = v;
        if (v > greatest) greatest = v;
    }
    const float range = (float)greatest - (float)least;
    const float by = range == 0 ? 1 : range / 255;
    const float zero = -(float)least / by;
    tensor_set_number(TENSOR_ELEMENT_F32, scale->data, 0, by);
    ref_set_quantized(zero_point, 0, zero, 0, true);
    const double code = tensor_get_number(TENSOR_ELEMENT_U8, zero_point->data, 0);
    for (uint64_t i = 0; i < x->elems; i++) {
        const float v = (float)tensor_get_number(x->element, x->data, i);
        ref_set_quantized(y, i, v / by, code, true);
    }
done:
    return status;
}
