/* Oniguruma's regular expressions (Ruby syntax), which tokenizer.json holds -> PCRE2's. */
#ifndef TEXT_HF_REGEX_TRANSLATE_H
#define TEXT_HF_REGEX_TRANSLATE_H

#include "base/buffer.h"
#include "text/text_spec.h"

#define HF_PATTERN_BYTES_MAX 16384u

/* Appends the pattern as PCRE2 with UTF, UCP and MULTILINE understands it. Differences that remain:
 * the versions of Unicode, and that one character never equals two of another case here.
 * Errors: UNSUPPORTED (absent operator, callouts, recursion by number, option x, control escapes),
 * FORMAT (a bracket left open, a property that is not known), LIMIT, MEMORY. *what is set to what
 * was wrong, a sentence's end, with the status. */
ondol_status hf_regex_translate(text_view pattern, base_buffer *out, const char **what);

/* One escape \p{...}, \P{...} or the name within [:...:]. name[0..n): without braces. Appends the
 * class items it stands for, without brackets; *negated: the items are to be taken as not meant.
 * False: not known. */
bool hf_regex_property(const char *name, size_t n, base_buffer *out, bool *negated);

/* What \w and \s of Oniguruma contain. */
#define HF_WORD_ITEMS "\\p{Alphabetic}\\p{M}\\p{N}\\p{Pc}"
#define HF_SPACE_ITEMS                                                                             \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}"                      \
    "\\x{2029}\\x{202f}\\x{205f}\\x{3000}"

#endif
