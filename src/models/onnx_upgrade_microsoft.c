/* Import rules: operators of com.microsoft that standard ones compute exactly. In: such a node.
 * Out: standard nodes; channels last becomes Transpose, the operator, Transpose. */
#include <string.h>

#include "models/onnx_upgrade.h"

static void set_ints(onnx_upgrade *u, graph_node_id n, const char *name, const int64_t *v,
                     uint32_t count) {
    if (u->status == ONDOL_OK) u->status = graph_set_ints(u->g, n, name, v, count, u->err);
}

/* ------------------------------------------------------------------------------- tensors */

/* Inserts a dimension. */
void upgrade_ms_expand_dims(onnx_upgrade *u) {
    const int64_t one = 1;
    const graph_value_id axis = upgrade_cast(u, upgrade_input(u, 1), TENSOR_ELEMENT_I64);
    const graph_value_id axes = upgrade_reshape(u, axis, upgrade_ints(u, &one, 1));
    upgrade_give(u, 0, upgrade_binary(u, GRAPH_OP_UNSQUEEZE, upgrade_input(u, 0), axes));
}

void upgrade_ms_gather_nd(onnx_upgrade *u) {
    const graph_value_id indices = upgrade_cast(u, upgrade_input(u, 1), TENSOR_ELEMENT_I64);
    upgrade_give(u, 0, upgrade_binary(u, GRAPH_OP_GATHER_ND, upgrade_input(u, 0), indices));
}

/* padding_idx and scale_grad_by_freq speak of training. */
void upgrade_ms_torch_embedding(onnx_upgrade *u) {
    upgrade_give(u, 0,
                 upgrade_binary(u, GRAPH_OP_GATHER, upgrade_input(u, 0), upgrade_input(u, 1)));
}

void upgrade_ms_grid_sample(onnx_upgrade *u) {
    const char *mode = upgrade_string(u, "mode");
    const graph_node_id n = upgrade_node(u, GRAPH_OP_GRID_SAMPLE, u->inputs, u->input_count, 1);
    upgrade_move_attribute(u, n, "align_corners", "align_corners");
    upgrade_move_attribute(u, n, "padding_mode", "padding_mode");
    if (strcmp(mode, "bilinear") == 0) mode = "linear";
    if (strcmp(mode, "bicubic") == 0) mode = "cubic";
    upgrade_set_string(u, n, "mode", mode);
    upgrade_give(u, 0, upgrade_finish(u, n));
}

/* pads: [2 * rank] or [1, 2 * rank]. */
void upgrade_ms_pad(onnx_upgrade *u) {
    const int64_t all = -1;
    const graph_value_id pads = upgrade_reshape(u, upgrade_input(u, 1), upgrade_ints(u, &all, 1));
    const graph_value_id inputs[] = {upgrade_input(u, 0), pads, upgrade_input(u, 2)};
    const graph_node_id n =
        upgrade_node(u, GRAPH_OP_PAD, inputs, inputs[2] == GRAPH_NONE ? 2 : 3, 1);
    upgrade_move_attribute(u, n, "mode", "mode");
    upgrade_give(u, 0, upgrade_finish(u, n));
}

/* start, limit, delta: one number each, of any rank; delta is 1 where it is left out. */
void upgrade_ms_range(onnx_upgrade *u) {
    graph_value_id inputs[3];
    for (uint32_t i = 0; i < 3; i++) {
        const graph_value_id v = upgrade_input(u, i);
        inputs[i] = v == GRAPH_NONE ? upgrade_number_like(u, 1, inputs[0])
                                    : upgrade_reshape(u, v, upgrade_ints(u, NULL, 0));
    }
    upgrade_give(u, 0, upgrade_finish(u, upgrade_node(u, GRAPH_OP_RANGE, inputs, 3, 1)));
}

/* In the order in which they come; outputs: the elements, where each is among them, how often. */
void upgrade_ms_unique(onnx_upgrade *u) {
    static const uint32_t from[3] = {0, 2, 3};
    const graph_node_id n = upgrade_node(u, GRAPH_OP_UNIQUE, u->inputs, 1, 4);
    upgrade_set_int(u, n, "sorted", 0);
    upgrade_finish(u, n);
    for (uint32_t i = 0; i < 3; i++)
        if (upgrade_wants(u, i)) upgrade_give(u, i, upgrade_output(u, n, from[i]));
}

