/* text/tokenizer*: special tokens, streams, limits, bad descriptions, failing memory, time. */
#include <time.h>

#include "tokenizer_specs.h"

static void special_tokens_in_text(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_spm(&v);
    vocab_open(&o, &v);
    int32_t user = text_token_find(o.tok, "<|user|>", 8);
    int32_t end = text_token_find(o.tok, "<|end|>", 7);
    int32_t tag = text_token_find(o.tok, "<tag>", 5);
    assert_int_equal(text_token_types(o.tok, user), 1u << TEXT_TOKEN_CONTROL);
    /* Each part behind a special token has its own space before it. */
    assert_ids(&o, "hello<|end|>hello", TEXT_PARSE_SPECIAL, IDS(262, end, 262));
    assert_ids(&o, "<|user|><|end|>", TEXT_ADD_SPECIAL | TEXT_PARSE_SPECIAL, IDS(1, user, end));
    /* A user-defined token is found in any text, a control token is not. */
    assert_ids(&o, "hello<tag>hello", 0, IDS(262, tag, 262));
    static int32_t ids[IDS_MAX];
    size_t n = vocab_tokenize(&o, "<|end|><s></s><unk>", 19, 0, ids);
    assert_true(n >= 19);
    for (size_t i = 0; i < n; i++)
        assert_false(text_token_is_control(o.tok, ids[i]));
    /* No special token begins twice; what only begins as one is text. */
    n = vocab_tokenize(&o, "<|end<|end|>", 12, TEXT_PARSE_SPECIAL, ids);
    assert_int_equal(ids[n - 1], end);
    assert_text(&o, IDS(262, end, 262), 0, "hello hello");
    assert_text(&o, IDS(262, end, tag), TEXT_SHOW_CONTROL, "hello<|end|><tag>");
    vocab_close(&o);
}

static void longest_special_token_wins(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_bpe(&v, "gpt-2");
    int32_t shorter = vocab_control(&v, "<|a");
    int32_t longer = vocab_control(&v, "<|a|>");
    vocab_open(&o, &v);
    assert_ids(&o, "<|a|><|ab", TEXT_PARSE_SPECIAL, IDS(longer, shorter, 'b'));
    vocab_close(&o);
}

static void strip_flags(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_spm(&v);
    int32_t end = -1;
    int32_t mask = vocab_control(&v, "<mask>");
    for (size_t i = 0; i < v.spec.n_tokens; i++) {
        if (v.tokens[i].size != 7 || memcmp(v.tokens[i].data, "<|end|>", 7) != 0) continue;
        end = (int32_t)i;
    }
    v.strip[end] = TEXT_STRIP_RIGHT;
    v.strip[mask] = TEXT_STRIP_LEFT;
    vocab_open(&o, &v);
    unsigned parse = TEXT_PARSE_SPECIAL;
    assert_ids(&o, "<|end|> \n\t hello", parse, IDS(end, 262));
    assert_ids(&o, "<|end|>\xc2\xa0\xe3\x80\x80hello", parse, IDS(end, 262)); /* all of Unicode's */
    assert_ids(&o, "<|end|> \n", parse, IDS(end));
    assert_ids(&o, "hello \xe2\x80\x83\n<mask> hello", parse, IDS(262, mask, 268, 262));
    assert_ids(&o, " \n<mask>", parse, IDS(mask));
    assert_ids(&o, "<|end|>  <mask>", parse, IDS(end, mask));
    assert_ids(&o, "hello\x80 <mask>", parse, IDS(262, 3 + 0x80, mask)); /* broken UTF-8 stays */
    vocab_close(&o);
}

