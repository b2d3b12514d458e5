/* The geometry of a convolution. In: shapes, attributes. Out: sizes that fit, padding resolved. */
#include "device/ref/ops/ref_conv_shape.h"

#include <inttypes.h>
#include <string.h>

#define LARGEST ((int64_t)1 << 40) /* of each number: sums and products of two fit */

/* Attribute `name`: count integers, each in [least, LARGEST]; `otherwise` without it. */
static ondol_status read_list(const plan_call *c, const char *name, uint32_t count, int64_t least,
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

/* out and pad_begin of dimension i; pads: [2 * rank]. */
static ondol_status resolve(const plan_call *c, ref_conv_shape *s, uint32_t i, const char *auto_pad,
                            const int64_t *pads, ondol_error *err) {
    const bool is_upper = strcmp(auto_pad, "SAME_UPPER") == 0;
    const bool is_lower = strcmp(auto_pad, "SAME_LOWER") == 0;
    const bool is_explicit = strcmp(auto_pad, "NOTSET") == 0 || !*auto_pad;
    if (!is_upper && !is_lower && !is_explicit && strcmp(auto_pad, "VALID") != 0) {
        return plan_call_fail(c, err, "auto_pad is '%s'", auto_pad);
    }
    if (s->in[i] > LARGEST || s->kernel[i] < 1 || s->kernel[i] > LARGEST / s->dilation[i]) {
        return plan_call_fail(c, err, "spatial dimension %" PRIu32 ": a kernel of %" PRId64, i,
                              s->kernel[i]);
    }
    const int64_t reach = (s->kernel[i] - 1) * s->dilation[i] + 1;
    if (is_upper || is_lower) {
        s->out[i] = (s->in[i] + s->stride[i] - 1) / s->stride[i];
        const int64_t needed = (s->out[i] - 1) * s->stride[i] + reach - s->in[i];
        const int64_t total = s->out[i] == 0 || needed < 0 ? 0 : needed;
        s->pad_begin[i] = is_lower ? total - total / 2 : total / 2;
        return ONDOL_OK;
    }
    s->pad_begin[i] = is_explicit ? pads[i] : 0;
    const int64_t total = is_explicit ? pads[i] + pads[i + s->rank] : 0;
    if (s->in[i] + total < reach) {
        return plan_call_fail(c, err,
                              "spatial dimension %" PRIu32 ": %" PRId64
                              " with its padding is shorter than the kernel's reach of %" PRId64,
                              i, s->in[i] + total, reach);
    }
    s->out[i] = (s->in[i] + total - reach) / s->stride[i] + 1;
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
    int64_t pads[2 * TENSOR_MAX_RANK], kernel[TENSOR_MAX_RANK];
    const char *auto_pad = graph_get_string(c->g, c->node, "auto_pad");
    ondol_status status = ONDOL_OK;
    *out = (ref_conv_shape){0};
    TRY(check_channels(c, x, w, out, err));
    TRY(read_list(c, "strides", out->rank, 1, 1, out->stride, err));
    TRY(read_list(c, "dilations", out->rank, 1, 1, out->dilation, err));
    TRY(read_list(c, "pads", 2 * out->rank, 0, 0, pads, err));
    TRY(read_list(c, "kernel_shape", out->rank, 1, 0, kernel, err));
    for (uint32_t i = 0; i < out->rank; i++) {
        out->in[i] = x->dims[i + 2];
        out->kernel[i] = w->dims[i + 2];
        if (kernel[i] != 0 && kernel[i] != out->kernel[i]) {
            return plan_call_fail(c, err, "kernel_shape has %" PRId64 ", w %" PRId64, kernel[i],
                                  out->kernel[i]);
        }
        TRY(resolve(c, out, i, auto_pad, pads, err));
    }
done:
    return status;
}
