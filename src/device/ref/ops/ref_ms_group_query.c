/* GroupQueryAttention. In: rows of queries, keys and values, a cache, how long each sequence is.
 * Out: attention of each row to its sequence up to itself, and the cache with the new rows. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms_attention.h"
#include "device/ref/ops/ref_ms_kv.h"
#include "device/ref/ops/ref_ms_query.h"

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

/* One sequence of the batch. */
typedef struct sequence {
    uint64_t total; /* tokens behind this step */
    uint64_t past;  /* and before it */
    uint64_t fresh; /* rows that hold tokens; the others are padding */
    uint64_t first; /* position of the cache's first row while it is attended to */
} sequence;

typedef struct gqa_call {
    ref_ms_query in;
    uint64_t batch, queries, news;                /* rows of query and of key in each sequence */
    uint64_t total;                               /* total_sequence_length */
    sequence *sequences;                          /* [batch] */
    bool is_causal, is_first_prompt, counts_rows; /* counts_rows: query_seqlens is there */
    uint64_t window;                              /* 0: none */
    bool is_windowed;                             /* sliding_window_cache */
    uint64_t capacity;                            /* rows of the past */
    uint64_t rows;                                /* of the staged cache */
    tensor_value *past[2], *stage[2];             /* [batch][kv_heads][rows][row_elems] */
    ref_ms_kv kv[2];
    ref_ms_rotary rotary;
    const tensor_value *bias;
    double *sinks;
    double *numbers[2]; /* of the stage: [batch][kv_heads][keys][size] */
    uint64_t keys;
} gqa_call;

/* Rows that a windowed cache of that capacity holds behind `total` tokens. */
static uint64_t resident(const gqa_call *g, uint64_t total) {
    const uint64_t step = g->capacity - g->window + 1;
    if (total <= g->capacity) return total;
    return total - step * ((total - g->capacity + step - 1) / step);
}

/* ------------------------------------------------------------ inputs */

static ondol_status read_flags(const plan_call *c, gqa_call *g, ondol_error *err) {
    const int64_t window = graph_get_int(c->g, c->node, "local_window_size");
    g->is_causal = graph_get_int(c->g, c->node, "causal") != 0;
    g->is_windowed = graph_get_int(c->g, c->node, "sliding_window_cache") != 0;
    g->window = window > 0 ? (uint64_t)window : 0;
    g->counts_rows = plan_call_input(c, QUERY_SEQLENS) != NULL;
    if (g->window && !g->is_causal) {
        return plan_call_fail(c, err, "local_window_size without causal");
    }
    if (g->is_windowed && !g->window) {
        return plan_call_fail(c, err, "sliding_window_cache without local_window_size");
    }
    if (g->counts_rows && !g->is_causal) {
        return plan_call_fail(c, err, "query_seqlens without causal");
    }
    return ONDOL_OK;
}

static ondol_status read_sequence(const plan_call *c, const gqa_call *g, uint64_t b, int64_t last,
                                  int64_t fresh, sequence *s, ondol_error *err) {
    const uint64_t limit = g->total > g->capacity ? g->total : g->capacity;
    if (last < 0 || (uint64_t)last >= (g->counts_rows ? g->total : limit)) {
        return plan_call_fail(
            c, err, "seqlens_k[%" PRIu64 "] is %" PRId64 ", total_sequence_length %" PRIu64, b,
            last, g->total);
    }
    s->total = (uint64_t)last + 1;
    s->fresh = g->queries < s->total ? g->queries : s->total;
    if (g->counts_rows) {
        if (fresh < 0 || (uint64_t)fresh > s->fresh) {
            return plan_call_fail(c, err, "query_seqlens[%" PRIu64 "] is %" PRId64 " of %" PRIu64,
                                  b, fresh, s->fresh);
        }
        s->fresh = (uint64_t)fresh;
    }
    s->past = s->total - s->fresh;
    return ONDOL_OK;
}

