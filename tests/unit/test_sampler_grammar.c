/* generate/sampler with a grammar: what it masks, what accepting does, errors. */
#include "fail_alloc.h"
#include "sampler_reference.h"
#include "tokenizer_specs.h"

/* Ids of the vocabulary; logits have two places more, as padded models do. */
enum { A, B, AB, C, END, TOKENS, LOGITS = TOKENS + 2 };

typedef struct grammar_model {
    vocab v;
    text_tokenizer *tok;
    text_grammar_vocabulary *pieces;
    text_grammar *grammar;
} grammar_model;

static void open_model(grammar_model *m, const char *gbnf) {
    ondol_error err = {0};
    vocab_init(&m->v, TEXT_KIND_SPM);
    vocab_word(&m->v, "a");
    vocab_word(&m->v, "b");
    vocab_word(&m->v, "ab");
    vocab_word(&m->v, "c");
    vocab_control(&m->v, "</s>");
    vocab_roles(&m->v, TEXT_ID_NONE, END, TEXT_ID_NONE);
    ASSERT_OK(text_tokenizer_create(heap(), &m->v.spec, &m->tok, &err));
    ASSERT_OK(text_grammar_vocabulary_create(heap(), m->tok, &m->pieces, &err));
    ASSERT_OK(text_grammar_parse_gbnf(heap(), gbnf, strlen(gbnf), &m->grammar, &err));
}

static void close_model(grammar_model *m) {
    text_grammar_destroy(m->grammar);
    text_grammar_vocabulary_destroy(m->pieces);
    text_tokenizer_destroy(m->tok);
}

/* On failure neither sampler nor matcher is left. */
static ondol_status create(const ondol_allocator *a, const grammar_model *m,
                           const ondol_sampler_options *o, generate_sampler **out,
                           ondol_error *err) {
    text_grammar_matcher *matcher = NULL;
    ondol_status status = text_grammar_matcher_create(a, m->grammar, m->pieces, &matcher, err);
    if (status != ONDOL_OK) return status;
    status = generate_sampler_create(a, m->tok, LOGITS, o, matcher, out, err);
    if (status != ONDOL_OK) text_grammar_matcher_destroy(matcher);
    return status;
}

/* The letters of the ids that may be chosen now: "ab2c." and "+" for what is past the vocabulary.
 */
static void expect_allowed(generate_sampler *s, const char *want) {
    static const float logits[LOGITS] = {0};
    char got[LOGITS + 1] = "";
    size_t n = 0;
    ondol_error err = {0};
    ASSERT_OK(sampler_adjust(s, logits, &err));
    for (size_t id = 0; id < LOGITS; id++) {
        if (s->values[id] > -INFINITY) got[n++] = "ab2c.++"[id];
    }
    got[n] = 0;
    assert_string_equal(got, want);
}

