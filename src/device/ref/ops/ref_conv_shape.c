/* The geometry of convolutions and pooling. In: shapes, attributes. Out: sizes that fit, padding
 * resolved. */
#include "device/ref/ops/ref_conv_shape.h"

#include <inttypes.h>
#include <string.h>

#define LARGEST REF_CONV_LARGEST

ondol_status ref_conv_list(const plan_call *c, const char *name, uint32_t count, int64_t least,
                           int64_t otherwise, int64_t *out, ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, name);
    for (uint32_t i = 0; i < count; i++)
        out[i] = otherwise;
    if (!a) return ONDOL_OK;
    if (a->type != GRAPH_ATTRIBUTE_INTS || a->int_count != count) {
        return plan_call_fail(c, err, "%s has %" PRIu32 " numbers, expected %" PRIu32, name,
                              a->int_count, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        out[i] = a->ints[i];
        if (out[i] < least || out[i] > LARGEST) {
            return plan_call_fail(c, err, "%s has %" PRId64, name, out[i]);
        }
    }
    return ONDOL_OK;
}

/* How the windows of a node lie, as its attributes say. */
typedef struct placement {
    bool is_upper, is_lower, is_explicit; /* neither: VALID */
    bool is_ceil;
    int64_t pads[2 * TENSOR_MAX_RANK]; /* of is_explicit */
} placement;

static ondol_status read_placement(const plan_call *c, ref_conv_shape *s, placement *p,
                                   ondol_error *err) {
    const char *auto_pad = graph_get_string(c->g, c->node, "auto_pad");
    ondol_status status = ONDOL_OK;
    p->is_upper = strcmp(auto_pad, "SAME_UPPER") == 0;
    p->is_lower = strcmp(auto_pad, "SAME_LOWER") == 0;
    p->is_explicit = strcmp(auto_pad, "NOTSET") == 0 || !*auto_pad;
    p->is_ceil = graph_get_int(c->g, c->node, "ceil_mode") != 0;
    if (!p->is_upper && !p->is_lower && !p->is_explicit && strcmp(auto_pad, "VALID") != 0) {
        return plan_call_fail(c, err, "auto_pad is '%s'", auto_pad);
    }
    TRY(ref_conv_list(c, "strides", s->rank, 1, 1, s->stride, err));
    TRY(ref_conv_list(c, "dilations", s->rank, 1, 1, s->dilation, err));
    TRY(ref_conv_list(c, "pads", 2 * s->rank, 0, 0, p->pads, err));
done:
    return status;
}

/* Padding so that there are as many windows as strides begin in the input. */
static void pad_same(ref_conv_shape *s, uint32_t i, int64_t reach, bool is_lower) {
    s->out[i] = (s->in[i] + s->stride[i] - 1) / s->stride[i];
    const int64_t needed = (s->out[i] - 1) * s->stride[i] + reach - s->in[i];
    const int64_t total = s->out[i] == 0 || needed < 0 ? 0 : needed;
    s->pad_begin[i] = is_lower ? total - total / 2 : total / 2;
    s->pad_end[i] = total - s->pad_begin[i];
}

/* out, pad_begin and pad_end of dimension i; its in and kernel are set. */
static ondol_status resolve(const plan_call *c, ref_conv_shape *s, uint32_t i, const placement *p,
                            ondol_error *err) {
    if (s->in[i] > LARGEST || s->kernel[i] < 1 || s->kernel[i] > LARGEST / s->dilation[i]) {
        return plan_call_fail(c, err, "spatial dimension %" PRIu32 ": a kernel of %" PRId64, i,
                              s->kernel[i]);
    }
    const int64_t reach = (s->kernel[i] - 1) * s->dilation[i] + 1;
    if (p->is_upper || p->is_lower) {
        pad_same(s, i, reach, p->is_lower);
        return ONDOL_OK;
    }
    s->pad_begin[i] = p->is_explicit ? p->pads[i] : 0;
    s->pad_end[i] = p->is_explicit ? p->pads[i + s->rank] : 0;
    const int64_t padded = s->in[i] + s->pad_begin[i] + s->pad_end[i];
    if (padded < reach) {
        return plan_call_fail(c, err,
                              "spatial dimension %" PRIu32 ": %" PRId64
                              " with its padding is shorter than the kernel's reach of %" PRId64,
                              i, padded, reach);
    }
    const int64_t slack = p->is_ceil ? s->stride[i] - 1 : 0;
    s->out[i] = (padded - reach + slack) / s->stride[i] + 1;
    /* A last window that would begin behind the input and its first padding is left out. */
    const bool is_behind = (s->out[i] - 1) * s->stride[i] >= s->in[i] + s->pad_begin[i];
    if (p->is_ceil && is_behind) s->out[i]--;
    return ONDOL_OK;
}

