/* models/gguf_text: the tokenizer's keys of a GGUF file, right, absent and wrong. */
#include "fail_alloc.h"
#include "formats/gguf/gguf_writer.h"
#include "models/gguf_text.h"
#include "text/text_tokenizer.h"

#define KEY(name) "tokenizer.ggml." name

static const char *const spm_tokens[] = {"<unk>", "<s>", "</s>", "a", "<|end|>", "<|endoftext|>"};
static const float spm_scores[] = {0, 0, 0, -1.5f, 0, 0};
static const int32_t spm_types[] = {2, 3, 3, 1, 3, 3};

/* A file being made; each part of a test adds its keys. */
typedef struct file_maker {
    ondol_allocator heap;
    gguf_writer *writer;
    base_buffer bytes;
} file_maker;

static ondol_error err;

static void maker_open(file_maker *m) {
    m->heap = base_default_allocator();
    ASSERT_OK(gguf_writer_create(&m->heap, 0, &m->writer, &err));
    base_buffer_init(&m->bytes, &m->heap, 1u << 20);
}

static gguf_string string_of(const char *text) {
    return (gguf_string){text, strlen(text)};
}

static void put_text(file_maker *m, const char *key, const char *text) {
    ASSERT_OK(gguf_writer_add_string(m->writer, key, string_of(text), &err));
}

static void put_texts(file_maker *m, const char *key, const char *const *texts, size_t n) {
    gguf_string strings[16];
    for (size_t i = 0; i < n; i++)
        strings[i] = string_of(texts[i]);
    ASSERT_OK(gguf_writer_add_strings(m->writer, key, strings, n, &err));
}

static void put_array(file_maker *m, const char *key, gguf_type type, const void *data, size_t n) {
    ASSERT_OK(gguf_writer_add_array(m->writer, key, type, data, n, &err));
}

static void put_u32(file_maker *m, const char *key, uint32_t value) {
    ASSERT_OK(gguf_writer_add_unsigned(m->writer, key, GGUF_TYPE_U32, value, &err));
}

static void put_bool(file_maker *m, const char *key, bool value) {
    ASSERT_OK(gguf_writer_add_bool(m->writer, key, value, &err));
}

/* The file's bytes as an open file. */
static gguf_file *maker_close(file_maker *m) {
    gguf_file *file = NULL;
    ASSERT_OK(gguf_writer_begin(m->writer, gguf_sink_of_buffer(&m->bytes), &err));
    ASSERT_OK(gguf_writer_finish(m->writer, &err));
    gguf_writer_destroy(m->writer);
    ASSERT_OK(gguf_file_open_memory(&m->heap, m->bytes.data, m->bytes.size, NULL, &file, &err));
    return file;
}

/* The keys of a good SPM file but those named in `without` (a list with commas). */
static void put_spm(file_maker *m, const char *without) {
    if (!strstr(without, "model,")) put_text(m, KEY("model"), "llama");
    if (!strstr(without, "tokens,")) put_texts(m, KEY("tokens"), spm_tokens, 6);
    if (!strstr(without, "scores,")) put_array(m, KEY("scores"), GGUF_TYPE_F32, spm_scores, 6);
    if (!strstr(without, "type,")) put_array(m, KEY("token_type"), GGUF_TYPE_I32, spm_types, 6);
    if (!strstr(without, "bos,")) put_u32(m, KEY("bos_token_id"), 1);
    if (!strstr(without, "eos,")) put_u32(m, KEY("eos_token_id"), 4);
}

static void put_bpe(file_maker *m, const char *pre) {
    static const char *const tokens[] = {"a", "b", "ab", "\xc4\xa0"};
    put_text(m, KEY("model"), "gpt2");
    put_text(m, KEY("pre"), pre);
    put_texts(m, KEY("tokens"), tokens, 4);
    put_u32(m, KEY("eos_token_id"), 3);
}

/* Reads, asserts success; the file and bytes end in text_close. */
typedef struct open_text {
    file_maker maker;
    gguf_file *file;
    models_text *text;
} open_text;

