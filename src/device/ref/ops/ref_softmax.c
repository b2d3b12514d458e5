/* Softmax. In: a line of numbers. Out: their shares. */
#include "device/ref/ops/ref_softmax.h"

#include <math.h>

#include "device/ref/ops/ref_number.h"

#define RUN 8u

/* The sum of x, each partial sum rounded to e: runs one after the other, then runs of as many runs
 * in pairs, so that a long line does not stand still. */
static double rounded_sum(tensor_element e, const double *x, uint64_t count) {
    double sums[64], total = 0; /* sums[i]: of 2^i runs, where bit i of `runs` is set */
    uint64_t runs = 0;
    for (uint64_t first = 0; first < count; first += RUN, runs++) {
        const uint64_t end = count - first < RUN ? count : first + RUN;
        double sum = x[first];
        for (uint64_t i = first + 1; i < end; i++)
            sum = ref_round_to(e, sum + x[i]);
        uint32_t level = 0;
        for (; runs >> level & 1; level++)
            sum = ref_round_to(e, sums[level] + sum);
        sums[level] = sum;
    }
    for (uint32_t level = 0; runs >> level; level++) {
        if (runs >> level & 1) total = ref_round_to(e, sums[level] + total);
    }
    return total;
}

static double plain_sum(const double *x, uint64_t count) {
    double sum = 0;
    for (uint64_t i = 0; i < count; i++)
        sum += x[i];
    return sum;
}

void ref_softmax_line(tensor_element e, double *x, uint64_t count) {
    const bool is_half = e == TENSOR_ELEMENT_F16 || e == TENSOR_ELEMENT_BF16;
    double largest = -INFINITY;
    for (uint64_t i = 0; i < count; i++) {
        if (x[i] > largest || isnan(x[i])) largest = x[i];
    }
    for (uint64_t i = 0; i < count; i++) {
        const double v = x[i] - largest;
        x[i] = is_half ? ref_round_to(e, exp(ref_round_to(e, v))) : exp(v);
    }
    double sum = e == TENSOR_ELEMENT_BF16 ? rounded_sum(e, x, count) : plain_sum(x, count);
    if (is_half) sum = ref_round_to(e, sum);
    for (uint64_t i = 0; i < count; i++)
        x[i] = is_half ? ref_round_to(e, x[i] / sum) : x[i] / sum;
}
