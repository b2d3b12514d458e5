/* Plans of every tiny model, for several buckets, on cpu, ref:planned and null: no two values that
 * live at once share memory, views lie within their roots, steps read what was written before. */
#include <dirent.h>
#include <stdbool.h>

#include "../../src/api/api_internal.h"
#include "model_test.h"

/* Bytes of a scratch value at most, by what the plan says of it. */
static uint64_t bytes_of(const plan *p, uint32_t v, uint32_t device) {
    const plan_value *value = p->values + v;
    const plan_device *d = p->devices[device];
    uint64_t rows = 1;
    if (value->rows == PLAN_ROWS_ALL) rows = p->max_rows;
    if (value->rows == PLAN_ROWS_OUTPUTS || value->rows == PLAN_ROWS_LOGITS) rows = p->max_outputs;
    if (value->activation != PLAN_ACTIVATION_F32) {
        return d->ops->activation_bytes(d, value->activation, rows, value->columns);
    }
    return rows * value->columns * 4;
}

typedef struct life {
    bool used;
    uint32_t first, last;
    uint64_t begin, end;
} life;

static void touch(const plan *p, life *lives, uint32_t v, uint32_t step) {
    if (v == PLAN_NONE || p->values[v].storage != PLAN_STORAGE_SCRATCH) return;
    life *l = lives + p->values[v].root;
    if (!l->used) {
        const uint32_t root = p->values[v].root;
        *l = (life){true, step, step, p->values[root].offset, 0};
        const uint32_t device = step < p->step_count ? p->steps[step].device : 0;
        l->end = l->begin + bytes_of(p, root, device);
    }
    l->last = step;
}

static void check_overlaps(const plan *p, const char *name) {
    life *lives = calloc(p->value_count, sizeof *lives);
    bool *written = calloc(p->value_count, sizeof *written);
    for (uint32_t s = 0; s < p->step_count; s++) {
        const plan_step *step = p->steps + s;
        for (int i = 0; i < PLAN_MAX_INPUTS; i++) {
            const uint32_t v = step->in[i];
            if (v == PLAN_NONE || p->values[v].storage != PLAN_STORAGE_SCRATCH) continue;
            if (!written[p->values[v].root]) fail_msg("%s: step %u reads too early", name, s);
            touch(p, lives, v, s);
        }
        touch(p, lives, step->out, s);
        written[p->values[step->out].root] = true;
    }
    touch(p, lives, p->hidden, p->step_count);
    touch(p, lives, p->logits, p->step_count);
    for (uint32_t a = 0; a < p->value_count; a++) {
        if (!lives[a].used) continue;
        if (lives[a].end > p->scratch_bytes) fail_msg("%s: value %u past the end", name, a);
        for (uint32_t b = a + 1; b < p->value_count; b++) {
            if (!lives[b].used || lives[a].first > lives[b].last || lives[b].first > lives[a].last)
                continue;
            if (lives[a].begin < lives[b].end && lives[b].begin < lives[a].end) {
                fail_msg("%s: values %u and %u live at once in the same bytes", name, a, b);
            }
        }
    }
    free(lives);
    free(written);
}

static void check_views(const plan *p, const char *name) {
    for (uint32_t v = 0; v < p->value_count; v++) {
        const plan_value *value = p->values + v, *root = p->values + value->root;
        if (value->storage != PLAN_STORAGE_SCRATCH) continue;
        if (value->first_column + value->columns > root->columns || root->root != value->root ||
            value->offset != root->offset + 4 * (uint64_t)value->first_column) {
            fail_msg("%s: value %u does not lie in its root", name, v);
        }
    }
}

/* A quantised operand is made once for each value and read by all who want it. */
static void check_quantising(const plan *p, const char *name) {
    for (uint32_t a = 0; a < p->step_count; a++) {
        const plan_step *s = p->steps + a;
        if (s->op == PLAN_OP_MATMUL && p->values[s->in[0]].activation != s->choice.activation) {
            fail_msg("%s: step %u gets another kind of operand than its kernel wants", name, a);
        }
        for (uint32_t b = a + 1; b < p->step_count && s->op == PLAN_OP_QUANTIZE; b++) {
            if (p->steps[b].op == PLAN_OP_QUANTIZE && p->steps[b].in[0] == s->in[0]) {
                fail_msg("%s: steps %u and %u quantise the same value", name, a, b);
            }
        }
    }
}

