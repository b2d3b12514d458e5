/* str.format: replacement fields, with what they name. */
#include <string.h>

#include "text/template/template_operations.h"
#include "text/template/template_text.h"

#define NESTED_MAX 2 /* fields within a field's specification, as in Python */

typedef struct braces {
    template_run *run;
    const template_string *format;
    const template_arguments *arguments;
    size_t automatic; /* next number of a field without one */
    bool numbered, automatically, markup;
} braces;

static ondol_status build_fields(braces *f, size_t begin, size_t end, int depth,
                                 template_builder *b);

/* True, and *out, when bytes[0..n) are digits and the number is small. */
static bool read_number(const char *bytes, size_t n, size_t *out) {
    *out = 0;
    if (n == 0 || n > 9) return false;
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] < '0' || bytes[i] > '9') return false;
        *out = *out * 10 + (size_t)(bytes[i] - '0');
    }
    return true;
}

static ondol_status numbered_argument(braces *f, size_t index, bool automatic,
                                      template_value *out) {
    if (automatic ? f->numbered : f->automatically) {
        return template_fail(f->run, ONDOL_E_FORMAT,
                             "a format string mixes numbered fields and fields without a number");
    }
    f->numbered |= !automatic;
    f->automatically |= automatic;
    if (index >= f->arguments->count) {
        return template_fail(f->run, ONDOL_E_FORMAT,
                             "a format string uses argument %zu, there are %zu", index,
                             f->arguments->count);
    }
    *out = f->arguments->values[index];
    return ONDOL_OK;
}

/* The argument that the first part of a field's name means. */
static ondol_status first_part(braces *f, const char *name, size_t n, template_value *out) {
    size_t index = 0;
    if (n == 0) return numbered_argument(f, f->automatic++, true, out);
    if (read_number(name, n, &index)) return numbered_argument(f, index, false, out);
    for (size_t i = 0; i < f->arguments->keyword_count; i++) {
        const template_keyword *keyword = &f->arguments->keywords[i];
        if (keyword->name->size != n || memcmp(keyword->name->bytes, name, n) != 0) continue;
        *out = keyword->value;
        return ONDOL_OK;
    }
    return template_fail(f->run, ONDOL_E_FORMAT, "a format string names '%.*s', which is not given",
                         n < 60 ? (int)n : 60, name);
}

/* `.name` or `[index]` at *at. */
static ondol_status next_part(braces *f, size_t *at, size_t end, template_value *value) {
    const char *bytes = f->format->bytes;
    const bool attribute = bytes[*at] == '.';
    const size_t begin = ++*at;
    template_value name = template_none();
    size_t index = 0;
    ondol_status status = ONDOL_OK;
    while (*at < end && (attribute ? bytes[*at] != '.' && bytes[*at] != '[' : bytes[*at] != ']'))
        ++*at;
    const size_t stop = *at;
    if (stop == begin || (!attribute && stop == end))
        return template_fail(f->run, ONDOL_E_FORMAT, "a format string's field ends too early");
    TRY(template_make_view(f->run, f->format, begin, stop, &name));
    if (attribute) return template_get_attribute(f->run, *value, name.as.string, value);
    ++*at;
    if (*at < end && bytes[*at] != '.' && bytes[*at] != '[')
        return template_fail(f->run, ONDOL_E_FORMAT, "only '.' or '[' may follow a field's ']'");
    if (read_number(bytes + begin, stop - begin, &index)) name = template_int((int64_t)index);
    TRY(template_get_item(f->run, *value, name, value));
done:
    return status;
}

static ondol_status field_value(braces *f, size_t begin, size_t end, template_value *out) {
    const char *bytes = f->format->bytes;
    size_t at = begin;
    while (at < end && bytes[at] != '.' && bytes[at] != '[')
        at++;
    ondol_status status = first_part(f, bytes + begin, at - begin, out);
    while (status == ONDOL_OK && at < end)
        status = next_part(f, &at, end, out);
    return status;
}

