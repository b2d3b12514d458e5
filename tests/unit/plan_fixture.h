/* For test_plan: the tiny llama lowered, and a device that takes what a test wants it to. */
#ifndef PLAN_FIXTURE_H
#define PLAN_FIXTURE_H

#include "models/model.h"
#include "optimize/optimize.h"
#include "plan/plan.h"
#include "tiny_llama.h"

/* ---- the graphs ---- */

typedef struct lowered_llama {
    tiny_llama model;
    gguf_file *file;
    graph *portable;
    optimize_decoder *decoder;
} lowered_llama;

/* prepared: model as it shall be. *l must not move until lowered_close. */
static inline void lowered_open_prepared(lowered_llama *l, const ondol_allocator *a) {
    ondol_error err = {0};
    models_info info;
    l->file = tiny_llama_open(&l->model);
    ASSERT_OK(models_graph_from_gguf(a, l->file, &l->portable, &info, &err));
    ASSERT_OK(optimize_decoder_create(a, l->portable, NULL, &l->decoder, &err));
}

static inline void lowered_open(lowered_llama *l, unsigned layers) {
    tiny_llama_init(&l->model, layers);
    lowered_open_prepared(l, &l->model.heap);
}

static inline void lowered_close(lowered_llama *l) {
    optimize_decoder_destroy(l->decoder);
    graph_destroy(l->portable);
    tiny_llama_close(&l->model, l->file);
}

static inline void lowered_kv(const lowered_llama *l, const ondol_allocator *a, plan_kv **out) {
    ondol_error err = {0};
    plan_kv_description layers[8];
    assert_true(l->decoder->layer_count <= 8);
    for (uint32_t i = 0; i < l->decoder->layer_count; i++) {
        const optimize_attention_layer *from = l->decoder->layers + i;
        layers[i] = (plan_kv_description){from->kv_heads, from->head_size, from->window};
    }
    ASSERT_OK(plan_kv_create(a, layers, l->decoder->layer_count, TENSOR_KV_F16, 32, out, &err));
}

/* ---- the device ---- */

typedef bool fake_takes(const graph *g, graph_node_id n);

/* Declines what `takes` does not take, wants Q8 operands for matmuls when q8 is set, and counts
 * what it made. Nothing is computed: submit writes down the order in *log. */
typedef struct fake_device {
    plan_device base; /* first */
    plan_device_ops ops;
    ondol_allocator heap;
    const ondol_allocator *allocator; /* of weights and recordings */
    fake_takes *takes;                /* NULL: everything */
    bool q8;
    uint32_t weights_live, weights_made, recordings_live;
    uint32_t records_left; /* recordings that succeed; then DEVICE */
    base_buffer *log;      /* may be NULL */
} fake_device;

static inline bool fake_accept(const plan_device *d, const graph *g, graph_node_id n,
                               plan_choice *choice, base_buffer *why) {
    const fake_device *f = (const fake_device *)(const void *)d;
    if (f->takes && !f->takes(g, n)) {
        if (why) base_buffer_append_text(why, "the test says no:");
        return false;
    }
    bool matmul = g->nodes[n].op == GRAPH_OP_O_MATMUL;
    *choice = (plan_choice){matmul && f->q8 ? "fake_q8" : "fake_f32",
                            matmul && f->q8 ? PLAN_ACTIVATION_Q8 : PLAN_ACTIVATION_F32};
    return true;
}

static inline uint64_t fake_weight_bytes(const plan_device *d, const graph_value *v, bool matrix) {
    (void)d;
    return matrix ? v->data_bytes + 64 : 24;
}

static inline ondol_status fake_weight_create(plan_device *d, const graph_value *v, bool matrix,
                                              const plan_place_of *place, plan_weight **out,
                                              ondol_error *err) {
    (void)place;
    fake_device *f = (fake_device *)(void *)d;
    plan_weight *w = base_calloc(f->allocator, 1, sizeof *w);
    if (!w) return base_no_memory(err, "weight", sizeof *w);
    *w = (plan_weight){
        .memory_bytes = fake_weight_bytes(d, v, matrix), .layout = "fake", .borrows = !matrix};
    f->weights_live++;
    f->weights_made++;
    *out = w;
    return ONDOL_OK;
}

