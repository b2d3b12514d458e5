/* exp and log that give the same bits on every machine: additions, multiplications and tables alone
 * (IEEE doubles rounded to nearest, built with -ffp-contract=off), nothing of the C library. */
#ifndef BASE_EXACT_MATH_H
#define BASE_EXACT_MATH_H

/* e^x. Error below 0.53 ulp, below 1 ulp where the result is subnormal. NaN gives NaN, +infinity
 * and x > 709.78 +infinity, -infinity and x < -745.14 zero.
 * Source: table-driven reduction of Tang 1989, with 64 steps to an octave. */
double base_exp(double x);

/* The natural logarithm. Error below 0.53 ulp; base_log(1) is 0. Zero gives -infinity, NaN and
 * negative numbers NaN, +infinity itself.
 * Source: table-driven reduction of Tang 1990, with 128 steps to an octave. */
double base_log(double x);

#endif
