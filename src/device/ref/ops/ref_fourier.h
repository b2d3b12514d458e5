/* Discrete Fourier transforms of any length, in double. */
#ifndef DEVICE_REF_FOURIER_H
#define DEVICE_REF_FOURIER_H

#include "plan/kernel.h"

typedef struct ref_complex {
    double re, im;
} ref_complex;

/* Tables for transforms of n numbers. Thread class: one thread at a time. */
typedef struct ref_fourier {
    uint64_t n;
    uint64_t padded;     /* the power of two that it is computed in; 0: by its definition */
    ref_complex *turns;  /* e^(-2 pi i k / n), k < n; of `padded` where that is not 0 */
    ref_complex *chirp;  /* e^(-pi i k^2 / n), k < n; NULL where n is a power of two */
    ref_complex *kernel; /* the transform of the chirp's conjugate [padded] */
    ref_complex *work;   /* [n or padded] */
} ref_fourier;

/* n >= 1. Memory is the call's; release takes what was zeroed or made in part too. Errors: LIMIT,
 * MEMORY. */
ondol_status ref_fourier_create(const plan_call *c, uint64_t n, ref_fourier *out, ondol_error *err);
void ref_fourier_destroy(const plan_call *c, ref_fourier *f);

/* x[n], in place: sum of x[k] e^(-2 pi i j k / n), or with is_inverse of e^(+...) / n. */
void ref_fourier_run(ref_fourier *f, ref_complex *x, bool is_inverse);

#endif
