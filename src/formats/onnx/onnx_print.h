/* ONNX models as text, in the syntax that onnx.parser of the onnx package reads. */
#ifndef FORMATS_ONNX_PRINT_H
#define FORMATS_ONNX_PRINT_H

#include "base/buffer.h"
#include "formats/onnx/onnx_model.h"

typedef struct onnx_print_options {
    uint64_t max_elems; /* of a tensor or list, then "..." (which onnx.parser refuses); 0: all */
} onnx_print_options;

/* Appends the whole model; options may be NULL. Where onnx.printer gives a text that onnx.parser
 * reads, it is the same text. What the syntax has no place for (doc strings and metadata of parts,
 * sparse initializers, annotations, training, devices) is left out or is a comment. External data
 * is its entries. Errors: LIMIT, MEMORY (the buffer's; nested deeper than 100). */
ondol_status onnx_print_text(const onnx_model_proto *model, const onnx_print_options *options,
                             base_buffer *out, ondol_error *err);

/* Appends "float[N,3]", "seq(int64)", "undefined" ...; type may be NULL. Errors: as above. */
ondol_status onnx_print_type(const onnx_type *type, base_buffer *out, ondol_error *err);

#endif
