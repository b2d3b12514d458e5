/* Rules on graphs. In: a GraphProto, or the nodes of a function. Out: the first rule broken. */
#include <inttypes.h>

#include "formats/onnx/onnx_checking.h"

/* ---- names ---- */

ondol_status onnx_checking_name(onnx_checking *c, base_map *names, onnx_string name, uint32_t value,
                                bool *found) {
    if (name.size_bytes > ONNX_MAX_NAME_BYTES) {
        return base_fail(c->err, ONDOL_E_LIMIT, "a name of %zu bytes, expected at most %u",
                         name.size_bytes, ONNX_MAX_NAME_BYTES);
    }
    if (base_map_add(names, onnx_brief_text(name), name.size_bytes, value, found, NULL)) {
        return ONDOL_OK;
    }
    return base_no_memory(c->err, "names of an ONNX model", name.size_bytes);
}

bool onnx_checking_knows(const base_map *names, onnx_string name) {
    uint32_t value = 0;
    return base_map_get(names, onnx_brief_text(name), name.size_bytes, &value);
}

static bool scope_knows(const onnx_check_scope *scope, onnx_string name) {
    for (; scope; scope = scope->outer)
        if (onnx_checking_knows(&scope->names, name)) return true;
    return false;
}

/* ---- attributes ---- */

/* What there is of each kind of value. */
static unsigned count_values(const onnx_attribute *a) {
    const bool there[] = {onnx_has(&a->head, ONNX_HAS_attribute_f),
                          onnx_has(&a->head, ONNX_HAS_attribute_i),
                          onnx_has(&a->head, ONNX_HAS_attribute_s),
                          a->t != NULL,
                          a->g != NULL,
                          a->sparse_tensor != NULL,
                          a->tp != NULL,
                          a->floats.count > 0,
                          a->ints.count > 0,
                          a->strings.count > 0,
                          a->tensors.count > 0,
                          a->graphs.count > 0,
                          a->sparse_tensors.count > 0,
                          a->type_protos.count > 0};
    unsigned count = 0;
    for (size_t i = 0; i < sizeof there / sizeof *there; i++)
        count += there[i];
    return count;
}

static bool needs_value(int32_t type) {
    return type == ONNX_ATTRIBUTE_TENSOR || type == ONNX_ATTRIBUTE_GRAPH ||
           type == ONNX_ATTRIBUTE_SPARSE_TENSOR || type == ONNX_ATTRIBUTE_TYPE_PROTO;
}

/* Type and value are there, once, and agree. */
static ondol_status check_kind(onnx_checking *c, const onnx_attribute *a) {
    const unsigned values = count_values(a);
    const bool typed = onnx_has(&a->head, ONNX_HAS_attribute_type);
    const bool refers = onnx_has(&a->head, ONNX_HAS_attribute_ref_attr_name);
    onnx_attribute untyped = *a;
    untyped.type = ONNX_ATTRIBUTE_UNDEFINED;
    const int32_t held = onnx_attribute_type_of(&untyped);
    const char *fault = NULL;
    if (!typed && (!c->model || c->model->ir_version >= 2)) fault = "it has no type";
    if (values > 1) fault = "it has more than one value";
    if (values == 1 && typed && held != a->type) fault = "its type is not that of its value";
    if (a->type < 0 || a->type > ONNX_ATTRIBUTE_TYPE_PROTOS) fault = "its type is not known";
    if (refers && values) fault = "it has a value and refers to a function's attribute";
    if (refers && !c->body->function) fault = "it refers to a function's attribute outside of one";
    if (!refers && !values && needs_value(a->type)) fault = "it has no value";
    if (!fault) return ONDOL_OK;
    return base_fail(c->err, ONDOL_E_FORMAT, "%s", fault);
}

static ondol_status check_subgraph(onnx_checking *c, const onnx_graph *g,
                                   const onnx_check_scope *outer) {
    onnx_check_scope scope = {.outer = outer};
    base_map_init(&scope.names, c->allocator);
    ondol_status status = onnx_checking_graph(c, g, &scope, false);
    base_map_destroy(&scope.names);
    return status;
}