static inline void fake_weight_destroy(plan_device *d, plan_weight *w) {
    fake_device *f = (fake_device *)(void *)d;
    f->weights_live--;
    base_free(f->allocator, w);
}

static inline uint64_t fake_activation_bytes(const plan_device *d, plan_activation kind,
                                             uint64_t rows, uint64_t k) {
    (void)d;
    uint64_t runs = (k + 31) / 32;
    return kind == PLAN_ACTIVATION_Q8 ? rows * runs * 40 : rows * k * 4;
}

typedef struct fake_recorded {
    uint32_t first, end;
} fake_recorded;

static inline ondol_status fake_record(plan_device *d, const plan *p, uint32_t first, uint32_t end,
                                       const plan_binding *binding, plan_recorded **out,
                                       ondol_error *err) {
    fake_device *f = (fake_device *)(void *)d;
    (void)p, (void)binding;
    if (!f->records_left) return base_fail(err, ONDOL_E_DEVICE, "%s: no recording", f->ops.name);
    fake_recorded *r = base_calloc(f->allocator, 1, sizeof *r);
    if (!r) return base_no_memory(err, "recording", sizeof *r);
    *r = (fake_recorded){first, end};
    f->records_left--;
    f->recordings_live++;
    *out = (plan_recorded *)(void *)r;
    return ONDOL_OK;
}

static inline void fake_recorded_destroy(plan_device *d, plan_recorded *r) {
    fake_device *f = (fake_device *)(void *)d;
    f->recordings_live--;
    base_free(f->allocator, r);
}

static inline ondol_status fake_submit(plan_device *d, plan_recorded *r, uint64_t *fence,
                                       ondol_error *err) {
    fake_device *f = (fake_device *)(void *)d;
    const fake_recorded *what = (const fake_recorded *)(const void *)r;
    (void)err;
    if (f->log) {
        base_buffer_append_format(f->log, "%s %u-%u\n", f->ops.name, what->first, what->end);
    }
    *fence = what->end;
    return ONDOL_OK;
}

static inline ondol_status fake_wait(plan_device *d, uint64_t fence, ondol_error *err) {
    (void)d, (void)fence, (void)err;
    return ONDOL_OK;
}

/* The struct must not move afterwards. */
static inline plan_device *fake_device_init(fake_device *f, const char *name, fake_takes *takes,
                                            bool q8) {
    *f = (fake_device){
        .heap = base_default_allocator(), .takes = takes, .q8 = q8, .records_left = UINT32_MAX};
    f->ops = (plan_device_ops){.name = name,
                               .accept = fake_accept,
                               .weight_create = fake_weight_create,
                               .weight_destroy = fake_weight_destroy,
                               .weight_bytes = fake_weight_bytes,
                               .activation_bytes = fake_activation_bytes,
                               .record = fake_record,
                               .recorded_destroy = fake_recorded_destroy,
                               .submit = fake_submit,
                               .wait = fake_wait};
    f->allocator = &f->heap;
    f->base.ops = &f->ops;
    return &f->base;
}

/* ---- plans ---- */

typedef struct plan_bucket {
    uint32_t rows, outputs;
} plan_bucket;

/* A plan with all that it refers to. */
typedef struct planned {
    plan_device *const *devices;
    plan_weights *weights;
    plan *p;
} planned;

static inline planned plan_of(const graph *g, plan_device *const *devices, uint32_t count,
                              const plan_kv *kv, plan_bucket bucket) {
    ondol_error err = {0};
    planned x = {.devices = devices};
    const ondol_allocator *a = g->allocator;
    ASSERT_OK(plan_weights_create_empty(a, g, devices, count, &x.weights, &err));
    ASSERT_OK(plan_create(a, g, x.weights, kv, bucket.rows, bucket.outputs, &x.p, &err));
    return x;
}

static inline void planned_destroy(planned *x) {
    plan_destroy(x->p);
    plan_weights_destroy(x->weights);
}

#endif
