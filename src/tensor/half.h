/* The two 16-bit floats, exactly: IEEE 754 binary16 and bfloat16, to and from f32. */
#ifndef TENSOR_HALF_H
#define TENSOR_HALF_H

#include <stdint.h>
#include <string.h>

static inline uint32_t tensor_f32_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float tensor_f32_from_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Exact; a NaN keeps sign and payload and becomes quiet. Masks, not branches, so that loops become
 * vectors. */
static inline float tensor_f16_to_f32(uint16_t half) {
    const uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    const uint32_t rest = half & 0x7fffu;
    const uint32_t is_small = 0u - (uint32_t)(rest < 0x0400u);
    const uint32_t is_special = 0u - (uint32_t)(rest >= 0x7c00u);
    const uint32_t is_nan = 0u - (uint32_t)(rest > 0x7c00u);
    /* The exponent's bias grows by 112; that of infinity and NaN must become the largest. */
    const uint32_t normal = (rest << 13) + (112u << 23) + (is_special & (112u << 23));
    /* Zero or subnormal: rest * 2^-24, an exact product. */
    const uint32_t small = tensor_f32_bits((float)(int32_t)rest * 0x1p-24f);
    const uint32_t magnitude = (small & is_small) | (normal & ~is_small);
    return tensor_f32_from_bits(sign | magnitude | (is_nan & 0x00400000u));
}

/* Round to nearest even, past 65519.996 to infinity; a NaN keeps sign and becomes quiet. */
static inline uint16_t tensor_f32_to_f16(float value) {
    const uint32_t bits = tensor_f32_bits(value);
    const uint32_t sign = (bits >> 16) & 0x8000u;
    const uint32_t rest = bits & 0x7fffffffu;
    if (rest > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | ((rest >> 13) & 0x1ffu));
    if (rest >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* 65520 and more, infinity */
    if (rest >= 0x38800000u) { /* normal: carry of the rounding may go into the exponent */
        const uint32_t shifted = rest - (112u << 23);
        return (uint16_t)(sign | ((shifted + 0x0fffu + ((shifted >> 13) & 1u)) >> 13));
    }
    if (rest < 0x33000000u) return (uint16_t)sign; /* below half of the least subnormal */
    const uint32_t shift = 126u - (rest >> 23);    /* 14 to 24 bits lie below the unit 2^-24 */
    const uint32_t mantissa = (rest & 0x7fffffu) | 0x800000u;
    const uint32_t kept = mantissa >> shift;
    const uint32_t half_unit = 1u << (shift - 1u);
    const uint32_t lost = mantissa & ((1u << shift) - 1u);
    const uint32_t up = lost > half_unit || (lost == half_unit && (kept & 1u)) ? 1u : 0u;
    return (uint16_t)(sign | (kept + up));
}

/* Exact, the bits of a NaN included. */
static inline float tensor_bf16_to_f32(uint16_t half) {
    return tensor_f32_from_bits((uint32_t)half << 16);
}

/* Round to nearest even; a NaN keeps sign and high payload and becomes quiet. */
static inline uint16_t tensor_f32_to_bf16(float value) {
    const uint32_t bits = tensor_f32_bits(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (uint16_t)(bits >> 16 | 0x40u);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

#endif
