/* JSON schemas: documents that the grammar of each accepts and refuses, bounds against counting,
 * and what is refused as a schema and how that is said. */
#include <stdlib.h>

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

typedef struct compiled {
    text_grammar *grammar;
    text_grammar_matcher *m;
} compiled;

static compiled compile(const fixture *f, const char *schema) {
    compiled c = {NULL, NULL};
    ondol_error err = {0};
    const ondol_status status =
        text_grammar_from_json_schema(&f->heap, schema, strlen(schema), &c.grammar, &err);
    if (status != ONDOL_OK) fail_msg("%s: %s: %s", schema, base_status_name(status), err.text);
    ASSERT_OK(text_grammar_matcher_create(&f->heap, c.grammar, f->vocabulary, &c.m, &err));
    return c;
}

static void release(compiled c) {
    text_grammar_matcher_destroy(c.m);
    text_grammar_destroy(c.grammar);
}

static bool accepts(compiled c, const char *document) {
    ondol_error err = {0};
    text_grammar_matcher_reset(c.m);
    const ondol_status status = text_grammar_accept_bytes(c.m, document, strlen(document), &err);
    if (status != ONDOL_OK && status != ONDOL_E_ARGUMENT) fail_msg("%s", err.text);
    return status == ONDOL_OK && text_grammar_is_complete(c.m);
}

#define DOCUMENTS 14

typedef struct vector {
    const char *schema;
    const char *yes[DOCUMENTS], *no[DOCUMENTS];
} vector;

static void check(const fixture *f, const vector *vectors, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const compiled c = compile(f, vectors[i].schema);
        for (size_t k = 0; k < DOCUMENTS && vectors[i].yes[k]; k++) {
            if (!accepts(c, vectors[i].yes[k]))
                fail_msg("%s refuses %s", vectors[i].schema, vectors[i].yes[k]);
        }
        for (size_t k = 0; k < DOCUMENTS && vectors[i].no[k]; k++) {
            if (accepts(c, vectors[i].no[k]))
                fail_msg("%s accepts %s", vectors[i].schema, vectors[i].no[k]);
        }
        release(c);
    }
}

#define CHECK(f, vectors) check(f, vectors, sizeof vectors / sizeof vectors[0])

static void test_simple_types(void **state) {
    static const vector vectors[] = {
        {"{}",
         {"1", "-0.5e+10", "\"\"", "[1, {\"a\":null}]", "{}", "true", "{\"a\" : 1,\n  \"b\":[]}"},
         {"", "01", "1.", "'a'", "{1:2}", "[1,]", "nul", "\"\n\"", "\"\\q\""}},
        {"true", {"null", "[[]]"}, {"x"}},
        {"{\"type\":\"null\"}", {"null"}, {"0", ""}},
        {"{\"type\":\"boolean\"}", {"true", "false"}, {"null", "True"}},
        {"{\"type\":\"string\"}",
         {"\"\"", "\"a\\\"b\\u00e9\"", "\"\xc3\xa9\""},
         {"\"", "a", "\"\t\"", "\"\\x\"", "\"\\u00g0\""}},
        {"{\"type\":\"integer\"}", {"0", "-1", "1234567890123456"}, {"01", "1.0", "--1", "1e3"}},
        {"{\"type\":\"number\"}", {"0", "-1.25", "1e5", "2.5E-3"}, {".5", "1.", "+1", "0x1"}},
        {"{\"type\":[\"string\",\"null\"]}", {"\"a\"", "null"}, {"1", "[]"}},
        {"{\"type\":[\"integer\",\"number\"]}", {"1", "1.5"}, {"\"1\""}},
        {"{\"type\":\"string\",\"nullable\":true}", {"\"a\"", "null"}, {"1"}},
        {"{\"const\":\"a\\\"b\\n\\u0001\\u00e9/\"}", {"\"a\\\"b\\n\\u0001\xc3\xa9/\""}, {"\"a\""}},
        {"{\"const\":{\"a\":[1,2.5,null,1.0,0.1]}}",
         {"{\"a\":[1,2.5,null,1.0,0.1]}"},
         {"{}", "{\"a\":[1]}"}},
        {"{\"enum\":[\"red\",42,null,[\"x\"],true]}",
         {"\"red\"", "42", "null", "[\"x\"]", "true"},
         {"\"blue\"", "4", "false"}},
        {"{\"enum\":[\"a\",1,2.5,3],\"type\":\"integer\",\"minimum\":2}",
         {"3"},
         {"1", "\"a\"", "2.5"}},
        {"{\"enum\":[\"a\",\"b\"],\"const\":\"b\"}", {"\"b\""}, {"\"a\""}},
        {"{\"type\":\"string\",\"minLength\":2,\"maxLength\":3}",
         {"\"ab\"", "\"\\n\xc3\xa9z\""},
         {"\"a\"", "\"abcd\"", "\"\""}},
        {"{\"maxLength\":0}", {"\"\""}, {"\"a\"", "1"}},
        {"{\"type\":\"string\",\"format\":\"date\"}",
         {"\"2024-02-29\""},
         {"\"2024-13-01\"", "\"24-01-01\"", "\"2024-01-32\""}},
        {"{\"format\":\"time\"}",
         {"\"23:59:59Z\"", "\"00:00:00.123+09:00\""},
         {"\"24:00:00Z\"", "\"00:00:00\""}},
        {"{\"type\":\"string\",\"format\":\"date-time\"}",
         {"\"2024-02-29T12:00:00Z\""},
         {"\"2024-02-29 12:00:00Z\""}},
        {"{\"type\":\"string\",\"format\":\"uuid\"}",
         {"\"123e4567-e89b-12d3-a456-426614174000\""},
         {"\"123e4567e89b12d3a456426614174000\""}},
        {"{\"type\":\"string\",\"format\":\"email\"}", {"\"a@b\""}, {"1"}},
    };
    CHECK(*state, vectors);
}

