/* Objects -> GBNF: properties in their order, each there or not, commas only between them; other
 * keys spelled so that they are none of the named ones. */
#include <string.h>

#include "base/utf8.h"
#include "text/grammar/schema_internal.h"

typedef struct object_part {
    schema_rule kv; /* "key": value */
    bool required;
} object_part;

typedef struct object {
    object_part *parts;
    size_t n, n_required;
    bool open; /* other keys may follow */
    schema_rule other;
    size_t min_properties, max_properties;
} object;

static bool is_required(const json_t *flat, const char *key) {
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(json_object_get(flat, "required"), i, item) {
        if (strcmp(json_string_value(item), key) == 0) return true;
    }
    return false;
}

/* ---- keys that are none of the named ones ---- */

/* Writes the rest of a key that has met names[first..last), all alike up to `at`, which are sorted
 * and spelled as JSON: the text may end unless a name does, go on as one of them, or leave them. */
static ondol_status other_key(schema_context *c, base_buffer *b, const char *const *names,
                              size_t first, size_t last, size_t at) {
    ondol_status status = ONDOL_OK;
    bool ends = false;
    const char *chars = NULL;
    TRY(schema_use(c, SCHEMA_CHAR, &chars));
    if (at > 120) TRY(schema_fail(c, ONDOL_E_LIMIT, NULL, "a property's name of over 120 bytes"));
    for (; first < last && names[first][at] == 0; first++)
        ends = true;
    base_buffer_append_text(b, "(");
    if (first == last) {
        base_buffer_append_format(b, "%s%s)", chars, ends ? "+" : "*");
        goto done;
    }
    base_buffer_append_text(b, ends ? "" : "\"\" | ");
    for (size_t i = first, end = first; i < last; i = end) {
        uint32_t code = 0;
        const unsigned char *p = (const unsigned char *)names[i] + at;
        const bool escape = *p == '\\';
        const size_t size =
            escape ? (p[1] == 'u' ? 6 : 2) : base_utf8_decode(p, strlen((const char *)p), &code);
        for (end = i; end < last && strncmp(names[end] + at, names[i] + at, size) == 0; end++) {
        }
        schema_append_literal(b, (const char *)p, size);
        base_buffer_append_text(b, " ");
        TRY(other_key(c, b, names, i, end, at + size));
        base_buffer_append_text(b, " | ");
    }
    base_buffer_append_text(b, "([^\\x00-\\x1F\\x7F\"\\\\");
    bool escapes[8] = {false};
    static const char escape_letters[] = "\"\\bfnrt";
    for (size_t i = first; i < last; i++) {
        uint32_t code = 0;
        const unsigned char *p = (const unsigned char *)names[i] + at;
        if (*p == '\\') {
            const char *letter = strchr(escape_letters, (char)p[1]);
            if (letter) escapes[letter - escape_letters] = true;
            continue;
        }
        base_utf8_decode(p, strlen((const char *)p), &code);
        base_buffer_append_format(b, "\\U%08X", (unsigned)code);
    }
    base_buffer_append_text(b, "]");
    for (size_t i = 0; escape_letters[i]; i++) {
        if (escapes[i]) continue;
        const char spelled[2] = {'\\', escape_letters[i]};
        base_buffer_append_text(b, " | ");
        schema_append_literal(b, spelled, 2);
    }
    base_buffer_append_format(b, ") %s*)", chars);
    status = schema_buffer(c, b);
done:
    return status;
}

static void sort_names(const char **names, size_t n) {
    for (size_t gap = n / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) {
        for (size_t i = gap; i < n; i++) {
            const char *name = names[i];
            size_t j = i;
            for (; j >= gap && strcmp(names[j - gap], name) > 0; j -= gap)
                names[j] = names[j - gap];
            names[j] = name;
        }
    }
}

/* "key" for any key that properties does not name. */
static ondol_status write_other_key(schema_context *c, const json_t *properties,
                                    base_buffer *body) {
    ondol_status status = ONDOL_OK;
    base_arena arena;
    base_buffer spelled;
    const char *key = NULL;
    const json_t *value = NULL;
    size_t n = 0;
    base_arena_init(&arena, c->allocator, SCHEMA_OUTPUT_MAX);
    base_buffer_init(&spelled, c->allocator, SCHEMA_OUTPUT_MAX);
    const char **names = base_arena_alloc(&arena, json_object_size(properties), sizeof *names);
    if (!names) TRY(base_no_memory(c->err, "a JSON schema", 0));
    json_object_foreach((json_t *)properties, key, value) {
        json_t *text = json_string(key);
        spelled.size = 0;
        status = text ? schema_append_json(c, &spelled, text)
                      : base_no_memory(c->err, "a JSON schema", 0);
        json_decref(text);
        if (status != ONDOL_OK) goto done;
        names[n] = base_arena_strndup(&arena, spelled.data + 1, spelled.size - 2);
        if (!names[n++]) TRY(base_no_memory(c->err, "a JSON schema", spelled.size));
    }
    sort_names(names, n);
    base_buffer_append_text(body, "\"\\\"\" ");
    TRY(other_key(c, body, names, 0, n, 0));
    base_buffer_append_text(body, " \"\\\"\"");
done:
    base_buffer_destroy(&spelled);
    base_arena_destroy(&arena);
    return status;
}

