/* Comparisons, broadcast. In: two tensors of one type. Out: bool. Exact for every type; what
 * compares with NaN is false. */
#include <string.h>

#include "device/ref/ops/ref_binary.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_number.h"

/* Orders of two elements that hold of an operator. */
typedef struct compare_row {
    graph_op op;
    bool less, equal, greater;
} compare_row;

static const compare_row ROWS[] = {
    {GRAPH_OP_EQUAL, false, true, false},           {GRAPH_OP_LESS, true, false, false},
    {GRAPH_OP_LESS_OR_EQUAL, true, true, false},    {GRAPH_OP_GREATER, false, false, true},
    {GRAPH_OP_GREATER_OR_EQUAL, false, true, true},
};

static bool holds(const compare_row *row, tensor_element e, const ref_binary_call *b,
                  const ref_walk *w) {
    const uint64_t left = ref_order_key(e, b->a->data, (uint64_t)w->at[0]);
    const uint64_t right = ref_order_key(e, b->b->data, (uint64_t)w->at[1]);
    if (tensor_element_kind_of(e) == TENSOR_KIND_FLOAT &&
        (left == REF_ORDER_NAN || right == REF_ORDER_NAN)) {
        return false;
    }
    return left < right ? row->less : left == right ? row->equal : row->greater;
}

static bool equal_texts(const ref_binary_call *b, const ref_walk *w) {
    const tensor_string *left = (const tensor_string *)b->a->data + w->at[0];
    const tensor_string *right = (const tensor_string *)b->b->data + w->at[1];
    if (left->size_bytes != right->size_bytes) return false;
    return left->size_bytes == 0 || memcmp(left->text, right->text, left->size_bytes) == 0;
}

/* Equal (strings too), Less, LessOrEqual, Greater, GreaterOrEqual. */
ondol_status ref_compare(plan_call *c, ondol_error *err) {
    ref_binary_call b = {0};
    tensor_value *y = NULL;
    ref_walk w;
    ondol_status status = ONDOL_OK;
    const graph_op op = c->g->nodes[c->node].op;
    const compare_row *row = ROWS;
    const unsigned more = op == GRAPH_OP_EQUAL ? REF_CLASS_BOOL | REF_CLASS_STRING : 0u;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        if (ROWS[i].op == op) row = ROWS + i;
    }
    TRY(ref_binary_begin(c, REF_CLASS_NUMBER | more, &b, err));
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_BOOL, b.rank, b.dims, &y, err));
    const tensor_element e = b.a->element;
    ref_binary_walk(&b, &w);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        ((uint8_t *)y->data)[i] =
            e == TENSOR_ELEMENT_STRING ? equal_texts(&b, &w) : holds(row, e, &b, &w);
    }
done:
    return status;
}
