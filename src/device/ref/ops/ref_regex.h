/* Regular expressions in RE2's syntax, matched by PCRE2. */
#ifndef DEVICE_REF_REGEX_H
#define DEVICE_REF_REGEX_H

#include "plan/kernel.h"

typedef struct ref_regex ref_regex;

/* whole: it matches whole strings alone. c: for sentences, its graph and node. *out is to be
 * destroyed, after errors too. Errors: FORMAT with what is wrong where, MEMORY. */
ondol_status ref_regex_create(const plan_call *c, const ondol_allocator *a, const char *text,
                              size_t bytes, bool whole, ref_regex **out, ondol_error *err);
void ref_regex_destroy(const ondol_allocator *a, ref_regex *r); /* takes NULL */

typedef struct ref_regex_match {
    bool is_there;
    size_t start, end; /* bytes */
} ref_regex_match;

/* The first match from byte `from` on, of those that begin there the longest. Thread class: shared.
 * Errors: LIMIT (too many steps), MEMORY. */
ondol_status ref_regex_find_longest(const plan_call *c, const ref_regex *r, const char *text,
                                    size_t bytes, size_t from, ref_regex_match *out,
                                    ondol_error *err);

#endif
