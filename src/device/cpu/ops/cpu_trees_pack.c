/* Trees for f32 rows. In: trees with nodes of any mode. Out: nodes of 16 bytes whose children lie
 * side by side, all of one mode; and the walk of several rows at a time. */
#include <math.h>

#include "device/cpu/ops/cpu_trees.h"

/* The largest float that is <= split, or < split. */
static float float_below(double split, bool or_equal) {
    float f = (float)split;
    if (or_equal ? (double)f > split : (double)f >= split) f = nextafterf(f, -INFINITY);
    return f;
}

/* Whether a node can be said as x <= split. Nothing is below minus infinity. */
static bool is_fit(const host_tree_node *n) {
    if (n->mode == HOST_TREE_LEAF) return true;
    if (n->mode > HOST_TREE_GT || isnan(n->split)) return false;
    return (n->mode != HOST_TREE_LT && n->mode != HOST_TREE_GTE) || n->split > -INFINITY;
}

/* The node with its children at `child`; *first: which of them stands there. */
static cpu_tree_node node_of(const host_tree_node *n, uint32_t child, uint32_t *first,
                             uint32_t *second) {
    const bool turned = n->mode == HOST_TREE_GT || n->mode == HOST_TREE_GTE;
    const bool or_equal = n->mode == HOST_TREE_LEQ || n->mode == HOST_TREE_GT;
    const bool missing_is_first = n->missing_is_yes != turned;
    *first = turned ? n->no : n->yes;
    *second = turned ? n->yes : n->no;
    return (cpu_tree_node){.split = float_below(n->split, or_equal),
                           .feature = n->feature,
                           .child = child,
                           .step = 1u | (missing_is_first ? 2u : 0)};
}

/* Lays a tree out from its root on, level by level: origins is the queue. False: more than limit
 * nodes, as parts that several nodes share are repeated. */
static bool lay_out(cpu_trees *t, uint32_t root, uint32_t limit) {
    uint32_t at = t->count;
    if (t->count >= limit) return false;
    t->origins[t->count++] = root;
    for (; at < t->count; at++) {
        const host_tree_node *n = t->trees->nodes + t->origins[at];
        if (n->mode == HOST_TREE_LEAF) {
            t->nodes[at] = (cpu_tree_node){.child = at};
            continue;
        }
        if (limit - t->count < 2) return false;
        t->nodes[at] = node_of(n, t->count, t->origins + t->count, t->origins + t->count + 1);
        t->count += 2;
    }
    return true;
}

static void free_packed(const ondol_allocator *a, cpu_trees *t) {
    base_free(a, t->nodes);
    base_free(a, t->origins);
    base_free(a, t->values);
    base_free(a, t->roots);
    t->nodes = NULL;
    t->origins = NULL;
    t->values = NULL;
    t->roots = NULL;
}

/* A leaf's sum of votes, all for the only target. */
static double value_of(const host_trees *t, const host_tree_node *leaf) {
    double sum = 0;
    for (uint32_t i = leaf->yes; i < leaf->yes + leaf->no; i++)
        sum += t->votes[i].weight;
    return sum;
}

ondol_status cpu_trees_pack(const ondol_allocator *a, cpu_trees *t, ondol_error *err) {
    const host_trees *from = t->trees;
    const uint64_t limit = 2 * (uint64_t)from->node_count + from->root_count;
    bool fits = limit < UINT32_MAX;
    for (uint32_t i = 0; i < from->node_count && fits; i++)
        fits = is_fit(from->nodes + i);
    if (!fits) return ONDOL_OK;
    t->nodes = base_alloc(a, (size_t)limit, sizeof *t->nodes);
    t->origins = base_alloc(a, (size_t)limit, sizeof *t->origins);
    t->roots = base_alloc(a, from->root_count, sizeof *t->roots);
    t->values = base_alloc(a, (size_t)limit, sizeof *t->values);
    if (!t->nodes || !t->origins || !t->roots || !t->values) {
        free_packed(a, t);
        return base_no_memory(err, "trees", limit * sizeof *t->nodes);
    }
    for (uint32_t i = 0; i < from->root_count && fits; i++) {
        t->roots[i] = t->count;
        fits = lay_out(t, from->roots[i], (uint32_t)limit);
    }
    const bool is_sum =
        from->aggregate == HOST_AGGREGATE_SUM || from->aggregate == HOST_AGGREGATE_AVERAGE;
    if (from->targets != 1 || !is_sum) {
        base_free(a, t->values);
        t->values = NULL;
    }
    for (uint32_t i = 0; i < t->count && t->values; i++) {
        const host_tree_node *n = from->nodes + t->origins[i];
        t->values[i] = n->mode == HOST_TREE_LEAF ? value_of(from, n) : 0;
    }
    if (!fits) free_packed(a, t);
    return ONDOL_OK;
}

/* Where a row goes from node n with the feature's value v; a leaf stays. */
static inline uint32_t next_of(const cpu_tree_node *n, float v) {
    const uint32_t missing_is_first = (n->step >> 1) & (uint32_t)(v != v);
    const uint32_t is_second = (uint32_t) !(v <= n->split) & ~missing_is_first & n->step & 1u;
    return n->child + is_second;
}

uint32_t cpu_trees_walk_one(const cpu_trees *t, uint32_t root, const float *x) {
    uint32_t at = root;
    while (t->nodes[at].step & 1u)
        at = next_of(t->nodes + at, x[t->nodes[at].feature]);
    return at;
}

void cpu_trees_walk(const cpu_trees *t, uint32_t root, const float *x, size_t stride,
                    uint32_t *leaves) {
    uint32_t going = 1;
    for (int r = 0; r < CPU_TREE_ROWS; r++)
        leaves[r] = root;
    while (going) { /* a step for each row; those that have come to a leaf stay */
        going = 0;
        for (int r = 0; r < CPU_TREE_ROWS; r++) {
            const cpu_tree_node *n = t->nodes + leaves[r];
            going |= n->step & 1u;
            leaves[r] = next_of(n, x[(size_t)r * stride + n->feature]);
        }
    }
}
