/* BlackmanWindow, HammingWindow, HannWindow, MelWeightMatrix. In: sizes and frequencies. Out: the
 * weights, in the type that the node names. */
#include <inttypes.h>
#include <math.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

#define PI 3.14159265358979323846264338327950288

/* The type of the output, which must have numbers. */
static ondol_status output_type(const plan_call *c, tensor_element *out, ondol_error *err) {
    const int64_t number = graph_get_int(c->g, c->node, "output_datatype");
    *out = tensor_element_valid(number) ? (tensor_element)number : TENSOR_ELEMENT_UNDEFINED;
    if (ref_class_of(*out) & REF_CLASS_NUMBER) return ONDOL_OK;
    return plan_call_fail(c, err, "output_datatype is %" PRId64, number);
}

/* Value i of a window with `period` steps to a turn. */
static double weight(graph_op op, double i, double period) {
    const double angle = 2 * PI * i / period;
    switch (op) {
    case GRAPH_OP_BLACKMAN_WINDOW: return 0.42 - 0.5 * cos(angle) + 0.08 * cos(2 * angle);
    case GRAPH_OP_HAMMING_WINDOW: return 25.0 / 46.0 - 21.0 / 46.0 * cos(angle);
    default: return sin(angle / 2) * sin(angle / 2);
    }
}

ondol_status ref_window(plan_call *c, ondol_error *err) {
    tensor_value *size_input = NULL, *y = NULL;
    tensor_element e = TENSOR_ELEMENT_UNDEFINED;
    int64_t size = 0;
    ondol_status status = ONDOL_OK;
    const bool is_periodic = graph_get_int(c->g, c->node, "periodic") != 0;
    TRY(output_type(c, &e, err));
    TRY(ref_input(c, 0, REF_CLASS_INTEGER, &size_input, err));
    TRY(ref_scalar_integer(c, 0, 0, &size, err));
    if (size < 0) return plan_call_fail(c, err, "a window of size %" PRId64, size);
    TRY(plan_call_output(c, 0, e, 1, &size, &y, err));
    const double period = (double)(is_periodic ? size : size - 1);
    for (uint64_t i = 0; i < y->elems; i++) {
        /* A symmetric window of one value has no period: it is its own middle. */
        const double v = period == 0 ? 1 : weight(c->g->nodes[c->node].op, (double)i, period);
        tensor_set_number(e, y->data, i, v);
    }
done:
    return status;
}

typedef struct mel {
    int64_t bins, dft_length, sample_rate, spectrum;
    double low, high; /* hertz */
} mel;

static ondol_status read_mel(const plan_call *c, mel *m, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    tensor_value *v = NULL;
    for (uint32_t i = 0; i < 5; i++)
        TRY(ref_input(c, i, i < 3 ? REF_CLASS_INTEGER : REF_CLASS_FLOAT, &v, err));
    TRY(ref_scalar_integer(c, 0, 0, &m->bins, err));
    TRY(ref_scalar_integer(c, 1, 0, &m->dft_length, err));
    TRY(ref_scalar_integer(c, 2, 0, &m->sample_rate, err));
    TRY(ref_scalar_number(c, 3, 0, &m->low, err));
    TRY(ref_scalar_number(c, 4, 0, &m->high, err));
    if (m->bins < 0 || m->bins > INT64_MAX - 2 || m->dft_length < 0 ||
        m->dft_length > (int64_t)1 << 52 || m->sample_rate < 1) {
        return plan_call_fail(c, err,
                              "%" PRId64 " bins of a transform of %" PRId64 " at %" PRId64 " hertz",
                              m->bins, m->dft_length, m->sample_rate);
    }
    m->spectrum = m->dft_length / 2 + 1;
done:
    return status;
}

/* The spectrum's bin of edge i of the bands, of which there are bins + 2, spaced evenly on the mel
 * scale. The step is that of ONNX's reference: the range over bins + 2, not bins + 1. */
static double edge(const mel *m, int64_t i) {
    const double low = 2595 * log1p(m->low / 700) / log(10);
    const double high = 2595 * log1p(m->high / 700) / log(10);
    const double at = (double)i * ((high - low) / (double)(m->bins + 2)) + low;
    const double hertz = 700 * expm1(at / 2595 * log(10));
    return floor((double)(m->dft_length + 1) * hertz / (double)m->sample_rate);
}

/* Column `band` of y[spectrum][bins]: a triangle over three edges. */
static void draw_band(const mel *m, const int64_t *edges, int64_t band, tensor_value *y) {
    const int64_t left = edges[0], center = edges[1], right = edges[2];
    const int64_t rise = center - left, fall = right - center;
    if (rise == 0) {
        tensor_set_number(y->element, y->data, (uint64_t)(center * m->bins + band), 1);
    }
    for (int64_t j = left; rise && j <= center; j++) {
        const double v = (double)(j - left) / (double)rise;
        tensor_set_number(y->element, y->data, (uint64_t)(j * m->bins + band), v);
    }
    for (int64_t j = center; j < right; j++) {
        const double v = (double)(right - j) / (double)fall;
        tensor_set_number(y->element, y->data, (uint64_t)(j * m->bins + band), v);
    }
}

ondol_status ref_mel_weight_matrix(plan_call *c, ondol_error *err) {
    mel m = {0};
    tensor_element e = TENSOR_ELEMENT_UNDEFINED;
    tensor_value *y = NULL;
    int64_t edges[3] = {0};
    ondol_status status = ONDOL_OK;
    TRY(output_type(c, &e, err));
    TRY(read_mel(c, &m, err));
    const int64_t dims[2] = {m.spectrum, m.bins};
    TRY(plan_call_output(c, 0, e, 2, dims, &y, err));
    for (uint64_t i = 0; i < y->elems; i++)
        tensor_set_number(e, y->data, i, 0);
    for (int64_t band = 0; band < m.bins; band++) {
        for (int64_t i = 0; i < 3; i++) {
            const double at = edge(&m, band + i);
            /* The last edge may stand behind the last bin: nothing is drawn there. */
            if (!(at >= 0 && at < (double)(m.spectrum + (i == 2 ? 1 : 0)))) {
                return plan_call_fail(c, err,
                                      "band %" PRId64 " lies at bin %g of a spectrum of %" PRId64,
                                      band, at, m.spectrum);
            }
            edges[i] = (int64_t)at;
        }
        if (edges[1] < edges[0] || edges[2] < edges[1]) {
            return plan_call_fail(c, err, "the upper edge lies below the lower edge");
        }
        draw_band(&m, edges, band, y);
    }
done:
    return status;
}
