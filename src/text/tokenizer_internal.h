/* What the parts of the tokenizer share. */
#ifndef TEXT_TOKENIZER_INTERNAL_H
#define TEXT_TOKENIZER_INTERNAL_H

#include "base/arena.h"
#include "base/map.h"
#include "text/pretokenizer.h"
#include "text/text_tokenizer.h"
#include "text/tokenizer_bpe.h"
#include "text/tokenizer_charsmap.h"
#include "text/tokenizer_merge.h"
#include "text/tokenizer_trie.h"

struct hf_pipeline;

/* Flags of a token: 1 << text_token_type, and: */
#define TOKEN_STRIP_LEFT  (1u << 8)
#define TOKEN_STRIP_RIGHT (1u << 9)
#define TOKEN_ENDS        (1u << 10) /* ends a generation */
#define TOKEN_IS(type)    (1u << (type))
#define TOKEN_NORMAL      TOKEN_IS(TEXT_TOKEN_NORMAL)
#define TOKEN_CONTROL     TOKEN_IS(TEXT_TOKEN_CONTROL)
#define TOKEN_UNKNOWN     TOKEN_IS(TEXT_TOKEN_UNKNOWN)
#define TOKEN_USER        TOKEN_IS(TEXT_TOKEN_USER_DEFINED)
#define TOKEN_UNUSED      TOKEN_IS(TEXT_TOKEN_UNUSED)
#define TOKEN_BYTE        TOKEN_IS(TEXT_TOKEN_BYTE)
#define TOKEN_HIDDEN      (TOKEN_CONTROL | TOKEN_UNKNOWN) /* no plain text gives these */
#define TOKEN_SPECIAL     (TOKEN_HIDDEN | TOKEN_USER)
#define TOKEN_TYPES       0x7fu

/* U+2581, which stands for a space within tokens. */
#define ESCAPED_SPACE       "\xe2\x96\x81"
#define ESCAPED_SPACE_BYTES 3u

/* Many strings in one block: string i is bytes[offsets[i]..offsets[i + 1]). */
typedef struct string_pool {
    char *bytes;
    size_t *offsets;
} string_pool;

static inline text_view pool_at(const string_pool *pool, size_t i) {
    return (text_view){pool->bytes + pool->offsets[i], pool->offsets[i + 1] - pool->offsets[i]};
}

struct text_tokenizer {
    const ondol_allocator *allocator;
    text_kind kind;
    size_t n_tokens; /* < 2^31 */

    string_pool texts;  /* as in the vocabulary */
    string_pool pieces; /* what normal tokens stand for, in plain bytes */
    float *scores;      /* [n_tokens] */
    uint16_t *flags;    /* [n_tokens] */
    int32_t special_ids[TEXT_SPECIAL_COUNT];
    int32_t byte_ids[256]; /* the token of a byte, -1: none */

    bool add_bos, add_eos, add_sep;
    bool add_space_prefix, remove_extra_whitespaces, whitespace_as_suffix, escape_whitespaces;
    bool ignore_merges, byte_letters; /* byte_letters: BPE tokens are in GPT-2's letters */
    bool lowercase, strip_accents, newline_runs, dna_kmers, drop_whitespace;
    size_t max_word_chars;

    base_map symbols; /* text (byte_letters: piece) -> id, of all but hidden tokens and bytes */
    size_t symbol_bytes_max; /* the longest of those texts */
    bool before_space[256];  /* a token has U+2581 behind this byte: see spm_chunk_end */
    tokenizer_trie specials; /* control, unknown and user-defined tokens */
    tokenizer_trie words;    /* WordPiece, Unigram, RWKV, PLaMo-2: all that text can match */
    bpe_merges merges;       /* BPE */
    pretokenizer *pre;       /* BPE */
    charsmap normalizer;     /* Unigram */
    double unknown_score;    /* Unigram */
    int32_t dna_open, dna_close, dna_unknown;

    struct hf_pipeline *hf; /* of a tokenizer.json, or NULL: then it does all that differs */
};

/* ---- building (tokenizer_vocab.c, tokenizer_names.c, tokenizer_create.c) ---- */

