/* The machine's limits. In: an engine. Out: what its threads can read and multiply at most. */
#include <string.h>

#include "api/api_internal.h"
#include "device/cpu/measure.h"
#include "graph/ops.h"
#include "plan/plan.h"

ondol_status ondol_engine_measure(ondol_engine *engine, double *read_bytes_per_s,
                                  double *int8_ops_per_s, ondol_error *err) {
    base_mutex_lock(engine->step_lock);
    ondol_status status = cpu_measure_read(&engine->allocator, engine->pool, read_bytes_per_s, err);
    if (status == ONDOL_OK) *int8_ops_per_s = cpu_measure_int8(engine->pool, engine->isa);
    base_mutex_unlock(engine->step_lock);
    return status;
}

/* Products on rows that are wanted back alone are no work of a prompt's other tokens. */
static bool is_on_all_rows(const graph *g, graph_node_id id) {
    const graph_value *x = g->values + g->nodes[id].inputs[0];
    return x->shape.dims[0] < 0 &&
           strcmp(g->symbols[GRAPH_SYMBOL_INDEX(x->shape.dims[0])], "rows") == 0;
}

void ondol_model_cost(const ondol_model *model, double *decode_bytes, double *prefill_ops) {
    *decode_bytes = (double)model->weight_bytes;
    *prefill_ops = 2 * (double)model->parameters;
    if (model->written) return;
    const graph *g = model->decoder->lowered;
    *decode_bytes = *prefill_ops = 0;
    for (graph_node_id id = 0; id < g->node_count; id++) {
        const graph_node *n = g->nodes + id;
        for (uint32_t i = 1; n->op == GRAPH_OP_O_MATMUL && i < n->input_count; i += 2) {
            const graph_value *w = g->values + n->inputs[i];
            *decode_bytes += (double)w->data_bytes;
            if (is_on_all_rows(g, id))
                *prefill_ops += 2 * (double)w->shape.dims[0] * (double)w->shape.dims[1];
        }
    }
}

ondol_status ondol_model_profile_start(ondol_model *model, ondol_error *err) {
    ondol_engine *e = model->engine;
    plan_weights *w = model->weights;
    if (!w || model->written) {
        return base_fail(err, ONDOL_E_UNSUPPORTED,
                         "a graph that runs as it is written has no steps to take the time of");
    }
    const size_t count = 2 * (size_t)w->source->node_count;
    plan_step_time *times = base_calloc(&e->allocator, count ? count : 1, sizeof *times);
    if (!times) return base_no_memory(err, "profile", count * sizeof *times);
    base_mutex_lock(e->step_lock);
    base_free(&e->allocator, w->times);
    w->times = times;
    base_mutex_unlock(e->step_lock);
    return ONDOL_OK;
}

void ondol_model_profile(const ondol_model *model, ondol_profile_row row, void *user) {
    const plan_weights *w = model->weights;
    for (size_t i = 0; w && w->times && i < 2 * (size_t)w->source->node_count; i++) {
        const plan_step_time *t = w->times + i;
        const ondol_node_profile out = {.struct_size = sizeof out,
                                        .node = w->source->nodes[i / 2].name,
                                        .domain = "ondol",
                                        .op = plan_op_name(t->op),
                                        .device = t->device,
                                        .kernel = t->kernel ? t->kernel : "",
                                        .runs = t->runs,
                                        .time_ns = t->time_ns};
        if (t->runs) row(user, &out);
    }
}
