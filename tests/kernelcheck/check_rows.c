/* Norms, rope and the operators on single elements: against ref within a bound, against the scalar
 * kernel bit by bit, in place, with guards; and the activations' rate. */
#include "kernelcheck.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "device/cpu/kernels.h"
#include "device/ref/ref_ops.h"

#define UNIT 0x1p-24

enum { ROWS = 3, GAP = 5 };

/* What a check knows of a case. Rows of x, second and out lie `stride` apart. */
typedef struct rows_case {
    uint32_t n, groups, heads, rotated;
    size_t stride, table_stride;
    bool interleaved;
    plan_activation_function function;
    float number; /* epsilon, factor or cap */
    bool bias;
    float *x, *second, *out, *expected, *weight, *bias_at, *table;
} rows_case;

typedef struct rows_kind {
    const char *name;
    plan_activation_function function;
    bool in_double; /* ref's result may be NaN or infinite elsewhere: floats overflow */
    void (*run)(const cpu_kernels *k, const rows_case *r, float *dst, const float *x);
    void (*run_ref)(const rows_case *r);
    /* The most that column i of a row may be off. */
    double (*bound)(const rows_case *r, const float *x, const float *second, uint32_t i,
                    double expected);
} rows_kind;

/* ------------------------------------------------------------ kinds */

static void run_rms_norm(const cpu_kernels *k, const rows_case *r, float *dst, const float *x) {
    k->rms_norm(dst, r->stride, x, r->stride, r->weight, ROWS, r->groups, r->n / r->groups,
                r->number);
}
static void ref_of_rms_norm(const rows_case *r) {
    ref_rms_norm(r->expected, r->stride, r->x, r->stride, r->weight, ROWS, r->groups,
                 r->n / r->groups, r->number);
}
/* Sums of n squares in 16 lanes: n/16 + 4 additions of positive numbers. */
static double bound_rms_norm(const rows_case *r, const float *x, const float *second, uint32_t i,
                             double expected) {
    (void)x, (void)second, (void)i;
    return UNIT * fabs(expected) * (0.5 * (r->n / 16.0 + 8) + 6) + 1e-44;
}

static void run_layer_norm(const cpu_kernels *k, const rows_case *r, float *dst, const float *x) {
    k->layer_norm(dst, r->stride, x, r->stride, r->weight, r->bias ? r->bias_at : NULL, ROWS, r->n,
                  r->number);
}
static void ref_of_layer_norm(const rows_case *r) {
    ref_layer_norm(r->expected, r->stride, r->x, r->stride, r->weight, r->bias ? r->bias_at : NULL,
                   ROWS, r->n, r->number);
}
/* The mean is off by its sum's additions: of all magnitudes, over the deviation. */
static double bound_layer_norm(const rows_case *r, const float *x, const float *second, uint32_t i,
                               double expected) {
    (void)second;
    double mean = 0, magnitude = 0, variance = 0;
    for (uint32_t j = 0; j < r->n; j++) {
        mean += x[j];
        magnitude += fabs(x[j]);
    }
    mean /= r->n;
    magnitude /= r->n;
    for (uint32_t j = 0; j < r->n; j++)
        variance += (x[j] - mean) * (x[j] - mean) / r->n;
    const double additions = r->n / 16.0 + 8, inverse = 1 / sqrt(variance + r->number);
    const double mean_off = UNIT * additions * magnitude;
    const double variance_off = mean_off * mean_off * inverse * inverse;
    const double product = fabs((x[i] - mean) * inverse * r->weight[i]);
    return fabs(r->weight[i]) * inverse * (mean_off + UNIT * fabs(x[i])) +
           product * (UNIT * (additions + 6) + variance_off) + 2 * UNIT * fabs(expected) + 1e-44;
}

static void run_rope(const cpu_kernels *k, const rows_case *r, float *dst, const float *x) {
    k->rope(dst, r->stride, x, r->stride, r->table, r->table_stride, ROWS, r->heads,
            r->n / r->heads, r->rotated, r->interleaved);
}
static void ref_of_rope(const rows_case *r) {
    ref_rope(r->expected, r->stride, r->x, r->stride, r->table, r->table_stride, ROWS, r->heads,
             r->n / r->heads, r->rotated, r->interleaved);
}
/* Two products of at most the row's greatest number; the rest is copied. */
static double bound_rope(const rows_case *r, const float *x, const float *second, uint32_t i,
                         double expected) {
    (void)second, (void)expected;
    if (i % (r->n / r->heads) >= r->rotated) return 0;
    double most = 0;
    for (uint32_t j = 0; j < r->n; j++)
        most = fmax(most, fabs(x[j]));
    return UNIT * 5 * most + 1e-44;
}

