/* LinearAttention: a recurrence with a state that goes in and out. In: packed
 * rows, the state before. Out: a result for each row, the state behind; in double, rounded once. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "device/ref/ops/ref_heads.h"
#include "device/ref/ops/ref_kernels.h"

enum { QUERY, KEY, VALUE, PAST, DECAY, BETA };

/* decay: one for each key number or for each head; beta: one for each head or one for all. */
typedef struct linear_job {
    ref_heads q, k, v;
    const tensor_value *decay, *beta; /* NULL: the rule has none */
    bool is_decay_per_head, is_beta_shared;
    double scale;
    double *state;   /* [batch, kv heads, key size, value size] */
    double *scratch; /* [batch, kv heads][value size] */
    tensor_value *y;
} linear_job;

static double number(const tensor_value *v, uint64_t i) {
    return tensor_get_number(v->element, v->data, i);
}

/* state *= exp(decay), for each row of a key. */
static void decay_state(const linear_job *j, uint64_t place, uint64_t head, double *state) {
    const uint64_t d = (uint64_t)j->k.size, e = (uint64_t)j->v.size;
    const uint64_t heads = (uint64_t)j->k.heads;
    for (uint64_t i = 0; i < d && j->decay; i++) {
        const uint64_t at =
            j->is_decay_per_head ? place * heads + head : (place * heads + head) * d + i;
        const double factor = exp(number(j->decay, at));
        for (uint64_t m = 0; m < e; m++)
            state[i * e + m] *= factor;
    }
}

/* The value that is written: v, or beta * (v - what the state has for the key). */
static void make_update(const linear_job *j, uint64_t batch, uint64_t head, uint64_t t,
                        const double *state, double *update) {
    const uint64_t d = (uint64_t)j->k.size, e = (uint64_t)j->v.size;
    const uint64_t k_at = ref_heads_at(&j->k, batch, head, t);
    ref_load_numbers(j->v.v, ref_heads_at(&j->v, batch, head, t), e, update);
    if (!j->beta) return;
    for (uint64_t i = 0; i < d; i++) {
        const double key = number(j->k.v, k_at + i);
        for (uint64_t m = 0; m < e; m++)
            update[m] -= state[i * e + m] * key;
    }
    const uint64_t place = batch * (uint64_t)j->k.length + t;
    const double beta =
        number(j->beta, j->is_beta_shared ? place : place * (uint64_t)j->k.heads + head);
    for (uint64_t m = 0; m < e; m++)
        update[m] *= beta;
}

/* What the queries of a head read from the state. */
static void read_state(const linear_job *j, uint64_t batch, uint64_t q_head, uint64_t t,
                       const double *state, double *out) {
    const uint64_t d = (uint64_t)j->k.size, e = (uint64_t)j->v.size;
    const uint64_t q_at = ref_heads_at(&j->q, batch, q_head, t);
    const uint64_t place = batch * (uint64_t)j->q.length + t;
    for (uint64_t m = 0; m < e; m++)
        out[m] = 0;
    for (uint64_t i = 0; i < d; i++) {
        const double query = number(j->q.v, q_at + i);
        for (uint64_t m = 0; m < e; m++)
            out[m] += query * state[i * e + m];
    }
    for (uint64_t m = 0; m < e; m++)
        out[m] *= j->scale;
    ref_store_numbers(j->y, (place * (uint64_t)j->q.heads + q_head) * e, e, out);
}

/* One head of keys of one example, through time. */
static void run_task(void *user, uint64_t task) {
    const linear_job *j = user;
    const uint64_t heads = (uint64_t)j->k.heads, batch = task / heads, head = task % heads;
    const uint64_t d = (uint64_t)j->k.size, e = (uint64_t)j->v.size;
    const uint64_t group = (uint64_t)(j->q.heads / j->k.heads);
    double *state = j->state + task * d * e, *line = j->scratch + task * e;
    for (uint64_t t = 0; t < (uint64_t)j->k.length; t++) {
        decay_state(j, batch * (uint64_t)j->k.length + t, head, state);
        make_update(j, batch, head, t, state, line);
        const uint64_t k_at = ref_heads_at(&j->k, batch, head, t);
        for (uint64_t i = 0; i < d; i++) {
            const double key = number(j->k.v, k_at + i);
            for (uint64_t m = 0; m < e; m++)
                state[i * e + m] += key * line[m];
        }
        for (uint64_t g = 0; g < group; g++)
            read_state(j, batch, head * group + g, t, state, line);
    }
}

