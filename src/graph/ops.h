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
    const char
        *attributes; /* "name:type=default ..." ; type i, f, s or I (ints); no '=': required */
} graph_op_info;

const graph_op_info *graph_op_info_of(graph_op op);

/* The operator of that domain and name, newest version. False: none. */
bool graph_op_find(const char *domain, const char *name, graph_op *out);

/* Looks up one attribute in the row: its type letter and default text ("" when it is required,
 * NULL when the row has no such attribute). */
const char *graph_op_attribute(const graph_op_info *info, const char *name, char *type,
                               size_t *default_bytes);

/* Shape rules, named by ops.def; graph_infer.c. */
#define OP(symbol, domain, name, since, min_in, max_in, min_out, max_out, infer, attributes)       \
    ondol_status infer(graph *g, graph_node_id n, ondol_error *err);
#include "graph/ops.def"
#undef OP

#endif
