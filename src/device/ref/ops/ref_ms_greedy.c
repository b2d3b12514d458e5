/* GreedySearch, Sampling. In: prompts, a decoder. Out: sequences that grow by the best token, or by
 * one drawn among the likeliest; behind their end they are padded. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms_search.h"
#include "device/ref/ops/ref_random.h"

typedef struct sampler {
    bool is_sampling, is_custom;
    double top_p, filter_value;
    uint64_t least; /* tokens that stay at any rate */
    ref_random random;
    uint64_t *order; /* [vocabulary], working memory */
} sampler;

static uint64_t best_of(const double *scores, uint64_t count) {
    uint64_t best = 0;
    for (uint64_t i = 1; i < count; i++)
        if (scores[i] > scores[best]) best = i;
    return best;
}

/* Sorts indices by their scores, downwards; of equals the lower index first. Heapsort. */
static bool comes_first(const double *scores, uint64_t a, uint64_t b) {
    return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
}

static void sift(uint64_t *order, const double *scores, uint64_t at, uint64_t count) {
    for (;;) {
        uint64_t child = 2 * at + 1;
        if (child >= count) return;
        if (child + 1 < count && comes_first(scores, order[child], order[child + 1])) child++;
        if (!comes_first(scores, order[at], order[child])) return;
        const uint64_t moved = order[at];
        order[at] = order[child];
        order[child] = moved;
        at = child;
    }
}

static void sort_down(uint64_t *order, const double *scores, uint64_t count) {
    for (uint64_t i = 0; i < count; i++)
        order[i] = i;
    for (uint64_t i = count / 2; i-- > 0;)
        sift(order, scores, i, count);
    for (uint64_t i = count; i-- > 1;) {
        const uint64_t moved = order[0];
        order[0] = order[i];
        order[i] = moved;
        sift(order, scores, 0, i);
    }
}

/* Sets scores outside of the nucleus to filter_value. Custom: a token stays while those in front of
 * it do not pass top_p together; else: unless it and those behind it make 1 - top_p or less. */
static void filter(const sampler *p, double *scores, uint64_t count) {
    double sum = 0, passed = 0;
    sort_down(p->order, scores, count);
    const double most = scores[p->order[0]];
    for (uint64_t i = 0; i < count; i++)
        sum += exp(scores[i] - most);
    if (p->is_custom) {
        for (uint64_t i = 0; i + 1 < count; i++) {
            passed += exp(scores[p->order[i]] - most) / sum;
            if (passed <= p->top_p) continue;
            for (uint64_t k = i + 1; k < count; k++)
                scores[p->order[k]] = p->filter_value;
            return;
        }
        return;
    }
    for (uint64_t i = count; i-- > p->least;) {
        passed += exp(scores[p->order[i]] - most) / sum;
        if (passed > 1 - p->top_p) return;
        scores[p->order[i]] = p->filter_value;
    }
}

/* Draws by the softmax of the scores; number: in [0, 1). */
static uint64_t draw(const double *scores, uint64_t count, double number) {
    double sum = 0, passed = 0;
    const uint64_t best = best_of(scores, count);
    for (uint64_t i = 0; i < count; i++)
        sum += exp(scores[i] - scores[best]);
    for (uint64_t i = 0; i < count; i++) {
        passed += exp(scores[i] - scores[best]);
        if (passed > number * sum) return i;
    }
    return best;
}

static ondol_status read_sampler(plan_call *c, sampler *p, ondol_error *err) {
    int64_t seed = 0;
    const int64_t least = graph_get_int(c->g, c->node, "min_tokens_to_keep");
    p->is_sampling = c->g->nodes[c->node].op == GRAPH_OP_MS_SAMPLING;
    if (!p->is_sampling) return ONDOL_OK;
    p->is_custom = graph_get_int(c->g, c->node, "custom") != 0;
    p->top_p = graph_get_float(c->g, c->node, "top_p");
    p->filter_value = graph_get_float(c->g, c->node, "filter_value");
    p->least = least > 0 ? (uint64_t)least : 0;
    if (plan_call_input(c, 8)) {
        ondol_status status = ref_scalar_integer(c, 8, 0, &seed, err);
        if (status != ONDOL_OK) return status;
        p->random = (ref_random){(uint64_t)seed, 0};
    } else {
        p->random = ref_random_begin(c);
    }
    return ONDOL_OK;
}

