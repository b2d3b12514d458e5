/* Tokenizer. In: strings [C] or [N, C]. Out: their tokens [.., D]: what lies between matches of the
 * separators, what the expression of a token matches, or characters; padded to the most of any. */
#include <inttypes.h>
#include <string.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms.h"
#include "device/ref/ops/ref_regex.h"

#define SEPARATORS_MAX 1024

typedef struct tokenizer_state {
    ref_regex **regexes; /* separators, or the expression of a token */
    uint32_t count;
    bool by_characters, by_tokens;
} tokenizer_state;

/* -------------------------------------------------------------------------------------- state */

ondol_status ref_prepare_ms_tokenizer(const plan_device *d, const ondol_allocator *a,
                                      const graph *g, graph_node_id n, base_pool *pool,
                                      void **state, ondol_error *err) {
    const plan_call c = {.g = g, .node = n}; /* for its sentences */
    const graph_attribute *separators = graph_get_attribute(g, n, "separators");
    const graph_attribute *token = graph_get_attribute(g, n, "tokenexp");
    ondol_status status = ONDOL_OK;
    (void)d, (void)pool;
    if (!separators == !token || (separators && separators->int_count == 0) ||
        (separators && separators->int_count > SEPARATORS_MAX)) {
        return plan_call_fail(&c, err, "it has separators and tokenexp, or neither");
    }
    tokenizer_state *s = base_calloc(a, 1, sizeof *s);
    if (!s) return base_no_memory(err, "a tokenizer", sizeof *s);
    *state = s;
    s->by_tokens = token != NULL;
    s->by_characters = token ? token->s_bytes == 1 && token->s[0] == '.'
                             : separators->int_count == 1 && separators->strings[0].size_bytes == 0;
    if (s->by_characters) return ONDOL_OK;
    const uint32_t count = token ? 1 : separators->int_count;
    s->regexes = base_calloc(a, count, sizeof *s->regexes);
    if (!s->regexes) return base_no_memory(err, "a tokenizer", count * sizeof *s->regexes);
    s->count = count;
    for (uint32_t i = 0; i < count; i++) {
        const char *text = token ? token->s : separators->strings[i].text;
        const size_t bytes = token ? token->s_bytes : separators->strings[i].size_bytes;
        if (bytes == 0) return plan_call_fail(&c, err, "an empty separator among others");
        TRY(ref_regex_create(&c, a, text, bytes, false, s->regexes + i, err));
    }
done:
    return status;
}

void ref_release_ms_tokenizer(const ondol_allocator *a, void *state) {
    tokenizer_state *s = state;
    if (!s) return;
    for (uint32_t i = 0; i < s->count; i++)
        ref_regex_destroy(a, s->regexes[i]);
    base_free(a, s->regexes);
    base_free(a, s);
}

/* -------------------------------------------------------------------------------------- tokens */

typedef struct token {
    size_t start, bytes;
} token;

typedef struct token_list {
    token *items; /* as many as the string has bytes, and one */
    uint64_t count;
} token_list;

/* Bytes of the UTF-8 character that begins with this one. */
static size_t character_bytes(const char *text, size_t left) {
    const unsigned char c = (unsigned char)*text;
    const size_t n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return n < left ? n : left;
}

static uint64_t count_characters(const char *text, size_t bytes) {
    uint64_t count = 0;
    for (size_t i = 0; i < bytes; i += character_bytes(text + i, bytes - i))
        count++;
    return count;
}

typedef struct tokenizer_call {
    plan_call *c;
    const tokenizer_state *s;
    uint64_t least; /* characters of a token */
    token_list lists[2];
} tokenizer_call;

static void add_token(const tokenizer_call *t, token_list *to, const char *text, size_t start,
                      size_t end) {
    if (count_characters(text + start, end - start) < t->least) return;
    to->items[to->count++] = (token){start, end - start};
}

/* Pieces of `whole` between matches. An empty match passes one character by. */
static ondol_status split(const tokenizer_call *t, const ref_regex *r, const char *text,
                          const token *whole, token_list *to, ondol_error *err) {
    size_t from = 0;
    ref_regex_match m;
    while (from <= whole->bytes) {
        const char *piece = text + whole->start;
        ondol_status status = ref_regex_find_longest(t->c, r, piece, whole->bytes, from, &m, err);
        if (status != ONDOL_OK) return status;
        const size_t end = m.is_there ? m.start : whole->bytes;
        if (m.is_there && m.end == m.start && m.start >= whole->bytes) m.is_there = false;
        add_token(t, to, text, whole->start + from,
                  whole->start + (m.is_there ? end : whole->bytes));
        if (!m.is_there) return ONDOL_OK;
        from = m.end > m.start ? m.end
                               : m.start + character_bytes(piece + m.start, whole->bytes - m.start);
    }
    return ONDOL_OK;
}

static ondol_status find_tokens(const tokenizer_call *t, const char *text, size_t bytes,
                                token_list *to, ondol_error *err) {
    size_t from = 0;
    ref_regex_match m;
    if (count_characters(text, bytes) < t->least) return ONDOL_OK;
    while (from <= bytes) {
        ondol_status status =
            ref_regex_find_longest(t->c, t->s->regexes[0], text, bytes, from, &m, err);
        if (status != ONDOL_OK) return status;
        if (!m.is_there || (m.end == m.start && m.start >= bytes)) return ONDOL_OK;
        const uint64_t before = to->count;
        if (m.end > m.start) add_token(t, to, text, m.start, m.end);
        from =
            to->count > before ? m.end : m.start + character_bytes(text + m.start, bytes - m.start);
    }
    return ONDOL_OK;
}

