/* The merges of a BPE vocabulary as a table: pair of symbols -> rank, symbol. */
#ifndef TEXT_TOKENIZER_BPE_H
#define TEXT_TOKENIZER_BPE_H

#include "base/arena.h"
#include "base/map.h"
#include "text/text_spec.h"

typedef struct bpe_slot {
    uint64_t pair; /* left << 32 | right */
    uint32_t rank; /* UINT32_MAX: free slot */
    uint32_t id;
} bpe_slot;

/* Symbols below n_tokens are tokens; above are texts that only merges name. */
typedef struct bpe_merges {
    const ondol_allocator *allocator;
    bpe_slot *slots;
    size_t capacity;     /* a power of two, or 0 */
    uint64_t multiplier; /* odd and secret: no file can choose colliding pairs */
    unsigned shift;
    base_arena names; /* texts of the symbols that are no tokens */
    size_t n_names;
    uint32_t byte_symbols[256]; /* byte letters: the symbol of each byte, or MERGE_NO_SYMBOL */
} bpe_merges;

struct text_tokenizer;

/* Builds the table; adds to tok->symbols what only merges name. Errors: MEMORY, LIMIT. */
ondol_status bpe_merges_fill(struct text_tokenizer *tok, const text_spec *spec, ondol_error *err);
void bpe_merges_destroy(bpe_merges *merges); /* takes a zeroed one */

#endif
