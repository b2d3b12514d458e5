/* Vectors of 4 lanes on NEON, for the templates of kernels. DOT says how codes are multiplied: 0
 * by what every arm64 processor has, 1 by SDOT, 2 by USDOT of I8MM. For files of one instruction
 * set only; x86/vector_avx512.h says what each function does. */
#ifndef DEVICE_CPU_ARM64_VECTOR_NEON_H
#define DEVICE_CPU_ARM64_VECTOR_NEON_H

#include <arm_neon.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define LANES 4u

typedef int32x4_t ints;
typedef float32x4_t floats;

INLINE void vector_fetch(const void *p) {
    __builtin_prefetch(p, 0, 3);
}
INLINE void vector_fetch_far(const void *p) {
    __builtin_prefetch(p, 0, 2);
}
INLINE ints ints_load(const void *p) {
    return vreinterpretq_s32_u8(vld1q_u8(p));
}
INLINE ints ints_all(int32_t value) {
    return vdupq_n_s32(value);
}
INLINE ints ints_all_bytes(int value) {
    return vreinterpretq_s32_u8(vdupq_n_u8((uint8_t)value));
}
INLINE ints ints_broadcast(const void *p) {
    int32_t value;
    memcpy(&value, p, sizeof value);
    return vdupq_n_s32(value);
}
INLINE ints ints_sub(ints a, ints b) {
    return vsubq_s32(a, b);
}
INLINE ints ints_and(ints a, ints b) {
    return vandq_s32(a, b);
}
INLINE ints ints_or_and(ints a, ints b, ints c) {
    return vorrq_s32(a, vandq_s32(b, c));
}
INLINE ints ints_xor(ints a, ints b) {
    return veorq_s32(a, b);
}
/* By a count in a register: negative counts go right. */
INLINE ints ints_left_16(ints a, unsigned by) {
    const uint16x8_t halves = vreinterpretq_u16_s32(a);
    return vreinterpretq_s32_u16(vshlq_u16(halves, vdupq_n_s16((int16_t)by)));
}
INLINE ints ints_right_16(ints a, unsigned by) {
    const uint16x8_t halves = vreinterpretq_u16_s32(a);
    return vreinterpretq_s32_u16(vshlq_u16(halves, vdupq_n_s16((int16_t) - (int)by)));
}
INLINE ints ints_left_32(ints a, unsigned by) {
    return vshlq_s32(a, vdupq_n_s32((int32_t)by));
}
/* 4 bytes to lanes. */
INLINE ints ints_from_u8(const void *p) {
    uint32_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    const uint16x8_t wide = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(bytes)));
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(wide)));
}
INLINE ints ints_from_i8(const void *p) {
    uint32_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u32(vdup_n_u32(bytes)))));
}

INLINE floats floats_zero(void) {
    return vdupq_n_f32(0);
}
INLINE floats floats_all(float value) {
    return vdupq_n_f32(value);
}
INLINE floats floats_broadcast(const void *p) {
    return vreinterpretq_f32_s32(ints_broadcast(p));
}
INLINE floats floats_load(const void *p) {
    return vreinterpretq_f32_u8(vld1q_u8(p));
}
INLINE floats floats_load_part(const float *p, unsigned count) {
    if (count >= LANES) return vld1q_f32(p);
    float lanes[LANES] = {0};
    for (unsigned i = 0; i < count; i++)
        lanes[i] = p[i];
    return vld1q_f32(lanes);
}
INLINE void floats_store_part(float *p, unsigned count, floats v) {
    if (count >= LANES) {
        vst1q_f32(p, v);
        return;
    }
    float lanes[LANES];
    vst1q_f32(lanes, v);
    for (unsigned i = 0; i < count; i++)
        p[i] = lanes[i];
}
INLINE floats floats_from_f16(const void *p) {
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}
INLINE floats floats_from_bf16(const void *p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u8(vld1_u8(p)), 16));
}
INLINE floats floats_from_ints(ints v) {
    return vcvtq_f32_s32(v);
}
INLINE floats floats_of_bits(ints v) {
    return vreinterpretq_f32_s32(v);
}
INLINE floats floats_negate(floats v) {
    return vnegq_f32(v);
}
INLINE floats floats_add(floats a, floats b) {
    return vaddq_f32(a, b);
}
INLINE floats floats_sub(floats a, floats b) {
    return vsubq_f32(a, b);
}
INLINE floats floats_mul(floats a, floats b) {
    return vmulq_f32(a, b);
}
INLINE floats floats_fma(floats a, floats b, floats c) {
    return vfmaq_f32(c, a, b);
}
INLINE floats floats_fms(floats a, floats b, floats c) {
    return vfmaq_f32(vnegq_f32(c), a, b);
}
INLINE floats floats_fnma(floats a, floats b, floats c) {
    return vfmsq_f32(c, a, b);
}

/* A part is the sum itself: every level adds four products to each lane of 32 bits. */
#define CHAIN(code_bits) 8u

INLINE ints dots_begin(ints sum) {
    return sum;
}
INLINE ints dots_end(ints sum, ints part) {
    (void)sum;
    return part;
}

#if DOT == 2

#define CODES_ARE_SIGNED 0

INLINE void dots_add(ints *part, ints w, ints x, bool is_signed, bool first) {
    (void)is_signed, (void)first;
    *part = vusdotq_s32(*part, vreinterpretq_u8_s32(w), vreinterpretq_s8_s32(x));
}

#else

/* 8-bit codes are signed; fewer bits are no sign. */
#define CODES_ARE_SIGNED 1

INLINE void dots_add(ints *part, ints w, ints x, bool is_signed, bool first) {
    (void)is_signed, (void)first;
    const int8x16_t a = vreinterpretq_s8_s32(w), b = vreinterpretq_s8_s32(x);
#if DOT == 1
    *part = vdotq_s32(*part, a, b);
#else
    const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b));
    const int16x8_t high = vmull_high_s8(a, b);
    *part = vaddq_s32(*part, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
#endif
}

#endif

INLINE void dots_add_from(ints *part, ints w, const int8_t *x, bool is_signed, bool first) {
    dots_add(part, w, ints_broadcast(x), is_signed, first);
}

#endif
