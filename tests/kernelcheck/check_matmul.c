/* Matrix multiplication: every kind of weight at every instruction set, against the sum that
 * device/cpu/matmul.h defines (bit by bit, from the file's blocks) and against double. */
#include "kernelcheck.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check_weight.h"
#include "device/cpu/matmul_layout.h"
#if defined(__x86_64__)
#include "device/cpu/x86/amx_tiles.h"

/* cpu_matmul_codes_amx on the model of amx_model.c. */
void cpu_matmul_codes_amx_model(CPU_MATMUL_PARAMETERS);
#endif

enum { ROWS_MAX = 161, TOKENS_MAX = 75, GROUP = CPU_ACTIVATION_GROUP };

/* One weight [ROWS_MAX, k] and TOKENS_MAX rows of x, with the result expected of them. */
typedef struct problem {
    data_kind kind;
    size_t rows, tokens; /* that are computed */
    uint64_t k;
    size_t x_stride;
    check_weight w;
    float *x, *bias;
    float *want;           /* [TOKENS_MAX][ROWS_MAX], without bias */
    double *exact, *bound; /* likewise; bound < 0: not finite */
} problem;

/* ------------------------------------------------------------ data */

static void fill_x(check *c, problem *p) {
    for (size_t t = 0; t < TOKENS_MAX; t++) {
        float *x = p->x + t * p->x_stride;
        for (uint64_t i = 0; i < p->k; i++)
            x[i] = check_random_normal(c, 1);
        if (p->kind == DATA_PLAIN) continue;
        for (uint64_t i = 0; i < p->k; i++) {
            if (t % 8 == 1) x[i] = 0;
            if (t % 8 == 2) x[i] = i % 2 ? 3.0f : 3.0f; /* codes 127 throughout */
            if (t % 8 == 3) x[i] = -1e30f;
            if (t % 8 == 4) x[i] *= 1e-30f;
        }
        if (t % 8 == 6) x[check_random_below(c, (uint32_t)p->k)] = NAN;
        if (t % 8 == 7) x[check_random_below(c, (uint32_t)p->k)] = INFINITY;
    }
}

/* ------------------------------------------------------------ what is expected */

/* Layouts that share an f16 scale compute isum * scale with 1.5 * 2^23 added (see
 * device/cpu/matmul_layout.h): the same for finite scales but for the sign of zero. */
static float scaled(int32_t isum, float scale) {
    return (float)isum * scale;
}

typedef struct unpacked_row {
    int8_t *codes;
    float *scales, *minimums;
} unpacked_row;

static void expect_codes_one(const problem *p, const unpacked_row *w, const int8_t *codes,
                             const float *scales, float *want, double *exact, double *bound) {
    const uint64_t run = p->w.group;
    float acc = 0;
    double sum = 0, magnitude = 0;
    for (uint64_t g = 0; g * run < p->k; g++) {
        int32_t isum = 0, x_sum = 0;
        double absolute = 0;
        for (uint64_t i = g * run; i < (g + 1) * run && i < p->k; i++) {
            isum += w->codes[i] * codes[i];
            x_sum += codes[i];
            absolute += fabs((double)w->codes[i] * codes[i]);
        }
        const float scale = w->scales[g], x_scale = scales[g * run / GROUP];
        acc = fmaf(scaled(isum, scale), x_scale, acc);
        sum += (double)isum * scale * x_scale;
        magnitude += fabs(absolute * scale * x_scale);
        if (p->w.has_minimum) {
            acc = fmaf(-w->minimums[g], x_scale * (float)x_sum, acc);
            sum -= (double)w->minimums[g] * x_scale * x_sum;
            magnitude += fabs((double)w->minimums[g] * x_scale * x_sum);
        }
    }
    *want = acc;
    *exact = sum;
    *bound = (double)(2 * p->k / run + 2) * FLT_EPSILON * magnitude;
}

