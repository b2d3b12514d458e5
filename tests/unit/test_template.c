/* The template language: what Jinja makes of small templates, errors, limits, memory that fails. */
#include <stdlib.h>

#include "fail_alloc.h"
#include "text/template/template_json.h"
#include "text/template/text_template.h"

typedef struct row {
    const char *source, *text; /* text NULL: refused */
} row;

#define VARIABLES(json)
#define ROW(source, text) {source, text},
static const row rows[] = {
#include "template_rows.def"
};
#undef VARIABLES
#undef ROW
#define VARIABLES(json) json
#define ROW(source, text)
static const char variables[] =
#include "template_rows.def"
    ;

typedef struct rendering {
    const ondol_allocator *heap;
    const char *variables_json;
    const text_template_limits *limits;
    size_t heap_bytes;
} rendering;

/* What apply_chat_template gives beside the variables. */
static ondol_status put_common(template_heap *heap, template_dict *dict) {
    template_list *messages = template_list_create(heap, TEMPLATE_FORM_LIST, 0);
    const template_string *bos = template_string_copy(heap, "<s>", 3);
    const template_string *eos = template_string_copy(heap, "</s>", 4);
    const bool fits =
        messages && bos && eos &&
        template_dict_put_text(heap, dict, "messages", template_from_list(messages)) &&
        template_dict_put_text(heap, dict, "tools", template_none()) &&
        template_dict_put_text(heap, dict, "documents", template_none()) &&
        template_dict_put_text(heap, dict, "add_generation_prompt", template_bool(true)) &&
        template_dict_put_text(heap, dict, "bos_token", template_from_string(bos)) &&
        template_dict_put_text(heap, dict, "eos_token", template_from_string(eos));
    return fits ? ONDOL_OK : ONDOL_E_MEMORY;
}

static ondol_status render(const rendering *r, const char *source, size_t n, base_buffer *out,
                           ondol_error *err) {
    template_heap heap;
    text_template *tmpl = NULL;
    template_value globals = template_none();
    const size_t heap_bytes = r->heap_bytes ? r->heap_bytes : TEXT_TEMPLATE_HEAP_BYTES;
    template_heap_init(&heap, r->heap, heap_bytes);
    ondol_status status = text_template_compile(r->heap, source, n, &tmpl, err);
    TRY(status);
    TRY(template_json_read(&heap, r->variables_json, "variables", &globals, err));
    TRY(put_common(&heap, globals.as.dict));
    TRY(text_template_render(tmpl, &heap, globals.as.dict, r->limits, out, err));
done:
    text_template_destroy(tmpl);
    template_heap_destroy(&heap);
    return status;
}

static void test_language(void **state) {
    const ondol_allocator heap = base_default_allocator();
    const text_template_limits limits = {.unix_time = 1753000000};
    const rendering r = {&heap, variables, &limits, 0};
    (void)state;
    assert_true(sizeof rows / sizeof *rows > 400);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ondol_error err = {0};
        base_buffer out;
        base_buffer_init(&out, &heap, SIZE_MAX / 2);
        assert_true(base_buffer_append_text(&out, "before|"));
        const ondol_status status = render(&r, rows[i].source, strlen(rows[i].source), &out, &err);
        if (rows[i].text) {
            if (status != ONDOL_OK) fail_msg("%s: %s", rows[i].source, err.text);
            if (strcmp(out.data + 7, rows[i].text) != 0)
                fail_msg("%s: '%s', expected '%s'", rows[i].source, out.data + 7, rows[i].text);
        } else {
            if (status == ONDOL_OK) fail_msg("%s: gives '%s'", rows[i].source, out.data + 7);
            assert_int_equal(err.status, status);
            ASSERT_CONTAINS(err.text, "template line ");
            assert_string_equal(out.data, "before|"); /* as it was */
        }
        base_buffer_destroy(&out);
    }
}

