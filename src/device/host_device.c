/* Host devices. In: a plan's steps. Out: steps run one after the other, units of each at once. */
#include "device/host_device.h"

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/os.h"

/* Bytes behind a buffer that kernels may read. */
#define SLACK_BYTES 4096u

#define UNITS_PER_THREAD 4u

struct plan_recorded {
    const host_device *device;
    const plan *p;
    const plan_binding *binding;
    uint32_t first, end;
};

void host_device_release(host_device *d) {
    base_free(d->allocator, d->work);
}

ondol_status host_device_buffer_create(plan_device *d, uint64_t size_bytes, plan_buffer **out,
                                       ondol_error *err) {
    const ondol_allocator *a = ((host_device *)d)->allocator;
    uint64_t total = 0;
    if (!base_add(size_bytes, SLACK_BYTES, &total) || total > SIZE_MAX) {
        return base_no_memory(err, "device buffer", size_bytes);
    }
    plan_buffer *b = base_calloc(a, 1, sizeof *b);
    /* Not cleared: a large cache takes no memory until it is written. */
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

void host_device_buffer_destroy(plan_device *d, plan_buffer *b) {
    const ondol_allocator *a = ((host_device *)d)->allocator;
    if (!b) return;
    base_free(a, b->host);
    base_free(a, b);
}

static ondol_status check_range(const plan_buffer *b, uint64_t offset, uint64_t size_bytes,
                                ondol_error *err) {
    if (base_range_ok(offset, size_bytes, b->size_bytes)) return ONDOL_OK;
    return base_fail(err, ONDOL_E_ARGUMENT,
                     "device buffer: offset %" PRIu64 " + %" PRIu64 " past its end (%" PRIu64 ")",
                     offset, size_bytes, b->size_bytes);
}

ondol_status host_device_upload(plan_device *d, plan_buffer *b, uint64_t offset, const void *from,
                                uint64_t size_bytes, ondol_error *err) {
    (void)d;
    ondol_status status = check_range(b, offset, size_bytes, err);
    if (status == ONDOL_OK) memcpy((char *)b->host + offset, from, (size_t)size_bytes);
    return status;
}

ondol_status host_device_read_back(plan_device *d, const plan_buffer *b, uint64_t offset, void *to,
                                   uint64_t size_bytes, ondol_error *err) {
    (void)d;
    ondol_status status = check_range(b, offset, size_bytes, err);
    if (status == ONDOL_OK) memcpy(to, (const char *)b->host + offset, (size_t)size_bytes);
    return status;
}

ondol_status host_device_copy(plan_device *d, plan_buffer *to, uint64_t to_offset,
                              const plan_buffer *from, uint64_t from_offset, uint64_t size_bytes,
                              ondol_error *err) {
    ondol_status status = check_range(from, from_offset, size_bytes, err);
    if (status != ONDOL_OK) return status;
    return host_device_upload(d, to, to_offset, (const char *)from->host + from_offset, size_bytes,
                              err);
}

/* Work memory grows here, never in a step. */
static ondol_status grow_work(host_device *d, uint64_t bytes, ondol_error *err) {
    bytes = (bytes + 63) & ~(uint64_t)63;
    if (bytes <= d->work_bytes) return ONDOL_OK;
    const uint64_t total = bytes * base_pool_thread_count(d->pool);
    unsigned char *work = base_alloc_aligned(d->allocator, total, 64);
    if (!work) return base_no_memory(err, "kernels' scratch", total);
    base_free(d->allocator, d->work);
    d->work = work;
    d->work_bytes = bytes;
    return ONDOL_OK;
}

ondol_status host_device_record(plan_device *d, const plan *p, uint32_t first, uint32_t end,
                                const plan_binding *binding, plan_recorded **out,
                                ondol_error *err) {
    host_device *h = (host_device *)d;
    for (uint32_t i = first; h->pool && i < end; i++) {
        ondol_status status = grow_work(h, h->step_work_bytes(p, p->steps + i), err);
        if (status != ONDOL_OK) return status;
    }
    plan_recorded *r = base_calloc(h->allocator, 1, sizeof *r);
    if (!r) return base_no_memory(err, "recorded plan", sizeof *r);
    *r = (plan_recorded){h, p, binding, first, end};
    *out = r;
    return ONDOL_OK;
}

void host_device_recorded_destroy(plan_device *d, plan_recorded *r) {
    base_free(((host_device *)d)->allocator, r);
}

static void run_unit(uint32_t unit, unsigned thread_index, void *argument) {
    host_context c = *(const host_context *)argument;
    c.unit = unit;
    c.work = c.device->work + thread_index * c.device->work_bytes;
    c.device->step_run(&c);
}

static void add_time(const plan *p, const plan_step *s, const plan_device *d, uint64_t ns) {
    const bool quantises = s->op == PLAN_OP_QUANTIZE;
    const graph_node_id node =
        quantises ? p->source->values[p->values[s->in[0]].source].producer : s->node;
    if (node == GRAPH_NONE) return;
    plan_step_time *t = p->weights->times + 2 * (size_t)node + (quantises ? 1 : 0);
    t->runs++;
    t->time_ns += ns;
    t->op = s->op;
    t->kernel = s->choice.kernel;
    t->device = d->ops->name;
}

ondol_status host_device_submit(plan_device *d, plan_recorded *r, uint64_t *fence,
                                ondol_error *err) {
    (void)err;
    host_device *h = (host_device *)d;
    host_context c = {.device = h, .p = r->p, .binding = r->binding};
    const bool timed = r->p->weights->times != NULL;
    for (uint32_t i = r->first; h->pool && i < r->end; i++) {
        c.step = r->p->steps + i;
        const uint64_t begin = timed ? base_now_ns() : 0;
        const unsigned phases = c.step->op == PLAN_OP_PAGED_ATTENTION ? 2 : 1;
        for (c.phase = 0; c.phase < phases; c.phase++) {
            c.units = h->step_units(&c);
            base_pool_run(h->pool, c.units, run_unit, &c);
        }
        if (timed) add_time(r->p, c.step, d, base_now_ns() - begin);
    }
    *fence = 0;
    return ONDOL_OK;
}

ondol_status host_device_wait(plan_device *d, uint64_t fence, ondol_error *err) {
    (void)d, (void)fence, (void)err;
    return ONDOL_OK;
}

static void *block_array(const plan_step_block *block, const char *name) {
    if (strcmp(name, "ids") == 0) return block->ids;
    return strcmp(name, "positions") == 0 ? block->positions : block->regimes;
}

void *host_value_address(const host_context *c, uint32_t v) {
    if (v == PLAN_NONE) return NULL;
    const plan_value *value = c->p->values + v;
    const graph_value *source = c->p->source->values + value->source;
    union {
        const void *in;
        void *out;
    } constant = {.in = source->data};
    switch (value->storage) {
    case PLAN_STORAGE_SCRATCH: return (char *)c->binding->scratch->host + value->offset;
    case PLAN_STORAGE_CONSTANT: return constant.out;
    case PLAN_STORAGE_BLOCK: return block_array(c->binding->block, source->name);
    default: return NULL;
    }
}

host_rows host_value_rows(const host_context *c, uint32_t v, uint32_t first_row) {
    const plan_value *value = c->p->values + v;
    float *at = host_value_address(c, v);
    return (host_rows){at + (size_t)first_row * value->row_stride, value->row_stride,
                       value->columns};
}

void host_share(const host_context *c, uint64_t count, uint64_t *first, uint64_t *end) {
    *first = count * c->unit / c->units;
    *end = count * (c->unit + 1) / c->units;
}

uint32_t host_units(const host_context *c, uint64_t count, uint64_t worth) {
    const unsigned threads = base_pool_thread_count(c->device->pool);
    if (threads == 1) return 1;
    uint64_t units = worth ? count / worth : count;
    if (units > UNITS_PER_THREAD * (uint64_t)threads) units = UNITS_PER_THREAD * (uint64_t)threads;
    if (units > count) units = count;
    return units ? (uint32_t)units : 1;
}

const uint32_t *host_page_table(const host_context *c, uint32_t group, uint32_t sequence) {
    const plan_step_block *b = c->binding->block;
    return b->page_tables[group * b->sequence_count + sequence];
}

unsigned char *host_layer_pool(const host_context *c, const plan_kv_layer *layer) {
    return (unsigned char *)c->binding->pools[layer->group]->host + layer->offset_bytes;
}
