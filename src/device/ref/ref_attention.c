/* Paged attention. In: queries, pages of keys and values. Out: each row's weighted mean of values.
 */
#include "device/ref/ref_ops.h"

#include <math.h>
#include <string.h>

#include "tensor/half.h"

enum { BLOCK = TENSOR_KV_BLOCK, GROUP = TENSOR_KV_GROUP };

static uint32_t groups_of(uint32_t head_size) {
    return (head_size + GROUP - 1) / GROUP;
}

/* ------------------------------------------------------------ one element */

static void put(unsigned char *at, tensor_kv_type type, size_t i, float x) {
    const uint16_t half = tensor_f32_to_f16(x);
    if (type == TENSOR_KV_F32) {
        memcpy(at + i * sizeof x, &x, sizeof x);
    } else {
        memcpy(at + i * sizeof half, &half, sizeof half);
    }
}

static float get_half(const unsigned char *at, size_t i) {
    uint16_t half;
    memcpy(&half, at + i * sizeof half, sizeof half);
    return tensor_f16_to_f32(half);
}

/* scale: number i's scale in an array of f16, of q8 only. */
static float get(const unsigned char *at, tensor_kv_type type, size_t i,
                 const unsigned char *scales, size_t scale) {
    float x;
    switch (type) {
    case TENSOR_KV_F32: memcpy(&x, at + i * sizeof x, sizeof x); return x;
    case TENSOR_KV_F16: return get_half(at, i);
    default: return (float)(int8_t)at[i] * get_half(scales, scale);
    }
}

/* Where element d of the token in `slot` lies. */
static size_t key_index(uint32_t slot, uint32_t d, uint32_t columns) {
    return ((size_t)(slot / BLOCK) * columns + d) * BLOCK + slot % BLOCK;
}

static size_t value_index(uint32_t slot, uint32_t d, uint32_t columns) {
    return (size_t)slot * columns + d;
}

/* ------------------------------------------------------------ writing */

/* The f16 scale of a group and its codes: x times the scale's reciprocal, to nearest even. */
static uint16_t quantize(const float *x, uint32_t count, int8_t codes[GROUP]) {
    float most = 0;
    bool finite = true;
    for (uint32_t i = 0; i < count; i++) {
        finite = finite && isfinite(x[i]);
        most = fmaxf(most, fabsf(x[i]));
    }
    const uint16_t half = finite ? tensor_f32_to_f16(most / 127.0f) : 0x7e00u;
    const float scale = tensor_f16_to_f32(half);
    const float inverse = scale > 0 ? 1.0f / scale : 0.0f;
    for (uint32_t i = 0; i < count; i++) {
        const float code = finite ? nearbyintf(x[i] * inverse) : 0.0f;
        codes[i] = (int8_t)fminf(fmaxf(code, -127.0f), 127.0f);
    }
    return half;
}

static void write_q8(unsigned char *at, unsigned char *scales, uint32_t slot, const float *x,
                     uint32_t n, size_t (*index)(uint32_t slot, uint32_t d, uint32_t columns)) {
    for (uint32_t g = 0; g < groups_of(n); g++) {
        const uint32_t first = g * GROUP, count = n - first < GROUP ? n - first : GROUP;
        int8_t codes[GROUP];
        const uint16_t scale = quantize(x + first, count, codes);
        memcpy(scales + index(slot, g, groups_of(n)) * sizeof scale, &scale, sizeof scale);
        for (uint32_t i = 0; i < count; i++)
            at[index(slot, first + i, n)] = (unsigned char)codes[i];
    }
}

void ref_kv_write(const tensor_kv_layout *layout, const tensor_kv_offsets *head,
                  unsigned char *layer, uint32_t slot, const float *k, const float *v) {
    const uint32_t n = layout->head_size;
    if (layout->type == TENSOR_KV_Q8) {
        write_q8(layer + head->keys, layer + head->key_scales, slot, k, n, key_index);
        write_q8(layer + head->values, layer + head->value_scales, slot, v, n, value_index);
        return;
    }
    for (uint32_t d = 0; d < n; d++) {
        put(layer + head->keys, layout->type, key_index(slot, d, n), k[d]);
        put(layer + head->values, layout->type, value_index(slot, d, n), v[d]);
    }
}

/* ------------------------------------------------------------ attention */

/* The page of token t. */
static const unsigned char *page_of(const ref_attention_tile *tile, uint32_t t) {
    return tile->pool + tile->pages[t / tile->layout->page_tokens] * tile->page_bytes;
}

static double score(const ref_attention_tile *tile, const float *q, uint32_t t) {
    const tensor_kv_layout *l = tile->layout;
    const unsigned char *page = page_of(tile, t);
    const uint32_t slot = t % l->page_tokens, n = l->head_size;
    double dot = 0;
    for (uint32_t d = 0; d < n; d++) {
        const float key =
            get(page + tile->offsets.keys, l->type, key_index(slot, d, n),
                page + tile->offsets.key_scales, key_index(slot, d / GROUP, groups_of(n)));
        dot += (double)q[d] * key;
    }
    dot *= tile->scale;
    return tile->softcap != 0 ? tile->softcap * tanh(dot / tile->softcap) : dot;
}

static void add_value(const ref_attention_tile *tile, uint32_t t, double weight, double *sums) {
    const tensor_kv_layout *l = tile->layout;
    const unsigned char *page = page_of(tile, t);
    const uint32_t slot = t % l->page_tokens, n = l->head_size;
    for (uint32_t d = 0; d < n; d++) {
        const float value =
            get(page + tile->offsets.values, l->type, value_index(slot, d, n),
                page + tile->offsets.value_scales, value_index(slot, d / GROUP, groups_of(n)));
        sums[d] += weight * value;
    }
}

static void attend(const ref_attention_tile *tile, const float *q, float *out, uint32_t position,
                   double *sums) {
    const uint32_t seen = tile->window && tile->window <= position ? tile->window : position + 1;
    const uint32_t first = position + 1 - seen;
    double most = -HUGE_VAL, weights = 0;
    for (uint32_t t = first; t <= position; t++) {
        const double s = score(tile, q, t);
        most = s > most ? s : most;
    }
    for (uint32_t d = 0; d < tile->head_size; d++)
        sums[d] = 0;
    for (uint32_t t = first; t <= position; t++) {
        const double weight = exp(score(tile, q, t) - most);
        weights += weight;
        add_value(tile, t, weight, sums);
    }
    for (uint32_t d = 0; d < tile->head_size; d++)
        out[d] = (float)(sums[d] / weights);
}

void ref_attention(const ref_attention_tile *tile, double *work) {
    for (uint32_t r = 0; r < tile->rows; r++) {
        for (uint32_t h = 0; h < tile->heads_per_kv; h++) {
            const size_t column = (size_t)h * tile->head_size;
            attend(tile, tile->q + r * tile->q_stride + column,
                   tile->out + r * tile->out_stride + column, tile->first_position + r, work);
        }
    }
}
