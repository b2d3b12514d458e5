/* Left recursion: a rule that can call itself before a character would never end. It is a cycle,
 * through a rule's entry, of the steps that cost no character. Linear in the nodes. */
#include <inttypes.h>

#include "text/grammar/grammar_internal.h"

typedef struct check {
    const grammar_node *nodes;
    size_t n;
    uint8_t *nullable;       /* [n] the rule's end can be met from here without a character */
    uint32_t *first, *users; /* nodes that step to node i: users[first[i] .. first[i + 1]) */
    uint8_t *missing;        /* [n] successors that must still turn out nullable */
    uint32_t *queue;
    /* Tarjan's strongly connected components (1972), with a stack of our own. */
    uint32_t *index, *low, *stack, *path;
    uint8_t *on_stack, *step;
} check;

/* Successors that count for nullable: both of a CALL, either of a SPLIT. */
static unsigned successors(const grammar_node *node, uint32_t out[2]) {
    if (node->kind != GRAMMAR_NODE_CALL && node->kind != GRAMMAR_NODE_SPLIT) return 0;
    out[0] = node->operand;
    out[1] = node->next;
    return 2;
}

static void list_users(check *c) {
    uint32_t to[2];
    for (size_t i = 0; i < c->n; i++) {
        for (unsigned k = successors(&c->nodes[i], to); k > 0; k--)
            c->first[to[k - 1] + 1]++;
    }
    for (size_t i = 0; i < c->n; i++)
        c->first[i + 1] += c->first[i];
    for (size_t i = 0; i < c->n; i++) {
        for (unsigned k = successors(&c->nodes[i], to); k > 0; k--)
            c->users[c->queue[to[k - 1]]++ + c->first[to[k - 1]]] = (uint32_t)i;
    }
}

static void find_nullable(check *c) {
    size_t head = 0, tail = 0;
    for (size_t i = 0; i < c->n; i++) {
        c->missing[i] = c->nodes[i].kind == GRAMMAR_NODE_CALL ? 2 : 1;
        if (c->nodes[i].kind == GRAMMAR_NODE_RETURN) {
            c->nullable[i] = 1;
            c->queue[tail++] = (uint32_t)i;
        }
    }
    while (head < tail) {
        const uint32_t node = c->queue[head++];
        for (uint32_t u = c->first[node]; u < c->first[node + 1]; u++) {
            const uint32_t user = c->users[u];
            if (c->nullable[user] || --c->missing[user] > 0) continue;
            c->nullable[user] = 1;
            c->queue[tail++] = user;
        }
    }
}

/* The k-th node that can be met from `node` without a character; GRAMMAR_NONE: no more. */
static uint32_t next_free(const check *c, uint32_t node, unsigned k) {
    const grammar_node *n = &c->nodes[node];
    if (n->kind != GRAMMAR_NODE_CALL && n->kind != GRAMMAR_NODE_SPLIT) return GRAMMAR_NONE;
    if (k == 0) return n->operand;
    const bool passes = n->kind == GRAMMAR_NODE_SPLIT || c->nullable[n->operand];
    return k == 1 && passes ? n->next : GRAMMAR_NONE;
}

/* Takes a component off the stack; a rule's entry in it, GRAMMAR_NONE when it has but one node. */
static uint32_t pop_component(check *c, uint32_t root, size_t *n_stack, size_t n_rules) {
    uint32_t rule = GRAMMAR_NONE, node = 0;
    const bool single = c->stack[*n_stack - 1] == root;
    do {
        node = c->stack[--*n_stack];
        c->on_stack[node] = 0;
        if (node < n_rules && !single && (rule == GRAMMAR_NONE || node < rule)) rule = node;
    } while (node != root);
    return rule;
}

/* The entry of a left-recursive rule among what can be met from `from`, or GRAMMAR_NONE. */
static uint32_t search(check *c, uint32_t from, uint32_t *counter, size_t n_rules) {
    size_t n_path = 0, n_stack = 0;
    c->path[n_path++] = from;
    while (n_path > 0) {
        const uint32_t node = c->path[n_path - 1];
        if (c->index[node] == 0) {
            c->index[node] = c->low[node] = ++*counter;
            c->stack[n_stack++] = node;
            c->on_stack[node] = 1;
        }
        const uint32_t to = next_free(c, node, c->step[node]++);
        if (to != GRAMMAR_NONE) {
            if (c->index[to] == 0) {
                c->path[n_path++] = to;
            } else if (c->on_stack[to] && c->index[to] < c->low[node]) {
                c->low[node] = c->index[to];
            }
            continue;
        }
        n_path--;
        if (n_path > 0 && c->low[node] < c->low[c->path[n_path - 1]])
            c->low[c->path[n_path - 1]] = c->low[node];
        if (c->low[node] != c->index[node]) continue;
        const uint32_t rule = pop_component(c, node, &n_stack, n_rules);
        if (rule != GRAMMAR_NONE) return rule;
    }
    return GRAMMAR_NONE;
}

ondol_status grammar_check_recursion(const grammar_source *s, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    const size_t n = s->grammar->n_nodes;
    base_arena arena;
    base_arena_init(&arena, s->allocator, 0);
    check c = {.nodes = s->grammar->nodes, .n = n};
    c.nullable = base_arena_alloc(&arena, 4 * n, 1);
    c.first = base_arena_alloc(&arena, 8 * n + 1, sizeof *c.first);
    if (!c.nullable || !c.first) TRY(base_no_memory(err, "a grammar's check", 36 * n));
    c.missing = c.nullable + n;
    c.on_stack = c.missing + n;
    c.step = c.on_stack + n;
    c.users = c.first + n + 1;
    c.queue = c.users + 2 * n;
    c.index = c.queue + n;
    c.low = c.index + n;
    c.stack = c.low + n;
    c.path = c.stack + n;
    list_users(&c);
    find_nullable(&c);
    uint32_t counter = 0;
    for (uint32_t i = 0; i < s->n_rules; i++) {
        if (c.index[i] != 0) continue;
        const uint32_t rule = search(&c, i, &counter, s->n_rules);
        if (rule == GRAMMAR_NONE) continue;
        const grammar_rule *r = &s->rules[rule];
        TRY(base_fail(err, ONDOL_E_FORMAT,
                      "grammar, line %" PRIu32 ", column %" PRIu32
                      ": rule '%.*s' is left-recursive: it can call itself before any character",
                      r->line, r->column, (int)(r->name_bytes < 100 ? r->name_bytes : 100),
                      r->name));
    }
done:
    base_arena_destroy(&arena);
    return status;
}
