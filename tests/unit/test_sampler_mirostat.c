/* generate/sampler_mirostat: against the formulas of the paper, and at their edges. */
#include "generate/sampler_random.h"
#include "sampler_reference.h"

/* One step of version 1 as the paper (and llama.cpp) writes it. */
static void mirostat_1_step(const float *logits, size_t n, double u, double *mu, int32_t *token) {
    static reference r;
    ondol_sampler_options o = bare_options();
    reference_adjust(&r, logits, n, &o, NULL, 0);
    reference_sort(&r);
    reference_softmax(&r, 1);
    long double products = 0, squares = 0;
    for (size_t i = 0; i < 99 && i + 1 < r.count; i++) {
        const long double t = logl((long double)(i + 2) / (long double)(i + 1));
        products += t * logl(r.tokens[i].p / r.tokens[i + 1].p);
        squares += t * t;
    }
    const long double s = products / squares, epsilon = s - 1;
    const long double k =
        powl((epsilon * powl(2, *mu)) / (1 - powl((long double)n, -epsilon)), 1 / s);
    const size_t keep = k < 1 ? 1 : (size_t)k;
    if (keep < r.count) r.count = keep;
    reference_softmax(&r, 1);
    long double sum = 0;
    size_t i = 0;
    while (i + 1 < r.count && sum + r.tokens[i].p <= (long double)u)
        sum += r.tokens[i++].p;
    *token = r.tokens[i].id;
    *mu -= 0.1 * ((double)-log2l(r.tokens[i].p) - 3);
}

static void mirostat_2_step(const float *logits, size_t n, double u, double *mu, int32_t *token) {
    static reference r;
    ondol_sampler_options o = bare_options();
    reference_adjust(&r, logits, n, &o, NULL, 0);
    reference_softmax(&r, 1);
    size_t left = 0, best = 0;
    for (size_t i = 0; i < r.count; i++) {
        if (r.tokens[i].p > r.tokens[best].p) best = i;
    }
    for (size_t i = 0; i < r.count; i++) {
        if (i == best || -log2l(r.tokens[i].p) <= (long double)*mu) {
            r.tokens[left++] = r.tokens[i];
        }
    }
    r.count = left;
    reference_softmax(&r, 1);
    long double sum = 0;
    size_t i = 0;
    while (i + 1 < r.count && sum + r.tokens[i].p <= (long double)u)
        sum += r.tokens[i++].p;
    *token = r.tokens[i].id;
    *mu -= 0.1 * ((double)-log2l(r.tokens[i].p) - 3);
}

static void mirostat_as_the_paper_and_near_tau(void **state) {
    (void)state;
    enum { N = 1000, STEPS = 600 };
    static float logits[N];
    ondol_error err = {0};
    for (int version = 1; version <= 2; version++) {
        ondol_sampler_options o = bare_options();
        o.mirostat = version;
        o.mirostat_tau = 3;
        o.mirostat_eta = 0.1f;
        o.seed = 77;
        generate_sampler *s = open_sampler(N, &o);
        uint64_t random = 8;
        double mu = 6, surprises = 0;
        for (int step = 0; step < STEPS; step++) {
            int32_t token, want;
            double u[2], before = s->mu;
            for (int i = 0; i < N; i++) {
                /* Zipf, shuffled a little */
                const double noise = 0.3 * test_uniform(&random);
                logits[i] = (float)(-1.1 * log((double)((i * 37 + step) % N) + 1) + noise);
            }
            mu = before;
            sampler_uniform(77, (uint64_t)step, u);
            (version == 1 ? mirostat_1_step : mirostat_2_step)(logits, N, u[0], &mu, &want);
            ASSERT_OK(generate_sampler_sample(s, logits, &token, &err));
            assert_int_equal(token, want);
            assert_true(fabs(s->mu - mu) < 1e-6); /* eta is a float */
            if (step >= 100) surprises += (before - s->mu) / 0.1 + 3;
        }
        assert_true(fabs(surprises / (STEPS - 100) - 3) < 0.15);
        generate_sampler_destroy(s);
    }
}

static void mirostat_at_its_edges(void **state) {
    (void)state;
    ondol_error err = {0};
    for (int version = 1; version <= 2; version++) {
        ondol_sampler_options o = bare_options();
        o.mirostat = version;
        float logits[300];
        int32_t token;
        generate_sampler *s = open_sampler(300, &o);
        for (int i = 0; i < 300; i++)
            logits[i] = 0; /* the exponent is 0 */
        ASSERT_OK(generate_sampler_sample(s, logits, &token, &err));
        assert_true(isfinite(s->mu));
        for (int i = 0; i < 300; i++)
            logits[i] = i == 123 ? -1 : -INFINITY; /* one is left: surprise 0 */
        const double mu = s->mu;
        ASSERT_OK(generate_sampler_sample(s, logits, &token, &err));
        assert_int_equal(token, 123);
        assert_true(fabs(s->mu - (mu + 0.5)) < 1e-6);
        for (int i = 0; i < 300; i++)
            logits[i] = (float)(-log(i + 1)); /* the exponent is 1 */
        ASSERT_OK(generate_sampler_sample(s, logits, &token, &err));
        for (int i = 0; i < 300; i++)
            logits[i] = i % 2 ? -FLT_MAX : INFINITY;
        ASSERT_OK(generate_sampler_sample(s, logits, &token, &err));
        assert_true(token % 2 == 0 && isfinite(s->mu));
        logits[0] = NAN;
        for (int i = 1; i < 300; i++)
            logits[i] = -INFINITY;
        ASSERT_STATUS(generate_sampler_sample(s, logits, &token, &err), ONDOL_E_FORMAT);
        assert_int_equal(s->draws, 4);
        generate_sampler_destroy(s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mirostat_as_the_paper_and_near_tau),
        cmocka_unit_test(mirostat_at_its_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
