/* The graph: values and nodes of ONNX operators, in the order in which they were added.
 *
 * Two dialects share it. Portable: standard and com.microsoft operators. Lowered: a few operators
 * of domain "ondol", made by optimize/ alone. Element types are ONNX's; a weight may keep the codes
 * of its file: then `encoding` or `matrix` says how its bytes are to be read and `element` what
 * they decode to.
 *
 * Everything lives in the graph's arena. Names and initializer bytes are borrowed unless a call
 * says that it copies. Thread class: one thread at a time while it is built, shared afterwards. */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "tensor/element.h"
#include "tensor/matrix.h"
#include "tensor/value.h"

#define GRAPH_NONE         UINT32_MAX
#define GRAPH_MAX_RANK     TENSOR_MAX_RANK
#define GRAPH_PLAIN        TENSOR_ENCODING_COUNT /* elements stored densely as ONNX has them */
#define GRAPH_MANY         UINT32_MAX            /* in ops.def: no bound on a count */
#define GRAPH_RANK_UNKNOWN UINT32_MAX            /* of a shape: nothing is known, dims included */

typedef uint32_t graph_value_id;
typedef uint32_t graph_node_id;

/* A dimension: a size >= 0, a symbol: GRAPH_SYMBOL(i) < 0 stands for symbols[i] of the outermost
 * graph, or GRAPH_DIM_UNKNOWN, which equals nothing, not even itself. */
typedef int64_t graph_dim;
#define GRAPH_DIM_UNKNOWN       INT64_MIN
#define GRAPH_SYMBOL(i)         (-1 - (graph_dim)(i))
#define GRAPH_SYMBOL_INDEX(dim) ((uint32_t)(-1 - (dim)))

typedef struct graph_shape {
    uint32_t rank;
    graph_dim dims[GRAPH_MAX_RANK];
} graph_shape;

typedef enum graph_op {
#define OP(symbol, ...) GRAPH_OP_##symbol,
#define OLD(symbol, ...)
#define GONE(symbol, ...)
#include "graph/ops.def"
#undef OP
#undef OLD
#undef GONE
    GRAPH_OP_COUNT
} graph_op;

typedef struct graph graph;

typedef enum graph_value_kind {
    GRAPH_VALUE_INTERMEDIATE,
    GRAPH_VALUE_INPUT,
    GRAPH_VALUE_INITIALIZER,
    GRAPH_VALUE_CAPTURE /* in a subgraph: the value `outer` of the graph around it */
} graph_value_kind;

typedef enum graph_type_kind {
    GRAPH_TYPE_TENSOR,
    GRAPH_TYPE_SPARSE,   /* element and shape as of a tensor */
    GRAPH_TYPE_SEQUENCE, /* of item */
    GRAPH_TYPE_OPTIONAL, /* of item */
    GRAPH_TYPE_MAP       /* element: of the keys, item: of the values */
} graph_type_kind;

/* A type as TypeProto has it. */
typedef struct graph_type {
    graph_type_kind kind;
    tensor_element element; /* UNDEFINED: unknown */
    graph_shape shape;
    const struct graph_type *item;
} graph_type;

typedef struct graph_number graph_number;
typedef struct graph_tensor graph_tensor;

typedef struct graph_value {
    const char *name;
    graph_value_kind kind;
    graph_type_kind type_kind;
    tensor_element element;   /* of a tensor; a map's keys; UNDEFINED: unknown */
    tensor_encoding encoding; /* of a weight's bytes; GRAPH_PLAIN for all else */
    graph_shape shape;
    const graph_type *item; /* of a sequence, optional or map; NULL: unknown */
    const void *data;       /* initializer: data_bytes bytes, borrowed or in the arena; strings:
                             * tensor_string[elements] */
    uint64_t data_bytes;
    const graph_tensor *initial; /* of an input: its value where a run gives none; NULL: none */
    const graph_number *numbers; /* what shape arithmetic tells of the elements; NULL: nothing */
    uint32_t number_count;
    bool in_arena;               /* data is in this graph's arena */
    const tensor_matrix *matrix; /* of a weight that is no run of blocks: how it is stored, in the
                                  * arena; NULL for all else. data: its codes; data_bytes: of all
                                  * its parts */
    graph_node_id producer;      /* GRAPH_NONE for inputs, initializers and captures */
    graph_value_id outer;        /* of a capture, in graph.parent */
} graph_value;

