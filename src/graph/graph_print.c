/* Printing. In: a graph. Out: text in the manner of onnx.parser, one node a line. */
#include <inttypes.h>
#include <string.h>

#include "graph/ops.h"

static void print_value_name(const graph *g, graph_value_id id, base_buffer *out) {
    if (id == GRAPH_NONE) {
        base_buffer_append_text(out, "-");
        return;
    }
    const graph_value *v = g->values + id;
    if (v->kind == GRAPH_VALUE_INTERMEDIATE)
        base_buffer_append_format(out, "%%%" PRIu32, id);
    else
        base_buffer_append_text(out, v->name);
}

static void print_type(const graph *g, graph_type_kind kind, const char *element,
                       const graph_shape *shape, const graph_type *item, base_buffer *out) {
    static const char *const words[] = {"", "sparse_tensor", "seq", "optional", "map"};
    if (kind >= GRAPH_TYPE_SEQUENCE) {
        base_buffer_append_format(out, "%s(", words[kind]);
        if (kind == GRAPH_TYPE_MAP) base_buffer_append_format(out, "%s, ", element);
        if (item) {
            print_type(g, item->kind, tensor_element_onnx_name(item->element), &item->shape,
                       item->item, out);
        }
        base_buffer_append_text(out, ")");
        return;
    }
    base_buffer_append_format(out, "%s%s", words[kind], element);
    if (shape->rank == GRAPH_RANK_UNKNOWN) return;
    while (g->parent)
        g = g->parent;
    base_buffer_append_text(out, "[");
    for (uint32_t i = 0; i < shape->rank; i++) {
        const graph_dim d = shape->dims[i];
        if (i) base_buffer_append_text(out, ", ");
        if (d >= 0)
            base_buffer_append_format(out, "%" PRId64, d);
        else
            base_buffer_append_text(
                out, d == GRAPH_DIM_UNKNOWN ? "?" : g->symbols[GRAPH_SYMBOL_INDEX(d)]);
    }
    base_buffer_append_text(out, "]");
}

void graph_print_type(const graph *g, const graph_value *v, base_buffer *out) {
    char stored[TENSOR_MATRIX_NAME_BYTES];
    const char *element = v->encoding == GRAPH_PLAIN ? tensor_element_onnx_name(v->element)
                                                     : tensor_encoding_info_of(v->encoding)->name;
    if (v->matrix) element = tensor_matrix_name(v->matrix, stored);
    print_type(g, v->type_kind, element, &v->shape, v->item, out);
}

static void print_list(const graph_attribute *a, base_buffer *out) {
    base_buffer_append_text(out, "[");
    for (uint32_t k = 0; k < a->int_count; k++) {
        if (k) base_buffer_append_text(out, ", ");
        if (a->type == GRAPH_ATTRIBUTE_INTS)
            base_buffer_append_format(out, "%" PRId64, a->ints[k]);
        else if (a->type == GRAPH_ATTRIBUTE_FLOATS)
            base_buffer_append_format(out, "%.9g", a->floats[k]);
        else
            base_buffer_append_format(out, "\"%s\"", a->strings[k].text);
    }
    base_buffer_append_text(out, "]");
}

static void print_attributes(const graph_node *n, base_buffer *out) {
    if (!n->attribute_count) return;
    base_buffer_append_text(out, " <");
    for (uint32_t i = 0; i < n->attribute_count; i++) {
        const graph_attribute *a = n->attributes + i;
        base_buffer_append_format(out, "%s%s = ", i ? ", " : "", a->name);
        switch (a->type) {
        case GRAPH_ATTRIBUTE_INT: base_buffer_append_format(out, "%" PRId64, a->i); break;
        case GRAPH_ATTRIBUTE_FLOAT: base_buffer_append_format(out, "%.9g", a->f); break;
        case GRAPH_ATTRIBUTE_STRING: base_buffer_append_format(out, "\"%s\"", a->s); break;
        case GRAPH_ATTRIBUTE_INTS:
        case GRAPH_ATTRIBUTE_FLOATS:
        case GRAPH_ATTRIBUTE_STRINGS: print_list(a, out); break;
        case GRAPH_ATTRIBUTE_TENSOR:
        case GRAPH_ATTRIBUTE_TENSORS: base_buffer_append_text(out, "tensor"); break;
        case GRAPH_ATTRIBUTE_GRAPH:
        case GRAPH_ATTRIBUTE_GRAPHS:
            base_buffer_append_format(out, "graph '%s' below", a->graphs[0]->name);
            break;
        case GRAPH_ATTRIBUTE_TYPE: base_buffer_append_text(out, "type"); break;
        }
    }
    base_buffer_append_text(out, ">");
}

static void print_node(const graph *g, const graph_node *n, base_buffer *out) {
    const graph_op_info *info = graph_op_info_of(n->op);
    base_buffer_append_text(out, "  ");
    for (uint32_t i = 0; i < n->output_count; i++) {
        if (i) base_buffer_append_text(out, ", ");
        print_value_name(g, n->outputs[i], out);
        if (n->outputs[i] == GRAPH_NONE) continue;
        base_buffer_append_text(out, " ");
        graph_print_type(g, g->values + n->outputs[i], out);
    }
    base_buffer_append_format(out, " = %s%s%s", info->domain, *info->domain ? "." : "", info->name);
    print_attributes(n, out);
    base_buffer_append_text(out, " (");
    for (uint32_t i = 0; i < n->input_count; i++) {
        if (i) base_buffer_append_text(out, ", ");
        print_value_name(g, n->inputs[i], out);
    }
    base_buffer_append_format(out, ")  # %s\n", n->name);
}

void graph_print(const graph *g, base_buffer *out) {
    base_buffer_append_format(out, "%s (", g->name);
    for (uint32_t i = 0; i < g->input_count; i++) {
        if (i) base_buffer_append_text(out, ", ");
        graph_print_type(g, g->values + g->inputs[i], out);
        base_buffer_append_format(out, " %s", g->values[g->inputs[i]].name);
    }
    base_buffer_append_text(out, ") => (");
    for (uint32_t i = 0; i < g->output_count; i++) {
        if (i) base_buffer_append_text(out, ", ");
        graph_print_type(g, g->values + g->outputs[i], out);
        base_buffer_append_format(out, " %s = ", g->output_names[i]);
        print_value_name(g, g->outputs[i], out);
    }
    base_buffer_append_text(out, ")\n<\n");
    for (uint32_t i = 0; i < g->value_count; i++) {
        const graph_value *v = g->values + i;
        if (v->kind != GRAPH_VALUE_INITIALIZER) continue;
        base_buffer_append_text(out, "  ");
        graph_print_type(g, v, out);
        base_buffer_append_format(out, " %s\n", v->name);
    }
    base_buffer_append_text(out, ">\n{\n");
    for (uint32_t i = 0; i < g->node_count; i++)
        print_node(g, g->nodes + i, out);
    base_buffer_append_text(out, "}\n");
    for (const graph *sub = g->first_subgraph; sub; sub = sub->next_sibling)
        graph_print(sub, out);
}
