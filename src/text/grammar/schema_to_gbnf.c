/* JSON schema -> GBNF: one rule for each schema that is met; a $ref becomes a call of its target's
 * rule, so that schemas may be recursive. */
#include <string.h>

#include "text/grammar/schema_internal.h"

/* A JSON pointer's part: %HH, ~0 and ~1 taken back. */
static bool read_part(const char *text, size_t n, base_buffer *out) {
    out->size = 0;
    if (!base_buffer_append(out, "", 0)) return false;
    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (c == '~' && i + 1 < n) {
            c = text[++i] == '1' ? '/' : '~';
        } else if (c == '%' && i + 2 < n) {
            static const char digits[] = "0123456789abcdef0123456789ABCDEF";
            const char *high = strchr(digits, text[i + 1]), *low = strchr(digits, text[i + 2]);
            if (high && low && *high && *low) {
                c = (char)(((high - digits) & 15) << 4 | ((low - digits) & 15));
                i += 2;
            }
        }
        if (!base_buffer_append(out, &c, 1)) return false;
    }
    return true;
}

static const json_t *child(const json_t *parent, const base_buffer *part) {
    if (json_is_object(parent)) return json_object_get(parent, part->data);
    if (!json_is_array(parent) || part->size == 0 || part->size > 9) return NULL;
    size_t index = 0;
    for (size_t i = 0; i < part->size; i++) {
        if (part->data[i] < '0' || part->data[i] > '9') return NULL;
        index = index * 10 + (size_t)(part->data[i] - '0');
    }
    return json_array_get(parent, index);
}

ondol_status schema_resolve(const schema_context *c, const json_t *ref, const json_t **target) {
    ondol_status status = ONDOL_OK;
    base_buffer part;
    base_buffer_init(&part, c->allocator, SCHEMA_OUTPUT_MAX);
    if (!json_is_string(ref)) TRY(schema_fail(c, ONDOL_E_FORMAT, "$ref", "expected a string"));
    const char *p = json_string_value(ref);
    if (p[0] != '#' || (p[1] != 0 && p[1] != '/'))
        TRY(schema_fail(c, ONDOL_E_UNSUPPORTED, "$ref",
                        "only references into this document, \"#/...\", are followed"));
    const json_t *at = c->root;
    for (p++; *p == '/' && at;) {
        const char *end = strchr(++p, '/');
        const size_t n = end ? (size_t)(end - p) : strlen(p);
        if (!read_part(p, n, &part)) TRY(schema_buffer(c, &part));
        at = child(at, &part);
        p += n;
    }
    if (!at) TRY(schema_fail(c, ONDOL_E_FORMAT, "$ref", "the document has nothing there"));
    *target = at;
done:
    base_buffer_destroy(&part);
    return status;
}

/* ---- one flat alternative ---- */

typedef struct type_keys {
    const char *type;
    const char *keys[8];
} type_keys;

/* Keywords that say a type where none is named. */
static const type_keys implied[] = {
    {"object",
     {"properties", "required", "additionalProperties", "minProperties", "maxProperties"}},
    {"array", {"items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems"}},
    {"string", {"pattern", "minLength", "maxLength", "format"}},
    {"number", {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}}};

/* A format that is but a note says nothing about the type. */
static bool implies(const json_t *flat, const char *key) {
    static const char *const shapes[] = {"date",  "time",  "date-time", "uuid", "uuid1",
                                         "uuid2", "uuid3", "uuid4",     "uuid5"};
    const json_t *value = json_object_get(flat, key);
    if (!value) return false;
    if (strcmp(key, "format") != 0) return true;
    for (size_t i = 0; json_is_string(value) && i < sizeof shapes / sizeof shapes[0]; i++) {
        if (strcmp(shapes[i], json_string_value(value)) == 0) return true;
    }
    return !json_is_string(value);
}

static bool names_type(const json_t *flat, const char *type) {
    const json_t *types = json_object_get(flat, "type");
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(types, i, item) {
        if (strcmp(json_string_value(item), type) == 0) return true;
    }
    if (types) return false;
    for (i = 0; i < sizeof implied / sizeof implied[0]; i++) {
        if (strcmp(implied[i].type, type) != 0) continue;
        for (size_t k = 0; implied[i].keys[k]; k++) {
            if (implies(flat, implied[i].keys[k])) return true;
        }
    }
    return false;
}

static ondol_status append_primitive(schema_context *c, schema_primitive primitive,
                                     base_buffer *body) {
    const char *name = NULL;
    const ondol_status status = schema_use(c, primitive, &name);
    if (status != ONDOL_OK) return status;
    base_buffer_append_text(body, name);
    return schema_buffer(c, body);
}