typedef enum graph_attribute_type {
    GRAPH_ATTRIBUTE_INT,
    GRAPH_ATTRIBUTE_FLOAT,
    GRAPH_ATTRIBUTE_STRING,
    GRAPH_ATTRIBUTE_INTS,
    GRAPH_ATTRIBUTE_FLOATS,
    GRAPH_ATTRIBUTE_STRINGS,
    GRAPH_ATTRIBUTE_TENSOR,
    GRAPH_ATTRIBUTE_TENSORS,
    GRAPH_ATTRIBUTE_GRAPH,
    GRAPH_ATTRIBUTE_GRAPHS,
    GRAPH_ATTRIBUTE_TYPE
} graph_attribute_type;

/* A constant tensor. data as of graph_value; dense (a sparse one is made dense). */
struct graph_tensor {
    tensor_element element;
    graph_shape shape; /* all dims >= 0 */
    const void *data;
    uint64_t data_bytes;
};

typedef struct graph_attribute {
    const char *name;
    graph_attribute_type type;
    int64_t i;
    double f;
    const char *s; /* its s_bytes bytes may hold any bytes; a 0 follows */
    size_t s_bytes;
    const int64_t *ints;
    const double *floats;         /* each a float32 */
    const tensor_string *strings; /* a 0 follows each */
    const graph_tensor *tensors;  /* TENSOR: one */
    graph *const *graphs;         /* GRAPH: one; owned by the graph of the node */
    const graph_type *type_value;
    uint32_t int_count; /* items of whichever list */
} graph_attribute;

typedef struct graph_node {
    graph_op op;
    const char *name; /* where it comes from: "blk.3.attn" */
    uint32_t input_count, output_count, attribute_count;
    graph_value_id *inputs; /* GRAPH_NONE: an optional input that is absent */
    graph_value_id *outputs;
    graph_attribute *attributes;
} graph_node;

struct graph {
    const ondol_allocator *allocator;
    base_arena arena;
    const char *name;
    graph *parent; /* of a subgraph: the graph of the node that holds it; NULL otherwise */
    graph *first_subgraph, *next_sibling; /* all subgraphs, for destroy */
    graph_value *values;
    graph_node *nodes;
    const char **symbols;
    graph_value_id *inputs, *outputs;
    const char **output_names;
    uint32_t value_count, node_count, symbol_count, input_count, output_count;
    uint32_t value_capacity, node_capacity, symbol_capacity, input_capacity, output_capacity;
};

/* max_bytes bounds the arena (0: no bound). Errors: MEMORY. */
ondol_status graph_create(const ondol_allocator *a, const char *name, graph **out,
                          ondol_error *err);
/* Also destroys its subgraphs. Not for a subgraph. */
void graph_destroy(graph *g);

/* A subgraph for an attribute of a node of parent, which owns it. Its symbols are those of the
 * outermost graph. Errors: MEMORY, LIMIT (nested deeper than GRAPH_MAX_DEPTH). */
#define GRAPH_MAX_DEPTH 64
ondol_status graph_create_subgraph(graph *parent, const char *name, graph **out, ondol_error *err);

/* The value of subgraph g that stands for value `outer` of g->parent; added when it is new.
 * Errors: MEMORY. */
ondol_status graph_capture(graph *g, graph_value_id outer, graph_value_id *out, ondol_error *err);

/* The symbol of that name, added to the outermost graph when it is new. Errors: MEMORY. */
ondol_status graph_symbol(graph *g, const char *name, graph_dim *out, ondol_error *err);

/* Adds a graph input. name is copied. */
ondol_status graph_add_input(graph *g, const char *name, tensor_element element, graph_shape shape,
                             graph_value_id *out, ondol_error *err);

/* Adds an initializer whose bytes are borrowed; data_bytes must be what shape and encoding need. */
ondol_status graph_add_weight(graph *g, const char *name, tensor_encoding encoding,
                              graph_shape shape, const void *data, uint64_t data_bytes,
                              graph_value_id *out, ondol_error *err);

/* Adds a matrix of weights [rows, columns] whose bytes are borrowed; *m and what it points to but
 * the bytes are copied. They have been checked (tensor_nbits_check). */
ondol_status graph_add_matrix(graph *g, const char *name, const tensor_matrix *m,
                              graph_value_id *out, ondol_error *err);
