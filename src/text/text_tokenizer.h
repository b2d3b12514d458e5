/* Tokenizers: text -> ids -> text. */
#ifndef TEXT_TEXT_TOKENIZER_H
#define TEXT_TEXT_TOKENIZER_H

#include <stdbool.h>

#include "base/buffer.h"
#include "text/text_spec.h"

/* Immutable. Thread class: shared. */
typedef struct text_tokenizer text_tokenizer;

/* Builds a tokenizer; copies what it needs of spec. allocator is borrowed for its whole life. Time
 * and memory are linear in the spec.
 * Errors: FORMAT (a special id outside the vocabulary, a broken charsmap), UNSUPPORTED (no
 * vocabulary, a pre-tokenizer that is not known), LIMIT (2^31 tokens), MEMORY. */
ondol_status text_tokenizer_create(const ondol_allocator *allocator, const text_spec *spec,
                                   text_tokenizer **out, ondol_error *err);

/* Takes NULL. */
void text_tokenizer_destroy(text_tokenizer *tok);

/* ---- the vocabulary; id outside it is none of anything ---- */

text_kind text_tokenizer_kind(const text_tokenizer *tok);
size_t text_token_count(const text_tokenizer *tok);

/* The id of a role, or -1. */
int32_t text_token_special(const text_tokenizer *tok, text_special role);

/* True for the ids that end a generation: EOS, EOT, EOM, and those whose text says so. */
bool text_token_is_end(const text_tokenizer *tok, int32_t id);

/* True for ids that no plain text gives: control tokens and the unknown token. */
bool text_token_is_control(const text_tokenizer *tok, int32_t id);

/* The type that counts, after corrections by name: bits of 1 << text_token_type. 0: no such id. */
unsigned text_token_types(const text_tokenizer *tok, int32_t id);

/* Text as it stands in the vocabulary. A view that lives as long as tok. */
text_view text_token_text(const text_tokenizer *tok, int32_t id);

/* The id of the token with that vocabulary text, or -1. */
int32_t text_token_find(const text_tokenizer *tok, const char *text, size_t size);

/* Whether text_tokenize with TEXT_ADD_SPECIAL puts a BOS first, an EOS last. */
bool text_tokenizer_adds_bos(const text_tokenizer *tok);
bool text_tokenizer_adds_eos(const text_tokenizer *tok);

/* ---- text to ids ---- */

#define TEXT_ADD_SPECIAL   1u /* BOS, EOS, CLS, SEP as the model has them */
#define TEXT_PARSE_SPECIAL 2u /* the text of control tokens becomes those tokens */

/* ids[0..min(cap, *count)) = the tokens of text[0..n); *count is always what the whole text needs.
 * Without TEXT_PARSE_SPECIAL no control token comes out of the text. Bytes that are no UTF-8 become
 * U+FFFD, each one, except where the kind has tokens for bytes (SPM, RWKV). Near-linear in n.
 * ids may be NULL when cap is 0. Errors: ARGUMENT (NULL), LIMIT (n or *count over 2^31 - 1, or a
 * step limit), MEMORY; then *count is 0. */
ondol_status text_tokenize(const text_tokenizer *tok, const char *text, size_t n, unsigned flags,
                           int32_t *ids, size_t cap, size_t *count, ondol_error *err);

/* ---- ids to text ---- */

#define TEXT_SHOW_CONTROL 1u /* control and unknown tokens give their text, not nothing */
#define TEXT_CONTINUE     2u /* the text goes on from one before: a leading space stays */

/* The bytes that a token stands for, not always whole characters: U+2581 is a space, byte tokens
 * are one byte. A view that lives as long as tok; empty for what gives nothing. flags:
 * TEXT_SHOW_CONTROL. */
text_view text_token_piece(const text_tokenizer *tok, int32_t id, unsigned flags);

/* Appends the raw bytes of all ids to out. Where the kind puts a space before a text (SPM,
 * WordPiece ...) one leading space is left out again, unless TEXT_CONTINUE.
 * Errors: ARGUMENT (an id outside the vocabulary), MEMORY, LIMIT (out's maximum). */
ondol_status text_detokenize(const text_tokenizer *tok, const int32_t *ids, size_t count,
                             unsigned flags, base_buffer *out, ondol_error *err);

/* Ids to text one at a time: what comes out is always whole characters of valid UTF-8.
 * Thread class: one thread at a time. Nothing to free. */
typedef struct text_stream {
    const text_tokenizer *tok;
    unsigned flags;
    bool drop_space; /* nothing has come yet, and a leading space is to go */
    unsigned char pending[4];
    size_t pending_bytes; /* < 4: the start of a character */
} text_stream;

/* flags: TEXT_SHOW_CONTROL, TEXT_CONTINUE (right for an answer that follows a prompt). */
void text_stream_init(text_stream *stream, const text_tokenizer *tok, unsigned flags);

/* Appends to out what id completes; it may be nothing. Bytes that can be no character become
 * U+FFFD. Errors: as text_detokenize. */
ondol_status text_stream_push(text_stream *stream, int32_t id, base_buffer *out, ondol_error *err);

/* Appends U+FFFD when a character was left incomplete. The stream may be used again. */
ondol_status text_stream_finish(text_stream *stream, base_buffer *out, ondol_error *err);

#endif
