/* Convolutions and what stands behind them. In: BatchNormalization, Mul, Add or an activation of a
 * Conv's only result. Out: the Conv alone, with other weights, or with an end of its own. Each
 * rounds no more often than what it replaces. */
#include <math.h>
#include <string.h>

#include "optimize/network_pass.h"

/* scale and shift of each channel, in double; false where the node is not so plain. */
static bool read_norm(const graph *g, graph_node_id id, uint64_t channels, double *scale,
                      double *shift) {
    const graph_node *n = g->nodes + id;
    const float *list[4];
    if (graph_get_int(g, id, "training_mode")) return false;
    for (uint32_t i = 1; i < n->output_count; i++)
        if (n->outputs[i] != GRAPH_NONE) return false;
    for (uint32_t i = 0; i < 4; i++) {
        const graph_value *v = network_input(g, n, i + 1);
        if (!network_is_constant(v) || v->data_bytes != 4 * channels) return false;
        list[i] = v->data;
    }
    const double epsilon = graph_get_float(g, id, "epsilon");
    for (uint64_t c = 0; c < channels; c++) {
        scale[c] = list[0][c] / sqrt(list[3][c] + epsilon);
        shift[c] = list[1][c] - list[2][c] * scale[c];
    }
    return true;
}

/* Output channels of a Conv [M, C/g, ...] or ConvTranspose [C, M/g, ...]; 0: it is neither, or not
 * one of constant f32 weights. */
static uint64_t channels_of(const graph *g, const graph_node *conv) {
    if (!conv || (conv->op != GRAPH_OP_CONV && conv->op != GRAPH_OP_CONV_TRANSPOSE)) return 0;
    const graph_value *w = network_input(g, conv, 1), *bias = network_input(g, conv, 2);
    const int64_t groups = graph_get_int(g, (graph_node_id)(conv - g->nodes), "group");
    if (!network_is_constant(w) || w->shape.rank < 3 || w->shape.dims[0] < 1 ||
        w->shape.dims[1] < 1 || groups < 1 || w->shape.dims[0] % groups) {
        return 0;
    }
    const uint64_t channels = conv->op == GRAPH_OP_CONV
                                  ? (uint64_t)w->shape.dims[0]
                                  : (uint64_t)w->shape.dims[1] * (uint64_t)groups;
    if (bias && (!network_is_constant(bias) || bias->data_bytes != 4 * channels)) return 0;
    return channels;
}

/* w[i] *= scale of its channel. */
static void scale_elements(const graph *g, graph_node_id conv, const graph_shape *shape,
                           const float *from, uint64_t count, const double *scale, float *to) {
    const bool turned = g->nodes[conv].op == GRAPH_OP_CONV_TRANSPOSE;
    const uint64_t rows = (uint64_t)shape->dims[0], columns = (uint64_t)shape->dims[1];
    const uint64_t each = count / rows / columns;
    const uint64_t in_group = rows / (uint64_t)graph_get_int(g, conv, "group");
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t row = i / (columns * each), column = i / each % columns;
        const uint64_t channel = turned ? row / in_group * columns + column : row;
        to[i] = (float)(from[i] * scale[channel]);
    }
}

/* New weights and biases of the convolution, rounded once; those that an earlier pass made are its
 * own to write over. Errors: MEMORY. */
