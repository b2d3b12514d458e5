/* Single nodes for the building blocks; sticky errors as in decoder.h. Inside of models/. */
#ifndef MODELS_DECODER_NODES_H
#define MODELS_DECODER_NODES_H

#include "models/decoder.h"

/* A node named blk.LAYER.name; its attributes are to be set, then decoder_infer. */
graph_node_id decoder_node(decoder *d, graph_op op, int layer, const char *name,
                           const graph_value_id *inputs, uint32_t input_count,
                           uint32_t output_count);
void decoder_set_int(decoder *d, graph_node_id n, const char *name, int64_t v);
void decoder_set_float(decoder *d, graph_node_id n, const char *name, double v);

/* Infers the node's shapes; gives its first output. */
graph_value_id decoder_infer(decoder *d, graph_node_id n);

/* Nodes without attributes. */
graph_value_id decoder_unary(decoder *d, graph_op op, graph_value_id x, int layer,
                             const char *name);
graph_value_id decoder_binary(decoder *d, graph_op op, graph_value_id a, graph_value_id b,
                              int layer, const char *name);
graph_value_id decoder_constant(decoder *d, const char *name, tensor_element element,
                                graph_shape shape, const void *data);

#endif
