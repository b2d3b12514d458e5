/* Truth, equality, order, membership and sorting of values, as Python has them. */
#include <string.h>

#include "text/template/template_operations.h"
#include "text/template/template_text.h"

bool template_truth(template_value value) {
    size_t n = 0;
    switch ((template_kind)value.kind) {
    case TEMPLATE_ABSENT:
    case TEMPLATE_UNDEFINED:
    case TEMPLATE_NONE: return false;
    case TEMPLATE_BOOL: return value.as.boolean;
    case TEMPLATE_INT: return value.as.integer != 0;
    case TEMPLATE_DOUBLE: return value.as.real != 0.0;
    default: break;
    }
    return template_length(value, &n) ? n != 0 : true;
}

/* -1, 0, 1; 2 when a NaN is among them. Exact: an int is not rounded to a double. */
static int compare_numbers(template_value a, template_value b) {
    bool real_a = a.kind == TEMPLATE_DOUBLE, real_b = b.kind == TEMPLATE_DOUBLE;
    if (real_a && real_b) {
        double x = a.as.real, y = b.as.real;
        return x < y ? -1 : x > y ? 1 : x == y ? 0 : 2;
    }
    if (real_a) {
        int swapped = compare_numbers(b, a);
        return swapped == 2 ? 2 : -swapped;
    }
    int64_t x = a.kind == TEMPLATE_BOOL ? a.as.boolean : a.as.integer;
    if (!real_b) {
        int64_t y = b.kind == TEMPLATE_BOOL ? b.as.boolean : b.as.integer;
        return x < y ? -1 : x > y;
    }
    double y = b.as.real;
    if (y != y) return 2;
    if (y >= 9223372036854775808.0) return -1;
    if (y < -9223372036854775808.0) return 1;
    int64_t whole = (int64_t)y;
    if (x != whole) return x < whole ? -1 : 1;
    double rest = y - (double)whole;
    return rest > 0 ? -1 : rest < 0;
}

static ondol_status equal_lists(template_run *run, const template_list *a, const template_list *b,
                                bool *out) {
    *out = a == b;
    if (a == b || a->count != b->count) return ONDOL_OK;
    *out = true;
    ondol_status status = ONDOL_OK;
    for (size_t i = 0; i < a->count && i < b->count && *out && status == ONDOL_OK; i++)
        status = template_equal(run, a->items[i], b->items[i], out);
    return status;
}

static ondol_status equal_dicts(template_run *run, const template_dict *a, const template_dict *b,
                                bool *out) {
    ondol_status status = ONDOL_OK;
    *out = a == b;
    if (a == b || a->count != b->count) return ONDOL_OK;
    *out = true;
    for (size_t i = 0; i < a->used && *out && status == ONDOL_OK; i++) {
        template_value other = template_none();
        if (a->pairs[i].key.kind == TEMPLATE_ABSENT) continue;
        status = template_dict_get(run, b, a->pairs[i].key, &other, out);
        if (status == ONDOL_OK && *out) status = template_equal(run, a->pairs[i].value, other, out);
    }
    return status;
}

static bool equal_ranges(const template_range *a, const template_range *b) {
    if (a->count != b->count) return false;
    return a->count == 0 || (a->start == b->start && (a->count == 1 || a->step == b->step));
}

ondol_status template_equal(template_run *run, template_value a, template_value b, bool *out) {
    ondol_status status = ONDOL_OK;
    *out = false;
    if (template_is_number(a) && template_is_number(b)) {
        *out = compare_numbers(a, b) == 0;
        return template_spend(run, 1);
    }
    if (a.kind != b.kind) return template_spend(run, 1);
    TRY(template_enter(run));
    switch ((template_kind)a.kind) {
    case TEMPLATE_NONE:
    case TEMPLATE_UNDEFINED: *out = true; break;
    case TEMPLATE_STRING:
        *out = template_string_equal(a.as.string, b.as.string);
        status = template_spend(run, a.as.string->size / 64);
        break;
    case TEMPLATE_RANGE: *out = equal_ranges(a.as.range, b.as.range); break;
    case TEMPLATE_DICT: status = equal_dicts(run, a.as.dict, b.as.dict, out); break;
    case TEMPLATE_LIST:
        if ((template_is_list(a) && template_is_list(b)) ||
            (template_is_tuple(a) && template_is_tuple(b))) {
            status = equal_lists(run, a.as.list, b.as.list, out);
            break;
        }
        *out = a.as.list == b.as.list;
        break;
    default: *out = a.as.dict == b.as.dict; break;
    }
    run->depth--;
done:
    return status;
}

static ondol_status less_lists(template_run *run, const template_list *a, const template_list *b,
                               bool *out) {
    ondol_status status = template_enter(run);
    if (status != ONDOL_OK) return status;
    size_t n = a->count < b->count ? a->count : b->count;
    *out = a->count < b->count;
    for (size_t i = 0; i < n && status == ONDOL_OK; i++) {
        bool equal = false;
        status = template_equal(run, a->items[i], b->items[i], &equal);
        if (status != ONDOL_OK || equal) continue;
        status = template_less(run, a->items[i], b->items[i], out);
        break;
    }
    run->depth--;
    return status;
}

