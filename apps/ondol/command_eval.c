/* ondol eval: a text -> perplexity, by llama.cpp's method, and KL divergence from another run.
 *
 * The text is tokenized once and cut into windows of --ctx tokens. In each, the first token gives
 * way to BOS where the model adds one, and what follows tokens ctx/2 to ctx-2 is scored. */
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
#include "common/whole_file.h"
#include "ondol/commands.h"
#include "ondol/logprob_file.h"

#define TEXT_BYTES_MAX    (1u << 30)
#define OUTPUT_BYTES_GOAL (32u << 20)

typedef struct eval_flags {
    const char *text, *save, *compare, *kv;
    int64_t context, chunks;
    bool json;
    model_flags model;
} eval_flags;

#define AT(member) offsetof(eval_flags, member)
static const option_row rows[] = {
    {"text", 'f', OPTION_FILE, AT(text), "FILE", "the text to score; - is standard input", 0, 0},
    {"ctx", 'c', OPTION_COUNT, AT(context), "N", "tokens of a window (512)", 4, 1e9},
    {"chunks", 0, OPTION_COUNT, AT(chunks), "N", "score the first N windows only", 1, 1e9},
    {"save-logits", 0, OPTION_FILE, AT(save), "FILE", "keep all log-probabilities in a file", 0, 0},
    {"compare", 0, OPTION_FILE, AT(compare), "FILE",
     "KL divergence from such a file, top-1 agreement, the worst token", 0, 0},
    {"kv", 0, OPTION_CHOICE, AT(kv), "f16|q8|f32", "how keys and values are kept (f16)", 0, 0},
    {"json", 0, OPTION_FLAG, AT(json), NULL, "print JSON: perplexity, error, tokens, ...", 0, 0},
};
#undef AT

static const option_group groups[] = {
    {"Options", OPTION_ROWS(rows), 0},
    MODEL_GROUP(eval_flags),
};

static const char *const examples[] = {
    "ondol eval smollm2 --text wiki.test.raw --chunks 20",
    "perplexity over the first 20 windows of 512 tokens",
    "ondol eval exact.gguf --text t.txt --device ref --save-logits t.lp",
    "keeps the log-probabilities of an exact run",
    "ondol eval small.gguf --text t.txt --compare t.lp",
    "how far a smaller file is from it",
    NULL,
};

/* Sums of negative log-likelihoods. */
typedef struct score {
    double sum, squares;
    uint64_t count;
} score;

typedef struct divergence {
    float *values; /* KL of each scored token */
    size_t count, same_top;
    double worst;
    size_t worst_index; /* in the text's tokens: the token that was predicted */
    score base;
} divergence;

typedef struct eval {
    eval_flags flags;
    opened o;
    int32_t *ids, *window;
    size_t count;
    uint32_t context, windows, output_rows;
    float *own, *base; /* log-probabilities of one row */
    FILE *reference;
    output_file saved;
    score score;
    divergence kl;
} eval;

/* ---------------------------------------------------------------- scores */

static void score_add(score *s, double log_probability) {
    s->sum -= log_probability;
    s->squares += log_probability * log_probability;
    s->count++;
}

static double score_perplexity(const score *s) {
    return exp(s->sum / (double)s->count);
}

/* Standard error of the perplexity: that of the mean, times the slope of exp. */
static double score_error(const score *s) {
    double mean = s->sum / (double)s->count;
    double variance = s->squares / (double)s->count - mean * mean;
    if (s->count < 2 || variance <= 0) return 0;
    return sqrt(variance / (double)(s->count - 1)) * exp(mean);
}

static void compare_row(eval *e, size_t predicted) {
    size_t n = e->o.info.vocabulary, top = 0, base_top = 0;
    double kl = 0;
    for (size_t i = 0; i < n; i++) {
        if (e->own[i] > e->own[top]) top = i;
        if (e->base[i] > e->base[base_top]) base_top = i;
        double p = exp((double)e->base[i]);
        if (p > 0) kl += p * ((double)e->base[i] - (double)e->own[i]);
    }
    divergence *d = &e->kl;
    if (d->count == 0 || kl > d->worst) {
        d->worst = kl;
        d->worst_index = predicted;
    }
    d->values[d->count++] = (float)kl;
    d->same_top += top == base_top;
    score_add(&d->base, e->base[e->ids[predicted]]);
}

/* logits: what follows token `at` of the text. */
static int take_row(eval *e, const float *logits, size_t at) {
    size_t n = e->o.info.vocabulary;
    ondol_log_softmax(logits, n, e->own);
    score_add(&e->score, e->own[e->ids[at + 1]]);
    if (e->saved.stream && !output_write(&e->saved, e->own, n * sizeof(float))) {
        return output_commit(&e->saved);
    }
    if (!e->reference) return EXIT_DONE;
    if (fread(e->base, sizeof(float), n, e->reference) != n) {
        return report_failure("cannot read '%s' to its end", e->flags.compare);
    }
    compare_row(e, at + 1);
    return EXIT_DONE;
}

