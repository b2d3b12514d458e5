/* NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss. In: scores [N, C, ...], a class for each
 * place [N, ...], perhaps weights of the classes. Out: losses, or their sum or mean, in double. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_neural.h"

typedef struct loss_job {
    const tensor_value *x, *labels;
    ref_split s;     /* axis: classes */
    double *weights; /* [classes] */
    bool has_ignored, is_softmax;
    int64_t ignored;
    tensor_value *log_probabilities; /* NULL: nobody wants them */
} loss_job;

/* log(sum of e^x) over the classes of place (o, i); 0 where x holds logarithms already. */
static double log_sum(const loss_job *j, uint64_t o, uint64_t i) {
    double largest = -INFINITY, sum = 0;
    if (!j->is_softmax) return 0;
    for (uint64_t k = 0; k < j->s.axis; k++) {
        const uint64_t at = (o * j->s.axis + k) * j->s.inner + i;
        const double v = tensor_get_number(j->x->element, j->x->data, at);
        if (v > largest || isnan(v)) largest = v;
        if (isnan(v)) return v;
    }
    if (isinf(largest)) return largest;
    for (uint64_t k = 0; k < j->s.axis; k++) {
        const uint64_t at = (o * j->s.axis + k) * j->s.inner + i;
        sum += exp(tensor_get_number(j->x->element, j->x->data, at) - largest);
    }
    return largest + log(sum);
}

static void show_log_probabilities(const loss_job *j, uint64_t o, uint64_t i, double sum) {
    for (uint64_t k = 0; k < j->s.axis && j->log_probabilities; k++) {
        const uint64_t at = (o * j->s.axis + k) * j->s.inner + i;
        const double v = tensor_get_number(j->x->element, j->x->data, at) - sum;
        ref_store_numbers(j->log_probabilities, at, 1, &v);
    }
}

typedef struct loss_total {
    double loss, weight;
} loss_total;

/* The loss of each place into `each` (NULL: nobody wants it), and all together. */
static ondol_status sum_losses(const plan_call *c, const loss_job *j, tensor_value *each,
                               loss_total *total, ondol_error *err) {
    for (uint64_t n = 0; n < j->labels->elems; n++) {
        const uint64_t o = n / j->s.inner, i = n % j->s.inner;
        const int64_t label = tensor_get_integer(j->labels->element, j->labels->data, n);
        const double sum = log_sum(j, o, i);
        double loss = 0;
        show_log_probabilities(j, o, i, sum);
        if (!j->has_ignored || label != j->ignored) {
            if (label < 0 || (uint64_t)label >= j->s.axis) {
                return plan_call_fail(c, err, "class %" PRId64 " of %" PRIu64, label, j->s.axis);
            }
            const uint64_t at = (o * j->s.axis + (uint64_t)label) * j->s.inner + i;
            const double v = tensor_get_number(j->x->element, j->x->data, at) - sum;
            loss = -v * j->weights[label];
            total->weight += j->weights[label];
        }
        total->loss += loss;
        if (each) ref_store_numbers(each, n, 1, &loss);
    }
    return ONDOL_OK;
}

/* x [N, C, ...] and labels [N, ...]. */
static ondol_status read_operands(const plan_call *c, loss_job *j, ondol_error *err) {
    const graph_attribute *ignored = graph_get_attribute(c->g, c->node, "ignore_index");
    int64_t dims[TENSOR_MAX_RANK];
    tensor_value *x = NULL, *labels = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, &x, err));
    TRY(ref_input(c, 1, REF_CLASS_INTEGER, &labels, err));
    if (x->rank < 2) {
        return plan_call_fail(c, err, "scores of rank %" PRIu32 ", expected 2 or more", x->rank);
    }
    dims[0] = x->dims[0];
    memcpy(dims + 1, x->dims + 2, (x->rank - 2) * sizeof *dims);
    TRY(ref_expect_dims(c, "the target", labels, x->rank - 1, dims, err));
    j->x = x;
    j->labels = labels;
    j->s = ref_split_at(x, 1);
    j->has_ignored = ignored != NULL;
    j->ignored = ignored ? ignored->i : 0;
    TRY(ref_float_list(c, 2, "the weights", x->dims[1], 1, &j->weights, err));
done:
    return status;
}

/* NegativeLogLikelihoodLoss, SoftmaxCrossEntropyLoss. */
ondol_status ref_loss(plan_call *c, ondol_error *err) {
    const char *reduction = graph_get_string(c->g, c->node, "reduction");
    const bool is_mean = strcmp(reduction, "mean") == 0, is_none = strcmp(reduction, "none") == 0;
    loss_job j = {0};
    loss_total total = {0, 0};
    tensor_value *y = NULL;
    ondol_status status = ONDOL_OK;
    if (!is_mean && !is_none && strcmp(reduction, "sum") != 0) {
        return plan_call_fail(c, err, "reduction is '%s'", reduction);
    }
    j.is_softmax = c->g->nodes[c->node].op == GRAPH_OP_SOFTMAX_CROSS_ENTROPY_LOSS;
    TRY(read_operands(c, &j, err));
    const tensor_element e = j.x->element;
    TRY(plan_call_output(c, 0, e, is_none ? j.labels->rank : 0, j.labels->dims, &y, err));
    if (plan_call_wants(c, 1)) {
        TRY(plan_call_output(c, 1, e, j.x->rank, j.x->dims, &j.log_probabilities, err));
    }
    TRY(sum_losses(c, &j, is_none ? y : NULL, &total, err));
    const double all = is_mean ? total.loss / total.weight : total.loss;
    if (!is_none) ref_store_numbers(y, 0, 1, &all);
done:
    tensor_heap_free(c->heap, j.weights);
    return status;
}
