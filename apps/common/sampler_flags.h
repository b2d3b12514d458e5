/* Options of sampling, as run and chat take them. */
#ifndef SAMPLER_FLAGS_H
#define SAMPLER_FLAGS_H

#include <ondol/ondol.h>

#include "common/option_table.h"

typedef struct sampler_flags {
    float temperature, top_p, min_p, typical, top_n_sigma;
    float repeat_penalty, presence_penalty, frequency_penalty;
    float dry_multiplier, dry_base, xtc_probability, xtc_threshold, mirostat_tau, mirostat_eta;
    int64_t top_k, repeat_last_n, dry_allowed_length, dry_last_n, mirostat;
    int64_t seed; /* -1: from the clock */
    option_list dry_breakers, logit_bias;
    const char *grammar, *json_schema; /* files */
} sampler_flags;

extern const option_row sampler_rows[];
enum { SAMPLER_ROW_COUNT = 24 };
#define SAMPLER_GROUP(type)                                                                        \
    { "Sampling", sampler_rows, SAMPLER_ROW_COUNT, offsetof(type, sampler) }

/* The library's defaults. */
void sampler_flags_default(sampler_flags *flags);
void sampler_flags_free(sampler_flags *flags);

/* Picks the seed where none was given, so that it can be told. */
void sampler_flags_seed(sampler_flags *flags);

/* Returns an exit status, having reported. */
int sampler_from_flags(const char *command_name, ondol_model *model, const sampler_flags *flags,
                       ondol_sampler **out);

#endif
