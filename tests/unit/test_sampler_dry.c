/* generate/sampler_dry: against a search of all places, with sequence breakers found in the text.
 */
#include "fail_alloc.h"
#include "sampler_reference.h"
#include "tokenizer_specs.h"

typedef struct small_model {
    vocab v;
    text_tokenizer *tok;
    char texts[64][8]; /* of each token */
    uint32_t tokens;
} small_model;

static void open_small(small_model *m, const char *const *texts, size_t n) {
    ondol_error err = {0};
    vocab_init(&m->v, TEXT_KIND_SPM);
    vocab_roles(&m->v, TEXT_ID_NONE, TEXT_ID_NONE, TEXT_ID_NONE);
    for (size_t i = 0; i < n; i++) {
        vocab_word(&m->v, texts[i]);
        strcpy(m->texts[i], texts[i]);
    }
    m->tokens = (uint32_t)n;
    ASSERT_OK(text_tokenizer_create(heap(), &m->v.spec, &m->tok, &err));
}

static ondol_sampler_options dry_options(void) {
    ondol_sampler_options o = bare_options();
    o.dry_multiplier = 1;
    o.dry_base = 2;
    o.dry_allowed_length = 2;
    return o;
}

/* What DRY takes off each token, after these tokens. */
static void penalties_of(const text_tokenizer *tok, uint32_t vocabulary,
                         const ondol_sampler_options *o, const int32_t *tokens, size_t n,
                         double *penalties) {
    static const float zeros[64];
    ondol_error err = {0};
    generate_sampler *s = NULL;
    ASSERT_OK(generate_sampler_create(heap(), tok, vocabulary, o, NULL, &s, &err));
    for (size_t i = 0; i < n; i++)
        ASSERT_OK(generate_sampler_accept(s, tokens[i], i % 3 == 0, &err));
    for (int twice = 0; twice < 2; twice++) { /* nothing is left behind by the first time */
        ASSERT_OK(sampler_adjust(s, zeros, &err));
        for (uint32_t i = 0; i < vocabulary; i++)
            penalties[i] = -s->values[i];
    }
    generate_sampler_destroy(s);
}

static void repetition_by_hand(void **state) {
    (void)state;
    /* a b c c b c y a b c: a next c would repeat "a b c", y "b c", b "c" alone. */
    const int32_t tokens[] = {0, 1, 2, 2, 1, 2, 3, 0, 1, 2};
    double p[5];
    ondol_sampler_options o = dry_options();
    penalties_of(NULL, 5, &o, tokens, 10, p);
    assert_true(p[0] == 0 && p[1] == 0 && p[2] == 2 && p[3] == 1 && p[4] == 0);
    o.dry_allowed_length = 1;
    o.dry_multiplier = 0.5f;
    penalties_of(NULL, 5, &o, tokens, 10, p);
    assert_true(p[0] == 0 && p[1] == 0.5 && p[2] == 2 && p[3] == 1 && p[4] == 0);
    o.dry_penalty_last_n = 6; /* b c y a b c */
    penalties_of(NULL, 5, &o, tokens, 10, p);
    assert_true(p[1] == 0 && p[2] == 0 && p[3] == 1);
    o.dry_penalty_last_n = 0;
    penalties_of(NULL, 5, &o, tokens, 10, p);
    assert_true(p[2] == 0 && p[3] == 0);
}

/* Mirostat stands in DRY's place; temperature 0 does not take it away. */
static void dry_goes_with_the_rest(void **state) {
    (void)state;
    const int32_t tokens[] = {0, 1, 2, 2, 1, 2, 3, 0, 1, 2};
    double p[5];
    ondol_sampler_options o = dry_options();
    o.mirostat = 2;
    penalties_of(NULL, 5, &o, tokens, 10, p);
    assert_true(p[2] == 0 && p[3] == 0);
    o.temperature = 0;
    penalties_of(NULL, 5, &o, tokens, 10, p);
    assert_true(p[2] == 2 && p[3] == 1);
}

/* ---- against a plain search ---- */

