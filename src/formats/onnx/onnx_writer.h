/* ONNX files and messages, written: fields in the order of their numbers, unknown fields behind
 * them, as protobuf's own writers do. A field is written when its bit of head.has is set; lists
 * and messages when they are there. */
#ifndef FORMATS_ONNX_WRITER_H
#define FORMATS_ONNX_WRITER_H

#include "base/buffer.h"
#include "formats/onnx/onnx_file.h"

#define ONNX_WRITE_THRESHOLD_BYTES 1024u
#define ONNX_WRITE_ALIGNMENT_BYTES 64u
#define ONNX_WRITE_ALIGNMENT_MAX   (1u << 24)

/* Appends the encoding of a message of that kind, as onnx_parse gives it. Errors: LIMIT (over 2
 * GiB, which is protobuf's end, or over the buffer's; nested deeper than 100), MEMORY. Source:
 * protobuf's encoding specification. */
ondol_status onnx_write(const ondol_allocator *a, onnx_message kind, const void *message,
                        base_buffer *out, ondol_error *err);

typedef enum onnx_data_placement {
    ONNX_DATA_AS_IS,   /* as the model has it; names of external files are kept */
    ONNX_DATA_INLINE,  /* external data becomes raw_data */
    ONNX_DATA_EXTERNAL /* initializers of threshold_bytes and more go into one file beside the
                        * model, all else becomes inline */
} onnx_data_placement;

typedef struct onnx_write_options {
    onnx_data_placement placement;
    onnx_file *source;         /* whose external data the model names; NULL: it has none */
    const char *external_name; /* a plain file name; NULL: that of the model with .data behind */
    uint64_t threshold_bytes;  /* 0: ONNX_WRITE_THRESHOLD_BYTES */
    uint64_t alignment_bytes;  /* of each tensor in the file, a power of two; 0:
                                * ONNX_WRITE_ALIGNMENT_BYTES */
} onnx_write_options;

/* Writes a model, whole or not at all, and before it the external file; options may be NULL: as is.
 * Errors: ARGUMENT (a path or options that cannot be), LIMIT, IO, NOT_FOUND, MEMORY; FORMAT for
 * tensors that cannot be read. */
ondol_status onnx_write_file(const ondol_allocator *a, const onnx_model_proto *model,
                             const char *path, const onnx_write_options *options, ondol_error *err);

#endif
