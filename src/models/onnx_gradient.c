/* Reverse-mode differentiation. In: a Gradient node, the graph up to it. Out: nodes that compute
 * its outputs. */
#include "models/onnx_gradient.h"

#include <string.h>

#include "tensor/element.h"

#define MAX_DEPTH 4u /* of operators that are written as others */

static const onnx_gradient_rule rules[GRAPH_OP_COUNT] = {
#define GRADIENT(op, rule) [GRAPH_OP_##op] = rule,
#include "models/onnx_gradients.def"
#undef GRADIENT
};

onnx_gradient_rule onnx_gradient_find(graph_op op) {
    return rules[op];
}

/* ------------------------------------------------------------------------------- dependence */

/* Room for what is known of all values of g. */
static void make_room(onnx_gradient *d) {
    const uint32_t count = d->g->value_count, capacity = count + count / 2 + 64;
    if (d->u->status != ONDOL_OK || count <= d->capacity) return;
    graph_value_id *adjoint = base_alloc(d->allocator, capacity, sizeof *adjoint);
    bool *depends = base_calloc(d->allocator, capacity, sizeof *depends);
    bool *is_leaf = base_calloc(d->allocator, capacity, sizeof *is_leaf);
    if (!adjoint || !depends || !is_leaf) {
        base_free(d->allocator, adjoint);
        base_free(d->allocator, depends);
        base_free(d->allocator, is_leaf);
        upgrade_fail(d->u, ONDOL_E_MEMORY, "no memory for the derivatives of %u values", count);
        return;
    }
    for (uint32_t i = 0; i < capacity; i++)
        adjoint[i] = i < d->capacity ? d->adjoint[i] : GRAPH_NONE;
    if (d->capacity) {
        memcpy(depends, d->depends, d->capacity * sizeof *depends);
        memcpy(is_leaf, d->is_leaf, d->capacity * sizeof *is_leaf);
    }
    base_free(d->allocator, d->adjoint);
    base_free(d->allocator, d->depends);
    base_free(d->allocator, d->is_leaf);
    d->adjoint = adjoint;
    d->depends = depends;
    d->is_leaf = is_leaf;
    d->capacity = capacity;
}

static bool depends_on_xs(const onnx_gradient *d, graph_value_id v) {
    return v != GRAPH_NONE && v < d->capacity && d->depends[v];
}

bool gradient_reads(const graph *g, graph_node_id n, bool (*see)(void *, graph_value_id),
                    void *user) {
    const graph_node *node = g->nodes + n;
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->inputs[i] != GRAPH_NONE && see(user, node->inputs[i])) return true;
    for (uint32_t i = 0; i < node->attribute_count; i++) {
        const graph_attribute *a = node->attributes + i;
        if (a->type != GRAPH_ATTRIBUTE_GRAPH && a->type != GRAPH_ATTRIBUTE_GRAPHS) continue;
        const uint32_t count = a->type == GRAPH_ATTRIBUTE_GRAPH ? 1 : a->int_count;
        for (uint32_t k = 0; k < count; k++)
            for (uint32_t v = 0; v < a->graphs[k]->value_count; v++) {
                const graph_value *inner = a->graphs[k]->values + v;
                if (inner->kind == GRAPH_VALUE_CAPTURE && see(user, inner->outer)) return true;
            }
    }
    return false;
}

static bool see_dependent(void *user, graph_value_id v) {
    return depends_on_xs(user, v);
}

static bool is_float(const graph_value *v) {
    return v->element == TENSOR_ELEMENT_UNDEFINED ||
           tensor_element_kind_of(v->element) == TENSOR_KIND_FLOAT;
}

/* Whether node n's float outputs depend on xs, now that its inputs are known to. */
static void mark_node(onnx_gradient *d, graph_node_id n) {
    const graph_node *node = d->g->nodes + n;
    if (!gradient_reads(d->g, n, see_dependent, d)) return;
    for (uint32_t i = 0; i < node->output_count; i++) {
        const graph_value_id v = node->outputs[i];
        if (v != GRAPH_NONE && is_float(d->g->values + v)) d->depends[v] = true;
    }
}

/* ---------------------------------------------------------------------------------- adjoints */

graph_value_id gradient_in(const onnx_gradient *d, graph_node_id n, uint32_t i) {
    const graph_node *node = d->g->nodes + n;
    return i < node->input_count ? node->inputs[i] : GRAPH_NONE;
}

