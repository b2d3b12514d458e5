/* A schema -> flat alternatives: $ref followed, allOf and keywords beside each other met in one
 * object, anyOf and oneOf multiplied out. */
#include <string.h>

#include "text/grammar/schema_internal.h"

static ondol_status no_memory(const schema_context *c) {
    return base_no_memory(c->err, "a JSON schema", 0);
}

static ondol_status apply(schema_context *c, json_t **alternatives, const json_t *schema);

/* An owned value into an object: jansson takes it also when it fails. */
static ondol_status set(const schema_context *c, json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) == 0 ? ONDOL_OK : no_memory(c);
}

static bool contains(const json_t *list, const json_t *value) {
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(list, i, item) {
        if (json_equal(item, value)) return true;
    }
    return false;
}

/* ---- one keyword met by another; *dead: nothing satisfies both ---- */

static bool has_type(const json_t *list, const char *name) {
    size_t i = 0;
    const json_t *item = NULL;
    json_array_foreach(list, i, item) {
        if (strcmp(json_string_value(item), name) == 0) return true;
    }
    return false;
}

static ondol_status check_types(const schema_context *c, const json_t *list) {
    static const char *const names[] = {"object",  "array",   "string", "number",
                                        "integer", "boolean", "null"};
    size_t i = 0;
    const json_t *item = NULL;
    if (!json_is_array(list) || json_array_size(list) == 0)
        return schema_fail(c, ONDOL_E_FORMAT, "type", "expected a type's name or a list of them");
    json_array_foreach(list, i, item) {
        bool known = false;
        for (size_t k = 0; k < sizeof names / sizeof names[0] && json_is_string(item); k++)
            known = known || strcmp(json_string_value(item), names[k]) == 0;
        if (!known)
            return schema_fail(c, ONDOL_E_FORMAT, "type",
                               "expected object, array, string, number, integer, boolean or null");
    }
    return ONDOL_OK;
}

static ondol_status meet_type(const schema_context *c, json_t *flat, const json_t *value,
                              bool *dead) {
    ondol_status status = ONDOL_OK;
    json_t *list = NULL, *kept = json_array(), *item = NULL;
    size_t i = 0;
    const json_t *old = json_object_get(flat, "type");
    list = json_is_string(value) ? json_pack("[O]", (json_t *)value) : json_incref((json_t *)value);
    if (!list || !kept) TRY(no_memory(c));
    TRY(check_types(c, list));
    json_array_foreach(list, i, item) {
        /* integer is a part of number: the narrower of the two stays. */
        const char *name = json_string_value(item);
        const bool whole = strcmp(name, "integer") == 0, real = strcmp(name, "number") == 0;
        const char *keep = NULL;
        if (!old || has_type(old, name) || (whole && has_type(old, "number"))) keep = name;
        if (!keep && real && has_type(old, "integer")) keep = "integer";
        if (!keep || has_type(kept, keep)) continue;
        if (json_array_append_new(kept, json_string(keep)) != 0) TRY(no_memory(c));
    }
    *dead = json_array_size(kept) == 0;
    TRY(set(c, flat, "type", json_incref(kept)));
done:
    json_decref(list);
    json_decref(kept);
    return status;
}

static ondol_status meet_enum(const schema_context *c, json_t *flat, const json_t *list,
                              bool *dead) {
    ondol_status status = ONDOL_OK;
    const json_t *old = json_object_get(flat, "enum");
    json_t *kept = json_array(), *item = NULL;
    size_t i = 0;
    if (!kept) TRY(no_memory(c));
    if (!json_is_array(list) || json_array_size(list) == 0)
        TRY(schema_fail(c, ONDOL_E_FORMAT, "enum", "expected a list of values"));
    json_array_foreach(list, i, item) {
        if (old && !contains(old, item)) continue;
        if (json_array_append(kept, item) != 0) TRY(no_memory(c));
    }
    *dead = json_array_size(kept) == 0;
    TRY(set(c, flat, "enum", json_incref(kept)));
done:
    json_decref(kept);
    return status;
}

