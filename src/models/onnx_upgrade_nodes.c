/* What upgrade rules are written with. In: values and attributes of a file's node. Out: nodes and
 * constants of the graph. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/onnx_upgrade.h"
#include "tensor/number.h"

void upgrade_fail(onnx_upgrade *u, ondol_status status, const char *format, ...) {
    char text[256];
    va_list arguments;
    if (u->status != ONDOL_OK) return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    u->status = base_fail(u->err, status, "node '%s' (%s%s%s): %s", u->name, u->row->domain,
                          *u->row->domain ? "." : "", u->row->name, text);
}

graph_value_id upgrade_input(const onnx_upgrade *u, uint32_t i) {
    return i < u->input_count ? u->inputs[i] : GRAPH_NONE;
}

const graph_attribute *upgrade_attribute(const onnx_upgrade *u, const char *name) {
    for (uint32_t i = 0; i < u->attribute_count; i++) {
        if (strcmp(u->attributes[i].name, name) == 0) return u->attributes + i;
    }
    return NULL;
}

/* The default's text; "" when there is none. */
static const char *default_of(const onnx_upgrade *u, const char *name) {
    char type = 0;
    const char *text = graph_op_attribute(u->row, name, &type);
    return text ? text : "";
}

int64_t upgrade_int(const onnx_upgrade *u, const char *name) {
    const graph_attribute *a = upgrade_attribute(u, name);
    return a ? a->i : strtoll(default_of(u, name), NULL, 10);
}

double upgrade_float(const onnx_upgrade *u, const char *name) {
    const graph_attribute *a = upgrade_attribute(u, name);
    return a ? a->f : (double)strtof(default_of(u, name), NULL);
}

const char *upgrade_string(const onnx_upgrade *u, const char *name) {
    const graph_attribute *a = upgrade_attribute(u, name);
    return a ? a->s : default_of(u, name);
}

uint32_t upgrade_rank(const onnx_upgrade *u, graph_value_id v) {
    if (v == GRAPH_NONE || u->g->values[v].type_kind != GRAPH_TYPE_TENSOR) {
        return GRAPH_RANK_UNKNOWN;
    }
    return u->g->values[v].shape.rank;
}

tensor_element upgrade_element(const onnx_upgrade *u, graph_value_id v) {
    return v == GRAPH_NONE ? TENSOR_ELEMENT_UNDEFINED : u->g->values[v].element;
}

void upgrade_give(onnx_upgrade *u, uint32_t i, graph_value_id v) {
    if (u->status == ONDOL_OK && i < u->output_count) u->outputs[i] = v;
}

bool upgrade_wants(const onnx_upgrade *u, uint32_t i) {
    return i < u->output_count && u->wanted[i];
}

graph_node_id upgrade_node(onnx_upgrade *u, graph_op op, const graph_value_id *inputs,
                           uint32_t input_count, uint32_t output_count) {
    graph_node_id n = GRAPH_NONE;
    if (u->status != ONDOL_OK) return GRAPH_NONE;
    u->status = graph_add_node(u->g, op, u->name, inputs, input_count, output_count, &n, u->err);
    return n;
}

void upgrade_set_int(onnx_upgrade *u, graph_node_id n, const char *name, int64_t v) {
    if (u->status == ONDOL_OK) u->status = graph_set_int(u->g, n, name, v, u->err);
}

void upgrade_set_float(onnx_upgrade *u, graph_node_id n, const char *name, double v) {
    if (u->status == ONDOL_OK) u->status = graph_set_float(u->g, n, name, v, u->err);
}

void upgrade_set_string(onnx_upgrade *u, graph_node_id n, const char *name, const char *v) {
    if (u->status == ONDOL_OK) u->status = graph_set_string(u->g, n, name, v, u->err);
}

void upgrade_move_attribute(onnx_upgrade *u, graph_node_id n, const char *from, const char *to) {
    const graph_attribute *a = upgrade_attribute(u, from);
    if (u->status != ONDOL_OK || !a) return;
    graph_attribute moved = *a;
    moved.name = to;
    u->status = graph_set_attribute(u->g, n, &moved, u->err);
}

/* Sets a default of the file's version; lists have none that ever changed. */
static void set_default(onnx_upgrade *u, graph_node_id n, const char *name, char type,
                        const char *text) {
    if (type == 'i') upgrade_set_int(u, n, name, strtoll(text, NULL, 10));
    if (type == 'f') upgrade_set_float(u, n, name, (double)strtof(text, NULL));
    if (type == 's') upgrade_set_string(u, n, name, text);
}

void upgrade_copy_attributes(onnx_upgrade *u, graph_node_id n) {
    if (u->status != ONDOL_OK) return;
    const graph_op_info *newest = graph_op_info_of(u->g->nodes[n].op);
    const char *list = u->row->attributes, *item = NULL;
    while ((item = graph_list_next(&list)) != NULL) {
        const size_t length = strcspn(item, ":");
        char name[64] = "", type = 0;
        if (length >= sizeof name) continue;
        memcpy(name, item, length);
        const char *now = graph_op_attribute(newest, name, &type);
        if (!now || type != item[length + 1]) continue;
        if (upgrade_attribute(u, name)) {
            upgrade_move_attribute(u, n, name, name);
            continue;
        }
        const char *was = item[length + 2] == '=' ? item + length + 3 : NULL;
        if (was && strcmp(was, now) != 0) set_default(u, n, name, type, was);
    }
}

