/* Attention's scratch. In: heads, their size. Out: where each part lies. */
#include "device/cpu/kernels_internal.h"

enum { ALIGN = 64, QUERIES = 48 };

typedef struct cursor {
    unsigned char *base;
    uint64_t used_bytes;
} cursor;

static float *take(cursor *c, uint64_t floats) {
    float *p = c->base ? (float *)(void *)(c->base + c->used_bytes) : NULL;
    c->used_bytes += (floats * sizeof *p + ALIGN - 1) / ALIGN * ALIGN;
    return p;
}

uint32_t cpu_attention_rows(uint32_t heads_per_kv) {
    const uint32_t rows = QUERIES / heads_per_kv;
    return rows > PLAN_TILE_ROWS ? PLAN_TILE_ROWS : rows ? rows : 1;
}

uint64_t cpu_attention_scratch_place(void *work, uint32_t heads_per_kv, uint32_t head_size,
                                     cpu_attention_scratch *s) {
    const uint64_t queries = (uint64_t)cpu_attention_rows(heads_per_kv) * heads_per_kv;
    unsigned char *base = work;
    if (base) base += (ALIGN - (uintptr_t)base % ALIGN) % ALIGN;
    cursor c = {.base = base};
    s->padded = (head_size + 15) / 16 * 16;
    s->queries = take(&c, queries * head_size);
    s->sums = take(&c, queries * s->padded);
    s->scores = take(&c, queries * CPU_CHUNK_TOKENS);
    s->weight_sums = take(&c, queries * 16);
    s->maxima = take(&c, queries);
    s->factors = take(&c, queries);
    for (uint32_t b = 0; b < CPU_CHUNK_BLOCKS; b++) {
        s->keys[b] = take(&c, (uint64_t)TENSOR_KV_BLOCK * head_size);
        s->values[b] = take(&c, (uint64_t)TENSOR_KV_BLOCK * head_size);
    }
    s->steps = take(&c, (uint64_t)CPU_CHUNK_TOKENS * ((head_size + 31) / 32));
    return c.used_bytes + ALIGN;
}

uint64_t cpu_attention_work_bytes(uint32_t heads_per_kv, uint32_t head_size) {
    cpu_attention_scratch s;
    return cpu_attention_scratch_place(NULL, heads_per_kv, head_size, &s);
}
