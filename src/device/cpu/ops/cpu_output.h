/* Outputs of the CPU's kernels. */
#ifndef DEVICE_CPU_OPS_OUTPUT_H
#define DEVICE_CPU_OPS_OUTPUT_H

#include "plan/kernel.h"

/* Makes output i a tensor of x's type, shape and layout; x itself, to be written over, where x is
 * an input that nobody reads any more. Errors: LIMIT, MEMORY. */
ondol_status cpu_output_like(plan_call *c, uint32_t i, tensor_value *x, tensor_value **out,
                             ondol_error *err);

#endif