static bool less_strings(const template_string *a, const template_string *b) {
    size_t n = a->size < b->size ? a->size : b->size;
    int order = n ? memcmp(a->bytes, b->bytes, n) : 0;
    return order < 0 || (order == 0 && a->size < b->size);
}

ondol_status template_less(template_run *run, template_value a, template_value b, bool *out) {
    if (a.kind == TEMPLATE_UNDEFINED) return template_fail_undefined(run, a);
    if (b.kind == TEMPLATE_UNDEFINED) return template_fail_undefined(run, b);
    if (template_is_number(a) && template_is_number(b)) {
        *out = compare_numbers(a, b) == -1;
        return template_spend(run, 1);
    }
    if (template_is_text(a) && template_is_text(b)) {
        *out = less_strings(a.as.string, b.as.string);
        return template_spend(run, 1 + a.as.string->size / 64);
    }
    if ((template_is_list(a) && template_is_list(b)) ||
        (template_is_tuple(a) && template_is_tuple(b)))
        return less_lists(run, a.as.list, b.as.list, out);
    return template_fail(run, ONDOL_E_FORMAT, "'%s' and '%s' cannot be put in order",
                         template_type_name(a), template_type_name(b));
}

/* a <= b is not b < a: a NaN is neither. */
static ondol_status less_equal(template_run *run, template_value a, template_value b, bool *out) {
    if (template_is_number(a) && template_is_number(b)) {
        int order = compare_numbers(a, b);
        *out = order == -1 || order == 0;
        return ONDOL_OK;
    }
    ondol_status status = template_less(run, b, a, out);
    *out = !*out;
    return status;
}

ondol_status template_compare(template_run *run, template_operation operation, template_value a,
                              template_value b, bool *out) {
    ondol_status status = ONDOL_OK;
    switch (operation) {
    case OPERATION_EQUAL: return template_equal(run, a, b, out);
    case OPERATION_LESS: return template_less(run, a, b, out);
    case OPERATION_GREATER: return template_less(run, b, a, out);
    case OPERATION_LESS_EQUAL: return less_equal(run, a, b, out);
    case OPERATION_GREATER_EQUAL: return less_equal(run, b, a, out);
    case OPERATION_IN: return template_contains(run, b, a, out);
    case OPERATION_NOT_IN: status = template_contains(run, b, a, out); break;
    default: status = template_equal(run, a, b, out); break; /* != */
    }
    *out = !*out;
    return status;
}

ondol_status template_contains(template_run *run, template_value container, template_value item,
                               bool *out) {
    ondol_status status = ONDOL_OK;
    template_value unused = template_none();
    *out = false;
    if (container.kind == TEMPLATE_DICT)
        return template_dict_get(run, container.as.dict, item, &unused, out);
    if (container.kind == TEMPLATE_STRING) {
        if (item.kind != TEMPLATE_STRING) {
            return template_fail(run, ONDOL_E_FORMAT,
                                 "`in` a string expects a string on its left, got '%s'",
                                 template_type_name(item));
        }
        const template_string *text = container.as.string, *part = item.as.string;
        *out = template_text_find(text->bytes, text->size, part->bytes, part->size) != SIZE_MAX;
        return template_spend(run, 1 + text->size / 16);
    }
    template_iterator iterator;
    bool more = true;
    TRY(template_iterate(run, container, &iterator));
    while (!*out) {
        template_value one = template_none();
        TRY(template_next(run, &iterator, &one, &more));
        if (!more) break;
        TRY(template_equal(run, item, one, out));
    }
done:
    return status;
}

typedef struct sort_item {
    template_value key, value;
} sort_item;

/* Merges the sorted halves [begin, middle) and [middle, end) of `from` into `to`. */
static ondol_status merge(template_run *run, const sort_item *from, sort_item *to, size_t begin,
                          size_t middle, size_t end, bool descending) {
    size_t left = begin, right = middle;
    for (size_t i = begin; i < end; i++) {
        bool take_right = left == middle;
        if (left < middle && right < end) {
            template_value a = from[left].key, b = from[right].key;
            ondol_status status = descending ? template_less(run, a, b, &take_right)
                                             : template_less(run, b, a, &take_right);
            if (status != ONDOL_OK) return status;
        }
        to[i] = take_right ? from[right++] : from[left++];
    }
    return template_spend(run, end - begin);
}

ondol_status template_sort(template_run *run, template_value *keys, template_value *values,
                           size_t n, bool descending) {
    sort_item *from = template_heap_alloc(run->heap, n, sizeof *from);
    sort_item *to = template_heap_alloc(run->heap, n, sizeof *to);
    if (!from || !to) return template_no_memory(run);
    for (size_t i = 0; i < n; i++)
        from[i] = (sort_item){keys[i], values[i]};
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t begin = 0; begin < n; begin += 2 * width) {
            size_t middle = begin + width < n ? begin + width : n;
            size_t end = begin + 2 * width < n ? begin + 2 * width : n;
            ondol_status status = merge(run, from, to, begin, middle, end, descending);
            if (status != ONDOL_OK) return status;
        }
        sort_item *old = from;
        from = to;
        to = old;
    }
    for (size_t i = 0; i < n; i++) {
        keys[i] = from[i].key;
        values[i] = from[i].value;
    }
    return ONDOL_OK;
}
