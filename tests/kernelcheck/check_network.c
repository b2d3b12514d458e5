/* Kernels of graphs that run as they are written (device/cpu/rows.h, matmul's segments): numbers
 * against double, and every level against the scalar kernels' bits. */
#include "kernelcheck.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "device/cpu/matmul.h"
#include "device/cpu/rows.h"
#include "device/cpu/matmul_layout.h"
#include "tensor/half.h"

enum { SIZE_MAX_ROW = 70 };

/* ------------------------------------------------------------ one operand */

static double square(double x) {
    return x * x;
}
static double hard_swish(double x) {
    return x * fmax(0, fmin(1, x / 6 + 0.5));
}
static double sigmoid(double x) {
    return 1 / (1 + exp(-x));
}
static double gelu(double x) {
    return x * 0.5 * (1 + erf(x * 0.70710678118654752));
}
static double gelu_tanh(double x) {
    return x * 0.5 * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)));
}
static double softplus(double x) {
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}
static double relu(double x) {
    return x > 0 ? x : 0;
}
static double reciprocal(double x) {
    return 1 / x;
}

/* ulps: what the result may be away by, in steps of the result, and in steps of 1 (absolute). */
static const struct {
    cpu_unary op;
    const char *name;
    double (*exact)(double);
    float low, high;
    double ulps, absolute;
} UNARY[] = {
    {CPU_UNARY_ABS, "abs", fabs, -10, 10, 0, 0},
    {CPU_UNARY_SQRT, "sqrt", sqrt, 0, 100, 0.5, 0},
    {CPU_UNARY_RECIPROCAL, "reciprocal", reciprocal, 0.1f, 100, 0.5, 0},
    {CPU_UNARY_FLOOR, "floor", floor, -100, 100, 0, 0},
    {CPU_UNARY_CEIL, "ceil", ceil, -100, 100, 0, 0},
    {CPU_UNARY_ROUND, "round", rint, -100, 100, 0, 0},
    {CPU_UNARY_SQUARE, "square", square, -100, 100, 0.5, 0},
    {CPU_UNARY_RELU, "relu", relu, -10, 10, 0, 0},
    {CPU_UNARY_HARD_SWISH, "hard_swish", hard_swish, -8, 8, 4, 2},
    {CPU_UNARY_EXP, "exp", exp, -80, 80, 2, 0},
    {CPU_UNARY_TANH, "tanh", tanh, -12, 12, 4, 2},
    {CPU_UNARY_SIGMOID, "sigmoid", sigmoid, -30, 30, 4, 0},
    {CPU_UNARY_ERF, "erf", erf, -6, 6, 4, 4},
    {CPU_UNARY_GELU, "gelu", gelu, -6, 6, 8, 8},
    {CPU_UNARY_GELU_TANH, "gelu_tanh", gelu_tanh, -6, 6, 8, 8},
    {CPU_UNARY_LOG, "log", log, 1e-6f, 1e6f, 4, 2},
    {CPU_UNARY_SOFTPLUS, "softplus", softplus, -20, 20, 8, 2},
    {CPU_UNARY_SIN, "sin", sin, -6, 6, 4, 2},
    {CPU_UNARY_COS, "cos", cos, -6, 6, 4, 2},
};

static bool near(float got, double want, double ulps, double absolute) {
    return fabs(got - want) <= fabs(want) * ulps * FLT_EPSILON + absolute * FLT_EPSILON;
}

static bool same_bits(const float *a, const float *b, size_t n) {
    size_t i = 0;
    while (i < n && check_same_float(a[i], b[i]))
        i++;
    return i == n;
}

static void check_unary(check *c, const cpu_rows *k, cpu_unary op, size_t row) {
    for (size_t n = 0; n <= SIZE_MAX_ROW; n++) {
        float *x = check_alloc((n + 1) * 4, 4), *y = check_alloc((n + 1) * 4, 0);
        float *z = check_alloc((n + 1) * 4, 0);
        for (size_t i = 0; i < n; i++)
            x[i] = check_random_float(c, UNARY[row].low, UNARY[row].high);
        k->unary(op, y, x, n, 0.3f, 0.4f);
        cpu_rows_scalar.unary(op, z, x, n, 0.3f, 0.4f);
        bool fine = true;
        for (size_t i = 0; i < n; i++)
            fine = fine &&
                   near(y[i], UNARY[row].exact((double)x[i]), UNARY[row].ulps, UNARY[row].absolute);
        check_that(c, fine, "%s n=%zu: too far from double", UNARY[row].name, n);
        check_that(c, same_bits(y, z, n), "%s n=%zu: other bits than scalar", UNARY[row].name, n);
        k->unary(op, x, x, n, 0.3f, 0.4f);
        check_that(c, same_bits(x, z, n), "%s n=%zu: other bits in place", UNARY[row].name, n);
        check_that(c, check_guards(y) && check_guards(x), "%s n=%zu: wrote past", UNARY[row].name,
                   n);
        check_free(z);
        check_free(y);
        check_free(x);
    }
}

