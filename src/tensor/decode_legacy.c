/* One f16 scale for a block: Q4_0 to Q8_1, Q1_0, Q2_0. A block -> codes, scales, minimums.
 * A stored minimum m is added: minimums = -m. */
#include "tensor/block_codecs.h"

/* 32 codes from 16 bytes: element i in the low half of byte i, element i + 16 in the high half. */
static void unpack_nibbles(const uint8_t *bytes, int offset, int8_t *codes) {
    for (int i = 0; i < 16; i++) {
        codes[i] = (int8_t)((bytes[i] & 15) - offset);
        codes[i + 16] = (int8_t)((bytes[i] >> 4) - offset);
    }
}

/* As above, with bit i of `high` as fifth bit of element i. */
static void unpack_nibbles_high(const uint8_t *bytes, uint32_t high, int offset, int8_t *codes) {
    for (int i = 0; i < 16; i++) {
        const int low_bit = (int)((high >> i) & 1u) << 4;
        const int high_bit = (int)((high >> (i + 16)) & 1u) << 4;
        codes[i] = (int8_t)(((bytes[i] & 15) | low_bit) - offset);
        codes[i + 16] = (int8_t)(((bytes[i] >> 4) | high_bit) - offset);
    }
}

/* f16 scale, 16 bytes of nibbles. */
void tensor_unpack_q4_0(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    scales[0] = tensor_get_f16(block);
    unpack_nibbles(block + 2, 8, codes);
}

/* f16 scale, f16 minimum, 16 bytes of nibbles. */
void tensor_unpack_q4_1(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    scales[0] = tensor_get_f16(block);
    minimums[0] = -tensor_get_f16(block + 2);
    unpack_nibbles(block + 4, 0, codes);
}

/* f16 scale, u32 of fifth bits, 16 bytes of nibbles. */
void tensor_unpack_q5_0(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    scales[0] = tensor_get_f16(block);
    unpack_nibbles_high(block + 6, tensor_get_u32(block + 2), 16, codes);
}

/* f16 scale, f16 minimum, u32 of fifth bits, 16 bytes of nibbles. */
void tensor_unpack_q5_1(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    scales[0] = tensor_get_f16(block);
    minimums[0] = -tensor_get_f16(block + 2);
    unpack_nibbles_high(block + 8, tensor_get_u32(block + 4), 0, codes);
}

/* f16 scale, 32 i8. */
void tensor_unpack_q8_0(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    scales[0] = tensor_get_f16(block);
    memcpy(codes, block + 2, 32);
}

/* f16 scale, f16 scale * sum of the codes, 32 i8. */
void tensor_unpack_q8_1(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    scales[0] = tensor_get_f16(block);
    memcpy(codes, block + 4, 32);
}

/* f16 scale, 128 signs: bit 1 is +scale, bit 0 is -scale. */
void tensor_unpack_q1_0(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    const float scale = tensor_get_f16(block);
    for (int g = 0; g < 4; g++)
        scales[g] = scale;
    for (int i = 0; i < 128; i++) {
        codes[i] = (int8_t)(((block[2 + i / 8] >> (i % 8)) & 1) * 2 - 1);
    }
}

/* f16 scale, 64 codes of 2 bits, the first in the lowest bits. */
void tensor_unpack_q2_0(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    const float scale = tensor_get_f16(block);
    scales[0] = scales[1] = scale;
    for (int i = 0; i < 64; i++) {
        codes[i] = (int8_t)(((block[2 + i / 4] >> (i % 4 * 2)) & 3) - 1);
    }
}
