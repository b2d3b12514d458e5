/* models: a complete tiny llama becomes a graph; with one fault in its keys or tensors, a status
 * and a sentence that names what, expected and got. */
#include <math.h>

#include "fail_alloc.h"
#include "models/model.h"
#include "tiny_llama.h"

/* Builds the model's graph; fails unless that gives `want`. *err is the build's. */
static void build_expecting(tiny_llama *m, ondol_status want, ondol_error *error) {
    ondol_error err = {0};
    graph *g = NULL;
    models_info info = {0};
    gguf_file *file = tiny_llama_open(m);
    ASSERT_STATUS(models_graph_from_gguf(&m->heap, file, &g, &info, &err), want);
    if (want == ONDOL_OK) {
        ASSERT_OK(graph_verify(g, &err));
    } else {
        assert_null(g);
        assert_int_equal(err.status, want);
    }
    graph_destroy(g);
    tiny_llama_close(m, file);
    *error = err;
}

/* The sentence is exactly that one. */
static void fails_with(tiny_llama *m, ondol_status want, const char *sentence) {
    ondol_error err;
    build_expecting(m, want, &err);
    assert_string_equal(err.text, sentence);
}

static void builds(tiny_llama *m) {
    ondol_error err;
    build_expecting(m, ONDOL_OK, &err);
}

/* ---- the whole model ---- */

static void a_complete_llama_builds(void **state) {
    (void)state;
    ondol_error err = {0};
    tiny_llama m;
    tiny_llama_init(&m, 2);
    gguf_file *file = tiny_llama_open(&m);
    graph *g = NULL;
    models_info info = {0};
    ASSERT_OK(models_graph_from_gguf(&m.heap, file, &g, &info, &err));
    ASSERT_OK(graph_verify(g, &err));
    assert_string_equal(info.architecture, "llama");
    assert_int_equal(info.layers, 2);
    assert_int_equal(info.hidden, TINY_HIDDEN);
    assert_int_equal(info.vocabulary, TINY_VOCABULARY);
    assert_int_equal(info.context, 512);
    uint32_t count[GRAPH_OP_COUNT] = {0};
    for (graph_node_id n = 0; n < g->node_count; n++)
        count[g->nodes[n].op]++;
    assert_int_equal(count[GRAPH_OP_GATHER], 1);
    assert_int_equal(count[GRAPH_OP_MS_GROUP_QUERY_ATTENTION], 2);
    assert_int_equal(count[GRAPH_OP_ROTARY_EMBEDDING], 4);
    assert_int_equal(count[GRAPH_OP_RMS_NORMALIZATION], 5);
    assert_int_equal(count[GRAPH_OP_MS_FUSED_MATMUL], 15);
    assert_int_equal(g->output_count, 2 + 2 * 2);
    /* A weight is a view into the file: nothing was copied. */
    uint32_t weights = 0;
    for (uint32_t i = 0; i < g->value_count; i++) {
        const graph_value *v = g->values + i;
        if (v->kind != GRAPH_VALUE_INITIALIZER || v->encoding != TENSOR_ENCODING_Q4_0) continue;
        const gguf_tensor *t = gguf_find_tensor(file, v->name);
        assert_non_null(t);
        assert_ptr_equal(v->data, m.bytes.data + t->offset);
        assert_int_equal(v->data_bytes, t->size_bytes);
        weights++;
    }
    assert_int_equal(weights, 2 + 2 * 7);
    graph_destroy(g);
    tiny_llama_close(&m, file);
}

static void optional_keys_have_defaults(void **state) {
    (void)state;
    static const char *const optional[] = {"llama.context_length", "llama.rope.freq_base"};
    for (size_t i = 0; i < sizeof optional / sizeof *optional; i++) {
        tiny_llama m;
        tiny_llama_init(&m, 1);
        tiny_remove_key(&m, optional[i]);
        builds(&m);
    }
    /* Without a number of key/value heads there are as many as heads. */
    tiny_llama m;
    tiny_llama_init(&m, 1);
    tiny_remove_key(&m, "llama.attention.head_count_kv");
    fails_with(&m, ONDOL_E_FORMAT,
               "tensor 'blk.0.attn_k.weight': shape [64, 32], expected [64, 64]");
    tiny_find_tensor(&m, "blk.0.attn_k.weight")->dims[1] = 64;
    tiny_find_tensor(&m, "blk.0.attn_v.weight")->dims[1] = 64;
    builds(&m);
}

