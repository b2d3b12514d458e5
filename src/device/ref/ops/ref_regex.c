/* RegexFullMatch. In: strings, a pattern in RE2's syntax. Out: which of them it matches as a whole.
 * PCRE2 matches; what RE2 has no counterpart of (look-around, references back) is taken as well. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <inttypes.h>
#include <pcre2.h>
#include <string.h>

#include "base/buffer.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_regex.h"
#include "graph/ops.h"

#define PATTERN_MAX_BYTES (1u << 20)
#define STEPS_MAX         10000000u /* of one match, which may grow exponentially */
#define HEAP_MAX_KIB      65536u
#define WHOLE_OPTIONS     (PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_MATCH_INVALID_UTF)

struct ref_regex {
    pcre2_general_context *general;
    pcre2_match_context *limits;
    pcre2_code *code;
};
typedef struct ref_regex regex;

/* A pattern as a file has it. */
typedef struct pattern_text {
    const char *s;
    size_t s_bytes;
} pattern_text;

static void *take_memory(size_t size, void *user) {
    return base_alloc(user, size, 1);
}

static void give_memory(void *p, void *user) {
    base_free(user, p);
}

/* RE2's \s has no vertical tab, and its \v is nothing but that. */
static bool translate(const pattern_text *pattern, base_buffer *out) {
    bool in_class = false, quoted = false;
    for (size_t i = 0; i < pattern->s_bytes; i++) {
        const char at = pattern->s[i], next = i + 1 < pattern->s_bytes ? pattern->s[i + 1] : 0;
        const char *instead = NULL;
        if (quoted) { /* up to \E */
            quoted = at != '\\' || next != 'E';
            base_buffer_append(out, pattern->s + i, quoted ? 1 : 2);
            i += !quoted;
            continue;
        }
        if (at == '\\') {
            quoted = next == 'Q';
            if (next == 'v') instead = "\\x0b";
            if (next == 's') instead = in_class ? "\\t\\n\\f\\r " : "[\\t\\n\\f\\r ]";
            if (next == 'S' && !in_class) instead = "[^\\t\\n\\f\\r ]";
            if (instead)
                base_buffer_append_text(out, instead);
            else
                base_buffer_append(out, pattern->s + i, i + 1 < pattern->s_bytes ? 2 : 1);
            i++;
            continue;
        }
        if (at == '[' && !in_class) {
            in_class = true;
            base_buffer_append(out, &at, 1);
            /* A ] right behind the beginning is one of the class. */
            if (next == '^') base_buffer_append(out, pattern->s + ++i, 1);
            if (i + 1 < pattern->s_bytes && pattern->s[i + 1] == ']') {
                base_buffer_append_text(out, "\\]");
                i++;
            }
            continue;
        }
        if (at == '[' && next == ':') { /* [:alpha:] up to its end */
            const char *end = memchr(pattern->s + i + 2, ']', pattern->s_bytes - i - 2);
            const size_t n = end ? (size_t)(end - (pattern->s + i)) + 1 : 1;
            base_buffer_append(out, pattern->s + i, n);
            i += n - 1;
            continue;
        }
        if (at == ']') in_class = false;
        base_buffer_append(out, &at, 1);
    }
    return out->fault == BASE_BUFFER_FINE;
}

static ondol_status compile(const plan_call *c, regex *r, const base_buffer *text, uint32_t options,
                            ondol_error *err) {
    int code = 0;
    PCRE2_SIZE at = 0;
    PCRE2_UCHAR why[128] = {0};
    pcre2_compile_context *with = pcre2_compile_context_create(r->general);
    r->limits = pcre2_match_context_create(r->general);
    if (!with || !r->limits) {
        pcre2_compile_context_free(with);
        return base_no_memory(err, "a regular expression", text->size);
    }
    pcre2_set_newline(with, PCRE2_NEWLINE_LF);
    pcre2_set_match_limit(r->limits, STEPS_MAX);
    pcre2_set_depth_limit(r->limits, STEPS_MAX);
    pcre2_set_heap_limit(r->limits, HEAP_MAX_KIB);
    r->code = pcre2_compile((PCRE2_SPTR)(text->data ? text->data : ""), text->size,
                            PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NO_AUTO_CAPTURE | options,
                            &code, &at, with);
    pcre2_compile_context_free(with);
    if (r->code) return ONDOL_OK;
    if (code == PCRE2_ERROR_HEAP_FAILED) {
        return base_no_memory(err, "a regular expression", text->size);
    }
    pcre2_get_error_message(code, why, sizeof why);
    return plan_call_fail(c, err, "its pattern '%s': %s at byte %zu", text->data ? text->data : "",
                          (const char *)why, (size_t)at);
}

