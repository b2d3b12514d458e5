/* A trie over bytes: which of many strings starts here? Edges lie in one hash table, so that
 * building is linear in the bytes added. */
#ifndef TEXT_TOKENIZER_TRIE_H
#define TEXT_TOKENIZER_TRIE_H

#include "base/mem.h"
#include "text/text_spec.h"

#define TRIE_ROOT       0u
#define TRIE_NO_NODE    UINT32_MAX
#define TRIE_STRING_MAX 1024u /* longer strings are left out, so that a step's cost is bounded */

typedef struct trie_edge {
    uint64_t key; /* parent << 8 | byte */
    uint32_t child;
} trie_edge;

/* Thread class: one thread at a time while it grows; shared once built. */
typedef struct tokenizer_trie {
    const ondol_allocator *allocator;
    trie_edge *edges; /* child 0: free slot */
    size_t edge_capacity, n_edges;
    int32_t *values; /* [n_nodes]: -1 none */
    size_t value_capacity, n_nodes;
    uint32_t first[256]; /* the root's children */
    uint64_t multiplier; /* odd and secret: no file can choose colliding edges */
    unsigned shift;
} tokenizer_trie;

/* Takes no memory until the first string. */
void trie_init(tokenizer_trie *trie, const ondol_allocator *allocator);
void trie_destroy(tokenizer_trie *trie);

/* Adds a string with value >= 0; the first of equal strings stays. Empty and overlong strings are
 * left out. Errors: MEMORY, LIMIT (2^32 nodes). */
ondol_status trie_add(tokenizer_trie *trie, const char *text, size_t size, int32_t value,
                      ondol_error *err);

/* The child of node by that byte, or TRIE_NO_NODE. */
uint32_t trie_step(const tokenizer_trie *trie, uint32_t node, unsigned char byte);

/* The value of the string that ends at node, or -1. */
static inline int32_t trie_value(const tokenizer_trie *trie, uint32_t node) {
    return trie->values[node];
}

#endif
