/* ondol run: a prompt -> one answer, streamed as text or told as JSON. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ondol/ondol.h>

#include "common/chat_prompt.h"
#include "common/interrupt.h"
#include "common/json_print.h"
#include "common/logits_file.h"
#include "common/model_flags.h"
#include "common/report.h"
#include "common/sampler_flags.h"
#include "common/text_buffer.h"
#include "common/whole_file.h"
#include "ondol/commands.h"

#define PROMPT_BYTES_MAX   (256u << 20)
#define OUTPUT_ROWS        64
#define TOKENS_UNTIL_END   4096
#define TOKENS_BEHIND_LONG 1024

typedef struct run_flags {
    int64_t max_tokens;
    bool raw, json, ignore_eos, show_special, timings;
    const char *system, *ids, *logits;
    option_list stop;
    model_flags model;
    cache_flags cache;
    sampler_flags sampler;
} run_flags;

#define AT(member) offsetof(run_flags, member)
static const option_row rows[] = {
    {"tokens", 'n', OPTION_COUNT, AT(max_tokens), "N",
     "most new tokens; -1 goes on until the model ends or the context is full (-1)", -1, 0},
    {"system", 0, OPTION_TEXT, AT(system), "TEXT", "system prompt", 0, 0},
    {"raw", 0, OPTION_FLAG, AT(raw), NULL, "the prompt as it is, without the chat template", 0, 0},
    {"ids", 0, OPTION_TEXT, AT(ids), "1,2,3",
     "tokens in place of the prompt; nothing is added before them", 0, 0},
    {"stop", 0, OPTION_LIST, AT(stop), "TEXT", "end before this text; may be repeated", 0, 0},
    {"ignore-eos", 0, OPTION_FLAG, AT(ignore_eos), NULL, "go on when the model ends", 0, 0},
    {"special", 0, OPTION_FLAG, AT(show_special), NULL, "show special tokens as text", 0, 0},
    {"logits", 0, OPTION_FILE, AT(logits), "FILE.npy",
     "write logits: float32 [prompt + generated - 1, vocabulary]", 0, 0},
    {"json", 0, OPTION_FLAG, AT(json), NULL, "print JSON: text, ids, finish_reason, seed, timings",
     0, 0},
    {"timings", 0, OPTION_FLAG, AT(timings), NULL, "say on standard error how fast it was", 0, 0},
};
#undef AT

static const option_group groups[] = {
    {"Options", OPTION_ROWS(rows), 0},
    SAMPLER_GROUP(run_flags),
    CACHE_GROUP(run_flags),
    MODEL_GROUP(run_flags),
};

static const char *const examples[] = {
    "ondol run smollm2 'Why is the sky blue?'",
    "asks the model in the cache folder",
    "cat letter.txt | ondol run model.gguf --system 'Answer in one sentence.' -",
    "the prompt comes from a pipe",
    "ondol run model.gguf --raw -n 32 --temp 0 'Once upon a time'",
    "continues the text with the likeliest tokens",
    "ondol run model.gguf --json-schema person.json 'Invent a person.' --json",
    "holds the answer to a JSON Schema, and prints what happened as JSON",
    "ondol run model.gguf --ids 1,2,3 -n 1 --logits logits.npy",
    "logits of given tokens, for numpy",
    NULL,
};

/* ---------------------------------------------------------------- prompt */

/* The text of the prompt: argument, or standard input. */
static int read_prompt(const run_flags *flags, const char *argument, text_buffer *prompt) {
    if (flags->ids) {
        if (!argument) return EXIT_DONE;
        return report_usage("run", "--ids stands in place of the PROMPT; give one of both");
    }
    if (argument && strcmp(argument, "-") != 0) {
        text_append(prompt, argument, strlen(argument));
        return EXIT_DONE;
    }
    if (!argument && isatty(STDIN_FILENO)) {
        return report_usage("run", "expected a PROMPT, or text from a pipe");
    }
    int status = whole_file_read("-", PROMPT_BYTES_MAX, prompt);
    /* The line end that echo and editors add belongs to no prompt. */
    if (prompt->size && prompt->bytes[prompt->size - 1] == '\n') prompt->bytes[--prompt->size] = 0;
    return status;
}

static int prompt_ids(const run_flags *flags, const opened *o, const text_buffer *prompt,
                      int32_t **ids, size_t *count) {
    if (flags->ids) return list_to_ids("run", flags->ids, ids, count);
    if (flags->raw) return text_to_ids(o->model, prompt->bytes, prompt->size, 0, ids, count);
    if (!o->info.chat_template) {
        report_warning("the model has no chat template: ChatML is used (--raw uses none)");
    }
    ondol_message messages[2];
    size_t n = 0;
    if (flags->system) messages[n++] = (ondol_message){"system", flags->system, NULL};
    messages[n++] = (ondol_message){"user", prompt->bytes, NULL};
    return chat_prompt_ids(o->model, messages, n, ids, count);
}

