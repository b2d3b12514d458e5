/* exp and tanh against the C library's doubles, over a dense sweep of all floats; every level's
 * vectors give the bits of cpu_exp and cpu_tanh (through the activations: see check_rows.c). */
#include "kernelcheck.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "device/cpu/kernels.h"

enum { STEP = 4099, QUICK_STEP = 65537 }; /* of the bit patterns; odd: all low bits occur */

/* |got - expected| in units of the last place of expected as a float, subnormals included. */
static double ulps(float got, double expected) {
    int exponent;
    frexp(expected, &exponent);
    const double unit = ldexp(1.0, exponent - 24 < -149 ? -149 : exponent - 24);
    return fabs(got - expected) / unit;
}

static float float_of(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void check_function(check *c, const char *name, float (*f)(float), double (*true_f)(double),
                           double bound) {
    if (!check_begin(c, name)) return;
    const uint32_t step = c->quick ? QUICK_STEP : STEP;
    double worst = 0;
    float worst_at = 0;
    for (uint64_t bits = check_random_below(c, step); bits <= UINT32_MAX; bits += step) {
        const float x = float_of((uint32_t)bits), got = f(x);
        const double expected = true_f(x);
        if (isnan(x)) {
            check_that(c, isnan(got), "NaN gives %g", (double)got);
        } else if (fabs(expected) > 3.4028234663852886e38) {
            check_that(c, isinf(got) || got >= 0x1.fffffep127f, "f(%a) is %a", (double)x,
                       (double)got);
        } else if (ulps(got, expected) > worst) {
            worst = ulps(got, expected);
            worst_at = x;
        }
    }
    check_that(c, worst < bound, "off by %.3f ulp at %a, more than %.3f", worst, (double)worst_at,
               bound);
}

void check_exp(check *c) {
    check_function(c, "exp", cpu_exp, exp, 0.9);
    check_function(c, "tanh", cpu_tanh, tanh, 1.4);
}

/* ------------------------------------------------------------ bench */

enum { COUNT = 4096 };

static void run_exp(void *argument) {
    float *x = argument;
    for (unsigned i = 0; i < COUNT; i++)
        x[COUNT + i] = cpu_exp(x[i]);
}

void check_exp_bench(check *c) {
    if (!check_begin(c, "exp")) return;
    float *x = check_alloc(2 * COUNT * sizeof *x, 0);
    for (unsigned i = 0; i < COUNT; i++)
        x[i] = check_random_normal(c, 4);
    uint64_t cycles = 0;
    check_time(run_exp, x, 0.05, &cycles);
    printf("%-28s %7.3f cycles each, one at a time\n", "exp", (double)cycles / COUNT);
    check_free(x);
}
