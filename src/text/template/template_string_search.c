/* Methods of str that search and ask: find, count, startswith, isdigit ... */
#include <string.h>

#include "text/template/template_builtins.h"
#include "text/template/template_operations.h"
#include "text/template/template_text.h"

#define ARGUMENT(i) (arguments->values[i])

/* The part of self between the characters `start` and `end`, as byte offsets. first_index is the
 * character at `begin`; valid is false when start lies behind the end. */
typedef struct window {
    size_t begin, end;
    int64_t first_index;
    bool valid;
} window;

static ondol_status index_of(template_run *run, template_value value, int64_t absent, int64_t n,
                             int64_t *out) {
    *out = absent;
    if (value.kind == TEMPLATE_ABSENT || value.kind == TEMPLATE_NONE) return ONDOL_OK;
    ondol_status status = template_as_int(run, value, "a bound of a search", out);
    if (*out < 0) *out = *out < -n ? 0 : *out + n;
    return status;
}

static ondol_status find_window(template_run *run, const template_string *s, template_value start,
                                template_value end, window *out) {
    int64_t n = (int64_t)s->length, first = 0, last = n;
    ondol_status status = index_of(run, start, 0, n, &first);
    TRY(status);
    TRY(index_of(run, end, n, n, &last));
    if (last > n) last = n;
    out->valid = first <= last;
    out->first_index = first;
    if (!out->valid) return ONDOL_OK;
    out->begin = template_string_offset(s, (size_t)first);
    out->end = template_string_offset(s, (size_t)last);
    TRY(template_spend(run, 1 + s->size / 4));
done:
    return status;
}

typedef enum search { SEARCH_FIND, SEARCH_FIND_LAST, SEARCH_COUNT } search;

static ondol_status look(template_run *run, template_value self,
                         const template_arguments *arguments, search what, int64_t *out) {
    const template_string *s = self.as.string, *part = NULL;
    window w = {0};
    *out = what == SEARCH_COUNT ? 0 : -1;
    ondol_status status = template_as_text(run, ARGUMENT(0), "what to search for", &part);
    TRY(status);
    TRY(find_window(run, s, ARGUMENT(1), ARGUMENT(2), &w));
    if (!w.valid) return ONDOL_OK;
    const char *bytes = s->bytes + w.begin;
    size_t n = w.end - w.begin;
    if (what == SEARCH_COUNT && part->size == 0) {
        *out = (int64_t)template_text_length(bytes, n) + 1;
    } else if (what == SEARCH_COUNT) {
        for (size_t at = 0;; ++*out) {
            size_t found = template_text_find(bytes + at, n - at, part->bytes, part->size);
            if (found == SIZE_MAX) break;
            at += found + part->size;
        }
    } else {
        size_t found = what == SEARCH_FIND
                           ? template_text_find(bytes, n, part->bytes, part->size)
                           : template_text_find_last(bytes, n, part->bytes, part->size);
        if (found != SIZE_MAX) *out = w.first_index + (int64_t)template_text_length(bytes, found);
    }
done:
    return status;
}

static ondol_status method_find(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    *out = template_int(0);
    return look(run, self, arguments, SEARCH_FIND, &out->as.integer);
}

static ondol_status method_rfind(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    *out = template_int(0);
    return look(run, self, arguments, SEARCH_FIND_LAST, &out->as.integer);
}

static ondol_status method_count(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    *out = template_int(0);
    return look(run, self, arguments, SEARCH_COUNT, &out->as.integer);
}

static ondol_status not_found(template_run *run, ondol_status status, template_value found) {
    if (status != ONDOL_OK || found.as.integer >= 0) return status;
    return template_fail(run, ONDOL_E_FORMAT, "index: the part is not in the string");
}

static ondol_status method_index(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    return not_found(run, method_find(run, self, arguments, out), *out);
}

static ondol_status method_rindex(template_run *run, template_value self,
                                  const template_arguments *arguments, template_value *out) {
    return not_found(run, method_rfind(run, self, arguments, out), *out);
}

static ondol_status has_affix(template_run *run, template_value self,
                              const template_arguments *arguments, bool at_end,
                              template_value *out) {
    const template_string *s = self.as.string, *part = NULL;
    template_value one = ARGUMENT(0);
    bool tuple = template_is_tuple(one);
    size_t n = tuple ? one.as.list->count : 1;
    window w = {0};
    ondol_status status = find_window(run, s, ARGUMENT(1), ARGUMENT(2), &w);
    TRY(status);
    *out = template_bool(false);
    for (size_t i = 0; i < n && !out->as.boolean; i++) {
        TRY(template_as_text(run, tuple ? one.as.list->items[i] : one,
                             at_end ? "endswith" : "startswith", &part));
        if (!w.valid || part->size > w.end - w.begin) continue;
        const char *at = s->bytes + (at_end ? w.end - part->size : w.begin);
        out->as.boolean = memcmp(at, part->bytes, part->size) == 0;
    }
done:
    return status;
}

