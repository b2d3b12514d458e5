/* GBNF's smallest parts: blanks, names, numbers, characters; and where a fault lies. */
#include "text/grammar/grammar_lexer.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/utf8.h"

void grammar_position(grammar_lexer *l, size_t at, uint32_t *line, uint32_t *column) {
    if (l->known_line == 0 || at < l->known_at) {
        l->known_at = 0;
        l->known_line = l->known_column = 1;
    }
    for (; l->known_at < at && l->known_at < l->n; l->known_at++) {
        if (l->text[l->known_at] == '\n') {
            l->known_line++;
            l->known_column = 1;
        } else if (((unsigned char)l->text[l->known_at] & 0xc0) != 0x80) {
            l->known_column++;
        }
    }
    *line = l->known_line;
    *column = l->known_column;
}

ondol_status grammar_expected(grammar_lexer *l, const char *expected, ondol_error *err) {
    uint32_t line = 0, column = 0, code = 0;
    grammar_position(l, l->at, &line, &column);
    const size_t left = l->n - l->at;
    const size_t size = base_utf8_decode((const unsigned char *)l->text + l->at, left, &code);
    char got[40] = "the end";
    if (left > 0 && (code == '\n' || code == '\r')) {
        snprintf(got, sizeof got, "the end of the line");
    } else if (left > 0 && size > 0 && code >= 0x20) {
        snprintf(got, sizeof got, "'%.*s'", (int)size, l->text + l->at);
    } else if (left > 0) {
        snprintf(got, sizeof got, "byte 0x%02x", (unsigned char)l->text[l->at]);
    }
    return base_fail(err, ONDOL_E_FORMAT,
                     "grammar, line %" PRIu32 ", column %" PRIu32 ": expected %s, got %s", line,
                     column, expected, got);
}

void grammar_skip_space(grammar_lexer *l, bool newline_ok) {
    while (l->at < l->n) {
        const char c = l->text[l->at];
        if (c == '#') {
            while (l->at < l->n && l->text[l->at] != '\n' && l->text[l->at] != '\r')
                l->at++;
        } else if (c == ' ' || c == '\t' || (newline_ok && (c == '\n' || c == '\r'))) {
            l->at++;
        } else {
            return;
        }
    }
}

bool grammar_is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

size_t grammar_name_length(const grammar_lexer *l) {
    size_t n = 0;
    while (l->at + n < l->n && grammar_is_word(l->text[l->at + n]))
        n++;
    return n;
}

ondol_status grammar_read_number(grammar_lexer *l, uint32_t *out, ondol_error *err) {
    if (grammar_peek(l) < '0' || grammar_peek(l) > '9') {
        return grammar_expected(l, "a number", err);
    }
    uint64_t value = 0;
    for (; grammar_peek(l) >= '0' && grammar_peek(l) <= '9'; l->at++) {
        value = value * 10 + (uint64_t)(l->text[l->at] - '0');
        if (value >= GRAMMAR_NONE) {
            uint32_t line = 0, column = 0;
            grammar_position(l, l->at, &line, &column);
            return base_fail(err, ONDOL_E_LIMIT,
                             "grammar, line %" PRIu32 ", column %" PRIu32
                             ": a number over %" PRIu32,
                             line, column, GRAMMAR_NONE - 1);
        }
    }
    *out = (uint32_t)value;
    return ONDOL_OK;
}

static int hex_value(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static ondol_status read_hex(grammar_lexer *l, unsigned digits, uint32_t *code, ondol_error *err) {
    const size_t at = l->at;
    uint32_t value = 0;
    for (unsigned i = 0; i < digits; i++, l->at++) {
        const int digit = hex_value(grammar_peek(l));
        if (digit < 0) return grammar_expected(l, "a hexadecimal digit", err);
        value = value << 4 | (uint32_t)digit;
    }
    if (value > GRAMMAR_CODE_MAX) {
        l->at = at;
        return grammar_expected(l, "a code point up to 10FFFF", err);
    }
    *code = value;
    return ONDOL_OK;
}

ondol_status grammar_read_character(grammar_lexer *l, uint32_t *code, ondol_error *err) {
    if (grammar_peek(l) != '\\') {
        const unsigned char *p = (const unsigned char *)l->text + l->at;
        const size_t size = base_utf8_decode(p, l->n - l->at, code);
        if (size == 0) return grammar_expected(l, "a character of UTF-8", err);
        l->at += size;
        return ONDOL_OK;
    }
    l->at++;
    const char c = grammar_peek(l);
    switch (c) {
    case 'x': l->at++; return read_hex(l, 2, code, err);
    case 'u': l->at++; return read_hex(l, 4, code, err);
    case 'U': l->at++; return read_hex(l, 8, code, err);
    case 't': *code = '\t'; break;
    case 'r': *code = '\r'; break;
    case 'n': *code = '\n'; break;
    case '\\':
    case '"':
    case '[':
    case ']':
    case '-': *code = (uint32_t)c; break;
    default: return grammar_expected(l, "one of x u U t r n \\ \" [ ] - behind '\\'", err);
    }
    l->at++;
    return ONDOL_OK;
}
