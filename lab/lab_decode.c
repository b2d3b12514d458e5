/* One token times 4-bit weights (Q4_0): all that counts is how fast they come from memory. In: a
 * weight much larger than the caches. Out: y = W x. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "device/cpu/matmul_layout.h"
#include "lab.h"
#define VNNI 1
#include "device/cpu/x86/vector_avx512.h"

enum { N = 49152, K = 3072, BLOCKS = K / 32, RECORD = 64 + 512, PANEL = BLOCKS * RECORD };

typedef struct block_q4_0 {
    uint16_t scale;
    uint8_t codes[16];
} block_q4_0;

typedef struct problem {
    block_q4_0 *w;
    float *x, *y;
    void *packed, *small_pages, *quantised, *work;
    const cpu_matmul_config *config;
    panel_form form;
} problem;

static void run_rows(void *argument) {
    const problem *p = argument;
    const __m256i low = _mm256_set1_epi8(15), eight = _mm256_set1_epi8(8);
    for (size_t n = 0; n < N; n++) {
        const cpu_activation_line *x = p->quantised;
        __m256 sum = _mm256_setzero_ps();
        for (size_t b = 0; b < BLOCKS; b++, x++) {
            const block_q4_0 *w = p->w + n * BLOCKS + b;
            const __m128i both = _mm_loadu_si128((const __m128i *)(const void *)w->codes);
            const __m256i codes = _mm256_sub_epi8(
                _mm256_and_si256(_mm256_set_m128i(_mm_srli_epi16(both, 4), both), low), eight);
            const __m256i xs = _mm256_loadu_si256((const __m256i *)(const void *)x->codes);
            const __m256i dot = _mm256_dpbusd_epi32(_mm256_setzero_si256(), _mm256_abs_epi8(codes),
                                                    _mm256_sign_epi8(xs, codes));
            sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot),
                                  _mm256_set1_ps(_cvtsh_ss(w->scale) * x->scale), sum);
        }
        float lanes[8], total = 0;
        _mm256_storeu_ps(lanes, sum);
        for (unsigned i = 0; i < 8; i++)
            total += lanes[i];
        p->y[n] = total;
    }
}

/* Both units of a panel, block by block: each byte is read once, in order. */
INLINE void panel_times_row(const problem *p, const uint8_t *record, size_t ahead, float *y) {
    const cpu_activation_line *x = p->quantised;
    floats acc[2] = {floats_zero(), floats_zero()};
    for (size_t b = 0; b < BLOCKS; b++, x++, record += RECORD) {
        if (ahead) {
            UNROLL for (size_t i = 0; i < RECORD; i += 64)
                _mm_prefetch((const char *)record + ahead + i, _MM_HINT_T0);
        }
        UNROLL for (unsigned u = 0; u < 2; u++) {
            ints sum = ints_broadcast(&x->start8);
            UNROLL for (unsigned j = 0; j < 4; j++) {
                const ints both = ints_load(record + 64 + (4 * u + j) * 64);
                const ints high = ints_and(ints_right_16(both, 4), ints_all_bytes(15));
                dots_add_from(&sum, ints_and(both, ints_all_bytes(15)), x->codes + 4 * j, false,
                              false);
                dots_add_from(&sum, high, x->codes + 16 + 4 * j, false, false);
            }
            const floats scale = floats_from_f16(record + 32 * u);
            const floats magic_scale = floats_mul(floats_all(CPU_MAGIC), scale);
            acc[u] = floats_fma(floats_fms(floats_of_bits(sum), scale, magic_scale),
                                floats_broadcast(&x->scale), acc[u]);
        }
    }
    floats_store_part(y, LANES, acc[0]);
    floats_store_part(y + LANES, LANES, acc[1]);
}

static void run_panels(void *argument) {
    const problem *p = argument;
    for (size_t n = 0; n < N / 32; n++)
        panel_times_row(p, (const uint8_t *)p->small_pages + n * PANEL, 0, p->y + 32 * n);
}

static void run_ahead(void *argument) {
    const problem *p = argument;
    for (size_t n = 0; n < N / 32; n++)
        panel_times_row(p, (const uint8_t *)p->small_pages + n * PANEL, 4096, p->y + 32 * n);
}

static void run_huge(void *argument) {
    const problem *p = argument;
    for (size_t n = 0; n < N / 32; n++)
        panel_times_row(p, (const uint8_t *)p->packed + n * PANEL, 4096, p->y + 32 * n);
}

static void run_library(void *argument) {
    const problem *p = argument;
    p->config->matmul(p->form, p->packed, N, K, 0, N / 32, p->quantised, K, 1, p->y, N, NULL,
                      p->work);
}

static const lab_version VERSIONS[] = {
    {"rows", "blocks as the file has them, a row after the other", run_rows, true},
    {"panels", "32 rows side by side: each byte once, in order", run_panels, false},
    {"ahead", "and fetched 4 KiB ahead", run_ahead, false},
    {"huge", "and on huge pages", run_huge, false},
    {"library", "the kernel of every encoding", run_library, false},
};

int lab_decode(bool quick) {
    problem p = {.w = lab_memory(sizeof(block_q4_0) * N * BLOCKS, true),
                 .x = lab_memory(sizeof(float) * K, false),
                 .y = lab_memory(sizeof(float) * N, true)};
    for (size_t i = 0; i < (size_t)N * BLOCKS; i++) {
        p.w[i].scale = _cvtss_sh(0.02f, 0);
        for (unsigned k = 0; k < 16; k++)
            p.w[i].codes[k] = (uint8_t)(i * 37 + k * 101 + i / 96);
    }
    for (size_t i = 0; i < K; i++)
        p.x[i] = lab_random();
    const tensor_matrix w = {
        .data = p.w, .rows = N, .columns = K, .encoding = TENSOR_ENCODING_Q4_0};
    p.config = cpu_matmul_select(BASE_ISA_AVX512VNNI, &w, &p.form, NULL);
    p.packed = lab_memory((size_t)N / 32 * PANEL + CPU_MATMUL_SLACK_BYTES, true);
    p.small_pages = lab_memory((size_t)N / 32 * PANEL + CPU_MATMUL_SLACK_BYTES, false);
    for (uint64_t i = 0; i < N / 32; i++)
        p.config->pack(p.form, &w, i, (uint8_t *)p.packed + i * PANEL);
    memcpy(p.small_pages, p.packed, (size_t)N / 32 * PANEL);
    p.quantised = lab_memory(cpu_activation_bytes(1, K) + CPU_MATMUL_SLACK_BYTES, false);
    cpu_quantize_rows_select(BASE_ISA_AVX512VNNI)(p.quantised, p.x, K, 1, 0, 1, K);
    p.work = lab_memory(p.config->work_bytes, false);
    const lab_kernel k = {.name = "1 token times Q4_0, 49152 x 3072",
                          .unit = "GB/s of weights",
                          .limit = lab_limit_read,
                          .work = (double)N / 32 * PANEL,
                          .problem = &p,
                          .versions = VERSIONS,
                          .count = sizeof VERSIONS / sizeof *VERSIONS,
                          .y = p.y,
                          .y_count = N,
                          .tolerance = 0.001};
    const int wrong = lab_run(&k, quick);
    free(p.work);
    free(p.quantised);
    free(p.small_pages);
    free(p.packed);
    free(p.y);
    free(p.x);
    free(p.w);
    return wrong;
}
