/* Attention. In: heads of queries, keys, values. Out: heads of results. Keys and values are packed
 * once for all queries; a unit is a block of rows of one head. */
#include "device/cpu/ops/cpu_attend.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "device/cpu/matmul_layout.h"
#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/rows.h"

#define BLOCK_ROWS   64u /* queries of a unit */
#define SEGMENT_KEYS 64u /* keys that are left out together where no row of a block sees them */

typedef struct attending {
    const cpu_attention *a;
    const cpu_device *device;
    const cpu_rows *rows;
    cpu_matmul_segments multiply;
    uint64_t keys_padded, segments;    /* to whole segments */
    unsigned char *packed;             /* [batch][kv_heads][k_bytes + v_bytes] */
    uint64_t k_bytes, v_bytes, blocks; /* blocks: of a head's rows */
    unsigned char *work;               /* [threads][work_bytes] */
    uint64_t work_bytes, scores_bytes;
} attending;

static const float *at_head(const float *x, const cpu_head_steps *s, uint64_t batch,
                            uint64_t head) {
    return x + batch * s->batch + head * s->head;
}

/* ------------------------------------------------------------ keys and values */

/* v [keys][v_size] -> panels [keys_padded][32], with zeros where there is nothing. */
static void pack_values(const attending *j, const float *v, float *to) {
    const cpu_attention *a = j->a;
    for (uint64_t first = 0; first < a->v_size; first += PANEL_ROWS) {
        const uint64_t left = a->v_size - first;
        const size_t count = left < PANEL_ROWS ? (size_t)left : PANEL_ROWS;
        for (uint64_t t = 0; t < j->keys_padded; t++, to += PANEL_ROWS) {
            const bool there = t < a->keys;
            if (count < PANEL_ROWS || !there) memset(to, 0, PANEL_ROWS * sizeof *to);
            if (there) memcpy(to, v + t * a->v_step.row + first, count * sizeof *to);
        }
    }
}

static void pack_unit(uint32_t unit, unsigned thread, void *argument) {
    const attending *j = argument;
    const cpu_attention *a = j->a;
    const uint64_t batch = unit / a->kv_heads, head = unit % a->kv_heads;
    unsigned char *to = j->packed + unit * (j->k_bytes + j->v_bytes);
    const cpu_matrix k = {.encoding = TENSOR_ENCODING_F32,
                          .data = at_head(a->k, &a->k_step, batch, head),
                          .k = a->size,
                          .n = a->keys,
                          .k_stride = 1,
                          .n_stride = a->k_step.row};
    cpu_packed packed;
    (void)thread;
    cpu_gemm_pack(j->device, NULL, &k, to, &packed);
    pack_values(j, at_head(a->v, &a->v_step, batch, head), (float *)(void *)(to + j->k_bytes));
}

/* ------------------------------------------------------------ rows */

/* A block of rows of one head, and the keys that any of them sees. */
typedef struct block {
    uint64_t batch, head, row;
    uint32_t count;
    uint64_t first, end;
    float *scores; /* [count][keys_padded], and room for one more */
} block;

static void multiply_keys(const attending *j, const block *b, const unsigned char *packed) {
    const cpu_attention *a = j->a;
    const float *q = at_head(a->q, &a->q_step, b->batch, b->head) + b->row * a->q_step.row;
    const cpu_segments x = {.at = &q, .count = 1, .columns = a->size};
    j->multiply(packed, a->keys, a->size, b->first / PANEL_ROWS,
                (b->end + PANEL_ROWS - 1) / PANEL_ROWS, &x, (size_t)a->q_step.row, b->count,
                b->scores, (size_t)j->keys_padded, NULL);
}

