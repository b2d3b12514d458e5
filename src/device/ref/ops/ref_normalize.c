/* Normalization over channels: BatchNormalization, InstanceNormalization, GroupNormalization, LRN,
 * MeanVarianceNormalization. In: x [N, C, ...]. Out: the same shape; moments summed in double. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_neural.h"
#include "device/ref/ops/ref_reduce.h"

static double number(const tensor_value *x, uint64_t i) {
    return tensor_get_number(x->element, x->data, i);
}

typedef struct moments {
    double mean, variance; /* of a population */
} moments;

/* BatchNormalization. */
typedef struct batch_job {
    const tensor_value *x;
    tensor_value *y;
    ref_split s; /* outer: examples, axis: channels */
    double *scale, *bias, *mean, *variance;
    double epsilon, momentum;
    bool is_training;
} batch_job;

static moments channel_moments(const batch_job *j, uint64_t channel) {
    const double count = (double)(j->s.outer * j->s.inner);
    moments m = {0, 0};
    for (uint64_t n = 0; n < j->s.outer; n++)
        for (uint64_t i = 0; i < j->s.inner; i++)
            m.mean += number(j->x, (n * j->s.axis + channel) * j->s.inner + i);
    m.mean /= count;
    for (uint64_t n = 0; n < j->s.outer; n++)
        for (uint64_t i = 0; i < j->s.inner; i++) {
            const double d = number(j->x, (n * j->s.axis + channel) * j->s.inner + i) - m.mean;
            m.variance += d * d;
        }
    m.variance /= count;
    return m;
}

/* One channel. In training its own moments are used, and go into the running ones. */
static void run_batch_task(void *user, uint64_t channel) {
    const batch_job *j = user;
    moments m = {j->mean[channel], j->variance[channel]};
    if (j->is_training) {
        m = channel_moments(j, channel);
        j->mean[channel] = j->mean[channel] * j->momentum + m.mean * (1 - j->momentum);
        j->variance[channel] = j->variance[channel] * j->momentum + m.variance * (1 - j->momentum);
    }
    const double root = sqrt(m.variance + j->epsilon);
    for (uint64_t n = 0; n < j->s.outer; n++)
        for (uint64_t i = 0; i < j->s.inner; i++) {
            const uint64_t at = (n * j->s.axis + channel) * j->s.inner + i;
            const double v =
                j->scale[channel] * (number(j->x, at) - m.mean) / root + j->bias[channel];
            tensor_set_number(j->y->element, j->y->data, at, v);
        }
}

/* The running mean (output 1) and variance (output 2), of the type of input 3 and 4. */
static ondol_status give_running(plan_call *c, const batch_job *j, ondol_error *err) {
    const int64_t channels = (int64_t)j->s.axis;
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 1; i < 3; i++) {
        tensor_value *out = NULL;
        if (!plan_call_wants(c, i)) continue;
        if (!j->is_training) {
            return plan_call_fail(c, err, "output %" PRIu32 " is one of training_mode", i);
        }
        const tensor_value *in = plan_call_input(c, i + 2);
        TRY(plan_call_output(c, i, in->element, 1, &channels, &out, err));
        ref_store_numbers(out, 0, j->s.axis, i == 1 ? j->mean : j->variance);
    }
done:
    return status;
}

ondol_status ref_batch_normalization(plan_call *c, ondol_error *err) {
    batch_job j = {0};
    tensor_value *x = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, &x, err));
    if (x->rank < 1) return plan_call_fail(c, err, "its input has rank 0");
    j.x = x;
    j.s = (ref_split){(uint64_t)x->dims[0], 1, 1};
    if (x->rank > 1) j.s = ref_split_at(x, 1);
    for (uint32_t i = 1; i < 5; i++)
        if (!plan_call_input(c, i)) {
            return plan_call_fail(c, err, "input %" PRIu32 " is missing", i);
        }
    const int64_t channels = (int64_t)j.s.axis;
    TRY(ref_float_list(c, 1, "scale", channels, 1, &j.scale, err));
    TRY(ref_float_list(c, 2, "B", channels, 0, &j.bias, err));
    TRY(ref_float_list(c, 3, "input_mean", channels, 0, &j.mean, err));
    TRY(ref_float_list(c, 4, "input_var", channels, 1, &j.variance, err));
    j.epsilon = graph_get_float(c->g, c->node, "epsilon");
    j.momentum = graph_get_float(c->g, c->node, "momentum");
    j.is_training = graph_get_int(c->g, c->node, "training_mode") != 0;
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &j.y, err));
    ref_run_tasks(c, j.s.axis, run_batch_task, &j);
    TRY(give_running(c, &j, err));