/* ------------------------------------------------------------ rows against scalar */

static void fill(check *c, float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        x[i] = check_random_normal(c, 2);
}

static void check_binary(check *c, const cpu_rows *k, size_t n) {
    float *a = check_alloc(n * 4 + 4, 4), *b = check_alloc(n * 4 + 4, 0);
    float *y = check_alloc(n * 4 + 4, 0), *z = check_alloc(n * 4 + 4, 0);
    fill(c, a, n + 1);
    fill(c, b, n + 1);
    for (int op = 0; op < CPU_BINARY_COUNT; op++) {
        for (unsigned steps = 0; steps < 4; steps++) {
            k->binary((cpu_binary)op, y, a, steps & 1, b, steps >> 1, n);
            cpu_rows_scalar.binary((cpu_binary)op, z, a, steps & 1, b, steps >> 1, n);
            check_that(c, same_bits(y, z, n) && check_guards(y), "binary %d n=%zu: other bits", op,
                       n);
        }
    }
    check_free(z);
    check_free(y);
    check_free(b);
    check_free(a);
}

static void check_sums(check *c, const cpu_rows *k, size_t n) {
    float *x = check_alloc(n * 4, 4), *w = check_alloc(n * 4, 0), *b = check_alloc(n * 4, 0);
    float *y = check_alloc(n * 4, 0), *z = check_alloc(n * 4, 0);
    fill(c, x, n);
    fill(c, w, n);
    fill(c, b, n);
    for (int op = 0; op <= CPU_REDUCTION_MIN; op++) {
        const float got = k->reduce((cpu_reduction)op, x, n);
        check_that(c, check_same_float(got, cpu_rows_scalar.reduce((cpu_reduction)op, x, n)),
                   "reduce %d n=%zu: other bits", op, n);
        memcpy(y, w, n * 4);
        memcpy(z, w, n * 4);
        k->accumulate((cpu_reduction)op, y, x, n);
        cpu_rows_scalar.accumulate((cpu_reduction)op, z, x, n);
        check_that(c, same_bits(y, z, n), "accumulate %d n=%zu: other bits", op, n);
    }
    for (int as_log = 0; as_log < 2; as_log++) {
        k->softmax(y, x, n, as_log);
        cpu_rows_scalar.softmax(z, x, n, as_log);
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += as_log ? exp(y[i]) : y[i];
        check_that(c, same_bits(y, z, n) && fabs(sum - 1) < 1e-5, "softmax n=%zu: sum %g", n, sum);
    }
    k->layer_norm(y, x, w, b, n, 1e-5f);
    cpu_rows_scalar.layer_norm(z, x, w, b, n, 1e-5f);
    check_that(c, same_bits(y, z, n) && check_guards(y), "layer_norm n=%zu: other bits", n);
    check_free(z);
    check_free(y);
    check_free(b);
    check_free(w);
    check_free(x);
}

/* ------------------------------------------------------------ convolution */

static void check_depthwise(check *c, const cpu_rows *k, size_t channels, size_t pixels) {
    enum { TAPS = 9, WIDTH = 24 };
    const size_t stride = 2 * channels, image = 3 * WIDTH * channels;
    float *x = check_alloc(image * 4, 4), *w = check_alloc(TAPS * channels * 4, 4);
    float *bias = check_alloc(channels * 4, 0), *y = check_alloc(pixels * channels * 4, 0);
    ptrdiff_t offsets[TAPS];
    const float *taps[TAPS];
    bool fine = true;
    fill(c, x, image);
    fill(c, w, TAPS * channels);
    fill(c, bias, channels);
    const size_t count = check_random_below(c, TAPS + 1);
    for (size_t t = 0; t < count; t++) {
        offsets[t] = (ptrdiff_t)((t / 3 * WIDTH + t % 3) * channels);
        taps[t] = w + t * channels;
    }
    const bool has_bias = check_random(c) & 1;
    k->depthwise(y, x, stride, has_bias ? bias : NULL, offsets, taps, count, channels, pixels);
    for (size_t p = 0; p < pixels; p++) {
        for (size_t i = 0; i < channels; i++) {
            float want = has_bias ? bias[i] : 0;
            for (size_t t = 0; t < count; t++)
                want = fmaf(x[p * stride + (size_t)offsets[t] + i], taps[t][i], want);
            fine = fine && check_same_float(want, y[p * channels + i]);
        }
    }
    check_that(c, fine, "depthwise %zu channels, %zu pixels: other bits", channels, pixels);
    check_that(c, check_guards(y), "depthwise %zu channels: wrote past", channels);
    check_free(y);
    check_free(bias);
    check_free(w);
    check_free(x);
}

