/* The same answer, bit by bit: for 1, 2 and 3 threads, for any chunking, alone and in a batch, at
 * every position, on every tiny architecture that has a path of its own through the engine. */
#include "model_test.h"

#define TOKENS 75

static const char *const models[] = {
    "llama-q4_0", "llama-q4_1",  "llama-q8_0", "llama-q4_k_m", "llama-f16", "llama-gqa3", "phi2",
    "phi3-q4_0",  "phi3-window", "qwen2",      "qwen3",        "gemma2",    "gemma3",     "olmo2",
};
#define MODEL_COUNT (sizeof models / sizeof *models)

/* Reference: one thread, one token at a time. */
static float *one_by_one(const char *model, ondol_kv_type kv, int32_t *ids) {
    const model_test_options plain = {.threads = 1, .kv_type = kv};
    model_test t;
    model_test_open(&t, model, &plain);
    model_test_ids(ids, TOKENS, t.info.vocabulary, 7);
    model_test_close(&t);
    return model_test_logits(model, &plain, ids, TOKENS, 1);
}

static uint32_t vocabulary_of(const char *model) {
    const model_test_options plain = {0};
    model_test t;
    model_test_open(&t, model, &plain);
    const uint32_t vocabulary = t.info.vocabulary;
    model_test_close(&t);
    return vocabulary;
}

static void check_shape(const char *model, ondol_kv_type kv, uint32_t threads, uint32_t chunk,
                        size_t piece) {
    int32_t ids[TOKENS];
    char what[128];
    const model_test_options o = {.threads = threads, .chunk = chunk, .kv_type = kv};
    float *expected = one_by_one(model, kv, ids);
    float *got = model_test_logits(model, &o, ids, TOKENS, piece);
    snprintf(what, sizeof what, "%s, %u threads, chunks of %u, pieces of %zu", model, threads,
             chunk, piece);
    model_test_same(got, expected, TOKENS, vocabulary_of(model), what);
    free(got);
    free(expected);
}

static void threads_and_chunks_change_no_bit(void **state) {
    (void)state;
    for (size_t i = 0; i < MODEL_COUNT; i++) {
        check_shape(models[i], ONDOL_KV_F16, 1, 512, TOKENS);
        check_shape(models[i], ONDOL_KV_F16, 2, 512, TOKENS);
        check_shape(models[i], ONDOL_KV_F16, 3, 512, TOKENS);
        check_shape(models[i], ONDOL_KV_F16, 3, 7, TOKENS);
        check_shape(models[i], ONDOL_KV_F16, 2, 64, 33);
    }
}

static void every_cache_type_keeps_the_bits(void **state) {
    (void)state;
    check_shape("llama-q4_0", ONDOL_KV_Q8, 2, 64, TOKENS);
    check_shape("llama-q4_0", ONDOL_KV_F32, 2, 64, TOKENS);
    check_shape("phi3-window", ONDOL_KV_Q8, 3, 5, TOKENS);
}

/* Three sessions of different lengths, fed different pieces in the same calls. */
static void a_batch_changes_no_bit(void **state) {
    (void)state;
    for (size_t m = 0; m < MODEL_COUNT; m++) {
        int32_t ids[TOKENS];
        ondol_error err;
        float *expected = one_by_one(models[m], ONDOL_KV_F16, ids);
        const model_test_options o = {.threads = 2, .chunk = 16};
        model_test t;
        model_test_open(&t, models[m], &o);
        const size_t row = t.info.vocabulary;
        float *got = malloc(TOKENS * row * sizeof *got);
        int32_t other[TOKENS];
        model_test_ids(other, TOKENS, t.info.vocabulary, 99);
        ondol_session *s[3] = {model_test_session(&t), model_test_session(&t),
                               model_test_session(&t)};
        size_t at = 0;
        for (size_t round = 0; at < TOKENS; round++) {
            const size_t piece = 1 + (round * 5) % 23;
            const size_t n = TOKENS - at < piece ? TOKENS - at : piece;
            ondol_item items[3] = {ONDOL_ITEM_INIT, ONDOL_ITEM_INIT, ONDOL_ITEM_INIT};
            for (int i = 0; i < 3; i++) {
                items[i].session = s[i];
                items[i].tokens = other;
                items[i].token_count = (size_t)(1 + i);
            }
            items[1].tokens = ids + at;
            items[1].token_count = n;
            items[1].want = ONDOL_WANT_ALL;
            items[2].want = ONDOL_WANT_HIDDEN;
            ASSERT_OK(ondol_step(items, 3, &err));
            assert_int_equal(items[1].output_rows, n);
            assert_int_equal(items[2].output_rows, 3);
            memcpy(got + at * row, items[1].output, n * row * sizeof *got);
            at += n;
        }
        model_test_same(got, expected, TOKENS, row, models[m]);
        for (int i = 0; i < 3; i++)
            ondol_session_destroy(s[i]);
        model_test_close(&t);
        free(got);
        free(expected);
    }
}

/* Two runs over the same prompt: what is shared from the first gives the second the same bits. */
static void shared_prefixes_and_forks_change_no_bit(void **state) {
    (void)state;
    for (size_t m = 0; m < MODEL_COUNT; m++) {
        int32_t ids[TOKENS];
        ondol_error err;
        float *expected = one_by_one(models[m], ONDOL_KV_F16, ids);
        const model_test_options o = {.threads = 2};
        model_test t;
        model_test_open(&t, models[m], &o);
        const size_t row = t.info.vocabulary;
        float *got = malloc(TOKENS * row * sizeof *got);
        ondol_session *first = model_test_session(&t), *second = model_test_session(&t),
                      *fork = NULL;
        ondol_cache_info before = {.struct_size = sizeof before}, after = before;
        model_test_feed(&t, first, ids, 50, 50, got);
        ASSERT_OK(ondol_cache_get_info(t.cache, &before, &err));
        ondol_item item = ONDOL_ITEM_INIT;
        item.session = second;
        item.tokens = ids;
        item.token_count = 50;
        ASSERT_OK(ondol_step(&item, 1, &err));
        model_test_same(item.output, expected + 49 * row, 1, row, "shared prefix");
        ASSERT_OK(ondol_cache_get_info(t.cache, &after, &err));
        /* 50 tokens on 32 a page: the first page is shared, the second one copied. */
        assert_true(before.pages_free > after.pages_free);
        assert_true(before.pages_free - after.pages_free < before.pages - before.pages_free);
        ASSERT_OK(ondol_session_fork(first, &fork, &err));
        model_test_feed(&t, fork, ids + 50, TOKENS - 50, TOKENS, got + 50 * row);
        model_test_same(got, expected, TOKENS, row, "fork");
        model_test_feed(&t, first, ids + 50, TOKENS - 50, 4, got + 50 * row);
        model_test_same(got, expected, TOKENS, row, "the one that was forked");
        ondol_session_destroy(first);
        ondol_session_destroy(second);
        ondol_session_destroy(fork);
        ASSERT_OK(ondol_cache_get_info(t.cache, &after, &err));
        assert_int_equal(after.pages_free, after.pages);
        model_test_close(&t);
        free(got);
        free(expected);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(threads_and_chunks_change_no_bit),
    cmocka_unit_test(every_cache_type_keeps_the_bits),
    cmocka_unit_test(a_batch_changes_no_bit),
    cmocka_unit_test(shared_prefixes_and_forks_change_no_bit),
};
MODEL_TEST_MAIN(tests)