done:
    tensor_heap_free(c->heap, j.scale);
    tensor_heap_free(c->heap, j.bias);
    tensor_heap_free(c->heap, j.mean);
    tensor_heap_free(c->heap, j.variance);
    return status;
}

/* InstanceNormalization, GroupNormalization: runs of `run` channels that lie side by side. */
typedef struct group_job {
    const tensor_value *x;
    tensor_value *y;
    ref_split s;
    uint64_t run;
    double *scale, *bias; /* [channels] */
    double epsilon;
} group_job;

/* Run `task` of all examples. */
static void run_group_task(void *user, uint64_t task) {
    const group_job *j = user;
    const uint64_t count = j->run * j->s.inner, first = task * count;
    const uint64_t first_channel = task % (j->s.axis / j->run) * j->run;
    moments m = {0, 0};
    for (uint64_t i = 0; i < count; i++)
        m.mean += number(j->x, first + i);
    m.mean /= (double)count;
    for (uint64_t i = 0; i < count; i++) {
        const double d = number(j->x, first + i) - m.mean;
        m.variance += d * d;
    }
    m.variance /= (double)count;
    const double root = sqrt(m.variance + j->epsilon);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t channel = first_channel + i / j->s.inner;
        const double v = j->scale[channel] * (number(j->x, first + i) - m.mean) / root;
        tensor_set_number(j->y->element, j->y->data, first + i, v + j->bias[channel]);
    }
}

static ondol_status normalize_groups(plan_call *c, group_job *j, tensor_value *x, int64_t groups,
                                     ondol_error *err) {
    const int64_t channels = x->dims[1];
    ondol_status status = ONDOL_OK;
    if (groups < 1 || channels % groups != 0) {
        return plan_call_fail(c, err, "%" PRId64 " channels in %" PRId64 " groups", channels,
                              groups);
    }
    j->x = x;
    j->s = ref_split_at(x, 1);
    j->run = (uint64_t)(channels / groups);
    j->epsilon = graph_get_float(c->g, c->node, "epsilon");
    TRY(ref_float_list(c, 1, "scale", channels, 1, &j->scale, err));
    TRY(ref_float_list(c, 2, "the bias", channels, 0, &j->bias, err));
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &j->y, err));
    if (x->elems) ref_run_tasks(c, (uint64_t)(x->dims[0] * groups), run_group_task, j);
done:
    return status;
}

/* InstanceNormalization, GroupNormalization. */
ondol_status ref_group_normalization(plan_call *c, ondol_error *err) {
    group_job j = {0};
    tensor_value *x = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, &x, err));
    if (x->rank < 2 || !plan_call_input(c, 1) || !plan_call_input(c, 2)) {
        return plan_call_fail(c, err, "x of rank %" PRIu32 ": expected 2 or more, scale and bias",
                              x->rank);
    }
    const bool is_instance = c->g->nodes[c->node].op == GRAPH_OP_INSTANCE_NORMALIZATION;
    /* Without channels there is nothing to be grouped. */
    const int64_t every = x->dims[1] ? x->dims[1] : 1;
    const int64_t groups = is_instance ? every : graph_get_int(c->g, c->node, "num_groups");
    TRY(normalize_groups(c, &j, x, groups, err));
done:
    tensor_heap_free(c->heap, j.scale);
    tensor_heap_free(c->heap, j.bias);
    return status;
}

