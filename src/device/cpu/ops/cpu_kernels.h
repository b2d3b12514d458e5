/* Kernels of the cpu for graphs that run as they are written. An operator may have several, the
 * best first: the first that accepts a node computes it. */
#ifndef DEVICE_CPU_OPS_KERNELS_H
#define DEVICE_CPU_OPS_KERNELS_H

#include "plan/kernel.h"

/* The first kernel that accepts node n; NULL: none, with the reasons in why (may be NULL). */
const plan_kernel *cpu_kernel_of(const graph *g, graph_node_id n, base_buffer *why);

typedef bool cpu_kernel_accept(const graph *g, graph_node_id n, base_buffer *why);
typedef ondol_status cpu_kernel_run(plan_call *c, ondol_error *err);
typedef ondol_status cpu_kernel_prepare(const plan_device *d, const ondol_allocator *a,
                                        const graph *g, graph_node_id n, base_pool *pool,
                                        void **state, ondol_error *err);
typedef void cpu_kernel_release(const ondol_allocator *a, void *state);

#endif