static ondol_status read_lengths(const plan_call *c, gqa_call *g, ondol_error *err) {
    const int64_t batch = (int64_t)g->batch;
    tensor_value *last = NULL, *fresh = NULL;
    int64_t total = 0;
    void *p = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, SEQLENS_K, TENSOR_ELEMENT_I32, &last, err));
    if (last->elems != g->batch) {
        TRY(ref_expect_dims(c, "seqlens_k", last, 1, &batch, err));
    }
    if (g->counts_rows) {
        TRY(plan_call_typed(c, QUERY_SEQLENS, TENSOR_ELEMENT_I32, &fresh, err));
        TRY(ref_expect_dims(c, "query_seqlens", fresh, 1, &batch, err));
    }
    TRY(ref_scalar_integer(c, TOTAL, 0, &total, err));
    if (total < 0) return plan_call_fail(c, err, "total_sequence_length is %" PRId64, total);
    g->total = (uint64_t)total;
    g->is_first_prompt = g->queries == g->total && !g->counts_rows;
    TRY(ref_alloc(c, g->batch, sizeof *g->sequences, "sequences", &p, err));
    g->sequences = p;
    for (uint64_t b = 0; b < g->batch; b++) {
        const int64_t rows = fresh ? tensor_get_integer(fresh->element, fresh->data, b) : 0;
        TRY(read_sequence(c, g, b, tensor_get_integer(last->element, last->data, b), rows,
                          g->sequences + b, err));
    }
done:
    return status;
}

/* The past, or its absence: then there are no rows. */
static ondol_status read_past(const plan_call *c, gqa_call *g, ondol_error *err) {
    const char *quants[2] = {"k_quant_type", "v_quant_type"};
    const int64_t bits = graph_get_int(c->g, c->node, "kv_cache_bit_width");
    const tensor_value *query = plan_call_input(c, QUERY);
    ondol_status status = ONDOL_OK;
    if (!plan_call_input(c, PAST_KEY) != !plan_call_input(c, PAST_VALUE)) {
        return plan_call_fail(c, err, "past_key and past_value come together");
    }
    for (uint32_t i = 0; i < 2; i++) {
        tensor_element element = query->element;
        if (plan_call_input(c, PAST_KEY + i)) {
            TRY(plan_call_tensor(c, PAST_KEY + i, g->past + i, err));
            element = g->past[i]->element;
        } else if (g->is_windowed || g->counts_rows) {
            return plan_call_fail(c, err, "past_key and past_value are missing");
        }
        const tensor_element packed = element == TENSOR_ELEMENT_U8 && bits != 8
                                          ? TENSOR_ELEMENT_I4
                                          : TENSOR_ELEMENT_UNDEFINED;
        TRY(ref_ms_kv_begin(c, element, packed, quants[i], K_SCALE + i, g->in.kv_heads, g->in.size,
                            g->kv + i, err));
        if (!g->past[i]) continue;
        const int64_t rows = g->past[0]->rank == 4 ? g->past[0]->dims[2] : -1;
        const int64_t dims[4] = {(int64_t)g->batch, (int64_t)g->in.kv_heads, rows,
                                 (int64_t)g->kv[i].row_elems};
        TRY(ref_expect_dims(c, i ? "past_value" : "past_key", g->past[i], 4, dims, err));
        g->capacity = (uint64_t)rows;
    }
done:
    return status;
}

/* What each sequence has fits the cache and the tables. */
static ondol_status check_rows(const plan_call *c, const gqa_call *g, ondol_error *err) {
    const bool is_shared = g->news == 0 && g->past[0];
    if (g->news != g->queries && !is_shared && g->past[0]) {
        return plan_call_fail(c, err, "%" PRIu64 " queries and %" PRIu64 " keys with a past",
                              g->queries, g->news);
    }
    if (g->is_windowed && g->capacity < g->window) {
        return plan_call_fail(c, err, "a cache of %" PRIu64 " rows for a window of %" PRIu64,
                              g->capacity, g->window);
    }
    for (uint64_t b = 0; b < g->batch; b++) {
        const sequence *s = g->sequences + b;
        const uint64_t old = is_shared ? s->total : g->past[0] ? s->past : 0;
        const uint64_t known = is_shared || g->past[0] ? s->total : g->news;
        if ((!g->is_windowed && old > g->capacity) || s->total > known) {
            return plan_call_fail(c, err,
                                  "sequence %" PRIu64 " has %" PRIu64 " tokens, the past %" PRIu64
                                  ", keys %" PRIu64,
                                  b, s->total, g->capacity, g->news);
        }
    }
    return ONDOL_OK;
}

