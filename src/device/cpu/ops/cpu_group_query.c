/* GroupQueryAttention (com.microsoft). In: rows of queries, keys and values, a cache, how long each
 * sequence is. Out: attention of each row to its sequence up to itself, and the cache with the new
 * rows. Quantised caches, those that slide, and norms of heads are left to ref. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/cpu/ops/cpu_attend.h"
#include "device/cpu/ops/cpu_attention_ops.h"
#include "device/cpu/ops/cpu_rotary.h"

enum {
    QUERY,
    KEY,
    VALUE,
    PAST_KEY,
    PAST_VALUE,
    SEQLENS_K,
    TOTAL,
    COS,
    SIN,
    POSITIONS,
    BIAS,
    SINK,
    K_SCALE,
    V_SCALE,
    Q_NORM,
    K_NORM,
    QUERY_SEQLENS
};

static const graph_value *input_of(const graph *g, graph_node_id n, uint32_t i) {
    const graph_node *node = g->nodes + n;
    const bool there = i < node->input_count && node->inputs[i] != GRAPH_NONE;
    return there ? g->values + node->inputs[i] : NULL;
}

bool cpu_accepts_group_query(const graph *g, graph_node_id n, base_buffer *why) {
    static const uint32_t floats[] = {QUERY, KEY, VALUE, PAST_KEY, PAST_VALUE,
                                      COS,   SIN, BIAS,  SINK};
    const graph_node *node = g->nodes + n;
    const char *fault = NULL;
    for (uint32_t i = K_SCALE; i <= QUERY_SEQLENS; i++)
        if (input_of(g, n, i)) fault = "a quantised cache, norms of heads or rows that are counted";
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        const graph_value *v = input_of(g, n, floats[i]);
        if (v && v->element != TENSOR_ELEMENT_F32) fault = "it attends in float32";
    }
    if (graph_get_int(g, n, "sliding_window_cache")) fault = "a cache that slides";
    if (node->output_count > 3 && node->outputs[3] != GRAPH_NONE) fault = "scores as an output";
    if (fault && why) base_buffer_append_text(why, fault);
    return !fault;
}

/* One sequence of the batch: tokens behind this step and before it, rows that hold tokens. */
typedef struct sequence {
    uint64_t total, past, fresh;
} sequence;

typedef struct gqa {
    const float *q, *k, *v; /* rows of heads, q_row and kv_row elements apart */
    uint64_t q_row, kv_row;
    uint64_t batch, queries, news, heads, kv_heads, size;
    uint64_t total, capacity, rows, window;
    bool is_causal;
    sequence *sequences;
    tensor_value *past[2], *present[2]; /* [batch][kv_heads][rows][size] */
    cpu_rotary rotary;
    bool rotates;
    const tensor_value *positions;
} gqa;

/* ------------------------------------------------------------ inputs */

static ondol_status read_new(const plan_call *c, gqa *j, uint32_t i, const float **out,
                             ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = plan_call_typed(c, i, TENSOR_ELEMENT_F32, &v, err);
    if (status != ONDOL_OK) return status;
    if (i == KEY && v->rank == 3) j->news = (uint64_t)v->dims[1];
    if (v->rank != 3 || v->dims[0] != (int64_t)j->batch || v->dims[1] != (int64_t)j->news ||
        v->dims[2] != (int64_t)(j->kv_heads * j->size)) {
        return plan_call_fail(c, err,
                              "%s does not have the shape [%" PRIu64 ", %" PRIu64 ", %" PRIu64 "]",
                              i == KEY ? "key" : "value", j->batch, j->news, j->kv_heads * j->size);
    }
    *out = v->data;
    return ONDOL_OK;
}

