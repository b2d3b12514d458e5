/* Sessions: what truncate, save, load, cancel and a full cache leave behind; several threads. */
#include <pthread.h>

#include "model_test.h"

#define TOKENS 60

typedef struct bytes {
    unsigned char *data;
    size_t size, capacity;
    size_t fail_after; /* 0: never */
} bytes;

static int write_bytes(void *user, const void *data, size_t size) {
    bytes *b = user;
    if (b->fail_after && b->size + size > b->fail_after) return 1;
    if (b->size + size > b->capacity) {
        b->capacity = 2 * (b->size + size);
        b->data = realloc(b->data, b->capacity);
        if (!b->data) return 1;
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return 0;
}

static ondol_status step(ondol_session *s, const int32_t *ids, size_t n, float *out, size_t row,
                         ondol_error *err) {
    ondol_item item = ONDOL_ITEM_INIT;
    item.session = s;
    item.tokens = ids;
    item.token_count = n;
    ondol_status status = ondol_step(&item, 1, err);
    assert_int_equal(item.status, status);
    if (status == ONDOL_OK && out) memcpy(out, item.output, row * sizeof *out);
    return status;
}

static void truncated_sessions_go_on_as_if_nothing_had_been(void **state) {
    (void)state;
    static const char *const models[] = {"llama-q4_0", "phi3-window", "gemma3"};
    for (size_t m = 0; m < 3; m++) {
        const model_test_options o = {.threads = 2, .chunk = 8};
        model_test t;
        ondol_error err;
        model_test_open(&t, models[m], &o);
        const size_t row = t.info.vocabulary;
        int32_t ids[TOKENS], other[TOKENS];
        model_test_ids(ids, TOKENS, t.info.vocabulary, 1);
        model_test_ids(other, TOKENS, t.info.vocabulary, 2);
        float *expected = model_test_logits(models[m], &o, ids, TOKENS, TOKENS);
        float *got = malloc(row * sizeof *got);
        ondol_session *s = model_test_session(&t);
        for (size_t keep = 0; keep < TOKENS; keep += 11) {
            ASSERT_OK(ondol_session_truncate(s, 0, &err));
            ASSERT_OK(step(s, ids, keep + 1, NULL, row, &err));
            ASSERT_OK(step(s, other, TOKENS - keep - 1, NULL, row, &err));
            ASSERT_OK(ondol_session_truncate(s, keep + 1, &err));
            assert_memory_equal(ondol_session_tokens(s), ids, (keep + 1) * sizeof *ids);
            if (keep + 1 == TOKENS) continue;
            ASSERT_OK(step(s, ids + keep + 1, TOKENS - keep - 1, got, row, &err));
            model_test_same(got, expected + (TOKENS - 1) * row, 1, row, models[m]);
        }
        ASSERT_STATUS(ondol_session_truncate(s, TOKENS + 1, &err), ONDOL_E_ARGUMENT);
        ondol_session_destroy(s);
        model_test_close(&t);
        free(expected);
        free(got);
    }
}

static void saved_sessions_go_on_bit_by_bit(void **state) {
    (void)state;
    static const char *const models[] = {"llama-q4_0", "phi3-window", "gemma3", "phi3-longrope"};
    for (size_t m = 0; m < 4; m++) {
        const model_test_options o = {.threads = 2, .kv_type = m == 0 ? ONDOL_KV_Q8 : ONDOL_KV_F16};
        model_test t, u;
        ondol_error err;
        model_test_open(&t, models[m], &o);
        model_test_open(&u, models[m], &o);
        const size_t row = t.info.vocabulary;
        int32_t ids[TOKENS];
        model_test_ids(ids, TOKENS, t.info.vocabulary, 5);
        float *expected = model_test_logits(models[m], &o, ids, TOKENS, TOKENS);
        float *got = malloc(row * sizeof *got);
        bytes saved = {0}, again = {0}, full_disk = {.fail_after = 100};
        ondol_session *a = model_test_session(&t), *b = model_test_session(&u);
        ASSERT_OK(step(a, ids, 41, NULL, row, &err));
        ASSERT_OK(ondol_session_save(a, write_bytes, &saved, &err));
        ASSERT_STATUS(ondol_session_save(a, write_bytes, &full_disk, &err), ONDOL_E_IO);
        ASSERT_OK(ondol_session_load(b, saved.data, saved.size, &err));
        assert_int_equal(ondol_session_length(b), 41);
        ASSERT_OK(ondol_session_save(b, write_bytes, &again, &err));
        assert_int_equal(again.size, saved.size);
        assert_memory_equal(again.data, saved.data, saved.size);
        ASSERT_OK(step(b, ids + 41, TOKENS - 41, got, row, &err));
        model_test_same(got, expected + (TOKENS - 1) * row, 1, row, models[m]);
        ondol_session_destroy(a);
        ondol_session_destroy(b);
        model_test_close(&t);
        model_test_close(&u);
        free(saved.data);
        free(again.data);
        free(full_disk.data);
        free(expected);
        free(got);
    }
}

/* Every truncation, every changed byte of the head: a status, an empty session, no crash. */
static void broken_saved_sessions_are_refused(void **state) {
    (void)state;
    const model_test_options o = {.threads = 1};
    model_test t, other;
    ondol_error err;
    model_test_open(&t, "llama-q4_0", &o);
    model_test_open(&other, "llama-q4_1", &o);
    int32_t ids[20];
    model_test_ids(ids, 20, t.info.vocabulary, 5);
    bytes saved = {0};
    ondol_session *s = model_test_session(&t), *stranger = model_test_session(&other);
    ASSERT_OK(step(s, ids, 20, NULL, t.info.vocabulary, &err));
    ASSERT_OK(ondol_session_save(s, write_bytes, &saved, &err));
    ASSERT_STATUS(ondol_session_load(stranger, saved.data, saved.size, &err), ONDOL_E_UNSUPPORTED);
    for (size_t n = 0; n < saved.size; n += n < 256 ? 1 : 97) {
        assert_int_not_equal(ondol_session_load(s, saved.data, n, &err), ONDOL_OK);
        assert_int_equal(ondol_session_length(s), 0);
    }
    for (size_t at = 0; at < 56 + 8; at++) {
        for (int bit = 0; bit < 8; bit++) {
            saved.data[at] ^= (unsigned char)(1 << bit);
            if (ondol_session_load(s, saved.data, saved.size, &err) == ONDOL_OK) {
                /* A regime or page that is possible: the rest must still work. */
                ASSERT_OK(step(s, ids, 1, NULL, t.info.vocabulary, &err));
            }
            saved.data[at] ^= (unsigned char)(1 << bit);
        }
    }
    ASSERT_OK(ondol_session_load(s, saved.data, saved.size, &err));
    ondol_session_destroy(s);
    ondol_session_destroy(stranger);
    model_test_close(&t);
    model_test_close(&other);
    free(saved.data);
}

static void a_full_cache_is_a_status_and_changes_nothing(void **state) {
    (void)state;
    const model_test_options o = {.threads = 1, .capacity = 64, .max_sessions = 3};
    model_test t;
    ondol_error err;
    model_test_open(&t, "llama-q4_0", &o);
    const size_t row = t.info.vocabulary;
    int32_t ids[80], other[80];
    model_test_ids(ids, 80, t.info.vocabulary, 5);
    model_test_ids(other, 80, t.info.vocabulary, 6);
    float *expected = model_test_logits("llama-q4_0", &o, ids, 33, 33);
    float *got = malloc(row * sizeof *got);
    ondol_session *a = model_test_session(&t), *b = model_test_session(&t), *c = NULL, *d = NULL;
    ASSERT_OK(ondol_session_create(t.cache, NULL, &c, &err));
    ASSERT_STATUS(ondol_session_create(t.cache, NULL, &d, &err), ONDOL_E_FULL);
    ASSERT_STATUS(step(a, ids, 65, NULL, row, &err), ONDOL_E_FULL);
    ASSERT_CONTAINS(err.text, "64");
    ASSERT_OK(step(a, ids, 32, NULL, row, &err));
    ASSERT_OK(step(b, other, 32, NULL, row, &err));
    ASSERT_STATUS(step(c, other + 40, 1, NULL, row, &err), ONDOL_E_FULL);
    ASSERT_STATUS(step(a, ids + 32, 1, NULL, row, &err), ONDOL_E_FULL);
    assert_int_equal(ondol_session_length(a), 32);
    ondol_session_destroy(b);
    ASSERT_OK(step(a, ids + 32, 1, got, row, &err));
    model_test_same(got, expected + 32 * row, 1, row, "after a full cache");
    ondol_session_destroy(a);
    ondol_session_destroy(c);
    model_test_close(&t);
    free(expected);
    free(got);
}

static void one_bad_item_does_not_stop_the_others(void **state) {
    (void)state;
    const model_test_options o = {.threads = 1, .output_rows = 4};
    model_test t;
    ondol_error err;
    model_test_open(&t, "llama-q4_0", &o);
    const size_t row = t.info.vocabulary;
    int32_t ids[8], bad[1] = {(int32_t)t.info.vocabulary};
    model_test_ids(ids, 8, t.info.vocabulary, 5);
    float *expected = model_test_logits("llama-q4_0", &o, ids, 3, 3);
    ondol_session *s[4];
    ondol_item items[4];
    for (int i = 0; i < 4; i++) {
        s[i] = model_test_session(&t);
        items[i] = (ondol_item)ONDOL_ITEM_INIT;
        items[i].session = s[i];
        items[i].tokens = ids;
        items[i].token_count = 3;
    }
    items[1].tokens = bad;
    items[1].token_count = 1;
    items[2].want = ONDOL_WANT_ALL;
    items[2].token_count = 8;
    items[3].want = ONDOL_WANT_SAMPLED;
    ASSERT_STATUS(ondol_step(items, 4, &err), ONDOL_E_ARGUMENT);
    ASSERT_CONTAINS(err.text, "vocabulary");
    assert_int_equal(items[0].status, ONDOL_OK);
    assert_int_equal(items[1].status, ONDOL_E_ARGUMENT);
    assert_int_equal(items[2].status, ONDOL_E_LIMIT);
    assert_int_equal(items[3].status, ONDOL_E_ARGUMENT);
    model_test_same(items[0].output, expected + 2 * row, 1, row, "the good item");
    assert_int_equal(ondol_session_length(s[1]), 0);
    items[1].session = s[0];
    ASSERT_STATUS(ondol_step(items, 2, &err), ONDOL_E_ARGUMENT);
    ASSERT_CONTAINS(err.text, "two items");
    for (int i = 0; i < 4; i++)
        ondol_session_destroy(s[i]);
    model_test_close(&t);
    free(expected);
}

static int cancel_after_three(void *user, int32_t token, const char *text, size_t size) {
    (void)token, (void)text, (void)size;
    ondol_session *s = user;
    static int seen;
    if (++seen == 3) ondol_session_cancel(s);
    return 0;
}

static void cancelled_generations_end_well(void **state) {
    (void)state;
    const model_test_options o = {.threads = 1};
    model_test t;
    ondol_error err;
    model_test_open(&t, "llama-q4_0", &o);
    int32_t ids[8];
    model_test_ids(ids, 8, t.info.vocabulary, 5);
    ondol_session *s = model_test_session(&t);
    ondol_generate_options g = ONDOL_GENERATE_OPTIONS_INIT;
    ondol_generate_result r = ONDOL_GENERATE_RESULT_INIT;
    g.max_tokens = 20;
    g.ignore_end = 1;
    g.on_token = cancel_after_three;
    g.user = s;
    ASSERT_OK(ondol_generate(s, ids, 8, &g, &r, &err));
    assert_int_equal(r.finish, ONDOL_FINISH_CANCELLED);
    assert_int_equal(r.generated_tokens, 3);
    assert_int_equal(ondol_session_length(s), 8 + 2);
    g.on_token = NULL;
    ASSERT_OK(ondol_generate(s, ids, 1, &g, &r, &err));
    assert_int_equal(r.finish, ONDOL_FINISH_LENGTH);
    assert_int_equal(r.generated_tokens, 20);
    assert_int_equal(ondol_session_length(s), 8 + 2 + 1 + 19);
    ondol_session_cancel(s);
    ASSERT_STATUS(step(s, ids, 8, NULL, t.info.vocabulary, &err), ONDOL_E_CANCELLED);
    assert_int_equal(ondol_session_length(s), 30);
    ondol_session_destroy(s);
    model_test_close(&t);
}

/* A thread's own session on the shared cache. */
typedef struct runner {
    model_test *t;
    uint32_t seed;
    int32_t tokens[TOKENS];
    uint64_t length;
    ondol_status status;
} runner;

static void *run(void *argument) {
    runner *r = argument;
    ondol_session *s = NULL;
    int32_t ids[20];
    model_test_ids(ids, 20, r->t->info.vocabulary, r->seed);
    r->status = ondol_session_create(r->t->cache, NULL, &s, NULL);
    ondol_generate_options g = ONDOL_GENERATE_OPTIONS_INIT;
    g.max_tokens = 40;
    g.ignore_end = 1;
    if (r->status == ONDOL_OK) r->status = ondol_generate(s, ids, 20, &g, NULL, NULL);
    if (r->status == ONDOL_OK) {
        r->length = ondol_session_length(s);
        memcpy(r->tokens, ondol_session_tokens(s), r->length * sizeof *r->tokens);
    }
    ondol_session_destroy(s);
    return NULL;
}

static void sessions_of_several_threads_keep_out_of_each_others_way(void **state) {
    (void)state;
    const model_test_options o = {.threads = 2};
    model_test t;
    model_test_open(&t, "llama-q4_0", &o);
    runner alone[4], together[4];
    pthread_t threads[4];
    for (uint32_t i = 0; i < 4; i++) {
        alone[i] = together[i] = (runner){.t = &t, .seed = i / 2};
        run(alone + i);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(threads + i, NULL, run, together + i), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(together[i].status, ONDOL_OK);
        assert_int_equal(together[i].length, 59);
        assert_memory_equal(together[i].tokens, alone[i].tokens, 59 * sizeof(int32_t));
    }
    model_test_close(&t);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(truncated_sessions_go_on_as_if_nothing_had_been),
    cmocka_unit_test(saved_sessions_go_on_bit_by_bit),
    cmocka_unit_test(broken_saved_sessions_are_refused),
    cmocka_unit_test(a_full_cache_is_a_status_and_changes_nothing),
    cmocka_unit_test(one_bad_item_does_not_stop_the_others),
    cmocka_unit_test(cancelled_generations_end_well),
    cmocka_unit_test(sessions_of_several_threads_keep_out_of_each_others_way),
};
MODEL_TEST_MAIN(tests)
