/* Many tokens times 4-bit weights (Q4_0). In: packed weights, quantised rows. Out: y = x W^T.
 * Versions 3 to 6 open 16 blocks of a panel at a time, as the library does, and differ in what the
 * registers hold. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "device/cpu/matmul_layout.h"
#include "lab.h"
#define VNNI 1
#include "device/cpu/x86/vector_avx512.h"

enum { N = 1536, K = 3072, T = 256, BLOCKS = K / 32, OPEN = 16, TILE = CPU_TILE_TOKENS };

typedef struct block_q4_0 {
    uint16_t scale;
    uint8_t codes[16]; /* 0 to 15 in the low nibbles, 16 to 31 in the high ones; plus 8 */
} block_q4_0;

typedef struct opened {
    ints codes[8];
    floats scale;
} opened;

typedef struct problem {
    block_q4_0 *w; /* [N][BLOCKS] */
    float *x, *y;  /* [T][K], [T][N] */
    void *packed, *quantised, *work;
    const cpu_matmul_config *config;
    panel_form form;
} problem;

static float scale_of(const block_q4_0 *b) {
    return _cvtsh_ss(b->scale);
}

/* ------------------------------------------------------------ as the file has them */

static void run_floats(void *argument) {
    const problem *p = argument;
    for (size_t n = 0; n < N; n++) {
        float row[K];
        for (size_t k = 0; k < K; k++) {
            const block_q4_0 *b = p->w + n * BLOCKS + k / 32;
            const unsigned i = k % 32, code = b->codes[i % 16] >> (i / 16 * 4) & 15u;
            row[k] = scale_of(b) * (float)((int)code - 8);
        }
        for (size_t t = 0; t < T; t++) {
            float sum = 0;
            for (size_t k = 0; k < K; k++)
                sum += row[k] * p->x[t * K + k];
            p->y[t * N + n] = sum;
        }
    }
}

/* A row's 32 codes in 32 bytes times those of x, then the lanes are added: a dot product to a
 * register, as long as weights lie row by row. */
static void run_rows(void *argument) {
    const problem *p = argument;
    const __m256i low = _mm256_set1_epi8(15), eight = _mm256_set1_epi8(8);
    for (uint32_t t = 0; t < T; t++) {
        for (size_t n = 0; n < N; n++) {
            size_t step = 0;
            const cpu_activation_line *x = cpu_activation_row(p->quantised, T, K, t, &step);
            __m256 sum = _mm256_setzero_ps();
            for (size_t b = 0; b < BLOCKS; b++, x += step) {
                const block_q4_0 *w = p->w + n * BLOCKS + b;
                const __m128i both = _mm_loadu_si128((const __m128i *)(const void *)w->codes);
                const __m256i codes = _mm256_sub_epi8(
                    _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(both, 4), both), low), eight);
                const __m256i xs = _mm256_loadu_si256((const __m256i *)(const void *)x->codes);
                const __m256i dot = _mm256_dpbusd_epi32(
                    _mm256_setzero_si256(), _mm256_abs_epi8(codes), _mm256_sign_epi8(xs, codes));
                sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot),
                                      _mm256_set1_ps(scale_of(w) * x->scale), sum);
            }
            float lanes[8], total = 0;
            _mm256_storeu_ps(lanes, sum);
            for (unsigned i = 0; i < 8; i++)
                total += lanes[i];
            p->y[t * N + n] = total;
        }
    }
}

/* ------------------------------------------------------------ panels, lane by row */

static void open_unit(const uint8_t *panel, unsigned unit, opened *out, size_t first) {
    const size_t bytes = 64 + 512;
    for (size_t b = 0; b < OPEN; b++) {
        const uint8_t *record = panel + (first + b) * bytes;
        for (unsigned j = 0; j < 4; j++) {
            const ints both = ints_load(record + 64 + (4 * unit + j) * 64);
            out[b].codes[j] = ints_and(both, ints_all_bytes(15));
            out[b].codes[j + 4] = ints_and(ints_right_16(both, 4), ints_all_bytes(15));
        }
        out[b].scale = floats_from_f16(record + 32 * unit);
    }
}

/* Units by tokens in registers. magic: sums begin at the bits of 1.5 * 2^23, so that the register
 * is its own value as a float. shared: x is loaded once for two units. */
INLINE void tile(const unsigned units, const unsigned tokens, const bool magic, const opened *w,
                 const cpu_activation_line *x, float *y, bool first) {
    floats acc[2][TILE];
    UNROLL for (unsigned u = 0; u < units; u++) {
        UNROLL for (unsigned t = 0; t < tokens; t++) acc[u][t] =
            first ? floats_zero() : floats_load(y + (size_t)t * N + u * LANES);
    }
    for (size_t b = 0; b < OPEN; b++, w++, x += TILE) {
        ints sum[2][TILE];
        UNROLL for (unsigned t = 0; t < tokens; t++) {
            sum[0][t] = ints_broadcast(&x[t].start8);
            if (!magic) sum[0][t] = ints_sub(sum[0][t], ints_all(CPU_MAGIC_BITS));
            sum[1][t] = sum[0][t];
        }
        UNROLL for (unsigned j = 0; j < 8; j++) {
            UNROLL for (unsigned t = 0; t < tokens; t++) {
                if (units == 1) {
                    dots_add_from(&sum[0][t], w->codes[j], x[t].codes + 4 * j, false, false);
                    continue;
                }
                const ints four = ints_broadcast(x[t].codes + 4 * j);
                UNROLL for (unsigned u = 0; u < units; u++)
                    dots_add(&sum[u][t], w[u * OPEN].codes[j], four, false, false);
            }
        }
        UNROLL for (unsigned u = 0; u < units; u++) {
            const floats scale = w[u * OPEN].scale;
            const floats magic_scale = floats_mul(floats_all(CPU_MAGIC), scale);
            UNROLL for (unsigned t = 0; t < tokens; t++) {
                const floats g = magic ? floats_fms(floats_of_bits(sum[u][t]), scale, magic_scale)
                                       : floats_mul(floats_from_ints(sum[u][t]), scale);
                acc[u][t] = floats_fma(g, floats_broadcast(&x[t].scale), acc[u][t]);
            }
        }
    }
    UNROLL for (unsigned u = 0; u < units; u++) {
        UNROLL for (unsigned t = 0; t < tokens; t++)
            floats_store_part(y + (size_t)t * N + u * LANES, LANES, acc[u][t]);
    }
}

