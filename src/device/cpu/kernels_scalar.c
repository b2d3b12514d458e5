/* The portable kernels: what each other level's bits are measured by. */
#include "device/cpu/kernels_internal.h"

#include "device/cpu/lanes_scalar.h"
#include "device/cpu/exp_template.h"
#include "device/cpu/norm_template.h"
#include "device/cpu/rope_template.h"
#include "device/cpu/elementwise_template.h"
#include "device/cpu/kv_write_template.h"

#define ATTENTION_QUERIES 6u
#define DOT_BLOCKS(q)     1u
#define SUM_VECTORS(q)    1u
#include "device/cpu/attention_chunk_template.h"
#include "device/cpu/attention_sums_template.h"
#include "device/cpu/attention_template.h"
#include "device/cpu/kernels_table.h"

void cpu_kernels_scalar(cpu_kernels *k) {
    fill_table(k, BASE_ISA_SCALAR);
}
