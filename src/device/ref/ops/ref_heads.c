/* Heads of attention. In: tensors of rank 3 or 4. Out: where their rows lie, checked. */
#include "device/ref/ops/ref_heads.h"

#include <inttypes.h>
#include <math.h>

#include "device/ref/ops/ref_softmax.h"

ondol_status ref_heads_begin(const plan_call *c, uint32_t i, const char *name, int64_t heads,
                             ref_heads *out, ondol_error *err) {
    char text[REF_SHAPE_TEXT_BYTES];
    tensor_value *v = NULL;
    ondol_status status = ref_float_input(c, i, &v, err);
    if (status != ONDOL_OK) return status;
    const bool is_packed = v->rank == 3;
    const bool fits_packed = is_packed && heads > 0 && v->dims[2] % heads == 0;
    const bool fits = v->rank == 4 && (heads == 0 || heads == v->dims[1]);
    if (!fits_packed && !fits) {
        return plan_call_fail(c, err, "%s of shape %s has not %" PRId64 " heads", name,
                              ref_shape_text(v->rank, v->dims, text), heads);
    }
    *out = (ref_heads){.v = v, .batch = v->dims[0]};
    out->heads = is_packed ? heads : v->dims[1];
    out->length = is_packed ? v->dims[1] : v->dims[2];
    out->size = is_packed ? v->dims[2] / heads : v->dims[3];
    /* Wrap where the tensor has no elements: then nothing is read. */
    const uint64_t size = (uint64_t)out->size;
    out->head_stride = is_packed ? size : (uint64_t)out->length * size;
    out->row_stride = is_packed ? (uint64_t)heads * size : size;
    return ONDOL_OK;
}

void ref_heads_load(const ref_heads *h, double *dst, uint64_t dst_length, uint64_t start) {
    const uint64_t size = (uint64_t)h->size;
    if (h->v->elems == 0) return;
    for (uint64_t b = 0; b < (uint64_t)h->batch; b++)
        for (uint64_t head = 0; head < (uint64_t)h->heads; head++)
            for (uint64_t row = 0; row < (uint64_t)h->length; row++) {
                const uint64_t line = (b * (uint64_t)h->heads + head) * dst_length + start + row;
                ref_load_numbers(h->v, ref_heads_at(h, b, head, row), size, dst + line * size);
            }
}

ondol_status ref_heads_check(const plan_call *c, const ref_heads *q, const ref_heads *k,
                             const ref_heads *v, ondol_error *err) {
    if (q->batch != k->batch || k->batch != v->batch) {
        return plan_call_fail(c, err, "batches of %" PRId64 ", %" PRId64 ", %" PRId64, q->batch,
                              k->batch, v->batch);
    }
    if (q->size != k->size) {
        return plan_call_fail(c, err, "heads of q have size %" PRId64 ", those of k %" PRId64,
                              q->size, k->size);
    }
    if (k->length != v->length) {
        return plan_call_fail(c, err, "%" PRId64 " keys and %" PRId64 " values", k->length,
                              v->length);
    }
    if (k->heads != v->heads || k->heads < 1 || q->heads % k->heads != 0) {
        return plan_call_fail(c, err, "%" PRId64 " heads of q, %" PRId64 " of k, %" PRId64 " of v",
                              q->heads, k->heads, v->heads);
    }
    return ONDOL_OK;
}

void ref_weigh(tensor_element e, double *scores, const bool *allowed, uint64_t count) {
    bool is_any = false;
    for (uint64_t i = 0; i < count; i++) {
        if (!allowed[i]) scores[i] = -INFINITY;
        is_any = is_any || scores[i] != -INFINITY;
    }
    if (is_any) ref_softmax_line(e, scores, count);
    for (uint64_t i = 0; i < count; i++)
        if (!allowed[i] || !is_any) scores[i] = 0;
}
