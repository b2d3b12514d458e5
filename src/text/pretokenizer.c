/* A text -> the words within which BPE merges, by the rules of pretokenizers.def. */
#include "text/pretokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "text/pretokenizer_digits.h"

#define PRE(name, flags, ...) {name, flags, {__VA_ARGS__, NULL}},
static const pretokenizer_row pretokenizer_rows[] = {
#include "text/pretokenizers.def"
};
#undef PRE
#define PRETOKENIZER_COUNT (sizeof pretokenizer_rows / sizeof pretokenizer_rows[0])

struct pretokenizer {
    const ondol_allocator *allocator;
    const pretokenizer_row *row;
    pcre2_general_context *context;
    pcre2_code *codes[PRE_RULES_MAX]; /* NULL: a rule in words */
    bool jit[PRE_RULES_MAX];
};

const pretokenizer_row *pretokenizer_find(const char *name, size_t size) {
    if (size == 0) return &pretokenizer_rows[0];
    for (size_t i = 0; i < PRETOKENIZER_COUNT; i++) {
        const char *row = pretokenizer_rows[i].name;
        if (strlen(row) == size && memcmp(row, name, size) == 0) return &pretokenizer_rows[i];
    }
    return NULL;
}

const pretokenizer_row *pretokenizer_at(size_t i) {
    return i < PRETOKENIZER_COUNT ? &pretokenizer_rows[i] : NULL;
}

static void *pretokenizer_malloc(size_t size, void *user) {
    const ondol_allocator *allocator = user;
    return base_alloc(allocator, size, 1);
}

static void pretokenizer_free(void *p, void *user) {
    const ondol_allocator *allocator = user;
    base_free(allocator, p);
}

static pcre2_general_context *pretokenizer_context(const ondol_allocator *allocator) {
    /* PCRE2 hands the pointer back to the two functions above, which only read through it. */
    union {
        const ondol_allocator *in;
        void *out;
    } user = {allocator};
    return pcre2_general_context_create(pretokenizer_malloc, pretokenizer_free, user.out);
}

static ondol_status pretokenizer_compile(pretokenizer *pre, size_t i, pcre2_compile_context *with,
                                         ondol_error *err) {
    const char *rule = pre->row->rules[i];
    int code = 0;
    PCRE2_SIZE at = 0;
    pre->codes[i] = pcre2_compile((PCRE2_SPTR)rule, PCRE2_ZERO_TERMINATED,
                                  PCRE2_UTF | PCRE2_UCP | PCRE2_NO_AUTO_CAPTURE, &code, &at, with);
    if (!pre->codes[i]) {
        /* 121: "failed to allocate heap memory" in pcre2api(3). */
        if (code == PCRE2_ERROR_HEAP_FAILED) return base_no_memory(err, "a pre-tokenizer", 0);
        return base_fail(err, ONDOL_E_INTERNAL,
                         "pre-tokenizer '%s': rule %zu does not compile (PCRE2 error %d at %zu)",
                         pre->row->name, i, code, (size_t)at);
    }
    pre->jit[i] = pcre2_jit_compile(pre->codes[i], PCRE2_JIT_COMPLETE) == 0;
    return ONDOL_OK;
}

ondol_status pretokenizer_create(const ondol_allocator *allocator, const pretokenizer_row *row,
                                 pretokenizer **out, ondol_error *err) {
    ondol_status status = ONDOL_E_MEMORY;
    *out = NULL;
    pcre2_compile_context *with = NULL;
    pretokenizer *pre = base_calloc(allocator, 1, sizeof *pre);
    if (!pre) return base_no_memory(err, "a pre-tokenizer", sizeof *pre);
    pre->allocator = allocator;
    pre->row = row;
    pre->context = pretokenizer_context(allocator);
    with = pre->context ? pcre2_compile_context_create(pre->context) : NULL;
    if (!with) {
        status = base_no_memory(err, "a pre-tokenizer", 0);
        goto done;
    }
    for (size_t i = 0; row->rules[i]; i++) {
        if (row->rules[i][0] != '=') TRY(pretokenizer_compile(pre, i, with, err));
    }
    *out = pre;
    pre = NULL;
    status = ONDOL_OK;
done:
    pcre2_compile_context_free(with);
    pretokenizer_destroy(pre);
    return status;
}

void pretokenizer_destroy(pretokenizer *pre) {
    if (!pre) return;
    for (size_t i = 0; i < PRE_RULES_MAX; i++)
        pcre2_code_free(pre->codes[i]);
    pcre2_general_context_free(pre->context);
    base_free(pre->allocator, pre);
}

void pretokenizer_work_init(pretokenizer_work *work, const pretokenizer *pre,
                            const ondol_allocator *allocator) {
    *work = (pretokenizer_work){.allocator = allocator, .pre = pre};
}

void pretokenizer_work_destroy(pretokenizer_work *work) {
    pcre2_match_data_free(work->match_data);
    pcre2_match_context_free(work->match_context);
    pcre2_general_context_free(work->general_context);
    if (work->allocator) {
        base_free(work->allocator, work->ends);
        base_free(work->allocator, work->next_ends);
    }
    *work = (pretokenizer_work){.allocator = NULL};
}

/* PCRE2's blocks, on first use. */
static bool pretokenizer_work_ready(pretokenizer_work *work) {
    if (work->match_data) return true;
    if (!work->general_context) work->general_context = pretokenizer_context(work->allocator);
    if (!work->general_context) return false;
    if (!work->match_context) {
        work->match_context = pcre2_match_context_create(work->general_context);
    }
    if (!work->match_context) return false;
    work->match_data = pcre2_match_data_create(1, work->general_context);
    return work->match_data != NULL;
}

