/* Weights. In: initializers of a portable graph, and the nodes that turn or dequantise them. Out:
 * matrices [outputs, inputs] as their file stores them, and vectors of f32. */
#include <string.h>

#include "base/checked.h"
#include "graph/ops.h"
#include "optimize/lowering.h"
#include "tensor/number.h"

/* As many nodes as stand between an initializer and its use. */
#define MAX_STEPS 8

static bool is_float(tensor_element e) {
    return e == TENSOR_ELEMENT_F32 || e == TENSOR_ELEMENT_F16 || e == TENSOR_ELEMENT_BF16;
}

const graph_value *lower_constant(const lowering *l, graph_value_id v) {
    const graph *g = l->r.from;
    for (int i = 0; v != GRAPH_NONE && i < MAX_STEPS; i++) {
        const graph_value *value = g->values + v;
        if (value->kind == GRAPH_VALUE_INITIALIZER) return value;
        const graph_node_id n = match_producer(g, v, GRAPH_OP_IDENTITY);
        v = n == GRAPH_NONE ? GRAPH_NONE : g->nodes[n].inputs[0];
    }
    return NULL;
}

/* ------------------------------------------------------------ dequantised weights */

/* Bits and sign of integer codes. */
static bool code_type(tensor_element e, tensor_nbits *n) {
    const tensor_element_kind kind = tensor_element_kind_of(e);
    n->bits = tensor_element_bits(e);
    n->is_signed = kind == TENSOR_KIND_SIGNED;
    return n->bits <= 8 && (kind == TENSOR_KIND_SIGNED || kind == TENSOR_KIND_UNSIGNED);
}

/* How scales go with the axes of x [a, b]: elements from step to step along each. */
typedef struct granularity {
    uint64_t block[2];  /* elements of x that share a scale along the axis */
    uint64_t stride[2]; /* elements of the scales from block to block */
} granularity;

static bool find_granularity(const lowering *l, graph_node_id id, const graph_value *x,
                             const graph_value *scale, granularity *out) {
    const uint64_t dims[2] = {(uint64_t)x->shape.dims[0], (uint64_t)x->shape.dims[1]};
    int64_t axis = graph_get_int(l->r.from, id, "axis"), block = 0;
    if (l->r.from->nodes[id].op == GRAPH_OP_DEQUANTIZE_LINEAR)
        block = graph_get_int(l->r.from, id, "block_size");
    if (axis < 0) axis += 2;
    uint64_t scales = 0;
    if (axis < 0 || axis > 1 || !graph_shape_elements(&scale->shape, &scales)) return false;
    *out = (granularity){{dims[0], dims[1]}, {0, 0}};
    if (scales == 1 && block == 0) return true;
    if (block == 0) {
        if (scale->shape.rank != 1 || scales != dims[axis]) return false;
        out->block[axis] = out->stride[axis] = 1;
        return true;
    }
    if (block < 1 || scale->shape.rank != 2) return false;
    const uint64_t blocks = (dims[axis] + (uint64_t)block - 1) / (uint64_t)block;
    if (scale->shape.dims[axis] != (int64_t)blocks ||
        scale->shape.dims[1 - axis] != x->shape.dims[1 - axis]) {
        return false;
    }
    out->block[axis] = (uint64_t)block;
    out->block[1 - axis] = 1;
    out->stride[0] = (uint64_t)scale->shape.dims[1];
    out->stride[1] = 1;
    return true;
}

