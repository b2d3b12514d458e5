/* plan: which device gets a node, segments, weights made ready, cache groups, what is printed, and
 * every allocation that may fail. */
#include "device/null/null_device.h"
#include "fail_alloc.h"
#include "graph/ops.h"
#include "plan_fixture.h"

static const plan_weights_options NO_OPTIONS = {NULL, NULL, NULL};

static bool takes_matmuls(const graph *g, graph_node_id n) {
    return g->nodes[n].op == GRAPH_OP_O_MATMUL;
}

static bool takes_no_rope(const graph *g, graph_node_id n) {
    return g->nodes[n].op != GRAPH_OP_O_ROPE;
}

static bool takes_nothing(const graph *g, graph_node_id n) {
    (void)g, (void)n;
    return false;
}

/* ---- placement ---- */

static void segments_alternate_with_the_devices(void **state) {
    (void)state;
    ondol_error err = {0};
    lowered_llama l;
    lowered_open(&l, 2);
    fake_device first, second;
    base_buffer log;
    base_buffer_init(&log, &l.model.heap, 1 << 16);
    plan_device *devices[2] = {fake_device_init(&first, "matmuls", takes_matmuls, true),
                               fake_device_init(&second, "rest", NULL, false)};
    first.log = second.log = &log;
    planned x = plan_of(l.decoder->lowered, devices, 2, NULL, (plan_bucket){8, 2});
    const plan *p = x.p;
    assert_int_equal(p->segments[0].first, 0);
    assert_int_equal(p->segments[p->segment_count - 1].end, p->step_count);
    for (uint32_t i = 0; i < p->segment_count; i++) {
        const plan_segment *s = p->segments + i;
        assert_true(s->first < s->end);
        if (i) {
            assert_int_equal(s->first, p->segments[i - 1].end);
            assert_int_not_equal(s->device, p->segments[i - 1].device);
        }
        for (uint32_t k = s->first; k < s->end; k++) {
            const plan_step *step = p->steps + k;
            bool multiplies = step->op == PLAN_OP_MATMUL || step->op == PLAN_OP_QUANTIZE;
            assert_int_equal(step->device, s->device);
            assert_int_equal(step->device, multiplies ? 0 : 1);
        }
    }
    assert_int_equal(p->segment_count, 2 * (2 * 4 + 1)); /* four matmuls a layer, the output */

    /* Recorded and run in that order, each segment on its device. */
    base_buffer expected;
    base_buffer_init(&expected, &l.model.heap, 1 << 16);
    for (uint32_t i = 0; i < p->segment_count; i++) {
        base_buffer_append_format(&expected, "%s %u-%u\n",
                                  devices[p->segments[i].device]->ops->name, p->segments[i].first,
                                  p->segments[i].end);
    }
    plan_binding binding = {0};
    ASSERT_OK(plan_record(x.p, &binding, &err));
    assert_int_equal(first.recordings_live + second.recordings_live, p->segment_count);
    ASSERT_OK(plan_run(x.p, &err));
    assert_string_equal(log.data, expected.data);
    planned_destroy(&x);
    assert_int_equal(first.recordings_live + second.recordings_live, 0);

    /* A recording that fails leaves those before it to plan_destroy. */
    second.records_left = 3;
    x = plan_of(l.decoder->lowered, devices, 2, NULL, (plan_bucket){8, 2});
    ASSERT_STATUS(plan_record(x.p, &binding, &err), ONDOL_E_DEVICE);
    assert_string_equal(err.text, "rest: no recording");
    assert_int_equal(first.recordings_live + second.recordings_live, 6);
    planned_destroy(&x);
    assert_int_equal(first.recordings_live + second.recordings_live, 0);
    base_buffer_destroy(&log);
    base_buffer_destroy(&expected);
    lowered_close(&l);
}

static void one_device_is_one_segment(void **state) {
    (void)state;
    ondol_error err = {0};
    lowered_llama l;
    lowered_open(&l, 2);
    plan_device *devices[2] = {NULL, NULL};
    fake_device none;
    ASSERT_OK(null_device_create(&l.model.heap, devices + 1, &err));
    devices[0] = fake_device_init(&none, "none", takes_nothing, true);
    planned x = plan_of(l.decoder->lowered, devices, 2, NULL, (plan_bucket){8, 2});
    assert_int_equal(x.p->segment_count, 1);
    assert_int_equal(x.p->segments[0].device, 1);
    assert_string_equal(x.p->steps[0].choice.kernel, "null");
    planned_destroy(&x);
    devices[1]->ops->destroy(devices[1]);
    lowered_close(&l);
}

