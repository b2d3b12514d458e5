/* Kernels of rows, for any lanes. In: rows. Out: rows, or a number of each. A lanes_*.h and
 * exp_template.h come first; ROWS_NAME and ROWS_ISA say which table is made. Plain loops are left
 * to the compiler, which rounds as they say. */

/* 3 sums of a few ulp; as in Cephes' logf. Own, so that it is the same everywhere. */
INLINE float row_log(float x) {
    const int tiny = x < 0x1p-126f;
    const uint32_t bits = tensor_f32_bits(tiny ? x * 0x1p23f : x);
    const uint32_t shifted = bits - 0x3f3504f3u; /* sqrt(1/2) */
    const float e = (float)((int32_t)shifted >> 23) - (tiny ? 23.0f : 0.0f);
    const float m = tensor_f32_from_bits((shifted & 0x7fffffu) + 0x3f3504f3u) - 1.0f;
    const float z = m * m;
    float p = 7.0376836292e-2f;
    p = fmaf(p, m, -1.1514610310e-1f);
    p = fmaf(p, m, 1.1676998740e-1f);
    p = fmaf(p, m, -1.2420140846e-1f);
    p = fmaf(p, m, 1.4249322787e-1f);
    p = fmaf(p, m, -1.6668057665e-1f);
    p = fmaf(p, m, 2.0000714765e-1f);
    p = fmaf(p, m, -2.4999993993e-1f);
    p = fmaf(p, m, 3.3333331174e-1f);
    float y = m * z * p;
    y = fmaf(e, -2.12194440e-4f, y);
    y = fmaf(-0.5f, z, y);
    const float r = fmaf(e, 0.693359375f, m + y);
    return x > 0 ? (x < INFINITY ? r : x) : x == 0 ? -INFINITY : NAN;
}

#define SIMPLE(expression)                                                                         \
    for (size_t i = 0; i < n; i++) {                                                               \
        const float v = x[i];                                                                      \
        dst[i] = (expression);                                                                     \
    }                                                                                              \
    break

#define BY_LANES(expression)                                                                       \
    for (size_t i = 0; i < n; i += 16) {                                                           \
        const size_t left = n - i;                                                                 \
        const lanes v = left < 16 ? lanes_load_part(x + i, left) : lanes_load(x + i);              \
        const lanes y = (expression);                                                              \
        if (left < 16)                                                                             \
            lanes_store_part(dst + i, left, y);                                                    \
        else                                                                                       \
            lanes_store(dst + i, y);                                                               \
    }                                                                                              \
    break

INLINE lanes lanes_sigmoid(lanes x) {
    const lanes e = lanes_exp(lanes_sub(lanes_all(0.0f), x));
    return lanes_div(lanes_all(1.0f), lanes_add(lanes_all(1.0f), e));
}

/* Clips, and keeps NaN. */
INLINE lanes lanes_clip(lanes x, lanes low, lanes high) {
    return lanes_min(high, lanes_max(low, x));
}

