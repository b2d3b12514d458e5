/* Passes for graphs that run as they are written, in place. In: a graph whose constants are folded.
 * Out: the same function in fewer nodes: BatchNormalization goes into the weights of the Conv
 * before it, x * Clip(x + 3, 0, 6) / 6 becomes HardSwish. Each rounds no more often than what it
 * replaces. */
#include <math.h>
#include <string.h>

#include "graph/ops.h"
#include "optimize/optimize.h"

typedef struct pass {
    graph *g;
    uint32_t *uses; /* [values]: readers, outputs and captures counted */
    bool *gone;     /* [nodes] */
    uint32_t value_count;
} pass;

static ondol_status count_uses(pass *p, ondol_error *err) {
    const graph *g = p->g;
    p->value_count = g->value_count;
    p->uses = base_calloc(g->allocator, g->value_count + 1u, sizeof *p->uses);
    p->gone = base_calloc(g->allocator, g->node_count + 1u, sizeof *p->gone);
    if (!p->uses || !p->gone) return base_no_memory(err, "graph", g->value_count);
    for (graph_node_id id = 0; id < g->node_count; id++) {
        for (uint32_t i = 0; i < g->nodes[id].input_count; i++) {
            const graph_value_id v = g->nodes[id].inputs[i];
            if (v == GRAPH_NONE) continue;
            p->uses[v]++;
        }
    }
    for (uint32_t i = 0; i < g->output_count; i++)
        if (g->outputs[i] != GRAPH_NONE) p->uses[g->outputs[i]] += 2; /* it must stay */
    for (const graph *sub = g->first_subgraph; sub; sub = sub->next_sibling) {
        for (uint32_t v = 0; v < sub->value_count; v++)
            if (sub->values[v].kind == GRAPH_VALUE_CAPTURE) p->uses[sub->values[v].outer] += 2;
    }
    return ONDOL_OK;
}

static const graph_value *input_of(const graph *g, const graph_node *n, uint32_t i) {
    return i < n->input_count && n->inputs[i] != GRAPH_NONE ? g->values + n->inputs[i] : NULL;
}

static bool is_f32_constant(const graph_value *v) {
    return v && v->kind == GRAPH_VALUE_INITIALIZER && v->data && v->encoding == GRAPH_PLAIN &&
           v->element == TENSOR_ELEMENT_F32;
}

/* The node that makes v, when v is made for one reader alone. */
static graph_node *only_producer(const pass *p, graph_value_id v) {
    if (v == GRAPH_NONE || v >= p->value_count || p->uses[v] != 1) return NULL;
    const graph_node_id id = p->g->values[v].producer;
    return id == GRAPH_NONE || p->gone[id] ? NULL : p->g->nodes + id;
}

/* ------------------------------------------------------------------- BatchNormalization in Conv */

/* scale and shift of each channel, in double; false where the node is not so plain. */
static bool read_norm(const graph *g, graph_node_id id, uint64_t channels, double *scale,
                      double *shift) {
    const graph_node *n = g->nodes + id;
    const float *list[4];
    if (graph_get_int(g, id, "training_mode")) return false;
    for (uint32_t i = 1; i < n->output_count; i++)
        if (n->outputs[i] != GRAPH_NONE) return false;
    for (uint32_t i = 0; i < 4; i++) {
        const graph_value *v = input_of(g, n, i + 1);
        if (!is_f32_constant(v) || v->data_bytes != 4 * channels) return false;
        list[i] = v->data;
    }
    const double epsilon = graph_get_float(g, id, "epsilon");
    for (uint64_t c = 0; c < channels; c++) {
        scale[c] = list[0][c] / sqrt(list[3][c] + epsilon);
        shift[c] = list[1][c] - list[2][c] * scale[c];
    }
    return true;
}

