/* format(value, spec): the specification behind a field's ':' in str.format.
 * Source: Python's Format Specification Mini-Language. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "text/template/template_number.h"
#include "text/template/template_operations.h"
#include "text/template/template_text.h"

#define SIZE_MOST      ((int64_t)1 << 30)
#define PRECISION_MOST 600

typedef struct format_spec {
    uint32_t fill;
    char align;          /* 0: as the type has it */
    char sign;           /* '-', '+', ' ' */
    char grouping, type; /* 0: none */
    bool alternate, no_negative_zero;
    int64_t width, precision; /* -1: none */
} format_spec;

static bool is_one_of(char c, const char *set) {
    return c && strchr(set, c);
}

static char at_or_zero(const template_string *s, size_t at) {
    return at < s->size ? s->bytes[at] : 0;
}

static size_t read_digits(const template_string *s, size_t at, int64_t *out) {
    for (int64_t n = 0; at_or_zero(s, at) >= '0' && at_or_zero(s, at) <= '9'; at++) {
        n = n > SIZE_MOST ? n : n * 10 + (s->bytes[at] - '0');
        *out = n;
    }
    return at;
}

static size_t read_alignment(const template_string *s, format_spec *spec) {
    uint32_t code = 0;
    const size_t used = s->size > 0 ? template_text_next(s->bytes, s->size, 0, &code) : 0;
    if (is_one_of(at_or_zero(s, used), "<>=^") && used > 0) {
        spec->fill = code;
        spec->align = s->bytes[used];
        return used + 1;
    }
    if (!is_one_of(at_or_zero(s, 0), "<>=^")) return 0;
    spec->align = s->bytes[0];
    return 1;
}

static ondol_status read_spec(template_run *run, const template_string *s, format_spec *spec) {
    *spec = (format_spec){.fill = ' ', .sign = '-', .width = -1, .precision = -1};
    size_t at = read_alignment(s, spec);
    const bool filled = at > 1;
    if (is_one_of(at_or_zero(s, at), "+- ")) spec->sign = s->bytes[at++];
    if (at_or_zero(s, at) == 'z') spec->no_negative_zero = s->bytes[at++] != 0;
    if (at_or_zero(s, at) == '#') spec->alternate = s->bytes[at++] != 0;
    if (at_or_zero(s, at) == '0' && !filled) {
        spec->fill = '0';
        if (!spec->align) spec->align = '0'; /* '=' for numbers, nothing for text */
        at++;
    }
    at = read_digits(s, at, &spec->width);
    if (is_one_of(at_or_zero(s, at), ",_")) spec->grouping = s->bytes[at++];
    if (at_or_zero(s, at) == '.') {
        const size_t begin = ++at;
        at = read_digits(s, at, &spec->precision);
        if (at == begin)
            return template_fail(run, ONDOL_E_FORMAT, "a format specification lacks its precision");
    }
    if (at < s->size) spec->type = s->bytes[at++];
    if (at < s->size)
        return template_fail(run, ONDOL_E_FORMAT, "a format specification is invalid");
    if (spec->width > SIZE_MOST || spec->precision > SIZE_MOST)
        return template_fail(run, ONDOL_E_LIMIT, "a format specification's width is too large");
    return ONDOL_OK;
}

static ondol_status refuse(template_run *run, const format_spec *spec, template_value value) {
    return template_fail(run, ONDOL_E_FORMAT, "a '%s' cannot be formatted as '%c'",
                         template_type_name(value),
                         spec->type > 0x20 && spec->type < 0x7f ? spec->type : '?');
}

/* head, then body of `length` characters, aligned. */
static ondol_status build_aligned(template_run *run, template_builder *b, const format_spec *spec,
                                  const char *head, const char *body, size_t size, size_t length) {
    unsigned char fill[4];
    const size_t fill_size = base_utf8_encode(spec->fill, fill);
    const uint64_t used = strlen(head) + length;
    const uint64_t width = spec->width > 0 ? (uint64_t)spec->width : 0;
    const uint64_t pad = width > used ? width - used : 0;
    const uint64_t before = spec->align == '<' ? 0 : spec->align == '^' ? pad / 2 : pad;
    const bool inside = spec->align == '=';
    ondol_status status = ONDOL_OK;
    if (inside) TRY(template_build_text(run, b, head));
    TRY(template_build_repeat(run, b, (const char *)fill, fill_size, before));
    if (!inside) TRY(template_build_text(run, b, head));
    TRY(template_build(run, b, body, size));
    TRY(template_build_repeat(run, b, (const char *)fill, fill_size, pad - before));
done:
    return status;
}

