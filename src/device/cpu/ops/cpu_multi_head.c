/* MultiHeadAttention (com.microsoft). In: queries, keys and values, apart or packed, or those of a
 * cache; a mask, a bias, a past. Out: attention, the present. Buffers that past and present share,
 * beams, and scores as an output are left to ref. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/cpu/ops/cpu_attend.h"
#include "device/cpu/ops/cpu_attention_ops.h"
#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/rows.h"

enum { QUERY, KEY, VALUE, PROJECTION, MASK, BIAS, PAST_K, PAST_V, PAST_LENGTH, BEAMS };

static const graph_value *input_of(const graph *g, graph_node_id n, uint32_t i) {
    const graph_node *node = g->nodes + n;
    const bool there = i < node->input_count && node->inputs[i] != GRAPH_NONE;
    return there ? g->values + node->inputs[i] : NULL;
}

bool cpu_accepts_multi_head(const graph *g, graph_node_id n, base_buffer *why) {
    static const uint32_t floats[] = {QUERY, KEY, VALUE, PROJECTION, BIAS, PAST_K, PAST_V};
    const graph_node *node = g->nodes + n;
    const char *fault = NULL;
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        const graph_value *v = input_of(g, n, floats[i]);
        if (v && v->element != TENSOR_ELEMENT_F32) fault = "it attends in float32";
    }
    if (input_of(g, n, PAST_LENGTH) || input_of(g, n, BEAMS)) fault = "a shared buffer, or beams";
    if (node->output_count > 3 && node->outputs[3] != GRAPH_NONE) fault = "scores as an output";
    if (fault && why) base_buffer_append_text(why, fault);
    return !fault;
}

/* Heads as they lie: element [batch][head][row][i]. */
typedef struct operand {
    const float *x;
    cpu_head_steps step;
} operand;

typedef struct mha {
    uint64_t batch, heads, queries, news, past, size, v_size;
    operand q, k, v;
    tensor_value *owned[3]; /* with the bias added, or the past in front */
    void *bias;             /* of mask and bias together */
    bool is_causal;
} mha;

/* ------------------------------------------------------------ heads */

static ondol_status refuse(const plan_call *c, const char *name, const tensor_value *v,
                           ondol_error *err) {
    return plan_call_fail(c, err,
                          "%s has rank %" PRIu32 " and %" PRIu64
                          " elements, which does not fit num_heads and the query",
                          name, v->rank, v->elems);
}

static ondol_status read_sizes(const plan_call *c, mha *m, const tensor_value *q, bool packed,
                               ondol_error *err) {
    const int64_t heads = graph_get_int(c->g, c->node, "num_heads"), parts = packed ? 3 : 1;
    if (heads < 1 || heads > 1 << 20) return plan_call_fail(c, err, "num_heads is %" PRId64, heads);
    m->heads = (uint64_t)heads;
    if (q->rank == 5 && packed && q->dims[2] == heads && q->dims[3] == 3)
        m->size = (uint64_t)q->dims[4];
    else if (q->rank == 3 && q->dims[2] % (parts * heads) == 0)
        m->size = (uint64_t)(q->dims[2] / (parts * heads));
    if (!m->size) return refuse(c, "query", q, err);
    m->batch = (uint64_t)q->dims[0];
    m->queries = m->news = (uint64_t)q->dims[1];
    m->v_size = m->size;
    return ONDOL_OK;
}

/* Part `part` of `parts` in rows of heads: [parts, heads, size], or [heads, parts, size]. */
static operand part_of(const tensor_value *v, const mha *m, uint64_t rows, uint64_t part,
                       uint64_t parts, bool by_head) {
    const uint64_t size = m->size, row = parts * m->heads * size;
    return (operand){(const float *)v->data + (by_head ? part * size : part * m->heads * size),
                     {rows * row, by_head ? parts * size : size, row}};
}

/* Keys and values [batch, heads, rows, size]: no bias is added to them. */
static ondol_status read_cached(const plan_call *c, mha *m, const tensor_value *k,
                                ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = plan_call_typed(c, VALUE, TENSOR_ELEMENT_F32, &v, err);
    if (status != ONDOL_OK) return status;
    if (k->dims[0] != (int64_t)m->batch || k->dims[1] != (int64_t)m->heads ||
        k->dims[3] != (int64_t)m->size)
        return refuse(c, "key", k, err);
    if (v->rank != 4 || v->dims[0] != k->dims[0] || v->dims[1] != k->dims[1] ||
        v->dims[2] != k->dims[2])
        return refuse(c, "value", v, err);
    m->news = (uint64_t)k->dims[2];
    m->v_size = (uint64_t)v->dims[3];
    m->k = (operand){k->data, {m->heads * m->news * m->size, m->news * m->size, m->size}};
    m->v = (operand){v->data, {m->heads * m->news * m->v_size, m->news * m->v_size, m->v_size}};
    return ONDOL_OK;
}