static ondol_status read_rows(const plan_call *c, gqa *j, ondol_error *err) {
    const int64_t heads = graph_get_int(c->g, c->node, "num_heads");
    const int64_t kv_heads = graph_get_int(c->g, c->node, "kv_num_heads");
    const bool packed = !plan_call_input(c, KEY) && !plan_call_input(c, VALUE);
    tensor_value *q = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, QUERY, TENSOR_ELEMENT_F32, &q, err));
    if (q->rank != 3 || heads < 1 || kv_heads < 1 || heads % kv_heads || heads > INT32_MAX) {
        return plan_call_fail(
            c, err, "query has rank %" PRIu32 ", num_heads is %" PRId64 ", kv_num_heads %" PRId64,
            q->rank, heads, kv_heads);
    }
    j->batch = (uint64_t)q->dims[0];
    j->queries = j->news = (uint64_t)q->dims[1];
    j->heads = (uint64_t)heads;
    j->kv_heads = (uint64_t)kv_heads;
    const uint64_t parts = j->heads + (packed ? 2 * j->kv_heads : 0);
    const uint64_t width = (uint64_t)q->dims[2];
    if (!width || width % parts) {
        return plan_call_fail(c, err, "rows of %" PRIu64 " for %" PRIu64 " heads", width, parts);
    }
    j->size = width / parts;
    j->q = q->data;
    j->q_row = j->kv_row = width;
    if (packed) {
        j->k = j->q + j->heads * j->size;
        j->v = j->k + j->kv_heads * j->size;
        return ONDOL_OK;
    }
    j->kv_row = j->kv_heads * j->size;
    TRY(read_new(c, j, KEY, &j->k, err));
    TRY(read_new(c, j, VALUE, &j->v, err));
done:
    return status;
}

static ondol_status read_past(const plan_call *c, gqa *j, ondol_error *err) {
    if (!plan_call_input(c, PAST_KEY) != !plan_call_input(c, PAST_VALUE)) {
        return plan_call_fail(c, err, "past_key and past_value come together");
    }
    for (uint32_t i = 0; i < 2 && plan_call_input(c, PAST_KEY); i++) {
        ondol_status status =
            plan_call_typed(c, PAST_KEY + i, TENSOR_ELEMENT_F32, j->past + i, err);
        if (status != ONDOL_OK) return status;
        const tensor_value *v = j->past[i];
        if (v->rank != 4 || v->dims[0] != (int64_t)j->batch || v->dims[1] != (int64_t)j->kv_heads ||
            v->dims[3] != (int64_t)j->size || v->dims[2] != j->past[0]->dims[2]) {
            return plan_call_fail(
                c, err, "%s does not have the shape [%" PRIu64 ", %" PRIu64 ", rows, %" PRIu64 "]",
                i ? "past_value" : "past_key", j->batch, j->kv_heads, j->size);
        }
        j->capacity = (uint64_t)v->dims[2];
    }
    return ONDOL_OK;
}

static ondol_status read_sequence(const plan_call *c, const gqa *j, uint64_t b, int64_t last,
                                  sequence *s, ondol_error *err) {
    const uint64_t limit = j->total > j->capacity ? j->total : j->capacity;
    if (last < 0 || (uint64_t)last >= limit) {
        return plan_call_fail(
            c, err, "seqlens_k[%" PRIu64 "] is %" PRId64 ", total_sequence_length %" PRIu64, b,
            last, j->total);
    }
    s->total = (uint64_t)last + 1;
    s->fresh = j->queries < s->total ? j->queries : s->total;
    s->past = s->total - s->fresh;
    const bool is_shared = j->news == 0 && j->past[0];
    const uint64_t old = is_shared ? s->total : j->past[0] ? s->past : 0;
    const uint64_t known = j->past[0] ? s->total : j->news;
    if (old <= j->capacity && s->total <= known) return ONDOL_OK;
    return plan_call_fail(
        c, err, "sequence %" PRIu64 " has %" PRIu64 " tokens, the past %" PRIu64 ", keys %" PRIu64,
        b, s->total, j->capacity, j->news);
}

