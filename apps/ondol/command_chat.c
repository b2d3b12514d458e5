/* ondol chat: lines -> turns of a conversation whose keys and values stay in the cache. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ondol/ondol.h>

#include "common/chat_prompt.h"
#include "common/interrupt.h"
#include "common/model_flags.h"
#include "common/model_name.h"
#include "common/report.h"
#include "common/sampler_flags.h"
#include "common/terminal.h"
#include "common/text_buffer.h"
#include "ondol/commands.h"
#include "ondol/conversation.h"
#include "ondol/line_reader.h"

/* Room for an answer that is kept before the oldest turns are dropped. */
#define ANSWER_TOKENS 128

typedef struct chat_flags {
    int64_t max_tokens;
    const char *system;
    option_list stop;
    model_flags model;
    cache_flags cache;
    sampler_flags sampler;
} chat_flags;

#define AT(member) offsetof(chat_flags, member)
static const option_row rows[] = {
    {"system", 0, OPTION_TEXT, AT(system), "TEXT", "system prompt", 0, 0},
    {"tokens", 'n', OPTION_COUNT, AT(max_tokens), "N", "most tokens of an answer; -1 for all (-1)",
     -1, 0},
    {"stop", 0, OPTION_LIST, AT(stop), "TEXT", "end answers before this text; may be repeated", 0,
     0},
};
#undef AT

static const option_group groups[] = {
    {"Options", OPTION_ROWS(rows), 0},
    SAMPLER_GROUP(chat_flags),
    CACHE_GROUP(chat_flags),
    MODEL_GROUP(chat_flags),
};

static const char *const examples[] = {
    "ondol chat smollm2",
    "talks; /help lists what can be typed, Ctrl-D ends",
    "ondol chat model.gguf --system 'You are a pirate.' --temp 0.5",
    "with a system prompt",
    "printf 'My name is Ada.\\nWhat is my name?\\n' | ondol chat smollm2",
    "each line is a turn",
    NULL,
};

typedef struct chat {
    chat_flags flags;
    opened o;
    conversation talk;
    line_reader *reader;
    option_list kept; /* texts that flags borrow from */
    uint64_t answers, kept_tokens;
    ondol_generate_result last;
    bool colour, ended;
    int status;
} chat;

/* ---------------------------------------------------------------- answer */

typedef struct answer {
    text_buffer text;
    bool write_failed;
} answer;

static int on_token(void *user, int32_t token, const char *text, size_t bytes) {
    answer *a = user;
    (void)token;
    if (!bytes) return 0;
    text_append(&a->text, text, bytes);
    a->write_failed = !report_stream(text, bytes);
    return a->write_failed;
}

/* The conversation as ids; where they do not fit, its oldest turns go. */
static int make_prompt(chat *c, int32_t **ids, size_t *count) {
    uint64_t capacity = ondol_session_capacity(c->o.session);
    uint64_t room = capacity > 2 * ANSWER_TOKENS ? capacity - ANSWER_TOKENS : capacity;
    size_t dropped = 0;
    for (;;) {
        free(*ids);
        *ids = NULL;
        int status = chat_prompt_ids(c->o.model, c->talk.messages, c->talk.count, ids, count);
        if (status) return status;
        size_t first = conversation_first_turn(&c->talk);
        if (*count <= room) break;
        if (c->talk.count < first + 3) {
            if (*count <= capacity) break;
            return report_failure("the message makes %zu tokens, but the context holds %llu",
                                  *count, (unsigned long long)capacity);
        }
        conversation_remove(&c->talk, first, 2);
        dropped++;
    }
    if (dropped) {
        report_warning("the context is full: the oldest %zu turn%s dropped", dropped,
                       dropped == 1 ? " was" : "s were");
    }
    return EXIT_DONE;
}

/* Tokens at the start of ids that the session holds already; at least one is left to compute. */
static size_t common_prefix(const ondol_session *session, const int32_t *ids, size_t count) {
    size_t length = (size_t)ondol_session_length(session), n = 0;
    const int32_t *tokens = ondol_session_tokens(session);
    while (n < length && n + 1 < count && tokens[n] == ids[n])
        n++;
    return n;
}

