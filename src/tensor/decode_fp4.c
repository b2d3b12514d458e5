/* Blocks of 4-bit floats (E2M1) under 8-bit float scales. A block -> codes (twice the element, so
 * the scale is halved), scales. Source: OCP Microscaling Formats 1.0; ggml for NVFP4's layout. */
#include "tensor/block_codecs.h"
#include "tensor/codebooks.h"

float tensor_half_e8m0(uint8_t e) {
    return tensor_f32_from_bits(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23);
}

float tensor_half_ue4m3(uint8_t e) {
    if (e == 0x7f) return 0;
    const int exponent = e >> 3 & 15, mantissa = e & 7;
    if (exponent == 0) return (float)mantissa * 0x1p-10f;
    return tensor_f32_from_bits((uint32_t)(exponent - 8 + 127) << 23 | (uint32_t)mantissa << 20);
}

/* E8M0 scale, 16 bytes: element i in the low half of byte i, element i + 16 in the high half.
 * Scale 255, NaN in the specification, is 2^127 to ggml, and here. */
void tensor_unpack_mxfp4(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    scales[0] = tensor_half_e8m0(block[0]);
    for (int i = 0; i < 16; i++) {
        codes[i] = tensor_codebook_e2m1[block[1 + i] & 15];
        codes[i + 16] = tensor_codebook_e2m1[block[1 + i] >> 4];
    }
}

/* 4 UE4M3 scales, for each 8 bytes with 16 elements, laid out as above. */
void tensor_unpack_nvfp4(const uint8_t *block, int8_t *codes, float *scales, float *minimums) {
    (void)minimums;
    for (int g = 0; g < 4; g++) {
        const uint8_t *bytes = block + 4 + 8 * g;
        int8_t *out = codes + 16 * g;
        scales[g] = tensor_half_ue4m3(block[g]);
        for (int i = 0; i < 8; i++) {
            out[i] = tensor_codebook_e2m1[bytes[i] & 15];
            out[i + 8] = tensor_codebook_e2m1[bytes[i] >> 4];
        }
    }
}
