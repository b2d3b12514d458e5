/* Arithmetic on numbers that come from a file: every sum and product says whether it fits. */
#ifndef BASE_CHECKED_H
#define BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* *out = a + b; false, with *out untouched, when it does not fit. */
static inline bool base_add(uint64_t a, uint64_t b, uint64_t *out) {
    if (a > UINT64_MAX - b) return false;
    *out = a + b;
    return true;
}

/* *out = a * b; false, with *out untouched, when it does not fit. */
static inline bool base_mul(uint64_t a, uint64_t b, uint64_t *out) {
    if (b != 0 && a > UINT64_MAX / b) return false;
    *out = a * b;
    return true;
}

/* *out = a rounded up to a multiple of `align` (a power of two). */
static inline bool base_align_up(uint64_t a, uint64_t align, uint64_t *out) {
    uint64_t sum = 0;
    if (!base_add(a, align - 1, &sum)) return false;
    *out = sum & ~(align - 1);
    return true;
}

/* True when [offset, offset + length) lies within [0, limit). */
static inline bool base_range_ok(uint64_t offset, uint64_t length, uint64_t limit) {
    return offset <= limit && length <= limit - offset;
}

#endif
