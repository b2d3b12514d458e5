/* Discrete Fourier transforms of any length. */
#ifndef DEVICE_REF_FOURIER_H
#define DEVICE_REF_FOURIER_H

#include "plan/kernel.h"

typedef struct ref_complex {
    double re, im;
} ref_complex;

/* Tables for transforms of n numbers. Thread class: one thread at a time. */
typedef struct ref_fourier {
    uint64_t n;
    bool is_single; /* each step is rounded to float */
    uint64_t size;  /* what is transformed: n, or the power of two that holds its chirp */
    uint32_t factor_count;
    uint8_t factors[64];
    ref_complex *turns; /* e^(-2 pi i k / size), k < size */
    ref_complex *work;  /* [size] */
    /* Where n has a large prime factor; NULL where it has none. */
    ref_complex *chirp;  /* e^(-pi i k^2 / n), k < n */
    ref_complex *kernel; /* the transform of the chirp's conjugate [size] */
    ref_complex *padded; /* [size] */
} ref_fourier;

/* n >= 1. is_single: computed in float, as numpy computes transforms of complex float (official
 * cases hold that rounding where the result is zero); a chirp is computed in double all the same.
 * Memory is the call's; destroy takes what was zeroed or made in part too. Errors: LIMIT, MEMORY.
 */
ondol_status ref_fourier_create(const plan_call *c, uint64_t n, bool is_single, ref_fourier *out,
                                ondol_error *err);
void ref_fourier_destroy(const plan_call *c, ref_fourier *f);

/* x[n], in place: sum of x[k] e^(-2 pi i j k / n), or with is_inverse of e^(+...) / n. */
void ref_fourier_run(ref_fourier *f, ref_complex *x, bool is_inverse);

#endif
