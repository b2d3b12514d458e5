/* The matmul and quantise kernels of each instruction set; see matmul.h. In x86/ but for scalar. */
#ifndef DEVICE_CPU_MATMUL_KERNELS_H
#define DEVICE_CPU_MATMUL_KERNELS_H

#include "device/cpu/matmul_layout.h"

/* Scratch of the x86 kernels of codes: some panels of blocks, opened for many tokens. */
#define CPU_MATMUL_WORK_BYTES 98304u

/* For every CODES layout. */
void cpu_matmul_codes_scalar(CPU_MATMUL_PARAMETERS);
void cpu_matmul_codes_avx2(CPU_MATMUL_PARAMETERS);
void cpu_matmul_codes_avx2vnni(CPU_MATMUL_PARAMETERS);
void cpu_matmul_codes_avx512(CPU_MATMUL_PARAMETERS);
void cpu_matmul_codes_avx512vnni(CPU_MATMUL_PARAMETERS);
void cpu_matmul_codes_amx(CPU_MATMUL_PARAMETERS);

void cpu_matmul_codes_neon(CPU_MATMUL_PARAMETERS);
void cpu_matmul_codes_neondot(CPU_MATMUL_PARAMETERS);
void cpu_matmul_codes_i8mm(CPU_MATMUL_PARAMETERS);

/* For every FLOATS layout. */
void cpu_matmul_floats_scalar(CPU_MATMUL_PARAMETERS);
void cpu_matmul_floats_avx2(CPU_MATMUL_PARAMETERS);
void cpu_matmul_floats_avx512(CPU_MATMUL_PARAMETERS);

void cpu_matmul_floats_neon(CPU_MATMUL_PARAMETERS);

void cpu_matmul_segments_scalar(CPU_SEGMENTS_PARAMETERS);
void cpu_matmul_segments_avx2(CPU_SEGMENTS_PARAMETERS);
void cpu_matmul_segments_avx512(CPU_SEGMENTS_PARAMETERS);
void cpu_matmul_segments_neon(CPU_SEGMENTS_PARAMETERS);

/* See cpu_quantize_rows. A group that holds a NaN or an infinity gets the scale NaN and codes 0;
 * one whose magnitudes are all below 127 / FLT_MAX gets scale and codes 0. */
void cpu_quantize_rows_scalar(void *dst, const float *x, size_t x_stride, uint32_t rows,
                              uint32_t first_row, uint32_t end_row, uint64_t k);
void cpu_quantize_rows_avx2(void *dst, const float *x, size_t x_stride, uint32_t rows,
                            uint32_t first_row, uint32_t end_row, uint64_t k);
void cpu_quantize_rows_neon(void *dst, const float *x, size_t x_stride, uint32_t rows,
                            uint32_t first_row, uint32_t end_row, uint64_t k);

#endif
