/* Derivatives of operators that move elements. In: a node, its outputs' adjoints. Out: its inputs'.
 */
#include <string.h>

#include "models/onnx_gradient.h"

/* Reshape, Flatten, Squeeze, Unsqueeze. */
void gradient_reshape(onnx_gradient *d, graph_node_id n) {
    if (!gradient_wants(d, n, 0)) return;
    gradient_add(d, n, 0, gradient_reshaped(d, gradient_of(d, n, 0), gradient_in(d, n, 0)));
}

void gradient_expand(onnx_gradient *d, graph_node_id n) {
    gradient_add_summed(d, n, 0, gradient_of(d, n, 0));
}

void gradient_cast(onnx_gradient *d, graph_node_id n) {
    if (!gradient_wants(d, n, 0)) return;
    gradient_add(
        d, n, 0,
        upgrade_binary(d->u, GRAPH_OP_CAST_LIKE, gradient_of(d, n, 0), gradient_in(d, n, 0)));
}

void gradient_transpose(onnx_gradient *d, graph_node_id n) {
    const graph_attribute *perm = graph_get_attribute(d->g, n, "perm");
    const graph_value_id g = gradient_of(d, n, 0);
    int64_t back[GRAPH_MAX_RANK] = {0};
    if (!gradient_wants(d, n, 0)) return;
    const uint32_t rank = perm ? perm->int_count : 0;
    for (uint32_t i = 0; i < rank; i++) {
        if (rank > GRAPH_MAX_RANK || perm->ints[i] < 0 || perm->ints[i] >= rank) {
            gradient_fail(d, n, "its perm is out of range");
            return;
        }
        back[perm->ints[i]] = i;
    }
    const graph_node_id made = upgrade_node(d->u, GRAPH_OP_TRANSPOSE, &g, 1, 1);
    if (perm && d->u->status == ONDOL_OK)
        d->u->status = graph_set_ints(d->g, made, "perm", back, rank, d->u->err);
    gradient_add(d, n, 0, upgrade_finish(d->u, made));
}

static graph_value_id joined(onnx_gradient *d, const graph_value_id *parts, uint32_t count,
                             int64_t axis) {
    const graph_node_id n = upgrade_node(d->u, GRAPH_OP_CONCAT, parts, count, 1);
    upgrade_set_int(d->u, n, "axis", axis);
    return upgrade_finish(d->u, n);
}

static graph_value_id *list_of(onnx_gradient *d, uint32_t count) {
    graph_value_id *list = base_arena_alloc(&d->g->arena, count + 1u, sizeof *list);
    if (!list) upgrade_fail(d->u, ONDOL_E_MEMORY, "no memory for its nodes");
    return list;
}

/* The adjoint cut into the inputs' sizes. */
void gradient_concat(onnx_gradient *d, graph_node_id n) {
    const uint32_t count = d->g->nodes[n].input_count;
    const int64_t axis = graph_get_int(d->g, n, "axis");
    graph_value_id *sizes = list_of(d, count);
    for (uint32_t i = 0; i < count && sizes && d->u->status == ONDOL_OK; i++)
        sizes[i] = upgrade_binary(d->u, GRAPH_OP_GATHER, upgrade_shape(d->u, gradient_in(d, n, i)),
                                  upgrade_ints(d->u, &axis, 1));
    if (!sizes || d->u->status != ONDOL_OK) return;
    const graph_value_id inputs[] = {gradient_of(d, n, 0), joined(d, sizes, count, 0)};
    const graph_node_id split = upgrade_node(d->u, GRAPH_OP_SPLIT, inputs, 2, count);
    upgrade_set_int(d->u, split, "axis", axis);
    upgrade_finish(d->u, split);
    for (uint32_t i = 0; i < count && d->u->status == ONDOL_OK; i++)
        gradient_add(d, n, i, upgrade_output(d->u, split, i));
}

/* The adjoints side by side, zeros where there is none. */
void gradient_split(onnx_gradient *d, graph_node_id n) {
    const uint32_t count = d->g->nodes[n].output_count;
    graph_value_id *parts = list_of(d, count);
    if (!gradient_wants(d, n, 0)) return;
    for (uint32_t i = 0; i < count && parts; i++) {
        parts[i] = gradient_of(d, n, i);
        if (parts[i] != GRAPH_NONE) continue;
        if (gradient_out(d, n, i) == GRAPH_NONE) {
            gradient_fail(d, n, "one of its outputs has no name");
            return;
        }
        parts[i] = gradient_filled(d, 0, gradient_out(d, n, i));
    }
    if (parts) gradient_add(d, n, 0, joined(d, parts, count, graph_get_int(d->g, n, "axis")));
}

