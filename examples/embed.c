/* embed MODEL.gguf TEXT...: hidden states and logits. Prints how alike each text is to the first
 * one (cosine of the mean hidden state), and the token that would follow it. */
#include <math.h>
#include <ondol/ondol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOKENS_MAX = 64 }; /* of a text; the cache gives out this many rows in one step */

typedef struct embedder {
    ondol_engine *engine;
    ondol_model *model;
    ondol_cache *cache;
    ondol_session *session;
    ondol_model_info info;
} embedder;

static ondol_status open_model(embedder *e, const char *path, ondol_error *err) {
    ondol_cache_options options = ONDOL_CACHE_OPTIONS_INIT;
    options.capacity_tokens = TOKENS_MAX;
    options.max_output_rows = TOKENS_MAX;
    e->info.struct_size = sizeof e->info;
    ondol_status status = ondol_engine_create(NULL, &e->engine, err);
    if (!status) status = ondol_model_open(e->engine, path, NULL, &e->model, err);
    if (!status) status = ondol_model_get_info(e->model, &e->info, err);
    if (!status) status = ondol_cache_create(e->model, &options, &e->cache, err);
    if (!status) status = ondol_session_create(e->cache, NULL, &e->session, err);
    return status;
}

static void close_model(embedder *e) {
    ondol_session_destroy(e->session);
    ondol_cache_destroy(e->cache);
    ondol_model_release(e->model);
    ondol_engine_destroy(e->engine);
}

/* All tokens but the last give their hidden states to mean[hidden]; the last one gives logits, of
 * which *next is the highest. One token alone gives no mean. */
static ondol_status embed(embedder *e, const char *text, float *mean, int32_t *next,
                          ondol_error *err) {
    int32_t ids[TOKENS_MAX];
    size_t n = 0;
    ondol_status status = ondol_tokenize(e->model, text, strlen(text), 0, ids, TOKENS_MAX, &n, err);
    if (!status) status = ondol_session_truncate(e->session, 0, err);
    if (status || n == 0) return status;
    if (n > TOKENS_MAX) n = TOKENS_MAX; /* cut */
    memset(mean, 0, e->info.hidden * sizeof *mean);

    ondol_item item = ONDOL_ITEM_INIT;
    item.session = e->session;
    item.tokens = ids;
    item.token_count = n - 1;
    item.want = ONDOL_WANT_HIDDEN;
    if (n > 1) status = ondol_step(&item, 1, err);
    for (size_t r = 0; r < item.output_rows && !status; r++) {
        for (size_t i = 0; i < e->info.hidden; i++)
            mean[i] += item.output[r * e->info.hidden + i] / (float)item.output_rows;
    }
    if (status) return status;

    item.tokens = ids + n - 1;
    item.token_count = 1;
    item.want = ONDOL_WANT_LAST;
    status = ondol_step(&item, 1, err);
    if (status) return status;
    *next = 0;
    for (uint32_t i = 1; i < e->info.vocabulary; i++) {
        if (item.output[i] > item.output[*next]) *next = (int32_t)i;
    }
    return ONDOL_OK;
}

static double cosine(const float *a, const float *b, size_t n) {
    double ab = 0, aa = 0, bb = 0;
    for (size_t i = 0; i < n; i++) {
        ab += (double)a[i] * (double)b[i];
        aa += (double)a[i] * (double)a[i];
        bb += (double)b[i] * (double)b[i];
    }
    return aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 0;
}

int main(int argc, char **argv) {
    embedder e = {0};
    ondol_error err = {ONDOL_OK, ""};
    if (argc < 3) {
        fprintf(stderr, "usage: embed MODEL.gguf TEXT...\n");
        return 2;
    }
    ondol_status status = open_model(&e, argv[1], &err);
    float *first = calloc((size_t)e.info.hidden + 1, sizeof *first);
    float *mean = calloc((size_t)e.info.hidden + 1, sizeof *mean);
    for (int i = 2; i < argc && !status && first && mean; i++) {
        int32_t next = 0;
        char piece[256];
        size_t bytes = 0;
        status = embed(&e, argv[i], i == 2 ? first : mean, &next, &err);
        if (!status) {
            status = ondol_detokenize(e.model, &next, 1, ONDOL_TEXT_SHOW_SPECIAL, piece,
                                      sizeof piece, &bytes, &err);
        }
        if (status) break;
        printf("%6.3f  %s ->%.*s\n", cosine(first, i == 2 ? first : mean, e.info.hidden), argv[i],
               (int)(bytes < sizeof piece ? bytes : sizeof piece), piece);
    }
    if (status) fprintf(stderr, "embed: %s\n", err.text);
    free(first);
    free(mean);
    close_model(&e);
    return status != ONDOL_OK;
}
