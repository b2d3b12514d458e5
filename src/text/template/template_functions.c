/* Global functions, and the lookup of everything that has a name. */
#include <string.h>

#include "text/template/template_builtins.h"
#include "text/template/template_operations.h"
#include "text/template/template_strftime.h"

#define ARGUMENT(i) (arguments->values[i])
#define RANGE_MAX   100000 /* as in Jinja's sandbox */

static ondol_status make_range(template_run *run, template_value self,
                               const template_arguments *arguments, template_value *out) {
    int64_t part[3] = {0, 0, 1};
    bool one = ARGUMENT(1).kind == TEMPLATE_ABSENT;
    ondol_status status = template_as_int(run, ARGUMENT(0), "range", &part[one ? 1 : 0]);
    TRY(status);
    (void)self;
    if (!one) TRY(template_as_int(run, ARGUMENT(1), "range", &part[1]));
    if (ARGUMENT(2).kind != TEMPLATE_ABSENT)
        TRY(template_as_int(run, ARGUMENT(2), "range", &part[2]));
    if (part[2] == 0) return template_fail(run, ONDOL_E_FORMAT, "a range's step cannot be 0");
    uint64_t width = 0, step = part[2] > 0 ? (uint64_t)part[2] : 0 - (uint64_t)part[2];
    if (part[2] > 0 && part[0] < part[1]) width = (uint64_t)part[1] - (uint64_t)part[0];
    if (part[2] < 0 && part[0] > part[1]) width = (uint64_t)part[0] - (uint64_t)part[1];
    uint64_t count = width ? (width - 1) / step + 1 : 0;
    if (count > RANGE_MAX) {
        return template_fail(run, ONDOL_E_LIMIT, "a range has more than %d items", RANGE_MAX);
    }
    template_range *range = template_heap_alloc(run->heap, 1, sizeof *range);
    if (!range) return template_no_memory(run);
    *range = (template_range){part[0], part[1], part[2], (size_t)count};
    *out = (template_value){.kind = TEMPLATE_RANGE, .as.range = range};
done:
    return status;
}

static ondol_status add_pair(template_run *run, template_dict *dict, template_value item) {
    template_list *pair = NULL;
    ondol_status status = template_collect(run, item, TEMPLATE_FORM_TUPLE, &pair);
    if (status != ONDOL_OK) return status;
    if (pair->count != 2) {
        return template_fail(run, ONDOL_E_FORMAT, "an item of a dict: expected 2 values, got %zu",
                             pair->count);
    }
    return template_dict_set(run, dict, pair->items[0], pair->items[1]);
}

static ondol_status add_source(template_run *run, template_dict *dict, template_value source) {
    template_iterator iterator;
    bool more = true;
    ondol_status status = template_iterate(run, source, &iterator);
    TRY(status);
    while (more) {
        template_value item = template_none();
        if (source.kind == TEMPLATE_DICT) {
            TRY(template_next(run, &iterator, &item, &more));
            if (!more) break;
            const template_pair *pair = &source.as.dict->pairs[iterator.position - 1];
            TRY(template_dict_set(run, dict, pair->key, pair->value));
        } else {
            TRY(template_next(run, &iterator, &item, &more));
            if (more) TRY(add_pair(run, dict, item));
        }
    }
done:
    return status;
}

static ondol_status make_dict(template_run *run, template_value self,
                              const template_arguments *arguments, template_value *out) {
    ondol_status status = ONDOL_OK;
    template_dict *dict = template_dict_create(run->heap);
    (void)self;
    if (!dict) return template_no_memory(run);
    if (arguments->count > 1) {
        return template_fail(run, ONDOL_E_FORMAT, "'dict' takes at most 1 argument, got %zu",
                             arguments->count);
    }
    if (arguments->count) TRY(add_source(run, dict, ARGUMENT(0)));
    for (size_t i = 0; i < arguments->keyword_count; i++)
        TRY(template_dict_set(run, dict, template_from_string(arguments->keywords[i].name),
                              arguments->keywords[i].value));
    *out = template_from_dict(dict);
done:
    return status;
}

static ondol_status make_namespace(template_run *run, template_value self,
                                   const template_arguments *arguments, template_value *out) {
    ondol_status status = make_dict(run, self, arguments, out);
    if (status == ONDOL_OK) out->kind = TEMPLATE_NAMESPACE;
    return status;
}

