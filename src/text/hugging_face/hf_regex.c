/* Patterns. In: a pattern of tokenizer.json, then texts. Out: where it matches. */
#include "text/hugging_face/hf_regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "base/utf8.h"
#include "formats/json/json_read.h"
#include "text/hugging_face/hf_regex_translate.h"

#define PARENS_NEST_MAX 250u

struct hf_regex {
    const ondol_allocator *allocator;
    char *literal; /* NULL: an expression */
    size_t literal_bytes;
    pcre2_general_context *context;
    pcre2_code *code;
    bool jit;
};

static void *regex_malloc(size_t size, void *user) {
    const ondol_allocator *allocator = user;
    return base_alloc(allocator, size, 1);
}

static void regex_free(void *p, void *user) {
    const ondol_allocator *allocator = user;
    base_free(allocator, p);
}

static pcre2_general_context *regex_context(const ondol_allocator *allocator) {
    /* PCRE2 hands the pointer back to the two functions above, which only read through it. */
    union {
        const ondol_allocator *in;
        void *out;
    } user = {allocator};
    return pcre2_general_context_create(regex_malloc, regex_free, user.out);
}

void hf_regex_destroy(hf_regex *regex) {
    if (!regex) return;
    pcre2_code_free(regex->code);
    pcre2_general_context_free(regex->context);
    base_free(regex->allocator, regex->literal);
    base_free(regex->allocator, regex);
}

/* shown: the expression as the file has it. */
static ondol_status regex_compile(hf_regex *regex, const char *pattern, size_t n, const char *shown,
                                  const hf_place *at, ondol_error *err) {
    char place[HF_PLACE_BYTES], message[120] = "";
    int code = 0;
    PCRE2_SIZE offset = 0;
    regex->context = regex_context(regex->allocator);
    pcre2_compile_context *with =
        regex->context ? pcre2_compile_context_create(regex->context) : NULL;
    if (!with) return base_no_memory(err, "a regular expression", n);
    pcre2_set_newline(with, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(with, PARENS_NEST_MAX);
    regex->code = pcre2_compile((PCRE2_SPTR)pattern, n,
                                PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                                &code, &offset, with);
    pcre2_compile_context_free(with);
    if (regex->code) {
        regex->jit = pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE) == 0;
        return ONDOL_OK;
    }
    if (code == PCRE2_ERROR_HEAP_FAILED) return base_no_memory(err, "a regular expression", n);
    pcre2_get_error_message(code, (PCRE2_UCHAR *)message, sizeof message);
    return base_fail(err, ONDOL_E_FORMAT,
                     "tokenizer.json: %s: the expression \"%.60s\" does not compile: %s",
                     hf_place_text(at, place), shown, message);
}

/* pattern: as the file has it. */
static ondol_status regex_translate(hf_regex *regex, text_view pattern, const hf_place *at,
                                    ondol_error *err) {
    char place[HF_PLACE_BYTES];
    const char *what = NULL;
    base_buffer text;
    base_buffer_init(&text, regex->allocator, (size_t)HF_PATTERN_BYTES_MAX * 64);
    ondol_status status = hf_regex_translate(pattern, &text, &what);
    if (status == ONDOL_E_MEMORY) {
        base_no_memory(err, "a regular expression", text.size);
    } else if (status != ONDOL_OK) {
        base_fail(err, status, "tokenizer.json: %s: the expression \"%.60s\" has %s",
                  hf_place_text(at, place), pattern.data, what);
    } else {
        status = regex_compile(regex, text.data ? text.data : "", text.size, pattern.data, at, err);
    }
    base_buffer_destroy(&text);
    return status;
}

