/* What opens a graph that runs as it is written: the passes in their order, then its kernels. */
#ifndef API_READY_H
#define API_READY_H

#include "network/network.h"

/* Rewrites g in place for the devices (not where the first is the oracle), folds its constants, and
 * makes it ready. Everything outlives the network. Errors: those of network_create, MEMORY. */
ondol_status api_ready_network(const ondol_allocator *a, graph *g, plan_device *const *devices,
                               uint32_t device_count, base_pool *pool,
                               const network_options *options, network **out, ondol_error *err);

#endif
