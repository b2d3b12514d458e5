/* Rules of operators that change how elements are seen or where they are. */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "graph/infer/infer.h"

/* Elements by dims [first, end) as one number; false where one is not known or it does not fit. */
static bool product_of(const graph_shape *s, uint32_t first, uint32_t end, uint64_t *out) {
    *out = 1;
    for (uint32_t i = first; i < end; i++) {
        if (s->dims[i] < 0 || !base_mul(*out, (uint64_t)s->dims[i], out)) return false;
    }
    return *out <= INT64_MAX;
}

/* The hole of a Reshape: what the input's dimensions leave, where symbols cancel out. */
static graph_dim fill_hole(const graph_shape *x, const graph_shape *y, uint32_t hole) {
    bool used[GRAPH_MAX_RANK] = {false};
    uint64_t have = 1, want = 1;
    graph_dim left = GRAPH_DIM_UNKNOWN;
    uint32_t symbols = 0;
    for (uint32_t i = 0; i < y->rank; i++) {
        if (i == hole) continue;
        if (y->dims[i] == GRAPH_DIM_UNKNOWN) return GRAPH_DIM_UNKNOWN;
        if (y->dims[i] >= 0) {
            if (!base_mul(want, (uint64_t)y->dims[i], &want)) return GRAPH_DIM_UNKNOWN;
            continue;
        }
        uint32_t k = 0;
        while (k < x->rank && (used[k] || x->dims[k] != y->dims[i]))
            k++;
        if (k == x->rank) return GRAPH_DIM_UNKNOWN;
        used[k] = true;
    }
    for (uint32_t i = 0; i < x->rank; i++) {
        if (used[i]) continue;
        if (x->dims[i] < 0) {
            symbols++;
            left = x->dims[i];
        } else if (!base_mul(have, (uint64_t)x->dims[i], &have)) {
            return GRAPH_DIM_UNKNOWN;
        }
    }
    if (symbols == 1 && have == want) return left;
    if (symbols || !want || have % want || have / want > INT64_MAX) return GRAPH_DIM_UNKNOWN;
    return (graph_dim)(have / want);
}

