/* Scales of quantised tensors. In: shapes. Out: which scale an element has; and values to codes. */
#include "device/ref/ops/ref_granularity.h"

#include <inttypes.h>
#include <math.h>

static ondol_status refuse(const plan_call *c, const tensor_value *x, const tensor_value *scale,
                           int64_t axis, int64_t block_size, ondol_error *err) {
    char x_text[REF_SHAPE_TEXT_BYTES], scale_text[REF_SHAPE_TEXT_BYTES];
    return plan_call_fail(
        c, err, "scales of shape %s do not fit %s along axis %" PRId64 " with block_size %" PRId64,
        ref_shape_text(scale->rank, scale->dims, scale_text),
        ref_shape_text(x->rank, x->dims, x_text), axis, block_size);
}

/* True when scale has x's dimensions but for the axis, of which there are blocks. */
static bool fits_blocks(const tensor_value *x, const tensor_value *scale, uint32_t axis,
                        int64_t block_size) {
    if (scale->rank != x->rank) return false;
    for (uint32_t i = 0; i < x->rank; i++) {
        const int64_t dim = x->dims[i];
        const int64_t blocks = dim / block_size + (dim % block_size != 0);
        if (scale->dims[i] != (i == axis ? blocks : dim)) return false;
    }
    return true;
}

ondol_status ref_granularity_begin(const plan_call *c, const tensor_value *x,
                                   const tensor_value *scale, int64_t axis, int64_t block_size,
                                   ref_granularity *out, ondol_error *err) {
    uint32_t at = 0;
    *out = (ref_granularity){.x = {1, 1, 1}, .block_size = 1};
    if (block_size < 0) return refuse(c, x, scale, axis, block_size, err);
    if (scale->elems == 1 && scale->rank <= 1 && block_size == 0) return ONDOL_OK;
    if (scale->elems == 1 && scale->rank == 0) return ONDOL_OK;
    ondol_status status = plan_call_axis(c, axis, x->rank, &at, err);
    if (status != ONDOL_OK) return status;
    out->x = ref_split_at(x, at);
    out->is_blocked = block_size > 0;
    out->block_size = block_size > 0 ? (uint64_t)block_size : 1;
    out->axis_count = (out->x.axis + out->block_size - 1) / out->block_size;
    const bool fits = out->is_blocked ? fits_blocks(x, scale, at, block_size)
                                      : scale->rank == 1 && scale->dims[0] == x->dims[at];
    return fits ? ONDOL_OK : refuse(c, x, scale, axis, block_size, err);
}

uint64_t ref_granularity_at(const ref_granularity *g, uint64_t i) {
    if (g->axis_count == 0) return 0;
    const uint64_t inner = i % g->x.inner, outer = i / g->x.inner / g->x.axis;
    const uint64_t along = i / g->x.inner % g->x.axis / g->block_size;
    return g->is_blocked ? (outer * g->axis_count + along) * g->x.inner + inner : along;
}

ondol_status ref_granularity_check_zero(const plan_call *c, const tensor_value *scale,
                                        const tensor_value *zero_point, ondol_error *err) {
    char zero_text[REF_SHAPE_TEXT_BYTES], scale_text[REF_SHAPE_TEXT_BYTES];
    if (ref_same_dims(scale, zero_point)) return ONDOL_OK;
    if (scale->elems == 1 && zero_point->elems == 1) return ONDOL_OK;
    return plan_call_fail(c, err, "the zero point has the shape %s, its scale %s",
                          ref_shape_text(zero_point->rank, zero_point->dims, zero_text),
                          ref_shape_text(scale->rank, scale->dims, scale_text));
}

bool ref_is_quantized(tensor_element e) {
    switch (ref_class_of(e)) {
    case REF_CLASS_SIGNED:
    case REF_CLASS_UNSIGNED: return tensor_element_bits(e) <= 16;
    case REF_CLASS_FLOAT: return tensor_element_bits(e) <= 8 && e != TENSOR_ELEMENT_F8E8M0;
    default: return false;
    }
}

void ref_set_quantized(tensor_value *y, uint64_t i, double v, double zero_point, bool to_limit) {
    const tensor_element e = y->element;
    const unsigned bits = tensor_element_bits(e);
    if (tensor_element_kind_of(e) == TENSOR_KIND_FLOAT) {
        const tensor_overflow overflow =
            to_limit ? TENSOR_OVERFLOW_SATURATE : TENSOR_OVERFLOW_SPECIAL;
        tensor_set_code(e, y->data, i, tensor_float_encode(e, v + zero_point, overflow));
        return;
    }
    const bool is_signed = tensor_element_kind_of(e) == TENSOR_KIND_SIGNED;
    const double low = is_signed ? -ldexp(1, (int)bits - 1) : 0;
    const double high = ldexp(1, (int)bits - (is_signed ? 1 : 0)) - 1;
    const double code = (isnan(v) ? 0 : rint(v)) + zero_point;
    const double cut = code < low ? low : code > high ? high : code;
    tensor_set_integer(e, y->data, i, (int64_t)cut);
}
