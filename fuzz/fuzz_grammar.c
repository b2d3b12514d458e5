/* Grammars and JSON schemas from bytes that nobody vouches for. What compiles is walked: masks
 * agree with trying tokens, and what a mask allows is accepted. First byte: even a grammar, odd a
 * schema; its other bits choose among the allowed tokens. */
#include <stdlib.h>

#include "fuzz.h"
#include "grammar_vocab.h"

#define STEPS 12

typedef struct bounded_heap {
    ondol_allocator heap;
    size_t left_bytes;
} bounded_heap;

/* Refuses rather than aborts: repeat counts may ask for much, and a refusal must be survived. */
static void *bounded_alloc(void *user, size_t size, size_t align) {
    bounded_heap *b = user;
    if (size > b->left_bytes) return NULL;
    b->left_bytes -= size;
    return b->heap.alloc(b->heap.user, size, align);
}

static void bounded_release(void *user, void *p) {
    bounded_heap *b = user;
    b->heap.release(b->heap.user, p);
}

static bool bit(const uint32_t *bits, int32_t id) {
    return bits[id / 32] >> id % 32 & 1;
}

static void check_status(ondol_status status, const ondol_error *err) {
    if (status != ONDOL_OK && (err->status != status || err->text[0] == 0)) abort();
}

/* One step: the mask against trying every 7th token; then an allowed token. False: no way on. */
static bool walk(text_grammar_matcher *m, uint32_t *choice) {
    uint32_t bits[(VOCAB_CAPACITY + 31) / 32];
    ondol_error err = {0};
    const ondol_status status = text_grammar_mask(m, bits, &err);
    check_status(status, &err);
    if (status != ONDOL_OK) return false;
    if (bit(bits, VOCAB_EOS) != text_grammar_is_complete(m)) abort();
    int32_t last = -1;
    for (int32_t i = 0; i < VOCAB_CAPACITY; i++) {
        const int32_t id = (int32_t)((*choice + (uint32_t)i) % VOCAB_CAPACITY);
        bool allows = false;
        if (bit(bits, id) && id != VOCAB_EOS && last < 0) last = id;
        if (i % 7) continue;
        const ondol_status tried = text_grammar_allows(m, id, &allows, &err);
        check_status(tried, &err);
        if (tried == ONDOL_OK && allows != bit(bits, id)) abort();
    }
    if (last < 0) return false;
    *choice = *choice * 1664525 + 1013904223;
    const ondol_status accepted = text_grammar_accept_token(m, last, &err);
    check_status(accepted, &err);
    if (accepted == ONDOL_E_ARGUMENT) abort();
    return accepted == ONDOL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static text_tokenizer *tok = NULL;
    static text_grammar_vocabulary *vocabulary = NULL;
    static ondol_allocator heap;
    if (!tok) {
        heap = base_default_allocator();
        tok = vocab_create(&heap);
        if (!tok || text_grammar_vocabulary_create(&heap, tok, &vocabulary, NULL) != ONDOL_OK)
            abort();
    }
    if (size == 0) return 0;
    bounded_heap bounded = {heap, (size_t)256 << 20};
    const ondol_allocator allocator = {bounded_alloc, bounded_release, &bounded};
    const char *text = (const char *)data + 1;
    text_grammar *g = NULL;
    text_grammar_matcher *m = NULL;
    ondol_error err = {0};
    ondol_status status = data[0] & 1
                              ? text_grammar_from_json_schema(&allocator, text, size - 1, &g, &err)
                              : text_grammar_parse_gbnf(&allocator, text, size - 1, &g, &err);
    if ((status == ONDOL_OK) != (g != NULL)) abort();
    check_status(status, &err);
    if (g) {
        status = text_grammar_matcher_create(&allocator, g, vocabulary, &m, &err);
        check_status(status, &err);
    }
    uint32_t choice = data[0];
    for (int i = 0; m && i < STEPS && walk(m, &choice); i++) {
    }
    text_grammar_matcher_destroy(m);
    text_grammar_destroy(g);
    return 0;
}
