/* Quantised tensors of com.microsoft's operators. In: inputs of a call. Out: codes, their scales
 * and zero points, tables from codes to codes. */
#include "device/ref/ops/ref_ms_codes.h"

#include <inttypes.h>
#include <math.h>

ondol_status ref_ms_codes(const plan_call *c, uint32_t i, tensor_value **out, ondol_error *err) {
    ondol_status status = plan_call_tensor(c, i, out, err);
    if (status != ONDOL_OK) return status;
    if ((*out)->element == TENSOR_ELEMENT_I8 || (*out)->element == TENSOR_ELEMENT_U8) {
        return ONDOL_OK;
    }
    return plan_call_fail(c, err, "input %" PRIu32 " has elements of type %s, expected int8, uint8",
                          i, tensor_element_onnx_name((*out)->element));
}

ondol_status ref_ms_meaning_read(const plan_call *c, uint32_t scale_at, uint32_t zero_at,
                                 tensor_element e, ref_ms_meaning *out, ondol_error *err) {
    tensor_value *scale = NULL, *zero = NULL;
    double number = 0;
    int64_t code = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, scale_at, &scale, err));
    TRY(ref_scalar_number(c, scale_at, 1, &number, err));
    if (plan_call_input(c, zero_at)) {
        TRY(plan_call_typed(c, zero_at, e, &zero, err));
        TRY(ref_scalar_integer(c, zero_at, 0, &code, err));
    }
    *out = (ref_ms_meaning){.element = e, .scale = (float)number, .zero = (int32_t)code};
done:
    return status;
}

ondol_status ref_ms_codes_read(const plan_call *c, uint32_t at, uint32_t scale_at, uint32_t zero_at,
                               tensor_value **out, ref_ms_meaning *meaning, ondol_error *err) {
    ondol_status status = ref_ms_codes(c, at, out, err);
    if (status != ONDOL_OK) return status;
    return ref_ms_meaning_read(c, scale_at, zero_at, (*out)->element, meaning, err);
}

float ref_ms_code_number(const ref_ms_meaning *m, int32_t code) {
    return (float)(code - m->zero) * m->scale;
}

int32_t ref_ms_code_of(const ref_ms_meaning *m, double v) {
    const double low = m->element == TENSOR_ELEMENT_I8 ? -128 : 0, high = low + 255;
    const double code = (isnan(v) ? 0 : rint(v)) + m->zero;
    return (int32_t)(code < low ? low : code > high ? high : code);
}

void ref_ms_code_table(const ref_ms_meaning *from, const ref_ms_meaning *to,
                       ref_ms_number_function of, float parameter, uint8_t *table) {
    const int32_t low = from->element == TENSOR_ELEMENT_I8 ? -128 : 0;
    for (int32_t code = low; code < low + 256; code++) {
        float v = ref_ms_code_number(from, code);
        if (of) v = of(v, parameter);
        table[code & 255] = (uint8_t)ref_ms_code_of(to, v / to->scale);
    }
}
