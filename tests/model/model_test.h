/* What tests of whole models share: a model opened with chosen threads, device and cache, and the
 * logits of a sequence in whatever pieces. Tiny models come from tools/make_tiny_models.py, in the
 * folder ONDOL_TINY_MODELS; a test program without them is skipped (exit status 77), saying so. */
#ifndef MODEL_TEST_H
#define MODEL_TEST_H

#include <stdio.h>
#include <stdlib.h>

#include "../unit/unit.h"
#include "ondol/ondol_experimental.h"

#define MODEL_TEST_SKIPPED 77

/* One engine, model and cache. */
typedef struct model_test {
    ondol_engine *engine;
    ondol_model *model;
    ondol_cache *cache;
    ondol_model_info info;
} model_test;

typedef struct model_test_options {
    const char *device; /* NULL: cpu */
    const char *isa;
    uint32_t threads; /* 0: 1 */
    uint32_t chunk;   /* 0: 512 */
    uint32_t output_rows;
    uint64_t capacity; /* tokens; 0: 4096 */
    uint32_t max_sessions;
    ondol_kv_type kv_type;
    const ondol_allocator *allocator;
} model_test_options;

/* Path of a tiny model; in memory of the test. */
static inline const char *model_test_path(const char *name) {
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s.gguf", getenv("ONDOL_TINY_MODELS"), name);
    return path;
}

static inline ondol_status model_test_try(model_test *t, const char *name,
                                          const model_test_options *o, ondol_error *err) {
    ondol_engine_options engine = ONDOL_ENGINE_OPTIONS_INIT;
    ondol_cache_options cache = ONDOL_CACHE_OPTIONS_INIT;
    engine.device = o->device ? o->device : "cpu";
    engine.isa = o->isa;
    engine.threads = o->threads ? o->threads : 1;
    engine.allocator = o->allocator;
    cache.capacity_tokens = o->capacity ? o->capacity : 4096;
    cache.chunk_tokens = o->chunk;
    cache.max_output_rows = o->output_rows ? o->output_rows : 512;
    cache.max_sessions = o->max_sessions;
    cache.kv_type = o->kv_type;
    *t = (model_test){0};
    ondol_status status = ondol_engine_create(&engine, &t->engine, err);
    if (status == ONDOL_OK) {
        status = ondol_model_open(t->engine, model_test_path(name), NULL, &t->model, err);
    }
    if (status == ONDOL_OK) status = ondol_cache_create(t->model, &cache, &t->cache, err);
    if (status != ONDOL_OK) return status;
    t->info.struct_size = sizeof t->info;
    return ondol_model_get_info(t->model, &t->info, err);
}

static inline void model_test_close(model_test *t) {
    ondol_cache_destroy(t->cache);
    ondol_model_release(t->model);
    ondol_engine_destroy(t->engine);
    *t = (model_test){0};
}

static inline void model_test_open(model_test *t, const char *name, const model_test_options *o) {
    ondol_error err = {0};
    ASSERT_OK(model_test_try(t, name, o, &err));
}

static inline ondol_session *model_test_session(model_test *t) {
    ondol_error err;
    ondol_session *s = NULL;
    ASSERT_OK(ondol_session_create(t->cache, NULL, &s, &err));
    return s;
}

/* Ids that differ from place to place, the same for the same seed. */
static inline void model_test_ids(int32_t *ids, size_t n, uint32_t vocabulary, uint32_t seed) {
    uint32_t x = seed * 2654435761u + 12345u;
    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        ids[i] = (int32_t)((x >> 8) % vocabulary);
    }
}

/* Logits of all n tokens, fed to s in pieces of `piece` tokens, into out[n][vocabulary]. */
static inline void model_test_feed(model_test *t, ondol_session *s, const int32_t *ids, size_t n,
                                   size_t piece, float *out) {
    ondol_error err;
    const size_t row = t->info.vocabulary;
    for (size_t at = 0; at < n; at += piece) {
        ondol_item item = ONDOL_ITEM_INIT;
        item.session = s;
        item.tokens = ids + at;
        item.token_count = n - at < piece ? n - at : piece;
        item.want = ONDOL_WANT_ALL;
        ASSERT_OK(ondol_step(&item, 1, &err));
        assert_int_equal(item.output_rows, item.token_count);
        memcpy(out + at * row, item.output, item.output_rows * row * sizeof *out);
    }
}

/* The same of a fresh session of a fresh model. */
static inline float *model_test_logits(const char *name, const model_test_options *o,
                                       const int32_t *ids, size_t n, size_t piece) {
    model_test t;
    model_test_open(&t, name, o);
    float *out = malloc(n * t.info.vocabulary * sizeof *out);
    assert_non_null(out);
    ondol_session *s = model_test_session(&t);
    model_test_feed(&t, s, ids, n, piece, out);
    ondol_session_destroy(s);
    model_test_close(&t);
    return out;
}

/* Bit by bit, telling the first place that differs. */
static inline void model_test_same(const float *a, const float *b, size_t rows, size_t columns,
                                   const char *what) {
    for (size_t i = 0; i < rows * columns; i++) {
        if (memcmp(a + i, b + i, sizeof *a) == 0) continue;
        fail_msg("%s: logit %zu after token %zu is %.9g, expected %.9g", what, i % columns,
                 i / columns, (double)a[i], (double)b[i]);
    }
}

/* main of a test program: its tests, or the reason why there are none. */
#define MODEL_TEST_MAIN(tests)                                                                     \
    int main(void) {                                                                               \
        if (!getenv("ONDOL_TINY_MODELS")) {                                                        \
            puts("skipped: ONDOL_TINY_MODELS names no folder of tiny models");                     \
            return MODEL_TEST_SKIPPED;                                                             \
        }                                                                                          \
        return cmocka_run_group_tests(tests, NULL, NULL);                                          \
    }

#endif