/* LRN. */
typedef struct lrn_job {
    const tensor_value *x;
    tensor_value *y;
    ref_split s;
    double alpha, beta, bias;
    uint64_t size, before, behind; /* channels of a window, before and behind its middle */
} lrn_job;

/* One example. */
static void run_lrn_task(void *user, uint64_t example) {
    const lrn_job *j = user;
    const uint64_t channels = j->s.axis, inner = j->s.inner, start = example * channels * inner;
    for (uint64_t c = 0; c < channels; c++) {
        const uint64_t first = c < j->before ? 0 : c - j->before;
        const uint64_t last = j->behind < channels - 1 - c ? c + j->behind : channels - 1;
        for (uint64_t i = 0; i < inner; i++) {
            double sum = 0;
            for (uint64_t k = first; k <= last; k++) {
                const double v = number(j->x, start + k * inner + i);
                sum += v * v;
            }
            const uint64_t at = start + c * inner + i;
            const double divisor = pow(j->bias + j->alpha / (double)j->size * sum, j->beta);
            tensor_set_number(j->y->element, j->y->data, at, number(j->x, at) / divisor);
        }
    }
}

ondol_status ref_lrn(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    const int64_t size = graph_get_int(c->g, c->node, "size");
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, &x, err));
    if (x->rank < 2 || size < 1) {
        return plan_call_fail(c, err, "rank %" PRIu32 ", expected 2 or more; size %" PRId64,
                              x->rank, size);
    }
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err));
    lrn_job j = {.x = x, .y = y, .s = ref_split_at(x, 1), .size = (uint64_t)size};
    j.before = (j.size - 1) / 2;
    j.behind = j.size - 1 - j.before;
    j.alpha = graph_get_float(c->g, c->node, "alpha");
    j.beta = graph_get_float(c->g, c->node, "beta");
    j.bias = graph_get_float(c->g, c->node, "bias");
    if (x->elems) ref_run_tasks(c, (uint64_t)x->dims[0], run_lrn_task, &j);
done:
    return status;
}

/* MeanVarianceNormalization: the operator's constant, added to the deviation. */
#define MVN_EPSILON 1e-9

static ondol_status mvn_axes(const plan_call *c, uint32_t rank, bool *is_reduced,
                             ondol_error *err) {
    static const int64_t otherwise[3] = {0, 2, 3};
    const graph_attribute *a = graph_get_attribute(c->g, c->node, "axes");
    const int64_t *axes = a ? a->ints : otherwise;
    const uint32_t count = a ? a->int_count : 3;
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < rank; i++)
        is_reduced[i] = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t axis = 0;
        TRY(plan_call_axis(c, axes[i], rank, &axis, err));
        is_reduced[axis] = true;
    }
done:
    return status;
}

ondol_status ref_mean_variance_normalization(plan_call *c, ondol_error *err) {
    bool is_reduced[TENSOR_MAX_RANK];
    tensor_value *x = NULL, *y = NULL;
    ref_reduction r;
    ref_walk outer, inner;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, &x, err));
    TRY(mvn_axes(c, x->rank, is_reduced, err));
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err));
    ref_reduction_begin(x, is_reduced, true, &r);
    ref_reduction_outer(&r, &outer);
    for (; outer.left; ref_walk_next(&outer)) {
        moments m = {0, 0};
        ref_reduction_inner(&r, &outer, &inner);
        const double count = (double)inner.left;
        for (ref_walk w = inner; w.left; ref_walk_next(&w))
            m.mean += number(x, (uint64_t)w.at[0]) / count;
        for (ref_walk w = inner; w.left; ref_walk_next(&w)) {
            const double d = number(x, (uint64_t)w.at[0]) - m.mean;
            m.variance += d * d / count;
        }
        for (ref_walk w = inner; w.left; ref_walk_next(&w)) {
            const double v = number(x, (uint64_t)w.at[0]) - m.mean;
            tensor_set_number(y->element, y->data, (uint64_t)w.at[0],
                              v / (sqrt(m.variance) + MVN_EPSILON));
        }
    }
done:
    return status;
}
