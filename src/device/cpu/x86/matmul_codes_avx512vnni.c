/* Matrix multiplication by packed codes on AVX-512 with VNNI: 32 rows by 4 tokens in registers. */
#include "device/cpu/matmul_kernels.h"

#define VNNI           1
#define TOKENS_AT_ONCE 4
#define UNITS_AT_ONCE  2
#define DIRECT_TOKENS  8
/* Scales of six bits take so long to open that it is done once from 17 tokens on. */
#define FEW_TOKENS(k)                                                                              \
    (PANEL_LAYOUTS[(k).kind].record_elems <= 32                ? 64                                \
     : PANEL_LAYOUTS[(k).kind].scales == PANEL_SCALES_SIX_BITS ? 16                                \
                                                               : 32)
#define BLOCKS_OPEN 16u
#define PANELS_OPEN 4u
#include "device/cpu/x86/vector_avx512.h"
#include "device/cpu/matmul_codes_template.h"

_Static_assert(sizeof(open_block) * UNITS * BLOCKS_OPEN * PANELS_OPEN == CPU_MATMUL_WORK_BYTES,
               "scratch of matmul_configs.def");

void cpu_matmul_codes_avx512vnni(CPU_MATMUL_PARAMETERS) {
    multiply_codes(f, packed, n, k, first_panel, end_panel, x, x_stride, rows, y, y_stride, bias,
                   work);
}
