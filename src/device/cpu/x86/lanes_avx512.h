/* Vectors of 16 floats on AVX-512 F, BW, DQ, VL, for the templates of kernels; lanes_scalar.h says
 * what each operation is. For files of one instruction set only. */
#ifndef DEVICE_CPU_X86_LANES_AVX512_H
#define DEVICE_CPU_X86_LANES_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define LANE_COUNT 16
#define INLINE     static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

typedef __m512 lanes;

INLINE lanes lanes_load(const float *p) {
    return _mm512_loadu_ps(p);
}
INLINE void lanes_fetch(const void *p) {
    _mm_prefetch((const char *)p, _MM_HINT_T0);
}
INLINE void lanes_store(float *p, lanes x) {
    _mm512_storeu_ps(p, x);
}
INLINE lanes lanes_load_part(const float *p, size_t n) {
    return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1u), p);
}
INLINE void lanes_store_part(float *p, size_t n, lanes x) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1u), x);
}
INLINE lanes lanes_all(float x) {
    return _mm512_set1_ps(x);
}
INLINE float lanes_first(lanes x) {
    return _mm512_cvtss_f32(x);
}
INLINE lanes lanes_add(lanes a, lanes b) {
    return _mm512_add_ps(a, b);
}
INLINE lanes lanes_sub(lanes a, lanes b) {
    return _mm512_sub_ps(a, b);
}
INLINE lanes lanes_mul(lanes a, lanes b) {
    return _mm512_mul_ps(a, b);
}
INLINE lanes lanes_div(lanes a, lanes b) {
    return _mm512_div_ps(a, b);
}
INLINE lanes lanes_fma(lanes a, lanes b, lanes c) {
    return _mm512_fmadd_ps(a, b, c);
}
INLINE lanes lanes_fnma(lanes a, lanes b, lanes c) {
    return _mm512_fnmadd_ps(a, b, c);
}
INLINE lanes lanes_max(lanes a, lanes b) {
    return _mm512_max_ps(a, b);
}
INLINE lanes lanes_min(lanes a, lanes b) {
    return _mm512_min_ps(a, b);
}
INLINE lanes lanes_abs(lanes x) {
    return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), x);
}
INLINE lanes lanes_copysign(lanes a, lanes b) {
    const lanes sign = _mm512_set1_ps(-0.0f);
    return _mm512_or_ps(_mm512_andnot_ps(sign, a), _mm512_and_ps(sign, b));
}
INLINE lanes lanes_select_less(lanes a, lanes b, lanes x, lanes y) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x);
}
INLINE lanes lanes_sqrt(lanes x) {
    return _mm512_sqrt_ps(x);
}
INLINE lanes lanes_floor(lanes x) {
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}
INLINE lanes lanes_ceil(lanes x) {
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
}
INLINE lanes lanes_round(lanes x) {
    return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
INLINE lanes lanes_range(lanes x, unsigned first, unsigned end, lanes other) {
    const unsigned inside = ((1u << end) - 1u) & ~((1u << first) - 1u);
    return _mm512_mask_blend_ps((__mmask16)inside, other, x);
}
INLINE lanes lanes_scale(lanes x, lanes n) {
    return _mm512_scalef_ps(x, n);
}
INLINE float lanes_sum(lanes x) {
    const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
INLINE float lanes_most(lanes x) {
    const __m256 a = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}
INLINE lanes lanes_from_f16(const void *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
INLINE void lanes_to_f16(uint16_t *p, lanes x) {
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT));
}
INLINE lanes lanes_from_i8(const void *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
INLINE void lanes_to_i8(int8_t *p, lanes x) {
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x)));
}

#endif
