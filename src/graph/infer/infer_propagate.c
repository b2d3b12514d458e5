/* Shape arithmetic. In: nodes on small integer tensors. Out: what is known of the elements of their
 * results, so that a Reshape by Concat(Gather(Shape(x), 0), 768) has a shape. */
#include <string.h>

#include "graph/infer/infer.h"

/* The only element of a list; unknown where it is not one. */
static graph_number single(const graph *g, graph_node_id n, uint32_t i) {
    graph_number list[INFER_MAX_NUMBERS];
    uint32_t count = 0;
    if (!infer_numbers(g, n, i, list, &count) || count != 1) return (graph_number){0};
    return list[0];
}

static bool combine(graph_op op, graph_number a, graph_number b, graph_number *out) {
    *out = (graph_number){0};
    const bool a_one = a.kind == GRAPH_NUMBER_INTEGER && a.value == 1;
    const bool b_one = b.kind == GRAPH_NUMBER_INTEGER && b.value == 1;
    const bool a_zero = a.kind == GRAPH_NUMBER_INTEGER && a.value == 0;
    const bool b_zero = b.kind == GRAPH_NUMBER_INTEGER && b.value == 0;
    if (op == GRAPH_OP_MUL && (a_one || b_one)) {
        *out = a_one ? b : a;
    } else if (op == GRAPH_OP_ADD && (a_zero || b_zero)) {
        *out = a_zero ? b : a;
    } else if ((op == GRAPH_OP_DIV && b_one) || (op == GRAPH_OP_SUB && b_zero)) {
        *out = a;
    } else if (a.kind == GRAPH_NUMBER_INTEGER && b.kind == GRAPH_NUMBER_INTEGER) {
        const int64_t large = (int64_t)1 << 31; /* products stay within int64 */
        if (a.value > large || a.value < -large || b.value > large || b.value < -large) return true;
        if (op == GRAPH_OP_DIV && b.value == 0) return true;
        const int64_t value = op == GRAPH_OP_MUL   ? a.value * b.value
                              : op == GRAPH_OP_ADD ? a.value + b.value
                              : op == GRAPH_OP_SUB ? a.value - b.value
                              : op == GRAPH_OP_DIV ? a.value / b.value
                              : op == GRAPH_OP_MAX ? (a.value > b.value ? a.value : b.value)
                                                   : (a.value < b.value ? a.value : b.value);
        *out = (graph_number){GRAPH_NUMBER_INTEGER, value};
    }
    return true;
}

static ondol_status arithmetic(graph *g, graph_node_id n, ondol_error *err) {
    graph_number a[INFER_MAX_NUMBERS], b[INFER_MAX_NUMBERS], out[INFER_MAX_NUMBERS];
    uint32_t a_count = 0, b_count = 0;
    if (g->nodes[n].input_count != 2 || !infer_numbers(g, n, 0, a, &a_count) ||
        !infer_numbers(g, n, 1, b, &b_count)) {
        return ONDOL_OK;
    }
    if (a_count != b_count && a_count != 1 && b_count != 1) return ONDOL_OK;
    const uint32_t count = a_count == 1 ? b_count : a_count;
    for (uint32_t i = 0; i < count; i++)
        combine(g->nodes[n].op, a[a_count == 1 ? 0 : i], b[b_count == 1 ? 0 : i], out + i);
    return infer_set_numbers(g, n, out, count, err);
}

static ondol_status of_shape(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    const graph_attribute *end_given = graph_get_attribute(g, n, "end");
    graph_number out[GRAPH_MAX_RANK];
    uint32_t count = 0;
    if (!x) return ONDOL_OK;
    int64_t start = graph_get_int(g, n, "start"), end = end_given ? end_given->i : x->shape.rank;
    start = start < 0 ? start + x->shape.rank : start;
    end = end < 0 ? end + x->shape.rank : end;
    for (int64_t i = start < 0 ? 0 : start; i < end && i < x->shape.rank; i++)
        out[count++] = infer_number_of(x->shape.dims[i]);
    return infer_set_numbers(g, n, out, count, err);
}