graph_value_id gradient_out(const onnx_gradient *d, graph_node_id n, uint32_t i) {
    const graph_node *node = d->g->nodes + n;
    return i < node->output_count ? node->outputs[i] : GRAPH_NONE;
}

graph_value_id gradient_of(const onnx_gradient *d, graph_node_id n, uint32_t i) {
    const graph_value_id v = gradient_out(d, n, i);
    if (!depends_on_xs(d, v) || d->is_leaf[v]) return GRAPH_NONE;
    return d->adjoint[v];
}

bool gradient_wants(const onnx_gradient *d, graph_node_id n, uint32_t i) {
    return d->u->status == ONDOL_OK && depends_on_xs(d, gradient_in(d, n, i));
}

static void add_to(onnx_gradient *d, graph_value_id to, graph_value_id v) {
    if (d->u->status != ONDOL_OK) return;
    d->adjoint[to] =
        d->adjoint[to] == GRAPH_NONE ? v : upgrade_binary(d->u, GRAPH_OP_ADD, d->adjoint[to], v);
}

void gradient_add(onnx_gradient *d, graph_node_id n, uint32_t i, graph_value_id v) {
    if (gradient_wants(d, n, i)) add_to(d, gradient_in(d, n, i), v);
}

static bool is_known_shape(const graph_shape *s) {
    if (s->rank == GRAPH_RANK_UNKNOWN) return false;
    for (uint32_t i = 0; i < s->rank; i++)
        if (s->dims[i] == GRAPH_DIM_UNKNOWN) return false;
    return true;
}

/* v summed over the dimensions that `like` was repeated along: those where their shapes differ,
 * like's being filled up with ones in front. */
static graph_value_id sum_to(onnx_gradient *d, graph_value_id v, graph_value_id like) {
    onnx_upgrade *u = d->u;
    if (u->status != ONDOL_OK) return GRAPH_NONE;
    const graph_shape *from = &d->g->values[v].shape, *to = &d->g->values[like].shape;
    if (is_known_shape(from) && is_known_shape(to) && graph_shape_equal(from, to)) return v;
    const int64_t one = 1, zero = 0;
    const graph_value_id shape = upgrade_shape(u, v), wanted = upgrade_shape(u, like);
    const graph_value_id more =
        gradient_minus(d, upgrade_rank_value(u, v), upgrade_rank_value(u, like));
    const graph_value_id ones = upgrade_binary(u, GRAPH_OP_EXPAND, upgrade_ints(u, &one, 1), more);
    const graph_value_id same =
        upgrade_binary(u, GRAPH_OP_EQUAL, upgrade_concat(u, ones, wanted), shape);
    const graph_value_id places =
        upgrade_unary(u, GRAPH_OP_NON_ZERO, upgrade_unary(u, GRAPH_OP_NOT, same));
    const graph_value_id axes =
        upgrade_binary(u, GRAPH_OP_SQUEEZE, places, upgrade_ints(u, &zero, 1));
    const graph_value_id inputs[] = {v, axes};
    const graph_node_id n = upgrade_node(u, GRAPH_OP_REDUCE_SUM, inputs, 2, 1);
    upgrade_set_int(u, n, "noop_with_empty_axes", 1);
    return upgrade_reshape(u, upgrade_finish(u, n), wanted);
}

void gradient_add_summed(onnx_gradient *d, graph_node_id n, uint32_t i, graph_value_id v) {
    if (gradient_wants(d, n, i)) gradient_add(d, n, i, sum_to(d, v, gradient_in(d, n, i)));
}

void gradient_fail(onnx_gradient *d, graph_node_id n, const char *why) {
    const graph_node *node = d->g->nodes + n;
    upgrade_fail(d->u, ONDOL_E_UNSUPPORTED, "node '%.80s' (%s): %s", node->name,
                 graph_op_info_of(node->op)->name, why);
}

/* ---------------------------------------------------------------------------- the way back */

static void go_back_over(onnx_gradient *d, graph_node_id n) {
    const graph_node *node = d->g->nodes + n;
    const uint32_t before = d->g->node_count;
    bool has_adjoint = false;
    for (uint32_t i = 0; i < node->output_count; i++)
        has_adjoint = has_adjoint || gradient_of(d, n, i) != GRAPH_NONE;
    if (!has_adjoint || d->u->status != ONDOL_OK) return;
    onnx_gradient_rule rule = onnx_gradient_find(node->op);
    if (!rule) {
        gradient_fail(d, n, "the derivative of this operator is not known");
        return;
    }
    rule(d, n);
    const uint64_t made = d->g->node_count - before;
    if (made > d->nodes_left) {
        upgrade_fail(d->u, ONDOL_E_LIMIT, "derivatives make more than %u nodes",
                     ONNX_IMPORT_MAX_NODES);
        return;
    }
    if (!d->depth) d->nodes_left -= made;
}