/* ---------------------------------------------------------------- windows */

static int step(eval *e, size_t first, size_t n, ondol_want want, const float **output) {
    ondol_error err;
    ondol_item item = ONDOL_ITEM_INIT;
    item.session = e->o.session;
    item.tokens = e->window + first;
    item.token_count = n;
    item.want = want;
    if (ondol_step(&item, 1, &err)) return report_error(&err);
    if (output) *output = item.output;
    return EXIT_DONE;
}

static int score_window(eval *e, uint32_t w) {
    ondol_error err;
    size_t begin = (size_t)w * e->context, half = e->context / 2, end = e->context - 1;
    memcpy(e->window, e->ids + begin, e->context * sizeof *e->window);
    if (e->o.info.adds_bos && e->o.info.bos >= 0) e->window[0] = e->o.info.bos;
    if (ondol_session_truncate(e->o.session, 0, &err)) return report_error(&err);
    int status = step(e, 0, half, ONDOL_WANT_NOTHING, NULL);
    for (size_t at = half; at < end && !status;) {
        size_t n = end - at < e->output_rows ? end - at : e->output_rows;
        const float *logits = NULL;
        status = step(e, at, n, ONDOL_WANT_ALL, &logits);
        for (size_t r = 0; r < n && !status; r++) {
            status = take_row(e, logits + r * e->o.info.vocabulary, begin + at + r);
        }
        at += n;
    }
    return status;
}

static int score_all(eval *e) {
    int status = EXIT_DONE;
    char note[80] = "";
    progress_begin("scoring");
    interrupt_watch(e->o.session);
    for (uint32_t w = 0; w < e->windows && !status; w++) {
        progress_update(w, e->windows, note);
        status = score_window(e, w);
        if (status) break;
        snprintf(note, sizeof note, "perplexity %.4f +- %.4f", score_perplexity(&e->score),
                 score_error(&e->score));
        if (e->flags.json) continue;
        progress_clear();
        printf("window %u of %u: %s\n", w + 1, e->windows, note);
        status = report_flush(EXIT_DONE);
    }
    interrupt_watch(NULL);
    progress_end();
    return status;
}

/* ---------------------------------------------------------------- results */

