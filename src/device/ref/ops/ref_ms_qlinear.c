/* QLinearAdd, QLinearMul, QLinearSigmoid, QLinearLeakyRelu, QLinearSoftmax, QLinearWhere,
 * QLinearConcat, MulInteger. In: codes, scales, zero points. Out: codes (of MulInteger: products).
 * Each step in float as it stands here, so that other devices can do the same. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms_codes.h"

/* Two operands and the result that they broadcast to. */
typedef struct two_operands {
    tensor_value *a, *b, *y;
    ref_walk walk;
} two_operands;

static ondol_status join(plan_call *c, two_operands *o, tensor_element e, ondol_error *err) {
    tensor_value *both[2] = {o->a, o->b};
    int64_t dims[TENSOR_MAX_RANK];
    uint32_t rank = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_broadcast(c, both, 2, &rank, dims, err));
    TRY(plan_call_output(c, 0, e, rank, dims, &o->y, err));
    ref_walk_begin(&o->walk, rank, dims);
    ref_walk_add(&o->walk, o->a->rank, o->a->dims);
    ref_walk_add(&o->walk, o->b->rank, o->b->dims);
done:
    return status;
}

/* QLinearAdd, QLinearMul. */
ondol_status ref_ms_qlinear_binary(plan_call *c, ondol_error *err) {
    const bool is_mul = c->g->nodes[c->node].op == GRAPH_OP_MS_QLINEAR_MUL;
    two_operands o = {0};
    ref_ms_meaning a, b, y;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_codes_read(c, 0, 1, 2, &o.a, &a, err));
    TRY(ref_ms_codes_read(c, 3, 4, 5, &o.b, &b, err));
    if (a.element != b.element) return plan_call_fail(c, err, "its operands differ in type");
    TRY(ref_ms_meaning_read(c, 6, 7, a.element, &y, err));
    TRY(join(c, &o, a.element, err));
    const float a_by = a.scale / y.scale, b_by = b.scale / y.scale;
    const float both = a.scale * b.scale, by = both / y.scale;
    for (uint64_t i = 0; o.walk.left; ref_walk_next(&o.walk), i++) {
        const int32_t p = ref_ms_code_at(o.a, (uint64_t)o.walk.at[0]) - a.zero;
        const int32_t q = ref_ms_code_at(o.b, (uint64_t)o.walk.at[1]) - b.zero;
        const float left = (float)p * a_by, right = (float)q * b_by;
        const float v = is_mul ? (float)(p * q) * by : left + right;
        tensor_set_integer(y.element, o.y->data, i, ref_ms_code_of(&y, v));
    }
done:
    return status;
}

/* (A - A_zero_point) * (B - B_zero_point) */
ondol_status ref_ms_mul_integer(plan_call *c, ondol_error *err) {
    two_operands o = {0};
    tensor_value *zero = NULL;
    int64_t a_zero = 0, b_zero = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_codes(c, 0, &o.a, err));
    TRY(plan_call_typed(c, 2, o.a->element, &o.b, err));
    if (plan_call_input(c, 1)) TRY(plan_call_typed(c, 1, o.a->element, &zero, err));
    if (plan_call_input(c, 3)) TRY(plan_call_typed(c, 3, o.a->element, &zero, err));
    TRY(ref_scalar_integer(c, 1, 0, &a_zero, err));
    TRY(ref_scalar_integer(c, 3, 0, &b_zero, err));
    TRY(join(c, &o, TENSOR_ELEMENT_I32, err));
    for (uint64_t i = 0; o.walk.left; ref_walk_next(&o.walk), i++) {
        const int64_t p = ref_ms_code_at(o.a, (uint64_t)o.walk.at[0]) - a_zero;
        const int64_t q = ref_ms_code_at(o.b, (uint64_t)o.walk.at[1]) - b_zero;
        tensor_set_integer(TENSOR_ELEMENT_I32, o.y->data, i, p * q);
    }
done:
    return status;
}

