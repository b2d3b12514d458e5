/* The tree that a template is compiled to. All of it lies in one arena and never changes. */
#ifndef TEMPLATE_AST_H
#define TEMPLATE_AST_H

#include "text/template/template_value.h"

struct template_builtin;

typedef enum template_node_kind {
    /* expressions */
    NODE_CONSTANT,  /* value */
    NODE_NAME,      /* name */
    NODE_LIST,      /* items */
    NODE_TUPLE,     /* items */
    NODE_DICT,      /* items: key, value, key, value ... */
    NODE_NEGATIVE,  /* a */
    NODE_POSITIVE,  /* a */
    NODE_BINARY,    /* operation, a, b */
    NODE_AND,       /* items */
    NODE_OR,        /* items */
    NODE_NOT,       /* a */
    NODE_COMPARE,   /* a, items: NODE_OPERAND */
    NODE_OPERAND,   /* operation, a */
    NODE_CONCAT,    /* items */
    NODE_CONDITION, /* a if b else c (c may be NULL) */
    NODE_ATTRIBUTE, /* a . text */
    NODE_ITEM,      /* a [ b ] */
    NODE_SLICE,     /* a : b : c, each may be NULL; only as b of NODE_ITEM */
    NODE_CALL,      /* a ( items, more: NODE_KEYWORD, *b, **c ) */
    NODE_FILTER,    /* a (NULL: the text of the block) | builtin ( as NODE_CALL ) */
    NODE_TEST,      /* a is builtin ( as NODE_CALL ) */
    NODE_KEYWORD,   /* text = a */
    NODE_NAMESPACE, /* name . text, as a target */
    /* statements */
    NODE_TEXT,         /* text */
    NODE_OUTPUT,       /* items: expressions */
    NODE_IF,           /* items: NODE_BRANCH */
    NODE_BRANCH,       /* a: test, NULL for else; items: body */
    NODE_FOR,          /* a: target, b: iterable, c: test or NULL; items: body; more: else body;
                          operation 1: recursive */
    NODE_SET,          /* a = b */
    NODE_SET_BLOCK,    /* a = filter b (may be NULL) of items */
    NODE_MACRO,        /* name; more: NODE_PARAMETER; items: body; takes */
    NODE_PARAMETER,    /* name, a: default or NULL */
    NODE_CALL_BLOCK,   /* a: NODE_CALL; more: NODE_PARAMETER; items: body; takes */
    NODE_FILTER_BLOCK, /* a: innermost NODE_FILTER chain; items: body */
    NODE_SCOPE,        /* more: NODE_SET of `with`; items: body */
    NODE_BREAK,
    NODE_CONTINUE
} template_node_kind;

typedef enum template_operation {
    OPERATION_ADD,
    OPERATION_SUBTRACT,
    OPERATION_MULTIPLY,
    OPERATION_DIVIDE,
    OPERATION_FLOOR_DIVIDE,
    OPERATION_MODULO,
    OPERATION_POWER,
    OPERATION_EQUAL,
    OPERATION_NOT_EQUAL,
    OPERATION_LESS,
    OPERATION_LESS_EQUAL,
    OPERATION_GREATER,
    OPERATION_GREATER_EQUAL,
    OPERATION_IN,
    OPERATION_NOT_IN
} template_operation;

/* Special names that a macro's body uses, and so takes. */
enum { TEMPLATE_TAKES_CALLER = 1, TEMPLATE_TAKES_KWARGS = 2, TEMPLATE_TAKES_VARARGS = 4 };

typedef struct template_node template_node;

typedef struct template_nodes {
    template_node **at;
    uint32_t count, capacity;
} template_nodes;

struct template_node {
    uint8_t kind;      /* template_node_kind */
    uint8_t operation; /* template_operation */
    uint8_t takes;     /* TEMPLATE_TAKES_..., of a macro */
    uint16_t height;   /* nodes to the deepest leaf */
    uint32_t line;
    uint32_t name; /* id of a variable name */
    template_value value;
    const template_string *text;
    const struct template_builtin *builtin; /* NULL: unknown, fails when it is reached */
    template_node *a, *b, *c;
    template_nodes items, more;
};

/* Most nodes from the root to a leaf: bounds the recursion of compiler and evaluator. */
#define TEMPLATE_HEIGHT_MAX 250

/* Ids that every template has, in this order. */
enum {
    TEMPLATE_NAME_LOOP,
    TEMPLATE_NAME_CALLER,
    TEMPLATE_NAME_KWARGS,
    TEMPLATE_NAME_VARARGS,
    TEMPLATE_NAME_FIXED_COUNT
};

struct text_template {
    const ondol_allocator *allocator;
    base_arena arena;
    template_nodes body;
    const template_string **names; /* [name_count], by id */
    uint32_t name_count;
};

#endif
