/* The null device. In: any plan. Out: nothing; its memory is host memory. */
#include "device/null/null_device.h"

#include "device/host_device.h"

static const ondol_allocator *allocator_of(const plan_device *d) {
    return ((const host_device *)d)->allocator;
}

static void destroy(plan_device *d) {
    base_free(allocator_of(d), d);
}

static bool accept(const plan_device *d, const graph *g, graph_node_id n, plan_choice *choice,
                   base_buffer *why) {
    (void)d, (void)g, (void)n, (void)why;
    *choice = (plan_choice){"null", PLAN_ACTIVATION_F32};
    return true;
}

static ondol_status weight_create(plan_device *d, const graph_value *v, bool matrix,
                                  const plan_place_of *place, plan_weight **out, ondol_error *err) {
    (void)v, (void)matrix, (void)place;
    plan_weight *w = base_calloc(allocator_of(d), 1, sizeof *w);
    if (!w) return base_no_memory(err, "weight", sizeof *w);
    w->layout = "null";
    *out = w;
    return ONDOL_OK;
}

static void weight_destroy(plan_device *d, plan_weight *w) {
    base_free(allocator_of(d), w);
}

static uint64_t weight_bytes(const plan_device *d, const graph_value *v, bool matrix) {
    (void)d, (void)v, (void)matrix;
    return 0;
}

static uint64_t activation_bytes(const plan_device *d, plan_activation kind, uint64_t rows,
                                 uint64_t k) {
    (void)d, (void)kind;
    return 4 * rows * k;
}

static const plan_device_ops ops = {
    .name = "null",
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

ondol_status null_device_create(const ondol_allocator *a, plan_device **out, ondol_error *err) {
    host_device *d = base_calloc(a, 1, sizeof *d);
    if (!d) return base_no_memory(err, "device", sizeof *d);
    *d = (host_device){.base.ops = &ops, .allocator = a};
    *out = &d->base;
    return ONDOL_OK;
}
