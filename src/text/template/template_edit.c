/* Case, stripping, replacing, splitting, padding and joining of strings. */
#include "text/template/template_edit.h"

#include <string.h>

#include "text/template/template_text.h"

/* A capital sigma at the end of a word becomes the final form (Unicode, Final_Sigma). */
static bool is_final_sigma(const template_string *s, size_t at, size_t used) {
    bool before = false;
    for (size_t i = 0; i < at;) {
        uint32_t code = 0;
        i += template_text_next(s->bytes, s->size, i, &code);
        if (!template_code_is_case_ignorable(code)) before = template_code_is_cased(code);
    }
    if (!before) return false;
    for (size_t i = at + used; i < s->size;) {
        uint32_t code = 0;
        i += template_text_next(s->bytes, s->size, i, &code);
        if (template_code_is_case_ignorable(code)) continue;
        return !template_code_is_cased(code);
    }
    return true;
}

static template_case choose_case(template_edit_case to, uint32_t code, bool *in_word, bool first) {
    template_case chosen = TEMPLATE_LOWER;
    switch (to) {
    case TEMPLATE_EDIT_UPPER: return TEMPLATE_UPPER;
    case TEMPLATE_EDIT_LOWER: return TEMPLATE_LOWER;
    case TEMPLATE_EDIT_CAPITALIZE: return first ? TEMPLATE_TITLE : TEMPLATE_LOWER;
    case TEMPLATE_EDIT_SWAP: return template_code_is_upper(code) ? TEMPLATE_LOWER : TEMPLATE_UPPER;
    case TEMPLATE_EDIT_TITLE: break;
    }
    if (!*in_word) chosen = TEMPLATE_TITLE;
    *in_word = template_code_is_cased(code);
    return chosen;
}

ondol_status template_edit_change_case(template_run *run, template_value text,
                                       template_edit_case to, template_value *out) {
    const template_string *s = text.as.string;
    template_builder b = {0};
    bool in_word = false;
    ondol_status status = template_spend(run, s->size / 8);
    TRY(status);
    for (size_t at = 0; at < s->size;) {
        uint32_t code = 0, mapped[3];
        size_t used = template_text_next(s->bytes, s->size, at, &code);
        template_case mode = choose_case(to, code, &in_word, at == 0);
        unsigned n = template_code_map(code, mode, mapped);
        if (code == 0x3a3 && mode == TEMPLATE_LOWER) {
            TRY(template_spend(run, s->size / 16));
            if (is_final_sigma(s, at, used)) mapped[0] = 0x3c2;
        }
        if (to == TEMPLATE_EDIT_SWAP && !template_code_is_cased(code)) {
            mapped[0] = code;
            n = 1;
        }
        for (unsigned i = 0; i < n; i++)
            TRY(template_build_code(run, &b, mapped[i]));
        at += used;
    }
    TRY(template_build_finish(run, &b, out));
    out->flag = text.flag;
done:
    return status;
}

/* True when code is one that strip removes. */
static bool strips(const template_string *chars, uint32_t code) {
    if (!chars) return template_code_is_space(code);
    for (size_t at = 0; at < chars->size;) {
        uint32_t one = 0;
        at += template_text_next(chars->bytes, chars->size, at, &one);
        if (one == code) return true;
    }
    return false;
}

ondol_status template_edit_strip(template_run *run, template_value text, template_value chars,
                                 bool left, bool right, template_value *out) {
    const template_string *s = text.as.string, *set = NULL;
    ondol_status status = ONDOL_OK;
    if (chars.kind != TEMPLATE_ABSENT && chars.kind != TEMPLATE_NONE)
        TRY(template_as_text(run, chars, "the characters to strip", &set));
    size_t begin = 0, end = s->size;
    TRY(template_spend(run, s->size / 64));
    while (left && begin < end) {
        uint32_t code = 0;
        size_t used = template_text_next(s->bytes, s->size, begin, &code);
        if (!strips(set, code)) break;
        begin += used;
        if (set) TRY(template_spend(run, 1 + set->size / 16));
    }
    while (right && end > begin) {
        size_t at = end - 1;
        uint32_t code = 0;
        while (at > begin && end - at < 4 && ((unsigned char)s->bytes[at] & 0xc0) == 0x80)
            at--;
        if (at + template_text_next(s->bytes, end, at, &code) != end || !strips(set, code)) break;
        end = at;
        if (set) TRY(template_spend(run, 1 + set->size / 16));
    }
    TRY(template_make_view(run, s, begin, end, out));
    out->flag = text.flag;
done:
    return status;
}

