/* Resize. In: a tensor, scales or sizes. Out: it with axes of other lengths, each place the nearest
 * of the input or a weighted mean of those around. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/host_resize.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"
#include "device/ref/ops/ref_util.h"
#include "tensor/number.h"

/* One axis: src [outer, in, inner] -> dst [outer, out, inner]. */
static void interpolate(const resize_rules *rules, const resize_axis *a, uint64_t outer,
                        uint64_t inner, uint64_t taps, double *weights, const double *src,
                        double *dst) {
    for (int64_t i = 0; i < a->out; i++) {
        const double source = resize_axis_source(rules, a, i);
        int64_t first = 0;
        if (!isnan(source)) resize_axis_weights(rules, a, source, taps, &first, weights);
        for (uint64_t o = 0; o < outer; o++) {
            double *to = dst + (o * (uint64_t)a->out + (uint64_t)i) * inner;
            for (uint64_t k = 0; k < inner; k++)
                to[k] = isnan(source) ? rules->extrapolation : 0;
            for (uint64_t t = 0; !isnan(source) && t < taps; t++) {
                int64_t at = first + (int64_t)t;
                at = at < 0 ? 0 : at >= a->in ? a->in - 1 : at;
                const double *from = src + (o * (uint64_t)a->in + (uint64_t)at) * inner;
                for (uint64_t k = 0; weights[t] != 0 && k < inner; k++)
                    to[k] += weights[t] * from[k];
            }
        }
    }
}

/* All axes of *data (dims of x, then those of y), which moves to other memory. inner: numbers of an
 * element. */
static ondol_status interpolate_all(const plan_call *c, const host_resizing *r, uint64_t inner,
                                    double **data, ondol_error *err) {
    int64_t dims[TENSOR_MAX_RANK];
    void *weights = NULL, *made = NULL;
    ondol_status status = ONDOL_OK;
    memcpy(dims, r->x->dims, sizeof dims);
    for (uint32_t d = 0; d < r->x->rank; d++) {
        const resize_axis *a = r->axes + d;
        uint64_t outer = 0, below = 0, elems = 0;
        if (resize_axis_is_same(&r->rules, a)) continue;
        const uint64_t taps = resize_axis_taps(&r->rules, a);
        dims[d] = a->out;
        if (!taps || !ref_product(d, dims, &outer) || !ref_product(r->x->rank, dims, &elems) ||
            !ref_product(r->x->rank - d - 1, dims + d + 1, &below)) {
            status = plan_call_fail(c, err, "axis %" PRIu32 " of %" PRId64 " scaled by %g", d,
                                    a->in, a->scale);
            goto done;
        }
        TRY(ref_alloc(c, taps, sizeof(double), "weights of a resize", &weights, err));
        TRY(ref_alloc(c, elems, inner * sizeof(double), "numbers of a resize", &made, err));
        interpolate(&r->rules, a, outer, below * inner, taps, weights, *data, made);
        tensor_heap_free(c->heap, weights);
        tensor_heap_free(c->heap, *data);
        *data = made;
        weights = made = NULL;
    }
done:
    tensor_heap_free(c->heap, weights);
    return status;
}

/* Integers are rounded to nearest even and kept within their type. */
static void store_whole(tensor_value *y, uint64_t i, double v) {
    const unsigned bits = tensor_element_bits(y->element);
    const bool is_signed = ref_class_of(y->element) == REF_CLASS_SIGNED;
    if (y->element == TENSOR_ELEMENT_BOOL) {
        tensor_set_integer(y->element, y->data, i, rint(v) != 0);
        return;
    }
    const double most = ldexp(1, (int)bits - (is_signed ? 1 : 0)), least = is_signed ? -most : 0;
    v = isnan(v) ? 0 : rint(v);
    if (v >= most) {
        const uint64_t all = UINT64_MAX >> (64 - bits + (is_signed ? 1 : 0));
        tensor_set_integer(y->element, y->data, i, (int64_t)all);
    } else {
        tensor_set_number(y->element, y->data, i, v < least ? least : v);
    }
}

static ondol_status resize_smoothly(const plan_call *c, const host_resizing *r, tensor_value *y,
                                    ondol_error *err) {
    const tensor_value *x = r->x;
    const ref_class class = ref_class_of(x->element);
    const tensor_element part =
        x->element == TENSOR_ELEMENT_C64 ? TENSOR_ELEMENT_F32 : TENSOR_ELEMENT_F64;
    const uint64_t parts = class == REF_CLASS_COMPLEX ? 2 : 1;
    const tensor_element e = parts == 2 ? part : x->element;
    void *memory = NULL;
    double *data = NULL;
    ondol_status status = ONDOL_OK;
    if (!y->elems) return ONDOL_OK;
    TRY(ref_alloc(c, x->elems, parts * sizeof *data, "numbers of a resize", &memory, err));
    data = memory;
    for (uint64_t i = 0; i < x->elems * parts; i++)
        data[i] = tensor_get_number(e, x->data, i);
    TRY(interpolate_all(c, r, parts, &data, err));
    for (uint64_t i = 0; i < y->elems * parts; i++) {
        if (class == REF_CLASS_FLOAT || class == REF_CLASS_COMPLEX)
            tensor_set_number(e, y->data, i, data[i]);
        else
            store_whole(y, i, data[i]);
    }
done:
    tensor_heap_free(c->heap, data);
    return status;
}

ondol_status ref_resize(plan_call *c, ondol_error *err) {
    int64_t dims[TENSOR_MAX_RANK];
    tensor_value *y = NULL;
    host_resizing r = {0};
    bool same = true;
    ondol_status status = ONDOL_OK;
    TRY(host_resize_read(c, &r, err));
    if (r.rules.mode != RESIZE_NEAREST && r.x->element == TENSOR_ELEMENT_STRING) {
        return plan_call_fail(c, err, "strings have no mean");
    }
    for (uint32_t d = 0; d < r.x->rank; d++) {
        dims[d] = r.axes[d].out;
        same = same && resize_axis_is_same(&r.rules, r.axes + d);
    }
    if (same) {
        plan_call_give(c, 0, r.x);
        return ONDOL_OK;
    }
    TRY(plan_call_output(c, 0, r.x->element, r.x->rank, dims, &y, err));
    TRY(r.rules.mode == RESIZE_NEAREST ? host_resize_nearest(c, &r, y, err)
                                       : resize_smoothly(c, &r, y, err));
done:
    return status;
}