/* Scores [first, end) of a row become shares; the others of the block's keys become 0. */
static void weigh_row(const attending *j, const block *b, uint64_t row, float *scores) {
    const cpu_attention *a = j->a;
    uint64_t first = 0, end = 0;
    a->sees(a->user, b->batch, row, &first, &end);
    const size_t n = end > first ? (size_t)(end - first) : 0;
    float *x = scores + first, kept = 0;
    const uint64_t from = b->first / SEGMENT_KEYS * SEGMENT_KEYS;
    const uint64_t to = (b->end + SEGMENT_KEYS - 1) / SEGMENT_KEYS * SEGMENT_KEYS;
    if (!n) {
        memset(scores + from, 0, (size_t)(to - from) * sizeof *scores);
        return;
    }
    j->rows->binary(CPU_BINARY_MUL, x, x, 1, &a->scale, 0, n);
    if (a->softcap != 0) {
        const float inverse = 1.0f / a->softcap;
        j->rows->binary(CPU_BINARY_MUL, x, x, 1, &inverse, 0, n);
        j->rows->unary(CPU_UNARY_TANH, x, x, n, 0, 0);
        j->rows->binary(CPU_BINARY_MUL, x, x, 1, &a->softcap, 0, n);
    }
    if (a->bias) {
        const float *bias = at_head(a->bias, &a->bias_step, b->batch, b->head);
        j->rows->binary(CPU_BINARY_ADD, x, x, 1, bias + row * a->bias_step.row + first, 1, n);
    }
    if (a->bias && !a->sinks && j->rows->reduce(CPU_REDUCTION_MAX, x, n) == -INFINITY) {
        memset(scores + from, 0, (size_t)(to - from) * sizeof *scores); /* all is forbidden */
        return;
    }
    if (a->sinks) {
        kept = x[n];
        x[n] = a->sinks[b->head];
    }
    j->rows->softmax(x, x, a->sinks ? n + 1 : n, 0);
    if (a->sinks) x[n] = kept;
    memset(scores + from, 0, (size_t)(first - from) * sizeof *scores);
    memset(scores + end, 0, (size_t)(to - end) * sizeof *scores);
}

static void multiply_values(const attending *j, const block *b, const unsigned char *packed,
                            const float **at) {
    const cpu_attention *a = j->a;
    float *y =
        a->y + b->batch * a->y_step.batch + b->head * a->y_step.head + b->row * a->y_step.row;
    cpu_segments x = {.at = at, .count = (uint32_t)j->segments, .columns = SEGMENT_KEYS};
    for (uint32_t i = 0; i < x.count; i++) {
        const uint64_t first = (uint64_t)i * SEGMENT_KEYS;
        const bool seen = first < b->end && first + SEGMENT_KEYS > b->first;
        at[i] = seen ? b->scores + first : NULL;
        if (seen) x.last = i;
    }
    j->multiply(packed, a->v_size, j->keys_padded, 0, (a->v_size + PANEL_ROWS - 1) / PANEL_ROWS, &x,
                (size_t)j->keys_padded, b->count, y, (size_t)a->y_step.row, NULL);
}

static void find_seen(const cpu_attention *a, block *b) {
    b->first = a->keys;
    b->end = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        uint64_t first = 0, end = 0;
        a->sees(a->user, b->batch, b->row + i, &first, &end);
        if (first >= end) continue;
        if (first < b->first) b->first = first;
        if (end > b->end) b->end = end;
    }
}

