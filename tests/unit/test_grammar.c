/* GBNF: every construct by what it accepts, what the parser refuses and how it says so. */
#include <stdlib.h>

#include "base/file.h"
#include "fail_alloc.h"
#include "grammar_vocab.h"

typedef struct fixture {
    ondol_allocator heap;
    text_tokenizer *tok;
    text_grammar_vocabulary *vocabulary;
} fixture;

static int set_up(void **state) {
    static fixture f;
    ondol_error err = {0};
    f.heap = base_default_allocator();
    f.tok = vocab_create(&f.heap);
    assert_non_null(f.tok);
    ASSERT_OK(text_grammar_vocabulary_create(&f.heap, f.tok, &f.vocabulary, &err));
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    text_grammar_vocabulary_destroy(f->vocabulary);
    text_tokenizer_destroy(f->tok);
    return 0;
}

/* Whether the grammar's language holds the text. */
static bool accepts(const fixture *f, const char *source, const char *text, size_t n) {
    ondol_error err = {0};
    text_grammar *g = NULL;
    text_grammar_matcher *m = NULL;
    ASSERT_OK(text_grammar_parse_gbnf(&f->heap, source, strlen(source), &g, &err));
    ASSERT_OK(text_grammar_matcher_create(&f->heap, g, f->vocabulary, &m, &err));
    const ondol_status status = text_grammar_accept_bytes(m, text, n, &err);
    if (status != ONDOL_OK && status != ONDOL_E_ARGUMENT) fail_msg("%s: %s", source, err.text);
    const bool whole = status == ONDOL_OK && text_grammar_is_complete(m);
    text_grammar_matcher_destroy(m);
    text_grammar_destroy(g);
    return whole;
}

static void check(const fixture *f, const char *source, const char *yes, const char *no) {
    /* Texts are separated by '|'. */
    for (int side = 0; side < 2; side++) {
        const char *p = side == 0 ? yes : no;
        while (p) {
            const char *end = strchr(p, '|');
            const size_t n = end ? (size_t)(end - p) : strlen(p);
            if (accepts(f, source, p, n) != (side == 0))
                fail_msg("%s: '%.*s' is %s", source, (int)n, p, side ? "accepted" : "refused");
            p = end ? end + 1 : NULL;
        }
    }
}

static void test_constructs(void **state) {
    const fixture *f = *state;
    check(f, "root ::= \"ab\"", "ab", "|a|abc|b");
    check(f, "root ::= \"\"", "", "a");
    check(f, "root ::= \"a\" \"b\"?", "a|ab", "|b|abb");
    check(f, "root ::= \"ab\"*", "|ab|abab", "a|aba|ba");
    check(f, "root ::= \"ab\"+", "ab|abab", "|a|aba");
    check(f, "root ::= [a-c]{2}", "ab|cc", "|a|abc|dd");
    check(f, "root ::= [a-c]{2,}", "ab|ccab", "|a|dd");
    check(f, "root ::= [a-c]{ 1 , 2 }", "a|ab", "|abc|d");
    check(f, "root ::= [a-c]{0,2} \"x\"", "x|ax|abx", "abcx|a");
    check(f, "root ::= [a]{0}", "", "a");
    check(f, "root ::= [a]{0,0} \"b\"", "b", "ab");
    check(f, "root ::= (\"a\" [0-9]){2,3}", "a1a2|a1a2a3", "a1|a1a2a3a4|a1a");
    check(f, "root ::= (\"a\" [0-9]){2,}", "a1a2|a1a2a3|a1a2a3a4", "a1|a");
    check(f, "root ::= ((\"a\" | \"b\"){2} \"c\"){2}", "abcbac", "abc|abcabcabc");
    check(f, "root ::= [^a-c\\n]+", "dx|\xc3\xa9", "|a|xa|\n");
    check(f, "root ::= [a\\-z]+", "a-z", "b");
    check(f, "root ::= [a-]+", "a-", "b");
    check(f, "root ::= [-a]+", "a-", "b");
    check(f, "root ::= [\\]\\[]+", "[]", "x");
    check(f, "root ::= [^\\]]", "x", "]");
    check(f, "root ::= .", "x|\n|\xe3\x81\x82|\xf0\x9f\x98\x80", "|xx|\xc3|\x80|\xed\xa0\x80");
    check(f, "root ::= \"\\x41\\u3042\\U0001F600\\t\\r\\n\\\\\\\"\\[\\]\\-\"",
          "A\xe3\x81\x82\xf0\x9f\x98\x80\t\r\n\\\"[]-", "A");
    check(f, "root ::= [\\x41-\\x43\\u3041-\\u3096]+", "ABC|\xe3\x81\x82", "D|\xe3\x82\x97");
    check(f, "root ::= \"a\" | \"b\" |", "a|b|", "ab");
    check(f, "root ::= \"a\" |\n  \"b\"", "a|b", "ab");
    check(f, "root ::= ( \"a\"\n | # why\n \"b\"\n)\n", "a|b", "ab");
    check(f, "# first\r\nroot ::= x-1 x-1 # twice\r\n\r\nx-1 ::= \"a\"\r\n", "aa", "a");
    check(f, "root ::=\n  \"a\" B2\nB2 ::= \"b\"", "ab", "a");
    check(f, "root ::= \"a\"?*", "|a|aaa", "b");
    check(f, "root ::= (\"a\" (\"b\" | \"c\" (\"d\" | \"e\"))*)+", "ab|acd|aceb|aab", "ac|b");
}

