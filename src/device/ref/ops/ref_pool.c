/* Pooling: MaxPool, AveragePool, LpPool and the global ones. In: x [N, C, ...]. Out: a number for
 * each window, or each channel; MaxPool also says where it was. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_conv_shape.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_neural.h"

typedef struct pool_job {
    graph_op op; /* MAX_POOL, AVERAGE_POOL, LP_POOL */
    ref_conv_shape s;
    uint64_t in_size, out_size;
    int64_t in_stride[TENSOR_MAX_RANK];  /* of elements */
    int64_t index_step[TENSOR_MAX_RANK]; /* what an index counts: rows or columns first */
    double *x;
    double p;            /* of LP_POOL */
    double lowest;       /* the result of MAX_POOL over padding alone */
    bool counts_padding; /* AVERAGE_POOL */
    tensor_value *y, *indices;
} pool_job;

/* What has been seen of a window. */
typedef struct window {
    double sum, best;
    int64_t best_at;     /* as index_step counts; -1: nothing yet */
    uint64_t in_input;   /* elements */
    uint64_t in_padding; /* elements of the padding that attributes ask for */
} window;

static void see(const pool_job *j, window *v, double number, int64_t index) {
    v->in_input++;
    if (j->op == GRAPH_OP_MAX_POOL) {
        if (v->best_at >= 0 && (isnan(v->best) || !(number > v->best || isnan(number)))) return;
        v->best = number;
        v->best_at = index;
        return;
    }
    v->sum += j->op == GRAPH_OP_LP_POOL ? pow(fabs(number), j->p) : number;
}

/* The window of output o over the channel x. */
static window look(const pool_job *j, const int64_t *o, const double *x) {
    const ref_conv_shape *s = &j->s;
    window v = {0, j->lowest, -1, 0, 0};
    ref_walk k;
    ref_walk_begin(&k, s->rank, s->kernel);
    for (; k.left; ref_walk_next(&k)) {
        bool is_in_input = true, is_padded = true;
        int64_t at = 0, index = 0;
        for (uint32_t d = 0; d < s->rank; d++) {
            const int64_t i = o[d] * s->stride[d] + k.index[d] * s->dilation[d] - s->pad_begin[d];
            is_in_input = is_in_input && i >= 0 && i < s->in[d];
            is_padded = is_padded && i < s->in[d] + s->pad_end[d];
            at += i * j->in_stride[d];
            index += i * j->index_step[d];
        }
        if (is_in_input) {
            see(j, &v, x[at], index);
        } else if (is_padded) {
            v.in_padding++;
        }
    }
    return v;
}

static double result(const pool_job *j, const window *v) {
    if (j->op == GRAPH_OP_MAX_POOL) return v->best;
    if (j->op == GRAPH_OP_LP_POOL) return pow(v->sum, 1 / j->p);
    const uint64_t count = v->in_input + (j->counts_padding ? v->in_padding : 0);
    return count ? v->sum / (double)count : 0;
}

/* One channel of one example. */
static void run_task(void *user, uint64_t task) {
    const pool_job *j = user;
    const double *x = j->x + task * j->in_size;
    uint64_t at = task * j->out_size;
    ref_walk o;
    ref_walk_begin(&o, j->s.rank, j->s.out);
    for (; o.left; ref_walk_next(&o), at++) {
        const window v = look(j, o.index, x);
        const double number = result(j, &v);
        ref_store_numbers(j->y, at, 1, &number);
        if (!j->indices) continue;
        const int64_t index = v.best_at < 0 ? -1 : v.best_at + (int64_t)(task * j->in_size);
        tensor_set_integer(TENSOR_ELEMENT_I64, j->indices->data, at, index);
    }
}

static void set_index_steps(pool_job *j, bool is_column_major) {
    const ref_conv_shape *s = &j->s;
    int64_t step = 1;
    memcpy(j->index_step, j->in_stride, sizeof j->index_step);
    for (uint32_t d = 0; d < s->rank && is_column_major; d++) {
        j->index_step[d] = step;
        step *= s->in[d];
    }
}

static double lowest_of(tensor_element e) {
    if (e == TENSOR_ELEMENT_I8) return -128;
    return e == TENSOR_ELEMENT_U8 ? 0 : -INFINITY;
}

