/* Inside of device/cpu: the tables of kernels of each instruction set, and what they share. */
#ifndef DEVICE_CPU_KERNELS_INTERNAL_H
#define DEVICE_CPU_KERNELS_INTERNAL_H

#include "device/cpu/kernels.h"

/* Attention's softmax goes on over chunks of this many blocks of keys, at absolute positions. */
#define CPU_CHUNK_BLOCKS 4u
#define CPU_CHUNK_TOKENS (CPU_CHUNK_BLOCKS * TENSOR_KV_BLOCK)

/* Attention's scratch; Q = cpu_attention_rows * heads_per_kv queries. Each begins at 64 bytes. */
typedef struct cpu_attention_scratch {
    uint32_t padded;                 /* head_size rounded up to 16 */
    size_t query_count;              /* of the tile; Q at most */
    float *queries;                  /* [head_size][query_count] */
    float *sums;                     /* [Q][padded] of weighted values */
    float *scores;                   /* [Q][CPU_CHUNK_TOKENS], then weights */
    float *weight_sums;              /* [Q][16] */
    float *maxima, *factors;         /* [Q] */
    float *keys[CPU_CHUNK_BLOCKS];   /* [head_size][16] */
    float *values[CPU_CHUNK_BLOCKS]; /* [16][head_size] */
    float *steps;                    /* [CPU_CHUNK_TOKENS][ceil(head_size / 32)] */
} cpu_attention_scratch;

/* Lays the scratch out in work; work NULL: only to know the bytes, which it returns. */
uint64_t cpu_attention_scratch_place(void *work, uint32_t heads_per_kv, uint32_t head_size,
                                     cpu_attention_scratch *s);

/* The tables of each level, all from the templates. */
void cpu_kernels_scalar(cpu_kernels *k);
#if defined(__x86_64__)
void cpu_kernels_avx2(cpu_kernels *k);
void cpu_kernels_avx512(cpu_kernels *k);
#elif defined(__aarch64__)
void cpu_kernels_neon(cpu_kernels *k);
#endif

#endif
