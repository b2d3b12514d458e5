/* If. In: a condition. Out: what the branch that it picks gives. */
#include <inttypes.h>

#include "device/host_ops.h"
#include "tensor/number.h"

ondol_status host_if(plan_call *c, ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = plan_call_typed(c, 0, TENSOR_ELEMENT_BOOL, &v, err);
    if (status != ONDOL_OK) return status;
    if (v->elems != 1)
        return plan_call_fail(c, err, "a condition of %" PRIu64 " elements, expected one",
                              v->elems);
    const bool condition = tensor_get_integer(v->element, v->data, 0) != 0;
    const graph_attribute *a =
        graph_get_attribute(c->g, c->node, condition ? "then_branch" : "else_branch");
    if (!a) return plan_call_fail(c, err, "it lacks a branch");
    const graph *branch = a->graphs[0];
    if (branch->input_count || branch->output_count != c->output_count) {
        return plan_call_fail(c, err, "branch '%s' has %u inputs and %u outputs, expected 0 and %u",
                              branch->name, branch->input_count, branch->output_count,
                              c->output_count);
    }
    return c->runtime->run_subgraph(c->runtime, c, branch, NULL, c->outputs, err);
}
