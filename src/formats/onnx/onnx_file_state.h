/* Inside of formats/onnx: an open file. */
#ifndef FORMATS_ONNX_FILE_STATE_H
#define FORMATS_ONNX_FILE_STATE_H

#include "base/file.h"
#include "formats/onnx/onnx_file.h"

typedef struct onnx_external_file {
    char *location;
    base_file file;
} onnx_external_file;

struct onnx_file {
    const ondol_allocator *allocator;
    base_arena arena;
    base_file file; /* zero for bytes of a caller */
    const unsigned char *bytes;
    uint64_t size;
    const onnx_model_proto *model;
    bool use_map;
    char *folder; /* NULL: external data is refused */
    onnx_external_file *external;
    size_t external_count, external_capacity;
};

/* The bytes of t's external data; their number is for the caller to check. Where t gives no length
 * they are the `wanted` that begin at its offset, or fewer. f may be NULL. Errors: as
 * onnx_tensor_read. */
ondol_status onnx_external_find(onnx_file *f, const onnx_tensor *t, uint64_t wanted,
                                const unsigned char **data, uint64_t *size_bytes, ondol_error *err);
/* What can be said of t's external data without opening it. Errors: FORMAT. */
ondol_status onnx_external_check(const onnx_tensor *t, ondol_error *err);

#endif
