/* Attention in double: scores, what is added to them, softmax, weighted sums. */
#ifndef DEVICE_REF_MS_ATTENTION_H
#define DEVICE_REF_MS_ATTENTION_H

#include "device/ref/ops/ref_ms.h"

typedef struct ref_ms_attention {
    uint64_t batch, heads, kv_heads, queries, keys, size, v_size; /* heads % kv_heads == 0 */
    const double *q;       /* [batch][heads][queries][size] */
    const double *k;       /* [batch][kv_heads][keys][size] */
    const double *v;       /* [batch][kv_heads][keys][v_size] */
    double scale, softcap; /* softcap 0: none */
    const double *sinks; /* [heads]: a score that takes its share and gives no value; NULL: none */

    /* NULL: all keys, 0. sees: keys [*first, *end) of query s. added: to a score, behind softcap.
     * Thread class: shared. */
    void (*sees)(const void *user, uint64_t b, uint64_t s, uint64_t *first, uint64_t *end);
    double (*added)(const void *user, uint64_t b, uint64_t h, uint64_t s, uint64_t t);
    const void *user;

    double *out;     /* [batch][queries][heads][v_size]; a query that sees nothing gets 0 */
    double *scores;  /* [batch][heads][queries][keys], out of sight: 0; NULL: not wanted */
    bool raw_scores; /* before the softmax */
} ref_ms_attention;

/* Errors: LIMIT, MEMORY. */
ondol_status ref_ms_attend(const plan_call *c, const ref_ms_attention *a, ondol_error *err);

/* dst[batch][heads][rows][size] = src[batch][rows][heads][size]; with a bias [heads][size] (NULL:
 * none) added. */
void ref_ms_to_heads(const double *src, const double *bias, uint64_t batch, uint64_t rows,
                     uint64_t heads, uint64_t size, double *dst);

#endif
