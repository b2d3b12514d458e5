/* The CPU device. In: a plan's steps. Out: their results, computed on the pool's threads in one go,
 * a barrier behind each step. */
#include "device/cpu/cpu_device.h"

#include <inttypes.h>

#include "device/cpu/cpu_steps.h"
#include "device/host_buffer.h"
#include "graph/ops.h"

struct plan_recorded {
    cpu_device *device;
    const plan *p;
    const plan_binding *binding;
    uint32_t first, end;
};

static void destroy(plan_device *d) {
    cpu_device *c = (cpu_device *)d;
    base_free(c->allocator, c->work);
    base_free(c->allocator, c);
}

/* A matmul runs when each of its weights has a config, and all want the same activations. */
static bool accept_matmul(const cpu_device *c, const graph *g, const graph_node *n,
                          plan_choice *choice, base_buffer *why) {
    const cpu_matmul_config *first = NULL;
    for (uint32_t i = 1; i < n->input_count; i += 2) {
        const graph_value *w = g->values + n->inputs[i];
        tensor_encoding e = GRAPH_PLAIN;
        if (!host_weight_encoding(w, &e)) return false;
        const cpu_matmul_config *config = cpu_matmul_select(c->isa, e, (uint64_t)w->shape.dims[0],
                                                            (uint64_t)w->shape.dims[1], why);
        if (!config) return false;
        if (!first) first = config;
        if (config->activation != first->activation) {
            if (why) base_buffer_append_text(why, " weights of codes and of floats in one matmul;");
            return false;
        }
    }
    *choice = (plan_choice){first->name, first->activation};
    return true;
}

static bool accept(const plan_device *d, const graph *g, graph_node_id n, plan_choice *choice,
                   base_buffer *why) {
    const cpu_device *c = (const cpu_device *)d;
    const graph_node *node = g->nodes + n;
    if (node->op == GRAPH_OP_O_MATMUL) return accept_matmul(c, g, node, choice, why);
    *choice = (plan_choice){base_isa_name(c->kernels.isa), PLAN_ACTIVATION_F32};
    return true;
}

typedef struct packing {
    const cpu_weight *w;
    uint64_t panels, panel_bytes;
} packing;

static void pack_share(unsigned thread, unsigned threads, void *argument) {
    const packing *job = argument;
    const cpu_weight *w = job->w;
    const uint64_t first = job->panels * thread / threads;
    const uint64_t end = job->panels * (thread + 1) / threads;
    for (uint64_t i = first; i < end; i++) {
        w->config->pack(w->encoding, w->blocks, w->n, w->k, i,
                        (char *)w->packed + i * job->panel_bytes);
    }
}

static ondol_status pack(cpu_device *c, cpu_weight *w, ondol_error *err) {
    w->config = cpu_matmul_select(c->isa, w->encoding, w->n, w->k, NULL);
    if (!w->config) {
        return base_fail(err, ONDOL_E_UNSUPPORTED,
                         "no layout for encoding %s [%" PRIu64 ", %" PRIu64 "]",
                         tensor_encoding_info_of(w->encoding)->name, w->n, w->k);
    }
    const uint64_t bytes = w->config->packed_bytes(w->encoding, w->n, w->k);
    w->packed = base_alloc_aligned(c->allocator, bytes + CPU_MATMUL_SLACK_BYTES, 64);
    if (!w->packed) return base_no_memory(err, "packed weight", bytes);
    packing job = {.w = w, .panels = (w->n + w->config->panel_rows - 1) / w->config->panel_rows};
    job.panel_bytes = bytes / job.panels;
    base_pool_run(c->pool, pack_share, &job);
    w->base.memory_bytes = bytes;
    w->base.layout = w->config->name;
    return ONDOL_OK;
}

static ondol_status weight_create(plan_device *d, const graph_value *v, bool matrix,
                                  plan_weight **out, ondol_error *err) {
    cpu_device *c = (cpu_device *)d;
    cpu_weight *w = base_calloc(c->allocator, 1, sizeof *w);
    if (!w) return base_no_memory(err, "weight", sizeof *w);
    w->n = (uint64_t)v->shape.dims[0];
    w->k = (uint64_t)v->shape.dims[1];
    w->blocks = v->data;
    w->base.borrows = !matrix;
    w->base.layout = "as in the file";
    ondol_status status = ONDOL_OK;
    if (!host_weight_encoding(v, &w->encoding)) {
        status = base_fail(err, ONDOL_E_UNSUPPORTED, "element type without an encoding");
    } else if (matrix) {
        status = pack(c, w, err);
    }
    if (status != ONDOL_OK) {
        base_free(c->allocator, w);
        return status;
    }
    *out = &w->base;
    return ONDOL_OK;
}

static void weight_destroy(plan_device *d, plan_weight *weight) {
    cpu_device *c = (cpu_device *)d;
    cpu_weight *w = (cpu_weight *)weight;
    base_free(c->allocator, w->packed);
    base_free(c->allocator, w);
}

