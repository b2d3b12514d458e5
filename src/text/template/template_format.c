/* The `%` operator on strings, as printf-style formatting of Python's str. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "text/template/template_number.h"
#include "text/template/template_operations.h"
#include "text/template/template_text.h"

/* One conversion: %(key)-+ #0width.precision type. */
typedef struct conversion {
    bool left, plus, space, alternate, zero;
    int64_t width, precision; /* precision -1: none */
    char type;
} conversion;

typedef struct formatter {
    template_run *run;
    const template_string *format;
    size_t at;
    template_value arguments;
    const template_list *tuple; /* NULL: `arguments` is the one argument, or a dict */
    size_t taken;
    bool keyed, markup;
    template_builder b;
} formatter;

#define SIZE_MOST ((int64_t)1 << 30)

static ondol_status next_argument(formatter *f, template_value *out) {
    const bool none_left = f->tuple ? f->taken >= f->tuple->count : f->taken > 0;
    if (none_left || f->keyed)
        return template_fail(f->run, ONDOL_E_FORMAT, "too few arguments for a format string");
    *out = f->tuple ? f->tuple->items[f->taken] : f->arguments;
    f->taken++;
    return ONDOL_OK;
}

static char peek(const formatter *f) {
    return f->at < f->format->size ? f->format->bytes[f->at] : 0;
}

/* `(key)`: the value of the dict. */
static ondol_status read_key(formatter *f, template_value *out) {
    const size_t begin = ++f->at;
    size_t open = 1;
    for (; f->at < f->format->size; f->at++) {
        if (peek(f) == '(') open++;
        if (peek(f) == ')' && --open == 0) break;
    }
    if (open > 0) return template_fail(f->run, ONDOL_E_FORMAT, "a format's key has no ')'");
    if (f->arguments.kind != TEMPLATE_DICT)
        return template_fail(f->run, ONDOL_E_FORMAT, "a format with keys needs a dict");
    template_value key = template_none();
    bool found = false;
    ondol_status status = template_make_view(f->run, f->format, begin, f->at, &key);
    if (status != ONDOL_OK) return status;
    f->at++;
    f->keyed = true;
    status = template_dict_get(f->run, f->arguments.as.dict, key, out, &found);
    if (status != ONDOL_OK || found) return status;
    return template_fail(f->run, ONDOL_E_FORMAT, "a format's key is not in the dict");
}

static void read_flags(formatter *f, conversion *c) {
    for (;; f->at++) {
        switch (peek(f)) {
        case '-': c->left = true; break;
        case '+': c->plus = true; break;
        case ' ': c->space = true; break;
        case '#': c->alternate = true; break;
        case '0': c->zero = true; break;
        default: return;
        }
    }
}

/* Digits, or `*` for the next argument; *out stays as it is when there are neither. */
static ondol_status read_size(formatter *f, const char *what, int64_t *out) {
    template_value argument = template_none();
    ondol_status status = ONDOL_OK;
    if (peek(f) == '*') {
        f->at++;
        TRY(next_argument(f, &argument));
        TRY(template_as_int(f->run, argument, what, out));
    } else if (peek(f) >= '0' && peek(f) <= '9') {
        for (*out = 0; peek(f) >= '0' && peek(f) <= '9' && *out <= SIZE_MOST; f->at++)
            *out = *out * 10 + (peek(f) - '0');
    }
    if (*out > SIZE_MOST || *out < -SIZE_MOST)
        return template_fail(f->run, ONDOL_E_LIMIT, "%s is too large", what);
done:
    return status;
}

/* sign and digits, padded to the width; zero: between the two. */
static ondol_status build_padded(formatter *f, const conversion *c, const char *sign,
                                 const char *body, size_t size, size_t length) {
    const size_t used = strlen(sign) + length;
    const uint64_t width = c->width > 0 ? (uint64_t)c->width : 0,
                   pad = width > used ? width - used : 0;
    const bool zero = c->zero && !c->left && c->type != 's';
    ondol_status status = ONDOL_OK;
    if (!c->left && !zero) TRY(template_build_repeat(f->run, &f->b, " ", 1, pad));
    TRY(template_build_text(f->run, &f->b, sign));
    if (zero) TRY(template_build_repeat(f->run, &f->b, "0", 1, pad));
    TRY(template_build(f->run, &f->b, body, size));
    if (c->left) TRY(template_build_repeat(f->run, &f->b, " ", 1, pad));
done:
    return status;
}

