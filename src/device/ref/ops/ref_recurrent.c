/* RNN, GRU, LSTM. In: a sequence of inputs, weights, states. Out: the states at each place and at
 * the end; all in double, the results rounded once. */
#include "device/ref/ops/ref_recurrent.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"

enum { X, W, R, B, LENGTHS, INITIAL_H, INITIAL_C, P };

/* [places, batch] of x and [places, directions, batch] of y, or with the batch in front. */
static const double *input_at(const ref_recurrent *j, uint64_t place, uint64_t batch) {
    const uint64_t row = j->is_batch_first ? batch * j->length + place : place * j->batch + batch;
    return j->x + row * j->inputs;
}
static uint64_t output_row(const ref_recurrent *j, uint64_t place, uint64_t direction,
                           uint64_t batch) {
    if (j->is_batch_first) return (batch * j->length + place) * j->directions + direction;
    return (place * j->directions + direction) * j->batch + batch;
}
/* Of the states that go in and out. */
static uint64_t state_row(const ref_recurrent *j, uint64_t direction, uint64_t batch) {
    return j->is_batch_first ? batch * j->directions + direction : direction * j->batch + batch;
}

/* One direction of one example, through time. What is behind its length has outputs of 0. */
static void run_task(void *user, uint64_t task) {
    const ref_recurrent *j = user;
    const uint64_t direction = task / j->batch, batch = task % j->batch, n = j->hidden;
    const uint64_t length = (uint64_t)j->lengths[batch];
    const bool is_reverse = j->is_reverse || direction == 1;
    double *h = j->h + task * n, *c = j->c ? j->c + task * n : NULL;
    for (uint64_t t = 0; t < length; t++) {
        const uint64_t place = is_reverse ? length - 1 - t : t;
        ref_recurrent_step(j, direction, input_at(j, place, batch), h, c,
                           j->work + task * j->gates * n);
        if (j->y) ref_store_numbers(j->y, output_row(j, place, direction, batch) * n, n, h);
    }
    const uint64_t row = state_row(j, direction, batch) * n;
    if (j->y_h) ref_store_numbers(j->y_h, row, n, h);
    if (j->y_c) ref_store_numbers(j->y_c, row, n, c);
}

static ondol_status read_direction(const plan_call *c, ref_recurrent *j, ondol_error *err) {
    const char *direction = graph_get_string(c->g, c->node, "direction");
    const bool is_both = strcmp(direction, "bidirectional") == 0;
    j->is_reverse = strcmp(direction, "reverse") == 0;
    j->directions = is_both ? 2 : 1;
    if (is_both || j->is_reverse || strcmp(direction, "forward") == 0) return ONDOL_OK;
    return plan_call_fail(c, err, "direction is '%s'", direction);
}

/* The next number of a list of parameters, as long as it has one. */
static void take_parameter(const graph_attribute *list, uint32_t *at, double *out) {
    if (list && *at < list->int_count) *out = list->floats[(*at)++];
}

