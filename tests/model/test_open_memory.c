/* Memory that fails: at the 1st, 2nd, 3rd ... allocation from opening a model to one step, the
 * right status and no leak; and a step takes none. */
#include "../unit/fail_alloc.h"
#include "model_test.h"

static ondol_status open_and_step(const ondol_allocator *a, ondol_error *err) {
    const model_test_options o = {
        .threads = 2, .chunk = 4, .capacity = 64, .output_rows = 4, .allocator = a};
    const int32_t ids[5] = {1, 2, 3, 4, 5};
    model_test t;
    ondol_session *s = NULL;
    ondol_status status = model_test_try(&t, "llama-q4_0", &o, err);
    if (status == ONDOL_OK) status = ondol_session_create(t.cache, NULL, &s, err);
    if (status == ONDOL_OK) {
        ondol_item item = ONDOL_ITEM_INIT;
        item.session = s;
        item.tokens = ids;
        item.token_count = 5;
        status = ondol_step(&item, 1, err);
    }
    ondol_session_destroy(s);
    model_test_close(&t);
    return status;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    for (size_t n = 0;; n++) {
        fail_alloc memory;
        ondol_error err = {0};
        fail_alloc_init(&memory, n);
        ondol_status status = open_and_step(&memory.api, &err);
        fail_alloc_check_empty(&memory);
        if (!memory.failed) {
            ASSERT_OK(status);
            print_message("%zu allocations, each refused in turn\n", n);
            break;
        }
        if (status != ONDOL_E_MEMORY) {
            fail_msg("allocation %zu refused: %s (%s)", n, ondol_status_name(status), err.text);
        }
    }
}

static void a_step_takes_no_memory(void **state) {
    (void)state;
    fail_alloc memory;
    ondol_error err;
    fail_alloc_init(&memory, FAIL_ALLOC_NEVER);
    const model_test_options o = {.threads = 2, .allocator = &memory.api};
    int32_t ids[40];
    model_test t;
    model_test_open(&t, "llama-q4_0", &o);
    model_test_ids(ids, 40, t.info.vocabulary, 4);
    ondol_session *s = model_test_session(&t);
    const size_t before = memory.calls;
    for (int i = 0; i < 3; i++) {
        ondol_item item = ONDOL_ITEM_INIT;
        item.session = s;
        item.tokens = ids;
        item.token_count = i ? 1 : 40;
        ASSERT_OK(ondol_step(&item, 1, &err));
    }
    assert_int_equal(memory.calls, before);
    ondol_session_destroy(s);
    model_test_close(&t);
    fail_alloc_check_empty(&memory);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_allocation_may_fail),
    cmocka_unit_test(a_step_takes_no_memory),
};
MODEL_TEST_MAIN(tests)
