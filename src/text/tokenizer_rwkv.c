/* RWKV's world tokenizer: from the left, the longest token that fits. */
#include "text/tokenizer_internal.h"

ondol_status encode_rwkv(encoder *e, const char *text, size_t n) {
    const text_tokenizer *tok = e->tok;
    for (size_t at = 0; at < n;) {
        int32_t found = tok->special_ids[TEXT_UNK];
        size_t used = 1;
        uint32_t node = tok->words.n_nodes > 0 ? TRIE_ROOT : TRIE_NO_NODE;
        for (size_t i = at; i < n && node != TRIE_NO_NODE; i++) {
            node = trie_step(&tok->words, node, (unsigned char)text[i]);
            if (node == TRIE_NO_NODE || trie_value(&tok->words, node) < 0) continue;
            found = trie_value(&tok->words, node);
            used = i + 1 - at;
        }
        if (found >= 0) encoder_put(e, found);
        at += used;
    }
    return ONDOL_OK;
}
