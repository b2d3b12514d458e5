/* The functions of encodings.def, one set for each encoding. Inside of tensor/ only.
 * Blocks are little-endian bytes of any alignment; no function reads or writes beyond its blocks.
 * Source of all formats: ggml (ggml-common.h, ggml-quants.c). */
#ifndef TENSOR_BLOCK_CODECS_H
#define TENSOR_BLOCK_CODECS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor/half.h"

/* dst f32[n] = n elements of a float or integer encoding. */
typedef void tensor_decode_elements(const uint8_t *src, size_t n, float *dst);

/* One block of a quantised encoding: codes i8[block_elems], scales f32[block_elems / group_elems],
 * minimums likewise, left alone by encodings that have none. */
typedef void tensor_unpack_block(const uint8_t *block, int8_t *codes, float *scales,
                                 float *minimums);

/* n_blocks blocks from src f32[n_blocks * block_elems], finite when the encoding is quantised.
 * Returns the blocks written: fewer than n_blocks when the next one's scale exceeds its type. */
typedef size_t tensor_encode_blocks(const float *src, size_t n_blocks, uint8_t *blocks);

tensor_decode_elements tensor_decode_f32, tensor_decode_f16, tensor_decode_bf16, tensor_decode_f64;
tensor_decode_elements tensor_decode_i8, tensor_decode_i16, tensor_decode_i32, tensor_decode_i64;

tensor_unpack_block tensor_unpack_q1_0, tensor_unpack_q2_0;
tensor_unpack_block tensor_unpack_q4_0, tensor_unpack_q4_1, tensor_unpack_q5_0, tensor_unpack_q5_1;
tensor_unpack_block tensor_unpack_q8_0, tensor_unpack_q8_1;
tensor_unpack_block tensor_unpack_q2_k, tensor_unpack_q3_k, tensor_unpack_q4_k, tensor_unpack_q5_k;
tensor_unpack_block tensor_unpack_q6_k, tensor_unpack_q8_k;
tensor_unpack_block tensor_unpack_iq1_s, tensor_unpack_iq1_m;
tensor_unpack_block tensor_unpack_iq2_xxs, tensor_unpack_iq2_xs, tensor_unpack_iq2_s;
tensor_unpack_block tensor_unpack_iq3_xxs, tensor_unpack_iq3_s;
tensor_unpack_block tensor_unpack_iq4_nl, tensor_unpack_iq4_xs;
tensor_unpack_block tensor_unpack_tq1_0, tensor_unpack_tq2_0;
tensor_unpack_block tensor_unpack_mxfp4, tensor_unpack_nvfp4;

tensor_encode_blocks tensor_encode_f32, tensor_encode_f16, tensor_encode_bf16, tensor_encode_f64;
tensor_encode_blocks tensor_encode_q1_0, tensor_encode_q2_0;
tensor_encode_blocks tensor_encode_q4_0, tensor_encode_q4_1, tensor_encode_q5_0, tensor_encode_q5_1;
tensor_encode_blocks tensor_encode_q8_0, tensor_encode_q8_1;
tensor_encode_blocks tensor_encode_tq1_0, tensor_encode_tq2_0;
tensor_encode_blocks tensor_encode_mxfp4, tensor_encode_nvfp4;

/* Half of the value of an E8M0 scale and of an unsigned E4M3 scale (0x7f: 0, bit 7 unused), as
 * MXFP4 and NVFP4 multiply doubled elements with. */
float tensor_half_e8m0(uint8_t e);
float tensor_half_ue4m3(uint8_t e);

static inline uint16_t tensor_get_u16(const uint8_t *p) {
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t tensor_get_u32(const uint8_t *p) {
    return (uint32_t)tensor_get_u16(p) | (uint32_t)tensor_get_u16(p + 2) << 16;
}

static inline uint64_t tensor_get_u64(const uint8_t *p) {
    return (uint64_t)tensor_get_u32(p) | (uint64_t)tensor_get_u32(p + 4) << 32;
}

static inline float tensor_get_f16(const uint8_t *p) {
    return tensor_f16_to_f32(tensor_get_u16(p));
}

static inline void tensor_put_u16(uint8_t *p, uint16_t value) {
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
}

/* Writes value as f16; false when a finite value becomes infinite. */
static inline bool tensor_put_f16(uint8_t *p, float value) {
    const uint16_t half = tensor_f32_to_f16(value);
    tensor_put_u16(p, half);
    return (half & 0x7fffu) < 0x7c00u;
}

#endif
