/* Bounds of whole numbers -> GBNF over decimal digits. Without bounds the primitives serve. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "text/grammar/schema_internal.h"

#define DIGITS_MORE (SCHEMA_DIGITS - 1)

void schema_append_digit(base_buffer *b, char from, char to) {
    if (from == to) {
        base_buffer_append_format(b, "\"%c\"", from);
    } else {
        base_buffer_append_format(b, "[%c-%c]", from, to);
    }
}

static bool all(const char *digits, size_t n, char digit) {
    for (size_t i = 0; i < n; i++) {
        if (digits[i] != digit) return false;
    }
    return true;
}

static void append_any_digits(base_buffer *b, size_t n) {
    if (n == 1) base_buffer_append_text(b, " [0-9]");
    if (n > 1) base_buffer_append_format(b, " [0-9]{%zu}", n);
}

/* n digits from low to high. Recursion is as deep as the digits, 20 at most. */
static void append_same_length(base_buffer *b, const char *low, const char *high, size_t n) {
    if (n == 0) return;
    char first = low[0], last = high[0];
    if (first == last) {
        schema_append_digit(b, first, first);
        base_buffer_append_text(b, " ");
        append_same_length(b, low + 1, high + 1, n - 1);
        return;
    }
    const char *separator = "(";
    if (!all(low + 1, n - 1, '0')) {
        char nines[24];
        memset(nines, '9', n - 1);
        base_buffer_append_text(b, separator);
        schema_append_digit(b, first, first);
        base_buffer_append_text(b, " ");
        append_same_length(b, low + 1, nines, n - 1);
        separator = " | ";
        first++;
    }
    const bool top = !all(high + 1, n - 1, '9');
    if (top) last--;
    if (first <= last) {
        base_buffer_append_text(b, separator);
        schema_append_digit(b, first, last);
        append_any_digits(b, n - 1);
        separator = " | ";
    }
    if (top) {
        char zeros[24];
        memset(zeros, '0', n - 1);
        base_buffer_append_text(b, separator);
        schema_append_digit(b, high[0], high[0]);
        base_buffer_append_text(b, " ");
        append_same_length(b, zeros, high + 1, n - 1);
    }
    base_buffer_append_text(b, ")");
}

void schema_append_whole(base_buffer *b, uint64_t low, uint64_t high) {
    char from[24], to[24], end[24];
    const bool open = high == UINT64_MAX;
    snprintf(from, sizeof from, "%" PRIu64, low);
    snprintf(end, sizeof end, "%" PRIu64, high);
    const size_t n_low = strlen(from), n_high = open ? n_low : strlen(end);
    base_buffer_append_text(b, "(");
    for (size_t n = n_low; n <= n_high; n++) {
        if (n > n_low) {
            memset(from, '0', n);
            from[0] = '1';
            base_buffer_append_text(b, " | ");
        }
        memset(to, '9', n);
        append_same_length(b, from, n == n_high && !open ? end : to, n);
    }
    if (open && n_low < SCHEMA_DIGITS)
        base_buffer_append_format(b, " | [1-9] [0-9]{%zu,%u}", n_low, DIGITS_MORE);
    base_buffer_append_text(b, ")");
}

/* The bound as a whole number that it still allows. False: beyond every int64, to that side. */
static bool whole_bound(const json_t *bound, bool lower, bool exclusive, int64_t *out) {
    if (json_is_integer(bound)) {
        *out = json_integer_value(bound);
    } else {
        const double value = json_real_value(bound);
        const double rounded = lower ? ceil(value) : floor(value);
        if (rounded >= 0x1p63 || rounded < -0x1p63) return false;
        *out = (int64_t)rounded;
        if (rounded != value) exclusive = false;
    }
    if (!exclusive) return true;
    if (lower ? *out == INT64_MAX : *out == INT64_MIN) return false;
    *out += lower ? 1 : -1;
    return true;
}

/* The tighter of `key` and `exclusive_key`. */
static ondol_status read_bound(const schema_context *c, const json_t *flat, bool lower, bool *has,
                               int64_t *out) {
    const char *const keys[2] = {lower ? "minimum" : "maximum",
                                 lower ? "exclusiveMinimum" : "exclusiveMaximum"};
    *has = false;
    for (int i = 0; i < 2; i++) {
        const json_t *bound = json_object_get(flat, keys[i]);
        int64_t value = 0;
        if (!bound) continue;
        if (!whole_bound(bound, lower, i == 1, &value)) {
            const bool above = json_number_value(bound) > 0;
            if (above != lower) continue; /* no whole number meets it */
            return schema_fail(c, ONDOL_E_UNSUPPORTED, keys[i], "no whole number of 64 bits is so");
        }
        if (!*has || (lower ? value > *out : value < *out)) *out = value;
        *has = true;
    }
    return ONDOL_OK;
}

ondol_status schema_check_multiple(const schema_context *c, const json_t *flat, bool *whole) {
    const json_t *multiple = json_object_get(flat, "multipleOf");
    if (!multiple) return ONDOL_OK;
    *whole = json_is_number(multiple) && json_number_value(multiple) == 1;
    return *whole ? ONDOL_OK : schema_unsupported(c, "multipleOf");
}

/* -x of a negative x, as unsigned. */
static uint64_t magnitude(int64_t x) {
    return (uint64_t)(-(x + 1)) + 1;
}

ondol_status schema_integer(schema_context *c, const json_t *flat, base_buffer *body) {
    ondol_status status = ONDOL_OK;
    bool has_low = false, has_high = false, whole = false;
    int64_t low = 0, high = 0;
    const char *name = NULL;
    TRY(schema_check_multiple(c, flat, &whole));
    TRY(read_bound(c, flat, true, &has_low, &low));
    TRY(read_bound(c, flat, false, &has_high, &high));
    if (!has_low && !has_high) {
        TRY(schema_use(c, SCHEMA_INTEGER, &name));
        base_buffer_append_text(body, name);
        goto done;
    }
    if (has_low && has_high && low > high)
        TRY(schema_fail(c, ONDOL_E_UNSUPPORTED, "minimum", "no whole number lies within"));
    base_buffer_append_text(body, "(");
    if (!has_low || low < 0) {
        base_buffer_append_text(body, "\"-\" ");
        schema_append_whole(body, has_high && high < 0 ? magnitude(high) : 1,
                            has_low ? magnitude(low) : UINT64_MAX);
    }
    if (!has_high || high >= 0) {
        if (!has_low || low < 0) base_buffer_append_text(body, " | ");
        schema_append_whole(body, has_low && low > 0 ? (uint64_t)low : 0,
                            has_high ? (uint64_t)high : UINT64_MAX);
    }
    base_buffer_append_text(body, ")");
    status = schema_buffer(c, body);
done:
    return status;
}
