/* What the translator of expressions shares: the reader, escapes that are characters, sets. */
#ifndef TEXT_HF_REGEX_READER_H
#define TEXT_HF_REGEX_READER_H

#include "text/hugging_face/hf_regex_translate.h"

#define REGEX_GROUPS_MAX 100

typedef struct regex_reader {
    const char *text;
    size_t n, at;
    base_buffer *out;
    const char *what; /* the fault */
    ondol_status status;
    size_t atom;                                 /* where the last atom begins in out, or NO_ATOM */
    bool repeated;                               /* ... and it has its quantifier */
    size_t group_starts[REGEX_GROUPS_MAX];       /* of the open groups, in out */
    unsigned group_closes[REGEX_GROUPS_MAX + 1]; /* brackets that options put in the group */
    size_t groups;
} regex_reader;

/* Notes the first fault, a sentence's end. False. */
bool regex_fault(regex_reader *t, ondol_status status, const char *what);
bool regex_looking_at(const regex_reader *t, const char *text);

/* An escape behind the backslash that stands for one character. False with status OK: it is none.
 */
bool regex_read_escaped(regex_reader *t, uint32_t *code);
/* \p{...}, \P{...} from the p on: items in out. */
bool regex_read_property(regex_reader *t, base_buffer *out, bool *negated);
/* Appends a character, so that it means itself within brackets and without. */
void regex_put_code(base_buffer *out, uint32_t code);

typedef struct regex_set {
    base_buffer items;    /* of [...] */
    base_buffer others;   /* "|x|y": expressions of one character */
    base_buffer operands; /* "(?=x)": what stood before && */
    bool negated;
} regex_set;

void regex_set_init(regex_set *s, const ondol_allocator *a);
void regex_set_destroy(regex_set *s);
/* From behind the [ to behind its ]; depth: of sets around. Memory's faults stay in the buffers. */
void regex_read_set(regex_reader *t, regex_set *s, unsigned depth);
/* Appends the set as an expression of one character. */
void regex_set_put(const regex_set *s, base_buffer *out);

#endif
