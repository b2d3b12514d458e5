/* Matrix multiplication: every encoding at every instruction set, against the sum that
 * device/cpu/matmul.h defines (bit by bit, from the file's blocks) and against double. */
#include "kernelcheck.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "device/cpu/matmul.h"

enum { ROWS_MAX = 161, TOKENS_MAX = 67, GROUP = CPU_ACTIVATION_GROUP };

typedef enum data_kind {
    DATA_PLAIN,   /* values of moderate size */
    DATA_EXTREME, /* any bytes, NaN and infinite scales too; rows of zeros, of largest codes */
    DATA_COUNT
} data_kind;

/* One weight [ROWS_MAX, k] and TOKENS_MAX rows of x, with the result expected of them. */
typedef struct problem {
    tensor_encoding encoding;
    const tensor_encoding_info *info;
    data_kind kind;
    size_t rows, tokens; /* that are computed */
    uint64_t k, row_bytes;
    size_t x_stride;
    uint8_t *w;
    float *x, *bias;
    float *want;           /* [TOKENS_MAX][ROWS_MAX], without bias */
    double *exact, *bound; /* likewise; bound < 0: not finite */
} problem;

/* ------------------------------------------------------------ data */

static bool block_is_moderate(const problem *p, const uint8_t *block) {
    float values[TENSOR_BLOCK_ELEMS_MAX], most = 0;
    tensor_decode(p->encoding, block, p->info->block_elems, values);
    for (uint32_t i = 0; i < p->info->block_elems; i++) {
        if (!isfinite(values[i])) return false;
        most = fmaxf(most, fabsf(values[i]));
    }
    return most > 0x1p-4f && most < 0x1p6f;
}

static void fill_block(check *c, const problem *p, uint8_t *block) {
    for (int tries = 0; tries < 4000; tries++) {
        for (uint32_t i = 0; i < p->info->block_bytes; i++)
            block[i] = (uint8_t)check_random(c);
        if (p->kind == DATA_EXTREME || block_is_moderate(p, block)) break;
    }
    if (p->kind != DATA_EXTREME) return;
    static const uint8_t FILLS[] = {0x00, 0x80, 0x7f, 0xff};
    const uint32_t fill = check_random_below(c, 8);
    if (fill < 4) memset(block + 2, FILLS[fill], p->info->block_bytes - 2u);
}

