/* The k-quants: 256 elements in groups of 16 or 32, whose scales are small integers times an f16.
 * A block -> codes, scales, minimums. All products of scales are exact in f32. */
#include "tensor/block_codecs.h"

/* Codes of 2 bits: 64 bytes in two halves of 32; element 128 h + 32 j + i is at bits 2j of byte
 * 32 h + i. */
static void unpack_pairs(const uint8_t *bytes, int8_t *codes) {
    for (int h = 0; h < 2; h++) {
        for (int j = 0; j < 4; j++) {
            int8_t *out = codes + 128 * h + 32 * j;
            for (int i = 0; i < 32; i++)
                out[i] = (int8_t)((bytes[32 * h + i] >> (2 * j)) & 3);
        }
    }
}

/* 16 bytes (scale | minimum << 4), 64 bytes of codes, f16 scale, f16 minimum. */
void tensor_unpack_q2_k(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    const float scale = tensor_get_f16(block + 80);
    const float minimum = tensor_get_f16(block + 82);
    for (int g = 0; g < 16; g++) {
        scales[g] = scale * (float)(block[g] & 15);
        minimums[g] = minimum * (float)(block[g] >> 4);
    }
    unpack_pairs(block + 16, codes);
}

/* 32 bytes of third bits (0: minus 4), 64 bytes of codes, 12 bytes of 6-bit scales, f16 scale.
 * Scale g: low 4 bits in nibble g / 8 of byte g % 8; high 2 bits at 2 (g / 4) of byte 8 + g % 4. */
void tensor_unpack_q3_k(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    const uint8_t *packed = block + 96;
    const float scale = tensor_get_f16(block + 108);
    for (int g = 0; g < 16; g++) {
        const int low = (packed[g % 8] >> (g / 8 * 4)) & 15;
        const int high = (packed[8 + g % 4] >> (g / 4 * 2)) & 3;
        scales[g] = scale * (float)((low | high << 4) - 32);
    }
    unpack_pairs(block + 32, codes);
    for (int j = 0; j < 8; j++) {
        int8_t *out = codes + 32 * j;
        for (int i = 0; i < 32; i++)
            out[i] = (int8_t)(out[i] + ((block[i] >> j) & 1) * 4 - 4);
    }
}

/* f16 scale, f16 minimum, 12 bytes: 8 scales and 8 minimums of 6 bits.
 * g < 4: low bits of bytes g and 4 + g. Else: nibbles of byte 4 + g below top bits of those. */
static void unpack_scales_6(const uint8_t *block, float *scales, float *minimums) {
    const float scale = tensor_get_f16(block), minimum = tensor_get_f16(block + 2);
    const uint8_t *packed = block + 4;
    for (int g = 0; g < 4; g++) {
        const int high = packed[8 + g];
        scales[g] = scale * (float)(packed[g] & 63);
        minimums[g] = minimum * (float)(packed[4 + g] & 63);
        scales[4 + g] = scale * (float)((high & 15) | (packed[g] >> 2 & 48));
        minimums[4 + g] = minimum * (float)((high >> 4) | (packed[4 + g] >> 2 & 48));
    }
}

/* 128 bytes: groups 2c and 2c + 1 in the low and high halves of bytes 32 c to 32 c + 31. */
static void unpack_nibbles_32(const uint8_t *bytes, int8_t *codes) {
    for (int c = 0; c < 4; c++) {
        int8_t *out = codes + 64 * c;
        for (int i = 0; i < 32; i++) {
            out[i] = (int8_t)(bytes[32 * c + i] & 15);
            out[i + 32] = (int8_t)(bytes[32 * c + i] >> 4);
        }
    }
}

/* Scales as above, 128 bytes of codes. */
void tensor_unpack_q4_k(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    unpack_scales_6(block, scales, minimums);
    unpack_nibbles_32(block + 16, codes);
}

/* Scales as above, 32 bytes of fifth bits (bit g for group g), 128 bytes of codes. */
void tensor_unpack_q5_k(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    unpack_scales_6(block, scales, minimums);
    unpack_nibbles_32(block + 48, codes);
    for (int g = 0; g < 8; g++) {
        int8_t *out = codes + 32 * g;
        for (int i = 0; i < 32; i++)
            out[i] = (int8_t)(out[i] | ((block[16 + i] >> g) & 1) << 4);
    }
}

/* 128 bytes of low nibbles, 64 bytes of high pairs, 16 i8 scales, f16 scale. Element
 * 128 h + 32 j + i: nibble j / 2 of byte 64 h + 32 (j % 2) + i, pair j of byte 32 h + i. */
void tensor_unpack_q6_k(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    const float scale = tensor_get_f16(block + 208);
    for (int g = 0; g < 16; g++)
        scales[g] = scale * (float)(int8_t)block[192 + g];
    for (int part = 0; part < 8; part++) {
        const int h = part / 4, j = part % 4;
        const uint8_t *low = block + 64 * h + 32 * (j % 2);
        const uint8_t *high = block + 128 + 32 * h;
        int8_t *out = codes + 32 * part;
        for (int i = 0; i < 32; i++) {
            const int code = ((low[i] >> (j / 2 * 4)) & 15) | ((high[i] >> (2 * j)) & 3) << 4;
            out[i] = (int8_t)(code - 32);
        }
    }
}

/* f32 scale, 256 i8, 16 i16 of sums. */
void tensor_unpack_q8_k(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    const float scale = tensor_f32_from_bits(tensor_get_u32(block));
    for (int g = 0; g < 8; g++)
        scales[g] = scale;
    memcpy(codes, block + 4, 256);
}
