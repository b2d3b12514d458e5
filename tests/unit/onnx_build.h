/* ONNX models written in C for tests: pieces live in an arena until the model's bytes are made. */
#ifndef ONNX_BUILD_H
#define ONNX_BUILD_H

#include <stdlib.h>

#include "formats/onnx/onnx_writer.h"
#include "unit.h"

#define HAS(message, field) (1u << ONNX_HAS_##message##_##field)

typedef struct onnx_build {
    ondol_allocator heap;
    base_arena arena;
    base_buffer bytes;
    ondol_error err;
} onnx_build;

static inline void build_begin(onnx_build *b) {
    b->heap = base_default_allocator();
    base_arena_init(&b->arena, &b->heap, 0);
    base_buffer_init(&b->bytes, &b->heap, SIZE_MAX / 2);
}

static inline void build_end(onnx_build *b) {
    base_buffer_destroy(&b->bytes);
    base_arena_destroy(&b->arena);
}

static inline void *build_copy(onnx_build *b, const void *from, size_t count, size_t size) {
    void *to = base_arena_alloc(&b->arena, count + 1, size);
    assert_non_null(to);
    if (count) memcpy(to, from, count * size);
    return to;
}

static inline onnx_string text_of(const char *text) {
    return (onnx_string){text, strlen(text)};
}

/* "a,b,,c": four names, the third empty; "": none. */
static inline onnx_strings names_of(onnx_build *b, const char *list) {
    onnx_string items[64];
    size_t count = 0;
    for (const char *at = list; *list; at = strchr(at, ',') + 1) {
        items[count++] = (onnx_string){at, strcspn(at, ",")};
        if (!strchr(at, ',')) break;
    }
    return (onnx_strings){build_copy(b, items, count, sizeof *items), count};
}

static inline onnx_attribute attribute_of(const char *name, int32_t type) {
    return (onnx_attribute){.head.has = HAS(attribute, name) | HAS(attribute, type),
                            .name = text_of(name),
                            .type = type};
}

static inline onnx_attribute int_attribute(const char *name, int64_t v) {
    onnx_attribute a = attribute_of(name, ONNX_ATTRIBUTE_INT);
    a.head.has |= HAS(attribute, i);
    a.i = v;
    return a;
}

static inline onnx_attribute float_attribute(const char *name, float v) {
    onnx_attribute a = attribute_of(name, ONNX_ATTRIBUTE_FLOAT);
    a.head.has |= HAS(attribute, f);
    a.f = v;
    return a;
}

static inline onnx_attribute string_attribute(const char *name, const char *v) {
    onnx_attribute a = attribute_of(name, ONNX_ATTRIBUTE_STRING);
    a.head.has |= HAS(attribute, s);
    a.s = text_of(v);
    return a;
}

static inline onnx_attribute graph_attribute_of(onnx_build *b, const char *name,
                                                const onnx_graph *g) {
    onnx_attribute a = attribute_of(name, ONNX_ATTRIBUTE_GRAPH);
    a.head.has |= HAS(attribute, g);
    a.g = build_copy(b, g, 1, sizeof *g);
    return a;
}

/* An attribute whose value is that of the function's parameter. */
static inline onnx_attribute reference_attribute(const char *name, int32_t type,
                                                 const char *parameter) {
    onnx_attribute a = attribute_of(name, type);
    a.head.has |= HAS(attribute, ref_attr_name);
    a.ref_attr_name = text_of(parameter);
    return a;
}

static inline onnx_node node_of(onnx_build *b, const char *op, const char *inputs,
                                const char *outputs) {
    return (onnx_node){.head.has = HAS(node, op_type),
                       .op_type = text_of(op),
                       .input = names_of(b, inputs),
                       .output = names_of(b, outputs)};
}

static inline onnx_node domain_node(onnx_build *b, const char *domain, const char *op,
                                    const char *inputs, const char *outputs) {
    onnx_node n = node_of(b, op, inputs, outputs);
    n.head.has |= HAS(node, domain);
    n.domain = text_of(domain);
    return n;
}

static inline void add_attribute(onnx_build *b, onnx_node *n, onnx_attribute a) {
    onnx_attribute list[16];
    const size_t count = n->attribute.count;
    if (count) memcpy(list, n->attribute.items, count * sizeof a);
    list[count] = a;
    n->attribute = (onnx_attribute_list){build_copy(b, list, count + 1, sizeof a), count + 1};
}

