/* GBNF -> a tree for each rule. Groups are kept on a stack of our own, so that nesting costs no
 * recursion. Follows llama.cpp's reading of blanks and line breaks. */
#include <inttypes.h>
#include <string.h>

#include "text/grammar/grammar_lexer.h"

/* An open group, or the rule itself. */
typedef struct open_group {
    uint32_t choices, n_choices; /* alternatives that are complete, the last one first */
    uint32_t items, n_items;     /* of the sequence being read, the last one first */
    uint32_t choice_depth, item_depth;
} open_group;

typedef struct parser {
    grammar_lexer lexer;
    grammar_source *source;
    ondol_error *err;
    open_group groups[GRAMMAR_NESTING_MAX + 1];
    size_t n_groups;
    grammar_code_range *ranges;
    size_t n_ranges, range_capacity;
} parser;

static ondol_status limit(parser *p, const char *what) {
    uint32_t line = 0, column = 0;
    grammar_position(&p->lexer, p->lexer.at, &line, &column);
    return base_fail(p->err, ONDOL_E_LIMIT, "grammar, line %" PRIu32 ", column %" PRIu32 ": %s",
                     line, column, what);
}

static ondol_status no_memory(const parser *p, uint64_t size) {
    return base_no_memory(p->err, "a grammar", size);
}

static ondol_status new_node(parser *p, grammar_ast_kind kind, uint32_t value, uint32_t depth,
                             uint32_t *out) {
    grammar_source *s = p->source;
    if (s->n_ast >= 2 * (size_t)GRAMMAR_NODES_MAX) return limit(p, "the grammar is too large");
    if (depth > 3 * GRAMMAR_NESTING_MAX) return limit(p, "nested too deep");
    grammar_ast *ast =
        grammar_grow(s->allocator, s->ast, &s->ast_capacity, s->n_ast + 1, sizeof *ast);
    if (!ast) return no_memory(p, s->n_ast * sizeof *ast);
    s->ast = ast;
    *out = (uint32_t)s->n_ast++;
    ast[*out] = (grammar_ast){(uint16_t)kind, (uint16_t)depth, value, GRAMMAR_NONE, 0, 0};
    return ONDOL_OK;
}

/* Puts an item before the chain of the sequence being read. */
static void add_item(parser *p, uint32_t item) {
    open_group *g = &p->groups[p->n_groups - 1];
    grammar_ast *node = &p->source->ast[item];
    node->sibling = g->items;
    g->items = item;
    g->n_items++;
    if (node->depth > g->item_depth) g->item_depth = node->depth;
}

static ondol_status add_leaf(parser *p, grammar_ast_kind kind, uint32_t value) {
    uint32_t item = 0;
    const ondol_status status = new_node(p, kind, value, 1, &item);
    if (status == ONDOL_OK) add_item(p, item);
    return status;
}

static ondol_status open(parser *p) {
    if (p->n_groups > GRAMMAR_NESTING_MAX) return limit(p, "groups nested over 200 deep");
    p->groups[p->n_groups++] = (open_group){GRAMMAR_NONE, 0, GRAMMAR_NONE, 0, 0, 0};
    return ONDOL_OK;
}

/* The sequence read so far becomes one more alternative. */
static ondol_status end_alternative(parser *p) {
    open_group *g = &p->groups[p->n_groups - 1];
    uint32_t sequence = g->items;
    ondol_status status = ONDOL_OK;
    if (g->n_items != 1) {
        TRY(new_node(p, GRAMMAR_AST_SEQUENCE, g->items, g->item_depth + 1, &sequence));
    }
    grammar_ast *node = &p->source->ast[sequence];
    node->sibling = g->choices;
    g->choices = sequence;
    g->n_choices++;
    if (node->depth > g->choice_depth) g->choice_depth = node->depth;
    g->items = GRAMMAR_NONE;
    g->n_items = 0;
    g->item_depth = 0;
done:
    return status;
}

/* Ends the innermost group: *out is what it holds. */
static ondol_status close_group(parser *p, uint32_t *out) {
    ondol_status status = ONDOL_OK;
    TRY(end_alternative(p));
    const open_group *g = &p->groups[p->n_groups - 1];
    *out = g->choices;
    if (g->n_choices > 1) {
        TRY(new_node(p, GRAMMAR_AST_CHOICE, g->choices, g->choice_depth + 1, out));
    }
    p->n_groups--;
done:
    return status;
}