/* A sampler for this answer, which knows the tokens that stay in the cache. */
static int make_sampler(chat *c, const int32_t *ids, size_t known, ondol_sampler **sampler) {
    sampler_flags flags = c->flags.sampler;
    flags.seed += (int64_t)c->answers++;
    int status = sampler_from_flags("chat", c->o.model, &flags, sampler);
    ondol_error err;
    for (size_t i = 0; i < known && !status; i++) {
        if (ondol_sampler_accept(*sampler, ids[i], 1, &err)) status = report_error(&err);
    }
    return status;
}

static int generate(chat *c, const int32_t *ids, size_t count, answer *a) {
    ondol_error err;
    ondol_sampler *sampler = NULL;
    size_t known = common_prefix(c->o.session, ids, count);
    int status = make_sampler(c, ids, known, &sampler);
    ondol_generate_options options = ONDOL_GENERATE_OPTIONS_INIT;
    options.max_tokens = c->flags.max_tokens;
    options.sampler = sampler;
    options.stop = c->flags.stop.items;
    options.stop_count = c->flags.stop.count;
    options.on_token = on_token;
    options.user = a;
    ondol_status failed = ONDOL_OK;
    if (!status) failed = ondol_session_truncate(c->o.session, known, &err);
    if (!status && !failed) {
        c->kept_tokens = known;
        c->last = (ondol_generate_result)ONDOL_GENERATE_RESULT_INIT;
        interrupt_watch(c->o.session);
        failed = ondol_generate(c->o.session, ids + known, count - known, &options, &c->last, &err);
        interrupt_watch(NULL);
    }
    if (failed) status = report_error(&err);
    ondol_sampler_destroy(sampler);
    return status;
}

/* The assistant's turn behind the user's last message. */
static int answer_turn(chat *c) {
    answer a = {0};
    int32_t *ids = NULL;
    size_t count = 0;
    text_append(&a.text, "", 0);
    int status = make_prompt(c, &ids, &count);
    if (!status) {
        status = generate(c, ids, count, &a);
        if (a.text.size == 0 || a.text.bytes[a.text.size - 1] != '\n') putchar('\n');
        int written = report_flush(EXIT_DONE);
        if (written) {
            c->ended = true;
            c->status = written;
        }
    }
    if (!status) conversation_add(&c->talk, "assistant", a.text.bytes);
    free(ids);
    text_free(&a.text);
    return status;
}

/* A message of the user; one that cannot be answered leaves no trace. */
static void say(chat *c, const char *text) {
    conversation_add(&c->talk, "user", text);
    size_t before = c->talk.count;
    if (answer_turn(c) && c->talk.count && c->talk.count <= before) {
        conversation_remove(&c->talk, c->talk.count - 1, 1);
        if (!line_reader_is_terminal(c->reader)) {
            c->ended = true;
            c->status = EXIT_FAILED;
        }
    }
}

/* ---------------------------------------------------------------- what starts with a slash */

static void do_help(chat *c, const char *rest);

static void do_clear(chat *c, const char *rest) {
    (void)rest;
    size_t first = conversation_first_turn(&c->talk);
    conversation_remove(&c->talk, first, c->talk.count - first);
    puts("(forgotten)");
}

static void do_system(chat *c, const char *rest) {
    conversation_set_system(&c->talk, rest);
    puts(*rest ? "(system prompt set)" : "(system prompt removed)");
}

static void do_save(chat *c, const char *rest) {
    if (!*rest) {
        report_failure("/save needs a file");
    } else if (!conversation_save(&c->talk, rest)) {
        printf("(%zu messages saved)\n", c->talk.count);
    }
}

static void do_load(chat *c, const char *rest) {
    if (!*rest) {
        report_failure("/load needs a file");
    } else if (!conversation_load(&c->talk, rest)) {
        printf("(%zu messages loaded)\n", c->talk.count);
    }
}

static bool last_is(const chat *c, const char *role) {
    return c->talk.count && strcmp(c->talk.messages[c->talk.count - 1].role, role) == 0;
}

static void do_regen(chat *c, const char *rest) {
    (void)rest;
    if (!last_is(c, "assistant")) {
        report_failure("there is no answer to make again");
        return;
    }
    conversation_remove(&c->talk, c->talk.count - 1, 1);
    answer_turn(c);
}