static void test_recursion(void **state) {
    const fixture *f = *state;
    check(f, "root ::= \"(\" root \")\" | \"x\"", "x|(x)|((x))", "(x|x)|()");
    check(f, "root ::= \"a\" root | \"b\"", "b|ab|aaab", "a|ba");
    check(f, "root ::= \"a\" root \"b\" |", "|ab|aabb", "a|abb|ba");
    check(f, "root ::= e\ne ::= t ((\"+\" | \"-\") t)*\nt ::= [0-9]+ | \"(\" e \")\"",
          "1|1+2|(1-2)+33|((1))", "1+|(1|)");
    check(f, "root ::= empty root2\nempty ::= \"\" | \"e\"\nroot2 ::= \"r\" | empty \"q\" root2",
          "r|er|qr|eqqr|eeqr", "e|");
    check(f, "root ::= ((((\"a\"*)*)*)*)*", "|a|aaaa", "b");
    check(f, "root ::= (\"a\"? \"b\"?)+", "|ab|ba|abba", "c");
    check(f, "root ::= (\"\" | \"a\"){3,5}", "|a|aaaaa", "aaaaaa");
    char text[3001];
    memset(text, 'a', 3000);
    text[3000] = 0;
    check(f, "root ::= \"a\" root |", text, "b");
}

static void test_utf8_boundaries(void **state) {
    const fixture *f = *state;
    static const uint32_t edges[] = {0x00,   0x7f,   0x80,    0x7ff,   0x800,    0xd7ff,
                                     0xe000, 0xffff, 0x10000, 0x3ffff, 0x10ffff, 0x1000};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        for (size_t k = 0; k < sizeof edges / sizeof edges[0]; k++) {
            if (edges[i] > edges[k]) continue;
            char inside[80], outside[80];
            const bool all = edges[i] == 0 && edges[k] == 0x10ffff;
            snprintf(inside, sizeof inside, "root ::= [\\U%08x-\\U%08x]", edges[i], edges[k]);
            snprintf(outside, sizeof outside, "root ::= [^\\U%08x-\\U%08x] | \"none\"", edges[i],
                     edges[k]);
            for (size_t c = 0; c < 3 * (sizeof edges / sizeof edges[0]); c++) {
                const uint32_t code = edges[c / 3] + (uint32_t)(c % 3) - 1;
                if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) continue;
                unsigned char bytes[4];
                size_t n = 1;
                bytes[0] = (unsigned char)code;
                if (code >= 0x10000) {
                    n = 4;
                    bytes[0] = (unsigned char)(0xf0 | code >> 18);
                } else if (code >= 0x800) {
                    n = 3;
                    bytes[0] = (unsigned char)(0xe0 | code >> 12);
                } else if (code >= 0x80) {
                    n = 2;
                    bytes[0] = (unsigned char)(0xc0 | code >> 6);
                }
                for (size_t b = 1; b < n; b++)
                    bytes[b] = (unsigned char)(0x80 | (code >> (6 * (n - 1 - b)) & 0x3f));
                const bool in = code >= edges[i] && code <= edges[k];
                if (accepts(f, inside, (char *)bytes, n) != in)
                    fail_msg("%s: U+%04X", inside, code);
                if (!all && accepts(f, outside, (char *)bytes, n) == in)
                    fail_msg("%s: U+%04X", outside, code);
            }
        }
    }
    assert_false(accepts(f, "root ::= .", "\xc0\x80", 2)); /* overlong */
    assert_false(accepts(f, "root ::= .", "\xf4\x90\x80\x80", 4));
}