static ondol_status add_range(parser *p, uint32_t low, uint32_t high) {
    grammar_code_range *ranges = grammar_grow(p->source->allocator, p->ranges, &p->range_capacity,
                                              p->n_ranges + 1, sizeof *ranges);
    if (!ranges) return no_memory(p, p->n_ranges * sizeof *ranges);
    p->ranges = ranges;
    ranges[p->n_ranges++] = (grammar_code_range){low, high};
    return ONDOL_OK;
}

/* p->ranges as an item; `at` is where the set stands. */
static ondol_status add_set(parser *p, size_t at, bool negated) {
    uint32_t start = 0;
    if (!grammar_set_add(p->source->set_builder, p->ranges, p->n_ranges, negated, &start))
        return no_memory(p, p->n_ranges * sizeof *p->ranges);
    if (start == GRAMMAR_NONE) {
        p->lexer.at = at;
        return grammar_expected(&p->lexer, "a set with at least one character", p->err);
    }
    return add_leaf(p, GRAMMAR_AST_SET, start);
}

/* A literal is one item: in a group of its own, so that `"ab"*` repeats both. */
static ondol_status parse_literal(parser *p) {
    ondol_status status = ONDOL_OK;
    grammar_lexer *l = &p->lexer;
    uint32_t item = 0;
    TRY(open(p));
    l->at++;
    while (grammar_peek(l) != '"') {
        const size_t at = l->at;
        uint32_t code = 0;
        if (at >= l->n) TRY(grammar_expected(l, "'\"' at the end of the literal", p->err));
        TRY(grammar_read_character(l, &code, p->err));
        p->n_ranges = 0;
        TRY(add_range(p, code, code));
        TRY(add_set(p, at, false));
    }
    l->at++;
    TRY(close_group(p, &item));
    add_item(p, item);
done:
    return status;
}

static ondol_status parse_class(parser *p) {
    ondol_status status = ONDOL_OK;
    grammar_lexer *l = &p->lexer;
    const size_t start = l->at++;
    bool negated = false;
    if (grammar_peek(l) == '^') {
        negated = true;
        l->at++;
    }
    p->n_ranges = 0;
    while (grammar_peek(l) != ']') {
        const size_t at = l->at;
        uint32_t low = 0, high = 0;
        if (at >= l->n) TRY(grammar_expected(l, "']' at the end of the class", p->err));
        TRY(grammar_read_character(l, &low, p->err));
        high = low;
        if (grammar_peek(l) == '-' && l->at + 1 < l->n && l->text[l->at + 1] != ']') {
            l->at++;
            TRY(grammar_read_character(l, &high, p->err));
        }
        if (high < low) {
            l->at = at;
            TRY(grammar_expected(l, "a range whose end is not below its start", p->err));
        }
        TRY(add_range(p, low, high));
    }
    l->at++;
    if (p->n_ranges == 0) {
        l->at = start;
        TRY(grammar_expected(l, "a class with at least one character", p->err));
    }
    TRY(add_set(p, start, negated));
done:
    return status;
}

static ondol_status parse_any(parser *p) {
    const size_t at = p->lexer.at++;
    p->n_ranges = 0;
    const ondol_status status = add_range(p, 0, GRAMMAR_CODE_MAX);
    return status == ONDOL_OK ? add_set(p, at, false) : status;
}

static ondol_status read_token_ref(parser *p, grammar_token_ref *ref) {
    grammar_lexer *l = &p->lexer;
    const size_t at = l->at;
    grammar_position(l, at, &ref->line, &ref->column);
    if (grammar_peek(l) != '<') return grammar_expected(l, "'<' behind '!'", p->err);
    l->at++;
    if (grammar_peek(l) == '[') {
        l->at++;
        const ondol_status status = grammar_read_number(l, &ref->id, p->err);
        if (status != ONDOL_OK) return status;
        if (grammar_peek(l) != ']') return grammar_expected(l, "']' behind the token", p->err);
        l->at++;
        if (grammar_peek(l) != '>') return grammar_expected(l, "'>' behind the token", p->err);
        l->at++;
        return ONDOL_OK;
    }
    while (grammar_peek(l) != '>') {
        if (l->at >= l->n || l->text[l->at] == '\n' || l->text[l->at] == '\r')
            return grammar_expected(l, "'>' behind the token", p->err);
        l->at++;
    }
    l->at++;
    ref->text_bytes = l->at - at;
    ref->text = base_strndup(p->source->allocator, l->text + at, ref->text_bytes);
    return ref->text ? ONDOL_OK : no_memory(p, ref->text_bytes);
}

