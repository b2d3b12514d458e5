/* Adagrad, Adam, Momentum of ai.onnx.preview.training. In: a rate, a count of updates, tensors with
 * their gradients and what is kept of those before. Out: new tensors and new kept ones. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_neural.h"

enum { X, G, FIRST, SECOND }; /* what is kept: one, of Adam two */

typedef struct optimizer {
    graph_op op;
    double rate, alpha, beta, epsilon, norm, norm_after;
    bool is_nesterov;
} optimizer;

/* One element: v holds X, G and what is kept; X and what is kept are written over. */
static void update(const optimizer *o, double *v) {
    const double g = o->norm * v[X] + v[G];
    switch (o->op) {
    case GRAPH_OP_TRAINING_ADAGRAD:
        v[FIRST] += g * g;
        v[X] -= o->rate * g / (sqrt(v[FIRST]) + o->epsilon);
        break;
    case GRAPH_OP_TRAINING_ADAM:
        v[FIRST] = o->alpha * v[FIRST] + (1 - o->alpha) * g;
        v[SECOND] = o->beta * v[SECOND] + (1 - o->beta) * g * g;
        v[X] -= o->rate * v[FIRST] / (sqrt(v[SECOND]) + o->epsilon);
        v[X] *= 1 - o->norm_after;
        break;
    default:
        v[FIRST] = o->alpha * v[FIRST] + o->beta * g;
        v[X] -= o->rate * (o->is_nesterov ? g + o->alpha * v[FIRST] : v[FIRST]);
        break;
    }
}

static ondol_status read_momentum(const plan_call *c, optimizer *o, int64_t count,
                                  ondol_error *err) {
    const char *mode = graph_get_string(c->g, c->node, "mode");
    o->is_nesterov = strcmp(mode, "nesterov") == 0;
    if (!o->is_nesterov && strcmp(mode, "standard") != 0) {
        return plan_call_fail(c, err, "mode is '%s'", mode);
    }
    if (count <= 0) o->beta = 1; /* at the first update all of the gradient counts */
    return ONDOL_OK;
}

/* Attributes, and the rate of this update: inputs 0 and 1. */
static ondol_status begin(const plan_call *c, optimizer *o, ondol_error *err) {
    int64_t count = 0;
    ondol_status status = ONDOL_OK;
    o->op = c->g->nodes[c->node].op;
    if (!plan_call_input(c, 0) || !plan_call_input(c, 1)) {
        return plan_call_fail(c, err, "the rate or the count of updates is missing");
    }
    TRY(ref_scalar_number(c, 0, 0, &o->rate, err));
    TRY(ref_scalar_integer(c, 1, 0, &count, err));
    o->alpha = graph_get_float(c->g, c->node, "alpha");
    o->beta = graph_get_float(c->g, c->node, "beta");
    o->epsilon = graph_get_float(c->g, c->node, "epsilon");
    o->norm = graph_get_float(c->g, c->node, "norm_coefficient");
    o->norm_after = graph_get_float(c->g, c->node, "norm_coefficient_post");
    const double t = (double)count;
    if (o->op == GRAPH_OP_TRAINING_ADAGRAD) {
        o->rate /= 1 + t * graph_get_float(c->g, c->node, "decay_factor");
    } else if (o->op == GRAPH_OP_TRAINING_ADAM && count > 0) {
        o->rate *= sqrt(1 - pow(o->beta, t)) / (1 - pow(o->alpha, t));
    }
    if (o->op == GRAPH_OP_TRAINING_MOMENTUM) TRY(read_momentum(c, o, count, err));
done:
    return status;
}

/* Tensor i of n: inputs 2 + part * n + i; outputs X, then what is kept. */
static ondol_status update_tensor(plan_call *c, const optimizer *o, uint32_t i, uint32_t n,
                                  uint32_t parts, ondol_error *err) {
    tensor_value *in[4] = {NULL}, *out[4] = {NULL};
    double v[4] = {0};
    ondol_status status = ONDOL_OK;
    for (uint32_t p = 0; p < parts; p++) {
        TRY(ref_float_input(c, 2 + p * n + i, in + p, err));
        TRY(ref_expect_dims(c, "a gradient, or what is kept of it,", in[p], in[X]->rank,
                            in[X]->dims, err));
    }
    for (uint32_t p = 0; p < parts; p++) {
        const uint32_t at = (p == X ? 0 : p - 1) * n + i;
        if (p == G || !plan_call_wants(c, at)) continue;
        TRY(plan_call_output(c, at, in[p]->element, in[p]->rank, in[p]->dims, out + p, err));
    }
    for (uint64_t k = 0; k < in[X]->elems; k++) {
        for (uint32_t p = 0; p < parts; p++)
            v[p] = tensor_get_number(in[p]->element, in[p]->data, k);
        update(o, v);
        for (uint32_t p = 0; p < parts; p++)
            if (out[p]) ref_store_numbers(out[p], k, 1, v + p);
    }
done:
    return status;
}

/* Adagrad, Adam, Momentum. */
ondol_status ref_optimizer(plan_call *c, ondol_error *err) {
    optimizer o = {0};
    ondol_status status = ONDOL_OK;
    TRY(begin(c, &o, err));
    const uint32_t parts = o.op == GRAPH_OP_TRAINING_ADAM ? 4 : 3;
    const uint32_t count = c->input_count < 2 ? 0 : c->input_count - 2, n = count / parts;
    if (n == 0 || count % parts != 0 || c->output_count > n * (parts - 1)) {
        return plan_call_fail(
            c, err, "%" PRIu32 " tensors in and %" PRIu32 " out are no groups of %" PRIu32, count,
            c->output_count, parts);
    }
    for (uint32_t i = 0; i < n; i++)
        TRY(update_tensor(c, &o, i, n, parts, err));
done:
    return status;
}
