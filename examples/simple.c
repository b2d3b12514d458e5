/* simple MODEL.gguf PROMPT: loads a model, asks it, prints the answer as it comes. */
#include <ondol/ondol.h>
#include <stdio.h>

static int print(void *user, int32_t token, const char *text, size_t bytes) {
    (void)user, (void)token;
    return fwrite(text, 1, bytes, stdout) != bytes || fflush(stdout);
}

int main(int argc, char **argv) {
    ondol_engine *engine = NULL;
    ondol_model *model = NULL;
    ondol_cache *cache = NULL;
    ondol_session *session = NULL;
    ondol_error err = {ONDOL_OK, ""};
    ondol_message message = {"user", argc > 2 ? argv[2] : "Hello!", NULL};
    ondol_generate_options options = ONDOL_GENERATE_OPTIONS_INIT;
    char text[8192];
    int32_t ids[8192];
    size_t bytes = 0, count = 0;

    options.on_token = print;
    options.max_tokens = 256;
    int failed =
        ondol_engine_create(NULL, &engine, &err) ||
        ondol_model_open(engine, argc > 1 ? argv[1] : "", NULL, &model, &err) ||
        ondol_chat_format(model, &message, 1, NULL, text, sizeof text, &bytes, &err) ||
        bytes > sizeof text ||
        ondol_tokenize(model, text, bytes, ONDOL_TOKENIZE_NO_BOS, ids, 8192, &count, &err) ||
        count > 8192 || ondol_cache_create(model, NULL, &cache, &err) ||
        ondol_session_create(cache, NULL, &session, &err) ||
        ondol_generate(session, ids, count, &options, NULL, &err);
    puts("");
    if (failed) fprintf(stderr, "simple: %s\n", err.text[0] ? err.text : "the prompt is too long");

    ondol_session_destroy(session);
    ondol_cache_destroy(cache);
    ondol_model_release(model);
    ondol_engine_destroy(engine);
    return failed;
}
