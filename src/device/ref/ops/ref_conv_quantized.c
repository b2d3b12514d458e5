/* ConvInteger, QLinearConv. In: codes, zero points, scales. Out: int32 sums, or codes of the scaled
 * sums. Sums are exact. */
#include <inttypes.h>

#include "device/ref/ops/ref_conv_shape.h"
#include "device/ref/ops/ref_granularity.h"
#include "device/ref/ops/ref_kernels.h"

/* A convolution of x[batch][channels][in] with w[filters][channels / groups][kernel], both less
 * their zero points. Filters of one example are the units of the threads. */
typedef struct conv_job {
    ref_conv_shape s;
    int64_t *x, *w;
    uint64_t in_size, kernel_size, out_size; /* products of the spatial dimensions */
    int64_t in_stride[TENSOR_MAX_RANK];
    uint32_t unit_count;
    tensor_value *y;
    /* Of QLinearConv alone. */
    const tensor_value *bias; /* int32 [filters]; NULL: none */
    const float *factors;     /* [filters]; NULL: sums are stored as they are */
    double y_zero;
} conv_job;

/* Position in an example's channel of the number that meets kernel index k at output index o;
 * false: it is padding. */
static bool meets(const conv_job *j, const int64_t *o, const int64_t *k, uint64_t *at) {
    const ref_conv_shape *s = &j->s;
    int64_t sum = 0;
    for (uint32_t d = 0; d < s->rank; d++) {
        const int64_t i = o[d] * s->stride[d] + k[d] * s->dilation[d] - s->pad_begin[d];
        if (i < 0 || i >= s->in[d]) return false;
        sum += i * j->in_stride[d];
    }
    *at = (uint64_t)sum;
    return true;
}

/* The sum of one output: x at its example and first channel of the group, w at its filter. */
static int64_t sum_at(const conv_job *j, const int64_t *o, const int64_t *x, const int64_t *w) {
    const uint64_t channels = (uint64_t)(j->s.channels / j->s.groups);
    uint64_t sum = 0, at = 0, k_at = 0;
    ref_walk k;
    ref_walk_begin(&k, j->s.rank, j->s.kernel);
    for (; k.left; ref_walk_next(&k), k_at++) {
        if (!meets(j, o, k.index, &at)) continue;
        for (uint64_t c = 0; c < channels; c++) {
            sum += (uint64_t)x[c * j->in_size + at] * (uint64_t)w[c * j->kernel_size + k_at];
        }
    }
    return (int64_t)sum;
}

static void store(const conv_job *j, uint64_t at, uint64_t filter, int64_t sum) {
    if (!j->factors) {
        tensor_set_integer(j->y->element, j->y->data, at, sum);
        return;
    }
    if (j->bias) sum += tensor_get_integer(j->bias->element, j->bias->data, filter);
    ref_set_quantized(j->y, at, (double)sum * (double)j->factors[filter], j->y_zero, true);
}

/* Filter `task % filters` of example `task / filters`. */
static void run_task(const conv_job *j, uint64_t task) {
    const ref_conv_shape *s = &j->s;
    const uint64_t filter = task % (uint64_t)s->filters, example = task / (uint64_t)s->filters;
    const uint64_t group = filter / (uint64_t)(s->filters / s->groups);
    const uint64_t channels = (uint64_t)(s->channels / s->groups);
    const int64_t *x = j->x + (example * (uint64_t)s->channels + group * channels) * j->in_size;
    const int64_t *w = j->w + filter * channels * j->kernel_size;
    uint64_t at = task * j->out_size;
    ref_walk o;
    ref_walk_begin(&o, s->rank, s->out);
    for (; o.left; ref_walk_next(&o), at++)
        store(j, at, filter, sum_at(j, o.index, x, w));
}

static void run_unit(uint32_t unit, unsigned thread_index, void *argument) {
    const conv_job *j = argument;
    (void)thread_index;
    const uint64_t tasks = (uint64_t)j->s.batch * (uint64_t)j->s.filters;
    for (uint64_t task = unit; task < tasks; task += j->unit_count)
        run_task(j, task);
}

