/* The rule of rows that have none of their own. In: a node. Out: its outputs' types as far as
 * ops.def's lists tell them; shapes stay unknown. */
#include <string.h>

#include "graph/ops.h"

/* What "name:type?" says of the type: its text and length, without the mark behind it. */
static const char *type_of_item(const char *item, size_t *length) {
    const char *type = strchr(item, ':') + 1;
    *length = strcspn(type, "?*~");
    return type;
}

/* The value that binds the type variable: the first present input of that type. */
static const graph_value *find_bound(const graph *g, const graph_node *n, const char *type,
                                     size_t length) {
    const char *list = graph_op_info_of(n->op)->inputs, *item = NULL, *last = NULL;
    for (uint32_t i = 0; i < n->input_count; i++) {
        item = graph_list_next(&list);
        if (!item) item = last; /* the variadic one goes on */
        if (!item) return NULL;
        last = item;
        size_t have = 0;
        const char *text = type_of_item(item, &have);
        if (n->inputs[i] == GRAPH_NONE || have != length || memcmp(text, type, have) != 0) continue;
        return g->values + n->inputs[i];
    }
    return NULL;
}

/* The only type that a variable may stand for, or the type itself where it is no variable. */
static const char *only_type(const graph_node *n, const char *type, size_t *length) {
    const char *list = graph_op_info_of(n->op)->types, *item = NULL;
    while ((item = graph_list_next(&list)) != NULL) {
        if (strncmp(item, type, *length) != 0 || item[*length] != '=') continue;
        type = item + *length + 1;
        *length = strlen(type);
        break;
    }
    return type;
}

static void set_type(graph *g, const graph_node *n, uint32_t i, const char *type, size_t length) {
    if (n->outputs[i] == GRAPH_NONE) return;
    graph_value *v = g->values + n->outputs[i];
    char name[16] = {0};
    v->shape = graph_shape_unknown();
    const graph_value *from = find_bound(g, n, type, length);
    if (from) {
        v->type_kind = from->type_kind;
        v->element = from->element;
        v->item = from->item;
        return;
    }
    type = only_type(n, type, &length);
    if (length < sizeof name) {
        memcpy(name, type, length);
        tensor_element_from_name(name, &v->element);
    }
}

ondol_status infer_by_types(graph *g, graph_node_id id, ondol_error *err) {
    (void)err;
    const graph_node *n = g->nodes + id;
    const char *list = graph_op_info_of(n->op)->outputs, *last = NULL;
    for (uint32_t i = 0; i < n->output_count; i++) {
        const char *item = graph_list_next(&list);
        if (!item) item = last;
        if (!item) return ONDOL_OK;
        last = item;
        size_t length = 0;
        const char *type = type_of_item(item, &length);
        if (type[length] == '~') length = 0; /* of any type: nothing binds it */
        set_type(g, n, i, type, length);
    }
    return ONDOL_OK;
}
