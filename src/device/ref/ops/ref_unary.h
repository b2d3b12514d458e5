/* Inside of the unary operators: those of integers, functions that others share. */
#ifndef DEVICE_REF_UNARY_H
#define DEVICE_REF_UNARY_H

#include "plan/kernel.h"

/* The calling node (Abs, Neg, Relu, Shrink, Sign) on x, input 0, a tensor of integers. Exact;
 * wraps. Errors: FORMAT for operators that take no integers. */
ondol_status ref_unary_integer(plan_call *c, const tensor_value *x, ondol_error *err);

/* x * P(X <= x) of a normal distribution, and the form with tanh that comes near. */
double ref_gelu_of(double x);
double ref_gelu_tanh_of(double x);

#endif