/* Inputs DECAY and BETA as the rule wants them. */
static ondol_status read_rule(const plan_call *c, linear_job *j, ondol_error *err) {
    const char *rule = graph_get_string(c->g, c->node, "update_rule");
    const bool is_gated = strcmp(rule, "gated") == 0 || strcmp(rule, "gated_delta") == 0;
    const bool is_delta = strcmp(rule, "delta") == 0 || strcmp(rule, "gated_delta") == 0;
    tensor_value *v = NULL;
    ondol_status status = ONDOL_OK;
    if (!is_gated && !is_delta && strcmp(rule, "linear") != 0) {
        return plan_call_fail(c, err, "update_rule is '%s'", rule);
    }
    if (is_gated != (plan_call_input(c, DECAY) != NULL) ||
        is_delta != (plan_call_input(c, BETA) != NULL)) {
        return plan_call_fail(c, err, "update_rule '%s' does not go with its inputs", rule);
    }
    int64_t dims[3] = {j->k.batch, j->k.length, j->k.heads};
    if (is_gated) {
        TRY(ref_float_input(c, DECAY, &v, err));
        j->is_decay_per_head = v->rank == 3 && v->dims[2] == j->k.heads;
        if (!j->is_decay_per_head) dims[2] = j->k.v->dims[2];
        TRY(ref_expect_dims(c, "decay", v, 3, dims, err));
        j->decay = v;
    }
    if (is_delta) {
        TRY(ref_float_input(c, BETA, &v, err));
        j->is_beta_shared = v->rank == 3 && v->dims[2] == 1;
        dims[2] = j->is_beta_shared ? 1 : j->k.heads;
        TRY(ref_expect_dims(c, "beta", v, 3, dims, err));
        j->beta = v;
    }
done:
    return status;
}

/* The state before, of zeros where none is given; *type: of the state behind. */
static ondol_status read_state_input(const plan_call *c, linear_job *j, const int64_t *dims,
                                     tensor_element *type, ondol_error *err) {
    tensor_value *past = NULL;
    uint64_t count = 0;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    *type = j->q.v->element;
    if (plan_call_input(c, PAST)) {
        TRY(ref_float_input(c, PAST, &past, err));
        TRY(ref_expect_dims(c, "past_state", past, 4, dims, err));
        *type = past->element;
        return ref_all_numbers(c, past, &j->state, err);
    }
    if (!ref_product(4, dims, &count)) return plan_call_fail(c, err, "its state is too large");
    TRY(ref_alloc(c, count, sizeof *j->state, "state", &memory, err));
    j->state = memory;
    for (uint64_t i = 0; i < count; i++)
        j->state[i] = 0;
done:
    return status;
}

static ondol_status begin(plan_call *c, linear_job *j, ondol_error *err) {
    const int64_t q_heads = graph_get_int(c->g, c->node, "q_num_heads");
    const int64_t kv_heads = graph_get_int(c->g, c->node, "kv_num_heads");
    ondol_status status = ONDOL_OK;
    TRY(ref_heads_begin(c, QUERY, "query", q_heads, &j->q, err));
    TRY(ref_heads_begin(c, KEY, "key", kv_heads, &j->k, err));
    TRY(ref_heads_begin(c, VALUE, "value", kv_heads, &j->v, err));
    TRY(ref_heads_check(c, &j->q, &j->k, &j->v, err));
    if (j->q.v->rank != 3 || j->k.v->rank != 3 || j->v.v->rank != 3 || j->q.length != j->k.length) {
        return plan_call_fail(c, err, "query, key and value: expected rank 3 and one length");
    }
    j->scale = graph_get_float(c->g, c->node, "scale");
    if (j->scale == 0) j->scale = 1 / sqrt((double)j->q.size);
    TRY(read_rule(c, j, err));
done:
    return status;
}

ondol_status ref_linear_attention(plan_call *c, ondol_error *err) {
    linear_job j = {0};
    tensor_value *present = NULL;
    tensor_element type = TENSOR_ELEMENT_F32;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    TRY(begin(c, &j, err));
    const int64_t row[2] = {j.q.heads, j.v.size};
    const int64_t state[4] = {j.k.batch, j.k.heads, j.k.size, j.v.size};
    const uint64_t tasks = (uint64_t)(j.k.batch * j.k.heads);
    uint64_t width = 0;
    if (!ref_product(2, row, &width)) return plan_call_fail(c, err, "its values are too large");
    const int64_t dims[3] = {j.q.batch, j.q.length, (int64_t)width};
    TRY(plan_call_output(c, 0, j.q.v->element, 3, dims, &j.y, err));
    TRY(read_state_input(c, &j, state, &type, err));
    TRY(plan_call_output(c, 1, type, 4, state, &present, err));
    TRY(ref_alloc(c, tasks * sizeof *j.scratch, (uint64_t)j.v.size, "values", &memory, err));
    j.scratch = memory;
    if (j.y->elems) ref_run_tasks(c, tasks, run_task, &j);
    ref_store_numbers(present, 0, present->elems, j.state);
done:
    tensor_heap_free(c->heap, j.state);
    tensor_heap_free(c->heap, j.scratch);
    return status;
}
