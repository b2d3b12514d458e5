/* Reductions. In: a tensor, axes. Out: what its elements along them come to. Axes next to each
 * other are one; other patterns are moved together first. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/cpu/ops/cpu_axis_ops.h"
#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/rows.h"
#include "device/host_box.h"

bool cpu_accepts_reduce(const graph *g, graph_node_id n, base_buffer *why) {
    const graph_node *node = g->nodes + n;
    if (g->values[node->inputs[0]].element == TENSOR_ELEMENT_F32) return true;
    if (why) base_buffer_append_text(why, "it reduces float32");
    return false;
}

typedef struct reduce_shape {
    bool is_reduced[TENSOR_MAX_RANK];
    uint32_t rank;
    int64_t dims[TENSOR_MAX_RANK]; /* of the result */
    uint64_t n;                    /* elements to each result */
} reduce_shape;

static ondol_status read_axes(const plan_call *c, const tensor_value *x, reduce_shape *s,
                              ondol_error *err) {
    int64_t axes[TENSOR_MAX_RANK];
    uint32_t count = 0;
    ondol_status status = ONDOL_OK;
    const bool keep = graph_get_int(c->g, c->node, "keepdims") != 0;
    if (plan_call_input(c, 1)) TRY(plan_call_integers(c, 1, TENSOR_MAX_RANK, axes, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t axis = 0;
        TRY(plan_call_axis(c, axes[i], x->rank, &axis, err));
        s->is_reduced[axis] = true;
    }
    const bool all = !count && !graph_get_int(c->g, c->node, "noop_with_empty_axes");
    s->n = 1;
    for (uint32_t i = 0; i < x->rank; i++) {
        s->is_reduced[i] = s->is_reduced[i] || all;
        if (s->is_reduced[i]) s->n *= (uint64_t)x->dims[i];
        if (!s->is_reduced[i] || keep) s->dims[s->rank++] = s->is_reduced[i] ? 1 : x->dims[i];
    }
done:
    return status;
}

/* Outer, reduced and inner sizes where the reduced axes lie together; false where they do not. */
static bool find_run(const tensor_value *x, const reduce_shape *s, uint64_t *outer,
                     uint64_t *inner) {
    uint32_t i = 0;
    *outer = *inner = 1;
    for (; i < x->rank && !s->is_reduced[i]; i++)
        *outer *= (uint64_t)x->dims[i];
    while (i < x->rank && s->is_reduced[i])
        i++;
    for (; i < x->rank; i++) {
        if (s->is_reduced[i]) return false;
        *inner *= (uint64_t)x->dims[i];
    }
    return true;
}

/* A copy with the reduced axes last. */
static ondol_status move_together(plan_call *c, tensor_value *x, const reduce_shape *s,
                                  tensor_value **out, ondol_error *err) {
    int64_t steps[TENSOR_MAX_RANK];
    host_box box = {.rank = x->rank};
    uint32_t at = 0;
    host_dense_steps(x->rank, x->dims, steps);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < x->rank; i++) {
            if (s->is_reduced[i] != (pass == 1)) continue;
            box.dims[at] = x->dims[i];
            box.src_step[at++] = steps[i];
        }
    }
    tensor_value *y = NULL;
    ondol_status status = tensor_value_create(c->heap, x->element, x->rank, box.dims, &y, err);
    if (status != ONDOL_OK) return status;
    host_dense_steps(y->rank, y->dims, box.dst_step);
    status = host_box_move(c, &box, y, x, err);
    if (status == ONDOL_OK)
        *out = y;
    else
        tensor_value_release(y);
    return status;
}

/* ------------------------------------------------------------ integers */

bool cpu_accepts_reduce_integers(const graph *g, graph_node_id n, base_buffer *why) {
    const tensor_element e = g->values[g->nodes[n].inputs[0]].element;
    if (e == TENSOR_ELEMENT_I64 || e == TENSOR_ELEMENT_I32) return true;
    if (why) base_buffer_append_text(why, "it reduces int32 and int64");
    return false;
}

static int64_t integer_at(const tensor_value *v, uint64_t i) {
    return v->element == TENSOR_ELEMENT_I64 ? ((const int64_t *)v->data)[i]
                                            : ((const int32_t *)v->data)[i];
}

/* x [outer][n][inner]; sums wrap, as two's complement does. */
static void reduce_integers(graph_op op, const tensor_value *x, uint64_t n, uint64_t inner,
                            tensor_value *y) {
    for (uint64_t i = 0; i < y->elems; i++) {
        const uint64_t at = i / inner * n * inner + i % inner;
        int64_t total = integer_at(x, at);
        for (uint64_t k = 1; k < n; k++) {
            const int64_t v = integer_at(x, at + k * inner);
            if (op == GRAPH_OP_REDUCE_SUM)
                total = (int64_t)((uint64_t)total + (uint64_t)v);
            else if (op == GRAPH_OP_REDUCE_MAX ? v > total : v < total)
                total = v;
        }
        if (y->element == TENSOR_ELEMENT_I64)
            ((int64_t *)y->data)[i] = total;
        else
            ((int32_t *)y->data)[i] = (int32_t)(uint32_t)(uint64_t)total;
    }
}

