/* Operators on single elements, for any lanes. In: rows. Out: rows of the same shape. */

INLINE lanes activate(lanes x, plan_activation_function f) {
    switch (f) {
    case PLAN_FUNCTION_SILU: return lanes_silu(x);
    case PLAN_FUNCTION_GELU_TANH: return lanes_gelu_tanh(x);
    default: return lanes_gelu_erf(x);
    }
}

/* n times f of x, times up unless that is NULL. */
INLINE void activate_row(float *dst, const float *x, const float *up, uint32_t n,
                         plan_activation_function f) {
    const uint32_t whole = n / 16 * 16;
    for (uint32_t i = 0; i < whole; i += 16) {
        const lanes y = activate(lanes_load(x + i), f);
        lanes_store(dst + i, up ? lanes_mul(y, lanes_load(up + i)) : y);
    }
    if (whole < n) {
        const lanes y = activate(lanes_load_part(x + whole, n - whole), f);
        const lanes u = up ? lanes_load_part(up + whole, n - whole) : lanes_all(1.0f);
        lanes_store_part(dst + whole, n - whole, up ? lanes_mul(y, u) : y);
    }
}

static void gated_activation(float *dst, size_t dst_stride, const float *gate, size_t gate_stride,
                             const float *up, size_t up_stride, uint32_t rows, uint32_t n,
                             plan_activation_function f) {
    for (uint32_t r = 0; r < rows; r++) {
        float *y = dst + r * dst_stride;
        const float *g = gate + r * gate_stride, *u = up + r * up_stride;
        switch (f) {
        case PLAN_FUNCTION_SILU: activate_row(y, g, u, n, PLAN_FUNCTION_SILU); break;
        case PLAN_FUNCTION_GELU_TANH: activate_row(y, g, u, n, PLAN_FUNCTION_GELU_TANH); break;
        default: activate_row(y, g, u, n, PLAN_FUNCTION_GELU_ERF); break;
        }
    }
}

static void activation(float *dst, size_t dst_stride, const float *x, size_t x_stride,
                       uint32_t rows, uint32_t n, plan_activation_function f) {
    for (uint32_t r = 0; r < rows; r++)
        activate_row(dst + r * dst_stride, x + r * x_stride, NULL, n, f);
}

static void add(float *dst, size_t dst_stride, const float *a, size_t a_stride, const float *b,
                size_t b_stride, uint32_t rows, uint32_t n) {
    const uint32_t whole = n / 16 * 16;
    for (uint32_t r = 0; r < rows; r++, dst += dst_stride, a += a_stride, b += b_stride) {
        for (uint32_t i = 0; i < whole; i += 16)
            lanes_store(dst + i, lanes_add(lanes_load(a + i), lanes_load(b + i)));
        for (uint32_t i = whole; i < n; i++)
            dst[i] = a[i] + b[i];
    }
}

static void scale(float *dst, size_t dst_stride, const float *x, size_t x_stride, uint32_t rows,
                  uint32_t n, float factor) {
    const uint32_t whole = n / 16 * 16;
    for (uint32_t r = 0; r < rows; r++, dst += dst_stride, x += x_stride) {
        for (uint32_t i = 0; i < whole; i += 16)
            lanes_store(dst + i, lanes_mul(lanes_load(x + i), lanes_all(factor)));
        for (uint32_t i = whole; i < n; i++)
            dst[i] = x[i] * factor;
    }
}

INLINE lanes cap_lanes(lanes x, lanes cap) {
    return lanes_mul(cap, lanes_tanh(lanes_div(x, cap)));
}

static void softcap(float *dst, size_t dst_stride, const float *x, size_t x_stride, uint32_t rows,
                    uint32_t n, float cap) {
    const uint32_t whole = n / 16 * 16;
    for (uint32_t r = 0; r < rows; r++, dst += dst_stride, x += x_stride) {
        for (uint32_t i = 0; i < whole; i += 16)
            lanes_store(dst + i, cap_lanes(lanes_load(x + i), lanes_all(cap)));
        if (whole < n) {
            const lanes y = cap_lanes(lanes_load_part(x + whole, n - whole), lanes_all(cap));
            lanes_store_part(dst + whole, n - whole, y);
        }
    }
}