static ondol_status of_size(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    uint64_t elements = 0;
    if (!x || !graph_shape_elements(&x->shape, &elements) || elements > INT64_MAX) return ONDOL_OK;
    const graph_number out = {GRAPH_NUMBER_INTEGER, (int64_t)elements};
    return infer_set_numbers(g, n, &out, 1, err);
}

static ondol_status of_gather(graph *g, graph_node_id n, ondol_error *err) {
    graph_number data[INFER_MAX_NUMBERS], out[INFER_MAX_NUMBERS];
    int64_t at[INFER_MAX_NUMBERS];
    uint32_t count = 0, places = 0;
    const graph_value *x = infer_ranked(g, n, 0);
    if (!x || x->shape.rank != 1 || !infer_numbers(g, n, 0, data, &count) ||
        !infer_integers(g, n, 1, at, &places)) {
        return ONDOL_OK;
    }
    for (uint32_t i = 0; i < places; i++) {
        const int64_t from = at[i] < 0 ? at[i] + count : at[i];
        out[i] = from >= 0 && from < count ? data[from] : (graph_number){0};
    }
    return infer_set_numbers(g, n, out, places, err);
}

static ondol_status of_concat(graph *g, graph_node_id n, ondol_error *err) {
    graph_number part[INFER_MAX_NUMBERS], out[INFER_MAX_NUMBERS];
    uint32_t total = 0, count = 0;
    for (uint32_t i = 0; i < g->nodes[n].input_count; i++) {
        const graph_value *x = infer_ranked(g, n, i);
        if (!x || x->shape.rank != 1 || !infer_numbers(g, n, i, part, &count) ||
            total + count > INFER_MAX_NUMBERS) {
            return ONDOL_OK;
        }
        memcpy(out + total, part, count * sizeof *out);
        total += count;
    }
    return infer_set_numbers(g, n, out, total, err);
}

static ondol_status of_slice(graph *g, graph_node_id n, ondol_error *err) {
    graph_number data[INFER_MAX_NUMBERS], out[INFER_MAX_NUMBERS];
    int64_t list[INFER_MAX_NUMBERS], start = 0, end = 0, step = 1;
    uint32_t count = 0, one = 0, places = 0;
    const graph_value *x = infer_ranked(g, n, 0);
    if (!x || x->shape.rank != 1 || !infer_numbers(g, n, 0, data, &count)) return ONDOL_OK;
    if (!infer_integers(g, n, 1, list, &one) || one != 1) return ONDOL_OK;
    start = list[0];
    if (!infer_integers(g, n, 2, list, &one) || one != 1) return ONDOL_OK;
    end = list[0];
    if (infer_input(g, n, 4)) {
        if (!infer_integers(g, n, 4, list, &one) || one != 1) return ONDOL_OK;
        step = list[0];
    }
    if (step != 1) return ONDOL_OK;
    start = start < 0 ? start + count : start;
    end = end < 0 ? end + count : end;
    for (int64_t i = start < 0 ? 0 : start; i < end && i < count; i++)
        out[places++] = data[i];
    return infer_set_numbers(g, n, out, places, err);
}

/* The same elements in the same order. */
static ondol_status pass_on(graph *g, graph_node_id n, ondol_error *err) {
    graph_number data[INFER_MAX_NUMBERS];
    uint32_t count = 0;
    if (!infer_numbers(g, n, 0, data, &count)) return ONDOL_OK;
    const graph_value *y = g->values + g->nodes[n].outputs[0];
    if (y->shape.rank > 1) return ONDOL_OK;
    return infer_set_numbers(g, n, data, count, err);
}

