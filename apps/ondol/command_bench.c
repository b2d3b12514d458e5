/* ondol bench: a model -> its speed, next to what the machine allows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <ondol/ondol.h>
#include <ondol/ondol_experimental.h>

#include "common/interrupt.h"
#include "common/json_print.h"
#include "common/model_flags.h"
#include "common/progress.h"
#include "common/report.h"
#include "common/terminal.h"
#include "ondol/bench_profile.h"
#include "ondol/commands.h"

typedef struct bench_flags {
    int64_t prompt, tokens, repeats, depth;
    bool json, profile;
    const char *kv;
    model_flags model;
} bench_flags;

#define AT(member) offsetof(bench_flags, member)
static const option_row rows[] = {
    {"prompt", 'p', OPTION_COUNT, AT(prompt), "N", "tokens of the prompt (512)", 1, 1e7},
    {"tokens", 'n', OPTION_COUNT, AT(tokens), "N", "tokens to generate (64)", 1, 1e7},
    {"repeats", 'r', OPTION_COUNT, AT(repeats), "N",
     "repetitions, behind one that is not counted (3)", 1, 1000},
    {"depth", 'd', OPTION_COUNT, AT(depth), "N", "tokens in the cache before the prompt (0)", 0,
     1e7},
    {"kv", 0, OPTION_CHOICE, AT(kv), "f16|q8|f32", "how keys and values are kept (f16)", 0, 0},
    {"profile", 0, OPTION_FLAG, AT(profile), NULL,
     "one more repetition, whose time is shown by kind of step", 0, 0},
    {"json", 0, OPTION_FLAG, AT(json), NULL,
     "print JSON: prefill_tok_s, decode_tok_s, load_s, peak_rss_bytes, limits, ...", 0, 0},
};
#undef AT

static const option_group groups[] = {
    {"Options", OPTION_ROWS(rows), 0},
    MODEL_GROUP(bench_flags),
};

static const char *const examples[] = {
    "ondol bench smollm2",
    "512 tokens in, 64 tokens out, three times",
    "ondol bench model.gguf -p 1 -n 128 -d 4000 -t 8",
    "decoding behind 4000 tokens, on 8 threads",
    NULL,
};

typedef struct series {
    double *values; /* tokens per second */
    size_t count;
    double mean, spread; /* spread: standard deviation of the repetitions */
} series;

/* What one token costs by the file: the bound to compare with. */
typedef struct costs {
    double decode_bytes, prefill_ops;
} costs;

typedef struct bench {
    bench_flags flags;
    opened o;
    ondol_sampler *greedy;
    int32_t *ids;
    series prefill, decode;
    uint64_t peak_bytes;
    double read_bytes_s, int8_ops_s;
    costs cost;
    bench_profile *passes[2]; /* of the prompt, of a token behind it */
} bench;

/* Appends tokens; with a sampler the last step gives the next token. */
static int step(bench *b, const int32_t *tokens, size_t n, ondol_want want, int32_t *next) {
    ondol_error err;
    ondol_item item = ONDOL_ITEM_INIT;
    item.session = b->o.session;
    item.tokens = tokens;
    item.token_count = n;
    item.want = want;
    item.sampler = b->greedy;
    if (n && ondol_step(&item, 1, &err)) return report_error(&err);
    if (next) *next = item.token;
    return EXIT_DONE;
}

static int start_profile(bench *b) {
    ondol_error err;
    return ondol_model_profile_start(b->o.model, &err) ? report_error(&err) : EXIT_DONE;
}

/* The same once more, with the time of each step. */
static int profile(bench *b) {
    const bench_flags *f = &b->flags;
    ondol_error err;
    int32_t token = 0;
    if (ondol_sampler_reset(b->greedy, &err) || ondol_session_truncate(b->o.session, 0, &err)) {
        return report_error(&err);
    }
    int status = step(b, b->ids, (size_t)f->depth, ONDOL_WANT_NOTHING, NULL);
    if (!status) status = start_profile(b);
    if (!status) status = step(b, b->ids + f->depth, (size_t)f->prompt, ONDOL_WANT_SAMPLED, &token);
    b->passes[0] = bench_profile_read(b->o.model);
    if (!status) status = start_profile(b);
    for (int64_t i = 0; i < f->tokens && !status; i++)
        status = step(b, &token, 1, ONDOL_WANT_SAMPLED, &token);
    b->passes[1] = bench_profile_read(b->o.model);
    return status;
}

