/* Questions. In: a value that is not on rows: arithmetic on masks, lengths and positions, however
 * it is written. Out: what it computes, found by computing it for a few lengths. */
#include <string.h>

#include "base/checked.h"
#include "graph/ops.h"
#include "optimize/lowering.h"
#include "tensor/number.h"

/* Bytes of all inputs of one question. */
#define MAX_BYTES ((uint64_t)1 << 26)

typedef struct probe {
    lowering *l;
    rewrite r; /* the nodes that v needs, in a graph of their own */
    uint64_t past, fresh;
    bool *needed;            /* [old nodes] */
    optimize_tensor *inputs; /* of r.to */
    uint32_t input_capacity;
    ondol_error err;
} probe;

/* ------------------------------------------------------------ inputs */

static bool add_input(probe *p, graph_value_id v, uint32_t rank, const uint64_t *dims,
                      int64_t first, int64_t step) {
    const graph_value *value = p->l->r.from->values + v;
    const ondol_allocator *a = p->l->r.from->allocator;
    optimize_tensor *t = p->inputs + p->r.to->input_count;
    graph_shape shape = {.rank = rank};
    const tensor_element_kind kind = tensor_element_kind_of(value->element);
    if (kind != TENSOR_KIND_SIGNED && kind != TENSOR_KIND_FLOAT && kind != TENSOR_KIND_BOOL)
        return false;
    *t = (optimize_tensor){.element = value->element, .rank = rank, .elems = 1};
    for (uint32_t i = 0; i < rank; i++) {
        shape.dims[i] = t->dims[i] = (int64_t)dims[i];
        t->elems *= dims[i];
    }
    if (t->elems > MAX_BYTES / 8) return false;
    if (graph_add_input(p->r.to, value->name, value->element, shape, p->r.map + v, &p->err))
        return false;
    t->data = base_calloc(a, (size_t)t->elems + 1, 8);
    for (uint64_t i = 0; t->data && i < t->elems; i++)
        tensor_set_integer(t->element, t->data, i, first + step * (int64_t)i);
    return t->data != NULL;
}

/* An input of the graph, as a session would give it. */
static bool bring_input(probe *p, graph_value_id v) {
    const lowering *l = p->l;
    const uint64_t ids[2] = {1, p->fresh}, mask[2] = {1, p->past + p->fresh};
    if (p->r.map[v] != GRAPH_NONE) return true;
    if (v == l->input_ids) return add_input(p, v, 2, ids, 0, 0);
    if (v == l->attention_mask) return add_input(p, v, 2, mask, 1, 0);
    if (v == l->position_ids) return add_input(p, v, 2, ids, (int64_t)p->past, 1);
    return false;
}

/* The shape of a value that is not computed here: rows, or the past [1, heads, past, size]. */
static bool known_dims(const probe *p, graph_value_id v, int64_t dims[4], uint32_t *rank) {
    const graph_value *value = p->l->r.from->values + v;
    if (lower_is_rows(p->l, v)) {
        *rank = lower_dims(p->l, v, p->fresh, dims);
        return *rank > 0;
    }
    if (value->kind != GRAPH_VALUE_INPUT || value->shape.rank != 4) return false;
    memcpy(dims, value->shape.dims, sizeof value->shape.dims[0] * 4);
    dims[0] = 1;
    dims[2] = (int64_t)p->past;
    *rank = 4;
    return dims[1] > 0;
}

/* Shape of such a value, as a constant. *done: it is one. */
static bool bring_shape(probe *p, graph_node_id id, bool *done) {
    const graph *g = p->l->r.from;
    const graph_node *n = g->nodes + id;
    int64_t dims[4];
    uint32_t rank = 0;
    *done = false;
    if (n->op != GRAPH_OP_SHAPE || !known_dims(p, n->inputs[0], dims, &rank)) return true;
    if (graph_get_attribute(g, id, "start") || graph_get_attribute(g, id, "end")) return false;
    *done = true;
    for (uint32_t i = 0; i < rank; i++) {
        if (dims[i] < 0) return false;
    }
    return graph_add_constant(p->r.to, n->name, TENSOR_ELEMENT_I64, graph_shape_1(rank), dims,
                              p->r.map + n->outputs[0], &p->err) == ONDOL_OK;
}

/* ------------------------------------------------------------ the cone */

static bool stands_alone(const probe *p, graph_node_id id) {
    const graph_node *n = p->l->r.from->nodes + id;
    for (uint32_t i = 0; i < n->attribute_count; i++) {
        if (n->attributes[i].type == GRAPH_ATTRIBUTE_GRAPH ||
            n->attributes[i].type == GRAPH_ATTRIBUTE_GRAPHS) {
            return false;
        }
    }
    return true;
}

