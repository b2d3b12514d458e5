/* What passes share: a new graph beside an old one, and the values that stand for each other. */
#ifndef OPTIMIZE_REWRITE_H
#define OPTIMIZE_REWRITE_H

#include "graph/graph.h"

typedef struct rewrite {
    const graph *from;
    graph *to;
    graph_value_id *map; /* [from->value_count]: the value of `to`, or GRAPH_NONE */
} rewrite;

/* Errors: MEMORY. On failure nothing is to be freed. */
ondol_status rewrite_begin(const graph *from, rewrite *r, ondol_error *err);
/* Frees the map; `to` too when take is false. */
void rewrite_end(rewrite *r, bool keep_graph);

/* The new value that stands for `id`: inputs and initializers are brought over when first asked
 * for (bytes borrowed, those in the old graph's arena copied). GRAPH_NONE stays. */
ondol_status rewrite_value(rewrite *r, graph_value_id id, graph_value_id *out, ondol_error *err);

/* Copies a node with its attributes onto mapped inputs, infers it, and maps its outputs. */
ondol_status rewrite_node(rewrite *r, graph_node_id id, ondol_error *err);

/* Copies a node onto the given inputs; its outputs are not mapped. */
ondol_status rewrite_node_onto(rewrite *r, graph_node_id id, const graph_value_id *inputs,
                               graph_node_id *out, ondol_error *err);

/* Adds a node of one output and infers it once attributes are set by the caller through *node. */
ondol_status rewrite_add(rewrite *r, graph_op op, const char *name, const graph_value_id *inputs,
                         uint32_t input_count, graph_node_id *node, ondol_error *err);

#endif
