/* Upgrade rules: domain ai.onnx.ml. In: a node of an old version. Out: a node of the newest. */
#include <string.h>

#include "base/map.h"
#include "models/onnx_upgrade.h"

/* Keys that appear again are left out: the first counted, today it is the last. */
static uint32_t first_of_each(onnx_upgrade *u, const graph_attribute *from, tensor_string *keys,
                              int64_t *places) {
    base_map seen;
    uint32_t count = 0;
    base_map_init(&seen, u->g->allocator);
    for (uint32_t i = 0; i < from->int_count; i++) {
        const tensor_string s = from->strings[i];
        bool found = false;
        if (!base_map_add(&seen, s.text, s.size_bytes, i, &found, NULL)) {
            upgrade_fail(u, ONDOL_E_MEMORY, "no memory for its classes");
            break;
        }
        if (found) continue;
        keys[count] = s;
        places[count++] = i;
    }
    base_map_destroy(&seen);
    return count;
}

static void set_lists(onnx_upgrade *u, graph_node_id n, const char *strings_name,
                      const tensor_string *strings, const char *ints_name, const int64_t *ints,
                      uint32_t count) {
    const graph_attribute a = {.name = strings_name,
                               .type = GRAPH_ATTRIBUTE_STRINGS,
                               .strings = strings,
                               .int_count = count};
    const graph_attribute b = {
        .name = ints_name, .type = GRAPH_ATTRIBUTE_INTS, .ints = ints, .int_count = count};
    if (u->status == ONDOL_OK) u->status = graph_set_attribute(u->g, n, &a, u->err);
    if (u->status == ONDOL_OK) u->status = graph_set_attribute(u->g, n, &b, u->err);
}

/* classes_strings: places to strings and back, by the type of the input. */
void upgrade_label_encoder(onnx_upgrade *u) {
    const graph_value_id x = upgrade_input(u, 0);
    const graph_attribute *classes = upgrade_attribute(u, "classes_strings");
    const tensor_element element = upgrade_element(u, x);
    const bool from_strings = element == TENSOR_ELEMENT_STRING;
    if (!classes || (!from_strings && element != TENSOR_ELEMENT_I64)) {
        upgrade_fail(u, ONDOL_E_UNSUPPORTED,
                     "classes and an input of type string or int64 that is "
                     "known");
        return;
    }
    uint32_t count = classes->int_count;
    tensor_string *keys = base_arena_alloc(&u->g->arena, count + 1u, sizeof *keys);
    int64_t *places = base_arena_alloc(&u->g->arena, count + 1u, sizeof *places);
    if (!keys || !places) {
        upgrade_fail(u, ONDOL_E_MEMORY, "no memory for its classes");
        return;
    }
    const graph_node_id n = upgrade_node(u, GRAPH_OP_ML_LABEL_ENCODER, &x, 1, 1);
    if (from_strings) {
        count = first_of_each(u, classes, keys, places);
        set_lists(u, n, "keys_strings", keys, "values_int64s", places, count);
        upgrade_set_int(u, n, "default_int64", upgrade_int(u, "default_int64"));
    } else {
        for (uint32_t i = 0; i < count; i++)
            places[i] = i;
        set_lists(u, n, "values_strings", classes->strings, "keys_int64s", places, count);
        upgrade_set_string(u, n, "default_string", upgrade_string(u, "default_string"));
    }
    upgrade_give(u, 0, upgrade_finish(u, n));
}
