/* Rotary embedding, for any lanes. In: heads, cosines and sines. Out: rotated heads. */

/* One of a pair: (first, second) of n pairs, n <= 16. */
INLINE void rotate_pairs(float *dst, const float *x, const float *table, uint32_t half, uint32_t j,
                         uint32_t n) {
    const lanes a = lanes_load_part(x + j, n), b = lanes_load_part(x + half + j, n);
    const lanes c = lanes_load_part(table + j, n), s = lanes_load_part(table + half + j, n);
    lanes_store_part(dst + j, n, lanes_fnma(b, s, lanes_mul(a, c)));
    lanes_store_part(dst + half + j, n, lanes_fma(a, s, lanes_mul(b, c)));
}

static void rotate_halves(float *dst, const float *x, const float *table, uint32_t half) {
    uint32_t j = 0;
    for (; j + 16 <= half; j += 16)
        rotate_pairs(dst, x, table, half, j, 16);
    if (j < half) rotate_pairs(dst, x, table, half, j, half - j);
}

static void rotate_interleaved(float *dst, const float *x, const float *table, uint32_t half) {
    for (uint32_t j = 0; j < half; j++) {
        const float a = x[2 * j], b = x[2 * j + 1], c = table[j], s = table[half + j];
        dst[2 * j] = fmaf(-b, s, a * c);
        dst[2 * j + 1] = fmaf(a, s, b * c);
    }
}

static void rope(float *dst, size_t dst_stride, const float *x, size_t x_stride, const float *table,
                 size_t table_stride, uint32_t rows, uint32_t heads, uint32_t head_size, uint32_t r,
                 bool interleaved) {
    for (uint32_t row = 0; row < rows; row++) {
        const float *t = table + row * table_stride;
        for (uint32_t h = 0; h < heads; h++) {
            const float *src = x + row * x_stride + (size_t)h * head_size;
            float *y = dst + row * dst_stride + (size_t)h * head_size;
            if (interleaved) {
                rotate_interleaved(y, src, t, r / 2);
            } else {
                rotate_halves(y, src, t, r / 2);
            }
            if (y != src) memcpy(y + r, src + r, (head_size - r) * sizeof *y);
        }
    }
}
