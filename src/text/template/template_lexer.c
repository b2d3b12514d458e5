/* First stage of compiling: source text -> tokens. Follows the rules of Jinja's lexer with
 * trim_blocks and lstrip_blocks on, among them the order in which it tries them. */
#include "text/template/template_lexer.h"

#include <stdio.h>
#include <string.h>

#include "text/template/template_text.h"

#define NESTING_MAX 256

typedef struct lexer {
    base_arena *arena;
    ondol_error *err;
    const char *source;
    size_t size, at;
    uint32_t line;
    template_token *tokens;
    size_t count, capacity;
    char open[NESTING_MAX]; /* brackets that wait for their end */
    size_t open_count;
} lexer;

static ondol_status fault(const lexer *l, const char *what) {
    return base_fail(l->err, ONDOL_E_FORMAT, "template line %u: %s", (unsigned)l->line, what);
}

static ondol_status add_token(lexer *l, template_token_kind kind, const char *text, size_t size) {
    if (l->count == l->capacity) {
        size_t capacity = l->capacity ? l->capacity * 2 : 64;
        template_token *tokens = base_arena_alloc(l->arena, capacity, sizeof *tokens);
        if (!tokens) return base_no_memory(l->err, "the template's tokens", capacity);
        if (l->count) memcpy(tokens, l->tokens, l->count * sizeof *tokens);
        l->tokens = tokens;
        l->capacity = capacity;
    }
    l->tokens[l->count++] =
        (template_token){.kind = kind, .line = l->line, .text = text, .size = size};
    return ONDOL_OK;
}

static void advance(lexer *l, size_t to) {
    for (; l->at < to; l->at++)
        if (l->source[l->at] == '\n') l->line++;
}

static bool starts(const lexer *l, size_t at, const char *text) {
    size_t n = strlen(text);
    return l->size - at >= n && memcmp(l->source + at, text, n) == 0;
}

static size_t after_space(const lexer *l, size_t at) {
    while (at < l->size) {
        uint32_t code = 0;
        size_t used = template_text_next(l->source, l->size, at, &code);
        if (!template_code_is_space(code)) break;
        at += used;
    }
    return at;
}

/* True, and *end behind it, when a tag's end (`%}`, `-%}`, `+%}`) stands at `at`. */
static bool tag_end(const lexer *l, size_t at, const char *close, bool plus, bool trim,
                    size_t *end) {
    if (at < l->size && l->source[at] == '-' && starts(l, at + 1, close)) {
        *end = after_space(l, at + 3);
        return true;
    }
    if (plus && at < l->size && l->source[at] == '+' && starts(l, at + 1, close)) {
        *end = at + 3;
        return true;
    }
    if (!starts(l, at, close)) return false;
    *end = at + 2;
    if (trim && *end < l->size && l->source[*end] == '\n') ++*end;
    return true;
}

static char sign_at(const lexer *l, size_t at) {
    char c = at < l->size ? l->source[at] : 0;
    return c == '-' || c == '+' ? c : 0;
}

/* The text [l->at, end) before a tag, stripped as the tag's sign and lstrip_blocks ask. */
static ondol_status add_text(lexer *l, size_t end, char sign, bool is_block) {
    size_t begin = l->at, kept = end;
    if (sign == '-') {
        kept = begin + template_text_strip_right(l->source + begin, end - begin);
    } else if (sign != '+' && is_block) {
        size_t line_begin = end;
        while (line_begin > begin && l->source[line_begin - 1] != '\n')
            line_begin--;
        bool at_line_begin = line_begin == 0 || l->source[line_begin - 1] == '\n';
        if (at_line_begin && after_space(l, line_begin) >= end) kept = line_begin;
    }
    ondol_status status = ONDOL_OK;
    if (kept > begin) status = add_token(l, TOKEN_TEXT, l->source + begin, kept - begin);
    advance(l, end);
    return status;
}

/* True when `{% raw %}` stands at `at`; *end is behind it. */
static bool raw_begin(const lexer *l, size_t at, size_t *end) {
    size_t p = at + 2 + (sign_at(l, at + 2) != 0);
    p = after_space(l, p);
    if (!starts(l, p, "raw")) return false;
    p = after_space(l, p + 3);
    return tag_end(l, p, "%}", false, false, end);
}

static ondol_status lex_raw(lexer *l) {
    for (size_t at = l->at; at < l->size; at++) {
        if (!starts(l, at, "{%")) continue;
        size_t p = after_space(l, at + 2 + (sign_at(l, at + 2) != 0)), end = 0;
        if (!starts(l, p, "endraw")) continue;
        p = after_space(l, p + 6);
        if (!tag_end(l, p, "%}", true, true, &end)) continue;
        ondol_status status = add_text(l, at, sign_at(l, at + 2), true);
        advance(l, end);
        return status;
    }
    return fault(l, "`raw` without its `endraw`");
}