/* New weights and biases of the convolution, rounded once. Errors: MEMORY. */
static ondol_status scale_weights(graph *g, graph_node_id conv, const double *scale,
                                  const double *shift, ondol_error *err) {
    const graph_value w = *input_of(g, g->nodes + conv, 1);
    const graph_value *bias = input_of(g, g->nodes + conv, 2);
    const float *from = w.data, *old = bias ? bias->data : NULL;
    const uint64_t channels = (uint64_t)w.shape.dims[0], each = w.data_bytes / 4 / channels;
    graph_value_id ids[2];
    ondol_status status = ONDOL_OK;
    float *weights = base_arena_alloc(&g->arena, (size_t)(w.data_bytes / 4), sizeof *weights);
    float *biases = base_arena_alloc(&g->arena, (size_t)channels, sizeof *biases);
    graph_value_id *inputs = base_arena_alloc(&g->arena, 3, sizeof *inputs);
    if (!weights || !biases || !inputs) return base_no_memory(err, "weights", w.data_bytes);
    for (uint64_t c = 0; c < channels; c++) {
        biases[c] = (float)((old ? old[c] : 0.0) * scale[c] + shift[c]);
        for (uint64_t i = 0; i < each; i++)
            weights[c * each + i] = (float)(from[c * each + i] * scale[c]);
    }
    const graph_tensor a = {TENSOR_ELEMENT_F32, w.shape, weights, w.data_bytes};
    const graph_tensor b = {TENSOR_ELEMENT_F32, graph_shape_1((graph_dim)channels), biases,
                            4 * channels};
    TRY(graph_add_borrowed(g, w.name, &a, ids, err));
    TRY(graph_add_borrowed(g, w.name, &b, ids + 1, err));
    graph_node *n = g->nodes + conv;
    inputs[0] = n->inputs[0];
    inputs[1] = ids[0];
    inputs[2] = ids[1];
    n->inputs = inputs;
    n->input_count = 3;
done:
    return status;
}

/* The output of `from` is from now on made by `to`, whose own one nobody reads. */
static void take_over(pass *p, graph_node *to, graph_node_id from) {
    graph *g = p->g;
    to->outputs[0] = g->nodes[from].outputs[0];
    g->values[to->outputs[0]].producer = (graph_node_id)(to - g->nodes);
    p->gone[from] = true;
}

static ondol_status fold_norm(pass *p, graph_node_id id, ondol_error *err) {
    graph *g = p->g;
    graph_node *conv = only_producer(p, g->nodes[id].inputs[0]);
    if (!conv || conv->op != GRAPH_OP_CONV) return ONDOL_OK;
    const graph_value *w = input_of(g, conv, 1), *bias = input_of(g, conv, 2);
    if (!is_f32_constant(w) || w->shape.rank < 3 || w->shape.dims[0] < 1) return ONDOL_OK;
    const uint64_t channels = (uint64_t)w->shape.dims[0];
    if (bias && (!is_f32_constant(bias) || bias->data_bytes != 4 * channels)) return ONDOL_OK;
    double *scale = base_calloc(g->allocator, (size_t)(2 * channels), sizeof *scale);
    if (!scale) return base_no_memory(err, "weights", 16 * channels);
    ondol_status status = ONDOL_OK;
    const graph_node_id at = (graph_node_id)(conv - g->nodes);
    if (read_norm(g, id, channels, scale, scale + channels)) {
        status = scale_weights(g, at, scale, scale + channels, err);
        if (status == ONDOL_OK) take_over(p, g->nodes + at, id);
    }
    base_free(g->allocator, scale);
    return status;
}

/* ------------------------------------------------------------------------------------ HardSwish */

static bool is_number(const graph_value *v, float number) {
    float have = 0;
    if (!is_f32_constant(v) || v->data_bytes != sizeof have) return false;
    memcpy(&have, v->data, sizeof have);
    return have == number && v->shape.rank <= 1;
}

/* The other input of a commutative node, when one of both is that number. */
static bool other_than(const graph *g, const graph_node *n, float number, graph_value_id *out) {
    for (uint32_t i = 0; i < 2; i++) {
        if (!is_number(input_of(g, n, i), number)) continue;
        *out = n->inputs[1 - i];
        return *out != GRAPH_NONE;
    }
    return false;
}

/* x, when v is Clip(x + 3, 0, 6) for one reader. */
static bool match_clip(const pass *p, graph_value_id v, graph_value_id *x, graph_node_id gone[2]) {
    const graph *g = p->g;
    const graph_node *clip = only_producer(p, v);
    if (!clip || clip->op != GRAPH_OP_CLIP || !is_number(input_of(g, clip, 1), 0) ||
        !is_number(input_of(g, clip, 2), 6)) {
        return false;
    }
    const graph_node *add = only_producer(p, clip->inputs[0]);
    if (!add || add->op != GRAPH_OP_ADD || !other_than(g, add, 3, x)) return false;
    gone[0] = (graph_node_id)(clip - g->nodes);
    gone[1] = (graph_node_id)(add - g->nodes);
    return true;
}

