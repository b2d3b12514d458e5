/* Upgrade rules: normalisation and dropout, where training and inference were told apart in other
 * ways. In: a node of an old version. Out: nodes of the newest. */
#include "models/onnx_upgrade.h"

/* ------------------------------------------------------------------------- BatchNormalization */

/* All dimensions but the second: i64 [rank - 1]. */
static graph_value_id all_but_channels(onnx_upgrade *u, graph_value_id x, bool spatial) {
    const int64_t zero = 0;
    const graph_value_id first = upgrade_ints(u, &zero, 1);
    if (!spatial) return first; /* each activation has its own: only the batch is averaged */
    const graph_value_id range[] = {
        upgrade_integer(u, 2),
        upgrade_reshape(u, upgrade_rank_value(u, x), upgrade_ints(u, NULL, 0)),
        upgrade_integer(u, 1)};
    const graph_value_id rest = upgrade_finish(u, upgrade_node(u, GRAPH_OP_RANGE, range, 3, 1));
    return upgrade_concat(u, first, rest);
}

static graph_value_id mean_of(onnx_upgrade *u, graph_value_id x, graph_value_id axes, bool keep) {
    const graph_value_id inputs[] = {x, axes};
    const graph_node_id n = upgrade_node(u, GRAPH_OP_REDUCE_MEAN, inputs, 2, 1);
    upgrade_set_int(u, n, "keepdims", keep);
    return upgrade_finish(u, n);
}

/* Mean and population variance of x over `axes`. */
static void statistics(onnx_upgrade *u, graph_value_id x, graph_value_id axes, graph_value_id *mean,
                       graph_value_id *variance) {
    const graph_value_id away = upgrade_binary(u, GRAPH_OP_SUB, x, mean_of(u, x, axes, true));
    *mean = mean_of(u, x, axes, false);
    *variance = mean_of(u, upgrade_binary(u, GRAPH_OP_MUL, away, away), axes, false);
}

/* running * momentum + current * (1 - momentum) */
static graph_value_id blend(onnx_upgrade *u, graph_value_id running, graph_value_id current) {
    const double momentum = upgrade_float(u, "momentum");
    const graph_value_id a =
        upgrade_binary(u, GRAPH_OP_MUL, running, upgrade_number_like(u, momentum, running));
    const graph_value_id b =
        upgrade_binary(u, GRAPH_OP_MUL, current, upgrade_number_like(u, 1 - momentum, current));
    return upgrade_binary(u, GRAPH_OP_ADD, a, b);
}

/* (x - mean) / sqrt(variance + epsilon) * scale + bias, by dimensions behind the first. */
static graph_value_id normalise(onnx_upgrade *u, graph_value_id x, graph_value_id mean,
                                graph_value_id variance) {
    const graph_value_id epsilon = upgrade_number_like(u, upgrade_float(u, "epsilon"), variance);
    const graph_value_id shifted = upgrade_binary(u, GRAPH_OP_ADD, variance, epsilon);
    const graph_value_id deviation = upgrade_unary(u, GRAPH_OP_SQRT, shifted);
    graph_value_id y = upgrade_binary(u, GRAPH_OP_SUB, x, mean);
    y = upgrade_binary(u, GRAPH_OP_DIV, y, deviation);
    y = upgrade_binary(u, GRAPH_OP_MUL, y, upgrade_input(u, 1));
    return upgrade_binary(u, GRAPH_OP_ADD, y, upgrade_input(u, 2));
}

/* spatial = 0: scale, bias, mean and variance [C, D1, ...]. */
static void by_activation(onnx_upgrade *u, bool training) {
    const graph_value_id x = upgrade_input(u, 0);
    graph_value_id mean = upgrade_input(u, 3), variance = upgrade_input(u, 4);
    if (training) {
        statistics(u, x, all_but_channels(u, x, false), &mean, &variance);
        if (upgrade_wants(u, 1)) upgrade_give(u, 1, blend(u, upgrade_input(u, 3), mean));
        if (upgrade_wants(u, 2)) upgrade_give(u, 2, blend(u, upgrade_input(u, 4), variance));
        upgrade_give(u, 3, mean);
        upgrade_give(u, 4, variance);
    }
    upgrade_give(u, 0, normalise(u, x, mean, variance));
}

