/* Rebuilding a graph. In: an old graph. Out: a new one, node by node, and the map between both. */
#include "optimize/rewrite.h"

ondol_status rewrite_begin(const graph *from, rewrite *r, ondol_error *err) {
    *r = (rewrite){.from = from};
    r->map = base_alloc(from->allocator, from->value_count, sizeof *r->map);
    if (!r->map) return base_no_memory(err, "graph pass", from->value_count * sizeof *r->map);
    for (uint32_t i = 0; i < from->value_count; i++)
        r->map[i] = GRAPH_NONE;
    ondol_status status = graph_create(from->allocator, from->name, &r->to, err);
    if (status != ONDOL_OK) base_free(from->allocator, r->map);
    return status;
}

void rewrite_end(rewrite *r, bool keep_graph) {
    base_free(r->from->allocator, r->map);
    if (!keep_graph) graph_destroy(r->to);
    *r = (rewrite){0};
}

/* Dimensions that are symbols are renumbered by name. */
static ondol_status bring_shape(rewrite *r, const graph_shape *from, graph_shape *to,
                                ondol_error *err) {
    *to = *from;
    for (uint32_t i = 0; i < from->rank; i++) {
        if (from->dims[i] >= 0) continue;
        const char *name = r->from->symbols[GRAPH_SYMBOL_INDEX(from->dims[i])];
        ondol_status status = graph_symbol(r->to, name, to->dims + i, err);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

ondol_status rewrite_value(rewrite *r, graph_value_id id, graph_value_id *out, ondol_error *err) {
    if (id == GRAPH_NONE || r->map[id] != GRAPH_NONE) {
        *out = id == GRAPH_NONE ? GRAPH_NONE : r->map[id];
        return ONDOL_OK;
    }
    const graph_value *v = r->from->values + id;
    if (v->kind == GRAPH_VALUE_INTERMEDIATE) {
        return base_fail(err, ONDOL_E_INTERNAL, "graph pass: value %u has no stand-in", id);
    }
    graph_shape shape;
    ondol_status status = bring_shape(r, &v->shape, &shape, err);
    if (status != ONDOL_OK) return status;
    if (v->kind == GRAPH_VALUE_INPUT) {
        status = graph_add_input(r->to, v->name, v->element, shape, out, err);
    } else if (v->matrix) {
        status = graph_add_matrix(r->to, v->name, v->matrix, out, err);
    } else if (v->in_arena) {
        status = graph_add_constant(r->to, v->name, v->element, shape, v->data, out, err);
    } else if (v->encoding == GRAPH_PLAIN) {
        const graph_tensor t = {v->element, shape, v->data, v->data_bytes};
        status = graph_add_borrowed(r->to, v->name, &t, out, err);
    } else {
        status =
            graph_add_weight(r->to, v->name, v->encoding, shape, v->data, v->data_bytes, out, err);
    }
    if (status == ONDOL_OK) r->map[id] = *out;
    return status;
}

static ondol_status copy_attributes(rewrite *r, const graph_node *n, graph_node_id to,
                                    ondol_error *err) {
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < n->attribute_count && status == ONDOL_OK; i++) {
        const graph_attribute *a = n->attributes + i;
        switch (a->type) {
        case GRAPH_ATTRIBUTE_INT: status = graph_set_int(r->to, to, a->name, a->i, err); break;
        case GRAPH_ATTRIBUTE_FLOAT: status = graph_set_float(r->to, to, a->name, a->f, err); break;
        case GRAPH_ATTRIBUTE_STRING:
            status = graph_set_string(r->to, to, a->name, a->s, err);
            break;
        case GRAPH_ATTRIBUTE_INTS:
            status = graph_set_ints(r->to, to, a->name, a->ints, a->int_count, err);
            break;
        case GRAPH_ATTRIBUTE_FLOATS:
            status = graph_set_floats(r->to, to, a->name, a->floats, a->int_count, err);
            break;
        default:
            return base_fail(err, ONDOL_E_INTERNAL, "node '%s': attribute '%s' cannot be copied",
                             n->name, a->name);
        }
    }
    return status;
}

ondol_status rewrite_node_onto(rewrite *r, graph_node_id id, const graph_value_id *inputs,
                               graph_node_id *out, ondol_error *err) {
    const graph_node *n = r->from->nodes + id;
    ondol_status status =
        graph_add_node(r->to, n->op, n->name, inputs, n->input_count, n->output_count, out, err);
    if (status == ONDOL_OK) status = copy_attributes(r, n, *out, err);
    if (status == ONDOL_OK) status = graph_infer_node(r->to, *out, err);
    return status;
}

ondol_status rewrite_node(rewrite *r, graph_node_id id, ondol_error *err) {
    const graph_node *n = r->from->nodes + id;
    graph_value_id *inputs = base_alloc(r->from->allocator, n->input_count, sizeof *inputs);
    if (!inputs) return base_no_memory(err, "graph pass", n->input_count * sizeof *inputs);
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < n->input_count && status == ONDOL_OK; i++)
        status = rewrite_value(r, n->inputs[i], inputs + i, err);
    graph_node_id to = 0;
    if (status == ONDOL_OK) status = rewrite_node_onto(r, id, inputs, &to, err);
    for (uint32_t i = 0; i < n->output_count && status == ONDOL_OK; i++)
        r->map[n->outputs[i]] = r->to->nodes[to].outputs[i];
    base_free(r->from->allocator, inputs);
    return status;
}

ondol_status rewrite_add(rewrite *r, graph_op op, const char *name, const graph_value_id *inputs,
                         uint32_t input_count, graph_node_id *node, ondol_error *err) {
    return graph_add_node(r->to, op, name, inputs, input_count, 1, node, err);
}