void gradient_by_form(onnx_gradient *d, graph_node_id n, onnx_gradient_form form) {
    const graph_node_id first = d->g->node_count;
    const uint32_t count = d->g->nodes[n].output_count;
    graph_value_id outputs[4] = {GRAPH_NONE, GRAPH_NONE, GRAPH_NONE, GRAPH_NONE};
    if (count > 4 || ++d->depth > MAX_DEPTH) {
        gradient_fail(d, n, "it is written as operators that are written as others");
        return;
    }
    form(d, n, outputs);
    make_room(d);
    const graph_node_id end = d->g->node_count;
    for (graph_node_id k = first; k < end && d->u->status == ONDOL_OK; k++)
        mark_node(d, k);
    for (uint32_t i = 0; i < count && d->u->status == ONDOL_OK; i++) {
        const graph_value_id v = gradient_of(d, n, i);
        if (v == GRAPH_NONE || outputs[i] == GRAPH_NONE) continue;
        if (depends_on_xs(d, outputs[i])) add_to(d, outputs[i], v);
    }
    for (graph_node_id k = end; k-- > first && d->u->status == ONDOL_OK;)
        go_back_over(d, k);
    d->depth--;
}

/* Marks what depends on xs, in order, then goes back from y. */
static void differentiate(onnx_gradient *d, const graph_value_id *xs, uint32_t x_count,
                          graph_value_id y) {
    make_room(d);
    for (uint32_t i = 0; i < x_count && d->u->status == ONDOL_OK; i++) {
        d->depends[xs[i]] = true;
        d->is_leaf[xs[i]] = true;
    }
    const graph_node_id end = d->g->node_count;
    for (graph_node_id n = 0; n < end && d->u->status == ONDOL_OK; n++)
        mark_node(d, n);
    if (d->u->status != ONDOL_OK || !d->depends[y]) return;
    const graph_value_id ones = gradient_filled(d, 1, y);
    make_room(d);
    if (d->u->status == ONDOL_OK) d->adjoint[y] = ones;
    for (graph_node_id n = end; n-- > 0 && d->u->status == ONDOL_OK;)
        go_back_over(d, n);
}

/* -------------------------------------------------------------------------------- the node */

/* What the node's attributes name. */
typedef struct gradient_names {
    graph_value_id *named, *xs; /* [count]: values of xs, then zs; inputs that stand for them */
    uint32_t x_count, count;
    graph_value_id y;
} gradient_names;

static void find_name(onnx_importer *im, const onnx_import_scope *s, onnx_upgrade *u,
                      tensor_string name, graph_value_id *out) {
    const onnx_string text = {name.text, name.size_bytes};
    if (u->status == ONDOL_OK) u->status = onnx_scope_find(im, s, text, out);
    if (u->status == ONDOL_OK && *out == GRAPH_NONE) {
        upgrade_fail(u, ONDOL_E_FORMAT, "'%.*s' is an argument that is absent", onnx_shown(text),
                     onnx_chars(text));
    }
}

static void find_names(onnx_importer *im, const onnx_import_scope *s, onnx_upgrade *u,
                       gradient_names *out) {
    const graph_attribute *xs = upgrade_attribute(u, "xs"), *zs = upgrade_attribute(u, "zs");
    const graph_attribute *y = upgrade_attribute(u, "y");
    out->x_count = xs ? xs->int_count : 0;
    out->count = out->x_count + (zs ? zs->int_count : 0);
    if (!y || out->count != u->input_count || u->output_count > out->x_count) {
        upgrade_fail(u, ONDOL_E_FORMAT, "%u inputs and %u outputs for %u xs and zs, of which %u xs",
                     u->input_count, u->output_count, out->count, out->x_count);
        return;
    }
    out->named = base_arena_alloc(&u->g->arena, out->count + 1u, sizeof *out->named);
    out->xs = base_arena_alloc(&u->g->arena, out->count + 1u, sizeof *out->xs);
    if (!out->named || !out->xs) {
        upgrade_fail(u, ONDOL_E_MEMORY, "no memory for its names");
        return;
    }
    find_name(im, s, u, (tensor_string){y->s, y->s_bytes}, &out->y);
    for (uint32_t i = 0; i < out->count; i++) {
        const bool is_x = i < out->x_count;
        find_name(im, s, u, is_x ? xs->strings[i] : zs->strings[i - out->x_count], out->named + i);
        out->xs[i] = u->inputs[i];
        if (out->xs[i] == GRAPH_NONE) upgrade_fail(u, ONDOL_E_FORMAT, "input %u is absent", i);
    }
}

