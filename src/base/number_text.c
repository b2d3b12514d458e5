/* Numbers to text. In: a float or double. Out: its shortest decimal text that reads back. */
#include "base/number_text.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLOAT_DIGITS  9 /* as many always read back */
#define DOUBLE_DIGITS 17

/* 0.d1d2d3... times 10^(exponent + 1) */
typedef struct decimal {
    char digits[DOUBLE_DIGITS + 1];
    int count, exponent;
} decimal;

static bool reads_back(const char *text, double v, bool is_float) {
    return is_float ? strtof(text, NULL) == (float)v : strtod(text, NULL) == v;
}

/* The fewest digits of v > 0 that read back; more always do as well. */
static decimal decimal_of(double v, bool is_float) {
    decimal d = {0};
    char text[BASE_NUMBER_TEXT_BYTES + 16];
    int low = 1, high = is_float ? FLOAT_DIGITS : DOUBLE_DIGITS;
    while (low < high) {
        const int middle = (low + high) / 2;
        snprintf(text, sizeof text, "%.*e", middle - 1, v);
        if (reads_back(text, v, is_float)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    snprintf(text, sizeof text, "%.*e", low - 1, v);
    const char *p = text;
    for (; *p && *p != 'e'; p++) /* the point may be any character */
        if (*p >= '0' && *p <= '9' && d.count < DOUBLE_DIGITS) d.digits[d.count++] = *p;
    while (d.count > 1 && d.digits[d.count - 1] == '0')
        d.count--;
    d.exponent = *p ? atoi(p + 1) : 0;
    return d;
}

static size_t write_scientific(char *out, const decimal *d) {
    size_t n = 0;
    out[n++] = d->digits[0];
    if (d->count > 1) out[n++] = '.';
    for (int i = 1; i < d->count; i++)
        out[n++] = d->digits[i];
    const int wrote =
        snprintf(out + n, 8, "e%c%02d", d->exponent < 0 ? '-' : '+', abs(d->exponent));
    return n + (wrote > 0 ? (size_t)wrote : 0);
}

static size_t write_fixed(char *out, const decimal *d) {
    size_t n = 0;
    for (int i = d->exponent; i < 0; i++) {
        out[n++] = '0';
        if (i == d->exponent) out[n++] = '.';
    }
    for (int i = 0; i < d->count; i++) {
        out[n++] = d->digits[i];
        if (i == d->exponent && i + 1 < d->count) out[n++] = '.';
    }
    return n;
}

static size_t write_number(char out[BASE_NUMBER_TEXT_BYTES], double v, bool is_float) {
    size_t n = 0;
    if (signbit(v)) out[n++] = '-';
    v = fabs(v);
    if (isnan(v) || isinf(v) || v == 0) {
        const char *word = isnan(v) ? "nan" : isinf(v) ? "inf" : "0";
        memcpy(out + n, word, strlen(word) + 1);
        return n + strlen(word);
    }
    const decimal d = decimal_of(v, is_float);
    const int point = d.count > 1, e = d.exponent;
    const int scientific = d.count + point + 2 + (abs(e) > 99 ? 3 : 2);
    const int fixed = e < 0 ? d.count + 1 - e : e + 1 >= d.count ? e + 1 : d.count + 1;
    if (fixed > scientific) {
        n += write_scientific(out + n, &d);
    } else if (e + 1 > d.count) { /* its own digits, not zeros, stand before the point */
        const int wrote = snprintf(out + n, BASE_NUMBER_TEXT_BYTES - n, "%.0f", v);
        n += wrote > 0 ? (size_t)wrote : 0;
    } else {
        n += write_fixed(out + n, &d);
    }
    out[n] = 0;
    return n;
}

size_t base_float_text(char out[BASE_NUMBER_TEXT_BYTES], float v) {
    return write_number(out, (double)v, true);
}

size_t base_double_text(char out[BASE_NUMBER_TEXT_BYTES], double v) {
    return write_number(out, v, false);
}
