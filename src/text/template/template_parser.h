/* What the two halves of the parser share: statements and expressions. */
#ifndef TEMPLATE_PARSER_H
#define TEMPLATE_PARSER_H

#include "base/map.h"
#include "text/template/template_ast.h"
#include "text/template/template_lexer.h"
#include "text/template/text_template.h"

typedef struct template_parser {
    text_template *tmpl; /* nodes and names go into its arena */
    const template_token *at;
    unsigned depth;
    base_map name_ids;
    uint32_t name_capacity;
    ondol_error *err;
} template_parser;

/* FORMAT: "expected WHAT, got the token at hand". */
ondol_status template_parser_expected(template_parser *p, const char *what);
ondol_status template_parser_fail(template_parser *p, uint32_t line, ondol_status status,
                                  const char *format, ...) BASE_PRINTF(4, 5);
ondol_status template_parser_no_memory(template_parser *p);

bool template_parser_is(const template_parser *p, template_token_kind kind, const char *text);
/* Steps over the token when it is that one. */
bool template_parser_skip(template_parser *p, template_token_kind kind, const char *text);
ondol_status template_parser_take(template_parser *p, template_token_kind kind, const char *text);

ondol_status template_parser_node(template_parser *p, template_node_kind kind, uint32_t line,
                                  template_node **out);
/* Makes child (may be NULL) count in node's height. Errors: LIMIT when that is too much. */
ondol_status template_parser_adopt(template_parser *p, template_node *node,
                                   const template_node *child);
/* Appends child to the list, which belongs to node. */
ondol_status template_parser_add(template_parser *p, template_node *node, template_nodes *list,
                                 template_node *child);
ondol_status template_parser_text(template_parser *p, const char *bytes, size_t n,
                                  const template_string **out);
/* The id of a variable name; new ones get the next. */
ondol_status template_parser_name(template_parser *p, const char *bytes, size_t n, uint32_t *out);

ondol_status template_parse_expression(template_parser *p, bool with_condition,
                                       template_node **out);
/* Expressions divided by commas: a tuple if there is one. stop: a name that ends it, or NULL. */
ondol_status template_parse_tuple(template_parser *p, bool with_condition, const char *stop,
                                  template_node **out);
/* A variable, a tuple of them, or (with_namespace) `ns.name`. */
ondol_status template_parse_target(template_parser *p, const char *stop, bool with_namespace,
                                   template_node **out);
/* node | name(args): one filter. node may be NULL. */
ondol_status template_parse_filter(template_parser *p, template_node *node, template_node **out);

/* A whole template. */
ondol_status template_parse(template_parser *p);

/* Second pass: finds filters and tests, checks where break and `loop` stand, notes which special
 * names each macro takes. Errors: FORMAT. */
ondol_status template_resolve(template_parser *p);

#endif
