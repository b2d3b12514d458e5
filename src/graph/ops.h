/* The operators that Ondol knows: one row of ops.def each. */
#ifndef GRAPH_OPS_H
#define GRAPH_OPS_H

#include "graph/graph.h"

typedef ondol_status (*graph_infer_rule)(graph *g, graph_node_id n, ondol_error *err);

typedef struct graph_op_info {
    const char *domain; /* "" is ai.onnx */
    const char *name;
    uint32_t since_version;
    uint32_t min_inputs, max_inputs, min_outputs, max_outputs;
    graph_infer_rule infer;
    const char *inputs, *outputs, *types, *attributes; /* lists as ops.def describes them */
} graph_op_info;

/* A version of an operator as files may use it. op is the operator that graphs hold, GRAPH_OP_COUNT
 * when no version of it is left (import makes others of it). */
typedef struct graph_schema {
    graph_op_info info;
    graph_op op;
    bool gone; /* from since_version on the operator is no more */
} graph_schema;

/* The newest schema of domain and name (both without 0; "ai.onnx" is "") that is not newer than
 * `version`, and *newest: the newest version that is known. NULL: none. */
const graph_schema *graph_schema_find(const char *domain, size_t domain_bytes, const char *name,
                                      size_t name_bytes, uint32_t version, uint32_t *newest);

/* The newest version in which an operator of the domain changed; 0: no operator of it is known. */
uint32_t graph_schema_newest(const char *domain, size_t domain_bytes);

/* Walks a list of ops.def: the item at *list, and *list moved behind it; NULL at the end. */
const char *graph_list_next(const char **list);

const graph_op_info *graph_op_info_of(graph_op op);

/* The operator of that domain and name, newest version. False: none. */
bool graph_op_find(const char *domain, const char *name, graph_op *out);

/* Looks up one attribute in the row: its type letter and default text ("" when it has none). NULL
 * when the row has no such attribute. */
const char *graph_op_attribute(const graph_op_info *info, const char *name, char *type);

/* Shape rules, named by ops.def. */
#define OP(symbol, domain, name, since, min_in, max_in, min_out, max_out, infer, ...)              \
    ondol_status infer(graph *g, graph_node_id n, ondol_error *err);
#define OLD(symbol, ...)
#define GONE(symbol, ...)
#include "graph/ops.def"
#undef OP
#undef OLD
#undef GONE

#endif
