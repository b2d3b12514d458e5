/* Row selection. In: a lowered graph whose outputs stand on all rows. Out: the same with SelectRows
 * as early as can be: what no key or value depends on is computed for the rows wanted back alone
 * (the last layer's projections of a prompt, all norms and logits behind it). */
#include <string.h>

#include "optimize/optimize.h"
#include "optimize/rewrite.h"

typedef struct selection {
    rewrite r;              /* map: the value on all rows */
    graph_value_id *chosen; /* [value_count]: the value on the rows wanted back */
    bool *on_all_rows;      /* [node_count]: needed by a PagedAttention */
    ondol_error *err;
} selection;

static bool has_rows(const graph *g, graph_value_id v) {
    const graph_shape *s = &g->values[v].shape;
    return g->values[v].kind != GRAPH_VALUE_INITIALIZER && s->rank > 0 && s->dims[0] < 0;
}

/* Marks what each PagedAttention needs, itself included, back to front. */
static void mark_needed(const graph *g, bool *needed) {
    for (graph_node_id n = g->node_count; n-- > 0;) {
        if (g->nodes[n].op == GRAPH_OP_O_PAGED_ATTENTION) needed[n] = true;
        if (!needed[n]) continue;
        for (uint32_t i = 0; i < g->nodes[n].input_count; i++) {
            graph_value_id v = g->nodes[n].inputs[i];
            if (v != GRAPH_NONE && g->values[v].producer != GRAPH_NONE) {
                needed[g->values[v].producer] = true;
            }
        }
    }
}

static ondol_status add_row_node(selection *s, graph_op op, graph_value_id x, graph_value_id *out) {
    graph_node_id node = 0;
    const char *name = op == GRAPH_OP_O_SELECT_ROWS ? "select" : "first";
    ondol_status status = rewrite_add(&s->r, op, name, &x, 1, &node, s->err);
    if (status == ONDOL_OK) status = graph_infer_node(s->r.to, node, s->err);
    if (status == ONDOL_OK) *out = graph_output_of(s->r.to, node, 0);
    return status;
}

/* The value on the rows wanted back: selected from all rows, or computed on them already. */
static ondol_status chosen_value(selection *s, graph_value_id v, graph_value_id *out) {
    if (v == GRAPH_NONE || !has_rows(s->r.from, v)) return rewrite_value(&s->r, v, out, s->err);
    if (s->chosen[v] == GRAPH_NONE) {
        graph_value_id all = GRAPH_NONE;
        ondol_status status = rewrite_value(&s->r, v, &all, s->err);
        if (status == ONDOL_OK) {
            status = add_row_node(s, GRAPH_OP_O_SELECT_ROWS, all, s->chosen + v);
        }
        if (status != ONDOL_OK) return status;
    }
    *out = s->chosen[v];
    return ONDOL_OK;
}

static ondol_status choose_node(selection *s, graph_node_id id) {
    const graph_node *n = s->r.from->nodes + id;
    graph_value_id *inputs = base_alloc(s->r.from->allocator, n->input_count, sizeof *inputs);
    if (!inputs) return base_no_memory(s->err, "graph pass", n->input_count * sizeof *inputs);
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < n->input_count; i++)
        TRY(chosen_value(s, n->inputs[i], inputs + i));
    graph_node_id to = 0;
    TRY(rewrite_node_onto(&s->r, id, inputs, &to, s->err));
    for (uint32_t i = 0; i < n->output_count; i++)
        s->chosen[n->outputs[i]] = s->r.to->nodes[to].outputs[i];
done:
    base_free(s->r.from->allocator, inputs);
    return status;
}

static bool is_output(const graph *g, const char *name, graph_value_id v) {
    for (uint32_t i = 0; i < g->output_count; i++) {
        if (g->outputs[i] == v && strcmp(g->output_names[i], name) == 0) return true;
    }
    return false;
}

/* What follows the hidden states is needed for the rows that want logits alone. */
static ondol_status narrow_to_logits(selection *s, graph_node_id id) {
    const graph *g = s->r.from;
    for (uint32_t i = 0; i < g->nodes[id].output_count; i++) {
        graph_value_id v = g->nodes[id].outputs[i];
        graph_value_id hidden = GRAPH_NONE;
        if (!is_output(g, "hidden", v)) continue;
        ondol_status status = chosen_value(s, v, &hidden);
        if (status == ONDOL_OK) status = graph_add_output(s->r.to, "hidden", hidden, s->err);
        if (status == ONDOL_OK) {
            status = add_row_node(s, GRAPH_OP_O_FIRST_ROWS, s->chosen[v], s->chosen + v);
        }
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

static ondol_status add_logits(selection *s) {
    const graph *g = s->r.from;
    for (uint32_t i = 0; i < g->output_count; i++) {
        if (strcmp(g->output_names[i], "logits") != 0) continue;
        return graph_add_output(s->r.to, "logits", s->chosen[g->outputs[i]], s->err);
    }
    return base_fail(s->err, ONDOL_E_INTERNAL, "row selection: no logits");
}

ondol_status optimize_select_rows(const graph *from, graph **out, ondol_error *err) {
    const ondol_allocator *a = from->allocator;
    selection s = {.err = err};
    ondol_status status = rewrite_begin(from, &s.r, err);
    if (status != ONDOL_OK) return status;
    s.chosen = base_alloc(a, from->value_count, sizeof *s.chosen);
    s.on_all_rows = base_calloc(a, from->node_count, sizeof *s.on_all_rows);
    if (!s.chosen || !s.on_all_rows) {
        status = base_no_memory(err, "graph pass", from->value_count * sizeof *s.chosen);
        goto done;
    }
    for (uint32_t i = 0; i < from->value_count; i++)
        s.chosen[i] = GRAPH_NONE;
    mark_needed(from, s.on_all_rows);
    for (uint32_t i = 0; i < from->input_count; i++) {
        graph_value_id unused;
        TRY(rewrite_value(&s.r, from->inputs[i], &unused, err));
    }
    for (graph_node_id n = 0; n < from->node_count; n++) {
        TRY(s.on_all_rows[n] ? rewrite_node(&s.r, n, err) : choose_node(&s, n));
        TRY(narrow_to_logits(&s, n));
    }
    TRY(add_logits(&s));
    TRY(graph_verify(s.r.to, err));
    *out = s.r.to;
done:
    base_free(a, s.chosen);
    base_free(a, s.on_all_rows);
    rewrite_end(&s.r, status == ONDOL_OK);
    return status;
}
