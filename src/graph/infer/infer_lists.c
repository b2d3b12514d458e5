/* Rules of sequences, optionals and control flow: types of types. */
#include <inttypes.h>

#include "graph/infer/infer.h"

static void set_type(graph *g, graph_node_id n, uint32_t i, const graph_type *t) {
    const graph_node *node = g->nodes + n;
    if (i >= node->output_count || node->outputs[i] == GRAPH_NONE || !t) return;
    graph_value *v = g->values + node->outputs[i];
    v->type_kind = t->kind;
    v->element = t->element;
    v->shape = t->shape;
    v->item = t->item;
}

static graph_type type_of(const graph_value *v) {
    return (graph_type){v->type_kind, v->element, v->shape, v->item};
}

/* kind of items like t. Errors: MEMORY. */
static ondol_status set_list(graph *g, graph_node_id n, graph_type_kind kind, const graph_type *t,
                             ondol_error *err) {
    const graph_type *item = graph_type_copy(g, t);
    if (!item) return base_no_memory(err, "graph", sizeof *t);
    const graph_type list = {kind, TENSOR_ELEMENT_UNDEFINED, graph_shape_unknown(), item};
    set_type(g, n, 0, &list);
    return ONDOL_OK;
}

/* A sequence of tensors like the input's, of any shape. */
static ondol_status list_of_input(graph *g, graph_node_id n, graph_type_kind kind, bool any_shape,
                                  ondol_error *err) {
    const graph_value *x = infer_input(g, n, 0);
    if (!x) return ONDOL_OK;
    graph_type t = type_of(x);
    if (any_shape) t.shape = graph_shape_unknown();
    return set_list(g, n, kind, &t, err);
}

ondol_status infer_sequence_construct(graph *g, graph_node_id n, ondol_error *err) {
    return list_of_input(g, n, GRAPH_TYPE_SEQUENCE, true, err);
}

ondol_status infer_sequence_empty(graph *g, graph_node_id n, ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(g, n, "dtype");
    const graph_type t = {GRAPH_TYPE_TENSOR, a ? (tensor_element)a->i : TENSOR_ELEMENT_F32,
                          graph_shape_unknown(), NULL};
    return set_list(g, n, GRAPH_TYPE_SEQUENCE, &t, err);
}

/* The items' type. */
ondol_status infer_item(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_input(g, n, 0);
    if (!x) return ONDOL_OK;
    const graph_type whole = type_of(x);
    set_type(g, n, 0, x->item ? x->item : x->type_kind == GRAPH_TYPE_TENSOR ? &whole : NULL);
    return ONDOL_OK;
}

/* What an optional holds; anything else is given as it is. */
ondol_status infer_optional_get(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_input(g, n, 0);
    if (x && x->type_kind == GRAPH_TYPE_OPTIONAL) return infer_item(g, n, err);
    return infer_same_type(g, n, err);
}

/* SequenceInsert, SequenceErase: as input 0. */
ondol_status infer_same_type(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_input(g, n, 0);
    if (!x) return ONDOL_OK;
    const graph_type t = type_of(x);
    set_type(g, n, 0, &t);
    return ONDOL_OK;
}

ondol_status infer_concat_from_sequence(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_input(g, n, 0);
    if (x && x->item) infer_set_element(g, n, 0, x->item->element);
    return ONDOL_OK;
}

ondol_status infer_optional(graph *g, graph_node_id n, ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(g, n, "type");
    if (infer_input(g, n, 0)) return list_of_input(g, n, GRAPH_TYPE_OPTIONAL, false, err);
    return a ? set_list(g, n, GRAPH_TYPE_OPTIONAL, a->type_value, err) : ONDOL_OK;
}

