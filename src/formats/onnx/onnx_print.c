/* Text of ONNX models: the model, its graphs, functions, nodes. In: the structures. Out: text. */
#include "formats/onnx/onnx_print.h"

#include <inttypes.h>
#include <string.h>

#include "formats/onnx/onnx_printing.h"

#define FIRST_INDENT 3u
#define MORE_INDENT  3u

static void print_graph(onnx_printing *p, const onnx_graph *g, bool within);

static void print_spaces(onnx_printing *p, unsigned n) {
    base_buffer_append_format(p->out, "%*s", (int)n, "");
}

/* ---- lists of names and values ---- */

static void print_ids(onnx_printing *p, const onnx_strings *ids) {
    for (size_t i = 0; i < ids->count; i++) {
        if (i) onnx_printing_text(p, ", ");
        onnx_printing_id(p, ids->items[i]);
    }
}

static void print_value_info(onnx_printing *p, const onnx_value_info *v) {
    const size_t before = p->out->size;
    onnx_printing_type(p, v->type);
    const bool bare = p->out->size == before;
    onnx_printing_text(p, " ");
    if (bare && onnx_printing_is_type_word(v->name)) {
        onnx_printing_quoted(p, v->name);
    } else {
        onnx_printing_id(p, v->name);
    }
}

static void print_value_infos(onnx_printing *p, const onnx_value_info_list *list) {
    onnx_printing_text(p, "(");
    for (size_t i = 0; i < list->count; i++) {
        if (i) onnx_printing_text(p, ", ");
        print_value_info(p, list->items + i);
    }
    onnx_printing_text(p, ")");
}

static void print_opsets(onnx_printing *p, const onnx_operator_set_list *list,
                         const char *separator) {
    onnx_printing_text(p, "[");
    for (size_t i = 0; i < list->count; i++) {
        if (i) onnx_printing_text(p, separator);
        onnx_printing_quoted(p, list->items[i].domain);
        base_buffer_append_format(p->out, " : %" PRId64, list->items[i].version);
    }
    onnx_printing_text(p, "]");
}

/* ---- attributes and nodes ---- */

static const char *const ATTRIBUTE_NAMES[] = {
    "undefined",      "float",      "int",        "string",  "tensor", "graph",
    "floats",         "ints",       "strings",    "tensors", "graphs", "sparse_tensor",
    "sparse_tensors", "type_proto", "type_protos"};

static const char *attribute_type_name(int32_t type) {
    const bool known = type >= 0 && type <= ONNX_ATTRIBUTE_TYPE_PROTOS;
    return ATTRIBUTE_NAMES[known ? type : ONNX_ATTRIBUTE_UNDEFINED];
}

static void print_attribute(onnx_printing *p, const onnx_attribute *a) {
    const int32_t type = onnx_attribute_type_of(a);
    onnx_printing_bytes(p, a->name);
    onnx_printing_text(p, ": ");
    onnx_printing_text(p, attribute_type_name(type));
    onnx_printing_text(p, " = ");
    if (onnx_has(&a->head, ONNX_HAS_attribute_ref_attr_name)) {
        onnx_printing_text(p, "@");
        onnx_printing_bytes(p, a->ref_attr_name);
        return;
    }
    p->indent += MORE_INDENT;
    if (type == ONNX_ATTRIBUTE_GRAPH) {
        if (a->g) print_graph(p, a->g, true);
    } else if (type == ONNX_ATTRIBUTE_GRAPHS) {
        onnx_printing_text(p, "[");
        for (size_t i = 0; i < a->graphs.count; i++) {
            if (i) onnx_printing_text(p, ", ");
            print_graph(p, a->graphs.items + i, true);
        }
        onnx_printing_text(p, "]");
    } else {
        onnx_printing_value(p, a, type);
    }
    p->indent -= MORE_INDENT;
}

static void print_attributes(onnx_printing *p, const onnx_attribute_list *list) {
    if (list->count == 0) return;
    onnx_printing_text(p, " <");
    for (size_t i = 0; i < list->count; i++) {
        if (i) onnx_printing_text(p, ", ");
        print_attribute(p, list->items + i);
    }
    onnx_printing_text(p, ">");
}

