/* Trees of TreeEnsembleClassifier and TreeEnsembleRegressor. In: lists of nodes with ids, and of
 * weights. Out: nodes by place. */
#include <inttypes.h>
#include <string.h>

#include "base/map.h"
#include "device/host_trees_read.h"

/* The lists, each of `count` items. */
typedef struct node_lists {
    uint32_t count;
    const int64_t *trees, *ids, *features, *yes, *no, *missing; /* missing: or NULL */
    const tensor_string *modes;
    trees_numbers splits;
} node_lists;

typedef struct node_key {
    int64_t tree, id;
} node_key;

static ondol_status read_lists(trees_reading *r, node_lists *l) {
    const graph_attribute *modes = graph_get_attribute(r->c.g, r->c.node, "nodes_modes");
    uint32_t missing = 0;
    ondol_status status = ONDOL_OK;
    TRY(trees_ints(r, "nodes_nodeids", GRAPH_MANY, &l->ids, &l->count));
    if (l->count == UINT32_MAX) return plan_call_fail(&r->c, r->err, "too many nodes");
    TRY(trees_ints(r, "nodes_treeids", l->count, &l->trees, NULL));
    TRY(trees_ints(r, "nodes_featureids", l->count, &l->features, NULL));
    TRY(trees_ints(r, "nodes_truenodeids", l->count, &l->yes, NULL));
    TRY(trees_ints(r, "nodes_falsenodeids", l->count, &l->no, NULL));
    TRY(trees_ints(r, "nodes_missing_value_tracks_true", GRAPH_MANY, &l->missing, &missing));
    if (missing) TRY(trees_ints(r, "nodes_missing_value_tracks_true", l->count, &l->missing, NULL));
    if (!missing) l->missing = NULL;
    TRY(trees_numbers_read(r, "nodes_values", "nodes_values_as_tensor", &l->splits));
    const uint32_t have = modes ? modes->int_count : 0;
    if (l->splits.count != l->count || have != l->count) {
        return plan_call_fail(&r->c, r->err,
                              "%" PRIu32 " nodes_nodeids, %" PRIu32 " nodes_values and %" PRIu32
                              " nodes_modes",
                              l->count, l->splits.count, have);
    }
    l->modes = modes ? modes->strings : NULL;
done:
    return status;
}

static ondol_status find_mode(trees_reading *r, const tensor_string *s, uint8_t *out) {
    static const struct {
        const char *name;
        uint8_t mode;
    } modes[] = {{"BRANCH_LEQ", HOST_TREE_LEQ}, {"BRANCH_LT", HOST_TREE_LT},
                 {"BRANCH_GTE", HOST_TREE_GTE}, {"BRANCH_GT", HOST_TREE_GT},
                 {"BRANCH_EQ", HOST_TREE_EQ},   {"BRANCH_NEQ", HOST_TREE_NEQ},
                 {"LEAF", HOST_TREE_LEAF}};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strlen(modes[i].name) != s->size_bytes ||
            memcmp(modes[i].name, s->text, s->size_bytes) != 0) {
            continue;
        }
        *out = modes[i].mode;
        return ONDOL_OK;
    }
    return plan_call_fail(&r->c, r->err, "a node of mode '%.*s'",
                          s->size_bytes < 40 ? (int)s->size_bytes : 40,
                          s->size_bytes ? s->text : "");
}

/* Keys of all nodes -> their places; the first node of each tree is its root. */
static ondol_status index_nodes(trees_reading *r, const node_lists *l, node_key *keys,
                                base_map *places) {
    base_map trees;
    host_trees *t = r->t;
    ondol_status status = ONDOL_OK;
    base_map_init(&trees, r->a);
    for (uint32_t i = 0; i < l->count; i++) {
        bool found = false, tree_found = false;
        keys[i] = (node_key){l->trees[i], l->ids[i]};
        if (!base_map_add(places, (const char *)(keys + i), sizeof *keys, i, &found, NULL) ||
            !base_map_add(&trees, (const char *)&keys[i].tree, sizeof(int64_t), i, &tree_found,
                          NULL)) {
            status = base_no_memory(r->err, "trees", l->count);
            goto done;
        }
        if (found) {
            status =
                plan_call_fail(&r->c, r->err, "node %" PRId64 " of tree %" PRId64 " is there twice",
                               l->ids[i], l->trees[i]);
            goto done;
        }
        if (!tree_found) t->roots[t->root_count++] = i;
    }
done:
    base_map_destroy(&trees);
    return status;
}