static ondol_status of_constant(graph *g, graph_node_id n, ondol_error *err) {
    const graph_node *node = g->nodes + n;
    graph_number out[INFER_MAX_NUMBERS];
    if (node->attribute_count != 1) return ONDOL_OK;
    const graph_attribute *a = node->attributes;
    uint32_t count = 1;
    if (a->type == GRAPH_ATTRIBUTE_INT) {
        out[0] = (graph_number){GRAPH_NUMBER_INTEGER, a->i};
    } else if (a->type == GRAPH_ATTRIBUTE_INTS && a->int_count <= INFER_MAX_NUMBERS) {
        count = a->int_count;
        for (uint32_t i = 0; i < count; i++)
            out[i] = (graph_number){GRAPH_NUMBER_INTEGER, a->ints[i]};
    } else if (a->type == GRAPH_ATTRIBUTE_TENSOR &&
               (a->tensors->element == TENSOR_ELEMENT_I64 ||
                a->tensors->element == TENSOR_ELEMENT_I32) &&
               a->tensors->shape.rank <= 1) {
        const bool wide = a->tensors->element == TENSOR_ELEMENT_I64;
        const uint64_t n_elems = a->tensors->data_bytes / (wide ? 8 : 4);
        if (n_elems > INFER_MAX_NUMBERS) return ONDOL_OK;
        count = (uint32_t)n_elems;
        for (uint32_t i = 0; i < count; i++) {
            int64_t value = 0;
            int32_t narrow = 0;
            if (wide) memcpy(&value, (const char *)a->tensors->data + 8 * i, 8);
            if (!wide) memcpy(&narrow, (const char *)a->tensors->data + 4 * i, 4);
            out[i] = (graph_number){GRAPH_NUMBER_INTEGER, wide ? value : narrow};
        }
    } else {
        return ONDOL_OK;
    }
    return infer_set_numbers(g, n, out, count, err);
}

static ondol_status of_range(graph *g, graph_node_id n, ondol_error *err) {
    const graph_number from = single(g, n, 0), to = single(g, n, 1), step = single(g, n, 2);
    graph_number out[INFER_MAX_NUMBERS];
    uint32_t count = 0;
    if (from.kind != GRAPH_NUMBER_INTEGER || to.kind != GRAPH_NUMBER_INTEGER ||
        step.kind != GRAPH_NUMBER_INTEGER || step.value != 1 ||
        (to.value > from.value && (uint64_t)to.value - (uint64_t)from.value > INFER_MAX_NUMBERS)) {
        return ONDOL_OK;
    }
    for (int64_t i = from.value; i < to.value; i++)
        out[count++] = (graph_number){GRAPH_NUMBER_INTEGER, i};
    return infer_set_numbers(g, n, out, count, err);
}

ondol_status infer_propagate(graph *g, graph_node_id n, ondol_error *err) {
    const graph_node *node = g->nodes + n;
    if (node->output_count == 0 || node->outputs[0] == GRAPH_NONE) return ONDOL_OK;
    const tensor_element e = g->values[node->outputs[0]].element;
    if (e != TENSOR_ELEMENT_I64 && e != TENSOR_ELEMENT_I32) return ONDOL_OK;
    switch (node->op) {
    case GRAPH_OP_SHAPE: return of_shape(g, n, err);
    case GRAPH_OP_SIZE: return of_size(g, n, err);
    case GRAPH_OP_GATHER: return of_gather(g, n, err);
    case GRAPH_OP_CONCAT: return of_concat(g, n, err);
    case GRAPH_OP_SLICE: return of_slice(g, n, err);
    case GRAPH_OP_CONSTANT: return of_constant(g, n, err);
    case GRAPH_OP_RANGE: return of_range(g, n, err);
    case GRAPH_OP_CAST:
    case GRAPH_OP_IDENTITY:
    case GRAPH_OP_RESHAPE:
    case GRAPH_OP_SQUEEZE:
    case GRAPH_OP_UNSQUEEZE: return pass_on(g, n, err);
    case GRAPH_OP_ADD:
    case GRAPH_OP_SUB:
    case GRAPH_OP_MUL:
    case GRAPH_OP_DIV:
    case GRAPH_OP_MAX:
    case GRAPH_OP_MIN: return arithmetic(g, n, err);
    default: return ONDOL_OK;
    }
}
