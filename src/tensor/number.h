/* One number of a tensor, of any element type: read as a double or an int64, written rounded to the
 * type. For the oracle, for constants and conversions; kernels have loops of their own.
 * Packed types (6, 4 and 2 bits) lie as ONNX's raw_data has them: the first element in the lowest
 * bits. Source: onnx.proto, TensorProto.DataType and the papers that it names. */
#ifndef TENSOR_NUMBER_H
#define TENSOR_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

#include "tensor/element.h"

/* What becomes of a value beyond the largest of a float8 type. */
typedef enum tensor_overflow {
    TENSOR_OVERFLOW_SATURATE, /* the largest finite value */
    TENSOR_OVERFLOW_SPECIAL   /* infinity, NaN where the type has none; the largest where neither */
} tensor_overflow;

/* Element i of data. Integers, bool and floats; complex: the real part. 64-bit integers round to
 * nearest even. Strings and no type: 0. */
double tensor_get_number(tensor_element e, const void *data, uint64_t i);

/* The same as an integer: exact for integers and bool (u64 as the same bits); floats are cut
 * towards zero, NaN is 0, values beyond int64 saturate. */
int64_t tensor_get_integer(tensor_element e, const void *data, uint64_t i);

/* Writes v rounded to nearest even: floats overflow to infinity (float8: as special, below),
 * integers cut towards zero and wrap as two's complement (NaN: 0), bool is v != 0, complex gets an
 * imaginary part of 0. */
void tensor_set_number(tensor_element e, void *data, uint64_t i, double v);

/* Writes an integer: cut to the type's bits; floats round; bool is v != 0. */
void tensor_set_integer(tensor_element e, void *data, uint64_t i, int64_t v);

/* The code of v in a float type of 16 bits or fewer, rounded to nearest even. f8e8m0: the nearest
 * power of two, ties to the even exponent, by the magnitude of v. */
uint32_t tensor_float_encode(tensor_element e, double v, tensor_overflow overflow);

/* The value of a code of such a type; exact. */
double tensor_float_decode(tensor_element e, uint32_t code);

/* The raw bits of element i of a type of 8 bits or fewer, not sign-extended; and to write them. */
uint32_t tensor_get_code(tensor_element e, const void *data, uint64_t i);
void tensor_set_code(tensor_element e, void *data, uint64_t i, uint32_t code);

#endif
