/* Inside of the ONNX import: what its files share. */
#ifndef MODELS_ONNX_IMPORTER_H
#define MODELS_ONNX_IMPORTER_H

#include "base/map.h"
#include "formats/onnx/onnx_file.h"
#include "graph/ops.h"

/* How deep calls of functions go, and how many nodes calls may make of a file beside its own. */
#define ONNX_IMPORT_MAX_CALLS 64u
#define ONNX_IMPORT_MAX_NODES (1u << 18)

typedef struct onnx_importer {
    const ondol_allocator *allocator;
    onnx_file *file;
    const onnx_model_proto *model;
    graph *root;
    base_map functions;  /* domain 0 name 0 overload -> index in model->functions */
    uint64_t nodes_left; /* that may still be made */
    ondol_error *err;
} onnx_importer;

typedef struct onnx_import_scope onnx_import_scope;

/* An attribute of a function's call, with the scope that its subgraphs see. */
typedef struct onnx_import_binding {
    onnx_string name;
    const onnx_attribute *attribute;
    const onnx_import_scope *scope;
} onnx_import_binding;

/* What nodes are written in: the model, or one call of a function. */
typedef struct onnx_import_body {
    const onnx_function *function; /* NULL: the model */
    const onnx_operator_set_list *opsets;
    const onnx_import_binding *bindings;
    size_t binding_count;
    const char *prefix; /* of names: "" or "call/" */
    uint32_t depth;     /* of calls */
} onnx_import_body;

/* Names that nodes of one graph or function body see. */
struct onnx_import_scope {
    const onnx_import_scope *outer; /* around a subgraph; NULL: a main graph or function */
    const onnx_import_body *body;
    graph *g;
    base_map names; /* -> value of g; GRAPH_NONE: an absent argument of a function */
    base_map infos; /* -> index in value_info of the graph or function */
    const onnx_value_info_list *value_info;
};

/* ---------------------------------------------------------------------- onnx_import_scope.c */

ondol_status onnx_scope_open(onnx_importer *im, onnx_import_scope *s,
                             const onnx_value_info_list *value_info);
void onnx_scope_close(onnx_import_scope *s);
/* The value of that name as seen from s (captured where it lies outside). Errors: FORMAT. */
ondol_status onnx_scope_find(onnx_importer *im, const onnx_import_scope *s, onnx_string name,
                             graph_value_id *out);
/* Errors: FORMAT: the name has a value already. */
ondol_status onnx_scope_define(onnx_importer *im, onnx_import_scope *s, onnx_string name,
                               graph_value_id value);
/* A copy in g's arena with a 0 behind it, prefix before it. Errors: FORMAT (a 0 within), MEMORY. */
ondol_status onnx_import_text(onnx_importer *im, graph *g, const char *prefix, onnx_string text,
                              const char **out);
/* At most 80 bytes of a text, for sentences: "%.*s" takes the two. */
int onnx_shown(onnx_string text);
static inline const char *onnx_chars(onnx_string text) {
    return text.text ? text.text : "";
}

/* ---------------------------------------------------------------------- onnx_import_types.c */

/* *out lies in g's arena. Errors: FORMAT, LIMIT (rank). */
ondol_status onnx_import_type(onnx_importer *im, graph *g, const onnx_type *type, graph_type *out);
/* What `type` knows and value v does not. Errors: FORMAT where the element types or kinds differ.
 */
ondol_status onnx_import_refine(onnx_importer *im, graph *g, graph_value_id v,
                                const onnx_type *type);

/* -------------------------------------------------------------------- onnx_import_tensors.c */

/* Dense data, a view of the file or in g's arena. Errors: FORMAT, LIMIT, MEMORY; external data's.
 */
ondol_status onnx_import_tensor(onnx_importer *im, graph *g, const onnx_tensor *t,
                                graph_tensor *out);
ondol_status onnx_import_sparse(onnx_importer *im, graph *g, const onnx_sparse_tensor *t,
                                graph_tensor *out);

/* ----------------------------------------------------------------- onnx_import_attributes.c */

/* The attributes of a node as the graph has them, in g's arena; references resolved. */
ondol_status onnx_import_attributes(onnx_importer *im, onnx_import_scope *s, const onnx_node *node,
                                    const graph_op_info *row, graph_attribute **out,
                                    uint32_t *count);
/* The attribute that `a` stands for in s: itself, or what it refers to; NULL: nothing, as a
 * function's parameter without a value. *scope: what its subgraphs see. */
ondol_status onnx_import_resolve(onnx_importer *im, const onnx_import_scope *s,
                                 const onnx_attribute *a, const onnx_attribute **out,
                                 const onnx_import_scope **scope);

/* ---------------------------------------------------------------------- onnx_import_check.c */

/* The inputs that the row requires are there, of types that it allows, those of one type variable
 * of the same; types that are not known are not checked. Errors: FORMAT. */
ondol_status onnx_import_check_inputs(onnx_importer *im, const graph *g, const graph_op_info *row,
                                      const graph_value_id *inputs, uint32_t count);

/* ----------------------------------------------------------------------- onnx_import_node.c */

ondol_status onnx_import_nodes(onnx_importer *im, onnx_import_scope *s, const onnx_node_list *list);
/* The version of a domain that the body imports. Errors: FORMAT when it imports none. */
ondol_status onnx_import_version(onnx_importer *im, const onnx_import_body *body,
                                 onnx_string domain, uint32_t *out);

/* ------------------------------------------------------------------ onnx_import_functions.c */

ondol_status onnx_import_index_functions(onnx_importer *im);
/* NULL: the model has no such function. Errors: MEMORY. */
ondol_status onnx_import_find_function(onnx_importer *im, const onnx_node *node,
                                       const onnx_function **out);
/* Puts the function's nodes in place of the call. */
ondol_status onnx_import_call(onnx_importer *im, onnx_import_scope *s, const onnx_node *node,
                              const onnx_function *f);

/* ----------------------------------------------------------------------- onnx_import.c */

/* A graph attribute, as a subgraph of g that sees the names of `around`. */
ondol_status onnx_import_subgraph(onnx_importer *im, const onnx_import_scope *around, graph *g,
                                  const onnx_graph *from, graph **out);

#endif