/* Roles and ends that a file does not name are known by their texts. */
static void roles_by_name(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_bpe(&v, "gpt-2");
    int32_t eom = vocab_word(&v, "<|eom_id|>"); /* said to be an ordinary word */
    int32_t prefix = vocab_control(&v, "<|fim_prefix|>");
    int32_t other = vocab_control(&v, "<|other|>");
    vocab_open(&o, &v);
    assert_int_equal(text_token_special(o.tok, TEXT_EOT), 256); /* <|im_end|> */
    assert_int_equal(text_token_special(o.tok, TEXT_EOM), eom);
    assert_int_equal(text_token_special(o.tok, TEXT_FIM_PREFIX), prefix);
    assert_true(text_token_is_end(o.tok, 256));
    assert_true(text_token_is_end(o.tok, eom));
    assert_true(text_token_is_control(o.tok, eom));
    assert_false(text_token_is_end(o.tok, other));
    assert_false(text_token_is_end(o.tok, prefix));
    vocab_close(&o);
}

/* gpt-oss: <|end|> ends a message, not a generation, and its channels are seen. */
static void roles_of_gpt_oss(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_bpe(&v, "gpt-4o");
    int32_t end = vocab_control(&v, "<|end|>");
    int32_t back = vocab_control(&v, "<|return|>");
    int32_t call = vocab_control(&v, "<|call|>");
    int32_t channel = vocab_control(&v, "<|channel|>");
    vocab_open(&o, &v);
    assert_false(text_token_is_end(o.tok, end));
    assert_true(text_token_is_end(o.tok, back));
    assert_true(text_token_is_end(o.tok, call));
    assert_text(&o, IDS(channel, back), 0, "<|channel|>");
    vocab_close(&o);
}

/* ---- streams ---- */

static void stream_never_cuts_a_character(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    ondol_error err = {0};
    vocab_make_spm(&v);
    vocab_open(&o, &v);
    static const char text[] = "h\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x9a\x80l";
    static int32_t ids[IDS_MAX];
    size_t n = vocab_tokenize(&o, text, sizeof text - 1, 0, ids);
    base_buffer out;
    text_stream stream;
    base_buffer_init(&out, &o.heap, 1000);
    text_stream_init(&stream, o.tok, 0);
    for (size_t i = 0; i < n; i++) {
        size_t before = out.size;
        ASSERT_OK(text_stream_push(&stream, ids[i], &out, &err));
        assert_true(base_utf8_valid((const unsigned char *)out.data + before, out.size - before));
    }
    ASSERT_OK(text_stream_finish(&stream, &out, &err));
    assert_string_equal(out.data, text);
    base_buffer_destroy(&out);
    vocab_close(&o);
}

/* What bytes give in a stream, and at its end. */
static void assert_stream(const open_vocab *o, const char *bytes, size_t n, const char *pushed,
                          const char *finished) {
    ondol_error err = {0};
    base_buffer out;
    text_stream stream;
    base_buffer_init(&out, &o->heap, 1000);
    text_stream_init(&stream, o->tok, TEXT_CONTINUE);
    for (size_t i = 0; i < n; i++)
        ASSERT_OK(text_stream_push(&stream, 3 + (unsigned char)bytes[i], &out, &err));
    assert_string_equal(out.data ? out.data : "", pushed);
    ASSERT_OK(text_stream_finish(&stream, &out, &err));
    assert_string_equal(out.data ? out.data : "", finished);
    base_buffer_destroy(&out);
}

#define FFFD "\xef\xbf\xbd"

static void stream_of_broken_bytes(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_spm(&v);
    vocab_open(&o, &v);
    assert_stream(&o, "\xf0\x9f\x9a", 3, "", FFFD); /* never completed */
    assert_stream(&o,
                  "\xf0\x9f"
                  "a",
                  3, FFFD "a", FFFD "a"); /* broken off by a letter */
    assert_stream(&o, "\xc3\xc3\xa9", 3, FFFD "\xc3\xa9", FFFD "\xc3\xa9");
    assert_stream(&o, "\x80\xff", 2, FFFD FFFD, FFFD FFFD);               /* begins nothing */
    assert_stream(&o, "\xed\xa0\x80", 3, FFFD FFFD FFFD, FFFD FFFD FFFD); /* a surrogate */
    assert_stream(&o, "\xf4\x90", 2, FFFD FFFD, FFFD FFFD);               /* past U+10FFFF */
    assert_stream(&o, "", 0, "", "");
    vocab_close(&o);
}

