/* Cache pages: how the keys and values of one attention layer lie in a page.
 *
 * A page holds page_tokens tokens, a multiple of TENSOR_KV_BLOCK. For each kv head, one after the
 * other, e elements to a head, G = ceil(e / 32) scale groups:
 *   keys          [page_tokens/16][e][16]   lane = token, so that a dot product runs down a column
 *   key scales    f16 [page_tokens/16][G][16]   q8 only
 *   values        [page_tokens][e]
 *   value scales  f16 [page_tokens][G]          q8 only
 * q8: int8 codes in -127..127, value = code * scale, scale = f16(largest magnitude of the group /
 * 127), codes = x times the scale's reciprocal in f32, rounded to nearest even; scale 0 has codes
 * 0. A group that holds a NaN or an infinity has the scale NaN. */
#ifndef TENSOR_KV_PAGE_H
#define TENSOR_KV_PAGE_H

#include <stdint.h>

#define TENSOR_KV_BLOCK 16u /* tokens of one column of keys */
#define TENSOR_KV_GROUP 32u /* elements that share a scale */

typedef enum tensor_kv_type { TENSOR_KV_F16, TENSOR_KV_Q8, TENSOR_KV_F32 } tensor_kv_type;

typedef struct tensor_kv_layout {
    tensor_kv_type type;
    uint32_t page_tokens;
    uint32_t kv_heads, head_size;
} tensor_kv_layout;

/* Offsets in bytes from the layer's first byte in a page; each is a multiple of 32. Scales: 0
 * without q8. */
typedef struct tensor_kv_offsets {
    uint64_t keys, key_scales, values, value_scales;
} tensor_kv_offsets;

/* "f16", "q8", "f32" */
const char *tensor_kv_type_name(tensor_kv_type type);

/* Bytes of one element or code. */
uint32_t tensor_kv_element_bytes(tensor_kv_type type);

/* Bytes of the layer in one page. No overflow for kv_heads, head_size, page_tokens < 2^20. */
uint64_t tensor_kv_layer_bytes(const tensor_kv_layout *layout);

tensor_kv_offsets tensor_kv_head_offsets(const tensor_kv_layout *layout, uint32_t kv_head);

/* Sets slots [slot, page_tokens) of a layer's bytes in a page, which lie in host memory, to 0. */
void tensor_kv_clear_from(const tensor_kv_layout *layout, unsigned char *layer, uint32_t slot);

#endif
