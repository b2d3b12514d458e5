/* Second stage of compiling: expressions, from the loosest to the tightest operator. */
#include <string.h>

#include "text/template/template_literal.h"
#include "text/template/template_parser.h"

static ondol_status parse_unary(template_parser *p, bool with_filter, template_node **out);
static ondol_status parse_or(template_parser *p, template_node **out);
static ondol_status parse_primary(template_parser *p, bool with_namespace, template_node **out);
static ondol_status parse_postfix(template_parser *p, template_node **node);

static bool is_operator(const template_parser *p, const char *text) {
    return template_parser_is(p, TOKEN_OPERATOR, text);
}

static bool skip_operator(template_parser *p, const char *text) {
    return template_parser_skip(p, TOKEN_OPERATOR, text);
}

static bool skip_name(template_parser *p, const char *text) {
    return template_parser_skip(p, TOKEN_NAME, text);
}

static ondol_status take_operator(template_parser *p, const char *text) {
    return template_parser_take(p, TOKEN_OPERATOR, text);
}

/* A node over one to three children. */
static ondol_status make(template_parser *p, template_node_kind kind, uint32_t line,
                         template_node *a, template_node *b, template_node *c,
                         template_node **out) {
    template_node *node = NULL;
    ondol_status status = template_parser_node(p, kind, line, &node);
    TRY(status);
    node->a = a;
    node->b = b;
    node->c = c;
    TRY(template_parser_adopt(p, node, a));
    TRY(template_parser_adopt(p, node, b));
    TRY(template_parser_adopt(p, node, c));
    *out = node;
done:
    return status;
}

ondol_status template_parse_expression(template_parser *p, bool with_condition,
                                       template_node **out) {
    uint32_t line = p->at->line;
    ondol_status status = ONDOL_OK;
    if (p->depth >= TEMPLATE_HEIGHT_MAX) {
        return template_parser_fail(p, line, ONDOL_E_LIMIT,
                                    "an expression is nested deeper than %d", TEMPLATE_HEIGHT_MAX);
    }
    p->depth++;
    TRY(parse_or(p, out));
    while (with_condition && skip_name(p, "if")) {
        template_node *test = NULL, *otherwise = NULL;
        TRY(parse_or(p, &test));
        if (skip_name(p, "else")) TRY(template_parse_expression(p, true, &otherwise));
        TRY(make(p, NODE_CONDITION, line, *out, test, otherwise, out));
    }
done:
    p->depth--;
    return status;
}

static ondol_status parse_binary(template_parser *p, unsigned level, template_node **out);

static ondol_status parse_concat(template_parser *p, template_node **out) {
    uint32_t line = p->at->line;
    template_node *node = NULL, *part = NULL;
    ondol_status status = parse_binary(p, 1, out);
    TRY(status);
    while (skip_operator(p, "~")) {
        if (!node) {
            TRY(template_parser_node(p, NODE_CONCAT, line, &node));
            TRY(template_parser_add(p, node, &node->items, *out));
            *out = node;
        }
        TRY(parse_binary(p, 1, &part));
        TRY(template_parser_add(p, node, &node->items, part));
    }
done:
    return status;
}

typedef struct binary_operator {
    const char *text;
    template_operation operation;
    unsigned level;
} binary_operator;

static const binary_operator binary_operators[] = {
    {"+", OPERATION_ADD, 0},    {"-", OPERATION_SUBTRACT, 0},      {"*", OPERATION_MULTIPLY, 1},
    {"/", OPERATION_DIVIDE, 1}, {"//", OPERATION_FLOOR_DIVIDE, 1}, {"%", OPERATION_MODULO, 1},
    {"**", OPERATION_POWER, 2},
};