static void unary(cpu_unary op, float *dst, const float *x, size_t n, float alpha, float beta) {
    const lanes a = lanes_all(alpha), b = lanes_all(beta), zero = lanes_all(0.0f);
    const lanes one = lanes_all(1.0f);
    switch (op) {
    case CPU_UNARY_COPY:
        if (dst != x) memcpy(dst, x, n * sizeof *dst);
        break;
    case CPU_UNARY_ABS: SIMPLE(fabsf(v));
    case CPU_UNARY_NEG: SIMPLE(-v);
    case CPU_UNARY_SQRT: BY_LANES(lanes_sqrt(v));
    case CPU_UNARY_RECIPROCAL: SIMPLE(1.0f / v);
    case CPU_UNARY_FLOOR: BY_LANES(lanes_floor(v));
    case CPU_UNARY_CEIL: BY_LANES(lanes_ceil(v));
    case CPU_UNARY_ROUND: BY_LANES(lanes_round(v));
    case CPU_UNARY_SQUARE: SIMPLE(v * v);
    case CPU_UNARY_RELU: BY_LANES(lanes_max(zero, v));
    case CPU_UNARY_CLIP: BY_LANES(lanes_clip(v, a, b));
    case CPU_UNARY_LEAKY_RELU: SIMPLE(v < 0 ? v * alpha : v);
    case CPU_UNARY_HARD_SIGMOID: BY_LANES(lanes_clip(lanes_add(lanes_mul(v, a), b), zero, one));
    case CPU_UNARY_HARD_SWISH:
        BY_LANES(lanes_mul(
            v, lanes_clip(lanes_add(lanes_mul(v, lanes_all(1.0f / 6.0f)), lanes_all(0.5f)), zero,
                          one)));
    case CPU_UNARY_EXP: BY_LANES(lanes_exp(v));
    case CPU_UNARY_TANH: BY_LANES(lanes_tanh(v));
    case CPU_UNARY_SIGMOID: BY_LANES(lanes_sigmoid(v));
    case CPU_UNARY_SWISH: BY_LANES(lanes_mul(v, lanes_sigmoid(lanes_mul(v, a))));
    case CPU_UNARY_ERF: BY_LANES(lanes_erf(v));
    case CPU_UNARY_GELU: BY_LANES(lanes_gelu_erf(v));
    case CPU_UNARY_GELU_TANH: BY_LANES(lanes_gelu_tanh(v));
    case CPU_UNARY_LOG: SIMPLE(row_log(v));
    case CPU_UNARY_SOFTPLUS: SIMPLE((v > 0 ? v : 0.0f) + log1pf(expf(-fabsf(v))));
    case CPU_UNARY_ELU: SIMPLE(v < 0 ? alpha * expm1f(v) : v);
    case CPU_UNARY_SIN: SIMPLE(sinf(v));
    case CPU_UNARY_COS: SIMPLE(cosf(v));
    case CPU_UNARY_COUNT: break;
    }
}
#undef SIMPLE
#undef BY_LANES

/* Each of the three ways that operands step, so that the compiler makes vectors of each. */
#define EACH_PAIR(expression)                                                                      \
    if (a_step && b_step) {                                                                        \
        for (size_t i = 0; i < n; i++) {                                                           \
            const float u = a[i], v = b[i];                                                        \
            dst[i] = (expression);                                                                 \
        }                                                                                          \
    } else if (a_step) {                                                                           \
        const float v = *b;                                                                        \
        for (size_t i = 0; i < n; i++) {                                                           \
            const float u = a[i];                                                                  \
            dst[i] = (expression);                                                                 \
        }                                                                                          \
    } else {                                                                                       \
        const float u = *a;                                                                        \
        for (size_t i = 0; i < n; i++) {                                                           \
            const float v = b[i * b_step];                                                         \
            dst[i] = (expression);                                                                 \
        }                                                                                          \
    }                                                                                              \
    break

static void binary(cpu_binary op, float *dst, const float *a, size_t a_step, const float *b,
                   size_t b_step, size_t n) {
    switch (op) {
    case CPU_BINARY_ADD: EACH_PAIR(u + v);
    case CPU_BINARY_SUB: EACH_PAIR(u - v);
    case CPU_BINARY_MUL: EACH_PAIR(u * v);
    case CPU_BINARY_DIV: EACH_PAIR(u / v);
    case CPU_BINARY_MAX: EACH_PAIR(u > v || u != u ? u : v);
    case CPU_BINARY_MIN: EACH_PAIR(u < v || u != u ? u : v);
    case CPU_BINARY_PRELU: EACH_PAIR(u < 0 ? u * v : u);
    case CPU_BINARY_POW:
        if (!b_step && *b == 2.0f) {
            for (size_t i = 0; i < n; i++)
                dst[i] = a[i * a_step] * a[i * a_step];
        } else if (!b_step && *b == 0.5f) {
            for (size_t i = 0; i < n; i++)
                dst[i] = a[i * a_step] == -INFINITY ? INFINITY : sqrtf(a[i * a_step] + 0.0f);
        } else {
            for (size_t i = 0; i < n; i++)
                dst[i] = powf(a[i * a_step], b[i * b_step]);
        }
        break;
    case CPU_BINARY_COUNT: break;
    }
}
#undef EACH_PAIR

