/* text/tokenizer*: what each kind makes of a text, and what it gives back. */
#include "tokenizer_specs.h"

static const text_kind kinds[] = {TEXT_KIND_SPM,     TEXT_KIND_BPE,  TEXT_KIND_WORDPIECE,
                                  TEXT_KIND_UNIGRAM, TEXT_KIND_RWKV, TEXT_KIND_PLAMO2};

static void spm_joins_by_score(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_spm(&v);
    vocab_open(&o, &v);
    /* Ids 259 and on: ▁h el lo ▁hello ▁hel llo ell ▁hell ▁▁ ▁ h e l o w */
    assert_ids(&o, "hello", 0, IDS(262));
    assert_ids(&o, "hello", TEXT_ADD_SPECIAL, IDS(1, 262));
    assert_ids(&o, " hello", 0, IDS(268, 262));          /* the space before, and one of the text */
    assert_ids(&o, "hell", 0, IDS(266));                 /* ▁h and el go first */
    assert_ids(&o, "wello", 0, IDS(268, 273, 260, 261)); /* el before ell and llo */
    assert_ids(&o, "", TEXT_ADD_SPECIAL, IDS(1));
    assert_ids(&o, "", 0, IDS(-1));
    assert_text(&o, IDS(1, 262, 268, 273), 0, "hello w");
    assert_text(&o, IDS(262), TEXT_CONTINUE, " hello");
    vocab_close(&o);
}

static void spm_falls_back_to_bytes(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_spm(&v);
    vocab_open(&o, &v);
    assert_ids(&o, "\xc3\xa9", 0, IDS(268, 3 + 0xc3, 3 + 0xa9));
    assert_ids(&o, "\xff", 0, IDS(268, 3 + 0xff)); /* no UTF-8: its byte all the same */
    assert_ids(&o, "\n", 0, IDS(268, 3 + '\n'));
    assert_text(&o, IDS(268, 3 + 0xc3, 3 + 0xa9, 3 + 0xff), 0, "\xc3\xa9\xff");
    vocab_close(&o);
}

static void spm_space_prefix(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_spm(&v);
    v.spec.add_space_prefix = TEXT_SWITCH_OFF;
    vocab_open(&o, &v);
    assert_ids(&o, "hello", 0, IDS(269, 260, 261));
    assert_ids(&o, " hello", 0, IDS(262));
    assert_text(&o, IDS(262), 0, " hello"); /* no space was added: none is taken */
    vocab_close(&o);

    v.spec.add_space_prefix = TEXT_SWITCH_DEFAULT;
    v.spec.add_bos = TEXT_SWITCH_OFF;
    v.spec.add_eos = TEXT_SWITCH_ON;
    vocab_open(&o, &v);
    assert_ids(&o, "hello", TEXT_ADD_SPECIAL, IDS(262, 2));
    assert_false(text_tokenizer_adds_bos(o.tok));
    assert_true(text_tokenizer_adds_eos(o.tok));
    vocab_close(&o);
}

static void bpe_merges_by_rank(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_bpe(&v, "gpt-2");
    vocab_open(&o, &v);
    /* Ids 257 and on: he ll hell hello _w or ld _wor _world 12 123 zz */
    assert_ids(&o, "hello world", 0, IDS(260, 265));
    assert_ids(&o, "hell", 0, IDS(259));
    assert_ids(&o, "123", 0, IDS(267));
    assert_ids(&o, "zz", 0, IDS('z', 'z')); /* a token that no merge makes */
    assert_ids(&o, "\xc3\xa9\n", 0, IDS(0xc3, 0xa9, '\n'));
    assert_ids(&o, "\xff", 0, IDS(0xef, 0xbf, 0xbd)); /* BPE: U+FFFD for what is no UTF-8 */
    assert_text(&o, IDS(260, 265, 256), 0, "hello world");
    assert_text(&o, IDS(260, 256), TEXT_SHOW_CONTROL, "hello<|im_end|>");
    vocab_close(&o);

    v.spec.ignore_merges = TEXT_SWITCH_ON;
    vocab_open(&o, &v);
    assert_ids(&o, "zz", 0, IDS(268));
    vocab_close(&o);
}

