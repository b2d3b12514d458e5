/* What tokenizer.json calls a pattern: a regular expression or a literal text. */
#ifndef TEXT_HF_REGEX_H
#define TEXT_HF_REGEX_H

#include <stdbool.h>

#include "text/hugging_face/hf_json.h"
#include "base/mem.h"

/* Thread class: shared. */
typedef struct hf_regex hf_regex;

/* from: the member "pattern" {"String": ...} or {"Regex": ...}, a text alone meaning itself.
 * Errors: FORMAT (no such member, an expression that does not compile), UNSUPPORTED (syntax that is
 * not done), LIMIT, MEMORY. */
ondol_status hf_regex_read(const ondol_allocator *allocator, const json_t *from, const hf_place *at,
                           hf_regex **out, ondol_error *err);
/* An expression, 0-terminated. */
ondol_status hf_regex_create(const ondol_allocator *allocator, const char *pattern, hf_regex **out,
                             ondol_error *err);
void hf_regex_destroy(hf_regex *regex); /* takes NULL */

/* A stretch of text that is a match, or what lies between two. A match may be empty. */
typedef struct hf_span {
    size_t start, end;
    bool match;
} hf_span;

/* Thread class: one thread at a time. */
typedef struct hf_spans {
    const ondol_allocator *allocator;
    hf_span *at;
    size_t count, capacity;
} hf_spans;

/* False: no memory. */
bool hf_spans_add(hf_spans *spans, size_t start, size_t end, bool match);
void hf_spans_destroy(hf_spans *spans);

/* PCRE2's blocks, of one thread, for all expressions. Zero but for the allocator to begin. */
typedef struct hf_regex_work {
    const ondol_allocator *allocator;
    void *match_data, *match_context, *general_context;
} hf_regex_work;
void hf_regex_work_destroy(hf_regex_work *work);

/* spans = all of text[0..n), valid UTF-8, in order: matches, and what lies between. An empty match
 * right behind another is none, and none is in an empty text. Errors: MEMORY, LIMIT (too many steps
 * for a text so long). */
ondol_status hf_regex_find(hf_regex_work *work, const hf_regex *regex, const char *text, size_t n,
                           hf_spans *spans, ondol_error *err);

#endif
