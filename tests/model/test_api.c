/* The border of the library: structures of other sizes, wrong arguments, what info calls tell. */
#include <math.h>
#include <stdbool.h>

#include "model_test.h"

static void options_of_other_headers(void **state) {
    (void)state;
    ondol_error err;
    ondol_engine *engine = NULL;
    struct {
        ondol_engine_options known;
        char more[16];
    } newer = {ONDOL_ENGINE_OPTIONS_INIT, {0}};
    newer.known.struct_size = sizeof newer;
    newer.known.threads = 1;
    ASSERT_OK(ondol_engine_create(&newer.known, &engine, &err));
    ondol_engine_destroy(engine);
    newer.more[3] = 1;
    ASSERT_STATUS(ondol_engine_create(&newer.known, &engine, &err), ONDOL_E_UNSUPPORTED);
    ASSERT_CONTAINS(err.text, "newer");
    ondol_engine_options older = {.struct_size = sizeof(size_t) + sizeof(uint32_t), .threads = 2};
    older.device = "nonsense that an old caller could not have set";
    ASSERT_OK(ondol_engine_create(&older, &engine, &err));
    ondol_device_info info = {.struct_size = sizeof info};
    ASSERT_OK(ondol_engine_device(engine, 0, &info, &err));
    assert_int_equal(info.threads, 2);
    ondol_engine_destroy(engine);
    older.struct_size = 3;
    ASSERT_STATUS(ondol_engine_create(&older, &engine, &err), ONDOL_E_ARGUMENT);
}

static void engines_refuse_what_they_cannot_be(void **state) {
    (void)state;
    ondol_error err;
    ondol_engine *engine = NULL;
    ondol_engine_options o = ONDOL_ENGINE_OPTIONS_INIT;
    o.threads = 1025;
    ASSERT_STATUS(ondol_engine_create(&o, &engine, &err), ONDOL_E_ARGUMENT);
    o.threads = 1;
    o.device = "toaster";
    ASSERT_STATUS(ondol_engine_create(&o, &engine, &err), ONDOL_E_ARGUMENT);
    ASSERT_CONTAINS(err.text, "toaster");
    ASSERT_CONTAINS(err.text, "cpu");
    o.device = "cpu";
    o.isa = "mmx";
    ASSERT_STATUS(ondol_engine_create(&o, &engine, &err), ONDOL_E_ARGUMENT);
    o.isa = "scalar";
    ASSERT_OK(ondol_engine_create(&o, &engine, &err));
    ondol_device_info info = {.struct_size = sizeof info};
    ASSERT_OK(ondol_engine_device(engine, 0, &info, &err));
    assert_string_equal(info.name, "cpu");
    assert_string_equal(info.isa, "scalar");
    assert_int_equal(info.chosen, 1);
    ASSERT_STATUS(ondol_engine_device(engine, 99, &info, &err), ONDOL_E_ARGUMENT);
    ondol_engine_destroy(engine);
    ondol_engine_destroy(NULL);
}

static void files_tell_what_is_in_them(void **state) {
    (void)state;
    ondol_error err;
    ondol_engine *engine = NULL;
    ondol_file *file = NULL;
    ASSERT_OK(ondol_engine_create(NULL, &engine, &err));
    ASSERT_OK(ondol_file_open(engine, model_test_path("llama-q4_0"), &file, &err));
    ondol_engine_destroy(engine); /* the file holds it */
    assert_string_equal(ondol_file_format(file), "GGUF v3, little endian");
    assert_true(ondol_file_size_bytes(file) > 10000);
    int seen = 0;
    for (size_t i = 0; i < ondol_file_metadata_count(file); i++) {
        ondol_metadata m;
        ASSERT_OK(ondol_file_metadata(file, i, &m, &err));
        assert_int_equal(strlen(m.text), m.text_bytes);
        if (strcmp(m.key, "general.architecture") == 0) {
            assert_string_equal(m.type, "string");
            assert_string_equal(m.text, "llama");
            seen++;
        }
        if (strcmp(m.key, "tokenizer.ggml.tokens") == 0) {
            assert_string_equal(m.type, "array of string");
            assert_true(m.elements > 8);
            ASSERT_CONTAINS(m.text, "...");
            seen++;
        }
    }
    assert_int_equal(seen, 2);
    ondol_metadata m;
    ASSERT_STATUS(ondol_file_metadata(file, 1u << 20, &m, &err), ONDOL_E_ARGUMENT);
    ondol_tensor_info t;
    bool found = false;
    for (size_t i = 0; i < ondol_file_tensor_count(file); i++) {
        ASSERT_OK(ondol_file_tensor(file, i, &t, &err));
        if (strcmp(t.name, "blk.0.attn_q.weight") != 0) continue;
        assert_string_equal(t.encoding, "Q4_0");
        assert_int_equal(t.dim_count, 2);
        assert_int_equal(t.size_bytes, t.dims[0] * t.dims[1] / 32 * 18);
        found = true;
    }
    assert_true(found);
    ASSERT_STATUS(ondol_file_tensor(file, 1u << 20, &t, &err), ONDOL_E_ARGUMENT);
    ondol_file_close(file);
    ondol_file_close(NULL);
}