static void run_activation(const cpu_kernels *k, const rows_case *r, float *dst, const float *x) {
    k->activation(dst, r->stride, x, r->stride, ROWS, r->n, r->function);
}
static void ref_of_activation(const rows_case *r) {
    ref_activation(r->expected, r->stride, r->x, r->stride, ROWS, r->n, r->function);
}
/* Every one is x times a number of [0, 1], which is off by a few units. */
static double bound_activation(const rows_case *r, const float *x, const float *second, uint32_t i,
                               double expected) {
    (void)r, (void)second, (void)expected;
    return UNIT * 4 * fabs(x[i]) + 1e-43;
}

static void run_gated(const cpu_kernels *k, const rows_case *r, float *dst, const float *x) {
    k->gated_activation(dst, r->stride, x, r->stride, r->second, r->stride, ROWS, r->n,
                        r->function);
}
static void ref_of_gated(const rows_case *r) {
    ref_gated_activation(r->expected, r->stride, r->x, r->stride, r->second, r->stride, ROWS, r->n,
                         r->function);
}
static double bound_gated(const rows_case *r, const float *x, const float *second, uint32_t i,
                          double expected) {
    return bound_activation(r, x, second, i, expected) * fabs(second[i]) + UNIT * fabs(expected) +
           1e-43;
}

static void run_add(const cpu_kernels *k, const rows_case *r, float *dst, const float *x) {
    k->add(dst, r->stride, x, r->stride, r->second, r->stride, ROWS, r->n);
}
static void ref_of_add(const rows_case *r) {
    ref_add(r->expected, r->stride, r->x, r->stride, r->second, r->stride, ROWS, r->n);
}
static void run_scale(const cpu_kernels *k, const rows_case *r, float *dst, const float *x) {
    k->scale(dst, r->stride, x, r->stride, ROWS, r->n, r->number);
}
static void ref_of_scale(const rows_case *r) {
    ref_scale(r->expected, r->stride, r->x, r->stride, ROWS, r->n, r->number);
}
static double bound_exact(const rows_case *r, const float *x, const float *second, uint32_t i,
                          double expected) {
    (void)r, (void)x, (void)second, (void)i, (void)expected;
    return 0;
}

static void run_softcap(const cpu_kernels *k, const rows_case *r, float *dst, const float *x) {
    k->softcap(dst, r->stride, x, r->stride, ROWS, r->n, r->number);
}
static void ref_of_softcap(const rows_case *r) {
    ref_softcap(r->expected, r->stride, r->x, r->stride, ROWS, r->n, r->number);
}
static double bound_softcap(const rows_case *r, const float *x, const float *second, uint32_t i,
                            double expected) {
    (void)x, (void)second, (void)i;
    return UNIT * 5 * fabs(expected) + 1e-44 * (1 + fabs(r->number));
}

static const rows_kind KINDS[] = {
    {"rms_norm", 0, false, run_rms_norm, ref_of_rms_norm, bound_rms_norm},
    {"layer_norm", 0, false, run_layer_norm, ref_of_layer_norm, bound_layer_norm},
    {"rope", 0, false, run_rope, ref_of_rope, bound_rope},
    {"silu", PLAN_FUNCTION_SILU, true, run_activation, ref_of_activation, bound_activation},
    {"gelu_tanh", PLAN_FUNCTION_GELU_TANH, true, run_activation, ref_of_activation,
     bound_activation},
    {"gelu_erf", PLAN_FUNCTION_GELU_ERF, true, run_activation, ref_of_activation, bound_activation},
    {"gated_silu", PLAN_FUNCTION_SILU, true, run_gated, ref_of_gated, bound_gated},
    {"gated_gelu_tanh", PLAN_FUNCTION_GELU_TANH, true, run_gated, ref_of_gated, bound_gated},
    {"gated_gelu_erf", PLAN_FUNCTION_GELU_ERF, true, run_gated, ref_of_gated, bound_gated},
    {"add", 0, true, run_add, ref_of_add, bound_exact},
    {"scale", 0, true, run_scale, ref_of_scale, bound_exact},
    {"softcap", 0, true, run_softcap, ref_of_softcap, bound_softcap},
};