/* The sum goes the other way. */
void gradient_cum_sum(onnx_gradient *d, graph_node_id n) {
    const graph_value_id inputs[] = {gradient_of(d, n, 0), gradient_in(d, n, 1)};
    if (!gradient_wants(d, n, 0)) return;
    const graph_node_id made = upgrade_node(d->u, GRAPH_OP_CUM_SUM, inputs, 2, 1);
    upgrade_set_int(d->u, made, "exclusive", graph_get_int(d->g, n, "exclusive"));
    upgrade_set_int(d->u, made, "reverse", !graph_get_int(d->g, n, "reverse"));
    gradient_add(d, n, 0, upgrade_finish(d->u, made));
}

void gradient_dropout(onnx_gradient *d, graph_node_id n) {
    if (gradient_in(d, n, 2) != GRAPH_NONE) {
        gradient_fail(d, n, "its derivative in training mode is not known");
        return;
    }
    gradient_add(d, n, 0, gradient_of(d, n, 0));
}

/* The numbers 1, 2, ... in the shape of a. */
static graph_value_id places_of(onnx_gradient *d, graph_value_id a) {
    onnx_upgrade *u = d->u;
    const graph_value_id one = upgrade_integer(u, 1);
    const graph_value_id end = gradient_plus(d, upgrade_unary(u, GRAPH_OP_SIZE, a), one);
    const graph_value_id inputs[] = {one, end, one};
    const graph_value_id line = upgrade_finish(u, upgrade_node(u, GRAPH_OP_RANGE, inputs, 3, 1));
    return gradient_reshaped(d, line, a);
}

static graph_value_id flat(onnx_gradient *d, graph_value_id a) {
    const int64_t all = -1;
    return upgrade_binary(d->u, GRAPH_OP_RESHAPE, a, upgrade_ints(d->u, &all, 1));
}

/* The node moves the places of its first input's elements in their stead; that tells where each
 * element of the adjoint belongs, 0 where it is of none. */
void gradient_moved(onnx_gradient *d, graph_node_id n) {
    onnx_upgrade *u = d->u;
    const uint32_t count = d->g->nodes[n].input_count;
    const graph_value_id x = gradient_in(d, n, 0), g = gradient_of(d, n, 0);
    graph_value_id *inputs = list_of(d, count);
    if (!inputs || !gradient_wants(d, n, 0)) return;
    if (d->g->nodes[n].op == GRAPH_OP_PAD && gradient_wants(d, n, 2)) {
        gradient_fail(d, n, "the derivative of its constant is not known");
        return;
    }
    for (uint32_t i = 1; i < count; i++)
        inputs[i] = gradient_in(d, n, i);
    if (d->g->nodes[n].op == GRAPH_OP_PAD && count > 2) inputs[2] = GRAPH_NONE;
    inputs[0] = places_of(d, x);
    const graph_value_id places = gradient_like_node(d, n, d->g->nodes[n].op, inputs, count);
    const int64_t one = 1;
    const graph_value_id first = upgrade_ints(u, &one, 1);
    const graph_value_id size = gradient_plus(d, upgrade_unary(u, GRAPH_OP_SIZE, x), first);
    const graph_value_id zeros = upgrade_binary(u, GRAPH_OP_EXPAND, gradient_number(d, 0, x), size);
    const graph_value_id scattered[] = {zeros, flat(d, places), flat(d, g)};
    const graph_node_id scatter = upgrade_node(u, GRAPH_OP_SCATTER_ELEMENTS, scattered, 3, 1);
    upgrade_set_int(u, scatter, "axis", 0);
    upgrade_set_string(u, scatter, "reduction", "add");
    const graph_value_id cut[] = {upgrade_finish(u, scatter), first, size};
    const graph_value_id kept = upgrade_finish(u, upgrade_node(u, GRAPH_OP_SLICE, cut, 3, 1));
    gradient_add(d, n, 0, gradient_reshaped(d, kept, x));
}
