/* Attention, DecoderMaskedSelfAttention, QAttention. In: rows, the weights of all three
 * projections, a past of keys and values in one tensor. Out: attention, the present. */
#include <inttypes.h>
#include <math.h>

#include "device/ref/ops/ref_gemm.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms_mha.h"

/* Where an operator has its inputs; 0: it has none of the kind. */
typedef struct places {
    uint32_t bias, mask, past, attention_bias, past_length, beam_width, beams;
} places;

static const places SELF = {2, 3, 4, 5, 6, 0, 0};
static const places DECODER = {2, 3, 4, 5, 6, 7, 8};
static const places QUANTIZED = {2, 5, 8, 0, 0, 0, 0};

enum { X, WEIGHTS, BIAS, X_SCALE, W_SCALE, X_ZERO = 6, W_ZERO = 7 };

typedef struct call {
    const places *at;
    ref_ms_mha m;
    bool is_quantized;
    tensor_element element; /* of results */
    uint64_t inputs, width; /* of weights: rows, columns */
    double *projected;      /* [batch * queries][width] */
    uint64_t rotated;       /* numbers of a head that are rotated */
} call;

/* ------------------------------------------------------------ projections */

/* Number at element i of an optional tensor of one, or of one for each of count. */
static ondol_status check_count(const plan_call *c, const char *name, const tensor_value *v,
                                uint64_t count, ondol_error *err) {
    if (!v || v->elems == 1 || v->elems == count) return ONDOL_OK;
    return plan_call_fail(c, err, "%s has %" PRIu64 " elements, expected 1 or %" PRIu64, name,
                          v->elems, count);
}

static double number_of(const tensor_value *v, uint64_t i, double otherwise) {
    return v ? tensor_get_number(v->element, v->data, v->elems == 1 ? 0 : i) : otherwise;
}

/* All numbers of codes less their zero point and times their scale, which may go by column. */
static ondol_status dequantize(const plan_call *c, uint32_t i, uint32_t scale_input, uint32_t zero,
                               uint64_t columns, double **out, ondol_error *err) {
    tensor_value *v = NULL, *scale = NULL, *z = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, i, REF_CLASS_INTEGER, &v, err));
    TRY(ref_float_input(c, scale_input, &scale, err));
    if (plan_call_input(c, zero)) TRY(plan_call_typed(c, zero, v->element, &z, err));
    TRY(check_count(c, "a scale", scale, columns, err));
    TRY(check_count(c, "a zero point", z, columns, err));
    TRY(ref_all_numbers(c, v, out, err));
    const uint64_t width = (uint64_t)v->dims[v->rank - 1];
    for (uint64_t k = 0; k < v->elems; k++) {
        const uint64_t column = k % width;
        (*out)[k] = ((*out)[k] - number_of(z, column, 0)) * number_of(scale, column, 1);
    }
done:
    return status;
}

static ondol_status read_operands(const plan_call *c, const call *k, double **x, double **w,
                                  ondol_error *err) {
    ondol_status status = ONDOL_OK;
    if (k->is_quantized) {
        TRY(dequantize(c, X, X_SCALE, X_ZERO, 1, x, err));
        TRY(dequantize(c, WEIGHTS, W_SCALE, W_ZERO, k->width, w, err));
    } else {
        TRY(ref_all_numbers(c, plan_call_input(c, X), x, err));
        TRY(ref_all_numbers(c, plan_call_input(c, WEIGHTS), w, err));
    }
done:
    return status;
}

typedef struct projection {
    double *to;
    const double *bias;
    uint64_t width;
} projection;

static void take(void *user, uint64_t first, uint64_t count, const double *sums) {
    const projection *p = user;
    for (uint64_t i = 0; i < count; i++)
        p->to[first + i] = sums[i] + (p->bias ? p->bias[(first + i) % p->width] : 0);
}

static ondol_status project(plan_call *c, call *k, ondol_error *err) {
    const int64_t width = (int64_t)k->width;
    double *x = NULL, *w = NULL, *bias = NULL;
    void *p = NULL;
    ref_gemm gemm;
    ondol_status status = ONDOL_OK;
    const uint64_t rows = k->m.batch * k->m.queries;
    TRY(ref_ms_numbers(c, k->at->bias, "bias", 1, &width, &bias, err));
    TRY(read_operands(c, k, &x, &w, err));
    TRY(ref_alloc(c, rows, k->width * sizeof(double), "projections", &p, err));
    k->projected = p;
    projection to = {k->projected, bias, k->width};
    ref_gemm_of_matrices(rows, k->inputs, k->width, &gemm);
    ref_gemm_numbers(c, &gemm, x, w, take, &to);
done:
    tensor_heap_free(c->heap, x);
    tensor_heap_free(c->heap, w);
    tensor_heap_free(c->heap, bias);
    return status;
}

