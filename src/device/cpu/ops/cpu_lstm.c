/* LSTM. In: X, W, R, B, states. Out: Y, Y_h, Y_c. Products with W come for all steps at once, those
 * with R step by step, both with packed weights. Default activations, no peepholes, no lengths. */
#include <inttypes.h>
#include <string.h>

#include "device/cpu/ops/cpu_gemm.h"
#include "device/cpu/ops/cpu_recurrent.h"
#include "device/cpu/rows.h"

typedef struct lstm_state {
    uint64_t hidden, inputs;
    uint32_t directions;
    cpu_packed w[2], r[2];
    void *memory[4];
} lstm_state;

static bool is_absent(const graph_node *node, uint32_t i) {
    return i >= node->input_count || node->inputs[i] == GRAPH_NONE;
}

static bool is_weight(const graph *g, const graph_node *node, uint32_t i) {
    const graph_value *v = is_absent(node, i) ? NULL : g->values + node->inputs[i];
    return v && v->kind == GRAPH_VALUE_INITIALIZER && v->element == TENSOR_ELEMENT_F32 &&
           v->shape.rank == 3;
}

/* What the attributes say is what the weights and the operator have; ref tells of all else. */
static bool is_as_stated(const graph *g, graph_node_id n) {
    const graph_attribute *size = graph_get_attribute(g, n, "hidden_size");
    const char *direction = graph_get_string(g, n, "direction");
    const bool known = strcmp(direction, "forward") == 0 || strcmp(direction, "reverse") == 0 ||
                       strcmp(direction, "bidirectional") == 0;
    return known && (!size || size->i == g->values[g->nodes[n].inputs[2]].shape.dims[2]);
}

bool cpu_accepts_lstm(const graph *g, graph_node_id n, base_buffer *why) {
    const graph_node *node = g->nodes + n;
    const bool plain = !graph_get_attribute(g, n, "activations") &&
                       !graph_get_attribute(g, n, "clip") && !graph_get_int(g, n, "input_forget") &&
                       !graph_get_int(g, n, "layout") && is_absent(node, 4) && is_absent(node, 7);
    if (plain && is_weight(g, node, 1) && is_weight(g, node, 2) && is_as_stated(g, n)) return true;
    if (why) {
        base_buffer_append_text(why, "it takes float32 with constant weights and the default "
                                     "activations, without lengths, clip or peepholes");
    }
    return false;
}

static ondol_status pack(const cpu_device *d, const ondol_allocator *a, base_pool *pool,
                         const float *weights, uint64_t rows, uint64_t columns, void **memory,
                         cpu_packed *out, ondol_error *err) {
    const uint64_t bytes = cpu_gemm_packed_bytes(d, TENSOR_ENCODING_F32, columns, rows);
    const cpu_matrix m = {TENSOR_ENCODING_F32, weights, columns, rows, 1, columns};
    *memory = base_alloc_aligned(a, (size_t)bytes, 64);
    if (!*memory) return base_no_memory(err, "LSTM", bytes);
    cpu_gemm_pack(d, pool, &m, *memory, out);
    return ONDOL_OK;
}

ondol_status cpu_prepare_lstm(const plan_device *d, const ondol_allocator *a, const graph *g,
                              graph_node_id n, base_pool *pool, void **out, ondol_error *err) {
    const graph_node *node = g->nodes + n;
    const graph_value *w = g->values + node->inputs[1], *r = g->values + node->inputs[2];
    const uint64_t directions = (uint64_t)w->shape.dims[0], hidden = (uint64_t)r->shape.dims[2];
    const char *direction = graph_get_string(g, n, "direction");
    const bool both = strcmp(direction, "bidirectional") == 0;
    if (directions != (both ? 2u : 1u) || r->shape.dims[0] != w->shape.dims[0] || !hidden ||
        w->shape.dims[1] != (int64_t)(4 * hidden) || r->shape.dims[1] != (int64_t)(4 * hidden) ||
        w->shape.dims[2] < 1) {
        return base_fail(err, ONDOL_E_FORMAT, "node '%s' (LSTM): W and R do not fit each other",
                         node->name);
    }
    lstm_state *s = base_calloc(a, 1, sizeof *s);
    if (!s) return base_no_memory(err, "LSTM", sizeof *s);
    *out = s;
    s->hidden = hidden;
    s->inputs = (uint64_t)w->shape.dims[2];
    s->directions = (uint32_t)directions;
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < s->directions; i++) {
        TRY(pack(cpu_device_of(d), a, pool, (const float *)w->data + i * 4 * hidden * s->inputs,
                 4 * hidden, s->inputs, s->memory + 2 * i, s->w + i, err));
        TRY(pack(cpu_device_of(d), a, pool, (const float *)r->data + i * 4 * hidden * hidden,
                 4 * hidden, hidden, s->memory + 2 * i + 1, s->r + i, err));
    }
