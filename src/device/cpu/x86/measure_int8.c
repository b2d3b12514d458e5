/* Instructions that multiply and add 8-bit integers, as many as the processor takes: twelve chains
 * that do not wait for each other (six of three instructions for AVX2, five for AMX). In assembly,
 * since a compiler adds moves or merges chains. In: rounds. Out: nothing but time. */
#include "device/cpu/measure.h"

#define TMM(n) "tdpbusd %%tmm6, %%tmm5, %%tmm" #n "\n\t"
#define ZMM(n) "vpdpbusd %%zmm30, %%zmm31, %%zmm" #n "\n\t"
#define YMM(n) "%{vex%} vpdpbusd %%ymm14, %%ymm15, %%ymm" #n "\n\t"
#define AVX2(sum, product)                                                                         \
    "vpmaddubsw %%ymm14, %%ymm15, %%ymm" #product "\n\t"                                           \
    "vpmaddwd %%ymm13, %%ymm" #product ", %%ymm" #product "\n\t"                                   \
    "vpaddd %%ymm" #product ", %%ymm" #sum ", %%ymm" #sum "\n\t"

/* A round is one instruction, of tiles of 16 rows of 64 bytes. */
void cpu_measure_int8_amx(uint64_t rounds) {
    static const struct tiles {
        uint8_t palette, unused[15];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } tiles = {1, {0}, {64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16}};
    __asm__ volatile("ldtilecfg %0" ::"m"(tiles));
    for (uint64_t i = 0; i < rounds; i += 5)
        __asm__ volatile(TMM(0) TMM(1) TMM(2) TMM(3) TMM(4)::);
    __asm__ volatile("tilerelease");
}

/* Registers hold whatever they hold: integers take the same time whatever they are. */
void cpu_measure_int8_avx512vnni(uint64_t rounds) {
    for (uint64_t i = 0; i < rounds; i++) {
        __asm__ volatile(ZMM(0) ZMM(1) ZMM(2) ZMM(3) ZMM(4) ZMM(5) ZMM(6) ZMM(7) ZMM(8) ZMM(9)
                             ZMM(10) ZMM(11)::
                                 : "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6", "zmm7",
                                   "zmm8", "zmm9", "zmm10", "zmm11");
    }
    __asm__ volatile("vzeroupper");
}

void cpu_measure_int8_avx2vnni(uint64_t rounds) {
    for (uint64_t i = 0; i < rounds; i++) {
        __asm__ volatile(YMM(0) YMM(1) YMM(2) YMM(3) YMM(4) YMM(5) YMM(6) YMM(7) YMM(8) YMM(9)
                             YMM(10) YMM(11)::
                                 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                                   "xmm8", "xmm9", "xmm10", "xmm11");
    }
    __asm__ volatile("vzeroupper");
}

void cpu_measure_int8_avx2(uint64_t rounds) {
    for (uint64_t i = 0; i < rounds; i++) {
        __asm__ volatile(AVX2(0, 6) AVX2(1, 7) AVX2(2, 8) AVX2(3, 9) AVX2(4, 10) AVX2(5, 11)::
                             : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                               "xmm8", "xmm9", "xmm10", "xmm11");
    }
    __asm__ volatile("vzeroupper");
}