static const char *sign_of(const conversion *c, bool negative) {
    return negative ? "-" : c->plus ? "+" : c->space ? " " : "";
}

static ondol_status build_double(formatter *f, const conversion *c, template_value value) {
    char text[1024];
    const int64_t precision = c->precision < 0 ? 6 : c->precision;
    if (!template_is_number(value)) {
        return template_fail(f->run, ONDOL_E_FORMAT, "%%%c: expected a number, got '%s'", c->type,
                             template_type_name(value));
    }
    if (precision > 600) {
        return template_fail(f->run, ONDOL_E_LIMIT, "%%%c: a precision above 600", c->type);
    }
    const double number = template_as_double(value);
    const bool negative = signbit(number) && !isnan(number);
    const size_t n = template_number_format(fabs(number), c->type, (int)precision, c->alternate,
                                            text, sizeof text);
    return build_padded(f, c, sign_of(c, negative), text, n, n);
}

static ondol_status whole_of(formatter *f, const conversion *c, template_value value,
                             int64_t *out) {
    const bool decimal = c->type == 'd';
    if (value.kind == TEMPLATE_DOUBLE && decimal) {
        if (!(fabs(value.as.real) < 9223372036854775808.0))
            return template_fail(f->run, ONDOL_E_LIMIT, "%%d of a number beyond 64 bits");
        *out = (int64_t)value.as.real;
        return ONDOL_OK;
    }
    if (!template_is_number(value) || value.kind == TEMPLATE_DOUBLE) {
        return template_fail(f->run, ONDOL_E_FORMAT, "%%%c: expected %s, got '%s'", c->type,
                             decimal ? "a number" : "an integer", template_type_name(value));
    }
    return template_as_int(f->run, value, "a number to format", out);
}

static ondol_status build_whole(formatter *f, const conversion *c, template_value value) {
    char digits[64], sign[4];
    int64_t number = 0;
    ondol_status status = whole_of(f, c, value, &number);
    TRY(status);
    const unsigned base = c->type == 'd' ? 10 : c->type == 'o' ? 8 : 16;
    const uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    const size_t n = template_number_digits(magnitude, base, c->type == 'X', digits);
    size_t used = strlen(sign_of(c, number < 0));
    memcpy(sign, sign_of(c, number < 0), used);
    if (c->alternate && base != 10) {
        sign[used++] = '0';
        sign[used++] = c->type;
    }
    sign[used] = 0;
    template_builder body = {0};
    const uint64_t least = c->precision > 0 ? (uint64_t)c->precision : 0;
    TRY(template_build_repeat(f->run, &body, "0", 1, least > n ? least - n : 0));
    TRY(template_build(f->run, &body, digits, n));
    TRY(build_padded(f, c, sign, body.data, body.size, body.size));
done:
    return status;
}

/* %c: a character, or its code point. */
static ondol_status build_character(formatter *f, const conversion *c, template_value value) {
    unsigned char bytes[4];
    conversion text = *c;
    int64_t code = 0;
    text.type = 's';
    if (value.kind == TEMPLATE_STRING && value.as.string->length == 1) {
        const template_string *s = value.as.string;
        return build_padded(f, &text, "", s->bytes, s->size, 1);
    }
    const ondol_status status = template_as_int(f->run, value, "%c", &code);
    if (status != ONDOL_OK) return status;
    if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return template_fail(f->run, ONDOL_E_FORMAT, "%%c: no such character");
    const size_t n = base_utf8_encode((uint32_t)code, bytes);
    return build_padded(f, &text, "", (const char *)bytes, n, 1);
}

/* Characters beyond ASCII as escapes: ascii() of Python, given repr(). */
static ondol_status build_ascii(template_run *run, template_builder *b, const template_string *s) {
    ondol_status status = ONDOL_OK;
    for (size_t at = 0; at < s->size;) {
        uint32_t code = 0;
        char escape[16];
        const size_t used = template_text_next(s->bytes, s->size, at, &code);
        if (code < 0x80) {
            TRY(template_build(run, b, s->bytes + at, used));
        } else {
            if (code < 0x100)
                snprintf(escape, sizeof escape, "\\x%02" PRIx32, code);
            else if (code < 0x10000)
                snprintf(escape, sizeof escape, "\\u%04" PRIx32, code);
            else
                snprintf(escape, sizeof escape, "\\U%08" PRIx32, code);
            TRY(template_build_text(run, b, escape));
        }
        at += used;
    }
done:
    return status;
}