INLINE void panels(const problem *p, const unsigned units, const unsigned tokens,
                   const bool magic) {
    static opened work[2 * OPEN];
    for (size_t n = 0; n < N; n += (size_t)units * LANES) {
        const uint8_t *panel = (const uint8_t *)p->packed + n / 32 * BLOCKS * (64 + 512);
        for (size_t b = 0; b < BLOCKS; b += OPEN) {
            for (unsigned u = 0; u < units; u++)
                open_unit(panel, (unsigned)(n % 32 / LANES) + u, work + u * OPEN, b);
            const cpu_activation_line *x = p->quantised;
            for (size_t t = 0; t < T; t += tokens) {
                const cpu_activation_line *at = x + t / TILE * TILE * BLOCKS + t % TILE + b * TILE;
                tile(units, tokens, magic, work, at, p->y + t * N + n, b == 0);
            }
        }
    }
}

static void run_lanes(void *p) {
    panels(p, 1, 1, false);
}
static void run_tile(void *p) {
    panels(p, 1, 8, false);
}
static void run_magic(void *p) {
    panels(p, 1, 8, true);
}
static void run_shared(void *p) {
    panels(p, 2, 4, true);
}
static void run_library(void *argument) {
    const problem *p = argument;
    p->config->matmul(p->form, p->packed, N, K, 0, N / 32, p->quantised, K, T, p->y, N, NULL,
                      p->work);
}

static const lab_version VERSIONS[] = {
    {"floats", "weights widened to f32, row by row, as C has it", run_floats, true},
    {"rows", "8-bit activations, a dot product of bytes for each block of a row", run_rows, true},
    {"lanes", "panels: a lane is a row, no sum across lanes; 16 rows by 1 token", run_lanes, false},
    {"tile", "16 rows by 8 tokens in registers", run_tile, false},
    {"magic", "sums begin at 1.5 * 2^23: no conversion, one fma less", run_magic, false},
    {"shared", "32 rows by 4 tokens: half the loads of x", run_shared, false},
    {"library", "4 panels open, tokens in chunks, x and weights fetched ahead", run_library, false},
};

int lab_prefill(bool quick) {
    problem p = {.w = lab_memory(sizeof(block_q4_0) * N * BLOCKS, true),
                 .x = lab_memory(sizeof(float) * T * K, true),
                 .y = lab_memory(sizeof(float) * T * N, true)};
    for (size_t i = 0; i < (size_t)N * BLOCKS; i++) {
        p.w[i].scale = _cvtss_sh(0.02f + 0.001f * lab_random(), 0);
        for (unsigned k = 0; k < 16; k++)
            p.w[i].codes[k] =
                (uint8_t)(8 + (int)(2 * lab_random()) + 16 * (8 + (int)(2 * lab_random())));
    }
    for (size_t i = 0; i < (size_t)T * K; i++)
        p.x[i] = lab_random();
    const tensor_matrix w = {
        .data = p.w, .rows = N, .columns = K, .encoding = TENSOR_ENCODING_Q4_0};
    p.config = cpu_matmul_select(BASE_ISA_AVX512VNNI, &w, &p.form, NULL);
    const uint64_t bytes = p.config->packed_bytes(p.form, N, K);
    p.packed = lab_memory(bytes + CPU_MATMUL_SLACK_BYTES, true);
    for (uint64_t i = 0; i < N / 32; i++)
        p.config->pack(p.form, &w, i, (uint8_t *)p.packed + i * (bytes / (N / 32)));
    p.quantised = lab_memory(cpu_activation_bytes(T, K) + CPU_MATMUL_SLACK_BYTES, true);
    cpu_quantize_rows_select(BASE_ISA_AVX512VNNI)(p.quantised, p.x, K, T, 0, T, K);
    p.work = lab_memory(p.config->work_bytes, true);
    const lab_kernel k = {.name = "256 tokens times Q4_0, 1536 x 3072",
                          .unit = "int8 GOP/s",
                          .limit = lab_limit_int8,
                          .work = 2.0 * N * K * T,
                          .problem = &p,
                          .versions = VERSIONS,
                          .count = sizeof VERSIONS / sizeof *VERSIONS,
                          .y = p.y,
                          .y_count = (size_t)N * T,
                          .tolerance = 0.05};
    const int wrong = lab_run(&k, quick);
    free(p.work);
    free(p.quantised);
    free(p.packed);
    free(p.y);
    free(p.x);
    free(p.w);
    return wrong;
}
