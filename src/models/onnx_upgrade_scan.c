/* Upgrade rule: Scan before version 9, which went through a batch. In: such a node. Out: a Loop
 * over the batch around the Scan of today. */
#include "models/onnx_upgrade.h"

typedef struct batched_scan {
    onnx_upgrade *outer; /* in the graph of the node */
    onnx_upgrade inner;  /* in the body of the Loop */
    graph *loop, *body;
    graph_value_id lengths; /* of the sequences; GRAPH_NONE: all whole. Of the outer graph */
    graph_value_id longest; /* i64 [1] */
    graph_value_id iteration, condition;
    const graph_value_id *values; /* states, then sequences */
    uint32_t state_count, scan_count;
} batched_scan;

/* Moves the subgraph from g into loop, a subgraph of g; what it captures goes through loop. */
static void move_subgraph(onnx_upgrade *u, graph *g, graph *body, graph *loop) {
    for (graph **at = &g->first_subgraph; *at; at = &(*at)->next_sibling) {
        if (*at != body) continue;
        *at = body->next_sibling;
        break;
    }
    body->parent = loop;
    body->next_sibling = loop->first_subgraph;
    loop->first_subgraph = body;
    for (uint32_t v = 0; v < body->value_count && u->status == ONDOL_OK; v++) {
        graph_value *value = body->values + v;
        if (value->kind != GRAPH_VALUE_CAPTURE) continue;
        u->status = graph_capture(loop, value->outer, &value->outer, u->err);
    }
}

static graph_value_id capture(batched_scan *s, graph_value_id outer) {
    graph_value_id v = GRAPH_NONE;
    onnx_upgrade *u = &s->inner;
    if (u->status == ONDOL_OK) u->status = graph_capture(s->loop, outer, &v, u->err);
    return v;
}

static void open_loop(batched_scan *s) {
    onnx_upgrade *u = s->outer;
    if (u->status != ONDOL_OK) return;
    const graph_shape scalar = {0};
    u->status = graph_create_subgraph(u->g, u->name, &s->loop, u->err);
    if (u->status != ONDOL_OK) return;
    move_subgraph(u, u->g, s->body, s->loop);
    if (u->status == ONDOL_OK) {
        u->status = graph_add_input(s->loop, "iteration", TENSOR_ELEMENT_I64, scalar, &s->iteration,
                                    u->err);
    }
    if (u->status == ONDOL_OK) {
        u->status = graph_add_input(s->loop, "condition", TENSOR_ELEMENT_BOOL, scalar,
                                    &s->condition, u->err);
    }
    s->inner = *u;
    s->inner.g = s->loop;
}

/* Row `iteration` of a value of the outer graph. */
static graph_value_id row_of(batched_scan *s, graph_value_id outer) {
    return upgrade_binary(&s->inner, GRAPH_OP_GATHER, capture(s, outer), s->iteration);
}

/* The first `length` (i64 [1]) steps of x. */
static graph_value_id first_steps(onnx_upgrade *u, graph_value_id x, graph_value_id length) {
    const int64_t zero = 0;
    const graph_value_id start = upgrade_ints(u, &zero, 1);
    const graph_value_id inputs[] = {x, start, length, start};
    return upgrade_finish(u, upgrade_node(u, GRAPH_OP_SLICE, inputs, 4, 1));
}

/* x with steps of 0 behind it, as many as `missing` (i64 [1]) says. */
static graph_value_id pad_steps(onnx_upgrade *u, graph_value_id x, graph_value_id missing) {
    const int64_t zero = 0;
    const graph_value_id first = upgrade_ints(u, &zero, 1);
    const graph_value_id inputs[] = {x, upgrade_concat(u, first, missing), GRAPH_NONE, first};
    return upgrade_finish(u, upgrade_node(u, GRAPH_OP_PAD, inputs, 4, 1));
}

static void add_output(batched_scan *s, const char *name, graph_value_id v) {
    onnx_upgrade *u = &s->inner;
    if (u->status == ONDOL_OK) u->status = graph_add_output(s->loop, name, v, u->err);
}

