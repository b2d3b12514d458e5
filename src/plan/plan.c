/* Steps. In: a lowered graph, its weights made ready, a bucket. Out: the list of steps, with what
 * each reads, writes and needs to know; plan_memory.c then gives the offsets. */
#include "plan/plan.h"

#include <string.h>

#include "graph/ops.h"

typedef struct planner {
    plan *p;
    uint32_t *of_value; /* [graph values]: the plan value, PLAN_NONE where none */
    uint32_t *last_use; /* [graph values]: the last node that reads it */
    uint32_t value_capacity, step_capacity;
    ondol_error *err;
} planner;

static plan_rows rows_of(const graph *g, const graph_value *v) {
    if (v->kind == GRAPH_VALUE_INITIALIZER || v->shape.rank == 0 || v->shape.dims[0] >= 0) {
        return PLAN_ROWS_FIXED;
    }
    const char *symbol = g->symbols[GRAPH_SYMBOL_INDEX(v->shape.dims[0])];
    if (strcmp(symbol, "outputs") == 0) return PLAN_ROWS_OUTPUTS;
    return strcmp(symbol, "logits") == 0 ? PLAN_ROWS_LOGITS : PLAN_ROWS_ALL;
}

static ondol_status grow(planner *b, void **array, uint32_t count, uint32_t *capacity,
                         size_t size) {
    if (count < *capacity) return ONDOL_OK;
    uint32_t wanted = *capacity ? *capacity * 2 : 64;
    void *more = base_calloc(b->p->allocator, wanted, size);
    if (!more) return base_no_memory(b->err, "plan", (uint64_t)wanted * size);
    if (count) memcpy(more, *array, count * size);
    base_free(b->p->allocator, *array);
    *array = more;
    *capacity = wanted;
    return ONDOL_OK;
}

/* A value of the graph as the plan sees it; memory comes later. */
static ondol_status add_value(planner *b, graph_value_id source, uint32_t *out) {
    plan *p = b->p;
    ondol_status status =
        grow(b, (void **)&p->values, p->value_count, &b->value_capacity, sizeof *p->values);
    if (status != ONDOL_OK) return status;
    const graph_value *v = p->source->values + source;
    plan_value value = {.source = source, .element = v->element, .root = p->value_count};
    value.rows = rows_of(p->source, v);
    value.columns = v->shape.rank > 1 ? (uint32_t)v->shape.dims[v->shape.rank - 1] : 1;
    if (v->kind == GRAPH_VALUE_INITIALIZER) {
        const bool weight = v->matrix || v->encoding != GRAPH_PLAIN;
        value.storage = weight ? PLAN_STORAGE_WEIGHT : PLAN_STORAGE_CONSTANT;
        if (v->shape.rank == 1) value.columns = (uint32_t)v->shape.dims[0];
    } else if (v->kind == GRAPH_VALUE_INPUT) {
        value.storage = PLAN_STORAGE_BLOCK;
    }
    value.row_stride = value.columns;
    p->values[p->value_count] = value;
    *out = p->value_count++;
    return ONDOL_OK;
}

static ondol_status value_of(planner *b, graph_value_id v, uint32_t *out) {
    *out = PLAN_NONE;
    if (v == GRAPH_NONE) return ONDOL_OK;
    if (b->of_value[v] == PLAN_NONE) {
        ondol_status status = add_value(b, v, b->of_value + v);
        if (status != ONDOL_OK) return status;
    }
    *out = b->of_value[v];
    return ONDOL_OK;
}

/* A value that lies within another: `columns` from first_column of x. */
static ondol_status add_view(planner *b, graph_value_id source, uint32_t x, uint32_t first_column) {
    uint32_t id = 0;
    ondol_status status = add_value(b, source, &id);
    if (status != ONDOL_OK) return status;
    plan_value *v = b->p->values + id, *of = b->p->values + x;
    v->storage = of->storage;
    v->root = of->root;
    v->first_column = of->first_column + first_column;
    v->row_stride = of->row_stride;
    b->of_value[source] = id;
    return ONDOL_OK;
}

/* The step's output: a new value, or the place of in[0] when nothing reads that any more. Views of
 * one root are disjoint or nested; in place is only taken when no other view of it lives on. */
static bool may_be_in_place(plan_op op) {
    switch (op) {
    case PLAN_OP_RMS_NORM:
    case PLAN_OP_ROPE:
    case PLAN_OP_ACTIVATION:
    case PLAN_OP_ADD:
    case PLAN_OP_SCALE:
    case PLAN_OP_SOFTCAP: return true;
    default: return false;
    }
}

static bool overlaps(const plan_value *a, const plan_value *c) {
    return a->first_column < c->first_column + c->columns &&
           c->first_column < a->first_column + a->columns;
}

