/* exp and tanh of one number: the templates at one lane. */
#include "device/cpu/kernels.h"

#define LANE_COUNT 1
#include "device/cpu/lanes_scalar.h"
#include "device/cpu/exp_template.h"

float cpu_exp(float x) {
    return lanes_first(lanes_exp(lanes_all(x)));
}

float cpu_tanh(float x) {
    return lanes_first(lanes_tanh(lanes_all(x)));
}
