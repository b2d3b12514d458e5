/* Second stage of compiling: statements. In: tokens. Out: the tree of a template. */
#include "text/template/template_parser.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

ondol_status template_parser_fail(template_parser *p, uint32_t line, ondol_status status,
                                  const char *format, ...) {
    char text[300];
    va_list args;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0) text[0] = 0;
    va_end(args);
    return base_fail(p->err, status, "template line %u: %s", (unsigned)line, text);
}

ondol_status template_parser_expected(template_parser *p, const char *what) {
    char got[100];
    template_token_describe(p->at, got, sizeof got);
    return template_parser_fail(p, p->at->line, ONDOL_E_FORMAT, "expected %s, got %s", what, got);
}

ondol_status template_parser_no_memory(template_parser *p) {
    return base_no_memory(p->err, "the compiled template", p->tmpl->arena.total_bytes);
}

bool template_parser_is(const template_parser *p, template_token_kind kind, const char *text) {
    return template_token_is(p->at, kind, text);
}

bool template_parser_skip(template_parser *p, template_token_kind kind, const char *text) {
    if (!template_token_is(p->at, kind, text)) return false;
    p->at++;
    return true;
}

ondol_status template_parser_take(template_parser *p, template_token_kind kind, const char *text) {
    if (template_parser_skip(p, kind, text)) return ONDOL_OK;
    char what[64];
    snprintf(what, sizeof what, "'%s'", text);
    return template_parser_expected(p, what);
}

ondol_status template_parser_node(template_parser *p, template_node_kind kind, uint32_t line,
                                  template_node **out) {
    template_node *node = base_arena_alloc(&p->tmpl->arena, 1, sizeof *node);
    if (!node) return template_parser_no_memory(p);
    node->kind = (uint8_t)kind;
    node->line = line;
    node->height = 1;
    *out = node;
    return ONDOL_OK;
}

ondol_status template_parser_adopt(template_parser *p, template_node *node,
                                   const template_node *child) {
    if (!child || child->height < node->height) return ONDOL_OK;
    if (child->height >= TEMPLATE_HEIGHT_MAX) {
        return template_parser_fail(p, node->line, ONDOL_E_LIMIT, "nested deeper than %d levels",
                                    TEMPLATE_HEIGHT_MAX);
    }
    node->height = (uint16_t)(child->height + 1);
    return ONDOL_OK;
}

ondol_status template_parser_add(template_parser *p, template_node *node, template_nodes *list,
                                 template_node *child) {
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity ? list->capacity * 2 : 4;
        template_node **at = base_arena_alloc(&p->tmpl->arena, capacity, sizeof *at);
        if (!at) return template_parser_no_memory(p);
        if (list->count) memcpy(at, list->at, list->count * sizeof *at);
        list->at = at;
        list->capacity = capacity;
    }
    list->at[list->count++] = child;
    return node ? template_parser_adopt(p, node, child) : ONDOL_OK;
}

ondol_status template_parser_text(template_parser *p, const char *bytes, size_t n,
                                  const template_string **out) {
    template_string *string = base_arena_alloc(&p->tmpl->arena, 1, sizeof *string);
    if (!string) return template_parser_no_memory(p);
    *string = (template_string){.bytes = bytes, .size = n};
    template_string_finish(string);
    *out = string;
    return ONDOL_OK;
}

ondol_status template_parser_name(template_parser *p, const char *bytes, size_t n, uint32_t *out) {
    text_template *tmpl = p->tmpl;
    if (base_map_get(&p->name_ids, bytes, n, out)) return ONDOL_OK;
    if (tmpl->name_count == p->name_capacity) {
        uint32_t capacity = p->name_capacity ? p->name_capacity * 2 : 32;
        const template_string **names = base_arena_alloc(&tmpl->arena, capacity, sizeof *names);
        if (!names) return template_parser_no_memory(p);
        if (tmpl->name_count) memcpy(names, tmpl->names, tmpl->name_count * sizeof *names);
        tmpl->names = names;
        p->name_capacity = capacity;
    }
    const template_string *text = NULL;
    ondol_status status = template_parser_text(p, bytes, n, &text);
    if (status != ONDOL_OK) return status;
    if (!base_map_add(&p->name_ids, bytes, n, tmpl->name_count, NULL, NULL))
        return template_parser_no_memory(p);
    tmpl->names[tmpl->name_count] = text;
    *out = tmpl->name_count++;
    return ONDOL_OK;
}