/* What both branches give; where they differ, what they have in common. */
ondol_status infer_if(graph *g, graph_node_id n, ondol_error *err) {
    const graph_attribute *yes = graph_get_attribute(g, n, "then_branch");
    const graph_attribute *no = graph_get_attribute(g, n, "else_branch");
    if (!yes || !no) return ONDOL_OK;
    const graph *a = yes->graphs[0], *b = no->graphs[0];
    for (uint32_t i = 0; i < g->nodes[n].output_count; i++) {
        if (i >= a->output_count || i >= b->output_count) {
            return infer_fail(g, n, err, "a branch has fewer outputs than the node");
        }
        if (a->outputs[i] == GRAPH_NONE || b->outputs[i] == GRAPH_NONE) continue;
        graph_type t = type_of(a->values + a->outputs[i]);
        const graph_type u = type_of(b->values + b->outputs[i]);
        if (t.kind != u.kind) continue; /* an optional and what it may hold */
        if (t.kind == GRAPH_TYPE_TENSOR && t.element != u.element &&
            t.element != TENSOR_ELEMENT_UNDEFINED && u.element != TENSOR_ELEMENT_UNDEFINED) {
            return infer_fail(
                g, n, err, "output %" PRIu32 " is of type %s in one branch, %s in the other", i,
                tensor_element_onnx_name(t.element), tensor_element_onnx_name(u.element));
        }
        if (t.element != u.element) t.element = TENSOR_ELEMENT_UNDEFINED;
        if (t.shape.rank != u.shape.rank) t.shape = graph_shape_unknown();
        for (uint32_t d = 0; t.shape.rank != GRAPH_RANK_UNKNOWN && d < t.shape.rank; d++)
            if (t.shape.dims[d] != u.shape.dims[d]) t.shape.dims[d] = GRAPH_DIM_UNKNOWN;
        t.item = graph_type_copy(g, t.item);
        set_type(g, n, i, &t);
    }
    return ONDOL_OK;
}

/* Carried values keep their type, not their shape; scan outputs have a dimension more. */
static void take_body(graph *g, graph_node_id n, uint32_t i, const graph_value *from, bool scan) {
    graph_type t = type_of(from);
    t.item = graph_type_copy(g, t.item);
    if (scan && t.shape.rank < GRAPH_MAX_RANK) {
        t.shape = infer_open(t.shape.rank + 1);
    } else if (!scan && t.shape.rank != GRAPH_RANK_UNKNOWN) {
        t.shape = graph_shape_unknown();
    } else {
        t.shape = graph_shape_unknown();
    }
    set_type(g, n, i, &t);
}

ondol_status infer_loop(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_attribute *body = graph_get_attribute(g, n, "body");
    const graph_node *node = g->nodes + n;
    if (!body) return ONDOL_OK;
    const graph *b = body->graphs[0];
    const uint32_t carried = node->input_count > 2 ? node->input_count - 2 : 0;
    for (uint32_t i = 0; i < node->output_count && i + 1 < b->output_count; i++) {
        if (b->outputs[i + 1] == GRAPH_NONE) continue;
        take_body(g, n, i, b->values + b->outputs[i + 1], i >= carried);
    }
    return ONDOL_OK;
}

ondol_status infer_scan(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_attribute *body = graph_get_attribute(g, n, "body");
    const graph_node *node = g->nodes + n;
    const int64_t walked = graph_get_int(g, n, "num_scan_inputs");
    if (!body || walked < 0 || walked > node->input_count) return ONDOL_OK;
    const graph *b = body->graphs[0];
    for (uint32_t i = 0; i < node->output_count && i < b->output_count; i++) {
        if (b->outputs[i] == GRAPH_NONE) continue;
        take_body(g, n, i, b->values + b->outputs[i], i >= node->input_count - (uint32_t)walked);
    }
    return ONDOL_OK;
}

ondol_status infer_sequence_map(graph *g, graph_node_id n, ondol_error *err) {
    const graph_attribute *body = graph_get_attribute(g, n, "body");
    const graph_node *node = g->nodes + n;
    if (!body) return ONDOL_OK;
    const graph *b = body->graphs[0];
    for (uint32_t i = 0; i < node->output_count && i < b->output_count; i++) {
        if (b->outputs[i] == GRAPH_NONE || node->outputs[i] == GRAPH_NONE) continue;
        graph_type t = type_of(b->values + b->outputs[i]);
        t.shape = graph_shape_unknown();
        const graph_type *item = graph_type_copy(g, &t);
        if (!item) return base_no_memory(err, "graph", sizeof t);
        const graph_type list = {GRAPH_TYPE_SEQUENCE, TENSOR_ELEMENT_UNDEFINED,
                                 graph_shape_unknown(), item};
        set_type(g, n, i, &list);
    }
    return ONDOL_OK;
}