static void text_open(open_text *o) {
    o->file = maker_close(&o->maker);
    ASSERT_OK(models_text_from_gguf(&o->maker.heap, o->file, &o->text, &err));
}

static void text_close(open_text *o) {
    models_text_destroy(o->text);
    gguf_file_close(o->file);
    base_buffer_destroy(&o->maker.bytes);
}

static void text_refused(open_text *o, ondol_status want, const char *part) {
    o->file = maker_close(&o->maker);
    o->text = NULL;
    ASSERT_STATUS(models_text_from_gguf(&o->maker.heap, o->file, &o->text, &err), want);
    ASSERT_CONTAINS(err.text, part);
    assert_null(o->text);
    text_close(o);
}

static void assert_view(text_view view, const char *want) {
    assert_int_equal(view.size, strlen(want));
    assert_memory_equal(view.data, want, view.size);
}

static void reads_spm(void **state) {
    (void)state;
    open_text o;
    text_tokenizer *tok = NULL;
    maker_open(&o.maker);
    put_spm(&o.maker, "");
    put_text(&o.maker, "tokenizer.chat_template", "{{ x }}");
    put_text(&o.maker, "tokenizer.chat_template.tool_use", "{{ tool }}");
    put_bool(&o.maker, KEY("add_bos_token"), false);
    put_bool(&o.maker, KEY("add_space_prefix"), true);
    text_open(&o);
    const text_spec *spec = &o.text->spec;
    assert_int_equal(spec->kind, TEXT_KIND_SPM);
    assert_int_equal(spec->n_tokens, 6);
    assert_view(spec->tokens[4], "<|end|>");
    assert_true(spec->scores[3] == -1.5f);
    assert_int_equal(spec->types[0], TEXT_TOKEN_UNKNOWN);
    assert_int_equal(spec->add_bos, TEXT_SWITCH_OFF);
    assert_int_equal(spec->add_space_prefix, TEXT_SWITCH_ON);
    assert_int_equal(spec->add_eos, TEXT_SWITCH_DEFAULT);
    assert_int_equal(spec->special_ids[TEXT_UNK], TEXT_ID_DEFAULT);
    assert_null(spec->strip);
    assert_int_equal(o.text->bos_id, 1);
    assert_int_equal(o.text->eos_id, 4);
    assert_view(o.text->template_text, "{{ x }}");
    text_view named;
    ASSERT_OK(models_text_template(o.file, "tool_use", &named, &err));
    assert_view(named, "{{ tool }}");
    ASSERT_OK(models_text_template(o.file, "default", &named, &err));
    assert_view(named, "{{ x }}");
    ASSERT_OK(models_text_template(o.file, "rag", &named, &err));
    assert_null(named.data);
    char long_name[400];
    memset(long_name, 'x', sizeof long_name);
    long_name[399] = 0;
    ASSERT_OK(models_text_template(o.file, long_name, &named, &err));
    assert_null(named.data);
    ASSERT_OK(text_tokenizer_create(&o.maker.heap, spec, &tok, &err));
    text_close(&o); /* the tokenizer lives on */
    int32_t id = -1;
    size_t count = 0;
    ASSERT_OK(text_tokenize(tok, "<|end|>", 7, TEXT_PARSE_SPECIAL, &id, 1, &count, &err));
    assert_int_equal(id, 4);
    text_tokenizer_destroy(tok);
}

static void reads_bpe(void **state) {
    (void)state;
    static const char *const merges[] = {"a b", " a b", "ab \xc4\xa0", "a  b"};
    open_text o;
    maker_open(&o.maker);
    put_bpe(&o.maker, "llama-bpe");
    put_texts(&o.maker, KEY("merges"), merges, 4);
    put_u32(&o.maker, KEY("prefix_token_id"), 2);
    text_open(&o);
    const text_spec *spec = &o.text->spec;
    assert_int_equal(spec->kind, TEXT_KIND_BPE);
    assert_view(spec->pretokenizer, "llama-bpe");
    assert_int_equal(spec->n_merges, 4);
    assert_view(spec->merges[0].left, "a");
    assert_view(spec->merges[0].right, "b");
    assert_view(spec->merges[1].left, " a"); /* a space that begins a merge is its own */
    assert_view(spec->merges[1].right, "b");
    assert_view(spec->merges[3].right, " b");
    assert_null(spec->scores);
    assert_null(spec->types);
    assert_int_equal(spec->special_ids[TEXT_FIM_PREFIX], 2);
    assert_int_equal(o.text->bos_id, -1);
    text_close(&o);
}

