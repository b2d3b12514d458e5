/* Drawing. In: a graph. Out: Graphviz's language, a cluster for each subgraph. Weights are named in
 * their node, not drawn. */
#include <inttypes.h>
#include <string.h>

#include "graph/ops.h"

/* Text within a quoted label; what is long is cut. */
static void append_label(base_buffer *out, const char *text) {
    size_t n = 0;
    for (; text[n] && n < 60; n++) {
        if (text[n] == '"' || text[n] == '\\') base_buffer_append_text(out, "\\");
        const char c = (unsigned char)text[n] < 32 ? ' ' : text[n];
        base_buffer_append(out, &c, 1);
    }
    if (text[n]) base_buffer_append_text(out, "...");
}

static void append_type(const graph *g, const graph_value *v, base_buffer *out) {
    base_buffer type;
    base_buffer_init(&type, g->allocator, 4096);
    graph_print_type(g, v, &type);
    append_label(out, type.data ? type.data : "");
    base_buffer_destroy(&type);
}

/* Subgraphs are told apart by their address in the tree: "n", "n0", "n0_1" ... */
static void append_node_id(const char *prefix, const char *kind, uint32_t id, base_buffer *out) {
    base_buffer_append_format(out, "%s%s%" PRIu32, prefix, kind, id);
}

static void draw_node(const graph *g, const char *prefix, graph_node_id id, base_buffer *out) {
    const graph_node *n = g->nodes + id;
    const graph_op_info *info = graph_op_info_of(n->op);
    base_buffer_append_text(out, "  ");
    append_node_id(prefix, "n", id, out);
    base_buffer_append_format(
        out, " [shape=box, style=\"rounded,filled\", fillcolor=\"#eef3fa\", label=\"%s",
        info->name);
    for (uint32_t i = 0; i < n->input_count; i++) {
        if (n->inputs[i] == GRAPH_NONE) continue;
        const graph_value *v = g->values + n->inputs[i];
        if (v->kind != GRAPH_VALUE_INITIALIZER) continue;
        base_buffer_append_text(out, "\\n");
        append_type(g, v, out);
    }
    base_buffer_append_text(out, "\", tooltip=\"");
    append_label(out, n->name);
    base_buffer_append_text(out, "\"];\n");
}

/* An edge from whoever makes v, in this graph or around it. */
static void draw_edge(const graph *g, const char *prefix, graph_value_id v, const char *to_kind,
                      uint32_t to, base_buffer *out) {
    const graph_value *value = g->values + v;
    const char *from_kind = value->kind == GRAPH_VALUE_INTERMEDIATE ? "n" : "i";
    if (value->kind == GRAPH_VALUE_INITIALIZER || value->kind == GRAPH_VALUE_CAPTURE) return;
    const uint32_t from = value->kind == GRAPH_VALUE_INTERMEDIATE ? value->producer : v;
    base_buffer_append_text(out, "  ");
    append_node_id(prefix, from_kind, from, out);
    base_buffer_append_text(out, " -> ");
    append_node_id(prefix, to_kind, to, out);
    base_buffer_append_text(out, " [label=\"");
    append_type(g, value, out);
    base_buffer_append_text(out, "\"];\n");
}

static void draw_port(const graph *g, const char *prefix, const char *kind, uint32_t id,
                      const char *name, base_buffer *out) {
    (void)g;
    base_buffer_append_text(out, "  ");
    append_node_id(prefix, kind, id, out);
    base_buffer_append_text(out, " [shape=ellipse, label=\"");
    append_label(out, name);
    base_buffer_append_text(out, "\"];\n");
}

/* As deep as GRAPH_MAX_DEPTH. */
static void draw(const graph *g, const char *prefix, base_buffer *out) {
    for (uint32_t i = 0; i < g->input_count; i++)
        draw_port(g, prefix, "i", g->inputs[i], g->values[g->inputs[i]].name, out);
    for (graph_node_id id = 0; id < g->node_count; id++) {
        draw_node(g, prefix, id, out);
        for (uint32_t i = 0; i < g->nodes[id].input_count; i++)
            if (g->nodes[id].inputs[i] != GRAPH_NONE) {
                draw_edge(g, prefix, g->nodes[id].inputs[i], "n", id, out);
            }
    }
    for (uint32_t i = 0; i < g->output_count; i++) {
        draw_port(g, prefix, "o", i, g->output_names[i], out);
        if (g->outputs[i] != GRAPH_NONE) draw_edge(g, prefix, g->outputs[i], "o", i, out);
    }
    uint32_t index = 0;
    for (const graph *sub = g->first_subgraph; sub; sub = sub->next_sibling, index++) {
        char inner[200];
        base_buffer name;
        base_buffer_init(&name, g->allocator, sizeof inner);
        base_buffer_append_format(&name, "%ss%" PRIu32 "_", prefix, index);
        if (name.data && name.size < sizeof inner) {
            memcpy(inner, name.data, name.size + 1);
            base_buffer_append_format(out, "  subgraph cluster_%s {\n  label=\"", inner);
            append_label(out, sub->name);
            base_buffer_append_text(out, "\";\n");
            draw(sub, inner, out);
            base_buffer_append_text(out, "  }\n");
        }
        base_buffer_destroy(&name);
    }
}

void graph_print_dot(const graph *g, base_buffer *out) {
    base_buffer_append_text(out, "digraph \"");
    append_label(out, g->name);
    base_buffer_append_text(out,
                            "\" {\n  rankdir=TB; fontname=\"sans-serif\";\n"
                            "  node [fontname=\"sans-serif\", fontsize=11];\n"
                            "  edge [fontname=\"sans-serif\", fontsize=8, color=\"#708090\"];\n");
    draw(g, "", out);
    base_buffer_append_text(out, "}\n");
}