static void bpe_merge_parts_need_no_token(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_bpe(&v, "gpt-2");
    int32_t long_word = vocab_word(&v, "qxyz");
    vocab_merge(&v, "q", "x"); /* "qx" is no token */
    vocab_merge(&v, "y", "z");
    vocab_merge(&v, "qx", "yz");
    vocab_merge(&v, "q", "x"); /* twice: the first rank counts */
    vocab_open(&o, &v);
    assert_ids(&o, "qxyz", 0, IDS(long_word));
    assert_ids(&o, "qx", 0, IDS('q', 'x'));
    vocab_close(&o);
}

static void bpe_raw_characters(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_init(&v, TEXT_KIND_BPE);
    v.spec.pretokenizer = (text_view){"gemma4", 6};
    int32_t bos = vocab_control(&v, "<bos>");
    int32_t bytes = vocab_bytes(&v);
    int32_t a = vocab_word(&v, "a");
    vocab_word(&v, SPACE_MARK);
    int32_t space_a = vocab_word(&v, SPACE_MARK "a");
    int32_t lines = vocab_word(&v, "\n\n");
    vocab_merge(&v, SPACE_MARK, "a");
    vocab_roles(&v, bos, TEXT_ID_NONE, TEXT_ID_NONE);
    v.spec.add_bos = TEXT_SWITCH_OFF; /* said so, and still one comes: llama.cpp's rule */
    vocab_open(&o, &v);
    assert_ids(&o, "a a", TEXT_ADD_SPECIAL, IDS(bos, a, space_a));
    assert_ids(&o, "a\n\na", 0, IDS(a, lines, a));
    assert_ids(&o, "\xc3\xa9", 0, IDS(bytes + 0xc3, bytes + 0xa9));
    assert_text(&o, IDS(a, space_a, lines, bytes + 0xc3, bytes + 0xa9), 0, "a a\n\n\xc3\xa9");
    vocab_close(&o);
}

static void bpe_dna_in_sixes(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_bpe(&v, "gpt-2");
    v.spec.dna_kmers = true;
    int32_t open = vocab_word(&v, "<dna>");
    int32_t close = vocab_word(&v, "</dna>");
    int32_t unknown = vocab_word(&v, "<oov>");
    int32_t full = vocab_word(&v, "ACGTAC\xee\x80\x80");
    int32_t filled = vocab_word(&v, "GAAAAA\xee\x80\x80");
    vocab_open(&o, &v);
    assert_ids(&o, "hello<dna>acgtacG</dna>hello", 0, IDS(260, open, full, filled, close, 260));
    assert_ids(&o, "<dna>NNNNNN", 0, IDS(open, unknown));
    assert_text(&o, IDS(open, full, close), 0, "<dna>ACGTAC</dna>");
    vocab_close(&o);
}

static void bpe_whitespace_only_separates(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_init(&v, TEXT_KIND_BPE);
    v.spec.pretokenizer = (text_view){"whitespace", 10};
    v.spec.drop_whitespace = true;
    int32_t a = vocab_word(&v, "a");
    int32_t b = vocab_word(&v, "b");
    int32_t ab = vocab_word(&v, "ab");
    int32_t upper = vocab_word(&v, "A");
    vocab_merge(&v, "a", "b");
    vocab_open(&o, &v);
    assert_ids(&o,
               " ab \t\n a b\xe3\x80\x80"
               "A ",
               0, IDS(ab, a, b, upper));
    vocab_close(&o);
    v.spec.lowercase = TEXT_SWITCH_ON;
    vocab_open(&o, &v);
    assert_ids(&o, "AB A", 0, IDS(ab, a));
    vocab_close(&o);
}