static ondol_status method_startswith(template_run *run, template_value self,
                                      const template_arguments *arguments, template_value *out) {
    return has_affix(run, self, arguments, false, out);
}

static ondol_status method_endswith(template_run *run, template_value self,
                                    const template_arguments *arguments, template_value *out) {
    return has_affix(run, self, arguments, true, out);
}

/* True when there are characters and all are of that class. */
static ondol_status all_are(template_run *run, template_value self, bool (*is)(uint32_t),
                            bool when_empty, template_value *out) {
    const template_string *s = self.as.string;
    *out = template_bool(s->size > 0 || when_empty);
    for (size_t at = 0; at < s->size && out->as.boolean;) {
        uint32_t code = 0;
        at += template_text_next(s->bytes, s->size, at, &code);
        out->as.boolean = is(code);
    }
    return template_spend(run, 1 + s->size / 8);
}

static bool is_ascii(uint32_t code) {
    return code < 0x80;
}

#define CLASS_METHOD(name, function, when_empty)                                                   \
    static ondol_status name(template_run *run, template_value self,                               \
                             const template_arguments *arguments, template_value *out) {           \
        (void)arguments;                                                                           \
        return all_are(run, self, function, when_empty, out);                                      \
    }

CLASS_METHOD(method_isalpha, template_code_is_alpha, false)
CLASS_METHOD(method_isdigit, template_code_is_digit, false)
CLASS_METHOD(method_isdecimal, template_code_is_decimal, false)
CLASS_METHOD(method_isnumeric, template_code_is_numeric, false)
CLASS_METHOD(method_isalnum, template_code_is_alnum, false)
CLASS_METHOD(method_isspace, template_code_is_space, false)
CLASS_METHOD(method_isprintable, template_code_is_printable, true)
CLASS_METHOD(method_isascii, is_ascii, true)

/* Some character is of the case, none of the other (nor in title case). */
static ondol_status has_case(template_run *run, template_value self, bool upper,
                             template_value *out) {
    const template_string *s = self.as.string;
    bool wanted = false, other = false;
    for (size_t at = 0; at < s->size && !other;) {
        uint32_t code = 0;
        at += template_text_next(s->bytes, s->size, at, &code);
        bool is_upper = template_code_is_upper(code), is_lower = template_code_is_lower(code);
        wanted = wanted || (upper ? is_upper : is_lower);
        other = (upper ? is_lower : is_upper) || template_code_is_title(code);
    }
    *out = template_bool(wanted && !other);
    return template_spend(run, 1 + s->size / 8);
}

static ondol_status method_isupper(template_run *run, template_value self,
                                   const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return has_case(run, self, true, out);
}

static ondol_status method_islower(template_run *run, template_value self,
                                   const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return has_case(run, self, false, out);
}

static ondol_status method_istitle(template_run *run, template_value self,
                                   const template_arguments *arguments, template_value *out) {
    const template_string *s = self.as.string;
    bool in_word = false, cased = false, fits = true;
    (void)arguments;
    for (size_t at = 0; at < s->size && fits;) {
        uint32_t code = 0;
        at += template_text_next(s->bytes, s->size, at, &code);
        bool high = template_code_is_upper(code) || template_code_is_title(code);
        bool low = template_code_is_lower(code);
        fits = high ? !in_word : low ? in_word : true;
        in_word = high || low;
        cased = cased || in_word;
    }
    *out = template_bool(fits && cased);
    return template_spend(run, 1 + s->size / 8);
}

const template_builtin template_string_search_methods[] = {
    {"find", "/ sub | start end", method_find},
    {"rfind", "/ sub | start end", method_rfind},
    {"index", "/ sub | start end", method_index},
    {"rindex", "/ sub | start end", method_rindex},
    {"count", "/ sub | start end", method_count},
    {"startswith", "/ prefix | start end", method_startswith},
    {"endswith", "/ suffix | start end", method_endswith},
    {"isalpha", "", method_isalpha},
    {"isdigit", "", method_isdigit},
    {"isdecimal", "", method_isdecimal},
    {"isnumeric", "", method_isnumeric},
    {"isalnum", "", method_isalnum},
    {"isspace", "", method_isspace},
    {"isprintable", "", method_isprintable},
    {"isascii", "", method_isascii},
    {"isupper", "", method_isupper},
    {"islower", "", method_islower},
    {"istitle", "", method_istitle},
    {NULL, NULL, NULL},
};
