/* JSON texts of files, as jansson's trees: bounded, with faults that name the place. */
#ifndef FORMATS_JSON_READ_H
#define FORMATS_JSON_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define JSON_READ_DEPTH_MAX 256

/* text[0..n) -> a tree, to be released by json_decref. what: the file, for the sentence.
 * Errors: FORMAT with line and column, LIMIT (nested deeper than JSON_READ_DEPTH_MAX), MEMORY. */
ondol_status json_read_text(const char *text, size_t n, const char *what, json_t **out,
                            ondol_error *err);

/* The member of an object, or NULL: it is absent, null, or `from` is no object. */
const json_t *json_read_member(const json_t *from, const char *name);
/* The same by a path "model.decoder.filename". */
const json_t *json_read_path(const json_t *from, const char *path);

/* The text or number at a path; what stands in *out stays when there is none or it is null.
 * Errors: FORMAT (of another type, or outside [least, most]). */
ondol_status json_read_string(const json_t *from, const char *path, const char **out,
                              ondol_error *err);
ondol_status json_read_integer(const json_t *from, const char *path, int64_t least, int64_t most,
                               int64_t *out, ondol_error *err);

#endif