static int repeat(bench *b, double *prefill, double *decode) {
    const bench_flags *f = &b->flags;
    ondol_error err;
    int32_t token = 0;
    if (ondol_sampler_reset(b->greedy, &err) || ondol_session_truncate(b->o.session, 0, &err)) {
        return report_error(&err);
    }
    int status = step(b, b->ids, (size_t)f->depth, ONDOL_WANT_NOTHING, NULL);
    double begin = seconds_now();
    if (!status) {
        status = step(b, b->ids + f->depth, (size_t)f->prompt, ONDOL_WANT_SAMPLED, &token);
    }
    double middle = seconds_now();
    for (int64_t i = 0; i < f->tokens && !status; i++) {
        status = step(b, &token, 1, ONDOL_WANT_SAMPLED, &token);
    }
    double end = seconds_now();
    *prefill = (double)f->prompt / (middle - begin);
    *decode = (double)f->tokens / (end - middle);
    return status;
}

static void summarize(series *s) {
    for (size_t i = 0; i < s->count; i++)
        s->mean += s->values[i] / (double)s->count;
    double squares = 0;
    for (size_t i = 0; i < s->count; i++)
        squares += pow(s->values[i] - s->mean, 2);
    if (s->count > 1) s->spread = sqrt(squares / (double)(s->count - 1));
}

static int measure(bench *b) {
    const bench_flags *f = &b->flags;
    int status = EXIT_DONE;
    progress_begin("measuring");
    for (int64_t i = 0; i <= f->repeats && !status; i++) {
        double prefill = 0, decode = 0;
        progress_update((uint64_t)i, (uint64_t)f->repeats + 1, NULL);
        status = repeat(b, &prefill, &decode);
        if (i == 0) continue;
        b->prefill.values[b->prefill.count++] = prefill;
        b->decode.values[b->decode.count++] = decode;
    }
    progress_end();
    summarize(&b->prefill);
    summarize(&b->decode);
    return status;
}

/* Decoding reads weights, and the keys and values so far. */
static void count_costs(bench *b) {
    double middle = (double)(b->flags.depth + b->flags.prompt) + (double)b->flags.tokens / 2;
    const char *kv = b->flags.kv ? b->flags.kv : "f16";
    double per_f16 = strcmp(kv, "q8") == 0 ? 0.53 : strcmp(kv, "f32") == 0 ? 2.0 : 1.0;
    ondol_model_cost(b->o.model, &b->cost.decode_bytes, &b->cost.prefill_ops);
    b->cost.decode_bytes += middle * per_f16 * (double)b->o.info.kv_bytes_per_token;
}

/* ---------------------------------------------------------------- results */

static double share(double reached, double limit) {
    return limit > 0 ? reached / limit : 0;
}

static json_t *json_series(const series *s) {
    json_t *out = json_array();
    for (size_t i = 0; i < s->count; i++)
        json_array_append_new(out, json_rounded(s->values[i]));
    return out;
}

static int print_json(const bench *b) {
    json_t *limits = json_pack("{s:o, s:o}", "read_bytes_s", json_rounded(b->read_bytes_s),
                               "int8_ops_s", json_rounded(b->int8_ops_s));
    json_t *shares = json_pack(
        "{s:o, s:o}", "decode_read",
        json_rounded(share(b->cost.decode_bytes * b->decode.mean, b->read_bytes_s)), "prefill_int8",
        json_rounded(share(b->cost.prefill_ops * b->prefill.mean, b->int8_ops_s)));
    json_t *out =
        json_pack("{s:o, s:o, s:o, s:I, s:o, s:o}", "prefill_tok_s", json_rounded(b->prefill.mean),
                  "decode_tok_s", json_rounded(b->decode.mean), "load_s", json_rounded(b->o.load_s),
                  "peak_rss_bytes", (json_int_t)b->peak_bytes, "limits", limits, "share", shares);
    if (!out) return report_failure("out of memory for JSON");
    json_object_set_new(out, "prefill_spread", json_rounded(b->prefill.spread));
    json_object_set_new(out, "decode_spread", json_rounded(b->decode.spread));
    json_object_set_new(out, "prefill_all", json_series(&b->prefill));
    json_object_set_new(out, "decode_all", json_series(&b->decode));
    json_object_set_new(out, "prompt", json_integer(b->flags.prompt));
    json_object_set_new(out, "tokens", json_integer(b->flags.tokens));
    json_object_set_new(out, "depth", json_integer(b->flags.depth));
    json_object_set_new(out, "decode_bytes_per_token", json_rounded(b->cost.decode_bytes));
    json_object_set_new(out, "prefill_ops_per_token", json_rounded(b->cost.prefill_ops));
    if (b->flags.profile) {
        json_object_set_new(out, "prefill_profile", bench_profile_json(b->passes[0]));
        json_object_set_new(out, "decode_profile", bench_profile_json(b->passes[1]));
    }
    return json_print(out);
}

