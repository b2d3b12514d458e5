/* The device interface: what a plan asks of a device. Asynchronous and replayable: a plan is
 * recorded once and submitted with a step block for each step.
 *
 * A device's own structure begins with plan_device. Thread class: one thread at a time, but for
 * `accept`, which is shared. */
#ifndef PLAN_DEVICE_H
#define PLAN_DEVICE_H

#include "base/buffer.h"
#include "graph/graph.h"
#include "plan/step_block.h"

typedef struct plan plan;
typedef struct plan_device plan_device;

/* How the left operand of a matmul is held. */
typedef enum plan_activation {
    PLAN_ACTIVATION_F32,
    PLAN_ACTIVATION_Q8 /* int8 codes, one f32 scale and the sum of codes for each 32 along a row */
} plan_activation;

/* What a device says of a node that it takes. */
typedef struct plan_choice {
    const char *kernel; /* name for people */
    plan_activation activation;
} plan_choice;

/* Memory of a device. host: its bytes where the host can reach them, NULL otherwise. */
typedef struct plan_buffer {
    void *host;
    uint64_t size_bytes;
} plan_buffer;

/* A weight made ready by a device; each has its own structure behind this one. */
typedef struct plan_weight {
    uint64_t memory_bytes; /* beside the file */
    const char *layout;    /* name for people */
    bool borrows;          /* computes with the file's own bytes, which must stay */
} plan_weight;

/* Keys and values of one layer within the pages of its group. */
typedef struct plan_kv_layer {
    uint32_t group;
    uint32_t kv_heads, head_size;
    uint64_t offset_bytes; /* within a page */
} plan_kv_layer;

/* Layers with the same window share page tables; a page holds page_tokens of all its layers. */
typedef struct plan_kv_group {
    uint32_t window; /* 0: all */
    uint64_t page_bytes;
} plan_kv_group;

/* What a recorded plan computes on, fixed for its life. */
typedef struct plan_binding {
    plan_buffer *scratch;
    plan_buffer *const *pools; /* [group_count] */
    plan_step_block *block;
} plan_binding;

typedef struct plan_recorded plan_recorded; /* a device's own */

/* Memory for a weight, 64-byte aligned and readable for some KiB behind it. filled: it was made by
 * an earlier run, and is only read. */
typedef struct plan_place_of {
    void *data;
    uint64_t bytes;
    bool filled;
} plan_place_of;

typedef struct plan_device_ops {
    const char *name;
    void (*destroy)(plan_device *d);

    /* The kernel that computes node n of a graph that runs as it is written (plan/kernel.h); NULL:
     * none, with the reason appended to why. The entry itself may be NULL: it has none at all. */
    const struct plan_kernel *(*kernel)(const plan_device *d, const graph *g, graph_node_id n,
                                        base_buffer *why);

    /* Whether the device computes node n; if so *choice, if not the reason is appended to why
     * (may be NULL). */
    bool (*accept)(const plan_device *d, const graph *g, graph_node_id n, plan_choice *choice,
                   base_buffer *why);

    /* Makes a weight ready. matrix: it is multiplied with; otherwise only rows are looked up (or it
     * is a vector). v's bytes outlive the weight. place: where its weight_bytes bytes go, or lie;
     * NULL: the device takes memory. Errors: MEMORY, UNSUPPORTED; FORMAT when what lies there is
     * not what the device would make of v. */
    ondol_status (*weight_create)(plan_device *d, const graph_value *v, bool matrix,
                                  const plan_place_of *place, plan_weight **out, ondol_error *err);
    void (*weight_destroy)(plan_device *d, plan_weight *w);
    /* Memory beside the file that weight_create would take. */
    uint64_t (*weight_bytes)(const plan_device *d, const graph_value *v, bool matrix);

    /* Bytes that `rows` rows of k elements take as that activation. */
    uint64_t (*activation_bytes)(const plan_device *d, plan_activation kind, uint64_t rows,
                                 uint64_t k);

    ondol_status (*buffer_create)(plan_device *d, uint64_t size_bytes, plan_buffer **out,
                                  ondol_error *err);
    void (*buffer_destroy)(plan_device *d, plan_buffer *b);
    /* Copies to and from host memory. Errors: DEVICE. */
    ondol_status (*upload)(plan_device *d, plan_buffer *b, uint64_t offset, const void *from,
                           uint64_t size_bytes, ondol_error *err);
    ondol_status (*read_back)(plan_device *d, const plan_buffer *b, uint64_t offset, void *to,
                              uint64_t size_bytes, ondol_error *err);
    /* Copies from buffer to buffer (may be the same; the ranges do not overlap). Errors: DEVICE. */
    ondol_status (*copy)(plan_device *d, plan_buffer *to, uint64_t to_offset,
                         const plan_buffer *from, uint64_t from_offset, uint64_t size_bytes,
                         ondol_error *err);

    /* Steps [first, end) of the plan, all placed on this device. The plan and all that it refers to
     * outlive the recording. */
    ondol_status (*record)(plan_device *d, const plan *p, uint32_t first, uint32_t end,
                           const plan_binding *binding, plan_recorded **out, ondol_error *err);
    void (*recorded_destroy)(plan_device *d, plan_recorded *r);
    /* Starts the recorded steps on the step block as it is now; *fence counts up. */
    ondol_status (*submit)(plan_device *d, plan_recorded *r, uint64_t *fence, ondol_error *err);
    ondol_status (*wait)(plan_device *d, uint64_t fence, ondol_error *err);
} plan_device_ops;

struct plan_device {
    const plan_device_ops *ops;
};

#endif
