/* Unigram: normalise by the character map, then the split whose scores sum highest (Viterbi over a
 * trie). Sources: Kudo 2018; SentencePiece's normalizer.cc and EncodeOptimized of unigram_model.cc.
 */
#include <float.h>
#include <string.h>

#include "base/utf8.h"
#include "text/tokenizer_internal.h"

/* How much longer a text may get by rewriting; NFKC's worst case is 11 times. */
#define NORMALIZED_GROWTH_MAX 64u

typedef struct unigram_normalizer {
    const text_tokenizer *tok;
    base_buffer *out;
    bool in_word, space_put;
} unigram_normalizer;

static void unigram_put_space(unigram_normalizer *u) {
    if (u->tok->escape_whitespaces) {
        base_buffer_append(u->out, ESCAPED_SPACE, ESCAPED_SPACE_BYTES);
    } else {
        base_buffer_append(u->out, " ", 1);
    }
}

static void unigram_put(unigram_normalizer *u, const char *bytes, size_t n) {
    const text_tokenizer *tok = u->tok;
    bool prefix = tok->add_space_prefix && !tok->whitespace_as_suffix;
    for (size_t i = 0; i < n; i++) {
        if (bytes[i] == ' ') {
            u->in_word = false;
            if (!tok->remove_extra_whitespaces) unigram_put_space(u);
            continue;
        }
        bool starts = !u->in_word;
        u->in_word = true;
        if (starts && ((prefix && !u->space_put) || tok->remove_extra_whitespaces)) {
            unigram_put_space(u);
            u->space_put = true;
        }
        base_buffer_append(u->out, bytes + i, 1);
    }
}

static ondol_status unigram_normalize(encoder *e, const char *text, size_t n) {
    const text_tokenizer *tok = e->tok;
    unigram_normalizer u = {.tok = tok, .out = &e->text};
    size_t max_bytes = n * NORMALIZED_GROWTH_MAX + 4096;
    e->text.size = 0;
    for (size_t i = 0; i < n && !e->text.fault;) {
        text_view to = {NULL, 0};
        size_t used = charsmap_match(&tok->normalizer, text + i, n - i, &to);
        if (used == 0) {
            uint32_t code = 0;
            used = base_utf8_decode((const unsigned char *)text + i, n - i, &code);
            to = used ? (text_view){text + i, used} : (text_view){"\xef\xbf\xbd", 3};
            if (used == 0) used = 1;
        }
        if (e->text.size + to.size * ESCAPED_SPACE_BYTES > max_bytes) {
            return base_fail(e->err, ONDOL_E_LIMIT,
                             "tokenize: the vocabulary's charsmap makes the text more than %u "
                             "times as long",
                             NORMALIZED_GROWTH_MAX);
        }
        unigram_put(&u, to.data, to.size);
        i += used;
    }
    if (tok->add_space_prefix && tok->whitespace_as_suffix) unigram_put_space(&u);
    return base_buffer_status(&e->text, "a normalised text", e->err);
}

/* The best split of what lies before a place in the text: its last token and where that starts. */
typedef struct unigram_best {
    double score;
    int32_t id; /* -1: unknown */
    uint32_t start;
} unigram_best;

static void unigram_offer(unigram_best *at, double score, int32_t id, size_t start) {
    if (score > at->score) *at = (unigram_best){score, id, (uint32_t)start};
}

/* Extends the best split up to text[i] by each token that starts there. */
static void unigram_step(const text_tokenizer *tok, const char *text, size_t n, size_t i,
                         size_t char_bytes, unigram_best *best) {
    double score = best[i].score;
    bool whole_char = false;
    uint32_t node = TRIE_ROOT;
    if (tok->words.n_nodes == 0) node = TRIE_NO_NODE;
    for (size_t end = i; end < n && node != TRIE_NO_NODE;) {
        node = trie_step(&tok->words, node, (unsigned char)text[end++]);
        if (node == TRIE_NO_NODE) break;
        int32_t id = trie_value(&tok->words, node);
        if (id < 0) continue;
        if (end - i == char_bytes) whole_char = true;
        double own = tok->flags[id] & TOKEN_USER ? 0.0 : (double)tok->scores[id];
        unigram_offer(&best[end], score + own, id, i);
    }
    if (!whole_char) {
        unigram_offer(&best[i + char_bytes], score + tok->unknown_score, -1, i);
    }
}

static size_t unigram_char_bytes(const char *text, size_t n) {
    uint32_t code = 0;
    size_t used = base_utf8_decode((const unsigned char *)text, n, &code);
    return used ? used : 1;
}

/* Puts the tokens on the best way to the end. */
static void unigram_put_best(encoder *e, const char *text, size_t n, unigram_best *best) {
    const text_tokenizer *tok = e->tok;
    bool bytes = tok->byte_ids[0] >= 0 && tok->flags[tok->byte_ids[0]] & TOKEN_BYTE;
    size_t next = n;
    /* Turns the chain of starts around: best[start].start becomes where the token ends. */
    for (size_t at = n; at > 0;) {
        size_t start = best[at].start;
        best[at].start = (uint32_t)next;
        next = at;
        at = start;
    }
    bool was_unknown = false;
    size_t start = 0;
    for (size_t at = next; n > 0;) {
        int32_t id = best[at].id;
        if (id >= 0) {
            encoder_put(e, id);
        } else if (bytes) {
            encode_bytes(e, text + start, at - start);
        } else if (!was_unknown && tok->special_ids[TEXT_UNK] >= 0) {
            encoder_put(e, tok->special_ids[TEXT_UNK]);
        }
        was_unknown = id < 0;
        if (at == n) break;
        start = at;
        at = best[at].start;
    }
}

ondol_status encode_unigram(encoder *e, const char *text, size_t n) {
    ondol_status status = ONDOL_OK;
    unigram_best *best = NULL;
    TRY(unigram_normalize(e, text, n));
    text = e->text.data;
    n = e->text.size;
    best = base_alloc(e->tok->allocator, n + 1, sizeof *best);
    if (!best) {
        status = base_no_memory(e->err, "the best split of a text", n * sizeof *best);
        goto done;
    }
    for (size_t i = 0; i <= n; i++)
        best[i] = (unigram_best){-DBL_MAX, -1, 0};
    best[0].score = 0.0;
    for (size_t i = 0; i < n;) {
        size_t char_bytes = unigram_char_bytes(text + i, n - i);
        unigram_step(e->tok, text, n, i, char_bytes, best);
        i += char_bytes;
    }
    unigram_put_best(e, text, n, best);
done:
    base_free(e->tok->allocator, best);
    return status;
}