static ondol_status read_rows(const plan_call *c, mha *m, const tensor_value *k, ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = plan_call_typed(c, VALUE, TENSOR_ELEMENT_F32, &v, err);
    if (status != ONDOL_OK) return status;
    if (k->rank != 3 || k->dims[0] != (int64_t)m->batch ||
        k->dims[2] != (int64_t)(m->heads * m->size))
        return refuse(c, "key", k, err);
    if (v->rank != 3 || v->dims[0] != k->dims[0] || v->dims[1] != k->dims[1] ||
        v->dims[2] % (int64_t)m->heads)
        return refuse(c, "value", v, err);
    m->news = (uint64_t)k->dims[1];
    m->v_size = (uint64_t)v->dims[2] / m->heads;
    m->k = part_of(k, m, m->news, 0, 1, false);
    const uint64_t v_row = m->heads * m->v_size;
    m->v = (operand){v->data, {m->news * v_row, m->v_size, v_row}};
    return ONDOL_OK;
}

/* *biased: of q, k, v, which have a bias added. */
static ondol_status read_heads(const plan_call *c, mha *m, bool biased[3], ondol_error *err) {
    tensor_value *q = NULL, *k = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, QUERY, TENSOR_ELEMENT_F32, &q, err));
    const bool packed = !plan_call_input(c, KEY);
    TRY(read_sizes(c, m, q, packed, err));
    biased[0] = biased[1] = biased[2] = true;
    if (packed) {
        m->q = part_of(q, m, m->queries, 0, 3, q->rank == 5);
        m->k = part_of(q, m, m->queries, 1, 3, q->rank == 5);
        m->v = part_of(q, m, m->queries, 2, 3, q->rank == 5);
        return ONDOL_OK;
    }
    m->q = part_of(q, m, m->queries, 0, 1, false);
    TRY(plan_call_typed(c, KEY, TENSOR_ELEMENT_F32, &k, err));
    if (k->rank == 4) {
        biased[1] = biased[2] = false;
        return read_cached(c, m, k, err);
    }
    if (k->rank != 5) return read_rows(c, m, k, err);
    if (k->dims[0] != (int64_t)m->batch || k->dims[2] != (int64_t)m->heads || k->dims[3] != 2 ||
        k->dims[4] != (int64_t)m->size)
        return refuse(c, "key", k, err);
    m->news = (uint64_t)k->dims[1];
    m->k = part_of(k, m, m->news, 0, 2, true);
    m->v = part_of(k, m, m->news, 1, 2, true);
done:
    return status;
}

/* ------------------------------------------------------------ copies */

/* Rows of an operand, with a bias and a past, dense. */
typedef struct copying {
    const cpu_rows *rows;
    const mha *m;
    operand from;
    const float *bias, *past; /* [heads * size]; [batch][heads][past][size]; NULL: none */
    uint64_t count, past_rows, size;
    float *to; /* [batch][heads][past_rows + count][size] */
} copying;

static void copy_unit(uint32_t unit, unsigned thread, void *argument) {
    const copying *j = argument;
    const uint64_t b = unit / j->m->heads, h = unit % j->m->heads;
    const float *from = j->from.x + b * j->from.step.batch + h * j->from.step.head;
    float *to = j->to + unit * (j->past_rows + j->count) * j->size;
    const size_t n = (size_t)j->size;
    (void)thread;
    if (j->past_rows) {
        memcpy(to, j->past + unit * j->past_rows * j->size,
               (size_t)(j->past_rows * j->size) * sizeof *to);
        to += j->past_rows * j->size;
    }
    for (uint64_t r = 0; r < j->count; r++, to += n, from += j->from.step.row) {
        if (j->bias)
            j->rows->binary(CPU_BINARY_ADD, to, from, 1, j->bias + h * n, 1, n);
        else
            memcpy(to, from, n * sizeof *to);
    }
}

/* Operand i (q, k, v) becomes a copy; output: where it goes, or 0. */
static ondol_status copy_operand(plan_call *c, mha *m, uint32_t i, uint32_t output, operand *o,
                                 const float *bias, const tensor_value *past, ondol_error *err) {
    copying j = {.rows = cpu_rows_select(cpu_device_of(c->device)->isa),
                 .m = m,
                 .from = *o,
                 .bias = bias,
                 .past = past ? past->data : NULL,
                 .past_rows = past ? m->past : 0,
                 .count = i ? m->news : m->queries,
                 .size = i == 2 ? m->v_size : m->size};
    const uint64_t rows = j.past_rows + j.count;
    const int64_t dims[4] = {(int64_t)m->batch, (int64_t)m->heads, (int64_t)rows, (int64_t)j.size};
    ondol_status status =
        tensor_value_create(c->heap, TENSOR_ELEMENT_F32, 4, dims, m->owned + i, err);
    if (status != ONDOL_OK) return status;
    j.to = m->owned[i]->data;
    if (m->batch * m->heads > BASE_POOL_UNITS_MAX)
        return plan_call_fail(c, err, "%" PRIu64 " sequences", m->batch);
    plan_call_parallel(c, (uint32_t)(m->batch * m->heads), copy_unit, &j);
    *o = (operand){j.to, {m->heads * rows * j.size, rows * j.size, j.size}};
    if (output) plan_call_give(c, output, m->owned[i]);
    return ONDOL_OK;
}

