/* Comparisons, logic, Where, IsNaN, integer arithmetic. In: tensors that broadcast. Out: one of
 * their common shape. */
#include "device/cpu/ops/cpu_logic.h"

#include <inttypes.h>

#include "device/cpu/ops/cpu_broadcast.h"
#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/rows.h"

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

static const cpu_rows *rows_of(const plan_call *c) {
    return cpu_rows_select(cpu_device_of(c->device)->isa);
}

typedef struct pair_job {
    const cpu_rows *rows;
    graph_op op;
    tensor_element element;
    const void *a, *b;
    void *y;
    bool as_in_c; /* Mod with fmod */
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

static cpu_compare compare_of(graph_op op) {
    switch (op) {
    case GRAPH_OP_EQUAL: return CPU_COMPARE_EQUAL;
    case GRAPH_OP_GREATER: return CPU_COMPARE_GREATER;
    case GRAPH_OP_GREATER_OR_EQUAL: return CPU_COMPARE_GREATER_OR_EQUAL;
    case GRAPH_OP_LESS: return CPU_COMPARE_LESS;
    case GRAPH_OP_AND: return CPU_COMPARE_AND;
    case GRAPH_OP_OR: return CPU_COMPARE_OR;
    case GRAPH_OP_XOR: return CPU_COMPARE_XOR;
    default: return CPU_COMPARE_LESS_OR_EQUAL;
    }
}

static const void *element_at(const void *data, unsigned bits, int64_t i) {
    return (const char *)data + i * (int64_t)(bits / 8);
}

static void compare_run(const cpu_run *r, const cpu_broadcast *b, const void *argument) {
    const pair_job *j = argument;
    const unsigned bits = tensor_element_bits(j->element);
    j->rows->compare(compare_of(j->op), j->element, (uint8_t *)j->y + r->out,
                     element_at(j->a, bits, r->at[0]), (size_t)b->step[0][0],
                     element_at(j->b, bits, r->at[1]), (size_t)b->step[1][0], (size_t)r->count);
}

/* Sums and products wrap, as two's complement does. */
/* Towards zero; the least integer by -1 wraps to itself. v is not 0. */
static int64_t quotient(int64_t u, int64_t v) {
    return v == -1 ? (int64_t)(0 - (uint64_t)u) : u / v;
}

/* With the sign of v. */
static int64_t remainder_of(int64_t u, int64_t v) {
    const int64_t r = v == -1 ? 0 : u % v;
    return r != 0 && (r < 0) != (v < 0) ? r + v : r;
}

/* With the sign of u. */
static int64_t remainder_as_in_c(int64_t u, int64_t v) {
    return v == -1 ? 0 : u % v;
}

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
    case GRAPH_OP_DIV:
        if (wide) {
            EACH(int64_t, int64_t, quotient(u, v));
        }
        EACH(int32_t, int32_t, quotient(u, v));
    case GRAPH_OP_MOD:
        if (wide) {
            EACH(int64_t, int64_t, j->as_in_c ? remainder_as_in_c(u, v) : remainder_of(u, v));
        }
        EACH(int32_t, int32_t, j->as_in_c ? remainder_as_in_c(u, v) : remainder_of(u, v));
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
    const pair_job j = {rows_of(c),
                        c->g->nodes[c->node].op,
                        pair[0]->element,
                        pair[0]->data,
                        pair[1]->data,
                        y->data,
                        graph_get_int(c->g, c->node, "fmod") != 0};
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

/* The divisor of Div or Mod: no 0 among its elements. */
static ondol_status check_divisor(const plan_call *c, ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = plan_call_tensor(c, 1, &v, err);
    for (uint64_t i = 0; status == ONDOL_OK && i < v->elems; i++) {
        const bool zero = v->element == TENSOR_ELEMENT_I64   ? !((const int64_t *)v->data)[i]
                          : v->element == TENSOR_ELEMENT_I32 ? !((const int32_t *)v->data)[i]
                                                             : false;
        if (zero) return plan_call_fail(c, err, "integer division by zero, at element %" PRIu64, i);
    }
    return status;
}

ondol_status cpu_run_integers(plan_call *c, ondol_error *err) {
    const graph_op op = c->g->nodes[c->node].op;
    if (op == GRAPH_OP_DIV || op == GRAPH_OP_MOD) {
        ondol_status status = check_divisor(c, err);
        if (status != ONDOL_OK) return status;
    }
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

typedef struct nan_job {
    const cpu_rows *rows;
    const float *x;
    uint8_t *y;
    uint64_t n;
} nan_job;

#define NAN_UNIT ((uint64_t)1 << 16)

static void nan_unit(uint32_t unit, unsigned thread, void *argument) {
    const nan_job *j = argument;
    const uint64_t first = unit * NAN_UNIT, left = j->n - first;
    (void)thread;
    j->rows->find_nan(j->y + first, j->x + first, (size_t)(left < NAN_UNIT ? left : NAN_UNIT));
}

ondol_status cpu_run_is_nan(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    ondol_status status = plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err);
    if (status == ONDOL_OK) {
        status = plan_call_output(c, 0, TENSOR_ELEMENT_BOOL, x->rank, x->dims, &y, err);
    }
    if (status != ONDOL_OK) return status;
    nan_job j = {rows_of(c), x->data, y->data, x->elems};
    const uint64_t units = (j.n + NAN_UNIT - 1) / NAN_UNIT;
    if (units > BASE_POOL_UNITS_MAX) return plan_call_fail(c, err, "%" PRIu64 " elements", j.n);
    plan_call_parallel(c, (uint32_t)units, nan_unit, &j);
    return ONDOL_OK;
}

typedef struct where_job {
    const cpu_rows *rows;
    const uint8_t *condition;
    const void *a, *b;
    void *y;
    unsigned bits;
} where_job;

static void where_run(const cpu_run *r, const cpu_broadcast *b, const void *argument) {
    const where_job *j = argument;
    j->rows->choose(j->bits, (char *)j->y + r->out * (int64_t)(j->bits / 8),
                    j->condition + r->at[0], (size_t)b->step[0][0],
                    element_at(j->a, j->bits, r->at[1]), (size_t)b->step[1][0],
                    element_at(j->b, j->bits, r->at[2]), (size_t)b->step[2][0], (size_t)r->count);
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
    const where_job j = {rows_of(c), v[0]->data, v[1]->data, v[2]->data, y->data, bits};
    cpu_broadcast_run(c, &b, where_run, &j);
done:
    return status;
}