static ondol_status check_value(onnx_checking *c, const onnx_attribute *a,
                                const onnx_check_scope *scope) {
    ondol_status status = ONDOL_OK;
    TRY(check_kind(c, a));
    if (a->t) TRY(onnx_checking_tensor(c, a->t));
    if (a->sparse_tensor) TRY(onnx_checking_sparse(c, a->sparse_tensor));
    if (a->g) TRY(check_subgraph(c, a->g, scope));
    for (size_t i = 0; i < a->tensors.count; i++)
        TRY(onnx_checking_tensor(c, a->tensors.items + i));
    for (size_t i = 0; i < a->sparse_tensors.count; i++)
        TRY(onnx_checking_sparse(c, a->sparse_tensors.items + i));
    for (size_t i = 0; i < a->graphs.count; i++)
        TRY(check_subgraph(c, a->graphs.items + i, scope));
done:
    return status;
}

ondol_status onnx_checking_attribute(onnx_checking *c, const onnx_attribute *a,
                                     const onnx_check_scope *scope) {
    if (a->name.size_bytes == 0) {
        return base_fail(c->err, ONDOL_E_FORMAT, "an attribute has no name");
    }
    ondol_status status = check_value(c, a, scope);
    return base_prefix(c->err, status, "attribute '%.*s'", ONNX_BRIEF(a->name));
}

/* ---- nodes ---- */

static ondol_status check_attributes(onnx_checking *c, const onnx_node *n,
                                     const onnx_check_scope *scope) {
    ondol_status status = ONDOL_OK;
    base_map names;
    base_map_init(&names, c->allocator);
    for (size_t i = 0; i < n->attribute.count; i++) {
        const onnx_attribute *a = n->attribute.items + i;
        bool found = false;
        TRY(onnx_checking_name(c, &names, a->name, 0, &found));
        if (found) {
            TRY(base_fail(c->err, ONDOL_E_FORMAT, "attribute '%.*s' is there twice",
                          ONNX_BRIEF(a->name)));
        }
        TRY(onnx_checking_attribute(c, a, scope));
    }
done:
    base_map_destroy(&names);
    return status;
}

/* The operator set of the node is imported: "" also by the name of "ai.onnx", but not in functions,
 * as onnx.checker has it. */
static ondol_status check_domain(onnx_checking *c, const onnx_node *n) {
    static const onnx_string alias = {"ai.onnx", 7};
    if (onnx_checking_knows(&c->body->domains, n->domain)) return ONDOL_OK;
    if (n->domain.size_bytes == 0 && !c->body->function &&
        onnx_checking_knows(&c->body->domains, alias)) {
        return ONDOL_OK;
    }
    return base_fail(c->err, ONDOL_E_FORMAT, "no operator set of domain '%.*s' is imported",
                     ONNX_BRIEF(n->domain));
}

static ondol_status check_call(onnx_checking *c, const onnx_node *n) {
    const onnx_function *f = NULL;
    ondol_status status = onnx_checking_callee(c, n, &f);
    if (status != ONDOL_OK || !f) return status;
    if (n->input.count <= f->input.count && n->output.count <= f->output.count) return ONDOL_OK;
    return base_fail(c->err, ONDOL_E_FORMAT,
                     "%zu inputs and %zu outputs, but the function has %zu and %zu", n->input.count,
                     n->output.count, f->input.count, f->output.count);
}

static ondol_status check_node(onnx_checking *c, const onnx_node *n,
                               const onnx_check_scope *scope) {
    ondol_status status = ONDOL_OK;
    if (n->op_type.size_bytes == 0) {
        return base_fail(c->err, ONDOL_E_FORMAT, "it has no operator");
    }
    if (n->input.count + n->output.count == 0) {
        return base_fail(c->err, ONDOL_E_FORMAT, "it has neither inputs nor outputs");
    }
    for (size_t i = 0; i < n->input.count; i++) {
        const onnx_string name = n->input.items[i];
        if (name.size_bytes == 0 || scope_knows(scope, name)) continue;
        return base_fail(c->err, ONDOL_E_FORMAT,
                         "input '%.*s' is no value: neither an input, an initializer nor an output "
                         "of a node before it",
                         ONNX_BRIEF(name));
    }
    TRY(check_domain(c, n));
    TRY(check_attributes(c, n, scope));
    TRY(check_call(c, n));
done:
    return status;
}

