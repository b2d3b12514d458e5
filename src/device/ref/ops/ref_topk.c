/* TopK. In: a tensor, k. Out: the k largest or smallest along an axis, best first, and where they
 * were. Of equal ones the lower index comes first; NaN is the largest. */
#include <inttypes.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

typedef struct candidate {
    uint64_t key, index; /* the smallest key is the best */
} candidate;

static bool is_worse(const candidate *a, const candidate *b) {
    return a->key != b->key ? a->key > b->key : a->index > b->index;
}

/* heap[0..n): the worst on top; what stands at `at` sinks to where it belongs. */
static void sink(candidate *heap, uint64_t n, uint64_t at) {
    for (;;) {
        uint64_t child = 2 * at + 1;
        if (child >= n) return;
        if (child + 1 < n && is_worse(heap + child + 1, heap + child)) child++;
        if (!is_worse(heap + child, heap + at)) return;
        const candidate moved = heap[at];
        heap[at] = heap[child];
        heap[child] = moved;
        at = child;
    }
}

typedef struct top_k {
    const tensor_value *x;
    tensor_value *values, *indices; /* values may be NULL */
    ref_split s;
    uint64_t k;
    bool is_largest;
    candidate *heap; /* [k] */
} top_k;

static candidate candidate_at(const top_k *t, uint64_t o, uint64_t n, uint64_t i) {
    const uint64_t at = (o * t->s.axis + n) * t->s.inner + i;
    const uint64_t key = ref_order_key(t->x->element, t->x->data, at);
    return (candidate){t->is_largest ? ~key : key, n};
}

static void choose(const top_k *t, uint64_t o, uint64_t i) {
    candidate *heap = t->heap;
    for (uint64_t n = 0; n < t->k; n++)
        heap[n] = candidate_at(t, o, n, i);
    for (uint64_t n = t->k / 2; n-- > 0;)
        sink(heap, t->k, n);
    for (uint64_t n = t->k; n < t->s.axis; n++) {
        const candidate next = candidate_at(t, o, n, i);
        if (!is_worse(heap, &next)) continue;
        heap[0] = next;
        sink(heap, t->k, 0);
    }
    for (uint64_t n = t->k; n-- > 0;) {
        const uint64_t from = (o * t->s.axis + heap[0].index) * t->s.inner + i;
        const uint64_t to = (o * t->k + n) * t->s.inner + i;
        ((int64_t *)t->indices->data)[to] = (int64_t)heap[0].index;
        ref_copy_element(t->values, to, t->x, from, NULL);
        heap[0] = heap[n];
        sink(heap, n, 0);
    }
}

ondol_status ref_top_k(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL;
    int64_t k = 0, dims[TENSOR_MAX_RANK];
    uint32_t axis = 0;
    void *memory = NULL;
    top_k t = {0};
    ondol_status status = ONDOL_OK;
    TRY(ref_input(c, 0, REF_CLASS_NUMBER, &x, err));
    TRY(ref_input(c, 1, REF_CLASS_INTEGER, &t.indices, err));
    TRY(ref_scalar_integer(c, 1, 0, &k, err));
    TRY(plan_call_axis(c, graph_get_int(c->g, c->node, "axis"), x->rank, &axis, err));
    if (k < 0 || k > x->dims[axis]) {
        return plan_call_fail(c, err, "k is %" PRId64 ", axis %" PRIu32 " has %" PRId64 " elements",
                              k, axis, x->dims[axis]);
    }
    for (uint32_t i = 0; i < x->rank; i++)
        dims[i] = i == axis ? k : x->dims[i];
    TRY(plan_call_output(c, 0, x->element, x->rank, dims, &t.values, err));
    TRY(plan_call_output(c, 1, TENSOR_ELEMENT_I64, x->rank, dims, &t.indices, err));
    TRY(ref_alloc(c, (uint64_t)k, sizeof *t.heap, "the candidates", &memory, err));
    t.x = x;
    t.s = ref_split_at(x, axis);
    t.k = (uint64_t)k;
    t.is_largest = graph_get_int(c->g, c->node, "largest") != 0;
    t.heap = memory;
    for (uint64_t line = 0; t.values->elems && line < t.s.outer * t.s.inner; line++)
        choose(&t, line / t.s.inner, line % t.s.inner);
done:
    tensor_heap_free(c->heap, memory);
    return status;
}
