/* The instruction set of this processor, as levels that kernels are written for. */
#ifndef BASE_CPU_H
#define BASE_CPU_H

#include <stdbool.h>

#include "base/status.h"

/* Ordered within a family: a processor of a level runs every lower level of its family.
 * SCALAR is every family's lowest. */
typedef enum base_isa {
    BASE_ISA_SCALAR,
    BASE_ISA_AVX2,       /* AVX2, FMA, F16C, BMI2 */
    BASE_ISA_AVX2VNNI,   /* + AVX-VNNI */
    BASE_ISA_AVX512,     /* AVX-512 F, BW, DQ, VL */
    BASE_ISA_AVX512VNNI, /* + AVX-512 VNNI */
    BASE_ISA_AMX,        /* + AMX tile, int8, bf16 */
    BASE_ISA_NEON,
    BASE_ISA_NEONDOT,
    BASE_ISA_I8MM,
    BASE_ISA_COUNT
} base_isa;

/* The best level of this processor and operating system. Asks the latter for AMX's registers. */
base_isa base_cpu_isa(void);

/* True when a processor whose best level is `have` runs code of level `need`. AVX2VNNI is a side
 * branch: an AVX-512 processor may lack AVX-VNNI, so it is no step below AVX512. */
bool base_isa_runs(base_isa have, base_isa need);

/* "scalar", "avx2", ... as ONDOL_ISA takes them. */
const char *base_isa_name(base_isa isa);

/* The level of that name. Errors: ARGUMENT, listing the names. */
ondol_status base_isa_parse(const char *name, base_isa *out, ondol_error *err);

/* Model name of the processor, "" when unknown. */
void base_cpu_model(char *out, unsigned out_bytes);

#endif
