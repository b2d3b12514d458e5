/* A whole ONNX model. In: an open file. Out: its graph. */
#include "models/onnx_import.h"

#include <string.h>

#include "models/onnx_importer.h"
#include "models/onnx_upgrade.h"

ondol_status onnx_import_infer(graph *g, graph_node_id n, ondol_error *err) {
    return graph_infer_node(g, n, err);
}

static bool is_initializer(const base_map *names, onnx_string name) {
    uint32_t index = 0;
    return base_map_get(names, name.text, name.size_bytes, &index);
}

static ondol_status add_input(onnx_importer *im, onnx_import_scope *s,
                              const onnx_value_info *info) {
    graph_type type;
    const char *name = NULL;
    graph_value_id v = GRAPH_NONE;
    ondol_status status = ONDOL_OK;
    TRY(onnx_import_text(im, s->g, "", info->name, &name));
    TRY(onnx_import_type(im, s->g, info->type, &type));
    TRY(graph_add_input(s->g, name, type.element, type.shape, &v, im->err));
    s->g->values[v].type_kind = type.kind;
    s->g->values[v].item = type.item;
    TRY(onnx_scope_define(im, s, info->name, v));
done:
    return base_prefix(im->err, status, "input '%.*s'", onnx_shown(info->name),
                       onnx_chars(info->name));
}

/* Before IR version 4 every initializer had to be an input as well; it was constant all the same.
 */
