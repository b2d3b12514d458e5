/* The IQ encodings: codes from codebooks, mostly of vectors of 4 or 8 elements with signs apart.
 * A block -> codes, scales. All products of scales are exact in f32. */
#include "tensor/block_codecs.h"
#include "tensor/codebooks.h"

static const int8_t LEVELS_IQ2[4] = {8, 25, 43, 0}; /* level 3 does not occur */
static const int8_t LEVELS_IQ3_XXS[8] = {4, 12, 20, 28, 36, 44, 52, 62};
static const int8_t LEVELS_IQ3_S[8] = {1, 3, 5, 7, 9, 11, 13, 15};

/* Signs of 8 elements from 7 bits: the eighth makes the number of minus signs even. */
static unsigned even_signs(unsigned bits) {
    unsigned parity = bits ^ bits >> 4;
    parity ^= parity >> 2;
    parity ^= parity >> 1;
    return bits | (parity & 1u) << 7;
}

/* 8 codes: vector of levels in pairs of bits, minus where the bit of signs is 1. */
static void unpack_vector_8(unsigned vector, unsigned signs, int8_t *codes) {
    for (int i = 0; i < 8; i++) {
        const int value = LEVELS_IQ2[vector >> (2 * i) & 3u];
        codes[i] = (int8_t)(signs >> i & 1u ? -value : value);
    }
}

/* 4 codes: vector of levels in nibbles, the low 4 bits of signs. */
static void unpack_vector_4(unsigned vector, unsigned signs, const int8_t *levels, int8_t *codes) {
    for (int i = 0; i < 4; i++) {
        const int value = levels[vector >> (4 * i) & 7u];
        codes[i] = (int8_t)(signs >> i & 1u ? -value : value);
    }
}

/* 8 codes of IQ1: 8 * (level - 1) + shift. */
static void unpack_vector_iq1(unsigned vector, int shift, int8_t *codes) {
    for (int i = 0; i < 8; i++)
        codes[i] = (int8_t)((int)(vector >> (2 * i) & 3u) * 8 - 8 + shift);
}

/* f16 scale; for each 32 elements u8 vector[4], u32 of 4 * 7 sign bits and a 4-bit scale. */
void tensor_unpack_iq2_xxs(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    const float scale = tensor_get_f16(block);
    for (int g = 0; g < 8; g++) {
        const uint8_t *vectors = block + 2 + 8 * g;
        const uint32_t rest = tensor_get_u32(vectors + 4);
        scales[g] = scale * (0.5f + (float)(rest >> 28)) * 0.25f;
        for (int v = 0; v < 4; v++) {
            unpack_vector_8(tensor_grid_iq2_xxs[vectors[v]], even_signs(rest >> (7 * v) & 127u),
                            codes + 32 * g + 8 * v);
        }
    }
}

/* f16 scale, u16[32] of 9 bits vector and 7 bits signs, 16 nibbles of scales. */
void tensor_unpack_iq2_xs(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    const float scale = tensor_get_f16(block);
    for (int g = 0; g < 16; g++) {
        const int small = block[66 + g / 2] >> (g % 2 * 4) & 15;
        scales[g] = scale * (0.5f + (float)small) * 0.25f;
    }
    for (int v = 0; v < 32; v++) {
        const unsigned word = tensor_get_u16(block + 2 + 2 * v);
        unpack_vector_8(tensor_grid_iq2_xs[word & 511u], even_signs(word >> 9), codes + 8 * v);
    }
}

/* f16 scale, u8[32] of vectors, u8[32] of signs, 32 pairs of high vector bits, 16 nibbles of
 * scales. */
void tensor_unpack_iq2_s(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    const float scale = tensor_get_f16(block);
    for (int g = 0; g < 16; g++) {
        const int small = block[74 + g / 2] >> (g % 2 * 4) & 15;
        scales[g] = scale * (0.5f + (float)small) * 0.25f;
    }
    for (int v = 0; v < 32; v++) {
        const unsigned high = (unsigned)block[66 + v / 4] >> (v % 4 * 2) & 3u;
        unpack_vector_8(tensor_grid_iq2_s[block[2 + v] | high << 8], block[34 + v], codes + 8 * v);
    }
}

