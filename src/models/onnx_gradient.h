/* Derivatives: a Gradient node of ai.onnx.preview.training becomes nodes that compute them, by
 * reverse-mode differentiation of the nodes between its xs and its y. onnx_gradients.def names the
 * rule of each operator; the rules are in onnx_gradient_*.c. Inside of models/.
 *
 * Errors are sticky, as in onnx_upgrade.h, whose calls the rules are written with. */
#ifndef MODELS_ONNX_GRADIENT_H
#define MODELS_ONNX_GRADIENT_H

#include "models/onnx_importer.h"
#include "models/onnx_upgrade.h"

/* A differentiation under way. Arrays are by value of g, [capacity]. */
typedef struct onnx_gradient {
    onnx_upgrade *u;
    graph *g;
    const ondol_allocator *allocator;
    graph_value_id *adjoint; /* dy/dvalue as far as it is summed; GRAPH_NONE: nothing yet */
    bool *depends;           /* on one of xs, and a float */
    bool *is_leaf;           /* one of xs: how it is computed is not looked at */
    uint32_t capacity;
    uint64_t nodes_left; /* that may still be made */
    uint32_t depth;      /* of operators that are written as others */
} onnx_gradient;

/* Fills u->outputs of a Gradient node whose inputs and attributes have been read; names are those
 * that s sees. Errors: FORMAT, UNSUPPORTED (an operator without a rule, by its node's name), LIMIT,
 * MEMORY. Source: ai.onnx.preview.training Gradient-1. y of any shape: the sum of its elements. */
ondol_status onnx_import_gradient(onnx_importer *im, const onnx_import_scope *s, onnx_upgrade *u);

/* Calls see for each value of g that node n reads, those that its subgraphs capture included; true
 * as soon as it is. */
bool gradient_reads(const graph *g, graph_node_id n, bool (*see)(void *, graph_value_id),
                    void *user);

/* The nodes between named and y again, at the values xs (both [count]), which become values of
 * their own; *y: what is y then. Nodes that hold graphs are not made again: UNSUPPORTED. */
void gradient_evaluate_at(onnx_gradient *d, const graph_value_id *named, uint32_t count,
                          graph_value_id *xs, graph_value_id *y);

/* ------------------------------------------------------------------------------- for the rules */

/* Adds to the adjoints of node n's inputs what its outputs' say. */
typedef void (*onnx_gradient_rule)(onnx_gradient *d, graph_node_id n);

/* The rule of an operator; NULL: there is none. */
onnx_gradient_rule onnx_gradient_find(graph_op op);

/* Input and output i; GRAPH_NONE: absent. */
graph_value_id gradient_in(const onnx_gradient *d, graph_node_id n, uint32_t i);
graph_value_id gradient_out(const onnx_gradient *d, graph_node_id n, uint32_t i);
/* The adjoint of output i, of its shape; GRAPH_NONE: none. */
graph_value_id gradient_of(const onnx_gradient *d, graph_node_id n, uint32_t i);
/* True when input i has an adjoint to be computed. */
bool gradient_wants(const onnx_gradient *d, graph_node_id n, uint32_t i);
/* Adds v, of the shape of input i, to its adjoint; where it is wanted. */
void gradient_add(onnx_gradient *d, graph_node_id n, uint32_t i, graph_value_id v);
/* The same of v of the shape that input i was broadcast to: summed over what was repeated. */
void gradient_add_summed(onnx_gradient *d, graph_node_id n, uint32_t i, graph_value_id v);
/* UNSUPPORTED with the name of node n. */
void gradient_fail(onnx_gradient *d, graph_node_id n, const char *why);

/* A rule for an operator that others can say: outputs[0..count) are what they compute of its
 * inputs, GRAPH_NONE where an output has no adjoint. */
typedef void (*onnx_gradient_form)(onnx_gradient *d, graph_node_id n, graph_value_id *outputs);
void gradient_by_form(onnx_gradient *d, graph_node_id n, onnx_gradient_form form);

/* Short names for nodes of one output. */
graph_value_id gradient_mul(onnx_gradient *d, graph_value_id a, graph_value_id b);
graph_value_id gradient_div(onnx_gradient *d, graph_value_id a, graph_value_id b);
graph_value_id gradient_plus(onnx_gradient *d, graph_value_id a, graph_value_id b);
graph_value_id gradient_minus(onnx_gradient *d, graph_value_id a, graph_value_id b);
graph_value_id gradient_where(onnx_gradient *d, graph_value_id condition, graph_value_id a,
                              graph_value_id b);
/* A number of the element type of `like`, rank 0. */
graph_value_id gradient_number(onnx_gradient *d, double v, graph_value_id like);
/* All elements v, in the shape and type of `like`. */
graph_value_id gradient_filled(onnx_gradient *d, double v, graph_value_id like);
/* a in the shape of `like`, which has as many elements. */
graph_value_id gradient_reshaped(onnx_gradient *d, graph_value_id a, graph_value_id like);
/* ReduceSum over constant axes, keeping them. */
graph_value_id gradient_sum_over(onnx_gradient *d, graph_value_id a, const int64_t *axes,
                                 uint32_t count);
/* A new node of another operator with node n's attributes that `op` has too, and those inputs. */
graph_value_id gradient_like_node(onnx_gradient *d, graph_node_id n, graph_op op,
                                  const graph_value_id *inputs, uint32_t count);

#define GRADIENT(op, rule) void rule(onnx_gradient *d, graph_node_id n);
#include "models/onnx_gradients.def"
#undef GRADIENT

#endif
