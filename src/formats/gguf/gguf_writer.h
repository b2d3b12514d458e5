/* GGUF files, written: version 3, little endian. Declare keys and tensors in the order that the
 * file shall have, begin, then put the bytes of the tensors in that order, finish. */
#ifndef FORMATS_GGUF_WRITER_H
#define FORMATS_GGUF_WRITER_H

#include "base/buffer.h"
#include "base/file_writer.h"
#include "formats/gguf/gguf_file.h"

#define GGUF_TENSOR_NAME_BYTES_MAX 63u /* what ggml reads */

/* Where the bytes go, in order. write returns a status of its own, filling err. */
typedef struct gguf_sink {
    ondol_status (*write)(void *user, const void *bytes, size_t size_bytes, ondol_error *err);
    void *user;
} gguf_sink;

gguf_sink gguf_sink_of_buffer(base_buffer *buffer);
gguf_sink gguf_sink_of_file(base_file_writer *file);

/* Thread class: one thread at a time. */
typedef struct gguf_writer gguf_writer;

/* alignment: 0 for the default, or a power of two up to GGUF_ALIGNMENT_MAX; one that is not the
 * default is written as key general.alignment. Errors: ARGUMENT, MEMORY. */
ondol_status gguf_writer_create(const ondol_allocator *allocator, uint32_t alignment,
                                gguf_writer **out, ondol_error *err);
void gguf_writer_destroy(gguf_writer *writer); /* takes NULL */

/* Each adds a key; all is copied. Errors: ARGUMENT for a name that is empty, no UTF-8, there
 * already or general.alignment, for a type of another kind and for a value that does not fit it;
 * MEMORY; LIMIT for a header beyond GGUF_HEADER_BYTES_MAX. */
ondol_status gguf_writer_add_unsigned(gguf_writer *writer, const char *key, gguf_type type,
                                      uint64_t value, ondol_error *err); /* u8 to u64 */
ondol_status gguf_writer_add_signed(gguf_writer *writer, const char *key, gguf_type type,
                                    int64_t value, ondol_error *err); /* i8 to i64 */
ondol_status gguf_writer_add_float(gguf_writer *writer, const char *key, gguf_type type,
                                   double value, ondol_error *err); /* f32 (rounded), f64 */
ondol_status gguf_writer_add_bool(gguf_writer *writer, const char *key, bool value,
                                  ondol_error *err);
ondol_status gguf_writer_add_string(gguf_writer *writer, const char *key, gguf_string value,
                                    ondol_error *err);
ondol_status gguf_writer_add_strings(gguf_writer *writer, const char *key,
                                     const gguf_string *strings, size_t n, ondol_error *err);
/* elements: n of the C type of that name (float, int32_t, bool ...): any type but string, array. */
ondol_status gguf_writer_add_array(gguf_writer *writer, const char *key, gguf_type element_type,
                                   const void *elements, size_t n, ondol_error *err);
/* A value of another file, of any type, version and byte order. */
ondol_status gguf_writer_add_value(gguf_writer *writer, gguf_string key, const gguf_value *value,
                                   ondol_error *err);

/* Declares a tensor of dims[0..n_dims), dims[0] the row's length. Errors: ARGUMENT for a name that
 * is there already, empty, no UTF-8 or over 63 bytes, and for a shape that a reader would refuse;
 * MEMORY; LIMIT. */
ondol_status gguf_writer_add_tensor(gguf_writer *writer, const char *name, tensor_encoding encoding,
                                    unsigned n_dims, const uint64_t *dims, ondol_error *err);

/* Writes the header. From here on nothing can be added. Errors: the sink's. */
ondol_status gguf_writer_begin(gguf_writer *writer, gguf_sink sink, ondol_error *err);

/* The next bytes of the tensors, in pieces of any size that do not cross the end of a tensor; the
 * padding between tensors is written of itself. Errors: ARGUMENT for too many; the sink's. */
ondol_status gguf_writer_put(gguf_writer *writer, const void *bytes, size_t size_bytes,
                             ondol_error *err);

/* Errors: ARGUMENT when a tensor lacks bytes, naming it. */
ondol_status gguf_writer_finish(gguf_writer *writer, ondol_error *err);

#endif
