/* Trees of TreeEnsemble. In: lists of nodes that name one another and leaves by place. Out: nodes,
 * then leaves, in one array. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "device/host_trees_read.h"
#include "tensor/number.h"

/* The lists, of `count` nodes and `leaf_count` leaves. */
typedef struct place_lists {
    uint32_t count, leaf_count;
    const int64_t *features, *yes, *no, *yes_is_leaf, *no_is_leaf, *missing, *targets;
    const graph_tensor *modes;
    trees_numbers splits, weights, members;
} place_lists;

static ondol_status read_modes(trees_reading *r, place_lists *l) {
    const graph_attribute *modes = graph_get_attribute(r->c.g, r->c.node, "nodes_modes");
    uint64_t count = 0;
    l->modes = modes ? modes->tensors : NULL;
    if (!modes || l->modes->element != TENSOR_ELEMENT_U8 ||
        !graph_shape_elements(&l->modes->shape, &count) || count != l->count) {
        return plan_call_fail(
            &r->c, r->err, "nodes_modes is no tensor of %" PRIu32 " elements of uint8", l->count);
    }
    return ONDOL_OK;
}

static ondol_status read_lists(trees_reading *r, place_lists *l) {
    uint32_t missing = 0;
    ondol_status status = ONDOL_OK;
    TRY(trees_ints(r, "nodes_featureids", GRAPH_MANY, &l->features, &l->count));
    TRY(trees_ints(r, "nodes_truenodeids", l->count, &l->yes, NULL));
    TRY(trees_ints(r, "nodes_falsenodeids", l->count, &l->no, NULL));
    TRY(trees_ints(r, "nodes_trueleafs", l->count, &l->yes_is_leaf, NULL));
    TRY(trees_ints(r, "nodes_falseleafs", l->count, &l->no_is_leaf, NULL));
    TRY(trees_ints(r, "nodes_missing_value_tracks_true", GRAPH_MANY, &l->missing, &missing));
    if (missing) TRY(trees_ints(r, "nodes_missing_value_tracks_true", l->count, &l->missing, NULL));
    if (!missing) l->missing = NULL;
    TRY(read_modes(r, l));
    TRY(trees_numbers_read(r, "nodes_splits", "nodes_splits", &l->splits));
    TRY(trees_numbers_read(r, "leaf_weights", "leaf_weights", &l->weights));
    TRY(trees_numbers_read(r, "membership_values", "membership_values", &l->members));
    TRY(trees_ints(r, "leaf_targetids", GRAPH_MANY, &l->targets, &l->leaf_count));
    if (l->splits.count != l->count || l->weights.count != l->leaf_count || l->count > INT32_MAX ||
        l->leaf_count > INT32_MAX) {
        return plan_call_fail(&r->c, r->err,
                              "%" PRIu32 " nodes and %" PRIu32 " splits, %" PRIu32
                              " leaves and %" PRIu32 " weights",
                              l->count, l->splits.count, l->leaf_count, l->weights.count);
    }
done:
    return status;
}

/* Where the branch of node i leads: nodes come first, leaves behind them. */
static ondol_status find_branch(trees_reading *r, const place_lists *l, uint32_t i, bool yes,
                                uint32_t *out) {
    const int64_t at = yes ? l->yes[i] : l->no[i];
    const bool is_leaf = (yes ? l->yes_is_leaf[i] : l->no_is_leaf[i]) != 0;
    const uint32_t count = is_leaf ? l->leaf_count : l->count;
    if (at < 0 || at >= count) {
        return plan_call_fail(
            &r->c, r->err, "the %s branch of node %" PRIu32 " leads to %s %" PRId64 " of %" PRIu32,
            yes ? "true" : "false", i, is_leaf ? "leaf" : "node", at, count);
    }
    *out = (uint32_t)at + (is_leaf ? l->count : 0);
    return ONDOL_OK;
}