void upgrade_ms_trilu(onnx_upgrade *u) {
    upgrade_as(u, GRAPH_OP_TRILU);
}

void upgrade_ms_quantize_linear(onnx_upgrade *u) {
    upgrade_as(u, GRAPH_OP_QUANTIZE_LINEAR);
}

void upgrade_ms_dequantize_linear(onnx_upgrade *u) {
    upgrade_as(u, GRAPH_OP_DEQUANTIZE_LINEAR);
}

void upgrade_ms_transpose_matmul(onnx_upgrade *u) {
    upgrade_as(u, GRAPH_OP_MS_FUSED_MATMUL);
}

/* ---------------------------------------------------------------------------- activations */

/* Operators that are fused with others, and how their parameters are called there. */
typedef struct activation_row {
    const char *name;
    graph_op op;
    const char *parameters[2]; /* NULL: none */
} activation_row;

static const activation_row ACTIVATIONS[] = {
    {"Relu", GRAPH_OP_RELU, {NULL, NULL}},
    {"Tanh", GRAPH_OP_TANH, {NULL, NULL}},
    {"Sigmoid", GRAPH_OP_SIGMOID, {NULL, NULL}},
    {"LeakyRelu", GRAPH_OP_LEAKY_RELU, {"alpha", NULL}},
    {"HardSigmoid", GRAPH_OP_HARD_SIGMOID, {"alpha", "beta"}},
    {"Elu", GRAPH_OP_ELU, {"alpha", NULL}},
    {"Celu", GRAPH_OP_CELU, {"alpha", NULL}},
    {"Selu", GRAPH_OP_SELU, {"alpha", "gamma"}},
    {"ThresholdedRelu", GRAPH_OP_THRESHOLDED_RELU, {"alpha", NULL}},
    {"Softplus", GRAPH_OP_SOFTPLUS, {NULL, NULL}},
    {"Softsign", GRAPH_OP_SOFTSIGN, {NULL, NULL}},
    {"Softmax", GRAPH_OP_SOFTMAX, {NULL, NULL}},
    {"LogSoftmax", GRAPH_OP_LOG_SOFTMAX, {NULL, NULL}},
    {"HardSwish", GRAPH_OP_HARD_SWISH, {NULL, NULL}},
    {"Gelu", GRAPH_OP_GELU, {NULL, NULL}},
    {"QuickGelu", GRAPH_OP_MS_QUICK_GELU, {"alpha", NULL}},
};

static const activation_row *find_activation(onnx_upgrade *u, const char *name) {
    for (size_t i = 0; i < sizeof ACTIVATIONS / sizeof *ACTIVATIONS; i++) {
        if (strcmp(ACTIVATIONS[i].name, name) == 0) return ACTIVATIONS + i;
    }
    upgrade_fail(u, ONDOL_E_UNSUPPORTED, "there is no activation '%.64s'", name);
    return NULL;
}

/* Parameters by attributes activation_alpha, activation_beta, activation_gamma, activation_axis. */
static graph_value_id activate_named(onnx_upgrade *u, graph_value_id x) {
    static const char *const names[3] = {"alpha", "beta", "gamma"};
    static const char *const given[3] = {"activation_alpha", "activation_beta", "activation_gamma"};
    const char *name = upgrade_string(u, "activation");
    if (!*name) return x;
    const activation_row *row = find_activation(u, name);
    if (!row) return GRAPH_NONE;
    const graph_node_id n = upgrade_node(u, row->op, &x, 1, 1);
    for (int i = 0; i < 2 && row->parameters[i]; i++) {
        for (int k = 0; k < 3; k++)
            if (strcmp(row->parameters[i], names[k]) == 0)
                upgrade_move_attribute(u, n, given[k], names[k]);
    }
    if (row->op == GRAPH_OP_SOFTMAX || row->op == GRAPH_OP_LOG_SOFTMAX)
        upgrade_move_attribute(u, n, "activation_axis", "axis");
    return upgrade_finish(u, n);
}

