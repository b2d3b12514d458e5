/* Masks: equal to trying each token, on a small vocabulary and on the bytes of characters; tokens
 * that a grammar names; clones; emptied tables; allocation failures; time on a real vocabulary. */
#include <stdlib.h>

#include "base/os.h"
#include "fail_alloc.h"
#include "formats/gguf/gguf_file.h"
#include "grammar_vocab.h"
#include "models/gguf_text.h"
#include "text/grammar/grammar_automaton.h"

typedef struct fixture {
    ondol_allocator heap;
    text_tokenizer *tok;
    text_grammar_vocabulary *vocabulary;
    text_grammar *grammar;
} fixture;

static int set_up(void **state) {
    static fixture f;
    ondol_error err = {0};
    f = (fixture){base_default_allocator(), NULL, NULL, NULL};
    f.tok = vocab_create(&f.heap);
    assert_non_null(f.tok);
    ASSERT_OK(text_grammar_vocabulary_create(&f.heap, f.tok, &f.vocabulary, &err));
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    text_grammar_vocabulary_destroy(f->vocabulary);
    text_tokenizer_destroy(f->tok);
    return 0;
}

static text_grammar_matcher *start(fixture *f, const char *source) {
    ondol_error err = {0};
    text_grammar_matcher *m = NULL;
    ASSERT_OK(text_grammar_parse_gbnf(&f->heap, source, strlen(source), &f->grammar, &err));
    ASSERT_OK(text_grammar_matcher_create(&f->heap, f->grammar, f->vocabulary, &m, &err));
    return m;
}

static void finish(fixture *f, text_grammar_matcher *m) {
    text_grammar_matcher_destroy(m);
    text_grammar_destroy(f->grammar);
}

/* The id of a word of the vocabulary. */
static int32_t vocab_id(const text_tokenizer *tok, const char *word) {
    const int32_t id = text_token_find(tok, word, strlen(word));
    if (id < 0) fail_msg("no token '%s'", word);
    return id;
}

static bool bit(const uint32_t *bits, int32_t id) {
    return bits[id / 32] >> id % 32 & 1;
}

/* The mask against clone + accept, and against a matcher that has met nothing yet and reads the
 * same bytes. Returns how many tokens are allowed. */
static size_t check_mask(const fixture *f, text_grammar_matcher *m) {
    ondol_error err = {0};
    uint32_t bits[(VOCAB_CAPACITY + 31) / 32];
    size_t allowed = 0;
    assert_int_equal(text_grammar_mask_words(m), sizeof bits / sizeof bits[0]);
    ASSERT_OK(text_grammar_mask(m, bits, &err));
    for (int32_t id = 0; id < VOCAB_CAPACITY; id++) {
        text_grammar_matcher *clone = NULL;
        bool allows = false;
        ASSERT_OK(text_grammar_matcher_clone(m, &clone, &err));
        const ondol_status status = text_grammar_accept_token(clone, id, &err);
        ASSERT_OK(text_grammar_allows(m, id, &allows, &err));
        text_grammar_matcher_destroy(clone);
        if (status != ONDOL_OK) assert_int_equal(status, ONDOL_E_ARGUMENT);
        if ((status == ONDOL_OK) != bit(bits, id) || allows != bit(bits, id))
            fail_msg("token %d: mask %d, accept %d, allows %d", id, bit(bits, id),
                     status == ONDOL_OK, allows);
        allowed += bit(bits, id);
    }
    for (int32_t id = VOCAB_CAPACITY; id < (int32_t)(32 * text_grammar_mask_words(m)); id++)
        assert_false(bit(bits, id));
    assert_int_equal(bit(bits, VOCAB_EOS), text_grammar_is_complete(m));
    assert_false(bit(bits, VOCAB_BOS));
    (void)f;
    return allowed;
}

static const char json_source[] =
    "root ::= object\n"
    "value ::= object | array | string | number | \"true\" | \"false\" | \"null\"\n"
    "object ::= \"{\" ws (string \":\" ws value (\",\" ws string \":\" ws value)*)? \"}\"\n"
    "array ::= \"[\" ws (value (\",\" ws value)*)? \"]\"\n"
    "string ::= \"\\\"\" ([^\"\\\\\\x7F\\x00-\\x1F] | \"\\\\\" ([\"\\\\bfnrt] | \"u\" "
    "[0-9a-fA-F]{4}))* \"\\\"\"\n"
    "number ::= \"-\"? (\"0\" | [1-9] [0-9]{0,15}) (\".\" [0-9]+)?\n"
    "ws ::= | \" \" | \"\\n\" [ \\t]{0,20}\n";

