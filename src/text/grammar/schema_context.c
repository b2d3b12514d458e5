/* What all parts of the schema translator use: faults with a JSON pointer, names, primitives, small
 * writers. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text/grammar/schema_internal.h"

ondol_status schema_fail(const schema_context *c, ondol_status status, const char *key,
                         const char *sentence) {
    const char *path = c->path.data ? c->path.data : "";
    return base_fail(c->err, status, "JSON schema, #%.300s%s%s: %s", path, key ? "/" : "",
                     key ? key : "", sentence);
}

ondol_status schema_unsupported(const schema_context *c, const char *key) {
    return schema_fail(c, ONDOL_E_UNSUPPORTED, key, "a grammar cannot honour this keyword");
}

static ondol_status path_add(schema_context *c, const char *key) {
    bool ok = base_buffer_append(&c->path, "/", 1);
    for (; ok && *key; key++) {
        if (*key == '~' || *key == '/') {
            ok = base_buffer_append_text(&c->path, *key == '~' ? "~0" : "~1");
        } else {
            ok = base_buffer_append(&c->path, key, 1);
        }
    }
    return schema_buffer(c, &c->path);
}

ondol_status schema_path_key(schema_context *c, const char *key, size_t *before) {
    *before = c->path.size;
    return path_add(c, key);
}

ondol_status schema_path_index(schema_context *c, size_t index, size_t *before) {
    char text[24];
    snprintf(text, sizeof text, "%zu", index);
    return schema_path_key(c, text, before);
}

void schema_path_back(schema_context *c, size_t before) {
    c->path.size = before;
    if (c->path.data) c->path.data[before] = 0;
}

ondol_status schema_buffer(const schema_context *c, const base_buffer *b) {
    return base_buffer_status(b, "the grammar of a JSON schema", c->err);
}

ondol_status schema_new_rule(schema_context *c, const char *hint, schema_rule *rule) {
    size_t n = 0;
    if (c->n_rules >= SCHEMA_RULES_MAX)
        return schema_fail(c, ONDOL_E_LIMIT, NULL, "the schema needs over 20000 rules");
    for (; *hint && n < 30; hint++) {
        if (grammar_is_word(*hint)) rule->name[n++] = *hint;
    }
    snprintf(rule->name + n, sizeof rule->name - n, "%s%" PRIu32, n ? "-" : "r", c->n_rules++);
    return ONDOL_OK;
}

ondol_status schema_write_rule(schema_context *c, const schema_rule *rule,
                               const base_buffer *body) {
    const ondol_status status = schema_buffer(c, body);
    if (status != ONDOL_OK) return status;
    base_buffer_append_format(c->out, "%s ::= ", rule->name);
    base_buffer_append_text(c->out, body->size ? body->data : "\"\"");
    base_buffer_append_text(c->out, "\n");
    return schema_buffer(c, c->out);
}

typedef struct primitive {
    const char *name, *body;
    unsigned uses; /* bits of the primitives that it names */
} primitive;

#define USES(x) (1u << (x))

