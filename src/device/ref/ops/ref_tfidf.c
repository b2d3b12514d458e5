/* TfIdfVectorizer. In: words or numbers [C] or [N, C], a pool of n-grams. Out: how often each
 * stands in a row, also with words skipped in between, weighted. */
#include <inttypes.h>
#include <string.h>

#include "base/buffer.h"
#include "base/map.h"
#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_util.h"
#include "tensor/number.h"

typedef struct tfidf {
    base_map grams; /* key of an n-gram -> its index in the pool */
    char *keys;     /* of all of them */
    int64_t size;   /* of a row of the output */
    int64_t least, most, skips;
    bool of_strings, count_once;
    const graph_attribute *places, *weights; /* ngram_indexes; weights: NULL for none */
} tfidf;

#define HEAD_BYTES sizeof(uint64_t)

/* Bytes of one item of a key: the length and text of a string, or a number. */
static size_t item_bytes(const tensor_string *s) {
    return HEAD_BYTES + (s ? s->size_bytes : 0);
}

static size_t put_item(char *key, const tensor_string *s, int64_t number) {
    const uint64_t head = s ? s->size_bytes : (uint64_t)number;
    memcpy(key, &head, sizeof head);
    if (s && s->size_bytes) memcpy(key + HEAD_BYTES, s->text, s->size_bytes);
    return item_bytes(s);
}

static ondol_status read_limits(const plan_call *c, tfidf *t, ondol_error *err) {
    const char *mode = graph_get_string(c->g, c->node, "mode");
    t->least = graph_get_int(c->g, c->node, "min_gram_length");
    t->most = graph_get_int(c->g, c->node, "max_gram_length");
    t->skips = graph_get_int(c->g, c->node, "max_skip_count");
    t->places = graph_get_attribute(c->g, c->node, "ngram_indexes");
    if (strcmp(mode, "TF") != 0) t->weights = graph_get_attribute(c->g, c->node, "weights");
    t->count_once = strcmp(mode, "IDF") == 0;
    if (!t->count_once && strcmp(mode, "TF") != 0 && strcmp(mode, "TFIDF") != 0) {
        return plan_call_fail(c, err, "mode '%s', expected TF, IDF or TFIDF", mode);
    }
    if (t->least < 1 || t->most < t->least || t->skips < 0) {
        return plan_call_fail(c, err,
                              "n-grams of %" PRId64 " to %" PRId64 " items, skipping %" PRId64,
                              t->least, t->most, t->skips);
    }
    for (uint32_t i = 0; t->places && i < t->places->int_count; i++) {
        const int64_t place = t->places->ints[i];
        if (place < 0 || place == INT64_MAX) {
            return plan_call_fail(c, err, "ngram_indexes: %" PRId64, place);
        }
        if (place >= t->size) t->size = place + 1;
    }
    if (!t->size) return plan_call_fail(c, err, "it lacks ngram_indexes");
    if (!t->weights || (int64_t)t->weights->int_count >= t->size) return ONDOL_OK;
    return plan_call_fail(c, err, "%" PRIu32 " weights for %" PRId64 " columns",
                          t->weights->int_count, t->size);
}

/* The items [first, first + n) of the pool become key `index`, written at *key. */
static bool add_gram(tfidf *t, const graph_attribute *pool, uint64_t first, uint64_t n,
                     uint32_t index, char **key) {
    char *begin = *key;
    for (uint64_t i = first; i < first + n; i++)
        *key += put_item(*key, t->of_strings ? pool->strings + i : NULL,
                         t->of_strings ? 0 : pool->ints[i]);
    return base_map_put(&t->grams, begin, (size_t)(*key - begin), index);
}

/* Pool items [from, to) are n-grams of n items each; *next: the index of the first. */
static ondol_status add_grams(const plan_call *c, tfidf *t, const graph_attribute *pool,
                              int64_t from, int64_t to, int64_t n, char **key, uint64_t *next,
                              ondol_error *err) {
    if (from < 0 || from > to || to > (int64_t)pool->int_count || (to - from) % n) {
        return plan_call_fail(c, err,
                              "ngram_counts: %" PRId64 "-grams from item %" PRId64 " to %" PRId64
                              " of a pool of %" PRIu32,
                              n, from, to, pool->int_count);
    }
    for (int64_t at = from; at < to; at += n, ++*next) {
        if (*next >= t->places->int_count) {
            return plan_call_fail(c, err, "%" PRIu32 " ngram_indexes, fewer than n-grams",
                                  t->places->int_count);
        }
        if (n < t->least || n > t->most) continue;
        if (!add_gram(t, pool, (uint64_t)at, (uint64_t)n, (uint32_t)*next, key)) {
            return base_no_memory(err, "n-grams", pool->int_count);
        }
    }
    return ONDOL_OK;
}

