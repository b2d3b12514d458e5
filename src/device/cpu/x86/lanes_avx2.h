/* Vectors of 16 floats as two of 8, on AVX2, FMA, F16C, for the templates of kernels;
 * lanes_scalar.h says what each operation is. For files of one instruction set only. */
#ifndef DEVICE_CPU_X86_LANES_AVX2_H
#define DEVICE_CPU_X86_LANES_AVX2_H

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

typedef struct lanes {
    __m256 a, b; /* lanes 0 to 7, 8 to 15 */
} lanes;

/* All bits set in those of the eight lanes from `lane` on that are below n. */
INLINE __m256i lanes_below(int lane, int n) {
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n - lane), index);
}
INLINE lanes lanes_load(const float *p) {
    return (lanes){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
INLINE void lanes_fetch(const void *p) {
    _mm_prefetch((const char *)p, _MM_HINT_T1);
}
INLINE void lanes_store(float *p, lanes x) {
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
}
INLINE lanes lanes_load_part(const float *p, size_t n) {
    return (lanes){_mm256_maskload_ps(p, lanes_below(0, (int)n)),
                   _mm256_maskload_ps(p + 8, lanes_below(8, (int)n))};
}
INLINE void lanes_store_part(float *p, size_t n, lanes x) {
    _mm256_maskstore_ps(p, lanes_below(0, (int)n), x.a);
    _mm256_maskstore_ps(p + 8, lanes_below(8, (int)n), x.b);
}
INLINE lanes lanes_all(float x) {
    return (lanes){_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
INLINE float lanes_first(lanes x) {
    return _mm256_cvtss_f32(x.a);
}
INLINE lanes lanes_add(lanes a, lanes b) {
    return (lanes){_mm256_add_ps(a.a, b.a), _mm256_add_ps(a.b, b.b)};
}
INLINE lanes lanes_sub(lanes a, lanes b) {
    return (lanes){_mm256_sub_ps(a.a, b.a), _mm256_sub_ps(a.b, b.b)};
}
INLINE lanes lanes_mul(lanes a, lanes b) {
    return (lanes){_mm256_mul_ps(a.a, b.a), _mm256_mul_ps(a.b, b.b)};
}
INLINE lanes lanes_div(lanes a, lanes b) {
    return (lanes){_mm256_div_ps(a.a, b.a), _mm256_div_ps(a.b, b.b)};
}
INLINE lanes lanes_fma(lanes a, lanes b, lanes c) {
    return (lanes){_mm256_fmadd_ps(a.a, b.a, c.a), _mm256_fmadd_ps(a.b, b.b, c.b)};
}
INLINE lanes lanes_fnma(lanes a, lanes b, lanes c) {
    return (lanes){_mm256_fnmadd_ps(a.a, b.a, c.a), _mm256_fnmadd_ps(a.b, b.b, c.b)};
}
INLINE lanes lanes_max(lanes a, lanes b) {
    return (lanes){_mm256_max_ps(a.a, b.a), _mm256_max_ps(a.b, b.b)};
}
INLINE lanes lanes_min(lanes a, lanes b) {
    return (lanes){_mm256_min_ps(a.a, b.a), _mm256_min_ps(a.b, b.b)};
}
INLINE lanes lanes_abs(lanes x) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return (lanes){_mm256_andnot_ps(sign, x.a), _mm256_andnot_ps(sign, x.b)};
}
INLINE lanes lanes_copysign(lanes a, lanes b) {
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return (lanes){_mm256_or_ps(_mm256_andnot_ps(sign, a.a), _mm256_and_ps(sign, b.a)),
                   _mm256_or_ps(_mm256_andnot_ps(sign, a.b), _mm256_and_ps(sign, b.b))};
}
INLINE lanes lanes_select_less(lanes a, lanes b, lanes x, lanes y) {
    return (lanes){_mm256_blendv_ps(y.a, x.a, _mm256_cmp_ps(a.a, b.a, _CMP_LT_OQ)),
                   _mm256_blendv_ps(y.b, x.b, _mm256_cmp_ps(a.b, b.b, _CMP_LT_OQ))};
}
INLINE __m256 lanes_inside(int lane, unsigned first, unsigned end) {
    return _mm256_castsi256_ps(
        _mm256_andnot_si256(lanes_below(lane, (int)first), lanes_below(lane, (int)end)));
}
INLINE lanes lanes_sqrt(lanes x) {
    return (lanes){_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)};
}
INLINE lanes lanes_floor(lanes x) {
    return (lanes){_mm256_floor_ps(x.a), _mm256_floor_ps(x.b)};
}
INLINE lanes lanes_ceil(lanes x) {
    return (lanes){_mm256_ceil_ps(x.a), _mm256_ceil_ps(x.b)};
}
INLINE lanes lanes_round(lanes x) {
    return (lanes){_mm256_round_ps(x.a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC),
                   _mm256_round_ps(x.b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
INLINE lanes lanes_range(lanes x, unsigned first, unsigned end, lanes other) {
    return (lanes){_mm256_blendv_ps(other.a, x.a, lanes_inside(0, first, end)),
                   _mm256_blendv_ps(other.b, x.b, lanes_inside(8, first, end))};
}
INLINE __m256 lanes_scale_8(__m256 x, __m256 n) {
    const __m256i whole = _mm256_cvtps_epi32(n), bias = _mm256_set1_epi32(127);
    const __m256i half = _mm256_srai_epi32(whole, 1), rest = _mm256_sub_epi32(whole, half);
    const __m256i first = _mm256_slli_epi32(_mm256_add_epi32(half, bias), 23);
    const __m256i second = _mm256_slli_epi32(_mm256_add_epi32(rest, bias), 23);
    return _mm256_mul_ps(_mm256_mul_ps(x, _mm256_castsi256_ps(first)), _mm256_castsi256_ps(second));
}
INLINE lanes lanes_scale(lanes x, lanes n) {
    return (lanes){lanes_scale_8(x.a, n.a), lanes_scale_8(x.b, n.b)};
}
INLINE float lanes_sum(lanes x) {
    const __m256 a = _mm256_add_ps(x.a, x.b);
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
}
INLINE float lanes_most(lanes x) {
    const __m256 a = _mm256_max_ps(x.a, x.b);
    const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
}
INLINE lanes lanes_from_f16(const void *p) {
    const __m128i *half = p;
    return (lanes){_mm256_cvtph_ps(_mm_loadu_si128(half)),
                   _mm256_cvtph_ps(_mm_loadu_si128(half + 1))};
}
INLINE void lanes_to_f16(uint16_t *p, lanes x) {
    __m128i *half = (__m128i *)(void *)p;
    _mm_storeu_si128(half, _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128(half + 1, _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}
INLINE lanes lanes_from_i8(const void *p) {
    const __m128i codes = _mm_loadu_si128((const __m128i *)p);
    const __m128i high = _mm_unpackhi_epi64(codes, codes);
    return (lanes){_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes)),
                   _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(high))};
}
INLINE __m128i lanes_narrow_8(__m256 x) {
    const __m256i whole = _mm256_cvtps_epi32(x);
    return _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
}
INLINE void lanes_to_i8(int8_t *p, lanes x) {
    const __m128i codes = _mm_packs_epi16(lanes_narrow_8(x.a), lanes_narrow_8(x.b));
    _mm_storeu_si128((__m128i *)(void *)p, codes);
}

#endif
