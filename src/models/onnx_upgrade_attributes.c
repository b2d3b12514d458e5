/* Upgrade rules: attributes that became inputs, got other names, other values or other defaults.
 * In: a node of an old version. Out: nodes of the newest. */
#include <string.h>

#include "models/onnx_upgrade.h"

/* A node of op with these inputs and all of the attributes that it still has. */
static void give_node(onnx_upgrade *u, graph_op op, const graph_value_id *inputs, uint32_t count) {
    const graph_node_id n = upgrade_node(u, op, inputs, count, u->output_count);
    upgrade_copy_attributes(u, n);
    upgrade_finish(u, n);
    for (uint32_t i = 0; i < u->output_count; i++)
        if (u->wanted[i]) upgrade_give(u, i, upgrade_output(u, n, i));
}

static graph_op newest(onnx_upgrade *u) {
    graph_op op = GRAPH_OP_IDENTITY;
    if (!graph_op_find(u->row->domain, u->row->name, &op)) {
        upgrade_fail(u, ONDOL_E_INTERNAL, "there is no newest version");
    }
    return op;
}

/* Squeeze, Unsqueeze, reductions: the list `axes`. */
void upgrade_axes(onnx_upgrade *u) {
    const graph_value_id inputs[] = {upgrade_input(u, 0), upgrade_ints_of(u, "axes")};
    give_node(u, newest(u), inputs, inputs[1] == GRAPH_NONE ? 1 : 2);
}

/* starts, ends, axes. */
void upgrade_slice(onnx_upgrade *u) {
    const graph_value_id inputs[] = {upgrade_input(u, 0), upgrade_ints_of(u, "starts"),
                                     upgrade_ints_of(u, "ends"), upgrade_ints_of(u, "axes")};
    give_node(u, GRAPH_OP_SLICE, inputs, inputs[3] == GRAPH_NONE ? 3 : 4);
}

/* data, starts, ends, axes?: what Slice became. */
void upgrade_dynamic_slice(onnx_upgrade *u) {
    give_node(u, GRAPH_OP_SLICE, u->inputs, u->input_count);
}

static void split(onnx_upgrade *u, graph_value_id sizes) {
    const graph_value_id inputs[] = {upgrade_input(u, 0), sizes};
    const graph_node_id n =
        upgrade_node(u, GRAPH_OP_SPLIT, inputs, sizes == GRAPH_NONE ? 1 : 2, u->output_count);
    upgrade_copy_attributes(u, n);
    if (sizes == GRAPH_NONE) upgrade_set_int(u, n, "num_outputs", u->output_count);
    upgrade_finish(u, n);
    for (uint32_t i = 0; i < u->output_count; i++)
        if (u->wanted[i]) upgrade_give(u, i, upgrade_output(u, n, i));
}

/* The list `split`; in version 1 it could be an input of the data's type. */
void upgrade_split(onnx_upgrade *u) {
    graph_value_id sizes = upgrade_input(u, 1);
    if (sizes != GRAPH_NONE)
        sizes = upgrade_cast(u, sizes, TENSOR_ELEMENT_I64);
    else
        sizes = upgrade_ints_of(u, "split");
    split(u, sizes);
}

/* Without sizes the number of outputs was enough. */
void upgrade_split_13(onnx_upgrade *u) {
    split(u, upgrade_input(u, 1));
}

/* k. */
void upgrade_top_k(onnx_upgrade *u) {
    const int64_t k = upgrade_int(u, "k");
    const graph_value_id inputs[] = {upgrade_input(u, 0), upgrade_ints(u, &k, 1)};
    give_node(u, GRAPH_OP_TOP_K, inputs, 2);
}

/* min and max: version 6 has the largest floats as defaults, version 1 none. */
void upgrade_clip(onnx_upgrade *u) {
    static const char *const names[] = {"min", "max"};
    graph_value_id inputs[3] = {upgrade_input(u, 0), GRAPH_NONE, GRAPH_NONE};
    for (int i = 0; i < 2; i++) {
        if (u->row->since_version < 6 && !upgrade_attribute(u, names[i])) continue;
        inputs[i + 1] = upgrade_number_like(u, upgrade_float(u, names[i]), inputs[0]);
    }
    give_node(u, GRAPH_OP_CLIP, inputs, 3);
}

static void pad(onnx_upgrade *u, const char *pads) {
    const graph_value_id x = upgrade_input(u, 0);
    const graph_value_id inputs[] = {x, upgrade_ints_of(u, pads),
                                     upgrade_number_like(u, upgrade_float(u, "value"), x)};
    give_node(u, GRAPH_OP_PAD, inputs, 3);
}