/* Attributes stand before the inputs, or behind them where there is a subgraph. */
static void print_node(onnx_printing *p, const onnx_node *n) {
    bool subgraph = false;
    for (size_t i = 0; i < n->attribute.count; i++)
        subgraph = subgraph || n->attribute.items[i].g || n->attribute.items[i].graphs.count;
    print_spaces(p, p->indent);
    if (onnx_has(&n->head, ONNX_HAS_node_name)) {
        onnx_printing_text(p, "[");
        onnx_printing_id(p, n->name);
        onnx_printing_text(p, "] ");
    }
    print_ids(p, &n->output);
    onnx_printing_text(p, " = ");
    if (n->domain.size_bytes) {
        onnx_printing_bytes(p, n->domain);
        onnx_printing_text(p, ".");
    }
    onnx_printing_bytes(p, n->op_type);
    if (n->overload.size_bytes) {
        onnx_printing_text(p, ":");
        onnx_printing_bytes(p, n->overload);
    }
    if (!subgraph) print_attributes(p, &n->attribute);
    onnx_printing_text(p, " (");
    print_ids(p, &n->input);
    onnx_printing_text(p, ")");
    if (subgraph) print_attributes(p, &n->attribute);
    onnx_printing_text(p, "\n");
}

static void print_nodes(onnx_printing *p, const onnx_node_list *list) {
    onnx_printing_text(p, "{\n");
    for (size_t i = 0; i < list->count && !p->out->fault; i++)
        print_node(p, list->items + i);
    print_spaces(p, p->indent - MORE_INDENT);
    onnx_printing_text(p, "}");
}

/* ---- graphs ---- */

/* Within an attribute the syntax has no quotes around a graph's name. */
static void print_name_within(onnx_printing *p, onnx_string name) {
    if (onnx_printing_is_identifier(name) && !onnx_printing_is_type_word(name)) {
        onnx_printing_bytes(p, name);
        return;
    }
    onnx_printing_text(p, "_");
    for (size_t i = 0; i < name.size_bytes; i++) {
        const onnx_string c = {name.text + i, 1};
        const bool digit = name.text[i] >= '0' && name.text[i] <= '9';
        const onnx_string shown =
            digit || onnx_printing_is_identifier(c) ? c : (onnx_string){"_", 1};
        onnx_printing_bytes(p, shown);
    }
}

static void print_comment(onnx_printing *p, size_t count, const char *what) {
    if (!count) return;
    base_buffer_append_format(p->out, "\n%*s# not shown: %zu %s\n", (int)p->indent, "", count,
                              what);
}

/* As deep as ONNX_PRINT_MAX_DEPTH. */
static void print_graph(onnx_printing *p, const onnx_graph *g, bool within) {
    if (++p->depth > ONNX_PRINT_MAX_DEPTH) {
        p->too_deep = true;
        p->depth--;
        return;
    }
    if (within) {
        print_name_within(p, g->name);
    } else {
        onnx_printing_id(p, g->name);
    }
    onnx_printing_text(p, " ");
    print_value_infos(p, &g->input);
    onnx_printing_text(p, " => ");
    print_value_infos(p, &g->output);
    onnx_printing_text(p, " ");
    if (g->initializer.count || g->value_info.count) {
        onnx_printing_text(p, "\n");
        print_spaces(p, p->indent);
        onnx_printing_text(p, "<");
        for (size_t i = 0; i < g->initializer.count && !p->out->fault; i++) {
            if (i) onnx_printing_text(p, ", ");
            onnx_printing_tensor(p, g->initializer.items + i, true);
        }
        for (size_t i = 0; i < g->value_info.count && !p->out->fault; i++) {
            if (i || g->initializer.count) onnx_printing_text(p, ", ");
            print_value_info(p, g->value_info.items + i);
        }
        onnx_printing_text(p, ">\n");
    }
    print_comment(p, g->sparse_initializer.count, "sparse initializers");
    print_comment(p, g->quantization_annotation.count, "quantization annotations");
    print_nodes(p, &g->node);
    p->depth--;
}

/* ---- functions ---- */

/* A key of the header, with its value quoted. */
static void print_key(onnx_printing *p, unsigned indent, const char *key, onnx_string value) {
    print_spaces(p, indent);
    onnx_printing_text(p, key);
    onnx_printing_text(p, ": ");
    onnx_printing_quoted(p, value);
}

static void print_function_attributes(onnx_printing *p, const onnx_function *f) {
    if (f->attribute.count + f->attribute_proto.count == 0) return;
    onnx_printing_text(p, "<");
    for (size_t i = 0; i < f->attribute.count; i++) {
        if (i) onnx_printing_text(p, ",");
        onnx_printing_bytes(p, f->attribute.items[i]);
    }
    for (size_t i = 0; i < f->attribute_proto.count; i++) {
        if (i || f->attribute.count) onnx_printing_text(p, ",");
        print_attribute(p, f->attribute_proto.items + i);
    }
    onnx_printing_text(p, ">");
}

