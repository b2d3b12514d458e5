/* The rules for digits that would cost a regular expression the square of a long number. */
#ifndef TEXT_PRETOKENIZER_DIGITS_H
#define TEXT_PRETOKENIZER_DIGITS_H

#include "text/pretokenizer.h"

/* Notes that a piece ends at `end` in work->next_ends, unless one does already. False: no memory.
 * Calls come with rising ends. */
bool pretokenizer_cut(pretokenizer_work *work, size_t end);

/* Cuts text[start..end) by a rule in words of pretokenizers.def. Errors: MEMORY. */
ondol_status pretokenizer_digits(pretokenizer_work *work, const char *rule, const char *text,
                                 size_t start, size_t end, ondol_error *err);

#endif
