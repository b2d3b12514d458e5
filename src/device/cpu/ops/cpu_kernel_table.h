/* Inside of cpu/ops: the functions that cpu_kernels.def names are declared in the headers of their
 * families, included here. */
#ifndef DEVICE_CPU_OPS_KERNEL_TABLE_H
#define DEVICE_CPU_OPS_KERNEL_TABLE_H

#include "device/cpu/ops/cpu_attention_ops.h"
#include "device/cpu/ops/cpu_axis_ops.h"
#include "device/cpu/ops/cpu_int8_ops.h"
#include "device/cpu/ops/cpu_conv.h"
#include "device/cpu/ops/cpu_elementwise.h"
#include "device/cpu/ops/cpu_kernels.h"
#include "device/cpu/ops/cpu_logic.h"
#include "device/cpu/ops/cpu_matmul_ops.h"
#include "device/cpu/ops/cpu_nbits.h"
#include "device/cpu/ops/cpu_recurrent.h"
#include "device/cpu/ops/cpu_rotary.h"
#include "device/cpu/ops/cpu_trees.h"

#endif
