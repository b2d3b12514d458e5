/* Queries, new keys and new values of attention with a cache: heads cut out of rows, normalised and
 * rotated. */
#ifndef DEVICE_REF_MS_QUERY_H
#define DEVICE_REF_MS_QUERY_H

#include "device/ref/ops/ref_ms_rotary.h"

/* Each: heads of `size` numbers. Rows of q, k and v are [heads][size]. */
typedef struct ref_ms_query {
    uint64_t rows, kv_rows; /* batch * sequence */
    uint64_t heads, kv_heads, size, v_size;
    double *q, *k, *v; /* [rows][heads][size], [kv_rows][kv_heads][size], [..][v_size] */
} ref_ms_query;

/* From inputs 0 (query [..., heads * size], or all three packed when inputs 1 and 2 are absent), 1
 * (key) and 2 (value; absent, v is NULL where kv_cache_layout is LATENT), of rank `rank`; sizes but
 * v_size are set. Give back by
 * ref_ms_query_end, after errors too. Errors: FORMAT, LIMIT, MEMORY. */
ondol_status ref_ms_query_begin(const plan_call *c, uint32_t rank, ref_ms_query *q,
                                ondol_error *err);
void ref_ms_query_end(const plan_call *c, ref_ms_query *q);

/* Heads of q and k divided by their root mean square and times the weights of inputs i and i + 1,
 * [size] each; both absent: nothing. Errors: FORMAT, LIMIT, MEMORY. */
ondol_status ref_ms_query_norm(const plan_call *c, uint32_t i, double q_epsilon, double k_epsilon,
                               ref_ms_query *q, ondol_error *err);

/* Rotates all heads of row `row` of q, or of k. */
void ref_ms_query_rotate(const ref_ms_rotary *r, int64_t position, uint64_t heads, uint64_t size,
                         uint64_t offset, double *row);

#endif
