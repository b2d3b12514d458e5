/* Operators on codes of a few bits with scales apart (com.microsoft). */
#ifndef DEVICE_CPU_OPS_NBITS_H
#define DEVICE_CPU_OPS_NBITS_H

#include "device/cpu/ops/cpu_kernels.h"

cpu_kernel_accept cpu_accepts_matmul_nbits, cpu_accepts_gather_quantized;
cpu_kernel_run cpu_run_matmul_nbits, cpu_run_gather_quantized;
cpu_kernel_prepare cpu_prepare_matmul_nbits, cpu_prepare_gather_quantized;
cpu_kernel_release cpu_release_nbits;

#endif