ondol_status ref_regex_create(const plan_call *c, const ondol_allocator *a, const char *text,
                              size_t bytes, bool whole, ref_regex **out, ondol_error *err) {
    const pattern_text pattern = {text, bytes};
    /* PCRE2 hands the pointer back to the two functions above, which only read through it. */
    const union {
        const ondol_allocator *in;
        void *out;
    } user = {a};
    base_buffer translated;
    ondol_status status = ONDOL_OK;
    *out = NULL;
    if (bytes > PATTERN_MAX_BYTES) {
        return plan_call_fail(c, err, "a pattern of %zu bytes, expected at most %u", bytes,
                              PATTERN_MAX_BYTES);
    }
    regex *r = base_calloc(a, 1, sizeof *r);
    if (!r) return base_no_memory(err, "a regular expression", sizeof *r);
    *out = r;
    base_buffer_init(&translated, a, 16 * (size_t)PATTERN_MAX_BYTES);
    r->general = pcre2_general_context_create(take_memory, give_memory, user.out);
    if (!r->general || !translate(&pattern, &translated)) {
        status = base_no_memory(err, "a regular expression", bytes);
    } else {
        status = compile(c, r, &translated, whole ? WHOLE_OPTIONS : 0, err);
    }
    base_buffer_destroy(&translated);
    return status;
}

void ref_regex_destroy(const ondol_allocator *a, ref_regex *r) {
    if (!r) return;
    pcre2_code_free(r->code);
    pcre2_match_context_free(r->limits);
    pcre2_general_context_free(r->general);
    base_free(a, r);
}

/* What a match that is not there says; found: PCRE2's answer. */
static ondol_status fail_match(const plan_call *c, int found, ondol_error *err) {
    if (found == PCRE2_ERROR_NOMEMORY) return base_no_memory(err, "a regular expression", 0);
    if (found <= PCRE2_ERROR_UTF8_ERR1 && found >= PCRE2_ERROR_UTF8_ERR21) {
        return plan_call_fail(c, err, "a string is no UTF-8");
    }
    return base_fail(
        err, ONDOL_E_LIMIT,
        "node '%s' (%s): a match of a regular expression takes more than %u steps or %u KiB",
        c->g->nodes[c->node].name, graph_op_info_of(c->g->nodes[c->node].op)->name, STEPS_MAX,
        HEAP_MAX_KIB);
}

ondol_status ref_regex_find_longest(const plan_call *c, const ref_regex *r, const char *text,
                                    size_t bytes, size_t from, ref_regex_match *out,
                                    ondol_error *err) {
    int work[2048];
    *out = (ref_regex_match){false, 0, 0};
    pcre2_match_data *match = pcre2_match_data_create(1, r->general);
    if (!match) return base_no_memory(err, "a regular expression", 0);
    const int found = pcre2_dfa_match(r->code, (PCRE2_SPTR)text, bytes, from, 0, match, r->limits,
                                      work, sizeof work / sizeof *work);
    const PCRE2_SIZE *at = pcre2_get_ovector_pointer(match);
    if (found >= 0) *out = (ref_regex_match){true, at[0], at[1]};
    pcre2_match_data_free(match);
    return found >= 0 || found == PCRE2_ERROR_NOMATCH ? ONDOL_OK : fail_match(c, found, err);
}

ondol_status ref_prepare_regex(const plan_device *d, const ondol_allocator *a, const graph *g,
                               graph_node_id n, base_pool *pool, void **state, ondol_error *err) {
    const plan_call c = {.g = g, .node = n}; /* for its sentences */
    const graph_attribute *pattern = graph_get_attribute(g, n, "pattern");
    regex *r = NULL;
    (void)d, (void)pool;
    if (!pattern) return plan_call_fail(&c, err, "it lacks a pattern");
    ondol_status status = ref_regex_create(&c, a, pattern->s, pattern->s_bytes, true, &r, err);
    *state = r;
    return status;
}

void ref_release_regex(const ondol_allocator *a, void *state) {
    ref_regex_destroy(a, state);
}

ondol_status ref_regex_full_match(plan_call *c, ondol_error *err) {
    const regex *r = c->state;
    pcre2_match_data *match = NULL;
    tensor_value *x = NULL, *y = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_STRING, &x, err));
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_BOOL, x->rank, x->dims, &y, err));
    match = pcre2_match_data_create(1, r->general);
    if (!match) return base_no_memory(err, "a regular expression", 0);
    for (uint64_t i = 0; i < x->elems; i++) {
        const tensor_string *s = (const tensor_string *)x->data + i;
        const int found =
            pcre2_match(r->code, (PCRE2_SPTR)s->text, s->size_bytes, 0, 0, match, r->limits);
        if (found < 0 && found != PCRE2_ERROR_NOMATCH) {
            status = fail_match(c, found, err);
            goto done;
        }
        ((uint8_t *)y->data)[i] = found >= 0;
    }
done:
    pcre2_match_data_free(match);
    return status;
}
