/* Attention over keys and values in memory, for operators of graphs that run as they are written.
 *
 * y = softmax(softcap(scale * q k^T) + bias) v, over the keys that a row sees. Sums: scores are one
 * chain of fma over the head, results one over the keys; the softmax as in device/cpu/rows.h. */
#ifndef DEVICE_CPU_OPS_ATTEND_H
#define DEVICE_CPU_OPS_ATTEND_H

#include "plan/kernel.h"

/* Where element [batch][head][row][i] of a tensor lies: i elements behind the sum of these. */
typedef struct cpu_head_steps {
    uint64_t batch, head, row;
} cpu_head_steps;

typedef struct cpu_attention {
    uint64_t batch, heads, kv_heads; /* heads: a multiple of kv_heads, which share keys in runs */
    uint64_t queries, keys, size, v_size;
    const float *q, *k, *v;
    float *y;
    cpu_head_steps q_step, k_step, v_step, y_step;
    float scale, softcap; /* softcap 0: none */
    /* Row `row` sees keys [*first, *end), at most `keys`. */
    void (*sees)(const void *user, uint64_t batch, uint64_t row, uint64_t *first, uint64_t *end);
    const void *user;
    const float *bias; /* for each key, NULL: none; steps of 0 where it repeats */
    cpu_head_steps bias_step;
    const float *sinks; /* [heads]: a score that counts in the sum alone; NULL: none */
} cpu_attention;

/* Errors: LIMIT, MEMORY. */
ondol_status cpu_attend(plan_call *c, const cpu_attention *a, ondol_error *err);

#endif
