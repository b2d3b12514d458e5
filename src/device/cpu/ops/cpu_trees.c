/* TreeEnsemble, TreeEnsembleClassifier, TreeEnsembleRegressor. In: rows of features. Out: what the
 * trees vote for, summed in double in the order of the trees, as the oracle does; blocks of rows on
 * all threads. */
#include "device/cpu/ops/cpu_trees.h"

#include <inttypes.h>
#include <string.h>

#include "tensor/number.h"

#define BLOCK_ROWS    64u
#define BLOCK_TARGETS 65536u /* of a block's rows together */

/* A run under way. scores: [threads][block * targets]; out: [threads][targets]; row:
 * [threads][features] or NULL; classes: [rows] of a classifier. */
typedef struct trees_job {
    const cpu_trees *t;
    const tensor_value *x;
    tensor_value *y;
    host_score *scores;
    double *out, *row;
    uint32_t *classes;
    uint64_t rows, features, block;
} trees_job;

ondol_status cpu_prepare_trees(const plan_device *d, const ondol_allocator *a, const graph *g,
                               graph_node_id n, base_pool *pool, void **state, ondol_error *err) {
    cpu_trees *t = base_calloc(a, 1, sizeof *t);
    (void)d, (void)pool;
    if (!t) return base_no_memory(err, "trees", sizeof *t);
    *state = t;
    ondol_status status = host_trees_create(a, g, n, &t->trees, err);
    return status == ONDOL_OK ? cpu_trees_pack(a, t, err) : status;
}

void cpu_release_trees(const ondol_allocator *a, void *state) {
    cpu_trees *t = state;
    if (!t) return;
    host_trees_destroy(a, t->trees);
    base_free(a, t->nodes);
    base_free(a, t->origins);
    base_free(a, t->values);
    base_free(a, t->roots);
    base_free(a, t);
}

static void vote_at(const trees_job *j, uint32_t node, host_score *scores) {
    if (j->t->values) {
        scores->value += j->t->values[node];
        scores->is_set = true;
    } else {
        host_trees_vote(j->t->trees, j->t->trees->nodes + j->t->origins[node], scores);
    }
}

/* Rows [first, first + count) of f32, several at a time. */
static void walk_block(const trees_job *j, uint64_t first, uint64_t count, host_score *scores) {
    const host_trees *t = j->t->trees;
    const float *x = (const float *)j->x->data + first * j->features;
    uint32_t leaves[CPU_TREE_ROWS];
    for (uint32_t tree = 0; tree < t->root_count; tree++) {
        const uint32_t root = j->t->roots[tree];
        uint64_t r = 0;
        for (; r + CPU_TREE_ROWS <= count; r += CPU_TREE_ROWS) {
            cpu_trees_walk(j->t, root, x + r * j->features, (size_t)j->features, leaves);
            for (uint64_t k = 0; k < CPU_TREE_ROWS; k++)
                vote_at(j, leaves[k], scores + (r + k) * t->targets);
        }
        for (; r < count; r++)
            vote_at(j, cpu_trees_walk_one(j->t, root, x + r * j->features),
                    scores + r * t->targets);
    }
}

/* Rows of any type and trees of any mode, one at a time. */
static void walk_rows(const trees_job *j, uint64_t first, uint64_t count, double *row,
                      host_score *scores) {
    const host_trees *t = j->t->trees;
    for (uint64_t r = 0; r < count; r++) {
        for (uint64_t i = 0; i < j->features; i++)
            row[i] = tensor_get_number(j->x->element, j->x->data, (first + r) * j->features + i);
        for (uint32_t tree = 0; tree < t->root_count; tree++)
            host_trees_vote(t, host_trees_leaf(t, t->roots[tree], row), scores + r * t->targets);
    }
}

