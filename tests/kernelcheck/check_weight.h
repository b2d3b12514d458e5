/* Random weights of every kind that files store, for the checks of matrix multiplication. */
#ifndef CHECK_WEIGHT_H
#define CHECK_WEIGHT_H

#include "kernelcheck.h"
#include "tensor/matrix.h"

typedef enum data_kind {
    DATA_PLAIN,   /* values of moderate size */
    DATA_EXTREME, /* any bytes, NaN and infinite scales too; rows of zeros, of largest codes */
    DATA_COUNT
} data_kind;

/* A GGUF encoding, floats transposed, or codes with scales apart: one row of check_weights.def. */
typedef struct weight_kind {
    const char *name;
    tensor_encoding encoding; /* TENSOR_ENCODING_COUNT: codes with scales apart */
    bool transposed;
    unsigned bits;
    uint64_t block_elems; /* 0: the row */
    bool is_signed;
    tensor_element scales;
    bool has_zeros;
    tensor_element zeros; /* UNDEFINED: codes */
    bool narrow;          /* f32 or bf16 scales and zeros that are f16, exactly */
} weight_kind;

size_t weight_kind_count(void);
weight_kind weight_kind_at(size_t i);

/* Columns that weights of the kind can have: few, many. */
uint64_t weight_kind_columns(const weight_kind *k, bool many);

typedef struct check_weight {
    tensor_matrix matrix;
    tensor_nbits nbits;
    uint8_t *parts[3];
    unsigned group; /* columns to a scale of check_weight_unpack; 0: floats */
    bool has_minimum;
} check_weight;

/* Fills w at its final place; matrix points into it. */
void check_weight_make(check *c, const weight_kind *k, data_kind data, uint64_t rows,
                       uint64_t columns, check_weight *w);
void check_weight_free(check_weight *w);

/* Of one row: codes i8[columns], scales and minimums f32[columns / group, rounded up]. */
void check_weight_unpack(const check_weight *w, uint64_t row, int8_t *codes, float *scales,
                         float *minimums);

#endif