static void reads_other_kinds(void **state) {
    (void)state;
    static const struct {
        const char *model;
        text_kind kind;
    } rows[] = {{"bert", TEXT_KIND_WORDPIECE},
                {"t5", TEXT_KIND_UNIGRAM},
                {"rwkv", TEXT_KIND_RWKV},
                {"plamo2", TEXT_KIND_PLAMO2}};
    static const uint8_t map[] = {4, 0, 0, 0, 0, 0, 0, 0, 'a', 0};
    for (size_t i = 0; i < 4; i++) {
        open_text o;
        text_tokenizer *tok = NULL;
        maker_open(&o.maker);
        put_text(&o.maker, KEY("model"), rows[i].model);
        put_spm(&o.maker, "model,");
        put_array(&o.maker, KEY("precompiled_charsmap"), i ? GGUF_TYPE_U8 : GGUF_TYPE_I8, map, 10);
        put_bool(&o.maker, KEY("normalizer.lowercase"), false);
        put_bool(&o.maker, KEY("remove_extra_whitespaces"), true);
        text_open(&o);
        assert_int_equal(o.text->spec.kind, rows[i].kind);
        assert_int_equal(o.text->spec.lowercase, TEXT_SWITCH_OFF);
        assert_int_equal(o.text->spec.remove_extra_whitespaces, TEXT_SWITCH_ON);
        assert_int_equal(o.text->spec.charsmap.size, rows[i].kind == TEXT_KIND_UNIGRAM ? 10 : 0);
        ASSERT_OK(text_tokenizer_create(&o.maker.heap, &o.text->spec, &tok, &err));
        text_tokenizer_destroy(tok);
        text_close(&o);
    }
}

/* BPE under other names. */
static void reads_bpe_variants(void **state) {
    (void)state;
    static const char *const names[] = {"hybriddna", "whitespace", "gemma4"};
    static const char *const merges[] = {"a b"};
    for (size_t i = 0; i < 3; i++) {
        open_text o;
        maker_open(&o.maker);
        put_text(&o.maker, KEY("model"), names[i]);
        put_spm(&o.maker, "model,");
        put_texts(&o.maker, KEY("merges"), merges, 1);
        text_open(&o);
        assert_int_equal(o.text->spec.kind, TEXT_KIND_BPE);
        assert_int_equal(o.text->spec.dna_kmers, i == 0);
        assert_int_equal(o.text->spec.drop_whitespace, i == 1);
        assert_view(o.text->spec.pretokenizer, i == 2 ? "gemma4" : "");
        text_close(&o);
    }
}

/* A model without a vocabulary is no fault: it runs on ids. */
static void files_without_tokenizer(void **state) {
    (void)state;
    static const char *const models[] = {NULL, "none", "no_vocab"};
    for (size_t i = 0; i < 3; i++) {
        open_text o;
        text_tokenizer *tok = NULL;
        maker_open(&o.maker);
        put_text(&o.maker, "general.architecture", "llama");
        if (models[i]) put_text(&o.maker, KEY("model"), models[i]);
        put_u32(&o.maker, KEY("eos_token_id"), 70000); /* of no vocabulary: any id may be */
        text_open(&o);
        assert_int_equal(o.text->spec.kind, TEXT_KIND_NONE);
        assert_int_equal(o.text->spec.n_tokens, 0);
        assert_int_equal(o.text->bos_id, -1);
        assert_int_equal(o.text->eos_id, 70000);
        assert_null(o.text->template_text.data);
        ASSERT_STATUS(text_tokenizer_create(&o.maker.heap, &o.text->spec, &tok, &err),
                      ONDOL_E_UNSUPPORTED);
        text_close(&o);
    }
}

