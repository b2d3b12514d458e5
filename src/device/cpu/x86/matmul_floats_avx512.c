/* Matrix multiplication by packed floats on AVX-512: 32 rows by 8 tokens in registers. */
#include "device/cpu/matmul_kernels.h"

#define VNNI         0
#define FLOAT_UNITS  2u
#define FLOAT_TOKENS 8u
#include "device/cpu/x86/vector_avx512.h"
#include "device/cpu/matmul_floats_template.h"

void cpu_matmul_floats_avx512(CPU_MATMUL_PARAMETERS) {
    multiply_all_floats(f, packed, n, k, first_panel, end_panel, x, x_stride, rows, y, y_stride,
                        bias, work);
}

void cpu_matmul_segments_avx512(CPU_SEGMENTS_PARAMETERS) {
    multiply_segments(packed, n, k, first_panel, end_panel, x, x_stride, rows, y, y_stride, bias);
}
