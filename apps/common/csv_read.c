/* .csv files. In: text. Out: numbers of an element type, or strings, in rows of one length. */
#include "common/csv_read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_float(ondol_element e) {
    return e == ONDOL_ELEMENT_FLOAT32 || e == ONDOL_ELEMENT_FLOAT64;
}

static void append_integer(ondol_element e, long long value, text_buffer *out) {
    const unsigned bytes = ondol_element_bits(e) / 8;
    char b[8];
    for (unsigned i = 0; i < bytes; i++)
        b[i] = (char)((unsigned long long)value >> 8 * i & 0xff);
    text_append(out, b, bytes);
}

/* One field as an element. False: it is no such number. */
static bool append_field(npy_array *out, const char *field, size_t size) {
    char text[64], *end = NULL;
    if (out->element == ONDOL_ELEMENT_STRING) {
        text_append(&out->data, field, size);
        out->text_ends = memory_resize(out->text_ends, (out->elements + 1) * sizeof(uint64_t));
        out->text_ends[out->elements] = out->data.size;
        return true;
    }
    while (size && (*field == ' ' || *field == '\t')) {
        field++;
        size--;
    }
    while (size && (field[size - 1] == ' ' || field[size - 1] == '\t'))
        size--;
    if (size == 0 || size >= sizeof text) return false;
    memcpy(text, field, size);
    text[size] = 0;
    errno = 0;
    if (is_float(out->element)) {
        const double value = strtod(text, &end);
        const float narrow = (float)value;
        if (out->element == ONDOL_ELEMENT_FLOAT32)
            text_append(&out->data, (const char *)&narrow, sizeof narrow);
        else
            text_append(&out->data, (const char *)&value, sizeof value);
    } else {
        append_integer(out->element, strtoll(text, &end, 10), &out->data);
    }
    return *end == 0 && errno != ERANGE;
}

/* The field at `at`: quoted ones may hold commas, line ends and doubled quotes. */
static const char *take_field(const char *at, const char *end, text_buffer *field) {
    text_clear(field);
    if (at < end && *at == '"') {
        for (at++; at < end; at++) {
            if (*at == '"' && (at + 1 == end || at[1] != '"')) return at + 1;
            if (*at == '"') at++;
            text_append(field, at, 1);
        }
        return at;
    }
    while (at < end && *at != ',' && *at != '\n' && *at != '\r')
        text_append(field, at++, 1);
    return at;
}

bool csv_parse(const char *bytes, size_t size, ondol_element element, npy_array *out, char *why,
               size_t n) {
    const char *at = bytes, *end = bytes + size;
    text_buffer field = {0};
    int64_t row = 0, columns = -1;
    bool fine = true;
    *out = (npy_array){.element = element, .rank = 2};
    if (element != ONDOL_ELEMENT_STRING && !is_float(element) &&
        (ondol_element_bits(element) < 8 || ondol_element_bits(element) > 64 ||
         element == ONDOL_ELEMENT_FLOAT16 || element == ONDOL_ELEMENT_BFLOAT16 ||
         element == ONDOL_ELEMENT_COMPLEX64 || element >= ONDOL_ELEMENT_FLOAT8E4M3FN)) {
        snprintf(why, n, "a .csv cannot hold elements of type %s: give a .npy",
                 ondol_element_name(element));
        return false;
    }
    while (at < end && fine) {
        int64_t column = 0;
        for (;;) {
            at = take_field(at, end, &field);
            fine = fine && append_field(out, field.bytes ? field.bytes : "", field.size);
            out->elements++;
            column++;
            if (at >= end || *at != ',' || !fine) break;
            at++;
        }
        row++;
        if (!fine) {
            snprintf(why, n, "line %lld, field %lld: '%s' is no %s", (long long)row,
                     (long long)column, field.bytes ? field.bytes : "",
                     ondol_element_name(element));
        } else if (columns >= 0 && column != columns) {
            snprintf(why, n, "line %lld has %lld fields, the first has %lld", (long long)row,
                     (long long)column, (long long)columns);
            fine = false;
        }
        if (columns < 0) columns = column;
        while (at < end && (*at == '\r' || *at == '\n'))
            at++;
    }
    out->dims[0] = row;
    out->dims[1] = columns < 0 ? 0 : columns;
    text_free(&field);
    return fine;
}
