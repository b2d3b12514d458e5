/* Operators on int8 codes. */
#ifndef DEVICE_CPU_OPS_INT8_OPS_H
#define DEVICE_CPU_OPS_INT8_OPS_H

#include "device/cpu/ops/cpu_kernels.h"

cpu_kernel_accept cpu_accepts_int8_matmul, cpu_accepts_int8_conv, cpu_accepts_int8_binary,
    cpu_accepts_quantize, cpu_accepts_dynamic_quantize;
cpu_kernel_run cpu_run_int8_matmul, cpu_run_int8_conv, cpu_run_int8_binary, cpu_run_quantize,
    cpu_run_dequantize, cpu_run_dynamic_quantize;
cpu_kernel_prepare cpu_prepare_int8_matmul, cpu_prepare_int8_conv;
cpu_kernel_release cpu_release_int8_matmul, cpu_release_int8_conv;

/* For their rules of acceptance: an input that is there; its element type is one of 8-bit codes; it
 * is known to be one number (absent: true). */
const graph_value *cpu_int8_value(const graph *g, graph_node_id n, uint32_t i);
bool cpu_int8_are(const graph_value *v);
bool cpu_int8_is_one(const graph *g, graph_node_id n, uint32_t i);
/* A value that is known when a network is made ready. */
bool cpu_int8_is_constant(const graph_value *v);

/* x in codes of uint8 as DynamicQuantizeLinear makes them: codes [n] written, *scale and *zero.
 * Errors: none. */
void cpu_int8_quantize_dynamic(const plan_call *c, const float *x, uint64_t n, uint8_t *codes,
                               float *scale, int32_t *zero);

#endif
