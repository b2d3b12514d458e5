/* What the oracle's kernels of neural operators share: operands as doubles, tasks on the threads.
 */
#ifndef DEVICE_REF_NEURAL_H
#define DEVICE_REF_NEURAL_H

#include "device/ref/ops/ref_number.h"

/* Input i: a tensor of floats of 8 bits or more (elements do not share a byte). Errors: FORMAT. */
ondol_status ref_float_input(const plan_call *c, uint32_t i, tensor_value **out, ondol_error *err);

/* The same as `count` doubles, of shape [count] exactly; an absent input gives `otherwise`. Give
 * back by tensor_heap_free. Errors: FORMAT with the name, LIMIT, MEMORY. */
ondol_status ref_float_list(const plan_call *c, uint32_t i, const char *name, int64_t count,
                            double otherwise, double **out, ondol_error *err);

/* FORMAT with both shapes unless v has exactly these dims. */
ondol_status ref_expect_dims(const plan_call *c, const char *name, const tensor_value *v,
                             uint32_t rank, const int64_t *dims, ondol_error *err);

/* Runs task 0, 1, ... task_count - 1, in any order, on all threads; they share nothing that they
 * write. */
typedef void (*ref_task)(void *user, uint64_t task);
void ref_run_tasks(const plan_call *c, uint64_t task_count, ref_task run, void *user);

#endif
