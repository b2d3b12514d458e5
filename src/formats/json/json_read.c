/* JSON. In: the text of a file. Out: jansson's tree, or where it is at fault. */
#include "formats/json/json_read.h"

#include <inttypes.h>
#include <string.h>

#include "base/mem.h"

/* jansson's parser calls itself for each bracket: count them before it does. */
static ondol_status check_depth(const char *text, size_t n, const char *what, ondol_error *err) {
    size_t depth = 0, line = 1;
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        const char c = text[i];
        if (c == '\n') line++;
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{'))
            depth++;
        else if (!quoted && (c == ']' || c == '}') && depth > 0)
            depth--;
        if (depth > JSON_READ_DEPTH_MAX) {
            return base_fail(err, ONDOL_E_LIMIT,
                             "%s: line %zu: nested deeper than the %d levels allowed", what, line,
                             JSON_READ_DEPTH_MAX);
        }
    }
    return ONDOL_OK;
}

ondol_status json_read_text(const char *text, size_t n, const char *what, json_t **out,
                            ondol_error *err) {
    static const char MARK[] = "\xef\xbb\xbf";
    json_error_t fault;
    if (n >= 3 && memcmp(text, MARK, 3) == 0) {
        text += 3;
        n -= 3;
    }
    ondol_status status = check_depth(text, n, what, err);
    if (status != ONDOL_OK) return status;
    *out = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &fault);
    if (*out) return ONDOL_OK;
    if (json_error_code(&fault) == json_error_out_of_memory) return base_no_memory(err, what, n);
    return base_fail(err, ONDOL_E_FORMAT, "%s: line %d, column %d: %s", what, fault.line,
                     fault.column, fault.text);
}

const json_t *json_read_member(const json_t *from, const char *name) {
    const json_t *v = json_object_get(from, name);
    return json_is_null(v) ? NULL : v;
}

const json_t *json_read_path(const json_t *from, const char *path) {
    char name[64];
    while (from && *path) {
        const size_t n = strcspn(path, ".");
        if (n >= sizeof name) return NULL;
        memcpy(name, path, n);
        name[n] = 0;
        from = json_read_member(from, name);
        path += n + (path[n] == '.');
    }
    return from;
}

static const char *type_name(const json_t *v) {
    switch (json_typeof(v)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "a list";
    case JSON_STRING: return "a text";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a number with a fraction";
    case JSON_TRUE:
    case JSON_FALSE: return "true or false";
    default: return "null";
    }
}

ondol_status json_read_string(const json_t *from, const char *path, const char **out,
                              ondol_error *err) {
    const json_t *v = json_read_path(from, path);
    if (!v) return ONDOL_OK;
    if (!json_is_string(v)) {
        return base_fail(err, ONDOL_E_FORMAT, "%s: expected a text, got %s", path, type_name(v));
    }
    *out = json_string_value(v);
    return ONDOL_OK;
}

ondol_status json_read_integer(const json_t *from, const char *path, int64_t least, int64_t most,
                               int64_t *out, ondol_error *err) {
    const json_t *v = json_read_path(from, path);
    if (!v) return ONDOL_OK;
    if (!json_is_integer(v)) {
        return base_fail(err, ONDOL_E_FORMAT, "%s: expected an integer, got %s", path,
                         type_name(v));
    }
    const int64_t number = json_integer_value(v);
    if (number < least || number > most) {
        return base_fail(err, ONDOL_E_FORMAT, "%s: %" PRId64 ", expected %" PRId64 " to %" PRId64,
                         path, number, least, most);
    }
    *out = number;
    return ONDOL_OK;
}
