/* Unigram, WordPiece and WordLevel as the tokenizers library has them. In: a piece. Out: ids. */
#include <float.h>
#include <string.h>

#include "base/utf8.h"
#include "text/hugging_face/hf_pipeline.h"

#define UNKNOWN_PENALTY 10.0

int32_t hf_vocab_find(const hf_work *work, const char *text, size_t n) {
    uint32_t id = 0;
    if (!base_map_get(&work->hf->vocab, text, n, &id)) return HF_NO_ID;
    return hf_hidden(work, (int32_t)id) ? HF_NO_ID : (int32_t)id;
}

static size_t char_bytes(const char *text, size_t n) {
    uint32_t code = 0;
    const size_t used = base_utf8_decode((const unsigned char *)text, n, &code);
    return used ? used : 1;
}

/* ---- Unigram: the split whose scores sum highest (Kudo 2018) ---- */

typedef struct best_split {
    double score;
    int32_t id; /* of what ends here */
    uint32_t start;
    bool reached;
} best_split;

static void offer(best_split *at, double score, int32_t id, size_t start) {
    if (at->reached && !(score > at->score)) return;
    *at = (best_split){score, id, (uint32_t)start, true};
}

/* Goes on from text[i] with each token that starts there. */
static void extend(const hf_work *work, const char *text, size_t n, size_t i, size_t first_bytes,
                   best_split *best) {
    const hf_pipeline *hf = work->hf;
    const double score = best[i].score;
    bool single = false;
    uint32_t node = hf->pieces.n_nodes > 0 ? TRIE_ROOT : TRIE_NO_NODE;
    for (size_t end = i; end < n && node != TRIE_NO_NODE;) {
        node = trie_step(&hf->pieces, node, (unsigned char)text[end++]);
        if (node == TRIE_NO_NODE) break;
        const int32_t id = trie_value(&hf->pieces, node);
        if (id < 0 || hf_hidden(work, id)) continue;
        if (end - i == first_bytes) single = true;
        offer(&best[end], score + hf->scores[id], id, i);
    }
    if (!single)
        offer(&best[i + first_bytes], score + hf->lowest_score - UNKNOWN_PENALTY, hf->unknown_id,
              i);
}

/* The ids of text[from..end), of which `id` was found; unknown ones may be several in a row. */
static void put_found(hf_work *work, const char *text, size_t from, size_t end, int32_t id) {
    const hf_pipeline *hf = work->hf;
    if (id != hf->unknown_id) {
        hf_put(work, id);
        return;
    }
    const int32_t whole = hf_vocab_find(work, text + from, end - from);
    bool bytes = hf->byte_fallback && whole < 0;
    for (size_t i = from; i < end && bytes; i++)
        bytes = hf->byte_tokens[(unsigned char)text[i]] >= 0;
    for (size_t i = from; i < end && bytes; i++)
        hf_put(work, hf->byte_tokens[(unsigned char)text[i]]);
    if (bytes) return;
    if (whole >= 0) hf_put(work, whole);
    if (whole < 0 && hf->unknown_id >= 0) hf_put(work, hf->unknown_id);
}

/* Turns the chain of starts around, so that best[start].start is where the token ends, its id there
 * too; then puts them in order, unknown ones in a row as one. */
static void put_best(hf_work *work, const char *text, size_t n, best_split *best) {
    size_t next = n;
    int32_t next_id = HF_NO_ID;
    for (size_t at = n;;) {
        const size_t start = best[at].start;
        const int32_t id = best[at].id;
        best[at].start = (uint32_t)next;
        best[at].id = next_id;
        if (at == 0) break;
        next = at;
        next_id = id;
        at = start;
    }
    for (size_t at = 0; at < n;) {
        const int32_t id = best[at].id;
        size_t end = best[at].start;
        while (id == work->hf->unknown_id && end < n && best[end].id == id)
            end = best[end].start;
        put_found(work, text, at, end, id);
        at = end;
    }
}

ondol_status hf_unigram_encode(hf_work *work, const char *text, size_t n) {
    best_split *best = hf_scratch(work, n + 1, sizeof *best);
    if (!best) return base_no_memory(work->err, "the best split of a text", n * sizeof *best);
    memset(best, 0, (n + 1) * sizeof *best);
    for (size_t i = 0; i < n;) {
        const size_t used = char_bytes(text + i, n - i);
        extend(work, text, n, i, used, best);
        i += used;
    }
    put_best(work, text, n, best);
    return ONDOL_OK;
}

/* ---- WordPiece: the longest tokens from the left (Devlin et al. 2018) ---- */

static void put_unknown(hf_work *work) {
    if (work->hf->unknown_id >= 0) hf_put(work, work->hf->unknown_id);
}

/* The longest token at text[at], or -1; *end. */
static int32_t longest_piece(const hf_work *work, const char *text, size_t n, size_t at,
                             size_t *end) {
    const hf_pipeline *hf = work->hf;
    uint32_t node = at > 0 ? hf->prefix_node : TRIE_ROOT;
    int32_t found = HF_NO_ID;
    if (hf->pieces.n_nodes == 0) return HF_NO_ID;
    for (size_t i = at; i < n && node != TRIE_NO_NODE; i++) {
        node = trie_step(&hf->pieces, node, (unsigned char)text[i]);
        if (node == TRIE_NO_NODE) break;
        const int32_t id = trie_value(&hf->pieces, node);
        if (id < 0 || hf_hidden(work, id)) continue;
        found = id;
        *end = i + 1;
    }
    return found;
}

void hf_wordpiece_encode(hf_work *work, const char *text, size_t n) {
    const size_t first = work->count;
    size_t chars = 0;
    for (size_t at = 0; at < n && chars <= work->hf->word_chars_max; chars++)
        at += char_bytes(text + at, n - at);
    size_t at = 0;
    while (at < n && chars <= work->hf->word_chars_max) {
        size_t end = at;
        const int32_t id = longest_piece(work, text, n, at, &end);
        if (id < 0) break;
        hf_put(work, id);
        at = end;
    }
    if (at == n) return;
    work->count = first;
    put_unknown(work);
}

/* ---- WordLevel ---- */

void hf_word_level_encode(hf_work *work, const char *text, size_t n) {
    const int32_t id = hf_vocab_find(work, text, n);
    if (id >= 0) hf_put(work, id);
    if (id < 0) put_unknown(work);
}
