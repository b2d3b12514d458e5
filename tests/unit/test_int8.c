/* The CPU's int8 kernels at every ISA level of this machine: packed products against sums made one
 * by one, in 64 bits, and all else against the plain kernels, to the bit. */
#include <math.h>
#include <stdlib.h>

#include "device/cpu/ops/cpu_int8_gemm.h"
#include "unit.h"

#define N_MAX 203

static uint32_t random_state = 7;

static uint32_t next_random(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

static void fill(uint8_t *to, size_t n, bool extremes) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t r = next_random();
        to[i] = extremes ? (r & 1 ? 255 : 0) : (uint8_t)r;
    }
}

static const base_isa LEVELS[] = {BASE_ISA_SCALAR, BASE_ISA_AVX2, BASE_ISA_AVX2VNNI,
                                  BASE_ISA_AVX512VNNI};

/* Kernels of a level; NULL: this machine lacks it. */
static const cpu_int8 *kernels_of(size_t level) {
    return base_isa_runs(base_cpu_isa(), LEVELS[level]) ? cpu_int8_select(LEVELS[level]) : NULL;
}

#define LEVEL_COUNT (sizeof LEVELS / sizeof *LEVELS)

typedef struct matrices {
    uint64_t m, k, n;
    bool a_signed, b_signed;
    uint8_t *a, *b, *zeros, *moved; /* moved: a as uint8, with slack */
    uint64_t zero_count;
    uint8_t a_zero;
} matrices;

static int64_t value(uint8_t code, bool is_signed) {
    return is_signed ? (int8_t)code : code;
}

static int64_t expected(const matrices *x, uint64_t row, uint64_t column) {
    int64_t sum = 0;
    const uint8_t zero = x->zero_count ? x->zeros[x->zero_count > 1 ? column : 0] : 0;
    for (uint64_t i = 0; i < x->k; i++) {
        const int64_t a = value(x->a[row * x->k + i], x->a_signed) - value(x->a_zero, x->a_signed);
        const int64_t b = value(x->b[i * x->n + column], x->b_signed) - value(zero, x->b_signed);
        sum += a * b;
    }
    return sum;
}

static void check_product(const matrices *x) {
    uint64_t bytes = 0;
    assert_true(cpu_int8_packed_bytes(x->k, x->n, &bytes));
    void *memory = aligned_alloc(64, (size_t)((bytes + 63) / 64 * 64));
    int32_t *y = calloc((size_t)(x->m * x->n), sizeof *y);
    cpu_int8_packed packed;
    cpu_int8_pack(x->b, x->b_signed, x->k, x->n, x->n, 1, x->zeros, x->zero_count, memory, &packed);
    const int32_t row_zero = x->a_signed ? x->a_zero ^ 128 : x->a_zero;
    for (size_t level = 0; level < LEVEL_COUNT; level++) {
        if (!kernels_of(level)) continue;
        const cpu_int8_gemm g = {.kernels = kernels_of(level),
                                 .b = &packed,
                                 .a = x->moved,
                                 .a_stride = (size_t)x->k,
                                 .rows = x->m,
                                 .row_zeros = &row_zero,
                                 .result = CPU_INT8_SUMS,
                                 .y = y,
                                 .y_stride = (size_t)x->n};
        cpu_int8_gemm_run_here(&g);
        for (uint64_t i = 0; i < x->m * x->n; i++)
            assert_int_equal(y[i], expected(x, i / x->n, i % x->n));
    }
    free(memory);
    free(y);
}

/* Rows and columns that fill no tile, k that fills no group, all signs, codes at their limits:
 * pairs of products pass 16 bits, which must not saturate. */
static void products_are_exact(void **state) {
    static const uint64_t sizes[][3] = {{1, 1, 1},    {3, 5, 17},   {7, 64, 64}, {50, 33, 70},
                                        {6, 130, 16}, {49, 7, 129}, {2, 1027, 3}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (unsigned kind = 0; kind < 24; kind++) {
            matrices x = {.m = sizes[i][0],
                          .k = sizes[i][1],
                          .n = sizes[i][2],
                          .a_signed = kind & 1,
                          .b_signed = kind & 2};
            x.a = malloc((size_t)(x.m * x.k));
            x.b = malloc((size_t)(x.k * x.n));
            x.moved = calloc((size_t)(x.m * x.k) + 64, 1);
            x.zeros = malloc((size_t)x.n);
            x.zero_count = kind / 8 == 0 ? 0 : kind / 8 == 1 ? 1 : x.n;
            fill(x.a, (size_t)(x.m * x.k), kind & 4);
            fill(x.b, (size_t)(x.k * x.n), kind & 4);
            fill(x.zeros, (size_t)x.n, kind & 4);
            x.a_zero = (uint8_t)next_random();
            for (uint64_t p = 0; p < x.m * x.k; p++)
                x.moved[p] = x.a_signed ? x.a[p] ^ 128 : x.a[p];
            check_product(&x);
            free(x.a);
            free(x.b);
            free(x.moved);
            free(x.zeros);
        }
    }
}

/* Numbers of all sizes, halves that tie, infinities, NaN. */
static void fill_floats(float *to, size_t n) {
    static const float odd[] = {NAN, INFINITY, -INFINITY, 0, -0.0f, 0.5f, 1.5f, -2.5f, 1e30f};
    for (size_t i = 0; i < n; i++) {
        const uint32_t r = next_random();
        to[i] = r % 16 == 0 ? odd[r / 16 % 9] : ((float)(r % 4001) - 2000) / 8;
    }
}

