/* Elementwise operators on f32. */
#ifndef DEVICE_CPU_OPS_ELEMENTWISE_H
#define DEVICE_CPU_OPS_ELEMENTWISE_H

#include "device/cpu/ops/cpu_kernels.h"

cpu_kernel_accept cpu_accepts_f32;
cpu_kernel_run cpu_run_unary, cpu_run_chain, cpu_run_binary, cpu_run_bias_gelu;
cpu_kernel_prepare cpu_prepare_unary, cpu_prepare_chain;
cpu_kernel_release cpu_release_unary, cpu_release_chain;

#endif