static void print_function(onnx_printing *p, const onnx_function *f) {
    onnx_printing_text(p, "<\n");
    print_key(p, 2, "domain", f->domain);
    if (f->overload.size_bytes) {
        onnx_printing_text(p, ",\n");
        print_key(p, 2, "overload", f->overload);
    }
    if (f->doc_string.size_bytes) {
        onnx_printing_text(p, ",\n");
        print_key(p, 2, "doc_string", f->doc_string);
    }
    onnx_printing_text(p, ",\n  opset_import: ");
    print_opsets(p, &f->opset_import, ",");
    onnx_printing_text(p, "\n>\n");
    onnx_printing_id(p, f->name);
    onnx_printing_text(p, " ");
    print_function_attributes(p, f);
    onnx_printing_text(p, "(");
    print_ids(p, &f->input);
    onnx_printing_text(p, ") => (");
    print_ids(p, &f->output);
    onnx_printing_text(p, ")\n");
    for (size_t i = 0; i < f->value_info.count; i++) {
        onnx_printing_text(p, i ? ", " : "   <");
        print_value_info(p, f->value_info.items + i);
    }
    if (f->value_info.count) onnx_printing_text(p, ">\n");
    print_nodes(p, &f->node);
}

/* ---- the model ---- */

static void print_header(onnx_printing *p, const onnx_model_proto *m) {
    const struct {
        unsigned field;
        const char *key;
        onnx_string value;
    } texts[] = {{ONNX_HAS_model_proto_producer_name, "producer_name", m->producer_name},
                 {ONNX_HAS_model_proto_producer_version, "producer_version", m->producer_version},
                 {ONNX_HAS_model_proto_domain, "domain", m->domain},
                 {ONNX_HAS_model_proto_doc_string, "doc_string", m->doc_string}};
    base_buffer_append_format(p->out,
                              "<\n%*sir_version: %" PRId64 ",\n%*sopset_import: ", (int)p->indent,
                              "", m->ir_version, (int)p->indent, "");
    print_opsets(p, &m->opset_import, ", ");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (texts[i].field == ONNX_HAS_model_proto_doc_string &&
            onnx_has(&m->head, ONNX_HAS_model_proto_model_version)) {
            base_buffer_append_format(p->out, ",\n%*smodel_version: %" PRId64, (int)p->indent, "",
                                      m->model_version);
        }
        if (!onnx_has(&m->head, texts[i].field)) continue;
        onnx_printing_text(p, ",\n");
        print_key(p, p->indent, texts[i].key, texts[i].value);
    }
    if (m->metadata_props.count) {
        base_buffer_append_format(p->out, ",\n%*smetadata_props: ", (int)p->indent, "");
        onnx_printing_entries(p, &m->metadata_props);
    }
    onnx_printing_text(p, "\n>\n");
}

static ondol_status finish(const onnx_printing *p, ondol_error *err) {
    if (p->too_deep) {
        return base_fail(err, ONDOL_E_LIMIT, "ONNX: graphs or types nest deeper than %u",
                         ONNX_PRINT_MAX_DEPTH);
    }
    return base_buffer_status(p->out, "text of an ONNX model", err);
}

ondol_status onnx_print_text(const onnx_model_proto *model, const onnx_print_options *options,
                             base_buffer *out, ondol_error *err) {
    const uint64_t most = options && options->max_elems ? options->max_elems : UINT64_MAX;
    onnx_printing p = {.out = out, .max_elems = most, .indent = FIRST_INDENT};
    print_header(&p, model);
    print_comment(&p, model->training_info.count, "parts of training");
    if (model->graph) print_graph(&p, model->graph, false);
    for (size_t i = 0; i < model->functions.count && !out->fault; i++) {
        onnx_printing_text(&p, "\n");
        print_function(&p, model->functions.items + i);
    }
    return finish(&p, err);
}

ondol_status onnx_print_type(const onnx_type *type, base_buffer *out, ondol_error *err) {
    onnx_printing p = {.out = out, .max_elems = UINT64_MAX, .indent = FIRST_INDENT};
    const size_t before = out->size;
    onnx_printing_type(&p, type);
    if (out->size == before) onnx_printing_text(&p, "undefined");
    return finish(&p, err);
}
