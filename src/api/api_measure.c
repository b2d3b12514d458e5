/* The machine's limits. In: an engine. Out: what its threads can read and multiply at most. */
#include <string.h>

#include "api/api_internal.h"
#include "device/cpu/measure.h"
#include "graph/ops.h"

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
