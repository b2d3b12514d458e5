/* Scan. In: carried values, and tensors that are walked along an axis. Out: the carried values at
 * the end, and what each step gave, stacked. */
#include <inttypes.h>
#include <string.h>

#include "device/host_box.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_stack.h"
#include "device/ref/ops/ref_util.h"

typedef struct scanning {
    const graph *body;
    uint32_t carried, walked, scans;
    int64_t length;
    tensor_value **in, **out;
    ref_stack *stacks;
    void *memory;
} scanning;

/* Item i of a list of ints; 0 where the node has none. Errors: FORMAT (a list of another length).
 */
static ondol_status list_at(const plan_call *c, const char *name, uint32_t i, uint32_t count,
                            int64_t *out, ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, name);
    *out = 0;
    if (!a) return ONDOL_OK;
    if (a->int_count != count) {
        return plan_call_fail(c, err, "%s has %" PRIu32 " numbers, expected %" PRIu32, name,
                              a->int_count, count);
    }
    *out = a->ints[i];
    return ONDOL_OK;
}

/* Whether tensor i is walked or written from its end. Errors: FORMAT (neither 0 nor 1). */
static ondol_status read_direction(const plan_call *c, const char *name, uint32_t i, uint32_t count,
                                   bool *out, ondol_error *err) {
    int64_t given = 0;
    ondol_status status = list_at(c, name, i, count, &given, err);
    if (status != ONDOL_OK) return status;
    if (given != 0 && given != 1) {
        return plan_call_fail(c, err, "%s has %" PRId64 ", expected 0 or 1", name, given);
    }
    *out = given != 0;
    return ONDOL_OK;
}

static ondol_status set_up(plan_call *c, scanning *s, ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(c->g, c->node, "body");
    const int64_t walked = graph_get_int(c->g, c->node, "num_scan_inputs");
    if (!a || walked < 1 || walked > c->input_count) {
        return plan_call_fail(c, err, "%" PRId64 " scan inputs among %" PRIu32, walked,
                              c->input_count);
    }
    s->body = a->graphs[0];
    s->walked = (uint32_t)walked;
    s->carried = c->input_count - s->walked;
    if (s->body->input_count != c->input_count || s->body->output_count != c->output_count ||
        s->body->output_count < s->carried) {
        return plan_call_fail(c, err, "its body has %u inputs and %u outputs, expected %u and %u",
                              s->body->input_count, s->body->output_count, c->input_count,
                              c->output_count);
    }
    s->scans = s->body->output_count - s->carried;
    const uint64_t bytes =
        ((uint64_t)s->body->input_count + s->body->output_count) * sizeof *s->in +
        s->scans * sizeof *s->stacks;
    ondol_status status = tensor_heap_alloc(c->heap, bytes, "a scan", &s->memory, err);
    if (status != ONDOL_OK) return status;
    memset(s->memory, 0, (size_t)bytes);
    s->in = s->memory;
    s->out = s->in + s->body->input_count;
    s->stacks = (ref_stack *)(void *)(s->out + s->body->output_count);
    return ONDOL_OK;
}

/* Step `step` of scan input k: a slice along its axis, without that dimension. */
static ondol_status take_step(plan_call *c, const scanning *s, uint32_t k, int64_t step,
                              tensor_value **out, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    int64_t axis_given = 0, steps[TENSOR_MAX_RANK];
    bool backwards = false;
    uint32_t axis = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, s->carried + k, &x, err));
    TRY(list_at(c, "scan_input_axes", k, s->walked, &axis_given, err));
    TRY(read_direction(c, "scan_input_directions", k, s->walked, &backwards, err));
    TRY(plan_call_axis(c, axis_given, x->rank, &axis, err));
    host_box box = {.rank = x->rank - 1};
    host_dense_steps(x->rank, x->dims, steps);
    for (uint32_t d = 0; d < box.rank; d++) {
        box.dims[d] = x->dims[d + (d >= axis)];
        box.src_step[d] = steps[d + (d >= axis)];
    }
    box.src_start = (backwards ? s->length - 1 - step : step) * steps[axis];
    TRY(tensor_value_create(c->heap, x->element, box.rank, box.dims, &y, err));
    host_dense_steps(y->rank, y->dims, box.dst_step);
    status = host_box_move(c, &box, y, x, err);
    if (status == ONDOL_OK)
        *out = y;
    else
        tensor_value_release(y);
