/* Discrete Fourier transforms. In: n complex numbers. Out: their transform. Short ones by the
 * definition; powers of two by halves (Cooley & Tukey 1965); others as a convolution with a chirp
 * in a power of two (Bluestein 1970). */
#include "device/ref/ops/ref_fourier.h"

#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_util.h"

#define SHORT_LENGTH 64u
#define TWO_PI       6.28318530717958647692528676655900577

static ref_complex times(ref_complex a, ref_complex b) {
    return (ref_complex){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

/* e^(-2 pi i k / n). */
static ref_complex turn(uint64_t k, uint64_t n) {
    const double angle = TWO_PI * (double)k / (double)n;
    return (ref_complex){cos(angle), -sin(angle)};
}

/* x[n] = by its definition. */
static void transform_short(const ref_fourier *f, ref_complex *x) {
    for (uint64_t j = 0; j < f->n; j++) {
        ref_complex sum = {0, 0};
        for (uint64_t k = 0; k < f->n; k++) {
            const ref_complex part = times(x[k], f->turns[j * k % f->n]);
            sum.re += part.re;
            sum.im += part.im;
        }
        f->work[j] = sum;
    }
    memcpy(x, f->work, (size_t)f->n * sizeof *x);
}

/* Puts element i where its bits reversed say. */
static void reverse_bits(ref_complex *x, uint64_t n) {
    for (uint64_t i = 1, j = 0; i < n; i++) {
        uint64_t bit = n >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j |= bit;
        if (i >= j) continue;
        const ref_complex moved = x[i];
        x[i] = x[j];
        x[j] = moved;
    }
}

/* x[n], n a power of two; turns: of n. */
static void transform_power_of_two(const ref_complex *turns, uint64_t n, ref_complex *x) {
    reverse_bits(x, n);
    for (uint64_t half = 1; half < n; half *= 2) {
        const uint64_t stride = n / (2 * half);
        for (uint64_t first = 0; first < n; first += 2 * half) {
            for (uint64_t k = 0; k < half; k++) {
                const ref_complex a = x[first + k];
                const ref_complex b = times(x[first + half + k], turns[k * stride]);
                x[first + k] = (ref_complex){a.re + b.re, a.im + b.im};
                x[first + half + k] = (ref_complex){a.re - b.re, a.im - b.im};
            }
        }
    }
}

/* x[n] = chirp * (x * chirp convolved with the chirp's conjugate). */
static void transform_by_chirp(const ref_fourier *f, ref_complex *x) {
    const double scale = 1 / (double)f->padded;
    memset(f->work, 0, (size_t)f->padded * sizeof *f->work);
    for (uint64_t k = 0; k < f->n; k++)
        f->work[k] = times(x[k], f->chirp[k]);
    transform_power_of_two(f->turns, f->padded, f->work);
    for (uint64_t k = 0; k < f->padded; k++) {
        const ref_complex part = times(f->work[k], f->kernel[k]);
        f->work[k] = (ref_complex){part.re, -part.im}; /* the conjugate: an inverse follows */
    }
    transform_power_of_two(f->turns, f->padded, f->work);
    for (uint64_t k = 0; k < f->n; k++) {
        const ref_complex sum = {f->work[k].re * scale, -f->work[k].im * scale};
        x[k] = times(sum, f->chirp[k]);
    }
}

/* k^2 modulo 2n goes up by 2k + 1: no square that would not fit. */
static void make_chirp(ref_fourier *f) {
    uint64_t square = 0;
    memset(f->kernel, 0, (size_t)f->padded * sizeof *f->kernel);
    for (uint64_t k = 0; k < f->n; k++) {
        const ref_complex e = turn(square, 2 * f->n), conjugate = {e.re, -e.im};
        f->chirp[k] = e;
        f->kernel[k] = conjugate;
        f->kernel[(f->padded - k) % f->padded] = conjugate;
        square = (square + 2 * k + 1) % (2 * f->n);
    }
    transform_power_of_two(f->turns, f->padded, f->kernel);
}

static ondol_status numbers(const plan_call *c, uint64_t count, ref_complex **out,
                            ondol_error *err) {
    void *p = NULL;
    ondol_status status = ref_alloc(c, count, sizeof **out, "a Fourier transform", &p, err);
    if (status == ONDOL_OK) *out = p;
    return status;
}

ondol_status ref_fourier_create(const plan_call *c, uint64_t n, ref_fourier *out,
                                ondol_error *err) {
    ondol_status status = ONDOL_OK;
    const bool is_power = (n & (n - 1)) == 0, is_short = n <= SHORT_LENGTH && !is_power;
    *out = (ref_fourier){.n = n};
    if (n > (uint64_t)1 << 48) {
        return base_fail(err, ONDOL_E_LIMIT, "a Fourier transform of more than 2^48 numbers");
    }
    if (!is_short) {
        const uint64_t least = is_power ? n : 2 * n - 1;
        for (out->padded = 1; out->padded < least;)
            out->padded *= 2;
    }
    const uint64_t size = is_short ? n : out->padded;
    TRY(numbers(c, size, &out->turns, err));
    for (uint64_t k = 0; k < size; k++)
        out->turns[k] = turn(k, size);
    if (is_power) return ONDOL_OK;
    TRY(numbers(c, size, &out->work, err));
    if (is_short) return ONDOL_OK;
    TRY(numbers(c, n, &out->chirp, err));
    TRY(numbers(c, size, &out->kernel, err));
    make_chirp(out);
done:
    return status;
}

void ref_fourier_destroy(const plan_call *c, ref_fourier *f) {
    tensor_heap_free(c->heap, f->turns);
    tensor_heap_free(c->heap, f->chirp);
    tensor_heap_free(c->heap, f->kernel);
    tensor_heap_free(c->heap, f->work);
    *f = (ref_fourier){0};
}

void ref_fourier_run(ref_fourier *f, ref_complex *x, bool is_inverse) {
    const double scale = 1 / (double)f->n;
    for (uint64_t k = 0; is_inverse && k < f->n; k++)
        x[k].im = -x[k].im;
    if (!f->padded)
        transform_short(f, x);
    else if (!f->chirp)
        transform_power_of_two(f->turns, f->n, x);
    else
        transform_by_chirp(f, x);
    for (uint64_t k = 0; is_inverse && k < f->n; k++)
        x[k] = (ref_complex){x[k].re * scale, -x[k].im * scale};
}