static uint64_t activation_bytes(const plan_device *d, plan_activation kind, uint64_t rows,
                                 uint64_t k) {
    (void)d;
    return kind == PLAN_ACTIVATION_Q8 ? cpu_activation_bytes(rows, k) : 4 * rows * k;
}

static ondol_status buffer_create(plan_device *d, uint64_t size_bytes, plan_buffer **out,
                                  ondol_error *err) {
    return host_buffer_create(((cpu_device *)d)->allocator, size_bytes, out, err);
}

static void buffer_destroy(plan_device *d, plan_buffer *b) {
    host_buffer_destroy(((cpu_device *)d)->allocator, b);
}

static ondol_status upload(plan_device *d, plan_buffer *b, uint64_t offset, const void *from,
                           uint64_t size_bytes, ondol_error *err) {
    (void)d;
    return host_buffer_upload(b, offset, from, size_bytes, err);
}

static ondol_status read_back(plan_device *d, const plan_buffer *b, uint64_t offset, void *to,
                              uint64_t size_bytes, ondol_error *err) {
    (void)d;
    return host_buffer_read_back(b, offset, to, size_bytes, err);
}

static ondol_status copy(plan_device *d, plan_buffer *to, uint64_t to_offset,
                         const plan_buffer *from, uint64_t from_offset, uint64_t size_bytes,
                         ondol_error *err) {
    (void)d;
    return host_buffer_copy(to, to_offset, from, from_offset, size_bytes, err);
}

/* Work memory grows here, never in a step. */
static ondol_status grow_work(cpu_device *c, uint64_t bytes, ondol_error *err) {
    bytes = (bytes + 63) & ~(uint64_t)63;
    if (bytes <= c->work_bytes) return ONDOL_OK;
    const uint64_t total = bytes * base_pool_thread_count(c->pool);
    unsigned char *work = base_alloc_aligned(c->allocator, total, 64);
    if (!work) return base_no_memory(err, "kernels' scratch", total);
    base_free(c->allocator, c->work);
    c->work = work;
    c->work_bytes = bytes;
    return ONDOL_OK;
}

static ondol_status record(plan_device *d, const plan *p, uint32_t first, uint32_t end,
                           const plan_binding *binding, plan_recorded **out, ondol_error *err) {
    cpu_device *c = (cpu_device *)d;
    uint64_t work = 0;
    for (uint32_t i = first; i < end; i++) {
        const uint64_t bytes = cpu_step_work_bytes(p, p->steps + i);
        if (bytes > work) work = bytes;
    }
    ondol_status status = grow_work(c, work, err);
    if (status != ONDOL_OK) return status;
    plan_recorded *r = base_calloc(c->allocator, 1, sizeof *r);
    if (!r) return base_no_memory(err, "recorded plan", sizeof *r);
    *r = (plan_recorded){c, p, binding, first, end};
    *out = r;
    return ONDOL_OK;
}

static void recorded_destroy(plan_device *d, plan_recorded *r) {
    base_free(((cpu_device *)d)->allocator, r);
}

static void run_share(unsigned thread, unsigned threads, void *argument) {
    const plan_recorded *r = argument;
    cpu_context c = {.device = r->device,
                     .p = r->p,
                     .binding = r->binding,
                     .thread = thread,
                     .threads = threads,
                     .work = r->device->work + thread * r->device->work_bytes};
    for (uint32_t i = r->first; i < r->end; i++) {
        c.step = r->p->steps + i;
        const unsigned phases = cpu_step_phases(c.step->op);
        for (unsigned phase = 0; phase < phases; phase++) {
            cpu_step_run(&c, phase);
            if (threads > 1) base_pool_barrier(r->device->pool);
        }
    }
}

static ondol_status submit(plan_device *d, plan_recorded *r, uint64_t *fence, ondol_error *err) {
    (void)err;
    base_pool_run(((cpu_device *)d)->pool, run_share, r);
    *fence = 0;
    return ONDOL_OK;
}

static ondol_status wait(plan_device *d, uint64_t fence, ondol_error *err) {
    (void)d, (void)fence, (void)err;
    return ONDOL_OK;
}

static const plan_device_ops ops = {
    .name = "cpu",
    .destroy = destroy,
    .accept = accept,
    .weight_create = weight_create,
    .weight_destroy = weight_destroy,
    .activation_bytes = activation_bytes,
    .buffer_create = buffer_create,
    .buffer_destroy = buffer_destroy,
    .upload = upload,
    .read_back = read_back,
    .copy = copy,
    .record = record,
    .recorded_destroy = recorded_destroy,
    .submit = submit,
    .wait = wait,
};

ondol_status cpu_device_create(const ondol_allocator *a, base_pool *pool, base_isa isa,
                               plan_device **out, ondol_error *err) {
    cpu_device *c = base_calloc(a, 1, sizeof *c);
    if (!c) return base_no_memory(err, "device", sizeof *c);
    *c = (cpu_device){.base.ops = &ops, .allocator = a, .pool = pool, .isa = isa};
    c->kernels = cpu_kernels_select(isa);
    c->quantize = cpu_quantize_rows_select(isa);
    *out = &c->base;
    return ONDOL_OK;
}
