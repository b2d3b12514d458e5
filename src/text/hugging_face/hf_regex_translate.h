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

/* The name of \p{...}, or with posix of [:...:]. name[0..n): without braces. Appends the class
 * items it stands for, without brackets; *negated is turned where the name says ^. False: not
 * known. */
bool hf_regex_property(const char *name, size_t n, bool posix, base_buffer *out, bool *negated);

/* What Oniguruma's \w and \s contain. By themselves \w and \p{Word} have six more of Latin-1, which
 * they lack within brackets. */
#define HF_WORD_ITEMS "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}"
#define HF_WORD_ALONE HF_WORD_ITEMS "\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"
#define HF_SPACE_ITEMS                                                                             \
    "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}"                      \
    "\\x{2029}\\x{202f}\\x{205f}\\x{3000}"

#endif
