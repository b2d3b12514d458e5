/* Encoders of 4-bit floats under 8-bit float scales: MXFP4, NVFP4. f32 -> blocks.
 * Source: ggml's reference quantisers. */
#include <math.h>

#include "tensor/block_codecs.h"
#include "tensor/codebooks.h"

/* The nearest element under this (halved) scale, the first of equals. */
static unsigned nearest_code(float x, float scale) {
    unsigned best = 0;
    float best_error = fabsf(x);
    for (unsigned c = 1; c < 16; c++) {
        const float error = fabsf(scale * (float)tensor_codebook_e2m1[c] - x);
        if (error < best_error) {
            best = c;
            best_error = error;
        }
    }
    return best;
}

/* 2 * n codes in n bytes, the first n in the low halves. */
static void put_codes(const float *x, int n, float scale, uint8_t *bytes) {
    for (int i = 0; i < n; i++) {
        bytes[i] = (uint8_t)(nearest_code(x[i], scale) | nearest_code(x[i + n], scale) << 4);
    }
}

static float largest(const float *x, int n) {
    float found = 0;
    for (int i = 0; i < n; i++)
        found = fmaxf(found, fabsf(x[i]));
    return found;
}

/* floor of log2(x) rounded to f32, for normal x > 0, as ggml and gguf have it: within some units
 * in the last place below 2^k that logarithm rounds to k. Their number is where
 * 2^-24 * units / ln 2 reaches half the distance of f32 numbers below k. */
static int floor_log2(float x) {
    const uint32_t bits = tensor_f32_bits(x);
    const int next = (int)(bits >> 23) - 126; /* 2^next > x */
    const uint32_t units = 0x800000u - (bits & 0x7fffffu);
    int spacing = 0; /* log2 of the distance below `next`, times 2^23 */
    for (int rest = next < 0 ? -next : next; rest > 1; rest >>= 1)
        spacing++;
    if (next > 0 && (next & (next - 1)) == 0) spacing--;
    if (next == 0 || spacing < 0) return next - 1;
    const bool rounds_up = (double)units <= 0x1.62e42fefa39efp-1 * (double)(1u << spacing);
    return rounds_up ? next : next - 1;
}

size_t tensor_encode_mxfp4(const float *src, size_t n_blocks, uint8_t *blocks) {
    for (size_t b = 0; b < n_blocks; b++) {
        uint8_t *block = blocks + 17 * b;
        const float most = largest(src + 32 * b, 32);
        /* Below 2^-125 no E8M0 scale fits the rule; the least does. */
        const int e = most < 0x1p-125f ? 0 : floor_log2(most) - 2 + 127;
        block[0] = (uint8_t)e;
        put_codes(src + 32 * b, 16, tensor_half_e8m0(block[0]), block + 1);
    }
    return n_blocks;
}

/* Unsigned E4M3 by one more bit than is kept, half up; at most 448. */
static uint8_t to_ue4m3(float x) {
    const uint32_t bits = tensor_f32_bits(x);
    const int exponent = (int)(bits >> 23) - 127 + 7;
    if (x <= 0) return 0;
    if (exponent <= 0) {
        const int mantissa = (int)(x * 512 + 0.5f);
        return (uint8_t)(mantissa > 7 ? 7 : mantissa);
    }
    const uint32_t rounded = ((uint32_t)exponent << 3 | (bits >> 20 & 7u)) + (bits >> 19 & 1u);
    return exponent >= 15 || rounded >= 15u << 3 ? 0x7e : (uint8_t)rounded;
}

size_t tensor_encode_nvfp4(const float *src, size_t n_blocks, uint8_t *blocks) {
    for (size_t b = 0; b < n_blocks; b++) {
        uint8_t *block = blocks + 36 * b;
        for (int g = 0; g < 4; g++) {
            const float *x = src + 64 * b + 16 * g;
            const float scale = largest(x, 16) / 6;
            if (scale > 448) return b;
            block[g] = to_ue4m3(scale);
            put_codes(x, 8, tensor_half_ue4m3(block[g]), block + 4 + 8 * g);
        }
    }
    return n_blocks;
}