/* The white space and the shapes of numbers, dates and identifiers are llama.cpp's. */
static const primitive primitives[SCHEMA_PRIMITIVE_COUNT] = {
    [SCHEMA_SPACE] = {"space", "| \" \" | \"\\n\"{1,2} [ \\t]{0,20}", 0},
    [SCHEMA_CHAR] = {"char",
                     "[^\"\\\\\\x7F\\x00-\\x1F] | \"\\\\\" ([\"\\\\bfnrt] | \"u\" "
                     "[0-9a-fA-F]{4})",
                     0},
    [SCHEMA_STRING] = {"string", "\"\\\"\" char* \"\\\"\"", USES(SCHEMA_CHAR)},
    [SCHEMA_INTEGRAL] = {"integral-part", "\"0\" | [1-9] [0-9]{0,15}", 0},
    [SCHEMA_FRACTION] = {"decimal-part", "\".\" [0-9]{1,16}", 0},
    [SCHEMA_INTEGER] = {"integer", "\"-\"? integral-part", USES(SCHEMA_INTEGRAL)},
    [SCHEMA_NUMBER] = {"number", "\"-\"? integral-part decimal-part? ([eE] [-+]? integral-part)?",
                       USES(SCHEMA_INTEGRAL) | USES(SCHEMA_FRACTION)},
    [SCHEMA_BOOLEAN] = {"boolean", "\"true\" | \"false\"", 0},
    [SCHEMA_NULL] = {"null", "\"null\"", 0},
    [SCHEMA_OBJECT] = {"object",
                       "\"{\" space (string space \":\" space value (\",\" space string space "
                       "\":\" space value)*)? space \"}\"",
                       USES(SCHEMA_STRING) | USES(SCHEMA_VALUE) | USES(SCHEMA_SPACE)},
    [SCHEMA_ARRAY] = {"array", "\"[\" space (value (\",\" space value)*)? space \"]\"",
                      USES(SCHEMA_VALUE) | USES(SCHEMA_SPACE)},
    [SCHEMA_VALUE] = {"value", "object | array | string | number | boolean | null",
                      USES(SCHEMA_OBJECT) | USES(SCHEMA_ARRAY) | USES(SCHEMA_STRING) |
                          USES(SCHEMA_NUMBER) | USES(SCHEMA_BOOLEAN) | USES(SCHEMA_NULL)},
    [SCHEMA_DATE] = {"date",
                     "[0-9]{4} \"-\" (\"0\" [1-9] | \"1\" [0-2]) \"-\" (\"0\" [1-9] | [12] [0-9] "
                     "| \"3\" [01])",
                     0},
    [SCHEMA_TIME] = {"time",
                     "([01] [0-9] | \"2\" [0-3]) \":\" [0-5] [0-9] \":\" [0-5] [0-9] (\".\" "
                     "[0-9]{3})? (\"Z\" | [-+] ([01] [0-9] | \"2\" [0-3]) \":\" [0-5] [0-9])",
                     0},
    [SCHEMA_DATE_TIME] = {"date-time", "date \"T\" time", USES(SCHEMA_DATE) | USES(SCHEMA_TIME)},
    [SCHEMA_UUID] = {"uuid", "[0-9a-fA-F]{8} \"-\" ([0-9a-fA-F]{4} \"-\"){3} [0-9a-fA-F]{12}", 0}};

ondol_status schema_use(schema_context *c, schema_primitive primitive_id, const char **name) {
    unsigned todo = USES(primitive_id);
    *name = primitives[primitive_id].name;
    while (todo) {
        const unsigned bits = todo;
        todo = 0;
        for (unsigned i = 0; i < SCHEMA_PRIMITIVE_COUNT; i++) {
            if (!(bits & USES(i)) || c->written[i]) continue;
            c->written[i] = true;
            todo |= primitives[i].uses;
            base_buffer_append_format(c->out, "%s ::= %s\n", primitives[i].name,
                                      primitives[i].body);
        }
    }
    return schema_buffer(c, c->out);
}

ondol_status schema_count(const schema_context *c, const json_t *flat, const char *key,
                          size_t fallback, size_t *out) {
    const json_t *value = json_object_get(flat, key);
    *out = fallback;
    if (!value) return ONDOL_OK;
    const double number = json_is_number(value) ? json_number_value(value) : -1;
    if (number < 0 || number != (double)(uint64_t)(number < 1e15 ? number : 0))
        return schema_fail(c, ONDOL_E_FORMAT, key, "expected a whole number from 0 to 1e15");
    *out = (size_t)number;
    return ONDOL_OK;
}

bool schema_append_literal(base_buffer *b, const char *text, size_t n) {
    base_buffer_append_text(b, "\"");
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            base_buffer_append_format(b, "\\%c", c);
        } else if (c < 0x20) {
            base_buffer_append_format(b, "\\x%02X", c);
        } else {
            base_buffer_append(b, text + i, 1);
        }
    }
    return base_buffer_append_text(b, "\"");
}

bool schema_append_times(base_buffer *b, size_t min, size_t max) {
    if (max == SIZE_MAX && min == 0) return base_buffer_append_text(b, "*");
    if (max == SIZE_MAX && min == 1) return base_buffer_append_text(b, "+");
    if (max == SIZE_MAX) return base_buffer_append_format(b, "{%zu,}", min);
    if (min == 0 && max == 1) return base_buffer_append_text(b, "?");
    return base_buffer_append_format(b, "{%zu,%zu}", min, max);
}

