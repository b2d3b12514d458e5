/* One axis of a Resize. In: places of the output. Out: places of the input and their weights.
 * Source: the ONNX specification's formulas; cubic: Keys 1981, equation 4. */
#include "device/host_resize.h"

#include <math.h>

bool resize_axis_is_same(const resize_rules *r, const resize_axis *a) {
    if (a->in != a->out || fabs(a->scale - 1) > 1e-9) return false;
    return r->coordinates != RESIZE_TF_CROP || (a->start == 0 && a->end == 1);
}

double resize_axis_source(const resize_rules *r, const resize_axis *a, int64_t at) {
    const double in = (double)a->in, y = (double)at;
    const double length = a->scale * in; /* of the output, before it was cut to a whole number */
    double x = 0;
    switch (r->coordinates) {
    case RESIZE_ALIGN_CORNERS: return length == 1 ? 0 : y * (in - 1) / (length - 1);
    case RESIZE_ASYMMETRIC: return y / a->scale;
    case RESIZE_PYTORCH_HALF_PIXEL: return length == 1 ? -0.5 : (y + 0.5) / a->scale - 0.5;
    case RESIZE_HALF_PIXEL_SYMMETRIC:
        return in / 2 * (1 - (double)a->out / length) + (y + 0.5) / a->scale - 0.5;
    case RESIZE_TF_CROP:
        x = a->out == 1
                ? (a->start + a->end) * (in - 1) / 2
                : a->start * (in - 1) + y * (a->end - a->start) * (in - 1) / (double)(a->out - 1);
        return x < 0 || x > in - 1 ? (double)NAN : x;
    default: return (y + 0.5) / a->scale - 0.5;
    }
}

/* floor(x) as an index; what is far outside stays outside. */
static int64_t whole_below(const resize_axis *a, double x) {
    const double low = -8, high = (double)a->in + 8;
    return (int64_t)floor(x < low ? low : x > high ? high : x);
}

int64_t resize_axis_nearest(const resize_rules *r, const resize_axis *a, double source) {
    int64_t at = whole_below(a, source);
    const double past = source - floor(source);
    if (past > 0) {
        switch (r->rounding) {
        case RESIZE_PREFER_FLOOR: at += past > 0.5; break;
        case RESIZE_PREFER_CEIL: at += past >= 0.5; break;
        case RESIZE_CEIL: at++; break;
        default: break;
        }
    }
    return at < 0 ? 0 : at >= a->in ? a->in - 1 : at;
}

/* By how much the filter is stretched: places that it reaches to either side. */
static double reach_of(const resize_rules *r, const resize_axis *a) {
    const double plain = r->mode == RESIZE_CUBIC ? 2 : 1;
    return r->antialias && a->scale < 1 ? plain / a->scale : plain;
}

uint64_t resize_axis_taps(const resize_rules *r, const resize_axis *a) {
    const double reach = reach_of(r, a);
    /* An output of one place at least makes a filter of a few times the input at most. */
    if (!(reach <= 4 * (double)a->in + 64)) return 0;
    return 2 * (uint64_t)ceil(reach);
}

static double cubic(double x, double a) {
    x = fabs(x);
    if (x <= 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

void resize_axis_weights(const resize_rules *r, const resize_axis *a, double source, uint64_t taps,
                         int64_t *first, double *weights) {
    const double low = -8, high = (double)a->in + 8;
    const double x = source < low ? low : source > high ? high : source;
    const double stretch = r->antialias && a->scale < 1 ? a->scale : 1;
    double sum = 0;
    *first = whole_below(a, x) - (int64_t)(taps / 2) + 1;
    for (uint64_t i = 0; i < taps; i++) {
        const int64_t at = *first + (int64_t)i;
        const double away = ((double)at - x) * stretch;
        const bool outside = r->exclude_outside && (at < 0 || at >= a->in);
        weights[i] = r->mode == RESIZE_CUBIC ? cubic(away, r->cubic_a)
                     : fabs(away) < 1        ? 1 - fabs(away)
                                             : 0;
        if (outside) weights[i] = 0;
        sum += weights[i];
    }
    if (sum == 0 || (!r->exclude_outside && stretch == 1)) return;
    for (uint64_t i = 0; i < taps; i++)
        weights[i] /= sum;
}