static ondol_status check_channels(const plan_call *c, const tensor_value *x, const tensor_value *w,
                                   ref_conv_shape *s, ondol_error *err) {
    char x_text[REF_SHAPE_TEXT_BYTES], w_text[REF_SHAPE_TEXT_BYTES];
    s->groups = graph_get_int(c->g, c->node, "group");
    const bool has_ranks = x->rank >= 3 && w->rank == x->rank && s->groups >= 1;
    if (!has_ranks || w->dims[0] % s->groups != 0 || x->dims[1] % s->groups != 0 ||
        x->dims[1] / s->groups != w->dims[1]) {
        return plan_call_fail(c, err,
                              "x of shape %s and w of shape %s do not fit in %" PRId64 " groups",
                              ref_shape_text(x->rank, x->dims, x_text),
                              ref_shape_text(w->rank, w->dims, w_text), s->groups);
    }
    s->rank = x->rank - 2;
    s->batch = x->dims[0];
    s->channels = x->dims[1];
    s->filters = w->dims[0];
    return ONDOL_OK;
}

ondol_status ref_conv_shape_begin(const plan_call *c, const tensor_value *x, const tensor_value *w,
                                  ref_conv_shape *out, ondol_error *err) {
    int64_t kernel[TENSOR_MAX_RANK];
    placement p = {0};
    ondol_status status = ONDOL_OK;
    *out = (ref_conv_shape){0};
    TRY(check_channels(c, x, w, out, err));
    TRY(read_placement(c, out, &p, err));
    TRY(ref_conv_list(c, "kernel_shape", out->rank, 1, 0, kernel, err));
    for (uint32_t i = 0; i < out->rank; i++) {
        out->in[i] = x->dims[i + 2];
        out->kernel[i] = w->dims[i + 2];
        if (kernel[i] != 0 && kernel[i] != out->kernel[i]) {
            return plan_call_fail(c, err, "kernel_shape has %" PRId64 ", w %" PRId64, kernel[i],
                                  out->kernel[i]);
        }
        TRY(resolve(c, out, i, &p, err));
    }
done:
    return status;
}

ondol_status ref_pool_shape_begin(const plan_call *c, const tensor_value *x, ref_conv_shape *out,
                                  ondol_error *err) {
    placement p = {0};
    ondol_status status = ONDOL_OK;
    *out = (ref_conv_shape){0};
    if (x->rank < 3) {
        return plan_call_fail(c, err, "its input has rank %" PRIu32 ", expected 3 or more",
                              x->rank);
    }
    out->rank = x->rank - 2;
    out->batch = x->dims[0];
    out->channels = out->filters = x->dims[1];
    out->groups = 1;
    if (!graph_get_attribute(c->g, c->node, "kernel_shape")) {
        return plan_call_fail(c, err, "kernel_shape is missing");
    }
    TRY(read_placement(c, out, &p, err));
    TRY(ref_conv_list(c, "kernel_shape", out->rank, 1, 1, out->kernel, err));
    for (uint32_t i = 0; i < out->rank; i++) {
        out->in[i] = x->dims[i + 2];
        TRY(resolve(c, out, i, &p, err));
    }
done:
    return status;
}
