/* The header of one GGUF file: inside of gguf/, for gguf_file.c. */
#ifndef FORMATS_GGUF_HEADER_H
#define FORMATS_GGUF_HEADER_H

#include "base/map.h"
#include "base/reader.h"
#include "formats/gguf/gguf_file.h"

/* Where in the file a reader is and what it is reading, for sentences about faults. */
typedef struct gguf_walk {
    base_reader reader;
    bool short_counts;     /* version 1: counts, lengths and dims have 32 bits */
    uint64_t limit_bytes;  /* the header may not be longer */
    const char *record;    /* "key" or "tensor" */
    uint64_t record_index; /* from 0 */
    gguf_string name;      /* of the record, once it is read; text NULL before */

    /* Filled when not NULL; the counts grow in either case. */
    uint64_t *string_offsets;
    gguf_value *elements;
    size_t offset_count, element_count;
} gguf_walk;

/* FORMAT, and a sentence that begins with the record that the walk is in. */
ondol_status gguf_walk_fail(const gguf_walk *walk, ondol_error *err, ondol_status status,
                            const char *format, ...) BASE_PRINTF(4, 5);

/* FORMAT when fewer than size_bytes are left, saying how many are missing; LIMIT when the header
 * would become too long. */
ondol_status gguf_walk_need(const gguf_walk *walk, uint64_t size_bytes, const char *what,
                            ondol_error *err);

ondol_status gguf_walk_u32(gguf_walk *walk, const char *what, uint32_t *out, ondol_error *err);
/* A count or length: 64 bits, or 32 in version 1. */
ondol_status gguf_walk_count(gguf_walk *walk, const char *what, uint64_t *out, ondol_error *err);
ondol_status gguf_walk_string(gguf_walk *walk, const char *what, gguf_string *out,
                              ondol_error *err);
/* The name of a key or tensor, which the walk then keeps: 1 to 65535 bytes of UTF-8, no 0. */
ondol_status gguf_walk_name(gguf_walk *walk, ondol_error *err);
/* A value, from its type on. In: nothing of *out is read. */
ondol_status gguf_walk_value(gguf_walk *walk, gguf_value *out, ondol_error *err);

/* A tensor's record; its offset stays relative to the data. Checks all but the place of its bytes.
 */
ondol_status gguf_walk_tensor(gguf_walk *walk, uint32_t alignment, gguf_tensor *out,
                              ondol_error *err);
/* Makes all offsets absolute, after checking that the tensors lie within the file of size_bytes and
 * apart from each other. Errors: FORMAT, MEMORY. */
ondol_status gguf_tensors_place(const ondol_allocator *allocator, gguf_tensor *tensors, size_t n,
                                uint64_t data_offset, uint64_t size_bytes, ondol_error *err);

/* Zero-initialise; gguf_header_free takes it in any state. Views point into the bytes parsed. */
typedef struct gguf_header {
    const ondol_allocator *allocator;
    uint32_t version, alignment;
    bool big_endian;
    uint64_t header_bytes, data_offset;
    gguf_key *keys;
    size_t key_count;
    base_map key_map; /* name -> index in keys */
    uint64_t *string_offsets;
    gguf_value *elements;
    gguf_tensor *tensors;
    size_t tensor_count;
} gguf_header;

/* Parses and checks bytes[0..size). What is wrong with the names of tensors as a set is left to the
 * caller, who sees all parts. Errors: as gguf_file_open. *out may be freed in any case. */
ondol_status gguf_header_parse(const ondol_allocator *allocator, const void *bytes,
                               uint64_t size_bytes, uint64_t max_header_bytes, gguf_header *out,
                               ondol_error *err);
void gguf_header_free(gguf_header *header);

/* NULL when there is no such key. */
const gguf_value *gguf_header_find(const gguf_header *header, const char *key);

/* FORMAT: names the key, what was expected, and what the value is. */
ondol_status gguf_value_mismatch(const char *key, const gguf_value *value, const char *expected,
                                 ondol_error *err);

#endif
