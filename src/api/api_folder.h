/* Where an ONNX model lies, and what lies beside it. */
#ifndef API_FOLDER_H
#define API_FOLDER_H

#include "base/file.h"
#include "models/genai_config.h"

typedef struct api_folder {
    const ondol_allocator *allocator;
    char *folder;  /* of the model and the files beside it */
    char *model;   /* path of the decoder's, or of the only, .onnx file */
    char *encoder; /* of a pair; NULL: it is none */
    bool has_config;
    models_genai_config
        config; /* zero when the folder has neither genai_config.json nor config.json */
} api_folder;

/* path: a folder with a genai_config.json, or with model.onnx or decoder_model_merged.onnx as
 * Optimum names them, or a .onnx file, whose folder may have a configuration. To be freed by
 * api_folder_free, also on failure. Errors: NOT_FOUND (a folder without a model), IO, FORMAT,
 * UNSUPPORTED, MEMORY. */
ondol_status api_folder_open(const ondol_allocator *a, const char *path, api_folder *out,
                             ondol_error *err);
void api_folder_free(api_folder *f);

/* The file of that name in the folder, read whole. *found false: there is none, *out is zero.
 * Errors: IO, MEMORY. */
ondol_status api_folder_read(const api_folder *f, const char *name, base_file *out, bool *found,
                             ondol_error *err);

#endif