static ondol_status meet_const(const schema_context *c, json_t *flat, const json_t *value,
                               bool *dead) {
    json_t *list = json_pack("[O]", (json_t *)value);
    if (!list) return no_memory(c);
    const ondol_status status = meet_enum(c, flat, list, dead);
    json_decref(list);
    return status;
}

/* Bounds: the larger minimum, the smaller maximum. */
static ondol_status meet_bound(const schema_context *c, json_t *flat, const char *key,
                               const json_t *value, bool larger) {
    if (!json_is_number(value)) return schema_fail(c, ONDOL_E_FORMAT, key, "expected a number");
    const json_t *old = json_object_get(flat, key);
    if (old) {
        const double a = json_number_value(old), b = json_number_value(value);
        if (larger ? a >= b : a <= b) return ONDOL_OK;
    }
    return set(c, flat, key, json_incref((json_t *)value));
}

/* {"allOf": [a, b]}, or the one that is there. */
static json_t *both(const json_t *a, const json_t *b) {
    if (!a || !b || json_equal(a, b)) return json_incref((json_t *)(a ? a : b));
    if (json_is_false(a) || json_is_false(b)) return json_false();
    return json_pack("{s:[O,O]}", "allOf", (json_t *)a, (json_t *)b);
}

static ondol_status meet_required(const schema_context *c, json_t *flat, const json_t *names) {
    ondol_status status = ONDOL_OK;
    size_t i = 0;
    json_t *item = NULL, *old = json_object_get(flat, "required");
    json_t *list = old ? json_copy(old) : json_array(); /* other alternatives share the old one */
    if (!list) return no_memory(c);
    TRY(set(c, flat, "required", list));
    if (!json_is_array(names))
        TRY(schema_fail(c, ONDOL_E_FORMAT, "required", "expected a list of names"));
    json_array_foreach(names, i, item) {
        if (!json_is_string(item))
            TRY(schema_fail(c, ONDOL_E_FORMAT, "required", "expected a list of names"));
        if (!contains(list, item) && json_array_append(list, item) != 0) TRY(no_memory(c));
    }
done:
    return status;
}

/* Properties of both sides; one that only one side names must be what the other side's
 * additionalProperties asks for. */
static ondol_status meet_properties(const schema_context *c, json_t *flat, const json_t *schema) {
    ondol_status status = ONDOL_OK;
    json_t *met = json_object(), *value = NULL;
    const json_t *old = json_object_get(flat, "properties");
    const json_t *more = json_object_get(schema, "properties");
    const json_t *old_rest = json_object_get(flat, "additionalProperties");
    const json_t *more_rest = json_object_get(schema, "additionalProperties");
    const char *key = NULL;
    if (!met) TRY(no_memory(c));
    if (more && !json_is_object(more))
        TRY(schema_fail(c, ONDOL_E_FORMAT, "properties", "expected an object"));
    if (more_rest && !json_is_object(more_rest) && !json_is_boolean(more_rest))
        TRY(schema_fail(c, ONDOL_E_FORMAT, "additionalProperties", "expected a schema"));
    if (old || more) {
        json_object_foreach((json_t *)old, key, value) {
            const json_t *other = json_object_get(more, key);
            TRY(set(c, met, key, both(value, other ? other : more_rest)));
        }
        json_object_foreach((json_t *)more, key, value) {
            if (json_object_get(old, key)) continue;
            TRY(set(c, met, key, both(value, old_rest)));
        }
        TRY(set(c, flat, "properties", json_incref(met)));
    }
    if (more_rest) TRY(set(c, flat, "additionalProperties", both(old_rest, more_rest)));
done:
    json_decref(met);
    return status;
}

static const char *const item_keys[] = {"items", "prefixItems", "additionalItems"};

static bool has_items(const json_t *schema) {
    for (size_t i = 0; i < 3; i++) {
        if (json_object_get(schema, item_keys[i])) return true;
    }
    return false;
}