/* Steps and memory in proportion to the text: the rules are linear, these only catch a mistake. */
static void pretokenizer_set_limits(pretokenizer_work *work, size_t n) {
    uint64_t steps = 10000000 + (uint64_t)n * 64;
    uint64_t heap_kib = 65536 + (uint64_t)n / 2;
    uint32_t limit = steps < UINT32_MAX ? (uint32_t)steps : UINT32_MAX;
    pcre2_set_match_limit(work->match_context, limit);
    pcre2_set_depth_limit(work->match_context, limit);
    pcre2_set_heap_limit(work->match_context,
                         heap_kib < UINT32_MAX ? (uint32_t)heap_kib : UINT32_MAX);
}

bool pretokenizer_cut(pretokenizer_work *work, size_t end) {
    if (work->n_next > 0 && work->next_ends[work->n_next - 1] >= end) return true;
    if (work->n_next == work->next_capacity) {
        size_t wanted = work->next_capacity ? work->next_capacity * 2 : 64;
        size_t *grown = base_alloc(work->allocator, wanted, sizeof *grown);
        if (!grown) return false;
        if (work->n_next) memcpy(grown, work->next_ends, work->n_next * sizeof *grown);
        base_free(work->allocator, work->next_ends);
        work->next_ends = grown;
        work->next_capacity = wanted;
    }
    work->next_ends[work->n_next++] = end;
    return true;
}

/* What was cut becomes what is cut next. */
static void pretokenizer_swap(pretokenizer_work *work) {
    size_t *ends = work->ends;
    size_t capacity = work->capacity;
    work->ends = work->next_ends;
    work->capacity = work->next_capacity;
    work->n_ends = work->n_next;
    work->next_ends = ends;
    work->next_capacity = capacity;
    work->n_next = 0;
}

/* One search from `at`; PCRE2's result. */
static int pretokenizer_search(pretokenizer_work *work, size_t rule, PCRE2_SPTR text, size_t n,
                               size_t at) {
    const pretokenizer *pre = work->pre;
    if (pre->jit[rule]) {
        int result = pcre2_jit_match(pre->codes[rule], text, n, at, PCRE2_NO_UTF_CHECK,
                                     work->match_data, work->match_context);
        if (result != PCRE2_ERROR_JIT_STACKLIMIT) return result;
    }
    return pcre2_match(pre->codes[rule], text, n, at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                       work->match_data, work->match_context);
}

static ondol_status pretokenizer_search_failed(const pretokenizer_work *work, int result,
                                               ondol_error *err) {
    const char *name = work->pre->row->name;
    switch (result) {
    case PCRE2_ERROR_NOMEMORY: return base_no_memory(err, "cutting a text into words", 0);
    case PCRE2_ERROR_MATCHLIMIT:
    case PCRE2_ERROR_DEPTHLIMIT:
    case PCRE2_ERROR_HEAPLIMIT:
        return base_fail(err, ONDOL_E_LIMIT,
                         "pre-tokenizer '%s': this text takes more steps or memory than its "
                         "length allows",
                         name);
    default:
        return base_fail(err, ONDOL_E_INTERNAL, "pre-tokenizer '%s': PCRE2 error %d", name, result);
    }
}

/* Applies one rule within text[start..end). */
static ondol_status pretokenizer_apply(pretokenizer_work *work, size_t rule, const char *text,
                                       size_t start, size_t end, ondol_error *err) {
    PCRE2_SPTR piece = (PCRE2_SPTR)text + start;
    const PCRE2_SIZE *found = pcre2_get_ovector_pointer(work->match_data);
    size_t n = end - start;
    size_t at = 0;
    while (at < n) {
        int result = pretokenizer_search(work, rule, piece, n, at);
        if (result == PCRE2_ERROR_NOMATCH) break;
        if (result < 0) return pretokenizer_search_failed(work, result, err);
        if (found[1] <= at) break; /* no rule matches nothing */
        if (found[0] > at && !pretokenizer_cut(work, start + found[0])) goto no_memory;
        if (!pretokenizer_cut(work, start + found[1])) goto no_memory;
        at = found[1];
    }
    if (pretokenizer_cut(work, end)) return ONDOL_OK;
no_memory:
    return base_no_memory(err, "cutting a text into words", n);
}

ondol_status pretokenizer_split(pretokenizer_work *work, const char *text, size_t n,
                                ondol_error *err) {
    const pretokenizer_row *row = work->pre->row;
    work->n_ends = 0;
    work->n_next = 0;
    if (!pretokenizer_work_ready(work) || !pretokenizer_cut(work, n)) {
        return base_no_memory(err, "cutting a text into words", n);
    }
    pretokenizer_set_limits(work, n);
    for (size_t rule = 0; row->rules[rule]; rule++) {
        pretokenizer_swap(work);
        size_t start = 0;
        for (size_t i = 0; i < work->n_ends; i++) {
            ondol_status status =
                row->rules[rule][0] == '='
                    ? pretokenizer_digits(work, row->rules[rule], text, start, work->ends[i], err)
                    : pretokenizer_apply(work, rule, text, start, work->ends[i], err);
            if (status != ONDOL_OK) return status;
            start = work->ends[i];
        }
    }
    pretokenizer_swap(work);
    return ONDOL_OK;
}
