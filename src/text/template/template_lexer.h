/* Template source -> tokens, white space control applied. */
#ifndef TEMPLATE_LEXER_H
#define TEMPLATE_LEXER_H

#include "text/template/template_value.h"

typedef enum template_token_kind {
    TOKEN_END,
    TOKEN_TEXT,
    TOKEN_OUTPUT_BEGIN,
    TOKEN_OUTPUT_END,
    TOKEN_BLOCK_BEGIN,
    TOKEN_BLOCK_END,
    TOKEN_NAME,
    TOKEN_STRING, /* text without quotes, escapes not yet read */
    TOKEN_INTEGER,
    TOKEN_FLOAT,
    TOKEN_OPERATOR /* text is the operator */
} template_token_kind;

typedef struct template_token {
    template_token_kind kind;
    uint32_t line;
    const char *text; /* view of the source */
    size_t size;
} template_token;

/* Tokens of source[0..n), whose line ends are '\n', ended by TOKEN_END; in `arena`.
 * Errors: FORMAT with the line, MEMORY. */
ondol_status template_lex(base_arena *arena, const char *source, size_t n, template_token **tokens,
                          size_t *count, ondol_error *err);

/* True when the token is that name or operator. */
bool template_token_is(const template_token *token, template_token_kind kind, const char *text);

/* What a sentence calls it. */
void template_token_describe(const template_token *token, char *out, size_t out_bytes);

#endif
