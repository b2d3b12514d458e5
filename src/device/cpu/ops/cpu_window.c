/* Windows of convolution and pooling. In: a node's attributes, an input's shape. Out: sizes,
 * checked. Source: ONNX operators Conv, MaxPool, AveragePool. */
#include <inttypes.h>
#include <string.h>

#include "device/cpu/ops/cpu_conv.h"

/* One size of a list for both dimensions; `otherwise` where the node has none. */
static ondol_status read_list(const plan_call *c, const char *name, uint32_t spatial,
                              uint32_t count, int64_t otherwise, int64_t *out, ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, name);
    for (uint32_t i = 0; i < 2; i++)
        out[i] = otherwise;
    if (!a) return ONDOL_OK;
    if (a->int_count != count) {
        return plan_call_fail(c, err, "%s has %" PRIu32 " numbers, expected %" PRIu32, name,
                              a->int_count, count);
    }
    for (uint32_t i = 0; i < spatial; i++)
        out[2 - spatial + i] = a->ints[i];
    return ONDOL_OK;
}

static ondol_status read_pads(const plan_call *c, uint32_t spatial, cpu_window *w,
                              ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, "pads");
    if (!a) return ONDOL_OK;
    if (a->int_count != 2 * spatial) {
        return plan_call_fail(c, err, "pads has %" PRIu32 " numbers, expected %" PRIu32,
                              a->int_count, 2 * spatial);
    }
    for (uint32_t i = 0; i < spatial; i++) {
        w->before[2 - spatial + i] = a->ints[i];
        w->after[2 - spatial + i] = a->ints[spatial + i];
    }
    return ONDOL_OK;
}

/* Pads so that the output has ceil(in / stride) places. */
static void pad_same(cpu_window *w, uint32_t i, bool upper, int64_t extent) {
    const int64_t out = (w->in[i] + w->stride[i] - 1) / w->stride[i];
    int64_t pad = (out - 1) * w->stride[i] + extent - w->in[i];
    if (pad < 0) pad = 0;
    w->before[i] = upper ? pad / 2 : pad - pad / 2;
    w->after[i] = pad - w->before[i];
}

#define LARGEST ((int64_t)1 << 31)

static bool sensible(const cpu_window *w, uint32_t i) {
    return w->kernel[i] > 0 && w->kernel[i] < LARGEST && w->stride[i] > 0 &&
           w->stride[i] < LARGEST && w->dilation[i] > 0 && w->dilation[i] < LARGEST &&
           w->before[i] >= 0 && w->before[i] < LARGEST && w->after[i] >= 0 &&
           w->after[i] < LARGEST && w->in[i] < LARGEST;
}

static ondol_status find_size(const plan_call *c, cpu_window *w, uint32_t i, const char *pad,
                              bool ceil, ondol_error *err) {
    if (!sensible(w, i)) {
        return plan_call_fail(c, err,
                              "kernel, stride, dilation or pad out of range: %" PRId64 ", %" PRId64
                              ", %" PRId64 ", %" PRId64,
                              w->kernel[i], w->stride[i], w->dilation[i], w->before[i]);
    }
    const int64_t extent = (w->kernel[i] - 1) * w->dilation[i] + 1;
    if (strcmp(pad, "SAME_UPPER") == 0) pad_same(w, i, true, extent);
    if (strcmp(pad, "SAME_LOWER") == 0) pad_same(w, i, false, extent);
    if (strcmp(pad, "VALID") == 0) w->before[i] = w->after[i] = 0;
    const int64_t room = w->in[i] + w->before[i] + w->after[i] - extent;
    if (room < 0) {
        return plan_call_fail(c, err, "a kernel of %" PRId64 " does not fit into %" PRId64, extent,
                              w->in[i] + w->before[i] + w->after[i]);
    }
    w->out[i] = (room + (ceil ? w->stride[i] - 1 : 0)) / w->stride[i] + 1;
    /* A last window that would begin behind the input and its pad is left out. */
    if (ceil && (w->out[i] - 1) * w->stride[i] >= w->in[i] + w->before[i]) w->out[i]--;
    return ONDOL_OK;
}

ondol_status cpu_window_read(const plan_call *c, const tensor_value *x, const int64_t fallback[2],
                             cpu_window *w, ondol_error *err) {
    const uint32_t spatial = x->rank - 2;
    ondol_status status = ONDOL_OK;
    *w = (cpu_window){.in = {1, 1}};
    for (uint32_t i = 0; i < spatial; i++)
        w->in[2 - spatial + i] = x->dims[2 + i];
    TRY(read_list(c, "kernel_shape", spatial, spatial, 1, w->kernel, err));
    if (fallback && !graph_get_attribute(c->g, c->node, "kernel_shape")) {
        memcpy(w->kernel, fallback, sizeof w->kernel);
    }
    if (fallback && memcmp(w->kernel, fallback, sizeof w->kernel) != 0) {
        return plan_call_fail(c, err, "kernel_shape is not that of the weights");
    }
    TRY(read_list(c, "strides", spatial, spatial, 1, w->stride, err));
    TRY(read_list(c, "dilations", spatial, spatial, 1, w->dilation, err));
    TRY(read_pads(c, spatial, w, err));
    const char *pad = graph_get_string(c->g, c->node, "auto_pad");
    const bool ceil = graph_get_int(c->g, c->node, "ceil_mode") != 0;
    if (*pad && strcmp(pad, "NOTSET") != 0 && strcmp(pad, "VALID") != 0 &&
        strcmp(pad, "SAME_UPPER") != 0 && strcmp(pad, "SAME_LOWER") != 0) {
        return plan_call_fail(c, err, "auto_pad is '%s'", pad);
    }
    for (uint32_t i = 2 - spatial; i < 2; i++)
        TRY(find_size(c, w, i, pad, ceil, err));
    for (uint32_t i = 0; i < 2 - spatial; i++)
        w->kernel[i] = w->stride[i] = w->dilation[i] = w->out[i] = 1;
done:
    return status;
}

ondol_status cpu_window_output(plan_call *c, uint32_t i, const tensor_value *x, int64_t channels,
                               const cpu_window *w, tensor_value **out, ondol_error *err) {
    const int64_t four[4] = {x->dims[0], channels, w->out[0], w->out[1]};
    const int64_t three[3] = {x->dims[0], channels, w->out[1]};
    ondol_status status =
        plan_call_output(c, i, TENSOR_ELEMENT_F32, x->rank, x->rank == 4 ? four : three, out, err);
    if (status == ONDOL_OK) (*out)->channels_last = true;
    return status;
}
