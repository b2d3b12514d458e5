/* tojson, with the arguments that the transformers library gives it: json.dumps of Python. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "text/template/template_builtins.h"
#include "text/template/template_number.h"
#include "text/template/template_operations.h"
#include "text/template/template_text.h"

#define ARGUMENT(i) (arguments->values[i])

typedef struct json_style {
    bool ascii, sorted, lines; /* lines: each item on a line of its own */
    const template_string *item_separator, *key_separator;
    const char *indent; /* of one level */
    size_t indent_bytes;
} json_style;

static ondol_status build_json(template_run *run, template_builder *b, const json_style *style,
                               template_value value, size_t level);

static ondol_status build_unit(template_run *run, template_builder *b, uint32_t unit) {
    char text[8];
    snprintf(text, sizeof text, "\\u%04" PRIx32, unit & 0xffff);
    return template_build(run, b, text, 6);
}

static ondol_status build_character(template_run *run, template_builder *b, bool ascii,
                                    const char *bytes, size_t size, uint32_t code) {
    static const char names[] = "\"\"\\\\\nn\rr\tt\ff\bb";
    for (size_t i = 0; i + 1 < sizeof names; i += 2) {
        if (code != (unsigned char)names[i]) continue;
        return template_build(run, b, (const char[]){'\\', names[i + 1]}, 2);
    }
    if (code >= 0x20 && (!ascii || code < 0x7f)) return template_build(run, b, bytes, size);
    if (code < 0x10000) return build_unit(run, b, code);
    const ondol_status status = build_unit(run, b, 0xd7c0 + (code >> 10));
    return status == ONDOL_OK ? build_unit(run, b, 0xdc00 + (code & 0x3ff)) : status;
}

static ondol_status build_text(template_run *run, template_builder *b, bool ascii,
                               const template_string *s) {
    ondol_status status = template_build(run, b, "\"", 1);
    for (size_t at = 0; at < s->size && status == ONDOL_OK;) {
        uint32_t code = 0;
        const size_t used = template_text_next(s->bytes, s->size, at, &code);
        status = build_character(run, b, ascii, s->bytes + at, used, code);
        at += used;
    }
    if (status == ONDOL_OK) status = template_spend(run, s->size / 4);
    return status == ONDOL_OK ? template_build(run, b, "\"", 1) : status;
}

static ondol_status build_double(template_run *run, template_builder *b, double value) {
    char text[TEMPLATE_NUMBER_BYTES];
    const size_t n = template_number_repr(value, text);
    if (strcmp(text, "nan") == 0) return template_build_text(run, b, "NaN");
    if (strcmp(text, "inf") == 0) return template_build_text(run, b, "Infinity");
    if (strcmp(text, "-inf") == 0) return template_build_text(run, b, "-Infinity");
    return template_build(run, b, text, n);
}

static ondol_status build_break(template_run *run, template_builder *b, const json_style *style,
                                size_t level) {
    if (!style->lines) return ONDOL_OK;
    const ondol_status status = template_build(run, b, "\n", 1);
    if (status != ONDOL_OK) return status;
    return template_build_repeat(run, b, style->indent, style->indent_bytes, level);
}

/* What stands before item `i` of a list or dict. */
static ondol_status build_separator(template_run *run, template_builder *b, const json_style *style,
                                    size_t i, size_t level) {
    const template_string *separator = style->item_separator;
    ondol_status status = ONDOL_OK;
    if (i > 0) status = template_build(run, b, separator->bytes, separator->size);
    return status == ONDOL_OK ? build_break(run, b, style, level) : status;
}

static ondol_status build_list(template_run *run, template_builder *b, const json_style *style,
                               const template_list *list, size_t level) {
    ondol_status status = ONDOL_OK;
    if (list->count == 0) return template_build_text(run, b, "[]");
    TRY(template_build(run, b, "[", 1));
    for (size_t i = 0; i < list->count; i++) {
        TRY(build_separator(run, b, style, i, level + 1));
        TRY(build_json(run, b, style, list->items[i], level + 1));
    }
    TRY(build_break(run, b, style, level));
    TRY(template_build(run, b, "]", 1));
done:
    return status;
}

static ondol_status build_key(template_run *run, template_builder *b, const json_style *style,
                              template_value key) {
    ondol_status status = ONDOL_OK;
    if (key.kind == TEMPLATE_STRING) return build_text(run, b, style->ascii, key.as.string);
    if (key.kind != TEMPLATE_NONE && !template_is_number(key)) {
        return template_fail(run, ONDOL_E_FORMAT,
                             "tojson: a key is a '%s', expected str, int, float, bool or none",
                             template_type_name(key));
    }
    TRY(template_build(run, b, "\"", 1));
    TRY(build_json(run, b, style, key, 0));
    TRY(template_build(run, b, "\"", 1));
done:
    return status;
}