/* x [a, b] of codes with scales. as_columns: b are the outputs. */
static ondol_status find_dequantized(lowering *l, graph_node_id id, bool as_columns,
                                     tensor_matrix *out, tensor_nbits *n, bool *found) {
    const graph *g = l->r.from;
    const graph_value *x = lower_constant(l, lower_in(l, id, 0));
    const graph_value *scale = lower_constant(l, lower_in(l, id, 1));
    const graph_value_id zero_id = lower_in(l, id, 2);
    const graph_value *zero = zero_id == GRAPH_NONE ? NULL : lower_constant(l, zero_id);
    granularity grain;
    *n = (tensor_nbits){0};
    if (!x || !scale || x->shape.rank != 2 || (zero_id != GRAPH_NONE && !zero) ||
        x->shape.dims[0] < 1 || x->shape.dims[1] < 1 || !code_type(x->element, n) ||
        !is_float(scale->element) || !find_granularity(l, id, x, scale, &grain)) {
        return ONDOL_OK;
    }
    if (zero && (zero->element != x->element || !graph_shape_equal(&zero->shape, &scale->shape)))
        return ONDOL_OK;
    const int row = as_columns ? 1 : 0, column = 1 - row;
    const uint64_t bits[2] = {(uint64_t)x->shape.dims[1] * n->bits, n->bits};
    if (grain.block[row] != 1 && grain.stride[row] != 0) return ONDOL_OK; /* shared by outputs */
    n->rows = (uint64_t)x->shape.dims[row];
    n->columns = (uint64_t)x->shape.dims[column];
    n->block_elems = grain.block[column];
    n->codes = x->data;
    n->codes_bytes = x->data_bytes;
    n->code_bits = (tensor_strides){bits[row], bits[column]};
    n->scales = scale->data;
    n->scales_bytes = scale->data_bytes;
    n->scale_element = scale->element;
    n->scale_elems = (tensor_strides){grain.stride[row], grain.stride[column]};
    if (zero) {
        n->zeros = zero->data;
        n->zeros_bytes = zero->data_bytes;
        n->zero_bits =
            (tensor_strides){grain.stride[row] * n->bits, grain.stride[column] * n->bits};
    }
    /* One scale for each column of inputs is no way to store a row. */
    if (n->block_elems == 1 && n->columns != 1) return ONDOL_OK;
    *out = (tensor_matrix){.rows = n->rows, .columns = n->columns, .nbits = n};
    *found = true;
    ondol_status status = tensor_nbits_check(n, l->err);
    return base_prefix(l->err, status, "node '%s'", g->nodes[id].name);
}

/* ------------------------------------------------------------ matrices */

static bool plain_matrix(const graph_value *v, const graph_shape *shape, bool as_columns,
                         tensor_matrix *out) {
    if (v->matrix || v->encoding != GRAPH_PLAIN) {
        if (as_columns || !graph_value_matrix(v, out)) return false;
        return true;
    }
    if (shape->rank != 2 || !is_float(v->element)) return false;
    const uint64_t rows = (uint64_t)shape->dims[as_columns ? 1 : 0];
    const uint64_t columns = (uint64_t)shape->dims[as_columns ? 0 : 1];
    *out = (tensor_matrix){
        .rows = rows, .columns = columns, .data = v->data, .transposed = as_columns};
    return rows > 0 && columns > 0 && rows <= INT32_MAX && columns <= INT32_MAX &&
           tensor_encoding_of_element(v->element, &out->encoding);
}

static bool swaps_axes(const graph *g, graph_node_id n) {
    const graph_attribute *perm = graph_get_attribute(g, n, "perm");
    return !perm || (perm->int_count == 2 && perm->ints[0] == 1 && perm->ints[1] == 0);
}

/* A Reshape of an initializer to two given dimensions. */
static bool reshaped(const lowering *l, graph_node_id n, const graph_value *data,
                     graph_shape *shape) {
    const graph_value *dims = lower_constant(l, lower_in(l, n, 1));
    uint64_t elements = 0, wanted = 0;
    if (!dims || dims->element != TENSOR_ELEMENT_I64 || dims->data_bytes != 16) return false;
    int64_t d[2];
    memcpy(d, dims->data, sizeof d);
    if (!graph_shape_elements(&data->shape, &elements)) return false;
    for (int i = 0; i < 2; i++) {
        if (d[i] != -1 || d[1 - i] < 1) continue;
        d[i] = (int64_t)(elements / (uint64_t)d[1 - i]);
    }
    *shape = graph_shape_2(d[0], d[1]);
    return d[0] > 0 && d[1] > 0 && graph_shape_elements(shape, &wanted) && wanted == elements;
}