static bool same_items(const json_t *a, const json_t *b) {
    for (size_t i = 0; i < 3; i++) {
        const json_t *x = json_object_get(a, item_keys[i]), *y = json_object_get(b, item_keys[i]);
        if ((x || y) && (!x || !y || !json_equal(x, y))) return false;
    }
    return true;
}

static bool only_items(const json_t *schema) {
    return !json_object_get(schema, "prefixItems") && !json_object_get(schema, "additionalItems") &&
           !json_is_array(json_object_get(schema, "items"));
}

static ondol_status meet_items(const schema_context *c, json_t *flat, const json_t *schema) {
    ondol_status status = ONDOL_OK;
    if (!has_items(schema) || (has_items(flat) && same_items(flat, schema))) return ONDOL_OK;
    if (has_items(flat) && !(only_items(flat) && only_items(schema)))
        return schema_fail(c, ONDOL_E_UNSUPPORTED, "items",
                           "lists of items in schemas that meet are not merged");
    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_object_get(schema, item_keys[i]);
        const json_t *old = json_object_get(flat, item_keys[i]);
        if (value) TRY(set(c, flat, item_keys[i], both(old, value)));
    }
done:
    return status;
}

static ondol_status meet_same(const schema_context *c, json_t *flat, const char *key,
                              const json_t *value) {
    const json_t *old = json_object_get(flat, key);
    if (old && !json_equal(old, value))
        return schema_fail(c, ONDOL_E_UNSUPPORTED, key, "two that differ in schemas that meet");
    return set(c, flat, key, json_incref((json_t *)value));
}

/* ---- a schema's own keywords ---- */

typedef enum keyword_kind {
    KEYWORD_NOTE,  /* restricts nothing */
    KEYWORD_APART, /* read elsewhere */
    KEYWORD_MIN,
    KEYWORD_MAX,
    KEYWORD_SAME,
    KEYWORD_UNLESS_TRUE,  /* restricts unless true */
    KEYWORD_UNLESS_FALSE, /* restricts unless false */
    KEYWORD_UNLESS_EMPTY, /* restricts unless an empty object */
    KEYWORD_REFUSED
} keyword_kind;

static keyword_kind keyword_of(const char *key) {
    static const struct {
        const char *key;
        keyword_kind kind;
    } table[] = {{"minimum", KEYWORD_MIN},
                 {"exclusiveMinimum", KEYWORD_MIN},
                 {"minLength", KEYWORD_MIN},
                 {"minItems", KEYWORD_MIN},
                 {"minProperties", KEYWORD_MIN},
                 {"maximum", KEYWORD_MAX},
                 {"exclusiveMaximum", KEYWORD_MAX},
                 {"maxLength", KEYWORD_MAX},
                 {"maxItems", KEYWORD_MAX},
                 {"maxProperties", KEYWORD_MAX},
                 {"pattern", KEYWORD_SAME},
                 {"format", KEYWORD_SAME},
                 {"multipleOf", KEYWORD_SAME},
                 {"uniqueItems", KEYWORD_SAME},
                 {"items", KEYWORD_APART},
                 {"prefixItems", KEYWORD_APART},
                 {"additionalItems", KEYWORD_APART},
                 {"type", KEYWORD_APART},
                 {"enum", KEYWORD_APART},
                 {"const", KEYWORD_APART},
                 {"required", KEYWORD_APART},
                 {"properties", KEYWORD_APART},
                 {"additionalProperties", KEYWORD_APART},
                 {"nullable", KEYWORD_SAME},
                 {"not", KEYWORD_UNLESS_FALSE},
                 {"then", KEYWORD_UNLESS_TRUE},
                 {"else", KEYWORD_UNLESS_TRUE},
                 {"propertyNames", KEYWORD_UNLESS_TRUE},
                 {"unevaluatedItems", KEYWORD_UNLESS_TRUE},
                 {"patternProperties", KEYWORD_UNLESS_EMPTY},
                 {"dependentRequired", KEYWORD_UNLESS_EMPTY},
                 {"dependentSchemas", KEYWORD_UNLESS_EMPTY},
                 {"dependencies", KEYWORD_UNLESS_EMPTY},
                 {"contains", KEYWORD_REFUSED},
                 {"$dynamicRef", KEYWORD_REFUSED},
                 {"$recursiveRef", KEYWORD_REFUSED}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].key, key) == 0) return table[i].kind;
    }
    return KEYWORD_NOTE;
}