static bool is_output(const graph *g, graph_value_id v) {
    for (uint32_t i = 0; i < g->output_count; i++) {
        if (g->outputs[i] == v) return true;
    }
    return false;
}

/* True when no value that shares memory with x is read after node n. */
static bool free_after(const planner *b, uint32_t x, graph_node_id n) {
    const plan *p = b->p;
    const plan_value *v = p->values + x;
    if (v->storage != PLAN_STORAGE_SCRATCH || v->rows == PLAN_ROWS_FIXED) return false;
    for (uint32_t i = 0; i < p->value_count; i++) {
        const plan_value *other = p->values + i;
        if (other->root != v->root || !overlaps(other, v)) continue;
        if (b->last_use[other->source] > n || is_output(p->source, other->source)) return false;
    }
    return true;
}

static ondol_status set_output(planner *b, plan_step *s) {
    graph_value_id out = graph_output_of(b->p->source, s->node, 0);
    if (may_be_in_place(s->op) && free_after(b, s->in[0], s->node)) {
        ondol_status status = add_view(b, out, s->in[0], 0);
        s->out = b->of_value[out];
        return status;
    }
    return value_of(b, out, &s->out);
}

static plan_activation_function function_of(const char *kind) {
    if (strcmp(kind, "silu") == 0) return PLAN_FUNCTION_SILU;
    return strcmp(kind, "gelu_tanh") == 0 ? PLAN_FUNCTION_GELU_TANH : PLAN_FUNCTION_GELU_ERF;
}

/* Attributes of the node into the step's numbers. */
static void read_attributes(const graph *g, plan_step *s) {
    graph_node_id n = s->node;
    switch (s->op) {
    case PLAN_OP_EMBED: s->scale = (float)graph_get_float(g, n, "scale"); break;
    case PLAN_OP_ROTARY_TABLE: s->scale = (float)graph_get_float(g, n, "magnitude"); break;
    case PLAN_OP_ROTARY_ROWS: s->second_row = (uint64_t)graph_get_int(g, n, "second"); break;
    case PLAN_OP_RMS_NORM:
        s->groups = (uint32_t)graph_get_int(g, n, "groups");
        s->epsilon = (float)graph_get_float(g, n, "epsilon");
        break;
    case PLAN_OP_LAYER_NORM: s->epsilon = (float)graph_get_float(g, n, "epsilon"); break;
    case PLAN_OP_ROPE:
        s->heads = (uint32_t)graph_get_int(g, n, "heads");
        s->interleaved = graph_get_int(g, n, "interleaved") != 0;
        break;
    case PLAN_OP_PAGED_ATTENTION:
        s->layer = (uint32_t)graph_get_int(g, n, "layer");
        s->heads = (uint32_t)graph_get_int(g, n, "heads");
        s->kv_heads = (uint32_t)graph_get_int(g, n, "kv_heads");
        s->scale = (float)graph_get_float(g, n, "scale");
        s->softcap = (float)graph_get_float(g, n, "softcap");
        s->window = (uint32_t)graph_get_int(g, n, "window");
        break;
    case PLAN_OP_GATED_ACTIVATION:
    case PLAN_OP_ACTIVATION: s->function = function_of(graph_get_string(g, n, "kind")); break;
    case PLAN_OP_SCALE: s->scale = (float)graph_get_float(g, n, "factor"); break;
    case PLAN_OP_SOFTCAP: s->softcap = (float)graph_get_float(g, n, "cap"); break;
    default: break;
    }
}

static bool op_of(graph_op op, plan_op *out) {
    static const struct {
        graph_op from;
        plan_op to;
    } pairs[] = {
        {GRAPH_OP_O_EMBED, PLAN_OP_EMBED},
        {GRAPH_OP_O_ROTARY_TABLE, PLAN_OP_ROTARY_TABLE},
        {GRAPH_OP_O_ROTARY_ROWS, PLAN_OP_ROTARY_ROWS},
        {GRAPH_OP_O_RMS_NORM, PLAN_OP_RMS_NORM},
        {GRAPH_OP_O_LAYER_NORM, PLAN_OP_LAYER_NORM},
        {GRAPH_OP_O_MATMUL, PLAN_OP_MATMUL},
        {GRAPH_OP_O_ROPE, PLAN_OP_ROPE},
        {GRAPH_OP_O_PAGED_ATTENTION, PLAN_OP_PAGED_ATTENTION},
        {GRAPH_OP_O_GATED_ACTIVATION, PLAN_OP_GATED_ACTIVATION},
        {GRAPH_OP_O_ACTIVATION, PLAN_OP_ACTIVATION},
        {GRAPH_OP_O_ADD, PLAN_OP_ADD},
        {GRAPH_OP_O_SCALE, PLAN_OP_SCALE},
        {GRAPH_OP_O_SOFTCAP, PLAN_OP_SOFTCAP},
        {GRAPH_OP_O_SELECT_ROWS, PLAN_OP_SELECT_ROWS},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        if (pairs[i].from != op) continue;
        *out = pairs[i].to;
        return true;
    }
    return false;
}