static int print_text(const bench *b) {
    char peak[32];
    printf("load      %8.2f s\n", b->o.load_s);
    printf("prefill   %8.1f +- %.1f tok/s (%lld tokens", b->prefill.mean, b->prefill.spread,
           (long long)b->flags.prompt);
    if (b->flags.depth) printf(" behind %lld", (long long)b->flags.depth);
    printf(")\n");
    printf("decode    %8.1f +- %.1f tok/s (%lld tokens)\n", b->decode.mean, b->decode.spread,
           (long long)b->flags.tokens);
    printf("memory    %s at most\n", bytes_for_people(b->peak_bytes, peak, sizeof peak));
    printf("limits    %.1f GB/s streaming read, %.2f Tops/s int8\n", b->read_bytes_s * 1e-9,
           b->int8_ops_s * 1e-12);
    printf("reached   %.0f %% of the read limit in decode, %.0f %% of the int8 limit in prefill\n",
           100 * share(b->cost.decode_bytes * b->decode.mean, b->read_bytes_s),
           100 * share(b->cost.prefill_ops * b->prefill.mean, b->int8_ops_s));
    if (b->flags.profile) {
        bench_profile_print(b->passes[0], "the prompt");
        bench_profile_print(b->passes[1], "a token behind it");
    }
    return EXIT_DONE;
}

static int bench_with(bench *b, const char *model) {
    const bench_flags *f = &b->flags;
    cache_flags cache = {0, f->kv};
    ondol_error err;
    int status = opened_model(&b->o, model, &f->model, false);
    if (status) return status;
    uint64_t total = (uint64_t)(f->depth + f->prompt + f->tokens) + 1;
    if (total > b->o.info.context) {
        return report_failure("-d, -p and -n make %llu tokens, but the model's context holds %u",
                              (unsigned long long)total, b->o.info.context);
    }
    ondol_sampler_options greedy = ONDOL_SAMPLER_OPTIONS_INIT;
    greedy.temperature = 0;
    if (ondol_sampler_create(b->o.model, &greedy, &b->greedy, &err)) return report_error(&err);
    size_t ids = (size_t)(f->depth + f->prompt);
    uint64_t vocabulary = b->o.info.vocabulary;
    uint64_t low = vocabulary > 1000 ? 200 : 0,
             range = vocabulary > 1000 ? vocabulary - 300 : vocabulary;
    b->ids = memory_take(ids * sizeof *b->ids);
    for (size_t i = 0; i < ids; i++)
        b->ids[i] = (int32_t)((i * 7919 + 13) % range + low);
    b->prefill.values = memory_take((size_t)f->repeats * sizeof(double));
    b->decode.values = memory_take((size_t)f->repeats * sizeof(double));
    count_costs(b);
    if (!status) status = opened_session(&b->o, &cache, total, 1);
    if (!status) {
        interrupt_watch(b->o.session);
        status = measure(b);
        if (!status && f->profile) status = profile(b);
        interrupt_watch(NULL);
    }
    b->peak_bytes = ondol_process_peak_bytes(); /* before the limits take memory of their own */
    if (!status && ondol_engine_measure(b->o.engine, &b->read_bytes_s, &b->int8_ops_s, &err)) {
        status = report_error(&err);
    }
    if (!status) status = f->json ? print_json(b) : print_text(b);
    return status;
}

static int run(const command *self, int argc, char **argv) {
    bench b = {.flags = {.prompt = 512, .tokens = 64, .repeats = 3}};
    int count = 0, status = EXIT_DONE;
    if (!options_parse(self, &b.flags, argc, argv, &count, &status)) return status;
    interrupt_catch();
    status = bench_with(&b, argv[0]);
    ondol_sampler_destroy(b.greedy);
    bench_profile_free(b.passes[0]);
    bench_profile_free(b.passes[1]);
    opened_free(&b.o);
    free(b.ids);
    free(b.prefill.values);
    free(b.decode.values);
    return status;
}

const command command_bench = {
    "bench",
    "MODEL",
    "Measures speed, next to what the machine allows",
    "Prefill is the time from a prompt to its first token; decode is the tokens after it, with the "
    "prompt in the cache. The limits are measured in the same process: decode cannot be faster "
    "than weights are read, prefill not faster than int8 arithmetic.",
    groups,
    2,
    examples,
    1,
    1,
    run};
