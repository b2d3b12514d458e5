/* The steps of a tokenizer.json as they are kept, and what tokenizing with them needs. */
#ifndef TEXT_HF_PIPELINE_H
#define TEXT_HF_PIPELINE_H

#include "base/arena.h"
#include "base/map.h"
#include "text/hugging_face/hf_regex.h"
#include "text/tokenizer_internal.h"

#define HF_NO_ID (-1)

typedef enum hf_normalizer_kind {
    HF_NORMALIZE_BERT,
    HF_NORMALIZE_STRIP,
    HF_NORMALIZE_STRIP_ACCENTS,
    HF_NORMALIZE_NFC,
    HF_NORMALIZE_NFD,
    HF_NORMALIZE_NFKC,
    HF_NORMALIZE_NFKD,
    HF_NORMALIZE_LOWERCASE,
    HF_NORMALIZE_NMT,
    HF_NORMALIZE_PRECOMPILED,
    HF_NORMALIZE_REPLACE,
    HF_NORMALIZE_PREPEND,
    HF_NORMALIZE_BYTE_LEVEL
} hf_normalizer_kind;

typedef struct hf_normalizer {
    struct hf_normalizer *next;
    hf_normalizer_kind kind;
    bool clean_text, chinese, strip_accents, lowercase; /* Bert */
    bool left, right;                                   /* Strip */
    hf_regex *pattern;                                  /* Replace */
    text_view content;                                  /* Replace, Prepend */
    charsmap map;                                       /* Precompiled */
} hf_normalizer;

/* What becomes of a match that splits a text. */
typedef enum hf_behavior {
    HF_REMOVED,
    HF_ISOLATED,
    HF_MERGED_WITH_PREVIOUS,
    HF_MERGED_WITH_NEXT,
    HF_CONTIGUOUS
} hf_behavior;

typedef enum hf_prepend { HF_PREPEND_ALWAYS, HF_PREPEND_FIRST, HF_PREPEND_NEVER } hf_prepend;

typedef enum hf_pretokenizer_kind {
    HF_PRE_BYTE_LEVEL,
    HF_PRE_DELIMITER,
    HF_PRE_METASPACE,
    HF_PRE_WHITESPACE,       /* words, and runs of what is neither word nor space */
    HF_PRE_WHITESPACE_SPLIT, /* what lies between spaces */
    HF_PRE_PUNCTUATION,
    HF_PRE_SPLIT,
    HF_PRE_DIGITS,
    HF_PRE_SCRIPTS,
    HF_PRE_FIXED_LENGTH
} hf_pretokenizer_kind;

typedef struct hf_pretokenizer {
    struct hf_pretokenizer *next;
    hf_pretokenizer_kind kind;
    hf_behavior behavior;       /* Punctuation, Split, Digits */
    bool invert;                /* Split: matches are what the pattern does not match */
    bool prefix_space;          /* ByteLevel */
    bool split;                 /* Metaspace */
    hf_prepend prepend;         /* Metaspace */
    unsigned char character[4]; /* Metaspace's sign, Delimiter's */
    size_t character_bytes;
    size_t length;     /* FixedLength, characters */
    hf_regex *pattern; /* Split; ByteLevel: GPT-2's or NULL */
} hf_pretokenizer;

typedef enum hf_decoder_kind {
    HF_DECODE_BPE,
    HF_DECODE_BYTE_LEVEL,
    HF_DECODE_WORDPIECE,
    HF_DECODE_METASPACE,
    HF_DECODE_CTC,
    HF_DECODE_REPLACE,
    HF_DECODE_FUSE,
    HF_DECODE_STRIP,
    HF_DECODE_BYTE_FALLBACK
} hf_decoder_kind;

typedef struct hf_decoder {
    struct hf_decoder *next;
    hf_decoder_kind kind;
    text_view text;     /* suffix, prefix, pad token, replacement */
    text_view other;    /* CTC: word delimiter */
    bool cleanup;       /* WordPiece, CTC */
    bool keeps_first;   /* Metaspace: the first sign is a space, too */
    uint32_t character; /* Metaspace, Strip */
    size_t start, stop; /* Strip: at most so many characters */
    hf_regex *pattern;  /* Replace */
} hf_decoder;

typedef struct hf_added {
    text_view content, pattern; /* pattern: the content, normalised where it is to be */
    int32_t id;
    bool single_word, left, right, normalized, special;
} hf_added;

typedef enum hf_model_kind {
    HF_MODEL_BPE,
    HF_MODEL_UNIGRAM,
    HF_MODEL_WORDPIECE,
    HF_MODEL_WORD_LEVEL
} hf_model_kind;

/* What TEXT_ADD_SPECIAL gives around a text: ids, and where the text itself goes. */
#define HF_SEQUENCE (-1)
typedef struct hf_layout {
    int32_t *items;
    size_t count;
} hf_layout;