static ondol_status parse_token(parser *p) {
    ondol_status status = ONDOL_OK;
    text_grammar *g = p->source->grammar;
    grammar_token_ref ref = {0};
    const bool negated = grammar_peek(&p->lexer) == '!';
    if (negated) p->lexer.at++;
    grammar_token_ref *tokens =
        grammar_grow(g->allocator, g->tokens, &g->token_capacity, g->n_tokens + 1, sizeof *tokens);
    if (!tokens) return no_memory(p, sizeof ref);
    g->tokens = tokens;
    TRY(read_token_ref(p, &ref));
    tokens[g->n_tokens++] = ref;
    TRY(add_leaf(p, negated ? GRAMMAR_AST_TOKEN_NOT : GRAMMAR_AST_TOKEN,
                 (uint32_t)g->n_tokens - 1));
done:
    return status;
}

/* The number of the rule named here; its name is passed over. */
static ondol_status read_rule(parser *p, uint32_t *rule) {
    grammar_source *s = p->source;
    grammar_lexer *l = &p->lexer;
    const size_t n = grammar_name_length(l);
    const char *name = l->text + l->at;
    if (n == 0) return grammar_expected(l, "the name of a rule", p->err);
    if (!base_map_get(&s->rule_ids, name, n, rule)) {
        if (s->n_rules >= GRAMMAR_NODES_MAX) return limit(p, "the grammar has too many rules");
        grammar_rule *rules =
            grammar_grow(s->allocator, s->rules, &s->rule_capacity, s->n_rules + 1, sizeof *rules);
        if (!rules) return no_memory(p, s->n_rules * sizeof *rules);
        s->rules = rules;
        *rule = (uint32_t)s->n_rules;
        grammar_rule *r = &rules[*rule];
        *r = (grammar_rule){name, n, GRAMMAR_NONE, 0, 0};
        grammar_position(l, l->at, &r->line, &r->column);
        if (!base_map_put(&s->rule_ids, name, n, *rule)) return no_memory(p, n);
        s->n_rules++;
    }
    l->at += n;
    return ONDOL_OK;
}

static ondol_status read_counts(parser *p, uint32_t *min, uint32_t *max) {
    ondol_status status = ONDOL_OK;
    grammar_lexer *l = &p->lexer;
    const bool nested = p->n_groups > 1;
    const size_t at = l->at++;
    grammar_skip_space(l, nested);
    TRY(grammar_read_number(l, min, p->err));
    grammar_skip_space(l, nested);
    *max = *min;
    if (grammar_peek(l) == ',') {
        l->at++;
        grammar_skip_space(l, nested);
        *max = GRAMMAR_NONE;
        if (grammar_peek(l) != '}') TRY(grammar_read_number(l, max, p->err));
        grammar_skip_space(l, nested);
        if (grammar_peek(l) != '}') TRY(grammar_expected(l, "'}'", p->err));
    } else if (grammar_peek(l) != '}') {
        TRY(grammar_expected(l, "',' or '}'", p->err));
    }
    l->at++;
    if (*max < *min) {
        l->at = at;
        TRY(grammar_expected(l, "a pair {m,n} with m <= n", p->err));
    }
done:
    return status;
}

/* Wraps the last item in place: its node becomes the REPEAT, its content moves to a new one. */
static ondol_status parse_repeat(parser *p) {
    ondol_status status = ONDOL_OK;
    grammar_lexer *l = &p->lexer;
    open_group *g = &p->groups[p->n_groups - 1];
    uint32_t min = 0, max = GRAMMAR_NONE, child = 0;
    const char c = grammar_peek(l);
    if (g->n_items == 0) {
        TRY(grammar_expected(l, "something to repeat before * + ? {", p->err));
    }
    if (c == '{') {
        TRY(read_counts(p, &min, &max));
    } else {
        if (c == '+') min = 1;
        if (c == '?') max = 1;
        l->at++;
    }
    const uint32_t item = g->items;
    const uint32_t depth = p->source->ast[item].depth + 1u;
    TRY(new_node(p, GRAMMAR_AST_SEQUENCE, 0, depth, &child));
    grammar_ast *ast = p->source->ast;
    ast[child] = ast[item];
    ast[child].sibling = GRAMMAR_NONE;
    ast[item] =
        (grammar_ast){GRAMMAR_AST_REPEAT, (uint16_t)depth, child, ast[item].sibling, min, max};
    if (depth > g->item_depth) g->item_depth = depth;
done:
    return status;
}