/* ------------------------------------------------------------ cases */

static float *alloc_rows(const rows_case *r) {
    return check_alloc((ROWS * r->stride - GAP) * sizeof(float), 4);
}

static void fill(check *c, float *p, size_t count, float deviation, float mean) {
    for (size_t i = 0; i < count; i++)
        p[i] = mean + check_random_normal(c, deviation);
}

static void create_case(check *c, rows_case *r, const rows_kind *kind) {
    static const uint32_t SIZES[] = {1, 2, 7, 15, 16, 17, 31, 32, 33, 48, 63, 64, 100, 257, 576};
    static const float NUMBERS[] = {1e-6f, 1e-5f, 0.5f, 30, 50};
    uint32_t n = SIZES[check_random_below(c, sizeof SIZES / sizeof *SIZES)];
    *r = (rows_case){.groups = 1 + check_random_below(c, 3),
                     .heads = 1 + check_random_below(c, 3),
                     .function = kind->function,
                     .bias = check_random_below(c, 2),
                     .interleaved = check_random_below(c, 2),
                     .number = NUMBERS[check_random_below(c, 5)]};
    const bool rope = kind->run == run_rope, rms = kind->run == run_rms_norm;
    r->rotated = check_random_below(c, n / 2 + 1) * 2;
    r->n = rope ? n * r->heads : rms ? n * r->groups : n;
    r->stride = r->n + GAP;
    r->table_stride = r->rotated + 3;
    const float deviations[] = {1, 1, 10, 1e-3f, 200};
    const float deviation = deviations[check_random_below(c, 5)];
    r->x = alloc_rows(r);
    r->second = alloc_rows(r);
    r->out = alloc_rows(r);
    r->expected = alloc_rows(r);
    r->weight = check_alloc(r->n * sizeof(float), 4);
    r->bias_at = check_alloc(r->n * sizeof(float), 4);
    r->table = check_alloc(ROWS * r->table_stride * sizeof(float), 4);
    fill(c, r->x, ROWS * r->stride - GAP, deviation, check_random_below(c, 3) ? 0 : deviation);
    fill(c, r->second, ROWS * r->stride - GAP, 1, 0);
    fill(c, r->weight, r->n, 1, 0.5f);
    fill(c, r->bias_at, r->n, 1, 0);
    for (size_t i = 0; i < ROWS * r->table_stride; i++)
        r->table[i] = cosf(check_random_float(c, 0, 7));
}

static void destroy_case(rows_case *r) {
    check_free(r->x);
    check_free(r->second);
    check_free(r->out);
    check_free(r->expected);
    check_free(r->weight);
    check_free(r->bias_at);
    check_free(r->table);
}

static void spoil(check *c, rows_case *r) {
    static const float HARD[] = {NAN,   -INFINITY, INFINITY, 3e38f,  -3e38f, 1e-42f,
                                 -0.0f, 1e20f,     -1e20f,   -87.4f, -104,   89};
    for (uint32_t i = 0; i < 1 + r->n / 4; i++) {
        const uint32_t at = check_random_below(c, r->n); /* in the first row only */
        r->x[at] = HARD[check_random_below(c, sizeof HARD / sizeof *HARD)];
        r->second[check_random_below(c, r->n)] = HARD[check_random_below(c, 12)];
    }
}

/* ------------------------------------------------------------ comparisons */

static void compare_bits(check *c, const rows_case *r, const float *got, const char *what) {
    bool same = true;
    for (uint32_t row = 0; row < ROWS; row++) {
        for (uint32_t i = 0; i < r->n; i++) {
            const size_t at = row * r->stride + i;
            same = same && check_same_float(got[at], r->out[at]);
        }
    }
    check_that(c, same, "n=%u: other bits %s", r->n, what);
}

