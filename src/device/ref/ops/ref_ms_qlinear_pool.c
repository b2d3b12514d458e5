/* QLinearAveragePool, QLinearGlobalAveragePool, QLinearReduceMean, ReduceSumInteger. In: codes.
 * Out: codes of their means, or sums. Sums are exact. */
#include <inttypes.h>
#include <string.h>

#include "device/ref/ops/ref_conv_shape.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms_codes.h"

typedef struct pool_job {
    ref_conv_shape s;
    uint64_t in_size, out_size;
    int64_t in_stride[TENSOR_MAX_RANK];
    bool counts_padding;
    ref_ms_meaning from, to;
    const tensor_value *x;
    tensor_value *y;
} pool_job;

/* The code of the mean of count numbers whose codes less zero points have that sum. */
static int32_t code_of_mean(const ref_ms_meaning *from, const ref_ms_meaning *to, int64_t sum,
                            uint64_t count) {
    const double mean = count ? (double)sum * (double)from->scale / (double)count : 0;
    return ref_ms_code_of(to, mean / (double)to->scale);
}

/* The mean over the window of output o in the channel whose first code is `first`. */
static int32_t look(const pool_job *j, const int64_t *o, uint64_t first) {
    const ref_conv_shape *s = &j->s;
    int64_t sum = 0;
    uint64_t count = 0;
    ref_walk k;
    ref_walk_begin(&k, s->rank, s->kernel);
    for (; k.left; ref_walk_next(&k)) {
        bool is_in = true, is_padded = true;
        int64_t at = 0;
        for (uint32_t d = 0; d < s->rank; d++) {
            const int64_t i = o[d] * s->stride[d] + k.index[d] * s->dilation[d] - s->pad_begin[d];
            is_in = is_in && i >= 0 && i < s->in[d];
            is_padded = is_padded && i < s->in[d] + s->pad_end[d];
            at += i * j->in_stride[d];
        }
        if (is_in) sum += ref_ms_code_at(j->x, first + (uint64_t)at) - j->from.zero;
        if (is_in || (is_padded && j->counts_padding)) count++;
    }
    return code_of_mean(&j->from, &j->to, sum, count);
}

static void pool_channel(void *user, uint64_t task) {
    const pool_job *j = user;
    uint64_t at = task * j->out_size;
    ref_walk o;
    ref_walk_begin(&o, j->s.rank, j->s.out);
    for (; o.left; ref_walk_next(&o), at++)
        tensor_set_integer(j->y->element, j->y->data, at, look(j, o.index, task * j->in_size));
}

/* The pool of x with channels in front, as *out. */
static ondol_status pool(plan_call *c, pool_job *j, tensor_value **out, ondol_error *err) {
    int64_t dims[TENSOR_MAX_RANK];
    ondol_status status = ONDOL_OK;
    TRY(ref_pool_shape_begin(c, j->x, &j->s, err));
    dims[0] = j->s.batch;
    dims[1] = j->s.channels;
    memcpy(dims + 2, j->s.out, j->s.rank * sizeof *dims);
    if (!ref_product(j->s.rank, j->s.in, &j->in_size) ||
        !ref_product(j->s.rank, j->s.out, &j->out_size)) {
        return plan_call_fail(c, err, "its shapes are too large");
    }
    TRY(tensor_value_create(c->heap, j->x->element, j->s.rank + 2, dims, out, err));
    ref_strides(j->s.rank, j->s.in, j->in_stride);
    j->y = *out;
    if (j->y->elems) ref_run_tasks(c, (uint64_t)(dims[0] * dims[1]), pool_channel, j);
done:
    return status;
}

ondol_status ref_ms_qlinear_average_pool(plan_call *c, ondol_error *err) {
    const bool is_last = graph_get_int(c->g, c->node, "channels_last") != 0;
    tensor_value *x = NULL, *first = NULL, *y = NULL, *last = NULL;
    pool_job j = {0};
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_codes_read(c, 0, 1, 2, &x, &j.from, err));
    TRY(ref_ms_meaning_read(c, 3, 4, x->element, &j.to, err));
    j.counts_padding = graph_get_int(c->g, c->node, "count_include_pad") != 0;
    if (is_last) TRY(ref_ms_channels_first(c, x, &first, err));
    j.x = is_last ? first : x;
    TRY(pool(c, &j, &y, err));
    if (is_last) TRY(ref_ms_channels_last(c, y, &last, err));
    plan_call_give(c, 0, is_last ? last : y);
done:
    tensor_value_release(first);
    tensor_value_release(y);
    tensor_value_release(last);
    return status;
}

/* Sums over some axes of codes less `zero`: *sums[y elements], of dims with 1 for each such axis.
 */
