/* plan: steps, memory, segments, weights and cache groups of a tiny llama, on the null device and
 * on devices of the test's own. */
#include <inttypes.h>

#include "device/null/null_device.h"
#include "plan_fixture.h"

static const plan_bucket buckets[] = {{1, 1}, {8, 1}, {8, 8}, {33, 5}, {256, 4}};
#define BUCKET_COUNT (sizeof buckets / sizeof *buckets)

static bool takes_no_v(const graph *g, graph_node_id n) {
    return g->nodes[n].op == GRAPH_OP_O_MATMUL && !strstr(g->nodes[n].name, "attn_v");
}

/* ---- memory ---- */

static uint64_t rows_of(const plan *p, uint32_t v) {
    switch (p->values[v].rows) {
    case PLAN_ROWS_ALL: return p->max_rows;
    case PLAN_ROWS_OUTPUTS:
    case PLAN_ROWS_LOGITS: return p->max_outputs;
    default: return 1;
    }
}

/* What was written last into each 4 bytes of the scratch buffer: a plan value, or PLAN_NONE. */
typedef struct replay {
    const plan *p;
    uint32_t *writer;
    uint64_t words;
} replay;

/* Calls for each word of value v: writes `mark`, or checks that it is there. */
static void go_over(replay *r, uint32_t v, uint32_t device, bool write, uint32_t mark,
                    uint32_t step) {
    const plan *p = r->p;
    const plan_value *value = p->values + v;
    const plan_device *d = p->devices[device];
    uint64_t rows = rows_of(p, v), columns = value->columns, stride = value->row_stride;
    if (value->activation != PLAN_ACTIVATION_F32) {
        columns = d->ops->activation_bytes(d, value->activation, rows, columns) / 4;
        rows = 1;
    }
    assert_int_equal(value->offset % 4, 0);
    for (uint64_t row = 0; row < rows; row++) {
        for (uint64_t c = 0; c < columns; c++) {
            uint64_t at = value->offset / 4 + row * stride + c;
            if (at >= r->words) fail_msg("step %u: value %u passes the end", step, v);
            if (write) {
                r->writer[at] = mark;
            } else if (r->writer[at] != mark) {
                fail_msg("step %u reads value %u, row %" PRIu64 ", column %" PRIu64
                         ": holds value %u, expected %u",
                         step, v, row, c, r->writer[at], mark);
            }
        }
    }
}

/* The value whose step wrote what v shows: v, or what its Columns and FirstRows look at. */
static uint32_t written_as(const plan *p, uint32_t v) {
    if (p->values[v].activation != PLAN_ACTIVATION_F32) return v;
    const graph *g = p->source;
    graph_value_id source = p->values[v].source;
    for (;;) {
        const graph_node *n = g->nodes + g->values[source].producer;
        if (n->op != GRAPH_OP_O_COLUMNS && n->op != GRAPH_OP_O_FIRST_ROWS) break;
        source = n->inputs[0];
    }
    for (uint32_t i = 0; i < p->value_count; i++) {
        if (p->values[i].source == source && p->values[i].activation == PLAN_ACTIVATION_F32) {
            return i;
        }
    }
    fail_msg("value %u has no origin", v);
    return PLAN_NONE;
}

static void read_value(replay *r, uint32_t v, uint32_t device, uint32_t step) {
    if (v == PLAN_NONE || r->p->values[v].storage != PLAN_STORAGE_SCRATCH) return;
    go_over(r, v, device, false, written_as(r->p, v), step);
}

/* Goes through the steps with the most rows, noting who wrote each word: every step must still find
 * its inputs, and the caller hidden states and logits. */
static void replay_memory(const plan *p) {
    replay r = {.p = p, .words = p->scratch_bytes / 4};
    ondol_allocator heap = base_default_allocator();
    r.writer = base_alloc(&heap, r.words, sizeof *r.writer);
    assert_non_null(r.writer);
    for (uint64_t i = 0; i < r.words; i++)
        r.writer[i] = PLAN_NONE;
    for (uint32_t s = 0; s < p->step_count; s++) {
        const plan_step *step = p->steps + s;
        for (int i = 0; i < PLAN_MAX_INPUTS; i++)
            read_value(&r, step->in[i], step->device, s);
        assert_int_equal(p->values[step->out].storage, PLAN_STORAGE_SCRATCH);
        go_over(&r, step->out, step->device, true, step->out, s);
    }
    read_value(&r, p->hidden, 0, p->step_count);
    read_value(&r, p->logits, 0, p->step_count);
    base_free(&heap, r.writer);
}

