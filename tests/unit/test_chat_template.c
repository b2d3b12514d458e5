/* Conversations: what a template sees of them, ChatML in place of one, JSON that is refused. */
#include "fail_alloc.h"
#include "text/chat_template.h"

typedef struct fixture {
    ondol_allocator heap;
    base_buffer out;
    ondol_error err;
} fixture;

static int set_up(void **state) {
    static fixture f;
    f = (fixture){.heap = base_default_allocator()};
    base_buffer_init(&f.out, &f.heap, SIZE_MAX / 2);
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    base_buffer_destroy(&f->out);
    return 0;
}

static ondol_status render(fixture *f, const char *source, const text_chat_message *messages,
                           size_t n, const text_chat_options *options) {
    f->out.size = 0;
    return text_chat_render(&f->heap, source, source ? strlen(source) : 0, messages, n, options,
                            &f->out, &f->err);
}

static void expect(fixture *f, const char *source, const text_chat_message *messages, size_t n,
                   const text_chat_options *options, const char *text) {
    const ondol_status status = render(f, source, messages, n, options);
    if (status != ONDOL_OK) fail_msg("%s: %s", source ? source : "ChatML", f->err.text);
    assert_string_equal(f->out.data, text);
}

static const text_chat_message hello[] = {{"system", "Be brief.", NULL}, {"user", "Hé?", NULL}};

