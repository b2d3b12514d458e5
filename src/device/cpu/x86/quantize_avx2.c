/* Activations as int8 on AVX2. In: f32 rows. Out: lines of 32 codes, as quantize_rows.c makes. */
#include "device/cpu/matmul_kernels.h"

#include <immintrin.h>
#include <math.h>
#include <string.h>

enum { BLOCK = 32 };

/* The bits of the largest magnitude of 32. */
static inline uint32_t largest_magnitude(const __m256 x[4]) {
    const __m256i mask = _mm256_set1_epi32(0x7fffffff);
    __m256i most = _mm256_and_si256(_mm256_castps_si256(x[0]), mask);
    for (int i = 1; i < 4; i++)
        most = _mm256_max_epu32(most, _mm256_and_si256(_mm256_castps_si256(x[i]), mask));
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(m);
}

/* The four sums of 8 lanes: their two halves' totals. */
static inline void add_halves(const __m256i codes[4], int32_t sums[2]) {
    const __m256i low = _mm256_add_epi32(codes[0], codes[1]);
    const __m256i high = _mm256_add_epi32(codes[2], codes[3]);
    __m256i both = _mm256_hadd_epi32(low, high);
    both = _mm256_hadd_epi32(both, both); /* low, high, low, high in each half */
    const __m128i sum =
        _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    _mm_storel_epi64((__m128i *)sums, sum);
}

static inline void quantize_group(const float *src, cpu_activation_line *line) {
    __m256 x[4];
    for (int i = 0; i < 4; i++)
        x[i] = _mm256_loadu_ps(src + 8 * i);
    const uint32_t bits = largest_magnitude(x);
    float most;
    memcpy(&most, &bits, sizeof most);
    const float inverse = 127.0f / most;
    if (!(isfinite(most) && isfinite(inverse))) {
        memset(line->codes, 0, sizeof line->codes);
        cpu_activation_finish(line, isfinite(most) ? 0.0f : NAN, 0, 0);
        return;
    }
    __m256i codes[4];
    for (int i = 0; i < 4; i++) /* rounds to nearest even, as MXCSR says */
        codes[i] = _mm256_cvtps_epi32(_mm256_mul_ps(x[i], _mm256_set1_ps(inverse)));
    int32_t sums[2];
    add_halves(codes, sums);
    const __m256i bytes = _mm256_packs_epi16(_mm256_packs_epi32(codes[0], codes[1]),
                                             _mm256_packs_epi32(codes[2], codes[3]));
    const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    _mm256_storeu_si256((__m256i *)line->codes, _mm256_permutevar8x32_epi32(bytes, order));
    cpu_activation_finish(line, most / 127.0f, sums[0], sums[1]);
}

void cpu_quantize_rows_avx2(void *dst, const float *x, size_t x_stride, uint32_t rows,
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
