/* The tokens that stand in the sequence, as far back as a sampler looks, and how often each is
 * among the last ones. */
#ifndef GENERATE_SAMPLER_HISTORY_H
#define GENERATE_SAMPLER_HISTORY_H

#include <stdbool.h>

#include "base/mem.h"

#define SAMPLER_HISTORY_ALL SIZE_MAX

/* Thread class: one thread at a time. */
typedef struct sampler_history {
    const ondol_allocator *allocator;
    size_t window; /* the last so many are kept, and at times some before them; 0: none */
    bool with_lengths;
    int32_t *tokens;
    uint32_t *lengths; /* [capacity] of scratch for DRY, when with_lengths */
    size_t count, capacity;
} sampler_history;

/* Takes no memory. */
void sampler_history_init(sampler_history *h, const ondol_allocator *allocator, size_t window,
                          bool with_lengths);
void sampler_history_destroy(sampler_history *h);

/* Room for one token more. Errors: MEMORY; then nothing has changed. */
ondol_status sampler_history_reserve(sampler_history *h, ondol_error *err);

/* Puts a token last; there is room for it. */
void sampler_history_push(sampler_history *h, int32_t token);

/* How often each token is among the last `window` of a history. Thread class: as that. */
typedef struct sampler_counts {
    const ondol_allocator *allocator;
    size_t window;
    uint32_t *counts; /* [vocabulary] */
    uint32_t *places; /* [vocabulary]: in ids, of tokens with a count */
    int32_t *ids;     /* [id_count]: those with a count, in no order */
    size_t id_count;
} sampler_counts;

/* Errors: MEMORY. On an error there is nothing to destroy. */
ondol_status sampler_counts_create(sampler_counts *c, const ondol_allocator *allocator,
                                   uint32_t vocabulary, size_t window, ondol_error *err);
void sampler_counts_destroy(sampler_counts *c); /* takes a zeroed one */

/* Follows a push to h, which keeps at least c's window. */
void sampler_counts_follow(sampler_counts *c, const sampler_history *h);
void sampler_counts_clear(sampler_counts *c);

/* The penalties of sampler.h on values[vocabulary]. */
void sampler_counts_penalise(const sampler_counts *c, double *values, double repeat,
                             double frequency, double presence);

#endif