/* At each byte of a document. */
static void test_mask_is_brute_force(void **state) {
    fixture *f = *state;
    static const struct {
        const char *source, *text;
    } cases[] = {
        {json_source, "{\"ab\": [[-12.5, true], null, \"\\u00e9 caf\xc3\xa9 \xf0\x9f\x98\x80\"]}"},
        {"root ::= [\\u3040-\\u309f]+ \"!\"?", "\xe3\x81\x82\xe3\x81\x84!"},
        {"root ::= .{3} [^a]*", "a\xc3\xa9\xf0\x9f\x98\x80xy"},
        {"root ::= (\"a\" | \"aa\" | \"aaa\")* \"x\"{0,2}", "aaaaaax"},
        {"root ::= \"(\" root \")\" | \"a\"{2,3} \"bc\"?", "((aabc))"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ondol_error err = {0};
        text_grammar_matcher *m = start(f, cases[i].source);
        for (const char *p = cases[i].text; *p; p++) {
            assert_true(check_mask(f, m) > 0);
            ASSERT_OK(text_grammar_accept_bytes(m, p, 1, &err));
        }
        check_mask(f, m);
        assert_true(text_grammar_is_complete(m));
        finish(f, m);
    }
}

static void test_token_parts_of_characters(void **state) {
    fixture *f = *state;
    ondol_error err = {0};
    text_grammar_matcher *m = start(f, "root ::= [\\u3041-\\u3096]{2}");
    const unsigned char bytes[] = {0xe3, 0x81, 0x82};
    for (size_t i = 0; i < 3; i++) {
        assert_false(text_grammar_is_complete(m));
        ASSERT_OK(text_grammar_accept_token(m, bytes[i], &err));
        check_mask(f, m);
    }
    ASSERT_STATUS(text_grammar_accept_token(m, 'a', &err), ONDOL_E_ARGUMENT);
    ASSERT_CONTAINS(err.text, "token 97 ('<0x61>')");
    ASSERT_STATUS(text_grammar_accept_token(m, VOCAB_EOS, &err), ONDOL_E_ARGUMENT);
    ASSERT_STATUS(text_grammar_accept_token(m, VOCAB_CAPACITY, &err), ONDOL_E_ARGUMENT);
    ASSERT_STATUS(text_grammar_accept_token(m, -1, &err), ONDOL_E_ARGUMENT);
    ASSERT_OK(text_grammar_accept_token(m, vocab_id(f->tok, "\xe3\x81\x82"), &err));
    assert_true(text_grammar_is_complete(m));
    assert_int_equal(check_mask(f, m), 1);
    ASSERT_OK(text_grammar_accept_token(m, VOCAB_EOS, &err));
    assert_true(text_grammar_is_complete(m));
    text_grammar_matcher_reset(m);
    assert_false(text_grammar_is_complete(m));
    check_mask(f, m);
    finish(f, m);
}

static void test_named_tokens(void **state) {
    fixture *f = *state;
    ondol_error err = {0};
    text_grammar_matcher *m =
        start(f, "root ::= <think> !</think>* </think> (\"a\" | <[260]> | !<[97]> !<[98]>) \"b\"");
    assert_int_equal(check_mask(f, m), 1);
    ASSERT_STATUS(text_grammar_accept_bytes(m, "<think>", 7, &err), ONDOL_E_ARGUMENT);
    ASSERT_OK(text_grammar_accept_token(m, VOCAB_THINK, &err));
    uint32_t bits[(VOCAB_CAPACITY + 31) / 32];
    ASSERT_OK(text_grammar_mask(m, bits, &err));
    assert_true(bit(bits, VOCAB_UNTHINK) && bit(bits, VOCAB_THINK) && bit(bits, VOCAB_BOS));
    assert_true(bit(bits, 'a') && bit(bits, 0xff) && !bit(bits, VOCAB_EOS));
    ASSERT_OK(text_grammar_accept_token(m, vocab_id(f->tok, "abc"), &err));
    ASSERT_OK(text_grammar_accept_token(m, 0xff, &err));
    ASSERT_OK(text_grammar_accept_token(m, VOCAB_UNTHINK, &err));
    ASSERT_OK(text_grammar_mask(m, bits, &err));
    assert_true(bit(bits, 'a') && bit(bits, VOCAB_TOOL) && bit(bits, 'c'));
    text_grammar_matcher *other = NULL;
    ASSERT_OK(text_grammar_matcher_clone(m, &other, &err));
    ASSERT_OK(text_grammar_accept_token(m, 'a', &err)); /* only as the character */
    ASSERT_STATUS(text_grammar_accept_token(m, 'c', &err), ONDOL_E_ARGUMENT);
    ASSERT_OK(text_grammar_accept_token(m, 'b', &err));
    assert_true(text_grammar_is_complete(m));
    text_grammar_matcher_copy(m, other);
    ASSERT_OK(text_grammar_accept_token(m, VOCAB_TOOL, &err)); /* itself, or any but 'a' */
    ASSERT_OK(text_grammar_mask(m, bits, &err));
    assert_true(bit(bits, 'b') && bit(bits, 'a') && bit(bits, VOCAB_THINK));
    text_grammar_matcher_destroy(other);
    ASSERT_OK(text_grammar_accept_token(m, 'a', &err));
    ASSERT_OK(text_grammar_accept_token(m, 'b', &err));
    assert_true(text_grammar_is_complete(m));
    finish(f, m);
}

static void test_named_tokens_refused(void **state) {
    fixture *f = *state;
    static const struct {
        const char *source, *part;
    } cases[] = {{"root ::= <[301]>", "token 301 of a vocabulary of 301"},
                 {"root ::= \"a\" <no-such>", "column 14: '<no-such>' is"}};
    for (size_t i = 0; i < 2; i++) {
        ondol_error err = {0};
        text_grammar *g = NULL;
        text_grammar_matcher *m = NULL;
        ASSERT_OK(
            text_grammar_parse_gbnf(&f->heap, cases[i].source, strlen(cases[i].source), &g, &err));
        ASSERT_STATUS(text_grammar_matcher_create(&f->heap, g, f->vocabulary, &m, &err),
                      ONDOL_E_FORMAT);
        assert_null(m);
        ASSERT_CONTAINS(err.text, cases[i].part);
        text_grammar_destroy(g);
    }
}

/* With tables so small that they are emptied all the time, the answers are the same. */
static void test_emptied_tables(void **state) {
    fixture *f = *state;
    ondol_error err = {0};
    const char *text = "{\"ab\": [[-12.5, true], {\"c\": [[[[1]]]]}, \"\\u00e9 caf\xc3\xa9\"]}";
    text_grammar_matcher *m = start(f, json_source), *clone = NULL;
    text_grammar_matcher *roomy = NULL;
    ASSERT_OK(text_grammar_matcher_create(&f->heap, f->grammar, f->vocabulary, &roomy, &err));
    m->automaton->cache_bytes = 6000;
    ASSERT_OK(text_grammar_matcher_clone(m, &clone, &err));
    size_t emptied = 0, before = 0;
    for (const char *p = text; *p; p++) {
        uint32_t a[(VOCAB_CAPACITY + 31) / 32], b[(VOCAB_CAPACITY + 31) / 32];
        ASSERT_OK(text_grammar_mask(m, a, &err));
        ASSERT_OK(text_grammar_mask(roomy, b, &err));
        assert_memory_equal(a, b, sizeof a);
        if (p == text + 8) text_grammar_matcher_copy(clone, m);
        ASSERT_OK(text_grammar_accept_bytes(m, p, 1, &err));
        ASSERT_OK(text_grammar_accept_bytes(roomy, p, 1, &err));
        emptied += m->automaton->n_states < before;
        before = m->automaton->n_states;
    }
    assert_true(emptied > 5);
    assert_true(text_grammar_is_complete(m));
    /* The clone stood still, and goes on from there. */
    ASSERT_OK(text_grammar_accept_bytes(clone, text + 8, strlen(text) - 8, &err));
    assert_true(text_grammar_is_complete(clone));
    m->automaton->cache_bytes = 1;
    text_grammar_matcher_reset(m);
    ASSERT_STATUS(text_grammar_accept_bytes(m, "{\"zz", 4, &err), ONDOL_E_LIMIT);
    text_grammar_matcher_destroy(roomy);
    text_grammar_matcher_destroy(clone);
    finish(f, m);
}

static void test_deep_stack(void **state) {
    fixture *f = *state;
    ondol_error err = {0};
    text_grammar_matcher *m = start(f, json_source);
    ondol_status status = text_grammar_accept_bytes(m, "{\"a\":", 5, &err);
    size_t depth = 0;
    while (status == ONDOL_OK && depth < 100000) {
        status = text_grammar_accept_bytes(m, "[", 1, &err);
        depth++;
    }
    assert_int_equal(status, ONDOL_E_LIMIT);
    ASSERT_CONTAINS(err.text, "deep");
    assert_true(depth > 30000);
    finish(f, m);
}

static ondol_status whole_work(const ondol_allocator *a, const fixture *f, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    text_grammar *g = NULL;
    text_grammar_vocabulary *v = NULL;
    text_grammar_matcher *m = NULL, *clone = NULL;
    uint32_t bits[(VOCAB_CAPACITY + 31) / 32];
    const char *source =
        "root ::= \"[\" (root (\",\" root)*)? \"]\" | [1-9]{1,3} | <think> | !<[9]>";
    TRY(text_grammar_vocabulary_create(a, f->tok, &v, err));
    TRY(text_grammar_parse_gbnf(a, source, strlen(source), &g, err));
    TRY(text_grammar_matcher_create(a, g, v, &m, err));
    m->automaton->cache_bytes = 4000;
    for (size_t i = 0; i < 12; i++) {
        TRY(text_grammar_mask(m, bits, err));
        TRY(text_grammar_accept_token(m, "[[12,[3,12]]"[i], err));
        if (i == 3) TRY(text_grammar_matcher_clone(m, &clone, err));
    }
    TRY(text_grammar_accept_token(clone, ',', err));
done:
    text_grammar_matcher_destroy(clone);
    text_grammar_matcher_destroy(m);
    text_grammar_destroy(g);
    text_grammar_vocabulary_destroy(v);
    return status;
}

static void test_every_allocation_fails(void **state) {
    const fixture *f = *state;
    for (size_t n = 0;; n++) {
        fail_alloc memory;
        fail_alloc_init(&memory, n);
        ondol_error err = {0};
        const ondol_status status = whole_work(&memory.api, f, &err);
        fail_alloc_check_empty(&memory);
        if (!memory.failed) {
            ASSERT_OK(status);
            assert_true(n > 50);
            break;
        }
        assert_int_equal(status, ONDOL_E_MEMORY);
    }
}

/* Where a model is at hand: masks at each token of a document, met for the first time and again. */
static void test_time_on_a_model(void **state) {
    const fixture *f = *state;
    const char *path = getenv("ONDOL_TEST_MODEL");
    if (!path) {
        print_message("skipped: ONDOL_TEST_MODEL is not set, so there is no large vocabulary\n");
        skip();
    }
    ondol_error err = {0};
    gguf_file *file = NULL;
    models_text *text = NULL;
    text_tokenizer *tok = NULL;
    text_grammar_vocabulary *v = NULL;
    text_grammar *g = NULL;
    text_grammar_matcher *m = NULL;
    ASSERT_OK(gguf_file_open(&f->heap, path, NULL, &file, &err));
    ASSERT_OK(models_text_from_gguf(&f->heap, file, &text, &err));
    ASSERT_OK(text_tokenizer_create(&f->heap, &text->spec, &tok, &err));
    uint64_t from = base_now_ns();
    ASSERT_OK(text_grammar_vocabulary_create(&f->heap, tok, &v, &err));
    print_message("%zu tokens, a tree of %zu bytes in %.1f ms\n", v->n_tokens, v->n_nodes,
                  (double)(base_now_ns() - from) / 1e6);
    ASSERT_OK(text_grammar_parse_gbnf(&f->heap, json_source, strlen(json_source), &g, &err));
    ASSERT_OK(text_grammar_matcher_create(&f->heap, g, v, &m, &err));
    uint32_t *bits = calloc(text_grammar_mask_words(m), sizeof *bits);
    assert_non_null(bits);
    const char *document =
        "{\"name\": \"A longer text, with a few words\",\n  \"numbers\": [1, 20, -300.25],\n"
        "  \"nested\": {\"a\": [{\"b\": true}, {\"c\": null}], \"caf\xc3\xa9\": \"\\u00e9\"}}";
    int32_t ids[200];
    size_t count = 0;
    ASSERT_OK(text_tokenize(tok, document, strlen(document), 0, ids, 200, &count, &err));
    assert_in_range(count, 20, 200);
    for (int round = 0; round < 3; round++) {
        uint64_t worst = 0, sum = 0;
        text_grammar_matcher_reset(m);
        for (size_t i = 0; i < count; i++) {
            from = base_now_ns();
            ASSERT_OK(text_grammar_mask(m, bits, &err));
            ASSERT_OK(text_grammar_accept_token(m, ids[i], &err));
            const uint64_t took = base_now_ns() - from;
            assert_true(bit(bits, ids[i]));
            sum += took;
            if (took > worst) worst = took;
        }
        assert_true(text_grammar_is_complete(m));
        print_message("%s: %zu steps, mean %.1f us, worst %.1f us, %zu states, %zu masks\n",
                      round ? "again" : "first", count, (double)sum / 1e3 / (double)count,
                      (double)worst / 1e3, m->automaton->n_states, m->automaton->n_masks);
    }
    free(bits);
    text_grammar_matcher_destroy(m);
    text_grammar_destroy(g);
    text_grammar_vocabulary_destroy(v);
    text_tokenizer_destroy(tok);
    models_text_destroy(text);
    gguf_file_close(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mask_is_brute_force),
        cmocka_unit_test(test_token_parts_of_characters),
        cmocka_unit_test(test_named_tokens),
        cmocka_unit_test(test_named_tokens_refused),
        cmocka_unit_test(test_emptied_tables),
        cmocka_unit_test(test_deep_stack),
        cmocka_unit_test(test_every_allocation_fails),
        cmocka_unit_test(test_time_on_a_model),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
