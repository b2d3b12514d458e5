/* text/pretokenizer*: where each set of rules cuts a text, and that it does so in linear time. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/utf8.h"
#include "fail_alloc.h"
#include "text/pretokenizer.h"

typedef struct splitter {
    ondol_allocator heap;
    pretokenizer *pre;
    pretokenizer_work work;
} splitter;

static void splitter_open(splitter *s, const pretokenizer_row *row) {
    ondol_error err = {0};
    s->heap = base_default_allocator();
    ASSERT_OK(pretokenizer_create(&s->heap, row, &s->pre, &err));
    pretokenizer_work_init(&s->work, s->pre, &s->heap);
}

static void splitter_close(splitter *s) {
    pretokenizer_work_destroy(&s->work);
    pretokenizer_destroy(s->pre);
}

/* Asserts the words of a text, given with '~' between them. */
static void assert_words(const char *name, const char *words) {
    ondol_error err = {0};
    splitter s;
    char text[512];
    char got[1024];
    size_t n = 0;
    size_t n_got = 0;
    for (const char *p = words; *p; p++)
        if (*p != '~') text[n++] = *p;
    text[n] = 0;
    const pretokenizer_row *row = pretokenizer_find(name, strlen(name));
    if (!row) fail_msg("no row '%s'", name);
    splitter_open(&s, row);
    ASSERT_OK(pretokenizer_split(&s.work, text, n, &err));
    size_t from = 0;
    for (size_t i = 0; i < s.work.n_ends; i++) {
        if (i > 0) got[n_got++] = '~';
        memcpy(got + n_got, text + from, s.work.ends[i] - from);
        n_got += s.work.ends[i] - from;
        from = s.work.ends[i];
    }
    got[n_got] = 0;
    splitter_close(&s);
    if (strcmp(got, words) != 0) fail_msg("%s:\n  got      %s\n  expected %s", name, got, words);
}

static void gpt2_and_heirs(void **state) {
    (void)state;
    assert_words("gpt-2", "Hello~ world~ 12345~!!~  ~ I~'m~ here~.~\n~\n~x");
    assert_words("gpt-2", "I~'~M~  ~ na\xc3\xafve~  ");
    assert_words("gpt-2", "a~\xc2\xa0~b"); /* a no-break space is white space, not letter */
    assert_words("starcoder", "ab~1~2~3~ x~ ~4");
    assert_words("smollm", "x~1~0~ y");
    assert_words("", "a~+~b~ ~123~4"); /* the default: marks, then threes */
    assert_words("falcon", "a~+~b~ ~123~4~```");
    assert_words("bloom", "don't~,~ stop");
    assert_words("mpt", "tab~\t~tab");
}

static void llama3_and_heirs(void **state) {
    (void)state;
    assert_words("llama-bpe", "Hello~ world~ ~123~45~!!\n~x~'LL~ it");
    assert_words("llama-bpe", "a~  \n\n~  ~ b~   ");
    assert_words("llama-bpe", ".a~ .~\tb\xe4\xbd\xa0\xe5\xa5\xbd~\xef\xbc\x8c\xe4\xb8\x96");
    assert_words("qwen2", "Hello~ world~ ~1~2~3~!!\n~x~'ll~ it");
    assert_words("qwen35", "n\xcc\x83o~ ~1~2"); /* marks belong to words */
    assert_words("qwen2", "n~\xcc\x83o");
    assert_words("seed-coder", "a~ ::~\n~b");
    assert_words("laguna", "a~ b~\n\n~c");
}

static void cased_words(void **state) {
    (void)state;
    assert_words("gpt-4o", "i~Phone~ Camel~Case~ HTML~ it's~ ~123~4~ //\n/~x");
    assert_words("tekken", "i~Phone~ ~1~2~ it~'s");
    assert_words("kimi-k2", "\xe4\xbd\xa0\xe5\xa5\xbd~world~ i~Pad");
    assert_words("tiny_aya", "1~234~567~ ~12~a"); /* threes from the right, at a word's end */
    assert_words("afmoe", "1~234~567~ ab~\xe4\xbd\xa0\xe5\xa5\xbd");
    assert_words("superbpe", "a b~1~234~567~c d");
}

static void other_families(void **state) {
    (void)state;
    assert_words("deepseek-llm", "Hello~ world~!~\n~\n~123~\xe4\xbd\xa0\xe5\xa5\xbd");
    assert_words("deepseek-coder", "ab~ cd~1~2~\n~3");
    assert_words("deepseek-v3", "abc~123~45~ def~!!~\xe4\xbd\xa0\xe5\xa5\xbd");
    assert_words("chameleon", "IMGIMGABZ~a~    ~b~  ~c~1~2");
    assert_words("gemma4", "a b  c~\n\n~d e");
    assert_words("whitespace", "ab~ ~cd~  ~e");
}

