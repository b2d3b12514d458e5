/* Attention: scaled dot products. In: queries, keys, values, perhaps a mask, a cache before or
 * around the keys. Out: sums of values, the cache with the new keys, and a look at the scores.
 * Computed in double row by row; keys that are masked out are never multiplied. Of 16-bit floats
 * each step of the operator's definition is rounded, as who wrote the model saw it. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_heads.h"
#include "device/ref/ops/ref_kernels.h"

enum { Q, K, V, MASK, PAST_KEY, PAST_VALUE, VALID_LENGTHS };
enum { Y, PRESENT_KEY, PRESENT_VALUE, SCORES };

/* What output SCORES shows. */
enum { SHOW_PRODUCTS, SHOW_CAPPED, SHOW_BIASED, SHOW_PROBABILITIES };

typedef struct attention_job {
    ref_heads q, k, v;
    uint64_t past, total;  /* keys before, and all */
    double *queries;       /* [batch, q heads, q length, size] */
    double *keys, *values; /* [batch, kv heads, total, size] */
    int64_t *valid;        /* keys of each example; NULL: all */
    const tensor_value *mask;
    uint64_t mask_strides[3]; /* of batch, head, query; 0: broadcast */
    uint64_t mask_length;
    double scale, softcap;
    bool rounds_steps;
    tensor_element softmax_type;
    int64_t left, right; /* of the window; -1: unbounded */
    bool is_causal;
    int64_t shown;
    uint32_t slots;
    double *scratch; /* [slots][total + size of a value] */
    bool *allowed;   /* [slots][total] */
    tensor_value *y, *scores;
} attention_job;

/* What the mask adds to the score of key t: -infinity where it forbids it. */
static double mask_bias(const attention_job *j, uint64_t mask_at, uint64_t t) {
    if (!j->mask) return 0;
    if (t >= j->mask_length) return -INFINITY;
    const double v = tensor_get_number(j->mask->element, j->mask->data, mask_at + t);
    if (j->mask->element == TENSOR_ELEMENT_BOOL) return v != 0 ? 0 : -INFINITY;
    return v;
}

/* Whether the query at that place may look at key t by the rules that are no mask. */
static bool sees(const attention_job *j, uint64_t batch, int64_t place, int64_t t) {
    if (j->valid && t >= j->valid[batch]) return false;
    if (j->is_causal && t > place) return false;
    if (j->left >= 0 && place > t && place - t > j->left) return false;
    return j->right < 0 || t <= place || t - place <= j->right;
}

/* The result of a step. */
static double step(const attention_job *j, double v) {
    return j->rounds_steps ? ref_round_to(j->q.v->element, v) : v;
}

static void show(const attention_job *j, int64_t mode, uint64_t row, const double *scores) {
    if (j->scores && j->shown == mode) {
        ref_store_numbers(j->scores, row * j->total, j->total, scores);
    }
}

/* Scores of one query over all keys, to probabilities. */
static void weigh_keys(const attention_job *j, uint64_t batch, uint64_t head, uint64_t i,
                       double *scores, bool *allowed) {
    const uint64_t size = (uint64_t)j->q.size,
                   row = (batch * (uint64_t)j->q.heads + head) * (uint64_t)j->q.length + i;
    const uint64_t kv_head = head / (uint64_t)(j->q.heads / j->k.heads);
    const double *query = j->queries + row * size;
    const double *keys = j->keys + (batch * (uint64_t)j->k.heads + kv_head) * j->total * size;
    const int64_t before = j->valid ? j->valid[batch] - j->q.length : (int64_t)j->past;
    const uint64_t mask_at =
        batch * j->mask_strides[0] + head * j->mask_strides[1] + i * j->mask_strides[2];
    for (uint64_t t = 0; t < j->total; t++) {
        double sum = 0;
        for (uint64_t e = 0; e < size; e++)
            sum += query[e] * keys[t * size + e];
        scores[t] = step(j, sum * j->scale);
    }
    show(j, SHOW_PRODUCTS, row, scores);
    for (uint64_t t = 0; t < j->total && j->softcap > 0; t++)
        scores[t] = step(j, j->softcap * step(j, tanh(step(j, scores[t] / j->softcap))));
    show(j, SHOW_CAPPED, row, scores);
    for (uint64_t t = 0; t < j->total; t++) {
        const bool is_seen = sees(j, batch, before + (int64_t)i, (int64_t)t);
        const double bias = is_seen ? mask_bias(j, mask_at, t) : -INFINITY;
        allowed[t] = bias != -INFINITY;
        scores[t] = step(j, scores[t] + bias);
    }
    show(j, SHOW_BIASED, row, scores);
    ref_weigh(j->softmax_type, scores, allowed, j->total);
    for (uint64_t t = 0; t < j->total; t++)
        scores[t] = step(j, scores[t]);
    show(j, SHOW_PROBABILITIES, row, scores);
}

