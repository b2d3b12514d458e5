/* Strings and lists of values -> GBNF: lengths, formats, patterns; enum and const. */
#include <string.h>

#include "base/utf8.h"
#include "text/grammar/schema_internal.h"

/* The formats that are shapes, with their lengths in characters; any other is a note. */
static bool shape_of(const json_t *format, schema_primitive *primitive, size_t *min, size_t *max) {
    static const struct {
        const char *name;
        schema_primitive primitive;
        size_t min, max;
    } table[] = {{"date", SCHEMA_DATE, 10, 10},           {"time", SCHEMA_TIME, 9, 18},
                 {"date-time", SCHEMA_DATE_TIME, 20, 29}, {"uuid", SCHEMA_UUID, 36, 36},
                 {"uuid1", SCHEMA_UUID, 36, 36},          {"uuid2", SCHEMA_UUID, 36, 36},
                 {"uuid3", SCHEMA_UUID, 36, 36},          {"uuid4", SCHEMA_UUID, 36, 36},
                 {"uuid5", SCHEMA_UUID, 36, 36}};
    for (size_t i = 0; format && i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].name, json_string_value(format)) != 0) continue;
        *primitive = table[i].primitive;
        *min = table[i].min;
        *max = table[i].max;
        return true;
    }
    return false;
}

ondol_status schema_string(schema_context *c, const json_t *flat, base_buffer *body) {
    ondol_status status = ONDOL_OK;
    const json_t *pattern = json_object_get(flat, "pattern");
    const json_t *format = json_object_get(flat, "format");
    size_t min = 0, max = 0, shape_min = 0, shape_max = SIZE_MAX;
    schema_primitive primitive = SCHEMA_STRING;
    const char *name = NULL;
    TRY(schema_count(c, flat, "minLength", 0, &min));
    TRY(schema_count(c, flat, "maxLength", SIZE_MAX, &max));
    if (min > max) TRY(schema_fail(c, ONDOL_E_UNSUPPORTED, "minLength", "no string is so long"));
    if (pattern && !json_is_string(pattern))
        TRY(schema_fail(c, ONDOL_E_FORMAT, "pattern", "expected a string"));
    if (format && !json_is_string(format))
        TRY(schema_fail(c, ONDOL_E_FORMAT, "format", "expected a string"));
    const bool shape = shape_of(format, &primitive, &shape_min, &shape_max);
    if (pattern && shape) TRY(schema_fail(c, ONDOL_E_UNSUPPORTED, "pattern", "beside a format"));
    base_buffer_append_text(body, "\"\\\"\" ");
    if (pattern) {
        TRY(schema_pattern(c, json_string_value(pattern), json_string_length(pattern), body,
                           &shape_min, &shape_max));
    } else {
        TRY(schema_use(c, shape ? primitive : SCHEMA_CHAR, &name));
        base_buffer_append_text(body, name);
        if (!shape && max == 0) {
            base_buffer_append_text(body, "{0}");
        } else if (!shape) {
            schema_append_times(body, min, max);
        }
    }
    if ((pattern || shape) && (shape_min < min || shape_max > max))
        TRY(schema_fail(c, ONDOL_E_UNSUPPORTED, shape_min < min ? "minLength" : "maxLength",
                        "a grammar cannot count beside a pattern or format"));
    base_buffer_append_text(body, " \"\\\"\"");
    status = schema_buffer(c, body);
done:
    return status;
}

/* ---- enum ---- */

static bool is_whole(const json_t *value) {
    if (json_is_integer(value)) return true;
    schema_decimal d;
    return json_is_real(value) && schema_decimal_of(value, &d) && d.fraction[0] == 0;
}