/* Renders without variables and expects a status and words of the sentence. */
static void check_refused(const char *source, size_t n, const text_template_limits *limits,
                          size_t heap_bytes, ondol_status want, const char *words) {
    const ondol_allocator heap = base_default_allocator();
    const rendering r = {&heap, "{}", limits, heap_bytes};
    ondol_error err = {0};
    base_buffer out;
    base_buffer_init(&out, &heap, SIZE_MAX / 2);
    const ondol_status status = render(&r, source, n, &out, &err);
    if (status != want) fail_msg("%s: status %d, %s", source, (int)status, err.text);
    ASSERT_CONTAINS(err.text, words);
    assert_int_equal(out.size, 0);
    base_buffer_destroy(&out);
}

static void refused(const char *source, ondol_status want, const char *words) {
    check_refused(source, strlen(source), NULL, 0, want, words);
}

static void test_errors_name_the_line(void **state) {
    (void)state;
    refused("a\nb{{ x.y }}", ONDOL_E_FORMAT, "template line 2: 'x' is undefined");
    refused("{{ 1\n}}\n\n{{ 'a' + 1 }}", ONDOL_E_FORMAT, "template line 4");
    refused("{% if 1 %}\n{% else %}\n", ONDOL_E_FORMAT, "template line 2");
    refused("\r\n\r{% for x in %}", ONDOL_E_FORMAT, "template line 3");
    refused("\n{{ raise_exception('roles must alternate') }}", ONDOL_E_FORMAT,
            "template line 2 refuses: roles must alternate");
    refused("{# \n #}{{ 's' | nope }}", ONDOL_E_FORMAT,
            "template line 2: no filter is named 'nope'");
    refused("{{ 's' is nope }}", ONDOL_E_FORMAT, "no test is named 'nope'");
    refused("\n\n{% include 'x' %}", ONDOL_E_UNSUPPORTED, "template line 3");
    refused("{% extends 'x' %}", ONDOL_E_UNSUPPORTED, "extends");
    refused("{{ 'abc'[:, 1] }}", ONDOL_E_FORMAT, "a slice stands among several indices");
    refused("{{ {}.a.b }}", ONDOL_E_FORMAT, "'dict' object has no attribute 'a'");
    refused("{{ 9223372036854775807 + 1 }}", ONDOL_E_LIMIT, "64 bits");
    check_refused("a\n\xff", 3, NULL, 0, ONDOL_E_FORMAT, "template line 2: the byte 0xff");
    check_refused("{{ 'a\0b' | nope }}", 18, NULL, 0, ONDOL_E_FORMAT, "no filter");
}

static void test_work_is_bounded(void **state) {
    (void)state;
    static const char *const endless[] = {
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{% set l = [1] %}{% for x in l %}{% set _ = l.append(1) %}{% endfor %}",
        "{% set ns = namespace(s='x') %}{% for i in range(99999) %}{% set ns.s = ns.s ~ ns.s %}"
        "{% endfor %}",
        "{% for i in range(99999) %}{{ 'x' * 1000000 }}{% endfor %}",
        "{{ 'x' * 9000000000000000000 }}",
        "{{ 'x' | center(9000000000000) }}",
        "{{ '%999999999d' | format(1) }}",
        "{{ '{:999999999}'.format(1) }}",
        "{{ ('x' * 60000000) | replace('x', 'yyyyyyyyyyyyyyyy') }}",
        "{{ [1] * 100000000000 }}",
        "{{ (range(100000) | list * 100000) | length }}",
        "{{ 'a' | indent(99999999999) }}",
        "{{ [[1]] | tojson(indent=99999999999) }}",
        "{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}",
        "{% set l = [] %}{% set _ = l.append(l) %}{{ l | tojson }}",
        "{% set l = [] %}{% set m = [] %}{% set _ = l.append(l) %}{% set _ = m.append(m) %}"
        "{{ l == m }}",
        "{% set l = [] %}{% set _ = l.append(l) %}{% for x in l recursive %}{{ loop(x) }}"
        "{% endfor %}",
        "{% set ns = namespace(d={}) %}{% for i in range(99999) %}{% set ns.d = {'a': ns.d} %}"
        "{% endfor %}{{ ns.d }}",
        "{% for i in range(99999) %}{{ range(99999) | list | sort(reverse=true) | length }}"
        "{% endfor %}",
        "{% set s = 'a' * 1000000 %}{% for i in range(99999) %}{{ s.count('aaaaab') }}{% endfor %}",
        "{% set s = ('a' * 30000) ~ 'b' %}{% for i in range(99999) %}{{ s.find(s[1:]) }}"
        "{% endfor %}",
        "{% set s = '\xce\xa3' * 300000 %}{{ s.lower() }}",
        "{{ ('.' * 10000000).strip('"
        "abcdefgh.') | length }}{% for i in range(99999) %}"
        "{{ ('.' * 10000000).strip('abcdefgh.') }}{% endfor %}",
    };
    for (size_t i = 0; i < sizeof endless / sizeof *endless; i++)
        refused(endless[i], ONDOL_E_LIMIT, "template line 1");
    const text_template_limits few = {.max_steps = 100};
    const text_template_limits narrow = {.max_output_bytes = 10};
    const text_template_limits flat = {.max_depth = 10};
    const char ones[] = "{% for i in range(99) %}{{ i }}{% endfor %}";
    check_refused(ones, sizeof ones - 1, &few, 0, ONDOL_E_LIMIT, "100 steps");
    check_refused(ones, sizeof ones - 1, &narrow, 0, ONDOL_E_LIMIT, "10 bytes");
    check_refused(ones, sizeof ones - 1, NULL, 4096, ONDOL_E_LIMIT, "4096 bytes");
    const char deep[] = "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}";
    check_refused(deep, sizeof deep - 1, &flat, 0, ONDOL_E_LIMIT, "10 levels");
}

