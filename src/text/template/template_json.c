/* JSON text -> jansson's tree -> values in a template's heap. */
#include "text/template/template_json.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

typedef struct json_reader {
    template_heap *heap;
    const char *what;
    ondol_error *err;
} json_reader;

static ondol_status no_room(const json_reader *r) {
    const size_t used = r->heap->arena.total_bytes;
    if (!r->heap->over_maximum) return base_no_memory(r->err, r->what, used);
    return base_fail(r->err, ONDOL_E_LIMIT, "%s: needs more than the %zu bytes allowed", r->what,
                     r->heap->arena.max_bytes);
}

/* jansson's parser calls itself for each bracket: count them before it does. */
static ondol_status check_depth(const json_reader *r, const char *text, size_t n) {
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
        if (depth > TEMPLATE_JSON_DEPTH_MAX) {
            return base_fail(r->err, ONDOL_E_LIMIT,
                             "%s: line %zu: nested deeper than the %d levels allowed", r->what,
                             line, TEMPLATE_JSON_DEPTH_MAX);
        }
    }
    return ONDOL_OK;
}

static ondol_status convert(const json_reader *r, const json_t *json, template_value *out);

static ondol_status convert_text(const json_reader *r, const char *bytes, size_t n,
                                 const template_string **out) {
    *out = template_string_copy(r->heap, bytes, n);
    return *out ? ONDOL_OK : no_room(r);
}

static ondol_status convert_array(const json_reader *r, const json_t *json, template_value *out) {
    const size_t n = json_array_size(json);
    template_list *list = template_list_create(r->heap, TEMPLATE_FORM_LIST, n);
    if (!list) return no_room(r);
    for (size_t i = 0; i < n; i++) {
        template_value item = template_none();
        const ondol_status status = convert(r, json_array_get(json, i), &item);
        if (status != ONDOL_OK) return status;
        if (!template_list_append(r->heap, list, item)) return no_room(r);
    }
    *out = template_from_list(list);
    return ONDOL_OK;
}

static ondol_status convert_object(const json_reader *r, json_t *json, template_value *out) {
    template_dict *dict = template_dict_create(r->heap);
    if (!dict) return no_room(r);
    for (void *at = json_object_iter(json); at; at = json_object_iter_next(json, at)) {
        const template_string *key = NULL;
        template_value value = template_none();
        const char *name = json_object_iter_key(at);
        ondol_status status = convert_text(r, name, strlen(name), &key);
        if (status == ONDOL_OK) status = convert(r, json_object_iter_value(at), &value);
        if (status != ONDOL_OK) return status;
        if (!template_dict_put(r->heap, dict, key, value)) return no_room(r);
    }
    *out = template_from_dict(dict);
    return ONDOL_OK;
}

/* As deep as the text, which check_depth has bounded. */
static ondol_status convert(const json_reader *r, const json_t *json, template_value *out) {
    const template_string *text = NULL;
    ondol_status status = ONDOL_OK;
    switch (json_typeof(json)) {
    case JSON_OBJECT: return convert_object(r, (json_t *)(uintptr_t)json, out);
    case JSON_ARRAY: return convert_array(r, json, out);
    case JSON_STRING:
        status = convert_text(r, json_string_value(json), json_string_length(json), &text);
        *out = template_from_string(text);
        return status;
    case JSON_INTEGER: *out = template_int(json_integer_value(json)); break;
    case JSON_REAL: *out = template_double(json_real_value(json)); break;
    case JSON_TRUE: *out = template_bool(true); break;
    case JSON_FALSE: *out = template_bool(false); break;
    case JSON_NULL: *out = template_none(); break;
    }
    return status;
}

ondol_status template_json_read(template_heap *heap, const char *text, const char *what,
                                template_value *out, ondol_error *err) {
    const json_reader reader = {heap, what, err};
    const size_t n = strlen(text);
    json_error_t fault;
    json_t *json = NULL;
    ondol_status status = check_depth(&reader, text, n);
    TRY(status);
    json = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &fault);
    if (json) {
        TRY(convert(&reader, json, out));
    } else if (json_error_code(&fault) == json_error_out_of_memory) {
        status = base_no_memory(err, what, n);
    } else {
        status = base_fail(err, ONDOL_E_FORMAT, "%s: line %d, column %d: %s", what, fault.line,
                           fault.column, fault.text);
    }
done:
    json_decref(json);
    return status;
}
