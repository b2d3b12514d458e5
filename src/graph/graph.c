/* Building a graph. In: values, nodes, names. Out: arrays in the graph's arena and heap. */
#include "graph/graph.h"

#include <string.h>

#include "base/checked.h"
#include "graph/ops.h"

ondol_status graph_create(const ondol_allocator *a, const char *name, graph **out,
                          ondol_error *err) {
    graph *g = base_calloc(a, 1, sizeof *g);
    if (!g) return base_no_memory(err, "graph", sizeof *g);
    g->allocator = a;
    base_arena_init(&g->arena, a, 0);
    g->name = base_arena_strndup(&g->arena, name, strlen(name));
    if (!g->name) {
        graph_destroy(g);
        return base_no_memory(err, "graph", strlen(name));
    }
    *out = g;
    return ONDOL_OK;
}

void graph_destroy(graph *g) {
    if (!g) return;
    const ondol_allocator *a = g->allocator;
    for (graph *sub = g->first_subgraph, *next; sub; sub = next) { /* as deep as MAX_DEPTH */
        next = sub->next_sibling;
        graph_destroy(sub);
    }
    base_free(a, g->values);
    base_free(a, g->nodes);
    base_free(a, g->symbols);
    base_free(a, g->inputs);
    base_free(a, g->outputs);
    base_free(a, g->output_names);
    base_arena_destroy(&g->arena);
    base_free(a, g);
}

/* Makes room for one more element in a heap array. */
static ondol_status grow(graph *g, void **array, uint32_t count, uint32_t *capacity, size_t size,
                         ondol_error *err) {
    if (count < *capacity) return ONDOL_OK;
    if (*capacity > UINT32_MAX / 4) return base_fail(err, ONDOL_E_LIMIT, "graph: too many values");
    uint32_t wanted = *capacity ? *capacity * 2 : 16;
    void *p = base_calloc(g->allocator, wanted, size);
    if (!p) return base_no_memory(err, "graph", (uint64_t)wanted * size);
    if (count) memcpy(p, *array, count * size);
    base_free(g->allocator, *array);
    *array = p;
    *capacity = wanted;
    return ONDOL_OK;
}

ondol_status graph_create_subgraph(graph *parent, const char *name, graph **out, ondol_error *err) {
    unsigned depth = 0;
    for (const graph *p = parent; p; p = p->parent)
        depth++;
    if (depth > GRAPH_MAX_DEPTH) {
        return base_fail(err, ONDOL_E_LIMIT, "graph '%s': nested deeper than %d", name,
                         GRAPH_MAX_DEPTH);
    }
    ondol_status status = graph_create(parent->allocator, name, out, err);
    if (status != ONDOL_OK) return status;
    (*out)->parent = parent;
    (*out)->next_sibling = parent->first_subgraph;
    parent->first_subgraph = *out;
    return ONDOL_OK;
}

ondol_status graph_symbol(graph *g, const char *name, graph_dim *out, ondol_error *err) {
    while (g->parent)
        g = g->parent;
    for (uint32_t i = 0; i < g->symbol_count; i++) {
        if (strcmp(g->symbols[i], name) == 0) {
            *out = GRAPH_SYMBOL(i);
            return ONDOL_OK;
        }
    }
    ondol_status status = grow(g, (void **)&g->symbols, g->symbol_count, &g->symbol_capacity,
                               sizeof *g->symbols, err);
    if (status != ONDOL_OK) return status;
    const char *copy = base_arena_strndup(&g->arena, name, strlen(name));
    if (!copy) return base_no_memory(err, "graph", strlen(name));
    *out = GRAPH_SYMBOL(g->symbol_count);
    g->symbols[g->symbol_count++] = copy;
    return ONDOL_OK;
}

static ondol_status add_value(graph *g, const char *name, graph_value_id *out, ondol_error *err) {
    ondol_status status =
        grow(g, (void **)&g->values, g->value_count, &g->value_capacity, sizeof *g->values, err);
    if (status != ONDOL_OK) return status;
    const char *copy = base_arena_strndup(&g->arena, name, strlen(name));
    if (!copy) return base_no_memory(err, "graph", strlen(name));
    g->values[g->value_count] = (graph_value){.name = copy,
                                              .encoding = GRAPH_PLAIN,
                                              .shape = {.rank = GRAPH_RANK_UNKNOWN},
                                              .producer = GRAPH_NONE,
                                              .outer = GRAPH_NONE};
    *out = g->value_count++;
    return ONDOL_OK;
}

