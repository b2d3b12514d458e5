/* Attributes of an ONNX node. In: AttributeProto, or a reference to one of the call around. Out:
 * attributes of the graph, checked against the operator's row. */
#include <string.h>

#include "models/onnx_importer.h"

/* Letters of ops.def, by onnx_attribute_type. */
static const char letters[] = {0,   'f', 'i', 's', 't', 'g', 'F', 'I',
                               'S', 'X', 'G', 'p', 'Q', 'T', 'P'};
static const char *const type_names[] = {
    "undefined",      "float",      "int",        "string",  "tensor", "graph",
    "floats",         "ints",       "strings",    "tensors", "graphs", "sparse_tensor",
    "sparse_tensors", "type_proto", "type_protos"};

#define TYPE_COUNT (sizeof letters)

static bool same_text(onnx_string a, onnx_string b) {
    return a.size_bytes == b.size_bytes &&
           (a.size_bytes == 0 || memcmp(a.text, b.text, a.size_bytes) == 0);
}

ondol_status onnx_import_resolve(onnx_importer *im, const onnx_import_scope *s,
                                 const onnx_attribute *a, const onnx_attribute **out,
                                 const onnx_import_scope **scope) {
    *out = a;
    *scope = s;
    if (!a->ref_attr_name.size_bytes) return ONDOL_OK;
    if (!s->body->function) {
        return base_fail(im->err, ONDOL_E_FORMAT,
                         "attribute '%.*s' refers to '%.*s', but stands in no function",
                         onnx_shown(a->name), onnx_chars(a->name), onnx_shown(a->ref_attr_name),
                         onnx_chars(a->ref_attr_name));
    }
    *out = NULL;
    for (size_t i = 0; i < s->body->binding_count; i++) {
        const onnx_import_binding *b = s->body->bindings + i;
        if (!same_text(b->name, a->ref_attr_name)) continue;
        *out = b->attribute;
        *scope = b->scope;
    }
    return ONDOL_OK;
}

static ondol_status take_strings(onnx_importer *im, graph *g, const onnx_strings *from,
                                 graph_attribute *out) {
    tensor_string *list = base_arena_alloc(&g->arena, from->count ? from->count : 1, sizeof *list);
    if (!list) return base_no_memory(im->err, "attribute", from->count * sizeof *list);
    for (size_t i = 0; i < from->count; i++) {
        const onnx_string s = from->items[i];
        list[i].text = base_arena_strndup(&g->arena, s.text, s.size_bytes);
        list[i].size_bytes = s.size_bytes;
        if (!list[i].text) return base_no_memory(im->err, "attribute", s.size_bytes);
    }
    out->strings = list;
    return ONDOL_OK;
}

static ondol_status take_floats(onnx_importer *im, graph *g, const onnx_packed *from,
                                graph_attribute *out) {
    double *list = base_arena_alloc(&g->arena, from->count ? from->count : 1, sizeof *list);
    if (!list) return base_no_memory(im->err, "attribute", from->count * sizeof *list);
    for (size_t i = 0; i < from->count; i++)
        list[i] = (double)onnx_packed_float(from, i);
    out->floats = list;
    return ONDOL_OK;
}

static ondol_status take_tensors(onnx_importer *im, graph *g, const onnx_tensor *from, size_t count,
                                 graph_attribute *out) {
    graph_tensor *list = base_arena_alloc(&g->arena, count ? count : 1, sizeof *list);
    ondol_status status = ONDOL_OK;
    if (!list) return base_no_memory(im->err, "attribute", count * sizeof *list);
    for (size_t i = 0; i < count && status == ONDOL_OK; i++)
        status = onnx_import_tensor(im, g, from + i, list + i);
    out->tensors = list;
    return status;
}

static ondol_status take_graphs(onnx_importer *im, const onnx_import_scope *around, graph *g,
                                const onnx_graph *from, size_t count, graph_attribute *out) {
    graph **list = base_arena_alloc(&g->arena, count ? count : 1, sizeof *list);
    ondol_status status = ONDOL_OK;
    if (!list) return base_no_memory(im->err, "attribute", count * sizeof *list);
    for (size_t i = 0; i < count && status == ONDOL_OK; i++)
        status = onnx_import_subgraph(im, around, g, from + i, list + i);
    out->graphs = list;
    return status;
}

