/* All devices by name. */
#ifndef DEVICE_REGISTRY_H
#define DEVICE_REGISTRY_H

#include "base/cpu.h"
#include "base/thread.h"
#include "plan/device.h"

/* What devices are made with; all borrowed for their whole life. */
typedef struct device_settings {
    const ondol_allocator *allocator;
    base_pool *pool;
    base_isa isa; /* the highest that kernels may use */
} device_settings;

/* "cpu"; "ref": the oracle, no activation quantised; "ref:planned": the oracle with the codes that
 * cpu uses; "null": accepts all, computes nothing. Errors: ARGUMENT (a name that is none, listing
 * them), MEMORY. */
ondol_status device_create(const char *name, const device_settings *settings, plan_device **out,
                           ondol_error *err);

/* Takes NULL. */
void device_destroy(plan_device *d);

#endif