/* Tokens that the cache is made for. Returns an exit status, having reported. */
static int size_context(const run_flags *flags, const opened *o, size_t prompt_tokens,
                        uint64_t *tokens) {
    uint64_t limit = flags->cache.context ? (uint64_t)flags->cache.context : o->info.context;
    if (prompt_tokens == 0) return report_failure("the prompt has no tokens");
    if (prompt_tokens > limit) {
        return report_failure("the prompt has %zu tokens, but the context holds %llu (%s)",
                              prompt_tokens, (unsigned long long)limit,
                              flags->cache.context ? "as --ctx says" : "as the model says");
    }
    uint64_t wanted = TOKENS_UNTIL_END;
    if (flags->max_tokens >= 0) {
        uint64_t more = (uint64_t)flags->max_tokens;
        wanted = more > limit ? limit : prompt_tokens + more;
    } else if (wanted < prompt_tokens + TOKENS_BEHIND_LONG) {
        wanted = prompt_tokens + TOKENS_BEHIND_LONG;
    }
    if (flags->cache.context || wanted > limit) wanted = limit;
    *tokens = wanted;
    return EXIT_DONE;
}

/* ---------------------------------------------------------------- answer */

typedef struct answer {
    text_buffer text;
    bool stream, write_failed;
    int32_t last_token;
    int32_t *ids;
    size_t id_count;
    ondol_generate_result result;
} answer;

static int on_token(void *user, int32_t token, const char *text, size_t bytes) {
    answer *a = user;
    if (token >= 0) a->last_token = token;
    if (!bytes) return 0;
    text_append(&a->text, text, bytes);
    if (!a->stream) return 0;
    a->write_failed = !report_stream(text, bytes);
    return a->write_failed;
}

/* Generated tokens: those in the session, and the last one, which is not. */
static void collect_ids(answer *a, const ondol_session *session, size_t prompt_tokens) {
    size_t length = (size_t)ondol_session_length(session);
    size_t inside = length > prompt_tokens ? length - prompt_tokens : 0;
    a->ids = memory_take((inside + 1) * sizeof *a->ids);
    const int32_t *tokens = ondol_session_tokens(session);
    if (inside) memcpy(a->ids, tokens + prompt_tokens, inside * sizeof *a->ids);
    a->id_count = inside;
    if (a->result.generated_tokens > inside) a->ids[a->id_count++] = a->last_token;
}

static int generate(const run_flags *flags, const opened *o, const int32_t *ids, size_t count,
                    ondol_sampler *sampler, answer *a) {
    ondol_error err;
    ondol_generate_options options = ONDOL_GENERATE_OPTIONS_INIT;
    options.max_tokens = flags->max_tokens;
    options.sampler = sampler;
    options.stop = flags->stop.items;
    options.stop_count = flags->stop.count;
    options.on_token = on_token;
    options.user = a;
    options.ignore_end = flags->ignore_eos;
    options.show_special = flags->show_special;
    a->result = (ondol_generate_result)ONDOL_GENERATE_RESULT_INIT;
    a->stream = !flags->json;
    a->last_token = -1;
    interrupt_watch(o->session);
    ondol_status failed = ondol_generate(o->session, ids, count, &options, &a->result, &err);
    interrupt_watch(NULL);
    bool open_line = a->text.size && a->text.bytes[a->text.size - 1] != '\n';
    if (a->stream && open_line && !a->write_failed) putchar('\n');
    int status = a->stream ? report_flush(EXIT_DONE) : EXIT_DONE;
    if (failed) return report_error(&err);
    collect_ids(a, o->session, count);
    return status;
}

/* ---------------------------------------------------------------- results */

static double rate(uint64_t tokens, double seconds) {
    return seconds > 0 ? (double)tokens / seconds : 0;
}

static uint64_t decoded_tokens(const answer *a) {
    uint64_t n = a->result.generated_tokens;
    return n ? n - 1 : 0; /* the first comes out of the prompt */
}

