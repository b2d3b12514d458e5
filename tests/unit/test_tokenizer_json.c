/* text/text_hugging_face: what tokenizer.json files become, and which are refused with what. */
#include <stdio.h>
#include <stdlib.h>

#include "fail_alloc.h"
#include "text/text_hugging_face.h"

#define WORDS                                                                                      \
    "{\"type\": \"WordLevel\", \"vocab\": {\"a\": 0, \"b\": 1, \"<unk>\": 2, \"c d\": 3}, "        \
    "\"unk_token\": \"<unk>\"}"
#define BPE                                                                                        \
    "{\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2, \"\xc4\xa0\": 3, "             \
    "\"\xc4\xa0"                                                                                   \
    "a\": 4, \"<s>\": 5}, \"merges\": [\"a b\", [\"\xc4\xa0\", \"a\"]]}"

static text_view view(const char *text) {
    return (text_view){text, text ? strlen(text) : 0};
}

static ondol_status open_files(const ondol_allocator *a, const text_hf_files *files,
                               text_tokenizer **tok, ondol_error *err) {
    return text_tokenizer_from_json(a, files, NULL, tok, err);
}

/* {"model": model, rest} */
static ondol_status open_json(const char *model, const char *rest, text_tokenizer **tok,
                              ondol_error *err) {
    static const ondol_allocator *heap = NULL;
    static ondol_allocator api;
    api = base_default_allocator();
    heap = &api;
    const size_t n = strlen(model) + strlen(rest) + 32;
    char *json = malloc(n);
    assert_non_null(json);
    snprintf(json, n, "{\"model\": %s%s%s}", model, rest[0] ? ", " : "", rest);
    const text_hf_files files = {.tokenizer = view(json)};
    const ondol_status status = open_files(heap, &files, tok, err);
    free(json);
    return status;
}

static void assert_refused(const char *model, const char *rest, ondol_status want,
                           const char *part) {
    ondol_error err = {0};
    text_tokenizer *tok = NULL;
    ASSERT_STATUS(open_json(model, rest, &tok, &err), want);
    assert_null(tok);
    ASSERT_CONTAINS(err.text, part);
}

static void assert_ids(const text_tokenizer *tok, const char *text, unsigned flags,
                       const char *want) {
    ondol_error err = {0};
    int32_t ids[64];
    size_t count = 0;
    char got[512] = "";
    ASSERT_OK(text_tokenize(tok, text, strlen(text), flags, ids, 64, &count, &err));
    for (size_t i = 0; i < count; i++)
        snprintf(got + strlen(got), sizeof got - strlen(got), i ? " %d" : "%d", (int)ids[i]);
    assert_string_equal(got, want);
}

static void assert_text(const text_tokenizer *tok, const int32_t *ids, size_t count, unsigned flags,
                        const char *want) {
    ondol_error err = {0};
    const ondol_allocator heap = base_default_allocator();
    base_buffer whole, streamed;
    text_stream stream;
    base_buffer_init(&whole, &heap, 4096);
    base_buffer_init(&streamed, &heap, 4096);
    ASSERT_OK(text_detokenize(tok, ids, count, flags, &whole, &err));
    text_stream_init(&stream, tok, flags);
    for (size_t i = 0; i < count; i++)
        ASSERT_OK(text_stream_push(&stream, ids[i], &streamed, &err));
    ASSERT_OK(text_stream_finish(&stream, &streamed, &err));
    assert_string_equal(whole.data ? whole.data : "", want);
    assert_string_equal(streamed.data ? streamed.data : "", want);
    base_buffer_destroy(&whole);
    base_buffer_destroy(&streamed);
}

/* ---- what works ---- */

