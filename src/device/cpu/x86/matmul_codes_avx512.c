/* Matrix multiplication by packed codes on AVX-512 without VNNI: 16 rows by 8 tokens in registers.
 */
#include "device/cpu/matmul_kernels.h"

#define VNNI           0
#define TOKENS_AT_ONCE 4
#define UNITS_AT_ONCE  2
#define DIRECT_TOKENS  4
#define FEW_TOKENS(k)  (PANEL_LAYOUTS[(k).kind].record_elems <= 32 ? 64 : 32)
#define BLOCKS_OPEN    16u
#define PANELS_OPEN    4u
#include "device/cpu/x86/vector_avx512.h"
#include "device/cpu/matmul_codes_template.h"

_Static_assert(sizeof(open_block) * UNITS * BLOCKS_OPEN * PANELS_OPEN == CPU_MATMUL_WORK_BYTES,
               "scratch of matmul_configs.def");

void cpu_matmul_codes_avx512(CPU_MATMUL_PARAMETERS) {
    multiply_codes(f, packed, n, k, first_panel, end_panel, x, x_stride, rows, y, y_stride, bias,
                   work);
}