static ondol_status read_extras(const plan_call *c, gqa_call *g, ondol_error *err) {
    const double epsilon = graph_get_float(c->g, c->node, "qk_norm_epsilon");
    const int64_t heads = (int64_t)g->in.heads;
    tensor_value *bias = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_query_norm(c, Q_NORM, ref_ms_float(c, "q_norm_epsilon", epsilon),
                          ref_ms_float(c, "k_norm_epsilon", epsilon), &g->in, err));
    TRY(ref_ms_numbers(c, SINK, "head_sink", 1, &heads, &g->sinks, err));
    if (!g->sinks && graph_get_int(c->g, c->node, "smooth_softmax") == 1) {
        TRY(ref_ms_doubles(c, g->in.heads, "sinks", &g->sinks, err));
        for (uint64_t h = 0; h < g->in.heads; h++)
            g->sinks[h] = 0;
    }
    TRY(ref_ms_optional(c, BIAS, REF_CLASS_FLOAT, &bias, err));
    if (bias) {
        const bool one_batch = bias->rank == 4 && bias->dims[0] == 1;
        const bool one_head = bias->rank == 4 && bias->dims[1] == 1;
        const int64_t dims[4] = {one_batch ? 1 : (int64_t)g->batch, one_head ? 1 : heads,
                                 (int64_t)g->queries, (int64_t)g->total};
        TRY(ref_expect_dims(c, "attention_bias", bias, 4, dims, err));
    }
    g->bias = bias;
done:
    return status;
}

/* ------------------------------------------------------------ rotation */

/* Of a first prompt the operator reads one position, where all sequences start. */
static int64_t position_of(const gqa_call *g, const tensor_value *ids, uint64_t b, uint64_t row) {
    const sequence *s = g->sequences + b;
    if (!ids) return (int64_t)(s->past + (row < s->fresh ? row : 0));
    if (!g->is_first_prompt)
        return tensor_get_integer(ids->element, ids->data, b * g->queries + row);
    return tensor_get_integer(ids->element, ids->data, 0) + (int64_t)row;
}

static ondol_status rotate(const plan_call *c, gqa_call *g, ondol_error *err) {
    const int64_t dims[2] = {(int64_t)g->batch, (int64_t)g->queries};
    const bool interleaved = graph_get_int(c->g, c->node, "rotary_interleaved") != 0;
    const uint64_t q_row = g->in.heads * g->in.size, k_row = g->in.kv_heads * g->in.size;
    tensor_value *ids = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_rotary_begin(c, COS, interleaved, &g->rotary, err));
    if (plan_call_input(c, POSITIONS)) {
        TRY(ref_ms_integers(c, POSITIONS, "position_ids", 2, dims, &ids, err));
    }
    if (2 * g->rotary.half > g->in.size) {
        return plan_call_fail(c, err, "heads of %" PRIu64 " for %" PRIu64 " pairs", g->in.size,
                              g->rotary.half);
    }
    for (uint64_t i = 0; i < g->in.rows; i++) {
        const int64_t position = position_of(g, ids, i / g->queries, i % g->queries);
        if (position < 0 || position >= g->rotary.positions) {
            return plan_call_fail(c, err, "position %" PRId64 " of %" PRId64 " in cos_cache",
                                  position, g->rotary.positions);
        }
        ref_ms_query_rotate(&g->rotary, position, g->in.heads, g->in.size, 0, g->in.q + i * q_row);
        if (g->news == g->queries) {
            ref_ms_query_rotate(&g->rotary, position, g->in.kv_heads, g->in.size, 0,
                                g->in.k + i * k_row);
        }
    }
done:
    return status;
}

/* ------------------------------------------------------------ the cache */

/* Where the staged cache begins, and its rows. */
static void plan_stage(gqa_call *g) {
    g->rows = g->total > g->capacity ? g->total : g->capacity;
    g->keys = 0;
    if (g->is_windowed) g->rows = g->capacity + g->news;
    for (uint64_t b = 0; b < g->batch; b++) {
        sequence *s = g->sequences + b;
        s->first = g->is_windowed ? s->past - resident(g, s->past) : 0;
        if (s->total - s->first > g->keys) g->keys = s->total - s->first;
    }
}

/* Copies the past to the stage and appends the new rows. */
static void fill_stage(gqa_call *g, uint32_t i) {
    const ref_ms_kv *kv = g->kv + i;
    const double *news = i ? g->in.v : g->in.k;
    for (uint64_t n = 0; n < g->batch * g->in.kv_heads; n++) {
        const uint64_t b = n / g->in.kv_heads, h = n % g->in.kv_heads;
        const sequence *s = g->sequences + b;
        const uint64_t old = (g->news ? s->past : s->total) - s->first;
        uint64_t added = g->counts_rows && s->fresh < g->news ? s->fresh : g->news;
        if (added > g->rows - old) added = g->rows - old;
        if (g->past[i])
            ref_ms_kv_copy(kv, g->stage[i], n * g->rows, g->past[i], n * g->capacity,
                           old < g->capacity ? old : g->capacity);
        for (uint64_t r = 0; r < added; r++) {
            ref_ms_kv_store(kv, g->stage[i], n * g->rows + old + r, h,
                            news + ((b * g->news + r) * g->in.kv_heads + h) * g->in.size);
        }
    }
}

