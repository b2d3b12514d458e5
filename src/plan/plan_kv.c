/* The cache's shape. In: the attention layers of a decoder. Out: groups of layers with the same
 * window, and where each layer's keys and values lie in a page of its group. */
#include "base/checked.h"
#include "plan/plan.h"

static uint32_t group_of(plan_kv *kv, uint32_t window) {
    for (uint32_t i = 0; i < kv->group_count; i++) {
        if (kv->groups[i].window == window) return i;
    }
    kv->groups[kv->group_count] = (plan_kv_group){.window = window};
    return kv->group_count++;
}

tensor_kv_layout plan_kv_layout(const plan_kv *kv, uint32_t layer) {
    const plan_kv_layer *l = kv->layers + layer;
    return (tensor_kv_layout){.type = kv->type,
                              .page_tokens = kv->page_tokens,
                              .kv_heads = l->kv_heads,
                              .head_size = l->head_size};
}

ondol_status plan_kv_create(const ondol_allocator *a, const plan_kv_description *layers,
                            uint32_t layer_count, tensor_kv_type type, uint32_t page_tokens,
                            plan_kv **out, ondol_error *err) {
    plan_kv *kv = base_calloc(a, 1, sizeof *kv);
    if (!kv) return base_no_memory(err, "cache layout", sizeof *kv);
    *kv = (plan_kv){.allocator = a, .type = type, .page_tokens = page_tokens};
    kv->groups = base_calloc(a, layer_count ? layer_count : 1, sizeof *kv->groups);
    kv->layers = base_calloc(a, layer_count ? layer_count : 1, sizeof *kv->layers);
    if (!kv->groups || !kv->layers) {
        plan_kv_destroy(kv);
        return base_no_memory(err, "cache layout", layer_count * sizeof *kv->layers);
    }
    kv->layer_count = layer_count;
    for (uint32_t i = 0; i < layer_count; i++) {
        plan_kv_layer *l = kv->layers + i;
        l->group = group_of(kv, layers[i].window);
        l->kv_heads = layers[i].kv_heads;
        l->head_size = layers[i].head_size;
        l->offset_bytes = kv->groups[l->group].page_bytes;
        tensor_kv_layout layout = plan_kv_layout(kv, i);
        uint64_t bytes = tensor_kv_layer_bytes(&layout);
        if (!base_align_up(bytes, 64, &bytes) ||
            !base_add(l->offset_bytes, bytes, &kv->groups[l->group].page_bytes)) {
            plan_kv_destroy(kv);
            return base_fail(err, ONDOL_E_LIMIT, "cache page of layer %u does not fit", i);
        }
    }
    *out = kv;
    return ONDOL_OK;
}

void plan_kv_destroy(plan_kv *kv) {
    if (!kv) return;
    base_free(kv->allocator, kv->groups);
    base_free(kv->allocator, kv->layers);
    base_free(kv->allocator, kv);
}
