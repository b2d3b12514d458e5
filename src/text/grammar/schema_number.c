/* Bounds of numbers -> GBNF over decimal digits. With bounds a number has no exponent. Fractions
 * are compared digit by digit: a digit above or below decides, an equal one goes on. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "text/grammar/schema_internal.h"

#define DIGITS_MORE (SCHEMA_DIGITS - 1)

/* One end of a range of numbers that are not negative. */
typedef struct number_end {
    bool there, strict; /* strict: the end itself is not allowed */
    schema_decimal at;
} number_end;

/* Appends alternatives: " | " before all but the first. */
static void append_or(base_buffer *b, bool *any) {
    if (*any) base_buffer_append_text(b, " | ");
    *any = true;
}

/* Digits behind those that equal the end's: any, or with strict not all zeros. */
static void append_tail(base_buffer *b, bool strict) {
    if (strict) base_buffer_append_format(b, " \"0\"{0,%u} [1-9]", DIGITS_MORE);
    base_buffer_append_format(b, " [0-9]{0,%u}", DIGITS_MORE);
}

static void append_above(base_buffer *b, const char *digits, bool strict);

/* Digits behind an equal one that are at least (strict: above) 0.digits; empty when those are. */
static void append_rest_above(base_buffer *b, const char *digits, bool strict) {
    if (*digits) {
        append_above(b, digits, strict);
    } else {
        append_tail(b, strict);
    }
}

/* At least one digit, at least (strict: above) 0.digits, which is above 0. Recursion here and below
 * is as deep as a fraction's digits, 30 at most. */
static void append_above(base_buffer *b, const char *digits, bool strict) {
    base_buffer_append_text(b, "(");
    if (*digits < '9') {
        schema_append_digit(b, (char)(*digits + 1), '9');
        append_tail(b, false);
        base_buffer_append_text(b, " | ");
    }
    schema_append_digit(b, *digits, *digits);
    base_buffer_append_text(b, " ");
    append_rest_above(b, digits + 1, strict);
    base_buffer_append_text(b, ")");
}

/* At least one digit, at most (strict: below) 0.digits, which is above 0 and ends in no zero. */
static void append_below(base_buffer *b, const char *digits, bool strict) {
    const bool last = digits[1] == 0;
    bool any = false;
    base_buffer_append_text(b, "(");
    if (*digits > '0') {
        append_or(b, &any);
        schema_append_digit(b, '0', (char)(*digits - 1));
        append_tail(b, false);
    }
    if (!last || !strict) {
        append_or(b, &any);
        schema_append_digit(b, *digits, *digits);
        if (last) {
            base_buffer_append_format(b, " \"0\"{0,%u}", DIGITS_MORE);
        } else {
            base_buffer_append_text(b, " ");
            append_below(b, digits + 1, strict);
            base_buffer_append_text(b, "?");
        }
    }
    base_buffer_append_text(b, ")");
}

/* A fraction, or none, at least 0.digits. */
static void append_fraction_above(base_buffer *b, const char *digits, bool strict) {
    if (!*digits && !strict) {
        base_buffer_append_format(b, " (\".\" [0-9]{1,%u})?", SCHEMA_DIGITS);
        return;
    }
    base_buffer_append_text(b, " \".\" ");
    append_rest_above(b, digits, strict);
}

/* A fraction, or none, at most 0.digits; false when there is none, 0 being too much. */
static bool append_fraction_below(base_buffer *b, const char *digits, bool strict) {
    if (!*digits && strict) return false;
    base_buffer_append_text(b, " (\".\" ");
    if (*digits) {
        append_below(b, digits, strict);
    } else {
        base_buffer_append_format(b, "\"0\"{1,%u}", SCHEMA_DIGITS);
    }
    base_buffer_append_text(b, ")?");
    return true;
}

/* Fractions from 0.low to 0.high, low < high and low above 0 or strict. */
static void append_fraction_between(base_buffer *b, const number_end *low, const number_end *high) {
    const char *from = low->at.fraction, *to = high->at.fraction;
    char first = 0, last = 0;
    base_buffer_append_text(b, " \".\" ");
    for (;; from += *from != 0, to++) {
        first = *from ? *from : '0';
        last = *to;
        if (first != last) break;
        schema_append_digit(b, first, first);
        base_buffer_append_text(b, " ");
    }
    const char *rest_from = *from ? from + 1 : from, *rest_to = to + 1;
    bool any = true;
    base_buffer_append_text(b, "(");
    schema_append_digit(b, first, first);
    base_buffer_append_text(b, " ");
    append_rest_above(b, rest_from, low->strict);
    if (first + 1 < last) {
        append_or(b, &any);
        schema_append_digit(b, (char)(first + 1), (char)(last - 1));
        append_tail(b, false);
    }
    if (*rest_to || !high->strict) {
        append_or(b, &any);
        schema_append_digit(b, last, last);
        if (*rest_to) {
            base_buffer_append_text(b, " ");
            append_below(b, rest_to, high->strict);
            base_buffer_append_text(b, "?");
        } else {
            base_buffer_append_format(b, " \"0\"{0,%u}", DIGITS_MORE);
        }
    }
    base_buffer_append_text(b, ")");
}

