/* Numbers to text and back. The C library does the exact conversion; its locale's decimal point is
 * replaced on the way in and out. */
#include "text/template/template_number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Whatever stands for the point becomes '.'. Returns the new size. */
static size_t plain_point(char *text, size_t n) {
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        bool known = is_digit(text[i]) || strchr("+-eEinfaINFA", text[i]);
        if (known)
            text[size++] = text[i];
        else if (size == 0 || text[size - 1] != '.')
            text[size++] = '.';
    }
    text[size] = 0;
    return size;
}

size_t template_number_format(double value, char conversion, int precision, bool alternate,
                              char *out, size_t out_bytes) {
    char format[] = {'%', '.', '*', conversion, 0, 0};
    if (alternate) memcpy(format, (char[]){'%', '#', '.', '*', conversion, 0}, 6);
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#endif
    int n = snprintf(out, out_bytes, format, precision, value);
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
    if (n < 0 || (size_t)n >= out_bytes) return 0;
    return plain_point(out, (size_t)n);
}

bool template_number_parse(const char *text, size_t n, double *out) {
    char copy[420], point[16];
    size_t size = 0, at = 0, digits = 0;
    if (n == 0 || n > 400) return false;
    int point_size = snprintf(point, sizeof point, "%.1f", 0.5) - 2; /* "0" point "5" */
    if (at < n && (text[at] == '+' || text[at] == '-')) copy[size++] = text[at++];
    static const char *const words[] = {"inf", "infinity", "nan"};
    for (size_t w = 0; w < 3; w++) {
        if (n - at != strlen(words[w])) continue;
        size_t same = 0;
        while (same < n - at && (text[at + same] | 32) == words[w][same])
            same++;
        if (same < n - at) continue;
        double value = w == 2 ? NAN : INFINITY;
        *out = at && text[0] == '-' ? -value : value;
        return true;
    }
    for (; at < n && is_digit(text[at]); digits++)
        copy[size++] = text[at++];
    if (at < n && text[at] == '.') {
        memcpy(copy + size, point + 1, (size_t)point_size);
        size += (size_t)point_size;
        for (at++; at < n && is_digit(text[at]); digits++)
            copy[size++] = text[at++];
    }
    if (digits == 0) return false;
    if (at < n && (text[at] == 'e' || text[at] == 'E')) {
        copy[size++] = text[at++];
        if (at < n && (text[at] == '+' || text[at] == '-')) copy[size++] = text[at++];
        if (at == n) return false;
        while (at < n && is_digit(text[at]))
            copy[size++] = text[at++];
        if (!is_digit(copy[size - 1])) return false;
    }
    copy[size] = 0;
    *out = strtod(copy, NULL);
    return at == n;
}

/* The fewest digits of |value| that read back the same, and the place of the point behind the
 * first: value = 0.d1d2... * 10^*exponent. */
static size_t shortest(double value, char digits[20], int *exponent) {
    for (int precision = 0; precision <= 16; precision++) {
        char text[64];
        int n = snprintf(text, sizeof text, "%.*e", precision, value);
        if (n < 0 || (precision < 16 && strtod(text, NULL) != value)) continue;
        size_t count = 0, at = 0;
        for (; text[at] && text[at] != 'e'; at++)
            if (is_digit(text[at])) digits[count++] = text[at];
        while (count > 1 && digits[count - 1] == '0')
            count--;
        *exponent = atoi(text + at + 1) + 1;
        return count;
    }
    return 0;
}

size_t template_number_repr(double value, char out[TEMPLATE_NUMBER_BYTES]) {
    if (isnan(value) || isinf(value)) {
        const char *name = isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
        memcpy(out, name, strlen(name) + 1);
        return strlen(out);
    }
    char digits[20];
    int point = 0;
    size_t size = 0, n = shortest(fabs(value), digits, &point);
    if (signbit(value)) out[size++] = '-';
    if (value == 0.0) point = 1;
    if (point > 16 || point < -3) {
        out[size++] = digits[0];
        if (n > 1) out[size++] = '.';
        for (size_t i = 1; i < n; i++)
            out[size++] = digits[i];
        int used = snprintf(out + size, TEMPLATE_NUMBER_BYTES - size, "e%c%02d",
                            point - 1 < 0 ? '-' : '+', abs(point - 1));
        return size + (size_t)used;
    }
    int i = point < 0 ? point : 0;
    if (point <= 0) {
        out[size++] = '0';
        out[size++] = '.';
        for (; i < 0; i++)
            out[size++] = '0';
        point = -1;
    }
    for (int d = 0; d < (int)n || d < point; d++) {
        if (d == point) out[size++] = '.';
        out[size++] = d < (int)n ? digits[d] : '0';
    }
    if (point >= (int)n) {
        out[size++] = '.';
        out[size++] = '0';
    }
    out[size] = 0;
    return size;
}

size_t template_number_digits(uint64_t value, unsigned base, bool upper, char *out) {
    const char *letters = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char reversed[64];
    size_t n = 0;
    do {
        reversed[n++] = letters[value % base];
        value /= base;
    } while (value);
    for (size_t i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    return n;
}

double template_number_round(double value, int64_t digits) {
    if (!isfinite(value) || digits > 323) return value;
    if (digits < -308) return copysign(0.0, value);
    if (digits < 0) {
        double unit = pow(10.0, (double)-digits);
        return nearbyint(value / unit) * unit;
    }
    char text[700];
    double rounded = value;
    size_t n = template_number_format(value, 'f', (int)digits, false, text, sizeof text);
    return n && n <= 400 && template_number_parse(text, n, &rounded) ? rounded : value;
}
