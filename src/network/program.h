/* Inside of network/: a graph made ready. */
#ifndef NETWORK_PROGRAM_H
#define NETWORK_PROGRAM_H

#include <stdatomic.h>

#include "network/network.h"

typedef struct network_program network_program;

typedef struct network_node {
    const plan_kernel *kernel;
    void *state;
    uint32_t device;
    uint32_t first_release, release_count; /* in program.releases */
    bool *disposable;                      /* [inputs] */
    network_program **children;            /* of its subgraphs, in the order of attributes */
    uint32_t child_count;
    uint64_t runs, time_ns;
} network_node;

struct network_program {
    const graph *g;
    network_node *nodes;
    graph_value_id *releases; /* values whose last use is a node, node after node */
    tensor_value **constants; /* [value_count]; NULL: no initializer */
    tensor_value **slots;     /* [value_count]: a frame kept for the next run, NULL while in use */
};

struct network {
    const ondol_allocator *allocator;
    plan_device *const *devices;
    uint32_t device_count;
    base_pool *pool;
    network_options options;
    tensor_heap *heap;
    network_program *program;
    uint32_t *device_nodes; /* [device_count] */
    uint32_t node_count;
    uint64_t draws; /* random operators without a seed that have run in this run */
    atomic_bool cancelled;
};

/* Errors: as network_create. */
ondol_status network_program_create(network *n, const graph *g, network_program **out,
                                    ondol_error *err);
void network_program_destroy(network *n, network_program *p);

#endif
