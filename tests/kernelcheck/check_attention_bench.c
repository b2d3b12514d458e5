/* How fast attention is: one row (decoding: bytes of the cache a second) and a tile of rows
 * (prefill: floating-point operations a second). */
#include "check_attention.h"

#include <math.h>
#include <stdio.h>

#include "plan/step_block.h"

typedef struct attention_job {
    cpu_kernels k;
    check_sequence s;
    uint32_t heads_per_kv, rows;
    float *q, *out;
    void *work;
} attention_job;

static void run_job(void *argument) {
    const attention_job *j = argument;
    const uint32_t n = j->s.layout.head_size;
    for (uint32_t h = 0; h < j->s.layout.kv_heads; h++) {
        const cpu_attention_tile tile = {.q = j->q,
                                         .out = j->out,
                                         .q_stride = (size_t)j->heads_per_kv * n,
                                         .out_stride = (size_t)j->heads_per_kv * n,
                                         .rows = j->rows,
                                         .first_position = j->s.tokens - j->rows,
                                         .heads_per_kv = j->heads_per_kv,
                                         .head_size = n,
                                         .scale = 1 / sqrtf((float)n),
                                         .layout = &j->s.layout,
                                         .offsets = tensor_kv_head_offsets(&j->s.layout, h),
                                         .pool = j->s.pool + j->s.layer_offset,
                                         .page_bytes = j->s.page_bytes,
                                         .pages = j->s.pages};
        j->k.attention(&tile, j->work);
    }
}

static void bench_shape(check *c, attention_job *j, uint32_t heads_per_kv, uint32_t rows) {
    const uint32_t n = j->s.layout.head_size, queries = heads_per_kv * rows;
    j->heads_per_kv = heads_per_kv;
    j->rows = rows;
    j->q = check_alloc((size_t)queries * n * sizeof *j->q, 0);
    j->out = check_alloc((size_t)queries * n * sizeof *j->out, 0);
    j->work = check_alloc((size_t)cpu_attention_work_bytes(heads_per_kv, n), 0);
    for (uint32_t i = 0; i < queries * n; i++)
        j->q[i] = check_random_normal(c, 1);
    uint64_t cycles = 0;
    const double t = check_time(run_job, j, 0.2, &cycles);
    const double bytes = (double)tensor_kv_layer_bytes(&j->s.layout) * j->s.page_count;
    const double flops = 4.0 * n * j->s.tokens * queries * j->s.layout.kv_heads;
    printf("%-24s %u heads a kv head, %u rows %7.2f GB/s %8.1f GFLOP/s\n", c->name, heads_per_kv,
           rows, bytes / t * 1e-9, flops / t * 1e-9);
    check_free(j->q);
    check_free(j->out);
    check_free(j->work);
}

void check_attention_bench(check *c) {
    static const uint32_t SHAPES[][2] = {{1, 1}, {3, 1}, {4, 1}, {8, 1}, {1, 48}, {3, 16}, {4, 12}};
    base_isa isa, last = BASE_ISA_COUNT;
    for (unsigned i = 0; check_next_isa(c, &i, &isa);) {
        attention_job j = {.k = cpu_kernels_select(isa)};
        if (j.k.isa == last) continue;
        last = j.k.isa;
        for (tensor_kv_type type = TENSOR_KV_F16; type <= TENSOR_KV_F32; type++) {
            char name[64];
            snprintf(name, sizeof name, "attention_%s_%s", tensor_kv_type_name(type),
                     base_isa_name(j.k.isa));
            if (!check_begin(c, name)) continue;
            j.s = (check_sequence){
                .layout = {.type = type, .page_tokens = 64, .kv_heads = 8, .head_size = 128},
                .tokens = isa == BASE_ISA_SCALAR ? 512 : 16384,
                .key_deviation = 1};
            check_sequence_create(c, &j.s);
            check_sequence_write(&j.s, j.k.kv_write, 0);
            for (size_t n = 0; n < sizeof SHAPES / sizeof *SHAPES; n++)
                bench_shape(c, &j, SHAPES[n][0], SHAPES[n][1]);
            check_sequence_destroy(&j.s);
        }
    }
}
