/* Pre-tokenizers: cut a text into the words within which BPE merges. */
#ifndef TEXT_PRETOKENIZER_H
#define TEXT_PRETOKENIZER_H

#include <stdbool.h>

#include "base/mem.h"
#include "text/text_spec.h"

/* What a pre-tokenizer's name says about the rest of the tokenizer. */
#define PRE_IGNORE_MERGES 1u   /* habit of ignore_merges: on */
#define PRE_ADD_BOS       2u   /* habit of add_bos: on */
#define PRE_NO_BOS        4u   /* the BOS id has no habit */
#define PRE_ADD_SEP       8u   /* habit of add_sep: on */
#define PRE_RAW_UTF8      16u  /* symbols are characters, not GPT-2's letters for bytes */
#define PRE_ESCAPE_SPACES 32u  /* habit of escape_whitespaces: on */
#define PRE_KEEP_CASE     64u  /* habit of lowercase: off */
#define PRE_FORCE_BOS     128u /* BOS is added whatever the file says */
#define PRE_NEWLINE_RUNS  256u /* a run of line feeds that is a token is one */

#define PRE_RULES_MAX 6

/* A row of pretokenizers.def. Rules are applied one after another, each within the pieces of the
 * one before; what a rule does not match is a piece, too. */
typedef struct pretokenizer_row {
    const char *name;
    unsigned flags;
    const char *rules[PRE_RULES_MAX + 1]; /* ends in NULL */
} pretokenizer_row;

/* The row of that name ("default" for an empty one), or NULL. */
const pretokenizer_row *pretokenizer_find(const char *name, size_t size);

/* Row i, for tests; NULL past the last. */
const pretokenizer_row *pretokenizer_at(size_t i);

/* Compiled rules. Thread class: shared. */
typedef struct pretokenizer pretokenizer;

/* Errors: MEMORY; INTERNAL for a rule that does not compile. */
ondol_status pretokenizer_create(const ondol_allocator *allocator, const pretokenizer_row *row,
                                 pretokenizer **out, ondol_error *err);
void pretokenizer_destroy(pretokenizer *pre); /* takes NULL */

/* Scratch memory of one thread. */
typedef struct pretokenizer_work {
    const ondol_allocator *allocator;
    const pretokenizer *pre;
    void *match_data, *match_context, *general_context; /* PCRE2's */
    size_t *ends, *next_ends; /* where each piece ends; the second is being filled */
    size_t n_ends, n_next, capacity, next_capacity;
} pretokenizer_work;

/* Takes no memory. */
void pretokenizer_work_init(pretokenizer_work *work, const pretokenizer *pre,
                            const ondol_allocator *allocator);
void pretokenizer_work_destroy(pretokenizer_work *work);

/* Cuts text[0..n), valid UTF-8, n >= 1: work->ends[0..n_ends) rises to n.
 * Errors: MEMORY, LIMIT (a rule took too many steps). */
ondol_status pretokenizer_split(pretokenizer_work *work, const char *text, size_t n,
                                ondol_error *err);

#endif
