/* SVMClassifier, SVMRegressor. In: rows of features. Out: scores by support vectors or by
 * coefficients alone, in double; classes.
 * Source: libsvm (Chang & Lin 2011); Wu, Lin & Weng 2004 for probabilities; as ONNX Runtime. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/host_scores.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

typedef enum svm_kernel { SVM_LINEAR, SVM_POLY, SVM_RBF, SVM_SIGMOID } svm_kernel;

typedef struct svm {
    tensor_value *x;
    uint64_t rows, features;
    svm_kernel kernel;
    double gamma, coef0, degree;
    host_transform transform;
    const double *vectors, *coefficients, *rho, *prob_a, *prob_b;
    uint32_t vector_count;                                      /* 0: coefficients alone */
    uint32_t numbers, coefficient_count, rho_count, prob_count; /* numbers: of the vectors */
    /* Of a classifier. */
    host_labels labels;
    const int64_t *per_class; /* [labels.count], sums to vector_count */
    uint64_t pairs;           /* of classes */
    bool is_positive;         /* no coefficient is negative */
    double *row, *kernels, *scores, *votes, *shares, *out;
} svm;

static ondol_status read_kernel(const plan_call *c, svm *s, ondol_error *err) {
    static const char *const names[] = {"LINEAR", "POLY", "RBF", "SIGMOID"};
    const char *name = graph_get_string(c->g, c->node, "kernel_type");
    uint32_t count = 0;
    const double *p = host_floats(c, "kernel_params", &count);
    int found = 0;
    while (found < 4 && strcmp(name, names[found]) != 0)
        found++;
    if (found == 4) {
        return plan_call_fail(c, err, "kernel_type '%s', expected LINEAR, POLY, RBF or SIGMOID",
                              name);
    }
    if (count && count < 3) {
        return plan_call_fail(c, err, "%" PRIu32 " kernel_params, expected 3", count);
    }
    s->kernel = (svm_kernel)found;
    if (!count) return ONDOL_OK;
    s->gamma = p[0];
    s->coef0 = p[1];
    s->degree = p[2];
    return ONDOL_OK;
}

static ondol_status read_svm(const plan_call *c, svm *s, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    *s = (svm){.rows = 0};
    TRY(host_rows(c, &s->x, &s->rows, &s->features, err));
    TRY(host_transform_read(c, &s->transform, err));
    TRY(read_kernel(c, s, err));
    s->vectors = host_floats(c, "support_vectors", &s->numbers);
    s->coefficients = host_floats(c, "coefficients", &s->coefficient_count);
    s->rho = host_floats(c, "rho", &s->rho_count);
done:
    return status;
}

/* Counts that must agree with the features of the rows. */
static ondol_status check_counts(const plan_call *c, const svm *s, uint64_t coefficients,
                                 uint64_t rho, ondol_error *err) {
    const bool fits = s->features <= UINT32_MAX && s->coefficient_count == coefficients &&
                      s->rho_count >= rho &&
                      (!s->vector_count || s->numbers == s->vector_count * s->features);
    if (fits) return ONDOL_OK;
    return plan_call_fail(c, err,
                          "%" PRIu32 " support vectors of %" PRIu32 " numbers, %" PRIu32
                          " coefficients and %" PRIu32 " rho for rows of %" PRIu64
                          " features; expected %" PRIu64 " coefficients and %" PRIu64 " rho",
                          s->vector_count, s->numbers, s->coefficient_count, s->rho_count,
                          s->features, coefficients, rho);
}

/* The kernel of a row and a vector, both [features]. */
static double kernel_of(const svm *s, const double *row, const double *vector) {
    double sum = 0;
    for (uint64_t i = 0; i < s->features; i++) {
        const double d = row[i] - vector[i];
        sum += s->kernel == SVM_RBF ? d * d : row[i] * vector[i];
    }
    switch (s->kernel) {
    case SVM_POLY: return pow(s->gamma * sum + s->coef0, s->degree);
    case SVM_RBF: return exp(-s->gamma * sum);
    case SVM_SIGMOID: return tanh(s->gamma * sum + s->coef0);
    default: return sum;
    }
}

