/* CropAndResize, MaxpoolWithMask, UnfoldTensor. In: images, or any tensor. Out: crops of one size,
 * maxima of windows, slices of a dimension. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_conv_shape.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms.h"

/* ----------------------------------------------------------------------------- CropAndResize */

/* Place `at` of `count` between the corners from and to of a side of that size; each step in float,
 * as the operator was made, since nearest neighbours hang on it. */
static double sample_place(double from, double to, int64_t at, int64_t count, int64_t size) {
    const float first = (float)from, last = (float)to, length = (float)(size - 1);
    if (count == 1) return (double)(float)(0.5 * ((double)(first + last)) * (double)(size - 1));
    const float step = (last - first) * length / (float)(count - 1);
    const float start = first * length, passed = (float)at * step;
    if (at == 0) return (double)start;
    return at + 1 == count ? (double)(last * length) : (double)(start + passed);
}

typedef struct crop_job {
    tensor_value *x, *rois, *batches, *y;
    int64_t height, width, crop_height, crop_width;
    double outside;
    bool is_nearest;
} crop_job;

/* The number at (row, column) of channel `channel` of all. */
static double pixel(const crop_job *j, uint64_t channel, double row, double column) {
    const uint64_t at = (channel * (uint64_t)j->height + (uint64_t)row) * (uint64_t)j->width;
    return tensor_get_number(j->x->element, j->x->data, at + (uint64_t)column);
}

static double sample(const crop_job *j, uint64_t channel, double row, double column) {
    const bool is_inside = row >= 0 && row <= (double)(j->height - 1) && column >= 0 &&
                           column <= (double)(j->width - 1);
    if (!is_inside) return j->outside;
    if (j->is_nearest) return pixel(j, channel, round(row), round(column));
    const double top = floor(row), bottom = ceil(row), left = floor(column), right = ceil(column);
    const double a = pixel(j, channel, top, left), b = pixel(j, channel, top, right);
    const double c = pixel(j, channel, bottom, left), d = pixel(j, channel, bottom, right);
    const double upper = a + (b - a) * (column - left), lower = c + (d - c) * (column - left);
    return upper + (lower - upper) * (row - top);
}

static void crop(const crop_job *j, uint64_t roi, uint64_t batch) {
    const uint64_t channels = (uint64_t)j->x->dims[1];
    double corner[4]; /* y1, x1, y2, x2 */
    ref_load_numbers(j->rois, 4 * roi, 4, corner);
    uint64_t at = roi * channels * (uint64_t)(j->crop_height * j->crop_width);
    for (uint64_t channel = 0; channel < channels; channel++) {
        for (int64_t row = 0; row < j->crop_height; row++) {
            const double y = sample_place(corner[0], corner[2], row, j->crop_height, j->height);
            for (int64_t column = 0; column < j->crop_width; column++) {
                const double x =
                    sample_place(corner[1], corner[3], column, j->crop_width, j->width);
                tensor_set_number(j->y->element, j->y->data, at++,
                                  sample(j, batch * channels + channel, y, x));
            }
        }
    }
}

static ondol_status read_crop(const plan_call *c, crop_job *j, ondol_error *err) {
    const char *mode = graph_get_string(c->g, c->node, "mode");
    int64_t size[2];
    uint32_t count = 0;
    ondol_status status = ONDOL_OK;
    j->is_nearest = strcmp(mode, "nearest") == 0;
    j->outside = graph_get_float(c->g, c->node, "extrapolation_value");
    if (!j->is_nearest && strcmp(mode, "bilinear") != 0) {
        return plan_call_fail(c, err, "mode is '%.64s'", mode);
    }
    TRY(ref_float_input(c, 0, &j->x, err));
    TRY(ref_float_input(c, 1, &j->rois, err));
    TRY(ref_ms_expect_rank(c, "X", j->x, 4, err));
    TRY(ref_ms_expect_rank(c, "rois", j->rois, 2, err));
    const int64_t dims[2] = {j->rois->dims[0], 4};
    TRY(ref_expect_dims(c, "rois", j->rois, 2, dims, err));
    TRY(ref_ms_integers(c, 2, "batch_indices", 1, dims, &j->batches, err));
    TRY(plan_call_integers(c, 3, 2, size, &count, err));
    if (count != 2 || size[0] < 1 || size[1] < 1) {
        return plan_call_fail(c, err, "crop_size has no two numbers above 0");
    }
    j->height = j->x->dims[2];
    j->width = j->x->dims[3];
    j->crop_height = size[0];
    j->crop_width = size[1];
done:
    return status;
}

ondol_status ref_ms_crop_and_resize(plan_call *c, ondol_error *err) {
    crop_job j = {0};
    ondol_status status = ONDOL_OK;
    TRY(read_crop(c, &j, err));
    const int64_t dims[4] = {j.rois->dims[0], j.x->dims[1], j.crop_height, j.crop_width};
    TRY(plan_call_output(c, 0, j.x->element, 4, dims, &j.y, err));
    for (uint64_t i = 0; i < (uint64_t)dims[0]; i++) {
        const int64_t batch = tensor_get_integer(j.batches->element, j.batches->data, i);
        if (batch < 0 || batch >= j.x->dims[0]) {
            return plan_call_fail(c, err, "batch index %" PRId64 " of %" PRId64, batch,
                                  j.x->dims[0]);
        }
        crop(&j, i, (uint64_t)batch);
    }
done:
    return status;
}

