/* Unicode as Python's str sees it: classes, case, white space, searching. */
#ifndef TEMPLATE_TEXT_H
#define TEMPLATE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* str.isspace(), str.isalpha(), isdecimal, isdigit, isalnum, isprintable of one character. */
bool template_code_is_space(uint32_t code);
bool template_code_is_alpha(uint32_t code);
bool template_code_is_decimal(uint32_t code);
bool template_code_is_digit(uint32_t code);
bool template_code_is_numeric(uint32_t code);
bool template_code_is_alnum(uint32_t code);
bool template_code_is_printable(uint32_t code);
bool template_code_is_upper(uint32_t code);
bool template_code_is_lower(uint32_t code);
bool template_code_is_title(uint32_t code);
/* `\w` of a regular expression. */
bool template_code_is_word(uint32_t code);

typedef enum template_case { TEMPLATE_UPPER, TEMPLATE_LOWER, TEMPLATE_TITLE } template_case;

/* Full case mapping of one character into out[0..3); returns how many, 1 to 3. The final sigma is
 * the caller's. Source: Unicode, SpecialCasing.txt (unconditional rows). */
unsigned template_code_map(uint32_t code, template_case to, uint32_t out[3]);

/* Has upper, lower or title case; is passed over when looking for a word's end. */
bool template_code_is_cased(uint32_t code);
bool template_code_is_case_ignorable(uint32_t code);

/* Bytes of text[0..n) that are left after stripping white space from its end. */
size_t template_text_strip_right(const char *text, size_t n);
/* Bytes of white space that text[0..n) begins with. */
size_t template_text_leading_space(const char *text, size_t n);

/* Offset of the first / last place of part in text[0..n), SIZE_MAX when there is none. An empty
 * part is found at the beginning / end. */
size_t template_text_find(const char *text, size_t n, const char *part, size_t part_n);
size_t template_text_find_last(const char *text, size_t n, const char *part, size_t part_n);

/* Bytes of the line break at text[at] as str.splitlines() knows them, 0 for none. */
size_t template_text_line_break(const char *text, size_t n, size_t at);

#endif