/* Parameters are taken in order by the functions that have any. */
static ondol_status read_activations(const plan_call *c, ref_recurrent *j, ondol_error *err) {
    static const char *const otherwise[3] = {"Sigmoid", "Tanh", "Tanh"};
    const graph_attribute *names = graph_get_attribute(c->g, c->node, "activations");
    const graph_attribute *alphas = graph_get_attribute(c->g, c->node, "activation_alpha");
    const graph_attribute *betas = graph_get_attribute(c->g, c->node, "activation_beta");
    const uint32_t each = j->gates == 1 ? 1 : j->gates == 3 ? 2 : 3;
    const uint32_t count = each * (uint32_t)j->directions;
    uint32_t alpha_at = 0, beta_at = 0;
    if (names && names->int_count != count) {
        return plan_call_fail(c, err, "%" PRIu32 " activations, expected %" PRIu32,
                              names->int_count, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        const char *name = each == 1 ? "Tanh" : otherwise[i % each];
        ref_activation *f = &j->f[i / each][i % each];
        const size_t bytes = names ? names->strings[i].size_bytes : strlen(name);
        if (names) name = names->strings[i].text;
        if (!ref_activation_find(name, bytes, f)) {
            return plan_call_fail(c, err, "there is no activation '%.*s'",
                                  bytes > 64 ? 64 : (int)bytes, name);
        }
        if (f->parameters > 0) take_parameter(alphas, &alpha_at, &f->alpha);
        if (f->parameters > 1) take_parameter(betas, &beta_at, &f->beta);
    }
    return ONDOL_OK;
}

static ondol_status read_attributes(const plan_call *c, ref_recurrent *j, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    j->gates = j->op == GRAPH_OP_LSTM ? 4 : j->op == GRAPH_OP_GRU ? 3 : 1;
    const int64_t layout = graph_get_int(c->g, c->node, "layout");
    if (layout != 0 && layout != 1) return plan_call_fail(c, err, "layout is %" PRId64, layout);
    j->is_batch_first = layout != 0;
    j->linear_before_reset = graph_get_int(c->g, c->node, "linear_before_reset") != 0;
    j->input_forget = graph_get_int(c->g, c->node, "input_forget") != 0;
    j->clip = INFINITY;
    if (graph_get_attribute(c->g, c->node, "clip")) {
        j->clip = graph_get_float(c->g, c->node, "clip");
    }
    if (!(j->clip > 0)) return plan_call_fail(c, err, "clip is %g", j->clip);
    TRY(read_direction(c, j, err));
    TRY(read_activations(c, j, err));
done:
    return status;
}

/* Input i as doubles, of exactly those dims. */
static ondol_status read_operand(const plan_call *c, uint32_t i, const char *name, uint32_t rank,
                                 const int64_t *dims, double **out, ondol_error *err) {
    tensor_value *v = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, i, &v, err));
    TRY(ref_expect_dims(c, name, v, rank, dims, err));
    TRY(ref_all_numbers(c, v, out, err));
done:
    return status;
}

/* count doubles, all 0. */
static ondol_status zeros(const plan_call *c, uint64_t count, const char *what, double **out,
                          ondol_error *err) {
    void *memory = NULL;
    ondol_status status = ref_alloc(c, count, sizeof **out, what, &memory, err);
    if (status != ONDOL_OK) return status;
    *out = memory;
    for (uint64_t i = 0; i < count; i++)
        (*out)[i] = 0;
    return ONDOL_OK;
}

static ondol_status read_lengths(const plan_call *c, ref_recurrent *j, ondol_error *err) {
    const int64_t batch = (int64_t)j->batch;
    tensor_value *v = NULL;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_alloc(c, j->batch, sizeof *j->lengths, "lengths", &memory, err));
    j->lengths = memory;
    for (uint64_t i = 0; i < j->batch; i++)
        j->lengths[i] = (int64_t)j->length;
    if (!plan_call_input(c, LENGTHS)) return ONDOL_OK;
    TRY(plan_call_typed(c, LENGTHS, TENSOR_ELEMENT_I32, &v, err));
    TRY(ref_expect_dims(c, "sequence_lens", v, 1, &batch, err));
    for (uint64_t i = 0; i < j->batch; i++) {
        j->lengths[i] = tensor_get_integer(v->element, v->data, i);
        if (j->lengths[i] < 0 || j->lengths[i] > (int64_t)j->length) {
            return plan_call_fail(c, err, "sequence_lens has %" PRId64 " of %" PRIu64,
                                  j->lengths[i], j->length);
        }
    }
done:
    return status;
}

/* A state before the first step, in the order of tasks. */
static ondol_status read_state(const plan_call *c, const ref_recurrent *j, uint32_t i,
                               const char *name, double **out, ondol_error *err) {
    int64_t dims[3] = {(int64_t)j->directions, (int64_t)j->batch, (int64_t)j->hidden};
    const uint64_t n = j->hidden;
    tensor_value *v = NULL;
    ondol_status status = ONDOL_OK;
    if (j->is_batch_first) {
        dims[0] = (int64_t)j->batch;
        dims[1] = (int64_t)j->directions;
    }
    TRY(zeros(c, j->directions * j->batch * n, name, out, err));
    if (!plan_call_input(c, i)) return ONDOL_OK;
    TRY(ref_float_input(c, i, &v, err));
    TRY(ref_expect_dims(c, name, v, 3, dims, err));
    for (uint64_t direction = 0; direction < j->directions; direction++)
        for (uint64_t batch = 0; batch < j->batch; batch++) {
            double *to = *out + (direction * j->batch + batch) * n;
            ref_load_numbers(v, state_row(j, direction, batch) * n, n, to);
        }
done:
    return status;
}

