/* An ONNX file. In: a path or bytes. Out: its model, parsed; external files as they are asked for.
 */
#include "formats/onnx/onnx_file_state.h"

#include <string.h>

#include "base/map.h"
#include "formats/sniff.h"

static ondol_status parse(onnx_file *f, ondol_error *err) {
    const void *model = NULL;
    ondol_status status =
        onnx_parse(&f->arena, ONNX_MESSAGE_model_proto, f->bytes, f->size, &model, err);
    f->model = model;
    if (status == ONDOL_OK && !f->model->graph) {
        status = base_fail(err, ONDOL_E_FORMAT, "this is no ONNX model: it has no graph");
    }
    if (status != ONDOL_E_FORMAT) return status;
    const formats_kind kind = formats_sniff(f->bytes, f->size);
    if (kind == FORMATS_KIND_ONNX || kind == FORMATS_KIND_UNKNOWN) return status;
    return formats_sniff_fail(kind, f->bytes, f->size, "ONNX", err);
}

static ondol_status create(const ondol_allocator *a, onnx_file **out, ondol_error *err) {
    onnx_file *f = base_calloc(a, 1, sizeof *f);
    if (!f) return base_no_memory(err, "ONNX file", sizeof *f);
    f->allocator = a;
    base_arena_init(&f->arena, a, 0);
    *out = f;
    return ONDOL_OK;
}

/* What stands before the last separator; "." where there is none. */
static char *folder_of(const ondol_allocator *a, const char *path) {
    const char *end = path;
    for (const char *p = path; *p; p++)
        if (*p == '/' || *p == '\\') end = p + (p == path);
    return end == path ? base_strndup(a, ".", 1) : base_strndup(a, path, (size_t)(end - path));
}

ondol_status onnx_file_open(const ondol_allocator *a, const char *path,
                            const onnx_open_options *options, onnx_file **out, ondol_error *err) {
    onnx_file *f = NULL;
    ondol_status status = create(a, &f, err);
    if (status != ONDOL_OK) return status;
    f->use_map = !options || !options->no_map;
    f->folder = folder_of(a, path);
    if (!f->folder) {
        status = base_no_memory(err, "ONNX file", strlen(path));
        goto done;
    }
    TRY(base_file_open(a, path, f->use_map, &f->file, err));
    f->bytes = f->file.data;
    f->size = f->file.size;
    TRY(parse(f, err));
    *out = f;
    return ONDOL_OK;
done:
    onnx_file_close(f);
    return status;
}

ondol_status onnx_file_open_memory(const ondol_allocator *a, const void *bytes, uint64_t size,
                                   onnx_file **out, ondol_error *err) {
    onnx_file *f = NULL;
    ondol_status status = create(a, &f, err);
    if (status != ONDOL_OK) return status;
    f->bytes = bytes;
    f->size = size;
    TRY(parse(f, err));
    *out = f;
    return ONDOL_OK;
done:
    onnx_file_close(f);
    return status;
}

void onnx_file_close(onnx_file *f) {
    if (!f) return;
    const ondol_allocator *a = f->allocator;
    for (size_t i = 0; i < f->external_count; i++) {
        base_file_close(&f->external[i].file);
        base_free(a, f->external[i].location);
    }
    base_free(a, f->external);
    base_file_close(&f->file);
    base_arena_destroy(&f->arena);
    base_free(a, f->folder);
    base_free(a, f);
}

const onnx_model_proto *onnx_file_model(const onnx_file *f) {
    return f->model;
}

uint64_t onnx_file_size_bytes(const onnx_file *f) {
    return f->size;
}

static bool release_in(const base_file *file, const unsigned char *data, uint64_t size) {
    if (!file->mapped || (uintptr_t)data < (uintptr_t)file->data) return false;
    const uint64_t offset = (uint64_t)((uintptr_t)data - (uintptr_t)file->data);
    if (offset >= file->size || size > file->size - offset) return false;
    base_file_release_pages(file, offset, size);
    return true;
}

void onnx_file_release_pages(const onnx_file *f, const void *data, uint64_t size) {
    if (release_in(&f->file, data, size)) return;
    for (size_t i = 0; i < f->external_count; i++) {
        if (release_in(&f->external[i].file, data, size)) return;
    }
}

ondol_status onnx_file_lock(const onnx_file *f, ondol_error *err) {
    ondol_status status = f->file.mapped ? base_file_lock(&f->file, err) : ONDOL_OK;
    for (size_t i = 0; i < f->external_count && status == ONDOL_OK; i++)
        if (f->external[i].file.mapped) status = base_file_lock(&f->external[i].file, err);
    return status;
}

uint64_t onnx_file_identity(const onnx_file *f) {
    uint64_t all = f->file.identity;
    for (size_t i = 0; i < f->external_count && all; i++) {
        const uint64_t seed[2] = {all, f->external[i].file.identity};
        all = seed[1] ? base_siphash(seed, f->external[i].location, strlen(f->external[i].location))
                      : 0;
    }
    return all;
}
