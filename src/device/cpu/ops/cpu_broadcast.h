/* Tensors that broadcast, as a few long rows: dimensions that all operands step through alike are
 * one. */
#ifndef DEVICE_CPU_OPS_BROADCAST_H
#define DEVICE_CPU_OPS_BROADCAST_H

#include "plan/kernel.h"

#define CPU_BROADCAST_OPERANDS 3

/* Dimension 0 is the innermost one, a row; the others count rows. Steps in elements, 0 where an
 * operand repeats; those of dimension 0 are 0 or 1. */
typedef struct cpu_broadcast {
    uint32_t rank, operands;
    int64_t dims[TENSOR_MAX_RANK];
    int64_t step[CPU_BROADCAST_OPERANDS][TENSOR_MAX_RANK];
    uint64_t lines; /* rows; 0 where there is no element */
} cpu_broadcast;

/* The operands in one order of memory, each to be released: channels last (then *last) where an
 * image among them has it and all others can, else dense. Errors: LIMIT, MEMORY. */
ondol_status cpu_broadcast_operands(const plan_call *c, tensor_value *const *values, uint32_t count,
                                    tensor_value **out, bool *last, ondol_error *err);

/* The common shape, and the walk over tensors that are dense, or that all have their channels last:
 * as a result of that layout lies. Errors: FORMAT with what does not fit. */
ondol_status cpu_broadcast_join(const plan_call *c, tensor_value *const *values, uint32_t count,
                                bool last, cpu_broadcast *out, uint32_t *rank, int64_t *dims,
                                ondol_error *err);

/* One run of a row: where it begins in each operand and in the dense result. */
typedef struct cpu_run {
    int64_t at[CPU_BROADCAST_OPERANDS];
    int64_t out, count;
} cpu_run;

/* Calls run for all of it, in units of some ten thousand elements on the threads. */
typedef void (*cpu_run_function)(const cpu_run *r, const cpu_broadcast *b, const void *argument);
void cpu_broadcast_run(const plan_call *c, const cpu_broadcast *b, cpu_run_function run,
                       const void *argument);

#endif
