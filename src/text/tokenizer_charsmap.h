/* SentencePiece's precompiled character map: which strings are rewritten to what. A double array
 * trie, XOR-compressed (Kanda 2018), then the replacements, each ended by 0. */
#ifndef TEXT_TOKENIZER_CHARSMAP_H
#define TEXT_TOKENIZER_CHARSMAP_H

#include "base/mem.h"
#include "text/text_spec.h"

/* Thread class: shared once read. Zeroed: no map. */
typedef struct charsmap {
    const ondol_allocator *allocator;
    uint32_t *nodes;
    size_t n_nodes;
    char *replacements; /* ends in 0 */
    size_t replacement_bytes;
} charsmap;

/* Copies the map. Errors: FORMAT, MEMORY. */
ondol_status charsmap_read(const ondol_allocator *allocator, text_view bytes, charsmap *out,
                           ondol_error *err);
void charsmap_destroy(charsmap *map);

/* Bytes of the longest string at the start of text[0..n) that is rewritten, and what to; 0: none.
 * At most CHARSMAP_MATCH_MAX bytes are looked at, and no read leaves the map whatever it holds. */
#define CHARSMAP_MATCH_MAX 128u
size_t charsmap_match(const charsmap *map, const char *text, size_t n, text_view *replacement);

/* The same for the shortest such string, as the tokenizers library has it. */
size_t charsmap_first(const charsmap *map, const char *text, size_t n, text_view *replacement);

#endif
