/* Arrays -> GBNF: the first items one by one, then equal ones, as many as the bounds allow. */
#include <string.h>

#include "text/grammar/schema_internal.h"

typedef struct array {
    const json_t *first; /* schemas of the first items */
    const json_t *rest;  /* of those behind, NULL: none may come */
    size_t n_first, min, max;
} array;

/* `items` as a list is draft 7's prefixItems, additionalItems its items. */
static ondol_status read_array(const schema_context *c, const json_t *flat, array *a) {
    ondol_status status = ONDOL_OK;
    static const char *const keys[] = {"prefixItems", "items", "additionalItems"};
    const json_t *items = json_object_get(flat, "items");
    const json_t *unique = json_object_get(flat, "uniqueItems");
    a->first = json_object_get(flat, "prefixItems");
    a->rest = items;
    if (json_is_array(items)) {
        if (a->first) TRY(schema_fail(c, ONDOL_E_FORMAT, "items", "expected a schema"));
        a->first = items;
        a->rest = json_object_get(flat, "additionalItems");
    }
    if (a->first && !json_is_array(a->first))
        TRY(schema_fail(c, ONDOL_E_FORMAT, keys[0], "expected a list of schemas"));
    a->n_first = json_array_size(a->first);
    TRY(schema_count(c, flat, "minItems", 0, &a->min));
    TRY(schema_count(c, flat, "maxItems", SIZE_MAX, &a->max));
    /* Without a word on further items, the first ones are all, unless more must come. */
    if (!a->rest && (a->n_first == 0 || a->min > a->n_first)) a->rest = json_true();
    if (json_is_false(a->rest)) a->rest = NULL;
    if (!a->rest && a->max > a->n_first) a->max = a->n_first;
    if (!json_object_get(flat, "minItems")) {
        a->min = a->n_first < a->max ? a->n_first : a->max;
    }
    if (a->min > a->max)
        TRY(schema_fail(c, ONDOL_E_UNSUPPORTED, "minItems", "no array has so many items"));
    if (unique && !json_is_false(unique) && a->max > 1) TRY(schema_unsupported(c, "uniqueItems"));
done:
    return status;
}

/* x and what may come behind it, as a rule; comma: x is not the first. */
static ondol_status write_item(schema_context *c, const schema_rule *value, bool comma,
                               bool optional, const schema_rule *behind, schema_rule *out) {
    ondol_status status = ONDOL_OK;
    base_buffer b;
    const char *space = NULL;
    base_buffer_init(&b, c->allocator, SCHEMA_OUTPUT_MAX);
    TRY(schema_use(c, SCHEMA_SPACE, &space));
    base_buffer_append_text(&b, optional ? "(" : "");
    if (comma) base_buffer_append_format(&b, "\",\" %s ", space);
    base_buffer_append_format(&b, "%s %s%s", value->name, behind->name, optional ? ")?" : "");
    TRY(schema_new_rule(c, "items", out));
    TRY(schema_write_rule(c, out, &b));
done:
    base_buffer_destroy(&b);
    return status;
}

/* The items behind the first n_first, of which `min` to `max` are there. */
static ondol_status append_rest(schema_context *c, const schema_rule *value, bool comma, size_t min,
                                size_t max, base_buffer *b) {
    ondol_status status = ONDOL_OK;
    const char *space = NULL;
    const bool optional = min == 0 && !comma;
    TRY(schema_use(c, SCHEMA_SPACE, &space));
    if (max == 0) goto done;
    if (!comma) {
        base_buffer_append_format(b, "%s%s", optional ? "(" : "", value->name);
        if (min > 0) min--;
        if (max != SIZE_MAX) max--;
    }
    if (max > 0) {
        base_buffer_append_format(b, " (\",\" %s %s)", space, value->name);
        schema_append_times(b, min, max);
    }
    if (optional) base_buffer_append_text(b, ")?");
    status = schema_buffer(c, b);
done:
    return status;
}

static ondol_status write_items(schema_context *c, const array *a, schema_rule *start) {
    ondol_status status = ONDOL_OK;
    const size_t n_first = a->n_first < a->max ? a->n_first : a->max;
    schema_rule value = {""}, behind = {""};
    size_t before = 0;
    base_buffer b;
    base_buffer_init(&b, c->allocator, SCHEMA_OUTPUT_MAX);
    if (a->rest && a->max > n_first) {
        TRY(schema_path_key(c, "items", &before));
        TRY(schema_visit(c, a->rest, "item", &value));
        schema_path_back(c, before);
        TRY(append_rest(c, &value, n_first > 0, a->min > n_first ? a->min - n_first : 0,
                        a->max == SIZE_MAX ? SIZE_MAX : a->max - n_first, &b));
    }
    TRY(schema_new_rule(c, "items", &behind));
    TRY(schema_write_rule(c, &behind, &b));
    for (size_t i = n_first; i-- > 0;) {
        schema_rule item;
        TRY(schema_path_key(c, "prefixItems", &before));
        size_t inner = 0;
        TRY(schema_path_index(c, i, &inner));
        TRY(schema_visit(c, json_array_get(a->first, i), "item", &value));
        schema_path_back(c, before);
        TRY(write_item(c, &value, i > 0, i >= a->min, &behind, &item));
        behind = item;
    }
    *start = behind;
done:
    base_buffer_destroy(&b);
    return status;
}

ondol_status schema_array(schema_context *c, const json_t *flat, base_buffer *body) {
    ondol_status status = ONDOL_OK;
    array a = {0};
    schema_rule start;
    const char *space = NULL;
    TRY(read_array(c, flat, &a));
    TRY(write_items(c, &a, &start));
    TRY(schema_use(c, SCHEMA_SPACE, &space));
    base_buffer_append_format(body, "\"[\" %s %s %s \"]\"", space, start.name, space);
    status = schema_buffer(c, body);
done:
    return status;
}