static void expect_codes(check *c, problem *p) {
    (void)c;
    const uint64_t groups = p->k / p->w.group + 1;
    unpacked_row w = {check_alloc(p->k, 0), check_alloc(groups * 4, 0), check_alloc(groups * 4, 0)};
    int8_t *codes = check_alloc(TOKENS_MAX * p->k, 0);
    const uint64_t x_groups = (p->k + GROUP - 1) / GROUP;
    float *scales = check_alloc(TOKENS_MAX * x_groups * 4, 0);
    void *quantised = check_alloc(cpu_activation_bytes(TOKENS_MAX, p->k), 0);
    cpu_quantize_rows_select(BASE_ISA_SCALAR)(quantised, p->x, p->x_stride, TOKENS_MAX, 0,
                                              TOKENS_MAX, p->k);
    for (uint32_t t = 0; t < TOKENS_MAX; t++)
        cpu_activation_read(quantised, TOKENS_MAX, p->k, t, codes + t * p->k,
                            scales + t * x_groups);
    for (size_t r = 0; r < p->rows; r++) {
        check_weight_unpack(&p->w, r, w.codes, w.scales, w.minimums);
        for (size_t t = 0; t < p->tokens; t++) {
            const size_t at = t * ROWS_MAX + r;
            expect_codes_one(p, &w, codes + t * p->k, scales + t * x_groups, p->want + at,
                             p->exact + at, p->bound + at);
        }
    }
    check_free(quantised);
    check_free(scales);
    check_free(codes);
    check_free(w.minimums);
    check_free(w.scales);
    check_free(w.codes);
}

static void expect_floats(problem *p) {
    float *w = check_alloc(p->k * sizeof *w, 0);
    for (size_t r = 0; r < p->rows; r++) {
        tensor_matrix_decode_row(&p->w.matrix, r, w);
        for (size_t t = 0; t < p->tokens; t++) {
            const float *x = p->x + t * p->x_stride;
            float acc = 0;
            double sum = 0, magnitude = 0;
            for (uint64_t i = 0; i < p->k; i++) {
                acc = fmaf(w[i], x[i], acc);
                sum += (double)w[i] * x[i];
                magnitude += fabs((double)w[i] * x[i]);
            }
            p->want[t * ROWS_MAX + r] = acc;
            p->exact[t * ROWS_MAX + r] = sum;
            p->bound[t * ROWS_MAX + r] = (double)p->k * FLT_EPSILON * magnitude;
        }
    }
    check_free(w);
}

static void make_problem(check *c, const weight_kind *kind, data_kind data, uint64_t k,
                         problem *p) {
    *p = (problem){.kind = data, .k = k};
    p->rows = c->quick ? 33 : ROWS_MAX;
    p->tokens = c->quick ? 9 : TOKENS_MAX;
    const size_t outputs = (size_t)ROWS_MAX * TOKENS_MAX;
    p->x_stride = k + 5;
    check_weight_make(c, kind, data, p->rows, k, &p->w);
    p->x = check_alloc(TOKENS_MAX * p->x_stride * sizeof *p->x, 4);
    p->bias = check_alloc(ROWS_MAX * sizeof *p->bias, 4);
    p->want = check_alloc(outputs * sizeof *p->want, 0);
    p->exact = check_alloc(outputs * sizeof *p->exact, 0);
    p->bound = check_alloc(outputs * sizeof *p->bound, 0);
    fill_x(c, p);
    for (size_t r = 0; r < ROWS_MAX; r++)
        p->bias[r] = check_random_normal(c, 1);
    if (tensor_matrix_is_codes(&p->w.matrix)) {
        expect_codes(c, p);
    } else {
        expect_floats(p);
    }
}

static void free_problem(problem *p) {
    check_free(p->bound);
    check_free(p->exact);
    check_free(p->want);
    check_free(p->bias);
    check_free(p->x);
    check_weight_free(&p->w);
}

