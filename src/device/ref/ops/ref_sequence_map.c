/* SequenceMap. In: a sequence, and more sequences as long or tensors. Out: what the body gives of
 * each item, in sequences. */
#include <inttypes.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_list.h"
#include "device/ref/ops/ref_util.h"

typedef struct mapping {
    const graph *body;
    tensor_value *first; /* the sequence that says how long all are */
    tensor_value **in, **out, **lists;
    void *memory;
} mapping;

static ondol_status set_up(plan_call *c, mapping *m, ondol_error *err) {
    const graph_attribute *body = graph_get_attribute(c->g, c->node, "body");
    ondol_status status = ONDOL_OK;
    TRY(ref_list_input(c, 0, &m->first, err));
    if (!body) return plan_call_fail(c, err, "it lacks a body");
    m->body = body->graphs[0];
    if (m->body->input_count != c->input_count || m->body->output_count != c->output_count) {
        return plan_call_fail(c, err,
                              "its body has %" PRIu32 " inputs and %" PRIu32
                              " outputs, expected %" PRIu32 " and %" PRIu32,
                              m->body->input_count, m->body->output_count, c->input_count,
                              c->output_count);
    }
    for (uint32_t i = 1; i < c->input_count; i++) {
        const tensor_value *v = c->inputs[i];
        if (!v) return plan_call_fail(c, err, "input %" PRIu32 " is missing", i);
        if (v->kind != TENSOR_VALUE_SEQUENCE || v->item_count == m->first->item_count) continue;
        return plan_call_fail(c, err, "input %" PRIu32 " has %" PRIu64 " items, expected %" PRIu64,
                              i, v->item_count, m->first->item_count);
    }
    const uint64_t count = (uint64_t)c->input_count + 2 * (uint64_t)c->output_count;
    TRY(ref_alloc(c, count, sizeof *m->in, "a map over a sequence", &m->memory, err));
    memset(m->memory, 0, count * sizeof *m->in);
    m->in = m->memory;
    m->out = m->in + c->input_count;
    m->lists = m->out + c->output_count;
    for (uint32_t i = 0; i < c->output_count; i++) {
        const graph_value *like = m->body->values + m->body->outputs[i];
        TRY(ref_list_output(c, i, TENSOR_VALUE_SEQUENCE, m->lists + i, err));
        m->lists[i]->element = like->element;
    }
done:
    return status;
}

static ondol_status map_item(plan_call *c, const mapping *m, uint64_t item, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < c->input_count; i++) {
        tensor_value *v = c->inputs[i];
        m->in[i] = v->kind == TENSOR_VALUE_SEQUENCE ? v->items[item] : v;
    }
    TRY(c->runtime->check_cancelled(c->runtime, err));
    TRY(c->runtime->run_subgraph(c->runtime, c, m->body, m->in, m->out, err));
    for (uint32_t i = 0; i < c->output_count; i++)
        TRY(ref_list_append(c, m->lists[i], m->out[i], err));
done:
    for (uint32_t i = 0; i < c->output_count; i++) {
        tensor_value_release(m->out[i]);
        m->out[i] = NULL;
    }
    return status;
}

ondol_status ref_sequence_map(plan_call *c, ondol_error *err) {
    mapping m = {0};
    ondol_status status = set_up(c, &m, err);
    for (uint64_t i = 0; status == ONDOL_OK && i < m.first->item_count; i++)
        status = map_item(c, &m, i, err);
    tensor_heap_free(c->heap, m.memory);
    return status;
}
