/* Binary and variadic operators. In: tensors of f32 that broadcast. Out: one of their common shape.
 */
#include "device/cpu/ops/cpu_elementwise.h"

#include <string.h>

#include "device/cpu/ops/cpu_broadcast.h"
#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/ops/cpu_output.h"
#include "device/cpu/rows.h"

typedef struct binary_job {
    const cpu_rows *rows;
    cpu_binary op;
    const float *a, *b;
    float *dst;
} binary_job;

static void binary_run(const cpu_run *r, const cpu_broadcast *b, const void *argument) {
    const binary_job *j = argument;
    j->rows->binary(j->op, j->dst + r->out, j->a + r->at[0], b->step[0][0] != 0, j->b + r->at[1],
                    b->step[1][0] != 0, (size_t)r->count);
}

static void run_pair(const plan_call *c, cpu_binary op, const cpu_broadcast *s, const float *a,
                     const float *b, float *dst) {
    const binary_job j = {cpu_rows_select(cpu_device_of(c->device)->isa), op, a, b, dst};
    cpu_broadcast_run(c, s, binary_run, &j);
}

static cpu_binary op_of(graph_op op) {
    switch (op) {
    case GRAPH_OP_ADD:
    case GRAPH_OP_SUM:
    case GRAPH_OP_MEAN: return CPU_BINARY_ADD;
    case GRAPH_OP_SUB: return CPU_BINARY_SUB;
    case GRAPH_OP_MUL: return CPU_BINARY_MUL;
    case GRAPH_OP_DIV: return CPU_BINARY_DIV;
    case GRAPH_OP_MAX: return CPU_BINARY_MAX;
    case GRAPH_OP_MIN: return CPU_BINARY_MIN;
    case GRAPH_OP_PRELU: return CPU_BINARY_PRELU;
    default: return CPU_BINARY_POW;
    }
}

/* Both operands in one order of memory; a per-channel operand is turned into that of the other. */
static bool same_layout(const tensor_value *a, const tensor_value *b) {
    return a->channels_last && b->channels_last && a->rank == b->rank &&
           memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) == 0;
}

/* With channels last, [N,C,S...] is [N,S...,C] in memory: true when v, dense, has a single value
 * or one for each channel; *per_channel says which. */
static bool fits_channels(const tensor_value *v, const tensor_value *image, bool *per_channel) {
    if (v->channels_last) return false;
    *per_channel = v->elems != 1;
    if (v->elems == 1) return v->rank <= image->rank;
    const int64_t channels = image->dims[1];
    for (uint32_t i = 0; i < v->rank; i++) {
        const bool is_channel = v->rank - i == image->rank - 1;
        if (v->dims[i] != (is_channel ? channels : 1)) return false;
    }
    return v->rank >= image->rank - 1 && v->rank <= image->rank;
}

/* Pairs where one operand has its channels last, and the other fits it. */
static bool run_channels_last(plan_call *c, tensor_value *a, tensor_value *b, ondol_error *err,
                              ondol_status *status) {
    tensor_value *image = a->channels_last ? a : b, *other = a->channels_last ? b : a, *y = NULL;
    bool per_channel = false;
    if (!image->channels_last) return false;
    const bool same = same_layout(a, b);
    if (!same && !fits_channels(other, image, &per_channel)) return false;
    *status = cpu_output_like(c, 0, image, &y, err);
    if (*status != ONDOL_OK) return true;
    const int64_t channels = image->dims[1], all = (int64_t)image->elems;
    cpu_broadcast s = {.rank = 1, .operands = 2, .dims = {all}, .lines = all > 0};
    int64_t *image_step = s.step[a->channels_last ? 0 : 1];
    int64_t *other_step = s.step[a->channels_last ? 1 : 0];
    image_step[0] = 1;
    other_step[0] = same;
    if (!same && per_channel) {
        s.rank = 2;
        s.dims[0] = channels;
        s.dims[1] = channels ? all / channels : 0;
        other_step[0] = 1;
        image_step[1] = channels;
        s.lines = (uint64_t)s.dims[1];
    }
    run_pair(c, op_of(c->g->nodes[c->node].op), &s, a->data, b->data, y->data);
    return true;
}

static ondol_status run_two(plan_call *c, tensor_value *a, tensor_value *b, ondol_error *err) {
    tensor_value *const pair[2] = {a, b};
    tensor_value *y = NULL;
    uint32_t rank = 0;
    int64_t dims[TENSOR_MAX_RANK] = {0};
    cpu_broadcast s;
    ondol_status status = cpu_broadcast_join(c, pair, 2, &s, &rank, dims, err);
    if (status != ONDOL_OK) return status;
    status = plan_call_output(c, 0, TENSOR_ELEMENT_F32, rank, dims, &y, err);
    if (status != ONDOL_OK) return status;
    run_pair(c, op_of(c->g->nodes[c->node].op), &s, a->data, b->data, y->data);
    return ONDOL_OK;
}

ondol_status cpu_run_binary(plan_call *c, ondol_error *err) {
    tensor_value *a = NULL, *b = NULL, *joined = NULL, *owned[2] = {NULL};
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &a, err));
    if (c->input_count == 1) {
        plan_call_give(c, 0, a);
        return ONDOL_OK;
    }
    TRY(plan_call_typed(c, 1, TENSOR_ELEMENT_F32, &b, err));
    if (c->input_count == 2 && run_channels_last(c, a, b, err, &status)) goto done;
    TRY(tensor_value_dense(a, owned, err));
    TRY(tensor_value_dense(b, owned + 1, err));
    TRY(run_two(c, owned[0], owned[1], err));
    for (uint32_t i = 2; i < c->input_count; i++) {
        joined = tensor_value_retain(c->outputs[0]);
        TRY(plan_call_typed(c, i, TENSOR_ELEMENT_F32, &b, err));
        tensor_value_release(owned[1]);
        owned[1] = NULL;
        TRY(tensor_value_dense(b, owned + 1, err));
        TRY(run_two(c, joined, owned[1], err));
        tensor_value_release(joined);
        joined = NULL;
    }
    if (c->g->nodes[c->node].op == GRAPH_OP_MEAN) {
        const float share = 1.0f / (float)c->input_count;
        tensor_value *y = c->outputs[0];
        cpu_rows_select(cpu_device_of(c->device)->isa)
            ->binary(CPU_BINARY_MUL, y->data, y->data, 1, &share, 0, (size_t)y->elems);
    }
done:
    tensor_value_release(joined);
    tensor_value_release(owned[0]);
    tensor_value_release(owned[1]);
    return status;
}