/* Strip flags go by names. */
static void strip_of_phi3(void **state) {
    (void)state;
    static const struct {
        const char *name, *architecture;
        bool strips;
    } rows[] = {{"Phi-3 Mini", "llama", true},
                {"my PHI3 tune", "phi3", true},
                {"Phi 3.5 Mini Instruct", "phi3", true},
                {"Phi", "llama", false},
                {"", "phi3", true},
                {"phi-", "phi2", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_text o;
        maker_open(&o.maker);
        put_text(&o.maker, "general.name", rows[i].name);
        put_text(&o.maker, "general.architecture", rows[i].architecture);
        put_spm(&o.maker, "");
        text_open(&o);
        const uint8_t *strip = o.text->spec.strip;
        assert_int_equal(strip != NULL, rows[i].strips);
        if (strip) {
            assert_int_equal(strip[0], 0); /* <unk> */
            assert_int_equal(strip[1], 0); /* <s> */
            assert_int_equal(strip[2], TEXT_STRIP_RIGHT);
            assert_int_equal(strip[4], TEXT_STRIP_RIGHT);
            assert_int_equal(strip[5], 0); /* <|endoftext|> */
        }
        text_close(&o);
    }
}

static void strip_of_masks(void **state) {
    (void)state;
    static const char *const tokens[] = {"a", "<mask>", "[MASK]", "b"};
    static const char *const merges[] = {"a b"};
    static const struct {
        const char *pre, *name, *architecture;
        size_t token; /* that strips; 0: none */
    } rows[] = {{"jina-v2-de", "", "", 1},
                {"gpt-2", "", "nomic-bert-moe", 1},
                {"gpt-2", "Modern-BERT base", "", 2},
                {"gpt-2", "", "", 0}};
    for (size_t i = 0; i < 4; i++) {
        open_text o;
        maker_open(&o.maker);
        put_text(&o.maker, "general.name", rows[i].name);
        put_text(&o.maker, "general.architecture", rows[i].architecture);
        put_text(&o.maker, KEY("model"), "gpt2");
        put_text(&o.maker, KEY("pre"), rows[i].pre);
        put_texts(&o.maker, KEY("tokens"), tokens, 4);
        put_texts(&o.maker, KEY("merges"), merges, 1);
        text_open(&o);
        for (size_t t = 0; t < 4; t++) {
            unsigned strip = o.text->spec.strip ? o.text->spec.strip[t] : 0;
            assert_int_equal(strip, t > 0 && t == rows[i].token ? TEXT_STRIP_LEFT : 0);
        }
        text_close(&o);
    }
}

/* ---- what is refused: status FORMAT, naming the key ---- */

static void wrong_vocabularies(void **state) {
    (void)state;
    open_text o;
    maker_open(&o.maker);
    put_spm(&o.maker, "model,");
    text_refused(&o, ONDOL_E_FORMAT, "tokenizer.ggml.model is missing");
    maker_open(&o.maker);
    put_u32(&o.maker, KEY("model"), 3);
    text_refused(&o, ONDOL_E_FORMAT, "tokenizer.ggml.model");
    maker_open(&o.maker);
    put_text(&o.maker, KEY("model"), "made-up");
    text_refused(&o, ONDOL_E_UNSUPPORTED, "made-up");
    maker_open(&o.maker);
    put_spm(&o.maker, "tokens,");
    text_refused(&o, ONDOL_E_FORMAT, "tokenizer.ggml.tokens");
    maker_open(&o.maker);
    put_spm(&o.maker, "tokens,");
    put_texts(&o.maker, KEY("tokens"), spm_tokens, 0);
    text_refused(&o, ONDOL_E_FORMAT, "tokenizer.ggml.tokens");
    maker_open(&o.maker);
    put_spm(&o.maker, "tokens,");
    put_array(&o.maker, KEY("tokens"), GGUF_TYPE_I32, spm_types, 6);
    text_refused(&o, ONDOL_E_FORMAT, "tokenizer.ggml.tokens");
    maker_open(&o.maker);
    put_spm(&o.maker, "");
    put_u32(&o.maker, "tokenizer.chat_template", 1);
    text_refused(&o, ONDOL_E_FORMAT, "tokenizer.chat_template");
}

static void wrong_lists(void **state) {
    (void)state;
    static const struct {
        const char *without, *key;
        gguf_type type;
        const void *data;
        size_t n;
    } rows[] = {
        {"scores,", KEY("scores"), GGUF_TYPE_F32, spm_scores, 5}, /* shorter: read past its end */
        {"scores,", KEY("scores"), GGUF_TYPE_F32, spm_scores, 0},
        {"scores,", KEY("scores"), GGUF_TYPE_BOOL, "\0\1\0\1\0\1", 6},
        {"type,", KEY("token_type"), GGUF_TYPE_I32, spm_types, 5},
        {"type,", KEY("token_type"), GGUF_TYPE_I32, spm_types, 1},
        {"type,", KEY("token_type"), GGUF_TYPE_F32, spm_scores, 6},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        open_text o;
        maker_open(&o.maker);
        put_spm(&o.maker, rows[i].without);
        put_array(&o.maker, rows[i].key, rows[i].type, rows[i].data, rows[i].n);
        text_refused(&o, ONDOL_E_FORMAT, rows[i].key);
        maker_open(&o.maker);
        put_spm(&o.maker, rows[i].without);
        put_u32(&o.maker, rows[i].key, 6); /* no list at all */
        text_refused(&o, ONDOL_E_FORMAT, rows[i].key);
    }
    open_text o;
    int32_t scores[6] = {0, 0, 0, -7, 0, 0}; /* whole numbers will do */
    int32_t types[6] = {2, 3, -3, 99, 6, INT32_MIN};
    maker_open(&o.maker);
    put_spm(&o.maker, "scores,type,");
    put_array(&o.maker, KEY("scores"), GGUF_TYPE_I32, scores, 6);
    put_array(&o.maker, KEY("token_type"), GGUF_TYPE_I32, types, 6);
    text_open(&o);
    assert_true(o.text->spec.scores[3] == -7.0f);
    assert_int_equal(o.text->spec.types[1], TEXT_TOKEN_CONTROL);
    assert_int_equal(o.text->spec.types[2], TEXT_TOKEN_UNDEFINED);
    assert_int_equal(o.text->spec.types[3], TEXT_TOKEN_UNDEFINED);
    assert_int_equal(o.text->spec.types[5], TEXT_TOKEN_UNDEFINED);
    text_close(&o);
}

static void wrong_ids(void **state) {
    (void)state;
    static const char *const keys[] = {
        KEY("bos_token_id"),     KEY("eos_token_id"),       KEY("eot_token_id"),
        KEY("unknown_token_id"), KEY("seperator_token_id"), KEY("padding_token_id"),
        KEY("mask_token_id"),    KEY("fim_pad_token_id"),   KEY("middle_token_id")};
    static const uint64_t past[] = {6,          7,
                                    INT32_MAX,  (uint64_t)INT32_MAX + 1,
                                    UINT32_MAX, (uint64_t)UINT32_MAX + 2,
                                    INT64_MAX,  UINT64_MAX};
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        for (size_t i = 0; i < sizeof past / sizeof past[0]; i++) {
            open_text o;
            maker_open(&o.maker);
            put_spm(&o.maker, "bos,eos,");
            ASSERT_OK(
                gguf_writer_add_unsigned(o.maker.writer, keys[k], GGUF_TYPE_U64, past[i], &err));
            text_refused(&o, ONDOL_E_FORMAT, keys[k]);
        }
        open_text o;
        maker_open(&o.maker);
        put_spm(&o.maker, "bos,eos,");
        ASSERT_OK(gguf_writer_add_signed(o.maker.writer, keys[k], GGUF_TYPE_I32, -1, &err));
        text_refused(&o, ONDOL_E_FORMAT, keys[k]);
        maker_open(&o.maker);
        put_spm(&o.maker, "bos,eos,");
        put_text(&o.maker, keys[k], "1");
        text_refused(&o, ONDOL_E_FORMAT, keys[k]);
    }
}

