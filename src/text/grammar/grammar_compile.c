/* The trees of a grammar's rules -> one graph of nodes, built from the end of each rule forward;
 * and the classes of bytes that the graph tells apart. */
#include <inttypes.h>
#include <string.h>

#include "text/grammar/grammar_internal.h"

/* Nodes [0, n_rules) are entries: a SPLIT whose both sides are the rule's first node. */
static ondol_status new_node(grammar_source *s, grammar_node node, uint32_t *out,
                             ondol_error *err) {
    text_grammar *g = s->grammar;
    if (g->n_nodes >= GRAMMAR_NODES_MAX) {
        return base_fail(err, ONDOL_E_LIMIT,
                         "grammar: over %u nodes; fewer or smaller repetitions are needed",
                         GRAMMAR_NODES_MAX);
    }
    grammar_node *nodes =
        grammar_grow(g->allocator, g->nodes, &g->node_capacity, g->n_nodes + 1, sizeof *nodes);
    if (!nodes) return base_no_memory(err, "a grammar's nodes", g->n_nodes * sizeof *nodes);
    g->nodes = nodes;
    *out = (uint32_t)g->n_nodes++;
    nodes[*out] = node;
    return ONDOL_OK;
}

static ondol_status compile(grammar_source *s, uint32_t tree, uint32_t next, uint32_t *out,
                            ondol_error *err);

static ondol_status compile_sequence(grammar_source *s, uint32_t tree, uint32_t next, uint32_t *out,
                                     ondol_error *err) {
    ondol_status status = ONDOL_OK;
    for (uint32_t item = s->ast[tree].value; item != GRAMMAR_NONE; item = s->ast[item].sibling)
        TRY(compile(s, item, next, &next, err));
    *out = next;
done:
    return status;
}

static ondol_status compile_choice(grammar_source *s, uint32_t tree, uint32_t next, uint32_t *out,
                                   ondol_error *err) {
    ondol_status status = ONDOL_OK;
    uint32_t item = s->ast[tree].value, rest = 0, first = 0;
    TRY(compile(s, item, next, &rest, err));
    for (item = s->ast[item].sibling; item != GRAMMAR_NONE; item = s->ast[item].sibling) {
        TRY(compile(s, item, next, &first, err));
        TRY(new_node(s, (grammar_node){GRAMMAR_NODE_SPLIT, first, rest}, &rest, err));
    }
    *out = rest;
done:
    return status;
}

/* What a copy of a repetition's child costs one node: a leaf, or a call of the child compiled once
 * as a rule without a name. */
static ondol_status repeated_node(grammar_source *s, uint32_t child, grammar_node *copy,
                                  ondol_error *err) {
    ondol_status status = ONDOL_OK;
    const grammar_ast *tree = &s->ast[child];
    uint32_t start = tree->value, end = 0;
    grammar_node_kind kind = GRAMMAR_NODE_CALL;
    if (tree->kind == GRAMMAR_AST_SET) {
        kind = GRAMMAR_NODE_SET;
    } else if (tree->kind == GRAMMAR_AST_TOKEN) {
        kind = GRAMMAR_NODE_TOKEN;
    } else if (tree->kind == GRAMMAR_AST_TOKEN_NOT) {
        kind = GRAMMAR_NODE_TOKEN_NOT;
    } else if (tree->kind != GRAMMAR_AST_RULE) {
        TRY(new_node(s, (grammar_node){GRAMMAR_NODE_RETURN, 0, 0}, &end, err));
        TRY(compile(s, child, end, &start, err));
    }
    *copy = (grammar_node){kind, start, 0};
done:
    return status;
}

/* x{m,}: m - 1 copies before a loop whose body is the last; m = 0: the loop may be skipped. */
static ondol_status compile_loop(grammar_source *s, uint32_t tree, uint32_t next, uint32_t *out,
                                 ondol_error *err) {
    ondol_status status = ONDOL_OK;
    const grammar_ast repeat = s->ast[tree];
    grammar_node copy = {0};
    uint32_t loop = 0, body = 0;
    const bool many = repeat.min > 1;
    TRY(new_node(s, (grammar_node){GRAMMAR_NODE_SPLIT, next, next}, &loop, err));
    if (many) {
        TRY(repeated_node(s, repeat.value, &copy, err));
        copy.next = loop;
        TRY(new_node(s, copy, &body, err));
    } else {
        TRY(compile(s, repeat.value, loop, &body, err));
    }
    s->grammar->nodes[loop].operand = body;
    *out = repeat.min == 0 ? loop : body;
    for (uint32_t i = 1; i < repeat.min; i++) {
        copy.next = *out;
        TRY(new_node(s, copy, out, err));
    }
done:
    return status;
}

/* x{m,n}: m copies, then n - m of which each may be the last. */
static ondol_status compile_repeat(grammar_source *s, uint32_t tree, uint32_t next, uint32_t *out,
                                   ondol_error *err) {
    ondol_status status = ONDOL_OK;
    const grammar_ast repeat = s->ast[tree];
    grammar_node copy = {0};
    *out = next;
    if (repeat.max == GRAMMAR_NONE) return compile_loop(s, tree, next, out, err);
    if (repeat.max == 0) return ONDOL_OK;
    if (repeat.max == 1) {
        TRY(compile(s, repeat.value, next, out, err));
        if (repeat.min == 1) goto done;
        TRY(new_node(s, (grammar_node){GRAMMAR_NODE_SPLIT, *out, next}, out, err));
        goto done;
    }
    TRY(repeated_node(s, repeat.value, &copy, err));
    for (uint32_t i = repeat.min; i < repeat.max; i++) {
        copy.next = *out;
        TRY(new_node(s, copy, out, err));
        TRY(new_node(s, (grammar_node){GRAMMAR_NODE_SPLIT, *out, next}, out, err));
    }
    for (uint32_t i = 0; i < repeat.min; i++) {
        copy.next = *out;
        TRY(new_node(s, copy, out, err));
    }
done:
    return status;
}