static bool is_name(const template_parser *p, const char *text) {
    return template_parser_is(p, TOKEN_NAME, text);
}

static ondol_status take_block_end(template_parser *p) {
    if (p->at->kind != TOKEN_BLOCK_END) return template_parser_expected(p, "'%}'");
    p->at++;
    return ONDOL_OK;
}

static ondol_status parse_statement(template_parser *p, template_node *parent,
                                    template_nodes *body);

/* `ends`: names that end the body, divided by blanks; NULL: the end of the template. */
static bool at_end_name(const template_parser *p, const char *ends) {
    if (!ends || p->at->kind != TOKEN_BLOCK_BEGIN || p->at[1].kind != TOKEN_NAME) return false;
    const template_token *name = p->at + 1;
    for (const char *end = ends; *end;) {
        size_t n = strcspn(end, " ");
        if (n == name->size && memcmp(end, name->text, n) == 0) return true;
        end += n + (end[n] == ' ');
    }
    return false;
}

static ondol_status parse_output(template_parser *p, template_node *parent, template_nodes *body) {
    template_node *node = NULL, *value = NULL;
    ondol_status status = template_parser_node(p, NODE_OUTPUT, p->at->line, &node);
    TRY(status);
    p->at++; /* {{ */
    TRY(template_parse_tuple(p, true, NULL, &value));
    if (p->at->kind != TOKEN_OUTPUT_END) return template_parser_expected(p, "'}}'");
    p->at++;
    TRY(template_parser_add(p, node, &node->items, value));
    TRY(template_parser_add(p, parent, body, node));
done:
    return status;
}

static ondol_status parse_piece(template_parser *p, template_node *parent, template_nodes *body) {
    template_node *node = NULL;
    ondol_status status = ONDOL_OK;
    if (p->at->kind == TOKEN_OUTPUT_BEGIN) return parse_output(p, parent, body);
    if (p->at->kind == TOKEN_BLOCK_BEGIN) {
        p->at++;
        TRY(parse_statement(p, parent, body));
        return take_block_end(p);
    }
    TRY(template_parser_node(p, NODE_TEXT, p->at->line, &node));
    TRY(template_parser_text(p, p->at->text, p->at->size, &node->text));
    TRY(template_parser_add(p, parent, body, node));
    p->at++;
done:
    return status;
}

/* Stops at the name of the ending tag, its '{%' behind it. */
static ondol_status parse_body(template_parser *p, const char *ends, template_node *parent,
                               template_nodes *body) {
    ondol_status status = ONDOL_OK;
    if (p->depth >= TEMPLATE_HEIGHT_MAX) {
        return template_parser_fail(p, p->at->line, ONDOL_E_LIMIT,
                                    "blocks are nested deeper than %d", TEMPLATE_HEIGHT_MAX);
    }
    p->depth++;
    while (!at_end_name(p, ends)) {
        if (p->at->kind == TOKEN_END && !ends) goto done;
        if (p->at->kind == TOKEN_END) {
            TRY(template_parser_fail(p, parent->line, ONDOL_E_FORMAT,
                                     "a block that begins here lacks its end (one of: %s)", ends));
        }
        TRY(parse_piece(p, parent, body));
    }
    p->at++;
done:
    p->depth--;
    return status;
}

/* A body, and the name that ends it. */
static ondol_status parse_block(template_parser *p, const char *end, template_node *node) {
    ondol_status status = take_block_end(p);
    TRY(status);
    TRY(parse_body(p, end, node, &node->items));
    p->at++;
done:
    return status;
}

static ondol_status parse_if(template_parser *p, template_node *node) {
    template_node *branch = NULL;
    ondol_status status = ONDOL_OK;
    bool is_else = false;
    node->kind = NODE_IF;
    do {
        TRY(template_parser_node(p, NODE_BRANCH, p->at->line, &branch));
        if (!is_else) TRY(template_parse_tuple(p, false, NULL, &branch->a));
        TRY(template_parser_adopt(p, branch, branch->a));
        TRY(take_block_end(p));
        TRY(parse_body(p, is_else ? "endif" : "elif else endif", branch, &branch->items));
        TRY(template_parser_add(p, node, &node->items, branch));
        is_else = is_name(p, "else");
        p->at++;
    } while (!template_token_is(p->at - 1, TOKEN_NAME, "endif"));
done:
    return status;
}

