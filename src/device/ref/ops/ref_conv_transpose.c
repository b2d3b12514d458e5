/* ConvTranspose. In: x, w, perhaps a bias; of any number of spatial dimensions. Out: each input
 * spread by its weights, summed in double. */
#include <inttypes.h>
#include <string.h>

#include "device/ref/ops/ref_conv_shape.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_neural.h"

/* x [batch, channels, in...], w [channels, filters / groups, kernel...] -> [batch, filters,
 * out...]: `s` with the meaning of its names. */
typedef struct transpose_job {
    ref_conv_shape s;
    uint64_t in_size, kernel_size, out_size;
    int64_t out_stride[TENSOR_MAX_RANK];
    double *x, *w, *bias, *sums; /* sums: of all outputs */
    tensor_value *y;
} transpose_job;

/* The start of the row of outputs that outer indices i of the input reach by outer indices k of the
 * kernel. False: it is cut off. */
static bool reaches(const transpose_job *j, const int64_t *i, const int64_t *k, uint64_t *at) {
    const ref_conv_shape *s = &j->s;
    int64_t sum = 0;
    for (uint32_t d = 0; d + 1 < s->rank; d++) {
        const int64_t o = i[d] * s->stride[d] + k[d] * s->dilation[d] - s->pad_begin[d];
        if (o < 0 || o >= s->out[d]) return false;
        sum += o * j->out_stride[d];
    }
    *at = (uint64_t)sum;
    return true;
}

/* Spreads a row of inputs by a row of the kernel into a row of outputs. */
static void spread_row(const ref_conv_shape *s, const double *x, const double *w, double *sums) {
    const uint32_t d = s->rank - 1;
    for (int64_t k = 0; k < s->kernel[d]; k++) {
        const int64_t start = k * s->dilation[d] - s->pad_begin[d];
        const int64_t stride = s->stride[d];
        const int64_t first = start < 0 ? (-start + stride - 1) / stride : 0;
        const int64_t fitting = start < s->out[d] ? (s->out[d] - 1 - start) / stride + 1 : 0;
        const int64_t last = fitting < s->in[d] ? fitting : s->in[d];
        for (int64_t i = first; i < last; i++)
            sums[start + i * stride] += x[i] * w[k];
    }
}

/* One channel of the input and its kernel into one of the output. */
static void spread_channel(const transpose_job *j, const double *x, const double *w, double *sums) {
    const ref_conv_shape *s = &j->s;
    const uint32_t outer = s->rank - 1;
    uint64_t row = 0, at = 0;
    ref_walk i, k;
    ref_walk_begin(&i, outer, s->in);
    for (; i.left; ref_walk_next(&i), row++) {
        const double *x_row = x + row * (uint64_t)s->in[outer];
        uint64_t k_row = 0;
        ref_walk_begin(&k, outer, s->kernel);
        for (; k.left; ref_walk_next(&k), k_row++) {
            if (!reaches(j, i.index, k.index, &at)) continue;
            spread_row(s, x_row, w + k_row * (uint64_t)s->kernel[outer], sums + at);
        }
    }
}

/* Filter `task % filters` of example `task / filters`. */
static void run_task(void *user, uint64_t task) {
    const transpose_job *j = user;
    const ref_conv_shape *s = &j->s;
    const uint64_t filter = task % (uint64_t)s->filters, example = task / (uint64_t)s->filters;
    const uint64_t width = (uint64_t)(s->filters / s->groups); /* filters of a group */
    const uint64_t group = filter / width, channels = (uint64_t)(s->channels / s->groups);
    double *sums = j->sums + task * j->out_size;
    for (uint64_t i = 0; i < j->out_size; i++)
        sums[i] = j->bias[filter];
    for (uint64_t c = group * channels; c < (group + 1) * channels; c++) {
        const double *x = j->x + (example * (uint64_t)s->channels + c) * j->in_size;
        const double *w = j->w + (c * width + filter % width) * j->kernel_size;
        spread_channel(j, x, w, sums);
    }
    ref_store_numbers(j->y, task * j->out_size, j->out_size, sums);
}