static int compare_numbers(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The next set of membership_values, up to a NaN. */
static ondol_status take_members(trees_reading *r, const place_lists *l, host_tree_node *n,
                                 uint32_t *next) {
    host_trees *t = r->t;
    if (*next >= l->members.count) {
        return plan_call_fail(&r->c, r->err,
                              "membership_values has fewer sets than nodes that ask for one");
    }
    n->first = t->member_count;
    for (; *next < l->members.count; ++*next) {
        const double v = trees_number(&l->members, *next);
        if (isnan(v)) break;
        t->members[t->member_count++] = v;
    }
    ++*next;
    n->count = t->member_count - n->first;
    qsort(t->members + n->first, n->count, sizeof(double), compare_numbers);
    return ONDOL_OK;
}

static ondol_status fill_nodes(trees_reading *r, const place_lists *l) {
    uint32_t next = 0;
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < l->count; i++) {
        host_tree_node *n = r->t->nodes + i;
        n->mode = ((const uint8_t *)l->modes->data)[i];
        if (n->mode > HOST_TREE_MEMBER || l->features[i] < 0 || l->features[i] >= INT32_MAX) {
            return plan_call_fail(&r->c, r->err,
                                  "node %" PRIu32 " is of mode %u and looks at feature %" PRId64, i,
                                  (unsigned)n->mode, l->features[i]);
        }
        n->feature = (uint32_t)l->features[i];
        n->split = trees_number(&l->splits, i);
        n->missing_is_yes = l->missing && l->missing[i] != 0;
        TRY(find_branch(r, l, i, true, &n->yes));
        TRY(find_branch(r, l, i, false, &n->no));
        if (n->mode == HOST_TREE_MEMBER) TRY(take_members(r, l, n, &next));
    }
done:
    return status;
}

static ondol_status fill_leaves(trees_reading *r, const place_lists *l) {
    host_trees *t = r->t;
    for (uint32_t i = 0; i < l->leaf_count; i++) {
        if (l->targets[i] < 0 || l->targets[i] >= t->targets) {
            return plan_call_fail(&r->c, r->err,
                                  "leaf %" PRIu32 " is for target %" PRId64 " of %" PRIu32, i,
                                  l->targets[i], t->targets);
        }
        t->votes[i] = (host_tree_vote){trees_number(&l->weights, i), (uint32_t)l->targets[i]};
        t->nodes[l->count + i] = (host_tree_node){.mode = HOST_TREE_LEAF, .yes = i, .no = 1};
    }
    t->vote_count = l->leaf_count;
    return ONDOL_OK;
}

static ondol_status fill_roots(trees_reading *r, const int64_t *roots, uint32_t nodes) {
    host_trees *t = r->t;
    for (uint32_t i = 0; i < t->root_count; i++) {
        if (roots[i] < 0 || roots[i] >= nodes) {
            return plan_call_fail(&r->c, r->err, "tree_roots: node %" PRId64 " of %" PRIu32,
                                  roots[i], nodes);
        }
        t->roots[i] = (uint32_t)roots[i];
    }
    return ONDOL_OK;
}

static ondol_status read_settings(trees_reading *r) {
    const int64_t targets = graph_get_int(r->c.g, r->c.node, "n_targets");
    const int64_t aggregate = graph_get_int(r->c.g, r->c.node, "aggregate_function");
    const int64_t transform = graph_get_int(r->c.g, r->c.node, "post_transform");
    if (targets < 1 || targets > INT32_MAX || aggregate < 0 || aggregate > HOST_AGGREGATE_MAX ||
        transform < 0 || transform >= HOST_TRANSFORM_COUNT) {
        return plan_call_fail(&r->c, r->err,
                              "n_targets %" PRId64 ", aggregate_function %" PRId64
                              ", post_transform %" PRId64,
                              targets, aggregate, transform);
    }
    r->t->targets = (uint32_t)targets;
    r->t->aggregate = (host_aggregate)aggregate;
    r->t->transform = (host_transform)transform;
    return ONDOL_OK;
}

ondol_status trees_read_by_places(trees_reading *r) {
    host_trees *t = r->t;
    place_lists l = {.count = 0};
    const int64_t *roots = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_settings(r));
    TRY(read_lists(r, &l));
    TRY(trees_ints(r, "tree_roots", GRAPH_MANY, &roots, &t->root_count));
    t->nodes = base_calloc(r->a, (size_t)l.count + l.leaf_count, sizeof *t->nodes);
    t->votes = base_alloc(r->a, l.leaf_count, sizeof *t->votes);
    t->roots = base_alloc(r->a, t->root_count, sizeof *t->roots);
    t->members = base_alloc(r->a, l.members.count, sizeof *t->members);
    if (!t->nodes || !t->votes || !t->roots || !t->members) {
        return base_no_memory(r->err, "trees", (uint64_t)l.count + l.leaf_count);
    }
    t->node_count = l.count + l.leaf_count;
    TRY(fill_nodes(r, &l));
    TRY(fill_leaves(r, &l));
    TRY(fill_roots(r, roots, l.count));
done:
    return status;
}