static float sigmoid(float x, float parameter) {
    (void)parameter;
    return (float)(1 / (1 + exp(-(double)x)));
}

static float leaky_relu(float x, float alpha) {
    return x >= 0 ? x : alpha * x;
}

/* QLinearSigmoid, QLinearLeakyRelu: a code for each code. */
ondol_status ref_ms_qlinear_unary(plan_call *c, ondol_error *err) {
    const bool is_sigmoid = c->g->nodes[c->node].op == GRAPH_OP_MS_QLINEAR_SIGMOID;
    const float alpha = is_sigmoid ? 0 : (float)graph_get_float(c->g, c->node, "alpha");
    tensor_value *x = NULL, *y = NULL;
    ref_ms_meaning from, to;
    uint8_t table[256];
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_codes_read(c, 0, 1, 2, &x, &from, err));
    TRY(ref_ms_meaning_read(c, 3, 4, x->element, &to, err));
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err));
    ref_ms_code_table(&from, &to, is_sigmoid ? sigmoid : leaky_relu, alpha, table);
    for (uint64_t i = 0; i < x->elems; i++)
        ((uint8_t *)y->data)[i] = table[((const uint8_t *)x->data)[i]];
done:
    return status;
}

/* The codes of one line, step elements apart. */
static void softmax_line(const uint8_t *x, uint8_t *y, uint64_t count, uint64_t step,
                         const ref_ms_meaning *from, const ref_ms_meaning *to) {
    const unsigned flip = from->element == TENSOR_ELEMENT_I8 ? 128 : 0; /* to unsigned order */
    unsigned most = 0;
    double sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        const unsigned code = x[i * step] ^ flip;
        if (code > most) most = code;
    }
    for (uint64_t i = 0; i < count; i++)
        sum += exp(((double)(x[i * step] ^ flip) - most) * (double)from->scale);
    for (uint64_t i = 0; i < count; i++) {
        const double e = exp(((double)(x[i * step] ^ flip) - most) * (double)from->scale);
        y[i * step] = (uint8_t)ref_ms_code_of(to, e / sum / (double)to->scale);
    }
}

/* Along one axis; in the form before opset 13 along all from the axis on. */
ondol_status ref_ms_qlinear_softmax(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    ref_ms_meaning from, to;
    uint32_t axis = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_codes_read(c, 0, 1, 2, &x, &from, err));
    TRY(ref_ms_meaning_read(c, 3, 4, x->element, &to, err));
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), x->rank, &axis, err));
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err));
    ref_split s = ref_split_at(x, axis);
    if (graph_get_int(c->g, c->node, "opset") < 13) {
        s.axis *= s.inner;
        s.inner = 1;
    }
    const uint64_t lines = x->elems ? s.outer * s.inner : 0;
    for (uint64_t i = 0; i < lines; i++) {
        const uint64_t at = i / s.inner * s.axis * s.inner + i % s.inner;
        softmax_line((const uint8_t *)x->data + at, (uint8_t *)y->data + at, s.axis, s.inner, &from,
                     &to);
    }
done:
    return status;
}

/* Codes stay where scale and zero point do. */
static void requantize_table(const ref_ms_meaning *from, const ref_ms_meaning *to, uint8_t *table) {
    if (from->element == to->element && from->zero == to->zero && from->scale == to->scale) {
        for (unsigned i = 0; i < 256; i++)
            table[i] = (uint8_t)i;
        return;
    }
    ref_ms_code_table(from, to, NULL, 0, table);
}

