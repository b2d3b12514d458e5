/* Reading GBNF: where the parser stands, and the smallest parts of the language. */
#ifndef TEXT_GRAMMAR_LEXER_H
#define TEXT_GRAMMAR_LEXER_H

#include "text/grammar/grammar_internal.h"

/* text[at] is the next byte. Thread class: one thread at a time. */
typedef struct grammar_lexer {
    const char *text;
    size_t n, at;
    size_t known_at; /* a place whose line and column are known; line 0: none yet */
    uint32_t known_line, known_column;
} grammar_lexer;

/* The next byte, 0 at the end. */
static inline char grammar_peek(const grammar_lexer *l) {
    return l->at < l->n ? l->text[l->at] : 0;
}

/* Line and column (in characters) of the byte at `at`, from 1. Cheap for places that
 * ascend from call to call. */
void grammar_position(grammar_lexer *l, size_t at, uint32_t *line, uint32_t *column);

/* FORMAT: "grammar, line L, column C: expected ..., got ...". */
ondol_status grammar_expected(grammar_lexer *l, const char *expected, ondol_error *err);

/* Skips blanks and comments, and line breaks when newline_ok. */
void grammar_skip_space(grammar_lexer *l, bool newline_ok);

/* Bytes of the name that starts here, 0 for none. */
size_t grammar_name_length(const grammar_lexer *l);

/* A decimal number up to GRAMMAR_NONE - 1. Errors: FORMAT, LIMIT. */
ondol_status grammar_read_number(grammar_lexer *l, uint32_t *out, ondol_error *err);

/* One character of a literal or class, escaped or plain. Errors: FORMAT. */
ondol_status grammar_read_character(grammar_lexer *l, uint32_t *code, ondol_error *err);

#endif
