/* DRY ("don't repeat yourself", p-e-w 2024): penalises tokens that would go on with a repetition of
 * what stands in the sequence already. */
#ifndef GENERATE_SAMPLER_DRY_H
#define GENERATE_SAMPLER_DRY_H

#include "generate/sampler_history.h"
#include "text/text_tokenizer.h"

#define SAMPLER_BREAKERS_MAX      256
#define SAMPLER_BREAKER_BYTES_MAX 256

/* A token whose text ends with the first `matched` bytes of a breaker. */
typedef struct sampler_breaker_head {
    int32_t token;
    uint32_t breaker, matched;
} sampler_breaker_head;

/* Thread class: one thread at a time. */
typedef struct sampler_dry {
    const ondol_allocator *allocator;
    const text_tokenizer *tok;
    uint32_t vocabulary;
    double multiplier, base;
    uint32_t allowed_length, max_exponent;
    size_t window;
    char *breaker_text;  /* all breakers, one behind the other */
    text_view *breakers; /* [breaker_count], into it */
    size_t breaker_count;
    unsigned char *breaks;       /* [vocabulary]: 1 where the token's text holds a breaker */
    sampler_breaker_head *heads; /* in order of tokens */
    size_t head_count, head_capacity;
    uint32_t *longest; /* [vocabulary]: 1 + the longest repetition; all 0 between calls */
    int32_t *touched;  /* [vocabulary]: ids whose longest is not 0 */
} sampler_dry;

typedef struct sampler_dry_options {
    double multiplier, base; /* > 0, >= 1 */
    uint32_t allowed_length;
    size_t window;               /* SAMPLER_HISTORY_ALL or tokens looked back, >= 1 */
    const char *const *breakers; /* not empty, at most SAMPLER_BREAKER_BYTES_MAX each */
    size_t breaker_count;        /* at most SAMPLER_BREAKERS_MAX; 0 where tok is NULL */
} sampler_dry_options;

/* Copies the breakers; looks at the text of every token once for each. tok is borrowed.
 * Errors: MEMORY. On an error there is nothing to destroy. */
ondol_status sampler_dry_create(sampler_dry *d, const ondol_allocator *allocator,
                                const text_tokenizer *tok, uint32_t vocabulary,
                                const sampler_dry_options *options, ondol_error *err);
void sampler_dry_destroy(sampler_dry *d); /* takes a zeroed one */

/* The penalty of sampler.h on values[vocabulary], for a history with lengths that keeps at least
 * d's window. Linear in the window. */
void sampler_dry_penalise(sampler_dry *d, const sampler_history *h, double *values);

#endif