static ondol_status parse_for(template_parser *p, template_node *node) {
    ondol_status status = template_parse_target(p, "in", false, &node->a);
    TRY(status);
    node->kind = NODE_FOR;
    TRY(template_parser_take(p, TOKEN_NAME, "in"));
    TRY(template_parse_tuple(p, false, "recursive", &node->b));
    if (template_parser_skip(p, TOKEN_NAME, "if"))
        TRY(template_parse_expression(p, true, &node->c));
    node->operation = template_parser_skip(p, TOKEN_NAME, "recursive");
    TRY(template_parser_adopt(p, node, node->a));
    TRY(template_parser_adopt(p, node, node->b));
    TRY(template_parser_adopt(p, node, node->c));
    TRY(take_block_end(p));
    TRY(parse_body(p, "else endfor", node, &node->items));
    if (is_name(p, "else")) {
        p->at++;
        TRY(take_block_end(p));
        TRY(parse_body(p, "endfor", node, &node->more));
    }
    p->at++;
done:
    return status;
}

static ondol_status parse_filters(template_parser *p, template_node **chain) {
    ondol_status status = ONDOL_OK;
    while (status == ONDOL_OK && template_parser_skip(p, TOKEN_OPERATOR, "|"))
        status = template_parse_filter(p, *chain, chain);
    return status;
}

static ondol_status parse_set(template_parser *p, template_node *node) {
    ondol_status status = template_parse_target(p, NULL, true, &node->a);
    TRY(status);
    TRY(template_parser_adopt(p, node, node->a));
    node->kind = NODE_SET;
    if (template_parser_skip(p, TOKEN_OPERATOR, "=")) {
        TRY(template_parse_tuple(p, true, NULL, &node->b));
        return template_parser_adopt(p, node, node->b);
    }
    node->kind = NODE_SET_BLOCK;
    TRY(parse_filters(p, &node->b));
    TRY(template_parser_adopt(p, node, node->b));
    TRY(parse_block(p, "endset", node));
done:
    return status;
}

static ondol_status parse_signature(template_parser *p, template_node *node) {
    template_node *parameter = NULL;
    bool defaults = false;
    ondol_status status = template_parser_take(p, TOKEN_OPERATOR, "(");
    TRY(status);
    while (!template_parser_is(p, TOKEN_OPERATOR, ")")) {
        if (node->more.count) TRY(template_parser_take(p, TOKEN_OPERATOR, ","));
        if (p->at->kind != TOKEN_NAME) return template_parser_expected(p, "a parameter's name");
        TRY(template_parser_node(p, NODE_PARAMETER, p->at->line, &parameter));
        TRY(template_parser_name(p, p->at->text, p->at->size, &parameter->name));
        p->at++;
        if (template_parser_skip(p, TOKEN_OPERATOR, "=")) {
            defaults = true;
            TRY(template_parse_expression(p, true, &parameter->a));
            TRY(template_parser_adopt(p, parameter, parameter->a));
        } else if (defaults) {
            return template_parser_fail(p, parameter->line, ONDOL_E_FORMAT,
                                        "a parameter without default behind one with a default");
        }
        TRY(template_parser_add(p, node, &node->more, parameter));
    }
    TRY(template_parser_take(p, TOKEN_OPERATOR, ")"));
done:
    return status;
}

static ondol_status parse_macro(template_parser *p, template_node *node) {
    node->kind = NODE_MACRO;
    if (p->at->kind != TOKEN_NAME) return template_parser_expected(p, "the macro's name");
    ondol_status status = template_parser_name(p, p->at->text, p->at->size, &node->name);
    TRY(status);
    p->at++;
    TRY(parse_signature(p, node));
    TRY(parse_block(p, "endmacro", node));
done:
    return status;
}

static ondol_status parse_call_block(template_parser *p, template_node *node) {
    ondol_status status = ONDOL_OK;
    node->kind = NODE_CALL_BLOCK;
    node->name = TEMPLATE_NAME_CALLER;
    if (template_parser_is(p, TOKEN_OPERATOR, "(")) TRY(parse_signature(p, node));
    TRY(template_parse_expression(p, true, &node->a));
    if (node->a->kind != NODE_CALL)
        return template_parser_fail(p, node->line, ONDOL_E_FORMAT, "expected a call behind `call`");
    TRY(template_parser_adopt(p, node, node->a));
    TRY(parse_block(p, "endcall", node));
done:
    return status;
}

