/* ONNX's messages of test data as values of a run. */
#ifndef MODELS_ONNX_VALUE_H
#define MODELS_ONNX_VALUE_H

#include "graph/graph.h"
#include "tensor/value.h"

/* bytes[0..size) as a TensorProto, SparseTensorProto (made dense), SequenceProto, OptionalProto or
 * MapProto, by kind; the value has its own copy. Errors: FORMAT, LIMIT (lists nested deeper than
 * GRAPH_MAX_DEPTH), MEMORY. */
ondol_status models_value_from_onnx(tensor_heap *heap, graph_type_kind kind, const void *bytes,
                                    uint64_t size, tensor_value **out, ondol_error *err);

#endif
