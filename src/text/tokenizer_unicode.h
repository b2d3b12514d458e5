/* Questions about characters, answered from utf8proc's tables. */
#ifndef TEXT_TOKENIZER_UNICODE_H
#define TEXT_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

/* White_Space of the Unicode character database. */
bool unicode_is_space(uint32_t code);

/* Categories P*, and the ASCII symbols that BERT counts among them. */
bool unicode_is_punctuation(uint32_t code);

/* Categories Cc, Cf, Co, Cs: what BERT takes out of a text. */
bool unicode_is_other(uint32_t code);

/* Category Mn. */
bool unicode_is_nonspacing_mark(uint32_t code);

/* The simple lower-case mapping. */
uint32_t unicode_lower(uint32_t code);

#endif
