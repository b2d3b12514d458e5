/* Methods of list, tuple, dict, range, cycler and loop. */
#include <string.h>

#include "text/template/template_builtins.h"
#include "text/template/template_operations.h"

#define ARGUMENT(i) (arguments->values[i])

static ondol_status list_append(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    *out = template_none();
    return template_append(run, self.as.list, ARGUMENT(0));
}

static ondol_status list_extend(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    template_list *more = NULL;
    ondol_status status = template_collect(run, ARGUMENT(0), TEMPLATE_FORM_LIST, &more);
    for (size_t i = 0; status == ONDOL_OK && i < more->count; i++)
        status = template_append(run, self.as.list, more->items[i]);
    *out = template_none();
    return status;
}

static ondol_status list_insert(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    template_list *list = self.as.list;
    int64_t at = 0, n = (int64_t)list->count;
    ondol_status status = template_as_int(run, ARGUMENT(0), "the place of insert", &at);
    TRY(status);
    at = at < 0 ? (at < -n ? 0 : at + n) : at > n ? n : at;
    TRY(template_append(run, list, ARGUMENT(1)));
    memmove(&list->items[at + 1], &list->items[at], (size_t)(n - at) * sizeof *list->items);
    list->items[at] = ARGUMENT(1);
    *out = template_none();
    TRY(template_spend(run, (uint64_t)(n - at) / 8));
done:
    return status;
}

static void remove_at(template_list *list, size_t at) {
    list->count--;
    memmove(&list->items[at], &list->items[at + 1], (list->count - at) * sizeof *list->items);
}

static ondol_status list_pop(template_run *run, template_value self,
                             const template_arguments *arguments, template_value *out) {
    template_list *list = self.as.list;
    int64_t at = -1, n = (int64_t)list->count;
    ondol_status status = ONDOL_OK;
    if (ARGUMENT(0).kind != TEMPLATE_ABSENT)
        TRY(template_as_int(run, ARGUMENT(0), "the place of pop", &at));
    if (at < 0) at += n;
    if (at < 0 || at >= n) return template_fail(run, ONDOL_E_FORMAT, "pop: there is no such item");
    *out = list->items[at];
    remove_at(list, (size_t)at);
    TRY(template_spend(run, (uint64_t)(n - at) / 8));
done:
    return status;
}

static ondol_status find_item(template_run *run, template_value self, template_value item,
                              size_t first, size_t *out) {
    const template_list *list = self.as.list;
    ondol_status status = ONDOL_OK;
    bool equal = false;
    *out = SIZE_MAX;
    for (size_t i = first; i < list->count && status == ONDOL_OK; i++) {
        status = template_equal(run, list->items[i], item, &equal);
        if (!equal) continue;
        *out = i;
        break;
    }
    return status;
}

static ondol_status list_remove(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    size_t at = 0;
    ondol_status status = find_item(run, self, ARGUMENT(0), 0, &at);
    if (status != ONDOL_OK) return status;
    if (at == SIZE_MAX) return template_fail(run, ONDOL_E_FORMAT, "remove: no such item");
    remove_at(self.as.list, at);
    *out = template_none();
    return ONDOL_OK;
}

static ondol_status list_clear(template_run *run, template_value self,
                               const template_arguments *arguments, template_value *out) {
    (void)arguments;
    self.as.list->count = 0;
    *out = template_none();
    return template_spend(run, 1);
}

static ondol_status list_copy(template_run *run, template_value self,
                              const template_arguments *arguments, template_value *out) {
    template_list *copy = NULL;
    (void)arguments;
    ondol_status status = template_collect(run, self, TEMPLATE_FORM_LIST, &copy);
    *out = template_from_list(copy);
    return status;
}

static ondol_status list_reverse(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    template_list *list = self.as.list;
    (void)arguments;
    for (size_t i = 0; i < list->count / 2; i++) {
        template_value old = list->items[i];
        list->items[i] = list->items[list->count - 1 - i];
        list->items[list->count - 1 - i] = old;
    }
    *out = template_none();
    return template_spend(run, list->count);
}

