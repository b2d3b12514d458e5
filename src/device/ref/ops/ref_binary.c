/* Elementwise operators of two inputs, broadcast: arithmetic. In: two tensors of one type. Out: one
 * of that type. Floats in double, rounded once; integers modulo 2^64, cut to the type. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_binary.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

typedef double (*float_function)(double a, double b);
/* False: divided by zero. */
typedef bool (*integer_function)(uint64_t a, uint64_t b, uint64_t *out);

static double float_add(double a, double b) {
    return a + b;
}
static double float_sub(double a, double b) {
    return a - b;
}
static double float_mul(double a, double b) {
    return a * b;
}
static double float_div(double a, double b) {
    return a / b;
}

/* The sign of b; as Python's %. */
static double float_mod(double a, double b) {
    const double rest = fmod(a, b);
    if (rest == 0) return copysign(0, b);
    return (rest < 0) != (b < 0) ? rest + b : rest;
}

static bool integer_add(uint64_t a, uint64_t b, uint64_t *out) {
    *out = a + b;
    return true;
}
static bool integer_sub(uint64_t a, uint64_t b, uint64_t *out) {
    *out = a - b;
    return true;
}
static bool integer_mul(uint64_t a, uint64_t b, uint64_t *out) {
    *out = a * b;
    return true;
}

static bool unsigned_div(uint64_t a, uint64_t b, uint64_t *out) {
    if (b == 0) return false;
    *out = a / b;
    return true;
}
static bool unsigned_mod(uint64_t a, uint64_t b, uint64_t *out) {
    if (b == 0) return false;
    *out = a % b;
    return true;
}

/* Towards zero. The least integer divided by -1 wraps to itself. */
static bool signed_div(uint64_t a, uint64_t b, uint64_t *out) {
    if (b == 0) return false;
    *out = b == UINT64_MAX ? 0 - a : (uint64_t)((int64_t)a / (int64_t)b);
    return true;
}

/* The sign of a, as C's %. */
static bool signed_fmod(uint64_t a, uint64_t b, uint64_t *out) {
    if (b == 0) return false;
    *out = b == UINT64_MAX ? 0 : (uint64_t)((int64_t)a % (int64_t)b);
    return true;
}

/* The sign of b, as Python's %. */
static bool signed_mod(uint64_t a, uint64_t b, uint64_t *out) {
    if (!signed_fmod(a, b, out)) return false;
    if (*out != 0 && ((int64_t)*out < 0) != ((int64_t)b < 0)) *out += b;
    return true;
}

static bool bitwise_and(uint64_t a, uint64_t b, uint64_t *out) {
    *out = a & b;
    return true;
}
static bool bitwise_or(uint64_t a, uint64_t b, uint64_t *out) {
    *out = a | b;
    return true;
}
static bool bitwise_xor(uint64_t a, uint64_t b, uint64_t *out) {
    *out = a ^ b;
    return true;
}

typedef struct binary_row {
    graph_op op;
    float_function of_floats; /* NULL: not of floats */
    integer_function of_signed, of_unsigned;
} binary_row;

static const binary_row ROWS[] = {
    {GRAPH_OP_ADD, float_add, integer_add, integer_add},
    {GRAPH_OP_SUB, float_sub, integer_sub, integer_sub},
    {GRAPH_OP_MUL, float_mul, integer_mul, integer_mul},
    {GRAPH_OP_DIV, float_div, signed_div, unsigned_div},
    {GRAPH_OP_MOD, float_mod, signed_mod, unsigned_mod},
    {GRAPH_OP_BITWISE_AND, NULL, bitwise_and, bitwise_and},
    {GRAPH_OP_BITWISE_OR, NULL, bitwise_or, bitwise_or},
    {GRAPH_OP_BITWISE_XOR, NULL, bitwise_xor, bitwise_xor},
};
static const binary_row FMOD = {GRAPH_OP_MOD, fmod, signed_fmod, unsigned_mod};

ondol_status ref_binary_begin(plan_call *c, unsigned classes, ref_binary_call *b,
                              ondol_error *err) {
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, classes, &b->a, err));
    TRY(ref_input(c, 1, classes, &b->b, err));
    if (b->a->element != b->b->element) {
        return plan_call_fail(
            c, err, "its inputs have elements of type %s and %s, expected one type",
            tensor_element_onnx_name(b->a->element), tensor_element_onnx_name(b->b->element));
    }
    TRY(ref_broadcast(c, (tensor_value *[]){b->a, b->b}, 2, &b->rank, b->dims, err));
done:
    return status;
}

void ref_binary_walk(const ref_binary_call *b, ref_walk *w) {
    ref_walk_begin(w, b->rank, b->dims);
    ref_walk_add(w, b->a->rank, b->a->dims);
    ref_walk_add(w, b->b->rank, b->b->dims);
}

