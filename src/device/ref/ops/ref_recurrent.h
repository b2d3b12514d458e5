/* RNN, GRU and LSTM: what they have in common, and a step of each. */
#ifndef DEVICE_REF_RECURRENT_H
#define DEVICE_REF_RECURRENT_H

#include "device/ref/ops/ref_activation.h"
#include "device/ref/ops/ref_neural.h"

/* W [directions, gates * hidden, inputs], R [directions, gates * hidden, hidden], B [directions,
 * 2 * gates * hidden], P [directions, 3 * hidden]; all as doubles. */
typedef struct ref_recurrent {
    graph_op op;
    uint64_t gates; /* 1, 3 (z r h), 4 (i o f c) */
    uint64_t length, batch, inputs, hidden, directions;
    bool is_batch_first, is_reverse; /* is_reverse: the one direction there is */
    double *x, *w, *r, *b, *p;       /* p: NULL: without peepholes */
    int64_t *lengths;                /* [batch] */
    ref_activation f[2][3];          /* of each direction: f, g, h */
    double clip;                     /* INFINITY: none */
    bool linear_before_reset, input_forget;
    double *h, *c;               /* states [directions, batch, hidden]; c: of LSTM alone */
    double *work;                /* [directions * batch][gates * hidden] */
    double *codes;               /* [directions * batch][hidden]: of ..._by_codes alone */
    tensor_value *y, *y_h, *y_c; /* NULL: nobody wants it */
} ref_recurrent;

/* One step of one direction: x [inputs], states h and c [hidden] changed, work [gates * hidden]. */
void ref_recurrent_step(const ref_recurrent *j, uint64_t direction, const double *x, double *h,
                        double *c, double *work);

/* An LSTM whose inputs and states go through codes of uint8 in front of the products; its inputs
 * are those of LSTM. */
ondol_status ref_recurrent_lstm_by_codes(plan_call *c, ondol_error *err);

#endif
