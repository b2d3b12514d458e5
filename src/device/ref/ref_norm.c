/* Norms. In: rows. Out: rows of unit size, times weight. */
#include "device/ref/ref_ops.h"

#include <math.h>

static double mean_square(const float *x, uint32_t n, double mean) {
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sum / n;
}

void ref_rms_norm(float *dst, size_t dst_stride, const float *x, size_t x_stride,
                  const float *weight, uint32_t rows, uint32_t groups, uint32_t n, float epsilon) {
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t g = 0; g < groups; g++) {
            const float *src = x + r * x_stride + (size_t)g * n;
            float *y = dst + r * dst_stride + (size_t)g * n;
            const double size = sqrt(mean_square(src, n, 0) + epsilon);
            for (uint32_t i = 0; i < n; i++)
                y[i] = (float)(src[i] / size * weight[i]);
        }
    }
}

void ref_layer_norm(float *dst, size_t dst_stride, const float *x, size_t x_stride,
                    const float *weight, const float *bias, uint32_t rows, uint32_t n,
                    float epsilon) {
    for (uint32_t r = 0; r < rows; r++) {
        const float *src = x + r * x_stride;
        float *y = dst + r * dst_stride;
        double mean = 0;
        for (uint32_t i = 0; i < n; i++)
            mean += src[i];
        mean /= n;
        const double size = sqrt(mean_square(src, n, mean) + epsilon);
        for (uint32_t i = 0; i < n; i++)
            y[i] = (float)((src[i] - mean) / size * weight[i] + (bias ? (double)bias[i] : 0));
    }
}
