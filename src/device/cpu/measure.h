/* What this processor can do at most, measured: the limits that speeds are set beside. */
#ifndef DEVICE_CPU_MEASURE_H
#define DEVICE_CPU_MEASURE_H

#include "base/cpu.h"
#include "base/thread.h"

/* Bytes per second that all threads together read from memory, in order, from a buffer larger than
 * the caches. Takes about 0.2 s. Errors: MEMORY. */
ondol_status cpu_measure_read(const ondol_allocator *a, base_pool *pool, double *bytes_per_s,
                              ondol_error *err);

/* Multiplications and additions of 8-bit integers per second by all threads together, at that
 * level; 0 where there is no instruction for them. Takes about 0.2 s. */
double cpu_measure_int8(base_pool *pool, base_isa isa);

/* Inside: `rounds` times some instructions on registers alone; operations (2 to a multiply-add) of
 * one round. */
void cpu_measure_int8_amx(uint64_t rounds); /* a multiple of 5 */
void cpu_measure_int8_avx512vnni(uint64_t rounds);
void cpu_measure_int8_avx2vnni(uint64_t rounds);
void cpu_measure_int8_avx2(uint64_t rounds);
#define CPU_MEASURE_OPS_AMX        (16.0 * 16 * 64 * 2)
#define CPU_MEASURE_OPS_AVX512VNNI (12.0 * 64 * 2)
#define CPU_MEASURE_OPS_AVX2VNNI   (12.0 * 32 * 2)
#define CPU_MEASURE_OPS_AVX2       (6.0 * 32 * 2)

#endif
