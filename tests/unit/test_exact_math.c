/* base/exact_math: errors against the C library's long double, special values, and the same bits
 * everywhere. */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "base/exact_math.h"
#include "unit.h"

typedef struct worst {
    double error_ulp, at;
} worst;

static uint64_t next_random(uint64_t *state) {
    *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    uint64_t z = *state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double random_between(uint64_t *state, double low, double high) {
    return low + (high - low) * ((double)(next_random(state) >> 11) * 0x1p-53);
}

static double random_bits(uint64_t *state) {
    uint64_t bits = next_random(state);
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Units of the last place of a double near `truth`, the least being that of subnormal numbers. */
static double error_ulp(double got, long double truth) {
    int e = 0;
    frexpl(truth, &e);
    if (e < -1021) e = -1021;
    return (double)fabsl(ldexpl((long double)got - truth, 53 - e));
}

static void note(worst *w, double x, double got, long double truth) {
    double error = error_ulp(got, truth);
    if (error > w->error_ulp) *w = (worst){error, x};
}

static void exp_is_right_to_the_last_place(void **state) {
    (void)state;
    const double spans[][2] = {
        {-1e-3, 1e-3}, {-1, 1}, {-40, 0}, {-708, 709.78}, {-0x1p-60, 0x1p-60}};
    uint64_t random = 1;
    worst w = {0, 0};
    for (size_t s = 0; s < sizeof spans / sizeof spans[0]; s++) {
        for (int i = 0; i < 200000; i++) {
            double x = random_between(&random, spans[s][0], spans[s][1]);
            note(&w, x, base_exp(x), expl(x));
        }
    }
    /* Both sides of where the table changes. */
    for (int k = -65000; k < 65000; k++) {
        double x = (k + 0.5) * 0.010830424696249145;
        note(&w, x, base_exp(x), expl(x));
        x = nextafter(x, 1e9);
        note(&w, x, base_exp(x), expl(x));
    }
    worst subnormal = {0, 0};
    for (int i = 0; i < 100000; i++) {
        double x = random_between(&random, -746, -708);
        note(&subnormal, x, base_exp(x), expl(x));
    }
    print_message("exp: at most %.4f ulp (at %a), subnormal %.4f ulp\n", w.error_ulp, w.at,
                  subnormal.error_ulp);
    if (LDBL_MANT_DIG > DBL_MANT_DIG) {
        assert_true(w.error_ulp < 0.53);
        assert_true(subnormal.error_ulp < 1);
    } else {
        assert_true(w.error_ulp <= 1);
    }
}

static void log_is_right_to_the_last_place(void **state) {
    (void)state;
    const double spans[][2] = {{0.99, 1.01}, {0.5, 2},     {1, 1.0000001},
                               {1, 300000},  {0.68, 0.73}, {1.40, 1.43}};
    uint64_t random = 2;
    worst w = {0, 0};
    for (size_t s = 0; s < sizeof spans / sizeof spans[0]; s++) {
        for (int i = 0; i < 200000; i++) {
            double x = random_between(&random, spans[s][0], spans[s][1]);
            note(&w, x, base_log(x), logl(x));
        }
    }
    for (int i = 0; i < 400000; i++) {
        double x = fabs(random_bits(&random)); /* every exponent, subnormal numbers too */
        if (x > 0 && isfinite(x)) note(&w, x, base_log(x), logl(x));
        x = ldexp(x, -1060);
        if (x > 0 && isfinite(x)) note(&w, x, base_log(x), logl(x));
    }
    for (int i = 0; i <= 256; i++) {
        double x = 0.5 + i / 256.0; /* both sides of where the table changes */
        note(&w, x, base_log(x), logl(x));
        x = nextafter(x, 0);
        note(&w, x, base_log(x), logl(x));
    }
    print_message("log: at most %.4f ulp (at %a)\n", w.error_ulp, w.at);
    assert_true(w.error_ulp < (LDBL_MANT_DIG > DBL_MANT_DIG ? 0.53 : 1.01));
}

static void special_values(void **state) {
    (void)state;
    assert_true(base_exp(0.0) == 1 && base_exp(-0.0) == 1);
    assert_true(isnan(base_exp(NAN)));
    assert_true(isinf(base_exp(INFINITY)) && base_exp(-INFINITY) == 0);
    assert_true(isinf(base_exp(709.7827128933841)) && isfinite(base_exp(709.7827128933840)));
    assert_true(isinf(base_exp(1e300)) && base_exp(-1e300) == 0);
    assert_true(base_exp(-745.1332191019411) == 0x1p-1074);
    assert_true(base_exp(-745.1332191019413) == 0);
    assert_true(base_log(1) == 0 && !signbit(base_log(1)));
    assert_true(base_log(0.0) == -INFINITY && base_log(-0.0) == -INFINITY);
    assert_true(isnan(base_log(-1)) && isnan(base_log(NAN)) && isnan(base_log(-INFINITY)));
    assert_true(base_log(INFINITY) == INFINITY);
    assert_true(base_log(2) == 0x1.62e42fefa39efp-1 && base_exp(1) == 0x1.5bf0a8b145769p+1);
}

static uint64_t hash_double(uint64_t hash, double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    for (int i = 0; i < 8; i++) {
        hash = (hash ^ (bits >> (8 * i) & 0xff)) * 0x100000001b3u; /* FNV-1a */
    }
    return hash;
}

/* One number stands for 200000 results: another compiler or processor must come to it as well. */
static void same_bits_everywhere(void **state) {
    (void)state;
    uint64_t random = 3, exp_hash = 0xcbf29ce484222325u, log_hash = exp_hash;
    for (int i = 0; i < 100000; i++) {
        exp_hash = hash_double(exp_hash, base_exp(random_between(&random, -746, 710)));
        double x = fabs(random_bits(&random));
        if (isfinite(x)) log_hash = hash_double(log_hash, base_log(x));
    }
    assert_int_equal(exp_hash, 0x870ddbdc5993a366);
    assert_int_equal(log_hash, 0x48507755c66627f0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_right_to_the_last_place),
        cmocka_unit_test(log_is_right_to_the_last_place),
        cmocka_unit_test(special_values),
        cmocka_unit_test(same_bits_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
