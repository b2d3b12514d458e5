/* A device that accepts all and computes nothing: for tests of planning and of the runtime. */
#ifndef DEVICE_NULL_DEVICE_H
#define DEVICE_NULL_DEVICE_H

#include "plan/device.h"

/* Outputs are whatever its memory holds. Errors: MEMORY. */
ondol_status null_device_create(const ondol_allocator *a, plan_device **out, ondol_error *err);

#endif
