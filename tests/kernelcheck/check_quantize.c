/* Quantising activations: codes, scales and sums against the definition in device/cpu/matmul.h. */
#include "kernelcheck.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "device/cpu/matmul_layout.h"

enum { GROUP = CPU_ACTIVATION_GROUP, ROWS_MAX = 33, COLUMNS_MAX = 416 };

/* Rows of every kind: plain, zero, constant, huge, tiny, with NaN or infinity somewhere. */
static void fill_row(check *c, float *x, uint64_t k, uint32_t row) {
    for (uint64_t i = 0; i < k; i++)
        x[i] = check_random_normal(c, 1);
    const uint32_t at = check_random_below(c, (uint32_t)k);
    switch (row % 11) {
    case 1: memset(x, 0, k * sizeof *x); break;
    case 2: x[at] = NAN; break;
    case 3: x[at] = -INFINITY; break;
    case 4: x[at] = 3e38f; break;
    case 5:
        for (uint64_t i = 0; i < k; i++)
            x[i] *= 1e-38f;
        break;
    case 6:
        for (uint64_t i = 0; i < k; i++)
            x[i] = i % 3 ? -7.5f : 7.5f;
        break;
    case 7: /* halves: ties of the rounding */
        for (uint64_t i = 0; i < k; i++)
            x[i] = 0.5f * (float)((int)check_random_below(c, 255) - 127);
        x[0] = 127;
        break;
    case 8:
        for (uint64_t i = 0; i < k; i++)
            x[i] = -0.0f;
        break;
    default: break;
    }
}

static void check_group(check *c, const float *x, uint64_t count, const cpu_activation_line *line,
                        uint32_t row, uint64_t group) {
    float most = 0;
    bool finite = true;
    for (uint64_t i = 0; i < count; i++) {
        most = fmaxf(most, fabsf(x[i]));
        finite = finite && isfinite(x[i]);
    }
    const float inverse = 127.0f / most;
    const bool plain = finite && isfinite(inverse);
    const float scale = plain ? most / 127.0f : finite ? 0.0f : NAN;
    check_that(c, check_same_float(line->scale, scale), "row %u group %u: scale %g, expected %g",
               row, (unsigned)group, (double)line->scale, (double)scale);
    int32_t sums[2] = {0, 0};
    for (uint64_t i = 0; i < GROUP; i++) {
        const int code = plain && i < count ? (int)nearbyintf(x[i] * inverse) : 0;
        sums[i / 16] += code;
        check_that(c, line->codes[i] == code, "row %u group %u column %u: code %d, expected %d",
                   row, (unsigned)group, (unsigned)i, line->codes[i], code);
    }
    const int32_t sum = sums[0] + sums[1];
    const bool starts =
        line->start0 == CPU_MAGIC_BITS && line->start8 == CPU_MAGIC_BITS - 8 * sum &&
        line->start16 == CPU_MAGIC_BITS - 16 * sum && line->start128 == CPU_MAGIC_BITS - 128 * sum;
    check_that(c,
               starts && line->sums[0] == sums[0] && line->sums[1] == sums[1] &&
                   check_same_float(line->scaled_sum, scale * (float)sum),
               "row %u group %u: sums %d %d, expected %d %d, or what follows from them", row,
               (unsigned)group, line->sums[0], line->sums[1], sums[0], sums[1]);
}

static void check_shape(check *c, cpu_quantize_rows quantize, uint32_t rows, uint64_t k) {
    const size_t stride = k + 3;
    float *x = check_alloc(rows * stride * sizeof *x, 4);
    void *dst = check_alloc(cpu_activation_bytes(rows, k), 0);
    for (uint32_t r = 0; r < rows; r++)
        fill_row(c, x + r * stride, k, r);
    const uint32_t cut = check_random_below(c, rows + 1);
    quantize(dst, x, stride, rows, cut, rows, k);
    quantize(dst, x, stride, rows, 0, cut, k);
    check_that(c, check_guards(dst) && check_guards(x), "wrote past its rows, T=%u k=%u", rows,
               (unsigned)k);
    for (uint32_t r = 0; r < rows; r++) {
        size_t step = 0;
        const cpu_activation_line *line = cpu_activation_row(dst, rows, k, r, &step);
        for (uint64_t i = 0; i < k; i += GROUP, line += step) {
            check_group(c, x + r * stride + i, k - i < GROUP ? k - i : GROUP, line, r, i / GROUP);
        }
        int8_t codes[COLUMNS_MAX];
        float scales[COLUMNS_MAX / GROUP];
        cpu_activation_read(dst, rows, k, r, codes, scales);
        line = cpu_activation_row(dst, rows, k, r, &step);
        check_that(c,
                   memcmp(codes, line->codes, k < GROUP ? k : GROUP) == 0 &&
                       check_same_float(scales[0], line->scale),
                   "row %u reads back otherwise", r);
    }
    check_free(dst);
    check_free(x);
}

void check_quantize(check *c) {
    static const uint32_t ROWS[] = {1, 2, 7, 8, 9, ROWS_MAX};
    static const uint64_t COLUMNS[] = {1, 31, 32, 33, 64, COLUMNS_MAX};
    cpu_quantize_rows last = NULL;
    base_isa isa;
    for (unsigned i = 0; check_next_isa(c, &i, &isa);) {
        cpu_quantize_rows quantize = cpu_quantize_rows_select(isa);
        if (quantize == last) continue;
        last = quantize;
        char name[64];
        snprintf(name, sizeof name, "quantize_q8_%s", base_isa_name(isa));
        if (!check_begin(c, name)) continue;
        for (size_t r = 0; r < sizeof ROWS / sizeof *ROWS; r++) {
            for (size_t k = 0; k < sizeof COLUMNS / sizeof *COLUMNS; k++)
                check_shape(c, quantize, ROWS[r], COLUMNS[k]);
        }
    }
}

/* ------------------------------------------------------------ bench */

typedef struct quantize_job {
    cpu_quantize_rows quantize;
    float *x;
    void *dst;
    uint32_t rows;
    uint64_t k;
} quantize_job;

static void run_job(void *argument) {
    const quantize_job *j = argument;
    j->quantize(j->dst, j->x, j->k, j->rows, 0, j->rows, j->k);
}

void check_quantize_bench(check *c) {
    quantize_job j = {.rows = 64, .k = 3072};
    j.x = check_alloc(j.rows * j.k * sizeof *j.x, 0);
    j.dst = check_alloc(cpu_activation_bytes(j.rows, j.k), 0);
    base_isa isa;
    for (unsigned i = 0; check_next_isa(c, &i, &isa);) {
        if (j.quantize == cpu_quantize_rows_select(isa)) continue;
        j.quantize = cpu_quantize_rows_select(isa);
        char name[64];
        snprintf(name, sizeof name, "quantize_q8_%s", base_isa_name(isa));
        if (!check_begin(c, name)) continue;
        for (uint64_t n = 0; n < j.rows * j.k; n++)
            j.x[n] = check_random_normal(c, 1);
        uint64_t cycles = 0;
        const double t = check_time(run_job, &j, 0.1, &cycles);
        const double elements = (double)(j.rows * j.k);
        printf("%-28s %7.3f cycles an element, %6.2f G elements/s\n", name,
               (double)cycles / elements, elements / t * 1e-9);
    }
    check_free(j.dst);
    check_free(j.x);
}