static ondol_status walk_integers(plan_call *c, const ref_binary_call *b, integer_function function,
                                  tensor_value *y, ondol_error *err) {
    const tensor_element e = y->element;
    ref_walk w;
    ref_binary_walk(b, &w);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        const int64_t left = tensor_get_integer(e, b->a->data, (uint64_t)w.at[0]);
        const int64_t right = tensor_get_integer(e, b->b->data, (uint64_t)w.at[1]);
        uint64_t result = 0;
        if (!function((uint64_t)left, (uint64_t)right, &result)) {
            return plan_call_fail(c, err, "integer division by zero, at element %" PRIu64, i);
        }
        tensor_set_integer(e, y->data, i, (int64_t)result);
    }
    return ONDOL_OK;
}

static void walk_floats(const ref_binary_call *b, float_function function, tensor_value *y) {
    const tensor_element e = y->element;
    ref_walk w;
    ref_binary_walk(b, &w);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        const double left = tensor_get_number(e, b->a->data, (uint64_t)w.at[0]);
        const double right = tensor_get_number(e, b->b->data, (uint64_t)w.at[1]);
        tensor_set_number(e, y->data, i, function(left, right));
    }
}

static const binary_row *row_of(const plan_call *c) {
    const graph_op op = c->g->nodes[c->node].op;
    if (op == GRAPH_OP_MOD && graph_get_int(c->g, c->node, "fmod") != 0) return &FMOD;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        if (ROWS[i].op == op) return ROWS + i;
    }
    return NULL;
}

/* Add, Sub, Mul, Div, Mod, BitwiseAnd, BitwiseOr, BitwiseXor. */
ondol_status ref_binary(plan_call *c, ondol_error *err) {
    ref_binary_call b = {0};
    tensor_value *y = NULL;
    ondol_status status = ONDOL_OK;
    const binary_row *row = row_of(c);
    if (!row) return base_fail(err, ONDOL_E_INTERNAL, "ref_binary has no row for this operator");
    TRY(ref_binary_begin(c, row->of_floats ? REF_CLASS_NUMBER : REF_CLASS_INTEGER, &b, err));
    TRY(plan_call_output(c, 0, b.a->element, b.rank, b.dims, &y, err));
    switch (ref_class_of(b.a->element)) {
    case REF_CLASS_FLOAT: walk_floats(&b, row->of_floats, y); break;
    case REF_CLASS_SIGNED: TRY(walk_integers(c, &b, row->of_signed, y, err)); break;
    default: TRY(walk_integers(c, &b, row->of_unsigned, y, err)); break;
    }
done:
    return status;
}

/* And, Or, Xor: bool. */
ondol_status ref_logical(plan_call *c, ondol_error *err) {
    ref_binary_call b = {0};
    tensor_value *y = NULL;
    ref_walk w;
    ondol_status status = ONDOL_OK;
    const graph_op op = c->g->nodes[c->node].op;
    TRY(ref_binary_begin(c, REF_CLASS_BOOL, &b, err));
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_BOOL, b.rank, b.dims, &y, err));
    ref_binary_walk(&b, &w);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        const bool left = ((const uint8_t *)b.a->data)[w.at[0]] != 0;
        const bool right = ((const uint8_t *)b.b->data)[w.at[1]] != 0;
        ((uint8_t *)y->data)[i] = op == GRAPH_OP_AND  ? left && right
                                  : op == GRAPH_OP_OR ? left || right
                                                      : left != right;
    }
done:
    return status;
}

/* x << y or x >> y in `bits` bits; amounts below 0 or of `bits` and more leave what the sign fills.
 */
static uint64_t shift(uint64_t x, uint64_t amount, unsigned bits, bool to_left, bool is_signed) {
    const uint64_t fill = is_signed && (int64_t)x < 0 ? UINT64_MAX : 0;
    if (amount >= bits) return to_left ? 0 : fill;
    if (amount == 0) return x;
    return to_left ? x << amount : x >> amount | fill << (64 - amount);
}

ondol_status ref_bit_shift(plan_call *c, ondol_error *err) {
    ref_binary_call b = {0};
    tensor_value *y = NULL;
    ref_walk w;
    ondol_status status = ONDOL_OK;
    const char *direction = graph_get_string(c->g, c->node, "direction");
    const bool to_left = strcmp(direction, "LEFT") == 0;
    if (!to_left && strcmp(direction, "RIGHT") != 0) {
        return plan_call_fail(c, err, "direction is '%s', expected LEFT or RIGHT", direction);
    }
    TRY(ref_binary_begin(c, REF_CLASS_INTEGER, &b, err));
    TRY(plan_call_output(c, 0, b.a->element, b.rank, b.dims, &y, err));
    const tensor_element e = y->element;
    const bool is_signed = tensor_element_kind_of(e) == TENSOR_KIND_SIGNED;
    ref_binary_walk(&b, &w);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        const int64_t x = tensor_get_integer(e, b.a->data, (uint64_t)w.at[0]);
        const int64_t amount = tensor_get_integer(e, b.b->data, (uint64_t)w.at[1]);
        tensor_set_integer(e, y->data, i,
                           (int64_t)shift((uint64_t)x, (uint64_t)amount, tensor_element_bits(e),
                                          to_left, is_signed));
    }
done:
    return status;
}
