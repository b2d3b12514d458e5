/* Operators that look elements up. In: data, indices. Out: the elements that they name; an index
 * out of range is refused with where it stands. */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "device/host_box.h"
#include "device/host_ops.h"
#include "tensor/number.h"

static ondol_status take_indices(const plan_call *c, tensor_value **out, ondol_error *err) {
    ondol_status status = plan_call_tensor(c, 1, out, err);
    if (status != ONDOL_OK) return status;
    if ((*out)->element == TENSOR_ELEMENT_I64 || (*out)->element == TENSOR_ELEMENT_I32) {
        return ONDOL_OK;
    }
    return plan_call_fail(c, err, "indices of type %s, expected int32 or int64",
                          tensor_element_onnx_name((*out)->element));
}

/* Index i made non-negative. */
static ondol_status read_index(const plan_call *c, const tensor_value *indices, uint64_t i,
                               int64_t size, uint32_t axis, int64_t *out, ondol_error *err) {
    const int64_t given = tensor_get_integer(indices->element, indices->data, i);
    *out = given < 0 ? given + size : given;
    if (*out >= 0 && *out < size) return ONDOL_OK;
    return plan_call_fail(
        c, err, "index %" PRId64 " (at %" PRIu64 ") is out of range: axis %" PRIu32 " has %" PRId64,
        given, i, axis, size);
}

/* Copies `count` elements that lie together. */
static ondol_status move_run(tensor_value *dst, uint64_t to, const tensor_value *src, uint64_t from,
                             uint64_t count, ondol_error *err) {
    const unsigned bits = tensor_element_bits(dst->element);
    if (bits >= 8) {
        memcpy((char *)dst->data + to * (bits / 8), (const char *)src->data + from * (bits / 8),
               (size_t)(count * (bits / 8)));
        return ONDOL_OK;
    }
    ondol_status status = ONDOL_OK;
    for (uint64_t i = 0; i < count && status == ONDOL_OK; i++)
        status = host_move_element(dst, to + i, src, from + i, err);
    return status;
}

ondol_status host_gather(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *indices = NULL, *y = NULL;
    int64_t dims[2 * TENSOR_MAX_RANK];
    uint32_t axis = 0, rank = 0;
    uint64_t outer = 1, inner = 1;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(take_indices(c, &indices, err));
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), x->rank, &axis, err));
    for (uint32_t i = 0; i < axis; i++) {
        dims[rank++] = x->dims[i];
        outer *= (uint64_t)x->dims[i];
    }
    for (uint32_t i = 0; i < indices->rank; i++)
        dims[rank++] = indices->dims[i];
    for (uint32_t i = axis + 1; i < x->rank; i++) {
        dims[rank++] = x->dims[i];
        inner *= (uint64_t)x->dims[i];
    }
    TRY(plan_call_output(c, 0, x->element, rank, dims, &y, err));
    const uint64_t size = (uint64_t)x->dims[axis], count = indices->elems;
    for (uint64_t i = 0; i < count; i++) {
        int64_t at = 0;
        TRY(read_index(c, indices, i, (int64_t)size, axis, &at, err));
        for (uint64_t o = 0; y->elems && o < outer; o++) {
            TRY(move_run(y, (o * count + i) * inner, x, (o * size + (uint64_t)at) * inner, inner,
                         err));
        }
    }
done:
    return status;
}

ondol_status host_gather_elements(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *indices = NULL, *y = NULL;
    int64_t steps[TENSOR_MAX_RANK];
    uint32_t axis = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(take_indices(c, &indices, err));
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), x->rank, &axis, err));
    bool fits = indices->rank == x->rank;
    for (uint32_t d = 0; d < x->rank && fits; d++)
        fits = d == axis || indices->dims[d] <= x->dims[d];
    if (!fits) return plan_call_fail(c, err, "indices are larger than the data");
    TRY(plan_call_output(c, 0, x->element, indices->rank, indices->dims, &y, err));
    host_dense_steps(x->rank, x->dims, steps);
    for (uint64_t i = 0; i < y->elems; i++) {
        uint64_t rest = i;
        int64_t from = 0, at = 0;
        TRY(read_index(c, indices, i, x->dims[axis], axis, &at, err));
        for (uint32_t d = x->rank; d-- > 0;) {
            const int64_t place = (int64_t)(rest % (uint64_t)y->dims[d]);
            rest /= (uint64_t)y->dims[d];
            from += (d == axis ? at : place) * steps[d];
        }
        TRY(host_move_element(y, i, x, (uint64_t)from, err));
    }
done:
    return status;
}

ondol_status host_gather_nd(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *indices = NULL, *y = NULL;
    int64_t dims[2 * TENSOR_MAX_RANK], steps[TENSOR_MAX_RANK];
    uint32_t rank = 0;
    uint64_t run = 1, batch_runs = 1, batches = 1;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(take_indices(c, &indices, err));
    const int64_t batch = graph_get_int(c->g, c->node, "batch_dims");
    const int64_t depth = indices->rank ? indices->dims[indices->rank - 1] : 0;
    if (batch < 0 || batch >= indices->rank || batch >= x->rank || depth < 1 ||
        depth > x->rank - batch) {
        return plan_call_fail(c, err,
                              "indices of %" PRId64 " numbers behind %" PRId64
                              " batch dimensions, for data of rank %" PRIu32,
                              depth, batch, x->rank);
    }
    for (uint32_t i = 0; i + 1 < indices->rank; i++) {
        if (i < batch && indices->dims[i] != x->dims[i]) {
            return plan_call_fail(c, err, "batch dimension %" PRIu32 " differs", i);
        }
        if (i < batch)
            batches *= (uint64_t)x->dims[i];
        else
            batch_runs *= (uint64_t)indices->dims[i];
        dims[rank++] = indices->dims[i];
    }
    for (uint32_t i = (uint32_t)(batch + depth); i < x->rank; i++) {
        dims[rank++] = x->dims[i];
        run *= (uint64_t)x->dims[i];
    }
    TRY(plan_call_output(c, 0, x->element, rank, dims, &y, err));
    host_dense_steps(x->rank, x->dims, steps);
    const uint64_t batch_step = batches ? x->elems / batches : 0;
    for (uint64_t i = 0; i < batches * batch_runs; i++) {
        uint64_t from = i / batch_runs * batch_step;
        for (int64_t d = 0; d < depth; d++) {
            const uint32_t axis = (uint32_t)(batch + d);
            int64_t at = 0;
            TRY(read_index(c, indices, i * (uint64_t)depth + (uint64_t)d, x->dims[axis], axis, &at,
                           err));
            from += (uint64_t)(at * steps[axis]);
        }
        if (y->elems) TRY(move_run(y, i * run, x, from, run, err));
    }
done:
    return status;
}
