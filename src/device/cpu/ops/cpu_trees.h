/* Ensembles of decision trees on the cpu. */
#ifndef DEVICE_CPU_OPS_TREES_H
#define DEVICE_CPU_OPS_TREES_H

#include "device/cpu/ops/cpu_kernels.h"
#include "device/host_trees.h"

/* A node of trees for f32 rows. All comparisons are x <= split: goes to child where it holds, to
 * child + 1 where not; a leaf is its own child. */
typedef struct cpu_tree_node {
    float split;
    uint32_t feature, child;
    uint32_t step; /* bit 0: 1 but for leaves; bit 1: NaN goes to child */
} cpu_tree_node;

typedef struct cpu_trees {
    host_trees *trees;
    cpu_tree_node *nodes; /* NULL: the trees have nodes that f32 rows cannot be led by so */
    uint32_t *origins;    /* of each node: its place in trees->nodes */
    double *values;       /* of leaves with one vote, where there is one target and a sum */
    uint32_t *roots;      /* [trees->root_count] */
    uint32_t count;
} cpu_trees;

/* Fills nodes, origins, values and roots where that can be. Errors: MEMORY. */
ondol_status cpu_trees_pack(const ondol_allocator *a, cpu_trees *t, ondol_error *err);

#define CPU_TREE_ROWS 8 /* that walk together */
/* leaves[0..CPU_TREE_ROWS): where rows x, x + stride, ... come to from root; of one feature at
 * least. The other: of one row. */
void cpu_trees_walk(const cpu_trees *t, uint32_t root, const float *x, size_t stride,
                    uint32_t *leaves);

uint32_t cpu_trees_walk_one(const cpu_trees *t, uint32_t root, const float *x);

cpu_kernel_prepare cpu_prepare_trees;
cpu_kernel_release cpu_release_trees;
cpu_kernel_run cpu_run_trees;

#endif
