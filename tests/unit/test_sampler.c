/* generate/sampler*: each step and all together against a plain reference, draws, greedy, history,
 * log-softmax. */
#include <stdio.h>

#include "fail_alloc.h"
#include "generate/sampler_random.h"
#include "sampler_reference.h"

/* ---- random numbers ---- */

/* Known answers of Random123 (kat_vectors, philox4x32 10). */
static void philox_known_answers(void **state) {
    (void)state;
    static const uint32_t rows[][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d,
         0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09,
         0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    for (size_t i = 0; i < 3; i++) {
        uint32_t out[4];
        sampler_philox(rows[i], rows[i] + 4, out);
        assert_memory_equal(out, rows[i] + 6, sizeof out);
    }
}

static void uniform_numbers_take_53_bits(void **state) {
    (void)state;
    double u[2], sums[2] = {0, 0};
    sampler_uniform(0, 0, u);
    assert_true(u[0] == (double)(0xe169c58d6627e8d5u >> 11) * 0x1p-53);
    assert_true(u[1] == (double)(0x9b00dbd8bc57ac4cu >> 11) * 0x1p-53);
    for (uint64_t i = 0; i < 10000; i++) {
        sampler_uniform(0x123456789abcdefu, i << 20, u);
        for (int k = 0; k < 2; k++) {
            assert_true(u[k] >= 0 && u[k] < 1);
            sums[k] += u[k];
        }
    }
    assert_true(fabs(sums[0] / 10000 - 0.5) < 0.015 && fabs(sums[1] / 10000 - 0.5) < 0.015);
}

/* ---- the steps ---- */

/* Switches some steps on, with odd numbers so that no comparison is a near-tie. */
static void random_options(uint64_t *random, ondol_sampler_options *o) {
    const uint64_t on = test_random(random);
    *o = bare_options();
    o->temperature = (float)(0.1 + 2 * test_uniform(random));
    if (on & 1) o->top_k = (int32_t)(1 + test_random(random) % 60);
    if (on & 2) o->top_p = (float)test_uniform(random);
    if (on & 4) o->min_p = (float)test_uniform(random);
    if (on & 8) o->typical_p = (float)test_uniform(random);
    if (on & 16) o->top_n_sigma = (float)(3 * test_uniform(random));
    if (on & 32) o->repeat_penalty = (float)(0.5 + 1.5 * test_uniform(random));
    if (on & 64) o->presence_penalty = (float)(3 * test_uniform(random) - 1);
    if (on & 128) o->frequency_penalty = (float)(test_uniform(random) - 0.3);
    if (on & 256) o->xtc_probability = 1;
    o->xtc_threshold = (float)(0.6 * test_uniform(random) * test_uniform(random));
    o->penalty_last_n = (int32_t)(test_random(random) % 30) - 1;
    o->seed = test_random(random);
}

/* The same tokens left, in the same order, with the same probabilities. */
static void compare_lists(const sampler_list *list, const reference *r, int round) {
    const double sum = sampler_list_sum(list);
    if (list->count != r->count) {
        fail_msg("round %d: %zu tokens left, expected %zu", round, list->count, r->count);
    }
    for (size_t i = 0; i < r->count; i++) {
        const sampler_candidate *c = &list->items[i];
        const double p = c->weight / sum, want = (double)r->tokens[i].p;
        if (c->id != r->tokens[i].id || !(fabs(p - want) <= 1e-12 + 1e-9 * want)) {
            fail_msg("round %d, place %zu: token %d p %.17g, expected %d p %.17g", round, i, c->id,
                     p, r->tokens[i].id, want);
        }
    }
}

/* The token that a uniform number picks from r; near a border both sides are right. */
static void compare_draw(int32_t token, const reference *r, double uniform, int round) {
    long double sum = 0;
    for (size_t i = 0; i < r->count; i++) {
        const long double before = sum;
        sum += r->tokens[i].p;
        if (r->tokens[i].id != token) continue;
        if ((double)before <= uniform + 1e-9 && uniform <= (double)sum + 1e-9) return;
        fail_msg("round %d: token %d stands at [%g, %g), drawn by %g", round, token, (double)before,
                 (double)sum, uniform);
    }
    fail_msg("round %d: token %d is not left", round, token);
}

static void all_steps_as_the_reference(void **state) {
    (void)state;
    static reference r;
    uint64_t random = 7;
    size_t empty = 0, falling = 0;
    for (int round = 0; round < 4000; round++) {
        const uint32_t n = (uint32_t)(1 + test_random(&random) % (round % 50 ? 120 : 1500));
        float logits[1500];
        int32_t history[60];
        const size_t history_count = test_random(&random) % 60;
        ondol_sampler_options o;
        random_options(&random, &o);
        const ondol_logit_bias bias[2] = {{(int32_t)(n / 2), 1.5f}, {(int32_t)(n - 1), -INFINITY}};
        o.logit_bias = bias;
        o.logit_bias_count = test_random(&random) % 3;
        generate_sampler *s = open_sampler(n, &o);
        ondol_error err = {0};
        for (size_t i = 0; i < history_count; i++) {
            history[i] = (int32_t)(test_random(&random) % n);
            ASSERT_OK(generate_sampler_accept(s, history[i], i % 2, &err));
        }
        for (uint32_t i = 0; i < n; i++)
            logits[i] = random_logit(&random, round % 4);
        double u[2];
        sampler_uniform(o.seed, 0, u);
        reference_adjust(&r, logits, n, &o, history, history_count);
        reference_narrow(&r, &o, u[1], n);
        ASSERT_OK(sampler_adjust(s, logits, &err));
        sampler_narrow(s, u[1]);
        compare_lists(&s->list, &r, round);
        int32_t token = -1;
        if (r.count == 0) {
            ASSERT_STATUS(generate_sampler_sample(s, logits, &token, &err), ONDOL_E_FORMAT);
            assert_int_equal(s->draws, 0);
            empty++;
        } else {
            ASSERT_OK(generate_sampler_sample(s, logits, &token, &err));
            compare_draw(token, &r, u[0], round);
            falling += r.in_order;
        }
        generate_sampler_destroy(s);
    }
    assert_true(empty > 0 && falling > 100);
}

/* Hand-computed: p = 0.5, 0.25, 0.15, 0.1 of ids 2, 0, 3, 1. */
static const float four_logits[4] = {-1.38629436f, -2.30258509f, -0.69314718f, -1.89711998f};

static void expect_left(const ondol_sampler_options *o, const char *want) {
    generate_sampler *s = open_sampler(4, o);
    ondol_error err = {0};
    char got[8] = "";
    ASSERT_OK(sampler_adjust(s, four_logits, &err));
    sampler_narrow(s, 0);
    for (size_t i = 0; i < s->list.count; i++) {
        got[i] = (char)('0' + s->list.items[i].id);
        got[i + 1] = 0;
    }
    assert_string_equal(got, want);
    generate_sampler_destroy(s);
}

static void steps_by_hand(void **state) {
    (void)state;
    ondol_sampler_options o = bare_options();
    expect_left(&o, "0123");
    o.top_k = 3;
    expect_left(&o, "203");
    o = bare_options();
    o.top_p = 0.74f;
    expect_left(&o, "20");
    o.top_p = 0.76f;
    expect_left(&o, "203");
    o.top_p = 0;
    expect_left(&o, "2");
    o = bare_options();
    o.min_p = 0.31f; /* of 0.5: 0.155 */
    expect_left(&o, "02");
    o.min_p = 0.29f;
    expect_left(&o, "023");
    o.min_p = 1;
    expect_left(&o, "2");
    /* Entropy 1.2080: -log p are 0.693, 1.386, 1.897, 2.303, so id 0 is the most typical. */
    o = bare_options();
    o.typical_p = 0.2f;
    expect_left(&o, "0");
    o.typical_p = 0.5f;
    expect_left(&o, "20");
    o.typical_p = 0;
    expect_left(&o, "0");
    /* Mean -1.5698, standard deviation 0.5998. */
    o = bare_options();
    o.top_n_sigma = 1;
    expect_left(&o, "2");
    o.top_n_sigma = 1.2f;
    expect_left(&o, "02");
    o = bare_options();
    o.xtc_probability = 1;
    o.xtc_threshold = 0.12f;
    expect_left(&o, "13"); /* of 2, 0, 3 only 3 stays */
    o.xtc_threshold = 0.3f;
    expect_left(&o, "0123"); /* one top choice alone stays */
    o.xtc_threshold = 0.2f;
    expect_left(&o, "013");
    o.xtc_threshold = 0.51f;
    expect_left(&o, "0123");
    o.xtc_threshold = 0.12f;
    o.xtc_probability = 0;
    expect_left(&o, "0123");
}

static void ties_go_to_the_lower_id(void **state) {
    (void)state;
    float logits[300];
    ondol_error err = {0};
    ondol_sampler_options o = bare_options();
    for (int i = 0; i < 300; i++)
        logits[i] = 1.0f;
    o.top_k = 7;
    generate_sampler *s = open_sampler(300, &o);
    ASSERT_OK(sampler_adjust(s, logits, &err));
    sampler_narrow(s, 0);
    assert_int_equal(s->list.count, 7);
    for (int i = 0; i < 7; i++)
        assert_int_equal(s->list.items[i].id, i);
    generate_sampler_destroy(s);
    o.top_k = 0;
    o.top_p = 0.0999f;
    s = open_sampler(300, &o);
    ASSERT_OK(sampler_adjust(s, logits, &err));
    sampler_narrow(s, 0);
    assert_int_equal(s->list.count, 30);
    for (int i = 0; i < 30; i++)
        assert_int_equal(s->list.items[i].id, i);
    generate_sampler_destroy(s);
}

/* XTC acts on the share of samples that its probability says, by the other half of the block. */
static void xtc_acts_by_chance(void **state) {
    (void)state;
    ondol_sampler_options o = bare_options();
    ondol_error err = {0};
    o.xtc_probability = 0.25f;
    o.xtc_threshold = 0.2f;
    o.seed = 5;
    generate_sampler *s = open_sampler(4, &o);
    size_t top = 0, expected = 0, acted = 0;
    for (uint64_t i = 0; i < 20000; i++) {
        int32_t token;
        double u[2];
        sampler_uniform(5, i, u);
        acted += u[1] < 0.25;
        expected += u[1] >= 0.25 && u[0] >= 0.35 && u[0] < 0.85; /* ids 0 and 1 are before id 2 */
        ASSERT_OK(generate_sampler_sample(s, four_logits, &token, &err));
        top += token == 2;
    }
    assert_int_equal(top, expected);
    assert_true(acted > 4700 && acted < 5300);
    generate_sampler_destroy(s);
}

/* ---- draws ---- */

static void draws_follow_the_probabilities(void **state) {
    (void)state;
    const double p[4] = {0.25, 0.1, 0.5, 0.15};
    const double temperatures[] = {1, 0.5, 2};
    ondol_error err = {0};
    for (size_t t = 0; t < 3; t++) {
        ondol_sampler_options o = bare_options();
        o.temperature = (float)temperatures[t];
        o.seed = 99 + t;
        generate_sampler *s = open_sampler(4, &o);
        double want[4], sum = 0;
        size_t times[4] = {0};
        for (int i = 0; i < 4; i++)
            sum += want[i] = pow(p[i], 1 / temperatures[t]);
        for (int i = 0; i < 40000; i++) {
            int32_t token;
            ASSERT_OK(generate_sampler_sample(s, four_logits, &token, &err));
            times[token]++;
        }
        for (int i = 0; i < 4; i++) {
            const double q = want[i] / sum, deviation = sqrt(40000 * q * (1 - q));
            assert_true(fabs((double)times[i] - 40000 * q) < 4 * deviation);
        }
        generate_sampler_destroy(s);
    }
}

static void reset_begins_anew(void **state) {
    (void)state;
    ondol_sampler_options o = bare_options();
    ondol_error err = {0};
    uint64_t random = 11;
    float logits[50];
    o.repeat_penalty = 1.3f;
    o.dry_multiplier = 0.8f;
    o.mirostat = 0;
    for (int version = 0; version < 3; version++) {
        int32_t first[60];
        o.mirostat = version;
        generate_sampler *s = open_sampler(50, &o);
        for (int run = 0; run < 2; run++) {
            for (int i = 0; i < 60; i++) {
                int32_t token;
                random = 1000 + (uint64_t)i;
                for (int k = 0; k < 50; k++)
                    logits[k] = random_logit(&random, 0);
                ASSERT_OK(generate_sampler_sample(s, logits, &token, &err));
                ASSERT_OK(generate_sampler_accept(s, token, false, &err));
                if (run == 0) first[i] = token;
                assert_int_equal(token, first[i]);
            }
            generate_sampler_reset(s);
        }
        generate_sampler_destroy(s);
    }
}

/* What every machine must come to. The logits are exact multiples of 2^-20. */
static void golden_run(const ondol_sampler_options *o, const int32_t want[12]) {
    enum { N = 5000 };
    static float logits[N];
    ondol_error err = {0};
    int32_t got[12];
    uint64_t random = 2024;
    generate_sampler *s = open_sampler(N, o);
    for (int i = 0; i < 12; i++) {
        for (int k = 0; k < N; k++)
            logits[k] = (float)((int64_t)(test_random(&random) % 16777216) - 8388608) * 0x1p-20f;
        ASSERT_OK(generate_sampler_sample(s, logits, &got[i], &err));
        ASSERT_OK(generate_sampler_accept(s, got[i], false, &err));
    }
    if (memcmp(got, want, sizeof got) != 0) {
        char text[200] = "";
        for (int i = 0; i < 12; i++)
            snprintf(text + strlen(text), sizeof text - strlen(text), "%d, ", got[i]);
        fail_msg("got {%s}", text);
    }
    generate_sampler_destroy(s);
}

static void golden_tokens(void **state) {
    (void)state;
    ondol_sampler_options o = ONDOL_SAMPLER_OPTIONS_INIT;
    o.seed = 42;
    golden_run(&o, (const int32_t[12]){4326, 3734, 553, 4056, 4654, 219, 1331, 1619, 4093, 1060,
                                       2196, 2467});
    o = bare_options();
    o.seed = 0xfedcba9876543210u;
    golden_run(
        &o, (const int32_t[12]){90, 113, 326, 4510, 3566, 735, 3056, 2492, 1598, 1720, 3337, 1196});
    o.typical_p = 0.7f;
    o.top_p = 0.9f;
    o.min_p = 0.02f;
    o.top_n_sigma = 2;
    o.xtc_probability = 0.5f;
    o.xtc_threshold = 0.0004f;
    o.repeat_penalty = 1.1f;
    o.dry_multiplier = 0.8f;
    o.temperature = 1.3f;
    golden_run(&o, (const int32_t[12]){2888, 2999, 1607, 599, 2733, 4133, 1172, 4057, 1957, 2413,
                                       350, 3319});
    o = bare_options();
    o.mirostat = 1;
    golden_run(&o, (const int32_t[12]){3505, 3837, 3170, 3423, 1572, 3523, 3748, 3889, 4897, 1229,
                                       2265, 4939});
    o.mirostat = 2;
    golden_run(&o, (const int32_t[12]){4415, 1539, 1612, 1670, 3774, 293, 4121, 606, 3061, 1215,
                                       4166, 284});
}

/* ---- greedy ---- */

static int32_t plain_highest(const float *logits, size_t n) {
    int32_t best = -1;
    for (size_t i = 0; i < n; i++) {
        if (isnan(logits[i]) || logits[i] == -INFINITY) continue;
        if (best < 0 || fminf(logits[i], FLT_MAX) > fminf(logits[best], FLT_MAX)) best = (int32_t)i;
    }
    return best;
}

static void greedy_takes_the_first_highest(void **state) {
    (void)state;
    const uint32_t sizes[] = {1, 2, 15, 511, 512, 513, 1024, 1500, 2048};
    static float logits[2048];
    ondol_sampler_options o = ONDOL_SAMPLER_OPTIONS_INIT;
    ondol_error err = {0};
    uint64_t random = 3;
    o.temperature = 0;
    for (int round = 0; round < 1000; round++) {
        const uint32_t n = sizes[round % 9];
        for (uint32_t i = 0; i < n; i++) {
            logits[i] = random_logit(&random, (int)(round / 9 % 4));
            if (round % 5 == 0 && test_random(&random) % 300 == 0) logits[i] = INFINITY;
            if (round % 5 == 0 && test_random(&random) % 300 == 0) logits[i] = FLT_MAX;
            if (round % 7 == 0) logits[i] = test_random(&random) % 2 ? NAN : -INFINITY;
        }
        if (round % 14 == 0) logits[test_random(&random) % n] = -FLT_MAX;
        const int32_t want = plain_highest(logits, n);
        ondol_logit_bias none = {0, 0};
        for (int with_bias = 0; with_bias < 2; with_bias++) {
            o.logit_bias = &none; /* a bias of 0 takes the slow way */
            o.logit_bias_count = (size_t)with_bias;
            generate_sampler *s = open_sampler(n, &o);
            int32_t token = -7;
            assert_int_equal(s->plain_greedy, !with_bias);
            ondol_status status = generate_sampler_sample(s, logits, &token, &err);
            assert_int_equal(status, want < 0 ? ONDOL_E_FORMAT : ONDOL_OK);
            assert_int_equal(token, want < 0 ? -7 : want);
            generate_sampler_destroy(s);
        }
    }
}

/* Temperature 0 after bias and penalties; neither typical nor XTC takes the highest away. */
static void temperature_0_heeds_bias_and_penalties(void **state) {
    (void)state;
    const float logits[4] = {1, 4, 3, 2};
    const ondol_logit_bias bias[] = {{1, -INFINITY}, {0, 2.5f}};
    ondol_error err = {0};
    ondol_sampler_options o = ONDOL_SAMPLER_OPTIONS_INIT;
    int32_t token;
    o.temperature = 0;
    o.typical_p = 0.1f;
    o.xtc_probability = 1;
    o.xtc_threshold = 0;
    o.mirostat = 2;
    o.presence_penalty = 1;
    o.logit_bias = bias;
    o.logit_bias_count = 2;
    generate_sampler *s = open_sampler(4, &o);
    /* 3.5 -inf 3 2 at first; presence takes 1 off, once for each of those accepted. */
    const int32_t accept[] = {0, 2, 1, 0, 3, 3};
    const int32_t chosen[] = {0, 2, 0, 0, 0, 0};
    for (int i = 0; i < 6; i++) {
        ASSERT_OK(generate_sampler_sample(s, logits, &token, &err));
        assert_int_equal(token, chosen[i]);
        ASSERT_OK(generate_sampler_accept(s, accept[i], false, &err));
    }
    generate_sampler_destroy(s);
}

/* ---- history ---- */

/* A bounded window counts right however long the sequence, in bounded memory. */
static void history_stays_bounded(void **state) {
    (void)state;
    fail_alloc memory;
    fail_alloc_init(&memory, FAIL_ALLOC_NEVER);
    ondol_sampler_options o = bare_options();
    ondol_error err = {0};
    generate_sampler *s = NULL;
    o.frequency_penalty = 1;
    o.penalty_last_n = 100;
    ASSERT_OK(generate_sampler_create(&memory.api, NULL, 50, &o, NULL, &s, &err));
    uint64_t random = 17;
    static int32_t all[20000];
    const float logits[50] = {0};
    for (size_t n = 0; n < 20000; n++) {
        all[n] = (int32_t)(test_random(&random) % 50);
        ASSERT_OK(generate_sampler_accept(s, all[n], true, &err));
        if (n % 97) continue;
        ASSERT_OK(sampler_adjust(s, logits, &err));
        double want[50] = {0};
        for (size_t i = n >= 99 ? n - 99 : 0; i <= n; i++)
            want[all[i]] -= 1;
        for (int i = 0; i < 50; i++)
            assert_true(s->values[i] == want[i]);
    }
    assert_true(s->history.capacity <= 256);
    generate_sampler_destroy(s);
    fail_alloc_check_empty(&memory);
}

static void tokens_outside_are_refused(void **state) {
    (void)state;
    ondol_error err = {0};
    generate_sampler *s = open_sampler(10, NULL);
    ASSERT_STATUS(generate_sampler_accept(s, 10, true, &err), ONDOL_E_ARGUMENT);
    ASSERT_CONTAINS(err.text, "expected 0 to 9, got 10");
    ASSERT_STATUS(generate_sampler_accept(s, -1, false, &err), ONDOL_E_ARGUMENT);
    ASSERT_OK(generate_sampler_accept(s, 9, false, &err));
    generate_sampler_destroy(s);
}

/* ---- log-softmax ---- */

static void log_softmax_is_right(void **state) {
    (void)state;
    static float logits[5000], out[5000];
    uint64_t random = 21;
    long double sum = 0, total = 0;
    for (int i = 0; i < 5000; i++) {
        logits[i] = random_logit(&random, 2);
        sum += expl((long double)logits[i]);
    }
    generate_log_softmax(logits, 5000, out);
    for (int i = 0; i < 5000; i++) {
        const float want = (float)((long double)logits[i] - logl(sum));
        assert_true(fabsf(out[i] - want) <= 1.2e-7f * fabsf(want));
        total += expl((long double)out[i]);
    }
    assert_true(fabsl(total - 1) < 1e-5L);
    generate_log_softmax(logits, 5000, logits);
    assert_memory_equal(logits, out, sizeof out);
    const float odd[4] = {NAN, -INFINITY, INFINITY, FLT_MAX};
    generate_log_softmax(odd, 4, out);
    assert_true(out[0] == -INFINITY && out[1] == -INFINITY);
    assert_true(out[2] == out[3] && fabsf(out[2] + 0.69314718f) < 1e-6f);
    generate_log_softmax(odd, 2, out);
    assert_true(out[0] == -INFINITY && out[1] == -INFINITY);
    generate_log_softmax(odd, 0, out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_known_answers),
        cmocka_unit_test(uniform_numbers_take_53_bits),
        cmocka_unit_test(all_steps_as_the_reference),
        cmocka_unit_test(steps_by_hand),
        cmocka_unit_test(ties_go_to_the_lower_id),
        cmocka_unit_test(xtc_acts_by_chance),
        cmocka_unit_test(draws_follow_the_probabilities),
        cmocka_unit_test(reset_begins_anew),
        cmocka_unit_test(golden_tokens),
        cmocka_unit_test(greedy_takes_the_first_highest),
        cmocka_unit_test(temperature_0_heeds_bias_and_penalties),
        cmocka_unit_test(history_stays_bounded),
        cmocka_unit_test(tokens_outside_are_refused),
        cmocka_unit_test(log_softmax_is_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