static ondol_status find_node(trees_reading *r, const base_map *places, int64_t tree, int64_t id,
                              const char *list, uint32_t *out) {
    const node_key key = {tree, id};
    if (base_map_get(places, (const char *)&key, sizeof key, out)) return ONDOL_OK;
    return plan_call_fail(&r->c, r->err, "%s: tree %" PRId64 " has no node %" PRId64, list, tree,
                          id);
}

static ondol_status fill_nodes(trees_reading *r, const node_lists *l, const base_map *places) {
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < l->count; i++) {
        host_tree_node *n = r->t->nodes + i;
        TRY(find_mode(r, l->modes + i, &n->mode));
        if (n->mode == HOST_TREE_LEAF) continue;
        if (l->features[i] < 0 || l->features[i] >= INT32_MAX) {
            return plan_call_fail(&r->c, r->err,
                                  "node %" PRId64 " of tree %" PRId64 " looks at feature %" PRId64,
                                  l->ids[i], l->trees[i], l->features[i]);
        }
        n->feature = (uint32_t)l->features[i];
        n->split = trees_number(&l->splits, i);
        n->missing_is_yes = l->missing && l->missing[i] != 0;
        TRY(find_node(r, places, l->trees[i], l->yes[i], "nodes_truenodeids", &n->yes));
        TRY(find_node(r, places, l->trees[i], l->no[i], "nodes_falsenodeids", &n->no));
    }
done:
    return status;
}

/* The lists of votes, each of `count` items. */
typedef struct vote_lists {
    uint32_t count;
    const int64_t *trees, *nodes, *targets;
    trees_numbers weights;
} vote_lists;

static ondol_status read_votes(trees_reading *r, bool is_classifier, vote_lists *l) {
    const bool k = is_classifier;
    ondol_status status = ONDOL_OK;
    TRY(trees_ints(r, k ? "class_ids" : "target_ids", GRAPH_MANY, &l->targets, &l->count));
    TRY(trees_ints(r, k ? "class_nodeids" : "target_nodeids", l->count, &l->nodes, NULL));
    TRY(trees_ints(r, k ? "class_treeids" : "target_treeids", l->count, &l->trees, NULL));
    TRY(trees_numbers_read(r, k ? "class_weights" : "target_weights",
                           k ? "class_weights_as_tensor" : "target_weights_as_tensor",
                           &l->weights));
    if (l->weights.count == l->count) return ONDOL_OK;
    return plan_call_fail(&r->c, r->err, "%" PRIu32 " weights for %" PRIu32 " targets",
                          l->weights.count, l->count);
done:
    return status;
}

/* Places of the votes: those of a leaf side by side, in their order. Weights of other nodes are not
 * looked at. leaves: [count], working memory. */
static ondol_status place_votes(trees_reading *r, const vote_lists *l, const base_map *places,
                                uint32_t *leaves) {
    host_trees *t = r->t;
    for (uint32_t i = 0; i < l->count; i++) {
        ondol_status status = find_node(r, places, l->trees[i], l->nodes[i], "weights", leaves + i);
        if (status != ONDOL_OK) return status;
        if (t->nodes[leaves[i]].mode == HOST_TREE_LEAF) t->nodes[leaves[i]].no++;
    }
    for (uint32_t i = 0; i < t->node_count; i++) {
        if (t->nodes[i].mode != HOST_TREE_LEAF) continue;
        t->nodes[i].yes = t->vote_count;
        t->vote_count += t->nodes[i].no;
        t->nodes[i].no = 0;
    }
    for (uint32_t i = 0; i < l->count; i++) {
        host_tree_node *leaf = t->nodes + leaves[i];
        if (leaf->mode != HOST_TREE_LEAF) continue;
        if (l->targets[i] < 0 || l->targets[i] >= t->targets) {
            return plan_call_fail(&r->c, r->err,
                                  "weight %" PRIu32 " is for target %" PRId64 " of %" PRIu32, i,
                                  l->targets[i], t->targets);
        }
        t->votes[leaf->yes + leaf->no++] =
            (host_tree_vote){trees_number(&l->weights, i), (uint32_t)l->targets[i]};
    }
    return ONDOL_OK;
}

