/* Whether a model keeps the rules of the ONNX specification on the structure of a file. */
#ifndef FORMATS_ONNX_CHECK_H
#define FORMATS_ONNX_CHECK_H

#include "formats/onnx/onnx_file.h"

#define ONNX_IR_VERSION_MAX    14
#define ONNX_MAX_FUNCTIONS     10000 /* as onnx.checker has it */
#define ONNX_MAX_FUNCTION_CALL 100   /* a call within a call ... */
#define ONNX_MAX_NAME_BYTES    (1u << 20)

/* Refuses what onnx.checker 1.23.2 refuses without a look at the operators' schemas, and what no
 * runtime can make sense of: versions, imports of operator sets, names that are missing, defined
 * twice or not at all, order of nodes, types and values of attributes, data of tensors, external
 * data, functions (signatures, calls in a circle), bindings of training. The sentence names the
 * graph's or function's node and the rule.
 *
 * file: whose external data is opened and measured; NULL: only what the model says of it is
 * checked. Errors: FORMAT; LIMIT; those of external data; MEMORY. Thread class: that of the file.
 * Source: ONNX's IR.md and onnx.proto. */
ondol_status onnx_check_model(const ondol_allocator *a, const onnx_model_proto *model,
                              onnx_file *file, ondol_error *err);

/* The same of values outside of a model, such as test data. */
ondol_status onnx_check_tensor(const ondol_allocator *a, const onnx_tensor *t, ondol_error *err);
ondol_status onnx_check_sequence(const ondol_allocator *a, const onnx_sequence *s,
                                 ondol_error *err);
ondol_status onnx_check_map(const ondol_allocator *a, const onnx_map *m, ondol_error *err);
ondol_status onnx_check_optional(const ondol_allocator *a, const onnx_optional *o,
                                 ondol_error *err);

#endif