/* Each name is given a value once, here and around. */
static ondol_status define_outputs(onnx_checking *c, const onnx_node *n, onnx_check_scope *scope) {
    for (size_t i = 0; i < n->output.count; i++) {
        const onnx_string name = n->output.items[i];
        bool found = false;
        if (name.size_bytes == 0) continue;
        if (scope_knows(scope, name)) {
            return base_fail(c->err, ONDOL_E_FORMAT,
                             "output '%.*s' is a value already, and each may be given once",
                             ONNX_BRIEF(name));
        }
        ondol_status status = onnx_checking_name(c, &scope->names, name, 0, &found);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

ondol_status onnx_checking_nodes(onnx_checking *c, const onnx_node_list *list,
                                 onnx_check_scope *scope) {
    for (size_t i = 0; i < list->count; i++) {
        const onnx_node *n = list->items + i;
        ondol_status status = check_node(c, n, scope);
        if (status == ONDOL_OK) status = define_outputs(c, n, scope);
        if (status == ONDOL_OK) continue;
        return base_prefix(c->err, status, "node %zu '%.*s' (%.*s)", i, ONNX_BRIEF(n->name),
                           ONNX_BRIEF(n->op_type));
    }
    return ONDOL_OK;
}

/* ---- inputs, outputs ---- */

static int count_kinds(const onnx_type *t) {
    return (t->tensor_type != NULL) + (t->sequence_type != NULL) + (t->map_type != NULL) +
           (t->optional_type != NULL) + (t->sparse_tensor_type != NULL) + (t->opaque_type != NULL);
}

/* What a type of a main graph's input or output lacks; NULL: nothing. */
static const char *fault_of_type(const onnx_type *t) {
    if (!t) return "it has no type";
    if (count_kinds(t) != 1) return "its type is none, or more than one";
    const onnx_tensor_type *tensor = t->tensor_type ? t->tensor_type : t->sparse_tensor_type;
    if (tensor) {
        if (!onnx_has(&tensor->head, ONNX_HAS_tensor_type_elem_type)) return "it has no elem_type";
        if (tensor->elem_type != TENSOR_ELEMENT_UNDEFINED &&
            !tensor_element_valid(tensor->elem_type)) {
            return "its elem_type is not known";
        }
        return tensor->shape ? NULL : "it has no shape";
    }
    if (t->sequence_type) return t->sequence_type->elem_type ? NULL : "it has no elem_type";
    if (t->optional_type) return t->optional_type->elem_type ? NULL : "it has no elem_type";
    if (t->opaque_type) return t->opaque_type->name.size_bytes ? NULL : "its type has no name";
    if (!onnx_has(&t->map_type->head, ONNX_HAS_map_type_key_type)) return "it has no key_type";
    return t->map_type->value_type ? NULL : "it has no value_type";
}

static ondol_status check_infos(onnx_checking *c, const onnx_value_info_list *list,
                                const char *what, bool main) {
    for (size_t i = 0; i < list->count; i++) {
        const onnx_value_info *v = list->items + i;
        if (v->name.size_bytes == 0) {
            return base_fail(c->err, ONDOL_E_FORMAT, "%s %zu has no name", what, i);
        }
        const char *fault = main ? fault_of_type(v->type) : NULL;
        if (!fault) continue;
        return base_fail(c->err, ONDOL_E_FORMAT, "%s '%.*s': %s", what, ONNX_BRIEF(v->name), fault);
    }
    return ONDOL_OK;
}

static ondol_status define_inputs(onnx_checking *c, const onnx_graph *g, onnx_check_scope *scope) {
    for (size_t i = 0; i < g->input.count; i++) {
        bool found = false;
        ondol_status status =
            onnx_checking_name(c, &scope->names, g->input.items[i].name, 0, &found);
        if (status != ONDOL_OK) return status;
        if (!found) continue;
        return base_fail(c->err, ONDOL_E_FORMAT, "input '%.*s' is there twice",
                         ONNX_BRIEF(g->input.items[i].name));
    }
    return ONDOL_OK;
}

/* ---- initializers ---- */

static ondol_status define_initializer(onnx_checking *c, onnx_string name, bool dense,
                                       base_map *seen, onnx_check_scope *scope) {
    bool found = false;
    if (name.size_bytes == 0) {
        return base_fail(c->err, ONDOL_E_FORMAT, "an initializer has no name");
    }
    ondol_status status = onnx_checking_name(c, seen, name, 0, &found);
    if (status == ONDOL_OK && found) {
        status = base_fail(c->err, ONDOL_E_FORMAT, "initializer '%.*s' is there twice",
                           ONNX_BRIEF(name));
    }
    if (status != ONDOL_OK) return status;
    if (dense && c->model->ir_version <= 3) {
        if (onnx_checking_knows(&scope->names, name)) return ONDOL_OK;
        return base_fail(c->err, ONDOL_E_FORMAT,
                         "initializer '%.*s' is no input of the graph, as it has to be before IR "
                         "version 4",
                         ONNX_BRIEF(name));
    }
    return onnx_checking_name(c, &scope->names, name, 0, &found);
}

static ondol_status check_initializers(onnx_checking *c, const onnx_graph *g,
                                       onnx_check_scope *scope) {
    static const onnx_string none = {"", 0};
    ondol_status status = ONDOL_OK;
    base_map seen;
    base_map_init(&seen, c->allocator);
    for (size_t i = 0; i < g->initializer.count; i++) {
        const onnx_tensor *t = g->initializer.items + i;
        TRY(define_initializer(c, t->name, true, &seen, scope));
        TRY(onnx_checking_tensor(c, t));
    }
    for (size_t i = 0; i < g->sparse_initializer.count; i++) {
        const onnx_sparse_tensor *t = g->sparse_initializer.items + i;
        TRY(define_initializer(c, t->values ? t->values->name : none, false, &seen, scope));
        TRY(onnx_checking_sparse(c, t));
    }
done:
    base_map_destroy(&seen);
    return status;
}

/* ---- the graph ---- */

static ondol_status check_outputs(onnx_checking *c, const onnx_graph *g,
                                  const onnx_check_scope *scope) {
    for (size_t i = 0; i < g->output.count; i++) {
        const onnx_string name = g->output.items[i].name;
        if (onnx_checking_knows(&scope->names, name)) continue;
        return base_fail(c->err, ONDOL_E_FORMAT, "output '%.*s' is no value of the graph",
                         ONNX_BRIEF(name));
    }
    return ONDOL_OK;
}

static ondol_status check_parts(onnx_checking *c, const onnx_graph *g, onnx_check_scope *scope,
                                bool main) {
    ondol_status status = ONDOL_OK;
    if (g->name.size_bytes == 0) {
        return base_fail(c->err, ONDOL_E_FORMAT, "the graph has no name");
    }
    TRY(check_infos(c, &g->input, "input", main));
    TRY(check_infos(c, &g->output, "output", main));
    TRY(define_inputs(c, g, scope));
    TRY(check_initializers(c, g, scope));
    TRY(onnx_checking_nodes(c, &g->node, scope));
    TRY(check_outputs(c, g, scope));
done:
    return status;
}

/* As deep as ONNX_CHECK_MAX_DEPTH. */
ondol_status onnx_checking_graph(onnx_checking *c, const onnx_graph *g, onnx_check_scope *scope,
                                 bool main) {
    if (c->depth == ONNX_CHECK_MAX_DEPTH) {
        return base_fail(c->err, ONDOL_E_LIMIT, "graphs nest deeper than %u", ONNX_CHECK_MAX_DEPTH);
    }
    c->depth++;
    ondol_status status = check_parts(c, g, scope, main);
    c->depth--;
    return base_prefix(c->err, status, "graph '%.*s'", ONNX_BRIEF(g->name));
}