/* tokens[rows]: the next of each row; a row that has ended goes on with padding. True: all have. */
static bool choose(const ref_ms_search *s, const sampler *p, int32_t *tokens, bool *has_ended) {
    bool all = true;
    for (uint64_t row = 0; row < s->rows; row++) {
        double *scores = s->scores + row * s->vocabulary;
        uint64_t token = 0;
        if (p->is_sampling) {
            const uint64_t number = (s->step - 1) * s->rows + row;
            filter(p, scores, s->vocabulary);
            token = draw(scores, s->vocabulary, ref_random_uniform(&p->random, number));
        } else {
            token = best_of(scores, s->vocabulary);
        }
        has_ended[row] = has_ended[row] || (int64_t)token == s->eos;
        tokens[row] = has_ended[row] ? (int32_t)s->pad : (int32_t)token;
        all = all && has_ended[row];
    }
    return all;
}

static ondol_status give_filtered(plan_call *c, const ref_ms_search *s, ondol_error *err) {
    const int64_t dims[2] = {(int64_t)s->batch, (int64_t)s->vocabulary};
    return ref_ms_store(c, 1, TENSOR_ELEMENT_F32, 2, dims, s->scores, err);
}

static ondol_status search(plan_call *c, ref_ms_search *s, sampler *p, int32_t *tokens,
                           bool *has_ended, ondol_error *err) {
    void *order = NULL;
    ondol_status status = ONDOL_OK;
    while (s->length < s->max_length) {
        TRY(ref_ms_search_score(c, s, false, err));
        if (p->is_sampling && !order) {
            TRY(ref_alloc(c, s->vocabulary, sizeof *p->order, "an order", &order, err));
            p->order = order;
        }
        const bool is_over = choose(s, p, tokens, has_ended);
        TRY(ref_ms_search_append(c, s, tokens, NULL, err));
        if (is_over) break;
    }
    if (p->is_sampling && plan_call_wants(c, 1)) TRY(give_filtered(c, s, err));
done:
    tensor_heap_free(c->heap, order);
    return status;
}

static ondol_status give_sequences(plan_call *c, const ref_ms_search *s, ondol_error *err) {
    const int64_t dims[2] = {(int64_t)s->batch, (int64_t)s->max_length};
    tensor_value *y = NULL;
    ondol_status status = plan_call_output(c, 0, TENSOR_ELEMENT_I32, 2, dims, &y, err);
    for (uint64_t i = 0; status == ONDOL_OK && i < y->elems; i++)
        ((int32_t *)y->data)[i] = i % s->max_length < s->length ? s->sequences[i] : (int32_t)s->pad;
    return status;
}

/* GreedySearch, Sampling. */
ondol_status ref_ms_greedy(plan_call *c, ondol_error *err) {
    static const ref_ms_search_roles greedy = {3, 4, 5, 6, UINT32_MAX, UINT32_MAX};
    static const ref_ms_search_roles sampling = {3, 4, 5, 6, UINT32_MAX, 7};
    ref_ms_search s = {.beams = 1};
    sampler p = {0};
    void *tokens = NULL, *ended = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_sampler(c, &p, err));
    TRY(ref_ms_search_begin(c, p.is_sampling ? &sampling : &greedy, &s, err));
    TRY(ref_alloc(c, s.rows, sizeof(int32_t), "tokens", &tokens, err));
    TRY(ref_alloc(c, s.rows, sizeof(bool), "ends", &ended, err));
    memset(ended, 0, (size_t)s.rows * sizeof(bool));
    TRY(search(c, &s, &p, tokens, ended, err));
    TRY(give_sequences(c, &s, err));
done:
    tensor_heap_free(c->heap, tokens);
    tensor_heap_free(c->heap, ended);
    ref_ms_search_end(c, &s);
    return status;
}