/* Only nodes of this graph are looked at: y and all between must be computed in it. */
static void check_place(onnx_upgrade *u, const gradient_names *names) {
    const graph *g = u->g;
    bool x_is_outside = false, other_is_outside = g->values[names->y].kind == GRAPH_VALUE_CAPTURE;
    for (uint32_t i = 0; i < names->count; i++) {
        x_is_outside = x_is_outside || g->values[names->named[i]].kind == GRAPH_VALUE_CAPTURE;
        if (names->named[i] == names->y) other_is_outside = false;
    }
    for (graph_value_id v = 0; v < g->value_count && x_is_outside && !other_is_outside; v++) {
        const graph *at = g;
        graph_value_id outer = v;
        bool is_named = false;
        for (uint32_t i = 0; i < names->count; i++)
            is_named = is_named || names->named[i] == v;
        if (is_named || g->values[v].kind != GRAPH_VALUE_CAPTURE) continue;
        while (at->values[outer].kind == GRAPH_VALUE_CAPTURE) {
            outer = at->values[outer].outer;
            at = at->parent;
        }
        other_is_outside = at->values[outer].kind == GRAPH_VALUE_INTERMEDIATE;
    }
    if (other_is_outside) {
        upgrade_fail(u, ONDOL_E_UNSUPPORTED,
                     "some of what it differentiates is computed outside of "
                     "the graph that it stands in");
    }
}

static void check_types(onnx_upgrade *u, const gradient_names *names) {
    for (uint32_t i = 0; i < names->x_count; i++) {
        if (is_float(u->g->values + names->xs[i])) continue;
        upgrade_fail(u, ONDOL_E_FORMAT, "input %u is no tensor of floats", i);
    }
    if (!is_float(u->g->values + names->y))
        upgrade_fail(u, ONDOL_E_FORMAT, "y is no tensor of floats");
}

static void run(onnx_gradient *d, gradient_names *names) {
    onnx_upgrade *u = d->u;
    check_place(u, names);
    check_types(u, names);
    bool is_same = true;
    for (uint32_t i = 0; i < names->count; i++)
        is_same = is_same && names->named[i] == names->xs[i];
    if (!is_same && u->status == ONDOL_OK) {
        gradient_evaluate_at(d, names->named, names->count, names->xs, &names->y);
    }
    if (u->status != ONDOL_OK) return;
    differentiate(d, names->xs, names->x_count, names->y);
    for (uint32_t i = 0; i < u->output_count && u->status == ONDOL_OK; i++) {
        const graph_value_id v = d->adjoint[names->xs[i]];
        if (!u->wanted[i]) continue;
        /* A value of its own, which takes the file's name. */
        upgrade_give(u, i,
                     v == GRAPH_NONE ? gradient_filled(d, 0, names->xs[i])
                                     : upgrade_unary(u, GRAPH_OP_IDENTITY, v));
    }
}

ondol_status onnx_import_gradient(onnx_importer *im, const onnx_import_scope *s, onnx_upgrade *u) {
    onnx_gradient d = {.u = u, .g = u->g, .allocator = im->allocator, .nodes_left = im->nodes_left};
    gradient_names names = {.y = GRAPH_NONE};
    const uint64_t looked_at = (u->g->node_count >> 8) + 1;
    u->status = ONDOL_OK;
    for (uint32_t i = 0; i < u->output_count; i++)
        u->outputs[i] = GRAPH_NONE;
    if (looked_at > d.nodes_left) {
        return base_fail(im->err, ONDOL_E_LIMIT, "there are too many derivatives of many nodes");
    }
    d.nodes_left -= looked_at;
    find_names(im, s, u, &names);
    if (u->status == ONDOL_OK) run(&d, &names);
    im->nodes_left = d.nodes_left;
    base_free(d.allocator, d.adjoint);
    base_free(d.allocator, d.depends);
    base_free(d.allocator, d.is_leaf);
    return u->status;
}
