/* Methods of str that give strings or lists. */
#include <string.h>

#include "text/template/template_builtins.h"
#include "text/template/template_edit.h"
#include "text/template/template_text.h"

#define ARGUMENT(i) (arguments->values[i])

static ondol_status optional_int(template_run *run, template_value value, const char *what,
                                 int64_t absent, int64_t *out) {
    *out = absent;
    return value.kind == TEMPLATE_ABSENT ? ONDOL_OK : template_as_int(run, value, what, out);
}

static ondol_status method_upper(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return template_edit_change_case(run, self, TEMPLATE_EDIT_UPPER, out);
}

static ondol_status method_lower(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return template_edit_change_case(run, self, TEMPLATE_EDIT_LOWER, out);
}

static ondol_status method_title(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return template_edit_change_case(run, self, TEMPLATE_EDIT_TITLE, out);
}

static ondol_status method_capitalize(template_run *run, template_value self,
                                      const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return template_edit_change_case(run, self, TEMPLATE_EDIT_CAPITALIZE, out);
}

static ondol_status method_swapcase(template_run *run, template_value self,
                                    const template_arguments *arguments, template_value *out) {
    (void)arguments;
    return template_edit_change_case(run, self, TEMPLATE_EDIT_SWAP, out);
}

static ondol_status method_strip(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    return template_edit_strip(run, self, ARGUMENT(0), true, true, out);
}

static ondol_status method_lstrip(template_run *run, template_value self,
                                  const template_arguments *arguments, template_value *out) {
    return template_edit_strip(run, self, ARGUMENT(0), true, false, out);
}

static ondol_status method_rstrip(template_run *run, template_value self,
                                  const template_arguments *arguments, template_value *out) {
    return template_edit_strip(run, self, ARGUMENT(0), false, true, out);
}

static ondol_status split(template_run *run, template_value self,
                          const template_arguments *arguments, bool from_right,
                          template_value *out) {
    int64_t max = -1;
    template_list *list = NULL;
    ondol_status status = optional_int(run, ARGUMENT(1), "maxsplit", -1, &max);
    TRY(status);
    TRY(template_edit_split(run, self, ARGUMENT(0), max < 0 ? -1 : max, from_right, &list));
    *out = template_from_list(list);
done:
    return status;
}

static ondol_status method_split(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    return split(run, self, arguments, false, out);
}

static ondol_status method_rsplit(template_run *run, template_value self,
                                  const template_arguments *arguments, template_value *out) {
    return split(run, self, arguments, true, out);
}

static ondol_status method_splitlines(template_run *run, template_value self,
                                      const template_arguments *arguments, template_value *out) {
    template_list *list = NULL;
    ondol_status status = template_edit_split_lines(run, self, template_truth(ARGUMENT(0)), &list);
    *out = template_from_list(list);
    return status;
}

static ondol_status method_replace(template_run *run, template_value self,
                                   const template_arguments *arguments, template_value *out) {
    const template_string *old = NULL, *new = NULL;
    template_value with = ARGUMENT(1);
    int64_t count = -1;
    ondol_status status = template_as_text(run, ARGUMENT(0), "replace", &old);
    TRY(status);
    TRY(template_as_text(run, with, "replace", &new));
    TRY(optional_int(run, ARGUMENT(2), "the count of replace", -1, &count));
    if (self.flag) TRY(template_escape(run, with, &with));
    TRY(template_edit_replace(run, self, old, with.as.string, count, out));
done:
    return status;
}

static ondol_status method_join(template_run *run, template_value self,
                                const template_arguments *arguments, template_value *out) {
    return template_edit_join(run, self, ARGUMENT(0), false, out);
}

static ondol_status pad(template_run *run, template_value self, const template_arguments *arguments,
                        bool left, bool right, template_value *out) {
    int64_t width = 0;
    uint32_t fill = ' ';
    const template_string *text = NULL;
    ondol_status status = template_as_int(run, ARGUMENT(0), "a width", &width);
    TRY(status);
    if (ARGUMENT(1).kind != TEMPLATE_ABSENT) {
        TRY(template_as_text(run, ARGUMENT(1), "the character to fill with", &text));
        if (text->length != 1) {
            return template_fail(run, ONDOL_E_FORMAT,
                                 "the character to fill with: expected one character, got %zu",
                                 text->length);
        }
        template_text_next(text->bytes, text->size, 0, &fill);
    }
    TRY(template_edit_pad(run, self, width, fill, left, right, out));
done:
    return status;
}

static ondol_status method_center(template_run *run, template_value self,
                                  const template_arguments *arguments, template_value *out) {
    return pad(run, self, arguments, true, true, out);
}

static ondol_status method_ljust(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    return pad(run, self, arguments, false, true, out);
}

static ondol_status method_rjust(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    return pad(run, self, arguments, true, false, out);
}

static ondol_status method_zfill(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    const template_string *s = self.as.string;
    template_builder b = {0};
    int64_t width = 0;
    ondol_status status = template_as_int(run, ARGUMENT(0), "a width", &width);
    TRY(status);
    size_t sign = s->size && (s->bytes[0] == '-' || s->bytes[0] == '+');
    uint64_t zeros = width > 0 && (uint64_t)width > s->length ? (uint64_t)width - s->length : 0;
    TRY(template_build(run, &b, s->bytes, sign));
    TRY(template_build_repeat(run, &b, "0", 1, zeros));
    TRY(template_build(run, &b, s->bytes + sign, s->size - sign));
    TRY(template_build_finish(run, &b, out));
    out->flag = self.flag;
done:
    return status;
}