/* ------------------------------------------------------------ checks */

/* A packed weight and one multiplication by it. */
typedef struct attempt {
    const problem *p;
    const cpu_matmul_config *config;
    panel_form form;
    cpu_quantize_rows quantize;
    uint8_t *packed;
    uint64_t n;
    uint32_t tokens;
    bool has_bias;
} attempt;

static const char *kind_name(const problem *p) {
    return p->kind == DATA_PLAIN ? "plain" : "extreme";
}

/* Extreme scales: what has become infinite or NaN need only be not finite; zeros have any sign. */
static bool same_output(const problem *p, float got, float want) {
    if (check_same_float(got, want)) return true;
    if (p->kind == DATA_PLAIN) return false;
    return (!isfinite(got) && !isfinite(want)) || (got == 0 && want == 0);
}

static void compare(check *c, const attempt *a, const float *y, size_t y_stride) {
    const problem *p = a->p;
    double worst = 0;
    size_t worst_row = 0, worst_token = 0, different = 0;
    for (size_t t = 0; t < a->tokens; t++) {
        for (size_t r = 0; r < a->n; r++) {
            const size_t at = t * ROWS_MAX + r;
            const float want = a->has_bias ? p->want[at] + p->bias[r] : p->want[at];
            const float got = y[t * y_stride + r];
            const double exact = a->has_bias ? p->exact[at] + p->bias[r] : p->exact[at];
            const double bound = p->bound[at] + FLT_EPSILON * fabs(exact);
            const double share = fabs(got - exact) / (bound > 0 ? bound : FLT_MIN);
            const bool off = p->kind == DATA_PLAIN && !(share <= 1);
            if (same_output(p, got, want) && !off) continue;
            different++;
            if (!(share <= worst)) {
                worst = share;
                worst_row = r;
                worst_token = t;
            }
        }
    }
    const size_t at = worst_token * ROWS_MAX + worst_row;
    check_that(c, different == 0,
               "%s n=%u k=%u T=%u%s: %zu outputs differ; the worst, row %zu of token %zu, is %.9g, "
               "expected %.9g, in double %.9g (%.3g of the bound)",
               kind_name(p), (unsigned)a->n, (unsigned)p->k, a->tokens, a->has_bias ? " bias" : "",
               different, worst_row, worst_token, (double)y[worst_token * y_stride + worst_row],
               (double)(a->has_bias ? p->want[at] + p->bias[worst_row] : p->want[at]), p->exact[at],
               worst);
}

/* Panels in a random order of two or three shares. */
static void multiply(check *c, const attempt *a, const void *x, float *y, size_t y_stride,
                     void *work) {
    const problem *p = a->p;
    const uint32_t rows = a->config->panel_rows;
    const uint64_t panels = (a->n + rows - 1) / rows;
    const uint64_t cut = check_random_below(c, (uint32_t)panels + 1);
    const float *bias = a->has_bias ? p->bias : NULL;
    a->config->matmul(a->form, a->packed, a->n, p->k, cut, panels, x, p->x_stride, a->tokens, y,
                      y_stride, bias, work);
    a->config->matmul(a->form, a->packed, a->n, p->k, 0, cut, x, p->x_stride, a->tokens, y,
                      y_stride, bias, work);
}

