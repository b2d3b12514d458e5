/* Operators on optionals. In: a value, or none. Out: an optional of it, what one holds, whether it
 * holds anything. */
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_list.h"

ondol_status ref_optional(plan_call *c, ondol_error *err) {
    tensor_value *x = plan_call_input(c, 0), *out = NULL;
    const graph_attribute *type = graph_get_attribute(c->g, c->node, "type");
    if (!x && !type) return plan_call_fail(c, err, "it has neither an input nor a type");
    ondol_status status = ref_list_output(c, 0, TENSOR_VALUE_OPTIONAL, &out, err);
    if (status == ONDOL_OK && x) status = tensor_value_append(out, x, err);
    return status;
}

ondol_status ref_optional_get_element(plan_call *c, ondol_error *err) {
    tensor_value *x = plan_call_input(c, 0);
    if (!x || (x->kind == TENSOR_VALUE_OPTIONAL && !x->item_count)) {
        return plan_call_fail(c, err, "the optional has no element");
    }
    plan_call_give(c, 0, x->kind == TENSOR_VALUE_OPTIONAL ? x->items[0] : x);
    return ONDOL_OK;
}

ondol_status ref_optional_has_element(plan_call *c, ondol_error *err) {
    const tensor_value *x = plan_call_input(c, 0);
    tensor_value *y = NULL;
    ondol_status status = plan_call_output(c, 0, TENSOR_ELEMENT_BOOL, 0, NULL, &y, err);
    if (status != ONDOL_OK) return status;
    *(uint8_t *)y->data = x && (x->kind != TENSOR_VALUE_OPTIONAL || x->item_count);
    return ONDOL_OK;
}