static void a_node_that_no_device_takes_is_named(void **state) {
    (void)state;
    ondol_error err = {0};
    lowered_llama l;
    lowered_open(&l, 1);
    const graph *g = l.decoder->lowered;
    fake_device f;
    plan_device *device = fake_device_init(&f, "fake", takes_no_rope, false);
    plan_weights *w = NULL;
    plan *p = NULL;
    base_buffer text;
    base_buffer_init(&text, &l.model.heap, 1 << 16);
    ASSERT_OK(plan_weights_create_empty(&l.model.heap, g, &device, 1, &w, &err));
    ASSERT_STATUS(plan_create(&l.model.heap, g, w, NULL, 8, 2, &p, &err), ONDOL_E_UNSUPPORTED);
    assert_string_equal(err.text, "no device computes node 'blk.0.q_rope' (Rope)");
    assert_null(p);
    ASSERT_STATUS(plan_explain(g, &device, 1, &text, &err), ONDOL_E_UNSUPPORTED);
    assert_string_equal(err.text, "no device computes node 'blk.0.q_rope' (Rope)");
    ASSERT_CONTAINS(text.data, "the test says no: declined");
    plan_weights_destroy(w);
    base_buffer_destroy(&text);

    w = NULL;
    fake_device_init(&f, "fake", takes_nothing, false);
    ASSERT_STATUS(plan_weights_create(&l.model.heap, g, &device, 1, &NO_OPTIONS, &w, &err),
                  ONDOL_E_UNSUPPORTED);
    assert_string_equal(err.text, "no device computes node 'blk.0.attn_q' (MatMul)");
    ASSERT_STATUS(plan_weights_create_empty(&l.model.heap, g, &device, 0, &w, &err),
                  ONDOL_E_UNSUPPORTED);
    assert_null(w);
    assert_int_equal(f.weights_made, 0);
    lowered_close(&l);
}

static void a_portable_graph_is_no_plan(void **state) {
    (void)state;
    ondol_error err = {0};
    lowered_llama l;
    lowered_open(&l, 1);
    fake_device f;
    plan_device *device = fake_device_init(&f, "fake", NULL, false);
    plan_weights *w = NULL;
    plan *p = NULL;
    ASSERT_OK(plan_weights_create_empty(&l.model.heap, l.portable, &device, 1, &w, &err));
    ASSERT_STATUS(plan_create(&l.model.heap, l.portable, w, NULL, 8, 2, &p, &err),
                  ONDOL_E_UNSUPPORTED);
    assert_string_equal(err.text, "node 'rope_position' (Cast): no step computes it");
    plan_weights_destroy(w);
    lowered_close(&l);
}

/* ---- weights ---- */

typedef struct progress {
    uint32_t calls, borrowed, stop_at; /* stop_at 0: never */
    uint64_t done, total;
} progress;

static int count_progress(void *user, const graph_value *v, bool borrowed, uint64_t done,
                          uint64_t total) {
    progress *x = user;
    assert_int_equal(done - x->done, v->data_bytes);
    assert_true(done <= total);
    assert_true(x->calls == 0 || total == x->total);
    x->calls++;
    x->borrowed += borrowed;
    x->done = done;
    x->total = total;
    return x->calls == x->stop_at;
}

static uint64_t file_bytes(lowered_llama *l) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < gguf_tensor_count(l->file); i++) {
        const gguf_tensor *t = gguf_tensor_at(l->file, i);
        if (t->n_dims == 2) bytes += t->size_bytes;
    }
    return bytes;
}

