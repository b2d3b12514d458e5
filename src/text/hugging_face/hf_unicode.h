/* Questions about characters as the tokenizers library answers them: each of its parts has tables
 * of another version of Unicode. */
#ifndef TEXT_HF_UNICODE_H
#define TEXT_HF_UNICODE_H

#include <stdbool.h>
#include <stdint.h>

/* Bits of hf_character: */
#define HF_CHAR_WORD        1u  /* \w of the regex crate: Alphabetic, M, Nd, Pc, Join_Control */
#define HF_CHAR_NUMERIC     2u  /* Nd, Nl, No */
#define HF_CHAR_PUNCTUATION 4u  /* ASCII's, and P* */
#define HF_CHAR_OTHER       8u  /* C*, as BertNormalizer has it */
#define HF_CHAR_MARK        16u /* M */
#define HF_CHAR_NONSPACING  32u /* Mn, as BertNormalizer has it */
#define HF_CHAR_DECOMPOSES  64u
#define HF_CHAR_COMPATIBLE  128u /* has a decomposition of compatibility */
#define HF_CHAR_COMBINES    256u /* has a combining class that is not 0 */
unsigned hf_character(uint32_t code);

/* A number for the script of a character, 0: any (unassigned, space). */
uint32_t hf_script(uint32_t code);

/* The simple lower-case mapping. */
uint32_t hf_lower(uint32_t code);

/* The characters that BertNormalizer puts spaces around. */
bool hf_is_chinese(uint32_t code);

static inline bool hf_is_word(uint32_t code) {
    return hf_character(code) & HF_CHAR_WORD;
}
static inline bool hf_is_numeric(uint32_t code) {
    return hf_character(code) & HF_CHAR_NUMERIC;
}
static inline bool hf_is_punctuation(uint32_t code) {
    return hf_character(code) & HF_CHAR_PUNCTUATION;
}

#endif
