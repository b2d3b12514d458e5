/* RotaryEmbedding of com.microsoft. In: heads, positions, tables. Out: the first pairs of each head
 * turned by its position. The attribute scale is read by no implementation. */
#include "device/ref/ops/ref_ms_rotary.h"

#include <inttypes.h>

#include "device/ref/ops/ref_kernels.h"

ondol_status ref_ms_rotary_begin(const plan_call *c, uint32_t i, bool interleaved,
                                 ref_ms_rotary *out, ondol_error *err) {
    tensor_value *cosines = NULL, *sines = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, i, &cosines, err));
    TRY(ref_float_input(c, i + 1, &sines, err));
    TRY(ref_ms_expect_rank(c, "cos_cache", cosines, 2, err));
    TRY(ref_expect_dims(c, "sin_cache", sines, 2, cosines->dims, err));
    *out = (ref_ms_rotary){
        cosines,    sines, cosines->dims[0], (uint64_t)cosines->dims[1], (uint64_t)cosines->dims[1],
        interleaved};
done:
    return status;
}

void ref_ms_rotate(const ref_ms_rotary *r, int64_t position, double *x) {
    const uint64_t row = (uint64_t)position * r->width;
    for (uint64_t i = 0; i < r->half; i++) {
        const double cosine = tensor_get_number(r->cos->element, r->cos->data, row + i);
        const double sine = tensor_get_number(r->sin->element, r->sin->data, row + i);
        double *a = x + (r->interleaved ? 2 * i : i), *b = r->interleaved ? a + 1 : a + r->half;
        const double real = *a * cosine - *b * sine, imaginary = *b * cosine + *a * sine;
        *a = real;
        *b = imaginary;
    }
}

/* x as [batch][rows][heads][size] or, transposed, [batch][heads][rows][size]. */
typedef struct rotary_call {
    const tensor_value *x, *positions;
    tensor_value *y;
    ref_ms_rotary rotary;
    uint64_t batch, rows, heads, size;
    bool is_transposed;
} rotary_call;

static ondol_status find_heads(const plan_call *c, rotary_call *r, ondol_error *err) {
    const tensor_value *x = r->x;
    const int64_t heads = graph_get_int(c->g, c->node, "num_heads");
    const int64_t dim = graph_get_int(c->g, c->node, "rotary_embedding_dim");
    char text[REF_SHAPE_TEXT_BYTES];
    if (x->rank != 3 && x->rank != 4) return ref_ms_expect_rank(c, "the input", x, 3, err);
    r->is_transposed = x->rank == 4;
    r->batch = (uint64_t)x->dims[0];
    r->rows = (uint64_t)x->dims[r->is_transposed ? 2 : 1];
    if (heads < 0 || dim < 0) {
        return plan_call_fail(c, err, "num_heads is %" PRId64 ", rotary_embedding_dim %" PRId64,
                              heads, dim);
    }
    const uint64_t hidden = (uint64_t)x->dims[x->rank - 1];
    if (r->is_transposed) {
        r->heads = (uint64_t)x->dims[1];
        r->size = hidden;
    } else if (dim > 0) {
        r->heads = (uint64_t)heads;
        r->size = heads ? hidden / (uint64_t)heads : 0;
    } else {
        r->size = 2 * r->rotary.half;
        r->heads = r->size ? hidden / r->size : 0;
    }
    const bool has_half =
        dim == 0 ? 2 * r->rotary.half == r->size
                 : (uint64_t)dim == 2 * r->rotary.half || 2 * r->rotary.half == r->size;
    if (dim > 0 && (uint64_t)dim < 2 * r->rotary.half) r->rotary.half = (uint64_t)dim / 2;
    if (has_half && 2 * r->rotary.half <= r->size && (uint64_t)dim <= r->size &&
        (r->is_transposed || r->heads * r->size == hidden))
        return ONDOL_OK;
    return plan_call_fail(c, err,
                          "an input of shape %s does not fit %" PRIu64
                          " pairs of cosines and sines, num_heads %" PRId64
                          " and rotary_embedding_dim %" PRId64,
                          ref_shape_text(x->rank, x->dims, text), r->rotary.half, heads, dim);
}

/* One position: a number to start from; or one for each row. */
static ondol_status check_positions(const plan_call *c, const rotary_call *r, ondol_error *err) {
    const tensor_value *p = r->positions;
    const int64_t dims[2] = {(int64_t)r->batch, (int64_t)r->rows};
    const bool is_start = p->elems == 1 && p->rank < 2;
    const int64_t more = is_start ? dims[1] - 1 : 0;
    if (!is_start) {
        ondol_status status = ref_expect_dims(c, "position_ids", p, 2, dims, err);
        if (status != ONDOL_OK) return status;
    }
    for (uint64_t i = 0; i < p->elems; i++) {
        const int64_t position = tensor_get_integer(p->element, p->data, i);
        if (position < 0 || position >= r->rotary.positions ||
            position + more >= r->rotary.positions) {
            return plan_call_fail(c, err,
                                  "position %" PRId64 " of %" PRId64 " in cos_cache and sin_cache",
                                  position, r->rotary.positions);
        }
    }
    return ONDOL_OK;
}

ondol_status ref_ms_rotary_embedding(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *positions = NULL;
    rotary_call r = {0};
    double *head = NULL;
    ondol_status status = ONDOL_OK;
    const bool interleaved = graph_get_int(c->g, c->node, "interleaved") != 0;
    TRY(ref_float_input(c, 0, &x, err));
    TRY(plan_call_typed(c, 1, TENSOR_ELEMENT_I64, &positions, err));
    TRY(ref_ms_rotary_begin(c, 2, interleaved, &r.rotary, err));
    r.x = x;
    r.positions = positions;
    TRY(find_heads(c, &r, err));
    TRY(check_positions(c, &r, err));
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &r.y, err));
    TRY(ref_ms_doubles(c, r.size, "a head", &head, err));
    const uint64_t inner = r.is_transposed ? r.rows : r.heads;
    const uint64_t outer = r.is_transposed ? r.heads : r.rows;
    for (uint64_t i = 0; x->elems && i < r.batch * outer * inner; i++) {
        const uint64_t row = r.is_transposed ? i % inner : i / inner % outer;
        const uint64_t batch = i / inner / outer;
        const bool is_start = positions->rank < 2 && positions->elems == 1;
        int64_t position = tensor_get_integer(positions->element, positions->data,
                                              is_start ? 0 : batch * r.rows + row);
        if (is_start) position += (int64_t)row;
        ref_load_numbers(x, i * r.size, r.size, head);
        ref_ms_rotate(&r.rotary, position, head);
        ref_store_numbers(r.y, i * r.size, r.size, head);
    }
done:
    tensor_heap_free(c->heap, head);
    return status;
}