static ondol_status add_step(planner *b, const plan_step *s) {
    ondol_status status =
        grow(b, (void **)&b->p->steps, b->p->step_count, &b->step_capacity, sizeof *s);
    if (status == ONDOL_OK) b->p->steps[b->p->step_count++] = *s;
    return status;
}

static void no_inputs(plan_step *s) {
    for (uint32_t i = 0; i < PLAN_MAX_INPUTS; i++)
        s->in[i] = PLAN_NONE;
}

/* The quantised form of x for a device: made once, shared by all that ask for it on that device. */
static ondol_status quantised(planner *b, uint32_t device, uint32_t x, uint32_t *out) {
    plan *p = b->p;
    for (uint32_t i = 0; i < p->step_count; i++) {
        const plan_step *s = p->steps + i;
        if (s->op == PLAN_OP_QUANTIZE && s->in[0] == x && s->device == device) {
            *out = s->out;
            return ONDOL_OK;
        }
    }
    ondol_status status = add_value(b, p->values[x].source, out);
    if (status != ONDOL_OK) return status;
    p->values[*out].activation = PLAN_ACTIVATION_Q8;
    plan_step s = {.op = PLAN_OP_QUANTIZE, .node = GRAPH_NONE, .device = device, .out = *out};
    no_inputs(&s);
    s.in[0] = x;
    s.choice = (plan_choice){"quantize_q8", PLAN_ACTIVATION_Q8};
    return add_step(b, &s);
}

static ondol_status plan_matmul(planner *b, plan_step *s) {
    const graph_node *n = b->p->source->nodes + s->node;
    ondol_status status = ONDOL_OK;
    if (s->choice.activation == PLAN_ACTIVATION_Q8) {
        TRY(quantised(b, s->device, s->in[0], s->in));
    }
    for (uint32_t i = 1; i < n->input_count; i += 2) {
        plan_matmul_part *part = s->parts + s->part_count++;
        TRY(value_of(b, n->inputs[i], &part->weight));
        TRY(value_of(b, n->inputs[i + 1], &part->bias));
        part->outputs = (uint32_t)b->p->source->values[n->inputs[i]].shape.dims[0];
    }
done:
    return status;
}

static ondol_status plan_node(planner *b, graph_node_id id) {
    plan *p = b->p;
    const graph_node *n = p->source->nodes + id;
    plan_step s = {.node = id};
    ondol_status status = ONDOL_OK;
    no_inputs(&s);
    if (n->op == GRAPH_OP_O_COLUMNS || n->op == GRAPH_OP_O_FIRST_ROWS) {
        uint32_t x = PLAN_NONE;
        TRY(value_of(b, n->inputs[0], &x));
        bool columns = n->op == GRAPH_OP_O_COLUMNS;
        TRY(add_view(b, n->outputs[0], x,
                     columns ? (uint32_t)graph_get_int(p->source, id, "first") : 0));
        return ONDOL_OK;
    }
    if (!op_of(n->op, &s.op)) {
        return base_fail(b->err, ONDOL_E_UNSUPPORTED, "node '%s' (%s): no step computes it",
                         n->name, graph_op_info_of(n->op)->name);
    }
    TRY(plan_place(p->devices, p->device_count, p->source, id, &s.device, &s.choice, NULL, b->err));
    uint32_t plain = s.op == PLAN_OP_MATMUL ? 1 : n->input_count;
    for (uint32_t i = 0; i < plain; i++)
        TRY(value_of(b, n->inputs[i], s.in + i));
    if (s.op == PLAN_OP_MATMUL) TRY(plan_matmul(b, &s));
    read_attributes(p->source, &s);
    TRY(set_output(b, &s));
    if (s.op == PLAN_OP_ROPE) s.head_size = p->values[s.out].columns / s.heads;
    if (s.op == PLAN_OP_PAGED_ATTENTION) s.head_size = p->values[s.out].columns / s.heads;
    TRY(add_step(b, &s));
done:
    return status;
}

