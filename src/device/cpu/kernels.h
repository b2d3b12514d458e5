/* The CPU's kernels but for matrix multiplication: a table of functions for an ISA level.
 *
 * All work on f32. Strides are elements from row to row. Pointers are 4-byte aligned at least. A
 * row's result depends on that row alone, and has the same bits at every ISA level: sums run in 16
 * lanes (element i to lane i % 16, by fmaf where a product is added), which are added as a tree
 * (l + l+8, then +4, +2, +1); exp and tanh are cpu_exp and cpu_tanh. dst may be x exactly, or not
 * overlap it. Thread class: shared. Errors: none; NaN and infinities pass through. */
#ifndef DEVICE_CPU_KERNELS_H
#define DEVICE_CPU_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpu.h"
#include "plan/plan.h"
#include "tensor/kv_page.h"

/* A tile of attention: rows of one sequence at consecutive positions, one kv head. */
typedef struct cpu_attention_tile {
    const float *q; /* [rows][q_stride]; the kv head's heads_per_kv heads, head_size each */
    float *out;     /* [rows][out_stride], likewise */
    size_t q_stride, out_stride;
    uint32_t rows, first_position; /* rows <= cpu_attention_rows(heads_per_kv) */
    uint32_t heads_per_kv, head_size;
    uint32_t window; /* 0: all */
    float scale, softcap;
    const tensor_kv_layout *layout;
    tensor_kv_offsets offsets; /* of the kv head */
    const unsigned char *pool; /* the layer's first byte in page 0 of the pool */
    uint64_t page_bytes;       /* from page to page */
    const uint32_t *pages;     /* the sequence's page table */
} cpu_attention_tile;

typedef struct cpu_kernels {
    base_isa isa; /* the highest level among them */

    /* Each row is `groups` runs of n elements with a norm of their own; weight f32[n].
     * y = x / sqrt(mean(x^2) + epsilon) * weight. Source: Zhang & Sennrich 2019, eq. 4. */
    void (*rms_norm)(float *dst, size_t dst_stride, const float *x, size_t x_stride,
                     const float *weight, uint32_t rows, uint32_t groups, uint32_t n,
                     float epsilon);
    /* weight, bias f32[n]; bias may be NULL. Source: Ba, Kiros & Hinton 2016. */
    void (*layer_norm)(float *dst, size_t dst_stride, const float *x, size_t x_stride,
                       const float *weight, const float *bias, uint32_t rows, uint32_t n,
                       float epsilon);
    /* Rotates the first r of each head. table [rows][table_stride]: r/2 cosines, then r/2 sines.
     * interleaved: pairs (2j, 2j+1); otherwise (j, j + r/2). Source: Su et al. 2021, eq. 34. */
    void (*rope)(float *dst, size_t dst_stride, const float *x, size_t x_stride, const float *table,
                 size_t table_stride, uint32_t rows, uint32_t heads, uint32_t head_size, uint32_t r,
                 bool interleaved);
    /* dst = f(gate) * up. */
    void (*gated_activation)(float *dst, size_t dst_stride, const float *gate, size_t gate_stride,
                             const float *up, size_t up_stride, uint32_t rows, uint32_t n,
                             plan_activation_function f);
    void (*activation)(float *dst, size_t dst_stride, const float *x, size_t x_stride,
                       uint32_t rows, uint32_t n, plan_activation_function f);
    /* dst = a + b. */
    void (*add)(float *dst, size_t dst_stride, const float *a, size_t a_stride, const float *b,
                size_t b_stride, uint32_t rows, uint32_t n);
    void (*scale)(float *dst, size_t dst_stride, const float *x, size_t x_stride, uint32_t rows,
                  uint32_t n, float factor);
    /* dst = cap * tanh(x / cap). */
    void (*softcap)(float *dst, size_t dst_stride, const float *x, size_t x_stride, uint32_t rows,
                    uint32_t n, float cap);
    /* One token's k and v f32[head_size] of one kv head into slot `slot` of a page. `layer` is the
     * layer's first byte in the page. */
    void (*kv_write)(const tensor_kv_layout *layout, const tensor_kv_offsets *head,
                     unsigned char *layer, uint32_t slot, const float *k, const float *v);
    /* Softmax(scale * q k^T, softcapped, causal, windowed) v. A row at position p sees tokens
     * max(0, p - window + 1) .. p. Chunks of 64 keys at absolute positions, ascending, with an
     * online softmax; masked slots are skipped. work: cpu_attention_work_bytes, one a thread. */
    void (*attention)(const cpu_attention_tile *tile, void *work);
} cpu_kernels;

/* The best kernels of that level. */
cpu_kernels cpu_kernels_select(base_isa isa);

/* The most rows of a tile: as many queries as share the opening of a chunk of keys and values. */
uint32_t cpu_attention_rows(uint32_t heads_per_kv);
uint64_t cpu_attention_work_bytes(uint32_t heads_per_kv, uint32_t head_size);

/* Own functions, f32, the same bits everywhere; errors below 0.9 and 1.4 ulp. */
float cpu_exp(float x);
float cpu_tanh(float x);

#endif