static void test_objects(void **state) {
    static const vector vectors[] = {
        {"{\"type\":\"object\"}", {"{}", "{ \"a\":1,\"b\":{}}"}, {"[]", "{\"a\"}", "{,}"}},
        {"{\"properties\":{\"b\":{\"type\":\"integer\"},\"a\":{\"type\":\"string\"}},"
         "\"required\":[\"a\",\"b\"]}",
         {"{\"b\":1,\"a\":\"\"}", "{ \"b\" : 1, \"a\": \"x\"\n}"},
         {"{\"a\":\"\",\"b\":1}", "{\"b\":1}", "{}", "{\"b\":1,\"a\":\"\",\"c\":1}",
          "{\"b\":1,\"a\":\"\",}"}},
        {"{\"properties\":{\"a\":{\"const\":1},\"b\":{\"const\":2},\"c\":{\"const\":3}},"
         "\"required\":[\"b\"],\"additionalProperties\":false}",
         {"{\"b\":2}", "{\"a\":1,\"b\":2}", "{\"b\":2,\"c\":3}", "{\"a\":1,\"b\":2,\"c\":3}"},
         {"{}", "{\"a\":1}", "{\"c\":3}", "{\"a\":1,\"c\":3}", "{\"b\":2,\"a\":1}", "{,\"b\":2}",
          "{\"b\":2,}"}},
        {"{\"properties\":{\"a\":{\"const\":1},\"b\":{\"const\":2}}}",
         {"{}", "{\"a\":1}", "{\"b\":2}", "{\"a\":1,\"b\":2}", "{\n  \"b\":2}"},
         {"{\"b\":2,\"a\":1}", "{\"c\":1}", "{,\"b\":2}"}},
        {"{\"properties\":{\"and\":{\"const\":1},\"also\":{\"const\":2},\"a\\\"\":{\"const\":3}},"
         "\"required\":[\"and\"],\"additionalProperties\":{\"type\":\"boolean\"}}",
         {"{\"and\":1}", "{\"and\":1,\"also\":2}", "{\"and\":1,\"x\":true}",
          "{\"and\":1,\"a\":true,\"an\":true,\"andy\":false,\"als\":true}", "{\"and\":1,\"\":true}",
          "{\"and\":1,\"a\\\\\":true,\"a\\\"b\":true,\"\\n\":true}", "{\"and\":1,\"a\\\"\":3}"},
         {"{\"and\":1,\"and\":true}", "{\"and\":1,\"also\":true}", "{\"and\":1,\"a\\\"\":true}",
          "{\"and\":1,\"x\":1}", "{\"x\":true,\"and\":1}", "{\"x\":true}",
          "{\"and\":1,\"a\\u006ed\":true}"}},
        {"{\"type\":\"object\",\"additionalProperties\":{\"type\":\"integer\"}}",
         {"{}", "{\"a\":1}", "{\"a\":1,\"b\":2}"},
         {"{\"a\":true}", "{\"a\":1,}"}},
        {"{\"type\":\"object\",\"additionalProperties\":false}", {"{}", "{ }"}, {"{\"a\":1}"}},
        {"{\"required\":[\"x\"]}", {"{\"x\":[1]}"}, {"{}", "{\"y\":1}"}},
        {"{\"properties\":{\"a\":{\"const\":1}},\"required\":[\"z\"],\"additionalProperties\":"
         "true}",
         {"{\"z\":1}", "{\"a\":1,\"z\":2,\"y\":3}"},
         {"{\"a\":1}", "{\"a\":1,\"z\":2,\"z\":3}"}},
        {"{\"type\":\"object\",\"minProperties\":1,\"maxProperties\":2}",
         {"{\"a\":1}", "{\"a\":1,\"b\":2}"},
         {"{}", "{\"a\":1,\"b\":2,\"c\":3}"}},
        {"{\"properties\":{\"a\":{\"const\":1}},\"required\":[\"a\"],"
         "\"additionalProperties\":true,\"minProperties\":2,\"maxProperties\":2}",
         {"{\"a\":1,\"b\":2}"},
         {"{\"a\":1}", "{\"a\":1,\"b\":2,\"c\":3}"}},
        {"{\"properties\":{\"a\":false,\"b\":true}}", {"{}", "{\"b\":1}"}, {"{\"a\":1}"}},
        {"{\"properties\":{\"a b/\\u00e9\":{\"const\":1}},\"required\":[\"a b/\\u00e9\"]}",
         {"{\"a b/\xc3\xa9\":1}"},
         {"{\"a b\":1}"}},
    };
    CHECK(*state, vectors);
}