/* Div(Mul(x, Clip(x + 3, 0, 6)), 6), of float32. */
static void fuse_hard_swish(pass *p, graph_node_id id) {
    graph *g = p->g;
    graph_node *div = g->nodes + id;
    graph_node_id inner[2];
    graph_value_id x = GRAPH_NONE;
    if (!is_number(input_of(g, div, 1), 6)) return;
    const graph_node *mul = only_producer(p, div->inputs[0]);
    if (!mul || mul->op != GRAPH_OP_MUL) return;
    for (uint32_t i = 0; i < 2; i++) {
        if (!match_clip(p, mul->inputs[i], &x, inner) || mul->inputs[1 - i] != x) continue;
        if (g->values[x].element != TENSOR_ELEMENT_F32) return;
        p->gone[inner[0]] = p->gone[inner[1]] = true;
        p->gone[mul - g->nodes] = true;
        div->op = GRAPH_OP_HARD_SWISH;
        div->inputs[0] = x;
        div->input_count = 1;
        p->uses[x]--; /* two readers have become one */
        return;
    }
}

/* ----------------------------------------------------------------------------------------- Gelu */

static bool is_near(const graph_value *v, double number) {
    float have = 0;
    if (!is_f32_constant(v) || v->data_bytes != sizeof have || v->shape.rank > 1) return false;
    memcpy(&have, v->data, sizeof have);
    return fabs(have - number) <= 1e-6 * number;
}

/* The input of a Mul beside a constant near that number. */
static bool scaled(const pass *p, const graph_node *n, double number, graph_value_id *out) {
    for (uint32_t i = 0; n && n->op == GRAPH_OP_MUL && i < 2; i++) {
        if (!is_near(input_of(p->g, n, i), number)) continue;
        *out = n->inputs[1 - i];
        return true;
    }
    return false;
}

/* x, when v is 1 + Erf(x / sqrt 2), each step for one reader; the nodes in gone. */
static bool match_erf(const pass *p, graph_value_id v, graph_value_id *x, graph_node_id gone[3]) {
    const graph *g = p->g;
    graph_value_id inner = GRAPH_NONE;
    const graph_node *add = only_producer(p, v);
    if (!add || add->op != GRAPH_OP_ADD || !other_than(g, add, 1, &inner)) return false;
    const graph_node *erf = only_producer(p, inner);
    if (!erf || erf->op != GRAPH_OP_ERF) return false;
    const graph_node *div = only_producer(p, erf->inputs[0]);
    if (!div) return false;
    if (div->op == GRAPH_OP_DIV && is_near(input_of(g, div, 1), 1.4142135623730951)) {
        *x = div->inputs[0];
    } else if (!scaled(p, div, 0.70710678118654752, x)) {
        return false;
    }
    gone[0] = (graph_node_id)(add - g->nodes);
    gone[1] = (graph_node_id)(erf - g->nodes);
    gone[2] = (graph_node_id)(div - g->nodes);
    return *x != GRAPH_NONE && g->values[*x].element == TENSOR_ELEMENT_F32;
}

/* Mul node id becomes Gelu of x; `middle` and the three of gone are no more. */
static void become_gelu(pass *p, graph_node_id id, graph_value_id x, graph_node_id middle,
                        const graph_node_id gone[3]) {
    graph_node *n = p->g->nodes + id;
    for (uint32_t i = 0; i < 3; i++)
        p->gone[gone[i]] = true;
    p->gone[middle] = true;
    n->op = GRAPH_OP_GELU;
    n->inputs[0] = x;
    n->input_count = 1;
    p->uses[x]--; /* two readers have become one */
}

