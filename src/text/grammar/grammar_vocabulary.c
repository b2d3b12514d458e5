/* A tokenizer's vocabulary -> the tree of all pieces in depth-first order, so that a walk along it
 * is a walk along an array. */
#include <string.h>

#include "text/grammar/grammar_internal.h"

#define PIECE_BYTES_MAX (((size_t)1 << 24) - 1)

static text_view piece_of(const text_grammar_vocabulary *v, uint32_t id) {
    return text_token_piece(v->tok, (int32_t)id, 0);
}

static bool piece_less(const text_grammar_vocabulary *v, uint32_t x, uint32_t y) {
    const text_view a = piece_of(v, x), b = piece_of(v, y);
    const int order = memcmp(a.data, b.data, a.size < b.size ? a.size : b.size);
    if (order != 0) return order < 0;
    return a.size != b.size ? a.size < b.size : x < y;
}

static void merge(const text_grammar_vocabulary *v, const uint32_t *from, uint32_t *to, size_t n,
                  size_t width) {
    for (size_t start = 0; start < n; start += 2 * width) {
        const size_t middle = start + width < n ? start + width : n;
        const size_t end = middle + width < n ? middle + width : n;
        size_t left = start, right = middle;
        for (size_t k = start; k < end; k++) {
            const bool take_left =
                right >= end || (left < middle && piece_less(v, from[left], from[right]));
            to[k] = take_left ? from[left++] : from[right++];
        }
    }
}

/* Merge sort from below; the result is in v->sorted. */
static ondol_status sort_tokens(text_grammar_vocabulary *v, ondol_error *err) {
    uint32_t *other = base_alloc(v->allocator, v->n_sorted, sizeof *other);
    if (!other) return base_no_memory(err, "a vocabulary's tree", v->n_sorted * sizeof *other);
    for (size_t width = 1; width < v->n_sorted; width *= 2) {
        merge(v, v->sorted, other, v->n_sorted, width);
        uint32_t *swap = v->sorted;
        v->sorted = other;
        other = swap;
    }
    base_free(v->allocator, other);
    return ONDOL_OK;
}

static ondol_status list_tokens(text_grammar_vocabulary *v, ondol_error *err) {
    v->sorted = base_alloc(v->allocator, v->n_tokens, sizeof *v->sorted);
    v->ends = base_alloc(v->allocator, v->n_tokens, sizeof *v->ends);
    if (!v->sorted || !v->ends) return base_no_memory(err, "a vocabulary's tree", v->n_tokens * 8);
    for (uint32_t id = 0; id < v->n_tokens; id++) {
        const size_t size = piece_of(v, id).size;
        if (text_token_is_end(v->tok, (int32_t)id)) {
            v->ends[v->n_ends++] = id;
        } else if (size > PIECE_BYTES_MAX) {
            return base_fail(err, ONDOL_E_LIMIT, "token %u: a piece of %zu bytes, at most %zu", id,
                             size, PIECE_BYTES_MAX);
        } else if (size > 0) {
            v->sorted[v->n_sorted++] = id;
            if (size > v->max_depth) v->max_depth = size;
        }
    }
    return ONDOL_OK;
}

/* Bytes that sorted token i has in common with the one before. */
static size_t shared_bytes(const text_grammar_vocabulary *v, size_t i) {
    if (i == 0) return 0;
    const text_view a = piece_of(v, v->sorted[i - 1]), b = piece_of(v, v->sorted[i]);
    size_t n = 0;
    while (n < a.size && n < b.size && a.data[n] == b.data[n])
        n++;
    return n;
}

static ondol_status build_tree(text_grammar_vocabulary *v, ondol_error *err) {
    uint64_t n_nodes = 1;
    for (size_t i = 0; i < v->n_sorted; i++)
        n_nodes += piece_of(v, v->sorted[i]).size - shared_bytes(v, i);
    if (n_nodes >= UINT32_MAX)
        return base_fail(err, ONDOL_E_LIMIT, "vocabulary: a tree of over 2^32 bytes");
    v->nodes = base_alloc(v->allocator, (size_t)n_nodes + 1, sizeof *v->nodes);
    uint32_t *path = base_alloc(v->allocator, v->max_depth + 1, sizeof *path);
    if (!v->nodes || !path) {
        base_free(v->allocator, path);
        return base_no_memory(err, "a vocabulary's tree", n_nodes * sizeof *v->nodes);
    }
    size_t n = 0, depth = 0;
    v->nodes[n] = (grammar_piece_node){0, 0, 0};
    path[0] = (uint32_t)n++;
    for (size_t i = 0; i < v->n_sorted; i++) {
        const text_view piece = piece_of(v, v->sorted[i]);
        const size_t shared = shared_bytes(v, i);
        for (; depth > shared; depth--)
            v->nodes[path[depth]].end = (uint32_t)n;
        while (depth < piece.size) {
            const unsigned char byte = (unsigned char)piece.data[depth++];
            v->nodes[n] = (grammar_piece_node){0, (uint32_t)i, (uint32_t)(depth << 8 | byte)};
            path[depth] = (uint32_t)n++;
        }
    }
    for (size_t d = 0; d <= depth; d++)
        v->nodes[path[d]].end = (uint32_t)n;
    v->n_nodes = n;
    v->nodes[n] = (grammar_piece_node){(uint32_t)n, (uint32_t)v->n_sorted, 0};
    base_free(v->allocator, path);
    return ONDOL_OK;
}

ondol_status text_grammar_vocabulary_create(const ondol_allocator *allocator,
                                            const text_tokenizer *tok,
                                            text_grammar_vocabulary **out, ondol_error *err) {
    ondol_status status = ONDOL_OK;
    *out = NULL;
    text_grammar_vocabulary *v = base_calloc(allocator, 1, sizeof *v);
    if (!v) return base_no_memory(err, "a vocabulary's tree", sizeof *v);
    v->allocator = allocator;
    v->tok = tok;
    v->n_tokens = text_token_count(tok);
    TRY(list_tokens(v, err));
    TRY(sort_tokens(v, err));
    TRY(build_tree(v, err));
    *out = v;
    v = NULL;
done:
    text_grammar_vocabulary_destroy(v);
    return status;
}

void text_grammar_vocabulary_destroy(text_grammar_vocabulary *vocabulary) {
    if (!vocabulary) return;
    const ondol_allocator *a = vocabulary->allocator;
    base_free(a, vocabulary->nodes);
    base_free(a, vocabulary->sorted);
    base_free(a, vocabulary->ends);
    base_free(a, vocabulary);
}
