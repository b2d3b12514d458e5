/* If. In: a condition. Out: what the branch that it picks gives. */
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_util.h"

ondol_status ref_if(plan_call *c, ondol_error *err) {
    int64_t condition = 0;
    ondol_status status = ref_scalar_integer(c, 0, 0, &condition, err);
    if (status != ONDOL_OK) return status;
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
