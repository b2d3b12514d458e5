/* Conv. In: x, w, perhaps a bias; of any number of spatial dimensions. Out: their correlation,
 * summed in double. Rows of outputs are summed together, one weight at a time. */
#include <string.h>

#include "device/ref/ops/ref_conv_shape.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_neural.h"

typedef struct conv_job {
    ref_conv_shape s;
    uint64_t in_size, kernel_size, out_size; /* products of the spatial dimensions */
    int64_t in_stride[TENSOR_MAX_RANK];
    double *x, *w, *bias; /* bias: [filters] */
    tensor_value *y;
} conv_job;

/* Where the outer indices o of a row of outputs meet the outer indices k of the kernel: the start
 * of a row of inputs. False: it is padding. */
static bool meets(const conv_job *j, const int64_t *o, const int64_t *k, uint64_t *at) {
    const ref_conv_shape *s = &j->s;
    int64_t sum = 0;
    for (uint32_t d = 0; d + 1 < s->rank; d++) {
        const int64_t i = o[d] * s->stride[d] + k[d] * s->dilation[d] - s->pad_begin[d];
        if (i < 0 || i >= s->in[d]) return false;
        sum += i * j->in_stride[d];
    }
    *at = (uint64_t)sum;
    return true;
}

/* sums[t] += weight * x[start + t * stride], for the t in [0, count) that lie in [0, in). */
static void add_tap(double *sums, int64_t count, const double *x, int64_t in, int64_t start,
                    int64_t stride, double weight) {
    const int64_t first = start < 0 ? (-start + stride - 1) / stride : 0;
    const int64_t fitting = start < in ? (in - 1 - start) / stride + 1 : 0;
    const int64_t last = fitting < count ? fitting : count;
    if (stride == 1) {
        for (int64_t t = first; t < last; t++)
            sums[t] += weight * x[start + t];
        return;
    }
    for (int64_t t = first; t < last; t++)
        sums[t] += weight * x[start + t * stride];
}

/* sums[0..count): of the outputs from `first` on in the row whose outer indices are o. x and w: at
 * the first channel of the group, and at the filter. */
static void sum_row(const conv_job *j, const int64_t *o, int64_t first, int64_t count,
                    const double *x, const double *w, double *sums) {
    const ref_conv_shape *s = &j->s;
    const uint32_t last = s->rank - 1;
    const uint64_t channels = (uint64_t)(s->channels / s->groups);
    uint64_t at = 0, row = 0;
    ref_walk k;
    ref_walk_begin(&k, last, s->kernel);
    for (; k.left; ref_walk_next(&k), row++) {
        if (!meets(j, o, k.index, &at)) continue;
        for (uint64_t c = 0; c < channels; c++) {
            const double *weights = w + c * j->kernel_size + row * (uint64_t)s->kernel[last];
            for (int64_t tap = 0; tap < s->kernel[last]; tap++) {
                const int64_t start =
                    first * s->stride[last] + tap * s->dilation[last] - s->pad_begin[last];
                add_tap(sums, count, x + c * j->in_size + at, s->in[last], start, s->stride[last],
                        weights[tap]);
            }
        }
    }
}

/* Filter `task % filters` of example `task / filters`. */
static void run_task(void *user, uint64_t task) {
    const conv_job *j = user;
    const ref_conv_shape *s = &j->s;
    const uint64_t filter = task % (uint64_t)s->filters, example = task / (uint64_t)s->filters;
    const uint64_t group = filter / (uint64_t)(s->filters / s->groups);
    const uint64_t channels = (uint64_t)(s->channels / s->groups);
    const double *x = j->x + (example * (uint64_t)s->channels + group * channels) * j->in_size;
    const double *w = j->w + filter * channels * j->kernel_size;
    const int64_t row = s->out[s->rank - 1];
    uint64_t at = task * j->out_size;
    double sums[REF_CHUNK];
    ref_walk o;
    ref_walk_begin(&o, s->rank - 1, s->out);
    for (; o.left; ref_walk_next(&o)) {
        for (int64_t first = 0; first < row; first += REF_CHUNK) {
            const int64_t rest = row - first;
            const int64_t count = rest < (int64_t)REF_CHUNK ? rest : (int64_t)REF_CHUNK;
            for (int64_t t = 0; t < count; t++)
                sums[t] = 0;
            sum_row(j, o.index, first, count, x, w, sums);
            for (int64_t t = 0; t < count; t++)
                sums[t] += j->bias[filter];
            ref_store_numbers(j->y, at, (uint64_t)count, sums);
            at += (uint64_t)count;
        }
    }
}

/* A kernel of one place that takes each input once sees one long row. */
static void flatten(conv_job *j) {
    ref_conv_shape *s = &j->s;
    for (uint32_t d = 0; d < s->rank; d++) {
        const bool is_plain =
            s->kernel[d] == 1 && s->stride[d] == 1 && s->pad_begin[d] == 0 && s->pad_end[d] == 0;
        if (!is_plain) return;
    }
    s->rank = 1;
    s->in[0] = (int64_t)j->in_size;
    s->out[0] = (int64_t)j->out_size;
    s->dilation[0] = 1;
}

static ondol_status begin(plan_call *c, conv_job *j, const tensor_value *x, const tensor_value *w,
                          ondol_error *err) {
    ref_conv_shape *s = &j->s;
    int64_t dims[TENSOR_MAX_RANK];
    ondol_status status = ONDOL_OK;
    TRY(ref_conv_shape_begin(c, x, w, s, err));
    dims[0] = s->batch;
    dims[1] = s->filters;
    memcpy(dims + 2, s->out, s->rank * sizeof *dims);
    TRY(plan_call_output(c, 0, x->element, s->rank + 2, dims, &j->y, err));
    if (!ref_product(s->rank, s->in, &j->in_size) ||
        !ref_product(s->rank, s->kernel, &j->kernel_size) ||
        !ref_product(s->rank, s->out, &j->out_size)) {
        return plan_call_fail(c, err, "its shapes are too large");
    }
    TRY(ref_all_numbers(c, x, &j->x, err));
    TRY(ref_all_numbers(c, w, &j->w, err));
    TRY(ref_float_list(c, 2, "the bias", s->filters, 0, &j->bias, err));
    flatten(j);
    ref_strides(s->rank, s->in, j->in_stride);
done:
    return status;
}

ondol_status ref_conv(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *w = NULL;
    conv_job j = {0};
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, &x, err));
    TRY(ref_float_input(c, 1, &w, err));
    TRY(begin(c, &j, x, w, err));
    if (j.y->elems) ref_run_tasks(c, (uint64_t)(j.s.batch * j.s.filters), run_task, &j);
done:
    tensor_heap_free(c->heap, j.x);
    tensor_heap_free(c->heap, j.w);
    tensor_heap_free(c->heap, j.bias);
    return status;
}
