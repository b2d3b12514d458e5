/* Filters on numbers: abs, int, float, round, filesizeformat. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "text/template/template_builtins.h"
#include "text/template/template_number.h"
#include "text/template/template_operations.h"
#include "text/template/template_text.h"

#define ARGUMENT(i) (arguments->values[i])

static ondol_status filter_abs(template_run *run, template_value self,
                               const template_arguments *arguments, template_value *out) {
    (void)arguments;
    if (self.kind == TEMPLATE_UNDEFINED) return template_fail_undefined(run, self);
    if (!template_is_number(self)) {
        return template_fail(run, ONDOL_E_FORMAT, "abs: expected a number, got '%s'",
                             template_type_name(self));
    }
    if (self.kind == TEMPLATE_DOUBLE) {
        *out = template_double(fabs(self.as.real));
        return ONDOL_OK;
    }
    bool negative = self.kind == TEMPLATE_INT && self.as.integer < 0;
    return template_negate(run, self, negative, out);
}

/* The text without white space at its ends and without single underscores between digits; 0 when
 * it is longer than any number. */
static size_t clean(const template_string *s, char *out, size_t out_bytes) {
    size_t begin = template_text_leading_space(s->bytes, s->size);
    size_t end = template_text_strip_right(s->bytes, s->size), n = 0;
    for (size_t at = begin; at < end; at++) {
        bool between = at > begin && at + 1 < end && s->bytes[at - 1] != '_' &&
                       s->bytes[at + 1] != '_' && s->bytes[at - 1] != '.' &&
                       s->bytes[at + 1] != '.';
        if (s->bytes[at] == '_' && between) continue;
        if (n + 1 >= out_bytes) return 0;
        out[n++] = s->bytes[at];
    }
    out[n] = 0;
    return n;
}

static bool parse_float(const template_string *s, double *out) {
    char text[401];
    size_t n = clean(s, text, sizeof text);
    return n && template_number_parse(text, n, out);
}

typedef enum parsed { PARSED, NOT_A_NUMBER, TOO_LARGE } parsed;

/* int(text, base) of Python. base 0: by prefix. */
static parsed parse_int(const template_string *s, int64_t base, int64_t *out) {
    char text[401];
    size_t n = clean(s, text, sizeof text), at = 0, digits = 0;
    bool negative = text[0] == '-';
    uint64_t value = 0, limit = (uint64_t)INT64_MAX + negative;
    bool large = false;
    if (n == 0 || base < 0 || base == 1 || base > 36) return NOT_A_NUMBER;
    if (text[0] == '-' || text[0] == '+') at++;
    if (text[at] == '0' && at + 1 < n) {
        char c = (char)(text[at + 1] | 32);
        int64_t named = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
        if (named && (base == 0 || base == named)) {
            at += 2;
            base = named;
        }
    }
    if (base == 0) base = 10;
    for (; at < n; at++, digits++) {
        char c = (char)(text[at] | 32);
        int64_t digit = text[at] >= '0' && text[at] <= '9' ? text[at] - '0'
                        : c >= 'a' && c <= 'z'             ? c - 'a' + 10
                                                           : 99;
        if (digit >= base) return NOT_A_NUMBER;
        large = large || value > (limit - (uint64_t)digit) / (uint64_t)base;
        if (!large) value = value * (uint64_t)base + (uint64_t)digit;
    }
    if (digits == 0) return NOT_A_NUMBER;
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return large ? TOO_LARGE : PARSED;
}

/* int(number): cut towards zero. */
static ondol_status cut(template_run *run, double value, template_value fallback,
                        template_value *out) {
    *out = fallback;
    if (isnan(value) || isinf(value)) return ONDOL_OK;
    if (fabs(value) >= 9223372036854775808.0)
        return template_fail(run, ONDOL_E_LIMIT, "int: a number does not fit into 64 bits");
    *out = template_int((int64_t)value);
    return ONDOL_OK;
}

static ondol_status filter_int(template_run *run, template_value self,
                               const template_arguments *arguments, template_value *out) {
    template_value fallback = ARGUMENT(0).kind == TEMPLATE_ABSENT ? template_int(0) : ARGUMENT(0);
    int64_t base = 10, value = 0;
    double real = 0;
    *out = fallback;
    if (ARGUMENT(1).kind != TEMPLATE_ABSENT) {
        ondol_status status = template_as_int(run, ARGUMENT(1), "the base of int", &base);
        if (status != ONDOL_OK) return status;
    }
    if (self.kind == TEMPLATE_UNDEFINED) return template_fail_undefined(run, self);
    if (self.kind == TEMPLATE_DOUBLE) {
        if (isinf(self.as.real))
            return template_fail(run, ONDOL_E_FORMAT, "int: infinity is no integer");
        return cut(run, self.as.real, fallback, out);
    }
    if (template_is_number(self)) return template_negate(run, self, false, out);
    if (self.kind != TEMPLATE_STRING) return ONDOL_OK;
    parsed result = parse_int(self.as.string, base, &value);
    if (result == TOO_LARGE)
        return template_fail(run, ONDOL_E_LIMIT, "int: a number does not fit into 64 bits");
    if (result == PARSED)
        *out = template_int(value);
    else if (parse_float(self.as.string, &real))
        return cut(run, real, fallback, out);
    return template_spend(run, 1 + self.as.string->size / 16);
}

