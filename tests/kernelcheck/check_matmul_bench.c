/* Speed of matrix multiplication on one thread: bytes of packed weights read at T=1, operations at
 * T=8, 128 and 512. */
#include "kernelcheck.h"

#include <stdio.h>
#include <string.h>

#include "device/cpu/matmul.h"

enum { OUTPUTS = 3072, COLUMNS = 3072, TOKENS_MAX = 512, COPIES_BYTES = 160 << 20 };

/* At T=1 each call takes another copy of the weight, so that all come from memory. */
typedef struct bench {
    const cpu_matmul_config *config;
    tensor_encoding encoding;
    uint8_t *packed;
    uint64_t packed_bytes, copies, next;
    float *x, *y;
    void *quantised, *work;
    uint32_t tokens;
} bench;

static void run_once(void *argument) {
    bench *b = argument;
    const uint8_t *packed = b->packed + b->next * b->packed_bytes;
    b->next = (b->next + 1) % b->copies;
    const void *x = b->config->activation == PLAN_ACTIVATION_Q8 ? b->quantised : b->x;
    b->config->matmul(b->encoding, packed, OUTPUTS, COLUMNS, 0, OUTPUTS / b->config->panel_rows, x,
                      COLUMNS, b->tokens, b->y, OUTPUTS, NULL, b->work);
}

static void measure(bench *b, cpu_quantize_rows quantize, const char *name) {
    static const uint32_t TOKENS[] = {1, 2, 4, 8, 16, 32, 128, TOKENS_MAX};
    printf("%-34s", name);
    for (size_t i = 0; i < sizeof TOKENS / sizeof *TOKENS; i++) {
        b->tokens = TOKENS[i];
        quantize(b->quantised, b->x, COLUMNS, b->tokens, 0, b->tokens, COLUMNS);
        uint64_t cycles = 0;
        const double t = check_time(run_once, b, 0.12, &cycles);
        const double operations = 2.0 * OUTPUTS * COLUMNS * b->tokens;
        if (b->tokens == 1) {
            printf("  T=1 %6.2f GB/s", (double)b->packed_bytes / t * 1e-9);
        } else {
            printf("  T=%u %6.3f TOP/s %5.1f/c", b->tokens, operations / t * 1e-12,
                   operations / (double)cycles);
        }
        fflush(stdout);
    }
    putchar('\n');
}

static void bench_config(check *c, tensor_encoding e, const cpu_matmul_config *config,
                         base_isa isa) {
    const tensor_encoding_info *info = tensor_encoding_info_of(e);
    char name[64];
    snprintf(name, sizeof name, "matmul_%s_%s", info->name, config->name);
    if (!check_begin(c, name)) return;
    const uint64_t row_bytes = COLUMNS / info->block_elems * (uint64_t)info->block_bytes;
    uint8_t *blocks = check_alloc(OUTPUTS * row_bytes, 0);
    for (uint64_t i = 0; i < OUTPUTS * row_bytes; i++)
        blocks[i] = (uint8_t)(check_random(c) & 0x3b); /* finite, and no subnormal numbers */
    bench b = {.config = config, .encoding = e};
    b.packed_bytes = config->packed_bytes(e, OUTPUTS, COLUMNS);
    b.copies = COPIES_BYTES / b.packed_bytes + 1;
    b.packed = check_alloc(b.copies * b.packed_bytes + CPU_MATMUL_SLACK_BYTES, 0);
    const uint64_t panels = OUTPUTS / config->panel_rows;
    const double begin = check_seconds();
    for (uint64_t p = 0; p < panels; p++)
        config->pack(e, blocks, OUTPUTS, COLUMNS, p, b.packed + p * (b.packed_bytes / panels));
    const double pack_seconds = check_seconds() - begin;
    for (uint64_t i = 1; i < b.copies; i++)
        memcpy(b.packed + i * b.packed_bytes, b.packed, b.packed_bytes);
    b.x = check_alloc(sizeof(float) * COLUMNS * TOKENS_MAX, 0);
    b.y = check_alloc(sizeof(float) * OUTPUTS * TOKENS_MAX, 0);
    b.quantised =
        check_alloc(cpu_activation_bytes(TOKENS_MAX, COLUMNS) + CPU_MATMUL_SLACK_BYTES, 0);
    b.work = check_alloc(config->work_bytes, 0);
    for (size_t i = 0; i < (size_t)COLUMNS * TOKENS_MAX; i++)
        b.x[i] = check_random_normal(c, 1);
    snprintf(name, sizeof name, "%s %s pack %.2f GB/s", info->name, config->name,
             (double)(OUTPUTS * row_bytes) / pack_seconds * 1e-9);
    measure(&b, cpu_quantize_rows_select(isa), name);
    check_free(b.work);
    check_free(b.quantised);
    check_free(b.y);
    check_free(b.x);
    check_free(b.packed);
    check_free(blocks);
}

void check_matmul_bench(check *c) {
    static const tensor_encoding ENCODINGS[] = {
        TENSOR_ENCODING_Q4_0, TENSOR_ENCODING_Q4_1, TENSOR_ENCODING_Q8_0, TENSOR_ENCODING_Q4_K,
        TENSOR_ENCODING_Q5_0, TENSOR_ENCODING_Q5_K, TENSOR_ENCODING_Q6_K, TENSOR_ENCODING_IQ4_NL,
        TENSOR_ENCODING_Q2_K, TENSOR_ENCODING_Q3_K, TENSOR_ENCODING_F16,  TENSOR_ENCODING_BF16,
        TENSOR_ENCODING_F32};
    base_isa isa;
    for (unsigned i = 0; check_next_isa(c, &i, &isa);) {
        if (isa == BASE_ISA_SCALAR && c->isa != BASE_ISA_SCALAR) continue; /* minutes */
        for (size_t j = 0; j < sizeof ENCODINGS / sizeof *ENCODINGS; j++) {
            const cpu_matmul_config *config =
                cpu_matmul_select(isa, ENCODINGS[j], OUTPUTS, COLUMNS, NULL);
            if (config && config->isa == isa) bench_config(c, ENCODINGS[j], config, isa);
        }
    }
}
