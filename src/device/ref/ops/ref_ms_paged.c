/* PagedAttention. In: rows of queries, keys and values of several sequences, one behind the other;
 * a cache in pages, and which pages each sequence has. Out: attention of each row to its sequence,
 * and the cache with the new rows. */
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
    KEY_CACHE,
    VALUE_CACHE,
    CUMULATIVE,
    PAST,
    TABLE,
    COS,
    SIN,
    SLOTS,
    SINK,
    Q_NORM,
    K_NORM,
    K_SCALE,
    V_SCALE
};

typedef struct paged_call {
    ref_ms_query in;
    uint64_t batch, blocks, block_size, pages;             /* pages: of a sequence */
    const tensor_value *cumulative, *past, *table, *slots; /* slots: NULL without */
    ref_ms_kv kv[2];
    tensor_value *cache[2]; /* with the new rows; the second NULL where it is latent */
    ref_ms_rotary rotary;
    uint64_t rotary_offset, window; /* window 0: none */
    bool is_causal, is_latent;
    double scale, softcap, *sinks;
    tensor_value *y;
    double *out; /* [tokens][heads][v_size] */
} paged_call;

/* One sequence while it is attended to. */
typedef struct sequence {
    const paged_call *p;
    uint64_t index, first, fresh, past; /* first: of its rows; fresh: how many */
    double *q, *k, *v, *out;
} sequence;

/* ------------------------------------------------------------------------------------ inputs */

static ondol_status read_flags(const plan_call *c, paged_call *p, ondol_error *err) {
    const char *layout = graph_get_string(c->g, c->node, "kv_cache_layout");
    const int64_t window = graph_get_int(c->g, c->node, "local_window_size");
    p->is_latent = strcmp(layout, "LATENT") == 0;
    if (!p->is_latent && strcmp(layout, "SEPARATE") != 0) {
        return plan_call_fail(c, err, "kv_cache_layout is '%.64s'", layout);
    }
    p->is_causal = graph_get_int(c->g, c->node, "is_causal") != 0;
    p->window = window > 0 ? (uint64_t)window : 0;
    p->softcap = graph_get_float(c->g, c->node, "softcap");
    if (p->is_latent && (plan_call_input(c, VALUE) || plan_call_input(c, VALUE_CACHE) ||
                         graph_get_int(c->g, c->node, "kv_num_heads") != 1)) {
        return plan_call_fail(c, err, "a latent cache with values, or several key heads");
    }
    return ONDOL_OK;
}

/* The width of a value, and the scale of scores. */
static ondol_status read_scale(const plan_call *c, paged_call *p, ondol_error *err) {
    const int64_t v_size = graph_get_int(c->g, c->node, "v_head_size");
    p->scale = graph_get_float(c->g, c->node, "scale");
    if (v_size < 0 || (v_size && !p->is_latent) || (uint64_t)v_size > p->in.size) {
        return plan_call_fail(c, err, "v_head_size is %" PRId64 ", head size %" PRIu64, v_size,
                              p->in.size);
    }
    p->in.v_size = v_size ? (uint64_t)v_size : p->in.size;
    if (p->in.v_size != p->in.size && p->scale == 0) {
        return plan_call_fail(c, err, "v_head_size differs from the head size without a scale");
    }
    if (p->scale == 0) p->scale = 1 / sqrt((double)p->in.size);
    return ONDOL_OK;
}

/* What two codes in a byte are, where the attribute says so; else it names the tensor's type. */
static ondol_status packed_type(const plan_call *c, const char *attribute, tensor_element stored,
                                tensor_element *out, ondol_error *err) {
    static const struct {
        const char *name;
        tensor_element stored, packed;
    } known[] = {{"float16", TENSOR_ELEMENT_F16, TENSOR_ELEMENT_UNDEFINED},
                 {"bfloat16", TENSOR_ELEMENT_BF16, TENSOR_ELEMENT_UNDEFINED},
                 {"int8", TENSOR_ELEMENT_I8, TENSOR_ELEMENT_UNDEFINED},
                 {"float8e4m3fn", TENSOR_ELEMENT_F8E4M3FN, TENSOR_ELEMENT_UNDEFINED},
                 {"int4", TENSOR_ELEMENT_U8, TENSOR_ELEMENT_I4},
                 {"float4e2m1", TENSOR_ELEMENT_U8, TENSOR_ELEMENT_F4E2M1}};
    const char *name = graph_get_string(c->g, c->node, attribute);
    *out = TENSOR_ELEMENT_UNDEFINED;
    if (!*name) return ONDOL_OK;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].name, name) != 0 || known[i].stored != stored) continue;
        *out = known[i].packed;
        return ONDOL_OK;
    }
    return plan_call_fail(c, err, "%s is '%.32s', the cache %s", attribute, name,
                          tensor_element_onnx_name(stored));
}

