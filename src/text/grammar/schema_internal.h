/* JSON schema -> GBNF: what its parts share. */
#ifndef TEXT_SCHEMA_INTERNAL_H
#define TEXT_SCHEMA_INTERNAL_H

#include <jansson.h>

#include "text/grammar/grammar_internal.h"

#define SCHEMA_DEPTH_MAX        100u
#define SCHEMA_RULES_MAX        20000u
#define SCHEMA_MERGES_MAX       20000u
#define SCHEMA_ALTERNATIVES_MAX 256u
#define SCHEMA_OUTPUT_MAX       ((size_t)4 << 20)
#define SCHEMA_DIGITS           16u /* of an integer or fraction that no bound limits */

/* Rules that are written once, when first used. */
typedef enum schema_primitive {
    SCHEMA_SPACE,
    SCHEMA_CHAR,
    SCHEMA_STRING,
    SCHEMA_INTEGRAL,
    SCHEMA_FRACTION,
    SCHEMA_INTEGER,
    SCHEMA_NUMBER,
    SCHEMA_BOOLEAN,
    SCHEMA_NULL,
    SCHEMA_OBJECT,
    SCHEMA_ARRAY,
    SCHEMA_VALUE,
    SCHEMA_DATE,
    SCHEMA_TIME,
    SCHEMA_DATE_TIME,
    SCHEMA_UUID,
    SCHEMA_PRIMITIVE_COUNT
} schema_primitive;

/* A rule's name, ended by 0. */
typedef struct schema_rule {
    char name[48];
} schema_rule;

typedef struct schema_ref {
    const json_t *target;
    schema_rule rule;
} schema_ref;

/* Thread class: one thread at a time. */
typedef struct schema_context {
    const ondol_allocator *allocator;
    json_t *root;
    base_buffer *out; /* whole rules */
    base_buffer path; /* JSON pointer of what is being read */
    ondol_error *err;
    schema_ref *refs;
    size_t n_refs, ref_capacity;
    uint32_t n_rules, n_merged, depth;
    bool written[SCHEMA_PRIMITIVE_COUNT];
} schema_context;

/* FORMAT or UNSUPPORTED: "JSON schema, #/path/key: ...". key may be NULL. */
ondol_status schema_fail(const schema_context *c, ondol_status status, const char *key,
                         const char *sentence);

/* "UNSUPPORTED: key: cannot be honoured". */
ondol_status schema_unsupported(const schema_context *c, const char *key);

/* Adds "/key" or "/index" to the path; the length before is for schema_path_back. */
ondol_status schema_path_key(schema_context *c, const char *key, size_t *before);
ondol_status schema_path_index(schema_context *c, size_t index, size_t *before);
void schema_path_back(schema_context *c, size_t before);

/* The status of a buffer written to, with err filled. */
ondol_status schema_buffer(const schema_context *c, const base_buffer *b);

/* A name not used before, made of hint's letters and digits. Errors: LIMIT. */
ondol_status schema_new_rule(schema_context *c, const char *hint, schema_rule *rule);

/* Writes "name ::= body". */
ondol_status schema_write_rule(schema_context *c, const schema_rule *rule, const base_buffer *body);

/* The name of a primitive's rule; writes it and what it uses when needed. */
ondol_status schema_use(schema_context *c, schema_primitive primitive, const char **name);

/* A rule for all documents that schema allows. Errors: all of text_grammar_schema_to_gbnf. */
ondol_status schema_visit(schema_context *c, const json_t *schema, const char *hint,
                          schema_rule *rule);

/* What "$ref" in `schema` points to.
 * Errors: FORMAT, UNSUPPORTED. */
ondol_status schema_resolve(const schema_context *c, const json_t *ref, const json_t **target);

/* ---- schema_merge.c ---- */

/* *out: a new array of objects without $ref, allOf, anyOf, oneOf, of which together they mean what
 * schema means; `type` is a list or absent, const became enum. Errors: as schema_visit. */
ondol_status schema_flatten(schema_context *c, const json_t *schema, json_t **out);

/* ---- one file each: flat schema -> GBNF appended to body ---- */

ondol_status schema_object(schema_context *c, const json_t *flat, base_buffer *body);
ondol_status schema_array(schema_context *c, const json_t *flat, base_buffer *body);
ondol_status schema_string(schema_context *c, const json_t *flat, base_buffer *body);
ondol_status schema_integer(schema_context *c, const json_t *flat, base_buffer *body);
ondol_status schema_number(schema_context *c, const json_t *flat, base_buffer *body);
ondol_status schema_enum(schema_context *c, const json_t *flat, base_buffer *body);

/* *min, *max (SIZE_MAX: none): the shortest and longest text in characters. */
ondol_status schema_pattern(schema_context *c, const char *pattern, size_t n, base_buffer *body,
                            size_t *min, size_t *max);

/* ---- small writers ---- */

/* A number of `flat` that must be a count: *out, or fallback when it is absent. Errors: FORMAT. */
ondol_status schema_count(const schema_context *c, const json_t *flat, const char *key,
                          size_t fallback, size_t *out);

/* Appends text[0..n) as a GBNF literal. */
bool schema_append_literal(base_buffer *b, const char *text, size_t n);

/* Appends value as compact JSON. Errors: LIMIT (nesting), MEMORY. */
ondol_status schema_append_json(schema_context *c, base_buffer *b, const json_t *value);

/* Appends {min,max} as short as GBNF has it; max SIZE_MAX: none. */
bool schema_append_times(base_buffer *b, size_t min, size_t max);

/* A number as decimal digits: sign, whole part, fraction without zeros at its end. */
typedef struct schema_decimal {
    bool negative;
    char whole[24], fraction[40];
} schema_decimal;

/* False for what needs over 18 digits before the point or 30 behind. */
bool schema_decimal_of(const json_t *number, schema_decimal *out);

/* Appends the digits from..to, a group of the whole numbers low..high (high UINT64_MAX: of up to
 * SCHEMA_DIGITS digits, or low's). */
void schema_append_digit(base_buffer *b, char from, char to);
void schema_append_whole(base_buffer *b, uint64_t low, uint64_t high);

/* *whole: multipleOf is 1. Errors: UNSUPPORTED for any other. */
ondol_status schema_check_multiple(const schema_context *c, const json_t *flat, bool *whole);

/* Digits that read back as the same value, as JSON has numbers. */
void schema_print_real(double value, char *out, size_t out_bytes);

#endif