INLINE lanes sum_with(cpu_reduction op, lanes total, lanes v) {
    switch (op) {
    case CPU_REDUCTION_SQUARES: return lanes_fma(v, v, total);
    case CPU_REDUCTION_ABS: return lanes_add(total, lanes_abs(v));
    default: return lanes_add(total, v);
    }
}

/* Four sets of lanes, so that additions need not wait for one another: element i goes to set
 * i / 16 % 4; the sets are added in order. */
INLINE float reduce_sum(cpu_reduction op, const float *x, size_t n) {
    lanes sums[4] = {lanes_all(0.0f), lanes_all(0.0f), lanes_all(0.0f), lanes_all(0.0f)};
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        UNROLL for (unsigned s = 0; s < 4; s++) sums[s] =
            sum_with(op, sums[s], lanes_load(x + i + 16 * s));
    }
    for (unsigned s = 0; i < n; i += 16, s++) {
        const lanes v = n - i < 16 ? lanes_load_part(x + i, n - i) : lanes_load(x + i);
        sums[s] = sum_with(op, sums[s], v);
    }
    return lanes_sum(lanes_add(lanes_add(sums[0], sums[1]), lanes_add(sums[2], sums[3])));
}

/* 16 running extremes, so that none waits for the one before it. A NaN stays once it is there. */
#define EXTREME(better)                                                                            \
    do {                                                                                           \
        float best[16];                                                                            \
        for (unsigned l = 0; l < 16; l++)                                                          \
            best[l] = x[0];                                                                        \
        size_t i = 0;                                                                              \
        for (; i + 16 <= n; i += 16) {                                                             \
            float now[16], v[16];                                                                  \
            memcpy(now, best, sizeof now);                                                         \
            memcpy(v, x + i, sizeof v);                                                            \
            for (unsigned l = 0; l < 16; l++)                                                      \
                now[l] = v[l] better now[l] || v[l] != v[l] ? v[l] : now[l];                       \
            memcpy(best, now, sizeof best);                                                        \
        }                                                                                          \
        for (; i < n; i++)                                                                         \
            best[0] = x[i] better best[0] || x[i] != x[i] ? x[i] : best[0];                        \
        for (unsigned l = 1; l < 16; l++)                                                          \
            best[0] = best[l] better best[0] || best[l] != best[l] ? best[l] : best[0];            \
        return best[0];                                                                            \
    } while (0)

static float reduce(cpu_reduction op, const float *x, size_t n) {
    switch (op) {
    case CPU_REDUCTION_SQUARES: return reduce_sum(CPU_REDUCTION_SQUARES, x, n);
    case CPU_REDUCTION_ABS: return reduce_sum(CPU_REDUCTION_ABS, x, n);
    case CPU_REDUCTION_MAX: EXTREME(>);
    case CPU_REDUCTION_MIN: EXTREME(<);
    default: return reduce_sum(CPU_REDUCTION_SUM, x, n);
    }
}
#undef EXTREME

/* Element by element; 16 at a time, without a branch. */
#define EXTREMES(better)                                                                           \
    do {                                                                                           \
        size_t i = 0;                                                                              \
        for (; i + 16 <= n; i += 16) {                                                             \
            float most[16], v[16];                                                                 \
            memcpy(most, total + i, sizeof most);                                                  \
            memcpy(v, x + i, sizeof v);                                                            \
            for (unsigned l = 0; l < 16; l++)                                                      \
                most[l] = v[l] better most[l] || v[l] != v[l] ? v[l] : most[l];                    \
            memcpy(total + i, most, sizeof most);                                                  \
        }                                                                                          \
        for (; i < n; i++)                                                                         \
            total[i] = x[i] better total[i] || x[i] != x[i] ? x[i] : total[i];                     \
    } while (0)

