/* Comparisons, logic, choices; and arithmetic on the integers that shapes are made of. */
#ifndef DEVICE_CPU_OPS_LOGIC_H
#define DEVICE_CPU_OPS_LOGIC_H

#include "device/cpu/ops/cpu_kernels.h"

cpu_kernel_accept cpu_accepts_compare, cpu_accepts_logic, cpu_accepts_where, cpu_accepts_integers;
cpu_kernel_accept cpu_accepts_is_nan;
cpu_kernel_run cpu_run_compare, cpu_run_logic, cpu_run_where, cpu_run_integers, cpu_run_is_nan;

#endif
