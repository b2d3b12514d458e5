/* Chains of operators on single elements. In: a tensor of f32 in any layout, the steps. Out: the
 * elements behind the last step; a block goes through all of them while it is in the first cache.
 */
#include <string.h>

#include "device/cpu/ops/cpu_elementwise.h"
#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/ops/cpu_output.h"
#include "device/cpu/rows.h"

#define BLOCK ((size_t)2048)

typedef struct chain_step {
    bool is_pair, number_first;
    cpu_unary unary;
    cpu_binary binary;
    float a, b;
} chain_step;

typedef struct chain_state {
    uint32_t count;
    chain_step *steps;
} chain_state;

static bool unary_of(graph_op op, float a, cpu_unary *out) {
    static const struct {
        graph_op op;
        cpu_unary to;
    } known[] = {
        {GRAPH_OP_ABS, CPU_UNARY_ABS},
        {GRAPH_OP_NEG, CPU_UNARY_NEG},
        {GRAPH_OP_SQRT, CPU_UNARY_SQRT},
        {GRAPH_OP_RECIPROCAL, CPU_UNARY_RECIPROCAL},
        {GRAPH_OP_FLOOR, CPU_UNARY_FLOOR},
        {GRAPH_OP_CEIL, CPU_UNARY_CEIL},
        {GRAPH_OP_ROUND, CPU_UNARY_ROUND},
        {GRAPH_OP_RELU, CPU_UNARY_RELU},
        {GRAPH_OP_CLIP, CPU_UNARY_CLIP},
        {GRAPH_OP_LEAKY_RELU, CPU_UNARY_LEAKY_RELU},
        {GRAPH_OP_HARD_SIGMOID, CPU_UNARY_HARD_SIGMOID},
        {GRAPH_OP_HARD_SWISH, CPU_UNARY_HARD_SWISH},
        {GRAPH_OP_EXP, CPU_UNARY_EXP},
        {GRAPH_OP_TANH, CPU_UNARY_TANH},
        {GRAPH_OP_SIGMOID, CPU_UNARY_SIGMOID},
        {GRAPH_OP_SWISH, CPU_UNARY_SWISH},
        {GRAPH_OP_ERF, CPU_UNARY_ERF},
        {GRAPH_OP_LOG, CPU_UNARY_LOG},
        {GRAPH_OP_SOFTPLUS, CPU_UNARY_SOFTPLUS},
        {GRAPH_OP_ELU, CPU_UNARY_ELU},
    };
    if (op == GRAPH_OP_GELU) {
        *out = a != 0 ? CPU_UNARY_GELU_TANH : CPU_UNARY_GELU;
        return true;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].op != op) continue;
        *out = known[i].to;
        return true;
    }
    return false;
}

static bool binary_of(graph_op op, cpu_binary *out) {
    static const struct {
        graph_op op;
        cpu_binary to;
    } known[] = {
        {GRAPH_OP_ADD, CPU_BINARY_ADD}, {GRAPH_OP_SUB, CPU_BINARY_SUB},
        {GRAPH_OP_MUL, CPU_BINARY_MUL}, {GRAPH_OP_DIV, CPU_BINARY_DIV},
        {GRAPH_OP_MAX, CPU_BINARY_MAX}, {GRAPH_OP_MIN, CPU_BINARY_MIN},
        {GRAPH_OP_POW, CPU_BINARY_POW},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].op != op) continue;
        *out = known[i].to;
        return true;
    }
    return false;
}

ondol_status cpu_prepare_chain(const plan_device *d, const ondol_allocator *a, const graph *g,
                               graph_node_id n, base_pool *pool, void **out, ondol_error *err) {
    const graph_attribute *codes = graph_get_attribute(g, n, "operators");
    const graph_attribute *numbers = graph_get_attribute(g, n, "numbers");
    const uint32_t count = codes ? codes->int_count / 2 : 0;
    (void)d, (void)pool;
    if (!count || !numbers || numbers->int_count != 2 * count) {
        return base_fail(err, ONDOL_E_INTERNAL, "node '%s': a chain without steps",
                         g->nodes[n].name);
    }
    chain_state *s = base_calloc(a, 1, sizeof *s + count * sizeof *s->steps);
    if (!s) return base_no_memory(err, "operator", count * sizeof *s->steps);
    *s = (chain_state){.count = count, .steps = (chain_step *)(s + 1)};
    for (uint32_t i = 0; i < count; i++) {
        chain_step *step = s->steps + i;
        const graph_op op = (graph_op)codes->ints[2 * i];
        step->number_first = codes->ints[2 * i + 1] != 0;
        step->a = (float)numbers->floats[2 * i];
        step->b = (float)numbers->floats[2 * i + 1];
        step->is_pair = binary_of(op, &step->binary);
        if (step->is_pair || unary_of(op, step->a, &step->unary)) continue;
        base_free(a, s);
        return base_fail(err, ONDOL_E_INTERNAL, "node '%s': an operator that is no step",
                         g->nodes[n].name);
    }
    *out = s;
    return ONDOL_OK;
}

void cpu_release_chain(const ondol_allocator *a, void *state) {
    base_free(a, state);
}

typedef struct chain_job {
    const cpu_rows *rows;
    const chain_state *s;
    float *dst;
    const float *x;
    size_t n, each;
} chain_job;

static void run_block(const chain_job *j, float *dst, const float *x, size_t n) {
    for (uint32_t i = 0; i < j->s->count; i++, x = dst) {
        const chain_step *s = j->s->steps + i;
        if (!s->is_pair)
            j->rows->unary(s->unary, dst, x, n, s->a, s->b);
        else if (s->number_first)
            j->rows->binary(s->binary, dst, &s->a, 0, x, 1, n);
        else
            j->rows->binary(s->binary, dst, x, 1, &s->a, 0, n);
    }
}

static void chain_unit(uint32_t unit, unsigned thread, void *argument) {
    const chain_job *j = argument;
    const size_t first = unit * j->each;
    const size_t end = j->n - first < j->each ? j->n : first + j->each;
    (void)thread;
    for (size_t i = first; i < end; i += BLOCK)
        run_block(j, j->dst + i, j->x + i, end - i < BLOCK ? end - i : BLOCK);
}

ondol_status cpu_run_chain(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    chain_job j = {.rows = cpu_rows_select(cpu_device_of(c->device)->isa),
                   .s = c->state,
                   .each = (size_t)1 << 14};
    ondol_status status = plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err);
    if (status != ONDOL_OK) return status;
    status = cpu_output_like(c, 0, x, &y, err);
    if (status != ONDOL_OK) return status;
    j.dst = y->data;
    j.x = x->data;
    j.n = (size_t)y->elems;
    plan_call_parallel(c, (uint32_t)((j.n + j.each - 1) / j.each), chain_unit, &j);
    return ONDOL_OK;
}