static void test_arrays(void **state) {
    static const vector vectors[] = {
        {"{\"type\":\"array\"}", {"[]", "[1, \"a\",[]]", "[ ]"}, {"[1,]", "[", "{}"}},
        {"{\"items\":{\"type\":\"boolean\"}}", {"[]", "[true]", "[true, false]"}, {"[1]"}},
        {"{\"items\":{\"const\":1},\"minItems\":2}", {"[1,1]", "[1,1,1]"}, {"[1]", "[]"}},
        {"{\"items\":{\"const\":1},\"maxItems\":0}", {"[]"}, {"[1]"}},
        {"{\"items\":{\"const\":1},\"maxItems\":1}", {"[]", "[1]"}, {"[1,1]"}},
        {"{\"items\":{\"const\":1},\"minItems\":1,\"maxItems\":3}",
         {"[1]", "[1,1,1]"},
         {"[]", "[1,1,1,1]"}},
        {"{\"items\":{\"const\":1},\"minItems\":3,\"maxItems\":3}", {"[1,1,1]"}, {"[1,1]"}},
        {"{\"prefixItems\":[{\"const\":1},{\"const\":2}]}",
         {"[1,2]", "[1, 2]"},
         {"[1]", "[]", "[1,2,3]", "[2,1]"}},
        {"{\"prefixItems\":[{\"const\":1},{\"const\":2}],\"minItems\":0}",
         {"[1,2]", "[1]", "[]"},
         {"[2]", "[1,2,3]"}},
        {"{\"prefixItems\":[{\"const\":1}],\"items\":{\"const\":2}}",
         {"[1]", "[1,2]", "[1,2,2]"},
         {"[]", "[2]", "[1,1]"}},
        {"{\"prefixItems\":[{\"const\":1}],\"items\":{\"const\":2},\"minItems\":2,\"maxItems\":3}",
         {"[1,2]", "[1,2,2]"},
         {"[1]", "[1,2,2,2]"}},
        {"{\"items\":[{\"const\":1},{\"const\":2}],\"additionalItems\":false}", {"[1,2]"}, {"[1]"}},
        {"{\"prefixItems\":[{\"const\":1}],\"items\":false}", {"[1]"}, {"[1,1]"}},
        {"{\"prefixItems\":[{\"const\":1}],\"minItems\":2}", {"[1,null]", "[1,2,3]"}, {"[1]"}},
        {"{\"items\":{\"const\":1},\"maxItems\":1,\"uniqueItems\":true}", {"[1]"}, {"[1,1]"}},
        {"{\"items\":{\"items\":{\"const\":1},\"minItems\":1}}", {"[]", "[[1],[1,1]]"}, {"[[]]"}},
    };
    CHECK(*state, vectors);
}