ondol_status hf_regex_create(const ondol_allocator *allocator, const char *pattern, hf_regex **out,
                             ondol_error *err) {
    static const hf_place at = {NULL, "(built in)", 0};
    hf_regex *regex = base_calloc(allocator, 1, sizeof *regex);
    *out = NULL;
    if (!regex) return base_no_memory(err, "a regular expression", sizeof *regex);
    regex->allocator = allocator;
    const ondol_status status =
        regex_translate(regex, (text_view){pattern, strlen(pattern)}, &at, err);
    if (status == ONDOL_OK) *out = regex;
    if (status != ONDOL_OK) hf_regex_destroy(regex);
    return status;
}

ondol_status hf_regex_read(const ondol_allocator *allocator, const json_t *from, const hf_place *at,
                           hf_regex **out, ondol_error *err) {
    const hf_place here = {at, "pattern", 0};
    const json_t *pattern = json_read_member(from, "pattern");
    const json_t *literal = json_is_string(pattern) ? pattern : json_read_member(pattern, "String");
    const json_t *expression = json_read_member(pattern, "Regex");
    *out = NULL;
    if (!json_is_string(literal) && !json_is_string(expression))
        return hf_json_wrong(&here, pattern, "{\"String\": text} or {\"Regex\": text}", err);
    hf_regex *regex = base_calloc(allocator, 1, sizeof *regex);
    if (!regex) return base_no_memory(err, "a pattern", sizeof *regex);
    regex->allocator = allocator;
    ondol_status status = ONDOL_OK;
    if (json_is_string(literal)) {
        const text_view text = hf_json_view(literal);
        regex->literal = base_strndup(allocator, text.data, text.size);
        regex->literal_bytes = text.size;
        if (!regex->literal) status = base_no_memory(err, "a pattern", text.size);
    } else {
        status = regex_translate(regex, hf_json_view(expression), &here, err);
    }
    if (status == ONDOL_OK) *out = regex;
    if (status != ONDOL_OK) hf_regex_destroy(regex);
    return status;
}

/* ---- finding ---- */

bool hf_spans_add(hf_spans *spans, size_t start, size_t end, bool match) {
    if (spans->count == spans->capacity) {
        const size_t wanted = spans->capacity ? spans->capacity * 2 : 64;
        hf_span *grown = base_alloc(spans->allocator, wanted, sizeof *grown);
        if (!grown) return false;
        if (spans->count) memcpy(grown, spans->at, spans->count * sizeof *grown);
        base_free(spans->allocator, spans->at);
        spans->at = grown;
        spans->capacity = wanted;
    }
    spans->at[spans->count++] = (hf_span){start, end, match};
    return true;
}

void hf_spans_destroy(hf_spans *spans) {
    if (spans->allocator) base_free(spans->allocator, spans->at);
    *spans = (hf_spans){.allocator = NULL};
}

void hf_regex_work_destroy(hf_regex_work *work) {
    pcre2_match_data_free(work->match_data);
    pcre2_match_context_free(work->match_context);
    pcre2_general_context_free(work->general_context);
    *work = (hf_regex_work){.allocator = NULL};
}

static bool work_ready(hf_regex_work *work) {
    if (work->match_data) return true;
    if (!work->general_context) work->general_context = regex_context(work->allocator);
    if (!work->general_context) return false;
    if (!work->match_context)
        work->match_context = pcre2_match_context_create(work->general_context);
    if (!work->match_context) return false;
    work->match_data = pcre2_match_data_create(1, work->general_context);
    return work->match_data != NULL;
}

/* Steps and memory in proportion to the text, for each search. */
static void set_limits(hf_regex_work *work, size_t n) {
    const uint64_t steps = 1000000 + (uint64_t)n * 64;
    const uint64_t heap_kib = 65536 + (uint64_t)n / 2;
    const uint32_t limit = steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX;
    pcre2_set_match_limit(work->match_context, limit);
    pcre2_set_depth_limit(work->match_context, limit);
    pcre2_set_heap_limit(work->match_context,
                         heap_kib < UINT32_MAX ? (uint32_t)heap_kib : UINT32_MAX);
}