/* Copies texts, scores, types and strip flags; resolves special ids and switches. */
ondol_status tokenizer_vocab_fill(text_tokenizer *tok, const text_spec *spec,
                                  const pretokenizer_row *row, ondol_error *err);

/* Corrects types by what a token's text says, finds roles that the file left open, and marks the
 * tokens that end a generation. */
void tokenizer_names_apply(text_tokenizer *tok);

/* Fills pieces: from texts with U+2581 as spaces, from GPT-2's letters, from RWKV's escapes. */
ondol_status tokenizer_pieces_fill(text_tokenizer *tok, ondol_error *err);

/* Notes a text that merges can reach: its length, what stands before a space in it. */
void tokenizer_note_symbol(text_tokenizer *tok, const char *text, size_t n);

/* Reads one character of text as a letter of GPT-2's alphabet of bytes. -1: it is none. */
int byte_letter_decode(uint32_t code);

/* The bytes of a text written in that alphabet to dst (at least size bytes, or NULL); false when
 * some character is none of its letters. */
bool byte_letters_decode(const char *text, size_t size, char *dst, size_t *dst_size);

/* Hybrid DNA vocabularies: a k-mer has this mark behind it, so that it is no word of the BPE. */
#define KMER_MARK "\xee\x80\x80"
bool tokenizer_is_kmer(const text_tokenizer *tok, text_view text);

/* "<0xHH>" -> 0 to 255, -1 when text is not that. */
int byte_token_value(text_view text);

/* ---- tokenizing ---- */

/* Where ids go, and what one call of text_tokenize needs. */
typedef struct encoder {
    const text_tokenizer *tok;
    int32_t *ids;
    size_t cap, count;
    merge_work merges;
    pretokenizer_work words;
    base_buffer text, other; /* scratch */
    ondol_error *err;
} encoder;

/* Appends an id, which counts even when there is no room for it. */
void encoder_put(encoder *e, int32_t id);

/* One piece of text without special tokens -> ids. text is never empty. */
ondol_status encode_spm(encoder *e, const char *text, size_t n, bool space_first);
ondol_status encode_bpe(encoder *e, const char *text, size_t n);
ondol_status encode_wordpiece(encoder *e, const char *text, size_t n);
ondol_status encode_unigram(encoder *e, const char *text, size_t n);
ondol_status encode_rwkv(encoder *e, const char *text, size_t n);
ondol_status encode_plamo2(encoder *e, const char *text, size_t n);

/* Two ways around BPE; encode takes the parts that are plain text. */
typedef ondol_status (*encode_part)(encoder *e, const char *text, size_t n);
ondol_status encode_bpe_segments(encoder *e, const char *text, size_t n, encode_part encode);
ondol_status encode_bpe_dna(encoder *e, const char *text, size_t n, encode_part encode);

/* Where the text from `from` on may be cut, at most `end`: before a U+2581 behind a byte that no
 * token has before one, so that nothing merges across. It keeps the heap small. */
size_t tokenizer_chunk_end(const text_tokenizer *tok, const char *text, size_t from, size_t end);

/* Joins the symbols of e->merges, which lie in text, and puts their ids; what is no token goes byte
 * by byte. */
ondol_status encode_merged(encoder *e, const char *text, merge_lookup lookup, const void *context);

/* The tokens of bytes, where there are some. */
void encode_bytes(encoder *e, const char *text, size_t n);

/* The id of a text that is a token and not hidden, or MERGE_NO_SYMBOL. */
uint32_t tokenizer_symbol(const text_tokenizer *tok, const char *text, size_t n);

/* dst = text with each byte that is no UTF-8 replaced by U+FFFD; text itself when it is all UTF-8.
 */
ondol_status encoder_valid_utf8(encoder *e, base_buffer *dst, const char **text, size_t *n);

/* dst = text with spaces as U+2581 (behind one of its own when space_first). */
ondol_status encoder_escape_spaces(encoder *e, base_buffer *dst, const char **text, size_t *n,
                                   bool space_first);

#endif
