/* The ref device. In: weights, nodes. Out: weights as the file has them; it takes every
 * node, and computes by scalar code with sums in double. */
#include "device/ref/ref_device.h"

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ref_ops.h"
#include "device/ref/ref_steps.h"
#include "graph/ops.h"

static void destroy(plan_device *d) {
    ref_device *r = (ref_device *)d;
    host_device_release(&r->host);
    base_free(r->host.allocator, r);
}

/* Whether cpu computes with quantised activations: where all weights are of codes. */
static bool all_quantised(const graph *g, const graph_node *n) {
    for (uint32_t i = 1; i < n->input_count; i += 2) {
        tensor_matrix w;
        if (!graph_value_matrix(g->values + n->inputs[i], &w) || !tensor_matrix_is_codes(&w)) {
            return false;
        }
    }
    return true;
}

static bool accept(const plan_device *d, const graph *g, graph_node_id n, plan_choice *choice,
                   base_buffer *why) {
    (void)why;
    const graph_node *node = g->nodes + n;
    const bool q8 =
        ((const ref_device *)d)->planned && node->op == GRAPH_OP_O_MATMUL && all_quantised(g, node);
    *choice = (plan_choice){"ref", q8 ? PLAN_ACTIVATION_Q8 : PLAN_ACTIVATION_F32};
    return true;
}

static ondol_status weight_create(plan_device *d, const graph_value *v, bool matrix,
                                  const plan_place_of *place, plan_weight **out, ondol_error *err) {
    (void)matrix, (void)place;
    ref_device *r = (ref_device *)d;
    tensor_matrix stored;
    if (!graph_value_matrix(v, &stored)) {
        return base_fail(err, ONDOL_E_UNSUPPORTED, "element type without an encoding");
    }
    ref_weight *w = base_calloc(r->host.allocator, 1, sizeof *w);
    if (!w) return base_no_memory(err, "weight", sizeof *w);
    *w = (ref_weight){.base = {.layout = "as in the file", .borrows = true}, .stored = stored};
    *out = &w->base;
    return ONDOL_OK;
}

static void weight_destroy(plan_device *d, plan_weight *w) {
    base_free(((ref_device *)d)->host.allocator, w);
}

static uint64_t weight_bytes(const plan_device *d, const graph_value *v, bool matrix) {
    (void)d, (void)v, (void)matrix;
    return 0;
}

static uint64_t activation_bytes(const plan_device *d, plan_activation kind, uint64_t rows,
                                 uint64_t k) {
    (void)d;
    return kind == PLAN_ACTIVATION_Q8 ? ref_activation_bytes(rows, k) : 4 * rows * k;
}

static const plan_kernel *kernel(const plan_device *d, const graph *g, graph_node_id n,
                                 base_buffer *why) {
    (void)d;
    const plan_kernel *k = ref_kernel_of(g->nodes[n].op);
    if (!k && why) base_buffer_append_text(why, "it has no kernel");
    return k;
}

static const plan_device_ops ops = {
    .name = "ref",
    .kernel = kernel,
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

ondol_status ref_device_create(const ondol_allocator *a, base_pool *pool, bool planned,
                               plan_device **out, ondol_error *err) {
    ref_device *r = base_calloc(a, 1, sizeof *r);
    if (!r) return base_no_memory(err, "device", sizeof *r);
    r->planned = planned;
    r->host = (host_device){.base.ops = &ops,
                            .allocator = a,
                            .pool = pool,
                            .step_run = ref_step_run,
                            .step_units = ref_step_units,
                            .step_work_bytes = ref_step_work_bytes};
    *out = &r->host.base;
    return ONDOL_OK;
}