static void stream_drops_one_space(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    ondol_error err = {0};
    vocab_make_spm(&v);
    vocab_open(&o, &v);
    for (unsigned flags = 0; flags <= TEXT_CONTINUE; flags += TEXT_CONTINUE) {
        base_buffer out;
        text_stream stream;
        base_buffer_init(&out, &o.heap, 1000);
        text_stream_init(&stream, o.tok, flags);
        for (int again = 0; again < 2; again++) {                /* usable again after its end */
            ASSERT_OK(text_stream_push(&stream, 1, &out, &err)); /* <s>: nothing, takes no space */
            ASSERT_OK(text_stream_push(&stream, 262, &out, &err));
            ASSERT_OK(text_stream_push(&stream, 262, &out, &err));
            ASSERT_OK(text_stream_finish(&stream, &out, &err));
        }
        assert_string_equal(out.data,
                            flags ? " hello hello hello hello" : "hello hellohello hello");
        base_buffer_destroy(&out);
    }
    vocab_close(&o);
}

/* ---- what is refused ---- */

static void wrong_calls(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    ondol_error err = {0};
    size_t count = 7;
    int32_t ids[4];
    base_buffer out;
    vocab_make_spm(&v);
    vocab_open(&o, &v);
    ASSERT_STATUS(text_tokenize(o.tok, NULL, 1, 0, ids, 4, &count, &err), ONDOL_E_ARGUMENT);
    assert_int_equal(count, 0);
    ASSERT_STATUS(text_tokenize(o.tok, "a", 1, 0, NULL, 4, &count, &err), ONDOL_E_ARGUMENT);
    ASSERT_OK(text_tokenize(o.tok, NULL, 0, 0, NULL, 0, &count, &err));
    /* Lengths that do not fit an int, refused before a byte is read. */
    static const size_t sizes[] = {(size_t)INT32_MAX + 1, UINT32_MAX, (size_t)UINT32_MAX + 2,
                                   SIZE_MAX};
    for (size_t i = 0; i < 4; i++) {
        count = 7;
        ASSERT_STATUS(text_tokenize(o.tok, "a", sizes[i], 0, ids, 4, &count, &err), ONDOL_E_LIMIT);
        assert_int_equal(count, 0);
    }
    base_buffer_init(&out, &o.heap, 100);
    static const int32_t outside[] = {-1, 640, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < 4; i++) {
        ASSERT_STATUS(text_detokenize(o.tok, &outside[i], 1, 0, &out, &err), ONDOL_E_ARGUMENT);
        ASSERT_CONTAINS(err.text, "there are 277 tokens");
    }
    ASSERT_STATUS(text_detokenize(o.tok, NULL, 1, 0, &out, &err), ONDOL_E_ARGUMENT);
    base_buffer_destroy(&out);
    base_buffer_init(&out, &o.heap, 3); /* the buffer's own maximum */
    ASSERT_STATUS(text_detokenize(o.tok, IDS(262), 1, 0, &out, &err), ONDOL_E_LIMIT);
    base_buffer_destroy(&out);
    vocab_close(&o);
}

/* Few ids are asked for: the count is still the whole text's, and no more are written. */
static void short_room(void **state) {
    (void)state;
    for (int kind = TEXT_KIND_SPM; kind < TEXT_KIND_COUNT; kind++) {
        vocab v;
        open_vocab o;
        ondol_error err = {0};
        static int32_t all[IDS_MAX];
        static const char text[] = "abab hello 123 \xc3\xa9<tag>unaffable!";
        vocab_make(&v, (text_kind)kind);
        vocab_open(&o, &v);
        size_t n = vocab_tokenize(&o, text, sizeof text - 1, TEXT_ADD_SPECIAL, all);
        for (size_t cap = 0; cap < n; cap++) {
            int32_t ids[IDS_MAX];
            size_t count = 0;
            memset(ids, 0x5a, sizeof ids);
            ASSERT_OK(text_tokenize(o.tok, text, sizeof text - 1, TEXT_ADD_SPECIAL, ids, cap,
                                    &count, &err));
            assert_int_equal(count, n);
            if (kind != TEXT_KIND_WORDPIECE) assert_memory_equal(ids, all, cap * sizeof *ids);
            assert_int_equal(ids[cap], 0x5a5a5a5a);
        }
        vocab_close(&o);
    }
}