ondol_status template_convert(template_run *run, char kind, template_value value,
                              template_value *out) {
    template_builder b = {0}, ascii = {0};
    ondol_status status = ONDOL_OK;
    if (kind == 's') return template_to_string(run, value, out);
    TRY(template_build_repr(run, &b, value));
    TRY(template_build_finish(run, &b, out));
    if (kind == 'r') return ONDOL_OK;
    TRY(build_ascii(run, &ascii, out->as.string));
    TRY(template_build_finish(run, &ascii, out));
done:
    return status;
}

static ondol_status build_text(formatter *f, const conversion *c, template_value value) {
    template_value text = value;
    conversion padding = *c;
    ondol_status status = template_convert(f->run, c->type, value, &text);
    TRY(status);
    if (f->markup) TRY(template_escape(f->run, text, &text));
    const template_string *s = text.as.string;
    size_t length = s->length, size = s->size;
    padding.type = 's';
    if (c->precision >= 0 && (uint64_t)c->precision < length) {
        length = (size_t)c->precision;
        size = template_string_offset(s, length);
    }
    TRY(build_padded(f, &padding, "", s->bytes, size, length));
done:
    return status;
}

/* Stands behind the '%'. */
static ondol_status build_conversion(formatter *f) {
    conversion c = {.precision = -1};
    template_value value = template_none();
    ondol_status status = ONDOL_OK;
    const bool has_key = peek(f) == '(';
    if (has_key) TRY(read_key(f, &value));
    read_flags(f, &c);
    TRY(read_size(f, "a width", &c.width));
    if (c.width < 0) {
        c.left = true;
        c.width = -c.width;
    }
    if (peek(f) == '.') {
        f->at++;
        c.precision = 0;
        TRY(read_size(f, "a precision", &c.precision));
        if (c.precision < 0) c.precision = 0;
    }
    if (peek(f) && strchr("hlL", peek(f))) f->at++;
    c.type = peek(f);
    if (c.type == 0) return template_fail(f->run, ONDOL_E_FORMAT, "a format ends behind its '%%'");
    f->at++;
    if (c.type == '%') return template_build(f->run, &f->b, "%", 1);
    if (!has_key) TRY(next_argument(f, &value));
    if (c.type == 'i' || c.type == 'u') c.type = 'd';
    if (strchr("dxXo", c.type)) return build_whole(f, &c, value);
    if (strchr("eEfFgG", c.type)) return build_double(f, &c, value);
    if (strchr("sra", c.type)) return build_text(f, &c, value);
    if (c.type == 'c') return build_character(f, &c, value);
    return template_fail(f->run, ONDOL_E_FORMAT, "a format's '%%%c' is not known",
                         c.type > 0x20 && c.type < 0x7f ? c.type : '?');
done:
    return status;
}

ondol_status template_format_percent(template_run *run, template_value format,
                                     template_value arguments, template_value *out) {
    formatter f = {.run = run, .format = format.as.string, .arguments = arguments};
    ondol_status status = ONDOL_OK;
    f.tuple = template_is_tuple(arguments) ? arguments.as.list : NULL;
    f.markup = format.flag;
    while (f.at < f.format->size) {
        const char *begin = f.format->bytes + f.at;
        const char *sign = memchr(begin, '%', f.format->size - f.at);
        const size_t plain = sign ? (size_t)(sign - begin) : f.format->size - f.at;
        TRY(template_build(run, &f.b, begin, plain));
        f.at += plain;
        if (!sign) break;
        f.at++;
        TRY(template_spend(run, 4));
        TRY(build_conversion(&f));
    }
    const bool mapping = arguments.kind == TEMPLATE_DICT || template_is_list(arguments);
    if (f.tuple ? f.taken < f.tuple->count : f.taken == 0 && !mapping) {
        return template_fail(run, ONDOL_E_FORMAT, "a format string did not use all its arguments");
    }
    TRY(template_build_finish(run, &f.b, out));
    out->flag = format.flag;
done:
    return status;
}