/* paddings, value. */
void upgrade_pad_1(onnx_upgrade *u) {
    pad(u, "paddings");
}

/* pads, value. */
void upgrade_pad_2(onnx_upgrade *u) {
    pad(u, "pads");
}

/* shape. */
void upgrade_reshape_1(onnx_upgrade *u) {
    const graph_value_id inputs[] = {upgrade_input(u, 0), upgrade_ints_of(u, "shape")};
    if (inputs[1] == GRAPH_NONE) {
        upgrade_fail(u, ONDOL_E_FORMAT, "attribute 'shape' is missing");
        return;
    }
    give_node(u, GRAPH_OP_RESHAPE, inputs, 2);
}

/* axis, 1 where the newest has -2. */
void upgrade_dft(onnx_upgrade *u) {
    const graph_value_id inputs[] = {upgrade_input(u, 0), upgrade_input(u, 1),
                                     upgrade_integer(u, upgrade_int(u, "axis"))};
    give_node(u, GRAPH_OP_DFT, inputs, 3);
}

/* tiles and axis, one number each, of the data's type. */
void upgrade_tile(onnx_upgrade *u) {
    const int64_t one = 1;
    const graph_value_id x = upgrade_input(u, 0), single = upgrade_ints(u, &one, 1);
    const graph_value_id tiles =
        upgrade_reshape(u, upgrade_cast(u, upgrade_input(u, 1), TENSOR_ELEMENT_I64), single);
    const graph_value_id axis =
        upgrade_reshape(u, upgrade_cast(u, upgrade_input(u, 2), TENSOR_ELEMENT_I64), single);
    const graph_value_id ones =
        upgrade_binary(u, GRAPH_OP_EXPAND, single, upgrade_rank_value(u, x));
    const graph_value_id places[] = {ones, axis, tiles};
    const graph_value_id repeats =
        upgrade_finish(u, upgrade_node(u, GRAPH_OP_SCATTER_ELEMENTS, places, 3, 1));
    upgrade_give(u, 0, upgrade_binary(u, GRAPH_OP_TILE, x, repeats));
}

/* The default of axis was 1, though the schema has none. */
void upgrade_concat_1(onnx_upgrade *u) {
    const graph_attribute *axis = upgrade_attribute(u, "axis");
    const graph_node_id n = upgrade_node(u, GRAPH_OP_CONCAT, u->inputs, u->input_count, 1);
    upgrade_set_int(u, n, "axis", axis ? axis->i : 1);
    upgrade_give(u, 0, upgrade_finish(u, n));
}

/* `to` was the name of a type: "FLOAT". */
void upgrade_cast_1(onnx_upgrade *u) {
    const char *name = upgrade_string(u, "to");
    tensor_element to = TENSOR_ELEMENT_UNDEFINED;
    char lower[16] = "";
    for (size_t i = 0; name[i] && i + 1 < sizeof lower; i++)
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] - 'A' + 'a' : name[i]);
    for (int e = 1; e < TENSOR_ELEMENT_COUNT; e++)
        if (strcmp(tensor_element_onnx_name((tensor_element)e), lower) == 0) to = (tensor_element)e;
    if (to == TENSOR_ELEMENT_UNDEFINED) {
        upgrade_fail(u, ONDOL_E_FORMAT, "attribute 'to' is '%s', which is no type", name);
        return;
    }
    const graph_value_id x = upgrade_input(u, 0);
    const graph_node_id n = upgrade_node(u, GRAPH_OP_CAST, &x, 1, 1);
    upgrade_set_int(u, n, "to", to);
    upgrade_give(u, 0, upgrade_finish(u, n));
}

/* bilinear and bicubic lost their prefix with the number of dimensions. */
void upgrade_grid_sample(onnx_upgrade *u) {
    const char *mode = upgrade_string(u, "mode");
    const graph_node_id n = upgrade_node(u, GRAPH_OP_GRID_SAMPLE, u->inputs, 2, 1);
    upgrade_move_attribute(u, n, "align_corners", "align_corners");
    upgrade_move_attribute(u, n, "padding_mode", "padding_mode");
    upgrade_set_string(u, n, "mode", strncmp(mode, "bi", 2) == 0 ? mode + 2 : mode);
    upgrade_give(u, 0, upgrade_finish(u, n));
}