static ondol_status read_pool(const plan_call *c, const ondol_allocator *a, tfidf *t,
                              ondol_error *err) {
    const graph_attribute *strings = graph_get_attribute(c->g, c->node, "pool_strings");
    const graph_attribute *numbers = graph_get_attribute(c->g, c->node, "pool_int64s");
    const graph_attribute *counts = graph_get_attribute(c->g, c->node, "ngram_counts");
    const graph_attribute *pool = strings && strings->int_count ? strings : numbers;
    size_t key_bytes = 1;
    uint64_t next = 0;
    if (!pool || !counts || (pool == strings && numbers && numbers->int_count)) {
        return plan_call_fail(c, err, "expected ngram_counts and one of its two pools");
    }
    t->of_strings = pool == strings;
    for (uint32_t i = 0; i < pool->int_count; i++)
        key_bytes += item_bytes(t->of_strings ? pool->strings + i : NULL);
    t->keys = base_alloc(a, key_bytes, 1);
    if (!t->keys) return base_no_memory(err, "n-grams", key_bytes);
    char *key = t->keys;
    for (uint32_t i = 0; i < counts->int_count; i++) {
        const int64_t end =
            i + 1 < counts->int_count ? counts->ints[i + 1] : (int64_t)pool->int_count;
        ondol_status status =
            add_grams(c, t, pool, counts->ints[i], end, (int64_t)i + 1, &key, &next, err);
        if (status != ONDOL_OK) return status;
    }
    if (t->most > (int64_t)counts->int_count) t->most = (int64_t)counts->int_count;
    return ONDOL_OK;
}

ondol_status ref_prepare_tfidf(const plan_device *d, const ondol_allocator *a, const graph *g,
                               graph_node_id n, base_pool *pool, void **state, ondol_error *err) {
    const plan_call c = {.g = g, .node = n}; /* for its sentences */
    tfidf *t = base_calloc(a, 1, sizeof *t);
    (void)d, (void)pool;
    if (!t) return base_no_memory(err, "n-grams", sizeof *t);
    base_map_init(&t->grams, a);
    *state = t;
    ondol_status status = read_limits(&c, t, err);
    return status == ONDOL_OK ? read_pool(&c, a, t, err) : status;
}

void ref_release_tfidf(const ondol_allocator *a, void *state) {
    tfidf *t = state;
    if (!t) return;
    base_map_destroy(&t->grams);
    base_free(a, t->keys);
    base_free(a, t);
}

/* Counts the n-grams of n items or more that begin at `at`, `step` items from one to the next. */
static void count_from(const tfidf *t, const tensor_value *x, uint64_t row, uint64_t width,
                       uint64_t at, uint64_t step, int64_t least, char *key, float *counts) {
    const tensor_string *s = x->data;
    size_t bytes = 0;
    for (int64_t n = 1; n <= t->most && at < width; n++) {
        const uint64_t i = row * width + at;
        uint32_t index = 0;
        bytes += put_item(key + bytes, t->of_strings ? s + i : NULL,
                          t->of_strings ? 0 : tensor_get_integer(x->element, x->data, i));
        if (n >= least && base_map_get(&t->grams, key, bytes, &index)) {
            float *count = counts + t->places->ints[index];
            *count = t->count_once ? 1 : *count + 1;
        }
        if (step >= width - at) break;
        at += step;
    }
}

/* The n-grams of one item are counted once: nothing is skipped within them. */
static void count_row(const tfidf *t, const tensor_value *x, uint64_t row, uint64_t width,
                      char *key, float *counts) {
    int64_t least = t->least;
    for (uint64_t step = 1; step - 1 <= (uint64_t)t->skips; step++) {
        if (least > 1 && step >= width) return;
        for (uint64_t at = 0; at < width; at++)
            count_from(t, x, row, width, at, step, least, key, counts);
        if (least == 1 && ++least > t->most) return;
    }
}

ondol_status ref_tfidf_vectorizer(plan_call *c, ondol_error *err) {
    const tfidf *t = c->state;
    tensor_value *x = NULL, *y = NULL;
    uint64_t key_bytes = 1;
    void *key = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_tensor(c, 0, &x, err));
    const bool fits = t->of_strings
                          ? x->element == TENSOR_ELEMENT_STRING
                          : x->element == TENSOR_ELEMENT_I32 || x->element == TENSOR_ELEMENT_I64;
    if (!fits || x->rank > 2 || (x->rank == 0 && x->elems != 1)) {
        return plan_call_fail(c, err, "an input of type %s and rank %" PRIu32 " for a pool of %s",
                              tensor_element_onnx_name(x->element), x->rank,
                              t->of_strings ? "strings" : "int64");
    }
    const uint64_t rows = x->rank == 2 ? (uint64_t)x->dims[0] : 1;
    const uint64_t width = x->rank ? (uint64_t)x->dims[x->rank - 1] : 1;
    const int64_t dims[2] = {(int64_t)rows, t->size};
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, x->rank == 2 ? 2 : 1, dims + (x->rank != 2), &y,
                         err));
    memset(y->data, 0, (size_t)tensor_value_bytes(y));
    /* A key has at most t->most items of a row; so long as a whole row it never gets. */
    uint64_t longest = 0;
    for (uint64_t i = 0; t->of_strings && i < x->elems; i++) {
        const uint64_t n = ((const tensor_string *)x->data)[i].size_bytes;
        if (n > longest) longest = n;
    }
    key_bytes = longest + HEAD_BYTES;
    TRY(ref_alloc(c, key_bytes, (uint64_t)t->most < width ? (uint64_t)t->most : width, "n-grams",
                  &key, err));
    for (uint64_t row = 0; row < rows && width; row++) {
        float *counts = (float *)y->data + row * (uint64_t)t->size;
        count_row(t, x, row, width, key, counts);
        for (int64_t i = 0; t->weights && i < t->size; i++)
            counts[i] = (float)(counts[i] * t->weights->floats[i]);
    }
done:
    tensor_heap_free(c->heap, key);
    return status;
}
