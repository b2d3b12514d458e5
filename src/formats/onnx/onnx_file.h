/* An open ONNX file: its model, and the data of its tensors wherever they lie. */
#ifndef FORMATS_ONNX_FILE_H
#define FORMATS_ONNX_FILE_H

#include "formats/onnx/onnx_model.h"

typedef struct onnx_file onnx_file;

typedef struct onnx_open_options {
    bool no_map; /* read files whole in place of mapping them */
} onnx_open_options;

/* Opens and parses the file at path; options may be NULL. External data is looked for in the
 * folder of path. Errors: NOT_FOUND, IO, FORMAT, LIMIT, MEMORY, ARGUMENT (a folder). */
ondol_status onnx_file_open(const ondol_allocator *a, const char *path,
                            const onnx_open_options *options, onnx_file **out, ondol_error *err);
/* Of the file and of its external files that were opened so far, as base_file_identity; 0: it was
 * read from memory. */
uint64_t onnx_file_identity(const onnx_file *f);

/* Parses bytes[0..size), borrowed for the life of the file. It has no folder: external data is
 * refused. */
ondol_status onnx_file_open_memory(const ondol_allocator *a, const void *bytes, uint64_t size,
                                   onnx_file **out, ondol_error *err);
void onnx_file_close(onnx_file *f); /* takes NULL */

/* All of it lives as long as the file. Thread class of a file: one thread at a time while tensors
 * are read, shared afterwards. */
const onnx_model_proto *onnx_file_model(const onnx_file *f);
uint64_t onnx_file_size_bytes(const onnx_file *f);

/* Advice that data[0..size), anywhere in the model's files, will not be read again. */
void onnx_file_release_pages(const onnx_file *f, const void *data, uint64_t size);
/* Keeps the pages of all files that were opened so far in memory. Errors: IO. */
ondol_status onnx_file_lock(const onnx_file *f, ondol_error *err);

/* A tensor's data: dense, row-major, little endian, packed as raw_data is; strings:
 * tensor_string[elems]. It lies in the mapping or in a mapped external file, at any alignment
 * (borrowed), or in `arena`, aligned to 16. Raw data is taken as it is: hosts are little endian. */
typedef struct onnx_tensor_view {
    tensor_element element;
    uint32_t rank;
    int64_t dims[TENSOR_MAX_RANK];
    uint64_t elems;
    const void *data; /* never NULL */
    uint64_t size_bytes;
    bool borrowed; /* not in the arena */
} onnx_tensor_view;

/* file may be NULL: then external data is refused. Errors: FORMAT (type, dims or data that do not
 * fit together, external data that is not where it may be), LIMIT, IO, NOT_FOUND, MEMORY; each
 * names the tensor. */
ondol_status onnx_tensor_read(onnx_file *file, base_arena *arena, const onnx_tensor *t,
                              onnx_tensor_view *out, ondol_error *err);
/* The same of a sparse tensor, made dense in the arena (at most 2^31 bytes). */
ondol_status onnx_sparse_tensor_read(onnx_file *file, base_arena *arena,
                                     const onnx_sparse_tensor *t, onnx_tensor_view *out,
                                     ondol_error *err);

#endif