static ondol_status append_boolean(schema_context *c, const json_t *flat, base_buffer *body) {
    (void)flat;
    return append_primitive(c, SCHEMA_BOOLEAN, body);
}

static ondol_status append_null(schema_context *c, const json_t *flat, base_buffer *body) {
    (void)flat;
    return append_primitive(c, SCHEMA_NULL, body);
}

/* All that one alternative allows, as alternatives of GBNF. */
static ondol_status append_flat(schema_context *c, const json_t *flat, base_buffer *body) {
    static const struct {
        const char *type;
        ondol_status (*append)(schema_context *, const json_t *, base_buffer *);
    } types[] = {{"object", schema_object},   {"array", schema_array},
                 {"string", schema_string},   {"number", schema_number},
                 {"integer", schema_integer}, {"boolean", append_boolean},
                 {"null", append_null}};
    ondol_status status = ONDOL_OK;
    size_t n = 0;
    if (json_object_get(flat, "enum")) {
        TRY(schema_enum(c, flat, body));
        goto nullable;
    }
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (!names_type(flat, types[i].type)) continue;
        if (strcmp(types[i].type, "integer") == 0 && names_type(flat, "number")) continue;
        base_buffer_append_text(body, n++ ? " | " : "");
        TRY(types[i].append(c, flat, body));
    }
    if (n == 0) TRY(append_primitive(c, SCHEMA_VALUE, body));
nullable:
    if (json_is_true(json_object_get(flat, "nullable")) && (n == 0 || !names_type(flat, "null"))) {
        base_buffer_append_text(body, " | ");
        TRY(append_null(c, flat, body));
    }
done:
    return status;
}

/* ---- any schema ---- */

/* The only keyword that says something, NULL when there are more or none. */
static const char *only_keyword(const json_t *schema) {
    static const char *const notes[] = {"title",       "description", "default",  "examples",
                                        "$schema",     "$id",         "$comment", "$defs",
                                        "definitions", "deprecated",  "readOnly", "writeOnly"};
    const char *key = NULL, *only = NULL;
    const json_t *value = NULL;
    json_object_foreach((json_t *)schema, key, value) {
        bool note = false;
        for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++)
            note = note || strcmp(notes[i], key) == 0;
        if (note) continue;
        if (only) return NULL;
        only = key;
    }
    return only;
}

static ondol_status append_schema(schema_context *c, const json_t *schema, base_buffer *body);

/* The rule of what "$ref" points to, written when first met. */
static ondol_status append_ref(schema_context *c, const json_t *ref, base_buffer *body) {
    ondol_status status = ONDOL_OK;
    const json_t *target = NULL;
    base_buffer inner;
    base_buffer_init(&inner, c->allocator, SCHEMA_OUTPUT_MAX);
    TRY(schema_resolve(c, ref, &target));
    for (size_t i = 0; i < c->n_refs; i++) {
        if (c->refs[i].target != target) continue;
        base_buffer_append_text(body, c->refs[i].rule.name);
        status = schema_buffer(c, body);
        goto done;
    }
    schema_ref *refs =
        grammar_grow(c->allocator, c->refs, &c->ref_capacity, c->n_refs + 1, sizeof *refs);
    if (!refs) TRY(base_no_memory(c->err, "a JSON schema", c->n_refs * sizeof *refs));
    c->refs = refs;
    const char *slash = strrchr(json_string_value(ref), '/');
    schema_rule rule;
    TRY(schema_new_rule(c, slash ? slash + 1 : "document", &rule));
    refs[c->n_refs++] = (schema_ref){target, rule};
    TRY(append_schema(c, target, &inner));
    TRY(schema_write_rule(c, &rule, &inner));
    base_buffer_append_text(body, rule.name);
    status = schema_buffer(c, body);
done:
    base_buffer_destroy(&inner);
    return status;
}

static ondol_status append_union(schema_context *c, const char *key, const json_t *branches,
                                 base_buffer *body) {
    ondol_status status = ONDOL_OK;
    size_t i = 0, before = 0, inner = 0, n = 0;
    const json_t *branch = NULL;
    if (!json_is_array(branches) || json_array_size(branches) == 0)
        TRY(schema_fail(c, ONDOL_E_FORMAT, key, "expected a list of schemas"));
    TRY(schema_path_key(c, key, &before));
    json_array_foreach(branches, i, branch) {
        schema_rule rule;
        if (json_is_false(branch)) continue;
        TRY(schema_path_index(c, i, &inner));
        TRY(schema_visit(c, branch, "alternative", &rule));
        schema_path_back(c, inner);
        base_buffer_append_format(body, "%s%s", n++ ? " | " : "", rule.name);
    }
    schema_path_back(c, before);
    if (n == 0) TRY(schema_fail(c, ONDOL_E_UNSUPPORTED, key, "nothing satisfies this"));
    status = schema_buffer(c, body);
done:
    return status;
}

