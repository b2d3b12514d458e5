/* Weights of experts: a matrix for each, of numbers or of codes. */
#ifndef DEVICE_REF_MS_EXPERTS_H
#define DEVICE_REF_MS_EXPERTS_H

#include "device/ref/ops/ref_ms.h"

/* How the codes of QMoE are stored. */
typedef enum ref_ms_expert_kind {
    REF_MS_EXPERT_NUMBERS,   /* floats, [experts][rows][columns] */
    REF_MS_EXPERT_CODES,     /* integers of `bits`, rows lowest bits first */
    REF_MS_EXPERT_FP8,       /* float8e4m3fn; a scale for each square block, or for each expert */
    REF_MS_EXPERT_FP4,       /* float4e2m1 in bytes, rows; a scale for each block of a row */
    REF_MS_EXPERT_FP4_TURNED /* the same in columns: [experts][columns][rows / 2] */
} ref_ms_expert_kind;

/* One projection: y[row] = sum of w[row][column] * x[column], + bias[row]. */
typedef struct ref_ms_experts {
    ref_ms_expert_kind kind;
    uint64_t experts, rows, columns;
    uint64_t block; /* columns that share a scale; 0: a whole row does, or a whole expert */
    unsigned bits;
    const tensor_value *w, *scales, *zeros, *global; /* but w: NULL without */
    double *bias;                                    /* [experts][rows]; NULL without */
} ref_ms_experts;

/* Which inputs a projection has; one that the operator lacks: REF_MS_NO_INPUT. */
#define REF_MS_NO_INPUT UINT32_MAX
typedef struct ref_ms_expert_inputs {
    const char *name, *bits;
    uint32_t w, bias, scales, zeros, global;
} ref_ms_expert_inputs;

/* kind, experts, rows and columns of *out are set. Give back bias by tensor_heap_free, after errors
 * too. Errors: FORMAT with the shapes, LIMIT, MEMORY. */
ondol_status ref_ms_experts_begin(const plan_call *c, const ref_ms_expert_inputs *in,
                                  ref_ms_experts *out, ondol_error *err);
/* One row times x[columns], and its bias. Thread class: shared. */
double ref_ms_experts_row(const ref_ms_experts *w, uint64_t expert, uint64_t row, const double *x);

#endif
