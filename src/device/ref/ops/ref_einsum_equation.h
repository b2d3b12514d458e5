/* Inside of Einsum: the equation. */
#ifndef DEVICE_REF_EINSUM_EQUATION_H
#define DEVICE_REF_EINSUM_EQUATION_H

#include "plan/kernel.h"

/* Labels in the order of an implicit output: the dimensions of "...", aligned at their ends, then
 * 'A' to 'Z', then 'a' to 'z'. */
#define EINSUM_ELLIPSIS TENSOR_MAX_RANK
#define EINSUM_LABELS   (EINSUM_ELLIPSIS + 52)

/* The labels of a tensor's dimensions. */
typedef struct einsum_term {
    uint32_t rank;
    uint8_t labels[TENSOR_MAX_RANK];
} einsum_term;

/* Walks the terms of an equation, one for each input; zero-initialise all but text. */
typedef struct einsum_equation {
    const char *text;               /* what has not been read */
    uint32_t counts[EINSUM_LABELS]; /* occurrences on the left-hand side */
    bool is_first_read, has_ellipsis;
} einsum_equation;

/* The next term, of an input of that rank. Errors: FORMAT. */
ondol_status einsum_read_input(const plan_call *c, einsum_equation *e, uint32_t rank,
                               einsum_term *out, ondol_error *err);
/* The right-hand side, behind all inputs; the implicit one where there is none. Errors: FORMAT. */
ondol_status einsum_read_output(const plan_call *c, einsum_equation *e, einsum_term *out,
                                ondol_error *err);

#endif