static ondol_status read_past(const plan_call *c, mha *m, tensor_value **past, ondol_error *err) {
    if (!plan_call_input(c, PAST_K) && !plan_call_input(c, PAST_V)) return ONDOL_OK;
    for (uint32_t i = 0; i < 2; i++) {
        ondol_status status = plan_call_typed(c, PAST_K + i, TENSOR_ELEMENT_F32, past + i, err);
        if (status != ONDOL_OK) return status;
        const tensor_value *v = past[i];
        if (v->rank != 4 || v->dims[0] != (int64_t)m->batch || v->dims[1] != (int64_t)m->heads ||
            v->dims[2] != past[0]->dims[2] || v->dims[3] != (int64_t)(i ? m->v_size : m->size))
            return refuse(c, i ? "past_value" : "past_key", v, err);
    }
    m->past = (uint64_t)past[0]->dims[2];
    return ONDOL_OK;
}

/* Bias of the projections added, past in front, present given out: each where there is one. */
static ondol_status make_operands(plan_call *c, mha *m, const bool biased[3], ondol_error *err) {
    operand *const list[3] = {&m->q, &m->k, &m->v};
    const uint64_t widths[3] = {m->heads * m->size, m->heads * m->size, m->heads * m->v_size};
    tensor_value *past[2] = {NULL}, *bias = NULL;
    const float *at = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_past(c, m, past, err));
    if (plan_call_input(c, PROJECTION)) {
        TRY(plan_call_typed(c, PROJECTION, TENSOR_ELEMENT_F32, &bias, err));
        if (bias->rank != 1 || bias->elems != widths[0] + widths[1] + widths[2])
            return refuse(c, "bias", bias, err);
        at = bias->data;
    }
    for (uint32_t i = 0; i < 3; i++) {
        const float *own = at && biased[i] ? at : NULL;
        const uint32_t output = i && plan_call_wants(c, i) ? i : 0;
        const tensor_value *before = i ? past[i - 1] : NULL;
        if (own || before || output) TRY(copy_operand(c, m, i, output, list[i], own, before, err));
        if (at) at += widths[i];
    }
done:
    return status;
}

/* ------------------------------------------------------------ mask and bias */

/* How the mask goes with batch, query and key. */
typedef struct mask {
    const int32_t *x;
    uint32_t rank;
    uint64_t batch, length; /* of rank 4: its last dimension */
    bool has_starts;
} mask;

static ondol_status read_mask(const plan_call *c, const mha *m, mask *out, ondol_error *err) {
    const int64_t batch = (int64_t)m->batch, keys = (int64_t)(m->past + m->news);
    tensor_value *v = NULL;
    *out = (mask){.batch = m->batch};
    if (!plan_call_input(c, MASK)) return ONDOL_OK;
    ondol_status status = plan_call_typed(c, MASK, TENSOR_ELEMENT_I32, &v, err);
    if (status != ONDOL_OK) return status;
    const int64_t *d = v->dims;
    const bool fits =
        (v->rank == 1 && (d[0] == batch || d[0] == 3 * batch + 2 || d[0] == 2 * batch)) ||
        (v->rank == 2 && d[0] == batch && d[1] == keys) ||
        (v->rank == 3 && d[0] == batch && d[1] == (int64_t)m->queries && d[2] == keys) ||
        (v->rank == 4 && d[0] == batch && d[1] == 1 && d[2] >= keys && d[2] == d[3] &&
         m->queries <= m->news);
    if (!fits) return refuse(c, "the mask", v, err);
    out->x = v->data;
    out->rank = v->rank;
    out->length = v->rank == 4 ? (uint64_t)d[3] : 0;
    out->has_starts = v->rank == 1 && d[0] == 2 * batch && d[0] != batch;
    return ONDOL_OK;
}

