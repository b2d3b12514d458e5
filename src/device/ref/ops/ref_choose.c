/* Compress, NonZero, ReverseSequence. In: a tensor, which places of it. Out: those places, where
 * they are, or them in the other order. */
#include <inttypes.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_move.h"
#include "device/ref/ops/ref_util.h"
#include "tensor/number.h"

/* Compress along an axis, or of all elements in a row where the axis is absent. */
ondol_status ref_compress(plan_call *c, ondol_error *err) {
    const graph_attribute *given = graph_get_attribute(c->g, c->node, "axis");
    tensor_value *x = NULL, *condition = NULL, *y = NULL;
    int64_t dims[TENSOR_MAX_RANK] = {0}, kept = 0;
    uint32_t axis = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(plan_call_typed(c, 1, TENSOR_ELEMENT_BOOL, &condition, err));
    ref_split s = {1, x->elems, 1};
    if (given) {
        TRY(plan_call_axis(c, given->i, x->rank, &axis, err));
        memcpy(dims, x->dims, sizeof dims);
        s = ref_split_at(x, axis);
    }
    if (condition->rank != 1 || condition->elems > s.axis) {
        return plan_call_fail(
            c, err, "a condition of rank %" PRIu32 " and %" PRIu64 " elements for %" PRIu64,
            condition->rank, condition->elems, s.axis);
    }
    const uint8_t *keep = condition->data;
    for (uint64_t i = 0; i < condition->elems; i++)
        kept += keep[i] != 0;
    dims[axis] = kept;
    TRY(plan_call_output(c, 0, x->element, given ? x->rank : 1, dims, &y, err));
    if (!y->elems) goto done;
    for (uint64_t o = 0, to = 0; o < s.outer; o++) {
        for (uint64_t i = 0; i < condition->elems; i++) {
            if (!keep[i]) continue;
            TRY(ref_move_run(y, to, x, (o * s.axis + i) * s.inner, s.inner, err));
            to += s.inner;
        }
    }
done:
    return status;
}

static bool is_zero(const tensor_value *x, uint64_t i) {
    const tensor_element part =
        x->element == TENSOR_ELEMENT_C64 ? TENSOR_ELEMENT_F32 : TENSOR_ELEMENT_F64;
    switch (tensor_element_kind_of(x->element)) {
    case TENSOR_KIND_STRING: return ((const tensor_string *)x->data)[i].size_bytes == 0;
    case TENSOR_KIND_COMPLEX:
        return tensor_get_number(part, x->data, 2 * i) == 0 &&
               tensor_get_number(part, x->data, 2 * i + 1) == 0;
    default: return tensor_get_number(x->element, x->data, i) == 0;
    }
}

/* NonZero: [rank, count], the indices of each element that is not 0. */
ondol_status ref_non_zero(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    uint64_t count = 0, at = 0;
    ref_walk w;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    for (uint64_t i = 0; i < x->elems; i++)
        count += !is_zero(x, i);
    const int64_t dims[2] = {x->rank, (int64_t)count};
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_I64, 2, dims, &y, err));
    ref_walk_begin(&w, x->rank, x->dims);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        if (is_zero(x, i)) continue;
        for (uint32_t d = 0; d < x->rank; d++)
            ((int64_t *)y->data)[d * count + at] = w.index[d];
        at++;
    }
done:
    return status;
}

/* ReverseSequence: the first sequence_lens[b] places in time of batch entry b, last one first. */
ondol_status ref_reverse_sequence(plan_call *c, ondol_error *err) {
    const int64_t batch = graph_get_int(c->g, c->node, "batch_axis");
    const int64_t time = graph_get_int(c->g, c->node, "time_axis");
    tensor_value *x = NULL, *lengths = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(plan_call_typed(c, 1, TENSOR_ELEMENT_I64, &lengths, err));
    if (x->rank < 2 || batch < 0 || batch > 1 || time != 1 - batch) {
        return plan_call_fail(c, err,
                              "batch_axis %" PRId64 " and time_axis %" PRId64 " of rank %" PRIu32
                              ", expected 0 and 1 or 1 and 0",
                              batch, time, x->rank);
    }
    if (lengths->rank != 1 || lengths->dims[0] != x->dims[batch]) {
        return plan_call_fail(c, err, "%" PRIu64 " lengths for %" PRId64 " sequences",
                              lengths->elems, x->dims[batch]);
    }
    for (uint64_t b = 0; b < lengths->elems; b++) {
        const int64_t n = tensor_get_integer(lengths->element, lengths->data, b);
        if (n >= 0 && n <= x->dims[time]) continue;
        return plan_call_fail(
            c, err, "sequence %" PRIu64 " of length %" PRId64 ", but axis %" PRId64 " has %" PRId64,
            b, n, time, x->dims[time]);
    }
    TRY(plan_call_output(c, 0, x->element, x->rank, x->dims, &y, err));
    const ref_split s = ref_split_at(x, 1);
    for (uint64_t i = 0; y->elems && i < s.outer; i++) {
        for (uint64_t k = 0; k < s.axis; k++) {
            const uint64_t at = time ? k : i;
            const int64_t length =
                tensor_get_integer(lengths->element, lengths->data, time ? i : k);
            const uint64_t n = (uint64_t)length;
            const uint64_t from = at < n ? n - 1 - at : at;
            const uint64_t place = time ? i * s.axis + from : from * s.axis + k;
            TRY(ref_move_run(y, (i * s.axis + k) * s.inner, x, place * s.inner, s.inner, err));
        }
    }
done:
    return status;
}