/* sort(key=..., reverse=...): the key is a macro or another callable. */
static ondol_status list_sort(template_run *run, template_value self,
                              const template_arguments *arguments, template_value *out) {
    template_list *list = self.as.list, *keys = NULL;
    template_value key = ARGUMENT(0);
    ondol_status status = template_collect(run, self, TEMPLATE_FORM_LIST, &keys);
    TRY(status);
    size_t n = keys->count;
    if (key.kind != TEMPLATE_ABSENT && key.kind != TEMPLATE_NONE) {
        for (size_t i = 0; i < n && i < list->count; i++) {
            template_arguments one = {.values = &list->items[i], .count = 1};
            TRY(template_call_value(run, key, &one, &keys->items[i]));
        }
    }
    if (list->count != n)
        return template_fail(run, ONDOL_E_FORMAT, "a list changed while it was sorted");
    TRY(template_sort(run, keys->items, list->items, n, template_truth(ARGUMENT(1))));
    *out = template_none();
done:
    return status;
}

static ondol_status sequence_index(template_run *run, template_value self,
                                   const template_arguments *arguments, template_value *out) {
    int64_t first = 0;
    size_t at = 0;
    ondol_status status = ONDOL_OK;
    if (ARGUMENT(1).kind != TEMPLATE_ABSENT)
        TRY(template_as_int(run, ARGUMENT(1), "the start of index", &first));
    if (first < 0) first += (int64_t)self.as.list->count;
    TRY(find_item(run, self, ARGUMENT(0), first > 0 ? (size_t)first : 0, &at));
    if (at == SIZE_MAX) return template_fail(run, ONDOL_E_FORMAT, "index: no such item");
    *out = template_int((int64_t)at);
done:
    return status;
}

static ondol_status sequence_count(template_run *run, template_value self,
                                   const template_arguments *arguments, template_value *out) {
    int64_t n = 0;
    ondol_status status = ONDOL_OK;
    for (size_t at = 0; status == ONDOL_OK; at++) {
        status = find_item(run, self, ARGUMENT(0), at, &at);
        if (at == SIZE_MAX) break;
        n++;
    }
    *out = template_int(n);
    return status;
}

static ondol_status dict_get(template_run *run, template_value self,
                             const template_arguments *arguments, template_value *out) {
    bool found = false;
    ondol_status status = template_dict_get(run, self.as.dict, ARGUMENT(0), out, &found);
    if (status == ONDOL_OK && !found)
        *out = ARGUMENT(1).kind == TEMPLATE_ABSENT ? template_none() : ARGUMENT(1);
    return status;
}

/* keys, values, items as a list of that form. */
static ondol_status dict_view(template_run *run, template_value self, template_list_form form,
                              template_value *out) {
    const template_dict *dict = self.as.dict;
    template_list *list = NULL, *pair = NULL;
    ondol_status status = template_make_list(run, form, dict->count, &list);
    TRY(status);
    for (size_t i = 0; i < dict->used; i++) {
        const template_pair *p = &dict->pairs[i];
        if (p->key.kind == TEMPLATE_ABSENT) continue;
        template_value item = form == TEMPLATE_FORM_VALUES ? p->value : p->key;
        if (form == TEMPLATE_FORM_ITEMS) {
            TRY(template_make_list(run, TEMPLATE_FORM_TUPLE, 2, &pair));
            TRY(template_append(run, pair, p->key));
            TRY(template_append(run, pair, p->value));
            item = template_from_list(pair);
        }
        TRY(template_append(run, list, item));
    }
    *out = template_from_list(list);
done:
    return status;
}

static ondol_status dict_keys(template_run *run, template_value self,
                              const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return dict_view(run, self, TEMPLATE_FORM_KEYS, out);
}

static ondol_status dict_values(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return dict_view(run, self, TEMPLATE_FORM_VALUES, out);
}

static ondol_status dict_items(template_run *run, template_value self,
                               const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return dict_view(run, self, TEMPLATE_FORM_ITEMS, out);
}

static ondol_status dict_update(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    template_value changed = self;
    const template_builtin *make =
        template_function_find(&(template_string){.bytes = "dict", .size = 4, .length = 4});
    ondol_status status = make->function(run, self, arguments, &changed);
    const template_dict *from = changed.as.dict;
    for (size_t i = 0; status == ONDOL_OK && i < from->used; i++) {
        if (from->pairs[i].key.kind == TEMPLATE_ABSENT) continue;
        status = template_dict_set(run, self.as.dict, from->pairs[i].key, from->pairs[i].value);
    }
    *out = template_none();
    return status;
}