static ondol_status check_channels(const plan_call *c, const tensor_value *x, const tensor_value *w,
                                   ref_conv_shape *s, ondol_error *err) {
    char x_text[REF_SHAPE_TEXT_BYTES], w_text[REF_SHAPE_TEXT_BYTES];
    s->groups = graph_get_int(c->g, c->node, "group");
    const bool has_ranks = x->rank >= 3 && w->rank == x->rank && s->groups >= 1;
    if (!has_ranks || x->dims[1] != w->dims[0] || x->dims[1] % s->groups != 0 ||
        s->groups > REF_CONV_LARGEST || w->dims[1] > REF_CONV_LARGEST / s->groups) {
        return plan_call_fail(c, err,
                              "x of shape %s and w of shape %s do not fit in %" PRId64 " groups",
                              ref_shape_text(x->rank, x->dims, x_text),
                              ref_shape_text(w->rank, w->dims, w_text), s->groups);
    }
    s->rank = x->rank - 2;
    s->batch = x->dims[0];
    s->channels = x->dims[1];
    s->filters = w->dims[1] * s->groups;
    return ONDOL_OK;
}

/* The wanted sizes of attribute output_shape; with batch and channels in front they may stand too.
 */
static ondol_status read_output_shape(const plan_call *c, ref_conv_shape *s, ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, "output_shape");
    if (a->type != GRAPH_ATTRIBUTE_INTS ||
        (a->int_count != s->rank && a->int_count != s->rank + 2)) {
        return plan_call_fail(c, err, "output_shape has %" PRIu32 " numbers, expected %" PRIu32,
                              a->int_count, s->rank);
    }
    for (uint32_t i = 0; i < s->rank; i++) {
        s->out[i] = a->ints[a->int_count - s->rank + i];
        if (s->out[i] < 1 || s->out[i] > REF_CONV_LARGEST) {
            return plan_call_fail(c, err, "output_shape has %" PRId64, s->out[i]);
        }
    }
    return ONDOL_OK;
}

/* What is more than the wanted size is padding; what is less stays without an input, at the end. */
static void pad_to_size(ref_conv_shape *s, uint32_t i, int64_t full, bool is_upper) {
    const int64_t total = full > s->out[i] ? full - s->out[i] : 0;
    s->pad_begin[i] = is_upper ? total / 2 : total - total / 2;
    s->pad_end[i] = total - s->pad_begin[i];
}

static ondol_status resolve_sizes(const plan_call *c, ref_conv_shape *s, ondol_error *err) {
    int64_t pads[2 * TENSOR_MAX_RANK], extra[TENSOR_MAX_RANK];
    const char *auto_pad = graph_get_string(c->g, c->node, "auto_pad");
    const bool is_upper = strcmp(auto_pad, "SAME_UPPER") == 0;
    const bool is_same = is_upper || strcmp(auto_pad, "SAME_LOWER") == 0;
    const bool is_explicit = strcmp(auto_pad, "NOTSET") == 0 || !*auto_pad;
    const bool has_shape = graph_get_attribute(c->g, c->node, "output_shape") != NULL;
    ondol_status status = ONDOL_OK;
    if (!is_same && !is_explicit && strcmp(auto_pad, "VALID") != 0) {
        return plan_call_fail(c, err, "auto_pad is '%s'", auto_pad);
    }
    TRY(ref_conv_list(c, "pads", 2 * s->rank, 0, 0, pads, err));
    TRY(ref_conv_list(c, "output_padding", s->rank, 0, 0, extra, err));
    if (has_shape) TRY(read_output_shape(c, s, err));
    for (uint32_t i = 0; i < s->rank; i++) {
        const int64_t gaps = s->in[i] - 1;
        if (s->in[i] < 1 || s->kernel[i] < 1 || s->kernel[i] > REF_CONV_LARGEST / s->dilation[i] ||
            s->in[i] > REF_CONV_LARGEST / s->stride[i]) {
            return plan_call_fail(c, err,
                                  "spatial dimension %" PRIu32 ": %" PRId64
                                  " inputs and a kernel of %" PRId64,
                                  i, s->in[i], s->kernel[i]);
        }
        const int64_t reach = (s->kernel[i] - 1) * s->dilation[i] + 1;
        const int64_t full = gaps * s->stride[i] + extra[i] + reach;
        if (is_same && !has_shape) s->out[i] = s->in[i] * s->stride[i];
        if (is_same || has_shape) {
            pad_to_size(s, i, full, is_upper);
            continue;
        }
        s->pad_begin[i] = is_explicit ? pads[i] : 0;
        s->pad_end[i] = is_explicit ? pads[i + s->rank] : 0;
        s->out[i] = full - s->pad_begin[i] - s->pad_end[i];
        if (s->out[i] < 1) {
            return plan_call_fail(c, err,
                                  "spatial dimension %" PRIu32 ": pads of %" PRId64
                                  " take all of the %" PRId64 " outputs",
                                  i, s->pad_begin[i] + s->pad_end[i], full);
        }
    }
done:
    return status;
}

