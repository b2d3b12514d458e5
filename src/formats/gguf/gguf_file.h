/* GGUF files, read: keys, values, tensors as views into the mapped file. Nothing is copied but the
 * tensors of a big-endian file, and those only when they are asked for.
 * Source: ggml docs/gguf.md (versions 1, 2, 3). */
#ifndef FORMATS_GGUF_FILE_H
#define FORMATS_GGUF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "tensor/encoding.h"

#define GGUF_DIMS_MAX          4u /* GGML_MAX_DIMS */
#define GGUF_ALIGNMENT_DEFAULT 32u
#define GGUF_ALIGNMENT_MAX     (1u << 24)
#define GGUF_ARRAY_DEPTH_MAX   8u           /* arrays in arrays */
#define GGUF_HEADER_BYTES_MAX  (256u << 20) /* default of max_header_bytes */

/* The numbers are the file's. */
typedef enum gguf_type {
    GGUF_TYPE_U8 = 0,
    GGUF_TYPE_I8 = 1,
    GGUF_TYPE_U16 = 2,
    GGUF_TYPE_I16 = 3,
    GGUF_TYPE_U32 = 4,
    GGUF_TYPE_I32 = 5,
    GGUF_TYPE_F32 = 6,
    GGUF_TYPE_BOOL = 7,
    GGUF_TYPE_STRING = 8,
    GGUF_TYPE_ARRAY = 9,
    GGUF_TYPE_U64 = 10,
    GGUF_TYPE_I64 = 11,
    GGUF_TYPE_F64 = 12,
    GGUF_TYPE_COUNT = 13
} gguf_type;

/* A view, not ended by 0. Keys are UTF-8 and so are tensor names; other text may be any bytes. */
typedef struct gguf_string {
    const char *text;
    size_t size_bytes;
} gguf_string;

/* A value as it lies in the file; read it with the functions below. Valid until the file closes. */
typedef struct gguf_value {
    gguf_type type;
    gguf_type element_type;    /* arrays; type otherwise */
    uint64_t count;            /* elements of an array, bytes of a string, 1 otherwise */
    const unsigned char *data; /* the value, the string's text or the array's first element */
    union {
        const uint64_t *string_offsets;    /* array of strings: of each text, from data */
        const struct gguf_value *elements; /* array of arrays */
    } index;
    bool big_endian, short_counts; /* byte order; version 1 has counts of 32 bits */
} gguf_value;

typedef struct gguf_key {
    gguf_string name; /* 1 to 65535 bytes of UTF-8 */
    gguf_value value;
} gguf_key;

/* dims[0] is the row's length (fastest); dims beyond n_dims are 1; every dim is >= 1, their product
 * is below 2^63, a row is a whole number of blocks, and the bytes lie within the file. */
typedef struct gguf_tensor {
    gguf_string name; /* 1 to 65535 bytes of UTF-8 */
    unsigned n_dims;  /* 0 to 4 */
    uint64_t dims[GGUF_DIMS_MAX];
    tensor_encoding encoding;
    uint64_t n_elems, size_bytes;
    uint64_t offset; /* from the start of its file, a multiple of the alignment from data_offset */
    uint32_t part;   /* which file of a split set, from 0 */
} gguf_tensor;

/* One file of a split set, or the only one. */
typedef struct gguf_part {
    const char *path; /* "" when opened from memory */
    uint32_t version;
    bool big_endian, mapped;
    uint32_t alignment;
    uint64_t header_bytes; /* magic, keys and tensor records */
    uint64_t data_offset;  /* header_bytes rounded up to the alignment */
    uint64_t size_bytes;
    const unsigned char *data; /* all of it: header_bytes of it may be hashed */
} gguf_part;

/* Zero is the default of each. */
typedef struct gguf_open_options {
    bool no_map;               /* read the file into memory in place of mapping it */
    uint64_t max_header_bytes; /* LIMIT beyond; 0: GGUF_HEADER_BYTES_MAX */
} gguf_open_options;

/* Thread class: shared once open. */
typedef struct gguf_file gguf_file;

/* Opens a GGUF file, and with it all files of its split set (whichever of them `path` names).
 * Reads the header alone; checks everything that the declarations above promise. Time and memory
 * are linear in the header. options may be NULL.
 * Errors: NOT_FOUND (also a missing split, named), IO, MEMORY, FORMAT, UNSUPPORTED (a version, a
 * removed tensor type), LIMIT. *out is NULL on failure. */
ondol_status gguf_file_open(const ondol_allocator *allocator, const char *path,
                            const gguf_open_options *options, gguf_file **out, ondol_error *err);

/* The same of bytes in memory, borrowed until close. A part of a split set is UNSUPPORTED. */
ondol_status gguf_file_open_memory(const ondol_allocator *allocator, const void *bytes,
                                   uint64_t size_bytes, const gguf_open_options *options,
                                   gguf_file **out, ondol_error *err);

/* Takes NULL. All views end here. */
void gguf_file_close(gguf_file *file);

uint32_t gguf_part_count(const gguf_file *file);
const gguf_part *gguf_part_at(const gguf_file *file, uint32_t i); /* i < part_count */

