/* Two tokenizers around BPE: one in which white space only separates (jina-embeddings-v2 zh), and
 * one that cuts DNA between <dna> and </dna> in pieces of six letters. */
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "text/tokenizer_internal.h"
#include "text/tokenizer_unicode.h"

#define KMER_LETTERS 6u

ondol_status encode_bpe_segments(encoder *e, const char *text, size_t n, encode_part encode) {
    ondol_status status = ONDOL_OK;
    const unsigned char *bytes = (const unsigned char *)text;
    base_buffer segment;
    base_buffer_init(&segment, e->tok->allocator, SIZE_MAX / 2);
    for (size_t i = 0; i <= n;) {
        uint32_t code = ' ';
        size_t used = i < n ? base_utf8_decode(bytes + i, n - i, &code) : 1;
        if (used == 0) used = 1;
        i += used;
        if (i > n || unicode_is_space(code)) {
            if (segment.size > 0) TRY(encode(e, segment.data, segment.size));
            segment.size = 0;
            continue;
        }
        unsigned char utf8[4];
        if (e->tok->lowercase) code = unicode_lower(code);
        base_buffer_append(&segment, utf8, base_utf8_encode(code, utf8));
    }
    TRY(base_buffer_status(&segment, "a text without its white space", e->err));
done:
    base_buffer_destroy(&segment);
    return status;
}

/* Six letters, made capital; a shorter rest is filled up with A. */
static void dna_put_kmer(encoder *e, const char *text, size_t n) {
    char name[KMER_LETTERS + sizeof KMER_MARK];
    for (size_t i = 0; i < KMER_LETTERS; i++) {
        char c = i < n ? text[i] : 'A';
        name[i] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    memcpy(name + KMER_LETTERS, KMER_MARK, sizeof KMER_MARK);
    uint32_t id = tokenizer_symbol(e->tok, name, KMER_LETTERS + strlen(KMER_MARK));
    encoder_put(e, id < e->tok->n_tokens ? (int32_t)id : e->tok->dna_unknown);
}

/* The place of `tag` in text[from..n), or n. */
static size_t dna_find(const char *text, size_t from, size_t n, const char *tag) {
    size_t size = strlen(tag);
    while (n - from >= size) {
        const char *at = memchr(text + from, tag[0], n - from - size + 1);
        if (!at) break;
        from = (size_t)(at - text);
        if (memcmp(at, tag, size) == 0) return from;
        from++;
    }
    return n;
}

ondol_status encode_bpe_dna(encoder *e, const char *text, size_t n, encode_part encode) {
    ondol_status status = ONDOL_OK;
    for (size_t at = 0; at < n;) {
        size_t open = dna_find(text, at, n, "<dna>");
        if (open > at) TRY(encode(e, text + at, open - at));
        if (open == n) break;
        encoder_put(e, e->tok->dna_open);
        at = open + strlen("<dna>");
        size_t close = dna_find(text, at, n, "</dna>");
        for (; at < close; at += KMER_LETTERS) {
            dna_put_kmer(e, text + at, close - at);
            if (close - at <= KMER_LETTERS) break;
        }
        if (close == n) break;
        encoder_put(e, e->tok->dna_close);
        at = close + strlen("</dna>");
    }
done:
    return status;
}
