/* LinearClassifier, LinearRegressor. In: rows of features. Out: a score for each class or target:
 * features times coefficients in double, in the order of features, and the intercept; classes. */
#include <inttypes.h>

#include "device/host_scores.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

/* What both operators share. */
typedef struct linear {
    tensor_value *x;
    uint64_t rows, features;
    const double *coefficients, *intercepts; /* [outputs, features]; [outputs] or NULL */
    uint64_t outputs;
    host_transform transform;
} linear;

/* outputs 0: as many as the coefficients are for. Errors: FORMAT. */
static ondol_status read_linear(const plan_call *c, uint64_t outputs, linear *l, ondol_error *err) {
    uint32_t coefficients = 0, intercepts = 0;
    ondol_status status = host_rows(c, &l->x, &l->rows, &l->features, err);
    if (status == ONDOL_OK) status = host_transform_read(c, &l->transform, err);
    if (status != ONDOL_OK) return status;
    l->coefficients = host_floats(c, "coefficients", &coefficients);
    l->intercepts = host_floats(c, "intercepts", &intercepts);
    if (!outputs) outputs = intercepts;
    if (!outputs && l->features) outputs = coefficients / l->features;
    l->outputs = outputs;
    if (!intercepts) l->intercepts = NULL;
    const bool fits = outputs && outputs <= UINT32_MAX && l->features <= UINT32_MAX &&
                      outputs * l->features == coefficients &&
                      (!intercepts || intercepts == outputs);
    if (fits) return ONDOL_OK;
    return plan_call_fail(c, err,
                          "%" PRIu32 " coefficients and %" PRIu32 " intercepts for %" PRIu64
                          " outputs of %" PRIu64 " features",
                          coefficients, intercepts, outputs, l->features);
}

/* row: [features]; scores: [outputs]. */
static void score_row(const linear *l, const double *row, double *scores) {
    for (uint64_t k = 0; k < l->outputs; k++) {
        const double *w = l->coefficients + k * l->features;
        double sum = 0;
        for (uint64_t i = 0; i < l->features; i++)
            sum += row[i] * w[i];
        scores[k] = l->intercepts ? sum + l->intercepts[k] : sum;
    }
}

ondol_status ref_ml_linear_regressor(plan_call *c, ondol_error *err) {
    const int64_t targets = graph_get_int(c->g, c->node, "targets");
    linear l;
    tensor_value *y = NULL;
    void *row = NULL, *scores = NULL;
    ondol_status status = ONDOL_OK;
    if (targets < 1) return plan_call_fail(c, err, "targets: %" PRId64, targets);
    TRY(read_linear(c, (uint64_t)targets, &l, err));
    const int64_t dims[2] = {(int64_t)l.rows, targets};
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, 2, dims, &y, err));
    TRY(ref_alloc(c, l.features, sizeof(double), "a row", &row, err));
    TRY(ref_alloc(c, l.outputs, sizeof(double), "scores", &scores, err));
    for (uint64_t r = 0; r < l.rows; r++) {
        ref_load_numbers(l.x, r * l.features, l.features, row);
        score_row(&l, row, scores);
        host_transform_apply(l.transform, scores, l.outputs);
        ref_store_numbers(y, r * l.outputs, l.outputs, scores);
    }
done:
    tensor_heap_free(c->heap, row);
    tensor_heap_free(c->heap, scores);
    return status;
}

/* The class of a row of scores: the first of the largest; of one score: whether it is positive. */
static uint32_t choose(const double *scores, uint64_t n) {
    uint32_t best = 0;
    if (n == 1) return scores[0] > 0;
    for (uint32_t i = 1; i < n; i++)
        if (scores[i] > scores[best]) best = i;
    return best;
}

/* One score s of two classes becomes (1 - s, s), s through the logistic function where that is
 * asked for; other transforms but PROBIT change nothing. As ONNX Runtime has it. */
static void transform(const linear *l, double *scores, uint64_t classes) {
    if (classes == l->outputs) {
        host_transform_apply(l->transform, scores, classes);
        return;
    }
    if (l->transform == HOST_TRANSFORM_LOGISTIC) host_transform_apply(l->transform, scores, 1);
    scores[1] = scores[0];
    scores[0] = 1 - scores[0];
    if (l->transform == HOST_TRANSFORM_PROBIT) host_transform_apply(l->transform, scores, 2);
}

ondol_status ref_ml_linear_classifier(plan_call *c, ondol_error *err) {
    linear l;
    host_labels labels;
    tensor_value *y = NULL, *z = NULL;
    void *row = NULL, *memory = NULL;
    ondol_status status = ONDOL_OK;
    TRY(host_labels_read(c, "classlabels_ints", "classlabels_strings", &labels, err));
    TRY(read_linear(c, 0, &l, err));
    if (labels.count != l.outputs && (l.outputs != 1 || labels.count != 2)) {
        return plan_call_fail(c, err, "%" PRIu32 " labels for %" PRIu64 " scores", labels.count,
                              l.outputs);
    }
    const int64_t dims[2] = {(int64_t)l.rows, labels.count};
    TRY(host_labels_output(c, 0, l.rows, &labels, &y, err));
    TRY(plan_call_output(c, 1, TENSOR_ELEMENT_F32, 2, dims, &z, err));
    TRY(ref_alloc(c, l.features, sizeof(double), "a row", &row, err));
    TRY(ref_alloc(c, labels.count, sizeof(double), "scores", &memory, err));
    double *scores = memory;
    for (uint64_t r = 0; r < l.rows; r++) {
        ref_load_numbers(l.x, r * l.features, l.features, row);
        score_row(&l, row, scores);
        const uint32_t best = choose(scores, l.outputs);
        TRY(host_labels_set(y, r, &labels, best < labels.count ? best : 0, err));
        transform(&l, scores, labels.count);
        ref_store_numbers(z, r * labels.count, labels.count, scores);
    }
done:
    tensor_heap_free(c->heap, row);
    tensor_heap_free(c->heap, memory);
    return status;
}
