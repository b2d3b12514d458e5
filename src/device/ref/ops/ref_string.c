/* StringConcat, StringSplit. In: strings. Out: strings joined, elementwise; or cut into pieces, as
 * many for each element as the longest list has, padded with empty ones, and their counts. */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/utf8.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_util.h"

static uint64_t longest(const tensor_value *v) {
    const tensor_string *s = v->data;
    uint64_t most = 0;
    for (uint64_t i = 0; i < v->elems; i++)
        if (s[i].size_bytes > most) most = s[i].size_bytes;
    return most;
}

ondol_status ref_string_concat(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL, *z = NULL;
    int64_t dims[TENSOR_MAX_RANK];
    uint32_t rank = 0;
    uint64_t room = 0;
    void *memory = NULL;
    ref_walk w;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_STRING, &x, err));
    TRY(plan_call_typed(c, 1, TENSOR_ELEMENT_STRING, &y, err));
    TRY(ref_broadcast(c, c->inputs, 2, &rank, dims, err));
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_STRING, rank, dims, &z, err));
    if (!base_add(longest(x), longest(y), &room)) room = UINT64_MAX;
    TRY(ref_alloc(c, room, 1, "a string", &memory, err));
    ref_walk_begin(&w, rank, dims);
    ref_walk_add(&w, x->rank, x->dims);
    ref_walk_add(&w, y->rank, y->dims);
    for (uint64_t i = 0; w.left; ref_walk_next(&w), i++) {
        const tensor_string *a = (const tensor_string *)x->data + w.at[0];
        const tensor_string *b = (const tensor_string *)y->data + w.at[1];
        if (a->size_bytes) memcpy(memory, a->text, a->size_bytes);
        if (b->size_bytes) memcpy((char *)memory + a->size_bytes, b->text, b->size_bytes);
        TRY(tensor_value_set_string(z, i, memory, a->size_bytes + b->size_bytes, err));
    }
done:
    tensor_heap_free(c->heap, memory);
    return status;
}

/* Bytes of the white space (Unicode's) at the beginning of p[0..n), 0 where there is none. */
static size_t space_at(const char *p, size_t n) {
    uint32_t code = 0;
    const size_t used = base_utf8_decode((const unsigned char *)p, n, &code);
    const bool is_space = (code >= 0x09 && code <= 0x0d) || (code >= 0x1c && code <= 0x20) ||
                          code == 0x85 || code == 0xa0 || code == 0x1680 ||
                          (code >= 0x2000 && code <= 0x200a) || code == 0x2028 || code == 0x2029 ||
                          code == 0x202f || code == 0x205f || code == 0x3000;
    return used && is_space ? used : 0;
}

/* What is left of a string that is being cut. */
typedef struct cutter {
    const char *text;
    size_t left;
    tensor_string delimiter; /* empty: runs of white space */
    uint64_t cuts_left;
    bool ended;
} cutter;

static void skip_space(cutter *k) {
    for (size_t n; k->left && (n = space_at(k->text, k->left)) != 0;) {
        k->text += n;
        k->left -= n;
    }
}

/* Bytes of the next word: up to white space, or up to the delimiter. */
static size_t word_length(const cutter *k) {
    const tensor_string *d = &k->delimiter;
    for (size_t i = 0; i < k->left; i++) {
        if (!d->size_bytes && space_at(k->text + i, k->left - i)) return i;
        if (d->size_bytes && k->left - i >= d->size_bytes &&
            memcmp(k->text + i, d->text, d->size_bytes) == 0) {
            return i;
        }
    }
    return k->left;
}

/* The next piece; false when there is none. */
static bool next_piece(cutter *k, tensor_string *out) {
    const bool by_space = !k->delimiter.size_bytes;
    if (k->ended) return false;
    if (by_space) skip_space(k);
    if (by_space && !k->left) return false;
    const size_t n = k->cuts_left ? word_length(k) : k->left;
    *out = (tensor_string){k->text, n};
    k->ended = n == k->left;
    if (k->cuts_left) k->cuts_left--;
    const size_t step = n + (k->ended ? 0 : k->delimiter.size_bytes);
    k->text += step;
    k->left -= step;
    return true;
}

static cutter cutter_of(const plan_call *c, const tensor_string *s) {
    const graph_attribute *delimiter = graph_get_attribute(c->g, c->node, "delimiter");
    const graph_attribute *most = graph_get_attribute(c->g, c->node, "maxsplit");
    cutter k = {.text = s->text, .left = s->size_bytes, .cuts_left = UINT64_MAX};
    if (delimiter) k.delimiter = (tensor_string){delimiter->s, delimiter->s_bytes};
    if (most && most->i >= 0) k.cuts_left = (uint64_t)most->i;
    return k;
}

ondol_status ref_string_split(plan_call *c, ondol_error *err) {
    tensor_value *x = NULL, *y = NULL, *counts = NULL;
    int64_t dims[TENSOR_MAX_RANK + 1];
    tensor_string piece;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, 0, TENSOR_ELEMENT_STRING, &x, err));
    TRY(plan_call_output(c, 1, TENSOR_ELEMENT_I64, x->rank, x->dims, &counts, err));
    int64_t *n = counts->data, most = 0;
    for (uint64_t i = 0; i < x->elems; i++) {
        cutter k = cutter_of(c, (const tensor_string *)x->data + i);
        for (n[i] = 0; next_piece(&k, &piece);)
            n[i]++;
        if (n[i] > most) most = n[i];
    }
    memcpy(dims, x->dims, sizeof x->dims);
    dims[x->rank] = most;
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_STRING, x->rank + 1, dims, &y, err));
    for (uint64_t i = 0; i < x->elems; i++) {
        cutter k = cutter_of(c, (const tensor_string *)x->data + i);
        for (uint64_t at = i * (uint64_t)most; next_piece(&k, &piece); at++)
            TRY(tensor_value_set_string(y, at, piece.text, piece.size_bytes, err));
    }
done:
    return status;
}