/* ------------------------------------------------------------ heads */

static ondol_status cut(const plan_call *c, const call *k, uint64_t first, uint64_t size,
                        double **out, ondol_error *err) {
    const ref_ms_mha *m = &k->m;
    ondol_status status =
        ref_ms_doubles(c, m->batch * m->heads * m->queries * size, "heads", out, err);
    if (status != ONDOL_OK) return status;
    double *dst = *out;
    for (uint64_t i = 0; i < m->batch * m->heads * m->queries; i++) {
        const uint64_t row = i % m->queries, h = i / m->queries % m->heads;
        const uint64_t b = i / m->queries / m->heads;
        const double *src = k->projected + (b * m->queries + row) * k->width + first + h * size;
        for (uint64_t n = 0; n < size; n++)
            *dst++ = src[n];
    }
    return ONDOL_OK;
}

/* Angles as GPT-NeoX has them: pairs half apart, of powers of 10000. */
static void rotate(const call *k, double *heads) {
    const ref_ms_mha *m = &k->m;
    const uint64_t half = k->rotated / 2;
    for (uint64_t i = 0; i < m->batch * m->heads * m->queries; i++) {
        double *x = heads + i * m->size;
        const double position = (double)(m->past + i % m->queries);
        for (uint64_t n = 0; n < half; n++) {
            const double angle = position * pow(10000, -(double)n / (double)half);
            const double a = x[n], b = x[n + half];
            x[n] = a * cos(angle) - b * sin(angle);
            x[n + half] = b * cos(angle) + a * sin(angle);
        }
    }
}

static ondol_status make_heads(const plan_call *c, call *k, ondol_error *err) {
    ref_ms_mha *m = &k->m;
    const uint64_t own = m->heads * m->size;
    ondol_status status = ONDOL_OK;
    TRY(cut(c, k, 0, m->size, &m->q, err));
    TRY(cut(c, k, own, m->size, &m->new_k, err));
    TRY(cut(c, k, 2 * own, m->v_size, &m->new_v, err));
    if (k->rotated) {
        rotate(k, m->q);
        rotate(k, m->new_k);
    }
done:
    return status;
}

/* ------------------------------------------------------------ shapes */

/* Columns of q, k and v. */
static ondol_status split_columns(const plan_call *c, call *k, ondol_error *err) {
    const graph_attribute *sizes = graph_get_attribute(c->g, c->node, "qkv_hidden_sizes");
    ref_ms_mha *m = &k->m;
    const int64_t heads = (int64_t)m->heads, width = (int64_t)k->width;
    int64_t own = width / 3, v = width / 3;
    if (sizes && sizes->int_count && sizes->int_count != 3) {
        return plan_call_fail(c, err, "qkv_hidden_sizes has %" PRIu32 " numbers, expected 3",
                              sizes->int_count);
    }
    if (sizes && sizes->int_count == 3) {
        own = sizes->ints[0];
        v = sizes->ints[2];
        if (sizes->ints[1] != own) own = -1;
    }
    if (own < heads || v < heads || own > width || v > width || 2 * own + v != width ||
        own % heads || v % heads) {
        return plan_call_fail(c, err,
                              "weights of %" PRId64 " columns for %" PRId64 " heads of q, k and v",
                              width, heads);
    }
    m->size = (uint64_t)(own / heads);
    m->v_size = (uint64_t)(v / heads);
    return ONDOL_OK;
}