/* level 0: + -, over ~ over level 1: * / // %, over level 2: **; all lean left, as in Jinja. */
static ondol_status parse_binary(template_parser *p, unsigned level, template_node **out) {
    uint32_t line = p->at->line;
    ondol_status status = level == 0   ? parse_concat(p, out)
                          : level == 1 ? parse_binary(p, 2, out)
                                       : parse_unary(p, true, out);
    TRY(status);
    for (size_t i = 0; i < sizeof binary_operators / sizeof *binary_operators;) {
        const binary_operator *op = &binary_operators[i++];
        if (op->level != level || !skip_operator(p, op->text)) continue;
        template_node *right = NULL;
        TRY(level == 0   ? parse_concat(p, &right)
            : level == 1 ? parse_binary(p, 2, &right)
                         : parse_unary(p, true, &right));
        TRY(make(p, NODE_BINARY, line, *out, right, NULL, out));
        (*out)->operation = (uint8_t)op->operation;
        line = p->at->line;
        i = 0;
    }
done:
    return status;
}

static bool take_comparison(template_parser *p, template_operation *operation) {
    static const binary_operator comparisons[] = {
        {"==", OPERATION_EQUAL, 0},      {"!=", OPERATION_NOT_EQUAL, 0},
        {"<=", OPERATION_LESS_EQUAL, 0}, {">=", OPERATION_GREATER_EQUAL, 0},
        {"<", OPERATION_LESS, 0},        {">", OPERATION_GREATER, 0},
    };
    for (size_t i = 0; i < sizeof comparisons / sizeof *comparisons; i++) {
        if (!skip_operator(p, comparisons[i].text)) continue;
        *operation = comparisons[i].operation;
        return true;
    }
    *operation = OPERATION_IN;
    if (skip_name(p, "in")) return true;
    if (!template_parser_is(p, TOKEN_NAME, "not") ||
        !template_token_is(p->at + 1, TOKEN_NAME, "in"))
        return false;
    p->at += 2;
    *operation = OPERATION_NOT_IN;
    return true;
}

static ondol_status parse_compare(template_parser *p, template_node **out) {
    uint32_t line = p->at->line;
    template_node *node = NULL, *operand = NULL, *right = NULL;
    template_operation operation = OPERATION_EQUAL;
    ondol_status status = parse_binary(p, 0, out);
    TRY(status);
    while (take_comparison(p, &operation)) {
        if (!node) {
            TRY(make(p, NODE_COMPARE, line, *out, NULL, NULL, &node));
            *out = node;
        }
        TRY(parse_binary(p, 0, &right));
        TRY(make(p, NODE_OPERAND, line, right, NULL, NULL, &operand));
        operand->operation = (uint8_t)operation;
        TRY(template_parser_add(p, node, &node->items, operand));
    }
done:
    return status;
}

static ondol_status parse_not(template_parser *p, template_node **out) {
    uint32_t line = p->at->line, count = 0;
    while (template_parser_is(p, TOKEN_NAME, "not")) {
        p->at++;
        count++;
    }
    ondol_status status = parse_compare(p, out);
    for (uint32_t i = 0; i < count && status == ONDOL_OK; i++)
        status = make(p, NODE_NOT, line, *out, NULL, NULL, out);
    return status;
}

static ondol_status parse_and(template_parser *p, template_node **out) {
    uint32_t line = p->at->line;
    template_node *node = NULL, *right = NULL;
    ondol_status status = parse_not(p, out);
    TRY(status);
    while (skip_name(p, "and")) {
        if (!node) {
            TRY(template_parser_node(p, NODE_AND, line, &node));
            TRY(template_parser_add(p, node, &node->items, *out));
            *out = node;
        }
        TRY(parse_not(p, &right));
        TRY(template_parser_add(p, node, &node->items, right));
    }
done:
    return status;
}

static ondol_status parse_or(template_parser *p, template_node **out) {
    uint32_t line = p->at->line;
    template_node *node = NULL, *right = NULL;
    ondol_status status = parse_and(p, out);
    TRY(status);
    while (skip_name(p, "or")) {
        if (!node) {
            TRY(template_parser_node(p, NODE_OR, line, &node));
            TRY(template_parser_add(p, node, &node->items, *out));
            *out = node;
        }
        TRY(parse_and(p, &right));
        TRY(template_parser_add(p, node, &node->items, right));
    }
done:
    return status;
}

