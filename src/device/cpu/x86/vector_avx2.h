/* Vectors of 8 lanes, for the templates of kernels. Needs AVX2, FMA, F16C; with VNNI defined as 1,
 * AVX-VNNI too. For files of one instruction set only; vector_avx512.h says what each does. */
#ifndef DEVICE_CPU_X86_VECTOR_AVX2_H
#define DEVICE_CPU_X86_VECTOR_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define LANES 8u

typedef __m256i ints;
typedef __m256 floats;

INLINE ints ints_load(const void *p) {
    return _mm256_loadu_si256(p);
}
INLINE ints ints_all(int32_t value) {
    return _mm256_set1_epi32(value);
}
INLINE ints ints_all_bytes(int value) {
    return _mm256_set1_epi8((char)value);
}
INLINE ints ints_broadcast(const void *p) {
    int32_t value;
    memcpy(&value, p, sizeof value);
    return _mm256_set1_epi32(value);
}
INLINE ints ints_sub(ints a, ints b) {
    return _mm256_sub_epi32(a, b);
}
INLINE ints ints_and(ints a, ints b) {
    return _mm256_and_si256(a, b);
}
INLINE ints ints_or_and(ints a, ints b, ints c) {
    return _mm256_or_si256(a, _mm256_and_si256(b, c));
}
INLINE ints ints_xor(ints a, ints b) {
    return _mm256_xor_si256(a, b);
}
INLINE ints ints_left_16(ints a, unsigned by) {
    switch (by) {
    case 1: return _mm256_slli_epi16(a, 1);
    case 2: return _mm256_slli_epi16(a, 2);
    case 3: return _mm256_slli_epi16(a, 3);
    default: return _mm256_slli_epi16(a, 4);
    }
}
INLINE ints ints_right_16(ints a, unsigned by) {
    switch (by) {
    case 0: return a;
    case 1: return _mm256_srli_epi16(a, 1);
    case 2: return _mm256_srli_epi16(a, 2);
    case 3: return _mm256_srli_epi16(a, 3);
    default: return _mm256_srli_epi16(a, 4);
    }
}
INLINE ints ints_left_32(ints a, unsigned by) {
    return by == 5 ? _mm256_slli_epi32(a, 5) : _mm256_slli_epi32(a, 7);
}
INLINE ints ints_from_u8(const void *p) {
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64(p));
}
INLINE ints ints_from_i8(const void *p) {
    return _mm256_cvtepi8_epi32(_mm_loadl_epi64(p));
}

INLINE floats floats_zero(void) {
    return _mm256_setzero_ps();
}
INLINE floats floats_all(float value) {
    return _mm256_set1_ps(value);
}
INLINE floats floats_broadcast(const void *p) {
    return _mm256_broadcast_ss(p);
}
INLINE floats floats_load(const void *p) {
    return _mm256_loadu_ps(p);
}
/* All ones in the first `count` lanes. */
INLINE ints lanes_below(unsigned count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count),
                              _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE floats floats_load_part(const float *p, unsigned count) {
    if (count >= LANES) return _mm256_loadu_ps(p);
    return _mm256_maskload_ps(p, lanes_below(count));
}
INLINE void floats_store_part(float *p, unsigned count, floats v) {
    if (count >= LANES) {
        _mm256_storeu_ps(p, v);
    } else {
        _mm256_maskstore_ps(p, lanes_below(count), v);
    }
}
INLINE floats floats_from_f16(const void *p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(p));
}
INLINE floats floats_from_bf16(const void *p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(p)), 16));
}
INLINE floats floats_from_ints(ints v) {
    return _mm256_cvtepi32_ps(v);
}
INLINE floats floats_of_bits(ints v) {
    return _mm256_castsi256_ps(v);
}
INLINE floats floats_negate(floats v) {
    return _mm256_xor_ps(v, _mm256_set1_ps(-0.0f));
}
INLINE floats floats_add(floats a, floats b) {
    return _mm256_add_ps(a, b);
}
INLINE floats floats_sub(floats a, floats b) {
    return _mm256_sub_ps(a, b);
}
INLINE floats floats_mul(floats a, floats b) {
    return _mm256_mul_ps(a, b);
}
INLINE floats floats_fma(floats a, floats b, floats c) {
    return _mm256_fmadd_ps(a, b, c);
}
INLINE floats floats_fms(floats a, floats b, floats c) {
    return _mm256_fmsub_ps(a, b, c);
}
INLINE floats floats_fnma(floats a, floats b, floats c) {
    return _mm256_fnmadd_ps(a, b, c);
}

#if VNNI

#define CODES_ARE_SIGNED 0
#define CHAIN(code_bits) 1u

INLINE void ints_add_dot(ints *sum, const ints *w, const int8_t *x, unsigned chain) {
    (void)chain;
    const ints xs = ints_broadcast(x);
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(*sum) : "x"(*w), "x"(xs));
}

#else

/* As in vector_avx512.h. */
#define CODES_ARE_SIGNED 1
#define CHAIN(code_bits)                                                                           \
    ((code_bits) == 4 ? 8u : (code_bits) == 5 ? 4u : (code_bits) == 6 ? 2u : 1u)

INLINE void ints_add_dot(ints *sum, const ints *w, const int8_t *x, unsigned chain) {
    ints pairs;
    if (chain == 1) {
        pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(*w), _mm256_sign_epi8(ints_broadcast(x), *w));
    } else {
        pairs = _mm256_maddubs_epi16(w[0], ints_broadcast(x));
        UNROLL for (unsigned j = 1; j < chain; j++) {
            pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(w[j], ints_broadcast(x + 4 * j)));
        }
    }
    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

#endif

#endif
