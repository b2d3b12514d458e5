/* The neutral description of a tokenizer, filled by models/ from a GGUF file. Everything in it is
 * borrowed and need live only until text_tokenizer_create returns. */
#ifndef TEXT_TEXT_SPEC_H
#define TEXT_TEXT_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of someone else's, not ended by 0. */
typedef struct text_view {
    const char *data;
    size_t size;
} text_view;

typedef enum text_kind {
    TEXT_KIND_NONE,      /* a file without a vocabulary; refused by text_tokenizer_create */
    TEXT_KIND_SPM,       /* SentencePiece BPE: merges ordered by score, byte fallback */
    TEXT_KIND_BPE,       /* merges ordered by rank, after a pre-tokenizer (GPT-2 and its heirs) */
    TEXT_KIND_WORDPIECE, /* BERT */
    TEXT_KIND_UNIGRAM,   /* SentencePiece unigram language model (T5, XLM-R) */
    TEXT_KIND_RWKV,      /* longest match over escaped byte strings */
    TEXT_KIND_PLAMO2,    /* least cost over all splits, byte fallback */
    TEXT_KIND_COUNT,
    TEXT_KIND_PIPELINE = TEXT_KIND_COUNT /* a tokenizer.json; never in a spec */
} text_kind;

/* Numbers as in tokenizer.ggml.token_type. */
typedef enum text_token_type {
    TEXT_TOKEN_UNDEFINED = 0,
    TEXT_TOKEN_NORMAL = 1,
    TEXT_TOKEN_UNKNOWN = 2,
    TEXT_TOKEN_CONTROL = 3,
    TEXT_TOKEN_USER_DEFINED = 4, /* matched in any text before all else */
    TEXT_TOKEN_UNUSED = 5,
    TEXT_TOKEN_BYTE = 6 /* text "<0xHH>": one byte */
} text_token_type;

/* Tokens with a role. FIM: fill in the middle. */
typedef enum text_special {
    TEXT_BOS, /* beginning of sequence */
    TEXT_EOS, /* end of sequence */
    TEXT_EOT, /* end of turn */
    TEXT_EOM, /* end of message */
    TEXT_UNK, /* unknown */
    TEXT_SEP, /* separator */
    TEXT_PAD,
    TEXT_CLS, /* classification; put first by WordPiece when there is no BOS */
    TEXT_MASK,
    TEXT_FIM_PREFIX,
    TEXT_FIM_SUFFIX,
    TEXT_FIM_MIDDLE,
    TEXT_FIM_PAD,
    TEXT_FIM_REPO,
    TEXT_FIM_FILE,
    TEXT_SPECIAL_COUNT
} text_special;

#define TEXT_ID_NONE    (-1) /* the role is not filled */
#define TEXT_ID_DEFAULT (-2) /* what the kind has by habit, if it lies within the vocabulary */

/* Zero: what the kind and the pre-tokenizer have by habit. */
typedef enum text_switch { TEXT_SWITCH_DEFAULT, TEXT_SWITCH_OFF, TEXT_SWITCH_ON } text_switch;

#define TEXT_STRIP_LEFT  1u /* a special token that swallows the white space before it */
#define TEXT_STRIP_RIGHT 2u /* ... behind it */

/* "left right" -> one symbol; rank is the place in the list. */
typedef struct text_merge {
    text_view left, right;
} text_merge;

/* Start with text_spec_init. Habits named below are llama.cpp's for GGUF files. */
typedef struct text_spec {
    text_kind kind;
    text_view pretokenizer; /* BPE: a name of pretokenizers.def; empty: "default" */

    /* A vocabulary of n_tokens; ids are places in it. A text that comes twice means its first id;
     * an empty one is never matched. Texts are as in GGUF: U+2581 for a space (SPM, Unigram, and
     * at the start of a word WordPiece), GPT-2's letters for bytes (BPE). */
    size_t n_tokens;
    const text_view *tokens;
    const float *scores; /* [n_tokens] or NULL: zeros. SPM, Unigram, PLaMo-2. NaN counts as worst */
    const uint8_t *types; /* [n_tokens] of text_token_type, or NULL: all normal */
    const uint8_t *strip; /* [n_tokens] of TEXT_STRIP_*, or NULL: none */

    /* BPE. A pair that comes twice keeps its first rank. Parts need not be tokens. */
    size_t n_merges;
    const text_merge *merges;

    int64_t special_ids[TEXT_SPECIAL_COUNT]; /* an id, TEXT_ID_NONE or TEXT_ID_DEFAULT */

    text_switch add_bos;          /* habit: on for SPM, WordPiece and some pre-tokenizers */
    text_switch add_eos;          /* habit: on for Unigram */
    text_switch add_sep;          /* WordPiece: the separator closes a text; habit: on */
    text_switch add_space_prefix; /* SPM, Unigram: a space goes before a text; habit: on for SPM */
    text_switch remove_extra_whitespaces; /* Unigram: runs of spaces become one; habit: off */
    text_switch whitespace_as_suffix;     /* Unigram: that space goes behind; habit: off */
    text_switch escape_whitespaces; /* spaces are U+2581 in tokens; habit: off for most of BPE */
    text_switch ignore_merges;      /* BPE: a pre-token that is a token is not merged up to */
    text_switch lowercase;     /* WordPiece, BPE "whitespace"; habit: on, off for "whitespace" */
    text_switch strip_accents; /* WordPiece; habit: as lowercase */

    size_t max_word_chars; /* WordPiece: longer words are unknown; 0: 100 */

    text_view charsmap; /* Unigram: SentencePiece's precompiled_charsmap, or empty */

    bool dna_kmers;       /* BPE "hybriddna": text within <dna> ... </dna> is cut in sixes */
    bool drop_whitespace; /* BPE "whitespace": white space only separates, lowercase applies */
} text_spec;

/* An empty spec of that kind: every id TEXT_ID_DEFAULT, every switch at its habit. */
void text_spec_init(text_spec *spec, text_kind kind);

#endif
