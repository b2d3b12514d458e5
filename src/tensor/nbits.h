/* Matrices of codes of a few bits, as ONNX stores them: codes, scales and zero points apart, in
 * any order of rows and columns (MatMulNBits, GatherBlockQuantized, DequantizeLinear).
 *
 * value[row][column] = scale * (code - zero), scale and zero being shared by `block_elems` columns
 * of a row. Codes and zeros that are given out are counted from `origin`, so that they fit an int8.
 * Thread class of all: shared. */
#ifndef TENSOR_NBITS_H
#define TENSOR_NBITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/element.h"

/* Where [row][column] of something lies, in units of its own: row * row + column * column. */
typedef struct tensor_strides {
    uint64_t row, column;
} tensor_strides;

typedef struct tensor_nbits {
    unsigned bits; /* 1 to 8; code i of a buffer is bits [i, i + bits) of it, lowest first */
    bool is_signed;
    uint64_t rows, columns;
    uint64_t block_elems; /* a multiple of 16, or all columns */

    const void *codes;
    uint64_t codes_bytes;
    tensor_strides code_bits;

    const void *scales; /* f32, f16 or bf16 */
    uint64_t scales_bytes;
    tensor_element scale_element;
    tensor_strides scale_elems; /* column: from block to block */

    /* NULL: every zero point is default_zero, counted as codes are in the file. */
    const void *zeros;
    uint64_t zeros_bytes;
    tensor_element zero_element; /* f32, f16, bf16; UNDEFINED: codes of `bits`, signed as those */
    tensor_strides zero_bits;    /* of codes; of floats: elements */
    int default_zero;

    /* What tensor_nbits_check has found. */
    bool scales_fit_f16; /* each is an f16, exactly */
    bool has_zeros;      /* some zero point is not the middle: 2^(bits-1), 0 of signed codes */
    bool zeros_fit_f16;  /* each, counted from the middle, is an f16 */
    int origin; /* the middle; with groups of 16 and zeros the least code, but for 8 bits: as in a
                 * GGUF file, where codes with a minimum are not negative */
} tensor_nbits;

/* Checks that every part lies within its buffer and that sizes make sense, and looks at scales and
 * zero points. n's last four members are set. Errors: FORMAT with what, expected and got;
 * UNSUPPORTED (a block that is no multiple of 16 and not the row). */
ondol_status tensor_nbits_check(tensor_nbits *n, ondol_error *err);

/* Columns to a scale of tensor_nbits_unpack: 32, or 16 where blocks are no multiple of 32. */
unsigned tensor_nbits_group(const tensor_nbits *n);

/* codes i8[count], scales and zeros f32[ceil(count / group)] of columns [first, first + count) of
 * one row; first is a multiple of the group. What lies past the last column is 0. */
void tensor_nbits_unpack(const tensor_nbits *n, uint64_t row, uint64_t first, size_t count,
                         int8_t *codes, float *scales, float *zeros);

/* dst f32[count]: scale * code - scale * zero, one rounding after each operation; without zeros
 * scale * code. */
void tensor_nbits_decode(const tensor_nbits *n, uint64_t row, uint64_t first, size_t count,
                         float *dst);

#endif
