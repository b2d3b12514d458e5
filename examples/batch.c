/* batch MODEL.gguf PROMPT...: continues many prompts at once. Each call of ondol_step takes one
 * item for each prompt that is not done; what a prompt gets does not depend on the others. */
#include <ondol/ondol.h>
#include <stdio.h>

enum { PROMPTS_MAX = 16, TOKENS_MAX = 1024, NEW_TOKENS = 32 };

typedef struct sequence {
    ondol_session *session;
    ondol_sampler *sampler;
    int32_t ids[TOKENS_MAX]; /* prompt, then what came */
    size_t count, computed;
    int done;
} sequence;

static ondol_status open_sequence(sequence *s, ondol_model *model, ondol_cache *cache,
                                  const char *prompt, ondol_error *err) {
    ondol_sampler_options greedy = ONDOL_SAMPLER_OPTIONS_INIT;
    size_t bytes = 0;
    greedy.temperature = 0;
    while (prompt[bytes])
        bytes++;
    ondol_status status = ondol_session_create(cache, NULL, &s->session, err);
    if (!status) status = ondol_sampler_create(model, &greedy, &s->sampler, err);
    if (!status)
        status = ondol_tokenize(model, prompt, bytes, 0, s->ids, TOKENS_MAX - NEW_TOKENS, &s->count,
                                err);
    if (s->count > TOKENS_MAX - NEW_TOKENS) s->count = TOKENS_MAX - NEW_TOKENS; /* cut */
    s->done = s->count == 0;
    return status;
}

/* One step of all that are not done: each appends the token that it got. *left: items stepped. */
static ondol_status step_all(sequence *all, size_t n, const ondol_model *model, size_t *left,
                             ondol_error *err) {
    ondol_item items[PROMPTS_MAX];
    sequence *of[PROMPTS_MAX];
    *left = 0;
    for (size_t i = 0; i < n; i++) {
        if (all[i].done) continue;
        ondol_item item = ONDOL_ITEM_INIT;
        item.session = all[i].session;
        item.tokens = all[i].ids + all[i].computed;
        item.token_count = all[i].count - all[i].computed;
        item.want = ONDOL_WANT_SAMPLED;
        item.sampler = all[i].sampler;
        of[*left] = &all[i];
        items[(*left)++] = item;
    }
    ondol_status status = *left ? ondol_step(items, *left, err) : ONDOL_OK;
    for (size_t i = 0; i < *left && !status; i++) {
        of[i]->computed = of[i]->count;
        of[i]->done = ondol_token_is_end(model, items[i].token);
        if (!of[i]->done) of[i]->ids[of[i]->count++] = items[i].token;
    }
    return status;
}

static ondol_status print_sequence(const sequence *s, const ondol_model *model, ondol_error *err) {
    char text[16384];
    size_t bytes = 0;
    ondol_status status =
        ondol_detokenize(model, s->ids, s->count, 0, text, sizeof text, &bytes, err);
    if (!status) printf("%.*s\n", (int)(bytes < sizeof text ? bytes : sizeof text), text);
    return status;
}

int main(int argc, char **argv) {
    static sequence all[PROMPTS_MAX];
    size_t n = argc > 2 ? (size_t)argc - 2 : 0, left = 1;
    ondol_engine *engine = NULL;
    ondol_model *model = NULL;
    ondol_cache *cache = NULL;
    ondol_error err = {ONDOL_OK, ""};
    ondol_cache_options options = ONDOL_CACHE_OPTIONS_INIT;
    if (n == 0 || n > PROMPTS_MAX) {
        fprintf(stderr, "usage: batch MODEL.gguf PROMPT... (%d at most)\n", PROMPTS_MAX);
        return 2;
    }
    options.capacity_tokens = n * TOKENS_MAX; /* shared by all sessions */
    ondol_status status = ondol_engine_create(NULL, &engine, &err);
    if (!status) status = ondol_model_open(engine, argv[1], NULL, &model, &err);
    if (!status) status = ondol_cache_create(model, &options, &cache, &err);
    for (size_t i = 0; i < n && !status; i++)
        status = open_sequence(&all[i], model, cache, argv[2 + i], &err);
    for (int i = 0; i < NEW_TOKENS && left && !status; i++)
        status = step_all(all, n, model, &left, &err);
    for (size_t i = 0; i < n && !status; i++)
        status = print_sequence(&all[i], model, &err);
    if (status) fprintf(stderr, "batch: %s\n", err.text);
    for (size_t i = 0; i < n; i++) {
        ondol_sampler_destroy(all[i].sampler);
        ondol_session_destroy(all[i].session);
    }
    ondol_cache_destroy(cache);
    ondol_model_release(model);
    ondol_engine_destroy(engine);
    return status != ONDOL_OK;
}
