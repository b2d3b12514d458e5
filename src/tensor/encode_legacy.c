/* Encoders with one f16 scale for a block: Q4_0 to Q8_1, Q1_0, Q2_0. f32 -> blocks, in the order
 * and with the roundings of ggml's reference quantisers. */
#include <math.h>

#include "tensor/block_codecs.h"

/* 1 / scale; 0 where the scale is so small that its inverse (and its f16) is of no use. */
static float inverse(float scale) {
    const float result = scale == 0 ? 0 : 1 / scale;
    return isfinite(result) ? result : 0;
}

/* The element of largest magnitude, the first of equals. */
static float extreme(size_t n, const float *x) {
    float found = x[0];
    for (size_t i = 1; i < n; i++) {
        if (fabsf(x[i]) > fabsf(found)) found = x[i];
    }
    return found;
}

static void range(size_t n, const float *x, float *least, float *most) {
    *least = *most = x[0];
    for (size_t i = 1; i < n; i++) {
        if (x[i] < *least) *least = x[i];
        if (x[i] > *most) *most = x[i];
    }
}

/* Truncated, at most `most`; value > -1. */
static unsigned code_of(float value, unsigned most) {
    const unsigned code = (unsigned)value;
    return code < most ? code : most;
}

/* 32 codes to 16 bytes of low nibbles; the fifth bits, element i at bit i. */
static uint32_t put_nibbles(const unsigned codes[32], uint8_t *bytes) {
    uint32_t high = 0;
    for (int i = 0; i < 16; i++) {
        bytes[i] = (uint8_t)((codes[i] & 15u) | (codes[i + 16] & 15u) << 4);
    }
    for (int i = 0; i < 32; i++)
        high |= (uint32_t)(codes[i] >> 4) << i;
    return high;
}

static void put_high(uint8_t *p, uint32_t high) {
    tensor_put_u16(p, (uint16_t)high);
    tensor_put_u16(p + 2, (uint16_t)(high >> 16));
}

/* Codes of 0 to 2 * offset - 1 about offset; the extreme element gets code 0 exactly. */
static bool encode_signed(const float *x, int offset, uint8_t *block, unsigned codes[32]) {
    const float scale = extreme(32, x) / (float)-offset;
    const float factor = inverse(scale);
    for (int i = 0; i < 32; i++) {
        codes[i] = code_of(x[i] * factor + ((float)offset + 0.5f), 2 * (unsigned)offset - 1);
    }
    return tensor_put_f16(block, scale);
}

/* Codes of 0 to most, from the least element on. */
static bool encode_ranged(const float *x, unsigned most, uint8_t *block, unsigned codes[32]) {
    float low = 0, high = 0;
    range(32, x, &low, &high);
    const float scale = (high - low) / (float)most;
    const float factor = inverse(scale);
    for (int i = 0; i < 32; i++)
        codes[i] = code_of((x[i] - low) * factor + 0.5f, most);
    return tensor_put_f16(block, scale) && tensor_put_f16(block + 2, low);
}

size_t tensor_encode_q4_0(const float *src, size_t n_blocks, uint8_t *blocks) {
    unsigned codes[32];
    for (size_t b = 0; b < n_blocks; b++) {
        uint8_t *block = blocks + 18 * b;
        if (!encode_signed(src + 32 * b, 8, block, codes)) return b;
        put_nibbles(codes, block + 2);
    }
    return n_blocks;
}

size_t tensor_encode_q4_1(const float *src, size_t n_blocks, uint8_t *blocks) {
    unsigned codes[32];
    for (size_t b = 0; b < n_blocks; b++) {
        uint8_t *block = blocks + 20 * b;
        if (!encode_ranged(src + 32 * b, 15, block, codes)) return b;
        put_nibbles(codes, block + 4);
    }
    return n_blocks;
}

size_t tensor_encode_q5_0(const float *src, size_t n_blocks, uint8_t *blocks) {
    unsigned codes[32];
    for (size_t b = 0; b < n_blocks; b++) {
        uint8_t *block = blocks + 22 * b;
        if (!encode_signed(src + 32 * b, 16, block, codes)) return b;
        put_high(block + 2, put_nibbles(codes, block + 6));
    }
    return n_blocks;
}

size_t tensor_encode_q5_1(const float *src, size_t n_blocks, uint8_t *blocks) {
    unsigned codes[32];
    for (size_t b = 0; b < n_blocks; b++) {
        uint8_t *block = blocks + 24 * b;
        if (!encode_ranged(src + 32 * b, 31, block, codes)) return b;
        put_high(block + 4, put_nibbles(codes, block + 8));
    }
    return n_blocks;
}

/* 32 codes of -127 to 127, half away from zero; returns the scale, *sum that of the codes. */
static float encode_bytes(const float *x, uint8_t *codes, int *sum) {
    const float scale = fabsf(extreme(32, x)) / 127;
    const float factor = inverse(scale);
    *sum = 0;
    for (int i = 0; i < 32; i++) {
        const int code = (int)roundf(x[i] * factor);
        codes[i] = (uint8_t)code;
        *sum += code;
    }
    return scale;
}

size_t tensor_encode_q8_0(const float *src, size_t n_blocks, uint8_t *blocks) {
    int sum = 0;
    for (size_t b = 0; b < n_blocks; b++) {
        uint8_t *block = blocks + 34 * b;
        if (!tensor_put_f16(block, encode_bytes(src + 32 * b, block + 2, &sum))) return b;
    }
    return n_blocks;
}

size_t tensor_encode_q8_1(const float *src, size_t n_blocks, uint8_t *blocks) {
    int sum = 0;
    for (size_t b = 0; b < n_blocks; b++) {
        uint8_t *block = blocks + 36 * b;
        const float scale = encode_bytes(src + 32 * b, block + 4, &sum);
        if (!tensor_put_f16(block, scale)) return b;
        if (!tensor_put_f16(block + 2, (float)sum * scale)) return b;
    }
    return n_blocks;
}

/* The scale is the mean magnitude, the code the sign. */
size_t tensor_encode_q1_0(const float *src, size_t n_blocks, uint8_t *blocks) {
    for (size_t b = 0; b < n_blocks; b++) {
        const float *x = src + 128 * b;
        uint8_t *block = blocks + 18 * b;
        float sum = 0;
        memset(block + 2, 0, 16);
        for (int i = 0; i < 128; i++) {
            sum += fabsf(x[i]);
            const int bit = x[i] >= 0 ? 1 : 0;
            block[2 + i / 8] = (uint8_t)(block[2 + i / 8] | bit << (i % 8));
        }
        if (!tensor_put_f16(block, sum / 128)) return b;
    }
    return n_blocks;
}

/* The scale is the largest magnitude, so codes are -1, 0, 1; code 2 of the format is not used. */
size_t tensor_encode_q2_0(const float *src, size_t n_blocks, uint8_t *blocks) {
    for (size_t b = 0; b < n_blocks; b++) {
        const float *x = src + 64 * b;
        uint8_t *block = blocks + 18 * b;
        const float scale = fabsf(extreme(64, x));
        const float factor = inverse(scale);
        memset(block + 2, 0, 16);
        for (int i = 0; i < 64; i++) {
            const int code = (int)roundf(x[i] * factor) + 1;
            block[2 + i / 4] = (uint8_t)(block[2 + i / 4] | code << (i % 4 * 2));
        }
        if (!tensor_put_f16(block, scale)) return b;
    }
    return n_blocks;
}
