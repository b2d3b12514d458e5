/* Queries, keys and values of attention as heads, however their tensors lie. */
#ifndef DEVICE_REF_HEADS_H
#define DEVICE_REF_HEADS_H

#include "device/ref/ops/ref_neural.h"

/* A tensor [batch, heads, length, size], or [batch, length, heads * size]. */
typedef struct ref_heads {
    const tensor_value *v;
    int64_t batch, heads, length, size;
    uint64_t head_stride, row_stride; /* elements */
} ref_heads;

/* Input i; heads: how many a tensor of rank 3 has (0: the node does not say), and where it is not 0
 * also one of rank 4. Errors: FORMAT. */
ondol_status ref_heads_begin(const plan_call *c, uint32_t i, const char *name, int64_t heads,
                             ref_heads *out, ondol_error *err);

/* Element 0 of a row. */
static inline uint64_t ref_heads_at(const ref_heads *h, uint64_t batch, uint64_t head,
                                    uint64_t row) {
    const uint64_t per_batch = (uint64_t)h->heads * (uint64_t)h->length * (uint64_t)h->size;
    return batch * per_batch + head * h->head_stride + row * h->row_stride;
}

/* Copies all rows to dst, [batch, heads, dst_length, size] with the first row at `start`. */
void ref_heads_load(const ref_heads *h, double *dst, uint64_t dst_length, uint64_t start);

/* q, k, v that go together: one batch, size of q and k, length of k and v, heads of q a multiple of
 * those of k, which v has too. Errors: FORMAT. */
ondol_status ref_heads_check(const plan_call *c, const ref_heads *q, const ref_heads *k,
                             const ref_heads *v, ondol_error *err);

/* Scores of a row to probabilities in place, as ref_softmax_line has them for that type: those
 * where allowed[i] is false are 0, as all are where none is above -infinity. */
void ref_weigh(tensor_element e, double *scores, const bool *allowed, uint64_t count);

#endif
