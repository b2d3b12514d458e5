/* Comparisons, logic, Where, IsNaN, integer arithmetic. In: tensors that broadcast. Out: one of
 * their common shape. */
#include "device/cpu/ops/cpu_logic.h"

#include <string.h>

#include "device/cpu/ops/cpu_broadcast.h"

static tensor_element element_of(const graph *g, graph_node_id n, uint32_t i) {
    const graph_node *node = g->nodes + n;
    if (i >= node->input_count || node->inputs[i] == GRAPH_NONE) return TENSOR_ELEMENT_UNDEFINED;
    return g->values[node->inputs[i]].element;
}

static bool decline(base_buffer *why, const char *text) {
    if (why) base_buffer_append_text(why, text);
    return false;
}

static bool is_compared(tensor_element e) {
    return e == TENSOR_ELEMENT_F32 || e == TENSOR_ELEMENT_I64 || e == TENSOR_ELEMENT_I32 ||
           e == TENSOR_ELEMENT_BOOL;
}

bool cpu_accepts_compare(const graph *g, graph_node_id n, base_buffer *why) {
    return is_compared(element_of(g, n, 0)) || decline(why, "it compares float, ints and bool");
}

bool cpu_accepts_logic(const graph *g, graph_node_id n, base_buffer *why) {
    return element_of(g, n, 0) == TENSOR_ELEMENT_BOOL || decline(why, "it takes bool");
}

bool cpu_accepts_where(const graph *g, graph_node_id n, base_buffer *why) {
    const unsigned bits = tensor_element_bits(element_of(g, n, 1));
    return bits == 8 || bits == 16 || bits == 32 || bits == 64 ||
           decline(why, "it chooses among elements of 1, 2, 4 or 8 bytes");
}

bool cpu_accepts_integers(const graph *g, graph_node_id n, base_buffer *why) {
    const tensor_element e = element_of(g, n, 0);
    const bool two = g->nodes[n].input_count == 2;
    return (two && (e == TENSOR_ELEMENT_I64 || e == TENSOR_ELEMENT_I32)) ||
           decline(why, "it computes on pairs of int32 or int64");
}

bool cpu_accepts_is_nan(const graph *g, graph_node_id n, base_buffer *why) {
    return element_of(g, n, 0) == TENSOR_ELEMENT_F32 || decline(why, "it takes float32");
}

typedef struct pair_job {
    graph_op op;
    tensor_element element;
    const void *a, *b;
    void *y;
} pair_job;