/* Cache i of [blocks, block_size, kv_heads, row]: copied, to be written to. */
static ondol_status read_cache(plan_call *c, paged_call *p, uint32_t i, ondol_error *err) {
    static const char *const quants[2] = {"k_quant_type", "v_quant_type"};
    static const char *const types[2] = {"k_cache_dtype", "v_cache_dtype"};
    tensor_value *v = NULL;
    tensor_element packed = TENSOR_ELEMENT_UNDEFINED;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, KEY_CACHE + i, &v, err));
    TRY(ref_ms_expect_rank(c, i ? "value_cache" : "key_cache", v, 4, err));
    TRY(packed_type(c, types[i], v->element, &packed, err));
    TRY(ref_ms_kv_begin(c, v->element, packed, quants[i], K_SCALE + i, p->in.kv_heads, p->in.size,
                        p->kv + i, err));
    const int64_t first = i ? (int64_t)p->blocks : v->dims[0];
    const int64_t second = i ? (int64_t)p->block_size : v->dims[1];
    const int64_t dims[4] = {first, second, (int64_t)p->in.kv_heads, (int64_t)p->kv[i].row_elems};
    TRY(ref_expect_dims(c, i ? "value_cache" : "key_cache", v, 4, dims, err));
    p->blocks = (uint64_t)first;
    p->block_size = (uint64_t)second;
    TRY(tensor_value_copy(c->heap, v, p->cache + i, err));
    if (plan_call_wants(c, 1 + i)) plan_call_give(c, 1 + i, p->cache[i]);
done:
    return status;
}

static int64_t integer_at(const tensor_value *v, uint64_t i) {
    return tensor_get_integer(v->element, v->data, i);
}

static ondol_status read_lengths(const plan_call *c, paged_call *p, ondol_error *err) {
    tensor_value *cumulative = NULL, *past = NULL, *table = NULL, *slots = NULL;
    const int64_t tokens = (int64_t)p->in.rows;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, TABLE, &table, err));
    TRY(ref_ms_expect_rank(c, "block_table", table, 2, err));
    const int64_t dims[2] = {table->dims[0], table->dims[1]}, ends[1] = {dims[0] + 1};
    TRY(ref_ms_integers(c, TABLE, "block_table", 2, dims, &table, err));
    TRY(ref_ms_integers(c, CUMULATIVE, "cumulative_sequence_length", 1, ends, &cumulative, err));
    TRY(ref_ms_integers(c, PAST, "past_seqlens", 1, dims, &past, err));
    if (plan_call_input(c, SLOTS))
        TRY(ref_ms_integers(c, SLOTS, "slot_mapping", 1, &tokens, &slots, err));
    p->batch = (uint64_t)dims[0];
    p->pages = (uint64_t)dims[1];
    p->table = table;
    p->cumulative = cumulative;
    p->past = past;
    p->slots = slots;
    const uint64_t most = p->block_size ? p->pages * p->block_size : 0;
    if (integer_at(cumulative, 0) != 0) {
        return plan_call_fail(c, err, "cumulative_sequence_length does not begin with 0");
    }
    for (uint64_t b = 0; b < p->batch; b++) {
        const int64_t from = integer_at(cumulative, b), to = integer_at(cumulative, b + 1);
        const int64_t before = integer_at(past, b);
        if (to < from || to > tokens || before < 0 || (uint64_t)before > most ||
            (uint64_t)(to - from) > most - (uint64_t)before) {
            return plan_call_fail(c, err,
                                  "sequence %" PRIu64 " has rows %" PRId64 " to %" PRId64
                                  " of %" PRId64 " behind %" PRId64 ", its pages hold %" PRIu64,
                                  b, from, to, tokens, before, most);
        }
    }
done:
    return status;
}

