/* Operators on values: how a device computes one node of a graph that runs as it is written.
 *
 * A kernel is asked for by node when a network is made ready. `prepare` may look at the node's
 * attributes and constant inputs and keep what it makes of them; `run` gets values whose types and
 * shapes are those of the run: nothing of them has been checked but the number of inputs and
 * outputs, the attributes' types and (where the file was checked) the element types. */
#ifndef PLAN_KERNEL_H
#define PLAN_KERNEL_H

#include "base/thread.h"
#include "graph/graph.h"
#include "tensor/value.h"

typedef struct plan_call plan_call;
typedef struct plan_device plan_device;
typedef struct plan_runtime plan_runtime;

/* What a kernel may ask of the run around it. */
struct plan_runtime {
    /* Runs subgraph sub of the calling node once. inputs: [sub->input_count], kept by the caller;
     * outputs: [sub->output_count], each to be released by the caller. Errors: those of its nodes.
     */
    ondol_status (*run_subgraph)(plan_runtime *r, const plan_call *call, const graph *sub,
                                 tensor_value *const *inputs, tensor_value **outputs,
                                 ondol_error *err);
    /* CANCELLED when the caller wants the run to end: asked once an iteration. */
    ondol_status (*check_cancelled)(plan_runtime *r, ondol_error *err);
    uint64_t max_iterations; /* of one Loop */
    uint64_t seed;           /* of random operators without a seed of their own */
    uint64_t *draws;         /* how many of those have run in this run; NULL: none may */
};

struct plan_call {
    const graph *g;
    graph_node_id node;
    const void *state;           /* of prepare; NULL without */
    tensor_value *const *inputs; /* [input_count]; NULL: absent */
    tensor_value **outputs;      /* [output_count]; NULL until made */
    const bool *disposable;      /* [input_count]: nobody reads the input's data after this node */
    uint32_t input_count, output_count;
    tensor_heap *heap;
    const plan_device *device; /* whose kernel runs */
    base_pool *pool;           /* NULL: one thread */
    plan_runtime *runtime;
};

typedef struct plan_kernel {
    graph_op op;
    const char *name; /* for people */
    ondol_status (*run)(plan_call *c, ondol_error *err);
    bool any_layout;      /* takes tensors with channels last; others get dense ones */
    uint32_t half_inputs; /* bit i: input i may be a constant of float16 or bfloat16 where the
                           * values are float32 */

    /* All below may be NULL. accept: whether it computes this node, and why not. */
    bool (*accept)(const graph *g, graph_node_id n, base_buffer *why);
    /* *state is NULL at first; released also when prepare fails. */
    ondol_status (*prepare)(const plan_device *d, const ondol_allocator *a, const graph *g,
                            graph_node_id n, base_pool *pool, void **state, ondol_error *err);
    void (*release)(const ondol_allocator *a, void *state);
} plan_kernel;

/* Makes output i as a new tensor, uninitialised. Errors: LIMIT, MEMORY, with the node's name. */
ondol_status plan_call_output(plan_call *c, uint32_t i, tensor_element element, uint32_t rank,
                              const int64_t *dims, tensor_value **out, ondol_error *err);
/* Makes output i a view of all data of input j, with other dimensions. */
ondol_status plan_call_view(plan_call *c, uint32_t i, uint32_t j, uint32_t rank,
                            const int64_t *dims, ondol_error *err);
/* Makes output i the value v, which is retained. */
void plan_call_give(plan_call *c, uint32_t i, tensor_value *v);
/* True when somebody reads output i. */
bool plan_call_wants(const plan_call *c, uint32_t i);

/* Input i, NULL when it is absent. */
static inline tensor_value *plan_call_input(const plan_call *c, uint32_t i) {
    return i < c->input_count ? c->inputs[i] : NULL;
}
/* Input i as a tensor. Errors: FORMAT when it is absent or no tensor. */
ondol_status plan_call_tensor(const plan_call *c, uint32_t i, tensor_value **out, ondol_error *err);
/* Input i as a tensor of that element type. Errors: FORMAT. */
ondol_status plan_call_typed(const plan_call *c, uint32_t i, tensor_element element,
                             tensor_value **out, ondol_error *err);
/* Up to max integers (i32 or i64) of input i, a tensor of rank 0 or 1. Errors: FORMAT. */
ondol_status plan_call_integers(const plan_call *c, uint32_t i, uint32_t max, int64_t *out,
                                uint32_t *count, ondol_error *err);

/* The axis made non-negative. Errors: FORMAT unless -rank <= axis < rank. */
ondol_status plan_call_axis(const plan_call *c, int64_t axis, uint32_t rank, uint32_t *out,
                            ondol_error *err);

/* FORMAT with "node 'name' (Operator): sentence". */
ondol_status plan_call_fail(const plan_call *c, ondol_error *err, const char *format, ...)
    BASE_PRINTF(3, 4);

/* Runs units [0, count) on the pool, or here where there is none. */
void plan_call_parallel(const plan_call *c, uint32_t count, base_unit run, void *argument);

#endif