/* One query: out[0 .. size of a value). */
static void sum_values(const attention_job *j, uint64_t batch, uint64_t head, const double *weights,
                       const bool *allowed, double *out) {
    const uint64_t size = (uint64_t)j->v.size;
    const uint64_t kv_head = head / (uint64_t)(j->q.heads / j->k.heads);
    const double *values = j->values + (batch * (uint64_t)j->k.heads + kv_head) * j->total * size;
    for (uint64_t e = 0; e < size; e++)
        out[e] = 0;
    for (uint64_t t = 0; t < j->total; t++) {
        if (!allowed[t]) continue;
        for (uint64_t e = 0; e < size; e++)
            out[e] += weights[t] * values[t * size + e];
    }
}

/* Every slots-th query of all heads and examples. */
static void run_slot(void *user, uint64_t slot) {
    const attention_job *j = user;
    const uint64_t heads = (uint64_t)j->q.heads, length = (uint64_t)j->q.length;
    const uint64_t size = (uint64_t)j->v.size, rows = (uint64_t)j->q.batch * heads * length;
    double *scores = j->scratch + slot * (j->total + size), *out = scores + j->total;
    bool *allowed = j->allowed + slot * j->total;
    for (uint64_t row = slot; row < rows; row += j->slots) {
        const uint64_t i = row % length, head = row / length % heads, batch = row / length / heads;
        weigh_keys(j, batch, head, i, scores, allowed);
        sum_values(j, batch, head, scores, allowed, out);
        const uint64_t packed = (batch * length + i) * heads + head;
        ref_store_numbers(j->y, (j->y->rank == 3 ? packed : row) * size, size, out);
    }
}

static ondol_status read_attributes(const plan_call *c, attention_job *j, ondol_error *err) {
    const int64_t precision = graph_get_int(c->g, c->node, "softmax_precision");
    j->is_causal = graph_get_int(c->g, c->node, "is_causal") != 0;
    j->left = graph_get_int(c->g, c->node, "left_window_size");
    j->right = graph_get_int(c->g, c->node, "right_window_size");
    j->shown = graph_get_int(c->g, c->node, "qk_matmul_output_mode");
    j->softcap = graph_get_float(c->g, c->node, "softcap");
    j->scale = 1 / sqrt((double)j->q.size);
    if (graph_get_attribute(c->g, c->node, "scale")) {
        j->scale = graph_get_float(c->g, c->node, "scale");
    }
    if (j->left < -1 || j->right < -1) {
        return plan_call_fail(c, err,
                              "a window of %" PRId64 " to the left, %" PRId64 " to the right",
                              j->left, j->right);
    }
    if (j->shown < SHOW_PRODUCTS || j->shown > SHOW_PROBABILITIES) {
        return plan_call_fail(c, err, "qk_matmul_output_mode is %" PRId64, j->shown);
    }
    j->softmax_type = precision ? (tensor_element)precision : j->q.v->element;
    if (precision != 0 && precision != TENSOR_ELEMENT_F32 && precision != TENSOR_ELEMENT_F16 &&
        precision != TENSOR_ELEMENT_F64 && precision != TENSOR_ELEMENT_BF16) {
        return plan_call_fail(c, err, "softmax_precision is %" PRId64, precision);
    }
    return ONDOL_OK;
}

