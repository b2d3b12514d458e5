/* The null device. In: any plan. Out: nothing; its memory is host memory. */
#include "device/null/null_device.h"

#include "device/host_buffer.h"

typedef struct null_device {
    plan_device base;
    const ondol_allocator *allocator;
} null_device;

struct plan_recorded {
    uint32_t first, end;
};

static const ondol_allocator *allocator_of(const plan_device *d) {
    return ((const null_device *)d)->allocator;
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
                                  plan_weight **out, ondol_error *err) {
    (void)v, (void)matrix;
    plan_weight *w = base_calloc(allocator_of(d), 1, sizeof *w);
    if (!w) return base_no_memory(err, "weight", sizeof *w);
    w->layout = "null";
    *out = w;
    return ONDOL_OK;
}

static void weight_destroy(plan_device *d, plan_weight *w) {
    base_free(allocator_of(d), w);
}

static uint64_t activation_bytes(const plan_device *d, plan_activation kind, uint64_t rows,
                                 uint64_t k) {
    (void)d, (void)kind;
    return 4 * rows * k;
}

static ondol_status buffer_create(plan_device *d, uint64_t size_bytes, plan_buffer **out,
                                  ondol_error *err) {
    return host_buffer_create(allocator_of(d), size_bytes, out, err);
}

static void buffer_destroy(plan_device *d, plan_buffer *b) {
    host_buffer_destroy(allocator_of(d), b);
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

static ondol_status record(plan_device *d, const plan *p, uint32_t first, uint32_t end,
                           const plan_binding *binding, plan_recorded **out, ondol_error *err) {
    (void)p, (void)binding;
    plan_recorded *r = base_calloc(allocator_of(d), 1, sizeof *r);
    if (!r) return base_no_memory(err, "recorded plan", sizeof *r);
    *r = (plan_recorded){first, end};
    *out = r;
    return ONDOL_OK;
}

static void recorded_destroy(plan_device *d, plan_recorded *r) {
    base_free(allocator_of(d), r);
}

static ondol_status submit(plan_device *d, plan_recorded *r, uint64_t *fence, ondol_error *err) {
    (void)d, (void)r, (void)err;
    *fence = 0;
    return ONDOL_OK;
}

static ondol_status wait(plan_device *d, uint64_t fence, ondol_error *err) {
    (void)d, (void)fence, (void)err;
    return ONDOL_OK;
}

static const plan_device_ops ops = {
    .name = "null",
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

ondol_status null_device_create(const ondol_allocator *a, plan_device **out, ondol_error *err) {
    null_device *d = base_calloc(a, 1, sizeof *d);
    if (!d) return base_no_memory(err, "device", sizeof *d);
    *d = (null_device){.base.ops = &ops, .allocator = a};
    *out = &d->base;
    return ONDOL_OK;
}
