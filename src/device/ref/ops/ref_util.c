/* What the oracle's kernels share. In: shapes, inputs of a call. Out: walks, broadcast shapes,
 * scalars. */
#include "device/ref/ops/ref_util.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "tensor/number.h"

bool ref_product(uint32_t rank, const int64_t *dims, uint64_t *out) {
    uint64_t product = 1;
    bool empty = false;
    for (uint32_t i = 0; i < rank; i++) {
        if (dims[i] < 0) return false;
        if (dims[i] == 0) empty = true;
    }
    for (uint32_t i = 0; i < rank && !empty; i++) {
        if (!base_mul(product, (uint64_t)dims[i], &product)) return false;
        if (product > (uint64_t)INT64_MAX) return false;
    }
    *out = empty ? 0 : product;
    return true;
}

void ref_strides(uint32_t rank, const int64_t *dims, int64_t *strides) {
    uint64_t stride = 1;
    for (uint32_t i = rank; i-- > 0;) {
        strides[i] = (int64_t)stride;
        stride *= (uint64_t)dims[i];
    }
}

bool ref_same_dims(const tensor_value *a, const tensor_value *b) {
    if (a->rank != b->rank) return false;
    return memcmp(a->dims, b->dims, a->rank * sizeof *a->dims) == 0;
}

void ref_walk_begin(ref_walk *w, uint32_t rank, const int64_t *dims) {
    memset(w, 0, sizeof *w);
    w->rank = rank;
    for (uint32_t i = 0; i < rank; i++)
        w->dims[i] = dims[i];
    if (!ref_product(rank, dims, &w->left)) w->left = 0;
}

void ref_walk_add(ref_walk *w, uint32_t rank, const int64_t *dims) {
    int64_t strides[TENSOR_MAX_RANK] = {0}, dense[TENSOR_MAX_RANK] = {0};
    ref_strides(rank, dims, dense);
    for (uint32_t i = 0; i < rank && i < w->rank; i++) {
        if (dims[rank - 1 - i] != 1) strides[w->rank - 1 - i] = dense[rank - 1 - i];
    }
    ref_walk_add_strided(w, strides, 0);
}

void ref_walk_add_strided(ref_walk *w, const int64_t *strides, int64_t start) {
    for (uint32_t i = 0; i < w->rank; i++)
        w->strides[w->operands][i] = strides[i];
    w->at[w->operands++] = start;
}

void ref_walk_next(ref_walk *w) {
    if (--w->left == 0) return;
    for (uint32_t d = w->rank; d-- > 0;) {
        if (++w->index[d] < w->dims[d]) {
            for (uint32_t k = 0; k < w->operands; k++)
                w->at[k] += w->strides[k][d];
            return;
        }
        w->index[d] = 0;
        for (uint32_t k = 0; k < w->operands; k++)
            w->at[k] -= w->strides[k][d] * (w->dims[d] - 1);
    }
}

const char *ref_shape_text(uint32_t rank, const int64_t *dims, char *text) {
    size_t n = 1;
    text[0] = '[';
    text[1] = 0;
    for (uint32_t i = 0; i < rank && n < REF_SHAPE_TEXT_BYTES - 24; i++) {
        n += (size_t)snprintf(text + n, REF_SHAPE_TEXT_BYTES - n, "%s%" PRId64, i ? ", " : "",
                              dims[i]);
    }
    text[n] = ']';
    text[n + 1] = 0;
    return text;
}

/* Widens dims, of *rank, so that v broadcasts to them. */
static bool widen(const tensor_value *v, uint32_t *rank, int64_t *dims) {
    if (v->rank > *rank) {
        const uint32_t more = v->rank - *rank;
        memmove(dims + more, dims, *rank * sizeof *dims);
        for (uint32_t i = 0; i < more; i++)
            dims[i] = 1;
        *rank = v->rank;
    }
    for (uint32_t i = 0; i < v->rank; i++) {
        const int64_t dim = v->dims[v->rank - 1 - i];
        int64_t *to = dims + (*rank - 1 - i);
        if (*to == 1) *to = dim;
        if (dim != 1 && dim != *to) return false;
    }
    return true;
}

ondol_status ref_broadcast(const plan_call *c, tensor_value *const *values, uint32_t count,
                           uint32_t *rank, int64_t *dims, ondol_error *err) {
    char text[REF_SHAPE_TEXT_BYTES], so_far[REF_SHAPE_TEXT_BYTES];
    uint64_t elems = 0;
    *rank = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!values[i]) continue;
        ref_shape_text(*rank, dims, so_far);
        if (!widen(values[i], rank, dims)) {
            return plan_call_fail(c, err, "shape %s does not broadcast with %s",
                                  ref_shape_text(values[i]->rank, values[i]->dims, text), so_far);
        }
    }
    if (!ref_product(*rank, dims, &elems)) {
        return plan_call_fail(c, err, "the broadcast shape %s has too many elements",
                              ref_shape_text(*rank, dims, text));
    }
    return ONDOL_OK;
}

