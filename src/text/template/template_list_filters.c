/* Filters on sequences: first, map, select, batch ... */
#include <string.h>

#include "text/template/template_attribute.h"
#include "text/template/template_builtins.h"

#define ARGUMENT(i) (arguments->values[i])

static ondol_status filter_default(template_run *run, template_value self,
                                   const template_arguments *arguments, template_value *out) {
    bool replace =
        self.kind == TEMPLATE_UNDEFINED || (template_truth(ARGUMENT(1)) && !template_truth(self));
    *out = self;
    if (!replace) return ONDOL_OK;
    *out = ARGUMENT(0);
    return ARGUMENT(0).kind == TEMPLATE_ABSENT ? template_make_text(run, "", out) : ONDOL_OK;
}

static template_value nothing(const char *which) {
    static const template_string first = {"first", 5, 5, NULL}, last = {"last", 4, 4, NULL};
    return template_undefined(TEMPLATE_MISSING_ITEM, which[0] == 'f' ? &first : &last);
}

static ondol_status filter_first(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    template_iterator iterator;
    bool more = false;
    (void)arguments;
    ondol_status status = template_iterate(run, self, &iterator);
    if (status == ONDOL_OK) status = template_next(run, &iterator, out, &more);
    if (!more) *out = nothing("first");
    return status;
}

static ondol_status filter_last(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    template_list *list = NULL;
    size_t n = 0;
    (void)arguments;
    if (template_is_iterable(self) && !template_length(self, &n))
        return template_fail(run, ONDOL_E_FORMAT, "last: a generator cannot be reversed");
    if (template_is_text(self) && n) return template_get_item(run, self, template_int(-1), out);
    ondol_status status = template_collect(run, self, TEMPLATE_FORM_LIST, &list);
    if (status != ONDOL_OK) return status;
    *out = list->count ? list->items[list->count - 1] : nothing("last");
    return ONDOL_OK;
}

static ondol_status filter_length(template_run *run, template_value self,
                                  const template_arguments *arguments, template_value *out) {
    size_t n = 0;
    (void)arguments;
    if (!template_length(self, &n)) {
        return template_fail(run, ONDOL_E_FORMAT, "a '%s' has no length", template_type_name(self));
    }
    *out = template_int((int64_t)n);
    return ONDOL_OK;
}

static ondol_status filter_list(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    template_list *list = NULL;
    (void)arguments;
    ondol_status status = template_collect(run, self, TEMPLATE_FORM_LIST, &list);
    *out = template_from_list(list);
    return status;
}

static ondol_status filter_items(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    template_list *list = NULL;
    if (self.kind == TEMPLATE_UNDEFINED) {
        ondol_status status = template_make_list(run, TEMPLATE_FORM_GENERATOR, 0, &list);
        *out = template_from_list(list);
        return status;
    }
    if (self.kind != TEMPLATE_DICT) {
        return template_fail(run, ONDOL_E_FORMAT, "items: expected a dict, got '%s'",
                             template_type_name(self));
    }
    const template_builtin *method =
        template_method_find(self, &(template_string){"items", 5, 5, NULL});
    ondol_status status = method->function(run, self, arguments, out);
    if (status == ONDOL_OK) out->as.list->form = TEMPLATE_FORM_GENERATOR;
    return status;
}

static ondol_status filter_reverse(template_run *run, template_value self,
                                   const template_arguments *arguments, template_value *out) {
    template_list *list = NULL;
    size_t n = 0;
    (void)arguments;
    if (template_is_text(self)) {
        template_value step = template_int(-1);
        ondol_status status = template_get_slice(run, self, NULL, NULL, &step, out);
        out->flag = 0;
        return status;
    }
    template_list_form form =
        template_length(self, &n) ? TEMPLATE_FORM_GENERATOR : TEMPLATE_FORM_LIST;
    ondol_status status = template_collect(run, self, form, &list);
    if (status != ONDOL_OK) return status;
    for (size_t i = 0; i < list->count / 2; i++) {
        template_value old = list->items[i];
        list->items[i] = list->items[list->count - 1 - i];
        list->items[list->count - 1 - i] = old;
    }
    *out = template_from_list(list);
    return ONDOL_OK;
}

static ondol_status filter_attr(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    const template_string *name = NULL;
    bool found = false;
    ondol_status status = template_as_text(run, ARGUMENT(0), "attr", &name);
    TRY(status);
    if (self.kind == TEMPLATE_UNDEFINED) return template_fail_undefined(run, self);
    TRY(template_get_member(run, self, name, out, &found));
    if (found) return ONDOL_OK;
    *out = template_undefined(TEMPLATE_MISSING_ATTRIBUTE, name);
    out->owner = self.kind;
done:
    return status;
}

