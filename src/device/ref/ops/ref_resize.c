/* Resize. In: a tensor, scales or sizes. Out: it with axes of other lengths, each place the nearest
 * of the input or a weighted mean of those around. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/host_box.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_move.h"
#include "device/ref/ops/ref_number.h"
#include "device/ref/ops/ref_resize_axis.h"

typedef struct resizing {
    resize_rules rules;
    resize_axis axes[TENSOR_MAX_RANK];
    tensor_value *x;
} resizing;

static ondol_status read_name(const plan_call *c, const char *name, const char *const *names,
                              int *out, ondol_error *err) {
    const char *given = graph_get_string(c->g, c->node, name);
    for (int i = 0; names[i]; i++) {
        if (strcmp(given, names[i]) != 0) continue;
        *out = i;
        return ONDOL_OK;
    }
    return plan_call_fail(c, err, "%s '%s', which is none", name, given);
}

static ondol_status read_rules(const plan_call *c, resize_rules *r, ondol_error *err) {
    static const char *const modes[] = {"nearest", "linear", "cubic", NULL};
    static const char *const coordinates[] = {"half_pixel",
                                              "half_pixel_symmetric",
                                              "pytorch_half_pixel",
                                              "align_corners",
                                              "asymmetric",
                                              "tf_crop_and_resize",
                                              NULL};
    static const char *const roundings[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                            "ceil", NULL};
    int mode = 0, coordinate = 0, rounding = 0;
    ondol_status status = ONDOL_OK;
    TRY(read_name(c, "mode", modes, &mode, err));
    TRY(read_name(c, "coordinate_transformation_mode", coordinates, &coordinate, err));
    TRY(read_name(c, "nearest_mode", roundings, &rounding, err));
    *r = (resize_rules){.mode = (resize_mode)mode,
                        .coordinates = (resize_coordinates)coordinate,
                        .rounding = (resize_rounding)rounding,
                        .antialias = graph_get_int(c->g, c->node, "antialias") != 0,
                        .exclude_outside = graph_get_int(c->g, c->node, "exclude_outside") != 0,
                        .cubic_a = graph_get_float(c->g, c->node, "cubic_coeff_a"),
                        .extrapolation = graph_get_float(c->g, c->node, "extrapolation_value")};
    if (r->antialias && r->mode == RESIZE_NEAREST) {
        status = plan_call_fail(c, err, "antialias has no meaning for the nearest");
    }
done:
    return status;
}

/* Input i, numbers for the listed axes: count * per of them; absent or empty: *out is NULL. */
static ondol_status take_list(const plan_call *c, uint32_t i, uint32_t count, tensor_value **out,
                              ondol_error *err) {
    *out = NULL;
    if (!plan_call_input(c, i)) return ONDOL_OK;
    ondol_status status = ref_input(c, i, REF_CLASS_NUMBER, out, err);
    if (status != ONDOL_OK) return status;
    if (!(*out)->elems) {
        *out = NULL;
        return ONDOL_OK;
    }
    if ((*out)->elems == count) return ONDOL_OK;
    return plan_call_fail(c, err, "input %" PRIu32 " has %" PRIu64 " numbers, expected %" PRIu32, i,
                          (*out)->elems, count);
}

static ondol_status read_axes(const plan_call *c, uint32_t rank, uint32_t *axes, uint32_t *count,
                              ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, "axes");
    bool seen[TENSOR_MAX_RANK] = {false};
    *count = a ? a->int_count : rank;
    if (*count > rank) {
        return plan_call_fail(c, err, "%" PRIu32 " axes of a tensor of rank %" PRIu32, *count,
                              rank);
    }
    for (uint32_t i = 0; i < *count; i++) {
        ondol_status status = plan_call_axis(c, a ? a->ints[i] : i, rank, axes + i, err);
        if (status != ONDOL_OK) return status;
        if (seen[axes[i]]) {
            return plan_call_fail(c, err, "axis %" PRIu32 " is listed twice", axes[i]);
        }
        seen[axes[i]] = true;
    }
    return ONDOL_OK;
}