/* --------------------------------------------------------------------------- MaxpoolWithMask */

/* The largest number of a window; a 0 of the mask ends its row. */
static double masked_max(const ref_conv_shape *s, const int64_t *o, const tensor_value *x,
                         uint64_t x_first, const tensor_value *mask, uint64_t mask_first,
                         const int64_t *stride) {
    double best = -(double)3.4028234663852886e38;
    bool is_over = false;
    ref_walk k;
    ref_walk_begin(&k, s->rank, s->kernel);
    for (; k.left; ref_walk_next(&k)) {
        bool is_in = true;
        int64_t at = 0;
        if (k.index[s->rank - 1] == 0) is_over = false;
        for (uint32_t d = 0; d < s->rank; d++) {
            const int64_t i = o[d] * s->stride[d] + k.index[d] - s->pad_begin[d];
            is_in = is_in && i >= 0 && i < s->in[d];
            at += i * stride[d];
        }
        if (!is_in || is_over) continue;
        const bool is_masked =
            tensor_get_integer(mask->element, mask->data, mask_first + (uint64_t)at) == 0;
        /* The first place of a plane is never masked; of a line it is. */
        is_over = is_masked && (s->rank == 1 || at > 0);
        const double v = tensor_get_number(x->element, x->data, x_first + (uint64_t)at);
        if (!is_over && v > best) best = v;
    }
    return best;
}

ondol_status ref_ms_maxpool_with_mask(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *mask = NULL, *y = NULL;
    int64_t dims[TENSOR_MAX_RANK], stride[TENSOR_MAX_RANK];
    uint64_t in_size = 0;
    ref_conv_shape s;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err));
    TRY(plan_call_typed(c, 1, TENSOR_ELEMENT_I32, &mask, err));
    TRY(ref_pool_shape_begin(c, x, &s, err));
    memcpy(dims, x->dims, sizeof dims);
    if (mask->rank == x->rank) {
        dims[0] = mask->dims[0];
        dims[1] = mask->dims[1];
    }
    TRY(ref_expect_dims(c, "the mask", mask, x->rank, dims, err));
    memcpy(dims, x->dims, 2 * sizeof *dims);
    memcpy(dims + 2, s.out, s.rank * sizeof *dims);
    TRY(plan_call_output(c, 0, x->element, x->rank, dims, &y, err));
    if (!ref_product(s.rank, s.in, &in_size)) return plan_call_fail(c, err, "it is too large");
    ref_strides(s.rank, s.in, stride);
    const uint64_t channels = (uint64_t)(x->dims[0] * x->dims[1]);
    const uint64_t mask_channels = in_size ? mask->elems / in_size : 0;
    if (mask_channels == 0 && y->elems) return plan_call_fail(c, err, "the mask is empty");
    uint64_t at = 0;
    for (uint64_t i = 0; i < channels && y->elems; i++) {
        ref_walk o;
        ref_walk_begin(&o, s.rank, s.out);
        for (; o.left; ref_walk_next(&o))
            tensor_set_number(
                y->element, y->data, at++,
                masked_max(&s, o.index, x, i * in_size, mask, i % mask_channels * in_size, stride));
    }
done:
    return status;
}

/* ------------------------------------------------------------------------------ UnfoldTensor */

ondol_status ref_ms_unfold_tensor(plan_call *c, ondol_error *err) {
    const int64_t size = graph_get_int(c->g, c->node, "size");
    const int64_t step = graph_get_int(c->g, c->node, "step");
    tensor_value *x = NULL, *y = NULL;
    int64_t dims[TENSOR_MAX_RANK];
    uint32_t axis = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "dim"), x->rank, &axis, err));
    if (size < 1 || step < 1 || size > x->dims[axis] || x->rank + 1 > TENSOR_MAX_RANK) {
        return plan_call_fail(c, err, "slices of %" PRId64 " every %" PRId64 " of %" PRId64, size,
                              step, x->dims[axis]);
    }
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = (x->dims[axis] - size) / step + 1;
    dims[x->rank] = size;
    TRY(plan_call_output(c, 0, x->element, x->rank + 1, dims, &y, err));
    const ref_split s = ref_split_at(x, axis);
    for (uint64_t i = 0; i < y->elems; i++) {
        const uint64_t place = i % (uint64_t)size, rest = i / (uint64_t)size;
        const uint64_t inner = rest % s.inner, slice = rest / s.inner % (uint64_t)dims[axis];
        const uint64_t outer = rest / s.inner / (uint64_t)dims[axis];
        const uint64_t from = slice * (uint64_t)step + place;
        TRY(ref_copy_element(y, i, x, (outer * s.axis + from) * s.inner + inner, err));
    }
done:
    return status;
}
