/* Steps of recurrent operators. In: products with W and R. Out: the next state. Source: ONNX
 * operators LSTM-22, GRU-22, RNN-22. */
#include "device/cpu/ops/cpu_recurrent_job.h"

/* Gates: input, output, forget, cell. */
static void step_lstm(const recurrent_job *j, const float *from_x) {
    const size_t h = (size_t)j->s->hidden;
    for (uint64_t b = 0; b < j->batch; b++) {
        float *g = j->products + b * 4 * h, *cell = j->cell + b * h, *out = j->h + b * h;
        j->rows->binary(CPU_BINARY_ADD, g, g, 1, from_x + b * 4 * h, 1, 4 * h);
        j->rows->unary(CPU_UNARY_SIGMOID, g, g, 3 * h, 0, 0);
        j->rows->unary(CPU_UNARY_TANH, g + 3 * h, g + 3 * h, h, 0, 0);
        j->rows->binary(CPU_BINARY_MUL, cell, cell, 1, g + 2 * h, 1, h);
        j->rows->multiply_add(cell, g, g + 3 * h, h);
        j->rows->unary(CPU_UNARY_TANH, out, cell, h, 0, 0);
        j->rows->binary(CPU_BINARY_MUL, out, out, 1, g + h, 1, h);
    }
}

/* The hidden gate's product with R: of the state, scaled by r, or of the state that r has scaled.
 */
static void reset(const recurrent_job *j) {
    const size_t h = (size_t)j->s->hidden;
    for (uint64_t b = 0; b < j->batch; b++) {
        float *g = j->products + b * 3 * h;
        if (j->s->resets_late)
            j->rows->binary(CPU_BINARY_MUL, g + 2 * h, g + 2 * h, 1, g + h, 1, h);
        else
            j->rows->binary(CPU_BINARY_MUL, j->reset + b * h, j->h + b * h, 1, g + h, 1, h);
    }
    if (j->s->resets_late) return;
    const cpu_gemm_call call = {j->s->reset + j->index, j->reset, h,   j->batch,
                                j->products + 2 * h,    3 * h,    NULL};
    cpu_gemm_run(j->c->pool, &call);
}

/* Gates: update z, reset r, hidden. */
static void step_gru(const recurrent_job *j, const float *from_x) {
    const size_t h = (size_t)j->s->hidden;
    for (uint64_t b = 0; b < j->batch; b++) {
        float *g = j->products + b * 3 * h;
        j->rows->binary(CPU_BINARY_ADD, g, g, 1, from_x + b * 3 * h, 1, 2 * h);
        j->rows->unary(CPU_UNARY_SIGMOID, g, g, 2 * h, 0, 0);
    }
    reset(j);
    for (uint64_t b = 0; b < j->batch; b++) {
        float *z = j->products + b * 3 * h, *now = z + 2 * h, *out = j->h + b * h;
        j->rows->binary(CPU_BINARY_ADD, now, now, 1, from_x + b * 3 * h + 2 * h, 1, h);
        j->rows->unary(CPU_UNARY_TANH, now, now, h, 0, 0);
        /* now + z (before - now) */
        j->rows->binary(CPU_BINARY_SUB, out, out, 1, now, 1, h);
        j->rows->multiply_add(now, z, out, h);
        j->rows->unary(CPU_UNARY_COPY, out, now, h, 0, 0);
    }
}

static void step_rnn(const recurrent_job *j, const float *from_x) {
    const size_t n = (size_t)(j->s->hidden * j->batch);
    j->rows->binary(CPU_BINARY_ADD, j->h, j->products, 1, from_x, 1, n);
    j->rows->unary(j->s->activation[j->index], j->h, j->h, n, 0, 0);
}

recurrent_step recurrent_step_of(graph_op op) {
    return op == GRAPH_OP_LSTM ? step_lstm : op == GRAPH_OP_GRU ? step_gru : step_rnn;
}
