/* What one thread can do at most. In: nothing. Out: operations, bytes a second. */
#include <immintrin.h>
#include <stdint.h>
#include <time.h>

#include "device/cpu/measure.h"
#include "lab.h"

enum { READ_BYTES = 81 << 20, READ_AHEAD = 8192 };

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double lab_limit_int8(void) {
    const uint64_t rounds = 4000000;
    const double begin = seconds();
    cpu_measure_int8_avx512vnni(rounds);
    return CPU_MEASURE_OPS_AVX512VNNI * (double)rounds / (seconds() - begin);
}

#define FMA(n) "vfmadd231ps %%zmm30, %%zmm31, %%zmm" #n "\n\t"

/* Twelve chains, as of int8. The registers are cleared: NaNs and denormals may take longer. */
double lab_limit_float(void) {
    const uint64_t rounds = 4000000;
    __asm__ volatile("vpxorq %%zmm30, %%zmm30, %%zmm30\n\tvpxorq %%zmm31, %%zmm31, %%zmm31" ::
                         : "zmm30", "zmm31");
    const double begin = seconds();
    for (uint64_t i = 0; i < rounds; i++) {
        __asm__ volatile(FMA(0) FMA(1) FMA(2) FMA(3) FMA(4) FMA(5) FMA(6) FMA(7) FMA(8) FMA(9)
                             FMA(10) FMA(11)::
                                 : "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7",
                                   "zmm8", "zmm9", "zmm10", "zmm11");
    }
    return 12.0 * 16 * 2 * (double)rounds / (seconds() - begin);
}

/* As many bytes as the weights of lab_decode.c, some of which the last cache keeps. */
double lab_limit_read(void) {
    static const unsigned char *data;
    if (!data) data = lab_memory(READ_BYTES + READ_AHEAD, true);
    const double begin = seconds();
    __m512i sum[4] = {0};
    for (size_t i = 0; i < READ_BYTES; i += 256) {
        for (size_t k = 0; k < 4; k++) {
            _mm_prefetch((const char *)data + i + 64 * k + READ_AHEAD, _MM_HINT_T0);
            sum[k] = _mm512_add_epi32(sum[k], _mm512_load_si512(data + i + 64 * k));
        }
    }
    __asm__ volatile("" ::"v"(sum[0]), "v"(sum[1]), "v"(sum[2]), "v"(sum[3]));
    return READ_BYTES / (seconds() - begin);
}
