/* DFT, STFT. In: real [..., 1] or complex [..., 2] numbers. Out: their transform along an axis;
 * of complex float in float, of all else in double and rounded once. */
#include <inttypes.h>

#include "device/ref/ops/ref_fourier.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

/* One transform of `length` numbers out of x into y; lines of elements with strides of their own.
 */
typedef struct transform {
    const tensor_value *x;
    tensor_value *y;
    uint64_t parts, out_parts; /* 1: real, 2: complex */
    uint64_t taken, given;     /* numbers read and written */
    uint64_t step, out_step;   /* between numbers, in elements */
    const double *window;      /* [taken]; NULL: none */
    bool is_inverse, is_half;  /* is_half: x is the first half of a spectrum of a real signal */
    ref_fourier *f;
    ref_complex *line; /* [f->n] */
} transform;

/* The second half of a spectrum is the conjugate of the first. */
static void complete(ref_complex *line, uint64_t n) {
    line[0].im = 0;
    if (n % 2 == 0) line[n / 2].im = 0;
    for (uint64_t k = n / 2 + 1; k < n; k++)
        line[k] = (ref_complex){line[n - k].re, -line[n - k].im};
}

static void run(const transform *t, uint64_t from, uint64_t to) {
    const uint64_t n = t->f->n;
    for (uint64_t k = 0; k < n; k++) {
        t->line[k] = (ref_complex){0, 0};
        if (k >= t->taken) continue;
        const uint64_t at = from + k * t->step;
        const double by = t->window ? t->window[k] : 1;
        t->line[k].re = by * tensor_get_number(t->x->element, t->x->data, at);
        if (t->parts == 1) continue;
        t->line[k].im = by * tensor_get_number(t->x->element, t->x->data, at + 1);
    }
    if (t->is_half) complete(t->line, n);
    ref_fourier_run(t->f, t->line, t->is_inverse);
    for (uint64_t k = 0; k < t->given; k++) {
        const uint64_t at = to + k * t->out_step;
        tensor_set_number(t->y->element, t->y->data, at, t->line[k].re);
        if (t->out_parts == 2) tensor_set_number(t->y->element, t->y->data, at + 1, t->line[k].im);
    }
}

static ondol_status make_line(const plan_call *c, transform *t, uint64_t n, ondol_error *err) {
    void *p = NULL;
    ondol_status status = ONDOL_OK;
    /* As numpy: complex float in float, a real signal in double. */
    const bool is_single = t->y->element == TENSOR_ELEMENT_F32 && t->parts == 2;
    TRY(ref_fourier_create(c, n, is_single, t->f, err));
    TRY(ref_alloc(c, n, sizeof *t->line, "a Fourier transform", &p, err));
    t->line = p;
done:
    return status;
}

/* The axis (input 2, -2 without) and the length of the transform (input 1). */
static ondol_status dft_lengths(const plan_call *c, const tensor_value *x, bool is_half,
                                uint32_t *axis, int64_t *length, ondol_error *err) {
    int64_t given = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_scalar_integer(c, 2, -2, &given, err));
    TRY(plan_call_axis(c, given, x->rank, axis, err));
    if (*axis == x->rank - 1) {
        return plan_call_fail(c, err, "axis %" PRId64 " holds the parts of the numbers", given);
    }
    const int64_t dim = x->dims[*axis];
    TRY(ref_scalar_integer(c, 1, is_half && dim < (int64_t)1 << 61 ? 2 * (dim - 1) : dim, length,
                           err));
    if (*length < 1) {
        return plan_call_fail(c, err, "a transform of %" PRId64 " numbers", *length);
    }
done:
    return status;
}