static ondol_status lex_comment(lexer *l) {
    if (l->at == l->size) return ONDOL_OK; /* as Jinja, which looks no further */
    for (size_t at = l->at; at < l->size; at++) {
        size_t end = 0;
        if (!tag_end(l, at, "#}", true, true, &end)) continue;
        advance(l, end);
        return ONDOL_OK;
    }
    return fault(l, "comment without its `#}`");
}

static size_t digits_end(const lexer *l, size_t at, const char *allowed) {
    while (at < l->size) {
        size_t p = at + (l->source[at] == '_');
        if (p >= l->size || !l->source[p] || !strchr(allowed, l->source[p])) break;
        at = p + 1;
    }
    return at;
}

static bool is_digit(const lexer *l, size_t at) {
    return at < l->size && l->source[at] >= '0' && l->source[at] <= '9';
}

/* End of the float at `at`, or `at` when there is none. */
static size_t float_end(const lexer *l, size_t at) {
    if (at > 0 && l->source[at - 1] == '.') return at;
    size_t whole = digits_end(l, at, "0123456789"), end = whole;
    if (end < l->size && l->source[end] == '.' && is_digit(l, end + 1))
        end = digits_end(l, end + 1, "0123456789");
    if (end < l->size && (l->source[end] == 'e' || l->source[end] == 'E')) {
        size_t p = end + 1 + (sign_at(l, end + 1) != 0);
        if (is_digit(l, p)) end = digits_end(l, p, "0123456789");
    }
    return end > whole ? end : at;
}

static size_t integer_end(const lexer *l, size_t at) {
    if (l->source[at] != '0') return digits_end(l, at, "0123456789");
    char c = at + 1 < l->size ? l->source[at + 1] : 0;
    const char *allowed = c == 'b' || c == 'B'   ? "01"
                          : c == 'o' || c == 'O' ? "01234567"
                          : c == 'x' || c == 'X' ? "0123456789abcdefABCDEF"
                                                 : NULL;
    if (allowed) {
        size_t end = digits_end(l, at + 2, allowed);
        if (end > at + 2) return end;
    }
    return digits_end(l, at + 1, "0");
}

static size_t name_end(const lexer *l, size_t at) {
    while (at < l->size) {
        uint32_t code = 0;
        size_t used = template_text_next(l->source, l->size, at, &code);
        if (!template_code_is_word(code)) break;
        at += used;
    }
    return at;
}

static ondol_status lex_string(lexer *l) {
    char quote = l->source[l->at];
    for (size_t at = l->at + 1; at < l->size; at++) {
        if (l->source[at] == '\\') {
            at++;
        } else if (l->source[at] == quote) {
            ondol_status status = add_token(l, TOKEN_STRING, l->source + l->at + 1, at - l->at - 1);
            advance(l, at + 1);
            return status;
        }
    }
    return fault(l, "a string without its closing quote");
}

static ondol_status balance(lexer *l, char c) {
    if (c == '(' || c == '[' || c == '{') {
        if (l->open_count == NESTING_MAX) {
            return base_fail(l->err, ONDOL_E_LIMIT,
                             "template line %u: brackets nested deeper than %d", (unsigned)l->line,
                             NESTING_MAX);
        }
        l->open[l->open_count++] = c;
    } else if (c == ')' || c == ']' || c == '}') {
        char want = c == ')' ? '(' : c == ']' ? '[' : '{';
        if (l->open_count == 0 || l->open[--l->open_count] != want) {
            char text[64];
            snprintf(text, sizeof text, "a '%c' that closes nothing", c);
            return fault(l, text);
        }
    }
    return ONDOL_OK;
}

static ondol_status lex_operator(lexer *l) {
    static const char *const pairs[] = {"//", "**", "==", "!=", ">=", "<="};
    size_t n = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs && n == 0; i++)
        if (starts(l, l->at, pairs[i])) n = 2;
    char c = l->source[l->at];
    if (n == 0 && c && strchr("+-/*%~[](){}><=.:|,;", c)) n = 1;
    if (n == 0) {
        char text[64];
        bool plain = c > 0x20 && c < 0x7f;
        snprintf(text, sizeof text, plain ? "unexpected character '%c'" : "unexpected character",
                 c);
        return fault(l, text);
    }
    ondol_status status = n == 1 ? balance(l, c) : ONDOL_OK;
    if (status != ONDOL_OK) return status;
    status = add_token(l, TOKEN_OPERATOR, l->source + l->at, n);
    l->at += n;
    return status;
}