static void check_model(const char *path, const char *name, const char *device) {
    ondol_error err;
    ondol_engine_options o = ONDOL_ENGINE_OPTIONS_INIT;
    ondol_model_options mo = ONDOL_MODEL_OPTIONS_INIT;
    ondol_engine *engine = NULL;
    ondol_model *m = NULL;
    plan_kv *kv = NULL;
    o.device = device;
    o.threads = 1;
    mo.inspect_only = 1;
    ASSERT_OK(ondol_engine_create(&o, &engine, &err));
    ASSERT_OK(ondol_model_open(engine, path, &mo, &m, &err));
    ASSERT_OK(plan_kv_create(&engine->allocator, m->layers, m->decoder->layer_count, TENSOR_KV_F16,
                             32, &kv, &err));
    uint64_t scratch = 0;
    for (uint32_t rows = 1; rows <= 64; rows *= 8) {
        plan *p = NULL;
        ASSERT_OK(plan_create(&engine->allocator, m->decoder->lowered, m->weights, kv, rows,
                              rows < 4 ? rows : 4, &p, &err));
        check_overlaps(p, name);
        check_views(p, name);
        check_quantising(p, name);
        assert_true(p->scratch_bytes > scratch);
        scratch = p->scratch_bytes;
        uint32_t attentions = 0, at = 0;
        for (uint32_t i = 0; i < p->step_count; i++)
            attentions += p->steps[i].op == PLAN_OP_PAGED_ATTENTION;
        assert_int_equal(attentions, m->info.layers);
        for (uint32_t i = 0; i < p->segment_count; i++) {
            assert_int_equal(p->segments[i].first, at);
            at = p->segments[i].end;
        }
        assert_int_equal(at, p->step_count);
        plan_destroy(p);
    }
    plan_kv_destroy(kv);
    ondol_model_release(m);
    ondol_engine_destroy(engine);
}

static void plans_of_every_model(void **state) {
    (void)state;
    static const char *const devices[] = {"cpu", "ref:planned", "null"};
    const char *folder = getenv("ONDOL_TINY_MODELS");
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    uint32_t models = 0;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        char path[4096];
        if (!strstr(entry->d_name, ".gguf")) continue;
        if (strstr(entry->d_name, "-of-") && !strstr(entry->d_name, "-00001-of-")) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        for (int d = 0; d < 3; d++)
            check_model(path, entry->d_name, devices[d]);
        models++;
    }
    closedir(dir);
    print_message("%u models\n", models);
    assert_true(models > 60);
}

/* What the optimizer makes of the plainest decoder: fused projections, views of their columns, the
 * last layer's tail on the rows that are wanted. */
static void a_plain_decoder_lowered(void **state) {
    (void)state;
    ondol_error err;
    ondol_engine *engine = NULL;
    ondol_model *m = NULL;
    ondol_model_options mo = ONDOL_MODEL_OPTIONS_INIT;
    mo.inspect_only = 1;
    ASSERT_OK(ondol_engine_create(NULL, &engine, &err));
    ASSERT_OK(ondol_model_open(engine, model_test_path("llama-q4_0"), &mo, &m, &err));
    const graph *g = m->decoder->lowered;
    uint32_t count[GRAPH_OP_COUNT] = {0}, parts[4] = {0};
    graph_node_id last_attention = 0, first_select = UINT32_MAX;
    for (graph_node_id n = 0; n < g->node_count; n++) {
        const graph_node *node = g->nodes + n;
        count[node->op]++;
        if (node->op == GRAPH_OP_O_MATMUL) parts[(node->input_count - 1) / 2]++;
        if (node->op == GRAPH_OP_O_PAGED_ATTENTION) last_attention = n;
        if (node->op == GRAPH_OP_O_SELECT_ROWS && first_select == UINT32_MAX) first_select = n;
    }
    const uint32_t layers = m->info.layers;
    assert_int_equal(count[GRAPH_OP_O_PAGED_ATTENTION], layers);
    assert_int_equal(count[GRAPH_OP_O_ROTARY_TABLE], 1);
    assert_int_equal(count[GRAPH_OP_O_ROPE], 2 * layers);
    assert_int_equal(parts[3], layers);         /* q, k, v */
    assert_int_equal(parts[2], layers);         /* gate, up */
    assert_int_equal(parts[1], 2 * layers + 1); /* attention output, down; logits */
    assert_int_equal(count[GRAPH_OP_O_COLUMNS], 5 * layers);
    assert_int_equal(count[GRAPH_OP_O_SELECT_ROWS], 2); /* attention and residual stream */
    assert_true(first_select > last_attention);
    ASSERT_OK(graph_verify(g, &err));
    ASSERT_OK(graph_verify(m->portable, &err));
    ondol_model_release(m);
    ondol_engine_destroy(engine);
}

/* Windows make groups of their own; LongRoPE has a threshold. */
static void what_the_decoder_says_of_its_cache(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool windows, regimes;
    } cases[] = {{"llama", false, false},
                 {"phi3-window", true, false},
                 {"gemma2", true, false},
                 {"gemma3", true, false},
                 {"phi3-longrope", false, true}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ondol_error err;
        ondol_engine *engine = NULL;
        ondol_model *m = NULL;
        ondol_model_options mo = ONDOL_MODEL_OPTIONS_INIT;
        mo.inspect_only = 1;
        ASSERT_OK(ondol_engine_create(NULL, &engine, &err));
        ASSERT_OK(ondol_model_open(engine, model_test_path(cases[i].name), &mo, &m, &err));
        bool windows = false;
        for (uint32_t l = 0; l < m->decoder->layer_count; l++)
            windows = windows || m->decoder->layers[l].window;
        assert_int_equal(windows, cases[i].windows);
        assert_int_equal(m->decoder->regime_threshold != 0, cases[i].regimes);
        ondol_model_release(m);
        ondol_engine_destroy(engine);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(plans_of_every_model),
    cmocka_unit_test(a_plain_decoder_lowered),
    cmocka_unit_test(what_the_decoder_says_of_its_cache),
};
MODEL_TEST_MAIN(tests)
