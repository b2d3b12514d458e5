/* The sampler: logits -> adjusted values -> a shorter list -> a token; and what it remembers. */
#include "generate/sampler.h"

#include <math.h>
#include <string.h>

#include "base/exact_math.h"
#include "generate/sampler_internal.h"
#include "generate/sampler_options.h"
#include "generate/sampler_random.h"

static const char *const default_breakers[] = {"\n", ":", "\"", "*"};

/* ---- life ---- */

static size_t window_of(int32_t last_n) {
    return last_n < 0 ? SAMPLER_HISTORY_ALL : (size_t)last_n;
}

static bool has_penalties(const ondol_sampler_options *o) {
    return o->penalty_last_n != 0 &&
           (o->repeat_penalty != 1 || o->presence_penalty != 0 || o->frequency_penalty != 0);
}

/* Mirostat stands in DRY's place, too; at temperature 0 it is not there itself. */
static bool has_dry(const ondol_sampler_options *o) {
    return o->dry_multiplier > 0 && o->dry_penalty_last_n != 0 &&
           (o->mirostat == 0 || o->temperature == 0);
}

static ondol_status create_dry(generate_sampler *s, const text_tokenizer *tok,
                               const ondol_sampler_options *o, ondol_error *err) {
    sampler_dry_options dry = {.multiplier = (double)o->dry_multiplier,
                               .base = (double)o->dry_base,
                               .allowed_length = (uint32_t)o->dry_allowed_length,
                               .window = window_of(o->dry_penalty_last_n),
                               .breakers = o->dry_sequence_breakers,
                               .breaker_count = o->dry_sequence_breaker_count};
    if (!dry.breakers && tok) {
        dry.breakers = default_breakers;
        dry.breaker_count = sizeof default_breakers / sizeof default_breakers[0];
    }
    return sampler_dry_create(&s->dry, s->allocator, tok, s->vocabulary, &dry, err);
}

static ondol_status create_buffers(generate_sampler *s, const ondol_sampler_options *o,
                                   size_t mask_words, ondol_error *err) {
    const uint64_t bytes = (uint64_t)s->vocabulary * (sizeof(double) + sizeof(sampler_candidate));
    bool done = true;
    if (o->logit_bias_count) {
        const size_t n = o->logit_bias_count;
        s->bias = base_alloc(s->allocator, n, sizeof *s->bias);
        if (s->bias) memcpy(s->bias, o->logit_bias, n * sizeof *s->bias);
        done = s->bias != NULL;
    }
    if (mask_words) {
        s->mask = base_calloc(s->allocator, mask_words, sizeof *s->mask);
        done = done && s->mask;
    }
    if (!s->plain_greedy) {
        s->values = base_alloc(s->allocator, s->vocabulary, sizeof *s->values);
        done = done && s->values;
    }
    if (o->temperature > 0) {
        s->list.items = base_alloc(s->allocator, s->vocabulary, sizeof *s->list.items);
        done = done && s->list.items;
    }
    return done ? ONDOL_OK : base_no_memory(err, "the sampler", bytes);
}

static void settle_options(generate_sampler *s, const ondol_sampler_options *o, bool has_matcher) {
    s->options = *o;
    s->options.logit_bias = NULL;
    s->options.dry_sequence_breakers = NULL;
    s->options.grammar = s->options.json_schema = NULL;
    s->plain_greedy = o->temperature == 0 && !o->logit_bias_count && !has_matcher &&
                      !has_penalties(o) && !has_dry(o);
    if (o->min_p > 0) s->log_min_p = base_log((double)o->min_p);
    s->mirostat = (sampler_mirostat){.version = o->temperature > 0 ? o->mirostat : 0,
                                     .tau = (double)o->mirostat_tau,
                                     .eta = (double)o->mirostat_eta,
                                     .log_vocabulary = base_log((double)s->vocabulary)};
    s->mu = 2 * s->mirostat.tau;
}

ondol_status generate_sampler_create(const ondol_allocator *allocator, const text_tokenizer *tok,
                                     uint32_t vocabulary, const ondol_sampler_options *options,
                                     text_grammar_matcher *take_matcher, generate_sampler **out,
                                     ondol_error *err) {
    const ondol_sampler_options defaults = ONDOL_SAMPLER_OPTIONS_INIT;
    const ondol_sampler_options *o = options ? options : &defaults;
    generate_sampler *s = NULL;
    size_t window = 0;
    ondol_status status = ONDOL_OK;
    TRY(sampler_options_check(o, vocabulary, tok != NULL, err));
    s = base_calloc(allocator, 1, sizeof *s);
    if (!s) TRY(base_no_memory(err, "the sampler", sizeof *s));
    s->allocator = allocator;
    s->vocabulary = vocabulary;
    settle_options(s, o, take_matcher != NULL);
    if (has_penalties(o)) {
        window = window_of(o->penalty_last_n);
        TRY(sampler_counts_create(&s->counts, allocator, vocabulary, window, err));
    }
    if (has_dry(o)) {
        TRY(create_dry(s, tok, o, err));
        if (s->dry.window > window) window = s->dry.window;
    }
    sampler_history_init(&s->history, allocator, window, has_dry(o));
    TRY(create_buffers(s, o, take_matcher ? text_grammar_mask_words(take_matcher) : 0, err));
    s->matcher = take_matcher;
    *out = s;
    s = NULL;
done:
    generate_sampler_destroy(s);
    return status;
}

