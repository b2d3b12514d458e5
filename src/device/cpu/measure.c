/* The machine's limits. In: a pool. Out: bytes and operations per second. */
#include "device/cpu/measure.h"

#include <string.h>

#include "base/os.h"

#define READ_BYTES  ((size_t)256 << 20)
#define UNIT_BYTES  ((size_t)1 << 20)
#define READ_PASSES 8
#define READ_AHEAD  8192
#define INT8_UNITS  512u
#define INT8_ROUNDS 20000u
#define INT8_PASSES 12

typedef struct reading {
    const unsigned char *data;
    volatile uint64_t *sums; /* [units], so that nothing is left out */
} reading;

static void read_unit(uint32_t unit, unsigned thread_index, void *argument) {
    (void)thread_index;
    const reading *r = argument;
    const unsigned char *p = r->data + (size_t)unit * UNIT_BYTES;
    uint64_t sum[8] = {0};
    for (size_t i = 0; i < UNIT_BYTES; i += 64) {
        __builtin_prefetch(p + i + READ_AHEAD);
        for (size_t k = 0; k < 8; k++) {
            uint64_t word;
            memcpy(&word, p + i + 8 * k, sizeof word);
            sum[k] += word;
        }
    }
    r->sums[unit] = sum[0] + sum[1] + sum[2] + sum[3] + sum[4] + sum[5] + sum[6] + sum[7];
}

ondol_status cpu_measure_read(const ondol_allocator *a, base_pool *pool, double *bytes_per_s,
                              ondol_error *err) {
    const uint32_t units = (uint32_t)(READ_BYTES / UNIT_BYTES);
    unsigned char *data = base_alloc_aligned(a, READ_BYTES, 64);
    uint64_t *sums = base_calloc(a, units, sizeof *sums);
    if (!data || !sums) {
        base_free(a, data);
        base_free(a, sums);
        return base_no_memory(err, "a buffer to read", READ_BYTES);
    }
    memset(data, 1, READ_BYTES);
    reading r = {data, sums};
    uint64_t best = UINT64_MAX;
    for (int pass = 0; pass < READ_PASSES; pass++) {
        const uint64_t begin = base_now_ns();
        base_pool_run(pool, units, read_unit, &r);
        const uint64_t taken = base_now_ns() - begin;
        if (taken < best) best = taken;
    }
    base_free(a, data);
    base_free(a, sums);
    *bytes_per_s = best ? (double)READ_BYTES * 1e9 / (double)best : 0;
    return ONDOL_OK;
}

_Static_assert(INT8_ROUNDS % 5 == 0, "whole rounds of AMX");

typedef void (*int8_rounds)(uint64_t rounds);

static void int8_unit(uint32_t unit, unsigned thread_index, void *argument) {
    (void)unit, (void)thread_index;
    (*(const int8_rounds *)argument)(INT8_ROUNDS);
}

double cpu_measure_int8(base_pool *pool, base_isa isa) {
    int8_rounds rounds = NULL;
    double ops = 0;
    (void)isa;
#if defined(__x86_64__)
    if (base_isa_runs(isa, BASE_ISA_AMX)) {
        rounds = cpu_measure_int8_amx;
        ops = CPU_MEASURE_OPS_AMX;
    } else if (base_isa_runs(isa, BASE_ISA_AVX512VNNI)) {
        rounds = cpu_measure_int8_avx512vnni;
        ops = CPU_MEASURE_OPS_AVX512VNNI;
    } else if (base_isa_runs(isa, BASE_ISA_AVX2VNNI)) {
        rounds = cpu_measure_int8_avx2vnni;
        ops = CPU_MEASURE_OPS_AVX2VNNI;
    } else if (base_isa_runs(isa, BASE_ISA_AVX2)) {
        rounds = cpu_measure_int8_avx2;
        ops = CPU_MEASURE_OPS_AVX2;
    }
#endif
    if (!rounds) return 0;
    uint64_t best = UINT64_MAX;
    for (int pass = 0; pass < INT8_PASSES; pass++) {
        const uint64_t begin = base_now_ns();
        base_pool_run(pool, INT8_UNITS, int8_unit, &rounds);
        const uint64_t taken = base_now_ns() - begin;
        if (taken < best) best = taken;
    }
    return best ? ops * INT8_ROUNDS * INT8_UNITS * 1e9 / (double)best : 0;
}