static void wordpiece_words(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_wordpiece(&v);
    vocab_open(&o, &v);
    /* Ids 4 and on: _un aff able _cafe _, _! _你 _好 _a b _i _é */
    assert_ids(&o, "unaffable", 0, IDS(4, 5, 6));
    assert_ids(&o, "UnAffable!", TEXT_ADD_SPECIAL, IDS(2, 4, 5, 6, 9, 3));
    assert_ids(&o, "Caf\xc3\xa9, CAFE\xcc\x81", 0, IDS(7, 8, 7)); /* composed or not: no accent */
    assert_ids(&o, "\xe4\xbd\xa0\xe5\xa5\xbd", 0, IDS(10, 11));   /* each of CJK a word */
    assert_ids(&o, "unxaff", 0, IDS(1));                          /* no split: unknown, whole */
    assert_ids(&o,
               "a\x01\xe2\x80\x8b"
               "b",
               0, IDS(12, 13));                     /* control and format characters go */
    assert_ids(&o, "\xc4\xb0", 0, IDS(14));         /* U+0130: i, and a dot that is an accent */
    assert_ids(&o, "un" SPACE_MARK "a", 0, IDS(1)); /* a mark of the text starts no word */
    assert_ids(&o, " \t\n ", TEXT_ADD_SPECIAL, IDS(2, 3));
    assert_text(&o, IDS(4, 5, 6, 9), 0, "unaffable !");
    vocab_close(&o);

    v.spec.lowercase = TEXT_SWITCH_OFF;
    vocab_open(&o, &v);
    assert_ids(&o, "\xc3\xa9 A a", 0, IDS(15, 1, 12)); /* accents stay with the case */
    vocab_close(&o);
}

static void wordpiece_long_word_is_unknown(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    char text[102];
    int32_t ids[IDS_MAX];
    vocab_make_wordpiece(&v);
    vocab_open(&o, &v);
    text[0] = 'a';
    memset(text + 1, 'b', 100);
    assert_int_equal(vocab_tokenize(&o, text, 100, 0, ids), 100);
    assert_int_equal(vocab_tokenize(&o, text, 101, 0, ids), 1);
    assert_int_equal(ids[0], 1);
    vocab_close(&o);
    v.spec.max_word_chars = 3;
    vocab_open(&o, &v);
    assert_ids(&o, "abbb abb", 0, IDS(1, 12, 13, 13));
    vocab_close(&o);
}

static void unigram_best_split(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_unigram(&v);
    vocab_open(&o, &v);
    /* pad 0, </s> 1, unk 2, _ 3 (-2), a 4 (-3), b 5 (-3), ab 6 (-4), aba 7 (-9), _a 8 (-4.5) */
    assert_ids(&o, "ab", 0, IDS(3, 6));     /* -2 - 4, not -4.5 - 3 */
    assert_ids(&o, "a", 0, IDS(8));         /* -4.5, not -2 - 3 */
    assert_ids(&o, "aba", 0, IDS(3, 6, 4)); /* -9, not -2 - 9 */
    assert_ids(&o, "ab", TEXT_ADD_SPECIAL, IDS(3, 6, 1));
    assert_ids(&o, "axyza", 0, IDS(8, 2, 4)); /* what is unknown in a row is one */
    assert_ids(&o, "a  a", 0, IDS(8, 3, 8));
    assert_text(&o, IDS(3, 6, 8), 0, "ab a");
    vocab_close(&o);

    v.spec.remove_extra_whitespaces = TEXT_SWITCH_ON;
    vocab_open(&o, &v);
    assert_ids(&o, "  a   a  ", 0, IDS(8, 8));
    vocab_close(&o);
}

static void unigram_user_words_are_free(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_unigram(&v);
    int32_t user = vocab_add(&v, "bb", -99, TEXT_TOKEN_USER_DEFINED);
    vocab_open(&o, &v);
    assert_ids(&o, "abba", 0, IDS(8, user, 8)); /* cut out first; a prefix behind it as well */
    vocab_close(&o);
}

/* A charsmap made by hand: the byte 'X' -> "ab". An XOR trie: node 0 is the root with base 256,
 * so 'X' lies at 256 ^ 'X' = 344; its leaf bit is set, and its value stands at 344 ^ base. */
