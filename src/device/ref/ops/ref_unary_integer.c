/* Elementwise operators of one input on integers and bool. In: a tensor. Out: one of the same type
 * and shape. Exact for all 64 bits; what does not fit wraps. */
#include <math.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"
#include "device/ref/ops/ref_unary.h"

typedef uint64_t (*integer_function)(uint64_t x);

static uint64_t integer_abs(uint64_t x) {
    return (int64_t)x < 0 ? 0 - x : x;
}
static uint64_t integer_neg(uint64_t x) {
    return 0 - x;
}
static uint64_t integer_relu(uint64_t x) {
    return (int64_t)x < 0 ? 0 : x;
}
static uint64_t integer_sign(uint64_t x) {
    return (int64_t)x < 0 ? UINT64_MAX : x != 0;
}
static uint64_t integer_same(uint64_t x) {
    return x;
}
static uint64_t integer_is_positive(uint64_t x) {
    return x != 0;
}
static uint64_t integer_not(uint64_t x) {
    return ~x;
}

static ondol_status map(plan_call *c, const tensor_value *x, integer_function function,
                        ondol_error *err) {
    tensor_value *y = NULL;
    uint64_t numbers[REF_CHUNK];
    ondol_status status = plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err);
    if (status != ONDOL_OK) return status;
    for (uint64_t first = 0; first < x->elems; first += REF_CHUNK) {
        const uint64_t left = x->elems - first, count = left < REF_CHUNK ? left : REF_CHUNK;
        ref_load_integers(x, first, count, numbers);
        for (uint64_t i = 0; i < count; i++)
            numbers[i] = function(numbers[i]);
        ref_store_integers(y, first, count, numbers);
    }
    return ONDOL_OK;
}

/* Integers that a double bound cuts at: x < ceil(v) is x < v. Saturates. */
static int64_t integer_bound(double v) {
    return v >= 0x1p63 ? INT64_MAX : v < -0x1p63 ? INT64_MIN : (int64_t)v;
}

/* x + bias cut towards zero, modulo 2^64: exact where bias is no integer too. */
static uint64_t shifted(uint64_t x, double bias, bool is_signed) {
    const double whole = trunc(bias), part = bias - whole;
    const uint64_t sum = x + (uint64_t)integer_bound(whole);
    const bool is_negative = is_signed && (int64_t)sum < 0;
    if (part == 0 || sum == 0 || is_negative == (part < 0)) return sum;
    return is_negative ? sum + 1 : sum - 1;
}

/* y = x + bias below -lambd, x - bias above lambd, 0 between. */
static ondol_status shrink(plan_call *c, const tensor_value *x, ondol_error *err) {
    tensor_value *y = NULL;
    const double bias = graph_get_float(c->g, c->node, "bias");
    const double lambd = graph_get_float(c->g, c->node, "lambd");
    const bool is_signed = tensor_element_kind_of(x->element) == TENSOR_KIND_SIGNED;
    if (isnan(bias) || isnan(lambd)) return plan_call_fail(c, err, "bias or lambd is no number");
    ondol_status status = plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err);
    if (status != ONDOL_OK) return status;
    const int64_t low = integer_bound(ceil(-lambd)), high = integer_bound(floor(lambd));
    for (uint64_t i = 0; i < x->elems; i++) {
        const int64_t v = tensor_get_integer(x->element, x->data, i);
        const bool is_huge = !is_signed && v < 0; /* beyond int64 */
        uint64_t result = 0;
        if (!is_huge && v < low)
            result = shifted((uint64_t)v, bias, is_signed);
        else if (is_huge ? lambd < (double)(uint64_t)v : v > high)
            result = shifted((uint64_t)v, -bias, is_signed);
        tensor_set_integer(y->element, y->data, i, (int64_t)result);
    }
    return ONDOL_OK;
}

ondol_status ref_unary_integer(plan_call *c, const tensor_value *x, ondol_error *err) {
    const bool is_signed = tensor_element_kind_of(x->element) == TENSOR_KIND_SIGNED;
    switch (c->g->nodes[c->node].op) {
    case GRAPH_OP_ABS: return map(c, x, is_signed ? integer_abs : integer_same, err);
    case GRAPH_OP_NEG: return map(c, x, integer_neg, err);
    case GRAPH_OP_RELU: return map(c, x, is_signed ? integer_relu : integer_same, err);
    case GRAPH_OP_SIGN: return map(c, x, is_signed ? integer_sign : integer_is_positive, err);
    case GRAPH_OP_SHRINK: return shrink(c, x, err);
    default:
        return plan_call_fail(c, err, "input 0 has elements of type %s, expected floats",
                              tensor_element_onnx_name(x->element));
    }
}

/* Not: bool, y = !x. */
ondol_status ref_not(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_BOOL, &x, err));
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err));
    for (uint64_t i = 0; i < x->elems; i++)
        ((uint8_t *)y->data)[i] = !((const uint8_t *)x->data)[i];
done:
    return status;
}

ondol_status ref_bitwise_not(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL;
    ondol_status status = ref_input(c, 0, REF_CLASS_INTEGER, &x, err);
    return status == ONDOL_OK ? map(c, x, integer_not, err) : status;
}
