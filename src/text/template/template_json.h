/* JSON text -> values of the template language. */
#ifndef TEMPLATE_JSON_H
#define TEMPLATE_JSON_H

#include "text/template/template_dict.h"
#include "text/template/template_value.h"

/* Lists and dicts within each other, at most. */
#define TEMPLATE_JSON_DEPTH_MAX 256

/* Reads the JSON text (0-terminated) into values of `heap`. Strict (RFC 8259): one value, nothing
 * behind it; of two members of one name the last counts. what: names the text in errors.
 * Errors: FORMAT with line and column (malformed, not UTF-8, number beyond 64 bits or a double),
 * LIMIT (depth, heap), MEMORY. */
ondol_status template_json_read(template_heap *heap, const char *text, const char *what,
                                template_value *out, ondol_error *err);

#endif
