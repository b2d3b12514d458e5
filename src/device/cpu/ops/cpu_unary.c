/* Unary operators. In: a tensor of f32 in any layout. Out: one of the same shape and layout, in
 * place where nobody else sees the input. */
#include "device/cpu/ops/cpu_elementwise.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/ops/cpu_output.h"
#include "device/cpu/rows.h"

bool cpu_accepts_f32(const graph *g, graph_node_id n, base_buffer *why) {
    const graph_node *node = g->nodes + n;
    bool all = node->input_count > 0 && node->inputs[0] != GRAPH_NONE;
    for (uint32_t i = 0; i < node->input_count && all; i++) {
        const graph_value_id v = node->inputs[i];
        all = v == GRAPH_NONE || g->values[v].element == TENSOR_ELEMENT_F32;
    }
    if (!all && why) base_buffer_append_text(why, "it computes on float32 alone");
    return all;
}

typedef struct unary_state {
    cpu_unary op;
    float alpha, beta;
    bool from_inputs; /* Clip: the bounds are inputs */
} unary_state;

static float attribute(const graph *g, graph_node_id n, const char *name) {
    return (float)graph_get_float(g, n, name);
}

static unary_state state_of(const graph *g, graph_node_id n) {
    switch (g->nodes[n].op) {
    case GRAPH_OP_ABS: return (unary_state){.op = CPU_UNARY_ABS};
    case GRAPH_OP_NEG: return (unary_state){.op = CPU_UNARY_NEG};
    case GRAPH_OP_SQRT: return (unary_state){.op = CPU_UNARY_SQRT};
    case GRAPH_OP_RECIPROCAL: return (unary_state){.op = CPU_UNARY_RECIPROCAL};
    case GRAPH_OP_FLOOR: return (unary_state){.op = CPU_UNARY_FLOOR};
    case GRAPH_OP_CEIL: return (unary_state){.op = CPU_UNARY_CEIL};
    case GRAPH_OP_ROUND: return (unary_state){.op = CPU_UNARY_ROUND};
    case GRAPH_OP_RELU: return (unary_state){.op = CPU_UNARY_RELU};
    case GRAPH_OP_CLIP: return (unary_state){.op = CPU_UNARY_CLIP, .from_inputs = true};
    case GRAPH_OP_LEAKY_RELU:
        return (unary_state){.op = CPU_UNARY_LEAKY_RELU, .alpha = attribute(g, n, "alpha")};
    case GRAPH_OP_HARD_SIGMOID:
        return (unary_state){.op = CPU_UNARY_HARD_SIGMOID,
                             .alpha = attribute(g, n, "alpha"),
                             .beta = attribute(g, n, "beta")};
    case GRAPH_OP_HARD_SWISH: return (unary_state){.op = CPU_UNARY_HARD_SWISH};
    case GRAPH_OP_EXP: return (unary_state){.op = CPU_UNARY_EXP};
    case GRAPH_OP_TANH: return (unary_state){.op = CPU_UNARY_TANH};
    case GRAPH_OP_SIGMOID: return (unary_state){.op = CPU_UNARY_SIGMOID};
    case GRAPH_OP_SWISH:
    case GRAPH_OP_MS_QUICK_GELU:
        return (unary_state){.op = CPU_UNARY_SWISH, .alpha = attribute(g, n, "alpha")};
    case GRAPH_OP_ERF: return (unary_state){.op = CPU_UNARY_ERF};
    case GRAPH_OP_MS_GELU: return (unary_state){.op = CPU_UNARY_GELU};
    case GRAPH_OP_GELU: {
        const bool tanh = strcmp(graph_get_string(g, n, "approximate"), "tanh") == 0;
        return (unary_state){.op = tanh ? CPU_UNARY_GELU_TANH : CPU_UNARY_GELU};
    }
    case GRAPH_OP_LOG: return (unary_state){.op = CPU_UNARY_LOG};
    case GRAPH_OP_SOFTPLUS: return (unary_state){.op = CPU_UNARY_SOFTPLUS};
    case GRAPH_OP_ELU: return (unary_state){.op = CPU_UNARY_ELU, .alpha = attribute(g, n, "alpha")};
    case GRAPH_OP_SIN: return (unary_state){.op = CPU_UNARY_SIN};
    case GRAPH_OP_COS: return (unary_state){.op = CPU_UNARY_COS};
    default: return (unary_state){.op = CPU_UNARY_COUNT};
    }
}

ondol_status cpu_prepare_unary(const plan_device *d, const ondol_allocator *a, const graph *g,
                               graph_node_id n, base_pool *pool, void **out, ondol_error *err) {
    (void)d, (void)pool;
    unary_state *s = base_calloc(a, 1, sizeof *s);
    if (!s) return base_no_memory(err, "operator", sizeof *s);
    *s = state_of(g, n);
    *out = s;
    return ONDOL_OK;
}

void cpu_release_unary(const ondol_allocator *a, void *state) {
    base_free(a, state);
}

static ondol_status read_bound(const plan_call *c, uint32_t i, float otherwise, float *out,
                               ondol_error *err) {
    tensor_value *v = NULL;
    *out = otherwise;
    if (!plan_call_input(c, i)) return ONDOL_OK;
    ondol_status status = plan_call_typed(c, i, TENSOR_ELEMENT_F32, &v, err);
    if (status != ONDOL_OK) return status;
    if (v->elems != 1) return plan_call_fail(c, err, "a bound that is no single number");
    *out = *(const float *)v->data;
    return ONDOL_OK;
}

typedef struct unary_job {
    const cpu_rows *rows;
    unary_state s;
    float *dst;
    const float *x;
    size_t n, each;
} unary_job;

static void unary_unit(uint32_t unit, unsigned thread, void *argument) {
    const unary_job *j = argument;
    const size_t first = unit * j->each, left = j->n - first;
    (void)thread;
    j->rows->unary(j->s.op, j->dst + first, j->x + first, left < j->each ? left : j->each,
                   j->s.alpha, j->s.beta);
}

ondol_status cpu_run_unary(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL;
    unary_job j = {.rows = cpu_rows_select(cpu_device_of(c->device)->isa),
                   .s = *(const unary_state *)c->state,
                   .each = (size_t)1 << 14};
    ondol_status status = plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err);
    if (status != ONDOL_OK) return status;
    if (j.s.from_inputs) {
        status = read_bound(c, 1, -FLT_MAX, &j.s.alpha, err);
        if (status == ONDOL_OK) status = read_bound(c, 2, FLT_MAX, &j.s.beta, err);
        if (status != ONDOL_OK) return status;
        if (!plan_call_input(c, 1)) j.s.alpha = -INFINITY;
        if (!plan_call_input(c, 2)) j.s.beta = INFINITY;
    }
    status = cpu_output_like(c, 0, x, &y, err);
    if (status != ONDOL_OK) return status;
    j.dst = y->data;
    j.x = x->data;
    j.n = (size_t)y->elems;
    plan_call_parallel(c, (uint32_t)((j.n + j.each - 1) / j.each), unary_unit, &j);
    return ONDOL_OK;
}
