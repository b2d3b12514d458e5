/* Matrix multiplication by packed codes on NEON with SDOT: 8 rows by 4 tokens in registers. */
#include "device/cpu/matmul_kernels.h"

#define DOT            1
#define TOKENS_AT_ONCE 4
#define UNITS_AT_ONCE  2
#define DIRECT_TOKENS  2
#define FEW_TOKENS(k)  8
#define BLOCKS_OPEN    16u
#define PANELS_OPEN    4u
#include "device/cpu/arm64/vector_neon.h"
#include "device/cpu/matmul_codes_template.h"

_Static_assert(sizeof(open_block) * UNITS * BLOCKS_OPEN * PANELS_OPEN == CPU_MATMUL_WORK_BYTES,
               "scratch of matmul_configs.def");

void cpu_matmul_codes_neondot(CPU_MATMUL_PARAMETERS) {
    multiply_codes(f, packed, n, k, first_panel, end_panel, x, x_stride, rows, y, y_stride, bias,
                   work);
}
