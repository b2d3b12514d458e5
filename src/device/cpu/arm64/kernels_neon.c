/* The kernels on NEON. */
#include "device/cpu/kernels_internal.h"

#include <math.h>
#include <string.h>

#include "device/cpu/arm64/lanes_neon.h"
#include "tensor/half.h"
#include "device/cpu/exp_template.h"
#include "device/cpu/norm_template.h"
#include "device/cpu/rope_template.h"
#include "device/cpu/elementwise_template.h"
#include "device/cpu/kv_write_template.h"

#define ATTENTION_QUERIES 6u
#define DOT_BLOCKS(q)     ((q) == 1 ? 4u : (q) == 2 ? 2u : 1u)
#define SUM_VECTORS(q)    ((q) == 1 ? 4u : (q) == 2 ? 2u : 1u)
#include "device/cpu/attention_chunk_template.h"
#include "device/cpu/attention_sums_template.h"
#include "device/cpu/attention_template.h"
#include "device/cpu/kernels_table.h"

void cpu_kernels_neon(cpu_kernels *k) {
    fill_table(k, BASE_ISA_NEON);
}
