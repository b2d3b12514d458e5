/* Options of the command line -> a sampler. */
#include "common/sampler_flags.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/report.h"
#include "common/whole_file.h"

#define GRAMMAR_BYTES_MAX (16u << 20)

#define AT(member) offsetof(sampler_flags, member)
const option_row sampler_rows[] = {
    {"temp", 0, OPTION_NUMBER, AT(temperature), "T",
     "temperature; 0 takes the likeliest token (0.8)", 0, 0},
    {"top-k", 0, OPTION_COUNT, AT(top_k), "N", "keep the N likeliest tokens; 0 keeps all (40)", 0,
     INT32_MAX},
    {"top-p", 0, OPTION_NUMBER, AT(top_p), "P", "keep the likeliest that sum to P (0.95)", 0, 1},
    {"min-p", 0, OPTION_NUMBER, AT(min_p), "P", "drop below P times the likeliest (0.05)", 0, 1},
    {"typical", 0, OPTION_NUMBER, AT(typical), "P", "locally typical sampling; 1 is off (1)", 0, 1},
    {"top-n-sigma", 0, OPTION_NUMBER, AT(top_n_sigma), "N",
     "drop logits more than N deviations below the highest; 0 is off (0)", 0, 0},
    {"repeat-penalty", 0, OPTION_NUMBER, AT(repeat_penalty), "X",
     "divide logits of recent tokens; 1 is off (1)", 0, 0},
    {"presence-penalty", 0, OPTION_NUMBER, AT(presence_penalty), "X",
     "subtract from logits of recent tokens (0)", -100, 100},
    {"frequency-penalty", 0, OPTION_NUMBER, AT(frequency_penalty), "X",
     "subtract for each time that a token is recent (0)", -100, 100},
    {"repeat-last-n", 0, OPTION_COUNT, AT(repeat_last_n), "N",
     "tokens that count as recent; -1 for all (64)", -1, INT32_MAX},
    {"dry-multiplier", 0, OPTION_NUMBER, AT(dry_multiplier), "X",
     "penalty on repeating sequences (DRY); 0 is off (0)", 0, 0},
    {"dry-base", 0, OPTION_NUMBER, AT(dry_base), "X", "its growth for each token (1.75)", 0, 0},
    {"dry-allowed-length", 0, OPTION_COUNT, AT(dry_allowed_length), "N",
     "length of a repetition that is free (2)", 0, INT32_MAX},
    {"dry-penalty-last-n", 0, OPTION_COUNT, AT(dry_last_n), "N",
     "tokens that DRY looks back; -1 for all (-1)", -1, INT32_MAX},
    {"dry-sequence-breaker", 0, OPTION_LIST, AT(dry_breakers), "TEXT",
     "text that ends a sequence; may be repeated (line end, colon, quote, star)", 0, 0},
    {"xtc-probability", 0, OPTION_NUMBER, AT(xtc_probability), "P",
     "chance to drop the top choices (XTC); 0 is off (0)", 0, 1},
    {"xtc-threshold", 0, OPTION_NUMBER, AT(xtc_threshold), "P",
     "likelihood from which a token is a top choice (0.1)", 0, 1},
    {"mirostat", 0, OPTION_COUNT, AT(mirostat), "0|1|2",
     "version of Mirostat, in place of the other filters; 0 is off (0)", 0, 2},
    {"mirostat-tau", 0, OPTION_NUMBER, AT(mirostat_tau), "X", "its target surprise (5)", 0, 0},
    {"mirostat-eta", 0, OPTION_NUMBER, AT(mirostat_eta), "X", "its learning rate (0.1)", 0, 0},
    {"logit-bias", 0, OPTION_LIST, AT(logit_bias), "ID=X",
     "add X to a token's logit (-inf forbids it); may be repeated", 0, 0},
    {"grammar", 0, OPTION_FILE, AT(grammar), "FILE", "hold the answer to a GBNF grammar", 0, 0},
    {"json-schema", 0, OPTION_FILE, AT(json_schema), "FILE",
     "hold the answer to JSON of this schema", 0, 0},
    {"seed", 's', OPTION_COUNT, AT(seed), "S", "same seed, same text (from the clock)", 0, 0},
};
#undef AT
_Static_assert(sizeof sampler_rows / sizeof sampler_rows[0] == SAMPLER_ROW_COUNT, "row count");