static ondol_status parse_string(template_parser *p, template_node *node) {
    size_t size = 0, used = 0;
    for (const template_token *t = p->at; t->kind == TOKEN_STRING; t++)
        size += t->size * 3 + 8;
    char *bytes = base_arena_alloc(&p->tmpl->arena, size, 1);
    if (!bytes) return template_parser_no_memory(p);
    for (; p->at->kind == TOKEN_STRING; p->at++) {
        size_t n = 0;
        const char *fault = template_literal_string(p->at->text, p->at->size, bytes + used, &n);
        if (fault) return template_parser_fail(p, p->at->line, ONDOL_E_FORMAT, "%s", fault);
        used += n;
    }
    const template_string *text = NULL;
    ondol_status status = template_parser_text(p, bytes, used, &text);
    if (status == ONDOL_OK) node->value = template_from_string(text);
    return status;
}

static ondol_status parse_number(template_parser *p, template_node *node) {
    const char *fault = NULL;
    if (p->at->kind == TOKEN_INTEGER) {
        node->value = template_int(0);
        fault = template_literal_integer(p->at->text, p->at->size, &node->value.as.integer);
    } else {
        node->value = template_double(0);
        fault = template_literal_float(p->at->text, p->at->size, &node->value.as.real);
    }
    if (fault) return template_parser_fail(p, p->at->line, ONDOL_E_FORMAT, "%s", fault);
    p->at++;
    return ONDOL_OK;
}

static ondol_status parse_name(template_parser *p, bool with_namespace, template_node *node) {
    static const struct {
        const char *text;
        int value;
    } words[] = {{"true", 1}, {"True", 1}, {"false", 0}, {"False", 0}, {"none", -1}, {"None", -1}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!skip_name(p, words[i].text)) continue;
        node->value = words[i].value < 0 ? template_none() : template_bool(words[i].value == 1);
        return ONDOL_OK;
    }
    const template_token *token = p->at++;
    node->kind = NODE_NAME;
    ondol_status status = template_parser_name(p, token->text, token->size, &node->name);
    if (status != ONDOL_OK || !with_namespace || !skip_operator(p, ".")) return status;
    if (p->at->kind != TOKEN_NAME) return template_parser_expected(p, "a name behind '.'");
    node->kind = NODE_NAMESPACE;
    status = template_parser_text(p, p->at->text, p->at->size, &node->text);
    p->at++;
    return status;
}

static ondol_status parse_list(template_parser *p, template_node *node) {
    template_node *item = NULL;
    ondol_status status = take_operator(p, "[");
    TRY(status);
    node->kind = NODE_LIST;
    while (!is_operator(p, "]")) {
        if (node->items.count) TRY(take_operator(p, ","));
        if (is_operator(p, "]")) break;
        TRY(template_parse_expression(p, true, &item));
        TRY(template_parser_add(p, node, &node->items, item));
    }
    TRY(take_operator(p, "]"));
done:
    return status;
}

static ondol_status parse_dict(template_parser *p, template_node *node) {
    template_node *item = NULL;
    ondol_status status = take_operator(p, "{");
    TRY(status);
    node->kind = NODE_DICT;
    while (!is_operator(p, "}")) {
        if (node->items.count) TRY(take_operator(p, ","));
        if (is_operator(p, "}")) break;
        TRY(template_parse_expression(p, true, &item));
        TRY(template_parser_add(p, node, &node->items, item));
        TRY(take_operator(p, ":"));
        TRY(template_parse_expression(p, true, &item));
        TRY(template_parser_add(p, node, &node->items, item));
    }
    TRY(take_operator(p, "}"));
done:
    return status;
}

/* In parentheses: an expression, or a tuple, which alone may be empty. */
static ondol_status parse_group(template_parser *p, template_node **out) {
    uint32_t line = p->at->line;
    ondol_status status = take_operator(p, "(");
    TRY(status);
    if (is_operator(p, ")"))
        TRY(template_parser_node(p, NODE_TUPLE, line, out));
    else
        TRY(template_parse_tuple(p, true, NULL, out));
    TRY(take_operator(p, ")"));
done:
    return status;
}