ondol_status graph_capture(graph *g, graph_value_id outer, graph_value_id *out, ondol_error *err) {
    for (graph_value_id i = 0; i < g->value_count; i++) {
        const graph_value *v = g->values + i;
        if (v->kind == GRAPH_VALUE_CAPTURE && v->outer == outer) {
            *out = i;
            return ONDOL_OK;
        }
    }
    const graph_value from = g->parent->values[outer];
    ondol_status status = add_value(g, from.name, out, err);
    if (status != ONDOL_OK) return status;
    graph_value *v = g->values + *out;
    v->kind = GRAPH_VALUE_CAPTURE;
    v->outer = outer;
    v->type_kind = from.type_kind;
    v->element = from.element;
    v->shape = from.shape;
    v->item = from.item;
    return ONDOL_OK;
}

ondol_status graph_set_value_name(graph *g, graph_value_id v, const char *name, ondol_error *err) {
    const char *copy = base_arena_strndup(&g->arena, name, strlen(name));
    if (!copy) return base_no_memory(err, "graph", strlen(name));
    g->values[v].name = copy;
    return ONDOL_OK;
}

const graph_type *graph_type_copy(graph *g, const graph_type *type) {
    uint32_t count = 0;
    for (const graph_type *t = type; t; t = t->item)
        count++;
    graph_type *copies = base_arena_alloc(&g->arena, count ? count : 1, sizeof *copies);
    if (!copies || !type) return NULL;
    for (uint32_t i = 0; i < count; i++, type = type->item) {
        copies[i] = *type;
        copies[i].item = type->item ? copies + i + 1 : NULL;
    }
    return copies;
}

ondol_status graph_add_input(graph *g, const char *name, tensor_element element, graph_shape shape,
                             graph_value_id *out, ondol_error *err) {
    ondol_status status =
        grow(g, (void **)&g->inputs, g->input_count, &g->input_capacity, sizeof *g->inputs, err);
    if (status != ONDOL_OK) return status;
    status = add_value(g, name, out, err);
    if (status != ONDOL_OK) return status;
    graph_value *v = g->values + *out;
    v->kind = GRAPH_VALUE_INPUT;
    v->element = element;
    v->shape = shape;
    g->inputs[g->input_count++] = *out;
    return ONDOL_OK;
}

/* Adds a value of kind initializer with these bytes; sizes have been checked. */
static ondol_status add_initializer(graph *g, const char *name, graph_shape shape, const void *data,
                                    uint64_t data_bytes, graph_value_id *out, ondol_error *err) {
    ondol_status status = add_value(g, name, out, err);
    if (status != ONDOL_OK) return status;
    graph_value *v = g->values + *out;
    v->kind = GRAPH_VALUE_INITIALIZER;
    v->shape = shape;
    v->data = data;
    v->data_bytes = data_bytes;
    return ONDOL_OK;
}

ondol_status graph_add_weight(graph *g, const char *name, tensor_encoding encoding,
                              graph_shape shape, const void *data, uint64_t data_bytes,
                              graph_value_id *out, ondol_error *err) {
    uint64_t elements = 0, row_bytes = 0, bytes = 0;
    uint64_t columns = shape.rank ? (uint64_t)shape.dims[shape.rank - 1] : 1;
    if (!graph_shape_elements(&shape, &elements)) {
        return base_fail(err, ONDOL_E_FORMAT, "tensor '%s': its size does not fit", name);
    }
    ondol_status status = tensor_encoding_row_bytes(encoding, columns, &row_bytes, err);
    if (status != ONDOL_OK) return base_prefix(err, status, "tensor '%s'", name);
    if (!base_mul(columns ? elements / columns : 0, row_bytes, &bytes) || bytes != data_bytes) {
        return base_fail(err, ONDOL_E_FORMAT, "tensor '%s': %llu bytes, expected %llu", name,
                         (unsigned long long)data_bytes, (unsigned long long)bytes);
    }
    status = add_initializer(g, name, shape, data, data_bytes, out, err);
    if (status != ONDOL_OK) return status;
    const tensor_encoding_info *info = tensor_encoding_info_of(encoding);
    /* Codes and short floats are read as f32, which holds them exactly. */
    const bool integer = info->encoding_class == TENSOR_CLASS_INTEGER;
    g->values[*out].element = integer ? info->element : TENSOR_ELEMENT_F32;
    g->values[*out].encoding = encoding;
    return ONDOL_OK;
}