static void refuse(const vocab *v, ondol_status want, const char *part) {
    ondol_error err = {0};
    ondol_allocator heap = base_default_allocator();
    text_tokenizer *tok = NULL;
    ASSERT_STATUS(text_tokenizer_create(&heap, &v->spec, &tok, &err), want);
    ASSERT_CONTAINS(err.text, part);
    assert_null(tok);
}

static void bad_specs(void **state) {
    (void)state;
    vocab v;
    vocab_init(&v, TEXT_KIND_NONE);
    refuse(&v, ONDOL_E_UNSUPPORTED, "none");
    vocab_init(&v, TEXT_KIND_COUNT);
    refuse(&v, ONDOL_E_UNSUPPORTED, "tokenizer");
    for (int kind = TEXT_KIND_SPM; kind < TEXT_KIND_COUNT; kind++) {
        vocab_init(&v, (text_kind)kind);
        refuse(&v, ONDOL_E_FORMAT, "empty");
        for (int role = 0; role < TEXT_SPECIAL_COUNT; role++) {
            static const int64_t past[] = {0, 1, INT32_MAX, UINT32_MAX, INT64_MAX, -3, INT64_MIN};
            for (size_t i = 0; i < sizeof past / sizeof past[0]; i++) {
                vocab_make(&v, (text_kind)kind);
                int64_t id =
                    past[i] == 0 || past[i] == 1 ? (int64_t)v.spec.n_tokens + past[i] : past[i];
                v.spec.special_ids[role] = id;
                refuse(&v, ONDOL_E_FORMAT, "tokens");
            }
        }
    }
    vocab_make_bpe(&v, "no-such-pre");
    refuse(&v, ONDOL_E_UNSUPPORTED, "no-such-pre");
    vocab_make_spm(&v);
    v.spec.n_tokens = (size_t)INT32_MAX + 1; /* none of them may be looked at */
    refuse(&v, ONDOL_E_LIMIT, "2147483648");
    vocab_make_bpe(&v, "gpt-2");
    v.spec.n_merges = (size_t)INT32_MAX + 1;
    refuse(&v, ONDOL_E_LIMIT, "merges");
}

/* Vocabularies that are odd but no fault. */
static void odd_specs(void **state) {
    (void)state;
    for (int kind = TEXT_KIND_SPM; kind < TEXT_KIND_COUNT; kind++) {
        vocab v;
        open_vocab o;
        static int32_t ids[IDS_MAX];
        vocab_init(&v, (text_kind)kind);
        v.spec.scores = NULL;
        v.spec.types = NULL;
        v.spec.strip = NULL;
        vocab_word(&v, ""); /* an empty token, a text twice, a mark alone, broken UTF-8 */
        vocab_word(&v, "a");
        vocab_word(&v, "a");
        vocab_word(&v, SPACE_MARK);
        vocab_word(&v, "\xff");
        vocab_word(&v, "\\");
        vocab_merge(&v, "", "a");
        vocab_merge(&v, "a", "");
        vocab_merge(&v, "\xff", "\xfe");
        vocab_open(&o, &v);
        size_t n = vocab_tokenize(&o, "a a\xff\xc3\xa9 b", 9, TEXT_ADD_SPECIAL, ids);
        for (size_t i = 0; i < n; i++)
            assert_true(ids[i] >= 0 && ids[i] < 6);
        vocab_close(&o);

        vocab_make(&v, (text_kind)kind); /* scores that are no numbers */
        v.scores[v.spec.n_tokens - 1] = (float)(0.0 * 1e300 * 1e300);
        for (size_t i = 0; i < v.spec.n_tokens; i++)
            v.scores[i] = i % 3 == 0 ? (float)(1e300 * 1e300) : (float)(-1e300 * 1e300);
        memset(v.types, 99, 10);
        vocab_open(&o, &v);
        vocab_tokenize(&o, "hello ababa", 11, TEXT_ADD_SPECIAL, ids);
        vocab_close(&o);
    }
}