ondol_status lower_find_matrix(lowering *l, graph_value_id v, bool as_columns, tensor_matrix *out,
                               tensor_nbits *nbits, bool *found) {
    const graph *g = l->r.from;
    *found = false;
    for (int i = 0; v != GRAPH_NONE && i < MAX_STEPS; i++) {
        const graph_value *value = g->values + v;
        if (value->kind == GRAPH_VALUE_INITIALIZER) {
            *found = plain_matrix(value, &value->shape, as_columns, out);
            return ONDOL_OK;
        }
        if (value->producer == GRAPH_NONE) return ONDOL_OK;
        const graph_node_id n = value->producer;
        const graph_value_id from = g->nodes[n].inputs[0];
        switch (g->nodes[n].op) {
        case GRAPH_OP_IDENTITY: break;
        case GRAPH_OP_CAST:
            if (!is_float(value->element) || !is_float(g->values[from].element)) return ONDOL_OK;
            break;
        case GRAPH_OP_TRANSPOSE:
            if (!swaps_axes(g, n)) return ONDOL_OK;
            as_columns = !as_columns;
            break;
        case GRAPH_OP_RESHAPE: {
            const graph_value *data = lower_constant(l, from);
            graph_shape shape;
            if (data && reshaped(l, n, data, &shape)) {
                *found = plain_matrix(data, &shape, as_columns, out);
            }
            return ONDOL_OK;
        }
        case GRAPH_OP_DEQUANTIZE_LINEAR:
        case GRAPH_OP_MS_DEQUANTIZE_LINEAR:
            return find_dequantized(l, n, as_columns, out, nbits, found);
        default: return ONDOL_OK;
        }
        v = from;
    }
    return ONDOL_OK;
}

ondol_status lower_bring_matrix(lowering *l, const char *name, const tensor_matrix *m,
                                graph_value_id *out) {
    const graph *to = l->r.to;
    for (graph_value_id v = 0; v < to->value_count; v++) {
        tensor_matrix other;
        if (to->values[v].kind != GRAPH_VALUE_INITIALIZER) continue;
        if (graph_value_matrix(to->values + v, &other) && tensor_matrix_same(m, &other)) {
            *out = v;
            return ONDOL_OK;
        }
    }
    return graph_add_matrix(l->r.to, name, m, out, l->err);
}

/* ------------------------------------------------------------ vectors */

ondol_status lower_vector(lowering *l, graph_node_id id, graph_value_id v, uint64_t n,
                          graph_value_id *out) {
    const graph *g = l->r.from;
    graph_value_id from = v;
    for (int i = 0; i < MAX_STEPS; i++) {
        const graph_node_id cast = match_producer(g, from, GRAPH_OP_CAST);
        if (cast == GRAPH_NONE) break;
        from = g->nodes[cast].inputs[0];
    }
    const graph_value *value = from == GRAPH_NONE ? NULL : lower_constant(l, from);
    uint64_t elements = 0;
    if (!value || value->matrix || value->encoding != GRAPH_PLAIN || !is_float(value->element) ||
        !graph_shape_elements(&value->shape, &elements) || elements != n) {
        return lower_unrecognised(l, id, "a scale or bias is no initializer of its columns");
    }
    if (l->r.map[from] != GRAPH_NONE) { /* brought already */
        *out = l->r.map[from];
        return ONDOL_OK;
    }
    float *numbers = base_alloc(g->allocator, (size_t)n, sizeof *numbers);
    if (!numbers) return base_no_memory(l->err, "a scale or bias", n * sizeof *numbers);
    for (uint64_t i = 0; i < n; i++)
        numbers[i] = (float)tensor_get_number(value->element, value->data, i);
    ondol_status status = graph_add_constant(l->r.to, value->name, TENSOR_ELEMENT_F32,
                                             graph_shape_1((graph_dim)n), numbers, out, l->err);
    base_free(g->allocator, numbers);
    if (status == ONDOL_OK) l->r.map[from] = *out;
    return status;
}
