/* Operators that compute nothing: they move elements, or change how they are seen. Devices that
 * compute in host memory share these kernels; host_kernels.def lists them. */
#ifndef DEVICE_HOST_OPS_H
#define DEVICE_HOST_OPS_H

#include "plan/kernel.h"

#define HOST(op, run)            ondol_status run(plan_call *c, ondol_error *err);
#define HOST_ANY_LAYOUT(op, run) HOST(op, run)
#include "device/host_kernels.def"
#undef HOST
#undef HOST_ANY_LAYOUT

#endif
