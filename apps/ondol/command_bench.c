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
    int64_t prompt, tokens, repeats, depth, batch;
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
    {"batch", 'b', OPTION_COUNT, AT(batch), "N",
     "sequences at once, each with a prompt of its own; speeds are those of all together (1)", 1,
     1024},
    {"kv", 0, OPTION_CHOICE, AT(kv), "f16|q8|f32", "how keys and values are kept (f16)", 0, 0},
    {"profile", 0, OPTION_FLAG, AT(profile), NULL,
     "one more repetition, whose time is shown by kind of step", 0, 0},
    {"json", 0, OPTION_FLAG, AT(json), NULL,
     "print JSON: prefill_tok_s, decode_tok_s, load_s, first_token_s, limits, ...", 0, 0},
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
    "ondol bench model.gguf -b 32 -p 64",
    "32 sequences at once, as a server has them",
    NULL,
};

typedef struct series {
    double *values; /* tokens per second */
    size_t count;
    double mean, spread; /* spread: standard deviation of the repetitions */
} series;

/* The bound to compare with: bytes that a step reads which gives each sequence a token, operations
 * of a token of a prompt. */
typedef struct costs {
    double decode_bytes, prefill_ops;
} costs;

/* One of the sequences that run at once. The first has the session of `opened`. */
typedef struct lane {
    ondol_session *session;
    ondol_sampler *greedy;
    int32_t *ids; /* depth + prompt */
    int32_t token;
} lane;

typedef struct bench {
    bench_flags flags;
    opened o;
    lane *lanes; /* [batch] */
    ondol_item *items;
    series prefill, decode;
    uint64_t peak_bytes;
    double first_token_s; /* opening, and the first token of a prompt of one */
    double read_bytes_s, int8_ops_s;
    costs cost;
    bench_profile *passes[2]; /* of the prompt, of a token behind it */
} bench;

/* Appends n tokens to every sequence, from ids + first on; n 0: the token that came last. */
static int step(bench *b, int64_t first, int64_t n, ondol_want want) {
    ondol_error err;
    const size_t batch = (size_t)b->flags.batch;
    for (size_t i = 0; i < batch; i++) {
        lane *l = b->lanes + i;
        ondol_item *item = b->items + i;
        *item = (ondol_item)ONDOL_ITEM_INIT;
        item->session = l->session;
        item->tokens = n ? l->ids + first : &l->token;
        item->token_count = n ? (size_t)n : 1;
        item->want = want;
        item->sampler = l->greedy;
    }
    if (ondol_step(b->items, batch, &err)) return report_error(&err);
    for (size_t i = 0; i < batch; i++)
        b->lanes[i].token = b->items[i].token;
    return EXIT_DONE;
}

/* What comes before a repetition: empty sequences, then the depth. */
static int begin(bench *b) {
    ondol_error err;
    for (int64_t i = 0; i < b->flags.batch; i++) {
        const lane *l = b->lanes + i;
        if (ondol_sampler_reset(l->greedy, &err) || ondol_session_truncate(l->session, 0, &err))
            return report_error(&err);
    }
    return b->flags.depth ? step(b, 0, b->flags.depth, ONDOL_WANT_NOTHING) : EXIT_DONE;
}

static int read_prompt(bench *b) {
    return step(b, b->flags.depth, b->flags.prompt, ONDOL_WANT_SAMPLED);
}

static int generate(bench *b) {
    int status = EXIT_DONE;
    for (int64_t i = 0; i < b->flags.tokens && !status; i++)
        status = step(b, 0, 0, ONDOL_WANT_SAMPLED);
    return status;
}

static int start_profile(bench *b) {
    ondol_error err;
    return ondol_model_profile_start(b->o.model, &err) ? report_error(&err) : EXIT_DONE;
}

/* The same once more, with the time of each step. */
static int profile(bench *b) {
    int status = begin(b);
    if (!status) status = start_profile(b);
    if (!status) status = read_prompt(b);
    b->passes[0] = bench_profile_read(b->o.model);
    if (!status) status = start_profile(b);
    if (!status) status = generate(b);
    b->passes[1] = bench_profile_read(b->o.model);
    return status;
}

static int repeat(bench *b, double *prefill, double *decode) {
    const bench_flags *f = &b->flags;
    int status = begin(b);
    const double first = seconds_now();
    if (!status) status = read_prompt(b);
    const double middle = seconds_now();
    if (!status) status = generate(b);
    const double end = seconds_now();
    *prefill = (double)(f->prompt * f->batch) / (middle - first);
    *decode = (double)(f->tokens * f->batch) / (end - middle);
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
    b->cost.decode_bytes +=
        (double)b->flags.batch * middle * per_f16 * (double)b->o.info.kv_bytes_per_token;
}

/* ---------------------------------------------------------------- results */

static double share(double reached, double limit) {
    return limit > 0 ? reached / limit : 0;
}

