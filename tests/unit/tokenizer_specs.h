/* Small vocabularies made by hand, one for each kind of tokenizer. */
#ifndef TOKENIZER_SPECS_H
#define TOKENIZER_SPECS_H

#include <stdio.h>

#include "base/utf8.h"
#include "fail_alloc.h"
#include "text/text_tokenizer.h"

#define SPACE_MARK "\xe2\x96\x81" /* U+2581 */

typedef struct vocab {
    text_spec spec;
    text_view tokens[640];
    float scores[640];
    uint8_t types[640], strip[640];
    text_merge merges[64];
    char pool[8192];
    size_t used;
} vocab;

static inline void vocab_init(vocab *v, text_kind kind) {
    memset(v, 0, sizeof *v);
    text_spec_init(&v->spec, kind);
    v->spec.tokens = v->tokens;
    v->spec.scores = v->scores;
    v->spec.types = v->types;
    v->spec.strip = v->strip;
    v->spec.merges = v->merges;
}

static inline text_view vocab_text(vocab *v, const char *text, size_t n) {
    assert_true(v->used + n <= sizeof v->pool);
    memcpy(v->pool + v->used, text, n);
    v->used += n;
    return (text_view){v->pool + v->used - n, n};
}

/* Appends a token; its id. */
static inline int32_t vocab_add(vocab *v, const char *text, float score, text_token_type type) {
    size_t id = v->spec.n_tokens++;
    assert_true(id < 640);
    v->tokens[id] = vocab_text(v, text, strlen(text));
    v->scores[id] = score;
    v->types[id] = (uint8_t)type;
    return (int32_t)id;
}

static inline int32_t vocab_word(vocab *v, const char *text) {
    return vocab_add(v, text, 0, TEXT_TOKEN_NORMAL);
}

static inline int32_t vocab_control(vocab *v, const char *text) {
    return vocab_add(v, text, 0, TEXT_TOKEN_CONTROL);
}

static inline void vocab_merge(vocab *v, const char *left, const char *right) {
    assert_true(v->spec.n_merges < 64);
    v->merges[v->spec.n_merges++] =
        (text_merge){vocab_text(v, left, strlen(left)), vocab_text(v, right, strlen(right))};
}

/* "<0x00>" to "<0xFF>"; the first's id. */
static inline int32_t vocab_bytes(vocab *v) {
    int32_t first = (int32_t)v->spec.n_tokens;
    for (int byte = 0; byte < 256; byte++) {
        char text[8];
        snprintf(text, sizeof text, "<0x%02X>", (unsigned)byte);
        vocab_add(v, text, 0, TEXT_TOKEN_BYTE);
    }
    return first;
}

