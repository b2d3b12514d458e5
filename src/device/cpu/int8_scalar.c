/* Kernels of int8 without any instruction set, and which table a processor takes. */
#include "device/cpu/int8.h"

static void sums(const uint8_t *a, size_t a_stride, size_t rows, const int8_t *b,
                 size_t panel_bytes, size_t groups, size_t panels, int32_t *sums_out,
                 size_t sums_stride) {
    for (size_t r = 0; r < rows; r++) {
        for (size_t column = 0; column < panels * CPU_INT8_COLUMNS; column++) {
            const int8_t *at = b + column / CPU_INT8_COLUMNS * panel_bytes +
                               column % CPU_INT8_COLUMNS * CPU_INT8_DEPTH;
            uint32_t sum = 0;
            for (size_t g = 0; g < groups; g++) {
                for (size_t d = 0; d < CPU_INT8_DEPTH; d++)
                    sum += (uint32_t)(a[r * a_stride + g * CPU_INT8_DEPTH + d] *
                                      at[g * CPU_INT8_COLUMNS * CPU_INT8_DEPTH + d]);
            }
            sums_out[r * sums_stride + column] = (int32_t)sum;
        }
    }
}

#define INT8_NAME cpu_int8_scalar
#define INT8_ISA  BASE_ISA_SCALAR
#include "device/cpu/int8_template.h"

const cpu_int8 *cpu_int8_select(base_isa isa) {
    (void)isa; /* arm64 has no kernels of its own */
#if defined(__x86_64__)
    if (base_isa_runs(isa, BASE_ISA_AVX512VNNI)) return &cpu_int8_avx512vnni;
    if (base_isa_runs(isa, BASE_ISA_AVX2VNNI)) return &cpu_int8_avx2vnni;
    if (base_isa_runs(isa, BASE_ISA_AVX2)) return &cpu_int8_avx2;
#endif
    return &cpu_int8_scalar;
}
