/* Inside of graph/: what the shape rules share.
 *
 * A rule sees a node whose inputs may be known in part: an element type that is UNDEFINED, a rank
 * that is GRAPH_RANK_UNKNOWN, dimensions that are symbols or GRAPH_DIM_UNKNOWN. The output's types
 * have been set as ops.def's lists tell them, shapes unknown. A rule sets what follows for certain,
 * and fails only where no sizes could make the node right. */
#ifndef GRAPH_INFER_H
#define GRAPH_INFER_H

#include "graph/ops.h"

/* Input i, NULL where it is absent. */
const graph_value *infer_input(const graph *g, graph_node_id n, uint32_t i);
/* The same where it is a tensor of known rank; NULL otherwise. */
const graph_value *infer_ranked(const graph *g, graph_node_id n, uint32_t i);

/* FORMAT with the node, the operator and the rule that does not hold. */
ondol_status infer_fail(const graph *g, graph_node_id n, ondol_error *err, const char *format, ...)
    BASE_PRINTF(4, 5);

/* Sets output i, where the node has it. */
void infer_set(graph *g, graph_node_id n, uint32_t i, tensor_element element, graph_shape shape);
void infer_set_shape(graph *g, graph_node_id n, uint32_t i, graph_shape shape);
void infer_set_element(graph *g, graph_node_id n, uint32_t i, tensor_element element);

/* An axis of a tensor of that rank, from the front. Errors: FORMAT. */
ondol_status infer_axis(const graph *g, graph_node_id n, int64_t axis, uint32_t rank, uint32_t *out,
                        ondol_error *err);

/* a + b and a * b; INT64_MIN or INT64_MAX where they pass them. */
int64_t infer_sum(int64_t a, int64_t b);
int64_t infer_product(int64_t a, int64_t b);
/* A computed size; unknown where it is negative or past what is computed exactly. */
graph_dim infer_size(int64_t size);

/* A shape of that rank whose dimensions are not known. */
graph_shape infer_open(uint32_t rank);
/* a and b where they may be the same: the one that says more. False: they differ for certain. */
bool infer_merge_dims(graph_dim a, graph_dim b, graph_dim *out);
/* One dimension of two that broadcast. False: they do not. */
bool infer_broadcast_dims(graph_dim a, graph_dim b, graph_dim *out);
/* Both shapes broadcast, multidirectional; of unknown rank where one is. False: they do not. */
bool infer_broadcast_shapes(const graph_shape *a, const graph_shape *b, graph_shape *out);

/* What is known of the elements of a small integer tensor. */
typedef enum graph_number_kind {
    GRAPH_NUMBER_UNKNOWN,
    GRAPH_NUMBER_INTEGER,
    GRAPH_NUMBER_SYMBOL /* the size of a dimension: value is its graph_dim */
} graph_number_kind;
struct graph_number {
    graph_number_kind kind;
    int64_t value;
};

#define INFER_MAX_NUMBERS 64

/* The elements of input i, a tensor of rank 0 or 1 with int32 or int64 elements: of an initializer,
 * or as far as shape arithmetic told. False when not even their count is known. */
bool infer_numbers(const graph *g, graph_node_id n, uint32_t i, graph_number *out, uint32_t *count);
/* The same where all of them are integers. */
bool infer_integers(const graph *g, graph_node_id n, uint32_t i, int64_t *out, uint32_t *count);
graph_number infer_number_of(graph_dim d);
/* A size that the number says; unknown where it is negative. */
graph_dim infer_dim_of(graph_number x);

/* Shape arithmetic: sets what is known of the elements of output 0. Errors: MEMORY. */
ondol_status infer_set_numbers(graph *g, graph_node_id n, const graph_number *numbers,
                               uint32_t count, ondol_error *err);
/* Propagates through the operators that shapes are computed with. Errors: MEMORY. */
ondol_status infer_propagate(graph *g, graph_node_id n, ondol_error *err);

#endif