static void weights_are_counted_as_they_are_made(void **state) {
    (void)state;
    for (int tied = 0; tied < 2; tied++) {
        ondol_error err = {0};
        lowered_llama l;
        tiny_llama_init(&l.model, 2);
        if (tied) tiny_remove_tensor(&l.model, "output.weight");
        lowered_open_prepared(&l, &l.model.heap);
        const graph *g = l.decoder->lowered;
        fake_device f;
        plan_device *device = fake_device_init(&f, "fake", NULL, true);
        plan_weights *empty = NULL, *made = NULL;
        ASSERT_OK(plan_weights_create_empty(&l.model.heap, g, &device, 1, &empty, &err));
        assert_int_equal(f.weights_made, 0);
        /* 7 matrices a layer and the output, each 64 bytes more than in the file; a table that is
         * only looked up is 24. */
        uint64_t table = TINY_VOCABULARY * TINY_HIDDEN / 32 * 18, all = file_bytes(&l);
        uint64_t expected = all + 15 * 64 + (tied ? 0 : 24 - table);
        assert_int_equal(empty->memory_bytes, expected);
        progress seen = {0};
        const plan_weights_options counted = {count_progress, NULL, &seen};
        ASSERT_OK(plan_weights_create(&l.model.heap, g, &device, 1, &counted, &made, &err));
        assert_int_equal(made->memory_bytes, expected);
        assert_int_equal(f.weights_made, tied ? 15 : 16);
        assert_int_equal(seen.calls, f.weights_made);
        assert_int_equal(seen.borrowed, tied ? 0 : 1);
        assert_int_equal(seen.done, all);
        assert_int_equal(seen.total, all);
        plan_weights_destroy(made);
        assert_int_equal(f.weights_live, 0);
        /* Stopped at the fourth. */
        made = NULL;
        seen = (progress){.stop_at = 4};
        ASSERT_STATUS(plan_weights_create(&l.model.heap, g, &device, 1, &counted, &made, &err),
                      ONDOL_E_CANCELLED);
        ASSERT_CONTAINS(err.text, "opening was stopped at ");
        assert_null(made);
        assert_int_equal(seen.calls, 4);
        assert_int_equal(f.weights_live, 0);
        plan_weights_destroy(empty);
        lowered_close(&l);
    }
}

/* A tied table that one device multiplies with and another looks up would be the one's structure in
 * the other's hands. */
static void a_weight_belongs_to_one_device(void **state) {
    (void)state;
    ondol_error err = {0};
    lowered_llama l;
    tiny_llama_init(&l.model, 1);
    tiny_remove_tensor(&l.model, "output.weight");
    lowered_open_prepared(&l, &l.model.heap);
    fake_device first, second;
    plan_device *devices[2] = {fake_device_init(&first, "matmuls", takes_matmuls, true),
                               fake_device_init(&second, "rest", NULL, false)};
    plan_weights *w = NULL;
    const char *sentence = "tensor 'token_embd.weight' is used on device matmuls and on device "
                           "rest; expected one";
    ASSERT_STATUS(
        plan_weights_create_empty(&l.model.heap, l.decoder->lowered, devices, 2, &w, &err),
        ONDOL_E_UNSUPPORTED);
    assert_string_equal(err.text, sentence);
    ASSERT_STATUS(
        plan_weights_create(&l.model.heap, l.decoder->lowered, devices, 2, &NO_OPTIONS, &w, &err),
        ONDOL_E_UNSUPPORTED);
    assert_string_equal(err.text, sentence);
    assert_null(w);
    assert_int_equal(first.weights_made + second.weights_made, 0);
    lowered_close(&l);
}

/* ---- cache groups ---- */

static void cache_groups_are_by_window(void **state) {
    (void)state;
    ondol_error err = {0};
    ondol_allocator heap = base_default_allocator();
    const plan_kv_description layers[] = {{2, 16, 8},  {2, 16, 0}, {1, 17, 8},
                                          {4, 16, 16}, {2, 16, 0}, {3, 16, 8}};
    const uint32_t group[] = {0, 1, 0, 2, 1, 0}, windows[] = {8, 0, 16};
    plan_kv *kv = NULL;
    for (int type = TENSOR_KV_F16; type <= TENSOR_KV_F32; type++) {
        ASSERT_OK(plan_kv_create(&heap, layers, 6, (tensor_kv_type)type, 16, &kv, &err));
        assert_int_equal(kv->group_count, 3);
        assert_int_equal(kv->layer_count, 6);
        uint64_t used[3] = {0};
        for (uint32_t i = 0; i < 6; i++) {
            const plan_kv_layer *l = kv->layers + i;
            tensor_kv_layout layout = plan_kv_layout(kv, i);
            assert_int_equal(l->group, group[i]);
            assert_int_equal(l->offset_bytes, used[group[i]]);
            assert_int_equal(layout.type, type);
            assert_int_equal(layout.page_tokens, 16);
            assert_int_equal(layout.kv_heads, layers[i].kv_heads);
            assert_int_equal(layout.head_size, layers[i].head_size);
            used[group[i]] += (tensor_kv_layer_bytes(&layout) + 63) / 64 * 64;
        }
        for (uint32_t i = 0; i < 3; i++) {
            assert_int_equal(kv->groups[i].window, windows[i]);
            assert_int_equal(kv->groups[i].page_bytes, used[i]);
        }
        plan_kv_destroy(kv);
    }
    ASSERT_OK(plan_kv_create(&heap, NULL, 0, TENSOR_KV_F16, 32, &kv, &err));
    assert_int_equal(kv->group_count, 0);
    plan_kv_destroy(kv);
}