/* Versions 1 to 9: the outputs say whether it is training; the fourth and fifth are gone. */
void upgrade_batch_normalization(onnx_upgrade *u) {
    const bool tells = u->row->since_version < 7 && upgrade_int(u, "is_test") != 0;
    const bool training = !tells && u->output_count > 1;
    const bool spatial = u->row->since_version >= 9 || upgrade_int(u, "spatial") != 0;
    graph_value_id mean = GRAPH_NONE, variance = GRAPH_NONE;
    if (!spatial) {
        by_activation(u, training);
        return;
    }
    const graph_node_id n =
        upgrade_node(u, GRAPH_OP_BATCH_NORMALIZATION, u->inputs, 5, training ? 3 : 1);
    upgrade_copy_attributes(u, n);
    if (training) upgrade_set_int(u, n, "training_mode", 1);
    upgrade_give(u, 0, upgrade_finish(u, n));
    for (uint32_t i = 1; training && i < 3; i++)
        upgrade_give(u, i, upgrade_output(u, n, i));
    if (!training || (!upgrade_wants(u, 3) && !upgrade_wants(u, 4))) return;
    const graph_value_id x = upgrade_input(u, 0);
    statistics(u, x, all_but_channels(u, x, true), &mean, &variance);
    upgrade_give(u, 3, mean);
    upgrade_give(u, 4, variance);
}

/* ------------------------------------------------------------------------------------ Dropout */

/* Before version 7 it trained unless is_test was set; then there was no way to train until 12. The
 * mask was a number before version 10. */
void upgrade_dropout(onnx_upgrade *u) {
    const graph_value_id x = upgrade_input(u, 0);
    const bool training = u->row->since_version < 7 && upgrade_int(u, "is_test") == 0;
    graph_value_id inputs[] = {x, GRAPH_NONE, GRAPH_NONE};
    if (training) {
        inputs[1] = upgrade_number(u, TENSOR_ELEMENT_F32, upgrade_float(u, "ratio"));
        inputs[2] = upgrade_number(u, TENSOR_ELEMENT_BOOL, 1);
    }
    const graph_node_id n =
        upgrade_node(u, GRAPH_OP_DROPOUT, inputs, training ? 3 : 1, u->output_count);
    upgrade_give(u, 0, upgrade_finish(u, n));
    if (!upgrade_wants(u, 1)) return;
    graph_value_id mask = upgrade_output(u, n, 1);
    if (u->row->since_version < 10) mask = upgrade_binary(u, GRAPH_OP_CAST_LIKE, mask, x);
    upgrade_give(u, 1, mask);
}

/* ------------------------------------------------------------------------- GroupNormalization */

/* [groups] -> [channels]: each number as often as its group has channels. */
static graph_value_id spread(onnx_upgrade *u, graph_value_id v, graph_value_id groups,
                             graph_value_id each) {
    const int64_t column[] = {-1, 1}, flat = -1;
    v = upgrade_reshape(u, v, upgrade_ints(u, column, 2));
    v = upgrade_binary(u, GRAPH_OP_EXPAND, v, upgrade_concat(u, groups, each));
    return upgrade_reshape(u, v, upgrade_ints(u, &flat, 1));
}

/* Version 18 has a scale and a bias for each group, 21 for each channel; it computed in the type of
 * x, of which only double is finer than what 21 does unasked. */
void upgrade_group_normalization(onnx_upgrade *u) {
    const graph_value_id x = upgrade_input(u, 0);
    const int64_t count = upgrade_int(u, "num_groups");
    const graph_node_id shape = upgrade_node(u, GRAPH_OP_SHAPE, &x, 1, 1);
    upgrade_set_int(u, shape, "start", 1);
    upgrade_set_int(u, shape, "end", 2);
    const graph_value_id channels = upgrade_finish(u, shape);
    const graph_value_id groups = upgrade_ints(u, &count, 1);
    const graph_value_id each = upgrade_binary(u, GRAPH_OP_DIV, channels, groups);
    const graph_value_id inputs[] = {x, spread(u, upgrade_input(u, 1), groups, each),
                                     spread(u, upgrade_input(u, 2), groups, each)};
    const graph_node_id n = upgrade_node(u, GRAPH_OP_GROUP_NORMALIZATION, inputs, 3, 1);
    upgrade_copy_attributes(u, n);
    if (upgrade_element(u, x) == TENSOR_ELEMENT_F64) {
        upgrade_set_int(u, n, "stash_type", TENSOR_ELEMENT_F64);
    }
    upgrade_give(u, 0, upgrade_finish(u, n));
}
