/* An ONNX model as a graph of the newest operator versions. */
#ifndef MODELS_ONNX_IMPORT_H
#define MODELS_ONNX_IMPORT_H

#include "formats/onnx/onnx_file.h"
#include "graph/graph.h"

/* Builds the graph of a whole model: functions of the file are put in place of their calls, old
 * versions of operators become newest ones, constants become initializers. file is borrowed: the
 * graph's initializers and lists are views of it.
 *
 * Inputs that have an initializer are its defaults (data of the input's value); before IR version 4
 * they are initializers and no inputs. An absent input or output of a node is GRAPH_NONE.
 * Errors: FORMAT (what the specification forbids: with the node and the rule), UNSUPPORTED (an
 * operator, version or domain that is not known: with the newest that is), LIMIT (nested or grown
 * too far), MEMORY, and those of external data. Source: ONNX IR specification. */
ondol_status models_graph_from_onnx(const ondol_allocator *a, onnx_file *file, graph **out,
                                    ondol_error *err);

#endif