/* Texts in which nothing, everything or the wrong thing matches. */
static const char *const hard[] = {
    "a",  "A",  " ",        "\n",           " \n",      "1",  "'",     ".",
    "a ", "a1", "\xcc\x81", "\xe4\xbd\xa0", "\xc2\xa0", "aB", "\r\n ", "\xf0\x9f\x9a\x80",
    "'s", "/",  "\t\v",     "a\xcc\x81 "};
#define HARD_COUNT (sizeof hard / sizeof hard[0])

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void check_cover(const splitter *s, const char *text, size_t n) {
    size_t from = 0;
    for (size_t i = 0; i < s->work.n_ends; i++) {
        size_t end = s->work.ends[i];
        assert_true(end > from && end <= n);
        assert_true(end == n || ((unsigned char)text[end] & 0xc0) != 0x80);
        from = end;
    }
    assert_int_equal(from, n);
}

static void every_row_cuts_in_linear_time(void **state) {
    (void)state;
    enum { N = 96 * 1024 };
    char *text = malloc(N + 8);
    assert_non_null(text);
    size_t rows = 0;
    for (const pretokenizer_row *row; (row = pretokenizer_at(rows)) != NULL; rows++) {
        splitter s;
        splitter_open(&s, row);
        assert_ptr_equal(pretokenizer_find(row->name, strlen(row->name)), row);
        for (size_t h = 0; h < HARD_COUNT; h++) {
            ondol_error err = {0};
            size_t size = strlen(hard[h]);
            size_t n = 0;
            while (n + size <= N) {
                memcpy(text + n, hard[h], size);
                n += size;
            }
            double start = seconds();
            ASSERT_OK(pretokenizer_split(&s.work, text, n, &err));
            double took = seconds() - start;
            if (took > 10) fail_msg("%s: '%s' takes %f s", row->name, hard[h], took);
            check_cover(&s, text, n);
        }
        splitter_close(&s);
    }
    assert_true(rows > 90); /* the table is there */
    assert_null(pretokenizer_find("no such", 7));
    free(text);
}

static void every_row_cuts_odd_texts(void **state) {
    (void)state;
    uint64_t random = 88172645463325252u; /* xorshift64, Marsaglia 2003 */
    for (size_t r = 0; pretokenizer_at(r); r++) {
        splitter s;
        splitter_open(&s, pretokenizer_at(r));
        for (int round = 0; round < 40; round++) {
            ondol_error err = {0};
            char text[400];
            size_t n = 0;
            for (int i = 0; i < 50; i++) {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                if (random % 3 == 0) {
                    uint32_t code = (uint32_t)(random >> 20) % 0x110000;
                    if (code >= 0xd800 && code < 0xe000) code = 0x20;
                    n += base_utf8_encode(code, (unsigned char *)text + n);
                } else {
                    const char *part = hard[(random >> 16) % HARD_COUNT];
                    memcpy(text + n, part, strlen(part));
                    n += strlen(part);
                }
            }
            ASSERT_OK(pretokenizer_split(&s.work, text, n, &err));
            check_cover(&s, text, n);
        }
        splitter_close(&s);
    }
}

static void every_allocation_fails(void **state) {
    (void)state;
    static const char text[] = "Hello 1234567 world\n";
    static const char *const names[] = {"llama-bpe", "tiny_aya", "deepseek-llm"};
    for (size_t k = 0; k < 3; k++) {
        for (size_t n = 0;; n++) {
            fail_alloc memory;
            ondol_error err = {0};
            pretokenizer *pre = NULL;
            pretokenizer_work work = {.allocator = NULL};
            fail_alloc_init(&memory, n);
            const pretokenizer_row *row = pretokenizer_find(names[k], strlen(names[k]));
            ondol_status status = pretokenizer_create(&memory.api, row, &pre, &err);
            if (status == ONDOL_OK) {
                pretokenizer_work_init(&work, pre, &memory.api);
                status = pretokenizer_split(&work, text, sizeof text - 1, &err);
            }
            pretokenizer_work_destroy(&work);
            pretokenizer_destroy(pre);
            fail_alloc_check_empty(&memory);
            if (status != ONDOL_OK) assert_int_equal(status, ONDOL_E_MEMORY);
            if (!memory.failed) break;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpt2_and_heirs),
        cmocka_unit_test(llama3_and_heirs),
        cmocka_unit_test(cased_words),
        cmocka_unit_test(other_families),
        cmocka_unit_test(every_row_cuts_in_linear_time),
        cmocka_unit_test(every_row_cuts_odd_texts),
        cmocka_unit_test(every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