static ondol_status scale_weights(network_pass *p, graph_node_id conv, uint64_t channels,
                                  const double *scale, const double *shift, ondol_error *err) {
    graph *g = p->g;
    const graph_value w = *network_input(g, g->nodes + conv, 1);
    const graph_value *bias = network_input(g, g->nodes + conv, 2);
    const float *old = bias ? bias->data : NULL;
    const bool own = g->nodes[conv].inputs[1] >= p->value_count;
    graph_value_id ids[2];
    ondol_status status = ONDOL_OK;
    float *weights = own ? (float *)(uintptr_t)w.data
                         : base_arena_alloc(&g->arena, (size_t)(w.data_bytes / 4), sizeof *weights);
    float *biases = own ? (float *)(uintptr_t)bias->data
                        : base_arena_alloc(&g->arena, (size_t)channels, sizeof *biases);
    graph_value_id *inputs = base_arena_alloc(&g->arena, 3, sizeof *inputs);
    if (!weights || !biases || !inputs) return base_no_memory(err, "weights", w.data_bytes);
    for (uint64_t c = 0; c < channels; c++)
        biases[c] = (float)((old ? old[c] : 0.0) * scale[c] + shift[c]);
    scale_elements(g, conv, &w.shape, w.data, w.data_bytes / 4, scale, weights);
    if (own) return ONDOL_OK;
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

/* One number, or one for each channel of an output of that rank: [C, 1, 1] ... */
static bool is_by_channel(const graph_value *v, uint32_t rank, uint64_t channels) {
    if (!network_is_constant(v) || v->shape.rank > rank) return false;
    if (v->data_bytes == 4) return true;
    if (v->data_bytes != 4 * channels || v->shape.rank + 1 < rank) return false;
    return (uint64_t)v->shape.dims[v->shape.rank + 1 - rank] == channels;
}

/* The other operand of a Mul or Add, when it is such a constant; and the first. */
static const graph_value *constant_operand(const graph *g, const graph_node *n, uint32_t rank,
                                           uint64_t channels, uint32_t *first) {
    for (uint32_t i = 0; i < 2; i++) {
        const graph_value *v = network_input(g, n, 1 - i);
        if (!is_by_channel(v, rank, channels)) continue;
        *first = i;
        return v;
    }
    return NULL;
}

static bool read_constant(const graph_node *n, const graph_value *v, uint64_t channels,
                          double *scale, double *shift) {
    const float *from = v->data;
    for (uint64_t c = 0; c < channels; c++) {
        const double number = from[v->data_bytes == 4 ? 0 : c];
        scale[c] = n->op == GRAPH_OP_MUL ? number : 1;
        shift[c] = n->op == GRAPH_OP_MUL ? 0 : number;
    }
    return true;
}

static graph_node *conv_before(const network_pass *p, graph_node_id id, uint64_t *channels,
                               const graph_value **constant) {
    const graph *g = p->g;
    const graph_node *n = g->nodes + id;
    *constant = NULL;
    for (uint32_t i = 0; i < (n->op == GRAPH_OP_BATCH_NORMALIZATION ? 1u : 2u); i++) {
        graph_node *conv = network_producer(p, n->inputs[i]);
        uint32_t first = 0;
        *channels = channels_of(g, conv);
        if (!*channels) continue;
        if (n->op == GRAPH_OP_BATCH_NORMALIZATION) return conv;
        const uint32_t rank = network_input(g, conv, 1)->shape.rank;
        *constant = constant_operand(g, n, rank, *channels, &first);
        if (*constant && first == i) return conv;
    }
    return NULL;
}

ondol_status network_fold_scale(network_pass *p, graph_node_id id, bool *done, ondol_error *err) {
    graph *g = p->g;
    const graph_value *constant = NULL;
    uint64_t channels = 0;
    const graph_node *conv = conv_before(p, id, &channels, &constant);
    *done = false;
    if (!conv) return ONDOL_OK;
    double *scale = base_calloc(g->allocator, (size_t)(2 * channels), sizeof *scale);
    if (!scale) return base_no_memory(err, "weights", 16 * channels);
    ondol_status status = ONDOL_OK;
    const graph_node_id at = (graph_node_id)(conv - g->nodes);
    if (constant ? read_constant(g->nodes + id, constant, channels, scale, scale + channels)
                 : read_norm(g, id, channels, scale, scale + channels)) {
        status = scale_weights(p, at, channels, scale, scale + channels, err);
        if (status == ONDOL_OK) network_take_over(p, g->nodes + at, id);
        *done = status == ONDOL_OK;
    }
    base_free(g->allocator, scale);
    return status;
}

/* ------------------------------------------------------------ the end of a Conv */

/* alpha and beta of an activation that a Conv can end with; its name. NULL: there is none. */
static const char *activation_of(const graph *g, graph_node_id id, double *alpha, double *beta) {
    const graph_node *n = g->nodes + id;
    *alpha = *beta = 0;
    switch (n->op) {
    case GRAPH_OP_RELU: return "Relu";
    case GRAPH_OP_SIGMOID: return "Sigmoid";
    case GRAPH_OP_TANH: return "Tanh";
    case GRAPH_OP_HARD_SWISH: return "HardSwish";
    case GRAPH_OP_LEAKY_RELU: *alpha = graph_get_float(g, id, "alpha"); return "LeakyRelu";
    case GRAPH_OP_SWISH: *alpha = graph_get_float(g, id, "alpha"); return "Swish";
    case GRAPH_OP_HARD_SIGMOID:
        *alpha = graph_get_float(g, id, "alpha");
        *beta = graph_get_float(g, id, "beta");
        return "HardSigmoid";
    case GRAPH_OP_CLIP:
        *alpha = -INFINITY;
        *beta = INFINITY;
        for (uint32_t i = 1; i < 3; i++) {
            const graph_value *v = network_input(g, n, i);
            float number = 0;
            if (!v) continue;
            if (!network_is_constant(v) || v->data_bytes != 4) return NULL;
            memcpy(&number, v->data, 4);
            *(i == 1 ? alpha : beta) = number;
        }
        return "Clip";
    default: return NULL;
    }
}

/* Node conv gets room for its scale and shift. */
static ondol_status widen(graph *g, graph_node_id conv, ondol_error *err) {
    graph_node *n = g->nodes + conv;
    graph_value_id *inputs = base_arena_alloc(&g->arena, 5, sizeof *inputs);
    if (!inputs) return base_no_memory(err, "graph", 5 * sizeof *inputs);
    for (uint32_t i = 0; i < 5; i++)
        inputs[i] = i < n->input_count ? n->inputs[i] : GRAPH_NONE;
    n->inputs = inputs;
    n->input_count = 5;
    n->op = GRAPH_OP_O_CONV;
    return ONDOL_OK;
}

static ondol_status add_activation(network_pass *p, graph_node_id id, ondol_error *err) {
    graph *g = p->g;
    double alpha = 0, beta = 0;
    const char *name = activation_of(g, id, &alpha, &beta);
    const graph_node *conv = name ? network_producer(p, g->nodes[id].inputs[0]) : NULL;
    if (!conv || conv->op != GRAPH_OP_CONV || !channels_of(g, conv)) return ONDOL_OK;
    const graph_value *x = network_input(g, conv, 0);
    const uint32_t rank = network_input(g, conv, 1)->shape.rank;
    if (x->element != TENSOR_ELEMENT_F32 || rank > 4) return ONDOL_OK;
    const graph_node_id at = (graph_node_id)(conv - g->nodes);
    ondol_status status = ONDOL_OK;
    TRY(widen(g, at, err));
    TRY(graph_set_string(g, at, "activation", name, err));
    TRY(graph_set_float(g, at, "alpha", alpha, err));
    TRY(graph_set_float(g, at, "beta", beta, err));
    network_take_over(p, g->nodes + at, id);
done:
    return status;
}

/* Mul or Add of a constant behind an activation. */
static void add_scale(network_pass *p, graph_node_id id) {
    graph *g = p->g;
    const graph_node *n = g->nodes + id;
    const uint32_t input = n->op == GRAPH_OP_MUL ? 3 : 4;
    for (uint32_t i = 0; i < 2; i++) {
        graph_node *conv = network_producer(p, n->inputs[i]);
        uint32_t first = 0;
        if (!conv || conv->op != GRAPH_OP_O_CONV) continue;
        const graph_value *w = network_input(g, conv, 1);
        const graph_value *v =
            constant_operand(g, n, w->shape.rank, (uint64_t)w->shape.dims[0], &first);
        if (!v || first != i || conv->inputs[4] != GRAPH_NONE || conv->inputs[input] != GRAPH_NONE)
            continue;
        conv->inputs[input] = n->inputs[1 - i];
        network_take_over(p, conv, id);
        return;
    }
}

ondol_status network_fuse_after(network_pass *p, graph_node_id id, ondol_error *err) {
    const graph_op op = p->g->nodes[id].op;
    if (op != GRAPH_OP_MUL && op != GRAPH_OP_ADD) return add_activation(p, id, err);
    add_scale(p, id);
    return ONDOL_OK;
}
