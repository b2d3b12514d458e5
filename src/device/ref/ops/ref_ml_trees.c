/* TreeEnsemble, TreeEnsembleClassifier, TreeEnsembleRegressor. In: rows of features. Out: what the
 * trees vote for, summed in double in the order of the trees; the class. */
#include <inttypes.h>
#include <string.h>

#include "device/host_trees.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

ondol_status ref_prepare_ml_trees(const plan_device *d, const ondol_allocator *a, const graph *g,
                                  graph_node_id n, base_pool *pool, void **state,
                                  ondol_error *err) {
    host_trees *t = NULL;
    (void)d, (void)pool;
    ondol_status status = host_trees_create(a, g, n, &t, err);
    *state = t;
    return status;
}

void ref_release_ml_trees(const ondol_allocator *a, void *state) {
    host_trees_destroy(a, state);
}

ondol_status ref_ml_trees(plan_call *c, ondol_error *err) {
    const host_trees *t = c->state;
    const bool is_classifier = t->labels.count != 0;
    const uint32_t scores_at = is_classifier;
    tensor_value *x = NULL, *labels = NULL, *y = NULL;
    uint64_t rows = 0, features = 0;
    void *row = NULL, *scores = NULL, *out = NULL;
    ondol_status status = ONDOL_OK;
    TRY(host_rows(c, &x, &rows, &features, err));
    if (features < t->features) {
        return plan_call_fail(c, err, "rows of %" PRIu64 " features, the trees look at %" PRIu32,
                              features, t->features);
    }
    const bool by_places = c->g->nodes[c->node].op == GRAPH_OP_ML_TREE_ENSEMBLE;
    const int64_t dims[2] = {(int64_t)rows, t->targets};
    if (is_classifier) TRY(host_labels_output(c, 0, rows, &t->labels, &labels, err));
    TRY(plan_call_output(c, scores_at, by_places ? x->element : TENSOR_ELEMENT_F32, 2, dims, &y,
                         err));
    TRY(ref_alloc(c, features, sizeof(double), "a row", &row, err));
    TRY(ref_alloc(c, t->targets, sizeof(host_score), "scores", &scores, err));
    TRY(ref_alloc(c, t->targets, sizeof(double), "scores", &out, err));
    for (uint64_t r = 0; r < rows; r++) {
        ref_load_numbers(x, r * features, features, row);
        memset(scores, 0, t->targets * sizeof(host_score));
        for (uint32_t i = 0; i < t->root_count; i++)
            host_trees_vote(t, host_trees_leaf(t, t->roots[i], row), scores);
        if (is_classifier) {
            TRY(host_labels_set(labels, r, &t->labels, host_trees_classify(t, scores, out), err));
        } else {
            host_trees_finish(t, scores, out);
        }
        ref_store_numbers(y, r * t->targets, t->targets, out);
    }
done:
    tensor_heap_free(c->heap, row);
    tensor_heap_free(c->heap, scores);
    tensor_heap_free(c->heap, out);
    return status;
}