static void byte_level_bpe(void **state) {
    (void)state;
    ondol_error err = {0};
    text_tokenizer *tok = NULL;
    ASSERT_OK(open_json(BPE,
                        "\"pre_tokenizer\": {\"type\": \"ByteLevel\", \"add_prefix_space\": false},"
                        "\"decoder\": {\"type\": \"ByteLevel\"},"
                        "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": ["
                        "{\"SpecialToken\": {\"id\": \"<s>\", \"type_id\": 0}},"
                        "{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}], \"pair\": [],"
                        "\"special_tokens\": {\"<s>\": {\"id\": \"<s>\", \"ids\": [5], "
                        "\"tokens\": [\"<s>\"]}}},"
                        "\"added_tokens\": [{\"id\": 5, \"content\": \"<s>\", \"special\": true}]",
                        &tok, &err));
    assert_ids(tok, "ab a", TEXT_ADD_SPECIAL | TEXT_PARSE_SPECIAL, "5 2 4");
    assert_ids(tok, "a<s>b", TEXT_PARSE_SPECIAL, "0 5 1");
    assert_ids(tok, "a<s>b", 0, "0 1"); /* no special token, and no letters for < s > */
    assert_ids(tok, "", TEXT_ADD_SPECIAL, "5");
    assert_ids(tok, "\xff\x61", 0, "0"); /* no UTF-8: U+FFFD, which the vocabulary lacks */
    assert_text(tok, (int32_t[]){5, 2, 4}, 3, 0, "ab a");
    assert_text(tok, (int32_t[]){5, 2, 4}, 3, TEXT_SHOW_CONTROL, "<s>ab a");
    assert_true(text_tokenizer_adds_bos(tok));
    assert_false(text_tokenizer_adds_eos(tok));
    assert_int_equal(text_token_special(tok, TEXT_BOS), 5);
    assert_true(text_token_is_control(tok, 5));
    assert_int_equal(text_token_count(tok), 6);
    assert_int_equal(text_token_find(tok, "<s>", 3), 5);
    assert_int_equal(text_token_find(tok, "\xc4\xa0", 2), 3);
    assert_int_equal(text_token_find(tok, "x", 1), -1);
    const text_view piece = text_token_piece(tok, 4, 0);
    assert_int_equal(piece.size, 2);
    assert_memory_equal(piece.data, " a", 2);
    text_tokenizer_destroy(tok);
}

static void word_level_and_holes(void **state) {
    (void)state;
    ondol_error err = {0};
    text_tokenizer *tok = NULL;
    ASSERT_OK(open_json("{\"type\": \"WordLevel\", \"unk_token\": \"u\", \"vocab\": {\"a\": 0, "
                        "\"u\": 2, \"b\": 7}}",
                        "\"pre_tokenizer\": {\"type\": \"Whitespace\"},"
                        "\"added_tokens\": [{\"id\": 9, \"content\": \"<x>\", \"special\": false}]",
                        &tok, &err));
    assert_int_equal(text_token_count(tok), 8);
    assert_ids(tok, "a b  c, <x>", 0, "0 7 2 2 3"); /* <x>: the next of three, as the library's */
    assert_text(tok, (int32_t[]){0, 7, 3}, 3, 0, "a b <x>");
    assert_text(tok, (int32_t[]){0, 5, 7}, 3, 0, "a b"); /* 5: nobody has it */
    assert_int_equal(text_token_types(tok, 5), 1u << TEXT_TOKEN_UNUSED);
    assert_int_equal(text_token_special(tok, TEXT_UNK), 2);
    text_tokenizer_destroy(tok);
}

/* Phi-3's and Llama-2's form: spaces as U+2581, bytes for what is not known. */
static void llama_form(void **state) {
    (void)state;
    ondol_error err = {0};
    text_tokenizer *tok = NULL;
    ASSERT_OK(open_json(
        "{\"type\": \"BPE\", \"byte_fallback\": true, \"fuse_unk\": true, \"unk_token\": \"<unk>\","
        "\"vocab\": {\"<unk>\": 0, \"\xe2\x96\x81\": 1, \"h\": 2, \"i\": 3, \"\xe2\x96\x81h\": 4,"
        "\"hi\": 5, \"\xe2\x96\x81hi\": 6, \"<0xC3>\": 7, \"<0xA9>\": 8},"
        "\"merges\": [\"\xe2\x96\x81 h\", \"h i\", \"\xe2\x96\x81h i\"]}",
        "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"Prepend\","
        "\"prepend\": \"\xe2\x96\x81\"}, {\"type\": \"Replace\", \"pattern\": {\"String\": \" \"},"
        "\"content\": \"\xe2\x96\x81\"}]},"
        "\"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"Replace\", \"pattern\":"
        "{\"String\": \"\xe2\x96\x81\"}, \"content\": \" \"}, {\"type\": \"ByteFallback\"},"
        "{\"type\": \"Fuse\"}, {\"type\": \"Strip\", \"content\": \" \", \"start\": 1, \"stop\": "
        "0}]},"
        "\"added_tokens\": [{\"id\": 9, \"content\": \"<|end|>\", \"special\": true, \"rstrip\": "
        "true}]",
        &tok, &err));
    assert_ids(tok, "hi hi", 0, "6 6");
    assert_ids(tok, "h\xc3\xa9", 0, "4 7 8");
    assert_ids(tok, "hi<|end|> \n hi", TEXT_PARSE_SPECIAL, "6 9 6");
    assert_ids(tok, "zz", 0, "1 0"); /* unknown ones in a row are one */
    assert_text(tok, (int32_t[]){6, 6, 4, 7, 8}, 5, 0, "hi hi h\xc3\xa9");
    assert_text(tok, (int32_t[]){6, 6}, 2, TEXT_CONTINUE, " hi hi");
    assert_text(tok, (int32_t[]){6, 7}, 2, 0, "hi\xef\xbf\xbd");
    assert_true(text_token_is_end(tok, 9));
    text_tokenizer_destroy(tok);
}

static void bert_form(void **state) {
    (void)state;
    ondol_error err = {0};
    text_tokenizer *tok = NULL;
    ASSERT_OK(
        open_json("{\"type\": \"WordPiece\", \"unk_token\": \"[UNK]\", "
                  "\"continuing_subword_prefix\": \"##\", \"max_input_chars_per_word\": 5,"
                  "\"vocab\": {\"[UNK]\": 0, \"[CLS]\": 1, \"[SEP]\": 2, \"un\": 3, "
                  "\"##aff\": 4, \"cafe\": 5, \"!\": 6}}",
                  "\"normalizer\": {\"type\": \"BertNormalizer\"},"
                  "\"pre_tokenizer\": {\"type\": \"BertPreTokenizer\"},"
                  "\"decoder\": {\"type\": \"WordPiece\"},"
                  "\"post_processor\": {\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 2],"
                  "\"cls\": [\"[CLS]\", 1]}",
                  &tok, &err));
    assert_ids(tok, "UNAFF Caf\xc3\xa9!", TEXT_ADD_SPECIAL, "1 3 4 5 6 2");
    assert_ids(tok, "unaffx un", 0, "0 3"); /* too long a word */
    assert_text(tok, (int32_t[]){3, 4, 5, 6}, 4, 0, "unaff cafe!");
    text_tokenizer_destroy(tok);
}

static void unigram_form(void **state) {
    (void)state;
    ondol_error err = {0};
    text_tokenizer *tok = NULL;
    ASSERT_OK(open_json("{\"type\": \"Unigram\", \"unk_id\": 0, \"vocab\": [[\"<unk>\", 0], "
                        "[\"\xe2\x96\x81\", -2.0], [\"a\", -3], [\"b\", -3], [\"ab\", -4.5]]}",
                        "\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": "
                        "\"\xe2\x96\x81\", \"prepend_scheme\": \"always\"},"
                        "\"decoder\": {\"type\": \"Metaspace\", \"replacement\": \"\xe2\x96\x81\"}",
                        &tok, &err));
    assert_ids(tok, "ab bxya", 0, "1 4 1 3 0 2");
    assert_text(tok, (int32_t[]){1, 4, 1, 3}, 4, 0, "ab b");
    text_tokenizer_destroy(tok);
}

/* ---- the files beside ---- */

static const char two_words[] =
    "{\"model\": {\"type\": \"WordLevel\", \"unk_token\": \"b\", \"vocab\": {\"a\": 0, \"b\": 1,"
    "\"<s>\": 2, \"</s>\": 3, \"<e>\": 4}}, \"pre_tokenizer\": {\"type\": \"WhitespaceSplit\"}}";

static void roles_of_files(void **state) {
    (void)state;
    ondol_error err = {0};
    text_tokenizer *tok = NULL;
    const ondol_allocator heap = base_default_allocator();
    text_hf_files files = {.tokenizer = view(two_words)};
    files.tokenizer_config = view("{\"bos_token\": {\"content\": \"<s>\"}, \"add_bos_token\": true,"
                                  "\"add_eos_token\": true, \"pad_token\": null}");
    files.special_tokens_map = view("{\"pad_token\": \"a\", \"bos_token\": \"b\"}");
    files.generation_config = view("{\"eos_token_id\": [3, 4, 99], \"pad_token_id\": 1}");
    ASSERT_OK(open_files(&heap, &files, &tok, &err));
    assert_int_equal(text_token_special(tok, TEXT_BOS), 2);
    assert_int_equal(text_token_special(tok, TEXT_EOS), 3);
    assert_int_equal(text_token_special(tok, TEXT_PAD), 0);
    assert_true(text_token_is_end(tok, 3));
    assert_true(text_token_is_end(tok, 4));
    assert_false(text_token_is_end(tok, 2));
    assert_true(text_tokenizer_adds_bos(tok));
    assert_ids(tok, "a", TEXT_ADD_SPECIAL, "2 0 3");
    assert_ids(tok, "a", 0, "0");
    text_tokenizer_destroy(tok);

    const int64_t ends[] = {4, 0};
    const text_hf_options options = {1, 77, ends, 2};
    files.tokenizer_config = view("{\"eos_token\": \"<s>\"}");
    ASSERT_OK(text_tokenizer_from_json(&heap, &files, &options, &tok, &err));
    assert_int_equal(text_token_special(tok, TEXT_BOS), 1);
    assert_int_equal(text_token_special(tok, TEXT_EOS), 4);
    assert_int_equal(text_token_special(tok, TEXT_PAD), 0);
    for (int32_t id = 0; id < 5; id++)
        assert_int_equal(text_token_is_end(tok, id), id != 1);
    text_tokenizer_destroy(tok);

    const text_hf_options wrong = {5, TEXT_ID_DEFAULT, NULL, 0};
    ASSERT_STATUS(text_tokenizer_from_json(&heap, &files, &wrong, &tok, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "the bos token is 5, but there are 5 tokens");
    files.generation_config = view("[1]");
    ASSERT_STATUS(open_files(&heap, &files, &tok, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "generation_config.json");
}

static void assert_template(const text_hf_files *files, const char *name, const char *want) {
    ondol_error err = {0};
    const ondol_allocator heap = base_default_allocator();
    char *text = NULL;
    ASSERT_OK(text_hf_template(&heap, files, name, &text, &err));
    if (!want) assert_null(text);
    if (want) assert_string_equal(text, want);
    base_free(&heap, text);
}

static void chat_templates(void **state) {
    (void)state;
    text_hf_files files = {.tokenizer = view(two_words)};
    assert_template(&files, NULL, NULL);
    files.tokenizer_config = view("{\"chat_template\": \"one\"}");
    assert_template(&files, NULL, "one");
    assert_template(&files, "default", "one");
    assert_template(&files, "tool_use", NULL);
    files.tokenizer_config =
        view("{\"chat_template\": [{\"name\": \"default\", \"template\": \"two\"}, 5,"
             "{\"name\": \"tool_use\", \"template\": \"tools\"}, {\"name\": \"x\"}]}");
    assert_template(&files, NULL, "two");
    assert_template(&files, "tool_use", "tools");
    assert_template(&files, "x", NULL);
    files.template_json = view("{\"chat_template\": \"three\"}");
    assert_template(&files, NULL, "three");
    files.template_jinja = view("four");
    assert_template(&files, NULL, "four");
    assert_template(&files, "tool_use", "tools");
}

/* ---- what is refused ---- */

static void wrong_types(void **state) {
    (void)state;
    assert_refused("[]", "", ONDOL_E_FORMAT, "model: expected an object, got a list");
    assert_refused("{\"type\": \"Magic\"}", "", ONDOL_E_FORMAT, "model.type");
    assert_refused("{\"type\": \"BPE\"}", "", ONDOL_E_FORMAT, "model.vocab: expected an object");
    assert_refused("{\"type\": \"BPE\", \"vocab\": {}}", "", ONDOL_E_FORMAT, "vocabulary is empty");
    assert_refused("{\"type\": \"BPE\", \"vocab\": {\"a\": \"0\"}, \"merges\": []}", "",
                   ONDOL_E_FORMAT, "model.vocab.a: expected an id, got \"0\"");
    assert_refused("{\"type\": \"BPE\", \"vocab\": {\"a\": -1}, \"merges\": []}", "",
                   ONDOL_E_FORMAT, "model.vocab.a: expected an id, got -1");
    assert_refused("{\"type\": \"BPE\", \"vocab\": {\"a\": 0}}", "", ONDOL_E_FORMAT,
                   "model.merges: expected a list, got nothing");
    assert_refused("{\"type\": \"BPE\", \"vocab\": {\"a\": 0}, \"merges\": [], \"fuse_unk\": 1}",
                   "", ONDOL_E_FORMAT, "model.fuse_unk: expected true or false, got 1");
    assert_refused("{\"type\": \"Unigram\", \"vocab\": [[\"a\"]]}", "", ONDOL_E_FORMAT,
                   "model.vocab[0]: expected a list of a text and a score");
    assert_refused("{\"type\": \"Unigram\", \"unk_id\": 1, \"vocab\": [[\"a\", 0]]}", "",
                   ONDOL_E_FORMAT, "model.unk_id: expected an integer from 0 to 0, got 1");
    assert_refused(WORDS, "\"added_tokens\": {}", ONDOL_E_FORMAT, "added_tokens: expected a list");
    assert_refused(WORDS, "\"added_tokens\": [{\"id\": 5}]", ONDOL_E_FORMAT,
                   "added_tokens[0].content: expected a text, got nothing");
    assert_refused(WORDS, "\"version\": \"2.0\"", ONDOL_E_UNSUPPORTED, "version: expected \"1.0\"");
    assert_refused(WORDS, "\"normalizer\": {\"type\": \"Shout\"}", ONDOL_E_FORMAT,
                   "normalizer.type: expected a type that this version of Ondol knows");
    assert_refused(WORDS,
                   "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": "
                   "\"NFC\"}, {\"type\": \"Strip\", \"strip_left\": \"yes\"}]}",
                   ONDOL_E_FORMAT, "normalizer.normalizers[1].strip_left: expected true or false");
    assert_refused(WORDS,
                   "\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": "
                   "\"A\"}",
                   ONDOL_E_FORMAT, "normalizer.precompiled_charsmap: expected base64");
    assert_refused(WORDS,
                   "\"normalizer\": {\"type\": \"Precompiled\", \"precompiled_charsmap\": "
                   "\"/////w==\"}",
                   ONDOL_E_FORMAT, "precompiled_charsmap");
    assert_refused(WORDS, "\"pre_tokenizer\": {\"type\": \"FixedLength\", \"length\": 0}",
                   ONDOL_E_FORMAT, "pre_tokenizer.length: expected an integer from 1");
    assert_refused(WORDS, "\"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"ab\"}",
                   ONDOL_E_FORMAT, "pre_tokenizer.replacement: expected a text of one character");
    assert_refused(WORDS,
                   "\"pre_tokenizer\": {\"type\": \"Split\", \"behavior\": \"Lost\", "
                   "\"pattern\": {\"String\": \"a\"}}",
                   ONDOL_E_FORMAT, "pre_tokenizer.behavior: expected Removed");
    assert_refused(WORDS, "\"decoder\": {\"type\": \"Strip\", \"start\": -1}", ONDOL_E_FORMAT,
                   "decoder.start");
    assert_refused(WORDS,
                   "\"post_processor\": {\"type\": \"BertProcessing\", \"sep\": [\"a\", 4], "
                   "\"cls\": [\"a\", 0]}",
                   ONDOL_E_FORMAT, "post_processor.sep: id 4, but there are 4 tokens");
    assert_refused(WORDS,
                   "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": "
                   "[{\"SpecialToken\": {\"id\": \"x\"}}], \"special_tokens\": {}}",
                   ONDOL_E_FORMAT, "post_processor.single[0]");
    assert_refused(WORDS,
                   "\"post_processor\": {\"type\": \"TemplateProcessing\", \"single\": "
                   "[{\"Sequence\": {\"id\": \"B\"}}], \"special_tokens\": {}}",
                   ONDOL_E_FORMAT, "expected sequence A, got \"B\"");
}

static void bad_merges_and_ids(void **state) {
    (void)state;
#define MERGES(list) "{\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1}, \"merges\": [" list "]}"
    assert_refused(MERGES("5"), "", ONDOL_E_FORMAT, "model.merges[0]: expected two texts");
    assert_refused(MERGES("\"a b c\""), "", ONDOL_E_FORMAT, "model.merges[0]: expected two texts");
    assert_refused(MERGES("[\"a\"]"), "", ONDOL_E_FORMAT, "model.merges[0]: expected two texts");
    assert_refused(MERGES("\"a b\""), "", ONDOL_E_FORMAT, "\"ab\" is not in the vocabulary");
    assert_refused(MERGES("\"a x\""), "", ONDOL_E_FORMAT, "\"x\" is not in the vocabulary");
    assert_refused("{\"type\": \"BPE\", \"vocab\": {\"a\": 900000000000}, \"merges\": []}", "",
                   ONDOL_E_LIMIT, "id 900000000000, but there are only 1 tokens");
    assert_refused("{\"type\": \"BPE\", \"vocab\": {\"a\": 2000000}, \"merges\": []}", "",
                   ONDOL_E_LIMIT, "id 2000000");
    ondol_error err = {0};
    text_tokenizer *tok = NULL;
    /* Merges in a circle: "" joined to a token is the token itself. */
    ASSERT_OK(
        open_json("{\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"\": 1, \"aa\": 2}, \"merges\": "
                  "[[\"a\", \"\"], [\"\", \"a\"], [\"a\", \"a\"]]}",
                  "", &tok, &err));
    assert_ids(tok, "aaa", 0, "2 0");
    text_tokenizer_destroy(tok);
    /* One id for two texts. */
    ASSERT_OK(open_json("{\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 0}, \"merges\": []}", "",
                        &tok, &err));
    assert_ids(tok, "ab", 0, "0 0");
    assert_text(tok, (int32_t[]){0, 0}, 2, 0, "a a");
    text_tokenizer_destroy(tok);
}

static void bad_expressions(void **state) {
    (void)state;
#define SPLIT(regex)                                                                               \
    "\"pre_tokenizer\": {\"type\": \"Split\", \"behavior\": \"Isolated\", \"pattern\": "           \
    "{\"Regex\": \"" regex "\"}}"
    static const struct {
        const char *rest, *part;
        ondol_status status;
    } rows[] = {
        {SPLIT("a("), "a ( without its )", ONDOL_E_FORMAT},
        {SPLIT("a)"), "a ) without its (", ONDOL_E_FORMAT},
        {SPLIT("[a"), "a [ without its ]", ONDOL_E_FORMAT},
        {SPLIT("*a"), "a quantifier with nothing before it", ONDOL_E_FORMAT},
        {SPLIT("\\\\p{Nonsense}"), "does not compile", ONDOL_E_FORMAT},
        {SPLIT("\\\\p{}"), "a property that is not known", ONDOL_E_FORMAT},
        {SPLIT("[[:nonsense:]]"), "[: of a class that is not known", ONDOL_E_FORMAT},
        {SPLIT("\\\\"), "a backslash at its end", ONDOL_E_FORMAT},
        {SPLIT("(?~a)"), "a group that PCRE2 does not have", ONDOL_E_UNSUPPORTED},
        {SPLIT("(?x) a"), "option x", ONDOL_E_UNSUPPORTED},
        {SPLIT("(*ACCEPT)"), "a callout or verb", ONDOL_E_UNSUPPORTED},
        {SPLIT("\\\\cA"), "a control escape", ONDOL_E_UNSUPPORTED},
        {SPLIT("(?<=a+)b"), "does not compile", ONDOL_E_FORMAT},
        {SPLIT("(?:a{60000}){60000}"), "does not compile", ONDOL_E_FORMAT},
        {SPLIT("[z-a]"), "does not compile", ONDOL_E_FORMAT},
        {SPLIT("\\\\xFF"), "bytes that make no character", ONDOL_E_FORMAT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_refused(WORDS, rows[i].rest, rows[i].status, rows[i].part);
    char deep[700] = SPLIT("");
    char brackets[300];
    memset(brackets, '(', 150);
    memset(brackets + 150, ')', 150);
    snprintf(deep, sizeof deep,
             "\"pre_tokenizer\": {\"type\": \"Split\", \"behavior\": \"Isolated\", \"pattern\": "
             "{\"Regex\": \"%.300s\"}}",
             brackets);
    assert_refused(WORDS, deep, ONDOL_E_LIMIT, "groups nested too deep");
}

/* An expression that takes exponential time is stopped. */
static void expression_blows_up(void **state) {
    (void)state;
    ondol_error err = {0};
    text_tokenizer *tok = NULL;
    size_t count = 7;
    char text[101];
    memset(text, 'a', 100);
    text[100] = '!';
    ASSERT_OK(open_json(WORDS, SPLIT("(?:a|aa|aaa)+$"), &tok, &err));
    ASSERT_STATUS(text_tokenize(tok, text, sizeof text, 0, NULL, 0, &count, &err), ONDOL_E_LIMIT);
    assert_int_equal(count, 0);
    ASSERT_CONTAINS(err.text, "more steps");
    text_tokenizer_destroy(tok);
}

/* Rewriting that multiplies the text is stopped, in encoding and in decoding. */
static void text_grows_too_long(void **state) {
    (void)state;
#define DOUBLE                                                                                     \
    "{\"type\": \"Replace\", \"pattern\": {\"String\": \"a\"}, \"content\": \"aaaaaaaa\"}"
#define SIX DOUBLE ", " DOUBLE ", " DOUBLE ", " DOUBLE ", " DOUBLE ", " DOUBLE
    ondol_error err = {0};
    text_tokenizer *tok = NULL;
    size_t count = 0;
    ASSERT_OK(open_json(
        WORDS, "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [" SIX ", " SIX "]}",
        &tok, &err));
    ASSERT_STATUS(text_tokenize(tok, "a", 1, 0, NULL, 0, &count, &err), ONDOL_E_LIMIT);
    text_tokenizer_destroy(tok);
    assert_refused(WORDS, "\"decoder\": {\"type\": \"Sequence\", \"decoders\": [" SIX ", " SIX "]}",
                   ONDOL_E_LIMIT, "text of tokens");
}

static void nested_too_deep(void **state) {
    (void)state;
    static char rest[20000] = "\"normalizer\": ";
    for (int i = 0; i < 300; i++)
        strcat(rest, "{\"type\": \"Sequence\", \"normalizers\": [");
    strcat(rest, "{\"type\": \"NFC\"}");
    for (int i = 0; i < 300; i++)
        strcat(rest, "]}");
    assert_refused(WORDS, rest, ONDOL_E_LIMIT, "nested deeper than");
}

static void bad_calls(void **state) {
    (void)state;
    ondol_error err = {0};
    text_tokenizer *tok = NULL;
    const ondol_allocator heap = base_default_allocator();
    base_buffer out;
    base_buffer_init(&out, &heap, 100);
    text_hf_files files = {.tokenizer = {NULL, 0}};
    ASSERT_STATUS(open_files(&heap, &files, &tok, &err), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(err.text, "tokenizer.json");
    ASSERT_OK(open_json(WORDS, "", &tok, &err));
    const int32_t ids[] = {0, 4};
    ASSERT_STATUS(text_detokenize(tok, ids, 2, 0, &out, &err), ONDOL_E_ARGUMENT);
    ASSERT_CONTAINS(err.text, "id 4, but there are 4 tokens");
    text_stream stream;
    text_stream_init(&stream, tok, 0);
    ASSERT_STATUS(text_stream_push(&stream, -1, &out, &err), ONDOL_E_ARGUMENT);
    text_tokenizer_destroy(tok);
    base_buffer_destroy(&out);
}

/* ---- memory ---- */

static const char all_parts[] =
    "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"a\": 0, \"b\": 1, \"ab\": 2, \"<s>\": 3}, "
    "\"merges\": [\"a b\"], \"continuing_subword_prefix\": \"\", \"end_of_word_suffix\": \"\"},"
    "\"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"BertNormalizer\"},"
    "{\"type\": \"NFKC\"}, {\"type\": \"Replace\", \"pattern\": {\"Regex\": \"x+\"}, \"content\": "
    "\"a\"},"
    "{\"type\": \"Precompiled\", \"precompiled_charsmap\": \"\"}, {\"type\": \"Prepend\", "
    "\"prepend\": \" \"}]},"
    "\"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [{\"type\": \"Split\", "
    "\"pattern\": "
    "{\"Regex\": \"[\\\\w&&[^c]]|b\"}, \"behavior\": \"MergedWithNext\", \"invert\": true},"
    "{\"type\": \"Metaspace\", \"replacement\": \"_\"}, {\"type\": \"Digits\"}, {\"type\": "
    "\"ByteLevel\"}]},"
    "\"decoder\": {\"type\": \"Sequence\", \"decoders\": [{\"type\": \"WordPiece\"}, {\"type\": "
    "\"Replace\", "
    "\"pattern\": {\"Regex\": \"a\"}, \"content\": \"b\"}, {\"type\": \"CTC\"}, {\"type\": "
    "\"ByteFallback\"}, {\"type\": \"ByteLevel\"}]},"
    "\"post_processor\": {\"type\": \"RobertaProcessing\", \"sep\": [\"a\", 0], \"cls\": [\"b\", "
    "1]},"
    "\"added_tokens\": [{\"content\": \"<s>\", \"id\": 3, \"special\": true}, {\"content\": "
    "\"Tag\", \"id\": 4, \"special\": false}]}";

static void memory_fails(void **state) {
    (void)state;
    static const char text[] = "ab \xc3\xa9\xcc\x81 xx <s> tag 12 c\xff";
    for (size_t n = 0;; n++) {
        fail_alloc memory;
        ondol_error err = {0};
        text_tokenizer *tok = NULL;
        int32_t ids[64];
        size_t count = 0;
        char *template = NULL;
        base_buffer out;
        fail_alloc_init(&memory, n);
        base_buffer_init(&out, &memory.api, 4096);
        const text_hf_files files = {.tokenizer = view(all_parts),
                                     .tokenizer_config =
                                         view("{\"add_bos_token\": true, \"bos_token\": \"a\","
                                              "\"chat_template\": \"x\"}")};
        ondol_status status = open_files(&memory.api, &files, &tok, &err);
        if (status == ONDOL_OK)
            status = text_tokenize(tok, text, strlen(text), TEXT_ADD_SPECIAL | TEXT_PARSE_SPECIAL,
                                   ids, 64, &count, &err);
        if (status == ONDOL_OK) status = text_detokenize(tok, ids, count, 0, &out, &err);
        if (status == ONDOL_OK)
            status = text_hf_template(&memory.api, &files, NULL, &template, &err);
        base_free(&memory.api, template);
        base_buffer_destroy(&out);
        text_tokenizer_destroy(tok);
        fail_alloc_check_empty(&memory);
        if (!memory.failed) {
            assert_int_equal(status, ONDOL_OK);
            break;
        }
        if (status != ONDOL_E_MEMORY) fail_msg("allocation %zu: %s", n, err.text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_level_bpe),      cmocka_unit_test(word_level_and_holes),
        cmocka_unit_test(llama_form),          cmocka_unit_test(bert_form),
        cmocka_unit_test(unigram_form),        cmocka_unit_test(roles_of_files),
        cmocka_unit_test(chat_templates),      cmocka_unit_test(wrong_types),
        cmocka_unit_test(bad_merges_and_ids),  cmocka_unit_test(bad_expressions),
        cmocka_unit_test(expression_blows_up), cmocka_unit_test(text_grows_too_long),
        cmocka_unit_test(nested_too_deep),     cmocka_unit_test(bad_calls),
        cmocka_unit_test(memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