static void check_attempt(check *c, const attempt *a) {
    const problem *p = a->p;
    const size_t y_stride = a->n + 3;
    const size_t y_elems = (a->tokens - 1) * y_stride + a->n;
    float *y = check_alloc(y_elems * sizeof *y, 4);
    void *work = check_alloc(a->config->work_bytes, 0);
    void *quantised =
        check_alloc(cpu_activation_bytes(a->tokens, p->k) + CPU_MATMUL_SLACK_BYTES, 0);
    const void *x = p->x;
    float untouched;
    memcpy(&untouched, y, sizeof untouched);
    if (a->config->activation == PLAN_ACTIVATION_Q8) {
        a->quantize(quantised, p->x, p->x_stride, a->tokens, 0, a->tokens, p->k);
        x = quantised;
    }
    multiply(c, a, x, y, y_stride, work);
#if defined(__x86_64__)
    const char *fault = amx_model_take_fault();
    check_that(c, !fault, "n=%u T=%u: %s", (unsigned)a->n, a->tokens, fault ? fault : "");
#endif
    bool margins = true;
    for (size_t t = 0; t + 1 < a->tokens; t++) {
        for (size_t i = a->n; i < y_stride; i++)
            margins = margins && memcmp(y + t * y_stride + i, &untouched, sizeof untouched) == 0;
    }
    check_that(c, margins && check_guards(y), "n=%u T=%u: wrote outputs that are not its own",
               (unsigned)a->n, a->tokens);
    check_that(c, check_guards(work) && check_guards(a->packed), "n=%u T=%u: wrote past its work",
               (unsigned)a->n, a->tokens);
    compare(c, a, y, y_stride);
    check_free(quantised);
    check_free(work);
    check_free(y);
}

static void check_decode_rows(check *c, const attempt *a) {
    const problem *p = a->p;
    float *got = check_alloc(p->k * sizeof *got, 4), *want = check_alloc(p->k * sizeof *want, 0);
    for (uint64_t r = 0; r < a->n; r++) {
        a->config->decode_row(a->form, a->packed, a->n, p->k, r, got);
        tensor_matrix_decode_row(&p->w.matrix, r, want);
        uint64_t i = 0;
        while (i < p->k && check_same_float(got[i], want[i]))
            i++;
        check_that(c, i == p->k && check_guards(got), "%s row %u column %u decodes to %g, not %g",
                   kind_name(p), (unsigned)r, (unsigned)i, i < p->k ? (double)got[i] : 0.0,
                   i < p->k ? (double)want[i] : 0.0);
    }
    check_free(want);
    check_free(got);
}

/* The first n rows of a weight; of those that lie in columns all: n is the rows' distance there. */
static tensor_matrix first_rows(const tensor_matrix *m, uint64_t n, tensor_nbits *nbits) {
    tensor_matrix part = *m;
    if (m->nbits) {
        *nbits = *m->nbits;
        nbits->rows = n;
        part.nbits = nbits;
    }
    if (!m->transposed) part.rows = n;
    return part;
}

/* form: in which config packs the problem's weight. */
static void check_config(check *c, const problem *p, base_isa isa, const cpu_matmul_config *config,
                         panel_form form) {
    static const uint64_t OUTPUTS[] = {1, 31, 33, ROWS_MAX};
    static const uint32_t TOKENS[] = {1, 2, 3, 7, 8, 9, 16, 21, 33, TOKENS_MAX};
    attempt a = {.p = p, .config = config, .form = form, .quantize = cpu_quantize_rows_select(isa)};
    for (size_t i = 0; i < sizeof OUTPUTS / sizeof *OUTPUTS && OUTPUTS[i] <= p->rows; i++) {
        tensor_nbits nbits;
        const tensor_matrix w = first_rows(&p->w.matrix, OUTPUTS[i], &nbits);
        a.n = w.rows;
        const uint64_t panels = (a.n + config->panel_rows - 1) / config->panel_rows;
        const uint64_t bytes = config->packed_bytes(a.form, a.n, p->k);
        a.packed = check_alloc(bytes + CPU_MATMUL_SLACK_BYTES, 0);
        for (uint64_t panel = panels; panel-- > 0;) {
            config->pack(a.form, &w, panel, a.packed + bytes / panels * panel);
        }
        uint64_t slack = 0;
        while (slack < CPU_MATMUL_SLACK_BYTES && a.packed[bytes + slack] == a.packed[-1])
            slack++;
        check_that(c, slack == CPU_MATMUL_SLACK_BYTES, "n=%u: packs past its end", (unsigned)a.n);
        check_decode_rows(c, &a);
        for (size_t t = 0; t < sizeof TOKENS / sizeof *TOKENS && TOKENS[t] <= p->tokens; t++) {
            a.tokens = TOKENS[t];
            a.has_bias = check_random(c) & 1;
            check_attempt(c, &a);
        }
        check_free(a.packed);
    }
}