/* How many tokens stand behind the last place where a breaker begins in a token and ends. */
static size_t plain_reach(const small_model *m, const ondol_sampler_options *o,
                          const int32_t *tokens, size_t n) {
    for (size_t back = 0; back < n; back++) {
        const size_t at = n - 1 - back, own = strlen(m->texts[tokens[at]]);
        char text[1000] = "";
        size_t ends[200], longest = SIZE_MAX;
        for (size_t i = at; i < n; i++) {
            strcat(text, m->texts[tokens[i]]);
            ends[i - at] = strlen(text);
        }
        for (size_t b = 0; b < o->dry_sequence_breaker_count; b++) {
            const char *breaker = o->dry_sequence_breakers[b];
            const bool inside = strstr(m->texts[tokens[at]], breaker) != NULL;
            for (size_t from = 0; from < own; from++) {
                size_t used = 0;
                if (strncmp(text + from, breaker, strlen(breaker)) != 0) continue;
                while (ends[used] < from + strlen(breaker))
                    used++;
                if (inside && used > 0) continue;
                if (longest == SIZE_MAX || used > longest) longest = used;
            }
        }
        if (longest != SIZE_MAX) return back - longest;
    }
    return n;
}

static void plain_penalties(const small_model *m, const ondol_sampler_options *o,
                            const int32_t *all, size_t all_count, double *penalties) {
    const size_t window = o->dry_penalty_last_n < 0 ? all_count : (size_t)o->dry_penalty_last_n;
    const size_t n = all_count < window ? all_count : window;
    const int32_t *tokens = all + (all_count - n);
    const size_t allowed = (size_t)o->dry_allowed_length;
    for (uint32_t id = 0; id < m->tokens; id++)
        penalties[id] = 0;
    if (n <= allowed) return;
    const size_t reach = plain_reach(m, o, tokens, n);
    if (reach < allowed) return;
    for (uint32_t id = 0; id < m->tokens; id++) {
        bool breaks = false, found = false;
        size_t longest = 0;
        for (size_t b = 0; b < o->dry_sequence_breaker_count; b++)
            breaks = breaks || strstr(m->texts[id], o->dry_sequence_breakers[b]);
        for (size_t at = 1; at < n; at++) { /* before tokens[at] ... as before the end */
            size_t length = 0;
            if (tokens[at] != (int32_t)id) continue;
            while (length < at && length < reach &&
                   tokens[at - 1 - length] == tokens[n - 1 - length])
                length++;
            if (length < allowed) continue;
            found = true;
            if (length > longest) longest = length;
        }
        if (found && !breaks) {
            penalties[id] =
                (double)o->dry_multiplier * pow((double)o->dry_base, (double)(longest - allowed));
        }
    }
}

static void as_a_plain_search(void **state) {
    (void)state;
    static const char *const texts[] = {"a", "b", "ab", "ba", "\n", "x\n", "c", "bc", "aa", "cab"};
    static const char *const breakers[5][3] = {{"\n", "c", "*"},
                                               {"abc", "\n", "zz"},
                                               {"aab", "ab", "bcb"},
                                               {"aaaa", "cabab", "\n"},
                                               {"ba", "bab", "baa"}};
    small_model m;
    uint64_t random = 5;
    size_t penalised = 0;
    open_small(&m, texts, 10);
    for (int round = 0; round < 6000; round++) {
        ondol_sampler_options o = dry_options();
        const size_t n = test_random(&random) % 120;
        const uint64_t kinds = 2 + test_random(&random) % 9;
        int32_t tokens[120];
        double got[10], want[10];
        for (size_t i = 0; i < n; i++) {
            const bool copy = i > 8 && test_random(&random) % 4;
            tokens[i] = copy ? tokens[i - 1 - test_random(&random) % 2 * 6]
                             : (int32_t)(test_random(&random) % kinds);
            if (tokens[i] > 9) tokens[i] = 9;
        }
        o.dry_base = 1 + (float)(test_random(&random) % 3) * 0.25f;
        o.dry_allowed_length = (int32_t)(test_random(&random) % 5);
        o.dry_penalty_last_n = (int32_t)(test_random(&random) % 130) - 1;
        o.dry_sequence_breakers = breakers[test_random(&random) % 5];
        o.dry_sequence_breaker_count = test_random(&random) % 4;
        penalties_of(m.tok, 10, &o, tokens, n, got);
        plain_penalties(&m, &o, tokens, n, want);
        for (int id = 0; id < 10; id++) {
            penalised += want[id] > 0;
            if (!(fabs(got[id] - want[id]) <= 1e-12 * want[id])) {
                fail_msg("round %d, token %d: %g taken off, expected %g", round, id, got[id],
                         want[id]);
            }
        }
    }
    assert_true(penalised > 5000);
    text_tokenizer_destroy(m.tok);
}