static ondol_status read_weights(const plan_call *c, ref_recurrent *j, ondol_error *err) {
    const int64_t directions = (int64_t)j->directions, hidden = (int64_t)j->hidden;
    const int64_t rows = (int64_t)j->gates * hidden;
    const int64_t w[3] = {directions, rows, (int64_t)j->inputs}, r[3] = {directions, rows, hidden};
    const int64_t b[2] = {directions, 2 * rows}, p[2] = {directions, 3 * hidden};
    ondol_status status = ONDOL_OK;
    TRY(read_operand(c, W, "W", 3, w, &j->w, err));
    TRY(read_operand(c, R, "R", 3, r, &j->r, err));
    if (plan_call_input(c, B))
        TRY(read_operand(c, B, "B", 2, b, &j->b, err));
    else
        TRY(zeros(c, (uint64_t)(directions * 2 * rows), "B", &j->b, err));
    if (j->op == GRAPH_OP_LSTM && plan_call_input(c, P)) {
        TRY(read_operand(c, P, "P", 2, p, &j->p, err));
    }
done:
    return status;
}

/* Sizes, from x and R. */
static ondol_status read_sizes(const plan_call *c, ref_recurrent *j, ondol_error *err) {
    const graph_attribute *hidden = graph_get_attribute(c->g, c->node, "hidden_size");
    char x_text[REF_SHAPE_TEXT_BYTES], text[REF_SHAPE_TEXT_BYTES];
    tensor_value *x = NULL, *r = NULL;
    ondol_status status = ONDOL_OK;
    TRY(ref_float_input(c, X, &x, err));
    TRY(ref_float_input(c, R, &r, err));
    if (x->rank != 3 || x->dims[2] < 1 || r->rank != 3 || r->dims[2] > INT32_MAX ||
        (hidden && hidden->i != r->dims[2])) {
        return plan_call_fail(c, err, "x of shape %s and R of shape %s",
                              ref_shape_text(x->rank, x->dims, x_text),
                              ref_shape_text(r->rank, r->dims, text));
    }
    j->length = (uint64_t)x->dims[j->is_batch_first ? 1 : 0];
    j->batch = (uint64_t)x->dims[j->is_batch_first ? 0 : 1];
    j->inputs = (uint64_t)x->dims[2];
    j->hidden = (uint64_t)r->dims[2];
    TRY(ref_all_numbers(c, x, &j->x, err));
done:
    return status;
}

static ondol_status make_outputs(plan_call *c, ref_recurrent *j, ondol_error *err) {
    const tensor_element e = plan_call_input(c, X)->element;
    const int64_t length = (int64_t)j->length, batch = (int64_t)j->batch;
    const int64_t directions = (int64_t)j->directions, hidden = (int64_t)j->hidden;
    const int64_t y[4] = {length, directions, batch, hidden};
    const int64_t y_batch[4] = {batch, length, directions, hidden};
    const int64_t s[3] = {directions, batch, hidden}, s_batch[3] = {batch, directions, hidden};
    tensor_value **states[2] = {&j->y_h, &j->y_c};
    ondol_status status = ONDOL_OK;
    if (plan_call_wants(c, 0)) {
        TRY(plan_call_output(c, 0, e, 4, j->is_batch_first ? y_batch : y, &j->y, err));
        memset(j->y->data, 0, (size_t)tensor_value_bytes(j->y));
    }
    for (uint32_t i = 1; i < (j->op == GRAPH_OP_LSTM ? 3u : 2u); i++) {
        if (!plan_call_wants(c, i)) continue;
        TRY(plan_call_output(c, i, e, 3, j->is_batch_first ? s_batch : s, states[i - 1], err));
    }
done:
    return status;
}