/* What `map` and the selecting filters do with each item. */
typedef struct action {
    const template_list *path; /* attribute to follow first */
    const template_builtin *builtin;
    template_arguments arguments;
    template_value fallback;
} action;

static const template_value *find_keyword(const template_arguments *arguments, const char *name) {
    for (size_t i = 0; i < arguments->keyword_count; i++)
        if (template_string_is(arguments->keywords[i].name, name))
            return &arguments->keywords[i].value;
    return NULL;
}

/* The filter or test named by arguments[at], and the arguments behind it. */
static ondol_status name_action(template_run *run, const template_arguments *arguments, size_t at,
                                bool is_filter, action *out) {
    const template_string *name = NULL;
    ondol_status status =
        template_as_text(run, ARGUMENT(at), "the name of a filter or test", &name);
    if (status != ONDOL_OK) return status;
    out->builtin = is_filter ? template_filter_find(name) : template_test_find(name);
    if (!out->builtin) {
        return template_fail(run, ONDOL_E_FORMAT, "no %s is named '%.*s'",
                             is_filter ? "filter" : "test", name->size < 60 ? (int)name->size : 60,
                             name->bytes);
    }
    out->arguments = *arguments;
    out->arguments.values += at + 1;
    out->arguments.count -= at + 1;
    return ONDOL_OK;
}

static ondol_status prepare_map(template_run *run, const template_arguments *arguments,
                                action *out) {
    template_list *path = NULL;
    const template_value *attribute = find_keyword(arguments, "attribute");
    const template_value *fallback = find_keyword(arguments, "default");
    ondol_status status = ONDOL_OK;
    if (arguments->count == 0 && attribute) {
        if (arguments->keyword_count > 1 + (fallback != NULL))
            return template_fail(run, ONDOL_E_FORMAT, "map got a keyword that it does not take");
        TRY(template_attribute_parse(run, *attribute, &path));
        out->path = path;
        if (fallback) out->fallback = *fallback;
        return ONDOL_OK;
    }
    if (arguments->count == 0)
        return template_fail(run, ONDOL_E_FORMAT, "map needs the name of a filter");
    TRY(name_action(run, arguments, 0, true, out));
done:
    return status;
}

static ondol_status apply(template_run *run, const action *act, template_value item,
                          template_value *out) {
    ondol_status status = ONDOL_OK;
    if (act->path) TRY(template_attribute_get(run, act->path, item, act->fallback, &item));
    *out = item;
    if (act->builtin) TRY(template_call_builtin(run, act->builtin, item, &act->arguments, out));
done:
    return status;
}

static ondol_status filter_map(template_run *run, template_value self,
                               const template_arguments *arguments, template_value *out) {
    template_iterator iterator;
    template_list *list = NULL;
    action act = {0};
    bool more = true;
    ondol_status status = template_make_list(run, TEMPLATE_FORM_GENERATOR, 0, &list);
    TRY(status);
    *out = template_from_list(list);
    if (!template_truth(self)) return ONDOL_OK;
    TRY(prepare_map(run, arguments, &act));
    TRY(template_iterate(run, self, &iterator));
    TRY(template_enter(run));
    while (more && status == ONDOL_OK) {
        template_value item = template_none();
        status = template_next(run, &iterator, &item, &more);
        if (status != ONDOL_OK || !more) break;
        status = apply(run, &act, item, &item);
        if (status == ONDOL_OK) status = template_append(run, list, item);
    }
    run->depth--;
done:
    return status;
}

static ondol_status prepare_select(template_run *run, const template_arguments *arguments,
                                   bool by_attribute, action *out) {
    template_list *path = NULL;
    ondol_status status = ONDOL_OK;
    if (by_attribute) {
        if (arguments->count == 0)
            return template_fail(run, ONDOL_E_FORMAT, "the name of the attribute is missing");
        TRY(template_attribute_parse(run, ARGUMENT(0), &path));
        out->path = path;
    }
    if (arguments->count > by_attribute) TRY(name_action(run, arguments, by_attribute, false, out));
done:
    return status;
}

static ondol_status select_items(template_run *run, template_value self,
                                 const template_arguments *arguments, bool by_attribute,
                                 bool wanted, template_value *out) {
    template_iterator iterator;
    template_list *list = NULL;
    action act = {0};
    bool more = true;
    ondol_status status = template_make_list(run, TEMPLATE_FORM_GENERATOR, 0, &list);
    TRY(status);
    *out = template_from_list(list);
    if (!template_truth(self)) return ONDOL_OK;
    TRY(prepare_select(run, arguments, by_attribute, &act));
    TRY(template_iterate(run, self, &iterator));
    TRY(template_enter(run));
    while (more && status == ONDOL_OK) {
        template_value item = template_none(), verdict = template_none();
        status = template_next(run, &iterator, &item, &more);
        if (status != ONDOL_OK || !more) break;
        status = apply(run, &act, item, &verdict);
        if (status == ONDOL_OK && template_truth(verdict) == wanted)
            status = template_append(run, list, item);
    }
    run->depth--;
done:
    return status;
}