static ondol_status begin(plan_call *c, pool_job *j, const tensor_value *x, ondol_error *err) {
    const ref_conv_shape *s = &j->s;
    int64_t dims[TENSOR_MAX_RANK];
    ondol_status status = ONDOL_OK;
    TRY(ref_pool_shape_begin(c, x, &j->s, err));
    dims[0] = s->batch;
    dims[1] = s->channels;
    memcpy(dims + 2, s->out, s->rank * sizeof *dims);
    TRY(plan_call_output(c, 0, x->element, s->rank + 2, dims, &j->y, err));
    if (plan_call_wants(c, 1)) {
        TRY(plan_call_output(c, 1, TENSOR_ELEMENT_I64, s->rank + 2, dims, &j->indices, err));
    }
    if (!ref_product(s->rank, s->in, &j->in_size) || !ref_product(s->rank, s->out, &j->out_size)) {
        return plan_call_fail(c, err, "its shapes are too large");
    }
    ref_strides(s->rank, s->in, j->in_stride);
    set_index_steps(j, graph_get_int(c->g, c->node, "storage_order") != 0);
    TRY(ref_all_numbers(c, x, &j->x, err));
done:
    return status;
}

/* MaxPool, AveragePool, LpPool. */
ondol_status ref_pool(plan_call *c, ondol_error *err) {
    pool_job j = {.op = c->g->nodes[c->node].op};
    const bool is_max = j.op == GRAPH_OP_MAX_POOL;
    tensor_value *x = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, is_max ? REF_CLASS_NUMBER : REF_CLASS_FLOAT, &x, err));
    if (tensor_element_bits(x->element) < 8) {
        return plan_call_fail(c, err, "its input has elements of type %s",
                              tensor_element_onnx_name(x->element));
    }
    j.p = (double)graph_get_int(c->g, c->node, "p");
    if (j.op == GRAPH_OP_LP_POOL && j.p < 1) return plan_call_fail(c, err, "p is %g", j.p);
    j.counts_padding = graph_get_int(c->g, c->node, "count_include_pad") != 0;
    j.lowest = lowest_of(x->element);
    TRY(begin(c, &j, x, err));
    if (j.y->elems) ref_run_tasks(c, (uint64_t)(j.s.batch * j.s.channels), run_task, &j);
done:
    tensor_heap_free(c->heap, j.x);
    return status;
}

/* Of count numbers from `first` on; NaN is passed on. */
static double pool_all(const tensor_value *x, uint64_t first, uint64_t count, graph_op op,
                       double p) {
    double sum = 0, best = -INFINITY;
    for (uint64_t i = 0; i < count; i++) {
        const double v = tensor_get_number(x->element, x->data, first + i);
        sum += op == GRAPH_OP_GLOBAL_LP_POOL ? pow(fabs(v), p) : v;
        if (v > best || isnan(v)) best = v;
        if (isnan(v)) break;
    }
    if (op == GRAPH_OP_GLOBAL_MAX_POOL) return best;
    return op == GRAPH_OP_GLOBAL_LP_POOL ? pow(sum, 1 / p) : sum / (double)count;
}

/* GlobalMaxPool, GlobalAveragePool, GlobalLpPool. */
ondol_status ref_global_pool(plan_call *c, ondol_error *err) {
    const graph_op op = c->g->nodes[c->node].op;
    int64_t dims[TENSOR_MAX_RANK];
    tensor_value *x = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, 0, &x, err));
    if (x->rank < 2) {
        return plan_call_fail(c, err, "its input has rank %" PRIu32 ", expected 2 or more",
                              x->rank);
    }
    const double p = (double)graph_get_int(c->g, c->node, "p");
    if (op == GRAPH_OP_GLOBAL_LP_POOL && p < 1) return plan_call_fail(c, err, "p is %g", p);
    for (uint32_t i = 0; i < x->rank; i++)
        dims[i] = i < 2 ? x->dims[i] : 1;
    TRY(plan_call_output(c, 0, x->element, x->rank, dims, &y, err));
    const uint64_t count = y->elems ? x->elems / y->elems : 0;
    for (uint64_t i = 0; i < y->elems; i++) {
        const double v = pool_all(x, i * count, count, op, p);
        tensor_set_number(y->element, y->data, i, v);
    }
done:
    return status;
}

