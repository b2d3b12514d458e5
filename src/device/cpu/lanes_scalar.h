/* Vectors of LANE_COUNT floats without any instruction set, for the templates of kernels. The
 * definition of every operation: lanes_avx2.h and lanes_avx512.h give the same bits. */
#ifndef DEVICE_CPU_LANES_SCALAR_H
#define DEVICE_CPU_LANES_SCALAR_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tensor/half.h"

#ifndef LANE_COUNT
#define LANE_COUNT 16
#endif
#define INLINE static inline
#define UNROLL

typedef struct lanes {
    float v[LANE_COUNT];
} lanes;

#define EACH_LANE for (unsigned i = 0; i < LANE_COUNT; i++)

INLINE lanes lanes_load(const float *p) {
    lanes r;
    EACH_LANE r.v[i] = p[i];
    return r;
}
/* A hint: the line at p will be read soon. */
INLINE void lanes_fetch(const void *p) {
    (void)p;
}
INLINE void lanes_store(float *p, lanes x) {
    EACH_LANE p[i] = x.v[i];
}
/* n lanes from memory, the others 0. */
INLINE lanes lanes_load_part(const float *p, size_t n) {
    lanes r;
    EACH_LANE r.v[i] = i < n ? p[i] : 0;
    return r;
}
INLINE void lanes_store_part(float *p, size_t n, lanes x) {
    for (size_t i = 0; i < n; i++)
        p[i] = x.v[i];
}
INLINE lanes lanes_all(float x) {
    lanes r;
    EACH_LANE r.v[i] = x;
    return r;
}
INLINE float lanes_first(lanes x) {
    return x.v[0];
}
INLINE lanes lanes_add(lanes a, lanes b) {
    EACH_LANE a.v[i] += b.v[i];
    return a;
}
INLINE lanes lanes_sub(lanes a, lanes b) {
    EACH_LANE a.v[i] -= b.v[i];
    return a;
}
INLINE lanes lanes_mul(lanes a, lanes b) {
    EACH_LANE a.v[i] *= b.v[i];
    return a;
}
INLINE lanes lanes_div(lanes a, lanes b) {
    EACH_LANE a.v[i] /= b.v[i];
    return a;
}
/* a * b + c, rounded once. */
INLINE lanes lanes_fma(lanes a, lanes b, lanes c) {
    EACH_LANE c.v[i] = fmaf(a.v[i], b.v[i], c.v[i]);
    return c;
}
/* c - a * b, rounded once. */
INLINE lanes lanes_fnma(lanes a, lanes b, lanes c) {
    EACH_LANE c.v[i] = fmaf(-a.v[i], b.v[i], c.v[i]);
    return c;
}
/* a > b ? a : b, so b when either is NaN. */
INLINE lanes lanes_max(lanes a, lanes b) {
    EACH_LANE b.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
    return b;
}
/* a < b ? a : b. */
INLINE lanes lanes_min(lanes a, lanes b) {
    EACH_LANE b.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
    return b;
}
INLINE lanes lanes_abs(lanes x) {
    EACH_LANE x.v[i] = fabsf(x.v[i]);
    return x;
}
/* Magnitude of a, sign of b. */
INLINE lanes lanes_copysign(lanes a, lanes b) {
    EACH_LANE a.v[i] = copysignf(a.v[i], b.v[i]);
    return a;
}
/* a < b ? x : y. */
INLINE lanes lanes_select_less(lanes a, lanes b, lanes x, lanes y) {
    EACH_LANE y.v[i] = a.v[i] < b.v[i] ? x.v[i] : y.v[i];
    return y;
}
INLINE lanes lanes_sqrt(lanes x) {
    EACH_LANE x.v[i] = sqrtf(x.v[i]);
    return x;
}
/* To whole numbers: down, up, to the nearest even. */
INLINE lanes lanes_floor(lanes x) {
    EACH_LANE x.v[i] = floorf(x.v[i]);
    return x;
}
INLINE lanes lanes_ceil(lanes x) {
    EACH_LANE x.v[i] = ceilf(x.v[i]);
    return x;
}
INLINE lanes lanes_round(lanes x) {
    EACH_LANE x.v[i] = rintf(x.v[i]);
    return x;
}
/* x in lanes [first, end), other elsewhere. */
INLINE lanes lanes_range(lanes x, unsigned first, unsigned end, lanes other) {
    EACH_LANE x.v[i] = i >= first && i < end ? x.v[i] : other.v[i];
    return x;
}
/* x * 2^n, rounded once; x of [0.5, 2) or NaN, n a whole number of [-152, 130], anything with NaN.
 */
INLINE lanes lanes_scale(lanes x, lanes n) {
    EACH_LANE {
        const int whole = n.v[i] >= -152 && n.v[i] <= 130 ? (int)n.v[i] : 0;
        const int half = (whole - (whole < 0)) / 2; /* rounded down */
        x.v[i] *= tensor_f32_from_bits((uint32_t)(half + 127) << 23);
        x.v[i] *= tensor_f32_from_bits((uint32_t)(whole - half + 127) << 23);
    }
    return x;
}
#if LANE_COUNT == 16
/* The tree: l + l+8, then +4, +2, +1. */
INLINE float lanes_sum(lanes x) {
    for (unsigned step = 8; step; step /= 2) {
        for (unsigned i = 0; i < step; i++)
            x.v[i] += x.v[i + step];
    }
    return x.v[0];
}
/* The largest; any when there is a NaN. */
INLINE float lanes_most(lanes x) {
    float most = x.v[0];
    EACH_LANE most = x.v[i] > most ? x.v[i] : most;
    return most;
}
INLINE lanes lanes_from_f16(const void *p) {
    uint16_t half[LANE_COUNT];
    lanes r;
    memcpy(half, p, sizeof half);
    EACH_LANE r.v[i] = tensor_f16_to_f32(half[i]);
    return r;
}
INLINE void lanes_to_f16(uint16_t *p, lanes x) {
    EACH_LANE p[i] = tensor_f32_to_f16(x.v[i]);
}
INLINE lanes lanes_from_i8(const void *p) {
    int8_t codes[LANE_COUNT];
    lanes r;
    memcpy(codes, p, sizeof codes);
    EACH_LANE r.v[i] = codes[i];
    return r;
}
/* Whole numbers of -128..127. */
INLINE void lanes_to_i8(int8_t *p, lanes x) {
    EACH_LANE p[i] = (int8_t)x.v[i];
}
#endif

#endif
