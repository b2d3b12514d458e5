/* The verifier: what holds between passes. In: a graph. Out: OK, or the node and the rule. */
#include <string.h>

#include "graph/ops.h"

static ondol_status check_attributes(const graph_node *n, ondol_error *err) {
    const graph_op_info *info = graph_op_info_of(n->op);
    const char *list = info->attributes, *item = NULL;
    while ((item = graph_list_next(&list)) != NULL) {
        const size_t name = strcspn(item, ":");
        bool present = item[name + 2] != 0;
        for (uint32_t i = 0; i < n->attribute_count; i++) {
            const char *have = n->attributes[i].name;
            if (strlen(have) == name && memcmp(have, item, name) == 0) present = true;
        }
        if (!present) {
            return base_fail(err, ONDOL_E_FORMAT, "node '%s' (%s): attribute '%.*s' is missing",
                             n->name, info->name, (int)name, item);
        }
    }
    return ONDOL_OK;
}

static ondol_status check_node(const graph *g, graph_node_id id, ondol_error *err) {
    const graph_node *n = g->nodes + id;
    for (uint32_t i = 0; i < n->input_count; i++) {
        if (n->inputs[i] == GRAPH_NONE) continue;
        const graph_value *v = g->values + n->inputs[i];
        bool defined =
            v->kind != GRAPH_VALUE_INTERMEDIATE || (v->producer != GRAPH_NONE && v->producer < id);
        if (!defined) {
            return base_fail(err, ONDOL_E_FORMAT,
                             "node '%s' (%s): input %u is used before it is made", n->name,
                             graph_op_info_of(n->op)->name, i);
        }
    }
    return check_attributes(n, err);
}

ondol_status graph_verify(const graph *g, ondol_error *err) {
    for (graph_node_id i = 0; i < g->node_count; i++) {
        ondol_status status = check_node(g, i, err);
        if (status != ONDOL_OK) return status;
    }
    for (uint32_t i = 0; i < g->output_count; i++) {
        if (g->outputs[i] >= g->value_count) {
            return base_fail(err, ONDOL_E_FORMAT, "output '%s' is no value", g->output_names[i]);
        }
    }
    return ONDOL_OK;
}