static ondol_status dict_pop(template_run *run, template_value self,
                             const template_arguments *arguments, template_value *out) {
    bool found = false, removed = false;
    ondol_status status = template_dict_get(run, self.as.dict, ARGUMENT(0), out, &found);
    TRY(status);
    if (found) return template_dict_remove(run, self.as.dict, ARGUMENT(0), &removed);
    if (ARGUMENT(1).kind == TEMPLATE_ABSENT)
        return template_fail(run, ONDOL_E_FORMAT, "pop: there is no such key");
    *out = ARGUMENT(1);
done:
    return status;
}

static ondol_status dict_setdefault(template_run *run, template_value self,
                                    const template_arguments *arguments, template_value *out) {
    bool found = false;
    ondol_status status = template_dict_get(run, self.as.dict, ARGUMENT(0), out, &found);
    if (status != ONDOL_OK || found) return status;
    *out = ARGUMENT(1).kind == TEMPLATE_ABSENT ? template_none() : ARGUMENT(1);
    return template_dict_set(run, self.as.dict, ARGUMENT(0), *out);
}

static ondol_status dict_copy(template_run *run, template_value self,
                              const template_arguments *arguments, template_value *out) {
    template_dict *copy = template_dict_create(run->heap);
    (void)arguments;
    if (!copy) return template_no_memory(run);
    *out = template_from_dict(copy);
    template_arguments from = {.values = &self, .count = 1};
    return dict_update(run, *out, &from, &(template_value){0});
}

static ondol_status dict_clear(template_run *run, template_value self,
                               const template_arguments *arguments, template_value *out) {
    (void)arguments;
    template_dict_clear(self.as.dict);
    *out = template_none();
    return template_spend(run, 1);
}

static ondol_status cycler_next(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    template_cycler *cycler = self.as.cycler;
    (void)arguments;
    *out = cycler->items->items[cycler->position];
    cycler->position = (cycler->position + 1) % cycler->items->count;
    return template_spend(run, 1);
}

static ondol_status cycler_reset(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    (void)arguments;
    self.as.cycler->position = 0;
    *out = template_none();
    return template_spend(run, 1);
}

static ondol_status loop_cycle(template_run *run, template_value self,
                               const template_arguments *arguments, template_value *out) {
    if (arguments->count == 0 || arguments->keyword_count)
        return template_fail(run, ONDOL_E_FORMAT, "loop.cycle needs items, and nothing else");
    *out = arguments->values[(uint64_t)self.as.loop->index0 % arguments->count];
    return template_spend(run, 1);
}

static ondol_status loop_changed(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    template_loop *loop = self.as.loop;
    template_list *now = NULL;
    bool equal = false;
    ondol_status status = template_make_list(run, TEMPLATE_FORM_TUPLE, arguments->count, &now);
    TRY(status);
    for (size_t i = 0; i < arguments->count; i++)
        TRY(template_append(run, now, arguments->values[i]));
    template_value value = template_from_list(now);
    if (loop->last_changed.kind != TEMPLATE_ABSENT)
        TRY(template_equal(run, loop->last_changed, value, &equal));
    loop->last_changed = value;
    *out = template_bool(!equal);
done:
    return status;
}

const template_builtin template_list_methods[] = {
    {"append", "/ item", list_append},
    {"extend", "/ items", list_extend},
    {"insert", "/ index item", list_insert},
    {"pop", "/ | index", list_pop},
    {"remove", "/ item", list_remove},
    {"clear", "", list_clear},
    {"copy", "", list_copy},
    {"reverse", "", list_reverse},
    {"sort", "| key reverse", list_sort},
    {NULL, NULL, NULL},
};

const template_builtin template_sequence_methods[] = {
    {"index", "/ item | start", sequence_index},
    {"count", "/ item", sequence_count},
    {NULL, NULL, NULL},
};

const template_builtin template_dict_methods[] = {
    {"get", "/ key | default", dict_get},
    {"keys", "", dict_keys},
    {"values", "", dict_values},
    {"items", "", dict_items},
    {"update", "*", dict_update},
    {"pop", "/ key | default", dict_pop},
    {"setdefault", "/ key | default", dict_setdefault},
    {"copy", "", dict_copy},
    {"clear", "", dict_clear},
    {NULL, NULL, NULL},
};

const template_builtin template_cycler_methods[] = {
    {"next", "", cycler_next},
    {"reset", "", cycler_reset},
    {NULL, NULL, NULL},
};

const template_builtin template_loop_methods[] = {
    {"cycle", "*", loop_cycle},
    {"changed", "*", loop_changed},
    {NULL, NULL, NULL},
};
