/* Filters that compare items: sort, unique, groupby, min, max, sum, dictsort. */
#include <string.h>

#include "text/template/template_attribute.h"
#include "text/template/template_builtins.h"
#include "text/template/template_edit.h"

#define ARGUMENT(i) (arguments->values[i])

/* The key of an item by one path, in lower case unless told otherwise. */
static ondol_status key_of(template_run *run, const template_list *path, template_value item,
                           template_value fallback, bool case_sensitive, template_value *out) {
    ondol_status status = template_attribute_get(run, path, item, fallback, out);
    if (status != ONDOL_OK || case_sensitive) return status;
    return template_attribute_ignore_case(run, *out, out);
}

/* "a,b.c": a list of paths. */
static ondol_status parse_paths(template_run *run, template_value attribute, template_list **out) {
    template_list *names = NULL, *path = NULL;
    template_value comma = template_none();
    ondol_status status = template_make_list(run, TEMPLATE_FORM_LIST, 1, out);
    TRY(status);
    if (attribute.kind == TEMPLATE_STRING) {
        TRY(template_make_text(run, ",", &comma));
        TRY(template_edit_split(run, attribute, comma, -1, false, &names));
    } else {
        TRY(template_make_list(run, TEMPLATE_FORM_LIST, 1, &names));
        TRY(template_append(run, names, attribute));
    }
    for (size_t i = 0; i < names->count; i++) {
        TRY(template_attribute_parse(run, names->items[i], &path));
        TRY(template_append(run, *out, template_from_list(path)));
    }
done:
    return status;
}

static ondol_status filter_sort(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    template_list *items = NULL, *keys = NULL, *paths = NULL, *key = NULL;
    ondol_status status = template_collect(run, self, TEMPLATE_FORM_LIST, &items);
    TRY(status);
    TRY(parse_paths(run, ARGUMENT(2), &paths));
    TRY(template_make_list(run, TEMPLATE_FORM_LIST, items->count, &keys));
    for (size_t i = 0; i < items->count; i++) {
        TRY(template_make_list(run, TEMPLATE_FORM_LIST, paths->count, &key));
        for (size_t k = 0; k < paths->count; k++) {
            template_value one = template_none();
            TRY(key_of(run, paths->items[k].as.list, items->items[i], (template_value){0},
                       template_truth(ARGUMENT(1)), &one));
            TRY(template_append(run, key, one));
        }
        TRY(template_append(run, keys, template_from_list(key)));
    }
    TRY(template_sort(run, keys->items, items->items, items->count, template_truth(ARGUMENT(0))));
    *out = template_from_list(items);
done:
    return status;
}

static ondol_status filter_dictsort(template_run *run, template_value self,
                                    const template_arguments *arguments, template_value *out) {
    template_list *items = NULL, *keys = NULL;
    template_value by = ARGUMENT(1), key = template_none();
    size_t position = 0;
    ondol_status status = ONDOL_OK;
    if (by.kind != TEMPLATE_ABSENT) {
        bool value = by.kind == TEMPLATE_STRING && template_string_is(by.as.string, "value");
        if (!value && !(by.kind == TEMPLATE_STRING && template_string_is(by.as.string, "key")))
            return template_fail(run, ONDOL_E_FORMAT, "dictsort: `by` is \"key\" or \"value\"");
        position = value;
    }
    if (self.kind == TEMPLATE_UNDEFINED) return template_fail_undefined(run, self);
    if (self.kind != TEMPLATE_DICT) {
        return template_fail(run, ONDOL_E_FORMAT, "dictsort: expected a dict, got '%s'",
                             template_type_name(self));
    }
    const template_builtin *method =
        template_method_find(self, &(template_string){"items", 5, 5, NULL});
    TRY(method->function(run, self, arguments, out));
    items = out->as.list;
    items->form = TEMPLATE_FORM_LIST;
    TRY(template_make_list(run, TEMPLATE_FORM_LIST, items->count, &keys));
    for (size_t i = 0; i < items->count; i++) {
        key = items->items[i].as.list->items[position];
        if (!template_truth(ARGUMENT(0))) TRY(template_attribute_ignore_case(run, key, &key));
        TRY(template_append(run, keys, key));
    }
    TRY(template_sort(run, keys->items, items->items, items->count, template_truth(ARGUMENT(2))));
done:
    return status;
}

static ondol_status filter_unique(template_run *run, template_value self,
                                  const template_arguments *arguments, template_value *out) {
    template_iterator iterator;
    template_list *path = NULL, *list = NULL;
    bool more = true;
    template_dict *seen = template_dict_create(run->heap);
    if (!seen) return template_no_memory(run);
    ondol_status status = template_attribute_parse(run, ARGUMENT(1), &path);
    TRY(status);
    TRY(template_iterate(run, self, &iterator));
    TRY(template_make_list(run, TEMPLATE_FORM_GENERATOR, 0, &list));
    while (more) {
        template_value item = template_none(), key = template_none(), old = template_none();
        bool found = false;
        TRY(template_next(run, &iterator, &item, &more));
        if (!more) break;
        TRY(key_of(run, path, item, (template_value){0}, template_truth(ARGUMENT(0)), &key));
        TRY(template_dict_get(run, seen, key, &old, &found));
        if (found) continue;
        TRY(template_dict_set(run, seen, key, template_none()));
        TRY(template_append(run, list, item));
    }
    *out = template_from_list(list);
done:
    return status;
}