static ondol_status build_text(template_run *run, template_builder *b, format_spec *spec,
                               template_value value) {
    const template_string *s = value.as.string;
    size_t length = s->length, size = s->size;
    if ((spec->type && spec->type != 's') || spec->sign != '-' || spec->alternate ||
        spec->grouping || spec->align == '=' || spec->no_negative_zero)
        return refuse(run, spec, value);
    if (!spec->align || spec->align == '0') spec->align = '<';
    if (spec->precision >= 0 && (uint64_t)spec->precision < length) {
        length = (size_t)spec->precision;
        size = template_string_offset(s, length);
    }
    return build_aligned(run, b, spec, "", s->bytes, size, length);
}

/* Characters of `whole` digits with their separators. */
static uint64_t grouped(uint64_t whole, unsigned group) {
    return whole + (group && whole ? (whole - 1) / group : 0);
}

/* A number: head (sign, base), whole digits, the rest (fraction, exponent, '%'). */
static ondol_status build_number(template_run *run, template_builder *b, format_spec *spec,
                                 const char *head, const char *digits, size_t whole, size_t rest) {
    const unsigned group = !spec->grouping ? 0 : is_one_of(spec->type, "xXob") ? 4 : 3;
    const uint64_t width = spec->width > 0 ? (uint64_t)spec->width : 0;
    template_builder body = {0};
    uint64_t zeros = 0;
    ondol_status status = ONDOL_OK;
    if (!spec->align) spec->align = '>';
    if (spec->align == '0') spec->align = '=';
    if (group && spec->align == '=' && spec->fill == '0' && whole > 0) {
        const uint64_t used = strlen(head) + rest;
        const uint64_t room = width > used ? width - used : 0;
        uint64_t all = room - room / (group + 1); /* digits that fill the room, or one fewer */
        if (grouped(all, group) < room) all++;
        if (all > whole) zeros = all - whole;
    }
    for (uint64_t left = whole + zeros; group && left > 0; left--) {
        const uint64_t done_digits = whole + zeros - left;
        const char *digit = done_digits < zeros ? "0" : digits + (done_digits - zeros);
        TRY(template_build(run, &body, digit, 1));
        if (left > 1 && (left - 1) % group == 0)
            TRY(template_build(run, &body, &spec->grouping, 1));
        TRY(template_spend(run, 1));
    }
    if (!group) TRY(template_build(run, &body, digits, whole));
    TRY(template_build(run, &body, digits + whole, rest));
    TRY(build_aligned(run, b, spec, head, body.data, body.size, body.size));
done:
    return status;
}

static size_t put_sign(const format_spec *spec, bool negative, char *head) {
    head[0] = negative ? '-' : spec->sign;
    head[head[0] == '-' && !negative ? 0 : 1] = 0;
    return strlen(head);
}

static ondol_status build_whole(template_run *run, template_builder *b, format_spec *spec,
                                int64_t number, template_value value) {
    char head[4], digits[64];
    unsigned char character[4];
    const char type = spec->type ? spec->type : 'd';
    if (spec->precision >= 0 || spec->no_negative_zero) return refuse(run, spec, value);
    if (type == 'c') {
        if (number < 0 || number > 0x10ffff || (number >= 0xd800 && number < 0xe000) ||
            spec->sign != '-' || spec->grouping)
            return refuse(run, spec, value);
        if (!spec->align || spec->align == '0') spec->align = spec->align ? '=' : '<';
        const size_t used = base_utf8_encode((uint32_t)number, character);
        return build_aligned(run, b, spec, "", (const char *)character, used, 1);
    }
    if (!is_one_of(type, "dnbxXo") || (spec->grouping == ',' && is_one_of(type, "bxXo")) ||
        (spec->grouping && type == 'n'))
        return refuse(run, spec, value);
    size_t used = put_sign(spec, number < 0, head);
    const unsigned base = type == 'b' ? 2 : type == 'o' ? 8 : is_one_of(type, "xX") ? 16 : 10;
    const uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    if (spec->alternate && base != 10) {
        head[used++] = '0';
        head[used++] = type;
        head[used] = 0;
    }
    const size_t n = template_number_digits(magnitude, base, type == 'X', digits);
    return build_number(run, b, spec, head, digits, n, 0);
}

