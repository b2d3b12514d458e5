/* Weights of com.microsoft's MatMulNBits and GatherBlockQuantized as matrices of codes. Source:
 * docs/ContribOperators.md of ONNX Runtime. */
#ifndef GRAPH_GRAPH_NBITS_H
#define GRAPH_GRAPH_NBITS_H

#include "graph/graph.h"
#include "tensor/nbits.h"

/* The constants of a node, which may come through other nodes; zeros may be NULL. */
typedef struct graph_nbits_parts {
    const graph_value *codes, *scales, *zeros;
} graph_nbits_parts;

/* W [N, K] of a MatMulNBits. NULL when *out is filled, to be looked at by tensor_nbits_check;
 * otherwise why it is no such matrix. */
const char *graph_nbits_of_matmul(const graph *g, graph_node_id id, const graph_nbits_parts *parts,
                                  tensor_nbits *out);

/* Rows of a table that GatherBlockQuantized gathers along its first axis. The same. */
const char *graph_nbits_of_table(const graph *g, graph_node_id id, const graph_nbits_parts *parts,
                                 tensor_nbits *out);

#endif
