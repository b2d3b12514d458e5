/* BiasGelu and FastGelu (com.microsoft). In: rows, perhaps a bias of a row. Out: the Gelu of their
 * sums, exact or by tanh. */
#include <inttypes.h>

#include "device/cpu/ops/cpu_elementwise.h"
#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/ops/cpu_output.h"
#include "device/cpu/rows.h"

typedef struct gelu_job {
    const cpu_rows *rows;
    cpu_unary op;
    const float *x, *bias;
    float *y;
    uint64_t lines, n, each;
} gelu_job;

static void gelu_unit(uint32_t unit, unsigned thread, void *argument) {
    const gelu_job *j = argument;
    const size_t n = (size_t)j->n;
    (void)thread;
    for (uint64_t i = unit * j->each; i < (unit + 1) * j->each && i < j->lines; i++) {
        const float *x = j->x + i * j->n;
        float *y = j->y + i * j->n;
        if (j->bias) {
            j->rows->binary(CPU_BINARY_ADD, y, x, 1, j->bias, 1, n);
            x = y;
        }
        j->rows->unary(j->op, y, x, n, 0, 0);
    }
}

ondol_status cpu_run_bias_gelu(plan_call *c, ondol_error *err) {
    const bool exact = c->g->nodes[c->node].op == GRAPH_OP_MS_BIAS_GELU;
    tensor_value *x = NULL, *bias = NULL, *y = NULL;
    gelu_job j = {.rows = cpu_rows_select(cpu_device_of(c->device)->isa),
                  .op = exact ? CPU_UNARY_GELU : CPU_UNARY_GELU_TANH};
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err));
    if (!x->rank) return plan_call_fail(c, err, "the input has rank 0");
    j.n = (uint64_t)x->dims[x->rank - 1];
    if (plan_call_input(c, 1)) {
        TRY(plan_call_typed(c, 1, TENSOR_ELEMENT_F32, &bias, err));
        if (bias->rank != 1 || bias->elems != j.n) {
            return plan_call_fail(c, err, "a bias of %" PRIu64 " elements for rows of %" PRIu64,
                                  bias->elems, j.n);
        }
        j.bias = bias->data;
    }
    TRY(cpu_output_like(c, 0, x, &y, err));
    j.x = x->data;
    j.y = y->data;
    j.lines = j.n ? x->elems / j.n : 0;
    j.each = j.n ? 4096 / j.n + 1 : 1;
    if (j.lines > BASE_POOL_UNITS_MAX * j.each)
        return plan_call_fail(c, err, "%" PRIu64 " rows are too many", j.lines);
    plan_call_parallel(c, (uint32_t)((j.lines + j.each - 1) / j.each), gelu_unit, &j);
done:
    return status;
}
