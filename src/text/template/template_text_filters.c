/* Filters on strings: upper, trim, replace, format ... */
#include <string.h>

#include "text/template/template_builtins.h"
#include "text/template/template_edit.h"
#include "text/template/template_text.h"

#define ARGUMENT(i) (arguments->values[i])

static ondol_status change_case(template_run *run, template_value self, template_edit_case to,
                                template_value *out) {
    template_value text = self;
    ondol_status status = template_to_string(run, self, &text);
    return status == ONDOL_OK ? template_edit_change_case(run, text, to, out) : status;
}

static ondol_status filter_upper(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return change_case(run, self, TEMPLATE_EDIT_UPPER, out);
}

static ondol_status filter_lower(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return change_case(run, self, TEMPLATE_EDIT_LOWER, out);
}

static ondol_status filter_capitalize(template_run *run, template_value self,
                                      const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return change_case(run, self, TEMPLATE_EDIT_CAPITALIZE, out);
}

static bool begins_word(uint32_t code) {
    return template_code_is_space(code) || (code < 0x80 && code && strchr("-({[<", (int)code));
}

/* Where the separators behind the word at `at` begin. */
static size_t word_end(const template_string *s, size_t at) {
    while (at < s->size) {
        uint32_t code = 0;
        const size_t used = template_text_next(s->bytes, s->size, at, &code);
        if (begins_word(code)) break;
        at += used;
    }
    return at;
}

/* Unlike str.title(): a word begins only behind white space, a hyphen or an opening bracket, and
 * its rest is lower case. */
static ondol_status filter_title(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    template_builder b = {0};
    template_value text = self;
    (void)arguments;
    ondol_status status = template_to_string(run, self, &text);
    TRY(status);
    const template_string *s = text.as.string;
    for (size_t at = 0; at < s->size;) {
        uint32_t code = 0, mapped[3];
        template_value rest = template_none();
        at += template_text_next(s->bytes, s->size, at, &code);
        const unsigned n = template_code_map(code, TEMPLATE_UPPER, mapped);
        for (unsigned i = 0; i < n; i++)
            TRY(template_build_code(run, &b, mapped[i]));
        TRY(template_spend(run, 1));
        if (begins_word(code)) continue;
        const size_t end = word_end(s, at);
        TRY(template_make_view(run, s, at, end, &rest));
        TRY(template_edit_change_case(run, rest, TEMPLATE_EDIT_LOWER, &rest));
        TRY(template_build_str(run, &b, rest));
        at = end;
    }
    TRY(template_build_finish(run, &b, out));
done:
    return status;
}

static ondol_status filter_trim(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    template_value text = self;
    ondol_status status = template_to_string(run, self, &text);
    if (status != ONDOL_OK) return status;
    return template_edit_strip(run, text, ARGUMENT(0), true, true, out);
}

static ondol_status filter_replace(template_run *run, template_value self,
                                   const template_arguments *arguments, template_value *out) {
    template_value text = self, old = ARGUMENT(0), new = ARGUMENT(1);
    int64_t count = -1;
    ondol_status status = template_to_string(run, self, &text);
    TRY(status);
    TRY(template_to_string(run, old, &old));
    TRY(template_to_string(run, new, &new));
    if (ARGUMENT(2).kind != TEMPLATE_ABSENT && ARGUMENT(2).kind != TEMPLATE_NONE)
        TRY(template_as_int(run, ARGUMENT(2), "the count of replace", &count));
    text.flag = 0;
    TRY(template_edit_replace(run, text, old.as.string, new.as.string, count, out));
done:
    return status;
}

static ondol_status filter_string(template_run *run, template_value self,
                                  const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return template_to_string(run, self, out);
}

static ondol_status filter_center(template_run *run, template_value self,
                                  const template_arguments *arguments, template_value *out) {
    template_value text = self;
    int64_t width = 80;
    ondol_status status = template_to_string(run, self, &text);
    TRY(status);
    if (ARGUMENT(0).kind != TEMPLATE_ABSENT)
        TRY(template_as_int(run, ARGUMENT(0), "the width of center", &width));
    TRY(template_edit_pad(run, text, width, ' ', true, true, out));
done:
    return status;
}

static ondol_status filter_format(template_run *run, template_value self,
                                  const template_arguments *arguments, template_value *out) {
    template_value text = self, values = template_none();
    ondol_status status = template_to_string(run, self, &text);
    TRY(status);
    if (arguments->count && arguments->keyword_count) {
        return template_fail(run, ONDOL_E_FORMAT,
                             "format takes positional or keyword arguments, not both");
    }
    if (arguments->keyword_count) {
        template_dict *dict = template_dict_create(run->heap);
        if (!dict) return template_no_memory(run);
        for (size_t i = 0; i < arguments->keyword_count; i++)
            TRY(template_dict_set(run, dict, template_from_string(arguments->keywords[i].name),
                                  arguments->keywords[i].value));
        values = template_from_dict(dict);
    } else {
        template_list *list = NULL;
        TRY(template_make_list(run, TEMPLATE_FORM_TUPLE, arguments->count, &list));
        for (size_t i = 0; i < arguments->count; i++)
            TRY(template_append(run, list, ARGUMENT(i)));
        values = template_from_list(list);
    }
    TRY(template_format_percent(run, text, values, out));
done:
    return status;
}

static ondol_status filter_wordcount(template_run *run, template_value self,
                                     const template_arguments *arguments, template_value *out) {
    template_value text = self;
    (void)arguments;
    ondol_status status = template_to_string(run, self, &text);
    if (status != ONDOL_OK) return status;
    const template_string *s = text.as.string;
    int64_t n = 0;
    bool in_word = false;
    for (size_t at = 0; at < s->size;) {
        uint32_t code = 0;
        at += template_text_next(s->bytes, s->size, at, &code);
        bool word = template_code_is_word(code);
        n += word && !in_word;
        in_word = word;
    }
    *out = template_int(n);
    return template_spend(run, 1 + s->size / 8);
}

static ondol_status filter_join(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    template_value separator = ARGUMENT(0), items = self;
    ondol_status status = ONDOL_OK;
    if (separator.kind == TEMPLATE_ABSENT) TRY(template_make_text(run, "", &separator));
    TRY(template_to_string(run, separator, &separator));
    if (ARGUMENT(1).kind != TEMPLATE_ABSENT && ARGUMENT(1).kind != TEMPLATE_NONE) {
        template_keyword attribute = {&(template_string){"attribute", 9, 9, NULL}, ARGUMENT(1)};
        template_arguments map = {.keywords = &attribute, .keyword_count = 1};
        const template_builtin *filter =
            template_filter_find(&(template_string){"map", 3, 3, NULL});
        /* `map` takes an empty value for nothing; join walks it all the same */
        TRY(template_call_builtin(run, filter, self, &map, &items));
    }
    TRY(template_edit_join(run, separator, items, true, out));
done:
    return status;
}

const template_builtin template_text_filters[] = {
    {"upper", "", filter_upper},
    {"lower", "", filter_lower},
    {"capitalize", "", filter_capitalize},
    {"title", "", filter_title},
    {"trim", "| chars", filter_trim},
    {"replace", "old new | count", filter_replace},
    {"string", "", filter_string},
    {"center", "| width", filter_center},
    {"format", "*", filter_format},
    {"wordcount", "", filter_wordcount},
    {"join", "| d attribute", filter_join},
    {NULL, NULL, NULL},
};
