/* Activation functions by name. In: a name. Out: the function, with its parameters. */
#include "device/ref/ops/ref_activation.h"

#include <math.h>
#include <string.h>

#define ACTIVATION(name, value)                                                                    \
    static double name(double x, double alpha, double beta) {                                      \
        (void)alpha;                                                                               \
        (void)beta;                                                                                \
        return value;                                                                              \
    }
/* Comparisons that are false for NaN leave it as it is. */
ACTIVATION(relu, x < 0 ? 0 : x)
ACTIVATION(hyperbolic, tanh(x))
ACTIVATION(sigmoid, x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)))
ACTIVATION(affine, alpha *x + beta)
ACTIVATION(leaky_relu, x < 0 ? alpha * x : x)
ACTIVATION(thresholded_relu, x <= alpha ? 0 : x)
ACTIVATION(scaled_tanh, alpha *tanh(beta *x))
ACTIVATION(hard_sigmoid, alpha *x + beta < 0 ? 0 : alpha * x + beta > 1 ? 1 : alpha * x + beta)
ACTIVATION(elu, x < 0 ? alpha * expm1(x) : x)
ACTIVATION(softsign, x / (1 + fabs(x)))
ACTIVATION(softplus, x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)))

typedef struct activation_row {
    const char *name; /* in small letters */
    ref_activation activation;
} activation_row;

static const activation_row ROWS[] = {
    {"relu", {relu, 0, 0, 0}},
    {"tanh", {hyperbolic, 0, 0, 0}},
    {"sigmoid", {sigmoid, 0, 0, 0}},
    {"affine", {affine, 1, 0, 2}},
    {"leakyrelu", {leaky_relu, 0.01, 0, 1}},
    {"thresholdedrelu", {thresholded_relu, 1, 0, 1}},
    {"scaledtanh", {scaled_tanh, 1, 1, 2}},
    {"hardsigmoid", {hard_sigmoid, 0.2, 0.5, 2}},
    {"elu", {elu, 1, 0, 1}},
    {"softsign", {softsign, 0, 0, 0}},
    {"softplus", {softplus, 0, 0, 0}},
};

static bool is_name(const char *small, const char *name, size_t name_bytes) {
    if (strlen(small) != name_bytes) return false;
    for (size_t i = 0; i < name_bytes; i++) {
        const char c = name[i];
        if ((c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c) != small[i]) return false;
    }
    return true;
}

bool ref_activation_find(const char *name, size_t name_bytes, ref_activation *out) {
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        if (!is_name(ROWS[i].name, name, name_bytes)) continue;
        *out = ROWS[i].activation;
        return true;
    }
    return false;
}
