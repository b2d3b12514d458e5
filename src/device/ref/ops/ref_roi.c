/* RoiAlign, MaxRoiPool. In: feature maps [N, C, H, W], regions of them. Out: [regions, C, height,
 * width], each place the mean or the largest of what lies in its part of the region. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

#define SAMPLES_MAX (1u << 22) /* of one place: every place of a large map */

typedef struct aligning {
    tensor_value *x, *rois, *entries, *y;
    bool take_largest, half_pixel;
    int64_t ratio; /* samples along each axis of a bin; 0: as many as it has places */
    double scale;
} aligning;

/* A region along one axis. */
typedef struct span {
    double start, bin;
    int64_t samples; /* of a bin */
} span;

/* Two places around a sample and the part of the second; both the last one at the end. */
typedef struct between {
    uint64_t low, high;
    double part;
    bool outside;
} between;

static between place_sample(const span *s, int64_t bin, int64_t sample, int64_t size) {
    double at =
        s->start + (double)bin * s->bin + ((double)sample + 0.5) * s->bin / (double)s->samples;
    if (!(at >= -1 && at <= (double)size)) return (between){.outside = true};
    if (at < 0) at = 0;
    const uint64_t low = (uint64_t)at, last = (uint64_t)size - 1;
    if (low >= last) return (between){.low = last, .high = last};
    return (between){.low = low, .high = low + 1, .part = at - (double)low};
}

/* One place of the output: bins (row, column) of a plane that begins at element `first`. The
 * largest is that of the weighted neighbours, as in the operator's first implementations. */
static double pool_bin(const aligning *a, const span *v, const span *h, int64_t row, int64_t column,
                       uint64_t first) {
    const tensor_value *x = a->x;
    const uint64_t width = (uint64_t)x->dims[3];
    double result = 0;
    bool has_one = false;
    for (int64_t i = 0; i < v->samples; i++) {
        const between down = place_sample(v, row, i, x->dims[2]);
        if (down.outside && !a->take_largest) continue;
        for (int64_t k = 0; k < h->samples; k++) {
            const between across = place_sample(h, column, k, x->dims[3]);
            double value[4] = {0};
            for (int n = 0; n < 4 && !down.outside && !across.outside; n++) {
                const uint64_t y = n < 2 ? down.low : down.high;
                const uint64_t at = n % 2 ? across.high : across.low;
                const double weight =
                    (n < 2 ? 1 - down.part : down.part) * (n % 2 ? across.part : 1 - across.part);
                value[n] = weight * tensor_get_number(x->element, x->data, first + y * width + at);
            }
            if (a->take_largest) {
                const double best = fmax(fmax(value[0], value[1]), fmax(value[2], value[3]));
                result = has_one ? fmax(result, best) : best;
                has_one = true;
            } else {
                result += value[0] + value[1] + value[2] + value[3];
            }
        }
    }
    const double count = (double)v->samples * (double)h->samples;
    return a->take_largest || count < 1 ? result : result / count;
}

/* Region `roi` along an axis: corners at columns `from` and `from` + 2. */
static ondol_status find_span(const plan_call *c, const aligning *a, uint64_t roi, uint64_t from,
                              int64_t bins, span *out, ondol_error *err) {
    const double shift = a->half_pixel ? 0.5 : 0;
    const tensor_value *r = a->rois;
    const double start = tensor_get_number(r->element, r->data, 4 * roi + from) * a->scale - shift;
    const double end =
        tensor_get_number(r->element, r->data, 4 * roi + from + 2) * a->scale - shift;
    double length = end - start;
    if (!a->half_pixel && length < 1) length = 1; /* malformed ones are of one place */
    const double samples = a->ratio > 0 ? (double)a->ratio : ceil(length / (double)bins);
    if (!isfinite(start) || !isfinite(length) || samples > INT32_MAX) {
        return plan_call_fail(c, err, "region %" PRIu64 " goes from %g to %g", roi, start, end);
    }
    *out = (span){start, length / (double)bins, samples > 0 ? (int64_t)samples : 0};
    return ONDOL_OK;
}

