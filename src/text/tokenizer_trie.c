/* Strings -> a trie whose edges lie in a hash table with open addressing. */
#include "text/tokenizer_trie.h"

#include <string.h>

#include "base/os.h"

void trie_init(tokenizer_trie *trie, const ondol_allocator *allocator) {
    *trie = (tokenizer_trie){.allocator = allocator};
    uint64_t seed[2];
    base_random_seed(seed);
    trie->multiplier = seed[0] | 1;
    for (size_t i = 0; i < 256; i++)
        trie->first[i] = TRIE_NO_NODE;
}

void trie_destroy(tokenizer_trie *trie) {
    if (!trie->allocator) return;
    base_free(trie->allocator, trie->edges);
    base_free(trie->allocator, trie->values);
    *trie = (tokenizer_trie){.allocator = NULL};
}

static trie_edge *trie_slot(const tokenizer_trie *trie, uint64_t key) {
    size_t mask = trie->edge_capacity - 1;
    size_t i = (size_t)((key * trie->multiplier) >> trie->shift);
    while (trie->edges[i].child != 0 && trie->edges[i].key != key)
        i = (i + 1) & mask;
    return &trie->edges[i];
}

static bool trie_grow_edges(tokenizer_trie *trie) {
    size_t capacity = trie->edge_capacity ? trie->edge_capacity * 2 : 256;
    trie_edge *edges = base_calloc(trie->allocator, capacity, sizeof *edges);
    if (!edges) return false;
    trie_edge *old = trie->edges;
    size_t old_capacity = trie->edge_capacity;
    trie->edges = edges;
    trie->edge_capacity = capacity;
    trie->shift = 64;
    for (size_t c = capacity; c > 1; c /= 2)
        trie->shift--;
    for (size_t i = 0; i < old_capacity; i++) {
        if (old[i].child != 0) *trie_slot(trie, old[i].key) = old[i];
    }
    base_free(trie->allocator, old);
    return true;
}

static bool trie_grow_values(tokenizer_trie *trie) {
    size_t capacity = trie->value_capacity ? trie->value_capacity * 2 : 256;
    int32_t *values = base_alloc(trie->allocator, capacity, sizeof *values);
    if (!values) return false;
    if (trie->n_nodes) memcpy(values, trie->values, trie->n_nodes * sizeof *values);
    base_free(trie->allocator, trie->values);
    trie->values = values;
    trie->value_capacity = capacity;
    return true;
}

/* A new node without a value; TRIE_NO_NODE when there is no memory or no number left. */
static uint32_t trie_new_node(tokenizer_trie *trie) {
    if (trie->n_nodes >= TRIE_NO_NODE - 1) return TRIE_NO_NODE;
    if (trie->n_nodes == trie->value_capacity && !trie_grow_values(trie)) return TRIE_NO_NODE;
    trie->values[trie->n_nodes] = -1;
    return (uint32_t)trie->n_nodes++;
}

static uint32_t trie_make_child(tokenizer_trie *trie, uint32_t node, unsigned char byte) {
    uint32_t child = trie_step(trie, node, byte);
    if (child != TRIE_NO_NODE) return child;
    if (trie->n_edges * 2 >= trie->edge_capacity && !trie_grow_edges(trie)) return TRIE_NO_NODE;
    child = trie_new_node(trie);
    if (child == TRIE_NO_NODE) return child;
    if (node == TRIE_ROOT) {
        trie->first[byte] = child;
        return child;
    }
    uint64_t key = (uint64_t)node << 8 | byte;
    *trie_slot(trie, key) = (trie_edge){key, child};
    trie->n_edges++;
    return child;
}

ondol_status trie_add(tokenizer_trie *trie, const char *text, size_t size, int32_t value,
                      ondol_error *err) {
    if (size == 0 || size > TRIE_STRING_MAX) return ONDOL_OK;
    if (trie->n_nodes == 0 && trie_new_node(trie) == TRIE_NO_NODE) {
        return base_no_memory(err, "a trie of tokens", 0);
    }
    uint32_t node = TRIE_ROOT;
    for (size_t i = 0; i < size; i++) {
        node = trie_make_child(trie, node, (unsigned char)text[i]);
        if (node != TRIE_NO_NODE) continue;
        if (trie->n_nodes < TRIE_NO_NODE - 1) {
            return base_no_memory(err, "a trie of tokens", trie->n_nodes);
        }
        return base_fail(err, ONDOL_E_LIMIT, "tokenizer: the trie of tokens is over 2^32 nodes");
    }
    if (trie->values[node] < 0) trie->values[node] = value;
    return ONDOL_OK;
}

uint32_t trie_step(const tokenizer_trie *trie, uint32_t node, unsigned char byte) {
    if (node == TRIE_ROOT) return trie->first[byte];
    if (!trie->edges) return TRIE_NO_NODE;
    const trie_edge *edge = trie_slot(trie, (uint64_t)node << 8 | byte);
    return edge->child != 0 ? edge->child : TRIE_NO_NODE;
}
