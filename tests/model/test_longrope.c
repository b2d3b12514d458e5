/* LongRoPE at the crossing of the original context: a sequence that grows past it has, from then
 * on, the logits of a fresh run, bit by bit; alone, in a batch with others, and back again. */
#include "model_test.h"

#define TOKENS 96

/* Logits after the last token of ids[0..n), of a fresh session in a cache of its own. */
static void fresh(const char *model, const int32_t *ids, size_t n, float *out) {
    const model_test_options o = {.threads = 1};
    model_test t;
    ondol_error err;
    model_test_open(&t, model, &o);
    ondol_session *s = model_test_session(&t);
    ondol_item item = ONDOL_ITEM_INIT;
    item.session = s;
    item.tokens = ids;
    item.token_count = n;
    ASSERT_OK(ondol_step(&item, 1, &err));
    memcpy(out, item.output, t.info.vocabulary * sizeof *out);
    ondol_session_destroy(s);
    model_test_close(&t);
}

static void step_one(ondol_session *s, int32_t id, float *out, size_t row) {
    ondol_error err;
    ondol_item item = ONDOL_ITEM_INIT;
    item.session = s;
    item.tokens = &id;
    item.token_count = 1;
    ASSERT_OK(ondol_step(&item, 1, &err));
    memcpy(out, item.output, row * sizeof *out);
}

static void growing_past_it_equals_a_fresh_run(void **state) {
    (void)state;
    const model_test_options o = {.threads = 2, .chunk = 16};
    model_test t;
    model_test_open(&t, "phi3-longrope", &o);
    const size_t row = t.info.vocabulary;
    float *got = malloc(row * sizeof *got), *expected = malloc(row * sizeof *expected);
    int32_t ids[TOKENS];
    model_test_ids(ids, TOKENS, t.info.vocabulary, 3);
    ondol_session *s = model_test_session(&t);
    for (size_t i = 0; i < TOKENS; i++) {
        step_one(s, ids[i], got, row);
        fresh("phi3-longrope", ids, i + 1, expected);
        char what[64];
        snprintf(what, sizeof what, "after %zu tokens", i + 1);
        model_test_same(got, expected, 1, row, what);
    }
    ondol_session_destroy(s);
    model_test_close(&t);
    free(got);
    free(expected);
}

/* The factors do differ: without that the test above would pass by itself. */
static void the_two_sets_of_factors_differ(void **state) {
    (void)state;
    const model_test_options o = {.threads = 1};
    model_test t;
    model_test_open(&t, "phi3-longrope", &o);
    int32_t ids[TOKENS];
    model_test_ids(ids, TOKENS, t.info.vocabulary, 3);
    float *all = model_test_logits("phi3-longrope", &o, ids, TOKENS, TOKENS);
    float *some = model_test_logits("phi3-longrope", &o, ids, 8, 8);
    assert_true(memcmp(all + 7 * t.info.vocabulary, some + 7 * t.info.vocabulary,
                       t.info.vocabulary * sizeof *all) != 0);
    free(all);
    free(some);
    model_test_close(&t);
}

/* Three sequences cross at different times within one batch, one is cut back below the length. */
static void a_batch_crosses_one_by_one(void **state) {
    (void)state;
    const model_test_options o = {.threads = 2, .chunk = 24};
    model_test t;
    ondol_error err;
    model_test_open(&t, "phi3-longrope", &o);
    const size_t row = t.info.vocabulary;
    float *expected = malloc(row * sizeof *expected);
    int32_t ids[3][TOKENS];
    ondol_session *s[3];
    size_t length[3] = {20, 28, 5};
    for (uint32_t i = 0; i < 3; i++) {
        s[i] = model_test_session(&t);
        model_test_ids(ids[i], TOKENS, t.info.vocabulary, 40 + i);
    }
    for (size_t round = 0; round < 60; round++) {
        ondol_item items[3] = {ONDOL_ITEM_INIT, ONDOL_ITEM_INIT, ONDOL_ITEM_INIT};
        for (int i = 0; i < 3; i++) {
            items[i].session = s[i];
            items[i].tokens = ids[i] + (round ? length[i] : 0);
            items[i].token_count = round ? 1 : length[i];
        }
        ASSERT_OK(ondol_step(items, 3, &err));
        for (int i = 0; i < 3; i++) {
            if (round) length[i]++;
            assert_int_equal(ondol_session_length(s[i]), length[i]);
            if (round % 7) continue;
            fresh("phi3-longrope", ids[i], length[i], expected);
            model_test_same(items[i].output, expected, 1, row, "in a batch");
        }
    }
    ASSERT_OK(ondol_session_truncate(s[1], 10, &err));
    float *got = malloc(row * sizeof *got);
    step_one(s[1], ids[1][10], got, row);
    fresh("phi3-longrope", ids[1], 11, expected);
    model_test_same(got, expected, 1, row, "cut back below the crossing");
    for (int i = 0; i < 3; i++)
        ondol_session_destroy(s[i]);
    model_test_close(&t);
    free(got);
    free(expected);
}

/* A prefix computed with the short factors is not given to a sequence that needs the long ones. */
static void regimes_share_no_prefix(void **state) {
    (void)state;
    const model_test_options o = {.threads = 1};
    model_test t;
    ondol_error err;
    model_test_open(&t, "phi3-longrope", &o);
    const size_t row = t.info.vocabulary;
    int32_t ids[TOKENS];
    float *expected = malloc(row * sizeof *expected);
    model_test_ids(ids, TOKENS, t.info.vocabulary, 8);
    ondol_session *brief = model_test_session(&t), *whole = model_test_session(&t);
    ondol_item item = ONDOL_ITEM_INIT;
    item.session = brief;
    item.tokens = ids;
    item.token_count = 24;
    ASSERT_OK(ondol_step(&item, 1, &err));
    item.session = whole;
    item.token_count = TOKENS;
    ASSERT_OK(ondol_step(&item, 1, &err));
    fresh("phi3-longrope", ids, TOKENS, expected);
    model_test_same(item.output, expected, 1, row, "beside a short one");
    ondol_session_destroy(brief);
    ondol_session_destroy(whole);
    model_test_close(&t);
    free(expected);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(growing_past_it_equals_a_fresh_run),
    cmocka_unit_test(the_two_sets_of_factors_differ),
    cmocka_unit_test(a_batch_crosses_one_by_one),
    cmocka_unit_test(regimes_share_no_prefix),
};
MODEL_TEST_MAIN(tests)