/* Parameters by the list activation_params. Clip: least and greatest. */
static graph_value_id activate_listed(onnx_upgrade *u, graph_value_id x) {
    const char *name = upgrade_string(u, "activation");
    const graph_attribute *list = upgrade_attribute(u, "activation_params");
    const uint32_t count = list ? list->int_count : 0;
    if (!*name) return x;
    if (strcmp(name, "Clip") == 0) {
        if (count != 2) {
            upgrade_fail(u, ONDOL_E_FORMAT, "Clip has %u parameters, expected 2", count);
            return GRAPH_NONE;
        }
        const graph_value_id inputs[] = {x, upgrade_number_like(u, list->floats[0], x),
                                         upgrade_number_like(u, list->floats[1], x)};
        return upgrade_finish(u, upgrade_node(u, GRAPH_OP_CLIP, inputs, 3, 1));
    }
    const activation_row *row = find_activation(u, name);
    if (!row) return GRAPH_NONE;
    const uint32_t known = row->parameters[1] ? 2 : row->parameters[0] ? 1 : 0;
    if (count > known) {
        upgrade_fail(u, ONDOL_E_FORMAT, "%s has %u parameters, expected %u", name, count, known);
        return GRAPH_NONE;
    }
    const graph_node_id n = upgrade_node(u, row->op, &x, 1, 1);
    for (uint32_t i = 0; i < count; i++)
        upgrade_set_float(u, n, row->parameters[i], list->floats[i]);
    return upgrade_finish(u, n);
}

/* alpha * A * B + beta * C, then the activation. */
void upgrade_ms_fused_gemm(onnx_upgrade *u) {
    const graph_node_id n = upgrade_node(u, GRAPH_OP_GEMM, u->inputs, u->input_count, 1);
    upgrade_copy_attributes(u, n);
    upgrade_give(u, 0, activate_named(u, upgrade_finish(u, n)));
}

void upgrade_ms_fused_matmul_activation(onnx_upgrade *u) {
    const graph_node_id n = upgrade_node(u, GRAPH_OP_MS_FUSED_MATMUL, u->inputs, 2, 1);
    upgrade_copy_attributes(u, n);
    upgrade_give(u, 0, activate_named(u, upgrade_finish(u, n)));
}

/* ---------------------------------------------------------------------------- convolutions */

/* Channels to the front (to_front) or to the end of a tensor of that rank. */
static graph_value_id move_channels(onnx_upgrade *u, graph_value_id x, uint32_t rank,
                                    bool to_front) {
    int64_t order[GRAPH_MAX_RANK] = {0};
    if (rank < 3 || rank > GRAPH_MAX_RANK) {
        upgrade_fail(u, ONDOL_E_UNSUPPORTED, "its number of dimensions is not known, or under 3");
        return GRAPH_NONE;
    }
    for (uint32_t i = 1; i < rank; i++)
        order[i] = to_front ? (i == 1 ? rank - 1 : i - 1) : (i + 1 == rank ? 1 : i + 1);
    const graph_node_id n = upgrade_node(u, GRAPH_OP_TRANSPOSE, &x, 1, 1);
    set_ints(u, n, "perm", order, rank);
    return upgrade_finish(u, n);
}

/* Dimensions of x, of w, or as kernel_shape says: whichever is known. */
static uint32_t rank_of(const onnx_upgrade *u, graph_value_id x, graph_value_id w) {
    const graph_attribute *kernel = upgrade_attribute(u, "kernel_shape");
    if (upgrade_rank(u, x) != GRAPH_RANK_UNKNOWN) return upgrade_rank(u, x);
    if (w != GRAPH_NONE && upgrade_rank(u, w) != GRAPH_RANK_UNKNOWN) return upgrade_rank(u, w);
    return kernel ? kernel->int_count + 2 : GRAPH_RANK_UNKNOWN;
}

/* Conv, + Z, the activation; X, Z and Y with channels last or not. */
static void fused_conv(onnx_upgrade *u, bool channels_last) {
    const uint32_t rank = rank_of(u, upgrade_input(u, 0), upgrade_input(u, 1));
    graph_value_id inputs[3] = {upgrade_input(u, 0), upgrade_input(u, 1), upgrade_input(u, 2)};
    if (channels_last) inputs[0] = move_channels(u, inputs[0], rank, true);
    const graph_node_id n =
        upgrade_node(u, GRAPH_OP_CONV, inputs, inputs[2] == GRAPH_NONE ? 2 : 3, 1);
    upgrade_copy_attributes(u, n);
    graph_value_id y = upgrade_finish(u, n), z = upgrade_input(u, 3);
    if (z != GRAPH_NONE && channels_last) z = move_channels(u, z, rank, true);
    if (z != GRAPH_NONE) y = upgrade_binary(u, GRAPH_OP_ADD, y, z);
    y = activate_listed(u, y);
    upgrade_give(u, 0, channels_last ? move_channels(u, y, rank, false) : y);
}

