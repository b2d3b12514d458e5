/* Encodings: the ways in which files store weights, one row each in encodings.def. A row of a
 * tensor is a sequence of blocks; a block holds a fixed number of elements in a fixed number of
 * bytes. Blocks are read as little-endian bytes on every machine. Thread class of all: shared. */
#ifndef TENSOR_ENCODING_H
#define TENSOR_ENCODING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "tensor/element.h"

typedef enum tensor_encoding {
#define ENCODING(symbol, ...) TENSOR_ENCODING_##symbol,
#define REMOVED(name, ggml_type, replacement)
#include "tensor/encodings.def"
#undef ENCODING
#undef REMOVED
    TENSOR_ENCODING_COUNT
} tensor_encoding;

typedef enum tensor_encoding_class {
    TENSOR_CLASS_FLOAT,    /* each element by itself, `element` says which float */
    TENSOR_CLASS_INTEGER,  /* likewise an integer */
    TENSOR_CLASS_QUANTISED /* small codes in groups: value = scale * code - minimum */
} tensor_encoding_class;

/* The most elements and bytes of any block, the most groups in one. */
#define TENSOR_BLOCK_ELEMS_MAX  256
#define TENSOR_BLOCK_BYTES_MAX  292
#define TENSOR_BLOCK_GROUPS_MAX 16

/* Every quantised encoding is affine: all elements of a group share a scale and a minimum, and
 * value == scale * code - minimum, rounded to f32 after the product and after the difference, gives
 * the bits of tensor_decode. (The product is exact for all but Q8_K, unless it overflows.) */
typedef struct tensor_encoding_info {
    tensor_encoding encoding;
    const char *name;   /* "Q4_K", as files and people write it */
    uint32_t ggml_type; /* number in a GGUF file */
    tensor_encoding_class encoding_class;
    tensor_element element; /* float and integer classes; UNDEFINED for quantised */
    uint32_t block_elems, block_bytes;

    /* Quantised only; 0 otherwise. */
    unsigned group_elems; /* 16 or 32: a group of tensor_unpack; divides scale_elems */
    unsigned scale_elems; /* elements that share one scale, 16 to 256 */
    bool has_minimum;     /* minimums may be other than 0; then codes are >= 0 */
    int code_min, code_max;
    unsigned code_bits;      /* bits to tell the values of one code apart */
    const int8_t *codebook;  /* the values that a code takes, where those are not all of code_min
                              * .. code_max; in the file's order where it stores single indices */
    unsigned codebook_elems; /* 1 << code_bits at most; 0 without codebook */
} tensor_encoding_info;

/* NULL for a number that is no encoding. */
const tensor_encoding_info *tensor_encoding_info_of(tensor_encoding e);

/* True when tensor_encode knows it. */
bool tensor_encoding_can_encode(tensor_encoding e);

/* The encoding of a GGUF tensor type. Errors: UNSUPPORTED for a type that ggml has removed, naming
 * what replaced it; FORMAT for a number that is none. */
ondol_status tensor_encoding_from_ggml(uint32_t ggml_type, tensor_encoding *out, ondol_error *err);

/* The encoding of that name, in either case. Errors: NOT_FOUND. */
ondol_status tensor_encoding_from_name(const char *name, tensor_encoding *out, ondol_error *err);

/* The FLOAT or INTEGER encoding that stores this element type; false when there is none. */
bool tensor_encoding_of_element(tensor_element element, tensor_encoding *out);

/* Bytes of n_elems elements, for one row or for a whole tensor.
 * Errors: FORMAT when n_elems is no multiple of the block; LIMIT when it does not fit 64 bits. */
ondol_status tensor_encoding_row_bytes(tensor_encoding e, uint64_t n_elems, uint64_t *bytes,
                                       ondol_error *err);

/* dst f32[n_elems] = the values of blocks; n_elems is a multiple of the block (what is beyond the
 * last whole block is not written). No alignment is needed. 64-bit floats and integers are rounded
 * to nearest even. Errors: none; any bytes decode (to inf or NaN, if their scales say so).
 * Source: ggml; same bits as gguf-py 0.19 quants.dequantize where it knows the encoding. */
void tensor_decode(tensor_encoding e, const void *blocks, size_t n_elems, float *dst);

/* Quantised encodings only. codes i8[n_elems]; scales, minimums f32[n_elems / group_elems].
 * minimums may be NULL; it is filled with 0 where the encoding has none. Same bounds as decode. */
void tensor_unpack(tensor_encoding e, const void *blocks, size_t n_elems, int8_t *codes,
                   float *scales, float *minimums);

/* blocks = src f32[n_elems] in this encoding, round to nearest as the format's own reference does.
 * importance f32[n_elems] >= 0, or NULL: weight of each element's squared error; an encoder whose
 * reference has no search does not use it.
 * Errors: UNSUPPORTED without encoder; ARGUMENT when n_elems is no multiple of the block or, for
 * quantised encodings, a value is not finite; LIMIT when a value is too large for a scale.
 * Source: ggml; same bits as gguf-py 0.19 quants.quantize where it knows the encoding. */
ondol_status tensor_encode(tensor_encoding e, const float *src, size_t n_elems,
                           const float *importance, void *blocks, ondol_error *err);

/* Reverses the bytes of each field of more than one byte, in place: between a big-endian GGUF
 * file's blocks and the little-endian ones that all else here takes. */
void tensor_encoding_byteswap(tensor_encoding e, void *blocks, size_t n_elems);

#endif
