/* Matrix products as numpy.matmul has them: shapes, and sums of doubles or of integers. */
#ifndef DEVICE_REF_GEMM_H
#define DEVICE_REF_GEMM_H

#include "device/ref/ops/ref_number.h"

/* [..., m, k] x [..., k, n]; the dims in front broadcast; rank 1 is a row (a) or a column (b),
 * which the result lacks. dims: of the result. */
typedef struct ref_gemm {
    uint32_t rank, batch_rank;
    int64_t dims[TENSOR_MAX_RANK];
    int64_t batch_dims[TENSOR_MAX_RANK];
    uint32_t a_batch_rank, b_batch_rank;
    const int64_t *a_dims, *b_dims; /* borrowed from a and b */
    uint64_t m, k, n, batches, elems;
} ref_gemm;

/* Errors: FORMAT with both shapes. */
ondol_status ref_gemm_begin(const plan_call *c, const tensor_value *a, const tensor_value *b,
                            ref_gemm *p, ondol_error *err);
/* Of two matrices alone, m x k and k x n; m * n fits. */
void ref_gemm_of_matrices(uint64_t m, uint64_t k, uint64_t n, ref_gemm *p);

/* Takes results [first, first + count), all of one row. Thread class: shared; each result comes
 * once. Elements that share a byte with others' must not be stored here (types under 8 bits). */
typedef void (*ref_take_numbers)(void *user, uint64_t first, uint64_t count, const double *sums);
typedef void (*ref_take_integers)(void *user, uint64_t first, uint64_t count, const uint64_t *sums);

/* a, b: dense, of the shapes of the product. Doubles; sums go up along k. */
void ref_gemm_numbers(plan_call *c, const ref_gemm *p, const double *a, const double *b,
                      ref_take_numbers take, void *user);
/* The same modulo 2^64. */
void ref_gemm_integers(plan_call *c, const ref_gemm *p, const uint64_t *a, const uint64_t *b,
                       ref_take_integers take, void *user);

/* Takers that store to a tensor (user: tensor_value *). */
void ref_take_numbers_into(void *user, uint64_t first, uint64_t count, const double *sums);
void ref_take_integers_into(void *user, uint64_t first, uint64_t count, const uint64_t *sums);

#endif