static ondol_status take_type(onnx_importer *im, graph *g, const onnx_type *from,
                              graph_attribute *out) {
    graph_type *type = base_arena_alloc(&g->arena, 1, sizeof *type);
    if (!type) return base_no_memory(im->err, "attribute", sizeof *type);
    out->type_value = type;
    return onnx_import_type(im, g, from, type);
}

static ondol_status take_sparse(onnx_importer *im, graph *g, const onnx_sparse_tensor *from,
                                graph_attribute *out) {
    graph_tensor *t = base_arena_alloc(&g->arena, 1, sizeof *t);
    if (!t) return base_no_memory(im->err, "attribute", sizeof *t);
    out->tensors = t;
    return onnx_import_sparse(im, g, from, t);
}

static ondol_status no_value(onnx_importer *im, const onnx_attribute *a) {
    return base_fail(im->err, ONDOL_E_FORMAT, "attribute '%.*s' has no value", onnx_shown(a->name),
                     onnx_chars(a->name));
}

/* The value of attribute a, whose subgraphs see `around`. */
static ondol_status take_value(onnx_importer *im, const onnx_import_scope *around, graph *g,
                               const onnx_attribute *a, int32_t type, graph_attribute *out) {
    switch (type) {
    case ONNX_ATTRIBUTE_FLOAT:
        out->type = GRAPH_ATTRIBUTE_FLOAT;
        out->f = (double)a->f;
        return ONDOL_OK;
    case ONNX_ATTRIBUTE_INT:
        out->type = GRAPH_ATTRIBUTE_INT;
        out->i = a->i;
        return ONDOL_OK;
    case ONNX_ATTRIBUTE_STRING:
        out->type = GRAPH_ATTRIBUTE_STRING;
        out->s = base_arena_strndup(&g->arena, a->s.text, a->s.size_bytes);
        out->s_bytes = a->s.size_bytes;
        return out->s ? ONDOL_OK : base_no_memory(im->err, "attribute", a->s.size_bytes);
    case ONNX_ATTRIBUTE_FLOATS:
        out->type = GRAPH_ATTRIBUTE_FLOATS;
        out->int_count = (uint32_t)a->floats.count;
        return take_floats(im, g, &a->floats, out);
    case ONNX_ATTRIBUTE_INTS:
        out->type = GRAPH_ATTRIBUTE_INTS;
        out->int_count = (uint32_t)a->ints.count;
        out->ints = a->ints.items;
        return ONDOL_OK;
    case ONNX_ATTRIBUTE_STRINGS:
        out->type = GRAPH_ATTRIBUTE_STRINGS;
        out->int_count = (uint32_t)a->strings.count;
        return take_strings(im, g, &a->strings, out);
    case ONNX_ATTRIBUTE_TENSOR:
        out->type = GRAPH_ATTRIBUTE_TENSOR;
        return a->t ? take_tensors(im, g, a->t, 1, out) : no_value(im, a);
    case ONNX_ATTRIBUTE_TENSORS:
        out->type = GRAPH_ATTRIBUTE_TENSORS;
        out->int_count = (uint32_t)a->tensors.count;
        return take_tensors(im, g, a->tensors.items, a->tensors.count, out);
    case ONNX_ATTRIBUTE_SPARSE_TENSOR:
        out->type = GRAPH_ATTRIBUTE_TENSOR;
        return a->sparse_tensor ? take_sparse(im, g, a->sparse_tensor, out) : no_value(im, a);
    case ONNX_ATTRIBUTE_GRAPH:
        out->type = GRAPH_ATTRIBUTE_GRAPH;
        return a->g ? take_graphs(im, around, g, a->g, 1, out) : no_value(im, a);
    case ONNX_ATTRIBUTE_GRAPHS:
        out->type = GRAPH_ATTRIBUTE_GRAPHS;
        out->int_count = (uint32_t)a->graphs.count;
        return take_graphs(im, around, g, a->graphs.items, a->graphs.count, out);
    case ONNX_ATTRIBUTE_TYPE_PROTO:
        out->type = GRAPH_ATTRIBUTE_TYPE;
        return a->tp ? take_type(im, g, a->tp, out) : no_value(im, a);
    default:
        return base_fail(im->err, ONDOL_E_UNSUPPORTED, "attribute '%.*s' is a list of %s",
                         onnx_shown(a->name), onnx_chars(a->name), type_names[type]);
    }
}

