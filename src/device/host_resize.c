/* Resize as a node asks for it. In: attributes, scales or sizes. Out: rules and lengths, checked;
 * and the nearest elements moved. */
#include "device/host_resize.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/host_box.h"
#include "tensor/number.h"

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
    ondol_status status = plan_call_tensor(c, i, out, err);
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
static double common_scale(const host_resizing *r, const uint32_t *axes, uint32_t count,
                           bool smallest) {
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

static ondol_status apply_sizes(const plan_call *c, host_resizing *r, const tensor_value *sizes,
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

static ondol_status apply_scales(const plan_call *c, host_resizing *r, const tensor_value *scales,
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

static ondol_status read_lengths(const plan_call *c, host_resizing *r, ondol_error *err) {
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

ondol_status host_resize_read(const plan_call *c, host_resizing *out, ondol_error *err) {
    ondol_status status = plan_call_tensor(c, 0, &out->x, err);
    if (status == ONDOL_OK) status = read_rules(c, &out->rules, err);
    return status == ONDOL_OK ? read_lengths(c, out, err) : status;
}

/* Where each place of an axis comes from, in elements of x; -1: from outside. */
static void find_places(const host_resizing *r, uint32_t d, int64_t step, int64_t *places) {
    const resize_axis *a = r->axes + d;
    const bool same = resize_axis_is_same(&r->rules, a);
    for (int64_t i = 0; i < a->out; i++) {
        const double source = same ? (double)i : resize_axis_source(&r->rules, a, i);
        places[i] = isnan(source) ? -1 : resize_axis_nearest(&r->rules, a, source) * step;
    }
}

typedef struct nearest_job {
    const host_resizing *r;
    tensor_value *y;
    int64_t *places[TENSOR_MAX_RANK];
    uint64_t lines, each;
    ondol_error *err;
    ondol_status status; /* of strings, which run on one thread */
} nearest_job;

#define PICK(type)                                                                                 \
    for (int64_t i = 0; i < n; i++)                                                                \
        ((type *)y->data)[out + (uint64_t)i] = ((const type *)x->data)[from + last[i]];            \
    break

/* One line of the last axis. inside: none of it comes from outside. */
static void nearest_line(nearest_job *j, uint64_t line, bool inside, int64_t from) {
    tensor_value *y = j->y;
    const tensor_value *x = j->r->x;
    const int64_t n = y->dims[y->rank - 1], *last = j->places[y->rank - 1];
    const uint64_t out = line * (uint64_t)n;
    const unsigned bits = tensor_element_bits(y->element);
    bool all = inside;
    for (int64_t i = 0; i < n && all; i++)
        all = last[i] >= 0;
    switch (all ? bits : 0) {
    case 8: PICK(uint8_t);
    case 16: PICK(uint16_t);
    case 32: PICK(uint32_t);
    case 64: PICK(uint64_t);
    default:
        for (int64_t i = 0; i < n && j->status == ONDOL_OK; i++) {
            if (inside && last[i] >= 0) {
                j->status =
                    host_move_element(y, out + (uint64_t)i, x, (uint64_t)(from + last[i]), j->err);
            } else if (y->element != TENSOR_ELEMENT_STRING) {
                tensor_set_number(y->element, y->data, out + (uint64_t)i,
                                  j->r->rules.extrapolation);
            }
        }
    }
}

static void nearest_unit(uint32_t unit, unsigned thread, void *argument) {
    nearest_job *j = argument;
    const tensor_value *y = j->y;
    (void)thread;
    for (uint64_t line = unit * j->each; line < (unit + 1) * j->each && line < j->lines; line++) {
        uint64_t rest = line;
        int64_t from = 0;
        bool inside = true;
        for (uint32_t d = y->rank - 1; d-- > 0;) {
            const int64_t place = j->places[d][rest % (uint64_t)y->dims[d]];
            rest /= (uint64_t)y->dims[d];
            inside = inside && place >= 0;
            from += place;
        }
        nearest_line(j, line, inside, from);
    }
}

ondol_status host_resize_nearest(const plan_call *c, const host_resizing *r, tensor_value *y,
                                 ondol_error *err) {
    nearest_job j = {.r = r, .y = y, .err = err};
    int64_t steps[TENSOR_MAX_RANK];
    uint64_t total = 0;
    void *memory = NULL;
    if (!y->elems || !y->rank) return ONDOL_OK;
    host_dense_steps(r->x->rank, r->x->dims, steps);
    for (uint32_t d = 0; d < y->rank; d++)
        total += (uint64_t)r->axes[d].out; /* each at most y->elems */
    ondol_status status =
        tensor_heap_alloc(c->heap, total * sizeof(int64_t), "places of a resize", &memory, err);
    if (status != ONDOL_OK) return status;
    int64_t *next = memory;
    for (uint32_t d = 0; d < y->rank; d++) {
        j.places[d] = next;
        find_places(r, d, steps[d], next);
        next += r->axes[d].out;
    }
    const uint64_t n = (uint64_t)y->dims[y->rank - 1];
    const unsigned bits = tensor_element_bits(y->element);
    j.lines = y->elems / n;
    /* Packed elements of two lines may share a byte, and strings take memory: one thread. */
    j.each = bits < 8 ? j.lines : 16384 / n + 1;
    while ((j.lines + j.each - 1) / j.each > BASE_POOL_UNITS_MAX)
        j.each *= 2;
    const uint32_t units = (uint32_t)((j.lines + j.each - 1) / j.each);
    if (units == 1)
        nearest_unit(0, 0, &j);
    else
        plan_call_parallel(c, units, nearest_unit, &j);
    tensor_heap_free(c->heap, memory);
    return j.status;
}
