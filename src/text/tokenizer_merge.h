/* The merge loop that SPM and BPE share: of all neighbours that may be joined, the best pair goes
 * first, the leftmost of equals. A heap over a linked list: O(n log n). */
#ifndef TEXT_TOKENIZER_MERGE_H
#define TEXT_TOKENIZER_MERGE_H

#include <stdbool.h>

#include "base/mem.h"

#define MERGE_NO_SYMBOL UINT32_MAX /* a character that nothing merges with */

/* A piece of the text. size 0: it was merged into the one before it. */
typedef struct merge_symbol {
    uint32_t id; /* whatever the caller names it by */
    uint32_t start, size;
    uint32_t prev, next; /* places in the array; UINT32_MAX: none */
} merge_symbol;

/* A pair that may be joined, unless one of the two has changed since. */
typedef struct merge_candidate {
    uint32_t rank; /* the smallest goes first */
    uint32_t left, right;
    uint32_t size; /* of both together, when this was found */
    uint32_t id;   /* what the pair becomes */
} merge_candidate;

/* Whether left and right join: fills *rank and *id. */
typedef bool (*merge_lookup)(const void *context, const merge_symbol *left,
                             const merge_symbol *right, uint32_t *rank, uint32_t *id);

/* Scratch memory that many runs reuse. Thread class: one thread at a time. */
typedef struct merge_work {
    const ondol_allocator *allocator;
    merge_symbol *symbols;
    size_t n_symbols, symbol_capacity;
    merge_candidate *heap;
    size_t n_heap, heap_capacity;
} merge_work;

void merge_init(merge_work *work, const ondol_allocator *allocator);
void merge_destroy(merge_work *work);

/* Forgets all symbols. */
void merge_clear(merge_work *work);

/* Puts a symbol behind the others; false: no memory. At most 2^31 of them. */
bool merge_push(merge_work *work, uint32_t id, uint32_t start, uint32_t size);

/* Joins what can be joined. Afterwards symbols[0] begins the list. False: no memory. */
bool merge_run(merge_work *work, merge_lookup lookup, const void *context);

#endif