/* Marks the nodes that v needs, back to front. False: they need what is no arithmetic. */
static bool mark(probe *p, graph_node_id last) {
    const graph *g = p->l->r.from;
    p->needed[last] = true;
    for (graph_node_id id = last + 1; id-- > 0;) {
        const graph_node *n = g->nodes + id;
        int64_t dims[4];
        uint32_t rank = 0;
        if (!p->needed[id]) continue;
        if (!stands_alone(p, id)) return false;
        if (n->op == GRAPH_OP_SHAPE && known_dims(p, n->inputs[0], dims, &rank)) continue;
        for (uint32_t i = 0; i < n->input_count; i++) {
            if (n->inputs[i] == GRAPH_NONE) continue;
            if (lower_is_rows(p->l, n->inputs[i])) return false;
            const graph_node_id maker = g->values[n->inputs[i]].producer;
            if (maker != GRAPH_NONE) p->needed[maker] = true;
        }
    }
    return true;
}

static bool copy_nodes(probe *p, graph_node_id last) {
    const graph *g = p->l->r.from;
    for (graph_node_id id = 0; id <= last; id++) {
        const graph_node *n = g->nodes + id;
        bool done = false;
        if (!p->needed[id]) continue;
        if (!bring_shape(p, id, &done)) return false;
        if (done) continue;
        for (uint32_t i = 0; i < n->input_count; i++) {
            const graph_value_id v = n->inputs[i];
            if (v != GRAPH_NONE && g->values[v].kind == GRAPH_VALUE_INPUT && !bring_input(p, v))
                return false;
        }
        if (rewrite_node(&p->r, id, &p->err) != ONDOL_OK) return false;
    }
    return true;
}

static bool run_cone(probe *p, graph_value_id v, optimize_tensor *out) {
    const optimize_evaluator *e = p->l->options->evaluator;
    const graph_node_id last = p->l->r.from->values[v].producer;
    if (last != GRAPH_NONE && (!mark(p, last) || !copy_nodes(p, last))) return false;
    if (last == GRAPH_NONE && !bring_input(p, v)) return false;
    if (graph_add_output(p->r.to, "out", p->r.map[v], &p->err) != ONDOL_OK) return false;
    return e->run(e->user, p->r.to, p->inputs, out, &p->err) == ONDOL_OK;
}

/* ------------------------------------------------------------ asking */

/* What an initializer holds, without a copy. */
static bool constant_tensor(const lowering *l, graph_value_id v, optimize_tensor *out) {
    const graph_value *value = lower_constant(l, v);
    if (!value || value->matrix || value->encoding != GRAPH_PLAIN ||
        value->element == TENSOR_ELEMENT_STRING ||
        !graph_shape_elements(&value->shape, &out->elems)) {
        return false;
    }
    out->element = value->element;
    out->data = (void *)(uintptr_t)value->data;
    return true;
}

static bool run(lowering *l, graph_value_id v, uint64_t past, uint64_t fresh,
                optimize_tensor *out) {
    const ondol_allocator *a = l->r.from->allocator;
    probe p = {.l = l, .past = past, .fresh = fresh};
    if (!l->options->evaluator || rewrite_begin(l->r.from, &p.r, &p.err) != ONDOL_OK) return false;
    p.input_capacity = l->r.from->input_count;
    p.needed = base_calloc(a, (size_t)l->r.from->node_count + 1, sizeof *p.needed);
    p.inputs = base_calloc(a, (size_t)p.input_capacity + 1, sizeof *p.inputs);
    const bool done = p.needed && p.inputs && run_cone(&p, v, out);
    for (uint32_t i = 0; p.inputs && i < p.input_capacity; i++)
        base_free(a, p.inputs[i].data);
    base_free(a, p.inputs);
    base_free(a, p.needed);
    rewrite_end(&p.r, false);
    return done;
}

bool lower_probe(lowering *l, graph_value_id v, uint64_t past, uint64_t fresh, int64_t *out,
                 uint64_t max, uint64_t *count) {
    optimize_tensor t = {0};
    *count = 0;
    if (v == GRAPH_NONE) return false;
    const bool constant = constant_tensor(l, v, &t);
    if (!constant && !run(l, v, past, fresh, &t)) return false;
    const bool fits = t.elems <= max;
    for (uint64_t i = 0; fits && i < t.elems; i++)
        out[i] = tensor_get_integer(t.element, t.data, i);
    if (!constant) base_free(l->r.from->allocator, t.data);
    if (fits) *count = t.elems;
    return fits;
}

/* ------------------------------------------------------------ lengths and positions */

#define MOST 16

