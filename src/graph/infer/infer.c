/* Shape rules: what they share. In: nodes and their inputs. Out: types, shapes, or the fault. */
#include "graph/infer/infer.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const graph_value *infer_input(const graph *g, graph_node_id n, uint32_t i) {
    const graph_node *node = g->nodes + n;
    if (i >= node->input_count || node->inputs[i] == GRAPH_NONE) return NULL;
    return g->values + node->inputs[i];
}

const graph_value *infer_ranked(const graph *g, graph_node_id n, uint32_t i) {
    const graph_value *v = infer_input(g, n, i);
    const bool ranked = v && v->type_kind == GRAPH_TYPE_TENSOR && v->shape.rank <= GRAPH_MAX_RANK;
    return ranked ? v : NULL;
}

ondol_status infer_fail(const graph *g, graph_node_id n, ondol_error *err, const char *format,
                        ...) {
    char text[ONDOL_ERROR_TEXT_BYTES];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return base_fail(err, ONDOL_E_FORMAT, "node '%s' (%s): %s", g->nodes[n].name,
                     graph_op_info_of(g->nodes[n].op)->name, text);
}

static graph_value *output(graph *g, graph_node_id n, uint32_t i) {
    const graph_node *node = g->nodes + n;
    if (i >= node->output_count || node->outputs[i] == GRAPH_NONE) return NULL;
    return g->values + node->outputs[i];
}

void infer_set(graph *g, graph_node_id n, uint32_t i, tensor_element element, graph_shape shape) {
    infer_set_element(g, n, i, element);
    infer_set_shape(g, n, i, shape);
}

/* What a rule computed below 0 stands for no symbol. */
static bool is_symbol(const graph *g, graph_dim d) {
    while (g->parent)
        g = g->parent;
    return d >= GRAPH_SYMBOL(g->symbol_count) + 1;
}

void infer_set_shape(graph *g, graph_node_id n, uint32_t i, graph_shape shape) {
    graph_value *v = output(g, n, i);
    if (!v) return;
    for (uint32_t d = 0; shape.rank <= GRAPH_MAX_RANK && d < shape.rank; d++)
        if (shape.dims[d] < 0 && !is_symbol(g, shape.dims[d])) shape.dims[d] = GRAPH_DIM_UNKNOWN;
    v->shape = shape;
}

void infer_set_element(graph *g, graph_node_id n, uint32_t i, tensor_element element) {
    graph_value *v = output(g, n, i);
    if (v) v->element = element;
}

int64_t infer_sum(int64_t a, int64_t b) {
    if (b > 0 && a > INT64_MAX - b) return INT64_MAX;
    if (b < 0 && a < INT64_MIN - b) return INT64_MIN;
    return a + b;
}

int64_t infer_product(int64_t a, int64_t b) {
    if (a == 0 || b == 0) return 0;
    const uint64_t x = a < 0 ? 0 - (uint64_t)a : (uint64_t)a;
    const uint64_t y = b < 0 ? 0 - (uint64_t)b : (uint64_t)b;
    if (x > (uint64_t)INT64_MAX / y) return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
    return a * b;
}

graph_dim infer_size(int64_t size) {
    return size >= 0 && size < INT64_MAX ? size : GRAPH_DIM_UNKNOWN;
}

ondol_status infer_axis(const graph *g, graph_node_id n, int64_t axis, uint32_t rank, uint32_t *out,
                        ondol_error *err) {
    const int64_t from_front = axis < 0 ? axis + rank : axis;
    if (from_front < 0 || from_front >= rank) {
        return infer_fail(g, n, err, "axis %" PRId64 " of a tensor of rank %" PRIu32, axis, rank);
    }
    *out = (uint32_t)from_front;
    return ONDOL_OK;
}

graph_shape infer_open(uint32_t rank) {
    graph_shape s = {.rank = rank <= GRAPH_MAX_RANK ? rank : GRAPH_RANK_UNKNOWN};
    for (uint32_t i = 0; s.rank != GRAPH_RANK_UNKNOWN && i < rank; i++)
        s.dims[i] = GRAPH_DIM_UNKNOWN;
    return s;
}

bool infer_merge_dims(graph_dim a, graph_dim b, graph_dim *out) {
    *out = a >= 0 ? a : b >= 0 ? b : a != GRAPH_DIM_UNKNOWN ? a : b;
    return a < 0 || b < 0 || a == b;
}

bool infer_broadcast_dims(graph_dim a, graph_dim b, graph_dim *out) {
    if (a == 1 || b == 1) {
        *out = a == 1 ? b : a;
        return true;
    }
    /* A size that is not 1 is the result's; of two that are not known, equal symbols alone tell. */
    if (a >= 0 || b >= 0) return infer_merge_dims(a, b, out);
    *out = a == b ? a : GRAPH_DIM_UNKNOWN;
    return true;
}