static ondol_status make_cycler(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    template_list *items = NULL;
    ondol_status status = ONDOL_OK;
    (void)self;
    if (arguments->count == 0 || arguments->keyword_count)
        return template_fail(run, ONDOL_E_FORMAT, "a cycler needs items, and nothing else");
    template_cycler *cycler = template_heap_alloc(run->heap, 1, sizeof *cycler);
    if (!cycler) return template_no_memory(run);
    TRY(template_make_list(run, TEMPLATE_FORM_TUPLE, arguments->count, &items));
    for (size_t i = 0; i < arguments->count; i++)
        TRY(template_append(run, items, ARGUMENT(i)));
    cycler->items = items;
    *out = (template_value){.kind = TEMPLATE_CYCLER, .as.cycler = cycler};
done:
    return status;
}

static ondol_status make_joiner(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    template_joiner *joiner = template_heap_alloc(run->heap, 1, sizeof *joiner);
    (void)self;
    if (!joiner) return template_no_memory(run);
    *out = (template_value){.kind = TEMPLATE_JOINER, .as.joiner = joiner};
    joiner->separator = ARGUMENT(0);
    if (joiner->separator.kind != TEMPLATE_ABSENT) return ONDOL_OK;
    return template_make_text(run, ", ", &joiner->separator);
}

static ondol_status raise_exception(template_run *run, template_value self,
                                    const template_arguments *arguments, template_value *out) {
    template_value message = template_none();
    ondol_status status = template_to_string(run, ARGUMENT(0), &message);
    (void)self;
    (void)out;
    if (status != ONDOL_OK) return status;
    const template_string *text = message.as.string;
    int shown = text->size < ONDOL_ERROR_TEXT_BYTES ? (int)text->size : ONDOL_ERROR_TEXT_BYTES;
    return base_fail(run->err, ONDOL_E_FORMAT, "template line %u refuses: %.*s",
                     (unsigned)run->line, shown, text->bytes);
}

static ondol_status strftime_now(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    const template_string *format = NULL;
    template_builder b = {0};
    ondol_status status = template_as_text(run, ARGUMENT(0), "strftime_now", &format);
    (void)self;
    TRY(status);
    TRY(template_strftime(run, &b, format, run->limits.unix_time, run->limits.utc_offset_seconds));
    TRY(template_build_finish(run, &b, out));
done:
    return status;
}

const template_builtin template_functions[] = {
    {"range", "/ start | stop step", make_range},
    {"dict", "*", make_dict},
    {"namespace", "*", make_namespace},
    {"cycler", "*", make_cycler},
    {"joiner", "| sep", make_joiner},
    {"raise_exception", "message", raise_exception},
    {"strftime_now", "format", strftime_now},
    {NULL, NULL, NULL},
};

const template_builtin *template_builtin_find(const template_builtin *table,
                                              const template_string *name) {
    for (; table->name; table++)
        if (template_string_is(name, table->name)) return table;
    return NULL;
}

const template_builtin *template_filter_find(const template_string *name) {
    const template_builtin *const tables[] = {
        template_text_filters,  template_layout_filters, template_list_filters,
        template_order_filters, template_number_filters, template_html_filters,
        template_json_filters,
    };
    const template_builtin *found = NULL;
    for (size_t i = 0; i < sizeof tables / sizeof *tables && !found; i++)
        found = template_builtin_find(tables[i], name);
    return found;
}

const template_builtin *template_test_find(const template_string *name) {
    return template_builtin_find(template_tests, name);
}

const template_builtin *template_function_find(const template_string *name) {
    return template_builtin_find(template_functions, name);
}

const template_builtin *template_method_find(template_value self, const template_string *name) {
    const template_builtin *found = NULL;
    switch ((template_kind)self.kind) {
    case TEMPLATE_STRING:
        found = template_builtin_find(template_string_methods, name);
        return found ? found : template_builtin_find(template_string_search_methods, name);
    case TEMPLATE_DICT: return template_builtin_find(template_dict_methods, name);
    case TEMPLATE_LIST:
        if (template_is_list(self)) found = template_builtin_find(template_list_methods, name);
        if (found || !(template_is_list(self) || template_is_tuple(self))) return found;
        return template_builtin_find(template_sequence_methods, name);
    case TEMPLATE_CYCLER: return template_builtin_find(template_cycler_methods, name);
    case TEMPLATE_LOOP: return template_builtin_find(template_loop_methods, name);
    default: return NULL;
    }
}