static ondol_status append_flattened(schema_context *c, const json_t *schema, base_buffer *body) {
    ondol_status status = ONDOL_OK;
    json_t *alternatives = NULL;
    size_t i = 0;
    const json_t *flat = NULL;
    TRY(schema_flatten(c, schema, &alternatives));
    if (json_array_size(alternatives) == 0)
        TRY(schema_fail(c, ONDOL_E_UNSUPPORTED, NULL, "nothing satisfies this schema"));
    json_array_foreach(alternatives, i, flat) {
        base_buffer_append_text(body, i ? " | " : "");
        TRY(append_flat(c, flat, body));
    }
done:
    json_decref(alternatives);
    return status;
}

/* Recursion is capped by c->depth. */
static ondol_status append_schema(schema_context *c, const json_t *schema, base_buffer *body) {
    ondol_status status = ONDOL_OK;
    if (json_is_true(schema)) return append_primitive(c, SCHEMA_VALUE, body);
    if (c->depth >= SCHEMA_DEPTH_MAX)
        return schema_fail(c, ONDOL_E_LIMIT, NULL, "schemas within schemas over 100 deep");
    c->depth++;
    const char *only = json_is_object(schema) ? only_keyword(schema) : NULL;
    const json_t *value = only ? json_object_get(schema, only) : NULL;
    if (only && strcmp(only, "$ref") == 0) {
        TRY(append_ref(c, value, body));
    } else if (only && (strcmp(only, "anyOf") == 0 || strcmp(only, "oneOf") == 0)) {
        TRY(append_union(c, only, value, body));
    } else if (only && strcmp(only, "allOf") == 0 && json_array_size(value) == 1) {
        TRY(append_schema(c, json_array_get(value, 0), body));
    } else {
        TRY(append_flattened(c, schema, body));
    }
    c->depth--;
done:
    return status;
}

ondol_status schema_visit(schema_context *c, const json_t *schema, const char *hint,
                          schema_rule *rule) {
    ondol_status status = ONDOL_OK;
    base_buffer body;
    base_buffer_init(&body, c->allocator, SCHEMA_OUTPUT_MAX);
    TRY(append_schema(c, schema, &body));
    TRY(schema_new_rule(c, hint, rule));
    TRY(schema_write_rule(c, rule, &body));
done:
    base_buffer_destroy(&body);
    return status;
}

/* ---- whole documents ---- */

static ondol_status load(schema_context *c, const char *json, size_t n) {
    json_error_t fault;
    if (n > GRAMMAR_SOURCE_MAX)
        return base_fail(c->err, ONDOL_E_LIMIT, "JSON schema: %zu bytes, at most %u", n,
                         GRAMMAR_SOURCE_MAX);
    c->root = json_loadb(json, n, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, &fault);
    if (c->root) return ONDOL_OK;
    if (json_error_code(&fault) == json_error_out_of_memory)
        return base_no_memory(c->err, "a JSON schema", n);
    return base_fail(c->err, ONDOL_E_FORMAT, "JSON schema, line %d, column %d: %s", fault.line,
                     fault.column, fault.text);
}

ondol_status text_grammar_schema_to_gbnf(const ondol_allocator *allocator, const char *json,
                                         size_t n, base_buffer *out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    schema_context c = {.allocator = allocator, .out = out, .err = err};
    schema_rule rule;
    base_buffer_init(&c.path, allocator, (size_t)1 << 16);
    TRY(load(&c, json, n));
    TRY(schema_visit(&c, c.root, "schema", &rule));
    base_buffer_append_format(out, "root ::= %s\n", rule.name);
    TRY(schema_buffer(&c, out));
done:
    json_decref(c.root);
    base_buffer_destroy(&c.path);
    base_free(allocator, c.refs);
    return status;
}

ondol_status text_grammar_from_json_schema(const ondol_allocator *allocator, const char *json,
                                           size_t n, text_grammar **out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    base_buffer source;
    *out = NULL;
    base_buffer_init(&source, allocator, SCHEMA_OUTPUT_MAX);
    TRY(text_grammar_schema_to_gbnf(allocator, json, n, &source, err));
    status = text_grammar_parse_gbnf(allocator, source.data, source.size, out, err);
    if (status != ONDOL_OK) base_prefix(err, status, "JSON schema, as a grammar");
done:
    base_buffer_destroy(&source);
    return status;
}