bool ref_broadcasts_to(uint32_t rank, const int64_t *dims, uint32_t to_rank,
                       const int64_t *to_dims) {
    if (rank > to_rank) return false;
    for (uint32_t i = 0; i < rank; i++) {
        const int64_t dim = dims[rank - 1 - i];
        if (dim != 1 && dim != to_dims[to_rank - 1 - i]) return false;
    }
    return true;
}

ref_split ref_split_at(const tensor_value *v, uint32_t axis) {
    ref_split s = {1, (uint64_t)v->dims[axis], 1};
    if (!ref_product(axis, v->dims, &s.outer)) s.outer = 0;
    if (!ref_product(v->rank - axis - 1, v->dims + axis + 1, &s.inner)) s.inner = 0;
    return s;
}

static ondol_status one_element(const plan_call *c, uint32_t i, tensor_value **out,
                                ondol_error *err) {
    ondol_status status = plan_call_tensor(c, i, out, err);
    if (status != ONDOL_OK) return status;
    const tensor_element_kind kind = tensor_element_kind_of((*out)->element);
    if (kind == TENSOR_KIND_STRING || kind == TENSOR_KIND_COMPLEX || kind == TENSOR_KIND_NONE) {
        return plan_call_fail(c, err, "input %" PRIu32 " has elements of type %s", i,
                              tensor_element_onnx_name((*out)->element));
    }
    if ((*out)->elems == 1) return ONDOL_OK;
    return plan_call_fail(c, err, "input %" PRIu32 " has %" PRIu64 " elements, expected 1", i,
                          (*out)->elems);
}

ondol_status ref_scalar_number(const plan_call *c, uint32_t i, double otherwise, double *out,
                               ondol_error *err) {
    tensor_value *v = NULL;
    *out = otherwise;
    if (!plan_call_input(c, i)) return ONDOL_OK;
    ondol_status status = one_element(c, i, &v, err);
    if (status == ONDOL_OK) *out = tensor_get_number(v->element, v->data, 0);
    return status;
}

ondol_status ref_scalar_integer(const plan_call *c, uint32_t i, int64_t otherwise, int64_t *out,
                                ondol_error *err) {
    tensor_value *v = NULL;
    *out = otherwise;
    if (!plan_call_input(c, i)) return ONDOL_OK;
    ondol_status status = one_element(c, i, &v, err);
    if (status != ONDOL_OK) return status;
    if (tensor_element_kind_of(v->element) == TENSOR_KIND_FLOAT) {
        return plan_call_fail(c, err,
                              "input %" PRIu32 " has elements of type %s, expected integers", i,
                              tensor_element_onnx_name(v->element));
    }
    *out = tensor_get_integer(v->element, v->data, 0);
    return ONDOL_OK;
}

ondol_status ref_listed_axes(const plan_call *c, uint32_t i, uint32_t rank, bool *is_listed,
                             uint32_t *count, ondol_error *err) {
    int64_t axes[TENSOR_MAX_RANK];
    ondol_status status = ONDOL_OK;
    *count = 0;
    memset(is_listed, 0, TENSOR_MAX_RANK * sizeof *is_listed);
    if (!plan_call_input(c, i)) return ONDOL_OK;
    TRY(plan_call_integers(c, i, TENSOR_MAX_RANK, axes, count, err));
    for (uint32_t k = 0; k < *count; k++) {
        uint32_t axis = 0;
        TRY(plan_call_axis(c, axes[k], rank, &axis, err));
        if (is_listed[axis])
            return plan_call_fail(c, err, "axis %" PRId64 " is listed twice", axes[k]);
        is_listed[axis] = true;
    }
done:
    return status;
}

ondol_status ref_alloc(const plan_call *c, uint64_t count, uint64_t item_bytes, const char *what,
                       void **out, ondol_error *err) {
    uint64_t bytes = 0;
    if (!base_mul(count, item_bytes, &bytes)) {
        return base_fail(err, ONDOL_E_LIMIT, "%s: %" PRIu64 " items of %" PRIu64 " bytes", what,
                         count, item_bytes);
    }
    return tensor_heap_alloc(c->heap, bytes, what, out, err);
}

ondol_status ref_copy_element(tensor_value *dst, uint64_t i, const tensor_value *src, uint64_t j,
                              ondol_error *err) {
    if (src->element == TENSOR_ELEMENT_STRING) {
        const tensor_string *s = (const tensor_string *)src->data + j;
        return tensor_value_set_string(dst, i, s->text, s->size_bytes, err);
    }
    const unsigned bits = tensor_element_bits(src->element);
    if (bits < 8) {
        tensor_set_code(src->element, dst->data, i, tensor_get_code(src->element, src->data, j));
        return ONDOL_OK;
    }
    const uint64_t bytes = bits / 8;
    memcpy((char *)dst->data + i * bytes, (const char *)src->data + j * bytes, (size_t)bytes);
    return ONDOL_OK;
}
