/* Inside of formats/onnx: what the parts of the printer share. */
#ifndef FORMATS_ONNX_PRINTING_H
#define FORMATS_ONNX_PRINTING_H

#include "formats/onnx/onnx_print.h"

typedef struct onnx_printing {
    base_buffer *out;   /* remembers its own fault */
    uint64_t max_elems; /* UINT64_MAX: all */
    unsigned indent;    /* of nodes */
    unsigned depth;     /* of graphs and types; too deep sets too_deep */
    bool too_deep;
} onnx_printing;

#define ONNX_PRINT_MAX_DEPTH 100u

/* ---- onnx_print_value.c ---- */

void onnx_printing_text(onnx_printing *p, const char *text);
void onnx_printing_bytes(onnx_printing *p, onnx_string s);
void onnx_printing_quoted(onnx_printing *p, onnx_string s);
void onnx_printing_id(onnx_printing *p, onnx_string s); /* quoted where it is no identifier */
void onnx_printing_integer(onnx_printing *p, int64_t v);
bool onnx_printing_is_identifier(onnx_string s);
/* Names that stand where a type could, and mean one. */
bool onnx_printing_is_type_word(onnx_string s);

void onnx_printing_type(onnx_printing *p, const onnx_type *type);
void onnx_printing_tensor(onnx_printing *p, const onnx_tensor *t, bool initializer);
void onnx_printing_entries(onnx_printing *p, const onnx_string_entry_list *entries);
/* An attribute's value of that type, no graph. */
void onnx_printing_value(onnx_printing *p, const onnx_attribute *a, int32_t type);

/* Whether entry i of count is printed; at the end of what may be, "..." is. */
bool onnx_printing_goes_on(onnx_printing *p, uint64_t i, uint64_t count, const char *separator);

#endif