/* Numbers whose whole part is both ends'. */
static void append_one_whole(base_buffer *b, const number_end *low, const number_end *high,
                             bool *any) {
    const char *from = low->at.fraction, *to = high->at.fraction;
    const int order = strcmp(from, to); /* no zeros at the ends: text order is the numbers' */
    if (order > 0 || (order == 0 && (low->strict || high->strict))) return;
    append_or(b, any);
    base_buffer_append_format(b, "\"%s\"", low->at.whole);
    if (order == 0 && *from) {
        base_buffer_append_format(b, " \".%s\" \"0\"{0,%u}", from, DIGITS_MORE);
    } else if (!*from && !low->strict) {
        append_fraction_below(b, to, high->strict);
    } else {
        append_fraction_between(b, low, high);
    }
}

/* A group of the numbers from low to high, neither negative; *any: there is one. */
static void append_range(base_buffer *b, const number_end *low, const number_end *high, bool *any) {
    const uint64_t from = strtoull(low->at.whole, NULL, 10);
    const uint64_t to = high->there ? strtoull(high->at.whole, NULL, 10) : UINT64_MAX;
    if (from > to) return;
    if (from == to) {
        append_one_whole(b, low, high, any);
        return;
    }
    append_or(b, any);
    base_buffer_append_format(b, "\"%s\"", low->at.whole);
    append_fraction_above(b, low->at.fraction, low->strict);
    if (!high->there || from + 1 < to) {
        append_or(b, any);
        schema_append_whole(b, from + 1, high->there ? to - 1 : UINT64_MAX);
        append_fraction_above(b, "", false);
    }
    if (high->there && (*high->at.fraction || !high->strict)) {
        append_or(b, any);
        base_buffer_append_format(b, "\"%s\"", high->at.whole);
        append_fraction_below(b, high->at.fraction, high->strict);
    }
}

/* The tighter of two keywords. */
static ondol_status read_end(const schema_context *c, const json_t *flat, bool lower,
                             number_end *out) {
    const char *const keys[2] = {lower ? "minimum" : "maximum",
                                 lower ? "exclusiveMinimum" : "exclusiveMaximum"};
    double best = 0;
    *out = (number_end){0};
    for (int i = 0; i < 2; i++) {
        const json_t *bound = json_object_get(flat, keys[i]);
        if (!bound) continue;
        const double value = json_number_value(bound);
        if (out->there && (lower ? value < best : value > best)) continue;
        if (!schema_decimal_of(bound, &out->at))
            return schema_fail(c, ONDOL_E_UNSUPPORTED, keys[i],
                               "a bound of over 18 digits before the point or 30 behind");
        out->there = true;
        out->strict = i == 1;
        best = value;
    }
    return ONDOL_OK;
}

static bool is_zero(const schema_decimal *d) {
    return strcmp(d->whole, "0") == 0 && d->fraction[0] == 0;
}

/* The negative numbers from low to high, as what follows "-"; *any: there is one. */
static void append_negative(base_buffer *b, const number_end *low, const number_end *high,
                            bool *any) {
    const bool all = !high->there || (!high->at.negative && !is_zero(&high->at));
    number_end near = {.there = true, .at = {.whole = "0"}}, far = *low;
    if (!all) {
        near.at = high->at;
        near.strict = high->strict;
    }
    append_range(b, &near, &far, any);
}

ondol_status schema_number(schema_context *c, const json_t *flat, base_buffer *body) {
    ondol_status status = ONDOL_OK;
    number_end low, high;
    bool whole = false, any = false;
    const char *name = NULL;
    base_buffer part;
    base_buffer_init(&part, c->allocator, SCHEMA_OUTPUT_MAX);
    TRY(schema_check_multiple(c, flat, &whole));
    if (whole) {
        TRY(schema_integer(c, flat, body));
        goto done;
    }
    TRY(read_end(c, flat, true, &low));
    TRY(read_end(c, flat, false, &high));
    if (!low.there && !high.there) {
        TRY(schema_use(c, SCHEMA_NUMBER, &name));
        base_buffer_append_text(body, name);
        goto done;
    }
    base_buffer_append_text(body, "(");
    if (!low.there || low.at.negative) {
        bool negative = false;
        append_negative(&part, &low, &high, &negative);
        if (negative) {
            append_or(body, &any);
            base_buffer_append_text(body, "\"-\" (");
            base_buffer_append(body, part.data, part.size);
            base_buffer_append_text(body, ")");
        }
        low = (number_end){.there = true, .at = {.whole = "0"}};
    }
    if (!high.there || !high.at.negative) append_range(body, &low, &high, &any);
    if (!any) TRY(schema_fail(c, ONDOL_E_UNSUPPORTED, NULL, "no number lies within the bounds"));
    base_buffer_append_text(body, ")");
    TRY(schema_buffer(c, &part));
    status = schema_buffer(c, body);
done:
    base_buffer_destroy(&part);
    return status;
}
