/* MultiHeadAttention, DecoderMaskedMultiHeadAttention. In: queries, keys and values, apart or
 * packed, or those of a cache. Out: attention, and the cache with the new ones. */
#include <inttypes.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms_attention.h"
#include "device/ref/ops/ref_ms_mha.h"

/* Where the two operators have their inputs. */
typedef struct places {
    uint32_t mask, bias, past_k, past_v, past_length, beam_width, beams, projection;
} places;

static const places MHA = {4, 5, 6, 7, 8, 0, 9, 3};
static const places DECODER = {3, 4, 5, 6, 7, 8, 9, 10};

enum { QUERY, KEY, VALUE };

typedef struct call {
    const places *at;
    ref_ms_mha m;
    bool is_decoder;
    const double *bias[3]; /* of q, k, v: [heads * size]; NULL: none */
    double *projection;
} call;

/* heads [heads][size] of part `part` of rows [.., parts, ..]: dst [batch][heads][rows][size]. */
static ondol_status cut(const plan_call *c, const tensor_value *v, const ref_ms_mha *m,
                        uint64_t rows, uint64_t size, uint64_t part_first, uint64_t head_stride,
                        uint64_t row_stride, const double *bias, double **out, ondol_error *err) {
    ondol_status status = ref_ms_doubles(c, m->batch * m->heads * rows * size, "heads", out, err);
    if (status != ONDOL_OK) return status;
    double *dst = *out;
    for (uint64_t i = 0; i < m->batch * m->heads * rows; i++, dst += size) {
        const uint64_t row = i % rows, h = i / rows % m->heads, b = i / rows / m->heads;
        ref_load_numbers(v, (b * rows + row) * row_stride + h * head_stride + part_first, size,
                         dst);
        for (uint64_t k = 0; k < size && bias; k++)
            dst[k] += bias[h * size + k];
    }
    return ONDOL_OK;
}

static ondol_status refuse(const plan_call *c, const char *name, const tensor_value *v,
                           ondol_error *err) {
    char text[REF_SHAPE_TEXT_BYTES];
    return plan_call_fail(c, err, "%s has shape %s, which does not fit num_heads and the query",
                          name, ref_shape_text(v->rank, v->dims, text));
}

/* Sizes, from the query and how keys come. */
static ondol_status read_sizes(const plan_call *c, call *k, ondol_error *err) {
    tensor_value *query = NULL;
    ref_ms_mha *m = &k->m;
    ondol_status status = ref_float_input(c, QUERY, &query, err);
    if (status != ONDOL_OK) return status;
    const int64_t heads = (int64_t)m->heads, parts = plan_call_input(c, KEY) ? 1 : 3;
    if (query->rank == 5 && parts == 3 && query->dims[2] == heads && query->dims[3] == 3) {
        m->size = (uint64_t)query->dims[4];
    } else if (query->rank == 3 && query->dims[2] % (parts * heads) == 0) {
        m->size = (uint64_t)(query->dims[2] / (parts * heads));
    } else {
        return refuse(c, "query", query, err);
    }
    if (m->size == 0) return refuse(c, "query", query, err);
    m->batch = (uint64_t)query->dims[0];
    m->queries = (uint64_t)query->dims[1];
    m->news = m->queries;
    m->v_size = m->size;
    if (k->is_decoder && m->queries != 1) {
        return plan_call_fail(c, err, "it takes one query, got %" PRIu64, m->queries);
    }
    return ONDOL_OK;
}

/* The bias of the projections, [heads * (size + size + v_size)]. */
static ondol_status read_projection(const plan_call *c, call *k, ondol_error *err) {
    const ref_ms_mha *m = &k->m;
    const int64_t width = (int64_t)(m->heads * (2 * m->size + m->v_size));
    ondol_status status =
        ref_ms_numbers(c, k->at->projection, "bias", 1, &width, &k->projection, err);
    if (status != ONDOL_OK || !k->projection) return status;
    k->bias[0] = k->projection;
    k->bias[1] = k->projection + m->heads * m->size;
    k->bias[2] = k->projection + 2 * m->heads * m->size;
    return ONDOL_OK;
}