done:
    return status;
}

void cpu_release_lstm(const ondol_allocator *a, void *state) {
    lstm_state *s = state;
    if (!s) return;
    for (int i = 0; i < 4; i++)
        base_free(a, s->memory[i]);
    base_free(a, s);
}

/* One direction under way. Gates lie as W has them: input, output, forget, cell. */
typedef struct direction_job {
    const plan_call *c;
    const lstm_state *s;
    const cpu_rows *rows;
    uint32_t index;
    bool backwards;
    uint64_t steps, batch;
    const float *x;
    float *y;                         /* [steps][directions][batch][hidden], or NULL */
    float *h, *cell;                  /* [batch][hidden], states and results */
    float *inputs, *gates, *bias_sum; /* [steps * batch][4 hidden], [batch][4 hidden], [4 hidden] */
} direction_job;

static void run_gates(const direction_job *j, const float *from_x) {
    const size_t h = (size_t)j->s->hidden;
    for (uint64_t b = 0; b < j->batch; b++) {
        float *g = j->gates + b * 4 * h, *cell = j->cell + b * h, *out = j->h + b * h;
        j->rows->binary(CPU_BINARY_ADD, g, g, 1, from_x + b * 4 * h, 1, 4 * h);
        j->rows->unary(CPU_UNARY_SIGMOID, g, g, 3 * h, 0, 0);
        j->rows->unary(CPU_UNARY_TANH, g + 3 * h, g + 3 * h, h, 0, 0);
        j->rows->binary(CPU_BINARY_MUL, cell, cell, 1, g + 2 * h, 1, h);
        j->rows->multiply_add(cell, g, g + 3 * h, h);
        j->rows->unary(CPU_UNARY_TANH, out, cell, h, 0, 0);
        j->rows->binary(CPU_BINARY_MUL, out, out, 1, g + h, 1, h);
    }
}

static void run_direction(const direction_job *j) {
    const size_t h = (size_t)j->s->hidden, gates = 4 * h;
    const cpu_gemm_call all = {j->s->w + j->index, j->x,  (size_t)j->s->inputs, j->steps * j->batch,
                               j->inputs,          gates, j->bias_sum};
    cpu_gemm_run(j->c->pool, &all);
    for (uint64_t t = 0; t < j->steps; t++) {
        const uint64_t step = j->backwards ? j->steps - 1 - t : t;
        const cpu_gemm_call one = {j->s->r + j->index, j->h, h, j->batch, j->gates, gates, NULL};
        cpu_gemm_run(j->c->pool, &one);
        run_gates(j, j->inputs + step * j->batch * gates);
        if (!j->y) continue;
        float *to = j->y + (step * j->s->directions + j->index) * j->batch * h;
        memcpy(to, j->h, j->batch * h * sizeof *to);
    }
}