/* A text that grows piece by piece takes memory by its size, not by its size times the pieces. */
static void test_growing_text_is_linear(void **state) {
    static const char *const growing[] = {
        "{% set ns = namespace(s='') %}{% for i in range(20000) %}{% set ns.s = ns.s ~ 'abc' ~ i % "
        "10 ~ '\xc3\xa9' %}{% endfor %}{{ ns.s | length }}",
        "{% set ns = namespace(s='') %}{% for i in range(20000) %}{% set ns.s = ns.s + 'abcde' %}"
        "{% endfor %}{{ ns.s | length }}",
        "{% set ns = namespace(s=1) %}{% for i in range(20000) %}{% set ns.s = ns.s ~ 'abcde' %}"
        "{% endfor %}{{ ns.s | length - 1 }}",
    };
    (void)state;
    const ondol_allocator heap = base_default_allocator();
    for (size_t i = 0; i < sizeof growing / sizeof *growing; i++) {
        ondol_error err = {0};
        base_buffer out;
        const rendering r = {&heap, "{}", NULL, (size_t)16 << 20};
        base_buffer_init(&out, &heap, SIZE_MAX / 2);
        ASSERT_OK(render(&r, growing[i], strlen(growing[i]), &out, &err));
        assert_string_equal(out.data, "100000");
        base_buffer_destroy(&out);
    }
}

/* count times open, middle, count times close. */
static void check_nesting(const char *open, const char *middle, const char *close, size_t count,
                          const char *words) {
    const ondol_allocator heap = base_default_allocator();
    base_buffer source;
    base_buffer_init(&source, &heap, SIZE_MAX / 2);
    for (size_t i = 0; i < count; i++)
        assert_true(base_buffer_append_text(&source, open));
    assert_true(base_buffer_append_text(&source, middle));
    for (size_t i = 0; i < count; i++)
        assert_true(base_buffer_append_text(&source, close));
    ondol_error err = {0};
    base_buffer out;
    const rendering r = {&heap, "{}", NULL, 0};
    base_buffer_init(&out, &heap, SIZE_MAX / 2);
    const ondol_status status = render(&r, source.data, source.size, &out, &err);
    if (words) {
        if (status != ONDOL_E_LIMIT && status != ONDOL_E_FORMAT) fail_msg("%s: %d", open, status);
        ASSERT_CONTAINS(err.text, words);
    } else {
        ASSERT_OK(status);
    }
    base_buffer_destroy(&out);
    base_buffer_destroy(&source);
}

