/* What gguf_writer.c and gguf_writer_keys.c share. */
#ifndef FORMATS_GGUF_WRITER_STATE_H
#define FORMATS_GGUF_WRITER_STATE_H

#include "base/arena.h"
#include "base/map.h"
#include "formats/gguf/gguf_writer.h"

typedef struct written_tensor {
    const char *name;
    uint64_t size_bytes, offset; /* offset from the start of the data */
} written_tensor;

struct gguf_writer {
    const ondol_allocator *allocator;
    uint32_t alignment;
    base_buffer keys, records; /* as they will lie in the file */
    base_arena names;
    base_map key_map, tensor_map;
    written_tensor *tensors;
    size_t tensor_count, tensor_capacity;
    uint64_t key_count, data_bytes; /* of all tensors so far, with padding */

    /* While writing. */
    bool begun;
    gguf_sink sink;
    size_t next;         /* tensor whose bytes come next */
    uint64_t next_bytes; /* of it, written */
};

gguf_string gguf_string_of(const char *text);

/* Append in little-endian order; a failed append is remembered by the buffer. n_bytes <= 8. */
void gguf_put_integer(base_buffer *b, uint64_t bits, size_t n_bytes);
void gguf_put_text(base_buffer *b, gguf_string text);

/* Enters a name into `map`; *copy (may be NULL) is the writer's own, ended by 0. Errors: ARGUMENT
 * for a name that is there, empty, longer than max_bytes or no UTF-8; MEMORY. */
ondol_status gguf_writer_enter_name(gguf_writer *w, base_map *map, const char *what,
                                    gguf_string name, size_t max_bytes, const char **copy,
                                    ondol_error *err);

#endif
