/* Encoders of ternary weights. f32 -> blocks of 256 digits and one f16 scale, the largest
 * magnitude. Source: ggml's reference quantisers. */
#include <math.h>

#include "tensor/block_codecs.h"

/* digits[i] = 0, 1, 2 for the nearest of -1, 0, 1, half away from zero; returns the scale. */
static float find_digits(const float *x, uint8_t digits[256]) {
    float scale = 0;
    for (int i = 0; i < 256; i++)
        scale = fmaxf(scale, fabsf(x[i]));
    const float inverse = scale == 0 ? 0 : 1 / scale;
    const float factor = isfinite(inverse) ? inverse : 0;
    for (int i = 0; i < 256; i++)
        digits[i] = (uint8_t)((int)roundf(x[i] * factor) + 1);
    return scale;
}

/* bytes[i] = the fraction 0.d0 d1 d2 d3 d4 in base 3 times 256, rounded up, where digit j is
 * digits[width * j + i]; a missing fifth digit is 0. */
static void put_digits(const uint8_t *digits, int width, int count, uint8_t *bytes) {
    for (int i = 0; i < width; i++) {
        unsigned number = 0;
        for (int j = 0; j < 5; j++)
            number = number * 3 + (j < count ? digits[width * j + i] : 0u);
        bytes[i] = (uint8_t)((number * 256 + 242) / 243);
    }
}

size_t tensor_encode_tq1_0(const float *src, size_t n_blocks, uint8_t *blocks) {
    uint8_t digits[256];
    for (size_t b = 0; b < n_blocks; b++) {
        uint8_t *block = blocks + 54 * b;
        if (!tensor_put_f16(block + 52, find_digits(src + 256 * b, digits))) return b;
        put_digits(digits, 32, 5, block);
        put_digits(digits + 160, 16, 5, block + 32);
        put_digits(digits + 240, 4, 4, block + 48);
    }
    return n_blocks;
}

size_t tensor_encode_tq2_0(const float *src, size_t n_blocks, uint8_t *blocks) {
    uint8_t digits[256];
    for (size_t b = 0; b < n_blocks; b++) {
        uint8_t *block = blocks + 66 * b;
        if (!tensor_put_f16(block + 64, find_digits(src + 256 * b, digits))) return b;
        for (int i = 0; i < 64; i++) {
            const uint8_t *d = digits + i / 32 * 128 + i % 32;
            block[i] = (uint8_t)(d[0] | d[32] << 2 | d[64] << 4 | d[96] << 6);
        }
    }
    return n_blocks;
}