static ondol_status doubles(const plan_call *c, uint64_t count, double **out, ondol_error *err) {
    void *memory = NULL;
    ondol_status status = ref_alloc(c, count, sizeof(double), "scores", &memory, err);
    *out = memory;
    return status;
}

static void free_svm(const plan_call *c, svm *s) {
    tensor_heap_free(c->heap, s->row);
    tensor_heap_free(c->heap, s->kernels);
    tensor_heap_free(c->heap, s->scores);
    tensor_heap_free(c->heap, s->votes);
    tensor_heap_free(c->heap, s->shares);
    tensor_heap_free(c->heap, s->out);
}

/* --------------------------------------------------------------------------- regressor */

static double regress(const svm *s) {
    double sum = 0;
    if (!s->vector_count) return kernel_of(s, s->row, s->coefficients) + s->rho[0];
    for (uint64_t i = 0; i < s->vector_count; i++)
        sum += s->coefficients[i] * kernel_of(s, s->row, s->vectors + i * s->features);
    return sum + s->rho[0];
}

ondol_status ref_ml_svm_regressor(plan_call *c, ondol_error *err) {
    const int64_t supports = graph_get_int(c->g, c->node, "n_supports");
    const bool is_one_class = graph_get_int(c->g, c->node, "one_class") != 0;
    svm s = {.rows = 0};
    tensor_value *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_svm(c, &s, err));
    if (supports < 0 || supports > UINT32_MAX) {
        return plan_call_fail(c, err, "n_supports: %" PRId64, supports);
    }
    s.vector_count = (uint32_t)supports;
    if (!supports) s.kernel = SVM_LINEAR;
    TRY(check_counts(c, &s, supports ? (uint64_t)supports : s.features, 1, err));
    const int64_t dims[2] = {(int64_t)s.rows, 1};
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, 2, dims, &y, err));
    TRY(doubles(c, s.features, &s.row, err));
    for (uint64_t r = 0; r < s.rows; r++) {
        ref_load_numbers(s.x, r * s.features, s.features, s.row);
        double v = regress(&s);
        host_transform_apply(s.transform, &v, 1);
        ((float *)y->data)[r] = (float)(is_one_class ? (v > 0 ? 1 : -1) : v);
    }
done:
    free_svm(c, &s);
    return status;
}

/* -------------------------------------------------------------------------- classifier */

static ondol_status read_classifier(const plan_call *c, svm *s, ondol_error *err) {
    const graph_attribute *per_class = graph_get_attribute(c->g, c->node, "vectors_per_class");
    const uint32_t given = per_class ? per_class->int_count : 0;
    uint32_t prob_b = 0;
    uint64_t vectors = 0;
    ondol_status status = ONDOL_OK;
    TRY(read_svm(c, s, err));
    TRY(host_labels_read(c, "classlabels_ints", "classlabels_strings", &s->labels, err));
    const uint64_t classes = s->labels.count;
    s->pairs = classes * (classes - 1) / 2;
    s->prob_a = host_floats(c, "prob_a", &s->prob_count);
    s->prob_b = host_floats(c, "prob_b", &prob_b);
    s->is_positive = true;
    for (uint32_t i = 0; i < s->coefficient_count; i++)
        if (s->coefficients[i] < 0) s->is_positive = false;
    for (uint32_t i = 0; i < given; i++) {
        const int64_t n = per_class->ints[i];
        if (n < 0 || n > UINT32_MAX - (int64_t)vectors) {
            return plan_call_fail(c, err, "vectors_per_class: %" PRId64, n);
        }
        vectors += (uint64_t)n;
    }
    s->vector_count = (uint32_t)vectors;
    if (!vectors) {
        s->kernel = SVM_LINEAR;
        s->prob_count = 0; /* probabilities are of pairs */
        return check_counts(c, s, classes * s->features, 1, err);
    }
    s->per_class = per_class->ints;
    if (given != classes || s->prob_count != prob_b || (prob_b && prob_b < s->pairs)) {
        return plan_call_fail(c, err,
                              "%" PRIu64 " classes, %" PRIu32 " vectors_per_class, %" PRIu32
                              " prob_a and %" PRIu32 " prob_b",
                              classes, given, s->prob_count, prob_b);
    }
    TRY(check_counts(c, s, (classes - 1) * vectors, s->pairs, err));
done:
    return status;
}

