/* Rfft, Irfft. In: real numbers, or the first half of a spectrum as pairs. Out: the other. The
 * last signal_ndim dimensions (in front of the pairs) are transformed. */
#include <inttypes.h>
#include <string.h>

#include "device/ref/ops/ref_fourier.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms.h"

typedef struct spectrum {
    ref_complex *z;
    uint32_t rank, signals;
    int64_t dims[TENSOR_MAX_RANK]; /* of z */
} spectrum;

/* One dimension of all that z holds, by lines; line: working memory of its length. */
static ondol_status transform(const plan_call *c, spectrum *s, uint32_t axis, bool is_inverse,
                              ondol_error *err) {
    const uint64_t n = (uint64_t)s->dims[axis];
    uint64_t outer = 1, inner = 1;
    void *line = NULL;
    ref_fourier f = {0};
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < s->rank; i++) {
        if (i < axis) outer *= (uint64_t)s->dims[i];
        if (i > axis) inner *= (uint64_t)s->dims[i];
    }
    if (n == 0) return ONDOL_OK;
    TRY(ref_alloc(c, n, sizeof(ref_complex), "a line", &line, err));
    TRY(ref_fourier_create(c, n, false, &f, err));
    ref_complex *x = line;
    for (uint64_t i = 0; i < outer * inner; i++) {
        ref_complex *at = s->z + i / inner * n * inner + i % inner;
        for (uint64_t k = 0; k < n; k++)
            x[k] = at[k * inner];
        ref_fourier_run(&f, x, is_inverse);
        for (uint64_t k = 0; k < n; k++)
            at[k * inner] = x[k];
    }
done:
    ref_fourier_destroy(c, &f);
    tensor_heap_free(c->heap, line);
    return status;
}

static ondol_status begin(const plan_call *c, tensor_value **x, spectrum *s, bool is_inverse,
                          ondol_error *err) {
    const int64_t signals = graph_get_int(c->g, c->node, "signal_ndim");
    ondol_status status = ref_float_input(c, 0, x, err);
    if (status != ONDOL_OK) return status;
    s->rank = (*x)->rank;
    if (is_inverse) {
        if (s->rank < 1 || (*x)->dims[s->rank - 1] != 2) {
            return plan_call_fail(c, err, "its input has no pairs last");
        }
        s->rank--;
    }
    if (signals < 1 || signals > (int64_t)s->rank || s->rank + 1 > TENSOR_MAX_RANK) {
        return plan_call_fail(c, err, "signal_ndim is %" PRId64 ", for %" PRIu32 " dimensions",
                              signals, s->rank);
    }
    if (graph_get_int(c->g, c->node, "normalized") != 0 ||
        graph_get_int(c->g, c->node, "onesided") != 1) {
        return plan_call_fail(c, err, "normalized must be 0 and onesided 1");
    }
    s->signals = (uint32_t)signals;
    memcpy(s->dims, (*x)->dims, s->rank * sizeof *s->dims);
    return ONDOL_OK;
}

ondol_status ref_ms_rfft(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    spectrum s = {0};
    int64_t dims[TENSOR_MAX_RANK];
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    TRY(begin(c, &x, &s, false, err));
    const uint32_t last = s.rank - 1;
    memcpy(dims, s.dims, sizeof dims);
    dims[last] = s.dims[last] / 2 + 1;
    dims[s.rank] = 2;
    if (s.dims[last] == 0) return plan_call_fail(c, err, "its signal is empty");
    TRY(plan_call_output(c, 0, x->element, s.rank + 1, dims, &y, err));
    TRY(ref_alloc(c, x->elems, sizeof *s.z, "a spectrum", &memory, err));
    s.z = memory;
    for (uint64_t i = 0; i < x->elems; i++)
        s.z[i] = (ref_complex){tensor_get_number(x->element, x->data, i), 0};
    for (uint32_t i = 0; i < s.signals; i++)
        TRY(transform(c, &s, last - i, false, err));
    const uint64_t kept = (uint64_t)dims[last], n = (uint64_t)s.dims[last];
    for (uint64_t i = 0; i < y->elems / 2; i++) {
        const ref_complex v = s.z[i / kept * n + i % kept];
        tensor_set_number(y->element, y->data, 2 * i, v.re);
        tensor_set_number(y->element, y->data, 2 * i + 1, v.im);
    }
done:
    tensor_heap_free(c->heap, memory);
    return status;
}

/* Lines of n = 2 (m - 1) numbers, of whose spectrum the first m are given; the others are their
 * conjugates. */
static void fill_line(ref_complex *z, uint64_t m, uint64_t n) {
    z[0].im = 0;
    if (m > 1) z[m - 1].im = 0;
    for (uint64_t k = m; k < n; k++)
        z[k] = (ref_complex){z[n - k].re, -z[n - k].im};
}

ondol_status ref_ms_irfft(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    spectrum s = {0};
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    TRY(begin(c, &x, &s, true, err));
    const uint32_t last = s.rank - 1;
    const uint64_t m = (uint64_t)s.dims[last], n = m ? 2 * (m - 1) : 0;
    const uint64_t lines = m ? x->elems / 2 / m : 0, wide = m > n ? m : n;
    if (m < 2) return plan_call_fail(c, err, "its spectrum has %" PRIu64 " numbers", m);
    TRY(ref_alloc(c, lines * wide, sizeof *s.z, "a spectrum", &memory, err));
    s.z = memory;
    for (uint64_t i = 0; i < lines * m; i++) {
        s.z[i].re = tensor_get_number(x->element, x->data, 2 * i);
        s.z[i].im = tensor_get_number(x->element, x->data, 2 * i + 1);
    }
    for (uint32_t i = 1; i < s.signals; i++)
        TRY(transform(c, &s, last - i, true, err));
    for (uint64_t i = lines; i-- > 0;) {
        if (n > m) memmove(s.z + i * n, s.z + i * m, m * sizeof *s.z);
        fill_line(s.z + i * n, m, n);
    }
    s.dims[last] = (int64_t)n;
    TRY(transform(c, &s, last, true, err));
    TRY(plan_call_output(c, 0, x->element, s.rank, s.dims, &y, err));
    for (uint64_t i = 0; i < y->elems; i++)
        tensor_set_number(y->element, y->data, i, s.z[i].re);
done:
    tensor_heap_free(c->heap, memory);
    return status;
}