/* All of v less its zero point, a list of which goes with the first dimension. */
static ondol_status shifted(const plan_call *c, const tensor_value *v, const tensor_value *zero,
                            int64_t **out, ondol_error *err) {
    void *memory = NULL;
    ondol_status status = ref_alloc(c, v->elems, sizeof **out, "operand", &memory, err);
    if (status != ONDOL_OK) return status;
    *out = memory;
    const uint64_t line = v->elems ? v->elems / (uint64_t)v->dims[0] : 1;
    for (uint64_t i = 0; i < v->elems; i++) {
        int64_t code = tensor_get_integer(v->element, v->data, i);
        const uint64_t at = zero && zero->elems > 1 ? i / line : 0;
        if (zero) code -= tensor_get_integer(zero->element, zero->data, at);
        (*out)[i] = code;
    }
    return ONDOL_OK;
}

/* Input i, one element, or (count not 0) a list of count. Errors: FORMAT. */
static ondol_status one_or_list(const plan_call *c, uint32_t i, tensor_element e, int64_t count,
                                tensor_value **out, ondol_error *err) {
    ondol_status status = plan_call_typed(c, i, e, out, err);
    if (status != ONDOL_OK || (*out)->elems == 1) return status;
    if (count && (*out)->rank == 1 && (*out)->dims[0] == count) return ONDOL_OK;
    return plan_call_fail(c, err, "input %" PRIu32 " has %" PRIu64 " elements", i, (*out)->elems);
}

/* Shapes, operands and the output, of type y_type. */
static ondol_status begin(plan_call *c, conv_job *j, const tensor_value *x, const tensor_value *w,
                          const tensor_value *x_zero, const tensor_value *w_zero,
                          tensor_element y_type, ondol_error *err) {
    int64_t dims[TENSOR_MAX_RANK];
    uint64_t size = 0;
    ondol_status status = ONDOL_OK;
    const ref_conv_shape *s = &j->s;
    dims[0] = s->batch;
    dims[1] = s->filters;
    for (uint32_t d = 0; d < s->rank; d++)
        dims[d + 2] = s->out[d];
    TRY(plan_call_output(c, 0, y_type, s->rank + 2, dims, &j->y, err));
    if (!ref_product(s->rank, s->in, &j->in_size) ||
        !ref_product(s->rank, s->kernel, &j->kernel_size) ||
        !ref_product(s->rank, s->out, &j->out_size) || !ref_product(2, dims, &size)) {
        return plan_call_fail(c, err, "its shapes are too large");
    }
    ref_strides(s->rank, s->in, j->in_stride);
    TRY(shifted(c, x, x_zero, &j->x, err));
    TRY(shifted(c, w, w_zero, &j->w, err));
    j->unit_count = size < 4096 ? (uint32_t)size : 4096;
done:
    return status;
}

static void finish(plan_call *c, conv_job *j) {
    tensor_heap_free(c->heap, j->x);
    tensor_heap_free(c->heap, j->w);
}

ondol_status ref_conv_integer(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *w = NULL, *x_zero = NULL, *w_zero = NULL;
    conv_job j = {0};
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_INTEGER, &x, err));
    TRY(ref_input(c, 1, REF_CLASS_INTEGER, &w, err));
    TRY(ref_conv_shape_begin(c, x, w, &j.s, err));
    if (plan_call_input(c, 2)) TRY(one_or_list(c, 2, x->element, 0, &x_zero, err));
    if (plan_call_input(c, 3)) TRY(one_or_list(c, 3, w->element, j.s.filters, &w_zero, err));
    TRY(begin(c, &j, x, w, x_zero, w_zero, TENSOR_ELEMENT_I32, err));
    if (j.y->elems) plan_call_parallel(c, j.unit_count, run_unit, &j);
done:
    finish(c, &j);
    return status;
}