/* How far a value stands from what each meaning says, for one pair of numbers. */
static lower_meaning meaning_of(const int64_t *v, uint64_t count, uint64_t past, uint64_t fresh) {
    const int64_t total = (int64_t)(past + fresh);
    if (count == fresh) {
        uint64_t i = 0;
        while (i < fresh && v[i] == (int64_t)(past + i))
            i++;
        if (i == fresh) return LOWER_POSITIONS;
    }
    if (count == 1 && v[0] == total) return LOWER_TOTAL;
    return count == 1 && v[0] == total - 1 ? LOWER_LENGTHS : LOWER_OTHER;
}

static uint64_t longest(const lowering *l) {
    return l->options->context ? l->options->context : 4096;
}

/* By how much the position of the last of n tokens is shifted. */
static bool shift_at(lowering *l, graph_value_id v, uint64_t n, int64_t *shift) {
    uint64_t count = 0;
    if (!lower_probe(l, v, n - 1, 1, shift, 1, &count) || count != 1) return false;
    *shift -= (int64_t)n - 1;
    return true;
}

/* Positions that are shifted for long sequences, all of a step alike. */
static bool find_shift(lowering *l, graph_value_id v, lower_answer *a) {
    uint64_t low = 1, high = longest(l);
    int64_t shift = 0, at = 0, two[2];
    uint64_t count = 0;
    if (!shift_at(l, v, high, &shift)) return false;
    if (shift == 0) return true;
    while (high - low > 1) {
        const uint64_t n = low + (high - low) / 2;
        if (!shift_at(l, v, n, &at) || (at != 0 && at != shift)) return false;
        *(at ? &high : &low) = n;
    }
    if (!lower_probe(l, v, high - 2, 2, two, 2, &count) || count != 2 ||
        two[0] != (int64_t)high - 2 + shift || two[1] != two[0] + 1) {
        return false;
    }
    a->threshold = low;
    a->offset = shift;
    return true;
}

static lower_answer ask(lowering *l, graph_value_id v) {
    static const uint64_t PAIRS[][2] = {{0, 5}, {7, 3}, {9, 1}};
    lower_answer a = {LOWER_OTHER, 0, 0};
    const graph_value *value = l->r.from->values + v;
    int64_t out[MOST];
    uint64_t count = 0;
    if (v == l->position_ids) return (lower_answer){LOWER_POSITIONS, 0, 0};
    if (v == l->input_ids || lower_constant(l, v) || lower_is_rows(l, v)) return a;
    /* An input that is neither mask nor ids is given as whoever reads it wants it. */
    if (value->kind == GRAPH_VALUE_INPUT && v != l->attention_mask && value->shape.rank < 2) {
        a.meaning = value->shape.rank == 0 ? LOWER_TOTAL : LOWER_LENGTHS;
        return a;
    }
    for (size_t i = 0; i < sizeof PAIRS / sizeof *PAIRS; i++) {
        if (!lower_probe(l, v, PAIRS[i][0], PAIRS[i][1], out, MOST, &count)) return a;
        const lower_meaning m = meaning_of(out, count, PAIRS[i][0], PAIRS[i][1]);
        /* The last pair cannot tell positions from a length less one. */
        if (i > 0 && m != a.meaning && !(i == 2 && a.meaning == LOWER_LENGTHS))
            return (lower_answer){LOWER_OTHER, 0, 0};
        if (i == 0) a.meaning = m;
    }
    if (a.meaning == LOWER_POSITIONS && !find_shift(l, v, &a)) a.meaning = LOWER_OTHER;
    return a;
}

const lower_answer *lower_ask(lowering *l, graph_value_id v) {
    static const lower_answer NOTHING = {LOWER_OTHER, 0, 0};
    if (v == GRAPH_NONE) return &NOTHING;
    if (l->answers[v].meaning == LOWER_UNASKED) l->answers[v] = ask(l, v);
    return l->answers + v;
}

/* ------------------------------------------------------------ conditions */

static bool bool_at(lowering *l, graph_value_id v, uint64_t past, uint64_t fresh, bool *out) {
    int64_t number = 0;
    uint64_t count = 0;
    if (!lower_probe(l, v, past, fresh, &number, 1, &count) || count != 1) return false;
    *out = number != 0;
    return true;
}

bool lower_threshold(lowering *l, graph_value_id v, uint64_t *threshold, bool *first) {
    uint64_t low = 1, high = longest(l);
    bool last = false, at = false;
    *threshold = 0;
    if (!bool_at(l, v, 0, 1, first) || !bool_at(l, v, high - 1, 1, &last)) return false;
    if (*first == last) return true;
    while (high - low > 1) {
        const uint64_t n = low + (high - low) / 2;
        if (!bool_at(l, v, n - 1, 1, &at)) return false;
        *(at == *first ? &low : &high) = n;
    }
    /* A prompt of that length must say the same as one token behind it. */
    if (!bool_at(l, v, 0, low, &at) || at != *first || !bool_at(l, v, 0, high, &at) || at == *first)
        return false;
    *threshold = low;
    return true;
}