/* Each of the ways that operands step, so that the compiler makes vectors of each. */
#define EACH(type, result, expression)                                                             \
    {                                                                                              \
        const type *a = (const type *)j->a + r->at[0], *b_ = (const type *)j->b + r->at[1];        \
        result *y = (result *)j->y + r->out;                                                       \
        if (p && q) {                                                                              \
            for (int64_t i = 0; i < r->count; i++) {                                               \
                const type u = a[i], v = b_[i];                                                    \
                y[i] = (result)(expression);                                                       \
            }                                                                                      \
        } else if (p) {                                                                            \
            const type v = *b_;                                                                    \
            for (int64_t i = 0; i < r->count; i++) {                                               \
                const type u = a[i];                                                               \
                y[i] = (result)(expression);                                                       \
            }                                                                                      \
        } else {                                                                                   \
            const type u = *a;                                                                     \
            for (int64_t i = 0; i < r->count; i++) {                                               \
                const type v = b_[i * q];                                                          \
                y[i] = (result)(expression);                                                       \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    break

#define COMPARE(type)                                                                              \
    switch (j->op) {                                                                               \
    case GRAPH_OP_EQUAL: EACH(type, uint8_t, u == v);                                              \
    case GRAPH_OP_GREATER: EACH(type, uint8_t, u > v);                                             \
    case GRAPH_OP_GREATER_OR_EQUAL: EACH(type, uint8_t, u >= v);                                   \
    case GRAPH_OP_LESS: EACH(type, uint8_t, u < v);                                                \
    case GRAPH_OP_AND: EACH(type, uint8_t, u &&v);                                                 \
    case GRAPH_OP_OR: EACH(type, uint8_t, u || v);                                                 \
    case GRAPH_OP_XOR: EACH(type, uint8_t, !u != !v);                                              \
    default: EACH(type, uint8_t, u <= v);                                                          \
    }                                                                                              \
    break

static void compare_run(const cpu_run *r, const cpu_broadcast *b, const void *argument) {
    const pair_job *j = argument;
    const int64_t p = b->step[0][0], q = b->step[1][0];
    switch (j->element) {
    case TENSOR_ELEMENT_F32: COMPARE(float);
    case TENSOR_ELEMENT_I64: COMPARE(int64_t);
    case TENSOR_ELEMENT_I32: COMPARE(int32_t);
    default: COMPARE(uint8_t);
    }
}

/* Sums and products wrap, as two's complement does. */
static void integer_run(const cpu_run *r, const cpu_broadcast *b, const void *argument) {
    const pair_job *j = argument;
    const int64_t p = b->step[0][0], q = b->step[1][0];
    const bool wide = j->element == TENSOR_ELEMENT_I64;
    switch (j->op) {
    case GRAPH_OP_ADD:
        if (wide) {
            EACH(int64_t, int64_t, (uint64_t)u + (uint64_t)v);
        }
        EACH(int32_t, int32_t, (uint32_t)u + (uint32_t)v);
    case GRAPH_OP_SUB:
        if (wide) {
            EACH(int64_t, int64_t, (uint64_t)u - (uint64_t)v);
        }
        EACH(int32_t, int32_t, (uint32_t)u - (uint32_t)v);
    case GRAPH_OP_MUL:
        if (wide) {
            EACH(int64_t, int64_t, (uint64_t)u * (uint64_t)v);
        }
        EACH(int32_t, int32_t, (uint32_t)u * (uint32_t)v);
    case GRAPH_OP_MAX:
        if (wide) {
            EACH(int64_t, int64_t, u > v ? u : v);
        }
        EACH(int32_t, int32_t, u > v ? u : v);
    default:
        if (wide) {
            EACH(int64_t, int64_t, u < v ? u : v);
        }
        EACH(int32_t, int32_t, u < v ? u : v);
    }
}

static ondol_status run_pair(plan_call *c, tensor_element result, cpu_run_function run,
                             ondol_error *err) {
    tensor_value *pair[2] = {NULL}, *y = NULL;
    int64_t dims[TENSOR_MAX_RANK] = {0};
    uint32_t rank = 0;
    cpu_broadcast b;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, pair, err));
    TRY(plan_call_typed(c, 1, pair[0]->element, pair + 1, err));
    TRY(cpu_broadcast_join(c, pair, 2, false, &b, &rank, dims, err));
    const tensor_element e = result ? result : pair[0]->element;
    TRY(plan_call_output(c, 0, e, rank, dims, &y, err));
    const pair_job j = {c->g->nodes[c->node].op, pair[0]->element, pair[0]->data, pair[1]->data,
                        y->data};
    if (!is_compared(j.element)) {
        return plan_call_fail(c, err, "inputs of type %s", tensor_element_onnx_name(j.element));
    }
    cpu_broadcast_run(c, &b, run, &j);
done:
    return status;
}

ondol_status cpu_run_compare(plan_call *c, ondol_error *err) {
    return run_pair(c, TENSOR_ELEMENT_BOOL, compare_run, err);
}

ondol_status cpu_run_integers(plan_call *c, ondol_error *err) {
    return run_pair(c, TENSOR_ELEMENT_UNDEFINED, integer_run, err);
}

ondol_status cpu_run_logic(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    if (c->g->nodes[c->node].op != GRAPH_OP_NOT) return cpu_run_compare(c, err);
    ondol_status status = plan_call_typed(c, 0, TENSOR_ELEMENT_BOOL, &x, err);
    if (status == ONDOL_OK) {
        status = plan_call_output(c, 0, TENSOR_ELEMENT_BOOL, x->rank, x->dims, &y, err);
    }
    for (uint64_t i = 0; status == ONDOL_OK && i < x->elems; i++)
        ((uint8_t *)y->data)[i] = !((const uint8_t *)x->data)[i];
    return status;
}

ondol_status cpu_run_is_nan(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    ondol_status status = plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err);
    if (status == ONDOL_OK) {
        status = plan_call_output(c, 0, TENSOR_ELEMENT_BOOL, x->rank, x->dims, &y, err);
    }
    if (status != ONDOL_OK) return status;
    const float *from = x->data;
    uint8_t *to = y->data;
    for (uint64_t i = 0; i < x->elems; i++)
        to[i] = from[i] != from[i];
    return ONDOL_OK;
}

typedef struct where_job {
    const uint8_t *condition;
    const void *a, *b;
    void *y;
    unsigned bits;
} where_job;

#define CHOOSE(type)                                                                               \
    for (int64_t i = 0; i < r->count; i++) {                                                       \
        const type u = ((const type *)j->a)[r->at[1] + i * p];                                     \
        const type v = ((const type *)j->b)[r->at[2] + i * q];                                     \
        ((type *)j->y)[r->out + i] = j->condition[r->at[0] + i * s] ? u : v;                       \
    }                                                                                              \
    break

static void where_run(const cpu_run *r, const cpu_broadcast *b, const void *argument) {
    const where_job *j = argument;
    const int64_t s = b->step[0][0], p = b->step[1][0], q = b->step[2][0];
    switch (j->bits) {
    case 8: CHOOSE(uint8_t);
    case 16: CHOOSE(uint16_t);
    case 32: CHOOSE(uint32_t);
    default: CHOOSE(uint64_t);
    }
}

ondol_status cpu_run_where(plan_call *c, ondol_error *err) {
    tensor_value *v[3] = {NULL}, *y = NULL;
    int64_t dims[TENSOR_MAX_RANK] = {0};
    uint32_t rank = 0;
    cpu_broadcast b;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_BOOL, v, err));
    TRY(plan_call_tensor(c, 1, v + 1, err));
    TRY(plan_call_typed(c, 2, v[1]->element, v + 2, err));
    TRY(cpu_broadcast_join(c, v, 3, false, &b, &rank, dims, err));
    TRY(plan_call_output(c, 0, v[1]->element, rank, dims, &y, err));
    const unsigned bits = tensor_element_bits(y->element);
    if (bits != 8 && bits != 16 && bits != 32 && bits != 64) {
        return plan_call_fail(c, err, "elements of %u bits", bits);
    }
    const where_job j = {v[0]->data, v[1]->data, v[2]->data, y->data, bits};
    cpu_broadcast_run(c, &b, where_run, &j);
done:
    return status;
}
