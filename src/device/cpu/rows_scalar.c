/* Kernels of rows without any instruction set, and which table a processor takes. */
#include "device/cpu/rows.h"

#include "device/cpu/lanes_scalar.h"
#include "device/cpu/exp_template.h"

#define ROWS_NAME cpu_rows_scalar
#define ROWS_ISA  BASE_ISA_SCALAR
#include "device/cpu/rows_template.h"

const cpu_rows *cpu_rows_select(base_isa isa) {
#if defined(__x86_64__)
    if (base_isa_runs(isa, BASE_ISA_AVX512)) return &cpu_rows_avx512;
    if (base_isa_runs(isa, BASE_ISA_AVX2)) return &cpu_rows_avx2;
#elif defined(__aarch64__)
    if (base_isa_runs(isa, BASE_ISA_NEON)) return &cpu_rows_neon;
#endif
    return &cpu_rows_scalar;
}
