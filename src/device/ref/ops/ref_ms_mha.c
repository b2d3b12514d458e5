/* Multi-head attention. In: queries, new keys and values, a past, a mask, a bias. Out: attention,
 * scores, the present. */
#include "device/ref/ops/ref_ms_mha.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

#include "device/ref/ops/ref_ms_attention.h"

ondol_status ref_ms_mha_begin(const plan_call *c, ref_ms_mha *m, ondol_error *err) {
    const int64_t heads = graph_get_int(c->g, c->node, "num_heads");
    if (heads < 1 || heads > 1 << 20) {
        return plan_call_fail(c, err, "num_heads is %" PRId64, heads);
    }
    *m = (ref_ms_mha){.heads = (uint64_t)heads, .beam_width = 1};
    m->scale = graph_get_float(c->g, c->node, "scale");
    m->mask_value = ref_ms_float(c, "mask_filter_value", -10000);
    m->is_causal = graph_get_int(c->g, c->node, "unidirectional") != 0;
    return ONDOL_OK;
}

void ref_ms_mha_end(const plan_call *c, ref_ms_mha *m) {
    tensor_heap_free(c->heap, m->q);
    tensor_heap_free(c->heap, m->new_k);
    tensor_heap_free(c->heap, m->new_v);
    m->q = m->new_k = m->new_v = NULL;
}

ondol_status ref_ms_mha_past(const plan_call *c, uint32_t i, ref_ms_mha *m, ondol_error *err) {
    int64_t past = 0;
    m->past = m->capacity;
    if (!m->is_shared) return ONDOL_OK;
    if (!plan_call_input(c, i)) return plan_call_fail(c, err, "past_sequence_length is missing");
    ondol_status status = ref_scalar_integer(c, i, 0, &past, err);
    if (status != ONDOL_OK) return status;
    if (past < 0 || (uint64_t)past > m->capacity || m->news > m->capacity - (uint64_t)past) {
        return plan_call_fail(c, err, "a buffer of %" PRIu64 " rows for %" PRId64 " and %" PRIu64,
                              m->capacity, past, m->news);
    }
    m->past = (uint64_t)past;
    return ONDOL_OK;
}

/* ------------------------------------------------------------ mask and bias */

ondol_status ref_ms_mha_mask(const plan_call *c, uint32_t i, ref_ms_mha *m, ondol_error *err) {
    const int64_t batch = (int64_t)m->batch, keys = (int64_t)(m->past + m->news);
    const int64_t dims[3] = {batch, (int64_t)m->queries, keys};
    const int64_t by_key[2] = {batch, keys};
    char text[REF_SHAPE_TEXT_BYTES];
    tensor_value *v = NULL;
    if (!plan_call_input(c, i)) return ONDOL_OK;
    ondol_status status = plan_call_typed(c, i, TENSOR_ELEMENT_I32, &v, err);
    if (status != ONDOL_OK) return status;
    m->mask = v;
    if (v->rank == 1 && (v->dims[0] == batch || v->dims[0] == 3 * batch + 2)) {
        m->mask_kind = REF_MS_MASK_ENDS;
    } else if (v->rank == 1 && v->dims[0] == 2 * batch) {
        m->mask_kind = REF_MS_MASK_RANGES;
    } else if (v->rank == 2) {
        m->mask_kind = REF_MS_MASK_KEYS;
        return ref_expect_dims(c, "the mask", v, 2, by_key, err);
    } else if (v->rank == 3) {
        m->mask_kind = REF_MS_MASK_QUERIES;
        return ref_expect_dims(c, "the mask", v, 3, dims, err);
    } else if (v->rank == 4 && v->dims[0] == batch && v->dims[1] == 1 && v->dims[2] >= keys &&
               v->dims[2] == v->dims[3] && m->queries <= m->news) {
        m->mask_kind = REF_MS_MASK_SQUARE;
    } else {
        return plan_call_fail(c, err,
                              "a mask of shape %s for %" PRId64 " sequences of %" PRId64 " keys",
                              ref_shape_text(v->rank, v->dims, text), batch, keys);
    }
    return ONDOL_OK;
}

