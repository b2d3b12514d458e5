/* Pad. In: a tensor, how much to add or take away on each side. Out: it with a
 * constant, its edge, its mirror image or itself around it. */
#include <inttypes.h>
#include <string.h>

#include "device/host_box.h"
#include "device/host_ops.h"

typedef enum padding_mode { PAD_CONSTANT, PAD_EDGE, PAD_REFLECT, PAD_WRAP } padding_mode;

/* Place i of the result is place i - begin of the input; [low, high) of it stays. */
typedef struct padding {
    const tensor_value *x, *fill;
    tensor_value *y;
    padding_mode mode;
    int64_t begin[TENSOR_MAX_RANK], end[TENSOR_MAX_RANK];
    int64_t low[TENSOR_MAX_RANK], high[TENSOR_MAX_RANK];
    int64_t steps[TENSOR_MAX_RANK];
} padding;

static ondol_status move_run(tensor_value *dst, uint64_t to, const tensor_value *src, uint64_t from,
                             uint64_t count, ondol_error *err) {
    const unsigned bits = tensor_element_bits(dst->element);
    ondol_status status = ONDOL_OK;
    if (bits >= 8) {
        const uint64_t size = bits / 8;
        memcpy((char *)dst->data + to * size, (const char *)src->data + from * size,
               (size_t)(count * size));
        return ONDOL_OK;
    }
    for (uint64_t i = 0; i < count && status == ONDOL_OK; i++)
        status = host_move_element(dst, to + i, src, from + i, err);
    return status;
}

static void clear(tensor_value *v) {
    if (v->element == TENSOR_ELEMENT_STRING)
        *(tensor_string *)v->data = (tensor_string){"", 0};
    else
        memset(v->data, 0, (size_t)tensor_value_bytes(v));
}

/* Where place `at` of an axis comes from, given that [low, high) is not empty unless the mode is
 * PAD_CONSTANT; -1: the constant. */
static int64_t source_of(const padding *p, uint32_t axis, int64_t at) {
    const int64_t low = p->low[axis], n = p->high[axis] - low;
    int64_t k = at - p->begin[axis] - low;
    if (k >= 0 && k < n) return low + k;
    switch (p->mode) {
    case PAD_EDGE: return low + (k < 0 ? 0 : n - 1);
    case PAD_WRAP: k %= n; return low + (k < 0 ? k + n : k);
    case PAD_REFLECT:
        if (n == 1) return low;
        k %= 2 * n - 2;
        if (k < 0) k += 2 * n - 2;
        return low + (k < n ? k : 2 * n - 2 - k);
    default: return -1;
    }
}

/* The run of the last axis that begins at element `to`, whose input row is at `row`. */
static ondol_status pad_row(const padding *p, uint64_t to, int64_t row, ondol_error *err) {
    const uint32_t last = p->y->rank - 1;
    const int64_t width = p->y->dims[last], first = p->begin[last] + p->low[last];
    const int64_t kept = p->high[last] - p->low[last];
    ondol_status status = ONDOL_OK;
    for (int64_t i = 0; i < width;) {
        const int64_t from = source_of(p, last, i);
        if (i >= first && i - first < kept) { /* all that stays, at once */
            const int64_t left = kept - (i - first), count = left < width - i ? left : width - i;
            TRY(move_run(p->y, to + (uint64_t)i, p->x, (uint64_t)(row + from), (uint64_t)count,
                         err));
            i += count;
        } else if (from >= 0) {
            TRY(host_move_element(p->y, to + (uint64_t)i++, p->x, (uint64_t)(row + from), err));
        } else {
            const int64_t count = i < first && first < width ? first - i : width - i;
            TRY(host_fill(p->y, to + (uint64_t)i, (uint64_t)count, p->fill, 0, err));
            i += count;
        }
    }
done:
    return status;
}

/* The next place of the axes in front of the last. */
static void advance(const tensor_value *y, int64_t *index) {
    for (uint32_t d = y->rank - 1; d-- > 0;) {
        if (++index[d] < y->dims[d]) return;
        index[d] = 0;
    }
}

