/* Kernels of int8 on AVX-512 with VNNI: tiles of up to 6 rows and 4 panels. */
#include "device/cpu/int8.h"

#include <immintrin.h>
#include <string.h>

#include "device/cpu/x86/int8_tiles.h"

#define GROUP_BYTES (CPU_INT8_COLUMNS * CPU_INT8_DEPTH)

static inline __m512i four_codes(const uint8_t *a) {
    int32_t word;
    memcpy(&word, a, sizeof word);
    return _mm512_set1_epi32(word);
}

/* The loops over ROWS and PANELS are unrolled: all sums stay in registers. */
#define TILE(ROWS, PANELS)                                                                         \
    static void tile_##ROWS##_##PANELS(const uint8_t *a, size_t a_stride, const int8_t *b,         \
                                       size_t panel_bytes, size_t groups, int32_t *out,            \
                                       size_t stride) {                                            \
        __m512i sum[ROWS][PANELS];                                                                 \
        INT8_UNROLL for (int r = 0; r < ROWS; r++) INT8_UNROLL for (int p = 0; p < PANELS; p++)    \
            sum[r][p] = _mm512_setzero_si512();                                                    \
        for (size_t g = 0; g < groups; g++) {                                                      \
            __m512i w[PANELS];                                                                     \
            INT8_UNROLL for (int p = 0; p < PANELS; p++) w[p] =                                    \
                _mm512_loadu_si512(b + (size_t)p * panel_bytes + g * GROUP_BYTES);                 \
            INT8_UNROLL for (int r = 0; r < ROWS; r++) {                                           \
                const __m512i x = four_codes(a + (size_t)r * a_stride + g * CPU_INT8_DEPTH);       \
                INT8_UNROLL for (int p = 0; p < PANELS; p++) sum[r][p] =                           \
                    _mm512_dpbusd_epi32(sum[r][p], x, w[p]);                                       \
            }                                                                                      \
        }                                                                                          \
        INT8_UNROLL for (int r = 0; r < ROWS; r++) INT8_UNROLL for (int p = 0; p < PANELS; p++)    \
            _mm512_storeu_si512(out + (size_t)r * stride + (size_t)p * CPU_INT8_COLUMNS,           \
                                sum[r][p]);                                                        \
    }

#define ROWS_MAX 6
#define TILES(PANELS)                                                                              \
    TILE(1, PANELS) TILE(2, PANELS) TILE(3, PANELS) TILE(4, PANELS) TILE(5, PANELS) TILE(6, PANELS)
TILES(1)
TILES(2)
TILES(3)
TILES(4)

typedef void (*tile_function)(const uint8_t *a, size_t a_stride, const int8_t *b,
                              size_t panel_bytes, size_t groups, int32_t *out, size_t stride);
#define ROW_OF(PANELS)                                                                             \
    {                                                                                              \
        tile_1_##PANELS, tile_2_##PANELS, tile_3_##PANELS, tile_4_##PANELS, tile_5_##PANELS,       \
            tile_6_##PANELS                                                                        \
    }
static const tile_function tiles[CPU_INT8_PANELS][ROWS_MAX] = {ROW_OF(1), ROW_OF(2), ROW_OF(3),
                                                               ROW_OF(4)};

static void sums(const uint8_t *a, size_t a_stride, size_t rows, const int8_t *b,
                 size_t panel_bytes, size_t groups, size_t panels, int32_t *out, size_t stride) {
    for (size_t r = 0; r < rows; r += ROWS_MAX) {
        const size_t count = rows - r < ROWS_MAX ? rows - r : ROWS_MAX;
        tiles[panels - 1][count - 1](a + r * a_stride, a_stride, b, panel_bytes, groups,
                                     out + r * stride, stride);
    }
}

#define INT8_NAME cpu_int8_avx512vnni
#define INT8_ISA  BASE_ISA_AVX512VNNI
#include "device/cpu/int8_template.h"