void upgrade_ms_fused_conv(onnx_upgrade *u) {
    fused_conv(u, false);
}

/* NhwcConv, NhwcFusedConv. */
void upgrade_ms_nhwc_conv(onnx_upgrade *u) {
    fused_conv(u, true);
}

void upgrade_ms_qlinear_conv(onnx_upgrade *u) {
    const bool channels_last = upgrade_int(u, "channels_last") != 0;
    const uint32_t rank = rank_of(u, upgrade_input(u, 0), upgrade_input(u, 3));
    graph_value_id inputs[9];
    for (uint32_t i = 0; i < 9; i++)
        inputs[i] = upgrade_input(u, i);
    if (channels_last) inputs[0] = move_channels(u, inputs[0], rank, true);
    const graph_node_id n =
        upgrade_node(u, GRAPH_OP_QLINEAR_CONV, inputs, inputs[8] == GRAPH_NONE ? 8 : 9, 1);
    upgrade_copy_attributes(u, n);
    const graph_value_id y = upgrade_finish(u, n);
    upgrade_give(u, 0, channels_last ? move_channels(u, y, rank, false) : y);
}

void upgrade_ms_nhwc_max_pool(onnx_upgrade *u) {
    const uint32_t rank = rank_of(u, upgrade_input(u, 0), GRAPH_NONE);
    const graph_value_id x = move_channels(u, upgrade_input(u, 0), rank, true);
    const graph_node_id n = upgrade_node(u, GRAPH_OP_MAX_POOL, &x, 1, 1);
    upgrade_copy_attributes(u, n);
    upgrade_give(u, 0, move_channels(u, upgrade_finish(u, n), rank, false));
}

/* Elements [from, to) of a list of known length's halves: half 0 or 1. */
static graph_value_id half_of(onnx_upgrade *u, graph_value_id list, int64_t spatial, int half) {
    const int64_t first = half * spatial, last = first + spatial;
    const graph_value_id inputs[] = {list, upgrade_ints(u, &first, 1), upgrade_ints(u, &last, 1)};
    return upgrade_finish(u, upgrade_node(u, GRAPH_OP_SLICE, inputs, 3, 1));
}

/* Padding of a transposed convolution cuts off what it gives without. */
void upgrade_ms_conv_transpose_with_pads(onnx_upgrade *u) {
    const graph_value_id pads = upgrade_input(u, 2);
    const graph_value_id inputs[] = {upgrade_input(u, 0), upgrade_input(u, 1), upgrade_input(u, 3)};
    const uint32_t rank = rank_of(u, inputs[0], inputs[1]);
    const graph_node_id n =
        upgrade_node(u, GRAPH_OP_CONV_TRANSPOSE, inputs, inputs[2] == GRAPH_NONE ? 2 : 3, 1);
    upgrade_copy_attributes(u, n);
    const graph_value_id y = upgrade_finish(u, n);
    if (pads == GRAPH_NONE) {
        upgrade_give(u, 0, y);
        return;
    }
    if (rank < 3 || rank > GRAPH_MAX_RANK) {
        upgrade_fail(u, ONDOL_E_UNSUPPORTED, "its number of dimensions is not known, or under 3");
        return;
    }
    const int64_t spatial = (int64_t)rank - 2, two = 2;
    int64_t axes[GRAPH_MAX_RANK];
    for (int64_t i = 0; i < spatial; i++)
        axes[i] = i + 2;
    const graph_value_id sizes_of[] = {upgrade_shape(u, y), upgrade_ints(u, &two, 1),
                                       upgrade_ints(u, &(int64_t){rank}, 1)};
    const graph_value_id sizes = upgrade_finish(u, upgrade_node(u, GRAPH_OP_SLICE, sizes_of, 3, 1));
    const graph_value_id ends =
        upgrade_binary(u, GRAPH_OP_SUB, sizes, half_of(u, pads, spatial, 1));
    /* An end below 0 would count from behind. */
    const graph_value_id last = upgrade_binary(u, GRAPH_OP_MAX, ends, upgrade_integer(u, 0));
    const graph_value_id cut[] = {y, half_of(u, pads, spatial, 0), last,
                                  upgrade_ints(u, axes, (uint32_t)spatial)};
    upgrade_give(u, 0, upgrade_finish(u, upgrade_node(u, GRAPH_OP_SLICE, cut, 4, 1)));
}