static ondol_status read_lengths(const plan_call *c, gqa *j, ondol_error *err) {
    tensor_value *last = NULL;
    int64_t total = 0;
    uint32_t count = 0;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, SEQLENS_K, TENSOR_ELEMENT_I32, &last, err));
    if (last->elems != j->batch) {
        return plan_call_fail(c, err,
                              "seqlens_k has %" PRIu64 " elements for %" PRIu64 " sequences",
                              last->elems, j->batch);
    }
    TRY(plan_call_integers(c, TOTAL, 1, &total, &count, err));
    if (count != 1 || total < 0) {
        return plan_call_fail(c, err, "total_sequence_length is %" PRId64, total);
    }
    j->total = (uint64_t)total;
    j->rows = j->total > j->capacity ? j->total : j->capacity;
    if (j->past[0] && j->news && j->news != j->queries) {
        return plan_call_fail(c, err, "%" PRIu64 " queries and %" PRIu64 " keys with a past",
                              j->queries, j->news);
    }
    TRY(tensor_heap_alloc(c->heap, j->batch * sizeof *j->sequences, "sequences", &memory, err));
    j->sequences = memory;
    for (uint64_t b = 0; b < j->batch; b++)
        TRY(read_sequence(c, j, b, ((const int32_t *)last->data)[b], j->sequences + b, err));
done:
    return status;
}

/* Of a first prompt the operator reads one position, where all sequences start. */
static int64_t position_of(const gqa *j, uint64_t b, uint64_t row) {
    const sequence *s = j->sequences + b;
    if (!j->positions) return (int64_t)(s->past + (row < s->fresh ? row : 0));
    const int64_t *ids = j->positions->data;
    return j->queries == j->total ? ids[0] + (int64_t)row : ids[b * j->queries + row];
}

static ondol_status read_rotary(const plan_call *c, gqa *j, ondol_error *err) {
    const bool interleaved = graph_get_int(c->g, c->node, "rotary_interleaved") != 0;
    tensor_value *ids = NULL;
    ondol_status status = ONDOL_OK;
    if (graph_get_int(c->g, c->node, "do_rotary") == 0) return ONDOL_OK;
    j->rotates = true;
    TRY(cpu_rotary_read(c, COS, interleaved, &j->rotary, err));
    if (2 * j->rotary.half > j->size) {
        return plan_call_fail(c, err, "heads of %" PRIu64 " for %" PRIu64 " pairs", j->size,
                              j->rotary.half);
    }
    if (plan_call_input(c, POSITIONS)) {
        TRY(plan_call_typed(c, POSITIONS, TENSOR_ELEMENT_I64, &ids, err));
        if (ids->rank != 2 || ids->dims[0] != (int64_t)j->batch ||
            ids->dims[1] != (int64_t)j->queries) {
            return plan_call_fail(c, err,
                                  "position_ids do not have the shape [%" PRIu64 ", %" PRIu64 "]",
                                  j->batch, j->queries);
        }
        j->positions = ids;
    }
    for (uint64_t i = 0; i < j->batch * j->queries; i++) {
        const int64_t position = position_of(j, i / j->queries, i % j->queries);
        if (position < 0 || position >= j->rotary.positions) {
            return plan_call_fail(c, err, "position %" PRId64 " of %" PRId64 " in cos_cache",
                                  position, j->rotary.positions);
        }
    }
done:
    return status;
}

/* ------------------------------------------------------------ the cache */

static void copy_new(const gqa *j, uint32_t i, uint64_t b, uint64_t h, uint64_t row, float *to) {
    const float *from = (i ? j->v : j->k) + (b * j->news + row) * j->kv_row + h * j->size;
    if (i == 0 && j->rotates && j->news == j->queries)
        cpu_rotate(&j->rotary, position_of(j, b, row), from, to, j->size);
    else
        memcpy(to, from, (size_t)j->size * sizeof *to);
}