/* A float without a type: as repr(), or as 'g' that always shows a fraction. */
static size_t format_plain(const format_spec *spec, double number, char *text, size_t text_bytes) {
    if (spec->precision < 0) return template_number_repr(number, text);
    const int precision = spec->precision > 0 ? (int)spec->precision : 1;
    if (isnan(number) || isinf(number))
        return template_number_format(number, 'g', precision, false, text, text_bytes);
    size_t n = template_number_format(number, 'e', precision - 1, false, text, text_bytes);
    const char *exponent_text = memchr(text, 'e', n);
    const long exponent = exponent_text ? strtol(exponent_text + 1, NULL, 10) : 0;
    if (exponent >= -4 && exponent < precision - 1) {
        n = template_number_format(number, 'g', precision, false, text, text_bytes - 2);
        if (!memchr(text, '.', n)) {
            text[n++] = '.';
            text[n++] = '0';
        }
        return n;
    }
    if (exponent < -4 || exponent >= precision)
        return template_number_format(number, 'g', precision, spec->alternate, text, text_bytes);
    /* exactly as many digits as asked for leave no room for the fraction: the exponent's form */
    size_t digits = (size_t)(exponent_text - text), kept = digits;
    while (memchr(text, '.', digits) && (text[kept - 1] == '0' || text[kept - 1] == '.')) {
        kept--;
        if (text[kept] == '.') break;
    }
    memmove(text + kept, text + digits, n - digits);
    return n - (digits - kept);
}

static ondol_status build_double(template_run *run, template_builder *b, format_spec *spec,
                                 double number, template_value value) {
    char text[1024], head[4];
    const char type = spec->type;
    if ((type && !is_one_of(type, "eEfFgGn%")) || (spec->grouping && type == 'n'))
        return refuse(run, spec, value);
    if (spec->precision > PRECISION_MOST)
        return template_fail(run, ONDOL_E_LIMIT, "a precision above %d", PRECISION_MOST);
    const double magnitude = fabs(type == '%' ? number * 100 : number);
    const int precision = spec->precision < 0 ? 6 : (int)spec->precision;
    const char conversion = type == '%' ? 'f' : type == 'n' ? 'g' : type;
    size_t n = type ? template_number_format(magnitude, conversion, precision, spec->alternate,
                                             text, sizeof text - 1)
                    : format_plain(spec, magnitude, text, sizeof text);
    if (type == '%') text[n++] = '%';
    size_t whole = 0;
    bool zero = true;
    while (whole < n && text[whole] >= '0' && text[whole] <= '9')
        whole++;
    for (size_t i = 0; i < n && !is_one_of(text[i], "eE"); i++)
        zero = zero && !(text[i] >= '1' && text[i] <= '9') && !is_one_of(text[i], "iInN");
    const bool negative = signbit(number) && !isnan(number);
    put_sign(spec, negative && !(zero && spec->no_negative_zero), head);
    return build_number(run, b, spec, head, text, whole, n - whole);
}

ondol_status template_build_format(template_run *run, template_builder *builder,
                                   template_value value, const template_string *text) {
    format_spec spec;
    int64_t number = 0;
    if (text->size == 0) return template_build_str(run, builder, value);
    ondol_status status = read_spec(run, text, &spec);
    if (status != ONDOL_OK) return status;
    if (value.kind == TEMPLATE_STRING) return build_text(run, builder, &spec, value);
    if (value.kind == TEMPLATE_DOUBLE)
        return build_double(run, builder, &spec, value.as.real, value);
    if (!template_is_number(value))
        return template_fail(run, ONDOL_E_FORMAT, "a '%s' takes no format specification",
                             template_type_name(value));
    status = template_as_int(run, value, "a number to format", &number);
    if (status != ONDOL_OK) return status;
    if (is_one_of(spec.type, "eEfFgG%"))
        return build_double(run, builder, &spec, (double)number, value);
    return build_whole(run, builder, &spec, number, value);
}
