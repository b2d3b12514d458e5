/* Numbers and text. In: one. Out: the other. */
#include "device/ref/ops/ref_cast_text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number_text.h"
#include "tensor/number.h"

/* The digits of a shortest text, without point, and where the point belongs. */
typedef struct digits {
    char text[40];
    int count, point; /* value = 0.text * 10^point */
} digits;

static digits take_digits(const char *shortest) {
    digits d = {.point = 0};
    const char *p = shortest;
    int behind = 0;
    for (; *p && *p != 'e'; p++) {
        if (*p == '.') {
            behind = 1;
        } else if (*p >= '0' && *p <= '9') {
            if (d.count || *p != '0') {
                if (d.count < 39) d.text[d.count++] = *p;
                if (!behind) d.point++;
            } else if (behind) {
                d.point--;
            }
        }
    }
    if (*p == 'e') d.point += atoi(p + 1);
    while (d.count > 1 && d.text[d.count - 1] == '0')
        d.count--;
    d.text[d.count] = 0;
    return d;
}

/* As numpy: scientific below 1e-4 and from 1e16 on. */
static void write_digits(const digits *d, char *out, size_t size) {
    const int exponent = d->point - 1;
    if (!d->count) {
        snprintf(out, size, "0.0");
    } else if (exponent < -4 || exponent >= 16) {
        snprintf(out, size, "%.1s%s%se%c%02d", d->text, d->count > 1 ? "." : "", d->text + 1,
                 exponent < 0 ? '-' : '+', abs(exponent));
    } else if (d->point <= 0) {
        snprintf(out, size, "0.%.*s%s", -d->point, "0000", d->text);
    } else if (d->count <= d->point) {
        snprintf(out, size, "%s%.*s.0", d->text, d->point - d->count, "0000000000000000");
    } else {
        snprintf(out, size, "%.*s.%s", d->point, d->text, d->text + d->point);
    }
}

/* The shortest of a short float is what no neighbour rounds to as well. */
static void shortest_text(tensor_element e, double v, char out[BASE_NUMBER_TEXT_BYTES]) {
    if (e == TENSOR_ELEMENT_F64) {
        base_double_text(out, v);
        return;
    }
    if (e == TENSOR_ELEMENT_F32) {
        base_float_text(out, (float)v);
        return;
    }
    for (int n = 1; n <= 17; n++) {
        snprintf(out, BASE_NUMBER_TEXT_BYTES, "%.*e", n - 1, v);
        const double back = strtod(out, NULL);
        if (tensor_float_encode(e, back, TENSOR_OVERFLOW_SPECIAL) ==
            tensor_float_encode(e, v, TENSOR_OVERFLOW_SPECIAL)) {
            return;
        }
    }
}

static void float_text(tensor_element e, double v, char *out, size_t size) {
    char shortest[BASE_NUMBER_TEXT_BYTES];
    if (isnan(v) || isinf(v)) {
        snprintf(out, size, "%s", isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
        return;
    }
    shortest_text(e, fabs(v), shortest);
    const digits d = take_digits(shortest);
    if (signbit(v)) *out++ = '-', size--;
    write_digits(&d, out, size);
}

ondol_status ref_number_to_text(tensor_element e, const void *data, uint64_t i, tensor_value *y,
                                ondol_error *err) {
    char text[96] = "";
    switch (tensor_element_kind_of(e)) {
    case TENSOR_KIND_BOOL:
        snprintf(text, sizeof text, "%s", tensor_get_integer(e, data, i) ? "True" : "False");
        break;
    case TENSOR_KIND_SIGNED:
        snprintf(text, sizeof text, "%" PRId64, tensor_get_integer(e, data, i));
        break;
    case TENSOR_KIND_UNSIGNED:
        snprintf(text, sizeof text, "%" PRIu64, (uint64_t)tensor_get_integer(e, data, i));
        break;
    case TENSOR_KIND_FLOAT: float_text(e, tensor_get_number(e, data, i), text, sizeof text); break;
    default: break;
    }
    return tensor_value_set_string(y, i, text, strlen(text), err);
}

#define NUMBER_TEXT 64

/* The text without blanks around it, ended by a 0; false when it is empty or too long. */
static bool trim(const tensor_string *s, char out[NUMBER_TEXT]) {
    size_t first = 0, end = s->size_bytes;
    while (first < end && strchr(" \t\r\n", s->text[first]) && s->text[first])
        first++;
    while (end > first && strchr(" \t\r\n", s->text[end - 1]) && s->text[end - 1])
        end--;
    if (end == first || end - first >= NUMBER_TEXT) return false;
    memcpy(out, s->text + first, end - first);
    out[end - first] = 0;
    return strlen(out) == end - first;
}

bool ref_text_to_number(const tensor_string *s, double *out) {
    char text[NUMBER_TEXT], *end = NULL;
    if (!trim(s, text) || strpbrk(text, "xX(")) return false; /* hexadecimal, nan(...) */
    *out = strtod(text, &end);
    return *end == 0;
}

bool ref_text_to_integer(const tensor_string *s, int64_t *out) {
    char text[NUMBER_TEXT];
    uint64_t value = 0;
    if (!trim(s, text)) return false;
    const bool negative = text[0] == '-';
    const char *p = text + (text[0] == '-' || text[0] == '+');
    if (!*p) return false;
    for (; *p; p++) {
        if (*p < '0' || *p > '9' || value > (UINT64_MAX - 9) / 10) return false;
        value = value * 10 + (uint64_t)(*p - '0');
    }
    *out = (int64_t)(negative ? 0 - value : value);
    return true;
}
