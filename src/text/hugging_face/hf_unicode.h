/* Questions about characters as the tokenizers library answers them, and normal forms. */
#ifndef TEXT_HF_UNICODE_H
#define TEXT_HF_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

/* \w of a regular expression: Alphabetic, M, Nd, Pc, Join_Control. */
bool hf_is_word(uint32_t code);
/* Categories Nd, Nl, No. */
bool hf_is_numeric(uint32_t code);
/* ASCII's punctuation and categories P*. */
bool hf_is_punctuation(uint32_t code);
/* Categories C*. */
bool hf_is_other(uint32_t code);
/* Category M. */
bool hf_is_mark(uint32_t code);
bool hf_is_nonspacing_mark(uint32_t code);
/* The characters that BertNormalizer puts spaces around. */
bool hf_is_chinese(uint32_t code);

/* A number for the script of a character, 0: any (unassigned, space). */
uint32_t hf_script(uint32_t code);

#endif