/* The next match at or behind `at`: PCRE2's result. */
static int regex_search(hf_regex_work *work, const hf_regex *regex, const char *text, size_t n,
                        size_t at) {
    if (regex->jit) {
        const int result = pcre2_jit_match(regex->code, (PCRE2_SPTR)text, n, at, PCRE2_NO_UTF_CHECK,
                                           work->match_data, work->match_context);
        if (result != PCRE2_ERROR_JIT_STACKLIMIT) return result;
    }
    return pcre2_match(regex->code, (PCRE2_SPTR)text, n, at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                       work->match_data, work->match_context);
}

static ondol_status search_failed(int result, size_t n, ondol_error *err) {
    switch (result) {
    case PCRE2_ERROR_NOMEMORY: return base_no_memory(err, "a regular expression", n);
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
    case PCRE2_ERROR_HEAPLIMIT:
        return base_fail(err, ONDOL_E_LIMIT,
                         "tokenizer: an expression takes more steps or memory on this text than "
                         "its %zu bytes allow",
                         n);
    default:
        return base_fail(err, ONDOL_E_LIMIT, "tokenizer: an expression fails (PCRE2 error %d)",
                         result);
    }
}

/* The first place of the literal at or behind `at`; n + 1: there is none. */
static size_t literal_search(const hf_regex *regex, const char *text, size_t n, size_t at) {
    const size_t size = regex->literal_bytes;
    if (size == 0) return at;
    while (size <= n && at <= n - size) {
        const char *first = memchr(text + at, regex->literal[0], n - size - at + 1);
        if (!first) break;
        at = (size_t)(first - text);
        if (memcmp(first, regex->literal, size) == 0) return at;
        at++;
    }
    return n + 1;
}

/* Where the next match is; ONDOL_OK with *found false when there is none. */
static ondol_status search(hf_regex_work *work, const hf_regex *regex, const char *text, size_t n,
                           size_t at, bool *found, size_t *start, size_t *end, ondol_error *err) {
    if (regex->literal) {
        *start = literal_search(regex, text, n, at);
        *end = *start + regex->literal_bytes;
        *found = *start <= n;
        return ONDOL_OK;
    }
    const int result = regex_search(work, regex, text, n, at);
    *found = result != PCRE2_ERROR_NOMATCH;
    if (result < 0 && *found) return search_failed(result, n, err);
    const PCRE2_SIZE *pair = pcre2_get_ovector_pointer(work->match_data);
    *start = pair[0];
    *end = pair[1];
    return ONDOL_OK;
}

ondol_status hf_regex_find(hf_regex_work *work, const hf_regex *regex, const char *text, size_t n,
                           hf_spans *spans, ondol_error *err) {
    size_t at = 0, last = SIZE_MAX, done = 0;
    spans->count = 0;
    if (n == 0) return ONDOL_OK; /* not even an empty match */
    if (!work_ready(work)) return base_no_memory(err, "a regular expression", 0);
    set_limits(work, n);
    while (at <= n) {
        bool found = false;
        size_t start = 0, end = 0;
        const ondol_status status = search(work, regex, text, n, at, &found, &start, &end, err);
        if (status != ONDOL_OK) return status;
        if (!found) break;
        if (end < start || start < done) start = end = end > done ? end : done; /* \K ahead */
        if (start == end && end == last) {
            uint32_t code = 0;
            const size_t used =
                at < n ? base_utf8_decode((const unsigned char *)text + at, n - at, &code) : 1;
            at += used ? used : 1;
            continue;
        }
        if ((start > done && !hf_spans_add(spans, done, start, false)) ||
            !hf_spans_add(spans, start, end, true)) {
            return base_no_memory(err, "matches in a text", spans->count * sizeof(hf_span));
        }
        at = done = last = end;
    }
    if (done < n && !hf_spans_add(spans, done, n, false))
        return base_no_memory(err, "matches in a text", spans->count * sizeof(hf_span));
    return ONDOL_OK;
}