/* Thread class: shared once made. */
typedef struct hf_pipeline {
    const ondol_allocator *allocator;
    base_arena arena; /* steps, their texts */

    hf_normalizer *normalizers;
    hf_pretokenizer *pretokenizers;
    hf_decoder *decoders;
    bool joins_by_space; /* there is no decoder */

    hf_added *added;
    size_t n_added;
    base_map added_ids;                       /* content -> place in added */
    tokenizer_trie raw_tokens, normal_tokens; /* patterns -> place in added */
    hf_layout layouts[2];                     /* without, with special tokens */

    hf_model_kind model;
    base_map vocab; /* text -> id, of the model's own */
    size_t n_vocab;
    int32_t unknown_id; /* HF_NO_ID: none */
    bool fuse_unknown, byte_fallback, ignore_merges;
    text_view prefix, suffix; /* of what goes on in a word, of what ends one; empty: none */
    int32_t byte_tokens[256]; /* "<0xHH>" of the model's own, or HF_NO_ID */

    bpe_slot *merges; /* rank UINT32_MAX: free */
    size_t merge_capacity;
    uint64_t merge_multiplier;
    unsigned merge_shift;
    uint32_t letters[0x200]; /* ids of the first characters alone, or MERGE_NO_SYMBOL */

    tokenizer_trie pieces; /* Unigram, WordPiece */
    double *scores;        /* Unigram: [n_tokens] */
    double lowest_score;
    uint32_t prefix_node; /* WordPiece: where the trie stands behind the prefix, or none */
    size_t word_chars_max;
} hf_pipeline;

/* ---- tokenizing ---- */

/* A stretch of the text: to be cut further, or a token already. */
typedef struct hf_piece {
    size_t start, size;
    size_t at_start; /* bytes at its start that stem from the first character of the whole text */
    int32_t token;   /* place in added, or HF_NO_ID */
} hf_piece;

typedef struct hf_pieces {
    hf_piece *at;
    size_t count, capacity;
} hf_pieces;

/* Scratch of one call. */
typedef struct hf_work {
    const text_tokenizer *tok;
    const hf_pipeline *hf;
    ondol_error *err;
    bool hide; /* special tokens are not to come out of the text */
    int32_t *ids;
    size_t cap, count;
    base_buffer text, other; /* what the pieces lie in, what is being written */
    base_buffer one, two;    /* normalisation of one piece */
    hf_pieces pieces, next;
    hf_spans spans;
    hf_regex_work regex;
    merge_work merges;
    void *scratch; /* code points, the best split */
    size_t scratch_bytes;
} hf_work;

/* work->scratch has room for n * size bytes; NULL: no memory. */
void *hf_scratch(hf_work *work, size_t n, size_t size);

/* False: no memory. */
bool hf_piece_add(hf_work *work, hf_piece piece);

/* text (in *one, of at most max bytes) and how much of it stems from the whole text's first
 * character, through all normalizers. Errors: MEMORY, LIMIT. */
ondol_status hf_normalize(hf_work *work, const hf_normalizer *steps, size_t *at_start);

/* work->pieces, in work->text, cut and rewritten by all pre-tokenizers. Errors: as above. */
ondol_status hf_pretokenize(hf_work *work);

/* Cuts one piece at work->spans, which lie in it, by a behavior. False: no memory. */
bool hf_split(hf_work *work, const hf_piece *piece, hf_behavior behavior);

/* Pieces of the text that are added tokens, and the others, normalised. */
ondol_status hf_added_find(hf_work *work, const char *text, size_t n);

/* The ids of a piece. Errors: MEMORY. */
ondol_status hf_bpe_encode(hf_work *work, const char *text, size_t n);
ondol_status hf_unigram_encode(hf_work *work, const char *text, size_t n);
void hf_wordpiece_encode(hf_work *work, const char *text, size_t n);
void hf_word_level_encode(hf_work *work, const char *text, size_t n);

static inline void hf_put(hf_work *work, int32_t id) {
    if (work->count < work->cap) work->ids[work->count] = id;
    work->count++;
}

/* The model's own token of that text, or HF_NO_ID; special ones are none while work->hide. */
int32_t hf_vocab_find(const hf_work *work, const char *text, size_t n);

static inline bool hf_hidden(const hf_work *work, int32_t id) {
    return work->hide && id != work->hf->unknown_id && work->tok->flags[id] & TOKEN_HIDDEN;
}

/* ---- building; errors of all: FORMAT, UNSUPPORTED, LIMIT, MEMORY ---- */

typedef struct hf_reader {
    hf_pipeline *hf;
    text_tokenizer *tok;
    ondol_error *err;
} hf_reader;

ondol_status hf_normalizers_read(hf_reader *r, const json_t *from);
ondol_status hf_pretokenizers_read(hf_reader *r, const json_t *from);
ondol_status hf_decoders_read(hf_reader *r, const json_t *from);
ondol_status hf_postprocessor_read(hf_reader *r, const json_t *from, size_t n_tokens);

/* A copy in the arena. */
ondol_status hf_copy_text(hf_reader *r, text_view text, text_view *out);

/* A step at the end of a list, zeroed; NULL: no memory. */
void *hf_step_new(hf_reader *r, size_t size);

/* The merges of a BPE. */
ondol_status hf_merges_read(hf_reader *r, const json_t *from, const hf_place *at);

void hf_pipeline_destroy(hf_pipeline *hf); /* takes NULL */

/* Letters of GPT-2's alphabet of bytes. Appends those of text. */
void hf_put_letters(base_buffer *out, const char *text, size_t n);

/* The text of a list of ids, as the decoders make it. first, last: nothing comes before, behind. */
ondol_status hf_decode(const text_tokenizer *tok, const int32_t *ids, size_t count, unsigned flags,
                       bool first, bool last, base_buffer *out, ondol_error *err);

/* Fills tok->pieces. */
ondol_status hf_pieces_fill(text_tokenizer *tok, ondol_error *err);

/* text_tokenize of such a tokenizer. */
ondol_status hf_encode(const text_tokenizer *tok, const char *text, size_t n, unsigned flags,
                       int32_t *ids, size_t cap, size_t *count, ondol_error *err);

#endif
