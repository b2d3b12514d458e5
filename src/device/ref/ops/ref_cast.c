/* Cast, CastLike, BitCast. In: elements of one type. Out: the same numbers, or bits, in another. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_cast_text.h"
#include "device/ref/ops/ref_kernels.h"
#include "tensor/number.h"

/* How floats of 8 bits and fewer are rounded. */
typedef struct rounding {
    tensor_overflow overflow;
    const char *mode; /* of f8e8m0: up, down, nearest */
} rounding;

/* Powers of two, 2^-127 to 2^127, code 0xff NaN. Source: OCP Microscaling 1.0, 5.4.1. */
static uint32_t encode_e8m0(double v, const rounding *r) {
    const bool saturate = r->overflow == TENSOR_OVERFLOW_SATURATE;
    int exponent = 0;
    if (isnan(v)) return 0xff;
    if (isinf(v)) return saturate ? 0xfe : 0xff;
    if (v == 0) return saturate ? 0 : 0xff;
    const double fraction = frexp(fabs(v), &exponent) * 2; /* [1, 2) */
    int code = exponent - 1 + 127;
    if (strcmp(r->mode, "up") == 0) {
        code += fraction > 1;
    } else if (strcmp(r->mode, "nearest") == 0) {
        code += fraction >= 1.5;
    }
    if (code >= 0 && code <= 0xfe) return (uint32_t)code;
    return !saturate ? 0xff : code < 0 ? 0 : 0xfe;
}

static void set_float(tensor_element e, void *data, uint64_t i, double v, const rounding *r) {
    if (e == TENSOR_ELEMENT_F8E8M0)
        tensor_set_code(e, data, i, encode_e8m0(v, r));
    else if (tensor_element_bits(e) <= 8)
        tensor_set_code(e, data, i, tensor_float_encode(e, v, r->overflow));
    else
        tensor_set_number(e, data, i, v);
}

static bool is_whole(tensor_element e) {
    const tensor_element_kind kind = tensor_element_kind_of(e);
    return kind == TENSOR_KIND_SIGNED || kind == TENSOR_KIND_UNSIGNED || kind == TENSOR_KIND_BOOL;
}

static void cast_complex(const tensor_value *x, tensor_value *y, uint64_t i) {
    const tensor_element from =
        x->element == TENSOR_ELEMENT_C64 ? TENSOR_ELEMENT_F32 : TENSOR_ELEMENT_F64;
    const tensor_element to =
        y->element == TENSOR_ELEMENT_C64 ? TENSOR_ELEMENT_F32 : TENSOR_ELEMENT_F64;
    tensor_set_number(to, y->data, 2 * i, tensor_get_number(from, x->data, 2 * i));
    tensor_set_number(to, y->data, 2 * i + 1, tensor_get_number(from, x->data, 2 * i + 1));
}

/* Numbers that text says, in the types that hold them exactly on the way. */
static ondol_status cast_from_text(const plan_call *c, const tensor_value *x, tensor_value *y,
                                   uint64_t i, const rounding *r, ondol_error *err) {
    const tensor_string *s = (const tensor_string *)x->data + i;
    double number = 0;
    int64_t whole = 0;
    if (is_whole(y->element) && ref_text_to_integer(s, &whole)) {
        tensor_set_integer(y->element, y->data, i, whole);
        return ONDOL_OK;
    }
    if (!ref_text_to_number(s, &number)) {
        return plan_call_fail(c, err, "element %" PRIu64 ", '%.*s', is no number", i,
                              s->size_bytes < 40 ? (int)s->size_bytes : 40, s->text);
    }
    if (tensor_element_kind_of(y->element) == TENSOR_KIND_FLOAT)
        set_float(y->element, y->data, i, number, r);
    else
        tensor_set_number(y->element, y->data, i, number);
    return ONDOL_OK;
}

static void cast_number(const tensor_value *x, tensor_value *y, uint64_t i, const rounding *r) {
    const tensor_element_kind to = tensor_element_kind_of(y->element);
    if (is_whole(x->element) && to != TENSOR_KIND_FLOAT && to != TENSOR_KIND_COMPLEX) {
        tensor_set_integer(y->element, y->data, i, tensor_get_integer(x->element, x->data, i));
    } else if (to == TENSOR_KIND_COMPLEX && tensor_element_kind_of(x->element) == to) {
        cast_complex(x, y, i);
    } else if (to == TENSOR_KIND_FLOAT) {
        set_float(y->element, y->data, i, tensor_get_number(x->element, x->data, i), r);
    } else {
        tensor_set_number(y->element, y->data, i, tensor_get_number(x->element, x->data, i));
    }
}

static ondol_status cast(plan_call *c, tensor_element to, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    if (!tensor_element_valid((int64_t)to)) {
        return plan_call_fail(c, err, "element type %d is none", (int)to);
    }
    if (x->element == to) {
        plan_call_give(c, 0, x);
        return ONDOL_OK;
    }
    const rounding r = {graph_get_int(c->g, c->node, "saturate") ? TENSOR_OVERFLOW_SATURATE
                                                                 : TENSOR_OVERFLOW_SPECIAL,
                        graph_get_string(c->g, c->node, "round_mode")};
    TRY(plan_call_output(c, 0, to, x->rank, x->dims, &y, err));
    for (uint64_t i = 0; i < x->elems; i++) {
        if (to == TENSOR_ELEMENT_STRING)
            TRY(ref_number_to_text(x->element, x->data, i, y, err));
        else if (x->element == TENSOR_ELEMENT_STRING)
            TRY(cast_from_text(c, x, y, i, &r, err));
        else
            cast_number(x, y, i, &r);
    }
done:
    return status;
}

ondol_status ref_cast(plan_call *c, ondol_error *err) {
    return cast(c, (tensor_element)graph_get_int(c->g, c->node, "to"), err);
}

ondol_status ref_cast_like(plan_call *c, ondol_error *err) {
    tensor_value *like = NULL;
    ondol_status status = plan_call_tensor(c, 1, &like, err);
    return status == ONDOL_OK ? cast(c, like->element, err) : status;
}

ondol_status ref_bit_cast(plan_call *c, ondol_error *err) {
    const tensor_element to = (tensor_element)graph_get_int(c->g, c->node, "to");
    tensor_value *x = NULL, *y = NULL;
    ondol_status status = plan_call_tensor(c, 0, &x, err);
    if (status != ONDOL_OK) return status;
    if (!tensor_element_bits(to) || tensor_element_bits(to) != tensor_element_bits(x->element)) {
        return plan_call_fail(c, err, "%s to %s: elements of other sizes",
                              tensor_element_onnx_name(x->element), tensor_element_onnx_name(to));
    }
    status = plan_call_output(c, 0, to, x->rank, x->dims, &y, err);
    if (status == ONDOL_OK) memcpy(y->data, x->data, (size_t)tensor_value_bytes(x));
    return status;
}