static char *described(const ondol_model *m, ondol_model_text what) {
    ondol_error err;
    size_t n = 0, again = 0;
    ASSERT_OK(ondol_model_describe(m, what, NULL, 0, &n, &err));
    char *text = malloc(n + 1);
    ASSERT_OK(ondol_model_describe(m, what, text, n, &again, &err));
    assert_int_equal(again, n);
    text[n] = 0;
    return text;
}

static void models_describe_themselves_without_weights(void **state) {
    (void)state;
    ondol_error err;
    ondol_engine *engine = NULL;
    ondol_model *model = NULL;
    ondol_cache *cache = NULL;
    ondol_model_options o = ONDOL_MODEL_OPTIONS_INIT;
    o.inspect_only = 1;
    ASSERT_OK(ondol_engine_create(NULL, &engine, &err));
    ASSERT_OK(ondol_model_open(engine, model_test_path("llama-q4_0"), &o, &model, &err));
    static const char *const expected[] = {"GroupQueryAttention", "PagedAttention", "cache group",
                                           "MatMul Q4_0"};
    for (int what = 0; what < 4; what++) {
        char *text = described(model, (ondol_model_text)what);
        ASSERT_CONTAINS(text, expected[what]);
        free(text);
    }
    size_t n;
    ASSERT_STATUS(ondol_model_describe(model, (ondol_model_text)9, NULL, 0, &n, &err),
                  ONDOL_E_ARGUMENT);
    ondol_model_info info = {.struct_size = sizeof info};
    ASSERT_OK(ondol_model_get_info(model, &info, &err));
    assert_string_equal(info.architecture, "llama");
    assert_true(info.parameters > 1000);
    const uint64_t expected_bytes = info.memory_bytes;
    assert_true(expected_bytes > 1000);
    ASSERT_STATUS(ondol_cache_create(model, NULL, &cache, &err), ONDOL_E_ARGUMENT);
    ASSERT_CONTAINS(err.text, "inspect_only");
    ondol_model_release(model);
    ASSERT_OK(ondol_model_open(engine, model_test_path("llama-q4_0"), NULL, &model, &err));
    ASSERT_OK(ondol_model_get_info(model, &info, &err));
    assert_int_equal(info.memory_bytes, expected_bytes);
    ondol_model_release(model);
    ondol_engine_destroy(engine);
}

typedef struct memory_source {
    unsigned char *data;
    size_t size;
    uint64_t fail_from;
} memory_source;

static int read_memory(void *user, uint64_t offset, void *to, size_t size) {
    const memory_source *s = user;
    if (offset + size > s->size || offset >= s->fail_from) return 1;
    memcpy(to, s->data + offset, size);
    return 0;
}

