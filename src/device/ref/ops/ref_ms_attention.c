/* Attention in double. In: queries, keys, values as [batch][heads][rows][size]. Out: for each query
 * the values that it sees, weighed by the softmax of its scores. */
#include "device/ref/ops/ref_ms_attention.h"

#include <math.h>

typedef struct attend_job {
    const ref_ms_attention *a;
    double *rows; /* [batch * heads][keys] */
} attend_job;

static double score_of(const ref_ms_attention *a, const double *q, const double *k, uint64_t b,
                       uint64_t h, uint64_t s, uint64_t t) {
    double sum = 0;
    for (uint64_t i = 0; i < a->size; i++)
        sum += q[i] * k[i];
    sum *= a->scale;
    if (a->softcap > 0) sum = a->softcap * tanh(sum / a->softcap);
    return a->added ? sum + a->added(a->user, b, h, s, t) : sum;
}

/* scores[0..count) to their shares. */
static void softmax(double *scores, uint64_t count, const double *sink) {
    double most = sink ? *sink : -INFINITY, sum = 0;
    for (uint64_t i = 0; i < count; i++)
        most = scores[i] > most || isnan(scores[i]) ? scores[i] : most;
    for (uint64_t i = 0; i < count; i++) {
        scores[i] = most == -INFINITY ? 0 : exp(scores[i] - most);
        sum += scores[i];
    }
    if (sink) sum += exp(*sink - most);
    for (uint64_t i = 0; i < count && sum != 0; i++)
        scores[i] /= sum;
}

static void keep_scores(const ref_ms_attention *a, uint64_t at, const double *scores,
                        uint64_t first, uint64_t end) {
    double *out = a->scores + at * a->keys;
    for (uint64_t t = 0; t < a->keys; t++)
        out[t] = t < first || t >= end ? 0 : scores[t - first];
}

static void attend_query(const attend_job *j, uint64_t task, uint64_t s) {
    const ref_ms_attention *a = j->a;
    const uint64_t b = task / a->heads, h = task % a->heads;
    const uint64_t kv = b * a->kv_heads + h / (a->heads / a->kv_heads);
    const double *q = a->q + (task * a->queries + s) * a->size;
    double *scores = j->rows + task * a->keys;
    double *out = a->out + ((b * a->queries + s) * a->heads + h) * a->v_size;
    uint64_t first = 0, end = a->keys;
    if (a->sees) a->sees(a->user, b, s, &first, &end);
    if (first > end) first = end;
    for (uint64_t t = first; t < end; t++) {
        const double *k = a->k + (kv * a->keys + t) * a->size;
        scores[t - first] = score_of(a, q, k, b, h, s, t);
    }
    const uint64_t row = task * a->queries + s;
    if (a->scores && a->raw_scores) keep_scores(a, row, scores, first, end);
    softmax(scores, end - first, a->sinks ? a->sinks + h : NULL);
    if (a->scores && !a->raw_scores) keep_scores(a, row, scores, first, end);
    for (uint64_t i = 0; i < a->v_size; i++)
        out[i] = 0;
    for (uint64_t t = first; t < end; t++) {
        const double *v = a->v + (kv * a->keys + t) * a->v_size, share = scores[t - first];
        for (uint64_t i = 0; i < a->v_size; i++)
            out[i] += share * v[i];
    }
}

static void attend_head(void *user, uint64_t task) {
    const attend_job *j = user;
    for (uint64_t s = 0; s < j->a->queries; s++)
        attend_query(j, task, s);
}

ondol_status ref_ms_attend(const plan_call *c, const ref_ms_attention *a, ondol_error *err) {
    attend_job j = {.a = a};
    void *rows = NULL;
    ondol_status status = ref_alloc(c, a->batch * a->heads, a->keys * sizeof *j.rows,
                                    "scores of attention", &rows, err);
    if (status != ONDOL_OK) return status;
    j.rows = rows;
    ref_run_tasks(c, a->batch * a->heads, attend_head, &j);
    tensor_heap_free(c->heap, rows);
    return ONDOL_OK;
}

void ref_ms_to_heads(const double *src, const double *bias, uint64_t batch, uint64_t rows,
                     uint64_t heads, uint64_t size, double *dst) {
    for (uint64_t i = 0; i < batch * rows * heads; i++) {
        const uint64_t h = i % heads, row = i / heads % rows, b = i / heads / rows;
        double *to = dst + ((b * heads + h) * rows + row) * size;
        for (uint64_t k = 0; k < size; k++)
            to[k] = src[i * size + k] + (bias ? bias[h * size + k] : 0);
    }
}
