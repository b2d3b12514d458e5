/* Queries, new keys and new values. In: inputs query, key and value, or one with all three. Out:
 * doubles of each, normalised and rotated. */
#include "device/ref/ops/ref_ms_query.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static ondol_status find_heads(const plan_call *c, const tensor_value *query, bool is_packed,
                               ref_ms_query *q, ondol_error *err) {
    const int64_t heads = graph_get_int(c->g, c->node, "num_heads");
    const int64_t kv_heads = graph_get_int(c->g, c->node, "kv_num_heads");
    const int64_t most = 1 << 20, width = query->dims[query->rank - 1];
    if (heads < 1 || kv_heads < 1 || heads > most || kv_heads > heads || heads % kv_heads) {
        return plan_call_fail(c, err, "num_heads is %" PRId64 ", kv_num_heads %" PRId64, heads,
                              kv_heads);
    }
    const int64_t all = is_packed ? heads + 2 * kv_heads : heads;
    if (width < all || width % all) {
        return plan_call_fail(c, err, "rows of %" PRId64 " numbers are no %" PRId64 " heads", width,
                              all);
    }
    q->heads = (uint64_t)heads;
    q->kv_heads = (uint64_t)kv_heads;
    q->size = q->v_size = (uint64_t)(width / all);
    return ONDOL_OK;
}

/* Columns [first, first + width) of rows of `all` numbers. */
static ondol_status cut(const plan_call *c, const tensor_value *v, uint64_t rows, uint64_t all,
                        uint64_t first, uint64_t width, double **out, ondol_error *err) {
    void *p = NULL;
    ondol_status status = ref_alloc(c, rows, width * sizeof **out, "heads", &p, err);
    if (status != ONDOL_OK) return status;
    *out = p;
    for (uint64_t r = 0; r < rows; r++)
        ref_load_numbers(v, r * all + first, width, *out + r * width);
    return ONDOL_OK;
}

/* Input i, whose rows are kv_heads heads. */
static ondol_status read_new(const plan_call *c, uint32_t i, const char *name, uint32_t rank,
                             ref_ms_query *q, double **out, ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = ref_float_input(c, i, &v, err);
    if (status != ONDOL_OK) return status;
    const uint64_t width = q->kv_heads * q->size;
    if (v->rank != rank || (uint64_t)v->dims[rank - 1] != width) {
        char text[REF_SHAPE_TEXT_BYTES];
        return plan_call_fail(c, err,
                              "%s has shape %s, expected rank %" PRIu32 " and rows of %" PRIu64,
                              name, ref_shape_text(v->rank, v->dims, text), rank, width);
    }
    const uint64_t rows = v->elems / width;
    if (i == 2 && rows != q->kv_rows) {
        return plan_call_fail(c, err, "there are %" PRIu64 " keys and %" PRIu64 " values",
                              q->kv_rows, rows);
    }
    q->kv_rows = rows;
    return ref_all_numbers(c, v, out, err);
}

ondol_status ref_ms_query_begin(const plan_call *c, uint32_t rank, ref_ms_query *q,
                                ondol_error *err) {
    tensor_value *query = NULL;
    const bool is_packed = !plan_call_input(c, 1) && !plan_call_input(c, 2);
    const bool is_latent =
        strcmp(graph_get_string(c->g, c->node, "kv_cache_layout"), "LATENT") == 0;
    ondol_status status = ONDOL_OK;
    *q = (ref_ms_query){0};
    TRY(ref_float_input(c, 0, &query, err));
    TRY(ref_ms_expect_rank(c, "query", query, rank, err));
    TRY(find_heads(c, query, is_packed, q, err));
    const uint64_t width = (uint64_t)query->dims[rank - 1];
    const uint64_t own = q->heads * q->size, kv = q->kv_heads * q->size;
    q->rows = query->elems / width;
    TRY(cut(c, query, q->rows, width, 0, own, &q->q, err));
    if (is_packed) {
        q->kv_rows = q->rows;
        TRY(cut(c, query, q->rows, width, own, kv, &q->k, err));
        TRY(cut(c, query, q->rows, width, own + kv, kv, &q->v, err));
        return ONDOL_OK;
    }
    TRY(read_new(c, 1, "key", rank, q, &q->k, err));
    if (is_latent && !plan_call_input(c, 2)) return ONDOL_OK;
    TRY(read_new(c, 2, "value", rank, q, &q->v, err));
done:
    return status;
}

void ref_ms_query_end(const plan_call *c, ref_ms_query *q) {
    tensor_heap_free(c->heap, q->q);
    tensor_heap_free(c->heap, q->k);
    tensor_heap_free(c->heap, q->v);
    *q = (ref_ms_query){0};
}

static void norm_heads(double *x, uint64_t heads, uint64_t size, const double *weight,
                       double epsilon) {
    for (uint64_t h = 0; h < heads; h++, x += size) {
        double sum = 0;
        for (uint64_t i = 0; i < size; i++)
            sum += x[i] * x[i];
        const double by = 1 / sqrt(sum / (double)size + epsilon);
        for (uint64_t i = 0; i < size; i++)
            x[i] *= by * weight[i];
    }
}

ondol_status ref_ms_query_norm(const plan_call *c, uint32_t i, double q_epsilon, double k_epsilon,
                               ref_ms_query *q, ondol_error *err) {
    const int64_t size = (int64_t)q->size;
    double *q_weight = NULL, *k_weight = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_numbers(c, i, "q_norm_weight", 1, &size, &q_weight, err));
    TRY(ref_ms_numbers(c, i + 1, "k_norm_weight", 1, &size, &k_weight, err));
    if (!q_weight != !k_weight) {
        status = plan_call_fail(c, err, "q_norm_weight and k_norm_weight come together");
        goto done;
    }
    if (q_weight) {
        norm_heads(q->q, q->rows * q->heads, q->size, q_weight, q_epsilon);
        norm_heads(q->k, q->kv_rows * q->kv_heads, q->size, k_weight, k_epsilon);
    }
done:
    tensor_heap_free(c->heap, q_weight);
    tensor_heap_free(c->heap, k_weight);
    return status;
}

void ref_ms_query_rotate(const ref_ms_rotary *r, int64_t position, uint64_t heads, uint64_t size,
                         uint64_t offset, double *row) {
    for (uint64_t h = 0; h < heads; h++)
        ref_ms_rotate(r, position, row + h * size + offset);
}
