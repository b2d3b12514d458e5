/* Ensembles of trees. In: a node's attributes. Out: one array of nodes, checked; and the walk of a
 * row through it. */
#include "device/host_trees.h"

#include <inttypes.h>
#include <math.h>

#include "device/host_trees_read.h"
#include "tensor/number.h"

ondol_status trees_ints(trees_reading *r, const char *name, uint32_t count, const int64_t **out,
                        uint32_t *got) {
    const graph_attribute *a = graph_get_attribute(r->c.g, r->c.node, name);
    const uint32_t have = a ? a->int_count : 0;
    *out = a ? a->ints : NULL;
    if (got) *got = have;
    if (count == GRAPH_MANY || have == count) return ONDOL_OK;
    return plan_call_fail(&r->c, r->err, "%s has %" PRIu32 " items, expected %" PRIu32, name, have,
                          count);
}

static ondol_status tensor_numbers(trees_reading *r, const char *name, const graph_tensor *t,
                                   trees_numbers *out) {
    const tensor_element e = t->element;
    uint64_t count = 0;
    if (e != TENSOR_ELEMENT_F32 && e != TENSOR_ELEMENT_F64 && e != TENSOR_ELEMENT_F16) {
        return plan_call_fail(&r->c, r->err, "%s is of type %s", name, tensor_element_onnx_name(e));
    }
    if (!graph_shape_elements(&t->shape, &count) || count >= UINT32_MAX) {
        return plan_call_fail(&r->c, r->err, "%s has too many elements", name);
    }
    out->tensor = t;
    out->count = (uint32_t)count;
    return ONDOL_OK;
}

ondol_status trees_numbers_read(trees_reading *r, const char *name, const char *tensor_name,
                                trees_numbers *out) {
    const graph_attribute *a = graph_get_attribute(r->c.g, r->c.node, name);
    const graph_attribute *t =
        tensor_name ? graph_get_attribute(r->c.g, r->c.node, tensor_name) : NULL;
    *out = (trees_numbers){.floats = NULL};
    if (a && a->type == GRAPH_ATTRIBUTE_FLOATS) {
        out->floats = a->floats;
        out->count = a->int_count;
    }
    if (!t || t->type != GRAPH_ATTRIBUTE_TENSOR) return ONDOL_OK;
    if (out->count) {
        return plan_call_fail(&r->c, r->err, "it has both %s and %s", name, tensor_name);
    }
    return tensor_numbers(r, tensor_name, t->tensors, out);
}

double trees_number(const trees_numbers *n, uint32_t i) {
    return n->tensor ? tensor_get_number(n->tensor->element, n->tensor->data, i) : n->floats[i];
}

/* ------------------------------------------------------------------------------ checks */

/* A walk over a tree under way: nodes are new, on the path, or done. */
enum { IS_NEW, ON_PATH, IS_DONE };

/* From one root: no node is below itself. path: [node_count], state: [node_count]. */
static bool has_cycle(const host_trees *t, uint32_t root, uint32_t *path, uint8_t *state) {
    uint32_t depth = 0;
    if (state[root] == IS_DONE) return false;
    path[depth++] = root;
    state[root] = ON_PATH;
    while (depth) {
        const host_tree_node *n = t->nodes + path[depth - 1];
        const bool is_leaf = n->mode == HOST_TREE_LEAF;
        uint32_t next = GRAPH_NONE;
        for (int k = 0; k < 2 && !is_leaf; k++) {
            const uint32_t child = k ? n->no : n->yes;
            if (state[child] == ON_PATH) return true;
            if (state[child] == IS_NEW) next = child;
        }
        if (next == GRAPH_NONE) {
            state[path[--depth]] = IS_DONE;
        } else {
            state[next] = ON_PATH;
            path[depth++] = next;
        }
    }
    return false;
}

static ondol_status check_walks(trees_reading *r) {
    const host_trees *t = r->t;
    uint32_t *path = base_alloc(r->a, t->node_count, sizeof *path);
    uint8_t *state = base_calloc(r->a, t->node_count, sizeof *state);
    ondol_status status = ONDOL_OK;
    if (!path || !state) {
        status = base_no_memory(r->err, "trees", t->node_count);
        goto done;
    }
    for (uint32_t i = 0; i < t->root_count; i++) {
        if (!has_cycle(t, t->roots[i], path, state)) continue;
        status =
            plan_call_fail(&r->c, r->err, "tree %" PRIu32 " has a node that is below itself", i);
        goto done;
    }
done:
    base_free(r->a, path);
    base_free(r->a, state);
    return status;
}

/* Votes are for targets that there are; how many features a row has at least. */
static ondol_status check_numbers(trees_reading *r) {
    host_trees *t = r->t;
    for (uint32_t i = 0; i < t->vote_count; i++) {
        if (t->votes[i].target < t->targets) continue;
        return plan_call_fail(&r->c, r->err,
                              "weight %" PRIu32 " is for target %" PRIu32 " of %" PRIu32, i,
                              t->votes[i].target, t->targets);
    }
    for (uint32_t i = 0; i < t->node_count; i++) {
        const host_tree_node *n = t->nodes + i;
        if (n->mode != HOST_TREE_LEAF && n->feature >= t->features) t->features = n->feature + 1;
    }
    return check_walks(r);
}

ondol_status host_trees_create(const ondol_allocator *a, const graph *g, graph_node_id n,
                               host_trees **out, ondol_error *err) {
    trees_reading r = {.c = {.g = g, .node = n}, .a = a, .err = err};
    const graph_op op = g->nodes[n].op;
    ondol_status status = ONDOL_OK;
    *out = NULL;
    r.t = base_calloc(a, 1, sizeof *r.t);
    if (!r.t) return base_no_memory(err, "trees", sizeof *r.t);
    TRY(op == GRAPH_OP_ML_TREE_ENSEMBLE
            ? trees_read_by_places(&r)
            : trees_read_by_ids(&r, op == GRAPH_OP_ML_TREE_ENSEMBLE_CLASSIFIER));
    TRY(check_numbers(&r));
    *out = r.t;
    return ONDOL_OK;
done:
    host_trees_destroy(a, r.t);
    return status;
}

void host_trees_destroy(const ondol_allocator *a, host_trees *t) {
    if (!t) return;
    base_free(a, t->nodes);
    base_free(a, t->votes);
    base_free(a, t->roots);
    base_free(a, t->members);
    base_free(a, t->base);
    base_free(a, t);
}

/* -------------------------------------------------------------------------------- a row */

static bool is_member(const host_trees *t, const host_tree_node *n, double v) {
    uint32_t low = n->first, high = n->first + n->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (t->members[middle] == v) return true;
        if (t->members[middle] < v)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static bool goes_to_yes(const host_trees *t, const host_tree_node *n, double v) {
    if (n->missing_is_yes && isnan(v)) return true;
    switch ((host_tree_mode)n->mode) {
    case HOST_TREE_LEQ: return v <= n->split;
    case HOST_TREE_LT: return v < n->split;
    case HOST_TREE_GTE: return v >= n->split;
    case HOST_TREE_GT: return v > n->split;
    case HOST_TREE_EQ: return v == n->split;
    case HOST_TREE_NEQ: return v != n->split;
    default: return is_member(t, n, v);
    }
}

const host_tree_node *host_trees_leaf(const host_trees *t, uint32_t root, const double *row) {
    const host_tree_node *n = t->nodes + root;
    while (n->mode != HOST_TREE_LEAF)
        n = t->nodes + (goes_to_yes(t, n, row[n->feature]) ? n->yes : n->no);
    return n;
}
