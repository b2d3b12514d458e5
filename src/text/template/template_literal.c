/* Literals of the template language: the text of a string or number token -> its value. */
#include "text/template/template_literal.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "text/template/template_number.h"

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* \xHH, \uHHHH, \UHHHHHHHH behind the letter. */
static const char *read_hex(const char *text, size_t n, size_t *at, size_t digits, uint32_t *code) {
    *code = 0;
    for (size_t i = 0; i < digits; i++, ++*at) {
        int digit = *at < n ? hex_digit(text[*at]) : -1;
        if (digit < 0) return "a string has a \\x, \\u or \\U escape with too few hex digits";
        *code = *code << 4 | (uint32_t)digit;
    }
    if (*code > 0x10ffff) return "a string has an escape past U+10FFFF";
    if (*code >= 0xd800 && *code < 0xe000)
        return "a string has an escape of a surrogate, which is no character";
    return NULL;
}

/* A backslash before what is not ASCII: Python's decoder sees the two characters `\\` and then the
 * escaped form of the character as plain text. */
static size_t keep_foreign(const char *text, size_t n, size_t *at, char *out) {
    static const char digits[] = "0123456789abcdef";
    uint32_t code = 0;
    *at += template_text_next(text, n, *at, &code);
    unsigned width = code < 0x100 ? 2 : code < 0x10000 ? 4 : 8;
    size_t size = 0;
    out[size++] = '\\';
    out[size++] = width == 2 ? 'x' : width == 4 ? 'u' : 'U';
    for (unsigned i = width; i-- > 0;)
        out[size++] = digits[code >> (4 * i) & 15];
    return size;
}

static const char *read_escape(const char *text, size_t n, size_t *at, char *out, size_t *size) {
    static const char letters[] = "abfnrtv\\'\"", values[] = "\a\b\f\n\r\t\v\\'\"";
    char c = text[*at];
    const char *letter = strchr(letters, c);
    uint32_t code = 0;
    if ((unsigned char)c >= 0x80) {
        *size += keep_foreign(text, n, at, out + *size);
        return NULL;
    }
    ++*at;
    if (c == '\n') return NULL;
    if (letter && c) {
        out[(*size)++] = values[letter - letters];
        return NULL;
    }
    const char *fault = NULL;
    if (c == 'x' || c == 'u' || c == 'U') {
        fault = read_hex(text, n, at, c == 'x' ? 2 : c == 'u' ? 4 : 8, &code);
    } else if (c >= '0' && c <= '7') {
        code = (uint32_t)(c - '0');
        for (int i = 0; i < 2 && *at < n && text[*at] >= '0' && text[*at] <= '7'; i++)
            code = code << 3 | (uint32_t)(text[(*at)++] - '0');
    } else if (c == 'N') {
        fault = "a string has an escape \\N{...}, which is not supported";
    } else {
        out[(*size)++] = '\\';
        out[(*size)++] = c;
        return NULL;
    }
    if (!fault) *size += base_utf8_encode(code, (unsigned char *)out + *size);
    return fault;
}

const char *template_literal_string(const char *text, size_t n, char *out, size_t *size) {
    *size = 0;
    for (size_t at = 0; at < n;) {
        if (text[at] != '\\') {
            out[(*size)++] = text[at++];
            continue;
        }
        at++;
        if (at == n) return "a string ends in a lone backslash";
        const char *fault = read_escape(text, n, &at, out, size);
        if (fault) return fault;
    }
    return NULL;
}

const char *template_literal_integer(const char *text, size_t n, int64_t *out) {
    uint64_t value = 0, base = 10;
    size_t at = 0;
    if (n > 2 && text[0] == '0' && hex_digit(text[1] | 32) != 0 && text[1] != '_') {
        char c = (char)(text[1] | 32);
        base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 10;
        if (base != 10) at = 2;
    }
    for (; at < n; at++) {
        if (text[at] == '_') continue;
        uint64_t digit = (uint64_t)hex_digit(text[at]);
        if (value > ((uint64_t)INT64_MAX - digit) / base)
            return "an integer does not fit into 64 bits";
        value = value * base + digit;
    }
    *out = (int64_t)value;
    return NULL;
}

const char *template_literal_float(const char *text, size_t n, double *out) {
    if (n >= 400) return "a number has more than 400 characters";
    char plain[400];
    size_t size = 0;
    for (size_t i = 0; i < n; i++)
        if (text[i] != '_') plain[size++] = text[i];
    return template_number_parse(plain, size, out) ? NULL : "a number that cannot be read";
}