typedef struct life {
    uint32_t first, last; /* steps */
    uint64_t begin, end;  /* bytes */
} life;

static void touch(const plan *p, life *lives, uint32_t v, uint32_t step, uint32_t device) {
    if (v == PLAN_NONE || p->values[v].storage != PLAN_STORAGE_SCRATCH) return;
    uint32_t root = p->values[v].root;
    life *l = lives + root;
    if (l->end == 0) {
        const plan_device *d = p->devices[device];
        plan_activation kind = p->values[root].activation;
        uint64_t bytes = rows_of(p, root) * p->values[root].columns * 4;
        if (kind != PLAN_ACTIVATION_F32)
            bytes = d->ops->activation_bytes(d, kind, rows_of(p, root), p->values[root].columns);
        *l = (life){step, step, p->values[root].offset, p->values[root].offset + bytes};
    }
    l->last = step;
}

/* No two roots whose first and last steps meet share a byte. */
static void check_lives(const plan *p) {
    ondol_allocator heap = base_default_allocator();
    life *lives = base_calloc(&heap, p->value_count, sizeof *lives);
    assert_non_null(lives);
    for (uint32_t s = 0; s < p->step_count; s++) {
        for (int i = 0; i < PLAN_MAX_INPUTS; i++)
            touch(p, lives, p->steps[s].in[i], s, p->steps[s].device);
        touch(p, lives, p->steps[s].out, s, p->steps[s].device);
    }
    touch(p, lives, p->hidden, p->step_count, 0);
    touch(p, lives, p->logits, p->step_count, 0);
    for (uint32_t a = 0; a < p->value_count; a++) {
        if (lives[a].end > p->scratch_bytes) fail_msg("value %u passes the end", a);
        if (lives[a].end && lives[a].begin % 64) fail_msg("value %u is not aligned", a);
        for (uint32_t b = a + 1; b < p->value_count; b++) {
            const life *x = lives + a, *y = lives + b;
            if (x->first > y->last || y->first > x->last) continue;
            if (x->begin < y->end && y->begin < x->end) fail_msg("%u and %u share memory", a, b);
        }
    }
    base_free(&heap, lives);
}

static void check_memory(const graph *g, plan_device *const *devices, uint32_t count) {
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        planned x = plan_of(g, devices, count, NULL, buckets[i]);
        replay_memory(x.p);
        check_lives(x.p);
        planned_destroy(&x);
    }
}

/* vocabulary: with a large one the logits are the largest value of all. */
static void check_memory_of_llama(uint64_t vocabulary) {
    ondol_error err = {0};
    lowered_llama l;
    tiny_llama_init(&l.model, 3);
    tiny_find_tensor(&l.model, "token_embd.weight")->dims[1] = vocabulary;
    tiny_find_tensor(&l.model, "output.weight")->dims[1] = vocabulary;
    lowered_open_prepared(&l, &l.model.heap);
    plan_device *null = NULL;
    fake_device f32, q8, some;
    ASSERT_OK(null_device_create(&l.model.heap, &null, &err));
    plan_device *lists[][2] = {
        {null, NULL},
        {fake_device_init(&f32, "f32", NULL, false), NULL},
        {fake_device_init(&q8, "q8", NULL, true), null},
        {fake_device_init(&some, "some", takes_no_v, true), &q8.base},
    };
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        check_memory(l.decoder->lowered, lists[i], lists[i][1] ? 2 : 1);
    null->ops->destroy(null);
    lowered_close(&l);
}

static void values_that_live_at_once_lie_apart(void **state) {
    (void)state;
    check_memory_of_llama(TINY_VOCABULARY);
    check_memory_of_llama(640);
}

static void scratch_grows_with_the_bucket(void **state) {
    (void)state;
    lowered_llama l;
    lowered_open(&l, 2);
    fake_device f;
    plan_device *device = fake_device_init(&f, "fake", NULL, true);
    uint64_t last = 0;
    for (uint32_t rows = 1; rows <= 4096; rows *= 4) {
        planned x = plan_of(l.decoder->lowered, &device, 1, NULL, (plan_bucket){rows, 1});
        assert_true(x.p->scratch_bytes > last);
        assert_int_equal(x.p->max_rows, rows);
        last = x.p->scratch_bytes;
        planned_destroy(&x);
    }
    last = 0;
    for (uint32_t outputs = 1; outputs <= 4096; outputs *= 4) {
        planned x = plan_of(l.decoder->lowered, &device, 1, NULL, (plan_bucket){4096, outputs});
        assert_true(x.p->scratch_bytes >= last);
        last = x.p->scratch_bytes;
        planned_destroy(&x);
    }
    lowered_close(&l);
}