/* x [rows][k] in segments, against the product by the same kernels in one piece. */
static void check_segments(check *c, base_isa isa, uint64_t n, uint32_t rows, uint64_t columns) {
    enum { SEGMENTS = 3 };
    const uint64_t k = SEGMENTS * columns, stride = k + 3;
    const panel_form f = {.layout = PANEL_LAYOUT_F32};
    const uint32_t missing = check_random_below(c, SEGMENTS + 1);
    float *w = check_alloc(n * k * 4, 4), *x = check_alloc(rows * stride * 4, 4);
    float *bias = check_alloc(n * 4, 0), *y = check_alloc(rows * n * 4, 0);
    float *z = check_alloc(rows * n * 4, 0);
    fill(c, w, n * k);
    fill(c, x, rows * stride);
    fill(c, bias, n);
    const tensor_matrix m = {.rows = n, .columns = k, .encoding = TENSOR_ENCODING_F32, .data = w};
    const cpu_matmul_config *config = cpu_matmul_select(isa, &m, NULL, NULL);
    const uint64_t bytes = config->packed_bytes(f, n, k), panels = (n + 31) / 32;
    uint8_t *packed = check_alloc(bytes + CPU_MATMUL_SLACK_BYTES, 0);
    for (uint64_t p = 0; p < panels; p++)
        config->pack(f, &m, p, packed + bytes / panels * p);
    const float *at[SEGMENTS];
    cpu_segments s = {.at = at, .count = SEGMENTS, .columns = columns};
    for (uint32_t i = 0; i < SEGMENTS; i++) {
        at[i] = i == missing ? NULL : x + i * columns;
        if (at[i]) s.last = i;
    }
    cpu_matmul_segments_select(isa)(packed, n, k, 0, panels, &s, stride, rows, y, n, bias);
    for (uint32_t r = 0; r < rows && missing < SEGMENTS; r++)
        memset(x + r * stride + missing * columns, 0, columns * 4);
    config->matmul(f, packed, n, k, 0, panels, x, stride, rows, z, n, bias, NULL);
    bool fine = true;
    for (uint64_t i = 0; i < rows * n; i++)
        fine = fine && (check_same_float(y[i], z[i]) || (y[i] == 0 && z[i] == 0));
    check_that(c, fine && check_guards(y), "segments n=%u rows=%u columns=%u: other bits",
               (unsigned)n, rows, (unsigned)columns);
    check_free(packed);
    check_free(z);
    check_free(y);
    check_free(bias);
    check_free(x);
    check_free(w);
}

/* ------------------------------------------------------------ choices */

/* Few values, so that many are equal; NaN among floats. */
static double element_of(tensor_element e, const void *data, size_t i) {
    switch (e) {
    case TENSOR_ELEMENT_F32: return ((const float *)data)[i];
    case TENSOR_ELEMENT_I32: return ((const int32_t *)data)[i];
    case TENSOR_ELEMENT_I64: return (double)((const int64_t *)data)[i];
    default: return ((const uint8_t *)data)[i];
    }
}

static void fill_elements(check *c, tensor_element e, void *data, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const int v = (int)check_random_below(c, 4) - 1;
        switch (e) {
        case TENSOR_ELEMENT_F32: ((float *)data)[i] = v == 2 ? NAN : (float)v; break;
        case TENSOR_ELEMENT_I32: ((int32_t *)data)[i] = v; break;
        case TENSOR_ELEMENT_I64: ((int64_t *)data)[i] = v; break;
        default: ((uint8_t *)data)[i] = v > 0; break;
        }
    }
}