/* One head's rows: the past, the new ones behind it, zeros. */
static void present_unit(uint32_t unit, unsigned thread, void *argument) {
    const gqa *j = argument;
    const uint64_t n = unit / 2, b = n / j->kv_heads, h = n % j->kv_heads;
    const uint32_t i = unit % 2;
    const sequence *s = j->sequences + b;
    const uint64_t old = j->news ? s->past : s->total;
    const uint64_t copied = !j->past[i] ? 0 : old < j->capacity ? old : j->capacity;
    const uint64_t added = j->news < j->rows - old ? j->news : j->rows - old;
    float *to = (float *)j->present[i]->data + n * j->rows * j->size;
    (void)thread;
    if (copied) {
        memcpy(to, (const float *)j->past[i]->data + n * j->capacity * j->size,
               (size_t)(copied * j->size) * sizeof *to);
    }
    memset(to + copied * j->size, 0, (size_t)((j->rows - copied) * j->size) * sizeof *to);
    for (uint64_t r = 0; r < added; r++)
        copy_new(j, i, b, h, r, to + (old + r) * j->size);
}

static ondol_status make_present(plan_call *c, gqa *j, ondol_error *err) {
    const int64_t dims[4] = {(int64_t)j->batch, (int64_t)j->kv_heads, (int64_t)j->rows,
                             (int64_t)j->size};
    for (uint32_t i = 0; i < 2; i++) {
        ondol_status status =
            tensor_value_create(c->heap, TENSOR_ELEMENT_F32, 4, dims, j->present + i, err);
        if (status != ONDOL_OK) return status;
        if (plan_call_wants(c, 1 + i)) plan_call_give(c, 1 + i, j->present[i]);
    }
    if (j->batch * j->kv_heads > BASE_POOL_UNITS_MAX / 2)
        return plan_call_fail(c, err, "%" PRIu64 " sequences", j->batch);
    plan_call_parallel(c, (uint32_t)(2 * j->batch * j->kv_heads), present_unit, j);
    return ONDOL_OK;
}

/* ------------------------------------------------------------ attention */

static void sees(const void *user, uint64_t b, uint64_t row, uint64_t *first, uint64_t *end) {
    const gqa *j = user;
    const sequence *s = j->sequences + b;
    const uint64_t behind = s->past + row + 1;
    *end = j->is_causal && behind < s->total ? behind : s->total;
    *first = j->window && behind > j->window ? behind - j->window : 0;
    if (*first > *end) *first = *end;
}

/* Queries as [batch][queries][heads][size], rotated. */
typedef struct rotating {
    const gqa *j;
    float *to;
} rotating;

static void rotate_unit(uint32_t unit, unsigned thread, void *argument) {
    const rotating *r = argument;
    const gqa *j = r->j;
    const int64_t position = position_of(j, unit / j->queries, unit % j->queries);
    (void)thread;
    for (uint64_t h = 0; h < j->heads; h++) {
        cpu_rotate(&j->rotary, position, j->q + unit * j->q_row + h * j->size,
                   r->to + (unit * j->heads + h) * j->size, j->size);
    }
}

static ondol_status read_bias(const plan_call *c, const gqa *j, cpu_attention *a,
                              ondol_error *err) {
    tensor_value *bias = NULL, *sinks = NULL;
    ondol_status status = ONDOL_OK;
    if (plan_call_input(c, SINK)) {
        TRY(plan_call_typed(c, SINK, TENSOR_ELEMENT_F32, &sinks, err));
        if (sinks->rank != 1 || sinks->elems != j->heads)
            return plan_call_fail(c, err, "head_sink has %" PRIu64 " elements", sinks->elems);
        a->sinks = sinks->data;
    }
    if (!plan_call_input(c, BIAS)) return ONDOL_OK;
    TRY(plan_call_typed(c, BIAS, TENSOR_ELEMENT_F32, &bias, err));
    const int64_t *d = bias->dims;
    if (bias->rank != 4 || (d[0] != 1 && d[0] != (int64_t)j->batch) ||
        (d[1] != 1 && d[1] != (int64_t)j->heads) || d[2] != (int64_t)j->queries ||
        d[3] != (int64_t)j->total) {
        return plan_call_fail(c, err,
                              "attention_bias does not fit [%" PRIu64 ", %" PRIu64 ", %" PRIu64
                              ", %" PRIu64 "]",
                              j->batch, j->heads, j->queries, j->total);
    }
    const uint64_t plane = j->queries * j->total;
    a->bias = bias->data;
    a->bias_step =
        (cpu_head_steps){d[0] == 1 ? 0 : (uint64_t)d[1] * plane, d[1] == 1 ? 0 : plane, j->total};
done:
    return status;
}