/* ---- parts ---- */

/* The rule of "key" : value. */
static ondol_status write_kv(schema_context *c, const char *key, const json_t *schema,
                             schema_rule *rule) {
    ondol_status status = ONDOL_OK;
    base_buffer body, spelled;
    schema_rule value;
    const char *space = NULL;
    size_t before = 0, inner = 0;
    base_buffer_init(&body, c->allocator, SCHEMA_OUTPUT_MAX);
    base_buffer_init(&spelled, c->allocator, SCHEMA_OUTPUT_MAX);
    json_t *text = json_string(key);
    if (!text) TRY(base_no_memory(c->err, "a JSON schema", 0));
    TRY(schema_path_key(c, "properties", &before));
    TRY(schema_path_key(c, key, &inner));
    TRY(schema_visit(c, schema, key, &value));
    schema_path_back(c, before);
    TRY(schema_use(c, SCHEMA_SPACE, &space));
    TRY(schema_append_json(c, &spelled, text));
    schema_append_literal(&body, spelled.data, spelled.size);
    base_buffer_append_format(&body, " %s \":\" %s %s", space, space, value.name);
    TRY(schema_new_rule(c, key, rule));
    TRY(schema_write_rule(c, rule, &body));
done:
    json_decref(text);
    base_buffer_destroy(&spelled);
    base_buffer_destroy(&body);
    return status;
}

/* The rule of any other key with a value of schema; true: any value. */
static ondol_status write_other(schema_context *c, const json_t *properties, const json_t *schema,
                                schema_rule *rule) {
    ondol_status status = ONDOL_OK;
    base_buffer body;
    schema_rule value;
    const char *space = NULL, *string = NULL;
    size_t before = 0;
    base_buffer_init(&body, c->allocator, SCHEMA_OUTPUT_MAX);
    TRY(schema_path_key(c, "additionalProperties", &before));
    TRY(schema_visit(c, schema, "additional", &value));
    schema_path_back(c, before);
    TRY(schema_use(c, SCHEMA_SPACE, &space));
    if (json_object_size(properties) == 0) {
        TRY(schema_use(c, SCHEMA_STRING, &string));
        base_buffer_append_text(&body, string);
    } else {
        TRY(write_other_key(c, properties, &body));
    }
    base_buffer_append_format(&body, " %s \":\" %s %s", space, space, value.name);
    TRY(schema_new_rule(c, "additional", rule));
    TRY(schema_write_rule(c, rule, &body));
done:
    base_buffer_destroy(&body);
    return status;
}

static ondol_status add_part(schema_context *c, object *o, const json_t *flat, const char *key,
                             const json_t *schema) {
    ondol_status status = ONDOL_OK;
    object_part *part = &o->parts[o->n];
    part->required = is_required(flat, key);
    if (json_is_false(schema)) {
        if (!part->required) return ONDOL_OK;
        return schema_fail(c, ONDOL_E_UNSUPPORTED, "required",
                           "a property that no value may have is required");
    }
    TRY(write_kv(c, key, schema, &part->kv));
    o->n_required += part->required;
    o->n++;
done:
    return status;
}

/* properties, then required names that it lacks. */
static ondol_status list_parts(schema_context *c, const json_t *flat, object *o) {
    ondol_status status = ONDOL_OK;
    const json_t *properties = json_object_get(flat, "properties");
    const json_t *rest = json_object_get(flat, "additionalProperties");
    const json_t *required = json_object_get(flat, "required");
    const char *key = NULL;
    json_t *value = NULL, *any = json_true(), *all = NULL;
    size_t i = 0;
    o->parts = base_calloc(c->allocator, json_object_size(properties) + json_array_size(required),
                           sizeof *o->parts);
    if (!o->parts) TRY(base_no_memory(c->err, "a JSON schema", 0));
    all = properties ? json_copy((json_t *)properties) : json_object();
    if (!all) TRY(base_no_memory(c->err, "a JSON schema", 0));
    json_array_foreach(required, i, value) {
        key = json_string_value(value);
        if (json_object_get(all, key)) continue;
        if (json_object_set(all, key, rest ? (json_t *)rest : any) != 0)
            TRY(base_no_memory(c->err, "a JSON schema", 0));
    }
    json_object_foreach(all, key, value) {
        TRY(add_part(c, o, flat, key, value));
    }
    o->open = rest ? !json_is_false(rest) : json_object_size(all) == 0;
    if (json_is_false(json_object_get(flat, "unevaluatedProperties")) && !rest) o->open = false;
    if (o->open && o->max_properties > o->n) TRY(write_other(c, all, rest ? rest : any, &o->other));
done:
    json_decref(all);
    return status;
}