static bool compared(cpu_compare op, double u, double v) {
    switch (op) {
    case CPU_COMPARE_EQUAL: return u == v;
    case CPU_COMPARE_GREATER: return u > v;
    case CPU_COMPARE_GREATER_OR_EQUAL: return u >= v;
    case CPU_COMPARE_LESS: return u < v;
    case CPU_COMPARE_LESS_OR_EQUAL: return u <= v;
    case CPU_COMPARE_AND: return u != 0 && v != 0;
    case CPU_COMPARE_OR: return u != 0 || v != 0;
    default: return (u != 0) != (v != 0);
    }
}

static void check_compare(check *c, const cpu_rows *k, tensor_element e, size_t n) {
    const size_t bytes = tensor_element_bits(e) / 8;
    void *a = check_alloc(n * bytes, 0), *b = check_alloc(n * bytes, 0);
    uint8_t *y = check_alloc(n, 0);
    fill_elements(c, e, a, n);
    fill_elements(c, e, b, n);
    for (unsigned op = CPU_COMPARE_EQUAL; op <= CPU_COMPARE_XOR; op++) {
        for (unsigned steps = 1; steps < 4; steps++) {
            const size_t a_step = steps & 1, b_step = steps >> 1;
            bool fine = true;
            k->compare((cpu_compare)op, e, y, a, a_step, b, b_step, n);
            for (size_t i = 0; i < n; i++) {
                const double u = element_of(e, a, i * a_step), v = element_of(e, b, i * b_step);
                fine = fine && y[i] == compared((cpu_compare)op, u, v);
            }
            check_that(c, fine && check_guards(y), "compare %u of %s, n=%zu", op,
                       tensor_element_onnx_name(e), n);
        }
    }
    check_free(y);
    check_free(b);
    check_free(a);
}

static void check_choose(check *c, const cpu_rows *k, unsigned bits, size_t n) {
    const size_t bytes = bits / 8;
    uint8_t *condition = check_alloc(n, 0), *a = check_alloc(n * bytes, 0);
    uint8_t *b = check_alloc(n * bytes, 0), *y = check_alloc(n * bytes, 0);
    for (size_t i = 0; i < n * bytes; i++) {
        a[i] = (uint8_t)check_random_below(c, 256);
        b[i] = (uint8_t)check_random_below(c, 256);
    }
    fill_elements(c, TENSOR_ELEMENT_BOOL, condition, n);
    for (unsigned steps = 0; steps < 8; steps++) {
        const size_t step = steps & 1, a_step = steps >> 1 & 1, b_step = steps >> 2;
        bool fine = true;
        k->choose(bits, y, condition, step, a, a_step, b, b_step, n);
        for (size_t i = 0; i < n; i++) {
            const uint8_t *from =
                condition[i * step] ? a + i * a_step * bytes : b + i * b_step * bytes;
            fine = fine && memcmp(y + i * bytes, from, bytes) == 0;
        }
        check_that(c, fine && check_guards(y), "choose of %u bits, steps %u, n=%zu", bits, steps,
                   n);
    }
    check_free(y);
    check_free(b);
    check_free(a);
    check_free(condition);
}

static void check_find_nan(check *c, const cpu_rows *k, size_t n) {
    float *x = check_alloc(n * 4, 0);
    uint8_t *y = check_alloc(n, 0);
    bool fine = true;
    fill_elements(c, TENSOR_ELEMENT_F32, x, n);
    k->find_nan(y, x, n);
    for (size_t i = 0; i < n; i++)
        fine = fine && y[i] == (isnan(x[i]) ? 1 : 0);
    check_that(c, fine && check_guards(y), "find_nan n=%zu", n);
    check_free(y);
    check_free(x);
}

static void check_f16(check *c, const cpu_rows *k, size_t n) {
    float *x = check_alloc(n * 4, 0), *back = check_alloc(n * 4, 0);
    uint16_t *h = check_alloc(n * 2, 0);
    bool fine = true;
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits =
            check_random_below(c, 1u << 16) << 16 | check_random_below(c, 1u << 16);
        x[i] = i % 2 ? tensor_f32_from_bits(bits) : tensor_f16_to_f32((uint16_t)bits) * 1.0001f;
    }
    k->to_f16(h, x, n);
    k->from_f16(back, h, n);
    for (size_t i = 0; i < n; i++) {
        const uint16_t want = tensor_f32_to_f16(x[i]);
        fine = fine && (isnan(x[i]) ? isnan(back[i]) : h[i] == want) &&
               check_same_float(back[i], tensor_f16_to_f32(h[i]));
    }
    check_that(c, fine && check_guards(h) && check_guards(back), "f16 n=%zu", n);
    check_free(h);
    check_free(back);
    check_free(x);
}

