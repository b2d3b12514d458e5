/* Discrete Fourier transforms. In: n complex numbers. Out: their transform. By the factors of n
 * (Cooley & Tukey 1965, self-sorting as Stockham's); a large prime factor as a convolution with a
 * chirp in a power of two (Bluestein 1970). */
#include "device/ref/ops/ref_fourier.h"

#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_util.h"

#define LARGEST_FACTOR 61u
#define TWO_PI         6.28318530717958647692528676655900577

/* A result of one operation in the precision of the transform. Volatile: gcc 12.2 leaves the
 * rounding out where it makes a vector of real and imaginary part. */
static double rounded(const ref_fourier *f, double v) {
    if (!f->is_single) return v;
    const volatile float narrow = (float)v;
    return narrow;
}

static ref_complex plus(const ref_fourier *f, ref_complex a, ref_complex b) {
    return (ref_complex){rounded(f, a.re + b.re), rounded(f, a.im + b.im)};
}
static ref_complex minus(const ref_fourier *f, ref_complex a, ref_complex b) {
    return (ref_complex){rounded(f, a.re - b.re), rounded(f, a.im - b.im)};
}
static ref_complex times(const ref_fourier *f, ref_complex a, ref_complex b) {
    return (ref_complex){rounded(f, rounded(f, a.re * b.re) - rounded(f, a.im * b.im)),
                         rounded(f, rounded(f, a.re * b.im) + rounded(f, a.im * b.re))};
}

/* e^(-2 pi i k / n). */
static ref_complex turn(const ref_fourier *f, uint64_t k, uint64_t n) {
    const double angle = TWO_PI * (double)k / (double)n;
    return (ref_complex){rounded(f, cos(angle)), rounded(f, -sin(angle))};
}

/* a[4] transformed to b[4]. */
static void transform_4(const ref_fourier *f, const ref_complex *a, ref_complex *b) {
    const ref_complex even = plus(f, a[0], a[2]), odd = plus(f, a[1], a[3]);
    const ref_complex middle = minus(f, a[0], a[2]), side = minus(f, a[1], a[3]);
    const ref_complex turned = {side.im, -side.re}; /* side * -i */
    b[0] = plus(f, even, odd);
    b[1] = plus(f, middle, turned);
    b[2] = minus(f, even, odd);
    b[3] = minus(f, middle, turned);
}

/* a[p] transformed to b[p], p odd: numbers m and p - m share their cosine, and their sine but for
 * its sign. */
static void transform_odd(const ref_fourier *f, uint64_t p, const ref_complex *a, ref_complex *b) {
    ref_complex sums[LARGEST_FACTOR], differences[LARGEST_FACTOR];
    const uint64_t half = p / 2, step = f->size / p;
    b[0] = a[0];
    for (uint64_t m = 1; m <= half; m++) {
        sums[m] = plus(f, a[m], a[p - m]);
        differences[m] = minus(f, a[m], a[p - m]);
        b[0] = plus(f, b[0], sums[m]);
    }
    for (uint64_t j = 1; j <= half; j++) {
        ref_complex even = a[0], odd = {0, 0};
        for (uint64_t m = 1; m <= half; m++) {
            const ref_complex w = f->turns[j * m % p * step], s = sums[m], d = differences[m];
            even.re = rounded(f, even.re + rounded(f, w.re * s.re));
            even.im = rounded(f, even.im + rounded(f, w.re * s.im));
            odd.re = rounded(f, odd.re - rounded(f, w.im * d.im));
            odd.im = rounded(f, odd.im + rounded(f, w.im * d.re));
        }
        b[j] = plus(f, even, odd);
        b[p - j] = minus(f, even, odd);
    }
}

static void transform_factor(const ref_fourier *f, uint64_t p, const ref_complex *a,
                             ref_complex *b) {
    if (p == 4) {
        transform_4(f, a, b);
    } else if (p == 2) {
        b[0] = plus(f, a[0], a[1]);
        b[1] = minus(f, a[0], a[1]);
    } else {
        transform_odd(f, p, a, b);
    }
}

/* One factor: src [done][p][rest] to dst [p][done][rest]. */
static void pass(const ref_fourier *f, uint64_t p, uint64_t done, const ref_complex *src,
                 ref_complex *dst) {
    ref_complex a[LARGEST_FACTOR], b[LARGEST_FACTOR];
    const uint64_t rest = f->size / (done * p);
    for (uint64_t k = 0; k < done; k++) {
        for (uint64_t i = 0; i < rest; i++) {
            for (uint64_t m = 0; m < p; m++)
                a[m] = src[i + rest * (m + p * k)];
            transform_factor(f, p, a, b);
            for (uint64_t j = 0; j < p; j++)
                dst[i + rest * (k + done * j)] = times(f, b[j], f->turns[j * done * i]);
        }
    }
}