static void only_what_the_grammar_allows(void **state) {
    (void)state;
    grammar_model m;
    ondol_error err = {0};
    generate_sampler *s = NULL;
    ondol_sampler_options o = ONDOL_SAMPLER_OPTIONS_INIT;
    int32_t token;
    const float logits[LOGITS] = {0, 1, 2, 3, 4, 5, 6};
    o.temperature = 0;
    open_model(&m, "root ::= \"a\" \"b\" \"c\"?");
    ASSERT_OK(create(heap(), &m, &o, &s, &err));
    assert_false(s->plain_greedy);
    expect_allowed(s, "a2");
    ASSERT_OK(generate_sampler_sample(s, logits, &token, &err));
    assert_int_equal(token, AB);
    ASSERT_OK(generate_sampler_accept(s, C, true, &err)); /* a prompt token moves nothing */
    expect_allowed(s, "a2");
    ASSERT_STATUS(generate_sampler_accept(s, B, false, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "token 1: the grammar does not allow it here");
    expect_allowed(s, "a2");
    ASSERT_OK(generate_sampler_accept(s, A, false, &err));
    expect_allowed(s, "b");
    ASSERT_OK(generate_sampler_accept(s, B, false, &err));
    expect_allowed(s, "c.");
    ASSERT_OK(generate_sampler_sample(s, logits, &token, &err));
    assert_int_equal(token, END);
    ASSERT_OK(generate_sampler_accept(s, C, false, &err));
    expect_allowed(s, ".");
    generate_sampler_reset(s);
    expect_allowed(s, "a2");
    generate_sampler_destroy(s);
    close_model(&m);
}

/* Bias comes before it and cannot bring back what it forbids; it can forbid what is left. */
static void bias_and_grammar_leave_nothing(void **state) {
    (void)state;
    grammar_model m;
    ondol_error err = {0};
    generate_sampler *s = NULL;
    ondol_sampler_options o = ONDOL_SAMPLER_OPTIONS_INIT;
    const ondol_logit_bias bias[] = {{C, 100}, {A, -INFINITY}, {AB, -INFINITY}};
    const float logits[LOGITS] = {0};
    int32_t token = -5;
    open_model(&m, "root ::= \"ab\"");
    o.logit_bias = bias;
    for (o.logit_bias_count = 1; o.logit_bias_count <= 3; o.logit_bias_count++) {
        ASSERT_OK(create(heap(), &m, &o, &s, &err));
        ondol_status status = generate_sampler_sample(s, logits, &token, &err);
        assert_int_equal(status, o.logit_bias_count < 3 ? ONDOL_OK : ONDOL_E_FORMAT);
        if (o.logit_bias_count == 2) assert_int_equal(token, AB);
        generate_sampler_destroy(s);
    }
    close_model(&m);
}

/* Penalties come after it: a forbidden token stays forbidden, negative ones included. */
static void draws_stay_within_the_grammar(void **state) {
    (void)state;
    grammar_model m;
    ondol_error err = {0};
    generate_sampler *s = NULL;
    ondol_sampler_options o = bare_options();
    const float logits[LOGITS] = {1, 1, 1, 1, 1, 1, 1};
    size_t ends = 0, lengths = 0;
    o.presence_penalty = -2;
    o.repeat_penalty = 0.5f;
    open_model(&m, "root ::= (\"a\" | \"c\")* \"b\"");
    ASSERT_OK(create(heap(), &m, &o, &s, &err));
    for (int run = 0; run < 200; run++) {
        char text[4000] = "";
        size_t n = 0;
        for (int32_t token = A; token != END && n < 3990;) {
            static const char *const texts[] = {"a", "b", "ab", "c", ""};
            ASSERT_OK(generate_sampler_sample(s, logits, &token, &err));
            assert_in_range(token, A, END);
            ASSERT_OK(generate_sampler_accept(s, token, false, &err));
            memcpy(text + n, texts[token], strlen(texts[token]));
            n += strlen(texts[token]);
            ends += token == END;
        }
        assert_true(n >= 1 && text[n - 1] == 'b' && strspn(text, "ac") == n - 1);
        lengths += n;
        const uint64_t draws = s->draws;
        generate_sampler_reset(s);
        s->draws = draws; /* other numbers in the next run */
    }
    assert_int_equal(ends, 200);
    assert_true(lengths > 300);
    generate_sampler_destroy(s);
    close_model(&m);
}

static void memory_may_fail_anywhere(void **state) {
    (void)state;
    grammar_model m;
    ondol_sampler_options o = bare_options();
    const float logits[LOGITS] = {0};
    open_model(&m, "root ::= (\"a\" | \"bc\")+");
    for (size_t n = 0;; n++) {
        fail_alloc memory;
        ondol_error err = {0};
        generate_sampler *s = NULL;
        int32_t token;
        fail_alloc_init(&memory, n);
        ondol_status status = create(&memory.api, &m, &o, &s, &err);
        for (int i = 0; i < 20 && status == ONDOL_OK; i++) {
            status = generate_sampler_sample(s, logits, &token, &err);
            if (status == ONDOL_OK) status = generate_sampler_accept(s, token, false, &err);
        }
        generate_sampler_destroy(s);
        fail_alloc_check_empty(&memory);
        if (!memory.failed) break;
        ASSERT_STATUS(status, ONDOL_E_MEMORY);
    }
    close_model(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_the_grammar_allows),
        cmocka_unit_test(bias_and_grammar_leave_nothing),
        cmocka_unit_test(draws_stay_within_the_grammar),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