static void wrong_merges(void **state) {
    (void)state;
    static const char *const bad[] = {"", "a", " ", "  ", "a ", " a", "ab"};
    open_text o;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *merges[] = {"a b", bad[i]};
        maker_open(&o.maker);
        put_bpe(&o.maker, "gpt-2");
        put_texts(&o.maker, KEY("merges"), merges, 2);
        text_refused(&o, ONDOL_E_FORMAT, "tokenizer.ggml.merges: merge 1");
    }
    maker_open(&o.maker);
    put_bpe(&o.maker, "gpt-2");
    text_refused(&o, ONDOL_E_FORMAT, "tokenizer.ggml.merges");
    maker_open(&o.maker);
    put_bpe(&o.maker, "gpt-2");
    put_array(&o.maker, KEY("merges"), GGUF_TYPE_I32, spm_types, 4);
    text_refused(&o, ONDOL_E_FORMAT, "tokenizer.ggml.merges");
    maker_open(&o.maker); /* the one that needs none */
    put_bpe(&o.maker, "kimi-k2");
    text_open(&o);
    assert_int_equal(o.text->spec.n_merges, 0);
    text_close(&o);
}

static void wrong_switches_and_maps(void **state) {
    (void)state;
    static const char *const keys[] = {KEY("add_bos_token"),
                                       KEY("add_eos_token"),
                                       KEY("add_sep_token"),
                                       KEY("add_space_prefix"),
                                       KEY("remove_extra_whitespaces"),
                                       KEY("normalizer.lowercase"),
                                       "general.name",
                                       "general.architecture"};
    open_text o;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        maker_open(&o.maker);
        put_spm(&o.maker, "");
        put_u32(&o.maker, keys[i], 1);
        text_refused(&o, ONDOL_E_FORMAT, keys[i]);
    }
    maker_open(&o.maker);
    put_text(&o.maker, KEY("model"), "t5");
    put_spm(&o.maker, "model,");
    put_array(&o.maker, KEY("precompiled_charsmap"), GGUF_TYPE_I32, spm_types, 6);
    text_refused(&o, ONDOL_E_FORMAT, "precompiled_charsmap");
    maker_open(&o.maker);
    put_text(&o.maker, KEY("model"), "t5");
    put_spm(&o.maker, "model,");
    put_text(&o.maker, KEY("precompiled_charsmap"), "text");
    text_refused(&o, ONDOL_E_FORMAT, "precompiled_charsmap");
}