static void check_choices(check *c, const cpu_rows *k, size_t n) {
    static const tensor_element TYPES[] = {TENSOR_ELEMENT_F32, TENSOR_ELEMENT_I32,
                                           TENSOR_ELEMENT_I64, TENSOR_ELEMENT_BOOL};
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        check_compare(c, k, TYPES[i], n);
    for (unsigned bits = 8; bits <= 64; bits *= 2)
        check_choose(c, k, bits, n);
    check_find_nan(c, k, n);
    check_f16(c, k, n);
}

static void check_level(check *c, const cpu_rows *k, base_isa isa) {
    for (size_t i = 0; i < sizeof UNARY / sizeof *UNARY; i++)
        check_unary(c, k, UNARY[i].op, i);
    for (size_t n = 1; n <= SIZE_MAX_ROW; n++) {
        check_binary(c, k, n);
        check_sums(c, k, n);
        check_choices(c, k, n);
    }
    for (size_t channels = 1; channels <= 50; channels += 1 + channels / 8) {
        for (size_t pixels = 0; pixels <= 9; pixels++)
            check_depthwise(c, k, channels, pixels);
    }
    static const uint64_t OUTPUTS[] = {1, 16, 17, 24, 33, 48, 65}, COLUMNS[] = {1, 5, 64, 150};
    for (size_t i = 0; i < sizeof OUTPUTS / sizeof *OUTPUTS; i++) {
        for (size_t j = 0; j < sizeof COLUMNS / sizeof *COLUMNS; j++) {
            for (uint32_t rows = 1; rows <= 17; rows += 1 + rows / 4)
                check_segments(c, isa, OUTPUTS[i], rows, COLUMNS[j]);
        }
    }
}

void check_network(check *c) {
    const cpu_rows *last = NULL;
    base_isa isa;
    for (unsigned i = 0; check_next_isa(c, &i, &isa);) {
        const cpu_rows *k = cpu_rows_select(isa);
        char name[64];
        if (k == last) continue;
        last = k;
        snprintf(name, sizeof name, "network_%s", base_isa_name(k->isa));
        if (check_begin(c, name)) check_level(c, k, isa);
    }
}

/* ------------------------------------------------------------ bench */

enum { BENCH_CHANNELS = 96, BENCH_PIXELS = 64, BENCH_WIDTH = 80 };

typedef struct depthwise_job {
    const cpu_rows *k;
    float *x, *w, *y;
    ptrdiff_t offsets[9];
    const float *taps[9];
} depthwise_job;

static void run_depthwise(void *argument) {
    const depthwise_job *j = argument;
    j->k->depthwise(j->y, j->x, BENCH_CHANNELS, NULL, j->offsets, j->taps, 9, BENCH_CHANNELS,
                    BENCH_PIXELS);
}

void check_network_bench(check *c) {
    const cpu_rows *last = NULL;
    base_isa isa;
    for (unsigned i = 0; check_next_isa(c, &i, &isa);) {
        depthwise_job j = {.k = cpu_rows_select(isa)};
        char name[64];
        if (j.k == last) continue;
        last = j.k;
        snprintf(name, sizeof name, "depthwise_%s", base_isa_name(j.k->isa));
        if (!check_begin(c, name)) continue;
        j.x = check_alloc((size_t)3 * BENCH_WIDTH * BENCH_CHANNELS * 4, 0);
        j.w = check_alloc((size_t)9 * BENCH_CHANNELS * 4, 0);
        j.y = check_alloc((size_t)BENCH_PIXELS * BENCH_CHANNELS * 4, 0);
        fill(c, j.x, (size_t)3 * BENCH_WIDTH * BENCH_CHANNELS);
        fill(c, j.w, (size_t)9 * BENCH_CHANNELS);
        for (size_t t = 0; t < 9; t++) {
            j.offsets[t] = (ptrdiff_t)((t / 3 * BENCH_WIDTH + t % 3) * BENCH_CHANNELS);
            j.taps[t] = j.w + t * BENCH_CHANNELS;
        }
        uint64_t cycles = 0;
        const double seconds = check_time(run_depthwise, &j, 0.1, &cycles);
        printf("%-28s %8.2f GFLOP/s\n", name,
               2.0 * 9 * BENCH_CHANNELS * BENCH_PIXELS / seconds / 1e9);
        check_free(j.y);
        check_free(j.w);
        check_free(j.x);
    }
}