static ondol_status make_stage(plan_call *c, gqa_call *g, uint32_t i, ondol_error *err) {
    const int64_t dims[4] = {(int64_t)g->batch, (int64_t)g->in.kv_heads, (int64_t)g->rows,
                             (int64_t)g->kv[i].row_elems};
    const uint64_t heads = g->batch * g->in.kv_heads;
    void *p = NULL;
    ondol_status status = ONDOL_OK;
    TRY(tensor_value_create(c->heap, g->kv[i].element, 4, dims, g->stage + i, err));
    memset(g->stage[i]->data, 0, (size_t)tensor_value_bytes(g->stage[i]));
    fill_stage(g, i);
    TRY(ref_alloc(c, heads * g->keys, g->in.size * sizeof(double), "a cache", &p, err));
    g->numbers[i] = p;
    memset(p, 0, (size_t)(heads * g->keys * g->in.size * sizeof(double)));
    for (uint64_t n = 0; n < heads; n++) {
        const sequence *s = g->sequences + n / g->in.kv_heads;
        for (uint64_t r = 0; r < s->total - s->first; r++) {
            ref_ms_kv_load(g->kv + i, g->stage[i], n * g->rows + r, n % g->in.kv_heads,
                           g->numbers[i] + (n * g->keys + r) * g->in.size);
        }
    }
done:
    return status;
}

/* The last rows that a windowed cache keeps. */
static ondol_status give_window(plan_call *c, gqa_call *g, uint32_t i, ondol_error *err) {
    const int64_t dims[4] = {(int64_t)g->batch, (int64_t)g->in.kv_heads, (int64_t)g->capacity,
                             (int64_t)g->kv[i].row_elems};
    tensor_value *y = NULL;
    ondol_status status = plan_call_output(c, 1 + i, g->kv[i].element, 4, dims, &y, err);
    if (status != ONDOL_OK) return status;
    memset(y->data, 0, (size_t)tensor_value_bytes(y));
    for (uint64_t n = 0; n < g->batch * g->in.kv_heads; n++) {
        const sequence *s = g->sequences + n / g->in.kv_heads;
        const uint64_t kept = resident(g, s->total), from = s->total - kept - s->first;
        ref_ms_kv_copy(g->kv + i, y, n * g->capacity, g->stage[i], n * g->rows + from, kept);
    }
    return ONDOL_OK;
}

/* ------------------------------------------------------------ attention */

static void sees(const void *user, uint64_t b, uint64_t row, uint64_t *first, uint64_t *end) {
    const gqa_call *g = user;
    const sequence *s = g->sequences + b;
    const uint64_t position = s->past + row;
    *first = s->first;
    *end = s->total;
    if (g->is_causal && position + 1 < s->total) *end = position + 1;
    if (g->window && position + 1 > g->window && position + 1 - g->window > s->first)
        *first = position + 1 - g->window;
    if (*first > *end) *first = *end;
    *first -= s->first;
    *end -= s->first;
}

static double added(const void *user, uint64_t b, uint64_t h, uint64_t row, uint64_t t) {
    const gqa_call *g = user;
    const tensor_value *bias = g->bias;
    const uint64_t batch = bias->dims[0] == 1 ? 0 : b, head = bias->dims[1] == 1 ? 0 : h;
    const uint64_t at = ((batch * (uint64_t)bias->dims[1] + head) * g->queries + row) * g->total;
    return tensor_get_number(bias->element, bias->data, at + g->sequences[b].first + t);
}

/* Scores from rows of keys to rows of total_sequence_length. */
static ondol_status give_scores(plan_call *c, const gqa_call *g, tensor_element e,
                                const double *scores, ondol_error *err) {
    const int64_t dims[4] = {(int64_t)g->batch, (int64_t)g->in.heads, (int64_t)g->queries,
                             (int64_t)g->total};
    tensor_value *y = NULL;
    ondol_status status = plan_call_output(c, 3, e, 4, dims, &y, err);
    if (status != ONDOL_OK) return status;
    const uint64_t per_batch = g->in.heads * g->queries;
    for (uint64_t i = 0; i < y->elems; i++) {
        const uint64_t row = i / g->total, t = i % g->total;
        const uint64_t first = g->sequences[row / per_batch].first;
        const bool is_kept = t >= first && t - first < g->keys;
        tensor_set_number(e, y->data, i, is_kept ? scores[row * g->keys + t - first] : 0);
    }
    return ONDOL_OK;
}