static bool has_value_type(const json_t *types, const json_t *value) {
    size_t i = 0;
    const json_t *item = NULL;
    if (!types) return true;
    json_array_foreach(types, i, item) {
        const char *name = json_string_value(item);
        if ((json_is_object(value) && strcmp(name, "object") == 0) ||
            (json_is_array(value) && strcmp(name, "array") == 0) ||
            (json_is_string(value) && strcmp(name, "string") == 0) ||
            (json_is_number(value) && strcmp(name, "number") == 0) ||
            (is_whole(value) && strcmp(name, "integer") == 0) ||
            (json_is_boolean(value) && strcmp(name, "boolean") == 0) ||
            (json_is_null(value) && strcmp(name, "null") == 0))
            return true;
    }
    return false;
}

static size_t characters(const json_t *string) {
    const char *p = json_string_value(string);
    size_t n = 0;
    for (size_t i = 0; i < json_string_length(string); i++)
        n += ((unsigned char)p[i] & 0xc0) != 0x80;
    return n;
}

static bool within(const json_t *flat, const char *min, const char *max, double value) {
    const json_t *low = json_object_get(flat, min), *high = json_object_get(flat, max);
    return (!low || value >= json_number_value(low)) && (!high || value <= json_number_value(high));
}

static bool fits_number(const json_t *flat, const json_t *value) {
    const json_t *low = json_object_get(flat, "exclusiveMinimum");
    const json_t *high = json_object_get(flat, "exclusiveMaximum");
    const double number = json_number_value(value);
    return within(flat, "minimum", "maximum", number) &&
           (!low || number > json_number_value(low)) && (!high || number < json_number_value(high));
}

/* What beside an enum restricts values of this type and cannot be tried here. */
static const char *untried(const json_t *flat, const json_t *value) {
    static const char *const of_strings[] = {"pattern", NULL};
    static const char *const of_numbers[] = {"multipleOf", NULL};
    static const char *const of_arrays[] = {"items", "prefixItems", "additionalItems",
                                            "uniqueItems", NULL};
    static const char *const of_objects[] = {"properties", "required", "additionalProperties",
                                             NULL};
    const char *const *keys = json_is_string(value)   ? of_strings
                              : json_is_number(value) ? of_numbers
                              : json_is_array(value)  ? of_arrays
                              : json_is_object(value) ? of_objects
                                                      : of_strings + 1;
    for (; *keys; keys++) {
        if (json_object_get(flat, *keys)) return *keys;
    }
    return NULL;
}

/* Whether the other keywords allow a value of the enum. */
static bool fits(const json_t *flat, const json_t *value) {
    if (!has_value_type(json_object_get(flat, "type"), value)) return false;
    if (json_is_string(value))
        return within(flat, "minLength", "maxLength", (double)characters(value));
    if (json_is_number(value)) return fits_number(flat, value);
    if (json_is_array(value))
        return within(flat, "minItems", "maxItems", (double)json_array_size(value));
    if (json_is_object(value))
        return within(flat, "minProperties", "maxProperties", (double)json_object_size(value));
    return true;
}

ondol_status schema_enum(schema_context *c, const json_t *flat, base_buffer *body) {
    ondol_status status = ONDOL_OK;
    base_buffer text;
    size_t i = 0, n = 0;
    const json_t *value = NULL;
    base_buffer_init(&text, c->allocator, SCHEMA_OUTPUT_MAX);
    json_array_foreach(json_object_get(flat, "enum"), i, value) {
        if (!fits(flat, value)) continue;
        const char *key = untried(flat, value);
        if (key) TRY(schema_fail(c, ONDOL_E_UNSUPPORTED, key, "beside enum or const"));
        text.size = 0;
        TRY(schema_append_json(c, &text, value));
        base_buffer_append_text(body, n++ ? " | " : "");
        schema_append_literal(body, text.data, text.size);
    }
    if (n == 0) TRY(schema_fail(c, ONDOL_E_UNSUPPORTED, "enum", "none of the values is allowed"));
    status = schema_buffer(c, body);
done:
    base_buffer_destroy(&text);
    return status;
}
