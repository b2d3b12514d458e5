/* DynamicQuantizeLSTM. In: as LSTM, with weights as codes [directions, in, 4 * hidden], and their
 * scales and zero points. Out: as LSTM, whose inputs and states go through codes of uint8. */
#include <inttypes.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms_codes.h"
#include "device/ref/ops/ref_recurrent.h"

enum { X, W, R, B, LENGTHS, INITIAL_H, INITIAL_C, P, W_SCALE, W_ZERO, R_SCALE, R_ZERO };

/* Scales or zero points: one for each direction, or for each of its columns. */
static ondol_status read_each(const plan_call *c, const char *name, const tensor_value *v,
                              const tensor_value *codes, ondol_error *err) {
    const int64_t dims[2] = {codes->dims[0], codes->dims[2]};
    return ref_expect_dims(c, name, v, v->rank == 1 ? 1 : 2, dims, err);
}

/* What codes mean, as [directions, 4 * hidden, in]. */
static ondol_status decode(const plan_call *c, uint32_t at, uint32_t scale_at, uint32_t zero_at,
                           tensor_value **out, ondol_error *err) {
    tensor_value *codes = NULL, *scale = NULL, *zero = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_codes(c, at, &codes, err));
    TRY(ref_ms_expect_rank(c, at == W ? "W" : "R", codes, 3, err));
    TRY(ref_float_input(c, scale_at, &scale, err));
    TRY(plan_call_typed(c, zero_at, codes->element, &zero, err));
    TRY(read_each(c, "a scale", scale, codes, err));
    TRY(read_each(c, "a zero point", zero, codes, err));
    const int64_t dims[3] = {codes->dims[0], codes->dims[2], codes->dims[1]};
    TRY(tensor_value_create(c->heap, TENSOR_ELEMENT_F64, 3, dims, out, err));
    const uint64_t columns = (uint64_t)dims[1], in = (uint64_t)dims[2];
    for (uint64_t i = 0; i < codes->elems; i++) {
        const uint64_t direction = i / columns / in, row = i / columns % in, column = i % columns;
        const uint64_t line = direction * columns + column;
        const uint64_t scale_index = scale->rank == 2 ? line : direction;
        const double by = tensor_get_number(scale->element, scale->data, scale_index);
        const int32_t offset = ref_ms_code_at(zero, zero->rank == 2 ? line : direction);
        ((double *)(*out)->data)[line * in + row] = (ref_ms_code_at(codes, i) - offset) * by;
    }
done:
    return status;
}

ondol_status ref_ms_dynamic_quantize_lstm(plan_call *c, ondol_error *err) {
    tensor_value *w = NULL, *r = NULL;
    ondol_status status = ONDOL_OK;
    TRY(decode(c, W, W_SCALE, W_ZERO, &w, err));
    TRY(decode(c, R, R_SCALE, R_ZERO, &r, err));
    tensor_value *inputs[P + 1];
    for (uint32_t i = 0; i <= P; i++)
        inputs[i] = i == W ? w : i == R ? r : plan_call_input(c, i);
    plan_call inner = *c;
    inner.inputs = inputs;
    inner.input_count = P + 1;
    inner.disposable = NULL;
    TRY(ref_recurrent_lstm_by_codes(&inner, err));
done:
    tensor_value_release(w);
    tensor_value_release(r);
    return status;
}