static void refuses(const fixture *f, const char *source, ondol_status want, const char *part) {
    ondol_error err = {0};
    text_grammar *g = (text_grammar *)&err;
    const ondol_status status = text_grammar_parse_gbnf(&f->heap, source, strlen(source), &g, &err);
    if (status != want) fail_msg("%.60s: %s (%s)", source, base_status_name(status), err.text);
    assert_null(g);
    assert_int_equal(err.status, want);
    ASSERT_CONTAINS(err.text, part);
}

static void test_refused(void **state) {
    const fixture *f = *state;
    const ondol_status bad = ONDOL_E_FORMAT;
    refuses(f, "", bad, "root");
    refuses(f, "x ::= \"a\"", bad, "root");
    refuses(f, "root ::= \"a", bad, "line 1, column 12: expected '\"'");
    refuses(f, "root ::= [a", bad, "expected ']'");
    refuses(f, "root ::= []", bad, "column 10");
    refuses(f, "root ::= [z-a]", bad, "end is not below");
    refuses(f, "root ::= (\"a\"\n", bad, "line 2, column 1: expected ')'");
    refuses(f, "root ::= \"a\")", bad, "got ')'");
    refuses(f, "root = \"a\"", bad, "expected '::='");
    refuses(f, "root ::= *", bad, "something to repeat");
    refuses(f, "root ::= \"a\" | *", bad, "something to repeat");
    refuses(f, "root ::= \"a\"{", bad, "a number, got the end");
    refuses(f, "root ::= \"a\"{1", bad, "',' or '}'");
    refuses(f, "root ::= \"a\"{1,x}", bad, "a number, got 'x'");
    refuses(f, "root ::= \"a\"{3,2}", bad, "m <= n");
    refuses(f, "root ::= \"\\q\"", bad, "behind '\\'");
    refuses(f, "root ::= \"\\x4\"", bad, "hexadecimal");
    refuses(f, "root ::= \"\\U00110000\"", bad, "10FFFF");
    refuses(f, "root ::= \"\\uD800\"", bad, "at least one character");
    refuses(f, "root ::= \"\xff\"", bad, "UTF-8");
    refuses(f, "root ::= foo\n\nbar ::= \"x\"", bad, "line 1, column 10: rule 'foo'");
    refuses(f, "root ::= \"a\"\nroot ::= \"b\"", bad, "line 2: rule 'root' is defined twice");
    refuses(f, "root ::= a_b", bad, "got '_'");
    refuses(f, "root ::= <[12>", bad, "']'");
    refuses(f, "root ::= <abc", bad, "'>'");
    refuses(f, "root ::= !abc", bad, "'<' behind '!'");
    refuses(f, "root ::= \"a\"\n| \"b\"", bad, "line 2, column 1: expected the name");
    refuses(f, "root ::= root", bad, "'root' is left-recursive");
    refuses(f, "root ::= a\na ::= \"x\"? b\nb ::= a \"y\" | \"z\"", bad, "is left-recursive");
    refuses(f, "root ::= e a\ne ::= \"e\"*\na ::= e e a | \"q\"", bad, "'a' is left-recursive");
    refuses(f, "root ::= \"x\"\nu ::= (u \"a\")?", bad, "line 2, column 1: rule 'u'");
    refuses(f, "root ::= \"a\"{99999999999}", ONDOL_E_LIMIT, "number");
    refuses(f, "root ::= \"a\"{1000000}", ONDOL_E_LIMIT, "nodes");
    refuses(f, "root ::= (\"a\" \"b\"){0,1000000}", ONDOL_E_LIMIT, "nodes");
}