/* ---- steps ---- */

static const plan_step *step_named(const plan *p, const char *name) {
    for (uint32_t s = 0; s < p->step_count; s++) {
        graph_node_id n = p->steps[s].node;
        if (n != GRAPH_NONE && strcmp(p->source->nodes[n].name, name) == 0) return p->steps + s;
    }
    fail_msg("no step '%s'", name);
    return NULL;
}

static bool is_in_place(const plan *p, const plan_step *s) {
    return s->in[0] != PLAN_NONE && p->values[s->in[0]].root == p->values[s->out].root;
}

/* That an input is never needed again is replay_memory's to say. */
static void steps_are_in_place_where_their_input_is_dead(void **state) {
    (void)state;
    lowered_llama l;
    lowered_open(&l, 2);
    fake_device f;
    plan_device *device = fake_device_init(&f, "fake", NULL, false);
    planned x = plan_of(l.decoder->lowered, &device, 1, NULL, (plan_bucket){8, 2});
    const plan *p = x.p;
    static const struct {
        const char *name;
        bool in_place;
    } expected[] = {
        {"token_embd", false},        {"blk.0.attn_norm", false}, /* the residual stream lives on */
        {"blk.0.q_rope", true},       {"blk.0.k_rope", true},
        {"blk.0.attention", false},   {"blk.0.attn_residual", true},
        {"blk.0.ffn_norm", false},    {"blk.0.ffn_gated", false},
        {"blk.0.ffn_residual", true}, {"blk.1.attn_norm", false},
        {"output_norm", true},        {"output", false},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        if (is_in_place(p, step_named(p, expected[i].name)) != expected[i].in_place) {
            fail_msg("'%s' is %sin place", expected[i].name, expected[i].in_place ? "not " : "");
        }
    }
    planned_destroy(&x);
    lowered_close(&l);
}

static void steps_know_their_numbers(void **state) {
    (void)state;
    lowered_llama l;
    lowered_open(&l, 2);
    fake_device f;
    plan_device *device = fake_device_init(&f, "fake", NULL, false);
    planned x = plan_of(l.decoder->lowered, &device, 1, NULL, (plan_bucket){8, 2});
    const plan *p = x.p;
    const plan_step *s = step_named(p, "blk.1.attention");
    assert_int_equal(s->layer, 1);
    assert_int_equal(s->heads, TINY_HEADS);
    assert_int_equal(s->kv_heads, TINY_KV_HEADS);
    assert_int_equal(s->head_size, TINY_HEAD_SIZE);
    assert_int_equal(s->window, 0);
    assert_true(s->scale == 0.25f);
    s = step_named(p, "blk.0.k_rope");
    assert_int_equal(s->heads, TINY_KV_HEADS);
    assert_int_equal(s->head_size, TINY_HEAD_SIZE);
    assert_true(s->interleaved);
    s = step_named(p, "blk.0.ffn_norm");
    assert_true(s->epsilon == 1e-5f);
    assert_int_equal(s->groups, 1);
    s = step_named(p, "blk.0.attn_q");
    assert_int_equal(s->part_count, 3);
    assert_int_equal(s->parts[0].outputs, 64);
    assert_int_equal(s->parts[1].outputs, 32);
    assert_int_equal(s->parts[2].outputs, 32);
    assert_int_equal(s->parts[2].bias, PLAN_NONE);
    assert_int_equal(p->values[s->out].columns, 128);
    /* Past the last attention only the rows wanted back are computed, and of these some logits. */
    assert_int_equal(p->values[step_named(p, "blk.1.ffn_down")->out].rows, PLAN_ROWS_OUTPUTS);
    assert_int_equal(p->values[step_named(p, "blk.0.ffn_down")->out].rows, PLAN_ROWS_ALL);
    assert_int_equal(p->values[p->hidden].rows, PLAN_ROWS_OUTPUTS);
    assert_int_equal(p->values[p->logits].rows, PLAN_ROWS_LOGITS);
    assert_int_equal(p->values[p->logits].columns, TINY_VOCABULARY);
    const plan_step_block block = {.row_count = 7, .output_count = 2, .logit_count = 1};
    assert_int_equal(plan_value_rows(p, step_named(p, "blk.0.attn_q")->out, &block), 7);
    assert_int_equal(plan_value_rows(p, p->hidden, &block), 2);
    assert_int_equal(plan_value_rows(p, p->logits, &block), 1);
    planned_destroy(&x);
    lowered_close(&l);
}