static void floats_are_the_same(void **state) {
    float x[N_MAX], wanted[N_MAX], got[N_MAX];
    uint8_t codes[N_MAX], wanted_codes[N_MAX], got_codes[N_MAX];
    (void)state;
    for (unsigned turn = 0; turn < 200; turn++) {
        const size_t n = next_random() % N_MAX;
        const int32_t low = turn & 1 ? -128 : 0, zero = low + (int32_t)(next_random() % 256);
        const float scale = (float)(next_random() % 1000 + 1) / 64;
        fill_floats(x, n);
        fill(codes, n, false);
        for (size_t level = 1; level < LEVEL_COUNT; level++) {
            const cpu_int8 *k = kernels_of(level), *plain = &cpu_int8_scalar;
            float range[4] = {0, 0, 0, 0};
            if (!k) continue;
            plain->quantize(wanted_codes, x, scale, zero, low, n);
            k->quantize(got_codes, x, scale, zero, low, n);
            assert_memory_equal(wanted_codes, got_codes, n);
            plain->dequantize(wanted, codes, scale, zero, low, n);
            k->dequantize(got, codes, scale, zero, low, n);
            assert_memory_equal(wanted, got, n * sizeof *got);
            plain->range(x, n, range, range + 1);
            k->range(x, n, range + 2, range + 3);
            assert_memory_equal(range, range + 2, 2 * sizeof *range);
        }
    }
}

static void sums_become_the_same(void **state) {
    int32_t sums[N_MAX], offset[N_MAX], shifted[2][N_MAX];
    float scales[N_MAX], bias[N_MAX], wanted[N_MAX], got[N_MAX];
    uint8_t wanted_codes[N_MAX], got_codes[N_MAX];
    (void)state;
    for (unsigned turn = 0; turn < 200; turn++) {
        const size_t n = next_random() % N_MAX, step = turn >> 1 & 1;
        const int32_t low = turn & 1 ? -128 : 0, zero = low + (int32_t)(next_random() % 256);
        for (size_t i = 0; i < N_MAX; i++) {
            sums[i] = (int32_t)(next_random() << 8 ^ next_random());
            if (turn & 4) sums[i] %= 4096;
            offset[i] = (int32_t)(next_random() << 8);
            scales[i] = (float)(next_random() % 4096) / (turn & 4 ? 16384.0f : 1e12f);
            bias[i] = (float)next_random() / 1024;
        }
        for (size_t level = 1; level < LEVEL_COUNT; level++) {
            const cpu_int8 *k = kernels_of(level), *plain = &cpu_int8_scalar;
            const cpu_int8_shift s = {offset, turn & 8 ? offset + 1 : NULL, zero, sums[0]};
            const size_t count = n > 1 ? n - 1 : 0;
            if (!k) continue;
            plain->to_codes(wanted_codes, sums, turn & 8 ? offset : NULL, scales, step, zero, low,
                            n);
            k->to_codes(got_codes, sums, turn & 8 ? offset : NULL, scales, step, zero, low, n);
            assert_memory_equal(wanted_codes, got_codes, n);
            plain->to_float(wanted, sums, 0.37f, scales, step, turn & 8 ? bias : NULL, n);
            k->to_float(got, sums, 0.37f, scales, step, turn & 8 ? bias : NULL, n);
            assert_memory_equal(wanted, got, n * sizeof *got);
            memcpy(shifted[0], sums, sizeof sums);
            memcpy(shifted[1], sums, sizeof sums);
            plain->shift(shifted[0], &s, count);
            k->shift(shifted[1], &s, count);
            assert_memory_equal(shifted[0], shifted[1], sizeof sums);
        }
    }
}

static void two_operands_give_the_same(void **state) {
    uint8_t a[N_MAX], b[N_MAX], wanted[N_MAX], got[N_MAX];
    (void)state;
    for (unsigned turn = 0; turn < 400; turn++) {
        const size_t n = next_random() % N_MAX, a_step = turn >> 1 & 1, b_step = turn >> 2 & 1;
        const int32_t low = turn & 1 ? -128 : 0;
        const cpu_int8_binary p = {
            low + (int32_t)(next_random() % 256), low + (int32_t)(next_random() % 256),
            low + (int32_t)(next_random() % 256), low,
            (float)(next_random() % 1000) / 256,  (float)(next_random() % 1000) / 256};
        fill(a, N_MAX, false);
        fill(b, N_MAX, false);
        for (size_t level = 1; level < LEVEL_COUNT; level++) {
            const cpu_int8 *k = kernels_of(level);
            if (!k) continue;
            cpu_int8_scalar.add(wanted, a, a_step, b, b_step, &p, n);
            k->add(got, a, a_step, b, b_step, &p, n);
            assert_memory_equal(wanted, got, n);
            cpu_int8_scalar.multiply(wanted, a, a_step, b, b_step, &p, n);
            k->multiply(got, a, a_step, b, b_step, &p, n);
            assert_memory_equal(wanted, got, n);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_exact),
        cmocka_unit_test(floats_are_the_same),
        cmocka_unit_test(sums_become_the_same),
        cmocka_unit_test(two_operands_give_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