ondol_status cpu_run_reduce_integers(plan_call *c, ondol_error *err) {
    const graph_op op = c->g->nodes[c->node].op;
    tensor_value *x = NULL, *moved = NULL, *y = NULL;
    reduce_shape s = {.rank = 0};
    uint64_t outer = 0, inner = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    if (x->element != TENSOR_ELEMENT_I64 && x->element != TENSOR_ELEMENT_I32)
        return plan_call_fail(c, err, "an input of type %s", tensor_element_onnx_name(x->element));
    TRY(read_axes(c, x, &s, err));
    TRY(plan_call_output(c, 0, x->element, s.rank, s.dims, &y, err));
    if (!x->elems && y->elems && op != GRAPH_OP_REDUCE_SUM) {
        const bool least = op == GRAPH_OP_REDUCE_MAX;
        for (uint64_t i = 0; i < y->elems; i++) {
            if (x->element == TENSOR_ELEMENT_I64)
                ((int64_t *)y->data)[i] = least ? INT64_MIN : INT64_MAX;
            else
                ((int32_t *)y->data)[i] = least ? INT32_MIN : INT32_MAX;
        }
        return ONDOL_OK;
    }
    if (!x->elems) {
        memset(y->data, 0, (size_t)tensor_value_bytes(y));
        return ONDOL_OK;
    }
    if (!find_run(x, &s, &outer, &inner)) {
        TRY(move_together(c, x, &s, &moved, err));
        inner = 1;
    }
    reduce_integers(op, moved ? moved : x, s.n, inner, y);
done:
    tensor_value_release(moved);
    return status;
}

/* ------------------------------------------------------------ floats */

typedef struct reduce_job {
    const cpu_rows *rows;
    cpu_reduction op;
    const float *x;
    float *y;
    uint64_t outer, n, inner, each;
} reduce_job;

static void reduce_unit(uint32_t unit, unsigned thread, void *argument) {
    const reduce_job *j = argument;
    (void)thread;
    for (uint64_t o = unit * j->each; o < (unit + 1) * j->each && o < j->outer; o++) {
        const float *x = j->x + o * j->n * j->inner;
        float *y = j->y + o * j->inner;
        if (j->inner == 1) {
            *y = j->rows->reduce(j->op, x, (size_t)j->n);
            continue;
        }
        if (j->op == CPU_REDUCTION_MAX || j->op == CPU_REDUCTION_MIN) {
            memcpy(y, x, (size_t)j->inner * sizeof *y);
        } else {
            memset(y, 0, (size_t)j->inner * sizeof *y);
            j->rows->accumulate(j->op, y, x, (size_t)j->inner);
        }
        for (uint64_t i = 1; i < j->n; i++)
            j->rows->accumulate(j->op, y, x + i * j->inner, (size_t)j->inner);
    }
}

static cpu_reduction op_of(graph_op op) {
    switch (op) {
    case GRAPH_OP_REDUCE_MAX: return CPU_REDUCTION_MAX;
    case GRAPH_OP_REDUCE_MIN: return CPU_REDUCTION_MIN;
    case GRAPH_OP_REDUCE_L1: return CPU_REDUCTION_ABS;
    case GRAPH_OP_REDUCE_L2:
    case GRAPH_OP_REDUCE_SUM_SQUARE: return CPU_REDUCTION_SQUARES;
    default: return CPU_REDUCTION_SUM;
    }
}

/* What is done to the sums. */
static void finish(const plan_call *c, const cpu_rows *rows, tensor_value *y, uint64_t n) {
    const float divisor = (float)n;
    switch (c->g->nodes[c->node].op) {
    case GRAPH_OP_REDUCE_MEAN:
        rows->binary(CPU_BINARY_DIV, y->data, y->data, 1, &divisor, 0, (size_t)y->elems);
        break;
    case GRAPH_OP_REDUCE_L2:
        rows->unary(CPU_UNARY_SQRT, y->data, y->data, (size_t)y->elems, 0, 0);
        break;
    case GRAPH_OP_REDUCE_LOG_SUM:
        rows->unary(CPU_UNARY_LOG, y->data, y->data, (size_t)y->elems, 0, 0);
        break;
    default: break;
    }
}

/* Nothing to reduce: what the operator gives for no element. */
static void fill_empty(const plan_call *c, tensor_value *y) {
    const graph_op op = c->g->nodes[c->node].op;
    const float value = op == GRAPH_OP_REDUCE_MAX       ? -INFINITY
                        : op == GRAPH_OP_REDUCE_MIN     ? INFINITY
                        : op == GRAPH_OP_REDUCE_MEAN    ? NAN
                        : op == GRAPH_OP_REDUCE_LOG_SUM ? -INFINITY
                                                        : 0.0f;
    for (uint64_t i = 0; i < y->elems; i++)
        ((float *)y->data)[i] = value;
}

ondol_status cpu_run_reduce(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *moved = NULL, *y = NULL;
    reduce_shape s = {.rank = 0};
    reduce_job j = {.rows = cpu_rows_select(cpu_device_of(c->device)->isa),
                    .op = op_of(c->g->nodes[c->node].op)};
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err));
    TRY(read_axes(c, x, &s, err));
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, s.rank, s.dims, &y, err));
    if (!x->elems) {
        fill_empty(c, y);
        goto done;
    }
    if (!find_run(x, &s, &j.outer, &j.inner)) {
        TRY(move_together(c, x, &s, &moved, err));
        j.outer = y->elems;
        j.inner = 1;
    }
    j.n = s.n;
    j.x = moved ? moved->data : x->data;
    j.y = y->data;
    j.each = 8192 / (j.n * j.inner) + 1;
    plan_call_parallel(c, (uint32_t)((j.outer + j.each - 1) / j.each), reduce_unit, &j);
    finish(c, j.rows, y, s.n);
done:
    tensor_value_release(moved);
    return status;
}