static void test_nesting_is_bounded(void **state) {
    (void)state;
    static const struct {
        const char *open, *middle, *close;
    } nests[] = {
        {"{% if 1 %}", "x", "{% endif %}"},
        {"{% for x in [1] %}", "x", "{% endfor %}"},
        {"{% with %}", "x", "{% endwith %}"},
        {"{% filter trim %}", "x", "{% endfilter %}"},
        {"{% generation %}", "x", "{% endgeneration %}"},
        {"{% set x %}", "x", "{% endset %}"},
        {"{% macro m() %}", "x", "{% endmacro %}"},
        {"{% call f() %}", "x", "{% endcall %}"},
    };
    for (size_t i = 0; i < sizeof nests / sizeof *nests; i++)
        check_nesting(nests[i].open, nests[i].middle, nests[i].close, 5000, "template line 1");
    static const struct {
        const char *open, *close;
    } brackets[] = {{"(", ")"},    {"[", "]"},     {"{1:", "}"}, {"not ", ""},
                    {"-", ""},     {"a[", "]"},    {"a(", ")"},  {"1 if ", " else 1"},
                    {"2**", ""},   {"a.b", ""},    {"1+(", ")"}, {"1 is in (", ")"},
                    {"x|d(", ")"}, {"0 or (", ")"}};
    for (size_t i = 0; i < sizeof brackets / sizeof *brackets; i++) {
        base_buffer text;
        const ondol_allocator heap = base_default_allocator();
        base_buffer_init(&text, &heap, SIZE_MAX / 2);
        assert_true(base_buffer_append_text(&text, "{{ "));
        for (size_t k = 0; k < 100000; k++)
            assert_true(base_buffer_append_text(&text, brackets[i].open));
        assert_true(base_buffer_append_text(&text, "1"));
        for (size_t k = 0; k < 100000; k++)
            assert_true(base_buffer_append_text(&text, brackets[i].close));
        assert_true(base_buffer_append_text(&text, " }}"));
        check_nesting("", text.data, "", 0, "template line 1");
        base_buffer_destroy(&text);
    }
    check_nesting("{% if 1 %}", "x", "{% endif %}", 50, NULL);
    check_nesting("{% for x in [1] %}", "x", "{% endfor %}", 50, NULL);
    check_nesting("a", "", "{{ 1 }}", 20000, NULL); /* long is not deep */
}

static void test_every_allocation_fails(void **state) {
    const char source[] =
        "{% macro m(a, b=2) %}{{ a }}{{ caller() }}{{ kwargs }}{% endmacro %}"
        "{% set ns = namespace(s='') %}{% for p in people if p.age > 1 recursive %}"
        "{% set ns.s = ns.s + p.name ~ loop.index %}{% call m(p, c=3) %}x{% endcall %}{% endfor %}"
        "{% filter upper %}{{ ns.s | replace('a', 'b') }}{% endfilter %}"
        "{{ people | map(attribute='name') | sort | join(',') }}{{ d | dictsort | tojson(indent=2) "
        "}}"
        "{{ '%s %5.2f' | format('a', 2) }}{{ '{:>9}'.format(s) }}{{ people | groupby('age') }}"
        "{{ strftime_now('%Y') }}{{ 'x' * 20000 }}{{ s.split() }}{{ html | e }}{{ lines | indent "
        "}}";
    (void)state;
    size_t n = 0;
    for (;; n++) {
        fail_alloc memory;
        ondol_error err = {0};
        base_buffer out;
        fail_alloc_init(&memory, n);
        base_buffer_init(&out, &memory.api, SIZE_MAX / 2);
        const rendering r = {&memory.api, variables, NULL, 0};
        const ondol_status status = render(&r, source, sizeof source - 1, &out, &err);
        base_buffer_destroy(&out);
        fail_alloc_check_empty(&memory);
        if (!memory.failed) {
            ASSERT_OK(status);
            break;
        }
        assert_int_equal(status, ONDOL_E_MEMORY);
    }
    assert_true(n > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_language),           cmocka_unit_test(test_errors_name_the_line),
        cmocka_unit_test(test_work_is_bounded),    cmocka_unit_test(test_growing_text_is_linear),
        cmocka_unit_test(test_nesting_is_bounded), cmocka_unit_test(test_every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
