/* What a sampler holds. Inside of sampler.c, and for its tests. */
#ifndef GENERATE_SAMPLER_INTERNAL_H
#define GENERATE_SAMPLER_INTERNAL_H

#include "generate/sampler.h"
#include "generate/sampler_dry.h"
#include "generate/sampler_filters.h"
#include "generate/sampler_history.h"

struct generate_sampler {
    const ondol_allocator *allocator;
    uint32_t vocabulary;
    ondol_sampler_options options; /* its pointers are NULL */
    ondol_logit_bias *bias;        /* [options.logit_bias_count] */
    bool plain_greedy;             /* one pass over the logits is all */
    double log_min_p;              /* log(min_p) where that is above 0 */
    sampler_mirostat mirostat;     /* version 0: none */
    double mu;
    uint64_t draws; /* samples since create or reset that took random numbers */
    sampler_history history;
    sampler_counts counts; /* window 0: no penalties */
    sampler_dry dry;       /* window 0: no DRY */
    text_grammar_matcher *matcher;
    uint32_t *mask;    /* text_grammar_mask_words of them; NULL without a matcher */
    double *values;    /* [vocabulary]; NULL when plain_greedy */
    sampler_list list; /* items NULL when temperature is 0 */
};

/* Logits -> s->values, down to DRY. Errors: LIMIT, MEMORY (grammar). */
ondol_status sampler_adjust(generate_sampler *s, const float *logits, ondol_error *err);

/* s->values -> s->list with weights: from top-n sigma to temperature. chance is XTC's uniform
 * number. The list may come out empty. */
void sampler_narrow(generate_sampler *s, double chance);

#endif