static ondol_status read_packed(const plan_call *c, call *k, ondol_error *err) {
    const tensor_value *v = plan_call_input(c, QUERY);
    ref_ms_mha *m = &k->m;
    double **to[3] = {&m->q, &m->new_k, &m->new_v};
    const uint64_t size = m->size, row = 3 * m->heads * size;
    ondol_status status = read_projection(c, k, err);
    for (uint64_t i = 0; i < 3 && status == ONDOL_OK; i++) {
        const bool by_head = v->rank == 5; /* [heads, 3, size], else [3, heads, size] */
        status = cut(c, v, m, m->queries, size, by_head ? i * size : i * m->heads * size,
                     by_head ? 3 * size : size, row, k->bias[i], to[i], err);
    }
    return status;
}

/* Keys and values [batch, rows, heads, 2, size]. */
static ondol_status read_packed_keys(const plan_call *c, call *k, const tensor_value *key,
                                     ondol_error *err) {
    ref_ms_mha *m = &k->m;
    const uint64_t size = m->size, row = 2 * m->heads * size;
    const int64_t dims[5] = {(int64_t)m->batch, key->dims[1], (int64_t)m->heads, 2, (int64_t)size};
    ondol_status status = ONDOL_OK;
    TRY(ref_expect_dims(c, "key", key, 5, dims, err));
    m->news = (uint64_t)key->dims[1];
    TRY(read_projection(c, k, err));
    TRY(cut(c, key, m, m->news, size, 0, 2 * size, row, k->bias[1], &m->new_k, err));
    TRY(cut(c, key, m, m->news, size, size, 2 * size, row, k->bias[2], &m->new_v, err));
done:
    return status;
}

/* Keys and values of a cache, [batch, heads, rows, size]: no bias is added to them. */
static ondol_status read_cached(const plan_call *c, call *k, const tensor_value *key,
                                ondol_error *err) {
    ref_ms_mha *m = &k->m;
    tensor_value *value = NULL;
    ondol_status status = ONDOL_OK;
    const int64_t k_dims[4] = {(int64_t)m->batch, (int64_t)m->heads, key->dims[2],
                               (int64_t)m->size};
    TRY(ref_expect_dims(c, "key", key, 4, k_dims, err));
    TRY(ref_float_input(c, VALUE, &value, err));
    const int64_t v_dims[4] = {k_dims[0], k_dims[1], k_dims[2],
                               value->rank == 4 ? value->dims[3] : -1};
    TRY(ref_expect_dims(c, "value", value, 4, v_dims, err));
    m->news = (uint64_t)key->dims[2];
    m->v_size = (uint64_t)value->dims[3];
    TRY(read_projection(c, k, err));
    TRY(ref_all_numbers(c, key, &m->new_k, err));
    TRY(ref_all_numbers(c, value, &m->new_v, err));
done:
    return status;
}

/* Keys and values as rows of heads. */
static ondol_status read_rows(const plan_call *c, call *k, const tensor_value *key,
                              ondol_error *err) {
    ref_ms_mha *m = &k->m;
    tensor_value *value = NULL;
    ondol_status status = ONDOL_OK;
    const uint64_t k_row = m->heads * m->size;
    const int64_t k_dims[3] = {(int64_t)m->batch, key->rank == 3 ? key->dims[1] : -1,
                               (int64_t)k_row};
    TRY(ref_expect_dims(c, "key", key, 3, k_dims, err));
    TRY(ref_float_input(c, VALUE, &value, err));
    const int64_t v_dims[3] = {k_dims[0], k_dims[1], value->rank == 3 ? value->dims[2] : -1};
    TRY(ref_expect_dims(c, "value", value, 3, v_dims, err));
    if (v_dims[2] % (int64_t)m->heads) return refuse(c, "value", value, err);
    m->news = (uint64_t)k_dims[1];
    m->v_size = (uint64_t)v_dims[2] / m->heads;
    const uint64_t v_row = (uint64_t)v_dims[2];
    TRY(read_projection(c, k, err));
    TRY(cut(c, key, m, m->news, m->size, 0, m->size, k_row, k->bias[1], &m->new_k, err));
    TRY(cut(c, value, m, m->news, m->v_size, 0, m->v_size, v_row, k->bias[2], &m->new_v, err));
done:
    return status;
}

