/* Dense products of f32: y [M,N] = x [M,K] B, with B packed for the matmul kernels of the CPU.
 * Sums: each output is one chain of fma over K, whatever the threads (device/cpu/matmul.h). */
#ifndef DEVICE_CPU_OPS_GEMM_H
#define DEVICE_CPU_OPS_GEMM_H

#include "base/thread.h"
#include "device/cpu/cpu_steps.h"
#include "plan/kernel.h"

static inline const cpu_device *cpu_device_of(const plan_device *d) {
    return (const cpu_device *)(const void *)d;
}

/* B as the kernels have it. */
typedef struct cpu_packed {
    const cpu_matmul_config *config;
    panel_form form;
    uint64_t n, k;
    const void *data;
} cpu_packed;

/* B in memory: element (k, n) at data[k * k_stride + n * n_stride]; one of both strides is 1. F16
 * and BF16 lie without gaps, and are packed as they are. */
typedef struct cpu_matrix {
    tensor_encoding encoding; /* F32, F16 or BF16 */
    const void *data;
    uint64_t k, n, k_stride, n_stride;
} cpu_matrix;

/* Bytes that B [k,n] takes packed, slack included. */
uint64_t cpu_gemm_packed_bytes(const cpu_device *d, tensor_encoding e, uint64_t k, uint64_t n);
/* Packs to `to`, 64-byte aligned. pool: NULL for one thread. */
void cpu_gemm_pack(const cpu_device *d, base_pool *pool, const cpu_matrix *b, void *to,
                   cpu_packed *out);

/* Rows of x and y are x_stride, y_stride elements apart. bias: f32[n] or NULL. Slack: behind x, y
 * and bias nothing is read. */
typedef struct cpu_gemm_call {
    const cpu_packed *b;
    const float *x;
    size_t x_stride;
    uint64_t rows;
    float *y;
    size_t y_stride;
    const float *bias;
} cpu_gemm_call;
void cpu_gemm_run(base_pool *pool, const cpu_gemm_call *g);
/* All of it on this thread. */
void cpu_gemm_run_here(const cpu_gemm_call *g);

#endif
