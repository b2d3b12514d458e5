/* The plan: graph -> steps on devices, weights made ready, memory offsets.
 *
 * A plan is made for a bucket: the most rows of a step, and the most rows wanted back. The rows
 * that a step really has are in its step block; how long the cache is, is no part of any plan. */
#ifndef PLAN_PLAN_H
#define PLAN_PLAN_H

#include "plan/device.h"
#include "tensor/kv_page.h"

#define PLAN_MAX_INPUTS 6
#define PLAN_MAX_PARTS  8
#define PLAN_NONE       UINT32_MAX

/* How many rows a value has in a step. */
typedef enum plan_rows {
    PLAN_ROWS_FIXED, /* as in the graph: constants */
    PLAN_ROWS_ALL,
    PLAN_ROWS_OUTPUTS,
    PLAN_ROWS_LOGITS
} plan_rows;

typedef enum plan_storage {
    PLAN_STORAGE_SCRATCH,  /* at `offset` of the scratch buffer */
    PLAN_STORAGE_BLOCK,    /* an array of the step block */
    PLAN_STORAGE_CONSTANT, /* bytes of the graph */
    PLAN_STORAGE_WEIGHT    /* a plan_weight */
} plan_storage;

/* Where a value lies. Views (columns, first rows) and values made in place share a root. */
typedef struct plan_value {
    plan_storage storage;
    plan_rows rows;
    plan_activation activation; /* Q8: a quantised left operand */
    tensor_element element;
    uint32_t columns;
    uint32_t row_stride; /* elements from row to row */
    uint32_t root;       /* plan value that owns the memory; itself when it does */
    uint32_t first_column;
    uint64_t offset; /* bytes, of the value's first element */
    graph_value_id source;
} plan_value;

typedef enum plan_op {
    PLAN_OP_QUANTIZE, /* in[0] f32 -> out Q8 */
    PLAN_OP_EMBED,
    PLAN_OP_ROTARY_TABLE,
    PLAN_OP_ROTARY_ROWS,
    PLAN_OP_RMS_NORM,
    PLAN_OP_LAYER_NORM,
    PLAN_OP_MATMUL,
    PLAN_OP_ROPE,
    PLAN_OP_PAGED_ATTENTION,
    PLAN_OP_GATED_ACTIVATION,
    PLAN_OP_ACTIVATION,
    PLAN_OP_ADD,
    PLAN_OP_SCALE,
    PLAN_OP_SOFTCAP,
    PLAN_OP_SELECT_ROWS,
    PLAN_OP_COUNT
} plan_op;

typedef enum plan_activation_function {
    PLAN_FUNCTION_SILU,
    PLAN_FUNCTION_GELU_TANH,
    PLAN_FUNCTION_GELU_ERF
} plan_activation_function;

typedef struct plan_matmul_part {
    uint32_t weight, bias; /* plan values; bias PLAN_NONE: none */
    uint32_t outputs;      /* columns that this part gives */
} plan_matmul_part;

/* One step. Numbers of attributes that the operator lacks are 0. */
typedef struct plan_step {
    plan_op op;
    graph_node_id node;
    uint32_t device; /* index in plan.devices */
    plan_choice choice;
    uint32_t in[PLAN_MAX_INPUTS]; /* plan values, PLAN_NONE when absent */
    uint32_t out;
    plan_matmul_part parts[PLAN_MAX_PARTS];
    uint32_t part_count;
    uint32_t groups, heads, kv_heads, head_size, layer, window;
    uint64_t second_row; /* RotaryRows: of position 0 in the second regime */
    bool interleaved;
    plan_activation_function function;
    float epsilon, scale,
        softcap; /* scale: also Embed's, Scale's factor, RotaryTable's magnitude */
} plan_step;

/* Steps [first, end) that run on one device, one after the other. */
typedef struct plan_segment {
    uint32_t device, first, end;
    plan_recorded *recorded;
} plan_segment;

/* Time that the steps of a node of the source graph took, in the plans of all buckets; of each node
 * two: the quantisation of its result, and all else. */
typedef struct plan_step_time {
    uint64_t runs, time_ns;
    plan_op op;
    const char *kernel, *device; /* of the last run; they live for ever */
} plan_step_time;

/* Weights made ready, one for each graph value (NULL: none needed); shared by the plans of all
 * buckets. Thread class: shared once made, but for times. */
typedef struct plan_weights {
    const ondol_allocator *allocator;
    const graph *source;
    plan_device *const *devices;
    uint32_t device_count;
    plan_weight **items;    /* [source->value_count] */
    uint32_t *item_devices; /* [source->value_count]; PLAN_NONE: none needed */
    uint64_t memory_bytes;
    plan_step_time *times; /* [source->node_count][2]; NULL: no time is taken */
} plan_weights;

