/* Inside of device/cpu: how each operator of a plan runs on the threads of a pool. */
#ifndef DEVICE_CPU_STEPS_H
#define DEVICE_CPU_STEPS_H

#include "base/thread.h"
#include "device/cpu/kernels.h"
#include "device/cpu/matmul.h"
#include "plan/plan.h"

typedef struct cpu_device {
    plan_device base;
    const ondol_allocator *allocator;
    base_pool *pool;
    base_isa isa;
    cpu_kernels kernels;
    cpu_quantize_rows quantize;
    unsigned char *work; /* [threads][work_bytes] */
    uint64_t work_bytes; /* of one thread, a multiple of 64 */
} cpu_device;

/* blocks: the file's bytes. config NULL: rows are looked up from them; otherwise all is packed. */
typedef struct cpu_weight {
    plan_weight base;
    const cpu_matmul_config *config;
    tensor_encoding encoding;
    uint64_t n, k;
    const void *blocks;
    void *packed;
} cpu_weight;

/* What one thread of a step sees. */
typedef struct cpu_context {
    const cpu_device *device;
    const plan *p;
    const plan_binding *binding;
    const plan_step *step;
    unsigned thread, threads;
    void *work;
} cpu_context;

/* The thread's share of a step; phase 0, and 1 for an operator of two (a barrier between them). */
void cpu_step_run(const cpu_context *c, unsigned phase);

/* 1, or 2 for an operator whose second part needs all of the first. */
unsigned cpu_step_phases(plan_op op);

/* Scratch that one thread needs for the step. */
uint64_t cpu_step_work_bytes(const plan *p, const plan_step *s);

/* The share of `count` units that thread has: [*first, *end), in blocks of `grain`. */
void cpu_share(const cpu_context *c, uint64_t count, uint64_t grain, uint64_t *first,
               uint64_t *end);

/* In files of their own. */
void cpu_step_matmul(const cpu_context *c);
void cpu_step_attention(const cpu_context *c, unsigned phase);

#endif
