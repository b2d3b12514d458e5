/* FlexAttention: scaled dot products with subgraphs that change scores and probabilities. In: q, k,
 * v of rank 4. Out: sums of values. Products in double; what subgraphs see is rounded to the
 * precision that the node names. */
#include <inttypes.h>
#include <math.h>

#include "device/ref/ops/ref_heads.h"
#include "device/ref/ops/ref_kernels.h"

typedef struct flex_job {
    ref_heads q, k, v;
    double scale;
    tensor_value *scores; /* [batch, q heads, q length, k length], later probabilities */
    tensor_value *y;
    double *rows;  /* [k length], then one value */
    bool *allowed; /* [k length]: all */
} flex_job;

static uint64_t kv_head(const flex_job *j, uint64_t head) {
    return head / (uint64_t)(j->q.heads / j->k.heads);
}

static double dot(const flex_job *j, uint64_t q_at, uint64_t k_at) {
    const tensor_value *q = j->q.v, *k = j->k.v;
    double sum = 0;
    for (uint64_t e = 0; e < (uint64_t)j->q.size; e++) {
        sum += tensor_get_number(q->element, q->data, q_at + e) *
               tensor_get_number(k->element, k->data, k_at + e);
    }
    return sum;
}

static void multiply_keys(const flex_job *j) {
    const uint64_t heads = (uint64_t)j->q.heads, length = (uint64_t)j->q.length;
    const uint64_t keys = (uint64_t)j->k.length;
    for (uint64_t i = 0; i < j->scores->elems; i++) {
        const uint64_t t = i % keys, row = i / keys % length;
        const uint64_t head = i / keys / length % heads, batch = i / keys / length / heads;
        const uint64_t q_at = ref_heads_at(&j->q, batch, head, row);
        const uint64_t k_at = ref_heads_at(&j->k, batch, kv_head(j, head), t);
        const double score = dot(j, q_at, k_at) * j->scale;
        ref_store_numbers(j->scores, i, 1, &score);
    }
}

static void make_probabilities(const flex_job *j) {
    const uint64_t keys = (uint64_t)j->k.length;
    for (uint64_t first = 0; first < j->scores->elems; first += keys) {
        ref_load_numbers(j->scores, first, keys, j->rows);
        ref_weigh(j->scores->element, j->rows, j->allowed, keys);
        ref_store_numbers(j->scores, first, keys, j->rows);
    }
}

static void sum_values(const flex_job *j) {
    const uint64_t heads = (uint64_t)j->q.heads, length = (uint64_t)j->q.length;
    const uint64_t keys = (uint64_t)j->k.length, size = (uint64_t)j->v.size;
    const tensor_value *v = j->v.v;
    double *out = j->rows + keys;
    for (uint64_t row = 0; row * size < j->y->elems; row++) {
        const uint64_t head = row / length % heads, batch = row / length / heads;
        for (uint64_t e = 0; e < size; e++)
            out[e] = 0;
        for (uint64_t t = 0; t < keys; t++) {
            const double weight =
                tensor_get_number(j->scores->element, j->scores->data, row * keys + t);
            const uint64_t at = ref_heads_at(&j->v, batch, kv_head(j, head), t);
            for (uint64_t e = 0; e < size; e++)
                out[e] += weight * tensor_get_number(v->element, v->data, at + e);
        }
        ref_store_numbers(j->y, row * size, size, out);
    }
}

/* Scores through the subgraph of attribute `name`, where there is one. */
static ondol_status modify(plan_call *c, flex_job *j, const char *name, ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, name);
    tensor_value *out = NULL;
    if (!a) return ONDOL_OK;
    const graph *sub = a->graphs[0];
    if (sub->input_count != 1 || sub->output_count != 1) {
        return plan_call_fail(
            c, err, "%s has %" PRIu32 " inputs and %" PRIu32 " outputs, expected one of each", name,
            sub->input_count, sub->output_count);
    }
    ondol_status status = c->runtime->run_subgraph(c->runtime, c, sub, &j->scores, &out, err);
    if (status != ONDOL_OK) return status;
    if (out->kind != TENSOR_VALUE_TENSOR || out->element != j->scores->element ||
        !ref_same_dims(out, j->scores)) {
        tensor_value_release(out);
        return plan_call_fail(c, err, "%s changes the type or the shape of what it gets", name);
    }
    tensor_value_release(j->scores);
    j->scores = out;
    /* What comes back may be seen by others: it is written over below. */
    if (tensor_value_is_own(out)) return ONDOL_OK;
    status = tensor_value_copy(c->heap, out, &j->scores, err);
    tensor_value_release(out);
    if (status != ONDOL_OK) j->scores = NULL;
    return status;
}

static ondol_status score_type(const plan_call *c, const tensor_value *q, tensor_element *out,
                               ondol_error *err) {
    const int64_t precision = graph_get_int(c->g, c->node, "softmax_precision");
    *out = q->element == TENSOR_ELEMENT_F64 ? TENSOR_ELEMENT_F64 : TENSOR_ELEMENT_F32;
    if (!graph_get_attribute(c->g, c->node, "softmax_precision")) return ONDOL_OK;
    if (precision != TENSOR_ELEMENT_F32 && precision != TENSOR_ELEMENT_F16 &&
        precision != TENSOR_ELEMENT_F64 && precision != TENSOR_ELEMENT_BF16) {
        return plan_call_fail(c, err, "softmax_precision is %" PRId64, precision);
    }
    *out = (tensor_element)precision;
    return ONDOL_OK;
}

static ondol_status begin(plan_call *c, flex_job *j, ondol_error *err) {
    tensor_element type = TENSOR_ELEMENT_F32;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_heads_begin(c, 0, "q", 0, &j->q, err));
    TRY(ref_heads_begin(c, 1, "k", 0, &j->k, err));
    TRY(ref_heads_begin(c, 2, "v", 0, &j->v, err));
    TRY(ref_heads_check(c, &j->q, &j->k, &j->v, err));
    TRY(score_type(c, j->q.v, &type, err));
    j->scale = 1 / sqrt((double)j->q.size);
    if (graph_get_attribute(c->g, c->node, "scale")) {
        j->scale = graph_get_float(c->g, c->node, "scale");
    }
    const int64_t scores[4] = {j->q.batch, j->q.heads, j->q.length, j->k.length};
    const int64_t dims[4] = {j->q.batch, j->q.heads, j->q.length, j->v.size};
    TRY(tensor_value_create(c->heap, type, 4, scores, &j->scores, err));
    TRY(plan_call_output(c, 0, j->v.v->element, 4, dims, &j->y, err));
    const uint64_t keys = (uint64_t)j->k.length;
    TRY(ref_alloc(c, keys + (uint64_t)j->v.size, sizeof *j->rows, "scores", &memory, err));
    j->rows = memory;
    TRY(ref_alloc(c, keys, sizeof *j->allowed, "scores", &memory, err));
    j->allowed = memory;
    for (uint64_t t = 0; t < keys; t++)
        j->allowed[t] = true;
done:
    return status;
}

ondol_status ref_flex_attention(plan_call *c, ondol_error *err) {
    flex_job j = {0};
    ondol_status status = ONDOL_OK;
    TRY(begin(c, &j, err));
    multiply_keys(&j);
    TRY(modify(c, &j, "score_mod", err));
    make_probabilities(&j);
    TRY(modify(c, &j, "prob_mod", err));
    if (j.y->elems) sum_values(&j);
done:
    tensor_value_release(j.scores);
    tensor_heap_free(c->heap, j.rows);
    tensor_heap_free(c->heap, j.allowed);
    return status;
}