void schema_print_real(double value, char *out, size_t out_bytes) {
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, out_bytes, "%.*g", digits, value);
        if (strtod(out, NULL) == value) break;
    }
    for (char *p = out; *p; p++) {
        if (*p == ',') *p = '.'; /* a locale's */
    }
    if (!strpbrk(out, ".e")) {
        const size_t n = strlen(out);
        snprintf(out + n, out_bytes - n, ".0");
    }
}

bool schema_decimal_of(const json_t *number, schema_decimal *out) {
    char text[64], digits[64];
    size_t n = 0;
    long point = 0;
    if (json_is_integer(number)) {
        snprintf(text, sizeof text, "%" JSON_INTEGER_FORMAT, json_integer_value(number));
    } else {
        schema_print_real(json_real_value(number), text, sizeof text);
    }
    const char *p = text;
    *out = (schema_decimal){.negative = *p == '-'};
    if (*p == '-') p++;
    bool behind = false;
    for (; *p && *p != 'e'; p++) {
        if (*p == '.') {
            behind = true;
        } else {
            digits[n++] = *p;
            point += !behind;
        }
    }
    if (*p == 'e') point += strtol(p + 1, NULL, 10);
    while (n > 0 && digits[n - 1] == '0')
        n--;
    size_t first = 0;
    for (; first < n && digits[first] == '0'; first++)
        point--;
    const long left = (long)(n - first);
    if (left == 0) point = 0;
    if (point > 18 || left - point > 30) return false;
    size_t whole = 0, fraction = 0;
    for (long i = point < 0 ? point : 0; i < left || i < point; i++) {
        const char digit = i >= 0 && i < left ? digits[first + (size_t)i] : '0';
        if (i < point) {
            out->whole[whole++] = digit;
        } else {
            out->fraction[fraction++] = digit;
        }
    }
    if (whole == 0) out->whole[0] = '0';
    if (left == 0) out->negative = false;
    return true;
}

/* Appends text[0..n) as a JSON string. */
static bool append_string(base_buffer *b, const char *text, size_t n) {
    static const char short_from[] = "\"\\\b\f\n\r\t", short_to[] = "\"\\bfnrt";
    base_buffer_append_text(b, "\"");
    for (size_t i = 0; i < n; i++) {
        const char c = text[i];
        const char *at = c ? strchr(short_from, c) : NULL;
        if (at) {
            base_buffer_append_format(b, "\\%c", short_to[at - short_from]);
        } else if ((unsigned char)c < 0x20) {
            base_buffer_append_format(b, "\\u%04x", (unsigned char)c);
        } else {
            base_buffer_append(b, &c, 1);
        }
    }
    return base_buffer_append_text(b, "\"");
}

static ondol_status append_json(schema_context *c, base_buffer *b, const json_t *value,
                                uint32_t depth) {
    ondol_status status = ONDOL_OK;
    char text[64];
    const char *key = NULL;
    json_t *item = NULL;
    size_t i = 0;
    if (depth > SCHEMA_DEPTH_MAX)
        return schema_fail(c, ONDOL_E_LIMIT, NULL, "nested over 100 deep");
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        base_buffer_append_text(b, "{");
        json_object_foreach((json_t *)value, key, item) {
            if (i++) base_buffer_append_text(b, ",");
            append_string(b, key, strlen(key));
            base_buffer_append_text(b, ":");
            TRY(append_json(c, b, item, depth + 1));
        }
        base_buffer_append_text(b, "}");
        break;
    case JSON_ARRAY:
        base_buffer_append_text(b, "[");
        json_array_foreach(value, i, item) {
            if (i) base_buffer_append_text(b, ",");
            TRY(append_json(c, b, item, depth + 1));
        }
        base_buffer_append_text(b, "]");
        break;
    case JSON_STRING: append_string(b, json_string_value(value), json_string_length(value)); break;
    case JSON_INTEGER:
        base_buffer_append_format(b, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        schema_print_real(json_real_value(value), text, sizeof text);
        base_buffer_append_text(b, text);
        break;
    case JSON_TRUE: base_buffer_append_text(b, "true"); break;
    case JSON_FALSE: base_buffer_append_text(b, "false"); break;
    case JSON_NULL: base_buffer_append_text(b, "null"); break;
    }
    status = schema_buffer(c, b);
done:
    return status;
}

ondol_status schema_append_json(schema_context *c, base_buffer *b, const json_t *value) {
    return append_json(c, b, value, 0);
}