static ondol_status extreme(template_run *run, template_value self,
                            const template_arguments *arguments, bool most, template_value *out) {
    static const template_string name = {"min or max", 10, 10, NULL};
    template_iterator iterator;
    template_list *path = NULL;
    template_value best_key = {0}, key = {0}, item = {0};
    bool more = true, better = false;
    ondol_status status = template_attribute_parse(run, ARGUMENT(1), &path);
    TRY(status);
    TRY(template_iterate(run, self, &iterator));
    *out = template_undefined(TEMPLATE_MISSING_ITEM, &name);
    while (more) {
        TRY(template_next(run, &iterator, &item, &more));
        if (!more) break;
        TRY(key_of(run, path, item, (template_value){0}, template_truth(ARGUMENT(0)), &key));
        better = best_key.kind == TEMPLATE_ABSENT;
        if (!better) TRY(template_less(run, most ? best_key : key, most ? key : best_key, &better));
        if (!better) continue;
        best_key = key;
        *out = item;
    }
done:
    return status;
}

static ondol_status filter_min(template_run *run, template_value self,
                               const template_arguments *arguments, template_value *out) {
    return extreme(run, self, arguments, false, out);
}

static ondol_status filter_max(template_run *run, template_value self,
                               const template_arguments *arguments, template_value *out) {
    return extreme(run, self, arguments, true, out);
}

static ondol_status filter_sum(template_run *run, template_value self,
                               const template_arguments *arguments, template_value *out) {
    template_iterator iterator;
    template_list *path = NULL;
    bool more = true;
    ondol_status status = template_attribute_parse(run, ARGUMENT(0), &path);
    TRY(status);
    TRY(template_iterate(run, self, &iterator));
    *out = ARGUMENT(1).kind == TEMPLATE_ABSENT ? template_int(0) : ARGUMENT(1);
    if (template_is_text(*out))
        return template_fail(run, ONDOL_E_FORMAT, "sum: strings are joined with `join`");
    while (more) {
        template_value item = template_none();
        TRY(template_next(run, &iterator, &item, &more));
        if (!more) break;
        TRY(template_attribute_get(run, path, item, (template_value){0}, &item));
        TRY(template_binary(run, OPERATION_ADD, *out, item, out));
    }
done:
    return status;
}

/* One group of groupby: what its items share, and the list of them. */
static ondol_status add_group(template_run *run, template_list *groups, template_value grouper,
                              template_list **members) {
    template_list *group = NULL;
    ondol_status status = template_make_list(run, TEMPLATE_FORM_GROUP, 2, &group);
    TRY(status);
    TRY(template_make_list(run, TEMPLATE_FORM_LIST, 0, members));
    TRY(template_append(run, group, grouper));
    TRY(template_append(run, group, template_from_list(*members)));
    TRY(template_append(run, groups, template_from_list(group)));
done:
    return status;
}

static ondol_status filter_groupby(template_run *run, template_value self,
                                   const template_arguments *arguments, template_value *out) {
    template_list *path = NULL, *items = NULL, *keys = NULL, *groups = NULL, *members = NULL;
    template_value fallback = ARGUMENT(1), key = template_none();
    ondol_status status = template_attribute_parse(run, ARGUMENT(0), &path);
    TRY(status);
    TRY(template_collect(run, self, TEMPLATE_FORM_LIST, &items));
    TRY(template_make_list(run, TEMPLATE_FORM_LIST, items->count, &keys));
    TRY(template_make_list(run, TEMPLATE_FORM_LIST, 0, &groups));
    for (size_t i = 0; i < items->count; i++) {
        TRY(key_of(run, path, items->items[i], fallback, template_truth(ARGUMENT(2)), &key));
        TRY(template_append(run, keys, key));
    }
    TRY(template_sort(run, keys->items, items->items, items->count, false));
    for (size_t i = 0; i < items->count; i++) {
        bool same = i > 0;
        if (same) TRY(template_equal(run, keys->items[i - 1], keys->items[i], &same));
        if (!same) {
            TRY(template_attribute_get(run, path, items->items[i], fallback, &key));
            TRY(add_group(run, groups, key, &members));
        }
        TRY(template_append(run, members, items->items[i]));
    }
    *out = template_from_list(groups);
done:
    return status;
}

const template_builtin template_order_filters[] = {
    {"sort", "| reverse case_sensitive attribute", filter_sort},
    {"dictsort", "| case_sensitive by reverse", filter_dictsort},
    {"unique", "| case_sensitive attribute", filter_unique},
    {"min", "| case_sensitive attribute", filter_min},
    {"max", "| case_sensitive attribute", filter_max},
    {"sum", "| attribute start", filter_sum},
    {"groupby", "attribute | default case_sensitive", filter_groupby},
    {NULL, NULL, NULL},
};