static ondol_status parse_filter_block(template_parser *p, template_node *node) {
    node->kind = NODE_FILTER_BLOCK;
    ondol_status status = template_parse_filter(p, NULL, &node->a);
    TRY(status);
    TRY(parse_filters(p, &node->a));
    TRY(template_parser_adopt(p, node, node->a));
    TRY(parse_block(p, "endfilter", node));
done:
    return status;
}

static ondol_status parse_with(template_parser *p, template_node *node) {
    template_node *set = NULL;
    ondol_status status = ONDOL_OK;
    node->kind = NODE_SCOPE;
    while (p->at->kind != TOKEN_BLOCK_END) {
        if (node->more.count) TRY(template_parser_take(p, TOKEN_OPERATOR, ","));
        TRY(template_parser_node(p, NODE_SET, p->at->line, &set));
        TRY(template_parse_target(p, NULL, false, &set->a));
        TRY(template_parser_take(p, TOKEN_OPERATOR, "="));
        TRY(template_parse_expression(p, true, &set->b));
        TRY(template_parser_adopt(p, set, set->b));
        TRY(template_parser_add(p, node, &node->more, set));
    }
    TRY(parse_block(p, "endwith", node));
done:
    return status;
}

static ondol_status parse_generation(template_parser *p, template_node *node) {
    node->kind = NODE_SCOPE;
    return parse_block(p, "endgeneration", node);
}

static ondol_status parse_print(template_parser *p, template_node *node) {
    template_node *value = NULL;
    ondol_status status = ONDOL_OK;
    node->kind = NODE_OUTPUT;
    while (p->at->kind != TOKEN_BLOCK_END) {
        if (node->items.count) TRY(template_parser_take(p, TOKEN_OPERATOR, ","));
        TRY(template_parse_expression(p, true, &value));
        TRY(template_parser_add(p, node, &node->items, value));
    }
done:
    return status;
}

static ondol_status parse_break(template_parser *p, template_node *node) {
    (void)p;
    node->kind = NODE_BREAK;
    return ONDOL_OK;
}

static ondol_status parse_continue(template_parser *p, template_node *node) {
    (void)p;
    node->kind = NODE_CONTINUE;
    return ONDOL_OK;
}

static ondol_status refuse(template_parser *p, template_node *node) {
    const template_token *name = p->at - 1;
    return template_parser_fail(p, node->line, ONDOL_E_UNSUPPORTED,
                                "the tag '%.*s' is not supported: a chat template is one text",
                                (int)name->size, name->text);
}

typedef struct statement {
    const char *name;
    ondol_status (*parse)(template_parser *p, template_node *node);
} statement;

static const statement statements[] = {
    {"if", parse_if},
    {"for", parse_for},
    {"set", parse_set},
    {"macro", parse_macro},
    {"call", parse_call_block},
    {"filter", parse_filter_block},
    {"with", parse_with},
    {"generation", parse_generation},
    {"print", parse_print},
    {"break", parse_break},
    {"continue", parse_continue},
    {"include", refuse},
    {"import", refuse},
    {"from", refuse},
    {"extends", refuse},
    {"block", refuse},
    {"autoescape", refuse},
};

static ondol_status parse_statement(template_parser *p, template_node *parent,
                                    template_nodes *body) {
    template_node *node = NULL;
    ondol_status status = ONDOL_OK;
    if (p->at->kind != TOKEN_NAME) return template_parser_expected(p, "the name of a tag");
    for (size_t i = 0; i < sizeof statements / sizeof *statements; i++) {
        if (!is_name(p, statements[i].name)) continue;
        TRY(template_parser_node(p, NODE_TEXT, p->at->line, &node));
        p->at++;
        TRY(statements[i].parse(p, node));
        return template_parser_add(p, parent, body, node);
    }
    status = template_parser_expected(p, "a tag that Jinja has, of a block that is open");
done:
    return status;
}

ondol_status template_parse(template_parser *p) {
    static const char *const fixed[] = {"loop", "caller", "kwargs", "varargs"};
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < TEMPLATE_NAME_FIXED_COUNT; i++) {
        uint32_t id = 0;
        TRY(template_parser_name(p, fixed[i], strlen(fixed[i]), &id));
    }
    TRY(parse_body(p, NULL, NULL, &p->tmpl->body));
done:
    return status;
}
