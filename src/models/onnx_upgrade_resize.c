/* Upgrade rules: Upsample and the first versions of Resize. In: a node of an old version. Out:
 * Resize of today with the coordinates and the rounding that were meant. */
#include <string.h>

#include "models/onnx_upgrade.h"

/* f32 [count]. */
static graph_value_id floats(onnx_upgrade *u, const float *v, uint32_t count) {
    graph_value_id out = GRAPH_NONE;
    if (u->status != ONDOL_OK) return GRAPH_NONE;
    u->status = graph_add_constant(u->g, u->name, TENSOR_ELEMENT_F32, graph_shape_1(count), v, &out,
                                   u->err);
    return out;
}

/* One Resize by scales, x_original = x_resized / scale. */
static graph_value_id resize(onnx_upgrade *u, graph_value_id x, graph_value_id scales,
                             const char *mode, const char *nearest) {
    const graph_value_id inputs[] = {x, GRAPH_NONE, scales};
    const graph_node_id n = upgrade_node(u, GRAPH_OP_RESIZE, inputs, 3, 1);
    upgrade_set_string(u, n, "mode", mode);
    upgrade_set_string(u, n, "coordinate_transformation_mode", "asymmetric");
    if (nearest) upgrade_set_string(u, n, "nearest_mode", nearest);
    return upgrade_finish(u, n);
}

/* The scales below 1 (or those that are not), 1 for the others. */
static graph_value_id choose_scales(onnx_upgrade *u, graph_value_id scales, bool below) {
    const graph_value_id one = upgrade_number(u, TENSOR_ELEMENT_F32, 1);
    const graph_value_id less = upgrade_binary(u, GRAPH_OP_LESS, scales, one);
    const graph_value_id inputs[] = {less, below ? scales : one, below ? one : scales};
    return upgrade_finish(u, upgrade_node(u, GRAPH_OP_WHERE, inputs, 3, 1));
}

/* Whether constant scales hold one below 1, and one above; both where they are not constant. */
static void look_at_scales(const onnx_upgrade *u, graph_value_id scales, bool *below, bool *above) {
    *below = *above = true;
    if (u->status != ONDOL_OK || scales == GRAPH_NONE) return;
    const graph_value *v = u->g->values + scales;
    if (!v->data || v->element != TENSOR_ELEMENT_F32) return;
    *below = *above = false;
    for (uint64_t i = 0; i < v->data_bytes / sizeof(float); i++) {
        float scale = 0;
        memcpy(&scale, (const char *)v->data + i * sizeof scale, sizeof scale);
        if (scale < 1) *below = true;
        if (scale > 1) *above = true;
    }
}

/* Nearest took the pixel below where it enlarged and the one above where it reduced, by axis. */
static void by_scales(onnx_upgrade *u, graph_value_id scales) {
    const char *mode = upgrade_string(u, "mode");
    graph_value_id x = upgrade_input(u, 0);
    bool below = false, above = false;
    if (strcmp(mode, "nearest") != 0) {
        const char *linear = strcmp(mode, "bilinear") == 0 ? "linear" : mode;
        upgrade_give(u, 0, resize(u, x, scales, linear, NULL));
        return;
    }
    look_at_scales(u, scales, &below, &above);
    if (below && above) {
        x = resize(u, x, choose_scales(u, scales, true), mode, "ceil");
        scales = choose_scales(u, scales, false);
    }
    upgrade_give(u, 0, resize(u, x, scales, mode, below && !above ? "ceil" : "floor"));
}

/* height_scale and width_scale of N, C, H, W. */
void upgrade_upsample_1(onnx_upgrade *u) {
    const float scales[] = {1, 1, (float)upgrade_float(u, "height_scale"),
                            (float)upgrade_float(u, "width_scale")};
    by_scales(u, floats(u, scales, 4));
}

/* The list `scales`. */
void upgrade_upsample_7(onnx_upgrade *u) {
    const graph_attribute *a = upgrade_attribute(u, "scales");
    float scales[GRAPH_MAX_RANK];
    if (!a || a->int_count > GRAPH_MAX_RANK) {
        upgrade_fail(u, ONDOL_E_FORMAT, "attribute 'scales' is no list of a shape's length");
        return;
    }
    for (uint32_t i = 0; i < a->int_count; i++)
        scales[i] = (float)a->floats[i];
    by_scales(u, floats(u, scales, a->int_count));
}

void upgrade_upsample_9(onnx_upgrade *u) {
    by_scales(u, upgrade_input(u, 1));
}

void upgrade_resize_10(onnx_upgrade *u) {
    by_scales(u, upgrade_input(u, 1));
}

/* tf_half_pixel_for_nn is half_pixel moved by a half: so a rounding of it is one of half_pixel. */
static void set_shifted(onnx_upgrade *u, graph_node_id n) {
    const char *nearest = upgrade_string(u, "nearest_mode");
    const char *other = strcmp(nearest, "floor") == 0                ? "round_prefer_ceil"
                        : strcmp(nearest, "round_prefer_floor") == 0 ? "ceil"
                                                                     : NULL;
    if (!other || strcmp(upgrade_string(u, "mode"), "nearest") != 0) {
        upgrade_fail(u, ONDOL_E_UNSUPPORTED, "tf_half_pixel_for_nn with mode '%s', '%s'",
                     upgrade_string(u, "mode"), nearest);
    }
    upgrade_set_string(u, n, "coordinate_transformation_mode", "half_pixel");
    upgrade_set_string(u, n, "nearest_mode", other ? other : nearest);
    upgrade_set_string(u, n, "mode", "nearest");
}

/* roi and scales had to be there, empty where they say nothing. */
void upgrade_resize_11(onnx_upgrade *u) {
    const char *transformation = upgrade_string(u, "coordinate_transformation_mode");
    const bool cropped = strcmp(transformation, "tf_crop_and_resize") == 0;
    const graph_value_id sizes = upgrade_input(u, 3);
    const bool sized = sizes != GRAPH_NONE;
    const graph_value_id inputs[] = {upgrade_input(u, 0),
                                     cropped ? upgrade_input(u, 1) : GRAPH_NONE,
                                     sized ? GRAPH_NONE : upgrade_input(u, 2), sizes};
    const graph_node_id n = upgrade_node(u, GRAPH_OP_RESIZE, inputs, sized ? 4 : 3, 1);
    if (strcmp(transformation, "tf_half_pixel_for_nn") == 0)
        set_shifted(u, n);
    else
        upgrade_copy_attributes(u, n);
    upgrade_give(u, 0, upgrade_finish(u, n));
}