/* Numbers of x to the places that indices name, in a tensor of `small`'s dims. */
static ondol_status spread(const plan_call *c, const tensor_value *x, const tensor_value *indices,
                           const int64_t *small, tensor_value *y, ondol_error *err) {
    int64_t strides[TENSOR_MAX_RANK], y_strides[TENSOR_MAX_RANK];
    uint64_t small_elems = 0;
    if (!ref_product(x->rank, small, &small_elems)) {
        return plan_call_fail(c, err, "its shapes are too large");
    }
    ref_strides(x->rank, small, strides);
    ref_strides(x->rank, y->dims, y_strides);
    memset(y->data, 0, (size_t)tensor_value_bytes(y));
    for (uint64_t i = 0; i < x->elems; i++) {
        const int64_t index = tensor_get_integer(TENSOR_ELEMENT_I64, indices->data, i);
        int64_t at = 0;
        if (index < 0 || (uint64_t)index >= small_elems) {
            return plan_call_fail(c, err, "index %" PRId64 " of %" PRIu64 " places", index,
                                  small_elems);
        }
        for (uint32_t d = 0; d < x->rank; d++)
            at += index / strides[d] % small[d] * y_strides[d];
        ref_copy_element(y, (uint64_t)at, x, i, NULL);
    }
    return ONDOL_OK;
}

/* The shape that the pool had whose result x is: small[x->rank]. */
static ondol_status unpooled_shape(const plan_call *c, const tensor_value *x, int64_t *small,
                                   ondol_error *err) {
    const uint32_t rank = x->rank < 3 ? 0 : x->rank - 2;
    int64_t kernel[TENSOR_MAX_RANK], stride[TENSOR_MAX_RANK], pads[2 * TENSOR_MAX_RANK];
    ondol_status status = ONDOL_OK;
    if (rank == 0 || !graph_get_attribute(c->g, c->node, "kernel_shape")) {
        return plan_call_fail(c, err, "rank %" PRIu32 ", kernel_shape: expected 3 or more, one",
                              x->rank);
    }
    TRY(ref_conv_list(c, "kernel_shape", rank, 1, 1, kernel, err));
    TRY(ref_conv_list(c, "strides", rank, 1, 1, stride, err));
    TRY(ref_conv_list(c, "pads", 2 * rank, 0, 0, pads, err));
    small[0] = x->dims[0];
    small[1] = x->dims[1];
    for (uint32_t i = 0; i < rank; i++) {
        const int64_t in = x->dims[i + 2];
        small[i + 2] = -1;
        if (in >= 1 && in <= REF_CONV_LARGEST / stride[i]) {
            small[i + 2] = (in - 1) * stride[i] - pads[i] - pads[i + rank] + kernel[i];
        }
        if (small[i + 2] < 0) {
            return plan_call_fail(
                c, err, "spatial dimension %" PRIu32 " of %" PRId64 " cannot be undone", i, in);
        }
    }
done:
    return status;
}

/* MaxUnpool. output_shape may be larger than what was pooled: the rest, at the ends, is 0. */
ondol_status ref_max_unpool(plan_call *c, ondol_error *err) {
    int64_t small[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK];
    tensor_value *x = NULL, *indices = NULL, *y = NULL;
    uint32_t count = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_NUMBER, &x, err));
    TRY(plan_call_typed(c, 1, TENSOR_ELEMENT_I64, &indices, err));
    TRY(ref_expect_dims(c, "I", indices, x->rank, x->dims, err));
    TRY(unpooled_shape(c, x, small, err));
    memcpy(dims, small, sizeof dims);
    if (plan_call_input(c, 2)) {
        TRY(plan_call_integers(c, 2, TENSOR_MAX_RANK, dims, &count, err));
        if (count != x->rank) {
            return plan_call_fail(c, err, "output_shape has %" PRIu32 " numbers, expected %" PRIu32,
                                  count, x->rank);
        }
    }
    for (uint32_t i = 0; i < x->rank; i++) {
        if (dims[i] < small[i]) {
            return plan_call_fail(c, err,
                                  "output_shape has %" PRId64 " for a dimension of %" PRId64,
                                  dims[i], small[i]);
        }
    }
    TRY(plan_call_output(c, 0, x->element, x->rank, dims, &y, err));
    TRY(spread(c, x, indices, small, y, err));
done:
    return status;
}
