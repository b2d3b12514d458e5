/* Activation functions that nodes name in attributes: of RNN, GRU and LSTM, of fused operators. */
#ifndef DEVICE_REF_ACTIVATION_H
#define DEVICE_REF_ACTIVATION_H

#include <stdbool.h>
#include <stddef.h>

typedef struct ref_activation {
    double (*function)(double x, double alpha, double beta);
    double alpha, beta;
    unsigned parameters; /* 0, 1: alpha, 2: alpha and beta; the others are not looked at */
} ref_activation;

/* The activation of that name, in any case of letters: Relu, Tanh, Sigmoid, Affine, LeakyRelu,
 * ThresholdedRelu, ScaledTanh, HardSigmoid, Elu, Softsign, Softplus; with the parameters that its
 * operator has without attributes. False: there is none. Source: ONNX LSTM-22. */
bool ref_activation_find(const char *name, size_t name_bytes, ref_activation *out);

static inline double ref_activate(const ref_activation *a, double x) {
    return a->function(x, a->alpha, a->beta);
}

#endif
