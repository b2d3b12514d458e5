/* Kernels of int8 on AVX2 with AVX-VNNI: tiles of up to 6 rows and 1 panel. */
#include "device/cpu/int8.h"

#include <immintrin.h>
#include <string.h>

#include "device/cpu/x86/int8_tiles.h"

#define GROUP_BYTES (CPU_INT8_COLUMNS * CPU_INT8_DEPTH)

static inline __m256i four_codes(const uint8_t *a) {
    int32_t word;
    memcpy(&word, a, sizeof word);
    return _mm256_set1_epi32(word);
}

static inline __m256i load(const void *p) {
    return _mm256_loadu_si256((const __m256i *)p);
}

/* The loop over ROWS is unrolled: all sums stay in registers. */
#define TILE(ROWS)                                                                                 \
    static void tile_##ROWS(const uint8_t *a, size_t a_stride, const int8_t *b, size_t groups,     \
                            int32_t *out, size_t stride) {                                         \
        __m256i low[ROWS], high[ROWS];                                                             \
        INT8_UNROLL for (int r = 0; r < ROWS; r++) low[r] = high[r] = _mm256_setzero_si256();      \
        for (size_t g = 0; g < groups; g++) {                                                      \
            const __m256i w = load(b + g * GROUP_BYTES), v = load(b + g * GROUP_BYTES + 32);       \
            INT8_UNROLL for (int r = 0; r < ROWS; r++) {                                           \
                const __m256i x = four_codes(a + (size_t)r * a_stride + g * CPU_INT8_DEPTH);       \
                low[r] = _mm256_dpbusd_avx_epi32(low[r], x, w);                                    \
                high[r] = _mm256_dpbusd_avx_epi32(high[r], x, v);                                  \
            }                                                                                      \
        }                                                                                          \
        INT8_UNROLL for (int r = 0; r < ROWS; r++) {                                               \
            _mm256_storeu_si256((__m256i *)(void *)(out + (size_t)r * stride), low[r]);            \
            _mm256_storeu_si256((__m256i *)(void *)(out + (size_t)r * stride + 8), high[r]);       \
        }                                                                                          \
    }

#define ROWS_MAX 6
TILE(1)
TILE(2)
TILE(3)
TILE(4)
TILE(5)
TILE(6)

typedef void (*tile_function)(const uint8_t *a, size_t a_stride, const int8_t *b, size_t groups,
                              int32_t *out, size_t stride);
static const tile_function tiles[ROWS_MAX] = {tile_1, tile_2, tile_3, tile_4, tile_5, tile_6};

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

#define INT8_NAME cpu_int8_avx2vnni
#define INT8_ISA  BASE_ISA_AVX2VNNI
#include "device/cpu/int8_template.h"