/* One attribute of a node; *taken is false for a reference to nothing. */
static ondol_status take_attribute(onnx_importer *im, onnx_import_scope *s,
                                   const onnx_attribute *from, const graph_op_info *row,
                                   graph_attribute *out, bool *taken) {
    const onnx_attribute *a = NULL;
    const onnx_import_scope *around = NULL;
    char letter = 0;
    *taken = false;
    *out = (graph_attribute){0};
    ondol_status status = onnx_import_text(im, s->g, "", from->name, &out->name);
    if (status != ONDOL_OK) return status;
    if (!graph_op_attribute(row, out->name, &letter)) {
        return base_fail(im->err, ONDOL_E_FORMAT,
                         "version %u of the operator has no attribute '%s'", row->since_version,
                         out->name);
    }
    status = onnx_import_resolve(im, s, from, &a, &around);
    if (status != ONDOL_OK || !a) return status;
    int32_t type = onnx_attribute_type_of(a);
    if (type < 0 || type >= (int32_t)TYPE_COUNT) type = ONNX_ATTRIBUTE_UNDEFINED;
    if (letters[type] != letter) {
        const char *expected = "";
        for (size_t i = 1; i < TYPE_COUNT; i++)
            if (letters[i] == letter) expected = type_names[i];
        return base_fail(im->err, ONDOL_E_FORMAT, "attribute '%s' is of type %s, expected %s",
                         out->name, type_names[type], expected);
    }
    *taken = true;
    return take_value(im, around, s->g, a, type, out);
}

/* Every attribute that the row requires is there. */
static ondol_status check_required(onnx_importer *im, const graph_op_info *row,
                                   const graph_attribute *list, uint32_t count) {
    const char *items = row->attributes, *item = NULL;
    while ((item = graph_list_next(&items)) != NULL) {
        const size_t name = strcspn(item, ":");
        bool present = item[name + 2] != 0;
        for (uint32_t i = 0; i < count && !present; i++)
            present = strlen(list[i].name) == name && memcmp(list[i].name, item, name) == 0;
        if (!present) {
            return base_fail(im->err, ONDOL_E_FORMAT, "attribute '%.*s' is missing", (int)name,
                             item);
        }
    }
    return ONDOL_OK;
}

ondol_status onnx_import_attributes(onnx_importer *im, onnx_import_scope *s, const onnx_node *node,
                                    const graph_op_info *row, graph_attribute **out,
                                    uint32_t *count) {
    const size_t n = node->attribute.count;
    *count = 0;
    if (n > UINT32_MAX) return base_fail(im->err, ONDOL_E_LIMIT, "%zu attributes", n);
    *out = base_arena_alloc(&s->g->arena, n ? n : 1, sizeof **out);
    if (!*out) return base_no_memory(im->err, "attributes", n * sizeof **out);
    for (size_t i = 0; i < n; i++) {
        bool taken = false;
        graph_attribute *a = *out + *count;
        ondol_status status = take_attribute(im, s, node->attribute.items + i, row, a, &taken);
        if (status != ONDOL_OK) return status;
        for (uint32_t k = 0; k < *count && taken; k++) {
            if (strcmp((*out)[k].name, a->name) == 0) {
                return base_fail(im->err, ONDOL_E_FORMAT, "attribute '%s' is there twice", a->name);
            }
        }
        if (taken) ++*count;
    }
    return check_required(im, row, *out, *count);
}
