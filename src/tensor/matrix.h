/* A matrix of weights as its file stores it, whichever way: blocks of an encoding, floats in the
 * order of columns, or codes with scales apart. What devices make their weights of.
 * Thread class of all: shared. */
#ifndef TENSOR_MATRIX_H
#define TENSOR_MATRIX_H

#include "tensor/encoding.h"
#include "tensor/nbits.h"

typedef struct tensor_matrix {
    uint64_t rows, columns;
    const tensor_nbits *nbits; /* NULL: data is blocks of `encoding` */
    tensor_encoding encoding;
    const void *data; /* [rows][columns] */
    bool transposed;  /* [columns][rows]; floats alone */
} tensor_matrix;

/* True for codes with scales: activations may be quantised for it. */
bool tensor_matrix_is_codes(const tensor_matrix *m);

/* dst f32[columns] = a row, as tensor_decode or tensor_nbits_decode has it. */
void tensor_matrix_decode_row(const tensor_matrix *m, uint64_t row, float *dst);

/* True when both read the same bytes in the same way. */
bool tensor_matrix_same(const tensor_matrix *a, const tensor_matrix *b);

/* Text for people into out: "Q4_0", "F16^T", "int4/32 f16 zeros": bits, columns to a scale, type of
 * the scales. Returns out. */
#define TENSOR_MATRIX_NAME_BYTES 48
const char *tensor_matrix_name(const tensor_matrix *m, char out[TENSOR_MATRIX_NAME_BYTES]);

#endif
