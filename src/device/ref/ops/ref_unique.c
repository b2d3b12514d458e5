/* Unique. In: a tensor. Out: each of its elements, or of its slices along an axis, once; where it
 * stands first, which one each place has, how often there is each. */
#include <inttypes.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_move.h"
#include "device/ref/ops/ref_number.h"
#include "device/ref/ops/ref_sort.h"

typedef struct unique {
    const tensor_value *x;
    ref_split s; /* slice i: elements (o, i, k) */
    uint64_t groups;
    /* [s.axis] each: slices in order; first and count of a group; the group of a slice; the place
     * of a group in the output; groups as they are put out. */
    uint64_t *order, *first, *count, *group, *place, *put;
} unique;

static int compare_keys(uint64_t a, uint64_t b) {
    return a < b ? -1 : a > b;
}

static int compare_elements(const tensor_value *x, uint64_t a, uint64_t b) {
    if (x->element == TENSOR_ELEMENT_STRING) {
        const tensor_string *s = (const tensor_string *)x->data + a;
        const tensor_string *t = (const tensor_string *)x->data + b;
        const size_t n = s->size_bytes < t->size_bytes ? s->size_bytes : t->size_bytes;
        const int first = n ? memcmp(s->text, t->text, n) : 0;
        return first ? first : compare_keys(s->size_bytes, t->size_bytes);
    }
    if (tensor_element_kind_of(x->element) == TENSOR_KIND_COMPLEX) {
        const tensor_element part =
            x->element == TENSOR_ELEMENT_C64 ? TENSOR_ELEMENT_F32 : TENSOR_ELEMENT_F64;
        const int real =
            compare_keys(ref_order_key(part, x->data, 2 * a), ref_order_key(part, x->data, 2 * b));
        return real ? real
                    : compare_keys(ref_order_key(part, x->data, 2 * a + 1),
                                   ref_order_key(part, x->data, 2 * b + 1));
    }
    return compare_keys(ref_order_key(x->element, x->data, a),
                        ref_order_key(x->element, x->data, b));
}

static int compare_slices(const void *of, uint64_t a, uint64_t b) {
    const unique *u = of;
    if (!u->x->elems) return 0;
    for (uint64_t o = 0; o < u->s.outer; o++) {
        for (uint64_t k = 0; k < u->s.inner; k++) {
            const int order = compare_elements(u->x, (o * u->s.axis + a) * u->s.inner + k,
                                               (o * u->s.axis + b) * u->s.inner + k);
            if (order) return order;
        }
    }
    return 0;
}

static int compare_first(const void *of, uint64_t a, uint64_t b) {
    const unique *u = of;
    return compare_keys(u->first[a], u->first[b]);
}

/* Equal slices become groups; groups get their places. */
static void find_groups(unique *u, bool is_sorted) {
    for (uint64_t i = 0; i < u->s.axis; i++)
        u->order[i] = i;
    ref_sort(u->order, u->place, u->s.axis, compare_slices, u);
    for (uint64_t i = 0; i < u->s.axis; i++) {
        const uint64_t slice = u->order[i];
        if (i == 0 || compare_slices(u, u->order[i - 1], slice) != 0) {
            u->first[u->groups] = slice; /* the sort keeps the order of equal ones */
            u->count[u->groups] = 0;
            u->put[u->groups] = u->groups;
            u->groups++;
        }
        u->count[u->groups - 1]++;
        u->group[slice] = u->groups - 1;
    }
    if (!is_sorted) ref_sort(u->put, u->place, u->groups, compare_first, u);
    for (uint64_t i = 0; i < u->groups; i++)
        u->place[u->put[i]] = i;
}

static ondol_status give_list(plan_call *c, uint32_t output, uint64_t count, int64_t **out,
                              ondol_error *err) {
    const int64_t dims[1] = {(int64_t)count};
    tensor_value *y = NULL;
    ondol_status status = plan_call_output(c, output, TENSOR_ELEMENT_I64, 1, dims, &y, err);
    if (status == ONDOL_OK) *out = y->data;
    return status;
}

static ondol_status give_outputs(plan_call *c, const unique *u, uint32_t rank, uint32_t axis,
                                 ondol_error *err) {
    int64_t dims[TENSOR_MAX_RANK] = {0}, *list = NULL;
    tensor_value *y = NULL;
    ondol_status status = ONDOL_OK;
    memcpy(dims, u->x->dims, sizeof dims);
    dims[axis] = (int64_t)u->groups;
    TRY(plan_call_output(c, 0, u->x->element, rank, dims, &y, err));
    for (uint64_t o = 0; y->elems && o < u->s.outer; o++) {
        for (uint64_t i = 0; i < u->groups; i++) {
            const uint64_t from = (o * u->s.axis + u->first[u->put[i]]) * u->s.inner;
            TRY(ref_move_run(y, (o * u->groups + i) * u->s.inner, u->x, from, u->s.inner, err));
        }
    }
    if (plan_call_wants(c, 1)) {
        TRY(give_list(c, 1, u->groups, &list, err));
        for (uint64_t i = 0; i < u->groups; i++)
            list[i] = (int64_t)u->first[u->put[i]];
    }
    if (plan_call_wants(c, 2)) {
        TRY(give_list(c, 2, u->s.axis, &list, err));
        for (uint64_t i = 0; i < u->s.axis; i++)
            list[i] = (int64_t)u->place[u->group[i]];
    }
    if (plan_call_wants(c, 3)) {
        TRY(give_list(c, 3, u->groups, &list, err));
        for (uint64_t i = 0; i < u->groups; i++)
            list[i] = (int64_t)u->count[u->put[i]];
    }
done:
    return status;
}

ondol_status ref_unique(plan_call *c, ondol_error *err) {
    const graph_attribute *given = graph_get_attribute(c->g, c->node, "axis");
    tensor_value *x = NULL;
    uint32_t axis = 0;
    void *memory = NULL;
    unique u = {0};
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    u.x = x;
    u.s = (ref_split){1, x->elems, 1};
    if (given) {
        TRY(plan_call_axis(c, given->i, x->rank, &axis, err));
        u.s = ref_split_at(x, axis);
    }
    TRY(ref_alloc(c, u.s.axis, 6 * sizeof *u.order, "the order of elements", &memory, err));
    u.order = memory;
    u.first = u.order + u.s.axis;
    u.count = u.first + u.s.axis;
    u.group = u.count + u.s.axis;
    u.place = u.group + u.s.axis;
    u.put = u.place + u.s.axis;
    find_groups(&u, graph_get_int(c->g, c->node, "sorted") != 0);
    TRY(give_outputs(c, &u, given ? x->rank : 1, axis, err));
done:
    tensor_heap_free(c->heap, memory);
    return status;
}
