/* Kernels of the oracle for graphs that run as they are written: one for each operator, scalar,
 * sums in double, rounded to the declared type at the end. */
#ifndef DEVICE_REF_KERNELS_H
#define DEVICE_REF_KERNELS_H

#include "plan/kernel.h"

/* The kernel of an operator; NULL: there is none yet. */
const plan_kernel *ref_kernel_of(graph_op op);

#define REF(op, run) ondol_status run(plan_call *c, ondol_error *err);
#define REF_PREPARED(op, run, prepare, release)                                                    \
    ondol_status run(plan_call *c, ondol_error *err);                                              \
    ondol_status prepare(const plan_device *d, const ondol_allocator *a, const graph *g,           \
                         graph_node_id n, base_pool *pool, void **state, ondol_error *err);        \
    void release(const ondol_allocator *a, void *state);
#include "device/ref/ops/ref_kernels.def"
#undef REF
#undef REF_PREPARED

#endif