graph_value_id upgrade_output(const onnx_upgrade *u, graph_node_id n, uint32_t i) {
    return u->status == ONDOL_OK ? u->g->nodes[n].outputs[i] : GRAPH_NONE;
}

graph_value_id upgrade_finish(onnx_upgrade *u, graph_node_id n) {
    if (u->status == ONDOL_OK) u->status = onnx_import_infer(u->g, n, u->err);
    return upgrade_output(u, n, 0);
}

graph_value_id upgrade_unary(onnx_upgrade *u, graph_op op, graph_value_id a) {
    return upgrade_finish(u, upgrade_node(u, op, &a, 1, 1));
}

graph_value_id upgrade_binary(onnx_upgrade *u, graph_op op, graph_value_id a, graph_value_id b) {
    const graph_value_id inputs[] = {a, b};
    return upgrade_finish(u, upgrade_node(u, op, inputs, 2, 1));
}

graph_value_id upgrade_cast(onnx_upgrade *u, graph_value_id a, tensor_element to) {
    if (upgrade_element(u, a) == to) return a;
    const graph_node_id n = upgrade_node(u, GRAPH_OP_CAST, &a, 1, 1);
    upgrade_set_int(u, n, "to", to);
    return upgrade_finish(u, n);
}

static graph_value_id constant(onnx_upgrade *u, tensor_element element, graph_shape shape,
                               const void *data) {
    graph_value_id v = GRAPH_NONE;
    if (u->status != ONDOL_OK) return GRAPH_NONE;
    u->status = graph_add_constant(u->g, u->name, element, shape, data, &v, u->err);
    return v;
}

graph_value_id upgrade_ints(onnx_upgrade *u, const int64_t *v, uint32_t count) {
    return constant(u, TENSOR_ELEMENT_I64, graph_shape_1(count), v);
}

graph_value_id upgrade_integer(onnx_upgrade *u, int64_t v) {
    return constant(u, TENSOR_ELEMENT_I64, (graph_shape){0}, &v);
}

graph_value_id upgrade_number(onnx_upgrade *u, tensor_element element, double v) {
    uint64_t bytes[2] = {0};
    tensor_set_number(element, bytes, 0, v);
    return constant(u, element, (graph_shape){0}, bytes);
}

graph_value_id upgrade_number_like(onnx_upgrade *u, double v, graph_value_id like) {
    const tensor_element element = upgrade_element(u, like);
    if (element != TENSOR_ELEMENT_UNDEFINED) return upgrade_number(u, element, v);
    const graph_value_id number = upgrade_number(u, TENSOR_ELEMENT_F64, v);
    return upgrade_binary(u, GRAPH_OP_CAST_LIKE, number, like);
}

graph_value_id upgrade_ints_of(onnx_upgrade *u, const char *name) {
    const graph_attribute *a = upgrade_attribute(u, name);
    return a ? upgrade_ints(u, a->ints, a->int_count) : GRAPH_NONE;
}

graph_value_id upgrade_shape(onnx_upgrade *u, graph_value_id a) {
    return upgrade_unary(u, GRAPH_OP_SHAPE, a);
}

graph_value_id upgrade_rank_value(onnx_upgrade *u, graph_value_id a) {
    const uint32_t rank = upgrade_rank(u, a);
    const int64_t known = rank;
    if (rank != GRAPH_RANK_UNKNOWN) return upgrade_ints(u, &known, 1);
    return upgrade_shape(u, upgrade_shape(u, a));
}

graph_value_id upgrade_reshape(onnx_upgrade *u, graph_value_id a, graph_value_id shape) {
    const graph_value_id inputs[] = {a, shape};
    const graph_node_id n = upgrade_node(u, GRAPH_OP_RESHAPE, inputs, 2, 1);
    upgrade_set_int(u, n, "allowzero", 1);
    return upgrade_finish(u, n);
}

graph_value_id upgrade_concat(onnx_upgrade *u, graph_value_id a, graph_value_id b) {
    const graph_value_id inputs[] = {a, b};
    const graph_node_id n = upgrade_node(u, GRAPH_OP_CONCAT, inputs, 2, 1);
    upgrade_set_int(u, n, "axis", 0);
    return upgrade_finish(u, n);
}

/* The integer that a constant i64 [1] holds. */
static bool known_integer(const onnx_upgrade *u, graph_value_id v, int64_t *out) {
    if (v == GRAPH_NONE || !u->g->values[v].data || u->g->values[v].data_bytes != 8) return false;
    memcpy(out, u->g->values[v].data, sizeof *out);
    return true;
}

graph_value_id upgrade_append_ones(onnx_upgrade *u, graph_value_id a, graph_value_id count) {
    int64_t known = 0, axes[GRAPH_MAX_RANK];
    if (known_integer(u, count, &known) && known <= GRAPH_MAX_RANK) {
        if (known <= 0) return a;
        for (int64_t i = 0; i < known; i++)
            axes[i] = i - known;
        return upgrade_binary(u, GRAPH_OP_UNSQUEEZE, a, upgrade_ints(u, axes, (uint32_t)known));
    }
    const int64_t one = 1;
    const graph_value_id ones = upgrade_binary(u, GRAPH_OP_EXPAND, upgrade_ints(u, &one, 1), count);
    return upgrade_reshape(u, a, upgrade_concat(u, upgrade_shape(u, a), ones));
}
