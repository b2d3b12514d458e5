/* WordPiece: clean, lower-case, strip accents, split at white space, marks and CJK; each word is
 * then the longest tokens from the left, or unknown. Source: Devlin et al. 2018; Hugging Face's
 * BertNormalizer and BertPreTokenizer. In GGUF a token that starts a word has U+2581 before it. */
#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"
#include "text/tokenizer_internal.h"
#include "text/tokenizer_unicode.h"

#define NFD_CODES_MAX 32

typedef struct wordpiece {
    encoder *e;
    base_buffer *word; /* U+2581, then the word so far */
    size_t chars;      /* of the word */
} wordpiece;

/* The blocks that BertNormalizer puts spaces around; its Rust source has 2b920, not 2b820. */
static bool wordpiece_is_cjk(uint32_t code) {
    return (code >= 0x4e00 && code <= 0x9fff) || (code >= 0x3400 && code <= 0x4dbf) ||
           (code >= 0x20000 && code <= 0x2a6df) || (code >= 0x2a700 && code <= 0x2b73f) ||
           (code >= 0x2b740 && code <= 0x2b81f) || (code >= 0x2b920 && code <= 0x2ceaf) ||
           (code >= 0xf900 && code <= 0xfaff) || (code >= 0x2f800 && code <= 0x2fa1f);
}

/* The longest token at text[at], or -1; *used bytes. */
static int32_t wordpiece_longest(const text_tokenizer *tok, const char *text, size_t n, size_t at,
                                 size_t *used) {
    int32_t found = -1;
    uint32_t node = TRIE_ROOT;
    bool marked =
        n - at >= ESCAPED_SPACE_BYTES && memcmp(text + at, ESCAPED_SPACE, ESCAPED_SPACE_BYTES) == 0;
    if (marked && at > 0) return -1; /* the text's own U+2581: tokens have it for a word's start */
    for (size_t i = at; i < n; i++) {
        node = trie_step(&tok->words, node, (unsigned char)text[i]);
        if (node == TRIE_NO_NODE) break;
        if (trie_value(&tok->words, node) < 0) continue;
        found = trie_value(&tok->words, node);
        *used = i + 1 - at;
    }
    return found;
}

/* Puts the word's tokens, or the unknown token when it has no such split. */
static void wordpiece_flush(wordpiece *w) {
    encoder *e = w->e;
    size_t n = w->word->size;
    size_t first = e->count;
    size_t at = 0;
    if (w->chars == 0) return;
    if (w->chars > e->tok->max_word_chars) n = 0;
    while (at < n) {
        size_t used = 0;
        int32_t id = wordpiece_longest(e->tok, w->word->data, n, at, &used);
        if (id < 0) break;
        encoder_put(e, id);
        at += used;
    }
    if (n == 0 || at < n) {
        e->count = first;
        if (e->tok->special_ids[TEXT_UNK] >= 0) encoder_put(e, e->tok->special_ids[TEXT_UNK]);
    }
    w->word->size = 0;
    w->chars = 0;
}

static void wordpiece_append(wordpiece *w, uint32_t code) {
    unsigned char utf8[4];
    if (w->chars++ == 0) base_buffer_append(w->word, ESCAPED_SPACE, ESCAPED_SPACE_BYTES);
    if (w->chars > w->e->tok->max_word_chars) return; /* unknown anyway */
    base_buffer_append(w->word, utf8, base_utf8_encode(code, utf8));
}

/* One character after accents were stripped. */
static void wordpiece_character(wordpiece *w, uint32_t code) {
    const text_tokenizer *tok = w->e->tok;
    if (tok->strip_accents && unicode_is_nonspacing_mark(code)) return;
    bool alone = unicode_is_punctuation(code) || wordpiece_is_cjk(code);
    if (alone) wordpiece_flush(w);
    if (tok->lowercase && code == 0x130) { /* the one whose lower case is two characters */
        wordpiece_append(w, 'i');
        code = 0x307;
    }
    wordpiece_append(w, tok->lowercase ? unicode_lower(code) : code);
    if (alone) wordpiece_flush(w);
}

/* One character of the text. */
static void wordpiece_normalize(wordpiece *w, uint32_t code) {
    utf8proc_int32_t codes[NFD_CODES_MAX];
    bool line_space = code == '\t' || code == '\n' || code == '\r';
    if (code == 0 || code == 0xfffd || (!line_space && unicode_is_other(code))) return;
    if (unicode_is_space(code)) {
        wordpiece_flush(w);
        return;
    }
    utf8proc_ssize_t n = 1;
    codes[0] = (utf8proc_int32_t)code;
    if (w->e->tok->strip_accents && code >= 0x80) {
        int last_class = 0;
        n = utf8proc_decompose_char((utf8proc_int32_t)code, codes, NFD_CODES_MAX,
                                    UTF8PROC_DECOMPOSE, &last_class);
        if (n < 1 || n > NFD_CODES_MAX) {
            codes[0] = (utf8proc_int32_t)code;
            n = 1;
        }
    }
    for (utf8proc_ssize_t i = 0; i < n; i++)
        wordpiece_character(w, (uint32_t)codes[i]);
}

ondol_status encode_wordpiece(encoder *e, const char *text, size_t n) {
    const unsigned char *bytes = (const unsigned char *)text;
    wordpiece w = {.e = e, .word = &e->text};
    w.word->size = 0;
    for (size_t i = 0; i < n;) {
        uint32_t code = 0xfffd;
        size_t used = base_utf8_decode(bytes + i, n - i, &code);
        wordpiece_normalize(&w, used ? code : 0xfffd);
        if (w.word->fault) break;
        i += used ? used : 1;
    }
    wordpiece_flush(&w);
    return base_buffer_status(w.word, "a word", e->err);
}