/* One scale for all axes, so that none gets longer, or shorter, than its size. */
static double common_scale(const resizing *r, const uint32_t *axes, uint32_t count, bool smallest) {
    double best = 0;
    for (uint32_t i = 0; i < count; i++) {
        const double scale = r->axes[axes[i]].scale;
        if (i == 0 || (smallest ? scale < best : scale > best)) best = scale;
    }
    return best;
}

static ondol_status set_out(const plan_call *c, resize_axis *a, double length, ondol_error *err) {
    if (!(length >= 0 && length < 0x1p62)) {
        return plan_call_fail(c, err, "an axis of %" PRId64 " resized to %g", a->in, length);
    }
    a->out = (int64_t)length;
    return ONDOL_OK;
}

static ondol_status apply_sizes(const plan_call *c, resizing *r, const tensor_value *sizes,
                                const uint32_t *axes, uint32_t count, ondol_error *err) {
    const char *policy = graph_get_string(c->g, c->node, "keep_aspect_ratio_policy");
    const bool not_larger = strcmp(policy, "not_larger") == 0;
    const bool not_smaller = strcmp(policy, "not_smaller") == 0;
    if (!not_larger && !not_smaller && strcmp(policy, "stretch") != 0) {
        return plan_call_fail(c, err, "keep_aspect_ratio_policy '%s', which is none", policy);
    }
    for (uint32_t i = 0; i < count; i++) {
        resize_axis *a = r->axes + axes[i];
        const int64_t size = tensor_get_integer(sizes->element, sizes->data, i);
        ondol_status status = set_out(c, a, (double)size, err);
        if (status != ONDOL_OK) return status;
        a->out = size;
        a->scale = a->in ? (double)size / (double)a->in : 1;
    }
    if (!not_larger && !not_smaller) return ONDOL_OK;
    const double scale = common_scale(r, axes, count, not_larger);
    for (uint32_t i = 0; i < count; i++) {
        resize_axis *a = r->axes + axes[i];
        a->scale = scale;
        ondol_status status = set_out(c, a, floor(scale * (double)a->in + 0.5), err);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

static ondol_status apply_scales(const plan_call *c, resizing *r, const tensor_value *scales,
                                 const uint32_t *axes, uint32_t count, ondol_error *err) {
    for (uint32_t i = 0; i < count; i++) {
        resize_axis *a = r->axes + axes[i];
        a->scale = tensor_get_number(scales->element, scales->data, i);
        if (!(a->scale > 0 && a->scale < INFINITY)) {
            return plan_call_fail(c, err, "a scale of %g", a->scale);
        }
        const bool crop = r->rules.coordinates == RESIZE_TF_CROP;
        const double part = crop ? a->end - a->start : 1;
        ondol_status status = set_out(c, a, floor((double)a->in * part * a->scale), err);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

static ondol_status read_lengths(const plan_call *c, resizing *r, ondol_error *err) {
    tensor_value *roi = NULL, *scales = NULL, *sizes = NULL;
    uint32_t axes[TENSOR_MAX_RANK] = {0}, count = 0;
    const bool crop = r->rules.coordinates == RESIZE_TF_CROP;
    ondol_status status = ONDOL_OK;
    for (uint32_t d = 0; d < r->x->rank; d++)
        r->axes[d] = (resize_axis){r->x->dims[d], r->x->dims[d], 1, 0, 1};
    TRY(read_axes(c, r->x->rank, axes, &count, err));
    if (crop) TRY(take_list(c, 1, 2 * count, &roi, err));
    TRY(take_list(c, 2, count, &scales, err));
    TRY(take_list(c, 3, count, &sizes, err));
    if (count && (scales != NULL) == (sizes != NULL)) {
        return plan_call_fail(c, err, "expected either scales or sizes");
    }
    if (crop && count && !roi) return plan_call_fail(c, err, "tf_crop_and_resize without roi");
    for (uint32_t i = 0; roi && i < count; i++) {
        r->axes[axes[i]].start = tensor_get_number(roi->element, roi->data, i);
        r->axes[axes[i]].end = tensor_get_number(roi->element, roi->data, count + i);
        if (!isfinite(r->axes[axes[i]].start) || !isfinite(r->axes[axes[i]].end)) {
            return plan_call_fail(c, err, "a region of interest that is not finite");
        }
    }
    if (sizes) TRY(apply_sizes(c, r, sizes, axes, count, err));
    if (scales) TRY(apply_scales(c, r, scales, axes, count, err));
    for (uint32_t d = 0; d < r->x->rank; d++) {
        if (r->axes[d].in || !r->axes[d].out) continue;
        return plan_call_fail(c, err, "axis %" PRIu32 " of size 0 resized to %" PRId64, d,
                              r->axes[d].out);
    }
done:
    return status;
}

/* Moves elements: any type. Extrapolated ones get the value as a number. */
static ondol_status resize_nearest(const plan_call *c, const resizing *r, tensor_value *y,
                                   ondol_error *err) {
    const tensor_value *x = r->x;
    const bool has_numbers = ref_class_of(x->element) != REF_CLASS_STRING;
    int64_t *places[TENSOR_MAX_RANK] = {NULL}, steps[TENSOR_MAX_RANK], total = 0;
    void *memory = NULL;
    ref_walk w;
    ondol_status status = ONDOL_OK;
    if (!y->elems) return ONDOL_OK;
    ref_strides(x->rank, x->dims, steps);
    for (uint32_t d = 0; d < x->rank; d++)
        total += r->axes[d].out; /* each at most y->elems */
    TRY(ref_alloc(c, (uint64_t)total, sizeof *places[0], "places of a resize", &memory, err));
    int64_t *next = memory;
    for (uint32_t d = 0; d < x->rank; d++) {
        const resize_axis *a = r->axes + d;
        places[d] = next;
        for (int64_t i = 0; i < a->out; i++) {
            const double source =
                resize_axis_is_same(&r->rules, a) ? (double)i : resize_axis_source(&r->rules, a, i);
            *next++ = isnan(source) ? -1 : resize_axis_nearest(&r->rules, a, source) * steps[d];
        }
    }
    ref_walk_begin(&w, y->rank, y->dims);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        int64_t from = 0;
        bool inside = true;
        for (uint32_t d = 0; d < x->rank; d++) {
            const int64_t place = places[d][w.index[d]];
            inside = inside && place >= 0;
            from += place;
        }
        if (inside)
            TRY(host_move_element(y, i, x, (uint64_t)from, err));
        else if (has_numbers)
            tensor_set_number(y->element, y->data, i, r->rules.extrapolation);
    }
done:
    tensor_heap_free(c->heap, memory);
    return status;
}

/* One axis: src [outer, in, inner] -> dst [outer, out, inner]. */
static void interpolate(const resize_rules *rules, const resize_axis *a, uint64_t outer,
                        uint64_t inner, uint64_t taps, double *weights, const double *src,
                        double *dst) {
    for (int64_t i = 0; i < a->out; i++) {
        const double source = resize_axis_source(rules, a, i);
        int64_t first = 0;
        if (!isnan(source)) resize_axis_weights(rules, a, source, taps, &first, weights);
        for (uint64_t o = 0; o < outer; o++) {
            double *to = dst + (o * (uint64_t)a->out + (uint64_t)i) * inner;
            for (uint64_t k = 0; k < inner; k++)
                to[k] = isnan(source) ? rules->extrapolation : 0;
            for (uint64_t t = 0; !isnan(source) && t < taps; t++) {
                int64_t at = first + (int64_t)t;
                at = at < 0 ? 0 : at >= a->in ? a->in - 1 : at;
                const double *from = src + (o * (uint64_t)a->in + (uint64_t)at) * inner;
                for (uint64_t k = 0; weights[t] != 0 && k < inner; k++)
                    to[k] += weights[t] * from[k];
            }
        }
    }
}

/* All axes of *data (dims of x, then those of y), which moves to other memory. inner: numbers of an
 * element. */
static ondol_status interpolate_all(const plan_call *c, const resizing *r, uint64_t inner,
                                    double **data, ondol_error *err) {
    int64_t dims[TENSOR_MAX_RANK];
    void *weights = NULL, *made = NULL;
    ondol_status status = ONDOL_OK;
    memcpy(dims, r->x->dims, sizeof dims);
    for (uint32_t d = 0; d < r->x->rank; d++) {
        const resize_axis *a = r->axes + d;
        uint64_t outer = 0, below = 0, elems = 0;
        if (resize_axis_is_same(&r->rules, a)) continue;
        const uint64_t taps = resize_axis_taps(&r->rules, a);
        dims[d] = a->out;
        if (!taps || !ref_product(d, dims, &outer) || !ref_product(r->x->rank, dims, &elems) ||
            !ref_product(r->x->rank - d - 1, dims + d + 1, &below)) {
            status = plan_call_fail(c, err, "axis %" PRIu32 " of %" PRId64 " scaled by %g", d,
                                    a->in, a->scale);
            goto done;
        }
        TRY(ref_alloc(c, taps, sizeof(double), "weights of a resize", &weights, err));
        TRY(ref_alloc(c, elems, inner * sizeof(double), "numbers of a resize", &made, err));
        interpolate(&r->rules, a, outer, below * inner, taps, weights, *data, made);
        tensor_heap_free(c->heap, weights);
        tensor_heap_free(c->heap, *data);
        *data = made;
        weights = made = NULL;
    }
done:
    tensor_heap_free(c->heap, weights);
    return status;
}

/* Integers are rounded to nearest even and kept within their type. */
static void store_whole(tensor_value *y, uint64_t i, double v) {
    const unsigned bits = tensor_element_bits(y->element);
    const bool is_signed = ref_class_of(y->element) == REF_CLASS_SIGNED;
    if (y->element == TENSOR_ELEMENT_BOOL) {
        tensor_set_integer(y->element, y->data, i, rint(v) != 0);
        return;
    }
    const double most = ldexp(1, (int)bits - (is_signed ? 1 : 0)), least = is_signed ? -most : 0;
    v = isnan(v) ? 0 : rint(v);
    if (v >= most) {
        const uint64_t all = UINT64_MAX >> (64 - bits + (is_signed ? 1 : 0));
        tensor_set_integer(y->element, y->data, i, (int64_t)all);
    } else {
        tensor_set_number(y->element, y->data, i, v < least ? least : v);
    }
}

static ondol_status resize_smoothly(const plan_call *c, const resizing *r, tensor_value *y,
                                    ondol_error *err) {
    const tensor_value *x = r->x;
    const ref_class class = ref_class_of(x->element);
    const tensor_element part =
        x->element == TENSOR_ELEMENT_C64 ? TENSOR_ELEMENT_F32 : TENSOR_ELEMENT_F64;
    const uint64_t parts = class == REF_CLASS_COMPLEX ? 2 : 1;
    const tensor_element e = parts == 2 ? part : x->element;
    void *memory = NULL;
    double *data = NULL;
    ondol_status status = ONDOL_OK;
    if (!y->elems) return ONDOL_OK;
    TRY(ref_alloc(c, x->elems, parts * sizeof *data, "numbers of a resize", &memory, err));
    data = memory;
    for (uint64_t i = 0; i < x->elems * parts; i++)
        data[i] = tensor_get_number(e, x->data, i);
    TRY(interpolate_all(c, r, parts, &data, err));
    for (uint64_t i = 0; i < y->elems * parts; i++) {
        if (class == REF_CLASS_FLOAT || class == REF_CLASS_COMPLEX)
            tensor_set_number(e, y->data, i, data[i]);
        else
            store_whole(y, i, data[i]);
    }
done:
    tensor_heap_free(c->heap, data);
    return status;
}

ondol_status ref_resize(plan_call *c, ondol_error *err) {
    int64_t dims[TENSOR_MAX_RANK];
    tensor_value *y = NULL;
    resizing r = {0};
    bool same = true;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &r.x, err));
    TRY(read_rules(c, &r.rules, err));
    if (r.rules.mode != RESIZE_NEAREST && r.x->element == TENSOR_ELEMENT_STRING) {
        return plan_call_fail(c, err, "strings have no mean");
    }
    TRY(read_lengths(c, &r, err));
    for (uint32_t d = 0; d < r.x->rank; d++) {
        dims[d] = r.axes[d].out;
        same = same && resize_axis_is_same(&r.rules, r.axes + d);
    }
    if (same) {
        plan_call_give(c, 0, r.x);
        return ONDOL_OK;
    }
    TRY(plan_call_output(c, 0, r.x->element, r.x->rank, dims, &y, err));
    TRY(r.rules.mode == RESIZE_NEAREST ? resize_nearest(c, &r, y, err)
                                       : resize_smoothly(c, &r, y, err));
done:
    return status;
}