/* A state of [directions][batch][hidden] as the first value of an output, 0 where it is absent. */
static ondol_status start_state(plan_call *c, uint32_t input, uint32_t output, const int64_t *dims,
                                tensor_value **out, ondol_error *err) {
    tensor_value *given = NULL;
    ondol_status status = tensor_value_create(c->heap, TENSOR_ELEMENT_F32, 3, dims, out, err);
    if (status != ONDOL_OK) return status;
    if (plan_call_wants(c, output)) plan_call_give(c, output, *out);
    const size_t bytes = (size_t)tensor_value_bytes(*out);
    if (!plan_call_input(c, input)) {
        memset((*out)->data, 0, bytes);
        return ONDOL_OK;
    }
    status = plan_call_typed(c, input, TENSOR_ELEMENT_F32, &given, err);
    if (status != ONDOL_OK) return status;
    if (given->elems != (*out)->elems) {
        return plan_call_fail(c, err, "a state of %" PRIu64 " elements, expected %" PRIu64,
                              given->elems, (*out)->elems);
    }
    memcpy((*out)->data, given->data, bytes);
    return ONDOL_OK;
}

static ondol_status sum_bias(const plan_call *c, const lstm_state *s, uint32_t i, float *out,
                             ondol_error *err) {
    const uint64_t gates = 4 * s->hidden;
    tensor_value *b = NULL;
    memset(out, 0, (size_t)gates * sizeof *out);
    if (!plan_call_input(c, 3)) return ONDOL_OK;
    ondol_status status = plan_call_typed(c, 3, TENSOR_ELEMENT_F32, &b, err);
    if (status != ONDOL_OK) return status;
    if (b->elems != 2 * gates * s->directions) {
        return plan_call_fail(c, err, "B has %" PRIu64 " elements, expected %" PRIu64, b->elems,
                              2 * gates * s->directions);
    }
    const float *from = (const float *)b->data + i * 2 * gates;
    for (uint64_t k = 0; k < gates; k++)
        out[k] = from[k] + from[gates + k];
    return ONDOL_OK;
}

ondol_status cpu_run_lstm(plan_call *c, ondol_error *err) {
    const lstm_state *s = c->state;
    tensor_value *x = NULL, *y = NULL, *h = NULL, *cell = NULL;
    void *work = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err));
    if (x->rank != 3 || x->dims[2] != (int64_t)s->inputs) {
        return plan_call_fail(c, err,
                              "X has rank %" PRIu32 ", expected [steps, batch, %" PRIu64 "]",
                              x->rank, s->inputs);
    }
    const uint64_t steps = (uint64_t)x->dims[0], batch = (uint64_t)x->dims[1],
                   gates = 4 * s->hidden;
    const int64_t state_dims[3] = {s->directions, x->dims[1], (int64_t)s->hidden};
    const int64_t y_dims[4] = {x->dims[0], s->directions, x->dims[1], (int64_t)s->hidden};
    TRY(start_state(c, 5, 1, state_dims, &h, err));
    TRY(start_state(c, 6, 2, state_dims, &cell, err));
    if (plan_call_wants(c, 0)) {
        TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, 4, y_dims, &y, err));
    }
    TRY(tensor_heap_alloc(c->heap, ((steps + 1) * batch + 1) * gates * sizeof(float), "LSTM", &work,
                          err));
    direction_job j = {.c = c,
                       .s = s,
                       .rows = cpu_rows_select(cpu_device_of(c->device)->isa),
                       .steps = steps,
                       .batch = batch,
                       .x = x->data,
                       .y = y ? y->data : NULL,
                       .inputs = work};
    j.gates = j.inputs + steps * batch * gates;
    j.bias_sum = j.gates + batch * gates;
    const bool reverse = strcmp(graph_get_string(c->g, c->node, "direction"), "reverse") == 0;
    for (uint32_t i = 0; i < s->directions && batch; i++) {
        j.index = i;
        j.backwards = reverse || i == 1;
        j.h = (float *)h->data + i * batch * s->hidden;
        j.cell = (float *)cell->data + i * batch * s->hidden;
        TRY(sum_bias(c, s, i, j.bias_sum, err));
        run_direction(&j);
    }
done:
    tensor_heap_free(c->heap, work);
    tensor_value_release(h);
    tensor_value_release(cell);
    return status;
}
