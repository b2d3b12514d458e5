/* LSTM, GRU, RNN. In: X, W, R, B, states. Out: Y, Y_h, Y_c. Products with W come for all steps at
 * once, those with R step by step, both with packed weights. No peepholes, no lengths. */
#include "device/cpu/ops/cpu_recurrent.h"

#include <inttypes.h>
#include <string.h>

#include "device/cpu/ops/cpu_recurrent_job.h"
#include "graph/ops.h"

static uint64_t gates_of(graph_op op) {
    return op == GRAPH_OP_LSTM ? 4 : op == GRAPH_OP_GRU ? 3 : 1;
}

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

static bool is_activation(const tensor_string *s, const char *name) {
    const size_t n = strlen(name);
    if (s->size_bytes != n) return false;
    for (size_t i = 0; i < n; i++) {
        const char c = s->text[i]; /* in any case */
        if ((c | 0x20) != (name[i] | 0x20)) return false;
    }
    return true;
}

/* The activations that the operator has where none are given; RNN: Relu too. */
static bool are_known(const graph *g, graph_node_id n) {
    static const char *const lstm[] = {"Sigmoid", "Tanh", "Tanh"};
    const graph_attribute *a = graph_get_attribute(g, n, "activations");
    const graph_op op = g->nodes[n].op;
    const uint32_t each = op == GRAPH_OP_LSTM ? 3 : op == GRAPH_OP_GRU ? 2 : 1;
    const uint32_t directions =
        strcmp(graph_get_string(g, n, "direction"), "bidirectional") == 0 ? 2 : 1;
    if (!a) return true;
    if (a->int_count != each * directions) return false;
    for (uint32_t i = 0; i < a->int_count; i++) {
        const char *usual = each == 1 ? "Tanh" : lstm[i % each];
        if (is_activation(a->strings + i, usual)) continue;
        if (each > 1 || !is_activation(a->strings + i, "Relu")) return false;
    }
    return true;
}

