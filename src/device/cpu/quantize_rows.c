/* Activations as int8. In: f32 rows. Out: lines of 32 codes with their scale and sums, in tiles of
 * 8 rows; the portable kernel, the choice of one, and reading back. */
#include "device/cpu/matmul_kernels.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 32 };

static uint64_t groups_of(uint64_t k) {
    return (k + BLOCK - 1) / BLOCK;
}

uint64_t cpu_activation_bytes(uint64_t rows, uint64_t k) {
    return rows * groups_of(k) * sizeof(cpu_activation_line);
}

cpu_activation_line *cpu_activation_row_of(void *quantised, uint32_t rows, uint64_t k, uint32_t row,
                                           size_t *step) {
    const uint32_t first = row / CPU_TILE_TOKENS * CPU_TILE_TOKENS;
    *step = rows - first < CPU_TILE_TOKENS ? rows - first : CPU_TILE_TOKENS;
    return (cpu_activation_line *)quantised + first * groups_of(k) + (row - first);
}

const cpu_activation_line *cpu_activation_row(const void *quantised, uint32_t rows, uint64_t k,
                                              uint32_t row, size_t *step) {
    return cpu_activation_row_of((void *)quantised, rows, k, row, step);
}

void cpu_activation_finish(cpu_activation_line *line, float scale, int32_t low_sum,
                           int32_t high_sum) {
    const int32_t sum = low_sum + high_sum;
    line->scale = scale;
    line->scaled_sum = scale * (float)sum;
    line->start0 = CPU_MAGIC_BITS;
    line->start8 = CPU_MAGIC_BITS - 8 * sum;
    line->start16 = CPU_MAGIC_BITS - 16 * sum;
    line->start128 = CPU_MAGIC_BITS - 128 * sum;
    line->sums[0] = low_sum;
    line->sums[1] = high_sum;
}

/* The bits of the largest magnitude: they are in the order of the magnitudes, NaN above infinity.
 */
static uint32_t largest_magnitude(const float x[BLOCK]) {
    uint32_t most = 0;
    for (unsigned i = 0; i < BLOCK; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7fffffffu;
        most = bits > most ? bits : most;
    }
    return most;
}

static int32_t code_of(float x, float inverse) {
    const float shifted = x * inverse + CPU_MAGIC; /* rounds to an integer, to nearest even */
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    return bits - CPU_MAGIC_BITS;
}

static void quantize_group(const float x[BLOCK], cpu_activation_line *line) {
    const uint32_t bits = largest_magnitude(x);
    float most;
    memcpy(&most, &bits, sizeof most);
    const float inverse = 127.0f / most;
    const bool plain = isfinite(most) && isfinite(inverse);
    int32_t sums[2] = {0, 0};
    for (unsigned i = 0; i < BLOCK; i++) {
        const int32_t code = plain ? code_of(x[i], inverse) : 0;
        line->codes[i] = (int8_t)code;
        sums[i / 16] += code;
    }
    const float scale = plain ? most / 127.0f : isfinite(most) ? 0.0f : NAN;
    cpu_activation_finish(line, scale, sums[0], sums[1]);
}

void cpu_quantize_rows_scalar(void *dst, const float *x, size_t x_stride, uint32_t rows,
                              uint32_t first_row, uint32_t end_row, uint64_t k) {
    for (uint32_t r = first_row; r < end_row; r++) {
        size_t step = 0;
        cpu_activation_line *line = cpu_activation_row_of(dst, rows, k, r, &step);
        const float *src = x + r * x_stride;
        for (uint64_t c = 0; c + BLOCK <= k; c += BLOCK, line += step)
            quantize_group(src + c, line);
        if (k % BLOCK) {
            float last[BLOCK] = {0};
            memcpy(last, src + k / BLOCK * BLOCK, k % BLOCK * sizeof *src);
            quantize_group(last, line);
        }
    }
}

typedef struct quantize_row {
    base_isa isa;
    cpu_quantize_rows function;
} quantize_row;

static const quantize_row KERNELS[] = {
/* best first */
#if defined(__x86_64__)
    {BASE_ISA_AVX2, cpu_quantize_rows_avx2},
#elif defined(__aarch64__)
    {BASE_ISA_NEON, cpu_quantize_rows_neon},
#endif
    {BASE_ISA_SCALAR, cpu_quantize_rows_scalar},
};

cpu_quantize_rows cpu_quantize_rows_select(base_isa isa) {
    size_t i = 0;
    while (!base_isa_runs(isa, KERNELS[i].isa))
        i++; /* the last runs everywhere */
    return KERNELS[i].function;
}

void cpu_activation_read(const void *quantised, uint32_t rows, uint64_t k, uint32_t row,
                         int8_t *codes, float *scales) {
    size_t step = 0;
    const cpu_activation_line *line = cpu_activation_row(quantised, rows, k, row, &step);
    for (uint64_t c = 0; c < k; c += BLOCK, line += step) {
        memcpy(codes + c, line->codes, k - c < BLOCK ? (size_t)(k - c) : BLOCK);
        scales[c / BLOCK] = line->scale;
    }
}
