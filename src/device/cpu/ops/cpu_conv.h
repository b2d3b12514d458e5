/* Convolution and pooling of f32 in one or two dimensions, channels last. */
#ifndef DEVICE_CPU_OPS_CONV_H
#define DEVICE_CPU_OPS_CONV_H

#include "device/cpu/ops/cpu_kernels.h"

cpu_kernel_accept cpu_accepts_conv, cpu_accepts_conv_transpose, cpu_accepts_pool;
cpu_kernel_run cpu_run_conv, cpu_run_conv_transpose, cpu_run_pool, cpu_run_global_pool;
cpu_kernel_prepare cpu_prepare_conv, cpu_prepare_conv_transpose;
cpu_kernel_release cpu_release_conv, cpu_release_conv_transpose;

/* A window over [H, W]; one spatial dimension is W with H = 1. */
typedef struct cpu_window {
    int64_t kernel[2], stride[2], dilation[2], before[2], after[2];
    int64_t in[2], out[2];
} cpu_window;

/* Reads kernel_shape (kernel[1..2] given as `fallback` where the node has none), strides,
 * dilations, pads, auto_pad and ceil_mode of the node for an input of rank 3 or 4, and finds the
 * output's size. Errors: FORMAT with what does not fit. */
ondol_status cpu_window_read(const plan_call *c, const tensor_value *x, const int64_t fallback[2],
                             cpu_window *out, ondol_error *err);

/* Output i with channels last: [batch, channels, spatial of the window]. */
ondol_status cpu_window_output(plan_call *c, uint32_t i, const tensor_value *x, int64_t channels,
                               const cpu_window *w, tensor_value **out, ondol_error *err);

#endif
