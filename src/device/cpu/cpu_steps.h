/* Inside of device/cpu: how each operator of a plan runs on the threads of a pool. */
#ifndef DEVICE_CPU_STEPS_H
#define DEVICE_CPU_STEPS_H

#include "device/cpu/kernels.h"
#include "device/cpu/matmul.h"
#include "device/host_device.h"

typedef struct cpu_device {
    host_device host;
    base_isa isa;
    cpu_kernels kernels;
    cpu_quantize_rows quantize;
} cpu_device;

/* config NULL: rows are looked up where the file has them; otherwise all is packed. */
typedef struct cpu_weight {
    plan_weight base;
    const cpu_matmul_config *config;
    panel_form form;
    uint64_t n, k;
    tensor_matrix stored;
    void *packed;
    bool placed; /* in memory of a store */
} cpu_weight;

/* For host_device. */
void cpu_step_run(const host_context *c);
uint32_t cpu_step_units(const host_context *c);
uint64_t cpu_step_work_bytes(const plan *p, const plan_step *s);

/* In files of their own. */
void cpu_step_matmul(const host_context *c);
void cpu_step_attention(const host_context *c);
uint32_t cpu_step_matmul_units(const host_context *c);
uint32_t cpu_step_attention_units(const host_context *c);

static inline const cpu_kernels *cpu_kernels_of(const host_context *c) {
    return &((const cpu_device *)c->device)->kernels;
}

static inline const cpu_weight *cpu_weight_of(const plan *p, uint32_t v) {
    return (const cpu_weight *)p->weights->items[p->values[v].source];
}

#endif