/* GPT-2's letters for the bytes 0 to 255, in that order; the first's id. */
static inline int32_t vocab_letters(vocab *v) {
    int32_t first = (int32_t)v->spec.n_tokens;
    uint32_t next = 0x100;
    for (uint32_t byte = 0; byte < 256; byte++) {
        bool own = (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
        unsigned char text[5] = {0};
        text[base_utf8_encode(own ? byte : next++, text)] = 0;
        vocab_word(v, (const char *)text);
    }
    return first;
}

static inline void vocab_roles(vocab *v, int64_t bos, int64_t eos, int64_t unk) {
    v->spec.special_ids[TEXT_BOS] = bos;
    v->spec.special_ids[TEXT_EOS] = eos;
    v->spec.special_ids[TEXT_UNK] = unk;
}

/* <unk> 0, <s> 1, </s> 2, bytes 3 to 258, then words; scores as in SentencePiece: by rank. */
static inline void vocab_make_spm(vocab *v) {
    vocab_init(v, TEXT_KIND_SPM);
    vocab_add(v, "<unk>", 0, TEXT_TOKEN_UNKNOWN);
    vocab_control(v, "<s>");
    vocab_control(v, "</s>");
    vocab_bytes(v);
    static const char *const words[] = {SPACE_MARK "h",
                                        "el",
                                        "lo",
                                        SPACE_MARK "hello",
                                        SPACE_MARK "hel",
                                        "llo",
                                        "ell",
                                        SPACE_MARK "hell",
                                        SPACE_MARK SPACE_MARK,
                                        SPACE_MARK,
                                        "h",
                                        "e",
                                        "l",
                                        "o",
                                        "w"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        vocab_add(v, words[i], -(float)i, TEXT_TOKEN_NORMAL);
    vocab_control(v, "<|user|>");
    vocab_control(v, "<|end|>");
    vocab_add(v, "<tag>", 0, TEXT_TOKEN_USER_DEFINED);
}

/* Letters 0 to 255, <|end|> 256, words from 257 on. */
static inline void vocab_make_bpe(vocab *v, const char *pre) {
    vocab_init(v, TEXT_KIND_BPE);
    v->spec.pretokenizer = vocab_text(v, pre, strlen(pre));
    vocab_letters(v);
    vocab_control(v, "<|im_end|>");
    static const char *const words[] = {"he",  "ll", "hell",        "hello",         "\xc4\xa0w",
                                        "or",  "ld", "\xc4\xa0wor", "\xc4\xa0world", "12",
                                        "123", "zz"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        vocab_word(v, words[i]);
    vocab_merge(v, "h", "e");
    vocab_merge(v, "l", "l");
    vocab_merge(v, "he", "ll");
    vocab_merge(v, "hell", "o");
    vocab_merge(v, "\xc4\xa0", "w");
    vocab_merge(v, "o", "r");
    vocab_merge(v, "l", "d");
    vocab_merge(v, "\xc4\xa0w", "or");
    vocab_merge(v, "\xc4\xa0wor", "ld");
    vocab_merge(v, "1", "2");
    vocab_merge(v, "12", "3");
    vocab_roles(v, TEXT_ID_NONE, 256, TEXT_ID_NONE);
}

/* [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, words from 4 on. */
static inline void vocab_make_wordpiece(vocab *v) {
    vocab_init(v, TEXT_KIND_WORDPIECE);
    vocab_control(v, "[PAD]");
    vocab_add(v, "[UNK]", 0, TEXT_TOKEN_UNKNOWN);
    vocab_control(v, "[CLS]");
    vocab_control(v, "[SEP]");
    static const char *const words[] = {SPACE_MARK "un",
                                        "aff",
                                        "able",
                                        SPACE_MARK "cafe",
                                        SPACE_MARK ",",
                                        SPACE_MARK "!",
                                        SPACE_MARK "\xe4\xbd\xa0",
                                        SPACE_MARK "\xe5\xa5\xbd",
                                        SPACE_MARK "a",
                                        "b",
                                        SPACE_MARK "i",
                                        SPACE_MARK "\xc3\xa9"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        vocab_word(v, words[i]);
    vocab_roles(v, 2, TEXT_ID_NONE, 1);
    v->spec.special_ids[TEXT_SEP] = 3;
}

/* <pad> 0, </s> 1, <unk> 2, words from 3 on. */
static inline void vocab_make_unigram(vocab *v) {
    vocab_init(v, TEXT_KIND_UNIGRAM);
    vocab_control(v, "<pad>");
    vocab_control(v, "</s>");
    vocab_add(v, "<unk>", 0, TEXT_TOKEN_UNKNOWN);
    vocab_add(v, SPACE_MARK, -2, TEXT_TOKEN_NORMAL);
    vocab_add(v, "a", -3, TEXT_TOKEN_NORMAL);
    vocab_add(v, "b", -3, TEXT_TOKEN_NORMAL);
    vocab_add(v, "ab", -4, TEXT_TOKEN_NORMAL);
    vocab_add(v, "aba", -9, TEXT_TOKEN_NORMAL);
    vocab_add(v, SPACE_MARK "a", -4.5f, TEXT_TOKEN_NORMAL);
    v->spec.add_space_prefix = TEXT_SWITCH_ON;
}

/* No specials; words from 1 on, in RWKV's escapes. */
static inline void vocab_make_rwkv(vocab *v) {
    vocab_init(v, TEXT_KIND_RWKV);
    vocab_control(v, "<s>");
    static const char *const words[] = {"a",     "ab",        "abc", "\\n", "\\n\\n",
                                        "\\x00", "\\xff\\\\", "\\'", "\\t", "\xe4\xbd\xa0"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        vocab_word(v, words[i]);
}

/* unk 0, bos 1, eos 2, pad 3, bytes 4 to 259, words from 260 on. */
static inline void vocab_make_plamo2(vocab *v) {
    vocab_init(v, TEXT_KIND_PLAMO2);
    vocab_add(v, "<|plamo:unk|>", 0, TEXT_TOKEN_UNKNOWN);
    vocab_control(v, "<|plamo:bos|>");
    vocab_control(v, "<|plamo:eos|>");
    vocab_control(v, "<|plamo:pad|>");
    vocab_bytes(v);
    vocab_add(v, "a", -3, TEXT_TOKEN_NORMAL);
    vocab_add(v, "ab", -4, TEXT_TOKEN_NORMAL);
    vocab_add(v, "b", -2, TEXT_TOKEN_NORMAL);
    vocab_add(v, "bc", -1, TEXT_TOKEN_NORMAL);
}

static inline void vocab_make(vocab *v, text_kind kind) {
    switch (kind) {
    case TEXT_KIND_SPM: vocab_make_spm(v); return;
    case TEXT_KIND_BPE: vocab_make_bpe(v, "gpt-2"); return;
    case TEXT_KIND_WORDPIECE: vocab_make_wordpiece(v); return;
    case TEXT_KIND_UNIGRAM: vocab_make_unigram(v); return;
    case TEXT_KIND_RWKV: vocab_make_rwkv(v); return;
    case TEXT_KIND_PLAMO2: vocab_make_plamo2(v); return;
    default: fail_msg("kind %d", (int)kind);
    }
}

/* An open tokenizer on the C library's heap. */
typedef struct open_vocab {
    ondol_allocator heap;
    text_tokenizer *tok;
} open_vocab;

static inline void vocab_open(open_vocab *o, const vocab *v) {
    ondol_error err = {0};
    o->heap = base_default_allocator();
    ASSERT_OK(text_tokenizer_create(&o->heap, &v->spec, &o->tok, &err));
}

static inline void vocab_close(open_vocab *o) {
    text_tokenizer_destroy(o->tok);
}

#define IDS_MAX 4096u

/* Tokenizes n bytes into ids; the count. */
static inline size_t vocab_tokenize(const open_vocab *o, const char *text, size_t n, unsigned flags,
                                    int32_t *ids) {
    ondol_error err = {0};
    size_t count = 0;
    size_t again = 0;
    ASSERT_OK(text_tokenize(o->tok, text, n, flags, NULL, 0, &count, &err));
    assert_true(count <= IDS_MAX);
    ASSERT_OK(text_tokenize(o->tok, text, n, flags, ids, IDS_MAX, &again, &err));
    assert_int_equal(again, count);
    return count;
}

/* Asserts the ids of a text; the rest are the ids, up to -1. */
static inline void assert_ids(const open_vocab *o, const char *text, unsigned flags,
                              const int32_t *want) {
    static int32_t ids[IDS_MAX];
    size_t count = vocab_tokenize(o, text, strlen(text), flags, ids);
    size_t n = 0;
    while (want[n] != -1)
        n++;
    bool same = count == n && memcmp(ids, want, n * sizeof *want) == 0;
    if (same) return;
    char got[512] = "";
    for (size_t i = 0; i < count && strlen(got) < 490; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), " %d", (int)ids[i]);
    fail_msg("'%s': got%s", text, got);
}

#define IDS(...) ((const int32_t[]){__VA_ARGS__, -1})

/* Asserts the text of ids. */
static inline void assert_text(const open_vocab *o, const int32_t *ids, unsigned flags,
                               const char *want) {
    ondol_error err = {0};
    base_buffer out;
    size_t n = 0;
    while (ids[n] != -1)
        n++;
    base_buffer_init(&out, &o->heap, 1u << 20);
    ASSERT_OK(text_detokenize(o->tok, ids, n, flags, &out, &err));
    assert_string_equal(out.data ? out.data : "", want);
    base_buffer_destroy(&out);
}

#endif