static ondol_status add_inputs(onnx_importer *im, onnx_import_scope *s, const onnx_graph *from,
                               const base_map *initializers) {
    const bool doubled = im->model->ir_version < 4;
    for (size_t i = 0; i < from->input.count; i++) {
        const onnx_value_info *info = from->input.items + i;
        if (doubled && is_initializer(initializers, info->name)) continue;
        ondol_status status = add_input(im, s, info);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

/* Whether a value of the declared shape, as far as that is known, may have the given one. */
static bool may_have(const graph_shape *declared, const graph_shape *given) {
    if (declared->rank == GRAPH_RANK_UNKNOWN) return true;
    if (declared->rank != given->rank) return false;
    for (uint32_t i = 0; i < given->rank; i++)
        if (declared->dims[i] >= 0 && declared->dims[i] != given->dims[i]) return false;
    return true;
}

/* The initializer's data on the input of that name, as its default. */
static ondol_status set_default(onnx_importer *im, graph *g, graph_value_id input,
                                const graph_tensor *t) {
    graph_value *v = g->values + input;
    if (v->initial) return base_fail(im->err, ONDOL_E_FORMAT, "there are two of this name");
    if (v->type_kind != GRAPH_TYPE_TENSOR ||
        (v->element != TENSOR_ELEMENT_UNDEFINED && v->element != t->element)) {
        return base_fail(im->err, ONDOL_E_FORMAT, "it is of another type than the input '%s'",
                         v->name);
    }
    if (!may_have(&v->shape, &t->shape)) {
        return base_fail(im->err, ONDOL_E_FORMAT, "it is of another shape than the input '%s'",
                         v->name);
    }
    graph_tensor *copy = base_arena_alloc(&g->arena, 1, sizeof *copy);
    if (!copy) return base_no_memory(im->err, "graph", sizeof *copy);
    *copy = *t;
    v->element = t->element;
    v->initial = copy;
    return ONDOL_OK;
}

static ondol_status add_initializer(onnx_importer *im, onnx_import_scope *s, onnx_string name,
                                    const graph_tensor *t) {
    graph_value_id v = GRAPH_NONE;
    const char *text = NULL;
    uint32_t old = GRAPH_NONE;
    if (base_map_get(&s->names, name.text, name.size_bytes, &old) && old != GRAPH_NONE &&
        s->g->values[old].kind == GRAPH_VALUE_INPUT) {
        return set_default(im, s->g, old, t);
    }
    ondol_status status = ONDOL_OK;
    TRY(onnx_import_text(im, s->g, "", name, &text));
    TRY(graph_add_borrowed(s->g, text, t, &v, im->err));
    TRY(onnx_scope_define(im, s, name, v));
done:
    return status;
}

static ondol_status add_initializers(onnx_importer *im, onnx_import_scope *s,
                                     const onnx_graph *from) {
    graph_tensor t;
    onnx_string name = {"", 0};
    ondol_status status = ONDOL_OK;
    for (size_t i = 0; i < from->initializer.count; i++) {
        name = from->initializer.items[i].name;
        TRY(onnx_import_tensor(im, s->g, from->initializer.items + i, &t));
        TRY(add_initializer(im, s, name, &t));
    }
    for (size_t i = 0; i < from->sparse_initializer.count; i++) {
        const onnx_sparse_tensor *sparse = from->sparse_initializer.items + i;
        if (sparse->values) name = sparse->values->name;
        TRY(onnx_import_sparse(im, s->g, sparse, &t));
        TRY(add_initializer(im, s, name, &t));
    }
done:
    return base_prefix(im->err, status, "initializer '%.*s'", onnx_shown(name), onnx_chars(name));
}

static ondol_status index_initializers(onnx_importer *im, const onnx_graph *from, base_map *out) {
    bool fits = true;
    for (size_t i = 0; i < from->initializer.count && fits; i++) {
        const onnx_string name = from->initializer.items[i].name;
        fits = base_map_put(out, name.text, name.size_bytes, 0);
    }
    for (size_t i = 0; i < from->sparse_initializer.count && fits; i++) {
        const onnx_tensor *values = from->sparse_initializer.items[i].values;
        if (values) fits = base_map_put(out, values->name.text, values->name.size_bytes, 0);
    }
    return fits ? ONDOL_OK : base_no_memory(im->err, "names", from->initializer.count);
}

static ondol_status add_output(onnx_importer *im, onnx_import_scope *s,
                               const onnx_value_info *info) {
    graph_value_id v = GRAPH_NONE;
    const char *name = NULL;
    ondol_status status = ONDOL_OK;
    TRY(onnx_import_text(im, s->g, "", info->name, &name));
    TRY(onnx_scope_find(im, s, info->name, &v));
    if (v == GRAPH_NONE) {
        TRY(base_fail(im->err, ONDOL_E_FORMAT,
                      "it is an argument that a function's call leaves out"));
    }
    if (info->type && s->g->values[v].kind == GRAPH_VALUE_INTERMEDIATE) {
        TRY(onnx_import_refine(im, s->g, v, info->type));
    }
    TRY(graph_add_output(s->g, name, v, im->err));
done:
    return base_prefix(im->err, status, "output '%.*s'", onnx_shown(info->name),
                       onnx_chars(info->name));
}

/* Fills g, whose names lie in scope s (to be opened here). */
static ondol_status fill_graph(onnx_importer *im, onnx_import_scope *s, const onnx_graph *from) {
    ondol_status status = ONDOL_OK;
    base_map initializers;
    base_map_init(&initializers, im->allocator);
    TRY(onnx_scope_open(im, s, &from->value_info));
    TRY(index_initializers(im, from, &initializers));
    TRY(add_inputs(im, s, from, &initializers));
    TRY(add_initializers(im, s, from));
    TRY(onnx_import_nodes(im, s, &from->node));
    for (size_t i = 0; i < from->output.count; i++)
        TRY(add_output(im, s, from->output.items + i));
done:
    onnx_scope_close(s);
    base_map_destroy(&initializers);
    return status;
}

ondol_status onnx_import_subgraph(onnx_importer *im, const onnx_import_scope *around, graph *g,
                                  const onnx_graph *from, graph **out) {
    const char *name = NULL;
    onnx_import_scope s = {.outer = around, .body = around->body};
    ondol_status status = onnx_import_text(im, g, "", from->name, &name);
    if (status != ONDOL_OK) return status;
    status = graph_create_subgraph(g, name, out, im->err);
    if (status != ONDOL_OK) return status;
    s.g = *out;
    return fill_graph(im, &s, from);
}

ondol_status models_graph_from_onnx(const ondol_allocator *a, onnx_file *file, graph **out,
                                    ondol_error *err) {
    onnx_importer im = {.allocator = a,
                        .file = file,
                        .model = onnx_file_model(file),
                        .nodes_left = ONNX_IMPORT_MAX_NODES,
                        .err = err};
    onnx_import_body body = {.opsets = &im.model->opset_import, .prefix = ""};
    onnx_import_scope s = {.body = &body};
    ondol_status status = ONDOL_OK;
    const char *name = "";
    *out = NULL;
    base_map_init(&im.functions, a);
    if (!im.model->graph) return base_fail(err, ONDOL_E_FORMAT, "the model has no graph");
    TRY(graph_create(a, "", &im.root, err));
    TRY(onnx_import_text(&im, im.root, "", im.model->graph->name, &name));
    im.root->name = name;
    TRY(onnx_import_index_functions(&im));
    s.g = im.root;
    TRY(fill_graph(&im, &s, im.model->graph));
    TRY(graph_verify(im.root, err));
    *out = im.root;
    im.root = NULL;
done:
    base_map_destroy(&im.functions);
    graph_destroy(im.root);
    return status;
}