done:
    return status;
}

static ondol_status find_length(plan_call *c, scanning *s, ondol_error *err) {
    for (uint32_t k = 0; k < s->walked; k++) {
        tensor_value *x = NULL;
        int64_t given = 0;
        uint32_t axis = 0;
        ondol_status status = ONDOL_OK;
        TRY(plan_call_tensor(c, s->carried + k, &x, err));
        TRY(list_at(c, "scan_input_axes", k, s->walked, &given, err));
        TRY(plan_call_axis(c, given, x->rank, &axis, err));
        if (k && x->dims[axis] != s->length) {
            return plan_call_fail(c, err, "scan inputs of %" PRId64 " and %" PRId64 " steps",
                                  s->length, x->dims[axis]);
        }
        s->length = x->dims[axis];
    done:
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

static ondol_status iterate(plan_call *c, scanning *s, int64_t step, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    for (uint32_t k = 0; k < s->walked; k++) {
        tensor_value_release(s->in[s->carried + k]);
        s->in[s->carried + k] = NULL;
        TRY(take_step(c, s, k, step, s->in + s->carried + k, err));
    }
    TRY(c->runtime->run_subgraph(c->runtime, c, s->body, s->in, s->out, err));
    for (uint32_t k = 0; k < s->scans; k++)
        TRY(ref_stack_add(c, s->stacks + k, s->out[s->carried + k], err));
    for (uint32_t k = 0; k < s->carried; k++) {
        tensor_value_release(s->in[k]);
        s->in[k] = s->out[k];
        s->out[k] = NULL;
    }
done:
    for (uint32_t k = 0; k < s->body->output_count; k++) {
        tensor_value_release(s->out[k]);
        s->out[k] = NULL;
    }
    return status;
}

static ondol_status run(plan_call *c, scanning *s, ondol_error *err) {
    ondol_status status = find_length(c, s, err);
    if (status != ONDOL_OK) return status;
    for (uint32_t k = 0; k < s->carried; k++) {
        tensor_value *v = plan_call_input(c, k);
        if (!v) return plan_call_fail(c, err, "carried value %" PRIu32 " is missing", k);
        s->in[k] = tensor_value_retain(v);
    }
    for (int64_t i = 0; i < s->length; i++) {
        TRY(c->runtime->check_cancelled(c->runtime, err));
        TRY(iterate(c, s, i, err));
    }
    for (uint32_t k = 0; k < s->carried; k++)
        plan_call_give(c, k, s->in[k]);
    for (uint32_t k = 0; k < s->scans; k++) {
        int64_t axis = 0;
        bool backwards = false;
        TRY(list_at(c, "scan_output_axes", k, s->scans, &axis, err));
        TRY(read_direction(c, "scan_output_directions", k, s->scans, &backwards, err));
        TRY(ref_stack_give(c, s->stacks + k, s->carried + k, axis, backwards,
                           s->body->values + s->body->outputs[s->carried + k], err));
    }
done:
    return status;
}

ondol_status ref_scan(plan_call *c, ondol_error *err) {
    scanning s = {0};
    ondol_status status = set_up(c, &s, err);
    if (status == ONDOL_OK) status = run(c, &s, err);
    if (s.memory) {
        for (uint32_t k = 0; k < s.body->input_count; k++)
            tensor_value_release(s.in[k]);
        for (uint32_t k = 0; k < s.scans; k++)
            ref_stack_drop(s.stacks + k);
        tensor_heap_free(c->heap, s.memory);
    }
    return status;
}