/* Coordinates were not shifted by half a pixel. */
void upgrade_roi_align(onnx_upgrade *u) {
    const graph_node_id n = upgrade_node(u, GRAPH_OP_ROI_ALIGN, u->inputs, u->input_count, 1);
    upgrade_copy_attributes(u, n);
    upgrade_set_string(u, n, "coordinate_transformation_mode", "output_half_pixel");
    upgrade_give(u, 0, upgrade_finish(u, n));
}

/* The older name. */
void upgrade_scatter(onnx_upgrade *u) {
    give_node(u, GRAPH_OP_SCATTER_ELEMENTS, u->inputs, u->input_count);
}

/* output_sequence asked for what is an output of its own. */
void upgrade_recurrent(onnx_upgrade *u) {
    upgrade_as(u, newest(u));
}

/* The default of direction was misspelt. */
void upgrade_gru(onnx_upgrade *u) {
    static const char *const kept[] = {"activation_alpha", "activation_beta", "activations", "clip",
                                       "direction",        "hidden_size"};
    const graph_node_id n =
        upgrade_node(u, GRAPH_OP_GRU, u->inputs, u->input_count, u->output_count);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        upgrade_move_attribute(u, n, kept[i], kept[i]);
    upgrade_finish(u, n);
    for (uint32_t i = 0; i < u->output_count; i++)
        if (u->wanted[i]) upgrade_give(u, i, upgrade_output(u, n, i));
}

static graph_value_id borrow(onnx_upgrade *u, const graph_tensor *t) {
    graph_value_id v = GRAPH_NONE;
    if (u->status != ONDOL_OK) return GRAPH_NONE;
    u->status = graph_add_borrowed(u->g, u->name, t, &v, u->err);
    return v;
}

static graph_value_id float_list(onnx_upgrade *u, const graph_attribute *a) {
    float *list = base_arena_alloc(&u->g->arena, a->int_count + 1u, sizeof *list);
    if (!list) {
        upgrade_fail(u, ONDOL_E_MEMORY, "no memory for its value");
        return GRAPH_NONE;
    }
    for (uint32_t i = 0; i < a->int_count; i++)
        list[i] = (float)a->floats[i];
    const graph_tensor t = {TENSOR_ELEMENT_F32, graph_shape_1(a->int_count), list,
                            a->int_count * sizeof *list};
    return borrow(u, &t);
}

static graph_value_id string_list(onnx_upgrade *u, const tensor_string *list, uint32_t count,
                                  uint32_t rank) {
    const graph_tensor t = {
        TENSOR_ELEMENT_STRING, {.rank = rank, .dims = {count}}, list, count * sizeof *list};
    return borrow(u, &t);
}

static graph_value_id single_string(onnx_upgrade *u, const graph_attribute *a) {
    tensor_string *one = base_arena_alloc(&u->g->arena, 1, sizeof *one);
    if (!one) {
        upgrade_fail(u, ONDOL_E_MEMORY, "no memory for its value");
        return GRAPH_NONE;
    }
    *one = (tensor_string){a->s, a->s_bytes};
    return string_list(u, one, 1, 0);
}

/* An initializer in place of the node. */
void upgrade_constant(onnx_upgrade *u) {
    if (u->attribute_count != 1) {
        upgrade_fail(u, ONDOL_E_FORMAT, "%u attributes, expected the one that is its value",
                     u->attribute_count);
        return;
    }
    const graph_attribute *a = u->attributes;
    graph_value_id v = GRAPH_NONE;
    switch (a->type) {
    case GRAPH_ATTRIBUTE_TENSOR: v = borrow(u, a->tensors); break;
    case GRAPH_ATTRIBUTE_FLOAT: v = upgrade_number(u, TENSOR_ELEMENT_F32, a->f); break;
    case GRAPH_ATTRIBUTE_FLOATS: v = float_list(u, a); break;
    case GRAPH_ATTRIBUTE_INT: v = upgrade_integer(u, a->i); break;
    case GRAPH_ATTRIBUTE_INTS: v = upgrade_ints(u, a->ints, a->int_count); break;
    case GRAPH_ATTRIBUTE_STRING: v = single_string(u, a); break;
    case GRAPH_ATTRIBUTE_STRINGS: v = string_list(u, a->strings, a->int_count, 1); break;
    default: upgrade_fail(u, ONDOL_E_FORMAT, "attribute '%s' is no value", a->name); return;
    }
    upgrade_give(u, 0, v);
}