static void sources_stand_in_for_files(void **state) {
    (void)state;
    ondol_error err;
    FILE *f = fopen(model_test_path("llama-q4_0"), "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    memory_source s = {.size = (size_t)ftell(f), .fail_from = UINT64_MAX};
    s.data = malloc(s.size);
    rewind(f);
    assert_int_equal(fread(s.data, 1, s.size, f), s.size);
    fclose(f);
    ondol_engine *engine = NULL;
    ondol_model *model = NULL;
    ondol_source source = {.size_bytes = s.size, .read = read_memory, .user = &s, .name = "here"};
    ASSERT_OK(ondol_engine_create(NULL, &engine, &err));
    ASSERT_OK(ondol_model_open_source(engine, &source, NULL, &model, &err));
    assert_ptr_equal(ondol_model_retain(model), model);
    ondol_model_release(model);
    ondol_model_release(model);
    model = NULL;
    s.fail_from = 0;
    ASSERT_STATUS(ondol_model_open_source(engine, &source, NULL, &model, &err), ONDOL_E_IO);
    ASSERT_CONTAINS(err.text, "here");
    assert_null(model);
    source.read = NULL;
    ASSERT_STATUS(ondol_model_open_source(engine, &source, NULL, &model, &err), ONDOL_E_ARGUMENT);
    ondol_engine_destroy(engine);
    free(s.data);
}

static int stop_at_once(void *user, uint64_t done, uint64_t total) {
    int *calls = user;
    assert_true(done <= total);
    return ++*calls == 2;
}

static void opening_can_be_stopped(void **state) {
    (void)state;
    ondol_error err;
    ondol_engine *engine = NULL;
    ondol_model *model = NULL;
    int calls = 0;
    ondol_model_options o = ONDOL_MODEL_OPTIONS_INIT;
    o.progress = stop_at_once;
    o.progress_user = &calls;
    ASSERT_OK(ondol_engine_create(NULL, &engine, &err));
    ASSERT_STATUS(ondol_model_open(engine, model_test_path("llama-q4_0"), &o, &model, &err),
                  ONDOL_E_CANCELLED);
    assert_int_equal(calls, 2);
    ASSERT_STATUS(ondol_model_open(engine, "/does/not/exist.gguf", NULL, &model, &err),
                  ONDOL_E_NOT_FOUND);
    ASSERT_CONTAINS(err.text, "/does/not/exist.gguf");
    ondol_engine_destroy(engine);
}

static void caches_check_their_sizes(void **state) {
    (void)state;
    const model_test_options o = {.threads = 1};
    model_test t;
    ondol_error err;
    ondol_cache *cache = NULL;
    model_test_open(&t, "llama-q4_0", &o);
    ondol_cache_options c = ONDOL_CACHE_OPTIONS_INIT;
    c.capacity_tokens = UINT64_MAX;
    ASSERT_STATUS(ondol_cache_create(t.model, &c, &cache, &err), ONDOL_E_ARGUMENT);
    c.capacity_tokens = 100;
    c.chunk_tokens = 1u << 30;
    ASSERT_STATUS(ondol_cache_create(t.model, &c, &cache, &err), ONDOL_E_ARGUMENT);
    c.chunk_tokens = 3;
    c.kv_type = (ondol_kv_type)7;
    ASSERT_STATUS(ondol_cache_create(t.model, &c, &cache, &err), ONDOL_E_ARGUMENT);
    c.kv_type = ONDOL_KV_Q8;
    c.max_sessions = UINT32_MAX;
    ASSERT_STATUS(ondol_cache_create(t.model, &c, &cache, &err), ONDOL_E_ARGUMENT);
    c.max_sessions = 1;
    ASSERT_OK(ondol_cache_create(t.model, &c, &cache, &err));
    ondol_cache_info info = {.struct_size = sizeof info};
    ASSERT_OK(ondol_cache_get_info(cache, &info, &err));
    assert_int_equal(info.pages * info.page_tokens, 128);
    assert_int_equal(info.pages_free, info.pages);
    ondol_session *s = NULL;
    ondol_session_options so = ONDOL_SESSION_OPTIONS_INIT;
    so.max_tokens = 101;
    ASSERT_STATUS(ondol_session_create(cache, &so, &s, &err), ONDOL_E_ARGUMENT);
    so.max_tokens = 7;
    ASSERT_OK(ondol_session_create(cache, &so, &s, &err));
    assert_int_equal(ondol_session_capacity(s), 7);
    ondol_session_destroy(s);
    ondol_cache_destroy(cache);
    model_test_close(&t);
}

static void stop_texts_and_limits_end_generation(void **state) {
    (void)state;
    const model_test_options o = {.threads = 1};
    model_test t;
    ondol_error err;
    model_test_open(&t, "llama-q4_0", &o);
    ondol_session *s = model_test_session(&t);
    ondol_generate_options g = ONDOL_GENERATE_OPTIONS_INIT;
    ondol_generate_result r = ONDOL_GENERATE_RESULT_INIT;
    const int32_t ids[3] = {5, 6, 7};
    g.max_tokens = -2;
    ASSERT_STATUS(ondol_generate(s, ids, 3, &g, &r, &err), ONDOL_E_ARGUMENT);
    g.max_tokens = 0;
    ASSERT_OK(ondol_generate(s, ids, 3, &g, &r, &err));
    assert_int_equal(r.generated_tokens, 0);
    assert_int_equal(ondol_session_length(s), 3);
    g.max_tokens = 1;
    g.ignore_end = 1;
    ASSERT_OK(ondol_generate(s, ids, 3, &g, &r, &err));
    assert_int_equal(r.generated_tokens, 1);
    assert_int_equal(r.finish, ONDOL_FINISH_LENGTH);
    assert_int_equal(ondol_session_length(s), 6);
    assert_string_equal(ondol_finish_name(r.finish), "length");
    ASSERT_STATUS(ondol_generate(s, ids, 0, &g, &r, &err), ONDOL_E_ARGUMENT);
    ondol_session_destroy(s);
    model_test_close(&t);
}

static void log_softmax_sums_to_one(void **state) {
    (void)state;
    float logits[5] = {1.0f, -2.0f, 300.0f, 299.0f, -INFINITY}, p[5];
    double sum = 0;
    ondol_log_softmax(logits, 5, p);
    for (int i = 0; i < 5; i++)
        sum += exp((double)p[i]);
    assert_true(fabs(sum - 1) < 1e-6);
    assert_true(isinf(p[4]));
    assert_true(fabs((double)(p[2] - p[3]) - 1) < 1e-6);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(options_of_other_headers),
    cmocka_unit_test(engines_refuse_what_they_cannot_be),
    cmocka_unit_test(files_tell_what_is_in_them),
    cmocka_unit_test(models_describe_themselves_without_weights),
    cmocka_unit_test(sources_stand_in_for_files),
    cmocka_unit_test(opening_can_be_stopped),
    cmocka_unit_test(caches_check_their_sizes),
    cmocka_unit_test(stop_texts_and_limits_end_generation),
    cmocka_unit_test(log_softmax_sums_to_one),
};
MODEL_TEST_MAIN(tests)