/* The mask's strides: it broadcasts to [batch, heads, queries], its keys may be too few. */
static ondol_status read_mask(const plan_call *c, attention_job *j, ondol_error *err) {
    const int64_t to[4] = {j->q.batch, j->q.heads, j->q.length, (int64_t)j->total};
    char text[REF_SHAPE_TEXT_BYTES], to_text[REF_SHAPE_TEXT_BYTES];
    tensor_value *m = NULL;
    if (!plan_call_input(c, MASK)) return ONDOL_OK;
    ondol_status status = ref_input(c, MASK, REF_CLASS_NUMBER | REF_CLASS_BOOL, &m, err);
    if (status != ONDOL_OK) return status;
    const bool has_rank = m->rank >= 1 && m->rank <= 4;
    if (!has_rank || m->dims[m->rank - 1] > to[3] ||
        !ref_broadcasts_to(m->rank - 1, m->dims, 3, to)) {
        return plan_call_fail(c, err, "the mask has shape %s, expected one that broadcasts to %s",
                              ref_shape_text(m->rank, m->dims, text),
                              ref_shape_text(4, to, to_text));
    }
    j->mask = m;
    j->mask_length = (uint64_t)m->dims[m->rank - 1];
    uint64_t stride = j->mask_length;
    for (uint32_t i = 1; i < m->rank; i++) {
        const uint64_t dim = (uint64_t)m->dims[m->rank - 1 - i];
        j->mask_strides[3 - i] = dim == 1 ? 0 : stride;
        stride *= dim;
    }
    return ONDOL_OK;
}

static ondol_status read_valid(const plan_call *c, attention_job *j, ondol_error *err) {
    tensor_value *v = NULL;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    if (!plan_call_input(c, VALID_LENGTHS)) return ONDOL_OK;
    if (plan_call_input(c, PAST_KEY)) {
        return plan_call_fail(c, err, "nonpad_kv_seqlen does not go with a past");
    }
    TRY(plan_call_typed(c, VALID_LENGTHS, TENSOR_ELEMENT_I64, &v, err));
    TRY(ref_expect_dims(c, "nonpad_kv_seqlen", v, 1, &j->q.batch, err));
    TRY(ref_alloc(c, v->elems, sizeof *j->valid, "nonpad_kv_seqlen", &memory, err));
    j->valid = memory;
    for (uint64_t i = 0; i < v->elems; i++) {
        j->valid[i] = tensor_get_integer(v->element, v->data, i);
        if (j->valid[i] < 0 || (uint64_t)j->valid[i] > j->total) {
            return plan_call_fail(c, err, "nonpad_kv_seqlen is %" PRId64 " of %" PRIu64 " keys",
                                  j->valid[i], j->total);
        }
    }
done:
    return status;
}

/* All keys (values) as doubles, those of the past in front; and output `present`, if wanted. */
static ondol_status join(plan_call *c, const attention_job *j, const ref_heads *new,
                         const ref_heads *past, uint32_t present, double **out, ondol_error *err) {
    const int64_t dims[4] = {new->batch, new->heads, (int64_t)j->total, new->size};
    uint64_t count = 0;
    tensor_value *y = NULL;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    if (!ref_product(4, dims, &count)) return plan_call_fail(c, err, "its cache is too large");
    TRY(ref_alloc(c, count, sizeof **out, "keys or values", &memory, err));
    *out = memory;
    if (past->v) ref_heads_load(past, *out, j->total, 0);
    ref_heads_load(new, *out, j->total, j->past);
    if (!plan_call_wants(c, present)) return ONDOL_OK;
    TRY(plan_call_output(c, present, new->v->element, 4, dims, &y, err));
    ref_store_numbers(y, 0, count, *out);
done:
    return status;
}

static ondol_status read_past(const plan_call *c, const attention_job *j, ref_heads *key,
                              ref_heads *value, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    if (!plan_call_input(c, PAST_KEY) && !plan_call_input(c, PAST_VALUE)) return ONDOL_OK;
    TRY(ref_heads_begin(c, PAST_KEY, "past_key", j->k.heads, key, err));
    TRY(ref_heads_begin(c, PAST_VALUE, "past_value", j->k.heads, value, err));
    if (key->v->rank != 4 || value->v->rank != 4 || key->batch != j->k.batch ||
        value->batch != j->k.batch || key->size != j->k.size || value->size != j->v.size ||
        key->length != value->length || key->length > INT64_MAX - j->k.length) {
        return plan_call_fail(c, err, "past_key and past_value do not have the shapes of k and v");
    }
done:
    return status;
}

/* The root of the scale goes into queries and keys, as the definition has it. */
static void scale_operands(attention_job *j, uint64_t query_count, uint64_t key_count) {
    const double root = step(j, sqrt(j->scale));
    for (uint64_t i = 0; i < query_count; i++)
        j->queries[i] = step(j, j->queries[i] * root);
    for (uint64_t i = 0; i < key_count; i++)
        j->keys[i] = step(j, j->keys[i] * root);
    j->scale = 1;
}