void generate_sampler_destroy(generate_sampler *s) {
    if (!s) return;
    const ondol_allocator *allocator = s->allocator;
    base_free(allocator, s->list.items);
    base_free(allocator, s->values);
    base_free(allocator, s->mask);
    text_grammar_matcher_destroy(s->matcher);
    if (s->history.allocator) sampler_history_destroy(&s->history);
    sampler_dry_destroy(&s->dry);
    sampler_counts_destroy(&s->counts);
    base_free(allocator, s->bias);
    base_free(allocator, s);
}

void generate_sampler_reset(generate_sampler *s) {
    sampler_counts_clear(&s->counts);
    s->history.count = 0;
    s->draws = 0;
    s->mu = 2 * s->mirostat.tau;
    if (s->matcher) text_grammar_matcher_reset(s->matcher);
}

/* ---- sample ---- */

static void forbid_unmasked(generate_sampler *s) {
    const size_t known = 32 * text_grammar_mask_words(s->matcher);
    for (size_t id = 0; id < s->vocabulary; id++) {
        if (id >= known || !(s->mask[id / 32] >> (id % 32) & 1)) s->values[id] = -HUGE_VAL;
    }
}

ondol_status sampler_adjust(generate_sampler *s, const float *logits, ondol_error *err) {
    const ondol_sampler_options *o = &s->options;
    ondol_status status = ONDOL_OK;
    if (s->matcher) TRY(text_grammar_mask(s->matcher, s->mask, err));
    sampler_values_fill(s->values, logits, s->vocabulary);
    for (size_t i = 0; i < o->logit_bias_count; i++)
        s->values[s->bias[i].id] += (double)s->bias[i].bias;
    if (s->matcher) forbid_unmasked(s);
    if (s->counts.window) {
        sampler_counts_penalise(&s->counts, s->values, (double)o->repeat_penalty,
                                (double)o->frequency_penalty, (double)o->presence_penalty);
    }
    if (s->dry.window) sampler_dry_penalise(&s->dry, &s->history, s->values);
done:
    return status;
}

void sampler_narrow(generate_sampler *s, double chance) {
    const ondol_sampler_options *o = &s->options;
    sampler_list *list = &s->list;
    if (o->top_n_sigma > 0) {
        sampler_top_n_sigma(s->values, s->vocabulary, (double)o->top_n_sigma);
    }
    if (o->top_k > 0 && (uint32_t)o->top_k < s->vocabulary) {
        sampler_list_fill_top(list, s->values, s->vocabulary, (size_t)o->top_k);
    } else {
        sampler_list_fill(list, s->values, s->vocabulary);
    }
    if (list->count == 0) return;
    if (o->typical_p < 1) sampler_typical(list, (double)o->typical_p);
    if (o->top_p < 1) sampler_top_p(list, (double)o->top_p);
    if (o->min_p > 0) sampler_min_p(list, s->log_min_p);
    if (chance < (double)o->xtc_probability && o->xtc_threshold <= 0.5f) {
        sampler_xtc(list, (double)o->xtc_threshold);
    }
    sampler_list_weigh(list, (double)o->temperature);
}

static int32_t sample_random(generate_sampler *s) {
    double uniform[2];
    size_t drawn = 0;
    sampler_uniform(s->options.seed, s->draws, uniform);
    if (s->mirostat.version) {
        for (size_t i = 0; i < s->vocabulary; i++)
            s->values[i] /= (double)s->options.temperature;
        sampler_list_fill(&s->list, s->values, s->vocabulary);
        if (s->list.count == 0) return -1;
        drawn = sampler_mirostat_draw(&s->mirostat, &s->list, uniform[0], &s->mu);
    } else {
        sampler_narrow(s, uniform[1]);
        if (s->list.count == 0) return -1;
        drawn = sampler_draw(&s->list, uniform[0]);
    }
    s->draws++;
    return s->list.items[drawn].id;
}

ondol_status generate_sampler_sample(generate_sampler *s, const float *logits, int32_t *token,
                                     ondol_error *err) {
    int32_t chosen = -1;
    ondol_status status = ONDOL_OK;
    if (s->plain_greedy) {
        chosen = sampler_logits_highest(logits, s->vocabulary);
    } else {
        TRY(sampler_adjust(s, logits, err));
        if (s->options.temperature > 0) {
            chosen = sample_random(s);
        } else {
            chosen = sampler_values_highest(s->values, s->vocabulary);
        }
    }
    if (chosen < 0) {
        return base_fail(err, ONDOL_E_FORMAT,
                         "no token may follow: expected a logit above -infinity among %u, got only "
                         "NaN, -infinity or forbidden ones",
                         (unsigned)s->vocabulary);
    }
    *token = chosen;
done:
    return status;
}

ondol_status generate_sampler_accept(generate_sampler *s, int32_t token, bool is_prompt,
                                     ondol_error *err) {
    ondol_status status = ONDOL_OK;
    if (token < 0 || (uint32_t)token >= s->vocabulary) {
        return base_fail(err, ONDOL_E_ARGUMENT, "token: expected 0 to %u, got %d",
                         (unsigned)s->vocabulary - 1, (int)token);
    }
    TRY(sampler_history_reserve(&s->history, err));
    if (s->matcher && !is_prompt) {
        bool allowed = false;
        TRY(text_grammar_allows(s->matcher, token, &allowed, err));
        if (!allowed) {
            return base_fail(err, ONDOL_E_FORMAT, "token %d: the grammar does not allow it here",
                             (int)token);
        }
        TRY(text_grammar_accept_token(s->matcher, token, err));
    }
    sampler_history_push(&s->history, token);
    sampler_counts_follow(&s->counts, &s->history);
done:
    return status;
}
