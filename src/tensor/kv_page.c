/* The layout of cache pages. In: type, page, heads. Out: sizes and offsets. */
#include "tensor/kv_page.h"

#include <string.h>

const char *tensor_kv_type_name(tensor_kv_type type) {
    static const char *const names[] = {"f16", "q8", "f32"};
    return names[type];
}

uint32_t tensor_kv_element_bytes(tensor_kv_type type) {
    switch (type) {
    case TENSOR_KV_F16: return 2;
    case TENSOR_KV_Q8: return 1;
    default: return 4;
    }
}

static uint64_t round_up_32(uint64_t bytes) {
    return (bytes + 31) & ~(uint64_t)31;
}

static tensor_kv_offsets of_head(const tensor_kv_layout *l, uint64_t *size_bytes) {
    const uint64_t elements = (uint64_t)l->page_tokens * l->head_size;
    const uint64_t data = round_up_32(elements * tensor_kv_element_bytes(l->type));
    const uint64_t groups = (l->head_size + TENSOR_KV_GROUP - 1) / TENSOR_KV_GROUP;
    const uint64_t scales = l->type == TENSOR_KV_Q8 ? round_up_32(l->page_tokens * groups * 2) : 0;
    *size_bytes = 2 * (data + scales);
    return (tensor_kv_offsets){.keys = 0,
                               .key_scales = scales ? data : 0,
                               .values = data + scales,
                               .value_scales = scales ? 2 * data + scales : 0};
}

uint64_t tensor_kv_layer_bytes(const tensor_kv_layout *layout) {
    uint64_t head_bytes;
    of_head(layout, &head_bytes);
    return head_bytes * layout->kv_heads;
}

tensor_kv_offsets tensor_kv_head_offsets(const tensor_kv_layout *layout, uint32_t kv_head) {
    uint64_t head_bytes;
    tensor_kv_offsets o = of_head(layout, &head_bytes);
    const uint64_t first = head_bytes * kv_head;
    o.keys += first;
    o.values += first;
    if (layout->type == TENSOR_KV_Q8) {
        o.key_scales += first;
        o.value_scales += first;
    }
    return o;
}

/* Lanes [slot, end) of columns of TENSOR_KV_BLOCK tokens, `columns` to a block. */
static void clear_lanes(unsigned char *at, uint32_t page_tokens, uint32_t slot, uint64_t columns,
                        uint32_t element_bytes) {
    for (uint32_t t = slot; t < page_tokens; t++) {
        for (uint64_t i = 0; i < columns; i++) {
            const uint64_t column = t / TENSOR_KV_BLOCK * columns + i;
            const uint64_t element = column * TENSOR_KV_BLOCK + t % TENSOR_KV_BLOCK;
            memset(at + element * element_bytes, 0, element_bytes);
        }
    }
}

void tensor_kv_clear_from(const tensor_kv_layout *layout, unsigned char *layer, uint32_t slot) {
    const uint32_t bytes = tensor_kv_element_bytes(layout->type);
    const uint64_t groups = (layout->head_size + TENSOR_KV_GROUP - 1) / TENSOR_KV_GROUP;
    const uint64_t rest = layout->page_tokens - slot;
    for (uint32_t h = 0; h < layout->kv_heads; h++) {
        const tensor_kv_offsets o = tensor_kv_head_offsets(layout, h);
        clear_lanes(layer + o.keys, layout->page_tokens, slot, layout->head_size, bytes);
        memset(layer + o.values + (uint64_t)slot * layout->head_size * bytes, 0,
               rest * layout->head_size * bytes);
        if (layout->type != TENSOR_KV_Q8) continue;
        clear_lanes(layer + o.key_scales, layout->page_tokens, slot, groups, 2);
        memset(layer + o.value_scales + slot * groups * 2, 0, rest * groups * 2);
    }
}
