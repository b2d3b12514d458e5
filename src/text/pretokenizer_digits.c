/* Runs of digits -> groups of three, counted from the right end of the run. */
#include "text/pretokenizer_digits.h"

#include <string.h>
#include <utf8proc.h>

#include "base/utf8.h"

typedef enum digits_rule { DIGITS_NUMBERS, DIGITS_GROUPS, DIGITS_MARKS } digits_rule;

static bool digits_is_number(digits_rule rule, uint32_t code) {
    utf8proc_category_t category = utf8proc_category((utf8proc_int32_t)code);
    if (category == UTF8PROC_CATEGORY_ND) return true;
    return rule == DIGITS_NUMBERS &&
           (category == UTF8PROC_CATEGORY_NL || category == UTF8PROC_CATEGORY_NO);
}

/* \w of the regular expressions in tokenizer.json (Oniguruma). */
static bool digits_is_word(uint32_t code) {
    switch (utf8proc_category((utf8proc_int32_t)code)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_PC: return true;
    default: return false;
    }
}

/* Cuts the run of `count` digits in text[from..to). */
static bool digits_cut_run(pretokenizer_work *work, digits_rule rule, const unsigned char *text,
                           size_t from, size_t to, size_t count) {
    size_t left = count;
    size_t at = from;
    while (at < to) {
        bool group_starts = left % 3 == 0 || (left == count && rule != DIGITS_MARKS);
        if (group_starts && at > 0 && !pretokenizer_cut(work, at)) return false;
        uint32_t code = 0;
        size_t used = base_utf8_decode(text + at, to - at, &code);
        at += used ? used : 1;
        left--;
    }
    return rule == DIGITS_MARKS || pretokenizer_cut(work, to);
}

ondol_status pretokenizer_digits(pretokenizer_work *work, const char *rule_name, const char *text,
                                 size_t start, size_t end, ondol_error *err) {
    const unsigned char *bytes = (const unsigned char *)text;
    digits_rule rule = DIGITS_NUMBERS;
    if (strcmp(rule_name, "=digit groups") == 0) rule = DIGITS_GROUPS;
    if (strcmp(rule_name, "=digit marks") == 0) rule = DIGITS_MARKS;
    size_t run_start = start;
    size_t run_count = 0;
    for (size_t at = start; at <= end;) {
        uint32_t code = 0;
        size_t used = at < end ? base_utf8_decode(bytes + at, end - at, &code) : 1;
        if (used == 0) used = 1;
        if (at < end && digits_is_number(rule, code)) {
            if (run_count++ == 0) run_start = at;
        } else {
            bool cuts = run_count > 0;
            if (rule == DIGITS_GROUPS && at < end && digits_is_word(code)) cuts = false;
            if (cuts && !digits_cut_run(work, rule, bytes, run_start, at, run_count)) {
                return base_no_memory(err, "cutting a text into words", end - start);
            }
            run_count = 0;
        }
        at += used;
    }
    if (pretokenizer_cut(work, end)) return ONDOL_OK;
    return base_no_memory(err, "cutting a text into words", end - start);
}