ondol_status ref_dft(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL;
    ref_fourier f = {0};
    uint32_t axis = 0;
    int64_t length = 0, dims[TENSOR_MAX_RANK];
    const bool is_onesided = graph_get_int(c->g, c->node, "onesided") != 0;
    transform t = {.f = &f, .is_inverse = graph_get_int(c->g, c->node, "inverse") != 0};
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_FLOAT, &x, err));
    if (x->rank < 2 || x->dims[x->rank - 1] < 1 || x->dims[x->rank - 1] > 2) {
        return plan_call_fail(c, err, "its input's last dimension must be 1 (real) or 2 (complex)");
    }
    t.x = x;
    t.parts = (uint64_t)x->dims[x->rank - 1];
    t.is_half = is_onesided && t.is_inverse;
    TRY(dft_lengths(c, x, t.is_half, &axis, &length, err));
    const int64_t given = is_onesided && !t.is_inverse ? length / 2 + 1 : length;
    for (uint32_t i = 0; i < x->rank; i++)
        dims[i] = i == axis ? given : x->dims[i];
    dims[x->rank - 1] = t.is_half ? 1 : 2;
    TRY(plan_call_output(c, 0, x->element, x->rank, dims, &t.y, err));
    if (t.y->elems == 0) goto done;
    TRY(make_line(c, &t, (uint64_t)length, err));
    const ref_split from = ref_split_at(x, axis), to = ref_split_at(t.y, axis);
    const uint64_t read = t.is_half ? (uint64_t)length / 2 + 1 : (uint64_t)length;
    t.out_parts = t.is_half ? 1 : 2;
    t.taken = from.axis < read ? from.axis : read;
    t.given = (uint64_t)given;
    t.step = from.inner;
    t.out_step = to.inner;
    const uint64_t lines = to.inner / t.out_parts;
    for (uint64_t n = 0; n < to.outer * lines; n++) {
        const uint64_t o = n / lines, i = n % lines;
        run(&t, o * from.axis * from.inner + i * t.parts, o * to.axis * to.inner + i * t.out_parts);
    }
done:
    ref_fourier_destroy(c, &f);
    tensor_heap_free(c->heap, t.line);
    return status;
}

/* Length and step of the frames; the window as doubles, where there is one. */
static ondol_status stft_frames(const plan_call *c, const tensor_value *x, int64_t *step,
                                int64_t *length, double **window, ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_scalar_integer(c, 1, 1, step, err));
    if (plan_call_input(c, 2)) {
        TRY(ref_input(c, 2, REF_CLASS_FLOAT, &v, err));
        if (v->rank != 1) return plan_call_fail(c, err, "the window has rank %" PRIu32, v->rank);
    }
    TRY(ref_scalar_integer(c, 3, v ? v->dims[0] : x->dims[1], length, err));
    if (*step < 1 || *length < 1 || *length > x->dims[1] || (v && *length != v->dims[0])) {
        return plan_call_fail(c, err,
                              "frames of %" PRId64 " numbers, %" PRId64
                              " apart, do not fit a signal of %" PRId64 " (or the window)",
                              *length, *step, x->dims[1]);
    }
    if (v) TRY(ref_all_numbers(c, v, window, err));
done:
    return status;
}

ondol_status ref_stft(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL;
    ref_fourier f = {0};
    int64_t step = 0, length = 0;
    double *window = NULL;
    transform t = {.f = &f, .out_parts = 2, .out_step = 2};
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_FLOAT, &x, err));
    if (x->rank < 2 || x->rank > 3 || (x->rank == 3 && (x->dims[2] < 1 || x->dims[2] > 2))) {
        return plan_call_fail(c, err, "the signal's shape must be [batch, length, 1 or 2]");
    }
    TRY(stft_frames(c, x, &step, &length, &window, err));
    const bool is_onesided = graph_get_int(c->g, c->node, "onesided") != 0;
    const int64_t frames = (x->dims[1] - length) / step + 1;
    const int64_t dims[4] = {x->dims[0], frames, is_onesided ? length / 2 + 1 : length, 2};
    TRY(plan_call_output(c, 0, x->element, 4, dims, &t.y, err));
    if (t.y->elems == 0) goto done;
    t.x = x;
    t.parts = x->rank == 3 ? (uint64_t)x->dims[2] : 1;
    TRY(make_line(c, &t, (uint64_t)length, err));
    t.step = t.parts;
    t.taken = (uint64_t)length;
    t.given = (uint64_t)dims[2];
    t.window = window;
    for (uint64_t n = 0; n < (uint64_t)dims[0] * (uint64_t)frames; n++) {
        const uint64_t batch = n / (uint64_t)frames, frame = n % (uint64_t)frames;
        run(&t, (batch * (uint64_t)x->dims[1] + frame * (uint64_t)step) * t.parts, n * t.given * 2);
    }
done:
    ref_fourier_destroy(c, &f);
    tensor_heap_free(c->heap, t.line);
    tensor_heap_free(c->heap, window);
    return status;
}
