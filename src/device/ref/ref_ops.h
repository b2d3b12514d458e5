/* The scalar oracle's operators: plain loops that accumulate in double and round to f32 once, at
 * the end. Strides are elements from row to row. dst may be x exactly, or not overlap it. Thread
 * class: shared. Errors: none; NaN and infinities pass through. */
#ifndef DEVICE_REF_OPS_H
#define DEVICE_REF_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/plan.h"
#include "tensor/matrix.h"
#include "tensor/kv_page.h"

/* Columns that share a scale of quantised activations. */
#define REF_ACTIVATION_GROUP 32u

/* Each row is `groups` runs of n elements; y = x / sqrt(mean(x^2) + epsilon) * weight, f32[n].
 * Source: Zhang & Sennrich 2019, eq. 4. */
void ref_rms_norm(float *dst, size_t dst_stride, const float *x, size_t x_stride,
                  const float *weight, uint32_t rows, uint32_t groups, uint32_t n, float epsilon);

/* y = (x - mean) / sqrt(variance + epsilon) * weight + bias; bias may be NULL.
 * Source: Ba, Kiros & Hinton 2016. */
void ref_layer_norm(float *dst, size_t dst_stride, const float *x, size_t x_stride,
                    const float *weight, const float *bias, uint32_t rows, uint32_t n,
                    float epsilon);

/* dst f32[rows][dst_stride]: r/2 cosines of positions[row] * frequencies[regimes[row]][j], computed
 * in double, then r/2 sines, all times magnitude. */
void ref_rotary_table(float *dst, size_t dst_stride, const int32_t *positions,
                      const int32_t *regimes, const double *frequencies, uint32_t rows, uint32_t r,
                      float magnitude);

/* Rotates the first r of each head by table [rows][table_stride]: r/2 cosines, then r/2 sines.
 * interleaved: pairs (2j, 2j+1); otherwise (j, j + r/2). Source: Su et al. 2021, eq. 34. */
void ref_rope(float *dst, size_t dst_stride, const float *x, size_t x_stride, const float *table,
              size_t table_stride, uint32_t rows, uint32_t heads, uint32_t head_size, uint32_t r,
              bool interleaved);

/* dst = f(gate) * up, rounded once. */
void ref_gated_activation(float *dst, size_t dst_stride, const float *gate, size_t gate_stride,
                          const float *up, size_t up_stride, uint32_t rows, uint32_t n,
                          plan_activation_function f);
void ref_activation(float *dst, size_t dst_stride, const float *x, size_t x_stride, uint32_t rows,
                    uint32_t n, plan_activation_function f);

/* dst = a + b. */
void ref_add(float *dst, size_t dst_stride, const float *a, size_t a_stride, const float *b,
             size_t b_stride, uint32_t rows, uint32_t n);
void ref_scale(float *dst, size_t dst_stride, const float *x, size_t x_stride, uint32_t rows,
               uint32_t n, float factor);

/* dst = cap * tanh(x / cap). */
void ref_softcap(float *dst, size_t dst_stride, const float *x, size_t x_stride, uint32_t rows,
                 uint32_t n, float cap);

/* y[t][i] = x[t] . W[i] + bias[i] for outputs i of [first, end); y[0] is output 0. w [n, k] as the
 * file has it. bias: f32[n] or NULL. work: f32[k]. */
void ref_matmul(float *y, size_t y_stride, const tensor_matrix *w, uint64_t first, uint64_t end,
                const float *x, size_t x_stride, uint32_t rows, const float *bias, float *work);

/* Bytes of `rows` rows of k elements quantised: every row ceil(k/32) scales f32, then k codes i8,
 * padded to 4 bytes. */
uint64_t ref_activation_bytes(uint64_t rows, uint64_t k);

/* Rows [first_row, end_row) of x to dst, 4-byte aligned. Every 32 columns: scale = largest
 * magnitude / 127, codes = x * (127 / largest magnitude) rounded to nearest even, all in f32: the
 * codes that the cpu device makes. A group with a NaN or an infinity has the scale NaN, one too
 * small for 127 / magnitude scale 0; codes are 0 in both. */
void ref_quantize_rows(void *dst, const float *x, size_t x_stride, uint32_t first_row,
                       uint32_t end_row, uint64_t k);

/* As ref_matmul, of rows that ref_quantize_rows made. */
void ref_matmul_planned(float *y, size_t y_stride, const tensor_matrix *w, uint64_t first,
                        uint64_t end, const void *quantised, uint32_t rows, const float *bias,
                        float *work);

/* One token's k and v f32[head_size] of one kv head into slot `slot` of a page. layer: the layer's
 * first byte in the page. */
void ref_kv_write(const tensor_kv_layout *layout, const tensor_kv_offsets *head,
                  unsigned char *layer, uint32_t slot, const float *k, const float *v);

/* Rows of one sequence at consecutive positions, one kv head. */
typedef struct ref_attention_tile {
    const float *q; /* [rows][q_stride]; the kv head's heads_per_kv heads, head_size each */
    float *out;     /* [rows][out_stride], likewise; may be q exactly */
    size_t q_stride, out_stride;
    uint32_t rows, first_position;
    uint32_t heads_per_kv, head_size;
    uint32_t window; /* 0: all */
    float scale, softcap;
    const tensor_kv_layout *layout;
    tensor_kv_offsets offsets; /* of the kv head */
    const unsigned char *pool; /* the layer's first byte in page 0 of the pool */
    uint64_t page_bytes;       /* from page to page */
    const uint32_t *pages;     /* the sequence's page table */
} ref_attention_tile;

/* Softmax(scale * q k^T, softcapped, causal, windowed) v; a row at position p sees tokens
 * max(0, p - window + 1) .. p. work: f64[head_size]. */
void ref_attention(const ref_attention_tile *tile, double *work);

#endif
