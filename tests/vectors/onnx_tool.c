/* Works on ONNX files for onnx_compare.py. In: lines "COMMAND\tFILE[\tFILE]" on stdin. Out: a line
 * for each, "ok" or the name of the status and the sentence.
 *
 *     write, inline, external IN OUT    read and written again, data where the word says
 *     text IN OUT                       printed
 *     check IN                          held against the rules, external data included
 *     graph IN                          the same, and imported, as `ondol info --check` does
 *     model|tensor|sequence|optional|map IN OUT   a single message, read and written from memory */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "formats/onnx/onnx_check.h"
#include "formats/onnx/onnx_print.h"
#include "formats/onnx/onnx_writer.h"
#include "models/onnx_import.h"

static ondol_status rewrite(const ondol_allocator *a, const char *command, const char *in,
                            const char *out, ondol_error *err) {
    onnx_file *file = NULL;
    onnx_write_options options = {ONNX_DATA_AS_IS, NULL, NULL, 16, 4096};
    ondol_status status = ONDOL_OK;
    if (!strcmp(command, "inline")) options.placement = ONNX_DATA_INLINE;
    if (!strcmp(command, "external")) options.placement = ONNX_DATA_EXTERNAL;
    TRY(onnx_file_open(a, in, NULL, &file, err));
    options.source = file;
    TRY(onnx_write_file(a, onnx_file_model(file), out, &options, err));
done:
    onnx_file_close(file);
    return status;
}

static ondol_status print(const ondol_allocator *a, const char *in, const char *out,
                          ondol_error *err) {
    onnx_file *file = NULL;
    base_buffer text;
    ondol_status status = ONDOL_OK;
    base_buffer_init(&text, a, SIZE_MAX / 2);
    TRY(onnx_file_open(a, in, NULL, &file, err));
    TRY(onnx_print_text(onnx_file_model(file), NULL, &text, err));
    TRY(base_file_write(out, text.data ? text.data : "", text.size, err));
done:
    base_buffer_destroy(&text);
    onnx_file_close(file);
    return status;
}

static ondol_status check(const ondol_allocator *a, const char *in, bool import, ondol_error *err) {
    graph *g = NULL;
    onnx_file *file = NULL;
    ondol_status status = onnx_file_open(a, in, NULL, &file, err);
    if (status == ONDOL_OK) status = onnx_check_model(a, onnx_file_model(file), file, err);
    if (status == ONDOL_OK && import) status = models_graph_from_onnx(a, file, &g, err);
    graph_destroy(g);
    onnx_file_close(file);
    return status;
}

static ondol_status rewrite_message(const ondol_allocator *a, onnx_message kind, const char *in,
                                    const char *out, ondol_error *err) {
    base_file file = {0};
    base_arena arena;
    base_buffer bytes;
    const void *message = NULL;
    ondol_status status = ONDOL_OK;
    base_arena_init(&arena, a, 0);
    base_buffer_init(&bytes, a, SIZE_MAX / 2);
    TRY(base_file_open(a, in, true, &file, err));
    TRY(onnx_parse(&arena, kind, file.data, file.size, &message, err));
    TRY(onnx_write(a, kind, message, &bytes, err));
    TRY(base_file_write(out, bytes.data ? bytes.data : "", bytes.size, err));
done:
    base_buffer_destroy(&bytes);
    base_arena_destroy(&arena);
    base_file_close(&file);
    return status;
}

static ondol_status run(const ondol_allocator *a, const char *command, const char *in,
                        const char *out, ondol_error *err) {
    static const struct {
        const char *name;
        onnx_message kind;
    } kinds[] = {{"model", ONNX_MESSAGE_model_proto},
                 {"tensor", ONNX_MESSAGE_tensor},
                 {"sequence", ONNX_MESSAGE_sequence},
                 {"optional", ONNX_MESSAGE_optional},
                 {"map", ONNX_MESSAGE_map}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!strcmp(command, kinds[i].name)) return rewrite_message(a, kinds[i].kind, in, out, err);
    }
    if (!strcmp(command, "check")) return check(a, in, false, err);
    if (!strcmp(command, "graph")) return check(a, in, true, err);
    if (!strcmp(command, "text")) return print(a, in, out, err);
    return rewrite(a, command, in, out, err);
}

int main(void) {
    const ondol_allocator a = base_default_allocator();
    char line[16384];
    while (fgets(line, sizeof line, stdin)) {
        char *command = strtok(line, "\t\n"), *in = strtok(NULL, "\t\n");
        char *out = strtok(NULL, "\t\n");
        ondol_error err = {0};
        if (!command || !in) return 2;
        const ondol_status status = run(&a, command, in, out ? out : "", &err);
        if (status == ONDOL_OK) {
            printf("ok\n");
        } else {
            printf("%s: %s\n", base_status_name(status), err.text);
        }
        fflush(stdout);
    }
    return 0;
}