static bool is_masked(const mask *k, const mha *m, uint64_t b, uint64_t row, uint64_t t) {
    const uint64_t keys = m->past + m->news;
    switch (k->rank) {
    case 1: return (int64_t)t >= k->x[b] || (k->has_starts && (int64_t)t < k->x[k->batch + b]);
    case 2: return k->x[b * keys + t] <= 0;
    case 3: return k->x[(b * m->queries + row) * keys + t] <= 0;
    default: return k->x[(b * k->length + m->past + row) * k->length + t] <= 0;
    }
}

/* The bias as it is, or a copy with the mask's value added where it masks. */
static ondol_status join_bias(plan_call *c, mha *m, cpu_attention *a, ondol_error *err) {
    const uint64_t keys = m->past + m->news;
    const graph_attribute *given = graph_get_attribute(c->g, c->node, "mask_filter_value");
    const float value = given ? (float)given->f : -10000.0f;
    tensor_value *bias = NULL;
    uint64_t sets = 1, heads = 1;
    mask k;
    ondol_status status = ONDOL_OK;
    TRY(read_mask(c, m, &k, err));
    if (plan_call_input(c, BIAS)) {
        TRY(plan_call_typed(c, BIAS, TENSOR_ELEMENT_F32, &bias, err));
        const int64_t *d = bias->dims;
        if (bias->rank != 4 || (d[0] != 1 && d[0] != (int64_t)m->batch) ||
            (d[1] != 1 && d[1] != (int64_t)m->heads) || d[2] != (int64_t)m->queries ||
            d[3] != (int64_t)keys)
            return refuse(c, "attention_bias", bias, err);
        sets = (uint64_t)d[0];
        heads = (uint64_t)d[1];
    }
    if (!k.x && !bias) return ONDOL_OK;
    if (k.x) sets = m->batch;
    const uint64_t plane = m->queries * keys;
    a->bias_step = (cpu_head_steps){sets == 1 ? 0 : heads * plane, heads == 1 ? 0 : plane, keys};
    a->bias = bias ? bias->data : NULL;
    if (!k.x) return ONDOL_OK;
    TRY(tensor_heap_alloc(c->heap, sets * heads * plane * sizeof(float), "a mask", &m->bias, err));
    float *to = m->bias;
    for (uint64_t i = 0; i < sets * heads * m->queries; i++) {
        const uint64_t row = i % m->queries, b = i / m->queries / heads;
        const uint64_t h = i / m->queries % heads;
        const uint64_t set = bias && bias->dims[0] == 1 ? 0 : b;
        const float *from =
            bias ? (const float *)bias->data + ((set * heads + h) * m->queries + row) * keys : NULL;
        for (uint64_t t = 0; t < keys; t++)
            to[i * keys + t] =
                (from ? from[t] : 0.0f) + (is_masked(&k, m, b, row, t) ? value : 0.0f);
    }
    a->bias = to;
done:
    return status;
}

static void sees(const void *user, uint64_t b, uint64_t row, uint64_t *first, uint64_t *end) {
    const mha *m = user;
    const uint64_t keys = m->past + m->news, behind = m->past + row + 1;
    (void)b;
    *first = 0;
    *end = m->is_causal && behind < keys ? behind : keys;
}

static ondol_status run(plan_call *c, mha *m, ondol_error *err) {
    const double scale = graph_get_float(c->g, c->node, "scale");
    cpu_attention a = {.sees = sees, .user = m};
    bool biased[3];
    tensor_value *y = NULL;
    ondol_status status = ONDOL_OK;
    m->is_causal = graph_get_int(c->g, c->node, "unidirectional") != 0;
    TRY(read_heads(c, m, biased, err));
    TRY(make_operands(c, m, biased, err));
    TRY(join_bias(c, m, &a, err));
    const int64_t dims[3] = {(int64_t)m->batch, (int64_t)m->queries,
                             (int64_t)(m->heads * m->v_size)};
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, 3, dims, &y, err));
    a.batch = m->batch;
    a.heads = a.kv_heads = m->heads;
    a.queries = m->queries;
    a.keys = m->past + m->news;
    a.size = m->size;
    a.v_size = m->v_size;
    a.scale = scale != 0 ? (float)scale : 1 / sqrtf((float)m->size);
    a.q = m->q.x;
    a.k = m->k.x;
    a.v = m->v.x;
    a.q_step = m->q.step;
    a.k_step = m->k.step;
    a.v_step = m->v.step;
    a.y = y->data;
    a.y_step = (cpu_head_steps){m->queries * m->heads * m->v_size, m->v_size, m->heads * m->v_size};
    TRY(cpu_attend(c, &a, err));
done:
    return status;
}

ondol_status cpu_run_multi_head(plan_call *c, ondol_error *err) {
    mha m = {.batch = 0};
    ondol_status status = run(c, &m, err);
    for (int i = 0; i < 3; i++)
        tensor_value_release(m.owned[i]);
    tensor_heap_free(c->heap, m.bias);
    return status;
}