static ondol_status sum_over(const plan_call *c, const tensor_value *x, const bool *is_summed,
                             int64_t zero, int64_t *dims, uint64_t *count, int64_t **sums,
                             ondol_error *err) {
    void *memory = NULL;
    uint64_t elems = 1;
    ref_walk w;
    for (uint32_t i = 0; i < x->rank; i++)
        dims[i] = is_summed[i] ? 1 : x->dims[i];
    for (uint32_t i = 0; i < x->rank; i++)
        elems *= (uint64_t)dims[i];
    ondol_status status = ref_alloc(c, elems, sizeof **sums, "sums", &memory, err);
    if (status != ONDOL_OK) return status;
    *sums = memory;
    *count = elems ? x->elems / elems : 0;
    for (uint64_t i = 0; i < elems; i++)
        (*sums)[i] = 0;
    ref_walk_begin(&w, x->rank, x->dims);
    ref_walk_add(&w, x->rank, dims);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++)
        (*sums)[w.at[0]] += ref_ms_code_at(x, i) - zero;
    return ONDOL_OK;
}

/* Drops the dimensions that were summed. */
static uint32_t squeeze(uint32_t rank, int64_t *dims, const bool *is_summed) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < rank; i++)
        if (!is_summed[i]) dims[kept++] = dims[i];
    return kept;
}

ondol_status ref_ms_qlinear_global_average_pool(plan_call *c, ondol_error *err) {
    const bool is_last = graph_get_int(c->g, c->node, "channels_last") != 0;
    tensor_value *x = NULL, *y = NULL;
    ref_ms_meaning from, to;
    bool is_summed[TENSOR_MAX_RANK] = {false};
    int64_t dims[TENSOR_MAX_RANK], *sums = NULL;
    uint64_t count = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_codes_read(c, 0, 1, 2, &x, &from, err));
    TRY(ref_ms_meaning_read(c, 3, 4, x->element, &to, err));
    if (x->rank < 3) return ref_ms_expect_rank(c, "X", x, 3, err);
    for (uint32_t i = 1; i < x->rank; i++)
        is_summed[i] = i != (is_last ? x->rank - 1 : 1);
    TRY(sum_over(c, x, is_summed, from.zero, dims, &count, &sums, err));
    TRY(plan_call_output(c, 0, x->element, x->rank, dims, &y, err));
    for (uint64_t i = 0; i < y->elems; i++)
        tensor_set_integer(y->element, y->data, i, code_of_mean(&from, &to, sums[i], count));
done:
    tensor_heap_free(c->heap, sums);
    return status;
}

/* The axes of the attribute; all where it lists none. */
static ondol_status read_axes(const plan_call *c, uint32_t rank, bool *is_summed,
                              ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, "axes");
    const uint32_t count = a ? a->int_count : 0;
    for (uint32_t i = 0; i < rank; i++)
        is_summed[i] = count == 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t axis = 0;
        ondol_status status = plan_call_axis(c, a->ints[i], rank, &axis, err);
        if (status != ONDOL_OK) return status;
        is_summed[axis] = true;
    }
    return ONDOL_OK;
}

static bool keeps_dims(const plan_call *c) {
    return !ref_ms_has(c, "keepdims") || graph_get_int(c->g, c->node, "keepdims") != 0;
}

ondol_status ref_ms_qlinear_reduce_mean(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    ref_ms_meaning from, to;
    bool is_summed[TENSOR_MAX_RANK];
    int64_t dims[TENSOR_MAX_RANK], *sums = NULL;
    uint64_t count = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_codes_read(c, 0, 1, 2, &x, &from, err));
    TRY(ref_ms_meaning_read(c, 3, 4, x->element, &to, err));
    TRY(read_axes(c, x->rank, is_summed, err));
    TRY(sum_over(c, x, is_summed, from.zero, dims, &count, &sums, err));
    const uint32_t rank = keeps_dims(c) ? x->rank : squeeze(x->rank, dims, is_summed);
    TRY(plan_call_output(c, 0, x->element, rank, dims, &y, err));
    for (uint64_t i = 0; i < y->elems; i++)
        tensor_set_integer(y->element, y->data, i, code_of_mean(&from, &to, sums[i], count));
done:
    tensor_heap_free(c->heap, sums);
    return status;
}

ondol_status ref_ms_reduce_sum_integer(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    bool is_summed[TENSOR_MAX_RANK];
    int64_t dims[TENSOR_MAX_RANK], *sums = NULL;
    uint64_t count = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_ms_codes(c, 0, &x, err));
    TRY(read_axes(c, x->rank, is_summed, err));
    TRY(sum_over(c, x, is_summed, 0, dims, &count, &sums, err));
    const uint32_t rank = keeps_dims(c) ? x->rank : squeeze(x->rank, dims, is_summed);
    const bool is_signed = x->element == TENSOR_ELEMENT_I8;
    TRY(plan_call_output(c, 0, is_signed ? TENSOR_ELEMENT_I32 : TENSOR_ELEMENT_U32, rank, dims, &y,
                         err));
    for (uint64_t i = 0; i < y->elems; i++)
        tensor_set_integer(y->element, y->data, i, sums[i]);
done:
    tensor_heap_free(c->heap, sums);
    return status;
}