static size_t make_charsmap(unsigned char *out) {
    enum { NODES = 600 };
    uint32_t nodes[NODES] = {0};
    nodes[0] = 256u << 10;
    nodes[344] = 'X' | 1u << 8 | 1u << 10; /* base 1: the value at 345 */
    nodes[345] = 0x80000000u | 0u;         /* replacement at 0 */
    size_t n = 0;
    uint32_t size = sizeof nodes;
    for (int i = 0; i < 4; i++)
        out[n++] = (unsigned char)(size >> (8 * i));
    for (size_t k = 0; k < NODES; k++) {
        for (int i = 0; i < 4; i++)
            out[n++] = (unsigned char)(nodes[k] >> (8 * i));
    }
    memcpy(out + n, "ab", 3);
    return n + 3;
}

static void unigram_charsmap(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    static unsigned char map[4096];
    size_t n = make_charsmap(map);
    vocab_make_unigram(&v);
    v.spec.charsmap = (text_view){(const char *)map, n};
    vocab_open(&o, &v);
    assert_ids(&o, "X", 0, IDS(3, 6));
    assert_ids(&o, "XX", 0, IDS(3, 6, 6));
    vocab_close(&o);

    ondol_error err = {0};
    ondol_allocator heap = base_default_allocator();
    text_tokenizer *tok = NULL;
    for (size_t cut = 1; cut < n; cut += n / 37 + 1) { /* cut off, and with a size of its own */
        v.spec.charsmap.size = cut;
        ASSERT_STATUS(text_tokenizer_create(&heap, &v.spec, &tok, &err), ONDOL_E_FORMAT);
        ASSERT_CONTAINS(err.text, "charsmap");
        assert_null(tok);
    }
    v.spec.charsmap.size = n;
    map[3] = 0xff; /* an array of 4 billion bytes */
    ASSERT_STATUS(text_tokenizer_create(&heap, &v.spec, &tok, &err), ONDOL_E_FORMAT);
}

static void rwkv_longest_match(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_rwkv(&v);
    vocab_open(&o, &v);
    assert_ids(&o, "abcab\n\n\na", TEXT_ADD_SPECIAL, IDS(3, 2, 5, 4, 1));
    assert_ids(&o, "\xff\\'\t\xe4\xbd\xa0", 0, IDS(7, 8, 9, 10));
    int32_t ids[IDS_MAX];
    assert_int_equal(vocab_tokenize(&o, "\0", 1, 0, ids), 1);
    assert_int_equal(ids[0], 6);
    assert_text(&o, IDS(3, 7, 5), 0, "abc\xff\\\n\n");
    vocab_close(&o);
}

static void plamo2_least_cost(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    vocab_make_plamo2(&v);
    vocab_open(&o, &v);
    /* a 260 (-3), ab 261 (-4), b 262 (-2), bc 263 (-1) */
    assert_ids(&o, "ab", 0, IDS(261));
    assert_ids(&o, "abc", 0, IDS(260, 263)); /* -4, not ab and a byte */
    assert_ids(&o, "\xc3\xa9", 0, IDS(4 + 0xc3, 4 + 0xa9));
    assert_text(&o, IDS(260, 263, 4 + 0xc3, 4 + 0xa9), 0, "abc\xc3\xa9");
    vocab_close(&o);
}

/* Texts of which every kind but WordPiece and Unigram gives back each byte. */
static void round_trips(void **state) {
    (void)state;
    static const char *const texts[] = {"hello world",
                                        " hello  world \n\n x",
                                        "\xc3\xa9\xe4\xbd\xa0\xf0\x9f\x9a\x80",
                                        "<|im_end|> <s> [UNK] <0x41>",
                                        "1234567 8 \t\r\n",
                                        " ",
                                        "   "};
    static const text_kind exact[] = {TEXT_KIND_SPM, TEXT_KIND_BPE, TEXT_KIND_PLAMO2};
    for (size_t k = 0; k < sizeof exact / sizeof exact[0]; k++) {
        vocab v;
        open_vocab o;
        static int32_t ids[IDS_MAX + 1];
        vocab_make(&v, exact[k]);
        vocab_open(&o, &v);
        for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
            size_t n = vocab_tokenize(&o, texts[i], strlen(texts[i]), TEXT_ADD_SPECIAL, ids);
            ids[n] = -1;
            for (size_t j = n; j > 0;
                 j--) /* plain text gives no control token, but for the frame */
                if (j > 1) assert_false(text_token_is_control(o.tok, ids[j - 1]));
            assert_text(&o, ids, 0, texts[i]);
        }
        vocab_close(&o);
    }
}

