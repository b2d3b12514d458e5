/* One step of a recurrent cell. In: an input, the states before. Out: the states behind.
 * Source: ONNX RNN-22, GRU-22, LSTM-22. */
#include <math.h>

#include "device/ref/ops/ref_recurrent.h"

static double clipped(const ref_recurrent *j, double v) {
    return v > j->clip ? j->clip : v < -j->clip ? -j->clip : v;
}

static double activate(const ref_recurrent *j, uint64_t direction, unsigned which, double v) {
    return ref_activate(&j->f[direction][which], clipped(j, v));
}

/* Row `row` of W times x. */
static double times_w(const ref_recurrent *j, uint64_t direction, uint64_t row, const double *x) {
    const double *w = j->w + (direction * j->gates * j->hidden + row) * j->inputs;
    double sum = 0;
    for (uint64_t i = 0; i < j->inputs; i++)
        sum += w[i] * x[i];
    return sum;
}

static double times_r(const ref_recurrent *j, uint64_t direction, uint64_t row, const double *h) {
    const double *r = j->r + (direction * j->gates * j->hidden + row) * j->hidden;
    double sum = 0;
    for (uint64_t i = 0; i < j->hidden; i++)
        sum += r[i] * h[i];
    return sum;
}

/* The bias of a row for W, and behind all of those the one for R. */
static double w_bias(const ref_recurrent *j, uint64_t direction, uint64_t row) {
    return j->b[direction * 2 * j->gates * j->hidden + row];
}
static double r_bias(const ref_recurrent *j, uint64_t direction, uint64_t row) {
    return j->b[(direction * 2 + 1) * j->gates * j->hidden + row];
}

/* What goes into the activation of a gate, peepholes excepted. */
static double gate(const ref_recurrent *j, uint64_t direction, uint64_t row, const double *x,
                   const double *h) {
    return times_w(j, direction, row, x) + times_r(j, direction, row, h) +
           w_bias(j, direction, row) + r_bias(j, direction, row);
}

static void step_rnn(const ref_recurrent *j, uint64_t direction, const double *x, double *h,
                     double *work) {
    for (uint64_t i = 0; i < j->hidden; i++)
        work[i] = activate(j, direction, 0, gate(j, direction, i, x, h));
    for (uint64_t i = 0; i < j->hidden; i++)
        h[i] = work[i];
}

/* Gates: update z, reset r, candidate. */
static void step_gru(const ref_recurrent *j, uint64_t direction, const double *x, double *h,
                     double *work) {
    const uint64_t n = j->hidden;
    double *z = work, *reset = work + n, *candidate = work + 2 * n;
    for (uint64_t i = 0; i < n; i++) {
        z[i] = activate(j, direction, 0, gate(j, direction, i, x, h));
        reset[i] = activate(j, direction, 0, gate(j, direction, n + i, x, h));
    }
    for (uint64_t i = 0; i < n && !j->linear_before_reset; i++)
        reset[i] *= h[i];
    for (uint64_t i = 0; i < n; i++) {
        const uint64_t row = 2 * n + i;
        double v = times_w(j, direction, row, x) + w_bias(j, direction, row);
        if (j->linear_before_reset)
            v += reset[i] * (times_r(j, direction, row, h) + r_bias(j, direction, row));
        else
            v += times_r(j, direction, row, reset) + r_bias(j, direction, row);
        candidate[i] = activate(j, direction, 1, v);
    }
    for (uint64_t i = 0; i < n; i++)
        h[i] = (1 - z[i]) * candidate[i] + z[i] * h[i];
}

/* Gates: input, output, forget, cell; peepholes: input, output, forget. */
static void step_lstm(const ref_recurrent *j, uint64_t direction, const double *x, double *h,
                      double *c, double *work) {
    const uint64_t n = j->hidden;
    const double *p = j->p ? j->p + direction * 3 * n : NULL;
    for (uint64_t row = 0; row < 4 * n; row++)
        work[row] = gate(j, direction, row, x, h);
    for (uint64_t i = 0; i < n; i++) {
        const double before = c[i];
        const double in = activate(j, direction, 0, work[i] + (p ? p[i] * before : 0));
        const double kept =
            activate(j, direction, 0, work[2 * n + i] + (p ? p[2 * n + i] * before : 0));
        const double forget = j->input_forget ? 1 - in : kept;
        c[i] = forget * before + in * activate(j, direction, 1, work[3 * n + i]);
        const double out = activate(j, direction, 0, work[n + i] + (p ? p[n + i] * c[i] : 0));
        h[i] = out * activate(j, direction, 2, c[i]);
    }
}

void ref_recurrent_step(const ref_recurrent *j, uint64_t direction, const double *x, double *h,
                        double *c, double *work) {
    switch (j->op) {
    case GRAPH_OP_GRU: step_gru(j, direction, x, h, work); break;
    case GRAPH_OP_LSTM: step_lstm(j, direction, x, h, c, work); break;
    default: step_rnn(j, direction, x, h, work); break;
    }
}
