/* Kernels of int8 on AVX2: codes are widened to 16 bits, whose products in pairs cannot saturate;
 * tiles of up to 3 rows and 1 panel. */
#include "device/cpu/int8.h"

#include <immintrin.h>
#include <string.h>

#include "device/cpu/x86/int8_tiles.h"

#define GROUP_BYTES (CPU_INT8_COLUMNS * CPU_INT8_DEPTH)

/* Four codes of a, as 16 bits, four times. */
static inline __m256i four_codes(const uint8_t *a) {
    int32_t word;
    memcpy(&word, a, sizeof word);
    return _mm256_cvtepu8_epi16(_mm_set1_epi32(word));
}

static inline __m256i four_columns(const int8_t *b) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)b));
}

/* Two sums of each of eight columns, in pairs, to one of each. */
static inline void store_eight(int32_t *out, __m256i first, __m256i second) {
    const __m256i mixed = _mm256_hadd_epi32(first, second); /* 0 1 4 5 2 3 6 7 */
    _mm256_storeu_si256((__m256i *)(void *)out, _mm256_permute4x64_epi64(mixed, 0xd8));
}

/* The loops over ROWS are unrolled: all sums stay in registers. */
#define TILE(ROWS)                                                                                 \
    static void tile_##ROWS(const uint8_t *a, size_t a_stride, const int8_t *b, size_t groups,     \
                            int32_t *out, size_t stride) {                                         \
        __m256i sum[ROWS][4];                                                                      \
        INT8_UNROLL for (int r = 0; r < ROWS; r++) INT8_UNROLL for (int q = 0; q < 4; q++)         \
            sum[r][q] = _mm256_setzero_si256();                                                    \
        for (size_t g = 0; g < groups; g++) {                                                      \
            __m256i x[ROWS];                                                                       \
            INT8_UNROLL for (int r = 0; r < ROWS; r++) x[r] =                                      \
                four_codes(a + (size_t)r * a_stride + g * CPU_INT8_DEPTH);                         \
            INT8_UNROLL for (int q = 0; q < 4; q++) {                                              \
                const __m256i w = four_columns(b + g * GROUP_BYTES + 16 * (size_t)q);              \
                INT8_UNROLL for (int r = 0; r < ROWS; r++) sum[r][q] =                             \
                    _mm256_add_epi32(sum[r][q], _mm256_madd_epi16(x[r], w));                       \
            }                                                                                      \
        }                                                                                          \
        INT8_UNROLL for (int r = 0; r < ROWS; r++) {                                               \
            store_eight(out + (size_t)r * stride, sum[r][0], sum[r][1]);                           \
            store_eight(out + (size_t)r * stride + 8, sum[r][2], sum[r][3]);                       \
        }                                                                                          \
    }

#define ROWS_MAX 3
TILE(1)
TILE(2)
TILE(3)

typedef void (*tile_function)(const uint8_t *a, size_t a_stride, const int8_t *b, size_t groups,
                              int32_t *out, size_t stride);
static const tile_function tiles[ROWS_MAX] = {tile_1, tile_2, tile_3};

static void sums(const uint8_t *a, size_t a_stride, size_t rows, const int8_t *b,
                 size_t panel_bytes, size_t groups, size_t panels, int32_t *out, size_t stride) {
    for (size_t p = 0; p < panels; p++) {
        for (size_t r = 0; r < rows; r += ROWS_MAX) {
            const size_t count = rows - r < ROWS_MAX ? rows - r : ROWS_MAX;
            tiles[count - 1](a + r * a_stride, a_stride, b + p * panel_bytes, groups,
                             out + r * stride + p * CPU_INT8_COLUMNS, stride);
        }
    }
}

#define INT8_NAME cpu_int8_avx2
#define INT8_ISA  BASE_ISA_AVX2
#include "device/cpu/int8_template.h"
