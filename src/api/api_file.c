/* Files as they are. In: a path. Out: metadata and tensors as text and numbers. */
#include "api/api_file.h"

#include <string.h>

#include "formats/onnx/onnx_check.h"
#include "formats/onnx/onnx_print.h"
#include "models/onnx_import.h"
#include "ondol/ondol_experimental.h"

/* Elements of a tensor in the text of a file. */
#define TEXT_ELEMENTS 64

static void destroy(ondol_file *f) {
    const ondol_allocator *a = &f->engine->allocator;
    gguf_file_close(f->gguf);
    onnx_file_close(f->onnx);
    base_arena_destroy(&f->arena);
    base_buffer_destroy(&f->key);
    base_buffer_destroy(&f->text);
    base_free(a, f);
}

ondol_status ondol_file_open(ondol_engine *engine, const char *path, ondol_file **out,
                             ondol_error *err) {
    const ondol_allocator *a = &engine->allocator;
    bool onnx = false;
    ondol_status status = ONDOL_OK;
    ondol_file *f = base_calloc(a, 1, sizeof *f);
    if (!f) return base_no_memory(err, "file", sizeof *f);
    f->engine = engine;
    base_arena_init(&f->arena, a, 0);
    base_buffer_init(&f->key, a, API_FILE_TEXT_MAX);
    base_buffer_init(&f->text, a, API_FILE_TEXT_MAX);
    TRY(api_path_is_onnx(engine, path, &onnx, err));
    TRY(onnx ? api_file_open_onnx(f, path, err) : api_file_open_gguf(f, path, err));
    api_engine_retain(engine);
    *out = f;
    return ONDOL_OK;
done:
    destroy(f);
    return base_prefix(err, status, "%s", path);
}

void ondol_file_close(ondol_file *file) {
    if (!file) return;
    ondol_engine *engine = file->engine;
    destroy(file);
    api_engine_release(engine);
}

const char *ondol_file_format(const ondol_file *file) {
    return file->format;
}

uint64_t ondol_file_size_bytes(const ondol_file *file) {
    if (file->gguf) return api_file_size_gguf(file);
    return onnx_file_size_bytes(file->onnx) + file->external_bytes;
}

size_t ondol_file_metadata_count(const ondol_file *file) {
    return file->row_count;
}

ondol_status ondol_file_metadata(ondol_file *file, size_t index, ondol_metadata *out,
                                 ondol_error *err) {
    if (index >= file->row_count) {
        return base_fail(err, ONDOL_E_ARGUMENT, "key %zu: the file has %zu", index,
                         file->row_count);
    }
    if (file->gguf) return api_file_metadata_gguf(file, index, out, err);
    const api_file_row *row = file->rows + index;
    *out = (ondol_metadata){.key = row->key,
                            .type = row->type,
                            .text = row->text,
                            .text_bytes = row->text_bytes,
                            .elements = 1};
    return ONDOL_OK;
}

size_t ondol_file_tensor_count(const ondol_file *file) {
    return file->tensor_count;
}

ondol_status ondol_file_tensor(const ondol_file *file, size_t index, ondol_tensor_info *out,
                               ondol_error *err) {
    if (index >= file->tensor_count) {
        return base_fail(err, ONDOL_E_ARGUMENT, "tensor %zu: the file has %zu", index,
                         file->tensor_count);
    }
    if (file->gguf)
        api_file_tensor_gguf(file, index, out);
    else
        *out = file->tensors[index];
    return ONDOL_OK;
}

ondol_status ondol_file_describe(const ondol_file *file, char *text, size_t capacity, size_t *count,
                                 ondol_error *err) {
    const onnx_print_options options = {.max_elems = TEXT_ELEMENTS};
    base_buffer b;
    if (!file->onnx) {
        return base_fail(err, ONDOL_E_UNSUPPORTED, "only ONNX files have a text of their own");
    }
    base_buffer_init(&b, &file->engine->allocator, API_TEXT_BYTES_MAX);
    ondol_status status = onnx_print_text(onnx_file_model(file->onnx), &options, &b, err);
    if (status == ONDOL_OK) status = base_buffer_status(&b, "text of the file", err);
    if (status == ONDOL_OK) api_text_give(&b, text, capacity, count);
    base_buffer_destroy(&b);
    return status;
}

ondol_status ondol_file_check(ondol_file *file, ondol_error *err) {
    const ondol_allocator *a = &file->engine->allocator;
    graph *g = NULL;
    ondol_status status = ONDOL_OK;
    if (!file->onnx) {
        return base_fail(err, ONDOL_E_UNSUPPORTED, "only ONNX files are checked");
    }
    TRY(onnx_check_model(a, onnx_file_model(file->onnx), file->onnx, err));
    TRY(models_graph_from_onnx(a, file->onnx, &g, err));
done:
    graph_destroy(g);
    return status;
}
