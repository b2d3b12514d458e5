/* Lengths, walking, items, attributes and slices of values. */
#include <string.h>

#include "text/template/template_builtins.h"
#include "text/template/template_operations.h"

bool template_is_text(template_value value) {
    return value.kind == TEMPLATE_STRING;
}

bool template_is_list(template_value value) {
    return value.kind == TEMPLATE_LIST && value.as.list->form == TEMPLATE_FORM_LIST;
}

bool template_is_tuple(template_value value) {
    return value.kind == TEMPLATE_LIST && (value.as.list->form == TEMPLATE_FORM_TUPLE ||
                                           value.as.list->form == TEMPLATE_FORM_GROUP);
}

bool template_length(template_value value, size_t *n) {
    switch ((template_kind)value.kind) {
    case TEMPLATE_UNDEFINED: *n = 0; return true;
    case TEMPLATE_STRING: *n = value.as.string->length; return true;
    case TEMPLATE_LIST: *n = value.as.list->count; break;
    case TEMPLATE_DICT: *n = value.as.dict->count; return true;
    case TEMPLATE_RANGE: *n = value.as.range->count; return true;
    case TEMPLATE_LOOP: *n = (size_t)value.as.loop->length; return true;
    default: return false;
    }
    return value.as.list->form != TEMPLATE_FORM_GENERATOR;
}

bool template_is_iterable(template_value value) {
    return value.kind == TEMPLATE_UNDEFINED || value.kind == TEMPLATE_STRING ||
           value.kind == TEMPLATE_LIST || value.kind == TEMPLATE_DICT ||
           value.kind == TEMPLATE_RANGE;
}

ondol_status template_iterate(template_run *run, template_value value, template_iterator *out) {
    *out = (template_iterator){.source = value};
    if (template_is_iterable(value)) return ONDOL_OK;
    return template_fail(run, ONDOL_E_FORMAT, "expected something that has items, got '%s'",
                         template_type_name(value));
}

static ondol_status next_character(template_run *run, template_iterator *it, template_value *item,
                                   bool *more) {
    const template_string *text = it->source.as.string;
    *more = it->position < text->size;
    if (!*more) return ONDOL_OK;
    uint32_t code = 0;
    size_t begin = it->position;
    it->position += template_text_next(text->bytes, text->size, begin, &code);
    return template_make_view(run, text, begin, it->position, item);
}

ondol_status template_next(template_run *run, template_iterator *it, template_value *item,
                           bool *more) {
    template_value source = it->source;
    *more = false;
    if (source.kind == TEMPLATE_STRING) return next_character(run, it, item, more);
    if (source.kind == TEMPLATE_LIST) {
        template_list *list = source.as.list;
        bool once = list->form == TEMPLATE_FORM_GENERATOR;
        size_t *at = once ? &list->consumed : &it->position;
        *more = *at < list->count;
        if (*more) *item = list->items[(*at)++];
    } else if (source.kind == TEMPLATE_RANGE) {
        const template_range *range = source.as.range;
        *more = it->position < range->count;
        if (*more) *item = template_int(range->start + (int64_t)it->position++ * range->step);
    } else if (source.kind == TEMPLATE_DICT) {
        const template_dict *dict = source.as.dict;
        while (it->position < dict->used && dict->pairs[it->position].key.kind == TEMPLATE_ABSENT)
            it->position++;
        *more = it->position < dict->used;
        if (*more) *item = dict->pairs[it->position++].key;
    }
    return template_spend(run, 1);
}

ondol_status template_collect(template_run *run, template_value value, template_list_form form,
                              template_list **out) {
    ondol_status status = ONDOL_OK;
    template_iterator iterator;
    template_list *list = NULL;
    size_t n = 0;
    bool more = true;
    TRY(template_iterate(run, value, &iterator));
    if (!template_length(value, &n)) n = 0;
    TRY(template_make_list(run, form, n, &list));
    while (more) {
        template_value item = template_none();
        TRY(template_next(run, &iterator, &item, &more));
        if (more) TRY(template_append(run, list, item));
    }
    *out = list;
done:
    return status;
}