static ondol_status rotate(const plan_call *c, paged_call *p, ondol_error *err) {
    const bool interleaved = graph_get_int(c->g, c->node, "rotary_interleaved") != 0;
    const int64_t offset = graph_get_int(c->g, c->node, "rotary_offset");
    const uint64_t size = p->in.size;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_rotary_begin(c, COS, interleaved, &p->rotary, err));
    if (offset < 0 || (uint64_t)offset > size || p->rotary.half > (size - (uint64_t)offset) / 2) {
        return plan_call_fail(c, err, "%" PRIu64 " pairs are rotated from %" PRId64 " of %" PRIu64,
                              p->rotary.half, offset, size);
    }
    for (uint64_t b = 0; b < p->batch; b++) {
        const uint64_t from = (uint64_t)integer_at(p->cumulative, b);
        const uint64_t to = (uint64_t)integer_at(p->cumulative, b + 1);
        for (uint64_t row = from; row < to; row++) {
            const int64_t position = integer_at(p->past, b) + (int64_t)(row - from);
            if (position >= p->rotary.positions) {
                return plan_call_fail(c, err, "position %" PRId64 " of %" PRId64, position,
                                      p->rotary.positions);
            }
            ref_ms_query_rotate(&p->rotary, position, p->in.heads, size, (uint64_t)offset,
                                p->in.q + row * p->in.heads * size);
            ref_ms_query_rotate(&p->rotary, position, p->in.kv_heads, size, (uint64_t)offset,
                                p->in.k + row * p->in.kv_heads * size);
        }
    }
done:
    return status;
}

/* ----------------------------------------------------------------------------------- the cache */

/* The slot of a position of sequence b; -1: its page is not mapped. */
static int64_t slot_of(const paged_call *p, uint64_t b, uint64_t position) {
    const int64_t page = integer_at(p->table, b * p->pages + position / p->block_size);
    if (page < 0 || (uint64_t)page >= p->blocks) return -1;
    return (int64_t)((uint64_t)page * p->block_size + position % p->block_size);
}

static void write_row(const paged_call *p, uint64_t row, uint64_t slot) {
    const double *news[2] = {p->in.k, p->in.v};
    for (uint32_t i = 0; i < (p->is_latent ? 1u : 2u); i++)
        for (uint64_t h = 0; h < p->in.kv_heads; h++)
            ref_ms_kv_store(p->kv + i, p->cache[i], slot * p->in.kv_heads + h, h,
                            news[i] + (row * p->in.kv_heads + h) * p->in.size);
}

static ondol_status write_rows(const plan_call *c, const paged_call *p, ondol_error *err) {
    for (uint64_t b = 0; b < p->batch; b++) {
        const uint64_t from = (uint64_t)integer_at(p->cumulative, b);
        const uint64_t to = (uint64_t)integer_at(p->cumulative, b + 1);
        for (uint64_t row = from; row < to; row++) {
            const uint64_t position = (uint64_t)integer_at(p->past, b) + (row - from);
            const int64_t slot = p->slots ? integer_at(p->slots, row) : slot_of(p, b, position);
            if (slot >= 0 && (uint64_t)slot >= p->blocks * p->block_size) {
                return plan_call_fail(c, err, "slot %" PRId64 " of %" PRIu64, slot,
                                      p->blocks * p->block_size);
            }
            if (slot >= 0) write_row(p, row, (uint64_t)slot);
        }
    }
    return ONDOL_OK;
}

/* ----------------------------------------------------------------------------------- attention */

static void sees(const void *user, uint64_t b, uint64_t row, uint64_t *first, uint64_t *end) {
    const sequence *s = user;
    const uint64_t position = s->past + row, window = s->p->window;
    (void)b;
    *first = window && position + 1 > window ? position + 1 - window : 0;
    *end = s->p->is_causal ? position + 1 : s->past + s->fresh;
}

/* Keys of pages that are not mapped are out of sight. */
static double added(const void *user, uint64_t b, uint64_t h, uint64_t row, uint64_t t) {
    const sequence *s = user;
    (void)b, (void)h, (void)row;
    return slot_of(s->p, s->index, t) < 0 ? -INFINITY : 0;
}

/* Keys and values of the sequence, [kv_heads][positions][size]. row: working memory [size]. */
static void gather(const sequence *s, double *row) {
    const paged_call *p = s->p;
    const uint64_t count = s->past + s->fresh, size = p->in.size, v_size = p->in.v_size;
    for (uint64_t t = 0; t < count; t++) {
        const int64_t slot = slot_of(p, s->index, t);
        for (uint64_t h = 0; h < p->in.kv_heads; h++) {
            double *k = s->k + (h * count + t) * size, *v = s->v + (h * count + t) * v_size;
            memset(k, 0, size * sizeof *k);
            memset(row, 0, size * sizeof *row);
            if (slot >= 0) {
                const uint64_t at = (uint64_t)slot * p->in.kv_heads + h;
                ref_ms_kv_load(p->kv, p->cache[0], at, h, k);
                if (!p->is_latent) ref_ms_kv_load(p->kv + 1, p->cache[1], at, h, row);
            }
            memcpy(v, p->is_latent ? k : row, v_size * sizeof *v);
        }
    }
}