static void accumulate(cpu_reduction op, float *total, const float *x, size_t n) {
    switch (op) {
    case CPU_REDUCTION_SUM:
        for (size_t i = 0; i < n; i++)
            total[i] += x[i];
        break;
    case CPU_REDUCTION_SQUARES:
        for (size_t i = 0; i < n; i++)
            total[i] = fmaf(x[i], x[i], total[i]);
        break;
    case CPU_REDUCTION_ABS:
        for (size_t i = 0; i < n; i++)
            total[i] += fabsf(x[i]);
        break;
    case CPU_REDUCTION_MAX: EXTREMES(>); break;
    case CPU_REDUCTION_MIN: EXTREMES(<); break;
    }
}
#undef EXTREMES

/* The largest of x; any number where there is a NaN, which e^x carries on. */
INLINE float softmax_shift(const float *x, size_t n) {
    lanes most[4] = {lanes_all(x[0]), lanes_all(x[0]), lanes_all(x[0]), lanes_all(x[0])};
    float each[16], found = x[0];
    size_t i = 0;
    for (; i + 64 <= n; i += 64)
        UNROLL for (unsigned s = 0; s < 4; s++) most[s] =
            lanes_max(most[s], lanes_load(x + i + 16 * s));
    for (; i + 16 <= n; i += 16)
        most[0] = lanes_max(most[0], lanes_load(x + i));
    lanes_store(each, lanes_max(lanes_max(most[0], most[1]), lanes_max(most[2], most[3])));
    for (unsigned l = 0; l < 16; l++)
        found = found > each[l] ? found : each[l];
    for (; i < n; i++)
        found = found > x[i] ? found : x[i];
    return found;
}

static void softmax(float *dst, const float *x, size_t n, int take_log) {
    const float most = softmax_shift(x, n);
    const lanes shift = lanes_all(most);
    lanes sums = lanes_all(0.0f);
    for (size_t i = 0; i < n; i += 16) {
        const size_t left = n - i;
        if (left < 16) {
            lanes e = lanes_exp(lanes_sub(lanes_load_part(x + i, left), shift));
            e = lanes_range(e, 0, (unsigned)left, lanes_all(0.0f));
            sums = lanes_add(sums, e);
            if (!take_log) lanes_store_part(dst + i, left, e);
        } else {
            const lanes e = lanes_exp(lanes_sub(lanes_load(x + i), shift));
            sums = lanes_add(sums, e);
            if (!take_log) lanes_store(dst + i, e);
        }
    }
    const float sum = lanes_sum(sums), log_sum = row_log(sum);
    if (take_log) {
        for (size_t i = 0; i < n; i++)
            dst[i] = (x[i] - most) - log_sum;
    } else {
        const float inverse = 1.0f / sum;
        for (size_t i = 0; i < n; i++)
            dst[i] *= inverse;
    }
}

#define DEPTHWISE_PIXELS 4

