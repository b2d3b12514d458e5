/* DeformConv. In: x, w, an offset for each tap of each output, perhaps a bias and a factor for each
 * tap. Out: the correlation of w with x at the shifted places, between elements by linear
 * interpolation; summed in double. Any number of spatial dimensions. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_conv_shape.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_neural.h"

enum { X, W, OFFSET, BIAS, MASK };

/* offset [batch, offset_groups, taps, rank, out...], mask [batch, offset_groups, taps, out...]. */
typedef struct deform_job {
    ref_conv_shape s;
    int64_t offset_groups;
    uint64_t in_size, taps, out_size;
    int64_t in_stride[TENSOR_MAX_RANK];
    double *x, *w, *bias, *offset, *mask; /* mask: NULL: all 1 */
    double *sums;                         /* [slots][filters] */
    uint32_t slots;
    tensor_value *y;
} deform_job;

/* The value at `place` of a channel: of 2^rank neighbours, those outside are 0. */
static double sample(const deform_job *j, const double *x, const double *place) {
    const ref_conv_shape *s = &j->s;
    int64_t low[TENSOR_MAX_RANK];
    double rest[TENSOR_MAX_RANK], sum = 0;
    for (uint32_t d = 0; d < s->rank; d++) {
        if (!(place[d] > -1 && place[d] < (double)s->in[d])) return 0;
        low[d] = (int64_t)floor(place[d]);
        rest[d] = place[d] - (double)low[d];
    }
    for (uint32_t corner = 0; corner < 1u << s->rank; corner++) {
        double weight = 1;
        int64_t at = 0;
        bool is_inside = true;
        for (uint32_t d = 0; d < s->rank; d++) {
            const bool is_high = (corner >> d & 1u) != 0;
            const int64_t i = low[d] + (is_high ? 1 : 0);
            is_inside = is_inside && i >= 0 && i < s->in[d];
            weight *= is_high ? rest[d] : 1 - rest[d];
            at += i * j->in_stride[d];
        }
        if (is_inside && weight != 0) sum += weight * x[at];
    }
    return sum;
}

/* Where tap `tap`, with index k, of output `o` looks for channels of offset group `group`. */
static void find_place(const deform_job *j, uint64_t example, uint64_t group, const ref_walk *k,
                       uint64_t tap, const int64_t *o, uint64_t o_at, double *place) {
    const ref_conv_shape *s = &j->s;
    const uint64_t line = (example * (uint64_t)j->offset_groups + group) * j->taps + tap;
    for (uint32_t d = 0; d < s->rank; d++) {
        const int64_t start = o[d] * s->stride[d] + k->index[d] * s->dilation[d] - s->pad_begin[d];
        place[d] = (double)start + j->offset[(line * s->rank + d) * j->out_size + o_at];
    }
}

/* Adds what channel c holds for one tap to the sums of its filters. */
static void add_channel(const deform_job *j, uint64_t c, uint64_t tap, double value, double *sums) {
    const ref_conv_shape *s = &j->s;
    const uint64_t channels = (uint64_t)(s->channels / s->groups);
    const uint64_t filters = (uint64_t)(s->filters / s->groups), group = c / channels;
    for (uint64_t f = group * filters; f < (group + 1) * filters; f++)
        sums[f] += value * j->w[(f * channels + c % channels) * j->taps + tap];
}

/* All filters at one output: index o, at o_at of a channel. */
static void sum_output(const deform_job *j, uint64_t example, const int64_t *o, uint64_t o_at,
                       double *sums) {
    const ref_conv_shape *s = &j->s;
    const uint64_t width = (uint64_t)(s->channels / j->offset_groups);
    double place[TENSOR_MAX_RANK];
    ref_walk k;
    for (int64_t f = 0; f < s->filters; f++)
        sums[f] = j->bias[f];
    ref_walk_begin(&k, s->rank, s->kernel);
    for (uint64_t tap = 0; k.left; ref_walk_next(&k), tap++) {
        for (uint64_t g = 0; g < (uint64_t)j->offset_groups; g++) {
            const uint64_t line = (example * (uint64_t)j->offset_groups + g) * j->taps + tap;
            const double factor = j->mask ? j->mask[line * j->out_size + o_at] : 1;
            find_place(j, example, g, &k, tap, o, o_at, place);
            for (uint64_t c = g * width; c < (g + 1) * width; c++) {
                const double *x = j->x + (example * (uint64_t)s->channels + c) * j->in_size;
                add_channel(j, c, tap, factor * sample(j, x, place), sums);
            }
        }
    }
}

