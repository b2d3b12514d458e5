/* Printing. In: a plan, or a graph and devices. Out: text for people. */
#include <inttypes.h>
#include <string.h>

#include "graph/ops.h"
#include "base/map.h"
#include "plan/plan.h"

const char *plan_op_name(plan_op op) {
    static const char *const names[PLAN_OP_COUNT] = {
        "quantize",   "embed",  "rotary_table", "rotary_rows", "rms_norm",
        "layer_norm", "matmul", "rope",         "attention",   "gated_activation",
        "activation", "add",    "scale",        "softcap",     "select_rows"};
    return op < PLAN_OP_COUNT ? names[op] : "unknown";
}

static void print_value(const plan *p, uint32_t id, base_buffer *out) {
    static const char *const rows[] = {"", "R", "O", "L"};
    if (id == PLAN_NONE) return;
    const plan_value *v = p->values + id;
    const graph_value *source = p->source->values + v->source;
    if (v->storage == PLAN_STORAGE_BLOCK) {
        base_buffer_append_format(out, " %s", source->name);
    } else if (v->storage == PLAN_STORAGE_SCRATCH) {
        base_buffer_append_format(out, " @%" PRIu64 "[%s,%u]", v->offset, rows[v->rows],
                                  v->columns);
        if (v->activation == PLAN_ACTIVATION_Q8) base_buffer_append_text(out, "q8");
    } else {
        base_buffer_append_format(out, " %s", source->name);
    }
}

static void print_step(const plan *p, uint32_t i, base_buffer *out) {
    const plan_step *s = p->steps + i;
    const char *name = s->node == GRAPH_NONE ? "" : p->source->nodes[s->node].name;
    base_buffer_append_format(out, "%4u %-6s %-17s %-28s", i, p->devices[s->device]->ops->name,
                              plan_op_name(s->op), s->choice.kernel);
    for (int k = 0; k < PLAN_MAX_INPUTS; k++)
        print_value(p, s->in[k], out);
    for (uint32_t k = 0; k < s->part_count; k++) {
        const graph_value *w = p->source->values + p->values[s->parts[k].weight].source;
        char stored[TENSOR_MATRIX_NAME_BYTES];
        tensor_matrix m;
        if (graph_value_matrix(w, &m)) {
            base_buffer_append_format(out, " %s:%s", w->name, tensor_matrix_name(&m, stored));
        }
    }
    base_buffer_append_text(out, " ->");
    print_value(p, s->out, out);
    base_buffer_append_format(out, "  # %s\n", name);
}

void plan_print(const plan *p, base_buffer *out) {
    base_buffer_append_format(out,
                              "plan for steps of at most %u rows (R), %u of them wanted back (O), "
                              "of these some with logits (L)\n"
                              "scratch %" PRIu64 " bytes, weights made ready %" PRIu64 " bytes, "
                              "%u steps in %u segments\n",
                              p->max_rows, p->max_outputs, p->scratch_bytes,
                              p->weights->memory_bytes, p->step_count, p->segment_count);
    if (p->kv) {
        for (uint32_t i = 0; i < p->kv->group_count; i++) {
            const plan_kv_group *group = p->kv->groups + i;
            base_buffer_append_format(
                out, "cache group %u: window %u, pages of %u tokens, %" PRIu64 " bytes\n", i,
                group->window, p->kv->page_tokens, group->page_bytes);
        }
    }
    for (uint32_t i = 0; i < p->step_count; i++)
        print_step(p, i, out);
}

/* Encodings of the weights of a node, as text: nodes of the same kind are explained once. */
static void weight_kinds(const graph *g, const graph_node *n, base_buffer *out) {
    for (uint32_t i = 1; i < n->input_count; i++) {
        if (n->inputs[i] == GRAPH_NONE) continue;
        const graph_value *v = g->values + n->inputs[i];
        if (v->kind != GRAPH_VALUE_INITIALIZER || v->shape.rank != 2) continue;
        char stored[TENSOR_MATRIX_NAME_BYTES];
        tensor_matrix m;
        if ((!v->matrix && v->encoding == GRAPH_PLAIN) || !graph_value_matrix(v, &m)) continue;
        base_buffer_append_format(out, " %s[%" PRId64 ",%" PRId64 "]",
                                  tensor_matrix_name(&m, stored), v->shape.dims[0],
                                  v->shape.dims[1]);
    }
}

ondol_status plan_explain(const graph *g, plan_device *const *devices, uint32_t device_count,
                          base_buffer *out, ondol_error *err) {
    base_buffer kind;
    base_map seen;
    base_arena names;
    base_buffer_init(&kind, g->allocator, 4096);
    base_map_init(&seen, g->allocator);
    base_arena_init(&names, g->allocator, 0);
    ondol_status status = ONDOL_OK;
    for (graph_node_id i = 0; i < g->node_count; i++) {
        const graph_node *n = g->nodes + i;
        if (n->op == GRAPH_OP_O_COLUMNS || n->op == GRAPH_OP_O_FIRST_ROWS) continue;
        kind.size = 0;
        base_buffer_append_text(&kind, graph_op_info_of(n->op)->name);
        weight_kinds(g, n, &kind);
        TRY(base_buffer_status(&kind, "explanation", err));
        bool found = false;
        char *key = base_arena_strndup(&names, kind.data, kind.size);
        if (!key || !base_map_add(&seen, key, kind.size, i, &found, NULL)) {
            status = base_no_memory(err, "explanation", kind.size);
            goto done;
        }
        if (found) continue;
        base_buffer_append_format(out, "%s  # %s\n", key, n->name);
        uint32_t device = 0;
        plan_choice choice;
        TRY(plan_place(devices, device_count, g, i, &device, &choice, out, err));
    }
    status = base_buffer_status(out, "explanation", err);
done:
    base_buffer_destroy(&kind);
    base_map_destroy(&seen);
    base_arena_destroy(&names);
    return status;
}
