/* EyeLike, Trilu, OneHot. In: a matrix, or indices. Out: ones on a diagonal, what is above or below
 * one, ones where the indices say. */
#include <inttypes.h>
#include <string.h>

#include "device/host_box.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_move.h"
#include "device/ref/ops/ref_number.h"

ondol_status ref_eye_like(plan_call *c, ondol_error *err) {
    const graph_attribute *dtype = graph_get_attribute(c->g, c->node, "dtype");
    const int64_t k = graph_get_int(c->g, c->node, "k");
    tensor_value *x = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    const int64_t element = dtype ? dtype->i : (int64_t)x->element;
    if (x->rank != 2) {
        return plan_call_fail(c, err, "an input of rank %" PRIu32 ", expected 2", x->rank);
    }
    if (!tensor_element_valid(element) ||
        !(ref_class_of((tensor_element)element) & (REF_CLASS_NUMBER | REF_CLASS_BOOL))) {
        return plan_call_fail(c, err, "dtype %" PRId64, element);
    }
    TRY(ref_zeros(c, 0, (tensor_element)element, 2, x->dims, &y, err));
    const int64_t rows = x->dims[0], columns = x->dims[1];
    if (k >= columns || k <= -rows) goto done;
    for (int64_t i = k < 0 ? -k : 0; i < rows && i + k < columns; i++)
        tensor_set_integer(y->element, y->data, (uint64_t)(i * columns + i + k), 1);
done:
    return status;
}

ondol_status ref_trilu(plan_call *c, ondol_error *err) {
    const bool upper = graph_get_int(c->g, c->node, "upper") != 0;
    tensor_value *x = NULL, *y = NULL;
    int64_t k = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(ref_scalar_integer(c, 1, 0, &k, err));
    if (x->rank < 2) {
        return plan_call_fail(c, err, "an input of rank %" PRIu32 ", expected 2 or more", x->rank);
    }
    TRY(ref_zeros(c, 0, x->element, x->rank, x->dims, &y, err));
    const int64_t rows = x->dims[x->rank - 2], columns = x->dims[x->rank - 1];
    if (!y->elems) goto done;
    for (uint64_t row = 0; row < x->elems / (uint64_t)columns; row++) {
        const int64_t r = (int64_t)(row % (uint64_t)rows);
        /* Place r + k of a row is on the diagonal; neither sum may overflow. */
        int64_t cut = k >= columns - r ? columns : k <= -r ? 0 : r + k;
        if (!upper && k >= -r && cut < columns) cut++; /* the diagonal itself */
        const uint64_t first = row * (uint64_t)columns, at = first + (uint64_t)cut;
        if (upper)
            TRY(ref_move_run(y, at, x, at, (uint64_t)(columns - cut), err));
        else
            TRY(ref_move_run(y, first, x, first, (uint64_t)cut, err));
    }
done:
    return status;
}

static ondol_status read_depth(const plan_call *c, int64_t *out, ondol_error *err) {
    double depth = 0;
    ondol_status status = ref_scalar_number(c, 1, 0, &depth, err);
    if (status != ONDOL_OK) return status;
    if (!(depth >= 0 && depth < 0x1p62)) return plan_call_fail(c, err, "a depth of %g", depth);
    const tensor_value *v = c->inputs[1];
    *out = tensor_get_integer(v->element, v->data, 0);
    return ONDOL_OK;
}

ondol_status ref_one_hot(plan_call *c, ondol_error *err) {
    tensor_value *indices = NULL, *depth_input = NULL, *values = NULL, *y = NULL;
    int64_t dims[TENSOR_MAX_RANK + 1], depth = 0;
    uint32_t axis = 0;
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_NUMBER, &indices, err));
    TRY(ref_input(c, 1, REF_CLASS_NUMBER, &depth_input, err));
    TRY(read_depth(c, &depth, err));
    TRY(plan_call_tensor(c, 2, &values, err));
    if (values->elems != 2) {
        return plan_call_fail(c, err, "%" PRIu64 " values, expected off and on", values->elems);
    }
    const uint32_t rank = indices->rank + 1;
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), rank, &axis, err));
    for (uint32_t d = 0; d < rank; d++)
        dims[d] = d == axis ? depth : indices->dims[d - (d > axis)];
    TRY(plan_call_output(c, 0, values->element, rank, dims, &y, err));
    TRY(host_fill(y, 0, y->elems, values, 0, err));
    if (!y->elems) goto done;
    const ref_split s = ref_split_at(y, axis);
    for (uint64_t i = 0; i < indices->elems; i++) {
        const int64_t given = tensor_get_integer(indices->element, indices->data, i);
        const int64_t at = given < 0 ? given + depth : given;
        /* An unsigned index past int64 reads as negative. */
        const bool wrapped = given < 0 && indices->element == TENSOR_ELEMENT_U64;
        if (wrapped || at < 0 || at >= depth) continue;
        const uint64_t to = (i / s.inner * s.axis + (uint64_t)at) * s.inner + i % s.inner;
        TRY(host_move_element(y, to, values, 1, err));
    }
done:
    return status;
}
