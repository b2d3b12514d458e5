/* generate/sampler_options: every range; generate/sampler: every allocation. */
#include <stdio.h>

#include "fail_alloc.h"
#include "sampler_reference.h"

static void refuse(const ondol_sampler_options *o, const char *text) {
    ondol_error err = {0};
    generate_sampler *s = NULL;
    ASSERT_STATUS(generate_sampler_create(heap(), NULL, 10, o, NULL, &s, &err), ONDOL_E_ARGUMENT);
    ASSERT_CONTAINS(err.text, text);
    assert_null(s);
}

#define AT(member) offsetof(ondol_sampler_options, member)
static void float_ranges_are_kept(void **state) {
    (void)state;
    static const struct {
        const char *name;
        size_t offset;
        float bad[3], good[2];
    } rows[] = {
        {"temperature", AT(temperature), {-0.1f, INFINITY, -INFINITY}, {0, 5}},
        {"top_p", AT(top_p), {-0.01f, 1.01f, INFINITY}, {0, 1}},
        {"min_p", AT(min_p), {-0.01f, 1.01f, INFINITY}, {0, 1}},
        {"typical_p", AT(typical_p), {-0.01f, 1.01f, INFINITY}, {0, 1}},
        {"top_n_sigma", AT(top_n_sigma), {-1, INFINITY, -INFINITY}, {0, 3}},
        {"repeat_penalty", AT(repeat_penalty), {0, -1, INFINITY}, {0.5f, 2}},
        {"presence_penalty", AT(presence_penalty), {INFINITY, -INFINITY, NAN}, {-2, 2}},
        {"frequency_penalty", AT(frequency_penalty), {INFINITY, -INFINITY, NAN}, {-2, 2}},
        {"dry_multiplier", AT(dry_multiplier), {-0.1f, INFINITY, -INFINITY}, {0, 3}},
        {"dry_base", AT(dry_base), {0.99f, INFINITY, -2}, {1, 3}},
        {"xtc_probability", AT(xtc_probability), {-0.01f, 1.01f, INFINITY}, {0, 1}},
        {"xtc_threshold", AT(xtc_threshold), {-0.01f, 1.01f, INFINITY}, {0, 1}},
        {"mirostat_tau", AT(mirostat_tau), {-1, INFINITY, -INFINITY}, {0, 9}},
        {"mirostat_eta", AT(mirostat_eta), {-1, INFINITY, -INFINITY}, {0, 1}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ondol_sampler_options o = ONDOL_SAMPLER_OPTIONS_INIT;
        char *at = (char *)&o + rows[i].offset;
        char text[64];
        const float nan = NAN;
        snprintf(text, sizeof text, "%s: expected ", rows[i].name);
        for (int k = 0; k < 3; k++) {
            memcpy(at, &rows[i].bad[k], sizeof(float));
            refuse(&o, text);
        }
        memcpy(at, &nan, sizeof nan);
        refuse(&o, text);
        for (int k = 0; k < 2; k++) {
            memcpy(at, &rows[i].good[k], sizeof(float));
            generate_sampler_destroy(open_sampler(10, &o));
        }
    }
}

static void int_ranges_are_kept(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t offset;
        int32_t bad, good;
    } rows[] = {
        {"top_k: expected 0 or more, got -1", AT(top_k), -1, INT32_MAX},
        {"penalty_last_n: expected -1 or more, got -2", AT(penalty_last_n), -2, INT32_MAX},
        {"dry_allowed_length: expected 0 or more, got -1", AT(dry_allowed_length), -1, INT32_MAX},
        {"dry_penalty_last_n: expected -1 or more, got -2", AT(dry_penalty_last_n), -2, INT32_MAX},
        {"mirostat: expected 0, 1 or 2, got 3", AT(mirostat), 3, 2},
        {"mirostat: expected 0, 1 or 2, got -1", AT(mirostat), -1, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ondol_sampler_options o = ONDOL_SAMPLER_OPTIONS_INIT;
        o.repeat_penalty = 1.1f;
        o.dry_multiplier = 1;
        memcpy((char *)&o + rows[i].offset, &rows[i].bad, sizeof(int32_t));
        refuse(&o, rows[i].text);
        memcpy((char *)&o + rows[i].offset, &rows[i].good, sizeof(int32_t));
        generate_sampler_destroy(open_sampler(10, &o));
    }
}
#undef AT

static void other_options_are_checked(void **state) {
    (void)state;
    ondol_sampler_options o = ONDOL_SAMPLER_OPTIONS_INIT;
    ondol_error err = {0};
    generate_sampler *s = NULL;
    ondol_logit_bias bias[2] = {{9, -INFINITY}, {10, 1}};
    o.logit_bias_count = 2;
    refuse(&o, "logit_bias: expected 2 entries, got NULL");
    o.logit_bias = bias;
    refuse(&o, "logit_bias[1]: expected a token below 10, got 10");
    bias[1].id = -1;
    refuse(&o, "logit_bias[1]: expected a token below 10, got -1");
    bias[1] = (ondol_logit_bias){3, NAN};
    refuse(&o, "logit_bias[1]: expected a finite number or -infinity, got nan");
    bias[1].bias = INFINITY;
    refuse(&o, "logit_bias[1]");
    bias[1].bias = -4;
    generate_sampler_destroy(open_sampler(10, &o));

    char big[258];
    memset(big, 'x', sizeof big - 1);
    big[257] = 0;
    const char *breakers[3] = {"a", "", big};
    o.dry_sequence_breaker_count = 1;
    refuse(&o, "dry_sequence_breakers: expected 1 texts, got NULL");
    o.dry_sequence_breakers = breakers;
    o.dry_sequence_breaker_count = 257;
    refuse(&o, "dry_sequence_breakers: expected at most 256 texts, got 257");
    o.dry_sequence_breaker_count = 2;
    refuse(&o, "dry_sequence_breakers[1]: expected 1 to 256 bytes, got 0");
    breakers[1] = NULL;
    refuse(&o, "dry_sequence_breakers[1]");
    breakers[1] = "b";
    o.dry_sequence_breaker_count = 3;
    refuse(&o, "dry_sequence_breakers[2]: expected 1 to 256 bytes, got 257");
    o.dry_sequence_breaker_count = 2;
    generate_sampler_destroy(open_sampler(10, &o)); /* DRY is off */
    o.dry_multiplier = 1;
    ASSERT_STATUS(generate_sampler_create(heap(), NULL, 10, &o, NULL, &s, &err),
                  ONDOL_E_UNSUPPORTED);
    o.dry_multiplier = 0;

    o.grammar = "root ::= \"a\"";
    o.json_schema = "{}";
    refuse(&o, "grammar and json_schema");
    ASSERT_STATUS(generate_sampler_create(heap(), NULL, 0, NULL, NULL, &s, &err), ONDOL_E_ARGUMENT);
    ASSERT_STATUS(generate_sampler_create(heap(), NULL, 1u << 31, NULL, NULL, &s, &err),
                  ONDOL_E_ARGUMENT);
}

/* ---- memory ---- */

static void memory_may_fail_anywhere(void **state) {
    (void)state;
    const ondol_logit_bias bias[1] = {{1, 1}};
    const float logits[20] = {0};
    ondol_sampler_options o = ONDOL_SAMPLER_OPTIONS_INIT;
    o.repeat_penalty = 1.2f;
    o.penalty_last_n = -1;
    o.dry_multiplier = 1;
    o.logit_bias = bias;
    o.logit_bias_count = 1;
    for (size_t n = 0;; n++) {
        fail_alloc memory;
        ondol_error err = {0};
        generate_sampler *s = NULL;
        size_t accepted = 0;
        fail_alloc_init(&memory, n);
        ondol_status status = generate_sampler_create(&memory.api, NULL, 20, &o, NULL, &s, &err);
        for (int i = 0; i < 300 && status == ONDOL_OK; i++) {
            int32_t token;
            const size_t calls = memory.calls;
            ASSERT_OK(generate_sampler_sample(s, logits, &token, &err));
            assert_int_equal(memory.calls, calls); /* sample takes none */
            status = generate_sampler_accept(s, token, i < 100, &err);
            accepted += status == ONDOL_OK;
            assert_int_equal(s->history.count, accepted);
        }
        generate_sampler_destroy(s);
        fail_alloc_check_empty(&memory);
        if (!memory.failed) break;
        ASSERT_STATUS(status, ONDOL_E_MEMORY);
    }
    generate_sampler_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(float_ranges_are_kept),
        cmocka_unit_test(int_ranges_are_kept),
        cmocka_unit_test(other_options_are_checked),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
