/* Element types: what one number of a tensor is. */
#ifndef TENSOR_ELEMENT_H
#define TENSOR_ELEMENT_H

#include <stdbool.h>
#include <stdint.h>

#define TENSOR_MAX_RANK 16

/* The numbers are those of ONNX's TensorProto.DataType (onnx IR version 14). */
typedef enum tensor_element {
    TENSOR_ELEMENT_UNDEFINED = 0,
    TENSOR_ELEMENT_F32 = 1,
    TENSOR_ELEMENT_U8 = 2,
    TENSOR_ELEMENT_I8 = 3,
    TENSOR_ELEMENT_U16 = 4,
    TENSOR_ELEMENT_I16 = 5,
    TENSOR_ELEMENT_I32 = 6,
    TENSOR_ELEMENT_I64 = 7,
    TENSOR_ELEMENT_STRING = 8,
    TENSOR_ELEMENT_BOOL = 9,
    TENSOR_ELEMENT_F16 = 10,
    TENSOR_ELEMENT_F64 = 11,
    TENSOR_ELEMENT_U32 = 12,
    TENSOR_ELEMENT_U64 = 13,
    TENSOR_ELEMENT_C64 = 14,
    TENSOR_ELEMENT_C128 = 15,
    TENSOR_ELEMENT_BF16 = 16,
    TENSOR_ELEMENT_F8E4M3FN = 17,
    TENSOR_ELEMENT_F8E4M3FNUZ = 18,
    TENSOR_ELEMENT_F8E5M2 = 19,
    TENSOR_ELEMENT_F8E5M2FNUZ = 20,
    TENSOR_ELEMENT_U4 = 21,
    TENSOR_ELEMENT_I4 = 22,
    TENSOR_ELEMENT_F4E2M1 = 23,
    TENSOR_ELEMENT_F8E8M0 = 24,
    TENSOR_ELEMENT_U2 = 25,
    TENSOR_ELEMENT_I2 = 26,
    TENSOR_ELEMENT_F6E2M3 = 27,
    TENSOR_ELEMENT_F6E3M2 = 28,
    TENSOR_ELEMENT_COUNT
} tensor_element;

typedef enum tensor_element_kind {
    TENSOR_KIND_NONE, /* undefined */
    TENSOR_KIND_FLOAT,
    TENSOR_KIND_SIGNED,
    TENSOR_KIND_UNSIGNED,
    TENSOR_KIND_BOOL,
    TENSOR_KIND_COMPLEX,
    TENSOR_KIND_STRING
} tensor_element_kind;

/* True for a number that an element type has, UNDEFINED excepted; takes what a file holds. */
bool tensor_element_valid(int64_t number);

/* "f32", "i4", "bool" ...: our short name. Any number: "undefined" for what is none. */
const char *tensor_element_name(tensor_element e);

/* "float", "int4", "bool" ...: ONNX's name, as in tensor(float). As above. */
const char *tensor_element_onnx_name(tensor_element e);

/* The type of either name; false, with *out untouched, when there is none. */
bool tensor_element_from_name(const char *name, tensor_element *out);

/* Bits of one element in memory: 8 for bool, 6, 4 and 2 for the packed ones; 0 for strings and for
 * what is no type. */
unsigned tensor_element_bits(tensor_element e);

tensor_element_kind tensor_element_kind_of(tensor_element e);

/* Bytes of n elements stored densely, the last byte padded: *bytes = ceil(n * bits / 8).
 * False, with *bytes untouched, when it does not fit or the element has no size. */
bool tensor_element_bytes(tensor_element e, uint64_t n_elems, uint64_t *bytes);

#endif