/* QLinearConv. Its inputs: */
enum { X, X_SCALE, X_ZERO, W, W_SCALE, W_ZERO, Y_SCALE, Y_ZERO, BIAS, QLINEAR_INPUTS };

/* x's scale * w's / y's, in float as runtimes make them. */
static ondol_status make_factors(const plan_call *c, tensor_value *const *in, int64_t filters,
                                 float **out, ondol_error *err) {
    void *memory = NULL;
    ondol_status status =
        ref_alloc(c, (uint64_t)filters, sizeof **out, "scales of the filters", &memory, err);
    if (status != ONDOL_OK) return status;
    *out = memory;
    const float x = (float)tensor_get_number(TENSOR_ELEMENT_F32, in[X_SCALE]->data, 0);
    const float y = (float)tensor_get_number(TENSOR_ELEMENT_F32, in[Y_SCALE]->data, 0);
    for (uint64_t i = 0; i < (uint64_t)filters; i++) {
        const uint64_t at = in[W_SCALE]->elems > 1 ? i : 0;
        const float w = (float)tensor_get_number(TENSOR_ELEMENT_F32, in[W_SCALE]->data, at);
        (*out)[i] = x * w / y;
    }
    return ONDOL_OK;
}

static ondol_status read_inputs(plan_call *c, tensor_value **in, ref_conv_shape *s,
                                ondol_error *err) {
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, X, REF_CLASS_INTEGER, in + X, err));
    TRY(ref_input(c, W, REF_CLASS_INTEGER, in + W, err));
    TRY(ref_input(c, Y_ZERO, REF_CLASS_INTEGER, in + Y_ZERO, err));
    TRY(ref_conv_shape_begin(c, in[X], in[W], s, err));
    TRY(one_or_list(c, X_SCALE, TENSOR_ELEMENT_F32, 0, in + X_SCALE, err));
    TRY(one_or_list(c, Y_SCALE, TENSOR_ELEMENT_F32, 0, in + Y_SCALE, err));
    TRY(one_or_list(c, W_SCALE, TENSOR_ELEMENT_F32, s->filters, in + W_SCALE, err));
    TRY(one_or_list(c, X_ZERO, in[X]->element, 0, in + X_ZERO, err));
    TRY(one_or_list(c, W_ZERO, in[W]->element, s->filters, in + W_ZERO, err));
    TRY(one_or_list(c, Y_ZERO, in[Y_ZERO]->element, 0, in + Y_ZERO, err));
    if (tensor_element_bits(in[Y_ZERO]->element) != 8 || !ref_is_quantized(in[X]->element) ||
        !ref_is_quantized(in[W]->element)) {
        return plan_call_fail(c, err, "its operands are no codes of 8 bits");
    }
    if (!plan_call_input(c, BIAS)) return ONDOL_OK;
    TRY(plan_call_typed(c, BIAS, TENSOR_ELEMENT_I32, in + BIAS, err));
    if (in[BIAS]->rank != 1 || in[BIAS]->dims[0] != s->filters) {
        return plan_call_fail(c, err, "the bias has %" PRIu64 " elements, expected %" PRId64,
                              in[BIAS]->elems, s->filters);
    }
done:
    return status;
}

ondol_status ref_qlinear_conv(plan_call *c, ondol_error *err) {
    tensor_value *in[QLINEAR_INPUTS] = {NULL};
    conv_job j = {0};
    float *factors = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_inputs(c, in, &j.s, err));
    TRY(begin(c, &j, in[X], in[W], in[X_ZERO], in[W_ZERO], in[Y_ZERO]->element, err));
    TRY(make_factors(c, in, j.s.filters, &factors, err));
    j.factors = factors;
    j.bias = in[BIAS];
    j.y_zero = tensor_get_number(in[Y_ZERO]->element, in[Y_ZERO]->data, 0);
    if (j.y->elems) plan_call_parallel(c, j.unit_count, run_unit, &j);
done:
    finish(c, &j);
    tensor_heap_free(c->heap, factors);
    return status;
}
