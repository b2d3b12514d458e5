/* Identity. In: a value of any kind. Out: the same value. */
#include "device/ref/ops/ref_kernels.h"

ondol_status ref_identity(plan_call *c, ondol_error *err) {
    tensor_value *x = plan_call_input(c, 0);
    if (!x) return plan_call_fail(c, err, "input 0 is missing");
    plan_call_give(c, 0, x);
    return ONDOL_OK;
}