/* Every slots-th output of all examples. */
static void run_slot(void *user, uint64_t slot) {
    const deform_job *j = user;
    const ref_conv_shape *s = &j->s;
    double *sums = j->sums + slot * (uint64_t)s->filters;
    uint64_t at = 0;
    for (uint64_t example = 0; example < (uint64_t)s->batch; example++) {
        ref_walk o;
        ref_walk_begin(&o, s->rank, s->out);
        for (uint64_t o_at = 0; o.left; ref_walk_next(&o), o_at++, at++) {
            if (at % j->slots != slot) continue;
            sum_output(j, example, o.index, o_at, sums);
            for (uint64_t f = 0; f < (uint64_t)s->filters; f++) {
                const uint64_t channel = example * (uint64_t)s->filters + f;
                ref_store_numbers(j->y, channel * j->out_size + o_at, 1, sums + f);
            }
        }
    }
}

static ondol_status check_offsets(const plan_call *c, deform_job *j, ondol_error *err) {
    const ref_conv_shape *s = &j->s;
    int64_t dims[TENSOR_MAX_RANK];
    tensor_value *offset = NULL, *mask = NULL;
    ondol_status status = ONDOL_OK;
    j->offset_groups = graph_get_int(c->g, c->node, "offset_group");
    if (j->offset_groups < 1 || s->channels % j->offset_groups != 0 ||
        j->taps > (uint64_t)(INT64_MAX / TENSOR_MAX_RANK) / (uint64_t)j->offset_groups) {
        return plan_call_fail(c, err, "%" PRId64 " channels in %" PRId64 " offset groups",
                              s->channels, j->offset_groups);
    }
    const int64_t lines = j->offset_groups * (int64_t)j->taps;
    dims[0] = s->batch;
    memcpy(dims + 2, s->out, s->rank * sizeof *dims);
    TRY(ref_float_input(c, OFFSET, &offset, err));
    dims[1] = lines * s->rank;
    TRY(ref_expect_dims(c, "the offset", offset, s->rank + 2, dims, err));
    TRY(ref_all_numbers(c, offset, &j->offset, err));
    if (!plan_call_input(c, MASK)) return ONDOL_OK;
    TRY(ref_float_input(c, MASK, &mask, err));
    dims[1] = lines;
    TRY(ref_expect_dims(c, "the mask", mask, s->rank + 2, dims, err));
    TRY(ref_all_numbers(c, mask, &j->mask, err));
done:
    return status;
}

static ondol_status begin(plan_call *c, deform_job *j, const tensor_value *x, const tensor_value *w,
                          ondol_error *err) {
    ref_conv_shape *s = &j->s;
    int64_t dims[TENSOR_MAX_RANK];
    void *sums = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_conv_shape_begin(c, x, w, s, err));
    dims[0] = s->batch;
    dims[1] = s->filters;
    memcpy(dims + 2, s->out, s->rank * sizeof *dims);
    TRY(plan_call_output(c, 0, x->element, s->rank + 2, dims, &j->y, err));
    if (!ref_product(s->rank, s->in, &j->in_size) || !ref_product(s->rank, s->kernel, &j->taps) ||
        !ref_product(s->rank, s->out, &j->out_size)) {
        return plan_call_fail(c, err, "its shapes are too large");
    }
    ref_strides(s->rank, s->in, j->in_stride);
    TRY(check_offsets(c, j, err));
    TRY(ref_all_numbers(c, x, &j->x, err));
    TRY(ref_all_numbers(c, w, &j->w, err));
    TRY(ref_float_list(c, BIAS, "the bias", s->filters, 0, &j->bias, err));
    j->slots = 64;
    TRY(ref_alloc(c, (uint64_t)s->filters * j->slots, sizeof *j->sums, "sums", &sums, err));
    j->sums = sums;
done:
    return status;
}

ondol_status ref_deform_conv(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *w = NULL;
    deform_job j = {0};
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, X, &x, err));
    TRY(ref_float_input(c, W, &w, err));
    TRY(begin(c, &j, x, w, err));
    if (j.y->elems) ref_run_tasks(c, j.slots, run_slot, &j);
done:
    tensor_heap_free(c->heap, j.x);
    tensor_heap_free(c->heap, j.w);
    tensor_heap_free(c->heap, j.bias);
    tensor_heap_free(c->heap, j.offset);
    tensor_heap_free(c->heap, j.mask);
    tensor_heap_free(c->heap, j.sums);
    return status;
}
