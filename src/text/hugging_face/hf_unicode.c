/* Code point -> what the tokenizers library takes it for. */
#include "text/hugging_face/hf_unicode.h"

#include <stddef.h>

#include "text/tokenizer_unicode.h"

typedef struct character_row {
    uint32_t first;
    uint16_t flags, script;
} character_row;

#define CHARACTERS(first, flags, script) {first, flags, script},
static const character_row character_rows[] = {
#include "text/hugging_face/hf_characters.def"
};
#undef CHARACTERS

typedef struct lower_row {
    uint32_t first, last, lower;
} lower_row;

#define LOWER(first, last, lower) {first, last, lower},
static const lower_row lower_rows[] = {
#include "text/hugging_face/hf_characters.def"
};
#undef LOWER

static const character_row *row_of(uint32_t code) {
    size_t low = 0, high = sizeof character_rows / sizeof character_rows[0];
    while (high - low > 1) {
        const size_t middle = low + (high - low) / 2;
        if (character_rows[middle].first <= code) low = middle;
        if (character_rows[middle].first > code) high = middle;
    }
    return &character_rows[low];
}

unsigned hf_character(uint32_t code) {
    return row_of(code)->flags;
}

uint32_t hf_script(uint32_t code) {
    return row_of(code)->script;
}

uint32_t hf_lower(uint32_t code) {
    for (size_t i = 0; i < sizeof lower_rows / sizeof lower_rows[0] && code >= 0x1c89; i++) {
        const lower_row *row = &lower_rows[i];
        if (code >= row->first && code <= row->last) return row->lower + (code - row->first);
    }
    return unicode_lower(code);
}

bool hf_is_chinese(uint32_t code) {
    return (code >= 0x4e00 && code <= 0x9fff) || (code >= 0x3400 && code <= 0x4dbf) ||
           (code >= 0x20000 && code <= 0x2a6df) || (code >= 0x2a700 && code <= 0x2b73f) ||
           (code >= 0x2b740 && code <= 0x2b81f) || (code >= 0x2b920 && code <= 0x2ceaf) ||
           (code >= 0xf900 && code <= 0xfaff) || (code >= 0x2f800 && code <= 0x2fa1f);
}