/* *out: the first node of a text of `tree` that goes on at node next. Recursion is as deep as the
 * tree, which the parser caps. */
static ondol_status compile(grammar_source *s, uint32_t tree, uint32_t next, uint32_t *out,
                            ondol_error *err) {
    const uint32_t value = s->ast[tree].value;
    switch ((grammar_ast_kind)s->ast[tree].kind) {
    case GRAMMAR_AST_SEQUENCE: return compile_sequence(s, tree, next, out, err);
    case GRAMMAR_AST_CHOICE: return compile_choice(s, tree, next, out, err);
    case GRAMMAR_AST_REPEAT: return compile_repeat(s, tree, next, out, err);
    case GRAMMAR_AST_SET:
        return new_node(s, (grammar_node){GRAMMAR_NODE_SET, value, next}, out, err);
    case GRAMMAR_AST_TOKEN:
        return new_node(s, (grammar_node){GRAMMAR_NODE_TOKEN, value, next}, out, err);
    case GRAMMAR_AST_TOKEN_NOT:
        return new_node(s, (grammar_node){GRAMMAR_NODE_TOKEN_NOT, value, next}, out, err);
    case GRAMMAR_AST_RULE:
        return new_node(s, (grammar_node){GRAMMAR_NODE_CALL, value, next}, out, err);
    }
    return base_fail(err, ONDOL_E_INTERNAL, "grammar: a tree of kind %u", s->ast[tree].kind);
}

/* Calls go to the first node itself, not to the entry before it. */
static void link_calls(const grammar_source *s) {
    grammar_node *nodes = s->grammar->nodes;
    for (size_t i = 0; i < s->grammar->n_nodes; i++) {
        grammar_node *node = &nodes[i];
        if (node->kind == GRAMMAR_NODE_CALL && node->operand < s->n_rules)
            node->operand = nodes[node->operand].next;
    }
}

static void find_classes(text_grammar *g) {
    bool starts[257] = {true};
    for (size_t i = 0; i < g->sets.n_edges; i++) {
        starts[g->sets.edges[i].low] = true;
        starts[g->sets.edges[i].high + 1] = true;
    }
    g->n_classes = 0;
    for (unsigned byte = 0; byte < 256; byte++) {
        if (starts[byte]) g->class_byte[g->n_classes++] = (uint8_t)byte;
        g->class_of[byte] = (uint8_t)(g->n_classes - 1);
    }
}

ondol_status grammar_compile(grammar_source *s, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    text_grammar *g = s->grammar;
    uint32_t root = 0, node = 0, first = 0;
    if (!base_map_get(&s->rule_ids, "root", 4, &root)) {
        return base_fail(err, ONDOL_E_FORMAT, "grammar: no rule 'root', which is the start");
    }
    for (size_t i = 0; i < s->n_rules; i++)
        TRY(new_node(s, (grammar_node){GRAMMAR_NODE_SPLIT, 0, 0}, &node, err));
    for (size_t i = 0; i < s->n_rules; i++) {
        TRY(new_node(s, (grammar_node){GRAMMAR_NODE_RETURN, 0, 0}, &node, err));
        TRY(compile(s, s->rules[i].body, node, &first, err));
        g->nodes[i] = (grammar_node){GRAMMAR_NODE_SPLIT, first, first};
    }
    TRY(grammar_check_recursion(s, err));
    link_calls(s);
    g->start = g->nodes[root].next;
    find_classes(g);
done:
    return status;
}

ondol_status text_grammar_parse_gbnf(const ondol_allocator *allocator, const char *source, size_t n,
                                     text_grammar **out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    *out = NULL;
    text_grammar *g = base_calloc(allocator, 1, sizeof *g);
    if (!g) return base_no_memory(err, "a grammar", sizeof *g);
    g->allocator = allocator;
    g->sets.allocator = allocator;
    grammar_source s = {.allocator = allocator, .grammar = g};
    base_arena_init(&s.arena, allocator, 0);
    base_map_init(&s.rule_ids, allocator);
    s.set_builder = grammar_set_builder_create(&g->sets, &s.arena);
    if (!s.set_builder) TRY(base_no_memory(err, "a grammar's sets", 0));
    TRY(grammar_parse(&s, source, n, err));
    TRY(grammar_compile(&s, err));
    *out = g;
    g = NULL;
done:
    grammar_set_builder_destroy(s.set_builder);
    base_map_destroy(&s.rule_ids);
    base_arena_destroy(&s.arena);
    base_free(allocator, s.rules);
    base_free(allocator, s.ast);
    text_grammar_destroy(g);
    return status;
}

void text_grammar_destroy(text_grammar *grammar) {
    if (!grammar) return;
    const ondol_allocator *a = grammar->allocator;
    for (size_t i = 0; i < grammar->n_tokens; i++)
        base_free(a, grammar->tokens[i].text);
    base_free(a, grammar->tokens);
    base_free(a, grammar->nodes);
    grammar_sets_destroy(&grammar->sets);
    base_free(a, grammar);
}