static void test_hostile(void **state) {
    const fixture *f = *state;
    const size_t n = 300000;
    char *text = malloc(3 * n + 64);
    assert_non_null(text);
    strcpy(text, "root ::= ");
    memset(text + 9, '(', n);
    text[9 + n] = 0;
    refuses(f, text, ONDOL_E_LIMIT, "deep");
    strcpy(text, "root ::= [a]");
    memset(text + 12, '*', n);
    text[12 + n] = 0;
    refuses(f, text, ONDOL_E_LIMIT, "deep");
    strcpy(text, "root ::= ");
    for (size_t i = 0; i < n; i++)
        memcpy(text + 9 + 2 * i, "x|", 2);
    memcpy(text + 9 + 2 * n, "x\nx ::= \"a\"", 12);
    refuses(f, text, ONDOL_E_LIMIT, "nodes");
    /* Many places at once: a status, in good time. */
    ondol_error err = {0};
    text_grammar *g = NULL;
    text_grammar_matcher *m = NULL;
    strcpy(text, "root ::= ");
    for (size_t i = 0; i < 50000; i++)
        memcpy(text + 9 + 4 * i, "[x]|", 4);
    strcpy(text + 9 + 4 * 50000, "[x]");
    ASSERT_OK(text_grammar_parse_gbnf(&f->heap, text, strlen(text), &g, &err));
    ASSERT_STATUS(text_grammar_matcher_create(&f->heap, g, f->vocabulary, &m, &err), ONDOL_E_LIMIT);
    assert_null(m);
    text_grammar_destroy(g);
    free(text);
    /* Exponentially many stacks: refused once they are too many, and the place stays usable. */
    const char *source = "root ::= a\na ::= \"x\" a b | \"x\" a c | \"\"\nb ::= \"b\"\nc ::= \"c\"";
    ASSERT_OK(text_grammar_parse_gbnf(&f->heap, source, strlen(source), &g, &err));
    ASSERT_OK(text_grammar_matcher_create(&f->heap, g, f->vocabulary, &m, &err));
    ondol_status status = ONDOL_OK;
    size_t accepted = 0;
    for (; accepted < 100 && status == ONDOL_OK; accepted++)
        status = text_grammar_accept_bytes(m, "x", 1, &err);
    assert_int_equal(status, ONDOL_E_LIMIT);
    assert_in_range(accepted, 8, 20);
    ASSERT_OK(text_grammar_accept_bytes(m, "bcb", 3, &err));
    text_grammar_matcher_destroy(m);
    text_grammar_destroy(g);
}

static void test_every_allocation_fails(void **state) {
    (void)state;
    const char *source = "# c\nroot ::= a (\"x\" | [^a-c]{2,4})* <[3]> !<think>\n"
                         "a ::= \"(\" a \")\" | . ([0-9]+)?\n";
    for (size_t n = 0;; n++) {
        fail_alloc memory;
        fail_alloc_init(&memory, n);
        ondol_error err = {0};
        text_grammar *g = NULL;
        const ondol_status status =
            text_grammar_parse_gbnf(&memory.api, source, strlen(source), &g, &err);
        text_grammar_destroy(g);
        fail_alloc_check_empty(&memory);
        if (!memory.failed) {
            assert_int_equal(status, ONDOL_OK);
            break;
        }
        assert_int_equal(status, ONDOL_E_MEMORY);
        assert_int_equal(err.status, ONDOL_E_MEMORY);
    }
}

static void test_archive(void **state) {
    const fixture *f = *state;
    const char *archive = getenv("ONDOL_TEST_ARCHIVE");
    if (!archive) {
        print_message("skipped: ONDOL_TEST_ARCHIVE is not set, so there are no grammars/*.gbnf\n");
        skip();
    }
    static const char *const names[][3] = {{"arithmetic", "1+2=3\n", "1+"},
                                           {"c", "int f(int x){return x+1;}", "int f("},
                                           {"chess", "1. e4 e5\n2. Nf3 Nc6\n", "1. e4"},
                                           {"english", "It works.", "\xe3\x81\x82"},
                                           {"japanese", "\xe3\x81\x82\xe3\x82\xa2", "a"},
                                           {"json", "{\"a\": [1, true, \"\\u00e9\"]}", "[1]"},
                                           {"json_arr", "[\n{\"a\":1}]", "{}"},
                                           {"list", "- one\n- two\n", "one"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[4096];
        ondol_error err = {0};
        base_file file;
        text_grammar *g = NULL;
        snprintf(path, sizeof path, "%s/grammars/%s.gbnf", archive, names[i][0]);
        ASSERT_OK(base_file_open(&f->heap, path, false, &file, &err));
        char *source = malloc(file.size + 1);
        assert_non_null(source);
        memcpy(source, file.data, file.size);
        source[file.size] = 0;
        base_file_close(&file);
        ASSERT_OK(text_grammar_parse_gbnf(&f->heap, source, strlen(source), &g, &err));
        text_grammar_destroy(g);
        if (!accepts(f, source, names[i][1], strlen(names[i][1])))
            fail_msg("%s.gbnf refuses '%s'", names[i][0], names[i][1]);
        if (accepts(f, source, names[i][2], strlen(names[i][2])))
            fail_msg("%s.gbnf accepts '%s'", names[i][0], names[i][2]);
        free(source);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constructs),      cmocka_unit_test(test_recursion),
        cmocka_unit_test(test_utf8_boundaries), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_hostile),         cmocka_unit_test(test_every_allocation_fails),
        cmocka_unit_test(test_archive),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