static ondol_status attend(plan_call *c, gqa *j, ondol_error *err) {
    const double scale = graph_get_float(c->g, c->node, "scale");
    const uint64_t size = j->size, q_row = j->heads * size;
    const int64_t dims[3] = {(int64_t)j->batch, (int64_t)j->queries, (int64_t)q_row};
    const cpu_head_steps kv = {j->kv_heads * j->rows * size, j->rows * size, size};
    cpu_attention a = {.batch = j->batch,
                       .heads = j->heads,
                       .kv_heads = j->kv_heads,
                       .queries = j->queries,
                       .size = size,
                       .v_size = size,
                       .q = j->q,
                       .k = j->present[0]->data,
                       .v = j->present[1]->data,
                       .q_step = {j->queries * j->q_row, size, j->q_row},
                       .k_step = kv,
                       .v_step = kv,
                       .y_step = {j->queries * q_row, size, q_row},
                       .scale = scale != 0 ? (float)scale : 1 / sqrtf((float)size),
                       .softcap = (float)graph_get_float(c->g, c->node, "softcap"),
                       .sees = sees,
                       .user = j};
    void *rotated = NULL, *zeros = NULL;
    tensor_value *y = NULL;
    ondol_status status = ONDOL_OK;
    for (uint64_t b = 0; b < j->batch; b++)
        if (j->sequences[b].total > a.keys) a.keys = j->sequences[b].total;
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, 3, dims, &y, err));
    a.y = y->data;
    TRY(read_bias(c, j, &a, err));
    if (!a.sinks && graph_get_int(c->g, c->node, "smooth_softmax") == 1) {
        TRY(tensor_heap_alloc(c->heap, j->heads * sizeof(float), "sinks", &zeros, err));
        memset(zeros, 0, (size_t)j->heads * sizeof(float));
        a.sinks = zeros;
    }
    if (j->rotates && y->elems) {
        TRY(tensor_heap_alloc(c->heap, y->elems * sizeof(float), "queries", &rotated, err));
        rotating r = {j, rotated};
        if (j->batch * j->queries > BASE_POOL_UNITS_MAX) {
            status = plan_call_fail(c, err, "%" PRIu64 " queries", j->queries);
            goto done;
        }
        plan_call_parallel(c, (uint32_t)(j->batch * j->queries), rotate_unit, &r);
        a.q = rotated;
        a.q_step = (cpu_head_steps){j->queries * q_row, size, q_row};
    }
    TRY(cpu_attend(c, &a, err));
done:
    tensor_heap_free(c->heap, rotated);
    tensor_heap_free(c->heap, zeros);
    return status;
}

static ondol_status run(plan_call *c, gqa *j, ondol_error *err) {
    const int64_t window = graph_get_int(c->g, c->node, "local_window_size");
    ondol_status status = ONDOL_OK;
    j->is_causal = graph_get_int(c->g, c->node, "causal") != 0;
    j->window = window > 0 ? (uint64_t)window : 0;
    if (j->window && !j->is_causal) {
        return plan_call_fail(c, err, "local_window_size without causal");
    }
    TRY(read_rows(c, j, err));
    TRY(read_past(c, j, err));
    TRY(read_lengths(c, j, err));
    TRY(read_rotary(c, j, err));
    TRY(make_present(c, j, err));
    TRY(attend(c, j, err));
done:
    return status;
}

ondol_status cpu_run_group_query(plan_call *c, ondol_error *err) {
    gqa j = {.batch = 0};
    ondol_status status = run(c, &j, err);
    tensor_value_release(j.present[0]);
    tensor_value_release(j.present[1]);
    tensor_heap_free(c->heap, j.sequences);
    return status;
}