/* ---- memory and time ---- */

static void every_allocation_fails(void **state) {
    (void)state;
    static const char text[] = "hello  abab <|end|> 123\n\xc3\xa9\xff unaffable";
    for (int kind = TEXT_KIND_SPM; kind < TEXT_KIND_COUNT; kind++) {
        static unsigned char map[] = {4, 0, 0, 0, 0, 0, 0, 0, 'a', 0};
        vocab v;
        vocab_make(&v, (text_kind)kind);
        if (kind == TEXT_KIND_UNIGRAM) v.spec.charsmap = (text_view){(char *)map, sizeof map};
        for (size_t n = 0;; n++) {
            fail_alloc memory;
            ondol_error err = {0};
            text_tokenizer *tok = NULL;
            size_t count = 0;
            int32_t ids[200];
            base_buffer out;
            fail_alloc_init(&memory, n);
            base_buffer_init(&out, &memory.api, 1000);
            ondol_status status = text_tokenizer_create(&memory.api, &v.spec, &tok, &err);
            if (status == ONDOL_OK) {
                status =
                    text_tokenize(tok, text, sizeof text - 1, TEXT_ADD_SPECIAL | TEXT_PARSE_SPECIAL,
                                  ids, 200, &count, &err);
            } else {
                assert_null(tok);
            }
            if (status == ONDOL_OK) status = text_detokenize(tok, ids, count, 0, &out, &err);
            base_buffer_destroy(&out);
            text_tokenizer_destroy(tok);
            fail_alloc_check_empty(&memory);
            /* PCRE2 does without the memory of its just-in-time compiler. */
            if (status != ONDOL_OK) assert_int_equal(status, ONDOL_E_MEMORY);
            if (!memory.failed) {
                assert_int_equal(status, ONDOL_OK);
                break;
            }
            assert_true(n < 2000);
        }
    }
}

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* A megabyte in which nothing separates, in each kind. An algorithm of n^2 takes minutes. */
static void long_texts_are_linear(void **state) {
    (void)state;
    enum { N = 1 << 20 };
    static char text[N];
    static const char *const fillings[] = {"a",  "h",          "hello",    "ab",  " ",
                                           "\n", "0123456789", "\xc3\xa9", "zz ", "<|end|> ",
                                           "<",  ".",          "\xff"};
    for (int kind = TEXT_KIND_SPM; kind < TEXT_KIND_COUNT; kind++) {
        vocab v;
        open_vocab o;
        vocab_make(&v, (text_kind)kind);
        if (kind == TEXT_KIND_SPM) memset(v.strip, TEXT_STRIP_RIGHT | TEXT_STRIP_LEFT, 640);
        vocab_open(&o, &v);
        for (size_t f = 0; f < sizeof fillings / sizeof fillings[0]; f++) {
            ondol_error err = {0};
            size_t size = strlen(fillings[f]);
            size_t count = 0;
            for (size_t i = 0; i < N; i++)
                text[i] = fillings[f][i % size];
            double start = seconds();
            ASSERT_OK(text_tokenize(o.tok, text, N, TEXT_PARSE_SPECIAL, NULL, 0, &count, &err));
            double took = seconds() - start;
            assert_true(count <= N * 3); /* U+FFFD for a byte has three */
            if (took > 20) fail_msg("kind %d '%s': %f s", kind, fillings[f], took);
        }
        vocab_close(&o);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_tokens_in_text),
        cmocka_unit_test(longest_special_token_wins),
        cmocka_unit_test(strip_flags),
        cmocka_unit_test(roles_by_name),
        cmocka_unit_test(roles_of_gpt_oss),
        cmocka_unit_test(stream_never_cuts_a_character),
        cmocka_unit_test(stream_of_broken_bytes),
        cmocka_unit_test(stream_drops_one_space),
        cmocka_unit_test(wrong_calls),
        cmocka_unit_test(short_room),
        cmocka_unit_test(bad_specs),
        cmocka_unit_test(odd_specs),
        cmocka_unit_test(every_allocation_fails),
        cmocka_unit_test(long_texts_are_linear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