static ondol_status read_shapes(const plan_call *c, const tensor_value *x, const tensor_value *w,
                                ref_conv_shape *s, ondol_error *err) {
    int64_t kernel[TENSOR_MAX_RANK];
    ondol_status status = ONDOL_OK;
    TRY(check_channels(c, x, w, s, err));
    TRY(ref_conv_list(c, "strides", s->rank, 1, 1, s->stride, err));
    TRY(ref_conv_list(c, "dilations", s->rank, 1, 1, s->dilation, err));
    TRY(ref_conv_list(c, "kernel_shape", s->rank, 1, 0, kernel, err));
    for (uint32_t i = 0; i < s->rank; i++) {
        s->in[i] = x->dims[i + 2];
        s->kernel[i] = w->dims[i + 2];
        if (kernel[i] != 0 && kernel[i] != s->kernel[i]) {
            return plan_call_fail(c, err, "kernel_shape has %" PRId64 ", w %" PRId64, kernel[i],
                                  s->kernel[i]);
        }
    }
    TRY(resolve_sizes(c, s, err));
done:
    return status;
}

static ondol_status begin(plan_call *c, transpose_job *j, const tensor_value *x,
                          const tensor_value *w, ondol_error *err) {
    ref_conv_shape *s = &j->s;
    int64_t dims[TENSOR_MAX_RANK];
    void *sums = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_shapes(c, x, w, s, err));
    dims[0] = s->batch;
    dims[1] = s->filters;
    memcpy(dims + 2, s->out, s->rank * sizeof *dims);
    TRY(plan_call_output(c, 0, x->element, s->rank + 2, dims, &j->y, err));
    if (!ref_product(s->rank, s->in, &j->in_size) ||
        !ref_product(s->rank, s->kernel, &j->kernel_size) ||
        !ref_product(s->rank, s->out, &j->out_size)) {
        return plan_call_fail(c, err, "its shapes are too large");
    }
    ref_strides(s->rank, s->out, j->out_stride);
    TRY(ref_all_numbers(c, x, &j->x, err));
    TRY(ref_all_numbers(c, w, &j->w, err));
    TRY(ref_float_list(c, 2, "the bias", s->filters, 0, &j->bias, err));
    TRY(ref_alloc(c, j->y->elems, sizeof *j->sums, "sums of the outputs", &sums, err));
    j->sums = sums;
done:
    return status;
}

ondol_status ref_conv_transpose(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *w = NULL;
    transpose_job j = {0};
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, &x, err));
    TRY(ref_float_input(c, 1, &w, err));
    TRY(begin(c, &j, x, w, err));
    if (j.y->elems) ref_run_tasks(c, (uint64_t)(j.s.batch * j.s.filters), run_task, &j);
done:
    tensor_heap_free(c->heap, j.x);
    tensor_heap_free(c->heap, j.w);
    tensor_heap_free(c->heap, j.bias);
    tensor_heap_free(c->heap, j.sums);
    return status;
}