static void an_output_that_is_missing_is_the_embedding(void **state) {
    (void)state;
    ondol_error err = {0};
    tiny_llama m;
    tiny_llama_init(&m, 1);
    tiny_remove_tensor(&m, "output.weight");
    gguf_file *file = tiny_llama_open(&m);
    graph *g = NULL;
    models_info info;
    ASSERT_OK(models_graph_from_gguf(&m.heap, file, &g, &info, &err));
    uint32_t tables = 0;
    for (uint32_t i = 0; i < g->value_count; i++)
        tables += strcmp(g->values[i].name, "token_embd.weight") == 0;
    assert_int_equal(tables, 1);
    graph_destroy(g);
    tiny_llama_close(&m, file);
}

/* ---- architectures ---- */

static void an_unknown_architecture_is_told_the_known_ones(void **state) {
    (void)state;
    static const char *const names[] = {
#define ARCHITECTURE(name, build) name,
#include "models/architectures.def"
#undef ARCHITECTURE
    };
    tiny_llama m;
    ondol_error err;
    tiny_llama_init(&m, 1);
    tiny_set_text(&m, "general.architecture", "lama");
    build_expecting(&m, ONDOL_E_UNSUPPORTED, &err);
    ASSERT_CONTAINS(err.text, "architecture 'lama' is not known; known are llama, ");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ASSERT_CONTAINS(err.text, names[i]);
    /* A name that begins as a known one, and no name at all. */
    tiny_set_text(&m, "general.architecture", "llama4");
    build_expecting(&m, ONDOL_E_UNSUPPORTED, &err);
    ASSERT_CONTAINS(err.text, "'llama4' is not known");
    tiny_set_text(&m, "general.architecture", "");
    build_expecting(&m, ONDOL_E_UNSUPPORTED, &err);
    ASSERT_CONTAINS(err.text, "architecture '' is not known");
    tiny_set_u32(&m, "general.architecture", 3);
    build_expecting(&m, ONDOL_E_FORMAT, &err);
    ASSERT_CONTAINS(err.text, "key 'general.architecture': expected a string, got u32");
    tiny_remove_key(&m, "general.architecture");
    fails_with(&m, ONDOL_E_NOT_FOUND, "key 'general.architecture' is missing");
}

/* However long the name is, the sentence has room for the list. */
static void a_long_name_is_cut(void **state) {
    (void)state;
    char name[4000];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = 0;
    tiny_llama m;
    ondol_error err;
    tiny_llama_init(&m, 1);
    tiny_set_text(&m, "general.architecture", name);
    build_expecting(&m, ONDOL_E_UNSUPPORTED, &err);
    ASSERT_CONTAINS(err.text, "x' is not known; known are llama, ");
    ASSERT_CONTAINS(err.text, "olmo2");
}

static void every_architecture_asks_for_its_keys(void **state) {
    (void)state;
    static const char *const names[] = {
#define ARCHITECTURE(name, build) name,
#include "models/architectures.def"
#undef ARCHITECTURE
    };
    static const char *const needed[] = {"block_count", "embedding_length", "attention.head_count",
                                         "feed_forward_length"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tiny_llama m = {.heap = base_default_allocator()};
        ondol_error err;
        char key[96], sentence[200];
        tiny_set_text(&m, "general.architecture", names[i]);
        for (size_t k = 0; k < sizeof needed / sizeof *needed; k++) {
            tiny_format(key, sizeof key, "%s.%s", names[i], needed[k]);
            tiny_format(sentence, sizeof sentence, "key '%s' is missing", key);
            fails_with(&m, ONDOL_E_NOT_FOUND, sentence);
            tiny_set_u32(&m, key, k == 1 ? TINY_HIDDEN : TINY_HEADS);
        }
        build_expecting(&m, ONDOL_E_NOT_FOUND, &err);
        tiny_format(key, sizeof key, "key '%s.attention.layer_norm_", names[i]);
        ASSERT_CONTAINS(err.text, key);
        ASSERT_CONTAINS(err.text, "epsilon' is missing");
    }
}