static ondol_status parse_close(parser *p) {
    ondol_status status = ONDOL_OK;
    uint32_t item = 0;
    p->lexer.at++;
    TRY(close_group(p, &item));
    add_item(p, item);
done:
    return status;
}

/* One part of a rule's right side. *end: what stands here is none. */
static ondol_status parse_part(parser *p, bool *end) {
    ondol_status status = ONDOL_OK;
    grammar_lexer *l = &p->lexer;
    const char c = grammar_peek(l);
    bool newline_ok = false;
    uint32_t rule = 0;
    if (c == '"') {
        TRY(parse_literal(p));
    } else if (c == '[') {
        TRY(parse_class(p));
    } else if (c == '.') {
        TRY(parse_any(p));
    } else if (c == '<' || c == '!') {
        TRY(parse_token(p));
    } else if (grammar_is_word(c)) {
        TRY(read_rule(p, &rule));
        TRY(add_leaf(p, GRAMMAR_AST_RULE, rule));
    } else if (c == '*' || c == '+' || c == '?' || c == '{') {
        TRY(parse_repeat(p));
    } else if (c == '(') {
        TRY(open(p));
        l->at++;
    } else if (c == ')' && p->n_groups > 1) {
        TRY(parse_close(p));
    } else if (c == '|') {
        TRY(end_alternative(p));
        l->at++;
        newline_ok = true;
    } else {
        *end = true;
        goto done;
    }
    grammar_skip_space(l, newline_ok || p->n_groups > 1);
done:
    return status;
}

static ondol_status parse_rule(parser *p) {
    ondol_status status = ONDOL_OK;
    grammar_source *s = p->source;
    grammar_lexer *l = &p->lexer;
    uint32_t rule = 0, body = 0, line = 0, column = 0;
    bool end = false;
    grammar_position(l, l->at, &line, &column);
    TRY(read_rule(p, &rule));
    const grammar_rule *r = &s->rules[rule];
    if (r->body != GRAMMAR_NONE) {
        TRY(base_fail(p->err, ONDOL_E_FORMAT,
                      "grammar, line %" PRIu32 ": rule '%.*s' is defined twice, first in line "
                      "%" PRIu32,
                      line, (int)(r->name_bytes < 100 ? r->name_bytes : 100), r->name, r->line));
    }
    s->rules[rule].line = line;
    s->rules[rule].column = column;
    grammar_skip_space(l, false);
    if (l->n - l->at < 3 || memcmp(l->text + l->at, "::=", 3) != 0) {
        TRY(grammar_expected(l, "'::='", p->err));
    }
    l->at += 3;
    grammar_skip_space(l, true);
    p->n_groups = 0;
    TRY(open(p));
    while (!end)
        TRY(parse_part(p, &end));
    if (p->n_groups > 1) TRY(grammar_expected(l, "')' or more of the group", p->err));
    TRY(close_group(p, &body));
    s->rules[rule].body = body;
    if (l->at < l->n && grammar_peek(l) != '\n' && grammar_peek(l) != '\r') {
        TRY(grammar_expected(l, "more of the rule or a line break", p->err));
    }
    grammar_skip_space(l, true);
done:
    return status;
}

static ondol_status check_defined(const parser *p) {
    const grammar_source *s = p->source;
    for (size_t i = 0; i < s->n_rules; i++) {
        const grammar_rule *r = &s->rules[i];
        if (r->body != GRAMMAR_NONE) continue;
        return base_fail(
            p->err, ONDOL_E_FORMAT,
            "grammar, line %" PRIu32 ", column %" PRIu32 ": rule '%.*s' is not defined", r->line,
            r->column, (int)(r->name_bytes < 100 ? r->name_bytes : 100), r->name);
    }
    return ONDOL_OK;
}

ondol_status grammar_parse(grammar_source *s, const char *source, size_t n, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    if (n > GRAMMAR_SOURCE_MAX) {
        return base_fail(err, ONDOL_E_LIMIT, "grammar: %zu bytes, at most %u", n,
                         GRAMMAR_SOURCE_MAX);
    }
    parser *p = base_calloc(s->allocator, 1, sizeof *p);
    if (!p) return base_no_memory(err, "a grammar's parser", sizeof *p);
    p->lexer = (grammar_lexer){source, n, 0, 0, 0, 0};
    p->source = s;
    p->err = err;
    grammar_skip_space(&p->lexer, true);
    while (p->lexer.at < n)
        TRY(parse_rule(p));
    TRY(check_defined(p));
done:
    base_free(s->allocator, p->ranges);
    base_free(s->allocator, p);
    return status;
}