/* ---- the rest ---- */

static void breakers_by_default(void **state) {
    (void)state;
    static const char *const texts[] = {"a", "b", ".\n", "x:", "\"", "**", SPACE_MARK "c"};
    small_model m;
    open_small(&m, texts, 7);
    for (int32_t breaker = 2; breaker < 7; breaker++) {
        const int32_t tokens[] = {0, 1, breaker, 0, 1, 6, 0, 1, breaker, 0, 1};
        ondol_sampler_options o = dry_options();
        double p[7];
        penalties_of(m.tok, 7, &o, tokens, 11, p);
        if (breaker < 6) {
            assert_true(p[breaker] == 0 && p[6] == 1); /* "a b", not what is before the breaker */
        } else {
            assert_true(p[6] == 64); /* 8 tokens, nothing breaks them */
        }
        static const char *const none[] = {"zz"};
        o.dry_sequence_breakers = none; /* none at all in place of those */
        o.dry_sequence_breaker_count = 0;
        penalties_of(m.tok, 7, &o, tokens, 11, p);
        assert_true(breaker < 6 ? p[breaker] == 1 && p[6] == 8 : p[6] == 64);
    }
    text_tokenizer_destroy(m.tok);
}

/* A long repetition costs much, not everything; and time that is linear in its length. */
static void long_repetitions_stay_finite(void **state) {
    (void)state;
    enum { N = 300000 };
    static const float bases[] = {1, 1.0000001192092896f, 1.75f, 3e38f};
    ondol_error err = {0};
    const float logits[3] = {0, 0, -INFINITY};
    for (int i = 0; i < 4; i++) {
        ondol_sampler_options o = dry_options();
        generate_sampler *s = NULL;
        int32_t token;
        o.temperature = 0;
        o.dry_base = bases[i];
        ASSERT_OK(generate_sampler_create(heap(), NULL, 3, &o, NULL, &s, &err));
        for (int k = 0; k < N; k++)
            ASSERT_OK(generate_sampler_accept(s, 1, true, &err));
        ASSERT_OK(generate_sampler_sample(s, logits, &token, &err));
        assert_int_equal(token, 0);
        assert_true(s->values[1] < 0 && s->values[1] >= -(double)FLT_MAX);
        assert_true(i == 0 ? s->values[1] == -1 : i != 1 || fabs(s->values[1] + 1.0364) < 1e-3);
        generate_sampler_destroy(s);
    }
}

static void memory_may_fail_anywhere(void **state) {
    (void)state;
    static const char *const texts[] = {"a", "b", "ab", "\n"};
    static const char *const breakers[] = {"ba", "\nb"};
    small_model m;
    ondol_sampler_options o = dry_options();
    open_small(&m, texts, 4);
    o.dry_sequence_breakers = breakers;
    o.dry_sequence_breaker_count = 2;
    for (size_t n = 0;; n++) {
        fail_alloc memory;
        ondol_error err = {0};
        generate_sampler *s = NULL;
        fail_alloc_init(&memory, n);
        ondol_status status = generate_sampler_create(&memory.api, m.tok, 4, &o, NULL, &s, &err);
        for (int32_t i = 0; i < 200 && status == ONDOL_OK; i++)
            status = generate_sampler_accept(s, i % 4, false, &err);
        generate_sampler_destroy(s);
        fail_alloc_check_empty(&memory);
        if (!memory.failed) break;
        ASSERT_STATUS(status, ONDOL_E_MEMORY);
    }
    text_tokenizer_destroy(m.tok);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repetition_by_hand),
        cmocka_unit_test(dry_goes_with_the_rest),
        cmocka_unit_test(as_a_plain_search),
        cmocka_unit_test(breakers_by_default),
        cmocka_unit_test(long_repetitions_stay_finite),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
