/* Softmax and LogSoftmax. In: a tensor, an axis. Out: shares that sum to one along it; an axis that
 * is not the last is gathered to a row first. */
#include <string.h>

#include "device/cpu/ops/cpu_axis_ops.h"
#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/ops/cpu_output.h"
#include "device/cpu/rows.h"

typedef struct softmax_job {
    const cpu_rows *rows;
    const float *x;
    float *y, *work; /* work: [threads][n], where inner > 1 */
    uint64_t lines, each, n, inner;
    int log;
} softmax_job;

static void softmax_line(const softmax_job *j, uint64_t line, float *row) {
    const uint64_t at = line / j->inner * j->n * j->inner + line % j->inner;
    if (j->inner == 1) {
        j->rows->softmax(j->y + at, j->x + at, (size_t)j->n, j->log);
        return;
    }
    for (uint64_t i = 0; i < j->n; i++)
        row[i] = j->x[at + i * j->inner];
    j->rows->softmax(row, row, (size_t)j->n, j->log);
    for (uint64_t i = 0; i < j->n; i++)
        j->y[at + i * j->inner] = row[i];
}

static void softmax_unit(uint32_t unit, unsigned thread, void *argument) {
    const softmax_job *j = argument;
    for (uint64_t i = unit * j->each; i < (unit + 1) * j->each && i < j->lines; i++)
        softmax_line(j, i, j->work ? j->work + thread * j->n : NULL);
}

ondol_status cpu_run_softmax(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    void *work = NULL;
    uint32_t axis = 0;
    softmax_job j = {.rows = cpu_rows_select(cpu_device_of(c->device)->isa),
                     .inner = 1,
                     .log = c->g->nodes[c->node].op == GRAPH_OP_LOG_SOFTMAX};
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err));
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), x->rank, &axis, err));
    for (uint32_t i = axis + 1; i < x->rank; i++)
        j.inner *= (uint64_t)x->dims[i];
    j.n = (uint64_t)x->dims[axis];
    j.lines = j.n ? x->elems / j.n : 0;
    if (j.inner > 1) {
        const unsigned threads = c->pool ? base_pool_thread_count(c->pool) : 1;
        TRY(tensor_heap_alloc(c->heap, j.n * threads * sizeof(float), "softmax", &work, err));
        j.work = work;
    }
    TRY(cpu_output_like(c, 0, x, &y, err));
    j.x = x->data;
    j.y = y->data;
    j.each = j.n ? 4096 / j.n + 1 : 1;
    if (j.lines) {
        plan_call_parallel(c, (uint32_t)((j.lines + j.each - 1) / j.each), softmax_unit, &j);
    }
done:
    tensor_heap_free(c->heap, work);
    return status;
}
