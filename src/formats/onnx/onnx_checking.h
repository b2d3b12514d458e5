/* Inside of formats/onnx: what the parts of the checker share. */
#ifndef FORMATS_ONNX_CHECKING_H
#define FORMATS_ONNX_CHECKING_H

#include "base/map.h"
#include "formats/onnx/onnx_check.h"

#define ONNX_CHECK_MAX_DEPTH 100u

/* Names that nodes of one graph or function see. */
typedef struct onnx_check_scope onnx_check_scope;
struct onnx_check_scope {
    const onnx_check_scope *outer; /* NULL: a main graph or function */
    base_map names;
};

/* What nodes are written in: the model, or a function. */
typedef struct onnx_check_body {
    const onnx_function *function; /* NULL: the model */
    base_map domains;              /* of its imports */
} onnx_check_body;

typedef struct onnx_checking {
    const ondol_allocator *allocator;
    const onnx_model_proto *model; /* NULL: a value outside of one */
    onnx_file *file;
    ondol_error *err;
    const onnx_check_body *body;
    base_map functions; /* key -> index */
    base_arena arena;
    unsigned depth; /* of graphs, sequences, maps */
} onnx_checking;

/* Two arguments for "%.*s": at most 100 bytes of s. */
#define ONNX_BRIEF(s) onnx_brief_bytes(s), onnx_brief_text(s)

static inline int onnx_brief_bytes(onnx_string s) {
    return s.size_bytes < 100 ? (int)s.size_bytes : 100;
}

static inline const char *onnx_brief_text(onnx_string s) {
    return s.text ? s.text : "";
}

/* ---- onnx_check_tensor.c ---- */

ondol_status onnx_checking_tensor(onnx_checking *c, const onnx_tensor *t);
ondol_status onnx_checking_sparse(onnx_checking *c, const onnx_sparse_tensor *t);

/* ---- onnx_check_graph.c ---- */

/* Adds a name; *found: it was there already. Errors: LIMIT (too long), MEMORY. */
ondol_status onnx_checking_name(onnx_checking *c, base_map *names, onnx_string name, uint32_t value,
                                bool *found);
bool onnx_checking_knows(const base_map *names, onnx_string name);

/* g's nodes see what is in `scope`, which is empty but for its outer, and is filled with g's names.
 * main: the rules of a model's own graph. */
ondol_status onnx_checking_graph(onnx_checking *c, const onnx_graph *g, onnx_check_scope *scope,
                                 bool main);
ondol_status onnx_checking_nodes(onnx_checking *c, const onnx_node_list *list,
                                 onnx_check_scope *scope);
ondol_status onnx_checking_attribute(onnx_checking *c, const onnx_attribute *a,
                                     const onnx_check_scope *scope);

/* ---- onnx_check_functions.c ---- */

/* *out lies in c->arena; the same for a function and the nodes that call it. */
ondol_status onnx_checking_key(onnx_checking *c, onnx_string domain, onnx_string name,
                               onnx_string overload, onnx_string *out);
/* NULL: the node calls no function of the model. Errors: MEMORY. */
ondol_status onnx_checking_callee(onnx_checking *c, const onnx_node *n, const onnx_function **out);
ondol_status onnx_checking_functions(onnx_checking *c);

/* ---- onnx_check.c ---- */

void onnx_checking_open(onnx_checking *c, const ondol_allocator *a, ondol_error *err);
void onnx_checking_close(onnx_checking *c);

/* Fills body->domains, which is initialised. */
ondol_status onnx_checking_imports(onnx_checking *c, const onnx_operator_set_list *list,
                                   onnx_check_body *body);

#endif
