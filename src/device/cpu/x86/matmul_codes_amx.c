/* Matrix multiplication by packed codes on AMX: many tokens by tiles of 8-bit integers, the others
 * as with VNNI. Tiles of bf16 are of no use: x rounded to bf16 would give other bits. */
#include "device/cpu/matmul_kernels.h"

#define VNNI           1
#define TILES          1
#define TOKENS_AT_ONCE 8
#define UNITS_AT_ONCE  2
#define DIRECT_TOKENS  8
#define FEW_TOKENS(k)  15 /* by count of instructions, not measured */
#define BLOCKS_OPEN    16u
#define PANELS_OPEN    4u
#include "device/cpu/x86/vector_avx512.h"
#include "device/cpu/matmul_codes_template.h"

_Static_assert(sizeof(open_block) * UNITS * BLOCKS_OPEN * PANELS_OPEN == CPU_MATMUL_WORK_BYTES,
               "scratch of matmul_configs.def");

void cpu_matmul_codes_amx(CPU_MATMUL_PARAMETERS) {
    const bool tiles = rows > FEW_TOKENS(f);
    if (tiles)
        TILES_CONFIGURE(PANEL_LAYOUTS[f.layout].group_elems == 16 ? &TILES_OF_16 : &TILES_OF_32);
    multiply_codes(f, packed, n, k, first_panel, end_panel, x, x_stride, rows, y, y_stride, bias,
                   work);
    if (tiles) TILES_RELEASE();
}