static ondol_status align_region(plan_call *c, const aligning *a, uint64_t roi, ondol_error *err) {
    const int64_t batches = a->x->dims[0], rows = a->y->dims[2], columns = a->y->dims[3];
    const int64_t entry = tensor_get_integer(a->entries->element, a->entries->data, roi);
    const uint64_t plane = (uint64_t)a->x->dims[2] * (uint64_t)a->x->dims[3];
    const uint64_t channels = (uint64_t)a->x->dims[1];
    span h, v;
    ondol_status status = ONDOL_OK;
    if (entry < 0 || entry >= batches) {
        return plan_call_fail(c, err,
                              "batch index %" PRId64 " of region %" PRIu64
                              " is out of range: axis 0 has %" PRId64,
                              entry, roi, batches);
    }
    TRY(find_span(c, a, roi, 0, columns, &h, err));
    TRY(find_span(c, a, roi, 1, rows, &v, err));
    if ((double)v.samples * (double)h.samples > SAMPLES_MAX) {
        return plan_call_fail(c, err,
                              "region %" PRIu64 " has %" PRId64 " times %" PRId64
                              " samples in each place, at most %u are taken",
                              roi, v.samples, h.samples, SAMPLES_MAX);
    }
    for (uint64_t k = 0; k < channels; k++) {
        const uint64_t first = ((uint64_t)entry * channels + k) * plane;
        uint64_t to = (roi * channels + k) * (uint64_t)(rows * columns);
        for (int64_t i = 0; i < rows; i++) {
            if (c->runtime) TRY(c->runtime->check_cancelled(c->runtime, err));
            for (int64_t j = 0; j < columns; j++) {
                const double value = plane ? pool_bin(a, &v, &h, i, j, first) : 0;
                tensor_set_number(a->y->element, a->y->data, to++, value);
            }
        }
    }
done:
    return status;
}

static ondol_status check_rois(const plan_call *c, const tensor_value *x, const tensor_value *rois,
                               int64_t columns, ondol_error *err) {
    char text[REF_SHAPE_TEXT_BYTES], other[REF_SHAPE_TEXT_BYTES];
    if (x->rank == 4 && rois->rank == 2 && rois->dims[1] == columns) return ONDOL_OK;
    return plan_call_fail(c, err, "regions of shape %s of an input of shape %s",
                          ref_shape_text(rois->rank, rois->dims, text),
                          ref_shape_text(x->rank, x->dims, other));
}

ondol_status ref_roi_align(plan_call *c, ondol_error *err) {
    const char *mode = graph_get_string(c->g, c->node, "mode");
    const char *shift = graph_get_string(c->g, c->node, "coordinate_transformation_mode");
    aligning a = {.take_largest = strcmp(mode, "max") == 0,
                  .half_pixel = strcmp(shift, "half_pixel") == 0,
                  .ratio = graph_get_int(c->g, c->node, "sampling_ratio"),
                  .scale = graph_get_float(c->g, c->node, "spatial_scale")};
    const int64_t height = graph_get_int(c->g, c->node, "output_height");
    const int64_t width = graph_get_int(c->g, c->node, "output_width");
    ondol_status status = ONDOL_OK;
    if ((!a.take_largest && strcmp(mode, "avg") != 0) ||
        (!a.half_pixel && strcmp(shift, "output_half_pixel") != 0)) {
        return plan_call_fail(c, err, "mode '%s' with '%s'", mode, shift);
    }
    if (a.ratio < 0 || a.ratio > INT32_MAX) {
        return plan_call_fail(c, err, "sampling_ratio %" PRId64, a.ratio);
    }
    TRY(ref_input(c, 0, REF_CLASS_FLOAT, &a.x, err));
    TRY(ref_input(c, 1, REF_CLASS_FLOAT, &a.rois, err));
    TRY(plan_call_typed(c, 2, TENSOR_ELEMENT_I64, &a.entries, err));
    TRY(check_rois(c, a.x, a.rois, 4, err));
    if (a.entries->rank != 1 || a.entries->dims[0] != a.rois->dims[0]) {
        return plan_call_fail(c, err, "%" PRIu64 " batch indices for %" PRId64 " regions",
                              a.entries->elems, a.rois->dims[0]);
    }
    const int64_t dims[4] = {a.rois->dims[0], a.x->dims[1], height, width};
    TRY(plan_call_output(c, 0, a.x->element, 4, dims, &a.y, err));
    for (uint64_t i = 0; a.y->elems && i < a.entries->elems; i++)
        TRY(align_region(c, &a, i, err));
done:
    return status;
}