enum { PROBLEMS = DATA_COUNT * 3 };

/* Few columns, many, and none, of each kind of data. */
static void make_problems(check *c, const weight_kind *k, problem problems[PROBLEMS]) {
    for (int i = 0; i < PROBLEMS; i++) {
        /* Codes with scales apart always have columns. */
        const bool none = i % 3 == 2 && k->encoding != TENSOR_ENCODING_COUNT;
        make_problem(c, k, (data_kind)(i / 3), none ? 0 : weight_kind_columns(k, i % 3 == 1),
                     problems + i);
    }
}

typedef void (*matmul_function)(CPU_MATMUL_PARAMETERS);

/* By the config of that level; with `instead` in the place of its kernel, unless that is NULL. */
static void check_problems(check *c, const problem problems[PROBLEMS], base_isa isa,
                           matmul_function instead) {
    for (int j = 0; j < PROBLEMS; j++) {
        panel_form form;
        cpu_matmul_config config = *cpu_matmul_select(isa, &problems[j].w.matrix, &form, NULL);
        if (instead) config.matmul = instead;
        check_config(c, problems + j, isa, &config, form);
    }
}

#if defined(__x86_64__)
/* Whether AMX's kernel for w is checked on the model, which runs wherever VNNI does. name[64] stays
 * with the subject. */
static bool begin_model(check *c, const weight_kind *k, const tensor_matrix *w, char *name) {
    const cpu_matmul_config *config = cpu_matmul_select(BASE_ISA_AMX, w, NULL, NULL);
    if (!config || config->isa != BASE_ISA_AMX) return false;
    if (!base_isa_runs(c->isa, BASE_ISA_AVX512VNNI)) return false;
    snprintf(name, 64, "matmul_%s_%s_model", k->name, config->name);
    return check_begin(c, name);
}
#endif

static void check_kind(check *c, const weight_kind *k) {
    problem problems[PROBLEMS];
    check_weight probe;
    bool made = false;
    const cpu_matmul_config *last = NULL;
    base_isa isa;
    check silent = {.seed = 1, .state = 1};
    check_weight_make(&silent, k, DATA_PLAIN, 1, weight_kind_columns(k, true), &probe);
    for (unsigned i = 0; check_next_isa(c, &i, &isa);) {
        const cpu_matmul_config *config = cpu_matmul_select(isa, &probe.matrix, NULL, NULL);
        if (config == last) continue;
        last = config;
        char name[64];
        snprintf(name, sizeof name, "matmul_%s_%s", k->name, config ? config->name : "none");
        if (!check_begin(c, name)) continue;
        if (!check_that(c, config != NULL, "no config at %s", base_isa_name(isa))) continue;
        if (!made) make_problems(c, k, problems);
        made = true;
        check_problems(c, problems, isa, NULL);
    }
#if defined(__x86_64__)
    char model_name[64];
    if (begin_model(c, k, &probe.matrix, model_name)) {
        if (!made) make_problems(c, k, problems);
        made = true;
        check_problems(c, problems, BASE_ISA_AMX, cpu_matmul_codes_amx_model);
    }
#endif
    for (int j = 0; made && j < PROBLEMS; j++)
        free_problem(problems + j);
    check_weight_free(&probe);
}

void check_matmul(check *c) {
    for (size_t i = 0; i < weight_kind_count(); i++) {
        const weight_kind k = weight_kind_at(i);
        check_kind(c, &k);
    }
}