/* An index of a sequence of n items; false when it is none or out of range. */
static bool find_index(template_value index, size_t n, size_t *out) {
    if (index.kind != TEMPLATE_INT && index.kind != TEMPLATE_BOOL) return false;
    int64_t at = index.kind == TEMPLATE_BOOL ? index.as.boolean : index.as.integer;
    if (at < 0) at += (int64_t)n;
    if (at < 0 || (uint64_t)at >= n) return false;
    *out = (size_t)at;
    return true;
}

static ondol_status character_at(template_run *run, template_value value, size_t index,
                                 template_value *out) {
    const template_string *text = value.as.string;
    size_t begin = template_string_offset(text, index), end = begin;
    uint32_t code = 0;
    if (begin < text->size) end += template_text_next(text->bytes, text->size, begin, &code);
    ondol_status status = template_make_view(run, text, begin, end, out);
    out->flag = value.flag;
    return status == ONDOL_OK && text->length != text->size ? template_spend(run, index / 16)
                                                            : status;
}

static bool has_index(template_value value) {
    if (value.kind == TEMPLATE_STRING || value.kind == TEMPLATE_RANGE) return true;
    return template_is_list(value) || template_is_tuple(value);
}

/* value[index] of Python; *found false where that raises LookupError or TypeError. */
static ondol_status subscript(template_run *run, template_value value, template_value index,
                              template_value *out, bool *found) {
    size_t n = 0, at = 0;
    *found = false;
    if (value.kind == TEMPLATE_DICT) {
        bool unhashable = index.kind == TEMPLATE_DICT || template_is_list(index);
        if (unhashable) return ONDOL_OK;
        return template_dict_get(run, value.as.dict, index, out, found);
    }
    if (!has_index(value) || !template_length(value, &n) || !find_index(index, n, &at))
        return ONDOL_OK;
    *found = true;
    if (value.kind == TEMPLATE_STRING) return character_at(run, value, at, out);
    if (value.kind == TEMPLATE_LIST)
        *out = value.as.list->items[at];
    else
        *out = template_int(value.as.range->start + (int64_t)at * value.as.range->step);
    return ONDOL_OK;
}

static template_value missing(template_value owner, const template_string *name) {
    template_value value = template_undefined(TEMPLATE_MISSING_ATTRIBUTE, name);
    value.owner = owner.kind;
    return value;
}

static bool loop_member(const template_loop *loop, const template_string *name,
                        template_value *out) {
    static const template_string previous = {"previtem", 8, 8, NULL},
                                 next = {"nextitem", 8, 8, NULL};
    const struct {
        const char *name;
        template_value value;
    } members[] = {
        {"index", template_int(loop->index0 + 1)},
        {"index0", template_int(loop->index0)},
        {"first", template_bool(loop->index0 == 0)},
        {"last", template_bool(loop->index0 + 1 == loop->length)},
        {"length", template_int(loop->length)},
        {"revindex", template_int(loop->length - loop->index0)},
        {"revindex0", template_int(loop->length - loop->index0 - 1)},
        {"depth", template_int(loop->depth0 + 1)},
        {"depth0", template_int(loop->depth0)},
        {"previtem", loop->previous.kind ? loop->previous
                                         : template_undefined(TEMPLATE_MISSING_ITEM, &previous)},
        {"nextitem",
         loop->next.kind ? loop->next : template_undefined(TEMPLATE_MISSING_ITEM, &next)},
    };
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (!template_string_is(name, members[i].name)) continue;
        *out = members[i].value;
        return true;
    }
    return false;
}

/* *found false when a macro has no such attribute. */
static ondol_status macro_member(template_run *run, const template_node *macro,
                                 const template_string *name, template_value *out, bool *found) {
    static const struct {
        const char *name;
        uint8_t takes;
    } flags[] = {{"catch_kwargs", TEMPLATE_TAKES_KWARGS},
                 {"catch_varargs", TEMPLATE_TAKES_VARARGS},
                 {"caller", TEMPLATE_TAKES_CALLER}};
    template_list *list = NULL;
    ondol_status status = ONDOL_OK;
    *found = true;
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        if (!template_string_is(name, flags[i].name)) continue;
        *out = template_bool(macro->takes & flags[i].takes);
        return ONDOL_OK;
    }
    *out = template_from_string(run->tmpl->names[macro->name]);
    if (template_string_is(name, "name")) return ONDOL_OK;
    *found = template_string_is(name, "arguments");
    if (!*found) return ONDOL_OK;
    TRY(template_make_list(run, TEMPLATE_FORM_TUPLE, macro->more.count, &list));
    for (uint32_t i = 0; i < macro->more.count; i++)
        TRY(template_append(run, list,
                            template_from_string(run->tmpl->names[macro->more.at[i]->name])));
    *out = template_from_list(list);
