/* Logits -> log-probabilities. */
#include <float.h>
#include <math.h>

#include "base/exact_math.h"
#include "generate/sampler.h"

static double value_of(float logit) {
    if (isnan(logit)) return -HUGE_VAL;
    return logit < FLT_MAX ? (double)logit : (double)FLT_MAX;
}

void generate_log_softmax(const float *logits, size_t n, float *out) {
    double maximum = -HUGE_VAL, sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double x = value_of(logits[i]);
        if (x > maximum) maximum = x;
    }
    const double shift = maximum > -HUGE_VAL ? maximum : 0;
    for (size_t i = 0; i < n; i++)
        sum += base_exp(value_of(logits[i]) - shift);
    const double log_sum = maximum > -HUGE_VAL ? base_log(sum) : 0;
    for (size_t i = 0; i < n; i++)
        out[i] = (float)((value_of(logits[i]) - shift) - log_sum);
}
