/* Activations as int8 on NEON. In: f32 rows. Out: lines of 32 codes, as quantize_rows.c makes. */
#include "device/cpu/matmul_kernels.h"

#include <arm_neon.h>
#include <math.h>
#include <string.h>

enum { BLOCK = 32, VECTORS = 8 };

/* The bits of the largest magnitude of 32. */
static inline uint32_t largest_magnitude(const float32x4_t x[VECTORS]) {
    uint32x4_t most = vdupq_n_u32(0);
    for (int i = 0; i < VECTORS; i++)
        most = vmaxq_u32(most, vreinterpretq_u32_f32(vabsq_f32(x[i])));
    return vmaxvq_u32(most);
}

static inline void quantize_group(const float *src, cpu_activation_line *line) {
    float32x4_t x[VECTORS];
    for (int i = 0; i < VECTORS; i++)
        x[i] = vld1q_f32(src + 4 * i);
    const uint32_t bits = largest_magnitude(x);
    float most;
    memcpy(&most, &bits, sizeof most);
    const float inverse = 127.0f / most;
    if (!(isfinite(most) && isfinite(inverse))) {
        memset(line->codes, 0, sizeof line->codes);
        cpu_activation_finish(line, isfinite(most) ? 0.0f : NAN, 0, 0);
        return;
    }
    int16x8_t codes[VECTORS / 2];
    for (int i = 0; i < VECTORS / 2; i++) {
        const int32x4_t low = vcvtnq_s32_f32(vmulq_n_f32(x[2 * i], inverse));
        const int32x4_t high = vcvtnq_s32_f32(vmulq_n_f32(x[2 * i + 1], inverse));
        codes[i] = vcombine_s16(vmovn_s32(low), vmovn_s32(high));
    }
    for (int i = 0; i < VECTORS / 2; i += 2) {
        vst1q_s8(line->codes + 8 * i, vcombine_s8(vmovn_s16(codes[i]), vmovn_s16(codes[i + 1])));
    }
    cpu_activation_finish(line, most / 127.0f, vaddlvq_s16(vaddq_s16(codes[0], codes[1])),
                          vaddlvq_s16(vaddq_s16(codes[2], codes[3])));
}

void cpu_quantize_rows_neon(void *dst, const float *x, size_t x_stride, uint32_t rows,
                            uint32_t first_row, uint32_t end_row, uint64_t k) {
    for (uint32_t r = first_row; r < end_row; r++) {
        size_t step = 0;
        cpu_activation_line *line = cpu_activation_row_of(dst, rows, k, r, &step);
        const float *src = x + r * x_stride;
        for (uint64_t c = 0; c + BLOCK <= k; c += BLOCK, line += step)
            quantize_group(src + c, line);
        if (k % BLOCK) {
            float last[BLOCK] = {0};
            memcpy(last, src + k / BLOCK * BLOCK, k % BLOCK * sizeof *src);
            quantize_group(last, line);
        }
    }
}