static void test_combinations(void **state) {
    static const vector vectors[] = {
        {"{\"anyOf\":[{\"type\":\"integer\"},{\"type\":\"null\"}]}", {"1", "null"}, {"\"\""}},
        {"{\"oneOf\":[{\"const\":1},false,{\"const\":2}]}", {"1", "2"}, {"3"}},
        {"{\"allOf\":[{\"properties\":{\"a\":{\"const\":1}},\"required\":[\"a\"]},"
         "{\"properties\":{\"b\":{\"const\":2}}}]}",
         {"{\"a\":1}", "{\"a\":1,\"b\":2}"},
         {"{\"b\":2}", "{}"}},
        {"{\"type\":\"object\",\"properties\":{\"a\":{\"const\":1},\"b\":{\"const\":2}},"
         "\"anyOf\":[{\"required\":[\"a\"]},{\"required\":[\"b\"]}]}",
         {"{\"a\":1}", "{\"b\":2}", "{\"a\":1,\"b\":2}"},
         {"{}"}},
        {"{\"type\":\"integer\",\"minimum\":3,\"allOf\":[{\"maximum\":5},{\"minimum\":1}]}",
         {"3", "5"},
         {"2", "6"}},
        {"{\"allOf\":[{\"enum\":[\"a\",\"b\",\"c\"]},{\"enum\":[\"b\",\"c\",\"d\"]}]}",
         {"\"b\"", "\"c\""},
         {"\"a\"", "\"d\""}},
        {"{\"allOf\":[{\"type\":[\"integer\",\"string\"]},{\"type\":[\"number\",\"null\"]}]}",
         {"1"},
         {"1.5", "null", "\"a\""}},
        {"{\"allOf\":[{\"properties\":{\"a\":{\"minimum\":2}}},"
         "{\"properties\":{\"a\":{\"type\":\"integer\",\"maximum\":3}},\"required\":[\"a\"]}]}",
         {"{\"a\":2}", "{\"a\":3}"},
         {"{\"a\":1}", "{\"a\":4}"}},
        {"{\"allOf\":[{\"properties\":{\"a\":{}},\"additionalProperties\":false},"
         "{\"properties\":{\"a\":{\"const\":1},\"b\":{\"const\":2}}}]}",
         {"{}", "{\"a\":1}"},
         {"{\"b\":2}"}},
        {"{\"anyOf\":[{\"const\":1}],\"oneOf\":[{\"const\":2},{\"const\":1}]}", {"1"}, {"2"}},
        {"{\"unevaluatedProperties\":false,\"allOf\":[{\"properties\":{\"a\":{\"const\":1}}}]}",
         {"{}", "{\"a\":1}"},
         {"{\"b\":1}"}},
        {"{\"$defs\":{\"x/y~z\":{\"const\":7}},\"$ref\":\"#/$defs/x~1y~0z\"}", {"7"}, {"8"}},
        {"{\"definitions\":{\"a b\":{\"const\":7}},\"items\":{\"$ref\":\"#/definitions/a%20b\"}}",
         {"[7,7]"},
         {"[8]"}},
        {"{\"$defs\":{\"n\":{\"type\":\"integer\"}},\"properties\":{\"a\":{\"$ref\":\"#/$defs/n\","
         "\"minimum\":5,\"description\":\"d\"}},\"required\":[\"a\"]}",
         {"{\"a\":5}"},
         {"{\"a\":4}", "{\"a\":5.5}"}},
        {"{\"properties\":{\"v\":{\"type\":\"integer\"},\"next\":{\"anyOf\":[{\"$ref\":\"#\"},"
         "{\"type\":\"null\"}]}},\"required\":[\"v\",\"next\"]}",
         {"{\"v\":1,\"next\":null}", "{\"v\":1,\"next\":{\"v\":2,\"next\":null}}"},
         {"{\"v\":1}", "{\"v\":1,\"next\":{}}"}},
        {"{\"prefixItems\":[{\"const\":1},{\"$ref\":\"#/prefixItems/0\"}]}", {"[1,1]"}, {"[1,2]"}},
    };
    CHECK(*state, vectors);
}