static void fill_weights(check *c, problem *p) {
    const size_t blocks = p->row_bytes / p->info->block_bytes;
    for (size_t r = 0; r < p->rows; r++) {
        for (size_t b = 0; b < blocks; b++) {
            uint8_t *block = p->w + r * p->row_bytes + b * p->info->block_bytes;
            if (p->info->block_bytes > 8) {
                fill_block(c, p, block);
            } else if (p->kind == DATA_EXTREME) {
                for (uint32_t i = 0; i < p->info->block_bytes; i++)
                    block[i] = (uint8_t)check_random(c);
            } else if (p->info->encoding_class == TENSOR_CLASS_FLOAT) {
                const float value = check_random_normal(c, 1);
                tensor_encode(p->encoding, &value, 1, NULL, block, NULL);
            } else {
                memset(block, 0, p->info->block_bytes);
                block[0] = (uint8_t)check_random_below(c, 100);
            }
        }
        if (p->kind == DATA_EXTREME && r % 17 == 5)
            memset(p->w + r * p->row_bytes, 0, p->row_bytes);
    }
}

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
    const uint64_t run = p->info->group_elems;
    float acc = 0;
    double sum = 0, magnitude = 0;
    for (uint64_t g = 0; g < p->k / run; g++) {
        int32_t isum = 0, x_sum = 0;
        double absolute = 0;
        for (uint64_t i = g * run; i < (g + 1) * run; i++) {
            isum += w->codes[i] * codes[i];
            x_sum += codes[i];
            absolute += fabs((double)w->codes[i] * codes[i]);
        }
        const float scale = w->scales[g], x_scale = scales[g * run / GROUP];
        acc = fmaf(scaled(isum, scale), x_scale, acc);
        sum += (double)isum * scale * x_scale;
        magnitude += fabs(absolute * scale * x_scale);
        if (p->info->has_minimum) {
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
    const uint64_t groups = p->k / p->info->group_elems;
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
        tensor_unpack(p->encoding, p->w + r * p->row_bytes, p->k, w.codes, w.scales, w.minimums);
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
        tensor_decode(p->encoding, p->w + r * p->row_bytes, p->k, w);
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

static problem make_problem(check *c, tensor_encoding e, data_kind kind, uint64_t k) {
    problem p = {.encoding = e, .info = tensor_encoding_info_of(e), .kind = kind, .k = k};
    p.rows = c->quick ? 33 : ROWS_MAX;
    p.tokens = c->quick ? 9 : TOKENS_MAX;
    const size_t outputs = (size_t)ROWS_MAX * TOKENS_MAX;
    p.row_bytes = k / p.info->block_elems * p.info->block_bytes;
    p.x_stride = k + 5;
    p.w = check_alloc(ROWS_MAX * p.row_bytes, 1);
    p.x = check_alloc(TOKENS_MAX * p.x_stride * sizeof *p.x, 4);
    p.bias = check_alloc(ROWS_MAX * sizeof *p.bias, 4);
    p.want = check_alloc(outputs * sizeof *p.want, 0);
    p.exact = check_alloc(outputs * sizeof *p.exact, 0);
    p.bound = check_alloc(outputs * sizeof *p.bound, 0);
    fill_weights(c, &p);
    fill_x(c, &p);
    for (size_t r = 0; r < ROWS_MAX; r++)
        p.bias[r] = check_random_normal(c, 1);
    if (p.info->encoding_class == TENSOR_CLASS_QUANTISED) {
        expect_codes(c, &p);
    } else {
        expect_floats(&p);
    }
    return p;
}

static void free_problem(problem *p) {
    check_free(p->bound);
    check_free(p->exact);
    check_free(p->want);
    check_free(p->bias);
    check_free(p->x);
    check_free(p->w);
}

/* ------------------------------------------------------------ checks */

/* A packed weight and one multiplication by it. */
typedef struct attempt {
    const problem *p;
    const cpu_matmul_config *config;
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
    a->config->matmul(p->encoding, a->packed, a->n, p->k, cut, panels, x, p->x_stride, a->tokens, y,
                      y_stride, bias, work);
    a->config->matmul(p->encoding, a->packed, a->n, p->k, 0, cut, x, p->x_stride, a->tokens, y,
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
        a->config->decode_row(p->encoding, a->packed, a->n, p->k, r, got);
        tensor_decode(p->encoding, p->w + r * p->row_bytes, p->k, want);
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

static void check_config(check *c, const problem *p, const cpu_matmul_config *config,
                         base_isa isa) {
    static const uint64_t OUTPUTS[] = {1, 31, 33, ROWS_MAX};
    static const uint32_t TOKENS[] = {1, 2, 3, 7, 8, 9, 33, TOKENS_MAX};
    attempt a = {.p = p, .config = config, .quantize = cpu_quantize_rows_select(isa)};
    for (size_t i = 0; i < sizeof OUTPUTS / sizeof *OUTPUTS && OUTPUTS[i] <= p->rows; i++) {
        a.n = OUTPUTS[i];
        const uint64_t panels = (a.n + config->panel_rows - 1) / config->panel_rows;
        const uint64_t bytes = config->packed_bytes(p->encoding, a.n, p->k);
        a.packed = check_alloc(bytes + CPU_MATMUL_SLACK_BYTES, 0);
        for (uint64_t panel = panels; panel-- > 0;) {
            config->pack(p->encoding, p->w, a.n, p->k, panel, a.packed + bytes / panels * panel);
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
static void make_problems(check *c, tensor_encoding e, problem problems[PROBLEMS]) {
    const tensor_encoding_info *info = tensor_encoding_info_of(e);
    const bool codes = info->encoding_class == TENSOR_CLASS_QUANTISED;
    const uint64_t columns[] = {codes ? info->block_elems : 37, codes ? 1280 : 301, 0};
    for (int i = 0; i < PROBLEMS; i++)
        problems[i] = make_problem(c, e, (data_kind)(i / 3), columns[i % 3]);
}

static void check_encoding(check *c, tensor_encoding e) {
    problem problems[PROBLEMS];
    bool made = false;
    const cpu_matmul_config *last = NULL;
    base_isa isa;
    for (unsigned i = 0; check_next_isa(c, &i, &isa);) {
        const cpu_matmul_config *config = cpu_matmul_select(isa, e, ROWS_MAX, 0, NULL);
        if (config == last) continue;
        last = config;
        char name[64];
        snprintf(name, sizeof name, "matmul_%s_%s", tensor_encoding_info_of(e)->name,
                 config ? config->name : "none");
        if (!check_begin(c, name)) continue;
        if (!check_that(c, config != NULL, "no config at %s", base_isa_name(isa))) continue;
        if (!made) make_problems(c, e, problems);
        made = true;
        for (int j = 0; j < PROBLEMS; j++)
            check_config(c, problems + j, config, isa);
    }
    for (int j = 0; made && j < PROBLEMS; j++)
        free_problem(problems + j);
}

void check_matmul(check *c) {
    for (int e = 0; e < TENSOR_ENCODING_COUNT; e++)
        check_encoding(c, (tensor_encoding)e);
}
