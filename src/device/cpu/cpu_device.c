/* The CPU device. In: weights, nodes. Out: weights packed for its kernels, and which kernel
 * each node gets. */
#include "device/cpu/cpu_device.h"

#include <inttypes.h>
#include <string.h>

#include "device/cpu/cpu_steps.h"
#include "device/cpu/ops/cpu_kernels.h"
#include "graph/ops.h"

static void destroy(plan_device *d) {
    cpu_device *c = (cpu_device *)d;
    host_device_release(&c->host);
    base_free(c->host.allocator, c);
}

/* Units that packing a weight is cut into at most. */
#define PACK_UNITS 64u

/* A matmul runs when each of its weights has a config, and all want the same activations. */
static bool accept_matmul(const cpu_device *c, const graph *g, const graph_node *n,
                          plan_choice *choice, base_buffer *why) {
    const cpu_matmul_config *first = NULL;
    for (uint32_t i = 1; i < n->input_count; i += 2) {
        tensor_matrix w;
        if (!graph_value_matrix(g->values + n->inputs[i], &w)) return false;
        const cpu_matmul_config *config = cpu_matmul_select(c->isa, &w, NULL, why);
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
    uint32_t units;
} packing;

static void pack_unit(uint32_t unit, unsigned thread_index, void *argument) {
    (void)thread_index;
    const packing *job = argument;
    const cpu_weight *w = job->w;
    const uint64_t first = job->panels * unit / job->units;
    const uint64_t end = job->panels * (unit + 1) / job->units;
    for (uint64_t i = first; i < end; i++) {
        w->config->pack(w->form, &w->stored, i, (char *)w->packed + i * job->panel_bytes);
    }
}

/* What lies in the place was packed by an earlier run. A panel tells whether as it would be now. */
static ondol_status check_packed(cpu_device *c, const cpu_weight *w, const packing *job,
                                 ondol_error *err) {
    const uint64_t panel = job->panels / 2;
    void *now = base_alloc_aligned(c->host.allocator, (size_t)job->panel_bytes, 64);
    if (!now) return base_no_memory(err, "packed weight", job->panel_bytes);
    w->config->pack(w->form, &w->stored, panel, now);
    const bool same = memcmp(now, (const char *)w->packed + panel * job->panel_bytes,
                             (size_t)job->panel_bytes) == 0;
    base_free(c->host.allocator, now);
    return same ? ONDOL_OK : base_fail(err, ONDOL_E_FORMAT, "packed weights of something else");
}

static ondol_status pack(cpu_device *c, cpu_weight *w, const plan_place_of *place,
                         ondol_error *err) {
    char name[TENSOR_MATRIX_NAME_BYTES];
    w->config = cpu_matmul_select(c->isa, &w->stored, &w->form, NULL);
    if (!w->config) {
        return base_fail(err, ONDOL_E_UNSUPPORTED, "no layout for %s [%" PRIu64 ", %" PRIu64 "]",
                         tensor_matrix_name(&w->stored, name), w->n, w->k);
    }
    const uint64_t bytes = w->config->packed_bytes(w->form, w->n, w->k);
    if (place && place->bytes != bytes)
        return base_fail(err, ONDOL_E_INTERNAL, "a place of %" PRIu64 " bytes", place->bytes);
    w->placed = place != NULL;
    w->packed = place ? place->data
                      : base_alloc_aligned(c->host.allocator, bytes + CPU_MATMUL_SLACK_BYTES, 64);
    if (!w->packed) return base_no_memory(err, "packed weight", bytes);
    packing job = {.w = w, .panels = (w->n + w->config->panel_rows - 1) / w->config->panel_rows};
    job.panel_bytes = bytes / job.panels;
    job.units = (uint32_t)(job.panels < PACK_UNITS ? job.panels : PACK_UNITS);
    if (place && place->filled) {
        ondol_status status = check_packed(c, w, &job, err);
        if (status != ONDOL_OK) return status;
    } else {
        base_pool_run(c->host.pool, job.units, pack_unit, &job);
    }
    w->base.memory_bytes = bytes;
    w->base.layout = w->config->name;
    return ONDOL_OK;
}

static void weight_destroy(plan_device *d, plan_weight *weight) {
    cpu_device *c = (cpu_device *)d;
    cpu_weight *w = (cpu_weight *)weight;
    if (!w->placed) base_free(c->host.allocator, w->packed);
    base_free(c->host.allocator, w);
}

static ondol_status weight_create(plan_device *d, const graph_value *v, bool matrix,
                                  const plan_place_of *place, plan_weight **out, ondol_error *err) {
    cpu_device *c = (cpu_device *)d;
    cpu_weight *w = base_calloc(c->host.allocator, 1, sizeof *w);
    if (!w) return base_no_memory(err, "weight", sizeof *w);
    w->base.borrows = !matrix;
    w->base.layout = "as in the file";
    ondol_status status = ONDOL_OK;
    if (!graph_value_matrix(v, &w->stored)) {
        status = base_fail(err, ONDOL_E_UNSUPPORTED, "element type without an encoding");
    }
    w->n = w->stored.rows;
    w->k = w->stored.columns;
    if (status == ONDOL_OK && matrix) status = pack(c, w, place, err);
    if (status != ONDOL_OK) {
        weight_destroy(d, &w->base);
        return status;
    }
    *out = &w->base;
    return ONDOL_OK;
}

static uint64_t weight_bytes(const plan_device *d, const graph_value *v, bool matrix) {
    const cpu_device *c = (const cpu_device *)d;
    tensor_matrix w;
    panel_form form;
    if (!matrix || !graph_value_matrix(v, &w)) return 0;
    const cpu_matmul_config *config = cpu_matmul_select(c->isa, &w, &form, NULL);
    return config ? config->packed_bytes(form, w.rows, w.columns) : 0;
}

static uint64_t activation_bytes(const plan_device *d, plan_activation kind, uint64_t rows,
                                 uint64_t k) {
    (void)d;
    return kind == PLAN_ACTIVATION_Q8 ? cpu_activation_bytes(rows, k) : 4 * rows * k;
}

static const plan_kernel *kernel(const plan_device *d, const graph *g, graph_node_id n,
                                 base_buffer *why) {
    (void)d;
    return cpu_kernel_of(g, n, why);
}

static const plan_device_ops ops = {
    .kernel = kernel,
    .name = "cpu",
    .destroy = destroy,
    .accept = accept,
    .weight_create = weight_create,
    .weight_destroy = weight_destroy,
    .weight_bytes = weight_bytes,
    .activation_bytes = activation_bytes,
    .buffer_create = host_device_buffer_create,
    .buffer_destroy = host_device_buffer_destroy,
    .upload = host_device_upload,
    .read_back = host_device_read_back,
    .copy = host_device_copy,
    .record = host_device_record,
    .recorded_destroy = host_device_recorded_destroy,
    .submit = host_device_submit,
    .wait = host_device_wait,
};

ondol_status cpu_device_create(const ondol_allocator *a, base_pool *pool, base_isa isa,
                               plan_device **out, ondol_error *err) {
    cpu_device *c = base_calloc(a, 1, sizeof *c);
    if (!c) return base_no_memory(err, "device", sizeof *c);
    c->host = (host_device){.base.ops = &ops,
                            .allocator = a,
                            .pool = pool,
                            .step_run = cpu_step_run,
                            .step_units = cpu_step_units,
                            .step_work_bytes = cpu_step_work_bytes};
    c->isa = isa;
    c->kernels = cpu_kernels_select(isa);
    c->quantize = cpu_quantize_rows_select(isa);
    *out = &c->host.base;
    return ONDOL_OK;
}