static void test_patterns(void **state) {
    static const vector vectors[] = {
        {"{\"pattern\":\"^abc?d*ef+(hij)?kl$\"}",
         {"\"abefkl\"", "\"abcddeffhijkl\""},
         {"\"abcefk\"", "\"xabefkl\"", "abefkl"}},
        {"{\"pattern\":\"^\\\\[\\\\]\\\\{\\\\}\\\\(\\\\)\\\\|\\\\+\\\\*\\\\?\\\\.\\\\$\\\\^\\\\/"
         "$\"}",
         {"\"[]{}()|+*?.$^/\""},
         {"\"[]\""}},
        {"{\"pattern\":\"^\\\"\\\\\\\\\\\\n$\"}", {"\"\\\"\\\\\\n\""}, {"\"\"\"", "\"a\""}},
        {"{\"pattern\":\"^A|B|C$\"}", {"\"A\"", "\"B\"", "\"C\""}, {"\"AB\"", "\"xB\""}},
        {"{\"pattern\":\"^a$|^b$\"}", {"\"a\"", "\"b\""}, {"\"ab\""}},
        {"{\"pattern\":\"^(\\\\([0-9]{1,3}\\\\))?[0-9]{3}-\\\\d{4} a{3,5}nd...$\"}",
         {"\"(1)123-4567 aaand!!!\"", "\"123-4567 aaaaand\xc3\xa9\\\"x\""},
         {"\"(1234)123-4567 aaand!!!\"", "\"123-4567 aaand!!\""}},
        {"{\"pattern\":\"b+\"}", {"\"abc\"", "\"b\"", "\"\\nb\""}, {"\"a\"", "\"\""}},
        {"{\"pattern\":\"^a\"}", {"\"a\"", "\"abc\""}, {"\"ba\""}},
        {"{\"pattern\":\"a$\"}", {"\"a\"", "\"bca\""}, {"\"ab\""}},
        {"{\"pattern\":\"^a|b$\"}", {"\"a\"", "\"b\""}, {"\"c\""}},
        {"{\"pattern\":\"^[^a\\\\d\\\\-x-z]+$\"}",
         {"\"bc\\\\\""},
         {"\"a\"", "\"5\"", "\"y\"", "\"-\""}},
        {"{\"pattern\":\"^[\\\\w.-]+$\"}", {"\"a_Z9.-\""}, {"\" \"", "\"\xc3\xa9\""}},
        {"{\"pattern\":\"^\\\\S\\\\s\\\\D\\\\W$\"}",
         {"\"a b!\"", "\"a\\tb!\""},
         {"\"aab!\"", "\"a bb\""}},
        {"{\"pattern\":\"^[\\\\]\\\\\\\\\\\"]$\"}", {"\"]\"", "\"\\\\\"", "\"\\\"\""}, {"\"[\""}},
        {"{\"pattern\":\"^\\\\x41\\\\u00e9\\\\u{1F600}\\\\ud83d\\\\ude00$\"}",
         {"\"A\xc3\xa9\xf0\x9f\x98\x80\xf0\x9f\x98\x80\""},
         {"\"A\""}},
        {"{\"pattern\":\"^(?:a|(?<n>b)){2,}?$\"}", {"\"ab\"", "\"bba\""}, {"\"a\""}},
        {"{\"pattern\":\"^a{,3}$\"}", {"\"a{,3}\""}, {"\"aa\""}},
        {"{\"pattern\":\"^$\"}", {"\"\""}, {"\"a\""}},
        {"{\"pattern\":\"\"}", {"\"\"", "\"a\""}, {"1"}},
        {"{\"pattern\":\"^(|a)b$\"}", {"\"b\"", "\"ab\""}, {"\"a\""}},
        {"{\"pattern\":\"^[a-c]{2,4}$\",\"minLength\":1,\"maxLength\":4}", {"\"ab\""}, {"\"a\""}},
        {"{\"pattern\":\"^\\\\$\"}", {"\"$\"", "\"$a\""}, {"\"a\""}},
    };
    CHECK(*state, vectors);
}

/* Every whole number near the bounds, and halves for numbers, against comparing. */
static void test_bounds(void **state) {
    const fixture *f = *state;
    static const int ends[] = {-1000, -123, -100, -99, -10, -7, -1,  0,  1,
                               5,     9,    10,   15,  42,  99, 100, 207};
    const int n = (int)(sizeof ends / sizeof ends[0]);
    for (int i = -1; i < n; i++) {
        for (int k = -1; k < n; k++) {
            if (i == -1 && k == -1) continue;
            if (i >= 0 && k >= 0 && ends[i] > ends[k]) continue;
            char schema[2][200], low[40] = "", high[40] = "";
            if (i >= 0) snprintf(low, sizeof low, ",\"minimum\":%d", ends[i]);
            if (k >= 0) snprintf(high, sizeof high, ",\"maximum\":%d", ends[k]);
            snprintf(schema[0], sizeof schema[0], "{\"type\":\"integer\"%s%s}", low, high);
            snprintf(schema[1], sizeof schema[1], "{\"type\":\"number\"%s%s}", low, high);
            const compiled integer = compile(f, schema[0]), number = compile(f, schema[1]);
            for (int x = -1105; x <= 1105; x += abs(x) > 215 && x % 100 > 5 ? 7 : 1) {
                char text[40];
                const bool in = (i < 0 || x >= ends[i]) && (k < 0 || x <= ends[k]);
                snprintf(text, sizeof text, "%d", x);
                if (accepts(integer, text) != in) fail_msg("%s: %s", schema[0], text);
                if (accepts(number, text) != in) fail_msg("%s: %s", schema[1], text);
                const bool half = (i < 0 || x + (x < 0 ? -0.5 : 0.5) >= ends[i]) &&
                                  (k < 0 || x + (x < 0 ? -0.5 : 0.5) <= ends[k]);
                snprintf(text, sizeof text, "%d.5", x);
                if (accepts(number, text) != half) fail_msg("%s: %s", schema[1], text);
                if (accepts(integer, text)) fail_msg("%s: %s", schema[0], text);
            }
            release(integer);
            release(number);
        }
    }
}

