/* Outputs. In: an input whose shape they have. Out: new memory, or the input's own. */
#include "device/cpu/ops/cpu_output.h"

ondol_status cpu_output_like(plan_call *c, uint32_t i, tensor_value *x, tensor_value **out,
                             ondol_error *err) {
    for (uint32_t k = 0; k < c->input_count; k++) {
        if (c->inputs[k] != x || !c->disposable[k] || !tensor_value_is_own(x)) continue;
        plan_call_give(c, i, x);
        *out = x;
        return ONDOL_OK;
    }
    ondol_status status = plan_call_output(c, i, x->element, x->rank, x->dims, out, err);
    if (status == ONDOL_OK) (*out)->channels_last = x->channels_last;
    return status;
}