/* One token within a tag; the tag's own end is not looked for. */
static ondol_status lex_token(lexer *l) {
    char c = l->source[l->at];
    if (c == '"' || c == '\'') return lex_string(l);
    template_token_kind kind = TOKEN_NAME;
    size_t end = l->at;
    if (is_digit(l, l->at)) {
        end = float_end(l, l->at);
        kind = end > l->at ? TOKEN_FLOAT : TOKEN_INTEGER;
        if (end == l->at) end = integer_end(l, l->at);
    } else {
        end = name_end(l, l->at);
        if (end == l->at) return lex_operator(l);
        uint32_t first = 0;
        template_text_next(l->source, l->size, l->at, &first);
        if (!template_code_is_alpha(first) && first != '_')
            return fault(l, "a name that starts with no letter");
    }
    ondol_status status = add_token(l, kind, l->source + l->at, end - l->at);
    l->at = end;
    return status;
}

static ondol_status lex_tag(lexer *l, const char *close, template_token_kind end_kind) {
    bool is_block = end_kind == TOKEN_BLOCK_END;
    ondol_status status = ONDOL_OK;
    l->open_count = 0;
    while (status == ONDOL_OK) {
        advance(l, after_space(l, l->at));
        if (l->at >= l->size) {
            return fault(l, is_block ? "the template ends within a `{%` tag"
                                     : "the template ends within a `{{` tag");
        }
        size_t end = 0;
        if (l->open_count == 0 && tag_end(l, l->at, close, is_block, is_block, &end)) {
            status = add_token(l, end_kind, l->source + l->at, end - l->at);
            advance(l, end);
            return status;
        }
        status = lex_token(l);
    }
    return status;
}

static size_t next_tag(const lexer *l) {
    size_t at = l->at;
    while (at + 1 < l->size) {
        const char *p = memchr(l->source + at, '{', l->size - 1 - at);
        if (!p) break;
        at = (size_t)(p - l->source);
        if (p[1] == '{' || p[1] == '%' || p[1] == '#') return at;
        at++;
    }
    return l->size;
}

static ondol_status lex_next(lexer *l) {
    size_t tag = next_tag(l), raw_end = 0;
    if (tag >= l->size) return add_text(l, l->size, '+', false);
    char type = l->source[tag + 1];
    char sign = sign_at(l, tag + 2);
    ondol_status status = add_text(l, tag, sign, type != '{');
    if (status != ONDOL_OK) return status;
    if (type == '%' && raw_begin(l, tag, &raw_end)) {
        advance(l, raw_end);
        return lex_raw(l);
    }
    if (type != '#') {
        status =
            add_token(l, type == '{' ? TOKEN_OUTPUT_BEGIN : TOKEN_BLOCK_BEGIN, l->source + tag, 2);
        if (status != ONDOL_OK) return status;
    }
    l->at = tag + 2 + (sign != 0);
    if (type == '#') return lex_comment(l);
    return type == '{' ? lex_tag(l, "}}", TOKEN_OUTPUT_END) : lex_tag(l, "%}", TOKEN_BLOCK_END);
}

ondol_status template_lex(base_arena *arena, const char *source, size_t n, template_token **tokens,
                          size_t *count, ondol_error *err) {
    lexer l = {.arena = arena, .err = err, .source = source, .size = n, .line = 1};
    ondol_status status = ONDOL_OK;
    while (l.at < l.size && status == ONDOL_OK)
        status = lex_next(&l);
    if (status == ONDOL_OK) status = add_token(&l, TOKEN_END, source + n, 0);
    *tokens = l.tokens;
    *count = l.count;
    return status;
}

bool template_token_is(const template_token *token, template_token_kind kind, const char *text) {
    return token->kind == kind && token->size == strlen(text) &&
           memcmp(token->text, text, token->size) == 0;
}

void template_token_describe(const template_token *token, char *out, size_t out_bytes) {
    static const char *const names[] = {
        [TOKEN_END] = "the end of the template",
        [TOKEN_TEXT] = "text",
        [TOKEN_OUTPUT_BEGIN] = "'{{'",
        [TOKEN_OUTPUT_END] = "'}}'",
        [TOKEN_BLOCK_BEGIN] = "'{%'",
        [TOKEN_BLOCK_END] = "'%}'",
    };
    if (token->kind <= TOKEN_BLOCK_END) {
        snprintf(out, out_bytes, "%s", names[token->kind]);
    } else {
        int n = token->size < 60 ? (int)token->size : 60;
        snprintf(out, out_bytes, token->kind == TOKEN_STRING ? "the string '%.*s'" : "'%.*s'", n,
                 token->text);
    }
}