static ondol_status parse_primary(template_parser *p, bool with_namespace, template_node **out) {
    template_node *node = NULL;
    if (is_operator(p, "(")) return parse_group(p, out);
    ondol_status status = template_parser_node(p, NODE_CONSTANT, p->at->line, &node);
    if (status != ONDOL_OK) return status;
    *out = node;
    switch (p->at->kind) {
    case TOKEN_NAME: return parse_name(p, with_namespace, node);
    case TOKEN_STRING: return parse_string(p, node);
    case TOKEN_INTEGER:
    case TOKEN_FLOAT: return parse_number(p, node);
    default: break;
    }
    if (is_operator(p, "[")) return parse_list(p, node);
    if (is_operator(p, "{")) return parse_dict(p, node);
    return template_parser_expected(p, "an expression");
}

static bool at_tuple_end(const template_parser *p, const char *stop) {
    return p->at->kind == TOKEN_OUTPUT_END || p->at->kind == TOKEN_BLOCK_END ||
           is_operator(p, ")") || (stop && template_parser_is(p, TOKEN_NAME, stop));
}

/* names_only: targets and literals, as the left side of `set` and `for` is read. */
static ondol_status parse_series(template_parser *p, bool names_only, bool flag, const char *stop,
                                 template_node **out) {
    uint32_t line = p->at->line;
    template_node *tuple = NULL, *item = NULL;
    ondol_status status = ONDOL_OK;
    if (at_tuple_end(p, stop)) return template_parser_expected(p, "an expression");
    for (;;) {
        if (names_only)
            TRY(parse_primary(p, flag, &item));
        else
            TRY(template_parse_expression(p, flag, &item));
        bool comma = is_operator(p, ",");
        if (!tuple && !comma) break;
        if (!tuple) TRY(template_parser_node(p, NODE_TUPLE, line, &tuple));
        TRY(template_parser_add(p, tuple, &tuple->items, item));
        if (!comma) break;
        p->at++;
        if (at_tuple_end(p, stop)) break;
    }
    *out = tuple ? tuple : item;
done:
    return status;
}

ondol_status template_parse_tuple(template_parser *p, bool with_condition, const char *stop,
                                  template_node **out) {
    return parse_series(p, false, with_condition, stop, out);
}

