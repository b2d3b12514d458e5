/* Quantised tensors of com.microsoft's operators: one scale and one zero point for all codes. */
#ifndef DEVICE_REF_MS_CODES_H
#define DEVICE_REF_MS_CODES_H

#include "device/ref/ops/ref_ms.h"

/* What codes of int8 or uint8 mean: (code - zero) * scale. */
typedef struct ref_ms_meaning {
    tensor_element element;
    float scale;
    int32_t zero;
} ref_ms_meaning;

/* Input i, of int8 or uint8. Errors: FORMAT. */
ondol_status ref_ms_codes(const plan_call *c, uint32_t i, tensor_value **out, ondol_error *err);
/* A scale, one number of input scale_at, and a zero point, one code of input zero_at of type e (0
 * where it is absent). Errors: FORMAT. */
ondol_status ref_ms_meaning_read(const plan_call *c, uint32_t scale_at, uint32_t zero_at,
                                 tensor_element e, ref_ms_meaning *out, ondol_error *err);
/* Codes, and what they mean. Errors: FORMAT. */
ondol_status ref_ms_codes_read(const plan_call *c, uint32_t at, uint32_t scale_at, uint32_t zero_at,
                               tensor_value **out, ref_ms_meaning *meaning, ondol_error *err);

static inline int32_t ref_ms_code_at(const tensor_value *v, uint64_t i) {
    return v->element == TENSOR_ELEMENT_I8 ? ((const int8_t *)v->data)[i]
                                           : ((const uint8_t *)v->data)[i];
}
/* The number that a code means, in float. */
float ref_ms_code_number(const ref_ms_meaning *m, int32_t code);
/* The code nearest to v, ties to even, saturated; v has been divided by the scale. NaN counts as 0.
 */
int32_t ref_ms_code_of(const ref_ms_meaning *m, double v);
/* Codes of the same numbers in another meaning: table[code & 255]; of: what becomes of a number,
 * NULL: nothing. */
typedef float (*ref_ms_number_function)(float x, float parameter);
void ref_ms_code_table(const ref_ms_meaning *from, const ref_ms_meaning *to,
                       ref_ms_number_function of, float parameter, uint8_t *table);

#endif
