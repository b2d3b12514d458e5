/* Rows of numbers normalised. */
#ifndef DEVICE_REF_MS_NORM_H
#define DEVICE_REF_MS_NORM_H

#include <stdbool.h>
#include <stdint.h>

/* x[0..n) in place: less its mean (unless is_simple), over its standard deviation (root mean
 * square), times gamma[n], plus beta[n] (NULL: 0). mean, inverse: what was used; may be NULL. */
void ref_ms_norm_row(double *x, uint64_t n, bool is_simple, double epsilon, const double *gamma,
                     const double *beta, double *mean, double *inverse);

#endif
