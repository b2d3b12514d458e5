/* WordConvEmbedding. In: words as rows of character ids, a table of characters, filters. Out: for
 * each word and filter the largest tanh of the filter's answers along the word. */
#include <inttypes.h>
#include <math.h>

#include "device/ref/ops/ref_kernels.h"
#include "device/ref/ops/ref_ms.h"

enum { WORDS, FILTERS, BIAS, CHARACTERS };

typedef struct word_job {
    const int32_t *ids; /* [words][places] */
    uint64_t words, places, filters, window, size, table_rows;
    double *w, *bias, *table; /* [filters][window][size]; [filters]; [table_rows][size] */
} word_job;

/* Characters of a word: ids above 0, none where the first is not. */
static uint64_t length_of(const word_job *j, const int32_t *word) {
    uint64_t count = 0;
    for (uint64_t i = 0; i < j->places && word[0] > 0; i++)
        count += word[i] > 0;
    return count;
}

static double answer(const word_job *j, const int32_t *at, uint64_t filter) {
    double sum = j->bias[filter];
    for (uint64_t i = 0; i < j->window; i++) {
        const double *row = j->table + (uint64_t)at[i] * j->size;
        const double *w = j->w + (filter * j->window + i) * j->size;
        for (uint64_t k = 0; k < j->size; k++)
            sum += row[k] * w[k];
    }
    return tanh(sum);
}

static ondol_status embed(const plan_call *c, const word_job *j, uint64_t index, double *y,
                          ondol_error *err) {
    const int32_t *word = j->ids + index * j->places;
    const uint64_t length = length_of(j, word);
    const uint64_t seen = length > j->window ? length : j->window;
    for (uint64_t f = 0; f < j->filters; f++)
        y[f] = length ? -1e12 : 0;
    for (uint64_t i = 0; i < seen && length; i++) {
        if (word[i] < 0 || (uint64_t)word[i] >= j->table_rows) {
            return plan_call_fail(c, err, "character %" PRId32 " of %" PRIu64, word[i],
                                  j->table_rows);
        }
    }
    for (uint64_t i = 0; i + j->window <= seen && length; i++) {
        for (uint64_t f = 0; f < j->filters; f++) {
            const double v = answer(j, word + i, f);
            if (v > y[f]) y[f] = v;
        }
    }
    return ONDOL_OK;
}

static ondol_status expect(const plan_call *c, const char *name, int64_t got, ondol_error *err) {
    const int64_t wanted = ref_ms_has(c, name) ? graph_get_int(c->g, c->node, name) : got;
    if (wanted == got || wanted == -1) return ONDOL_OK;
    return plan_call_fail(c, err, "%s is %" PRId64 ", its inputs have %" PRId64, name, wanted, got);
}

static ondol_status read_inputs(const plan_call *c, word_job *j, ondol_error *err) {
    tensor_value *ids = NULL, *w = NULL, *table = NULL;
    ondol_status status = ONDOL_OK;
    TRY(plan_call_typed(c, WORDS, TENSOR_ELEMENT_I32, &ids, err));
    TRY(ref_float_input(c, FILTERS, &w, err));
    TRY(ref_float_input(c, CHARACTERS, &table, err));
    TRY(ref_ms_expect_rank(c, "Sequence", ids, 2, err));
    TRY(ref_ms_expect_rank(c, "W", w, 4, err));
    TRY(ref_ms_expect_rank(c, "C", table, 2, err));
    const int64_t dims[4] = {w->dims[0], 1, w->dims[2], table->dims[1]};
    TRY(ref_ms_needed(c, FILTERS, "W", 4, dims, &j->w, err));
    TRY(ref_ms_needed(c, BIAS, "B", 1, dims, &j->bias, err));
    TRY(ref_ms_needed(c, CHARACTERS, "C", 2, table->dims, &j->table, err));
    TRY(expect(c, "embedding_size", w->dims[0], err));
    TRY(expect(c, "conv_window_size", w->dims[2], err));
    TRY(expect(c, "char_embedding_size", table->dims[1], err));
    if (w->dims[2] < 1 || w->dims[2] > ids->dims[1]) {
        return plan_call_fail(c, err, "windows of %" PRId64 " in words of %" PRId64, w->dims[2],
                              ids->dims[1]);
    }
    j->ids = ids->data;
    j->words = (uint64_t)ids->dims[0];
    j->places = (uint64_t)ids->dims[1];
    j->filters = (uint64_t)w->dims[0];
    j->window = (uint64_t)w->dims[2];
    j->size = (uint64_t)table->dims[1];
    j->table_rows = (uint64_t)table->dims[0];
done:
    return status;
}

ondol_status ref_ms_word_conv_embedding(plan_call *c, ondol_error *err) {
    word_job j = {0};
    tensor_value *y = NULL;
    double *row = NULL;
    ondol_status status = ONDOL_OK;
    TRY(read_inputs(c, &j, err));
    const int64_t dims[2] = {(int64_t)j.words, (int64_t)j.filters};
    TRY(plan_call_output(c, 0, TENSOR_ELEMENT_F32, 2, dims, &y, err));
    TRY(ref_ms_doubles(c, j.filters, "a row", &row, err));
    for (uint64_t i = 0; i < j.words; i++) {
        TRY(embed(c, &j, i, row, err));
        ref_store_numbers(y, i * j.filters, j.filters, row);
    }
done:
    tensor_heap_free(c->heap, j.w);
    tensor_heap_free(c->heap, j.bias);
    tensor_heap_free(c->heap, j.table);
    tensor_heap_free(c->heap, row);
    return status;
}
