/* Which kernels run. In: the instruction set. Out: their table. */
#include "device/cpu/kernels_internal.h"

cpu_kernels cpu_kernels_select(base_isa isa) {
    cpu_kernels k;
    cpu_kernels_scalar(&k);
#if defined(__x86_64__)
    if (base_isa_runs(isa, BASE_ISA_AVX2)) cpu_kernels_avx2(&k);
    if (base_isa_runs(isa, BASE_ISA_AVX512)) cpu_kernels_avx512(&k);
#elif defined(__aarch64__)
    if (base_isa_runs(isa, BASE_ISA_NEON)) cpu_kernels_neon(&k);
#endif
    return k;
}
