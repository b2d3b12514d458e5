/* Networks: a graph that runs as it is written, node by node, on values with the shapes of the run.
 *
 * Each node has the kernel of the first device that takes it. Values live in a heap of the network;
 * a value is released behind its last use. Subgraphs are programs of their own, run by the kernels
 * of If, Loop, Scan and SequenceMap through plan_runtime.
 * Thread class: one thread at a time, but for network_cancel. */
#ifndef NETWORK_NETWORK_H
#define NETWORK_NETWORK_H

#include "plan/device.h"
#include "plan/kernel.h"

typedef struct network network;

typedef struct network_options {
    uint64_t max_bytes;      /* of all values of a run; 0: no bound but memory */
    uint64_t max_iterations; /* of one Loop; 0: NETWORK_MAX_ITERATIONS */
    uint64_t seed;           /* of random operators that have none */
    bool profile;            /* time is taken for each node */
} network_options;

#define NETWORK_MAX_ITERATIONS ((uint64_t)1 << 31)

/* Computes what depends on constants alone: nodes of g and its subgraphs go, initializers in g's
 * arena come. Random operators and those with subgraphs stay, as does what would grow a few numbers
 * to many, and what fails: the run tells that. max_bytes caps the values of one node; 0: no cap.
 * Errors: MEMORY. */
ondol_status network_fold_constants(const ondol_allocator *a, graph *g, plan_device *const *devices,
                                    uint32_t device_count, base_pool *pool, uint64_t max_bytes,
                                    ondol_error *err);

/* Nodes with values of float16 and bfloat16 compute in float32 where `device` has kernels for that
 * (those that take halves as they are go on to), with Cast at the borders; inputs, outputs and what
 * subgraphs capture stay as they were. In g and its subgraphs, in place. Errors: MEMORY. */
ondol_status network_widen_halves(graph *g, const plan_device *device, ondol_error *err);

/* Makes every node of g and its subgraphs ready. g and the devices outlive it; pool may be NULL.
 * options NULL: all 0. Errors: UNSUPPORTED with the node that no device takes and why, FORMAT,
 * MEMORY. */
ondol_status network_create(const ondol_allocator *a, const graph *g, plan_device *const *devices,
                            uint32_t device_count, base_pool *pool, const network_options *options,
                            network **out, ondol_error *err);
void network_destroy(network *n);

/* The heap that inputs are made in and outputs lie in. */
tensor_heap *network_heap(network *n);

/* Runs once. inputs: [g->input_count] in the graph's order, kept by the caller; NULL for one that
 * is an absent optional or has an initializer's value. outputs: [g->output_count], to be released
 * by the caller. Errors: FORMAT (an input or node whose shapes do not fit, naming it), LIMIT,
 * MEMORY, CANCELLED, DEVICE. */
ondol_status network_run(network *n, tensor_value *const *inputs, tensor_value **outputs,
                         ondol_error *err);

/* Ends the run that is under way, or the next one, with CANCELLED. Thread class: shared. */
void network_cancel(network *n);

/* Nodes of g and its subgraphs, and how many of them each device computes (by index). */
uint32_t network_node_count(const network *n);
uint32_t network_nodes_on(const network *n, uint32_t device);

/* With options.profile: calls row for each node, in order, with its runs and time so far. */
typedef void (*network_profile_row)(void *user, const graph *g, graph_node_id node,
                                    const char *device, const char *kernel, uint64_t runs,
                                    uint64_t time_ns);
void network_profile(const network *n, network_profile_row row, void *user);

#endif