static ondol_status attend_sequence(const plan_call *c, sequence *s, ondol_error *err) {
    const paged_call *p = s->p;
    const ref_ms_query *in = &p->in;
    const uint64_t count = s->past + s->fresh;
    double *row = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_doubles(c, in->heads * s->fresh * in->size, "queries", &s->q, err));
    TRY(ref_ms_doubles(c, in->kv_heads * count * in->size, "keys", &s->k, err));
    TRY(ref_ms_doubles(c, in->kv_heads * count * in->v_size, "values", &s->v, err));
    TRY(ref_ms_doubles(c, in->size, "a row", &row, err));
    gather(s, row);
    ref_ms_to_heads(in->q + s->first * in->heads * in->size, NULL, 1, s->fresh, in->heads, in->size,
                    s->q);
    const ref_ms_attention a = {.batch = 1,
                                .heads = in->heads,
                                .kv_heads = in->kv_heads,
                                .queries = s->fresh,
                                .keys = count,
                                .size = in->size,
                                .v_size = in->v_size,
                                .q = s->q,
                                .k = s->k,
                                .v = s->v,
                                .scale = p->scale,
                                .softcap = p->softcap,
                                .sinks = p->sinks,
                                .sees = sees,
                                .added = added,
                                .user = s,
                                .out = p->out + s->first * in->heads * in->v_size};
    TRY(ref_ms_attend(c, &a, err));
done:
    tensor_heap_free(c->heap, row);
    tensor_heap_free(c->heap, s->q);
    tensor_heap_free(c->heap, s->k);
    tensor_heap_free(c->heap, s->v);
    return status;
}

static ondol_status attend(plan_call *c, paged_call *p, ondol_error *err) {
    const int64_t width = (int64_t)(p->in.heads * p->in.v_size), heads = (int64_t)p->in.heads;
    const int64_t dims[2] = {(int64_t)p->in.rows, width};
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_numbers(c, SINK, "head_sink", 1, &heads, &p->sinks, err));
    TRY(ref_ms_doubles(c, p->in.rows * (uint64_t)width, "results", &p->out, err));
    for (uint64_t i = 0; i < p->in.rows * (uint64_t)width; i++)
        p->out[i] = 0;
    for (uint64_t b = 0; b < p->batch; b++) {
        sequence s = {.p = p,
                      .index = b,
                      .first = (uint64_t)integer_at(p->cumulative, b),
                      .past = (uint64_t)integer_at(p->past, b)};
        s.fresh = (uint64_t)integer_at(p->cumulative, b + 1) - s.first;
        if (s.fresh) TRY(attend_sequence(c, &s, err));
    }
    TRY(ref_ms_store(c, 0, plan_call_input(c, QUERY)->element, 2, dims, p->out, err));
done:
    return status;
}

static ondol_status run(plan_call *c, paged_call *p, ondol_error *err) {
    const double epsilon = ref_ms_float(c, "qk_norm_epsilon", 1e-6);
    ondol_status status = ONDOL_OK;
    TRY(read_flags(c, p, err));
    TRY(ref_ms_query_begin(c, 2, &p->in, err));
    if (p->in.kv_rows != p->in.rows) {
        return plan_call_fail(c, err, "%" PRIu64 " queries, %" PRIu64 " keys", p->in.rows,
                              p->in.kv_rows);
    }
    TRY(read_scale(c, p, err));
    TRY(read_cache(c, p, 0, err));
    if (!p->is_latent) TRY(read_cache(c, p, 1, err));
    TRY(read_lengths(c, p, err));
    TRY(ref_ms_query_norm(c, Q_NORM, epsilon, epsilon, &p->in, err));
    if (graph_get_int(c->g, c->node, "do_rotary") != 0) TRY(rotate(c, p, err));
    TRY(write_rows(c, p, err));
    TRY(attend(c, p, err));
done:
    return status;
}

ondol_status ref_ms_paged_attention(plan_call *c, ondol_error *err) {
    paged_call p = {0};
    ondol_status status = run(c, &p, err);
    ref_ms_query_end(c, &p.in);
    tensor_value_release(p.cache[0]);
    tensor_value_release(p.cache[1]);
    tensor_heap_free(c->heap, p.sinks);
    tensor_heap_free(c->heap, p.out);
    return status;
}
