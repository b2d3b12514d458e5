/* chat MODEL.gguf: each line of standard input is a turn. The keys and values of what was said stay
 * in the session: only the new turn is computed. */
#include <ondol/ondol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TURNS_MAX = 64, LINE_BYTES = 4096, TEXT_BYTES = 1 << 18 };

typedef struct chat {
    ondol_model *model;
    ondol_session *session;
    ondol_message messages[2 * TURNS_MAX];
    size_t message_count;
    char answer[TEXT_BYTES]; /* of this turn */
    size_t answer_bytes;
    char text[TEXT_BYTES]; /* of the whole conversation */
    int32_t ids[TEXT_BYTES];
} chat;

static char *copy(const char *text) {
    char *out = malloc(strlen(text) + 1);
    return out ? strcpy(out, text) : NULL;
}

static int on_token(void *user, int32_t token, const char *text, size_t bytes) {
    chat *c = user;
    (void)token;
    if (bytes > sizeof c->answer - 1 - c->answer_bytes) return 1;
    memcpy(c->answer + c->answer_bytes, text, bytes);
    c->answer_bytes += bytes;
    return fwrite(text, 1, bytes, stdout) != bytes || fflush(stdout);
}

/* Tokens that the session and the conversation begin with alike; one is left to compute. */
static size_t kept_tokens(const chat *c, size_t count) {
    const int32_t *tokens = ondol_session_tokens(c->session);
    size_t length = (size_t)ondol_session_length(c->session), n = 0;
    while (n < length && n + 1 < count && tokens[n] == c->ids[n])
        n++;
    return n;
}

static ondol_status answer(chat *c, ondol_error *err) {
    ondol_generate_options options = ONDOL_GENERATE_OPTIONS_INIT;
    size_t bytes = 0, count = 0;
    options.on_token = on_token;
    options.user = c;
    c->answer_bytes = 0;
    ondol_status status = ondol_chat_format(c->model, c->messages, c->message_count, NULL, c->text,
                                            sizeof c->text, &bytes, err);
    if (bytes > sizeof c->text) bytes = sizeof c->text; /* cut: more than any context here holds */
    if (!status) {
        status = ondol_tokenize(c->model, c->text, bytes, ONDOL_TOKENIZE_NO_BOS, c->ids, TEXT_BYTES,
                                &count, err);
    }
    if (status) return status;
    size_t kept = kept_tokens(c, count);
    status = ondol_session_truncate(c->session, kept, err);
    if (!status) {
        status = ondol_generate(c->session, c->ids + kept, count - kept, &options, NULL, err);
    }
    c->answer[c->answer_bytes] = 0;
    puts("");
    return status;
}

static ondol_status talk(chat *c, ondol_error *err) {
    char line[LINE_BYTES];
    ondol_status status = ONDOL_OK;
    while (!status && c->message_count + 2 <= 2 * TURNS_MAX && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        ondol_message *user = &c->messages[c->message_count++];
        *user = (ondol_message){"user", copy(line), NULL};
        status = answer(c, err);
        ondol_message *assistant = &c->messages[c->message_count++];
        *assistant = (ondol_message){"assistant", copy(c->answer), NULL};
    }
    return status;
}

int main(int argc, char **argv) {
    ondol_engine *engine = NULL;
    ondol_cache *cache = NULL;
    ondol_error err = {ONDOL_OK, ""};
    chat *c = calloc(1, sizeof *c);
    if (!c || argc != 2) {
        fprintf(stderr, "usage: chat MODEL.gguf\n");
        free(c);
        return 2;
    }
    ondol_status status = ondol_engine_create(NULL, &engine, &err);
    if (!status) status = ondol_model_open(engine, argv[1], NULL, &c->model, &err);
    if (!status) status = ondol_cache_create(c->model, NULL, &cache, &err);
    if (!status) status = ondol_session_create(cache, NULL, &c->session, &err);
    if (!status) status = talk(c, &err);
    if (status) fprintf(stderr, "chat: %s\n", err.text);
    for (size_t i = 0; i < c->message_count; i++)
        free((char *)c->messages[i].content);
    ondol_session_destroy(c->session);
    ondol_cache_destroy(cache);
    ondol_model_release(c->model);
    ondol_engine_destroy(engine);
    free(c);
    return status != ONDOL_OK;
}