bool cpu_accepts_recurrent(const graph *g, graph_node_id n, base_buffer *why) {
    const graph_node *node = g->nodes + n;
    const graph_value *x = is_absent(node, 0) ? NULL : g->values + node->inputs[0];
    const bool plain = are_known(g, n) && !graph_get_attribute(g, n, "clip") &&
                       !graph_get_int(g, n, "input_forget") && !graph_get_int(g, n, "layout") &&
                       is_absent(node, 4) && is_absent(node, 7);
    if (plain && x && x->element == TENSOR_ELEMENT_F32 && is_weight(g, node, 1) &&
        is_weight(g, node, 2) && is_as_stated(g, n)) {
        return true;
    }
    if (why) {
        base_buffer_append_text(why, "it takes float32 with constant weights and the usual "
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
    if (!*memory) return base_no_memory(err, "weights", bytes);
    cpu_gemm_pack(d, pool, &m, *memory, out);
    return ONDOL_OK;
}

/* Rows [first, first + count) of the gates of direction i, of W or R [directions][gates][columns].
 */
typedef struct gate_rows {
    const graph_value *weights;
    uint64_t first, count;
} gate_rows;

static ondol_status pack_gates(const cpu_device *d, const ondol_allocator *a, base_pool *pool,
                               const gate_rows *rows, uint32_t i, void **memory, cpu_packed *out,
                               ondol_error *err) {
    const graph_shape *shape = &rows->weights->shape;
    const uint64_t all = (uint64_t)shape->dims[1], columns = (uint64_t)shape->dims[2];
    const float *from = (const float *)rows->weights->data + (i * all + rows->first) * columns;
    return pack(d, a, pool, from, rows->count, columns, memory, out, err);
}

static void read_activations(const graph *g, graph_node_id n, recurrent_state *s) {
    const graph_attribute *a = graph_get_attribute(g, n, "activations");
    for (uint32_t i = 0; i < 2; i++) {
        const bool relu = a && i < a->int_count && is_activation(a->strings + i, "Relu");
        s->activation[i] = relu ? CPU_UNARY_RELU : CPU_UNARY_TANH;
    }
}

static ondol_status pack_all(const cpu_device *d, const ondol_allocator *a, base_pool *pool,
                             const graph_value *w, const graph_value *r, recurrent_state *s,
                             ondol_error *err) {
    const bool early = s->op == GRAPH_OP_GRU && !s->resets_late;
    const uint64_t all = s->gates * s->hidden, kept = early ? 2 * s->hidden : all;
    ondol_status status = ONDOL_OK;
    for (uint32_t i = 0; i < s->directions; i++) {
        const gate_rows of_w = {w, 0, all}, of_r = {r, 0, kept}, late = {r, kept, all - kept};
        TRY(pack_gates(d, a, pool, &of_w, i, s->memory + 3 * i, s->w + i, err));
        TRY(pack_gates(d, a, pool, &of_r, i, s->memory + 3 * i + 1, s->r + i, err));
        if (early) TRY(pack_gates(d, a, pool, &late, i, s->memory + 3 * i + 2, s->reset + i, err));
    }
done:
    return status;
}

ondol_status cpu_prepare_recurrent(const plan_device *d, const ondol_allocator *a, const graph *g,
                                   graph_node_id n, base_pool *pool, void **out, ondol_error *err) {
    const graph_node *node = g->nodes + n;
    const graph_value *w = g->values + node->inputs[1], *r = g->values + node->inputs[2];
    const uint64_t directions = (uint64_t)w->shape.dims[0], hidden = (uint64_t)r->shape.dims[2];
    const uint64_t gates = gates_of(node->op);
    const char *direction = graph_get_string(g, n, "direction");
    const bool both = strcmp(direction, "bidirectional") == 0;
    if (directions != (both ? 2u : 1u) || r->shape.dims[0] != w->shape.dims[0] || !hidden ||
        w->shape.dims[1] != (int64_t)(gates * hidden) ||
        r->shape.dims[1] != (int64_t)(gates * hidden) || w->shape.dims[2] < 1) {
        return base_fail(err, ONDOL_E_FORMAT, "node '%s' (%s): W and R do not fit each other",
                         node->name, graph_op_info_of(node->op)->name);
    }
    recurrent_state *s = base_calloc(a, 1, sizeof *s);
    if (!s) return base_no_memory(err, "weights", sizeof *s);
    *out = s;
    s->op = node->op;
    s->gates = gates;
    s->hidden = hidden;
    s->inputs = (uint64_t)w->shape.dims[2];
    s->directions = (uint32_t)directions;
    s->resets_late = s->op == GRAPH_OP_GRU && graph_get_int(g, n, "linear_before_reset") != 0;
    read_activations(g, n, s);
    return pack_all(cpu_device_of(d), a, pool, w, r, s, err);
}

void cpu_release_recurrent(const ondol_allocator *a, void *state) {
    recurrent_state *s = state;
    if (!s) return;
    for (int i = 0; i < 6; i++)
        base_free(a, s->memory[i]);
    base_free(a, s);
}

static void run_direction(const recurrent_job *j) {
    const recurrent_state *s = j->s;
    const size_t h = (size_t)s->hidden, gates = (size_t)s->gates * h;
    const cpu_gemm_call all = {
        s->w + j->index, j->x, (size_t)s->inputs, j->steps * j->batch, j->inputs, gates, j->bias};
    const recurrent_step run_step = recurrent_step_of(s->op);
    cpu_gemm_run(j->c->pool, &all);
    for (uint64_t t = 0; t < j->steps; t++) {
        const uint64_t step = j->backwards ? j->steps - 1 - t : t;
        const cpu_gemm_call one = {s->r + j->index,
                                   j->h,
                                   h,
                                   j->batch,
                                   j->products,
                                   gates,
                                   s->resets_late ? j->late_bias : NULL};
        cpu_gemm_run(j->c->pool, &one);
        run_step(j, j->inputs + step * j->batch * gates);
        if (!j->y) continue;
        float *to = j->y + (step * s->directions + j->index) * j->batch * h;
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

/* Biases of W and R are added together, but for that of a hidden gate which is reset late. */
static ondol_status read_bias(const recurrent_job *j, ondol_error *err) {
    const recurrent_state *s = j->s;
    const uint64_t gates = s->gates * s->hidden;
    tensor_value *b = NULL;
    memset(j->bias, 0, (size_t)(2 * gates) * sizeof *j->bias);
    if (!plan_call_input(j->c, 3)) return ONDOL_OK;
    ondol_status status = plan_call_typed(j->c, 3, TENSOR_ELEMENT_F32, &b, err);
    if (status != ONDOL_OK) return status;
    if (b->elems != 2 * gates * s->directions) {
        return plan_call_fail(j->c, err, "B has %" PRIu64 " elements, expected %" PRIu64, b->elems,
                              2 * gates * s->directions);
    }
    const float *from = (const float *)b->data + j->index * 2 * gates;
    for (uint64_t k = 0; k < gates; k++) {
        const bool late = s->resets_late && k >= 2 * s->hidden;
        j->bias[k] = late ? from[k] : from[k] + from[gates + k];
        if (late) j->late_bias[k] = from[gates + k];
    }
    return ONDOL_OK;
}

/* Work memory: inputs, products, reset, bias, late_bias. */
static ondol_status take_work(plan_call *c, recurrent_job *j, void **work, ondol_error *err) {
    const uint64_t gates = j->s->gates * j->s->hidden;
    const uint64_t count = (j->steps + 1) * j->batch * gates + j->batch * j->s->hidden + 2 * gates;
    ondol_status status =
        tensor_heap_alloc(c->heap, count * sizeof(float), "a recurrent network", work, err);
    if (status != ONDOL_OK) return status;
    j->inputs = *work;
    j->products = j->inputs + j->steps * j->batch * gates;
    j->reset = j->products + j->batch * gates;
    j->bias = j->reset + j->batch * j->s->hidden;
    j->late_bias = j->bias + gates;
    return ONDOL_OK;
}

ondol_status cpu_run_recurrent(plan_call *c, ondol_error *err) {
    const recurrent_state *s = c->state;
    tensor_value *x = NULL, *y = NULL, *h = NULL, *cell = NULL;
    void *work = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_F32, &x, err));
    if (x->rank != 3 || x->dims[2] != (int64_t)s->inputs) {
        return plan_call_fail(c, err,
                              "X has rank %" PRIu32 ", expected [steps, batch, %" PRIu64 "]",
                              x->rank, s->inputs);
    }
    const int64_t state_dims[3] = {s->directions, x->dims[1], (int64_t)s->hidden};
    const int64_t y_dims[4] = {x->dims[0], s->directions, x->dims[1], (int64_t)s->hidden};
    recurrent_job j = {.c = c,
                       .s = s,
                       .rows = cpu_rows_select(cpu_device_of(c->device)->isa),
                       .steps = (uint64_t)x->dims[0],
                       .batch = (uint64_t)x->dims[1],
                       .x = x->data};
    TRY(start_state(c, 5, 1, state_dims, &h, err));
    if (s->op == GRAPH_OP_LSTM) TRY(start_state(c, 6, 2, state_dims, &cell, err));
    if (plan_call_wants(c, 0)) {
        TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, 4, y_dims, &y, err));
        j.y = y->data;
    }
    TRY(take_work(c, &j, &work, err));
    const bool reverse = strcmp(graph_get_string(c->g, c->node, "direction"), "reverse") == 0;
    for (uint32_t i = 0; i < s->directions && j.batch; i++) {
        const uint64_t at = i * j.batch * s->hidden;
        j.index = i;
        j.backwards = reverse || i == 1;
        j.h = (float *)h->data + at;
        j.cell = cell ? (float *)cell->data + at : NULL;
        TRY(read_bias(&j, err));
        run_direction(&j);
    }
done:
    tensor_heap_free(c->heap, work);
    tensor_value_release(h);
    tensor_value_release(cell);
    return status;
}
