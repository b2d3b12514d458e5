/* What a file is, told from its first bytes, so that a wrong one is called by its name. */
#ifndef FORMATS_SNIFF_H
#define FORMATS_SNIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef enum formats_kind {
    FORMATS_KIND_UNKNOWN,
    FORMATS_KIND_EMPTY,
    FORMATS_KIND_ZEROS, /* nothing but zeros at its start: space that a download has not filled */
    FORMATS_KIND_GGUF,  /* also a file that ends within the magic */
    FORMATS_KIND_GGML_LEGACY, /* ggml, ggmf, ggjt, ggla, ggsn: before GGUF */
    FORMATS_KIND_SAFETENSORS,
    FORMATS_KIND_ONNX,        /* a protobuf ModelProto */
    FORMATS_KIND_PYTORCH_ZIP, /* torch.save since 1.6 */
    FORMATS_KIND_PICKLE,      /* torch.save before 1.6, or any other pickle */
    FORMATS_KIND_ZIP,
    FORMATS_KIND_GZIP,
    FORMATS_KIND_XZ,
    FORMATS_KIND_ZSTD,
    FORMATS_KIND_GIT_LFS, /* a pointer to the file, not the file */
    FORMATS_KIND_HTML,
    FORMATS_KIND_JSON,
    FORMATS_KIND_COUNT
} formats_kind;

/* bytes[0..size) is the whole file; at most the first 4 KiB are read. Any thread. */
formats_kind formats_sniff(const void *bytes, uint64_t size_bytes);

/* "a Git-LFS pointer", "GGUF" ...: as in "this is %s". */
const char *formats_kind_name(formats_kind kind);

/* The fault of a file that is `kind` where `expected` ("GGUF", "ONNX") was: says what it is and
 * what to do. Returns FORMAT, or UNSUPPORTED when the file is a sound model of another format. */
ondol_status formats_sniff_fail(formats_kind kind, const void *bytes, uint64_t size_bytes,
                                const char *expected, ondol_error *err);

/* True for the names that browsers and downloaders give to what they have not finished (".part",
 * ".crdownload" ...). */
bool formats_path_unfinished(const char *path);

#endif