static void do_undo(chat *c, const char *rest) {
    (void)rest;
    if (last_is(c, "assistant")) conversation_remove(&c->talk, c->talk.count - 1, 1);
    if (last_is(c, "user")) conversation_remove(&c->talk, c->talk.count - 1, 1);
    printf("(%zu messages left)\n", c->talk.count);
}

static void do_stats(chat *c, const char *rest) {
    (void)rest;
    const ondol_generate_result *r = &c->last;
    double prompt_s = (double)r->prompt_ns * 1e-9, generate_s = (double)r->generate_ns * 1e-9;
    uint64_t decoded = r->generated_tokens ? r->generated_tokens - 1 : 0;
    printf("context: %llu of %llu tokens\n", (unsigned long long)ondol_session_length(c->o.session),
           (unsigned long long)ondol_session_capacity(c->o.session));
    printf("last answer: %llu tokens from the cache, %llu read at %.1f tok/s, "
           "%llu written at %.1f tok/s\n",
           (unsigned long long)c->kept_tokens, (unsigned long long)r->prompt_tokens,
           prompt_s > 0 ? (double)r->prompt_tokens / prompt_s : 0.0,
           (unsigned long long)r->generated_tokens,
           generate_s > 0 ? (double)decoded / generate_s : 0.0);
}

/* "temp 0.5": any option of sampling, by its name on the command line. */
static void do_set(chat *c, const char *rest) {
    char *copy = memory_text(rest);
    char *value = copy + strcspn(copy, " =");
    if (*value) *value++ = 0;
    const char *name = strncmp(copy, "--", 2) == 0 ? copy + 2 : copy;
    const option_row *row = option_find(sampler_rows, SAMPLER_ROW_COUNT, name);
    char why[160];
    c->kept.items = memory_resize(c->kept.items, (c->kept.count + 1) * sizeof *c->kept.items);
    c->kept.items[c->kept.count++] = copy;
    if (!row) {
        report_failure("/set knows no '%s'; try temp, top-k, top-p, min-p, seed, ...", name);
    } else if (!*value) {
        report_failure("/set %s needs a value (%s)", name, row->value);
    } else if (!option_set(row, &c->flags.sampler, value, why, sizeof why)) {
        report_failure("/set %s: %s, got '%s'", name, why, value);
    } else {
        printf("(%s is %s)\n", name, value);
    }
}

static void do_quit(chat *c, const char *rest) {
    (void)rest;
    c->ended = true;
}

static const struct {
    const char *name, *arguments, *help;
    void (*run)(chat *c, const char *rest);
} slashes[] = {
    {"help", "", "this list", do_help},
    {"clear", "", "forget the conversation", do_clear},
    {"system", "TEXT", "set the system prompt; nothing removes it", do_system},
    {"save", "FILE", "write the conversation as JSON", do_save},
    {"load", "FILE", "go on with a conversation that was saved", do_load},
    {"regen", "", "make the last answer again", do_regen},
    {"undo", "", "forget the last question and answer", do_undo},
    {"stats", "", "tokens and speed", do_stats},
    {"set", "NAME VALUE", "set an option of sampling, for example /set temp 0.5", do_set},
    {"quit", "", "end (also Ctrl-D)", do_quit},
};
#define SLASH_COUNT (sizeof slashes / sizeof slashes[0])

static void do_help(chat *c, const char *rest) {
    (void)c;
    (void)rest;
    for (size_t i = 0; i < SLASH_COUNT; i++) {
        printf("  /%-8s%-12s%s\n", slashes[i].name, slashes[i].arguments, slashes[i].help);
    }
    puts("  A line that ends in \\ goes on in the next; Ctrl-C stops an answer.");
}

static const char *nth_slash(const void *user, size_t i) {
    (void)user;
    return i < SLASH_COUNT ? slashes[i].name : NULL;
}