static void test_fraction_bounds(void **state) {
    const fixture *f = *state;
    static const char *const ends[] = {"-1.5", "-0.25", "-0.2", "0", "0.05", "0.2",
                                       "0.25", "0.5",   "0.95", "1", "1.25", "2"};
    const size_t n = sizeof ends / sizeof ends[0];
    for (size_t i = 0; i < n; i++) {
        for (size_t k = i; k < n; k++) {
            for (int strict = 0; strict < 4; strict++) {
                const double low = strtod(ends[i], NULL), high = strtod(ends[k], NULL);
                if (i == k && strict) continue;
                char schema[200];
                snprintf(schema, sizeof schema, "{\"%s\":%s,\"%s\":%s}",
                         strict & 1 ? "exclusiveMinimum" : "minimum", ends[i],
                         strict & 2 ? "exclusiveMaximum" : "maximum", ends[k]);
                const compiled c = compile(f, schema);
                for (int x = -2100; x <= 2100; x += 5) {
                    char text[40];
                    const double value = x / 1000.0;
                    const bool in = (strict & 1 ? value > low : value >= low) &&
                                    (strict & 2 ? value < high : value <= high);
                    snprintf(text, sizeof text, "%.3f", value);
                    if (x == 0 && text[0] == '-') continue;
                    if (accepts(c, text) != in)
                        fail_msg("%s: %s is %s", schema, text, in ? "in" : "out");
                }
                release(c);
            }
        }
    }
}

static void test_large_bounds(void **state) {
    static const vector vectors[] = {
        {"{\"type\":\"integer\",\"minimum\":9223372036854775806}",
         {"9223372036854775806", "9223372036854775807"},
         {"9223372036854775805", "1"}},
        {"{\"type\":\"integer\",\"maximum\":-9223372036854775807}",
         {"-9223372036854775807", "-9223372036854775808"},
         {"-9223372036854775806", "0"}},
        {"{\"type\":\"integer\",\"exclusiveMinimum\":1.5,\"exclusiveMaximum\":4}",
         {"2", "3"},
         {"1", "4"}},
        {"{\"type\":\"integer\",\"minimum\":1.5,\"maximum\":3.5}", {"2", "3"}, {"1", "4"}},
        {"{\"type\":\"integer\",\"minimum\":-1e300,\"maximum\":1e300}", {"0", "-5"}, {"0.5"}},
        {"{\"type\":\"number\",\"multipleOf\":1,\"minimum\":1,\"maximum\":3}", {"2"}, {"2.5", "4"}},
        {"{\"type\":\"integer\",\"minimum\":100}",
         {"100", "999", "1000", "1234567890123456"},
         {"99", "12345678901234567", "-100"}},
        {"{\"exclusiveMinimum\":0}", {"0.001", "1", "10.5"}, {"0", "0.0", "-1", "0.000"}},
        {"{\"minimum\":0,\"exclusiveMinimum\":0,\"maximum\":1}", {"1", "0.5", "1.0"}, {"0", "1.1"}},
    };
    CHECK(*state, vectors);
}

static void refuses(const fixture *f, const char *schema, ondol_status want, const char *part) {
    ondol_error err = {0};
    text_grammar *g = (text_grammar *)&err;
    const ondol_status status =
        text_grammar_from_json_schema(&f->heap, schema, strlen(schema), &g, &err);
    if (status != want) fail_msg("%.200s: %s (%s)", schema, base_status_name(status), err.text);
    assert_null(g);
    ASSERT_CONTAINS(err.text, part);
}