/* The sum for classes i < j: first support vectors of i, then those of j; in order. */
static double pair_sum(const svm *s, uint64_t i, uint64_t j, uint64_t first_i, uint64_t first_j) {
    const double *of_i = s->coefficients + (j - 1) * s->vector_count;
    const double *of_j = s->coefficients + i * s->vector_count;
    double sum = 0;
    for (uint64_t m = first_i; m < first_i + (uint64_t)s->per_class[i]; m++)
        sum += of_i[m] * s->kernels[m];
    for (uint64_t m = first_j; m < first_j + (uint64_t)s->per_class[j]; m++)
        sum += of_j[m] * s->kernels[m];
    return sum;
}

/* scores: [pairs]; votes: [classes], one of each pair. */
static void vote_by_pairs(svm *s) {
    const uint64_t classes = s->labels.count;
    uint64_t pair = 0, first_i = 0;
    for (uint64_t m = 0; m < s->vector_count; m++)
        s->kernels[m] = kernel_of(s, s->row, s->vectors + m * s->features);
    memset(s->votes, 0, classes * sizeof *s->votes);
    for (uint64_t i = 0; i < classes; i++) {
        uint64_t first_j = first_i + (uint64_t)s->per_class[i];
        for (uint64_t j = i + 1; j < classes; j++, pair++) {
            s->scores[pair] = pair_sum(s, i, j, first_i, first_j) + s->rho[pair];
            s->votes[s->scores[pair] > 0 ? i : j] += 1;
            first_j += (uint64_t)s->per_class[j];
        }
        first_i += (uint64_t)s->per_class[i];
    }
}

/* Probabilities that fit those of pairs: r[i][j] of i against j, both [classes][classes]; q and qp:
 * working memory, p: [classes]. Wu, Lin & Weng 2004, algorithm 2. */
static void couple(uint64_t classes, const double *r, double *q, double *qp, double *p) {
    const double enough = 0.005 / (double)classes;
    for (uint64_t i = 0; i < classes; i++) {
        double own = 0;
        p[i] = 1 / (double)classes;
        for (uint64_t j = 0; j < classes; j++) {
            if (j == i) continue;
            own += r[j * classes + i] * r[j * classes + i];
            q[i * classes + j] = -r[j * classes + i] * r[i * classes + j];
        }
        q[i * classes + i] = own;
    }
    for (int step = 0; step < 100; step++) {
        double whole = 0, worst = 0;
        for (uint64_t i = 0; i < classes; i++) {
            qp[i] = 0;
            for (uint64_t j = 0; j < classes; j++)
                qp[i] += q[i * classes + j] * p[j];
            whole += p[i] * qp[i];
        }
        for (uint64_t i = 0; i < classes; i++)
            if (fabs(qp[i] - whole) > worst) worst = fabs(qp[i] - whole);
        if (worst < enough) return;
        for (uint64_t i = 0; i < classes; i++) {
            const double own = q[i * classes + i], d = (whole - qp[i]) / own;
            p[i] += d;
            whole = (whole + d * (d * own + 2 * qp[i])) / (1 + d) / (1 + d);
            for (uint64_t j = 0; j < classes; j++) {
                qp[j] = (qp[j] + d * q[i * classes + j]) / (1 + d);
                p[j] /= 1 + d;
            }
        }
    }
}

