/* Files that nobody should trust, through the whole engine: every truncation of a tiny model, bytes
 * changed in its header, weights whose scales are no numbers. Each ends in a status with a
 * sentence, or in a model that computes a step; nothing leaks, and memory stays in proportion to
 * the file. */
#include "../unit/fail_alloc.h"
#include "model_test.h"

#define HEADER_FAULTS 3000
/* A tiny model takes this much beside its file: graph, plans, cache, outputs. */
#define MEMORY_MAX    ((size_t)64 << 20)

typedef struct image {
    unsigned char *data;
    size_t size, given; /* bytes, and how many of them a source gives */
} image;

static image read_image(const char *name) {
    FILE *f = fopen(model_test_path(name), "rb");
    assert_non_null(f);
    fseek(f, 0, SEEK_END);
    image m = {.size = (size_t)ftell(f)};
    m.given = m.size;
    m.data = malloc(m.size);
    assert_non_null(m.data);
    rewind(f);
    assert_int_equal(fread(m.data, 1, m.size, f), m.size);
    fclose(f);
    return m;
}

static int read_piece(void *user, uint64_t offset, void *to, size_t size) {
    const image *m = user;
    if (offset > m->given || size > m->given - offset) return 1;
    memcpy(to, m->data + offset, size);
    return 0;
}

/* Opens the image and, when that is possible, computes one step. */
static ondol_status try_image(const ondol_allocator *a, const image *m, ondol_error *err) {
    ondol_engine_options eo = ONDOL_ENGINE_OPTIONS_INIT;
    ondol_cache_options co = ONDOL_CACHE_OPTIONS_INIT;
    ondol_source source = {.size_bytes = m->given, .read = read_piece, .name = "image"};
    union {
        const image *in;
        void *out;
    } user = {.in = m};
    ondol_engine *engine = NULL;
    ondol_model *model = NULL;
    ondol_cache *cache = NULL;
    ondol_session *session = NULL;
    const int32_t ids[3] = {1, 2, 0};
    source.user = user.out;
    eo.threads = 1;
    eo.allocator = a;
    co.capacity_tokens = 32;
    co.chunk_tokens = 2;
    co.max_output_rows = 1;
    ondol_status status = ondol_engine_create(&eo, &engine, err);
    if (!status) status = ondol_model_open_source(engine, &source, NULL, &model, err);
    if (!status) status = ondol_cache_create(model, &co, &cache, err);
    if (!status) status = ondol_session_create(cache, NULL, &session, err);
    if (!status) {
        ondol_item item = ONDOL_ITEM_INIT;
        item.session = session;
        item.tokens = ids;
        item.token_count = 3;
        status = ondol_step(&item, 1, err);
    }
    ondol_session_destroy(session);
    ondol_cache_destroy(cache);
    ondol_model_release(model);
    ondol_engine_destroy(engine);
    return status;
}

/* True when the image works. */
static bool survives(const image *m, const char *what, size_t where) {
    fail_alloc memory;
    ondol_error err = {.status = ONDOL_OK};
    fail_alloc_init(&memory, FAIL_ALLOC_NEVER);
    const ondol_status status = try_image(&memory.api, m, &err);
    fail_alloc_check_empty(&memory);
    if (memory.peak_bytes > MEMORY_MAX + 8 * m->size) {
        fail_msg("%s %zu: took %zu bytes", what, where, (size_t)memory.peak_bytes);
    }
    if (status == ONDOL_OK) return true;
    if (status == ONDOL_E_INTERNAL || status == ONDOL_E_MEMORY || err.status != status ||
        strlen(err.text) < 8) {
        fail_msg("%s %zu: %s '%s'", what, where, ondol_status_name(status), err.text);
    }
    return false;
}

/* The header ends where the first tensor's data begins: a little more than the vocabulary. */
static size_t header_bytes(const image *m) {
    return m->size < 16384 ? m->size : 16384;
}