static ondol_status filter_float(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    double real = 0;
    *out = ARGUMENT(0).kind == TEMPLATE_ABSENT ? template_double(0) : ARGUMENT(0);
    if (self.kind == TEMPLATE_UNDEFINED) return template_fail_undefined(run, self);
    if (template_is_number(self))
        *out = template_double(template_as_double(self));
    else if (self.kind == TEMPLATE_STRING && parse_float(self.as.string, &real))
        *out = template_double(real);
    return template_spend(run, 1);
}

static ondol_status filter_round(template_run *run, template_value self,
                                 const template_arguments *arguments, template_value *out) {
    int64_t digits = 0;
    const template_string *method = NULL;
    ondol_status status = ONDOL_OK;
    if (ARGUMENT(0).kind != TEMPLATE_ABSENT)
        TRY(template_as_int(run, ARGUMENT(0), "the precision of round", &digits));
    if (ARGUMENT(1).kind != TEMPLATE_ABSENT)
        TRY(template_as_text(run, ARGUMENT(1), "the method of round", &method));
    bool common = !method || template_string_is(method, "common");
    bool up = method && template_string_is(method, "ceil");
    if (!common && !up && !template_string_is(method, "floor"))
        return template_fail(run, ONDOL_E_FORMAT, "round: the method is common, ceil or floor");
    if (self.kind == TEMPLATE_UNDEFINED) return template_fail_undefined(run, self);
    if (!template_is_number(self)) {
        return template_fail(run, ONDOL_E_FORMAT, "round: expected a number, got '%s'",
                             template_type_name(self));
    }
    if (common && self.kind != TEMPLATE_DOUBLE) {
        TRY(template_negate(run, self, false, out));
        if (digits >= 0) return ONDOL_OK;
        double rounded = template_number_round((double)out->as.integer, digits);
        return cut(run, rounded, *out, out);
    }
    double value = template_as_double(self);
    if (common) {
        *out = template_double(template_number_round(value, digits));
        return ONDOL_OK;
    }
    if (digits > 300) digits = 300;
    if (digits < -300) digits = -300;
    double unit = pow(10.0, (double)digits);
    *out = template_double((up ? ceil(value * unit) : floor(value * unit)) / unit);
done:
    return status;
}

static ondol_status filter_filesizeformat(template_run *run, template_value self,
                                          const template_arguments *arguments,
                                          template_value *out) {
    static const char *const names[2][8] = {
        {"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"},
        {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"},
    };
    char text[400];
    bool binary = template_truth(ARGUMENT(0));
    double base = binary ? 1024.0 : 1000.0, unit = base;
    template_value number = template_none();
    template_arguments none = {.values = &(template_value){.kind = TEMPLATE_NONE}, .count = 1};
    ondol_status status = filter_float(run, self, &none, &number);
    TRY(status);
    if (number.kind != TEMPLATE_DOUBLE)
        return template_fail(run, ONDOL_E_FORMAT, "filesizeformat: expected a number");
    double bytes = number.as.real;
    if (bytes == 1) return template_make_text(run, "1 Byte", out);
    if (bytes < base) {
        snprintf(text, sizeof text, "%lld Bytes", (long long)(bytes > -9e18 ? bytes : -9e18));
        return template_make_text(run, text, out);
    }
    size_t i = 0;
    for (; i < 7 && bytes >= unit * base; i++)
        unit *= base;
    size_t n =
        template_number_format(base * bytes / (unit * base), 'f', 1, false, text, sizeof text - 8);
    snprintf(text + n, sizeof text - n, " %s", names[binary][i]);
    TRY(template_make_text(run, text, out));
done:
    return status;
}

const template_builtin template_number_filters[] = {
    {"abs", "", filter_abs},
    {"int", "| default base", filter_int},
    {"float", "| default", filter_float},
    {"round", "| precision method", filter_round},
    {"filesizeformat", "| binary", filter_filesizeformat},
    {NULL, NULL, NULL},
};
