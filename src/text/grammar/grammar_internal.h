/* What a grammar is made of: a graph of nodes over bytes, one piece for each rule. */
#ifndef TEXT_GRAMMAR_INTERNAL_H
#define TEXT_GRAMMAR_INTERNAL_H

#include "base/arena.h"
#include "base/map.h"
#include "text/grammar/text_grammar.h"

#define GRAMMAR_NODES_MAX   (1u << 18)
#define GRAMMAR_SOURCE_MAX  (1u << 24)
#define GRAMMAR_NESTING_MAX 200u
#define GRAMMAR_NONE        UINT32_MAX
#define GRAMMAR_CODE_MAX    0x10FFFFu

typedef enum grammar_node_kind {
    GRAMMAR_NODE_RETURN,    /* the rule ends */
    GRAMMAR_NODE_SET,       /* a character of the set that starts at set state `operand` */
    GRAMMAR_NODE_TOKEN,     /* the token of reference `operand` */
    GRAMMAR_NODE_TOKEN_NOT, /* any other token */
    GRAMMAR_NODE_CALL,      /* the nodes from `operand` to a RETURN, then next */
    GRAMMAR_NODE_SPLIT      /* operand or next, at no cost */
} grammar_node_kind;

typedef struct grammar_node {
    uint32_t kind, operand, next;
} grammar_node;

/* An edge of a set's automaton: a byte within [low, high] leads to target; GRAMMAR_NONE: the
 * character is whole. */
typedef struct grammar_edge {
    uint16_t low, high;
    uint32_t target;
} grammar_edge;

typedef struct grammar_set_state {
    uint32_t first_edge, n_edges; /* edges ascend and do not overlap */
} grammar_set_state;

typedef struct grammar_code_range {
    uint32_t low, high;
} grammar_code_range;

/* The automata of all sets of characters, with equal states shared. */
typedef struct grammar_sets {
    const ondol_allocator *allocator;
    grammar_set_state *states;
    grammar_edge *edges;
    size_t n_states, n_edges, state_capacity, edge_capacity;
} grammar_sets;

/* A token that the source names: by id (text NULL) or by its text. */
typedef struct grammar_token_ref {
    char *text;
    size_t text_bytes;
    uint32_t id, line, column;
} grammar_token_ref;

struct text_grammar {
    const ondol_allocator *allocator;
    grammar_node *nodes;
    size_t n_nodes, node_capacity;
    uint32_t start;
    grammar_sets sets;
    grammar_token_ref *tokens;
    size_t n_tokens, token_capacity;
    /* Bytes that no edge tells apart are one class; class_byte is a member of each. */
    uint32_t n_classes;
    uint8_t class_of[256], class_byte[256];
};

/* Room for `need` items of `size` bytes: items itself, or a larger copy that replaces it. NULL when
 * there is no memory; then items is as before. */
void *grammar_grow(const ondol_allocator *a, void *items, size_t *capacity, size_t need,
                   size_t size);

/* Letters, digits and "-": what a rule's name is made of. */
bool grammar_is_word(char c);

/* ---- sets ---- */

typedef struct grammar_set_builder grammar_set_builder;

/* NULL when there is no memory. sets and arena are borrowed. */
grammar_set_builder *grammar_set_builder_create(grammar_sets *sets, base_arena *arena);
void grammar_set_builder_destroy(grammar_set_builder *b);

/* The set of all characters in ranges[0..n) (of none of them when negated): *start is its first
 * state, GRAMMAR_NONE when it has no character. ranges is sorted in place. False: no memory. */
bool grammar_set_add(grammar_set_builder *b, grammar_code_range *ranges, size_t n, bool negated,
                     uint32_t *start);

void grammar_sets_destroy(grammar_sets *sets);

/* ---- the source as a tree ---- */

typedef enum grammar_ast_kind {
    GRAMMAR_AST_SEQUENCE, /* the children, chained from last to first; none: the empty text */
    GRAMMAR_AST_CHOICE,   /* one of the children */
    GRAMMAR_AST_REPEAT,   /* the child, min to max times */
    GRAMMAR_AST_SET,
    GRAMMAR_AST_TOKEN,
    GRAMMAR_AST_TOKEN_NOT,
    GRAMMAR_AST_RULE
} grammar_ast_kind;

typedef struct grammar_ast {
    uint16_t kind, depth;
    uint32_t value;    /* first of the chain, set state, token reference or rule */
    uint32_t sibling;  /* the next of the parent's chain */
    uint32_t min, max; /* REPEAT; max GRAMMAR_NONE: no bound */
} grammar_ast;

typedef struct grammar_rule {
    const char *name; /* in the arena */
    size_t name_bytes;
    uint32_t body;         /* GRAMMAR_NONE until defined */
    uint32_t line, column; /* of the definition, or of the first use */
} grammar_rule;

/* Owned by text_grammar_parse_gbnf for its duration. */
typedef struct grammar_source {
    const ondol_allocator *allocator;
    base_arena arena;
    text_grammar *grammar; /* sets and tokens are filled by the parser */
    grammar_set_builder *set_builder;
    base_map rule_ids;
    grammar_rule *rules;
    size_t n_rules, rule_capacity;
    grammar_ast *ast;
    size_t n_ast, ast_capacity;
} grammar_source;

/* source -> s->rules and s->ast. Errors: FORMAT, LIMIT, MEMORY. */
ondol_status grammar_parse(grammar_source *s, const char *source, size_t n, ondol_error *err);

/* s -> the nodes of s->grammar, start at `root`. Errors: FORMAT, LIMIT, MEMORY. */
ondol_status grammar_compile(grammar_source *s, ondol_error *err);

/* Refuses left recursion; nodes [0, n_rules) are the rules' entries. Errors: FORMAT, MEMORY. */
ondol_status grammar_check_recursion(const grammar_source *s, ondol_error *err);

/* ---- the vocabulary ---- */

/* A node of the tree of pieces, in depth-first order. */
typedef struct grammar_piece_node {
    uint32_t end;         /* the first node that is not below this one */
    uint32_t first_token; /* its tokens are sorted[first_token .. the next node's first_token) */
    uint32_t depth_byte;  /* depth << 8 | byte; the root has depth 0 */
} grammar_piece_node;

struct text_grammar_vocabulary {
    const ondol_allocator *allocator;
    const text_tokenizer *tok;
    size_t n_tokens;
    grammar_piece_node *nodes; /* [n_nodes + 1] */
    size_t n_nodes, max_depth;
    uint32_t *sorted; /* tokens with a piece that do not end a generation, by piece */
    size_t n_sorted;
    uint32_t *ends; /* [n_ends] tokens that end a generation */
    size_t n_ends;
};

#endif