static void every_truncation(void **state) {
    (void)state;
    image m = read_image("llama-q4_0");
    for (m.given = 0; m.given < m.size; m.given += m.given < 400                ? 1
                                                   : m.given < header_bytes(&m) ? 37
                                                                                : 1999) {
        if (survives(&m, "cut at", m.given)) fail_msg("cut at %zu: it works", m.given);
    }
    m.given = m.size - 1;
    assert_false(survives(&m, "cut at", m.given));
    m.given = m.size;
    assert_true(survives(&m, "whole", 0));
    free(m.data);
}

static void changed_bytes(void **state) {
    (void)state;
    static const char *const models[] = {"llama-q4_0", "phi3-longrope", "gemma2", "llama-v1"};
    uint32_t x = 20261123;
    size_t works = 0;
    print_message("seed %u\n", x);
    for (size_t k = 0; k < sizeof models / sizeof *models; k++) {
        image m = read_image(models[k]);
        for (size_t i = 0; i < HEADER_FAULTS / 4; i++) {
            x = x * 1664525u + 1013904223u;
            const size_t at = (x >> 4) % header_bytes(&m);
            const unsigned char old = m.data[at];
            x = x * 1664525u + 1013904223u;
            m.data[at] = x & 0x100 ? 0xff : (unsigned char)(x >> 16);
            works += survives(&m, models[k], at);
            m.data[at] = old;
        }
        free(m.data);
    }
    print_message("%zu of %u changed files still work\n", works, HEADER_FAULTS);
    assert_true(works < HEADER_FAULTS);
}

/* The f16 scale of every block becomes NaN: logits are NaN, and nothing else happens; greedy then
 * says that there is no token. */
static void scales_that_are_no_numbers(void **state) {
    (void)state;
    image m = read_image("llama-q4_0");
    for (size_t at = header_bytes(&m); at + 2 <= m.size; at += 18) {
        m.data[at] = 0xff;
        m.data[at + 1] = 0x7f;
    }
    assert_true(survives(&m, "NaN", 0));
    for (size_t at = header_bytes(&m); at < m.size; at++)
        m.data[at] = (unsigned char)(at * 7);
    assert_true(survives(&m, "noise", 0));
    free(m.data);
}

/* Each key and each tensor of the file in turn gets another name: what needs it says so, by name.
 */
static void missing_keys_and_tensors(void **state) {
    (void)state;
    static const char *const needed[] = {
        "llama.block_count",
        "llama.embedding_length",
        "llama.attention.head_count",
        "llama.feed_forward_length",
        "llama.attention.layer_norm_rms_epsilon",
        "general.architecture",
        "tokenizer.ggml.tokens",
        "token_embd.weight",
        "output_norm.weight",
        "blk.0.attn_norm.weight",
        "blk.0.attn_q.weight",
        "blk.0.attn_k.weight",
        "blk.0.attn_v.weight",
        "blk.0.attn_output.weight",
        "blk.0.ffn_norm.weight",
        "blk.0.ffn_up.weight",
        "blk.0.ffn_down.weight",
        "blk.1.ffn_down.weight",
    };
    image m = read_image("llama-q4_0");
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        const size_t n = strlen(needed[i]);
        size_t found = 0;
        for (size_t at = 0; at + n < m.size && !found; at++) {
            if (memcmp(m.data + at, needed[i], n) == 0 && m.data[at - 8] == n) found = at;
        }
        if (!found) fail_msg("'%s' is not in the file", needed[i]);
        m.data[found + n - 1] ^= 1;
        ondol_allocator heap = base_default_allocator();
        ondol_error err = {.status = ONDOL_OK};
        const ondol_status status = try_image(&heap, &m, &err);
        if (status != ONDOL_E_NOT_FOUND && status != ONDOL_E_FORMAT) {
            fail_msg("without '%s': %s '%s'", needed[i], ondol_status_name(status), err.text);
        }
        ASSERT_CONTAINS(err.text, needed[i]);
        m.data[found + n - 1] ^= 1;
    }
    assert_true(survives(&m, "whole again", 0));
    free(m.data);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(missing_keys_and_tensors),
    cmocka_unit_test(every_truncation),
    cmocka_unit_test(changed_bytes),
    cmocka_unit_test(scales_that_are_no_numbers),
};
MODEL_TEST_MAIN(tests)
