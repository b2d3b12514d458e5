/* Recurrent operators on f32. */
#ifndef DEVICE_CPU_OPS_RECURRENT_H
#define DEVICE_CPU_OPS_RECURRENT_H

#include "device/cpu/ops/cpu_kernels.h"

cpu_kernel_accept cpu_accepts_recurrent;
cpu_kernel_run cpu_run_recurrent;
cpu_kernel_prepare cpu_prepare_recurrent;
cpu_kernel_release cpu_release_recurrent;

#endif
