/* The CPU as a device. */
#ifndef DEVICE_CPU_DEVICE_H
#define DEVICE_CPU_DEVICE_H

#include "base/cpu.h"
#include "base/thread.h"
#include "plan/device.h"

/* a and pool are borrowed. isa: the highest level of kernels to use. Errors: MEMORY. */
ondol_status cpu_device_create(const ondol_allocator *a, base_pool *pool, base_isa isa,
                               plan_device **out, ondol_error *err);

#endif