/* The keys and the values of a dict, in the order that they are written. */
static ondol_status collect_pairs(template_run *run, const template_dict *dict, bool sorted,
                                  template_list **keys, template_list **values) {
    ondol_status status = template_make_list(run, TEMPLATE_FORM_LIST, dict->count, keys);
    TRY(status);
    TRY(template_make_list(run, TEMPLATE_FORM_LIST, dict->count, values));
    for (size_t i = 0; i < dict->used; i++) {
        if (dict->pairs[i].key.kind == TEMPLATE_ABSENT) continue;
        TRY(template_append(run, *keys, dict->pairs[i].key));
        TRY(template_append(run, *values, dict->pairs[i].value));
    }
    if (sorted) TRY(template_sort(run, (*keys)->items, (*values)->items, (*keys)->count, false));
done:
    return status;
}

static ondol_status build_dict(template_run *run, template_builder *b, const json_style *style,
                               const template_dict *dict, size_t level) {
    template_list *keys = NULL, *values = NULL;
    ondol_status status = ONDOL_OK;
    if (dict->count == 0) return template_build_text(run, b, "{}");
    TRY(collect_pairs(run, dict, style->sorted, &keys, &values));
    TRY(template_build(run, b, "{", 1));
    for (size_t i = 0; i < keys->count; i++) {
        TRY(build_separator(run, b, style, i, level + 1));
        TRY(build_key(run, b, style, keys->items[i]));
        TRY(template_build(run, b, style->key_separator->bytes, style->key_separator->size));
        TRY(build_json(run, b, style, values->items[i], level + 1));
    }
    TRY(build_break(run, b, style, level));
    TRY(template_build(run, b, "}", 1));
done:
    return status;
}

static bool is_array(template_value value) {
    return template_is_list(value) || template_is_tuple(value);
}

static ondol_status build_json(template_run *run, template_builder *b, const json_style *style,
                               template_value value, size_t level) {
    ondol_status status = template_enter(run);
    if (status != ONDOL_OK) return status;
    switch ((template_kind)value.kind) {
    case TEMPLATE_NONE: status = template_build_text(run, b, "null"); break;
    case TEMPLATE_BOOL:
        status = template_build_text(run, b, value.as.boolean ? "true" : "false");
        break;
    case TEMPLATE_INT: status = template_build_str(run, b, value); break;
    case TEMPLATE_DOUBLE: status = build_double(run, b, value.as.real); break;
    case TEMPLATE_STRING: status = build_text(run, b, style->ascii, value.as.string); break;
    case TEMPLATE_DICT: status = build_dict(run, b, style, value.as.dict, level); break;
    default:
        status = is_array(value) ? build_list(run, b, style, value.as.list, level)
                                 : template_fail(run, ONDOL_E_FORMAT,
                                                 "tojson: a value of type '%s' is not JSON",
                                                 template_type_name(value));
        break;
    }
    run->depth--;
    return status;
}

static bool is_given(template_value value) {
    return value.kind != TEMPLATE_ABSENT && value.kind != TEMPLATE_NONE;
}

static ondol_status read_indent(template_run *run, template_value indent, json_style *style) {
    template_builder b = {0};
    int64_t width = 0;
    ondol_status status = ONDOL_OK;
    style->indent = "";
    if (!is_given(indent)) return ONDOL_OK;
    style->lines = true;
    if (indent.kind == TEMPLATE_STRING) {
        style->indent = indent.as.string->bytes;
        style->indent_bytes = indent.as.string->size;
        return ONDOL_OK;
    }
    TRY(template_as_int(run, indent, "the indent of tojson", &width));
    TRY(template_build_repeat(run, &b, " ", 1, width > 0 ? (uint64_t)width : 0));
    if (b.size > 0) style->indent = b.data;
    style->indent_bytes = b.size;
done:
    return status;
}

static ondol_status read_separators(template_run *run, template_value given, json_style *style) {
    template_value item = template_none(), key = template_none();
    template_list *pair = NULL;
    ondol_status status = ONDOL_OK;
    if (is_given(given)) {
        TRY(template_collect(run, given, TEMPLATE_FORM_TUPLE, &pair));
        if (pair->count != 2) {
            return template_fail(run, ONDOL_E_FORMAT, "tojson: expected 2 separators, got %zu",
                                 pair->count);
        }
        item = pair->items[0];
        key = pair->items[1];
    } else {
        TRY(template_make_text(run, style->lines ? "," : ", ", &item));
        TRY(template_make_text(run, ": ", &key));
    }
    TRY(template_as_text(run, item, "the separator of tojson", &style->item_separator));
    TRY(template_as_text(run, key, "the separator of tojson", &style->key_separator));
done:
    return status;
}

static ondol_status filter_tojson(template_run *run, template_value self,
                                  const template_arguments *arguments, template_value *out) {
    template_builder b = {0};
    json_style style = {.ascii = template_truth(ARGUMENT(0)),
                        .sorted = template_truth(ARGUMENT(3))};
    ondol_status status = read_indent(run, ARGUMENT(1), &style);
    TRY(status);
    TRY(read_separators(run, ARGUMENT(2), &style));
    TRY(build_json(run, &b, &style, self, 0));
    TRY(template_build_finish(run, &b, out));
done:
    return status;
}

const template_builtin template_json_filters[] = {
    {"tojson", "| ensure_ascii indent separators sort_keys", filter_tojson},
    {NULL, NULL, NULL},
};
