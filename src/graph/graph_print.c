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

void graph_print_type(const graph *g, const graph_value *v, base_buffer *out) {
    const char *element = v->encoding == GRAPH_PLAIN ? tensor_element_onnx_name(v->element)
                                                     : tensor_encoding_info_of(v->encoding)->name;
    base_buffer_append_text(out, element);
    base_buffer_append_text(out, "[");
    for (uint32_t i = 0; i < v->shape.rank; i++) {
        if (i) base_buffer_append_text(out, ", ");
        graph_dim d = v->shape.dims[i];
        if (d >= 0)
            base_buffer_append_format(out, "%" PRId64, d);
        else
            base_buffer_append_text(out, g->symbols[GRAPH_SYMBOL_INDEX(d)]);
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
            base_buffer_append_text(out, "[");
            for (uint32_t k = 0; k < a->int_count; k++)
                base_buffer_append_format(out, "%s%" PRId64, k ? ", " : "", a->ints[k]);
            base_buffer_append_text(out, "]");
            break;
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
}