/* ---- quantised operands ---- */

static void check_operands(const plan *p) {
    for (uint32_t s = 0; s < p->step_count; s++) {
        const plan_step *step = p->steps + s;
        if (step->op != PLAN_OP_MATMUL) continue;
        assert_int_equal(p->values[step->in[0]].activation, step->choice.activation);
        if (step->choice.activation == PLAN_ACTIVATION_F32) continue;
        /* Made by a step before, on the same device, of the node's own input. */
        bool made = false;
        for (uint32_t k = 0; k < s; k++) {
            const plan_step *q = p->steps + k;
            if (q->op != PLAN_OP_QUANTIZE || q->out != step->in[0]) continue;
            assert_int_equal(q->device, step->device);
            assert_int_equal(p->values[q->in[0]].source, p->source->nodes[step->node].inputs[0]);
            assert_int_equal(p->values[q->in[0]].activation, PLAN_ACTIVATION_F32);
            made = true;
        }
        assert_true(made);
    }
}

static uint32_t count_op(const plan *p, plan_op op) {
    uint32_t count = 0;
    for (uint32_t s = 0; s < p->step_count; s++)
        count += p->steps[s].op == op;
    return count;
}

/* q, k, v as three matmuls (before fusion) read one quantised operand; so do gate and up. */
static void consumers_share_a_quantised_operand(void **state) {
    (void)state;
    ondol_error err = {0};
    lowered_llama l;
    lowered_open(&l, 2);
    optimize_decoder unfused = {.allocator = &l.model.heap};
    ASSERT_OK(optimize_lower_decoder(l.portable, &(optimize_options){0}, &unfused, &err));
    fake_device first, second;
    plan_device *devices[2] = {fake_device_init(&first, "first", NULL, true),
                               fake_device_init(&second, "second", NULL, true)};
    planned x = plan_of(unfused.lowered, devices, 1, NULL, (plan_bucket){8, 2});
    check_operands(x.p);
    replay_memory(x.p);
    assert_int_equal(count_op(x.p, PLAN_OP_MATMUL), 2 * 7 + 1);
    assert_int_equal(count_op(x.p, PLAN_OP_QUANTIZE), 2 * 4 + 1);
    assert_int_equal(step_named(x.p, "blk.0.attn_q")->in[0],
                     step_named(x.p, "blk.0.attn_v")->in[0]);
    planned_destroy(&x);

    /* Each device has its own: v's is made once more on the second. */
    fake_device_init(&first, "first", takes_no_v, true);
    x = plan_of(unfused.lowered, devices, 2, NULL, (plan_bucket){8, 2});
    check_operands(x.p);
    replay_memory(x.p);
    assert_int_equal(count_op(x.p, PLAN_OP_QUANTIZE), 2 * 5 + 1);
    assert_int_equal(step_named(x.p, "blk.0.attn_q")->in[0],
                     step_named(x.p, "blk.0.attn_k")->in[0]);
    assert_int_not_equal(step_named(x.p, "blk.0.attn_q")->in[0],
                         step_named(x.p, "blk.0.attn_v")->in[0]);
    assert_string_equal(step_named(x.p, "blk.0.attn_v")->choice.kernel, "fake_q8");
    planned_destroy(&x);
    optimize_decoder *fused = l.decoder;
    x = plan_of(fused->lowered, devices, 2, NULL, (plan_bucket){8, 2});
    check_operands(x.p);
    assert_int_equal(count_op(x.p, PLAN_OP_QUANTIZE), count_op(x.p, PLAN_OP_MATMUL));
    planned_destroy(&x);
    graph_destroy(unfused.lowered);
    base_free(&l.model.heap, unfused.layers);
    lowered_close(&l);
}
int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_that_live_at_once_lie_apart),
        cmocka_unit_test(scratch_grows_with_the_bucket),
        cmocka_unit_test(steps_are_in_place_where_their_input_is_dead),
        cmocka_unit_test(steps_know_their_numbers),
        cmocka_unit_test(consumers_share_a_quantised_operand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