done:
    return status;
}

ondol_status template_get_member(template_run *run, template_value value,
                                 const template_string *name, template_value *out, bool *found) {
    *found = true;
    if (value.kind == TEMPLATE_NAMESPACE) {
        *found = template_dict_find(run->heap, value.as.dict, name, out);
        return template_spend(run, 1);
    }
    if (value.kind == TEMPLATE_LOOP && loop_member(value.as.loop, name, out)) return ONDOL_OK;
    if (value.kind == TEMPLATE_LIST && value.as.list->form == TEMPLATE_FORM_GROUP) {
        bool grouper = template_string_is(name, "grouper");
        if (grouper || template_string_is(name, "list")) {
            *out = value.as.list->items[grouper ? 0 : 1];
            return ONDOL_OK;
        }
    }
    if (value.kind == TEMPLATE_CYCLER && template_string_is(name, "current")) {
        *out = value.as.cycler->items->items[value.as.cycler->position];
        return ONDOL_OK;
    }
    if (value.kind == TEMPLATE_CALLABLE && value.as.callable->kind == TEMPLATE_CALL_MACRO &&
        value.as.callable->macro->kind == NODE_MACRO)
        return macro_member(run, value.as.callable->macro, name, out, found);
    const template_builtin *method = template_method_find(value, name);
    *found = method != NULL;
    return method ? template_make_callable(run, method, value, out) : template_spend(run, 1);
}

ondol_status template_get_attribute(template_run *run, template_value value,
                                    const template_string *name, template_value *out) {
    bool found = false;
    if (value.kind == TEMPLATE_UNDEFINED) return template_fail_undefined(run, value);
    ondol_status status = template_get_member(run, value, name, out, &found);
    if (status != ONDOL_OK || found) return status;
    if (value.kind == TEMPLATE_DICT && template_dict_find(run->heap, value.as.dict, name, out))
        return ONDOL_OK;
    *out = missing(value, name);
    return ONDOL_OK;
}

ondol_status template_get_item(template_run *run, template_value value, template_value index,
                               template_value *out) {
    bool found = false;
    if (value.kind == TEMPLATE_UNDEFINED) return template_fail_undefined(run, value);
    ondol_status status = subscript(run, value, index, out, &found);
    if (status != ONDOL_OK || found) return status;
    if (index.kind == TEMPLATE_STRING) {
        status = template_get_member(run, value, index.as.string, out, &found);
        if (status != ONDOL_OK || found) return status;
        *out = missing(value, index.as.string);
        return ONDOL_OK;
    }
    template_value name = template_none();
    status = template_to_string(run, index, &name);
    *out = missing(value, status == ONDOL_OK ? name.as.string : NULL);
    return status;
}

typedef struct bounds {
    int64_t begin, end, step;
} bounds;

static ondol_status slice_number(template_run *run, const template_value *value, int64_t absent,
                                 int64_t *out, bool *given) {
    *out = absent;
    *given = value && value->kind != TEMPLATE_NONE;
    return *given ? template_as_int(run, *value, "a slice's bound", out) : ONDOL_OK;
}

static int64_t clamp(int64_t at, int64_t n, int64_t low, int64_t high) {
    if (at < 0) at = at < -n ? low : at + n;
    return at < low ? low : at > high ? high : at;
}