static ondol_status filter_select(template_run *run, template_value self,
                                  const template_arguments *arguments, template_value *out) {
    return select_items(run, self, arguments, false, true, out);
}

static ondol_status filter_reject(template_run *run, template_value self,
                                  const template_arguments *arguments, template_value *out) {
    return select_items(run, self, arguments, false, false, out);
}

static ondol_status filter_selectattr(template_run *run, template_value self,
                                      const template_arguments *arguments, template_value *out) {
    return select_items(run, self, arguments, true, true, out);
}

static ondol_status filter_rejectattr(template_run *run, template_value self,
                                      const template_arguments *arguments, template_value *out) {
    return select_items(run, self, arguments, true, false, out);
}

/* source[begin, end) as a new list at the end of `all`. */
static ondol_status add_part(template_run *run, template_list *all, const template_list *source,
                             size_t begin, size_t end, template_list **part) {
    ondol_status status = template_make_list(run, TEMPLATE_FORM_LIST, end - begin, part);
    for (size_t i = begin; i < end && status == ONDOL_OK; i++)
        status = template_append(run, *part, source->items[i]);
    return status == ONDOL_OK ? template_append(run, all, template_from_list(*part)) : status;
}

static ondol_status filter_batch(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    template_list *source = NULL, *all = NULL, *part = NULL;
    int64_t size = 0;
    bool fill = ARGUMENT(1).kind != TEMPLATE_ABSENT && ARGUMENT(1).kind != TEMPLATE_NONE;
    ondol_status status = template_as_int(run, ARGUMENT(0), "the size of a batch", &size);
    TRY(status);
    TRY(template_collect(run, self, TEMPLATE_FORM_LIST, &source));
    TRY(template_make_list(run, TEMPLATE_FORM_GENERATOR, 0, &all));
    size_t n = source->count, step = size > 0 && (uint64_t)size < n ? (size_t)size : n;
    for (size_t begin = 0; begin < n; begin += step)
        TRY(add_part(run, all, source, begin, n - begin < step ? n : begin + step, &part));
    for (int64_t k = part ? (int64_t)part->count : size; fill && k < size; k++)
        TRY(template_append(run, part, ARGUMENT(1)));
    *out = template_from_list(all);
done:
    return status;
}

static ondol_status filter_slice(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    template_list *source = NULL, *all = NULL, *part = NULL;
    int64_t slices = 0;
    bool fill = ARGUMENT(1).kind != TEMPLATE_ABSENT && ARGUMENT(1).kind != TEMPLATE_NONE;
    ondol_status status = template_as_int(run, ARGUMENT(0), "the number of slices", &slices);
    TRY(status);
    TRY(template_collect(run, self, TEMPLATE_FORM_LIST, &source));
    TRY(template_make_list(run, TEMPLATE_FORM_GENERATOR, 0, &all));
    if (slices == 0) return template_fail(run, ONDOL_E_FORMAT, "slice: division by zero");
    if (slices < 0) slices = 0;
    size_t begin = 0;
    for (int64_t i = 0; i < slices; i++) {
        int64_t n = (int64_t)source->count;
        size_t size = (size_t)(n / slices + (i < n % slices));
        TRY(add_part(run, all, source, begin, begin + size, &part));
        begin += size;
        if (fill && i >= n % slices) TRY(template_append(run, part, ARGUMENT(1)));
    }
    *out = template_from_list(all);
done:
    return status;
}

const template_builtin template_list_filters[] = {
    {"default", "| default_value boolean", filter_default},
    {"d", "| default_value boolean", filter_default},
    {"first", "", filter_first},
    {"last", "", filter_last},
    {"length", "", filter_length},
    {"count", "", filter_length},
    {"list", "", filter_list},
    {"items", "", filter_items},
    {"reverse", "", filter_reverse},
    {"attr", "name", filter_attr},
    {"map", "*", filter_map},
    {"select", "*", filter_select},
    {"reject", "*", filter_reject},
    {"selectattr", "*", filter_selectattr},
    {"rejectattr", "*", filter_rejectattr},
    {"batch", "linecount | fill_with", filter_batch},
    {"slice", "slices | fill_with", filter_slice},
    {NULL, NULL, NULL},
};
