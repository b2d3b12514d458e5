/* Inside of the CPU's recurrent operators: weights made ready, and one direction of a run. */
#ifndef DEVICE_CPU_OPS_RECURRENT_JOB_H
#define DEVICE_CPU_OPS_RECURRENT_JOB_H

#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/rows.h"

typedef struct recurrent_state {
    graph_op op;
    uint64_t hidden, inputs, gates; /* gates: of hidden numbers each */
    uint32_t directions;
    cpu_unary activation[2]; /* RNN: of each direction */
    bool resets_late;        /* GRU's linear_before_reset */
    cpu_packed w[2], r[2];
    cpu_packed reset[2]; /* GRU that resets early: R of the hidden gate, r the two others */
    void *memory[6];
} recurrent_state;

/* One direction under way. Gates lie as W has them. */
typedef struct recurrent_job {
    const plan_call *c;
    const recurrent_state *s;
    const cpu_rows *rows;
    uint32_t index;
    bool backwards;
    uint64_t steps, batch;
    const float *x;
    float *y;                /* [steps][directions][batch][hidden], or NULL */
    float *h, *cell;         /* [batch][hidden], states and results; cell: LSTM's */
    float *inputs;           /* [steps * batch][gates * hidden]: products with W, and the biases */
    float *products;         /* [batch][gates * hidden]: with R */
    float *reset;            /* [batch][hidden] */
    float *bias, *late_bias; /* [gates * hidden]: added to the products with W, and with R */
} recurrent_job;

/* One step: h, and cell, from j->products and from_x, the step's part of j->inputs. */
typedef void (*recurrent_step)(const recurrent_job *j, const float *from_x);
recurrent_step recurrent_step_of(graph_op op);

#endif
