/* CenterCropPad. In: a tensor, sizes. Out: its middle, with zeros around it where it is too small.
 */
#include <inttypes.h>
#include <string.h>

#include "device/host_box.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_move.h"
#include "device/ref/ops/ref_util.h"

/* The axes that `shape` is about; all where the attribute is absent. */
static ondol_status read_axes(const plan_call *c, uint32_t rank, uint32_t count, uint32_t *axes,
                              ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, "axes");
    bool seen[TENSOR_MAX_RANK] = {false};
    const uint32_t expected = a ? a->int_count : rank;
    if (count != expected) {
        return plan_call_fail(c, err, "a shape of %" PRIu32 " numbers for %" PRIu32 " axes", count,
                              expected);
    }
    for (uint32_t i = 0; i < count; i++) {
        ondol_status status = plan_call_axis(c, a ? a->ints[i] : i, rank, axes + i, err);
        if (status != ONDOL_OK) return status;
        if (seen[axes[i]]) {
            return plan_call_fail(c, err, "axis %" PRIu32 " is listed twice", axes[i]);
        }
        seen[axes[i]] = true;
    }
    return ONDOL_OK;
}

ondol_status ref_center_crop_pad(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    int64_t sizes[TENSOR_MAX_RANK], steps[TENSOR_MAX_RANK], dims[TENSOR_MAX_RANK];
    uint32_t count = 0, axes[TENSOR_MAX_RANK] = {0};
    host_box box = {0};
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(plan_call_integers(c, 1, TENSOR_MAX_RANK, sizes, &count, err));
    TRY(read_axes(c, x->rank, count, axes, err));
    memcpy(dims, x->dims, sizeof dims);
    for (uint32_t i = 0; i < count; i++)
        dims[axes[i]] = sizes[i];
    TRY(ref_zeros(c, 0, x->element, x->rank, dims, &y, err));
    ref_strides(x->rank, x->dims, steps);
    box.rank = x->rank;
    ref_strides(y->rank, dims, box.dst_step);
    memcpy(box.src_step, steps, sizeof steps);
    for (uint32_t d = 0; d < x->rank; d++) {
        const int64_t less = x->dims[d] < dims[d] ? x->dims[d] : dims[d];
        box.dims[d] = less;
        if (!less) continue;
        box.src_start += (x->dims[d] - less) / 2 * box.src_step[d];
        box.dst_start += (dims[d] - less) / 2 * box.dst_step[d];
    }
    TRY(host_box_move(c, &box, y, x, err));
done:
    return status;
}
