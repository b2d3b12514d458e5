/* Ensembles of decision trees, as the attributes of TreeEnsemble, TreeEnsembleClassifier and
 * TreeEnsembleRegressor spell them. Devices that compute in host memory share them. */
#ifndef DEVICE_HOST_TREES_H
#define DEVICE_HOST_TREES_H

#include "device/host_scores.h"

/* The numbers are those of TreeEnsemble's nodes_modes and aggregate_function. */
typedef enum host_tree_mode {
    HOST_TREE_LEQ,
    HOST_TREE_LT,
    HOST_TREE_GTE,
    HOST_TREE_GT,
    HOST_TREE_EQ,
    HOST_TREE_NEQ,
    HOST_TREE_MEMBER,
    HOST_TREE_LEAF
} host_tree_mode;

typedef enum host_aggregate {
    HOST_AGGREGATE_AVERAGE,
    HOST_AGGREGATE_SUM,
    HOST_AGGREGATE_MIN,
    HOST_AGGREGATE_MAX
} host_aggregate;

/* A node. Leaf: votes [yes, yes + no). Member: yes where the feature is among
 * members [first, first + count), in ascending order. */
typedef struct host_tree_node {
    double split;
    uint32_t feature, yes, no; /* yes and no: indices of nodes */
    uint32_t first, count;
    uint8_t mode;
    bool missing_is_yes; /* NaN goes to yes; otherwise wherever the comparison says */
} host_tree_node;

typedef struct host_tree_vote {
    double weight;
    uint32_t target;
} host_tree_vote;

typedef struct host_trees {
    host_tree_node *nodes;
    host_tree_vote *votes;
    uint32_t *roots;
    double *members, *base; /* base: [base_count], 0 or targets or (of classifiers) 1 or 2 */
    uint32_t node_count, vote_count, root_count, member_count, base_count;
    uint32_t targets;  /* or classes; not 0 */
    uint32_t features; /* of a row, at least */
    host_aggregate aggregate;
    host_transform transform;
    host_labels labels;          /* of a classifier */
    bool one_class, is_positive; /* of a classifier: all votes are for one of two classes; no
                                  * weight is negative */
} host_trees;

/* Of a TreeEnsembleClassifier, TreeEnsembleRegressor or TreeEnsemble node, all checked: every walk
 * from a root ends at a leaf. Errors: FORMAT with what does not fit, MEMORY. */
ondol_status host_trees_create(const ondol_allocator *a, const graph *g, graph_node_id n,
                               host_trees **out, ondol_error *err);
void host_trees_destroy(const ondol_allocator *a, host_trees *t);

/* The leaf that a row [t->features at least] comes to from a root. */
const host_tree_node *host_trees_leaf(const host_trees *t, uint32_t root, const double *row);

/* A sum, minimum or maximum of votes under way. */
typedef struct host_score {
    double value;
    bool is_set;
} host_score;

/* Adds the leaf's votes in their order. scores: [t->targets]. */
void host_trees_vote(const host_trees *t, const host_tree_node *leaf, host_score *scores);

/* Of a regressor, when all trees have voted: the average, base values, the transform.
 * out: [t->targets]. */
void host_trees_finish(const host_trees *t, const host_score *scores, double *out);

/* Of a classifier: the class, and out: [t->targets], as ONNX Runtime has them with one or two
 * classes; but a class is always one of the labels, and PROBIT of one score gives both. */
uint32_t host_trees_classify(const host_trees *t, host_score *scores, double *out);

#endif