/* ---- keys ---- */

static void every_needed_key_is_missed(void **state) {
    (void)state;
    static const char *const keys[] = {
        "general.architecture",      "llama.block_count",
        "llama.embedding_length",    "llama.attention.head_count",
        "llama.feed_forward_length", "llama.attention.layer_norm_rms_epsilon",
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        tiny_llama m;
        char sentence[200];
        tiny_llama_init(&m, 1);
        tiny_remove_key(&m, keys[i]);
        tiny_format(sentence, sizeof sentence, "key '%s' is missing", keys[i]);
        fails_with(&m, ONDOL_E_NOT_FOUND, sentence);
    }
}

static void a_key_of_another_type_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *name;
        bool integer;
    } keys[] = {
        {"block_count", true},
        {"embedding_length", true},
        {"attention.head_count", true},
        {"attention.head_count_kv", true},
        {"feed_forward_length", true},
        {"context_length", true},
        {"attention.key_length", true},
        {"attention.value_length", true},
        {"rope.dimension_count", true},
        {"attention.layer_norm_rms_epsilon", false},
        {"rope.freq_base", false},
        {"rope.scaling.factor", false},
        {"rope.scaling.attn_factor", false},
        {"rope.scale_linear", false},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        tiny_llama m;
        ondol_error err;
        char name[96], start[160];
        tiny_format(name, sizeof name, "llama.%s", keys[i].name);
        tiny_format(start, sizeof start, "key '%s': expected %s, got ", name,
                    keys[i].integer ? "an integer from 0 to 4294967295" : "a finite number");
        tiny_llama_init(&m, 1);
        tiny_set_text(&m, name, "eight");
        build_expecting(&m, ONDOL_E_FORMAT, &err);
        ASSERT_CONTAINS(err.text, start);
        ASSERT_CONTAINS(err.text + strlen(start), "string");
        if (keys[i].integer) {
            tiny_set_f32(&m, name, 1);
            build_expecting(&m, ONDOL_E_FORMAT, &err);
            ASSERT_CONTAINS(err.text, start);
            tiny_set_u32(&m, name, (uint64_t)1 << 32);
        } else {
            tiny_set_f32(&m, name, (double)NAN);
        }
        build_expecting(&m, ONDOL_E_FORMAT, &err);
        ASSERT_CONTAINS(err.text, start);
    }
}