/* f16 scale, u8[64] of vectors; for each 32 elements a u32 of 4 * 7 sign bits and a 4-bit scale. */
void tensor_unpack_iq3_xxs(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    const float scale = tensor_get_f16(block);
    for (int g = 0; g < 8; g++) {
        const uint8_t *vectors = block + 2 + 8 * g;
        const uint32_t rest = tensor_get_u32(block + 66 + 4 * g);
        scales[g] = scale * (0.5f + (float)(rest >> 28)) * 0.5f;
        for (int v = 0; v < 8; v++) {
            const unsigned signs = even_signs(rest >> (v / 2 * 7) & 127u) >> (v % 2 * 4);
            unpack_vector_4(tensor_grid_iq3_xxs[vectors[v]], signs, LEVELS_IQ3_XXS,
                            codes + 32 * g + 4 * v);
        }
    }
}

/* f16 scale, u8[64] of vectors, 64 high vector bits, 256 signs, 8 nibbles of scales. */
void tensor_unpack_iq3_s(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    const float scale = tensor_get_f16(block);
    for (int g = 0; g < 8; g++) {
        const int small = block[106 + g / 2] >> (g % 2 * 4) & 15;
        scales[g] = scale * (float)(1 + 2 * small);
    }
    for (int v = 0; v < 64; v++) {
        const unsigned high = (unsigned)block[66 + v / 8] >> (v % 8) & 1u;
        const unsigned signs = (unsigned)block[74 + v / 2] >> (v % 2 * 4);
        unpack_vector_4(tensor_grid_iq3_s[block[2 + v] | high << 8], signs, LEVELS_IQ3_S,
                        codes + 4 * v);
    }
}

/* f16 scale, u8[32] of vectors; for each 32 elements a u16: 4 * 3 high vector bits, 3-bit scale,
 * sign of the shift by 1/8. Codes are eight times the value, so the scale is an eighth. */
void tensor_unpack_iq1_s(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    const float scale = tensor_get_f16(block);
    for (int g = 0; g < 8; g++) {
        const unsigned word = tensor_get_u16(block + 34 + 2 * g);
        const int shift = word & 0x8000u ? -1 : 1;
        scales[g] = scale * (float)(2 * (word >> 12 & 7u) + 1) * 0.125f;
        for (int v = 0; v < 4; v++) {
            const unsigned high = word >> (3 * v) & 7u;
            unpack_vector_iq1(tensor_grid_iq1[block[2 + 4 * g + v] | high << 8], shift,
                              codes + 32 * g + 8 * v);
        }
    }
}

/* u8[32] of vectors, 32 nibbles (3 high vector bits, sign of the shift), u16[4] (4 scales of 3
 * bits, a nibble of the f16 scale, the lowest first). Codes as for IQ1_S. */
void tensor_unpack_iq1_m(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    unsigned half = 0;
    for (int i = 0; i < 4; i++)
        half |= (unsigned)(block[49 + 2 * i] >> 4) << (4 * i);
    const float scale = tensor_f16_to_f32((uint16_t)half);
    for (int g = 0; g < 16; g++) {
        const unsigned small = (unsigned)tensor_get_u16(block + 48 + g / 4 * 2) >> (g % 4 * 3) & 7u;
        scales[g] = scale * (float)(2 * small + 1) * 0.125f;
    }
    for (int v = 0; v < 32; v++) {
        const unsigned nibble = (unsigned)block[32 + v / 2] >> (v % 2 * 4) & 15u;
        unpack_vector_iq1(tensor_grid_iq1[block[v] | (nibble & 7u) << 8], nibble & 8u ? -1 : 1,
                          codes + 8 * v);
    }
}

/* 32 codes from 16 bytes: element i in the low half of byte i, element i + 16 in the high half. */
static void unpack_iq4(const uint8_t *bytes, int8_t *codes) {
    for (int i = 0; i < 16; i++) {
        codes[i] = tensor_codebook_iq4[bytes[i] & 15];
        codes[i + 16] = tensor_codebook_iq4[bytes[i] >> 4];
    }
}

/* f16 scale, 16 bytes of codes. */
void tensor_unpack_iq4_nl(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    scales[0] = tensor_get_f16(block);
    unpack_iq4(block + 2, codes);
}

/* f16 scale, u16 of high scale bits, 8 nibbles of low ones, 128 bytes of codes. */
void tensor_unpack_iq4_xs(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    const float scale = tensor_get_f16(block);
    const unsigned high = tensor_get_u16(block + 2);
    for (int g = 0; g < 8; g++) {
        const int low = block[4 + g / 2] >> (g % 2 * 4) & 15;
        scales[g] = scale * (float)((low | (int)(high >> (2 * g) & 3u) << 4) - 32);
        unpack_iq4(block + 8 + 16 * g, codes + 32 * g);
    }
}
