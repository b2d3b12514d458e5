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

/* An operand of the result's shape and layout is written over where nobody reads it any more. */
static ondol_status make_output(plan_call *c, tensor_value *const *pair, tensor_value **in,
                                uint32_t rank, const int64_t *dims, bool last, tensor_value **y,
                                ondol_error *err) {
    for (uint32_t i = 0; i < 2; i++) {
        const bool fits = in[i] == pair[i] && in[i]->rank == rank &&
                          memcmp(in[i]->dims, dims, rank * sizeof *dims) == 0;
        if (!fits) continue;
        tensor_value_release(in[i]);
        in[i] = NULL;
        return cpu_output_like(c, 0, pair[i], y, err);
    }
    ondol_status status = plan_call_output(c, 0, TENSOR_ELEMENT_F32, rank, dims, y, err);
    if (status == ONDOL_OK) (*y)->channels_last = last;
    return status;
}

static ondol_status run_two(plan_call *c, tensor_value *a, tensor_value *b, ondol_error *err) {
    tensor_value *const pair[2] = {a, b};
    tensor_value *in[2] = {NULL}, *y = NULL;
    uint32_t rank = 0;
    int64_t dims[TENSOR_MAX_RANK] = {0};
    bool last = false;
    cpu_broadcast s;
    ondol_status status = ONDOL_OK;
    TRY(cpu_broadcast_operands(c, pair, 2, in, &last, err));
    TRY(cpu_broadcast_join(c, in, 2, last, &s, &rank, dims, err));
    const float *const x[2] = {in[0]->data, in[1]->data};
    TRY(make_output(c, pair, in, rank, dims, last, &y, err));
    run_pair(c, op_of(c->g->nodes[c->node].op), &s, x[0], x[1], y->data);
done:
    tensor_value_release(in[0]);
    tensor_value_release(in[1]);
    return status;
}

ondol_status cpu_run_binary(plan_call *c, ondol_error *err) {
    tensor_value *joined = NULL, *x = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err));
    plan_call_give(c, 0, x);
    for (uint32_t i = 1; i < c->input_count; i++) {
        tensor_value_release(joined);
        joined = tensor_value_retain(c->outputs[0]);
        TRY(plan_call_typed(c, i, TENSOR_ELEMENT_F32, &x, err));
        TRY(run_two(c, joined, x, err));
    }
    if (c->g->nodes[c->node].op == GRAPH_OP_MEAN && c->input_count > 1) {
        const float share = 1.0f / (float)c->input_count;
        tensor_value *y = c->outputs[0];
        cpu_rows_select(cpu_device_of(c->device)->isa)
            ->binary(CPU_BINARY_MUL, y->data, y->data, 1, &share, 0, (size_t)y->elems);
    }
done:
    tensor_value_release(joined);
    return status;
}
