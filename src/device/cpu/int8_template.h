/* Kernels of int8 but for the products, in plain C that compilers turn into vectors. The file that
 * includes this defines INT8_NAME, INT8_ISA and a function `sums`. */
#include <string.h>

/* Adding and taking this away rounds a double of magnitude below 2^51 to nearest even; the float
 * does so below 2^22. */
#define ROUND_DOUBLE 6755399441055744.0
#define ROUND_FLOAT  12582912.0f

static void shift(int32_t *sums, const cpu_int8_shift *s, size_t n) {
    uint32_t *to = (uint32_t *)(void *)sums;
    const uint32_t row_zero = (uint32_t)s->row_zero, row_sum = (uint32_t)s->row_sum;
    if (row_zero) {
        for (size_t i = 0; i < n; i++)
            to[i] -= row_zero * (uint32_t)s->centred[i];
    }
    if (!s->column_zero) return;
    for (size_t i = 0; i < n; i++)
        to[i] -= (uint32_t)s->column_zero[i] * row_sum;
}

static void to_float(float *dst, const int32_t *sums, float a_scale, const float *scales,
                     size_t step, const float *bias, size_t n) {
    if (step) {
        for (size_t i = 0; i < n; i++)
            dst[i] = (float)sums[i] * (a_scale * scales[i]);
    } else {
        const float scale = a_scale * scales[0];
        for (size_t i = 0; i < n; i++)
            dst[i] = (float)sums[i] * scale;
    }
    if (!bias) return;
    for (size_t i = 0; i < n; i++)
        dst[i] += bias[i];
}

static inline uint8_t code_of_double(double v, double low, double high, int32_t zero) {
    v = v == v ? v : 0;
    v = v < low ? low : v;
    v = v > high ? high : v;
    const double whole = (v + ROUND_DOUBLE) - ROUND_DOUBLE;
    return (uint8_t)((int32_t)whole + zero);
}

static void to_codes(uint8_t *dst, const int32_t *sums, const int32_t *offset, const float *factors,
                     size_t step, int32_t zero, int32_t low, size_t n) {
    const double least = (double)(low - zero), most = least + 255;
    if (step && offset) {
        for (size_t i = 0; i < n; i++) {
            const double sum = (double)sums[i] + (double)offset[i];
            dst[i] = code_of_double(sum * (double)factors[i], least, most, zero);
        }
        return;
    }
    if (step) {
        for (size_t i = 0; i < n; i++)
            dst[i] = code_of_double((double)sums[i] * (double)factors[i], least, most, zero);
        return;
    }
    const double factor = (double)factors[0];
    if (offset) {
        for (size_t i = 0; i < n; i++) {
            const double sum = (double)sums[i] + (double)offset[i];
            dst[i] = code_of_double(sum * factor, least, most, zero);
        }
        return;
    }
    for (size_t i = 0; i < n; i++)
        dst[i] = code_of_double((double)sums[i] * factor, least, most, zero);
}

static int32_t add_up(const uint8_t *a, size_t n) {
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i];
    return (int32_t)sum;
}

static void flip(uint8_t *dst, const uint8_t *a, size_t n) {
    for (size_t i = 0; i < n; i++)
        dst[i] = a[i] ^ 128;
}

#define TAP_LANES 16

static void add_taps(int32_t *sums, const uint8_t *const *x, size_t count, int32_t x_zero,
                     const int16_t *const *w, size_t n) {
    size_t first = 0;
    for (; first + TAP_LANES <= n; first += TAP_LANES) {
        int32_t lanes[TAP_LANES] = {0};
        for (size_t t = 0; t < count; t++) {
            const uint8_t *codes = x[t] + first;
            const int16_t *weights = w[t] + first;
            for (size_t l = 0; l < TAP_LANES; l++)
                lanes[l] += (codes[l] - x_zero) * weights[l];
        }
        memcpy(sums + first, lanes, sizeof lanes);
    }
    for (; first < n; first++) {
        int32_t sum = 0;
        for (size_t t = 0; t < count; t++)
            sum += (x[t][first] - x_zero) * w[t][first];
        sums[first] = sum;
    }
}

#define RANGE_LANES 64

