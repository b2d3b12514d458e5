/* Loop. In: a trip count, a condition, carried values. Out: the carried values at the end, and the
 * scan outputs of all iterations stacked. The runtime's max_iterations ends what has no end. */
#include <inttypes.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_stack.h"
#include "device/ref/ops/ref_util.h"

typedef struct looping {
    const graph *body;
    uint32_t carried, scans;
    tensor_value **in;  /* iteration, condition, carried */
    tensor_value **out; /* condition, carried, scans */
    ref_stack *stacks;  /* [scans] */
    void *memory;
} looping;

static ondol_status set_up(plan_call *c, looping *l, ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, "body");
    if (!a) return plan_call_fail(c, err, "it lacks a body");
    l->body = a->graphs[0];
    l->carried = c->input_count > 2 ? c->input_count - 2 : 0;
    if (l->body->input_count != l->carried + 2 || l->body->output_count < l->carried + 1 ||
        c->output_count != l->body->output_count - 1) {
        return plan_call_fail(c, err,
                              "its body has %u inputs and %u outputs for %u carried values "
                              "and %u outputs",
                              l->body->input_count, l->body->output_count, l->carried,
                              c->output_count);
    }
    l->scans = l->body->output_count - 1 - l->carried;
    const uint64_t pointers = (uint64_t)l->body->input_count + l->body->output_count;
    const uint64_t bytes = pointers * sizeof *l->in + l->scans * sizeof *l->stacks;
    ondol_status status = tensor_heap_alloc(c->heap, bytes, "a loop", &l->memory, err);
    if (status != ONDOL_OK) return status;
    memset(l->memory, 0, (size_t)bytes);
    l->in = l->memory;
    l->out = l->in + l->body->input_count;
    l->stacks = (ref_stack *)(void *)(l->out + l->body->output_count);
    return ONDOL_OK;
}

static ondol_status make_scalar(plan_call *c, tensor_element e, int64_t value, tensor_value **out,
                                ondol_error *err) {
    tensor_value_release(*out);
    *out = NULL;
    ondol_status status = tensor_value_create(c->heap, e, 0, NULL, out, err);
    if (status != ONDOL_OK) return status;
    if (e == TENSOR_ELEMENT_I64)
        memcpy((*out)->data, &value, sizeof value);
    else
        *(bool *)(*out)->data = value != 0;
    return ONDOL_OK;
}

static ondol_status read_condition(const plan_call *c, const tensor_value *v, bool *out,
                                   ondol_error *err) {
    if (v->kind != TENSOR_VALUE_TENSOR || v->element != TENSOR_ELEMENT_BOOL || v->elems != 1) {
        return plan_call_fail(c, err, "the condition is no single bool");
    }
    *out = *(const unsigned char *)v->data != 0;
    return ONDOL_OK;
}

/* One iteration: carried values move from out to in, scan outputs to their stacks. */
static ondol_status iterate(plan_call *c, looping *l, int64_t i, bool *go_on, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    TRY(make_scalar(c, TENSOR_ELEMENT_I64, i, l->in, err));
    TRY(make_scalar(c, TENSOR_ELEMENT_BOOL, *go_on, l->in + 1, err));
    TRY(c->runtime->run_subgraph(c->runtime, c, l->body, l->in, l->out, err));
    TRY(read_condition(c, l->out[0], go_on, err));
    for (uint32_t k = 0; k < l->scans; k++)
        TRY(ref_stack_add(c, l->stacks + k, l->out[1 + l->carried + k], err));
    for (uint32_t k = 0; k < l->carried; k++) {
        tensor_value_release(l->in[2 + k]);
        l->in[2 + k] = l->out[1 + k];
        l->out[1 + k] = NULL;
    }
done:
    for (uint32_t k = 0; k < l->body->output_count; k++) {
        tensor_value_release(l->out[k]);
        l->out[k] = NULL;
    }
    return status;
}

static ondol_status run(plan_call *c, looping *l, ondol_error *err) {
    int64_t trips = INT64_MAX, condition = 1;
    ondol_status status = ONDOL_OK;
    TRY(ref_scalar_integer(c, 0, INT64_MAX, &trips, err));
    TRY(ref_scalar_integer(c, 1, 1, &condition, err));
    bool go_on = condition != 0;
    for (uint32_t k = 0; k < l->carried; k++) {
        tensor_value *v = plan_call_input(c, 2 + k);
        if (!v) return plan_call_fail(c, err, "carried value %" PRIu32 " is missing", k);
        l->in[2 + k] = tensor_value_retain(v);
    }
    for (int64_t i = 0; i < trips && go_on; i++) {
        if ((uint64_t)i >= c->runtime->max_iterations) {
            return base_fail(err, ONDOL_E_LIMIT,
                             "node '%s' (Loop): it did not end after %" PRIu64 " iterations",
                             c->g->nodes[c->node].name, c->runtime->max_iterations);
        }
        TRY(c->runtime->check_cancelled(c->runtime, err));
        TRY(iterate(c, l, i, &go_on, err));
    }
    for (uint32_t k = 0; k < l->carried; k++)
        plan_call_give(c, k, l->in[2 + k]);
    for (uint32_t k = 0; k < l->scans; k++) {
        const graph_value *like = l->body->values + l->body->outputs[1 + l->carried + k];
        TRY(ref_stack_give(c, l->stacks + k, l->carried + k, 0, false, like, err));
    }
done:
    return status;
}

ondol_status ref_loop(plan_call *c, ondol_error *err) {
    looping l = {0};
    ondol_status status = set_up(c, &l, err);
    if (status == ONDOL_OK) status = run(c, &l, err);
    if (l.memory) {
        for (uint32_t k = 0; k < l.body->input_count; k++)
            tensor_value_release(l.in[k]);
        for (uint32_t k = 0; k < l.scans; k++)
            ref_stack_drop(l.stacks + k);
        tensor_heap_free(c->heap, l.memory);
    }
    return status;
}
