/* Attributes of nodes. In: names and values. Out: values, or the defaults of ops.def. */
#include "graph/graph.h"

#include <stdlib.h>
#include <string.h>

#include "graph/ops.h"

/* As graph_attribute_type counts them, and as ops.def writes them. */
static const char type_letters[] = {'i', 'f', 's', 'I', 'F', 'S', 't', 'X', 'g', 'G', 'T'};

/* Adds a zeroed attribute of that name and type; a node has few, so each is a fresh array. */
static ondol_status add_attribute(graph *g, graph_node_id id, const char *name,
                                  graph_attribute_type type, graph_attribute **out,
                                  ondol_error *err) {
    graph_node *n = g->nodes + id;
    const graph_op_info *info = graph_op_info_of(n->op);
    char letter = 0;
    if (!graph_op_attribute(info, name, &letter) || letter != type_letters[type]) {
        return base_fail(err, ONDOL_E_FORMAT, "node '%s' (%s): no attribute '%s' of type %c",
                         n->name, info->name, name, type_letters[type]);
    }
    graph_attribute *list = base_arena_alloc(&g->arena, n->attribute_count + 1, sizeof *list);
    char *copy = base_arena_strndup(&g->arena, name, strlen(name));
    if (!list || !copy) return base_no_memory(err, "graph attribute", sizeof *list);
    if (n->attribute_count) memcpy(list, n->attributes, n->attribute_count * sizeof *list);
    list[n->attribute_count] = (graph_attribute){.name = copy, .type = type};
    n->attributes = list;
    *out = list + n->attribute_count++;
    return ONDOL_OK;
}

ondol_status graph_set_int(graph *g, graph_node_id n, const char *name, int64_t v,
                           ondol_error *err) {
    graph_attribute *a = NULL;
    ondol_status status = add_attribute(g, n, name, GRAPH_ATTRIBUTE_INT, &a, err);
    if (status == ONDOL_OK) a->i = v;
    return status;
}

ondol_status graph_set_float(graph *g, graph_node_id n, const char *name, double v,
                             ondol_error *err) {
    graph_attribute *a = NULL;
    ondol_status status = add_attribute(g, n, name, GRAPH_ATTRIBUTE_FLOAT, &a, err);
    if (status == ONDOL_OK) a->f = v;
    return status;
}

ondol_status graph_set_string(graph *g, graph_node_id n, const char *name, const char *v,
                              ondol_error *err) {
    graph_attribute *a = NULL;
    ondol_status status = add_attribute(g, n, name, GRAPH_ATTRIBUTE_STRING, &a, err);
    if (status != ONDOL_OK) return status;
    a->s = base_arena_strndup(&g->arena, v, strlen(v));
    a->s_bytes = strlen(v);
    return a->s ? ONDOL_OK : base_no_memory(err, "graph attribute", strlen(v));
}

ondol_status graph_set_ints(graph *g, graph_node_id n, const char *name, const int64_t *v,
                            uint32_t count, ondol_error *err) {
    graph_attribute *a = NULL;
    ondol_status status = add_attribute(g, n, name, GRAPH_ATTRIBUTE_INTS, &a, err);
    if (status != ONDOL_OK) return status;
    int64_t *copy = base_arena_alloc(&g->arena, count ? count : 1, sizeof *copy);
    if (!copy) return base_no_memory(err, "graph attribute", count * sizeof *copy);
    if (count) memcpy(copy, v, count * sizeof *copy);
    a->ints = copy;
    a->int_count = count;
    return ONDOL_OK;
}

ondol_status graph_set_floats(graph *g, graph_node_id n, const char *name, const double *v,
                              uint32_t count, ondol_error *err) {
    graph_attribute *a = NULL;
    ondol_status status = add_attribute(g, n, name, GRAPH_ATTRIBUTE_FLOATS, &a, err);
    if (status != ONDOL_OK) return status;
    double *copy = base_arena_alloc(&g->arena, count ? count : 1, sizeof *copy);
    if (!copy) return base_no_memory(err, "graph attribute", count * sizeof *copy);
    if (count) memcpy(copy, v, count * sizeof *copy);
    a->floats = copy;
    a->int_count = count;
    return ONDOL_OK;
}

ondol_status graph_set_attribute(graph *g, graph_node_id n, const graph_attribute *from,
                                 ondol_error *err) {
    graph_attribute *a = NULL;
    ondol_status status = add_attribute(g, n, from->name, from->type, &a, err);
    if (status != ONDOL_OK) return status;
    const char *name = a->name;
    *a = *from;
    a->name = name;
    return ONDOL_OK;
}

const graph_attribute *graph_get_attribute(const graph *g, graph_node_id id, const char *name) {
    const graph_node *n = g->nodes + id;
    for (uint32_t i = 0; i < n->attribute_count; i++) {
        if (strcmp(n->attributes[i].name, name) == 0) return n->attributes + i;
    }
    return NULL;
}

/* The default's text; "" when there is none. */
static const char *default_text(const graph *g, graph_node_id id, const char *name) {
    char type = 0;
    const char *text = graph_op_attribute(graph_op_info_of(g->nodes[id].op), name, &type);
    return text ? text : "";
}

int64_t graph_get_int(const graph *g, graph_node_id n, const char *name) {
    const graph_attribute *a = graph_get_attribute(g, n, name);
    return a ? a->i : strtoll(default_text(g, n, name), NULL, 10);
}

double graph_get_float(const graph *g, graph_node_id n, const char *name) {
    const graph_attribute *a = graph_get_attribute(g, n, name);
    return a ? a->f : (double)strtof(default_text(g, n, name), NULL);
}

const char *graph_get_string(const graph *g, graph_node_id n, const char *name) {
    const graph_attribute *a = graph_get_attribute(g, n, name);
    return a ? a->s : default_text(g, n, name);
}