static uint64_t matrix_bytes(const tensor_matrix *m) {
    const tensor_nbits *n = m->nbits;
    if (n) return n->codes_bytes + n->scales_bytes + (n->zeros ? n->zeros_bytes : 0);
    const tensor_encoding_info *info = tensor_encoding_info_of(m->encoding);
    return m->rows * (m->columns / info->block_elems) * info->block_bytes;
}

ondol_status graph_add_matrix(graph *g, const char *name, const tensor_matrix *m,
                              graph_value_id *out, ondol_error *err) {
    const graph_shape shape = graph_shape_2((graph_dim)m->rows, (graph_dim)m->columns);
    tensor_matrix *copy = base_arena_alloc(&g->arena, 1, sizeof *copy);
    tensor_nbits *nbits = base_arena_alloc(&g->arena, 1, sizeof *nbits);
    if (!copy || !nbits) return base_no_memory(err, "graph weight", sizeof *copy);
    *copy = *m;
    if (m->nbits) {
        *nbits = *m->nbits;
        copy->nbits = nbits;
    }
    const void *data = m->nbits ? m->nbits->codes : m->data;
    ondol_status status = add_initializer(g, name, shape, data, matrix_bytes(m), out, err);
    if (status != ONDOL_OK) return status;
    g->values[*out].element = TENSOR_ELEMENT_F32;
    g->values[*out].matrix = copy;
    return ONDOL_OK;
}

bool graph_value_matrix(const graph_value *v, tensor_matrix *out) {
    if (v->matrix) {
        *out = *v->matrix;
        return true;
    }
    if (v->shape.rank != 2 || !v->data || v->shape.dims[0] < 0 || v->shape.dims[1] < 0) {
        return false;
    }
    *out = (tensor_matrix){.rows = (uint64_t)v->shape.dims[0],
                           .columns = (uint64_t)v->shape.dims[1],
                           .encoding = v->encoding,
                           .data = v->data};
    return v->encoding != GRAPH_PLAIN || tensor_encoding_of_element(v->element, &out->encoding);
}

ondol_status graph_add_constant(graph *g, const char *name, tensor_element element,
                                graph_shape shape, const void *data, graph_value_id *out,
                                ondol_error *err) {
    uint64_t elements = 0, bytes = 0;
    if (!graph_shape_elements(&shape, &elements) ||
        !tensor_element_bytes(element, elements, &bytes) || bytes > SIZE_MAX / 2) {
        return base_fail(err, ONDOL_E_INTERNAL, "constant '%s' has no fixed size", name);
    }
    void *copy = base_arena_alloc(&g->arena, bytes ? (size_t)bytes : 1, 1);
    if (!copy) return base_no_memory(err, "graph constant", bytes);
    if (bytes) memcpy(copy, data, (size_t)bytes);
    ondol_status status = add_initializer(g, name, shape, copy, bytes, out, err);
    if (status != ONDOL_OK) return status;
    g->values[*out].element = element;
    g->values[*out].encoding = GRAPH_PLAIN;
    g->values[*out].in_arena = true;
    return ONDOL_OK;
}

ondol_status graph_add_borrowed(graph *g, const char *name, const graph_tensor *t,
                                graph_value_id *out, ondol_error *err) {
    ondol_status status = add_initializer(g, name, t->shape, t->data, t->data_bytes, out, err);
    if (status == ONDOL_OK) g->values[*out].element = t->element;
    return status;
}

ondol_status graph_add_scalar_f32(graph *g, const char *name, float value, graph_value_id *out,
                                  ondol_error *err) {
    return graph_add_constant(g, name, TENSOR_ELEMENT_F32, (graph_shape){0}, &value, out, err);
}