static ondol_status attend(plan_call *c, gqa_call *g, ondol_error *err) {
    const tensor_element e = plan_call_input(c, QUERY)->element;
    const int64_t mode = graph_get_int(c->g, c->node, "qk_output");
    const double scale = graph_get_float(c->g, c->node, "scale");
    const int64_t dims[3] = {(int64_t)g->batch, (int64_t)g->queries,
                             (int64_t)(g->in.heads * g->in.size)};
    double *q = NULL, *out = NULL, *scores = NULL;
    void *p = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_doubles(c, g->in.rows * g->in.heads * g->in.size, "queries", &q, err));
    TRY(ref_ms_doubles(c, g->in.rows * g->in.heads * g->in.size, "results", &out, err));
    ref_ms_to_heads(g->in.q, NULL, g->batch, g->queries, g->in.heads, g->in.size, q);
    if (plan_call_wants(c, 3)) {
        TRY(ref_alloc(c, g->in.rows * g->in.heads, g->keys * sizeof(double), "scores", &p, err));
        scores = p;
    }
    const ref_ms_attention a = {.batch = g->batch,
                                .heads = g->in.heads,
                                .kv_heads = g->in.kv_heads,
                                .queries = g->queries,
                                .keys = g->keys,
                                .size = g->in.size,
                                .v_size = g->in.size,
                                .q = q,
                                .k = g->numbers[0],
                                .v = g->numbers[1],
                                .scale = scale != 0 ? scale : 1 / sqrt((double)g->in.size),
                                .softcap = graph_get_float(c->g, c->node, "softcap"),
                                .sinks = g->sinks,
                                .sees = sees,
                                .added = g->bias ? added : NULL,
                                .user = g,
                                .out = out,
                                .scores = scores,
                                .raw_scores = mode == 1};
    TRY(ref_ms_attend(c, &a, err));
    TRY(ref_ms_store(c, 0, e, 3, dims, out, err));
    if (scores) TRY(give_scores(c, g, e, scores, err));
done:
    tensor_heap_free(c->heap, q);
    tensor_heap_free(c->heap, out);
    tensor_heap_free(c->heap, scores);
    return status;
}

static ondol_status run(plan_call *c, gqa_call *g, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_query_begin(c, 3, &g->in, err));
    g->batch = (uint64_t)plan_call_input(c, QUERY)->dims[0];
    g->queries = (uint64_t)plan_call_input(c, QUERY)->dims[1];
    g->news = plan_call_input(c, KEY) ? (uint64_t)plan_call_input(c, KEY)->dims[1] : g->queries;
    if (g->in.kv_rows != g->batch * g->news || g->in.rows != g->batch * g->queries) {
        return plan_call_fail(c, err, "query and key have batches of different sizes");
    }
    TRY(read_flags(c, g, err));
    TRY(read_past(c, g, err));
    TRY(read_lengths(c, g, err));
    TRY(check_rows(c, g, err));
    TRY(read_extras(c, g, err));
    if (graph_get_int(c->g, c->node, "do_rotary") != 0) TRY(rotate(c, g, err));
    plan_stage(g);
    for (uint32_t i = 0; i < 2; i++) {
        TRY(make_stage(c, g, i, err));
        if (!plan_call_wants(c, 1 + i)) continue;
        if (g->is_windowed)
            TRY(give_window(c, g, i, err));
        else
            plan_call_give(c, 1 + i, g->stage[i]);
    }
    TRY(attend(c, g, err));
done:
    return status;
}

ondol_status ref_ms_group_query_attention(plan_call *c, ondol_error *err) {
    gqa_call g = {0};
    ondol_status status = run(c, &g, err);
    ref_ms_query_end(c, &g.in);
    for (uint32_t i = 0; i < 2; i++) {
        tensor_value_release(g.stage[i]);
        tensor_heap_free(c->heap, g.numbers[i]);
    }
    tensor_heap_free(c->heap, g.sequences);
    tensor_heap_free(c->heap, g.sinks);
    return status;
}
