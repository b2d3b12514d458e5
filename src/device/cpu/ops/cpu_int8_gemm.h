/* Products of matrices of codes: y [m, n] from a [m, k] and b [k, n], less their zero points,
 * summed in int32. */
#ifndef DEVICE_CPU_OPS_INT8_GEMM_H
#define DEVICE_CPU_OPS_INT8_GEMM_H

#include "device/cpu/int8.h"
#include "device/cpu/ops/cpu_gemm.h"

/* k up to which no sum of codes less zero points passes an int32. */
#define CPU_INT8_LONGEST 32768u

/* b as the kernels have it, in one piece of memory. */
typedef struct cpu_int8_packed {
    uint64_t k, n, groups, panels;
    const int8_t *data;
    const int32_t *centred, *zeros; /* see cpu_int8_shift; zeros: NULL where all are 0 */
} cpu_int8_packed;

/* Bytes of memory for b [k,n]. False: it does not fit. */
bool cpu_int8_packed_bytes(uint64_t k, uint64_t n, uint64_t *out);
/* Packs b, element (k, n) at data[k * k_stride + n * n_stride]; is_signed: int8, else uint8. zeros:
 * of columns, zero_count 0 (none), 1 or n of them. to: 64-byte aligned. */
void cpu_int8_pack(const uint8_t *data, bool is_signed, uint64_t k, uint64_t n, uint64_t k_stride,
                   uint64_t n_stride, const uint8_t *zeros, uint64_t zero_count, void *to,
                   cpu_int8_packed *out);

/* What becomes of sums: stored, to floats, or to codes. */
typedef enum cpu_int8_result { CPU_INT8_SUMS, CPU_INT8_FLOATS, CPU_INT8_CODES } cpu_int8_result;

typedef struct cpu_int8_gemm {
    const cpu_int8 *kernels;
    const cpu_int8_packed *b;
    const uint8_t *a; /* uint8, or moved by 128; rows may be read up to whole groups */
    size_t a_stride;
    uint64_t rows;
    const int32_t *row_zeros; /* [rows], or one where row_zero_step is 0; moved as a is */
    size_t row_zero_step;
    cpu_int8_result result;
    void *y; /* [rows][y_stride] */
    size_t y_stride;
    float a_scale;
    const float *scales;   /* of columns: b's scales (floats), factors (codes) */
    size_t scale_step;     /* 1, or 0 for one for all */
    const float *bias;     /* to floats; NULL: none */
    const int32_t *offset; /* by column, to sums that become codes; NULL: none */
    int32_t y_zero, y_low;
} cpu_int8_gemm;

/* pool: NULL for one thread. */
void cpu_int8_gemm_run(base_pool *pool, const cpu_int8_gemm *g);
/* All of it on this thread. */
void cpu_int8_gemm_run_here(const cpu_int8_gemm *g);

/* a, rows of k codes, as uint8: itself, or a copy moved by 128 in working memory that may be read
 * 64 bytes behind its end; *owned is to be freed. Errors: LIMIT, MEMORY. */
ondol_status cpu_int8_left(const plan_call *c, const tensor_value *a, uint64_t k,
                           const uint8_t **out, void **owned, ondol_error *err);

static inline const cpu_int8 *cpu_int8_of(const plan_device *d) {
    return cpu_int8_select(cpu_device_of(d)->isa);
}

#endif
