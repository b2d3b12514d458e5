/* Inside of device/ref: how each operator of a plan is computed. */
#ifndef DEVICE_REF_STEPS_H
#define DEVICE_REF_STEPS_H

#include "device/host_device.h"

typedef struct ref_device {
    host_device host;
    bool planned;
} ref_device;

/* Always computed with as the file has it. */
typedef struct ref_weight {
    plan_weight base;
    tensor_matrix stored;
} ref_weight;

/* For host_device. */
void ref_step_run(const host_context *c);
uint32_t ref_step_units(const host_context *c);
uint64_t ref_step_work_bytes(const plan *p, const plan_step *s);

#endif
