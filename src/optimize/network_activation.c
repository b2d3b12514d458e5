/* Activations that were taken apart. In: their last node. Out: one node: x * Clip(x + 3, 0, 6) / 6
 * is HardSwish, x * (1 + Erf(x / sqrt 2)) / 2 and its form with Tanh are Gelu. */
#include <math.h>

#include "optimize/network_pass.h"

/* x, when v is Clip(x + 3, 0, 6) for one reader. */
static bool match_clip(const network_pass *p, graph_value_id v, graph_value_id *x,
                       graph_node_id gone[2]) {
    const graph *g = p->g;
    const graph_node *clip = network_producer(p, v);
    if (!clip || clip->op != GRAPH_OP_CLIP || !network_is_number(network_input(g, clip, 1), 0) ||
        !network_is_number(network_input(g, clip, 2), 6)) {
        return false;
    }
    const graph_node *add = network_producer(p, clip->inputs[0]);
    if (!add || add->op != GRAPH_OP_ADD || !network_other(g, add, 3, x)) return false;
    gone[0] = (graph_node_id)(clip - g->nodes);
    gone[1] = (graph_node_id)(add - g->nodes);
    return true;
}

/* Div(Mul(x, Clip(x + 3, 0, 6)), 6), of float32. */
void network_fuse_hard_swish(network_pass *p, graph_node_id id) {
    graph *g = p->g;
    graph_node *div = g->nodes + id;
    graph_node_id inner[2];
    graph_value_id x = GRAPH_NONE;
    if (!network_is_number(network_input(g, div, 1), 6)) return;
    const graph_node *mul = network_producer(p, div->inputs[0]);
    if (!mul || mul->op != GRAPH_OP_MUL) return;
    for (uint32_t i = 0; i < 2; i++) {
        if (!match_clip(p, mul->inputs[i], &x, inner) || mul->inputs[1 - i] != x) continue;
        if (g->values[x].element != TENSOR_ELEMENT_F32 || !network_keeps_rank(g, id, x)) return;
        p->gone[inner[0]] = p->gone[inner[1]] = true;
        p->gone[mul - g->nodes] = true;
        div->op = GRAPH_OP_HARD_SWISH;
        div->inputs[0] = x;
        div->input_count = 1;
        p->uses[x]--; /* two readers have become one */
        return;
    }
}

/* ------------------------------------------------------------ Gelu by Erf */

/* x, when v is 1 + Erf(x / sqrt 2), each step for one reader; the nodes in gone. */
static bool match_erf(const network_pass *p, graph_value_id v, graph_value_id *x,
                      graph_node_id gone[3]) {
    const graph *g = p->g;
    graph_value_id inner = GRAPH_NONE;
    const graph_node *add = network_producer(p, v);
    if (!add || add->op != GRAPH_OP_ADD || !network_other(g, add, 1, &inner)) return false;
    const graph_node *erf = network_producer(p, inner);
    if (!erf || erf->op != GRAPH_OP_ERF) return false;
    const graph_node *div = network_producer(p, erf->inputs[0]);
    if (!div) return false;
    if (div->op == GRAPH_OP_DIV && network_is_near(network_input(g, div, 1), 1.4142135623730951)) {
        *x = div->inputs[0];
    } else if (!network_scaled(p, div, 0.70710678118654752, x)) {
        return false;
    }
    gone[0] = (graph_node_id)(add - g->nodes);
    gone[1] = (graph_node_id)(erf - g->nodes);
    gone[2] = (graph_node_id)(div - g->nodes);
    return *x != GRAPH_NONE && g->values[*x].element == TENSOR_ELEMENT_F32;
}

