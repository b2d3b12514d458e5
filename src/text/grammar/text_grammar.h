/* Grammars that say what a model may answer: GBNF or a JSON schema -> which tokens may come next.
 */
#ifndef TEXT_TEXT_GRAMMAR_H
#define TEXT_TEXT_GRAMMAR_H

#include <stdbool.h>

#include "base/buffer.h"
#include "text/text_tokenizer.h"

/* ---- the grammar ---- */

/* Compiled. Immutable. Thread class: shared. */
typedef struct text_grammar text_grammar;

/* GBNF as llama.cpp's grammars/README.md describes it, `root` being the start: rules, alternates,
 * groups, "literals", [classes], ".", * + ? {m} {m,} {m,n}, comments, escapes \xNN \uNNNN
 * \UNNNNNNNN \t \r \n \\ \" \[ \] \-, tokens <[id]>, <text> and !<...>. Differences: {m,n} is
 * exact however large n; a rule defined twice, an empty or upside-down class and a pair {3,2} are
 * refused. source is UTF-8 and not kept. Time and memory are linear in n and the repeat counts.
 * Errors: FORMAT (with line, column and what was expected; an undefined rule, no root, left
 * recursion, each with the rule's name), LIMIT (nesting over 200, over 2^18 nodes), MEMORY. */
ondol_status text_grammar_parse_gbnf(const ondol_allocator *allocator, const char *source, size_t n,
                                     text_grammar **out, ondol_error *err);

/* The grammar of the JSON documents that a JSON schema allows; see text_grammar_schema_to_gbnf. */
ondol_status text_grammar_from_json_schema(const ondol_allocator *allocator, const char *json,
                                           size_t n, text_grammar **out, ondol_error *err);

/* Appends GBNF for a JSON schema (drafts 7 to 2020-12). What the grammar allows is valid, and:
 * properties come in the schema's order; white space is " " or one or two line breaks and
 * indentation; additionalProperties that is absent counts as false beside properties or required;
 * prefixItems are all there unless minItems says less; integers have at most 16 digits where no
 * bound says more, fractions 16; const and enum values are spelled compactly; oneOf is read as
 * anyOf; a format that is none of date, time, date-time, uuid is a note; ^ and $ of a pattern hold
 * for all its alternatives. Keywords without a type imply their types. Names of properties beside
 * an open additionalProperties have at most 120 bytes.
 * Errors: FORMAT (no JSON, no schema; with line and column or the JSON pointer), UNSUPPORTED (a
 * keyword that restricts and cannot be honoured, a $ref outside the document, a schema that nothing
 * satisfies; with the JSON pointer), LIMIT (nesting, size), MEMORY. */
ondol_status text_grammar_schema_to_gbnf(const ondol_allocator *allocator, const char *json,
                                         size_t n, base_buffer *out, ondol_error *err);

/* Takes NULL. */
void text_grammar_destroy(text_grammar *grammar);

/* ---- the vocabulary, once for each tokenizer ---- */

/* The pieces of all tokens as a tree. Immutable. Thread class: shared. */
typedef struct text_grammar_vocabulary text_grammar_vocabulary;

/* tok is borrowed and must outlive *out. Some 12 bytes for each byte of all pieces at most.
 * Errors: LIMIT (a piece of 2^24 bytes), MEMORY. */
ondol_status text_grammar_vocabulary_create(const ondol_allocator *allocator,
                                            const text_tokenizer *tok,
                                            text_grammar_vocabulary **out, ondol_error *err);

/* Takes NULL. */
void text_grammar_vocabulary_destroy(text_grammar_vocabulary *vocabulary);

/* ---- where an answer stands ---- */

/* A place in the grammar. It works on the bytes of text_token_piece, so a token may end within a
 * character. Tokens without text (control tokens) match only where the grammar names tokens; tokens
 * for which text_token_is_end holds are allowed exactly where the grammar may end.
 * Thread class: one thread at a time, a matcher and its clones together. */
typedef struct text_grammar_matcher text_grammar_matcher;

/* At the start of the grammar. allocator, grammar and vocabulary are borrowed and must outlive *out
 * and its clones. States and masks are worked out when first met and kept, up to some 64 MiB.
 * Errors: FORMAT (a <text> that is not one token of this vocabulary, an id outside it), LIMIT,
 * MEMORY. */
ondol_status text_grammar_matcher_create(const ondol_allocator *allocator,
                                         const text_grammar *grammar,
                                         const text_grammar_vocabulary *vocabulary,
                                         text_grammar_matcher **out, ondol_error *err);

/* Takes NULL. */
void text_grammar_matcher_destroy(text_grammar_matcher *m);

/* A second place, the same now; shares what was worked out. Cheap. Errors: MEMORY. */
ondol_status text_grammar_matcher_clone(text_grammar_matcher *m, text_grammar_matcher **out,
                                        ondol_error *err);

/* Back to the start. */
void text_grammar_matcher_reset(text_grammar_matcher *m);

/* dst stands where src stands; one must be a clone of the other or both of a third. */
void text_grammar_matcher_copy(text_grammar_matcher *dst, const text_grammar_matcher *src);

/* Words of a mask: (tokens + 31) / 32. */
size_t text_grammar_mask_words(const text_grammar_matcher *m);

/* bits[text_grammar_mask_words]: bit id % 32 of word id / 32 is 1 when token id may come next, 0
 * otherwise and past the vocabulary. All are 0 only where the vocabulary cannot spell what the
 * grammar asks for. Microseconds where the place was met before, about a millisecond else.
 * Errors: LIMIT (an ambiguous grammar at over 32768 places at once, a depth over 65536), MEMORY. */
ondol_status text_grammar_mask(text_grammar_matcher *m, uint32_t *bits, ondol_error *err);

/* Whether token id may come next; much cheaper than a mask not met before. An id outside the
 * vocabulary may not. Errors: LIMIT, MEMORY. */
ondol_status text_grammar_allows(text_grammar_matcher *m, int32_t id, bool *allowed,
                                 ondol_error *err);

/* Moves on past token id. A token that ends a generation leaves the place as it is. On an error the
 * place is as before. Errors: ARGUMENT (the token may not come here), LIMIT, MEMORY. */
ondol_status text_grammar_accept_token(text_grammar_matcher *m, int32_t id, ondol_error *err);

/* The same for text without tokens: moves on past bytes[0..n). Errors: as above. */
ondol_status text_grammar_accept_bytes(text_grammar_matcher *m, const char *bytes, size_t n,
                                       ondol_error *err);

/* What was accepted is a whole answer: the grammar may end here. */
bool text_grammar_is_complete(const text_grammar_matcher *m);

#endif