ondol_status infer_reshape(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0), *shape = infer_ranked(g, n, 1);
    graph_number numbers[INFER_MAX_NUMBERS];
    uint32_t count = 0, hole = GRAPH_NONE;
    const bool allow_zero = graph_get_int(g, n, "allowzero") != 0;
    if (!infer_numbers(g, n, 1, numbers, &count)) {
        if (shape && shape->shape.rank == 1 && shape->shape.dims[0] >= 0) {
            infer_set_shape(g, n, 0, infer_open((uint32_t)shape->shape.dims[0]));
        }
        return ONDOL_OK;
    }
    if (count > GRAPH_MAX_RANK) return infer_fail(g, n, err, "rank %" PRIu32, count);
    graph_shape y = infer_open(count);
    bool unknown = false;
    for (uint32_t i = 0; i < count; i++) {
        const bool whole = numbers[i].kind == GRAPH_NUMBER_INTEGER;
        if (whole && numbers[i].value == -1) {
            if (hole != GRAPH_NONE) return infer_fail(g, n, err, "two dimensions are -1");
            hole = i;
        } else if (whole && numbers[i].value == 0 && !allow_zero) {
            if (x && i >= x->shape.rank) {
                return infer_fail(g, n, err, "dimension %" PRIu32 " is 0, past the input's rank",
                                  i);
            }
            if (x) y.dims[i] = x->shape.dims[i];
        } else {
            y.dims[i] = infer_dim_of(numbers[i]);
            unknown = unknown || numbers[i].kind == GRAPH_NUMBER_UNKNOWN;
        }
    }
    if (hole != GRAPH_NONE && x && !unknown) y.dims[hole] = fill_hole(&x->shape, &y, hole);
    uint64_t have = 0, want = 0;
    if (x && graph_shape_elements(&x->shape, &have) && graph_shape_elements(&y, &want) &&
        have != want) {
        return infer_fail(g, n, err, "%" PRIu64 " elements, but its shape has %" PRIu64, have,
                          want);
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_flatten(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    graph_shape y = infer_open(2);
    if (x) {
        int64_t axis = graph_get_int(g, n, "axis");
        if (axis < 0) axis += x->shape.rank;
        if (axis < 0 || axis > x->shape.rank) return infer_fail(g, n, err, "axis out of range");
        uint64_t size = 0;
        if (product_of(&x->shape, 0, (uint32_t)axis, &size)) y.dims[0] = (graph_dim)size;
        if (product_of(&x->shape, (uint32_t)axis, x->shape.rank, &size))
            y.dims[1] = (graph_dim)size;
        if (axis == 1) y.dims[0] = x->shape.dims[0];
        if (axis == (int64_t)x->shape.rank - 1) y.dims[1] = x->shape.dims[axis];
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

/* Axes of input 1, marked. *known: false where they are not constant. */
static ondol_status marked_axes(graph *g, graph_node_id n, uint32_t rank, bool *marked,
                                uint32_t *count, bool *known, ondol_error *err) {
    int64_t axes[INFER_MAX_NUMBERS];
    *known = infer_integers(g, n, 1, axes, count);
    for (uint32_t i = 0; *known && i < *count; i++) {
        uint32_t axis = 0;
        ondol_status status = infer_axis(g, n, axes[i], rank, &axis, err);
        if (status != ONDOL_OK) return status;
        if (marked[axis]) return infer_fail(g, n, err, "axis %" PRIu32 " is listed twice", axis);
        marked[axis] = true;
    }
    return ONDOL_OK;
}

ondol_status infer_squeeze(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    bool marked[GRAPH_MAX_RANK] = {false}, known = true;
    uint32_t count = 0;
    graph_shape y = {0};
    if (!x) return ONDOL_OK;
    if (infer_input(g, n, 1)) {
        ondol_status status = marked_axes(g, n, x->shape.rank, marked, &count, &known, err);
        if (status != ONDOL_OK) return status;
    }
    for (uint32_t i = 0; i < x->shape.rank && known; i++) {
        const graph_dim d = x->shape.dims[i];
        if (!infer_input(g, n, 1)) {
            marked[i] = d == 1;
            known = d >= 0;
        } else if (marked[i] && d >= 0 && d != 1) {
            return infer_fail(g, n, err, "dimension %" PRIu32 " is %" PRId64 ", not 1", i, d);
        }
        if (!marked[i]) y.dims[y.rank++] = d;
    }
    if (known) infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_unsqueeze(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    int64_t axes[INFER_MAX_NUMBERS];
    bool marked[GRAPH_MAX_RANK] = {false}, known = true;
    uint32_t count = 0, from = 0;
    if (!x || !infer_integers(g, n, 1, axes, &count)) return ONDOL_OK;
    if (count + x->shape.rank > GRAPH_MAX_RANK)
        return infer_fail(g, n, err, "rank over %d", GRAPH_MAX_RANK);
    graph_shape y = {.rank = x->shape.rank + count};
    ondol_status status = marked_axes(g, n, y.rank, marked, &count, &known, err);
    if (status != ONDOL_OK) return status;
    for (uint32_t i = 0; i < y.rank; i++)
        y.dims[i] = marked[i] ? 1 : x->shape.dims[from++];
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_transpose(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    const graph_attribute *perm = graph_get_attribute(g, n, "perm");
    if (!x) {
        if (perm) infer_set_shape(g, n, 0, infer_open(perm->int_count));
        return ONDOL_OK;
    }
    bool seen[GRAPH_MAX_RANK] = {false};
    graph_shape y = {.rank = x->shape.rank};
    if (perm && perm->int_count != y.rank) {
        return infer_fail(g, n, err, "perm has %" PRIu32 " axes, the input %" PRIu32,
                          perm->int_count, y.rank);
    }
    for (uint32_t i = 0; i < y.rank; i++) {
        uint32_t from = y.rank - 1 - i;
        if (perm) {
            ondol_status status = infer_axis(g, n, perm->ints[i], y.rank, &from, err);
            if (status != ONDOL_OK) return status;
        }
        if (seen[from]) return infer_fail(g, n, err, "axis %" PRIu32 " twice in perm", from);
        seen[from] = true;
        y.dims[i] = x->shape.dims[from];
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_expand(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    graph_number numbers[INFER_MAX_NUMBERS];
    uint32_t count = 0;
    graph_shape y;
    if (!x || !infer_numbers(g, n, 1, numbers, &count) || count > GRAPH_MAX_RANK) return ONDOL_OK;
    graph_shape to = {.rank = count};
    for (uint32_t i = 0; i < count; i++)
        to.dims[i] = infer_dim_of(numbers[i]);
    if (!infer_broadcast_shapes(&x->shape, &to, &y)) {
        return infer_fail(g, n, err, "the input does not expand to the shape");
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_tile(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    int64_t repeats[INFER_MAX_NUMBERS];
    uint32_t count = 0;
    if (!x) return ONDOL_OK;
    graph_shape y = infer_open(x->shape.rank);
    if (infer_integers(g, n, 1, repeats, &count)) {
        if (count != y.rank) {
            return infer_fail(g, n, err, "%" PRIu32 " repeats for rank %" PRIu32, count, y.rank);
        }
        for (uint32_t i = 0; i < y.rank; i++) {
            uint64_t size = 0;
            const graph_dim d = x->shape.dims[i];
            if (repeats[i] == 1)
                y.dims[i] = d;
            else if (d >= 0 && repeats[i] >= 0 &&
                     base_mul((uint64_t)d, (uint64_t)repeats[i], &size) && size <= INT64_MAX)
                y.dims[i] = (graph_dim)size;
        }
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_concat(graph *g, graph_node_id n, ondol_error *err) {
    const graph_node *node = g->nodes + n;
    const graph_value *first = infer_ranked(g, n, 0);
    uint32_t axis = 0;
    if (!first) return ONDOL_OK;
    ondol_status status =
        infer_axis(g, n, graph_get_int(g, n, "axis"), first->shape.rank, &axis, err);
    if (status != ONDOL_OK) return status;
    graph_shape y = first->shape;
    for (uint32_t i = 1; i < node->input_count; i++) {
        const graph_value *x = infer_ranked(g, n, i);
        if (!x) {
            y.dims[axis] = GRAPH_DIM_UNKNOWN;
            continue;
        }
        if (x->shape.rank != y.rank) {
            return infer_fail(g, n, err,
                              "input %" PRIu32 " has rank %" PRIu32 ", the first %" PRIu32, i,
                              x->shape.rank, y.rank);
        }
        for (uint32_t d = 0; d < y.rank; d++) {
            const graph_dim add = x->shape.dims[d];
            if (d == axis) {
                y.dims[d] = y.dims[d] >= 0 && add >= 0 ? infer_size(infer_sum(y.dims[d], add))
                            : add == 0                 ? y.dims[d]
                            : y.dims[d] == 0           ? add
                                                       : GRAPH_DIM_UNKNOWN;
            } else if (!infer_merge_dims(y.dims[d], add, y.dims + d)) {
                return infer_fail(g, n, err, "input %" PRIu32 " differs in dimension %" PRIu32, i,
                                  d);
            }
        }
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_split(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    const uint32_t parts = g->nodes[n].output_count;
    int64_t sizes[INFER_MAX_NUMBERS];
    const graph_attribute *stated = graph_get_attribute(g, n, "num_outputs");
    uint32_t axis = 0, count = 0;
    if (stated && (stated->i != parts || infer_input(g, n, 1))) {
        return infer_fail(g, n, err,
                          "num_outputs is %" PRId64 " beside %s, for %" PRIu32 " outputs",
                          stated->i, infer_input(g, n, 1) ? "sizes" : "no sizes", parts);
    }
    if (!x) return ONDOL_OK;
    ondol_status status = infer_axis(g, n, graph_get_int(g, n, "axis"), x->shape.rank, &axis, err);
    if (status != ONDOL_OK) return status;
    const graph_shape whole = x->shape;
    const graph_dim total = whole.dims[axis];
    const bool given = infer_input(g, n, 1) != NULL;
    const bool known = given && infer_integers(g, n, 1, sizes, &count);
    if (known && count != parts) {
        return infer_fail(g, n, err, "%" PRIu32 " sizes for %" PRIu32 " outputs", count, parts);
    }
    const graph_dim even = total >= 0 ? (total / parts + (total % parts != 0)) : 0;
    graph_dim left = total;
    for (uint32_t i = 0; i < parts; i++) {
        graph_shape y = whole;
        y.dims[axis] = known                ? sizes[i]
                       : given || total < 0 ? GRAPH_DIM_UNKNOWN
                       : even < left        ? even
                                            : left;
        if (known && sizes[i] < 0) return infer_fail(g, n, err, "a part of %" PRId64, sizes[i]);
        if (y.dims[axis] >= 0) left = infer_sum(left, -y.dims[axis]);
        infer_set_shape(g, n, i, y);
    }
    if (known && total >= 0 && left != 0) {
        return infer_fail(g, n, err, "its parts leave %" PRId64 " of %" PRId64, left, total);
    }
    return ONDOL_OK;
}

static graph_dim slice_size(graph_dim size, int64_t start, int64_t end, int64_t step) {
    if (size < 0) {
        /* From the front to the end of whatever there is. */
        if (start == 0 && step == 1 && end >= INT32_MAX) return size;
        return GRAPH_DIM_UNKNOWN;
    }
    const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? size : size - 1;
    if (start < 0) start = start < -size ? low : start + size;
    if (end < 0) end = end < -size ? low : end + size;
    start = start > high ? high : start;
    end = end > size ? size : end;
    if (step > 0) return end > start ? (end - start - 1) / step + 1 : 0;
    return start > end ? (int64_t)(((uint64_t)start - (uint64_t)end - 1) / (0 - (uint64_t)step)) + 1
                       : 0;
}

ondol_status infer_slice(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    int64_t starts[INFER_MAX_NUMBERS], ends[INFER_MAX_NUMBERS], axes[INFER_MAX_NUMBERS];
    int64_t steps[INFER_MAX_NUMBERS];
    uint32_t count = 0, end_count = 0, axis_count = 0, step_count = 0;
    if (!x) return ONDOL_OK;
    const bool has_axes = infer_input(g, n, 3) != NULL, has_steps = infer_input(g, n, 4) != NULL;
    const bool axes_known = !has_axes || infer_integers(g, n, 3, axes, &axis_count);
    const bool known = infer_integers(g, n, 1, starts, &count) &&
                       infer_integers(g, n, 2, ends, &end_count) && axes_known &&
                       (!has_steps || infer_integers(g, n, 4, steps, &step_count));
    graph_shape y = infer_open(x->shape.rank);
    if (axes_known && has_axes) {
        y = x->shape; /* the other axes stay */
        for (uint32_t i = 0; i < axis_count; i++) {
            uint32_t axis = 0;
            ondol_status status = infer_axis(g, n, axes[i], y.rank, &axis, err);
            if (status != ONDOL_OK) return status;
            y.dims[axis] = GRAPH_DIM_UNKNOWN;
        }
    }
    if (known) {
        if (count != end_count || (has_axes && axis_count != count) ||
            (has_steps && step_count != count) || count > y.rank) {
            return infer_fail(g, n, err,
                              "%" PRIu32 " starts, %" PRIu32 " ends, %" PRIu32 " axes, %" PRIu32
                              " steps",
                              count, end_count, axis_count, step_count);
        }
        y = x->shape;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t axis = i;
            const int64_t step = has_steps ? steps[i] : 1;
            if (step == 0) return infer_fail(g, n, err, "a step of 0");
            if (has_axes) {
                ondol_status status = infer_axis(g, n, axes[i], y.rank, &axis, err);
                if (status != ONDOL_OK) return status;
            }
            y.dims[axis] = slice_size(x->shape.dims[axis], starts[i], ends[i], step);
        }
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_gather(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0), *indices = infer_ranked(g, n, 1);
    graph_shape y = {0};
    uint32_t axis = 0;
    if (!x || !indices) return ONDOL_OK;
    ondol_status status = infer_axis(g, n, graph_get_int(g, n, "axis"), x->shape.rank, &axis, err);
    if (status != ONDOL_OK) return status;
    if (x->shape.rank + indices->shape.rank - 1 > GRAPH_MAX_RANK) {
        return infer_fail(g, n, err, "rank over %d", GRAPH_MAX_RANK);
    }
    for (uint32_t i = 0; i < axis; i++)
        y.dims[y.rank++] = x->shape.dims[i];
    for (uint32_t i = 0; i < indices->shape.rank; i++)
        y.dims[y.rank++] = indices->shape.dims[i];
    for (uint32_t i = axis + 1; i < x->shape.rank; i++)
        y.dims[y.rank++] = x->shape.dims[i];
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_gather_elements(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *indices = infer_ranked(g, n, 1);
    if (indices) infer_set_shape(g, n, 0, indices->shape);
    return ONDOL_OK;
}

ondol_status infer_gather_nd(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0), *indices = infer_ranked(g, n, 1);
    const int64_t batch = graph_get_int(g, n, "batch_dims");
    graph_shape y = {0};
    if (!x || !indices || indices->shape.rank == 0) return ONDOL_OK;
    const graph_dim depth = indices->shape.dims[indices->shape.rank - 1];
    if (depth < 0) return ONDOL_OK;
    if (batch < 0 || batch > x->shape.rank || depth > x->shape.rank - batch ||
        indices->shape.rank - 1 + x->shape.rank - (uint32_t)(batch + depth) > GRAPH_MAX_RANK) {
        return infer_fail(g, n, err, "indices of %" PRId64 " numbers for rank %" PRIu32, depth,
                          x->shape.rank);
    }
    for (uint32_t i = 0; i + 1 < indices->shape.rank; i++)
        y.dims[y.rank++] = indices->shape.dims[i];
    for (uint32_t i = (uint32_t)(batch + depth); i < x->shape.rank; i++)
        y.dims[y.rank++] = x->shape.dims[i];
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_shape_op(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_ranked(g, n, 0);
    const graph_attribute *end_given = graph_get_attribute(g, n, "end");
    graph_shape y = infer_open(1);
    if (x) {
        const int64_t rank = x->shape.rank;
        int64_t start = graph_get_int(g, n, "start"), end = end_given ? end_given->i : rank;
        start = start < 0 ? start + rank : start;
        end = end < 0 ? end + rank : end;
        start = start < 0 ? 0 : start > rank ? rank : start;
        end = end < 0 ? 0 : end > rank ? rank : end;
        y.dims[0] = end > start ? end - start : 0;
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_scalar(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    infer_set_shape(g, n, 0, (graph_shape){0});
    return ONDOL_OK;
}

/* A list whose length only the run tells. */
ondol_status infer_list(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    infer_set_shape(g, n, 0, infer_open(1));
    return ONDOL_OK;
}

ondol_status infer_constant(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_node *node = g->nodes + n;
    if (node->attribute_count != 1) return ONDOL_OK;
    const graph_attribute *a = node->attributes;
    graph_shape list = {.rank = 1, .dims = {a->int_count}};
    switch (a->type) {
    case GRAPH_ATTRIBUTE_TENSOR: infer_set(g, n, 0, a->tensors->element, a->tensors->shape); break;
    case GRAPH_ATTRIBUTE_INT: infer_set(g, n, 0, TENSOR_ELEMENT_I64, (graph_shape){0}); break;
    case GRAPH_ATTRIBUTE_FLOAT: infer_set(g, n, 0, TENSOR_ELEMENT_F32, (graph_shape){0}); break;
    case GRAPH_ATTRIBUTE_STRING: infer_set(g, n, 0, TENSOR_ELEMENT_STRING, (graph_shape){0}); break;
    case GRAPH_ATTRIBUTE_INTS: infer_set(g, n, 0, TENSOR_ELEMENT_I64, list); break;
    case GRAPH_ATTRIBUTE_FLOATS: infer_set(g, n, 0, TENSOR_ELEMENT_F32, list); break;
    case GRAPH_ATTRIBUTE_STRINGS: infer_set(g, n, 0, TENSOR_ELEMENT_STRING, list); break;
    default: break;
    }
    return ONDOL_OK;
}

/* A shape that input 0 lists. */
ondol_status infer_constant_of_shape(graph *g, graph_node_id n, ondol_error *err) {
    const graph_attribute *value = graph_get_attribute(g, n, "value");
    const graph_value *x = infer_ranked(g, n, 0);
    graph_number numbers[INFER_MAX_NUMBERS];
    uint32_t count = 0;
    infer_set_element(g, n, 0, value ? value->tensors->element : TENSOR_ELEMENT_F32);
    if (!infer_numbers(g, n, 0, numbers, &count)) {
        if (x && x->shape.rank == 1 && x->shape.dims[0] >= 0) {
            infer_set_shape(g, n, 0, infer_open((uint32_t)x->shape.dims[0]));
        }
        return ONDOL_OK;
    }
    if (count > GRAPH_MAX_RANK) return infer_fail(g, n, err, "rank %" PRIu32, count);
    graph_shape y = {.rank = count};
    for (uint32_t i = 0; i < count; i++)
        y.dims[i] = infer_dim_of(numbers[i]);
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_range(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    int64_t from[INFER_MAX_NUMBERS], to[INFER_MAX_NUMBERS], step[INFER_MAX_NUMBERS];
    uint32_t a = 0, b = 0, c = 0;
    graph_shape y = infer_open(1);
    if (infer_integers(g, n, 0, from, &a) && infer_integers(g, n, 1, to, &b) &&
        infer_integers(g, n, 2, step, &c) && a == 1 && b == 1 && c == 1 && *step == 1) {
        y.dims[0] = *to > *from ? infer_size(infer_sum(*to, infer_product(*from, -1))) : 0;
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_pad(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    int64_t pads[INFER_MAX_NUMBERS], axes[INFER_MAX_NUMBERS];
    uint32_t count = 0, axis_count = 0;
    if (!x) return ONDOL_OK;
    graph_shape y = infer_open(x->shape.rank);
    const bool has_axes = infer_input(g, n, 3) != NULL;
    if (infer_integers(g, n, 1, pads, &count) &&
        (!has_axes || infer_integers(g, n, 3, axes, &axis_count))) {
        const uint32_t padded = has_axes ? axis_count : y.rank;
        if (count != 2 * padded) {
            return infer_fail(g, n, err, "%" PRIu32 " pads for %" PRIu32 " axes", count, padded);
        }
        y = x->shape;
        for (uint32_t i = 0; i < padded; i++) {
            uint32_t axis = i;
            if (has_axes) {
                ondol_status status = infer_axis(g, n, axes[i], y.rank, &axis, err);
                if (status != ONDOL_OK) return status;
            }
            const int64_t add = infer_sum(pads[i], pads[padded + i]);
            if (add == 0) continue;
            y.dims[axis] =
                y.dims[axis] >= 0 ? infer_size(infer_sum(y.dims[axis], add)) : GRAPH_DIM_UNKNOWN;
        }
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

/* The rank of input 0, sizes that only the run tells. */
ondol_status infer_rank_of_first(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_ranked(g, n, 0);
    if (x) infer_set_shape(g, n, 0, infer_open(x->shape.rank));
    return ONDOL_OK;
}

ondol_status infer_one_hot(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    int64_t depth[INFER_MAX_NUMBERS];
    uint32_t count = 0, axis = 0;
    if (!x || x->shape.rank == GRAPH_MAX_RANK) return ONDOL_OK;
    graph_shape y = {.rank = x->shape.rank + 1};
    ondol_status status = infer_axis(g, n, graph_get_int(g, n, "axis"), y.rank, &axis, err);
    if (status != ONDOL_OK) return status;
    for (uint32_t i = 0; i < y.rank; i++)
        y.dims[i] = i == axis ? GRAPH_DIM_UNKNOWN : x->shape.dims[i - (i > axis)];
    if (infer_integers(g, n, 1, depth, &count) && count == 1 && *depth >= 0) y.dims[axis] = *depth;
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_non_zero(graph *g, graph_node_id n, ondol_error *err) {
    (void)err;
    const graph_value *x = infer_ranked(g, n, 0);
    graph_shape y = infer_open(2);
    if (x) y.dims[0] = x->shape.rank;
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_compress(graph *g, graph_node_id n, ondol_error *err) {
    const graph_attribute *a = graph_get_attribute(g, n, "axis");
    const graph_value *x = infer_ranked(g, n, 0);
    graph_shape y = infer_open(1);
    if (a && !x) return ONDOL_OK;
    if (a) {
        uint32_t axis = 0;
        ondol_status status = infer_axis(g, n, a->i, x->shape.rank, &axis, err);
        if (status != ONDOL_OK) return status;
        y = x->shape;
        y.dims[axis] = GRAPH_DIM_UNKNOWN;
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_unique(graph *g, graph_node_id n, ondol_error *err) {
    for (uint32_t i = 1; i < g->nodes[n].output_count; i++)
        infer_set_shape(g, n, i, infer_open(1));
    return infer_compress(g, n, err);
}

ondol_status infer_top_k(graph *g, graph_node_id n, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    int64_t k[INFER_MAX_NUMBERS];
    uint32_t count = 0, axis = 0;
    if (!x) return ONDOL_OK;
    ondol_status status = infer_axis(g, n, graph_get_int(g, n, "axis"), x->shape.rank, &axis, err);
    if (status != ONDOL_OK) return status;
    graph_shape y = x->shape;
    y.dims[axis] =
        infer_integers(g, n, 1, k, &count) && count == 1 && *k >= 0 ? *k : GRAPH_DIM_UNKNOWN;
    infer_set_shape(g, n, 0, y);
    infer_set_shape(g, n, 1, y);
    return ONDOL_OK;
}

static ondol_status blocks(graph *g, graph_node_id n, bool to_space, ondol_error *err) {
    const graph_value *x = infer_ranked(g, n, 0);
    const int64_t b = graph_get_int(g, n, "blocksize");
    graph_shape y = infer_open(4);
    if (b < 1 || b > 1 << 15) return infer_fail(g, n, err, "a block of %" PRId64, b);
    if (x && x->shape.rank != 4)
        return infer_fail(g, n, err, "an input of rank %" PRIu32, x->shape.rank);
    if (x) {
        const graph_dim *d = x->shape.dims;
        y.dims[0] = d[0];
        if (d[1] >= 0)
            y.dims[1] = to_space ? d[1] / (b * b) : infer_size(infer_product(d[1], b * b));
        for (uint32_t i = 2; i < 4; i++)
            if (d[i] >= 0) y.dims[i] = to_space ? infer_size(infer_product(d[i], b)) : d[i] / b;
    }
    infer_set_shape(g, n, 0, y);
    return ONDOL_OK;
}

ondol_status infer_depth_to_space(graph *g, graph_node_id n, ondol_error *err) {
    return blocks(g, n, true, err);
}

ondol_status infer_space_to_depth(graph *g, graph_node_id n, ondol_error *err) {
    return blocks(g, n, false, err);
}
