/* Pow, broadcast. In: x of floats or signed integers, exponents of any numbers. Out: x's type.
 * Integers to whole powers are exact modulo 2^64. */
#include <inttypes.h>
#include <math.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

static uint64_t power(uint64_t x, uint64_t exponent) {
    uint64_t result = 1;
    for (; exponent; exponent >>= 1, x *= x) {
        if (exponent & 1) result *= x;
    }
    return result;
}

/* x to a negative whole power: 0 but for 1 and -1. False: zero is divided by. */
static bool inverse_power(int64_t x, bool is_odd, int64_t *out) {
    *out = x == 1 ? 1 : x == -1 ? (is_odd ? -1 : 1) : 0;
    return x != 0;
}

/* Element j of y as an exponent of x; false: zero is divided by. */
static bool integer_power(int64_t x, const tensor_value *y, uint64_t j, tensor_value *z,
                          uint64_t i) {
    const tensor_element e = y->element;
    const double number = tensor_get_number(e, y->data, j);
    int64_t result = 0;
    if (tensor_element_kind_of(e) == TENSOR_KIND_FLOAT &&
        !(number == floor(number) && fabs(number) < 0x1p63)) {
        tensor_set_number(z->element, z->data, i, pow((double)x, number));
        return true;
    }
    const int64_t exponent = tensor_get_integer(e, y->data, j);
    if (tensor_element_kind_of(e) == TENSOR_KIND_UNSIGNED || exponent >= 0)
        result = (int64_t)power((uint64_t)x, (uint64_t)exponent);
    else if (!inverse_power(x, exponent & 1, &result))
        return false;
    tensor_set_integer(z->element, z->data, i, result);
    return true;
}

ondol_status ref_pow(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL, *z = NULL;
    uint32_t rank = 0;
    int64_t dims[TENSOR_MAX_RANK];
    ref_walk w;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_FLOAT | REF_CLASS_SIGNED, &x, err));
    TRY(ref_input(c, 1, REF_CLASS_NUMBER, &y, err));
    TRY(ref_broadcast(c, (tensor_value *[]){x, y}, 2, &rank, dims, err));
    TRY(plan_call_output(c, 0, x->element, rank, dims, &z, err));
    const tensor_element e = x->element;
    const bool is_float = tensor_element_kind_of(e) == TENSOR_KIND_FLOAT;
    ref_walk_begin(&w, rank, dims);
    ref_walk_add(&w, x->rank, x->dims);
    ref_walk_add(&w, y->rank, y->dims);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        const uint64_t at = (uint64_t)w.at[0], exponent_at = (uint64_t)w.at[1];
        if (is_float) {
            tensor_set_number(e, z->data, i,
                              pow(tensor_get_number(e, x->data, at),
                                  tensor_get_number(y->element, y->data, exponent_at)));
        } else if (!integer_power(tensor_get_integer(e, x->data, at), y, exponent_at, z, i)) {
            return plan_call_fail(c, err, "0 to a negative power, at element %" PRIu64, i);
        }
    }
done:
    return status;
}