static void compare_with_ref(check *c, const rows_case *r, const rows_kind *kind, uint32_t first) {
    for (uint32_t row = first; row < ROWS; row++) {
        for (uint32_t i = 0; i < r->n; i++) {
            const size_t at = row * r->stride + i;
            const float got = r->out[at], expected = r->expected[at];
            if (!isfinite(expected)) {
                /* a limit that ref meets as infinity times 0 */
                check_that(c, !isfinite(got) || (isnan(expected) && isinf(r->x[at])),
                           "n=%u row %u column %u: %g for x = %g, expected %g", r->n, row, i,
                           (double)got, (double)r->x[at], (double)expected);
                continue;
            }
            const double bound =
                kind->bound(r, r->x + row * r->stride, r->second + row * r->stride, i, expected);
            check_that(c, fabs((double)got - expected) <= bound || fabs(expected) > 3.40282e38,
                       "n=%u row %u column %u: %a for x = %a, expected %a, bound %g", r->n, row, i,
                       (double)got, (double)r->x[at], (double)expected, bound);
        }
    }
}

static void check_gaps(check *c, const rows_case *r) {
    bool same = check_guards(r->out);
    for (uint32_t row = 0; row + 1 < ROWS; row++) {
        for (uint32_t i = 0; i < GAP; i++) {
            uint32_t bits;
            memcpy(&bits, r->out + row * r->stride + r->n + i, sizeof bits);
            same = same && bits == 0xa5a5a5a5u;
        }
    }
    check_that(c, same, "n=%u: wrote past its rows", r->n);
}

static void check_case_of(check *c, const rows_kind *kind, const cpu_kernels *k,
                          const cpu_kernels *scalar, bool extreme) {
    rows_case r;
    create_case(c, &r, kind);
    if (extreme) spoil(c, &r);
    kind->run(k, &r, r.out, r.x);
    check_gaps(c, &r);
    kind->run_ref(&r);
    /* Elsewhere a single infinity changes the row: ref computes in double, where it may be none. */
    compare_with_ref(c, &r, kind, extreme && !kind->in_double ? 1 : 0);
    kind->run(scalar, &r, r.expected, r.x);
    compare_bits(c, &r, r.expected, "than scalar");
    memcpy(r.expected, r.x, (ROWS * r.stride - GAP) * sizeof(float));
    kind->run(k, &r, r.expected, r.expected);
    compare_bits(c, &r, r.expected, "in place");
    destroy_case(&r);
}

void check_rows(check *c) {
    const cpu_kernels scalar = cpu_kernels_select(BASE_ISA_SCALAR);
    base_isa isa, last = BASE_ISA_COUNT;
    for (unsigned i = 0; check_next_isa(c, &i, &isa);) {
        const cpu_kernels k = cpu_kernels_select(isa);
        if (k.isa == last) continue;
        last = k.isa;
        for (size_t j = 0; j < sizeof KINDS / sizeof *KINDS; j++) {
            char name[64];
            snprintf(name, sizeof name, "%s_%s", KINDS[j].name, base_isa_name(k.isa));
            if (!check_begin(c, name)) continue;
            for (unsigned n = 0; n < (c->quick ? 24u : 120u); n++)
                check_case_of(c, KINDS + j, &k, &scalar, n % 6 == 5);
        }
    }
}

/* ------------------------------------------------------------ bench */

typedef struct rows_job {
    const rows_kind *kind;
    cpu_kernels k;
    rows_case r;
} rows_job;

static void run_job(void *argument) {
    const rows_job *j = argument;
    j->kind->run(&j->k, &j->r, j->r.out, j->r.x);
}

void check_rows_bench(check *c) {
    base_isa isa, last = BASE_ISA_COUNT;
    for (unsigned i = 0; check_next_isa(c, &i, &isa);) {
        rows_job j = {.k = cpu_kernels_select(isa)};
        if (j.k.isa == last) continue;
        last = j.k.isa;
        for (size_t n = 0; n < sizeof KINDS / sizeof *KINDS; n++) {
            char name[64];
            snprintf(name, sizeof name, "%s_%s", KINDS[n].name, base_isa_name(isa));
            if (!check_begin(c, name)) continue;
            j.kind = KINDS + n;
            do {
                create_case(c, &j.r, j.kind);
            } while (j.r.n < 500 || j.r.rotated < j.r.n / 4 / j.r.heads);
            uint64_t cycles = 0;
            check_time(run_job, &j, 0.05, &cycles);
            printf("%-28s %7.3f cycles an element\n", name, (double)cycles / (ROWS * j.r.n));
            destroy_case(&j.r);
        }
    }
}
