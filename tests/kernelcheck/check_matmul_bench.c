/* Speed of matrix multiplication on one thread: bytes of packed weights read at T=1, operations
 * from T=2 on, at T=512 as a share of the int8 limit measured right behind; weights packed in a
 * second. quick: T=1, 8 and 512 alone. */
#include "kernelcheck.h"

#include <stdio.h>
#include <string.h>

#include "check_weight.h"
#include "device/cpu/matmul.h"
#include "device/cpu/measure.h"

enum { OUTPUTS = 3072, COLUMNS = 3072, TOKENS_MAX = 512, COPIES_BYTES = 160 << 20 };

/* At T=1 each call takes another copy of the weight, so that all come from memory. */
typedef struct bench {
    const cpu_matmul_config *config;
    panel_form form;
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
    b->config->matmul(b->form, packed, OUTPUTS, COLUMNS, 0, OUTPUTS / b->config->panel_rows, x,
                      COLUMNS, b->tokens, b->y, OUTPUTS, NULL, b->work);
}

static double int8_limit(base_isa isa) {
    base_pool *pool = NULL;
    const ondol_allocator a = base_default_allocator();
    if (base_pool_create(&a, 1, &pool, NULL) != ONDOL_OK) return 0;
    const double ops = cpu_measure_int8(pool, isa);
    base_pool_destroy(pool);
    return ops;
}

static void measure(bench *b, cpu_quantize_rows quantize, const char *name, bool quick) {
    static const uint32_t TOKENS[] = {1, 2, 4, 8, 16, 32, 128, TOKENS_MAX};
    printf("%-34s", name);
    for (size_t i = 0; i < sizeof TOKENS / sizeof *TOKENS; i++) {
        b->tokens = TOKENS[i];
        if (quick && b->tokens != 1 && b->tokens != 8 && b->tokens != TOKENS_MAX) continue;
        quantize(b->quantised, b->x, COLUMNS, b->tokens, 0, b->tokens, COLUMNS);
        uint64_t cycles = 0;
        const double t = check_time(run_once, b, quick ? 0.03 : 0.12, &cycles);
        const double operations = 2.0 * OUTPUTS * COLUMNS * b->tokens;
        if (b->tokens == 1) {
            printf("  T=1 %6.2f GB/s", (double)b->packed_bytes / t * 1e-9);
        } else {
            printf("  T=%u %6.3f TOP/s %5.1f/c", b->tokens, operations / t * 1e-12,
                   operations / (double)cycles);
        }
        const double limit = b->tokens == TOKENS_MAX ? int8_limit(b->config->isa) : 0;
        if (limit > 0 && b->config->activation == PLAN_ACTIVATION_Q8)
            printf(" (%.0f %%)", 100 * operations / t / limit);
        fflush(stdout);
    }
    putchar('\n');
}

static void bench_kind(check *c, const weight_kind *k, base_isa isa) {
    char name[96];
    check_weight w;
    bench b = {0};
    check silent = {.seed = 1, .state = 1};
    check_weight_make(&silent, k, DATA_PLAIN, 1, COLUMNS, &w);
    const cpu_matmul_config *config = cpu_matmul_select(isa, &w.matrix, &b.form, NULL);
    check_weight_free(&w);
    if (!config || config->isa != isa) return;
    snprintf(name, sizeof name, "matmul_%s_%s", k->name, config->name);
    if (!check_begin(c, name)) return;
    check_weight_make(c, k, DATA_PLAIN, OUTPUTS, COLUMNS, &w);
    b.config = config;
    b.packed_bytes = config->packed_bytes(b.form, OUTPUTS, COLUMNS);
    b.copies = COPIES_BYTES / b.packed_bytes + 1;
    b.packed = check_alloc(b.copies * b.packed_bytes + CPU_MATMUL_SLACK_BYTES, 0);
    const uint64_t panels = OUTPUTS / config->panel_rows;
    const double begin = check_seconds();
    for (uint64_t p = 0; p < panels; p++)
        config->pack(b.form, &w.matrix, p, b.packed + p * (b.packed_bytes / panels));
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
    snprintf(name, sizeof name, "%s %s pack %.2f G/s", k->name, config->name,
             (double)OUTPUTS * COLUMNS / pack_seconds * 1e-9);
    measure(&b, cpu_quantize_rows_select(isa), name, c->quick);
    check_free(b.work);
    check_free(b.quantised);
    check_free(b.y);
    check_free(b.x);
    check_free(b.packed);
    check_weight_free(&w);
}

void check_matmul_bench(check *c) {
    static const char *const NAMES[] = {"Q4_0",
                                        "Q4_1",
                                        "Q8_0",
                                        "Q4_K",
                                        "Q5_0",
                                        "Q5_K",
                                        "Q6_K",
                                        "Q2_K",
                                        "IQ4_NL",
                                        "Q3_K",
                                        "F16",
                                        "BF16",
                                        "F32",
                                        "F16_T",
                                        "int4/32",
                                        "int4/32_f32",
                                        "int4/32_zeros",
                                        "int4/32_f32_zeros",
                                        "int4/128",
                                        "int4/128_zeros",
                                        "int4/128_f32_zeros",
                                        "int8/32",
                                        "int8/128_f32_zeros"};
    base_isa isa;
    for (unsigned i = 0; check_next_isa(c, &i, &isa);) {
        if (isa == BASE_ISA_SCALAR && c->isa != BASE_ISA_SCALAR) continue; /* minutes */
        for (size_t j = 0; j < weight_kind_count(); j++) {
            const weight_kind k = weight_kind_at(j);
            for (size_t n = 0; n < sizeof NAMES / sizeof *NAMES; n++)
                if (strcmp(NAMES[n], k.name) == 0) bench_kind(c, &k, isa);
        }
    }
}