/* The classes' probabilities into out: [classes]. */
static void find_shares(svm *s) {
    const uint64_t classes = s->labels.count, square = classes * classes;
    uint64_t pair = 0;
    double *r = s->shares;
    memset(r, 0, square * sizeof *r);
    for (uint64_t i = 0; i < classes; i++) {
        for (uint64_t j = i + 1; j < classes; j++, pair++) {
            double share = s->scores[pair] * s->prob_a[pair] + s->prob_b[pair];
            host_transform_apply(HOST_TRANSFORM_LOGISTIC, &share, 1);
            share = fmin(fmax(1 - share, 1e-7), 1 - 1e-7);
            r[i * classes + j] = share;
            r[j * classes + i] = 1 - share;
        }
    }
    couple(classes, r, r + square, r + 2 * square, s->out);
}

static uint32_t first_of_largest(const double *v, uint32_t n) {
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++)
        if (v[i] > v[best]) best = i;
    return best;
}

/* Scores by coefficients alone; with two classes it is the second where the larger score says so.
 */
static uint32_t classify_by_coefficients(svm *s) {
    const uint32_t classes = s->labels.count;
    for (uint64_t k = 0; k < classes; k++)
        s->out[k] = kernel_of(s, s->row, s->coefficients + k * s->features) + s->rho[0];
    const uint32_t best = first_of_largest(s->out, classes);
    const double most = s->out[best];
    host_transform_apply(s->transform, s->out, classes);
    const bool is_second = s->is_positive ? most >= 0.5 : most > 0;
    return classes == 2 && !s->prob_a && is_second ? 1 : best;
}

/* The score v of one pair as two, where no probabilities are asked for. */
static void expand_pair(const svm *s, double v, uint64_t columns) {
    const bool is_margin =
        s->transform == HOST_TRANSFORM_NONE || s->transform == HOST_TRANSFORM_LOGISTIC;
    s->out[0] = is_margin ? -v : 1 - v;
    if (columns > 1) s->out[1] = v;
    if (s->transform == HOST_TRANSFORM_PROBIT || s->transform == HOST_TRANSFORM_LOGISTIC) {
        host_transform_apply(s->transform, s->out, columns);
    }
}

/* One row: its class; out gets `columns` scores. As ONNX Runtime has them. */
static uint32_t classify(svm *s, uint64_t columns) {
    if (!s->vector_count) return classify_by_coefficients(s);
    vote_by_pairs(s);
    const uint32_t best = first_of_largest(s->votes, s->labels.count);
    if (s->prob_count) {
        find_shares(s);
        host_transform_apply(s->transform, s->out, columns);
    } else if (s->pairs > 1) {
        memcpy(s->out, s->scores, s->pairs * sizeof *s->out);
        host_transform_apply(s->transform, s->out, columns);
    } else {
        expand_pair(s, s->pairs ? s->scores[0] : 0, columns);
    }
    return best;
}

ondol_status ref_ml_svm_classifier(plan_call *c, ondol_error *err) {
    svm s = {.rows = 0};
    tensor_value *y = NULL, *z = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_classifier(c, &s, err));
    const uint64_t classes = s.labels.count;
    const uint64_t columns = s.vector_count && !s.prob_count && s.pairs > 1 ? s.pairs : classes;
    const int64_t dims[2] = {(int64_t)s.rows, (int64_t)columns};
    TRY(host_labels_output(c, 0, s.rows, &s.labels, &y, err));
    TRY(plan_call_output(c, 1, TENSOR_ELEMENT_F32, 2, dims, &z, err));
    TRY(doubles(c, s.features, &s.row, err));
    TRY(doubles(c, s.vector_count, &s.kernels, err));
    TRY(doubles(c, s.pairs, &s.scores, err));
    TRY(doubles(c, classes, &s.votes, err));
    if (s.prob_count) TRY(doubles(c, 2 * classes * classes + classes, &s.shares, err));
    TRY(doubles(c, columns, &s.out, err));
    for (uint64_t r = 0; r < s.rows; r++) {
        ref_load_numbers(s.x, r * s.features, s.features, s.row);
        TRY(host_labels_set(y, r, &s.labels, classify(&s, columns), err));
        ref_store_numbers(z, r * columns, columns, s.out);
    }
done:
    free_svm(c, &s);
    return status;
}