bool infer_broadcast_shapes(const graph_shape *a, const graph_shape *b, graph_shape *out) {
    if (a->rank == GRAPH_RANK_UNKNOWN || b->rank == GRAPH_RANK_UNKNOWN) {
        *out = graph_shape_unknown();
        return true;
    }
    graph_shape s = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (uint32_t i = 0; i < s.rank; i++) {
        const graph_dim p = i + a->rank < s.rank ? 1 : a->dims[i + a->rank - s.rank];
        const graph_dim q = i + b->rank < s.rank ? 1 : b->dims[i + b->rank - s.rank];
        if (!infer_broadcast_dims(p, q, s.dims + i)) return false;
    }
    *out = s;
    return true;
}

graph_number infer_number_of(graph_dim d) {
    if (d == GRAPH_DIM_UNKNOWN) return (graph_number){GRAPH_NUMBER_UNKNOWN, 0};
    return (graph_number){d >= 0 ? GRAPH_NUMBER_INTEGER : GRAPH_NUMBER_SYMBOL, d};
}

graph_dim infer_dim_of(graph_number x) {
    if (x.kind == GRAPH_NUMBER_SYMBOL) return x.value;
    return x.kind == GRAPH_NUMBER_INTEGER && x.value >= 0 ? x.value : GRAPH_DIM_UNKNOWN;
}

static bool numbers_of_data(const graph_value *v, graph_number *out, uint32_t *count) {
    const size_t size = v->element == TENSOR_ELEMENT_I64 ? 8 : 4;
    const uint64_t n = v->data_bytes / size;
    if (n > INFER_MAX_NUMBERS) return false;
    *count = (uint32_t)n;
    for (uint32_t i = 0; i < n; i++) {
        int64_t wide = 0;
        int32_t narrow = 0;
        if (size == 8) {
            memcpy(&wide, (const char *)v->data + 8 * i, 8);
        } else {
            memcpy(&narrow, (const char *)v->data + 4 * i, 4);
            wide = narrow;
        }
        out[i] = (graph_number){GRAPH_NUMBER_INTEGER, wide};
    }
    return true;
}

bool infer_numbers(const graph *g, graph_node_id n, uint32_t i, graph_number *out,
                   uint32_t *count) {
    const graph_value *v = infer_ranked(g, n, i);
    if (!v || v->shape.rank > 1 || v->encoding != GRAPH_PLAIN) return false;
    if (v->element != TENSOR_ELEMENT_I64 && v->element != TENSOR_ELEMENT_I32) return false;
    if (v->kind == GRAPH_VALUE_INITIALIZER && v->data) return numbers_of_data(v, out, count);
    if (v->numbers) {
        memcpy(out, v->numbers, v->number_count * sizeof *out);
        *count = v->number_count;
        return true;
    }
    const graph_dim size = v->shape.rank ? v->shape.dims[0] : 1;
    if (size < 0 || size > INFER_MAX_NUMBERS) return false;
    *count = (uint32_t)size;
    memset(out, 0, *count * sizeof *out);
    return true;
}

bool infer_integers(const graph *g, graph_node_id n, uint32_t i, int64_t *out, uint32_t *count) {
    graph_number numbers[INFER_MAX_NUMBERS];
    if (!infer_numbers(g, n, i, numbers, count)) return false;
    for (uint32_t k = 0; k < *count; k++) {
        if (numbers[k].kind != GRAPH_NUMBER_INTEGER) return false;
        out[k] = numbers[k].value;
    }
    return true;
}

ondol_status infer_set_numbers(graph *g, graph_node_id n, const graph_number *numbers,
                               uint32_t count, ondol_error *err) {
    graph_value *v = output(g, n, 0);
    bool any = false;
    for (uint32_t i = 0; i < count; i++)
        any = any || numbers[i].kind != GRAPH_NUMBER_UNKNOWN;
    if (!v || (!any && count) || count > INFER_MAX_NUMBERS) return ONDOL_OK;
    graph_number *copy = base_arena_alloc(&g->arena, count ? count : 1, sizeof *copy);
    if (!copy) return base_no_memory(err, "graph", count * sizeof *copy);
    memcpy(copy, numbers, count * sizeof *copy);
    v->numbers = copy;
    v->number_count = count;
    return ONDOL_OK;
}

ondol_status graph_infer_node(graph *g, graph_node_id n, ondol_error *err) {
    const graph_op_info *info = graph_op_info_of(g->nodes[n].op);
    ondol_status status = ONDOL_OK;
    if (*info->inputs || *info->outputs) TRY(infer_by_types(g, n, err));
    TRY(info->infer(g, n, err));
    if (*info->inputs || *info->outputs) TRY(infer_propagate(g, n, err));
done:
    return status;
}