/* The Scan of one sequence, and its outputs made as long as the longest. */
static void fill_loop(batched_scan *s) {
    onnx_upgrade *u = &s->inner;
    graph_value_id inputs[64], length = GRAPH_NONE, missing = GRAPH_NONE;
    const uint32_t count = s->state_count + s->scan_count;
    if (u->status != ONDOL_OK) return;
    if (s->lengths != GRAPH_NONE) {
        const int64_t one = 1;
        length = upgrade_reshape(u, row_of(s, s->lengths), upgrade_ints(u, &one, 1));
        length = upgrade_cast(u, length, TENSOR_ELEMENT_I64);
        missing = upgrade_binary(u, GRAPH_OP_SUB, capture(s, s->longest), length);
    }
    for (uint32_t i = 0; i < count; i++) {
        inputs[i] = row_of(s, s->values[i]);
        if (i >= s->state_count && length != GRAPH_NONE) {
            inputs[i] = first_steps(u, inputs[i], length);
        }
    }
    const graph_node_id n = upgrade_node(u, GRAPH_OP_SCAN, inputs, count, s->body->output_count);
    upgrade_move_attribute(u, n, "body", "body");
    upgrade_move_attribute(u, n, "num_scan_inputs", "num_scan_inputs");
    upgrade_move_attribute(u, n, "directions", "scan_input_directions");
    upgrade_finish(u, n);
    add_output(s, "condition_out", upgrade_unary(u, GRAPH_OP_IDENTITY, s->condition));
    for (uint32_t i = 0; i < s->body->output_count && u->status == ONDOL_OK; i++) {
        graph_value_id v = upgrade_output(u, n, i);
        if (i >= s->state_count && missing != GRAPH_NONE) v = pad_steps(u, v, missing);
        add_output(s, s->body->output_names[i], v);
    }
}

/* Size of dimension `axis` of x: i64 [1]. */
static graph_value_id size_of(onnx_upgrade *u, graph_value_id x, int64_t axis) {
    const graph_node_id n = upgrade_node(u, GRAPH_OP_SHAPE, &x, 1, 1);
    upgrade_set_int(u, n, "start", axis);
    upgrade_set_int(u, n, "end", axis + 1);
    return upgrade_finish(u, n);
}

/* Inputs: sequence_lens?, states [batch, ...], sequences [batch, steps, ...]. */
void upgrade_scan(onnx_upgrade *u) {
    const graph_attribute *body = upgrade_attribute(u, "body");
    const int64_t scans = upgrade_int(u, "num_scan_inputs");
    const uint32_t count = u->input_count - 1;
    if (!body || scans < 1 || scans > (int64_t)count || count > 64 ||
        body->graphs[0]->output_count != u->output_count ||
        body->graphs[0]->output_count < count - (uint32_t)scans) {
        upgrade_fail(u, ONDOL_E_FORMAT, "its inputs and outputs are not those of its body");
        return;
    }
    batched_scan s = {.outer = u,
                      .body = body->graphs[0],
                      .lengths = u->inputs[0],
                      .values = u->inputs + 1,
                      .state_count = count - (uint32_t)scans,
                      .scan_count = (uint32_t)scans};
    const graph_value_id first = s.values[s.state_count];
    const graph_value_id batch = upgrade_reshape(u, size_of(u, first, 0), upgrade_ints(u, NULL, 0));
    s.longest = size_of(u, first, 1);
    open_loop(&s);
    if (u->status != ONDOL_OK) return;
    fill_loop(&s);
    u->status = s.inner.status;
    const graph_value_id inputs[] = {batch, GRAPH_NONE};
    const graph_node_id n = upgrade_node(u, GRAPH_OP_LOOP, inputs, 2, u->output_count);
    if (u->status != ONDOL_OK) return;
    graph **list = base_arena_alloc(&u->g->arena, 1, sizeof *list);
    if (!list) {
        upgrade_fail(u, ONDOL_E_MEMORY, "no memory for its body");
        return;
    }
    list[0] = s.loop;
    const graph_attribute a = {.name = "body", .type = GRAPH_ATTRIBUTE_GRAPH, .graphs = list};
    u->status = graph_set_attribute(u->g, n, &a, u->err);
    upgrade_finish(u, n);
    for (uint32_t i = 0; i < u->output_count; i++)
        upgrade_give(u, i, upgrade_output(u, n, i));
}