/* PySlice_AdjustIndices. */
static ondol_status find_bounds(template_run *run, size_t length, const template_value *begin,
                                const template_value *end, const template_value *step,
                                bounds *out) {
    ondol_status status = ONDOL_OK;
    bool given = false;
    int64_t n = (int64_t)length;
    TRY(slice_number(run, step, 1, &out->step, &given));
    if (out->step == 0) return template_fail(run, ONDOL_E_FORMAT, "a slice's step cannot be 0");
    bool up = out->step > 0;
    if (out->step < -INT64_MAX) out->step = -INT64_MAX;
    TRY(slice_number(run, begin, 0, &out->begin, &given));
    if (given)
        out->begin = clamp(out->begin, n, up ? 0 : -1, up ? n : n - 1);
    else
        out->begin = up ? 0 : n - 1;
    TRY(slice_number(run, end, 0, &out->end, &given));
    if (given)
        out->end = clamp(out->end, n, up ? 0 : -1, up ? n : n - 1);
    else
        out->end = up ? n : -1;
done:
    return status;
}

static size_t count_of(const bounds *b) {
    if (b->step > 0) return b->begin < b->end ? (size_t)((b->end - b->begin - 1) / b->step + 1) : 0;
    return b->begin > b->end ? (size_t)((b->begin - b->end - 1) / -b->step + 1) : 0;
}

static ondol_status slice_text(template_run *run, template_value value, const bounds *b, size_t n,
                               template_value *out) {
    const template_string *text = value.as.string;
    ondol_status status = template_spend(run, 1 + text->size / 64);
    TRY(status);
    if (b->step == 1) {
        size_t begin = n ? template_string_offset(text, (size_t)b->begin) : 0;
        size_t end = n ? template_string_offset(text, (size_t)b->end) : 0;
        TRY(template_make_view(run, text, begin, end, out));
    } else {
        /* byte offsets of all characters, so that any step is linear */
        size_t *offsets = template_heap_alloc(run->heap, text->length + 1, sizeof *offsets);
        template_builder builder = {0};
        if (!offsets) return template_no_memory(run);
        for (size_t i = 0, at = 0; i < text->length; i++) {
            uint32_t code = 0;
            offsets[i] = at;
            if (at < text->size) at += template_text_next(text->bytes, text->size, at, &code);
            offsets[i + 1] = at;
        }
        for (size_t i = 0; i < n; i++) {
            size_t at = (size_t)(b->begin + (int64_t)i * b->step);
            TRY(template_build(run, &builder, text->bytes + offsets[at],
                               offsets[at + 1] - offsets[at]));
            TRY(template_spend(run, 1));
        }
        TRY(template_build_finish(run, &builder, out));
    }
    out->flag = value.flag;
done:
    return status;
}

static ondol_status slice_list(template_run *run, const template_list *source, const bounds *b,
                               size_t n, template_value *out) {
    template_list *list = NULL;
    template_list_form form =
        source->form == TEMPLATE_FORM_LIST ? source->form : TEMPLATE_FORM_TUPLE;
    ondol_status status = template_make_list(run, form, n, &list);
    for (size_t i = 0; i < n && status == ONDOL_OK; i++)
        status = template_append(run, list, source->items[b->begin + (int64_t)i * b->step]);
    *out = template_from_list(list);
    return status;
}

static ondol_status slice_range(template_run *run, const template_range *source, const bounds *b,
                                size_t n, template_value *out) {
    template_range *range = template_heap_alloc(run->heap, 1, sizeof *range);
    if (!range) return template_no_memory(run);
    range->start = source->start + b->begin * source->step;
    range->step = n > 1 ? source->step * b->step : 1;
    range->count = n;
    range->stop = range->start + (int64_t)n * range->step;
    *out = (template_value){.kind = TEMPLATE_RANGE, .as.range = range};
    return ONDOL_OK;
}

ondol_status template_get_slice(template_run *run, template_value value,
                                const template_value *begin, const template_value *end,
                                const template_value *step, template_value *out) {
    size_t length = 0;
    bounds b;
    if (value.kind == TEMPLATE_UNDEFINED) return template_fail_undefined(run, value);
    if (!has_index(value) || !template_length(value, &length)) {
        return template_fail(run, ONDOL_E_FORMAT, "expected a string or list to slice, got '%s'",
                             template_type_name(value));
    }
    ondol_status status = find_bounds(run, length, begin, end, step, &b);
    if (status != ONDOL_OK) return status;
    size_t n = count_of(&b);
    if (value.kind == TEMPLATE_STRING) return slice_text(run, value, &b, n, out);
    if (value.kind == TEMPLATE_LIST) return slice_list(run, value.as.list, &b, n, out);
    return slice_range(run, value.as.range, &b, n, out);
}
