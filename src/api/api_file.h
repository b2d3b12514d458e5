/* Inside of api/: a file as it is, of either format. */
#ifndef API_FILE_H
#define API_FILE_H

#include "api/api_internal.h"

#define API_FILE_TEXT_MAX ((size_t)64 << 20)

/* A key of an ONNX file: a row of what info shows. */
typedef struct api_file_row {
    const char *key, *type, *text; /* in the arena */
    size_t text_bytes;
} api_file_row;

struct ondol_file {
    ondol_engine *engine;
    gguf_file *gguf; /* one of both */
    onnx_file *onnx;
    char format[96];
    char type[48];
    base_arena arena;
    const char **tensor_names;  /* GGUF: [tensors], each ended by 0 */
    ondol_tensor_info *tensors; /* ONNX: initializers */
    api_file_row *rows;         /* ONNX */
    size_t tensor_count, row_count;
    uint64_t external_bytes; /* ONNX: of initializers in files of their own */
    base_buffer key, text;
};

ondol_status api_file_open_gguf(ondol_file *f, const char *path, ondol_error *err);
uint64_t api_file_size_gguf(const ondol_file *f);
ondol_status api_file_metadata_gguf(ondol_file *f, size_t index, ondol_metadata *out,
                                    ondol_error *err);
void api_file_tensor_gguf(const ondol_file *f, size_t index, ondol_tensor_info *out);

ondol_status api_file_open_onnx(ondol_file *f, const char *path, ondol_error *err);

#endif
