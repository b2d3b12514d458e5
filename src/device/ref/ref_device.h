/* The scalar oracle as a device. */
#ifndef DEVICE_REF_DEVICE_H
#define DEVICE_REF_DEVICE_H

#include "base/thread.h"
#include "plan/device.h"

/* a and pool are borrowed. planned: activations are quantised where cpu quantises them; otherwise
 * nothing is. Errors: MEMORY. */
ondol_status ref_device_create(const ondol_allocator *a, base_pool *pool, bool planned,
                               plan_device **out, ondol_error *err);

#endif
