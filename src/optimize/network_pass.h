/* Inside of optimize/: passes over graphs that run as they are written, in place. */
#ifndef OPTIMIZE_NETWORK_PASS_H
#define OPTIMIZE_NETWORK_PASS_H

#include "graph/graph.h"
#include "graph/ops.h"

typedef struct network_pass {
    graph *g;
    uint32_t *uses; /* [values]: readers; outputs and captures count as two */
    bool *gone;     /* [nodes] */
    uint32_t value_count;
} network_pass;

/* ------------------------------------------------------------ network_pass.c: what all share */

/* Counts for p->g, which is set. To be ended also on failure. Errors: MEMORY. */
ondol_status network_pass_begin(network_pass *p, ondol_error *err);
/* Takes the nodes that are gone out of the graph. */
void network_pass_drop(network_pass *p);
void network_pass_end(network_pass *p);

/* Input i, or NULL. */
const graph_value *network_input(const graph *g, const graph_node *n, uint32_t i);
bool network_is_constant(const graph_value *v); /* of f32; takes NULL */
/* One f32, that number; near: but for rounding. */
bool network_is_number(const graph_value *v, float number);
bool network_is_near(const graph_value *v, double number);
/* The node that makes v, when v is made for one reader alone. NULL otherwise. */
graph_node *network_producer(const network_pass *p, graph_value_id v);
/* The input of a commutative node beside a constant of that number, or near it. */
bool network_other(const graph *g, const graph_node *n, float number, graph_value_id *out);
bool network_scaled(const network_pass *p, const graph_node *n, double number, graph_value_id *out);
/* The output of node id has as many dimensions as x: constants of one element between them may have
 * dimensions of their own. */
bool network_keeps_rank(const graph *g, graph_node_id id, graph_value_id x);
/* The output of `from` is from now on made by `to`, whose own one nobody reads. */
void network_take_over(network_pass *p, graph_node *to, graph_node_id from);

/* ------------------------------------------------------------ passes, from a node backwards */

/* BatchNormalization, Mul or Add behind a Conv or ConvTranspose, into its weights. *done: it went.
 * Errors: MEMORY. */
ondol_status network_fold_scale(network_pass *p, graph_node_id id, bool *done, ondol_error *err);
/* An activation, Mul or Add behind a Conv, into its end. Errors: MEMORY. */
ondol_status network_fuse_after(network_pass *p, graph_node_id id, ondol_error *err);
/* Steps on single elements that end with node id, into a Chain. Errors: MEMORY. */
ondol_status network_fuse_chain(network_pass *p, graph_node_id id, ondol_error *err);
void network_fuse_hard_swish(network_pass *p, graph_node_id id);                  /* a Div */
void network_fuse_gelu(network_pass *p, graph_node_id id);                        /* a Mul */
void network_fuse_gelu_tanh(network_pass *p, graph_node_id id, ondol_error *err); /* a Mul */
/* Errors: MEMORY. */
ondol_status network_fuse_linear(network_pass *p, graph_node_id id, ondol_error *err); /* an Add */

#endif