static void run_block(uint32_t unit, unsigned thread, void *argument) {
    const trees_job *j = argument;
    const host_trees *t = j->t->trees;
    const uint64_t first = unit * j->block;
    const uint64_t count = j->rows - first < j->block ? j->rows - first : j->block;
    host_score *scores = j->scores + thread * j->block * t->targets;
    double *out = j->out + (uint64_t)thread * t->targets;
    memset(scores, 0, (size_t)(count * t->targets) * sizeof *scores);
    if (j->row)
        walk_rows(j, first, count, j->row + thread * j->features, scores);
    else
        walk_block(j, first, count, scores);
    for (uint64_t r = 0; r < count; r++) {
        host_score *s = scores + r * t->targets;
        if (j->classes)
            j->classes[first + r] = host_trees_classify(t, s, out);
        else
            host_trees_finish(t, s, out);
        for (uint32_t i = 0; i < t->targets; i++)
            tensor_set_number(j->y->element, j->y->data, (first + r) * t->targets + i, out[i]);
    }
}

/* count * size bytes of working memory. Errors: LIMIT, MEMORY. */
static ondol_status take(plan_call *c, uint64_t count, size_t size, void **out, ondol_error *err) {
    return tensor_heap_alloc(c->heap, count * size, "trees", out, err);
}

static ondol_status run_job(plan_call *c, trees_job *j, ondol_error *err) {
    const host_trees *t = j->t->trees;
    const unsigned threads = c->pool ? base_pool_thread_count(c->pool) : 1;
    const bool is_fast = j->t->nodes && j->features && j->x->element == TENSOR_ELEMENT_F32;
    void *scores = NULL, *out = NULL, *row = NULL;
    ondol_status status = ONDOL_OK;
    j->block =
        t->targets < BLOCK_TARGETS / BLOCK_ROWS ? BLOCK_ROWS : BLOCK_TARGETS / t->targets + 1;
    if (j->rows / j->block >= UINT32_MAX) j->block = j->rows / (UINT32_MAX / 2);
    TRY(take(c, j->block * t->targets * threads, sizeof(host_score), &scores, err));
    TRY(take(c, (uint64_t)t->targets * threads, sizeof(double), &out, err));
    if (!is_fast) TRY(take(c, j->features * threads, sizeof(double), &row, err));
    j->scores = scores;
    j->out = out;
    j->row = row;
    plan_call_parallel(c, (uint32_t)((j->rows + j->block - 1) / j->block), run_block, j);
done:
    tensor_heap_free(c->heap, scores);
    tensor_heap_free(c->heap, out);
    tensor_heap_free(c->heap, row);
    return status;
}

ondol_status cpu_run_trees(plan_call *c, ondol_error *err) {
    trees_job j = {.t = c->state};
    const host_trees *t = j.t->trees;
    const bool is_classifier = t->labels.count != 0;
    const bool by_places = c->g->nodes[c->node].op == GRAPH_OP_ML_TREE_ENSEMBLE;
    tensor_value *x = NULL, *labels = NULL;
    void *classes = NULL;
    ondol_status status = ONDOL_OK;
    TRY(host_rows(c, &x, &j.rows, &j.features, err));
    if (j.features < t->features) {
        return plan_call_fail(c, err, "rows of %" PRIu64 " features, the trees look at %" PRIu32,
                              j.features, t->features);
    }
    j.x = x;
    const int64_t dims[2] = {(int64_t)j.rows, t->targets};
    if (is_classifier) TRY(host_labels_output(c, 0, j.rows, &t->labels, &labels, err));
    TRY(plan_call_output(c, is_classifier, by_places ? x->element : TENSOR_ELEMENT_F32, 2, dims,
                         &j.y, err));
    if (is_classifier) TRY(take(c, j.rows, sizeof(uint32_t), &classes, err));
    j.classes = classes;
    if (j.rows) TRY(run_job(c, &j, err));
    for (uint64_t r = 0; r < j.rows && is_classifier; r++)
        TRY(host_labels_set(labels, r, &t->labels, j.classes[r], err));
done:
    tensor_heap_free(c->heap, classes);
    return status;
}
