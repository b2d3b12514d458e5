/* Norms, for any lanes. In: rows. Out: rows of unit size, times weight. */

static void rms_norm_run(float *dst, const float *x, const float *weight, uint32_t n,
                         float epsilon) {
    const uint32_t whole = n / 16 * 16;
    lanes squares = lanes_all(0);
    for (uint32_t i = 0; i < whole; i += 16) {
        const lanes v = lanes_load(x + i);
        squares = lanes_fma(v, v, squares);
    }
    if (whole < n) {
        const lanes v = lanes_load_part(x + whole, n - whole);
        squares = lanes_fma(v, v, squares);
    }
    const lanes inverse = lanes_all(1.0f / sqrtf(lanes_sum(squares) / (float)n + epsilon));
    for (uint32_t i = 0; i < whole; i += 16) {
        const lanes v = lanes_mul(lanes_load(x + i), inverse);
        lanes_store(dst + i, lanes_mul(v, lanes_load(weight + i)));
    }
    if (whole < n) {
        const lanes v = lanes_mul(lanes_load_part(x + whole, n - whole), inverse);
        const lanes w = lanes_load_part(weight + whole, n - whole);
        lanes_store_part(dst + whole, n - whole, lanes_mul(v, w));
    }
}

static void rms_norm(float *dst, size_t dst_stride, const float *x, size_t x_stride,
                     const float *weight, uint32_t rows, uint32_t groups, uint32_t n,
                     float epsilon) {
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t g = 0; g < groups; g++) {
            const size_t first = (size_t)g * n;
            rms_norm_run(dst + r * dst_stride + first, x + r * x_stride + first, weight, n,
                         epsilon);
        }
    }
}

static float row_mean(const float *x, uint32_t n) {
    const uint32_t whole = n / 16 * 16;
    lanes sums = lanes_all(0);
    for (uint32_t i = 0; i < whole; i += 16)
        sums = lanes_add(sums, lanes_load(x + i));
    if (whole < n) sums = lanes_add(sums, lanes_load_part(x + whole, n - whole));
    return lanes_sum(sums) / (float)n;
}

static float row_variance(const float *x, uint32_t n, float mean) {
    const uint32_t whole = n / 16 * 16;
    const lanes means = lanes_all(mean);
    lanes squares = lanes_all(0);
    for (uint32_t i = 0; i < whole; i += 16) {
        const lanes v = lanes_sub(lanes_load(x + i), means);
        squares = lanes_fma(v, v, squares);
    }
    if (whole < n) {
        lanes v = lanes_sub(lanes_load_part(x + whole, n - whole), means);
        v = lanes_range(v, 0, n - whole, lanes_all(0));
        squares = lanes_fma(v, v, squares);
    }
    return lanes_sum(squares) / (float)n;
}

static void layer_norm_row(float *dst, const float *x, const float *weight, const float *bias,
                           uint32_t n, float epsilon) {
    const float mean = row_mean(x, n);
    const lanes means = lanes_all(mean);
    const lanes inverse = lanes_all(1.0f / sqrtf(row_variance(x, n, mean) + epsilon));
    const uint32_t whole = n / 16 * 16;
    for (uint32_t i = 0; i < whole; i += 16) {
        const lanes v = lanes_mul(lanes_sub(lanes_load(x + i), means), inverse);
        const lanes b = bias ? lanes_load(bias + i) : lanes_all(0);
        lanes_store(dst + i, lanes_fma(v, lanes_load(weight + i), b));
    }
    if (whole < n) {
        const uint32_t rest = n - whole;
        const lanes v = lanes_mul(lanes_sub(lanes_load_part(x + whole, rest), means), inverse);
        const lanes b = bias ? lanes_load_part(bias + whole, rest) : lanes_all(0);
        lanes_store_part(dst + whole, rest, lanes_fma(v, lanes_load_part(weight + whole, rest), b));
    }
}

static void layer_norm(float *dst, size_t dst_stride, const float *x, size_t x_stride,
                       const float *weight, const float *bias, uint32_t rows, uint32_t n,
                       float epsilon) {
    for (uint32_t r = 0; r < rows; r++)
        layer_norm_row(dst + r * dst_stride, x + r * x_stride, weight, bias, n, epsilon);
}