/* Queries, and working memory of the threads; the keys are there. */
static ondol_status take_scratch(const plan_call *c, attention_job *j, ondol_error *err) {
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    j->slots = 32;
    const uint64_t slots = j->slots, width = j->total + (uint64_t)j->v.size;
    TRY(ref_alloc(c, slots * sizeof *j->scratch, width, "scores", &memory, err));
    j->scratch = memory;
    TRY(ref_alloc(c, slots * sizeof *j->allowed, j->total, "scores", &memory, err));
    j->allowed = memory;
    TRY(ref_alloc(c, j->q.v->elems, sizeof *j->queries, "queries", &memory, err));
    j->queries = memory;
    ref_heads_load(&j->q, j->queries, (uint64_t)j->q.length, 0);
    j->rounds_steps = tensor_element_bits(j->q.v->element) <= 16;
    const uint64_t lines = (uint64_t)j->k.batch * (uint64_t)j->k.heads * j->total;
    if (j->rounds_steps && j->scale >= 0) {
        scale_operands(j, j->q.v->elems, lines * (uint64_t)j->k.size);
    }
done:
    return status;
}

static ondol_status begin(plan_call *c, attention_job *j, ondol_error *err) {
    const int64_t q_heads = graph_get_int(c->g, c->node, "q_num_heads");
    const int64_t kv_heads = graph_get_int(c->g, c->node, "kv_num_heads");
    ref_heads past_key = {0}, past_value = {0};
    ondol_status status = ONDOL_OK;
    TRY(ref_heads_begin(c, Q, "q", q_heads, &j->q, err));
    TRY(ref_heads_begin(c, K, "k", kv_heads, &j->k, err));
    TRY(ref_heads_begin(c, V, "v", kv_heads, &j->v, err));
    TRY(ref_heads_check(c, &j->q, &j->k, &j->v, err));
    TRY(read_attributes(c, j, err));
    TRY(read_past(c, j, &past_key, &past_value, err));
    j->past = (uint64_t)past_key.length;
    j->total = j->past + (uint64_t)j->k.length;
    TRY(read_mask(c, j, err));
    TRY(read_valid(c, j, err));
    TRY(join(c, j, &j->k, &past_key, PRESENT_KEY, &j->keys, err));
    TRY(join(c, j, &j->v, &past_value, PRESENT_VALUE, &j->values, err));
    TRY(take_scratch(c, j, err));
done:
    return status;
}

static ondol_status make_outputs(plan_call *c, attention_job *j, ondol_error *err) {
    const tensor_value *q = j->q.v;
    uint64_t width = 0;
    const int64_t row[2] = {j->q.heads, j->v.size};
    ondol_status status = ONDOL_OK;
    if (!ref_product(2, row, &width)) return plan_call_fail(c, err, "its values are too large");
    const int64_t packed[3] = {j->q.batch, j->q.length, (int64_t)width};
    const int64_t dims[4] = {j->q.batch, j->q.heads, j->q.length, j->v.size};
    const int64_t scores[4] = {j->q.batch, j->q.heads, j->q.length, (int64_t)j->total};
    TRY(plan_call_output(c, Y, q->element, q->rank, q->rank == 3 ? packed : dims, &j->y, err));
    if (plan_call_wants(c, SCORES)) {
        TRY(plan_call_output(c, SCORES, q->element, 4, scores, &j->scores, err));
    }
done:
    return status;
}

ondol_status ref_dot_attention(plan_call *c, ondol_error *err) {
    attention_job j = {0};
    ondol_status status = ONDOL_OK;
    TRY(begin(c, &j, err));
    TRY(make_outputs(c, &j, err));
    if (j.y->elems || (j.scores && j.scores->elems)) ref_run_tasks(c, j.slots, run_slot, &j);
done:
    tensor_heap_free(c->heap, j.queries);
    tensor_heap_free(c->heap, j.keys);
    tensor_heap_free(c->heap, j.values);
    tensor_heap_free(c->heap, j.valid);
    tensor_heap_free(c->heap, j.scratch);
    tensor_heap_free(c->heap, j.allowed);
    return status;
}