static void slash(chat *c, const char *line) {
    char name[32];
    size_t n = strcspn(line, " ");
    snprintf(name, sizeof name, "%.*s", (int)n, line);
    const char *rest = line + n + strspn(line + n, " ");
    for (size_t i = 0; i < SLASH_COUNT; i++) {
        if (strcmp(slashes[i].name, name) == 0) {
            slashes[i].run(c, rest);
            return;
        }
    }
    const char *near = nearest_name(name, nth_slash, NULL);
    report_failure("no command '/%s'%s%s%s", name, near ? " (did you mean '/" : "; see /help",
                   near ? near : "", near ? "'?)" : "");
}

/* ---------------------------------------------------------------- lines */

/* A message: lines joined where one ends in a backslash. */
static line_result read_message(chat *c, text_buffer *message) {
    text_buffer line = {0};
    line_result result = LINE_READ;
    bool more = true;
    text_clear(message);
    text_append(message, "", 0);
    for (bool first = true; more && result == LINE_READ; first = false) {
        const char *prompt = first ? c->colour ? "\1\x1b[1;32m\1>>> \1\x1b[0m\1" : ">>> " : "... ";
        result = line_reader_next(c->reader, prompt, &line);
        more = line.size && line.bytes[line.size - 1] == '\\';
        if (result != LINE_READ) break;
        text_append(message, line.bytes, line.size - more);
        if (more) text_append(message, "\n", 1);
    }
    text_free(&line);
    /* The last line of a pipe may lack its end, or the one after a backslash may be missing. */
    return result == LINE_END && message->size ? LINE_READ : result;
}

static void talk(chat *c) {
    text_buffer message = {0};
    bool terminal = line_reader_is_terminal(c->reader);
    while (!c->ended) {
        interrupt_forget();
        line_result result = read_message(c, &message);
        if (result == LINE_END) {
            if (terminal) putchar('\n');
            break;
        }
        if (result == LINE_INTERRUPTED) {
            if (!terminal) {
                c->status = EXIT_INTERRUPTED;
                break;
            }
            puts("\n(Ctrl-D or /quit ends)");
            continue;
        }
        if (message.bytes[0] == '/') {
            slash(c, message.bytes + 1);
        } else if (message.bytes[strspn(message.bytes, " \t\n\r")]) {
            say(c, message.bytes);
        }
        if (interrupt_seen() && !terminal) {
            c->status = EXIT_INTERRUPTED;
            break;
        }
    }
    text_free(&message);
}

static int chat_with(chat *c, const char *model) {
    int status = opened_model(&c->o, model, &c->flags.model, false);
    if (status) return status;
    status = opened_session(&c->o, &c->flags.cache, (uint64_t)c->flags.cache.context, 1);
    if (status) return status;
    if (!c->o.info.chat_template) report_warning("the model has no chat template: ChatML is used");
    if (c->flags.system) conversation_set_system(&c->talk, c->flags.system);
    char *history = cache_path("chat_history", isatty(STDIN_FILENO));
    c->reader = line_reader_open(history);
    c->colour = terminal_has_colour(STDOUT_FILENO);
    free(history);
    if (line_reader_is_terminal(c->reader)) {
        printf("%s, context of %llu tokens; /help for help\n",
               c->o.info.name[0] ? c->o.info.name : c->o.info.architecture,
               (unsigned long long)ondol_session_capacity(c->o.session));
    }
    talk(c);
    return c->status;
}

static int run(const command *self, int argc, char **argv) {
    chat c = {.flags = {.max_tokens = -1}};
    int count = 0, status = EXIT_DONE;
    sampler_flags_default(&c.flags.sampler);
    if (options_parse(self, &c.flags, argc, argv, &count, &status)) {
        interrupt_catch();
        sampler_flags_seed(&c.flags.sampler);
        status = chat_with(&c, argv[0]);
    }
    line_reader_close(c.reader);
    conversation_free(&c.talk);
    opened_free(&c.o);
    for (size_t i = 0; i < c.kept.count; i++)
        free((void *)c.kept.items[i]);
    free(c.kept.items);
    free(c.flags.stop.items);
    sampler_flags_free(&c.flags.sampler);
    return status;
}

const command command_chat = {
    "chat",
    "MODEL",
    "Talks, turn by turn",
    "Lines are edited with the arrow keys and kept in a history. Keys and values stay in the "
    "cache between the turns.",
    groups,
    4,
    examples,
    1,
    1,
    run};
