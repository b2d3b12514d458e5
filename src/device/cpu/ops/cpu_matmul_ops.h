/* MatMul, Gemm and FusedMatMul on f32. */
#ifndef DEVICE_CPU_OPS_MATMUL_OPS_H
#define DEVICE_CPU_OPS_MATMUL_OPS_H

#include "device/cpu/ops/cpu_kernels.h"

cpu_kernel_accept cpu_accepts_matmul;
cpu_kernel_run cpu_run_matmul, cpu_run_gemm;
cpu_kernel_prepare cpu_prepare_matmul;
cpu_kernel_release cpu_release_matmul;

#endif