static void sizes_that_make_no_model(void **state) {
    (void)state;
    static const struct {
        const char *key;
        uint64_t value;
        const char *told;
    } cases[] = {
        {"block_count", 0, "0 layers"},
        {"block_count", 4097, "4097 layers"},
        {"block_count", UINT32_MAX, "4294967295 layers"},
        {"embedding_length", 0, "0 hidden"},
        {"embedding_length", (1 << 20) + 1, "1048577 hidden"},
        {"embedding_length", UINT32_MAX, "4294967295 hidden"},
        {"attention.head_count", 0, "0 heads"},
        {"attention.head_count", (1 << 20) + 2, "1048578 heads"},
        {"attention.head_count", 3, "3 heads, 2 key/value heads"},
        {"attention.head_count_kv", 0, "0 key/value heads"},
        {"attention.head_count_kv", 3, "4 heads, 3 key/value heads"},
        {"attention.head_count_kv", 8, "4 heads, 8 key/value heads"},
        {"feed_forward_length", 0, "0 feed forward"},
        {"feed_forward_length", UINT32_MAX, "4294967295 feed forward"},
        {"context_length", 0, "0 context"},
        {"context_length", UINT32_MAX, "4294967295 context"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tiny_llama m;
        ondol_error err;
        char name[96];
        tiny_format(name, sizeof name, "llama.%s", cases[i].key);
        tiny_llama_init(&m, 1);
        tiny_set_u32(&m, name, cases[i].value);
        build_expecting(&m, ONDOL_E_FORMAT, &err);
        ASSERT_CONTAINS(err.text, "sizes of 'llama' make no model: ");
        ASSERT_CONTAINS(err.text, cases[i].told);
    }
}

static void heads_that_are_not_computed(void **state) {
    (void)state;
    static const struct {
        const char *key;
        uint64_t value;
        const char *told;
    } cases[] = {
        {"rope.dimension_count", 15, "heads of 16 for keys and 16 for values, 15 rotated"},
        {"rope.dimension_count", 18, "18 rotated"},
        {"rope.dimension_count", UINT32_MAX, "4294967295 rotated"},
        {"attention.key_length", 0, "heads of 0 for keys"},
        {"attention.key_length", 32, "heads of 32 for keys and 16 for values"},
        {"attention.key_length", 65537, "heads of 65537 for keys"},
        {"attention.value_length", 8, "heads of 16 for keys and 8 for values"},
        {"attention.head_count", 128, "heads of 0 for keys"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tiny_llama m;
        ondol_error err;
        char name[96];
        tiny_format(name, sizeof name, "llama.%s", cases[i].key);
        tiny_llama_init(&m, 1);
        tiny_set_u32(&m, name, cases[i].value);
        build_expecting(&m, ONDOL_E_UNSUPPORTED, &err);
        ASSERT_CONTAINS(err.text, cases[i].told);
        ASSERT_CONTAINS(err.text, "expected the same size and an even number of rotated");
    }
}

static void more_layers_than_tensors(void **state) {
    (void)state;
    tiny_llama m;
    tiny_llama_init(&m, 2);
    tiny_set_u32(&m, "llama.block_count", 4096);
    fails_with(&m, ONDOL_E_NOT_FOUND,
               "tensor 'blk.2.attn_norm.weight' is missing; architecture 'llama' needs it");
}

static void a_rotary_base_must_be_positive(void **state) {
    (void)state;
    tiny_llama m;
    tiny_llama_init(&m, 1);
    tiny_set_f32(&m, "llama.rope.freq_base", 0);
    fails_with(&m, ONDOL_E_FORMAT, "'llama': rotary base 0");
    tiny_set_f32(&m, "llama.rope.freq_base", -2);
    fails_with(&m, ONDOL_E_FORMAT, "'llama': rotary base -2");
    tiny_set_u32(&m, "llama.rope.freq_base", 500000); /* an integer is a number too */
    builds(&m);
}

static void a_kind_of_rope_scaling_must_be_known(void **state) {
    (void)state;
    static const char *const known[] = {"none", "linear", "yarn", "longrope"};
    tiny_llama m;
    tiny_llama_init(&m, 1);
    tiny_set_f32(&m, "llama.rope.scaling.factor", 4);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        tiny_set_text(&m, "llama.rope.scaling.type", known[i]);
        builds(&m);
    }
    tiny_set_text(&m, "llama.rope.scaling.type", "dynamic");
    fails_with(&m, ONDOL_E_UNSUPPORTED,
               "key 'llama.rope.scaling.type': 'dynamic' is not known; known are none, linear, "
               "yarn, longrope");
    tiny_set_u32(&m, "llama.rope.scaling.type", 2);
    fails_with(&m, ONDOL_E_FORMAT, "key 'llama.rope.scaling.type': expected a string, got u32");
}

/* ---- tensors ---- */

/* Names of all tensors that a llama of two layers needs: all but the output, which may be tied. */
static void every_needed_tensor_is_missed(void **state) {
    (void)state;
    tiny_llama whole;
    tiny_llama_init(&whole, 2);
    int missed = 0;
    for (int i = 0; i < whole.tensor_count; i++) {
        const char *name = whole.tensors[i].name;
        if (strcmp(name, "output.weight") == 0) continue;
        /* Without a gate, `up` is taken for both. */
        if (strstr(name, "ffn_gate")) continue;
        tiny_llama m = whole;
        char sentence[160];
        tiny_remove_tensor(&m, name);
        tiny_format(sentence, sizeof sentence,
                    "tensor '%s' is missing; architecture 'llama' needs it", name);
        fails_with(&m, ONDOL_E_NOT_FOUND, sentence);
        missed++;
    }
    assert_int_equal(missed, 2 + 2 * 8);
}

static void a_gate_that_is_missing_is_expected_in_up(void **state) {
    (void)state;
    tiny_llama m;
    tiny_llama_init(&m, 1);
    tiny_remove_tensor(&m, "blk.0.ffn_gate.weight");
    fails_with(&m, ONDOL_E_FORMAT,
               "tensor 'blk.0.ffn_up.weight': shape [64, 96], expected [64, 192]");
    tiny_find_tensor(&m, "blk.0.ffn_up.weight")->dims[1] = 192;
    builds(&m);
}

/* Each matrix with a row too many, a block of columns too many, and a third dimension; each vector
 * one element too long. */
static void shapes_that_do_not_fit(void **state) {
    (void)state;
    tiny_llama whole;
    tiny_llama_init(&whole, 1);
    for (int i = 0; i < whole.tensor_count; i++) {
        const tiny_tensor *t = whole.tensors + i;
        const unsigned long long columns = t->dims[0], rows = t->dims[1];
        bool table = strcmp(t->name, "token_embd.weight") == 0;
        tiny_llama m = whole;
        ondol_error err;
        char sentence[200], wanted[64];
        tiny_format(wanted, sizeof wanted, "expected [%llu, %llu]%s", columns, table ? 0 : rows,
                    table ? " (0: any)" : "");
        if (t->n_dims == 1) {
            m.tensors[i].dims[0]++;
            tiny_format(sentence, sizeof sentence, "tensor '%s': %llu elements, expected %llu",
                        t->name, columns + 1, columns);
            fails_with(&m, ONDOL_E_FORMAT, sentence);
            continue;
        }
        m.tensors[i].dims[0] += 32;
        tiny_format(sentence, sizeof sentence, "tensor '%s': shape [%llu, %llu], %s", t->name,
                    columns + 32, rows, wanted);
        fails_with(&m, ONDOL_E_FORMAT, sentence);
        m = whole;
        m.tensors[i].n_dims = 3;
        m.tensors[i].dims[2] = 2;
        tiny_format(sentence, sizeof sentence, "tensor '%s': shape [%llu, %llu, ...], %s", t->name,
                    columns, rows, wanted);
        fails_with(&m, ONDOL_E_FORMAT, sentence);
        m = whole;
        m.tensors[i].dims[1]++;
        /* The table says how large the vocabulary is: then the output is too small. */
        tiny_format(sentence, sizeof sentence,
                    "tensor '%s': shape [%llu, %llu], expected [64, %llu]",
                    table ? "output.weight" : t->name, columns, table ? rows : rows + 1,
                    table ? rows + 1 : rows);
        if (columns != 64) {
            build_expecting(&m, ONDOL_E_FORMAT, &err);
            ASSERT_CONTAINS(err.text, wanted);
        } else {
            fails_with(&m, ONDOL_E_FORMAT, sentence);
        }
    }
}

/* As many elements as expected are not enough for a vector, nor is a last dimension of 1 a fault.
 */
static void a_vector_has_one_dimension(void **state) {
    (void)state;
    tiny_llama m;
    tiny_llama_init(&m, 1);
    tiny_tensor *t = tiny_find_tensor(&m, "output_norm.weight");
    t->n_dims = 2;
    builds(&m);
    t->dims[0] = 32;
    t->dims[1] = 2;
    build_expecting(&m, ONDOL_E_FORMAT, &(ondol_error){0});
}

static void weights_of_integers_are_refused(void **state) {
    (void)state;
    static const char *const names[] = {"token_embd.weight", "blk.0.attn_q.weight",
                                        "blk.0.attn_output.weight", "blk.0.ffn_down.weight",
                                        "output.weight"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        tiny_llama m;
        char sentence[200];
        tiny_llama_init(&m, 1);
        tiny_find_tensor(&m, names[i])->encoding = TENSOR_ENCODING_I32;
        tiny_format(sentence, sizeof sentence, "tensor '%s': weights of type I32", names[i]);
        fails_with(&m, ONDOL_E_UNSUPPORTED, sentence);
    }
}

static void a_bias_is_taken_and_must_fit(void **state) {
    (void)state;
    tiny_llama m;
    tiny_llama_init(&m, 1);
    tiny_tensor *t = tiny_add_tensor(&m, "blk.0.attn_k.bias", TENSOR_ENCODING_F32, 32, 0);
    builds(&m);
    t->dims[0] = 64;
    fails_with(&m, ONDOL_E_FORMAT, "tensor 'blk.0.attn_k.bias': 64 elements, expected 32");
}

static void a_fused_projection_has_no_separate_bias(void **state) {
    (void)state;
    tiny_llama m;
    tiny_llama_init(&m, 1);
    tiny_add_tensor(&m, "blk.0.attn_qkv.weight", TENSOR_ENCODING_Q4_0, 64, 128);
    builds(&m);
    tiny_add_tensor(&m, "blk.0.attn_k.bias", TENSOR_ENCODING_F32, 32, 0);
    fails_with(&m, ONDOL_E_UNSUPPORTED, "tensor 'blk.0.attn_k.bias' beside a fused attn_qkv");
}

static void rotary_factors_must_fit(void **state) {
    (void)state;
    tiny_llama m;
    tiny_llama_init(&m, 1);
    tiny_tensor *t = tiny_add_tensor(&m, "rope_freqs.weight", TENSOR_ENCODING_F32, 8, 0);
    builds(&m);
    t->dims[0] = 16;
    fails_with(&m, ONDOL_E_FORMAT, "tensor 'rope_freqs.weight': 16 elements, expected 8");
}

/* ---- memory ---- */

static void every_allocation_may_fail(void **state) {
    (void)state;
    tiny_llama m;
    tiny_llama_init(&m, 2);
    gguf_file *file = tiny_llama_open(&m);
    for (size_t n = 0;; n++) {
        ondol_error err = {0};
        fail_alloc memory;
        graph *g = NULL;
        models_info info;
        fail_alloc_init(&memory, n);
        ondol_status status = models_graph_from_gguf(&memory.api, file, &g, &info, &err);
        graph_destroy(g);
        fail_alloc_check_empty(&memory);
        if (!memory.failed) {
            assert_int_equal(status, ONDOL_OK);
            assert_true(n > 4);
            break;
        }
        ASSERT_STATUS(status, ONDOL_E_MEMORY);
        assert_null(g);
        assert_int_equal(err.status, ONDOL_E_MEMORY);
    }
    tiny_llama_close(&m, file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_complete_llama_builds),
        cmocka_unit_test(optional_keys_have_defaults),
        cmocka_unit_test(an_output_that_is_missing_is_the_embedding),
        cmocka_unit_test(an_unknown_architecture_is_told_the_known_ones),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(every_architecture_asks_for_its_keys),
        cmocka_unit_test(every_needed_key_is_missed),
        cmocka_unit_test(a_key_of_another_type_is_refused),
        cmocka_unit_test(sizes_that_make_no_model),
        cmocka_unit_test(heads_that_are_not_computed),
        cmocka_unit_test(more_layers_than_tensors),
        cmocka_unit_test(a_rotary_base_must_be_positive),
        cmocka_unit_test(a_kind_of_rope_scaling_must_be_known),
        cmocka_unit_test(every_needed_tensor_is_missed),
        cmocka_unit_test(a_gate_that_is_missing_is_expected_in_up),
        cmocka_unit_test(shapes_that_do_not_fit),
        cmocka_unit_test(a_vector_has_one_dimension),
        cmocka_unit_test(weights_of_integers_are_refused),
        cmocka_unit_test(a_bias_is_taken_and_must_fit),
        cmocka_unit_test(a_fused_projection_has_no_separate_bias),
        cmocka_unit_test(rotary_factors_must_fit),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