/* Puts `new` before each of the first `count` characters and at the end. */
static ondol_status replace_nothing(template_run *run, const template_string *s,
                                    const template_string *new, int64_t count,
                                    template_builder *b) {
    ondol_status status = ONDOL_OK;
    size_t at = 0;
    while (count != 0) {
        TRY(template_build(run, b, new->bytes, new->size));
        TRY(template_spend(run, 1));
        if (count > 0) count--;
        if (at == s->size) return ONDOL_OK;
        uint32_t code = 0;
        size_t used = template_text_next(s->bytes, s->size, at, &code);
        TRY(template_build(run, b, s->bytes + at, used));
        at += used;
    }
    TRY(template_build(run, b, s->bytes + at, s->size - at));
done:
    return status;
}

ondol_status template_edit_replace(template_run *run, template_value text,
                                   const template_string *old, const template_string *new,
                                   int64_t count, template_value *out) {
    const template_string *s = text.as.string;
    template_builder b = {0};
    ondol_status status = template_spend(run, s->size / 16);
    size_t at = 0;
    TRY(status);
    if (old->size == 0) {
        TRY(replace_nothing(run, s, new, count, &b));
        at = s->size;
    }
    while (count != 0 && at < s->size) {
        size_t found = template_text_find(s->bytes + at, s->size - at, old->bytes, old->size);
        if (found == SIZE_MAX) break;
        TRY(template_build(run, &b, s->bytes + at, found));
        TRY(template_build(run, &b, new->bytes, new->size));
        TRY(template_spend(run, 1));
        at += found + old->size;
        if (count > 0) count--;
    }
    TRY(template_build(run, &b, s->bytes + at, s->size - at));
    TRY(template_build_finish(run, &b, out));
    out->flag = text.flag;
done:
    return status;
}

static ondol_status append_view(template_run *run, template_list *list, template_value text,
                                size_t begin, size_t end) {
    template_value part = template_none();
    ondol_status status = template_make_view(run, text.as.string, begin, end, &part);
    part.flag = text.flag;
    return status == ONDOL_OK ? template_append(run, list, part) : status;
}

ondol_status template_edit_split_lines(template_run *run, template_value text, bool keep_ends,
                                       template_list **out) {
    const template_string *s = text.as.string;
    size_t begin = 0, at = 0;
    ondol_status status = template_make_list(run, TEMPLATE_FORM_LIST, 0, out);
    TRY(status);
    TRY(template_spend(run, s->size / 8));
    while (at < s->size) {
        size_t used = template_text_line_break(s->bytes, s->size, at);
        if (used == 0) {
            at++;
            continue;
        }
        TRY(append_view(run, *out, text, begin, keep_ends ? at + used : at));
        at += used;
        begin = at;
    }
    if (begin < s->size) TRY(append_view(run, *out, text, begin, s->size));
done:
    return status;
}

static void reverse(template_list *list) {
    for (size_t i = 0; i < list->count / 2; i++) {
        template_value old = list->items[i];
        list->items[i] = list->items[list->count - 1 - i];
        list->items[list->count - 1 - i] = old;
    }
}

static ondol_status split_space(template_run *run, template_value text, int64_t max,
                                template_list *list) {
    const template_string *s = text.as.string;
    ondol_status status = ONDOL_OK;
    size_t at = template_text_leading_space(s->bytes, s->size);
    for (; at < s->size; at += template_text_leading_space(s->bytes + at, s->size - at)) {
        size_t begin = at;
        if (max-- == 0)
            return append_view(run, list, text, begin,
                               template_text_strip_right(s->bytes, s->size));
        while (at < s->size) {
            uint32_t code = 0;
            size_t used = template_text_next(s->bytes, s->size, at, &code);
            if (template_code_is_space(code)) break;
            at += used;
        }
        TRY(append_view(run, list, text, begin, at));
    }
done:
    return status;
}