/* All 65536 pairs of bytes: nothing but the ids of its own bytes, nothing lost. */
static void spm_any_bytes(void **state) {
    (void)state;
    vocab v;
    open_vocab o;
    static int32_t ids[IDS_MAX];
    vocab_make_spm(&v);
    vocab_open(&o, &v);
    for (unsigned pair = 0; pair < 65536; pair += 7) {
        char text[3] = {(char)(pair >> 8), (char)pair, 'h'};
        size_t n = vocab_tokenize(&o, text, 3, 0, ids);
        base_buffer out;
        ondol_error err = {0};
        base_buffer_init(&out, &o.heap, 100);
        ASSERT_OK(text_detokenize(o.tok, ids, n, 0, &out, &err));
        assert_int_equal(out.size, 3);
        assert_memory_equal(out.data, text, 3);
        base_buffer_destroy(&out);
    }
    vocab_close(&o);
}

/* Answers about a vocabulary, and about ids that are none. */
static void questions(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        vocab v;
        open_vocab o;
        vocab_make(&v, kinds[k]);
        vocab_open(&o, &v);
        assert_int_equal(text_tokenizer_kind(o.tok), kinds[k]);
        assert_int_equal(text_token_count(o.tok), v.spec.n_tokens);
        for (size_t i = 0; i < v.spec.n_tokens; i++) {
            text_view text = text_token_text(o.tok, (int32_t)i);
            assert_int_equal(text.size, v.tokens[i].size);
            assert_memory_equal(text.data, v.tokens[i].data, text.size);
            if (v.types[i] == TEXT_TOKEN_BYTE) continue; /* "<0x41>" is no text to find */
            assert_int_equal(text_token_find(o.tok, text.data, text.size), i);
        }
        static const int32_t outside[] = {-1, INT32_MIN, INT32_MAX, 640};
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(text_token_text(o.tok, outside[i]).size, 0);
            assert_int_equal(text_token_piece(o.tok, outside[i], TEXT_SHOW_CONTROL).size, 0);
            assert_false(text_token_is_end(o.tok, outside[i]));
            assert_false(text_token_is_control(o.tok, outside[i]));
            assert_int_equal(text_token_types(o.tok, outside[i]), 0);
        }
        assert_int_equal(text_token_find(o.tok, "no such token", 13), -1);
        assert_int_equal(text_token_special(o.tok, TEXT_SPECIAL_COUNT), -1);
        vocab_close(&o);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spm_joins_by_score),
        cmocka_unit_test(spm_falls_back_to_bytes),
        cmocka_unit_test(spm_space_prefix),
        cmocka_unit_test(bpe_merges_by_rank),
        cmocka_unit_test(bpe_merge_parts_need_no_token),
        cmocka_unit_test(bpe_raw_characters),
        cmocka_unit_test(bpe_dna_in_sixes),
        cmocka_unit_test(bpe_whitespace_only_separates),
        cmocka_unit_test(wordpiece_words),
        cmocka_unit_test(wordpiece_long_word_is_unknown),
        cmocka_unit_test(unigram_best_split),
        cmocka_unit_test(unigram_user_words_are_free),
        cmocka_unit_test(unigram_charsmap),
        cmocka_unit_test(rwkv_longest_match),
        cmocka_unit_test(plamo2_least_cost),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(spm_any_bytes),
        cmocka_unit_test(questions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
