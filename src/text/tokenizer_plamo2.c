/* PLaMo-2: of all splits into tokens the one with the highest sum of scores, counted from the end
 * of the text; a character that no token covers goes byte by byte, at a high price. */
#include <math.h>

#include "base/utf8.h"
#include "text/tokenizer_internal.h"

#define PLAMO2_UNKNOWN_COST 10000000
#define PLAMO2_COST_MAX     20000000 /* a token that costs or gains this or more is none */

/* The best split of what lies behind a place in the text. */
typedef struct plamo2_best {
    int64_t cost;
    int32_t id;        /* of the first token; -1: bytes of one character */
    uint32_t end;      /* where that ends */
    uint32_t is_start; /* a character starts here */
} plamo2_best;

/* Ends the split of text[i..n) with each token that starts at i; the longest of equals stays. */
static void plamo2_step(const text_tokenizer *tok, const char *text, size_t n, size_t i,
                        size_t char_bytes, plamo2_best *best) {
    plamo2_best *at = &best[i];
    *at = (plamo2_best){best[i + char_bytes].cost + PLAMO2_UNKNOWN_COST, -1,
                        (uint32_t)(i + char_bytes), 1};
    uint32_t node = tok->words.n_nodes > 0 ? TRIE_ROOT : TRIE_NO_NODE;
    for (size_t end = i; end < n && node != TRIE_NO_NODE;) {
        node = trie_step(&tok->words, node, (unsigned char)text[end++]);
        if (node == TRIE_NO_NODE) break;
        int32_t id = trie_value(&tok->words, node);
        if (id < 0 || (end < n && !best[end].is_start)) continue;
        double cost = -round((double)tok->scores[id] * 1e4);
        if (cost >= PLAMO2_COST_MAX || cost <= -PLAMO2_COST_MAX) continue;
        int64_t total = best[end].cost + (int64_t)cost;
        if (total <= at->cost) *at = (plamo2_best){total, id, (uint32_t)end, 1};
    }
}

/* Where the character that ends before text[end] starts. */
static size_t plamo2_char_start(const char *text, size_t end) {
    size_t start = end - 1;
    while (start > 0 && end - start < 4 && ((unsigned char)text[start] & 0xc0) == 0x80)
        start--;
    return start;
}

ondol_status encode_plamo2(encoder *e, const char *text, size_t n) {
    ondol_status status = ONDOL_OK;
    plamo2_best *best = NULL;
    TRY(encoder_valid_utf8(e, &e->other, &text, &n));
    if (n >= 3 && (unsigned char)text[0] == 0xef && (unsigned char)text[1] == 0xbb &&
        (unsigned char)text[2] == 0xbf) { /* a byte order mark is no text */
        text += 3;
        n -= 3;
    }
    best = base_calloc(e->tok->allocator, n + 1, sizeof *best);
    if (!best) {
        status = base_no_memory(e->err, "the best split of a text", n * sizeof *best);
        goto done;
    }
    for (size_t end = n; end > 0;) {
        size_t start = plamo2_char_start(text, end);
        plamo2_step(e->tok, text, n, start, end - start, best);
        end = start;
    }
    for (size_t i = 0; i < n; i = best[i].end) {
        if (best[i].id >= 0) {
            encoder_put(e, best[i].id);
        } else {
            encode_bytes(e, text + i, best[i].end - i);
        }
    }
done:
    base_free(e->tok->allocator, best);
    return status;
}
