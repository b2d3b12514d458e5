/* Scores and classes of ai.onnx.ml. In: scores of a row, attributes. Out: transformed scores,
 * labels. */
#include "device/host_scores.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

ondol_status host_transform_read(const plan_call *c, host_transform *out, ondol_error *err) {
    static const char *const names[HOST_TRANSFORM_COUNT] = {"NONE", "SOFTMAX", "LOGISTIC",
                                                            "SOFTMAX_ZERO", "PROBIT"};
    const char *name = graph_get_string(c->g, c->node, "post_transform");
    for (int i = 0; i < HOST_TRANSFORM_COUNT; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *out = (host_transform)i;
        return ONDOL_OK;
    }
    return plan_call_fail(c, err,
                          "post_transform '%s', expected NONE, SOFTMAX, LOGISTIC, SOFTMAX_ZERO or "
                          "PROBIT",
                          name);
}

static double logistic(double x) {
    const double v = 1 / (1 + exp(-fabs(x)));
    return x < 0 ? 1 - v : v;
}

/* The constants are those of both ONNX and ONNX Runtime. */
static double probit(double p) {
    const double x = 2 * p - 1, part = (1 - x) * (1 + x);
    const double l = log(part), v = 2 / (3.14159 * 0.147) + 0.5 * l;
    const double root = sqrt(-v + sqrt(v * v - l / 0.147));
    return 1.41421356 * (x < 0 ? -root : root);
}

static double largest(const double *scores, uint64_t n) {
    double most = -HUGE_VAL;
    for (uint64_t i = 0; i < n; i++)
        if (scores[i] > most) most = scores[i];
    return most;
}

static void softmax(double *scores, uint64_t n) {
    const double most = largest(scores, n);
    double sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        scores[i] = exp(scores[i] - most);
        sum += scores[i];
    }
    for (uint64_t i = 0; i < n; i++)
        scores[i] /= sum;
}

static void softmax_zero(double *scores, uint64_t n) {
    const double most = largest(scores, n);
    double sum = 0;
    for (uint64_t i = 0; i < n; i++) {
        if (fabs(scores[i]) > 1e-7) {
            scores[i] = exp(scores[i] - most);
            sum += scores[i];
        } else if (!isnan(scores[i])) {
            scores[i] = 0;
        }
    }
    for (uint64_t i = 0; i < n; i++)
        scores[i] = sum == 0 ? 0.5 : scores[i] / sum;
}

void host_transform_apply(host_transform t, double *scores, uint64_t n) {
    switch (t) {
    case HOST_TRANSFORM_SOFTMAX: softmax(scores, n); break;
    case HOST_TRANSFORM_SOFTMAX_ZERO: softmax_zero(scores, n); break;
    case HOST_TRANSFORM_LOGISTIC:
        for (uint64_t i = 0; i < n; i++)
            scores[i] = logistic(scores[i]);
        break;
    case HOST_TRANSFORM_PROBIT:
        for (uint64_t i = 0; i < n; i++)
            scores[i] = probit(scores[i]);
        break;
    default: break;
    }
}

ondol_status host_labels_read(const plan_call *c, const char *ints_name, const char *strings_name,
                              host_labels *out, ondol_error *err) {
    const graph_attribute *ints = graph_get_attribute(c->g, c->node, ints_name);
    const graph_attribute *strings = graph_get_attribute(c->g, c->node, strings_name);
    const uint32_t int_count = ints ? ints->int_count : 0;
    const uint32_t string_count = strings ? strings->int_count : 0;
    if (!int_count == !string_count) {
        return plan_call_fail(c, err, "%" PRIu32 " %s and %" PRIu32 " %s, expected one of the two",
                              int_count, ints_name, string_count, strings_name);
    }
    *out = (host_labels){.strings = string_count ? strings->strings : NULL,
                         .ints = int_count ? ints->ints : NULL,
                         .count = int_count ? int_count : string_count};
    return ONDOL_OK;
}

ondol_status host_labels_output(plan_call *c, uint32_t i, uint64_t rows, const host_labels *l,
                                tensor_value **out, ondol_error *err) {
    const int64_t dims[1] = {(int64_t)rows};
    return plan_call_output(c, i, l->strings ? TENSOR_ELEMENT_STRING : TENSOR_ELEMENT_I64, 1, dims,
                            out, err);
}

ondol_status host_labels_set(tensor_value *y, uint64_t row, const host_labels *l, uint32_t index,
                             ondol_error *err) {
    if (l->strings) {
        const tensor_string *s = l->strings + index;
        return tensor_value_set_string(y, row, s->text, s->size_bytes, err);
    }
    ((int64_t *)y->data)[row] = l->ints[index];
    return ONDOL_OK;
}

const double *host_floats(const plan_call *c, const char *name, uint32_t *count) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, name);
    *count = a ? a->int_count : 0;
    return a ? a->floats : NULL;
}

ondol_status host_rows(const plan_call *c, tensor_value **x, uint64_t *rows, uint64_t *features,
                       ondol_error *err) {
    ondol_status status = plan_call_tensor(c, 0, x, err);
    if (status != ONDOL_OK) return status;
    const tensor_element_kind kind = tensor_element_kind_of((*x)->element);
    const bool is_number =
        kind == TENSOR_KIND_FLOAT || kind == TENSOR_KIND_SIGNED || kind == TENSOR_KIND_UNSIGNED;
    if (!is_number || ((*x)->rank != 1 && (*x)->rank != 2)) {
        return plan_call_fail(
            c, err, "an input of type %s and rank %" PRIu32 ", expected numbers [C] or [N, C]",
            tensor_element_onnx_name((*x)->element), (*x)->rank);
    }
    *rows = (*x)->rank == 2 ? (uint64_t)(*x)->dims[0] : 1;
    *features = (uint64_t)(*x)->dims[(*x)->rank - 1];
    return ONDOL_OK;
}
