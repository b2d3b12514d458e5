/* What the oracle's kernels share: broadcasting, walks over shapes, scalars, working memory. */
#ifndef DEVICE_REF_UTIL_H
#define DEVICE_REF_UTIL_H

#include "plan/kernel.h"

#define REF_WALK_OPERANDS 6

/* A walk over all indices of a shape, the last dimension fastest, that keeps for each operand the
 * position of its element. Begin, add operands, then
 *     for (; w.left; ref_walk_next(&w)) ... w.at[operand] ...
 * A shape without elements has no step, rank 0 has one. Positions and strides count elements. */
typedef struct ref_walk {
    uint64_t left; /* steps to go, this one included */
    int64_t at[REF_WALK_OPERANDS];
    int64_t index[TENSOR_MAX_RANK]; /* of this step */
    uint32_t rank, operands;
    int64_t dims[TENSOR_MAX_RANK];
    int64_t strides[REF_WALK_OPERANDS][TENSOR_MAX_RANK];
} ref_walk;

/* dims: all >= 0, with a product that fits (as those of a tensor are, or ref_product says). */
void ref_walk_begin(ref_walk *w, uint32_t rank, const int64_t *dims);
/* An operand that lies densely with the dims of its own, broadcast to the walk's (a status has been
 * given before if it does not broadcast: ref_broadcast, ref_broadcasts_to). */
void ref_walk_add(ref_walk *w, uint32_t rank, const int64_t *dims);
/* An operand with any strides, strides[w->rank], whose element 0 is at `start`. */
void ref_walk_add_strided(ref_walk *w, const int64_t *strides, int64_t start);
void ref_walk_next(ref_walk *w);

/* The shape that all values broadcast to, multidirectional (numpy's). values: NULL ones are passed
 * over. *rank, dims[TENSOR_MAX_RANK] are written. Errors: FORMAT with both shapes. */
ondol_status ref_broadcast(const plan_call *c, tensor_value *const *values, uint32_t count,
                           uint32_t *rank, int64_t *dims, ondol_error *err);
/* True when a tensor of dims broadcasts to to_dims, which stay what they are (unidirectional). */
bool ref_broadcasts_to(uint32_t rank, const int64_t *dims, uint32_t to_rank,
                       const int64_t *to_dims);

/* Strides of a dense tensor, in elements. A product that does not fit wraps: it has no elements. */
void ref_strides(uint32_t rank, const int64_t *dims, int64_t *strides);
/* *out = product of dims, 1 of none. False when one is negative or it does not fit an int64. */
bool ref_product(uint32_t rank, const int64_t *dims, uint64_t *out);
bool ref_same_dims(const tensor_value *a, const tensor_value *b);

/* A shape cut at an axis: element (o, a, i) is at (o * axis + a) * inner + i. */
typedef struct ref_split {
    uint64_t outer, axis, inner;
} ref_split;
/* axis < v->rank. A tensor without elements has outer * axis * inner == 0, each exact where it
 * fits. */
ref_split ref_split_at(const tensor_value *v, uint32_t axis);

/* Input i, a tensor of one element (any rank) of a type with numbers; `otherwise` where it is
 * absent. Errors: FORMAT. */
ondol_status ref_scalar_number(const plan_call *c, uint32_t i, double otherwise, double *out,
                               ondol_error *err);
/* The same, of an integer type or bool. Errors: FORMAT. */
ondol_status ref_scalar_integer(const plan_call *c, uint32_t i, int64_t otherwise, int64_t *out,
                                ondol_error *err);

/* Axes that input i (absent: none) lists, from the front, marked in is_listed[TENSOR_MAX_RANK]; at
 * most once each. *count: how many. Errors: FORMAT (out of range, twice). */
ondol_status ref_listed_axes(const plan_call *c, uint32_t i, uint32_t rank, bool *is_listed,
                             uint32_t *count, ondol_error *err);

/* Working memory of count items of item_bytes, uninitialised; give back by tensor_heap_free.
 * Errors: LIMIT (also when the product does not fit), MEMORY. */
ondol_status ref_alloc(const plan_call *c, uint64_t count, uint64_t item_bytes, const char *what,
                       void **out, ondol_error *err);

/* dst element i = src element j, both of one type, any type: packed and strings too.
 * Errors: LIMIT, MEMORY (of strings alone). */
ondol_status ref_copy_element(tensor_value *dst, uint64_t i, const tensor_value *src, uint64_t j,
                              ondol_error *err);

/* "[2, 3]" into text, cut where it does not fit; returns text. For sentences. */
#define REF_SHAPE_TEXT_BYTES 128
const char *ref_shape_text(uint32_t rank, const int64_t *dims, char *text);

#endif