static ondol_status split_space_right(template_run *run, template_value text, int64_t max,
                                      template_list *list) {
    const template_string *s = text.as.string;
    ondol_status status = ONDOL_OK;
    size_t end = template_text_strip_right(s->bytes, s->size);
    while (end > 0) {
        size_t begin = end;
        if (max-- == 0) {
            TRY(append_view(run, list, text, template_text_leading_space(s->bytes, end), end));
            break;
        }
        while (begin > 0) {
            size_t at = begin - 1;
            uint32_t code = 0;
            while (at > 0 && begin - at < 4 && ((unsigned char)s->bytes[at] & 0xc0) == 0x80)
                at--;
            template_text_next(s->bytes, begin, at, &code);
            if (template_code_is_space(code)) break;
            begin = at;
        }
        TRY(append_view(run, list, text, begin, end));
        end = template_text_strip_right(s->bytes, begin);
    }
done:
    return status;
}

static ondol_status split_at(template_run *run, template_value text, const template_string *part,
                             int64_t max, bool from_right, template_list *list) {
    const template_string *s = text.as.string;
    size_t begin = 0, end = s->size;
    ondol_status status = ONDOL_OK;
    while (max-- != 0) {
        size_t found =
            from_right ? template_text_find_last(s->bytes, end, part->bytes, part->size)
                       : template_text_find(s->bytes + begin, end - begin, part->bytes, part->size);
        if (found == SIZE_MAX) break;
        if (from_right) {
            TRY(append_view(run, list, text, found + part->size, end));
            end = found;
        } else {
            TRY(append_view(run, list, text, begin, begin + found));
            begin += found + part->size;
        }
    }
    TRY(append_view(run, list, text, begin, end));
done:
    return status;
}

ondol_status template_edit_split(template_run *run, template_value text, template_value separator,
                                 int64_t max, bool from_right, template_list **out) {
    const template_string *part = NULL;
    ondol_status status = template_make_list(run, TEMPLATE_FORM_LIST, 0, out);
    TRY(status);
    TRY(template_spend(run, text.as.string->size / 16));
    if (separator.kind == TEMPLATE_ABSENT || separator.kind == TEMPLATE_NONE) {
        TRY(from_right ? split_space_right(run, text, max, *out)
                       : split_space(run, text, max, *out));
    } else {
        TRY(template_as_text(run, separator, "the separator of a split", &part));
        if (part->size == 0)
            return template_fail(run, ONDOL_E_FORMAT, "the separator of a split is empty");
        TRY(split_at(run, text, part, max, from_right, *out));
    }
    if (from_right) reverse(*out);
done:
    return status;
}

ondol_status template_edit_pad(template_run *run, template_value text, int64_t width, uint32_t fill,
                               bool left, bool right, template_value *out) {
    const template_string *s = text.as.string;
    template_builder b = {0};
    uint64_t missing = width > 0 && (uint64_t)width > s->length ? (uint64_t)width - s->length : 0;
    /* Python's center puts the odd one on the left when the width is odd */
    uint64_t before = !left ? 0 : !right ? missing : missing / 2 + (missing & (uint64_t)width & 1);
    template_value pad = template_none();
    template_builder one = {0};
    ondol_status status = template_build_code(run, &one, fill);
    TRY(status);
    TRY(template_build_finish(run, &one, &pad));
    TRY(template_build_repeat(run, &b, one.data, one.size, before));
    TRY(template_build(run, &b, s->bytes, s->size));
    TRY(template_build_repeat(run, &b, one.data, one.size, missing - before));
    TRY(template_build_finish(run, &b, out));
    out->flag = text.flag;
done:
    return status;
}

ondol_status template_edit_join(template_run *run, template_value separator, template_value items,
                                bool convert, template_value *out) {
    template_iterator iterator;
    template_builder b = {0};
    bool more = true;
    ondol_status status = template_iterate(run, items, &iterator);
    TRY(status);
    for (size_t i = 0; more; i++) {
        template_value item = template_none();
        TRY(template_next(run, &iterator, &item, &more));
        if (!more) break;
        if (i) TRY(template_build(run, &b, separator.as.string->bytes, separator.as.string->size));
        if (!convert && item.kind != TEMPLATE_STRING) {
            return template_fail(run, ONDOL_E_FORMAT,
                                 "item %zu of a join: expected a string, got '%s'", i,
                                 template_type_name(item));
        }
        if (separator.flag && !convert) TRY(template_escape(run, item, &item));
        TRY(template_build_str(run, &b, item));
    }
    TRY(template_build_finish(run, &b, out));
    out->flag = convert ? 0 : separator.flag;
done:
    return status;
}
