/* A prompt's attention: 48 rows of one head to 2048 keys of float16 in pages. In: queries, pages.
 * Out: rows. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "device/cpu/kernels.h"
#include "lab.h"
#include "tensor/half.h"

enum { ROWS = 48, KEYS = 2048, SIZE = 128, PAGE = 64 };

typedef struct problem {
    cpu_kernels kernels;
    tensor_kv_layout layout;
    uint64_t page_bytes;
    unsigned char *pool;
    uint32_t pages[KEYS / PAGE];
    float *k, *v, *q, *out; /* as float16 keeps them */
    void *work;
} problem;

/* All scores, then the softmax, then the sum: with a row of scores for each query. */
static void run_plain(void *argument) {
    const problem *p = argument;
    for (size_t r = 0; r < ROWS; r++) {
        float scores[KEYS], most = -INFINITY, sum = 0;
        const size_t seen = KEYS - ROWS + r + 1;
        for (size_t t = 0; t < seen; t++) {
            float dot = 0;
            for (size_t d = 0; d < SIZE; d++)
                dot += p->q[r * SIZE + d] * p->k[t * SIZE + d];
            scores[t] = dot / sqrtf(SIZE);
            most = scores[t] > most ? scores[t] : most;
        }
        for (size_t t = 0; t < seen; t++)
            sum += scores[t] = expf(scores[t] - most);
        for (size_t d = 0; d < SIZE; d++) {
            float value = 0;
            for (size_t t = 0; t < seen; t++)
                value += scores[t] * p->v[t * SIZE + d];
            p->out[r * SIZE + d] = value / sum;
        }
    }
}

static void attend(const problem *p, uint32_t rows_at_once) {
    for (uint32_t r = 0; r < ROWS; r += rows_at_once) {
        const cpu_attention_tile tile = {.q = p->q + (size_t)r * SIZE,
                                         .out = p->out + (size_t)r * SIZE,
                                         .q_stride = SIZE,
                                         .out_stride = SIZE,
                                         .rows = rows_at_once,
                                         .first_position = KEYS - ROWS + r,
                                         .heads_per_kv = 1,
                                         .head_size = SIZE,
                                         .scale = 1 / sqrtf(SIZE),
                                         .layout = &p->layout,
                                         .offsets = tensor_kv_head_offsets(&p->layout, 0),
                                         .pool = p->pool,
                                         .page_bytes = p->page_bytes,
                                         .pages = p->pages};
        p->kernels.attention(&tile, p->work);
    }
}

static void run_one(void *p) {
    attend(p, 1);
}
static void run_eight(void *p) {
    attend(p, 8);
}
static void run_library(void *p) {
    attend(p, ROWS);
}

static const lab_version VERSIONS[] = {
    {"plain", "three passes over a row of scores, as C has it", run_plain, true},
    {"one", "chunks of 64 keys in registers, online softmax; a row at a time", run_one, false},
    {"eight", "8 rows share a chunk", run_eight, false},
    {"library", "48 rows share a chunk, widened to f32 once", run_library, false},
};

int lab_attention(bool quick) {
    problem p = {
        .kernels = cpu_kernels_select(BASE_ISA_AVX512VNNI),
        .layout = {.type = TENSOR_KV_F16, .page_tokens = PAGE, .kv_heads = 1, .head_size = SIZE},
        .k = lab_memory(sizeof(float) * KEYS * SIZE, false),
        .v = lab_memory(sizeof(float) * KEYS * SIZE, false),
        .q = lab_memory(sizeof(float) * ROWS * SIZE, false),
        .out = lab_memory(sizeof(float) * ROWS * SIZE, false)};
    p.page_bytes = tensor_kv_layer_bytes(&p.layout);
    p.pool = lab_memory(KEYS / PAGE * p.page_bytes, true);
    p.work = lab_memory(cpu_attention_work_bytes(1, SIZE), false);
    const tensor_kv_offsets head = tensor_kv_head_offsets(&p.layout, 0);
    for (uint32_t t = 0; t < KEYS; t++) {
        p.pages[t / PAGE] = t / PAGE;
        float *k = p.k + (size_t)t * SIZE, *v = p.v + (size_t)t * SIZE;
        for (size_t d = 0; d < SIZE; d++) {
            k[d] = tensor_f16_to_f32(tensor_f32_to_f16(lab_random()));
            v[d] = tensor_f16_to_f32(tensor_f32_to_f16(lab_random()));
        }
        p.kernels.kv_write(&p.layout, &head, p.pool + t / PAGE * p.page_bytes, t % PAGE, k, v);
    }
    for (size_t i = 0; i < (size_t)ROWS * SIZE; i++)
        p.q[i] = lab_random();
    const lab_kernel k = {.name = "attention of 48 rows to 2048 keys",
                          .unit = "float GOP/s",
                          .limit = lab_limit_float,
                          .work = 4.0 * SIZE * ROWS * (KEYS - ROWS / 2.0),
                          .problem = &p,
                          .versions = VERSIONS,
                          .count = sizeof VERSIONS / sizeof *VERSIONS,
                          .y = p.out,
                          .y_count = (size_t)ROWS * SIZE,
                          .tolerance = 1e-5};
    const int wrong = lab_run(&k, quick);
    free(p.work);
    free(p.pool);
    free(p.out);
    free(p.q);
    free(p.v);
    free(p.k);
    return wrong;
}