/* `count` pixels, `left` channels of 16. */
INLINE void depthwise_tile(float *dst, const float *x, size_t x_stride, const float *bias,
                           const ptrdiff_t *offsets, const float *const *weights, size_t taps,
                           size_t channels, size_t channel, const unsigned count,
                           const bool whole) {
    const size_t left = channels - channel;
    lanes acc[DEPTHWISE_PIXELS];
    const lanes first = !bias   ? lanes_all(0.0f)
                        : whole ? lanes_load(bias + channel)
                                : lanes_load_part(bias + channel, left);
    for (unsigned i = 0; i < count; i++)
        acc[i] = first;
    for (size_t t = 0; t < taps; t++) {
        const float *from = x + offsets[t] + channel, *w = weights[t] + channel;
        const lanes tap = whole ? lanes_load(w) : lanes_load_part(w, left);
        for (unsigned i = 0; i < count; i++) {
            const float *p = from + i * x_stride;
            acc[i] = lanes_fma(whole ? lanes_load(p) : lanes_load_part(p, left), tap, acc[i]);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        if (whole)
            lanes_store(dst + i * channels + channel, acc[i]);
        else
            lanes_store_part(dst + i * channels + channel, left, acc[i]);
    }
}

static void depthwise(float *dst, const float *x, size_t x_stride, const float *bias,
                      const ptrdiff_t *offsets, const float *const *weights, size_t taps,
                      size_t channels, size_t pixels) {
    size_t p = 0;
    for (; p + DEPTHWISE_PIXELS <= pixels; p += DEPTHWISE_PIXELS) {
        size_t c = 0;
        for (; c + 16 <= channels; c += 16)
            depthwise_tile(dst + p * channels, x + p * x_stride, x_stride, bias, offsets, weights,
                           taps, channels, c, DEPTHWISE_PIXELS, true);
        if (c < channels)
            depthwise_tile(dst + p * channels, x + p * x_stride, x_stride, bias, offsets, weights,
                           taps, channels, c, DEPTHWISE_PIXELS, false);
    }
    for (; p < pixels; p++) {
        for (size_t c = 0; c < channels; c += 16)
            depthwise_tile(dst + p * channels, x + p * x_stride, x_stride, bias, offsets, weights,
                           taps, channels, c, 1, c + 16 <= channels);
    }
}

static void multiply_add(float *total, const float *x, const float *w, size_t n) {
    for (size_t i = 0; i < n; i++)
        total[i] = fmaf(x[i], w[i], total[i]);
}

static void layer_norm_of(float *dst, const float *x, const float *weight, const float *bias,
                          size_t n, float epsilon) {
    const float mean = reduce_sum(CPU_REDUCTION_SUM, x, n) / (float)n;
    for (size_t i = 0; i < n; i++)
        dst[i] = x[i] - mean;
    const float variance = reduce_sum(CPU_REDUCTION_SQUARES, dst, n) / (float)n;
    const float inverse = 1.0f / sqrtf(variance + epsilon);
    for (size_t i = 0; i < n; i++)
        dst[i] = fmaf(dst[i] * inverse, weight[i], bias ? bias[i] : 0.0f);
}

/* Squares of 16, so that both sides stay in the first cache. */
static void transpose(float *dst, size_t dst_stride, const float *x, size_t x_stride, size_t rows,
                      size_t columns) {
    for (size_t r = 0; r < rows; r += 16) {
        const size_t r_end = rows - r < 16 ? rows : r + 16;
        for (size_t c = 0; c < columns; c += 16) {
            const size_t c_end = columns - c < 16 ? columns : c + 16;
            for (size_t j = c; j < c_end; j++) {
                for (size_t i = r; i < r_end; i++)
                    dst[j * dst_stride + i] = x[i * x_stride + j];
            }
        }
    }
}

/* ------------------------------------------------------------ choices */

/* Each of the three ways that operands step, so that the compiler makes vectors of each. */
#define EACH_PAIR(type, expression)                                                                \
    {                                                                                              \
        const type *p = a, *q = b;                                                                 \
        if (a_step && b_step) {                                                                    \
            for (size_t i = 0; i < n; i++) {                                                       \
                const type u = p[i], v = q[i];                                                     \
                dst[i] = (uint8_t)(expression);                                                    \
            }                                                                                      \
        } else if (a_step) {                                                                       \
            const type v = *q;                                                                     \
            for (size_t i = 0; i < n; i++) {                                                       \
                const type u = p[i];                                                               \
                dst[i] = (uint8_t)(expression);                                                    \
            }                                                                                      \
        } else {                                                                                   \
            const type u = *p;                                                                     \
            for (size_t i = 0; i < n; i++) {                                                       \
                const type v = q[i * b_step];                                                      \
                dst[i] = (uint8_t)(expression);                                                    \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    break

#define COMPARE(type)                                                                              \
    switch (op) {                                                                                  \
    case CPU_COMPARE_EQUAL: EACH_PAIR(type, u == v);                                               \
    case CPU_COMPARE_GREATER: EACH_PAIR(type, u > v);                                              \
    case CPU_COMPARE_GREATER_OR_EQUAL: EACH_PAIR(type, u >= v);                                    \
    case CPU_COMPARE_LESS: EACH_PAIR(type, u < v);                                                 \
    case CPU_COMPARE_LESS_OR_EQUAL: EACH_PAIR(type, u <= v);                                       \
    case CPU_COMPARE_AND: EACH_PAIR(type, (u != 0) & (v != 0));                                    \
    case CPU_COMPARE_OR: EACH_PAIR(type, (u != 0) | (v != 0));                                     \
    case CPU_COMPARE_XOR: EACH_PAIR(type, (u != 0) ^ (v != 0));                                    \
    }                                                                                              \
    break

static void compare(cpu_compare op, tensor_element element, uint8_t *dst, const void *a,
                    size_t a_step, const void *b, size_t b_step, size_t n) {
    switch (element) {
    case TENSOR_ELEMENT_F32: COMPARE(float);
    case TENSOR_ELEMENT_I64: COMPARE(int64_t);
    case TENSOR_ELEMENT_I32: COMPARE(int32_t);
    default: COMPARE(uint8_t);
    }
}
#undef COMPARE
#undef EACH_PAIR

#define CHOOSE(type)                                                                               \
    {                                                                                              \
        const type *p = a, *q = b;                                                                 \
        type *y = dst;                                                                             \
        if (condition_step && a_step && b_step) {                                                  \
            for (size_t i = 0; i < n; i++)                                                         \
                y[i] = condition[i] ? p[i] : q[i];                                                 \
        } else if (condition_step && b_step) {                                                     \
            const type u = *p;                                                                     \
            for (size_t i = 0; i < n; i++)                                                         \
                y[i] = condition[i] ? u : q[i];                                                    \
        } else {                                                                                   \
            for (size_t i = 0; i < n; i++)                                                         \
                y[i] = condition[i * condition_step] ? p[i * a_step] : q[i * b_step];              \
        }                                                                                          \
    }                                                                                              \
    break

static void choose(unsigned bits, void *dst, const uint8_t *condition, size_t condition_step,
                   const void *a, size_t a_step, const void *b, size_t b_step, size_t n) {
    switch (bits) {
    case 8: CHOOSE(uint8_t);
    case 16: CHOOSE(uint16_t);
    case 32: CHOOSE(uint32_t);
    default: CHOOSE(uint64_t);
    }
}
#undef CHOOSE

static void from_f16(float *dst, const uint16_t *x, size_t n) {
    size_t i = 0;
#if defined(__F16C__)
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(x + i))));
#endif
    for (; i < n; i++)
        dst[i] = tensor_f16_to_f32(x[i]);
}

static void to_f16(uint16_t *dst, const float *x, size_t n) {
    size_t i = 0;
#if defined(__F16C__)
    for (; i + 8 <= n; i += 8) {
        const __m128i h =
            _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm_storeu_si128((__m128i *)(void *)(dst + i), h);
    }
#endif
    for (; i < n; i++)
        dst[i] = tensor_f32_to_f16(x[i]);
}

static void find_nan(uint8_t *dst, const float *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        dst[i] = x[i] != x[i];
}

const cpu_rows ROWS_NAME = {.isa = ROWS_ISA,
                            .unary = unary,
                            .binary = binary,
                            .reduce = reduce,
                            .accumulate = accumulate,
                            .softmax = softmax,
                            .multiply_add = multiply_add,
                            .depthwise = depthwise,
                            .layer_norm = layer_norm_of,
                            .transpose = transpose,
                            .compare = compare,
                            .choose = choose,
                            .from_f16 = from_f16,
                            .to_f16 = to_f16,
                            .find_nan = find_nan};