static int print_json(const answer *a, const opened *o, int64_t seed) {
    const ondol_generate_result *r = &a->result;
    double prompt_s = (double)r->prompt_ns * 1e-9, generate_s = (double)r->generate_ns * 1e-9;
    json_t *timings =
        json_pack("{s:o, s:o, s:I, s:o, s:o, s:I, s:o}", "load_s", json_rounded(o->load_s),
                  "prompt_s", json_rounded(prompt_s), "prompt_tokens", (json_int_t)r->prompt_tokens,
                  "prompt_tok_s", json_rounded(rate(r->prompt_tokens, prompt_s)), "generate_s",
                  json_rounded(generate_s), "generated_tokens", (json_int_t)r->generated_tokens,
                  "decode_tok_s", json_rounded(rate(decoded_tokens(a), generate_s)));
    return json_print(json_pack("{s:o, s:o, s:s, s:I, s:o}", "text",
                                json_text(a->text.bytes ? a->text.bytes : "", a->text.size), "ids",
                                json_ids(a->ids, a->id_count), "finish_reason",
                                ondol_finish_name(r->finish), "seed", (json_int_t)seed, "timings",
                                timings));
}

static void print_timings(const answer *a, const opened *o) {
    const ondol_generate_result *r = &a->result;
    double prompt_s = (double)r->prompt_ns * 1e-9, generate_s = (double)r->generate_ns * 1e-9;
    fprintf(stderr,
            "load %.2f s; prompt %llu tokens, %.1f tok/s; answer %llu tokens, %.1f tok/s (%s)\n",
            o->load_s, (unsigned long long)r->prompt_tokens, rate(r->prompt_tokens, prompt_s),
            (unsigned long long)r->generated_tokens, rate(decoded_tokens(a), generate_s),
            ondol_finish_name(r->finish));
}

/* Behind the answer: the logits file, JSON, timings. */
static int finish(const run_flags *flags, opened *o, const int32_t *ids, size_t count, answer *a,
                  output_file *logits) {
    bool cancelled = a->result.finish == ONDOL_FINISH_CANCELLED;
    int status = EXIT_DONE;
    if (logits->stream && !cancelled) {
        size_t behind = a->id_count ? a->id_count - 1 : 0;
        size_t total = count + a->id_count - 1;
        int32_t *all = memory_take((count + behind) * sizeof *all);
        memcpy(all, ids, count * sizeof *all);
        if (behind) memcpy(all + count, a->ids, behind * sizeof *all);
        status = logits_file_write(o, all, total, OUTPUT_ROWS, logits);
        free(all);
    }
    if (flags->json && !status) status = print_json(a, o, flags->sampler.seed);
    if (flags->timings) print_timings(a, o);
    return cancelled ? EXIT_INTERRUPTED : status;
}

static int run_with(run_flags *flags, const char *model, const text_buffer *prompt) {
    opened o = {0};
    output_file logits = {0};
    ondol_sampler *sampler = NULL;
    answer a = {0};
    int32_t *ids = NULL;
    size_t count = 0;
    uint64_t tokens = 0;
    int status = flags->logits ? output_open(&logits, flags->logits) : EXIT_DONE;
    if (!status) status = opened_model(&o, model, &flags->model, false);
    if (!status) status = prompt_ids(flags, &o, prompt, &ids, &count);
    if (!status) status = size_context(flags, &o, count, &tokens);
    if (!status) status = sampler_from_flags("run", o.model, &flags->sampler, &sampler);
    if (!status)
        status = opened_session(&o, &flags->cache, tokens, flags->logits ? OUTPUT_ROWS : 1);
    if (!status) status = generate(flags, &o, ids, count, sampler, &a);
    if (!status) status = finish(flags, &o, ids, count, &a, &logits);
    output_drop(&logits);
    ondol_sampler_destroy(sampler);
    opened_free(&o);
    text_free(&a.text);
    free(a.ids);
    free(ids);
    return status;
}

static int run(const command *self, int argc, char **argv) {
    run_flags flags = {.max_tokens = -1};
    text_buffer prompt = {0};
    int count = 0, status = EXIT_DONE;
    sampler_flags_default(&flags.sampler);
    if (options_parse(self, &flags, argc, argv, &count, &status)) {
        interrupt_catch();
        sampler_flags_seed(&flags.sampler);
        status = read_prompt(&flags, count > 1 ? argv[1] : NULL, &prompt);
        if (!status) status = run_with(&flags, argv[0], &prompt);
    }
    text_free(&prompt);
    free(flags.stop.items);
    sampler_flags_free(&flags.sampler);
    return status;
}

const command command_run = {"run",
                             "MODEL [PROMPT]",
                             "Answers a prompt",
                             "PROMPT - or no PROMPT reads standard input. Without --raw the prompt "
                             "is the user's message in the model's chat template.",
                             groups,
                             4,
                             examples,
                             1,
                             2,
                             run};
