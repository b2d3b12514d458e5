/* Operators of attention on f32. */
#ifndef DEVICE_CPU_OPS_ATTENTION_OPS_H
#define DEVICE_CPU_OPS_ATTENTION_OPS_H

#include "device/cpu/ops/cpu_kernels.h"

cpu_kernel_accept cpu_accepts_group_query, cpu_accepts_dot_attention;
cpu_kernel_accept cpu_accepts_multi_head;
cpu_kernel_run cpu_run_group_query, cpu_run_dot_attention, cpu_run_multi_head;

#endif
