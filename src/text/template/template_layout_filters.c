/* Filters that lay text out: indent, truncate. */
#include "text/template/template_builtins.h"
#include "text/template/template_edit.h"

#define ARGUMENT(i) (arguments->values[i])

static bool is_given(template_value value) {
    return value.kind != TEMPLATE_ABSENT;
}

static ondol_status read_indention(template_run *run, template_value given, template_value *out) {
    template_builder b = {0};
    int64_t width = 4;
    ondol_status status = ONDOL_OK;
    *out = given;
    if (given.kind == TEMPLATE_STRING) return ONDOL_OK;
    if (is_given(given)) TRY(template_as_int(run, given, "the width of indent", &width));
    TRY(template_build_repeat(run, &b, " ", 1, width > 0 ? (uint64_t)width : 0));
    TRY(template_build_finish(run, &b, out));
done:
    return status;
}

static ondol_status filter_indent(template_run *run, template_value self,
                                  const template_arguments *arguments, template_value *out) {
    const template_string *text = NULL;
    template_value indention = template_none(), whole = template_none();
    template_list *lines = NULL;
    template_builder b = {0};
    const bool first = template_truth(ARGUMENT(1)), blank = template_truth(ARGUMENT(2));
    ondol_status status = template_as_text(run, self, "indent", &text);
    TRY(status);
    TRY(read_indention(run, ARGUMENT(0), &indention));
    TRY(template_build(run, &b, text->bytes, text->size));
    TRY(template_build(run, &b, "\n", 1)); /* an empty last line is a line */
    TRY(template_build_finish(run, &b, &whole));
    TRY(template_edit_split_lines(run, whole, false, &lines));
    b = (template_builder){0};
    for (size_t i = 0; i < lines->count; i++) {
        const template_string *line = lines->items[i].as.string;
        const bool indents = i == 0 ? first : blank || line->size > 0;
        if (i > 0) TRY(template_build(run, &b, "\n", 1));
        if (indents)
            TRY(template_build(run, &b, indention.as.string->bytes, indention.as.string->size));
        TRY(template_build(run, &b, line->bytes, line->size));
    }
    TRY(template_build_finish(run, &b, out));
    out->flag = self.flag;
done:
    return status;
}

/* Bytes of the first `length` characters, cut at their last space unless words may be cut. */
static size_t truncated_size(const template_string *text, size_t length, bool kill_words) {
    const size_t size = template_string_offset(text, length);
    for (size_t at = size; at > 0 && !kill_words; at--)
        if (text->bytes[at - 1] == ' ') return at - 1;
    return size;
}

static ondol_status filter_truncate(template_run *run, template_value self,
                                    const template_arguments *arguments, template_value *out) {
    const template_string *text = NULL, *end = NULL;
    template_value end_value = ARGUMENT(2);
    template_builder b = {0};
    int64_t length = 255, leeway = 5;
    ondol_status status = template_as_text(run, self, "truncate", &text);
    TRY(status);
    if (is_given(ARGUMENT(0)))
        TRY(template_as_int(run, ARGUMENT(0), "the length of truncate", &length));
    if (!is_given(end_value)) TRY(template_make_text(run, "...", &end_value));
    TRY(template_as_text(run, end_value, "the end of truncate", &end));
    if (is_given(ARGUMENT(3)) && ARGUMENT(3).kind != TEMPLATE_NONE)
        TRY(template_as_int(run, ARGUMENT(3), "the leeway of truncate", &leeway));
    if (leeway < 0 || length < 0 || (uint64_t)length < end->length) {
        return template_fail(run, ONDOL_E_FORMAT,
                             "truncate: the length is less than that of its end, or the leeway "
                             "is negative");
    }
    *out = self;
    if (text->length <= (uint64_t)length + (uint64_t)leeway) return ONDOL_OK;
    const size_t kept = (size_t)length - end->length;
    TRY(template_build(run, &b, text->bytes,
                       truncated_size(text, kept, template_truth(ARGUMENT(1)))));
    TRY(template_build(run, &b, end->bytes, end->size));
    TRY(template_build_finish(run, &b, out));
    out->flag = self.flag;
    TRY(template_spend(run, text->size / 16));
done:
    return status;
}

const template_builtin template_layout_filters[] = {
    {"indent", "| width first blank", filter_indent},
    {"truncate", "| length killwords end leeway", filter_truncate},
    {NULL, NULL, NULL},
};
