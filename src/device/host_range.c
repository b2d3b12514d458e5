/* Range. In: start, limit, delta. Out: start + i * delta, up to the limit, which is not reached. */
#include <inttypes.h>
#include <math.h>

#include "device/host_ops.h"
#include "tensor/number.h"

/* The one number of input i. */
static ondol_status one_of(const plan_call *c, uint32_t i, tensor_value **out, ondol_error *err) {
    ondol_status status = plan_call_tensor(c, i, out, err);
    if (status != ONDOL_OK) return status;
    const tensor_value *v = *out;
    if (v->elems == 1 && v->element != TENSOR_ELEMENT_STRING) return ONDOL_OK;
    return plan_call_fail(c, err, "input %" PRIu32 " has %" PRIu64 " elements, expected one number",
                          i, v->elems);
}

static ondol_status number_of(const plan_call *c, uint32_t i, double *out, ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = one_of(c, i, &v, err);
    if (status == ONDOL_OK) *out = tensor_get_number(v->element, v->data, 0);
    return status;
}

static ondol_status integer_of(const plan_call *c, uint32_t i, int64_t *out, ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = one_of(c, i, &v, err);
    if (status == ONDOL_OK) *out = tensor_get_integer(v->element, v->data, 0);
    return status;
}

static ondol_status give_numbers(plan_call *c, tensor_element e, ondol_error *err) {
    double start = 0, limit = 0, delta = 0;
    tensor_value *y = NULL;
    ondol_status status = ONDOL_OK;
    const int64_t stash = graph_get_int(c->g, c->node, "stash_type");
    const bool is_half = e == TENSOR_ELEMENT_F16 || e == TENSOR_ELEMENT_BF16;
    if (is_half && stash != TENSOR_ELEMENT_F32 && stash != TENSOR_ELEMENT_F64) {
        return plan_call_fail(c, err, "stash_type is %" PRId64 ", expected float or double", stash);
    }
    TRY(number_of(c, 0, &start, err));
    TRY(number_of(c, 1, &limit, err));
    TRY(number_of(c, 2, &delta, err));
    const double count = ceil((limit - start) / delta);
    if (delta == 0 || isnan(count) || count >= 0x1p62) {
        return plan_call_fail(c, err, "from %g to %g by %g never ends", start, limit, delta);
    }
    const int64_t dims[1] = {count > 0 ? (int64_t)count : 0};
    TRY(plan_call_output(c, 0, e, 1, dims, &y, err));
    for (uint64_t i = 0; i < y->elems; i++) {
        const double v = start + (double)i * delta;
        const volatile float rounded = (float)v; /* through memory: no extra digits */
        const bool through_float = is_half && stash == TENSOR_ELEMENT_F32;
        tensor_set_number(e, y->data, i, through_float ? (double)rounded : v);
    }
done:
    return status;
}

static ondol_status give_integers(plan_call *c, tensor_element e, ondol_error *err) {
    int64_t start = 0, limit = 0, delta = 0;
    tensor_value *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(integer_of(c, 0, &start, err));
    TRY(integer_of(c, 1, &limit, err));
    TRY(integer_of(c, 2, &delta, err));
    if (delta == 0) return plan_call_fail(c, err, "delta is 0");
    const bool has_any = delta > 0 ? start < limit : start > limit;
    const uint64_t way =
        delta > 0 ? (uint64_t)limit - (uint64_t)start : (uint64_t)start - (uint64_t)limit;
    const uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
    const uint64_t count = has_any ? (way - 1) / step + 1 : 0;
    if (count > (uint64_t)INT64_MAX) {
        return plan_call_fail(c, err, "%" PRIu64 " numbers are too many", count);
    }
    const int64_t dims[1] = {(int64_t)count};
    TRY(plan_call_output(c, 0, e, 1, dims, &y, err));
    for (uint64_t i = 0; i < count; i++)
        tensor_set_integer(e, y->data, i, (int64_t)((uint64_t)start + i * (uint64_t)delta));
done:
    return status;
}

ondol_status host_range(plan_call *c, ondol_error *err) {
    tensor_value *start = NULL, *other = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &start, err));
    const tensor_element_kind kind = tensor_element_kind_of(start->element);
    if (kind != TENSOR_KIND_FLOAT && kind != TENSOR_KIND_SIGNED) {
        return plan_call_fail(c, err, "start is %s, expected a float or signed integer",
                              tensor_element_name(start->element));
    }
    TRY(plan_call_typed(c, 1, start->element, &other, err));
    TRY(plan_call_typed(c, 2, start->element, &other, err));
    if (kind == TENSOR_KIND_FLOAT) return give_numbers(c, start->element, err);
    return give_integers(c, start->element, err);
done:
    return status;
}
