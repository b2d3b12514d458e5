/* Matrix multiplication by weights as the file has them. In: blocks, rows of f32 or of codes. Out:
 * y = x W^T + bias. */
#include "device/ref/ref_ops.h"

#include <math.h>
#include <string.h>

enum { GROUP = REF_ACTIVATION_GROUP };

static uint64_t groups_of(uint64_t k) {
    return (k + GROUP - 1) / GROUP;
}

static uint64_t row_bytes_of(uint64_t k) {
    return groups_of(k) * sizeof(float) + (k + 3) / 4 * 4;
}

void ref_matmul(float *y, size_t y_stride, const tensor_matrix *w, uint64_t first, uint64_t end,
                const float *x, size_t x_stride, uint32_t rows, const float *bias, float *work) {
    for (uint64_t i = first; i < end; i++) {
        tensor_matrix_decode_row(w, i, work);
        for (uint32_t t = 0; t < rows; t++) {
            const float *src = x + t * x_stride;
            double sum = 0;
            for (uint64_t c = 0; c < w->columns; c++)
                sum += (double)src[c] * work[c];
            y[t * y_stride + i] = (float)(bias ? sum + bias[i] : sum);
        }
    }
}

uint64_t ref_activation_bytes(uint64_t rows, uint64_t k) {
    return rows * row_bytes_of(k);
}

static void quantize_group(const float *x, uint64_t count, float *scale, int8_t *codes) {
    float most = 0;
    bool finite = true;
    for (uint64_t i = 0; i < count; i++) {
        finite = finite && isfinite(x[i]);
        most = fmaxf(most, fabsf(x[i]));
    }
    const float inverse = 127.0f / most;
    const bool plain = finite && isfinite(inverse);
    *scale = plain ? most / 127.0f : finite ? 0.0f : NAN;
    for (uint64_t i = 0; i < count; i++) {
        const float product = x[i] * inverse;
        codes[i] = (int8_t)(plain ? nearbyintf(product) : 0.0f);
    }
}

void ref_quantize_rows(void *dst, const float *x, size_t x_stride, uint32_t first_row,
                       uint32_t end_row, uint64_t k) {
    for (uint32_t r = first_row; r < end_row; r++) {
        char *row = (char *)dst + r * row_bytes_of(k);
        float *scales = (float *)(void *)row;
        int8_t *codes = (int8_t *)(row + groups_of(k) * sizeof *scales);
        for (uint64_t c = 0; c < k; c += GROUP) {
            const uint64_t count = k - c < GROUP ? k - c : GROUP;
            quantize_group(x + r * x_stride + c, count, scales + c / GROUP, codes + c);
        }
    }
}

void ref_matmul_planned(float *y, size_t y_stride, const tensor_matrix *w, uint64_t first,
                        uint64_t end, const void *quantised, uint32_t rows, const float *bias,
                        float *work) {
    for (uint64_t i = first; i < end; i++) {
        tensor_matrix_decode_row(w, i, work);
        for (uint32_t t = 0; t < rows; t++) {
            const char *row = (const char *)quantised + t * row_bytes_of(w->columns);
            const float *scales = (const float *)(const void *)row;
            const int8_t *codes = (const int8_t *)(row + groups_of(w->columns) * sizeof *scales);
            double sum = 0;
            for (uint64_t c = 0; c < w->columns; c++)
                sum += (double)codes[c] * scales[c / GROUP] * work[c];
            y[t * y_stride + i] = (float)(bias ? sum + bias[i] : sum);
        }
    }
}