static void test_refused(void **state) {
    const fixture *f = *state;
    const ondol_status bad = ONDOL_E_FORMAT, no = ONDOL_E_UNSUPPORTED;
    refuses(f, "{\"type\":", bad, "line 1, column");
    refuses(f, "{\"type\":1,\"type\":2}", bad, "duplicate");
    refuses(f, "[]", bad, "expected a schema");
    refuses(f, "{\"type\":\"kaboom\"}", bad, "#/type: expected object");
    refuses(f, "{\"type\":123}", bad, "#/type");
    refuses(f, "{\"type\":[]}", bad, "#/type");
    refuses(f, "{\"enum\":[]}", bad, "#/enum");
    refuses(f, "{\"enum\":1}", bad, "#/enum");
    refuses(f, "{\"format\":1}", bad, "#/format");
    refuses(f, "{\"anyOf\":[]}", bad, "#/anyOf");
    refuses(f, "{\"allOf\":1}", bad, "#/allOf");
    refuses(f, "{\"minimum\":\"1\"}", bad, "#/minimum");
    refuses(f, "{\"type\":\"string\",\"minLength\":-1}", bad, "#/minLength");
    refuses(f, "{\"type\":\"string\",\"minLength\":1.5}", bad, "#/minLength");
    refuses(f, "{\"properties\":[]}", bad, "#/properties");
    refuses(f, "{\"properties\":{\"a\":1}}", bad, "#/properties/a: expected a schema");
    refuses(f, "{\"required\":\"a\"}", bad, "#/required");
    refuses(f, "{\"required\":[1]}", bad, "#/required");
    refuses(f, "{\"additionalProperties\":1}", bad, "#/additionalProperties");
    refuses(f, "{\"prefixItems\":{}}", bad, "#/prefixItems");
    refuses(f, "{\"$ref\":\"#/nowhere\"}", bad, "#/$ref: the document has nothing there");
    refuses(f, "{\"$ref\":1}", bad, "#/$ref");
    refuses(f, "{\"$ref\":\"https://example.com/x\"}", no, "#/$ref");
    refuses(f, "{\"$ref\":\"#\"}", bad, "left-recursive");
    refuses(f, "{\"$ref\":\"#\",\"type\":\"object\"}", ONDOL_E_LIMIT, "deep");
    refuses(f, "{\"anyOf\":[{\"$ref\":\"#\"},{\"type\":\"null\"}]}", bad, "left-recursive");
    refuses(f, "{\"properties\":{\"a/b\":{\"not\":{}}}}", no, "#/properties/a~1b/not");
    refuses(f, "{\"items\":{\"uniqueItems\":true}}", no, "#/items/uniqueItems");
    refuses(f, "{\"contains\":{}}", no, "#/contains");
    refuses(f, "{\"patternProperties\":{\"^a\":{}}}", no, "#/patternProperties");
    refuses(f, "{\"propertyNames\":{\"pattern\":\"a\"}}", no, "#/propertyNames");
    refuses(f, "{\"dependentRequired\":{\"a\":[\"b\"]}}", no, "#/dependentRequired");
    refuses(f, "{\"if\":{},\"then\":{\"type\":\"null\"}}", no, "#/then");
    refuses(f, "{\"unevaluatedProperties\":{\"type\":\"null\"}}", no, "#/unevaluatedProperties");
    refuses(f, "{\"multipleOf\":5}", no, "#/multipleOf");
    refuses(f, "{\"allOf\":[{\"pattern\":\"a\"},{\"pattern\":\"b\"}]}", no, "#/allOf/1/pattern");
    refuses(f, "{\"pattern\":\"^a+$\",\"minLength\":2}", no, "#/minLength");
    refuses(f, "{\"pattern\":\"^a+$\",\"maxLength\":2}", no, "#/maxLength");
    refuses(f, "{\"pattern\":\"a\",\"format\":\"date\"}", no, "#/pattern");
    refuses(f, "{\"enum\":[\"a\"],\"pattern\":\"b\"}", no, "#/pattern");
    refuses(f, "{\"properties\":{\"a\":{},\"b\":{}},\"minProperties\":1}", no, "#/minProperties");
    refuses(f, "false", no, "nothing satisfies");
    refuses(f, "{\"type\":\"integer\",\"minimum\":2,\"maximum\":1}", no, "#/minimum");
    refuses(f, "{\"minimum\":0.3,\"maximum\":0.2}", no, "no number");
    refuses(f, "{\"exclusiveMinimum\":1,\"exclusiveMaximum\":1}", no, "no number");
    refuses(f, "{\"allOf\":[{\"type\":\"null\"},{\"type\":\"string\"}]}", no, "nothing satisfies");
    refuses(f, "{\"enum\":[1],\"type\":\"string\"}", no, "#/enum");
    refuses(f, "{\"items\":{\"const\":1},\"minItems\":2,\"maxItems\":1}", no, "#/minItems");
    refuses(f, "{\"properties\":{\"a\":false},\"required\":[\"a\"]}", no, "#/required");
    refuses(f, "{\"required\":[\"a\"],\"additionalProperties\":false}", no, "#/required");
    refuses(f, "{\"items\":{\"const\":1},\"minItems\":1000000}", ONDOL_E_LIMIT, "nodes");
    static const struct {
        const char *pattern;
        ondol_status status;
        const char *part;
    } patterns[] = {{"(a", ONDOL_E_FORMAT, "expected ')'"},
                    {"a)", ONDOL_E_FORMAT, "offset 1"},
                    {"[a", ONDOL_E_FORMAT, "expected ']'"},
                    {"[z-a]", ONDOL_E_FORMAT, "below its start"},
                    {"*", ONDOL_E_FORMAT, "nothing to repeat"},
                    {"a{3,2}", ONDOL_E_FORMAT, "repetition"},
                    {"\\\\", ONDOL_E_FORMAT, "backslash"},
                    {"\\\\q", ONDOL_E_FORMAT, "not known"},
                    {"\\\\xg", ONDOL_E_FORMAT, "hexadecimal"},
                    {"(?=a)", ONDOL_E_UNSUPPORTED, "look-around"},
                    {"(?<!a)", ONDOL_E_UNSUPPORTED, "look-around"},
                    {"(a)\\\\1", ONDOL_E_UNSUPPORTED, "back reference"},
                    {"\\\\bab", ONDOL_E_UNSUPPORTED, "word boundary"},
                    {"\\\\p{L}", ONDOL_E_UNSUPPORTED, "Unicode property"},
                    {"a^b", ONDOL_E_UNSUPPORTED, "anchor"},
                    {"(a$)b", ONDOL_E_UNSUPPORTED, "anchor"}};
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        char schema[200];
        snprintf(schema, sizeof schema, "{\"pattern\":\"%s\"}", patterns[i].pattern);
        refuses(f, schema, patterns[i].status, patterns[i].part);
    }
}

