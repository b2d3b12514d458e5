/* Tokens of the sequence -> counts -> penalties. */
#include "generate/sampler_history.h"

#include <math.h>
#include <string.h>

#define HISTORY_TOKENS_MIN 64
#define HISTORY_TOKENS_MAX ((size_t)INT32_MAX)

void sampler_history_init(sampler_history *h, const ondol_allocator *allocator, size_t window,
                          bool with_lengths) {
    *h = (sampler_history){.allocator = allocator, .window = window, .with_lengths = with_lengths};
}

void sampler_history_destroy(sampler_history *h) {
    base_free(h->allocator, h->tokens);
    base_free(h->allocator, h->lengths);
    h->tokens = NULL;
    h->lengths = NULL;
    h->count = h->capacity = 0;
}

static ondol_status grow(sampler_history *h, size_t capacity, ondol_error *err) {
    int32_t *tokens = base_alloc(h->allocator, capacity, sizeof *tokens);
    uint32_t *lengths = NULL;
    if (h->with_lengths) lengths = base_alloc(h->allocator, capacity, sizeof *lengths);
    if (!tokens || (h->with_lengths && !lengths)) {
        base_free(h->allocator, tokens);
        base_free(h->allocator, lengths);
        return base_no_memory(err, "the sampler's history", capacity * sizeof *tokens);
    }
    if (h->count) memcpy(tokens, h->tokens, h->count * sizeof *tokens);
    base_free(h->allocator, h->tokens);
    base_free(h->allocator, h->lengths);
    h->tokens = tokens;
    h->lengths = lengths;
    h->capacity = capacity;
    return ONDOL_OK;
}

ondol_status sampler_history_reserve(sampler_history *h, ondol_error *err) {
    if (h->window == 0 || h->count < h->capacity) return ONDOL_OK;
    /* Half of it and more is out of sight: a move costs less than a step for each token. */
    if (h->window <= h->count / 2) {
        memmove(h->tokens, h->tokens + (h->count - h->window), h->window * sizeof *h->tokens);
        h->count = h->window;
        return ONDOL_OK;
    }
    if (h->capacity >= HISTORY_TOKENS_MAX) {
        return base_no_memory(err, "the sampler's history", h->capacity * sizeof *h->tokens);
    }
    const size_t twice = h->capacity ? h->capacity * 2 : HISTORY_TOKENS_MIN;
    return grow(h, twice < HISTORY_TOKENS_MAX ? twice : HISTORY_TOKENS_MAX, err);
}

void sampler_history_push(sampler_history *h, int32_t token) {
    if (h->window) h->tokens[h->count++] = token;
}

ondol_status sampler_counts_create(sampler_counts *c, const ondol_allocator *allocator,
                                   uint32_t vocabulary, size_t window, ondol_error *err) {
    *c = (sampler_counts){.allocator = allocator, .window = window};
    c->counts = base_calloc(allocator, vocabulary, sizeof *c->counts);
    c->places = base_calloc(allocator, vocabulary, sizeof *c->places);
    c->ids = base_calloc(allocator, vocabulary, sizeof *c->ids);
    if (c->counts && c->places && c->ids) return ONDOL_OK;
    sampler_counts_destroy(c);
    return base_no_memory(err, "the sampler's penalties", (uint64_t)vocabulary * 12);
}

void sampler_counts_destroy(sampler_counts *c) {
    if (!c->allocator) return;
    base_free(c->allocator, c->counts);
    base_free(c->allocator, c->places);
    base_free(c->allocator, c->ids);
    *c = (sampler_counts){0};
}

static void count_one_more(sampler_counts *c, int32_t id) {
    if (c->counts[id]++) return;
    c->places[id] = (uint32_t)c->id_count;
    c->ids[c->id_count++] = id;
}

static void count_one_less(sampler_counts *c, int32_t id) {
    if (--c->counts[id]) return;
    const int32_t last = c->ids[--c->id_count];
    c->ids[c->places[id]] = last;
    c->places[last] = c->places[id];
}

void sampler_counts_follow(sampler_counts *c, const sampler_history *h) {
    if (c->window == 0) return;
    count_one_more(c, h->tokens[h->count - 1]);
    if (h->count > c->window) count_one_less(c, h->tokens[h->count - 1 - c->window]);
}

void sampler_counts_clear(sampler_counts *c) {
    for (size_t i = 0; i < c->id_count; i++)
        c->counts[c->ids[i]] = 0;
    c->id_count = 0;
}

void sampler_counts_penalise(const sampler_counts *c, double *values, double repeat,
                             double frequency, double presence) {
    for (size_t i = 0; i < c->id_count; i++) {
        double *value = &values[c->ids[i]];
        if (!(*value > -HUGE_VAL)) continue;
        *value = *value > 0 ? *value / repeat : *value * repeat;
        *value -= (double)c->counts[c->ids[i]] * frequency + presence;
    }
}