ondol_status ref_ms_qlinear_where(plan_call *c, ondol_error *err) {
    tensor_value *in[3] = {NULL}, *z = NULL;
    ref_ms_meaning x, y, to;
    uint8_t tables[2][256];
    int64_t dims[TENSOR_MAX_RANK];
    uint32_t rank = 0;
    ref_walk w;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_BOOL, in, err));
    TRY(ref_ms_codes_read(c, 1, 2, 3, in + 1, &x, err));
    TRY(ref_ms_codes_read(c, 4, 5, 6, in + 2, &y, err));
    TRY(ref_ms_meaning_read(c, 7, 8, x.element, &to, err));
    if (x.element != y.element) return plan_call_fail(c, err, "its operands differ in type");
    TRY(ref_broadcast(c, in, 3, &rank, dims, err));
    TRY(plan_call_output(c, 0, x.element, rank, dims, &z, err));
    requantize_table(&x, &to, tables[1]);
    requantize_table(&y, &to, tables[0]);
    ref_walk_begin(&w, rank, dims);
    for (int i = 0; i < 3; i++)
        ref_walk_add(&w, in[i]->rank, in[i]->dims);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        const bool is_x = ((const uint8_t *)in[0]->data)[w.at[0]] != 0;
        const uint8_t code = is_x ? ((const uint8_t *)in[1]->data)[w.at[1]]
                                  : ((const uint8_t *)in[2]->data)[w.at[2]];
        ((uint8_t *)z->data)[i] = tables[is_x][code];
    }
done:
    return status;
}

/* ------------------------------------------------------------------------------ QLinearConcat */

/* Input i, whose other dimensions are as those of `like`. */
static ondol_status read_part(const plan_call *c, uint32_t i, const tensor_value *like,
                              uint32_t axis, tensor_value **out, ondol_error *err) {
    ondol_status status = ref_ms_codes(c, i, out, err);
    if (status != ONDOL_OK) return status;
    const tensor_value *v = *out;
    bool fits = v->rank == like->rank;
    for (uint32_t d = 0; d < v->rank && fits; d++)
        fits = d == axis || v->dims[d] == like->dims[d];
    if (fits) return ONDOL_OK;
    char a[REF_SHAPE_TEXT_BYTES], b[REF_SHAPE_TEXT_BYTES];
    return plan_call_fail(c, err, "shapes %s and %s do not go together",
                          ref_shape_text(like->rank, like->dims, a),
                          ref_shape_text(v->rank, v->dims, b));
}

/* Inputs: the result's scale and zero point, then codes, scale and zero point of each part. */
ondol_status ref_ms_qlinear_concat(plan_call *c, ondol_error *err) {
    tensor_value *zero = NULL, *first = NULL, *part = NULL, *y = NULL;
    ref_ms_meaning from, to;
    int64_t dims[TENSOR_MAX_RANK];
    uint8_t table[256];
    uint32_t axis = 0;
    ondol_status status = ONDOL_OK;
    if (c->input_count < 5 || (c->input_count - 2) % 3 != 0) {
        return plan_call_fail(c, err, "%" PRIu32 " inputs, expected 2 and 3 for each part",
                              c->input_count);
    }
    TRY(ref_ms_codes(c, 1, &zero, err));
    TRY(ref_ms_meaning_read(c, 0, 1, zero->element, &to, err));
    TRY(ref_ms_codes(c, 2, &first, err));
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), first->rank, &axis, err));
    memcpy(dims, first->dims, sizeof dims);
    for (uint32_t i = 5; i < c->input_count; i += 3) {
        TRY(read_part(c, i, first, axis, &part, err));
        if (dims[axis] > INT64_MAX - part->dims[axis]) {
            return plan_call_fail(c, err, "its shapes are too large");
        }
        dims[axis] += part->dims[axis];
    }
    TRY(plan_call_output(c, 0, zero->element, first->rank, dims, &y, err));
    const ref_split whole = ref_split_at(y, axis);
    uint64_t at = 0;
    for (uint32_t i = 2; i < c->input_count && y->elems; i += 3) {
        TRY(ref_ms_codes_read(c, i, i + 1, i + 2, &part, &from, err));
        requantize_table(&from, &to, table);
        const uint64_t run = (uint64_t)part->dims[axis] * whole.inner;
        for (uint64_t k = 0; k < part->elems; k++) {
            const uint64_t place = k / run * whole.axis * whole.inner + at + k % run;
            ((uint8_t *)y->data)[place] = table[((const uint8_t *)part->data)[k]];
        }
        at += run;
    }
done:
    return status;
}