/* x[size], in place. */
static void transform(const ref_fourier *f, ref_complex *x) {
    ref_complex *src = x, *dst = f->work;
    uint64_t done = 1;
    for (uint32_t i = 0; i < f->factor_count; i++) {
        pass(f, f->factors[i], done, src, dst);
        done *= f->factors[i];
        ref_complex *const written = dst;
        dst = src;
        src = written;
    }
    if (src != x) memcpy(x, src, (size_t)f->size * sizeof *x);
}

/* x[n] = chirp * (x * chirp convolved with the chirp's conjugate). */
static void transform_by_chirp(const ref_fourier *f, ref_complex *x) {
    const double scale = 1 / (double)f->size;
    ref_complex *p = f->padded;
    memset(p, 0, (size_t)f->size * sizeof *p);
    for (uint64_t k = 0; k < f->n; k++)
        p[k] = times(f, x[k], f->chirp[k]);
    transform(f, p);
    for (uint64_t k = 0; k < f->size; k++) {
        const ref_complex part = times(f, p[k], f->kernel[k]);
        p[k] = (ref_complex){part.re, -part.im}; /* the conjugate: an inverse follows */
    }
    transform(f, p);
    for (uint64_t k = 0; k < f->n; k++) {
        const ref_complex sum = {p[k].re * scale, -p[k].im * scale};
        x[k] = times(f, sum, f->chirp[k]);
    }
}

/* k^2 modulo 2n goes up by 2k + 1: no square that would not fit. */
static void make_chirp(ref_fourier *f) {
    uint64_t square = 0;
    memset(f->kernel, 0, (size_t)f->size * sizeof *f->kernel);
    for (uint64_t k = 0; k < f->n; k++) {
        const ref_complex e = turn(f, square, 2 * f->n), conjugate = {e.re, -e.im};
        f->chirp[k] = e;
        f->kernel[k] = conjugate;
        f->kernel[(f->size - k) % f->size] = conjugate;
        square = (square + 2 * k + 1) % (2 * f->n);
    }
    transform(f, f->kernel);
}

/* Factors 2 first, then 4, then the odd ones. False: there is one beyond LARGEST_FACTOR. */
static bool find_factors(ref_fourier *f) {
    uint64_t left = f->size;
    uint32_t twos = 0;
    f->factor_count = 0;
    for (; left % 2 == 0; left /= 2)
        twos++;
    if (twos % 2) f->factors[f->factor_count++] = 2;
    for (; twos >= 2; twos -= 2)
        f->factors[f->factor_count++] = 4;
    for (uint8_t p = 3; p <= LARGEST_FACTOR; p = (uint8_t)(p + 2)) {
        for (; left % p == 0; left /= p)
            f->factors[f->factor_count++] = p;
    }
    return left == 1;
}

static ondol_status numbers(const plan_call *c, uint64_t count, ref_complex **out,
                            ondol_error *err) {
    void *p = NULL;
    ondol_status status = ref_alloc(c, count, sizeof **out, "a Fourier transform", &p, err);
    if (status == ONDOL_OK) *out = p;
    return status;
}

ondol_status ref_fourier_create(const plan_call *c, uint64_t n, bool is_single, ref_fourier *out,
                                ondol_error *err) {
    ondol_status status = ONDOL_OK;
    *out = (ref_fourier){.n = n, .is_single = is_single, .size = n};
    if (n > (uint64_t)1 << 48) {
        return base_fail(err, ONDOL_E_LIMIT, "a Fourier transform of more than 2^48 numbers");
    }
    const bool by_chirp = !find_factors(out);
    if (by_chirp) {
        out->is_single = false;
        for (out->size = 1; out->size < 2 * n - 1;)
            out->size *= 2;
        find_factors(out);
    }
    TRY(numbers(c, out->size, &out->turns, err));
    TRY(numbers(c, out->size, &out->work, err));
    for (uint64_t k = 0; k < out->size; k++)
        out->turns[k] = turn(out, k, out->size);
    if (!by_chirp) return ONDOL_OK;
    TRY(numbers(c, n, &out->chirp, err));
    TRY(numbers(c, out->size, &out->kernel, err));
    TRY(numbers(c, out->size, &out->padded, err));
    make_chirp(out);
done:
    return status;
}

void ref_fourier_destroy(const plan_call *c, ref_fourier *f) {
    tensor_heap_free(c->heap, f->turns);
    tensor_heap_free(c->heap, f->work);
    tensor_heap_free(c->heap, f->chirp);
    tensor_heap_free(c->heap, f->kernel);
    tensor_heap_free(c->heap, f->padded);
    *f = (ref_fourier){0};
}

void ref_fourier_run(ref_fourier *f, ref_complex *x, bool is_inverse) {
    for (uint64_t k = 0; is_inverse && k < f->n; k++)
        x[k].im = -x[k].im;
    if (f->chirp)
        transform_by_chirp(f, x);
    else
        transform(f, x);
    for (uint64_t k = 0; is_inverse && k < f->n; k++)
        x[k] = (ref_complex){x[k].re / (double)f->n, -x[k].im / (double)f->n};
}
