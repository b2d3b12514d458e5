/* Folders of models. In: a path. Out: the model's file, its configuration, the files beside it. */
#include "api/api_folder.h"

#include <string.h>

#include "api/api_internal.h"
#include "formats/sniff.h"

static char *join(const ondol_allocator *a, const char *folder, const char *name) {
    const size_t n = strlen(folder), k = strlen(name);
    char *path = base_alloc(a, n + k + 2, 1);
    if (!path) return NULL;
    memcpy(path, folder, n);
    path[n] = '/';
    memcpy(path + n + 1, name, k + 1);
    return path;
}

/* The folder that a file lies in; "." where its path names none. */
static char *folder_of(const ondol_allocator *a, const char *path) {
    const char *end = NULL;
    for (const char *p = path; *p; p++)
        if (*p == '/' || *p == '\\') end = p;
    if (!end) return base_strndup(a, ".", 1);
    return base_strndup(a, path, end == path ? 1 : (size_t)(end - path));
}

ondol_status api_folder_read(const api_folder *f, const char *name, base_file *out, bool *found,
                             ondol_error *err) {
    char *path = join(f->allocator, f->folder, name);
    ondol_status status = ONDOL_OK;
    *found = false;
    *out = (base_file){0};
    if (!path) return base_no_memory(err, "path", strlen(name));
    if (base_path_kind_of(path) != BASE_PATH_MISSING) {
        status = base_file_open(f->allocator, path, false, out, err);
        *found = status == ONDOL_OK;
    }
    base_free(f->allocator, path);
    return base_prefix(err, status, "%s", name);
}

/* Reads what configuration there is. */
static ondol_status read_config(api_folder *f, ondol_error *err) {
    base_file file = {0};
    bool found = false;
    ondol_status status = ONDOL_OK;
    TRY(api_folder_read(f, "genai_config.json", &file, &f->has_config, err));
    if (f->has_config) {
        TRY(models_genai_config_read((const char *)file.data, file.size, &f->config, err));
        goto done;
    }
    TRY(api_folder_read(f, "config.json", &file, &found, err));
    if (found)
        TRY(models_genai_config_from_hugging_face((const char *)file.data, file.size, &f->config,
                                                  err));
    f->has_config = found;
done:
    base_file_close(&file);
    return status;
}

/* The first of the files that are there, as a path; NULL: none, or no memory. */
static char *first_of(const api_folder *f, const char *const *names) {
    for (; *names; names++) {
        char *path = join(f->allocator, f->folder, *names);
        if (!path || base_path_kind_of(path) == BASE_PATH_FILE) return path;
        base_free(f->allocator, path);
    }
    return NULL;
}

static ondol_status find_files(api_folder *f, const char *path, bool whole, ondol_error *err) {
    static const char *const decoders[] = {"model.onnx", "decoder_model_merged.onnx",
                                           "decoder_model.onnx", NULL};
    static const char *const encoders[] = {"encoder_model.onnx", NULL};
    const ondol_allocator *a = f->allocator;
    const bool own = f->config.filename != NULL;
    if (!whole)
        f->model = base_strndup(a, path, strlen(path));
    else
        f->model = own ? join(a, path, f->config.filename) : first_of(f, decoders);
    if (!f->model && whole && !own) {
        return base_fail(err, ONDOL_E_NOT_FOUND,
                         "the folder holds neither a genai_config.json nor a model.onnx");
    }
    if (own && f->config.encoder)
        f->encoder = join(a, f->folder, f->config.encoder);
    else if (f->config.has_encoder)
        f->encoder = first_of(f, encoders);
    return f->model ? ONDOL_OK : base_no_memory(err, "path", strlen(path));
}

ondol_status api_folder_open(const ondol_allocator *a, const char *path, api_folder *out,
                             ondol_error *err) {
    const bool whole = base_path_kind_of(path) == BASE_PATH_FOLDER;
    ondol_status status = ONDOL_OK;
    *out = (api_folder){.allocator = a};
    out->folder = whole ? base_strndup(a, path, strlen(path)) : folder_of(a, path);
    if (!out->folder) return base_no_memory(err, "path", strlen(path));
    TRY(read_config(out, err));
    TRY(find_files(out, path, whole, err));
done:
    return status;
}

void api_folder_free(api_folder *f) {
    models_genai_config_free(&f->config);
    base_free(f->allocator, f->folder);
    base_free(f->allocator, f->model);
    base_free(f->allocator, f->encoder);
    *f = (api_folder){0};
}

/* What is nothing known is left to GGUF's reader to name. */
ondol_status api_path_is_onnx(const ondol_engine *e, const char *path, bool *onnx,
                              ondol_error *err) {
    const size_t n = strlen(path);
    base_file f;
    *onnx = base_path_kind_of(path) == BASE_PATH_FOLDER;
    if (*onnx) return ONDOL_OK;
    ondol_status status = base_file_open(&e->allocator, path, true, &f, err);
    if (status != ONDOL_OK) return status;
    const formats_kind kind = formats_sniff(f.data, f.size);
    const bool named = n > 5 && strcmp(path + n - 5, ".onnx") == 0;
    *onnx = kind == FORMATS_KIND_ONNX || (kind == FORMATS_KIND_UNKNOWN && named);
    base_file_close(&f);
    return ONDOL_OK;
}
