/* Vectors of 16 lanes, for the templates of kernels. Needs AVX-512 F, BW, DQ, VL; with VNNI defined
 * as 1, VNNI too. For files of one instruction set only. */
#ifndef DEVICE_CPU_X86_VECTOR_AVX512_H
#define DEVICE_CPU_X86_VECTOR_AVX512_H

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
#define LANES 16u

typedef __m512i ints;
typedef __m512 floats;

/* A hint: the line at p will be read soon, or a while later. */
INLINE void vector_fetch(const void *p) {
    _mm_prefetch((const char *)p, _MM_HINT_T0);
}
INLINE void vector_fetch_far(const void *p) {
    _mm_prefetch((const char *)p, _MM_HINT_T1);
}
INLINE ints ints_load(const void *p) {
    return _mm512_loadu_si512(p);
}
INLINE ints ints_all(int32_t value) {
    return _mm512_set1_epi32(value);
}
INLINE ints ints_all_bytes(int value) {
    return _mm512_set1_epi8((char)value);
}
/* The int32 at p, in all lanes. */
INLINE ints ints_broadcast(const void *p) {
    int32_t value;
    memcpy(&value, p, sizeof value);
    return _mm512_set1_epi32(value);
}
INLINE ints ints_add(ints a, ints b) {
    return _mm512_add_epi32(a, b);
}
INLINE ints ints_sub(ints a, ints b) {
    return _mm512_sub_epi32(a, b);
}
INLINE ints ints_and(ints a, ints b) {
    return _mm512_and_si512(a, b);
}
/* a | (b & c) */
INLINE ints ints_or_and(ints a, ints b, ints c) {
    return _mm512_ternarylogic_epi32(a, b, c, 0xf8);
}
INLINE ints ints_xor(ints a, ints b) {
    return _mm512_xor_si512(a, b);
}
/* By 1 to 4; bits cross from byte to byte, not from one 16-bit lane to the next. A switch, since
 * the count must be a constant even where nothing is optimised. */
INLINE ints ints_left_16(ints a, unsigned by) {
    switch (by) {
    case 1: return _mm512_slli_epi16(a, 1);
    case 2: return _mm512_slli_epi16(a, 2);
    case 3: return _mm512_slli_epi16(a, 3);
    default: return _mm512_slli_epi16(a, 4);
    }
}
/* By 0 to 4. */
INLINE ints ints_right_16(ints a, unsigned by) {
    switch (by) {
    case 0: return a;
    case 1: return _mm512_srli_epi16(a, 1);
    case 2: return _mm512_srli_epi16(a, 2);
    case 3: return _mm512_srli_epi16(a, 3);
    default: return _mm512_srli_epi16(a, 4);
    }
}
/* By 5 or 7. */
INLINE ints ints_left_32(ints a, unsigned by) {
    return by == 5 ? _mm512_slli_epi32(a, 5) : _mm512_slli_epi32(a, 7);
}
/* 16 bytes to lanes. */
INLINE ints ints_from_u8(const void *p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128(p));
}
INLINE ints ints_from_i8(const void *p) {
    return _mm512_cvtepi8_epi32(_mm_loadu_si128(p));
}

INLINE floats floats_zero(void) {
    return _mm512_setzero_ps();
}
INLINE floats floats_all(float value) {
    return _mm512_set1_ps(value);
}
INLINE floats floats_broadcast(const void *p) {
    float value;
    memcpy(&value, p, sizeof value);
    return _mm512_set1_ps(value);
}
INLINE floats floats_load(const void *p) {
    return _mm512_loadu_ps(p);
}
/* The first `count` lanes; the others are 0, or stay. */
INLINE floats floats_load_part(const float *p, unsigned count) {
    if (count >= LANES) return _mm512_loadu_ps(p);
    return _mm512_maskz_loadu_ps((__mmask16)((1u << count) - 1), p);
}
INLINE void floats_store_part(float *p, unsigned count, floats v) {
    if (count >= LANES) {
        _mm512_storeu_ps(p, v);
    } else {
        _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), v);
    }
}
INLINE floats floats_from_f16(const void *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(p));
}
INLINE floats floats_from_bf16(const void *p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(p)), 16));
}
INLINE floats floats_from_ints(ints v) {
    return _mm512_cvtepi32_ps(v);
}
INLINE floats floats_of_bits(ints v) {
    return _mm512_castsi512_ps(v);
}
INLINE floats floats_negate(floats v) {
    return _mm512_castsi512_ps(
        _mm512_xor_si512(_mm512_castps_si512(v), _mm512_set1_epi32(INT32_MIN)));
}
INLINE floats floats_add(floats a, floats b) {
    return _mm512_add_ps(a, b);
}
INLINE floats floats_sub(floats a, floats b) {
    return _mm512_sub_ps(a, b);
}
INLINE floats floats_mul(floats a, floats b) {
    return _mm512_mul_ps(a, b);
}
/* a * b + c, a * b - c, c - a * b, rounded once. */
INLINE floats floats_fma(floats a, floats b, floats c) {
    return _mm512_fmadd_ps(a, b, c);
}
INLINE floats floats_fms(floats a, floats b, floats c) {
    return _mm512_fmsub_ps(a, b, c);
}
INLINE floats floats_fnma(floats a, floats b, floats c) {
    return _mm512_fnmadd_ps(a, b, c);
}

/* Sums of products: a chain of vectors, each lane of which has 4 codes of w and 4 of x, is added to
 * a part of the sum: dots_begin, dots_add by dots_add, dots_end. */
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
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*part) : "v"(w), "v"(x));
}
/* The same, for x that is loaded by the instruction itself. */
INLINE void dots_add_from(ints *part, ints w, const int8_t *x, bool is_signed, bool first) {
    (void)is_signed, (void)first;
    __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(*part) : "v"(w), "m"(*(const int8_t(*)[4])x));
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
    return _mm512_setzero_si512();
}
INLINE void dots_add(ints *part, ints w, ints x, bool is_signed, bool first) {
    if (is_signed) {
        const __mmask64 negative = _mm512_movepi8_mask(w);
        x = _mm512_mask_sub_epi8(x, negative, _mm512_setzero_si512(), x);
        w = _mm512_abs_epi8(w);
    }
    const ints pairs = _mm512_maddubs_epi16(w, x);
    if (first) {
        *part = pairs;
    } else { /* pinned: GCC 12 makes a tree of the sum, for which there are no registers */
        __asm__("vpaddw %1, %0, %0" : "+v"(*part) : "v"(pairs));
    }
}
INLINE void dots_add_from(ints *part, ints w, const int8_t *x, bool is_signed, bool first) {
    dots_add(part, w, ints_broadcast(x), is_signed, first);
}
INLINE ints dots_end(ints sum, ints part) {
    const ints fours = _mm512_madd_epi16(part, _mm512_set1_epi16(1));
    __asm__("vpaddd %1, %0, %0" : "+v"(sum) : "v"(fours)); /* pinned, likewise */
    return sum;
}

#endif

#endif