/* A type tensor(element) of that rank; dims: "2,N,?"; NULL: no shape. */
static inline const onnx_type *tensor_type_of(onnx_build *b, int32_t element, const char *dims) {
    onnx_dimension list[16];
    const onnx_strings parts = names_of(b, dims ? dims : "");
    for (size_t i = 0; i < parts.count; i++) {
        const onnx_string s = parts.items[i];
        list[i] = (onnx_dimension){0};
        if (s.text[0] >= '0' && s.text[0] <= '9')
            list[i] = (onnx_dimension){.head.has = HAS(dimension, dim_value),
                                       .dim_value = strtoll(s.text, NULL, 10)};
        else if (s.text[0] != '?')
            list[i] = (onnx_dimension){.head.has = HAS(dimension, dim_param), .dim_param = s};
    }
    onnx_shape shape = {.head.has = HAS(shape, dim),
                        .dim = {build_copy(b, list, parts.count, sizeof *list), parts.count}};
    onnx_tensor_type tensor = {.head.has = HAS(tensor_type, elem_type), .elem_type = element};
    if (dims) {
        tensor.head.has |= HAS(tensor_type, shape);
        tensor.shape = build_copy(b, &shape, 1, sizeof shape);
    }
    const onnx_type type = {.head.has = HAS(type, tensor_type),
                            .tensor_type = build_copy(b, &tensor, 1, sizeof tensor)};
    return build_copy(b, &type, 1, sizeof type);
}

static inline onnx_value_info info_of(const char *name, const onnx_type *type) {
    onnx_value_info v = {.head.has = HAS(value_info, name), .name = text_of(name), .type = type};
    if (type) v.head.has |= HAS(value_info, type);
    return v;
}

/* Float tensors "x", "y" ... of any shape, by their names. */
static inline onnx_value_info_list floats_of(onnx_build *b, const char *names) {
    const onnx_strings list = names_of(b, names);
    onnx_value_info infos[64];
    for (size_t i = 0; i < list.count; i++) {
        infos[i] = info_of("", tensor_type_of(b, TENSOR_ELEMENT_F32, NULL));
        infos[i].name = list.items[i];
    }
    return (onnx_value_info_list){build_copy(b, infos, list.count, sizeof *infos), list.count};
}

static inline onnx_tensor i64_tensor(onnx_build *b, const char *name, const int64_t *v, size_t n) {
    const int64_t dims[] = {(int64_t)n};
    return (onnx_tensor){.head.has = HAS(tensor, name) | HAS(tensor, data_type),
                         .name = text_of(name),
                         .data_type = TENSOR_ELEMENT_I64,
                         .dims = {build_copy(b, dims, 1, sizeof *dims), 1},
                         .int64_data = {build_copy(b, v, n, sizeof *v), n}};
}

static inline onnx_graph graph_of(onnx_build *b, const onnx_node *nodes, size_t count,
                                  const char *inputs, const char *outputs) {
    return (onnx_graph){.head.has = HAS(graph, name),
                        .name = text_of("test"),
                        .node = {build_copy(b, nodes, count, sizeof *nodes), count},
                        .input = floats_of(b, inputs),
                        .output = floats_of(b, outputs)};
}

static inline onnx_function function_of(onnx_build *b, const char *name, const onnx_node *nodes,
                                        size_t count, const char *inputs, const char *outputs) {
    const onnx_operator_set sets[] = {
        {.head.has = HAS(operator_set, domain) | HAS(operator_set, version), .version = 18},
        {.head.has = HAS(operator_set, domain) | HAS(operator_set, version),
         .domain = text_of("local"),
         .version = 1}};
    return (onnx_function){.head.has = HAS(function, name) | HAS(function, domain),
                           .name = text_of(name),
                           .domain = text_of("local"),
                           .node = {build_copy(b, nodes, count, sizeof *nodes), count},
                           .input = names_of(b, inputs),
                           .output = names_of(b, outputs),
                           .opset_import = {build_copy(b, sets, 2, sizeof *sets), 2}};
}

/* A model of that opset, which also imports version 1 of "local". */
static inline onnx_model_proto model_of(onnx_build *b, const onnx_graph *g, int64_t opset) {
    const onnx_operator_set sets[] = {
        {.head.has = HAS(operator_set, domain) | HAS(operator_set, version), .version = opset},
        {.head.has = HAS(operator_set, domain) | HAS(operator_set, version),
         .domain = text_of("local"),
         .version = 1}};
    return (onnx_model_proto){.head.has = HAS(model_proto, ir_version) | HAS(model_proto, graph),
                              .ir_version = 10,
                              .graph = build_copy(b, g, 1, sizeof *g),
                              .opset_import = {build_copy(b, sets, 2, sizeof *sets), 2}};
}

/* The model's bytes, which live until build_end. */
static inline void build_bytes(onnx_build *b, const onnx_model_proto *m) {
    base_buffer_destroy(&b->bytes);
    base_buffer_init(&b->bytes, &b->heap, SIZE_MAX / 2);
    ondol_error err;
    ASSERT_OK(onnx_write(&b->heap, ONNX_MESSAGE_model_proto, m, &b->bytes, &err));
}

#endif
