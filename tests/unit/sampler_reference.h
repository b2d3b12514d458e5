/* A sampler written straight from the definitions in sampler.h, to compare with: full sorts, the C
 * library's functions, no tricks. */
#ifndef SAMPLER_REFERENCE_H
#define SAMPLER_REFERENCE_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "generate/sampler_internal.h"
#include "unit.h"

#define REFERENCE_MAX 2048

typedef struct reference_token {
    int32_t id;
    long double logit, p, score;
} reference_token;

/* The tokens left, with p. in_order: falling; otherwise by ids. */
typedef struct reference {
    reference_token tokens[REFERENCE_MAX];
    size_t count;
    bool in_order;
} reference;

static inline uint64_t test_random(uint64_t *state) {
    *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = *state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline double test_uniform(uint64_t *state) {
    return (double)(test_random(state) >> 11) * 0x1p-53;
}

/* style 1: many ties; 2: wide; 3: odd ones among them. */
static inline float random_logit(uint64_t *random, int style) {
    double x = (test_uniform(random) - 0.5) * 12;
    if (style == 1) x = floor(x * 2) / 2; /* many ties */
    if (style == 2) x *= x * x;
    if (style == 3 && test_random(random) % 4 == 0) {
        const float odd[] = {NAN, -INFINITY, 0.0f, -0.0f, 20.0f, -3e38f};
        return odd[test_random(random) % 6];
    }
    return (float)x;
}

static inline int reference_by_logit(const void *a, const void *b) {
    const reference_token *x = a, *y = b;
    if (x->logit != y->logit) return x->logit > y->logit ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static inline int reference_by_score(const void *a, const void *b) {
    const reference_token *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static inline void reference_sort(reference *r) {
    qsort(r->tokens, r->count, sizeof r->tokens[0], reference_by_logit);
    r->in_order = true;
}

static inline void reference_softmax(reference *r, long double temperature) {
    long double maximum = -INFINITY, sum = 0;
    for (size_t i = 0; i < r->count; i++)
        maximum = fmaxl(maximum, r->tokens[i].logit);
    for (size_t i = 0; i < r->count; i++)
        sum += r->tokens[i].p = expl((r->tokens[i].logit - maximum) / temperature);
    for (size_t i = 0; i < r->count; i++)
        r->tokens[i].p /= sum;
}

/* logits after bias, penalties and DRY, by what stands in the whole history. */
static inline void reference_adjust(reference *r, const float *logits, size_t n,
                                    const ondol_sampler_options *o, const int32_t *history,
                                    size_t history_count) {
    size_t first = o->penalty_last_n >= 0 && history_count > (size_t)o->penalty_last_n
                       ? history_count - (size_t)o->penalty_last_n
                       : 0;
    r->count = 0;
    r->in_order = false;
    for (size_t id = 0; id < n; id++) {
        /* In double, so that two penalised logits are equal here where they are there. */
        double logit = isnan(logits[id]) ? -INFINITY : fminf(logits[id], FLT_MAX);
        for (size_t i = 0; i < o->logit_bias_count; i++) {
            if (o->logit_bias[i].id == (int32_t)id) logit += (double)o->logit_bias[i].bias;
        }
        unsigned times = 0;
        for (size_t i = first; i < history_count; i++)
            times += history[i] == (int32_t)id;
        if (times) {
            double repeat = (double)o->repeat_penalty;
            logit = logit > 0 ? logit / repeat : logit * repeat;
            logit -= times * (double)o->frequency_penalty + (double)o->presence_penalty;
        }
        if (logit == -INFINITY) continue;
        r->tokens[r->count++] = (reference_token){(int32_t)id, logit, 0, 0};
    }
}

static inline void reference_sigma(reference *r, double sigmas) {
    long double maximum = -INFINITY, mean = 0, squares = 0;
    size_t n = 0;
    if (r->count == 0) return;
    for (size_t i = 0; i < r->count; i++) {
        maximum = fmaxl(maximum, r->tokens[i].logit);
        mean += r->tokens[i].logit / (long double)r->count;
    }
    for (size_t i = 0; i < r->count; i++)
        squares += powl(r->tokens[i].logit - mean, 2);
    long double least = maximum - (long double)sigmas * sqrtl(squares / (long double)r->count);
    for (size_t i = 0; i < r->count; i++) {
        if (r->tokens[i].logit >= least) r->tokens[n++] = r->tokens[i];
    }
    r->count = n;
}

static inline void reference_typical(reference *r, double p) {
    long double entropy = 0, sum = 0;
    size_t n = 0;
    reference_softmax(r, 1);
    for (size_t i = 0; i < r->count; i++)
        entropy -= r->tokens[i].p > 0 ? r->tokens[i].p * logl(r->tokens[i].p) : 0;
    for (size_t i = 0; i < r->count; i++)
        r->tokens[i].score = fabsl(-logl(r->tokens[i].p) - entropy);
    qsort(r->tokens, r->count, sizeof r->tokens[0], reference_by_score);
    while (n < r->count && !(sum > (long double)p))
        sum += r->tokens[n++].p;
    r->count = n;
    reference_sort(r);
}

static inline void reference_top_p(reference *r, double p) {
    long double sum = 0;
    size_t n = 0;
    reference_softmax(r, 1);
    reference_sort(r);
    while (n == 0 || (n < r->count && sum < (long double)p))
        sum += r->tokens[n++].p;
    r->count = n;
}

static inline void reference_min_p(reference *r, double p) {
    long double highest = 0;
    size_t n = 0;
    reference_softmax(r, 1);
    for (size_t i = 0; i < r->count; i++)
        highest = fmaxl(highest, r->tokens[i].p);
    for (size_t i = 0; i < r->count; i++) {
        if (r->tokens[i].p >= (long double)p * highest) r->tokens[n++] = r->tokens[i];
    }
    r->count = n;
}

static inline void reference_xtc(reference *r, double threshold) {
    reference sorted = *r;
    size_t tops = 0, n = 0;
    reference_softmax(&sorted, 1);
    reference_sort(&sorted);
    while (tops < sorted.count && sorted.tokens[tops].p >= (long double)threshold)
        tops++;
    for (size_t i = 0; i < r->count; i++) {
        bool goes = false;
        for (size_t t = 0; t + 1 < tops; t++)
            goes = goes || sorted.tokens[t].id == r->tokens[i].id;
        if (!goes) r->tokens[n++] = r->tokens[i];
    }
    r->count = n;
}

/* From top-n sigma to temperature. */
static inline void reference_narrow(reference *r, const ondol_sampler_options *o, double chance,
                                    size_t vocabulary) {
    if (o->top_n_sigma > 0) reference_sigma(r, (double)o->top_n_sigma);
    if (o->top_k > 0 && (size_t)o->top_k < vocabulary) {
        reference_sort(r);
        if (r->count > (size_t)o->top_k) r->count = (size_t)o->top_k;
    }
    if (r->count == 0) return;
    if (o->typical_p < 1) reference_typical(r, (double)o->typical_p);
    if (o->top_p < 1) reference_top_p(r, (double)o->top_p);
    if (o->min_p > 0) reference_min_p(r, (double)o->min_p);
    if (chance < (double)o->xtc_probability && o->xtc_threshold <= 0.5f) {
        reference_xtc(r, (double)o->xtc_threshold);
    }
    reference_softmax(r, (long double)o->temperature);
}

/* ---- samplers ---- */

static inline const ondol_allocator *heap(void) {
    static ondol_allocator store;
    store = base_default_allocator();
    return &store;
}

/* Every step off: the bare softmax. */
static inline ondol_sampler_options bare_options(void) {
    ondol_sampler_options o = ONDOL_SAMPLER_OPTIONS_INIT;
    o.temperature = 1;
    o.top_k = 0;
    o.top_p = 1;
    o.min_p = 0;
    return o;
}

static inline generate_sampler *open_sampler(uint32_t vocabulary, const ondol_sampler_options *o) {
    ondol_error err = {0};
    generate_sampler *s = NULL;
    ASSERT_OK(generate_sampler_create(heap(), NULL, vocabulary, o, NULL, &s, &err));
    return s;
}

#endif
