/* Upgrade rules: operators of the first versions that are no more. In: such a node. Out: newest
 * nodes that compute the same. Meaning: as ONNX Runtime's, which still has them. */
#include "models/onnx_upgrade.h"

static graph_value_id times(onnx_upgrade *u, graph_value_id x, const char *attribute) {
    return upgrade_binary(u, GRAPH_OP_MUL, x,
                          upgrade_number_like(u, upgrade_float(u, attribute), x));
}

/* alpha * x + beta */
void upgrade_affine(onnx_upgrade *u) {
    const graph_value_id x = upgrade_input(u, 0);
    const graph_value_id beta = upgrade_number_like(u, upgrade_float(u, "beta"), x);
    upgrade_give(u, 0, upgrade_binary(u, GRAPH_OP_ADD, times(u, x, "alpha"), beta));
}

/* scale * x */
void upgrade_scale(onnx_upgrade *u) {
    upgrade_give(u, 0, times(u, upgrade_input(u, 0), "scale"));
}

/* alpha * tanh(beta * x) */
void upgrade_scaled_tanh(onnx_upgrade *u) {
    const graph_value_id x = times(u, upgrade_input(u, 0), "beta");
    upgrade_give(u, 0, times(u, upgrade_unary(u, GRAPH_OP_TANH, x), "alpha"));
}

/* alpha * log(1 + exp(beta * x)) */
void upgrade_parametric_softplus(onnx_upgrade *u) {
    const graph_value_id x = times(u, upgrade_input(u, 0), "beta");
    upgrade_give(u, 0, times(u, upgrade_unary(u, GRAPH_OP_SOFTPLUS, x), "alpha"));
}

/* A list of floats, as a constant [count, 1, 1] of x's type. */
static graph_value_id by_channel(onnx_upgrade *u, const graph_attribute *a, graph_value_id x) {
    graph_value_id v = GRAPH_NONE;
    const graph_shape shape = graph_shape_3(a->int_count, 1, 1);
    if (u->status != ONDOL_OK) return GRAPH_NONE;
    u->status = graph_add_constant(u->g, u->name, TENSOR_ELEMENT_F64, shape, a->floats, &v, u->err);
    return upgrade_binary(u, GRAPH_OP_CAST_LIKE, v, x);
}

/* scale * x + bias of the channel; x [N, C, H, W] */
void upgrade_image_scaler(onnx_upgrade *u) {
    const graph_value_id x = upgrade_input(u, 0);
    const graph_attribute *bias = upgrade_attribute(u, "bias");
    graph_value_id y = times(u, x, "scale");
    if (bias) y = upgrade_binary(u, GRAPH_OP_ADD, y, by_channel(u, bias, x));
    upgrade_give(u, 0, y);
}

/* border: left, top, right, bottom; scale: height, width of what is kept from left and top on. */
void upgrade_crop(onnx_upgrade *u) {
    const graph_attribute *border = upgrade_attribute(u, "border");
    const graph_attribute *scale = upgrade_attribute(u, "scale");
    const int64_t axes[] = {2, 3};
    if (!border || border->int_count != 4 || (scale && scale->int_count != 2)) {
        upgrade_fail(u, ONDOL_E_FORMAT, "expected a border of 4 numbers and a scale of 2 or none");
        return;
    }
    const int64_t starts[] = {border->ints[1], border->ints[0]};
    int64_t ends[] = {border->ints[3], border->ints[2]};
    for (int i = 0; i < 2; i++) {
        const int64_t size = scale ? scale->ints[i] : 0;
        if (starts[i] < 0 || ends[i] < 0 || size < 0 || size > INT64_MAX - starts[i]) {
            upgrade_fail(u, ONDOL_E_FORMAT, "a border or scale below 0");
            return;
        }
        ends[i] = scale ? starts[i] + size : ends[i] ? -ends[i] : INT64_MAX;
    }
    const graph_value_id inputs[] = {upgrade_input(u, 0), upgrade_ints(u, starts, 2),
                                     upgrade_ints(u, ends, 2), upgrade_ints(u, axes, 2)};
    upgrade_give(u, 0, upgrade_finish(u, upgrade_node(u, GRAPH_OP_SLICE, inputs, 4, 1)));
}

/* The shape that GivenTensorFill fills: an attribute, an input's values, or an input's shape, and
 * extra_shape behind the latter two. */
static graph_value_id fill_shape(onnx_upgrade *u) {
    const graph_value_id input = upgrade_input(u, 0), extra = upgrade_ints_of(u, "extra_shape");
    if (input == GRAPH_NONE) return upgrade_ints_of(u, "shape");
    const graph_value_id shape = upgrade_int(u, "input_as_shape")
                                     ? upgrade_cast(u, input, TENSOR_ELEMENT_I64)
                                     : upgrade_shape(u, input);
    return extra == GRAPH_NONE ? shape : upgrade_concat(u, shape, extra);
}

/* The list `values` in a shape; of the input's type, float without one. */
void upgrade_given_tensor_fill(onnx_upgrade *u) {
    const graph_attribute *values = upgrade_attribute(u, "values");
    const graph_value_id input = upgrade_input(u, 0), shape = fill_shape(u);
    graph_value_id v = GRAPH_NONE;
    if (!values || shape == GRAPH_NONE) {
        upgrade_fail(u, ONDOL_E_FORMAT, "expected the attribute 'values', and a shape");
    }
    if (u->status != ONDOL_OK) return;
    u->status = graph_add_constant(u->g, u->name, TENSOR_ELEMENT_F64,
                                   graph_shape_1(values->int_count), values->floats, &v, u->err);
    v = input == GRAPH_NONE ? upgrade_cast(u, v, TENSOR_ELEMENT_F32)
                            : upgrade_binary(u, GRAPH_OP_CAST_LIKE, v, input);
    upgrade_give(u, 0, upgrade_reshape(u, v, shape));
}