/* How the weight v is stored: one added as above, or of rank 2 with an encoding or plain elements
 * that have one. False for others. */
bool graph_value_matrix(const graph_value *v, tensor_matrix *out);

/* Adds a small plain initializer, copied. */
ondol_status graph_add_constant(graph *g, const char *name, tensor_element element,
                                graph_shape shape, const void *data, graph_value_id *out,
                                ondol_error *err);
/* The same, borrowed: data must outlive the graph. Strings: tensor_string[elements]. */
ondol_status graph_add_borrowed(graph *g, const char *name, const graph_tensor *t,
                                graph_value_id *out, ondol_error *err);
ondol_status graph_add_scalar_f32(graph *g, const char *name, float value, graph_value_id *out,
                                  ondol_error *err);

/* Adds a node after all others; its outputs are new values named after it, with no shape yet:
 * call graph_infer_node once its attributes are set. inputs are copied. */
ondol_status graph_add_node(graph *g, graph_op op, const char *name, const graph_value_id *inputs,
                            uint32_t input_count, uint32_t output_count, graph_node_id *out,
                            ondol_error *err);

ondol_status graph_add_output(graph *g, const char *name, graph_value_id value, ondol_error *err);

/* Attributes: set once each, by a name that the operator's row has. Errors: INTERNAL, MEMORY. */
ondol_status graph_set_int(graph *g, graph_node_id n, const char *name, int64_t v,
                           ondol_error *err);
ondol_status graph_set_float(graph *g, graph_node_id n, const char *name, double v,
                             ondol_error *err);
ondol_status graph_set_string(graph *g, graph_node_id n, const char *name, const char *v,
                              ondol_error *err);
ondol_status graph_set_ints(graph *g, graph_node_id n, const char *name, const int64_t *v,
                            uint32_t count, ondol_error *err);
ondol_status graph_set_floats(graph *g, graph_node_id n, const char *name, const double *v,
                              uint32_t count, ondol_error *err);
/* Any other: the list, its items and what they point to are borrowed, or in g's arena. */
ondol_status graph_set_attribute(graph *g, graph_node_id n, const graph_attribute *a,
                                 ondol_error *err);

/* Copies a type into g's arena. NULL: no memory. */
const graph_type *graph_type_copy(graph *g, const graph_type *type);

/* Names a value (copied). Errors: MEMORY. */
ondol_status graph_set_value_name(graph *g, graph_value_id v, const char *name, ondol_error *err);

/* Attribute values, the row's default where the node has none; 0 and "" where there is none. */
int64_t graph_get_int(const graph *g, graph_node_id n, const char *name);
double graph_get_float(const graph *g, graph_node_id n, const char *name);
const char *graph_get_string(const graph *g, graph_node_id n, const char *name);
/* NULL when the node does not have it. */
const graph_attribute *graph_get_attribute(const graph *g, graph_node_id n, const char *name);

/* Element types and shapes of the node's outputs, by its operator's rule. Errors: FORMAT with the
 * node, the operator and the rule that does not hold. */
ondol_status graph_infer_node(graph *g, graph_node_id n, ondol_error *err);

/* Checks the whole graph: every value defined before use, arities, attribute names and types,
 * shapes as inferred. Errors: FORMAT. */
ondol_status graph_verify(const graph *g, ondol_error *err);

/* Text for people, in the manner of onnx.parser: one node a line. */
void graph_print(const graph *g, base_buffer *out);

/* A drawing in Graphviz's language; subgraphs are clusters, weights stand in their nodes. */
void graph_print_dot(const graph *g, base_buffer *out);

/* "float[rows, 576]" */
void graph_print_type(const graph *g, const graph_value *v, base_buffer *out);

static inline graph_value_id graph_output_of(const graph *g, graph_node_id n, uint32_t i) {
    return g->nodes[n].outputs[i];
}

bool graph_shape_equal(const graph_shape *a, const graph_shape *b);

/* Product of static dimensions into *out; false when one is not known or it does not fit. */
bool graph_shape_elements(const graph_shape *s, uint64_t *out);

graph_shape graph_shape_unknown(void);
graph_shape graph_shape_1(graph_dim a);
graph_shape graph_shape_2(graph_dim a, graph_dim b);
graph_shape graph_shape_3(graph_dim a, graph_dim b, graph_dim c);
graph_shape graph_shape_4(graph_dim a, graph_dim b, graph_dim c, graph_dim d);

#endif