static void test_chatml(void **state) {
    fixture *f = *state;
    const text_chat_options open = {.add_generation_prompt = true}, closed = {0};
    const text_chat_options tools = {.tools_json = "[{}]"}, no_tools = {.tools_json = "[]"};
    const char plain[] = "<|im_start|>system\nBe brief.<|im_end|>\n"
                         "<|im_start|>user\nHé?<|im_end|>\n";
    expect(f, NULL, hello, 2, &closed, plain);
    expect(f, NULL, hello, 2, &no_tools, plain);
    expect(f, NULL, hello, 1, &open,
           "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>assistant\n");
    const text_chat_message parts[] = {
        {"user", NULL,
         "{\"content\": [{\"type\": \"text\", \"text\": \"a \"}, {\"type\": \"text\", "
         "\"text\": \" b\"}]}"},
        {"assistant", NULL, NULL},
        {"user", "  {{ x }} {% \n", NULL}, /* a content is text, whatever it holds */
    };
    expect(f, NULL, parts, 3, &closed,
           "<|im_start|>user\na  b<|im_end|>\n<|im_start|>assistant\n<|im_end|>\n"
           "<|im_start|>user\n  {{ x }} {% \n<|im_end|>\n");
    const text_chat_message image = {"user", NULL, "{\"content\": [{\"type\": \"image\"}]}"};
    const text_chat_message call = {"assistant", NULL, "{\"tool_calls\": [{}]}"};
    assert_int_equal(render(f, NULL, &image, 1, &closed), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(f->err.text, "text alone");
    assert_int_equal(render(f, NULL, &call, 1, &closed), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(f->err.text, "no place for tool calls");
    assert_int_equal(render(f, NULL, hello, 2, &tools), ONDOL_E_FORMAT);
    ASSERT_CONTAINS(f->err.text, "no place for tools");
}

static void test_variables(void **state) {
    fixture *f = *state;
    const text_chat_options nothing = {0};
    const text_chat_options all = {
        .add_generation_prompt = true,
        .tools_json = "[{\"name\": \"now\", \"n\": [1, -2, 2.5, true, null, 1e3]}]",
        .variables_json = "{\"enable_thinking\": false, \"documents\": [], \"eos_token\": \"END\"}",
        .unix_time = 1753000000,
        .utc_offset_seconds = 9 * 3600,
        .bos = "<s>x",
        .bos_bytes = 3,
        .eos = "</s>",
        .eos_bytes = 4,
    };
    expect(f, "{{ messages }}|{{ tools }}|{{ documents }}|{{ add_generation_prompt }}", NULL, 0,
           &nothing, "[]|None|None|False");
    expect(f, "{{ bos_token is defined }}{{ eos_token is defined }}{{ enable_thinking }}", NULL, 0,
           &nothing, "FalseFalse");
    expect(f, "{{ bos_token }}{{ eos_token }}{{ enable_thinking }}{{ documents }}", NULL, 0, &all,
           "<s>ENDFalse[]");
    expect(f, "{{ tools | tojson }}{{ add_generation_prompt }}", NULL, 0, &all,
           "[{\"name\": \"now\", \"n\": [1, -2, 2.5, true, null, 1000.0]}]True");
    expect(f, "{{ strftime_now('%Y-%m-%d %H:%M') }}", NULL, 0, &all, "2025-07-20 17:26");
    const text_chat_message extra = {
        "assistant", "text", "{\"name\": \"a\\u0000b\", \"tool_calls\": [{\"id\": \"é\"}]}"};
    expect(f, "{{ messages[0] | tojson }}", &extra, 1, &nothing,
           "{\"role\": \"assistant\", \"content\": \"text\", \"name\": \"a\\u0000b\", "
           "\"tool_calls\": [{\"id\": \"é\"}]}");
    const text_chat_message bare = {"user", NULL, NULL};
    expect(f, "{{ messages[0] }}", &bare, 1, &nothing, "{'role': 'user', 'content': None}");
}

static void test_appends_or_leaves(void **state) {
    fixture *f = *state;
    const text_chat_options options = {0};
    const char bad[] = "text {{ raise_exception('only users may speak') }}";
    assert_true(base_buffer_append_text(&f->out, "before "));
    assert_int_equal(
        text_chat_render(&f->heap, bad, sizeof bad - 1, hello, 2, &options, &f->out, &f->err),
        ONDOL_E_FORMAT);
    ASSERT_CONTAINS(f->err.text, "only users may speak");
    assert_string_equal(f->out.data, "before ");
    assert_int_equal(text_chat_render(&f->heap, "x", 1, hello, 2, &options, &f->out, &f->err),
                     ONDOL_OK);
    assert_string_equal(f->out.data, "before x");
}

static void test_json_is_strict(void **state) {
    fixture *f = *state;
    static const struct {
        const char *tools, *variables, *extra;
        ondol_status status;
        const char *words[3];
    } bad[] = {
        {"[1,\n 2,]", NULL, NULL, ONDOL_E_FORMAT, {"tools_json: line 2", "column 4"}},
        {"[1] x", NULL, NULL, ONDOL_E_FORMAT, {"tools_json: line 1", "end of file"}},
        {"", NULL, NULL, ONDOL_E_FORMAT, {"tools_json: line 1"}},
        {"{}", NULL, NULL, ONDOL_E_FORMAT, {"tools_json: expected an array, got a 'dict'"}},
        {"null", NULL, NULL, ONDOL_E_FORMAT, {"expected an array", "'NoneType'"}},
        {"['a']", NULL, NULL, ONDOL_E_FORMAT, {"tools_json: line 1"}},
        {"[NaN]", NULL, NULL, ONDOL_E_FORMAT, {"tools_json: line 1"}},
        {"[01]", NULL, NULL, ONDOL_E_FORMAT, {"tools_json: line 1"}},
        {"[\"\xff\"]", NULL, NULL, ONDOL_E_FORMAT, {"tools_json: line 1", "decode byte 0xff"}},
        {"[\"\\ud800\"]", NULL, NULL, ONDOL_E_FORMAT, {"tools_json: line 1"}},
        {"[9223372036854775808]", NULL, NULL, ONDOL_E_FORMAT, {"tools_json: line 1", "integer"}},
        {"[1e999]", NULL, NULL, ONDOL_E_FORMAT, {"tools_json: line 1", "overflow"}},
        {NULL, "[]", NULL, ONDOL_E_FORMAT, {"variables_json: expected an object, got a 'list'"}},
        {NULL, "{\"a\": 1", NULL, ONDOL_E_FORMAT, {"variables_json: line 1"}},
        {NULL, "{\"messages\": []}", NULL, ONDOL_E_FORMAT, {"variables_json", "'messages'"}},
        {NULL, "{\"tools\": []}", NULL, ONDOL_E_FORMAT, {"variables_json", "'tools'"}},
        {NULL, NULL, "{\"a\": }", ONDOL_E_FORMAT, {"message 1: extra_json: line 1, column 7"}},
        {NULL, NULL, "[]", ONDOL_E_FORMAT, {"message 1: extra_json: expected an object"}},
        {NULL, NULL, "{\"role\": \"x\"}", ONDOL_E_FORMAT, {"message 1: extra_json", "'role'"}},
        {NULL, NULL, "{\"content\": \"x\"}", ONDOL_E_FORMAT, {"extra_json", "'content'"}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const text_chat_message messages[] = {hello[0], {"user", "x", bad[i].extra}};
        const text_chat_options options = {.tools_json = bad[i].tools,
                                           .variables_json = bad[i].variables};
        const ondol_status status = render(f, "x", messages, 2, &options);
        if (status != bad[i].status) fail_msg("row %zu: status %d", i, (int)status);
        for (int k = 0; k < 3 && bad[i].words[k]; k++)
            ASSERT_CONTAINS(f->err.text, bad[i].words[k]);
    }
    const text_chat_options options = {0};
    const text_chat_message nobody = {NULL, "x", NULL};
    assert_int_equal(render(f, "x", &nobody, 1, &options), ONDOL_E_ARGUMENT);
    assert_int_equal(render(f, "{{", hello, 2, &options), ONDOL_E_FORMAT);
}

static void test_json_depth_is_bounded(void **state) {
    fixture *f = *state;
    for (size_t depth = 256; depth <= 1000000; depth = depth == 256 ? 257 : depth * 10) {
        base_buffer json;
        base_buffer_init(&json, &f->heap, SIZE_MAX / 2);
        for (size_t i = 0; i < depth; i++)
            assert_true(base_buffer_append_text(&json, "["));
        for (size_t i = 0; i < depth; i++)
            assert_true(base_buffer_append_text(&json, "]"));
        const text_chat_options options = {.tools_json = json.data};
        const ondol_status status = render(f, "{{ tools | length }}", NULL, 0, &options);
        assert_int_equal(status, depth == 256 ? ONDOL_OK : ONDOL_E_LIMIT);
        if (depth > 256) ASSERT_CONTAINS(f->err.text, "tools_json: line 1: nested deeper");
        base_buffer_destroy(&json);
    }
    const text_chat_options quoted = {.tools_json = "[\"[[[\\\"[[[\", \"\\\\\"]"};
    expect(f, "{{ tools[0] }}{{ tools[1] }}", NULL, 0, &quoted, "[[[\"[[[\\");
}

static void test_every_allocation_fails(void **state) {
    const char source[] = "{{ bos_token }}{% for m in messages %}<{{ m.role }}>{{ m.content }}"
                          "{{ m.tool_calls | tojson if m.tool_calls }}{% endfor %}"
                          "{{ tools | tojson(indent=2) }}{{ 'x' * 9000 }}";
    const text_chat_message messages[] = {
        hello[0], {"assistant", NULL, "{\"tool_calls\": [{\"function\": {\"name\": \"f\"}}]}"}};
    const text_chat_options options = {.tools_json = "[{\"a\": [1, 2, 3]}]",
                                       .variables_json = "{\"bos_token\": \"<s>\"}"};
    (void)state;
    for (size_t chatml = 0; chatml < 2; chatml++) {
        size_t n = 0;
        for (;; n++) {
            fail_alloc memory;
            ondol_error err = {0};
            base_buffer out;
            fail_alloc_init(&memory, n);
            base_buffer_init(&out, &memory.api, SIZE_MAX / 2);
            const ondol_status status =
                chatml ? text_chat_render(&memory.api, NULL, 0, hello, 2, &(text_chat_options){0},
                                          &out, &err)
                       : text_chat_render(&memory.api, source, sizeof source - 1, messages, 2,
                                          &options, &out, &err);
            const size_t size = out.size;
            base_buffer_destroy(&out);
            fail_alloc_check_empty(&memory);
            if (!memory.failed) {
                ASSERT_OK(status);
                break;
            }
            assert_int_equal(status, ONDOL_E_MEMORY);
            assert_int_equal(err.status, ONDOL_E_MEMORY);
            assert_int_equal(size, 0);
        }
        assert_true(n > 5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_chatml, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_variables, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_appends_or_leaves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_is_strict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_json_depth_is_bounded, set_up, tear_down),
        cmocka_unit_test(test_every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