static ondol_status read_shapes(const plan_call *c, call *k, ondol_error *err) {
    const unsigned classes = k->is_quantized ? REF_CLASS_INTEGER : REF_CLASS_FLOAT;
    tensor_value *x = NULL, *w = NULL, *bias = NULL;
    ref_ms_mha *m = &k->m;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, X, classes, &x, err));
    TRY(ref_input(c, WEIGHTS, classes, &w, err));
    TRY(ref_ms_expect_rank(c, "input", x, 3, err));
    TRY(ref_ms_expect_rank(c, "weights", w, 2, err));
    const int64_t dims[2] = {x->dims[2], w->dims[1]};
    TRY(ref_expect_dims(c, "weights", w, 2, dims, err));
    k->element = x->element;
    if (k->is_quantized) {
        TRY(ref_float_input(c, BIAS, &bias, err));
        k->element = bias->element;
    }
    m->batch = (uint64_t)x->dims[0];
    m->queries = m->news = (uint64_t)x->dims[1];
    k->inputs = (uint64_t)x->dims[2];
    k->width = (uint64_t)w->dims[1];
    TRY(split_columns(c, k, err));
    if (graph_get_int(c->g, c->node, "do_rotary") != 0) {
        const int64_t dim = graph_get_int(c->g, c->node, "rotary_embedding_dim");
        k->rotated = dim > 0 && (uint64_t)dim < m->size ? (uint64_t)dim : m->size;
    }
done:
    return status;
}

/* [2, batch, heads, rows, size]: keys, then values. */
static ondol_status read_past(const plan_call *c, call *k, ondol_error *err) {
    ref_ms_mha *m = &k->m;
    tensor_value *past = NULL, *beams = NULL;
    int64_t width = 1;
    ondol_status status = ONDOL_OK;
    if (!plan_call_input(c, k->at->past)) return ONDOL_OK;
    TRY(ref_float_input(c, k->at->past, &past, err));
    const int64_t dims[5] = {2, (int64_t)m->batch, (int64_t)m->heads,
                             past->rank == 5 ? past->dims[3] : -1, (int64_t)m->size};
    TRY(ref_expect_dims(c, "past", past, 5, dims, err));
    m->past_k = m->past_v = past;
    m->past_v_first = past->elems / 2;
    m->capacity = (uint64_t)dims[3];
    m->is_shared =
        graph_get_int(c->g, c->node, "past_present_share_buffer") != 0 && k->at->past_length != 0;
    TRY(ref_ms_mha_past(c, k->at->past_length, m, err));
    if (k->at->beams && plan_call_input(c, k->at->beams)) {
        TRY(plan_call_typed(c, k->at->beams, TENSOR_ELEMENT_I32, &beams, err));
        TRY(ref_scalar_integer(c, k->at->beam_width, 1, &width, err));
    }
    m->beams = beams;
    m->beam_width = width > 0 ? (uint64_t)width : 0;
done:
    return status;
}

static ondol_status give_present(plan_call *c, const call *k, ondol_error *err) {
    const ref_ms_mha *m = &k->m;
    const int64_t dims[5] = {2, (int64_t)m->batch, (int64_t)m->heads, (int64_t)ref_ms_mha_rows(m),
                             (int64_t)m->size};
    tensor_value *y = NULL;
    ondol_status status = plan_call_output(c, 1, k->element, 5, dims, &y, err);
    if (status != ONDOL_OK) return status;
    ref_ms_mha_present(m, false, y, 0);
    ref_ms_mha_present(m, true, y, y->elems / 2);
    return ONDOL_OK;
}

static ondol_status run(plan_call *c, call *k, ondol_error *err) {
    ref_ms_mha *m = &k->m;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_mha_begin(c, m, err));
    TRY(read_shapes(c, k, err));
    TRY(read_past(c, k, err));
    if ((m->past_k || plan_call_wants(c, 1)) && m->size != m->v_size) {
        return plan_call_fail(c, err,
                              "heads of %" PRIu64 " and values of %" PRIu64 " numbers in one cache",
                              m->size, m->v_size);
    }
    TRY(project(c, k, err));
    TRY(make_heads(c, k, err));
    TRY(ref_ms_mha_mask(c, k->at->mask, m, err));
    if (k->at->attention_bias) TRY(ref_ms_mha_bias(c, k->at->attention_bias, m, err));
    if (plan_call_wants(c, 1)) TRY(give_present(c, k, err));
    TRY(ref_ms_mha_attend(c, m, k->element, 0, err));
done:
    return status;
}

ondol_status ref_ms_self_attention(plan_call *c, ondol_error *err) {
    const graph_op op = c->g->nodes[c->node].op;
    call k = {.at = &SELF};
    if (op == GRAPH_OP_MS_DECODER_MASKED_SELF_ATTENTION) k.at = &DECODER;
    if (op == GRAPH_OP_MS_QATTENTION) k.at = &QUANTIZED;
    k.is_quantized = op == GRAPH_OP_MS_QATTENTION;
    ondol_status status = run(c, &k, err);
    ref_ms_mha_end(c, &k.m);
    tensor_heap_free(c->heap, k.projected);
    return status;
}
