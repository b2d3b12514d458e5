/* Rotary embedding. In: positions, frequencies. Out: cosines and sines; heads rotated by them. */
#include "device/ref/ref_ops.h"

#include <math.h>
#include <string.h>

void ref_rotary_table(float *dst, size_t dst_stride, const int32_t *positions,
                      const int32_t *regimes, const double *frequencies, uint32_t rows, uint32_t r,
                      float magnitude) {
    const uint32_t half = r / 2;
    for (uint32_t row = 0; row < rows; row++) {
        float *y = dst + row * dst_stride;
        const double *f = frequencies + (size_t)regimes[row] * half;
        for (uint32_t j = 0; j < half; j++) {
            const double angle = positions[row] * f[j];
            y[j] = (float)(cos(angle) * magnitude);
            y[half + j] = (float)(sin(angle) * magnitude);
        }
    }
}

static void rotate(float *dst, const float *x, const float *table, uint32_t r, bool interleaved) {
    const uint32_t half = r / 2;
    for (uint32_t j = 0; j < half; j++) {
        const uint32_t first = interleaved ? 2 * j : j, second = interleaved ? first + 1 : j + half;
        const double a = x[first], b = x[second], c = table[j], s = table[half + j];
        dst[first] = (float)(a * c - b * s);
        dst[second] = (float)(a * s + b * c);
    }
}

void ref_rope(float *dst, size_t dst_stride, const float *x, size_t x_stride, const float *table,
              size_t table_stride, uint32_t rows, uint32_t heads, uint32_t head_size, uint32_t r,
              bool interleaved) {
    for (uint32_t row = 0; row < rows; row++) {
        for (uint32_t h = 0; h < heads; h++) {
            const float *src = x + row * x_stride + (size_t)h * head_size;
            float *y = dst + row * dst_stride + (size_t)h * head_size;
            rotate(y, src, table + row * table_stride, r, interleaved);
            memmove(y + r, src + r, (head_size - r) * sizeof *y);
        }
    }
}
