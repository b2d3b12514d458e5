/* One sequence in a cache: its tokens, and for each group of layers the pages of its keys and
 * values. All calls but create, destroy, fork and cancel are made with the cache's lock held or by
 * the thread that steps it; see each. */
#ifndef GENERATE_SEQUENCE_H
#define GENERATE_SEQUENCE_H

#include <stdatomic.h>

#include "generate/cache.h"
#include "generate/sampler.h"

/* What a step is to return for an item. */
typedef enum generate_want {
    GENERATE_WANT_NOTHING,
    GENERATE_WANT_LAST,   /* logits after the last new token */
    GENERATE_WANT_ALL,    /* logits after every new token */
    GENERATE_WANT_HIDDEN, /* normed hidden state of every new token */
    GENERATE_WANT_SAMPLED /* a token from the sampler, which accepts it */
} generate_want;

/* What a sequence has to do in a step, and how far it is. The caller sets the first five. */
typedef struct generate_work {
    const int32_t *tokens; /* borrowed for the step */
    uint64_t token_count;
    generate_want want;
    generate_sampler *sampler;
    generate_sequence *following; /* in the list of the step */

    ondol_status status;
    int32_t token;        /* SAMPLED */
    uint64_t output_rows; /* rows at `output`, of vocabulary or hidden floats */
    const float *output;

    bool active;
    uint32_t index;                 /* place in the list */
    uint64_t done, end;             /* tokens computed, and after the step */
    uint32_t first_row, rows;       /* in this chunk */
    uint32_t outputs, first_output; /* rows wanted back in this chunk */
    float *next_output;
} generate_work;

struct generate_sequence {
    generate_cache *cache;
    generate_sequence *previous, *next; /* in the cache's list */
    int32_t *tokens;                    /* [capacity] */
    uint64_t length, capacity;          /* tokens that stand; the most */
    uint64_t computed;                  /* whose keys and values the cache holds, <= length */
    uint32_t regime;                    /* with which they were computed */
    uint32_t **tables;                  /* [groups][capacity / page]: page numbers */
    uint32_t *first_page, *end_page;    /* [groups]: tables hold pages [first, end) */
    generate_past *past; /* of a decoder that runs as it is written, in place of pages: at least
                          * `computed` tokens; NULL: none */
    atomic_int cancelled;
    generate_work work;
};

/* max_tokens 0: as many as the context and the cache take. Errors: ARGUMENT, MEMORY, FULL. */
ondol_status generate_sequence_create(generate_cache *c, uint64_t max_tokens,
                                      generate_sequence **out, ondol_error *err);
/* Takes NULL. */
void generate_sequence_destroy(generate_sequence *s);

/* Another sequence with the same tokens; pages are shared. Errors: MEMORY, FULL. */
ondol_status generate_sequence_fork(generate_sequence *s, generate_sequence **out,
                                    ondol_error *err);

/* Keeps the first n tokens. Takes the cache's lock. Errors: ARGUMENT. */
ondol_status generate_sequence_truncate(generate_sequence *s, uint64_t n, ondol_error *err);

/* ---- inside of generate/, the cache's lock held ---- */

/* Tokens from `position` on can see positions from here on, in that group. */
uint64_t generate_window_start(const generate_cache *c, uint32_t group, uint64_t position);

/* Gives up all pages and what was computed; tokens stay. */
void generate_sequence_forget(generate_sequence *s);

/* Makes tokens [from, end) of one group writable: takes the pages that lack, copies those that
 * others hold too. False when the cache is full, or (with err) when a copy failed; pages taken so
 * far stay with the sequence. */
bool generate_sequence_reserve(generate_sequence *s, uint32_t group, uint64_t from, uint64_t end,
                               ondol_error *err);

/* Drops pages from token `end` on. */
void generate_sequence_drop_from(generate_sequence *s, uint64_t end);

/* Drops pages that no token from `position` on can see. */
void generate_sequence_drop_before(generate_sequence *s, uint64_t position);

/* Lets s, which holds no pages, share the pages of tokens [0, n) of `from`, computed there. */
void generate_sequence_share(generate_sequence *s, const generate_sequence *from, uint64_t n);

/* True when every group of s still holds what tokens from n on can see. */
bool generate_sequence_can_go_on(const generate_sequence *s, uint64_t n);

/* ---- state as bytes; the caller is the sequence's thread ---- */

typedef int (*generate_write)(void *user, const void *bytes, size_t size);

/* Errors: IO when write returns nonzero; MEMORY. */
ondol_status generate_sequence_save(generate_sequence *s, generate_write write, void *user,
                                    ondol_error *err);
/* Replaces what s holds. Errors: FORMAT, UNSUPPORTED (another model, KV type or version), FULL,
 * MEMORY; then s is empty. */
ondol_status generate_sequence_load(generate_sequence *s, const void *bytes, size_t size,
                                    ondol_error *err);

#endif