static void rows_unit(uint32_t unit, unsigned thread, void *argument) {
    const attending *j = argument;
    const cpu_attention *a = j->a;
    unsigned char *work = j->work + thread * j->work_bytes;
    const uint64_t head = unit / j->blocks, row = unit % j->blocks * BLOCK_ROWS;
    const uint64_t left = a->queries - row;
    block b = {.batch = head / a->heads,
               .head = head % a->heads,
               .row = row,
               .count = left < BLOCK_ROWS ? (uint32_t)left : BLOCK_ROWS,
               .scores = (float *)(void *)work};
    const uint64_t kv_head = b.head / (a->heads / a->kv_heads);
    const unsigned char *packed =
        j->packed + (b.batch * a->kv_heads + kv_head) * (j->k_bytes + j->v_bytes);
    find_seen(a, &b);
    if (b.first >= b.end) {
        float *y = a->y + b.batch * a->y_step.batch + b.head * a->y_step.head;
        for (uint32_t i = 0; i < b.count; i++)
            memset(y + (row + i) * a->y_step.row, 0, (size_t)a->v_size * sizeof *y);
        return;
    }
    multiply_keys(j, &b, packed);
    for (uint32_t i = 0; i < b.count; i++)
        weigh_row(j, &b, row + i, b.scores + i * j->keys_padded);
    multiply_values(j, &b, packed + j->k_bytes, (const float **)(void *)(work + j->scores_bytes));
}

/* ------------------------------------------------------------ all of it */

static ondol_status find_sizes(const plan_call *c, attending *j, uint64_t *bytes,
                               ondol_error *err) {
    const cpu_attention *a = j->a;
    const unsigned threads = c->pool ? base_pool_thread_count(c->pool) : 1;
    const uint64_t v_padded = (a->v_size + PANEL_ROWS - 1) / PANEL_ROWS * PANEL_ROWS;
    uint64_t each = 0, all = 0, work = 0;
    j->segments = (a->keys + SEGMENT_KEYS - 1) / SEGMENT_KEYS;
    j->keys_padded = j->segments * SEGMENT_KEYS;
    j->blocks = (a->queries + BLOCK_ROWS - 1) / BLOCK_ROWS;
    j->k_bytes =
        (cpu_gemm_packed_bytes(j->device, TENSOR_ENCODING_F32, a->size, a->keys) + 63) / 64 * 64;
    j->scores_bytes = (BLOCK_ROWS * j->keys_padded + 16) * sizeof(float);
    j->work_bytes = (j->scores_bytes + j->segments * sizeof(float *) + 127) / 64 * 64;
    if (a->keys > UINT32_MAX || !base_mul(j->keys_padded, v_padded * sizeof(float), &j->v_bytes) ||
        !base_add(j->v_bytes, CPU_MATMUL_SLACK_BYTES, &j->v_bytes) ||
        !base_add(j->k_bytes, j->v_bytes, &each) || !base_mul(each, a->batch * a->kv_heads, &all) ||
        !base_mul(j->work_bytes, threads, &work) || !base_add(all, work, bytes) ||
        a->batch * a->heads > BASE_POOL_UNITS_MAX / j->blocks) {
        return plan_call_fail(c, err, "%" PRIu64 " queries and %" PRIu64 " keys are too many",
                              a->queries, a->keys);
    }
    return ONDOL_OK;
}

ondol_status cpu_attend(plan_call *c, const cpu_attention *a, ondol_error *err) {
    const cpu_device *d = cpu_device_of(c->device);
    attending j = {.a = a,
                   .device = d,
                   .rows = cpu_rows_select(d->isa),
                   .multiply = cpu_matmul_segments_select(d->isa)};
    void *memory = NULL;
    uint64_t bytes = 0;
    ondol_status status = ONDOL_OK;
    if (!a->batch || !a->heads || !a->queries || !a->v_size) return ONDOL_OK;
    TRY(find_sizes(c, &j, &bytes, err));
    TRY(tensor_heap_alloc(c->heap, bytes, "attention", &memory, err));
    const unsigned threads = c->pool ? base_pool_thread_count(c->pool) : 1;
    j.work = memory;
    j.packed = j.work + j.work_bytes * threads;
    if (a->keys) plan_call_parallel(c, (uint32_t)(a->batch * a->kv_heads), pack_unit, &j);
    plan_call_parallel(c, (uint32_t)(a->batch * a->heads * j.blocks), rows_unit, &j);
done:
    tensor_heap_free(c->heap, memory);
    return status;
}