ondol_status ref_ms_mha_bias(const plan_call *c, uint32_t i, ref_ms_mha *m, ondol_error *err) {
    tensor_value *v = NULL;
    if (!plan_call_input(c, i)) return ONDOL_OK;
    ondol_status status = ref_float_input(c, i, &v, err);
    if (status != ONDOL_OK) return status;
    const int64_t dims[4] = {v->rank == 4 && v->dims[0] == 1 ? 1 : (int64_t)m->batch,
                             v->rank == 4 && v->dims[1] == 1 ? 1 : (int64_t)m->heads,
                             (int64_t)m->queries, (int64_t)(m->past + m->news)};
    m->bias = v;
    return ref_expect_dims(c, "attention_bias", v, 4, dims, err);
}

static bool is_masked(const ref_ms_mha *m, uint64_t b, uint64_t s, uint64_t t) {
    const tensor_value *v = m->mask;
    const uint64_t keys = m->past + m->news;
    uint64_t at = 0;
    switch (m->mask_kind) {
    case REF_MS_MASK_NONE: return false;
    case REF_MS_MASK_ENDS: return (int64_t)t >= tensor_get_integer(v->element, v->data, b);
    case REF_MS_MASK_RANGES:
        return (int64_t)t >= tensor_get_integer(v->element, v->data, b) ||
               (int64_t)t < tensor_get_integer(v->element, v->data, m->batch + b);
    case REF_MS_MASK_KEYS: at = b * keys + t; break;
    case REF_MS_MASK_QUERIES: at = (b * m->queries + s) * keys + t; break;
    case REF_MS_MASK_SQUARE: {
        const uint64_t n = (uint64_t)v->dims[2];
        at = (b * n + m->past + s) * n + t;
        break;
    }
    }
    return tensor_get_integer(v->element, v->data, at) <= 0;
}

static double added(const void *user, uint64_t b, uint64_t h, uint64_t s, uint64_t t) {
    const ref_ms_mha *m = user;
    const tensor_value *bias = m->bias;
    double sum = is_masked(m, b, s, t) ? m->mask_value : 0;
    if (bias) {
        const uint64_t heads = (uint64_t)bias->dims[1], keys = m->past + m->news;
        const uint64_t row = (bias->dims[0] == 1 ? 0 : b) * heads + (heads == 1 ? 0 : h);
        sum += tensor_get_number(bias->element, bias->data, (row * m->queries + s) * keys + t);
    }
    return m->is_causal && t > m->past + s ? -(double)FLT_MAX : sum;
}

/* ------------------------------------------------------------ keys and values */

/* The sequence whose buffer holds key t of sequence b. */
static uint64_t holder_of(const ref_ms_mha *m, uint64_t b, uint64_t t) {
    if (!m->beams) return b;
    const uint64_t columns = (uint64_t)m->beams->dims[2];
    const int64_t beam = tensor_get_integer(m->beams->element, m->beams->data, b * columns + t);
    return b / m->beam_width * m->beam_width + (uint64_t)beam;
}

/* Row `row` of the past's buffer of a head. */
static void load_past(const ref_ms_mha *m, bool is_value, uint64_t b, uint64_t h, uint64_t row,
                      double *dst) {
    const tensor_value *v = is_value ? m->past_v : m->past_k;
    const uint64_t size = is_value ? m->v_size : m->size;
    const uint64_t at = ((b * m->heads + h) * m->capacity + row) * size;
    ref_load_numbers(v, (is_value ? m->past_v_first : 0) + at, size, dst);
}

static void load_all(const ref_ms_mha *m, bool is_value, double *dst) {
    const uint64_t size = is_value ? m->v_size : m->size;
    const double *news = is_value ? m->new_v : m->new_k;
    for (uint64_t n = 0; n < m->batch * m->heads; n++) {
        const uint64_t b = n / m->heads, h = n % m->heads;
        for (uint64_t t = 0; t < m->past; t++, dst += size)
            load_past(m, is_value, holder_of(m, b, t), h, t, dst);
        for (uint64_t i = 0; i < m->news * size; i++)
            *dst++ = news[n * m->news * size + i];
    }
}