static ondol_status remove_affix(template_run *run, template_value self,
                                 const template_arguments *arguments, bool prefix,
                                 template_value *out) {
    const template_string *s = self.as.string, *part = NULL;
    ondol_status status = template_as_text(run, ARGUMENT(0), "a prefix or suffix", &part);
    TRY(status);
    *out = self;
    if (part->size == 0 || part->size > s->size) return ONDOL_OK;
    size_t at = prefix ? 0 : s->size - part->size;
    if (memcmp(s->bytes + at, part->bytes, part->size) != 0) return ONDOL_OK;
    TRY(template_make_view(run, s, prefix ? part->size : 0, prefix ? s->size : at, out));
    out->flag = self.flag;
done:
    return status;
}

static ondol_status method_removeprefix(template_run *run, template_value self,
                                        const template_arguments *arguments, template_value *out) {
    return remove_affix(run, self, arguments, true, out);
}

static ondol_status method_removesuffix(template_run *run, template_value self,
                                        const template_arguments *arguments, template_value *out) {
    return remove_affix(run, self, arguments, false, out);
}

static ondol_status partition(template_run *run, template_value self,
                              const template_arguments *arguments, bool from_right,
                              template_value *out) {
    const template_string *s = self.as.string, *part = NULL;
    template_list *list = NULL;
    ondol_status status = template_as_text(run, ARGUMENT(0), "the separator", &part);
    TRY(status);
    if (part->size == 0) return template_fail(run, ONDOL_E_FORMAT, "the separator is empty");
    TRY(template_spend(run, s->size / 16));
    size_t at = from_right ? template_text_find_last(s->bytes, s->size, part->bytes, part->size)
                           : template_text_find(s->bytes, s->size, part->bytes, part->size);
    size_t cuts[4] = {0, at, at + part->size, s->size};
    if (at == SIZE_MAX) {
        cuts[1] = cuts[2] = from_right ? 0 : s->size;
    }
    TRY(template_make_list(run, TEMPLATE_FORM_TUPLE, 3, &list));
    for (int i = 0; i < 3; i++) {
        template_value piece = template_none();
        TRY(template_make_view(run, s, cuts[i], cuts[i + 1], &piece));
        piece.flag = self.flag;
        TRY(template_append(run, list, piece));
    }
    *out = template_from_list(list);
done:
    return status;
}

static ondol_status method_partition(template_run *run, template_value self,
                                     const template_arguments *arguments, template_value *out) {
    return partition(run, self, arguments, false, out);
}

static ondol_status method_rpartition(template_run *run, template_value self,
                                      const template_arguments *arguments, template_value *out) {
    return partition(run, self, arguments, true, out);
}

static ondol_status method_expandtabs(template_run *run, template_value self,
                                      const template_arguments *arguments, template_value *out) {
    const template_string *s = self.as.string;
    template_builder b = {0};
    int64_t width = 8, column = 0;
    ondol_status status = optional_int(run, ARGUMENT(0), "tabsize", 8, &width);
    TRY(status);
    for (size_t at = 0; at < s->size;) {
        uint32_t code = 0;
        size_t used = template_text_next(s->bytes, s->size, at, &code);
        if (code == '\t') {
            int64_t n = width > 0 ? width - column % width : 0;
            TRY(template_build_repeat(run, &b, " ", 1, (uint64_t)n));
            column = width > 0 ? (column + n) % width : 0;
        } else {
            TRY(template_build(run, &b, s->bytes + at, used));
            column = code == '\n' || code == '\r' ? 0 : column + 1;
        }
        at += used;
    }
    TRY(template_build_finish(run, &b, out));
    out->flag = self.flag;
done:
    return status;
}

static ondol_status method_format(template_run *run, template_value self,
                                  const template_arguments *arguments, template_value *out) {
    return template_format_braces(run, self, arguments, out);
}

const template_builtin template_string_methods[] = {
    {"upper", "", method_upper},
    {"lower", "", method_lower},
    {"title", "", method_title},
    {"capitalize", "", method_capitalize},
    {"swapcase", "", method_swapcase},
    {"strip", "/ | chars", method_strip},
    {"lstrip", "/ | chars", method_lstrip},
    {"rstrip", "/ | chars", method_rstrip},
    {"split", "| sep maxsplit", method_split},
    {"rsplit", "| sep maxsplit", method_rsplit},
    {"splitlines", "| keepends", method_splitlines},
    {"replace", "/ old new | count", method_replace},
    {"join", "/ iterable", method_join},
    {"center", "/ width | fillchar", method_center},
    {"ljust", "/ width | fillchar", method_ljust},
    {"rjust", "/ width | fillchar", method_rjust},
    {"zfill", "/ width", method_zfill},
    {"removeprefix", "/ prefix", method_removeprefix},
    {"removesuffix", "/ suffix", method_removesuffix},
    {"partition", "/ sep", method_partition},
    {"rpartition", "/ sep", method_rpartition},
    {"expandtabs", "| tabsize", method_expandtabs},
    {"format", "*", method_format},
    {NULL, NULL, NULL},
};
