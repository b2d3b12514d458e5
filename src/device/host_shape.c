/* Operators that change how elements are seen, or tell of it. In: a tensor. Out: a view of it with
 * other dimensions, or its dimensions. */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "device/host_ops.h"
#include "tensor/number.h"

ondol_status host_identity(plan_call *c, ondol_error *err) {
    tensor_value *x = plan_call_input(c, 0);
    if (!x) return plan_call_fail(c, err, "input 0 is missing");
    plan_call_give(c, 0, x);
    return ONDOL_OK;
}

/* Dimensions of 0 and -1 as Reshape reads them. */
static ondol_status resolve(const plan_call *c, const tensor_value *x, int64_t *dims, uint32_t rank,
                            bool allow_zero, ondol_error *err) {
    int64_t hole = -1;
    uint64_t known = 1;
    for (uint32_t i = 0; i < rank; i++) {
        if (dims[i] == 0 && !allow_zero) {
            if (i >= x->rank) {
                return plan_call_fail(c, err,
                                      "dimension %" PRIu32 " is 0, but the input has rank %" PRIu32,
                                      i, x->rank);
            }
            dims[i] = x->dims[i];
        }
        if (dims[i] == -1 && hole >= 0) return plan_call_fail(c, err, "two dimensions are -1");
        if (dims[i] == -1) {
            hole = i;
        } else if (dims[i] < 0 || !base_mul(known, (uint64_t)dims[i], &known)) {
            return plan_call_fail(c, err, "dimension %" PRIu32 " is %" PRId64, i, dims[i]);
        }
    }
    if (hole >= 0) {
        if (!known || x->elems % known) {
            return plan_call_fail(c, err, "%" PRIu64 " elements cannot be cut by %" PRIu64,
                                  x->elems, known);
        }
        dims[hole] = (int64_t)(x->elems / known);
        known *= (uint64_t)dims[hole];
    }
    if (known == x->elems) return ONDOL_OK;
    return plan_call_fail(c, err, "%" PRIu64 " elements, but the shape has %" PRIu64, x->elems,
                          known);
}

ondol_status host_reshape(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL;
    int64_t dims[TENSOR_MAX_RANK];
    uint32_t rank = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(plan_call_integers(c, 1, TENSOR_MAX_RANK, dims, &rank, err));
    TRY(resolve(c, x, dims, rank, graph_get_int(c->g, c->node, "allowzero") != 0, err));
    TRY(plan_call_view(c, 0, 0, rank, dims, err));
done:
    return status;
}

ondol_status host_flatten(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL;
    ondol_status status = plan_call_tensor(c, 0, &x, err);
    if (status != ONDOL_OK) return status;
    int64_t axis = graph_get_int(c->g, c->node, "axis"), dims[2] = {1, 1};
    if (axis < 0) axis += x->rank;
    if (axis < 0 || axis > x->rank) {
        return plan_call_fail(c, err, "axis %" PRId64 " of a tensor of rank %" PRIu32, axis,
                              x->rank);
    }
    for (uint32_t i = 0; i < x->rank; i++) {
        /* Of an empty tensor one of both products may not fit: it is 0 beside a 0. */
        uint64_t *d = (uint64_t *)dims + (i >= axis);
        if (!base_mul(*d, (uint64_t)x->dims[i], d)) {
            return plan_call_fail(c, err, "dimensions whose product does not fit");
        }
    }
    return plan_call_view(c, 0, 0, 2, dims, err);
}

/* Axes that input 1 lists, marked for a result of that rank. */
static ondol_status read_axes(const plan_call *c, uint32_t rank, bool marked[TENSOR_MAX_RANK],
                              uint32_t *count, ondol_error *err) {
    int64_t axes[TENSOR_MAX_RANK];
    ondol_status status = plan_call_integers(c, 1, TENSOR_MAX_RANK, axes, count, err);
    if (status != ONDOL_OK) return status;
    for (uint32_t i = 0; i < *count; i++) {
        uint32_t axis = 0;
        status = plan_call_axis(c, axes[i], rank, &axis, err);
        if (status != ONDOL_OK) return status;
        if (marked[axis]) return plan_call_fail(c, err, "axis %" PRIu32 " is listed twice", axis);
        marked[axis] = true;
    }
    return ONDOL_OK;
}

/* The first input with other dimensions. Channels stay last where dimensions of 1 come or go among
 * the pixels alone. */
static ondol_status give_seen(plan_call *c, tensor_value *x, bool pixels_alone, uint32_t rank,
                              const int64_t *dims, ondol_error *err) {
    tensor_value *dense = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    const bool last = x->channels_last && pixels_alone && rank >= 3;
    if (last) {
        TRY(tensor_value_view(x, rank, dims, 0, &y, err));
    } else {
        TRY(tensor_value_dense(x, c->pool, &dense, err));
        TRY(tensor_value_view(dense, rank, dims, 0, &y, err));
    }
    y->channels_last = last;
    plan_call_give(c, 0, y);
done:
    tensor_value_release(dense);
    tensor_value_release(y);
    return status;
}