static ondol_status meet_plain(const schema_context *c, json_t *flat, const char *key,
                               const json_t *value) {
    const bool empty = json_is_object(value) && json_object_size(value) == 0;
    switch (keyword_of(key)) {
    case KEYWORD_NOTE:
    case KEYWORD_APART: break;
    case KEYWORD_MIN: return meet_bound(c, flat, key, value, true);
    case KEYWORD_MAX: return meet_bound(c, flat, key, value, false);
    case KEYWORD_SAME: return meet_same(c, flat, key, value);
    case KEYWORD_UNLESS_TRUE:
        if (!json_is_true(value) && !empty) return schema_unsupported(c, key);
        break;
    case KEYWORD_UNLESS_FALSE:
        if (!json_is_false(value)) return schema_unsupported(c, key);
        break;
    case KEYWORD_UNLESS_EMPTY:
        if (!empty) return schema_unsupported(c, key);
        break;
    case KEYWORD_REFUSED: return schema_unsupported(c, key);
    }
    return ONDOL_OK;
}

/* `unevaluated*: false` closes what no schema here opens: objects beside which
 * additionalProperties is absent are closed anyway. */
static ondol_status check_unevaluated(const schema_context *c, const json_t *schema) {
    const json_t *value = json_object_get(schema, "unevaluatedProperties");
    const bool empty = json_is_object(value) && json_object_size(value) == 0;
    if (!value || json_is_boolean(value) || empty) return ONDOL_OK;
    return schema_unsupported(c, "unevaluatedProperties");
}

/* The keywords of `schema` meet those of flat. */
static ondol_status meet(schema_context *c, json_t *flat, const json_t *schema, bool *dead) {
    ondol_status status = ONDOL_OK;
    const char *key = NULL;
    json_t *value = NULL;
    *dead = false;
    TRY(check_unevaluated(c, schema));
    if ((value = json_object_get(schema, "type"))) TRY(meet_type(c, flat, value, dead));
    if (!*dead && (value = json_object_get(schema, "enum"))) TRY(meet_enum(c, flat, value, dead));
    if (!*dead && (value = json_object_get(schema, "const"))) TRY(meet_const(c, flat, value, dead));
    if (*dead) goto done;
    if ((value = json_object_get(schema, "required"))) TRY(meet_required(c, flat, value));
    TRY(meet_properties(c, flat, schema));
    TRY(meet_items(c, flat, schema));
    if (json_is_false(json_object_get(schema, "unevaluatedProperties")) &&
        !json_object_get(flat, "additionalProperties"))
        TRY(set(c, flat, "unevaluatedProperties", json_false()));
    json_object_foreach((json_t *)schema, key, value) {
        TRY(meet_plain(c, flat, key, value));
    }
done:
    return status;
}

/* ---- alternatives ---- */

static ondol_status apply_own(schema_context *c, json_t *alternatives, const json_t *schema) {
    ondol_status status = ONDOL_OK;
    for (size_t i = 0; i < json_array_size(alternatives);) {
        bool dead = false;
        TRY(meet(c, json_array_get(alternatives, i), schema, &dead));
        if (dead) {
            json_array_remove(alternatives, i);
        } else {
            i++;
        }
    }
done:
    return status;
}

/* Copies whose keywords may be replaced; what stands in them is shared. */
static json_t *copy_alternatives(const json_t *alternatives) {
    json_t *copy = json_array(), *item = NULL;
    size_t i = 0;
    json_array_foreach(alternatives, i, item) {
        if (copy && json_array_append_new(copy, json_copy(item)) != 0) {
            json_decref(copy);
            copy = NULL;
        }
    }
    return copy;
}