static double decode_share(const bench *b) {
    const double steps = b->decode.mean / (double)b->flags.batch;
    return share(b->cost.decode_bytes * steps, b->read_bytes_s);
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
    json_t *shares =
        json_pack("{s:o, s:o}", "decode_read", json_rounded(decode_share(b)), "prefill_int8",
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
    json_object_set_new(out, "first_token_s", json_rounded(b->first_token_s));
    json_object_set_new(out, "batch", json_integer(b->flags.batch));
    json_object_set_new(out, "decode_bytes_per_token",
                        json_rounded(b->cost.decode_bytes / (double)b->flags.batch));
    json_object_set_new(out, "prefill_ops_per_token", json_rounded(b->cost.prefill_ops));
    if (b->flags.profile) {
        json_object_set_new(out, "prefill_profile", bench_profile_json(b->passes[0]));
        json_object_set_new(out, "decode_profile", bench_profile_json(b->passes[1]));
    }
    return json_print(out);
}

static int print_text(const bench *b) {
    char peak[32];
    printf("load      %8.3f s, first token after %.3f s\n", b->o.load_s, b->first_token_s);
    printf("prefill   %8.1f +- %.1f tok/s (%lld tokens", b->prefill.mean, b->prefill.spread,
           (long long)b->flags.prompt);
    if (b->flags.depth) printf(" behind %lld", (long long)b->flags.depth);
    if (b->flags.batch > 1) printf(" of each of %lld sequences", (long long)b->flags.batch);
    printf(")\n");
    printf("decode    %8.1f +- %.1f tok/s (%lld tokens%s)\n", b->decode.mean, b->decode.spread,
           (long long)b->flags.tokens, b->flags.batch > 1 ? " of each" : "");
    printf("memory    %s at most\n", bytes_for_people(b->peak_bytes, peak, sizeof peak));
    printf("limits    %.1f GB/s streaming read, %.2f Tops/s int8\n", b->read_bytes_s * 1e-9,
           b->int8_ops_s * 1e-12);
    printf("reached   %.0f %% of the read limit in decode, %.0f %% of the int8 limit in prefill\n",
           100 * decode_share(b),
           100 * share(b->cost.prefill_ops * b->prefill.mean, b->int8_ops_s));
    if (b->flags.profile) {
        bench_profile_print(b->passes[0], "the prompt");
        bench_profile_print(b->passes[1], "a token behind it");
    }
    return EXIT_DONE;
}

/* Sequences whose prompts differ, all greedy. */
static int make_lanes(bench *b) {
    const bench_flags *f = &b->flags;
    const size_t ids = (size_t)(f->depth + f->prompt);
    const uint64_t vocabulary = b->o.info.vocabulary, low = vocabulary > 1000 ? 200 : 0;
    const uint64_t range = vocabulary > 1000 ? vocabulary - 300 : vocabulary;
    ondol_sampler_options greedy = ONDOL_SAMPLER_OPTIONS_INIT;
    greedy.temperature = 0;
    ondol_error err;
    for (size_t i = 0; i < (size_t)f->batch; i++) {
        lane *l = b->lanes + i;
        const ondol_session_options options = {sizeof options, ids + (size_t)f->tokens + 1};
        if (i == 0) l->session = b->o.session;
        if (i && ondol_session_create(b->o.cache, &options, &l->session, &err))
            return report_error(&err);
        if (ondol_sampler_create(b->o.model, &greedy, &l->greedy, &err)) return report_error(&err);
        l->ids = memory_take(ids * sizeof *l->ids);
        for (size_t t = 0; t < ids; t++)
            l->ids[t] = (int32_t)(((t + i * 131) * 7919 + 13) % range + low);
    }
    return EXIT_DONE;
}

static void free_lanes(bench *b) {
    for (int64_t i = 0; b->lanes && i < b->flags.batch; i++) {
        lane *l = b->lanes + i;
        if (i) ondol_session_destroy(l->session);
        ondol_sampler_destroy(l->greedy);
        free(l->ids);
    }
    free(b->lanes);
    free(b->items);
}

static int bench_with(bench *b, const char *model) {
    const bench_flags *f = &b->flags;
    const double start = seconds_now();
    ondol_error err;
    int status = opened_model(&b->o, model, &f->model, false);
    if (status) return status;
    const uint64_t total = (uint64_t)(f->depth + f->prompt + f->tokens) + 1;
    if (total > b->o.info.context) {
        return report_failure("-d, -p and -n make %llu tokens, but the model's context holds %u",
                              (unsigned long long)total, b->o.info.context);
    }
    b->lanes = memory_take((size_t)f->batch * sizeof *b->lanes);
    memset(b->lanes, 0, (size_t)f->batch * sizeof *b->lanes);
    b->items = memory_take((size_t)f->batch * sizeof *b->items);
    b->prefill.values = memory_take((size_t)f->repeats * sizeof(double));
    b->decode.values = memory_take((size_t)f->repeats * sizeof(double));
    count_costs(b);
    const cache_flags cache = {.kv = f->kv, .sessions = (uint32_t)f->batch};
    status = opened_session(&b->o, &cache, total, (uint32_t)f->batch);
    if (!status) status = make_lanes(b);
    if (!status) status = step(b, 0, 1, ONDOL_WANT_SAMPLED);
    b->first_token_s = seconds_now() - start;
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
    bench b = {.flags = {.prompt = 512, .tokens = 64, .repeats = 3, .batch = 1}};
    int count = 0, status = EXIT_DONE;
    if (!options_parse(self, &b.flags, argc, argv, &count, &status)) return status;
    interrupt_catch();
    status = bench_with(&b, argv[0]);
    bench_profile_free(b.passes[0]);
    bench_profile_free(b.passes[1]);
    free_lanes(&b);
    opened_free(&b.o);
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
