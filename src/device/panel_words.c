/* Codes of blocks in a file, four columns to a word. In: 32 columns of some rows as GGUF files have
 * them. Out: 8 words of unsigned codes a row, as packed weights have them. Source: ggml's block
 * structs; tensor/decode_*.c says the same code by code. */
#include <string.h>

#include "device/panel_layout.h"

enum { WORDS = 8 };

#define ONES    0x01010101u
#define NIBBLES 0x0f0f0f0fu

static uint32_t load(const uint8_t *p) {
    uint32_t value;
    memcpy(&value, p, sizeof value);
    return value;
}

/* Codes 0 to 15 in the low nibbles of 16 bytes, 16 to 31 in the high ones. */
static void take_nibbles(const uint8_t *p, uint32_t u[WORDS]) {
    for (unsigned j = 0; j < 4; j++) {
        const uint32_t both = load(p + 4 * j);
        u[j] = both & NIBBLES;
        u[j + 4] = both >> 4 & NIBBLES;
    }
}

/* Bit c of four bytes is the fifth bit of column c. */
static void add_fifth_bits(const uint8_t *p, uint32_t u[WORDS]) {
    const uint32_t bits = load(p);
    for (unsigned j = 0; j < WORDS; j++)
        u[j] |= ((bits >> 4 * j & 15) * 0x00204081u & ONES) << 4;
}

static void take_bytes(const uint8_t *p, uint32_t u[WORDS]) {
    for (unsigned j = 0; j < WORDS; j++)
        u[j] = load(p + 4 * j) ^ 0x80808080u;
}

/* One nibble each of 32 bytes. */
static void take_half(const uint8_t *p, unsigned shift, uint32_t u[WORDS]) {
    for (unsigned j = 0; j < WORDS; j++)
        u[j] = load(p + 4 * j) >> shift & NIBBLES;
}

/* Bits that stand above the nibble, from `shift` on in each of 32 bytes. */
static void add_high_bits(const uint8_t *p, unsigned shift, uint32_t mask, uint32_t u[WORDS]) {
    for (unsigned j = 0; j < WORDS; j++)
        u[j] |= (load(p + 4 * j) >> shift & mask) << 4;
}

/* One loop for each encoding: what to do is decided once for all rows. */
#define EACH_ROW(statement)                                                                        \
    for (unsigned r = 0; r < rows; r++, block += row_bytes) {                                      \
        statement;                                                                                 \
    }                                                                                              \
    return true

bool panel_take_words(tensor_encoding e, const uint8_t *block, size_t row_bytes, unsigned rows,
                      unsigned s, uint32_t u[][WORDS]) {
    switch (e) {
    case TENSOR_ENCODING_Q4_0: EACH_ROW(take_nibbles(block + 2, u[r]));
    case TENSOR_ENCODING_Q4_1: EACH_ROW(take_nibbles(block + 4, u[r]));
    case TENSOR_ENCODING_Q5_0:
        EACH_ROW(take_nibbles(block + 6, u[r]); add_fifth_bits(block + 2, u[r]));
    case TENSOR_ENCODING_Q5_1:
        EACH_ROW(take_nibbles(block + 8, u[r]); add_fifth_bits(block + 4, u[r]));
    case TENSOR_ENCODING_Q8_0: EACH_ROW(take_bytes(block + 2, u[r]));
    case TENSOR_ENCODING_Q4_K: EACH_ROW(take_half(block + 16 + s / 2 * 32, s % 2 * 4, u[r]));
    case TENSOR_ENCODING_Q5_K:
        EACH_ROW(take_half(block + 48 + s / 2 * 32, s % 2 * 4, u[r]);
                 add_high_bits(block + 16, s, ONES, u[r]));
    case TENSOR_ENCODING_Q6_K:
        EACH_ROW(take_half(block + s / 4 * 64 + s % 2 * 32, s % 4 / 2 * 4, u[r]);
                 add_high_bits(block + 128 + s / 4 * 32, s % 4 * 2, 3 * ONES, u[r]));
    default: return false;
    }
}