/* Where the name of the field [begin, end) ends: before '!' or ':', which within [] are its own. */
static size_t name_end(const char *bytes, size_t begin, size_t end) {
    bool within = false;
    for (size_t at = begin; at < end; at++) {
        if (bytes[at] == '[') within = true;
        if (bytes[at] == ']') within = false;
        if (!within && (bytes[at] == '!' || bytes[at] == ':')) return at;
    }
    return end;
}

/* The field between two braces. */
static ondol_status build_field(braces *f, size_t begin, size_t end, int depth,
                                template_builder *b) {
    const char *bytes = f->format->bytes;
    size_t at = name_end(bytes, begin, end);
    template_value value = template_none(), spec = template_none();
    template_builder spec_text = {0}, plain = {0};
    ondol_status status = field_value(f, begin, at, &value);
    TRY(status);
    if (at < end && bytes[at] == '!') {
        const bool whole = at + 2 == end || (at + 2 < end && bytes[at + 2] == ':');
        if (!whole || !strchr("sra", bytes[at + 1]) || !bytes[at + 1])
            return template_fail(f->run, ONDOL_E_FORMAT, "a field's '!' needs one of s, r, a");
        TRY(template_convert(f->run, bytes[at + 1], value, &value));
        at += 2;
    }
    if (at < end) TRY(build_fields(f, at + 1, end, depth + 1, &spec_text));
    TRY(template_build_finish(f->run, &spec_text, &spec));
    if (!f->markup) return template_build_format(f->run, b, value, spec.as.string);
    const bool safe = value.kind == TEMPLATE_STRING && value.flag;
    TRY(template_build_format(f->run, &plain, value, spec.as.string));
    TRY(template_build_finish(f->run, &plain, &value));
    value.flag = safe;
    TRY(template_escape(f->run, value, &value));
    TRY(template_build_str(f->run, b, value));
done:
    return status;
}

/* The place of the '}' that closes a field whose inside begins at `at`; end when there is none. */
static size_t field_end(const char *bytes, size_t at, size_t end) {
    for (size_t open = 1; at < end; at++) {
        if (bytes[at] == '{') open++;
        if (bytes[at] == '}' && --open == 0) break;
    }
    return at;
}

static ondol_status build_fields(braces *f, size_t begin, size_t end, int depth,
                                 template_builder *b) {
    const char *bytes = f->format->bytes;
    ondol_status status = ONDOL_OK;
    if (depth >= NESTED_MAX && begin < end && memchr(bytes + begin, '{', end - begin))
        return template_fail(f->run, ONDOL_E_FORMAT, "a format string's fields nest too deep");
    for (size_t at = begin; at < end;) {
        const char c = bytes[at];
        TRY(template_spend(f->run, 1));
        if (c != '{' && c != '}') {
            TRY(template_build(f->run, b, bytes + at++, 1));
        } else if (depth == 0 && at + 1 < end && bytes[at + 1] == c) {
            TRY(template_build(f->run, b, &c, 1));
            at += 2;
        } else {
            const size_t close = field_end(bytes, at + 1, end);
            if (c == '}' || close == end)
                return template_fail(f->run, ONDOL_E_FORMAT, "a format string has a single '%c'",
                                     c);
            TRY(build_field(f, at + 1, close, depth, b));
            at = close + 1;
        }
    }
done:
    return status;
}

ondol_status template_format_braces(template_run *run, template_value format,
                                    const template_arguments *arguments, template_value *out) {
    braces f = {
        .run = run, .format = format.as.string, .arguments = arguments, .markup = format.flag};
    template_builder b = {0};
    ondol_status status = build_fields(&f, 0, f.format->size, 0, &b);
    if (status == ONDOL_OK) status = template_build_finish(run, &b, out);
    if (status == ONDOL_OK) out->flag = format.flag;
    return status;
}