void ref_ms_mha_present(const ref_ms_mha *m, bool is_value, tensor_value *y, uint64_t first) {
    const uint64_t size = is_value ? m->v_size : m->size, rows = ref_ms_mha_rows(m);
    const double *news = is_value ? m->new_v : m->new_k;
    const tensor_value *past = is_value ? m->past_v : m->past_k;
    const uint64_t before = is_value ? m->past_v_first : 0;
    for (uint64_t n = 0; n < m->batch * m->heads; n++) {
        for (uint64_t r = 0; r < rows; r++) {
            const uint64_t to = first + (n * rows + r) * size;
            if (r >= m->past && r < m->past + m->news) {
                ref_store_numbers(y, to, size, news + (n * m->news + r - m->past) * size);
                continue;
            }
            for (uint64_t i = 0; i < size; i++) {
                const uint64_t from = before + (n * m->capacity + r) * size + i;
                ref_copy_element(y, to + i, past, from, NULL);
            }
        }
    }
}

/* Every beam is one of its batch. */
static ondol_status check_beams(const plan_call *c, const ref_ms_mha *m, ondol_error *err) {
    const tensor_value *v = m->beams;
    char text[REF_SHAPE_TEXT_BYTES];
    if (!v) return ONDOL_OK;
    const int64_t width = (int64_t)m->beam_width;
    if (v->rank != 3 || width < 1 || v->dims[1] != width ||
        v->dims[0] * width != (int64_t)m->batch || v->dims[2] < (int64_t)m->past) {
        return plan_call_fail(c, err,
                              "cache_indirection of shape %s for %" PRIu64 " sequences in beams of "
                              "%" PRIu64 " with a past of %" PRIu64,
                              ref_shape_text(v->rank, v->dims, text), m->batch, m->beam_width,
                              m->past);
    }
    for (uint64_t b = 0; b < m->batch; b++) {
        for (uint64_t t = 0; t < m->past; t++) {
            const uint64_t at = b * (uint64_t)v->dims[2] + t;
            const int64_t beam = tensor_get_integer(v->element, v->data, at);
            if (beam < 0 || beam >= width)
                return plan_call_fail(c, err, "beam %" PRId64 " of %" PRId64, beam, width);
        }
    }
    return ONDOL_OK;
}

/* ------------------------------------------------------------ attention */

ondol_status ref_ms_mha_attend(plan_call *c, const ref_ms_mha *m, tensor_element e,
                               uint32_t scores_output, ondol_error *err) {
    const uint64_t keys = m->past + m->news, rows = m->batch * m->heads;
    const int64_t dims[3] = {(int64_t)m->batch, (int64_t)m->queries,
                             (int64_t)(m->heads * m->v_size)};
    const int64_t score_dims[4] = {dims[0], (int64_t)m->heads, dims[1], (int64_t)keys};
    double *out = NULL;
    void *k = NULL, *v = NULL, *scores = NULL;
    ondol_status status = ONDOL_OK;
    TRY(check_beams(c, m, err));
    TRY(ref_alloc(c, rows * keys, m->size * sizeof(double), "keys", &k, err));
    TRY(ref_alloc(c, rows * keys, m->v_size * sizeof(double), "values", &v, err));
    TRY(ref_ms_doubles(c, rows * m->queries * m->v_size, "results", &out, err));
    if (scores_output && plan_call_wants(c, scores_output)) {
        TRY(ref_alloc(c, rows * m->queries, keys * sizeof(double), "scores", &scores, err));
    }
    load_all(m, false, k);
    load_all(m, true, v);
    const ref_ms_attention a = {.batch = m->batch,
                                .heads = m->heads,
                                .kv_heads = m->heads,
                                .queries = m->queries,
                                .keys = keys,
                                .size = m->size,
                                .v_size = m->v_size,
                                .q = m->q,
                                .k = k,
                                .v = v,
                                .scale = m->scale != 0 ? m->scale : 1 / sqrt((double)m->size),
                                .added = added,
                                .user = m,
                                .out = out,
                                .scores = scores,
                                .raw_scores = true};
    TRY(ref_ms_attend(c, &a, err));
    TRY(ref_ms_store(c, 0, e, 3, dims, out, err));
    if (scores) TRY(ref_ms_store(c, scores_output, e, 4, score_dims, scores, err));
done:
    tensor_heap_free(c->heap, k);
    tensor_heap_free(c->heap, v);
    tensor_heap_free(c->heap, out);
    tensor_heap_free(c->heap, scores);
    return status;
}