/* Weight v is ready; `borrowed`: its bytes are still needed. Nonzero stops. */
typedef int (*plan_progress)(void *user, const graph_value *v, bool borrowed, uint64_t done_bytes,
                             uint64_t total_bytes);

/* What a decoder's cache looks like: groups of layers by window. */
typedef struct plan_kv {
    const ondol_allocator *allocator;
    tensor_kv_type type;
    uint32_t page_tokens;
    plan_kv_group *groups;
    plan_kv_layer *layers;
    uint32_t group_count, layer_count;
} plan_kv;

struct plan {
    const ondol_allocator *allocator;
    const graph *source;
    const plan_weights *weights;
    const plan_kv *kv;
    plan_device *const *devices;
    uint32_t device_count;
    uint32_t max_rows, max_outputs;
    plan_value *values;
    plan_step *steps;
    plan_segment *segments;
    uint32_t value_count, step_count, segment_count;
    uint32_t hidden, logits; /* plan values of the graph's outputs */
    uint64_t scratch_bytes;
};

/* The first device of the list that accepts node n, and its choice; the reasons of those that
 * declined are appended to why (may be NULL). Errors: UNSUPPORTED when none accepts. */
ondol_status plan_place(plan_device *const *devices, uint32_t device_count, const graph *g,
                        graph_node_id n, uint32_t *device, plan_choice *choice, base_buffer *why,
                        ondol_error *err);

/* One piece of memory for all weights that devices pack, which may be kept from run to run. */
typedef struct plan_store {
    void *data; /* 64-byte aligned, PLAN_STORE_SLACK bytes readable behind its end */
    bool filled;
} plan_store;
#define PLAN_STORE_SLACK 4096u

/* Opens a store of that many bytes; fingerprint: of names, sizes and kinds of what is to lie in it.
 * It outlives the weights. */
typedef ondol_status (*plan_store_open)(void *user, uint64_t bytes, uint64_t fingerprint,
                                        plan_store *out, ondol_error *err);

typedef struct plan_weights_options {
    plan_progress progress; /* NULL: none */
    plan_store_open store;  /* NULL: each weight has memory of its own */
    void *user;             /* of both */
} plan_weights_options;

/* Makes every weight of g ready on the device that uses it. g and devices are borrowed.
 * Errors: MEMORY, UNSUPPORTED (also a weight that two devices would use), CANCELLED; FORMAT when a
 * filled store does not hold these weights. */
ondol_status plan_weights_create(const ondol_allocator *a, const graph *g,
                                 plan_device *const *devices, uint32_t device_count,
                                 const plan_weights_options *options, plan_weights **out,
                                 ondol_error *err);
/* The same without any weight: plans made with it can be printed, not recorded. memory_bytes is
 * what the weights would take. Errors: MEMORY, UNSUPPORTED. */
ondol_status plan_weights_create_empty(const ondol_allocator *a, const graph *g,
                                       plan_device *const *devices, uint32_t device_count,
                                       plan_weights **out, ondol_error *err);
void plan_weights_destroy(plan_weights *w);

/* One layer of a cache as a caller describes it. */
typedef struct plan_kv_description {
    uint32_t kv_heads, head_size, window;
} plan_kv_description;
ondol_status plan_kv_create(const ondol_allocator *a, const plan_kv_description *layers,
                            uint32_t layer_count, tensor_kv_type type, uint32_t page_tokens,
                            plan_kv **out, ondol_error *err);
void plan_kv_destroy(plan_kv *kv);
tensor_kv_layout plan_kv_layout(const plan_kv *kv, uint32_t layer);

/* A plan for steps of at most max_rows rows, max_outputs of them wanted back. kv may be NULL for a
 * graph that is only printed. Errors: UNSUPPORTED, MEMORY. */
ondol_status plan_create(const ondol_allocator *a, const graph *g, const plan_weights *weights,
                         const plan_kv *kv, uint32_t max_rows, uint32_t max_outputs, plan **out,
                         ondol_error *err);
void plan_destroy(plan *p);

/* Records all segments. binding's parts outlive the plan. */
ondol_status plan_record(plan *p, const plan_binding *binding, ondol_error *err);

/* Runs the recorded plan on the step block of its binding and waits. Errors: DEVICE. */
ondol_status plan_run(plan *p, ondol_error *err);

/* Rows of value v in a step. */
uint32_t plan_value_rows(const plan *p, uint32_t v, const plan_step_block *block);

/* Text for people. */
void plan_print(const plan *p, base_buffer *out);
const char *plan_op_name(plan_op op);

/* Which kernel each kind of node got, and why other candidates declined. */
ondol_status plan_explain(const graph *g, plan_device *const *devices, uint32_t device_count,
                          base_buffer *out, ondol_error *err);

/* Offsets for all scratch values of a plan whose steps are complete. Inside of plan/. */
ondol_status plan_memory_assign(plan *p, ondol_error *err);

#endif