/* Mul node id becomes Gelu of x; `middle` and the three of gone are no more. */
static void become_gelu(network_pass *p, graph_node_id id, graph_value_id x, graph_node_id middle,
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
void network_fuse_gelu(network_pass *p, graph_node_id id) {
    const graph *g = p->g;
    const graph_node *n = g->nodes + id;
    graph_node_id gone[3];
    graph_value_id x = GRAPH_NONE, y = GRAPH_NONE;
    for (uint32_t i = 0; i < 2; i++) {
        const graph_value_id a = n->inputs[i], b = n->inputs[1 - i];
        const graph_node *middle = network_producer(p, a);
        if (!middle || middle->op != GRAPH_OP_MUL) continue;
        const graph_node_id at = (graph_node_id)(middle - g->nodes);
        if (network_scaled(p, middle, 0.5, &y)) {
            const bool first = match_erf(p, y, &x, gone) && b == x;
            const bool second = !first && match_erf(p, b, &x, gone) && y == x;
            if ((first || second) && network_keeps_rank(g, id, x)) {
                become_gelu(p, id, x, at, gone);
                return;
            }
        }
        for (uint32_t k = 0; k < 2 && network_is_near(g->values + b, 0.5); k++) {
            if (match_erf(p, middle->inputs[k], &x, gone) && middle->inputs[1 - k] == x &&
                network_keeps_rank(g, id, x)) {
                become_gelu(p, id, x, at, gone);
                return;
            }
        }
    }
}

/* ------------------------------------------------------------ Gelu by Tanh */

/* Nodes of one activation, until all are found. */
typedef struct found {
    const network_pass *p;
    graph_node_id nodes[8];
    uint32_t count;
} found;

static const graph_node *take(found *f, graph_value_id v, graph_op op) {
    const graph_node *n = network_producer(f->p, v);
    if (!n || n->op != op || f->count == 8) return NULL;
    f->nodes[f->count++] = (graph_node_id)(n - f->p->g->nodes);
    return n;
}

/* The product of two values that v is, in either order, when one of them is x. */
static bool times_x(found *f, graph_value_id v, graph_value_id x, graph_value_id *other) {
    const graph_node *n = take(f, v, GRAPH_OP_MUL);
    for (uint32_t i = 0; n && i < 2; i++) {
        if (n->inputs[i] != x) continue;
        *other = n->inputs[1 - i];
        return true;
    }
    return false;
}

/* x * number, in either order. */
static bool x_scaled(found *f, graph_value_id v, graph_value_id x, double number) {
    graph_value_id other = GRAPH_NONE;
    const graph_node *n = take(f, v, GRAPH_OP_MUL);
    return n && network_scaled(f->p, n, number, &other) && other == x;
}

/* 0.044715 x^3, as Mul(x, Mul(x, c x)) or c Mul(x, Mul(x, x)) or c Pow(x, 3). */
static bool cubic(found *f, graph_value_id v, graph_value_id x) {
    const double c = 0.044715;
    const uint32_t start = f->count;
    graph_value_id a = GRAPH_NONE, b = GRAPH_NONE;
    if (times_x(f, v, x, &a) && times_x(f, a, x, &b) && x_scaled(f, b, x, c)) return true;
    f->count = start;
    const graph_node *n = take(f, v, GRAPH_OP_MUL);
    if (!n || !network_scaled(f->p, n, c, &a)) return false;
    const uint32_t inner = f->count;
    const graph_node *power = take(f, a, GRAPH_OP_POW);
    if (power)
        return power->inputs[0] == x && network_is_number(network_input(f->p->g, power, 1), 3);
    f->count = inner;
    if (!times_x(f, a, x, &b)) return false;
    const graph_node *square = take(f, b, GRAPH_OP_MUL);
    return square && square->inputs[0] == x && square->inputs[1] == x;
}

/* 1 + Tanh(sqrt(2 / pi) (x + 0.044715 x^3)) */
static bool match_tanh(found *f, graph_value_id v, graph_value_id x) {
    const graph *g = f->p->g;
    graph_value_id inner = GRAPH_NONE;
    const graph_node *add = take(f, v, GRAPH_OP_ADD);
    if (!add || !network_other(g, add, 1, &inner)) return false;
    const graph_node *tanh_node = take(f, inner, GRAPH_OP_TANH);
    if (!tanh_node) return false;
    const graph_node *scale = take(f, tanh_node->inputs[0], GRAPH_OP_MUL);
    if (!scale || !network_scaled(f->p, scale, 0.7978845608028654, &inner)) return false;
    const graph_node *sum = take(f, inner, GRAPH_OP_ADD);
    for (uint32_t i = 0; sum && i < 2; i++) {
        if (sum->inputs[i] != x) continue;
        return cubic(f, sum->inputs[1 - i], x);
    }
    return false;
}

/* x (t / 2) or (x / 2) t. */
void network_fuse_gelu_tanh(network_pass *p, graph_node_id id, ondol_error *err) {
    graph *g = p->g;
    for (uint32_t i = 0; i < 2; i++) {
        found f = {.p = p};
        graph_value_id other = GRAPH_NONE;
        const graph_value_id half = g->nodes[id].inputs[i], rest = g->nodes[id].inputs[1 - i];
        const graph_node *middle = take(&f, half, GRAPH_OP_MUL);
        if (!middle || !network_scaled(p, middle, 0.5, &other)) continue;
        const uint32_t start = f.count;
        graph_value_id x = rest;
        bool fits = match_tanh(&f, other, x);
        if (!fits) {
            f.count = start;
            x = other;
            fits = match_tanh(&f, rest, x);
        }
        if (!fits || g->values[x].element != TENSOR_ELEMENT_F32 || !network_keeps_rank(g, id, x))
            continue;
        g->nodes[id].op = GRAPH_OP_GELU;
        if (graph_set_string(g, id, "approximate", "tanh", err) != ONDOL_OK) {
            g->nodes[id].op = GRAPH_OP_MUL; /* no memory: it stays as it was */
            return;
        }
        for (uint32_t k = 0; k < f.count; k++)
            p->gone[f.nodes[k]] = true;
        g->nodes[id].inputs[0] = x;
        g->nodes[id].input_count = 1;
        return;
    }
}