static void a_page_beyond_64_bits_is_refused(void **state) {
    (void)state;
    ondol_error err = {0};
    ondol_allocator heap = base_default_allocator();
    const uint32_t most = (1 << 20) - 1;
    const plan_kv_description layers[] = {{most, most, 0}, {most, most, 0}, {most, most, 0}};
    plan_kv *kv = NULL;
    ASSERT_STATUS(
        plan_kv_create(&heap, layers, 3, TENSOR_KV_F32, (1 << 20) - TENSOR_KV_BLOCK, &kv, &err),
        ONDOL_E_LIMIT);
    assert_string_equal(err.text, "cache page of layer 2 does not fit");
    assert_null(kv);
}

/* ---- text ---- */

static uint32_t lines_of(const char *text) {
    uint32_t lines = 0;
    for (; *text; text++)
        lines += *text == '\n';
    return lines;
}

static void a_plan_is_printed(void **state) {
    (void)state;
    lowered_llama l;
    lowered_open(&l, 2);
    fake_device f;
    plan_device *device = fake_device_init(&f, "fake", NULL, true);
    plan_kv *kv = NULL;
    lowered_kv(&l, &l.model.heap, &kv);
    planned x = plan_of(l.decoder->lowered, &device, 1, kv, (plan_bucket){8, 2});
    base_buffer text;
    base_buffer_init(&text, &l.model.heap, 1 << 16);
    plan_print(x.p, &text);
    assert_int_equal(text.fault, BASE_BUFFER_FINE);
    assert_int_equal(lines_of(text.data), 2 + 1 + x.p->step_count);
    char part[128];
    tiny_format(part, sizeof part, "%u steps in 1 segments\n", x.p->step_count);
    const char *const parts[] = {
        "plan for steps of at most 8 rows (R), 2 of them wanted back (O)",
        part,
        /* two layers, keys and values, 2 heads of 16 for 32 tokens, of 2 bytes */
        "cache group 0: window 0, pages of 32 tokens, 8192 bytes\n",
        " ids token_embd.weight ->",
        "[R,64]q8",
        " fake_q8 ",
        " blk.0.attn_q.weight:Q4_0 blk.0.attn_k.weight:Q4_0 blk.0.attn_v.weight:Q4_0 -> @",
        "[R,128]  # blk.0.attn_q\n",
        " output.weight:Q4_0 -> @",
        "[L,40]  # output\n",
        "[O,64]  # blk.1.ffn_residual\n",
        " positions regimes ",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        ASSERT_CONTAINS(text.data, parts[i]);
    for (uint32_t i = 0; i < x.p->step_count; i++)
        ASSERT_CONTAINS(text.data, plan_op_name(x.p->steps[i].op));
    base_buffer_destroy(&text);
    planned_destroy(&x);
    plan_kv_destroy(kv);
    lowered_close(&l);
}

static void operators_have_names(void **state) {
    (void)state;
    for (int i = 0; i < PLAN_OP_COUNT; i++) {
        const char *name = plan_op_name((plan_op)i);
        assert_true(name && *name);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(name, plan_op_name((plan_op)k));
    }
    assert_string_equal(plan_op_name(PLAN_OP_COUNT), "unknown");
}

static void a_plan_is_explained(void **state) {
    (void)state;
    ondol_error err = {0};
    lowered_llama l;
    lowered_open(&l, 3);
    fake_device first, second;
    plan_device *devices[2] = {fake_device_init(&first, "first", takes_matmuls, true),
                               fake_device_init(&second, "second", NULL, false)};
    base_buffer text;
    base_buffer_init(&text, &l.model.heap, 1 << 16);
    ASSERT_OK(plan_explain(l.decoder->lowered, devices, 2, &text, &err));
    static const char *const parts[] = {
        "Embed Q4_0[40,64]  # token_embd\n  first: the test says no: declined\n",
        "the test says no: declined\n  second: fake_f32\n",
        "MatMul Q4_0[64,64] Q4_0[32,64] Q4_0[32,64]  # blk.0.attn_q\n  first: fake_q8\n",
        "MatMul Q4_0[96,64] Q4_0[96,64]  # blk.0.ffn_gate\n  first: fake_q8\n",
        "MatMul Q4_0[64,96]  # blk.0.ffn_down\n  first: fake_q8\n",
        "MatMul Q4_0[40,64]  # output\n  first: fake_q8\n",
        "PagedAttention  # blk.0.attention\n",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        ASSERT_CONTAINS(text.data, parts[i]);
    /* Each kind once, not once a layer. */
    assert_null(strstr(text.data, "# blk.1."));
    assert_null(strstr(text.data, "Columns"));
    base_buffer_destroy(&text);
    lowered_close(&l);
}

/* ---- memory ---- */

/* Weights made, cache groups, a plan with Q8 operands on two devices, recorded. */
static ondol_status make_all(const ondol_allocator *a, const lowered_llama *l,
                             plan_device *const *devices, ondol_error *err) {
    const plan_kv_description layers[2] = {{2, 16, 0}, {2, 16, 8}};
    const graph *g = l->decoder->lowered;
    plan_weights *w = NULL, *empty = NULL;
    plan_kv *kv = NULL;
    plan *p = NULL;
    plan_binding binding = {0};
    ondol_status status = ONDOL_OK;
    TRY(plan_weights_create_empty(a, g, devices, 2, &empty, err));
    TRY(plan_weights_create(a, g, devices, 2, &NO_OPTIONS, &w, err));
    TRY(plan_kv_create(a, layers, 2, TENSOR_KV_Q8, 16, &kv, err));
    TRY(plan_create(a, g, w, kv, 8, 2, &p, err));
    TRY(plan_record(p, &binding, err));
done:
    if (status != ONDOL_OK && p) assert_true(w && kv);
    plan_destroy(p);
    plan_kv_destroy(kv);
    plan_weights_destroy(empty);
    plan_weights_destroy(w);
    return status;
}

static void every_allocation_may_fail(void **state) {
    (void)state;
    lowered_llama l;
    lowered_open(&l, 2);
    size_t n = 0;
    for (;; n++) {
        ondol_error err = {0};
        fail_alloc memory;
        fake_device first, second;
        plan_device *devices[2] = {fake_device_init(&first, "matmuls", takes_matmuls, true),
                                   fake_device_init(&second, "rest", NULL, false)};
        fail_alloc_init(&memory, n);
        first.allocator = second.allocator = &memory.api;
        ondol_status status = make_all(&memory.api, &l, devices, &err);
        fail_alloc_check_empty(&memory);
        assert_int_equal(first.weights_live + second.weights_live, 0);
        if (!memory.failed) {
            assert_int_equal(status, ONDOL_OK);
            break;
        }
        ASSERT_STATUS(status, ONDOL_E_MEMORY);
        assert_int_equal(err.status, ONDOL_E_MEMORY);
    }
    assert_true(n > 30);
    lowered_close(&l);
}

/* The explanation's own memory is the graph's allocator's. */
static void explaining_may_run_out_of_memory(void **state) {
    (void)state;
    fail_alloc memory;
    lowered_llama l;
    fail_alloc_init(&memory, FAIL_ALLOC_NEVER);
    tiny_llama_init(&l.model, 1);
    lowered_open_prepared(&l, &memory.api);
    fake_device f;
    plan_device *device = fake_device_init(&f, "fake", NULL, false);
    for (size_t n = 0;; n++) {
        ondol_error err = {0};
        base_buffer text;
        memory.failed = false;
        memory.fail_at = memory.calls + n;
        base_buffer_init(&text, &memory.api, 1 << 16);
        size_t live = memory.live_blocks;
        ondol_status status = plan_explain(l.decoder->lowered, &device, 1, &text, &err);
        base_buffer_destroy(&text);
        assert_int_equal(memory.live_blocks, live);
        if (!memory.failed) {
            assert_int_equal(status, ONDOL_OK);
            assert_true(n > 2);
            break;
        }
        ASSERT_STATUS(status, ONDOL_E_MEMORY);
    }
    memory.fail_at = FAIL_ALLOC_NEVER;
    lowered_close(&l);
    fail_alloc_check_empty(&memory);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_alternate_with_the_devices),
        cmocka_unit_test(one_device_is_one_segment),
        cmocka_unit_test(a_node_that_no_device_takes_is_named),
        cmocka_unit_test(a_portable_graph_is_no_plan),
        cmocka_unit_test(weights_are_counted_as_they_are_made),
        cmocka_unit_test(a_weight_belongs_to_one_device),
        cmocka_unit_test(cache_groups_are_by_window),
        cmocka_unit_test(a_page_beyond_64_bits_is_refused),
        cmocka_unit_test(a_plan_is_printed),
        cmocka_unit_test(operators_have_names),
        cmocka_unit_test(a_plan_is_explained),
        cmocka_unit_test(every_allocation_may_fail),
        cmocka_unit_test(explaining_may_run_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