static ondol_status read_heads(const plan_call *c, call *k, ondol_error *err) {
    tensor_value *key = NULL;
    ref_ms_mha *m = &k->m;
    ondol_status status = ONDOL_OK;
    TRY(read_sizes(c, k, err));
    if (!plan_call_input(c, KEY)) return read_packed(c, k, err);
    TRY(ref_float_input(c, KEY, &key, err));
    if (key->rank == 5) {
        TRY(read_packed_keys(c, k, key, err));
    } else if (key->rank == 4) {
        TRY(read_cached(c, k, key, err));
    } else {
        TRY(read_rows(c, k, key, err));
    }
    TRY(cut(c, plan_call_input(c, QUERY), m, m->queries, m->size, 0, m->size, m->heads * m->size,
            k->bias[0], &m->q, err));
done:
    return status;
}

static ondol_status read_past(const plan_call *c, call *k, ondol_error *err) {
    ref_ms_mha *m = &k->m;
    tensor_value *past_k = NULL, *past_v = NULL, *beams = NULL;
    int64_t width = 1;
    ondol_status status = ONDOL_OK;
    if (!plan_call_input(c, k->at->past_k) && !plan_call_input(c, k->at->past_v)) return ONDOL_OK;
    TRY(ref_float_input(c, k->at->past_k, &past_k, err));
    TRY(ref_float_input(c, k->at->past_v, &past_v, err));
    const int64_t rows = past_k->rank == 4 ? past_k->dims[2] : -1;
    const int64_t k_dims[4] = {(int64_t)m->batch, (int64_t)m->heads, rows, (int64_t)m->size};
    const int64_t v_dims[4] = {k_dims[0], k_dims[1], rows, (int64_t)m->v_size};
    TRY(ref_expect_dims(c, "past_key", past_k, 4, k_dims, err));
    TRY(ref_expect_dims(c, "past_value", past_v, 4, v_dims, err));
    m->past_k = past_k;
    m->past_v = past_v;
    m->capacity = (uint64_t)rows;
    m->is_shared = k->is_decoder ? graph_get_int(c->g, c->node, "past_present_share_buffer") != 0
                                 : plan_call_input(c, k->at->past_length) != NULL;
    TRY(ref_ms_mha_past(c, k->at->past_length, m, err));
    if (plan_call_input(c, k->at->beams)) {
        TRY(plan_call_typed(c, k->at->beams, TENSOR_ELEMENT_I32, &beams, err));
        TRY(ref_ms_expect_rank(c, "cache_indirection", beams, 3, err));
        width = beams->dims[1];
        if (k->is_decoder) TRY(ref_scalar_integer(c, k->at->beam_width, 1, &width, err));
    }
    m->beams = beams;
    m->beam_width = width > 0 ? (uint64_t)width : 0;
done:
    return status;
}

static ondol_status give_present(plan_call *c, const call *k, tensor_element e, ondol_error *err) {
    const ref_ms_mha *m = &k->m;
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < 2 && status == ONDOL_OK; i++) {
        const int64_t dims[4] = {(int64_t)m->batch, (int64_t)m->heads, (int64_t)ref_ms_mha_rows(m),
                                 (int64_t)(i ? m->v_size : m->size)};
        tensor_value *y = NULL;
        if (!plan_call_wants(c, 1 + i)) continue;
        status = plan_call_output(c, 1 + i, e, 4, dims, &y, err);
        if (status == ONDOL_OK) ref_ms_mha_present(m, i == 1, y, 0);
    }
    return status;
}

ondol_status ref_ms_multi_head_attention(plan_call *c, ondol_error *err) {
    call k = {0};
    ondol_status status = ONDOL_OK;
    k.is_decoder = c->g->nodes[c->node].op == GRAPH_OP_MS_DECODER_MASKED_MULTI_HEAD_ATTENTION;
    k.at = k.is_decoder ? &DECODER : &MHA;
    TRY(ref_ms_mha_begin(c, &k.m, err));
    TRY(read_heads(c, &k, err));
    TRY(read_past(c, &k, err));
    TRY(ref_ms_mha_mask(c, k.at->mask, &k.m, err));
    TRY(ref_ms_mha_bias(c, k.at->bias, &k.m, err));
    const tensor_element e = plan_call_input(c, QUERY)->element;
    TRY(give_present(c, &k, e, err));
    TRY(ref_ms_mha_attend(c, &k.m, e, 3, err));
done:
    ref_ms_mha_end(c, &k.m);
    tensor_heap_free(c->heap, k.projection);
    return status;
}