ondol_status host_squeeze(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL;
    bool marked[TENSOR_MAX_RANK] = {false};
    int64_t dims[TENSOR_MAX_RANK];
    uint32_t count = 0, rank = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    if (plan_call_input(c, 1)) TRY(read_axes(c, x->rank, marked, &count, err));
    for (uint32_t i = 0; i < x->rank; i++) {
        if (!plan_call_input(c, 1)) marked[i] = x->dims[i] == 1;
        if (marked[i] && x->dims[i] != 1) {
            return plan_call_fail(c, err, "dimension %" PRIu32 " is %" PRId64 ", not 1", i,
                                  x->dims[i]);
        }
        if (!marked[i]) dims[rank++] = x->dims[i];
    }
    TRY(give_seen(c, x, !marked[0] && !marked[1], rank, dims, err));
done:
    return status;
}

ondol_status host_unsqueeze(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *axes = NULL;
    bool marked[TENSOR_MAX_RANK] = {false};
    int64_t dims[TENSOR_MAX_RANK];
    uint32_t count = 0, at = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    TRY(plan_call_tensor(c, 1, &axes, err));
    if (axes->elems > TENSOR_MAX_RANK - x->rank) {
        return plan_call_fail(c, err, "%" PRIu64 " axes more than rank %" PRIu32 ", over %d",
                              axes->elems, x->rank, TENSOR_MAX_RANK);
    }
    const uint32_t rank = x->rank + (uint32_t)axes->elems;
    TRY(read_axes(c, rank, marked, &count, err));
    for (uint32_t i = 0; i < rank; i++)
        dims[i] = marked[i] ? 1 : x->dims[at++];
    TRY(give_seen(c, x, !marked[0] && !marked[1], rank, dims, err));
done:
    return status;
}

/* An end of Shape's slice, clamped to [0, rank]. */
static int64_t clamp_axis(int64_t axis, uint32_t rank) {
    if (axis < 0) axis += rank;
    return axis < 0 ? 0 : axis > rank ? rank : axis;
}

ondol_status host_shape(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    ondol_status status = plan_call_tensor(c, 0, &x, err);
    if (status != ONDOL_OK) return status;
    const graph_attribute *end_given = graph_get_attribute(c->g, c->node, "end");
    const int64_t start = clamp_axis(graph_get_int(c->g, c->node, "start"), x->rank);
    const int64_t end = end_given ? clamp_axis(end_given->i, x->rank) : x->rank;
    const int64_t count = end > start ? end - start : 0;
    status = plan_call_output(c, 0, TENSOR_ELEMENT_I64, 1, &count, &y, err);
    if (status == ONDOL_OK && count) {
        memcpy(y->data, x->dims + start, (size_t)count * sizeof *x->dims);
    }
    return status;
}

ondol_status host_size(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    ondol_status status = plan_call_tensor(c, 0, &x, err);
    if (status == ONDOL_OK) status = plan_call_output(c, 0, TENSOR_ELEMENT_I64, 0, NULL, &y, err);
    if (status == ONDOL_OK) memcpy(y->data, &x->elems, sizeof x->elems);
    return status;
}

static ondol_status give_constant(plan_call *c, const graph_tensor *t, ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status =
        tensor_value_borrow(c->heap, t->element, t->shape.rank, t->shape.dims, t->data, &v, err);
    if (status != ONDOL_OK) return status;
    plan_call_give(c, 0, v);
    tensor_value_release(v);
    return ONDOL_OK;
}

/* The lists and numbers that Constant may have in place of a tensor. */
static ondol_status make_constant(plan_call *c, const graph_attribute *a, ondol_error *err) {
    const bool list = a->type == GRAPH_ATTRIBUTE_INTS || a->type == GRAPH_ATTRIBUTE_FLOATS ||
                      a->type == GRAPH_ATTRIBUTE_STRINGS;
    const bool whole = a->type == GRAPH_ATTRIBUTE_INT || a->type == GRAPH_ATTRIBUTE_INTS;
    const bool text = a->type == GRAPH_ATTRIBUTE_STRING || a->type == GRAPH_ATTRIBUTE_STRINGS;
    const tensor_element e = whole  ? TENSOR_ELEMENT_I64
                             : text ? TENSOR_ELEMENT_STRING
                                    : TENSOR_ELEMENT_F32;
    const int64_t count = list ? (int64_t)a->int_count : 1;
    tensor_value *y = NULL;
    ondol_status status = plan_call_output(c, 0, e, list ? 1 : 0, &count, &y, err);
    for (int64_t i = 0; i < count && status == ONDOL_OK; i++) {
        if (whole)
            tensor_set_integer(e, y->data, (uint64_t)i, list ? a->ints[i] : a->i);
        else if (!text)
            tensor_set_number(e, y->data, (uint64_t)i, list ? a->floats[i] : a->f);
        else
            status = tensor_value_set_string(y, (uint64_t)i, list ? a->strings[i].text : a->s,
                                             list ? a->strings[i].size_bytes : a->s_bytes, err);
    }
    return status;
}

ondol_status host_constant(plan_call *c, ondol_error *err) {
    const graph_node *n = c->g->nodes + c->node;
    if (n->attribute_count != 1) {
        return plan_call_fail(c, err, "%" PRIu32 " attributes, expected one", n->attribute_count);
    }
    const graph_attribute *a = n->attributes;
    return a->type == GRAPH_ATTRIBUTE_TENSOR ? give_constant(c, a->tensors, err)
                                             : make_constant(c, a, err);
}