/* Places [*from, *to) of an axis that bin i of a region from `start` on, of `length`, covers. */
static void bin_places(double start, double length, int64_t bins, int64_t i, int64_t size,
                       int64_t *from, int64_t *to) {
    const double bin = length / (double)bins;
    const double low = floor((double)i * bin) + start, high = ceil((double)(i + 1) * bin) + start;
    *from = (int64_t)fmin(fmax(low, 0), (double)size);
    *to = (int64_t)fmin(fmax(high, 0), (double)size);
}

/* The largest of a bin; 0 of an empty one. */
static double largest(const tensor_value *x, uint64_t first, int64_t top, int64_t bottom,
                      int64_t left, int64_t right) {
    double best = 0;
    bool has_one = false;
    for (int64_t i = top; i < bottom; i++) {
        for (int64_t k = left; k < right; k++) {
            const uint64_t at = first + (uint64_t)(i * x->dims[3] + k);
            const double v = tensor_get_number(x->element, x->data, at);
            if (!has_one || v > best) best = v;
            has_one = true;
        }
    }
    return best;
}

static ondol_status pool_region(plan_call *c, const aligning *a, uint64_t roi, ondol_error *err) {
    const int64_t rows = a->y->dims[2], columns = a->y->dims[3];
    const uint64_t plane = (uint64_t)a->x->dims[2] * (uint64_t)a->x->dims[3];
    const uint64_t channels = (uint64_t)a->x->dims[1];
    double region[5];
    for (uint32_t i = 0; i < 5; i++) {
        region[i] = tensor_get_number(a->rois->element, a->rois->data, 5 * roi + i);
        if (!isfinite(region[i]))
            return plan_call_fail(c, err, "region %" PRIu64 " has %g", roi, region[i]);
        if (i) region[i] = round(region[i] * a->scale);
    }
    if (!(region[0] >= 0 && region[0] < (double)a->x->dims[0])) {
        return plan_call_fail(
            c, err, "batch index %g of region %" PRIu64 " is out of range: axis 0 has %" PRId64,
            region[0], roi, a->x->dims[0]);
    }
    const double width = fmax(region[3] - region[1] + 1, 1);
    const double height = fmax(region[4] - region[2] + 1, 1);
    for (uint64_t k = 0; k < channels; k++) {
        const uint64_t first = ((uint64_t)region[0] * channels + k) * plane;
        uint64_t to = (roi * channels + k) * (uint64_t)(rows * columns);
        for (int64_t i = 0; i < rows; i++) {
            int64_t top = 0, bottom = 0, left = 0, right = 0;
            bin_places(region[2], height, rows, i, a->x->dims[2], &top, &bottom);
            for (int64_t j = 0; j < columns; j++) {
                bin_places(region[1], width, columns, j, a->x->dims[3], &left, &right);
                tensor_set_number(a->y->element, a->y->data, to++,
                                  largest(a->x, first, top, bottom, left, right));
            }
        }
    }
    return ONDOL_OK;
}

ondol_status ref_max_roi_pool(plan_call *c, ondol_error *err) {
    const graph_attribute *shape = graph_get_attribute(c->g, c->node, "pooled_shape");
    aligning a = {.scale = graph_get_float(c->g, c->node, "spatial_scale")};
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_FLOAT, &a.x, err));
    TRY(ref_input(c, 1, REF_CLASS_FLOAT, &a.rois, err));
    TRY(check_rois(c, a.x, a.rois, 5, err));
    if (!shape || shape->int_count != 2) {
        return plan_call_fail(c, err, "expected a pooled_shape of 2 numbers");
    }
    const int64_t dims[4] = {a.rois->dims[0], a.x->dims[1], shape->ints[0], shape->ints[1]};
    TRY(plan_call_output(c, 0, a.x->element, 4, dims, &a.y, err));
    for (uint64_t i = 0; a.y->elems && i < (uint64_t)a.rois->dims[0]; i++)
        TRY(pool_region(c, &a, i, err));
done:
    return status;
}
