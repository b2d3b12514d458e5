/* Vectors of 8 lanes, for the templates of kernels. Needs AVX2, FMA, F16C; with VNNI defined as 1,
 * AVX-VNNI too. For files of one instruction set only; vector_avx512.h says what each does. */
#ifndef DEVICE_CPU_X86_VECTOR_AVX2_H
#define DEVICE_CPU_X86_VECTOR_AVX2_H

#include <immintrin.h>
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
#define LANES 8u

typedef __m256i ints;
typedef __m256 floats;

INLINE void vector_fetch(const void *p) {
    _mm_prefetch((const char *)p, _MM_HINT_T0);
}
INLINE void vector_fetch_far(const void *p) {
    _mm_prefetch((const char *)p, _MM_HINT_T1);
}
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

/* As in vector_avx512.h. */
#if VNNI

/* Codes of w are unsigned, and the part is the sum itself. */
#define CODES_ARE_SIGNED 0
#define CHAIN(code_bits) 8u

INLINE ints dots_begin(ints sum) {
    return sum;
}
/* One instruction, pinned: GCC 12 surrounds many accumulators with copies when it may choose. */
INLINE void dots_add(ints *part, ints w, ints x, bool is_signed, bool first) {
    (void)is_signed, (void)first;
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(*part) : "x"(w), "x"(x));
}
INLINE void dots_add_from(ints *part, ints w, const int8_t *x, bool is_signed, bool first) {
    dots_add(part, w, ints_broadcast(x), is_signed, first);
}
INLINE ints dots_end(ints sum, ints part) {
    (void)sum;
    return part;
}

#else

/* 8-bit codes of w are signed. A chain is added in 16 bits: 15 * 127 * 2 * 8, 31 * 127 * 2 * 4,
 * 63 * 127 * 2 * 2 and 128 * 127 * 2 all fit. */
#define CODES_ARE_SIGNED 1
#define CHAIN(code_bits)                                                                           \
    ((code_bits) == 4 ? 8u : (code_bits) == 5 ? 4u : (code_bits) == 6 ? 2u : 1u)

INLINE ints dots_begin(ints sum) {
    (void)sum;
    return _mm256_setzero_si256();
}
INLINE void dots_add(ints *part, ints w, ints x, bool is_signed, bool first) {
    if (is_signed) {
        x = _mm256_sign_epi8(x, w);
        w = _mm256_abs_epi8(w);
    }
    const ints pairs = _mm256_maddubs_epi16(w, x);
    if (first) {
        *part = pairs;
    } else { /* pinned: GCC 12 makes a tree of the sum, for which there are no registers */
        __asm__("vpaddw %1, %0, %0" : "+x"(*part) : "x"(pairs));
    }
}
INLINE void dots_add_from(ints *part, ints w, const int8_t *x, bool is_signed, bool first) {
    dots_add(part, w, ints_broadcast(x), is_signed, first);
}
INLINE ints dots_end(ints sum, ints part) {
    const ints fours = _mm256_madd_epi16(part, _mm256_set1_epi16(1));
    __asm__("vpaddd %1, %0, %0" : "+x"(sum) : "x"(fours)); /* pinned, likewise */
    return sum;
}

#endif

#endif