/* One more list of alternatives: each of `branches` on a copy of what there is. */
static ondol_status apply_branches(schema_context *c, json_t **alternatives, const char *key,
                                   const json_t *branches) {
    ondol_status status = ONDOL_OK;
    size_t i = 0, before = 0, inner = 0;
    json_t *branch = NULL, *all = json_array(), *copy = NULL;
    if (!all) TRY(no_memory(c));
    if (!json_is_array(branches) || json_array_size(branches) == 0)
        TRY(schema_fail(c, ONDOL_E_FORMAT, key, "expected a list of schemas"));
    TRY(schema_path_key(c, key, &before));
    json_array_foreach(branches, i, branch) {
        copy = copy_alternatives(*alternatives);
        if (!copy) TRY(no_memory(c));
        TRY(schema_path_index(c, i, &inner));
        TRY(apply(c, &copy, branch));
        schema_path_back(c, inner);
        if (json_array_extend(all, copy) != 0) TRY(no_memory(c));
        json_decref(copy);
        copy = NULL;
        if (json_array_size(all) > SCHEMA_ALTERNATIVES_MAX)
            TRY(schema_fail(c, ONDOL_E_LIMIT, NULL, "over 256 alternatives when multiplied out"));
    }
    schema_path_back(c, before);
    json_decref(*alternatives);
    *alternatives = all;
    all = NULL;
done:
    json_decref(copy);
    json_decref(all);
    return status;
}

static ondol_status apply_all(schema_context *c, json_t **alternatives, const json_t *parts) {
    ondol_status status = ONDOL_OK;
    size_t i = 0, before = 0, inner = 0;
    const json_t *part = NULL;
    if (!json_is_array(parts))
        TRY(schema_fail(c, ONDOL_E_FORMAT, "allOf", "expected a list of schemas"));
    TRY(schema_path_key(c, "allOf", &before));
    json_array_foreach(parts, i, part) {
        TRY(schema_path_index(c, i, &inner));
        TRY(apply(c, alternatives, part));
        schema_path_back(c, inner);
    }
    schema_path_back(c, before);
done:
    return status;
}

/* Everything that schema asks for meets each alternative. Recursion is capped by c->depth. */
static ondol_status apply(schema_context *c, json_t **alternatives, const json_t *schema) {
    ondol_status status = ONDOL_OK;
    const json_t *value = NULL, *target = NULL;
    if (json_is_true(schema)) return ONDOL_OK;
    if (json_is_false(schema))
        return json_array_clear(*alternatives) == 0 ? ONDOL_OK : no_memory(c);
    if (!json_is_object(schema))
        return schema_fail(c, ONDOL_E_FORMAT, NULL, "expected a schema, an object or a boolean");
    if (c->n_merged++ >= SCHEMA_MERGES_MAX)
        return schema_fail(c, ONDOL_E_LIMIT, NULL, "over 20000 schemas that meet");
    if (c->depth >= SCHEMA_DEPTH_MAX)
        return schema_fail(c, ONDOL_E_LIMIT, NULL, "schemas within schemas over 100 deep");
    c->depth++;
    TRY(apply_own(c, *alternatives, schema));
    if ((value = json_object_get(schema, "$ref"))) {
        TRY(schema_resolve(c, value, &target));
        TRY(apply(c, alternatives, target));
    }
    if ((value = json_object_get(schema, "allOf"))) TRY(apply_all(c, alternatives, value));
    if ((value = json_object_get(schema, "anyOf")))
        TRY(apply_branches(c, alternatives, "anyOf", value));
    if ((value = json_object_get(schema, "oneOf")))
        TRY(apply_branches(c, alternatives, "oneOf", value));
    c->depth--;
done:
    return status;
}

ondol_status schema_flatten(schema_context *c, const json_t *schema, json_t **out) {
    json_t *alternatives = json_pack("[{}]");
    *out = NULL;
    if (!alternatives) return no_memory(c);
    const ondol_status status = apply(c, &alternatives, schema);
    if (status != ONDOL_OK) {
        json_decref(alternatives);
        return status;
    }
    *out = alternatives;
    return ONDOL_OK;
}