static ondol_status find_uses(planner *b) {
    const graph *g = b->p->source;
    b->of_value = base_alloc(b->p->allocator, g->value_count, sizeof *b->of_value);
    b->last_use = base_calloc(b->p->allocator, g->value_count, sizeof *b->last_use);
    if (!b->of_value || !b->last_use) {
        return base_no_memory(b->err, "plan", g->value_count * sizeof *b->of_value);
    }
    for (uint32_t i = 0; i < g->value_count; i++)
        b->of_value[i] = PLAN_NONE;
    for (graph_node_id n = 0; n < g->node_count; n++) {
        for (uint32_t i = 0; i < g->nodes[n].input_count; i++) {
            if (g->nodes[n].inputs[i] != GRAPH_NONE) b->last_use[g->nodes[n].inputs[i]] = n;
        }
    }
    return ONDOL_OK;
}

static ondol_status cut_segments(planner *b) {
    plan *p = b->p;
    p->segments = base_calloc(p->allocator, p->step_count ? p->step_count : 1, sizeof *p->segments);
    if (!p->segments) return base_no_memory(b->err, "plan", p->step_count * sizeof *p->segments);
    for (uint32_t i = 0; i < p->step_count; i++) {
        plan_segment *last = p->segment_count ? p->segments + p->segment_count - 1 : NULL;
        if (!last || last->device != p->steps[i].device) {
            last = p->segments + p->segment_count++;
            *last = (plan_segment){.device = p->steps[i].device, .first = i};
        }
        last->end = i + 1;
    }
    return ONDOL_OK;
}

static ondol_status fill(planner *b) {
    plan *p = b->p;
    ondol_status status = ONDOL_OK;
    TRY(find_uses(b));
    for (graph_node_id n = 0; n < p->source->node_count; n++)
        TRY(plan_node(b, n));
    p->hidden = p->logits = PLAN_NONE;
    for (uint32_t i = 0; i < p->source->output_count; i++) {
        uint32_t v = b->of_value[p->source->outputs[i]];
        *(strcmp(p->source->output_names[i], "hidden") == 0 ? &p->hidden : &p->logits) = v;
    }
    if (p->hidden == PLAN_NONE || p->logits == PLAN_NONE) {
        return base_fail(b->err, ONDOL_E_UNSUPPORTED, "the graph lacks hidden states or logits");
    }
    TRY(cut_segments(b));
    TRY(plan_memory_assign(p, b->err));
done:
    return status;
}

ondol_status plan_create(const ondol_allocator *a, const graph *g, const plan_weights *weights,
                         const plan_kv *kv, uint32_t max_rows, uint32_t max_outputs, plan **out,
                         ondol_error *err) {
    plan *p = base_calloc(a, 1, sizeof *p);
    if (!p) return base_no_memory(err, "plan", sizeof *p);
    *p = (plan){.allocator = a, .source = g, .weights = weights, .kv = kv};
    p->devices = weights->devices;
    p->device_count = weights->device_count;
    p->max_rows = max_rows;
    p->max_outputs = max_outputs;
    planner b = {.p = p, .err = err};
    ondol_status status = fill(&b);
    base_free(a, b.of_value);
    base_free(a, b.last_use);
    if (status != ONDOL_OK) {
        plan_destroy(p);
        return status;
    }
    *out = p;
    return ONDOL_OK;
}

void plan_destroy(plan *p) {
    if (!p) return;
    for (uint32_t i = 0; i < p->segment_count; i++) {
        plan_device *d = p->devices[p->segments[i].device];
        if (p->segments[i].recorded) d->ops->recorded_destroy(d, p->segments[i].recorded);
    }
    base_free(p->allocator, p->values);
    base_free(p->allocator, p->steps);
    base_free(p->allocator, p->segments);
    base_free(p->allocator, p);
}

ondol_status plan_record(plan *p, const plan_binding *binding, ondol_error *err) {
    for (uint32_t i = 0; i < p->segment_count; i++) {
        plan_segment *s = p->segments + i;
        plan_device *d = p->devices[s->device];
        ondol_status status = d->ops->record(d, p, s->first, s->end, binding, &s->recorded, err);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

ondol_status plan_run(plan *p, ondol_error *err) {
    for (uint32_t i = 0; i < p->segment_count; i++) {
        plan_segment *s = p->segments + i;
        plan_device *d = p->devices[s->device];
        uint64_t fence = 0;
        ondol_status status = d->ops->submit(d, s->recorded, &fence, err);
        if (status == ONDOL_OK) status = d->ops->wait(d, fence, err);
        if (status != ONDOL_OK) return status;
    }
    return ONDOL_OK;
}

uint32_t plan_value_rows(const plan *p, uint32_t v, const plan_step_block *block) {
    switch (p->values[v].rows) {
    case PLAN_ROWS_ALL: return block->row_count;
    case PLAN_ROWS_OUTPUTS: return block->output_count;
    case PLAN_ROWS_LOGITS: return block->logit_count;
    default: return 1;
    }
}