/* The three ways to multiply x, 1/2 and 1 + Erf: x (t / 2), (x / 2) t, (x t) / 2. */
static void fuse_gelu(pass *p, graph_node_id id) {
    const graph *g = p->g;
    const graph_node *n = g->nodes + id;
    graph_node_id gone[3];
    graph_value_id x = GRAPH_NONE, y = GRAPH_NONE;
    for (uint32_t i = 0; i < 2; i++) {
        const graph_value_id a = n->inputs[i], b = n->inputs[1 - i];
        const graph_node *middle = only_producer(p, a);
        if (!middle || middle->op != GRAPH_OP_MUL) continue;
        const graph_node_id at = (graph_node_id)(middle - g->nodes);
        if (scaled(p, middle, 0.5, &y)) {
            const bool first = match_erf(p, y, &x, gone) && b == x;
            const bool second = !first && match_erf(p, b, &x, gone) && y == x;
            if (first || second) {
                become_gelu(p, id, x, at, gone);
                return;
            }
        }
        for (uint32_t k = 0; k < 2 && is_near(g->values + b, 0.5); k++) {
            if (match_erf(p, middle->inputs[k], &x, gone) && middle->inputs[1 - k] == x) {
                become_gelu(p, id, x, at, gone);
                return;
            }
        }
    }
}

/* --------------------------------------------------------------------------------------- Linear */

/* MatMul(x, W) + bias, W [K, N] and bias [N] constant. */
static ondol_status fuse_linear(pass *p, graph_node_id id, ondol_error *err) {
    graph *g = p->g;
    for (uint32_t i = 0; i < 2 && g->nodes[id].input_count == 2; i++) {
        graph_node *matmul = only_producer(p, g->nodes[id].inputs[i]);
        const graph_value *bias = input_of(g, g->nodes + id, 1 - i);
        if (!matmul || matmul->op != GRAPH_OP_MATMUL || !is_f32_constant(bias)) continue;
        const graph_value *x = input_of(g, matmul, 0), *w = input_of(g, matmul, 1);
        if (!is_f32_constant(w) || w->shape.rank != 2 || bias->shape.rank != 1 ||
            bias->shape.dims[0] != w->shape.dims[1] || w->shape.dims[0] < 1 ||
            w->shape.dims[1] < 1 || x->element != TENSOR_ELEMENT_F32) {
            continue;
        }
        graph_value_id *inputs = base_arena_alloc(&g->arena, 3, sizeof *inputs);
        if (!inputs) return base_no_memory(err, "graph", 3 * sizeof *inputs);
        inputs[0] = matmul->inputs[0];
        inputs[1] = matmul->inputs[1];
        inputs[2] = g->nodes[id].inputs[1 - i];
        matmul->op = GRAPH_OP_O_LINEAR;
        matmul->inputs = inputs;
        matmul->input_count = 3;
        take_over(p, matmul, id);
        return ONDOL_OK;
    }
    return ONDOL_OK;
}

static void drop_gone(pass *p) {
    graph *g = p->g;
    uint32_t kept = 0;
    /* What the nodes that are gone made is made by nobody. */
    for (uint32_t v = 0; v < g->value_count; v++)
        g->values[v].producer = GRAPH_NONE;
    for (graph_node_id id = 0; id < g->node_count; id++) {
        if (p->gone[id]) continue;
        g->nodes[kept] = g->nodes[id];
        for (uint32_t i = 0; i < g->nodes[kept].output_count; i++)
            if (g->nodes[kept].outputs[i] != GRAPH_NONE) {
                g->values[g->nodes[kept].outputs[i]].producer = kept;
            }
        kept++;
    }
    g->node_count = kept;
}

/* As deep as GRAPH_MAX_DEPTH. */
ondol_status optimize_network(graph *g, ondol_error *err) {
    pass p = {.g = g};
    ondol_status status = ONDOL_OK;
    TRY(count_uses(&p, err));
    for (graph_node_id id = 0; id < g->node_count; id++) {
        if (p.gone[id]) continue;
        if (g->nodes[id].op == GRAPH_OP_BATCH_NORMALIZATION) TRY(fold_norm(&p, id, err));
        if (g->nodes[id].op == GRAPH_OP_DIV) fuse_hard_swish(&p, id);
        if (g->nodes[id].op == GRAPH_OP_MUL) fuse_gelu(&p, id);
        if (g->nodes[id].op == GRAPH_OP_ADD) TRY(fuse_linear(&p, id, err));
    }
    drop_gone(&p);
    for (graph *sub = g->first_subgraph; sub; sub = sub->next_sibling)
        TRY(optimize_network(sub, err));
done:
    base_free(g->allocator, p.uses);
    base_free(g->allocator, p.gone);
    return status;
}