static ondol_status fill_votes(trees_reading *r, bool is_classifier, const base_map *places) {
    host_trees *t = r->t;
    vote_lists l;
    uint32_t *leaves = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_votes(r, is_classifier, &l));
    leaves = base_alloc(r->a, l.count, sizeof *leaves);
    t->votes = base_alloc(r->a, l.count, sizeof *t->votes);
    if (!leaves || !t->votes) {
        status = base_no_memory(r->err, "trees", l.count);
        goto done;
    }
    TRY(place_votes(r, &l, places, leaves));
    t->one_class = t->targets == 2 && l.count;
    t->is_positive = true;
    for (uint32_t i = 0; i < l.count; i++) {
        if (l.targets[i] != l.targets[0]) t->one_class = false;
        if (trees_number(&l.weights, i) < 0) t->is_positive = false;
    }
done:
    base_free(r->a, leaves);
    return status;
}

static ondol_status read_base(trees_reading *r, bool is_classifier) {
    host_trees *t = r->t;
    trees_numbers base;
    ondol_status status = trees_numbers_read(r, "base_values", "base_values_as_tensor", &base);
    if (status != ONDOL_OK) return status;
    const bool is_one_of_two = is_classifier && t->targets == 2 && base.count == 1;
    if (base.count && base.count != t->targets && !is_one_of_two) {
        return plan_call_fail(&r->c, r->err, "%" PRIu32 " base_values for %" PRIu32 " targets",
                              base.count, t->targets);
    }
    t->base = base_alloc(r->a, base.count, sizeof *t->base);
    if (!t->base) return base_no_memory(r->err, "trees", base.count);
    t->base_count = base.count;
    for (uint32_t i = 0; i < base.count; i++)
        t->base[i] = trees_number(&base, i);
    return ONDOL_OK;
}

static ondol_status read_targets(trees_reading *r, bool is_classifier) {
    host_trees *t = r->t;
    if (is_classifier) {
        ondol_status status = host_labels_read(&r->c, "classlabels_int64s", "classlabels_strings",
                                               &t->labels, r->err);
        t->targets = t->labels.count;
        t->aggregate = HOST_AGGREGATE_SUM;
        return status;
    }
    const int64_t targets = graph_get_int(r->c.g, r->c.node, "n_targets");
    const char *name = graph_get_string(r->c.g, r->c.node, "aggregate_function");
    static const char *const names[] = {"AVERAGE", "SUM", "MIN", "MAX"};
    if (targets < 1 || targets > INT32_MAX) {
        return plan_call_fail(&r->c, r->err, "n_targets: %" PRId64, targets);
    }
    t->targets = (uint32_t)targets;
    for (int i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        t->aggregate = (host_aggregate)i;
        return ONDOL_OK;
    }
    return plan_call_fail(&r->c, r->err,
                          "aggregate_function '%s', expected AVERAGE, SUM, MIN or MAX", name);
}

ondol_status trees_read_by_ids(trees_reading *r, bool is_classifier) {
    host_trees *t = r->t;
    node_lists l = {.count = 0};
    node_key *keys = NULL;
    base_map places;
    ondol_status status = ONDOL_OK;
    base_map_init(&places, r->a);
    TRY(host_transform_read(&r->c, &t->transform, r->err));
    TRY(read_targets(r, is_classifier));
    TRY(read_base(r, is_classifier));
    TRY(read_lists(r, &l));
    keys = base_alloc(r->a, l.count, sizeof *keys);
    t->nodes = base_calloc(r->a, l.count, sizeof *t->nodes);
    t->roots = base_alloc(r->a, l.count, sizeof *t->roots);
    if (!keys || !t->nodes || !t->roots || !base_map_reserve(&places, l.count)) {
        status = base_no_memory(r->err, "trees", l.count);
        goto done;
    }
    t->node_count = l.count;
    TRY(index_nodes(r, &l, keys, &places));
    TRY(fill_nodes(r, &l, &places));
    TRY(fill_votes(r, is_classifier, &places));
done:
    base_map_destroy(&places);
    base_free(r->a, keys);
    return status;
}
