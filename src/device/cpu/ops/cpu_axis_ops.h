/* Operators along axes on f32: softmax, reductions, norms; Cast; Resize. */
#ifndef DEVICE_CPU_OPS_AXIS_OPS_H
#define DEVICE_CPU_OPS_AXIS_OPS_H

#include "device/cpu/ops/cpu_kernels.h"

cpu_kernel_accept cpu_accepts_reduce, cpu_accepts_reduce_integers, cpu_accepts_norm,
    cpu_accepts_cast, cpu_accepts_resize;
cpu_kernel_run cpu_run_softmax, cpu_run_reduce, cpu_run_reduce_integers, cpu_run_layer_norm,
    cpu_run_rms_norm;
cpu_kernel_run cpu_run_batch_norm, cpu_run_cast, cpu_run_skip_norm;
cpu_kernel_run cpu_run_resize;

#endif