static void every_allocation_fails(void **state) {
    (void)state;
    static const char *const merges[] = {"a b"};
    open_text o;
    for (int bpe = 0; bpe < 2; bpe++) {
        maker_open(&o.maker);
        put_text(&o.maker, "general.name", "phi-3");
        if (bpe) {
            put_bpe(&o.maker, "gpt-2");
            put_texts(&o.maker, KEY("merges"), merges, 1);
        } else {
            put_spm(&o.maker, "");
        }
        o.file = maker_close(&o.maker);
        for (size_t n = 0;; n++) {
            fail_alloc memory;
            models_text *text = NULL;
            fail_alloc_init(&memory, n);
            ondol_status status = models_text_from_gguf(&memory.api, o.file, &text, &err);
            models_text_destroy(text);
            fail_alloc_check_empty(&memory);
            if (!memory.failed) {
                assert_int_equal(status, ONDOL_OK);
                break;
            }
            assert_int_equal(status, ONDOL_E_MEMORY);
            assert_null(text);
        }
        o.text = NULL;
        text_close(&o);
    }
    models_text_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_spm),
        cmocka_unit_test(reads_bpe),
        cmocka_unit_test(reads_other_kinds),
        cmocka_unit_test(reads_bpe_variants),
        cmocka_unit_test(files_without_tokenizer),
        cmocka_unit_test(strip_of_phi3),
        cmocka_unit_test(strip_of_masks),
        cmocka_unit_test(wrong_vocabularies),
        cmocka_unit_test(wrong_lists),
        cmocka_unit_test(wrong_ids),
        cmocka_unit_test(wrong_merges),
        cmocka_unit_test(wrong_switches_and_maps),
        cmocka_unit_test(every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