static int compare_floats(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

typedef struct kl_summary {
    double mean, median, p99, max, agreement;
} kl_summary;

static kl_summary summarize(divergence *d) {
    kl_summary out = {0};
    size_t n = d->count;
    qsort(d->values, n, sizeof *d->values, compare_floats);
    for (size_t i = 0; i < n; i++)
        out.mean += d->values[i] / (double)n;
    out.median = d->values[n / 2];
    out.p99 = d->values[(size_t)((double)(n - 1) * 0.99)];
    out.max = d->values[n - 1];
    out.agreement = (double)d->same_top / (double)n;
    return out;
}

static json_t *worst_piece(const eval *e) {
    char piece[256];
    size_t n = 0;
    int32_t id = e->ids[e->kl.worst_index];
    if (ondol_detokenize(e->o.model, &id, 1, ONDOL_TEXT_SHOW_SPECIAL, piece, sizeof piece, &n,
                         NULL)) {
        n = 0;
    }
    return json_text(piece, n < sizeof piece ? n : sizeof piece);
}

static int print_json(eval *e) {
    json_t *out = json_pack(
        "{s:o, s:o, s:I, s:I, s:I}", "perplexity", json_rounded(score_perplexity(&e->score)),
        "error", json_rounded(score_error(&e->score)), "tokens", (json_int_t)e->score.count,
        "windows", (json_int_t)e->windows, "context", (json_int_t)e->context);
    if (!out) return report_failure("out of memory for JSON");
    if (e->reference) {
        kl_summary s = summarize(&e->kl);
        json_t *worst = json_pack("{s:o, s:I, s:I, s:o}", "kl", json_rounded(s.max), "token",
                                  (json_int_t)e->kl.worst_index, "id",
                                  (json_int_t)e->ids[e->kl.worst_index], "piece", worst_piece(e));
        json_t *kl = json_pack("{s:o, s:o, s:o, s:o}", "mean", json_rounded(s.mean), "median",
                               json_rounded(s.median), "p99", json_rounded(s.p99), "max",
                               json_rounded(s.max));
        json_object_set_new(out, "kl", kl);
        json_object_set_new(out, "top1_agreement", json_rounded(s.agreement));
        json_object_set_new(out, "worst", worst);
        json_object_set_new(out, "perplexity_base", json_rounded(score_perplexity(&e->kl.base)));
    }
    return json_print(out);
}

static int print_text(eval *e) {
    printf("perplexity %.4f +- %.4f over %llu tokens (%u windows of %u)\n",
           score_perplexity(&e->score), score_error(&e->score), (unsigned long long)e->score.count,
           e->windows, e->context);
    if (!e->reference) return EXIT_DONE;
    kl_summary s = summarize(&e->kl);
    json_t *piece = worst_piece(e);
    printf("perplexity of '%s' %.4f\n", e->flags.compare, score_perplexity(&e->kl.base));
    printf("KL divergence: mean %.6f, median %.6f, 99 %% %.6f, highest %.6f\n", s.mean, s.median,
           s.p99, s.max);
    printf("top-1 agreement %.3f %%\n", 100 * s.agreement);
    printf("worst token: %zu of the text, '%s'\n", e->kl.worst_index, json_string_value(piece));
    json_decref(piece);
    return EXIT_DONE;
}

/* ---------------------------------------------------------------- the command */

static int read_text(eval *e) {
    text_buffer text = {0};
    int status = whole_file_read(e->flags.text, TEXT_BYTES_MAX, &text);
    if (!status && text.size && text.bytes[text.size - 1] == '\n') text.size--;
    if (!status) {
        status = text_to_ids(e->o.model, text.bytes, text.size, ONDOL_TOKENIZE_NO_SPECIAL, &e->ids,
                             &e->count);
    }
    text_free(&text);
    if (status) return status;
    uint64_t windows = e->count / e->context;
    if (!windows) {
        return report_failure("the text has %zu tokens, but a window takes %u (--ctx)", e->count,
                              e->context);
    }
    if (e->flags.chunks && windows > (uint64_t)e->flags.chunks) windows = (uint64_t)e->flags.chunks;
    e->windows = (uint32_t)windows;
    return EXIT_DONE;
}

static int open_files(eval *e) {
    logprob_header header = {e->o.info.vocabulary, e->context, e->windows,
                             e->context - 1 - e->context / 2};
    int status = EXIT_DONE;
    if (e->flags.compare) {
        status = logprob_file_open(e->flags.compare, &header, e->ids, &e->windows, &e->reference);
        e->kl.values = memory_take((size_t)e->windows * header.rows * sizeof(float));
        header.windows = e->windows;
    }
    if (status || !e->flags.save) return status;
    output_write(&e->saved, LOGPROB_MAGIC, 8);
    output_write(&e->saved, &header, sizeof header);
    output_write(&e->saved, e->ids, (size_t)e->windows * e->context * sizeof *e->ids);
    return EXIT_DONE;
}

static int eval_with(eval *e, const char *model) {
    int status = e->flags.save ? output_open(&e->saved, e->flags.save) : EXIT_DONE;
    if (!status) status = opened_model(&e->o, model, &e->flags.model, false);
    if (!status) status = read_text(e);
    if (!status) status = open_files(e);
    if (status) return status;
    size_t row_bytes = (size_t)e->o.info.vocabulary * sizeof(float);
    size_t rows_goal = OUTPUT_BYTES_GOAL / row_bytes;
    e->output_rows = (uint32_t)(rows_goal < 16 ? 16 : rows_goal > 256 ? 256 : rows_goal);
    e->own = memory_take(row_bytes);
    e->base = memory_take(row_bytes);
    e->window = memory_take(e->context * sizeof *e->window);
    cache_flags cache = {.kv = e->flags.kv};
    status = opened_session(&e->o, &cache, e->context, e->output_rows);
    if (!status) status = score_all(e);
    if (!status && e->saved.stream) status = output_commit(&e->saved);
    if (!status) status = e->flags.json ? print_json(e) : print_text(e);
    return status;
}

static int run(const command *self, int argc, char **argv) {
    eval e = {.flags = {.context = 512}};
    int count = 0, status = EXIT_DONE;
    if (!options_parse(self, &e.flags, argc, argv, &count, &status)) return status;
    if (!e.flags.text) return report_usage("eval", "expected --text FILE");
    e.context = (uint32_t)e.flags.context;
    interrupt_catch();
    status = eval_with(&e, argv[0]);
    output_drop(&e.saved);
    if (e.reference) fclose(e.reference);
    opened_free(&e.o);
    free(e.ids);
    free(e.window);
    free(e.own);
    free(e.base);
    free(e.kl.values);
    return status;
}

const command command_eval = {
    "eval",
    "MODEL",
    "Measures perplexity of a text, and KL divergence",
    "By llama.cpp's method: windows of --ctx tokens, of which the second half counts; the first "
    "token of each gives way to BOS where the model adds one.",
    groups,
    2,
    examples,
    1,
    1,
    run};
