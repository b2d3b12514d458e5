/* Host memory for the devices that compute in it. In: sizes, plan values. Out: addresses. */
#include "device/host_buffer.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "plan/plan.h"

#define SLACK_BYTES 4096u

ondol_status host_buffer_create(const ondol_allocator *a, uint64_t size_bytes, plan_buffer **out,
                                ondol_error *err) {
    uint64_t total = 0;
    if (!base_add(size_bytes, SLACK_BYTES, &total) || total > SIZE_MAX) {
        return base_no_memory(err, "device buffer", size_bytes);
    }
    plan_buffer *b = base_calloc(a, 1, sizeof *b);
    void *host = base_alloc_aligned(a, (size_t)total, 64);
    if (!b || !host) {
        base_free(a, b);
        base_free(a, host);
        return base_no_memory(err, "device buffer", total);
    }
    *b = (plan_buffer){.host = host, .size_bytes = size_bytes};
    *out = b;
    return ONDOL_OK;
}

void host_buffer_destroy(const ondol_allocator *a, plan_buffer *b) {
    if (!b) return;
    base_free(a, b->host);
    base_free(a, b);
}

static ondol_status check(const plan_buffer *b, uint64_t offset, uint64_t size_bytes,
                          ondol_error *err) {
    if (base_range_ok(offset, size_bytes, b->size_bytes)) return ONDOL_OK;
    return base_fail(err, ONDOL_E_ARGUMENT,
                     "device buffer: offset %" PRIu64 " + %" PRIu64 " past its end (%" PRIu64 ")",
                     offset, size_bytes, b->size_bytes);
}

ondol_status host_buffer_upload(plan_buffer *b, uint64_t offset, const void *from,
                                uint64_t size_bytes, ondol_error *err) {
    ondol_status status = check(b, offset, size_bytes, err);
    if (status == ONDOL_OK) memcpy((char *)b->host + offset, from, (size_t)size_bytes);
    return status;
}

ondol_status host_buffer_read_back(const plan_buffer *b, uint64_t offset, void *to,
                                   uint64_t size_bytes, ondol_error *err) {
    ondol_status status = check(b, offset, size_bytes, err);
    if (status == ONDOL_OK) memcpy(to, (const char *)b->host + offset, (size_t)size_bytes);
    return status;
}

ondol_status host_buffer_copy(plan_buffer *to, uint64_t to_offset, const plan_buffer *from,
                              uint64_t from_offset, uint64_t size_bytes, ondol_error *err) {
    ondol_status status = check(from, from_offset, size_bytes, err);
    if (status != ONDOL_OK) return status;
    return host_buffer_upload(to, to_offset, (const char *)from->host + from_offset, size_bytes,
                              err);
}

bool host_weight_encoding(const graph_value *v, tensor_encoding *out) {
    if (v->encoding == GRAPH_PLAIN) return tensor_encoding_of_element(v->element, out);
    *out = v->encoding;
    return true;
}

static void *block_array(const plan_step_block *block, const char *name) {
    if (strcmp(name, "ids") == 0) return block->ids;
    return strcmp(name, "positions") == 0 ? block->positions : block->regimes;
}

void *host_value_address(const plan *p, uint32_t v, const plan_binding *binding) {
    if (v == PLAN_NONE) return NULL;
    const plan_value *value = p->values + v;
    const graph_value *source = p->source->values + value->source;
    union {
        const void *in;
        void *out;
    } constant = {.in = source->data};
    switch (value->storage) {
    case PLAN_STORAGE_SCRATCH: return (char *)binding->scratch->host + value->offset;
    case PLAN_STORAGE_CONSTANT: return constant.out;
    case PLAN_STORAGE_BLOCK: return block_array(binding->block, source->name);
    default: return NULL;
    }
}
