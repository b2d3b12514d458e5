/* exp, tanh and the activations, for any lanes: the same operations in the same order, so the same
 * bits. Each error is of the whole of float, as kernelcheck measures it against doubles. */

/* Error below 0.9 ulp. Exactly 1 at 0. */
INLINE lanes lanes_exp(lanes x) {
    const lanes magic = lanes_all(0x1.8p23f); /* adding it rounds to a whole number */
    x = lanes_max(lanes_all(-104.0f), x);     /* gives 0 */
    x = lanes_min(lanes_all(89.0f), x);       /* gives infinity */
    const lanes n = lanes_sub(lanes_fma(x, lanes_all(0x1.715476p+0f), magic), magic);
    lanes r = lanes_fnma(n, lanes_all(0x1.62e430p-1f), x); /* exact: ln 2, its upper part */
    r = lanes_fnma(n, lanes_all(-0x1.05c610p-29f), r);
    lanes p = lanes_all(0x1.6db4e8p-10f);
    p = lanes_fma(p, r, lanes_all(0x1.123bdep-7f));
    p = lanes_fma(p, r, lanes_all(0x1.55545ep-5f));
    p = lanes_fma(p, r, lanes_all(0x1.55548ep-3f));
    p = lanes_fma(p, r, lanes_all(0.5f));
    p = lanes_fma(p, r, lanes_all(1.0f));
    p = lanes_fma(p, r, lanes_all(1.0f));
    return lanes_scale(p, n);
}

/* Error below 1.4 ulp. */
INLINE lanes lanes_tanh(lanes x) {
    const lanes a = lanes_abs(x), one = lanes_all(1.0f), square = lanes_mul(a, a);
    lanes p = lanes_all(-0x1.74330ep-8f);
    p = lanes_fma(p, square, lanes_all(0x1.51ceb6p-6f));
    p = lanes_fma(p, square, lanes_all(-0x1.b83060p-5f));
    p = lanes_fma(p, square, lanes_all(0x1.1106d8p-3f));
    p = lanes_fma(p, square, lanes_all(-0x1.555532p-2f));
    const lanes near = lanes_fma(lanes_mul(a, square), p, a);
    const lanes e = lanes_exp(lanes_add(a, a));
    const lanes far = lanes_sub(one, lanes_div(lanes_all(2.0f), lanes_add(e, one)));
    return lanes_copysign(lanes_select_less(a, lanes_all(0.625f), near, far), x);
}

/* x / (1 + e^-x). */
INLINE lanes lanes_silu(lanes x) {
    const lanes e = lanes_exp(lanes_sub(lanes_all(0.0f), x));
    return lanes_div(x, lanes_add(lanes_all(1.0f), e));
}

/* x (1 + tanh(u)) / 2 as x / (1 + e^-2u), which does not cancel; u = sqrt(2/pi) (x + 0.044715 x^3).
 */
INLINE lanes lanes_gelu_tanh(lanes x) {
    const lanes cube = lanes_mul(lanes_mul(x, x), x);
    const lanes linear = lanes_mul(x, lanes_all(-0x1.988454p+0f));
    const lanes e = lanes_exp(lanes_fma(cube, lanes_all(-0x1.2444f2p-4f), linear));
    return lanes_div(x, lanes_add(lanes_all(1.0f), e));
}

/* Phi(-a), the normal distribution's tail, for a of [0, 16]: e^(-a^2/2) g(a), where g is a
 * polynomial in 1 / (1 + 0.33 a); relative error below 5e-7. */
INLINE lanes lanes_normal_tail(lanes a) {
    const lanes one = lanes_all(1.0f);
    const lanes s = lanes_div(one, lanes_fma(a, lanes_all(0.33f), one));
    lanes g = lanes_all(-0x1.3e122ap-6f);
    g = lanes_fma(g, s, lanes_all(0x1.dd35c4p-4f));
    g = lanes_fma(g, s, lanes_all(-0x1.042c00p-2f));
    g = lanes_fma(g, s, lanes_all(0x1.ae8cfcp-3f));
    g = lanes_fma(g, s, lanes_all(-0x1.815374p-5f));
    g = lanes_fma(g, s, lanes_all(0x1.e34af2p-4f));
    g = lanes_fma(g, s, lanes_all(0x1.cab12ap-4f));
    g = lanes_fma(g, s, lanes_all(0x1.0eb5eap-3f));
    g = lanes_fma(g, s, lanes_all(0x1.0d9350p-3f));
    g = lanes_mul(g, s);
    const lanes half = lanes_mul(a, lanes_all(-0.5f)), exponent = lanes_mul(half, a);
    const lanes lost = lanes_fma(half, a, lanes_sub(lanes_all(0.0f), exponent));
    const lanes e = lanes_exp(exponent);
    return lanes_mul(lanes_fma(e, lost, e), g);
}

/* x Phi(x) as max(x, 0) - |x| Phi(-|x|). */
INLINE lanes lanes_gelu_erf(lanes x) {
    const lanes a = lanes_min(lanes_all(16.0f), lanes_abs(x));
    return lanes_fnma(a, lanes_normal_tail(a), lanes_max(x, lanes_all(0.0f)));
}

/* Its Taylor series below 1/2, 1 - 2 Phi(-sqrt(2) |x|) above: error below 2e-7. */
INLINE lanes lanes_erf(lanes x) {
    const lanes a = lanes_abs(x), square = lanes_mul(x, x);
    lanes p = lanes_all(-0x1.c02db4p-11f); /* -2/sqrt(pi) / 1320 */
    p = lanes_fma(p, square, lanes_all(0x1.565bcep-8f));
    p = lanes_fma(p, square, lanes_all(-0x1.b82ce4p-6f));
    p = lanes_fma(p, square, lanes_all(0x1.ce2f20p-4f));
    p = lanes_fma(p, square, lanes_all(-0x1.812746p-2f));
    p = lanes_fma(p, square, lanes_all(0x1.20dd76p+0f));
    const lanes z = lanes_min(lanes_all(16.0f), lanes_mul(a, lanes_all(0x1.6a09e6p+0f)));
    const lanes far = lanes_fnma(lanes_all(2.0f), lanes_normal_tail(z), lanes_all(1.0f));
    return lanes_select_less(a, lanes_all(0.5f), lanes_mul(x, p), lanes_copysign(far, x));
}