static ondol_status begin(plan_call *c, ref_recurrent *j, ondol_error *err) {
    uint64_t states = 0;
    ondol_status status = ONDOL_OK;
    TRY(read_attributes(c, j, err));
    TRY(read_sizes(c, j, err));
    const int64_t dims[3] = {(int64_t)j->directions, (int64_t)j->batch, (int64_t)j->hidden};
    if (!ref_product(3, dims, &states)) return plan_call_fail(c, err, "its states are too large");
    TRY(read_weights(c, j, err));
    TRY(read_lengths(c, j, err));
    TRY(read_state(c, j, INITIAL_H, "initial_h", &j->h, err));
    if (j->op == GRAPH_OP_LSTM) TRY(read_state(c, j, INITIAL_C, "initial_c", &j->c, err));
    TRY(zeros(c, states * j->gates, "gates", &j->work, err));
    TRY(make_outputs(c, j, err));
done:
    return status;
}

/* v[count] as codes of uint8 would keep it: scale and zero point so that the codes hold all of v,
 * and 0 exactly, in float as DynamicQuantizeLinear is defined. */
static void through_codes(double *v, uint64_t count) {
    float least = 0, greatest = 0;
    for (uint64_t i = 0; i < count; i++) {
        const float x = (float)v[i];
        if (x < least) least = x;
        if (x > greatest) greatest = x;
    }
    const float scale = greatest == least ? 1 : (greatest - least) / 255;
    const float zero = rintf(-least / scale);
    for (uint64_t i = 0; i < count; i++) {
        const float code = rintf((float)v[i] / scale) + zero;
        const float cut = code < 0 ? 0 : code > 255 ? 255 : code;
        v[i] = ((double)cut - (double)zero) * (double)scale;
    }
}

/* One direction of all examples, through time; the states before each step as codes of one scale.
 */
static void run_by_codes(void *user, uint64_t direction) {
    const ref_recurrent *j = user;
    const uint64_t n = j->hidden, first = direction * j->batch;
    const bool is_reverse = j->is_reverse || direction == 1;
    double *codes = j->codes + first * n;
    uint64_t longest = 0;
    for (uint64_t b = 0; b < j->batch; b++)
        if ((uint64_t)j->lengths[b] > longest) longest = (uint64_t)j->lengths[b];
    for (uint64_t t = 0; t < longest; t++) {
        memcpy(codes, j->h + first * n, j->batch * n * sizeof *codes);
        through_codes(codes, j->batch * n);
        for (uint64_t b = 0; b < j->batch; b++) {
            const uint64_t length = (uint64_t)j->lengths[b], task = first + b;
            if (t >= length) continue;
            const uint64_t place = is_reverse ? length - 1 - t : t;
            double *h = j->h + task * n;
            memcpy(h, codes + b * n, n * sizeof *h);
            ref_recurrent_step(j, direction, input_at(j, place, b), h, j->c + task * n,
                               j->work + task * j->gates * n);
            if (j->y) ref_store_numbers(j->y, output_row(j, place, direction, b) * n, n, h);
        }
    }
    for (uint64_t b = 0; b < j->batch; b++) {
        const uint64_t row = state_row(j, direction, b) * n;
        if (j->y_h) ref_store_numbers(j->y_h, row, n, j->h + (first + b) * n);
        if (j->y_c) ref_store_numbers(j->y_c, row, n, j->c + (first + b) * n);
    }
}

static void finish(const plan_call *c, ref_recurrent *j) {
    double *const all[] = {j->x, j->w, j->r, j->b, j->p, j->h, j->c, j->work, j->codes};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tensor_heap_free(c->heap, all[i]);
    tensor_heap_free(c->heap, j->lengths);
}

/* RNN, GRU, LSTM. */
ondol_status ref_recurrent_op(plan_call *c, ondol_error *err) {
    ref_recurrent j = {.op = c->g->nodes[c->node].op};
    ondol_status status = begin(c, &j, err);
    if (status == ONDOL_OK) ref_run_tasks(c, j.directions * j.batch, run_task, &j);
    finish(c, &j);
    return status;
}

ondol_status ref_recurrent_lstm_by_codes(plan_call *c, ondol_error *err) {
    ref_recurrent j = {.op = GRAPH_OP_LSTM};
    ondol_status status = ONDOL_OK;
    TRY(begin(c, &j, err));
    TRY(zeros(c, j.directions * j.batch * j.hidden, "codes of states", &j.codes, err));
    through_codes(j.x, j.length * j.batch * j.inputs);
    ref_run_tasks(c, j.directions, run_by_codes, &j);
done:
    finish(c, &j);
    return status;
}
