/* Vectors of 16 floats as four of 4, on NEON, for the templates of kernels; lanes_scalar.h says
 * what each operation is. For files of one instruction set only. */
#ifndef DEVICE_CPU_ARM64_LANES_NEON_H
#define DEVICE_CPU_ARM64_LANES_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>

#define LANE_COUNT 16
#define INLINE     static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

typedef struct lanes {
    float32x4_t v[4]; /* lanes 4i to 4i + 3 */
} lanes;

#define EACH_VECTOR UNROLL for (unsigned i = 0; i < 4; i++)

INLINE lanes lanes_load(const float *p) {
    lanes r;
    EACH_VECTOR r.v[i] = vld1q_f32(p + 4 * i);
    return r;
}
INLINE void lanes_fetch(const void *p) {
    __builtin_prefetch(p, 0, 2);
}
INLINE void lanes_store(float *p, lanes x) {
    EACH_VECTOR vst1q_f32(p + 4 * i, x.v[i]);
}
INLINE lanes lanes_load_part(const float *p, size_t n) {
    float all[LANE_COUNT] = {0};
    for (size_t i = 0; i < n; i++)
        all[i] = p[i];
    return lanes_load(all);
}
INLINE void lanes_store_part(float *p, size_t n, lanes x) {
    float all[LANE_COUNT];
    lanes_store(all, x);
    for (size_t i = 0; i < n; i++)
        p[i] = all[i];
}
INLINE lanes lanes_all(float x) {
    lanes r;
    EACH_VECTOR r.v[i] = vdupq_n_f32(x);
    return r;
}
INLINE float lanes_first(lanes x) {
    return vgetq_lane_f32(x.v[0], 0);
}
INLINE lanes lanes_add(lanes a, lanes b) {
    EACH_VECTOR a.v[i] = vaddq_f32(a.v[i], b.v[i]);
    return a;
}
INLINE lanes lanes_sub(lanes a, lanes b) {
    EACH_VECTOR a.v[i] = vsubq_f32(a.v[i], b.v[i]);
    return a;
}
INLINE lanes lanes_mul(lanes a, lanes b) {
    EACH_VECTOR a.v[i] = vmulq_f32(a.v[i], b.v[i]);
    return a;
}
INLINE lanes lanes_div(lanes a, lanes b) {
    EACH_VECTOR a.v[i] = vdivq_f32(a.v[i], b.v[i]);
    return a;
}
INLINE lanes lanes_fma(lanes a, lanes b, lanes c) {
    EACH_VECTOR c.v[i] = vfmaq_f32(c.v[i], a.v[i], b.v[i]);
    return c;
}
INLINE lanes lanes_fnma(lanes a, lanes b, lanes c) {
    EACH_VECTOR c.v[i] = vfmsq_f32(c.v[i], a.v[i], b.v[i]);
    return c;
}
/* Compared and chosen: NEON's own maximum takes NaNs and zeros otherwise. */
INLINE lanes lanes_max(lanes a, lanes b) {
    EACH_VECTOR b.v[i] = vbslq_f32(vcgtq_f32(a.v[i], b.v[i]), a.v[i], b.v[i]);
    return b;
}
INLINE lanes lanes_min(lanes a, lanes b) {
    EACH_VECTOR b.v[i] = vbslq_f32(vcltq_f32(a.v[i], b.v[i]), a.v[i], b.v[i]);
    return b;
}
INLINE lanes lanes_abs(lanes x) {
    EACH_VECTOR x.v[i] = vabsq_f32(x.v[i]);
    return x;
}
INLINE lanes lanes_copysign(lanes a, lanes b) {
    const uint32x4_t sign = vdupq_n_u32(0x80000000u);
    EACH_VECTOR a.v[i] = vbslq_f32(sign, b.v[i], a.v[i]);
    return a;
}
INLINE lanes lanes_select_less(lanes a, lanes b, lanes x, lanes y) {
    EACH_VECTOR y.v[i] = vbslq_f32(vcltq_f32(a.v[i], b.v[i]), x.v[i], y.v[i]);
    return y;
}
INLINE lanes lanes_sqrt(lanes x) {
    EACH_VECTOR x.v[i] = vsqrtq_f32(x.v[i]);
    return x;
}
INLINE lanes lanes_floor(lanes x) {
    EACH_VECTOR x.v[i] = vrndmq_f32(x.v[i]);
    return x;
}
INLINE lanes lanes_ceil(lanes x) {
    EACH_VECTOR x.v[i] = vrndpq_f32(x.v[i]);
    return x;
}
INLINE lanes lanes_round(lanes x) {
    EACH_VECTOR x.v[i] = vrndnq_f32(x.v[i]);
    return x;
}
INLINE lanes lanes_range(lanes x, unsigned first, unsigned end, lanes other) {
    static const uint32_t numbers[4] = {0, 1, 2, 3};
    const uint32x4_t low = vdupq_n_u32(first), high = vdupq_n_u32(end);
    EACH_VECTOR {
        const uint32x4_t at = vaddq_u32(vld1q_u32(numbers), vdupq_n_u32(4 * i));
        const uint32x4_t inside = vandq_u32(vcgeq_u32(at, low), vcltq_u32(at, high));
        x.v[i] = vbslq_f32(inside, x.v[i], other.v[i]);
    }
    return x;
}
/* In two steps, for 2^n may be no float where x * 2^n is one. */
INLINE lanes lanes_scale(lanes x, lanes n) {
    const int32x4_t bias = vdupq_n_s32(127);
    EACH_VECTOR {
        const int32x4_t whole = vcvtnq_s32_f32(n.v[i]);
        const int32x4_t half = vshrq_n_s32(whole, 1), rest = vsubq_s32(whole, half);
        const int32x4_t a = vshlq_n_s32(vaddq_s32(half, bias), 23);
        const int32x4_t b = vshlq_n_s32(vaddq_s32(rest, bias), 23);
        x.v[i] = vmulq_f32(x.v[i], vreinterpretq_f32_s32(a));
        x.v[i] = vmulq_f32(x.v[i], vreinterpretq_f32_s32(b));
    }
    return x;
}
INLINE float lanes_sum(lanes x) {
    const float32x4_t a = vaddq_f32(x.v[0], x.v[2]), b = vaddq_f32(x.v[1], x.v[3]);
    const float32x4_t c = vaddq_f32(a, b);
    const float32x2_t d = vadd_f32(vget_low_f32(c), vget_high_f32(c));
    return vget_lane_f32(d, 0) + vget_lane_f32(d, 1);
}
INLINE float lanes_most(lanes x) {
    const float32x4_t a = vbslq_f32(vcgtq_f32(x.v[0], x.v[2]), x.v[0], x.v[2]);
    const float32x4_t b = vbslq_f32(vcgtq_f32(x.v[1], x.v[3]), x.v[1], x.v[3]);
    const float32x4_t c = vbslq_f32(vcgtq_f32(a, b), a, b);
    const float32x2_t low = vget_low_f32(c), high = vget_high_f32(c);
    const float32x2_t d = vbsl_f32(vcgt_f32(low, high), low, high);
    const float e = vget_lane_f32(d, 0), f = vget_lane_f32(d, 1);
    return e > f ? e : f;
}
INLINE lanes lanes_from_f16(const void *p) {
    lanes r;
    EACH_VECTOR r.v[i] = vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8((const uint8_t *)p + 8 * i)));
    return r;
}
INLINE void lanes_to_f16(uint16_t *p, lanes x) {
    EACH_VECTOR vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(x.v[i])));
}
INLINE lanes lanes_from_i8(const void *p) {
    const int8x16_t codes = vld1q_s8(p);
    const int16x8_t low = vmovl_s8(vget_low_s8(codes)), high = vmovl_s8(vget_high_s8(codes));
    lanes r;
    r.v[0] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(low)));
    r.v[1] = vcvtq_f32_s32(vmovl_s16(vget_high_s16(low)));
    r.v[2] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(high)));
    r.v[3] = vcvtq_f32_s32(vmovl_s16(vget_high_s16(high)));
    return r;
}
INLINE void lanes_to_i8(int8_t *p, lanes x) {
    int16x4_t part[4];
    EACH_VECTOR part[i] = vqmovn_s32(vcvtnq_s32_f32(x.v[i]));
    const int8x8_t low = vqmovn_s16(vcombine_s16(part[0], part[1]));
    const int8x8_t high = vqmovn_s16(vcombine_s16(part[2], part[3]));
    vst1q_s8(p, vcombine_s8(low, high));
}

#endif
