/* Reductions: which elements of a tensor come together. */
#ifndef DEVICE_REF_REDUCE_H
#define DEVICE_REF_REDUCE_H

#include "device/ref/ops/ref_number.h"

/* The dimensions of a tensor, parted; dims: of the result. */
typedef struct ref_reduction {
    uint32_t rank, kept_rank, reduced_rank;
    int64_t dims[TENSOR_MAX_RANK];
    int64_t kept_dims[TENSOR_MAX_RANK], kept_strides[TENSOR_MAX_RANK];
    int64_t reduced_dims[TENSOR_MAX_RANK], reduced_strides[TENSOR_MAX_RANK];
} ref_reduction;

/* is_reduced: [x->rank]; keep_dims: reduced dimensions stay, as 1. */
void ref_reduction_begin(const tensor_value *x, const bool *is_reduced, bool keep_dims,
                         ref_reduction *r);
/* A walk over the results, in their order; and, of the result where `outer` stands, one over its
 * elements: operand 0 is x. */
void ref_reduction_outer(const ref_reduction *r, ref_walk *w);
void ref_reduction_inner(const ref_reduction *r, const ref_walk *outer, ref_walk *w);

/* The greatest (least) of the elements that were taken; NaN is before all. Zero-initialise. */
typedef struct ref_best {
    bool is_set;
    uint64_t rank; /* inside */
    uint64_t at;   /* position of the element */
} ref_best;
/* Takes element `at` of x. Of equal ones the first stays, or with is_last the last. */
void ref_best_take(ref_best *b, const tensor_value *x, uint64_t at, bool is_max, bool is_last);

#endif