ondol_status graph_add_node(graph *g, graph_op op, const char *name, const graph_value_id *inputs,
                            uint32_t input_count, uint32_t output_count, graph_node_id *out,
                            ondol_error *err) {
    const graph_op_info *info = graph_op_info_of(op);
    if (input_count < info->min_inputs || input_count > info->max_inputs ||
        output_count < info->min_outputs || output_count > info->max_outputs) {
        return base_fail(err, ONDOL_E_FORMAT,
                         "node '%s' (%s): %u inputs and %u outputs, expected %u to %u and %u to %u",
                         name, info->name, input_count, output_count, info->min_inputs,
                         info->max_inputs, info->min_outputs, info->max_outputs);
    }
    ondol_status status =
        grow(g, (void **)&g->nodes, g->node_count, &g->node_capacity, sizeof *g->nodes, err);
    if (status != ONDOL_OK) return status;
    graph_node n = {.op = op, .input_count = input_count, .output_count = output_count};
    n.name = base_arena_strndup(&g->arena, name, strlen(name));
    n.inputs = base_arena_alloc(&g->arena, input_count, sizeof *n.inputs);
    n.outputs = base_arena_alloc(&g->arena, output_count, sizeof *n.outputs);
    if (!n.name || !n.inputs || !n.outputs) return base_no_memory(err, "graph node", sizeof n);
    for (uint32_t i = 0; i < input_count; i++) {
        if (inputs[i] != GRAPH_NONE && inputs[i] >= g->value_count) {
            return base_fail(err, ONDOL_E_INTERNAL, "node '%s': input %u is no value", name, i);
        }
        n.inputs[i] = inputs[i];
    }
    for (uint32_t i = 0; i < output_count; i++) {
        status = add_value(g, name, n.outputs + i, err);
        if (status != ONDOL_OK) return status;
        g->values[n.outputs[i]].producer = g->node_count;
    }
    g->nodes[g->node_count] = n;
    *out = g->node_count++;
    return ONDOL_OK;
}

ondol_status graph_add_output(graph *g, const char *name, graph_value_id value, ondol_error *err) {
    uint32_t capacity = g->output_capacity;
    ondol_status status =
        grow(g, (void **)&g->outputs, g->output_count, &capacity, sizeof *g->outputs, err);
    if (status != ONDOL_OK) return status;
    status = grow(g, (void **)&g->output_names, g->output_count, &g->output_capacity,
                  sizeof *g->output_names, err);
    if (status != ONDOL_OK) return status;
    const char *copy = base_arena_strndup(&g->arena, name, strlen(name));
    if (!copy) return base_no_memory(err, "graph", strlen(name));
    g->output_names[g->output_count] = copy;
    g->outputs[g->output_count++] = value;
    return ONDOL_OK;
}

bool graph_shape_equal(const graph_shape *a, const graph_shape *b) {
    if (a->rank != b->rank || a->rank == GRAPH_RANK_UNKNOWN) return false;
    for (uint32_t i = 0; i < a->rank; i++) {
        if (a->dims[i] != b->dims[i] || a->dims[i] == GRAPH_DIM_UNKNOWN) return false;
    }
    return true;
}

bool graph_shape_elements(const graph_shape *s, uint64_t *out) {
    uint64_t product = 1;
    if (s->rank == GRAPH_RANK_UNKNOWN) return false;
    for (uint32_t i = 0; i < s->rank; i++) {
        if (s->dims[i] < 0 || !base_mul(product, (uint64_t)s->dims[i], &product)) return false;
    }
    *out = product;
    return true;
}

graph_shape graph_shape_unknown(void) {
    return (graph_shape){.rank = GRAPH_RANK_UNKNOWN};
}

graph_shape graph_shape_1(graph_dim a) {
    return (graph_shape){1, {a}};
}

graph_shape graph_shape_2(graph_dim a, graph_dim b) {
    return (graph_shape){2, {a, b}};
}

graph_shape graph_shape_3(graph_dim a, graph_dim b, graph_dim c) {
    return (graph_shape){3, {a, b, c}};
}

graph_shape graph_shape_4(graph_dim a, graph_dim b, graph_dim c, graph_dim d) {
    return (graph_shape){4, {a, b, c, d}};
}