static void range(const float *x, size_t n, float *least, float *greatest) {
    float low[RANGE_LANES], high[RANGE_LANES];
    size_t i = 0;
    for (size_t l = 0; l < RANGE_LANES; l++) {
        low[l] = *least;
        high[l] = *greatest;
    }
    for (; i + RANGE_LANES <= n; i += RANGE_LANES) {
        for (size_t l = 0; l < RANGE_LANES; l++)
            low[l] = x[i + l] < low[l] ? x[i + l] : low[l];
        for (size_t l = 0; l < RANGE_LANES; l++)
            high[l] = x[i + l] > high[l] ? x[i + l] : high[l];
    }
    for (size_t l = 0; i < n; i++, l++) {
        low[l] = x[i] < low[l] ? x[i] : low[l];
        high[l] = x[i] > high[l] ? x[i] : high[l];
    }
    for (size_t l = 0; l < RANGE_LANES; l++) {
        *least = low[l] < *least ? low[l] : *least;
        *greatest = high[l] > *greatest ? high[l] : *greatest;
    }
}

static inline uint8_t code_of_float(float v, float low, float high, int32_t zero) {
    v = v == v ? v : 0;
    v = v < low ? low : v;
    v = v > high ? high : v;
    const float whole = (v + ROUND_FLOAT) - ROUND_FLOAT;
    return (uint8_t)((int32_t)whole + zero);
}

static void quantize(uint8_t *dst, const float *x, float scale, int32_t zero, int32_t low,
                     size_t n) {
    const float least = (float)(low - zero), most = least + 255;
    for (size_t i = 0; i < n; i++)
        dst[i] = code_of_float(x[i] / scale, least, most, zero);
}

static void dequantize(float *dst, const uint8_t *x, float scale, int32_t zero, int32_t low,
                       size_t n) {
    const int32_t moved = low ? zero + 128 : zero;
    const uint8_t bit = low ? 128 : 0;
    for (size_t i = 0; i < n; i++)
        dst[i] = (float)((uint8_t)(x[i] ^ bit) - moved) * scale;
}

/* Codes are taken as uint8: those of int8, and their zero points, moved by 128. */
static void add(uint8_t *dst, const uint8_t *a, size_t a_step, const uint8_t *b, size_t b_step,
                const cpu_int8_binary *p, size_t n) {
    const float least = (float)(p->low - p->y_zero), most = least + 255;
    const uint8_t bit = p->low ? 128 : 0;
    const int32_t a_zero = p->a_zero + bit, b_zero = p->b_zero + bit, zero = p->y_zero;
    const float a_by = p->a_by, b_by = p->b_by;
    if (a_step && b_step) {
        for (size_t i = 0; i < n; i++) {
            const float left = (float)((uint8_t)(a[i] ^ bit) - a_zero) * a_by;
            const float right = (float)((uint8_t)(b[i] ^ bit) - b_zero) * b_by;
            dst[i] = code_of_float(left + right, least, most, zero);
        }
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const float left = (float)((uint8_t)(a[i * a_step] ^ bit) - a_zero) * a_by;
        const float right = (float)((uint8_t)(b[i * b_step] ^ bit) - b_zero) * b_by;
        dst[i] = code_of_float(left + right, least, most, zero);
    }
}

static void multiply(uint8_t *dst, const uint8_t *a, size_t a_step, const uint8_t *b, size_t b_step,
                     const cpu_int8_binary *p, size_t n) {
    const float least = (float)(p->low - p->y_zero), most = least + 255;
    const uint8_t bit = p->low ? 128 : 0;
    const int32_t a_zero = p->a_zero + bit, b_zero = p->b_zero + bit, zero = p->y_zero;
    const float by = p->a_by;
    if (a_step && b_step) {
        for (size_t i = 0; i < n; i++) {
            const int32_t left = (uint8_t)(a[i] ^ bit) - a_zero;
            const int32_t right = (uint8_t)(b[i] ^ bit) - b_zero;
            dst[i] = code_of_float((float)(left * right) * by, least, most, zero);
        }
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const int32_t left = (uint8_t)(a[i * a_step] ^ bit) - a_zero;
        const int32_t right = (uint8_t)(b[i * b_step] ^ bit) - b_zero;
        dst[i] = code_of_float((float)(left * right) * by, least, most, zero);
    }
}

const cpu_int8 INT8_NAME = {INT8_ISA, sums,  shift,    to_float,   to_codes, add_up,  flip,
                            add_taps, range, quantize, dequantize, add,      multiply};