/* Schemas made to cost much: a status, in good time. */
static void test_hostile(void **state) {
    const fixture *f = *state;
    char *text = malloc(1 << 20), *p = text;
    assert_non_null(text);
    for (int i = 0; i < 1500; i++)
        p += sprintf(p, "{\"items\":");
    p += sprintf(p, "{}");
    memset(p, '}', 1500);
    p[1500] = 0;
    refuses(f, text, ONDOL_E_LIMIT, "deep");
    p = text + sprintf(text, "{\"$ref\":\"#/$defs/a0\",\"type\":\"object\",\"$defs\":{");
    for (int i = 0; i < 40; i++)
        p += sprintf(p,
                     "\"a%d\":{\"allOf\":[{\"$ref\":\"#/$defs/a%d\"},{\"$ref\":\"#/$defs/a%d\"}]},",
                     i, i + 1, i + 1);
    sprintf(p, "\"a40\":{}}}");
    refuses(f, text, ONDOL_E_LIMIT, "meet");
    p = text + sprintf(text, "{\"allOf\":[");
    for (int i = 0; i < 30; i++)
        p += sprintf(p, "%s{\"anyOf\":[{\"minimum\":%d},{\"maximum\":%d}]}", i ? "," : "", i, i);
    sprintf(p, "]}");
    refuses(f, text, ONDOL_E_LIMIT, "alternatives");
    p = text + sprintf(text, "{\"pattern\":\"");
    memset(p, '(', 1000);
    strcpy(p + 1000, "\"}");
    refuses(f, text, ONDOL_E_LIMIT, "nested");
    p = text + sprintf(text, "{\"properties\":{");
    for (int i = 0; i < 9000; i++)
        p += sprintf(p, "%s\"property%d\":{\"type\":\"null\"}", i ? "," : "", i);
    sprintf(p, "}}");
    refuses(f, text, ONDOL_E_LIMIT, "rules");
    free(text);
}

static void test_as_gbnf(void **state) {
    const fixture *f = *state;
    ondol_error err = {0};
    base_buffer out;
    base_buffer_init(&out, &f->heap, 1 << 20);
    const char *schema = "{\"properties\":{\"age\":{\"type\":\"integer\"}},\"required\":[\"age\"]}";
    ASSERT_OK(text_grammar_schema_to_gbnf(&f->heap, schema, strlen(schema), &out, &err));
    ASSERT_CONTAINS(out.data, "root ::= schema-");
    ASSERT_CONTAINS(out.data, "\"\\\"age\\\"\" space \":\" space age-0");
    base_buffer_destroy(&out);
    base_buffer_init(&out, &f->heap, 20);
    ASSERT_STATUS(text_grammar_schema_to_gbnf(&f->heap, schema, strlen(schema), &out, &err),
                  ONDOL_E_LIMIT);
    base_buffer_destroy(&out);
}

static void test_every_allocation_fails(void **state) {
    (void)state;
    const char *schema =
        "{\"$defs\":{\"n\":{\"type\":\"integer\",\"minimum\":2}},\"properties\":{"
        "\"a\":{\"$ref\":\"#/$defs/n\"},\"b\":{\"pattern\":\"^[a-c]+$\"},"
        "\"c\":{\"anyOf\":[{\"enum\":[1,\"x\"]},{\"prefixItems\":[true,{\"type\":\"number\","
        "\"maximum\":0.5}]}]}},\"additionalProperties\":true,\"required\":[\"b\"]}";
    for (size_t n = 0;; n++) {
        fail_alloc memory;
        fail_alloc_init(&memory, n);
        ondol_error err = {0};
        text_grammar *g = NULL;
        const ondol_status status =
            text_grammar_from_json_schema(&memory.api, schema, strlen(schema), &g, &err);
        text_grammar_destroy(g);
        fail_alloc_check_empty(&memory);
        if (!memory.failed) {
            ASSERT_OK(status);
            break;
        }
        assert_int_equal(status, ONDOL_E_MEMORY);
        assert_int_equal(err.status, ONDOL_E_MEMORY);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_simple_types),    cmocka_unit_test(test_objects),
        cmocka_unit_test(test_arrays),          cmocka_unit_test(test_combinations),
        cmocka_unit_test(test_patterns),        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_fraction_bounds), cmocka_unit_test(test_large_bounds),
        cmocka_unit_test(test_refused),         cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_as_gbnf),         cmocka_unit_test(test_every_allocation_fails),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