/* Counts can be honoured when all or none of the parts decide them. */
static ondol_status check_counts(const schema_context *c, const object *o) {
    const size_t most = o->open ? SIZE_MAX : o->n;
    if (o->n_required > o->max_properties || most < o->min_properties)
        return schema_fail(c, ONDOL_E_UNSUPPORTED, NULL, "no object has so many properties");
    if (o->n > 0 && o->n != o->n_required &&
        (o->min_properties > o->n_required || o->max_properties < most))
        return schema_fail(c, ONDOL_E_UNSUPPORTED,
                           o->min_properties > o->n_required ? "minProperties" : "maxProperties",
                           "a grammar cannot count properties of which some are optional");
    return ONDOL_OK;
}

/* Other keys behind `written` parts. */
static void append_others(const object *o, base_buffer *b, const char *space, bool written) {
    if (!o->open || o->max_properties <= o->n) return;
    size_t min = o->min_properties > o->n_required ? o->min_properties - o->n_required : 0;
    size_t max = o->max_properties == SIZE_MAX ? SIZE_MAX : o->max_properties - o->n;
    const bool optional = min == 0;
    if (!written) {
        base_buffer_append_format(b, "%s%s", optional ? "(" : "", o->other.name);
        if (min > 0) min--;
        if (max != SIZE_MAX) max--;
    }
    if (max > 0) {
        base_buffer_append_format(b, " (\",\" %s %s)", space, o->other.name);
        schema_append_times(b, min, max);
    }
    if (!written && optional) base_buffer_append_text(b, ")?");
}

/* Rules "rest of the object from part i on": first when nothing was written before, else with a
 * comma. Written from the last part to the first, each naming the next. */
static ondol_status write_rests(schema_context *c, const object *o, schema_rule *start) {
    ondol_status status = ONDOL_OK;
    schema_rule first = {""}, later = {""};
    const char *space = NULL;
    base_buffer b;
    base_buffer_init(&b, c->allocator, SCHEMA_OUTPUT_MAX);
    TRY(schema_use(c, SCHEMA_SPACE, &space));
    for (size_t i = o->n + 1; i-- > 0;) {
        const char *kv = i < o->n ? o->parts[i].kv.name : "";
        const bool needed = i < o->n && o->parts[i].required;
        schema_rule next_first = first, next_later = later;
        b.size = 0;
        base_buffer_append_text(&b, "");
        if (i == o->n) {
            append_others(o, &b, space, false);
        } else {
            base_buffer_append_format(&b, "%s %s", kv, later.name);
            if (!needed) base_buffer_append_format(&b, " | %s", first.name);
        }
        TRY(schema_new_rule(c, "first", &next_first));
        TRY(schema_write_rule(c, &next_first, &b));
        b.size = 0;
        if (i == o->n) {
            append_others(o, &b, space, true);
        } else {
            base_buffer_append_format(&b, "(\",\" %s %s)%s %s", space, kv, needed ? "" : "?",
                                      later.name);
        }
        TRY(schema_new_rule(c, "more", &next_later));
        TRY(schema_write_rule(c, &next_later, &b));
        first = next_first;
        later = next_later;
    }
    *start = first;
done:
    base_buffer_destroy(&b);
    return status;
}

ondol_status schema_object(schema_context *c, const json_t *flat, base_buffer *body) {
    ondol_status status = ONDOL_OK;
    object o = {0};
    schema_rule start;
    const char *space = NULL;
    TRY(schema_count(c, flat, "minProperties", 0, &o.min_properties));
    TRY(schema_count(c, flat, "maxProperties", SIZE_MAX, &o.max_properties));
    TRY(list_parts(c, flat, &o));
    TRY(check_counts(c, &o));
    TRY(write_rests(c, &o, &start));
    TRY(schema_use(c, SCHEMA_SPACE, &space));
    base_buffer_append_format(body, "\"{\" %s %s %s \"}\"", space, start.name, space);
    status = schema_buffer(c, body);
done:
    base_free(c->allocator, o.parts);
    return status;
}
