/* The caller's options -> checked, or refused with name, range and value. */
#include "generate/sampler_options.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "base/status.h"
#include "generate/sampler_dry.h"

typedef struct float_range {
    const char *name, *expected;
    size_t offset;
    float least, most;
    bool least_is_out; /* the least value itself is refused */
} float_range;

#define AT(member) offsetof(ondol_sampler_options, member)
static const float_range float_ranges[] = {
    {"temperature", "0 or more", AT(temperature), 0, FLT_MAX, false},
    {"top_p", "0 to 1", AT(top_p), 0, 1, false},
    {"min_p", "0 to 1", AT(min_p), 0, 1, false},
    {"typical_p", "0 to 1", AT(typical_p), 0, 1, false},
    {"top_n_sigma", "0 or more", AT(top_n_sigma), 0, FLT_MAX, false},
    {"repeat_penalty", "more than 0", AT(repeat_penalty), 0, FLT_MAX, true},
    {"presence_penalty", "a finite number", AT(presence_penalty), -FLT_MAX, FLT_MAX, false},
    {"frequency_penalty", "a finite number", AT(frequency_penalty), -FLT_MAX, FLT_MAX, false},
    {"dry_multiplier", "0 or more", AT(dry_multiplier), 0, FLT_MAX, false},
    {"dry_base", "1 or more", AT(dry_base), 1, FLT_MAX, false},
    {"xtc_probability", "0 to 1", AT(xtc_probability), 0, 1, false},
    {"xtc_threshold", "0 to 1", AT(xtc_threshold), 0, 1, false},
    {"mirostat_tau", "0 or more", AT(mirostat_tau), 0, FLT_MAX, false},
    {"mirostat_eta", "0 or more", AT(mirostat_eta), 0, FLT_MAX, false},
};

typedef struct int_range {
    const char *name, *expected;
    size_t offset;
    int32_t least, most;
} int_range;

static const int_range int_ranges[] = {
    {"top_k", "0 or more", AT(top_k), 0, INT32_MAX},
    {"penalty_last_n", "-1 or more", AT(penalty_last_n), -1, INT32_MAX},
    {"dry_allowed_length", "0 or more", AT(dry_allowed_length), 0, INT32_MAX},
    {"dry_penalty_last_n", "-1 or more", AT(dry_penalty_last_n), -1, INT32_MAX},
    {"mirostat", "0, 1 or 2", AT(mirostat), 0, 2},
};
#undef AT

static ondol_status check_numbers(const ondol_sampler_options *o, ondol_error *err) {
    for (size_t i = 0; i < sizeof float_ranges / sizeof float_ranges[0]; i++) {
        const float_range *r = &float_ranges[i];
        float x;
        memcpy(&x, (const char *)o + r->offset, sizeof x);
        if (x >= r->least && x <= r->most && !(r->least_is_out && x <= r->least)) continue;
        return base_fail(err, ONDOL_E_ARGUMENT, "%s: expected %s, got %g", r->name, r->expected,
                         (double)x);
    }
    for (size_t i = 0; i < sizeof int_ranges / sizeof int_ranges[0]; i++) {
        const int_range *r = &int_ranges[i];
        int32_t x;
        memcpy(&x, (const char *)o + r->offset, sizeof x);
        if (x >= r->least && x <= r->most) continue;
        return base_fail(err, ONDOL_E_ARGUMENT, "%s: expected %s, got %d", r->name, r->expected,
                         (int)x);
    }
    return ONDOL_OK;
}

static ondol_status check_bias(const ondol_sampler_options *o, uint32_t vocabulary,
                               ondol_error *err) {
    if (o->logit_bias_count && !o->logit_bias) {
        return base_fail(err, ONDOL_E_ARGUMENT, "logit_bias: expected %zu entries, got NULL",
                         o->logit_bias_count);
    }
    for (size_t i = 0; i < o->logit_bias_count; i++) {
        const ondol_logit_bias *b = &o->logit_bias[i];
        if (b->id < 0 || (uint32_t)b->id >= vocabulary) {
            return base_fail(err, ONDOL_E_ARGUMENT,
                             "logit_bias[%zu]: expected a token below %u, got %d", i,
                             (unsigned)vocabulary, (int)b->id);
        }
        if (!(b->bias <= FLT_MAX) || (b->bias < -FLT_MAX && !isinf(b->bias))) {
            return base_fail(err, ONDOL_E_ARGUMENT,
                             "logit_bias[%zu]: expected a finite number or -infinity, got %g", i,
                             (double)b->bias);
        }
    }
    return ONDOL_OK;
}

static ondol_status check_breakers(const ondol_sampler_options *o, bool has_tokenizer,
                                   ondol_error *err) {
    const char *const *breakers = o->dry_sequence_breakers;
    const size_t n = o->dry_sequence_breaker_count;
    if (n && !breakers) {
        return base_fail(err, ONDOL_E_ARGUMENT,
                         "dry_sequence_breakers: expected %zu texts, got NULL", n);
    }
    if (n > SAMPLER_BREAKERS_MAX) {
        return base_fail(err, ONDOL_E_ARGUMENT,
                         "dry_sequence_breakers: expected at most %d texts, got %zu",
                         SAMPLER_BREAKERS_MAX, n);
    }
    for (size_t i = 0; i < n; i++) {
        const size_t bytes = breakers[i] ? strlen(breakers[i]) : 0;
        if (bytes >= 1 && bytes <= SAMPLER_BREAKER_BYTES_MAX) continue;
        return base_fail(err, ONDOL_E_ARGUMENT,
                         "dry_sequence_breakers[%zu]: expected 1 to %d bytes, got %zu", i,
                         SAMPLER_BREAKER_BYTES_MAX, bytes);
    }
    if (n && o->dry_multiplier > 0 && !has_tokenizer) {
        return base_fail(err, ONDOL_E_UNSUPPORTED,
                         "dry_sequence_breakers: the model has no tokenizer to find them with");
    }
    return ONDOL_OK;
}

ondol_status sampler_options_check(const ondol_sampler_options *o, uint32_t vocabulary,
                                   bool has_tokenizer, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    if (vocabulary < 1 || vocabulary > INT32_MAX) {
        return base_fail(err, ONDOL_E_ARGUMENT, "vocabulary: expected 1 to %d tokens, got %u",
                         INT32_MAX, (unsigned)vocabulary);
    }
    TRY(check_numbers(o, err));
    TRY(check_bias(o, vocabulary, err));
    TRY(check_breakers(o, has_tokenizer, err));
    if (o->grammar && o->json_schema) {
        return base_fail(err, ONDOL_E_ARGUMENT,
                         "grammar and json_schema: expected one of them at most, got both");
    }
done:
    return status;
}
