/* Inside of formats/onnx: a model while it is written. */
#ifndef FORMATS_ONNX_WRITING_H
#define FORMATS_ONNX_WRITING_H

#include "base/file_writer.h"
#include "formats/onnx/onnx_table.h"
#include "formats/onnx/onnx_writer.h"

/* A message is walked twice: to count its bytes, then to write them. */
typedef struct onnx_writing {
    const ondol_allocator *allocator;
    ondol_error *err;
    ondol_status status; /* the first fault; nothing is done after it */
    bool counting;
    uint64_t count;    /* bytes, while counting */
    base_buffer sizes; /* uint64_t of each message within, in the order of the walk */
    base_buffer moved; /* const onnx_tensor *, in place of each tensor; as above */
    size_t next_size, next_moved;
    base_buffer *out;
    base_file_writer *file; /* out is emptied into it; NULL: out is the end */

    /* Where data goes; AS_IS uses none of it. */
    onnx_write_options options;
    const char *external_name;
    base_arena arena; /* of what takes the place of tensors */
    base_file_writer *data;
    uint64_t data_bytes;
} onnx_writing;

void onnx_writing_init(onnx_writing *w, const ondol_allocator *a, base_buffer *out,
                       ondol_error *err);
void onnx_writing_destroy(onnx_writing *w);

/* Both walks over one message; the walk that counts also fills the external file. */
ondol_status onnx_writing_count(onnx_writing *w, onnx_message kind, const void *message);
ondol_status onnx_writing_write(onnx_writing *w, onnx_message kind, const void *message);

/* What is written in place of t, by w's placement; for the walk that counts. Data goes to w->data.
 * Errors: as onnx_write_file; then w->status is set. */
const onnx_tensor *onnx_writing_place(onnx_writing *w, const onnx_tensor *t, bool initializer);

#endif