void sampler_flags_default(sampler_flags *flags) {
    ondol_sampler_options d = ONDOL_SAMPLER_OPTIONS_INIT;
    *flags = (sampler_flags){
        .temperature = d.temperature,
        .top_k = d.top_k,
        .top_p = d.top_p,
        .min_p = d.min_p,
        .typical = d.typical_p,
        .top_n_sigma = d.top_n_sigma,
        .repeat_penalty = d.repeat_penalty,
        .presence_penalty = d.presence_penalty,
        .frequency_penalty = d.frequency_penalty,
        .repeat_last_n = d.penalty_last_n,
        .dry_multiplier = d.dry_multiplier,
        .dry_base = d.dry_base,
        .dry_allowed_length = d.dry_allowed_length,
        .dry_last_n = d.dry_penalty_last_n,
        .xtc_probability = d.xtc_probability,
        .xtc_threshold = d.xtc_threshold,
        .mirostat = d.mirostat,
        .mirostat_tau = d.mirostat_tau,
        .mirostat_eta = d.mirostat_eta,
        .seed = -1,
    };
}

void sampler_flags_free(sampler_flags *flags) {
    free(flags->dry_breakers.items);
    free(flags->logit_bias.items);
    flags->dry_breakers = flags->logit_bias = (option_list){0};
}

void sampler_flags_seed(sampler_flags *flags) {
    if (flags->seed >= 0) return;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t mixed = (uint64_t)now.tv_sec * 1000003u ^ (uint64_t)now.tv_nsec ^ (uint64_t)getpid();
    flags->seed = (int64_t)(mixed & 0x7fffffffu);
}

/* "15=2.5", "15+2.5", "15-inf" */
static int parse_bias(const char *command_name, const char *text, ondol_logit_bias *out) {
    char *end = NULL, *last = NULL;
    errno = 0;
    long id = strtol(text, &end, 10);
    bool ok = end != text && !errno && id >= 0 && id <= INT32_MAX && *end && strchr("=+-", *end);
    float bias = 0;
    if (ok) {
        const char *value = *end == '=' ? end + 1 : end;
        bias = strtof(value, &last);
        ok = last != value && !*last && !isnan(bias) && !(isinf(bias) && bias > 0);
    }
    if (!ok) return report_usage(command_name, "--logit-bias expects ID=X, got '%s'", text);
    *out = (ondol_logit_bias){(int32_t)id, bias};
    return EXIT_DONE;
}

static void set_numbers(ondol_sampler_options *options, const sampler_flags *flags) {
    options->seed = flags->seed < 0 ? 0 : (uint64_t)flags->seed;
    options->temperature = flags->temperature;
    options->top_k = (int32_t)flags->top_k;
    options->top_p = flags->top_p;
    options->min_p = flags->min_p;
    options->typical_p = flags->typical;
    options->top_n_sigma = flags->top_n_sigma;
    options->repeat_penalty = flags->repeat_penalty;
    options->presence_penalty = flags->presence_penalty;
    options->frequency_penalty = flags->frequency_penalty;
    options->penalty_last_n = (int32_t)flags->repeat_last_n;
    options->dry_multiplier = flags->dry_multiplier;
    options->dry_base = flags->dry_base;
    options->dry_allowed_length = (int32_t)flags->dry_allowed_length;
    options->dry_penalty_last_n = (int32_t)flags->dry_last_n;
    options->xtc_probability = flags->xtc_probability;
    options->xtc_threshold = flags->xtc_threshold;
    options->mirostat = (int32_t)flags->mirostat;
    options->mirostat_tau = flags->mirostat_tau;
    options->mirostat_eta = flags->mirostat_eta;
    if (flags->dry_breakers.count) {
        options->dry_sequence_breakers = flags->dry_breakers.items;
        options->dry_sequence_breaker_count = flags->dry_breakers.count;
    }
}

int sampler_from_flags(const char *command_name, ondol_model *model, const sampler_flags *flags,
                       ondol_sampler **out) {
    if (flags->grammar && flags->json_schema) {
        return report_usage(command_name, "--grammar and --json-schema exclude each other");
    }
    ondol_error err;
    ondol_sampler_options options = ONDOL_SAMPLER_OPTIONS_INIT;
    text_buffer grammar = {0}, schema = {0};
    size_t count = flags->logit_bias.count;
    ondol_logit_bias *bias = memory_take(count * sizeof *bias);
    int status = EXIT_DONE;
    for (size_t i = 0; i < count && !status; i++) {
        status = parse_bias(command_name, flags->logit_bias.items[i], &bias[i]);
    }
    if (!status && flags->grammar) {
        status = whole_file_read(flags->grammar, GRAMMAR_BYTES_MAX, &grammar);
    }
    if (!status && flags->json_schema) {
        status = whole_file_read(flags->json_schema, GRAMMAR_BYTES_MAX, &schema);
    }
    set_numbers(&options, flags);
    options.logit_bias = bias;
    options.logit_bias_count = count;
    options.grammar = grammar.bytes;
    options.json_schema = schema.bytes;
    if (!status && ondol_sampler_create(model, &options, out, &err)) status = report_error(&err);
    free(bias);
    text_free(&grammar);
    text_free(&schema);
    return status;
}