/* Keeps the whole of all parts in memory. Errors: IO. */
ondol_status gguf_file_lock(const gguf_file *file, ondol_error *err);

/* ---- keys: those of the first part, in the order of the file ---- */

size_t gguf_key_count(const gguf_file *file);
const gguf_key *gguf_key_at(const gguf_file *file, size_t i); /* i < key_count */

/* NULL when there is no such key. */
const gguf_value *gguf_find_key(const gguf_file *file, const char *key);

/* The value of a key. Integers: from any integer type, if the value fits. f32: from f32 or f64
 * (rounded; finite stays finite or is an error). Errors: NOT_FOUND, naming the key; FORMAT, naming
 * key, expected and got. *out is untouched on failure. */
ondol_status gguf_get_u32(const gguf_file *file, const char *key, uint32_t *out, ondol_error *err);
ondol_status gguf_get_i32(const gguf_file *file, const char *key, int32_t *out, ondol_error *err);
ondol_status gguf_get_u64(const gguf_file *file, const char *key, uint64_t *out, ondol_error *err);
ondol_status gguf_get_f32(const gguf_file *file, const char *key, float *out, ondol_error *err);
ondol_status gguf_get_bool(const gguf_file *file, const char *key, bool *out, ondol_error *err);
ondol_status gguf_get_string(const gguf_file *file, const char *key, gguf_string *out,
                             ondol_error *err);
/* element_type: the exact one. *out is the value, for gguf_array_*. */
ondol_status gguf_get_array(const gguf_file *file, const char *key, gguf_type element_type,
                            const gguf_value **out, ondol_error *err);

/* As above, but a missing key gives `otherwise`. A wrong type still fails. */
ondol_status gguf_get_u32_or(const gguf_file *file, const char *key, uint32_t otherwise,
                             uint32_t *out, ondol_error *err);
ondol_status gguf_get_i32_or(const gguf_file *file, const char *key, int32_t otherwise,
                             int32_t *out, ondol_error *err);
ondol_status gguf_get_u64_or(const gguf_file *file, const char *key, uint64_t otherwise,
                             uint64_t *out, ondol_error *err);
ondol_status gguf_get_f32_or(const gguf_file *file, const char *key, float otherwise, float *out,
                             ondol_error *err);
ondol_status gguf_get_bool_or(const gguf_file *file, const char *key, bool otherwise, bool *out,
                              ondol_error *err);
/* otherwise may be NULL: then out->text is NULL. */
ondol_status gguf_get_string_or(const gguf_file *file, const char *key, const char *otherwise,
                                gguf_string *out, ondol_error *err);
/* *out is NULL when the key is missing. */
ondol_status gguf_get_array_or_none(const gguf_file *file, const char *key, gguf_type element_type,
                                    const gguf_value **out, ondol_error *err);

/* ---- values ---- */

/* "u32", "string" ...; "type 99" is "unknown". */
const char *gguf_type_name(gguf_type type);

/* Bytes of one number or bool in a file; 0 for strings, arrays and what is no type. */
size_t gguf_type_bytes(gguf_type type);

/* What the value is when it is of that kind (and, for integers, fits); false otherwise. */
bool gguf_value_u64(const gguf_value *value, uint64_t *out);
bool gguf_value_i64(const gguf_value *value, int64_t *out);
bool gguf_value_f64(const gguf_value *value, double *out); /* f32 and f64 */
bool gguf_value_bool(const gguf_value *value, bool *out);
bool gguf_value_string(const gguf_value *value, gguf_string *out);

/* Element i as a value of its own, in constant time. False when value is no array or i >= count. */
bool gguf_array_at(const gguf_value *array, uint64_t i, gguf_value *out);

/* Element i of an array of strings, in constant time; empty when there is none. */
gguf_string gguf_array_string(const gguf_value *array, uint64_t i);

/* dst[0..count) = all elements. False, with dst unspecified, when the array is not of integers that
 * fit (i32) or of floats (f32). */
bool gguf_array_to_i32(const gguf_value *array, int32_t *dst);
bool gguf_array_to_f32(const gguf_value *array, float *dst);

/* ---- tensors: of all parts, part by part, in the order of the files ---- */

size_t gguf_tensor_count(const gguf_file *file);
const gguf_tensor *gguf_tensor_at(const gguf_file *file, size_t i); /* i < tensor_count */

/* NULL when there is none of that name. */
const gguf_tensor *gguf_find_tensor(const gguf_file *file, const char *name);

/* *data = the tensor's size_bytes bytes, blocks in little-endian order, valid until the file closes
 * or the tensor is released. From a little-endian file it is the mapping itself and cannot fail;
 * from a big-endian file the first call makes a swapped copy. Any thread. Errors: MEMORY. */
ondol_status gguf_tensor_data(gguf_file *file, const gguf_tensor *tensor,
                              const unsigned char **data, ondol_error *err);

/* Advice: will be read soon. */
void gguf_tensor_will_need(const gguf_file *file, const gguf_tensor *tensor);

/* Will not be read soon: frees its pages or its swapped copy. No thread may be using the data. */
void gguf_tensor_release(gguf_file *file, const gguf_tensor *tensor);

#endif