static ondol_status pad(const padding *p, ondol_error *err) {
    const tensor_value *y = p->y;
    int64_t index[TENSOR_MAX_RANK] = {0};
    ondol_status status = ONDOL_OK;
    if (!y->elems) return ONDOL_OK;
    if (!y->rank) return move_run(p->y, 0, p->x, 0, 1, err);
    const uint64_t width = (uint64_t)y->dims[y->rank - 1];
    for (uint64_t to = 0; to < y->elems && status == ONDOL_OK; advance(y, index), to += width) {
        int64_t row = 0;
        bool constant = false;
        for (uint32_t d = 0; d + 1 < y->rank; d++) {
            const int64_t from = source_of(p, d, index[d]);
            constant = constant || from < 0;
            row += from * p->steps[d];
        }
        status = constant ? host_fill(p->y, to, width, p->fill, 0, err) : pad_row(p, to, row, err);
    }
    return status;
}

static ondol_status read_mode(const plan_call *c, padding_mode *out, ondol_error *err) {
    static const char *const names[] = {"constant", "edge", "reflect", "wrap"};
    const char *name = graph_get_string(c->g, c->node, "mode");
    for (uint32_t i = 0; i < 4; i++) {
        if (strcmp(name, names[i]) != 0) continue;
        *out = (padding_mode)i;
        return ONDOL_OK;
    }
    return plan_call_fail(c, err, "mode '%s', expected constant, edge, reflect or wrap", name);
}

/* The pads of input 1, for all axes or those of input 3. */
static ondol_status read_pads(const plan_call *c, padding *p, ondol_error *err) {
    int64_t pads[2 * TENSOR_MAX_RANK], axes[TENSOR_MAX_RANK];
    bool seen[TENSOR_MAX_RANK] = {false};
    uint32_t count = 0, axis_count = p->x->rank;
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < TENSOR_MAX_RANK; i++)
        axes[i] = i;
    TRY(plan_call_integers(c, 1, 2 * TENSOR_MAX_RANK, pads, &count, err));
    if (plan_call_input(c, 3)) {
        TRY(plan_call_integers(c, 3, TENSOR_MAX_RANK, axes, &axis_count, err));
    }
    if (count != 2 * axis_count) {
        return plan_call_fail(c, err, "%" PRIu32 " pads for %" PRIu32 " axes", count, axis_count);
    }
    for (uint32_t i = 0; i < axis_count; i++) {
        uint32_t axis = 0;
        TRY(plan_call_axis(c, axes[i], p->x->rank, &axis, err));
        if (seen[axis]) return plan_call_fail(c, err, "axis %" PRIu32 " is listed twice", axis);
        seen[axis] = true;
        p->begin[axis] = pads[i];
        p->end[axis] = pads[axis_count + i];
    }
done:
    return status;
}

/* Sizes of the result. What is taken away is gone before anything is mirrored. */
static ondol_status find_dims(const plan_call *c, padding *p, int64_t *dims, ondol_error *err) {
    const int64_t most = INT64_MAX / 4;
    for (uint32_t d = 0; d < p->x->rank; d++) {
        const int64_t size = p->x->dims[d], begin = p->begin[d], end = p->end[d];
        if (begin > most || begin < -most || end > most || end < -most || size > most ||
            size + begin + end < 0) {
            return plan_call_fail(
                c, err, "axis %" PRIu32 " of size %" PRId64 " padded by %" PRId64 " and %" PRId64,
                d, size, begin, end);
        }
        dims[d] = size + begin + end;
        p->low[d] = begin < 0 ? -begin : 0;
        p->high[d] = end < 0 ? size + end : size;
        if (p->mode == PAD_CONSTANT || p->low[d] < p->high[d]) continue;
        if (dims[d]) return plan_call_fail(c, err, "axis %" PRIu32 " has nothing to pad with", d);
    }
    return ONDOL_OK;
}

ondol_status host_pad(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *fill = NULL, *zero = NULL;
    int64_t dims[TENSOR_MAX_RANK];
    padding p = {0};
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    p.x = x;
    TRY(read_mode(c, &p.mode, err));
    TRY(read_pads(c, &p, err));
    TRY(find_dims(c, &p, dims, err));
    TRY(tensor_value_create(c->heap, x->element, 0, NULL, &zero, err));
    clear(zero);
    p.fill = zero;
    if (plan_call_input(c, 2) && p.mode == PAD_CONSTANT) {
        TRY(plan_call_typed(c, 2, x->element, &fill, err));
        if (fill->elems != 1) {
            status = plan_call_fail(c, err, "a constant of %" PRIu64 " elements", fill->elems);
            goto done;
        }
        p.fill = fill;
    }
    TRY(plan_call_output(c, 0, x->element, x->rank, dims, &p.y, err));
    host_dense_steps(x->rank, x->dims, p.steps);
    TRY(pad(&p, err));
done:
    tensor_value_release(zero);
    return status;
}