/* Tuples nest only within the parser's depth, so this recursion is bounded. */
static ondol_status check_target(template_parser *p, const template_node *node) {
    if (node->kind == NODE_NAME || node->kind == NODE_NAMESPACE) return ONDOL_OK;
    if (node->kind != NODE_TUPLE)
        return template_parser_fail(p, node->line, ONDOL_E_FORMAT, "expected a variable to set");
    for (uint32_t i = 0; i < node->items.count; i++) {
        ondol_status status = check_target(p, node->items.at[i]);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

ondol_status template_parse_target(template_parser *p, const char *stop, bool with_namespace,
                                   template_node **out) {
    ondol_status status = parse_series(p, true, with_namespace, stop, out);
    return status == ONDOL_OK ? check_target(p, *out) : status;
}

/* ( a, b, key=c, *d, **e ) into node's items, more, b and c. */
static ondol_status parse_arguments(template_parser *p, template_node *node) {
    ondol_status status = take_operator(p, "(");
    bool first = true;
    template_node *value = NULL, *keyword = NULL;
    TRY(status);
    for (; !is_operator(p, ")"); first = false) {
        if (!first) TRY(take_operator(p, ","));
        if (is_operator(p, ")")) break;
        bool allowed = true;
        if (skip_operator(p, "*")) {
            allowed = !node->b && !node->c;
            TRY(template_parse_expression(p, true, &node->b));
            TRY(template_parser_adopt(p, node, node->b));
        } else if (skip_operator(p, "**")) {
            allowed = !node->c;
            TRY(template_parse_expression(p, true, &node->c));
            TRY(template_parser_adopt(p, node, node->c));
        } else if (p->at->kind == TOKEN_NAME && template_token_is(p->at + 1, TOKEN_OPERATOR, "=")) {
            allowed = !node->c;
            TRY(template_parser_node(p, NODE_KEYWORD, p->at->line, &keyword));
            TRY(template_parser_text(p, p->at->text, p->at->size, &keyword->text));
            p->at += 2;
            TRY(template_parse_expression(p, true, &keyword->a));
            TRY(template_parser_adopt(p, keyword, keyword->a));
            TRY(template_parser_add(p, node, &node->more, keyword));
        } else {
            allowed = !node->b && !node->c && node->more.count == 0;
            TRY(template_parse_expression(p, true, &value));
            TRY(template_parser_add(p, node, &node->items, value));
        }
        if (!allowed) {
            return template_parser_fail(p, p->at->line, ONDOL_E_FORMAT,
                                        "an argument of a call stands in the wrong order");
        }
    }
    TRY(take_operator(p, ")"));
done:
    return status;
}

static ondol_status parse_call(template_parser *p, template_node **node) {
    uint32_t line = p->at->line;
    ondol_status status = make(p, NODE_CALL, line, *node, NULL, NULL, node);
    return status == ONDOL_OK ? parse_arguments(p, *node) : status;
}

static ondol_status parse_slice(template_parser *p, template_node **out) {
    uint32_t line = p->at->line;
    template_node *part[3] = {NULL, NULL, NULL};
    ondol_status status = ONDOL_OK;
    bool is_slice = false;
    for (int i = 0; i < 3; i++) {
        bool empty = is_operator(p, ":") || is_operator(p, "]") || is_operator(p, ",");
        if (!empty || (i == 0 && !is_operator(p, ":")))
            TRY(template_parse_expression(p, true, &part[i]));
        if (i == 2 || !skip_operator(p, ":")) break;
        is_slice = true;
    }
    *out = part[0];
    if (is_slice) TRY(make(p, NODE_SLICE, line, part[0], part[1], part[2], out));
done:
    return status;
}

static ondol_status parse_subscript(template_parser *p, template_node **node) {
    uint32_t line = p->at->line;
    template_node *index = NULL, *tuple = NULL;
    ondol_status status = ONDOL_OK;
    p->at++; /* [ */
    for (uint32_t count = 0; !is_operator(p, "]"); count++) {
        template_node *one = NULL;
        if (count) TRY(take_operator(p, ","));
        TRY(parse_slice(p, &one));
        if (count == 1) {
            TRY(template_parser_node(p, NODE_TUPLE, line, &tuple));
            TRY(template_parser_add(p, tuple, &tuple->items, index));
        }
        if (tuple) TRY(template_parser_add(p, tuple, &tuple->items, one));
        index = tuple ? tuple : one;
        if (tuple && one->kind == NODE_SLICE) {
            TRY(template_parser_fail(p, line, ONDOL_E_UNSUPPORTED,
                                     "more than one index with a slice among them"));
        }
    }
    TRY(take_operator(p, "]"));
    if (!index) TRY(template_parser_node(p, NODE_TUPLE, line, &index));
    TRY(make(p, NODE_ITEM, line, *node, index, NULL, node));
done:
    return status;
}

static ondol_status parse_attribute(template_parser *p, template_node **node) {
    uint32_t line = p->at->line;
    template_node *index = NULL;
    ondol_status status = ONDOL_OK;
    p->at++; /* . */
    if (p->at->kind == TOKEN_INTEGER) {
        TRY(template_parser_node(p, NODE_CONSTANT, line, &index));
        TRY(parse_number(p, index));
        return make(p, NODE_ITEM, line, *node, index, NULL, node);
    }
    if (p->at->kind != TOKEN_NAME)
        return template_parser_expected(p, "a name or number behind '.'");
    TRY(make(p, NODE_ATTRIBUTE, line, *node, NULL, NULL, node));
    TRY(template_parser_text(p, p->at->text, p->at->size, &(*node)->text));
    p->at++;
done:
    return status;
}

static ondol_status parse_postfix(template_parser *p, template_node **node) {
    ondol_status status = ONDOL_OK;
    for (;;) {
        if (is_operator(p, "."))
            TRY(parse_attribute(p, node));
        else if (is_operator(p, "["))
            TRY(parse_subscript(p, node));
        else if (is_operator(p, "("))
            TRY(parse_call(p, node));
        else
            break;
    }
done:
    return status;
}

/* A filter's or test's name, which may have dots. */
static ondol_status parse_callee(template_parser *p, template_node *node) {
    if (p->at->kind != TOKEN_NAME)
        return template_parser_expected(p, "the name of a filter or test");
    const template_token *first = p->at++, *last = first;
    while (is_operator(p, ".")) {
        p->at++;
        if (p->at->kind != TOKEN_NAME) return template_parser_expected(p, "a name behind '.'");
        last = p->at++;
    }
    size_t n = (size_t)(last->text + last->size - first->text);
    return template_parser_text(p, first->text, n, &node->text);
}

ondol_status template_parse_filter(template_parser *p, template_node *node, template_node **out) {
    template_node *filter = NULL;
    ondol_status status = make(p, NODE_FILTER, p->at->line, node, NULL, NULL, &filter);
    TRY(status);
    TRY(parse_callee(p, filter));
    if (is_operator(p, "(")) TRY(parse_arguments(p, filter));
    *out = filter;
done:
    return status;
}

/* `is divisibleby 3`: an argument without parentheses starts with one of these. */
static bool starts_argument(const template_parser *p) {
    if (p->at->kind == TOKEN_NAME) {
        return !template_parser_is(p, TOKEN_NAME, "else") &&
               !template_parser_is(p, TOKEN_NAME, "or") &&
               !template_parser_is(p, TOKEN_NAME, "and");
    }
    return p->at->kind == TOKEN_STRING || p->at->kind == TOKEN_INTEGER ||
           p->at->kind == TOKEN_FLOAT || is_operator(p, "[") || is_operator(p, "{");
}

static ondol_status parse_test(template_parser *p, template_node **node) {
    uint32_t line = p->at->line;
    template_node *argument = NULL, *test = NULL;
    ondol_status status = ONDOL_OK;
    p->at++; /* is */
    bool negated = skip_name(p, "not");
    TRY(make(p, NODE_TEST, line, *node, NULL, NULL, &test));
    TRY(parse_callee(p, test));
    if (is_operator(p, "(")) {
        TRY(parse_arguments(p, test));
    } else if (starts_argument(p)) {
        if (template_parser_is(p, TOKEN_NAME, "is")) {
            return template_parser_fail(p, line, ONDOL_E_FORMAT,
                                        "tests cannot be chained with `is`");
        }
        TRY(parse_primary(p, false, &argument));
        TRY(parse_postfix(p, &argument));
        TRY(template_parser_add(p, test, &test->items, argument));
    }
    *node = test;
    if (negated) TRY(make(p, NODE_NOT, line, test, NULL, NULL, node));
done:
    return status;
}

static ondol_status parse_unary(template_parser *p, bool with_filter, template_node **out) {
    uint32_t line = p->at->line;
    ondol_status status = ONDOL_OK;
    if (p->depth >= TEMPLATE_HEIGHT_MAX) {
        return template_parser_fail(p, line, ONDOL_E_LIMIT,
                                    "an expression is nested deeper than %d", TEMPLATE_HEIGHT_MAX);
    }
    p->depth++;
    bool negative = is_operator(p, "-");
    if (negative || is_operator(p, "+")) {
        p->at++;
        TRY(parse_unary(p, false, out));
        TRY(make(p, negative ? NODE_NEGATIVE : NODE_POSITIVE, line, *out, NULL, NULL, out));
    } else {
        TRY(parse_primary(p, false, out));
    }
    TRY(parse_postfix(p, out));
    while (with_filter) {
        if (skip_operator(p, "|"))
            TRY(template_parse_filter(p, *out, out));
        else if (template_parser_is(p, TOKEN_NAME, "is"))
            TRY(parse_test(p, out));
        else if (is_operator(p, "("))
            TRY(parse_call(p, out));
        else
            break;
    }
done:
    p->depth--;
    return status;
}
