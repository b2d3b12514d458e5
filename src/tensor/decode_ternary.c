/* Ternary weights: 256 elements, one f16 scale. A block -> codes, scales. */
#include "tensor/block_codecs.h"

static void fill_scales(float scale, float *scales) {
    for (int g = 0; g < 8; g++)
        scales[g] = scale;
}

/* `digits` elements of each byte: element width * j + i is digit j of byte i. A byte is the
 * fraction 0.d0 d1 d2 ... in base 3, times 256, so 3^j times it (mod 256) starts with digit j. */
static void unpack_digits(const uint8_t *bytes, int width, int digits, int8_t *codes) {
    unsigned power = 1;
    for (int j = 0; j < digits; j++) {
        for (int i = 0; i < width; i++) {
            const unsigned fraction = (bytes[i] * power) & 255u;
            codes[width * j + i] = (int8_t)((int)(fraction * 3 >> 8) - 1);
        }
        power *= 3;
    }
}

/* 32 + 16 bytes of 5 digits, 4 bytes of 4 digits, f16 scale. */
void tensor_unpack_tq1_0(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    fill_scales(tensor_get_f16(block + 52), scales);
    unpack_digits(block, 32, 5, codes);
    unpack_digits(block + 32, 16, 5, codes + 160);
    unpack_digits(block + 48, 4, 4, codes + 240);
}

/* 64 bytes of pairs in two halves, f16 scale. Pair 3 is no ternary digit; it decodes to 2. */
void tensor_unpack_tq2_0(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    fill_scales(tensor_get_f16(block + 64), scales);
    for (int part = 0; part < 8; part++) {
        const uint8_t *bytes = block + 32 * (part / 4);
        const int shift = part % 4 * 2;
        int8_t *out = codes + 32 * part;
        for (int i = 0; i < 32; i++)
            out[i] = (int8_t)(((bytes[i] >> shift) & 3) - 1);
    }
}
