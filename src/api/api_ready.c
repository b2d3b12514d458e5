/* Graphs that run as they are written, made ready. In: a graph, devices. Out: a network. */
#include "api/api_ready.h"

#include <string.h>

#include "optimize/optimize.h"

ondol_status api_ready_network(const ondol_allocator *a, graph *g, plan_device *const *devices,
                               uint32_t device_count, base_pool *pool,
                               const network_options *options, network **out, ondol_error *err) {
    /* The oracle computes what is written. */
    const bool oracle = strncmp(devices[0]->ops->name, "ref", 3) == 0;
    ondol_status status = ONDOL_OK;
    if (!oracle) TRY(optimize_quantized(g, err));
    TRY(network_fold_constants(a, g, devices, device_count, pool, options->max_bytes, err));
    if (!oracle) TRY(network_widen_halves(g, devices[0], err));
    if (!oracle) TRY(optimize_network(g, err));
    TRY(network_create(a, g, devices, device_count, pool, options, out, err));
done:
    return status;
}