/* The tokens of one string, in lists[*which]. */
static ondol_status tokenize(tokenizer_call *t, const tensor_string *s, unsigned *which,
                             ondol_error *err) {
    const size_t bytes = s->size_bytes;
    ondol_status status = ONDOL_OK;
    *which = 0;
    t->lists[0].count = t->lists[1].count = 0;
    if (t->s->by_characters) {
        for (size_t i = 0; i < bytes;) {
            const size_t n = character_bytes(s->text + i, bytes - i);
            t->lists[0].items[t->lists[0].count++] = (token){i, n};
            i += n;
        }
        return ONDOL_OK;
    }
    if (t->s->by_tokens) return find_tokens(t, s->text, bytes, t->lists, err);
    t->lists[0].items[0] = (token){0, bytes};
    t->lists[0].count = 1;
    for (uint32_t i = 0; i < t->s->count; i++) {
        token_list *from = t->lists + *which, *to = t->lists + (*which ^ 1);
        to->count = 0;
        for (uint64_t k = 0; k < from->count; k++)
            TRY(split(t, t->s->regexes[i], s->text, from->items + k, to, err));
        *which ^= 1;
    }
done:
    return status;
}

/* -------------------------------------------------------------------------------------- output */

/* Tokens of element i to y, which has `width` places for it. */
static ondol_status write_tokens(const plan_call *c, const tensor_string *s, const token_list *l,
                                 uint64_t first, uint64_t width, tensor_value *y,
                                 ondol_error *err) {
    const bool has_marks = graph_get_int(c->g, c->node, "mark") != 0;
    const graph_attribute *pad = graph_get_attribute(c->g, c->node, "pad_value");
    uint64_t at = first;
    ondol_status status = ONDOL_OK;
    if (has_marks) TRY(tensor_value_set_string(y, at++, "\x02", 1, err));
    for (uint64_t k = 0; k < l->count; k++)
        TRY(tensor_value_set_string(y, at++, s->text + l->items[k].start, l->items[k].bytes, err));
    if (has_marks) TRY(tensor_value_set_string(y, at++, "\x03", 1, err));
    while (at < first + width)
        TRY(tensor_value_set_string(y, at++, pad ? pad->s : "", pad ? pad->s_bytes : 0, err));
done:
    return status;
}

/* The most tokens of an element, and room for those of the longest. */
static ondol_status measure(tokenizer_call *t, const tensor_value *x, uint64_t *most,
                            ondol_error *err) {
    const tensor_string *strings = x->data;
    uint64_t longest = 0;
    unsigned which = 0;
    void *memory = NULL;
    ondol_status status = ONDOL_OK;
    for (uint64_t i = 0; i < x->elems; i++)
        if (strings[i].size_bytes > longest) longest = strings[i].size_bytes;
    /* Each token ends at a byte of its own, or at the end. */
    for (int i = 0; i < 2; i++) {
        TRY(ref_alloc(t->c, longest + 2, sizeof(token), "tokens", &memory, err));
        t->lists[i].items = memory;
    }
    for (uint64_t i = 0; i < x->elems; i++) {
        TRY(tokenize(t, strings + i, &which, err));
        if (t->lists[which].count > *most) *most = t->lists[which].count;
    }
done:
    return status;
}

ondol_status ref_ms_tokenizer(plan_call *c, ondol_error *err) {
    tokenizer_call t = {.c = c, .s = c->state};
    const int64_t least = graph_get_int(c->g, c->node, "mincharnum");
    tensor_value *x = NULL, *y = NULL;
    int64_t dims[3] = {0};
    uint64_t most = 0;
    unsigned which = 0;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_STRING, &x, err));
    if (x->rank != 1) TRY(ref_ms_expect_rank(c, "X", x, 2, err));
    if (least < 1 || (t.s->by_characters && least > 1)) {
        return plan_call_fail(c, err, "mincharnum is %" PRId64, least);
    }
    t.least = (uint64_t)least;
    if (x->elems == 0) { /* [0] of [0], [N, 0] of [N, 0] */
        dims[0] = x->rank == 2 ? x->dims[0] : 0;
        return plan_call_output(c, 0, TENSOR_ELEMENT_STRING, x->rank, dims, &y, err);
    }
    TRY(measure(&t, x, &most, err));
    if (most && graph_get_int(c->g, c->node, "mark") != 0) most += 2;
    for (uint32_t i = 0; i < x->rank; i++)
        dims[i] = x->dims[i];
    dims[x->rank] = (int64_t)most;
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_STRING, x->rank + 1, dims, &y, err));
    for (uint64_t i = 0; i < x->elems && most; i++) {
        const tensor_string *s = (const tensor_string *)x->data + i;
        TRY(tokenize(&t, s, &which, err));
        TRY(write_tokens(c, s, t.lists + which, i * most, most, y, err));
    }
done:
    tensor_heap_free(c->heap, t.lists[0].items);
    tensor_heap_free(c->heap, t.lists[1].items);
    return status;
}
